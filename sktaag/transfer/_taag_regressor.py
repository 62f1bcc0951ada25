"""Attention over the depths of a trained graph network, for regression on tens of structures."""

from sktaag.sources._graph_regression import GraphRegression
from sktaag.transfer._attention_transfer import AttentionTransfer


class TAAGRegressor(AttentionTransfer, GraphRegression):
    """Transfer by attention over the depths of a graph network: the target chooses how much of each it takes.

    A trained graph network gives each atom a state after the embedding and after each of its blocks; the first ones
    know what all chemistry has in common, the last ones the task that the network was trained on. An attention over
    these states is learned on the target [1]_, from one number for each depth ("mix") to a multi-head self-attention
    (that of the paper, "taag"). It starts as a residual of weight zero: before the first step the model is the plain
    transfer.

    With ``freeze="all"`` and no forces the states are computed once, and the training touches the network no more.

    Parameters
    ----------
    source : fitted estimator, Pipeline, Backbone, str or path
        A fitted `sktaag.sources.GNNRegressor` (or any other estimator over graphs), a Pipeline that ends in one, its
        file, ``"folder#id"`` for a model in a library, the name of a backbone with pretrained weights, such as
        ``"chgnet"``, or a `sktaag.nn.Backbone` with weights. It is not changed, and clones share it.
    attention : {"last", "sum", "mix", "query", "taag"}, default="taag"
        How the states of an atom become one, see `sktaag.nn.LayerAttention`. "last" and "sum" learn nothing.
    freeze : {"all", "embeddings", "none", "scratch"} or int, default="all"
        What stays of the source: all of it; embeddings and bases, as in the authors' release; the first k blocks and
        what is before them; nothing, so that all is fine-tuned. "scratch" takes the architecture with fresh weights:
        the control.
    n_fresh_blocks : int, default=0
        Blocks with fresh weights behind those of the source. They are trained, whatever `freeze` says.
    lr_decay : float, default=1.0
        Learning rates by depth: each block of the source that is trained has `lr_decay` times the learning rate of what
        follows it. In (0, 1]; 1 is one rate for all.
    readout : {"auto", "source", "fresh"}, default="auto"
        Whether the trained readout of the source stays beside the attention. "auto" keeps it where it is for the same
        kind of target and what it says leaves less to explain of the training energies than the elements alone do.
    target : {"extensive", "intensive"}, default="extensive"
        Whether the targets grow with the number of atoms, as energies do, or not, as a band gap.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps the states of the source, if they are computed once.
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
        ``iterator_valid__`` go to that part of the skorch net, ``module__n_heads``, ``module__residual`` and
        ``module__positional`` to `sktaag.nn.GraphNetwork`.

    Attributes
    ----------
    layer_weights_ : ndarray of shape (T,)
        Share of each depth, from the embedding to the last block, mean over the atoms of the training rows.
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
        Whether the training has seen forces.
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
        In `fit`, if the source has no trained weights, y is not finite, a target has no label, forces do not fit the
        structures, a parameter is out of its range, or the training diverges.
    InvalidRowsError
        In `fit` and `predict`, if structures cannot be read, unless `graphs` lets them pass.

    See Also
    --------
    TAAGClassifier : The same for classes.
    TAAGFeaturizer : The attended states as features for any head.
    FineTunedRegressor : Transfer without attention, in the ways that are usual.
    LinearPotential : All depths in closed form, for energies and forces.

    Notes
    -----
    `paper` gives the settings of the authors' release. There the mode ``base`` of the attention equals the plain sum:
    its softmax runs over atoms and cancels in the sum. "taag" is their mode ``multi``.

    Compare with ``attention="last"``: where this was measured (the page "Graph networks: does the attention pay?"), no
    attention was certain to gain over it with the same part frozen. `LinearPotential` is the faster way to energies and
    forces from tens of structures.

    References
    ----------
    .. [1] A. Kolluru et al., "Transfer learning using attentions across atomic systems with graph neural networks
       (TAAG)", J. Chem. Phys. 156, 184702 (2022). :doi:`10.1063/5.0088019`

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import TAAGRegressor
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> source = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> source.fit([molecule(name) for name in names], energies).n_iter_
    5
    >>> gaps = [12.6, 13.6, 10.8, 11.5, 10.8, 10.5]  # ionisation energies, eV
    >>> model = TAAGRegressor(source, attention="mix", target="intensive", max_epochs=20, random_state=0)
    >>> model.fit([molecule(name) for name in names[:6]], gaps).predict([molecule("H2CO")]).shape
    (1,)
    >>> model.layer_weights_.round(1)
    array([0.3, 0.3, 0.3])
    """

    def __init__(
        self,
        source,
        *,
        attention="taag",
        freeze="all",
        n_fresh_blocks=0,
        lr_decay=1.0,
        readout="auto",
        target="extensive",
        graphs=None,
        cache=None,
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
        self.source = source
        self.attention = attention
        self.freeze = freeze
        self.n_fresh_blocks = n_fresh_blocks
        self.lr_decay = lr_decay
        self.readout = readout
        self.cache = cache

    @classmethod
    def paper(cls, source, **params):
        """Make an estimator with the settings of the authors' release.

        Multi-head attention without a residual in front of a new readout, embeddings frozen, AdamW with amsgrad and a
        learning rate of 1e-5, which falls to 0.8 of itself after 3 epochs without progress, averaged weights (0.999),
        gradients up to 10, the mean absolute error of energies and, times 100, the mean length of the errors of
        forces, one structure in a batch. The release trains up to 10000 epochs and leaves it to the user when to end;
        here early stopping ends it after 100 epochs without progress.

        Parameters
        ----------
        source : fitted estimator, Pipeline, str or path
            As in the constructor.
        **params : dict
            Parameters that win over these. With another optimizer or scheduler those of the released one are left out.

        Returns
        -------
        estimator : TAAGRegressor

        Examples
        --------
        >>> from sktaag.transfer import TAAGRegressor
        >>> TAAGRegressor.paper("chgnet", max_epochs=100).lr
        1e-05
        """
        settings = {
            "attention": "taag",
            "freeze": "embeddings",
            "readout": "fresh",
            "criterion": "mae",
            "force_weight": 100.0,
            "optimizer": "adamw",
            "optimizer__amsgrad": True,
            "lr": 1e-5,
            "scheduler": "plateau",
            "callbacks__lr_scheduler__factor": 0.8,
            "callbacks__lr_scheduler__patience": 3,
            "batch_size": 1,
            "max_epochs": 10_000,
            "early_stopping": True,
            "patience": 100,
            "ema": 0.999,
            "clip": 10.0,
            "module__residual": False,
            "module__positional": False,
        }
        for name, prefix in (("optimizer", "optimizer__"), ("scheduler", "callbacks__lr_scheduler__")):
            if params.get(name, settings[name]) != settings[name]:
                settings = {key: value for key, value in settings.items() if not key.startswith(prefix)}
        return cls(source, **(settings | params))
