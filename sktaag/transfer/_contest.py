"""Strategies for the final model compete on inner folds that had no say in which candidates they take."""

import numpy as np
from scipy.optimize import nnls
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import VotingClassifier, VotingRegressor

from sktaag.transfer._candidate import beside, beside_descriptors
from sktaag.transfer._fold_scores import fold_scores

AGGREGATES = ("average", "stack", "concat", "descriptors")
VOTES = ("average", "stack")  # aggregates of predictions, not of features


class Contest:
    """What the candidates of a search did on the inner folds, and what strategies make of it.

    A strategy picks candidates by their scores and makes one model of them. On each fold it is judged with those that
    it would have picked by the other folds.

    Parameters
    ----------
    candidates : list of Candidate
    scores : ndarray of shape (n_candidates, n_splits)
    predicted : list of lists of ndarray
        For each candidate and fold, what `respond` gave for the test rows. Only for "average" and "stack".
    descriptors : Candidate
        A direct model.
    y : ndarray of shape (n_samples,)
    splits : list of (ndarray, ndarray)
    classes : ndarray or None
        Of classifiers.
    n_best : int
        Number of candidates that "average", "stack" and "concat" take: of different sources, or of different heads of
        the same source if they vote.
    """

    def __init__(self, candidates, scores, predicted, *, descriptors, y, splits, classes, n_best):
        self.candidates = candidates
        self.scores = scores
        self.predicted = predicted
        self.descriptors = descriptors
        self.y = y
        self.splits = splits
        self.classes = classes
        self.n_best = n_best

    def members(self, strategy, voters=slice(None)):
        """Return the rows of the candidates that a strategy takes, the best one first; none for none of its kind.

        Parameters
        ----------
        strategy : {"direct", "best", "average", "stack", "concat", "descriptors"}
        voters : list of int, default=all
            Folds that have a say.

        Returns
        -------
        rows : list of int
        """
        means = self.scores[:, voters].mean(axis=1)
        order = np.argsort(-np.nan_to_num(means, nan=-np.inf), kind="stable").tolist()  # direct models come first
        if strategy in VOTES:
            order = [i for i in order if not any(predicted is None for predicted in self.predicted[i])]
        else:
            order = [i for i in order if self.candidates[i].is_direct == (strategy == "direct")]
        if strategy in ("direct", "best", "descriptors"):
            return order[:1]
        different = {}  # other layers of the same source say much the same; another head does not
        for i in order:
            candidate = self.candidates[i]
            different.setdefault((candidate.source, candidate.head if strategy in VOTES else None), i)
        return list(different.values())[: self.n_best]

    def score(self, strategy, scorer, error_score, run):
        """Judge a strategy.

        Parameters
        ----------
        strategy : str
        scorer : callable
        error_score : "raise" or float
        run : callable
            Takes a function, the arguments of each call, their number and a label; returns a list of results.

        Returns
        -------
        scores : ndarray of shape (n_splits,), or None
            None if there are no candidates of its kind.
        """
        picked = [self.members(strategy, voters) for voters in voters_of(self.splits)]
        if not all(picked):
            return None
        if strategy in ("direct", "best"):
            return np.array([self.scores[rows[0], j] for j, rows in enumerate(picked)])
        tasks = (
            (*self._task(strategy, rows, j), self.y, [self.splits[j]], scorer, {}, {}, error_score)
            for j, rows in enumerate(picked)
        )
        return np.array([scores[0] for scores, *_ in run(fold_scores, tasks, len(picked), strategy)])

    def estimator(self, strategy, rows):
        """Return the unfitted model that a strategy makes of some candidates.

        Parameters
        ----------
        strategy : str
        rows : list of int

        Returns
        -------
        estimator : estimator
        """
        if strategy not in VOTES:
            return self._side_by_side(strategy, rows).pipeline()
        models = [(f"candidate{i}", self.candidates[i].pipeline()) for i in rows]
        weights = self._weights(strategy, rows)
        if self.classes is None:
            return VotingRegressor(models, weights=weights)
        return VotingClassifier(models, voting="soft", weights=weights)

    def _side_by_side(self, strategy, rows):
        best = self.candidates[rows[0]]
        if strategy == "concat":
            return beside([self.candidates[i].offer for i in rows], best.model)
        return beside_descriptors(self.descriptors, best) if strategy == "descriptors" else best

    def _task(self, strategy, rows, j):
        if strategy in VOTES:
            return self._recall(strategy, rows, j), np.arange(len(self.y))[:, None]
        candidate = self._side_by_side(strategy, rows)
        return candidate.model, candidate.offer.features()

    def _recall(self, strategy, rows, j):
        """Return an estimator that predicts for the test rows of fold j what the candidates did."""
        weights = self._weights(strategy, rows, unseen=self.splits[j][1])
        mean = np.average([self.predicted[i][j] for i in rows], axis=0, weights=weights)
        return RecalledRegressor(mean) if self.classes is None else RecalledClassifier(mean, self.classes)

    def _weights(self, strategy, rows, unseen=()):
        """Fit the weights of a stack: nonnegative, of sum one, of least squared error of out-of-fold predictions.

        Rows of the training set that are `unseen` have no say.
        """
        if strategy == "average":
            return None
        tested = np.zeros(len(self.y))
        for _, test in self.splits:
            tested[test] += 1
        kept = np.setdiff1d(np.flatnonzero(tested), unseen)
        y = self.y if self.classes is None else (self.y[:, None] == self.classes).astype(float)
        errors = []
        for i in rows:
            mean = np.zeros(y.shape)
            for (_, test), predicted in zip(self.splits, self.predicted[i], strict=True):
                mean[test] += (predicted.T / tested[test]).T
            errors.append((mean - y)[kept].ravel())
        errors = np.stack(errors, axis=1)
        summed = 1e4 * (np.abs(errors).max() or 1.0) * np.sqrt(len(errors))  # so heavy that the weights sum to one
        weights, _ = nnls(np.vstack([errors, np.full(len(rows), summed)]), np.append(np.zeros(len(errors)), summed))
        return weights / weights.sum()


