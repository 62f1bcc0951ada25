"""Which networks are trained together."""

import torch

_CPU_MEMORY = 2**27  # bytes; on the CPU larger chunks share no more, and are lost in a whole when killed
_CUDA_MEMORY = 2**32  # bytes; larger chunks keep a device no busier and are padded more
_CUDA_SHARE = 0.5  # of what is free, at most
_COPIES = 5  # of each weight: itself, its gradient, two moments, the best so far
_LAYERS_KEPT = 6  # arrays of the size of a hidden layer's batch that live at once


def plan_chunks(members, n_features, batch_size, models_per_batch, max_memory, device):
    """Group networks that can be stacked, those of similar widths together; on the CPU they share batches.

    Parameters
    ----------
    members : list of Member
    n_features, batch_size : int
    models_per_batch : int or None
        Largest number of networks in a chunk.
    max_memory : int or None
        Bytes that the training of a chunk may take; a single network takes what it needs. None is 128 MiB on the CPU,
        4 GiB or half of the free memory on CUDA devices.
    device : torch.device

    Returns
    -------
    chunks : list of list of Member
        Each of one property, depth and activation function.
    """
    if max_memory is None:
        max_memory = _CPU_MEMORY
        if device.type == "cuda":
            max_memory = min(_CUDA_MEMORY, int(_CUDA_SHARE * torch.cuda.mem_get_info(device)[0]))
    chunks, kind, sizes = [], None, []
    for member in sorted(members, key=_order):
        size = [member.n_columns(n_features), *member.hidden_sizes]
        padded = [max(pair) for pair in zip(sizes, size, strict=False)] or size
        full = (
            kind != _kind(member)
            or len(chunks[-1]) == models_per_batch
            or (len(chunks[-1]) + 1) * _bytes(padded, batch_size, member.columns is not None) > max_memory
        )
        if full:
            chunks.append([])
        sizes = size if full else padded
        kind = _kind(member)
        chunks[-1].append(member)
    return chunks


def _kind(member):
    return (member.target, len(member.hidden_sizes), member.activation)


def _order(member):
    n_columns = 0 if member.columns is None else len(member.columns)
    return (*_kind(member), *member.hidden_sizes, n_columns, member.index)


def _bytes(sizes, batch_size, gathers):
    """Estimate what the training of one network takes, padded to these numbers of columns and units."""
    weights = sum(n_in * n_out for n_in, n_out in zip(sizes, [*sizes[1:], 1], strict=True))
    units = _LAYERS_KEPT * sum(sizes[1:]) + (sizes[0] if gathers else 0)  # a network's own columns are copied
    return 4 * (_COPIES * weights + batch_size * units)
