"""Molecular fingerprints and descriptors, several kinds from one parse."""

from numbers import Integral

import numpy as np
import rdkit
from rdkit.rdBase import BlockLogs

from sktaag.base import StructureTransformer, to_csr
from sktaag.descriptors._extra_kinds import EXTRA_KINDS, check_package
from sktaag.descriptors._kinds import KINDS, Settings, column_names
from sktaag.structures import InvalidStructureError, MoleculeReader

_KINDS = KINDS | EXTRA_KINDS
_DTYPES = ("float32", "float64", "uint8", "uint16", "uint32")


class Fingerprints(StructureTransformer):
    """Fingerprints of molecules and polymer repeat units, the bits that RDKit computes.

    Parameters
    ----------
    kinds : str or list of str, default="morgan"
        One or several of "morgan" (ECFP [1]_), "feature_morgan" (FCFP [1]_), "atom_pair" [2]_, "torsion" [3]_, "rdkit"
        (paths), "maccs" (167 keys), "pattern", "layered", "secfp" [4]_, "estate" (79 atom types [5]_) and
        "descriptors" (RDKit's 2D descriptors, in RDKit's units). With the extra ``sktaag[fingerprints]``, also
        "pubchem" (881 substructures) and "klekota_roth" (4,860 substructures [6]_). Columns stand in the order of this
        list; each molecule is parsed once.
    counts : bool, default=False
        Count occurrences instead of marking presence. "maccs", "pattern", "layered", "secfp" and "pubchem" have bits
        alone.
    size : int, default=2048
        Columns of each hashed kind.
    radius : int, default=2
        Radius of "morgan", "feature_morgan" and "secfp" in bonds; 2 is ECFP4, 3 is ECFP6.
    chirality : bool, default=False
        Tell stereoisomers apart in the kinds that can: morgan, feature_morgan, torsion and secfp.
    fragments : {"keep", "largest"}, default="keep"
        Describe every fragment of a salt or mixture, or the largest alone.
    polymer : {"star", "cyclic", "oligomer"}, default="star"
        What a repeat unit such as ``*CCO*`` becomes: left as written with its ``*`` atoms; its ends joined; or
        `n_units` in a row ended with hydrogen. The last two do not depend on how the unit was written.
    n_units : int or None, default=None
        Repeat units in the ring or the oligomer. None is the fewest that can make a ring, and 3 for an oligomer.
    sparse : bool, default=False
        Return a csr_array.
    dtype : {"float32", "float64", "uint8", "uint16", "uint32"}, default="float32"
        Type of the entries. A count that does not fit makes its row invalid; "descriptors" needs a float.
    on_invalid : {"raise", "nan"}, default="raise"
        Rows that cannot be read: raise one error that names them all, or make them rows of NaN and warn.
    n_jobs : int or None, default=None
        Processes, as in scikit-learn.
    verbose : int, default=0
        Show a progress bar if positive.
    cache : None, path or joblib.Memory, default=None
        Folder that keeps each row, so that no structure is described twice. Survives `clone`, pickle and processes.

    Attributes
    ----------
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    InvalidRowsError
        In `transform`, if structures cannot be read and `on_invalid` is "raise".
    ImportError
        In `fit`, for kinds of the extra ``sktaag[fingerprints]`` without it.
    ValueError
        In `fit`, for unknown kinds and settings that do not go together.

    See Also
    --------
    RareBitFilter : Drop the columns that are almost always zero.

    Notes
    -----
    RDKit cannot compute every descriptor for every molecule (partial charges of metals, for one); such entries of
    "descriptors" are NaN, and an imputer can follow. Entries beyond 1e30 are set to 1e30.

    References
    ----------
    .. [1] D. Rogers, M. Hahn, J. Chem. Inf. Model. 50, 742 (2010). :doi:`10.1021/ci100050t`
    .. [2] R. E. Carhart et al., J. Chem. Inf. Comput. Sci. 25, 64 (1985). :doi:`10.1021/ci00046a002`
    .. [3] R. Nilakantan et al., J. Chem. Inf. Comput. Sci. 27, 82 (1987). :doi:`10.1021/ci00054a008`
    .. [4] D. Probst, J.-L. Reymond, J. Cheminform. 10, 66 (2018). :doi:`10.1186/s13321-018-0321-8`
    .. [5] L. H. Hall, L. B. Kier, J. Chem. Inf. Comput. Sci. 35, 1039 (1995). :doi:`10.1021/ci00028a014`
    .. [6] J. Klekota, F. P. Roth, Bioinformatics 24, 2518 (2008). :doi:`10.1093/bioinformatics/btn479`

    Examples
    --------
    >>> from sktaag.descriptors import Fingerprints
    >>> Fingerprints(["morgan", "maccs"], counts=True).fit_transform(["CCO", "c1ccccc1"]).shape
    (2, 2215)
    >>> units = ["*CCO*", "*OCC*", "*COC*"]  # poly(ethylene oxide), written three ways
    >>> X = Fingerprints(polymer="cyclic").fit_transform(units)
    >>> bool((X == X[0]).all())
    True
    """

    def __init__(
        self,
        kinds="morgan",
        *,
        counts=False,
        size=2048,
        radius=2,
        chirality=False,
        fragments="keep",
        polymer="star",
        n_units=None,
        sparse=False,
        dtype="float32",
        on_invalid="raise",
        n_jobs=None,
        verbose=0,
        cache=None,
    ):
        self.kinds = kinds
        self.counts = counts
        self.size = size
        self.radius = radius
        self.chirality = chirality
        self.fragments = fragments
        self.polymer = polymer
        self.n_units = n_units
        self.sparse = sparse
        self.dtype = dtype
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    _not_in_rows = (*StructureTransformer._not_in_rows, "sparse")

    def _prepare(self):
        kinds = self._kinds()
        if not kinds:
            raise ValueError(f"kinds is empty. Choose from {', '.join(_KINDS)}.")
        for kind in kinds:
            if kind not in _KINDS:
                raise ValueError(f"{kind!r} is not a kind of fingerprint. Choose from {', '.join(_KINDS)}.")
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"kinds holds the same kind twice: {kinds}.")
        if not isinstance(self.size, Integral) or self.size < 1:
            raise ValueError(f"size must be a positive integer, got {self.size!r}.")
        if not isinstance(self.radius, Integral) or self.radius < 0:
            raise ValueError(f"radius must be an integer of at least 0, got {self.radius!r}.")
        if self.dtype is None or not any(self.dtype == dtype for dtype in map(np.dtype, _DTYPES)):
            raise ValueError(f"dtype must be {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]}, got {self.dtype!r}.")
        dtype = np.dtype(self.dtype)
        if "descriptors" in kinds and dtype.kind != "f":
            raise ValueError(f'kind "descriptors" needs dtype="float32" or "float64", got {self.dtype!r}.')
        self._reader()
        if self._needs_package():
            check_package()
        settings = self._settings()
        return [name for kind in kinds for name in column_names(kind, _KINDS[kind], settings)], dtype, self.sparse

    def _featurize(self, structures):
        settings, reader, dtype = self._settings(), self._reader(), np.dtype(self.dtype)
        functions = [_KINDS[kind].make(settings) for kind in self._kinds()]
        rows = np.zeros((len(structures), len(self._names)), dtype)
        # a bit fits anywhere
        largest = np.iinfo(dtype).max if self.counts and dtype.kind == "u" else None
        failures = []
        with BlockLogs():
            for i, structure in enumerate(structures):
                try:
                    parts = _apply(functions, reader.read(structure))
                except InvalidStructureError as error:
                    failures.append((i, str(error)))
                    continue
                if largest is not None and (count := max(part.max() for part in parts)) > largest:
                    failures.append((i, f'has a count of {count}, too large for dtype="{dtype.name}"'))
                    continue
                start = 0
                for part in parts:
                    rows[i, start : start + len(part)] = part
                    start += len(part)
        return to_csr(rows) if self.sparse else rows, failures

    def _kinds(self):
        return [self.kinds] if isinstance(self.kinds, str) else list(self.kinds)

    def _settings(self):
        # RDKit refuses the integers of numpy that a grid over np.arange holds
        return Settings(bool(self.counts), int(self.size), int(self.radius), bool(self.chirality))

    def _reader(self):
        return MoleculeReader(self.fragments, self.polymer, self.n_units)

    def _needs_package(self):
        return any(kind in EXTRA_KINDS for kind in self._kinds())

    def _versions(self):
        return (rdkit.__version__, check_package()) if self._needs_package() else (rdkit.__version__,)


def _apply(functions, mol):
    # a function of its own, so that a molecule is freed before the next one is parsed: 8 % faster
    return [function(mol) for function in functions]
