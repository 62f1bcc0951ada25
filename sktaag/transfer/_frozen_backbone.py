"""A frozen backbone, and its readout, as parts of a fitted estimator, and in files without pickle."""

import torch
from sklearn.utils.validation import check_is_fitted

from sktaag.heads._torch_state import isolated_seed
from sktaag.nn import make_backbone
from sktaag.sources._graph_networks import check_can_be_kept, own_tensors, take_tensors

_READOUT = "readout/"  # before the names of its weights; no module of a backbone has a slash in its name


class FrozenBackboneMixin:
    """Estimators whose `fit` keeps the backbone of a source, frozen, as `backbone_`.

    Those that can keep the readout of the source too have it, or None, as `readout_`.
    """

    def net_state(self):
        """Return what rebuilds backbone and readout: name and arguments, in JSON's types, and weights.

        Returns
        -------
        params : dict
        weights : dict of str to torch.Tensor

        Raises
        ------
        TypeError
            If the backbone has no name of its own.
        """
        check_is_fitted(self)
        check_can_be_kept(self.backbone_)
        params = {"backbone": self.backbone_.name, "config": self.backbone_.config}
        weights = own_tensors(self.backbone_)
        if hasattr(self, "readout_"):
            params["readout"] = self.readout_ is not None
        if params.get("readout"):
            weights |= {f"{_READOUT}{name}": tensor for name, tensor in own_tensors(self.readout_).items()}
        return params, weights

    def restore_net(self, params, weights):
        """Give an estimator that lost its backbone and readout new ones, on the CPU.

        Parameters
        ----------
        params : dict
        weights : dict of str to torch.Tensor
            Both as `net_state` returns them.
        """
        with isolated_seed(0, torch.device("cpu")):  # first weights are drawn, to be replaced at once
            backbone = make_backbone(params["backbone"], **params["config"])
            readout = backbone.head(1) if params.get("readout") else None
        of_readout = {name: tensor for name, tensor in weights.items() if name.startswith(_READOUT)}
        of_backbone = {name: tensor for name, tensor in weights.items() if name not in of_readout}
        take_tensors(backbone, of_backbone, params["backbone"])
        self.backbone_ = backbone.eval().requires_grad_(False)
        if readout is not None:
            kept = {name.removeprefix(_READOUT): tensor for name, tensor in of_readout.items()}
            take_tensors(readout, kept, params["backbone"])
            readout.eval().requires_grad_(False)
        if "readout" in params:
            self.readout_ = readout
