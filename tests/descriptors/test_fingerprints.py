import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from rdkit import Chem
from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.EState import Fingerprinter
from rdkit.Chem.rdMHFPFingerprint import MHFPEncoder
from rdkit.rdBase import BlockLogs
from scipy.sparse import csr_array

from sktaag.descriptors import Fingerprints
from sktaag.descriptors._kinds import KINDS, Settings
from sktaag.structures import InvalidRowsError, InvalidRowsWarning, _reader

SMILES = [
    "C",
    "CCO",
    "c1ccccc1",
    "CC(=O)[O-].[Na+]",
    "*CC*",
    "*CC(*)c1ccccc1",
    "*c1cc(*)cc(*)c1",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "F/C=C/F",
    "F/C=C\\F",
    "[2H]OC",
    "C[CH2]",
    "O=S(=O)(O)c1ccc2ccccc2c1",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "C1CC2CCC1C2",
    "[Fe]",
    "OB(O)c1ccc(Br)nc1",
    "C[Si](C)(C)O[Si](C)(C)C",
    "N#Cc1ccc(-c2ccc(C#N)s2)cc1.Cl.O",
    "C" * 60,
]
GENERATED = ["morgan", "feature_morgan", "atom_pair", "torsion", "rdkit"]
BITS_ALONE = ["maccs", "pattern", "layered", "secfp"]
EVERY_KIND = [*GENERATED, *BITS_ALONE, "estate", "descriptors"]
PEO = ["*CCO*", "*OCC*", "*COC*", "*CCOCCO*", "*OCCOCC*"]


def test_every_kind_is_tested():
    assert sorted(EVERY_KIND) == sorted(KINDS)


def generator(kind, size=2048, radius=2, chirality=False):
    if kind == "morgan":
        return rdFingerprintGenerator.GetMorganGenerator(radius, fpSize=size, includeChirality=chirality)
    if kind == "feature_morgan":
        features = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
        return rdFingerprintGenerator.GetMorganGenerator(
            radius, fpSize=size, includeChirality=chirality, atomInvariantsGenerator=features
        )
    if kind == "atom_pair":
        return rdFingerprintGenerator.GetAtomPairGenerator(fpSize=size, includeChirality=chirality)
    if kind == "torsion":
        return rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=size, includeChirality=chirality)
    return rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=size)


def reference(kind, mol, *, counts=False, size=2048, radius=2, chirality=False):
    """One row by RDKit's own functions, through its bit vectors instead of its arrays."""
    if kind in GENERATED and counts:
        row = np.zeros(size)
        for column, count in (
            generator(kind, size, radius, chirality).GetCountFingerprint(mol).GetNonzeroElements().items()
        ):
            row[column] = count
        return row
    if kind in GENERATED:
        return np.array(generator(kind, size, radius, chirality).GetFingerprint(mol).ToList())
    if kind == "estate":
        row = Fingerprinter.FingerprintMol(mol)[0]
        return row if counts else (row > 0).astype(int)
    if kind == "descriptors":
        row = [function(mol) for _, function in Descriptors.descList]
        return np.clip(row, -1e30, 1e30)
    return np.array(
        {
            "maccs": lambda: rdMolDescriptors.GetMACCSKeysFingerprint(mol),
            "pattern": lambda: Chem.PatternFingerprint(mol, size),
            "layered": lambda: Chem.LayeredFingerprint(mol, fpSize=size),
            "secfp": lambda: MHFPEncoder().EncodeSECFPMol(mol, radius, isomeric=chirality, length=size),
        }[kind]().ToList()
    )


def expected(kind, structures, dtype="float32", **settings):
    with BlockLogs():
        mols = [Chem.MolFromSmiles(s) if isinstance(s, str) else s for s in structures]
        return np.stack([reference(kind, mol, **settings) for mol in mols]).astype(dtype)


