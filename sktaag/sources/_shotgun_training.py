"""Train one chunk of networks together."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sktaag.heads._torch_state import use_bfloat16
from sktaag.sources._shotgun_networks import networks_for

_PROGRESS = 1e-4  # relative; a loss that falls by less counts as one that does not fall, as in skorch's EarlyStopping


@dataclass
class Trained:
    """A network after its training.

    Parameters
    ----------
    state : dict of str to torch.Tensor
        State dict of a `Pyramid` over the columns that the network takes.
    train_losses, valid_losses : list of float
        Of each epoch, on standardised targets; no validation losses without early stopping.
    best_epoch : int
        The epoch, counted from 1, whose weights are kept; 0 if the training diverged.
    validation_score : float or None
        R2 or accuracy on the validation rows at that epoch.
    """

    state: dict = field(default_factory=dict)
    train_losses: list = field(default_factory=list)
    valid_losses: list = field(default_factory=list)
    best_epoch: int = 0
    validation_score: Any = None


def train_chunk(members, *data, **params):
    """Train networks together, in halves where memory runs out: they do not depend on those beside them.

    Parameters
    ----------
    members : list of Member
    *data, **params : object
        As in `train_together`.

    Returns
    -------
    numbers : list of int
        Of the members.
    trained : list of Trained
        In the order of the members.

    Raises
    ------
    torch.OutOfMemoryError
        If a single network does not fit.
    """
    numbers = [member.index for member in members]
    try:
        return numbers, train_together(members, *data, **params)
    except torch.OutOfMemoryError:
        if len(members) == 1:
            raise
    # outside of the except clause, which holds on to the tensors
    if params["device"].type == "cuda":
        torch.cuda.empty_cache()
    half = len(members) // 2
    parts = [train_chunk(part, *data, **params) for part in (members[:half], members[half:])]
    return numbers, [result for _, trained in parts for result in trained]


def train_together(
    members, X, y, train, valid, draws, *, batch_size, max_epochs, patience, weight_decay, device, mixed_precision
):
    """Train networks of one property, depth and activation function; each stops where it would have stopped alone.

    Parameters
    ----------
    members : list of Member
    X : {ndarray, CSR array, Tensor} of shape (n, n_features) and dtype float32
        As `device_rows` returns it.
    y : ndarray of shape (n,) and dtype float32 or int64
        Standardised targets of all rows, NaN outside of `train` and `valid`; or codes of classes.
    train, valid : ndarray of int
        Row numbers; no validation rows for no early stopping.
    draws : SharedDraws
        Of the property.
    batch_size, max_epochs, patience, weight_decay, mixed_precision
        As in `PyramidEnsemble`.
    device : torch.device

    Returns
    -------
    trained : list of Trained
        In the order of the members.
    """
    valid_rows = torch.from_numpy(valid).to(device)  # now, for a copy within an epoch would wait for the device
    trained = [Trained() for _ in members]
    with _products(mixed_precision, device) as dtype:
        networks = networks_for(device)(members, X, y, draws, weight_decay, device, dtype)
        # of those that still learn, in their order
        misses, best_epochs = np.zeros(len(members), int), np.zeros(len(members), int)
        best_losses, scores = np.full(len(members), np.inf, np.float32), np.full(len(members), np.nan)
        for epoch in range(max_epochs):
            batches = draws.batches(epoch, len(train), batch_size)
            losses = [networks.train(epoch, [train[batch] for batch in batches])]
            if len(valid):
                losses += networks.validate(valid_rows)
            losses = torch.stack(losses).cpu().numpy()  # the one transfer of an epoch, for which the host waits
            for member, loss in zip(networks.alive, losses.T.tolist(), strict=True):
                trained[member].train_losses.append(loss[0])
                trained[member].valid_losses.extend(loss[1:2])
            done = np.full(len(networks.alive), epoch + 1 == max_epochs)
            if len(valid) == 0:
                best_epochs[:] = epoch + 1
            else:
                better = losses[1] < best_losses * (1 - _PROGRESS)
                best_losses, scores = np.where(better, losses[1], best_losses), np.where(better, losses[2], scores)
                networks.remember(np.flatnonzero(better))
                best_epochs[better] = epoch + 1
                misses = np.where(better, 0, misses + 1)
                done |= misses == patience
            if not done.any():
                continue
            places = np.flatnonzero(done)
            states = networks.states(places, (best_epochs[done] * len(batches)).tolist())
            for place, state in zip(places, states, strict=True):
                result = trained[networks.alive[place]]
                result.state = state
                finite = all(torch.isfinite(tensor).all() for tensor in state.values())
                result.best_epoch = int(best_epochs[place]) if finite else 0
                if len(valid):
                    result.validation_score = float(scores[place])
            if done.all():
                break
            networks.keep(np.flatnonzero(~done))
            best_losses, scores = best_losses[~done], scores[~done]
            misses, best_epochs = misses[~done], best_epochs[~done]
    return trained


@contextmanager
def _products(mixed_precision, device):
    """Choose how exact matrix products are, and yield the dtype of their factors; afterwards torch is as it was."""
    if device.type == "cuda" and mixed_precision == "auto":
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")  # TF32
        try:
            yield torch.float32
        finally:
            torch.set_float32_matmul_precision(before)
    else:
        on_cpu = device.type == "cpu" and mixed_precision is True
        yield torch.bfloat16 if on_cpu or use_bfloat16(mixed_precision, device) else torch.float32
