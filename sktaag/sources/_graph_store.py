"""Graphs laid end to end once, so that a batch of a training is a few operations on whole tensors."""

import copy

import numpy as np
import torch
from torch.utils.data import Dataset
from torch_geometric.data import Batch

_NOT_INPUTS = {"energy", "forces"}  # what structures carry as labels
_SHARE = 0.25  # of the free memory of a GPU that the graphs of a training may take
_EMPTY = Batch()  # a copy of it is made in a fifth of the time


class GraphStore(Dataset):
    """Graphs of a training on a device, sliced by arrays of row numbers into batches.

    Parameters
    ----------
    graphs : list of torch_geometric.data.Data
        Tensors that all of them have become those of the batches.
    device : torch.device
        Where batches are wanted. The graphs themselves are kept there too, unless they take a large share of a GPU.
    labels : dict of str to ndarray or None, default=None
        What `take` returns beside the graphs: arrays with one row for each graph, or one for each atom, end to end.
    """

    def __init__(self, graphs, device, labels=None):
        self.device = torch.device(device)
        self.n_atoms = np.array([graph.num_nodes for graph in graphs])
        self._columns = {key: _Column(key, graphs) for key in _tensors(graphs)}
        self._labels = {}
        for key, values in (labels or {}).items():
            counts = np.ones(len(graphs), int) if len(values) == len(graphs) else self.n_atoms
            self._labels[key] = _Part(torch.from_numpy(values), counts)
        parts = [*self._columns.values(), *self._labels.values()]
        size = sum(part.values.nbytes for part in parts)
        if self.device.type != "cuda" or size < _SHARE * torch.cuda.mem_get_info(self.device)[0]:
            for part in parts:
                part.values = part.values.to(self.device)

    def __len__(self):
        return len(self.n_atoms)

    def __getitem__(self, row):
        return self.take(np.array([row]))

    def take(self, rows):
        """Gather some graphs.

        Parameters
        ----------
        rows : ndarray of int
            Row numbers.

        Returns
        -------
        batch : torch_geometric.data.Batch
            As `Batch.from_data_list` makes it, on the device.
        labels : dict of str to Tensor
        """
        places = {}

        def gather(part):
            if part.key not in places:
                places[part.key] = part.places(rows)
            return part.values.index_select(part.dim, places[part.key]).to(self.device)

        batch = self._batch({key: gather(column) for key, column in self._columns.items()}, rows)
        return batch, {key: gather(label) for key, label in self._labels.items()}

    def all(self):
        """Return the batch of all graphs in their order, which need not be gathered."""
        inputs = {key: column.values.to(self.device) for key, column in self._columns.items()}
        return self._batch(inputs, np.arange(len(self)))

    def _batch(self, inputs, rows):
        for key, column in self._columns.items():
            if column.steps is not None:  # numbers of atoms count from the first atom of the batch
                first = np.cumsum(column.steps[rows]) - column.steps[rows]
                inputs[key] = inputs[key] + _repeat(first, column.counts[rows], self.device)
        counts = self.n_atoms[rows]
        inputs["batch"] = _repeat(np.arange(len(rows)), counts, self.device)
        inputs["ptr"] = torch.from_numpy(np.concatenate([[0], np.cumsum(counts)])).to(self.device)
        return copy.copy(_EMPTY).update(inputs)


class GraphRows(Dataset):
    """Some of the rows of a `GraphStore`, as a data set of their own.

    Parameters
    ----------
    store : GraphStore
    rows : ndarray of int
    """

    def __init__(self, store, rows):
        self.store = store
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.take(np.array([row]))

    def take(self, rows):
        """Gather some graphs, as `GraphStore.take`."""
        return self.store.take(self.rows[rows])


class _Part:
    """Tensor with the values of all graphs end to end, and where those of each graph are."""

    def __init__(self, values, counts, dim=0):
        self.values = values
        self.counts = counts
        self.dim = dim
        self.first = np.cumsum(counts) - counts
        self.single = bool((counts == 1).all())  # the usual label
        self.key = counts.tobytes()  # parts of equal lengths have their places in common

    def places(self, rows):
        counts, device = self.counts[rows], self.values.device
        if self.single:
            return torch.from_numpy(rows).to(device)
        here = np.cumsum(counts) - counts
        return torch.arange(int(counts.sum()), device=device) + _repeat(self.first[rows] - here, counts, device)


class _Column(_Part):
    """One attribute of all graphs."""

    def __init__(self, key, graphs):
        tensors = [torch.atleast_1d(graph[key]) for graph in graphs]
        dim = (graphs[0].__cat_dim__(key, tensors[0]) or 0) % tensors[0].ndim
        super().__init__(torch.cat(tensors, dim=dim), np.array([tensor.shape[dim] for tensor in tensors]), dim)
        steps = np.array([int(graph.__inc__(key, part)) for graph, part in zip(graphs, tensors, strict=True)])
        self.steps = steps if steps.any() else None


def _tensors(graphs):
    keys = set.intersection(*(set(graph.to_dict()) for graph in graphs)) - _NOT_INPUTS
    return sorted(key for key in keys if isinstance(graphs[0][key], torch.Tensor))


def _repeat(values, counts, device):
    """Repeat each number so many times, on the device; with the size known a GPU need not be waited for."""
    if device.type == "cpu":
        return torch.from_numpy(np.repeat(values, counts))
    both = torch.from_numpy(np.stack([values, counts])).to(device)
    return torch.repeat_interleave(both[0], both[1], output_size=int(counts.sum()))
