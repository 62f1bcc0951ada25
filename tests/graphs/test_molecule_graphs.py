"""Graphs of bonds: molecules as torch_geometric sees them, polymers as one period of an endless chain."""

import pickle

import networkx as nx
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from rdkit import Chem, rdBase
from torch_geometric.data import Batch
from torch_geometric.nn import GINEConv
from torch_geometric.utils import from_smiles

from sktaag.graphs import MoleculeGraphs
from sktaag.structures import InvalidRowsError, InvalidRowsWarning

POLYMERS = {  # repeat units, each written in several ways
    "ethylene oxide": ["*CCO*", "*OCC*", "*COC*", "*CCOCCO*", "O(*)CC*"],
    "styrene": ["*CC(*)c1ccccc1", "*C(C*)c1ccccc1", "C(*)C(*)c1ccccc1", "*CC(c1ccccc1)CC(*)c1ccccc1"],
    "ethylene": ["*CC*", "*C*", "*CCCC*"],
    "phenylene": ["*c1ccc(*)cc1", "*C1=CC=C(*)C=C1", "c1cc(*)ccc1*"],
    "ester": ["*C(=O)c1ccc(cc1)C(=O)OCCO*", "*OCCOC(=O)c1ccc(C(*)=O)cc1", "*CCOC(=O)c1ccc(cc1)C(=O)O*"],
    "acetylene": ["*C=C*", "*=CC=*"][:1],
    "siloxane": ["*[Si](C)(C)O*", "*O[Si](C)(C)*"],
}


@pytest.fixture
def log_of_rdkit():
    """Leave RDKit's log as it was: torch_geometric's from_smiles silences it for good."""
    before = rdBase.LogStatus().split()
    yield
    for log in before:
        name, _, state = log.partition(":")
        (rdBase.EnableLog if state == "enabled" else rdBase.DisableLog)(name)


def graph_of(structure, **options):
    return MoleculeGraphs(**options).fit_transform([structure])[0]


def columns(transformer, row, names):
    return set(names[np.asarray(row, dtype=bool)])


def assert_same(one, two):
    for name, value in one.to_dict().items():
        assert torch.equal(value, two[name]), name


@pytest.mark.parametrize(
    "smiles", ["CCO", "c1ccccc1C(=O)O", "C[N+](C)(C)CC([O-])=O", "C#N", "FC(F)(F)Cl", "[Na+].[Cl-]"]
)
def test_atoms_and_bonds_are_those_of_torch_geometric(smiles, log_of_rdkit):
    ours, theirs = graph_of(smiles), from_smiles(smiles)
    ours.validate(raise_on_error=True)
    assert_array_equal(ours.z, theirs.x[:, 0])
    assert {tuple(e) for e in ours.edge_index.T.tolist()} == {tuple(e) for e in theirs.edge_index.T.tolist()}
    names = MoleculeGraphs().fit([smiles])
    charge = names.atom_features_.tolist().index("charge")
    assert_array_equal(ours.x[:, charge], theirs.x[:, 3] - 5)
    aromatic, ring = (names.atom_features_.tolist().index(name) for name in ("aromatic", "in a ring"))
    assert_array_equal(ours.x[:, aromatic], theirs.x[:, 7])
    assert_array_equal(ours.x[:, ring], theirs.x[:, 8])


def test_features_have_names_and_mean_them():
    transformer = MoleculeGraphs().fit(["C"])
    graph = transformer.transform(["C[C@H](N)/C=C/c1cc[nH]c1"])[0]
    assert graph.x.shape[1] == len(transformer.atom_features_) == len(set(transformer.atom_features_))
    assert graph.edge_attr.shape[1] == len(transformer.bond_features_) == len(set(transformer.bond_features_))
    atoms = [columns(transformer, row, transformer.atom_features_) for row in graph.x]
    assert atoms[0] == {"element C", "1 bonds", "3 hydrogens", "hybridisation SP3"}
    assert atoms[1] in ({"element C", "3 bonds", "1 hydrogens", "hybridisation SP3", end} for end in "RS")
    assert atoms[8] == {"element N", "2 bonds", "1 hydrogens", "hybridisation SP2", "aromatic", "in a ring"}
    pairs = [tuple(edge) for edge in graph.edge_index.T.tolist()]
    bonds = dict(
        zip(pairs, (columns(transformer, row, transformer.bond_features_) for row in graph.edge_attr), strict=True)
    )
    assert bonds[0, 1] == bonds[1, 0] == {"single"}
    assert bonds[3, 4] == {"double", "conjugated", "E"}
    assert "aromatic" in bonds[5, 6]
    assert "in a ring" in bonds[5, 6]


