"""Trainer, its extensions, and the model folders that they write and read."""

import pickle
import zlib
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
import xenonpy.model.training as original
import xenonpy.model.training.extension as original_extension
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch import nn
from torch.utils.data import DataLoader
from xenonpy.descriptor import FrozenFeaturizer as OriginalFeaturizer
from xenonpy.model import SequentialLinear as OriginalLinear
from xenonpy.model.nn import Layer1d
from xenonpy.model.nn.wrap import L1
from xenonpy.model.training import Adam, MSELoss

from sktaag.xenonpy import (
    ArrayDataset,
    Checker,
    FrozenFeaturizer,
    Persist,
    SequentialLinear,
    TensorConverter,
    Trainer,
    Validator,
)
from sktaag.xenonpy._structure_text import module_from_text

RANDOM = np.random.RandomState(0)
X = RANDOM.normal(size=(60, 8)).astype(np.float32)
Y = (X[:, :1] + X[:, 1:2] ** 2).astype(np.float32)
PARAMS = {
    "in_features": 8,
    "out_features": 1,
    "h_neurons": (0.8, 0.5),
    "h_dropouts": 0.1,
    "h_activation_funcs": nn.LeakyReLU(0.2),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model folder that XenonPy itself has written, and its own trainer."""
    path = tmp_path_factory.mktemp("xenonpy") / "density@1"
    torch.manual_seed(0)
    train = DataLoader(ArrayDataset(X[:40], Y[:40]), batch_size=10)
    val = DataLoader(ArrayDataset(X[40:], Y[40:]), batch_size=20)
    trainer = original.Trainer(optimizer=Adam(lr=0.01), loss_func=MSELoss()).extend(
        original_extension.TensorConverter(),
        original_extension.Validator("regress", early_stopping=30, trace_order=2, mae=0.0, pearsonr=1.0),
        original_extension.Persist(path, model_class=OriginalLinear, model_params=PARAMS, author="me"),
    )
    trainer.reset(to=OriginalLinear(**PARAMS))
    trainer.fit(training_dataset=train, validation_dataset=val, epochs=5, progress_bar=None)
    trainer["persist"](data_indices=[1, 2, 3])
    return path, trainer


# ---------------------------------------------------------------- R2: folders that XenonPy wrote


def test_r2_files_and_names(folder):
    path, _ = folder
    ours, theirs = Checker(path), original.Checker(path)
    assert sorted(ours.files) == sorted(theirs.files)
    assert {"model", "init_state", "final_state", "model_structure", "describe"} <= set(ours.files)
    assert sorted(ours.checkpoints.files) == sorted(theirs.checkpoints.files)
    assert {"mae_1", "pearsonr_1"} <= set(ours.checkpoints.files)
    assert ours.model_name == "density@1"
    assert ours.path == theirs.path
    assert ours.model_structure == str(OriginalLinear(**PARAMS))
    assert ours.describe["author"] == "me"
    assert ours.describe["torch"] == str(torch.__version__)
    assert ours["data_indices"] == [1, 2, 3]
    assert ours["no such entry"] is None
    assert sorted(ours.files) == sorted(theirs.files)  # asking for it makes no entry
    for name, value in torch.load(path / "final_state.pth.s", weights_only=True).items():
        assert torch.equal(ours.final_state[name], value)
    assert ours.init_state.keys() == ours.final_state.keys()


@pytest.mark.parametrize("trusted", [False, True])
def test_r2_predictions(folder, trusted):
    path, trainer = folder
    loaded = Trainer.from_checker(path, trusted=trusted)
    expected = trainer.predict(X)
    assert_allclose(loaded.extend(TensorConverter()).predict(X), expected, atol=1e-6)
    assert str(loaded.model) == str(trainer.model)
    assert isinstance(loaded.model, OriginalLinear)
    for name in ("mae_1", "pearsonr_1"):  # of the other ranks XenonPy leaves older ones in its folder
        assert_allclose(loaded.predict(X, checkpoint=name), trainer.predict(X, checkpoint=name), atol=1e-6)
        assert loaded.checkpoints[name].iterations == trainer.checkpoints[name].iterations
    assert (loaded.training_info is None) is not trusted
    rows = FrozenFeaturizer(loaded.model).transform(X)
    assert_allclose(rows, OriginalFeaturizer(trainer.model).transform(X), atol=1e-6)


def test_r2_recipe_a(folder):
    path, trainer = folder
    checker = Checker(path)
    loaded = Trainer.load(from_=checker)
    assert sorted(Trainer.from_checker(original.Checker(path)).checkpoints) == sorted(loaded.checkpoints)
    state = trainer.checkpoints["mae_1"].model_state
    loaded.reset(to="mae_1")
    assert all(torch.equal(value, state[name]) for name, value in loaded.model.state_dict().items())
    y_pred = loaded.predict(x_in=torch.tensor(X)).detach().numpy().flatten()
    assert y_pred.shape == (60,)
    descriptors = FrozenFeaturizer(model=loaded.model).transform(pd.DataFrame(X), depth=2, return_type="df")
    assert descriptors.columns[[0, -1]].tolist() == ["L(-2)_1", "L(-1)_4"]


def test_training_goes_on_from_a_folder(folder):
    loaded = Trainer.from_checker(folder[0], optimizer=Adam(lr=0.01), loss_func=MSELoss(), epochs=3)
    loaded.extend(TensorConverter()).fit(X, Y, progress_bar=None)
    assert len(loaded.training_info) == 3


def test_xenonpy_reads_what_we_write(tmp_path):
    torch.manual_seed(0)
    trainer = Trainer(optimizer=Adam(lr=0.01), loss_func=MSELoss(), model=SequentialLinear(**PARAMS))
    trainer.extend(TensorConverter(), Persist(tmp_path / "model", model_params=PARAMS, note="mine"))
    trainer.fit(X, Y, epochs=3, progress_bar=None)
    trainer.set_checkpoint("last")
    assert trainer["persist"].get_checkpoint() == ["last"]
    assert trainer["persist"].describe["note"] == "mine"
    assert trainer["persist"].model_structure == str(trainer.model)
    theirs = original.Checker(tmp_path / "model")
    assert theirs.describe["note"] == "mine"
    assert theirs.model_structure == str(trainer.model)
    model = OriginalLinear(**PARAMS)
    model.load_state_dict(theirs.final_state)
    assert_allclose(model.eval()(torch.tensor(X)).detach(), trainer.predict(X), atol=1e-6)
    assert theirs.checkpoints.files == ["last"]


# ---------------------------------------------------------------- R10: no code is run


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture
def hostile(folder, tmp_path):
    """XenonPy's folder with every pickle that can be armed, armed."""
    path, fuse = tmp_path / "hostile", tmp_path / "it ran"
    path.mkdir()
    for name in ("final_state.pth.s", "init_state.pth.s", "model_structure.pkl.z"):
        (path / name).write_bytes((folder[0] / name).read_bytes())
    torch.save(Bomb(fuse), path / "model.pth.m")
    for name in ("describe", "model_class", "model_params"):
        joblib.dump(Bomb(fuse), path / f"{name}.pkl.z")
    (path / "training_info.pd.xz").write_bytes(b"")
    pd.to_pickle(Bomb(fuse), path / "training_info.pd.xz")
    return path, fuse


def test_r10_the_network_opens_and_nothing_runs(hostile, folder):
    path, fuse = hostile
    model = Trainer.from_checker(path).model
    with torch.no_grad():
        assert_allclose(model(torch.tensor(X)), folder[1].predict(X), atol=1e-6)
    for entry in ("describe", "model_class", "model_params", "training_info", "model"):
        with pytest.raises(ValueError, match=r"is not opened: (?s:.*)Checker\('.*hostile', trusted=True\)"):
            Checker(path)[entry]
    assert not fuse.exists()
    Checker(path, trusted=True)["describe"]
    assert fuse.exists()  # the bombs are real


@pytest.mark.parametrize("name", ["final_state.pth.s", "model_structure.pkl.z"])
def test_r10_armed_states_and_texts(hostile, name):
    path, fuse = hostile
    if name.endswith(".s"):
        torch.save(OrderedDict(a=Bomb(fuse)), path / name)
    else:
        joblib.dump(Bomb(fuse), path / name)
    with pytest.raises(ValueError, match=f"{name} is not opened"):
        Trainer.from_checker(path)
    assert not fuse.exists()


def test_r10_armed_checkpoints(hostile):
    path, fuse = hostile
    (path / "checkpoints").mkdir()
    torch.save(Bomb(fuse), path / "checkpoints" / "mae_1.pth.s")
    with pytest.raises(ValueError, match=r"mae_1\.pth\.s is not opened"):
        Trainer.from_checker(path)
    assert not fuse.exists()


def test_r10_pickles_that_unfold_without_end(hostile, monkeypatch):
    monkeypatch.setattr("sktaag.xenonpy._plain_pickle._LARGEST", 1000)
    (hostile[0] / "describe.pkl.z").write_bytes(zlib.compress(pickle.dumps("x" * 2000)))
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        Checker(hostile[0])["describe"]


def test_torn_files(hostile):
    path, _ = hostile
    content = (path / "final_state.pth.s").read_bytes()
    (path / "final_state.pth.s").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"final_state\.pth\.s is not opened: .*torn"):
        _ = Checker(path).model
    text = (path / "model_structure.pkl.z").read_bytes()
    (path / "model_structure.pkl.z").write_bytes(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"model_structure\.pkl\.z is not opened: .*torn"):
        _ = Checker(path).model


