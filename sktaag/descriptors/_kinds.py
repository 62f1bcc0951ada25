"""The kinds of fingerprint, each as a function from a molecule to one row."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.EState import Fingerprinter
from rdkit.Chem.rdMHFPFingerprint import MHFPEncoder
from rdkit.DataStructs import ConvertToNumpyArray


class Settings(NamedTuple):
    """What the user chose for all kinds."""

    counts: bool
    size: int
    radius: int
    chirality: bool


class Kind(NamedTuple):
    """One kind: how wide it is, what its columns are called, and how to make the function that computes it."""

    columns: Callable[[Settings], list[str]] | None  # None: `size` columns with numbers for names
    make: Callable[[Settings], Callable]


def _generator(make_generator):
    """Kinds for which RDKit has a fingerprint generator, with bits and counts."""

    def make(settings):
        generator = make_generator(settings)
        return generator.GetCountFingerprintAsNumPy if settings.counts else generator.GetFingerprintAsNumPy

    return Kind(None, make)


def _bits(function, width=None):
    """Kinds that RDKit knows as bits only."""
    columns = None if width is None else lambda settings: [str(i) for i in range(width)]

    def make(settings):
        row = np.zeros(width or settings.size, dtype=np.uint8)

        def compute(mol):
            ConvertToNumpyArray(function(mol, settings), row)
            return row

        return compute

    return Kind(columns, make)


def _make_secfp(settings):
    encoder, row = (
        MHFPEncoder(),
        np.zeros(settings.size, dtype=np.uint8),
    )  # the encoder does not pickle: made on the spot

    def compute(mol):
        bits = encoder.EncodeSECFPMol(mol, radius=settings.radius, isomeric=settings.chirality, length=settings.size)
        ConvertToNumpyArray(bits, row)
        return row

    return compute


def _make_estate(settings):
    if settings.counts:
        return lambda mol: Fingerprinter.FingerprintMol(mol)[0]
    return lambda mol: Fingerprinter.FingerprintMol(mol)[0] > 0


def _make_descriptors(settings):
    def compute(mol):
        row = np.fromiter(Descriptors.CalcMolDescriptors(mol, missingVal=np.nan).values(), np.float64)
        # a few grow without bound (Ipc): kept finite in every dtype that a user can ask for
        return np.clip(row, -1e30, 1e30)

    return compute


def _descriptor_names(settings):
    return [name for name, _ in Descriptors.descList]


KINDS = {
    "morgan": _generator(
        lambda s: rdFingerprintGenerator.GetMorganGenerator(
            radius=s.radius, fpSize=s.size, includeChirality=s.chirality
        )
    ),
    "feature_morgan": _generator(
        lambda s: rdFingerprintGenerator.GetMorganGenerator(
            radius=s.radius,
            fpSize=s.size,
            includeChirality=s.chirality,
            atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen(),
        )
    ),
    "atom_pair": _generator(
        lambda s: rdFingerprintGenerator.GetAtomPairGenerator(fpSize=s.size, includeChirality=s.chirality)
    ),
    "torsion": _generator(
        lambda s: rdFingerprintGenerator.GetTopologicalTorsionGenerator(fpSize=s.size, includeChirality=s.chirality)
    ),
    "rdkit": _generator(lambda s: rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=s.size)),
    "maccs": _bits(lambda mol, s: rdMolDescriptors.GetMACCSKeysFingerprint(mol), width=167),
    "pattern": _bits(lambda mol, s: Chem.PatternFingerprint(mol, fpSize=s.size)),
    "layered": _bits(lambda mol, s: Chem.LayeredFingerprint(mol, fpSize=s.size)),
    "secfp": Kind(None, _make_secfp),
    "estate": Kind(lambda settings: [str(i) for i in range(79)], _make_estate),
    "descriptors": Kind(_descriptor_names, _make_descriptors),
}


def column_names(name, kind, settings):
    """Names of the columns of one kind: ``morgan_0``, ``maccs_166``, ``descriptors_MolWt``."""
    columns = map(str, range(settings.size)) if kind.columns is None else kind.columns(settings)
    return [f"{name}_{column}" for column in columns]
