"""The inner validation rows that early stopping looks at."""

import numpy as np


def inner_split(n_rows, fraction, rng, classes=None, known=None):
    """Draw validation rows out of the training rows.

    Parameters
    ----------
    n_rows : int
        Number of training rows.
    fraction : float
        Share of them that goes into validation.
    rng : RandomState
        Draws them.
    classes : ndarray of shape (n_rows,) or None
        Class of each row: the validation rows hold every class in its share, and each class keeps a row to train on.
    known : ndarray of bool of shape (n_rows, n_outputs) or None
        Which labels there are: each output keeps a label to train on.

    Returns
    -------
    train, valid : ndarray of int
        Row numbers.
    """
    order = rng.permutation(n_rows)
    classes = np.zeros(n_rows, int) if classes is None else classes
    _, first = np.unique(classes[order], return_index=True)
    kept = order[first]
    if known is not None:
        kept = np.union1d(kept, order[known[order].argmax(axis=0)])
    free = order[~np.isin(order, kept)]
    free = free[np.argsort(classes[free], kind="stable")]
    n_valid = min(max(1, round(fraction * n_rows)), len(free))
    valid = free[((np.arange(n_valid) + 0.5) * len(free) / max(n_valid, 1)).astype(int)]  # evenly over the classes
    return np.setdiff1d(np.arange(n_rows), valid), np.sort(valid)
