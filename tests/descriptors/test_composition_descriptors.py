import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Composition
from rdkit import Chem
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import CompositionDescriptors, element_table
from sktaag.sources import PyramidRegressor, load_source, save_source
from sktaag.structures import InvalidRowsError, InvalidRowsWarning
from sktaag.testing import parametrize_with_structure_checks

FORMULAS = ["NaCl", "Fe2O3", "(Ba0.5Sr0.5)TiO3", "CuSO4·5H2O", "LiCoO2", "SiO2", "GaAs", "Fe"]
SMILES = ["CCO", "*CC*", "c1ccccc1", "C", "[Na+].[Cl-]", "CC(=O)O", "CCN"]
MIXED_SIGNS = pd.DataFrame(
    {"positive": [1.0, 8.0, 3.0], "negative": [-1.0, -8.0, -3.0], "both": [2.0, -1.0, 5.0], "zero": [0.0, 4.0, 1.0]},
    index=["H", "O", "Na"],
)


@pytest.fixture(scope="module")
def elements():
    """A complete table of positive values, with the shape of XenonPy's."""
    symbols = element_table().index
    values = np.random.RandomState(0).lognormal(2, 2, (len(symbols), 58))
    return pd.DataFrame(values, index=symbols, columns=[f"property_{i}" for i in range(58)])


@pytest.fixture(scope="module")
def compositions():
    rng, symbols = np.random.RandomState(1), element_table().index
    sizes = rng.randint(1, 7, 60)
    return [dict(zip(rng.choice(symbols, k, replace=False), rng.uniform(0.01, 9, k), strict=True)) for k in sizes]


@pytest.fixture(scope="module")
def xenonpy_table():
    root = Path(os.environ.get("SKTAAG_DATA") or Path(__file__).parents[3] / "shared" / "data")
    path = root / "atoms" / "inorganic" / "xenonpy_elements_completed_94x58.csv"
    if not path.exists():
        pytest.skip("XenonPy's table of elements is not here; set SKTAAG_DATA to the data folder")
    return pd.read_csv(path, index_col=0)


def xenonpy_frame(statistics, elements, compositions):
    from xenonpy import descriptor

    classes = {
        "ave": descriptor.WeightedAverage,
        "sum": descriptor.WeightedSum,
        "var": descriptor.WeightedVariance,
        "gmean": descriptor.GeometricMean,
        "hmean": descriptor.HarmonicMean,
        "max": descriptor.MaxPooling,
        "min": descriptor.MinPooling,
    }
    featurizers = [classes[name](elemental_info=elements, n_jobs=1, return_type="df") for name in statistics]
    return pd.concat([featurizer.transform(pd.Series(compositions)) for featurizer in featurizers], axis=1)


def by_hand(elements, composition, statistic):
    """One statistic of one composition, property by property."""
    amounts = np.array(list(composition.values()))
    shares, row = amounts / amounts.sum(), []
    for name in elements:
        p = elements.loc[list(composition), name].to_numpy()
        mean = sum(w * v for w, v in zip(shares, p, strict=True))
        if statistic == "ave":
            row.append(mean)
        elif statistic == "sum":
            row.append(sum(n * v for n, v in zip(amounts, p, strict=True)))
        elif statistic == "var":
            row.append(sum(w * (v - mean) ** 2 for w, v in zip(shares, p, strict=True)))
        elif statistic == "gmean":
            row.append(np.exp(sum(w * np.log(v) for w, v in zip(shares, p, strict=True))))
        elif statistic == "hmean":
            row.append(1 / sum(w / v for w, v in zip(shares, p, strict=True)))
        else:
            row.append({"max": max, "min": min}[statistic](p))
    return row


@parametrize_with_structure_checks(
    [
        CompositionDescriptors(),
        CompositionDescriptors(["min", "count"], elements=MIXED_SIGNS.assign(gap=[1.0, np.nan, 2.0])),
    ],
    ["H2O", "NaOH", "Na", "H2", "O2", "Na2O2", "NaH"],
)
def test_contract_with_formulas(estimator, check):
    check(estimator)


@parametrize_with_structure_checks([CompositionDescriptors("all", strings="smiles")], SMILES)
def test_contract_with_smiles(estimator, check):
    check(estimator)


@pytest.mark.parametrize("statistic", ["ave", "sum", "var", "gmean", "hmean", "max", "min"])
def test_equals_plain_loop(statistic, elements, compositions):
    features = CompositionDescriptors([statistic], elements=elements).fit_transform(compositions)
    expected = [by_hand(elements, composition, statistic) for composition in compositions]
    assert_allclose(features, expected, rtol=1e-12, atol=1e-20 if statistic == "var" else 0)


