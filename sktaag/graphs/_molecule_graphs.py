"""Molecules and polymers as graphs of chemical bonds."""

import numpy as np
import rdkit
import torch
from torch_geometric.data import Data

from sktaag.graphs._features import ATOM_FEATURES, BOND_FEATURES, atom_features, bond_features
from sktaag.graphs._graph_transformer import GraphTransformer
from sktaag.structures import MoleculeReader, RepeatUnit


class MoleculeGraphs(GraphTransformer):
    """Molecules and polymer repeat units as graphs of atoms and bonds.

    Each graph is a `torch_geometric.data.Data` of

    ========== ======= ================= ====================================================
    name       dtype   shape             what
    ========== ======= ================= ====================================================
    z          int64   (n,)              atomic numbers, 0 for ``*``
    x          float32 (n, n_atom_feat.) properties of atoms, named in `atom_features_`
    edge_index int64   (2, E)            both directions of each bond, sorted by row 1, then 0
    edge_attr  float32 (E, n_bond_feat.) properties of bonds, named in `bond_features_`
    ========== ======= ================= ====================================================

    Hydrogens are counted at their atoms, not drawn, unless an RDKit molecule has them as atoms.

    Parameters
    ----------
    polymer : {"star", "cyclic", "oligomer"}, default="star"
        What a repeat unit such as ``*CCO*`` becomes: left as written with its ``*`` atoms; its ends joined, so that
        the graph is one period of the endless chain; or `n_units` in a row ended with hydrogen. The last two do not
        depend on how the unit was written.
    n_units : int or None, default=None
        Repeat units in the period or the oligomer. None is 1 for "cyclic" and 3 for "oligomer".
    fragments : {"keep", "largest"}, default="keep"
        Keep every fragment of a salt or mixture, or the largest alone.
    on_invalid : {"raise", "nan"}, default="raise"
        Rows that cannot be read: raise one error that names them all, or make them None and warn.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn.
    verbose : int, default=0
        Show a progress bar if positive.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps each graph. Survives `clone`, pickle and processes.

    Attributes
    ----------
    atom_features_ : ndarray of str, of shape (n_atom_features,)
        Names of the columns of ``x``: element, number of bonds, hydrogens, formal charge, unpaired electrons,
        hybridisation, aromatic, in a ring, chirality (CIP).
    bond_features_ : ndarray of str, of shape (n_bond_features,)
        Names of the columns of ``edge_attr``: order, conjugated, in a ring, E or Z.
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        In `transform`, if structures cannot be read and `on_invalid` is "raise".
    ValueError
        In `fit`, for settings that do not go together.

    See Also
    --------
    AtomGraphs : Graphs of neighbours in space.

    Notes
    -----
    Under ``polymer="cyclic"`` the properties of atoms and bonds are those within a chain: the closing of the period
    makes no ring, and poly(1,4-phenylene) keeps its aromatic rings. The bond between two periods joins an atom of the
    unit to another one, to a second edge beside a bond that is there already, or to the atom itself.
    The properties are close to those of D-MPNN [1]_ and AttentiveFP [2]_.

    References
    ----------
    .. [1] K. Yang et al., J. Chem. Inf. Model. 59, 3370 (2019). :doi:`10.1021/acs.jcim.9b00237`
    .. [2] Z. Xiong et al., J. Med. Chem. 63, 8749 (2020). :doi:`10.1021/acs.jmedchem.9b00959`

    Examples
    --------
    >>> from sktaag.graphs import MoleculeGraphs
    >>> graph, = MoleculeGraphs().fit_transform(["CCO"])
    >>> graph.z.tolist(), graph.edge_index.tolist()
    ([6, 6, 8], [[1, 0, 2, 1], [0, 1, 1, 2]])
    >>> one, two, three = MoleculeGraphs(polymer="cyclic").fit_transform(["*CCO*", "*OCC*", "*COC*"])
    >>> one.num_nodes, one.num_edges, bool((one.x == two.x).all() and (one.x == three.x).all())
    (3, 6, True)
    """

    def __init__(
        self,
        polymer="star",
        *,
        n_units=None,
        fragments="keep",
        on_invalid="raise",
        n_jobs=None,
        verbose=0,
        cache=None,
    ):
        self.polymer = polymer
        self.n_units = n_units
        self.fragments = fragments
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def fit(self, X, y=None):
        """Check the parameters and the form of X; nothing is learned.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures: list, tuple, array, Series or one-column DataFrame.
        y : None
            Ignored.

        Returns
        -------
        self : MoleculeGraphs
        """
        super().fit(X, y)
        self.atom_features_ = np.array(ATOM_FEATURES, dtype=object)
        self.bond_features_ = np.array(BOND_FEATURES, dtype=object)
        return self

    def _check(self):
        MoleculeReader(self.fragments, self.polymer, self.n_units)

    def _graph(self, structure):
        if self.polymer != "cyclic":
            mol = MoleculeReader(self.fragments, self.polymer, self.n_units).read(structure)
            return _data(mol, range(mol.GetNumAtoms()), {})
        mol = MoleculeReader(self.fragments).read(structure)
        if all(atom.GetAtomicNum() for atom in mol.GetAtoms()):
            return _data(mol, range(mol.GetNumAtoms()), {})
        return _one_period(RepeatUnit.from_mol(mol), self.n_units or 1)

    def _versions(self):
        return (rdkit.__version__,)


def _one_period(unit, n_units):
    """Cut `n_units` out of a chain that has one unit more at each end."""
    mol, places = unit.chain(n_units + 2)
    inner = [i for i, (number, _) in enumerate(places) if 1 <= number <= n_units]
    first = {place: i for i, (number, place) in enumerate(places) if number == 1}
    images = {i: first[place] for i, (number, place) in enumerate(places) if number == n_units + 1}
    return _data(mol, inner, images)


def _data(mol, atoms, images):
    """Make the graph of some atoms of a molecule; images are atoms beyond them, by the atom that each stands for."""
    number = {atom: i for i, atom in enumerate(atoms)}
    edges, attributes = [], []
    for bond in mol.GetBonds():
        begin, end = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        # a bond to the unit before is the mirror of one to the unit behind, and so are those between images
        if {begin, end} <= number.keys() | images.keys() and {begin, end} & number.keys():
            a, b = number[images.get(begin, begin)], number[images.get(end, end)]
            edges += [(a, b), (b, a)]
            attributes += [bond_features(bond)] * 2
    edge_index = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    edge_attr = np.array(attributes, dtype=np.float32).reshape(-1, len(BOND_FEATURES))
    order = np.lexsort((*edge_attr.T, *edge_index))
    return Data(
        z=torch.tensor([mol.GetAtomWithIdx(i).GetAtomicNum() for i in number]),
        x=torch.from_numpy(np.array([atom_features(mol.GetAtomWithIdx(i)) for i in number], dtype=np.float32)),
        edge_index=torch.from_numpy(np.ascontiguousarray(edge_index[:, order])),
        edge_attr=torch.from_numpy(edge_attr[order]),
    )
