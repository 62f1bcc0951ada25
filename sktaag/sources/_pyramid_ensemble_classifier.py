"""The shotgun for classes."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted, column_or_1d

from sktaag.sources._pyramid_classifier import PyramidClassifier
from sktaag.sources._shotgun_ensemble import ShotgunEnsemble, names_of


class PyramidEnsembleClassifier(ClassifierMixin, ShotgunEnsemble):
    """Many pyramid networks of random shape, trained together on classes: the shotgun of XenonPy.MDL [1]_.

    All of `PyramidEnsemble` but the kind of y: each network has one output for each class, ``ensemble[17]`` is a fitted
    `PyramidClassifier`.

    Parameters
    ----------
    n_models : int, default=1000
        Number of networks.
    hidden : int, float, tuple of these, "pyramid" or RandomPyramid, default="pyramid"
        Hidden layers, as in `PyramidClassifier`; a `RandomPyramid` is drawn anew for each network. Ratios are those of
        the number of columns that the network takes.
    activation : str or list of str, default="relu"
        Activation function of the hidden layers, as in `PyramidClassifier`; a list gives each network one at random.
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
        that needs more is trained alone. None is 128 MiB on the CPU, where more gains nothing, and 4 GiB on CUDA
        devices, or half of their free memory where that is less. Where a device runs out of memory all the same, the
        networks are trained in halves.
    checkpoint : path or None, default=None
        Folder that keeps what is finished. A `fit` that was killed goes on from there, a larger `n_models` adds to it,
        and other data, parameters or seeds are refused.
    mixed_precision : "auto" or bool, default="auto"
        Precision of matrix products: float32 (False), bfloat16 (True), or "auto", which is TF32 on CUDA devices and
        float32 on the CPU. bfloat16 saves time on processors that multiply it (AVX512_BF16, AMX), and costs time on
        others; networks of one seed then differ a little. All else is in float32.
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
    classes_ : ndarray of shape (n_classes,)
        Classes.
    members_ : DataFrame
        As in `PyramidEnsemble`; `validation_score` is the accuracy on the validation rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had names.

    Raises
    ------
    ValueError
        In `fit`, if X or y is not finite, there is one class only, a parameter is out of its range, the checkpoint is
        of another training, or the training of every network diverges; a few are warned of, and left out of
        predictions.

    See Also
    --------
    PyramidEnsemble : The same for numbers.
    PyramidClassifier : One network, with more choices.

    Notes
    -----
    Validation rows hold every class in its share. Classes weigh as many as there are of them.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from sktaag.sources import PyramidEnsembleClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> ensemble = PyramidEnsembleClassifier(4, (8, 4), lr=0.01, max_epochs=30, random_state=0).fit(scale(X), y)
    >>> ensemble.predict_proba(scale(X)).shape, ensemble[2].classes_
    ((178, 3), array([0, 1, 2]))
    >>> bool(ensemble.score(scale(X), y) > 0.9)
    True
    """

    _source_class = PyramidClassifier

    def fit(self, X, y):
        """Train the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Taken as it is. On the CPU an array that is mostly zeros is trained on as a sparse one.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        self : PyramidEnsembleClassifier
        """
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        names = names_of(y) or [0]
        X, y = self._check_inputs(X, reset=True), column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes; y has one class only: {self.classes_[0]}.")
        known = np.ones(len(y), bool)
        self._fit(X, codes, [(codes.astype(np.int64), known)], names, n_outputs=len(self.classes_))
        return self

    def predict_proba(self, X):
        """Predict probabilities as their mean over the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        X = self._check_inputs(X)
        return np.mean([network._predict_proba(X) for _, network in self._sound()], axis=0)

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _dress(self, network, member):
        network.classes_, network._multilabel = self.classes_, False
