import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from ase.build import bulk, molecule
from graph_sources import ENERGIES, MOLECULES, TINY, tiny_source
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch_geometric.data import Batch

from sktaag.cache import RowCache
from sktaag.graphs import AtomGraphs
from sktaag.nn import make_backbone
from sktaag.sources import GNNRegressor, save_source
from sktaag.sources._tokens import graph_tokens
from sktaag.structures import InvalidRowsError, InvalidRowsWarning
from sktaag.transfer import FineTunedRegressor, GNNFeaturizer, TAAGFeaturizer, TAAGRegressor


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def states_of(source, atoms):
    """Tokens of one structure by the backbone itself."""
    graph = AtomGraphs(source.backbone_.cutoff).fit([atoms]).transform([atoms])[0]
    with torch.no_grad():
        return source.backbone_.tokens(Batch.from_data_list([graph])).numpy()


def test_features_are_the_pooled_tokens_of_a_plain_loop(source):
    features = GNNFeaturizer(source, pooling=("mean", "std", "sum", "max")).fit_transform(MOLECULES)
    for row, atoms in zip(features, MOLECULES, strict=True):
        states = states_of(source, atoms)
        expected = [pool(states[:, depth], axis=0) for depth in range(3) for pool in (np.mean, np.std, np.sum, np.max)]
        assert_allclose(row, np.concatenate(expected), rtol=1e-4, atol=1e-5)


def test_pools_by_element(source):
    featurizer = GNNFeaturizer(source, layers=[1], pooling="sum", by_element=True).fit(MOLECULES)
    assert featurizer.elements_.tolist() == [1, 6, 7, 8]
    names = featurizer.get_feature_names_out()
    assert names[[0, 8]].tolist() == ["L(-1)_sum_H_1", "L(-1)_sum_C_1"]
    states, water = states_of(source, MOLECULES[0])[:, -1], MOLECULES[0]
    row = featurizer.transform([water])[0].reshape(4, 8)
    assert_allclose(row[0], states[water.numbers == 1].sum(axis=0), rtol=1e-4, atol=1e-6)
    assert_allclose(row[1:3], 0)
    whole = GNNFeaturizer(source, layers=[1], pooling="sum").fit_transform([water])
    assert_allclose(row.sum(axis=0), whole[0], rtol=1e-4, atol=1e-5)


def test_elements_that_a_structure_lacks_are_zero(source):
    pools = ("max", "std", "sum", "mean")
    featurizer = GNNFeaturizer(source, layers=[1], pooling=pools, by_element=True).fit(MOLECULES)
    row = featurizer.transform(MOLECULES[:1])[0].reshape(4, 4, 8)  # pools, elements, channels
    assert_allclose(row[:, 1:3], 0)
    states = states_of(source, MOLECULES[0])[:, -1][MOLECULES[0].numbers == 1]
    assert_allclose(row[:, 0], [getattr(states, pool)(axis=0) for pool in pools], rtol=1e-4, atol=1e-6)


def test_many_structures_are_pooled_piece_by_piece(source, monkeypatch):
    expected = GNNFeaturizer(source, by_element=True).fit_transform(MOLECULES)
    monkeypatch.setattr("sktaag.transfer._gnn_featurizer._CHUNK", 3)
    assert_allclose(GNNFeaturizer(source, by_element=True).fit_transform(MOLECULES), expected, rtol=1e-4, atol=1e-6)


def test_states_in_memory_are_bounded_by_their_numbers(source, monkeypatch):
    sizes = []

    def counting(backbone, graphs, *args):
        sizes.append(sum(graph.num_nodes for graph in graphs))
        return graph_tokens(backbone, graphs, *args)

    monkeypatch.setattr("sktaag.transfer._gnn_featurizer.graph_tokens", counting)
    monkeypatch.setattr("sktaag.transfer._gnn_featurizer._CHUNK", 20 * 3 * 8)  # 20 atoms, 3 depths, 8 channels
    GNNFeaturizer(source).fit_transform(MOLECULES)
    assert sum(sizes) == sum(map(len, MOLECULES))
    assert max(sizes) <= 20


def test_elements_that_fit_did_not_see_are_named(source):
    featurizer = GNNFeaturizer(source, pooling="sum", by_element=True).fit(MOLECULES[:2])  # water and methane
    with pytest.warns(UserWarning, match=r"1 structures have elements that fit did not see \(row 1: N\)"):
        featurizer.transform([molecule("H2O"), molecule("NH3")])


