"""Train one chunk of networks together."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from sktaag.heads._torch_state import use_bfloat16
from sktaag.nn._batched_adamw import BatchedAdamW
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
        R2 on the validation rows at that epoch.
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
    X : {ndarray, CSR array} of shape (n, n_features) and dtype float32
        As `sparse_if_mostly_zero` returns it.
    y : ndarray of shape (n,) and dtype float32
        Standardised targets of all rows; NaN outside of `train` and `valid`.
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
    rows = SharedRows(X, device)
    take = rows.for_members(members)
    gather = members[0].columns is not None and not rows.sparse  # sparse rows come cut to the columns of each
    net = BatchedPyramid(
        [member.pyramid(X.shape[1]) for member in members],
        [torch.from_numpy(member.columns) for member in members] if gather else None,
        torch.bfloat16 if use_bfloat16(mixed_precision, device) else torch.float32,
    ).to(device)
    parameters = list(net.parameters())
    optimizer = BatchedAdamW(parameters, torch.tensor([m.lr for m in members], dtype=torch.float64), weight_decay)
    widths = [max(sizes) for sizes in zip(*(member.hidden_sizes for member in members), strict=True)]
    noisy = any(member.dropout > 0 for member in members)
    y = torch.from_numpy(y).to(device)
    trained = [Trained() for _ in members]

    # of those that still learn, in the order of the batch
    alive, misses, best_epochs = np.arange(len(members)), np.zeros(len(members), int), np.zeros(len(members), int)
    best_losses = torch.full((len(members),), np.inf, device=device)
    best = [tensor.clone() for tensor in net.tensors()] if len(valid) else []
    for epoch in range(max_epochs):
        net.train()
        sums, batches = 0, draws.batches(epoch, len(train), batch_size)
        for k, batch in enumerate(batches):
            noise = [
                torch.from_numpy(draws.noise(epoch, k, layer, len(batch), width)).to(device)
                for layer, width in enumerate(widths if noisy else ())
            ]
            losses = (net(take(train[batch], alive), noise or None) - y[train[batch]]).square().mean(1)
            optimizer.step(torch.autograd.grad(losses.sum(), parameters))
            sums = sums + losses.detach() * len(batch)
        for member, loss in zip(alive, (sums / len(train)).tolist(), strict=True):
            trained[member].train_losses.append(loss)
        done = np.full(len(alive), epoch + 1 == max_epochs)
        if len(valid) == 0:
            best_epochs[:] = epoch + 1
        else:
            losses = _evaluate(net, take, valid, alive, y)
            for member, loss in zip(alive, losses.tolist(), strict=True):
                trained[member].valid_losses.append(loss)
            better = losses < best_losses * (1 - _PROGRESS)
            best_losses = torch.where(better, losses, best_losses)
            for kept, tensor in zip(best, net.tensors(), strict=True):
                kept[better] = tensor[better]
            better = better.cpu().numpy()
            best_epochs[better] = epoch + 1
            misses = np.where(better, 0, misses + 1)
            done |= misses == patience
        if not done.any():
            continue
        for tensor, kept in zip(net.tensors(), best, strict=False):
            tensor[done] = kept[done]
        for place in np.flatnonzero(done):
            result = trained[alive[place]]
            result.state = net.member_state(int(place), int(best_epochs[place]) * len(batches))
            finite = all(torch.isfinite(tensor).all() for tensor in result.state.values())
            result.best_epoch = int(best_epochs[place]) if finite else 0
            if len(valid):
                result.validation_score = _r2(best_losses[place].item(), y[valid])
        left = torch.from_numpy(np.flatnonzero(~done)).to(device)
        net.keep(left)
        parameters = list(net.parameters())
        optimizer.keep(left, parameters)
        best, best_losses = [tensor[left] for tensor in best], best_losses[left]
        alive, misses, best_epochs = alive[~done], misses[~done], best_epochs[~done]
        if len(alive) == 0:
            break
    return [member.index for member in members], trained


def _evaluate(net, take, valid, alive, y):
    """Return the mean loss of each network on the validation rows."""
    net.eval()
    pieces = np.split(valid, range(_EVALUATION_BATCH, len(valid), _EVALUATION_BATCH))
    with torch.no_grad():
        return sum((net(take(piece, alive)) - y[piece]).square().sum(1) for piece in pieces) / len(valid)


def _r2(loss, y):
    spread = (y - y.mean()).square().mean().item()
    return 1 - loss / spread if spread > 0 and np.isfinite(loss) else float("nan")
