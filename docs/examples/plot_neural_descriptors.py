"""
What a source network knows
===========================

A network that learned boiling points never saw a refractive index. Do its neurons tell refractive indices apart? The
heat map of Yamada et al. (:doi:`10.1021/acscentsci.9b00804`) shows it before any model is fitted: samples sorted by the
new property, one column for each neuron.
"""

# %%
# The source: boiling points of 2,000 molecules. Molecules of the target are left out of it.
import numpy as np
from sklearn.pipeline import make_pipeline

from sktaag.datasets import load_boiling_points, load_refractive_indices
from sktaag.descriptors import Fingerprints
from sktaag.sources import PyramidRegressor
from sktaag.structures import canonical_smiles

rng = np.random.RandomState(0)
target = load_refractive_indices()
drawn = rng.choice(len(target.data), 100, replace=False)
X, y = target.data[drawn], target.target[drawn]

source_X, source_y = load_boiling_points(return_X_y=True)
new = np.flatnonzero(~np.isin(canonical_smiles(source_X, stereo=False), canonical_smiles(X, stereo=False)))
new = rng.choice(new, 2000, replace=False)
source = make_pipeline(
    Fingerprints(["morgan", "atom_pair"], counts=True, size=512),
    PyramidRegressor(hidden=(128, 48, 16), max_epochs=30, random_state=0),
)
source.fit(source_X[new], source_y[new])

# %%
# Molecules from low (bottom) to high refractive index (top). A column that turns from one colour into the other is a
# neuron from which the refractive index could be read.
from sktaag.inspection import NeuralDescriptorDisplay
from sktaag.transfer import FrozenFeaturizer

featurizer = FrozenFeaturizer(source, layers=2).fit(X)
NeuralDescriptorDisplay.from_estimator(featurizer, X, y, name="refractive index")

# %%
# The same features in two dimensions.
from sktaag.inspection import EmbeddingDisplay

EmbeddingDisplay.from_estimator(featurizer, X, y, name="refractive index")

# %%
# And what a ridge regression on them predicts for molecules that it did not see.
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from sktaag.inspection import ParityDisplay

model = make_pipeline(FrozenFeaturizer(source, layers=2), StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
ParityDisplay.from_estimator(model, X, y, cv=KFold(5, shuffle=True, random_state=0), name="refractive index")
