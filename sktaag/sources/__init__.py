"""Training and keeping source models."""

from sktaag.sources._files import load_source, save_source
from sktaag.sources._gnn_classifier import GNNClassifier
from sktaag.sources._gnn_regressor import GNNRegressor
from sktaag.sources._model_library import ModelLibrary
from sktaag.sources._pyramid_classifier import PyramidClassifier
from sktaag.sources._pyramid_ensemble import PyramidEnsemble
from sktaag.sources._pyramid_ensemble_classifier import PyramidEnsembleClassifier
from sktaag.sources._pyramid_regressor import PyramidRegressor

__all__ = [
    "GNNClassifier",
    "GNNRegressor",
    "ModelLibrary",
    "PyramidClassifier",
    "PyramidEnsemble",
    "PyramidEnsembleClassifier",
    "PyramidRegressor",
    "load_source",
    "save_source",
]
