"""XenonPy's extension that writes model folders."""

from sktaag.xenonpy._checker import Checker
from sktaag.xenonpy._upstream import Persist as _Persist


class Persist(_Persist):
    """Trainer extension that writes the network, its checkpoints and the course of training to a model folder.

    The files are XenonPy's own; what is read back through this object is read as `Checker` reads it. Mended: with
    several checkpoints of a criterion (`trace_order` of `Validator`), the folder has the trainer's at the end, where
    XenonPy leaves older ones behind.

    Parameters
    ----------
    path : str, Path or None, default=None
        The folder.
    model_class : callable or None, default=None
        What makes such a network, kept for the record.
    model_params : object, default=None
        Its parameters, kept for the record.
    increment : bool, default=False
        Write to ``path@1``, ``path@2``, ... instead.
    sync_training_step : bool, default=False
        Write the course of training after each batch, not each epoch.
    only_best_states : bool, default=False
        Keep the best checkpoint of each criterion alone.
    no_model_saving : bool, default=False
        Keep neither network nor checkpoints.
    **describe : object
        Whatever else should be known of the model.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from xenonpy.model.training import Adam, MSELoss
    >>> from sktaag.xenonpy import Checker, Persist, SequentialLinear, Trainer
    >>> trainer = Trainer(loss_func=MSELoss(), optimizer=Adam(lr=0.01), model=SequentialLinear(3, 1, h_neurons=(2,)))
    >>> with TemporaryDirectory() as folder:
    ...     _ = trainer.extend(Persist(folder, author="me"))
    ...     trainer.fit(torch.rand(8, 3), torch.rand(8, 1), epochs=2, progress_bar=None)
    ...     describe = Checker(folder).describe
    >>> describe["author"]
    'me'
    """

    def __init__(
        self,
        path=None,
        *,
        model_class=None,
        model_params=None,
        increment=False,
        sync_training_step=False,
        only_best_states=False,
        no_model_saving=False,
        **describe,
    ):
        super().__init__(
            path,
            model_class=model_class,
            model_params=model_params,
            increment=increment,
            sync_training_step=sync_training_step,
            only_best_states=only_best_states,
            no_model_saving=no_model_saving,
            **describe,
        )

    def before_proc(self, trainer=None):
        """Make the folder and write what is known before training.

        Parameters
        ----------
        trainer : Trainer
            The trainer that this extends.
        """
        super().before_proc(trainer)
        self._epoch_count = 0  # XenonPy goes on counting from the last training
        self._checker = Checker(self._checker.path)

    def after_proc(self, trainer=None):
        """Write what is known after training.

        Parameters
        ----------
        trainer : Trainer
            The trainer that this extends.
        """
        super().after_proc(trainer)
        if not self._no_model_saving and not self.only_best_states:
            for name, checkpoint in trainer.checkpoints.items():  # XenonPy leaves those that have lost a rank behind
                self._checker.set_checkpoint(**{name: checkpoint._replace(id=name)._asdict()})
