"""Training and keeping source models."""

from sktaag.sources._files import load_source, save_source
from sktaag.sources._pyramid_classifier import PyramidClassifier
from sktaag.sources._pyramid_regressor import PyramidRegressor

__all__ = ["PyramidClassifier", "PyramidRegressor", "load_source", "save_source"]
