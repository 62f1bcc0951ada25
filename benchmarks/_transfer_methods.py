"""Models of the benchmarks on transfer: direct ones, sources alone, the recipe, the guarded search.

Frozen layers do not depend on y and see each row alone, so that those of all rows are computed once (`features`); their
models take columns by number. The search takes structures, as a user would call it.
"""

import numpy as np
from _transfer_tasks import descriptor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor, VotingRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from sktaag.heads import direct_models, small_data_heads
from sktaag.transfer import FrozenFeaturizer, SourceSearchCV

SCORING = "neg_mean_absolute_error"


def inner_folds(seed):
    """Return the folds of everything that chooses."""
    return KFold(3, shuffle=True, random_state=seed)


# ---------------------------------------------------------------- features


def features(X, sources, cache):
    """Compute descriptors and frozen layers of all rows, once.

    Parameters
    ----------
    X : column of structures
    sources : dict of list of sources
        As `source_library` returns them.
    cache : pathlib.Path

    Returns
    -------
    matrix : ndarray of shape (n_samples, n_columns)
    columns : dict of slice or ndarray
        "descriptors"; "output" and "last layers" of all sources; ("last layer", property) of the first network of each.
    """
    described = descriptor(cache / "descriptors", sparse=False).fit_transform(X)
    blocks, columns = [described[:, described.any(axis=0)]], {}
    bundle = bundle_of(sources)
    for name, layers in (("output", "output"), ("last layers", 1)):
        featurizer = FrozenFeaturizer(bundle, layers, cache=cache / "layers")
        blocks.append(featurizer.fit_transform(X))
        columns[name] = np.arange(blocks[-1].shape[1])
    names = featurizer.get_feature_names_out()
    of_source = np.array([name.rpartition("__")[0] for name in names])
    for property in sources:
        columns["last layer", property] = np.flatnonzero(of_source == f"{property} 0")
    columns = {"descriptors": np.arange(blocks[0].shape[1])} | columns
    for key, rows in columns.items():
        place = ["descriptors", "output", "last layers"].index(key) if isinstance(key, str) else 2
        columns[key] = rows + sum(block.shape[1] for block in blocks[:place])
    return np.hstack(blocks), columns


def bundle_of(sources):
    """Name every network by its property and seed."""
    return {f"{name} {seed}": network for name, networks in sources.items() for seed, network in enumerate(networks)}


def of_columns(columns, head):
    """Return a head that takes these columns of the matrix."""
    return make_pipeline(ColumnTransformer([("columns", "passthrough", columns)]), head)


# ---------------------------------------------------------------- models


def of_descriptors(columns, seed):
    """Return the direct models by name."""
    picked = ColumnTransformer([("columns", "passthrough", columns["descriptors"])])
    return {f"direct {name}": model for name, model in direct_models(picked, seed).items()}


def single_sources(columns, seed):
    """Return a forest on the last layer of the first network of each property: XenonPy.MDL's recipe."""
    forest = RandomForestRegressor(100, random_state=seed)
    return {key[1]: of_columns(rows, forest) for key, rows in columns.items() if key[0] == "last layer"}


def nested_source(sources, cache, seed):
    """Return the search for the one network whose last layer is best for a forest on the inner folds."""
    return SourceSearchCV(
        RandomForestRegressor(100, random_state=seed),
        {name: networks[0] for name, networks in sources.items()},
        cv=inner_folds(seed),
        scoring=SCORING,
        screen=8,
        baseline=False,
        cache=cache / "layers",
    )


def recipe(columns, seed):
    """Return the recipe: three different heads on all sources at once, and the mean of what they say."""
    head = small_data_heads(seed)
    return VotingRegressor(
        [
            ("process", of_columns(columns["last layers"], head["Gaussian process"])),
            ("ridge", of_columns(columns["output"], head["ridge"])),
            ("trees", of_columns(columns["output"], head["extra trees"])),
        ]
    )


def shared_recipe(shared, same, cache, seed):
    """Return the recipe on one network of all properties, and the heads on what sources of the same quantity say."""
    head = small_data_heads(seed)

    def on(source, layers, name):
        return make_pipeline(FrozenFeaturizer(source, layers, cache=cache / "layers"), head[name])

    return VotingRegressor(
        [
            ("process", on(shared, 1, "Gaussian process")),
            ("ridge", on(shared, "output", "ridge")),
            ("trees", on(shared, "output", "extra trees")),
            *((f"same quantity, {name}", on(same, "output", name)) for name in head if same),
        ]
    )


def bundles(columns, seed):
    """Return each head on the predicted properties and on the last layers of all sources."""
    return {
        f"{name}, {head_name}": of_columns(columns[name], head)
        for name in ("output", "last layers")
        for head_name, head in small_data_heads(seed).items()
    }


def guarded_search(sources, cache, seed):
    """Return the search over heads and layers of sources or bundles, with the direct models among the competitors."""
    return SourceSearchCV(
        small_data_heads(seed),
        sources,
        layers=[1, "output"],
        cv=inner_folds(seed),
        scoring=SCORING,
        baseline=direct_models(descriptor(cache / "descriptors", sparse=False), seed),
        aggregate="average",
        n_best=3,
        cache=cache / "layers",
    )
