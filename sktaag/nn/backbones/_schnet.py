"""SchNet: continuous filters of the distances."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import schnet

from sktaag.nn._backbone import Backbone


class SchNet(Backbone):
    r"""SchNet [1]_ over the blocks of `torch_geometric.nn.SchNet`, on the edges of the graph, periodic ones included.

    .. math:: x_{i0} = \operatorname{emb}(z_i), \quad
        x_{ik} = x_{i,k-1} + f_k\Big(\sum_j x_{j,k-1} \circ W_k(r_{ij})\Big)

    Parameters
    ----------
    n_layers : int, default=6
        Number of interaction blocks.
    n_features : int, default=128
        Width of the states.
    n_filters : int, default=128
        Width of the filters.
    n_gaussians : int, default=50
        Number of Gaussians into which a distance is expanded, from 0 to the cutoff.
    cutoff : float, default=5.0
        Radius in Å at which the filters have decayed to zero.

    References
    ----------
    .. [1] K. T. Schütt et al., "SchNet – A deep learning architecture for molecules and materials", J. Chem. Phys. 148,
       241722 (2018). :doi:`10.1063/1.5019779`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import SchNet
    >>> dimer = Data(z=torch.tensor([8, 1]), pos=torch.tensor([[0.0, 0, 0], [0.97, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> SchNet(n_layers=3, n_features=16).tokens(dimer).shape
    torch.Size([2, 4, 16])
    """

    name = "schnet"
    depths = {"interactions": 1}  # noqa: RUF012

    def __init__(
        self,
        n_layers: int = 6,
        n_features: int = 128,
        n_filters: int = 128,
        n_gaussians: int = 50,
        cutoff: float = 5.0,
    ) -> None:
        config = {
            "n_layers": n_layers,
            "n_features": n_features,
            "n_filters": n_filters,
            "n_gaussians": n_gaussians,
            "cutoff": cutoff,
        }
        super().__init__(config, n_features=n_features, cutoff=cutoff)
        # names of the parts as there, so that its state dicts load
        net = schnet.SchNet(n_features, n_filters, n_layers, n_gaussians, cutoff)
        self.embedding = net.embedding
        self.distance_expansion = net.distance_expansion
        self.interactions = net.interactions

    def tokens(self, batch: Any) -> Tensor:
        """Compute the states after the embedding and after each block, (n_atoms, n_layers + 1, n_features)."""
        edge_index, _, length, _ = self._edges(batch)
        filters = self.distance_expansion(length)  # (E, n_gaussians)
        states = [self.embedding(batch.z)]
        for interaction in self.interactions:
            states.append(states[-1] + interaction(states[-1], edge_index, length, filters))
        return torch.stack(states, dim=1)

    def head(self, n_targets: int = 1) -> nn.Module:
        """Build the readout of the paper: two linear layers with a shifted softplus between them."""
        hidden = self.n_features // 2
        linears = [nn.Linear(self.n_features, hidden), nn.Linear(hidden, n_targets)]
        for linear in linears:
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        return nn.Sequential(linears[0], schnet.ShiftedSoftplus(), linears[1]).to(self.device, self.dtype)
