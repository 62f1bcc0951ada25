"""The suite passes a good transformer, and each of its checks fails one that is broken in one place."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem
from sklearn.base import BaseEstimator, TransformerMixin

from sktaag.base import StructureTransformer
from sktaag.structures import InvalidRowsError, InvalidRowsWarning, as_column
from sktaag.testing import (
    _checks,
    check_structure_transformer,
    parametrize_with_structure_checks,
    yield_structure_checks,
)

SMILES = ["C", "CC", "CCO", "NCC", "OCCO", "CCCN", "CCN"]


class Letters(StructureTransformer):
    """Count the atoms C, N and O of a SMILES: good in every respect."""

    def __init__(self, weights=None, *, dtype="float64", on_invalid="raise", n_jobs=None, verbose=0, cache=None):
        self.weights = weights
        self.dtype = dtype
        self.on_invalid = on_invalid
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.cache = cache

    def _prepare(self):
        return ["C", "N", "O"], np.dtype(self.dtype), False

    def _featurize(self, structures):
        weights = np.ones(3) if self.weights is None else np.asarray(self.weights["weight"])
        rows, invalid = np.zeros((len(structures), 3), self.dtype), []
        for i, s in enumerate(structures):
            if not isinstance(s, str) or set(s) - set("CNO"):
                invalid.append((i, "is not made of C, N and O"))
            else:
                rows[i] = weights * [s.count(letter) for letter in "CNO"]
        return rows, invalid


def configured(cls=Letters, **parameters):
    return cls(pd.DataFrame({"weight": [1.0, 2.0, 3.0]}, index=list("CNO")), **parameters)


class FunctionOfX(TransformerMixin, BaseEstimator):
    """A transformer of few parameters, written by hand; needs no fit."""

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y=None):
        as_column(X)
        return self

    def transform(self, X):
        return np.array([[len(s) ** self.power, 1.0] for s in as_column(X)])

    def get_feature_names_out(self, input_features=None):
        return np.array(["length", "one"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@parametrize_with_structure_checks(
    [configured(), configured(dtype="uint8"), configured(on_invalid="nan", dtype="float32"), FunctionOfX(2)], SMILES
)
def test_good_transformers_pass(estimator, check):
    check(estimator)


def test_molecules_pass():
    class Atoms(FunctionOfX):
        def transform(self, X):
            return np.array([[m.GetNumAtoms() ** self.power, 1.0] for m in as_column(X)])

    mols = [Chem.MolFromSmiles(s) for s in SMILES]
    for estimator, check in yield_structure_checks(FunctionOfX(2), SMILES):
        check(estimator)
    for estimator, check in yield_structure_checks(Atoms(2), mols):
        if check.func is not _checks.check_pickle:  # the class is local to this function
            check(estimator)


BROKEN = []


def caught_by(check, message, **parameters):
    """Register a transformer that `check` must fail with `message`."""

    def register(cls):
        # local classes cannot be pickled; each is put where pickle looks
        name = f"{cls.__name__}{len(BROKEN)}"
        cls.__name__ = cls.__qualname__ = name
        globals()[name] = cls
        BROKEN.append((cls, check, message, parameters))
        return cls

    return register


@caught_by("check_constructor", "sets more than its parameters: \\['names_'\\]")
class SetsMore(Letters):
    def __init__(self, weights=None, *, dtype="float64", on_invalid="raise", n_jobs=None, verbose=0, cache=None):
        super().__init__(weights, dtype=dtype, on_invalid=on_invalid, n_jobs=n_jobs, verbose=verbose, cache=cache)
        self.names_ = []


@caught_by("check_constructor", "does not store weights as it was given")
class Copies(Letters):
    def __init__(self, weights=None, *, dtype="float64", on_invalid="raise", n_jobs=None, verbose=0, cache=None):
        super().__init__(
            None if weights is None else weights.copy(),
            dtype=dtype,
            on_invalid=on_invalid,
            n_jobs=n_jobs,
            verbose=verbose,
            cache=cache,
        )


@caught_by("check_constructor", "differ in \\['cache'\\]")
class HidesParameter(Letters):
    def get_params(self, deep=True):
        return {k: v for k, v in super().get_params(deep).items() if k != "cache"}


@caught_by("check_clone", "clone changes the parameter dtype: 'float32' became 'float64'", dtype="float32")
class ForgetsInClone(Letters):
    def __sklearn_clone__(self):
        return type(self)(self.weights)


@caught_by("check_clone", "clone changes the parameter weights")
class LosesIndexInClone(Letters):
    def __sklearn_clone__(self):
        return configured(type(self)).set_params(weights=self.weights.reset_index(drop=True))


@caught_by("check_clone", "clone returned the estimator itself")
class ClonesNot(Letters):
    def __sklearn_clone__(self):
        return self


@caught_by("check_clone", "a clone gives other rows")
class ForgetsWhatItLearned(FunctionOfX):
    def __sklearn_clone__(self):
        copy = type(self)(self.power)
        copy.cloned = True
        return copy

    def transform(self, X):
        return super().transform(X) + hasattr(self, "cloned")


@caught_by("check_set_params", "attribute power is not what set_params set")
class SetsElsewhere(FunctionOfX):
    def set_params(self, **parameters):
        self.set_ = getattr(self, "set_", {}) | parameters
        return self

    def get_params(self, deep=True):
        return super().get_params(deep) | getattr(self, "set_", {})


@caught_by("check_set_params", "set_params does not return self")
class ReturnsNone(FunctionOfX):
    def set_params(self, **parameters):
        super().set_params(**parameters)


@caught_by("check_set_params", "setting dtype changes \\['weights'\\]")
class Entangled(Letters):
    def set_params(self, **parameters):
        if "dtype" in parameters:
            self.weights = None
        return super().set_params(**parameters)


@caught_by("check_set_params", "unknown parameter is accepted")
class TakesAnything(FunctionOfX):
    def set_params(self, **parameters):
        self.__dict__ |= parameters
        return self


@caught_by("check_fit", "fit does not return self")
class FitReturnsNone(Letters):
    def fit(self, X, y=None):
        super().fit(X)


@caught_by("check_fit", "fit changes the parameters \\['dtype'\\]")
class FitNormalises(Letters):
    def fit(self, X, y=None):
        self.dtype = np.dtype(self.dtype)
        return super().fit(X)


@caught_by("check_fit", "second fit differs from a fresh one")
class Accumulates(FunctionOfX):
    def fit(self, X, y=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        return self

    def transform(self, X):
        return super().transform(X) * self.n_fits_


@caught_by("check_fit", "fit_transform differs")
class OtherFitTransform(FunctionOfX):
    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X) + 1


@caught_by("check_fit", "second transform gives other rows")
class Drifts(FunctionOfX):
    def transform(self, X):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return super().transform(X) + self.n_calls_


@caught_by("check_not_fitted", "transform before fit is accepted")
class NeedsNoFit(FunctionOfX):
    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags


@caught_by("check_not_fitted", "transform before fit raises AttributeError")
class FailsUnfitted(NeedsNoFit):
    def fit(self, X, y=None):
        self.shift_ = 1
        return self

    def transform(self, X):
        return super().transform(X) + self.shift_


@caught_by("check_pickle", "pickle changes the parameter weights")
class DropsInPickle(Letters):
    def __getstate__(self):
        return super().__getstate__() | {"weights": None}


@caught_by("check_pickle", "after pickle the fitted estimator gives other rows")
class LosesFit(FunctionOfX):
    def fit(self, X, y=None):
        self.shift_ = 5
        return self

    def transform(self, X):
        return super().transform(X) + getattr(self, "shift_", 0)

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "shift_"}


@caught_by("check_pickle", "more than 1000000")
class KeepsX(FunctionOfX):
    def fit(self, X, y=None):
        self.X_ = np.ones(200_000)
        return self


@caught_by("check_output", "7 structures became 6 rows")
class Drops(FunctionOfX):
    def transform(self, X):
        return super().transform(X)[: len(SMILES) - 1]


@caught_by("check_output", "1 dimensions, not two")
class Flat(FunctionOfX):
    def transform(self, X):
        return super().transform(X)[:, 0]


@caught_by("check_output", "object, not numbers")
class Objects(FunctionOfX):
    def transform(self, X):
        return super().transform(X).astype(object)


@caught_by("check_output", "not finite")
class Infinite(FunctionOfX):
    def transform(self, X):
        return super().transform(X) / 0.0 if len(X) else X


@caught_by("check_containers", "a pandas DataFrame gives other rows than a list: shape \\(1, 2\\)")
class ReadsColumnNames(FunctionOfX):
    def transform(self, X):
        return super().transform(list(X) if isinstance(X, pd.DataFrame) else X)


@caught_by("check_containers", "polars Series gives other rows")
class Reverses(FunctionOfX):
    def transform(self, X):
        return super().transform(X)[:: -1 if type(X).__module__.startswith("polars") else 1]


@caught_by("check_bad_containers", "an empty list in transform is accepted")
class TakesNothing(FunctionOfX):
    def transform(self, X):
        return super().transform(X) if len(X) else np.empty((0, 2))


@caught_by("check_bad_containers", "a bare string in fit is accepted")
class FitLooksAtNothing(FunctionOfX):
    def fit(self, X, y=None):
        if len(X):
            return self
        raise ValueError("X is empty")


@caught_by("check_bad_containers", "array of two columns in transform is accepted")
class TakesFirstColumn(FunctionOfX):
    def transform(self, X):
        return super().transform(X[:, 0] if isinstance(X, np.ndarray) and X.ndim == 2 else X)


@caught_by("check_row_order", "not in the order of X: rows")
class Sorts(FunctionOfX):
    def transform(self, X):
        return super().transform(sorted(as_column(X)))


@caught_by("check_row_order", "shape \\(7, 2\\), not \\(10, 2\\)")
class Deduplicates(FunctionOfX):
    def transform(self, X):
        return super().transform(list(dict.fromkeys(as_column(X))))


@caught_by("check_row_independence", "a subset of X gives other rows")
class Centres(FunctionOfX):
    def transform(self, X):
        rows = super().transform(X)
        return rows - rows.mean(axis=0)


@caught_by("check_row_independence", "row 0 alone has other features")
class OneRowIsSpecial(FunctionOfX):
    def transform(self, X):
        return super().transform(X) / (1 + (len(X) == 1))


@caught_by("check_input_unchanged", "changes the structures in a list")
class StripsInPlace(FunctionOfX):
    def transform(self, X):
        if isinstance(X, list):
            X[0] = X[0] + "C"
        return super().transform(X)


@caught_by("check_input_unchanged", "changes the index of a pandas Series")
class ResetsIndex(FunctionOfX):
    def transform(self, X):
        if isinstance(X, pd.Series):
            X.index = range(len(X))
        return super().transform(X)


class Names(FunctionOfX):
    names: object = None

    def get_feature_names_out(self, input_features=None):
        return self.names


@caught_by("check_feature_names", "returns list, not an array")
class ListOfNames(Names):
    names = ["a", "b"]  # noqa: RUF012


@caught_by("check_feature_names", "is not a str")
class NumberedNames(Names):
    names = np.arange(2)


@caught_by("check_feature_names", "3 feature names for 2 columns")
class TooManyNames(Names):
    names = np.array(["a", "b", "c"], dtype=object)


@caught_by("check_feature_names", "occurs twice")
class SameName(Names):
    names = np.array(["a", "a"], dtype=object)


@caught_by("check_feature_names", "changing the returned feature names")
class SharedNames(Names):
    names = np.array(["a", "b"], dtype=object)


@caught_by("check_set_output", 'set_output\\(transform="pandas"\\) gives')
class IgnoresSetOutput(FunctionOfX):
    def set_output(self, *, transform=None):
        return self


@caught_by("check_set_output", "the columns of the pandas DataFrame are not the feature names")
class OwnColumns(FunctionOfX):
    def set_output(self, *, transform=None):
        self.frame_ = {"pandas": pd.DataFrame, None: np.asarray}.get(transform)
        return self

    def transform(self, X):
        return getattr(self, "frame_", np.asarray)(super().transform.__wrapped__(self, X))


@caught_by("check_set_output", "does not keep the index of X")
class LosesIndex(FunctionOfX):
    def fit_transform(self, X, y=None):
        return self.fit(X).transform(list(as_column(X)))


@caught_by("check_set_output", "clone forgets set_output")
class ClonesWithoutOutput(FunctionOfX):
    def __sklearn_clone__(self):
        return type(self)(self.power)


@caught_by("check_model_selection", "fails with ValueError: another number of rows")
class SameRowsAsFit(FunctionOfX):
    def fit(self, X, y=None):
        self.n_ = len(X)
        return super().fit(X)

    def transform(self, X):
        if len(X) != self.n_:
            raise ValueError("another number of rows than in fit")
        return super().transform(X)


@caught_by("check_n_jobs", "n_jobs=2 gives other rows than n_jobs=1")
class LosesOrderInProcesses(Letters):
    def _compute(self, structures):
        rows, invalid = super()._compute(structures)
        return (rows[::-1].copy() if self.n_jobs == 2 else rows), invalid


def warning(rows, n_rows):
    return InvalidRowsWarning([(row, None, "is bad") for row in rows], n_rows)


class Transforms(Letters):
    """Another hand on the row policy: `told` gets the good transformer's error or warning."""

    def transform(self, X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InvalidRowsWarning)
            try:
                rows = super().transform(X)
            except InvalidRowsError as error:
                return self.refuse(error)
        self.warn(np.flatnonzero(np.isnan(rows[:, 0])), len(rows))
        return self.change(rows)

    def refuse(self, error):
        raise error

    def warn(self, rows, n_rows):
        if len(rows):
            warnings.warn(warning(rows, n_rows), stacklevel=2)

    def change(self, rows):
        return rows


