"""Folds over clusters of similar rows."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.preprocessing import StandardScaler

from sktaag.descriptors import Fingerprints
from sktaag.model_selection._group_folds import GroupFolds
from sktaag.structures import as_column

_FARTHEST = 0.7  # mean Tanimoto distance up to which clusters of fingerprints are merged
_CLUSTERS_PER_FOLD = 4


class ClusterKFold(GroupFolds):
    """K folds that keep clusters of similar rows together.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds.
    descriptor : transformer or None, default=None
        What makes numbers of X; a clone of it is fitted on X without y. None takes Morgan bits of radius 2 for a column
        of structures, with the ends of repeat units joined, and a numeric X of several columns as it is.
    clusterer : clusterer or None, default=None
        Any of scikit-learn, such as ``KMeans(20)``; a clone of it labels the rows. A row with a negative label, noise,
        is a cluster of its own. None is hierarchical clustering: of Morgan bits by average linkage, up to a mean
        Tanimoto distance of 0.7; of all else by Ward's linkage of standardised columns, into four clusters for
        each fold.
    n_repeats : int, default=1
        Times that the clusters are dealt out anew.
    random_state : int, RandomState instance or None, default=None
        Deals out the clusters. None does it by size, the same way each time. The clusters have no part in it: seeds of
        a clusterer are its own.

    Raises
    ------
    InvalidRowsError
        In `split`, if structures cannot be read.
    ValueError
        In `split`, if there are fewer clusters than folds or a parameter is out of range.

    See Also
    --------
    ScaffoldKFold : Equal scaffolds in place of clusters.

    Notes
    -----
    Hierarchical clustering holds all distances: 8 bytes for each pair of rows.

    Examples
    --------
    >>> from sktaag.model_selection import ClusterKFold
    >>> X = ["CCCCCC", "CCCCCCC", "CCCCCCCC", "c1ccccc1C", "c1ccccc1CC", "OC(=O)CCC(=O)O"]
    >>> [test.tolist() for _, test in ClusterKFold(3).split(X)]
    [[0, 1, 2], [3, 4], [5]]
    """

    def __init__(self, n_splits=5, *, descriptor=None, clusterer=None, n_repeats=1, random_state=None):
        super().__init__(n_splits, n_repeats, random_state)
        self.descriptor = descriptor
        self.clusterer = clusterer

    def _groups(self, X, y, groups):
        X = X if _is_numeric(X) else as_column(X)
        bits = self.descriptor is None and not _is_numeric(X)
        if bits:
            features = Fingerprints("morgan", polymer="cyclic").fit_transform(X)
        else:
            features = X if self.descriptor is None else clone(self.descriptor).fit_transform(X)
            features = features.toarray() if issparse(features) else np.asarray(features, dtype=float)
        if self.clusterer is not None:
            labels = np.array(clone(self.clusterer).fit_predict(features))
            noise = labels < 0
            labels[noise] = labels.max() + 1 + np.arange(noise.sum())
        elif bits:
            clusters = AgglomerativeClustering(
                n_clusters=None, distance_threshold=_FARTHEST, metric="precomputed", linkage="average"
            )
            labels = clusters.fit_predict(_tanimoto_distances(features))
        else:
            n_clusters = min(_CLUSTERS_PER_FOLD * self.n_splits, len(features))
            labels = AgglomerativeClustering(n_clusters).fit_predict(StandardScaler().fit_transform(features))
        return labels, "clusters"


def _is_numeric(X):
    """Whether X is a matrix of numbers and not a column of structures."""
    return getattr(X, "ndim", 1) == 2 and (X.shape[1] > 1 or getattr(X, "dtype", np.dtype(object)).kind in "iuf")


def _tanimoto_distances(bits):
    bits = bits.astype(np.float64)
    common, sizes = bits @ bits.T, bits.sum(axis=1)
    union = sizes[:, None] + sizes - common
    return 1 - np.divide(common, union, out=np.ones_like(common), where=union > 0)
