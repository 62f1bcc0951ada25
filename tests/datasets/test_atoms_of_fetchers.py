"""Fetchers of atoms in space, on small raw files of our own in the formats of the real ones."""

import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import write
from numpy.testing import assert_allclose, assert_array_equal

from sktaag import datasets
from sktaag.datasets._adsorption import OC20_FRAMES
from sktaag.datasets._atoms import objects
from sktaag.datasets._remote import registry

RMD17 = """2
Lattice="50.0 0.0 0.0 0.0 50.0 0.0 0.0 0.0 50.0" Properties=species:S:1:pos:R:3:forces:R:3 Energy=-4209.783455217897
C 0.1 0.0 0.0 0.5 0.0 -1.5
H 0.0 0.0 1.1 -0.5 0.0 1.5
"""


def test_rmd17_has_no_cell_and_keeps_all_digits(raw_files):
    raw_files({"rmd17/toluene_train_01": RMD17, "rmd17/toluene_test_01": RMD17.replace("4209", "4210") * 2})
    bunch = datasets.fetch_rmd17("toluene")
    assert bunch.frame["subset"].tolist() == ["train", "test", "test"]
    assert bunch.target.tolist() == [-4209.783455217897, -4210.783455217897, -4210.783455217897]
    atoms = bunch.data[0]
    assert not atoms.pbc.any()
    assert not atoms.cell.any()
    assert atoms.get_potential_energy() == -4209.783455217897
    assert_array_equal(bunch.forces[0], [[0.5, 0, -1.5], [-0.5, 0, 1.5]])
    assert_array_equal(atoms.get_forces(), bunch.forces[0])
    X, y = datasets.fetch_rmd17("toluene", "test", return_X_y=True)
    assert len(X) == len(y) == 2
    assert X.dtype == object
    test = datasets.fetch_rmd17("toluene", "test", as_frame=True)
    assert test.data.columns.tolist() == ["atoms"]
    assert "energy [eV]" in test.DESCR
    assert "CC0-1.0" in test.DESCR
    assert "train_01" not in test.DESCR


def test_unknown_options_name_the_choices():
    with pytest.raises(ValueError, match="molecule='water' is not known; choose one of 'aspirin'"):
        datasets.fetch_rmd17("water")
    with pytest.raises(ValueError, match="subset='val' is not known; choose one of 'all', 'train', 'test'"):
        datasets.fetch_rmd17("ethanol", "val")
    with pytest.raises(ValueError, match="geometry='poscar' is not known; choose one of 'initial', 'relaxed'"):
        datasets.fetch_game_net("poscar")


def test_ccsd_is_converted_to_electronvolt(raw_files):
    file = io.BytesIO()
    np.savez(file, E=[[-10.0], [-20.0]], F=np.ones((2, 3, 3)), R=np.zeros((2, 3, 3)), z=np.array([8, 1, 1], "uint8"))
    raw_files({"ccsd/ethanol_train": file.getvalue()})
    bunch = datasets.fetch_ccsd_ethanol()
    assert_allclose(bunch.target, [-0.433641, -0.867282], rtol=1e-5)
    assert_allclose(bunch.forces[1], 0.0433641 * np.ones((3, 3)), rtol=1e-5)
    assert bunch.data[0].get_potential_energy() == bunch.target[0]
    assert units.kcal / units.mol == pytest.approx(0.0433641, rel=1e-5)


def relaxation(energies):
    frames = []
    for energy in energies:
        atoms = Atoms("Cu2O", [[0, 0, 0], [0, 0, 2], [0, 0, 4 + 0.1 * energy]], cell=[5, 5, 9], pbc=True)
        atoms.set_constraint(FixAtoms([0]))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.full((3, 3), energy))
        frames.append(atoms)
    return frames


def as_traj(frames, tmp_path):
    write(tmp_path / "x.traj", frames)
    return (tmp_path / "x.traj").read_bytes()


