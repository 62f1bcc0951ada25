"""Networks of the estimators over graphs: what they begin with, put together, kept, evaluated."""

from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch_geometric.data import Data

from sktaag.graphs import MoleculeGraphs
from sktaag.nn import Backbone, GraphNetwork, backbone_class, backbone_names, make_backbone
from sktaag.structures import as_column


@dataclass
class Start:
    """What a training begins with.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
    network : dict
        Further arguments of `build_network`, in JSON's types.
    readout : torch.nn.Module or None, default=None
        A trained one that takes the place of the network's own.
    scale : ndarray of shape (n_targets,) or None, default=None
        If the readout is a trained one, its unit in units of y.
    fallback : torch.nn.Module or None, default=None
        A readout with new weights, for the case that the trained one explains nothing of y.
    graphs : AtomGraphs, MoleculeGraphs or None, default=None
        Transformer of structures; None for that of the backbone.
    """

    backbone: Backbone
    network: dict
    readout: Any = None
    scale: Any = None
    fallback: Any = None
    graphs: Any = None


def plain_start(estimator, X, n_outputs):
    """Return the `Start` of the backbone that an estimator names, with its own readout."""
    config = estimator._module_params()
    constructor = backbone_class(estimator.backbone)
    if "n_atom_features" in signature(constructor).parameters:
        graph = next((value for value in as_column(X) if isinstance(value, Data) and "edge_attr" in value), None)
        if graph is None:
            bonds = MoleculeGraphs().fit(X)
            widths = len(bonds.atom_features_), len(bonds.bond_features_)
        else:
            widths = graph.x.shape[1], graph.edge_attr.shape[1]
        config = dict(zip(("n_atom_features", "n_bond_features"), widths, strict=True)) | config
    try:
        signature(constructor).bind(**config)
    except TypeError as error:
        raise TypeError(
            f"The backbone {estimator.backbone!r} cannot be built: {error}. Arguments of its constructor are given as "
            "module__*. A network that others trained is read from their file by its class in sktaag.nn.backbones, and "
            "is then the source of FineTunedRegressor or TAAGRegressor."
        ) from None
    backbone = constructor(**config)
    return Start(backbone, {"attention": backbone.plain, "n_targets": n_outputs, "target": estimator.target})


def is_backbone(source):
    """Tell whether a source is a backbone, or the name of one."""
    return isinstance(source, Backbone) or (isinstance(source, str) and source in backbone_names())


def pretrained_backbone(source):
    """Open a backbone with weights that others trained.

    Parameters
    ----------
    source : str or sktaag.nn.Backbone
        The name of one that has pretrained weights, or one with weights, of which a copy is made.

    Returns
    -------
    backbone : sktaag.nn.Backbone
        On the CPU.

    Raises
    ------
    ValueError
        If the backbone of that name has no pretrained weights.
    """
    if isinstance(source, Backbone):
        return deepcopy(source).cpu().eval()
    with torch.random.fork_rng(devices=[]):  # weights are drawn before they are loaded
        try:
            backbone = make_backbone(source)
        except TypeError:  # has no shape of its own
            backbone = None
    if backbone is None or not backbone.config.get("pretrained"):
        raise ValueError(
            f"The backbone {source!r} has no pretrained weights. Train it, as in "
            f"sktaag.sources.GNNRegressor({source!r}), and pass the fitted model; or read a file of its authors, as "
            "sktaag.nn.backbones.MACE.from_pretrained does, and pass the backbone."
        )
    return backbone


def build_network(backbone, *, fresh_readout=False, n_targets=1, **params):
    """Put a network together.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
    fresh_readout : bool, default=False
        Whether a readout with new weights takes the place of one that came with the backbone.
    n_targets : int, default=1
    **params
        As `sktaag.nn.GraphNetwork` takes them.

    Returns
    -------
    network : sktaag.nn.GraphNetwork
    """
    network = GraphNetwork(backbone, n_targets=n_targets, **params)
    if fresh_readout:
        network.head = backbone.fresh().head(n_targets)
    return network


def own_tensors(network):
    """Return the tensors of a state dict, those that have several names once."""
    named = [*network.named_parameters(), *network.named_buffers()]
    kept = network.state_dict()
    return {name: tensor.detach() for name, tensor in named if name in kept}


def take_tensors(network, weights, name):
    """Give a network over the backbone of this name the tensors that `own_tensors` found, in their precision.

    Raises
    ------
    ValueError
        If they are not those of such a network.
    """
    if set(weights) != set(own_tensors(network)):
        raise ValueError(f"The weights are not those of a network over {name!r}.")
    dtype = next((weight.dtype for weight in weights.values() if weight.is_floating_point()), None)
    network.to(dtype).load_state_dict(weights, strict=False)  # names beyond these are of the same tensors


def check_can_be_kept(backbone):
    """Refuse a backbone that a file could not be read into again, for its name builds none or another one."""
    constructor = backbone_class(backbone.name) if backbone.name in backbone_names() else None
    if constructor is None or (isinstance(constructor, type) and constructor is not type(backbone)):
        raise TypeError(
            f"The backbone {type(backbone).__name__} cannot be kept without pickle, for its name {backbone.name!r} "
            f"stands for {'nothing' if constructor is None else 'another one'}. Give it a name of its own and register "
            "it by an entry point of the group sktaag.backbones."
        )


def evaluation_copy(network, device):
    """Copy a network for predictions, in double precision where the device has it."""
    dtype = torch.float32 if device.type == "mps" else torch.float64
    return deepcopy(network).to(device, dtype).eval().requires_grad_(False)
