"""The command line, tried with the kind of file that people have."""

import csv
import io
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sktaag import cli, datasets
from sktaag.cli import main
from sktaag.descriptors import Fingerprints
from sktaag.io import load_model, save_model
from sktaag.sources import GNNRegressor, ModelLibrary, PyramidRegressor

DOCS = Path(__file__).parents[2] / "docs" / "command_line.md"
SMILES = ["C" * n + end for n in range(1, 11) for end in ("", "O", "N")]
VALUES = [30.0 * n + 80 * shift + 0.5 for n in range(1, 11) for shift in (0, 2, 1)]


@pytest.fixture(autouse=True)
def small_tables(monkeypatch, tmp_path):
    """A hundredth of the molecules and small forests: the command is what is tested, not the training."""
    for forest in (RandomForestClassifier, RandomForestRegressor):
        monkeypatch.setattr(f"sktaag.cli._compare.{forest.__name__}", partial(forest, n_estimators=5))
    names = ("boiling_points", "critical_temperatures", "melting_points", "refractive_indices")
    loaders = {f"load_{name}": getattr(datasets, f"load_{name}") for name in names}

    def head(load):
        def load_head():
            bunch = load()
            return type(bunch)(data=bunch.data[::100], target=bunch.target[::100])

        return load_head

    for name, load in loaders.items():
        monkeypatch.setattr(datasets, name, head(load))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dirty(tmp_path):
    """A byte order mark, semicolons, decimal commas, a header with blanks and a unit, and rows of all kinds."""
    rows = [f"{i};{s};{str(v).replace('.', ',')}" for i, (s, v) in enumerate(zip(SMILES, VALUES, strict=True))]
    rows[3:3] = [";;", "", "40;C1CC;20,5"]  # lines 5, 6, 7
    rows += ["41;OCC;300,5", "42;CCCCCCCCCCC;n/a", "43;;17,0"]
    text = "\n".join(["no; SMILES code ;Boiling point (K)", *rows]) + "\n"
    (tmp_path / "data.csv").write_text(text, encoding="utf-8-sig")


def compare(*args):
    fast = ["--cv", "3", "--repeats", "1", "--cache", "cache"]
    return main(["compare", "data.csv", "--structure", "smiles code", "--target", "boiling point", *fast, *args])


def test_bad_structures_stop_the_comparison(dirty, capsys):
    assert compare() == 1
    message = capsys.readouterr().err
    assert "2 of 33 structures of data.csv cannot be read:" in message
    assert "line 7, column 'SMILES code', 'C1CC': " in message
    assert "line 37, column 'SMILES code', '': the cell is empty" in message
    assert "pass --on-invalid skip to leave them out" in message
    assert not Path("cache").exists()


