"""The skorch net inside the estimators."""

import torch
from skorch import NeuralNet


class RowNet(NeuralNet):
    """skorch's `NeuralNet` over `Rows`, with masked labels and bfloat16 training.

    Parameters
    ----------
    module : class
        As in skorch, like all parameters but the following.
    masked : bool, default=False
        Leave out targets that are NaN; the criterion then returns one loss for each.
    autocast : bool, default=False
        Train in bfloat16 where torch thinks it safe. Evaluation is always in float32.
    """

    def __init__(self, module, *args, masked=False, autocast=False, **kwargs):
        super().__init__(module, *args, **kwargs)
        self.masked = masked
        self.autocast = autocast

    def infer(self, x, **fit_params):
        """Run the module on a batch; the result is float32."""
        device = torch.device(self.device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast and self.module_.training):
            return super().infer(x, **fit_params).float()

    def get_loss(self, y_pred, y_true, *args, **kwargs):
        """Return the mean loss over the targets that are known."""
        if not self.masked:
            return super().get_loss(y_pred, y_true, *args, **kwargs)
        known = ~y_true.isnan()
        losses = super().get_loss(y_pred, y_true.nan_to_num(), *args, **kwargs)
        return losses[known.to(losses.device)].mean()


class ClassRowNet(RowNet):
    """`RowNet` whose `predict` gives the number of the class, so that skorch's scoring callbacks work."""

    def predict(self, X):
        """Return the number of the most probable class of each row."""
        return self.predict_proba(X).argmax(axis=1)
