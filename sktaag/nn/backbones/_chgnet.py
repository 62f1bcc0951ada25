"""CHGNet: trained by its authors on the Materials Project's trajectories."""

import contextlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._backbone import Backbone, edge_vectors
from sktaag.nn._triplets import reverse_edges, triplets


class CHGNet(Backbone):
    """CHGNet [1]_ over the layers of the package `chgnet`, whose wheel carries its weights; needs ``sktaag[chgnet]``.

    Trained on energies, forces, stresses and magnetic moments of 1.5 million frames of inorganic crystals. The tokens
    are the features of the atoms after the embedding and after each convolution. For one target the readout is the
    pretrained one, in eV, without the reference energies of the elements, which `atom_references` gives: summed over
    the atoms of a graph both are CHGNet's own energy.

    Parameters
    ----------
    version : {"0.3.0", "r2scan", "0.2.0"}, default="0.3.0"
        Which of the trained networks: PBE(+U), r2SCAN, or the first published one.
    n_layers : int, default=4
        Number of convolutions; those beyond the pretrained ones have fresh weights.
    pretrained : bool, default=True
        False draws fresh weights.

    Raises
    ------
    ImportError
        If the package chgnet is not installed.
    ValueError
        If `version` is not in the installed package.

    Notes
    -----
    The graph needs all edges up to `cutoff`, 6 Å, in both directions; angles are those of bonds up to 3 Å. An atom
    without neighbours, which chgnet refuses, keeps its embedding.

    References
    ----------
    .. [1] B. Deng et al., "CHGNet as a pretrained universal neural network potential for charge-informed atomistic
       modelling", Nat. Mach. Intell. 5, 1031 (2023). :doi:`10.1038/s42256-023-00716-3`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn import make_backbone
    >>> dimer = Data(z=torch.tensor([11, 17]), pos=torch.tensor([[0.0, 0, 0], [2.4, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> make_backbone("chgnet").tokens(dimer).shape  # doctest: +SKIP
    torch.Size([2, 5, 64])
    """

    name = "chgnet"
    packages = ("chgnet",)
    # the updates of bonds and angles at the end of a block count with the next one, which they feed
    depths = {"atom_conv_layers": 1, "bond_conv_layers": 2, "angle_layers": 2}  # noqa: RUF012
    elements = range(1, 95)

    _references: Tensor

    def __init__(self, version: str = "0.3.0", n_layers: int = 4, pretrained: bool = True) -> None:
        arguments, weights = _checkpoint(version)
        config = {"version": version, "n_layers": n_layers, "pretrained": pretrained}
        super().__init__(config, n_features=arguments["atom_fea_dim"], cutoff=float(arguments["atom_graph_cutoff"]))
        self.bond_cutoff = float(arguments["bond_graph_cutoff"])
        from chgnet.model import CHGNet as Theirs  # an optional package

        with contextlib.redirect_stdout(io.StringIO()):  # it announces its number of parameters
            net = Theirs(**(arguments | {"n_conv": n_layers}))
        if pretrained:
            net.load_state_dict(weights, strict=False)
        # names of the parts as there
        self.atom_embedding = net.atom_embedding
        self.bond_basis_expansion = net.bond_basis_expansion
        self.bond_embedding = net.bond_embedding
        self.bond_weights_ag = net.bond_weights_ag
        self.bond_weights_bg = net.bond_weights_bg
        self.angle_basis_expansion = net.angle_basis_expansion
        self.angle_embedding = net.angle_embedding
        self.atom_conv_layers = net.atom_conv_layers
        self.bond_conv_layers = net.bond_conv_layers
        self.angle_layers = net.angle_layers
        self._readout = (nn.Sequential(net.readout_norm or nn.Identity(), net.mlp),)
        self.register_buffer("_references", nn.functional.pad(weights["composition_model.fc.weight"][0], (1, 0)))

    def tokens(self, batch: Any) -> Tensor:
        """Compute the features after the embedding and after each convolution, (n_atoms, n_layers + 1, n_features)."""
        assert self.cutoff is not None
        n_atoms = len(batch.z)
        vector, length = (part.to(self.dtype) for part in edge_vectors(batch))
        reverse = reverse_edges(batch.edge_index, batch.edge_shift, n_atoms)
        one_way = torch.arange(len(reverse), device=reverse.device)
        one_way = torch.minimum(one_way, reverse)  # an edge and its reverse are one bond and have the same length
        near = length[one_way] <= self.cutoff
        ends = batch.edge_index[:, near].flip(0).T  # (E, 2): centre, neighbour
        first, bond = one_way[near].unique(return_inverse=True)  # (E,) bond of each edge

        basis = self.bond_basis_expansion
        wide, narrow = basis.rbf_expansion_ag(length[first]), basis.rbf_expansion_bg(length[first])
        bonds = self.bond_embedding(wide)
        weights, weights_of_angles = self.bond_weights_ag(wide), self.bond_weights_bg(narrow)
        bond_of_edge = torch.zeros_like(one_way)
        bond_of_edge[near] = bond
        short = torch.nonzero(length[one_way] < self.bond_cutoff)[:, 0]
        graph_of_bonds, angles = self._angles(batch, short, reverse, vector / length[:, None], bond_of_edge)

        states = [self.atom_embedding(batch.z - 1)]
        for k, atom_conv in enumerate(self.atom_conv_layers):
            if k > 0 and len(angles):
                bonds = self.bond_conv_layers[k - 1](states[-1], bonds, weights_of_angles, angles, graph_of_bonds)
                angles = self.angle_layers[k - 1](states[-1], bonds, angles, graph_of_bonds)
            states.append(atom_conv(states[-1], bonds, weights, ends, bond))
        return torch.stack(states, dim=1)

    def _angles(
        self, batch: Any, short: Tensor, reverse: Tensor, direction: Tensor, bond: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pairs of short edges with one centre: (n_angles, 3) of centre, bond and bond; features of their angles."""
        kj, ji = triplets(batch.edge_index[:, short], batch.edge_shift[short], len(batch.z))
        one, other = short[kj], reverse[short[ji]]  # k -> j -> i turned into k -> j <- i
        pairs = torch.stack([batch.edge_index[1, one], bond[one], bond[other]], dim=1)
        return pairs, self.angle_embedding(self.angle_basis_expansion(direction[one], direction[other]))

    def atom_references(self) -> Tensor | None:
        """Give CHGNet's reference energies in eV by atomic number, shape (95,)."""
        return self._references


def _checkpoint(version: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Arguments and weights of a network in the wheel of chgnet."""
    package = find_spec("chgnet")
    if package is None or package.origin is None:
        raise ImportError('the backbone "chgnet" needs the package chgnet: pip install "sktaag[chgnet]"')
    folder = Path(package.origin).parent / "pretrained"
    versions = sorted(path.parent.name for path in folder.glob("*/*.pth.tar"))
    if version not in versions:
        raise ValueError(f"version must be one of {', '.join(versions)}, got {version!r}.")
    (path,) = (folder / version).glob("*.pth.tar")
    model = torch.load(path, map_location="cpu", weights_only=True)["model"]
    defaults = {"atom_fea_dim": 64, "atom_graph_cutoff": 6, "bond_graph_cutoff": 3}
    # the networks of version 0.2.0 have a bias there, as chgnet's own loader knows
    return defaults | model["model_args"] | {"mlp_out_bias": version == "0.2.0"}, model["state_dict"]