def test_from_dirty_file_to_report_model_and_predictions(dirty, capsys):
    assert (
        compare("--on-invalid", "skip", "--report", "out.html", "--save", "b.sktaag", "--source", "boiling_points") == 0
    )
    out, err = capsys.readouterr()
    for note in (
        "2 empty rows left out (line 5, 6)",
        "column 'Boiling point (K)': commas are decimal marks",
        "line 36: no value in 'Boiling point (K)', left out",
        "line 7: 'C1CC' left out: ",
        "line 37: '' left out: the cell is empty",
        "lines 9, 35: CCO has the values 220.5, 300.5; their median counts",
    ):
        assert note in err
        assert note.replace("'", "&#x27;") in Path("out.html").read_text()
    assert "Boiling point: 30 rows, 3 folds" in out
    assert "Errors in K." in out
    assert re.search(r"For Boiling point, transfer (is|makes)", out)
    assert "Leak guard: no structure is in a source and in X." in out
    model = load_model("b.sktaag")
    assert model.about_["structure"] == "SMILES code"
    assert (model.about_["target"], model.about_["unit"], model.about_["n_rows"]) == ("Boiling point", "K", 30)

    Path("new.csv").write_text("name,smiles CODE\nethanol,CCO\n,\nbad,C1CC\nhexane,CCCCCC\n")
    assert main(["predict", "b.sktaag", "new.csv", "-o", "p.csv"]) == 1
    assert "line 4, column 'smiles CODE', 'C1CC': " in capsys.readouterr().err
    assert not Path("p.csv").exists()
    assert main(["predict", "b.sktaag", "new.csv", "-o", "p.csv", "--on-invalid", "nan"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "new.csv: no prediction for line 4" in err
    assert "2 predictions are in p.csv" in err
    rows = list(csv.DictReader(io.StringIO(Path("p.csv").read_text())))
    assert [row["name"] for row in rows] == ["ethanol", "bad", "hexane"]
    expected = model.predict(["CCO", "CCCCCC"])
    found = [row["predicted Boiling point (K)"] for row in rows]
    np.testing.assert_allclose([float(found[0]), float(found[2])], expected, rtol=1e-5)
    assert found[1] == ""
    assert "unclosed ring" in rows[1]["problem"]


def test_networks_are_trained_once(dirty, capsys):
    options = ("--on-invalid", "skip", "--source", "refractive_indices", "critical_temperatures", "--search")
    assert compare(*options) == 0
    first = capsys.readouterr()
    assert first.err.count("Training a network on") == 2
    assert compare(*options) == 0
    again = capsys.readouterr()
    assert "Training" not in again.err
    numbers = [re.sub(r"\s+\S+\n", "\n", text.out) for text in (first, again)]  # without the times at the ends of lines
    assert numbers[0] == numbers[1]
    assert re.search("^search ", first.out, re.MULTILINE)


def test_molecules_of_the_file_are_not_trained_on(dirty, capsys):
    X = datasets.load_boiling_points().data
    rows = [f"{x},{i}" for i, x in enumerate(X[:20])]
    Path("data.csv").write_text("\n".join(["smiles code,boiling point", *rows]))
    assert compare("--source", "boiling_points") == 0
    out, err = capsys.readouterr()
    assert f"Training a network on {len(X) - 20} boiling_points" in err
    assert "no structure is in a source and in X" in out


def test_duplicates_can_stop_it(dirty, capsys):
    assert compare("--on-invalid", "skip", "--duplicates", "raise") == 1
    assert "lines 9, 35: CCO has the values 220.5, 300.5\nLeave one row for each" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--source", "melting"], "--source melting: there is no such table. There are boiling_points, "),
        (["--target", "Tg"], "data.csv has no column 'Tg', but 'no', 'SMILES code', 'Boiling point (K)'."),
        (["--library", "nowhere"], "nowhere is no model library; there is no such folder."),
        (["--cv", "40"], "data.csv leaves 30 rows, too few for 40 folds. Add rows, or lower --cv."),
    ],
)
def test_what_must_be_mended(dirty, capsys, args, reason):
    assert compare("--on-invalid", "skip", *args) == 1
    assert f"sktaag compare: {reason}" in capsys.readouterr().err


def test_missing_and_foreign_files(dirty, capsys):
    assert main(["compare", "none.csv", "--structure", "a", "--target", "b"]) == 1
    assert "none.csv" in capsys.readouterr().err
    assert main(["predict", "data.csv", "data.csv"]) == 1
    assert "data.csv is damaged or no model file" in capsys.readouterr().err


@pytest.mark.parametrize("args", [[], ["compare", "data.csv"], ["guess"], ["compare", "a", "--cv", "1"], ["library"]])
def test_wrong_arguments(args, capsys):
    with pytest.raises(SystemExit) as caught:
        main(args)
    assert caught.value.code == 2
    assert "usage: sktaag" in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["compare"], ["predict"], ["library"], ["library", "search"]])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "example" in text.lower() or command == ["library"]


