"""What every estimator over graphs shares: input, skorch net, training, batches."""

from abc import abstractmethod
from copy import deepcopy
from inspect import signature
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split

from sktaag.heads._epoch_bar import EpochBar
from sktaag.heads._inner_split import inner_split
from sktaag.heads._net_params import NetParamsMixin
from sktaag.heads._rows import RowBatches
from sktaag.heads._torch_state import isolated_seed, resolve_device
from sktaag.nn import make_backbone
from sktaag.sources._graph_input import GraphInputMixin
from sktaag.sources._graph_net import GraphNet, outputs_and_forces
from sktaag.sources._graph_networks import (
    build_network,
    check_can_be_kept,
    evaluation_copy,
    own_tensors,
    take_tensors,
)
from sktaag.sources._graph_store import GraphRows, GraphStore
from sktaag.sources._tokens import graph_tokens, run_batches

_EARLY_STOPPING_ROWS = 100  # fewer rows are worth more in training than as a noisy validation set
_BATCH = 32  # graphs in a batch; forces are learned with a tenth of the rows, but _SMALL_BATCH at least
_SMALL_BATCH = 4
_VALIDATION = 4  # batches of validation have so many times the graphs of those of training
_OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


class GraphEstimator(GraphInputMixin, NetParamsMixin, BaseEstimator):
    """A `sktaag.nn.GraphNetwork` in a skorch net, trained on a column of structures.

    A subclass writes `_start`, prepares the targets and calls `_make_network`, `_fit_graphs` and `_train`;
    it reads predictions out of `_run`.
    """

    def __init__(
        self,
        *,
        target,
        graphs,
        optimizer,
        lr,
        weight_decay,
        scheduler,
        batch_size,
        max_epochs,
        early_stopping,
        patience,
        validation_fraction,
        ema,
        clip,
        callbacks,
        device,
        random_state,
        verbose,
        **net_params,
    ):
        self.target = target
        self.graphs = graphs
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.ema = ema
        self.clip = clip
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_net_params(net_params)

    @property
    def module_(self):
        """The trained `sktaag.nn.GraphNetwork`."""
        return self.net_.module_

    @property
    def backbone_(self):
        """The `sktaag.nn.Backbone` inside the network."""
        return self.module_.backbone

    @property
    def hidden_sizes_(self):
        """Width of the states after each interaction block, tuple of int."""
        return (self.backbone_.n_features,) * self.backbone_.n_layers

    def hidden_outputs(self, X, activation="pre"):
        """Compute the states after each interaction block, each the mean over the atoms of the structure.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        activation : {"pre", "post"}, default="pre"
            Ignored, for no activation follows a state; there as in networks of layers.

        Returns
        -------
        layers : list of ndarray of shape (n_samples, n_features) and dtype float32
            First block to last; NaN for invalid structures if `graphs` lets them pass.
        """
        check_is_fitted(self)
        graphs = self._to_graphs(X, self.backbone_)
        layers = np.full((self.backbone_.n_layers, len(graphs), self.backbone_.n_features), np.nan, np.float32)
        there = [row for row, graph in enumerate(graphs) if graph is not None]
        tokens = graph_tokens(self.backbone_, [graphs[row] for row in there], self.backbone_.device)
        for row, states in zip(there, tokens, strict=True):
            layers[:, row] = states[:, 1:].mean(axis=0)
        return list(layers)

    @property
    def n_outputs_(self):
        """Number of targets, or of classes."""
        return len(self.classes_) if hasattr(self, "classes_") else len(self.target_scaler_.scale_)

    def net_state(self):
        """Return what rebuilds the trained net: arguments of its module, in JSON's types, and its weights.

        Returns
        -------
        module_params : dict
        weights : dict of str to torch.Tensor

        Raises
        ------
        TypeError
            If the backbone has no name of its own.
        """
        check_is_fitted(self)
        check_can_be_kept(self.backbone_)
        return self._network_config, own_tensors(self.module_)

    def restore_net(self, module_params, weights):
        """Give an estimator that lost its net a new one, on the CPU, that predicts as the old one did.

        Parameters
        ----------
        module_params : dict
        weights : dict of str to torch.Tensor
            Both as `net_state` returns them.
        """
        with isolated_seed(0, torch.device("cpu")):  # first weights are drawn, to be replaced at once
            backbone = make_backbone(module_params["backbone"], **module_params["config"])
            network = build_network(backbone, **module_params["network"])
            take_tensors(network, weights, module_params["backbone"])
            self._hold(network, module_params)

    def _hold(self, network, module_params):
        """Take a trained network as one's own; `module_params` as `net_state` returns them."""
        net = GraphNet(network, criterion=torch.nn.MSELoss, verbose=0)  # skorch wants a criterion to begin with
        net.initialize()
        net.trim_for_prediction()
        self.net_ = net
        self._network_config = module_params

    @abstractmethod
    def _start(self, X, n_outputs):
        """Return a `Start`; weights are drawn by torch's own generator."""

    def _module_params(self):
        """Return what is routed to the module, by the names that it knows; numpy's numbers as Python's, for JSON."""
        routed = self._get_net_params().items()
        given = {name.removeprefix("module__"): value for name, value in routed if name.startswith("module__")}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}

    def _freeze(self, network):
        """Switch off the gradients of what is not trained."""

    def _param_groups(self, network):
        """Return parameter groups as skorch takes them, [(pattern, settings)]."""
        return []

    def _own_callbacks(self):
        """Return callbacks of the subclass, [(name, callback)]."""
        return []

    # ---------------------------------------------------------------- structures to graphs

    def _make_network(self, X, n_outputs, rng):
        """Return the network to train, on the CPU, and the `Start` that it was made of."""
        with isolated_seed(rng.randint(np.iinfo(np.int32).max), torch.device("cpu")):
            start = self._start(X, n_outputs)
            network = build_network(start.backbone, **start.network)
        if start.readout is not None:
            network.head = start.readout
        backbone = start.backbone
        self._network_config = {"backbone": backbone.name, "config": backbone.config, "network": start.network}
        return network, start

    # ---------------------------------------------------------------- training

    def _training_graphs(self, network, graphs, forces):
        """Return the graphs that the training runs on, such as graphs with their tokens."""
        return graphs

    def _train(self, network, graphs, labels, rng, criterion, criterion_params, *, forces=False, **split):
        """Train a network and return the row numbers of the inner validation set, or None.

        Parameters
        ----------
        network : GraphNetwork
            As `_make_network` returns it.
        graphs : list of Data
        labels : dict of str to ndarray
            As `GraphStore` and the criterion take them.
        rng : RandomState
        criterion : class
            Of a loss of (outputs, forces) and labels.
        criterion_params : dict
        forces : bool, default=False
        **split : dict
            `classes` or `known`, as `inner_split` takes them.
        """
        n_rows = len(graphs)
        device = resolve_device(self.device)
        train, valid = np.arange(n_rows), None
        if self.early_stopping is True or (self.early_stopping == "auto" and n_rows >= _EARLY_STOPPING_ROWS):
            train, valid = inner_split(n_rows, self.validation_fraction, rng, **split)
            if len(valid) == 0 or len(train) == 0:
                raise ValueError(f"early_stopping=True leaves nothing to train or validate on: n_samples={n_rows}.")
        self._freeze(network)
        store = GraphStore(graphs, device, labels)
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = min(max(len(train) // 10, _SMALL_BATCH), _BATCH) if forces else _BATCH
        optimizer = _OPTIMIZERS.get(self.optimizer, self.optimizer)
        decays = "weight_decay" in signature(optimizer).parameters
        groups = self._param_groups(network)
        params = {
            "iterator_train__shuffle": True,
            "iterator_valid__batch_size": _VALIDATION * batch_size,
            **({"optimizer__weight_decay": self.weight_decay} if decays else {}),
            **({"optimizer__param_groups": groups} if groups else {}),
            **{f"criterion__{name}": value for name, value in criterion_params.items()},
            **{name: value for name, value in self._get_net_params().items() if not name.startswith("module__")},
        }
        net = GraphNet(
            network,
            criterion=criterion,
            optimizer=optimizer,
            lr=self.lr,
            max_epochs=self.max_epochs,
            batch_size=batch_size,
            iterator_train=RowBatches,
            iterator_valid=RowBatches,
            train_split=None if valid is None else predefined_split(GraphRows(store, valid)),
            callbacks=self._make_callbacks("train_loss" if valid is None else "valid_loss"),
            verbose=int(self.verbose >= 2),
            **({} if self.verbose >= 2 else {"callbacks__print_log": None}),
            device=str(device),
            forces=forces,
            clip=self.clip,
            ema=self.ema,
            **self._net_options(),
            **params,
        )
        with isolated_seed(rng.randint(np.iinfo(np.int32).max), device):
            try:
                net.fit(GraphRows(store, train))
            except torch.OutOfMemoryError as error:
                error.add_note(f"The training of {type(self).__name__} needs less memory with a lower batch_size.")
                raise

        self.history_ = [{key: epoch[key] for key in epoch if key != "batches"} for epoch in net.history]
        self.n_iter_ = len(self.history_)
        self.best_epoch_ = self.n_iter_ if valid is None else dict(net.callbacks_)["early_stopping"].best_epoch_
        if not all(torch.isfinite(weight).all() for weight in net.module_.state_dict().values()):
            raise ValueError(
                f"Training diverged: after {self.n_iter_} epochs the weights are not finite. Lower lr (now {self.lr}) "
                "or clip."
            )
        net.trim_for_prediction()  # optimizer, callbacks and validation rows do not belong in a pickle
        self.net_ = net
        return valid

    def _net_options(self):
        """Return further arguments of `GraphNet`."""
        return {}

    def _make_callbacks(self, monitor):
        callbacks = []
        if self.scheduler == "plateau":
            patience = max(1, self.patience // 3)  # two reductions before early stopping gives up
            plateau = LRScheduler("ReduceLROnPlateau", monitor=monitor, factor=0.5, patience=patience)
            callbacks.append(("lr_scheduler", plateau))
        elif self.scheduler == "cosine":
            callbacks.append(("lr_scheduler", LRScheduler("CosineAnnealingLR", T_max=self.max_epochs)))
        callbacks += self._own_callbacks()
        callbacks += deepcopy(list(self.callbacks or []))  # skorch changes them, scikit-learn's parameters stay
        if self.verbose == 1:
            callbacks.append(("progress", EpochBar(type(self).__name__)))
        if monitor == "valid_loss":  # last, because it ends the epoch for those that follow
            callbacks.append(("early_stopping", EarlyStopping(patience=self.patience, load_best=True)))
        return callbacks

    # ---------------------------------------------------------------- evaluation

    def _run(self, graphs, network=None, *, n_outputs, forces=False):
        """Run the network on graphs, in double precision: in single precision sums change with the rest of a batch.

        Parameters
        ----------
        graphs : sequence of Data or None
        network : GraphNetwork or None, default=None
            As `evaluation_copy` makes it; None for one of the trained network.
        n_outputs : int
        forces : bool, default=False

        Returns
        -------
        outputs : ndarray of shape (n, n_outputs)
            NaN where there is no graph.
        forces : list of ndarray of shape (n_atoms, 3), or of None
        """
        device = resolve_device(self.device)
        network = evaluation_copy(self.module_, device) if network is None else network

        def run(batch):
            outputs, gradients = outputs_and_forces(network, batch, forces)
            parts = [None] * batch.num_graphs
            if gradients is not None:
                parts = np.split(gradients.cpu().numpy(), batch.ptr[1:-1].cpu().numpy())
            return outputs.cpu().numpy(), parts

        outputs, gradients = np.full((len(graphs), n_outputs), np.nan), [None] * len(graphs)
        with torch.set_grad_enabled(forces):
            for indices, (values, parts) in run_batches(graphs, run, device):
                outputs[indices] = values
                for i, part in zip(indices, parts, strict=True):
                    gradients[i] = part
        return outputs, gradients

    def _check_params(self):
        for name, words in (("max_epochs", ()), ("patience", ()), ("batch_size", ("auto",))):
            value = getattr(self, name)
            if value not in words and (not isinstance(value, Integral) or value < 1):
                allowed = "".join(f' or "{word}"' for word in words)
                raise ValueError(f"{name} must be an integer of at least 1{allowed}, got {value!r}.")
        for name in ("lr", "weight_decay"):
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= value < np.inf:
                raise ValueError(f"{name} must be in [0, inf), got {value!r}.")
        for name, high in (("ema", 1), ("clip", np.inf)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Real) or not 0 < value < high):
                raise ValueError(f"{name} must be None or in (0, {high}), got {value!r}.")
        if not isinstance(self.validation_fraction, Real) or not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}.")
        for name, allowed in (
            ("early_stopping", (True, False, "auto")),
            ("scheduler", (None, "plateau", "cosine")),
            ("target", ("extensive", "intensive")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}.")
        if isinstance(self.optimizer, str) and self.optimizer not in _OPTIMIZERS:
            raise ValueError(
                f"optimizer must be one of {', '.join(_OPTIMIZERS)} or a torch optimizer class, got {self.optimizer!r}."
            )
