"""Properties of atoms and bonds as numbers."""

from rdkit.Chem import BondStereo, BondType, HybridizationType

# fmt: off
_ELEMENTS = ("*", "H", "Li", "B", "C", "N", "O", "F", "Na", "Si", "P", "S", "Cl", "K", "Ge", "As", "Se", "Br", "Sn",
             "Te", "I")
# fmt: on
_HYBRIDISATIONS = ("S", "SP", "SP2", "SP3", "SP3D", "SP3D2")
_ORDERS = {
    "single": BondType.SINGLE,
    "double": BondType.DOUBLE,
    "triple": BondType.TRIPLE,
    "aromatic": BondType.AROMATIC,
}
_MOST_BONDS, _MOST_HYDROGENS = 6, 4

ATOM_FEATURES = (
    *(f"element {symbol}" for symbol in (*_ELEMENTS, "other")),
    *(f"{n} bonds" for n in range(_MOST_BONDS + 1)),
    *(f"{n} hydrogens" for n in range(_MOST_HYDROGENS + 1)),
    "charge",
    "unpaired electrons",
    *(f"hybridisation {name}" for name in (*_HYBRIDISATIONS, "other")),
    "aromatic",
    "in a ring",
    "R",
    "S",
)
BOND_FEATURES = (*_ORDERS, "other order", "conjugated", "in a ring", "E", "Z")

_HYBRIDISATION_TYPES = tuple(HybridizationType.names[name] for name in _HYBRIDISATIONS)


def atom_features(atom):
    """Numbers of an atom in the order of ATOM_FEATURES, a list of float.

    Numbers of bonds or hydrogens beyond the last column count as its number.
    """
    chirality = atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else ""
    return [
        *_one_hot(atom.GetSymbol(), _ELEMENTS),
        *_one_hot(min(atom.GetDegree(), _MOST_BONDS), range(_MOST_BONDS)),
        *_one_hot(min(atom.GetTotalNumHs(), _MOST_HYDROGENS), range(_MOST_HYDROGENS)),
        float(atom.GetFormalCharge()),
        float(atom.GetNumRadicalElectrons()),
        *_one_hot(atom.GetHybridization(), _HYBRIDISATION_TYPES),
        float(atom.GetIsAromatic()),
        float(atom.IsInRing()),
        float(chirality == "R"),
        float(chirality == "S"),
    ]


def bond_features(bond):
    """Numbers of a bond in the order of BOND_FEATURES, a list of float."""
    return [
        *_one_hot(bond.GetBondType(), _ORDERS.values()),
        float(bond.GetIsConjugated()),
        float(bond.IsInRing()),
        float(bond.GetStereo() == BondStereo.STEREOE),
        float(bond.GetStereo() == BondStereo.STEREOZ),
    ]


def _one_hot(value, choices):
    """Mark the place of a value among the choices; the place after them is that of all other values."""
    marks = [float(value == choice) for choice in choices]
    return [*marks, float(not any(marks))]
