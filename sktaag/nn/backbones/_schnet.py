"""SchNet: continuous filters of the distances."""

from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import schnet

from sktaag.nn._backbone import Backbone, gaussians
from sktaag.nn.backbones._checkpoint import check_weights, load_checkpoint, state_of, target_std

# names of the weights of the readout, ours and torch_geometric's
_HEAD = {"0.weight": "lin1.weight", "0.bias": "lin1.bias", "2.weight": "lin2.weight", "2.bias": "lin2.bias"}


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
    n_gaussians : int, default=20
        Number of Gaussians into which a distance is expanded, from 0 to the cutoff; their width is the distance between
        two of them. Four for each Å are enough. Narrow ones let the filters follow the noise of few structures: with 50
        up to 5 Å, forces learned from fifty frames have a third more error.
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
    elements = range(1, 100)

    def __init__(
        self,
        n_layers: int = 6,
        n_features: int = 128,
        n_filters: int = 128,
        n_gaussians: int = 20,
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

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str], *, trusted: bool = False) -> "SchNet":
        """Load a network from a file, such as those of the Open Catalyst Project.

        Parameters
        ----------
        path : path
            File of `torch.save` with the weights of a `torch_geometric.nn.SchNet`, themselves or under "state_dict",
            the names maybe with a prefix, as ``module.module.`` in ``schnet_all_large.pt`` [2]_.
        trusted : bool, default=False
            Loading then may run code that the file holds. Not needed for files that hold nothing but tensors, numbers
            and text.

        Returns
        -------
        SchNet
            For one target its readout is the pretrained one, multiplied by the standard deviation of the target where
            the file names it under "normalizers". The mean that belongs to it is that of whole graphs and is left to
            the fit of the reference energies.

        Raises
        ------
        ValueError
            If the file holds no SchNet with its readout, or is not `trusted` and holds more.

        References
        ----------
        .. [2] L. Chanussot et al., "Open Catalyst 2020 (OC20) Dataset and Community Challenges", ACS Catal. 11, 6059
           (2021). :doi:`10.1021/acscatal.0c04525`
        """
        file = load_checkpoint(path, trusted)
        state = state_of(file)
        mark = "interactions.0.conv.lin1.weight"
        prefix = next((name.removesuffix(mark) for name in state if name.endswith(mark)), "")
        weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if mark not in weights or "distance_expansion.offset" not in weights:
            raise ValueError(f"{Path(path)} holds no weights of a torch_geometric SchNet.")
        offset = weights["distance_expansion.offset"]
        n_layers = sum(name.endswith(".conv.lin1.weight") for name in weights)
        n_filters, n_features = weights[mark].shape
        self = cls(n_layers, n_features, n_filters, len(offset), round(offset[-1].item(), 6))
        own, head = self.state_dict(), self.fresh_head(1)
        check_weights(path, "SchNet", weights, own | {_HEAD[k]: value for k, value in head.state_dict().items()}, [])
        self.load_state_dict({name: weights[name] for name in own})
        std = target_std(file)
        head.load_state_dict(
            {ours: weights[theirs] * (std if theirs.startswith("lin2") else 1) for ours, theirs in _HEAD.items()}
        )
        self._readout = (head,)
        return self

    def tokens(self, batch: Any) -> Tensor:
        """Compute the states after the embedding and after each block, (n_atoms, n_layers + 1, n_features)."""
        edge_index, _, length, _ = self.edges(batch)
        filters = gaussians(length, self.distance_expansion.offset, self.distance_expansion.coeff)  # (E, n_gaussians)
        states = [self.embedding(batch.z)]
        for interaction in self.interactions:
            states.append(states[-1] + interaction(states[-1], edge_index, length, filters))
        return torch.stack(states, dim=1)

    def fresh_head(self, n_targets: int) -> nn.Module:
        """Build the readout of the paper: two linear layers with a shifted softplus between them."""
        hidden = self.n_features // 2
        linears = [nn.Linear(self.n_features, hidden), nn.Linear(hidden, n_targets)]
        for linear in linears:
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        return nn.Sequential(linears[0], schnet.ShiftedSoftplus(), linears[1])
