"""What every estimator that starts from a trained graph network shares."""

from sktaag.sources._graph_networks import Start
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import open_graph_source


class GraphTransfer(FrozenSourceMixin):
    """Start from the network of a source. Stands left of `GraphRegression` or `GraphClassification`.

    A subclass has the parameters `source` and `readout`; `_scratch` tells whether it takes the architecture alone.
    """

    def _scratch(self):
        return False

    def _attention(self, backbone):
        """Return arguments of `GraphNetwork` on the reading of the tokens."""
        return {"attention": backbone.plain}

    def _start(self, X, n_outputs):
        if self.readout not in ("auto", "source", "fresh"):
            raise ValueError(f'readout must be "auto", "source" or "fresh", got {self.readout!r}.')
        opened = open_graph_source(self.source)
        backbone = opened.backbone.fresh() if self._scratch() else opened.backbone
        own = {"n_targets": n_outputs, "target": self.target, **self._attention(backbone)}
        routed = self._module_params()
        if own.keys() & routed.keys():
            raise TypeError(f"module__{min(own.keys() & routed.keys())} is set by {type(self).__name__} itself.")
        network = own | routed
        start = Start(backbone, network, graphs=opened.graphs)
        if self._scratch():
            return start
        problem = self._readout_problem(opened, network)
        if self.readout == "source" and problem:
            raise ValueError(f'readout="source" cannot be: {problem}. Set readout="fresh".')
        if self.readout == "fresh" or problem:
            network["fresh_readout"] = True
            return start
        start.readout, start.scale = opened.readout, opened.scale
        if self.readout == "auto":
            start.fallback = backbone.fresh().head(n_outputs)
        return start

    def _readout_problem(self, opened, network):
        """Say why the readout of the source cannot be kept, or ""."""
        if opened.readout is None:
            return "the source reads its tokens in a way of its own"
        if opened.scale is None:
            return "its readout is for other labels"
        if (opened.target, opened.n_targets) != (network["target"], network["n_targets"]):
            return (
                f"the readout of the source is for {opened.n_targets} {opened.target} targets, y has "
                f"{network['n_targets']} {network['target']} ones"
            )
        if network["attention"] in ("last", "sum") and network["attention"] != opened.backbone.plain:
            return f"the readout of the source takes the {opened.backbone.plain} of the tokens"
        if not network.get("residual", True):
            return "without the residual the readout of the source has no place"
        return ""
