"""Defaults of the estimators over graphs: what the documentation says, and those that were chosen by measurement."""

import re
from inspect import Parameter, getdoc, signature

import pytest

from sktaag import graphs, nn, sources, transfer
from sktaag.heads import LayerKernelRegressor
from sktaag.nn import backbones, make_backbone

DOCUMENTED = [
    graphs.AtomGraphs,
    graphs.MoleculeGraphs,
    nn.GraphNetwork,
    nn.LayerAttention,
    sources.GNNClassifier,
    sources.GNNRegressor,
    transfer.FineTunedRegressor,
    transfer.GNNFeaturizer,
    transfer.LinearPotential,
    transfer.TAAGClassifier,
    transfer.TAAGFeaturizer,
    transfer.TAAGRegressor,
    LayerKernelRegressor,
    *(getattr(backbones, name) for name in backbones.__all__),
]


@pytest.mark.parametrize("cls", DOCUMENTED, ids=lambda cls: cls.__name__)
def test_documented_defaults_are_those_of_the_constructor(cls):
    section = getdoc(cls).partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\w+\n-{4,}\n", section)[0]
    documented = {}
    for names, default in re.findall(r"^(\w[\w, ]*) : .*?, default=(.+)$", section, flags=re.MULTILINE):
        names = names.split(", ")
        values = eval(f"({default},)")  # "7, 6" for two parameters; the text is ours
        documented |= dict(
            zip(names, values if len(values) == len(names) > 1 else values[:1] * len(names), strict=True)
        )
    parameters = signature(cls).parameters.values()
    actual = {p.name: p.default for p in parameters if p.default is not Parameter.empty}
    assert documented == actual


@pytest.mark.parametrize("estimator", [sources.GNNRegressor, transfer.TAAGRegressor, transfer.FineTunedRegressor])
def test_weight_of_the_forces(estimator):
    """That of the released configuration; force_weight=1 learns the energies of few frames and not the forces."""
    model = estimator() if estimator is sources.GNNRegressor else estimator("chgnet")
    assert model.get_params()["force_weight"] == 100.0


def test_gaussians_of_schnet():
    """Narrow ones fit the noise: 50 of them have a third more error in the forces of fifty frames."""
    backbone = make_backbone("schnet")
    assert backbone.config["n_gaussians"] == len(backbone.distance_expansion.offset) == 20
    assert backbone.cutoff == backbone.distance_expansion.offset[-1] == 5.0
