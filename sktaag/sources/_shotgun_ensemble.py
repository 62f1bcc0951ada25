"""What ensembles of pyramid networks share: the drawing, the training, the members."""

import warnings
from abc import abstractmethod
from numbers import Integral

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sktaag._progress import progress
from sktaag.heads._torch_state import isolated_seed, resolve_device, use_bfloat16
from sktaag.nn import RandomPyramid
from sktaag.nn._random_pyramid import widest_hidden
from sktaag.sources._shotgun_checkpoint import Checkpoint
from sktaag.sources._shotgun_chunks import plan_chunks
from sktaag.sources._shotgun_draws import SharedDraws, check_ranges, draw_member
from sktaag.sources._shotgun_net import ShotgunNet
from sktaag.sources._shotgun_rows import device_rows
from sktaag.sources._shotgun_training import train_chunk

_EARLY_STOPPING_ROWS = 100  # as in PyramidRegressor

_DRAWN = ("hidden", "activation", "dropout", "lr", "max_features", "batch_norm")
_SHARED = ("weight_decay", "batch_size", "max_epochs", "early_stopping", "patience", "validation_fraction")


class ShotgunEnsemble(BaseEstimator):
    """Networks of random shape, trained together; a subclass says what they learn."""

    _source_class: type

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
        ensemble : object
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
        """Return network k as a fitted source of one property, whose weights of columns that it does not take are zero.

        A slice returns a list of networks.
        """
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        if not isinstance(k, Integral):
            raise TypeError(
                f"A network is picked by its number, or several by a slice, got {k!r}. members_ has the numbers, with "
                "property and score of each network."
            )
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
        return self._source_class(mixed_precision=self.mixed_precision, device=self.device, **params)

    def _fit(self, X, y, columns, names, n_outputs=1):
        """Train networks.

        Parameters
        ----------
        X : {ndarray, CSR array} of shape (n, n_features)
            Checked.
        y : ndarray
            Checked; a checkpoint knows it again.
        columns : list of (ndarray of shape (n,), ndarray of bool of shape (n,))
            For each property what the networks learn, floats or codes of classes, and which rows have it.
        names : list
            Of the properties.
        n_outputs : int, default=1
            Of each network.
        """
        self._check_params(len(columns), min(known.sum() for _, known in columns))
        device = resolve_device(self.device)
        use_bfloat16(self.mixed_precision, device)  # complains of what is no choice
        entropy = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        checkpoint = None
        if self.checkpoint is not None:
            params = {name: getattr(self, name) for name in (*_DRAWN, *_SHARED)}
            checkpoint = Checkpoint(self.checkpoint, entropy, self.random_state is None, X, y, params)
            entropy = checkpoint.entropy
        ranges = {name: getattr(self, name) for name in _DRAWN}
        members = [draw_member(k, len(columns), X.shape[1], entropy, n_outputs, **ranges) for k in range(self.n_models)]
        trained = self._train(members, X, columns, entropy, device, checkpoint)
        self.net_ = ShotgunNet(members, [trained[member.index] for member in members])
        self._entropy, self._names = entropy, names
        self._report_diverged()

    def _check_params(self, n_targets, n_labels):
        self._template()._check_params(n_labels)
        check_ranges(activation=self.activation, dropout=self.dropout, lr=self.lr, max_features=self.max_features)
        if not isinstance(self.n_models, Integral) or self.n_models < n_targets:
            raise ValueError(
                f"n_models must be an integer, at least one for each of the {n_targets} columns of y, "
                f"got {self.n_models!r}."
            )
        for name in ("models_per_batch", "max_memory"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ValueError(f"{name} must be None or a positive integer, got {value!r}.")

    def _train(self, members, X, columns, entropy, device, checkpoint):
        """Train what is not finished; dict of int to Trained."""
        trained = {} if checkpoint is None else {k: v for k, v in checkpoint.read().items() if k < self.n_models}
        X = device_rows(X, device)
        todo = [member for member in members if member.index not in trained]
        chunks = plan_chunks(todo, X.shape[1], self.batch_size, self.models_per_batch, self.max_memory, device)
        properties = [self._prepare(*column, entropy, j) for j, column in enumerate(columns)]
        params = {name: getattr(self, name) for name in ("batch_size", "max_epochs", "patience", "weight_decay")}
        params |= {"device": device, "mixed_precision": self.mixed_precision}
        jobs = (delayed(train_chunk)(chunk, X, *properties[chunk[0].target], **params) for chunk in chunks)
        # copy on write, for torch wants arrays that it could write to
        n_jobs = self.n_jobs if device.type == "cpu" else 1
        parallel = Parallel(n_jobs=n_jobs, return_as="generator_unordered", mmap_mode="c")
        with progress(total=self.n_models, initial=len(trained), unit="network", disable=not self.verbose) as bar:
            for chunk, results in parallel(jobs):
                finished = dict(zip(chunk, results, strict=True))
                if checkpoint is not None:
                    checkpoint.write(finished)
                trained |= finished
                bar.update(len(finished))
        return trained

    def _prepare(self, y, known, entropy, target):
        """Return what to learn, training rows, validation rows and shared draws of one property."""
        labelled = np.flatnonzero(known)
        draws = SharedDraws(entropy, target, widest_hidden(self.hidden, self.n_features_in_))
        train, valid = np.arange(len(labelled)), np.arange(0)
        if self.early_stopping is True or (self.early_stopping == "auto" and len(labelled) >= _EARLY_STOPPING_ROWS):
            classes = y[labelled] if y.dtype.kind == "i" else None
            train, valid = draws.split(len(labelled), self.validation_fraction, classes)
            if len(valid) == 0 or len(train) < 2:
                raise ValueError(
                    f"early_stopping=True leaves nothing to train or validate on: n_samples={len(labelled)}."
                )
        return y, labelled[train], labelled[valid], draws

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
        """Make a fitted source of a member."""
        drawn = {name: getattr(member, name) for name in ("activation", "dropout", "batch_norm")}
        network = self._template(hidden=member.hidden_sizes, lr=member.lr, **drawn)
        state = dict(result.state)
        if member.columns is not None:
            first = "layer_0.linear.weight" if member.hidden_sizes else "output.weight"
            weight = torch.zeros(len(state[first]), self.n_features_in_)
            weight[:, torch.from_numpy(member.columns)] = state[first]
            state[first] = weight
        module = {
            "in_features": self.n_features_in_,
            "out_features": member.n_outputs,
            "hidden": list(member.hidden_sizes),
            **drawn,
        }
        with isolated_seed(0, torch.device("cpu")):  # a new net draws weights, which are then replaced
            network.restore_net(module, state)
        network.hidden_sizes_ = member.hidden_sizes
        network.n_iter_, network.best_epoch_ = len(result.train_losses), result.best_epoch
        network.validation_score_ = result.validation_score
        network.history_ = [{"epoch": i + 1, "train_loss": loss} for i, loss in enumerate(result.train_losses)]
        for epoch, loss in zip(network.history_, result.valid_losses, strict=False):
            epoch["valid_loss"] = loss
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(network, name, getattr(self, name))
        self._dress(network, member)
        return network

    @abstractmethod
    def _dress(self, network, member):
        """Give a network what its kind of source knows besides the net."""

    def _sound(self):
        """Yield number of the property and source of each network whose training has not diverged."""
        for member, result in zip(self.net_.members, self.net_.trained, strict=True):
            if result.best_epoch > 0:
                yield member.target, self._network(member, result)


def names_of(y):
    """List the names of what a frame or Series holds; None if it has none."""
    if hasattr(y, "columns"):
        return list(y.columns)
    name = getattr(y, "name", None)
    return [name] if isinstance(name, str) and name else None
