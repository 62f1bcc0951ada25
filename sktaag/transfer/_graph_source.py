"""Open a fitted graph network as the source of a transfer."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sktaag.nn import Backbone, backbone_names
from sktaag.sources import load_source
from sktaag.sources._graph_estimator import GraphEstimator
from sktaag.sources._graph_networks import is_backbone, pretrained_backbone


@dataclass
class GraphSource:
    """What a transfer takes of a source; copies on the CPU, so that the source stays as it is.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
    graphs : AtomGraphs, MoleculeGraphs or None
        Transformer of the source, unfitted; None for the default of the backbone.
    readout : torch.nn.Module or None
        The trained readout, if it takes tokens as the architecture does.
    target : {"extensive", "intensive"}
        Of the readout.
    n_targets : int
        Of the readout.
    scale : ndarray of shape (n_targets,) or None
        Which unit of y the readout has; None for a classifier.
    """

    backbone: Backbone
    graphs: Any = None
    readout: Any = None
    target: str = "extensive"
    n_targets: int = 1
    scale: Any = None


def open_graph_source(source):
    """Open a source.

    Parameters
    ----------
    source : fitted estimator, Pipeline that ends in one, Backbone, str or path
        An estimator over graphs; the file of one; ``"folder#id"`` for a model in a library; the name of a backbone
        that has pretrained weights, such as ``"chgnet"``; or a backbone with weights, such as one that was read from a
        file of its authors.

    Returns
    -------
    opened : GraphSource

    Raises
    ------
    TypeError
        If the source is no estimator over graphs.
    FileNotFoundError
        If there is neither a file nor a backbone of that name.
    NotFittedError
        If it is not fitted.
    ValueError
        If the backbone of that name has no pretrained weights.
    """
    if is_backbone(source):
        return _open_backbone(pretrained_backbone(source))
    if isinstance(source, (str, Path)):
        source = _load(source)
    graphs = None
    while isinstance(source, (Pipeline, FrozenEstimator)):
        if isinstance(source, FrozenEstimator):
            source = source.estimator
            continue
        if len(source.steps) > 2:
            raise TypeError("A Pipeline over graphs has one step before its last one, which makes the graphs.")
        graphs = source.steps[0][1] if len(source.steps) == 2 else graphs
        source = source.steps[-1][1]
    if not isinstance(source, GraphEstimator):
        raise TypeError(
            f"source must be a fitted estimator over graphs, such as sktaag.sources.GNNRegressor, a Pipeline that ends "
            f"in one, its file, a backbone, or the name of a pretrained one; got {type(source).__name__}."
        )
    try:
        check_is_fitted(source)
    except NotFittedError as error:
        raise NotFittedError(
            f"The source is a {type(source).__name__} that is not fitted. Fit the source first. If you did: "
            "GridSearchCV clones the values of its grid, and a clone is unfitted; write FrozenEstimator(source) "
            "(sklearn.frozen) in the grid."
        ) from error
    network = copy.deepcopy(source.module_).cpu().eval().requires_grad_(True)
    plain = network.attention.kind == network.backbone.plain and not network.attention.n_fresh
    scaler = getattr(source, "target_scaler_", None)
    return GraphSource(
        network.backbone,
        clone(source.graphs_ if graphs is None else graphs),
        network.head if plain else None,
        network.target,
        len(getattr(source, "classes_", ())) or len(scaler.scale_),
        None if scaler is None else scaler.scale_.copy(),
    )


def check_readout(readout):
    """Refuse what is no way to deal with the readout of a source."""
    if readout not in ("auto", "source", "fresh"):
        raise ValueError(f'readout must be "auto", "source" or "fresh", got {readout!r}.')


def keeps_readout(readout, opened, network):
    """Tell whether the trained readout of a source can be kept and is wanted, or may be.

    Parameters
    ----------
    readout : {"auto", "source", "fresh"}
    opened : GraphSource
    network : dict
        Arguments of the `sktaag.nn.GraphNetwork` that would have it.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If it is wanted and cannot be kept.
    """
    problem = _readout_problem(opened, network)
    if readout == "source" and problem:
        raise ValueError(f'readout="source" cannot be: {problem}. Set readout="fresh".')
    return readout != "fresh" and not problem


def _load(source):
    try:
        return load_source(source)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"There is no file {str(source)!r}, and no backbone of that name. "
            f"Backbones are {', '.join(backbone_names())}."
        ) from error


def _open_backbone(backbone):
    # the readout of a pretrained network speaks eV, and comes with its backbone
    readout = backbone.head(1) if backbone.has_readout else None
    return GraphSource(backbone.requires_grad_(True), readout=readout, scale=np.ones(1))


def _readout_problem(opened, network):
    """Say why the readout of the source cannot be kept, or ""."""
    if opened.readout is None:
        return "the source reads its tokens in a way of its own"
    if opened.scale is None:
        return "its readout is for other labels"
    if (opened.target, opened.n_targets) != (network["target"], network["n_targets"]):
        return (
            f"the readout of the source is for {opened.n_targets} {opened.target} targets, y has "
            f"{network['n_targets']} {network['target']} ones"
        )
    if network["attention"] in ("last", "sum") and network["attention"] != opened.backbone.plain:
        return f"the readout of the source takes the {opened.backbone.plain} of the tokens"
    if not network.get("residual", True):
        return "without the residual the readout of the source has no place"
    return ""