def test_states_that_do_not_fit_are_refused(hostile):
    torch.save(OrderedDict(a=torch.zeros(1)), hostile[0] / "final_state.pth.s")
    with pytest.raises(RuntimeError, match="Missing key"):
        _ = Checker(hostile[0]).model


def test_folders_without_a_model(tmp_path, hostile):
    with pytest.raises(FileNotFoundError, match=r"no model folder .*typo"):
        Trainer.from_checker(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()
    with pytest.raises(FileNotFoundError, match="has no model"):
        Trainer.from_checker(tmp_path)
    assert Checker(tmp_path / "new").model is None
    (hostile[0] / "final_state.pth.s").unlink()
    (hostile[0] / "init_state.pth.s").unlink()
    with pytest.raises(ValueError, match=r"no final_state\.pth\.s with its weights"):
        _ = Checker(hostile[0]).model


OF_2019 = """Sequential(
  (0): Layer1d(
    (layer): Linear(in_features=8, out_features=5, bias=True)
    (batch_nor): BatchNorm1d(5, eps=0.1, momentum=0.1, affine=True, track_running_stats=True)
    (act_func): ReLU(inplace)
    (dropout): Dropout(p=0.1)
  )
  (1): Layer1d(
    (layer): Linear(in_features=5, out_features=3, bias=True)
    (batch_nor): BatchNorm1d(3, eps=0.1, momentum=0.1, affine=True, track_running_stats=True)
    (act_func): ReLU(inplace)
    (dropout): Dropout(p=0.1)
  )
  (2): Linear(in_features=3, out_features=1, bias=True)
)"""


def test_r10_models_of_2019_keep_their_eps(tmp_path):
    def layer(n_in, n_out):
        return Layer1d(n_in, n_out, drop_out=0.1, batch_nor=L1.batch_norm(eps=0.1, momentum=0.1, affine=True))

    model = nn.Sequential(layer(8, 5), layer(5, 3), nn.Linear(3, 1))
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value))
    joblib.dump(OF_2019, tmp_path / "model_structure.pkl.z")
    torch.save(model.state_dict(), tmp_path / "final_state.pth.s", _use_new_zipfile_serialization=False)
    opened = Checker(tmp_path).model
    assert {part.eps for part in opened.modules() if isinstance(part, nn.BatchNorm1d)} == {0.1}
    with torch.no_grad():
        assert_allclose(opened(torch.tensor(X)), model.eval()(torch.tensor(X)), atol=1e-6)
    rows = FrozenFeaturizer(opened).transform(X)
    assert_allclose(rows, OriginalFeaturizer(model).transform(X), atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        OriginalLinear(8, 2),
        OriginalLinear(8, 1, h_neurons=(4, 3), h_normalizers=None, h_bias=False),
        OriginalLinear(8, 1, h_neurons=(4, 3), h_activation_funcs=(nn.ELU(0.5), nn.PReLU())),
        nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Sequential(nn.Linear(4, 3), nn.Softplus()), nn.Linear(3, 1)),
    ],
)
def test_texts_make_the_same_network(model):
    built = module_from_text(str(model))
    assert str(built) == str(model)
    built.load_state_dict(model.state_dict())
    assert torch.equal(built.eval()(torch.tensor(X)), model.eval()(torch.tensor(X)))


