import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import RocCurveDisplay, mean_absolute_error, roc_auc_score
from sklearn.model_selection import GroupKFold, KFold, RepeatedKFold, ShuffleSplit, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sktaag.descriptors import Fingerprints
from sktaag.model_selection import Comparison, ExtrapolationSplit, _intervals, compare

X = np.array(["C" * n + end for n in range(1, 11) for end in ("", "O", "N", "F")], dtype=object)
y = np.array([30.0 * n + 50 * shift for n in range(1, 11) for shift in (0, 3, 2, 1)])
y += np.random.RandomState(0).normal(0, 20, len(y))
FINGERPRINTS = Fingerprints(counts=True, size=64)
MODELS = {
    "ridge": make_pipeline(FINGERPRINTS, Ridge()),
    "mean": DummyRegressor(),
    "forest": make_pipeline(FINGERPRINTS, RandomForestRegressor(10, random_state=0)),
}
FOLDS = RepeatedKFold(n_splits=4, n_repeats=2, random_state=0)


@pytest.fixture(scope="module")
def result():
    return compare(MODELS, X, y, cv=FOLDS, target_name="boiling point", unit="K")


def row_of(result, model, metric="mean_absolute_error"):
    table = result.table
    return table[(table["model"] == model) & (table["metric"] == metric)].iloc[0]


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_scikit_learn(result, name):
    scoring = ["neg_mean_absolute_error", "r2"]
    expected = cross_validate(MODELS[name], X, y, cv=FOLDS, scoring=scoring)
    own = result.scores[result.scores["model"] == name]
    np.testing.assert_allclose(own["mean_absolute_error"], -expected["test_neg_mean_absolute_error"])
    np.testing.assert_allclose(own["r2"], expected["test_r2"])
    assert (own[["n_train", "n_test"]].to_numpy() == [30, 10]).all()
    assert own["fold"].tolist() == list(range(8))


def test_predictions_give_the_scores(result):
    assert len(result.predictions) == 3 * 8 * 10
    for (name, fold), part in result.predictions.groupby(["model", "fold"]):
        scores = result.scores[(result.scores["model"] == name) & (result.scores["fold"] == fold)]
        assert scores["mean_absolute_error"].item() == pytest.approx(
            mean_absolute_error(part["y_true"], part["y_pred"])
        )
        np.testing.assert_array_equal(part["y_true"], y[part["row"]])
        np.testing.assert_array_equal(part["row"], result.folds[fold][1])


def test_interval_is_that_of_nadeau_and_bengio(result):
    scores = result.scores.pivot_table(index="fold", columns="model", values="mean_absolute_error")
    difference = (scores["forest"] - scores["ridge"]).to_numpy()
    half = student_t.ppf(0.975, 7) * difference.std(ddof=1) * np.sqrt(1 / 8 + 10 / 30)
    row = row_of(result, "forest")
    assert row["mean"] == pytest.approx(scores["forest"].mean())
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["difference_low"] == pytest.approx(difference.mean() - half)
    assert row["difference_high"] == pytest.approx(difference.mean() + half)
    assert row["win_share"] == np.mean(difference < 0)
    error = difference.std(ddof=1) * np.sqrt(1 / 8 + 10 / 30)
    assert row["win_probability"] == pytest.approx(student_t.cdf(-difference.mean() / error, 7))


def test_intervals_hold_what_they_promise():
    # two models that are equally good: of 95 % intervals of their difference, about 5 % miss zero
    class Noise(RegressorMixin, BaseEstimator):
        def __init__(self, seed=0):
            self.seed = seed

        def fit(self, X, y):
            self.noise_ = np.random.RandomState([self.seed, len(y)]).normal(size=len(self_rows))
            return self

        def predict(self, X):
            return self.noise_[np.asarray(X)[:, 0].astype(int)]

    self_rows = range(40)
    numbers = np.c_[np.arange(40), np.zeros(40)]
    missed = 0
    for seed in range(40):
        target = np.random.RandomState(1000 + seed).normal(size=40)
        models = {"a": Noise(2 * seed), "b": Noise(2 * seed + 1)}
        found = compare(models, numbers, target, cv=ShuffleSplit(8, test_size=0.25, random_state=seed), scoring="r2")
        missed += row_of(found, "b", "r2")["verdict"] != "no certain difference"
    assert missed <= 6


