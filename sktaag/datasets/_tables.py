"""Which tables of the ``chemicals`` package hold which property, and what their values are."""

import numpy as np
import pandas as pd
from chemicals import heat_capacity
from chemicals.data_reader import data_source

from sktaag.datasets._offline import ROOM, OfflineDataset, Table, at_room_temperature, column

_CRC_CONSTANTS = "Physical Constants of Organic Compounds.csv"
_PERMITTIVITY = "Permittivity (Dielectric Constant) of Liquids.tsv"

_CRC = "CRC Handbook of Chemistry and Physics, 95th edition (2014), evaluated"
_WITHIN = "at 298.15 K where that is within their limits"
_PERRY = (
    f"fits of DIPPR in Perry's Chemical Engineers' Handbook, 8th edition (2007), table {{}}, {_WITHIN}; some are fits "
    "to estimates, and the table does not say which"
)
_VISWANATH = f"D. S. Viswanath and G. Natarajan, Data Book on the Viscosity of Liquids (1989), fits, {_WITHIN}"
_SATURATED = "Liquid at 298.15 K and 1 atm, or, for what boils below, at its vapour pressure."
_PARTLY_ESTIMATED = "experiment; in part estimates, in the table of Perry"


def _refractive_index() -> pd.Series:
    table = data_source("CRC Handbook Organic RI.csv")
    return table["RI"][(table["RIT"] - 293.15).abs() <= 6]


def _jasper(table: pd.DataFrame) -> pd.Series:
    return table["a"] - table["b"] * (ROOM - 273.15)


def _mulero(table: pd.DataFrame) -> pd.Series:
    distance = 1 - ROOM / table["Tc"]
    terms = [table[f"sigma{i}"] * distance ** table[f"n{i}"] for i in range(3)]
    return 1000 * (terms[0] + terms[1] + terms[2])  # N/m to mN/m


def _zabransky() -> pd.Series:
    values: dict[str, float] = {}
    # constant pressure before saturation before averages of lesser experiments
    for kind in ("constant-pressure", "saturation", "averaged heat capacity"):
        for form in ("spline", "quasipolynomial"):
            models: dict = heat_capacity.zabransky_dicts[f"Zabransky {form}, {kind}"]
            for cas, model in models.items():
                if cas is not None and model.Tmin <= ROOM <= model.Tmax:
                    values.setdefault(cas, model.calculate(ROOM))
    return pd.Series(values)


def _polynomial(table: pd.DataFrame, names: list[str]) -> pd.Series:
    powers = ROOM ** np.arange(len(names))
    return pd.Series(table[names].fillna(0).to_numpy() @ powers, index=table.index)


def _perry_conductivity(table: pd.DataFrame) -> pd.Series:
    return _polynomial(table, ["C1", "C2", "C3", "C4", "C5"])


def _perry_log_viscosity(table: pd.DataFrame) -> pd.Series:
    return table["C1"] + table["C2"] / ROOM + table["C3"] * np.log(ROOM) + table["C4"] * ROOM ** table["C5"]


def _three_term_log_viscosity(table: pd.DataFrame) -> pd.Series:
    return np.log(10) * (table["A"] - 3 + table["B"] / (table["C"] - ROOM))  # the table is in mPa s


def _two_term_log_viscosity(table: pd.DataFrame) -> pd.Series:
    return np.log(10) * (
        table["A"] + table["B"] / ROOM
    )  # decimal logarithm: 1-butanol comes to 2.55 mPa s, as measured


def _permittivity_polynomial(table: pd.DataFrame) -> pd.Series:
    return _polynomial(table, list("ABCD"))


def _permittivity_value() -> pd.Series:
    table = data_source(_PERMITTIVITY)
    return table["Permittivity"][(table["T"] - ROOM).abs() <= 10]


