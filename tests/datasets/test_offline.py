from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from rdkit.Chem import MolFromSmiles, MolToSmiles

from sktaag import datasets
from sktaag.datasets._catalogue import OFFLINE
from sktaag.datasets._offline import OfflineDataset, Table, load
from sktaag.datasets._tables import (
    _jasper,
    _mulero,
    _permittivity_polynomial,
    _perry_conductivity,
    _perry_log_viscosity,
    _three_term_log_viscosity,
)

ROOM = 298.15


def value(dataset, smiles):
    data, target = dataset
    return target[data.tolist().index(MolToSmiles(MolFromSmiles(smiles)))]


@pytest.mark.parametrize("dataset", OFFLINE, ids=lambda dataset: dataset.target)
def test_shape_and_description(dataset):
    name = dataset.call.removesuffix("()")
    bunch = getattr(datasets, name)()
    if version("chemicals") == "1.5.2":
        assert len(bunch.data) == dataset.n
    assert abs(len(bunch.data) / dataset.n - 1) < 0.1
    assert bunch.data.dtype == object
    assert bunch.target.shape == bunch.data.shape
    assert np.isfinite(bunch.target).all()
    assert ((dataset.limits[0] <= bunch.target) & (bunch.target <= dataset.limits[1])).all()
    assert bunch.frame.columns.tolist() == ["smiles", dataset.target, "n", "spread", "source"]
    assert bunch.frame["smiles"].is_unique
    assert set(bunch.frame["source"]) <= {table.name for table in dataset.tables}
    for text in (
        "MIT (the chemicals package)",
        f"{dataset.target} [{dataset.unit}]",
        dataset.method,
        "Organic molecules",
    ):
        assert text in bunch.DESCR
    for smiles in bunch.data[::50]:
        mol = MolFromSmiles(smiles)
        assert MolToSmiles(mol) == smiles
        assert any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())
        assert "." not in smiles


@pytest.mark.parametrize(
    ("name", "smiles", "measured", "tolerance"),
    [
        # textbook values, not from the tables
        ("load_boiling_points", "CCO", 351.4, 0.5),
        ("load_boiling_points", "c1ccccc1", 353.2, 0.5),
        ("load_melting_points", "c1ccccc1", 278.7, 0.5),
        ("load_critical_temperatures", "CCCCCC", 507.6, 0.5),
        ("load_refractive_indices", "CCO", 1.361, 0.001),
        ("load_surface_tensions", "Cc1ccccc1", 27.9, 0.3),
        ("load_heats_of_vaporization", "CCCCCC", 31.6e3, 0.3e3),
        ("load_heats_of_vaporization", "CC(=O)O", 51.0e3, 1.0e3),  # to monomers
        ("load_liquid_heat_capacities", "Cc1ccccc1", 157.0, 1.0),
        ("load_liquid_heat_capacities", "CCc1ccccc1", 184.0, 2.0),  # 2.4 in the table that comes first
        ("load_liquid_thermal_conductivity", "Cc1ccccc1", 0.131, 0.002),
        ("load_liquid_viscosities", "c1ccccc1", np.log(0.604e-3), 0.03),
        ("load_liquid_viscosities", "CCCCO", np.log(2.54e-3), 0.03),
        ("load_permittivities", "CC(C)=O", 20.7, 0.5),
    ],
)
def test_known_values(name, smiles, measured, tolerance):
    assert value(getattr(datasets, name)(return_X_y=True), smiles) == pytest.approx(measured, abs=tolerance)


def test_two_term_viscosities_agree_with_other_tables():
    # chemicals' own formula for this table is off by a factor of ten: it takes the natural for the decimal logarithm
    from sktaag.datasets._tables import LIQUID_VISCOSITIES

    tables = {table.name: table.values() for table in LIQUID_VISCOSITIES.tables}
    for name in ("Dutt-Prasad", "Viswanath-Natarajan 3", "Viswanath-Natarajan 2"):
        shared = tables[name].index.intersection(tables["Perry"].index)
        assert len(shared) > 30
        assert abs((tables[name][shared] - tables["Perry"][shared]).median()) < 0.02


