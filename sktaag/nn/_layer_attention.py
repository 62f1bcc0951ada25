"""How much of each depth of a network a target takes."""

from numbers import Integral
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("last", "sum", "mix", "query", "taag")


class LayerAttention(nn.Module):
    r"""Make one state of each atom out of its layer tokens.

    With tokens :math:`x_{it}` of atom i at the depths :math:`t = 0, \dots, T - 1`, the kinds are

    .. math::
        \text{last:}\quad & h_i = x_{i,T-1} \\
        \text{sum:}\quad & h_i = \textstyle\sum_t x_{it} \\
        \text{mix:}\quad & h_i = p_i + g \textstyle\sum_t \operatorname{softmax}(s)_t\, x_{it} \\
        \text{query:}\quad & h_i = p_i + g \operatorname{concat}_a \textstyle\sum_t
            \operatorname{softmax}_t(q_a \cdot \hat x_{it} / \sqrt d + s_{at})\, x_{it}^{(a)} \\
        \text{taag:}\quad & h_i = p_i + g \textstyle\sum_t \operatorname{MHA}(x_i, x_i, x_i)_t

    where :math:`p_i` is the plain readout ("last" or "sum") and the gate :math:`g` starts at zero, so that an untrained
    attention changes nothing. "mix" has one score for each depth; "query" has one learned query for each head a, which
    reads normalised tokens :math:`\hat x` and weighs the slice :math:`x^{(a)}` of the channels; "taag" is the
    multi-head self-attention over depth of [1]_, summed over depth, the mode ``multi`` of its authors' release without
    the linear layers that stand there in front of those of the attention itself. Every atom attends to its own depths
    only.

    Parameters
    ----------
    kind : {"last", "sum", "mix", "query", "taag"}
        As above.
    n_features : int
        Width d of a token.
    n_tokens : int
        Number T of depths, fresh ones included.
    n_heads : int, default=4
        Heads of "query" and "taag"; divides `n_features`.
    plain : {"last", "sum"}, default="last"
        The readout beside the learned kinds. The kinds "last" and "sum" are themselves.
    n_fresh : int, default=0
        So many of the last tokens come from blocks with fresh weights. The plain readout passes them over; their sum is
        added with a gate of its own that starts at zero.
    residual : bool, default=True
        False leaves out the plain readout and the gate of the learned kinds, as the release does.
    positional : bool, default=True
        Whether "taag" adds a sinusoidal code of the depth to the tokens.

    Attributes
    ----------
    gate : Parameter of shape ()
        g, of the learned kinds with `residual`.
    fresh_gate : Parameter of shape ()
        With fresh tokens.

    Raises
    ------
    ValueError
        If a name is unknown, `n_heads` does not divide `n_features`, or `n_fresh` is not in [0, n_tokens).

    References
    ----------
    .. [1] A. Kolluru et al., "Transfer learning using attentions across atomic systems with graph neural networks
       (TAAG)", J. Chem. Phys. 156, 184702 (2022). :doi:`10.1063/5.0088019`

    Examples
    --------
    >>> import torch
    >>> from sktaag.nn import LayerAttention
    >>> tokens = torch.randn(10, 4, 32)
    >>> state, weights = LayerAttention("taag", n_features=32, n_tokens=4)(tokens)
    >>> torch.equal(state, tokens[:, -1])  # before training
    True
    >>> weights.shape
    torch.Size([10, 4])
    """

    depth_code: Tensor

    def __init__(
        self,
        kind: Literal["last", "sum", "mix", "query", "taag"],
        n_features: int,
        n_tokens: int,
        n_heads: int = 4,
        *,
        plain: Literal["last", "sum"] = "last",
        n_fresh: int = 0,
        residual: bool = True,
        positional: bool = True,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"attention must be one of {', '.join(KINDS)}, got {kind!r}.")
        if plain not in ("last", "sum"):
            raise ValueError(f'plain must be "last" or "sum", got {plain!r}.')
        divides = isinstance(n_heads, Integral) and n_heads > 0 and n_features % n_heads == 0
        if kind in ("query", "taag") and not divides:
            raise ValueError(
                f"n_heads must divide the width of the tokens, got n_heads={n_heads} and n_features={n_features}."
            )
        if not 0 <= n_fresh < n_tokens:
            raise ValueError(f"n_fresh must be in [0, n_tokens), got n_fresh={n_fresh} and n_tokens={n_tokens}.")
        learned = kind in ("mix", "query", "taag")
        self.kind = kind
        self.n_heads = n_heads
        self.n_tokens = n_tokens
        self.n_fresh = n_fresh
        self.plain = plain if learned else kind
        self.gate = nn.Parameter(torch.zeros(())) if learned and residual else None
        self.fresh_gate = nn.Parameter(torch.zeros(())) if n_fresh else None
        if kind == "mix":
            self.scores = nn.Parameter(torch.zeros(n_tokens))
        elif kind == "query":
            self.queries = nn.Parameter(torch.zeros(n_heads, n_features))
            self.scores = nn.Parameter(torch.zeros(n_heads, n_tokens))
            self.norm = nn.LayerNorm(n_features, elementwise_affine=False)
        elif kind == "taag":
            self.attention = nn.MultiheadAttention(n_features, n_heads, batch_first=True)
            if positional:
                self.register_buffer("depth_code", _sinusoids(n_tokens, n_features))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Parameters
        ----------
        tokens : Tensor of shape (n_atoms, n_tokens, n_features)
            States of each atom from the embedding to the last block.

        Returns
        -------
        state : Tensor of shape (n_atoms, n_features)
            One state of each atom.
        weights : Tensor of shape (n_atoms, n_tokens)
            Share of each depth, summing to one: in "last" and "sum" that of the readout, else that of the learned
            branch, averaged over heads (and over the depths that ask, in "taag").
        """
        plain, plain_weights = self._plain(tokens)
        if self.kind in ("last", "sum"):
            return plain, plain_weights
        branch, weights = getattr(self, f"_{self.kind}")(tokens)
        return (branch if self.gate is None else plain + self.gate * branch), weights

    def _plain(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        n_old = self.n_tokens - self.n_fresh
        read = slice(n_old - 1, n_old) if self.plain == "last" else slice(0, n_old)
        state = tokens[:, read].sum(dim=1)
        if self.fresh_gate is not None:
            state = state + self.fresh_gate * tokens[:, n_old:].sum(dim=1)
        weights = tokens.new_zeros(self.n_tokens)
        weights[read] = 1 / len(weights[read])
        return state, weights.expand(len(tokens), -1)

    def _mix(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.scores.softmax(dim=0)
        return torch.einsum("t,atd->ad", weights, tokens), weights.expand(len(tokens), -1)

    def _query(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        scale = tokens.shape[2] ** 0.5
        fit = functional.linear(self.norm(tokens), self.queries) / scale  # (n_atoms, n_tokens, n_heads)
        # atoms last: a softmax along a handful of depths is slow where these are next to each other in memory
        weights = (fit.permute(1, 2, 0) + self.scores.T[:, :, None]).softmax(dim=0)
        slices = tokens.unflatten(2, (self.n_heads, -1))  # (n_atoms, n_tokens, n_heads, width)
        state = (weights.permute(2, 0, 1).unsqueeze(-1) * slices).sum(dim=1)
        return state.flatten(1), weights.mean(dim=1).T

    def _taag(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the self-attention over the depths that ask, before the projection that follows, which is linear.

        `nn.MultiheadAttention` holds the parameters; its own forward projects each depth by itself, and its fused
        kernels have no second derivative, which forces need. All steps run along the atoms, of which there are many.
        """
        if hasattr(self, "depth_code"):
            tokens = tokens + self.depth_code
        n_atoms, n_tokens, n_features = tokens.shape
        parts = self.attention
        states = tokens.permute(2, 1, 0).reshape(n_features, n_tokens * n_atoms)
        projected = torch.addmm(parts.in_proj_bias[:, None], parts.in_proj_weight, states)
        width = n_features // self.n_heads
        query, key, value = projected.view(3, self.n_heads, width, n_tokens, n_atoms)
        asking = (query / width**0.5).unbind(dim=2)  # one by one, so that products stay in the cache of a CPU
        shares = [(depth.unsqueeze(2) * key).sum(dim=1).softmax(dim=1) for depth in asking]
        weights = torch.stack(shares).sum(dim=0)  # (n_heads, n_tokens, n_atoms)
        summed = (weights[:, None] * value).sum(dim=2).view(n_features, n_atoms).T
        state = functional.linear(summed, parts.out_proj.weight, n_tokens * parts.out_proj.bias)
        return state, weights.mean(dim=0).T / n_tokens

    def extra_repr(self) -> str:
        """Show what the parts do not."""
        return f"{self.kind!r}, n_tokens={self.n_tokens}, n_fresh={self.n_fresh}, plain={self.plain!r}"


def _sinusoids(n_tokens: int, n_features: int) -> Tensor:
    """Code of the positions of Vaswani et al. (2017), section 3.5, shape (n_tokens, n_features)."""
    channel = torch.arange(n_features)
    angle = torch.arange(n_tokens)[:, None] * 10000.0 ** (-(channel - channel % 2) / n_features)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())
