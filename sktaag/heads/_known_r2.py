"""R2 where labels may be missing."""

import numpy as np
from sklearn.metrics import r2_score


def known_r2(y_true, y_pred, sample_weight=None):
    """R2 over known labels, averaged over the targets that have at least two; NaN if none has."""
    y_true, y_pred = (y.reshape(len(y), -1) for y in (y_true, y_pred))
    scores = []
    for true, pred in zip(y_true.T, y_pred.T, strict=True):
        known = ~np.isnan(true)
        if known.sum() >= 2:
            weight = None if sample_weight is None else np.asarray(sample_weight)[known]
            scores.append(r2_score(true[known], pred[known], sample_weight=weight))
    return float(np.mean(scores)) if scores else float("nan")
