"""Raw input to checked structure: SMILES, PSMILES, RDKit molecules, crystals, formulas."""

from sktaag.structures._atoms import AtomsReader
from sktaag.structures._canonical import canonical_smiles
from sktaag.structures._column import as_column
from sktaag.structures._composition import to_composition
from sktaag.structures._invalid import (
    InvalidRowsError,
    InvalidRowsWarning,
    InvalidStructureError,
    check_on_invalid,
    handle_invalid,
)
from sktaag.structures._molecule import to_mol
from sktaag.structures._reader import MoleculeReader
from sktaag.structures._repeat_unit import RepeatUnit

__all__ = [
    "AtomsReader",
    "InvalidRowsError",
    "InvalidRowsWarning",
    "InvalidStructureError",
    "MoleculeReader",
    "RepeatUnit",
    "as_column",
    "canonical_smiles",
    "check_on_invalid",
    "handle_invalid",
    "to_composition",
    "to_mol",
]
