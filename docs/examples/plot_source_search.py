"""
Which source helps?
===================

Three properties, a few random networks for each, and one target. `SourceSearchCV` tries them all in an inner
cross-validation, with the direct model as a competitor, and the map shows what it saw.
"""

# %%
# Six random networks for each of three properties, trained together. Molecules of the target are left out.
import numpy as np
from sklearn.pipeline import make_pipeline

from sktaag.datasets import (
    load_boiling_points,
    load_critical_temperatures,
    load_melting_points,
    load_refractive_indices,
)
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidEnsemble
from sktaag.structures import canonical_smiles

rng = np.random.RandomState(0)
target = load_refractive_indices()
drawn = rng.choice(len(target.data), 60, replace=False)
X, y = target.data[drawn], target.target[drawn]
known = canonical_smiles(X, stereo=False)

sources, properties, errors = {}, {}, {}
for name, load in {
    "boiling point": load_boiling_points,
    "critical temperature": load_critical_temperatures,
    "melting point": load_melting_points,
}.items():
    source_X, source_y = load(return_X_y=True)
    new = np.flatnonzero(~np.isin(canonical_smiles(source_X, stereo=False), known))
    new = rng.permutation(new)[:1500]
    descriptor = Fingerprints(["morgan", "atom_pair"], counts=True, size=256)
    features = descriptor.fit_transform(source_X[new])
    ensemble = PyramidEnsemble(n_models=6, max_epochs=20, random_state=0).fit(features, source_y[new])
    for i in range(6):
        key = f"{name} {i}"
        sources[key] = make_pipeline(descriptor, ensemble[i])
        properties[key], errors[key] = name, 1 - ensemble[i].validation_score_

# %%
# The search. Its `summary_` says in words what won.
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from sktaag.transfer import SourceSearchCV

head = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
search = SourceSearchCV(head, sources, layers=[1, 2], cv=5, scoring="neg_mean_absolute_error").fit(X, y)
print(search.summary_)

# %%
# Is a network that is better on its own property the better source?
from sktaag.inspection import SourceMapDisplay

SourceMapDisplay.from_estimator(search, source_errors=errors, properties=properties, target="refractive index")

# %%
# And which property helps, as the median over its networks.
SourceMapDisplay.from_estimator(search, properties=properties, target="refractive index", kind="matrix")
