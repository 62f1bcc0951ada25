"""The backbone of a repeat unit as it was written."""

from rdkit import Chem


def find_backbone(mol):
    """Return the path of atoms from one ``*`` to the other, both included.

    Parameters
    ----------
    mol : rdkit.Chem.Mol

    Returns
    -------
    path : tuple of int or None
        None if the molecule is not the repeat unit of a linear polymer, for which `RepeatUnit.from_mol` raises. This
        one is quicker, as it makes no canonical form.
    """
    stars = [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]
    if len(stars) != 2 or len(Chem.GetMolFrags(mol)) > 1 or mol.GetNumAtoms() == 2:
        return None
    if any(star.GetDegree() != 1 or star.GetBonds()[0].GetBondType() != Chem.BondType.SINGLE for star in stars):
        return None
    return Chem.GetShortestPath(mol, *(star.GetIdx() for star in stars))
