"""The skorch net inside the estimators over graphs."""

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.nn import functional

from sktaag.sources._graph_store import GraphStore


class GraphNet(NeuralNet):
    """skorch's `NeuralNet` over batches of a `GraphStore`: energies with forces, frozen parts, averaged weights.

    Parameters
    ----------
    module : class or torch.nn.Module
        As in skorch, like all parameters but the following. Takes a batch of graphs.
    forces : bool, default=False
        Whether the loss needs the gradient of the output with respect to the positions of the atoms.
    clip : float or None, default=None
        Upper bound on the norm of the gradient. (skorch's callback asks for the names of all weights in each step.)
    ema : float or None, default=None
        Decay of an exponential moving average of the weights. From the end of an epoch of training to the beginning
        of the next one the module holds the average, so that it is what is validated and kept.
    anchor : float, default=0.0
        Half of this times the squared distance of the weights of the backbone from where they began is added to the
        loss of the training.
    """

    def __init__(self, module, *args, forces=False, clip=None, ema=None, anchor=0.0, **kwargs):
        super().__init__(module, *args, **kwargs)
        self.forces = forces
        self.clip = clip
        self.ema = ema
        self.anchor = anchor

    def trim_for_prediction(self):
        """Forget what only the training needs, and the module as it was given.

        That is the trained one, of which skorch takes care; in a pickle it would be there twice, bound to its device.
        """
        super().trim_for_prediction()
        self.module = type(self.module_)

    def on_train_begin(self, net, **kwargs):
        """Note where the weights begin."""
        super().on_train_begin(net, **kwargs)
        weights = dict(self.module_.named_parameters())
        self._moving = list(weights.values())
        self._averages, self._n_steps, self._raw = [weight.detach().clone() for weight in self._moving], 0, None
        anchored = [weight for name, weight in weights.items() if name.startswith("backbone.") and self.anchor]
        self._anchors = [(weight, weight.detach().clone()) for weight in anchored]

    def on_train_end(self, net, **kwargs):
        """Forget what only the training needs."""
        super().on_train_end(net, **kwargs)
        del self._moving, self._trained, self._averages, self._raw, self._anchors

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run one epoch; the losses leave the device together at its end."""
        if iterator is None:
            return
        if training and self._raw is not None:
            _copy(self._raw, self._moving)
        if training:  # once an epoch: what is frozen neither drops out nor counts statistics
            self.module_.train()
            for part in self.module_.modules():
                if _is_frozen(part):
                    part.eval()
            self._trained = [weight for weight in self._moving if weight.requires_grad]
        losses, sizes = [], []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            sizes.append(batch[0].num_graphs)
            if training and self.ema is not None:
                self._average()
            # without forces, so that skorch's callbacks that score can put batches together
            seen = {"batch": (batch[0], batch[1]["y"]), "loss": step["loss"], "y_pred": step["y_pred"][0]}
            self.notify("on_batch_end", training=training, **seen)
        if training and self.ema is not None:
            self._raw = [weight.detach().clone() for weight in self._moving]
            _copy(self._averages, self._moving)
        rows = self.history[-1]["batches"][-len(losses) :]
        for row, loss, size in zip(rows, torch.stack(losses).tolist(), sizes, strict=True):
            row[f"{prefix}_loss"], row[f"{prefix}_batch_size"] = loss, size
        self.history.record(f"{prefix}_batch_count", len(losses))

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients."""
        graphs, labels = batch
        outputs = self.infer(graphs)
        loss = self.get_loss(outputs, labels, training=True)
        if self._anchors:
            loss = loss + self.anchor / 2 * sum((weight - start).square().sum() for weight, start in self._anchors)
        loss.backward()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self._trained, self.clip)
        return {"loss": loss, "y_pred": outputs}

    def evaluation_step(self, batch, training=False):
        """Return the outputs alone."""
        return super().evaluation_step(batch, training)[0]

    def predict(self, X):
        """Return the outputs, or numbers of classes."""
        outputs = self.predict_proba(X)
        return outputs.argmax(axis=1) if isinstance(self.criterion_, ClassLoss) else outputs

    @property
    def classes_(self):
        """Numbers of the classes, which scorers of scikit-learn ask classifiers for."""
        return np.arange(self.module_.n_targets)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier" if self.criterion is ClassLoss else "regressor"
        return tags

    def infer(self, x, **fit_params):
        """Run the module on a batch.

        Returns
        -------
        outputs : Tensor of shape (n_graphs, n_targets)
        forces : Tensor of shape (n_atoms, 3) or None
            Minus the gradient of the outputs.
        """
        return outputs_and_forces(self.module_, x, self.forces, create_graph=self.module_.training)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss, of outputs and forces."""
        return self.criterion_(y_pred, y_true)

    def _average(self):
        self._n_steps += 1
        decay = min(self.ema, (1 + self._n_steps) / (10 + self._n_steps))  # the first steps are soon forgotten
        torch._foreach_lerp_(self._averages, [weight.detach() for weight in self._moving], 1 - decay)


class GraphLoss(nn.Module):
    r"""Loss of targets and forces, each in units of its spread.

    .. math:: L = \overline{\ell(|\Delta y| / u)} + w \, \overline{\ell(|\Delta \mathbf{F}| / u_F)}

    Missing labels (NaN) are left out. The error of a force is the length of its difference, whatever the axes.

    Parameters
    ----------
    loss : {"mse", "mae", "huber"} or class
        :math:`\ell`. The squared error of a force is divided by 3. A class is a torch loss that knows
        ``reduction="none"``; it sees components of forces.
    unit : ndarray of shape (n_targets,)
        u, in units of the outputs of the network.
    force_weight, force_unit : float
        w and :math:`u_F`, the latter likewise.
    **params
        For the class.
    """

    def __init__(self, loss, unit, force_weight=0.0, force_unit=1.0, **params):
        super().__init__()
        self.loss = loss if isinstance(loss, str) else loss(reduction="none", **params)
        self.register_buffer("unit", torch.as_tensor(unit, dtype=torch.float32))
        self.force_weight = force_weight
        self.force_unit = force_unit

    def forward(self, predicted, true):
        """Return the loss of (outputs, forces or None) against a dict with `y` and, maybe, `forces`."""
        outputs, forces = predicted
        loss = self._mean(outputs / self.unit, true["y"] / self.unit)
        if forces is None:
            return loss
        return loss + self.force_weight * self._mean(forces / self.force_unit, true["forces"] / self.force_unit, True)

    def _mean(self, predicted, true, vectors=False):
        known = ~true.isnan()
        true = torch.where(known, true, predicted.detach())
        if not isinstance(self.loss, str):
            losses = self.loss(predicted, true)
        else:
            error = predicted - true
            if vectors:
                known = known.all(dim=1)
                error = torch.linalg.vector_norm(error, dim=1) / (3**0.5 if self.loss == "mse" else 1)
            if self.loss == "mse":
                losses = error.square()
            elif self.loss == "mae":
                losses = error.abs()
            else:
                losses = functional.huber_loss(error, torch.zeros_like(error), reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)


class ClassLoss(nn.Module):
    """Cross entropy of graphs.

    Parameters
    ----------
    weight : ndarray of shape (n_classes,) or None, default=None
        Of each class.
    """

    def __init__(self, weight=None):
        super().__init__()
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, predicted, true):
        """Return the loss of (outputs, None) against a dict with `y`."""
        return functional.cross_entropy(predicted[0], true["y"], self.weight)


def outputs_and_forces(module, batch, forces, create_graph=False):
    """Run a network on a batch and differentiate what it says.

    Parameters
    ----------
    module : torch.nn.Module
        From a batch to (n_graphs, n_targets).
    batch : torch_geometric.data.Batch
        Of graphs, or of their tokens.
    forces : bool
    create_graph : bool, default=False
        Whether the forces themselves will be differentiated.

    Returns
    -------
    outputs : Tensor of shape (n_graphs, n_targets)
    forces : Tensor of shape (n_atoms, 3) or None
        Minus the gradient of the sum of the outputs: graphs do not see each other.
    """
    if not forces:
        if "tokens" in batch:  # of a frozen backbone, computed before
            return module.read(batch.tokens, batch.batch, batch.num_graphs), None
        return module(batch), None
    batch.pos = batch.pos.detach().requires_grad_()
    with torch.enable_grad():
        outputs = module(batch)
        (gradient,) = torch.autograd.grad(outputs.sum(), batch.pos, create_graph=create_graph)
    return outputs if create_graph else outputs.detach(), -gradient


def strain_gradient(energies, graph, device):
    r"""Differentiate the energy of one structure with respect to a homogeneous strain.

    With :math:`r \to r (1 + \epsilon)` for positions and for the shifts s of images,
    :math:`\partial E / \partial \epsilon = r^T \partial E / \partial r + s^T \partial E / \partial s`.

    Parameters
    ----------
    energies : callable
        From a batch to a Tensor of energies.
    graph : torch_geometric.data.Data
        As `sktaag.graphs.AtomGraphs` makes it.
    device : torch.device

    Returns
    -------
    gradient : ndarray of shape (3, 3)
        Symmetric, for energies do not change when a structure is turned.
    """
    batch = GraphStore([graph], device).all()
    lengths = [batch.pos.detach().requires_grad_(), batch.edge_shift.detach().requires_grad_()]
    batch.pos, batch.edge_shift = lengths
    with torch.enable_grad():
        slopes = torch.autograd.grad(energies(batch).sum(), lengths, allow_unused=True)  # nothing near: no edges
    parts = [part.T @ slope for part, slope in zip(lengths, slopes, strict=True) if slope is not None]
    gradient = sum(parts, torch.zeros(3, 3, dtype=batch.pos.dtype, device=device)).detach()
    return (0.5 * (gradient + gradient.T)).cpu().numpy()


def _is_frozen(part):
    weights = list(part.parameters())
    return bool(weights) and not any(weight.requires_grad for weight in weights)


def _copy(values, weights):
    with torch.no_grad():
        torch._foreach_copy_(weights, values)
