"""Read a chemical composition from any of the forms in which users hold one."""

import re
from collections import Counter
from collections.abc import Mapping
from math import isfinite
from numbers import Number, Real

import pandas as pd
from rdkit import Chem

from sktaag.structures._invalid import InvalidStructureError
from sktaag.structures._molecule import to_mol

_SYMBOLS = frozenset(Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119))
_ISOTOPES = {"D": "H", "T": "H"}
_HYDRATE_DOTS = re.compile("[·•∙⋅*]")
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)?(.*)", re.DOTALL)
_AMBIGUOUS_HYDRATE = re.compile(r"\.\d+\s*H2O\s*$")
_HINT = '; SMILES need strings="smiles"'
_ZERO_AMOUNT = re.compile(r"([A-Z][a-z]?|[)\]}])0+(?:\.0*)?(?![\d.])")


def to_composition(value, strings="formula"):
    """Count the atoms of each element in a formula, a composition, a molecule or a crystal.

    Isotopes count as their element (D and T are H), charges and oxidation states are left aside. Hydrates are
    written with a dot above the line, ``CuSO4·5H2O``, or with ``*``: the full stop is a decimal point.

    Parameters
    ----------
    value : str, mapping, rdkit.Chem.Mol, ase.Atoms or pymatgen Composition, Structure or Molecule
        A mapping gives the amount of each element symbol. Hydrogens that a molecule implies are counted, the ``*``
        atoms of a repeat unit are not.
    strings : {"formula", "smiles"}, default="formula"
        How strings are read. ``CO`` is a valid instance of both, so that nothing could be guessed.

    Returns
    -------
    composition : dict of str to float
        Amount of each element, in the order of their first mention. Amounts are positive and not normalised.

    Raises
    ------
    InvalidStructureError
        If the value is missing or cannot be read, has no atoms, or has an unknown element or an amount that is not
        a positive finite number; its text is the reason.
    ValueError
        If `strings` is something else.

    Examples
    --------
    >>> to_composition("(Ba0.5Sr0.5)TiO3")
    {'Ba': 0.5, 'Sr': 0.5, 'Ti': 1.0, 'O': 3.0}
    >>> to_composition("CuSO4·5H2O")
    {'Cu': 1.0, 'S': 1.0, 'O': 9.0, 'H': 10.0}
    >>> to_composition("*CC(C)*", strings="smiles")
    {'C': 3.0, 'H': 6.0}
    """
    if strings not in ("formula", "smiles"):
        raise ValueError(f'strings must be "formula" or "smiles", got {strings!r}.')
    if isinstance(value, str):
        amounts = _from_mol(to_mol(value)) if strings == "smiles" else _from_formula(value)
    elif isinstance(value, Chem.Mol):
        amounts = _from_mol(to_mol(value))
    elif isinstance(value, Mapping):  # pymatgen's Composition is one
        amounts = _from_mapping(value)
    elif isinstance(getattr(value, "composition", None), Mapping):  # pymatgen's Structure and Molecule
        amounts = _from_mapping(value.composition)
    elif hasattr(value, "get_chemical_symbols"):  # ase.Atoms
        amounts = _from_mapping(Counter(value.get_chemical_symbols()))
    elif pd.api.types.is_scalar(value) and pd.isna(value):
        raise InvalidStructureError("is missing")
    elif isinstance(value, Number):
        raise InvalidStructureError(f"is a number ({type(value).__name__}), not a composition")
    else:
        raise InvalidStructureError(
            f"is of type {type(value).__name__}, not a formula, a mapping of amounts, a molecule or a crystal"
        )
    if not amounts:
        raise InvalidStructureError("has no atoms")
    return amounts


def _from_mapping(mapping):
    amounts: dict[str, float] = {}
    for element, amount in mapping.items():
        symbol = getattr(element, "symbol", element)  # pymatgen's Element and Species have one
        symbol = _ISOTOPES.get(symbol, symbol)
        if symbol not in _SYMBOLS:
            raise InvalidStructureError(f"{symbol!r} is not the symbol of an element")
        if not isinstance(amount, Real):
            raise InvalidStructureError(f"the amount of {symbol} is {amount!r}, not a number")
        if not (isfinite(amount) and amount > 0):
            raise InvalidStructureError(f"the amount of {symbol} is {amount}, not a positive finite number")
        amounts[symbol] = amounts.get(symbol, 0.0) + float(amount)
    return amounts


def _from_formula(formula):
    from pymatgen.core import Composition  # here, because molecules do not need it

    if not formula.strip():
        raise InvalidStructureError("is an empty string")
    if _AMBIGUOUS_HYDRATE.search(formula):
        raise InvalidStructureError(
            "is ambiguous: a full stop is a decimal point. Write a hydrate with '·', as in CuSO4·5H2O, "
            "and a decimal amount in brackets, as in (Na0.5)H2O"
        )
    if zero := _ZERO_AMOUNT.search(formula):
        raise InvalidStructureError(f"the amount after {zero[1]!r} is zero: leave that part out")
    amounts: Counter[str] = Counter()
    for part in _HYDRATE_DOTS.split(formula):
        coefficient, group = _PART.fullmatch(part).groups()
        try:
            composition = Composition(group)
        except (ValueError, OverflowError, RecursionError) as error:
            raise InvalidStructureError(f"is no chemical formula ({str(error)[:80]}){_HINT}") from None
        if not composition:  # some versions of pymatgen raise, some do not
            raise InvalidStructureError(f"is no chemical formula (a part of it is empty){_HINT}")
        for element, amount in composition.items():
            amounts[element.symbol] += float(coefficient or 1) * amount
    return _from_mapping(amounts)


def _from_mol(mol):
    amounts, hydrogens = Counter(), 0
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum():
            amounts[atom.GetSymbol()] += 1
        hydrogens += atom.GetTotalNumHs()
    if hydrogens:
        amounts["H"] += hydrogens
    return {symbol: float(amount) for symbol, amount in amounts.items()}
