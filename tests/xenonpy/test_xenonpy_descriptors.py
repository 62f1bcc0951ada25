"""Compositions, Fingerprints and Structures."""

import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Composition, Lattice, Structure
from rdkit import Chem
from rdkit.rdBase import BlockLogs
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from xenonpy import descriptor as original

from sktaag.descriptors import element_table
from sktaag.structures import InvalidRowsError, InvalidRowsWarning
from sktaag.xenonpy import Compositions, Fingerprints, Structures
from sktaag.xenonpy._structures import _SUBSHELLS, OrbitalFieldMatrix

FORMULAS = ["NaCl", "Fe2O3", "C2H6O", "SiO2", "H2O", "LiFePO4", "Al0.5Ga0.5As", "He"]
SMILES = ["C", "CCO", "c1ccccc1", "CC(=O)[O-].[Na+]", "*CC(*)c1ccccc1", "C[C@H](N)C(=O)O", "F/C=C/F", "C" * 40]
SMILES += ["CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1CC2CCC1C2", "[Fe]", "N#Cc1ccc(-c2ccc(C#N)s2)cc1.Cl.O"]


# ---------------------------------------------------------------- R7: compositions


@pytest.fixture(scope="module")
def table():
    """A complete table of positive values, with the size and the names of XenonPy's."""
    random = np.random.RandomState(0)
    columns = [*sorted(f"property_{i}" for i in range(57)), "Polarizability"]
    return pd.DataFrame(random.lognormal(size=(94, 58)), index=element_table().index, columns=columns)


def original_rows(table, compositions, names=Compositions.classic):
    return pd.concat(
        [getattr(original, name)(elemental_info=table, n_jobs=1).transform(compositions) for name in names], axis=1
    )


def forms(index):
    dicts = [Composition(formula).get_el_amt_dict() for formula in FORMULAS]
    return {
        "Series of dict": pd.Series(dicts, index=index),
        "Series of Composition": pd.Series([Composition(formula) for formula in FORMULAS], index=index),
        "DataFrame": pd.DataFrame({"y": 1.0, "composition": dicts}, index=index),
        "Series of formulas": pd.Series(FORMULAS, index=index),
        "list of dict": dicts,
        "list of formulas": FORMULAS,
        "array": np.array(dicts, dtype=object),
    }


@pytest.mark.parametrize("form", forms(None))
def test_r7_equals_xenonpy(table, form):
    index = [f"mp-{i}" for i in range(len(FORMULAS))]
    X = forms(index)[form]
    expected = original_rows(table, forms(index)["Series of dict"])
    for rows in (Compositions(elemental_info=table).transform(X), Compositions(elemental_info=table).fit_transform(X)):
        assert rows.shape == (8, 290)
        assert rows.columns.tolist() == expected.columns.tolist()
        assert_allclose(rows, expected, rtol=1e-9, atol=1e-9)
        assert rows.index.tolist() == (index if hasattr(X, "index") and not isinstance(X, list) else list(range(8)))


def test_a_column_by_another_name(table):
    class Theirs(original.base.BaseDescriptor):
        def __init__(self):
            super().__init__(featurizers="all", on_errors="nan")
            self.composition = original.WeightedAverage(elemental_info=table, n_jobs=1)

    formulas = [Composition(formula).get_el_amt_dict() for formula in FORMULAS]
    frame = pd.DataFrame({"composition": formulas[::-1], "other": formulas}, index=range(5, 5 + len(formulas)))
    ours = Compositions(elemental_info=table, featurizers="WeightedAverage")
    for X in (frame, frame[["other"]]):
        expected = Theirs().fit(X, composition="other").transform(X)  # in their transform the name is a TypeError
        for rows in (ours.transform(X, composition="other"), ours.fit_transform(X, composition="other")):
            pd.testing.assert_frame_equal(rows, expected, check_exact=False, rtol=1e-9)
    pd.testing.assert_frame_equal(clone(ours).transform(frame), ours.transform(frame, composition="composition"))
    with pytest.raises(ValueError, match="no column 'third', which composition= names"):
        ours.transform(frame, composition="third")
    with pytest.raises(TypeError, match=r"Compositions knows the keyword composition=.*not mol="):
        ours.transform(frame, mol="other")