BOILING_POINTS = OfflineDataset(
    call="load_boiling_points()",
    target="boiling_point",
    unit="K",
    limits=(50.0, 1000.0),
    n=11249,
    tables=(
        Table("CRC", column(_CRC_CONSTANTS, "Tb"), _CRC),
        Table(
            "Yaws",
            column("Yaws Boiling Points.tsv", "Tb"),
            "C. L. Yaws, Thermophysical Properties of Chemicals and Hydrocarbons, 2nd edition (2014), a compilation "
            "of measured and estimated values that does not say which is which",
        ),
    ),
    method="experiment (CRC); compilation of experiment and estimates (Yaws)",
    notes="""6,415 of the molecules are in Yaws only, whose values are partly estimates or extrapolations (such as those
    of alkanes beyond 40 carbons) and partly errors. Where CRC has a value too, they differ by 2 K on average and by
    more than 20 K for one in seventy. For evaluated measured values only: frame[frame.source == "CRC"].""",
)
MELTING_POINTS = OfflineDataset(
    call="load_melting_points()",
    target="melting_point",
    unit="K",
    limits=(50.0, 1000.0),
    n=12579,
    tables=(
        Table(
            "Open Notebook",
            column("OpenNotebook Melting Points.tsv", "Tm"),
            "J.-C. Bradley et al., Open Melting Point Dataset (2014), CC0, medians of measured values",
        ),
        Table("CRC", column(_CRC_CONSTANTS, "Tm"), _CRC),
    ),
    notes="Where both tables have a molecule they differ by 2.7 K on average, and by more than 20 K for one in forty.",
)
CRITICAL_TEMPERATURES = OfflineDataset(
    call="load_critical_temperatures()",
    target="critical_temperature",
    unit="K",
    limits=(100.0, 1500.0),
    n=972,
    tables=(
        Table(
            "IUPAC",
            column("IUPACOrganicCriticalProps.tsv", "Tc"),
            "Vapor-Liquid Critical Properties of Elements and Compounds, J. Chem. Eng. Data (1995 on), evaluated",
        ),
        Table("CRC", column("CRCCriticalOrganics.tsv", "Tc"), _CRC),
        Table(
            "Passut-Danner",
            column("PassutDanner1973.tsv", "Tc"),
            "C. A. Passut and R. P. Danner, Ind. Eng. Chem. Process Des. Dev. 12, 365 (1973)",
        ),
        Table(
            "Mathews",
            column("Mathews1972InorganicCriticalProps.tsv", "Tc"),
            "J. F. Mathews, Chem. Rev. 72, 71 (1972)",
        ),
    ),
    notes="""The package's tables that contain predictions (PSRK, Pina-Martines, Yaws, Joback, Wilson-Jasperson) are not
    used.""",
)
REFRACTIVE_INDICES = OfflineDataset(
    call="load_refractive_indices()",
    target="refractive_index",
    unit="1",
    limits=(1.0, 2.5),
    n=3996,
    tables=(Table("CRC", _refractive_index, f"{_CRC}, sodium D line"),),
    notes="""Only values measured within 6 K of 293.15 K. A few are errors of the table, such as 1.9377 for
    2-methyl-2-penten-4-ol.""",
)
SURFACE_TENSIONS = OfflineDataset(
    call="load_surface_tensions()",
    target="surface_tension",
    unit="mN/m",
    limits=(0.1, 100.0),
    n=471,
    tables=(
        Table(
            "Jasper",
            at_room_temperature("Jasper-Lange.tsv", _jasper),
            f"J. J. Jasper, J. Phys. Chem. Ref. Data 1, 841 (1972), straight lines through measured values, {_WITHIN}",
        ),
        Table(
            "Mulero",
            at_room_temperature("MuleroCachadinaParameters.tsv", _mulero),
            f"A. Mulero et al., J. Phys. Chem. Ref. Data 41, 043105 (2012), evaluated correlations, {_WITHIN}",
        ),
    ),
    notes=_SATURATED,
)
HEATS_OF_VAPORIZATION = OfflineDataset(
    call="load_heats_of_vaporization()",
    target="heat_of_vaporization",
    unit="J/mol",
    limits=(1e3, 5e5),
    n=2278,
    tables=(
        Table(
            "Gharagheizi",
            column("Ghazerati Appendix Vaporization Enthalpy.tsv", "Hvap298"),
            "F. Gharagheizi et al., Ind. Eng. Chem. Res. 50, 6503 (2011), compiled measured values",
        ),
        Table("CRC", column("CRC Handbook Heat of Vaporization.tsv", "Hvap298"), _CRC),
    ),
    notes="""At 298.15 K, not at the boiling point. Small carboxylic acids are vaporized to monomers in Gharagheizi's
    table, which counts here, and to a vapour of dimers in CRC's: 51.0 against 23.4 kJ/mol for acetic acid. Values of
    long alkanes are extrapolations.""",
)
LIQUID_HEAT_CAPACITIES = OfflineDataset(
    call="load_liquid_heat_capacities()",
    target="heat_capacity",
    unit="J/(mol K)",
    limits=(30.0, 3000.0),
    n=667,
    tables=(
        Table(
            "Zabransky",
            _zabransky,
            "M. Zabransky et al., Heat Capacity of Liquids: Critical Review and Recommended Values (1996), "
            f"correlations, {_WITHIN}",
        ),
        Table("CRC", column("CRC Standard Thermodynamic Properties of Chemical Substances.tsv", "Cpl"), _CRC),
        Table(
            "Poling",
            column("PolingDatabank.tsv", "Cpl"),
            "B. E. Poling et al., The Properties of Gases and Liquids, 5th edition (2001)",
        ),
    ),
    notes=_SATURATED,
)
LIQUID_THERMAL_CONDUCTIVITY = OfflineDataset(
    call="load_liquid_thermal_conductivity()",
    target="thermal_conductivity",
    unit="W/(m K)",
    limits=(0.03, 1.0),
    n=258,
    tables=(
        Table(
            "Perry",
            at_room_temperature(
                "Table 2-315 Thermal Conductivity of Inorganic and Organic Liquids.tsv", _perry_conductivity
            ),
            _PERRY.format("2-315"),
        ),
    ),
    method=_PARTLY_ESTIMATED,
    notes=_SATURATED,
)
LIQUID_VISCOSITIES = OfflineDataset(
    call="load_liquid_viscosities()",
    target="log_viscosity",
    unit="ln(Pa s)",
    limits=(-10.0, 2.5),
    n=511,
    tables=(
        Table(
            "Perry",
            at_room_temperature("Table 2-313 Viscosity of Inorganic and Organic Liquids.tsv", _perry_log_viscosity),
            _PERRY.format("2-313"),
        ),
        Table("Dutt-Prasad", at_room_temperature("Dutt Prasad 3 term.tsv", _three_term_log_viscosity), _VISWANATH),
        Table(
            "Viswanath-Natarajan 3",
            at_room_temperature("Viswanath Natarajan Dynamic 3 term.tsv", _three_term_log_viscosity),
            _VISWANATH,
        ),
        Table(
            "Viswanath-Natarajan 2",
            at_room_temperature("Viswanath Natarajan Dynamic 2 term.tsv", _two_term_log_viscosity),
            _VISWANATH,
        ),
    ),
    method=_PARTLY_ESTIMATED,
    notes=_SATURATED
    + """ Viswanath and Natarajan's three-term table is off by more than a quarter for one in
    eleven of the molecules that other tables have too; it counts only where Perry has no value.""",
)
PERMITTIVITIES = OfflineDataset(
    call="load_permittivities()",
    target="permittivity",
    unit="1",
    limits=(1.0, 250.0),
    n=998,
    tables=(
        Table(
            "CRC polynomial",
            at_room_temperature(_PERMITTIVITY, _permittivity_polynomial),
            f"{_CRC}, polynomials, {_WITHIN}",
        ),
        Table("CRC value", _permittivity_value, f"{_CRC}, values measured within 10 K of 298.15 K"),
    ),
)
