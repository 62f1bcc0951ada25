"""Train one chunk of networks together."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from sktaag.heads._torch_state import use_bfloat16
from sktaag.nn._batched_adamw import BatchedAdamW
from sktaag.nn._batched_device_pyramid import BatchedDevicePyramid
from sktaag.nn._batched_pyramid import BatchedPyramid
from sktaag.sources._shotgun_rows import SharedRows

_EVALUATION_BATCH = 1024
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


def train_chunk(
    members, X, y, train, valid, draws, *, batch_size, max_epochs, patience, weight_decay, device, mixed_precision
):
    """Train networks of one property, depth and activation function; each stops where it would have stopped alone.

    Parameters
    ----------
    members : list of Member
    X : {ndarray, CSR array, Tensor} of shape (n, n_features) and dtype float32
        As `sparse_if_mostly_zero` returns it.
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
    numbers : list of int
        Of the members.
    trained : list of Trained
        In the order of the members.
    """
    trained = [Trained() for _ in members]
    with _products(mixed_precision, device) as dtype:
        chunk = _Chunk(members, X, y, draws, weight_decay, device, dtype)
        # of those that still learn, in the order of the batch
        misses, best_epochs = np.zeros(len(members), int), np.zeros(len(members), int)
        best_losses, scores = np.full(len(members), np.inf, np.float32), np.full(len(members), np.nan)
        best = [tensor.clone() for tensor in chunk.net.tensors()] if len(valid) else []
        for epoch in range(max_epochs):
            batches = draws.batches(epoch, len(train), batch_size)
            losses = [chunk.train(epoch, [train[batch] for batch in batches])]
            if len(valid):
                losses += chunk.validate(valid)
            losses = torch.stack(losses).cpu().numpy()  # the one transfer of an epoch, for which the host waits
            for member, loss in zip(chunk.alive, losses.T.tolist(), strict=True):
                trained[member].train_losses.append(loss[0])
                trained[member].valid_losses.extend(loss[1:2])
            done = np.full(len(chunk.alive), epoch + 1 == max_epochs)
            if len(valid) == 0:
                best_epochs[:] = epoch + 1
            else:
                better = losses[1] < best_losses * (1 - _PROGRESS)
                best_losses, scores = np.where(better, losses[1], best_losses), np.where(better, losses[2], scores)
                places = torch.from_numpy(np.flatnonzero(better)).to(device)
                for kept, tensor in zip(best, chunk.net.tensors(), strict=True):
                    kept[places] = tensor[places]
                best_epochs[better] = epoch + 1
                misses = np.where(better, 0, misses + 1)
                done |= misses == patience
            if not done.any():
                continue
            places = torch.from_numpy(np.flatnonzero(done)).to(device)
            for tensor, kept in zip(chunk.net.tensors(), best, strict=False):
                tensor[places] = kept[places]
            states = chunk.net.states(np.flatnonzero(done).tolist(), (best_epochs[done] * len(batches)).tolist())
            for place, state in zip(np.flatnonzero(done), states, strict=True):
                result = trained[chunk.alive[place]]
                result.state = state
                finite = all(torch.isfinite(tensor).all() for tensor in state.values())
                result.best_epoch = int(best_epochs[place]) if finite else 0
                if len(valid):
                    result.validation_score = float(scores[place])
            if done.all():
                break
            left = torch.from_numpy(np.flatnonzero(~done)).to(device)
            chunk.keep(left)
            best = [tensor[left] for tensor in best]
            best_losses, scores = best_losses[~done], scores[~done]
            misses, best_epochs = misses[~done], best_epochs[~done]
    return [member.index for member in members], trained


class _Chunk:
    """Networks in training: the data, the stack, the optimizer. Nothing in it waits for the device."""

    def __init__(self, members, X, y, draws, weight_decay, device, dtype):
        self.device, self.draws = device, draws
        self.rows, self.y = SharedRows(X, members), torch.from_numpy(y).to(device)
        pyramids = [member.pyramid(X.shape[1]) for member in members]
        if device.type == "cpu":
            self.net = BatchedPyramid(pyramids, self.rows.columns)
        else:
            self.net = BatchedDevicePyramid(pyramids, self.rows.columns, dtype).to(device)
        self.parameters = list(self.net.parameters())
        self.optimizer = BatchedAdamW(self.parameters, [member.lr for member in members], weight_decay)
        self.noisy = any(member.dropout > 0 for member in members)
        #: Numbers, in the chunk, of the members that still learn.
        self.alive = np.arange(len(members))

    def train(self, epoch, batches):
        """Pass once over the rows; the mean loss of each network, (n_alive,)."""
        self.net.train()
        rows = torch.from_numpy(np.concatenate(batches)).to(self.device)
        sums = torch.zeros(len(self.alive), device=self.device)
        for k, batch in enumerate(rows.split([len(batch) for batch in batches])):
            n_layers, n_rows = self.net.n_hidden, len(batch)
            noise = self.draws.noise(epoch, k, n_layers, n_rows, self.device) if self.noisy else None
            losses = _losses(self._outputs(batch, noise), self.y[batch]).sum(1)
            self.optimizer.step(torch.autograd.grad(losses.sum() / n_rows, self.parameters))
            sums += losses.detach()
        return sums / len(rows)

    def validate(self, rows):
        """Return the mean loss of each network and its score, R2 or accuracy, both (n_alive,)."""
        self.net.eval()
        rows = torch.from_numpy(rows).to(self.device)
        with torch.no_grad():
            outputs = torch.cat([self._outputs(piece) for piece in rows.split(_EVALUATION_BATCH)], dim=1)
            losses, y = _losses(outputs, self.y[rows]).mean(1), self.y[rows]
            if y.is_floating_point():
                spread = y.var(correction=0)
                return [losses, 1 - losses / spread.where(spread > 0, torch.nan)]
            return [losses, (outputs.argmax(2) == y).float().mean(1)]

    def keep(self, places):
        """Go on with some networks alone."""
        self.net.keep(places)
        self.parameters = list(self.net.parameters())
        self.optimizer.keep(places, self.parameters)
        self.alive = self.alive[places.cpu().numpy()]

    def _outputs(self, rows, noise=None):
        return self.net(self.rows.take(rows, self.alive), noise)


def _losses(outputs, y):
    """Return the loss of each network (m, n, k) on each row (n,): squared errors, or cross entropies of classes."""
    if y.is_floating_point():
        return (outputs[:, :, 0] - y).square()
    return cross_entropy(outputs.mT, y.expand(len(outputs), -1), reduction="none")


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
        yield torch.bfloat16 if use_bfloat16(mixed_precision, device) else torch.float32
