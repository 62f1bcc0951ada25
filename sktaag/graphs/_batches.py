"""Batches of graphs of bounded size."""

from torch_geometric.data import Batch


def graph_batches(graphs, max_atoms, max_edges=None):
    """Put graphs together, in their order, into batches that fit into memory.

    Parameters
    ----------
    graphs : sequence of torch_geometric.data.Data or None
        None is a row without a graph and is in no batch.
    max_atoms : int
        Most atoms in a batch. A graph that is larger by itself makes a batch of its own.
    max_edges : int or None, default=None
        Most edges in a batch, likewise.

    Yields
    ------
    indices : list of int
        Which of `graphs` are in the batch.
    batch : torch_geometric.data.Batch
        Attributes that some graphs of a batch lack, such as an energy, are left out of it.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from sktaag.graphs import AtomGraphs, graph_batches
    >>> graphs = AtomGraphs(3.0).fit_transform([molecule(name) for name in ("H2O", "CH4", "C6H6", "NH3")])
    >>> [(indices, batch.num_nodes) for indices, batch in graph_batches(graphs, max_atoms=10)]
    [([0, 1], 8), ([2], 12), ([3], 4)]
    """
    for indices in bounded(graphs, max_atoms, max_edges):
        yield indices, _together([graphs[i] for i in indices])


def bounded(graphs, max_atoms, max_edges=None):
    """Tell which graphs are in which batch of `graph_batches`: yield lists of int."""
    indices: list[int] = []
    n_atoms = n_edges = 0
    for i, graph in enumerate(graphs):
        if graph is None:
            continue
        full = n_atoms + graph.num_nodes > max_atoms
        full |= max_edges is not None and n_edges + graph.num_edges > max_edges
        if indices and full:
            yield indices
            indices, n_atoms, n_edges = [], 0, 0
        indices.append(i)
        n_atoms += graph.num_nodes
        n_edges += graph.num_edges
    if indices:
        yield indices


def _together(graphs):
    names = [set(graph.keys()) for graph in graphs]
    return Batch.from_data_list(graphs, exclude_keys=list(set.union(*names) - set.intersection(*names)))
