"""skorch's ``optimizer__weight_decay`` and its kin as parameters of a scikit-learn estimator."""

PREFIXES = ("module", "criterion", "optimizer", "callbacks", "iterator_train", "iterator_valid")


class NetParamsMixin:
    """Constructor keywords that are routed to a part of the skorch net, beside those in the signature.

    scikit-learn's `BaseEstimator` leaves ``**net_params`` out of `get_params`; this mixin, left of it, puts them in.
    A routed parameter is an attribute of the same name that exists only where it was given.
    """

    def _set_net_params(self, net_params):
        """Store the routed keywords of the constructor."""
        unknown = [name for name in net_params if not _is_routed(name)]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has no parameter {', '.join(map(repr, unknown))}. Beside those of the "
                f"signature it takes {', '.join(f'{prefix}__*' for prefix in PREFIXES)}."
            )
        vars(self).update(net_params)

    def _get_net_params(self):
        return {name: value for name, value in vars(self).items() if _is_routed(name)}

    def get_params(self, deep=True):
        """Get the parameters, those that are routed to the skorch net included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of nested estimators.

        Returns
        -------
        params : dict
        """
        return super().get_params(deep=deep) | self._get_net_params()

    def set_params(self, **params):
        """Set parameters, among them those that are routed to the skorch net, as ``optimizer__weight_decay``.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
        """
        routed = {name: value for name, value in params.items() if _is_routed(name)}
        super().set_params(**{name: value for name, value in params.items() if name not in routed})
        vars(self).update(routed)
        return self


def _is_routed(name):
    return name.partition("__")[0] in PREFIXES and "__" in name
