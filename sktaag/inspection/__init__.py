"""Pictures of models, sources and data, in the manner of scikit-learn's displays."""

from sktaag.inspection._embedding_display import EmbeddingDisplay
from sktaag.inspection._layer_attention_display import LayerAttentionDisplay
from sktaag.inspection._learning_curve_display import LearningCurveDisplay
from sktaag.inspection._neural_descriptor_display import NeuralDescriptorDisplay
from sktaag.inspection._parity_display import ParityDisplay
from sktaag.inspection._property_scatter_matrix import PropertyScatterMatrix
from sktaag.inspection._report import report
from sktaag.inspection._source_map_display import SourceMapDisplay

__all__ = [
    "EmbeddingDisplay",
    "LayerAttentionDisplay",
    "LearningCurveDisplay",
    "NeuralDescriptorDisplay",
    "ParityDisplay",
    "PropertyScatterMatrix",
    "SourceMapDisplay",
    "report",
]
