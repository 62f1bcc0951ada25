"""Train a graph network on classes with plenty of data."""

from sktaag.sources._graph_classification import GraphClassification
from sktaag.sources._graph_networks import plain_start


class GNNClassifier(GraphClassification):
    """Graph network for classification: a model of its own, and the source of a transfer.

    A backbone (SchNet, GINE and others, by name) gives a state of each atom, a readout turns it into scores of the
    classes, and the structure has their mean or their sum.

    Parameters
    ----------
    backbone : str, default="schnet"
        One of `sktaag.nn.backbone_names`. ``module__*`` are arguments of its constructor, such as
        ``module__n_layers=3``.
    target : {"extensive", "intensive"}, default="intensive"
        Whether the scores of the classes are sums or means over the atoms.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is the one that the backbone reads, with its cutoff.
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
        ``iterator_valid__`` go to that part of the skorch net, those with ``module__`` to the backbone.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes.
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
        In `fit`, if there is one class only, a parameter is out of its range, or the training diverges.
    InvalidRowsError
        In `fit` and `predict`, if structures cannot be read, unless `graphs` lets them pass.

    See Also
    --------
    GNNRegressor : The same for numbers.
    sktaag.transfer.TAAGClassifier : Starts from a trained one, for tens of rows.

    Notes
    -----
    Predictions are computed in float64, so that the prediction of a structure does not depend on the others.
    On a GPU, sums over neighbours are added up in any order: two trainings agree to rounding, which grows.

    Examples
    --------
    >>> from sktaag.sources import GNNClassifier
    >>> X = ["CCO", "CCCO", "CC(C)O", "CC", "CCC", "CC(C)C"]
    >>> y = ["alcohol", "alcohol", "alcohol", "alkane", "alkane", "alkane"]
    >>> model = GNNClassifier("gine", module__n_layers=2, module__n_features=16, max_epochs=30, random_state=0)
    >>> model.fit(X, y).predict(["CCCCO", "CCCC"])
    array(['alcohol', 'alkane'], dtype='<U7')
    """

    def __init__(
        self,
        backbone="schnet",
        *,
        target="intensive",
        graphs=None,
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
        self.backbone = backbone

    def _start(self, X, n_outputs):
        return plain_start(self, X, n_outputs)
