"""XenonPy's policy for rows that cannot be described: raise, NaN, or keep the exception."""

import warnings

import numpy as np

from sktaag.structures import InvalidRowsError, InvalidRowsWarning

POLICIES = ("raise", "nan", "keep")


class _RowsError(InvalidRowsError):
    """The same error, with the name that the parameter has in XenonPy."""

    def __str__(self):
        return super().__str__().replace("on_invalid", "on_errors")


def check_on_errors(on_errors):
    """Refuse a policy that XenonPy does not have."""
    if on_errors not in POLICIES:
        raise ValueError(f'on_errors must be "raise", "nan" or "keep", got {on_errors!r}.')


def handle_errors(features, rows, on_errors):
    """Do with the invalid rows, a list of (row, value, reason), what the user wants; returns the features."""
    if not rows:
        return features
    if on_errors == "raise":
        raise _RowsError(rows, len(features))
    if on_errors == "keep":
        features = features.astype(object)
        for row, _, reason in rows:
            features[row] = ValueError(reason)
        return features
    features = features.astype(np.result_type(features, np.float32))  # a copy that has NaN
    features[[row for row, _, _ in rows]] = np.nan
    warnings.warn(InvalidRowsWarning(rows, len(features)), stacklevel=3)
    return features
