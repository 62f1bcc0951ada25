"""Neighbour graphs, against ASE's own neighbour list."""

import pickle

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.neighborlist import neighbor_list
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Lattice, Molecule, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from torch_geometric.data import Batch

from sktaag.graphs import AtomGraphs
from sktaag.structures import InvalidRowsError, InvalidRowsWarning


def graph_of(structure, cutoff=5.0, **options):
    return AtomGraphs(cutoff, **options).fit_transform([structure])[0]


def edge_vectors(graph):
    source, target = graph.edge_index
    return graph.pos[source] + graph.edge_shift - graph.pos[target]


def sorted_edges(i, j, vectors):
    """Edges as rows (centre, neighbour, vector) in one order, whatever order they came in."""
    rows = np.column_stack([i, j, np.round(vectors, 6) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


def rattled(atoms, seed=0):
    atoms = atoms.copy()
    atoms.rattle(0.1, seed=seed)
    return atoms


def slab(periodic):
    atoms = rattled(fcc111("Cu", (2, 1, 2), vacuum=3.0))
    atoms.pbc = periodic
    return atoms


SYSTEMS = {
    "molecule": rattled(molecule("CH3CH2OH")),
    "one atom": Atoms("He"),
    "its own images": bulk("Cu"),
    "small skewed cell": Atoms(
        "NaCl", [[0, 0, 0], [1.5, 1, 1]], cell=[[3, 0, 0], [1.4, 2.8, 0], [1, 1, 2.9]], pbc=True
    ),
    "supercell": rattled(bulk("Cu", cubic=True) * (3, 2, 2)),
    "surface": slab((True, True, False)),
    "wire": slab((True, False, False)),
    "box without periodicity": slab(False),
    "surface without a third vector": Atoms(
        "C2", [[0, 0, 0], [1.2, 0.7, 0]], cell=[[2.4, 0, 0], [1.2, 2.1, 0], [0, 0, 0]], pbc=(1, 1, 0)
    ),
    "atoms outside of the cell": Atoms("Cu2", [[-7, 0, 0], [30, 1, 1]], cell=[3, 4, 5], pbc=True),
}


@pytest.mark.parametrize("cutoff", [2.0, 5.0, 9.0])
@pytest.mark.parametrize("name", SYSTEMS)
def test_edges_equal_those_of_ase(name, cutoff):
    atoms = SYSTEMS[name]
    graph = graph_of(atoms, cutoff)
    i, j, vectors = neighbor_list("ijD", atoms, cutoff)
    source, target = graph.edge_index.numpy()
    assert_allclose(sorted_edges(target, source, edge_vectors(graph).numpy()), sorted_edges(i, j, vectors), atol=2e-6)


def test_what_a_graph_holds():
    atoms = SYSTEMS["surface"]
    graph = graph_of(atoms)
    graph.validate(raise_on_error=True)
    assert_array_equal(graph.z, atoms.numbers)
    assert_array_equal(graph.pos, atoms.positions)
    assert_array_equal(graph.cell, atoms.cell[None])
    assert graph.pbc.tolist() == [[True, True, False]]
    assert graph.cutoff.tolist() == [5.0]
    dtypes = {name: value.dtype for name, value in graph.to_dict().items()}
    assert dtypes == {
        "z": torch.int64,
        "pos": torch.float64,
        "edge_index": torch.int64,
        "edge_shift": torch.float64,
        "cell": torch.float64,
        "pbc": torch.bool,
        "cutoff": torch.float64,
    }
    assert edge_vectors(graph).norm(dim=1).max() <= 5.0
    lengths, target = edge_vectors(graph).norm(dim=1), graph.edge_index[1]
    assert (target.diff() >= 0).all()
    assert (lengths.diff()[target.diff() == 0] >= -1e-9).all()  # by length within a centre


def test_a_cell_without_periodicity_is_left_out():
    graph = graph_of(SYSTEMS["box without periodicity"])
    assert not graph.cell.any()
    assert not graph.edge_shift.any()


def test_edges_run_in_both_directions():
    graph = graph_of(SYSTEMS["small skewed cell"])
    forward = sorted_edges(*graph.edge_index.numpy(), edge_vectors(graph).numpy())
    backward = sorted_edges(*graph.edge_index.numpy()[::-1], -edge_vectors(graph).numpy())
    assert_allclose(forward, backward, atol=2e-6)


@pytest.mark.parametrize("max_neighbors", [None, 4])
@pytest.mark.parametrize("name", ["molecule", "small skewed cell", "its own images", "supercell"])
def test_rotation_turns_the_edges_and_nothing_else(name, max_neighbors):
    rotation = np.linalg.qr(np.random.RandomState(0).normal(size=(3, 3)))[0]
    atoms = SYSTEMS[name]
    turned = atoms.copy()
    turned.set_cell(atoms.cell @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    one, two = (graph_of(x, 5.0, max_neighbors=max_neighbors) for x in (atoms, turned))
    rows = [
        sorted_edges(*g.edge_index.numpy(), v)
        for g, v in ((one, edge_vectors(one).numpy() @ rotation.T), (two, edge_vectors(two).numpy()))
    ]
    assert_allclose(*rows, atol=2e-6)


def test_permutation_permutes():
    atoms = SYSTEMS["supercell"]
    order = np.random.RandomState(0).permutation(len(atoms))
    one, two = graph_of(atoms, max_neighbors=6), graph_of(atoms[order], max_neighbors=6)
    renamed = order[two.edge_index.numpy()]
    assert_allclose(
        sorted_edges(*renamed, edge_vectors(two).numpy()),
        sorted_edges(*one.edge_index.numpy(), edge_vectors(one).numpy()),
        atol=2e-6,
    )


def test_max_neighbors_equals_a_plain_loop():
    atoms = SYSTEMS["supercell"]
    full, graph = graph_of(atoms, 6.0), graph_of(atoms, 6.0, max_neighbors=5)
    for i in range(len(atoms)):
        lengths = edge_vectors(full).norm(dim=1)[full.edge_index[1] == i].sort().values
        kept = edge_vectors(graph).norm(dim=1)[graph.edge_index[1] == i]
        assert_allclose(kept, lengths[: (lengths <= lengths[4] + 0.01).sum()], atol=1e-12)


def test_equal_neighbors_all_stay():
    # twelve nearest neighbours at the same distance: any five of them would be chance
    assert graph_of(bulk("Cu"), 5.0, max_neighbors=5).num_edges == 12
    assert graph_of(bulk("Cu"), 5.0, max_neighbors=12).num_edges == 12
    assert graph_of(bulk("Cu"), 5.0, max_neighbors=13).num_edges == 12 + 6
    assert graph_of(Atoms("He"), 5.0, max_neighbors=3).num_edges == 0


# ---------------------------------------------------------------- what structures may be


def test_pymatgen_equals_ase():
    structure = Structure(Lattice.from_parameters(3, 4, 5, 80, 95, 110), ["Na", "Cl"], [[0, 0, 0], [0.4, 0.5, 0.6]])
    for theirs, ours in (
        (structure, AseAtomsAdaptor.get_atoms(structure)),
        (Molecule(["O", "H", "H"], molecule("H2O").positions), molecule("H2O")),
    ):
        one, two = graph_of(theirs), graph_of(ours)
        assert_array_equal(one.z, two.z)
        assert_allclose(one.pos, two.pos)
        assert_allclose(one.cell, two.cell)
        assert_allclose(edge_vectors(one).norm(dim=1).sort().values, edge_vectors(two).norm(dim=1).sort().values)


def test_slab_of_pymatgen_keeps_its_periodicity():
    lattice = Lattice.cubic(4.0, pbc=(True, True, False))
    assert graph_of(Structure(lattice, ["Cu"], [[0, 0, 0]])).num_edges == 4


def test_ethanol_from_smiles_is_ethanol():
    graph = graph_of("CCO")
    assert graph.z.tolist() == [6, 6, 8, 1, 1, 1, 1, 1, 1]
    heavy = {(0, 1): 1.51, (1, 2): 1.42}  # Å, C-C and C-O
    for (a, b), length in heavy.items():
        assert float((graph.pos[a] - graph.pos[b]).norm()) == pytest.approx(length, abs=0.03)
    assert not graph.pbc.any()


def test_geometry_does_not_depend_on_the_words():
    one, two = AtomGraphs(5.0, random_state=3).fit_transform(["C(O)CN", "NCCO"])
    lengths = [edge_vectors(g).norm(dim=1).sort().values for g in (one, two)]
    assert_allclose(*lengths, atol=1e-6)
    assert one.z.tolist()[:4] == [6, 8, 6, 7]  # the order of the atoms is that of the words


def test_seed_and_conformers():
    long = "CCCCCCO"
    one, again, other, last = (graph_of(long, random_state=seed).pos for seed in (0, 0, 1, 2**32 - 1))
    assert_array_equal(one, again)
    assert not np.allclose(one, other)
    assert not np.allclose(one, last)


def energy_of(smiles, n_conformers):
    from rdkit.Chem import rdForceFieldHelpers

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(graph_of(smiles, n_conformers=n_conformers).pos.numpy())
    mol.AddConformer(conformer)
    return rdForceFieldHelpers.MMFFGetMoleculeForceField(
        mol, rdForceFieldHelpers.MMFFGetMoleculeProperties(mol)
    ).CalcEnergy()


def test_the_conformer_of_lowest_energy_is_kept():
    one, ten = (energy_of("OCCCCCCO", n) for n in (1, 10))
    assert ten < one - 0.1  # kcal/mol


def test_conformer_of_a_molecule_is_taken_as_it_is():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMolecule(mol, randomSeed=7)
    assert_array_equal(graph_of(mol).pos, mol.GetConformer().GetPositions())
    heavy = Chem.RemoveHs(mol)  # its hydrogens get places of their own
    assert graph_of(heavy).num_nodes == 9
    assert_array_equal(graph_of(heavy).pos[:3], heavy.GetConformer().GetPositions())
    assert graph_of(Chem.MolFromSmiles("CCO")).num_nodes == 9


def test_polymers():
    oligomer, ring = graph_of("*CCO*"), graph_of("*CCO*", polymer="cyclic", n_units=3)
    assert sorted(oligomer.z.tolist()) == [1] * 14 + [6] * 6 + [8] * 3
    assert sorted(ring.z.tolist()) == [1] * 12 + [6] * 6 + [8] * 3
    lengths = [edge_vectors(g).norm(dim=1).sort().values for g in AtomGraphs(5.0).fit_transform(["*CCO*", "*OCC*"])]
    assert_allclose(*lengths, atol=1e-6)


# ---------------------------------------------------------------- energies and forces


def test_results_that_the_atoms_carry():
    atoms = molecule("H2O")
    forces = np.arange(9.0).reshape(3, 3)
    atoms.calc = SinglePointCalculator(atoms, energy=-14.2, forces=forces)
    graph = graph_of(atoms)
    assert graph.energy.tolist() == [-14.2]
    assert_array_equal(graph.forces, forces)
    batch = Batch.from_data_list([graph, graph])
    assert batch.energy.shape == (2,)
    assert batch.cell.shape == (2, 3, 3)
    assert batch.forces.shape == (6, 3)
    atoms.positions += 0.1
    atoms.positions[0] += 0.1  # the results belong to other positions now
    assert "energy" not in graph_of(atoms)


def test_nothing_is_computed():
    atoms = molecule("H2O")
    atoms.calc = EMT()
    assert "energy" not in graph_of(atoms)
    assert not atoms.calc.results


# ---------------------------------------------------------------- rows that are no structures

DUMMY = Structure(Lattice.cubic(4), ["X0+"], [[0, 0, 0]])
DISORDERED = Structure(Lattice.cubic(4), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])
INVALID = [
    (Atoms(), "has no atoms"),
    (Atoms("HX", [[0, 0, 0], [0, 0, 1]]), "has atom 1 of atomic number 0, which is no element"),
    (Atoms("H2", [[0, 0, 0], [0, 0, np.nan]]), r"has atom 1 at \[ *0\. +0\. +nan\], which is nowhere"),
    (Atoms("H2", [[0, 0, 0], [0, 0, 0.1]]), "has atoms 1 and 0 at 0.1 Å from each other, closer than min_distance=0.3"),
    (Atoms("H", cell=[0.2, 5, 5], pbc=True), "has atoms 0 and 0 at 0.2 Å from each other"),
    # these would take all memory, or end the process
    (Atoms("H", cell=[1e-8, 5, 5], pbc=True), "has atoms 0 and 0 at 1e-08 Å from each other"),
    (Atoms("H", cell=[[5, 0, 0], [5, 1e-8, 0], [0, 0, 5]], pbc=(1, 1, 0)), "has atoms 0 and 0 at 1e-08 Å"),
    (Atoms("H2", [[0, 0, 0], [1e6, 0, 0]]), r"is 1e\+06 Å wide, more than the 10000 Å of a neighbour list"),
    (Atoms("H2", [[0, 0, 0], [9, 9, 1e6]], cell=[3, 3, 9], pbc=(1, 1, 0)), r"is 1e\+06 Å wide"),
    (Atoms("H", cell=[3, 3, 1e6], pbc=True), r"is 1e\+06 Å wide"),
    (Atoms("H", pbc=True), "is periodic in a cell of no volume: give it a cell, or set its pbc to False"),
    (Atoms("H", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True), "is periodic in a cell of no volume"),
    (DUMMY, "has atom 0 of atomic number 0, which is no element"),
    (DISORDERED, "is disordered: site 0 holds Fe0.5 Ni0.5"),
    ("*C", "has 1 attachment point "),
    ("C1CC", "unclosed ring"),
    (3.5, "is a number"),
    (None, "is missing"),
    ("F[Xe](F)(F)(F)(F)F", "neither MMFF94 nor UFF|no 3D conformer"),
]


@pytest.mark.parametrize(("structure", "reason"), INVALID, ids=[str(i) for i in range(len(INVALID))])
def test_invalid_structures_say_why(structure, reason):
    transformer = AtomGraphs(4.0).fit([molecule("H2O")])
    with pytest.raises(InvalidRowsError, match=reason) as error:
        transformer.transform([molecule("H2O"), structure])
    assert [row for row, *_ in error.value.rows] == [1]


def test_invalid_rows_become_none():
    X = [molecule("H2O"), Atoms(), "CO", "C1CC"]
    with pytest.warns(InvalidRowsWarning, match="2 of 4 structures are invalid"):
        graphs = AtomGraphs(4.0, on_invalid="nan").fit_transform(X)
    assert [graph is None for graph in graphs] == [False, True, False, True]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"cutoff": 0}, "cutoff must be a positive number of Å, got 0"),
        ({"cutoff": "6"}, "cutoff must be a positive number"),
        ({"cutoff": np.inf}, "cutoff must be a positive number"),
        ({"max_neighbors": 0}, "max_neighbors must be a positive integer or None, got 0"),
        ({"min_distance": 6.0}, r"min_distance must be in \[0, cutoff\) Å, got 6.0"),
        ({"n_conformers": 0}, "n_conformers must be a positive integer, got 0"),
        ({"random_state": None}, "random_state must be an integer from 0 to 4294967295, got None"),
        ({"polymer": "star"}, 'polymer must be "oligomer" or "cyclic", got \'star\''),
        ({"on_invalid": "drop"}, 'on_invalid must be "raise" or "nan"'),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        AtomGraphs(**parameters).fit(["CCO"])


