"""Polymers as polymers: one repeat unit, however it was written."""

from dataclasses import dataclass
from functools import reduce
from itertools import combinations, pairwise

from rdkit import Chem

from sktaag.structures._invalid import InvalidStructureError

_UNIT, _PLACE = "_unit", "_place"  # properties of atoms: where they stand in a chain of units
_NOT_CHIRAL = Chem.ChiralType.CHI_UNSPECIFIED
_SIDES = {
    Chem.BondStereo.STEREOE: Chem.BondStereo.STEREOTRANS,
    Chem.BondStereo.STEREOTRANS: Chem.BondStereo.STEREOTRANS,
    Chem.BondStereo.STEREOZ: Chem.BondStereo.STEREOCIS,
    Chem.BondStereo.STEREOCIS: Chem.BondStereo.STEREOCIS,
}


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
        unit = Chem.Mol(mol)
        head, tail = _ends(unit)
        path = Chem.GetShortestPath(unit, head, tail)[1:-1]
        backbone = [unit.GetBondBetweenAtoms(a, b) for a, b in pairwise(path)]
        cuts = [
            cut
            for cut, bond in zip(pairwise(path), backbone, strict=True)
            if bond.GetBondType() == Chem.BondType.SINGLE and not bond.IsInRing()
        ]
        stereo, joined = _stereo_bonds(unit), {(path[0], head): path[-1], (path[-1], tail): path[0]}
        starts = (_rewire(unit, joined | {(a, b): head, (b, a): tail}, stereo) for a, b in cuts)
        names = [Chem.MolToSmiles(start) for start in (unit, *starts)]
        for period in range(1, len(names)):
            n_units, rest = divmod(len(names), period)
            if not rest and names == names[:period] * n_units:
                # probably written too long; *CO*, whose two starts read the same, is not
                shorter = _part(unit, *cuts[period - 1], stereo)
                if Chem.MolToSmiles(_join(shorter, n_units, closed=False)) == names[0]:
                    return cls.from_mol(shorter)
        return cls(min(names))

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
        return _tidy(_join(unit, n_units or n_fewest, closed=True))

    def oligomer(self, n_units=3):
        """Write `n_units` units in a row and end them with hydrogen.

        Parameters
        ----------
        n_units : int, default=3

        Returns
        -------
        mol : rdkit.Chem.Mol
        """
        chain = _join(self._labelled(), n_units, closed=False)
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
        return mol


def _ends(mol):
    stars = attachment_points(mol)
    if len(stars) != 2:
        raise InvalidStructureError(
            f"has {len(stars)} attachment point{'s' * (len(stars) != 1)} '*'; the repeat unit of a linear polymer has "
            'two (polymer="star", where there is that choice, takes any number)'
        )
    if Chem.GetMolFrags(mol)[0] != tuple(range(mol.GetNumAtoms())):
        raise InvalidStructureError("is a repeat unit in several fragments; write one connected unit")
    for star in stars:
        if star.GetDegree() != 1 or star.GetBonds()[0].GetBondType() != Chem.BondType.SINGLE:
            raise InvalidStructureError("has a '*' that is not the end of one single bond")
        star.SetAtomMapNum(0)
        star.SetIsotope(0)
    if mol.GetNumAtoms() == 2:
        raise InvalidStructureError("has no atom between its two attachment points")
    return stars[0].GetIdx(), stars[1].GetIdx()


def _part(mol, a, b, stereo):
    """Cut a bond of the backbone and return the piece with the first ``*``, if that is not the larger one."""
    mol = Chem.RWMol(mol)
    swaps = {(a, b): mol.AddAtom(Chem.Atom(0)), (b, a): mol.AddAtom(Chem.Atom(0))}
    return min(Chem.GetMolFrags(_rewire(mol, swaps, stereo), asMols=True), key=Chem.Mol.GetNumAtoms)


def _join(unit, n_units, closed):
    """Join copies of a unit, the second ``*`` of each to the first one of the next."""
    head, tail = (star.GetIdx() for star in attachment_points(unit))
    first, last = (unit.GetAtomWithIdx(star).GetNeighbors()[0].GetIdx() for star in (head, tail))
    copies, swaps, n_atoms = [], {}, unit.GetNumAtoms()
    for i in range(n_units):
        copies.append(Chem.Mol(unit))
        for atom in copies[-1].GetAtoms():
            atom.SetIntProp(_UNIT, i)
        if closed or i < n_units - 1:
            this, following = i * n_atoms, (i + 1) * n_atoms if i < n_units - 1 else 0
            swaps[this + last, this + tail] = following + first
            swaps[following + first, following + head] = this + last
    mol = reduce(Chem.CombineMols, copies)
    mol = _rewire(mol, swaps, _stereo_bonds(mol))
    mol.BeginBatchEdit()
    for _, star in swaps:
        mol.RemoveAtom(star)
    mol.CommitBatchEdit()
    return mol


def _stereo_bonds(mol):
    """Double bonds of known configuration: (their two atoms, a neighbour of each, on which sides these are)."""
    return [
        ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), tuple(bond.GetStereoAtoms()), _SIDES[bond.GetStereo()])
        for bond in mol.GetBonds()
        if bond.GetStereo() in _SIDES
    ]


def _rewire(mol, swaps, stereo):
    """Give atoms new neighbours by single bonds, each in the place of an old one: stereochemistry stays as it was.

    RDKit can do this with ``molzip``, but that loses a configuration now and then where a molecule has several.

    Parameters
    ----------
    mol : rdkit.Chem.Mol
    swaps : dict of (int, int) to int
        By an atom and its old neighbour, the new one.
    stereo : list
        Of `_stereo_bonds`.

    Returns
    -------
    mol : rdkit.Chem.RWMol
    """
    new = Chem.RWMol(mol)
    for a, b in {tuple(sorted(bond)) for bond in swaps}:
        new.RemoveBond(a, b)
    for a, b in {tuple(sorted((atom, neighbour))) for (atom, _), neighbour in swaps.items()}:
        new.AddBond(a, b, Chem.BondType.SINGLE)
    for number in {atom for atom, _ in swaps}:
        atom, before = new.GetAtomWithIdx(number), mol.GetAtomWithIdx(number)
        if before.GetChiralTag() != _NOT_CHIRAL:
            order = [neighbour.GetIdx() for neighbour in atom.GetNeighbors()]
            places = [order.index(swaps.get((number, n.GetIdx()), n.GetIdx())) for n in before.GetNeighbors()]
            if sum(one > other for one, other in combinations(places, 2)) % 2:  # an odd permutation
                atom.InvertChirality()
    tags = [(atom, atom.GetChiralTag()) for atom in new.GetAtoms() if atom.GetChiralTag() != _NOT_CHIRAL]
    if tags:  # RDKit keeps how centres of a ring stand to each other, which an inversion changes
        Chem.AssignStereochemistry(new, cleanIt=True, force=True)
        for atom, tag in tags:  # a centre may be none while two neighbours are * alike
            atom.SetChiralTag(tag)
    for ends, sides, configuration in stereo:
        bond = new.GetBondBetweenAtoms(*ends)
        bond.SetStereoAtoms(*(swaps.get((end, side), side) for end, side in zip(ends, sides, strict=True)))
        bond.SetStereo(configuration)
    if stereo:
        for bond in new.GetBonds():
            bond.SetBondDir(Chem.BondDir.NONE)
        Chem.SetDoubleBondNeighborDirections(new)
    return new


def _tidy(mol):
    mol = Chem.Mol(mol)
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        raise InvalidStructureError(f"its units cannot be joined: {error}") from error
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)  # ends are no longer stereogenic
    return mol
