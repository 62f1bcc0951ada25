"""MACE over our graphs gives what MACE's own calculator gives."""

import copy
import json
import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from ase import Atoms
from torch_geometric.data import Batch

from sktaag.nn import GraphNetwork, make_backbone
from sktaag.nn.backbones import MACE
from sktaag.nn.backbones._mace import _mace

pytestmark = [
    pytest.mark.skipif(find_spec("mace") is None, reason="needs the extra mace"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A small network with random weights, saved as MACE's program saves it."""
    with _mace():
        from e3nn.o3 import Irreps
        from mace import modules

        torch.manual_seed(0)
        net = modules.ScaleShiftMACE(
            r_max=4.0,
            num_bessel=6,
            num_polynomial_cutoff=5,
            max_ell=2,
            interaction_cls=modules.blocks.RealAgnosticResidualInteractionBlock,
            interaction_cls_first=modules.blocks.RealAgnosticResidualInteractionBlock,
            num_interactions=2,
            num_elements=5,
            hidden_irreps=Irreps("16x0e + 16x1o"),
            MLP_irreps=Irreps("8x0e"),
            gate=torch.nn.functional.silu,
            atomic_energies=np.array([-1.0, -2.0, -3.0, -4.0, -5.0]),
            avg_num_neighbors=8,
            atomic_numbers=[1, 6, 8, 11, 17],
            correlation=2,
            atomic_inter_scale=1.3,
            atomic_inter_shift=0.1,
        ).double()
    path = tmp_path_factory.mktemp("mace") / "small.model"
    torch.save(net, path)
    return path


@pytest.fixture
def backbone(path):
    return MACE.from_pretrained(path, trusted=True).double()


def test_tokens_are_the_descriptors_of_mace(path, backbone, ethanol, rocksalt):
    from mace.calculators import MACECalculator

    calculator = MACECalculator(model_paths=str(path), device="cpu", default_dtype="float64")
    for graph, cell in ((ethanol, None), (rocksalt, rocksalt.cell[0].numpy())):
        atoms = Atoms(graph.z.numpy(), graph.pos.numpy(), cell=cell, pbc=cell is not None)
        tokens = backbone.tokens(graph)
        assert tokens.shape == (len(atoms), 3, 16)
        theirs = torch.tensor(calculator.get_descriptors(atoms))
        torch.testing.assert_close(tokens[:, 1:].flatten(1), theirs)
    torch.testing.assert_close(backbone.atom_references()[[1, 8, 17, 26]], torch.tensor([-1.0, -3, -5, 0]).double())


def test_forces_and_batches(backbone, ethanol, water):
    network = GraphNetwork(backbone, "taag")
    batch = Batch.from_data_list([ethanol, water])
    torch.testing.assert_close(network(batch), torch.cat([network(ethanol), network(water)]))
    batch.pos.requires_grad_()
    forces = -torch.autograd.grad(network(batch).sum(), batch.pos, create_graph=True)[0]
    forces.square().sum().backward()
    moved = batch.clone()
    moved.pos = batch.pos.detach().clone()
    energies = []
    for step in (1e-5, -2e-5):
        moved.pos[2, 1] += step
        energies.append(network(moved).sum().item())
    assert forces[2, 1].item() == pytest.approx((energies[1] - energies[0]) / 2e-5, rel=1e-4)
    assert backbone.net.interactions[0].linear_up.weight.grad.isfinite().all()


def test_pickle_and_config(backbone, ethanol):
    tokens = backbone.tokens(ethanol)
    for twin in (pickle.loads(pickle.dumps(backbone)), copy.deepcopy(backbone)):
        torch.testing.assert_close(twin.tokens(ethanol), tokens)
    rebuilt = make_backbone("mace", **json.loads(json.dumps(backbone.config))).double()
    rebuilt.load_state_dict(backbone.state_dict())
    torch.testing.assert_close(rebuilt.tokens(ethanol), tokens)
    assert (backbone.fresh().tokens(ethanol) - tokens).abs().max() > 1e-3
    assert {backbone.depth_of(name) for name, _ in backbone.named_parameters()} == {0, 1, 2}


def test_errors(path, backbone, ethanol, tmp_path):
    with pytest.raises(ValueError, match=r"small\.model is a pickle.* load it with trusted=True"):
        MACE.from_pretrained(path)
    torch.save(torch.nn.Linear(2, 2), tmp_path / "other.model")
    with pytest.raises(ValueError, match=r"other\.model holds a Linear, not a MACE for energies"):
        MACE.from_pretrained(tmp_path / "other.model", trusted=True)
    strange = ethanol.clone()
    strange.z[3] = 9
    with pytest.raises(ValueError, match="does not know the element 9"):
        backbone.tokens(strange)
    with pytest.raises(ValueError, match="n_fresh_blocks=0"):
        GraphNetwork(backbone, n_fresh_blocks=1)


def test_importing_mace_leaves_torch_safe():
    """MACE turns the safe loading of files off for the whole process; here it is on again afterwards."""
    code = (
        "import os, sktaag.nn.backbones._mace as m\n"
        "with m._mace(): assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'\n"
        "assert 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' not in os.environ"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