@pytest.mark.parametrize(
    ("layers", "depths"), [(1, [2]), (2, [1, 2]), ([1, 3], [0, 2]), ("all", [0, 1, 2]), (np.array([1, 3]), [0, 2])]
)
def test_layers_count_from_the_last_block(source, layers, depths):
    featurizer = GNNFeaturizer(source, layers, pooling="mean").fit(MOLECULES)
    everything = GNNFeaturizer(source, pooling="mean").fit_transform(MOLECULES).reshape(len(MOLECULES), 3, -1)
    assert_allclose(featurizer.transform(MOLECULES), everything[:, depths].reshape(len(MOLECULES), -1), rtol=1e-5)
    assert [name.partition("_")[0] for name in featurizer.get_feature_names_out()[::8]] == [
        f"L(-{3 - depth})" for depth in depths
    ]


def test_a_row_does_not_depend_on_the_others(source):
    featurizer = GNNFeaturizer(source).fit(MOLECULES)
    together = featurizer.transform(MOLECULES)
    alone = np.concatenate([featurizer.transform([atoms]) for atoms in MOLECULES])
    assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_rotated_and_repeated_crystals_have_the_same_mean(source):
    crystal = bulk("C", "diamond", a=3.57)
    turned = crystal.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    features = GNNFeaturizer(source, pooling="mean").fit_transform([crystal, turned, crystal.repeat(2)])
    assert_allclose(features, features[[0, 0, 0]], rtol=1e-3, atol=1e-5)


