"""Who may import whom, read from the source; what an import loads, seen in a fresh process."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sktaag

ROOT = Path(sktaag.__file__).parent

_GROUND = {"_progress", "base", "cache", "structures"}
_ROOMS_ABOVE = {
    "_progress": set(),
    "structures": set(),
    "cache": set(),
    "base": {"_progress", "cache", "structures"},
    "descriptors": _GROUND,
    "graphs": _GROUND,
    "model_selection": _GROUND | {"descriptors"},
    "nn": set(),
    "heads": {"_progress", "nn"},
    "sources": _GROUND | {"descriptors", "graphs", "nn", "heads"},
    "transfer": _GROUND | {"descriptors", "graphs", "nn", "heads", "sources", "model_selection"},
    "datasets": {"structures"},
    "testing": _GROUND,
}
_EVERYTHING = {*_ROOMS_ABOVE}
_ROOMS_ABOVE["inspection"] = _EVERYTHING - {"testing"}
_ROOMS_ABOVE["io"] = _ROOMS_ABOVE["inspection"]
_ROOMS_ABOVE["xenonpy"] = _ROOMS_ABOVE["inspection"] | {"io"}
_ROOMS_ABOVE["cli"] = _ROOMS_ABOVE["inspection"] | {"inspection", "io"}

_TORCH = {"torch", "torch_geometric", "skorch"}
_CHEMISTRY = {"rdkit", "ase", "pymatgen", "mendeleev", "chemicals"}
_NOT_ALLOWED = {  # third parties that a room knows nothing of
    "structures": _TORCH | {"sklearn"},
    "cache": _TORCH,
    "base": _TORCH,
    "descriptors": _TORCH,
    "model_selection": _TORCH,
    "datasets": _TORCH,
    "testing": _TORCH,
    "nn": _CHEMISTRY | {"sklearn", "skorch"},
    "heads": _CHEMISTRY,
}


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def files():
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imports(path):
    """Yield (line, dotted name) of every import in a file, wherever it stands."""
    package = path.relative_to(ROOT.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            # `from sktaag import cache` imports a room; other names do no harm here
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def test_every_room_is_known():
    found = {room_of(path) for path in files()}
    assert found <= set(_ROOMS_ABOVE), f"add {found - set(_ROOMS_ABOVE)} to the rooms of this test and of the design"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_room_imports_a_lower_one(path):
    room = room_of(path)
    for line, name in imports(path):
        first, *rest = name.split(".")
        where = f"{path.relative_to(ROOT.parent)}:{line}"
        if first == "sktaag" and rest and rest[0] not in ("__version__", room):
            assert rest[0] in _ROOMS_ABOVE[room], f"{where}: {room} must not import {rest[0]}"
        assert first not in _NOT_ALLOWED.get(room, ()), f"{where}: {room} must not import {first}"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_private_of_scikit_learn(path):
    for line, name in imports(path):
        first, *rest = name.split(".")
        private = first == "sklearn" and any(part.startswith("_") and not part.startswith("__") for part in rest)
        assert not private, f"{path.relative_to(ROOT.parent)}:{line}: {name} is private"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("__init__.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_init_only_reexports(path):
    for node in ast.parse(path.read_text()).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and node.targets[0].id in ("__all__", "__version__")
        assert docstring or names or isinstance(node, (ast.Import, ast.ImportFrom)), f"{path}:{node.lineno}"


def test_the_reading_of_imports_sees_all_forms(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path / "sktaag")
    path = tmp_path / "sktaag" / "nn" / "_thing.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import rdkit.Chem as c\nfrom sktaag import base\nfrom ..heads import X\nfrom . import _other\n"
        "def f():\n    from sktaag.transfer._chain import Chain\n"
    )
    assert [name for _, name in imports(path)] == [
        "rdkit.Chem",
        "sktaag.base",
        "sktaag.heads.X",
        "sktaag.nn._other",
        "sktaag.transfer._chain.Chain",
    ]


def loaded_by(module):
    code = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stderr == "", f"import {module} writes to stderr"
    return set(json.loads(output.stdout))


@pytest.mark.parametrize(
    "room", ["structures", "base", "cache", "descriptors", "model_selection", "datasets", "testing"]
)
def test_no_torch_without_a_network(room):
    assert not loaded_by(f"sktaag.{room}") & _TORCH


def test_structures_load_neither_scikit_learn_nor_crystals():
    assert not loaded_by("sktaag.structures") & {"sklearn", "pymatgen", "ase", "matplotlib"}


def test_networks_load_no_chemistry():
    assert not loaded_by("sktaag.nn") & _CHEMISTRY


def test_the_package_alone_loads_nothing_heavy():
    heavy = {"numpy", "pandas", "sklearn", "scipy", "joblib", "matplotlib"} | _TORCH | _CHEMISTRY
    assert not loaded_by("sktaag") & heavy