# ---------------------------------------------------------------- the bits that RDKit computes


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", [*GENERATED, *BITS_ALONE, "estate"])
def test_equals_rdkit(kind, counts, sparse, dtype):
    model = Fingerprints(kind, counts=counts, sparse=sparse, dtype=dtype)
    structures = SMILES if dtype == "float32" else SMILES[:-1]  # the last one has more than 255 of some path
    rows = model.fit_transform(structures)
    assert isinstance(rows, csr_array if sparse else np.ndarray)
    assert rows.dtype == dtype
    assert_array_equal(rows.toarray() if sparse else rows, expected(kind, structures, dtype, counts=counts))
    if sparse:
        assert rows.has_canonical_format
        assert rows.indices.dtype == rows.indptr.dtype == np.int32
        assert (rows.data != 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_descriptors_equal_rdkit(dtype):
    rows = Fingerprints("descriptors", dtype=dtype).fit_transform(SMILES)
    assert_array_equal(rows, expected("descriptors", SMILES, dtype))


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", [*GENERATED, "pattern", "layered", "secfp"])
def test_size(kind, counts):
    rows = Fingerprints(kind, counts=counts, size=300).fit_transform(SMILES)
    assert_array_equal(rows, expected(kind, SMILES, counts=counts, size=300))


@pytest.mark.parametrize("radius", [0, 1, 3])
@pytest.mark.parametrize("kind", ["morgan", "feature_morgan", "secfp"])
def test_radius(kind, radius):
    rows = Fingerprints(kind, radius=radius).fit_transform(SMILES)
    assert_array_equal(rows, expected(kind, SMILES, radius=radius))
    assert (rows != Fingerprints(kind, radius=2).fit_transform(SMILES)).any()


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", ["morgan", "feature_morgan", "atom_pair", "torsion", "secfp"])
def test_chirality(kind, counts):
    pair = ["CC[C@](F)(CC(=O)O)C(C)=O", "CC[C@@](F)(CC(=O)O)C(C)=O"]
    rows = Fingerprints(kind, counts=counts, chirality=True).fit_transform(pair)
    assert_array_equal(rows, expected(kind, pair, counts=counts, chirality=True))
    if kind != "atom_pair":  # RDKit takes the parameter and folds the difference away
        assert (rows[0] != rows[1]).any()
    flat = Fingerprints(kind, counts=counts).fit_transform(pair)
    assert_array_equal(flat[0], flat[1])


@pytest.mark.parametrize("settings", [{"radius": 5, "chirality": True, "counts": True}, {"size": 64}])
def test_settings_of_other_kinds_change_nothing(settings):
    rows = Fingerprints("maccs", **settings).fit_transform(SMILES)
    assert_array_equal(rows, expected("maccs", SMILES))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("counts", [False, True])
def test_kinds_stand_side_by_side(counts, sparse):
    kinds = EVERY_KIND[::-1]
    rows = Fingerprints(kinds, counts=counts, size=256, sparse=sparse).fit_transform(SMILES)
    alone = [Fingerprints([kind], counts=counts, size=256).fit_transform(SMILES) for kind in kinds]
    assert_array_equal(rows.toarray() if sparse else rows, np.hstack(alone))


def test_molecules_and_strings_have_the_same_rows():
    kinds = [kind for kind in EVERY_KIND if kind != "descriptors"]
    as_text = Fingerprints(kinds).fit_transform(SMILES)
    assert_array_equal(Fingerprints(kinds).fit_transform([Chem.MolFromSmiles(s) for s in SMILES]), as_text)


# ---------------------------------------------------------------- XenonPy's fingerprints


def xenonpy_rows(name, **settings):
    fingerprint = pytest.importorskip("xenonpy.descriptor.fingerprint")
    with BlockLogs():  # XenonPy calls functions of RDKit that announce their end on stderr
        return np.asarray(getattr(fingerprint, name)(n_jobs=1, input_type="smiles", **settings).transform(SMILES))


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [
        ("morgan", "ECFP", {"radius": 2}),
        ("morgan", "ECFP", {"radius": 3}),
        ("feature_morgan", "FCFP", {"radius": 2}),
        ("feature_morgan", "FCFP", {"radius": 3}),
        ("atom_pair", "AtomPairFP", {}),
        ("torsion", "TopologicalTorsionFP", {}),
    ],
)
def test_equals_xenonpy(kind, name, settings, counts):
    rows = Fingerprints(kind, counts=counts, **settings).fit_transform(SMILES)
    assert_array_equal(rows, xenonpy_rows(name, counting=counts, **settings))


@pytest.mark.parametrize(
    ("kind", "name", "settings"),
    [
        ("rdkit", "RDKitFP", {}),
        ("maccs", "MACCS", {}),
        ("pattern", "PatternFP", {}),
        ("layered", "LayeredFP", {}),
        ("secfp", "MHFP", {"radius": 3}),
    ],
)
def test_equals_xenonpy_in_bits(kind, name, settings):
    rows = Fingerprints(kind, **settings).fit_transform(SMILES)
    assert_array_equal(rows, xenonpy_rows(name, **settings))


def test_descriptors_equal_xenonpy():
    rows = Fingerprints("descriptors", dtype="float64").fit_transform(SMILES)
    assert_array_equal(rows, np.clip(xenonpy_rows("DescriptorFeature"), -1e30, 1e30))


