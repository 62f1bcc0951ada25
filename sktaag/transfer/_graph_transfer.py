"""What every estimator that starts from a trained graph network shares."""

from sktaag.heads._torch_state import resolve_device
from sktaag.sources._graph_networks import Start
from sktaag.sources._tokens import graph_tokens, with_tokens
from sktaag.transfer._depth_by_depth import freeze_backbone
from sktaag.transfer._frozen_source import FrozenSourceMixin
from sktaag.transfer._graph_source import check_readout, keeps_readout, open_graph_source


class GraphTransfer(FrozenSourceMixin):
    """Start from the network of a source. Stands left of `GraphRegression` or `GraphClassification`.

    A subclass has the parameters `source` and `readout`, maybe `cache`; `_scratch` tells whether it takes the
    architecture alone. Where all of the network stays frozen and no forces are learned, its states are computed once,
    and the training runs on these.
    """

    cache = None

    def _scratch(self):
        return False

    def _depth(self, network):
        """Depth up to which the backbone stays frozen; -1 for none of it."""
        return -1

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

    def _freeze(self, network):
        if network.backbone is not None:  # it is, while the training runs on tokens alone
            freeze_backbone(network, self._depth(network))

    def _training_graphs(self, network, graphs, forces):
        if forces or self._depth(network) < network.backbone.n_layers:
            return graphs
        self._freeze(network)
        device = resolve_device(self.device)
        return with_tokens(graphs, graph_tokens(network.backbone.to(device).eval(), graphs, device, self.cache))

    def _train(self, network, graphs, *args, **kwargs):
        backbone = network.backbone
        if "tokens" in graphs[0]:
            network.backbone = None  # each epoch and each copy would look after its weights
        try:
            return super()._train(network, graphs, *args, **kwargs)
        finally:
            network.backbone = backbone
