"""Positions for a molecule that has none."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from sktaag.structures._invalid import InvalidStructureError


def embed(mol, n_conformers, seed):
    """Embed a molecule and relax it in a force field.

    ETKDG version 3 embeds; MMFF94 relaxes, or UFF where MMFF94 has no parameters. Both see the atoms in canonical
    order, so that the result is that of the molecule and not of the way in which it was written.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
        With hydrogens as atoms.
    n_conformers : int
        How many to try; the one of lowest energy is kept.
    seed : int
        Seed of the embedding.

    Returns
    -------
    positions : ndarray of shape (n_atoms, 3)
        In Å.

    Raises
    ------
    InvalidStructureError
        If no conformer can be made.

    References
    ----------
    S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020). :doi:`10.1021/acs.jcim.0c00025`
    """
    parser = Chem.SmilesParserParams()
    parser.removeHs = False
    plain = Chem.Mol(mol)
    for atom in plain.GetAtoms():
        atom.SetAtomMapNum(0)
    canonical = Chem.MolFromSmiles(Chem.MolToSmiles(plain), parser)
    order = list(plain.GetPropsAsDict(includePrivate=True, includeComputed=True)["_smilesAtomOutputOrder"])
    if canonical is None or canonical.GetNumAtoms() != mol.GetNumAtoms():
        raise InvalidStructureError("has no canonical SMILES that RDKit can read back")
    positions = np.empty((mol.GetNumAtoms(), 3))
    positions[order] = _best_conformer(canonical, n_conformers, seed)
    return positions


def _best_conformer(mol, n_conformers, seed):
    settings = rdDistGeom.ETKDGv3()
    settings.randomSeed = seed
    found = rdDistGeom.EmbedMultipleConfs(mol, n_conformers, settings)
    if not found:
        settings.useRandomCoords = True  # slower, and does for most of those that fail
        found = rdDistGeom.EmbedMultipleConfs(mol, n_conformers, settings)
    if not found:
        raise InvalidStructureError("has no 3D conformer that RDKit's ETKDG can find")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        results = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=1000)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        results = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(mol, maxIters=1000)
    else:
        raise InvalidStructureError("has atoms for which neither MMFF94 nor UFF has parameters")
    energies = [energy for _, energy in results]
    return mol.GetConformer(list(found)[int(np.argmin(energies))]).GetPositions()
