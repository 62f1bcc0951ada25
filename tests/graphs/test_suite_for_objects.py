"""The conformance suite sees what is wrong with a transformer whose rows are objects."""

import numpy as np
import pytest
import torch
from ase.build import molecule

from sktaag.graphs import AtomGraphs
from sktaag.testing import yield_structure_checks

STRUCTURES = [molecule(name) for name in ("H2O", "CH4", "NH3", "CO", "HCN", "N2H4")]


class Reversed(AtomGraphs):
    def transform(self, X):
        return super().transform(X)[::-1]


class Forgetful(AtomGraphs):
    def _decode(self, rows, dtype, sparse):
        graphs = super()._decode(rows, dtype, sparse)
        for graph in graphs:
            if graph is not None:
                del graph.edge_shift
        return graphs


class Rounding(AtomGraphs):
    def _decode(self, rows, dtype, sparse):
        graphs = super()._decode(rows, dtype, sparse)
        for graph in graphs:
            if graph is not None:
                graph.pos = graph.pos.round(decimals=1)
        return graphs


class Infinite(AtomGraphs):
    def _graph(self, structure):
        graph = super()._graph(structure)
        graph.pos = torch.full_like(graph.pos, torch.inf)
        return graph


class KeepsInvalid(AtomGraphs):
    def transform(self, X):
        graphs = super().transform(X)
        graphs[[i for i, graph in enumerate(graphs) if graph is None]] = super().transform(STRUCTURES[:1])
        return graphs


class DropsInvalid(AtomGraphs):
    def transform(self, X):
        graphs = super().transform(X)
        return graphs[np.array([graph is not None for graph in graphs])]


@pytest.mark.parametrize(
    ("cls", "check", "message"),
    [
        (Reversed, "check_row_order", "not in the order of X"),
        (Forgetful, "check_cache", "with an empty cache there are other rows"),
        (Rounding, "check_cache", "with an empty cache there are other rows"),
        (Infinite, "check_output", "numbers that are not finite"),
        (KeepsInvalid, "check_invalid_nan", "not a row of NaN, or None instead of an object"),
        (DropsInvalid, "check_invalid_nan", "structures became 6 rows"),
    ],
)
def test_broken_transformer_of_objects_is_caught(cls, check, message):
    (run,) = [c for _, c in yield_structure_checks(cls(3.0), STRUCTURES) if c.func.__name__ == check]
    run(AtomGraphs(3.0))
    with pytest.raises(AssertionError, match=message):
        run(cls(3.0))
