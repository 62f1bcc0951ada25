"""XenonPy's molecular fingerprints."""

from numbers import Integral

import joblib
import numpy as np
from rdkit import Chem
from rdkit.Chem import Descriptors

from sktaag.descriptors import Fingerprints as _Fingerprints
from sktaag.structures import InvalidStructureError, MoleculeReader
from sktaag.xenonpy._descriptor import Descriptor
from sktaag.xenonpy._entry_fingerprints import EntryFingerprints
from sktaag.xenonpy._upstream import DescriptorFeature

_KINDS = {  # XenonPy's class: (sktaag's kind, label, whether there are counts)
    "RDKitFP": ("rdkit", "rdkit", True),
    "AtomPairFP": ("atom_pair", "apfp", True),
    "TopologicalTorsionFP": ("torsion", "ttfp", True),
    "MACCS": ("maccs", "maccs", False),
    "ECFP": ("morgan", "ecfp{diameter}", True),
    "FCFP": ("feature_morgan", "fcfp{diameter}", True),
    "PatternFP": ("pattern", "patfp", False),
    "LayeredFP": ("layered", "layfp", False),
    "MHFP": ("secfp", "secfp{diameter}", False),
}
_BATCH = 512
_ENTRIES = ("RDKitFP", "AtomPairFP", "TopologicalTorsionFP")  # featurizers that know `bit_per_entry`