def test_texts_of_hidden_layers_without_activation_warn():
    with pytest.warns(UserWarning, match="hidden layer without activation"):
        module_from_text(str(OriginalLinear(8, 1, h_neurons=(4,), h_activation_funcs=torch.tanh)))


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 1)

    def forward(self, x):
        return -self.linear(x)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (str(Own()), "a part of class Own, and the text does not say what it computes(?s:.*)trusted=True"),
        ("Sequential(\n  (0): Conv1d(1, 2, kernel_size=(3,))\n)", "only Linear, .* can be built"),
        ("Sequential(\n  (0): Linear(in_features=8, out_fea", "cannot be read"),
        ("Sequential(\n  (0): Linear(in_features=print(1), out_features=1)\n)", "malformed|cannot be read"),
        ("Sequential(\n  nonsense\n)", "cannot be read .*nonsense"),
        ("SequentialLinear(\n  (other): Linear(in_features=8, out_features=1, bias=True)\n)", "cannot be read"),
        ("", "cannot be read"),
        ({"a": 1}, "no text but of type dict"),
        ("\n".join(["Sequential("] + [f"{' ' * i}(0): Sequential(" for i in range(3000)]), "cannot be read"),
    ],
)
def test_texts_that_tell_too_little(text, message):
    with pytest.raises(ValueError, match=message):
        module_from_text(text)


