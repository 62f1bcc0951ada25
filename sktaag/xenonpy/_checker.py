"""XenonPy's model folders."""

import warnings
from pathlib import Path

import joblib
import pandas as pd
import torch

from sktaag.xenonpy._plain_pickle import NotPlainError, load_plain
from sktaag.xenonpy._structure_text import module_from_text
from sktaag.xenonpy._upstream import Checker as _Checker


class Checker(_Checker):
    """A model folder of XenonPy: what is in it, the trained network, checkpoints; also writes to it.

    Most files in such a folder are pickles, and a pickle can run any code when it is opened. Nothing of the kind is
    opened here unless you say so: weights are read as tensors alone, the network is built from the text that stands
    beside them (`model_structure`), and of the other pickles only those that hold plain numbers and strings are read.

    Parameters
    ----------
    path : str, Path or None, default=None
        The folder; it is made if it is not there. None is the working directory, as in XenonPy.
    increment : bool, default=False
        Make a new folder ``path@1``, ``path@2``, ... instead.
    device : bool, str or torch.device, default="cpu"
        Where to put tensors.
    default_handle : (module, str), default=(joblib, ".pkl.z")
        What writes and reads other objects, and the ending of their files.
    trusted : bool, default=False
        Open every pickle, and take the network from ``model.pth.m``. Only for folders that you or somebody whom you
        trust wrote.

    Raises
    ------
    ValueError
        When an entry is read that needs ``trusted=True``, or the network cannot be built from its text.

    See Also
    --------
    Trainer.from_checker : A trainer with the network and the checkpoints of a folder.

    Notes
    -----
    XenonPy's published models of 2019 have ``eps=0.1`` in their batch norms, which is in the text and in no state.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sktaag.xenonpy import Checker, SequentialLinear
    >>> with TemporaryDirectory() as folder:
    ...     checker = Checker(folder)
    ...     checker.model = SequentialLinear(3, 1, h_neurons=(2,))
    ...     model = Checker(folder).model
    >>> model.output
    Linear(in_features=2, out_features=1, bias=True)
    """

    def __init__(
        self,
        path=None,
        *,
        increment=False,
        device="cpu",
        default_handle=(joblib, ".pkl.z"),
        trusted=False,
    ):
        self._trusted = trusted
        super().__init__(path, increment=increment, device=device, default_handle=default_handle)

    @property
    def model(self):
        """The trained network in evaluation mode, with its initial weights if there are no others; None without one."""
        if self._trusted and (self._path / "model.pth.m").exists():
            model = self["model"]
        elif (text := self["model_structure"]) is not None:
            try:
                model = module_from_text(text)
            except ValueError as error:
                raise ValueError(f"{self._path}: {error}") from error
        else:
            return None
        states = [state for state in (self.final_state, self.init_state) if state is not None]
        if not states and not self._trusted:
            raise ValueError(f"{self._path} has the text of a network, but no final_state.pth.s with its weights.")
        if states:
            model.load_state_dict(states[0])
        return model.to(self._device).eval()

    @model.setter
    def model(self, model):
        _Checker.model.fset(self, model)

    @property
    def init_state(self):
        """State dict before training, or None."""
        return self._state("init_state")

    @init_state.setter
    def init_state(self, state):
        _Checker.init_state.fset(self, state)

    @property
    def final_state(self):
        """State dict after training, or None."""
        return self._state("final_state")

    @final_state.setter
    def final_state(self, state):
        _Checker.final_state.fset(self, state)

    def _state(self, name):
        path = self._path / f"{name}.pth.s"
        return self._load_torch(path) if path.exists() else None

    def _load_data(self, file, handle):
        if file not in self._files or not Path(self._files[file]).exists():
            return None
        path = Path(self._files[file])
        kind = path.name.split(".")[-2]
        if kind == "pth":
            return self._load_torch(path)
        if kind == "pkl" and not self._trusted:
            try:
                return load_plain(path)
            except NotPlainError as error:
                raise ValueError(_closed(path, str(error))) from error
        if not self._trusted:
            raise ValueError(_closed(path, "it holds a table of pandas"))
        return pd.read_pickle(path) if kind == "pd" else self._handle[0].load(path)

    def _load_torch(self, path):
        # A state is tensors, which torch reads without running anything. A whole module is a pickle of whatever its
        # class says; torch runs that only when it is told to, and it is told so only when the user trusts the folder.
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*source code of class.*has changed")
                return torch.load(path, map_location=self._device, weights_only=not self._trusted)
        except Exception as error:
            if self._trusted:
                raise
            raise ValueError(_closed(path, "torch finds more than tensors in it, or it is torn")) from error

    def __getattr__(self, name):
        if name == "checkpoints":
            self.checkpoints = type(self)(self._path / name, device=self._device, trusted=self._trusted)
            return self.checkpoints
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __getitem__(self, item):
        return self._load_data(item, self._handle[0])


def _closed(path, reason):
    return (
        f"{path} is not opened: {reason}, and opening it can run code. If you trust whoever wrote the folder, open it "
        f"with Checker({str(path.parent)!r}, trusted=True)."
    )
