"""Atoms with positions, from any of the forms in which users hold them."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from rdkit import Chem

from sktaag.structures._conformer import embed
from sktaag.structures._invalid import InvalidStructureError
from sktaag.structures._reader import MoleculeReader

_LARGEST_SEED = 2**32 - 1  # as numpy's
_LAST_ELEMENT = 118


@dataclass(frozen=True)
class AtomsReader:
    """Read crystals, molecules with positions, SMILES and PSMILES into ase.Atoms.

    Parameters
    ----------
    n_conformers : int, default=1
        Conformers embedded for a molecule without positions; the one of lowest energy is kept.
    random_state : int, default=0
        Seed of the embedding. The geometry of a molecule does not depend on the way its SMILES was written.
    polymer : {"oligomer", "cyclic"}, default="oligomer"
        What a repeat unit becomes: `n_units` in a row ended with hydrogen, or a ring of them.
    n_units : int or None, default=None
        As in `MoleculeReader`.

    Examples
    --------
    >>> AtomsReader().read("O")
    Atoms(symbols='OH2', pbc=False)
    >>> from ase.build import bulk
    >>> AtomsReader().read(bulk("Cu")).pbc.tolist()
    [True, True, True]
    """

    n_conformers: int = 1
    random_state: int = 0
    polymer: str = "oligomer"
    n_units: int | None = None

    def __post_init__(self):
        if not isinstance(self.n_conformers, Integral) or self.n_conformers < 1:
            raise ValueError(f"n_conformers must be a positive integer, got {self.n_conformers!r}.")
        if not isinstance(self.random_state, Integral) or not 0 <= self.random_state <= _LARGEST_SEED:
            raise ValueError(f"random_state must be an integer from 0 to {_LARGEST_SEED}, got {self.random_state!r}.")
        if self.polymer not in ("oligomer", "cyclic"):
            raise ValueError(f'polymer must be "oligomer" or "cyclic", got {self.polymer!r}.')
        self._molecules()

    def read(self, structure):
        """Read one structure.

        Parameters
        ----------
        structure : ase.Atoms, pymatgen Structure or Molecule, str or rdkit.Chem.Mol
            A string is a SMILES or PSMILES. The first conformer of a molecule is taken as it is; a molecule without
            one gets hydrogens and is embedded. Crystals are ordered: each site holds one element.

        Returns
        -------
        atoms : ase.Atoms
            Positions in Å. ase.Atoms come back as they are, results of their calculator included.

        Raises
        ------
        InvalidStructureError
            If the structure cannot be read, has no atoms, an atom of no element, positions that are not finite, or
            is periodic along a cell vector of no length; its text is the reason.
        """
        atoms = self._to_atoms(structure)
        if len(atoms) == 0:
            raise InvalidStructureError("has no atoms")
        unknown = np.flatnonzero((atoms.numbers < 1) | (atoms.numbers > _LAST_ELEMENT))
        if unknown.size:
            number = atoms.numbers[unknown[0]]
            raise InvalidStructureError(f"has atom {unknown[0]} of atomic number {number}, which is no element")
        strange = np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))
        if strange.size:
            raise InvalidStructureError(f"has atom {strange[0]} at {atoms.positions[strange[0]]}, which is nowhere")
        if atoms.pbc.any():
            if not np.isfinite(atoms.cell).all():
                raise InvalidStructureError("has a cell that is not finite")
            vectors = atoms.cell[atoms.cell.any(axis=1)]
            if not atoms.cell[atoms.pbc].any(axis=1).all() or np.linalg.matrix_rank(vectors) < len(vectors):
                raise InvalidStructureError(
                    "is periodic in a cell of no volume: give it a cell, or set its pbc to False"
                )
        return atoms

    def _to_atoms(self, structure):
        if isinstance(structure, (str, Chem.Mol)):
            return self._from_mol(structure)
        if hasattr(structure, "get_chemical_symbols"):  # ase.Atoms
            return structure
        if hasattr(structure, "sites") and hasattr(structure, "composition"):  # pymatgen's Structure and Molecule
            return _from_pymatgen(structure)
        return self._from_mol(structure)  # refuses it with a reason

    def _from_mol(self, structure):
        from ase import Atoms

        mol = self._molecules().read(structure)
        if mol.GetNumConformers() and mol.GetConformer().Is3D():
            mol = Chem.AddHs(mol, addCoords=True)
            positions = mol.GetConformer().GetPositions()
        else:
            mol = Chem.AddHs(mol)
            positions = embed(mol, int(self.n_conformers), int(self.random_state))
        return Atoms([atom.GetAtomicNum() for atom in mol.GetAtoms()], positions)

    def _molecules(self):
        return MoleculeReader("keep", self.polymer, self.n_units)


def _from_pymatgen(structure):
    from ase import Atoms

    for i, site in enumerate(structure.sites):
        if len(site.species) != 1 or abs(site.species.num_atoms - 1) > 1e-6:
            raise InvalidStructureError(
                f"is disordered: site {i} holds {site.species}. Choose one element for each site, as pymatgen's "
                "OrderDisorderedStructureTransformation does"
            )
    numbers = [_atomic_number(site.specie) for site in structure.sites]
    lattice = getattr(structure, "lattice", None)
    if lattice is None:
        return Atoms(numbers, structure.cart_coords)
    return Atoms(numbers, structure.cart_coords, cell=lattice.matrix, pbc=lattice.pbc)


def _atomic_number(species):
    from pymatgen.core import DummySpecies

    return 0 if isinstance(species, DummySpecies) else species.Z  # a dummy's Z is a hash
