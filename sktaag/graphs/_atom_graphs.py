"""Atoms in space as graphs of neighbours."""

from numbers import Integral, Real

import ase
import numpy as np
import rdkit
import torch
import vesin
from ase.calculators.calculator import Calculator
from ase.geometry import minkowski_reduce
from torch_geometric.data import Data

from sktaag.graphs._graph_transformer import GraphTransformer
from sktaag.structures import AtomsReader, InvalidStructureError

_TIE = 0.01  # Å; neighbours closer in length than this are as near as each other
_WIDEST = 1e4  # Å; vesin lays a grid over a structure: that takes up to minutes at 1e5, and it dies at 1e6


class AtomGraphs(GraphTransformer):
    r"""Molecules, crystals and surfaces as graphs whose edges join atoms nearer than a cutoff.

    Each graph is a `torch_geometric.data.Data` of

    ========== ======= ======== ===============================================================
    name       dtype   shape    what
    ========== ======= ======== ===============================================================
    z          int64   (n,)     atomic numbers
    pos        float64 (n, 3)   positions, Å
    edge_index int64   (2, E)   row 0 the neighbour j (source), row 1 the centre i (target)
    edge_shift float64 (E, 3)   shift of the neighbour's periodic image, Å
    cell       float64 (1,3,3)  cell vectors, Å; zeros if not periodic
    pbc        bool    (1, 3)   periodic along each cell vector
    cutoff     float64 (1,)     longest edge that there could be, Å
    energy     float64 (1,)     eV; only if the structure carries one
    forces     float64 (n, 3)   eV/Å; only if the structure carries them
    ========== ======= ======== ===============================================================

    The vector of an edge is ``pos[j] + edge_shift - pos[i]``. Edges run in both directions, and an atom sees its own
    images. They are sorted by centre, then by length.

    Parameters
    ----------
    cutoff : float, default=6.0
        Longest edge in Å.
    max_neighbors : int or None, default=None
        Keep only so many nearest neighbours of each atom, and those as far as the last of them to 0.01 Å: which
        of several equal ones would stay is chance, and not the same for a rotated structure. An edge may then
        lack its reverse. None keeps all.
    min_distance : float, default=0.3
        Structures with two atoms closer than this, in Å, are invalid.
    n_conformers : int, default=1
        Conformers embedded for a SMILES, or a molecule without positions; the one of lowest energy is kept.
    polymer : {"oligomer", "cyclic"}, default="oligomer"
        What the repeat unit of a polymer becomes: `n_units` in a row ended with hydrogen, or a ring of them.
    n_units : int or None, default=None
        Repeat units in the oligomer or the ring. None is 3 for an oligomer and the fewest that can make a ring.
    random_state : int, default=0
        Seed of the embedding.
    on_invalid : {"raise", "nan"}, default="raise"
        Rows that cannot be read: raise one error that names them all, or make them None and warn.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn. They pay most where molecules are embedded.
    verbose : int, default=0
        Show a progress bar if positive.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps each graph. Survives `clone`, pickle and processes.

    Attributes
    ----------
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        In `transform`, if structures cannot be read and `on_invalid` is "raise".
    ValueError
        In `fit`, for settings that make no sense.

    See Also
    --------
    MoleculeGraphs : Graphs of chemical bonds, without positions.
    graph_batches : Batches bounded by their number of atoms.

    Notes
    -----
    ase.Atoms, pymatgen Structure and Molecule, and RDKit molecules with a conformer are taken as they are. SMILES,
    PSMILES and RDKit molecules without a conformer are embedded by ETKDG [1]_ and relaxed by MMFF94 [2]_ (UFF where
    that has no parameters); the ions of a salt are relaxed side by side. Energy and forces are those of the calculator
    that ase.Atoms carry, if it holds results for these very positions; nothing is computed.

    References
    ----------
    .. [1] S. Wang et al., J. Chem. Inf. Model. 60, 2044 (2020). :doi:`10.1021/acs.jcim.0c00025`
    .. [2] P. Tosco et al., J. Cheminform. 6, 37 (2014). :doi:`10.1186/s13321-014-0037-3`

    Examples
    --------
    >>> from ase.build import bulk
    >>> from sktaag.graphs import AtomGraphs
    >>> graph, = AtomGraphs(cutoff=3.0).fit_transform([bulk("Cu")])
    >>> graph.num_nodes, graph.num_edges  # one atom and its twelve nearest images
    (1, 12)
    >>> vectors = graph.pos[graph.edge_index[0]] + graph.edge_shift - graph.pos[graph.edge_index[1]]
    >>> round(float(vectors.norm(dim=1).max()), 3)
    2.553
    """

    def __init__(
        self,
        cutoff=6.0,
        *,
        max_neighbors=None,
        min_distance=0.3,
        n_conformers=1,
        polymer="oligomer",
        n_units=None,
        random_state=0,
        on_invalid="raise",
        n_jobs=None,
        verbose=0,
        cache=None,
    ):
        self.cutoff = cutoff
        self.max_neighbors = max_neighbors
        self.min_distance = min_distance
        self.n_conformers = n_conformers
        self.polymer = polymer
        self.n_units = n_units
        self.random_state = random_state
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def _check(self):
        if not isinstance(self.cutoff, Real) or not 0 < self.cutoff < np.inf:
            raise ValueError(f"cutoff must be a positive number of Å, got {self.cutoff!r}.")
        if self.max_neighbors is not None and (not isinstance(self.max_neighbors, Integral) or self.max_neighbors < 1):
            raise ValueError(f"max_neighbors must be a positive integer or None, got {self.max_neighbors!r}.")
        if not isinstance(self.min_distance, Real) or not 0 <= self.min_distance < self.cutoff:
            raise ValueError(f"min_distance must be in [0, cutoff) Å, got {self.min_distance!r}.")
        self._reader()

    def _graph(self, structure):
        atoms = self._reader().read(structure)
        neighbor, centre, shift = self._edges(atoms)
        values = {
            "z": atoms.numbers.astype(np.int64),
            "pos": atoms.positions.astype(np.float64),
            "edge_index": np.stack([neighbor, centre]),
            "edge_shift": shift,
            "cell": np.array([atoms.cell if atoms.pbc.any() else np.zeros((3, 3))]),
            "pbc": np.array([atoms.pbc]),
            "cutoff": np.array([self.cutoff], dtype=np.float64),
        }
        return Data(**{k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in (values | _results(atoms)).items()})

    def _edges(self, atoms):
        """Return neighbours, centres and shifts, sorted by centre and then by length."""
        cell = np.array(atoms.cell.complete()) if atoms.pbc.any() else np.zeros((3, 3))
        self._check_size(atoms)
        neighbors = vesin.NeighborList(cutoff=float(self.cutoff), full_list=True)
        i, j, images, length = neighbors.compute(atoms.positions, cell, atoms.pbc, "ijSd")
        order = _in_order(i, j, images, length)
        i, j, images, length = (array[order] for array in (i.astype(np.int64), j.astype(np.int64), images, length))
        if length.size and length.min() < self.min_distance:
            closest = length.argmin()
            raise self._too_close(j[closest], i[closest], length[closest])
        if self.max_neighbors is not None and length.size:
            first = np.searchsorted(i, i)  # where the neighbours of each edge's centre begin
            last = np.minimum(first + self.max_neighbors, np.searchsorted(i, i, side="right")) - 1
            kept = length <= length[last] + _TIE
            i, j, images, length = i[kept], j[kept], images[kept], length[kept]
        return j, i, images @ cell

    def _check_size(self, atoms):
        """Refuse what a neighbour list never comes to an end with: tiny or huge cells, atoms that have flown away."""
        normals = np.linalg.inv(atoms.cell.complete()) if atoms.pbc.any() else np.eye(3)
        lengths = np.linalg.norm(normals, axis=0)
        heights = 1 / lengths
        if (heights[atoms.pbc] < self.min_distance).any():  # else no image is so close
            reduced, _ = minkowski_reduce(atoms.cell, atoms.pbc)
            shortest = np.linalg.norm(reduced[atoms.pbc], axis=1).min()
            if shortest < self.min_distance:
                raise self._too_close(0, 0, shortest)
        width = np.where(atoms.pbc, heights, np.ptp(atoms.positions @ normals / lengths, axis=0)).max()
        if width > _WIDEST:
            raise InvalidStructureError(f"is {width:.3g} Å wide, more than the {_WIDEST:g} Å of a neighbour list")

    def _too_close(self, j, i, distance):
        return InvalidStructureError(
            f"has atoms {j} and {i} at {distance:.3g} Å from each other, closer than min_distance={self.min_distance:g}"
        )

    def _reader(self):
        return AtomsReader(self.n_conformers, self.random_state, self.polymer, self.n_units)

    def _versions(self):
        return vesin.__version__, rdkit.__version__, ase.__version__, torch.__version__.split("+")[0]


