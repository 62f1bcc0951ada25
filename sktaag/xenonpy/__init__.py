"""XenonPy's own names, working on today's torch, numpy, pandas and scikit-learn.

Most of them are thin layers over the rooms of sktaag; training itself is still xenonpy's. The import makes xenonpy's
own folder, ``~/.xenonpy``, if it is not there.
"""

from sktaag.xenonpy._array_dataset import ArrayDataset
from sktaag.xenonpy._checker import Checker
from sktaag.xenonpy._compositions import Compositions
from sktaag.xenonpy._descriptor_heatmap import DescriptorHeatmap
from sktaag.xenonpy._fingerprints import Fingerprints
from sktaag.xenonpy._frozen_featurizer import FrozenFeaturizer
from sktaag.xenonpy._mdl import MDL
from sktaag.xenonpy._parameter_generator import ParameterGenerator
from sktaag.xenonpy._persist import Persist
from sktaag.xenonpy._scaler import Scaler
from sktaag.xenonpy._sequential_linear import SequentialLinear
from sktaag.xenonpy._splitter import Splitter
from sktaag.xenonpy._structures import Structures
from sktaag.xenonpy._tensor_converter import TensorConverter
from sktaag.xenonpy._trainer import Trainer
from sktaag.xenonpy._validator import Validator

__all__ = [
    "MDL",
    "ArrayDataset",
    "Checker",
    "Compositions",
    "DescriptorHeatmap",
    "Fingerprints",
    "FrozenFeaturizer",
    "ParameterGenerator",
    "Persist",
    "Scaler",
    "SequentialLinear",
    "Splitter",
    "Structures",
    "TensorConverter",
    "Trainer",
    "Validator",
]