def test_a_class_of_ones_own_opens_when_trusted(tmp_path):
    checker, model = Checker(tmp_path), Own()
    checker.model = model
    checker.final_state = model.state_dict()
    with pytest.raises(ValueError, match="class Own"):
        _ = Checker(tmp_path).model
    opened = Trainer.from_checker(Checker(tmp_path, trusted=True)).model
    assert torch.equal(opened(torch.tensor(X)), model(torch.tensor(X)))


# ---------------------------------------------------------------- the trainer and its extensions


def test_training_is_xenonpys():
    results = []
    for trainer_class, converter, validator in (
        (Trainer, TensorConverter, Validator),
        (original.Trainer, original_extension.TensorConverter, original_extension.Validator),
    ):
        torch.manual_seed(0)
        trainer = trainer_class(optimizer=Adam(lr=0.01), loss_func=MSELoss(), model=OriginalLinear(**PARAMS))
        trainer.extend(converter(), validator("regress", early_stopping=5, trace_order=2, mae=0.0, r2=1.0))
        frame = pd.DataFrame(X)
        trainer.fit(frame[:40], Y[:40], frame[40:], Y[40:], epochs=20, progress_bar=None)
        results.append(trainer)
    pd.testing.assert_frame_equal(results[0].training_info, results[1].training_info)
    assert results[0].get_checkpoint() == results[1].get_checkpoint()
    assert_allclose(results[0].predict(X), results[1].predict(X), atol=1e-5)


