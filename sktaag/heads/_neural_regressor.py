"""A small network for regression on tens of rows."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted
from torch import nn

from sktaag.heads._base import NeuralEstimator
from sktaag.heads._known_r2 import known_r2

_CRITERIA = {"mse": nn.MSELoss, "mae": nn.L1Loss, "huber": nn.HuberLoss}


class NeuralRegressor(MultiOutputMixin, RegressorMixin, NeuralEstimator):
    """Small neural network for regression, made for tens of rows and for several targets with missing labels.

    Input and targets are standardised inside, predictions come in the user's units. On fewer than 100 rows all of
    them are trained on, for `max_epochs`; from 100 rows on, an inner validation set stops the training and picks the
    best epoch. The network is a `sktaag.nn.Pyramid` in a skorch net, and skorch's routed keywords reach every part of
    it: ``NeuralRegressor(optimizer__betas=(0.9, 0.99), callbacks__early_stopping__threshold=0.01)``.

    Parameters
    ----------
    hidden : int, float, tuple of these, "pyramid" or RandomPyramid, default=(64,)
        Widths of the hidden layers: integers are numbers of units, floats ratios of the number of features, "pyramid"
        draws 3 or 4 layers, as `sktaag.nn.RandomPyramid` does. ``()`` is a linear model.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh"}, default="relu"
        Activation function of the hidden layers.
    dropout : float, default=0.0
        Share of hidden values set to zero in training, in [0, 1).
    batch_norm : bool, default=False
        Whether hidden layers are normalised over the batch.
    criterion : {"mse", "mae", "huber"} or class, default="mse"
        Loss, on standardised targets. A class is called as a torch loss; with missing labels it must know
        ``reduction="none"``.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        A class is a torch optimizer.
    lr : float, default=0.001
        Learning rate.
    weight_decay : float, default=3.0
        Of the optimizer. AdamW shrinks the weights by ``lr * weight_decay`` a step; other optimizers add the decay to
        the gradient and want far smaller values.
    scheduler : {None, "plateau", "cosine"}, default=None
        Halve the learning rate when the loss stops falling, or bring it to zero along a cosine over `max_epochs`.
    batch_size : int, default=32
        Rows in a batch. A last batch of a single row joins the one before it.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : "auto" or bool, default="auto"
        Whether to hold out validation rows, to stop when their loss no longer falls, and to keep the weights of the
        best epoch. "auto" does so from 100 rows on.
    patience : int, default=20
        Epochs without progress before early stopping.
    validation_fraction : float, default=0.1
        Share of the rows passed to `fit` that early stopping holds out, in (0, 1).
    callbacks : list of skorch callbacks or None, default=None
        Copied before they run.
    mixed_precision : "auto" or bool, default=False
        Train in bfloat16 on CUDA devices that have it; the CPU trains in float32. Predictions are computed in float64.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws the weights, the batches, the inner validation set and random widths. torch's own generators are left as
        they were.
    verbose : int, default=0
        1 shows a progress bar over epochs, 2 skorch's table.
    **net_params : dict
        Keywords that begin with ``module__``, ``criterion__``, ``optimizer__``, ``callbacks__``, ``iterator_train__``
        or ``iterator_valid__`` go to that part of the skorch net, and win over the parameters above.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net, trimmed for prediction.
    module_ : sktaag.nn.Pyramid
        Its torch module.
    hidden_sizes_ : tuple of int
        Widths of the hidden layers.
    history_ : list of dict
        One for each epoch: losses (of standardised targets) and what `callbacks` recorded.
    n_iter_ : int
        Number of epochs.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    validation_score_ : float or None
        R2 on the inner validation rows at that epoch; None without early stopping. It is optimistic, for it has
        picked the epoch.
    input_scaler_, target_scaler_ : StandardScaler
        Fitted scalers of X and y.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had names.

    Raises
    ------
    TypeError
        In the constructor, if a keyword is neither a parameter nor routed.
    ValueError
        In `fit`, if X or y is not finite, a target has no label, a parameter is out of its range, or the training
        diverges.

    See Also
    --------
    NeuralClassifier : The same for classes.
    sktaag.sources.PyramidRegressor : Larger networks for thousands of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sktaag.heads import NeuralRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> head = NeuralRegressor(random_state=0).fit(X[:60], y[:60])
    >>> head.predict(X[60:]).shape
    (382,)
    >>> bool(head.score(X[60:], y[60:]) > 0.2)
    True
    """

    def __init__(
        self,
        hidden=(64,),
        *,
        activation="relu",
        dropout=0.0,
        batch_norm=False,
        criterion="mse",
        optimizer="adamw",
        lr=0.001,
        weight_decay=3.0,
        scheduler=None,
        batch_size=32,
        max_epochs=200,
        early_stopping="auto",
        patience=20,
        validation_fraction=0.1,
        callbacks=None,
        mixed_precision=False,
        device="auto",
        random_state=None,
        verbose=0,
        **net_params,
    ):
        super().__init__(
            hidden,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            scheduler=scheduler,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            patience=patience,
            validation_fraction=validation_fraction,
            callbacks=callbacks,
            mixed_precision=mixed_precision,
            device=device,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A CSR matrix stays sparse; its batches reach the first layer sparse where that is faster.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets. In a 2-D y, NaN is a missing label; rows without any label are left out.

        Returns
        -------
        self : object
        """
        X = self._check_inputs(X, reset=True)
        y = self._check_y(y)
        check_consistent_length(X, y)
        self._y_ndim = y.ndim
        targets = y.reshape(len(y), -1)
        known = ~np.isnan(targets)
        if not known.any(axis=0).all():
            columns = ", ".join(map(str, np.flatnonzero(~known.any(axis=0))))
            raise ValueError(f"Input y has no label at all in column {columns}: every value is NaN. Drop that target.")
        labelled = known.any(axis=1)
        if not labelled.all():
            X, targets, known = X[labelled], targets[labelled], known[labelled]
        self.target_scaler_ = StandardScaler().fit(targets)
        valid = self._fit_net(
            X,
            self.target_scaler_.transform(targets).astype(np.float32),
            n_outputs=targets.shape[1],
            criterion=self._criterion(),
            known=None if known.all() else known,
        )
        self.validation_score_ = None if valid is None else known_r2(targets[valid], self._predict(X[valid]))
        return self

    def predict(self, X):
        """Predict the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units and the shape of the y of `fit`.
        """
        check_is_fitted(self)
        y = self._predict(self._check_inputs(X))
        return y.ravel() if self._y_ndim == 1 else y

    def score(self, X, y, sample_weight=None):
        """Return R2, averaged over targets; missing labels are left out.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            True targets. NaN is a missing label.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        score : float
        """
        y, predicted = self._check_y(y), self.predict(X)
        check_consistent_length(y, predicted)
        return known_r2(y, predicted, sample_weight)

    def _predict(self, X):
        return self.target_scaler_.inverse_transform(self._outputs(X))

    def _criterion(self):
        if isinstance(self.criterion, str) and self.criterion not in _CRITERIA:
            raise ValueError(
                f"criterion must be one of {', '.join(_CRITERIA)}, or a torch loss class, got {self.criterion!r}."
            )
        return _CRITERIA.get(self.criterion, self.criterion)

    def _check_y(self, y):
        """Check the targets: finite, or NaN as a missing label in two dimensions."""
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        y = check_array(y, dtype=np.float64, ensure_2d=False, ensure_all_finite=False, input_name="y")
        infinite = np.isinf(y).reshape(len(y), -1).any(axis=1)
        if infinite.any():
            rows = ", ".join(map(str, np.flatnonzero(infinite)[:5]))
            raise ValueError(
                f"Input y contains infinity or a value too large for dtype('float64'), in {infinite.sum()} rows "
                f"(first: {rows}). Leave these rows out."
            )
        missing = np.isnan(y)
        if y.ndim == 1 and missing.any():
            rows = ", ".join(map(str, np.flatnonzero(missing)[:5]))
            raise ValueError(
                f"Input y contains NaN in {missing.sum()} rows (first: {rows}). Leave these rows out; only a 2-D y, "
                "with one column for each target, may have missing labels."
            )
        return y
