import ast
import gzip

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sktaag import datasets
from sktaag.datasets._catalogue import FETCHED
from sktaag.datasets._dataset import make_bunch
from sktaag.datasets._elements import ELEMENT_TABLES
from sktaag.datasets._potentials import ANI1X
from sktaag.datasets._remote import registry

FRAME = pd.DataFrame(
    {"smiles": ["CC", "CO", "CN"], "a": [1.0, 2.0, np.nan], "b": [np.nan, 5.0, np.nan], "n": [1, 1, 1]}
)
UNITS = {"a": "K", "b": "1"}


def bunch(**options):
    return make_bunch(FRAME, ("smiles",), UNITS, "text", **options)


def test_bunch_of_all_targets():
    result = bunch()
    assert isinstance(result, Bunch)
    assert result.data.tolist() == ["CC", "CO"]
    assert result.data.dtype == object
    assert result.target.dtype == np.float64
    # rows without any of the wanted targets are left out
    np.testing.assert_array_equal(result.target, [[1.0, np.nan], [2.0, 5.0]])
    assert (result.feature_names, result.target_names, result.target_units) == (["smiles"], ["a", "b"], ["K", "1"])
    assert result.DESCR == "text"
    assert len(result.frame) == 2


def test_bunch_of_one_target():
    data, target = bunch(target="b", return_X_y=True)
    assert data.tolist() == ["CO"]
    assert target.tolist() == [5.0]


def test_bunch_as_frame():
    result = bunch(target=["b", "a"], as_frame=True)
    assert isinstance(result.data, pd.DataFrame)
    assert result.data.shape == (2, 1)
    assert result.target.columns.tolist() == ["b", "a"]
    assert isinstance(bunch(target="a", as_frame=True).target, pd.Series)


@pytest.mark.parametrize("target", ["c", ["a", "c"], []])
def test_unknown_target(target):
    with pytest.raises(ValueError, match=r"is not among the targets of this data set: \['a', 'b'\]"):
        bunch(target=target)


def test_unknown_option_names_the_choices():
    with pytest.raises(ValueError, match=r"property='Tg' is not known; choose one of 'EPS', 'Eea'"):
        datasets.fetch_khazana("Tg")
    with pytest.raises(ValueError, match="subset='holdout' is not known"):
        datasets.fetch_aflow_composition("bulk_modulus", "holdout")


def test_every_file_on_record_is_reachable():
    used = {key for dataset in FETCHED.values() for key in dataset.files}
    used |= {key for key, *_ in ELEMENT_TABLES.values()} | {key for keys in ANI1X.values() for key in keys}
    assert used == set(registry())


def test_folder_of_a_trained_network(raw_files):
    raw_files(dict.fromkeys(ANI1X["M3GNet"], "own content"))
    folder = datasets.fetch_ani1x_potential("M3GNet")
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "state.pt"]
    with pytest.raises(ValueError, match=r"architecture='MACE' is not known; choose one of 'TensorNet', 'M3GNet'"):
        datasets.fetch_ani1x_potential("MACE")


def test_list_datasets_names_calls_that_work():
    table = datasets.list_datasets()
    assert table["call"].is_unique
    assert (table["n"] > 0).all()
    assert table["licence"].str.len().gt(0).all()
    listed = set()
    for call in table["call"]:
        expression = ast.parse(call, mode="eval").body
        listed.add(expression.func.id)
        assert all(isinstance(argument, ast.Constant) for argument in expression.args)
    public = {name for name in datasets.__all__ if name.startswith(("fetch_", "load_"))}
    assert listed == public - {"fetch_ani1x_potential"}  # a network, no data
    assert table.loc[table["offline"], "call"].str.startswith("load_").all()


def test_bom_duplicates_and_ladders(raw_files):
    raw_files(
        {"polygraphmt/TG_EXP": "\ufeffSMILES,TG\n*CC*,200\nC(*)C*,210\n*CC(*)C,260\n*C1(*)CC(*)(*)C1,500\nC1CC,1\n"}
    )
    result = datasets.fetch_polygraphmt("TG_EXP")
    assert result.data.tolist() == ["*CC(*)C", "*CC*"]
    assert result.target.tolist() == [260.0, 205.0]
    assert result.frame[["n", "spread"]].values.tolist() == [[1, 0.0], [2, 10.0]]
    assert "1 without a usable structure and 1 that are not a linear repeat unit" in result.DESCR
    assert "no licence stated by the repository" in result.DESCR
    assert "glass_transition [K]" in result.DESCR
    by_property = datasets.fetch_polymer_tg("polyinfo")
    assert by_property.data.tolist() == result.data.tolist()