def _in_order(i, j, images, length):
    """Sort by centre, then by length, then by what else tells edges apart."""
    images = images - images.min(initial=0)
    base = images.max(initial=0) + 1
    rest = ((j.astype(np.int64) * base + images[:, 0]) * base + images[:, 1]) * base + images[:, 2]
    order = np.argsort(rest)
    order = order[np.argsort(length[order], kind="stable")]
    centre = i[order].astype(np.min_scalar_type(i.max(initial=0)))  # small integers are sorted in no time
    return order[np.argsort(centre, kind="stable")]


def _results(atoms):
    """Energy and forces that a calculator has for these positions; it is not asked to compute any."""
    calculator = atoms.calc
    if not isinstance(calculator, Calculator) or not calculator.results:
        return {}
    if not _identical(calculator.atoms, atoms) and calculator.check_state(atoms):  # the latter takes its time
        return {}
    shapes = {"energy": (1,), "forces": (len(atoms), 3)}
    return {
        name: np.array(calculator.results[name], dtype=np.float64).reshape(shape)
        for name, shape in shapes.items()
        if calculator.results.get(name) is not None
    }


def _identical(known, atoms):
    if known is None or known.arrays.keys() != atoms.arrays.keys():
        return False
    same = all(np.array_equal(values, known.arrays[name]) for name, values in atoms.arrays.items())
    return same and np.array_equal(known.cell, atoms.cell) and np.array_equal(known.pbc, atoms.pbc)
