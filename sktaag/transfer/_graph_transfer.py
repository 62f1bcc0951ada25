"""What every estimator that starts from a trained graph network shares."""

from sktaag.sources._graph_networks import Start
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import check_readout, keeps_readout, open_graph_source


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
        check_readout(self.readout)
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
        if not keeps_readout(self.readout, opened, network):
            network["fresh_readout"] = True
            return start
        start.readout, start.scale = opened.readout, opened.scale
        if self.readout == "auto":
            start.fallback = backbone.fresh().head(n_outputs)
        return start
