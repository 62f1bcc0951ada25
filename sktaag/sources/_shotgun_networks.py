"""The networks of a chunk while they learn: stacked on a device, or in turn on the CPU."""

from abc import ABC, abstractmethod
from functools import partial

import numpy as np
import torch
from scipy.sparse import issparse
from torch.nn.functional import cross_entropy, one_hot

from sktaag.nn._batched_adamw import BatchedAdamW
from sktaag.nn._batched_pyramid import BatchedPyramid
from sktaag.nn._plain_pyramid import PlainPyramid
from sktaag.nn._sparse_linear import SparseBatch

_EVALUATION_BATCH = 1024
_GROUP_BYTES = 2**25  # of batches that a network of the CPU takes before it is another one's turn


def networks_for(device):
    """Return the class for a kind of device."""
    return NetworksInTurn if device.type == "cpu" else StackedNetworks


class Networks(ABC):
    """Networks in training: the data, the weights, the optimizer.

    Parameters
    ----------
    members : list of Member
    X : {ndarray, CSR array, Tensor} of shape (n, n_features) and dtype float32
        As `device_rows` returns it.
    y : ndarray of shape (n,)
        Standardised targets, or codes of classes.
    draws : SharedDraws
    weight_decay : float
    device : torch.device
    dtype : torch.dtype
        Of the factors of matrix products.
    """

    def __init__(self, members, X, y, draws, weight_decay, device, dtype):
        self.device, self.draws = device, draws
        self.X = torch.from_numpy(np.require(X, requirements="W")) if isinstance(X, np.ndarray) else X
        self.y = torch.from_numpy(y).to(device)
        self.columns = None
        if members[0].columns is not None:
            self.columns = [torch.from_numpy(member.columns) for member in members]
        self.noisy = any(member.dropout > 0 for member in members)
        #: Numbers, in the chunk, of the members that still learn.
        self.alive = np.arange(len(members))
        pyramids = [member.pyramid(X.shape[1]) for member in members]
        self._start(pyramids, [member.lr for member in members], weight_decay, dtype)

    def validate(self, rows):
        """Return the mean loss of each network and its score, R2 or accuracy, both of shape (n_alive,).

        Parameters
        ----------
        rows : Tensor of int
            Row numbers, on the device.
        """
        with torch.no_grad():
            outputs = torch.cat([self._outputs(piece) for piece in rows.split(_EVALUATION_BATCH)], dim=1)
            losses, y = _losses(outputs, self.y[rows]).mean(1), self.y[rows]
            if y.is_floating_point():
                spread = y.var(correction=0)
                return [losses, 1 - losses / spread.where(spread > 0, torch.nan)]
            return [losses, (outputs.argmax(2) == y).float().mean(1)]

    @abstractmethod
    def _start(self, pyramids, rates, weight_decay, dtype):
        """Take untrained networks and their learning rates."""

    @abstractmethod
    def train(self, epoch, batches):
        """Pass once over batches, arrays of row numbers; the mean loss of each network, of shape (n_alive,)."""

    @abstractmethod
    def remember(self, places):
        """Keep the weights that some of the living networks have now, given their places among these."""

    @abstractmethod
    def states(self, places, n_batches):
        """Return state dicts of some of the living networks, of the weights that were kept, if any were."""

    @abstractmethod
    def keep(self, places):
        """Go on with some of the living networks alone."""

    @abstractmethod
    def _outputs(self, rows):
        """Return what the living networks give for rows, of shape (n_alive, n_rows, n_outputs)."""


class StackedNetworks(Networks):
    """A layer of all of them is one batched product. Nothing in an epoch waits for the device."""

    def _start(self, pyramids, rates, weight_decay, dtype):
        self.net = BatchedPyramid(pyramids, self.columns, dtype).to(self.device)
        self.parameters = list(self.net.parameters())
        self.optimizer = BatchedAdamW(self.parameters, rates, weight_decay)
        self.best = None

    def train(self, epoch, batches):
        self.net.train()
        rows = torch.from_numpy(np.concatenate(batches)).to(self.device)
        sums = torch.zeros(len(self.alive), device=self.device)
        for k, batch in enumerate(rows.split([len(batch) for batch in batches])):
            noise = self.draws.noise(epoch, k, self.net.n_hidden, len(batch), self.device) if self.noisy else None
            losses = _losses(self.net(self.X[batch], noise), self.y[batch]).sum(1)
            self.optimizer.step(torch.autograd.grad(losses.sum() / len(batch), self.parameters))
            sums += losses.detach()
        return sums / len(rows)

    def remember(self, places):
        if self.best is None:
            self.best = [tensor.clone() for tensor in self.net.tensors()]
        places = torch.from_numpy(places).to(self.device)
        for kept, tensor in zip(self.best, self.net.tensors(), strict=True):
            kept[places] = tensor[places]

    def states(self, places, n_batches):
        if self.best is not None:
            numbers = torch.from_numpy(places).to(self.device)
            for tensor, kept in zip(self.net.tensors(), self.best, strict=True):
                tensor[numbers] = kept[numbers]
        return self.net.states(places.tolist(), n_batches)

    def keep(self, places):
        self.alive = self.alive[places]
        places = torch.from_numpy(places).to(self.device)
        self.net.keep(places)
        self.parameters = list(self.net.parameters())
        self.optimizer.keep(places, self.parameters)
        if self.best is not None:
            self.best = [tensor[places] for tensor in self.best]

    def _outputs(self, rows):
        return self.net.eval()(self.X[rows])


