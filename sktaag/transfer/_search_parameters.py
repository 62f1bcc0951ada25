"""The parameters of a search: heads, strategies, direct models, and who gets which metadata."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets

from sktaag.transfer._candidate import for_last_step
from sktaag.transfer._contest import AGGREGATES, VOTES
from sktaag.transfer._layer_choices import check_layers
from sktaag.transfer._screening import check_screen, is_positive


class ParametersMixin:
    """Reads and checks the parameters of a search, and its target."""

    def _check_parameters(self):
        entries = check_layers(self.layers)
        if not all(_is_estimator(head) for head in self._heads().values()):
            raise ValueError(f"head must be an estimator or a dict of estimators by name, got {self.head!r}.")
        if isinstance(self.scoring, (list, tuple, set, dict)):
            raise ValueError(
                f"scoring must be one metric, for it picks the winner, got {self.scoring!r}. cross_validate(search, X, "
                "y, scoring=...) reports several."
            )
        several = isinstance(self.aggregate, (list, tuple, set))
        for aggregate in self._aggregates() if several else [self.aggregate]:
            if aggregate not in ("best", *AGGREGATES):
                known = ", ".join(map(repr, ("best", *AGGREGATES)))
                raise ValueError(f"aggregate must be {known} or a list of these, got {aggregate!r}.")
        if self._votes() and is_classifier(self._first_head()):
            for head in self._heads().values():
                if not hasattr(head, "predict_proba"):
                    raise ValueError(
                        f"aggregate={self.aggregate!r} averages probabilities of classes; {type(head).__name__} has "
                        "no predict_proba."
                    )
        check_screen(self.screen)
        for name in ("n_draws", "n_best", "n_screened"):
            value = getattr(self, name)
            if not is_positive(value) and not (name == "n_screened" and value is None):
                raise ValueError(f"{name} must be a positive integer, got {value!r}.")
        if self.error_score != "raise" and not isinstance(self.error_score, Real):
            raise ValueError(f'error_score must be "raise" or a number, got {self.error_score!r}.')
        models = [] if isinstance(self.baseline, bool) else list(self._baselines().values()) or [None]
        if not all(map(_is_estimator, models)):
            raise ValueError(f"baseline must be True, False, an estimator or a dict of these, got {self.baseline!r}.")
        if len({is_classifier(model) for model in [*self._heads().values(), *models]}) > 1:
            raise ValueError("Some of head and baseline are classifiers and some are not. Take those of one kind.")
        return entries

    def _check_target(self, y):
        """Return y as an array that the heads can learn."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        y = np.asarray(y)
        if self._votes() and y.ndim > 1:
            raise ValueError(f"aggregate={self.aggregate!r} takes a single target, got y of shape {y.shape}.")
        heads = list(self._heads().values())
        if y.ndim == 1:
            unknown = pd.isna(y) | (np.isinf(y) if y.dtype.kind == "f" else False)
            if unknown.any():
                rows = ", ".join(map(str, np.flatnonzero(unknown)[:5]))
                raise ValueError(f"y is NaN, None or infinite in {unknown.sum()} rows (first: {rows}). Leave them out.")
            if all(map(is_regressor, heads)) and y.dtype.kind in "OUS":
                y = _numbers(y)
        if all(map(is_classifier, heads)):
            check_classification_targets(y)
            if y.ndim == 1 and len(y) and len(np.unique(y)) == 1:
                raise ValueError(f"y has one class only, {y.tolist()[0]!r}. At least two are needed.")
        return y

    def _strategies(self):
        asked = [self.aggregate] if isinstance(self.aggregate, str) else list(self.aggregate)
        return sorted(asked, key="best".__ne__)  # the simplest one first

    def _aggregates(self):
        return [strategy for strategy in self._strategies() if strategy != "best"]

    def _votes(self):
        return set(VOTES) & set(self._aggregates())

    def _heads(self):
        heads = dict(self.head) if isinstance(self.head, Mapping) else {None: self.head}
        if not heads:
            raise ValueError("head is an empty dict; at least one estimator is needed.")
        return heads

    def _baselines(self):
        return dict(self.baseline) if isinstance(self.baseline, Mapping) else {None: self.baseline}

    def _first_head(self):
        return next(iter(self._heads().values()))

    def _splitter(self, y=None):
        return check_cv(self.cv, y, classifier=is_classifier(self._first_head()))

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
        if given and (self._aggregates() or not isinstance(self.baseline, bool)):
            raise ValueError(
                f"fit got {', '.join(given)} for the heads, which takes aggregate='best' and baseline True or False: "
                "other estimators may not know what to do with it."
            )
        return {"heads": heads, "splitter": splitter, "scorer": scorer}

    def _fit_params(self, candidate, estimator, routed):
        return for_last_step(estimator, routed["heads"].get(candidate.head, {}))


def _is_estimator(model):
    return hasattr(model, "fit") and not isinstance(model, type)


def _numbers(y):
    """Turn objects into floats, but no text."""
    for row, value in enumerate(y.tolist()):
        if isinstance(value, (str, bytes)):
            raise ValueError(
                f"y is {value!r} in row {row}, and the heads are regressors. Take classifiers for classes, such as "
                'small_data_heads(task="classification"), or turn texts into numbers.'
            )
    return y.astype(float)
