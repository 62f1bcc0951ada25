"""The shotgun: many source networks of random shape, trained as one computation."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data
from tqdm.auto import tqdm

from sktaag.heads._neural_regressor import _known_r2
from sktaag.heads._torch_state import isolated_seed, resolve_device, use_bfloat16
from sktaag.nn import RandomPyramid
from sktaag.nn._random_pyramid import widest_hidden
from sktaag.sources._pyramid_regressor import PyramidRegressor
from sktaag.sources._shotgun_checkpoint import Checkpoint
from sktaag.sources._shotgun_chunks import plan_chunks
from sktaag.sources._shotgun_draws import SharedDraws, check_ranges, draw_member
from sktaag.sources._shotgun_net import ShotgunNet
from sktaag.sources._shotgun_rows import sparse_if_mostly_zero
from sktaag.sources._shotgun_training import train_chunk

_EARLY_STOPPING_ROWS = 100  # as in PyramidRegressor

_DRAWN = ("hidden", "activation", "dropout", "lr", "max_features", "batch_norm")
_SHARED = ("weight_decay", "batch_size", "max_epochs", "early_stopping", "patience", "validation_fraction")


class PyramidEnsemble(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Many pyramid networks of random shape, trained together: the shotgun of XenonPy.MDL [1]_.

    Networks of the same depth and activation function are stacked, so that a layer of all of them is one matrix
    product; each has its own shape, weights, dropout, learning rate, columns, early stopping and score. Each is a
    source of its own: ``ensemble[17]`` is a fitted `PyramidRegressor`.

    Network k depends on the data, on `random_state` and on k, not on `n_models`, nor, but for rounding, on the networks
    that it is trained beside. Networks of one property share the order of batches, the validation rows, so that their
    scores can be compared, and the random numbers that each holds against its own dropout rate. With several
    properties, network k learns column ``k % n_targets`` of y on the rows that have it. Biases of hidden layers are
    zero where a batch norm follows.

    Parameters
    ----------
    n_models : int, default=1000
        Number of networks, at least one for each column of y.
    hidden : int, float, tuple of these, "pyramid" or RandomPyramid, default="pyramid"
        Hidden layers, as in `PyramidRegressor`; a `RandomPyramid` is drawn anew for each network. Ratios are those of
        the number of columns that the network takes.
    activation : str or list of str, default="relu"
        Activation function of the hidden layers, as in `PyramidRegressor`; a list gives each network one at random.
    dropout : float or (float, float), default=0.0
        Share of hidden values set to zero in training; a range is drawn from uniformly.
    lr : float or (float, float), default=0.001
        Learning rate of AdamW, whose eps is 1e-6; a range is drawn from log-uniformly.
    max_features : int, float, (int, int), (float, float) or None, default=None
        Number of columns of X that each network takes, chosen at random, or its ratio to all; a range is drawn from
        uniformly, so that ``(1, N)`` is "up to N". None takes all columns.
    batch_norm : bool, default=True
        Whether hidden layers are normalised over the batch.
    weight_decay : float, default=0.01
        Of AdamW.
    batch_size : int, default=256
        Rows in a batch. A last batch of a single row joins the one before it.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : "auto" or bool, default="auto"
        Whether to hold out validation rows, to stop each network when its loss on them no longer falls, and to keep
        the weights of its best epoch. "auto" does so from 100 rows on.
    patience : int, default=20
        Epochs without progress before early stopping.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out, in (0, 1).
    models_per_batch : int or None, default=None
        Largest number of networks trained together. None leaves it to `max_memory`.
    max_memory : int or None, default=None
        Bytes that the training of networks together may take, estimated, beside X and the finished networks; a network
        that needs more is trained alone. None is 128 MiB on the CPU, where more leaves the caches, and 4 GiB on CUDA
        devices, or half of their free memory where that is less.
    checkpoint : path or None, default=None
        Folder that keeps what is finished. A `fit` that was killed goes on from there, a larger `n_models` adds to it,
        and other data, parameters or seeds are refused.
    mixed_precision : "auto" or bool, default="auto"
        Precision of matrix products on CUDA devices: TF32 ("auto"), bfloat16 (True) or float32 (False). All else, and
        the CPU, is in float32.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU. A CUDA device holds X, dense.
    n_jobs : int or None, default=None
        Number of processes that train networks side by side, as in joblib; on the CPU alone.
    random_state : int, RandomState instance or None, default=None
        Draws everything. torch's own generators are left as they were.
    verbose : int, default=0
        1 shows a progress bar over networks.

    Attributes
    ----------
    members_ : DataFrame
        For each network: `property` (name or number of the column of y), `hidden_sizes`, `activation`, `dropout`, `lr`,
        `n_features` (columns that it takes), `n_iter`, `best_epoch`, counted from 1 (0 if its training diverged), and
        `validation_score`, R2 on the validation rows at that epoch, which is optimistic, as it has picked the epoch.
    target_scalers_ : list of StandardScaler
        One for each property.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had names.

    Raises
    ------
    ValueError
        In `fit`, if X or y is not finite, a property has no label, a parameter is out of its range, the checkpoint is
        of another training, or the training of every network of a property diverges; a few are warned of, and left
        out of predictions.

    See Also
    --------
    PyramidRegressor : One network, with more choices.
    ModelLibrary : Keeps all networks.
    sktaag.nn.RandomPyramid : Random hidden layers.
    sktaag.transfer.FrozenFeaturizer : Takes one network: ``FrozenFeaturizer(ensemble, member=17)``.

    Notes
    -----
    Only regression. The paper's three setups are in `paper_setup`. `save_source` writes the whole ensemble or one
    network, ``save_source(ensemble[17], path)``, to one file; `ModelLibrary.add_ensemble` keeps each network as a model
    of its own.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.sources import PyramidEnsemble
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ensemble = PyramidEnsemble(6, (0.8, 0.4), lr=(0.001, 0.01), max_epochs=5, random_state=0).fit(X, y)
    >>> len(ensemble), ensemble[3].hidden_sizes_
    (6, (8, 4))
    >>> best = ensemble.members_["validation_score"].idxmax()
    >>> [layer.shape for layer in ensemble[best].hidden_outputs(X)]
    [(442, 8), (442, 4)]
    """

    def __init__(
        self,
        n_models=1000,
        hidden="pyramid",
        *,
        activation="relu",
        dropout=0.0,
        lr=0.001,
        max_features=None,
        batch_norm=True,
        weight_decay=0.01,
        batch_size=256,
        max_epochs=200,
        early_stopping="auto",
        patience=20,
        validation_fraction=0.1,
        models_per_batch=None,
        max_memory=None,
        checkpoint=None,
        mixed_precision="auto",
        device="auto",
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_models = n_models
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.lr = lr
        self.max_features = max_features
        self.batch_norm = batch_norm
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.models_per_batch = models_per_batch
        self.max_memory = max_memory
        self.checkpoint = checkpoint
        self.mixed_precision = mixed_precision
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def paper_setup(cls, number, **params):
        """Return an ensemble with the hidden layers of one of the paper's setups.

        ====== ======== ============ =============
        setup  layers   first layer  last layer
        ====== ======== ============ =============
        1      3 to 4   up to 400    10 to 30
        2      3 to 6   up to 1,640  10 to 30
        3      3 to 6   up to 348    at least 5
        ====== ======== ============ =============

        Widths between are uniform integers, in falling order. Setup 3 is for the 290 compositional descriptors, of
        which 348 is 1.2 times the number. The setups that keep a random part of the bits do so by `max_features`.

        Parameters
        ----------
        number : {1, 2, 3}
            Of the setup.
        **params : dict
            Other parameters.

        Returns
        -------
        ensemble : PyramidEnsemble
            Not fitted.
        """
        setups = {
            1: RandomPyramid((3, 4), (10, 400), last=(10, 30)),
            2: RandomPyramid((3, 6), (10, 1640), last=(10, 30)),
            3: RandomPyramid((3, 6), (5, 348)),
        }
        if number not in setups:
            raise ValueError(f"The paper has setups 1, 2 and 3, got {number!r}.")
        return cls(hidden=setups[number], **params)

    def fit(self, X, y):
        """Train the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Taken as it is. On the CPU an array that is mostly zeros is trained on as a sparse one.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Properties. In a 2-D y, NaN is a missing label.

        Returns
        -------
        self : PyramidEnsemble
        """
        names = list(getattr(y, "columns", ())) or None
        template = self._template()
        X, y = self._check_inputs(X, reset=True), template._check_y(y)
        check_consistent_length(X, y)
        y_ndim, y = y.ndim, y.reshape(len(y), -1)
        self._check_params(template, y)
        device = resolve_device(self.device)
        use_bfloat16(self.mixed_precision, device)  # complains of what is no choice
        entropy = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        checkpoint = None
        if self.checkpoint is not None:
            params = {name: getattr(self, name) for name in (*_DRAWN, *_SHARED)}
            checkpoint = Checkpoint(self.checkpoint, entropy, self.random_state is None, X, y, params)
            entropy = checkpoint.entropy
        ranges = {name: getattr(self, name) for name in _DRAWN}
        members = [draw_member(k, y.shape[1], X.shape[1], entropy, **ranges) for k in range(self.n_models)]
        scalers = [StandardScaler().fit(y[~np.isnan(y[:, j]), j : j + 1]) for j in range(y.shape[1])]
        trained = self._train(members, X, y, scalers, entropy, device, checkpoint)
        self.net_ = ShotgunNet(members, [trained[member.index] for member in members])
        self.target_scalers_ = scalers
        self._entropy, self._y_ndim, self._names = entropy, y_ndim, names or list(range(y.shape[1]))
        self._report_diverged()
        return self

    def predict(self, X):
        """Predict each property as the mean over its networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units and the shape of the y of `fit`.
        """
        check_is_fitted(self)
        X = self._check_inputs(X)
        sums, counts = np.zeros((X.shape[0], len(self.target_scalers_))), np.zeros(len(self.target_scalers_))
        for member, result in zip(self.net_.members, self.net_.trained, strict=True):
            if result.best_epoch > 0:
                sums[:, member.target] += self._network(member, result)._predict(X)[:, 0]
                counts[member.target] += 1
        y = sums / counts
        return y.ravel() if self._y_ndim == 1 else y

    def score(self, X, y, sample_weight=None):
        """Return R2 of `predict`, averaged over properties; missing labels are left out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True values. NaN is a missing label.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        score : float
        """
        y, predicted = self._template()._check_y(y), self.predict(X)
        check_consistent_length(y, predicted)
        return _known_r2(y, predicted, sample_weight)

    @property
    def members_(self):
        """One row for each network."""
        check_is_fitted(self, "net_")
        rows = []
        for member, result in zip(self.net_.members, self.net_.trained, strict=True):
            rows.append(
                {
                    "property": self._names[member.target],
                    "hidden_sizes": member.hidden_sizes,
                    "activation": member.activation,
                    "dropout": member.dropout,
                    "lr": member.lr,
                    "n_features": member.n_columns(self.n_features_in_),
                    "n_iter": len(result.train_losses),
                    "best_epoch": result.best_epoch,
                    "validation_score": result.validation_score,
                }
            )
        return pd.DataFrame(rows)

    def net_state(self):
        """Return what rebuilds the networks, in JSON's types, and their weights.

        Returns
        -------
        params : dict
        weights : dict of str to torch.Tensor
        """
        check_is_fitted(self, "net_")
        return self.net_.state()

    def restore_net(self, params, weights):
        """Give an ensemble that lost its networks new ones.

        Parameters
        ----------
        params : dict
        weights : dict of str to torch.Tensor
            Both as `net_state` returns them.
        """
        self.net_ = ShotgunNet.from_state(params, weights)

    def __len__(self):
        check_is_fitted(self, "net_")
        return len(self.net_.members)

    def __getitem__(self, k):
        """Return network k as a fitted `PyramidRegressor` of one property; columns it does not take weigh zero."""
        if not isinstance(k, Integral):
            raise TypeError(f"A network is picked by its number, got {k!r}.")
        if not -len(self) <= k < len(self):
            raise IndexError(f"There is no network {k}; the ensemble has {len(self)}.")
        member, result = self.net_.members[k], self.net_.trained[k]
        if result.best_epoch == 0:
            raise ValueError(
                f"The training of network {member.index} diverged (lr={member.lr:.3g}). Take one whose best_epoch in "
                "members_ is not 0, or lower lr."
            )
        return self._network(member, result)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_inputs(self, X, reset=False):
        return validate_data(self, X, accept_sparse="csr", dtype=np.float32, order="C", reset=reset)

    def _template(self, **params):
        """Return a network with the parameters that all members share."""
        params = {name: getattr(self, name) for name in _SHARED} | params
        return PyramidRegressor(mixed_precision=self.mixed_precision, device=self.device, **params)

    def _check_params(self, template, y):
        known = (~np.isnan(y)).sum(axis=0)
        if not known.all():
            columns = ", ".join(map(str, np.flatnonzero(known == 0)))
            raise ValueError(
                f"Input y has no label at all in column {columns}: every value is NaN. Drop that property."
            )
        template._check_params(known.min())
        check_ranges(activation=self.activation, dropout=self.dropout, lr=self.lr, max_features=self.max_features)
        if not isinstance(self.n_models, Integral) or self.n_models < y.shape[1]:
            raise ValueError(
                f"n_models must be an integer, at least one for each of the {y.shape[1]} columns of y, "
                f"got {self.n_models!r}."
            )
        for name in ("models_per_batch", "max_memory"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ValueError(f"{name} must be None or a positive integer, got {value!r}.")

    def _train(self, members, X, y, scalers, entropy, device, checkpoint):
        """Train what is not finished; dict of int to Trained."""
        trained = {} if checkpoint is None else {k: v for k, v in checkpoint.read().items() if k < self.n_models}
        X = sparse_if_mostly_zero(X, device)
        todo = [member for member in members if member.index not in trained]
        chunks = plan_chunks(todo, X.shape[1], self.batch_size, self.models_per_batch, self.max_memory, device)
        properties = [self._prepare(y[:, j], scaler, entropy, j) for j, scaler in enumerate(scalers)]
        params = {name: getattr(self, name) for name in ("batch_size", "max_epochs", "patience", "weight_decay")}
        params |= {"device": device, "mixed_precision": self.mixed_precision}
        jobs = (delayed(train_chunk)(chunk, X, *properties[chunk[0].target], **params) for chunk in chunks)
        # copy on write, for torch wants arrays that it could write to
        n_jobs = self.n_jobs if device.type == "cpu" else 1
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", mmap_mode="c")
        with tqdm(total=self.n_models, initial=len(trained), unit="network", disable=not self.verbose) as bar:
            for chunk, results in parallel(jobs):
                finished = dict(zip(chunk, results, strict=True))
                if checkpoint is not None:
                    checkpoint.write(finished)
                trained |= finished
                bar.update(len(finished))
        return trained

    def _prepare(self, y, scaler, entropy, target):
        """Return scaled targets, training rows, validation rows and shared draws of one property."""
        labelled = np.flatnonzero(~np.isnan(y))
        draws = SharedDraws(entropy, target, widest_hidden(self.hidden, self.n_features_in_))
        train, valid = np.arange(len(labelled)), np.arange(0)
        if self.early_stopping is True or (self.early_stopping == "auto" and len(labelled) >= _EARLY_STOPPING_ROWS):
            train, valid = draws.split(len(labelled), self.validation_fraction)
            if len(valid) == 0 or len(train) < 2:
                raise ValueError(
                    f"early_stopping=True leaves nothing to train or validate on: n_samples={len(labelled)}."
                )
        return scaler.transform(y[:, None])[:, 0].astype(np.float32), labelled[train], labelled[valid], draws

    def _report_diverged(self):
        members = self.members_
        diverged = members["best_epoch"] == 0
        lost = members.loc[diverged.groupby(members["property"]).transform("all"), "property"]
        if len(lost) > 0:
            raise ValueError(
                f"Training diverged: no network of property {lost.iloc[0]} has finite weights. Lower lr (now "
                f"{self.lr}) or scale X."
            )
        if diverged.any():
            warnings.warn(
                f"The training of {diverged.sum()} of {len(diverged)} networks diverged; they are left out of "
                f"predictions. Lower lr (now {self.lr}) or scale X.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _network(self, member, result):
        """Make a fitted `PyramidRegressor` of a member."""
        scaler = self.target_scalers_[member.target]
        drawn = {name: getattr(member, name) for name in ("activation", "dropout", "batch_norm")}
        network = self._template(hidden=member.hidden_sizes, lr=member.lr, **drawn)
        state = dict(result.state)
        if member.columns is not None:
            first = "layer_0.linear.weight" if member.hidden_sizes else "output.weight"
            weight = torch.zeros(len(state[first]), self.n_features_in_)
            weight[:, torch.from_numpy(member.columns)] = state[first]
            state[first] = weight
        module = {"in_features": self.n_features_in_, "out_features": 1, "hidden": list(member.hidden_sizes), **drawn}
        with isolated_seed(0, torch.device("cpu")):  # a new net draws weights, which are then replaced
            network.restore_net(module, state)
        network.hidden_sizes_, network.target_scaler_, network._y_ndim = member.hidden_sizes, scaler, 1
        network.n_iter_, network.best_epoch_ = len(result.train_losses), result.best_epoch
        network.validation_score_ = result.validation_score
        network.history_ = [{"epoch": i + 1, "train_loss": loss} for i, loss in enumerate(result.train_losses)]
        for epoch, loss in zip(network.history_, result.valid_losses, strict=False):
            epoch["valid_loss"] = loss
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(network, name, getattr(self, name))
        return network