def test_oc20_leaves_out_trial_steps_and_keeps_forces_of_fixed_atoms(raw_files, tmp_path):
    steps = as_traj(relaxation([1.0, 30.0, 0.5, 0.0]), tmp_path)
    raw_files(dict.fromkeys(OC20_FRAMES.files, steps))
    bunch = datasets.fetch_oc20_frames()
    assert len(bunch.data) == 30 * 3
    assert bunch.target[:3].tolist() == [1.0, 0.5, 0.0]
    assert bunch.frame["step"][:3].tolist() == [0, 2, 3]
    assert bunch.frame["system"].nunique() == 30
    assert_array_equal(bunch.forces[0], np.ones((3, 3)))  # get_forces would have put zeros for atom 0
    assert bunch.data[0].constraints[0].index.tolist() == [0]
    assert "left out: 8 eV above the median" in bunch.DESCR
    assert len(datasets.fetch_oc20_frames(max_above_median=None).data) == 30 * 4
    assert datasets.fetch_oc20_frames(max_above_median=0.2).target[:2].tolist() == [0.5, 0.0]


def test_simple_adsorbates_from_both_formats(raw_files, tmp_path):
    slab = bulk("Cu") * (2, 2, 1) + Atoms("CO", [[0, 0, 4], [0, 0, 5.2]])
    slab.pbc = (True, True, False)
    write(tmp_path / "x.xyz", slab, format="extxyz")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        root = "simple_adsorbate_db/"
        archive.writestr(
            root + "adsorption_energies.txt",
            "sample, ads_energy (eV)\nCO_A#B_211_hcp-t-1.xyz, 1.5\nO_Cu_0001_top.traj, -2\n",
        )
        archive.writestr(root + "simple_adsorbate_structures/CO_A#B_211_hcp-t-1.xyz", (tmp_path / "x.xyz").read_text())
        archive.writestr(root + "simple_adsorbate_structures/O_Cu_0001_top.traj", as_traj([slab], tmp_path))
    raw_files({"adsorption/wwlgpr_simple_adsorbates": file.getvalue()})
    bunch = datasets.fetch_simple_adsorbates()
    assert bunch.target.tolist() == [1.5, -2.0]
    columns = ["adsorbate", "metal", "facet", "surface", "site"]
    assert bunch.frame[columns].values.tolist() == [
        ["CO", "A#B", "211", "A#B_211", "hcp-t-1"],
        ["O", "Cu", "0001", "Cu_0001", "top"],
    ]
    for atoms in bunch.data:
        assert atoms.pbc.tolist() == [True, True, False]
        assert_allclose(atoms.positions, slab.positions, atol=1e-7)
    assert "forces" not in bunch


