"""Scaffolds of molecules and of repeat units."""

import numpy as np
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold
from rdkit.rdBase import BlockLogs

from sktaag.model_selection._backbone import find_backbone
from sktaag.structures import InvalidRowsError, InvalidStructureError, RepeatUnit, as_column, to_mol


def scaffolds(X):
    """Bemis-Murcko scaffold of each structure: its rings and what links them [1]_.

    The scaffold of a polymer is its backbone with the rings that hang on it: the two ends of the repeat unit are joined
    before side chains are cut off, and what is left is written as the shortest unit that repeats itself. It does not
    depend on how the polymer was written. Stereochemistry is left aside; atoms that a double bond ties to the scaffold
    belong to it, as in RDKit.

    Parameters
    ----------
    X : column of shape (n_samples,)
        SMILES, PSMILES or RDKit molecules, in any form that `sktaag.structures.as_column` takes.

    Returns
    -------
    scaffolds : ndarray of shape (n_samples,) and dtype object
        Canonical SMILES or PSMILES; the empty string for molecules without rings. Structures with one ``*`` or more
        than two count as molecules.

    Raises
    ------
    InvalidRowsError
        If structures cannot be read; the message names them all.

    See Also
    --------
    ScaffoldKFold : Folds that keep scaffolds whole.

    References
    ----------
    .. [1] G. W. Bemis, M. A. Murcko, J. Med. Chem. 39, 2887 (1996). :doi:`10.1021/jm9602928`

    Examples
    --------
    >>> from sktaag.model_selection import scaffolds
    >>> scaffolds(["Cc1ccccc1O", "CCO"])
    array(['c1ccccc1', ''], dtype=object)
    >>> scaffolds(["*CC(C)(C(=O)OC)*", "*CC(*)CCCC", "*CC(*)c1ccc(C)cc1"])  # PMMA, polyhexene, poly(methylstyrene)
    array(['*C*', '*C*', '*CC(*)c1ccccc1'], dtype=object)
    """
    column = as_column(X)
    names, invalid = np.empty(len(column), dtype=object), []
    with BlockLogs():
        for row, structure in enumerate(column):
            try:
                names[row] = _scaffold(to_mol(structure))
            except InvalidStructureError as error:
                invalid.append((row, structure, str(error)))
    if invalid:
        raise InvalidRowsError(invalid, len(column))
    return names


def _scaffold(mol):
    mol = Chem.Mol(mol)
    Chem.RemoveStereochemistry(mol)
    if find_backbone(mol) is None:
        return Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(mol))
    ring = Chem.RWMol(mol)
    ring.AddBond(*_stars(ring), Chem.BondType.SINGLE)  # the backbone becomes a ring, which Murcko keeps
    Chem.GetSSSR(ring)
    opened = Chem.RWMol(MurckoScaffold.GetScaffoldForMol(ring))
    opened.RemoveBond(*_stars(opened))
    return RepeatUnit.from_mol(to_mol(Chem.MolToSmiles(opened))).psmiles


def _stars(mol):
    return [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