def test_equals_xenonpy_on_any_table(elements, compositions):
    statistics = ["ave", "sum", "var", "gmean", "hmean", "max", "min"]
    ours = CompositionDescriptors(statistics, elements=elements).set_output(transform="pandas")
    pd.testing.assert_frame_equal(
        ours.fit_transform(compositions), xenonpy_frame(statistics, elements, compositions), rtol=1e-12, atol=1e-20
    )


def test_equals_xenonpy_on_its_own_table(xenonpy_table, compositions):
    ours = CompositionDescriptors(elements=xenonpy_table).set_output(transform="pandas").fit_transform(compositions)
    theirs = xenonpy_frame(["ave", "sum", "var", "max", "min"], xenonpy_table, compositions)
    assert ours.shape == (60, 290)
    # the variance of equal values is rounding noise in both, relative to the square of the largest value
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-12, atol=1e-20)


def test_means_of_xenonpy_where_they_exist(xenonpy_table, compositions):
    ours = CompositionDescriptors("all", elements=xenonpy_table).set_output(transform="pandas")
    ours = ours.fit_transform(compositions)
    theirs = xenonpy_frame(["gmean", "hmean"], xenonpy_table, compositions)
    positive = [name for name in theirs if (xenonpy_table[name.partition(":")[2]] >= 0).all()]
    assert len(positive) == 112
    pd.testing.assert_frame_equal(ours[positive], theirs[positive], rtol=1e-12, atol=0)
    assert ours.shape == (60, 500)
    assert np.isfinite(ours).all(axis=None)


def test_names_and_widths(elements):
    classic = CompositionDescriptors(elements=elements).fit(FORMULAS).get_feature_names_out()
    assert [name.partition(":")[0] for name in classic[::58]] == ["ave", "sum", "var", "max", "min"]
    assert classic[:2].tolist() == ["ave:property_0", "ave:property_1"]
    everything = CompositionDescriptors("all", elements=elements).fit(FORMULAS).get_feature_names_out()
    assert (len(classic), len(everything)) == (290, 500)
    assert everything[:3].tolist() == ["H", "He", "Li"]
    prefixes = [name.partition(":")[0] for name in everything[94::58]]
    assert prefixes == ["ave", "sum", "var", "gmean", "hmean", "max", "min"]


def test_default_table():
    descriptors = CompositionDescriptors().set_output(transform="pandas")
    features = descriptors.fit_transform(["H2O"])
    assert features.shape == (1, 235)
    assert_allclose(features.loc[0, "sum:atomic_weight"], 2 * 1.008 + 15.999)
    assert_allclose(features.loc[0, "ave:en_pauling"], (2 * 2.20 + 3.44) / 3)
    assert features.loc[0, "max:vdw_radius"] == 152


def test_counts():
    descriptors = CompositionDescriptors(["count"]).set_output(transform="pandas")
    features = descriptors.fit_transform(["(Ba0.5Sr0.5)TiO3", {"Pu": 2}])
    assert features.shape == (2, 94)
    assert features.loc[0, ["Ba", "Sr", "Ti", "O"]].tolist() == [0.5, 0.5, 1, 3]
    assert features.sum(axis=1).tolist() == [5, 2]
    assert features.loc[1, "Pu"] == 2


def test_forms_of_one_composition_agree():
    water = ["H2O", {"O": 1, "H": 2}, Composition("H2O"), Chem.MolFromSmiles("O")]
    features = CompositionDescriptors().fit_transform(water)
    assert_allclose(features, np.repeat(features[:1], 4, axis=0), rtol=1e-14)
    assert_array_equal(CompositionDescriptors(strings="smiles").fit_transform(["O"]), features[3:])


def test_pure_element_has_no_spread(elements):
    features = CompositionDescriptors(["ave", "var", "gmean", "hmean"], elements=elements).fit_transform([{"Fe": 3.3}])
    iron = elements.loc["Fe"].to_numpy()
    assert_array_equal(features[0, :58], iron)
    assert_array_equal(features[0, 58:116], 0)
    assert_allclose(features[0, 116:].reshape(2, 58), [iron, iron], rtol=1e-14)


def test_small_variance_keeps_its_digits():
    table = pd.DataFrame({"p": [1e6, 1e6 + 1e-3]}, index=["Na", "Cl"])
    spread = table.loc["Cl", "p"] - 1e6
    variance = CompositionDescriptors(["var"], elements=table).fit_transform(["NaCl"])
    assert_allclose(variance, [[(spread / 2) ** 2]], rtol=1e-6)


def test_means_of_zero_and_negative_values():
    descriptors = CompositionDescriptors(["gmean", "hmean"], elements=MIXED_SIGNS).set_output(transform="pandas")
    row = descriptors.fit_transform(["HO"]).iloc[0]
    assert_allclose(row[["gmean:positive", "gmean:negative"]], [np.sqrt(8), -np.sqrt(8)])
    assert_allclose(row[["hmean:positive", "hmean:negative"]], [16 / 9, -16 / 9])
    assert row[["gmean:both", "gmean:zero", "hmean:zero"]].tolist() == [0, 0, 0]


