"""What competes in a search: the layers of all sources, those that pass a screening, and direct models."""

from functools import partial
from math import ceil
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone, is_classifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from sktaag._progress import progress
from sktaag.base import StructureTransformer
from sktaag.structures import handle_invalid
from sktaag.transfer._candidate import Candidate, Offer
from sktaag.transfer._chain import Chain
from sktaag.transfer._frozen_featurizer import FrozenFeaturizer
from sktaag.transfer._layer_bank import LayerBank
from sktaag.transfer._named_sources import parts_of
from sktaag.transfer._screening import run_rounds, screening_rounds, screening_score
from sktaag.transfer._search_results import objects


class CandidatesMixin:
    """Opens the sources of a search, computes their layers and screens them."""

    def _direct_models(self, reader, X, described):
        """Return the models of the descriptors of the first source, one for each head."""
        if reader.reads_graphs:
            if self.baseline is True or "descriptors" in self._aggregates():
                raise ValueError(
                    "The first source reads graphs, which are no descriptors for a head: set baseline to an estimator "
                    "over the structures, such as a Pipeline of Fingerprints and a head or a GNNRegressor, or to "
                    'False, and leave "descriptors" out of aggregate.'
                )
            return [None]
        # descriptors that learn, such as a scaler, learn from the rows of the target here
        steps, offer = [clone(step) for step in reader.steps], Offer(lambda: X, list)
        if steps and isinstance(steps[0], StructureTransformer):  # learns nothing
            offer = Offer(lambda: reader.describe(X, described)[0], partial(list, steps[:1]))
            steps = steps[1:]
        return [Candidate(offer, make_pipeline(*steps, head), name) for name, head in self._heads().items()]

    def _baseline(self, direct, X):
        if isinstance(self.baseline, bool):
            return list(direct) if self.baseline else []
        return [Candidate(Offer(lambda: X, list), model, name) for name, model in self._baselines().items()]

    def _offers(self, openers, entries, X, described):
        """Compute the layers of all rows: they do not depend on y, so that slices of them leak nothing into folds."""
        rng = check_random_state(self.random_state)
        offers, invalid = [], {}
        params = {"activation": self.activation, "cache": self.cache}
        for name, open_source in progress(openers.items(), desc="layers", unit="source", disable=not self.verbose):
            try:
                bank = LayerBank(open_source(), X, entries, self.n_draws, rng, described=described, **params)
            except Exception as error:
                error.add_note(f"This is source {name!r} of the search.")
                raise
            offers += [
                Offer(
                    partial(bank.features, i),
                    partial(_featurizer, open_source, bank.chains, layers, params),
                    name,
                    layers,
                )
                for i, layers in enumerate(bank.choices)
            ]
            invalid |= bank.invalid
        if not offers:
            raise ValueError(f"No source has as many hidden layers as layers={self.layers!r} asks for.")
        handle_invalid([invalid[row] for row in sorted(invalid)], X.shape[0], "nan")
        return offers

    def _screened(self, offers, y, splits):
        """Return the offers that pass the screening, in their order, with their scores."""
        if self.screen is None:
            return [(offer, np.nan) for offer in offers]
        screen, n_kept = self.screen, self.n_screened or max(10, ceil(len(offers) / 20))
        if isinstance(screen, Integral):
            screen, n_kept = "ridge", screen
        rounds = screening_rounds(screen, list(self._heads().values()))
        args = (is_classifier(self._first_head()), splits, self.scorer_, self.error_score)

        def score(one, rows):
            tasks = ((offers[i].features(), y, one, *args) for i in rows)
            return np.array(self._run(screening_score, tasks, len(rows), "screening"))

        left, scores, passed = run_rounds(rounds, score, len(offers), n_kept)
        self.screening_results_ = {
            "source": objects(offer.source for offer in offers),
            "layers": objects(offer.layers for offer in offers),
            "score": scores,
            "n_passed": passed,
            "kept": passed == len(rounds),
        }
        return [(offers[i], scores[i]) for i in left]


def first_chain(source):
    """Open a source, or the first one of a bundle."""
    return Chain(*next(iter(parts_of(source, None).values())))


def _featurizer(open_source, chains, layers, params):
    featurizer = FrozenFeaturizer(open_source(), layers, **params)
    return [featurizer._take_opened(chains) if chains else featurizer]


def sliceable(X):
    """Return a matrix of which rows can be taken."""
    if issparse(X):
        return X.tocsr()
    return X if hasattr(X, "iloc") else np.asarray(X)
