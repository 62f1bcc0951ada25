"""Several good candidates as one estimator."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import FeatureUnion, make_pipeline

AGGREGATES = ("best", "average", "stack", "concat")


def aggregate_candidates(how, members, splits, *, classification, activation, cache):
    """Build the unfitted estimator of several candidates.

    Parameters
    ----------
    how : {"average", "stack", "concat"}
    members : dict of Candidate
        By their row in `cv_results_`, the best one first.
    splits : list of (ndarray, ndarray)
        Inner folds.
    classification : bool
        Whether the heads are classifiers.
    activation, cache : str, path or None
        As those of `FrozenFeaturizer`.

    Returns
    -------
    estimator : estimator
    """
    if how == "concat":
        featurizers = [(f"candidate{i}", c.offer.featurizer(activation, cache)) for i, c in members.items() if c.offer]
        return make_pipeline(FeatureUnion(featurizers), clone(next(iter(members.values())).estimator))
    models = [(f"candidate{i}", candidate.pipeline(activation, cache)) for i, candidate in members.items()]
    if how == "average":
        return VotingClassifier(models, voting="soft") if classification else VotingRegressor(models)
    tested = np.concatenate([test for _, test in splits])
    if len(np.unique(tested)) < len(tested):
        raise ValueError(
            'aggregate="stack" needs inner folds that test each row once, as those of KFold; this cv tests '
            f"{len(tested)} times {len(np.unique(tested))} different rows."
        )
    if classification:
        return StackingClassifier(models, cv=splits)
    return StackingRegressor(models, LinearRegression(positive=True), cv=splits)