def test_estimates_fill_gaps_only():
    table = element_table()
    completed = CompositionDescriptors().fit(FORMULAS).elements_
    assert not completed.isna().any(axis=None)
    assert_array_equal(completed[table.notna()], table)  # NaN where NaN: all known values are untouched
    for name in table:  # averages: never outside of what is known
        slack = 1e-6 * table[name].abs().max()
        assert completed[name].between(table[name].min() - slack, table[name].max() + slack).all(), name


def test_estimate_is_the_weighted_average_of_the_most_alike():
    # the neighbours of O lie at distances 1 and 3 in the one property that it has, which is scaled by one number
    table = pd.DataFrame({"known": [0.0, 1.0, 4.0], "gap": [10.0, np.nan, 50.0]}, index=["H", "O", "Na"])
    completed = CompositionDescriptors(elements=table).fit(["H2O"]).elements_
    assert_allclose(completed.loc["O", "gap"], (10 / 1 + 50 / 3) / (1 / 1 + 1 / 3), rtol=1e-5)


def test_missing_raise_names_element_and_property():
    descriptors = CompositionDescriptors(missing="raise", elements=element_table()[["period", "bulk_modulus"]])
    with pytest.raises(InvalidRowsError, match="1 of 2 structures is invalid") as error:
        descriptors.fit(FORMULAS).transform(["FeAl", "Fe2O3"])
    assert error.value.rows == [
        (
            1,
            "Fe2O3",
            'the table of elements does not know bulk_modulus of O; set missing="impute" or leave these properties '
            "out of `elements`",
        )
    ]
    with pytest.warns(InvalidRowsWarning, match="bulk_modulus of O"):
        features = descriptors.set_params(on_invalid="nan").fit_transform(["FeAl", "Fe2O3"])
    assert np.isfinite(features[0]).all()
    assert np.isnan(features[1]).all()


def test_complete_properties_need_no_estimates():
    complete = element_table().dropna(axis="columns")
    features = CompositionDescriptors(elements=complete, missing="raise").fit_transform(FORMULAS)
    assert features.shape == (len(FORMULAS), 5 * 25)
    assert np.isfinite(features).all()


def test_invalid_rows_are_all_named():
    with pytest.raises(InvalidRowsError) as error:
        CompositionDescriptors().fit(FORMULAS).transform(["NaCl", "AmO2", "x", None, {"Na": 0}])
    reasons = {row: reason for row, _, reason in error.value.rows}
    assert reasons[1] == "has Am, which the table of elements does not have"
    assert reasons[2].startswith("is no chemical formula")
    assert reasons[3] == "is missing"
    assert reasons[4] == "the amount of Na is 0, not a positive finite number"
    assert list(reasons) == [1, 2, 3, 4]


def test_only_invalid_rows():
    with pytest.warns(InvalidRowsWarning, match="2 of 2"):
        features = CompositionDescriptors(on_invalid="nan").fit_transform(["x", "y"])
    assert features.shape == (2, 235)
    assert np.isnan(features).all()


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"statistics": "mean"}, ValueError, 'statistics must be "classic", "all" or a list .*; got \'mean\''),
        ({"statistics": ["ave", "mode"]}, ValueError, "different names out of count, ave, sum, var, gmean"),
        ({"statistics": ["ave", "ave"]}, ValueError, "list of different names"),
        ({"statistics": []}, ValueError, r"got \[\]"),
        ({"statistics": 5}, ValueError, "got 5"),
        ({"strings": "inchi"}, ValueError, 'strings must be "formula" or "smiles", got \'inchi\''),
        ({"missing": "drop"}, ValueError, 'missing must be "impute" or "raise", got \'drop\''),
        ({"elements": {"H": 1}}, TypeError, "elements must be a pandas DataFrame or None, got dict"),
        ({"elements": pd.DataFrame(index=["H"])}, ValueError, "empty"),
        ({"elements": pd.DataFrame({"p": [1, 2]})}, ValueError, r"symbols, got 0, 1\. Set the column of symbols as"),
        ({"elements": pd.DataFrame({"p": ["a"]}, index=["H"])}, ValueError, r"not numeric: p\. Leave them out"),
        ({"elements": pd.DataFrame({"p": [1, 2]}, index=["H", "H"])}, ValueError, "several rows of the name H"),
        ({"elements": pd.DataFrame([[1, 2]], ["H"], ["p", "p"])}, ValueError, "several columns of the name p"),
        ({"elements": pd.DataFrame({"p": [np.inf]}, index=["H"])}, ValueError, "infinite values: p"),
        ({"elements": pd.DataFrame({"p": [1, 2], "q": np.nan}, index=["H", "O"])}, ValueError, "without any value: q"),
        ({"elements": pd.DataFrame({"p": [1, np.nan]}, index=["H", "O"])}, ValueError, "without any value: O"),
    ],
)
def test_unusable_parameters(parameters, error, message):
    with pytest.raises(error, match=message):
        CompositionDescriptors(**parameters).fit(["H2O"])