def test_correlations_equal_those_of_chemicals():
    from chemicals.data_reader import data_source
    from chemicals.dippr import EQ100, EQ101
    from chemicals.interface import Jasper, REFPROP_sigma
    from chemicals.permittivity import permittivity_CRC
    from chemicals.viscosity import Viswanath_Natarajan_3

    def check(file, ours, theirs):
        table = data_source(file).iloc[::20]
        expected = [theirs(row) for row in table.fillna(0).itertuples()]
        np.testing.assert_allclose(ours(table), expected, rtol=1e-9)

    check("Jasper-Lange.tsv", _jasper, lambda row: 1000 * Jasper(ROOM, row.a, row.b))
    check(
        "Table 2-315 Thermal Conductivity of Inorganic and Organic Liquids.tsv",
        _perry_conductivity,
        lambda row: EQ100(ROOM, row.C1, row.C2, row.C3, row.C4, row.C5),
    )
    check(
        "Permittivity (Dielectric Constant) of Liquids.tsv",
        _permittivity_polynomial,
        lambda row: permittivity_CRC(ROOM, row.A, row.B, row.C, row.D),
    )
    above = data_source("MuleroCachadinaParameters.tsv").query("Tc > 300").iloc[::10]
    np.testing.assert_allclose(
        _mulero(above),
        [
            1000 * REFPROP_sigma(ROOM, row.Tc, row.sigma0, row.n0, row.sigma1, row.n1, row.sigma2, row.n2)
            for row in above.itertuples()
        ],
        rtol=1e-9,
    )
    liquids = data_source("Table 2-313 Viscosity of Inorganic and Organic Liquids.tsv").iloc[::20]
    np.testing.assert_allclose(
        np.exp(_perry_log_viscosity(liquids)),
        [EQ101(ROOM, row.C1, row.C2, row.C3, row.C4, row.C5) for row in liquids.itertuples()],
        rtol=1e-9,
    )
    three = data_source("Dutt Prasad 3 term.tsv").iloc[::10]
    np.testing.assert_allclose(
        np.exp(_three_term_log_viscosity(three)),
        [Viswanath_Natarajan_3(ROOM, row.A - 3, row.B, row.C) for row in three.itertuples()],
        rtol=1e-9,
    )


def test_first_table_counts_and_spread_covers_all():
    # 64-17-5 ethanol, 67-56-1 methanol, 7732-18-5 water, 56-81-5 glycerol, 0-0-0 nobody
    first = pd.Series({"64-17-5": 1.0, "67-56-1": np.nan, "7732-18-5": 3.0})
    second = pd.Series({"64-17-5": 5.0, "67-56-1": 6.0, "56-81-5": 99.0, "0-0-0": 2.0})
    dataset = OfflineDataset(
        call="load_nothing()",
        target="y",
        unit="K",
        limits=(0.0, 10.0),
        n=2,
        tables=(Table("one", lambda: first, "first"), Table("two", lambda: second, "second")),
    )
    bunch = load(dataset)
    assert bunch.frame.values.tolist() == [["CCO", 1.0, 2, 4.0, "one"], ["CO", 6.0, 1, 0.0, "two"]]
    assert "6 in the tables; left out: 1 outside of 0 to 10 as tabulated and 2 that are not organic" in bunch.DESCR
    per_mass, y = load(
        OfflineDataset("load_nothing()", "y", "K", (0.0, 10.0), 1, dataset.tables, per_kilogram=True), return_X_y=True
    )
    assert per_mass.tolist() == ["CCO", "CO"]
    np.testing.assert_allclose(y, [1000 / 46.069, 6000 / 32.042], rtol=1e-5)


def test_heat_capacity_by_mass():
    molar = datasets.load_liquid_heat_capacities(return_X_y=True)
    mass = datasets.load_liquid_heat_capacities(basis="mass")
    assert mass.target_units == ["J/(kg K)"]
    assert value((mass.data, mass.target), "CCO") == pytest.approx(value(molar, "CCO") / 0.046069, rel=1e-4)
    with pytest.raises(ValueError, match="basis='volume' is not known; choose one of 'molar', 'mass'"):
        datasets.load_liquid_heat_capacities(basis="volume")


def test_as_frame():
    bunch = datasets.load_surface_tensions(as_frame=True)
    assert bunch.data.columns.tolist() == ["smiles"]
    assert bunch.target.name == "surface_tension"


def test_nothing_is_printed(capfd):
    datasets.load_critical_temperatures()
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
