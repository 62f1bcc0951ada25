"""Graphs through a network in batches that fit into memory; layer tokens, computed once."""

from hashlib import blake2b
from importlib.metadata import version

import joblib
import numpy as np
import torch
import torch_geometric
from torch_geometric.data import Data

import sktaag
from sktaag.cache import RowCache, cache_folder
from sktaag.graphs._batches import bounded
from sktaag.sources._graph_store import GraphStore

_MAX_ATOMS = {"cpu": 1024, "cuda": 16384}  # in a batch: as many as fit into the caches of a CPU; enough work for a GPU
_MAX_DEGREE = 64  # edges of an atom, on average, beyond which a batch has fewer atoms
_NOT_INPUTS = {"energy", "forces", "cutoff"}


def run_batches(graphs, run, device, max_atoms=None):
    """Hand graphs to a function, in batches that are halved when a GPU runs out of memory.

    Parameters
    ----------
    graphs : sequence of torch_geometric.data.Data or None
        None is a row without a graph and is in no batch.
    run : callable
        Called with a `torch_geometric.data.Batch` on the device, of the tensors that all its graphs have.
    device : torch.device
    max_atoms : int or None, default=None
        Most atoms in a batch; None is a number that suits the device.

    Yields
    ------
    indices : list of int
        Which of `graphs` are in the batch.
    result : object
        What `run` returned.

    Raises
    ------
    torch.OutOfMemoryError
        If a single graph does not fit.
    """
    device = torch.device(device)
    max_atoms = max_atoms or _MAX_ATOMS.get(device.type, 1024)
    first, too_large = 0, True
    while too_large:
        begin, too_large = first, False
        for indices in bounded(graphs[begin:], max_atoms, _MAX_DEGREE * max_atoms):
            indices = [begin + i for i in indices]
            together = [graphs[i] for i in indices]
            try:
                result = run(GraphStore(together, device).all())
            except torch.OutOfMemoryError:
                if len(indices) == 1:
                    raise
                too_large = True
            if too_large:  # outside of the except clause, which holds on to the tensors
                max_atoms = sum(graph.num_nodes for graph in together) // 2
                break
            yield indices, result
            first = indices[-1] + 1
        if too_large and device.type == "cuda":
            torch.cuda.empty_cache()


def token_batches(backbone, graphs, device, max_atoms=None):
    """Compute the layer tokens of graphs, batch by batch, without gradients.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
        On the device.
    graphs : sequence of torch_geometric.data.Data or None
    device : torch.device
    max_atoms : int or None, default=None
        As in `run_batches`.

    Yields
    ------
    indices : list of int
        Which of `graphs` are in the batch.
    tokens : Tensor of shape (n_atoms, n_layers + 1, n_features)
        On the device.
    batch : torch_geometric.data.Batch
        ``batch.batch`` says to which graph of it an atom belongs, ``batch.ptr`` where its atoms begin.
    """

    def run(batch):
        with torch.no_grad():
            return batch_tokens(backbone, batch), batch

    for indices, (tokens, batch) in run_batches(graphs, run, device, max_atoms):
        yield indices, tokens, batch


def batch_tokens(backbone, batch):
    """Return the layer tokens of a batch: those that its graphs bring, or what the backbone computes."""
    return batch.tokens if "tokens" in batch else backbone.tokens(batch)


def graph_tokens(backbone, graphs, device, cache=None):
    """Compute the layer tokens of each graph, or find them in a cache.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
        On the device.
    graphs : sequence of torch_geometric.data.Data
    device : torch.device
    cache : None, path or joblib.Memory, default=None
        Folder that keeps the tokens, by the content of each graph and the weights of the backbone.

    Returns
    -------
    tokens : list of ndarray of shape (n_atoms, n_layers + 1, n_features) and dtype float32
    """

    def batches(missing):
        for indices, tokens, batch in token_batches(backbone, missing, device):
            yield indices, np.split(tokens.float().cpu().numpy(), batch.ptr[1:-1].cpu().numpy())

    shape = (-1, backbone.n_layers + 1, backbone.n_features)
    return [row.reshape(shape) for row in graph_arrays("tokens", backbone, graphs, batches, cache)]


def graph_arrays(kind, backbone, graphs, batches, cache):
    """Compute an array for each graph, or find it in a cache.

    Parameters
    ----------
    kind : str
        What is computed.
    backbone : sktaag.nn.Backbone
    graphs : sequence of torch_geometric.data.Data
    batches : callable
        Takes some of the graphs; yields their numbers and a list of arrays of dtype float32, in batches.
    cache : None, path or joblib.Memory
        Folder that keeps the arrays, by the content of each graph and the weights of the backbone.

    Returns
    -------
    rows : list of ndarray of dtype float32
        Each array in one dimension.
    """

    def compute(missing):
        found = [None] * len(missing)
        for indices, parts in batches(missing):
            for i, part in zip(indices, parts, strict=True):
                found[i] = part.ravel()
        return found

    folder = cache_folder(cache)
    if folder is None:
        return compute(list(graphs))
    rows = RowCache(folder, f"{kind}-{backbone_key(backbone)}").rows(
        [graph_key(graph) for graph in graphs],
        list(graphs),
        lambda missing: [part.tobytes() for part in compute(missing)],
    )
    return [np.frombuffer(row, np.float32) for row in rows]


def with_tokens(graphs, tokens):
    """Make graphs that bring their tokens, for networks that need nothing else of them.

    Parameters
    ----------
    graphs : list of torch_geometric.data.Data
    tokens : list of ndarray
        As `graph_tokens` returns them.

    Returns
    -------
    graphs : list of torch_geometric.data.Data
    """
    return [
        Data(z=graph.z, tokens=torch.from_numpy(np.array(part)), num_nodes=graph.num_nodes)
        for graph, part in zip(graphs, tokens, strict=True)
    ]


def backbone_key(backbone):
    """Digest of the weights, the shape and the code of a backbone, equal in every process and on every device."""
    weights = {name: tensor.cpu().contiguous().numpy() for name, tensor in backbone.state_dict().items()}
    versions = [sktaag.__version__, torch.__version__.split("+")[0], torch_geometric.__version__]
    versions += [version(package) for package in backbone.packages]
    return joblib.hash((versions, backbone.name, backbone.config, weights))


def graph_key(graph):
    """Digest of what a network sees of a graph."""
    digest = blake2b(digest_size=16)
    for name, value in sorted(graph.to_dict().items()):
        if name not in _NOT_INPUTS and isinstance(value, torch.Tensor):
            array = value.numpy()
            digest.update(repr((name, array.dtype.str, array.shape)).encode())
            digest.update(array.tobytes())
    return digest.digest()
