"""The page is read by an HTML parser, and by a browser without a network where there is one."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from ase.build import molecule
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import Fingerprints
from sktaag.inspection import report
from sktaag.model_selection import compare
from sktaag.sources import GNNRegressor, PyramidRegressor
from sktaag.transfer import SourceSearchCV, TAAGRegressor

SMILES = ["C" * n + end for n in range(1, 9) for end in ("", "O", "N")]
y = np.array([30.0 * n + 80 * shift for n in range(1, 9) for shift in (0, 2, 1)])
EVIL = "ridge <script>alert('x')</script> & more"
VOID = {"meta", "path", "polyline", "polygon", "circle", "rect", "ellipse", "line", "br", "img"}


class Reader(HTMLParser):
    """Checks that tags close in order, and gathers what the tests ask for."""

    def __init__(self, page):
        super().__init__()
        self.open, self.attributes, self.headings, self.text, self.count = [], [], [], {}, {}
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes += [(tag, *attr) for attr in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        self.attributes += [(tag, *attr) for attr in attrs]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text[self.open[-1]] = self.text.get(self.open[-1], "") + data + "\n"


def descriptor():
    return Fingerprints(counts=True, size=64)


@pytest.fixture(scope="module")
def result():
    models = {"mean": DummyRegressor(), EVIL: make_pipeline(descriptor(), Ridge())}
    return compare(
        models,
        SMILES,
        y,
        cv=4,
        source_X=["CCCCCCCCCC"],
        learning_curve=[0.5, 1.0],
        target_name="boiling <point>",
        unit="K",
    )


@pytest.fixture(scope="module")
def path(result, tmp_path_factory):
    return report(result, tmp_path_factory.mktemp("page") / "a.html", notes=["line 3: <b>left out</b>"])


def test_the_page_holds_all_and_closes_its_tags(path, result):
    reader = Reader(path.read_text(encoding="utf-8"))
    headings = reader.text["h2"].split("\n")[:-1]
    assert headings == [
        "In words",
        "Notes on the data",
        "Table",
        "Data",
        "Leak guard",
        "Predicted and measured",
        "Learning curve",
        "Settings, seeds, versions",
    ]
    assert result.sentences[EVIL] in reader.text["p"]
    assert "No structure is in a source and in X" in reader.text["p"]
    assert "boiling <point>: which model is best?" in reader.text["h1"]
    assert "24 values of boiling <point> (K): median 215" in reader.text["figcaption"]
    assert reader.count["template"] == len(SMILES)
    points = [value for tag, name, value in reader.attributes if (tag, name) == ("circle", "data-row")]
    assert sorted(map(int, points)) == sorted([*range(len(SMILES))] * 2)
    for fact in ("random_state", "scikit-learn", "sktaag"):
        assert fact in reader.text["td"]
    assert "measured 30 K, predicted" in reader.text["title"]  # shown without JavaScript, too


def test_nothing_from_elsewhere_and_nothing_unescaped(path):
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\(", page.replace("sktaag.org", ""))
    reader = Reader(page)
    assert not [a for a in reader.attributes if a[1] in ("src", "href", "xlink:href", "onload", "onclick")]
    assert reader.count["script"] == 1
    assert "alert" not in reader.text["script"]
    assert "<b>left out</b>" not in page
    assert "boiling <point>" not in page


def test_no_leak_guard_without_source_structures(tmp_path):
    result = compare({"mean": DummyRegressor()}, SMILES, y, cv=3)
    reader = Reader(report(result, tmp_path / "a.html", title="Mine").read_text())
    assert reader.text["h1"] == "Mine\n"
    assert "it is not known whether test rows are new" in reader.text["p"]
    assert "There is one model only." in reader.text["p"]


def test_classification(tmp_path):
    labels = np.where(["O" in s for s in SMILES], "acid", "base")
    models = {"mean": DummyClassifier(), "logistic": make_pipeline(descriptor(), LogisticRegression())}
    reader = Reader(report(compare(models, SMILES, labels, cv=3), tmp_path / "a.html").read_text())
    assert "measured classes down" in reader.text["p"]
    assert "acid" in reader.text["th"]
    assert "circle" not in reader.count


def test_several_targets_of_numbers(tmp_path):
    X = np.arange(40.0).reshape(20, 2)
    result = compare({"mean": DummyRegressor(), "ridge": Ridge()}, X, np.stack([X[:, 0], -X[:, 1]], axis=1), cv=3)
    reader = Reader(report(result, tmp_path / "a.html").read_text())
    assert reader.text["b"].split("\n")[:4] == [
        "mean, target 0",
        "mean, target 1",
        "ridge, target 0",
        "ridge, target 1",
    ]
    assert "template" not in reader.count


def test_several_comparisons_on_one_page(tmp_path, result):
    page = report({"first": result, "<second>": result}, tmp_path / "a.html", title="Both", notes=["a note"])
    reader = Reader(page.read_text())
    assert reader.text["h1"].splitlines() == ["Both", "first", "<second>"]
    assert reader.text["h2"].count("Table") == 2
    assert "a note" in reader.text["p"]
    points = {value for tag, name, value in reader.attributes if (tag, name) == ("circle", "data-row")}
    drawings = {value for tag, name, value in reader.attributes if (tag, name) == ("template", "id")}
    assert drawings == {f"molecule-{point}" for point in points}
    assert len(drawings) == 2 * len(SMILES)


def test_layer_weights(tmp_path, result):
    X = [molecule(name) for name in ("H2O", "CH4", "NH3", "C2H6")]
    tiny = {"module__n_layers": 2, "module__n_features": 8, "max_epochs": 1, "random_state": 0}
    source = GNNRegressor(**tiny).fit(X, np.arange(4.0))
    taag = TAAGRegressor(source, max_epochs=1, random_state=0).fit(X, np.arange(4.0))
    fitted = {"taag": make_pipeline(taag), "ridge": Ridge()}
    reader = Reader(report(result, tmp_path / "a.html", fitted=fitted).read_text())
    assert "Layer weights" in reader.text["h2"]
    assert f"layer 0: {taag.layer_weights_[0]:.3g}" in reader.text["title"]


def test_search(tmp_path):
    sources = [
        make_pipeline(descriptor(), PyramidRegressor((4,), max_epochs=2, random_state=seed)).fit(SMILES, y)
        for seed in range(2)
    ]
    search = SourceSearchCV(Ridge(), sources, cv=3, random_state=0).fit(SMILES, y)
    reader = Reader(report(search, tmp_path / "a.html").read_text())
    assert reader.text["h1"] == "Which source is best?\n"
    for line in search.summary_.splitlines():
        assert line in reader.text["p"]
    assert "direct" in reader.text["th"]


@pytest.mark.parametrize("found", [Ridge(), SourceSearchCV(Ridge(), []), "a", {"a": Ridge()}])
def test_other_things_are_refused(tmp_path, found):
    with pytest.raises(TypeError, match="report takes what compare returns, or a fitted SourceSearchCV, got"):
        report(found, tmp_path / "a.html")
    assert not list(tmp_path.iterdir())


_BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(_BROWSER is None, reason="needs Chromium, to look at the page as a reader does")
def test_a_browser_without_network_shows_the_molecule_beside_the_point(path, tmp_path):
    hover = """<script>
    const circle = document.querySelector("circle[data-row='4']");
    circle.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));
    </script></body>"""
    page = tmp_path / "hovered.html"
    page.write_text(path.read_text().replace("</body>", hover))
    command = [_BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command += ["--proxy-server=127.0.0.1:9", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in seen.stderr
    card = seen.stdout[seen.stdout.index('<div id="card"') :]
    assert "display: block" in card
    assert card.index("<svg") < card.index("CCO\nmeasured")  # the drawing, and below it what the point says
    assert "<path" in card
