"""Heads for tens of rows: behind the frozen layers of many sources, and behind descriptors alone."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

_TASKS = ("regression", "classification")


def small_data_heads(random_state=None, *, task="regression"):
    """Make three estimators for frozen features of tens of rows that differ in kind.

    A linear model and a Gaussian process on standardised features, and extremely randomised trees. For numbers the
    linear model is ridge regression, whose penalty leave-one-out chooses; for classes it is logistic regression. The
    marginal likelihood chooses the kernel; all else is settled, for on so few rows a search over parameters finds
    noise.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Of the process and the trees.
    task : {"regression", "classification"}, default="regression"
        Whether they predict numbers or classes, with probabilities.

    Returns
    -------
    heads : dict of estimators
        "ridge" or "logistic regression", "Gaussian process" and "extra trees", the `head` of a `SourceSearchCV`.

    Raises
    ------
    ValueError
        If there is no such task.

    See Also
    --------
    direct_models : Models without a source, to compete with them.
    sktaag.transfer.SourceSearchCV : Lets them compete, and averages them.

    Notes
    -----
    The kernel is a Matern kernel of smoothness 3/2 with one length for all features, and, for numbers, noise.

    The inverse penalty of logistic regression is ``C = 5 / n_features``: before it sees a label, log odds of typical
    rows have a standard deviation of about 2, however many columns there are. Classes weigh as many as there are of
    them, so that probabilities are those of the rows; where one is rare, score by "roc_auc" or "neg_log_loss".

    Examples
    --------
    >>> from sktaag.heads import small_data_heads
    >>> list(small_data_heads(random_state=0))
    ['ridge', 'Gaussian process', 'extra trees']
    >>> list(small_data_heads(random_state=0, task="classification"))
    ['logistic regression', 'Gaussian process', 'extra trees']
    """
    kernel = 1.0 * Matern(50, (1, 1e4), nu=1.5)
    trees = {"n_estimators": 200, "max_features": "sqrt", "random_state": random_state}
    if _is_classification(task):
        logistic = make_pipeline(
            StandardScaler(), FunctionTransformer(_over_root_of_columns), LogisticRegression(C=5, max_iter=1000)
        )
        process = GaussianProcessClassifier(kernel, random_state=random_state)
        return {
            "logistic regression": logistic,
            "Gaussian process": make_pipeline(StandardScaler(), process),
            "extra trees": ExtraTreesClassifier(**trees),
        }
    kernel += WhiteKernel(0.1, (1e-4, 10))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=random_state)
    return {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 6, 22))),
        "Gaussian process": make_pipeline(StandardScaler(), process),
        "extra trees": ExtraTreesRegressor(**trees),
    }


def direct_models(descriptor, random_state=None, *, task="regression"):
    """Make three models of descriptors alone, which any transfer has to beat.

    A random forest, a linear model (ridge regression for numbers, logistic regression for classes) and a Gaussian
    process. Nothing is standardised: the parameters suit shares, such as counts of environments divided by their sum,
    which are on one scale already.

    Parameters
    ----------
    descriptor : transformer
        From structures to shares in a dense array; not fitted. Cloned for each model.
    random_state : int, RandomState instance or None, default=None
        Of the forest and the process.
    task : {"regression", "classification"}, default="regression"
        Whether they predict numbers or classes, with probabilities.

    Returns
    -------
    models : dict of Pipeline
        "forest", "ridge" or "logistic regression", and "Gaussian process", the `baseline` of a `SourceSearchCV`.

    Raises
    ------
    ValueError
        If there is no such task.

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
    >>> classifiers = direct_models(shares, random_state=0, task="classification")
    >>> classifiers["logistic regression"].fit(["CCO", "CCC", "OCCO"], ["polar", "not", "polar"]).predict(["CCCO"])
    array(['polar'], dtype='<U5')
    """
    kernel = 1.0 * RBF(0.3, (0.01, 100))
    if _is_classification(task):
        heads = {
            "forest": RandomForestClassifier(100, random_state=random_state),
            "logistic regression": LogisticRegression(C=100, max_iter=1000),
            "Gaussian process": GaussianProcessClassifier(kernel, random_state=random_state),
        }
    else:
        kernel += WhiteKernel(0.1, (1e-4, 10))
        heads = {
            "forest": RandomForestRegressor(100, random_state=random_state),
            "ridge": RidgeCV(np.logspace(-5, 2, 22)),
            "Gaussian process": GaussianProcessRegressor(kernel, normalize_y=True, random_state=random_state),
        }
    return {name: make_pipeline(clone(descriptor), head) for name, head in heads.items()}


def _is_classification(task):
    if task not in _TASKS:
        raise ValueError(f"task must be {' or '.join(map(repr, _TASKS))}, got {task!r}.")
    return task == "classification"


def _over_root_of_columns(X):
    """Make rows of any number of standardised columns about one long."""
    return X / np.sqrt(X.shape[1])
