"""Fixed descriptors as transformers."""

from sktaag.descriptors._fingerprints import Fingerprints
from sktaag.descriptors._rare_bit_filter import RareBitFilter

__all__ = ["Fingerprints", "RareBitFilter"]
