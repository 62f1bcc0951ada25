import numpy as np

from sktaag.heads import NeuralRegressor


def fit(verbose):
    X, y = np.random.RandomState(0).randn(30, 3), np.arange(30)
    NeuralRegressor(max_epochs=4, early_stopping=True, random_state=0, verbose=verbose).fit(X, y)


def test_one_bar_with_the_validation_loss(capfd):
    fit(1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "\r" not in err
    lines = err.split("\n")
    assert "4/4" in err
    assert "valid_loss=" in err
    assert all("NeuralRegressor" in line for line in lines if line.strip())
    assert len([line for line in lines if line.strip()]) <= 3  # a log file is not flooded


def test_quiet_by_default_and_skorchs_table_on_demand(capfd):
    fit(0)
    assert capfd.readouterr() == ("", "")
    fit(2)
    out, _ = capfd.readouterr()
    assert "valid_loss" in out
    assert len([line for line in out.splitlines() if line.strip()[:1].isdigit()]) == 4
