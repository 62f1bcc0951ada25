"""
How much of each layer?
=======================

A graph network that learned boiling points gives each atom a state after its embedding and after each of its blocks.
Early blocks know the neighbourhood, late ones what boiling asks for. Which of them tells surface tensions? An attention
over the depths (TAAG, :doi:`10.1063/5.0088019`) learns it by gradients; weights in closed form need no training loop.
"""

# %%
# The source: a graph network on the bonds of 1,200 molecules, none of which is in the target.
import numpy as np

from sktaag.datasets import load_boiling_points, load_surface_tensions
from sktaag.sources import GNNRegressor
from sktaag.structures import canonical_smiles

rng = np.random.RandomState(0)
target = load_surface_tensions()
drawn = rng.choice(len(target.data), 80, replace=False)
X, y = target.data[drawn], target.target[drawn]

source_X, source_y = load_boiling_points(return_X_y=True)
new = np.flatnonzero(~np.isin(canonical_smiles(source_X, stereo=False), canonical_smiles(X, stereo=False)))
new = rng.choice(new, 1200, replace=False)
source = GNNRegressor(
    "gine", target="intensive", module__n_layers=3, module__n_features=32, lr=0.003, max_epochs=25, random_state=0
)
source.fit(source_X[new], source_y[new])
print(f"R2 of held-out boiling points: {source.validation_score_:.2f}")

# %%
# Attention learned on the target.
from sktaag.inspection import LayerAttentionDisplay
from sktaag.transfer import TAAGRegressor

model = TAAGRegressor(source, attention="query", target="intensive", lr=0.005, max_epochs=100, random_state=0)
model.fit(X, y)
LayerAttentionDisplay.from_estimator(model, X)

# %%
# The same by element, and on the atoms of one molecule.
LayerAttentionDisplay.from_estimator(model, X, kind="elements")

# %%
row = int(np.argmax([len(smiles) for smiles in X]))
LayerAttentionDisplay.from_estimator(model, X, kind="atoms", row=row)

# %%
# The closed form: one kernel for each depth, weights by the marginal likelihood. The same folds for both, and for a
# forest without any source.
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sktaag.descriptors import Fingerprints
from sktaag.heads import LayerKernelRegressor
from sktaag.transfer import GNNFeaturizer

layers = make_pipeline(GNNFeaturizer(source).set_output(transform="pandas"), LayerKernelRegressor())
models = {
    "direct forest": make_pipeline(
        Fingerprints(["morgan", "atom_pair"], counts=True), RandomForestRegressor(100, random_state=0)
    ),
    "attention": model,
    "weights in closed form": layers,
}
folds = KFold(5, shuffle=True, random_state=0)
for name, estimator in models.items():
    scores = cross_val_score(estimator, X, y, cv=folds, scoring="neg_mean_absolute_error")
    print(f"{name:24} MAE {-scores.mean():.2f} mN/m")

# %%
layers.fit(X, y)
LayerAttentionDisplay.from_weights(layers[-1].layer_weights_)