def test_path_counts_differ_from_xenonpy():
    # RDKit sets two bits for each path, in its bits and in its counts; XenonPy folds RDKit's unhashed paths, one each
    rows = Fingerprints("rdkit", counts=True).fit_transform(SMILES)
    other = xenonpy_rows("RDKitFP", counting=True)
    assert_array_equal(rows.sum(axis=1), 2 * other.sum(axis=1))
    assert (rows != other).any()


# ---------------------------------------------------------------- polymers and fragments


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize(
    ("settings", "molecule"),
    [
        ({"polymer": "cyclic"}, "C1CO1"),
        ({"polymer": "cyclic", "n_units": 4}, "C1COCCOCCOCCO1"),
        ({"polymer": "oligomer"}, "CCOCCOCCO"),
        ({"polymer": "oligomer", "n_units": 1}, "CCO"),
    ],
)
def test_polymer_does_not_depend_on_how_it_was_written(settings, molecule, counts):
    rows = Fingerprints(EVERY_KIND, counts=counts, size=256, **settings).fit_transform(PEO)
    assert_array_equal(rows, np.tile(rows[0], (len(PEO), 1)))
    kinds = [kind for kind in EVERY_KIND if kind != "descriptors"]  # these are rounded in the order of the atoms
    rows = Fingerprints(kinds, counts=counts, size=256, **settings).fit_transform(PEO[:1])
    other = Fingerprints(kinds, counts=counts, size=256).fit_transform([molecule])
    assert_array_equal(rows, other)


@pytest.mark.parametrize("kind", [kind for kind in EVERY_KIND if kind != "descriptors"])
def test_star_is_what_is_written(kind):
    rows = Fingerprints(kind, polymer="star").fit_transform(PEO)
    assert_array_equal(rows, expected(kind, PEO))
    assert_array_equal(rows, Fingerprints(kind).fit_transform(PEO))


def test_star_depends_on_how_it_was_written():
    one, other = Fingerprints().fit_transform(["*CCO*", "*COC*"])
    assert (one != other).any()


@pytest.mark.parametrize("polymer", ["cyclic", "oligomer"])
def test_molecules_are_molecules_under_every_polymer(polymer):
    whole = [s for s in SMILES if "*" not in s]
    assert_array_equal(Fingerprints(polymer=polymer).fit_transform(whole), expected("morgan", whole))


def test_what_is_no_repeat_unit_is_an_invalid_row():
    with pytest.raises(InvalidRowsError, match=r"row 1: '\*C': has 1 attachment point '\*'"):
        Fingerprints(polymer="cyclic").fit_transform(["*CC*", "*C"])
    assert Fingerprints(polymer="star").fit_transform(["*CC*", "*C"]).any()


def test_fragments():
    salts = ["CC(=O)[O-].[Na+]", "N#Cc1ccc(-c2ccc(C#N)s2)cc1.Cl.O", "CCO"]
    largest = ["CC(=O)[O-]", "N#Cc1ccc(-c2ccc(C#N)s2)cc1", "CCO"]
    kinds = ["morgan", "maccs", "atom_pair"]
    assert_array_equal(
        Fingerprints(kinds, fragments="largest").fit_transform(salts), Fingerprints(kinds).fit_transform(largest)
    )
    assert_array_equal(Fingerprints("atom_pair").fit_transform(salts), expected("atom_pair", salts))


# ---------------------------------------------------------------- rows that cannot be


BAD = ["CCO", "C1CC", None, "CC", 3.5]