@caught_by("check_invalid_raise", "transform of invalid rows is accepted")
class SilentlyDrops(Transforms):
    def refuse(self, error):
        return np.zeros((len(SMILES), 3))


@caught_by("check_invalid_raise", "does not name row 2")
class NamesFirst(Transforms):
    def refuse(self, error):
        raise InvalidRowsError(error.rows[:1], error.n_rows)


@caught_by("check_invalid_raise", "does not show the value None of row 2")
class NoValue(Transforms):
    def refuse(self, error):
        raise ValueError("\n".join(f"row {row}: 'not a structure' is bad" for row, _, _ in error.rows))


@caught_by("check_invalid_raise", "gives no reason for row 0")
class NoReason(Transforms):
    def refuse(self, error):
        raise InvalidRowsError([(row, value, "") for row, value, _ in error.rows], error.n_rows)


@caught_by("check_invalid_raise", "raises KeyError instead of")
class OtherError(Transforms):
    def refuse(self, error):
        raise KeyError("something")


@caught_by("check_invalid_nan", "not a row of NaN")
class Zeros(Transforms):
    def change(self, rows):
        return np.nan_to_num(rows)


@caught_by("check_invalid_nan", "11 structures became 7 rows")
class DropsInvalid(Transforms):
    def change(self, rows):
        return rows[np.isfinite(rows).all(axis=1)]


