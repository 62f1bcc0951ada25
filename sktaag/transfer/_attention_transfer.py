"""What the estimators with attention over the depths of a source share."""

from numbers import Integral

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from sktaag.cache import cache_folder
from sktaag.heads._torch_state import resolve_device
from sktaag.sources._graph_networks import evaluation_copy
from sktaag.sources._tokens import token_batches
from sktaag.transfer._depth_by_depth import check_lr_decay, rates_by_depth
from sktaag.transfer._graph_transfer import GraphTransfer

_FREEZE = ("all", "embeddings", "none", "scratch")


class AttentionTransfer(GraphTransfer):
    """Learn how much of each depth of a source the target takes.

    Stands left of `GraphRegression` or `GraphClassification`. Parameters: `source`, `attention`, `freeze`,
    `n_fresh_blocks`, `lr_decay`, `readout`, `cache`.
    """

    def _check_params(self):
        super()._check_params()
        check_lr_decay(self.lr_decay)

    def attended_states(self, X):
        """Compute what the attention makes of the atoms.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        states : list of ndarray of shape (n_atoms, n_features), or of None for invalid structures
        weights : list of ndarray of shape (n_atoms, T), likewise
            Share of each depth.
        """
        check_is_fitted(self)
        return self._attend(self._to_graphs(X, self.backbone_))

    def _scratch(self):
        return self.freeze == "scratch"

    def _attention(self, backbone):
        if not isinstance(self.n_fresh_blocks, Integral) or self.n_fresh_blocks < 0:
            raise ValueError(f"n_fresh_blocks must be an integer of at least 0, got {self.n_fresh_blocks!r}.")
        is_depth = isinstance(self.freeze, Integral) and not isinstance(self.freeze, bool)
        if self.freeze not in _FREEZE if not is_depth else not 0 <= self.freeze <= backbone.n_layers:
            raise ValueError(
                f"freeze must be one of {', '.join(_FREEZE)} or a number of blocks up to {backbone.n_layers}, got "
                f"{self.freeze!r}."
            )
        cache_folder(self.cache)
        return {"attention": self.attention, "n_fresh_blocks": int(self.n_fresh_blocks)}

    def _param_groups(self, network):
        if network.backbone is None or self.lr_decay == 1:
            return []
        return rates_by_depth(network, self.lr, self.lr_decay)

    def _depth(self, network):
        """Depth up to which the backbone is frozen; -1 for none of it."""
        if isinstance(self.freeze, str):
            return {"all": network.n_source_layers, "embeddings": 0, "none": -1, "scratch": -1}[self.freeze]
        return self.freeze

    def _train(self, network, graphs, *args, **kwargs):
        valid = super()._train(network, graphs, *args, **kwargs)
        self.layer_weights_ = np.concatenate(self._attend(graphs)[1]).mean(axis=0)
        return valid

    def _attend(self, graphs):
        device = resolve_device(self.device)
        network = evaluation_copy(self.module_, device)
        states, weights = [None] * len(graphs), [None] * len(graphs)
        for indices, tokens, batch in token_batches(network.backbone, graphs, device):
            with torch.no_grad():
                found = network.attention(tokens.to(network.dtype))
            ends = batch.ptr[1:-1].cpu().numpy()
            for parts, values in zip((states, weights), found, strict=True):
                for i, part in zip(indices, np.split(values.cpu().numpy(), ends), strict=True):
                    parts[i] = part
        return states, weights