@pytest.mark.parametrize("sparse", [False, True])
def test_invalid_rows_are_all_named(sparse):
    with pytest.raises(InvalidRowsError) as caught:
        Fingerprints(sparse=sparse).fit_transform(BAD)
    assert str(caught.value) == (
        "3 of 5 structures are invalid:\n"
        "  row 1: 'C1CC': SMILES Parse Error: unclosed ring for input: 'C1CC'\n"
        "  row 2: None: is missing\n"
        "  row 4: 3.5: is a number (float), not a SMILES string or a molecule\n"
        'Correct or drop these rows, or set on_invalid="nan" to get rows of NaN in their place.'
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_invalid_rows_become_nan(sparse):
    model = Fingerprints(["morgan", "maccs"], counts=True, sparse=sparse, on_invalid="nan").fit(BAD)
    with pytest.warns(InvalidRowsWarning, match="3 of 5 structures are invalid and became rows of NaN") as told:
        rows = model.transform(BAD)
    assert len(told) == 1
    assert isinstance(rows, csr_array if sparse else np.ndarray)
    assert rows.dtype == "float32"
    rows = rows.toarray() if sparse else rows
    assert np.isnan(rows[[1, 2, 4]]).all()
    assert_array_equal(
        rows[[0, 3]], model.transform(["CCO", "CC"]).toarray() if sparse else model.transform(["CCO", "CC"])
    )


def test_integers_have_no_nan():
    with pytest.raises(ValueError, match='on_invalid="nan" needs a floating dtype, got uint8'):
        Fingerprints(dtype="uint8", on_invalid="nan").fit(["C"])


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kinds", ["atom_pair", ["maccs", "atom_pair"]])
def test_counts_that_do_not_fit(kinds, sparse):
    structures = ["CC", "C" * 300]
    largest = int(expected("atom_pair", structures[1:], "int64", counts=True).max())
    assert largest > 255
    with pytest.raises(InvalidRowsError) as caught:
        Fingerprints(kinds, counts=True, dtype="uint8", sparse=sparse).fit_transform(structures)
    assert caught.value.rows == [(1, "C" * 300, f'has a count of {largest}, too large for dtype="uint8"')]
    for dtype in ("uint16", "uint32", "float32"):
        rows = Fingerprints("atom_pair", counts=True, dtype=dtype, sparse=sparse).fit_transform(structures)
        assert rows.max() == largest
    assert Fingerprints(kinds, dtype="uint8", sparse=sparse).fit_transform(structures).max() == 1


def test_descriptor_that_cannot_be_computed_is_no_invalid_row(recwarn):
    rows = Fingerprints("descriptors").fit_transform(["[Fe]", "CCO"])
    assert np.isnan(rows[0]).any()
    assert not np.isnan(rows[0]).all()
    assert not np.isnan(rows[1]).any()
    assert not [w for w in recwarn if issubclass(w.category, InvalidRowsWarning)]


def test_descriptors_are_finite_in_single_precision():
    rows = Fingerprints(["descriptors"]).fit_transform(["C" * 200])
    (ipc,) = np.flatnonzero(Fingerprints("descriptors").fit(["C"]).get_feature_names_out() == "descriptors_Ipc")
    assert rows[0, ipc] == np.float32(1e30)
    assert np.isfinite(rows).all()


# ---------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kinds": []}, "kinds is empty. Choose from morgan, feature_morgan, atom_pair, torsion, rdkit, maccs, "),
        ({"kinds": "ecfp"}, "'ecfp' is not a kind of fingerprint. Choose from morgan, "),
        ({"kinds": ["morgan", "Morgan"]}, "'Morgan' is not a kind of fingerprint. Choose from morgan, "),
        ({"kinds": ["maccs", "morgan", "maccs"]}, "kinds holds the same kind twice: ['maccs', 'morgan', 'maccs']."),
        ({"size": 0}, "size must be a positive integer, got 0."),
        ({"size": 1024.0}, "size must be a positive integer, got 1024.0."),
        ({"radius": -1}, "radius must be an integer of at least 0, got -1."),
        ({"radius": "2"}, "radius must be an integer of at least 0, got '2'."),
        ({"dtype": "int8"}, "dtype must be float32, float64, uint8, uint16 or uint32, got 'int8'."),
        ({"dtype": "bits"}, "dtype must be float32, float64, uint8, uint16 or uint32, got 'bits'."),
        ({"dtype": None}, "dtype must be float32, float64, uint8, uint16 or uint32, got None."),
        (
            {"kinds": ["morgan", "descriptors"], "dtype": "uint32"},
            'kind "descriptors" needs dtype="float32" or "float64", got \'uint32\'.',
        ),
        ({"fragments": "first"}, 'fragments must be "keep" or "largest", got \'first\'.'),
        ({"polymer": "ring"}, 'polymer must be "star", "cyclic" or "oligomer", got \'ring\'.'),
        ({"polymer": "oligomer", "n_units": 0}, "n_units must be a positive integer or None, got 0."),
        ({"n_units": 3}, 'n_units needs polymer="cyclic" or "oligomer"; polymer="star" keeps one unit.'),
        ({"on_invalid": "skip"}, 'on_invalid must be "raise" or "nan", got \'skip\'.'),
    ],
)
def test_parameters_are_checked_in_fit(parameters, message):
    model = Fingerprints(**parameters)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        model.fit(["CCO"])


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), "f4"])
def test_ways_to_write_a_dtype(dtype):
    assert_array_equal(Fingerprints(dtype=dtype).fit_transform(["CCO"]), expected("morgan", ["CCO"]))