def test_mirror_images_and_isomers_differ():
    one, two = MoleculeGraphs().fit_transform(["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"])
    assert not torch.equal(one.x, two.x)
    one, two = MoleculeGraphs().fit_transform(["C/C=C/C", "C/C=C\\C"])
    assert not torch.equal(one.edge_attr, two.edge_attr)


def test_elements_and_numbers_beyond_the_columns():
    transformer = MoleculeGraphs().fit(["C"])
    uranium, sulphur = transformer.transform(["[U]", "FS(F)(F)(F)(F)F"])
    assert "element other" in columns(transformer, uranium.x[0], transformer.atom_features_)
    assert "6 bonds" in columns(transformer, sulphur.x[1], transformer.atom_features_)
    assert uranium.z.tolist() == [92]


def test_star_of_a_file_is_a_star():
    star = Chem.MolFromSmiles("*CC")
    assert_same(graph_of(Chem.MolFromMolBlock(Chem.MolToMolBlock(star))), graph_of("*CC"))


def test_hydrogens_are_atoms_only_if_drawn():
    mol = Chem.AddHs(Chem.MolFromSmiles("C"))
    assert graph_of(mol).z.tolist() == [6, 1, 1, 1, 1]
    assert graph_of("C").z.tolist() == [6]


def test_single_atom_has_no_edges():
    graph = graph_of("C")
    assert graph.edge_index.shape == (2, 0)
    assert graph.edge_attr.shape[0] == 0
    assert Batch.from_data_list([graph, graph_of("CC")]).edge_index.tolist() == [[2, 1], [1, 2]]


# ---------------------------------------------------------------- polymers


@pytest.mark.parametrize("polymer", ["cyclic", "oligomer"])
@pytest.mark.parametrize("name", POLYMERS)
def test_one_polymer_is_one_graph(name, polymer):
    first, *others = MoleculeGraphs(polymer).fit_transform(POLYMERS[name])
    for other in others:
        assert_same(first, other)


def test_star_depends_on_the_words():
    one, two = MoleculeGraphs().fit_transform(["*CCO*", "*COC*"])
    assert sorted(one.z.tolist()) == sorted(two.z.tolist()) == [0, 0, 6, 6, 8]
    bonds = [{tuple(pair) for pair in graph.z[graph.edge_index].T.tolist()} for graph in (one, two)]
    assert (6, 6) in bonds[0]
    assert (6, 6) not in bonds[1]


def multigraph(graph):
    """Atoms with their properties and bonds with theirs; the two edges of a bond are one."""
    result = nx.MultiGraph()
    for i, row in enumerate(graph.x):
        result.add_node(i, x=tuple(row.tolist()))
    for (i, j), row in zip(graph.edge_index.T.tolist(), graph.edge_attr, strict=True):
        if i <= j:
            result.add_edge(i, j, x=tuple(row.tolist()))
    return result


@pytest.mark.parametrize("name", POLYMERS)
def test_several_units_are_a_ring_of_units(name):
    """k units closed to a ring: every atom k times, every bond k times, all of them connected."""
    one, three = (graph_of(POLYMERS[name][0], polymer="cyclic", n_units=k) for k in (1, 3))
    assert three.num_nodes == 3 * one.num_nodes
    assert three.num_edges == 3 * one.num_edges
    assert_array_equal(np.unique(three.x, axis=0), np.unique(one.x, axis=0))
    assert nx.is_connected(multigraph(three))


@pytest.mark.parametrize("name", POLYMERS)
def test_a_network_sees_an_endless_chain(name):
    """Message passing cannot tell one unit from three, nor from the middle of a long oligomer."""
    torch.manual_seed(0)
    one, three, long = (
        graph_of(POLYMERS[name][0], polymer=polymer, n_units=n)
        for polymer, n in (("cyclic", 1), ("cyclic", 3), ("oligomer", 9))
    )
    width, bonds = one.x.shape[1], one.edge_attr.shape[1]
    layers = [GINEConv(torch.nn.Linear(width, width), edge_dim=bonds) for _ in range(3)]

    def states(graph):
        x = graph.x
        for layer in layers:
            x = layer(x, graph.edge_index, graph.edge_attr).tanh()
        return x.detach().numpy()

    expected = states(one)
    distance = np.abs(states(three)[:, None] - expected).max(axis=2)
    assert distance.min(axis=0).max() < 1e-6
    assert distance.min(axis=1).max() < 1e-6
    # three layers see three bonds far, so that the middle of nine units does not feel the ends
    middle = np.abs(states(long)[:, None] - expected).max(axis=2)
    assert middle.min(axis=0).max() < 1e-6