@caught_by("check_invalid_nan", "0 InvalidRowsWarnings, not one")
class Silent(Transforms):
    def warn(self, rows, n_rows):
        pass


@caught_by("check_invalid_nan", "4 InvalidRowsWarnings, not one")
class WarnsForEach(Transforms):
    def warn(self, rows, n_rows):
        for row in rows:
            warnings.warn(warning([row], n_rows), stacklevel=2)


@caught_by("check_invalid_nan", "does not count 4 rows")
class CountsWrongly(Transforms):
    def warn(self, rows, n_rows):
        if len(rows):
            warnings.warn(warning(rows[1:], n_rows), stacklevel=2)


@caught_by("check_invalid_nan", "invalid rows change the rows of others")
class Shifts(Transforms):
    def change(self, rows):
        bad = np.isnan(rows).all(axis=1)
        rows[~bad] += bad.sum()
        return rows


@caught_by("check_invalid_nan", "a warning without an invalid row: .*0 of 7")
class AlwaysWarns(Transforms):
    def warn(self, rows, n_rows):
        super().warn(rows, n_rows)
        if not len(rows):
            warnings.warn(warning([], n_rows), stacklevel=2)


@caught_by("check_invalid_nan", "that have no NaN is accepted", dtype="uint8")
class IntegerNaN(Letters):
    def fit(self, X, y=None):
        on_invalid, self.on_invalid = self.on_invalid, "raise"
        super().fit(X)
        self.on_invalid = on_invalid
        return self


