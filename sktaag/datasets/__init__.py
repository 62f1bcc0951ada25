"""Data sets: `fetch_*` download and check, `load_*` work offline, `list_datasets` shows all."""

from sktaag.datasets._adsorption import fetch_oc20_frames, fetch_simple_adsorbates
from sktaag.datasets._catalogue import list_datasets
from sktaag.datasets._chedl import fetch_chedl
from sktaag.datasets._compositions import (
    fetch_aflow_agl,
    fetch_aflow_composition,
    fetch_dielectric_constants,
    fetch_matbench_composition,
)
from sktaag.datasets._crystals import fetch_dielectric_crystals, fetch_matbench_phonons
from sktaag.datasets._elements import fetch_element_table
from sktaag.datasets._game_net import fetch_game_net
from sktaag.datasets._khazana import fetch_khazana, fetch_transpolymer
from sktaag.datasets._molecular_dynamics import fetch_ccsd_ethanol, fetch_rmd17
from sktaag.datasets._molecules import (
    fetch_cep,
    fetch_chemml_10k,
    fetch_esol,
    fetch_freesolv,
    fetch_lipophilicity,
    fetch_nist,
)
from sktaag.datasets._open_polymer import fetch_open_polymer_2025
from sktaag.datasets._polygraphmt import fetch_polygraphmt
from sktaag.datasets._polymers import (
    fetch_polymer_density,
    fetch_polymer_heat_capacity,
    fetch_polymer_refractive_index,
    fetch_polymer_tg,
    fetch_polymer_thermal_conductivity,
)
from sktaag.datasets._polyverse import fetch_polyverse
from sktaag.datasets._potentials import fetch_ani1x_potential
from sktaag.datasets._qm9 import fetch_qm7, fetch_qm8, fetch_qm9_orbitals, fetch_qm9_slice
from sktaag.datasets._radonpy import fetch_radonpy
from sktaag.datasets._thermophysical import (
    load_boiling_points,
    load_critical_temperatures,
    load_heats_of_vaporization,
    load_liquid_heat_capacities,
    load_liquid_thermal_conductivity,
    load_liquid_viscosities,
    load_melting_points,
    load_permittivities,
    load_refractive_indices,
    load_surface_tensions,
)

__all__ = [
    "fetch_aflow_agl",
    "fetch_aflow_composition",
    "fetch_ani1x_potential",
    "fetch_ccsd_ethanol",
    "fetch_cep",
    "fetch_chedl",
    "fetch_chemml_10k",
    "fetch_dielectric_constants",
    "fetch_dielectric_crystals",
    "fetch_element_table",
    "fetch_esol",
    "fetch_freesolv",
    "fetch_game_net",
    "fetch_khazana",
    "fetch_lipophilicity",
    "fetch_matbench_composition",
    "fetch_matbench_phonons",
    "fetch_nist",
    "fetch_oc20_frames",
    "fetch_open_polymer_2025",
    "fetch_polygraphmt",
    "fetch_polymer_density",
    "fetch_polymer_heat_capacity",
    "fetch_polymer_refractive_index",
    "fetch_polymer_tg",
    "fetch_polymer_thermal_conductivity",
    "fetch_polyverse",
    "fetch_qm7",
    "fetch_qm8",
    "fetch_qm9_orbitals",
    "fetch_qm9_slice",
    "fetch_radonpy",
    "fetch_rmd17",
    "fetch_simple_adsorbates",
    "fetch_transpolymer",
    "list_datasets",
    "load_boiling_points",
    "load_critical_temperatures",
    "load_heats_of_vaporization",
    "load_liquid_heat_capacities",
    "load_liquid_thermal_conductivity",
    "load_liquid_viscosities",
    "load_melting_points",
    "load_permittivities",
    "load_refractive_indices",
    "load_surface_tensions",
]
