"""A fitted energy model as a calculator of ASE."""

from copy import copy

from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from sklearn.utils.validation import check_is_fitted

from sktaag.sources._conservative import ConservativeMixin
from sktaag.transfer._chain import flatten


class EnergyCalculator(Calculator):
    """Energy, forces and stress of a fitted model, for ASE's optimizers, molecular dynamics and vibrations.

    Parameters
    ----------
    model : fitted estimator or Pipeline that ends in one
        With `predict` and `predict_forces`: `TAAGRegressor`, `FineTunedRegressor`, `LinearPotential`,
        `sktaag.sources.GNNRegressor`. Its state at this moment is what is taken.
    energy_unit : float, default=1.0
        Unit of the model's energies in eV, such as ``ase.units.kcal / ase.units.mol``. Its forces are in this unit for
        each Å.
    **kwargs : dict
        For `ase.calculators.calculator.Calculator`.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    InvalidRowsError
        In a calculation, if the structure cannot be read, even if the model lets such rows pass.
    TypeError
        If it predicts no forces.
    ValueError
        If it predicts no energies: several targets, or intensive ones.

    Notes
    -----
    Forces are derivatives of the energy: a trajectory at constant energy keeps it, but for the error of its time steps.
    The stress of structures that are periodic along all three cell vectors is a derivative too, so that cells can be
    relaxed; a model that was trained on no strained cells knows little of it.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from ase.optimize import BFGS
    >>> from sktaag.sources import GNNRegressor
    >>> from sktaag.transfer import EnergyCalculator
    >>> names = ["H2O", "CH4", "NH3", "C2H6", "CH3OH", "C2H4", "CO2", "H2CO"]
    >>> energies = [-14.2, -24.0, -19.5, -40.5, -30.2, -31.9, -22.9, -22.1]  # eV
    >>> model = GNNRegressor("schnet", module__n_layers=2, module__n_features=16, max_epochs=5, random_state=0)
    >>> atoms = molecule("H2O")
    >>> atoms.calc = EnergyCalculator(model.fit([molecule(name) for name in names], energies))
    >>> before = atoms.get_potential_energy()
    >>> converged = BFGS(atoms, logfile=None).run(fmax=0.1, steps=5)
    >>> bool(atoms.get_potential_energy() <= before)
    True
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, model, *, energy_unit=1.0, **kwargs):
        super().__init__(**kwargs)
        *steps, model = flatten(model)
        if not hasattr(model, "predict_forces"):
            raise TypeError(f"The model must have predict_forces, which {type(model).__name__} has not.")
        check_is_fitted(model)
        self.energy_unit = energy_unit
        self._steps = [_strict(step) for step in steps]
        self._model = copy(model)  # `fit` puts new attributes in place of the old ones
        self._network = None
        if isinstance(model, ConservativeMixin):
            model._check_conservative(model.backbone_, model._n_energies)
            self._model.graphs_ = _strict(model.graphs_)
            self._network = model._evaluation_network()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Compute energy, forces and stress; ASE calls this.

        Parameters
        ----------
        atoms : ase.Atoms or None, default=None
        properties : sequence of str, default=("energy",)
        system_changes : list of str
        """
        super().calculate(atoms, properties, system_changes)
        bare = self.atoms.copy()  # without this calculator
        wants_stress = "stress" in properties
        energy, forces, strain = self._predict(bare, wants_stress or "forces" in properties, wants_stress)
        self.results = {"energy": energy * self.energy_unit, "free_energy": energy * self.energy_unit}
        if forces is not None:
            self.results["forces"] = forces * self.energy_unit
        if strain is not None:
            stress = strain * self.energy_unit / bare.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _predict(self, atoms, with_forces, with_stress):
        if with_stress and not (atoms.pbc.all() and self._network is not None):
            raise PropertyNotImplementedError(
                "There is a stress of structures that are periodic along all three cell vectors, with the models of "
                f"sktaag; this is {type(self._model).__name__} and pbc={atoms.pbc.tolist()}."
            )
        X, strain = [atoms], None
        for step in self._steps:
            X = step.transform(X)
        if self._network is None:
            energies = self._model.predict(X)
            forces = self._model.predict_forces(X) if with_forces else [None]
        else:
            X = self._model._to_graphs(X, self._model.backbone_)
            energies, forces = self._model._predict_graphs(X, with_forces, self._network)
            if with_stress:
                strain = self._model._strain_gradient(X[0], self._network)
        return float(energies.ravel()[0]), forces[0], strain


def _strict(transformer):
    """Copy a transformer so that a structure that cannot be read is an error: atoms cannot move along NaN."""
    transformer = copy(transformer)
    if hasattr(transformer, "on_invalid"):
        transformer.on_invalid = "raise"
    return transformer
