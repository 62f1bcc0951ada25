"""XenonPy's extension that validates during training."""

import numpy as np

from sktaag.xenonpy._upstream import Validator as _Validator


class Validator(_Validator):
    """Trainer extension that scores validation data, keeps checkpoints of the best scores and stops early.

    Scores and checkpoints are XenonPy's. Mended: a trainer that is reset to another network forgets all of the last
    one. In XenonPy, its number of epochs and its lowest loss stay, so that the next network is not validated at first
    (``each_iteration=False``) and stops too early.

    Parameters
    ----------
    metrics_func : {"regress", "classify"} or callable
        Function of (y_true, y_pred) that returns a dict of scores.
    each_iteration : bool, default=True
        Validate after each batch, not after each epoch.
    early_stopping : int or None, default=None
        Stop after this many validations without a better score or training loss.
    trace_order : int, default=1
        How many checkpoints to keep for each criterion: ``mae`` alone, or ``mae_1``, ``mae_2``, ...
    warming_up : int, default=0
        Epochs before the first checkpoint.
    **trace_criteria : float
        Scores to trace, with the best value that they can have: ``mae=0.0, pearsonr=1.0``.

    Examples
    --------
    >>> import torch
    >>> from xenonpy.model.training import Adam, MSELoss
    >>> from sktaag.xenonpy import SequentialLinear, TensorConverter, Trainer, Validator
    >>> trainer = Trainer(loss_func=MSELoss(), optimizer=Adam(lr=0.01), model=SequentialLinear(3, 1, h_neurons=(2,)))
    >>> _ = trainer.extend(TensorConverter(), Validator("regress", mae=0.0))
    >>> X, y = torch.rand(8, 3), torch.rand(8, 1)
    >>> trainer.fit(X, y, X, y, epochs=2, progress_bar=None)
    >>> trainer.get_checkpoint()
    ['mae']
    """

    def on_reset(self):
        """Forget the network before."""
        super().on_reset()
        self._count = self.patience
        self._epoch_count = 0
        self.train_loss = np.inf
