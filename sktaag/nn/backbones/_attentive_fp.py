"""AttentiveFP: gated attention over the neighbours in a molecule."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import models

from sktaag.nn._backbone import Backbone


class AttentiveFP(Backbone):
    """The atom layers of Attentive FP [1]_, over those of `torch_geometric.nn.AttentiveFP`.

    Parameters
    ----------
    n_atom_features : int
        Width of the features of the atoms, ``x.shape[1]``.
    n_bond_features : int
        Width of the features of the bonds, ``edge_attr.shape[1]``.
    n_layers : int, default=4
        Number of layers; the first reads the bonds.
    n_features : int, default=128
        Width of the states.
    dropout : float, default=0.0
        Share of channels set to zero in training.

    References
    ----------
    .. [1] Z. Xiong et al., "Pushing the Boundaries of Molecular Representation for Drug Discovery with the Graph
       Attention Mechanism", J. Med. Chem. 63, 8749 (2020). :doi:`10.1021/acs.jmedchem.9b00959`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import AttentiveFP
    >>> dimer = Data(x=torch.eye(2), edge_index=torch.tensor([[0, 1], [1, 0]]), edge_attr=torch.ones(2, 3))
    >>> AttentiveFP(n_atom_features=2, n_bond_features=3, n_layers=2, n_features=16).tokens(dimer).shape
    torch.Size([2, 3, 16])
    """

    name = "attentive_fp"
    reads = "molecules"
    depths = {"atom_convs": 2, "atom_grus": 2}  # noqa: RUF012
    _fewest_layers = 1  # torch_geometric makes the first one in any case

    def __init__(
        self,
        n_atom_features: int,
        n_bond_features: int,
        n_layers: int = 4,
        n_features: int = 128,
        dropout: float = 0.0,
    ) -> None:
        config = {
            "n_atom_features": n_atom_features,
            "n_bond_features": n_bond_features,
            "n_layers": n_layers,
            "n_features": n_features,
            "dropout": dropout,
        }
        super().__init__(config, n_features=n_features)
        # names of the parts as there
        net = models.AttentiveFP(n_atom_features, n_features, 1, n_bond_features, n_layers, 1, dropout)
        self.lin1 = net.lin1
        self.gate_conv = net.gate_conv
        self.gru = net.gru
        self.atom_convs = net.atom_convs
        self.atom_grus = net.atom_grus
        self.dropout = nn.Dropout(dropout)

    def tokens(self, batch: Any) -> Tensor:
        """Compute the states after the embedding and after each layer, (n_atoms, n_layers + 1, n_features)."""
        bonds = batch.edge_attr.to(self.dtype)
        embedded = nn.functional.leaky_relu(self.lin1(batch.x.to(self.dtype)))
        message = nn.functional.elu(self.gate_conv(embedded, batch.edge_index, bonds))
        states = [embedded, self.gru(self.dropout(message), embedded).relu()]
        for conv, gru in zip(self.atom_convs, self.atom_grus, strict=True):
            message = nn.functional.elu(conv(states[-1], batch.edge_index))
            states.append(gru(self.dropout(message), states[-1]).relu())
        return torch.stack(states, dim=1)

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the first layer has names of its own."""
        return 1 if parameter_name.startswith(("gate_conv.", "gru.")) else super().depth_of(parameter_name)
