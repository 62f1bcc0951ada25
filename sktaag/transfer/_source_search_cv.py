"""Pick the source, and let the model without a source compete."""

import time
import warnings
from collections.abc import Mapping
from math import ceil
from numbers import Integral, Real
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import sklearn
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_consistent_length, check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from tqdm.auto import tqdm

from sktaag.structures import as_column, handle_invalid
from sktaag.transfer._aggregates import AGGREGATES, aggregate_candidates
from sktaag.transfer._best_estimator import BestEstimatorMixin
from sktaag.transfer._candidate import Candidate, Offer, for_last_step
from sktaag.transfer._chain import Chain
from sktaag.transfer._fold_scores import fold_scores
from sktaag.transfer._layer_bank import LayerBank
from sktaag.transfer._layer_choices import check_layers
from sktaag.transfer._named_sources import named_sources
from sktaag.transfer._screening import cheap_head_score, screening_score
from sktaag.transfer._search_results import objects, rank_candidates, search_results, summarize

_SCREENS = ("log_me", "ridge", "h_score")


class SourceSearchCV(BestEstimatorMixin, MetaEstimatorMixin, BaseEstimator):
    """Search over sources and their layers by cross-validation, against the model without a source.

    For every source and choice of layers, ``make_pipeline(FrozenFeaturizer(source, layers), head)`` is scored on the
    same inner folds, as `GridSearchCV` scores parameters, and the best is fitted to all rows. The score of the winner
    among many is optimistic; ``cross_val_score(SourceSearchCV(...), X, y)`` repeats the whole search in each
    outer fold and is the honest one.

    Parameters
    ----------
    head : estimator or dict of estimators
        What follows the frozen features. The heads of a dict compete, each with every source.
    sources : list, dict, DataFrame, ensemble or sequence
        Fitted sources, as the `source` of `FrozenFeaturizer`; a value that is itself a list or dict is a bundle whose
        features stand side by side. A DataFrame is what `ModelLibrary.search` returns. A `PyramidEnsemble`, or a
        Pipeline that ends in one, stands for its networks. Any other object with ``len`` and ``[i]`` is a sequence.
        `clone` keeps all of them fitted.
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
    screen : {None, "log_me", "ridge", "h_score"}, int or estimator, default=None
        Cheap score by which sources and layers are pruned before any head is fitted, on standardised features:
        `sktaag.model_selection.ridge_loo`, `log_me` with an intercept, or `h_score` (of five bins if y is numeric). An
        integer keeps that many by `ridge_loo`. An estimator is a cheap head, such as a forest of few trees, whose own
        score on the inner folds screens. None tries all. The score sees all rows that `fit` was given and no others,
        so that an outer cross-validation stays honest; `best_score_` becomes a little more optimistic.
    n_screened : int or None, default=None
        How many pairs of source and layers pass a screen that is no integer. None is a twentieth of them, at least ten.
    baseline : bool or estimator, default=True
        Whether the direct model competes: the descriptors of the first source, fitted afresh, with each head. Or the
        estimator that does. Ties go to it.
    one_standard_error : bool, default=False
        Choose a source over the direct model only if it wins by more than the standard error of the difference of
        their scores over the folds.
    aggregate : {"best", "average", "stack", "concat"}, default="best"
        What is fitted in the end: the best candidate, or the `n_best` best ones of different sources together:
        "average" takes the mean of their predictions; "stack" weighs their out-of-fold predictions, for numbers by
        nonnegative least squares and for classes by logistic regression; "concat" puts their features side by side for
        the head of the best one. If the direct model comes first, it is fitted alone.
    n_best : int, default=5
        Number of candidates that are aggregated.
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
        As that of `GridSearchCV`, for direct models and whatever passed the screening: ``param_head`` (if `head` is a
        dict), ``param_source`` and ``param_layers`` (masked for direct models), ``screening_score``,
        ``split0_test_score``, ``mean_test_score``, ``rank_test_score``, ``mean_fit_time``, ...
    screening_results_ : dict of arrays
        ``source``, ``layers``, ``score`` and ``kept`` of every pair of source and layers. Only if `screen` is not None.
    best_index_ : int
        Row of the winner in `cv_results_`.
    best_indices_ : list of int
        Rows of all candidates in `best_estimator_`.
    best_source_ : object
        Key, id or place of the winner's source in `sources`; None if the direct model won.
    best_layers_ : int, list or str
        Its layers; None if the direct model won.
    best_head_ : object
        Key of the winner's head; None if `head` is not a dict or an explicit `baseline` won.
    best_params_ : dict
        The three of them.
    best_score_ : float
        Mean inner score of the winner. Optimistic.
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

    Metadata: ``groups`` goes to the splitter and everything else, such as ``sample_weight``, to the heads (for
    `baseline` True or False and `aggregate` "best" only); with metadata routing, each goes where it is requested.

    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

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
        reader = Chain(_first(next(iter(openers.values()))()))
        X = as_column(X) if reader.reads_structures else _sliceable(X)
        y = np.asarray(y)
        check_consistent_length(X, y)
        routed = self._route(params)
        self.scorer_ = check_scoring(self._first_head(), scoring=self.scoring)
        splits = list(self._splitter(y).split(X, y, **routed["splitter"]))
        self.n_splits_ = len(splits)

        offers = self._offers(openers, entries, X)
        candidates = self._direct_models(reader)
        candidates += [
            Candidate(name, head, offer, score)
            for offer, score in self._screened(offers, y, splits)
            for name, head in self._heads().items()
        ]
        found = self._compete(candidates, X, y, splits, routed)
        self.cv_results_ = search_results(candidates, found, named_heads=isinstance(self.head, Mapping))
        order = rank_candidates(candidates, self.cv_results_, one_standard_error=self.one_standard_error)
        best = candidates[order[0]]
        self.best_index_ = order[0]
        self.best_indices_ = self._members(candidates, order)
        self.best_source_, self.best_layers_, self.best_head_ = best.source, best.layers, best.head
        self.best_params_ = self.cv_results_["params"][order[0]]
        self.best_score_ = self.cv_results_["mean_test_score"][order[0]]
        self.summary_ = summarize(
            candidates,
            self.cv_results_,
            order,
            self.best_indices_,
            aggregate=self.aggregate,
            metric=self.scoring if isinstance(self.scoring, str) else "score",
            n_offers=len(offers),
        )
        if self.refit:
            self._refit({i: candidates[i] for i in self.best_indices_}, X, y, splits, routed)
        return self

    # ---------------------------------------------------------------- what competes

    def _check_parameters(self):
        entries = check_layers(self.layers)
        if self.aggregate not in AGGREGATES:
            raise ValueError(f"aggregate must be one of {', '.join(map(repr, AGGREGATES))}, got {self.aggregate!r}.")
        known = self.screen is None or hasattr(self.screen, "fit") or self.screen in _SCREENS
        if not known and not _is_positive(self.screen):
            raise ValueError(
                f"screen must be None, {', '.join(map(repr, _SCREENS))}, a positive integer or an estimator, got "
                f"{self.screen!r}."
            )
        for name in ("n_draws", "n_best", "n_screened"):
            value = getattr(self, name)
            if not _is_positive(value) and not (name == "n_screened" and value is None):
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        if self.error_score != "raise" and not isinstance(self.error_score, Real):
            raise ValueError(f'error_score must be "raise" or a number, got {self.error_score!r}.')
        if not isinstance(self.baseline, bool) and not hasattr(self.baseline, "fit"):
            raise ValueError(f"baseline must be True, False or an estimator, got {self.baseline!r}.")
        return entries

    def _heads(self):
        heads = dict(self.head) if isinstance(self.head, Mapping) else {None: self.head}
        if not heads:
            raise ValueError("head is an empty dict; at least one estimator is needed.")
        return heads

    def _first_head(self):
        return next(iter(self._heads().values()))

    def _splitter(self, y=None):
        return check_cv(self.cv, y, classifier=is_classifier(self._first_head()))

    def _direct_models(self, reader):
        if not isinstance(self.baseline, bool):
            return [Candidate(None, self.baseline)]
        if not self.baseline:
            return []
        # descriptors that learn, such as a scaler, learn from the rows of the target here
        steps = [clone(step) for step in reader.steps]
        return [Candidate(name, make_pipeline(*steps, head)) for name, head in self._heads().items()]

    def _offers(self, openers, entries, X):
        """Compute the layers of all rows: they do not depend on y, so that slices of them leak nothing into folds."""
        rng = check_random_state(self.random_state)
        offers, invalid = [], {}
        with TemporaryDirectory() as folder:  # sources of the same descriptors compute them once
            for name, open_source in tqdm(openers.items(), desc="layers", unit="source", disable=not self.verbose):
                try:
                    bank = LayerBank(
                        open_source(),
                        X,
                        entries,
                        self.n_draws,
                        rng,
                        activation=self.activation,
                        cache=self.cache,
                        descriptor_cache=folder,
                    )
                except Exception as error:
                    error.add_note(f"This is source {name!r} of the search.")
                    raise
                offers += [Offer(name, layers, open_source, bank, i) for i, layers in enumerate(bank.choices)]
                invalid |= bank.invalid
        if not offers:
            raise ValueError(f"No source has as many hidden layers as layers={self.layers!r} asks for.")
        handle_invalid([invalid[row] for row in sorted(invalid)], X.shape[0], "nan")
        return offers

    def _screened(self, offers, y, splits):
        """Return the offers that pass the screening, in their order, with their scores."""
        if self.screen is None:
            return [(offer, np.nan) for offer in offers]
        screen, n_kept = self.screen, self.n_screened or max(10, ceil(len(offers) / 20))
        if isinstance(screen, Integral):
            screen, n_kept = "ridge", screen
        if isinstance(screen, str):
            score, args = screening_score, (screen, is_classifier(self._first_head()))
        else:
            score, args = cheap_head_score, (screen, splits, self.scorer_, self.error_score)
        tasks = (joblib.delayed(score)(offer.features(), y, *args) for offer in offers)
        scores = np.array(self._run(tasks, len(offers), "screening"))
        kept = np.sort(np.argsort(-scores, kind="stable")[:n_kept])
        self.screening_results_ = {
            "source": objects(offer.source for offer in offers),
            "layers": objects(offer.layers for offer in offers),
            "score": scores,
            "kept": np.isin(np.arange(len(offers)), kept),
        }
        return [(offers[i], scores[i]) for i in kept]

    # ---------------------------------------------------------------- the contest

    def _run(self, tasks, n_tasks, label):
        results = joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")(tasks)
        return list(tqdm(results, total=n_tasks, desc=label, unit="candidate", disable=not self.verbose))

    def _compete(self, candidates, X, y, splits, routed):
        tasks = (
            joblib.delayed(fold_scores)(
                candidate.estimator,
                X if candidate.offer is None else candidate.offer.features(),
                y,
                splits,
                self.scorer_,
                self._fit_params(candidate, candidate.estimator if candidate.offer is None else None, routed),
                routed["scorer"],
                self.error_score,
            )
            for candidate in candidates
        )
        found = self._run(tasks, len(candidates), "inner folds")
        failures = [text for *_, texts in found for text in texts]
        if failures:
            n_fits = len(candidates) * len(splits)
            message = f"{len(failures)} of {n_fits} inner fits or scores failed. The first one:\n{failures[0]}"
            if len(failures) == n_fits:
                raise ValueError(message)
            warnings.warn(FitFailedWarning(f"{message}Their score is {self.error_score}."), stacklevel=3)
        return found

    def _members(self, candidates, order):
        """Rows of the candidates that the final estimator is made of: the best of each source."""
        if self.aggregate == "best" or candidates[order[0]].offer is None:
            return order[:1]
        best_of_source = {}
        for i in order:
            if not (self.aggregate == "concat" and candidates[i].offer is None):
                best_of_source.setdefault(candidates[i].source, i)
        return list(best_of_source.values())[: self.n_best]

    def _refit(self, members, X, y, splits, routed):
        start = time.perf_counter()
        best = next(iter(members.values()))
        if len(members) == 1:
            estimator = best.pipeline(self.activation, self.cache)
        else:
            estimator = aggregate_candidates(
                self.aggregate,
                members,
                splits,
                classification=is_classifier(self._first_head()),
                activation=self.activation,
                cache=self.cache,
            )
        self.best_estimator_ = estimator.fit(X, y, **self._fit_params(best, estimator, routed))
        self.refit_time_ = time.perf_counter() - start

    # ---------------------------------------------------------------- metadata

    def get_metadata_routing(self):
        """Say which object takes which metadata.

        Returns
        -------
        routing : MetadataRouter
        """
        router = MetadataRouter(owner=self)
        for i, head in enumerate(self._heads().values()):
            router.add(**{f"head{i}": head}, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        router.add(splitter=self._splitter(), method_mapping=MethodMapping().add(caller="fit", callee="split"))
        scoring = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
        router.add(scorer=check_scoring(self._first_head(), scoring=self.scoring), method_mapping=scoring)
        return router

    def _route(self, params):
        """Split what `fit` was given into that of the splitter, the scorer and the heads by name."""
        names = list(self._heads())
        if sklearn.get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **params)
            heads = {name: routed[f"head{i}"].fit for i, name in enumerate(names)}
            splitter, scorer = routed.splitter.split, routed.scorer.score
        else:
            heads = {name: {key: value for key, value in params.items() if key != "groups"} for name in names}
            splitter, scorer = {"groups": params.get("groups")}, {}
        given = sorted({key for head in heads.values() for key in head})
        if given and (self.aggregate != "best" or not isinstance(self.baseline, bool)):
            raise ValueError(
                f"fit got {', '.join(given)} for the heads, which takes aggregate='best' and baseline True or False: "
                "other estimators may not know what to do with it."
            )
        return {"heads": heads, "splitter": splitter, "scorer": scorer}

    def _fit_params(self, candidate, pipeline, routed):
        params = routed["heads"].get(candidate.head, {})
        return params if pipeline is None else for_last_step(pipeline, params)

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


def _first(source):
    """Return one source of a bundle."""
    if isinstance(source, Mapping):
        source = list(source.values())
    return source[0] if isinstance(source, (list, tuple)) else source


def _sliceable(X):
    if issparse(X):
        return X.tocsr()
    return X if hasattr(X, "iloc") else np.asarray(X)


def _is_positive(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0
