"""Train a graph network on energies, forces or properties with plenty of data."""

import numpy as np
from ase import Atoms

from sktaag.sources._graph_networks import Start, build_network, plain_start, pretrained_backbone
from sktaag.sources._graph_regression import GraphRegression
from sktaag.sources._target_scaler import N_ELEMENTS, TargetScaler


class GNNRegressor(GraphRegression):
    """Graph network for regression: a model of its own, and the source of a transfer.

    A backbone (SchNet, DimeNet++, ViSNet and others, by name) gives a state of each atom, a readout turns it into the
    contribution of the atom, and the structure has their sum (``target="extensive"``) or their mean. Energies have
    reference energies of the elements, refitted in each `fit`, in float64; the network learns the rest. Forces are
    derivatives of the energy, in training and in prediction.

    Its backbone is what `sktaag.transfer.GNNFeaturizer`, `TAAGRegressor` and `FineTunedRegressor` hand to a target.

    Parameters
    ----------
    backbone : str, default="schnet"
        One of `sktaag.nn.backbone_names`. ``module__*`` are arguments of its constructor, such as
        ``module__n_layers=3``.
    target : {"extensive", "intensive"}, default="extensive"
        Whether the targets grow with the number of atoms, as energies do, or not, as a band gap.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is the one that the backbone reads, with its cutoff.
    criterion : {"auto", "mse", "mae", "huber"} or class, default="auto"
        Loss of targets, and of the lengths of errors of forces, each in units of the spread of the labels. "auto" is
        "mae" where there are forces and else "mse". A class is a torch loss that knows ``reduction="none"``.
    force_weight : float, default=100.0
        Weight of the loss of the forces against that of the energies; 0 trains on energies alone.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        A class is a torch optimizer.
    lr : float, default=0.001
        Learning rate.
    weight_decay : float, default=0.01
        Of the optimizer.
    scheduler : {None, "plateau", "cosine"}, default="cosine"
        Halve the learning rate when the loss stops falling, or bring it to zero along a cosine over `max_epochs`.
    batch_size : "auto" or int, default="auto"
        Graphs in a batch. "auto" is 32; where there are forces, a tenth of the training rows, between 4 and 32.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : "auto" or bool, default="auto"
        Whether to hold out validation rows, to stop when their loss no longer falls, and to keep the weights of the
        best epoch. "auto" does so from 100 rows on.
    patience : int, default=20
        Epochs without progress before early stopping.
    validation_fraction : float, default=0.1
        Share of the rows passed to `fit` that early stopping holds out, in (0, 1).
    ema : float or None, default=None
        Decay of an exponential moving average of the weights, which then is what is validated and kept.
    clip : float or None, default=10.0
        Upper bound on the norm of the gradient.
    callbacks : list of skorch callbacks or None, default=None
        Copied before they run.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws the weights, the batches and the inner validation set. torch's own generators are left as they were.
    verbose : int, default=0
        1 shows a progress bar over epochs, 2 skorch's table.
    **net_params : dict
        Keywords that begin with ``criterion__``, ``optimizer__``, ``callbacks__``, ``iterator_train__`` or
        ``iterator_valid__`` go to that part of the skorch net, those with ``module__`` to the backbone.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net, trimmed for prediction.
    module_ : sktaag.nn.GraphNetwork
        Its torch module.
    backbone_ : sktaag.nn.Backbone
        The part of it that gives the layer tokens.
    graphs_ : AtomGraphs or MoleculeGraphs
        The fitted transformer of structures.
    target_scaler_ : object
        Reference energies, means and scales of the targets.
    reference_energies_ : ndarray of shape (119, n_targets)
        By atomic number, in the unit of y.
    uses_forces_ : bool
        Whether `fit` has seen forces.
    history_ : list of dict
        One for each epoch: losses and what `callbacks` recorded.
    n_iter_ : int
        Number of epochs.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    validation_score_ : float or None
        R2 on the inner validation rows at that epoch; None without early stopping. It is optimistic, for it has
        picked the epoch.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    TypeError
        In the constructor, if a keyword is neither a parameter nor routed.
    ValueError
        In `fit`, if y is not finite, a target has no label, forces do not fit the structures, a parameter is out of its
        range, or the training diverges.
    InvalidRowsError
        In `fit` and `predict`, if structures cannot be read, unless `graphs` lets them pass.

    See Also
    --------
    GNNClassifier : The same for classes.
    sktaag.transfer.TAAGRegressor : Starts from a trained one, for tens of rows.

    Notes
    -----
    For energies with forces of tens of frames, SchNet did best on frames of malonaldehyde with ``lr=4e-3``,
    ``ema=0.99`` and 200 epochs or more.

    Predictions are computed in float64, so that the prediction of a structure does not depend on the others.
    On a GPU, sums over neighbours are added up in any order: two trainings agree to rounding, which grows.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sktaag.sources import GNNRegressor
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> model = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> model.fit([molecule(name) for name in names], energies).predict([molecule("H3CNH2")]).shape
    (1,)
    >>> model.predict_forces([molecule("H2O")])[0].shape
    (3, 3)
    """

    def __init__(
        self,
        backbone="schnet",
        *,
        target="extensive",
        graphs=None,
        criterion="auto",
        force_weight=100.0,
        optimizer="adamw",
        lr=0.001,
        weight_decay=0.01,
        scheduler="cosine",
        batch_size="auto",
        max_epochs=200,
        early_stopping="auto",
        patience=20,
        validation_fraction=0.1,
        ema=None,
        clip=10.0,
        callbacks=None,
        device="auto",
        random_state=None,
        verbose=0,
        **net_params,
    ):
        super().__init__(
            target=target,
            graphs=graphs,
            criterion=criterion,
            force_weight=force_weight,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            scheduler=scheduler,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            patience=patience,
            validation_fraction=validation_fraction,
            ema=ema,
            clip=clip,
            callbacks=callbacks,
            device=device,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.backbone = backbone

    @classmethod
    def from_pretrained(cls, backbone, *, graphs=None, device="auto"):
        """Take a network that others trained as it is, with its own readout: the transfer that learns nothing.

        Parameters
        ----------
        backbone : str or sktaag.nn.Backbone
            Name of one with pretrained weights, such as ``"chgnet"``, or one that was read from a file of its authors,
            such as ``sktaag.nn.backbones.SchNet.from_pretrained(path)``.
        graphs : AtomGraphs or None, default=None
            As in the constructor.
        device : str or torch.device, default="auto"
            As in the constructor.

        Returns
        -------
        model : GNNRegressor
            Fitted. Its predictions are energies in eV as the authors of the network count them. It is a source like
            one that was trained here, and can be kept in files and libraries; `fit` trains a network of that name anew.

        Raises
        ------
        ValueError
            If the backbone has no pretrained weights, or no readout of its own.

        Examples
        --------
        >>> from ase.build import bulk
        >>> from sktaag.sources import GNNRegressor
        >>> model = GNNRegressor.from_pretrained("chgnet", device="cpu")  # doctest: +SKIP
        >>> model.predict([bulk("Cu"), bulk("NaCl", "rocksalt", a=5.64)]).round(1)  # doctest: +SKIP
        array([-4.1, -7.3])
        """
        backbone = pretrained_backbone(backbone)
        if not backbone.has_readout:
            raise ValueError(
                f"The backbone {backbone.name!r} brings no readout of an energy, so that alone it predicts nothing. It "
                "is a source of GNNFeaturizer, TAAGRegressor, FineTunedRegressor and LinearPotential."
            )
        model = cls(backbone.name, graphs=graphs, device=device)
        network = {"attention": backbone.plain, "n_targets": 1, "target": model.target}
        params = {"backbone": backbone.name, "config": backbone.config, "network": network}
        model._hold(build_network(backbone, **network), params)
        known = range(1, N_ELEMENTS) if backbone.elements is None else sorted(backbone.elements)
        model._fit_graphs([Atoms([next(iter(known))])], Start(backbone, network))
        model.target_scaler_ = TargetScaler.of_references(backbone.atom_references(), known)
        model._y_ndim, model.history_, model.n_iter_, model.best_epoch_ = 1, [], 0, 0
        model.validation_score_, model.uses_forces_ = None, False
        return model

    def _start(self, X, n_outputs):
        start = plain_start(self, X, n_outputs)
        if start.backbone.config.get("pretrained") and (self.target, n_outputs) == ("extensive", 1):
            start.scale = np.ones(1)  # the readout comes with the backbone and speaks eV
        return start
