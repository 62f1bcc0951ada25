"""Structures to graphs for torch_geometric: atoms in space with periodic cells, molecules and polymers by bonds."""

from sktaag.graphs._atom_graphs import AtomGraphs
from sktaag.graphs._batches import graph_batches
from sktaag.graphs._molecule_graphs import MoleculeGraphs

__all__ = ["AtomGraphs", "MoleculeGraphs", "graph_batches"]
