"""Small fitted graph networks for the tests of this folder."""

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones

from sktaag.sources import GNNRegressor

TINY = {"module__n_layers": 2, "module__n_features": 8, "module__n_filters": 8, "module__cutoff": 4.0}
NAMES = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO", "HCN", "N2H4"]
MOLECULES = [molecule(name) for name in NAMES]
ENERGIES = np.array([-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1, -19.7, -30.2])  # eV


def tiny_source(**params):
    source = GNNRegressor(**(TINY | {"max_epochs": 20, "lr": 3e-3, "random_state": 0, "device": "cpu"} | params))
    return source.fit(MOLECULES, ENERGIES)


def clusters(n, seed=0):
    """Clusters of argon without calculators, their energies in eV and forces in eV/Å."""
    rng = np.random.RandomState(seed)
    grid = np.array([[i, j, k] for i in range(2) for j in range(2) for k in range(2)])[:5] * 2.3
    made, energies, forces = [], [], []
    for _ in range(n):
        atoms = Atoms("Ar5", positions=grid + rng.normal(scale=0.12, size=grid.shape))
        made.append(atoms.copy())
        atoms.calc = LennardJones(sigma=2.1, epsilon=0.3, rc=50.0)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    return made, np.array(energies), forces
