"""Raw rows to a tidy table: canonical structures, one row each."""

import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd
from pymatgen.core import Composition
from rdkit import Chem, rdBase
from rdkit.Chem.Descriptors import MolWt  # type: ignore[attr-defined]

# hydrogen, the second-row non-metals, silicon, phosphorus, sulfur and the halogens
ORGANIC_ELEMENTS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 35, 53})


class Tidy(NamedTuple):
    """A tidy table and what became of the rows that are not in it."""

    frame: pd.DataFrame
    n_raw: int
    n_unreadable: int
    n_not_linear: int
    n_merged: int


def canonical(smiles: Iterable) -> list[str | None]:
    """Canonical SMILES of each row, None where RDKit cannot read it; each distinct string is parsed once."""
    codes, unique = pd.factorize(pd.Series(smiles, dtype=object))
    with rdBase.BlockLogs():
        names = [_name(Chem.MolFromSmiles(text)) for text in unique]
    return [names[code] if code >= 0 else None for code in codes]


def canonical_organic(smiles: str) -> str | None:
    """Canonical SMILES if it is an organic molecule, else None.

    Organic here: RDKit reads it; it is one fragment, neutral, with at least one carbon atom, without isotope labels,
    without radical centres, and made of H, B, C, N, O, F, Si, P, S, Cl, Br and I only.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or len(Chem.GetMolFrags(mol)) != 1 or Chem.GetFormalCharge(mol):
            return None
        atoms = list(mol.GetAtoms())
        elements = {atom.GetAtomicNum() for atom in atoms}
        if 6 not in elements or not elements <= ORGANIC_ELEMENTS:
            return None
        if any(atom.GetIsotope() or atom.GetNumRadicalElectrons() for atom in atoms):
            return None
        return Chem.MolToSmiles(mol)


def molar_mass(smiles: str) -> float:
    """Molar mass, g/mol."""
    return MolWt(Chem.MolFromSmiles(smiles))


def reduced_formulas(formulas: Iterable[str]) -> list[str]:
    """Reduced formula of each row: K6S6 and KS are the same composition."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No Pauling electronegativity")  # of noble gases, for the order only
        return [Composition(formula).reduced_formula for formula in formulas]


def tidy(
    raw: pd.DataFrame, *, features: Sequence[str], targets: Sequence[str], linear: bool = False, merge: bool = True
) -> Tidy:
    """Canonical structures, one row each.

    Parameters
    ----------
    raw : DataFrame
        Columns `features`, `targets`, and any others, which are carried along (first value of merged rows). The
        columns "smiles" and "*_smiles" become canonical SMILES, a column "formula" the reduced formula.
    features, targets : sequences of str
        What tells structures apart, and the values.
    linear : bool, default=False
        Keep only rows whose ``smiles`` has two ``*``: the repeat units of linear polymers.
    merge : bool, default=True
        One row for each structure: median of each target, ``n`` the number of raw rows, and, for one target,
        ``spread``, its largest minus its smallest value.

    Returns
    -------
    tidied : Tidy
    """
    targets = list(targets)
    rows = raw.dropna(subset=targets, how="all").copy()
    for column in rows.columns:
        if column == "smiles" or column.endswith("_smiles"):
            rows[column] = pd.Series(canonical(rows[column]), index=rows.index, dtype=object)
    if "formula" in rows:
        rows["formula"] = reduced_formulas(rows["formula"])

    readable = rows.dropna(subset=list(features))
    kept = readable[readable["smiles"].str.count(r"\*") == 2] if linear else readable
    frame = _merge(kept, list(features), targets) if merge else kept.reset_index(drop=True)
    return Tidy(frame, len(rows), len(rows) - len(readable), len(readable) - len(kept), len(kept) - len(frame))


def widen(long: pd.DataFrame) -> pd.DataFrame:
    """One column for each property of a table with the columns smiles, property and value; rows stay rows."""
    wide = {name: long["value"].where(long["property"] == name) for name in long["property"].dropna().unique()}
    return long[["smiles"]].assign(**wide)


def celsius_to_kelvin(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Table with `column` in kelvin instead of degrees Celsius."""
    return frame.assign(**{column: frame[column] + 273.15})


def _merge(rows: pd.DataFrame, features: list[str], targets: list[str]) -> pd.DataFrame:
    groups = rows.groupby(features, sort=True)
    merged = groups[targets].median()
    others = [column for column in rows.columns if column not in features + targets]
    if others:
        merged[others] = groups[others].first()
    merged["n"] = groups.size()
    if len(targets) == 1:
        merged["spread"] = groups[targets[0]].max() - groups[targets[0]].min()
    return merged.reset_index()


def _name(mol) -> str | None:
    return None if mol is None else Chem.MolToSmiles(mol)
