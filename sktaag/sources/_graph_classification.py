"""What every classifier over graphs shares."""

from functools import partial

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sktaag.sources._graph_estimator import GraphEstimator
from sktaag.sources._graph_net import ClassLoss


class GraphClassification(ClassifierMixin, GraphEstimator):
    """Classification with a `GraphNetwork`. A subclass writes `_start`."""

    def __init__(self, *, class_weight, **params):
        super().__init__(**params)
        self.class_weight = class_weight

    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.
        y : array-like of shape (n_samples,)
            Classes.

        Returns
        -------
        self : object
        """
        self._check_params()
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(f"{type(self).__name__} needs two classes; y has one class only: {classes[0]}.")
        rng = check_random_state(self.random_state)
        network, start = self._make_network(X, len(classes), rng)
        graphs = self._fit_graphs(X, start)
        there = np.array([graph is not None for graph in graphs])
        lost = np.setdiff1d(classes, y[there])
        if len(lost):
            raise ValueError(f"All structures of the class {lost[0]} are invalid. Drop their rows.")
        graphs, y = self._training_graphs(network, list(graphs[there]), False), y[there]
        self.classes_, codes = classes, np.searchsorted(classes, y)
        params = {}
        if self.class_weight is not None:
            params["weight"] = compute_class_weight(self.class_weight, classes=classes, y=y)
        valid = self._train(network, graphs, {"y": codes}, rng, ClassLoss, params, classes=codes)
        self.validation_score_ = None
        if valid is not None:
            proba = self._predict_graphs([graphs[i] for i in valid])
            self.validation_score_ = accuracy_score(y[valid], classes[proba.argmax(axis=1)])
        return self

    def predict_proba(self, X):
        """Predict probabilities.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; NaN for invalid structures if `graphs` lets them pass.
        """
        check_is_fitted(self)
        return self._predict_graphs(self._to_graphs(X, self.backbone_))

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : column of shape (n_samples,)
            Structures, or graphs as `sktaag.graphs` makes them.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The most probable class.

        Raises
        ------
        ValueError
            If `graphs` lets invalid structures pass: there is no class for them.
        """
        proba = self.predict_proba(X)
        invalid = np.flatnonzero(np.isnan(proba[:, 0]))
        if len(invalid):
            rows = ", ".join(map(str, invalid[:5])) + (", ..." if len(invalid) > 5 else "")
            raise ValueError(
                f"{len(invalid)} structures are invalid (rows {rows}) and have no class. Drop these rows, or ask for "
                "predict_proba, which gives NaN."
            )
        return self.classes_[proba.argmax(axis=1)]

    def _net_options(self):
        return {"predict_nonlinearity": partial(torch.softmax, dim=1)}  # for callbacks that score

    def _predict_graphs(self, graphs):
        return softmax(self._run(graphs, n_outputs=len(self.classes_))[0], axis=1)
