"""DimeNet++: messages between edges that know the angle."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import dimenet

from sktaag.nn._backbone import Backbone
from sktaag.nn._triplets import triplets
from sktaag.nn.backbones._gemnet_basis import SphericalBessel, circular_harmonics


class DimeNetPlusPlus(Backbone):
    r"""DimeNet++ [1]_ over the blocks of `torch_geometric.nn.DimeNetPlusPlus`, on the edges of the graph.

    The states of the network are those of edges; an output block at each depth makes them into one of the atom, and the
    plain readout is the sum over depths, as in GemNet, the network of the TAAG paper. A token is what its output block
    gives with `n_features` channels. Triplets are pairs of edges, so that periodic images of an atom are told apart.

    Parameters
    ----------
    n_layers : int, default=4
        Number of interaction blocks.
    n_features : int, default=128
        Width of the tokens.
    n_hidden : int, default=128
        Width of the states of the edges.
    n_output : int, default=256
        Width inside the output blocks.
    n_triplet : int, default=64
        Width of the triplets.
    n_basis : int, default=8
        Width to which the bases are projected.
    n_spherical, n_radial : int, default=7, 6
        Number of angular and radial basis functions.
    cutoff : float, default=5.0
        Radius in Å at which everything has decayed to zero, with two derivatives.

    References
    ----------
    .. [1] J. Gasteiger et al., "Fast and Uncertainty-Aware Directional Message Passing for Non-Equilibrium Molecules",
       arXiv:2011.14115 (2020).

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import DimeNetPlusPlus
    >>> dimer = Data(z=torch.tensor([8, 1]), pos=torch.tensor([[0.0, 0, 0], [0.97, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> DimeNetPlusPlus(n_layers=2, n_features=16, n_spherical=3, n_radial=4).tokens(dimer).shape
    torch.Size([2, 3, 16])
    """

    name = "dimenet++"
    plain = "sum"
    depths = {"output_blocks": 0, "interaction_blocks": 1}  # noqa: RUF012
    elements = range(1, 95)

    def __init__(
        self,
        n_layers: int = 4,
        n_features: int = 128,
        n_hidden: int = 128,
        n_output: int = 256,
        n_triplet: int = 64,
        n_basis: int = 8,
        n_spherical: int = 7,
        n_radial: int = 6,
        cutoff: float = 5.0,
    ) -> None:
        config = {
            "n_layers": n_layers,
            "n_features": n_features,
            "n_hidden": n_hidden,
            "n_output": n_output,
            "n_triplet": n_triplet,
            "n_basis": n_basis,
            "n_spherical": n_spherical,
            "n_radial": n_radial,
            "cutoff": cutoff,
        }
        super().__init__(config, n_features=n_features, cutoff=cutoff)
        act = nn.SiLU()
        # names of the parts and numbers of their layers as there
        self.rbf = dimenet.BesselBasisLayer(n_radial, cutoff)
        self.sbf = _SphericalBasis(n_spherical, n_radial, cutoff)
        self.emb = dimenet.EmbeddingBlock(n_radial, n_hidden, act)
        self.output_blocks = nn.ModuleList(
            dimenet.OutputPPBlock(n_radial, n_hidden, n_output, n_features, 3, act, "glorot_orthogonal")
            for _ in range(n_layers + 1)
        )
        self.interaction_blocks = nn.ModuleList(
            dimenet.InteractionPPBlock(n_hidden, n_triplet, n_basis, n_spherical, n_radial, 1, 2, act)
            for _ in range(n_layers)
        )

    def tokens(self, batch: Any) -> Tensor:
        """Compute what the output blocks give, (n_atoms, n_layers + 1, n_features)."""
        n_atoms = len(batch.z)
        edge_index, vector, length, shift = self.edges(batch)
        neighbour, centre = edge_index
        kj, ji = triplets(edge_index, shift, n_atoms)
        direction = vector / length[:, None]
        cosine = (direction[ji] * direction[kj]).sum(dim=1)

        rbf = self.rbf(length)  # (E, n_radial)
        sbf = self.sbf(length, cosine, kj)  # (n_triplets, n_spherical * n_radial)
        edges = self.emb(batch.z, rbf, centre, neighbour)  # (E, n_hidden)
        states = [self.output_blocks[0](edges, rbf, centre, num_nodes=n_atoms)]
        for interaction, output in zip(self.interaction_blocks, self.output_blocks[1:], strict=True):
            edges = interaction(edges, rbf, sbf, kj, ji)
            states.append(output(edges, rbf, centre, num_nodes=n_atoms))
        return torch.stack(states, dim=1)

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the first output block counts with the first block, so that "embeddings" leaves it free."""
        depth = super().depth_of(parameter_name)
        return max(depth, 1) if parameter_name.startswith("output_blocks") else depth

    def fresh_head(self, n_targets: int) -> nn.Module:
        """Build one linear layer, without bias, as the output blocks have their own hidden layers."""
        return nn.Linear(self.n_features, n_targets, bias=False)


class _SphericalBasis(nn.Module):
    """The basis of `torch_geometric.nn.models.dimenet`, without the seconds that sympy takes to derive it."""

    def __init__(self, n_spherical: int, n_radial: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.n_spherical = n_spherical
        self.envelope = dimenet.Envelope(5)
        self.functions = SphericalBessel(n_spherical, n_radial, 1.0)

    def forward(self, length: Tensor, cosine: Tensor, kj: Tensor) -> Tensor:
        x = length / self.cutoff
        radial = self.envelope(x)[:, None] * self.functions(x)  # (n_spherical, E, n_radial)
        angular = circular_harmonics(cosine, self.n_spherical).T[:, :, None]  # (n_spherical, n_triplets, 1)
        return (radial[:, kj] * angular).transpose(0, 1).flatten(1)
