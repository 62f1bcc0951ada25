"""XenonPy's structure descriptors."""

import re

import joblib
import numpy as np
from pymatgen.core import Element, Structure

from sktaag.xenonpy._descriptor import Descriptor
from sktaag.xenonpy._upstream import OrbitalFieldMatrix as _OrbitalFieldMatrix
from sktaag.xenonpy._upstream import RadialDistributionFunction

_SUBSHELLS = [
    f"{shell}{n}" for shell, capacity in (("s", 2), ("p", 6), ("d", 10), ("f", 14)) for n in range(1, capacity + 1)
]


class Structures(Descriptor):
    r"""Radial distribution function and orbital field matrix of crystals, with XenonPy's names and columns.

    The radial distribution function is XenonPy's. The orbital field matrix [1]_ is mended: since pymatgen writes
    electronic structures in another way, XenonPy's is zero for every element but hydrogen and helium.

    Parameters
    ----------
    n_bins : int, default=201
        Number of radial grid points, from 0 to `r_max`; there are ``n_bins - 1`` columns.
    r_max : float, default=20.0
        Largest distance, in Å.
    including_d : bool, default=True
        Weigh each neighbour of the orbital field matrix by the inverse of its distance as well.
    n_jobs : int or None, default=None
        Number of processes. (XenonPy's default is -1.)
    featurizers : "all", str or list of str, default="all"
        One or both of RadialDistributionFunction and OrbitalFieldMatrix; their columns stand in this order.
    on_errors : {"raise", "nan", "keep"}, default="raise"
        What to do with structures that cannot be described: raise one error that names them all, make the row NaN and
        warn, or put the exception in place of every feature.
    target_col : str or None, default=None
        Column of a DataFrame to take, if it has no column ``structure``.

    Attributes
    ----------
    n_features_in_ : int
        1, the column of structures.

    Raises
    ------
    ValueError
        For unknown featurizers, or, under "raise", rows that are no ordered `pymatgen.core.Structure`.

    Notes
    -----
    The matrix is the mean over the atoms of

    .. math:: \sum_k \frac{w_k}{d_k} v_k v^\top

    with the vector :math:`v` of 32 zeros and ones, which marks the occupied subshells s1 to f14 of the atom outside of
    its noble-gas core, those :math:`v_k` of its Voronoi neighbours, their solid-angle weights :math:`w_k` and
    distances :math:`d_k` in Å. Oxidation states are left aside. Column ``s2_p5`` is for an s2 neighbour of a p5 atom.

    References
    ----------
    .. [1] T. Lam Pham et al., Sci. Technol. Adv. Mater. 18, 756 (2017). :doi:`10.1080/14686996.2017.1378060`

    Examples
    --------
    >>> from pymatgen.core import Lattice, Structure
    >>> from sktaag.xenonpy import Structures
    >>> salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    >>> frame = Structures(featurizers="OrbitalFieldMatrix").transform([salt])
    >>> frame.columns[frame.iloc[0] > 0.1].tolist()
    ['s1_s2', 's1_p5', 's2_s1', 'p5_s1']
    """

    _column = "structure"
    _featurizers = ("RadialDistributionFunction", "OrbitalFieldMatrix")

    def __init__(
        self,
        n_bins=201,
        r_max=20.0,
        including_d=True,
        *,
        n_jobs=None,
        featurizers="all",
        on_errors="raise",
        target_col=None,
    ):
        self.n_bins = n_bins
        self.r_max = r_max
        self.including_d = including_d
        self.n_jobs = n_jobs
        self.featurizers = featurizers
        self.on_errors = on_errors
        self.target_col = target_col

    def _labels(self):
        return [label for featurizer in self._functions() for label in featurizer.feature_labels]

    def _describe(self, column):
        functions = self._functions()
        results = joblib.Parallel(n_jobs=self.n_jobs or None)(joblib.delayed(_row)(functions, s) for s in column)
        features = np.full((len(column), len(self._labels())), np.nan)
        rows = []
        for i, (row, reason) in enumerate(results):
            if reason is None:
                features[i] = row
            else:
                rows.append((i, column[i], reason))
        return features, rows

    def _functions(self):
        if not self.n_bins > 1 or not self.r_max > 0:
            raise ValueError(f"n_bins must be at least 2 and r_max positive, got {self.n_bins!r} and {self.r_max!r}.")
        make = {
            "RadialDistributionFunction": lambda: RadialDistributionFunction(self.n_bins, self.r_max, n_jobs=1),
            "OrbitalFieldMatrix": lambda: OrbitalFieldMatrix(self.including_d, n_jobs=1),
        }
        return [make[name]() for name in self._chosen({"all": self._featurizers})]


class OrbitalFieldMatrix(_OrbitalFieldMatrix):
    """XenonPy's orbital field matrix, with the electrons of the elements past helium."""

    @staticmethod
    def get_element_representation(name):
        """Mark the occupied subshells outside of the noble-gas core, as an array of shape (32,)."""
        # [Ar].3d6.4s2
        occupied = {
            shell + n for shell, n in re.findall(r"(?:^|\.)\d([spdf])(\d+)", Element(name).electronic_structure)
        }
        return np.array([float(subshell in occupied) for subshell in _SUBSHELLS])


def _row(functions, structure):
    """Return the features of one structure and None, or None and the reason why there are none."""
    if not isinstance(structure, Structure):
        return None, f"is of type {type(structure).__name__}, not a pymatgen Structure"
    if not structure.is_ordered:
        return None, "is disordered: some sites have several elements"
    structure = structure.copy()
    structure.remove_oxidation_states()
    try:
        return np.concatenate([function.featurize(structure) for function in functions]), None
    except (KeyError, RuntimeError, ValueError) as error:  # an element without data, a failed tessellation
        return None, f"cannot be described ({type(error).__name__}: {error})"
