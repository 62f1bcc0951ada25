"""All checks in a row, one by one, or as tests of pytest."""

from functools import partial

from sktaag.testing._checks import (
    FEWEST,
    INVALID,
    check_bad_containers,
    check_cache,
    check_clone,
    check_constructor,
    check_containers,
    check_feature_names,
    check_fit,
    check_input_unchanged,
    check_invalid_nan,
    check_invalid_raise,
    check_model_selection,
    check_n_jobs,
    check_not_fitted,
    check_output,
    check_pickle,
    check_row_independence,
    check_row_order,
    check_set_output,
    check_set_params,
)

_CHECKS = (
    check_constructor,
    check_clone,
    check_set_params,
    check_fit,
    check_not_fitted,
    check_output,
    check_containers,
    check_bad_containers,
    check_row_order,
    check_row_independence,
    check_input_unchanged,
    check_feature_names,
    check_set_output,
    check_model_selection,
)


def check_structure_transformer(estimator, structures, *, invalid=INVALID, max_pickle=1_000_000):
    """Run every check of the suite and stop at the first that fails.

    Parameters
    ----------
    estimator : object
        Transformer, configured with values that are not the defaults: a parameter at its default proves nothing
        about `clone`. It is not changed.
    structures : list of shape (n_samples,)
        At least six different structures that the estimator can read.
    invalid : tuple, default=("not a structure", None, nan, 3.5)
        Values that the estimator must refuse, if it has the parameter `on_invalid`.
    max_pickle : int, default=1_000_000
        Upper bound in bytes on the size of the fitted estimator's pickle.

    Raises
    ------
    AssertionError
        If the estimator breaks the contract; the message says where.

    Examples
    --------
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.testing import check_structure_transformer
    >>> smiles = ["C", "CC", "CCO", "c1ccccc1", "CC(=O)O", "CCN"]
    >>> check_structure_transformer(Fingerprints(["morgan", "maccs"], counts=True, size=512), smiles)
    """
    for configured, check in yield_structure_checks(estimator, structures, invalid=invalid, max_pickle=max_pickle):
        check(configured)


def yield_structure_checks(estimator, structures, *, invalid=INVALID, max_pickle=1_000_000):
    """Yield the checks of the suite one by one.

    Parameters
    ----------
    estimator : object
        As in `check_structure_transformer`.
    structures : list of shape (n_samples,)
        As in `check_structure_transformer`.
    invalid : tuple, default=("not a structure", None, nan, 3.5)
        As in `check_structure_transformer`.
    max_pickle : int, default=1_000_000
        As in `check_structure_transformer`.

    Yields
    ------
    estimator : object
        The same each time.
    check : functools.partial
        Called with the estimator alone; raises AssertionError. Checks of parameters that the estimator does not
        have (`cache`, `n_jobs`, `on_invalid`) are left out.

    Raises
    ------
    ValueError
        If there are fewer than six structures.

    Examples
    --------
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.testing import yield_structure_checks
    >>> checks = yield_structure_checks(Fingerprints(), ["C", "CC", "CCO", "CO", "CN", "CCN"])
    >>> [check.func.__name__ for _, check in checks][:3]
    ['check_constructor', 'check_clone', 'check_set_params']
    """
    structures = list(structures)
    if len(structures) < FEWEST:
        raise ValueError(f"The suite needs at least {FEWEST} structures, got {len(structures)}.")
    parameters = estimator.get_params(deep=False)
    for check in _CHECKS:
        yield estimator, partial(check, structures=structures)
    yield estimator, partial(check_pickle, structures=structures, max_pickle=max_pickle)
    if "n_jobs" in parameters:
        yield estimator, partial(check_n_jobs, structures=structures)
    if "on_invalid" in parameters:
        yield estimator, partial(check_invalid_raise, structures=structures, invalid=invalid)
        yield estimator, partial(check_invalid_nan, structures=structures, invalid=invalid)
    if "cache" in parameters:
        yield estimator, partial(check_cache, structures=structures, invalid=invalid)


def parametrize_with_structure_checks(estimators, structures, *, invalid=INVALID, max_pickle=1_000_000):
    """Parametrize a pytest function with `estimator` and `check`, as scikit-learn's `parametrize_with_checks`.

    Parameters
    ----------
    estimators : list of object
        Configured transformers.
    structures : list of shape (n_samples,)
        As in `check_structure_transformer`, for all of the estimators.
    invalid : tuple, default=("not a structure", None, nan, 3.5)
        As in `check_structure_transformer`.
    max_pickle : int, default=1_000_000
        As in `check_structure_transformer`.

    Returns
    -------
    decorator : pytest.MarkDecorator

    Examples
    --------
    >>> from sktaag.descriptors import Fingerprints
    >>> from sktaag.testing import parametrize_with_structure_checks
    >>> @parametrize_with_structure_checks(
    ...     [Fingerprints("maccs"), Fingerprints(counts=True)], ["C", "CC", "CCO", "CO", "CN", "CCN"]
    ... )
    ... def test_structure_contract(estimator, check):
    ...     check(estimator)
    """
    import pytest  # only those who test need it

    names = [type(estimator).__name__ for estimator in estimators]
    cases = []
    for i, (name, configured) in enumerate(zip(names, estimators, strict=True)):
        # no repr in the name of a test: it may hold addresses and folders, which are others in each process
        label = name if names.count(name) == 1 else f"{name}{names[:i].count(name) + 1}"
        for _, check in yield_structure_checks(configured, structures, invalid=invalid, max_pickle=max_pickle):
            cases.append(pytest.param(configured, check, id=f"{label}-{check.func.__name__}"))
    return pytest.mark.parametrize(("estimator", "check"), cases)
