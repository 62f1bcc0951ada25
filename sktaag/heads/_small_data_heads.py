"""Heads for tens of rows: behind the frozen layers of many sources, and behind descriptors alone."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def small_data_heads(random_state=None):
    """Make three regressors for frozen features of tens of rows that differ in kind.

    Ridge regression and a Gaussian process on standardised features, and extremely randomised trees. Leave-one-out
    chooses the penalty and the marginal likelihood the kernel; all else is settled, for on so few rows a search over
    parameters finds noise.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Of the process and the trees.

    Returns
    -------
    heads : dict of estimators
        "ridge", "Gaussian process" and "extra trees", the `head` of a `SourceSearchCV`.

    See Also
    --------
    direct_models : Models without a source, to compete with them.
    sktaag.transfer.SourceSearchCV : Lets them compete, and averages them.

    Notes
    -----
    The kernel is a Matern kernel of smoothness 3/2 with one length for all features, and noise.

    Examples
    --------
    >>> from sktaag.heads import small_data_heads
    >>> list(small_data_heads(random_state=0))
    ['ridge', 'Gaussian process', 'extra trees']
    """
    kernel = 1.0 * Matern(50, (1, 1e4), nu=1.5) + WhiteKernel(0.1, (1e-4, 10))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=random_state)
    return {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22))),
        "Gaussian process": make_pipeline(StandardScaler(), process),
        "extra trees": ExtraTreesRegressor(200, max_features="sqrt", random_state=random_state),
    }


def direct_models(descriptor, random_state=None):
    """Make three regressors of descriptors alone, which any transfer has to beat.

    A random forest, ridge regression and a Gaussian process. Nothing is standardised: the parameters suit shares, such
    as counts of environments divided by their sum, which are on one scale already.

    Parameters
    ----------
    descriptor : transformer
        From structures to shares in a dense array; not fitted. Cloned for each model.
    random_state : int, RandomState instance or None, default=None
        Of the forest and the process.

    Returns
    -------
    models : dict of Pipeline
        "forest", "ridge" and "Gaussian process", the `baseline` of a `SourceSearchCV`.

    See Also
    --------
    small_data_heads : Heads for frozen features.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Normalizer
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.heads import direct_models
    >>> shares = make_pipeline(Fingerprints(counts=True), Normalizer("l1"))
    >>> models = direct_models(shares, random_state=0)
    >>> models["ridge"].fit(["CCO", "CCCO", "CCCCO"], [351.0, 370.0, 391.0]).predict(["CCCCCO"]).shape
    (1,)
    """
    kernel = 1.0 * RBF(0.3, (0.01, 100)) + WhiteKernel(0.1, (1e-4, 10))
    heads = {
        "forest": RandomForestRegressor(100, random_state=random_state),
        "ridge": RidgeCV(np.logspace(-5, 2, 22)),
        "Gaussian process": GaussianProcessRegressor(kernel, normalize_y=True, random_state=random_state),
    }
    return {name: make_pipeline(clone(descriptor), head) for name, head in heads.items()}