def test_r7_all_statistics_in_xenonpys_order(table):
    names = ["GeometricMean", "HarmonicMean", "MinPooling"]
    X = forms(None)["Series of dict"]
    rows = Compositions(elemental_info=table, featurizers=names[::-1]).transform(X)
    pd.testing.assert_frame_equal(rows, original_rows(table, X, names), rtol=1e-9, check_names=False)
    rows = Compositions(elemental_info=table, featurizers="all").transform(X)
    assert rows.shape == (8, 94 + 7 * 58)
    assert rows.columns[[0, 94, -1]].tolist() == ["H", f"ave:{table.columns[0]}", "min:Polarizability"]
    assert rows.loc[6, "Ga"] == 0.5  # XenonPy's Counting is NaN throughout
    assert Compositions(elemental_info=table, featurizers="Counting").transform(X).shape == (8, 94)


def test_r7_on_xenonpys_own_table():
    root = Path(os.environ.get("SKTAAG_DATA", Path(__file__).parents[3] / "shared" / "data"))
    path = root / "atoms" / "inorganic" / "xenonpy_elements_completed_94x58.csv"
    if not path.exists():
        pytest.skip("XenonPy's table of elements is not here; set SKTAAG_DATA to the data folder")
    table = pd.read_csv(path, index_col=0, keep_default_na=False).astype(float)
    X = forms(None)["Series of dict"]
    rows = Compositions(elemental_info=table).transform(X)
    assert_allclose(rows, original_rows(table, X), rtol=1e-9, atol=1e-9)
    assert rows.columns[[0, -1]].tolist() == ["ave:atomic_number", "min:Polarizability"]


def test_default_table():
    assert Compositions().transform(FORMULAS).shape == (8, 235)


def test_compositions_that_cannot_be_described(table):
    X = pd.Series(["NaCl", "nonsense", {"Lr": 1}, None], index=list("abcd"))
    with pytest.warns(InvalidRowsWarning, match="3 of 4"):
        rows = Compositions(elemental_info=table).transform(X)
    assert_array_equal(rows.isna().all(axis=1), [False, True, True, True])
    with pytest.raises(InvalidRowsError, match=r'row 1: (?s:.*)row 2: .*Lr(?s:.*)row 3: (?s:.*)on_errors="nan"'):
        Compositions(elemental_info=table, on_errors="raise").transform(X)
    kept = Compositions(elemental_info=table, on_errors="keep").transform(X)
    assert isinstance(kept.iloc[1, 0], ValueError)
    assert kept.loc["a"].astype(float).equals(rows.loc["a"])
    with pytest.warns(InvalidRowsWarning, match="2 of 2"):
        assert Compositions(elemental_info=table).transform(["?", "?"]).isna().to_numpy().all()


# ---------------------------------------------------------------- R8: fingerprints


def original_bits(name, **options):
    with BlockLogs():  # XenonPy calls functions of RDKit that announce their end on stderr
        featurizer = getattr(original, name)(n_jobs=1, input_type="smiles", **options)
        return featurizer.transform(pd.Series(SMILES, index=[f"m{i}" for i in range(len(SMILES))]))


CASES = [
    *[(name, {"radius": radius, "n_bits": 512}) for name in ("ECFP", "FCFP", "MHFP") for radius in (2, 3)],
    *[(name, {"counting": True, "n_bits": 512}) for name in ("ECFP", "FCFP", "RDKitFP")],
    *[(name, {"counting": True, "n_bits": 512}) for name in ("AtomPairFP", "TopologicalTorsionFP")],
    *[(name, {"n_bits": 512}) for name in ("RDKitFP", "AtomPairFP", "TopologicalTorsionFP", "PatternFP", "LayeredFP")],
    *[(name, {"bit_per_entry": n}) for name in ("AtomPairFP", "TopologicalTorsionFP") for n in (1, 2, 3, 4, 5)],
    *[("RDKitFP", {"bit_per_entry": n}) for n in (1, 2, 3)],
    *[(name, {}) for name in ("RDKitFP", "AtomPairFP", "TopologicalTorsionFP", "MACCS", "ECFP", "FCFP", "MHFP")],
]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_r8_equals_xenonpy(name, options):
    expected = original_bits(name, **options)
    X = pd.Series(SMILES, index=expected.index)
    rows = Fingerprints(featurizers=name, **options).transform(X)
    assert rows.columns.tolist() == expected.columns.tolist()
    assert rows.index.tolist() == expected.index.tolist()
    assert_array_equal(rows, expected)
    assert expected.to_numpy().any()


def test_r8_all_of_them():
    with BlockLogs():
        theirs = original.Fingerprints(n_jobs=1, n_bits=64, input_type="smiles", counting=True)
        expected = theirs.transform(pd.Series(SMILES))
    rows = Fingerprints(n_bits=64, counting=True).transform(SMILES)
    assert rows.columns.tolist() == expected.columns.tolist() == theirs.feature_labels
    assert_allclose(rows, expected.clip(-1e30, 1e30))


