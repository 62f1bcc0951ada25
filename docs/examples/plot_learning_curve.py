"""
When does transfer stop paying?
===============================

With few samples the features of a source help; with many, a direct model learns them itself. The learning curve shows
how fast the lines come together. Here: surface tensions, with three other properties of liquids as sources.
"""

# %%
# Three sources, without the molecules of the target.
import numpy as np
from sklearn.pipeline import make_pipeline

from sktaag.datasets import (
    load_boiling_points,
    load_critical_temperatures,
    load_refractive_indices,
    load_surface_tensions,
)
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidRegressor
from sktaag.structures import canonical_smiles

rng = np.random.RandomState(0)
target = load_surface_tensions()
drawn = rng.choice(len(target.data), 150, replace=False)
X, y = target.data[drawn], target.target[drawn]
known = canonical_smiles(X, stereo=False)


def train(load, n=3000):
    """Fit a source to molecules that are not in the target."""
    source_X, source_y = load(return_X_y=True)
    new = np.flatnonzero(~np.isin(canonical_smiles(source_X, stereo=False), known))
    new = rng.permutation(new)[:n]
    source = make_pipeline(
        Fingerprints(["morgan", "atom_pair"], counts=True, size=512),
        PyramidRegressor(hidden=(128, 48, 16), criterion="huber", max_epochs=40, random_state=0),
    )
    return source.fit(source_X[new], source_y[new])


sources = {
    "boiling point": train(load_boiling_points),
    "critical temperature": train(load_critical_temperatures),
    "refractive index": train(load_refractive_indices),
}

# %%
# The same forest on the same folds, with and without the sources; and a ridge regression, which the features allow.
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from sktaag.inspection import LearningCurveDisplay
from sktaag.transfer import FrozenFeaturizer

forest = RandomForestRegressor(100, random_state=0)
ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13)))
models = {
    "direct forest": make_pipeline(Fingerprints(["morgan", "atom_pair"], counts=True, size=512), forest),
    "transferred forest": make_pipeline(FrozenFeaturizer(sources, layers=2), forest),
    "transferred ridge": make_pipeline(FrozenFeaturizer(sources, layers=2), ridge),
}
LearningCurveDisplay.from_estimators(
    models,
    X,
    y,
    train_sizes=[15, 30, 60, 110],
    cv=KFold(5, shuffle=True, random_state=0),
    scoring="neg_mean_absolute_error",
    score_name="neg_mean absolute error (mN/m)",
)
