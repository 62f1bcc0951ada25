"""What a notebook shows: the chain of the source is part of the drawing."""

import re

import numpy as np
import pytest
from ase.build import molecule
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_html_repr

from sktaag.descriptors import Fingerprints
from sktaag.nn import Pyramid
from sktaag.sources import GNNRegressor, ModelLibrary, PyramidRegressor
from sktaag.transfer import FineTunedRegressor, FrozenFeaturizer, SourceSearchCV, TAAGRegressor

SMILES = ["C" * n for n in range(1, 9)]
SOURCE = make_pipeline(Fingerprints(size=32), PyramidRegressor((4,), max_epochs=1, random_state=0)).fit(
    SMILES, np.arange(8.0)
)
GRAPHS = [molecule(name) for name in ("H2O", "CH4", "NH3")]
GRAPH_SOURCE = GNNRegressor(module__n_layers=1, module__n_features=8, max_epochs=1).fit(GRAPHS, np.arange(3.0))


def drawn(estimator):
    """Names in the drawing, those above a part and those of it."""
    html = estimator_html_repr(estimator)
    labels = re.findall(r"<label>(.*?)</label>|<label[^>]*sk-toggleable__label[^>]*>(.*?)</label>", html, re.DOTALL)
    return " | ".join(re.sub(r"<[^>]+>|\s+", " ", a or b).strip() for a, b in labels)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (SOURCE, ["source: Pipeline", "Fingerprints", "PyramidRegressor"]),
        ({"boiling": SOURCE, "melting": SOURCE}, ["boiling: Pipeline", "melting: Pipeline"]),
        ([SOURCE, "a.source"], ["0: Pipeline", "1: str", "a.source"]),
        (Pyramid(4, 1, (2,)), ["source: Pyramid"]),
        ("models#ab", ["models#ab"]),
    ],
)
def test_frozen_featurizer(source, names):
    text = drawn(make_pipeline(FrozenFeaturizer(source), Ridge()))
    for name in ["FrozenFeaturizer", *names, "Ridge"]:
        assert name in text


def test_sources_of_a_library(tmp_path):
    library = ModelLibrary(tmp_path / "models")
    library.add(SOURCE, property="boiling point", unit="K")
    assert "boiling point (K): str" in drawn(FrozenFeaturizer(library.search()))


def test_search_shows_some_sources_and_then_its_winner():
    search = SourceSearchCV({"ridge": Ridge()}, [SOURCE] * 12, cv=2)
    text = drawn(search)
    assert "7: Pipeline" in text
    assert "8: Pipeline" not in text
    assert "and 4 more" in text
    search.fit(SMILES, np.arange(8.0))
    assert f"best_estimator_: {search.best_strategy_}" in drawn(search)


@pytest.mark.parametrize("estimator", [TAAGRegressor(GRAPH_SOURCE), FineTunedRegressor(GRAPH_SOURCE)], ids=str)
def test_transfer_over_graphs(estimator):
    assert "source: GNNRegressor" in drawn(estimator)
