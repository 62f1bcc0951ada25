"""Graph networks as backbones: states of the atoms after each depth."""

from sktaag.nn.backbones._schnet import SchNet

__all__ = ["SchNet"]