@pytest.mark.parametrize("kind", ["morgan", "secfp", "pattern"])
def test_numbers_of_numpy(kind):
    model = Fingerprints(kind, size=np.int64(64), radius=np.int32(1), chirality=np.False_)
    assert_array_equal(model.fit_transform(["CCO"]), expected(kind, ["CCO"], size=64, radius=1))


def test_feature_names():
    model = Fingerprints(["maccs", "morgan", "estate", "descriptors"], size=3).fit(["C"])
    names = model.get_feature_names_out().tolist()
    assert names[:2] == ["maccs_0", "maccs_1"]
    assert names[166:171] == ["maccs_166", "morgan_0", "morgan_1", "morgan_2", "estate_0"]
    assert names[248:250] == ["estate_78", "descriptors_" + Descriptors.descList[0][0]]
    assert names[-1] == "descriptors_" + Descriptors.descList[-1][0]
    assert len(names) == len(set(names)) == model.transform(["C"]).shape[1]
    frame = model.set_output(transform="pandas").transform(["CCO"])
    assert frame["descriptors_MolWt"].item() == pytest.approx(46.069)


# ---------------------------------------------------------------- one parse, processes, output


@pytest.fixture
def parsed(monkeypatch):
    """List of the structures that were parsed."""
    seen, to_mol = [], _reader.to_mol

    def remember(structure):
        seen.append(structure)
        return to_mol(structure)

    monkeypatch.setattr(_reader, "to_mol", remember)
    return seen


@pytest.mark.parametrize("sparse", [False, True])
def test_each_molecule_is_parsed_once(parsed, sparse):
    Fingerprints(EVERY_KIND, sparse=sparse).fit_transform(SMILES)
    assert parsed == SMILES


def test_dense_and_sparse_share_a_cache(parsed, tmp_path):
    kinds = ["morgan", "descriptors"]
    rows = Fingerprints(kinds, cache=tmp_path).fit_transform(SMILES)
    parsed.clear()
    again = Fingerprints(kinds, cache=tmp_path, sparse=True, n_jobs=2).fit_transform(SMILES[::-1])
    assert not parsed
    assert isinstance(again, csr_array)
    assert_array_equal(again.toarray(), rows[::-1])


@pytest.mark.parametrize(
    "change",
    [
        {"kinds": ["maccs", "morgan"]},
        {"counts": True},
        {"size": 512},
        {"radius": 3},
        {"chirality": True},
        {"fragments": "largest"},
        {"polymer": "cyclic"},
        {"dtype": "float64"},
    ],
)
def test_other_parameters_are_other_rows(parsed, tmp_path, change):
    parameters = {"kinds": ["morgan", "maccs"], "cache": tmp_path}
    Fingerprints(**parameters).fit_transform(SMILES[:5])
    parsed.clear()
    rows = Fingerprints(**parameters | change).fit_transform(SMILES[:5])
    assert parsed == SMILES[:5]
    assert_array_equal(rows, Fingerprints(**parameters | change | {"cache": None}).fit_transform(SMILES[:5]))


@pytest.mark.parametrize("sparse", [False, True])
def test_processes_change_nothing(sparse):
    structures = SMILES * 25  # more than one batch
    model = Fingerprints(EVERY_KIND[:-1], counts=True, size=128, sparse=sparse)
    one = model.fit_transform(structures)
    two = model.set_params(n_jobs=2).fit_transform(structures)
    assert type(one) is type(two)
    assert one.dtype == two.dtype
    assert_array_equal(*((one.toarray(), two.toarray()) if sparse else (one, two)))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nothing_is_written(capfd, n_jobs):
    structures = ["C1CC", "c1cccc1", "CN(C)(C)C", "F/C=C/F", "[Fe]", "C/C=C"] * 90
    model = Fingerprints(EVERY_KIND, on_invalid="nan", n_jobs=n_jobs)
    with pytest.warns(InvalidRowsWarning, match="270 of 540"):
        model.fit_transform(structures)
    assert capfd.readouterr() == ("", "")
    Chem.MolFromSmiles("C1CC")
    assert "unclosed ring" in capfd.readouterr().err  # RDKit does write, and it does so again afterwards


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_deprecated_in_rdkit(capfd, recwarn, kind, counts):
    # without the silence that Fingerprints spreads, for RDKit announces what is deprecated in its log
    KINDS[kind].make(Settings(counts, 2048, 2, True))(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_progress_bar_if_asked_for(capfd):
    Fingerprints(verbose=1).fit_transform(SMILES)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Fingerprints: 100%" in err
    assert f"{len(SMILES)}/{len(SMILES)}" in err
