"""What every transformer of structures shares: rows, batches, processes, cache, names."""

from abc import abstractmethod

import joblib
import numpy as np
from scipy.sparse import csr_array, issparse, vstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

import sktaag
from sktaag._progress import progress
from sktaag.cache import RowCache, cache_folder, content_key, decode_rows, encode_rows
from sktaag.structures import as_column, check_on_invalid, handle_invalid


class StructureTransformer(TransformerMixin, BaseEstimator):
    """A map from each structure to one row of numbers, or to one object, that learns nothing from the data.

    A subclass has the parameters `on_invalid`, `n_jobs`, `verbose` and `cache`, and writes `_prepare` and
    `_featurize`. Everything else, the row policy first of all, is the same for all of them.
    """

    reads_structures_ = True  # X is a column of structures; a FrozenFeaturizer knows this once it is fitted
    _not_in_rows: tuple[str, ...] = ("on_invalid", "n_jobs", "verbose", "cache")  # parameters that do not change a row
    _batch_size = 512  # structures handed to one call of _featurize: large against a call, small against memory

    @abstractmethod
    def _prepare(self):
        """Check the parameters and return (column names, dtype, sparse)."""

    @abstractmethod
    def _featurize(self, structures):
        """Return the rows of a batch and a list of (position, reason).

        Rows are an (n, n_columns) ndarray or csr_array, or an (n,) ndarray of objects, None where there is no row.
        """

    def fit(self, X, y=None):
        """Check the parameters and the form of X; nothing is learned.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures: list, tuple, array, Series or one-column DataFrame.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        as_column(X)
        check_on_invalid(self.on_invalid)
        cache_folder(self.cache)
        names, dtype, _ = self._prepare()
        if self.on_invalid == "nan" and np.dtype(dtype).kind not in "fO":  # an object can be None
            raise ValueError(
                f'on_invalid="nan" needs a floating dtype, got {np.dtype(dtype).name}: integers have no NaN.'
            )
        self.n_features_in_ = 1
        self._names = np.asarray(names, dtype=object)
        return self

    def transform(self, X):
        """Compute one row for each structure.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures: list, tuple, array, Series or one-column DataFrame.

        Returns
        -------
        features : {ndarray, csr_array, DataFrame} of shape (n_samples, n_features_out)
            In the order of X.

        Raises
        ------
        InvalidRowsError
            If structures cannot be read and `on_invalid` is "raise"; the message names them all.
        """
        check_is_fitted(self)
        column = as_column(X)
        _, dtype, sparse = self._prepare()
        folder = cache_folder(self.cache)
        if folder is None:
            features, invalid = self._compute(column.tolist())
        else:
            features, invalid = self._look_up(folder, column.tolist(), np.dtype(dtype), sparse)
        handle_invalid([(row, column[row], reason) for row, reason in invalid], len(column), self.on_invalid)
        return _with_nan(features, [row for row, _ in invalid])

    def get_feature_names_out(self, input_features=None):
        """Name the columns.

        Parameters
        ----------
        input_features : None
            Ignored; there as in every transformer of scikit-learn.

        Returns
        -------
        names : ndarray of str, of shape (n_features_out,)
        """
        check_is_fitted(self)
        return self._names.copy()

    def cache_name(self):
        """Name of the rows that this transformer makes: its class and the parameters that change them."""
        parameters = {k: v for k, v in self.get_params(deep=False).items() if k not in self._not_in_rows}
        return f"{type(self).__name__}-{joblib.hash((sktaag.__version__, self._versions(), parameters))}"

    def _versions(self):
        """Versions of the libraries that compute the rows."""
        return ()

    def _compute(self, structures):
        """Featurize batches, in processes if asked for; returns all rows and the list of (row, reason)."""
        size = self._batch_size
        batches = [structures[i : i + size] for i in range(0, len(structures), size)]
        featurize = self._featurize if joblib.effective_n_jobs(self.n_jobs) == 1 else self._featurize_packed
        results = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")(
            joblib.delayed(featurize)(batch) for batch in batches
        )
        features, blocks, invalid = None, [], []
        _, _, sparse = self._prepare()
        with progress(
            total=len(structures), desc=type(self).__name__, unit="structure", disable=not self.verbose
        ) as bar:
            for i, (block, failures) in enumerate(results):
                start = i * size
                if sparse:
                    blocks.append(block)
                else:  # filled in place: the rows are held once
                    block = self._unpack(block)
                    if features is None:
                        features = np.empty((len(structures), *block.shape[1:]), dtype=block.dtype)
                    features[start : start + len(batches[i])] = block
                invalid += [(start + position, reason) for position, reason in failures]
                bar.update(len(batches[i]))
        return (vstack(blocks, format="csr") if sparse else features), invalid

    def _featurize_packed(self, structures):
        """Do as `_featurize` in another process: rows of many zeros are sent home as sparse ones, which is faster."""
        block, failures = self._featurize(structures)
        if isinstance(block, np.ndarray) and np.count_nonzero(block) < block.size / 4:
            block = to_csr(block)
        return block, failures

    def _unpack(self, block):
        """Undo what `_featurize_packed` did to dense rows."""
        return block.toarray() if issparse(block) else block

    def _look_up(self, folder, structures, dtype, sparse):
        """Do as `_compute`, but only for structures that are not in the cache."""
        reasons = {}

        def compute(missing):
            features, invalid = self._compute(missing)
            rows = self._encode(features)
            for row, reason in invalid:
                reasons[content_key(missing[row])] = reason
                rows[row] = None
            return rows

        keys = [content_key(structure) for structure in structures]
        rows = RowCache(folder, self.cache_name()).rows(keys, structures, compute)
        invalid = [(i, reasons[key]) for i, key in enumerate(keys) if rows[i] is None]
        return self._decode(rows, dtype, sparse), invalid

    def _encode(self, features):
        """Turn rows into a list of bytes for the cache."""
        return encode_rows(features)

    def _decode(self, rows, dtype, sparse):
        """Undo `_encode`; None stands for an invalid row."""
        return decode_rows(rows, len(self._names), dtype, sparse)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.no_validation = True
        return tags


def to_csr(rows):
    """Turn a dense batch into a sparse one, eight times as fast as scipy does.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns)

    Returns
    -------
    rows : csr_array of shape (n, n_columns)
        Its indices are of 32 bits; trees take no others.
    """
    filled = np.flatnonzero(rows.ravel() != 0)  # numpy finds the nonzeros of flat booleans in no time
    where = np.asarray(np.divmod(filled, rows.shape[1]), dtype=np.int32)
    return csr_array((rows.ravel()[filled], where), shape=rows.shape)


def _with_nan(features, rows):
    """Set whole rows to NaN."""
    if not rows or features.dtype == object:  # objects of invalid rows are None already
        return features
    if isinstance(features, np.ndarray):
        features[rows] = np.nan
        return features
    n, width = len(rows), features.shape[1]
    where = (np.repeat(np.int32(rows), width), np.tile(np.arange(width, dtype=np.int32), n))
    return csr_array(features + csr_array((np.full(n * width, np.nan, features.dtype), where), shape=features.shape))
