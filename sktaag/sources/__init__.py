"""Training and keeping source models."""

from sktaag.sources._pyramid_classifier import PyramidClassifier
from sktaag.sources._pyramid_regressor import PyramidRegressor

__all__ = ["PyramidClassifier", "PyramidRegressor"]
