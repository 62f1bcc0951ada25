"""What every neural estimator shares: input, skorch net, training, hidden layers."""

from copy import deepcopy
from inspect import signature
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split

from sktaag.heads._epoch_bar import EpochBar
from sktaag.heads._inner_split import inner_split
from sktaag.heads._net_params import NetParamsMixin
from sktaag.heads._row_net import RowNet
from sktaag.heads._rows import RowBatches, Rows, is_sparse_enough
from sktaag.heads._torch_state import isolated_seed, resolve_device, use_bfloat16
from sktaag.nn import Pyramid, linear_outputs, resolve_hidden

_EARLY_STOPPING_ROWS = 100  # fewer rows are worth more in training than as a noisy validation set
_EVALUATION_BATCH = 1024

_OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, {}),
    "adam": (torch.optim.Adam, {}),
    "sgd": (torch.optim.SGD, {"optimizer__momentum": 0.9}),
}


def _decays(optimizer):
    """Whether an optimizer has a weight decay; LBFGS, for one, has none."""
    return "weight_decay" in signature(optimizer).parameters


class NeuralEstimator(NetParamsMixin, BaseEstimator):
    """A `Pyramid` in a skorch net, trained on a numeric array.

    The estimator contains the net (`net_`), it is none: constructor, `clone` and pickle are scikit-learn's. A
    subclass prepares the targets and calls `_fit_net`; it reads predictions out of `_outputs`.
    """

    _scale_inputs = True
    _net_class = RowNet

    def __init__(
        self,
        hidden,
        *,
        activation,
        dropout,
        batch_norm,
        criterion,
        optimizer,
        lr,
        weight_decay,
        scheduler,
        batch_size,
        max_epochs,
        early_stopping,
        patience,
        validation_fraction,
        callbacks,
        mixed_precision,
        device,
        random_state,
        verbose,
        **net_params,
    ):
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_net_params(net_params)

    @property
    def module_(self):
        """The trained `sktaag.nn.Pyramid`."""
        return self.net_.module_

    def hidden_outputs(self, X, activation="pre"):
        """Compute the hidden layers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as for `predict`.
        activation : {"pre", "post"}, default="pre"
            "pre": what each linear layer gives, before dropout, batch norm and activation. "post": after them.

        Returns
        -------
        layers : list of ndarray of shape (n_samples, width) and dtype float32
            One for each hidden layer, from the input side.

        Raises
        ------
        ValueError
            If the network has no hidden layer, or `activation` is neither "pre" nor "post".
        """
        check_is_fitted(self)
        layers = self._evaluate(self._check_inputs(X), lambda module, x: linear_outputs(module, x, activation))
        return [layer.astype(np.float32) for layer in layers]

    def net_state(self):
        """Return what rebuilds the trained net: arguments of its module, in JSON's types, and its weights.

        Returns
        -------
        module_params : dict
        weights : dict of str to torch.Tensor
        """
        check_is_fitted(self)
        params = self.net_.get_params_for("module")
        return {**params, "hidden": list(params["hidden"])}, self.module_.state_dict()

    def restore_net(self, module_params, weights):
        """Give an estimator that lost its net a new one, on the CPU, that predicts as the old one did.

        Parameters
        ----------
        module_params : dict
        weights : dict of str to torch.Tensor
            Both as `net_state` returns them.
        """
        net = self._net_class(
            Pyramid,
            criterion=torch.nn.MSELoss,  # skorch wants one to begin with; dropped below
            iterator_valid=RowBatches,
            iterator_valid__batch_size=_EVALUATION_BATCH,
            verbose=0,
            **{f"module__{name}": value for name, value in module_params.items()},
        )
        with isolated_seed(0, torch.device("cpu")):  # first weights are drawn, to be replaced at once
            net.initialize()
        net.module_.load_state_dict(weights)
        net.trim_for_prediction()
        self.net_ = net

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_inputs(self, X, reset=False):
        return validate_data(self, X, accept_sparse="csr", dtype=np.float32, order="C", reset=reset)

    def _scale(self, X):
        if not self._scale_inputs:
            return X
        if issparse(X) and self.input_scaler_.with_mean:
            X = X.toarray()  # fitted on a dense array
        return self.input_scaler_.transform(X)

    def _outputs(self, X):
        """Run the network on checked rows; ndarray of shape (n, n_outputs)."""
        return self._evaluate(X, lambda module, x: [module(x)])[0]

    def _evaluate(self, X, run):
        """Gather the tensors that `run` makes of each batch of checked rows.

        In double precision, because sums in single precision change with the rows that share a batch, and the
        prediction of a row must not.
        """
        dtype = torch.float32 if torch.device(self.net_.device).type == "mps" else torch.float64
        module = deepcopy(self.module_).eval().to(dtype)
        with torch.no_grad():
            batches = [
                [tensor.cpu() for tensor in run(module, x.to(self.net_.device, dtype))]
                for x, _ in self.net_.get_iterator(Rows(self._scale(X)))
            ]
        return [torch.cat(tensors).numpy() for tensors in zip(*batches, strict=True)]

    def _fit_net(self, X, y, n_outputs, criterion, classes=None, known=None, **criterion_params):
        """Train a new net and return the row numbers of the inner validation set, or None.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n, n_features)
            Checked rows.
        y : ndarray of shape (n,) or (n, n_outputs)
            Targets as the criterion takes them.
        n_outputs : int
            Width of the last layer.
        criterion : class
            A torch loss.
        classes : ndarray of shape (n,) or None
            Strata of the inner split.
        known : ndarray of bool of shape (n, n_outputs) or None
            Which targets there are, if any is missing.
        **criterion_params : dict
            For the criterion.
        """
        self._check_params(len(y))
        rng = check_random_state(self.random_state)
        device = resolve_device(self.device)
        self.hidden_sizes_ = resolve_hidden(self.hidden, X.shape[1], rng)
        train, valid = np.arange(len(y)), None
        if self.early_stopping is True or (self.early_stopping == "auto" and len(y) >= _EARLY_STOPPING_ROWS):
            train, valid = inner_split(len(y), self.validation_fraction, rng, classes, known)
            if len(valid) == 0 or len(train) < 2:
                raise ValueError(f"early_stopping=True leaves nothing to train or validate on: n_samples={len(y)}.")
        if self._scale_inputs:
            self.input_scaler_ = StandardScaler(with_mean=not issparse(X)).fit(X)
        X = self._scale(X)

        optimizer, optimizer_params = _OPTIMIZERS.get(self.optimizer, (self.optimizer, {}))
        params = {
            "module__in_features": X.shape[1],
            "module__out_features": n_outputs,
            "module__hidden": self.hidden_sizes_,
            "module__activation": self.activation,
            "module__dropout": self.dropout,
            "module__batch_norm": self.batch_norm,
            "module__sparse": is_sparse_enough(X),
            "iterator_train__shuffle": True,
            "iterator_valid__batch_size": _EVALUATION_BATCH,
            **({"optimizer__weight_decay": self.weight_decay} if _decays(optimizer) else {}),
            **optimizer_params,
            **{f"criterion__{name}": value for name, value in criterion_params.items()},
            **({} if known is None else {"criterion__reduction": "none"}),
            **self._get_net_params(),
        }
        net = self._net_class(
            Pyramid,
            criterion=criterion,
            optimizer=optimizer,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            iterator_train=RowBatches,
            iterator_valid=RowBatches,
            train_split=None if valid is None else predefined_split(Rows(X[valid], y[valid])),
            callbacks=self._make_callbacks(monitor="train_loss" if valid is None else "valid_loss"),
            verbose=int(self.verbose >= 2),
            **({} if self.verbose >= 2 else {"callbacks__print_log": None}),
            device=str(device),
            masked=known is not None,
            autocast=use_bfloat16(self.mixed_precision, device),
            **params,
        )
        with isolated_seed(rng.randint(np.iinfo(np.int32).max), device):
            net.fit(Rows(X, y) if valid is None else Rows(X[train], y[train]))

        self.history_ = [{key: epoch[key] for key in epoch if key != "batches"} for epoch in net.history]
        self.n_iter_ = len(self.history_)
        self.best_epoch_ = self.n_iter_ if valid is None else dict(net.callbacks_)["early_stopping"].best_epoch_
        if not all(torch.isfinite(weight).all() for weight in net.module_.state_dict().values()):
            raise ValueError(
                f"Training diverged: after {self.n_iter_} epochs the weights are not finite. Lower lr (now {self.lr}) "
                "or scale X."
            )
        net.trim_for_prediction()  # optimizer, callbacks and validation rows do not belong in a pickle
        self.net_ = net
        return valid

    def _make_callbacks(self, monitor):
        callbacks = []
        if self.scheduler == "plateau":
            patience = max(1, self.patience // 3)  # two reductions before early stopping gives up
            plateau = LRScheduler("ReduceLROnPlateau", monitor=monitor, factor=0.5, patience=patience)
            callbacks.append(("lr_scheduler", plateau))
        elif self.scheduler == "cosine":
            callbacks.append(("lr_scheduler", LRScheduler("CosineAnnealingLR", T_max=self.max_epochs)))
        callbacks += deepcopy(list(self.callbacks or []))  # skorch changes them, scikit-learn's parameters stay
        if self.verbose == 1:
            callbacks.append(("progress", EpochBar(type(self).__name__)))
        if monitor == "valid_loss":  # last, because it ends the epoch for those that follow
            callbacks.append(("early_stopping", EarlyStopping(patience=self.patience, load_best=True)))
        return callbacks

    def _check_params(self, n_rows):
        for name, low in (("max_epochs", 1), ("patience", 1), ("batch_size", 2 if self.batch_norm else 1)):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < low:
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
        for name, low, high in (("dropout", 0, 1), ("lr", 0, np.inf), ("weight_decay", 0, np.inf)):
            value = getattr(self, name)
            if not isinstance(value, Real) or not low <= value < high:
                raise ValueError(f"{name} must be in [{low}, {high}), got {value!r}.")
        if not isinstance(self.validation_fraction, Real) or not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}.")
        if self.early_stopping not in (True, False, "auto"):
            raise ValueError(f'early_stopping must be True, False or "auto", got {self.early_stopping!r}.')
        if self.scheduler not in (None, "plateau", "cosine"):
            raise ValueError(f'scheduler must be None, "plateau" or "cosine", got {self.scheduler!r}.')
        if isinstance(self.optimizer, str) and self.optimizer not in _OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {', '.join(_OPTIMIZERS)} or a torch optimizer class, got {self.optimizer!r}."
            )
        if self.batch_norm and n_rows < 2:
            raise ValueError(f"batch_norm=True needs at least two rows to train on, got n_samples={n_rows}.")
