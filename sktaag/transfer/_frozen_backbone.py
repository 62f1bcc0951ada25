"""A frozen backbone as a part of a fitted estimator, and in files without pickle."""

import torch
from sklearn.utils.validation import check_is_fitted

from sktaag.heads._torch_state import isolated_seed
from sktaag.nn import make_backbone
from sktaag.sources._graph_networks import check_can_be_kept, own_tensors, take_tensors


class FrozenBackboneMixin:
    """Estimators whose `fit` keeps the backbone of a source, frozen, as `backbone_`."""

    def net_state(self):
        """Return what rebuilds the backbone: its name and arguments, in JSON's types, and its weights.

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
        return {"backbone": self.backbone_.name, "config": self.backbone_.config}, own_tensors(self.backbone_)

    def restore_net(self, params, weights):
        """Give an estimator that lost its backbone a new one, on the CPU.

        Parameters
        ----------
        params : dict
        weights : dict of str to torch.Tensor
            Both as `net_state` returns them.
        """
        with isolated_seed(0, torch.device("cpu")):  # first weights are drawn, to be replaced at once
            backbone = make_backbone(params["backbone"], **params["config"])
        take_tensors(backbone, weights, params["backbone"])
        self.backbone_ = backbone.eval().requires_grad_(False)
