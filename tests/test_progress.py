"""Every long piece of work shows its progress, and a log file of it can be read."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sktaag._progress import progress
from sktaag.descriptors import Fingerprints
from sktaag.model_selection import compare
from sktaag.sources import PyramidEnsemble, PyramidRegressor
from sktaag.transfer import SourceSearchCV

X = np.array(["C" * n for n in range(1, 13)], dtype=object)
y = np.arange(12.0)


def chain(network):
    return make_pipeline(Fingerprints(counts=True, size=32), network)


SOURCE = chain(PyramidRegressor((4,), max_epochs=2, random_state=0)).fit(X, y)
WORK = {
    "compare": lambda: compare({"ridge": chain(Ridge())}, X, y, cv=3, verbose=1),
    "SourceSearchCV": lambda: SourceSearchCV(Ridge(), [SOURCE], cv=3, verbose=1).fit(X, y),
    "PyramidEnsemble": lambda: chain(PyramidEnsemble(2, (4,), max_epochs=2, verbose=1)).fit(X, y),
    "PyramidRegressor": lambda: chain(PyramidRegressor((4,), max_epochs=2, verbose=1)).fit(X, y),
    "Fingerprints": lambda: Fingerprints(verbose=1).fit_transform(X),
}


@pytest.mark.parametrize("name", WORK)
def test_a_log_file_has_lines_that_end(name, capsys):
    WORK[name]()
    written = capsys.readouterr().err
    assert "100%" in written
    assert "\r" not in written
    assert written.endswith("\n")
    assert written.isascii()
    assert len(written.splitlines()) <= 4  # two bars of a beginning and an end


def test_a_terminal_keeps_the_bar_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    list(progress(range(3)))
    assert "\r" in capsys.readouterr().err
