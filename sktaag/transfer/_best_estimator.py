"""What a search offers once its winner is fitted."""

from copy import copy
from inspect import signature

import numpy as np
import sklearn
from sklearn.ensemble import VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sktaag.transfer._drawing import draw_beside, drawn_sources


def _can(method):
    """Whether the best estimator, or a head before there is one, has a method."""

    def check(self):
        getattr(self.best_estimator_ if hasattr(self, "best_estimator_") else self._first_head(), method)
        return True

    return check


class BestEstimatorMixin:
    """Methods that `best_estimator_` answers."""

    @available_if(_can("predict"))
    def predict(self, X, return_std=False):
        """Predict by the best estimator.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the sources take.
        return_std : bool, default=False
            Whether to return a standard deviation as well: if "average" or "stack" won, that of the predictions of its
            members, which says how far the sources disagree; else that of a head whose own `predict` has
            `return_std`.

        Returns
        -------
        predicted : ndarray of shape (n_samples,) or (n_samples, n_targets)
        std : ndarray of the same shape
            Only if `return_std`.

        Raises
        ------
        ValueError
            If `return_std` and what won has none.
        """
        self._check_refitted("predict")
        if not return_std:
            return self.best_estimator_.predict(X)
        if isinstance(self.best_estimator_, VotingRegressor):
            mean, members = self.best_estimator_.predict(X), self.best_estimator_.transform(X)
            spread = np.average((members - mean[:, None]) ** 2, axis=1, weights=self.best_estimator_.weights)
            return mean, np.sqrt(spread)
        head = self.best_estimator_[-1] if isinstance(self.best_estimator_, Pipeline) else self.best_estimator_
        if "return_std" not in signature(head.predict).parameters:
            raise ValueError(
                f"The search chose {self.best_strategy_!r}, and {type(head).__name__} predicts no standard deviation. "
                'Leave return_std out, or take a head that has it; only "average" and "stack" have one of their own.'
            )
        return self.best_estimator_.predict(X, return_std=True)

    @available_if(_can("predict_proba"))
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the sources take.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        self._check_refitted("predict_proba")
        return self.best_estimator_.predict_proba(X)

    @available_if(_can("decision_function"))
    def decision_function(self, X):
        """Compute the decision function of the best estimator.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the sources take.

        Returns
        -------
        values : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        self._check_refitted("decision_function")
        return self.best_estimator_.decision_function(X)

    def score(self, X, y, **params):
        """Score the best estimator by `scoring`.

        Parameters
        ----------
        X : column of structures, or array of shape (n_samples, n_features)
            What the sources take.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        **params : dict
            For the scorer, with metadata routing.

        Returns
        -------
        score : float
        """
        self._check_refitted("score")
        if params:
            if not sklearn.get_config()["enable_metadata_routing"]:
                raise ValueError(f"score takes {', '.join(params)} only with metadata routing enabled.")
            params = process_routing(self, "score", **params).scorer.score
        return self.scorer_(self.best_estimator_, X, y, **params)

    @property
    def classes_(self):
        """Class labels."""
        self._check_refitted("classes_")
        return self.best_estimator_.classes_

    @property
    def n_features_in_(self):
        """Number of features; 1 for a column of structures."""
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{type(self).__name__} has no n_features_in_ before it is fitted.")
        return self.best_estimator_.n_features_in_

    def _sk_visual_block_(self):
        if hasattr(self, "best_estimator_"):
            return draw_beside({f"best_estimator_: {self.best_strategy_}": self.best_estimator_})
        heads = self.head if isinstance(self.head, dict) else {"head": self.head}
        return draw_beside(heads | drawn_sources(self.sources))

    def _for_file(self):
        """Return what is kept in a file: the winner and all results, without the sources to choose from."""
        other = copy(self)
        other.sources = None
        return other

    def _check_refitted(self, name):
        check_is_fitted(self, "cv_results_")
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(f"{name} needs the winner fitted to all rows; set refit=True.")
