"""From an entry of X to the molecule that is described: fragments and polymers by explicit choice."""

from dataclasses import dataclass
from numbers import Integral

from rdkit.rdBase import BlockLogs

from sktaag.structures._invalid import InvalidStructureError
from sktaag.structures._molecule import largest_fragment, to_mol
from sktaag.structures._repeat_unit import RepeatUnit, attachment_points


@dataclass(frozen=True)
class MoleculeReader:
    """Read SMILES, PSMILES and RDKit molecules into finite RDKit molecules.

    Parameters
    ----------
    fragments : {"keep", "largest"}, default="keep"
        What to do with salts and mixtures: keep every fragment or the largest alone.
    polymer : {"star", "cyclic", "oligomer"}, default="star"
        What a repeat unit becomes: "star" leaves it as written, ``*`` atoms included; "cyclic" joins its two ends;
        "oligomer" writes `n_units` in a row and ends them with hydrogen. Structures without ``*`` are molecules
        under each of them. The last two do not depend on where the unit was written to begin.
    n_units : int or None, default=None
        Number of repeat units. None is the fewest that can make a ring for "cyclic" and 3 for "oligomer".

    Examples
    --------
    >>> from rdkit.Chem import MolToSmiles
    >>> MolToSmiles(MoleculeReader(polymer="cyclic").read("*OCC*"))
    'C1CO1'
    >>> MolToSmiles(MoleculeReader(fragments="largest").read("CC(=O)[O-].[Na+]"))
    'CC(=O)[O-]'
    """

    fragments: str = "keep"
    polymer: str = "star"
    n_units: int | None = None

    def __post_init__(self):
        if self.fragments not in ("keep", "largest"):
            raise ValueError(f'fragments must be "keep" or "largest", got {self.fragments!r}.')
        if self.polymer not in ("star", "cyclic", "oligomer"):
            raise ValueError(f'polymer must be "star", "cyclic" or "oligomer", got {self.polymer!r}.')
        if self.n_units is not None and (not isinstance(self.n_units, Integral) or self.n_units < 1):
            raise ValueError(f"n_units must be a positive integer or None, got {self.n_units!r}.")
        if self.n_units is not None and self.polymer == "star":
            raise ValueError('n_units needs polymer="cyclic" or "oligomer"; polymer="star" keeps one unit.')

    def read(self, structure):
        """Read one structure.

        Parameters
        ----------
        structure : str or rdkit.Chem.Mol

        Returns
        -------
        mol : rdkit.Chem.Mol

        Raises
        ------
        InvalidStructureError
            If the structure cannot be read; its text is the reason.
        """
        mol = to_mol(structure)
        if self.fragments == "largest":
            mol = largest_fragment(mol)
        if self.polymer == "star" or not attachment_points(mol):
            return mol
        unit = RepeatUnit.from_mol(mol)
        return unit.cyclic(self.n_units) if self.polymer == "cyclic" else unit.oligomer(self.n_units or 3)

    def read_all(self, structures):
        """Read many structures, silencing RDKit, and collect the failures.

        Parameters
        ----------
        structures : iterable of str or rdkit.Chem.Mol

        Yields
        ------
        mol : rdkit.Chem.Mol or InvalidStructureError
            In the order of `structures`.
        """
        with BlockLogs():
            for structure in structures:
                try:
                    yield self.read(structure)
                except InvalidStructureError as error:
                    yield error