@pytest.mark.parametrize("options", [{"desc_list": "classic"}, {"desc_list": ["MolWt", "qed"]}, {"add_Hs": True}])
def test_r8_descriptors(options):
    expected = original_bits("DescriptorFeature", **options)
    rows = Fingerprints(featurizers=["DescriptorFeature"], **options).transform(SMILES)
    assert rows.columns.tolist() == expected.columns.tolist()
    assert_allclose(rows, expected.clip(-1e30, 1e30))


def test_forms_of_molecules():
    expected = Fingerprints(featurizers="ECFP", n_bits=64).transform(SMILES)
    mols = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
    frame = pd.DataFrame({"y": 1.0, "mol": mols, "smiles": SMILES}, index=range(5, 17))
    for X in (mols, frame, frame[["mol"]], frame["smiles"], np.array(SMILES)):
        assert_array_equal(Fingerprints(featurizers="ECFP", n_bits=64).transform(X), expected)
    picked = Fingerprints(featurizers="ECFP", n_bits=64, target_col="smiles").transform(frame.drop(columns="mol"))
    assert_array_equal(picked, expected)
    assert picked.index.tolist() == list(range(5, 17))
    with pytest.raises(ValueError, match="one column of structures"):
        Fingerprints().transform(frame.drop(columns="mol"))


def test_molecules_that_cannot_be_read():
    X = ["CCO", "nonsense", "CC"]
    with pytest.raises(InvalidRowsError, match=r'row 1: .nonsense(?s:.*)on_errors="nan"'):
        Fingerprints(featurizers="MACCS").transform(X)
    with pytest.warns(InvalidRowsWarning, match="1 of 3"):
        rows = Fingerprints(featurizers="MACCS", on_errors="nan").transform(X)
    assert_array_equal(rows.isna().all(axis=1), [False, True, False])
    kept = Fingerprints(featurizers="MACCS", on_errors="keep").transform(X)
    assert isinstance(kept.iloc[1, 5], ValueError)
    with pytest.warns(InvalidRowsWarning, match="1 of 1"):
        Fingerprints(featurizers="MACCS", on_errors="nan").transform(["?"])


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Fingerprints(featurizers="ecfp"), "featurizers must be 'all', or one or a list of RDKitFP, .*got 'ecfp'"),
        (Fingerprints(featurizers=[]), r"featurizers must be .*got \[\]"),
        (Fingerprints(radius=-1), "radius must be an integer of at least 0, got -1"),
        (Fingerprints(n_bits=1.5), "n_bits must be an integer of at least 1, got 1.5"),
        (Fingerprints(bit_per_entry=0), "bit_per_entry must be an integer of at least 1, got 0"),
        (Fingerprints(input_type="smi"), "input_type must be .*got 'smi'"),
        (Fingerprints(desc_list=["Weight"]), r"desc_list must be .*got \['Weight'\]"),
        (Fingerprints(on_errors="drop"), "on_errors must be .*got 'drop'"),
        (
            Compositions(featurizers="Mean"),
            "featurizers must be 'classic', 'all', or one or a list of Counting, .*Mean",
        ),
        (Structures(n_bins=1), "n_bins must be at least 2"),
        (Structures(featurizers=["RDF"]), "featurizers must be 'all', or one or a list of Radial"),
    ],
)
def test_bad_parameters(estimator, message):
    for call in (estimator.fit, estimator.transform):
        with pytest.raises(ValueError, match=message):
            call(["C"])


# ---------------------------------------------------------------- R7b: structures


@pytest.fixture(scope="module")
def crystals():
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    charged = salt.copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    return [salt, iron, charged]


def test_r7b_radial_distribution_is_xenonpys(crystals):
    for options in ({}, {"n_bins": 21, "r_max": 5.0}):
        ours = Structures(featurizers="RadialDistributionFunction", **options)
        rows = ours.transform(pd.Series(crystals, index=list("abc")))
        theirs = original.RadialDistributionFunction(n_jobs=1, **options)
        expected = theirs.transform(pd.Series(crystals, index=list("abc")))
        pd.testing.assert_frame_equal(rows, expected)
        assert ours.feature_labels == theirs.feature_labels
        assert rows.to_numpy().any()


def test_r7b_orbital_field_matrix_by_hand(crystals):
    # Rock salt: 6 neighbours of equal weight 1 at 2.82 Å. Na is s1; Cl is s2 and p5.
    rows = Structures(featurizers=["OrbitalFieldMatrix"], including_d=False).transform(crystals[:1])
    matrix = rows.to_numpy().reshape(32, 32)
    labels = rows.columns.to_numpy().reshape(32, 32)
    expected = {"s1_s2": 3, "s1_p5": 3, "s2_s1": 3, "p5_s1": 3}
    assert_allclose(matrix, np.vectorize(lambda label: expected.get(label, 0))(labels), atol=1e-6)


