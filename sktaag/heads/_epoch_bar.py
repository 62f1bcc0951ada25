"""One progress bar for the whole training."""

from skorch.callbacks import Callback

from sktaag._progress import progress


class EpochBar(Callback):
    """Progress bar over epochs that shows the losses; in a log file it writes a line every ten seconds.

    Parameters
    ----------
    name : str
        What is trained.
    """

    def __init__(self, name):
        self.name = name

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        self.bar_ = progress(total=net.max_epochs, desc=self.name, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        """Advance by one epoch."""
        epoch = net.history[-1]
        losses = {key: f"{epoch[key]:.4g}" for key in ("train_loss", "valid_loss") if key in epoch}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, **kwargs):
        """Close the bar, with the last losses on it."""
        self.bar_.close()
