"""What every graph network promises: states of the atoms after each depth."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

ENTRY_POINT_GROUP = "sktaag.backbones"

# loaded when asked for: some need an optional package
_BUILT_IN = {
    "schnet": "sktaag.nn.backbones:SchNet",
    "dimenet++": "sktaag.nn.backbones:DimeNetPlusPlus",
    "gemnet": "sktaag.nn.backbones:GemNet",
    "visnet": "sktaag.nn.backbones:ViSNet",
    "gine": "sktaag.nn.backbones:GINE",
    "attentive_fp": "sktaag.nn.backbones:AttentiveFP",
    "cgcnn": "sktaag.nn.backbones:CGCNN",
    "chgnet": "sktaag.nn.backbones:CHGNet",
    "mace": "sktaag.nn.backbones:MACE",
    "matgl": "sktaag.nn.backbones:MatGL",
}


class Backbone(nn.Module, ABC):
    r"""Base of the graph networks: a batch of graphs in, one state of each atom for each depth out.

    A backbone of L interaction blocks has T = L + 1 *layer tokens*: the states :math:`x_{i0}` after the embedding and
    :math:`x_{i1}, \dots, x_{iL}` after each block, of which only channels that do not change under rotation count. A
    subclass sets the class attributes `name`, `reads`, `plain` and `depths`, hands its constructor arguments to this
    constructor, and writes `tokens`.

    Parameters
    ----------
    config : dict
        All constructor arguments of the subclass, such that JSON can keep them and ``type(self)(**config)`` builds the
        same architecture. The number of blocks is under the key ``"n_layers"``; a network that comes with weights has a
        key ``"pretrained"``, which `fresh` sets to False.
    n_features : int
        Width d of a token.
    cutoff : float or None, default=None
        Radius in Å within which the network needs the edges; None for networks that read bonds.

    Attributes
    ----------
    name : str
        The name in the registry.
    reads : {"atoms", "molecules"}
        Which graphs it takes: those of `sktaag.graphs.AtomGraphs` (positions) or of `MoleculeGraphs` (bonds).
    plain : {"last", "sum"}
        How the architecture's own readout takes the tokens.
    depths : dict
        Names of the lists of modules, one of which makes one depth, with the depth that their first member makes.
    elements : collection of int or None
        Atomic numbers that it has an embedding for; None if it looks at none. The estimators treat structures with
        others as invalid rows.
    packages : tuple of str
        Names of the distributions that compute the tokens, beside sktaag, torch and torch_geometric: a cache of tokens
        asks for their versions.
    n_layers : int
        Number L of interaction blocks.

    See Also
    --------
    make_backbone : Build one by its name.
    GraphNetwork : A backbone with layer attention and a readout.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sktaag.nn import Backbone
    >>> class Embedding(Backbone):
    ...     name = "embedding"
    ...
    ...     def __init__(self, n_layers=0, n_features=4):
    ...         super().__init__({"n_layers": n_layers, "n_features": n_features}, n_features=n_features, cutoff=5.0)
    ...         self.embedding = nn.Embedding(100, n_features)
    ...
    ...     def tokens(self, batch):
    ...         return self.embedding(batch.z)[:, None]
    >>> Embedding().fresh().n_features
    4
    """

    name: ClassVar[str]
    reads: ClassVar[Literal["atoms", "molecules"]] = "atoms"
    plain: ClassVar[Literal["last", "sum"]] = "last"
    depths: ClassVar[dict[str, int]] = {}
    elements: Collection[int] | None = None
    packages: ClassVar[tuple[str, ...]] = ()
    _fewest_layers: ClassVar[int] = 0

    def __init__(self, config: dict[str, Any], *, n_features: int, cutoff: float | None = None) -> None:
        super().__init__()
        self.config = config
        self.n_layers = int(config["n_layers"])
        if self.n_layers < self._fewest_layers:
            raise ValueError(f"n_layers must be at least {self._fewest_layers}, got {self.n_layers}.")
        self.n_features = n_features
        self.cutoff = cutoff
        self._readout: tuple[nn.Module, ...] = ()  # a pretrained one; in a tuple, as it is not a part of the backbone

    @abstractmethod
    def tokens(self, batch: Any) -> Tensor:
        """Compute the layer tokens.

        Parameters
        ----------
        batch : torch_geometric.data.Batch or Data
            Graphs on the device of the parameters. For ``reads="atoms"``: `z` (n_atoms,), `pos` (n_atoms, 3) in Å,
            `edge_index` (2, E) with the neighbour above the centre, `edge_shift` (E, 3) in Å. For
            ``reads="molecules"``: `x` (n_atoms, n_atom_features), `edge_index`, `edge_attr` (E, n_bond_features).

        Returns
        -------
        Tensor of shape (n_atoms, n_layers + 1, n_features)
            In the dtype of the parameters; differentiable with respect to ``batch.pos``.
        """

    def forward(self, batch: Any) -> Tensor:
        """Compute the layer tokens, as `tokens`."""
        return self.tokens(batch)

    def edges(self, batch: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the edges within the cutoff.

        Parameters
        ----------
        batch : torch_geometric.data.Batch or Data
            As for `tokens`; the graphs may have been made for a wider network.

        Returns
        -------
        edge_index : Tensor of shape (2, E)
            Neighbour above centre.
        vector : Tensor of shape (E, 3)
            From the centre to the neighbour's image, in Å, in the dtype of the parameters.
        length : Tensor of shape (E,)
            Its norm in Å.
        shift : Tensor of shape (E, 3)
            Shift of the neighbour's image in Å.
        """
        assert self.cutoff is not None
        vector, length = edge_vectors(batch)
        within = length <= self.cutoff
        near = slice(None) if within.all() else within.nonzero().squeeze(1)
        return (
            batch.edge_index[:, near],
            vector[near].to(self.dtype),
            length[near].to(self.dtype),
            batch.edge_shift[near].to(self.dtype),
        )

    def head(self, n_targets: int = 1) -> nn.Module:
        """Build a readout of one atom's state, (n_atoms, n_features) -> (n_atoms, n_targets).

        For one target a pretrained network gives a copy of its pretrained readout. All others have fresh weights.
        """
        head = copy.deepcopy(self._readout[0]) if n_targets == 1 and self._readout else self.fresh_head(n_targets)
        return head.to(self.device, self.dtype)

    @property
    def has_readout(self) -> bool:
        """Whether it brings a pretrained readout for one target, which `head` then copies."""
        return bool(self._readout)

    def fresh_head(self, n_targets: int) -> nn.Module:
        """Build a readout with fresh weights: two linear layers, unless the architecture has its own kind."""
        hidden = max(self.n_features // 2, 1)
        return nn.Sequential(nn.Linear(self.n_features, hidden), nn.SiLU(), nn.Linear(hidden, n_targets))

    def atom_references(self) -> Tensor | None:
        """Give a pretrained network's reference energies in eV by atomic number, shape (n_elements + 1,); else None."""
        return None

    def depth_of(self, parameter_name: str) -> int:
        """Tell the depth to which a parameter belongs.

        Parameters
        ----------
        parameter_name : str
            As in `named_parameters` of the backbone.

        Returns
        -------
        int
            0 for embeddings and bases that all blocks share, k for block k.
        """
        module, _, rest = parameter_name.partition(".")
        return int(rest.split(".")[0]) + self.depths[module] if module in self.depths else 0

    def fresh(self) -> "Backbone":
        """Build the same architecture with newly drawn weights, on the same device and in the same dtype."""
        config = self.config | ({"pretrained": False} if "pretrained" in self.config else {})
        return type(self)(**config).to(self.device, self.dtype)

    def extended(self, n_blocks: int) -> "Backbone":
        """Build a copy with `n_blocks` further blocks of newly drawn weights behind the present ones.

        The first ``n_layers + 1`` tokens of the copy are those of this backbone.
        """
        longer = type(self)(**(self.config | {"n_layers": self.n_layers + n_blocks}))
        longer.load_state_dict(longer.state_dict() | self.state_dict())
        return longer.to(self.device, self.dtype).train(self.training)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device


def edge_vectors(batch: Any) -> tuple[Tensor, Tensor]:
    """Compute the vectors from the centre of each edge to its neighbour, periodic images included.

    Parameters
    ----------
    batch : torch_geometric.data.Batch or Data
        With `pos` (n_atoms, 3), `edge_index` (2, E), row 0 the neighbour j and row 1 the centre i, and `edge_shift`
        (E, 3), all lengths in Å.

    Returns
    -------
    vector : Tensor of shape (E, 3)
        ``pos[j] + edge_shift - pos[i]`` in Å, in the dtype of `pos`, differentiable.
    length : Tensor of shape (E,)
        Its norm in Å.

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> from sktaag.nn import edge_vectors
    >>> chain = Data(  # one atom in a box of 3 Å sees its two images
    ...     z=torch.tensor([6]), pos=torch.zeros(1, 3), edge_index=torch.zeros(2, 2, dtype=torch.long),
    ...     edge_shift=torch.tensor([[3.0, 0, 0], [-3.0, 0, 0]]))
    >>> edge_vectors(chain)[1]
    tensor([3., 3.])
    """
    neighbour, centre = batch.edge_index
    vector = batch.pos[neighbour] + batch.edge_shift.to(batch.pos.dtype) - batch.pos[centre]
    return vector, torch.linalg.vector_norm(vector, dim=1)


def gaussians(length: Tensor, centers: Tensor, factor: Tensor | float) -> Tensor:
    """Expand lengths in Gaussians, ``exp(factor * (length - center)^2)`` of shape (E, n_gaussians).

    Those that are nothing stop at 1e-35: where `exp` underflows, it takes ten times as long.
    """
    return (factor * (length[:, None] - centers).square()).clamp(min=-80.0).exp()


def _registered() -> dict[str, Callable[[], Callable[..., Backbone]]]:
    def loader(path: str) -> Callable[[], Callable[..., Backbone]]:
        module, _, name = path.partition(":")
        return lambda: getattr(import_module(module), name)

    found: dict[str, Callable[[], Callable[..., Backbone]]] = {
        point.name: point.load for point in entry_points(group=ENTRY_POINT_GROUP)
    }
    return found | {name: loader(path) for name, path in _BUILT_IN.items()}


def backbone_names() -> list[str]:
    """List the names that `make_backbone` knows: those of sktaag and those of installed packages.

    Another package adds one by an entry point of the group ``sktaag.backbones``.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from sktaag.nn import backbone_names
    >>> "schnet" in backbone_names()
    True
    """
    return sorted(_registered())


def make_backbone(name: str, **config: Any) -> Backbone:
    """Build a backbone by its name.

    Parameters
    ----------
    name : str
        One of `backbone_names`.
    **config
        Arguments of its constructor.

    Returns
    -------
    Backbone

    Raises
    ------
    ValueError
        If the name is not registered.
    ImportError
        If it needs an optional package that is not installed; the message names the extra.

    Examples
    --------
    >>> from sktaag.nn import make_backbone
    >>> make_backbone("schnet", n_layers=3, n_features=32).n_layers
    3
    """
    return backbone_class(name)(**config)


def backbone_class(name: str) -> Callable[..., Backbone]:
    """Return what `make_backbone` calls: mostly a class, whose signature tells the arguments.

    Parameters
    ----------
    name : str
        One of `backbone_names`.

    Returns
    -------
    constructor : callable

    Raises
    ------
    ValueError
        If the name is not registered.
    ImportError
        If it needs an optional package that is not installed.

    Examples
    --------
    >>> from inspect import signature
    >>> from sktaag.nn import backbone_class
    >>> "n_atom_features" in signature(backbone_class("gine")).parameters
    True
    """
    known = _registered()
    if name not in known:
        raise ValueError(f"backbone must be one of {', '.join(sorted(known))}, got {name!r}.")
    return known[name]()
