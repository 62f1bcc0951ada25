"""Families of polymers by what is in their backbone and what hangs on it."""

import numpy as np
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from sktaag.model_selection._backbone import find_backbone
from sktaag.structures import InvalidRowsError, InvalidStructureError, RepeatUnit, as_column, to_mol

# The first rule that matches names the family. Atoms with map number 1 are in the backbone, those with 2 are not.
_RULES = (
    ("siloxane", "[Si:1][O:1]"),
    ("phosphazene", "[P:1]~[#7:1]"),
    ("imide", "[#7X3:1](C=O)C=O"),
    ("imide", "[#7:1](c=O)c=O"),
    ("urethane", "[NX3:1][C:1](=O)[OX2:1]"),
    ("urea", "[NX3:1][C:1](=O)[NX3:1]"),
    ("carbonate", "[OX2:1][C:1](=O)[OX2:1]"),
    ("anhydride", "[C:1](=O)[OX2:1][C:1]=O"),
    ("amide", "[NX3:1][C:1]=O"),
    ("ester", "[C:1](=O)[OX2:1][#6]"),
    ("sulfone", "[S:1](=O)=O"),
    ("ketone", "[#6:1][CX3:1](=O)[#6:1]"),
    ("sulfide", "[#6:1][SX2:1]"),
    ("ether", "[#6:1][OX2:1][#6]"),
    ("amine", "[#6:1][NX3:1]"),
    ("fluoropolymer", "[C:1]F"),
    ("vinyl halide", "[CX4:1][Cl,Br,I]"),
    ("acrylate", "[CX4:1][C:2](=O)[O,o]"),
    ("acrylamide", "[CX4:1][C:2](=O)[#7]"),
    ("acrylonitrile", "[CX4:1][C:2]#N"),
    ("vinyl ester", "[CX4:1][O:2]C=O"),
    ("vinyl ether", "[CX4:1][O:2]"),
    ("N-vinyl", "[CX4:1][#7:2]"),
    ("styrenic", "[CX4:1][c:2]"),
    ("diene", "[CX4:1][C:1]=[C:1][CX4:1]"),
)
_QUERIES = tuple((family, Chem.MolFromSmarts(smarts)) for family, smarts in _RULES)
_IN_BACKBONE = 99  # isotope that marks atoms while units are strung together


def polymer_family(X):
    """Name the family of each polymer.

    Three units of the chain are looked at, so that a bond between units counts as any other, and the first of these
    families that fits is taken:

    * by a group in the backbone: siloxane, phosphazene, imide, urethane, urea, carbonate, anhydride, amide, ester,
      sulfone (and sulfonate), ketone, sulfide, ether, amine;
    * by what carbon atoms of the backbone carry: fluoropolymer, vinyl halide (Cl, Br, I), acrylate (methacrylates,
      acids and anhydrides too), acrylamide, acrylonitrile, vinyl ester, vinyl ether (and vinyl alcohol), N-vinyl,
      styrenic (any ring of aromatic carbon);
    * by the backbone itself: diene (an isolated double bond), conjugated (double bonds and aromatic rings alone),
      polyolefin (saturated, and no element but C and H in the polymer);
    * other: all else, and whatever is not the repeat unit of a linear polymer.

    So a poly(ether imide) is an imide and a poly(ether ketone) a ketone. The backbone is the shortest path from one end
    of the repeat unit to the other.

    Parameters
    ----------
    X : column of shape (n_samples,)
        PSMILES or RDKit molecules with two ``*``, in any form that `sktaag.structures.as_column` takes.

    Returns
    -------
    families : ndarray of str, of shape (n_samples,)

    Raises
    ------
    InvalidRowsError
        If structures cannot be read; the message names them all.

    See Also
    --------
    LeaveOneFamilyOut : One fold for each family.

    Examples
    --------
    >>> from sktaag.model_selection import polymer_family
    >>> polymer_family(["*CC*", "*CC(C)(C(=O)OC)*", "*OCCOC(=O)c1ccc(cc1)C(=O)*", "*[Si](C)(C)O*"]).tolist()
    ['polyolefin', 'acrylate', 'ester', 'siloxane']
    """
    column = as_column(X)
    families, invalid = [], []
    with BlockLogs():
        for row, structure in enumerate(column):
            try:
                families.append(_family(to_mol(structure)))
            except InvalidStructureError as error:
                invalid.append((row, structure, str(error)))
    if invalid:
        raise InvalidRowsError(invalid, len(column))
    return np.array(families)


def _family(mol):
    path = find_backbone(mol)
    if path is None:
        return "other"
    unit = Chem.Mol(mol)
    for atom in unit.GetAtoms():
        atom.SetAtomMapNum(0)
        atom.SetIsotope(_IN_BACKBONE if atom.GetIdx() in path[1:-1] else 0)
    chain = RepeatUnit(Chem.MolToSmiles(unit)).oligomer(3)
    backbone = {atom.GetIdx() for atom in chain.GetAtoms() if atom.GetIsotope() == _IN_BACKBONE}
    for family, query in _QUERIES:
        wanted = [(atom.GetIdx(), atom.GetAtomMapNum()) for atom in query.GetAtoms() if atom.GetAtomMapNum()]
        for match in chain.GetSubstructMatches(query):
            if all((match[i] in backbone) == (number == 1) for i, number in wanted):
                return family
    # in the unit and not in the chain, whose ends have lost a neighbour
    atoms = [atom for atom in unit.GetAtoms() if atom.GetIsotope() == _IN_BACKBONE]
    if all(atom.GetHybridization() != Chem.HybridizationType.SP3 for atom in atoms):
        return "conjugated"
    saturated = all(atom.GetHybridization() == Chem.HybridizationType.SP3 for atom in atoms)
    hydrocarbon = all(atom.GetAtomicNum() in (0, 1, 6) for atom in unit.GetAtoms())
    return "polyolefin" if saturated and hydrocarbon else "other"