class NetworksInTurn(Networks):
    """One after the other takes some batches, so that its weights and moments stay in the cache meanwhile.

    What networks share is done once for all: batches are sliced and transposed, noise is drawn.
    """

    def _start(self, pyramids, rates, weight_decay, dtype):
        self.nets = [PlainPyramid(pyramid, dtype) for pyramid in pyramids]
        self.optimizers = [
            BatchedAdamW(net.parameters(), [lr], weight_decay) for net, lr in zip(self.nets, rates, strict=True)
        ]
        self.best = {}

    def train(self, epoch, batches):
        sums = torch.zeros(len(self.alive))
        for group in self._groups(epoch, batches):
            for place, m in enumerate(self.alive):
                for x, y, noise in group:
                    losses, grads = self.nets[m].backpropagate(self._own(x, m), partial(_loss_and_slope, y), noise)
                    self.optimizers[m].step(grads)
                    sums[place] += losses.sum()
        return sums / sum(map(len, batches))

    def remember(self, places):
        for m in self.alive[places]:
            self.best[m] = [tensor.clone() for tensor in self.nets[m].tensors()]

    def states(self, places, n_batches):
        states = []
        for m, seen in zip(self.alive[places], n_batches, strict=True):
            for tensor, kept in zip(self.nets[m].tensors(), self.best.pop(m, ()), strict=False):
                tensor.copy_(kept)
            states.append(self.nets[m].state(seen))
            self.nets[m] = self.optimizers[m] = None
        return states

    def keep(self, places):
        self.alive = self.alive[places]

    def _outputs(self, rows):
        x = self._take(rows)
        return torch.stack([self.nets[m].outputs(self._own(x, m)) for m in self.alive])

    def _groups(self, epoch, batches):
        """Yield lists of batches, as many as stay small together: rows, targets, noise."""
        group, n_bytes = [], 0
        for k, batch in enumerate(batches):
            rows, noise = torch.from_numpy(batch), None
            x = self._take(rows)
            n_bytes += 8 * x.X.nnz if isinstance(x, SparseBatch) else 4 * x.numel()
            if self.noisy:
                n_hidden = len(self.nets[self.alive[0]].dropout)
                noise = self.draws.noise(epoch, k, n_hidden, len(batch), self.device).mT.contiguous()
                n_bytes += 4 * noise.numel()
            group.append((x, self.y[rows], noise))
            if n_bytes > _GROUP_BYTES or k + 1 == len(batches):
                yield group
                group, n_bytes = [], 0

    def _take(self, rows):
        return SparseBatch(self.X[rows.numpy()]) if issparse(self.X) else self.X[rows]

    def _own(self, x, m):
        """Columns of network m, of rows."""
        if self.columns is None:
            return x
        return x.columns(self.columns[m].numpy()) if isinstance(x, SparseBatch) else x[:, self.columns[m]]


def _losses(outputs, y):
    """Return the loss of each network (m, n, k) on each row (n,): squared errors, or cross entropies of classes."""
    if y.is_floating_point():
        return (outputs[:, :, 0] - y).square()
    return cross_entropy(outputs.mT, y.expand(len(outputs), -1), reduction="none")


def _loss_and_slope(y, outputs):
    """Return losses (n,) of one network's outputs (n, k), and the gradient of their mean."""
    if y.is_floating_point():
        errors = outputs[:, 0] - y
        return errors.square(), (errors * (2 / len(y)))[:, None]
    slope = (outputs.softmax(1) - one_hot(y, outputs.shape[1])) / len(y)
    return cross_entropy(outputs, y, reduction="none"), slope
