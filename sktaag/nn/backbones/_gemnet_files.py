"""Files of the Open Catalyst Project that hold a GemNet-T."""

import re
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sktaag.nn.backbones._checkpoint import load_checkpoint, state_of, target_std

# their names of weights, as far as they differ from ours
_NAMES = {
    r"\.linear\.weight$": ".weight",
    r"\.scale_sum\.scale_factor$": ".scale.factor",
    r"\.dense_mlp\.": ".",
    r"\.dense_rbf\.": ".filter.",
    r"\.layers\.": ".mlp.",
    r"^atom_emb\.embeddings\.": "atom_embedding.",
    r"^edge_emb\.dense\.": "edge_embedding.",
    r"^mlp_rbf3\.": "radial_triplets.",
    r"^mlp_rbf_h\.": "radial_atoms.",
    r"^mlp_rbf_out\.": "radial_outputs.",
    r"^mlp_cbf3\.weight$": "circular",
    r"^out_blocks\.": "output_blocks.",
    r"\.out_energy\.weight$": ".energy",
    r"^int_blocks\.": "interaction_blocks.",
    r"\.dense_ca\.": ".skip.",
    r"\.trip_interaction\.": ".triplets.",
    r"\.dense_ba\.": ".incoming.",
    r"\.mlp_rbf\.": ".filter.",
    r"\.scale_rbf\.scale_factor$": ".filter_scale.factor",
    r"\.down_projection\.": ".down.",
    r"\.mlp_cbf\.": ".bilinear.",
    r"\.scale_cbf_sum\.scale_factor$": ".sum_scale.factor",
    r"\.up_projection_ca\.": ".up.",
    r"\.up_projection_ac\.": ".up_reverse.",
    r"\.layers_before_skip\.0\.": ".before.",
    r"\.layers_after_skip\.": ".after.",
    r"\.atom_update\.": ".atoms.",
    r"\.concat_layer\.dense\.": ".joined.",
    r"\.residual_m\.0\.": ".joined_residual.",
}
_FUNCTIONS = {
    "rbf": {"name": "gaussian"},
    "envelope": {"name": "polynomial", "exponent": 5},
    "cbf": {"name": "spherical_harmonics"},
}


def read_open_catalyst(path: str | PathLike[str], trusted: bool) -> tuple[dict[str, Any], dict[str, Tensor], float]:
    """Read a checkpoint of their program.

    Returns
    -------
    config : dict
        Arguments of `GemNet`.
    weights : dict
        By our names, with further ones of theirs for what `GemNet` does not have.
    std : float
        Unit of its energies.
    """
    file = load_checkpoint(path, trusted)
    state = state_of(file)
    prefix = next((name.removesuffix("mlp_cbf3.weight") for name in state if name.endswith("mlp_cbf3.weight")), None)
    if prefix is None:
        raise ValueError(f"{Path(path)} holds no weights of a GemNet-T of the Open Catalyst Project.")
    weights = dict(_renamed(name.removeprefix(prefix), value) for name, value in state.items())

    settings = file.get("config", {})
    settings = settings.get("model_attributes", settings.get("model", {}))
    for key, known in _FUNCTIONS.items():
        used = settings.get(key, known)
        if used != known:
            raise ValueError(f"{Path(path)} was trained with {key} {used}; here is only {known}.")
    if "radial_basis.rbf.offset" not in weights:
        raise ValueError(f"{Path(path)} was trained with other radial functions than Gaussians.")

    n_basis, n_spherical, n_radial = weights["circular"].shape
    n_elements, n_features = weights["atom_embedding.weight"].shape
    config = {
        "n_layers": _count(weights, r"interaction_blocks\.\d+\.skip\.weight"),
        "n_features": n_features,
        "n_hidden": len(weights["edge_embedding.weight"]),
        "n_triplet": len(weights["interaction_blocks.0.triplets.bilinear.weight"]),
        "n_basis": n_basis,
        "n_spherical": n_spherical,
        "n_radial": n_radial,
        "n_atom_residuals": _count(weights, r"output_blocks\.0\.mlp\.\d+\.0\.weight"),
        "n_edge_residuals": _count(weights, r"interaction_blocks\.0\.after\.\d+\.0\.weight"),
        "basis": "gaussian",
        "n_elements": n_elements,
        "n_neighbors": settings.get("max_neighbors", 50),
        "cutoff": settings.get("cutoff", 6.0),
    }
    return config, weights, target_std(file)


def _renamed(name: str, value: Tensor) -> tuple[str, Tensor]:
    for theirs, ours in _NAMES.items():
        name = re.sub(theirs, ours, name)
    if name == "circular":  # (n_spherical, n_radial, n_basis) there
        value = value.permute(2, 0, 1)
    elif name.endswith(".bilinear.weight"):  # (n_triplet, n_basis, n_triplet) there
        value = value.flatten(end_dim=1).T
    elif name.endswith(".energy"):
        value = value[0]
    elif name.endswith("scale.factor") and value == 0:  # nothing is scaled
        value = torch.ones_like(value)
    return name, value


def _count(weights: dict[str, Tensor], pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in weights)
