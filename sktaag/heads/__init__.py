"""Neural networks as scikit-learn estimators, for tens of rows and for thousands."""

from sktaag.heads._layer_kernel_regressor import LayerKernelRegressor
from sktaag.heads._neural_classifier import NeuralClassifier
from sktaag.heads._neural_regressor import NeuralRegressor

__all__ = ["LayerKernelRegressor", "NeuralClassifier", "NeuralRegressor"]
