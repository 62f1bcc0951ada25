"""Attention over the depths of a trained graph network, for classification on tens of structures."""

from sktaag.sources._graph_classification import GraphClassification
from sktaag.transfer._attention_transfer import AttentionTransfer


class TAAGClassifier(AttentionTransfer, GraphClassification):
    """Transfer by attention over the depths of a graph network: the target chooses how much of each it takes.

    As `TAAGRegressor`, with a readout of its own that gives scores of the classes. With ``freeze="all"`` the states of
    the source are computed once, and the training touches its network no more.

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
    target : {"extensive", "intensive"}, default="intensive"
        Whether the scores of the classes are sums or means over the atoms.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps the states of the source, if they are computed once.
    class_weight : None, "balanced" or dict, default=None
        Weight of each class in the loss, as in scikit-learn.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        A class is a torch optimizer.
    lr : float, default=0.001
        Learning rate.
    weight_decay : float, default=0.01
        Of the optimizer.
    scheduler : {None, "plateau", "cosine"}, default="cosine"
        Halve the learning rate when the loss stops falling, or bring it to zero along a cosine over `max_epochs`.
    batch_size : int, default=32
        Graphs in a batch.
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
        Keywords that begin with ``optimizer__``, ``callbacks__``, ``iterator_train__`` or
        ``iterator_valid__`` go to that part of the skorch net, ``module__n_heads``, ``module__residual`` and
        ``module__positional`` to `sktaag.nn.GraphNetwork`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
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
    history_ : list of dict
        One for each epoch: losses and what `callbacks` recorded.
    n_iter_ : int
        Number of epochs.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    validation_score_ : float or None
        Accuracy on the inner validation rows at that epoch; None without early stopping. It is optimistic, for it has
        picked the epoch.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    TypeError
        In the constructor, if a keyword is neither a parameter nor routed.
    ValueError
        In `fit`, if the source has no trained weights, there is one class only, a parameter is out of its range, or
        the training diverges.
    InvalidRowsError
        In `fit` and `predict`, if structures cannot be read, unless `graphs` lets them pass.

    See Also
    --------
    TAAGRegressor : The same for numbers, and what the attention is.
    TAAGFeaturizer : The attended states as features for any head.

    References
    ----------
    .. [1] A. Kolluru et al., "Transfer learning using attentions across atomic systems with graph neural networks
       (TAAG)", J. Chem. Phys. 156, 184702 (2022). :doi:`10.1063/5.0088019`

    Examples
    --------
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import TAAGClassifier
    >>> X = ["CO", "CCO", "CCCO", "CCCCCO", "CC(C)O", "CC", "CCC", "CCCCC", "CCCCCC", "CC(C)C"]
    >>> source = GNNRegressor("gine", target="intensive", module__n_layers=2, module__n_features=16, random_state=0)
    >>> source.fit(X, [65, 78, 97, 138, 83, -89, -42, 36, 69, -12]).n_iter_  # boiling points, degrees Celsius
    200
    >>> y = 5 * ["alcohol"] + 5 * ["alkane"]
    >>> model = TAAGClassifier(source, attention="mix", lr=0.01, max_epochs=100, random_state=0).fit(X, y)
    >>> model.predict(["CCCCO", "CCCC"])
    array(['alcohol', 'alkane'], dtype='<U7')
    """

    readout = "fresh"

    def __init__(
        self,
        source,
        *,
        attention="taag",
        freeze="all",
        n_fresh_blocks=0,
        lr_decay=1.0,
        target="intensive",
        graphs=None,
        cache=None,
        class_weight=None,
        optimizer="adamw",
        lr=0.001,
        weight_decay=0.01,
        scheduler="cosine",
        batch_size=32,
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
            class_weight=class_weight,
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
        self.cache = cache
