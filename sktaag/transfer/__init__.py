"""Estimators that carry what a source network learned over to a target property."""

from sktaag.transfer._frozen_featurizer import FrozenFeaturizer
from sktaag.transfer._source_search_cv import SourceSearchCV

__all__ = ["FrozenFeaturizer", "SourceSearchCV"]