def test_pipeline_and_grid_search(source):
    model = make_pipeline(GNNFeaturizer(source, pooling="sum"), Ridge())
    scores = cross_val_score(model, MOLECULES, ENERGIES, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    search = GridSearchCV(model, {"gnnfeaturizer__layers": [1, "all"], "gnnfeaturizer__by_element": [False]}, cv=3)
    assert search.fit(MOLECULES, ENERGIES).best_params_["gnnfeaturizer__layers"] in (1, "all")


def test_memory_of_a_pipeline(source, tmp_path, monkeypatch):
    model = make_pipeline(GNNFeaturizer(source), RidgeCV(), memory=str(tmp_path)).fit(MOLECULES, ENERGIES)
    monkeypatch.setattr(GNNFeaturizer, "fit_transform", None)  # it is found in the memory
    again = clone(model).fit(MOLECULES, ENERGIES)
    assert_allclose(again.predict(MOLECULES), model.predict(MOLECULES))


def test_clone_shares_the_source(source):
    featurizer = GNNFeaturizer(source, [1, 2], graphs=AtomGraphs(5.0)).set_output(transform="pandas")
    copy = clone(featurizer)
    assert copy.source is source
    assert copy.graphs is not featurizer.graphs
    assert copy.get_params()["graphs__cutoff"] == 5.0
    assert copy.fit_transform(MOLECULES).columns[0] == "L(-2)_mean_1"


def test_pickle_and_frame(source):
    featurizer = GNNFeaturizer(source).set_output(transform="pandas").fit(MOLECULES)
    frame = pickle.loads(pickle.dumps(featurizer)).transform(MOLECULES)
    assert frame.columns.tolist() == featurizer.get_feature_names_out().tolist()
    assert_allclose(frame, GNNFeaturizer(source).fit_transform(MOLECULES), rtol=1e-6)


def test_cached_states_are_computed_once(source, tmp_path, monkeypatch):
    counts = []
    rows = RowCache.rows

    def counting(self, keys, values, compute):
        return rows(self, keys, values, lambda missing: counts.append(len(missing)) or compute(missing))

    monkeypatch.setattr(RowCache, "rows", counting)
    plain = GNNFeaturizer(source).fit_transform(MOLECULES)
    for layers in ("all", 1, "all"):
        features = GNNFeaturizer(source, layers, cache=tmp_path).fit_transform(MOLECULES)
    assert_allclose(features, plain, rtol=1e-6)
    assert sum(counts) == len(MOLECULES)


def test_file_and_graph_network_of_bonds(tmp_path):
    smiles = ["CCO", "CC", "CCC", "OCCO"]
    source = GNNRegressor("gine", target="intensive", module__n_layers=2, module__n_features=8, max_epochs=2)
    source.fit(smiles, [1.0, 2.0, 3.0, 4.0])
    save_source(source, tmp_path / "source")
    features = GNNFeaturizer(tmp_path / "source", pooling="mean").fit_transform(smiles)
    assert_allclose(features, GNNFeaturizer(source, pooling="mean").fit_transform(smiles), rtol=1e-5)
    model = make_pipeline(GNNFeaturizer(source), RidgeCV()).fit(smiles, [1.0, 2.0, 3.0, 4.0])
    assert model.predict(["CCCC"]).shape == (1,)


def test_a_backbone_is_a_source(source):
    backbone = make_backbone("schnet", n_layers=1, n_features=8, cutoff=4.0)
    before = {name: weight.clone() for name, weight in backbone.state_dict().items()}
    featurizer = GNNFeaturizer(backbone, pooling="sum")
    assert clone(featurizer).source is backbone
    (row,) = featurizer.fit_transform(MOLECULES[:1])
    assert backbone.training
    assert not any(part.training for part in featurizer.backbone_.modules())
    graphs = AtomGraphs(4.0).fit_transform(MOLECULES[:1])
    with torch.no_grad():
        assert_allclose(row, backbone.tokens(Batch.from_data_list(list(graphs))).sum(dim=0).ravel(), rtol=1e-5)

    network = source.module_.backbone
    tuned = FineTunedRegressor(network, strategy="freeze", n_blocks=2, max_epochs=1, random_state=0)
    tuned.fit(MOLECULES, ENERGIES)
    kept = network.state_dict()
    assert all(torch.equal(weight, kept[name]) for name, weight in tuned.backbone_.state_dict().items())
    TAAGRegressor(backbone, freeze="none", lr=0.1, max_epochs=1, random_state=0).fit(MOLECULES, ENERGIES)
    assert all(torch.equal(weight, before[name]) for name, weight in backbone.state_dict().items())
    with pytest.raises(ValueError, match='readout="source" cannot be'):
        TAAGRegressor(backbone, attention="last", readout="source").fit(MOLECULES, ENERGIES)


def test_invalid_rows_become_nan(source):
    graphs = AtomGraphs(TINY["module__cutoff"], on_invalid="nan")
    featurizer = GNNFeaturizer(source, graphs=graphs).fit(MOLECULES)
    with pytest.warns(InvalidRowsWarning):
        features = featurizer.transform([MOLECULES[0], molecule("H2O")[:0]])
    assert np.isnan(features[1]).all()
    assert np.isfinite(features[0]).all()


def test_graphs_that_are_all_invalid_are_rows_of_nan_too(source):
    chain = make_pipeline(AtomGraphs(4.0, on_invalid="nan"), GNNFeaturizer(source)).fit(MOLECULES)
    learned = make_pipeline(AtomGraphs(4.0, on_invalid="nan"), TAAGFeaturizer(source, cv=None, max_epochs=1))
    for model in (chain, learned.fit(MOLECULES, ENERGIES)):
        for X in ([MOLECULES[0], None], [None]):
            with pytest.warns(InvalidRowsWarning):
                assert np.isnan(model.transform(X)[-1]).all()
    for model in (GNNFeaturizer(source), TAAGFeaturizer(source, cv=None, max_epochs=1)):
        with pytest.raises(InvalidRowsError, match="row 0: None: is missing"):
            model.fit(MOLECULES, ENERGIES).transform([None])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": 4}, "asks for depth 4, counted from the last block; the source has 3"),
        ({"layers": [0]}, "asks for depth 0"),
        ({"layers": "last"}, 'layers must be an integer, a list of integers or "all"'),
        ({"layers": []}, "picks no depth"),
        ({"pooling": "median"}, "pooling must be some of mean, std, sum, max"),
        ({"pooling": ["sum", "sum"]}, "each once"),
        ({"graphs": AtomGraphs(2.0)}, "graphs end at cutoff=2 Å"),
    ],
)
def test_errors(source, params, message):
    with pytest.raises(ValueError, match=message):
        GNNFeaturizer(source, **params).fit(MOLECULES)


def test_what_is_neither_a_file_nor_a_backbone():
    with pytest.raises(FileNotFoundError, match=r"no file 'CHGNet', and no backbone of that name.*chgnet"):
        GNNFeaturizer("CHGNet").fit(MOLECULES)
    with pytest.raises(ValueError, match=r"'cgcnn' has no pretrained weights.* or read a file of its authors"):
        GNNFeaturizer("cgcnn").fit(MOLECULES)


def test_forms_of_structures_agree(source):
    graphs = AtomGraphs(TINY["module__cutoff"]).fit(MOLECULES).transform(MOLECULES)
    column = np.empty(len(MOLECULES), dtype=object)
    column[:] = MOLECULES
    featurizer = GNNFeaturizer(source).fit(MOLECULES)
    expected = featurizer.transform(MOLECULES)
    for X in (column, pd.Series(column), pd.DataFrame({"atoms": column}), tuple(MOLECULES), graphs):
        assert_allclose(featurizer.transform(X), expected, rtol=1e-6)
        assert_allclose(GNNFeaturizer(source).fit_transform(X), expected, rtol=1e-6)