def test_freesolv_triple_bonds_and_comments(raw_files):
    rows = "mobley_1; CC#N; acetonitrile; -3.88; 0.60; -2.39; 0.03; ref; ref; note # with a hash\n"
    raw_files(
        {
            "small/freesolv_database": "#comment\n# another; one\n"
            + rows
            + "mobley_2;  CO;methanol;-5.1;0.6;-3.5;0.03;r;r;\n"
        }
    )
    result = datasets.fetch_freesolv()
    assert result.data.tolist() == ["CC#N", "CO"]
    np.testing.assert_array_equal(result.target, [[-3.88, -2.39], [-5.1, -3.5]])
    _, calculated = datasets.fetch_freesolv(target="hydration_md", return_X_y=True)
    assert calculated.tolist() == [-2.39, -3.5]


def test_end_marks_become_stars(raw_files):
    header = (
        'sl_num,Poymer name,"SMILES (Atoms Ce and Th are placeholders for head and tail information, respectively)",'
        "Experiment Tg (K),Calculated Tg (K),Calculated Tg std. dev. (K),Experiment density at 300K (g/cc),"
        "Calculated density at 300K (g/cc),Calulated density at 300K std. dev. (g/cc),Calculated glass CTE (10-6/K),"
        "Calculated glass CTE std. dev. (10-6/K),Calculated rubber CTE (10-6/K),"
        "Calculated rubber CTE std. dev. (10-6/K)\n"
    )
    raw_files(
        {
            "tg/bicerano_mafa_exp_md": header
            + "1,PDMS,[Ce][Si](C)(C)O[Th],152,193.3,51.1,0.965,0.962,0.001,NA,NA,1459.1,2\n"
        }
    )
    result = datasets.fetch_polymer_tg("bicerano_md")
    assert result.data.tolist() == ["*O[Si](*)(C)C"]
    np.testing.assert_array_equal(result.target, [[152.0, 193.3, 0.965, 0.962, np.nan, 1459.1]])


def test_celsius_in_the_file_is_kelvin_here(raw_files):
    raw_files(
        {
            "tg/polymetrix_LAMALAB_tg": "SMILES,Tg_label,Tg_pred,Tg_rescaled_label\n*CC*,-73.15,1,2\n",
            "neurips2025/kaggle": "id,SMILES,Tg,FFV,Tc,Density,Rg\n1,*CC*,26.85,,0.2,,\n2,*CO*,,0.4,,,\n",
        }
    )
    assert datasets.fetch_polymer_tg("polymetrix").target.tolist() == pytest.approx([200.0])
    polymers = datasets.fetch_open_polymer_2025()
    np.testing.assert_allclose(polymers.target[0], [300.0, np.nan, 0.2, np.nan, np.nan])
    assert datasets.fetch_open_polymer_2025(target="glass_transition").data.tolist() == ["*CC*"]


def test_sequences_are_not_smiles(raw_files):
    sequence = "*COC(=O)OC*.*CCO*$O=S(=O)([O-])C(F)(F)F$0.07$95.2$37.0$-3$S_1"
    raw_files({"transpolymer/PE_II": f"SMILES descriptor 1,logCond60\n{sequence},-5.0\n{sequence},-6.0\n"})
    result = datasets.fetch_transpolymer("PE_II")
    assert result.data.tolist() == [sequence]
    assert result.target.tolist() == [-5.5]
    assert result.frame["repeat_units"].tolist() == ["*CCO*.*COC(=O)OC*"]


def test_long_tables_become_wide(raw_files):
    raw_files(
        {
            "polyverse/Gas_permeability_solubility_diffusivity_long": (
                ",property,value (log),smiles_string\n0,p_exp_O2,-8.0,*CC*\n1,p_exp_O2,-9.0,C(*)C*\n"
                "2,s_sim_N2,1.0,*CC*\n"
                "3,p_exp_O2,1.0,[e]CC[d]\n"
                + "".join(
                    f"9,{q}_{o}_{g},0.5,*CO*\n"
                    for q in "pds"
                    for o, gases in (
                        ("exp", ["O2", "N2", "CO2", "CH4", "H2", "He"]),
                        ("sim", ["O2", "N2", "CO2", "CH4"]),
                    )
                    for g in gases
                )
            ),
            "transpolymer/multi-task": "smiles,property,value\n[*]CC[*],Eat,-5\n*CC*,nc,1.5\n*CC*,eps,2\n*CC*,Egc,6\n"
            "*CC*,Egb,7\n*CC*,Xc,40\n*CC*,Ei,8\n*CC*,Eea,1\n",
        }
    )
    gas = datasets.fetch_polyverse("gas_transport", target=["p_exp_O2", "s_sim_N2"])
    assert gas.data.tolist() == ["*CC*", "*CO*"]
    np.testing.assert_array_equal(gas.target, [[-8.5, 1.0], [0.5, 0.5]])
    assert gas.frame["n"].tolist() == [3, 30]
    electronic = datasets.fetch_khazana("multi_task")
    assert electronic.target.tolist() == [[2.0, 1.0, 7.0, 6.0, 8.0, 1.5, 40.0, -5.0]]