def test_a_validator_forgets_the_network_before():
    validator = Validator("regress", each_iteration=False, early_stopping=3, mae=0.0)
    trainer = Trainer(optimizer=Adam(lr=0.01), loss_func=MSELoss()).extend(TensorConverter(), validator)
    lengths = []
    for _ in range(2):
        torch.manual_seed(0)
        trainer.reset(to=SequentialLinear(**PARAMS))
        trainer.fit(X[:40], Y[:40], X[40:], Y[40:], epochs=30, progress_bar=None)
        assert trainer.get_checkpoint() == ["mae"]
        lengths.append(trainer.training_info["val_mae"].tolist())
    assert lengths[0] == lengths[1]


def test_a_folder_has_the_checkpoints_of_the_trainer(tmp_path):
    torch.manual_seed(0)
    trainer = Trainer(optimizer=Adam(lr=0.01), loss_func=MSELoss(), model=SequentialLinear(**PARAMS)).extend(
        TensorConverter(), Validator("regress", trace_order=3, mae=0.0), Persist(tmp_path)
    )
    trainer.fit(X[:40], Y[:40], X[40:], Y[40:], epochs=15, progress_bar=None)
    loaded = Trainer.from_checker(tmp_path).extend(TensorConverter())
    assert sorted(loaded.checkpoints) == sorted(trainer.checkpoints) == ["mae_1", "mae_2", "mae_3"]
    for name in trainer.checkpoints:
        assert_allclose(loaded.predict(X, checkpoint=name), trainer.predict(X, checkpoint=name), atol=1e-6)


def test_converter_takes_tuples_and_gives_classes(recwarn):
    trainer = Trainer(model=SequentialLinear(8, 3, h_neurons=(4,))).extend(TensorConverter(argmax=True))
    assert trainer.predict((pd.DataFrame(X),)).shape == (60,)
    trainer.extend(TensorConverter(probability=True))
    assert_allclose(trainer.predict(pd.DataFrame(X)).sum(axis=1), 1, atol=1e-6)
    assert not recwarn.list


def test_r9_trainers_are_cloned_and_pickled():
    trainer = Trainer(
        optimizer=Adam(lr=0.01), loss_func=MSELoss(), model=SequentialLinear(**PARAMS), epochs=7, non_blocking=True
    ).extend(TensorConverter())
    copy = clone(trainer)
    assert (copy.epochs, copy.non_blocking) == (7, True)
    assert_array_equal(copy.extend(TensorConverter()).predict(X), trainer.predict(X))
    assert_array_equal(pickle.loads(pickle.dumps(trainer)).predict(X), trainer.predict(X))
    state = pickle.loads(pickle.dumps(SequentialLinear(**PARAMS))).state_dict()
    assert state.keys() == OriginalLinear(**PARAMS).state_dict().keys()


# ---------------------------------------------------------------- R1: the recipe of the book

