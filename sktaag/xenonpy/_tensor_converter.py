"""XenonPy's extension that converts data to tensors."""

from sktaag.xenonpy._upstream import TensorConverter as _TensorConverter
from sktaag.xenonpy._writable import writable


class TensorConverter(_TensorConverter):
    """Trainer extension that makes tensors of arrays and frames, and arrays of predictions, as XenonPy's does.

    Parameters
    ----------
    x_dtype, y_dtype : torch.dtype, tuple of these or None, default=None
        Types of X and y; None is torch's default.
    empty_cache : bool, default=False
        Empty the GPU's cache after each step.
    auto_reshape : bool, default=True
        Make columns of one-dimensional data.
    argmax : bool, default=False
        Predict classes: the place of the largest output.
    probability : bool, default=False
        Predict probabilities: the softmax of the outputs.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktaag.xenonpy import SequentialLinear, TensorConverter, Trainer
    >>> trainer = Trainer(model=SequentialLinear(3, 1, h_neurons=(2,))).extend(TensorConverter())
    >>> trainer.predict(pd.DataFrame([[1.0, 2.0, 3.0]])).shape
    (1, 1)
    """

    def input_proc(self, x_in, y_in, trainer):
        """Convert X and y to tensors on the trainer's device.

        Parameters
        ----------
        x_in, y_in : DataFrame, Series, ndarray, Tensor, a tuple of these or None
            One batch.
        trainer : Trainer
            The trainer that this extends.

        Returns
        -------
        x, y : Tensor, tuple of Tensor or None
        """
        x_in, y_in = (
            tuple(map(writable, data)) if isinstance(data, (tuple, list)) else writable(data) for data in (x_in, y_in)
        )
        return super().input_proc(x_in, y_in, trainer)