# ---------------------------------------------------------------- batches, copies, cache


def test_a_batch_is_its_graphs_side_by_side():
    graphs = AtomGraphs(4.0).fit_transform(list(SYSTEMS.values()))
    batch = Batch.from_data_list(list(graphs))
    assert batch.num_graphs == len(graphs)
    assert_allclose(edge_vectors(batch), torch.cat([edge_vectors(graph) for graph in graphs]))
    for graph, single in zip(batch.to_data_list(), graphs, strict=True):
        assert_same(graph, single)


def assert_same(one, two):
    assert set(one.keys()) == set(two.keys())
    for name, value in one.to_dict().items():
        assert value.dtype == two[name].dtype
        assert torch.equal(value, two[name]), name


def test_cached_pickled_and_from_processes(tmp_path):
    X = [*SYSTEMS.values(), "CCO", molecule("CO")]
    X[-1].calc = SinglePointCalculator(X[-1], energy=-1.0, forces=np.ones((2, 3)))
    plain = AtomGraphs(4.0).fit(X)
    expected = plain.transform(X)
    cached = AtomGraphs(4.0, cache=tmp_path)
    for graphs in (
        cached.fit_transform(X),
        cached.fit_transform(X),
        pickle.loads(pickle.dumps(plain)).transform(X),
        pickle.loads(pickle.dumps(expected)),
        AtomGraphs(4.0, n_jobs=2).fit_transform(X * 10)[: len(X)],
    ):
        for one, two in zip(graphs, expected, strict=True):
            assert_same(one, two)


