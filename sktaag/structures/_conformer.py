"""Positions for a molecule that has none."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from sktaag.structures._invalid import InvalidStructureError

_GAP = 3.0  # Å between fragments before they are relaxed


def embed(mol, n_conformers, seed):
    """Embed a molecule and relax it in a force field.

    ETKDG version 3 embeds; MMFF94 relaxes, or UFF where MMFF94 has no parameters. Both see the atoms in canonical
    order, so that the result is that of the molecule and not of the way in which it was written. Fragments, such as the
    ions of a salt, are embedded on their own, set side by side and relaxed together.

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
    if mol.GetNumAtoms() == 1:
        return np.zeros((1, 3))  # no field of force is needed
    seeds = np.random.RandomState(seed).randint(1, 2**31 - 1, n_conformers)
    if not sum(_embed_one(mol, int(one)) for one in seeds):
        raise InvalidStructureError("has no 3D conformer that RDKit's ETKDG can find")
    fragments = Chem.GetMolFrags(mol)
    _set_apart(mol, fragments)
    settings = {"maxIters": 1000, "ignoreInterfragInteractions": len(fragments) == 1}
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        results = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, **settings)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        results = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(mol, **settings)
    else:
        raise InvalidStructureError("has atoms for which neither MMFF94 nor UFF has parameters")
    best = int(np.argmin([energy for _, energy in results]))
    return list(mol.GetConformers())[best].GetPositions()


def _set_apart(mol, fragments):
    """Put fragments, which ETKDG leaves on top of each other, in a row."""
    if len(fragments) == 1:
        return
    for conformer in mol.GetConformers():
        positions, end = conformer.GetPositions(), 0.0
        for fragment in map(list, fragments):
            positions[fragment, 0] += end - positions[fragment, 0].min()
            end = positions[fragment, 0].max() + _GAP
        conformer.SetPositions(positions)


def _embed_one(mol, seed):
    """Add a conformer; return whether it could be made."""
    # one at a time: RDKit multiplies a seed with the number of the conformer, and makes equal ones once that overflows
    settings = rdDistGeom.ETKDGv3()
    settings.clearConfs = False
    settings.randomSeed = seed
    if rdDistGeom.EmbedMolecule(mol, settings) >= 0:
        return True
    settings.useRandomCoords = True  # slower, and does for most of those that fail
    return rdDistGeom.EmbedMolecule(mol, settings) >= 0
