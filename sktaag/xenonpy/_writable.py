"""Arrays that torch may share."""

import numpy as np
import pandas as pd


def writable(data):
    """Give the values of frames as arrays, and copies of arrays that must not be written to; torch warns of both."""
    if isinstance(data, (pd.DataFrame, pd.Series)):
        data = data.to_numpy()
    if isinstance(data, np.ndarray) and not data.flags.writeable:
        data = data.copy()
    return data