def test_cache_tells_energies_and_cutoffs_apart(tmp_path):
    atoms, same = molecule("H2O"), molecule("H2O")
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    short, long = (AtomGraphs(cutoff, cache=tmp_path).fit([atoms]) for cutoff in (1.2, 4.0))
    assert short.transform([atoms])[0].num_edges == 4
    assert long.transform([atoms])[0].num_edges == 6
    assert "energy" not in long.transform([same])[0]
    assert "energy" in long.transform([atoms])[0]


def test_a_warm_cache_makes_no_edges(tmp_path, monkeypatch):
    X = list(SYSTEMS.values())
    transformer = AtomGraphs(4.0, cache=tmp_path).fit(X)
    transformer.transform(X)
    monkeypatch.setattr(AtomGraphs, "_graph", None)
    assert len(transformer.transform([atoms.copy() for atoms in X])) == len(X)


def test_arrays_in_the_order_of_fortran_can_be_kept(tmp_path):
    atoms = molecule("H2O")
    atoms.arrays["positions"] = np.asfortranarray(atoms.positions)
    atoms.calc = SinglePointCalculator(atoms, forces=np.asfortranarray(np.arange(9.0).reshape(3, 3)))
    for cache in (tmp_path, None):
        graph = graph_of(atoms, cache=cache)
        assert_array_equal(graph.pos, atoms.positions)
        assert_array_equal(graph.forces, np.arange(9.0).reshape(3, 3))


def test_structures_are_not_changed():
    atoms = SYSTEMS["atoms outside of the cell"]
    before = atoms.copy()
    graph = graph_of(atoms)
    graph.pos += 1.0
    assert atoms == before


def test_frames_hold_graphs():
    frame = AtomGraphs(4.0).set_output(transform="pandas").fit_transform([molecule("H2O"), molecule("CO")])
    assert frame.columns.tolist() == ["graph"]
    assert frame["graph"][1].num_nodes == 2