def test_solvent_and_temperature_belong_to_x(raw_files):
    raw_files(
        {
            "polyverse/chi_parameter": "SN,Polymer,Polymer_SMILES,Solvent,Solvent_SMILES,chi,temperature,Reference\n"
            "1,PE,[*]CC[*],chloroform,C(Cl)(Cl)Cl,0.5,300,x\n2,PE,[*]CC[*],chloroform,ClC(Cl)Cl,0.7,300,x\n"
            "3,PE,[*]CC[*],chloroform,ClC(Cl)Cl,0.9,310,x\n"
        }
    )
    X, y = datasets.fetch_polyverse("chi_parameter", return_X_y=True)
    assert X.tolist() == [["*CC*", "ClC(Cl)Cl", 300.0], ["*CC*", "ClC(Cl)Cl", 310.0]]
    assert y.tolist() == pytest.approx([0.6, 0.9])


def test_chedl_joins_by_cas_and_filters_by_temperature(raw_files):
    raw_files(
        {
            "chedl_chemicals/CRC_organic_RI": "CAS\tRI\tRIT\n64-17-5\t1.3611\t293.15\n67-56-1\t1.30\t371\n"
            "75-09-2\t1.42\t293.15\n1-1-1\t1.5\t293.15\n10025-87-3\t1.46\t293.15\n108-88-3\t1.49\t\n",
            "small/casn_to_smiles": _gzip(
                "Substance_CASRN,Structure_SMILES\n75-09-2,C(Cl)Cl\n10025-87-3,O=P(Cl)(Cl)Cl\n"
            ),
            "chedl_chemicals/identifiers_example_user": "1\t64-17-5\tC2H6O\t46\twrong\tinchi\n",
            "chedl_chemicals/identifiers_pubchem_small": "2\t64-17-5\tC2H6O\t46\tOCC\tinchi\n"
            "3\t67-56-1\tCH4O\t32\tCO\tinchi\n",
        }
    )
    result = datasets.fetch_chedl("refractive_index")
    assert result.data.tolist() == ["CCO", "ClCCl"]  # methanol is too hot, phosphoryl chloride has no carbon
    assert result.target.tolist() == [1.3611, 1.42]
    assert "within 6 K of 293.15 K" in result.DESCR
    assert "left out: 2 without a usable structure" in result.DESCR


def _gzip(text):
    return gzip.compress(text.encode("latin-1"))


def test_polymorphs_merge_or_stay(raw_files):
    raw_files({"inorganic/matbench_dielectric_composition": "formula,target\nK6S6,1.0\nK1S1,2.0\nNa1N1,3.0\n"})
    merged = datasets.fetch_matbench_composition("dielectric")
    assert merged.data.tolist() == ["KS", "NaN"]  # sodium nitride 1:1, not a missing value
    assert merged.target.tolist() == [1.5, 3.0]
    apart = datasets.fetch_matbench_composition("dielectric", merge=False)
    assert apart.data.tolist() == ["KS", "KS", "NaN"]


def test_published_splits(raw_files):
    raw_files(
        {
            f"aflow/agl_thermal_conductivity_300K_{subset}": f"formula,target\n{formula},1.0\n"
            for subset, formula in (("train", "Zr1"), ("val", "Mg1O1"), ("test", "Al2O3"))
        }
    )
    everything = datasets.fetch_aflow_composition("thermal_conductivity")
    assert dict(zip(everything.data, everything.frame["subset"], strict=True)) == {
        "Zr": "train",
        "MgO": "val",
        "Al2O3": "test",
    }
    assert datasets.fetch_aflow_composition("thermal_conductivity", "val").data.tolist() == ["MgO"]


def test_dielectric_reads_python_2_literals(raw_files):
    raw_files(
        {
            "inorganic/matminer_dielectric_constant_1056": "# ref: someone\n"
            "idx,band_gap,e_electronic,e_total,meta,n,poly_electronic,poly_total,pot_ferroelectric\n"
            "0,1.88,[[1]],[[2]],\"{u'nsites': 3, u'formula': u'Rb2Te', u'material_id': u'mp-441'}\","
            "1.86,3.44,6.23,False\n"
        }
    )
    result = datasets.fetch_dielectric_constants()
    assert result.data.tolist() == ["Rb2Te"]
    assert result.frame["material_id"].tolist() == ["mp-441"]
    assert result.target.tolist() == [[1.86, 3.44, 6.23, 1.88]]


def test_element_table(raw_files):
    raw_files({"inorganic/elements_magpie": "element,Number,Electronegativity\nNa,11,0.93\nHe,2,\n"})
    result = datasets.fetch_element_table("magpie")
    assert result.frame.index.tolist() == ["Na", "He"]
    assert result.feature_names == ["Number", "Electronegativity"]
    np.testing.assert_array_equal(result.data, [[11.0, 0.93], [2.0, np.nan]])