def test_verdicts_and_words(result):
    assert row_of(result, "mean")["verdict"] == "worse"
    assert row_of(result, "ridge")["verdict"] == "baseline"
    assert result.negative_transfer == {"mean": True, "forest": row_of(result, "forest")["verdict"] == "worse"}
    sentence = result.sentences["mean"]
    assert sentence.startswith("For boiling point, mean is worse than ridge: mean_absolute_error changes by +")
    assert "95% interval +" in sentence
    assert sentence.endswith("Negative transfer, if mean has a source: take ridge.")
    other = compare(MODELS, X, y, cv=FOLDS, baseline="mean", scoring=["r2"])
    assert row_of(other, "ridge", "r2")["verdict"] == "better"
    assert row_of(other, "ridge", "r2")["win_probability"] > 0.99
    assert "ridge is better than mean: r2 changes by +" in other.sentences["ridge"]
    assert "%" not in other.sentences["ridge"].replace("95% interval", "")  # a percentage of R2 would say nothing


def test_equal_models_are_equal():
    same = compare({"a": MODELS["ridge"], "b": MODELS["ridge"]}, X, y)
    row = row_of(same, "b")
    assert (row["difference"], row["win_share"], row["win_probability"]) == (0, 0.5, 0.5)
    assert row["verdict"] == "no certain difference"


def test_one_split_has_no_interval_but_a_bootstrap(monkeypatch):
    monkeypatch.setattr(_intervals, "_N_BOOTSTRAPS", 200)
    one = compare(MODELS, X, y, cv=ExtrapolationSplit())
    assert row_of(one, "mean")["verdict"] == "no interval"
    assert "One fold gives no interval" in one.sentences["mean"]
    boot = compare(MODELS, X, y, cv=ExtrapolationSplit(), interval="bootstrap")
    assert row_of(boot, "mean")["verdict"] == "worse"
    assert boot.settings["interval"] == "bootstrap"


def test_bootstrap_draws_rows_with_all_their_predictions():
    found = compare(MODELS, X, y, cv=FOLDS, interval="bootstrap", scoring="neg_mean_absolute_error", random_state=3)
    errors = found.predictions.assign(error=lambda frame: (frame["y_true"] - frame["y_pred"]).abs())
    assert row_of(found, "forest")["mean"] == pytest.approx(errors.query("model == 'forest'")["error"].mean())
    by_row = errors.pivot_table(index="row", columns="model", values="error")
    difference = (by_row["forest"] - by_row["ridge"]).to_numpy()
    rng = np.random.RandomState(0)
    draws = difference[rng.randint(40, size=(4000, 40))].mean(axis=1)
    row = row_of(found, "forest")
    tolerance = 0.2 * draws.std()
    assert row["difference_low"] == pytest.approx(np.percentile(draws, 2.5), abs=tolerance)
    assert row["difference_high"] == pytest.approx(np.percentile(draws, 97.5), abs=tolerance)


# ---------------------------------------------------------------- folds, curves, several things


def test_processes_and_seeds_change_nothing(result):
    again = compare(MODELS, X, y, cv=FOLDS, n_jobs=2)
    pd.testing.assert_frame_equal(again.table, result.table)
    random = [compare(MODELS, X, y, cv=3, random_state=seed).scores["r2"].tolist() for seed in (0, 0, 1)]
    assert random[0] == random[1] != random[2]


