"""Estimators that carry what a source network learned over to a target property."""

from sktaag.transfer._frozen_featurizer import FrozenFeaturizer

__all__ = ["FrozenFeaturizer"]
