"""XenonPy's generator of random parameters."""

from contextlib import contextmanager

import numpy as np

from sktaag.xenonpy._upstream import ParameterGenerator as _ParameterGenerator


class ParameterGenerator(_ParameterGenerator):
    """Draw sets of parameters at random: XenonPy's sequence for the same seed, from numbers of its own.

    XenonPy seeds numpy's global state and draws from it, and so do the functions in its recipes
    (``lambda n: np.random.uniform(0.1, 0.6, size=n)``). Here the global state is lent to each draw and is put back
    after it, so that such functions give the numbers that they give in XenonPy, the sequence does not depend on what
    else draws, and nothing else depends on the sequence. Other threads must not draw from the global state meanwhile.

    Parameters
    ----------
    seed : int or None, default=None
        Seed of the sequence; None draws another one each time.
    **kwargs : object
        Parameters by name. A tuple, list, array or Series holds candidates, one of which is drawn; a callable is
        called; a dict ``{"data": candidates or callable, "repeat": candidates or name, "replace": bool}`` gives a
        tuple with as many entries as `repeat` says, where a name stands for the length of another parameter; anything
        else is a constant.

    Raises
    ------
    RuntimeError
        If there are no parameters.

    Examples
    --------
    >>> from sktaag.xenonpy import ParameterGenerator
    >>> generator = ParameterGenerator(
    ...     seed=0, in_features=290, h_neurons={"data": lambda n: [40] * n, "repeat": (2, 3)}
    ... )
    >>> for parameters in generator(num=2):
    ...     print(parameters)
    {'in_features': 290, 'h_neurons': (40, 40)}
    {'in_features': 290, 'h_neurons': (40, 40, 40)}
    """

    def __init__(self, seed=None, **kwargs):
        self._state = np.random.RandomState(seed).get_state()
        with self._own_numbers():
            super().__init__(seed, **kwargs)

    def __call__(self, num, *, factory=None):
        """Draw sets of parameters.

        Parameters
        ----------
        num : int
            How many.
        factory : callable or None, default=None
            Called with each set as keyword arguments.

        Yields
        ------
        dict, or (dict, object) with a factory
            The parameters, and what the factory makes of them.
        """
        draws = super().__call__(num, factory=factory)
        for _ in range(num):
            with self._own_numbers():
                drawn = next(draws)
            yield drawn

    @contextmanager
    def _own_numbers(self):
        outside = np.random.get_state()  # noqa: NPY002 (XenonPy draws from it)
        np.random.set_state(self._state)  # noqa: NPY002
        try:
            yield
        finally:
            self._state = np.random.get_state()  # noqa: NPY002
            np.random.set_state(outside)  # noqa: NPY002
