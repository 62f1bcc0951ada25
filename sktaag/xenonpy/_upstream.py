"""What this room builds on: names of the xenonpy package, imported in silence."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings have escapes that newer versions of Python warn of
    from xenonpy.datatools import Splitter
    from xenonpy.descriptor.fingerprint import DescriptorFeature
    from xenonpy.descriptor.structure import OrbitalFieldMatrix, RadialDistributionFunction
    from xenonpy.model import SequentialLinear
    from xenonpy.model.nn import Layer1d
    from xenonpy.model.sequential import LinearLayer
    from xenonpy.model.training import Checker, Trainer
    from xenonpy.model.training.dataset import ArrayDataset
    from xenonpy.model.training.extension import Persist, TensorConverter, Validator
    from xenonpy.utils import ParameterGenerator
    from xenonpy.visualization import DescriptorHeatmap

__all__ = [
    "ArrayDataset",
    "Checker",
    "DescriptorFeature",
    "DescriptorHeatmap",
    "Layer1d",
    "LinearLayer",
    "OrbitalFieldMatrix",
    "ParameterGenerator",
    "Persist",
    "RadialDistributionFunction",
    "SequentialLinear",
    "Splitter",
    "TensorConverter",
    "Trainer",
    "Validator",
]