def test_learning_curve():
    found = compare(MODELS, X, y, cv=KFold(4, shuffle=True, random_state=0), learning_curve=[5, 0.5, 1.0])
    curve = found.learning_curve
    assert sorted(set(curve["n_train"])) == [5, 15, 30]
    assert len(curve) == 3 * 3 * 4
    last = curve[curve["n_train"] == 30].sort_values(["model", "fold"])["r2"].to_numpy()
    np.testing.assert_array_equal(last, found.scores.sort_values(["model", "fold"])["r2"])
    by_size = curve.query("model == 'ridge'").groupby("n_train")["mean_absolute_error"].mean()
    assert by_size.is_monotonic_decreasing
    assert len(found.scores) == 12
    for size in (31, 0, 1.5, "all"):
        with pytest.raises(ValueError, match=f"learning_curve holds {size!r}; .* up to 30"):
            compare(MODELS, X, y, cv=4, learning_curve=[size])


def test_learning_curve_keeps_the_proportions_of_classes():
    labels = np.array(["common"] * 36 + ["rare"] * 4)
    X, seen = np.arange(80.0).reshape(40, 2), []

    class Counts(RandomForestClassifier):
        def fit(self, X, y):
            seen.append((len(y), int((y == "rare").sum())))
            return super().fit(X, y)

    compare({"a": Counts(2)}, X, labels, cv=2, learning_curve=[2, 0.5])
    # each training fold holds 18 common and 2 rare ones
    assert seen == [(20, 2)] * 2 + [(2, 1), (10, 1)] * 2


def test_learning_curve_trains_all_models_on_the_same_rows():
    class Remembers(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            self.mean_ = np.sum(y)
            return self

        def predict(self, X):
            return np.full(len(X), self.mean_)

    curve = compare({"a": Remembers(), "b": Remembers()}, X, y, cv=3, learning_curve=[4, 8]).learning_curve
    wide = curve.pivot_table(index=["n_train", "fold"], columns="model", values="mean_absolute_error")
    np.testing.assert_array_equal(wide["a"], wide["b"])


def test_forms_of_x_agree(result):
    for form in (X.tolist(), pd.Series(X), pd.DataFrame({"smiles": X}), X[:, None]):
        pd.testing.assert_frame_equal(compare(MODELS, form, pd.Series(y), cv=FOLDS).table, result.table)
    numbers = FINGERPRINTS.fit_transform(X)
    for form in (numbers, pd.DataFrame(numbers), numbers.tolist()):
        found = compare({"ridge": Ridge()}, form, y, cv=FOLDS)
        assert row_of(found, "ridge")["mean"] == pytest.approx(row_of(result, "ridge")["mean"], rel=1e-4)


def test_name_of_the_series_is_the_name_of_the_target():
    assert compare({"mean": DummyRegressor()}, X, pd.Series(y, name="Tb")).target_name == "Tb"


def test_several_targets():
    found = compare({"line": make_pipeline(FINGERPRINTS, LinearRegression())}, X, np.c_[y, -y], cv=4)
    assert set(found.predictions["target"]) == {0, 1}
    assert len(found.predictions) == 80


def test_groups_and_sample_weights():
    groups = np.repeat(np.arange(10), 4)
    found = compare(MODELS, X, y, groups=groups, cv=GroupKFold(5))
    assert all(not set(groups[train]) & set(groups[test]) for train, test in found.folds)
    weights = {"ridge__sample_weight": np.where(np.arange(40) % 3, 1.0, 0.1)}
    weighted = compare({"ridge": MODELS["ridge"]}, X, y, cv=KFold(2), params=weights)
    expected = cross_validate(MODELS["ridge"], X, y, cv=KFold(2), params=weights, scoring="r2")["test_score"]
    np.testing.assert_allclose(weighted.scores["r2"], expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classification(n_classes):
    labels = np.array(["low", "middle", "high"])[np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))]
    models = {
        "direct": make_pipeline(FINGERPRINTS, LogisticRegression()),
        "forest": make_pipeline(FINGERPRINTS, RandomForestClassifier(10, class_weight="balanced", random_state=0)),
    }
    found = compare(models, X, labels, cv=4)
    assert found.metrics == ["roc_auc" if n_classes == 2 else "roc_auc_ovr", "balanced_accuracy"]
    assert found.classes.tolist() == sorted(set(labels))
    columns = [f"proba_{label}" for label in found.classes]
    np.testing.assert_allclose(found.predictions[columns].sum(axis=1), 1, rtol=1e-5)
    expected = cross_validate(models["forest"], X, labels, cv=found.folds, scoring="balanced_accuracy")["test_score"]
    own = found.scores.query("model == 'forest'")
    np.testing.assert_allclose(own["balanced_accuracy"], expected)
    for _, test in found.folds:  # classes in their proportions
        assert len(set(labels[test])) == n_classes
    if n_classes == 2:
        part = found.predictions.query("model == 'forest'")
        curve = RocCurveDisplay.from_predictions(part["y_true"] == "middle", part["proba_middle"])
        assert 0.5 < curve.roc_auc <= 1