def tarred(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            if content == b"":
                member = tarfile.TarInfo(name)
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_game_net_joins_structures_folds_and_predictions(raw_files):
    names = ["ag-4a12-b", "4a12", "cu-4aZc-a", "4aZc", "au-9999-a"]
    text = io.StringIO()
    write(text, Atoms("CO", [[0, 0, 0], [0, 0, 1.2]], cell=[8, 8, 8], pbc=True), format="vasp")
    structures = {f"group2/structures/{name}.poscar": text.getvalue() for name in names}
    # 4a12 has two energies, 4aZc the same one twice, 9999 none
    structures["energies.dat"] = "4a12 -1\n4a12 -2\n4aZc -3\n4aZc -3\nag-4a12-b -9\n"
    rows = "".join(f"{i},{names[i]},group2,{-10.0 - i}\n" for i in (3, 1, 0, 2, 4))
    predictions = {"lmdb_fg_ensemble_poscar/ds_data.csv": rows}
    for model in ("painn", "dpp"):
        predictions[f"lmdb_fg_ensemble_poscar/{model}/"] = ""  # a folder
        for k in range(20):
            file = io.BytesIO()
            np.savez(file, ids=np.array([str(k // 4)]), energy=[k // 4 + (k % 4) / 4])
            predictions[f"lmdb_fg_ensemble_poscar/{model}/predictions_{k}.npz"] = file.getvalue()
    raw_files({"adsorption/gamenet_fg": tarred(structures), "adsorption/gamenet_fg_predictions": tarred(predictions)})
    bunch = datasets.fetch_game_net("initial")
    assert bunch.frame["name"].tolist() == names
    assert bunch.frame["fold"].tolist() == [0, 1, 2, 3, 4]
    assert bunch.frame["metal"].tolist() == ["ag", "gas", "cu", "gas", "au"]
    assert bunch.frame["molecule"].tolist() == ["4a12", "4a12", "4aZc", "4aZc", "9999"]
    assert_array_equal(bunch.target[:, 0], [-10, -11, -12, -13, -14])
    assert_array_equal(bunch.target[:, 1], [np.nan, np.nan, -9, np.nan, np.nan])
    assert_allclose(bunch.frame["painn"], np.arange(5) + 0.375)
    assert "gemnet-dt" not in bunch.frame
    assert bunch.data[0].pbc.all()
    single = datasets.fetch_game_net("initial", target="adsorption_energy")
    assert single.target.tolist() == [-9.0]


def test_phonons_from_dictionaries_of_pymatgen(raw_files):
    def site(element, xyz):
        return {"species": [{"element": element, "occu": 1}], "xyz": xyz}

    structure = {
        "lattice": {"matrix": [[3, 0, 0], [0, 4, 0], [0, 1, 5]]},
        "sites": [site("Na", [0, 0, 0]), site("Cl", [1, 1, 1])],
    }
    raw = {"index": [0], "columns": ["structure", "last phdos peak"], "data": [[structure, 98.5]]}
    raw_files({"inorganic/matbench_phonons": gzip.compress(json.dumps(raw).encode())})
    bunch = datasets.fetch_matbench_phonons()
    assert bunch.target.tolist() == [98.5]
    assert bunch.data[0].get_chemical_symbols() == ["Na", "Cl"]
    assert_array_equal(bunch.data[0].cell, [[3, 0, 0], [0, 4, 0], [0, 1, 5]])
    assert "random_state=18012019" in bunch.DESCR


def test_dielectric_crystals_from_literals_of_python_2(raw_files):
    poscar = "Na1\\n1.0\\n3 0 0\\n0 3 0\\n0 0 3\\nNa\\n1\\ndirect\\n0.5 0.5 0.5 Na\\n"
    meta = f"{{u'material_id': u'mp-1', u'formula': u'Na', u'poscar': u'{poscar}', u'high_forces': False}}"
    header = "# reference\nidx,band_gap,meta,n,poly_electronic,poly_total\n"
    raw_files({"inorganic/matminer_dielectric_constant_1056": header + f'0,1.88,"{meta}",1.86,3.44,6.23\n'})
    bunch = datasets.fetch_dielectric_crystals(target="refractive_index")
    assert bunch.target.tolist() == [1.86]
    assert_allclose(bunch.data[0].positions, [[1.5, 1.5, 1.5]])
    assert bunch.frame["material_id"].tolist() == ["mp-1"]


def test_objects_are_not_taken_apart():
    array = objects([molecule("H2O"), molecule("CO")])
    assert array.shape == (2,)
    assert len(array[0]) == 3


# ---------------------------------------------------------------- the real files


@pytest.fixture
def local(real_data, monkeypatch):
    if not (real_data / "atoms" / "rmd17").is_dir():
        pytest.skip("needs the raw data: set SKTAAG_DATA to a folder that holds atoms/rmd17")
    monkeypatch.setenv("SKTAAG_DATA", str(real_data))
    return real_data


def test_real_rmd17_is_the_published_one(local):
    train, test = (datasets.fetch_rmd17("ethanol", subset) for subset in ("train", "test"))
    assert len(train.data) == len(test.data) == 1000
    assert {atoms.get_chemical_formula() for atoms in train.data} == {"C2H6O"}
    assert max(abs(forces.sum(axis=0)).max() for forces in train.forces) < 1e-6  # no net force
    assert not set(train.target) & set(test.target)
    # as measured on these files by other code
    assert test.target.std() == pytest.approx(0.180, abs=5e-4)
    assert np.sqrt(np.mean([np.square(forces) for forces in test.forces])) == pytest.approx(1.192, abs=5e-4)


def test_real_game_net_reproduces_the_published_errors(local):
    frame = datasets.fetch_game_net("initial").frame
    errors = {
        model: (frame[model] - frame["energy_less_slab"]).abs().mean() for model in ("painn", "dimenet++", "gemnet-dt")
    }
    assert errors == {
        "painn": pytest.approx(0.126, abs=5e-4),
        "dimenet++": pytest.approx(0.106, abs=5e-4),
        "gemnet-dt": pytest.approx(0.116, abs=5e-4),
    }
    assert sorted(frame["fold"].value_counts()) == [650, 650, 651, 652, 652]
    assert frame["adsorption_energy"].count() == 2968


def test_real_oc20_has_no_jumps(local):
    bunch = datasets.fetch_oc20_frames()
    assert sum(len(atoms) for atoms in datasets.fetch_oc20_frames(max_above_median=None).data) == 410_867
    assert max(abs(forces).max() for forces in bunch.forces) < 30  # eV/Å; 351 with the trial steps
    assert all(registry()[key].url.endswith(".traj") for key in OC20_FRAMES.files)
