"""What the transformers of this room share: rows that are graphs, kept as plain tensors."""

from abc import abstractmethod

import numpy as np
from rdkit.rdBase import BlockLogs
from safetensors.torch import load, save
from torch_geometric.data import Data

from sktaag.base import StructureTransformer
from sktaag.structures import InvalidStructureError


class GraphTransformer(StructureTransformer):
    """A map from each structure to one `torch_geometric.data.Data` whose attributes are all tensors."""

    _batch_size = 64  # an embedding takes longer than a fingerprint: smaller tasks keep all processes busy

    @abstractmethod
    def _check(self):
        """Check the parameters."""

    @abstractmethod
    def _graph(self, structure):
        """Make one graph, or raise InvalidStructureError."""

    def transform(self, X):
        """Make the graph of each structure.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures: list, tuple, array, Series or one-column DataFrame.

        Returns
        -------
        graphs : ndarray of shape (n_samples,) and dtype object
            `torch_geometric.data.Data` in the order of X; None for an invalid row if `on_invalid` is "nan".

        Raises
        ------
        InvalidRowsError
            If structures cannot be read and `on_invalid` is "raise"; the message names them all.
        """
        return super().transform(X)

    def _prepare(self):
        self._check()
        return ["graph"], object, False

    def _featurize(self, structures):
        graphs, failures = np.full(len(structures), None, dtype=object), []
        with BlockLogs():
            for i, structure in enumerate(structures):
                try:
                    graphs[i] = self._graph(structure)
                except InvalidStructureError as error:
                    failures.append((i, str(error)))
        return graphs, failures

    def _featurize_packed(self, structures):
        graphs, failures = self._featurize(structures)
        return self._encode(graphs), failures  # bytes: torch would send its tensors home as open files

    def _unpack(self, block):
        return self._decode(block, object, False) if isinstance(block, list) else block

    def _encode(self, features):
        return [None if graph is None else save(graph.to_dict()) for graph in features]

    def _decode(self, rows, dtype, sparse):
        graphs = np.full(len(rows), None, dtype=object)
        for i, row in enumerate(rows):
            if row is not None:
                graphs[i] = Data.from_dict(load(row))
        return graphs