def test_bootstrap_of_classifiers_with_and_without_probabilities(monkeypatch):
    monkeypatch.setattr(_intervals, "_N_BOOTSTRAPS", 50)
    labels = np.where(y > np.median(y), "high", "low")
    models = {"proba": make_pipeline(FINGERPRINTS, LogisticRegression()), "svc": make_pipeline(FINGERPRINTS, SVC())}
    found = compare(models, X, labels, cv=4, interval="bootstrap")
    part = found.predictions.query("model == 'proba'")
    expected = roc_auc_score(part["y_true"] == "low", part["proba_low"])
    assert row_of(found, "proba", "roc_auc")["mean"] == pytest.approx(expected)
    assert np.isfinite(row_of(found, "svc", "roc_auc")["low"])
    rare = np.where(np.arange(40) < 2, "rare", labels)
    with pytest.raises(ValueError, match=r"Training fold 0 lacks class 'rare'. Use StratifiedKFold"):
        compare(models, X, rare, cv=KFold(4), interval="bootstrap", scoring="balanced_accuracy")


# ---------------------------------------------------------------- leak guard


SOURCE_X = np.array(["OCC", "CCCCCCCCCCCC", "c1ccccc1", "NC"], dtype=object)  # two of them are in X


def test_overlap_is_counted_named_and_warned_of():
    with pytest.warns(UserWarning, match=r"2 structures of X are also in the sources, e\.g\. CCO, CN|CN, CCO"):
        found = compare(MODELS, X, y, cv=3, source_X={"tb": SOURCE_X})
    assert set(found.overlap["structure"]) == {"CCO", "CN"}
    assert found.settings["exclude_overlap"] == "report"
    assert "Leak guard: X shares structures with the sources, 2 with 'tb'" in str(found)
    assert "still in both" in found._repr_html_()
    clean = compare(MODELS, X, y, cv=3, source_X=["c1ccccc1"])
    assert len(clean.overlap) == 0
    assert "no structure is in a source and in X" in str(clean)


def test_rows_that_a_source_has_seen_are_filtered():
    weights = {"sample_weight": np.arange(40.0)}
    model = {"ridge": DummyRegressor()}
    found = compare(model, X, y, cv=4, source_X=SOURCE_X, exclude_overlap=True, params=weights)
    shared = [i for i, s in enumerate(X) if s in ("CCO", "CN")]
    assert found.excluded == shared
    assert not set(shared) & set(found.predictions["row"])
    np.testing.assert_array_equal(y[found.predictions["row"]], found.predictions["y_true"])
    kept = np.delete(np.arange(40), shared)
    expected = compare(model, X[kept], y[kept], cv=4, params={"sample_weight": np.arange(40.0)[kept]})
    np.testing.assert_allclose(found.scores["r2"], expected.scores["r2"])
    with pytest.raises(ValueError, match="cv holds row numbers"):
        compare(model, X, y, cv=[(np.arange(20), np.arange(20, 40))], source_X=SOURCE_X, exclude_overlap=True)
    with pytest.raises(ValueError, match="A source has seen 40 of 40 rows"):
        compare(model, X, y, source_X=X, exclude_overlap=True)


