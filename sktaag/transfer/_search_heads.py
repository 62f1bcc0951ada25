"""The heads of a search, and who gets which metadata."""

from collections.abc import Mapping

import sklearn
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from sktaag.transfer._candidate import for_last_step


class HeadsMixin:
    """Reads the parameters `head`, `cv`, `scoring` and `baseline` of a search."""

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
