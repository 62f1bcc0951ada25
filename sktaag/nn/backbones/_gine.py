"""GINE: isomorphism network with features of the bonds."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINEConv

from sktaag.nn._backbone import Backbone


class GINE(Backbone):
    r"""Graph isomorphism network with bonds [1]_, residual, over `torch_geometric.nn.GINEConv`.

    .. math:: x_{i0} = W z_i, \quad
        x_{ik} = x_{i,k-1} + f_k\Big(x_{i,k-1} + \sum_j \operatorname{relu}(x_{j,k-1} + W_k e_{ij})\Big)

    with two linear layers f_k and a layer norm between them, which, unlike the batch norm of [1]_, does not make the
    prediction of one molecule depend on the others of the batch.

    Parameters
    ----------
    n_atom_features : int
        Width of the features of the atoms, ``x.shape[1]``.
    n_bond_features : int
        Width of the features of the bonds, ``edge_attr.shape[1]``.
    n_layers : int, default=5
        Number of blocks.
    n_features : int, default=128
        Width of the states.

    References
    ----------
    .. [1] W. Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, arXiv:1905.12265.

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import GINE
    >>> dimer = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.ones(2, 3))
    >>> GINE(n_atom_features=2, n_bond_features=3, n_layers=2, n_features=16).tokens(dimer).shape
    torch.Size([2, 3, 16])
    """

    name = "gine"
    reads = "molecules"
    depths = {"blocks": 1}  # noqa: RUF012

    def __init__(self, n_atom_features: int, n_bond_features: int, n_layers: int = 5, n_features: int = 128) -> None:
        config = {
            "n_atom_features": n_atom_features,
            "n_bond_features": n_bond_features,
            "n_layers": n_layers,
            "n_features": n_features,
        }
        super().__init__(config, n_features=n_features)
        self.embedding = nn.Linear(n_atom_features, n_features)
        wide = 2 * n_features
        self.blocks = nn.ModuleList(
            GINEConv(
                nn.Sequential(nn.Linear(n_features, wide), nn.LayerNorm(wide), nn.ReLU(), nn.Linear(wide, n_features)),
                edge_dim=n_bond_features,
            )
            for _ in range(n_layers)
        )

    def tokens(self, batch: Any) -> Tensor:
        """Compute the states after the embedding and after each block, (n_atoms, n_layers + 1, n_features)."""
        bonds = batch.edge_attr.to(self.dtype)
        states = [self.embedding(batch.x.to(self.dtype))]
        for block in self.blocks:
            states.append(states[-1] + block(states[-1], batch.edge_index, bonds))
        return torch.stack(states, dim=1)
