"""XenonPy's trainer."""

from pathlib import Path

from sktaag.xenonpy._checker import Checker
from sktaag.xenonpy._upstream import Checker as _Checker
from sktaag.xenonpy._upstream import Trainer as _Trainer


class Trainer(_Trainer):
    """XenonPy's trainer of torch networks, which opens model folders again.

    Training is XenonPy's own. `from_checker` and `load` are mended: XenonPy unpickles whole networks, which torch
    refuses since version 2.6.

    Parameters
    ----------
    loss_func : torch.nn.Module or None, default=None
        Loss, such as `torch.nn.MSELoss`.
    optimizer : xenonpy optimizer or None, default=None
        Such as ``xenonpy.model.training.Adam(lr=0.01)``.
    model : torch.nn.Module or None, default=None
        Network; ``reset(to=model)`` sets another one.
    lr_scheduler : xenonpy scheduler or None, default=None
        Such as ``xenonpy.model.training.ExponentialLR(gamma=0.99)``. (XenonPy's `ReduceLROnPlateau` has a parameter
        that torch has dropped.)
    clip_grad : xenonpy ClipNorm or ClipValue or None, default=None
        Clips gradients before each step.
    epochs : int, default=200
        Epochs of `fit`, where it is not told otherwise.
    cuda : bool, str or torch.device, default=False
        Device to train on.
    non_blocking : bool, default=False
        Copy to the device without waiting.

    See Also
    --------
    sktaag.sources.PyramidRegressor : The same networks as scikit-learn estimators.

    Examples
    --------
    >>> import torch
    >>> from xenonpy.model.training import Adam, MSELoss
    >>> from sktaag.xenonpy import SequentialLinear, Trainer
    >>> trainer = Trainer(loss_func=MSELoss(), optimizer=Adam(lr=0.01), model=SequentialLinear(3, 1, h_neurons=(2,)))
    >>> trainer.fit(torch.rand(8, 3), torch.rand(8, 1), epochs=2, progress_bar=None)
    >>> trainer.training_info.shape
    (2, 4)
    """

    def __init__(
        self,
        *,
        loss_func=None,
        optimizer=None,
        model=None,
        lr_scheduler=None,
        clip_grad=None,
        epochs=200,
        cuda=False,
        non_blocking=False,
    ):
        super().__init__(
            loss_func=loss_func,
            optimizer=optimizer,
            model=model,
            lr_scheduler=lr_scheduler,
            clip_grad=clip_grad,
            epochs=epochs,
            cuda=cuda,
            non_blocking=non_blocking,
        )

    def get_params(self, deep=True):
        """Return the parameters; XenonPy gives the optimizer that it has made of the one that it was given.

        Parameters
        ----------
        deep : bool, default=True
            Ignored.

        Returns
        -------
        params : dict
        """
        return super().get_params(deep=False) | {"optimizer": self._optim, "lr_scheduler": self._scheduler}

    @classmethod
    def from_checker(cls, checker, *, trusted=False, **params):
        """Make a trainer with the network and the checkpoints of a model folder.

        Parameters
        ----------
        checker : str, Path or Checker
            The folder.
        trusted : bool, default=False
            As in `Checker`, for a folder that is given by its path. `training_info` is a pickle and is only there with
            ``trusted=True``.
        **params : object
            Parameters of the constructor.

        Returns
        -------
        trainer : Trainer

        Raises
        ------
        FileNotFoundError
            If there is no such folder, or no model in it.
        ValueError
            If the network cannot be read without running code; see `Checker`.
        """
        if isinstance(checker, _Checker):
            trusted = getattr(checker, "_trusted", trusted)
            checker = checker.path
        if not Path(checker).is_dir():
            raise FileNotFoundError(f"There is no model folder {checker}.")
        folder = Checker(checker, trusted=trusted)
        model = folder.model
        if model is None:
            raise FileNotFoundError(
                f"{checker} has no model: neither a model_structure.pkl.z nor, under trusted=True, a model.pth.m."
            )
        trainer = cls(model=model, **params)
        if trusted and folder.training_info is not None:
            trainer._training_info = folder.training_info.to_dict(orient="records")
        if (Path(checker) / "checkpoints").is_dir():
            for name in folder.checkpoints.files:
                trainer._checkpoints[name] = cls.checkpoint_tuple(**folder.checkpoints[name])
        return trainer

    @classmethod
    def load(cls, from_, **params):
        """Do as `from_checker`, by its older name.

        Parameters
        ----------
        from_ : str, Path or Checker
            The folder.
        **params : object
            As for `from_checker`.

        Returns
        -------
        trainer : Trainer
        """
        return cls.from_checker(from_, **params)
