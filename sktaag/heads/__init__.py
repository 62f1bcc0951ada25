"""Neural networks as scikit-learn estimators, for tens of rows and for thousands, and other heads for few rows."""

from sktaag.heads._layer_kernel_regressor import LayerKernelRegressor
from sktaag.heads._neural_classifier import NeuralClassifier
from sktaag.heads._neural_regressor import NeuralRegressor
from sktaag.heads._small_data_heads import direct_models, small_data_heads
from sktaag.heads._tanimoto_kernel import TanimotoKernel

__all__ = [
    "LayerKernelRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "TanimotoKernel",
    "direct_models",
    "small_data_heads",
]
