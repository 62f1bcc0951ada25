"""TAAGRegressor and TAAGClassifier; the conformance of their kind is in tests/test_common.py."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from graph_sources import ENERGIES, MOLECULES, clusters, tiny_source
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch_geometric.data import Batch

from sktaag.cache import RowCache
from sktaag.graphs import AtomGraphs
from sktaag.nn.backbones import SchNet
from sktaag.sources import GNNClassifier, GNNRegressor, ModelLibrary, load_source, save_source
from sktaag.sources._target_scaler import TargetScaler
from sktaag.transfer import FineTunedRegressor, TAAGClassifier, TAAGRegressor
from sktaag.transfer._attention_transfer import rates_by_depth

ATTENTIONS = ("last", "sum", "mix", "query", "taag")
GAPS = np.array([12.6, 13.6, 10.8, 11.5, 10.8, 10.5, 13.8, 10.9, 13.6, 8.9])  # eV


@pytest.fixture(scope="module")
def source():
    return tiny_source()


def taag(source, **params):
    return TAAGRegressor(source, **({"max_epochs": 4, "random_state": 0, "device": "cpu", "lr": 0.01} | params))


def weights(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


# ---------------------------------------------------------------- what is frozen and what is not


@pytest.mark.parametrize(("freeze", "frozen_up_to"), [("all", 2), ("embeddings", 0), (1, 1), ("none", -1)])
def test_frozen_weights_stay_bit_by_bit(source, freeze, frozen_up_to):
    made, energies, forces = clusters(6)
    source = tiny_source()
    before, of_source = weights(source.backbone_), weights(source.module_)
    model = taag(source, freeze=freeze, ema=0.9, weight_decay=0.1).fit(made, energies, forces=forces)
    for name, weight in model.backbone_.named_parameters():
        frozen = model.backbone_.depth_of(name) <= frozen_up_to
        assert torch.equal(weight, before[name]) == frozen, name
    for name, tensor in source.module_.state_dict().items():
        assert torch.equal(tensor, of_source[name]), f"the training changed {name} of the source"


def test_a_layer_that_all_blocks_share_stays_with_those_of_the_source():
    small = {"module__n_layers": 1, "module__n_features": 8, "module__n_heads": 2, "max_epochs": 2, "device": "cpu"}
    source = GNNRegressor("visnet", random_state=0, **small).fit(MOLECULES, ENERGIES)
    model = taag(source, n_fresh_blocks=1).fit(MOLECULES, ENERGIES)
    after = model.backbone_.state_dict()
    for name, tensor in source.backbone_.state_dict().items():
        assert torch.equal(tensor, after[name]), name
    groups = rates_by_depth(model.module_, 1.0, 0.1)
    assert {group["lr"] for name, group in groups if "out_norm" in name} == {0.1}
    trained = taag(source, n_fresh_blocks=1, freeze=0).fit(MOLECULES, ENERGIES).backbone_.out_norm
    assert not torch.equal(trained.weight, source.backbone_.out_norm.weight)


@pytest.mark.parametrize("n_fresh_blocks", [0, 1])
def test_learning_rates_by_depth(source, n_fresh_blocks):
    """The first step of Adam is as long as the learning rate."""
    params = {"freeze": "none", "n_fresh_blocks": n_fresh_blocks, "max_epochs": 1, "weight_decay": 0.0}
    params |= {"clip": None, "module__residual": False}  # without a gate, which keeps fresh blocks still at first
    rates = [1e-5, 1e-4, 1e-3, 1e-2][: 3 + n_fresh_blocks]  # embedding, two blocks, the fresh one
    made, energies, forces = clusters(4)
    start, decayed, equal = (
        taag(source, **params, lr=lr, lr_decay=decay).fit(made, energies, forces=forces)
        for lr, decay in ((0.0, 0.1), (0.01, 0.1), (0.01, 1.0))
    )

    def longest(model):
        steps = dict.fromkeys(range(len(rates)), 0.0)
        for (name, old), new in zip(start.backbone_.named_parameters(), model.backbone_.parameters(), strict=True):
            depth = model.backbone_.depth_of(name)
            steps[depth] = max(steps[depth], float((new - old).detach().abs().max()))
        return list(steps.values())

    assert longest(decayed) == pytest.approx(rates, rel=0.02)
    assert longest(equal) == pytest.approx([0.01] * len(rates), rel=0.02)
    # in skorch's own words
    groups = [("backbone.interactions.0.*", {"lr": 1e-4}), ("backbone.interactions.1.*", {"lr": 1e-3})]
    by_name = taag(source, **params, lr=0.01, optimizer__param_groups=groups).fit(made, energies, forces=forces)
    assert longest(by_name)[1:3] == pytest.approx([1e-4, 1e-3], rel=0.02)


def test_scratch_shares_no_weight(source):
    model = taag(source, freeze="scratch").fit(MOLECULES, ENERGIES)
    assert model.backbone_.config == source.backbone_.config
    of_source = {id(tensor.untyped_storage()) for tensor in source.module_.state_dict().values()}
    for name, tensor in model.module_.state_dict().items():
        assert id(tensor.untyped_storage()) not in of_source
        if tensor.numel() > 1 and name in source.module_.state_dict() and tensor.std() > 0 and "offset" not in name:
            assert not torch.equal(tensor, source.module_.state_dict()[name]), name
    other = taag(tiny_source(random_state=1, max_epochs=1), freeze="scratch").fit(MOLECULES, ENERGIES)
    assert_allclose(other.predict(MOLECULES), model.predict(MOLECULES), rtol=1e-10)


def test_fresh_blocks_are_trained_and_start_from_nothing(source):
    start = taag(source, n_fresh_blocks=2, lr=0.0, readout="source", weight_decay=0.0).fit(MOLECULES, ENERGIES)
    assert start.backbone_.n_layers == 4
    assert start.layer_weights_.shape == (5,)
    none = taag(source, lr=0.0, readout="source", weight_decay=0.0).fit(MOLECULES, ENERGIES)
    assert_allclose(start.predict(MOLECULES), none.predict(MOLECULES), rtol=1e-6)
    model = taag(source, n_fresh_blocks=2, readout="source", weight_decay=0.0, max_epochs=8).fit(MOLECULES, ENERGIES)
    before, moved = start.backbone_.state_dict(), set()
    for name, weight in model.backbone_.named_parameters():
        if not torch.equal(weight, before[name]):
            moved.add(model.backbone_.depth_of(name))
    assert moved == {3, 4}


# ---------------------------------------------------------------- what the attention does


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_before_the_first_step_it_is_the_plain_readout(source, attention):
    if attention == "sum":  # SchNet reads the last state; the sum is another model
        with pytest.raises(ValueError, match="the readout of the source takes the last of the tokens"):
            taag(source, attention=attention, readout="source").fit(MOLECULES, ENERGIES)
        return
    model = taag(source, attention=attention, lr=0.0, weight_decay=0.0, readout="source").fit(MOLECULES, ENERGIES)
    differences = model.predict(MOLECULES) - source.predict(MOLECULES)
    counts = np.array([[np.sum(m.numbers == z) for z in (1, 6, 7, 8)] for m in MOLECULES])
    # but for the reference energies, which are refitted
    assert_allclose(counts @ np.linalg.lstsq(counts, differences)[0], differences, atol=1e-6)
    assert_allclose(model.predict_forces(MOLECULES)[4], source.predict_forces(MOLECULES)[4], atol=1e-9)


@pytest.mark.parametrize("attention", ["mix", "query", "taag"])
def test_the_attention_enters_the_prediction(source, attention):
    model = taag(source, attention=attention, max_epochs=30).fit(MOLECULES, ENERGIES)
    assert abs(model.module_.attention.gate.item()) > 1e-4
    model.module_(Batch.from_data_list(list(model.graphs_.transform(MOLECULES)))).sum().backward()
    learned = dict(model.module_.attention.named_parameters())
    # a bias of the keys never enters a softmax over the keys; everything else must
    assert all(weight.grad.abs().max() > 1e-8 for name, weight in learned.items() if name != "attention.in_proj_bias")
    for plain in ("last", "sum"):
        other = taag(source, attention=plain, max_epochs=30).fit(MOLECULES, ENERGIES)
        assert np.abs(other.predict(MOLECULES) - model.predict(MOLECULES)).max() > 1e-3
    assert_allclose(model.layer_weights_.sum(), 1.0, rtol=1e-6)
    assert model.layer_weights_.shape == (3,)


def test_a_frozen_backbone_is_run_once(source, monkeypatch):
    calls, tokens = [], SchNet.tokens
    monkeypatch.setattr(SchNet, "tokens", lambda self, batch: calls.append(1) or tokens(self, batch))
    for freeze in ("all", 2):  # it has two blocks
        taag(source, max_epochs=20, batch_size=2, freeze=freeze).fit(MOLECULES, ENERGIES)
        assert len(calls) == 1  # ten molecules are one batch
        calls.clear()
    taag(source, max_epochs=5, batch_size=2, freeze="embeddings").fit(MOLECULES, ENERGIES)
    assert len(calls) >= 25


class Watch(Callback):
    """Notes how many tensors the training has to look after, and ends it by an error if asked to."""

    def __init__(self, seen, fails=False):
        self.seen = seen
        self.fails = fails

    def __deepcopy__(self, memo):
        return self

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.module_.state_dict()))
        if self.fails:
            raise RuntimeError("on purpose")


def test_a_frozen_backbone_is_put_aside_while_the_attention_learns(source):
    seen = []
    model = taag(source, attention="mix", callbacks=[Watch(seen)]).fit(MOLECULES, ENERGIES)
    assert set(seen) == {2 + len(model.module_.head.state_dict())}
    assert not any(weight.requires_grad for weight in model.backbone_.parameters())
    for name, tensor in model.backbone_.state_dict().items():
        assert torch.equal(tensor, source.backbone_.state_dict()[name])
    before = set(vars(model))
    with pytest.raises(RuntimeError, match="on purpose"):
        model.set_params(callbacks=[Watch(seen, fails=True)]).fit(MOLECULES, ENERGIES)
    assert set(vars(model)) == before


def test_a_fit_that_fails_leaves_nothing_behind(source):
    y = ["a", "b"] * 5
    model = TAAGClassifier(source, class_weight={"c": 1.0}, max_epochs=2, random_state=0, device="cpu")
    with pytest.raises(ValueError, match="not in class_weight"):
        model.fit(MOLECULES, y)
    model.set_params(class_weight=None, freeze="none").fit(MOLECULES, y)
    assert_allclose(model.predict_proba(MOLECULES), clone(model).fit(MOLECULES, y).predict_proba(MOLECULES), rtol=1e-9)


def test_cached_tokens_give_the_same_model(source, tmp_path, monkeypatch):
    expected = taag(source).fit(MOLECULES, ENERGIES).predict(MOLECULES)
    asked, rows = [], RowCache.rows

    def counting(self, keys, values, compute):
        return rows(self, keys, values, lambda missing: asked.extend(missing) or compute(missing))

    monkeypatch.setattr(RowCache, "rows", counting)
    assert_allclose(taag(source, cache=tmp_path).fit(MOLECULES, ENERGIES).predict(MOLECULES), expected, rtol=1e-7)
    assert len(asked) == len(MOLECULES)
    asked.clear()
    again = clone(taag(source, cache=tmp_path)).set_params(attention="mix").fit(MOLECULES, ENERGIES)
    assert asked == []
    assert again.layer_weights_.shape == (3,)
    # tokens that were computed are those of a training that computes them in each step
    one = taag(source, lr=0.01, batch_size=5).fit(MOLECULES, ENERGIES)
    slow = taag(source, lr=0.01, batch_size=5)
    monkeypatch.setattr(type(slow), "_training_graphs", lambda self, network, graphs, forces: graphs)
    assert_allclose(slow.fit(MOLECULES, ENERGIES).predict(MOLECULES), one.predict(MOLECULES), rtol=1e-5)


def test_attended_states(source):
    with pytest.raises(NotFittedError, match="TAAGRegressor instance is not fitted yet"):
        taag(source).attended_states(MOLECULES)
    model = taag(source, attention="query").fit(MOLECULES, ENERGIES)
    states, shares = model.attended_states(MOLECULES)
    assert [part.shape for part in states] == [(len(m), 8) for m in MOLECULES]
    assert_allclose(np.concatenate(shares).mean(axis=0), model.layer_weights_, atol=1e-6)


# ---------------------------------------------------------------- physics


@pytest.fixture(scope="module", params=[("taag", "all", 0), ("query", "embeddings", 1)], ids=str)
def trained(request, source):
    attention, freeze, n_fresh_blocks = request.param
    model = taag(source, attention=attention, freeze=freeze, n_fresh_blocks=n_fresh_blocks, max_epochs=10)
    return model.fit(MOLECULES, ENERGIES)


def test_forces_are_the_gradient(trained):
    cell = bulk("C", "diamond", a=3.6, cubic=True)
    cell.rattle(0.05, seed=1)
    for atoms in (molecule("C2H6"), cell):
        (forces,) = trained.predict_forces([atoms])
        for atom, axis in ((0, 0), (1, 2), (5, 1)):
            moved = [atoms.copy(), atoms.copy()]
            for step, copy in zip((1e-4, -1e-4), moved, strict=True):
                copy.positions[atom, axis] += step
            plus, minus = trained.predict(moved)
            assert_allclose(forces[atom, axis], -(plus - minus) / 2e-4, rtol=1e-4, atol=1e-5 * np.abs(forces).max())


def test_predictions_do_not_depend_on_the_batch(trained):
    together, forces = trained.predict(MOLECULES), trained.predict_forces(MOLECULES)
    alone = np.concatenate([trained.predict([m]) for m in MOLECULES])
    assert_allclose(alone, together, rtol=1e-10)
    order = np.random.RandomState(0).permutation(len(MOLECULES))
    assert_allclose(trained.predict([MOLECULES[i] for i in order]), together[order], rtol=1e-10)
    assert_allclose(trained.predict_forces([MOLECULES[4]])[0], forces[4], atol=1e-10)


def test_invariances_and_size_consistency(trained):
    atoms = molecule("CH3OH")
    order = np.random.RandomState(0).permutation(len(atoms))
    moved = atoms[order]
    moved.rotate(50, (1, 2, 3))
    moved.translate([10, -4, 2])
    assert_allclose(trained.predict([moved]), trained.predict([atoms]), rtol=1e-8)
    far = molecule("C2H4")
    far.translate([50, 0, 0])
    assert_allclose(trained.predict([atoms + far])[0], trained.predict([atoms, far]).sum(), rtol=1e-9)


def test_forces_are_learned_through_a_frozen_backbone(source):
    made, energies, forces = clusters(12)

    def errors(**params):
        model = taag(source, batch_size=6, weight_decay=0.0, **params).fit(made, energies, forces=forces)
        return np.abs(np.array(model.predict_forces(made)) - np.array(forces)).mean()

    assert errors(max_epochs=40) < 0.9 * errors(lr=0.0)


# ---------------------------------------------------------------- sources and readouts


def test_forms_of_a_source(source, tmp_path):
    expected = taag(source).fit(MOLECULES, ENERGIES).predict(MOLECULES)
    save_source(source, tmp_path / "gnn.source")
    library = ModelLibrary(tmp_path / "library")
    model_id = library.add(source, property="energy")
    pipeline = make_pipeline(AtomGraphs(4.0), GNNRegressor(**source.get_params())).fit(MOLECULES, ENERGIES)
    for form in (
        FrozenEstimator(source),
        tmp_path / "gnn.source",
        str(tmp_path / "gnn.source"),
        f"{tmp_path / 'library'}#{model_id}",
        pipeline,
    ):
        assert_allclose(taag(form).fit(MOLECULES, ENERGIES).predict(MOLECULES), expected, rtol=1e-9)


def test_sources_that_are_none(source):
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        taag(clone(source)).fit(MOLECULES, ENERGIES)
    with pytest.raises(TypeError, match="got AtomGraphs"):
        taag(AtomGraphs()).fit(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match="'schnet' has no pretrained weights"):
        taag("schnet").fit(MOLECULES, ENERGIES)
    with pytest.raises(ValueError, match="'gine' has no pretrained weights"):
        taag("gine").fit(MOLECULES, ENERGIES)


def test_pretrained_by_others():
    pytest.importorskip("chgnet", reason="needs chgnet, as in sktaag[chgnet]")
    cells = [bulk("NaCl", "rocksalt", a=a) for a in (5.4, 5.5, 5.6, 5.7)]
    true = np.array([-3.1, -3.3, -3.4, -3.3])
    model = taag("chgnet", attention="mix", lr=0.0, weight_decay=0.0, readout="source", max_epochs=1)
    predicted = model.fit(cells, true).predict(cells)
    from chgnet.model import CHGNet
    from pymatgen.io.ase import AseAtomsAdaptor

    theirs = CHGNet.load(verbose=False).predict_structure([AseAtomsAdaptor.get_structure(cell) for cell in cells])
    energies = np.array([2 * float(result["e"]) for result in theirs])
    assert_allclose(predicted - predicted[0], energies - energies[0], atol=2e-4)
    assert_allclose(predicted.mean(), true.mean(), atol=1e-6)
    fresh = clone(model).set_params(readout="fresh", attention="last").fit(cells, true)
    pretrained = model.module_.head.state_dict()
    assert fresh.module_.head.state_dict().keys() == pretrained.keys()
    assert not all(torch.equal(weight, pretrained[name]) for name, weight in fresh.module_.head.state_dict().items())


def test_readout_of_other_labels(source):
    model = taag(source, target="intensive").fit(MOLECULES, GAPS)
    assert model.predict(MOLECULES).shape == (10,)
    with pytest.raises(ValueError, match="the readout of the source is for 1 extensive targets, y has 1 intensive"):
        taag(source, target="intensive", readout="source").fit(MOLECULES, GAPS)
    with pytest.raises(ValueError, match="without the residual"):
        taag(source, readout="source", module__residual=False).fit(MOLECULES, ENERGIES)
    y = np.column_stack([GAPS, ENERGIES])
    y[:3, 1] = np.nan
    assert taag(source).fit(MOLECULES, y).predict(MOLECULES).shape == (10, 2)


def test_auto_keeps_a_readout_that_knows_something(source):
    def kept(y, readout="auto"):
        model = taag(source, lr=0.0, weight_decay=0.0, readout=readout).fit(MOLECULES, y)
        heads = (model.module_.head.parameters(), source.module_.head.parameters())
        return all(torch.equal(one, other) for one, other in zip(*heads, strict=True))

    numbers = [m.numbers for m in MOLECULES]
    said = source.predict(MOLECULES) - source.target_scaler_.baseline(numbers)[:, 0]
    assert kept(ENERGIES + 3 * said)
    assert not kept(ENERGIES + 3 * said, readout="fresh")
    assert not kept(TargetScaler().fit(numbers, ENERGIES[:, None]).baseline(numbers)[:, 0] - 3 * said)


# ---------------------------------------------------------------- the contract


def test_parameters_of_the_source_are_out_of_reach(source):
    model = taag(source, graphs=AtomGraphs(4.5))
    assert clone(model).source is source
    assert "graphs__cutoff" in model.get_params()
    assert not any(name.startswith("source__") for name in model.get_params())
    with pytest.raises(ValueError, match="source that is fitted"):
        model.set_params(source__lr=1.0)
    with config_context(enable_metadata_routing=True):
        assert clone(model.set_fit_request(forces=True))._metadata_request.fit.requests == {"forces": True}


def test_grid_search_over_sources_attention_and_freezing(source):
    other = FrozenEstimator(tiny_source(max_epochs=2))
    grid = {"source": [FrozenEstimator(source), other], "attention": ["last", "taag"], "freeze": ["all", "scratch"]}
    search = GridSearchCV(taag(source, max_epochs=2), grid, cv=2, error_score="raise").fit(MOLECULES, ENERGIES)
    assert len(search.cv_results_["params"]) == 8


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"freeze": "most"}, "freeze must be one of all, embeddings, none, scratch or a number of blocks up to 2"),
        ({"freeze": 3}, "got 3"),
        ({"freeze": True}, "got True"),
        ({"attention": "some"}, "attention must be one of"),
        ({"n_fresh_blocks": -1}, "n_fresh_blocks must be"),
        ({"lr_decay": 0.0}, r"lr_decay must be in \(0, 1\], got 0\.0"),
        ({"readout": "old"}, "readout must be"),
    ],
)
def test_parameters_are_checked(source, params, message):
    with pytest.raises(ValueError, match=message):
        taag(source, **params).fit(MOLECULES, ENERGIES)


def test_numbers_of_numpy(source, tmp_path):
    """As a search over an array or a distribution sets them."""
    own = {"module__n_layers": np.int64(1), "module__n_features": np.int32(8), "module__cutoff": np.float32(4.0)}
    for model, plain in (
        (GNNRegressor(**own), GNNRegressor(**{name: value.item() for name, value in own.items()})),
        (taag(source, freeze=np.int64(1), module__n_heads=np.int64(2)), taag(source, freeze=1, module__n_heads=2)),
        (
            FineTunedRegressor(source, strategy="freeze", n_blocks=np.int64(1)),
            FineTunedRegressor(source, strategy="freeze"),
        ),
        (
            FineTunedRegressor(source, strategy="gradual", unfreeze_every=np.int64(1)),
            FineTunedRegressor(source, strategy="gradual", unfreeze_every=1),
        ),
    ):
        for one in (model, plain):
            one.set_params(max_epochs=3, random_state=0, device="cpu").fit(MOLECULES, ENERGIES)
        save_source(model, tmp_path / "model.source")
        found = load_source(tmp_path / "model.source").predict(MOLECULES)
        assert_allclose(found, plain.predict(MOLECULES), rtol=1e-12)


def test_files(source, tmp_path):
    model = taag(source, attention="query", n_fresh_blocks=1, cache=tmp_path / "cache").fit(MOLECULES, ENERGIES)
    save_source(model, tmp_path / "taag.source")
    again = load_source(tmp_path / "taag.source")
    assert_allclose(again.predict(MOLECULES), model.predict(MOLECULES), rtol=1e-12)
    assert_allclose(again.layer_weights_, model.layer_weights_)
    assert again.source is None
    library = ModelLibrary(tmp_path / "library")
    kept = library.get(library.add(model, property="energy", material="molecule"))
    assert_allclose(kept.predict(MOLECULES), model.predict(MOLECULES), rtol=1e-12)
    # a target becomes a source
    assert taag(again).fit(MOLECULES, GAPS).layer_weights_.shape == (4,)


def test_settings_of_the_release(source):
    model = TAAGRegressor.paper(source, max_epochs=3, random_state=0, device="cpu")
    made, energies, forces = clusters(12)
    seen = []

    class Spy(torch.optim.AdamW):
        def __init__(self, params, **settings):
            super().__init__(params, **settings)
            seen.append(self.defaults)

    model.set_params(optimizer=Spy).fit(made, energies, forces=forces)
    assert seen[0]["amsgrad"]
    assert seen[0]["lr"] == 1e-5
    assert model.module_.attention.gate is None
    assert not hasattr(model.module_.attention, "depth_code")
    assert model.history_[0]["train_batch_count"] == 11  # one structure in each, and one held out
    settings = TAAGRegressor.paper(source).get_params()
    expected = {"attention": "taag", "freeze": "embeddings", "readout": "fresh", "n_fresh_blocks": 0}
    expected |= {"criterion": "mae", "force_weight": 100.0, "optimizer": "adamw", "lr": 1e-5, "batch_size": 1}
    expected |= {"scheduler": "plateau", "callbacks__lr_scheduler__factor": 0.8, "callbacks__lr_scheduler__patience": 3}
    expected |= {"ema": 0.999, "clip": 10.0, "max_epochs": 10_000, "early_stopping": True, "patience": 100}
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.parametrize("params", [{"scheduler": "cosine"}, {"scheduler": None}, {"optimizer": "sgd"}], ids=str)
def test_parts_other_than_those_of_the_release(source, params):
    model = TAAGRegressor.paper(source, max_epochs=1, device="cpu", **params).fit(MOLECULES, ENERGIES)
    assert model.n_iter_ == 1
    routed = {name for name in model.get_params() if name.startswith(("optimizer__", "callbacks__"))}
    assert len(routed) == 3 - (1 if "optimizer" in params else 2)


def test_parameters_of_the_module(source):
    with pytest.raises(TypeError, match="module__attention is set by TAAGRegressor itself"):
        taag(source, module__attention="mix").fit(MOLECULES, ENERGIES)
    with pytest.raises(TypeError, match="module__n_targets is set by FineTunedRegressor itself"):
        FineTunedRegressor(source, module__n_targets=2).fit(MOLECULES, ENERGIES)
    with pytest.raises(TypeError, match="nonsense"):
        taag(source, module__nonsense=2).fit(MOLECULES, ENERGIES)


def test_classes(source):
    y = np.where([6 in m.numbers for m in MOLECULES], "organic", "other")
    model = TAAGClassifier(source, attention="mix", max_epochs=100, lr=0.03, random_state=0, class_weight="balanced")
    model.fit(MOLECULES, y)
    assert model.score(MOLECULES, y) == 1.0
    assert model.classes_.tolist() == ["organic", "other"]
    assert model.layer_weights_.shape == (3,)
    with pytest.raises(ValueError, match="one class only"):
        model.fit(MOLECULES[:1], ["organic"])
    of_classes = GNNClassifier(**{k: v for k, v in source.get_params().items() if "module" in k}, max_epochs=2)
    of_classes.fit(MOLECULES, y)
    assert taag(of_classes).fit(MOLECULES, ENERGIES).predict(MOLECULES).shape == (10,)


def test_invalid_structures_have_no_class(source):
    y = ["a", "b"] * 5
    model = TAAGClassifier(source, max_epochs=1, graphs=AtomGraphs(4.0, on_invalid="nan")).fit(MOLECULES, y)
    clash = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]])
    with pytest.warns(UserWarning, match="invalid"):
        proba = model.predict_proba([MOLECULES[0], clash])
    assert np.isnan(proba[1]).all()
    with (
        pytest.warns(UserWarning, match="invalid"),
        pytest.raises(ValueError, match=r"1 structures are invalid \(rows 1\)"),
    ):
        model.predict([MOLECULES[0], clash])


@pytest.mark.filterwarnings("ignore:.*invalid")
def test_classes_of_invalid_structures_alone(source):
    clash = Atoms("H2", positions=[[0, 0, 0], [0, 0, 0.01]])
    tolerant = AtomGraphs(4.0, on_invalid="nan")
    for model in (
        TAAGClassifier(source, graphs=tolerant, class_weight="balanced"),
        GNNClassifier(module__cutoff=4.0, graphs=tolerant),
    ):
        with pytest.raises(ValueError, match="All structures of the class rare are invalid"):
            model.fit([clash, *MOLECULES], ["rare", *["a", "b"] * 5])
        with pytest.raises(ValueError, match="All structures of the class a are invalid"):
            model.fit([clash, clash], ["a", "b"])
    with pytest.raises(ValueError, match="column 0: every value is NaN, or its structure is invalid"):
        taag(source, graphs=tolerant).fit([clash, clash], [0.0, 1.0])


def test_classes_that_are_missing(source):
    with pytest.raises(ValueError, match="Input contains NaN"):
        TAAGClassifier(source).fit(MOLECULES, np.array(["a", np.nan] * 5, dtype=object))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("freeze", ["all", "embeddings"])
def test_a_gpu_trains_the_model_of_the_cpu(source, freeze):
    made, energies, forces = clusters(12)
    for labels in ({}, {"forces": forces}):
        params = {"freeze": freeze, "lr": 1e-3, "max_epochs": 3, "ema": 0.9, "batch_size": 4}
        cpu = taag(source, **params).fit(made, energies, **labels)
        gpu = taag(source, **params, device="cuda").fit(made, energies, **labels)
        assert_allclose(gpu.predict(made), cpu.predict(made), atol=1e-3)
        assert_allclose(gpu.layer_weights_, cpu.layer_weights_, atol=1e-3)
        assert_allclose(gpu.predict_forces(made), cpu.predict_forces(made), atol=1e-2)