class Fingerprints(Descriptor):
    """Fingerprints and descriptors of molecules, with XenonPy's names, columns and bits.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Number of processes. (XenonPy's default is -1.)
    radius : int, default=3
        Radius in bonds of ECFP, FCFP and MHFP; 3 is ECFP6.
    n_bits : int, default=2048
        Columns of each hashed fingerprint; MACCS has 167.
    bit_per_entry : int or None, default=None
        Bits of each entry of RDKitFP (None: 2), AtomPairFP and TopologicalTorsionFP (None: 4).
    counting : bool, default=False
        Count entries instead of marking presence, where the fingerprint knows counts: RDKitFP, AtomPairFP,
        TopologicalTorsionFP, ECFP and FCFP. Their columns are called ``ecfp6_c:0`` instead of ``ecfp6:0``.
    input_type : {"mol", "smiles", "any"}, default="mol"
        There for XenonPy's sake: molecules and SMILES are both understood, whatever it is.
    featurizers : "all", str or list of str, default="all"
        One or several of RDKitFP, AtomPairFP, TopologicalTorsionFP, MACCS, ECFP, FCFP, PatternFP, LayeredFP, MHFP and
        DescriptorFeature (RDKit's 2D descriptors); their columns stand in this order.
    on_errors : {"raise", "nan", "keep"}, default="raise"
        What to do with rows that cannot be read: raise one error that names them all, make them NaN and warn, or put
        the exception in place of every feature.
    target_col : str or None, default=None
        Column of a DataFrame to take, if it has no column ``mol``.
    desc_list : {"all", "classic"} or list of str, default="all"
        Descriptors of DescriptorFeature: all that RDKit has, the 200 of its version 2020.03, or these.
    add_Hs : bool, default=False
        Add hydrogens before DescriptorFeature.

    Attributes
    ----------
    n_features_in_ : int
        1, the column of molecules.

    Raises
    ------
    ValueError
        For unknown featurizers and settings, or, under "raise", rows that cannot be read.

    See Also
    --------
    sktaag.descriptors.Fingerprints : The same kinds and more; for polymers, sparse, with a cache.

    Notes
    -----
    The bits and counts are those of XenonPy, which calls older functions of RDKit. RDKit's generators differ from these
    in their defaults alone: they set two bits for each path in counts as well, where XenonPy's RDKitFP counts each path
    once, and this class does as XenonPy does. Values are float32; with DescriptorFeature they are float64, and
    descriptors beyond 1e30 (Ipc of large molecules) are set to 1e30.

    RDKit adds descriptors from version to version, so that "all" has not the number of columns of older XenonPy models;
    ``desc_list="classic"`` has.

    Examples
    --------
    >>> from sktaag.xenonpy import Fingerprints
    >>> frame = Fingerprints(featurizers=["ECFP", "MACCS"], n_bits=64).transform(["CCO", "c1ccccc1"])
    >>> frame.shape, frame.columns[-1], frame.columns[0]
    ((2, 231), 'ecfp6:63', 'maccs:0')
    """

    _column = "mol"
    _featurizers = (*_KINDS, "DescriptorFeature")

    def __init__(
        self,
        n_jobs=None,
        *,
        radius=3,
        n_bits=2048,
        bit_per_entry=None,
        counting=False,
        input_type="mol",
        featurizers="all",
        on_errors="raise",
        target_col=None,
        desc_list="all",
        add_Hs=False,
    ):
        self.n_jobs = n_jobs
        self.radius = radius
        self.n_bits = n_bits
        self.bit_per_entry = bit_per_entry
        self.counting = counting
        self.input_type = input_type
        self.featurizers = featurizers
        self.on_errors = on_errors
        self.target_col = target_col
        self.desc_list = desc_list
        self.add_Hs = add_Hs

    def _labels(self):
        labels = []
        for name in self._checked():
            if name == "DescriptorFeature":
                labels += self._descriptors()
                continue
            _, label, counted = _KINDS[name]
            label = label.format(diameter=2 * self.radius) + ("_c" if counted and self.counting else "")
            labels += [f"{label}:{i}" for i in range(167 if name == "MACCS" else self.n_bits)]
        return labels

    def _describe(self, column):
        mols, rows = [], []
        for i, mol in enumerate(MoleculeReader().read_all(column)):
            if isinstance(mol, InvalidStructureError):
                rows.append((i, column[i], str(mol)))
            else:
                mols.append(mol)
        batches = [mols[i : i + _BATCH] for i in range(0, len(mols), _BATCH)]
        # whole rows in one task: a worker that meets this room late takes its imports for a memory leak and restarts
        tasks = (joblib.delayed(self._rows)(batch) for batch in batches)
        blocks = joblib.Parallel(n_jobs=self.n_jobs or None)(tasks) if mols else []
        dtype = np.float64 if "DescriptorFeature" in self._checked() else np.float32
        features = np.full((len(column), len(self._labels())), np.nan, dtype)
        valid = np.setdiff1d(np.arange(len(column)), [row for row, _, _ in rows])
        if blocks:
            features[valid] = np.concatenate(blocks)
        return features, rows

    def _rows(self, mols):
        return np.hstack([self._block(name, mols) for name in self._checked()])

    def _block(self, name, mols):
        if name == "DescriptorFeature":
            mols = [Chem.AddHs(mol) for mol in mols] if self.add_Hs else mols
            features = _Fingerprints("descriptors", dtype="float64").fit_transform(mols)
            known = [descriptor for descriptor, _ in Descriptors.descList]
            return features[:, [known.index(descriptor) for descriptor in self._descriptors()]]
        kind, _, counted = _KINDS[name]
        counts = bool(counted and self.counting)
        # XenonPy knows bit_per_entry in bits alone, and counts each path once
        bits = 1 if counts and name == "RDKitFP" else None if counts else self.bit_per_entry
        if name in _ENTRIES and bits is not None:
            transformer = EntryFingerprints(kind, bits, counts, self.n_bits)
        else:
            transformer = _Fingerprints(kind, counts=counts, size=self.n_bits, radius=self.radius)
        return transformer.fit_transform(mols)

    def _checked(self):
        for name, least in (("radius", 0), ("n_bits", 1), ("bit_per_entry", 1)):
            value = getattr(self, name)
            optional = name == "bit_per_entry" and value is None
            if not optional and (not isinstance(value, Integral) or value < least):
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
        if self.input_type not in ("mol", "smiles", "any"):
            raise ValueError(f'input_type must be "mol", "smiles" or "any", got {self.input_type!r}.')
        return self._chosen({"all": self._featurizers})

    def _descriptors(self):
        known = [name for name, _ in Descriptors.descList]
        if isinstance(self.desc_list, str) and self.desc_list in ("all", "classic"):
            return known if self.desc_list == "all" else list(DescriptorFeature.classic)
        unknown = [name for name in self.desc_list if name not in known]
        if isinstance(self.desc_list, str) or unknown:
            raise ValueError(f'desc_list must be "all", "classic" or names of descriptors of RDKit, got {unknown}.')
        return list(self.desc_list)
