"""Torch modules: they know tensors, not chemistry."""

from sktaag.nn._hidden import linear_outputs
from sktaag.nn._pyramid import Pyramid
from sktaag.nn._random_pyramid import RandomPyramid, resolve_hidden
from sktaag.nn._sparse_linear import SparseLinear

__all__ = ["Pyramid", "RandomPyramid", "SparseLinear", "linear_outputs", "resolve_hidden"]