RECIPE = """
import joblib
import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error
from torch import nn
from torch.utils.data import DataLoader
{imports}
from xenonpy.model.training import Adam, MSELoss
from xenonpy.model.utils import regression_metrics

data = joblib.load("data/sps_tc.pkl")
tc, sps = np.log(data["TC"].dropna()), np.log(data["SPS"].dropna())

# descriptors
desc = Compositions().fit_transform(data)
desc_scaled = Scaler().power_transformer().min_max().fit_transform(desc)

# source models
x, y = desc_scaled.loc[sps.index], sps.to_frame().values
sp = Splitter(len(y), random_state=0, test_size=0.1)
x_train, x_val, y_train, y_val = sp.split(x, y)
train_dataset = DataLoader(ArrayDataset(x_train, y_train), shuffle=True, batch_size=50)
val_dataset = DataLoader(ArrayDataset(x_val, y_val), batch_size=1000)

generator = ParameterGenerator(
    in_features=desc.shape[1],
    out_features=1,
    h_neurons=dict(
        data=lambda n: sorted(np.random.uniform(0.1, 0.6, size=n), reverse=True),
        repeat=(3, 4, 5),
    ),
    h_dropouts=0.0,
    h_activation_funcs=(nn.LeakyReLU(),),
)
trainer = Trainer(optimizer=Adam(lr=0.01), loss_func=MSELoss(), non_blocking=True).extend(
    TensorConverter(empty_cache=True),
    Validator(
        metrics_func=regression_metrics, early_stopping=50, trace_order=1, pearsonr=1.0, mse=0.0, r2=0.0, mae=0.0
    ),
)
summary = []
for i, (paras, model) in enumerate(generator(num=2, factory=SequentialLinear)):
    persist = Persist(
        f"trained_models/sps-{{i}}", increment=False, sync_training_step=True, model_class=SequentialLinear,
        model_params=paras, author="me", dataset="made up",
    )
    _ = trainer.extend(persist)
    trainer.reset(to=model)
    trainer.fit(training_dataset=train_dataset, validation_dataset=val_dataset, epochs=4)
    persist(splitter=sp, data_indices=sps.index.tolist())
    y_pred, y_true = trainer.predict(dataset=val_dataset, checkpoint="mae")
    summary.append((mean_absolute_error(y_true, y_pred), f"trained_models/sps-{{i}}"))

# transfer
best = Trainer.from_checker(min(summary)[1])
best.reset(to="mae")
neural = FrozenFeaturizer(model=best.model).transform(desc_scaled.loc[tc.index], depth=1, return_type="df")
splitter = Splitter(len(tc), test_size=0.2, random_state=0)
x_train, x_test, y_train, y_test = splitter.split(neural, tc.to_frame().values)
rf = RandomForestRegressor(n_estimators=10, random_state=0).fit(x_train, y_train.ravel())
prediction = rf.predict(x_test)
"""


def test_r1_the_recipe_of_the_book_runs(tmp_path, monkeypatch, capsys):
    random = np.random.RandomState(0)
    metals, partners = (
        ("Li", "Na", "K", "Mg", "Ca", "Zn", "Al", "Ga", "In", "Fe"),
        ("O", "S", "Se", "Te", "F", "Cl", "N"),
    )
    compositions = [{m: random.randint(1, 4), p: random.randint(1, 4)} for m in metals for p in partners]
    data = pd.DataFrame({"composition": compositions}, index=[f"mp-{i}" for i in range(len(compositions))])
    data["SPS"] = [sum(c.values()) + random.rand() for c in compositions]
    data["TC"] = np.where(np.arange(len(data)) < 25, data["SPS"] ** 2, np.nan)
    (tmp_path / "data").mkdir()
    joblib.dump(data, tmp_path / "data" / "sps_tc.pkl")
    monkeypatch.chdir(tmp_path)
    names = (
        "ArrayDataset, Compositions, FrozenFeaturizer, ParameterGenerator, Persist, Scaler, SequentialLinear, "
        "Splitter, TensorConverter, Trainer, Validator"
    )
    script = {"__name__": "recipe"}
    exec(RECIPE.format(imports=f"from sktaag.xenonpy import {names}"), script)
    assert script["prediction"].shape == (5,)
    assert script["neural"].index.tolist() == data.index[:25].tolist()
    assert script["neural"].columns[0] == "L(-1)_1"
    assert sorted(path.name for path in (tmp_path / "trained_models").iterdir()) == ["sps-0", "sps-1"]
    assert set(Checker("trained_models/sps-0").checkpoints.files) == {"mae", "mse", "pearsonr", "r2"}
