"""One name for each structure, to find the same one in two data sets."""

import numpy as np
from rdkit import Chem
from rdkit.rdBase import BlockLogs

from sktaag.structures._column import as_column
from sktaag.structures._invalid import InvalidRowsError, InvalidStructureError
from sktaag.structures._molecule import to_mol
from sktaag.structures._repeat_unit import RepeatUnit, attachment_points


def canonical_smiles(X, *, stereo=True):
    """Canonical SMILES of molecules and canonical PSMILES of repeat units.

    Two repeat units get the same name if they are the same linear polymer, wherever they begin and however often
    they repeat themselves. Structures with one ``*``, or more than two, are named as molecules.

    Parameters
    ----------
    X : column of shape (n_samples,)
        SMILES, PSMILES or RDKit molecules, in any form that `as_column` takes.
    stereo : bool, default=True
        Tell stereoisomers and isotopes apart. False gives them one name, the stricter way to look for a structure
        that two data sets share.

    Returns
    -------
    names : ndarray of shape (n_samples,) and dtype object

    Raises
    ------
    InvalidRowsError
        If rows cannot be read; the message names them all.

    Examples
    --------
    >>> canonical_smiles(["OCC", "*OCC*", "*COC*"])
    array(['CCO', '*CCO*', '*CCO*'], dtype=object)
    >>> canonical_smiles(["C/C=C/C", "CC=CC"], stereo=False)
    array(['CC=CC', 'CC=CC'], dtype=object)
    """
    column = as_column(X)
    names, invalid = np.empty(len(column), dtype=object), []
    with BlockLogs():
        for row, structure in enumerate(column):
            try:
                names[row] = _name(to_mol(structure), stereo)
            except InvalidStructureError as error:
                invalid.append((row, structure, str(error)))
    if invalid:
        raise InvalidRowsError(invalid, len(column))
    return names


def _name(mol, stereo):
    if not stereo:
        mol = Chem.MolFromSmiles(Chem.MolToSmiles(mol, isomericSmiles=False))
    if len(attachment_points(mol)) == 2:
        try:
            return RepeatUnit.from_mol(mol).psmiles
        except InvalidStructureError:
            pass  # two * that do not make a linear polymer: a molecule with * atoms
    return Chem.MolToSmiles(mol)
