"""The shotgun: many source networks of random shape, trained as one computation."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktaag.heads._known_r2 import known_r2
from sktaag.sources._pyramid_regressor import PyramidRegressor
from sktaag.sources._shotgun_ensemble import ShotgunEnsemble, names_of


class PyramidEnsemble(MultiOutputMixin, RegressorMixin, ShotgunEnsemble):
    """Many pyramid networks of random shape, trained together: the shotgun of XenonPy.MDL [1]_.

    On a device, networks of the same depth and activation function are stacked, so that a layer of all of them is one
    matrix product. On the CPU, where that gains nothing, they share sliced and transposed batches and train in turn,
    each out of the cache. Each has its own shape, weights, dropout, learning rate, columns, early stopping and score,
    and is a source of its own: ``ensemble[17]`` is a fitted `PyramidRegressor`.

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
    members_ : DataFrame
        For each network: `property` (name of a Series y, or name or number of the column of y), `hidden_sizes`,
        `activation`, `dropout`, `lr`, `n_features` (columns that it takes), `n_iter`, `best_epoch`, counted from 1 (0
        if its training diverged), and `validation_score`, R2 on the validation rows at that epoch, which is optimistic,
        as it has picked the epoch.
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
    PyramidEnsembleClassifier : The same for classes.
    ModelLibrary : Keeps all networks.
    sktaag.nn.RandomPyramid : Random hidden layers.
    sktaag.transfer.FrozenFeaturizer : Takes one network: ``FrozenFeaturizer(ensemble, member=17)``.

    Notes
    -----
    The paper's three setups are in `paper_setup`. `save_source` writes the whole ensemble or one
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

    _source_class = PyramidRegressor

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
        names = names_of(y)
        X, y = self._check_inputs(X, reset=True), self._template()._check_y(y)
        check_consistent_length(X, y)
        self._y_ndim, y = y.ndim, y.reshape(len(y), -1)
        known = ~np.isnan(y)
        if not known.any(axis=0).all():
            columns = ", ".join(repr((names or range(y.shape[1]))[j]) for j in np.flatnonzero(~known.any(axis=0)))
            raise ValueError(
                f"Input y has no label at all in column {columns}: every value is NaN. Drop that property."
            )
        scalers = [StandardScaler().fit(column[rows, None]) for column, rows in zip(y.T, known.T, strict=True)]
        columns = [
            (scaler.transform(column[:, None])[:, 0].astype(np.float32), rows)
            for scaler, column, rows in zip(scalers, y.T, known.T, strict=True)
        ]
        self._fit(X, y, columns, names or list(range(len(columns))))
        self.target_scalers_ = scalers
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
        for target, network in self._sound():
            sums[:, target] += network._predict(X)[:, 0]
            counts[target] += 1
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
        return known_r2(y, predicted, sample_weight)

    def _dress(self, network, member):
        network.target_scaler_, network._y_ndim = self.target_scalers_[member.target], 1