@caught_by("check_cache", "puts nothing into the cache")
class IgnoresCache(Letters):
    def transform(self, X):
        cache, self.cache = self.cache, None
        rows = super().transform(X)
        self.cache = cache
        return rows


@caught_by("check_cache", "a second transform computes 7 rows")
class ForgetsName(Letters):
    n_names = 0

    def cache_name(self):
        type(self).n_names += 1
        return f"name-{self.n_names}"


@caught_by("check_cache", "a clone computes 7 rows")
class ForgetsClones(Letters):
    def cache_name(self):
        return f"name-{id(self)}"


@caught_by("check_cache", "with an empty cache there are other rows")
class Rounds(Letters):
    def _look_up(self, folder, structures, dtype, sparse):
        rows, invalid = super()._look_up(folder, structures, dtype, sparse)
        return rows + 0.1, invalid


@caught_by("check_cache", "with a half full cache there are other rows")
class ServesByPlace(Letters):
    def _look_up(self, folder, structures, dtype, sparse):
        rows, invalid = super()._look_up(folder, structures, dtype, sparse)
        store = vars(type(self)).get("store")
        if store is None:
            type(self).store = rows
        else:
            rows[: len(store)] = store
        return rows, invalid


@pytest.mark.parametrize(
    ("cls", "check", "message", "parameters"), BROKEN, ids=[f"{check}-{cls.__name__}" for cls, check, _, _ in BROKEN]
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:0 of 7")
def test_broken_transformer_is_caught(cls, check, message, parameters):
    estimator = configured(cls, **parameters) if issubclass(cls, Letters) else cls(2)
    (run,) = [c for _, c in yield_structure_checks(estimator, SMILES) if c.func.__name__ == check]
    with pytest.raises(AssertionError, match=message):
        run(estimator)


def test_every_check_can_fail():
    checks = {name for name in vars(_checks) if name.startswith("check_")}
    assert checks == {check for _, check, _, _ in BROKEN}
    everything = {check.func.__name__ for _, check in yield_structure_checks(configured(), SMILES)}
    assert checks == everything


def test_the_whole_suite_stops_at_the_first_failure():
    check_structure_transformer(FunctionOfX(2), SMILES)
    with pytest.raises(AssertionError, match="not in the order of X"):
        check_structure_transformer(Sorts(2), SMILES)


def test_estimator_is_left_alone():
    estimator = configured()
    before = dict(vars(estimator))
    check_structure_transformer(estimator, SMILES)
    assert {k: id(v) for k, v in vars(estimator).items()} == {k: id(v) for k, v in before.items()}


def test_own_invalid_values_and_size():
    with pytest.raises(AssertionError, match="transform of invalid rows is accepted"):
        check_structure_transformer(configured(), SMILES, invalid=("CC", "OC"))
    with pytest.raises(AssertionError, match="more than 10"):
        check_structure_transformer(configured(), SMILES, max_pickle=10)


def test_checks_of_missing_parameters_are_left_out():
    names = {check.func.__name__ for _, check in yield_structure_checks(FunctionOfX(), SMILES)}
    assert names.isdisjoint({"check_cache", "check_n_jobs", "check_invalid_raise", "check_invalid_nan"})


def test_too_few_structures():
    with pytest.raises(ValueError, match="at least 6 structures, got 5"):
        next(yield_structure_checks(FunctionOfX(), SMILES[:5]))


def test_readable_ids():
    def ids(*estimators):
        return [case.id for case in parametrize_with_structure_checks(estimators, SMILES).mark.args[1]]

    assert ids(FunctionOfX(2))[0] == "FunctionOfX-check_constructor"
    assert {"FunctionOfX1-check_clone", "Letters-check_cache", "FunctionOfX2-check_clone"} <= set(
        ids(FunctionOfX(2), Letters(), FunctionOfX(3))
    )
    assert len(set(ids(FunctionOfX(2), FunctionOfX(3)))) == 2 * len(ids(FunctionOfX(2)))


def test_pytest_is_not_imported():
    code = "import sys, sktaag.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_check_says_what_it_checks():
    for name, check in vars(_checks).items():
        if name.startswith("check_"):
            assert inspect.getdoc(check), name
