"""Freeze a graph network up to a depth, or train each depth at a rate of its own."""

from numbers import Real


def freeze_backbone(network, depth):
    """Switch off the gradients of a backbone up to a depth, and on beyond.

    Parameters
    ----------
    network : sktaag.nn.GraphNetwork
    depth : int
        0 is that of the embeddings; -1 freezes nothing.
    """
    for name, weight in network.backbone.named_parameters():
        weight.requires_grad_(bool(network.depth_of(name) > depth))  # torch knows no bool of numpy


def check_lr_decay(lr_decay):
    """Refuse a factor that is not in (0, 1]."""
    if not isinstance(lr_decay, Real) or not 0 < lr_decay <= 1:
        raise ValueError(f"lr_decay must be in (0, 1], got {lr_decay!r}.")


def rates_by_depth(network, lr, lr_decay):
    """Give each block `lr_decay` times the learning rate of what follows it.

    Parameters
    ----------
    network : sktaag.nn.GraphNetwork
        Its fresh blocks have the learning rate `lr`.
    lr : float
        Learning rate of what is behind the last block of the source.
    lr_decay : float

    Returns
    -------
    groups : list of (str, dict)
        As skorch takes them.
    """
    behind = network.n_source_layers + 1
    return [
        (f"backbone.{name}", {"lr": lr * lr_decay ** max(0, behind - network.depth_of(name))})
        for name, _ in network.backbone.named_parameters()
    ]
