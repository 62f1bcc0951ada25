import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.estimator_checks import parametrize_with_checks

from sktaag.sources import PyramidClassifier

UNKNOWN_NAME = {
    "check_do_not_raise_errors_in_init_or_set_params": "takes **net_params for a parameter of that name; unknown names "
    "are a TypeError, as in any Python call"
}


@parametrize_with_checks(
    [PyramidClassifier(hidden=(16, 8), max_epochs=20, lr=0.01)], expected_failed_checks=lambda _: UNKNOWN_NAME
)
def test_sklearn_contract(estimator, check):
    check(estimator)


def test_learns_from_sparse_counts():
    X = np.random.RandomState(0).poisson(0.05, (600, 200)).astype(np.float32)
    y = np.where(X[:, :20].sum(axis=1) > 1, "active", "inactive")
    source = PyramidClassifier((40, 20), batch_size=64, lr=0.003, class_weight="balanced", random_state=0)
    source.fit(csr_array(X[:500]), y[:500])
    assert source.score(csr_array(X[500:]), y[500:]) > 0.75
    assert [layer.shape for layer in source.hidden_outputs(csr_array(X))] == [(600, 40), (600, 20)]
    assert source.class_weight == "balanced"