def test_nullable_and_integer_columns():
    table = pd.DataFrame({"n": [1, 8], "p": pd.array([2.0, 4.0], dtype="Float64")}, index=["H", "O"])
    assert_allclose(CompositionDescriptors(["ave"], elements=table).fit_transform(["HO"]), [[4.5, 3.0]])


def test_users_table_is_not_touched():
    table = element_table()[["period", "bulk_modulus"]]
    before = table.copy()
    descriptors = CompositionDescriptors(elements=table).fit(FORMULAS)
    in_use = descriptors.elements_
    in_use.loc["H"] = 0
    pd.testing.assert_frame_equal(table, before)
    assert descriptors.elements_.loc["H", "period"] == 1
    assert descriptors.get_params()["elements"] is table


def test_fitted_transformer_carries_its_table():
    table = MIXED_SIGNS.copy()
    fitted = CompositionDescriptors(elements=table).fit(["H2O"])
    expected, name = fitted.transform(["H2O"]), fitted.cache_name()
    copy = pickle.loads(pickle.dumps(fitted))
    table.loc["H"] = 7.0
    for estimator in (fitted, copy):
        assert_array_equal(estimator.transform(["H2O"]), expected)
        assert estimator.cache_name() == name


def test_cache_name_follows_what_the_rows_depend_on():
    base = CompositionDescriptors(elements=MIXED_SIGNS)
    assert base.cache_name() == clone(base).fit(["H2O"]).cache_name()
    assert base.cache_name() == CompositionDescriptors(elements=MIXED_SIGNS.astype("Float64"), n_jobs=2).cache_name()
    others = [
        CompositionDescriptors(),
        CompositionDescriptors(missing="raise"),
        CompositionDescriptors("all", elements=MIXED_SIGNS),
        CompositionDescriptors(strings="smiles", elements=MIXED_SIGNS),
        CompositionDescriptors(elements=MIXED_SIGNS * (1 + 1e-15)),
        CompositionDescriptors(elements=MIXED_SIGNS.rename(columns={"both": "either"})),
        CompositionDescriptors(elements=MIXED_SIGNS.rename(index={"Na": "K"})),
    ]
    names = [base.cache_name(), *(other.cache_name() for other in others)]
    assert len(set(names)) == len(names)


def test_cache_name_is_the_same_in_another_process():
    code = "from sktaag.descriptors import CompositionDescriptors as C; print(C().cache_name())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == CompositionDescriptors().cache_name()


def test_cached_rows_are_the_rows(tmp_path):
    expected = CompositionDescriptors("all").fit_transform(FORMULAS)
    for _ in range(2):
        features = CompositionDescriptors("all", cache=tmp_path).fit_transform(FORMULAS)
        assert_array_equal(features, expected)
    assert len(list(tmp_path.glob("CompositionDescriptors-*.sqlite"))) == 1


def test_grid_search_over_tables():
    pipeline = make_pipeline(CompositionDescriptors(), RandomForestRegressor(5, random_state=0))
    grid = {
        "compositiondescriptors__elements": [None, MIXED_SIGNS],
        "compositiondescriptors__statistics": ["classic", ["ave"]],
    }
    X = ["H2O", "NaOH", "Na2O", "NaH", "H2O2", "Na2O2"]
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, range(6))
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.predict(X)).all()


@pytest.mark.parametrize("integers", [False, True])
def test_a_source_over_compositions_goes_through_a_file(integers, tmp_path):
    elements = element_table()[["atomic_number", "atomic_weight"]].astype({"atomic_number": int}) if integers else None
    formulas = ["NaCl", "MgO", "Fe2O3", "SiO2"]
    network = PyramidRegressor(hidden=(4,), max_epochs=1, random_state=0)
    source = make_pipeline(CompositionDescriptors(elements=elements), network).fit(formulas, [1.0, 2.0, 3.0, 4.0])
    save_source(source, tmp_path / "a.source")
    again = load_source(tmp_path / "a.source")
    assert_array_equal(again.predict(formulas), source.predict(formulas))
    pd.testing.assert_frame_equal(again[0].elements_, source[0].elements_)
    assert again[0].cache_name() == source[0].cache_name()
    if integers:
        pd.testing.assert_frame_equal(again[0].elements, elements)
