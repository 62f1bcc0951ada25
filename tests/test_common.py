"""What every public object has in common; no new class or function escapes, as they are found by inspection."""

import importlib
import inspect
import pkgutil
import re
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from predictor_checks import CHECKS
from pymatgen.core import Lattice, Structure
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import make_pipeline

import sktaag
from sktaag import xenonpy
from sktaag.descriptors import CompositionDescriptors, Fingerprints
from sktaag.graphs import AtomGraphs, MoleculeGraphs
from sktaag.sources import GNNClassifier, GNNRegressor, PyramidEnsemble, PyramidRegressor
from sktaag.testing import parametrize_with_structure_checks
from sktaag.transfer import FineTunedRegressor, FrozenFeaturizer, LinearPotential, TAAGClassifier, TAAGRegressor

MOLECULES = ["CCO", "c1ccccc1", "CC(=O)[O-].[Na+]", "*CC*", "*CC(*)c1ccccc1", "C[C@H](N)C(=O)O", "C1CCCCC1", "CCN"]
FORMULAS = ["NaCl", "Fe2O3", "C2H6O", "SiO2", "H2O", "LiFePO4", "Al0.5Ga0.5As"]
CRYSTALS = [
    Structure(Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for a, metal in ((2.6, "Mg"), (3.0, "Fe"), (3.2, "Ca"), (3.3, "Sr"), (2.7, "Ni"), (2.8, "Mn"))
]

_folder = tempfile.TemporaryDirectory()  # lives as long as this module
_elements = pd.DataFrame(
    np.random.RandomState(0).rand(14, 3) + 1,
    index=["H", "Li", "C", "N", "O", "Na", "Al", "Si", "P", "Cl", "Fe", "Ga", "As", "S"],
    columns=["a", "b", "c"],
)


def _source(random_state):
    pyramid = PyramidRegressor(hidden=(8, 4), max_epochs=2, random_state=random_state)
    return make_pipeline(Fingerprints(size=64), pyramid).fit(MOLECULES, np.arange(len(MOLECULES), dtype=float))


def _ensemble():
    ensemble = PyramidEnsemble(2, (8, 4), max_epochs=2, random_state=0)
    return make_pipeline(Fingerprints(size=64), ensemble).fit(MOLECULES, np.arange(len(MOLECULES), dtype=float))


# Estimators whose X is a column of structures. Together, the instances of a class set every parameter to something
# else than its default, and no two of them are alike.
ESTIMATORS_OF_MOLECULES = [
    Fingerprints(["morgan", "maccs", "torsion"], counts=True, size=512, radius=3, chirality=True, dtype="float64"),
    Fingerprints("atom_pair", polymer="oligomer", n_units=2, fragments="largest", sparse=True, on_invalid="nan"),
    Fingerprints(
        ("rdkit", "estate"), polymer="cyclic", fragments="largest", dtype="uint8", size=256, n_jobs=2, verbose=1
    ),
    Fingerprints(("feature_morgan", "secfp"), size=128, cache=joblib.Memory(_folder.name, verbose=0)),
    FrozenFeaturizer(_source(0), layers=2, activation="post"),
    FrozenFeaturizer({"one": _source(0), "two": _source(1)}, layers=[2], cache=joblib.Memory(_folder.name, verbose=0)),
    FrozenFeaturizer([_source(0)], layers="output", cache=Path(_folder.name)),
    FrozenFeaturizer(_ensemble(), member=1),
    CompositionDescriptors(["ave", "var", "count"], strings="smiles", cache=_folder.name, on_invalid="nan"),
    MoleculeGraphs("cyclic", n_units=2, fragments="largest", n_jobs=2, verbose=1),
    MoleculeGraphs("oligomer", on_invalid="nan", cache=_folder.name),
    xenonpy.Fingerprints(
        2, radius=2, n_bits=64, bit_per_entry=2, featurizers=["AtomPairFP", "ECFP"], input_type="any", on_errors="keep"
    ),
    xenonpy.Fingerprints(
        counting=True,
        featurizers=["MACCS", "DescriptorFeature"],
        target_col="structure",
        desc_list=["MolWt", "TPSA"],
        add_Hs=True,
    ),
]
ESTIMATORS_OF_FORMULAS = [
    CompositionDescriptors("all", n_jobs=2, verbose=1),
    CompositionDescriptors(("max", "gmean"), elements=_elements, missing="raise", on_invalid="nan"),
    xenonpy.Compositions(featurizers="all", n_jobs=2),
    xenonpy.Compositions(elemental_info=_elements, featurizers=["MinPooling", "Counting"], on_errors="raise"),
]
ESTIMATORS_OF_CRYSTALS = [
    AtomGraphs(4.0, max_neighbors=8, min_distance=0.5, n_jobs=2, verbose=1, cache=Path(_folder.name)),
    AtomGraphs(n_conformers=2, polymer="cyclic", n_units=4, random_state=1, on_invalid="nan"),
    xenonpy.Structures(11, 4.0, featurizers="RadialDistributionFunction", target_col="X", on_errors="nan"),
    # the orbital field matrix would take minutes for the rows of check_n_jobs
    xenonpy.Structures(6, 3.0, including_d=False, featurizers=["RadialDistributionFunction"], n_jobs=2),
]
STRUCTURE_ESTIMATORS = ESTIMATORS_OF_MOLECULES + ESTIMATORS_OF_FORMULAS + ESTIMATORS_OF_CRYSTALS

# Classifiers and regressors whose X is a column of structures.
GEOMETRIES = [molecule(name) for name in ("H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "H2CO", "N2H4")]
_tiny = {"module__n_layers": 2, "module__n_features": 8, "module__cutoff": 4.0}
_graph_source = GNNRegressor(**_tiny, max_epochs=2, random_state=0).fit(GEOMETRIES, np.arange(len(GEOMETRIES)))
PREDICTORS = [
    GNNRegressor(**_tiny, graphs=AtomGraphs(4.5), batch_size=3, max_epochs=2, ema=0.9, random_state=0),
    GNNRegressor(**_tiny, target="intensive", criterion="mae", max_epochs=2, early_stopping=True, random_state=1),
    GNNClassifier(**_tiny, class_weight="balanced", max_epochs=2, random_state=0),
    TAAGRegressor(_graph_source, attention="query", max_epochs=2, cache=_folder.name, random_state=0),
    TAAGRegressor(
        _graph_source, freeze=1, n_fresh_blocks=1, lr_decay=0.5, readout="fresh", max_epochs=2, random_state=0
    ),
    TAAGClassifier(_graph_source, attention="mix", target="extensive", lr_decay=0.5, max_epochs=2, random_state=0),
    FineTunedRegressor(_graph_source, strategy="gradual", unfreeze_every=1, max_epochs=2, random_state=0),
    FineTunedRegressor(_graph_source, strategy="discriminative", lr_decay=0.3, max_epochs=2, random_state=0),
    LinearPotential(_graph_source, use_forces=False, graphs=AtomGraphs(4.5), cache=_folder.name),
]

# Estimators whose X is numeric: scikit-learn's own parametrize_with_checks runs on them, in a test file of theirs.
NUMERIC_ESTIMATORS = {
    "LayerKernelRegressor",
    "NeuralClassifier",
    "NeuralRegressor",
    "PyramidClassifier",
    "PyramidEnsemble",
    "PyramidEnsembleClassifier",
    "PyramidRegressor",
    "RareBitFilter",
    "xenonpy.DescriptorHeatmap",
    "xenonpy.Scaler",
}

# Estimators over fitted sources, which no generic check can build, by the test file that holds their contract.
ESTIMATORS_OVER_SOURCES = {
    "GNNFeaturizer": "transfer/test_gnn_featurizer.py",
    "SourceSearchCV": "transfer/test_source_search_cv.py",
    "TAAGFeaturizer": "transfer/test_taag_featurizer.py",
}

# XenonPy's tools that no generic check fits: they take a network, or are no estimators but for their parameters. Their
# own test files clone and pickle them.
XENONPY_TOOLS = {
    "xenonpy.FrozenFeaturizer": "xenonpy/test_xenonpy_frozen_featurizer.py",
    "xenonpy.MDL": "xenonpy/test_xenonpy_mdl.py",
    "xenonpy.Splitter": "xenonpy/test_xenonpy_tools.py",
    "xenonpy.Trainer": "xenonpy/test_xenonpy_models.py",
}


@parametrize_with_structure_checks(ESTIMATORS_OF_MOLECULES, MOLECULES)
def test_estimators_of_molecules(estimator, check):
    check(estimator)


@parametrize_with_structure_checks(ESTIMATORS_OF_FORMULAS, FORMULAS)
def test_estimators_of_formulas(estimator, check):
    check(estimator)


@parametrize_with_structure_checks(ESTIMATORS_OF_CRYSTALS, CRYSTALS)
def test_estimators_of_crystals(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:.*elements that no training row has")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", PREDICTORS, ids=lambda estimator: type(estimator).__name__)
def test_predictors(estimator, check):
    y = np.linspace(-1, 1, len(GEOMETRIES))
    check(estimator, GEOMETRIES, (y > 0).astype(int) if is_classifier(estimator) else y)


# ---------------------------------------------------------------- by inspection


def public_modules():
    names = [info.name for info in pkgutil.walk_packages(sktaag.__path__, "sktaag.")]
    return [importlib.import_module(name) for name in names if not any(p.startswith("_") for p in name.split("."))]


def public_objects():
    """Yield (dotted name, object) of the classes and functions of all public modules."""
    for module in public_modules():
        own = [name for name, obj in vars(module).items() if getattr(obj, "__module__", None) == module.__name__]
        for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
            obj = getattr(module, name)
            if inspect.isclass(obj) or inspect.isfunction(obj):
                yield f"{module.__name__}.{name}", obj


def is_abstract(cls):
    return any(getattr(inspect.getattr_static(cls, name), "__isabstractmethod__", False) for name in dir(cls))


def label(cls):
    """Name of a class; some of the room of XenonPy's names are called as classes of other rooms."""
    return f"xenonpy.{cls.__name__}" if cls.__module__.startswith("sktaag.xenonpy.") else cls.__name__


PUBLIC = dict(public_objects())
ESTIMATORS = {
    label(obj): obj
    for obj in PUBLIC.values()
    if inspect.isclass(obj) and issubclass(obj, BaseEstimator) and not is_abstract(obj)
}


def test_inspection_finds_something():
    assert {"Fingerprints", "RareBitFilter", "FrozenFeaturizer"} <= set(ESTIMATORS)
    assert "StructureTransformer" not in ESTIMATORS
    assert "sktaag.cache.RowCache" in PUBLIC


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_is_checked(name):
    of_structures = name in {label(type(estimator)) for estimator in STRUCTURE_ESTIMATORS}
    of_structures += name in {label(type(estimator)) for estimator in PREDICTORS}
    elsewhere = (name in ESTIMATORS_OVER_SOURCES) + (name in XENONPY_TOOLS)
    assert of_structures + (name in NUMERIC_ESTIMATORS) + elsewhere == 1, (
        f"{name} must be checked in one way. If its X is a column of structures, add configured instances to "
        f"STRUCTURE_ESTIMATORS or PREDICTORS in {Path(__file__).name}. If its X is numeric, add its name to "
        "NUMERIC_ESTIMATORS there and run sklearn's parametrize_with_checks on it in its own test file. If it cannot "
        "be built without fitted sources, add it to ESTIMATORS_OVER_SOURCES."
    )


def test_no_check_of_what_is_not_there():
    assert set(ESTIMATORS) >= NUMERIC_ESTIMATORS | set(ESTIMATORS_OVER_SOURCES) | set(XENONPY_TOOLS)


@pytest.mark.parametrize("name", sorted(ESTIMATORS_OVER_SOURCES))
def test_estimators_over_sources_are_cloned_and_pickled_in_their_own_tests(name):
    text = (Path(__file__).parent / ESTIMATORS_OVER_SOURCES[name]).read_text()
    for contract in ("test_clone", "test_pickle", "test_forms_of_structures_agree"):
        assert f"def {contract}" in text, f"{ESTIMATORS_OVER_SOURCES[name]} has no {contract}"


@pytest.mark.parametrize("name", sorted(XENONPY_TOOLS))
def test_xenonpys_tools_are_cloned_and_pickled_in_their_own_tests(name):
    text = (Path(__file__).parent / XENONPY_TOOLS[name]).read_text()
    contract = text.partition("def test_r9_")[2]
    assert "clone(" in contract
    assert "pickle.loads(" in contract


@pytest.mark.parametrize("name", sorted(NUMERIC_ESTIMATORS))
def test_numeric_estimators_run_the_checks_of_scikit_learn(name):
    sources = [path.read_text() for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__)]
    assert any("@parametrize_with_checks(" in text and f"{name.split('.')[-1]}(" in text for text in sources), (
        f"no test file runs sklearn.utils.estimator_checks.parametrize_with_checks on {name}"
    )


@pytest.mark.parametrize("cls", dict.fromkeys(type(e) for e in STRUCTURE_ESTIMATORS), ids=lambda cls: cls.__name__)
def test_every_parameter_is_configured_in_some_instance(cls):
    instances = [estimator for estimator in STRUCTURE_ESTIMATORS if type(estimator) is cls]
    assert len(instances) >= 2, f"add another configuration of {cls.__name__}"
    for name, parameter in inspect.signature(cls).parameters.items():
        values = [getattr(estimator, name) for estimator in instances]
        assert any(type(v) is not type(parameter.default) or v != parameter.default for v in values), (
            f"no instance of {cls.__name__} in {Path(__file__).name} sets {name}: a parameter at its default proves "
            "nothing about clone"
        )


# ---------------------------------------------------------------- names and docstrings


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_modules(module):
    assert inspect.getdoc(module), f"{module.__name__} has no docstring"
    if hasattr(module, "__path__"):
        in_order = sorted(module.__all__, key=lambda name: (not name.isupper(), name))  # as the linter wants it
        assert module.__all__ == in_order, f"__all__ of {module.__name__} is not in order"
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{module.__name__}.__all__ names {name}, which is not there"


def documented_parameters(doc):
    """Names in the sections Parameters and Attributes of a numpydoc docstring."""
    found, section, lines = set(), None, doc.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if set(following) == {"-"}:
            section = line
        elif section in ("Parameters", "Attributes") and re.match(r"[\w*]", line):
            found.update(name.strip(" *") for name in line.partition(" : ")[0].split(","))
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings(name):
    obj = PUBLIC[name]
    doc = inspect.getdoc(obj)
    assert doc, f"{name} has no docstring"
    if inspect.isclass(obj) and issubclass(obj, Exception):  # nobody makes one
        return
    # without an __all__ a module is for those who extend sktaag; checks say in one line what they check
    exported = name.split(".")[-1] in getattr(importlib.import_module(name.rpartition(".")[0]), "__all__", ())
    if exported:
        assert "\nExamples\n--------\n" in doc, f"{name} has no section Examples"
        assert ">>>" in doc.partition("\nExamples\n")[2], f"the Examples of {name} have no code"
        parameters = [p for p in inspect.signature(obj).parameters if p not in ("self", "args", "kwargs")]
        missing = set(parameters) - documented_parameters(doc)
        assert not missing, f"the docstring of {name} does not document {sorted(missing)}"
        if inspect.isfunction(obj):
            assert re.search(r"^(Returns|Yields|Raises)\n-+$", doc, re.M), f"{name} does not say what it returns"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_methods_of_estimators_have_docstrings(name):
    for method, function in inspect.getmembers(ESTIMATORS[name], inspect.isfunction):
        if not method.startswith("_") and function.__module__.startswith("sktaag."):
            assert inspect.getdoc(function), f"{name}.{method} has no docstring"


def test_the_reading_of_docstrings():
    doc = inspect.getdoc(Fingerprints)
    assert {"kinds", "cache", "n_features_in_"} <= documented_parameters(doc)
    assert "InvalidRowsError" not in documented_parameters(doc)
    assert "RareBitFilter" not in documented_parameters(doc)
