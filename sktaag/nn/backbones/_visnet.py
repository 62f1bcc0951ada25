"""ViSNet: scalars and vectors that tell each other about angles and dihedrals."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn.models import visnet

from sktaag.nn._backbone import Backbone


class ViSNet(Backbone):
    """ViSNet [1]_ over the layers of `torch_geometric.nn.models.ViSNet`, on the edges of the graph.

    The tokens are the scalar channels of the atoms, each through the norm that ends the network; its vectors pass from
    block to block but are not read out.

    Parameters
    ----------
    n_layers : int, default=6
        Number of blocks.
    n_features : int, default=128
        Width of the states.
    n_heads : int, default=8
        Heads of the attention over neighbours; divides `n_features`.
    n_rbf : int, default=32
        Number of functions into which a distance is expanded.
    l_max : {1, 2}, default=1
        Degree of the spherical harmonics.
    cutoff : float, default=5.0
        Radius in Å at which all messages have decayed to zero.

    References
    ----------
    .. [1] Y. Wang et al., "Enhancing geometric representations for molecules with equivariant vector-scalar interactive
       message passing", Nat. Commun. 15, 313 (2024). :doi:`10.1038/s41467-023-43720-2`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import ViSNet
    >>> dimer = Data(z=torch.tensor([8, 1]), pos=torch.tensor([[0.0, 0, 0], [0.97, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> ViSNet(n_layers=2, n_features=16).tokens(dimer).shape
    torch.Size([2, 3, 16])
    """

    name = "visnet"
    depths = {"vis_mp_layers": 1}  # noqa: RUF012
    elements = range(1, 100)
    _fewest_layers = 1  # torch_geometric makes the last one in any case

    def __init__(
        self,
        n_layers: int = 6,
        n_features: int = 128,
        n_heads: int = 8,
        n_rbf: int = 32,
        l_max: int = 1,
        cutoff: float = 5.0,
    ) -> None:
        config = {
            "n_layers": n_layers,
            "n_features": n_features,
            "n_heads": n_heads,
            "n_rbf": n_rbf,
            "l_max": l_max,
            "cutoff": cutoff,
        }
        super().__init__(config, n_features=n_features, cutoff=cutoff)
        # names of the parts as there
        net = visnet.ViSNetBlock(l_max, None, False, n_heads, n_layers, n_features, n_rbf, cutoff=cutoff)
        self.embedding = net.embedding
        self.sphere = net.sphere
        self.distance_expansion = net.distance_expansion
        self.neighbor_embedding = net.neighbor_embedding
        self.edge_embedding = net.edge_embedding
        self.vis_mp_layers = net.vis_mp_layers
        self.out_norm = net.out_norm

    def tokens(self, batch: Any) -> Tensor:
        """Compute the normalised scalars after the embedding and after each block, (n_atoms, n_layers + 1, n_features).

        As in the original, each atom also has an edge of length zero to itself.
        """
        edge_index, vector, length, _ = self.edges(batch)
        scalars = self._embed(batch.z, edge_index, length)

        loops = torch.arange(len(batch.z), device=vector.device).expand(2, -1)
        edge_index = torch.cat([edge_index, loops], dim=1)
        direction = torch.cat([vector / length[:, None], vector.new_zeros(len(batch.z), 3)])
        length = torch.cat([length, length.new_zeros(len(batch.z))])
        harmonics = self.sphere(direction)  # (E, 3 or 8)
        edges = self.edge_embedding(edge_index, self.distance_expansion(length), scalars)
        vectors = scalars.new_zeros(len(scalars), harmonics.shape[1], self.n_features)

        states = [scalars]
        for layer in self.vis_mp_layers:
            d_scalars, d_vectors, d_edges = layer(scalars, vectors, edge_index, length, edges, harmonics)
            scalars, vectors = scalars + d_scalars, vectors + d_vectors
            edges = edges if d_edges is None else edges + d_edges
            states.append(scalars)
        return self.out_norm(torch.stack(states, dim=1))

    def _embed(self, z: Tensor, edge_index: Tensor, length: Tensor) -> Tensor:
        # the forward of this layer leaves out edges with equal indices: here those are periodic images, not loops
        layer = self.neighbor_embedding
        filters = layer.distance_proj(self.distance_expansion(length)) * layer.cutoff(length)[:, None]
        neighbours = layer.propagate(edge_index, x=layer.embedding(z), W=filters)
        return layer.combine(torch.cat([self.embedding(z), neighbours], dim=1))

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the update of the edges at the end of a block counts with the next one, which it feeds."""
        if parameter_name.startswith("out_norm."):
            return self.n_layers
        feeds_next = any(f".{part}." in parameter_name for part in ("f_proj", "w_src_proj", "w_trg_proj"))
        return super().depth_of(parameter_name) + feeds_next