def test_it_is_a_command_of_its_own():
    command = [sys.executable, "-m", cli.__name__, "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("sktaag ")
    loaded = "import sys, sktaag.cli; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_predict_without_notes_in_the_model(capsys):
    model = make_pipeline(Fingerprints(counts=True, size=64), Ridge()).fit(SMILES, np.stack([VALUES, VALUES], axis=1))
    save_model(model, "a.sktaag")
    Path("one.csv").write_text("smiles\nCCO\n")
    assert main(["predict", "a.sktaag", "one.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "smiles,predicted value 1,predicted value 2"
    Path("two.csv").write_text("smiles;n\nCCO;1\n")
    assert main(["predict", "a.sktaag", "two.csv"]) == 1
    assert "does not tell the column of structures. Name it by --structure" in capsys.readouterr().err
    assert main(["predict", "a.sktaag", "two.csv", "--structure", "smiles"]) == 0
    assert capsys.readouterr().out.startswith("smiles;n;predicted value 1;")


@pytest.fixture
def library():
    models = ModelLibrary("models")
    for seed, (name, r2) in enumerate([("band gap", 0.9), ("density", 0.5)]):
        source = make_pipeline(
            Fingerprints(counts=True, size=64), PyramidRegressor((4,), max_epochs=2, random_state=seed)
        )
        models.add(source.fit(SMILES, VALUES), property=name, unit="eV", material="polymer", metrics={"r2": r2})
    return models


@pytest.fixture
def classes():
    """Liquids and solids; one structure stands in three rows."""
    names = ["solid" if value > 250 else "liquid" for value in VALUES]
    rows = [f"{s},{name}" for s, name in zip(SMILES, names, strict=True)]
    rows += ["CCCCCC#N,liquid", "OCC,solid", "C(O)C,solid", "C1CC,solid", "CCCCCCCCCCCCl,?"]
    text = "\n".join(["SMILES code,Boiling point", *rows]) + "\n"
    Path("data.csv").write_text(text)
    return text


def test_from_classes_to_report_model_and_probabilities(classes, capsys):
    options = ("--on-invalid", "skip", "--source", "boiling_points", "--learning-curve", "--search")
    assert compare(*options, "--report", "out.html", "--save", "b.sktaag") == 0
    out, err = capsys.readouterr()
    page = Path("out.html").read_text()
    assert "lines 6, 33, 34: CCO has the classes liquid, solid, solid; the most frequent class counts" in err
    assert "line 36: no value in 'Boiling point', left out" in err
    assert "ROC AUC" in out
    assert "balanced accuracy" in out
    assert re.search(r"^search ", out, re.MULTILINE)
    assert re.search(r"For Boiling point, transfer (is|makes)", out)
    assert "Rows of all test folds: measured classes down, predicted ones across." in page
    assert "Learning curve" in page
    model = load_model("b.sktaag")
    assert f"The model with the highest mean ROC AUC, {model.about_['model']!r}, fitted to all rows" in err
    assert 0 < model.about_["ROC AUC"] <= 1
    assert model.about_["unit"] is None

    Path("new.csv").write_text("smiles code\nCCO\nC1CC\nCCCCCCCCCCO\n")
    assert main(["predict", "b.sktaag", "new.csv", "--on-invalid", "nan"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0])[1:4] == ["predicted Boiling point", "probability of liquid", "probability of solid"]
    X = ["CCO", "CCCCCCCCCCO"]
    assert [rows[i]["predicted Boiling point"] for i in (0, 2)] == model.predict(X).tolist()
    found = [[float(rows[i][f"probability of {name}"]) for name in ("liquid", "solid")] for i in (0, 2)]
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-5)
    assert list(rows[1].values())[1:4] == ["", "", ""]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "C(O)C,solid",
            "C(O)C,glass",
            "lines 6, 33, 34: CCO has the classes liquid, solid, glass\nNo class is the most",
        ),
        (",liquid", ",solid", "data.csv leaves one class only, 'solid' (31 rows). At least two are needed."),
        ("CCCCCC#N,liquid", "CCCCCC#N,gas", "data.csv leaves classes with fewer rows than the 3 folds: 'gas' (1). Add"),
        ("CCCCCC#N,liquid", "CCCCCC#N,7", "If the column holds classes, pass --task classification."),
        ("CCCCCC#N,liquid", "CCCCCC#N,Liquid", "the classes 'Liquid', 'liquid' differ in letter case only."),
    ],
)
def test_classes_that_must_be_mended(classes, capsys, old, new, reason):
    Path("data.csv").write_text(classes.replace(old, new))
    assert compare("--on-invalid", "skip") == 1
    assert reason in capsys.readouterr().err


