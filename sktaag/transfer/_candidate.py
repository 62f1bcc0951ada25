"""One competitor of a search: a model behind the layers of a source, or behind the descriptors alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from scipy.sparse import hstack, issparse
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline


@dataclass(frozen=True)
class Offer:
    """Features of all rows, known before any head is fitted: they do not depend on y.

    Parameters
    ----------
    features : callable
        Returns the features of the rows of the training set.
    steps : callable
        Returns a list of transformers that compute the same features of other rows; empty if X itself is meant.
    source : object, default=None
        Name of the source; None for the descriptors alone.
    layers : int, list or str, default=None
        As the `layers` of `FrozenFeaturizer`.
    """

    features: Callable[[], Any]
    steps: Callable[[], list]
    source: Any = None
    layers: Any = None


@dataclass(frozen=True)
class Candidate:
    """One competitor.

    Parameters
    ----------
    offer : Offer
    model : estimator
        What the inner folds fit to the features: a Pipeline that ends in the head, or an explicit baseline.
    head : object, default=None
        Name of the head; None if there is one head only, or for an explicit baseline.
    screening_score : float, default=nan
    """

    offer: Offer
    model: BaseEstimator
    head: Any = None
    screening_score: float = float("nan")

    @property
    def source(self):
        """Name of the source; None for a direct model."""
        return self.offer.source

    @property
    def layers(self):
        """Choice of layers; None for a direct model."""
        return self.offer.layers

    @property
    def is_direct(self):
        """Whether no source takes part."""
        return self.offer.layers is None

    def pipeline(self):
        """Return the unfitted model of X."""
        steps = self.offer.steps()
        if not steps:
            return clone(self.model)
        return make_pipeline(*steps, *(clone(step) for _, step in self.model.steps))


def beside(offers, model):
    """Put offers side by side.

    Parameters
    ----------
    offers : list of Offer
    model : estimator
        What to fit to all their columns.

    Returns
    -------
    candidate : Candidate
    """

    def features():
        blocks = [offer.features() for offer in offers]
        if any(issparse(block) for block in blocks):
            return hstack(blocks, format="csr")
        return np.hstack([np.asarray(block) for block in blocks])

    def union():
        parts = [offer.steps() for offer in offers]
        named = [(f"part{i}", make_pipeline(*steps) if steps else "passthrough") for i, steps in enumerate(parts)]
        return [FeatureUnion(named)]

    return Candidate(Offer(features, union, layers=[offer.layers for offer in offers]), model)


def beside_descriptors(direct, candidate):
    """Put the descriptors of a direct model, with what it learns of them, next to the features of a candidate.

    Parameters
    ----------
    direct : Candidate
        Its steps before the head are taken.
    candidate : Candidate
        Its offer and head are taken.

    Returns
    -------
    candidate : Candidate
    """
    learned = [clone(step) for _, step in direct.model.steps[:-1]]
    if not learned:
        return beside([direct.offer, candidate.offer], candidate.model)
    width = direct.offer.features().shape[1]
    prepare = ColumnTransformer(
        [
            ("descriptors", make_pipeline(*learned), slice(0, width)),
            ("layers", "passthrough", slice(width, None)),
        ]
    )
    steps = [step for _, step in candidate.model.steps]
    return beside([direct.offer, candidate.offer], make_pipeline(prepare, *steps))


def for_last_step(estimator, params):
    """Name the fit parameters of a head for the pipeline that ends in it."""
    if not isinstance(estimator, Pipeline) or sklearn.get_config()["enable_metadata_routing"]:
        return params
    return {f"{estimator.steps[-1][0]}__{name}": value for name, value in params.items()}
