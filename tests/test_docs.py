"""The documentation says what the code does: its lists are complete and its Python runs."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

import sktaag
from sktaag import datasets

ROOT = Path(__file__).parents[1]
API = ROOT / "docs" / "api.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if BLOCK.search(path.read_text())]

pytestmark = pytest.mark.skipif(not API.exists(), reason="docs/ is not part of this distribution")


def public_names():
    modules = [importlib.import_module(f"sktaag.{module.name}") for module in pkgutil.iter_modules(sktaag.__path__)]
    return {module.__name__: set(module.__all__) for module in modules if hasattr(module, "__all__")}


def listed_names():
    names = {}
    for block in re.findall(r"^```\{eval-rst\}\n(.*?)^```", API.read_text(), re.DOTALL | re.MULTILINE):
        module = re.search(r"currentmodule:: (\S+)", block)[1]
        names[module] = re.findall(r"^   (\w+)$", block, re.MULTILINE)
    return names


@pytest.mark.parametrize("module", sorted(public_names()))
def test_api_page_lists_the_public_names(module):
    listed = listed_names().get(module, [])
    assert len(set(listed)) == len(listed), f"docs/api.md lists a name of {module} twice"
    missing, unknown = public_names()[module] - set(listed), set(listed) - public_names()[module]
    assert not missing, f"docs/api.md lacks {sorted(missing)} of {module}"
    assert not unknown, f"docs/api.md lists {sorted(unknown)}, which {module} does not export"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.md")), ids=lambda path: path.name)
def test_results_of_benchmarks_are_in_the_docs(path):
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert f"{{include}} ../benchmarks/results/{path.name}" in pages


def _head(load, n_rows):
    def load_head(**options):
        X, y = load(**(options | {"return_X_y": True}))
        assert options == {"return_X_y": True}, "the docs use another form of the loaders than this test knows"
        return X[:n_rows], y[:n_rows]

    return load_head


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_python_of_the_pages_runs(path, tmp_path, monkeypatch):
    X, y = datasets.load_surface_tensions(return_X_y=True)
    pd.DataFrame({"smiles": X[:25], "target": y[:25]}).to_csv(tmp_path / "data.csv", index=False)
    for name in datasets.__all__:  # sources of 200 molecules: the code is what is tested, not the training
        if name.startswith("load_"):
            monkeypatch.setattr(datasets, name, _head(getattr(datasets, name), 200))
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # classes that a page defines must pickle
    for match in BLOCK.finditer(path.read_text()):
        line = path.read_text()[: match.start(1)].count("\n")
        # blank lines in front, so that a traceback names the line of the page
        exec(compile("\n" * line + match[1], path, "exec"), vars(module))
