"""A parameter `source` that holds something fitted, and keeps it."""

import copy

from sklearn.base import clone


class FrozenSourceMixin:
    """Parameters of an estimator with a fitted `source`: clones share it, and its own parameters are out of reach.

    scikit-learn would clone the source with the estimator, and a clone is unfitted.
    """

    def __sklearn_clone__(self):
        params = self.get_params(deep=False)
        kept = {name: value if name == "source" else clone(value, safe=False) for name, value in params.items()}
        other = type(self)(**kept)
        for name in ("_metadata_request", "_sklearn_output_config"):  # as in sklearn.base.clone
            if hasattr(self, name):
                setattr(other, name, copy.deepcopy(getattr(self, name)))
        return other

    def get_params(self, deep=True):
        """Get the parameters; those inside of the fitted source are not among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of nested estimators.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=deep)
        return {name: value for name, value in params.items() if not name.startswith("source__")}

    def set_params(self, **params):
        """Set parameters; those inside of the fitted source stay.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
        """
        for name in params:
            if name.startswith("source__"):
                raise ValueError(f"{name!r} is a parameter of a source that is fitted. Fit another source instead.")
        return super().set_params(**params)
