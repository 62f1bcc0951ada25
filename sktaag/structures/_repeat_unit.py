"""Polymers as polymers: one repeat unit, however it was written."""

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from rdkit import Chem

from sktaag.structures._invalid import InvalidStructureError

_UNIT, _PLACE = "_unit", "_place"  # properties of atoms: where they stand in a chain of units


def attachment_points(mol):
    """Return the ``*`` atoms of a molecule, a list of rdkit.Chem.Atom."""
    return [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]


@dataclass(frozen=True)
class RepeatUnit:
    """The shortest repeat unit of a linear polymer, in one canonical form.

    The backbone is the path from one ``*`` to the other. Its single bonds outside of rings, and the bond that joins
    two units, are the places where a writer may begin. Cutting at all of them gives a cyclic word of segments:
    shifts of that word are the same polymer, and a word that repeats itself is written too long. So ``*CCO*``,
    ``*OCC*``, ``*COC*`` and ``*CCOCCO*`` are one `RepeatUnit`.

    Attributes
    ----------
    psmiles : str
        Canonical PSMILES: of all places to start, the first in alphabetical order.

    Examples
    --------
    >>> from sktaag.structures import to_mol
    >>> {RepeatUnit.from_mol(to_mol(s)).psmiles for s in ["*CCO*", "*OCC*", "*COC*", "*CCOCCO*"]}
    {'*CCO*'}
    >>> Chem.MolToSmiles(RepeatUnit("*CCO*").cyclic())
    'C1CO1'
    >>> Chem.MolToSmiles(RepeatUnit("*CCO*").oligomer(2))
    'CCOCCO'
    """

    psmiles: str

    @classmethod
    def from_mol(cls, mol):
        """Read a molecule with two attachment points.

        Parameters
        ----------
        mol : rdkit.Chem.Mol
            Molecule with two ``*`` atoms of one single bond each.

        Returns
        -------
        unit : RepeatUnit

        Raises
        ------
        InvalidStructureError
            If the molecule is not the repeat unit of a linear polymer.
        """
        segments = _segments(mol)
        words = [Chem.MolToSmiles(segment) for segment in segments]
        n = len(words)
        period = next(p for p in range(1, n + 1) if n % p == 0 and words == words[:p] * (n // p))
        starts = (segments[i:period] + segments[:i] for i in range(period))
        return cls(min(Chem.MolToSmiles(_join(word, closed=False)) for word in starts))

    def cyclic(self, n_units=None):
        """Join the two ends of the repeat unit into a ring.

        Parameters
        ----------
        n_units : int or None, default=None
            Number of units in the ring. None takes the fewest that make a ring of three backbone atoms.

        Returns
        -------
        mol : rdkit.Chem.Mol

        Raises
        ------
        InvalidStructureError
            If the ring cannot be made, e.g. of fewer than three backbone atoms.
        """
        unit = self._labelled()
        n_backbone = len(Chem.GetShortestPath(unit, *(star.GetIdx() for star in attachment_points(unit)))) - 2
        n_fewest = -(-3 // n_backbone)
        if n_units is not None and n_units < n_fewest:
            raise InvalidStructureError(
                f"has {n_backbone} backbone atoms a unit, too few for a ring of n_units={n_units}: "
                f"set n_units to {n_fewest} or more, or to None"
            )
        return _tidy(_join([unit] * (n_units or n_fewest), closed=True))

    def oligomer(self, n_units=3):
        """Write `n_units` units in a row and end them with hydrogen.

        Parameters
        ----------
        n_units : int, default=3

        Returns
        -------
        mol : rdkit.Chem.Mol
        """
        chain = Chem.Mol(_join([self._labelled()] * n_units, closed=False))
        for star in attachment_points(chain):
            star.SetAtomicNum(1)  # deleting the * instead would lose the chirality of its neighbour
        rules = Chem.RemoveHsParameters()
        rules.removeDefiningBondStereo = True  # a terminal =CH2 has no stereochemistry
        return Chem.RemoveHs(_tidy(chain), rules)

    def chain(self, n_units=3):
        """Write `n_units` units in a row as `oligomer` does, and say where each atom stands.

        The inner units of three or more see what they see in an endless chain.

        Parameters
        ----------
        n_units : int, default=3

        Returns
        -------
        mol : rdkit.Chem.Mol
        places : list of (int, int)
            For each atom, the number of its unit from 0 and its number within the unit.

        Examples
        --------
        >>> mol, places = RepeatUnit("*CO*").chain(2)
        >>> Chem.MolToSmiles(mol), places
        ('COCO', [(0, 1), (0, 2), (1, 1), (1, 2)])
        """
        mol = self.oligomer(n_units)
        return mol, [(atom.GetIntProp(_UNIT), atom.GetIntProp(_PLACE)) for atom in mol.GetAtoms()]

    def _labelled(self):
        mol = Chem.MolFromSmiles(self.psmiles)
        for atom in mol.GetAtoms():
            atom.SetIntProp(_PLACE, atom.GetIdx())
        for isotope, star in enumerate(attachment_points(mol), start=1):
            star.SetIsotope(isotope)
        return mol


def _segments(mol):
    """Cut a repeat unit at every bond where it could start.

    The pieces come in backbone order; isotope 1 marks the ``*`` towards the previous piece, 2 the other one.
    """
    mol = Chem.Mol(mol)
    head, tail = _ends(mol)
    path = Chem.GetShortestPath(mol, head, tail)
    backbone = [mol.GetBondBetweenAtoms(a, b) for a, b in pairwise(path[1:-1])]
    cuts = [b.GetIdx() for b in backbone if b.GetBondType() == Chem.BondType.SINGLE and not b.IsInRing()]
    # a cut leaves the same isotope on both of its ends, higher along the path: the lower one on a piece faces back
    mol.GetAtomWithIdx(head).SetIsotope(1)
    mol.GetAtomWithIdx(tail).SetIsotope(len(cuts) + 2)
    if cuts:
        mol = Chem.FragmentOnBonds(mol, cuts, dummyLabels=[(i, i) for i in range(2, len(cuts) + 2)])
    pieces = sorted(
        Chem.GetMolFrags(mol, asMols=True), key=lambda m: min(star.GetIsotope() for star in attachment_points(m))
    )
    for piece in pieces:
        for isotope, star in enumerate(sorted(attachment_points(piece), key=lambda a: a.GetIsotope()), start=1):
            star.SetIsotope(isotope)
    return pieces


def _ends(mol):
    stars = attachment_points(mol)
    if len(stars) != 2:
        raise InvalidStructureError(
            f"has {len(stars)} attachment point{'s' * (len(stars) != 1)} '*'; the repeat unit of a linear polymer has "
            'two (polymer="star" takes any number)'
        )
    if Chem.GetMolFrags(mol)[0] != tuple(range(mol.GetNumAtoms())):
        raise InvalidStructureError("is a repeat unit in several fragments; write one connected unit")
    for star in stars:
        if star.GetDegree() != 1 or star.GetBonds()[0].GetBondType() != Chem.BondType.SINGLE:
            raise InvalidStructureError("has a '*' that is not the end of one single bond")
        star.SetAtomMapNum(0)
    if mol.GetNumAtoms() == 2:
        raise InvalidStructureError("has no atom between its two attachment points")
    return stars[0].GetIdx(), stars[1].GetIdx()


def _join(segments, closed):
    """Zip segments head to tail; RDKit's molzip keeps the stereochemistry at the new bonds."""
    pieces = []
    for i, segment in enumerate(segments):
        piece = Chem.Mol(segment)
        for atom in piece.GetAtoms():
            atom.SetIntProp(_UNIT, i)
        last = i == len(segments) - 1
        # atom maps from 1 name the bonds to be made; 0 leaves an end open
        bonds = {1: i or (len(segments) if closed else 0), 2: len(segments) * closed if last else i + 1}
        for star in attachment_points(piece):
            star.SetAtomMapNum(bonds[star.GetIsotope()])
            star.SetIsotope(0)
        pieces.append(piece)
    if len(pieces) == 1 and not closed:
        return pieces[0]
    return Chem.molzip(reduce(Chem.CombineMols, pieces))


def _tidy(mol):
    mol = Chem.Mol(mol)
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        raise InvalidStructureError(f"its units cannot be joined: {error}") from error
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)  # ends are no longer stereogenic
    return mol
