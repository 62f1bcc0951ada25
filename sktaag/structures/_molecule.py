"""Read one molecule, or say why it cannot be read."""

from numbers import Number

import pandas as pd
from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.rdBase import CaptureErrorLog

from sktaag.structures._invalid import InvalidStructureError


def to_mol(structure):
    """Turn a SMILES string or an RDKit molecule into a sanitised RDKit molecule.

    Stereochemistry, isotopes, charges and every fragment of a salt are kept as written. A sanitised molecule whose
    stereochemistry has been assigned comes back as it is. What follows a blank in a string is its name, as in every
    SMILES file.

    Parameters
    ----------
    structure : str or rdkit.Chem.Mol
        SMILES, PSMILES (a repeat unit with ``*``) or a molecule.

    Returns
    -------
    mol : rdkit.Chem.Mol

    Raises
    ------
    InvalidStructureError
        With RDKit's own reason, if there is one.

    Examples
    --------
    >>> to_mol("OCC").GetNumAtoms()
    3
    >>> to_mol("C1CC")
    Traceback (most recent call last):
    sktaag.structures._invalid.InvalidStructureError: SMILES Parse Error: unclosed ring for input: 'C1CC'
    """
    if isinstance(structure, str):
        if not structure.isascii():  # RDKit would leave out such a character and what follows
            strange = next(character for character in structure if not character.isascii())
            raise InvalidStructureError(f"has the character {strange!a}, which is not ASCII")
        mol = Chem.MolFromSmiles(structure) if structure else None
        if mol is None:
            raise InvalidStructureError(_why(structure))
    elif isinstance(structure, Chem.Mol):
        mol = _sanitised(structure)
    elif pd.api.types.is_scalar(structure) and pd.isna(structure):
        raise InvalidStructureError("is missing")
    elif isinstance(structure, Number):
        raise InvalidStructureError(f"is a number ({type(structure).__name__}), not a SMILES string or a molecule")
    else:
        raise InvalidStructureError(f"is of type {type(structure).__name__}, not a SMILES string or a molecule")
    if mol.GetNumAtoms() == 0:
        raise InvalidStructureError("has no atoms")
    return mol


def largest_fragment(mol):
    """Keep the fragment with most atoms of a salt or mixture, ties as in RDKit's `LargestFragmentChooser`.

    Parameters
    ----------
    mol : rdkit.Chem.Mol

    Returns
    -------
    mol : rdkit.Chem.Mol
        The same object if it has one fragment.
    """
    if len(Chem.GetMolFrags(mol)) == 1:
        return mol
    return rdMolStandardize.LargestFragmentChooser().choose(mol)


def _sanitised(mol):
    raw, labelled = mol.NeedsUpdatePropertyCache(), mol.HasProp("_StereochemDone")
    if not raw and labelled:
        return mol
    mol = Chem.Mol(mol)
    if raw:
        try:
            Chem.SanitizeMol(mol)
        except Chem.MolSanitizeException as error:
            raise InvalidStructureError(str(error)) from error
    # as in reading a SMILES; the labels R and S do not survive a pickle
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True, flagPossibleStereoCenters=True)
    return mol


def _why(smiles):
    """Return the reason that RDKit writes to its log when it refuses a SMILES."""
    if not smiles.strip():
        return "is an empty string"
    with CaptureErrorLog() as log:
        Chem.MolFromSmiles(smiles)
    # lines read "[10:23:42] SMILES Parse Error: ..."; the first one is the cause, the rest draw an arrow
    first = log.messages.partition("\n")[0].partition("] ")[2]
    return first[:160] or "RDKit cannot read it"
