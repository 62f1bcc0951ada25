"""Every fetcher on the real raw files, against tables made from the same files by other code."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from rdkit.Chem import MolFromSmiles, MolToSmiles
from rdkit.rdBase import BlockLogs

from sktaag import datasets
from sktaag.datasets._catalogue import FETCHED
from sktaag.datasets._remote import registry
from sktaag.datasets._tidy import canonical


def fetched(call):
    return _fetched(FETCHED[call].call)


@cache
def _fetched(call):
    function, _, option = call.removesuffix(")").partition("(")
    return getattr(datasets, function)(*([option.strip("'")] if option else []))


@pytest.fixture(autouse=True)
def _local(real_data, monkeypatch):
    monkeypatch.setenv("SKTAAG_DATA", str(real_data))


def prepared(real_data, name):
    path = real_data / "molecules" / "prepared" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"needs the reference table {name}.csv")
    return pd.read_csv(path)


CALLS = [
    pytest.param(dataset.call, marks=[pytest.mark.slow] if dataset.n > 25_000 else [])
    for dataset in {id(dataset): dataset for dataset in FETCHED.values()}.values()
]


@pytest.mark.parametrize("call", CALLS)
def test_rows_and_description(call):
    dataset, bunch = FETCHED[call], fetched(call)
    assert len(bunch.data) == len(bunch.target) == len(bunch.frame) == dataset.n
    assert bunch.target_names == list(dataset.targets)
    assert np.isfinite(bunch.target).any(axis=0).all()
    assert not pd.isna(bunch.data).any()
    if dataset.merge:
        assert not bunch.frame.duplicated(list(dataset.features)).any()
    for text in (dataset.licence, dataset.citation, *(registry()[key].url for key in dataset.files)):
        assert text in bunch.DESCR
    for name, unit in dataset.targets.items():
        assert f"{name} [{unit}]" in bunch.DESCR


@pytest.mark.parametrize("name", ["magpie", "oliynyk"])
def test_element_tables(name):
    table = datasets.list_datasets().set_index("call").loc[f"fetch_element_table({name!r})"]
    frame = datasets.fetch_element_table(name).frame
    assert frame.shape == (table["n"], int(table["property"].split()[0]))
    assert frame["Number"].loc[["Na", "He"]].tolist() == [11, 2]


@pytest.mark.parametrize(
    ("table", "column", "call"),
    [
        ("polymer_cp_exp", "CP_J_kg_K", "fetch_polymer_heat_capacity('exp')"),
        ("polymer_cp_md", "Cp_J_kg_K", "fetch_polymer_heat_capacity('md')"),
        ("polymer_cp_gc", "CP_J_kg_K", "fetch_polymer_heat_capacity('gc')"),
        ("polymer_tc_exp", "TC_W_m_K", "fetch_polymer_thermal_conductivity('exp')"),
        ("polymer_tc_md", "TC_W_m_K", "fetch_polymer_thermal_conductivity('md')"),
        ("polymer_density_exp", "RHO_g_cm3", "fetch_polymer_density('exp')"),
        ("polymer_tg_exp", "TG_K", "fetch_polymer_tg('polyinfo')"),
        ("polymer_tm_exp", "TM_K", "fetch_polygraphmt('TM_EXP')"),
    ],
)
def test_polymers_equal_reference(real_data, table, column, call):
    expected = prepared(real_data, table)
    frame = fetched(call).frame
    assert frame["smiles"].tolist() == expected["smiles"].tolist()
    # pandas 2 reads decimals to the last digit but one, so medians and ranges are equal but for rounding
    np.testing.assert_allclose(fetched(call).target, expected[column], rtol=1e-14)
    np.testing.assert_allclose(frame[["n", "spread"]], expected[["n", "spread"]], rtol=1e-14, atol=1e-13)


def test_refractive_index_equals_reference(real_data):
    expected = prepared(real_data, "polymer_n_exp").set_index("smiles")
    frame = fetched("fetch_polymer_refractive_index('exp')").frame.set_index("smiles")
    assert frame["refractive_index"].to_dict() == expected["n_exp"].to_dict()
    assert frame["name"].to_dict() == expected["name"].to_dict()


def test_radonpy_equals_reference(real_data):
    expected = prepared(real_data, "radonpy_md").set_index("monomer_ID").drop(columns="smiles")
    frame = fetched("fetch_radonpy()").frame.set_index("monomer_ID")[expected.columns]
    pd.testing.assert_frame_equal(frame.sort_index(), expected.sort_index())


def test_qm9_slice_equals_reference(real_data):
    expected = prepared(real_data, "qm9_slice")
    frame = fetched("fetch_qm9_slice()").frame
    assert frame["mol_id"].tolist() == expected["mol_id"].tolist()
    assert frame["smiles"].tolist() == canonical(expected["canonical_smiles"])  # in this RDKit's words
    targets = fetched("fetch_qm9_slice()").target_names
    np.testing.assert_array_equal(frame[targets], expected[targets])


def test_qm9_orbitals_equal_reference(real_data):
    expected = prepared(real_data, "qm9_orbitals")
    bunch = fetched("fetch_qm9_orbitals()")
    np.testing.assert_array_equal(bunch.target, expected[["homo", "lumo", "gap"]])
    rows = slice(None, None, 100)
    assert bunch.data[rows].tolist() == canonical(expected["smiles"][rows])
    np.testing.assert_allclose(bunch.target[:, 1] - bunch.target[:, 0], bunch.target[:, 2], atol=2e-4)


@pytest.mark.parametrize(
    ("table", "column", "call", "name"),
    [
        ("molecule_n_exp", "n_D", "refractive_index", "refractive_index"),
        ("molecule_tm_exp", "Tm_K", "melting_point", "melting_point"),
        ("molecule_cp_liquid_exp", "cp_liquid_298K_J_mol_K", "liquid_heat_capacity", "heat_capacity"),
        ("molecule_cp_liquid_exp", "cp_J_kg_K", "liquid_heat_capacity", "specific_heat_capacity"),
        ("molecule_cp_gas_exp", "cp_gas_298K_J_mol_K", "gas_heat_capacity", "heat_capacity"),
        ("molecule_k_liquid_exp", "k_liquid_298K_W_m_K", "liquid_thermal_conductivity", "thermal_conductivity"),
        ("molecule_viscosity_exp", "ln_viscosity_298K_Pa_s", "liquid_viscosity", "log_viscosity"),
        ("molecule_permittivity_exp", "permittivity_static", "permittivity", "permittivity"),
    ],
)
def test_molecules_equal_reference(real_data, table, column, call, name):
    # the reference finds organic molecules by their text: it takes the C of Cl for carbon, and knows few brackets
    expected = prepared(real_data, table).set_index("smiles")[column]
    values = fetched(f"fetch_chedl({call!r})").frame.set_index("smiles")[name]
    shared = values.index.intersection(expected.index)
    np.testing.assert_allclose(values[shared], expected[shared], rtol=1e-12)
    assert len(shared) >= 0.93 * len(expected)
    for smiles in expected.index.difference(shared):
        assert not any(atom.GetAtomicNum() == 6 for atom in MolFromSmiles(smiles).GetAtoms())
    for smiles in values.index.difference(shared):
        assert any(bracket in smiles for bracket in ("[Si", "[P", "[n", "[N", "[C"))


def test_dielectric_equals_reference(real_data):
    reference = real_data / "atoms" / "inorganic" / "petousis1056_refractive_index.csv"
    expected = pd.read_csv(reference).set_index("material_id")
    frame = datasets.fetch_dielectric_constants(merge=False).frame.set_index("material_id")
    assert len(frame) == 1056
    columns = {
        "refractive_index": "n",
        "band_gap": "band_gap_eV",
        "dielectric_electronic": "poly_electronic",
        "dielectric_total": "poly_total",
    }
    for ours, theirs in columns.items():
        np.testing.assert_array_equal(frame[ours], expected[theirs].loc[frame.index])


@pytest.mark.parametrize(
    ("task", "rows"),
    [("dielectric", 4764), ("expt_gap", 4604), ("jdft2d", 636), ("phonons", 1265)],
)
def test_matbench_has_its_published_size(task, rows):
    assert len(datasets.fetch_matbench_composition(task, merge=False).data) == rows


def test_published_splits_are_disjoint():
    frame = fetched("fetch_aflow_composition('debye_temperature')").frame
    assert frame["n"].eq(1).all()
    assert frame["subset"].value_counts().to_dict() == {"train": 3428, "test": 736, "val": 732}


@pytest.mark.parametrize(
    ("polyverse", "khazana"),
    [("electron_affinity", "Eea"), ("ionization_energy", "Ei"), ("atomization_enthalpy", "Eat")],
)
def test_polyverse_repeats_khazana(polyverse, khazana):
    # their DESCR says so
    ours, theirs = fetched(f"fetch_polyverse({polyverse!r})"), fetched(f"fetch_khazana({khazana!r})")
    assert ours.data.tolist() == theirs.data.tolist()
    np.testing.assert_allclose(ours.target, theirs.target, atol=5e-3)


def test_multi_task_holds_the_single_sets():
    many = fetched("fetch_khazana('multi_task')").frame.set_index("smiles")
    for name in ("EPS", "Eea", "Egb", "Egc", "Ei", "Nc", "Xc"):
        single = fetched(f"fetch_khazana({name!r})")
        values = many[single.target_names[0]].dropna()
        assert len(values) == len(single.data)
        np.testing.assert_allclose(values.loc[single.data], single.target, rtol=1e-3)


def test_permittivity_is_the_dielectric_constant_in_other_units():
    relative = fetched("fetch_polygraphmt('DC_MD')").frame.set_index("smiles")["dielectric_constant"]
    absolute = fetched("fetch_polygraphmt('PE_MD')").frame.set_index("smiles")["permittivity"]
    np.testing.assert_allclose(absolute, 8.854188 * relative, rtol=1e-5)


def test_freesolv_sources_agree():
    database = fetched("fetch_freesolv('database')").frame.set_index("smiles")["hydration_exp"]
    copy = fetched("fetch_freesolv('moleculenet')").frame.set_index("smiles")["hydration_exp"]
    shared = database.index.intersection(copy.index)
    assert len(shared) > 0.95 * len(database)
    assert (database[shared] - copy[shared]).abs().median() == 0


def test_smiles_are_canonical():
    with BlockLogs():
        for call in ("fetch_esol()", "fetch_khazana('Nc')", "fetch_chedl('permittivity')"):
            for smiles in fetched(call).data[::25]:
                assert MolToSmiles(MolFromSmiles(smiles)) == smiles