@pytest.mark.parametrize("named", [True, False])
def test_functions_train_sources_without_what_x_holds(named):
    given = []

    def transferred(keep):
        given.append(keep)
        return MODELS["ridge"]

    source_X = {"tb": SOURCE_X, "tm": SOURCE_X[1:3]} if named else SOURCE_X
    models = {"direct": DummyRegressor(), "transferred": transferred}
    found = compare(models, X, y, cv=3, source_X=source_X, exclude_overlap=True)
    expected = [False, True, True, False]
    if named:
        assert given[0]["tb"].tolist() == expected
        assert given[0]["tm"].tolist() == [True, True]
    else:
        assert given[0].tolist() == expected
    assert found.excluded == []
    assert "trained without them" in str(found)
    with pytest.warns(UserWarning, match="also in the sources"):
        compare(models, X, y, cv=3, source_X=source_X)
    kept = given[-1].values() if named else [given[-1]]
    assert all(mask.all() for mask in kept)


def test_a_guard_needs_the_structures():
    with pytest.raises(ValueError, match="exclude_overlap=True needs source_X"):
        compare(MODELS, X, y, exclude_overlap=True)
    with pytest.raises(ValueError, match="'f', a function, needs source_X"):
        compare({"f": lambda keep: MODELS["ridge"]}, X, y)


# ---------------------------------------------------------------- the object


def test_html_is_well_formed_and_escaped():
    found = compare({"a <b>": MODELS["ridge"], "mean": DummyRegressor()}, X, y, cv=3, target_name="T & p")

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.text = [], ""

        def handle_starttag(self, tag, attrs):
            self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

        def handle_data(self, data):
            self.text += data

    parser = Balance()
    parser.feed(found._repr_html_())
    assert not parser.open
    assert "mean is worse than a <b>" in parser.text
    assert "scikit-learn" in parser.text


def test_result_is_a_bunch_that_pickles(result):
    assert isinstance(result, Comparison)
    assert result["table"] is result.table
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.table, result.table)
    assert str(again) == str(result)
    assert result.seeds["forest"] == {"randomforestregressor__random_state": 0}
    assert {"python", "sktaag", "scikit-learn", "torch"} <= set(result.versions)
    assert result.wall_time > 0
    assert "±" in result.summary().loc["forest", "mean_absolute_error"]


def test_verbose_shows_a_bar(capsys):
    compare({"mean": DummyRegressor()}, X, y, cv=3, verbose=1)
    assert "3/3" in capsys.readouterr().err


def test_scorers_may_be_functions():
    def largest_error(estimator, X, y):
        return -np.abs(estimator.predict(X) - y).max()

    found = compare(MODELS, X, y, cv=3, scoring={"worst": largest_error, "MAE": "neg_mean_absolute_error"})
    assert found.lower_is_better == {"worst": False, "MAE": True}
    assert (found.scores["worst"] < 0).all()
    assert (found.scores["MAE"] > 0).all()
    assert compare(MODELS, X, y, cv=3, scoring=largest_error).metrics == ["largest_error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "other"}, "baseline='other' is not among the models: ridge, mean, forest"),
        ({"interval": "t"}, 'interval must be "corrected_t" or "bootstrap", got \'t\''),
        ({"confidence": 95}, "confidence must be between 0 and 1, got 95"),
        ({"scoring": []}, "scoring is empty"),
        ({"estimators": {}}, "estimators must be a dict"),
        ({"estimators": {"a": 3}}, "'a' is neither an estimator nor a function that makes one: 3"),
    ],
)
def test_wrong_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        compare(**({"estimators": MODELS, "X": X, "y": y} | options))


def test_a_model_that_fails_is_named():
    bad = X.copy()
    bad[3] = "C1CC"
    with pytest.raises(ValueError, match="C1CC") as caught:
        compare(MODELS, bad, y, cv=KFold(2))
    assert caught.value.__notes__ == ["This was model 'ridge' on fold 0."]
