"""TensorNet and M3GNet of the package matgl, with the weights of its authors."""

import json
import re
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._backbone import Backbone
from sktaag.nn.backbones._checkpoint import load_checkpoint

_SYMBOLS = re.findall(
    r"\w+",
    """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr
Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir
Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl
Mc Lv Ts Og
""",
)


class MatGL(Backbone):
    """TensorNet [1]_ or M3GNet [2]_ of the package `matgl` [3]_; needs ``sktaag[matgl]``.

    The tokens of M3GNet are the features of its nodes. TensorNet's states are tensors, of which its readout takes the
    norms of scalar, vector and matrix part; a token is what the layers in front of that readout give at each depth.

    Parameters
    ----------
    architecture : {"TensorNet", "M3GNet"}, default="TensorNet"
        Class in `matgl.models`.
    n_layers : int, default=2
        Number of blocks.
    arguments : dict or None, default=None
        Further arguments of that class.
    legacy : bool, default=False
        Messages as in matgl before version 2 (on DGL): the networks of that time were trained with the other end of
        each edge first, M3GNet's with the angles at the neighbour, TensorNet's with each atom's own tensor in place of
        the neighbour's. `from_pretrained` sees it from the file.

    Raises
    ------
    ImportError
        If matgl is not installed.
    ValueError
        If `architecture` is neither of the two; in `tokens`, if the network does not know an element.

    References
    ----------
    .. [1] G. Simeon, G. De Fabritiis, "TensorNet: Cartesian Tensor Representations for Efficient Learning of Molecular
       Potentials", NeurIPS 2023, arXiv:2306.06482.
    .. [2] C. Chen, S. P. Ong, "A universal graph deep learning interatomic potential for the periodic table", Nat.
       Comput. Sci. 2, 718 (2022). :doi:`10.1038/s43588-022-00349-3`
    .. [3] T. W. Ko et al., "Materials Graph Library (MatGL), an open-source graph deep learning library for materials
       science and chemistry", npj Comput. Mater. 11, 253 (2025). :doi:`10.1038/s41524-025-01742-y`

    Examples
    --------
    >>> from sktaag.datasets import fetch_ani1x_potential
    >>> from sktaag.nn.backbones import MatGL
    >>> MatGL.from_pretrained(fetch_ani1x_potential("TensorNet")).n_layers  # doctest: +SKIP
    2
    """

    name = "matgl"
    packages = ("matgl",)
    depths = {"layers": 1, "graph_layers": 1, "three_body_interactions": 1}  # noqa: RUF012

    _index: Tensor
    _references: Tensor

    def __init__(
        self,
        architecture: str = "TensorNet",
        n_layers: int = 2,
        arguments: dict[str, Any] | None = None,
        legacy: bool = False,
    ) -> None:
        if architecture not in ("TensorNet", "M3GNet"):
            raise ValueError(f'architecture must be "TensorNet" or "M3GNet", got {architecture!r}.')
        if find_spec("matgl") is None:
            raise ImportError('the backbone "matgl" needs the package matgl: pip install "sktaag[matgl]"')
        arguments = arguments or {}
        config = {"architecture": architecture, "n_layers": n_layers, "arguments": arguments, "legacy": legacy}
        net = _make_net(architecture, n_layers, json.dumps(arguments))
        super().__init__(config, n_features=net.final_layer.in_feats, cutoff=float(net.cutoff))
        net.final_layer = nn.Identity()  # not a part of the backbone
        for name in ("bond_expansion", "basis_expansion"):
            if hasattr(net, name):
                setattr(net, name, _Basis(name, architecture, json.dumps(arguments), getattr(net, name)))
        self.net = net
        numbers = torch.tensor([_SYMBOLS.index(symbol) + 1 for symbol in net.element_types])
        self.elements = tuple(numbers.tolist())
        index = torch.full((119,), -1).scatter(0, numbers, torch.arange(len(numbers)))
        self.register_buffer("_index", index, persistent=False)
        self.register_buffer("_references", torch.zeros(119))

    @classmethod
    def from_pretrained(cls, folder: str | PathLike[str]) -> "MatGL":
        """Load a potential that matgl has saved, such as one of its own pretrained ones.

        Parameters
        ----------
        folder : path
            Holds ``model.json`` and ``state.pt``, as ``TensorNet-ANI-1x-Subset-PES`` does; what is in them is not run.

        Returns
        -------
        MatGL
            For one target its readout is the pretrained one, in eV, without the reference energies of the elements,
            which `atom_references` gives.

        Raises
        ------
        ValueError
            If the folder holds no potential of one of the two architectures, or lacks weights that matgl wants.
        """
        folder = Path(folder)
        model = json.loads((folder / "model.json").read_text()).get("kwargs", {}).get("model", {})
        architecture, arguments = model.get("@class"), dict(model.get("init_args", {}))
        if architecture not in ("TensorNet", "M3GNet"):
            raise ValueError(f"{folder} holds no potential of matgl with a TensorNet or M3GNet.")
        state = load_checkpoint(folder / "state.pt", trusted=None)
        weights = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
        arguments.pop("dtype", None)
        n_layers = arguments.pop("nblocks")
        # modules without a suffix are those of versions 1 and 4, of which only the former kept this buffer
        module = model["@module"]
        legacy = module.endswith("_dgl") or (not module.endswith("_pyg") and "element_refs.onehot" in state)
        self = cls(architecture, n_layers, arguments, legacy)
        missing = [name for name, _ in self.net.named_parameters() if name not in weights]
        if missing:
            raise ValueError(f"{folder / 'state.pt'} lacks {', '.join(missing[:3])} of {len(missing)} weights.")
        if legacy:
            weights |= {name: _other_end_first(weights[name]) for name in weights if _READS_BOTH_ENDS.search(name)}
        self.net.load_state_dict(weights, strict=False)  # older files hold more than is used
        head: Any = self.fresh_head(1)
        prefix = "final_layer."
        head.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        with torch.no_grad():
            for weight in head.gated.layers[-1].parameters():
                weight *= state["data_std"].item()
        self._readout = (head,)
        if "element_refs.property_offset" in state:
            known = self._index >= 0
            self._references[known] = state["element_refs.property_offset"][self._index[known]].float()
        return self

    def tokens(self, batch: Any) -> Tensor:
        """Compute invariants after the embedding and after each block, (n_atoms, n_layers + 1, n_features)."""
        index = self._index[batch.z]
        if (index < 0).any():
            strange = batch.z[index < 0][0].item()
            raise ValueError(
                f"the network knows {', '.join(self.net.element_types)}; the batch holds the element {strange}."
            )
        edge_index, vector, length, _ = self.edges(batch)
        order = edge_index[1].argsort(stable=True)
        ends = edge_index[:, order].flip(0)  # in matgl the centre comes first, and edges are sorted by it
        architecture = {"TensorNet": self._tensornet, "M3GNet": self._m3gnet}[self.config["architecture"]]
        return architecture(index, ends, vector[order], length[order])

    def _tensornet(self, index: Tensor, ends: Tensor, vector: Tensor, length: Tensor) -> Tensor:
        radial = self.net.bond_expansion(length)
        tensors, _ = self.net.tensor_embedding(index, ends, radial, length, vector, None)
        states = [self._invariants(tensors)]
        heard = ends[[0, 0]] if self.config["legacy"] else ends
        for layer in self.net.layers:
            tensors = layer(heard, length, radial, tensors)
            states.append(self._invariants(tensors))
        return torch.stack(states, dim=1)

    def _m3gnet(self, index: Tensor, ends: Tensor, vector: Tensor, length: Tensor) -> Tensor:
        from matgl.graph import _compute
        from matgl.utils.cutoff import polynomial_cutoff

        net, n_atoms = self.net, len(index)
        lines = _compute.create_line_graph(ends, length, vector, None, n_atoms, net.threebody_cutoff)
        angles = _compute.compute_theta_and_phi(vector, length, lines["line_edge_index"])
        basis = net.basis_expansion(angles["triple_bond_lengths"], angles["cos_theta"], angles["phi"])
        decay = polynomial_cutoff(length, net.threebody_cutoff)
        radial = net.bond_expansion(length)
        atoms, edges, state = net.embedding(index, radial, None)
        states = [atoms]
        heard = ends.flip(0) if self.config["legacy"] else ends
        for three_body, layer in zip(net.three_body_interactions, net.graph_layers, strict=True):
            triples = lines["line_edge_index"], lines["n_triple_ij"]
            edges = three_body(ends[1], *triples, len(length), basis, decay, atoms, edges)
            edges, atoms, state = layer(heard, edges, atoms, state, radial, None, None, n_atoms, 1)
            states.append(atoms)
        return torch.stack(states, dim=1)

    def _invariants(self, tensors: Tensor) -> Tensor:
        """Norms of the parts of (n_atoms, units, 3, 3), through the layers of the readout: (n_atoms, units)."""
        from matgl.utils.maths import decompose_tensor, tensor_norm

        norms = torch.cat([tensor_norm(part) for part in decompose_tensor(tensors)], dim=-1)
        return self.net.linear(self.net.out_norm(norms))

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the layers in front of the readout count with the last block."""
        name = parameter_name.removeprefix("net.")
        return self.n_layers if name.startswith(("out_norm.", "linear.")) else super().depth_of(name)

    def fresh_head(self, n_targets: int) -> nn.Module:
        """Build the gated readout of both architectures with fresh weights."""
        from matgl.layers._readout_torch import WeightedReadOut

        return WeightedReadOut(self.n_features, [self.n_features, self.n_features], n_targets)

    def atom_references(self) -> Tensor | None:
        """Give the reference energies in eV by atomic number, shape (119,), zero for unknown elements; None if none."""
        return self._references if self._references.any() else None


class _Basis(nn.Module):
    """A basis of matgl, whose functions are compiled by sympy: made anew where it is unpickled."""

    def __init__(self, name: str, architecture: str, arguments: str, basis: nn.Module) -> None:
        super().__init__()
        self.origin = name, architecture, arguments
        self.basis = basis

    def forward(self, *args: Tensor) -> Tensor:
        return self.basis(*args)

    def __reduce__(self) -> Any:
        like = next(self.basis.buffers(), torch.zeros(()))
        return _remake_basis, (*self.origin, like.dtype, like.device)


def _remake_basis(name: str, architecture: str, arguments: str, dtype: torch.dtype, device: torch.device) -> _Basis:
    net = _make_net(architecture, 1, arguments)
    return _Basis(name, architecture, arguments, getattr(net, name)).to(device, dtype)


def _make_net(architecture: str, n_layers: int, arguments: str) -> Any:
    from matgl import models  # an optional package

    return getattr(models, architecture)(**({"is_intensive": False} | json.loads(arguments) | {"nblocks": n_layers}))


_READS_BOTH_ENDS = re.compile(r"tensor_embedding\.emb2\.weight|(edge|node)_update_func\.(layers|gates)\.0\.weight")


def _other_end_first(weight: Tensor) -> Tensor:
    """Exchange the columns for the two ends of an edge, which are the first two of blocks of the width of a state."""
    width = len(weight)
    return torch.cat([weight[:, width : 2 * width], weight[:, :width], weight[:, 2 * width :]], dim=1)
