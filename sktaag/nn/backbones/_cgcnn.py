"""CGCNN: gated convolutions over the nearest neighbours in a crystal."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import CGConv

from sktaag.nn._backbone import Backbone, gaussians
from sktaag.nn.backbones._checkpoint import load_checkpoint, state_of


class CGCNN(Backbone):
    r"""Crystal graph convolutional network [1]_ over `torch_geometric.nn.CGConv`.

    .. math:: x_{i0} = \operatorname{emb}(z_i), \quad x_{ik} = \operatorname{softplus}\Big(x_{i,k-1} + a_k \circ
        \sum_j \sigma(W_f z_{ij} + b_f) \circ \operatorname{softplus}(W_s z_{ij} + b_s) + c_k\Big), \quad
        z_{ij} = (x_{i,k-1}, x_{j,k-1}, e_{ij})

    Each atom hears its nearest neighbours only, so that energies jump where one neighbour takes the place of another:
    a network for properties of crystals at rest, not for forces. Where [1]_ normalises over the batch, the scales
    :math:`a_k, c_k` and weights here are those at the end of the training, so that predictions do not depend on the
    batch.

    Parameters
    ----------
    n_layers : int, default=4
        Number of convolutions.
    n_features : int, default=64
        Width of the states.
    n_gaussians : int, default=41
        Number of Gaussians into which a distance is expanded, from 0 to the cutoff.
    n_neighbors : int, default=12
        Number of nearest neighbours; of equally near ones, light elements come first.
    cutoff : float, default=8.0
        Radius in Å in which they are looked for. Unlike in [1]_, an atom that has fewer is not given others.

    References
    ----------
    .. [1] T. Xie, J. C. Grossman, "Crystal Graph Convolutional Neural Networks for an Accurate and Interpretable
       Prediction of Material Properties", Phys. Rev. Lett. 120, 145301 (2018). :doi:`10.1103/PhysRevLett.120.145301`

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn.backbones import CGCNN
    >>> chain = Data(z=torch.tensor([6]), pos=torch.zeros(1, 3), edge_index=torch.zeros(2, 2, dtype=torch.long),
    ...              edge_shift=torch.tensor([[3.0, 0, 0], [-3.0, 0, 0]]))
    >>> CGCNN(n_layers=2, n_features=16).tokens(chain).shape
    torch.Size([1, 3, 16])
    """

    name = "cgcnn"
    depths = {"convs": 1}  # noqa: RUF012
    elements = range(1, 101)

    centers: Tensor

    def __init__(
        self,
        n_layers: int = 4,
        n_features: int = 64,
        n_gaussians: int = 41,
        n_neighbors: int = 12,
        cutoff: float = 8.0,
    ) -> None:
        config = {
            "n_layers": n_layers,
            "n_features": n_features,
            "n_gaussians": n_gaussians,
            "n_neighbors": n_neighbors,
            "cutoff": cutoff,
        }
        super().__init__(config, n_features=n_features, cutoff=cutoff)
        self.n_neighbors = n_neighbors
        self.embedding = nn.Embedding(101, n_features)
        self.register_buffer("centers", torch.linspace(0, cutoff, n_gaussians))
        self.convs = nn.ModuleList(CGConv(n_features, n_gaussians) for _ in range(n_layers))
        for conv in self.convs:
            conv.bn = _Scale(n_features)  # where it normalises over the batch

    @classmethod
    def from_pretrained(cls, weights: str | PathLike[str], atom_init: str | PathLike[str]) -> "CGCNN":
        """Load a network that the authors' program has saved, such as theirs of the Materials Project.

        Parameters
        ----------
        weights : path
            File such as ``pre-trained/formation-energy-per-atom.pth.tar`` of github.com/txie-93/cgcnn; what is in it
            is not run.
        atom_init : path
            The file ``atom_init.json`` with which it was trained: a list of features for each atomic number.

        Returns
        -------
        CGCNN
            Its tokens are those of the authors' network. That one's readout comes after the mean over the atoms and is
            left out.

        Raises
        ------
        ValueError
            If a file is not of this kind.
        """
        state = state_of(load_checkpoint(weights, trusted=None))
        if "convs.0.fc_full.weight" not in state:
            raise ValueError(f"{Path(weights)} is no checkpoint of CGCNN: it has no state_dict with convs.0.fc_full.")
        table = {int(number): row for number, row in json.loads(Path(atom_init).read_text()).items()}
        features = torch.zeros(101, state["embedding.weight"].shape[1])
        for number, row in table.items():
            if len(row) != features.shape[1]:
                raise ValueError(
                    f"{Path(atom_init)} has {len(row)} features for element {number}, the network reads "
                    f"{features.shape[1]}."
                )
            features[number] = torch.tensor(row, dtype=features.dtype)

        n_features = len(state["embedding.weight"])
        n_layers = sum(name.endswith("fc_full.weight") for name in state)
        n_gaussians = state["convs.0.fc_full.weight"].shape[1] - 2 * n_features
        self = cls(n_layers, n_features, n_gaussians)
        with torch.no_grad():
            self.embedding.weight.copy_(features @ state["embedding.weight"].T + state["embedding.bias"])
        for k, conv in enumerate(self.convs):
            part = {name.removeprefix(f"convs.{k}."): value for name, value in state.items()}
            scale, shift = _batch_norm(part, "bn1")
            filters, cores = (part["fc_full.weight"] * scale[:, None]).chunk(2)
            filter_bias, core_bias = (part["fc_full.bias"] * scale + shift).chunk(2)
            scale, shift = _batch_norm(part, "bn2")
            names = ("lin_f.weight", "lin_f.bias", "lin_s.weight", "lin_s.bias", "bn.weight", "bn.bias")
            conv.load_state_dict(dict(zip(names, (filters, filter_bias, cores, core_bias, scale, shift), strict=True)))
        return self

    def tokens(self, batch: Any) -> Tensor:
        """Compute the states after the embedding and after each convolution, (n_atoms, n_layers + 1, n_features)."""
        edge_index, _, length, _ = self.edges(batch)
        nearest = self._nearest(edge_index, length, batch.z)
        edge_index, length = edge_index[:, nearest], length[nearest]
        width = self.centers[1] - self.centers[0]
        bonds = gaussians(length, self.centers, -1 / width.square())  # (E, n_gaussians)
        states = [self.embedding(batch.z)]
        for conv in self.convs:
            states.append(nn.functional.softplus(conv(states[-1], edge_index, bonds)))
        return torch.stack(states, dim=1)

    def _nearest(self, edge_index: Tensor, length: Tensor, z: Tensor) -> Tensor:
        """Numbers of the edges from the nearest neighbours of each atom."""
        neighbour, centre = edge_index
        order = z[neighbour].argsort(stable=True)
        order = order[(length.detach()[order] * 1e3).round().argsort(stable=True)]  # equal to 0.001 Å
        order = order[centre[order].argsort(stable=True)]
        count = torch.bincount(centre, minlength=len(z))
        first = count.cumsum(0) - count
        rank = torch.arange(len(order), device=order.device) - first[centre[order]]
        return order[rank < self.n_neighbors]


class _Scale(nn.Module):
    """A factor and a summand for each channel: a batch norm after its training."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight + self.bias


def _batch_norm(state: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    scale = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()  # the default of torch
    return scale, state[f"{name}.bias"] - scale * state[f"{name}.running_mean"]
