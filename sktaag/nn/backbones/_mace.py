"""MACE: higher-order equivariant messages, from a file that its program has saved."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sktaag.nn._backbone import Backbone
from sktaag.nn.backbones._checkpoint import load_checkpoint

_CLASSES = ("interaction_cls", "interaction_cls_first", "readout_cls")
_IRREPS = ("hidden_irreps", "MLP_irreps", "edge_irreps")


class MACE(Backbone):
    """MACE [1]_ of the package `mace-torch`, such as a foundation model; needs ``sktaag[mace]``.

    The tokens are the invariant channels after the embedding and after each interaction. MACE's own readout is another
    one at each depth and is left out; `atom_references` gives its energies of isolated atoms.

    Parameters
    ----------
    n_layers : int
        Number of interactions.
    architecture : {"ScaleShiftMACE", "MACE"}
        Class in `mace.modules`.
    arguments : dict
        Its other arguments, with names in place of classes and functions, as `from_pretrained` finds them.

    Raises
    ------
    ImportError
        If mace-torch is not installed.
    ValueError
        In `tokens`, if the network does not know an element.

    References
    ----------
    .. [1] I. Batatia et al., "MACE: Higher Order Equivariant Message Passing Neural Networks for Fast and Accurate
       Force Fields", NeurIPS 2022, arXiv:2206.07697.

    Examples
    --------
    >>> from sktaag.nn.backbones import MACE
    >>> MACE.from_pretrained("2023-12-10-mace-128-L0_energy_epoch-249.model", trusted=True)  # doctest: +SKIP
    """

    name = "mace"
    packages = ("mace-torch",)
    depths = {"interactions": 1, "products": 1}  # noqa: RUF012

    _index: Tensor

    def __init__(self, n_layers: int, architecture: str, arguments: dict[str, Any]) -> None:
        with _mace():
            from e3nn.o3 import Irreps
            from mace import modules

            decoded = dict(arguments)
            for key in _CLASSES:
                if decoded.get(key):
                    decoded[key] = getattr(modules.blocks, decoded[key])
            for key in _IRREPS:
                if decoded.get(key):
                    decoded[key] = Irreps(decoded[key])
            if decoded.get("gate"):
                decoded["gate"] = getattr(torch.nn.functional, decoded["gate"])
            for key in ("atomic_energies", "atomic_numbers"):
                decoded[key] = torch.tensor(decoded[key]).numpy()
            net = getattr(modules, architecture)(num_interactions=n_layers, **decoded)
        super().__init__(
            {"n_layers": n_layers, "architecture": architecture, "arguments": arguments},
            n_features=net.node_embedding.linear.irreps_out.count("0e"),
            cutoff=float(arguments["r_max"]),
        )
        self.net = net
        numbers = torch.tensor(arguments["atomic_numbers"])
        self.elements = tuple(numbers.tolist())
        index = torch.full((119,), -1).scatter(0, numbers, torch.arange(len(numbers)))
        self.register_buffer("_index", index, persistent=False)

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str], *, trusted: bool = False) -> "MACE":
        """Load a network that MACE's program has saved.

        Parameters
        ----------
        path : path
            Such a file is a pickle of the whole network: loading it can run any code that is in it.
        trusted : bool, default=False
            Has to be True.

        Returns
        -------
        MACE

        Raises
        ------
        ValueError
            If `trusted` is False, or the file holds no MACE for energies.
        """
        path = Path(path)
        if not trusted:
            raise ValueError(
                f"{path} is a pickle, as all files of MACE, and loading it can run code. If you know who made it, load "
                "it with trusted=True."
            )
        with _mace():
            from mace.tools.scripts_utils import extract_config_mace_model

            net = load_checkpoint(path, trusted)
            architecture = type(net).__name__
            if architecture not in ("MACE", "ScaleShiftMACE"):
                raise ValueError(f"{path} holds a {architecture}, not a MACE for energies.")
            arguments = extract_config_mace_model(net)
        n_layers = int(arguments.pop("num_interactions"))
        self = cls(n_layers, architecture, {key: _encode(value) for key, value in arguments.items()})
        self.net.load_state_dict(net.state_dict())
        return self

    def tokens(self, batch: Any) -> Tensor:
        """Compute invariants after the embedding and after each interaction, (n_atoms, n_layers + 1, n_features)."""
        index = self._index[batch.z]
        if (index < 0).any():
            strange = batch.z[index < 0][0].item()
            raise ValueError(f"the network does not know the element {strange} of the batch.")
        edge_index, _, _, shift = self.edges(batch)
        n_elements = len(self.config["arguments"]["atomic_numbers"])
        graph = batch.batch if getattr(batch, "batch", None) is not None else torch.zeros_like(batch.z)
        n_graphs = getattr(batch, "num_graphs", 1)
        elements = torch.nn.functional.one_hot(index, n_elements).to(self.dtype)
        data = {
            "positions": batch.pos.to(self.dtype) + 0.0,  # MACE asks its gradient; not that of the batch
            "node_attrs": elements,
            "edge_index": edge_index,
            "shifts": -shift,  # its vectors run from the neighbour to the centre
            "cell": shift.new_zeros(3 * n_graphs, 3),
            "batch": graph,
            "ptr": torch.zeros(n_graphs + 1, dtype=torch.long, device=graph.device),
        }
        features = self.net(data, training=True, compute_force=False)["node_feats"]
        widths = [product.linear.irreps_out.dim for product in self.net.products]
        parts = [self.net.node_embedding(elements), *features.split(widths, dim=1)]
        return torch.stack([part[:, : self.n_features] for part in parts], dim=1)  # invariants come first

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the unused readouts count with the last interaction."""
        name = parameter_name.removeprefix("net.")
        return self.n_layers if name.startswith("readouts.") else super().depth_of(name)

    def extended(self, n_blocks: int) -> Backbone:
        """Raise an error: the last interaction of MACE, which gives scalars only, cannot be followed by others."""
        raise ValueError("MACE takes no fresh blocks: its last interaction gives scalars only. Use n_fresh_blocks=0.")

    def atom_references(self) -> Tensor | None:
        """Give the energies of isolated atoms in eV by atomic number, shape (119,); zero for unknown elements."""
        energies = self.net.atomic_energies_fn.atomic_energies
        energies = energies.reshape(-1, energies.shape[-1])[0]  # of the first head
        references = energies.new_zeros(len(self._index))
        known = self._index >= 0
        references[known] = energies[self._index[known]]
        return references


@contextmanager
def _mace() -> Iterator[None]:
    """Let MACE and e3nn be imported, and undo what that changes for the whole process."""
    if find_spec("mace") is None:
        raise ImportError('the backbone "mace" needs the package mace-torch: pip install "sktaag[mace]"')
    name = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    try:
        with torch.serialization.safe_globals([slice]):  # in a table of e3nn 0.4
            import mace  # noqa: F401

            yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _encode(value: Any) -> Any:
    """Turn an argument of MACE into what JSON can keep."""
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return value.__name__
    if hasattr(value, "tolist") and not isinstance(value, tuple):
        return value.tolist()
    return value if value is None or isinstance(value, (bool, int, float, str, list, dict)) else str(value)
