"""The layers of one source at the rows of a training set, computed once for all choices of layers."""

import numpy as np

from sktaag.transfer._frozen_featurizer import FrozenFeaturizer
from sktaag.transfer._layer_choices import layer_choices


class LayerBank:
    """Features of one source for every choice of layers.

    Parameters
    ----------
    source : source or bundle of sources
        As the `source` of `FrozenFeaturizer`.
    X : column of structures or array of shape (n_samples, n_features)
    entries, n_draws, rng : list, int, RandomState
        As those of `layer_choices`.
    activation, cache : str, path or None
        As those of `FrozenFeaturizer`.
    described : dict
        Descriptors of X, which the sources of a search share.

    Attributes
    ----------
    choices : list
        What `features` takes.
    invalid : dict of tuples
        Row number, value and reason of each row that is NaN, by row number.
    chains : dict of Chain or None
        The networks of a bundle, for whoever fits it; None for a single source, which is soon opened again.
    """

    def __init__(self, source, X, entries, n_draws, rng, *, activation, cache, described):
        featurizer = FrozenFeaturizer(source, "all", activation=activation, cache=cache).fit(X)
        X = featurizer._check_input(X)
        chains = featurizer._chains
        self.chains = chains if len(chains) > 1 else None
        self.choices = layer_choices(entries, [len(chain.widths) - 1 for chain in chains.values()], n_draws, rng)
        # picked by the featurizer itself: the same columns in the same order as after the refit
        self._picked = [
            [(name, i) for name, chain in chains.items() for i in FrozenFeaturizer(source, choice)._pick(chain, name)]
            for choice in self.choices
        ]
        self._blocks, self.invalid = {}, {}
        for name, chain in chains.items():
            layers, invalid = featurizer._all_layers(chain, X, described)
            self.invalid |= {row: (row, value, reason) for row, value, reason in invalid}
            ends = np.cumsum(chain.widths)
            for i in {i for picked in self._picked for part, i in picked if part == name}:
                self._blocks[name, i] = layers[:, ends[i] - chain.widths[i] : ends[i]].copy()  # frees the others

    def features(self, choice):
        """Return the columns of ``choices[choice]``, shape (n_samples, n_features_out)."""
        return np.concatenate([self._blocks[block] for block in self._picked[choice]], axis=1)
