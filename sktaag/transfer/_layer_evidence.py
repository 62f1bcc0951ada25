"""Linear models of several kinds of rows, with a prior variance for each layer: weights by marginal likelihood."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

_BOUNDS = (-14.0, 10.0)  # of the logarithms of prior variances, in units of the variance of the first rows
_WIDE = 100.0  # prior variance of a mean that is not known, in the same units
_NOTHING = 1e-10  # of a mean square: what rounding leaves
_NOISE_BOUNDS = (-14.0, 2.0)  # likewise of noise, in units of the mean square of its rows
_NOISES = (-8.0, -4.0, 0.0)  # where the search begins: the likelihood has a maximum for little and one for much noise
_MANY = 300  # rows from which only the best beginning is followed, as then they lead to the same end


class Rows:
    """Rows of a least-squares problem, kept as few as they can be: more than twice the columns become a triangle.

    The triangle is that of QR: it has the same sums of squares for all weights.

    Parameters
    ----------
    n_columns : int
    """

    def __init__(self, n_columns):
        self.design = np.empty((0, n_columns))
        self.targets = np.empty(0)
        self.n_rows = 0
        self.square = 0.0
        self._waiting = []

    def add(self, design, targets):
        """Add rows of shape (n, n_columns) and their targets of shape (n,)."""
        self._waiting.append((design, targets))
        self.n_rows += len(targets)
        self.square += targets @ targets
        if sum(len(part) for _, part in self._waiting) > self.design.shape[1]:
            self.finish()

    def finish(self):
        """Take in what waits."""
        self.design = np.concatenate([self.design, *(design for design, _ in self._waiting)])
        self.targets = np.concatenate([self.targets, *(targets for _, targets in self._waiting)])
        self._waiting = []
        n_columns = self.design.shape[1]
        if len(self.targets) > n_columns + 1:
            triangle = np.linalg.qr(np.column_stack([self.design, self.targets]), mode="r")
            self.design, self.targets = triangle[:, :n_columns], triangle[:, n_columns]
        return self


@dataclass
class Evidence:
    """What `maximise_evidence` finds.

    Parameters
    ----------
    weights : ndarray of shape (n_columns,)
        Posterior mean.
    explained : ndarray of shape (n_blocks,)
        Prior variance that the weights of a block give to a row of the first kind, on average.
    prior : ndarray of shape (n_columns,)
        Prior variance of each weight.
    noises : ndarray of shape (n_kinds,)
        Standard deviation of the noise of each kind of rows.
    log_likelihood : float
        Log marginal likelihood.
    root : ndarray of shape (n_rows, n_columns)
        The posterior covariance of the weights is the diagonal of `prior` minus ``root.T @ root``.
    """

    weights: np.ndarray
    explained: np.ndarray
    prior: np.ndarray
    noises: np.ndarray
    log_likelihood: float
    root: np.ndarray


def maximise_evidence(kinds, blocks, *, wide=False, loose=0.0):
    r"""Fit :math:`y_k = \Phi_k w + \epsilon_k` with :math:`w_b \sim N(0, v_b)` and :math:`\epsilon_k \sim N(0, s_k^2)`.

    Parameters
    ----------
    kinds : list of Rows
    blocks : ndarray of int of shape (n_columns,)
        Block of each column, from 0.
    wide : bool, default=False
        Whether block 0 is a mean that was taken off the rows of the first kind: its prior variance is not sought, but
        wide. If it were small, the missing mean would count as a sign of little noise.
    loose : float or ndarray of shape (n_blocks,), default=0.0
        Mean square of the rows of the first kind, by block, that is expected where they themselves are all nothing.

    Returns
    -------
    found : Evidence
    """
    kinds = [kind.finish() for kind in kinds]
    design = np.concatenate([kind.design for kind in kinds])
    y = np.concatenate([kind.targets for kind in kinds])
    kind_of = np.repeat(np.arange(len(kinds)), [len(kind.targets) for kind in kinds])
    dropped = np.array([kind.n_rows - len(kind.targets) for kind in kinds])  # rows that QR made zero
    n_blocks = blocks.max() + 1
    kernels = np.array([design[:, blocks == b] @ design[:, blocks == b].T for b in range(n_blocks)])
    sizes = np.array([np.diag(kernel)[kind_of == 0].sum() for kernel in kernels]) / kinds[0].n_rows
    sizes = np.where(sizes > _NOTHING * loose, sizes, loose)
    sizes[sizes <= 0] = 1.0
    kernels /= sizes[:, None, None]
    squares = np.array([kind.square / kind.n_rows for kind in kinds])
    squares[squares <= _NOTHING * squares.max()] = squares.max() or 1.0
    unit = squares[0]

    def loss(logs):
        return _loss(logs, kernels, y, kind_of, dropped)

    starts = [np.r_[np.full(n_blocks, np.log(unit / n_blocks)), noise + np.log(squares)] for noise in _NOISES]
    if len(y) > _MANY:
        starts = [min(starts, key=lambda start: loss(start)[0])]
    bounds = [tuple(np.log(unit) + _BOUNDS)] * n_blocks + [tuple(np.log(s) + _NOISE_BOUNDS) for s in squares]
    if wide:
        bounds[0] = (np.log(unit * _WIDE),) * 2
        for start in starts:
            start[0] = bounds[0][0]
    found = [minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds) for start in starts]
    best = min(found, key=lambda result: result.fun)
    explained, noises = np.exp(best.x[:n_blocks]), np.exp(best.x[n_blocks:])
    whole = np.tensordot(explained, kernels, axes=1) + np.diag(noises[kind_of])
    factor = cho_factor(whole, lower=True)
    prior = (explained / sizes)[blocks]
    weights = prior * (design.T @ cho_solve(factor, y))
    root = solve_triangular(factor[0], design * prior, lower=True)
    return Evidence(weights, explained, prior, np.sqrt(noises), -float(best.fun), root)


def _loss(logs, kernels, y, kind_of, dropped):
    """Minus the log marginal likelihood and its gradient by the logarithms of variances and noises."""
    n_blocks = len(kernels)
    values = np.exp(logs)
    noise = values[n_blocks:]
    whole = np.tensordot(values[:n_blocks], kernels, axes=1) + np.diag(noise[kind_of])
    factor = cho_factor(whole, lower=True)
    inverse = cho_solve(factor, np.eye(len(y)))
    dual = inverse @ y
    n_rows = len(y) + dropped.sum()
    loss = 0.5 * (y @ dual + dropped @ logs[n_blocks:] + n_rows * np.log(2 * np.pi)) + np.log(np.diag(factor[0])).sum()
    slope = 0.5 * (inverse - np.outer(dual, dual))
    by_noise = np.bincount(kind_of, np.diag(slope), minlength=len(dropped))
    gradient = values * np.r_[np.tensordot(kernels, slope, axes=2), by_noise]
    gradient[n_blocks:] += 0.5 * dropped
    return loss, gradient
