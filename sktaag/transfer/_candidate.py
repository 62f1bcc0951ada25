"""One competitor of a search: a head behind the layers of a source, or a direct model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline, make_pipeline

from sktaag.transfer._frozen_featurizer import FrozenFeaturizer
from sktaag.transfer._layer_bank import LayerBank


@dataclass(frozen=True)
class Offer:
    """What one source offers for one choice of layers.

    Parameters
    ----------
    source : object
        Name of the source.
    layers : int, list or str
        As the `layers` of `FrozenFeaturizer`.
    open_source : callable
        Returns the source.
    bank : LayerBank
        Its layers at the rows of the training set.
    choice : int
        Number of the choice in the bank.
    """

    source: Any
    layers: Any
    open_source: Callable[[], Any]
    bank: LayerBank
    choice: int

    def features(self):
        """Return the features of all rows."""
        return self.bank.features(self.choice)

    def featurizer(self, activation, cache):
        """Return what computes the same features of other rows."""
        return FrozenFeaturizer(self.open_source(), self.layers, activation=activation, cache=cache)


@dataclass(frozen=True)
class Candidate:
    """One competitor.

    Parameters
    ----------
    head : object
        Name of the head; None if there is one head only, or for an explicit baseline.
    estimator : estimator
        What the inner folds fit: the head on features, a direct model on X.
    offer : Offer or None
        None is a direct model.
    screening_score : float
        NaN if there was no screening.
    """

    head: Any
    estimator: BaseEstimator
    offer: Offer | None = None
    screening_score: float = field(default=float("nan"))

    @property
    def source(self):
        """Name of the source; None for a direct model."""
        return self.offer and self.offer.source

    @property
    def layers(self):
        """Choice of layers; None for a direct model."""
        return self.offer and self.offer.layers

    def pipeline(self, activation, cache):
        """Return the unfitted model of X."""
        if self.offer is None:
            return clone(self.estimator)
        return make_pipeline(self.offer.featurizer(activation, cache), clone(self.estimator))


def for_last_step(pipeline, params):
    """Name the fit parameters of a head for the pipeline that ends in it."""
    if not isinstance(pipeline, Pipeline) or sklearn.get_config()["enable_metadata_routing"]:
        return params
    return {f"{pipeline.steps[-1][0]}__{name}": value for name, value in params.items()}