@pytest.mark.parametrize("name", ["ethylene oxide", "ester", "styrene"])
def test_closing_a_period_is_closing_a_ring(name):
    """Where the ring is large enough to be no other molecule, its graph is the same but for the marks of the ring."""
    psmiles = POLYMERS[name][0]
    from sktaag.structures import MoleculeReader

    ring = graph_of(MoleculeReader(polymer="cyclic", n_units=4).read(psmiles))
    period = graph_of(psmiles, polymer="cyclic", n_units=4)
    transformer = MoleculeGraphs().fit(["C"])
    keep = transformer.atom_features_ != "in a ring"
    for graph in (ring, period):
        graph.x = graph.x[:, keep]
        graph.edge_attr = graph.edge_attr[:, transformer.bond_features_ != "in a ring"]
    graphs = multigraph(ring), multigraph(period)
    assert nx.is_isomorphic(
        *graphs,
        node_match=dict.__eq__,
        edge_match=lambda a, b: sorted(map(str, a.values())) == sorted(map(str, b.values())),
    )


def test_no_ring_where_the_polymer_has_none():
    transformer = MoleculeGraphs("cyclic").fit(["*CCO*"])
    ether, phenylene = transformer.transform(["*CCO*", "*c1ccc(*)cc1"])
    ring = transformer.atom_features_.tolist().index("in a ring")
    assert not ether.x[:, ring].any()
    assert phenylene.x[:, ring].all()
    assert phenylene.x[:, transformer.atom_features_.tolist().index("aromatic")].all()
    between = transformer.bond_features_.tolist().index("in a ring")
    assert (phenylene.edge_attr[:, between] == 0).sum() == 2  # the bond to the next ring, in both directions


def test_polyethylene_is_one_atom_bonded_to_itself():
    graph = graph_of("*CC*", polymer="cyclic")
    assert graph.edge_index.tolist() == [[0, 0], [0, 0]]
    assert graph_of("*C=C*", polymer="cyclic").edge_index.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_molecules_are_molecules_under_each_choice():
    for polymer in ("star", "cyclic", "oligomer"):
        assert_same(graph_of("CCO", polymer=polymer), graph_of("CCO"))


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ("C1CC", "unclosed ring"),
        ("", "is an empty string"),
        ("*CC", "has 1 attachment point"),
        ("*C(*)C*", "has 3 attachment points"),
        ("*=CC=*", "has a '\\*' that is not the end of one single bond"),
        (7, "is a number"),
    ],
)
def test_invalid_structures_say_why(structure, reason):
    transformer = MoleculeGraphs("cyclic").fit(["C"])
    with pytest.raises(InvalidRowsError, match=reason):
        transformer.transform(["C", structure])
    tolerant = MoleculeGraphs("cyclic", on_invalid="nan").fit(["C"])
    with pytest.warns(InvalidRowsWarning):
        graphs = tolerant.transform(["C", structure])
    assert graphs[0].num_nodes == 1
    assert graphs[1] is None


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"polymer": "ring"}, 'polymer must be "star", "cyclic" or "oligomer", got \'ring\''),
        ({"n_units": 2}, 'n_units needs polymer="cyclic" or "oligomer"'),
        ({"polymer": "cyclic", "n_units": 0}, "n_units must be a positive integer or None, got 0"),
        ({"fragments": "first"}, 'fragments must be "keep" or "largest"'),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        MoleculeGraphs(**parameters).fit(["CCO"])


def test_cached_pickled_and_from_processes(tmp_path):
    X = ["CCO", "*CCO*", "C", "c1ccccc1", "[Na+].[Cl-]", Chem.MolFromSmiles("C[C@H](N)O")]
    plain = MoleculeGraphs("cyclic").fit(X)
    expected = plain.transform(X)
    cached = MoleculeGraphs("cyclic", cache=tmp_path)
    for graphs in (
        cached.fit_transform(X),
        cached.fit_transform(X),
        pickle.loads(pickle.dumps(plain)).transform(X),
        pickle.loads(pickle.dumps(expected)),
        MoleculeGraphs("cyclic", n_jobs=2).fit_transform(X * 20)[: len(X)],
    ):
        for one, two in zip(graphs, expected, strict=True):
            assert_same(one, two)


def test_fragments():
    assert graph_of("CC(=O)[O-].[Na+]", fragments="largest").num_nodes == 4
    assert graph_of("CC(=O)[O-].[Na+]").num_nodes == 5
