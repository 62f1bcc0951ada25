"""A backbone, layer attention and a readout."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from sktaag.nn._backbone import Backbone
from sktaag.nn._layer_attention import LayerAttention


class GraphNetwork(nn.Module):
    r"""Predict properties of whole graphs from what each atom is at each depth.

    .. math:: y_g = \sum_{i \in g} \operatorname{head}(\operatorname{attention}(x_{i0}, \dots, x_{iL}))

    Intensive targets take the mean over the atoms of the graph instead of the sum. Energies are conservative: forces
    are :math:`-\partial y / \partial r` by autograd through ``batch.pos``.

    Parameters
    ----------
    backbone : Backbone
        Gives the tokens. It becomes a part of this network and is not copied, unless there are fresh blocks.
    attention : {"last", "sum", "mix", "query", "taag"}, default="taag"
        Kind of `LayerAttention`.
    n_targets : int, default=1
        Number of properties.
    target : {"extensive", "intensive"}, default="extensive"
        Whether properties grow with the number of atoms.
    n_fresh_blocks : int, default=0
        Blocks of the backbone's own kind with fresh weights behind its present ones; their tokens join the others.
    n_heads : int, default=4
        Heads of "query" and "taag".
    residual : bool, default=True
        Whether the attention starts as a residual of weight zero on the plain readout; see `LayerAttention`.
    positional : bool, default=True
        Whether "taag" adds a code of the depth.

    Attributes
    ----------
    backbone : Backbone
        With the fresh blocks.
    attention : LayerAttention
        From tokens to states.
    head : nn.Module
        From states to contributions of the atoms; the pretrained readout where the backbone has one for one target.
    n_source_layers : int
        Number of blocks without the fresh ones.
    n_targets : int
        Number of outputs.

    Raises
    ------
    ValueError
        If `target` or an argument of the attention is unknown.

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn import GraphNetwork, make_backbone
    >>> dimer = Data(z=torch.tensor([8, 1]), pos=torch.tensor([[0.0, 0, 0], [0.97, 0, 0]]),
    ...              edge_index=torch.tensor([[0, 1], [1, 0]]), edge_shift=torch.zeros(2, 3))
    >>> network = GraphNetwork(make_backbone("schnet", n_layers=2, n_features=16), "taag")
    >>> dimer.pos.requires_grad_()
    tensor(...)
    >>> energy = network(dimer)
    >>> energy.shape, torch.autograd.grad(-energy.sum(), dimer.pos)[0].shape
    (torch.Size([1, 1]), torch.Size([2, 3]))
    """

    def __init__(
        self,
        backbone: Backbone,
        attention: Literal["last", "sum", "mix", "query", "taag"] = "taag",
        n_targets: int = 1,
        target: Literal["extensive", "intensive"] = "extensive",
        n_fresh_blocks: int = 0,
        *,
        n_heads: int = 4,
        residual: bool = True,
        positional: bool = True,
    ) -> None:
        super().__init__()
        if target not in ("extensive", "intensive"):
            raise ValueError(f'target must be "extensive" or "intensive", got {target!r}.')
        self.target = target
        self.n_targets = n_targets
        self.head = backbone.head(n_targets)
        self.backbone = backbone.extended(n_fresh_blocks) if n_fresh_blocks else backbone
        self.n_source_layers = backbone.n_layers
        self._source_weights = {name for name, _ in backbone.named_parameters()}
        self.attention = LayerAttention(
            attention,
            backbone.n_features,
            self.backbone.n_layers + 1,
            n_heads,
            plain=backbone.plain,
            n_fresh=n_fresh_blocks,
            residual=residual,
            positional=positional,
        ).to(backbone.device, backbone.dtype)

    def forward(self, batch: Any) -> Tensor:
        """Predict.

        Parameters
        ----------
        batch : torch_geometric.data.Batch or Data
            As the backbone's `tokens` takes it.

        Returns
        -------
        Tensor of shape (n_graphs, n_targets)
            A graph without atoms has zero.
        """
        tokens = self.backbone.tokens(batch)
        graph = getattr(batch, "batch", None)
        if graph is None:
            graph = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
        return self.read(tokens, graph, getattr(batch, "num_graphs", 1))

    def read(self, tokens: Tensor, graph: Tensor, n_graphs: int) -> Tensor:
        """Predict from tokens, such as cached ones of a frozen backbone.

        Parameters
        ----------
        tokens : Tensor of shape (n_atoms, n_tokens, n_features)
            Of the backbone, in any dtype.
        graph : Tensor of shape (n_atoms,)
            Number of the graph of each atom, as ``batch.batch``.
        n_graphs : int
            Number of graphs.

        Returns
        -------
        Tensor of shape (n_graphs, n_targets)
        """
        state, _ = self.attention(tokens.to(self.dtype))
        atoms = self.head(state)  # (n_atoms, n_targets)
        total = atoms.new_zeros(n_graphs, atoms.shape[1]).index_add(0, graph, atoms)
        if self.target == "extensive":
            return total
        return total / torch.bincount(graph, minlength=n_graphs).clamp(min=1)[:, None]

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth to which a parameter of the backbone belongs.

        Parameters
        ----------
        parameter_name : str
            As in `named_parameters` of the backbone.

        Returns
        -------
        int
            As `Backbone.depth_of`; for what is not fresh at most `n_source_layers`, even where all blocks share it.
        """
        depth = self.backbone.depth_of(parameter_name)
        return min(depth, self.n_source_layers) if parameter_name in self._source_weights else depth

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return next(self.head.parameters()).dtype