def test_numbers_that_name_classes(classes, capsys):
    Path("data.csv").write_text(classes.replace("liquid", "0").replace("solid", "1"))
    assert compare("--on-invalid", "skip") == 1
    assert (
        "column 'Boiling point' holds nothing but the numbers 0, 1, which look like classes" in capsys.readouterr().err
    )
    assert compare("--on-invalid", "skip", "--task", "classification", "--source", "boiling_points") == 0
    assert "ROC AUC" in capsys.readouterr().out


def test_library(library, capsys):
    assert main(["library", "search", "models"]) == 0
    out = capsys.readouterr().out
    assert out.index("band gap") < out.index("density")
    assert main(["library", "search", "models", "--property", "*gap", "--min-r2", "0.8"]) == 0
    out = capsys.readouterr().out
    assert "density" not in out
    assert main(["library", "search", "models", "--property", "Tg"]) == 0
    assert "No model matches" in capsys.readouterr().out
    assert main(["library", "info", "models"]) == 0
    assert "2 models, 2 properties" in capsys.readouterr().out
    model_id = library.search()["id"][0]
    assert main(["library", "info", "models", model_id]) == 0
    assert f'"id": "{model_id}"' in capsys.readouterr().out
    assert main(["library", "info", "models", "0" * 16]) == 1
    assert "sktaag library: models has no model '0000000000000000'" in capsys.readouterr().err


def test_compare_with_a_library(dirty, library, capsys):
    forest = make_pipeline(Fingerprints(size=64), RandomForestRegressor(2, random_state=0)).fit(SMILES, VALUES)
    library.add(forest, property="density", metrics={"r2": 0.99})  # no network: left out
    assert compare("--on-invalid", "skip", "--library", "models", "--save", "b.sktaag", "--report", "out.html") == 0
    out, err = capsys.readouterr()
    assert "Training" not in err
    assert re.search("^search ", out, re.MULTILINE)
    assert "Whether they have seen rows of this file is not known." in out
    assert load_model("b.sktaag").predict(["CCO"]).shape == (1,)
    assert compare("--on-invalid", "skip", "--library", "models", "--source", "Tg") == 1
    assert "models holds no network of Tg" in capsys.readouterr().err


def test_compare_with_graph_networks_of_a_library(dirty, capsys):
    shape = {"module__n_layers": 1, "module__n_features": 4}
    network = GNNRegressor("gine", target="intensive", max_epochs=1, random_state=0, **shape).fit(SMILES, VALUES)
    ModelLibrary("models").add(network, property="boiling point")
    assert compare("--on-invalid", "skip", "--library", "models") == 0
    assert re.search("^search ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.skipif(not DOCS.exists(), reason="docs/ is not part of this distribution")
def test_commands_of_the_page(tmp_path, library, capsys):
    rows = [f"{s},{v}" for s, v in zip(SMILES, VALUES, strict=True)]
    Path("data.csv").write_text("\n".join(["smiles,Tg (K)", *rows]))
    Path("new.csv").write_text("smiles\nCCO\n")
    blocks = re.findall(r"^```(?:bash|console)\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    commands = [line for line in "".join(blocks).replace("\\\n", " ").splitlines() if line.startswith("sktaag ")]
    assert len(commands) >= 5
    for command in commands:
        words = [word.strip("\"'") for word in re.findall(r"\"[^\"]*\"|\S+", command)[1:]]
        if words[0] == "compare":
            words += ["--cv", "3", "--repeats", "1", "--cache", "cache"]
        assert main(words) == 0, command
        capsys.readouterr()
