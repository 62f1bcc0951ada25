"""An energy that is linear in the states of a frozen graph network, on top of what its readout says."""

import numpy as np
import torch
from torch import nn

from sktaag.nn import LayerAttention
from sktaag.sources._target_scaler import N_ELEMENTS


class LinearEnergy(nn.Module):
    """Energies of batches without those of the elements: of a trained readout, if there is one, and linear in states.

    Parameters
    ----------
    backbone : sktaag.nn.Backbone
    elements : ndarray of int of shape (n_elements,)
        Atomic numbers.
    coef : ndarray of shape (n_elements, T, d)
        Weights of the states.
    means : ndarray of shape (n_elements, T, d)
        What is taken off the states.
    readout : torch.nn.Module or None, default=None
        From the plain state of an atom, as the backbone has it, to its energy.
    scale : float, default=1.0
        Unit of the readout.
    """

    def __init__(self, backbone, elements, coef, means, readout=None, scale=1.0):
        super().__init__()
        self.backbone = backbone
        self.readout = readout
        self.scale = scale
        self.plain = LayerAttention(backbone.plain, backbone.n_features, backbone.n_layers + 1)
        index_of = np.full(N_ELEMENTS, len(elements))
        index_of[elements] = np.arange(len(elements))
        self.register_buffer("index_of", torch.as_tensor(index_of))
        for name, part in (("coef", coef), ("means", means)):  # atoms of other elements have zeros
            self.register_buffer(name, torch.as_tensor(np.concatenate([part, np.zeros_like(part[:1])])))

    @property
    def device(self):
        """Of the weights."""
        return self.backbone.device

    def forward(self, batch):
        """Compute energies.

        Parameters
        ----------
        batch : torch_geometric.data.Batch

        Returns
        -------
        energies : Tensor of shape (n_graphs,)
        pooled : Tensor of shape (n_graphs, n_elements, T, d)
            States without their means, summed over the atoms of each element.
        """
        tokens = self.backbone.tokens(batch)
        n_slots = len(self.coef)
        of_element = self.index_of[batch.z]
        pooled = tokens.new_zeros(batch.num_graphs * n_slots, *tokens.shape[1:])
        pooled = pooled.index_add(0, batch.batch * n_slots + of_element, tokens - self.means[of_element])
        pooled = pooled.view(batch.num_graphs, n_slots, *tokens.shape[1:])
        energies = (pooled * self.coef).flatten(1).sum(dim=1)
        if self.readout is not None:
            atoms = self.readout(self.plain(tokens)[0])[:, 0]
            energies = energies.index_add(0, batch.batch, self.scale * atoms)
        return energies, pooled[:, :-1]