def voters_of(splits):
    """Say for each inner fold which ones choose the candidates that are judged on it.

    Those that test other rows: the other folds of `KFold`, those of the same repetition of `RepeatedKFold`. If there
    are none, as for `ShuffleSplit`, all other ones.

    Parameters
    ----------
    splits : list of (ndarray, ndarray)

    Returns
    -------
    voters : list of lists of int
    """
    voters = []
    for j, (_, judged) in enumerate(splits):
        disjoint = [k for k, (_, test) in enumerate(splits) if not np.isin(test, judged).any()]
        voters.append(disjoint or [k for k in range(len(splits)) if k != j] or [j])
    return voters


def corrected_error(differences, splits):
    """Estimate the standard error of a mean difference over inner folds.

    Corrected for the rows that their training sets share [1]_: the usual one goes to zero with the number of
    repetitions, though no row is added.

    Parameters
    ----------
    differences : ndarray of shape (n_splits,)
    splits : list of (ndarray, ndarray)

    Returns
    -------
    error : float
        Infinite for a single fold.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 239 (2003).
       :doi:`10.1023/A:1024068626366`
    """
    if len(splits) < 2:
        return np.inf
    ratio = np.mean([len(test) / len(train) for train, test in splits])
    return float(np.sqrt((1 / len(splits) + ratio) * np.var(differences, ddof=1)))


def respond(classes, model, X):
    """Predict numbers, or the probabilities of all classes, whether the model has seen them or not.

    Parameters
    ----------
    classes : ndarray or None
        None for regressors.
    model : fitted estimator
    X : array of shape (n, n_features)

    Returns
    -------
    predicted : ndarray of shape (n,) or (n, n_classes)
    """
    if classes is None:
        return model.predict(X)
    predicted = np.zeros((X.shape[0], len(classes)))
    predicted[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(X)
    return predicted


class RecalledRegressor(RegressorMixin, BaseEstimator):
    """Predicts what it was given, for scorers."""

    def __init__(self, predicted):
        self.predicted = predicted

    def fit(self, X, y):
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        """Return the predictions."""
        return self.predicted


class RecalledClassifier(ClassifierMixin, BaseEstimator):
    """Predicts the probabilities that it was given, for scorers."""

    def __init__(self, predicted, classes):
        self.predicted = predicted
        self.classes = classes

    def fit(self, X, y):
        """Learn nothing but the classes."""
        self.classes_ = self.classes
        return self

    def predict_proba(self, X):
        """Return the probabilities."""
        return self.predicted

    def predict(self, X):
        """Return the most probable classes."""
        return self.classes_[self.predicted.argmax(axis=1)]
