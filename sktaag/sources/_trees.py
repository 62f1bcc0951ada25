"""Decision trees from a file: their nodes are numbers that scikit-learn follows without looking."""

from functools import cache

import numpy as np
from sklearn.ensemble import BaseEnsemble
from sklearn.tree import DecisionTreeRegressor

TREE = "sklearn.tree._tree.Tree"


def find_bad_tree(loaded, n_features=np.inf):
    """Look for a tree whose nodes lead out of it, into a circle, or to a feature that the rows do not have.

    Parameters
    ----------
    loaded : object
        An estimator, or what estimators keep other ones in.
    n_features : int, default=inf
        Width of the rows that reach the object, as far as it is known.

    Returns
    -------
    reason : str
        What is wrong with it; empty if all trees are sound.
    """
    if loaded is None or isinstance(loaded, (str, bytes, int, float)):
        return ""
    if isinstance(loaded, dict):
        parts = list(loaded.values())
    elif isinstance(loaded, (list, tuple, set)):
        parts = list(loaded)
    elif isinstance(loaded, np.ndarray):
        parts = list(loaded.ravel()) if loaded.dtype.hasobject else []
    elif isinstance(loaded, _tree_class()):
        return _check(loaded, n_features)
    else:
        attributes = getattr(loaded, "__dict__", {})
        own = attributes.get("n_features_in_", np.inf)
        # an ensemble checks the width of its rows, and its trees do no more; all others check it themselves
        n_features = min(n_features, own) if "tree_" in attributes else np.inf
        if isinstance(loaded, BaseEnsemble):
            n_features = own
        parts = list(attributes.values())
    return next(filter(None, (find_bad_tree(part, n_features) for part in parts)), "")


def _check(tree, n_features):
    numbers = np.arange(tree.node_count)
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = (left != -1) | (right != -1)
    for children in (left[inner], right[inner]):
        if (children <= numbers[inner]).any() or (children >= tree.node_count).any():  # fitted trees only grow
            return "a tree whose nodes lead out of it or in a circle"
    known = tree.node_count > 0 and np.isfinite(n_features)
    if not known or (feature[inner] < 0).any() or (feature[inner] >= n_features).any():
        return "a tree that asks for a feature that its rows do not have"
    return ""


@cache
def _tree_class():
    return type(DecisionTreeRegressor(max_depth=1).fit([[0.0], [1.0]], [0.0, 1.0]).tree_)
