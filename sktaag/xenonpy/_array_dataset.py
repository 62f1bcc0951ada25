"""XenonPy's data set of arrays."""

from sktaag.xenonpy._upstream import ArrayDataset as _ArrayDataset
from sktaag.xenonpy._writable import writable


class ArrayDataset(_ArrayDataset):
    """Torch data set of arrays, frames, Series or tensors of equal length.

    Parameters
    ----------
    *array : ndarray, DataFrame, Series or Tensor
        What each item has a row of.
    dtypes : list of torch.dtype or None, default=None
        Type of each of them; None is torch's default. Tensors stay as they are.

    Raises
    ------
    ValueError
        If `dtypes` is not as long as there are arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from torch.utils.data import DataLoader
    >>> from sktaag.xenonpy import ArrayDataset
    >>> [x.shape for x, y in DataLoader(ArrayDataset(np.ones((5, 3)), np.ones((5, 1))), batch_size=4)]
    [torch.Size([4, 3]), torch.Size([1, 3])]
    """

    @staticmethod
    def _convert(data, dtype):
        return _ArrayDataset._convert(writable(data), dtype)
