"""Pick the source, and let the model without a source compete."""

import time
import warnings
from functools import partial

import joblib
import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_consistent_length, get_tags

from sktaag._progress import progress
from sktaag.structures import as_column
from sktaag.transfer._best_estimator import BestEstimatorMixin
from sktaag.transfer._candidate import Candidate
from sktaag.transfer._contest import AGGREGATES, Contest, respond
from sktaag.transfer._fold_scores import fold_scores
from sktaag.transfer._named_sources import card_labels, named_sources
from sktaag.transfer._search_candidates import CandidatesMixin, first_chain, sliceable
from sktaag.transfer._search_parameters import ParametersMixin
from sktaag.transfer._search_results import contest_results, pick_winner, search_results, summarize


class SourceSearchCV(ParametersMixin, CandidatesMixin, BestEstimatorMixin, MetaEstimatorMixin, BaseEstimator):
    """Search over sources and their layers by cross-validation, against the model without a source.

    For every source and choice of layers, ``make_pipeline(FrozenFeaturizer(source, layers), head)`` is scored on the
    same inner folds, as `GridSearchCV` scores parameters. Then strategies compete: the direct model, and those that
    `aggregate` names, the best single source or several of them. On each fold a strategy is judged with the candidates
    that it would have picked by the other folds, so that the best of a thousand has little advantage by luck over the
    direct model. The winner is fitted to all rows. ``cross_val_score(SourceSearchCV(...), X, y)`` repeats the whole
    search in each outer fold and is the honest score of all this.

    Parameters
    ----------
    head : estimator or dict of estimators
        What follows the frozen features. The heads of a dict compete, each with every source.
    sources : list, dict, DataFrame, ensemble or sequence
        Fitted sources, as the `source` of `FrozenFeaturizer`; a value that is itself a list, dict or DataFrame is a
        bundle whose features stand side by side. A DataFrame is what `ModelLibrary.search` returns. A
        `PyramidEnsemble`, or a Pipeline that ends in one, stands for its networks. Any other object with ``len`` and
        ``[i]`` is a sequence. `clone` keeps all of them fitted.
    layers : list, default=(1,)
        Choices of layers, as the `layers` of `FrozenFeaturizer`, or "random": `n_draws` subsets of the hidden layers
        of each source. A source that has fewer layers than a choice asks for goes without it.
    n_draws : int, default=10
        Number of subsets that "random" draws, at most.
    activation : {"pre", "post"}, default="pre"
        As in `FrozenFeaturizer`.
    cv : int, splitter or iterable, default=5
        Inner folds, as in `GridSearchCV`; `RepeatedKFold` makes the choice more stable.
    scoring : str, callable or None, default=None
        One metric, as in `GridSearchCV`. None is the head's own.
    screen : {None, "log_me", "ridge", "halving"}, int, estimator or list, default=None
        Cheap score by which sources and layers are pruned before the heads are fitted: on standardised features,
        `sktaag.model_selection.log_me` with an intercept or `ridge_loo`; an integer keeps that many by the latter. An
        estimator is a cheap head, such as a forest of few trees, whose own score on the inner folds screens. A list is
        successive halving [3]_: each round scores what the one before has left, and about the same share passes each.
        "halving" is such a list, "log_me" and then the first head that has `n_estimators` with a fiftieth and a tenth
        of its trees. None tries all. The scores see all rows that `fit` was given and no others, so that an outer
        cross-validation stays honest; `best_score_` becomes a little more optimistic.
    n_screened : int or None, default=None
        How many pairs of source and layers pass a screen that is no integer. None is a twentieth of them, at least ten.
    baseline : bool, estimator or dict of estimators, default=True
        Whether the direct model competes: the descriptors of the first source, fitted afresh, with each head (a graph
        network has none, and wants one of the other values). Or the estimator that does, from X; or several by name,
        for descriptors want another preparation than features do. Ties go to them.
    one_standard_error : bool, default=False
        Choose anything over the direct model only if it wins by more than the standard error of the difference of their
        scores over the folds, corrected for overlapping training sets [2]_ and so never small for many repetitions.
    aggregate : {"best", "average", "stack", "concat", "descriptors"} or list of these, default="best"
        What competes with the direct model, and is fitted if it wins. "best" is the best candidate with a source. Of
        the `n_best` best candidates of different sources or heads, "average" takes the mean of the predictions (or
        probabilities); "stack" a mean with weights, nonnegative and of sum one, that fit their out-of-fold predictions
        best. "concat" puts the features of the best ones of different sources side by side, for the head of the best
        one. "descriptors" puts the features of the best one next to the descriptors of the first source, for its head.
    n_best : int, default=5
        Number of candidates that "average", "stack" and "concat" take; the direct model may be one of those that vote.
    refit : bool, default=True
        Whether to fit the winner to all rows.
    n_jobs : int or None, default=None
        Processes that screen and score candidates. The layers are computed in this one.
    random_state : int, RandomState instance or None, default=None
        Draws the subsets of "random".
    verbose : int, default=0
        1 shows progress bars.
    cache : None, path or joblib.Memory, default=None
        As in `FrozenFeaturizer`: another search over the same structures and sources computes no layer again.
    error_score : "raise" or float, default=nan
        Score of a fold in which a head fails.

    Attributes
    ----------
    cv_results_ : dict of arrays
        As that of `GridSearchCV`, for direct models, whatever passed the screening, and aggregates: ``param_head`` (if
        `head` is a dict), ``param_source`` and ``param_layers`` (masked for direct models), ``param_aggregate`` (masked
        for all others), ``screening_score``, ``split0_test_score``, ``mean_test_score``, ``rank_test_score``,
        ``mean_fit_time``, ... Scores of aggregates are those in `contest_`.
    contest_ : dict of arrays
        For each ``strategy``: ``mean_test_score``, ``std_test_score`` and ``split0_test_score``, ... on folds that had
        no say in which candidates it took; ``gain`` over the direct model, and its corrected standard error
        ``error_of_gain``.
    best_strategy_ : str
        "direct", "best" or an aggregate.
    screening_results_ : dict of arrays
        ``source`` and ``layers`` of every pair of these, ``score`` of its last round, ``n_passed`` (number of rounds)
        and ``kept``. Only if `screen` is not None.
    best_index_ : int
        Row of the winner in `cv_results_`.
    best_indices_ : list of int
        Rows of the candidates in `best_estimator_`.
    best_source_ : object
        Key, id or place of the winner's source in `sources`; None if the direct model won. If an aggregate of several
        candidates won, a list for all of them; so are the next two.
    best_layers_ : int, list or str
        Its layers; None if the direct model won.
    best_head_ : object
        Key of the winner's head, or of the model of `baseline` that won; None if there is only one without a name.
    best_params_ : dict
        Of the winner, in `cv_results_`.
    best_score_ : float
        Mean inner score of the winner, in `cv_results_`. Optimistic.
    best_estimator_ : estimator
        Fitted to all rows, if `refit`.
    summary_ : str
        What won, and by how much, in words.
    scorer_ : callable
        Scorer used.
    n_splits_ : int
        Number of inner folds.
    refit_time_ : float
        Seconds of the last fit, if `refit`.
    classes_ : ndarray
        Classes, if `refit` and the heads are classifiers.
    n_features_in_ : int
        1 for a column of structures, if `refit`.

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of range, no source has the layers, or all fits fail.

    See Also
    --------
    FrozenFeaturizer : The features of one source.
    sklearn.model_selection.GridSearchCV : The same over parameters.

    Notes
    -----
    Frozen features do not depend on y: those of all rows are computed once for each source, and the folds take
    slices. While the search runs they take 4 bytes for each row and column of the layers asked for.

    A fold is judged on what the folds choose that test other rows: the rest of a `KFold`, of the same repetition of a
    `RepeatedKFold`. Their models have seen its rows in training, so that the contest is still a little optimistic.

    Metadata: ``groups`` goes to the splitter and everything else, such as ``sample_weight``, to the heads (for
    `baseline` True or False and `aggregate` "best" only); with metadata routing, each goes where it is requested.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`
    .. [2] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 239 (2003).
       :doi:`10.1023/A:1024068626366`
    .. [3] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS
       2016. :doi:`10.48550/arXiv.1502.07943`

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.sources import PyramidRegressor
    >>> from sktaag.transfer import SourceSearchCV
    >>> alkanes, boiling_points = ["C" * n for n in range(1, 9)], [112, 185, 231, 273, 309, 342, 372, 399]  # K
    >>> sources = [
    ...     make_pipeline(Fingerprints(counts=True, size=64), PyramidRegressor((8, 4), max_epochs=5, random_state=seed))
    ...     for seed in range(3)
    ... ]
    >>> sources = [source.fit(alkanes, boiling_points) for source in sources]
    >>> alcohols, target = ["C" * n + "O" for n in range(1, 10)], [338, 351, 370, 391, 411, 430, 449, 468, 487]
    >>> search = SourceSearchCV(Ridge(), sources, layers=[1, "all"], cv=3, scoring="neg_mean_absolute_error")
    >>> search = search.fit(alcohols, target)
    >>> len(search.cv_results_["mean_test_score"])  # three sources, two choices of layers, the direct model
    7
    >>> search.predict(["CCCCCCCCCCO"]).shape
    (1,)
    """

    def __init__(
        self,
        head,
        sources,
        *,
        layers=(1,),
        n_draws=10,
        activation="pre",
        cv=5,
        scoring=None,
        screen=None,
        n_screened=None,
        baseline=True,
        one_standard_error=False,
        aggregate="best",
        n_best=5,
        refit=True,
        n_jobs=None,
        random_state=None,
        verbose=0,
        cache=None,
        error_score=np.nan,
    ):
        self.head = head
        self.sources = sources
        self.layers = layers
        self.n_draws = n_draws
        self.activation = activation
        self.cv = cv
        self.scoring = scoring
        self.screen = screen
        self.n_screened = n_screened
        self.baseline = baseline
        self.one_standard_error = one_standard_error
        self.aggregate = aggregate
        self.n_best = n_best
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.cache = cache
        self.error_score = error_score

    def fit(self, X, y, **params):
        """Score all candidates on the inner folds and fit the winner.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the sources take.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        **params : dict
            ``groups`` for the splitter; others for the heads, see the Notes of the class.

        Returns
        -------
        self : SourceSearchCV
        """
        for name in ("screening_results_", "best_estimator_", "refit_time_"):  # of an earlier fit
            vars(self).pop(name, None)
        entries = self._check_parameters()
        openers = named_sources(self.sources)
        reader = first_chain(next(iter(openers.values()))())
        X = as_column(X) if reader.reads_structures else sliceable(X)
        y = self._check_target(y)
        check_consistent_length(X, y)
        routed = self._route(params)
        self.scorer_ = check_scoring(self._first_head(), scoring=self.scoring)
        splits = list(self._splitter(y).split(X, y, **routed["splitter"]))
        self.n_splits_ = len(splits)

        described = {}  # sources of the same descriptors compute them once
        offers = self._offers(openers, entries, X, described)
        direct = self._direct_models(reader, X, described)
        candidates = self._baseline(direct, X)
        candidates += [
            Candidate(offer, make_pipeline(head), name, score)
            for offer, score in self._screened(offers, y, splits)
            for name, head in self._heads().items()
        ]
        classes = np.unique(y) if is_classifier(self._first_head()) else None
        found = self._compete(candidates, y, splits, routed, partial(respond, classes) if self._votes() else None)
        contest = Contest(
            candidates,
            np.array([scores for scores, *_ in found]),
            [responses for *_, responses, _ in found],
            descriptors=direct[0],
            y=y,
            splits=splits,
            classes=classes,
            n_best=self.n_best,
        )
        self._decide(contest, found, len(offers))
        if self.refit:
            start = time.perf_counter()
            estimator = contest.estimator(self.best_strategy_, self.best_indices_)
            first = candidates[self.best_indices_[0]]
            self.best_estimator_ = estimator.fit(X, y, **self._fit_params(first, estimator, routed))
            self.refit_time_ = time.perf_counter() - start
        return self

    # ---------------------------------------------------------------- the contest

    def _run(self, function, tasks, n_tasks, label):
        jobs = (joblib.delayed(function)(*task) for task in tasks)
        results = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")(jobs)
        return list(progress(results, total=n_tasks, desc=label, unit="candidate", disable=not self.verbose))

    def _compete(self, candidates, y, splits, routed, respond):
        tasks = (
            (
                candidate.model,
                candidate.offer.features(),
                y,
                splits,
                self.scorer_,
                self._fit_params(candidate, candidate.model, routed),
                routed["scorer"],
                self.error_score,
                respond,
            )
            for candidate in candidates
        )
        found = self._run(fold_scores, tasks, len(candidates), "inner folds")
        failures = [text for *_, texts in found for text in texts]
        if failures:
            n_fits = len(candidates) * len(splits)
            message = f"{len(failures)} of {n_fits} inner fits or scores failed. The first one:\n{failures[0]}"
            if len(failures) == n_fits:
                raise ValueError(message)
            warnings.warn(FitFailedWarning(f"{message}Their score is {self.error_score}."), stacklevel=3)
        return found

    def _decide(self, contest, found, n_offers):
        """Let the strategies compete and keep what won."""
        scores = {
            strategy: contest.score(strategy, self.scorer_, self.error_score, self._run)
            for strategy in ("direct", *self._strategies())
        }
        scores = {strategy: values for strategy, values in scores.items() if values is not None}
        if not scores:  # candidates that fail on a fold have no vote
            scores = {"best": contest.score("best", self.scorer_, self.error_score, self._run)}
        self.contest_ = contest_results(scores, contest.splits)
        aggregates = {strategy: values for strategy, values in scores.items() if strategy in AGGREGATES}
        self.cv_results_ = search_results(
            contest.candidates,
            found,
            aggregates,
            named_heads=any(candidate.head is not None for candidate in contest.candidates),
        )
        members = {strategy: contest.members(strategy) for strategy in scores}
        self.best_strategy_ = pick_winner(self.contest_, one_standard_error=self.one_standard_error)
        self.best_indices_ = members[self.best_strategy_]
        self.best_index_ = self.best_indices_[0]
        if self.best_strategy_ in aggregates:
            self.best_index_ = len(contest.candidates) + list(aggregates).index(self.best_strategy_)
        won = [contest.candidates[i] for i in self.best_indices_]
        for name in ("source", "layers", "head"):
            values = [getattr(candidate, name) for candidate in won]
            setattr(self, f"best_{name}_", values[0] if len(values) == 1 else values)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = self.cv_results_["mean_test_score"][self.best_index_]
        self.summary_ = summarize(
            contest.candidates,
            self.contest_,
            self.best_strategy_,
            members,
            metric=self.scoring if isinstance(self.scoring, str) else "score",
            n_offers=n_offers,
            labels=card_labels(self.sources),
        )

    # ---------------------------------------------------------------- scikit-learn

    def __sklearn_is_fitted__(self):
        return hasattr(self, "cv_results_")

    def __sklearn_clone__(self):
        params = self.get_params(deep=False)
        return type(self)(
            **{name: value if name == "sources" else clone(value, safe=False) for name, value in params.items()}
        )

    def get_params(self, deep=True):
        """Return the parameters; those inside of the fitted sources are not among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return those of the head, too.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep)
        return {name: value for name, value in params.items() if not name.startswith("sources__")}

    def __sklearn_tags__(self):
        tags, head = super().__sklearn_tags__(), get_tags(self._first_head())
        tags.estimator_type = head.estimator_type
        tags.classifier_tags = head.classifier_tags
        tags.regressor_tags = head.regressor_tags
        tags.target_tags = head.target_tags
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True
        return tags
