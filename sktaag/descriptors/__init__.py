"""Fixed descriptors as transformers."""

from sktaag.descriptors._composition_descriptors import CompositionDescriptors
from sktaag.descriptors._element_table import element_properties, element_table
from sktaag.descriptors._fingerprints import Fingerprints
from sktaag.descriptors._rare_bit_filter import RareBitFilter

__all__ = ["CompositionDescriptors", "Fingerprints", "RareBitFilter", "element_properties", "element_table"]
