"""Torch modules: they know tensors, not chemistry."""

from sktaag.nn._backbone import Backbone, backbone_class, backbone_names, edge_vectors, make_backbone
from sktaag.nn._graph_network import GraphNetwork
from sktaag.nn._hidden import linear_outputs
from sktaag.nn._layer_attention import LayerAttention
from sktaag.nn._pyramid import Pyramid
from sktaag.nn._random_pyramid import RandomPyramid, resolve_hidden
from sktaag.nn._sparse_linear import SparseLinear

__all__ = [
    "Backbone",
    "GraphNetwork",
    "LayerAttention",
    "Pyramid",
    "RandomPyramid",
    "SparseLinear",
    "backbone_class",
    "backbone_names",
    "edge_vectors",
    "linear_outputs",
    "make_backbone",
    "resolve_hidden",
]
