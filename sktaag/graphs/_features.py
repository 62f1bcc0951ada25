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

# the place of each value among the columns that mark it
_ELEMENT_PLACES = {symbol: i for i, symbol in enumerate(_ELEMENTS)}
_HYBRIDISATION_PLACES = {HybridizationType.names[name]: i for i, name in enumerate(_HYBRIDISATIONS)}
_ORDER_PLACES = {order: i for i, order in enumerate(_ORDERS.values())}


def atom_features(atom):
    """Numbers of an atom in the order of ATOM_FEATURES, a list of float.

    Numbers of bonds or hydrogens beyond the last column count as its number.
    """
    symbol = atom.GetSymbol() if atom.GetAtomicNum() else "*"  # in a file the latter is called R
    chirality = atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else ""
    return [
        *_one_hot(_ELEMENT_PLACES.get(symbol, len(_ELEMENTS)), len(_ELEMENTS)),
        *_one_hot(min(atom.GetDegree(), _MOST_BONDS), _MOST_BONDS),
        *_one_hot(min(atom.GetTotalNumHs(), _MOST_HYDROGENS), _MOST_HYDROGENS),
        float(atom.GetFormalCharge()),
        float(atom.GetNumRadicalElectrons()),
        *_one_hot(_HYBRIDISATION_PLACES.get(atom.GetHybridization(), len(_HYBRIDISATIONS)), len(_HYBRIDISATIONS)),
        float(atom.GetIsAromatic()),
        float(atom.IsInRing()),
        float(chirality == "R"),
        float(chirality == "S"),
    ]


def bond_features(bond):
    """Numbers of a bond in the order of BOND_FEATURES, a list of float."""
    return [
        *_one_hot(_ORDER_PLACES.get(bond.GetBondType(), len(_ORDERS)), len(_ORDERS)),
        float(bond.GetIsConjugated()),
        float(bond.IsInRing()),
        float(bond.GetStereo() == BondStereo.STEREOE),
        float(bond.GetStereo() == BondStereo.STEREOZ),
    ]


def _one_hot(place, last):
    """Mark one place of those from 0 to `last`, which is that of all other values."""
    marks = [0.0] * (last + 1)
    marks[place] = 1.0
    return marks
