"""The states that an attention over the depths of a graph network makes, as features for any head."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sktaag.heads._net_params import NetParamsMixin
from sktaag.structures import as_column
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import open_graph_source
from sktaag.transfer._pooling import check_pooling, pool_atoms
from sktaag.transfer._taag_classifier import TAAGClassifier
from sktaag.transfer._taag_regressor import TAAGRegressor


class TAAGFeaturizer(FrozenSourceMixin, NetParamsMixin, TransformerMixin, BaseEstimator):
    """Features of a trained graph network, each depth weighed as the target asks: input for a forest or any head.

    `fit` learns the attention from y, as `TAAGRegressor` does; `transform` pools the attended states of the atoms of
    each structure. A head that is trained on features which have seen its labels trusts them too much.
    `fit_transform`, which a Pipeline calls in training, therefore gives each structure the features of an attention
    that was learned without it, from the same first weights.

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
    task : {"regression", "classification"}, default="regression"
        What y is.
    pooling : str or sequence of {"mean", "std", "sum", "max"}, default=("mean", "std")
        How the states of the atoms become those of the structure; several are put side by side.
    cv : int, splitter, iterable or None, default=5
        Folds of `fit_transform`, as in scikit-learn. None gives the features of the attention that has seen all rows.
    target : {"extensive", "intensive"}, default="extensive"
        Whether the targets grow with the number of atoms, as energies do, or not, as a band gap.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Makes graphs of structures; it is cloned. None is that of the source.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps the states of the source, if they are computed once.
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
        As in `TAAGRegressor`.

    Attributes
    ----------
    model_ : TAAGRegressor or TAAGClassifier
        The fitted model whose attention it is.
    layer_weights_ : ndarray of shape (T,)
        Share of each depth, from the embedding to the last block, mean over the atoms of the training rows.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of its range, or as `TAAGRegressor` does; in `fit_transform`, if the folds are
        no partition of the rows.

    See Also
    --------
    TAAGRegressor : The model itself.
    FrozenFeaturizer : Hidden layers of networks over descriptors.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeCV
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import TAAGFeaturizer
    >>> X = ["CCO", "CCCO", "CC(C)O", "CC", "CCC", "CC(C)C"]
    >>> source = GNNRegressor("gine", target="intensive", module__n_layers=2, module__n_features=16, random_state=0)
    >>> source.fit(X, [78, 97, 83, -89, -42, -12]).n_iter_  # boiling points, degrees Celsius
    200
    >>> features = TAAGFeaturizer(source, attention="mix", target="intensive", cv=3, max_epochs=20, random_state=0)
    >>> melting_points = [-114, -126, -89, -183, -188, -159]
    >>> model = make_pipeline(features, RidgeCV()).fit(X, melting_points)
    >>> model.predict(["CCCCO"]).shape, model[:-1].transform(X).shape
    ((1,), (6, 32))
    """

    def __init__(
        self,
        source,
        *,
        attention="taag",
        freeze="all",
        n_fresh_blocks=0,
        lr_decay=1.0,
        task="regression",
        pooling=("mean", "std"),
        cv=5,
        target="extensive",
        graphs=None,
        cache=None,
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
        self.source = source
        self.attention = attention
        self.freeze = freeze
        self.n_fresh_blocks = n_fresh_blocks
        self.lr_decay = lr_decay
        self.task = task
        self.pooling = pooling
        self.cv = cv
        self.target = target
        self.graphs = graphs
        self.cache = cache
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.ema = ema
        self.clip = clip
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_net_params(net_params)

    def fit(self, X, y, forces=None):
        """Learn the attention.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, or classes.
        forces : list of array-like of shape (n_atoms, 3), or None, default=None
            As in `TAAGRegressor.fit`; ``set_fit_request(forces=True)`` routes them.

        Returns
        -------
        self : TAAGFeaturizer
        """
        return self._learn(*self._read(X), y, forces)

    def transform(self, X):
        """Compute the pooled states.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            float32; rows of NaN for invalid structures if `graphs` lets them pass.
        """
        check_is_fitted(self)
        return self._pool(self.model_, X)

    def fit_transform(self, X, y, forces=None):
        """Learn the attention, and compute the states of each row by one that was learned without it.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets, or classes.
        forces : list of array-like of shape (n_atoms, 3), or None, default=None
            As in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            Beside those of `fit`: if a row is not in just one of the test folds of `cv`.
        """
        (model, graphs), forces = self._read(X), None if forces is None else list(forces)
        self._learn(model, graphs, y, forces)
        if self.cv is None:
            return self._pool(self.model_, graphs)
        targets = y.to_numpy() if hasattr(y, "to_numpy") else np.asarray(y)
        folds = check_cv(self.cv, targets, classifier=self.task == "classification")
        folds = list(folds.split(as_column(X), targets))
        times = np.bincount(np.concatenate([test for _, test in folds]), minlength=len(graphs))
        if (times != 1).any():
            row = np.flatnonzero(times != 1)[0]
            raise ValueError(f"cv must have each row in one test fold; row {row} is in {times[row]}. KFold does.")
        features = np.full((len(graphs), len(self.get_feature_names_out())), np.nan, np.float32)
        for train, test in folds:
            given = {} if forces is None else {"forces": [forces[i] for i in train]}
            features[test] = self._pool(clone(model).fit(graphs[train], targets[train], **given), graphs[test])
        return features

    def get_feature_names_out(self, input_features=None):
        """Name the columns ``mean_1``, ``mean_2``, ...

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        check_is_fitted(self)
        width = self.model_.backbone_.n_features
        return np.array(
            [f"{pool}_{j}" for pool in check_pooling(self.pooling) for j in range(1, width + 1)], dtype=object
        )

    def _read(self, X):
        """Return the model, and the graphs, which are made once for all folds."""
        check_pooling(self.pooling)
        model = self._model()
        graphs = model._fit_graphs(X, open_graph_source(self.source))
        self._takes_graphs = model._takes_graphs
        return model, graphs

    def _learn(self, model, graphs, y, forces):
        self.model_ = model.fit(graphs, y, **({} if forces is None else {"forces": forces}))
        self.model_._takes_graphs = self._takes_graphs  # as X, not the graphs that were made of it
        self.layer_weights_ = self.model_.layer_weights_
        self.n_features_in_ = 1
        return self

    def _model(self):
        if self.task not in ("regression", "classification"):
            raise ValueError(f'task must be "regression" or "classification", got {self.task!r}.')
        params = self.get_params(deep=False)
        task, *_ = (params.pop(name) for name in ("task", "pooling", "cv"))
        if not isinstance(self.random_state, Integral):  # a column means the same in all folds if all begin alike
            params["random_state"] = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        estimator = (TAAGRegressor if task == "regression" else TAAGClassifier)(**params)
        return clone(estimator)

    def _pool(self, model, X):
        states, _ = model.attended_states(X)
        pools = check_pooling(self.pooling)
        rows = np.full((len(states), len(pools) * model.backbone_.n_features), np.nan, np.float32)
        there = [i for i, state in enumerate(states) if state is not None]
        if there:
            group = np.repeat(np.arange(len(there)), [len(states[i]) for i in there])
            pooled = pool_atoms(np.concatenate([states[i] for i in there]), group, len(there), pools)
            rows[there] = pooled.reshape(len(there), -1)
        return rows

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
