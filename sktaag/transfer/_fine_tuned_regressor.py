"""Fine-tune a trained graph network, in the ways that are usual."""

import math
from numbers import Integral, Real

from skorch.callbacks import Callback

from sktaag.sources._graph_regression import GraphRegression
from sktaag.transfer._depth_by_depth import check_lr_decay, freeze_backbone, rates_by_depth
from sktaag.transfer._graph_transfer import GraphTransfer

_STRATEGIES = ("full", "freeze", "gradual", "discriminative", "reinit", "l2sp", "scratch")


class FineTunedRegressor(GraphTransfer, GraphRegression):
    """Transfer of a trained graph network by fine-tuning: the strategies that a new method has to beat.

    ============== ==========================================================================================
    strategy       what is trained
    ============== ==========================================================================================
    full           everything, from the weights of the source
    freeze         what is behind the first `n_blocks` blocks; embeddings are frozen with them. If those are all, and
                   there are no forces, the network is run but once
    gradual        the readout first, then every `unfreeze_every` epochs one block more, from the last to the first [1]_
    discriminative everything, each block with `lr_decay` times the learning rate of the block after it [1]_
    reinit         everything; the last `n_blocks` blocks begin with fresh weights [2]_
    l2sp           everything, pulled back to where it began by `penalty` / 2 times the squared distance [3]_
    scratch        everything, with fresh weights: the architecture alone, the control
    ============== ==========================================================================================

    Parameters
    ----------
    source : fitted estimator, Pipeline, Backbone, str or path
        A fitted `sktaag.sources.GNNRegressor` (or any other estimator over graphs), a Pipeline that ends in one, its
        file, ``"folder#id"`` for a model in a library, the name of a backbone with pretrained weights, such as
        ``"chgnet"``, or a `sktaag.nn.Backbone` with weights. It is not changed, and clones share it.
    strategy : {"full", "freeze", "gradual", "discriminative", "reinit", "l2sp", "scratch"}, default="full"
        As above.
    n_blocks : int, default=1
        For "freeze" and "reinit".
    unfreeze_every : int, default=10
        For "gradual", in epochs.
    lr_decay : float, default=0.5
        For "discriminative", in (0, 1].
    penalty : float, default=0.1
        For "l2sp".
    readout : {"auto", "source", "fresh"}, default="auto"
        Whether the trained readout of the source is where the readout begins. "auto" keeps it where it is for the same
        kind of target and what it says leaves less to explain of the training energies than the elements alone do.
    target : {"extensive", "intensive"}, default="extensive"
        Whether the targets grow with the number of atoms, as energies do, or not, as a band gap.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
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
        ``iterator_valid__`` go to that part of the skorch net.

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
    TAAGRegressor : Attention over the depths.

    References
    ----------
    .. [1] J. Howard, S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018,
       arXiv:1801.06146.
    .. [2] T. Zhang et al., "Revisiting Few-sample BERT Fine-tuning", ICLR 2021, arXiv:2006.05987.
    .. [3] X. Li et al., "Explicit Inductive Bias for Transfer Learning with Convolutional Networks", ICML 2018,
       arXiv:1802.01483.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import FineTunedRegressor
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> source = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> X = [molecule(name) for name in names]
    >>> model = FineTunedRegressor(source.fit(X, energies), strategy="freeze", max_epochs=5, random_state=0)
    >>> model.fit(X[:6], energies[:6]).predict(X[6:]).shape
    (2,)
    """

    def __init__(
        self,
        source,
        *,
        strategy="full",
        n_blocks=1,
        unfreeze_every=10,
        lr_decay=0.5,
        penalty=0.1,
        readout="auto",
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
        self.source = source
        self.strategy = strategy
        self.n_blocks = n_blocks
        self.unfreeze_every = unfreeze_every
        self.lr_decay = lr_decay
        self.penalty = penalty
        self.readout = readout

    def _check_params(self):
        super()._check_params()
        if self.strategy not in _STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(_STRATEGIES)}, got {self.strategy!r}.")
        if not isinstance(self.unfreeze_every, Integral) or self.unfreeze_every < 1:
            raise ValueError(f"unfreeze_every must be an integer of at least 1, got {self.unfreeze_every!r}.")
        check_lr_decay(self.lr_decay)
        if not isinstance(self.penalty, Real) or not 0 <= self.penalty < math.inf:
            raise ValueError(f"penalty must be in [0, inf), got {self.penalty!r}.")

    def _scratch(self):
        return self.strategy == "scratch"

    def _start(self, X, n_outputs):
        start = super()._start(X, n_outputs)
        backbone = start.backbone
        if not isinstance(self.n_blocks, Integral) or not 0 <= self.n_blocks <= backbone.n_layers:
            raise ValueError(
                f"n_blocks must be an integer between 0 and {backbone.n_layers}, the blocks of the source, got "
                f"{self.n_blocks!r}."
            )
        if self.strategy == "reinit":
            kept = backbone.n_layers - self.n_blocks
            fresh = backbone.fresh().state_dict()
            new = {name: weight for name, weight in fresh.items() if backbone.depth_of(name) > kept}
            backbone.load_state_dict(backbone.state_dict() | new)
        return start

    def _depth(self, network):
        return self.n_blocks if self.strategy == "freeze" else -1

    def _freeze(self, network):
        if self.strategy == "gradual":
            freeze_backbone(network, network.backbone.n_layers)
        else:
            super()._freeze(network)

    def _param_groups(self, network):
        if self.strategy != "discriminative":
            return []
        return rates_by_depth(network, self.lr, self.lr_decay)

    def _own_callbacks(self):
        return [("unfreezing", _Unfreezing(self.unfreeze_every))] if self.strategy == "gradual" else []

    def _net_options(self):
        return {"anchor": float(self.penalty)} if self.strategy == "l2sp" else {}


class _Unfreezing(Callback):
    """Open one depth of the backbone more every so many epochs, from the last to the first."""

    def __init__(self, every):
        self.every = every

    def on_epoch_begin(self, net, **kwargs):
        epoch = len(net.history) - 1
        freeze_backbone(net.module_, net.module_.backbone.n_layers - epoch // self.every)