def test_r7b_orbital_field_matrix_knows_the_valence_electrons():
    from mendeleev.fetch import fetch_table

    elements = fetch_table("elements").set_index("symbol").sort_values("atomic_number")
    assert len(_SUBSHELLS) == 32
    for symbol, configuration in elements["electronic_configuration"][:94].items():  # [Ar] 3d6 4s2
        valence = {f"{shell}{n or 1}" for shell, n in re.findall(r"\d([spdf])(\d*)", configuration)}
        vector = OrbitalFieldMatrix.get_element_representation(symbol)
        assert {label for label, bit in zip(_SUBSHELLS, vector, strict=True) if bit} == valence, symbol


def test_r7b_orbital_field_matrix_is_xenonpys_where_that_is_right():
    hydride = Structure(Lattice.cubic(3.0), ["H", "He"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for including_d in (True, False):
        expected = original.OrbitalFieldMatrix(including_d, n_jobs=1).transform(pd.Series([hydride]))
        rows = Structures(featurizers="OrbitalFieldMatrix", including_d=including_d).transform([hydride])
        assert_allclose(rows, expected)
        assert rows.columns.tolist() == expected.columns.tolist()
        assert expected.to_numpy().any()


def test_all_of_a_frame(crystals):
    frame = pd.DataFrame({"structure": crystals, "y": 1.0}, index=list("abc"))
    rows = Structures().transform(frame)
    assert rows.shape == (3, 1224)
    assert rows.index.tolist() == list("abc")
    assert_allclose(rows.loc["a"], rows.loc["c"])  # oxidation states change nothing
    assert Structures().feature_labels == rows.columns.tolist()


def test_structures_that_cannot_be_described(crystals):
    disordered = Structure(Lattice.cubic(3.0), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])
    X = [crystals[1], "NaCl", disordered]
    with pytest.raises(
        InvalidRowsError, match=r"row 1: .*is of type str, not a pymatgen(?s:.*)row 2: (?s:.*)is disordered"
    ):
        Structures(n_bins=5).transform(X)
    with pytest.warns(InvalidRowsWarning, match="2 of 3"):
        rows = Structures(n_bins=5, on_errors="nan").transform(X)
    assert_array_equal(rows.isna().all(axis=1), [False, True, True])


# ---------------------------------------------------------------- R9


def citizens(crystals, table):
    return {
        "Compositions": (Compositions(elemental_info=table, n_jobs=1, featurizers="all", on_errors="raise"), FORMULAS),
        "Fingerprints": (
            Fingerprints(1, radius=2, n_bits=64, counting=True, input_type="any", featurizers=("ECFP", "MHFP")),
            SMILES,
        ),
        "Structures": (Structures(11, 4.0, False, featurizers="RadialDistributionFunction"), crystals * 3),
    }


GRIDS = {
    "Compositions": {"featurizers": ["WeightedAverage", "classic"]},
    "Fingerprints": {"featurizers": ["ECFP", ["MACCS", "ECFP"]], "n_bits": [32, 64], "radius": np.arange(1, 3)},
    "Structures": {"n_bins": [5, 11]},
}


@pytest.mark.parametrize("name", GRIDS)
def test_r9_a_citizen_of_scikit_learn(name, crystals, table):
    estimator, X = citizens(crystals, table)[name]
    y = np.arange(len(X), dtype=float)
    rows = estimator.fit_transform(X)
    copy = clone(estimator)
    assert repr(copy) == repr(estimator)
    for key, value in estimator.get_params().items():
        same = copy.get_params()[key]
        assert same.equals(value) if isinstance(value, pd.DataFrame) else same == value
    for other in (copy, pickle.loads(pickle.dumps(estimator))):
        pd.testing.assert_frame_equal(other.transform(X), rows)
    assert estimator.get_feature_names_out().tolist() == rows.columns.tolist() == estimator.feature_labels
    polars = clone(estimator).set_output(transform="polars").fit_transform(X)
    assert polars.columns == rows.columns.tolist()
    assert_array_equal(polars.to_numpy(), rows)

    model = make_pipeline(estimator, Ridge())
    assert np.isfinite(cross_val_score(model, X, y, cv=3, scoring="r2", error_score="raise")).all()
    grid = {f"{name.lower()}__{key}": value for key, value in GRIDS[name].items()}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.transform(X)
