"""How the states of a frozen graph network, summed over the atoms of each element, change with the positions."""

import numpy as np
import torch

from sktaag.sources._tokens import graph_arrays, run_batches

_MAX_ATOMS = 128  # in a batch on a CPU: derivatives of derivatives of more take gigabytes, and leave the caches


def pooled_jacobians(backbone, graphs, device, cache=None):
    """Compute derivatives of pooled layer tokens with respect to positions, or find them in a cache.

    Reverse mode would need a pass for each feature. A gradient that is differentiated once more by the vector it is
    linear in needs one for each coordinate of the largest structure.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
        On the device.
    graphs : sequence of torch_geometric.data.Data
        As `sktaag.graphs.AtomGraphs` makes them.
    device : torch.device
    cache : None, path or joblib.Memory, default=None
        Folder that keeps them, by the content of each graph and the weights of the backbone.

    Returns
    -------
    jacobians : list of ndarray of shape (3 * n_atoms, n_elements, n_layers + 1, n_features) and dtype float32
        By coordinate, in Å, and by element of the structure, in the order of atomic numbers.
    """

    def batches(missing):
        max_atoms = _MAX_ATOMS if torch.device(device).type == "cpu" else None
        return run_batches(missing, lambda batch: _differentiate(backbone, batch), device, max_atoms)

    rows = graph_arrays("jacobians", backbone, graphs, batches, cache)
    tail = (backbone.n_layers + 1, backbone.n_features)
    return [
        row.reshape(3 * graph.num_nodes, len(graph.z.unique()), *tail) for row, graph in zip(rows, graphs, strict=True)
    ]


def _differentiate(backbone, batch):
    numbers, slot = torch.unique(batch.z, return_inverse=True)
    first = batch.ptr[:-1]
    sizes = batch.ptr.diff()
    batch.pos = batch.pos.detach().to(backbone.dtype).requires_grad_()
    with torch.enable_grad():
        tokens = backbone.tokens(batch)
        weights = tokens.new_zeros(batch.num_graphs, len(numbers), *tokens.shape[1:], requires_grad=True)
        energy = (tokens * weights[batch.batch, slot]).sum()
        (gradient,) = torch.autograd.grad(energy, batch.pos, create_graph=True)  # (n_atoms, 3), linear in the weights
    columns = []
    for atom in range(int(sizes.max())):
        there = (first + atom)[sizes > atom]
        for axis in range(3):
            direction = torch.zeros_like(gradient)
            direction[there, axis] = 1.0  # in all graphs at once: they do not see each other
            (column,) = torch.autograd.grad(gradient, weights, direction, retain_graph=True)
            columns.append(column)
    whole = torch.stack(columns, dim=1).cpu().numpy()  # (graphs, 3 * atoms of the largest, elements, depths, channels)
    parts = []
    for graph, n_atoms in enumerate(sizes.tolist()):
        present = torch.isin(numbers, batch.z[batch.batch == graph]).cpu().numpy()
        parts.append(np.ascontiguousarray(whole[graph, : 3 * n_atoms, present].swapaxes(0, 1), np.float32))
    return parts
