"""GemNet: messages between edges that meet, the network of the TAAG paper."""

from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from sktaag.nn._backbone import Backbone
from sktaag.nn._triplets import reverse_edges, triplets
from sktaag.nn.backbones._checkpoint import check_weights
from sktaag.nn.backbones._gemnet_basis import RadialBasis, circular_harmonics
from sktaag.nn.backbones._gemnet_blocks import Dense, Geometry, InteractionBlock, OutputBlock, he_orthogonal_
from sktaag.nn.backbones._gemnet_files import read_open_catalyst


class GemNet(Backbone):
    r"""GemNet with messages of one hop [1]_, GemNet-T, on the edges of the graph, periodic ones included.

    It keeps states of atoms and of directed edges. A block lets the edges that meet in an atom tell each other of
    their lengths and angles, then brings edges and atoms together. An output block at each depth makes the edges into
    the state of an atom: the tokens, which TAAG [2]_ attends to. The plain readout is their sum over depths.

    Defaults are those of the paper for molecules. The network of the Open Catalyst Project, which TAAG starts from and
    `from_pretrained` opens, is ``GemNet(3, 512, 512, n_radial=128, n_atom_residuals=3, n_edge_residuals=2,
    basis="gaussian", n_elements=83, n_neighbors=50, cutoff=6.0)``. It is called GemNet-dT for an output of forces of
    its own beside the energy. That is left out: forces are derivatives of the energy here.

    Parameters
    ----------
    n_layers : int, default=4
        Number of interaction blocks.
    n_features : int, default=128
        Width of the states of the atoms and of the tokens.
    n_hidden : int, default=128
        Width of the states of the edges.
    n_triplet : int, default=64
        Width of the triplets.
    n_basis : int, default=16
        Width to which the bases are projected.
    n_spherical, n_radial : int, default=7, 6
        Number of angular and radial basis functions.
    n_atom_residuals : int, default=2
        Residual layers on the states of the atoms in each block.
    n_edge_residuals : int, default=1
        Residual layers on the states of the edges behind the triplets.
    basis : {"bessel", "gaussian"}, default="bessel"
        Radial functions: spherical Bessel functions, or Gaussians, which need a larger `n_radial`.
    n_elements : int, default=100
        Elements from hydrogen on that have an embedding.
    n_neighbors : int or None, default=None
        Leave out edges that are among the so many shortest ones of neither of their atoms; equally short ones count as
        one. None keeps all. With a number energies jump where one neighbour takes the place of another.
    cutoff : float, default=5.0
        Radius in Å at which everything has decayed to zero, with two derivatives.

    Raises
    ------
    ValueError
        If `basis` is unknown; in `tokens` if an element has no embedding, or an edge no reverse.

    Notes
    -----
    Sums and products are scaled such that they keep the size of what they are made of. The paper measures these
    factors on some batches before the training; here the first batch that the network sees in training mode sets them,
    once. Until then they are one.

    References
    ----------
    .. [1] J. Gasteiger, F. Becker, S. Günnemann, "GemNet: Universal Directional Graph Neural Networks for Molecules",
       NeurIPS 2021, arXiv:2106.08903.
    .. [2] A. Kolluru et al., "Transfer learning using attentions across atomic systems with graph neural networks
       (TAAG)", J. Chem. Phys. 156, 184702 (2022). :doi:`10.1063/5.0088019`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import GemNet
    >>> dimer = Data(z=torch.tensor([8, 1]), pos=torch.tensor([[0.0, 0, 0], [0.97, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> GemNet(n_layers=2, n_features=16, n_hidden=16).tokens(dimer).shape
    torch.Size([2, 3, 16])
    """

    name = "gemnet"
    plain = "sum"
    depths = {"output_blocks": 0, "interaction_blocks": 1}  # noqa: RUF012

    def __init__(
        self,
        n_layers: int = 4,
        n_features: int = 128,
        n_hidden: int = 128,
        n_triplet: int = 64,
        n_basis: int = 16,
        n_spherical: int = 7,
        n_radial: int = 6,
        n_atom_residuals: int = 2,
        n_edge_residuals: int = 1,
        basis: str = "bessel",
        n_elements: int = 100,
        n_neighbors: int | None = None,
        cutoff: float = 5.0,
    ) -> None:
        config = {
            "n_layers": n_layers,
            "n_features": n_features,
            "n_hidden": n_hidden,
            "n_triplet": n_triplet,
            "n_basis": n_basis,
            "n_spherical": n_spherical,
            "n_radial": n_radial,
            "n_atom_residuals": n_atom_residuals,
            "n_edge_residuals": n_edge_residuals,
            "basis": basis,
            "n_elements": n_elements,
            "n_neighbors": n_neighbors,
            "cutoff": cutoff,
        }
        super().__init__(config, n_features=n_features, cutoff=cutoff)
        self.n_spherical = n_spherical
        self.n_elements = n_elements
        self.elements = range(1, n_elements + 1)
        self.n_neighbors = n_neighbors
        self.basis = RadialBasis(basis, n_spherical, n_radial, cutoff)

        # projections that all blocks share
        self.radial_triplets = Dense(n_radial, n_basis, activation=False)
        self.radial_atoms = Dense(n_radial, n_basis, activation=False)
        self.radial_outputs = Dense(n_radial, n_basis, activation=False)
        circular = he_orthogonal_(torch.empty(n_basis, n_spherical * n_radial))
        self.circular = nn.Parameter(circular.view(n_basis, n_spherical, n_radial))

        self.atom_embedding = nn.Embedding(n_elements, n_features)
        nn.init.uniform_(self.atom_embedding.weight, -(3**0.5), 3**0.5)
        self.edge_embedding = Dense(2 * n_features + n_radial, n_hidden)
        self.output_blocks = nn.ModuleList(
            OutputBlock(n_features, n_hidden, n_basis, n_atom_residuals) for _ in range(n_layers + 1)
        )
        self.interaction_blocks = nn.ModuleList(
            InteractionBlock(n_features, n_hidden, n_triplet, n_basis, n_atom_residuals, n_edge_residuals)
            for _ in range(n_layers)
        )

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str], *, trusted: bool = False) -> "GemNet":
        """Load a network from a file of the Open Catalyst Project, such as ``gemnet_t_direct_h512_all.pt``.

        Parameters
        ----------
        path : path
            File of `torch.save` with the weights of a ``gemnet_t`` of their program, ocp or fairchem 1, under
            "state_dict", the names maybe with a prefix, as ``module.module.``. Cutoff and number of neighbours are
            taken from its "config"; where it has none, they are the 6 Å and 50 of all published files.
        trusted : bool, default=False
            Loading then may run code that the file holds. Not needed for files that hold nothing but tensors, numbers
            and text.

        Returns
        -------
        GemNet
            For one target its readout is the pretrained one of the energy, multiplied by the standard deviation of the
            target where the file names it under "normalizers". The mean that belongs to it is that of whole graphs and
            is left to the fit of the reference energies. The file's own output of forces is left out.

        Raises
        ------
        ValueError
            If the file holds no such network or one with other basis functions, or is not `trusted` and holds more.
        """
        config, weights, std = read_open_catalyst(path, trusted)
        self = cls(**config)
        own = self.state_dict()
        too_many = [name for name in weights if name.startswith("interaction_blocks.") and name not in own]
        check_weights(path, "GemNet", weights, own, too_many)
        self.load_state_dict({name: weights[name] for name in own})
        head = nn.Linear(self.n_features, 1, bias=False)
        nn.init.constant_(head.weight, std / self.n_features**0.5)  # the output blocks have the weights
        self._readout = (head,)
        return self

    def edges(self, batch: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the edges within the cutoff, without those that `n_neighbors` leaves out."""
        edge_index, vector, length, shift = super().edges(batch)
        if self.n_neighbors is None:
            return edge_index, vector, length, shift
        radius = _radii(edge_index[1], length.detach(), self.n_neighbors, len(batch.z))
        near = length <= radius[edge_index].amax(dim=0)
        return edge_index[:, near], vector[near], length[near], shift[near]

    def tokens(self, batch: Any) -> Tensor:
        """Compute what the output blocks give, (n_atoms, n_layers + 1, n_features)."""
        unknown = batch.z[(batch.z < 1) | (batch.z > self.n_elements)]
        if len(unknown):
            raise ValueError(
                f"Atomic number {int(unknown[0])} has no embedding: this network knows 1 to {self.n_elements}."
            )
        n_atoms = len(batch.z)
        (neighbour, centre), radial, geometry = self._geometry(batch)
        atoms = self.atom_embedding(batch.z - 1)
        edges = self.edge_embedding(torch.cat([atoms[neighbour], atoms[centre], radial], dim=1))

        radial_outputs = self.radial_outputs(radial)
        states = [self.output_blocks[0](edges, radial_outputs, centre, n_atoms)]
        for interaction, output in zip(self.interaction_blocks, self.output_blocks[1:], strict=True):
            atoms, edges = interaction(atoms, edges, geometry)
            states.append(output(edges, radial_outputs, centre, n_atoms))
        return torch.stack(states, dim=1)

    def _geometry(self, batch: Any) -> tuple[Tensor, Tensor, Geometry]:
        edge_index, vector, length, shift = self.edges(batch)
        n_edges = len(length)
        reverse = reverse_edges(edge_index, shift, len(batch.z))
        incoming, outgoing = triplets(edge_index, shift, len(batch.z))  # b -> a and a -> c
        edge = reverse[outgoing]  # c -> a

        count = torch.bincount(outgoing, minlength=n_edges)
        first = count.cumsum(0) - count
        place = torch.arange(len(outgoing), device=outgoing.device) - first[outgoing]  # grouped by a -> c as they are
        table = edge.new_zeros(n_edges, int(count.max()) if n_edges else 0)
        table[edge, place] = incoming

        direction = vector / length[:, None]
        cosine = (direction[edge] * direction[incoming]).sum(dim=1)
        angles = vector.new_zeros(*table.shape, self.n_spherical)
        angles = angles.index_put((edge, place), circular_harmonics(cosine, self.n_spherical))

        basis = self.basis(length)  # (n_spherical or 1, E, n_radial)
        radial = basis[0]
        circular = torch.einsum("ser,bsr->ebs", basis, self.circular)
        geometry = Geometry(
            neighbour=edge_index[0],
            centre=edge_index[1],
            reverse=reverse,
            incoming=table,
            angles=angles,
            circular=circular,
            radial_triplets=self.radial_triplets(radial),
            radial_atoms=self.radial_atoms(radial),
        )
        return edge_index, radial, geometry

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth; the first output block counts with the first block, so that "embeddings" leaves it free."""
        depth = super().depth_of(parameter_name)
        return max(depth, 1) if parameter_name.startswith("output_blocks") else depth

    def fresh_head(self, n_targets: int) -> nn.Module:
        """Build one linear layer, without bias, as the output blocks have their own hidden layers."""
        return nn.Linear(self.n_features, n_targets, bias=False)


def _radii(centre: Tensor, length: Tensor, n_neighbors: int, n_atoms: int) -> Tensor:
    """Length of the n-th shortest edge to each atom, a little rounded up; infinite where there are fewer."""
    order = length.argsort()
    order = order[centre[order].argsort(stable=True)]
    count = torch.bincount(centre, minlength=n_atoms)
    last = (count.cumsum(0) - count)[count >= n_neighbors] + n_neighbors - 1
    radii = length.new_full((n_atoms,), torch.inf)
    radii[count >= n_neighbors] = length[order[last]] + 1e-3  # Å
    return radii
