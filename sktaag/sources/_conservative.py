"""Forces as labels: given or carried by structures; when an energy has them."""

import warnings

import numpy as np
from sklearn.utils.validation import check_consistent_length

_SAME_ENERGY = 1e-6  # of the energy, up to which y counts as the one that a structure carries: single precision


class ConservativeMixin:
    """Estimators of an energy whose derivatives are forces; they have an attribute or a parameter `target`."""

    def _check_forces(self, forces, graphs, targets, backbone):
        """Return one array of shape (n_atoms, 3) for each graph, NaN where there are none, or None for no forces."""
        if forces is None:
            return self._carried_forces(graphs, targets, backbone)
        self._check_conservative(backbone, targets.shape[1])
        check_consistent_length(targets, forces)
        checked = []
        for row, (graph, values) in enumerate(zip(graphs, forces, strict=True)):
            shape = (0 if graph is None else graph.num_nodes, 3)
            values = np.full(shape, np.nan) if values is None or graph is None else np.asarray(values, dtype=np.float64)
            if values.shape != shape:
                raise ValueError(
                    f"row {row}: forces have shape {values.shape}; the structure has {shape[0]} atoms, so give {shape}."
                )
            if np.isinf(values).any():
                raise ValueError(f"row {row}: forces are infinite. Give NaN where they are not known.")
            checked.append(values)
        return checked

    def _carried_forces(self, graphs, targets, backbone):
        """Return the forces that structures carry, if y is the energy that they carry with them."""
        if self._conservative_problem(backbone, targets.shape[1]):
            return None
        with_forces = [row for row, graph in enumerate(graphs) if graph is not None and "forces" in graph]
        carrying = [row for row in with_forces if not np.isnan(targets[row, 0])]
        energies = np.array([graphs[row].energy.item() if "energy" in graphs[row] else np.nan for row in carrying])
        same = np.abs(energies - targets[carrying, 0]) <= _SAME_ENERGY * np.maximum(1.0, np.abs(energies))
        if not same.all():
            if same.any():
                first = carrying[same.argmin()]
                warnings.warn(
                    f"{(~same).sum()} of {len(same)} structures that carry forces do not carry y as their energy (the "
                    f"first in row {first}), so that no forces are learned. Correct y, or pass forces.",
                    stacklevel=4,
                )
            return None
        forces = [np.full((0 if graph is None else graph.num_nodes, 3), np.nan) for graph in graphs]
        for row in carrying:
            forces[row] = graphs[row].forces.numpy()
        return forces if carrying else None

    def _check_conservative(self, backbone, n_targets):
        problem = self._conservative_problem(backbone, n_targets)
        if problem:
            raise ValueError(f"Forces are the gradient of one extensive energy, but {problem}.")

    def _conservative_problem(self, backbone, n_targets):
        if self.target != "extensive":
            return f"target is {self.target!r}"
        if n_targets != 1:
            return f"y has {n_targets} columns"
        if backbone.reads != "atoms":
            return f"the backbone {backbone.name!r} reads no positions"
        return ""

    def _warn_of_elements(self, rows):
        shown = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
        warnings.warn(
            f"{len(rows)} structures have elements that no training row has (rows {shown}); their reference energy is "
            "the mean energy of an atom.",
            stacklevel=4,
        )


def known_forces(forces, rows):
    """Pick the forces of some structures.

    Parameters
    ----------
    forces : list of ndarray of shape (n_atoms, 3), or None
        NaN where there are none.
    rows : sequence of int

    Returns
    -------
    forces : list of ndarray, or None
        None if not one is known.
    """
    picked = None if forces is None else [forces[row] for row in rows]
    return picked if picked and any(np.isfinite(part).any() for part in picked) else None
