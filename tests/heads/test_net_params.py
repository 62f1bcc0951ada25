import pickle

import pytest
from sklearn.base import clone

from sktaag.heads import NeuralClassifier, NeuralRegressor


@pytest.mark.parametrize("estimator", [NeuralRegressor, NeuralClassifier])
def test_routed_parameters_are_parameters(estimator):
    head = estimator(lr=0.5, optimizer__betas=(0.8, 0.9))
    assert head.get_params()["optimizer__betas"] == (0.8, 0.9)
    assert clone(head).get_params() == head.get_params()
    assert "optimizer__betas=(0.8, 0.9)" in repr(head)
    assert "optimizer__betas" in head._repr_html_()
    assert pickle.loads(pickle.dumps(head)).get_params() == head.get_params()
    assert "optimizer__betas" not in estimator().get_params()


def test_set_params_takes_both_kinds():
    head = NeuralRegressor().set_params(lr=0.5, optimizer__weight_decay=0.3, iterator_train__shuffle=False)
    params = head.get_params()
    assert (params["lr"], params["optimizer__weight_decay"], params["iterator_train__shuffle"]) == (0.5, 0.3, False)
    assert head.set_params() is head


def test_unknown_names_are_named():
    with pytest.raises(TypeError, match=r"no parameter 'learning_rate', 'modul__x'.*takes module__\*, criterion__\*"):
        NeuralRegressor(learning_rate=1, modul__x=2)
    with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
        NeuralRegressor().set_params(learning_rate=1)
