"""Graph networks as backbones: states of the atoms after each depth."""

from sktaag.nn.backbones._attentive_fp import AttentiveFP
from sktaag.nn.backbones._cgcnn import CGCNN
from sktaag.nn.backbones._chgnet import CHGNet
from sktaag.nn.backbones._dimenet import DimeNetPlusPlus
from sktaag.nn.backbones._gemnet import GemNet
from sktaag.nn.backbones._gine import GINE
from sktaag.nn.backbones._mace import MACE
from sktaag.nn.backbones._matgl import MatGL
from sktaag.nn.backbones._schnet import SchNet
from sktaag.nn.backbones._visnet import ViSNet

__all__ = ["CGCNN", "GINE", "MACE", "AttentiveFP", "CHGNet", "DimeNetPlusPlus", "GemNet", "MatGL", "SchNet", "ViSNet"]
