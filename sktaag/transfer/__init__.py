"""Estimators that carry what a source network learned over to a target property."""

from sktaag.transfer._energy_calculator import EnergyCalculator
from sktaag.transfer._fine_tuned_regressor import FineTunedRegressor
from sktaag.transfer._frozen_featurizer import FrozenFeaturizer
from sktaag.transfer._gnn_featurizer import GNNFeaturizer
from sktaag.transfer._linear_potential import LinearPotential
from sktaag.transfer._source_search_cv import SourceSearchCV
from sktaag.transfer._taag_classifier import TAAGClassifier
from sktaag.transfer._taag_featurizer import TAAGFeaturizer
from sktaag.transfer._taag_regressor import TAAGRegressor

__all__ = [
    "EnergyCalculator",
    "FineTunedRegressor",
    "FrozenFeaturizer",
    "GNNFeaturizer",
    "LinearPotential",
    "SourceSearchCV",
    "TAAGClassifier",
    "TAAGFeaturizer",
    "TAAGRegressor",
]
