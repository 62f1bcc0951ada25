"""Parts of GemNet between its basis functions and its tokens."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Geometry(NamedTuple):
    """What all blocks read of the edges c -> a, and of the edges b -> a that meet them in their target."""

    neighbour: Tensor  # (E,) the atoms c
    centre: Tensor  # (E,) the atoms a
    reverse: Tensor  # (E,) numbers of the edges a -> c
    incoming: Tensor  # (E, K) numbers of the edges b -> a with b other than c, padded
    angles: Tensor  # (E, K, n_spherical) harmonics of the angle c-a-b; zero where padded
    circular: Tensor  # (E, n_basis, n_spherical) radial functions of c -> a for each harmonic
    radial_triplets: Tensor  # (E, n_basis)
    radial_atoms: Tensor  # (E, n_basis)


def he_orthogonal_(weight: Tensor) -> Tensor:
    """Fill a matrix (n_out, n_in) with orthogonal rows, then give each mean zero and mean square 1 / n_in."""
    nn.init.orthogonal_(weight)
    with torch.no_grad():
        weight -= weight.mean(dim=1, keepdim=True)
        weight /= weight.square().sum(dim=1, keepdim=True).sqrt() + 1e-6
    return weight


class Dense(nn.Linear):
    """Linear layer without bias, by default with an activation that keeps the variance of normal inputs."""

    def __init__(self, n_in: int, n_out: int, activation: bool = True) -> None:
        super().__init__(n_in, n_out, bias=False)
        self.activation = activation

    def reset_parameters(self) -> None:
        """Draw the weights."""
        he_orthogonal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return nn.functional.silu(x) / 0.6 if self.activation else x


class Residual(nn.Sequential):
    """Two dense layers around which the input passes."""

    def __init__(self, n_features: int) -> None:
        super().__init__(Dense(n_features, n_features), Dense(n_features, n_features))

    def forward(self, x: Tensor) -> Tensor:
        return _mean(x, super().forward(x))


class Scale(nn.Module):
    """Constant factor that keeps the mean square of a reference; the first batch of the training sets it."""

    factor: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factor", torch.zeros(()))  # not set: nothing is scaled

    def forward(self, x: Tensor, reference: Tensor) -> Tensor:
        if self.training and not self.factor:
            with torch.no_grad():
                ratio = (reference.square().mean() / x.square().mean()).sqrt()
                if ratio.isfinite():  # there are neighbours
                    self.factor.copy_(ratio)
        return self.factor * x if self.factor else x


class AtomUpdate(nn.Module):
    """Sum of messages to each atom, filtered by their lengths, and an MLP: (E, n_hidden) -> (n_atoms, n_features)."""

    def __init__(self, n_features: int, n_hidden: int, n_basis: int, n_residuals: int) -> None:
        super().__init__()
        self.filter = Dense(n_basis, n_hidden, activation=False)
        self.scale = Scale()
        self.mlp = nn.Sequential(Dense(n_hidden, n_features), *(Residual(n_features) for _ in range(n_residuals)))

    def forward(self, messages: Tensor, radial: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        total = messages.new_zeros(n_atoms, messages.shape[1]).index_add(0, centre, messages * self.filter(radial))
        return self.mlp(self.scale(total, messages))


class OutputBlock(AtomUpdate):
    r"""State of each atom of which the sum over its d channels, over :math:`\sqrt d`, is its part of the energy.

    Each depth weighs its channels by itself; that is done here and not in the readout, which all depths share.
    """

    def __init__(self, n_features: int, n_hidden: int, n_basis: int, n_residuals: int) -> None:
        super().__init__(n_features, n_hidden, n_basis, n_residuals)
        self.energy = nn.Parameter(he_orthogonal_(torch.empty(1, n_features))[0])

    def forward(self, messages: Tensor, radial: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        state = super().forward(messages, radial, centre, n_atoms)
        return math.sqrt(len(self.energy)) * self.energy * state


class TripletInteraction(nn.Module):
    """Messages of the edges b -> a for the edge c -> a and its reverse, by lengths and the angle between them."""

    def __init__(self, n_hidden: int, n_triplet: int, n_basis: int) -> None:
        super().__init__()
        self.incoming = Dense(n_hidden, n_hidden)
        self.filter = Dense(n_basis, n_hidden, activation=False)
        self.filter_scale = Scale()
        self.down = Dense(n_hidden, n_triplet)
        self.bilinear = Dense(n_triplet * n_basis, n_triplet, activation=False)
        self.sum_scale = Scale()
        self.up = Dense(n_triplet, n_hidden)
        self.up_reverse = Dense(n_triplet, n_hidden)

    def forward(self, messages: Tensor, geometry: Geometry) -> Tensor:
        x = self.incoming(messages)
        down = self.down(self.filter_scale(x * self.filter(geometry.radial_triplets), x))
        # first over the neighbours, which are the most
        x = torch.einsum("eks,ekt->est", geometry.angles, down[geometry.incoming])
        x = torch.einsum("ebs,est->etb", geometry.circular, x).flatten(1)
        x = self.sum_scale(self.bilinear(x), down)
        return _mean(self.up(x), self.up_reverse(x)[geometry.reverse])


class InteractionBlock(nn.Module):
    """New states of the edges from triplets, then of the atoms from edges, then of the edges from atoms."""

    def __init__(
        self,
        n_features: int,
        n_hidden: int,
        n_triplet: int,
        n_basis: int,
        n_atom_residuals: int,
        n_edge_residuals: int,
    ) -> None:
        super().__init__()
        self.skip = Dense(n_hidden, n_hidden)
        self.triplets = TripletInteraction(n_hidden, n_triplet, n_basis)
        self.before = Residual(n_hidden)
        self.after = nn.Sequential(*(Residual(n_hidden) for _ in range(n_edge_residuals)))
        self.atoms = AtomUpdate(n_features, n_hidden, n_basis, n_atom_residuals)
        self.joined = Dense(2 * n_features + n_hidden, n_hidden)
        self.joined_residual = Residual(n_hidden)

    def forward(self, atoms: Tensor, edges: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor]:
        """Update the states of atoms (n_atoms, n_features) and edges (E, n_hidden)."""
        x = _mean(self.skip(edges), self.triplets(edges, geometry))
        edges = self.after(_mean(edges, self.before(x)))
        atoms = _mean(atoms, self.atoms(edges, geometry.radial_atoms, geometry.centre, len(atoms)))
        x = self.joined(torch.cat([atoms[geometry.neighbour], atoms[geometry.centre], edges], dim=1))
        return atoms, _mean(edges, self.joined_residual(x))


def _mean(x: Tensor, y: Tensor) -> Tensor:
    """Sum of two, of the variance of one."""
    return (x + y) / math.sqrt(2)
