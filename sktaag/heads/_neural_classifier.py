"""A small network for classification on tens of rows."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, check_array, column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from torch import as_tensor, float32, nn

from sktaag.heads._base import NeuralEstimator
from sktaag.heads._row_net import ClassRowNet


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """Small neural network for classification, made for tens of rows and for several labels with missing values.

    Input is standardised inside. On fewer than 100 rows all of them are trained on, for `max_epochs`; from 100 rows
    on, an inner validation set, stratified by class, stops the training and picks the best epoch. A y of several
    columns of 0 and 1 makes each column a label of its own, as in `sklearn.neural_network.MLPClassifier`; there NaN is
    a missing label. The network is a `sktaag.nn.Pyramid` in a skorch net, and skorch's routed keywords reach every
    part of it.

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
    class_weight : None, "balanced" or dict, default=None
        Weight of each class in the loss, as in scikit-learn; "balanced" makes rare classes count as much as frequent
        ones. For labels of several columns None or "balanced".
    criterion : "log_loss" or class, default="log_loss"
        Loss. A class is called as a torch loss on logits; with class weights it must take ``weight`` (``pos_weight``
        for labels of several columns), with missing labels ``reduction="none"``.
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
    classes_ : ndarray of shape (n_classes,)
        Classes; for labels of several columns their numbers.
    net_ : skorch.NeuralNet
        The trained net, trimmed for prediction.
    module_ : sktaag.nn.Pyramid
        Its torch module.
    hidden_sizes_ : tuple of int
        Widths of the hidden layers.
    history_ : list of dict
        One for each epoch: losses and what `callbacks` recorded.
    n_iter_ : int
        Number of epochs.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    validation_score_ : float or None
        Accuracy on the inner validation rows at that epoch; None without early stopping. It is optimistic, for it has
        picked the epoch.
    input_scaler_ : StandardScaler
        Fitted scaler of X.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had names.

    Raises
    ------
    TypeError
        In the constructor, if a keyword is neither a parameter nor routed.
    ValueError
        In `fit`, if X or y is not finite, there is one class only, a column has no label, a parameter is out of its
        range, or the training diverges.

    See Also
    --------
    NeuralRegressor : The same for numbers.
    sktaag.sources.PyramidClassifier : Larger networks for thousands of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from sktaag.heads import NeuralClassifier
    >>> X, X_test, y, y_test = train_test_split(*load_wine(return_X_y=True), train_size=50, random_state=0)
    >>> head = NeuralClassifier(random_state=0).fit(X, y)
    >>> bool(head.score(X_test, y_test) > 0.9)
    True
    """

    def __init__(
        self,
        hidden=(64,),
        *,
        activation="relu",
        dropout=0.0,
        batch_norm=False,
        class_weight=None,
        criterion="log_loss",
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
        self.class_weight = class_weight

    _net_class = ClassRowNet

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A CSR matrix stays sparse; its batches reach the first layer sparse where that is faster.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or columns of 0, 1 and NaN (missing). Rows without any label are left out.

        Returns
        -------
        self : object
        """
        X = self._check_inputs(X, reset=True)
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        y = check_array(y, dtype=None, ensure_2d=False, ensure_all_finite=False, input_name="y")
        check_consistent_length(X, y)
        if not (isinstance(self.criterion, type) or self.criterion == "log_loss"):
            raise ValueError(f'criterion must be "log_loss" or a torch loss class, got {self.criterion!r}.')
        self._multilabel = y.ndim == 2 and y.shape[1] > 1
        if self._multilabel:
            self._fit_labels(X, y)
        else:
            self._fit_classes(X, y)
        return self

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Of each class in the order of `classes_`; for labels of several columns, that the label is 1.
        """
        check_is_fitted(self)
        return self._predict_proba(self._check_inputs(X))

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The most probable class, or 1 where a label is more probable than not.
        """
        return self._decide(self.predict_proba(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _predict_proba(self, X):
        outputs = self._outputs(X)
        return expit(outputs) if self._multilabel else softmax(outputs, axis=1)

    def _decide(self, proba):
        return (proba > 0.5).astype(int) if self._multilabel else self.classes_[proba.argmax(axis=1)]

    def _fit_classes(self, X, y):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes; y has one class only: {self.classes_[0]}.")
        weights = {}
        if self.class_weight is not None:
            weight = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            weights["weight"] = as_tensor(weight, dtype=float32)
        criterion = nn.CrossEntropyLoss if self.criterion == "log_loss" else self.criterion
        valid = self._fit_net(X, codes, len(self.classes_), criterion, classes=codes, **weights)
        self.validation_score_ = (
            None if valid is None else accuracy_score(y[valid], self._decide(self._predict_proba(X[valid])))
        )

    def _fit_labels(self, X, y):
        y = check_array(y, dtype=np.float32, ensure_all_finite="allow-nan", input_name="y")
        known = ~np.isnan(y)
        other = y[known & (y != 0) & (y != 1)]
        if other.size > 0:
            raise ValueError(
                f"A y of several columns must hold 0, 1 and NaN (missing) only, got {other[0]:g}. Fit one classifier "
                "for each column of classes."
            )
        if not known.any(axis=0).all():
            columns = ", ".join(map(str, np.flatnonzero(~known.any(axis=0))))
            raise ValueError(f"Input y has no label at all in column {columns}: every value is NaN. Drop that label.")
        labelled = known.any(axis=1)
        if not labelled.all():
            X, y, known = X[labelled], y[labelled], known[labelled]
        self.classes_ = np.arange(y.shape[1])
        weights = {}
        if self.class_weight == "balanced":
            positive = (y == 1).sum(axis=0)
            weights["pos_weight"] = as_tensor((known.sum(axis=0) - positive) / positive.clip(1), dtype=float32)
        elif self.class_weight is not None:
            raise ValueError(
                f'class_weight must be None or "balanced" for a y of several columns, got {self.class_weight!r}.'
            )
        criterion = nn.BCEWithLogitsLoss if self.criterion == "log_loss" else self.criterion
        valid = self._fit_net(X, y, y.shape[1], criterion, known=None if known.all() else known, **weights)
        self.validation_score_ = None
        if valid is not None:
            right = self._decide(self._predict_proba(X[valid])) == y[valid]
            self.validation_score_ = float(right[known[valid]].mean())
