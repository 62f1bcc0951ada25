"""What is drawn is what was measured."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from ase.build import molecule
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GroupKFold, RepeatedKFold, cross_val_predict, learning_curve
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import Fingerprints
from sktaag.graphs import MoleculeGraphs
from sktaag.inspection import (
    EmbeddingDisplay,
    LayerAttentionDisplay,
    LearningCurveDisplay,
    NeuralDescriptorDisplay,
    ParityDisplay,
    PropertyScatterMatrix,
    SourceMapDisplay,
)
from sktaag.model_selection import compare
from sktaag.sources import GNNRegressor, PyramidRegressor
from sktaag.transfer import FrozenFeaturizer, LinearPotential, SourceSearchCV, TAAGFeaturizer, TAAGRegressor

ALKANES = ["C" * n for n in range(1, 13)]
ALCOHOLS = ["C" * n + "O" for n in range(1, 13)]
POINTS = np.arange(12.0) ** 0.7


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sources():
    return {
        f"net{seed}": make_pipeline(
            Fingerprints(counts=True, size=32), PyramidRegressor((6, 4), max_epochs=2, random_state=seed)
        ).fit(ALKANES, POINTS)
        for seed in range(2)
    }


def test_parity_shows_the_out_of_fold_predictions_of_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    display = ParityDisplay.from_estimator(Ridge(), X, y, cv=5)
    expected = cross_val_predict(Ridge(), X, y, cv=5)
    np.testing.assert_allclose(display.y_pred, expected)  # unshuffled folds come in the order of the rows
    assert display.mae_ == pytest.approx(mean_absolute_error(y, expected))
    assert display.r2_ == pytest.approx(r2_score(y, expected))
    assert sorted(set(display.labels)) == [f"fold {i}" for i in range(1, 6)]


def test_parity_of_a_fitted_model_predicts_once():
    X, y = load_diabetes(return_X_y=True)
    display = ParityDisplay.from_estimator(Ridge().fit(X[:100], y[:100]), X[100:], y[100:])
    np.testing.assert_allclose(display.y_pred, Ridge().fit(X[:100], y[:100]).predict(X[100:]))
    assert display.labels is None


def test_parity_names_repeats_where_every_row_is_in_several_folds():
    X, y = load_diabetes(return_X_y=True)
    display = ParityDisplay.from_estimator(Ridge(), X, y, cv=RepeatedKFold(n_splits=3, n_repeats=2, random_state=0))
    assert len(display.y_true) == 2 * len(y)
    assert pd.Series(display.labels).value_counts().to_dict() == {"repeat 1": len(y), "repeat 2": len(y)}


def test_parity_colours_by_group_and_keeps_groups_together():
    X, y = load_diabetes(return_X_y=True)
    groups = np.arange(len(y)) % 4
    display = ParityDisplay.from_estimator(Ridge(), X, y, cv=GroupKFold(4), groups=groups, train=True)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["fitted to", "0", "1", "2", "3"]
    assert len(display.train[0]) == 3 * len(y)


def test_parity_takes_a_column_of_structures():
    model = make_pipeline(Fingerprints(counts=True, size=32), Ridge())
    display = ParityDisplay.from_estimator(model, ALKANES, POINTS, cv=3, name="point", unit="K")
    assert display.ax_.get_xlabel() == "measured point (K)"


def test_parity_counts_rows_without_prediction():
    display = ParityDisplay.from_predictions([1.0, 2.0, 3.0], [1.0, np.nan, 5.0])
    assert display.mae_ == 1.0
    assert "1 without prediction" in display.ax_.texts[0].get_text()


def test_parity_shows_fitted_rows_of_folds_only():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="pass cv as well"):
        ParityDisplay.from_estimator(Ridge().fit(X, y), X, y, train=True)


def test_parity_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw"):
        ParityDisplay.from_predictions([1.0], [np.nan])


def test_heat_map_sorts_samples_and_keeps_layers_apart(sources):
    featurizer = FrozenFeaturizer(sources["net0"], layers="all").fit(ALKANES)
    y = POINTS[::-1]
    display = NeuralDescriptorDisplay.from_estimator(featurizer, ALKANES, y)
    assert display.rows_.tolist() == np.argsort(y).tolist()
    features = featurizer.transform(ALKANES)
    alive = np.flatnonzero(features.std(axis=0) > 0)
    assert sorted(display.order_) == alive.tolist()
    layer_of = np.array([0] * 6 + [1] * 4)
    assert (np.diff(layer_of[display.order_]) >= 0).all()
    drawn = display.ax_.images[0].get_array()
    expected = (features[:, display.order_[0]] - features[:, display.order_[0]].mean()) / features[
        :, display.order_[0]
    ].std()
    np.testing.assert_allclose(drawn[:, 0], expected[display.rows_], atol=1e-4)


def test_heat_map_puts_equal_neurons_side_by_side():
    features = np.random.RandomState(0).rand(30, 4)
    features = np.c_[features, features]  # each neuron twice
    display = NeuralDescriptorDisplay.from_features(features, features[:, 0], ["L(-1)"] * 8)
    assert (display.order_.reshape(4, 2) % 4 == display.order_.reshape(4, 2)[:, :1] % 4).all()


def test_heat_map_checks_its_layers():
    with pytest.raises(ValueError, match="layers names 2 neurons; features has 3"):
        NeuralDescriptorDisplay.from_features(np.ones((4, 3)), np.arange(4), ["L(-1)"] * 2)


def test_source_map_of_a_search(sources):
    search = SourceSearchCV(Ridge(), sources, layers=[1, 2], cv=3, scoring="neg_mean_absolute_error")
    search.fit(ALCOHOLS, POINTS)
    display = SourceMapDisplay.from_estimator(search, source_errors={"net0": 0.1, "net1": 0.2}, target="Tb")
    assert display.frame["source"].tolist() == ["net0", "net1"]
    scores = -search.cv_results_["mean_test_score"]
    is_source = np.array([name == "net0" for name in search.cv_results_["param_source"].filled("")])
    assert display.frame["target_error"][0] == pytest.approx(scores[is_source].min())
    direct = np.ma.getmaskarray(search.cv_results_["param_source"])
    assert display.frame["direct_error"][0] == pytest.approx(scores[direct].min())


def test_source_map_names_rank_correlations():
    frame = pd.DataFrame(
        {"source": "Tg", "target": "Cp", "source_error": [1.0, 2, 3, 4], "target_error": [1.0, 3, 2, 4]}
    )
    display = SourceMapDisplay.from_frame(frame)
    expected = spearmanr(frame["source_error"], frame["target_error"]).statistic
    assert display.ax_.get_legend().get_texts()[0].get_text() == f"Tg ({expected:+.2f})"


def test_source_matrix_is_the_median_over_networks():
    frame = pd.DataFrame({"source": "Tg", "target": "Cp", "target_error": [1.0, 2.0, 9.0], "direct_error": 4.0})
    assert SourceMapDisplay.from_frame(frame).matrix_.loc["Tg", "Cp"] == 0.5


def test_source_map_says_which_columns_are_missing():
    with pytest.raises(ValueError, match="needs the columns direct_error, target_error"):
        SourceMapDisplay.from_frame(pd.DataFrame({"source": ["Tg"], "target": ["Cp"]}), kind="matrix")
    with pytest.raises(ValueError, match='kind must be "scatter" or "matrix"'):
        SourceMapDisplay(pd.DataFrame()).plot(kind="pie")


def test_learning_curves_are_those_of_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    models = {"direct": LinearRegression(), "mean": DummyRegressor()}
    sizes = [20, 100]
    display = LearningCurveDisplay.from_estimators(
        models, X, y, train_sizes=sizes, scoring="neg_mean_absolute_error", score_name="neg_MAE"
    )
    for name, model in models.items():
        expected = learning_curve(
            model, X, y, train_sizes=sizes, cv=5, scoring="neg_mean_absolute_error", shuffle=True, random_state=0
        )[2]
        np.testing.assert_allclose(display.scores[name], expected)
    line = display.ax_.lines[0]
    np.testing.assert_allclose(line.get_ydata(), -display.scores["direct"].mean(axis=1))
    assert display.ax_.get_ylabel() == "MAE"


def test_learning_curves_take_structures():
    models = {"direct": make_pipeline(Fingerprints(counts=True, size=32), Ridge())}
    display = LearningCurveDisplay.from_estimators(models, ALKANES, POINTS, train_sizes=[4, 6], cv=3)
    assert display.train_sizes.tolist() == [4, 6]


def test_learning_curve_of_a_comparison():
    X, y = load_diabetes(return_X_y=True)  # 442 rows: training folds of 294 and 295
    models = {"direct": LinearRegression(), "mean": DummyRegressor()}
    found = compare(models, X, y, cv=3, learning_curve=[0.5, 20], unit="mg")
    display = LearningCurveDisplay.from_comparison(found)
    np.testing.assert_allclose(display.train_sizes, [20, 147 + 1 / 3, 294 + 2 / 3], atol=0.7)
    for name in models:
        rows = found.learning_curve[found.learning_curve["model"] == name].sort_values(["fold", "n_train"])
        expected = rows["mean_absolute_error"].to_numpy().reshape(3, 3).T
        np.testing.assert_allclose(display.scores[name], expected)
        mean, error = display.lines()[name]
        np.testing.assert_allclose(mean, expected.mean(axis=1))
        np.testing.assert_allclose(error, expected.std(axis=1, ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(display.ax_.lines[1].get_ydata(), display.lines()["mean"][0])
    assert display.ax_.get_ylabel() == "mean absolute error (mg)"
    assert LearningCurveDisplay.from_comparison(found, metric="r2").ax_.get_ylabel() == "r2"
    with pytest.raises(ValueError, match="metric must be one of mean_absolute_error, r2, got 'mse'"):
        LearningCurveDisplay.from_comparison(found, metric="mse")
    with pytest.raises(ValueError, match=r"no learning curve\. Call compare with learning_curve="):
        LearningCurveDisplay.from_comparison(compare(models, X, y, cv=3))


def test_learning_curve_of_one_fold_has_no_error():
    X, y = load_diabetes(return_X_y=True)
    folds = [(np.arange(60), np.arange(60, 90)), (np.arange(80), np.arange(80, 90))]
    one = compare({"direct": LinearRegression()}, X, y, cv=folds[:1], interval="bootstrap", learning_curve=[30])
    mean, error = LearningCurveDisplay.from_comparison(one).lines()["direct"]
    assert mean.shape == (2,)
    assert error.tolist() == [0, 0]
    # 60 rows are all of one fold, and a part of the other: two sizes of one, three of the other
    two = compare({"direct": LinearRegression()}, X, y, cv=folds, learning_curve=[30, 60])
    display = LearningCurveDisplay.from_comparison(two)
    assert display.train_sizes.tolist() == [30, 60, 80]
    assert np.isnan(display.scores["direct"]).sum() == 1
    assert np.isfinite(display.lines()["direct"]).all()


def test_scatter_matrix_uses_rows_that_have_both():
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4, np.nan], "b": [2.0, 1, 4, np.nan, 9], "c": [1.0, np.nan, 2, 3, 4]})
    display = PropertyScatterMatrix.from_frame(frame)
    both = frame[["a", "b"]].dropna()
    assert display.correlations_[0, 1] == pytest.approx(spearmanr(both["a"], both["b"]).statistic)
    assert np.isnan(display.correlations_[0, 2]) == (len(frame[["a", "c"]].dropna()) < 3)


def test_scatter_matrix_needs_two_properties():
    with pytest.raises(ValueError, match=r"two properties at least, got \['a'\]"):
        PropertyScatterMatrix.from_frame(pd.DataFrame({"a": [1.0, 2.0]}))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_embedding_of_groups_keeps_the_groups(method, sources):
    featurizer = FrozenFeaturizer(sources["net0"]).fit(ALKANES)
    kinds = ["alkane"] * 12 + ["alcohol"] * 12
    display = EmbeddingDisplay.from_estimator(featurizer, ALKANES + ALCOHOLS, kinds, method=method)
    again = EmbeddingDisplay.from_estimator(featurizer, ALKANES + ALCOHOLS, kinds, method=method)
    np.testing.assert_array_equal(display.embedding, again.embedding)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["alcohol", "alkane"]


def test_embedding_errors():
    with pytest.raises(ValueError, match='method must be "pca" or "tsne"'):
        EmbeddingDisplay.from_features(np.ones((5, 3)), method="umap")
    with pytest.raises(ValueError, match="1 samples have features that are numbers"):
        EmbeddingDisplay.from_features([[1.0, np.nan], [1.0, 2.0]])


def test_attention_bars_are_means_over_atoms():
    weights = np.array([[0.2, 0.8], [0.6, 0.4]])
    display = LayerAttentionDisplay.from_weights(weights)
    assert [bar.get_height() for bar in display.ax_.patches] == pytest.approx([0.4, 0.6])


def test_attention_by_element():
    weights = np.array([[0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
    display = LayerAttentionDisplay.from_weights(weights, elements=["C", "O", "C"], kind="elements")
    np.testing.assert_allclose(display.ax_.images[0].get_array(), [[0.6, 0.4], [0.6, 0.4]])


def test_attention_on_a_molecule():
    display = LayerAttentionDisplay.from_weights(np.eye(3), mol="CCO", kind="atoms", token=1)
    assert display.ax_.images[0].get_array().shape[:2] == (600, 800)


@pytest.fixture(scope="module")
def attention():
    shape = {"module__n_layers": 2, "module__n_features": 8, "max_epochs": 2, "random_state": 0}
    source = GNNRegressor("gine", target="intensive", **shape).fit(ALKANES, POINTS)
    return TAAGRegressor(source, attention="query", target="intensive", max_epochs=3, random_state=0).fit(
        ALCOHOLS, POINTS
    )


def test_attention_of_a_model(attention):
    display = LayerAttentionDisplay.from_estimator(attention, ALCOHOLS)
    assert [bar.get_height() for bar in display.ax_.patches] == pytest.approx(attention.layer_weights_, abs=1e-6)
    display = LayerAttentionDisplay.from_estimator(attention, ALCOHOLS, kind="elements")
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["C (78)", "O (12)"]
    display = LayerAttentionDisplay.from_estimator(attention, ALCOHOLS, kind="atoms", row=2)
    assert display.mol == "CCCO"
    np.testing.assert_allclose(display.weights, attention.attended_states(["CCCO"])[1][0], atol=1e-6)


def test_weights_of_models_without_weights_of_atoms(attention):
    def heights(*args, **kwargs):
        return [bar.get_height() for bar in LayerAttentionDisplay.from_estimator(*args, **kwargs).ax_.patches]

    assert heights(attention) == pytest.approx(attention.layer_weights_)
    featurizer = TAAGFeaturizer(attention.source, target="intensive", max_epochs=2, cv=None).fit(ALCOHOLS, POINTS)
    assert heights(featurizer, ALCOHOLS) == pytest.approx(featurizer.layer_weights_, abs=1e-6)
    potential = LinearPotential(attention.source).fit(ALCOHOLS, POINTS)
    assert heights(potential, ALCOHOLS) == pytest.approx(potential.layer_weights_)
    with pytest.raises(ValueError, match="kind='atoms' needs weights of atoms, which LinearPotential has not"):
        LayerAttentionDisplay.from_estimator(potential, ALCOHOLS, kind="atoms")
    with pytest.raises(ValueError, match="kind='elements' needs X"):
        LayerAttentionDisplay.from_estimator(attention, kind="elements")
    with pytest.raises(TypeError, match=r"got Ridge\. LayerAttentionDisplay\.from_weights draws"):
        LayerAttentionDisplay.from_estimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]))


def test_attention_to_ready_graphs_and_with_frames_as_output(attention):
    expected = LayerAttentionDisplay.from_estimator(attention, ALCOHOLS)
    graphs = attention.graphs_.transform(ALCOHOLS)
    with config_context(transform_output="pandas"):
        for X in (graphs, ALCOHOLS):
            display = LayerAttentionDisplay.from_estimator(attention, X, kind="elements")
            assert list(display.elements) == list(expected.elements)
            np.testing.assert_allclose(display.weights, expected.weights)


def test_attention_is_drawn_on_its_own_atoms(attention):
    display = LayerAttentionDisplay.from_estimator(attention, ["*CCO*"], kind="atoms")
    assert display.weights.shape == (5, 3)
    ring = clone(attention).set_params(graphs=MoleculeGraphs(polymer="cyclic")).fit(ALCOHOLS, POINTS)
    with pytest.raises(ValueError, match=r"row 1 has atoms \[0, 6, 6, 8, 0\], its graph \[.*not its unit"):
        LayerAttentionDisplay.from_estimator(ring, ["CCO", "*CCO*"], kind="atoms", row=1)
    source = GNNRegressor("schnet", module__n_layers=1, module__n_features=8, max_epochs=1)
    in_space = TAAGRegressor(source.fit(["CO", "CC"], [0.0, 1.0]), max_epochs=1).fit(["CO", "CC"], [0.0, 1.0])
    assert LayerAttentionDisplay.from_estimator(in_space, ["CCO"], kind="atoms").weights.shape == (9, 2)
    with pytest.raises(ValueError, match="its graph"):  # an oligomer
        LayerAttentionDisplay.from_estimator(in_space, ["*CCO*"], kind="atoms")
    with pytest.raises(ValueError, match="row 0 is of type Atoms"):
        LayerAttentionDisplay.from_estimator(in_space, [molecule("H2O")], kind="atoms")


def test_attention_errors():
    with pytest.raises(ValueError, match="pass elements="):
        LayerAttentionDisplay.from_weights([0.5, 0.5], kind="elements")
    with pytest.raises(ValueError, match="pass mol="):
        LayerAttentionDisplay.from_weights([0.5, 0.5], kind="atoms")
    with pytest.raises(ValueError, match="mol has 3 atoms, and weights has 2 rows"):
        LayerAttentionDisplay.from_weights(np.eye(2), mol="CCO", kind="atoms")
    with pytest.raises(ValueError, match='kind must be "layers", "elements" or "atoms"'):
        LayerAttentionDisplay.from_weights([0.5, 0.5], kind="pie")
