"""Fingerprints whose entries take a number of bits that the user chooses."""

import numpy as np
from rdkit.Chem import rdFingerprintGenerator
from rdkit.rdBase import BlockLogs

from sktaag.base import StructureTransformer
from sktaag.structures import InvalidStructureError, MoleculeReader


class EntryFingerprints(StructureTransformer):
    """Paths, atom pairs or torsions: several bits for each entry, or a count of paths in one column each.

    `sktaag.descriptors.Fingerprints` has RDKit's defaults for these.

    Parameters
    ----------
    kind : {"rdkit", "atom_pair", "torsion"}
        What the entries are.
    bits : int
        Bits of each entry; for pairs and torsions, bit i tells of a count above i.
    counts : bool
        Return counts, for "rdkit".
    size : int
        Number of columns.
    """

    on_invalid, n_jobs, verbose, cache = "raise", None, 0, None

    def __init__(self, kind, bits, counts, size):
        self.kind = kind
        self.bits = bits
        self.counts = counts
        self.size = size

    def _prepare(self):
        return [str(i) for i in range(self.size)], np.dtype("float32"), False

    def _featurize(self, structures):
        generator, reader, failures = self._generator(), MoleculeReader(), []
        rows = np.zeros((len(structures), self.size), np.float32)
        with BlockLogs():
            for i, structure in enumerate(structures):
                try:
                    mol = reader.read(structure)
                except InvalidStructureError as error:
                    failures.append((i, str(error)))
                    continue
                compute = generator.GetCountFingerprintAsNumPy if self.counts else generator.GetFingerprintAsNumPy
                rows[i] = compute(mol)
        return rows, failures

    def _generator(self):
        size, bits = int(self.size), int(self.bits)
        if self.kind == "rdkit":
            return rdFingerprintGenerator.GetRDKitFPGenerator(fpSize=size, numBitsPerFeature=bits)
        make = {
            "atom_pair": rdFingerprintGenerator.GetAtomPairGenerator,
            "torsion": rdFingerprintGenerator.GetTopologicalTorsionGenerator,
        }[self.kind]
        bounds = [1, 2, 4, 8] if bits == 4 else list(range(1, bits + 1))  # as in RDKit's older functions
        return make(fpSize=size, countSimulation=True, countBounds=bounds)
