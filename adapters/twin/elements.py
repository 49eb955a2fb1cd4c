"""Elements, fallout, stocks and budgets of the synthetic soil, in canonical units.

Belongs here: trace elements, radionuclides, phosphorus and carbon stocks as functions of place and
soil, each with its source.
Never here: texture, carbon, acidity and the like (`soil.py`); what a map or a laboratory makes of
these values; native units.

As in `soil.py`, these are laws of a synthetic world: order and rough size follow the cited work.
"""

import numpy as np

from adapters.twin.europe import Array

# Median (mg/kg, aqua regia), then slopes of the logarithm on ore, on clay (from 20 %) and on the
# logarithm of carbon (from 20 g/kg). Medians have the rough size of the European topsoils of
# Salminen et al. 2005, Geochemical Atlas of Europe 1 (ISBN 951-690-921-3); clay carries most metals
# (Toth et al. 2016, doi 10.1016/j.scitotenv.2016.05.115), carbon mercury (Ballabio et al. 2021, doi
# 10.1016/j.scitotenv.2020.144755) and cadmium (Ballabio et al. 2024, 168710 in Sci. Total Environ.
# 912, doi 10.1016/j.scitotenv.2023.168710).
_ELEMENTS = {
    "antimony": (0.6, 0.40, 0.010, 0.10),
    "cadmium": (0.15, 0.35, 0.010, 0.30),
    "chromium": (22.0, 0.30, 0.022, 0.0),
    "cobalt": (7.0, 0.30, 0.024, 0.0),
    "copper": (12.0, 0.30, 0.018, 0.05),
    "lead": (15.0, 0.45, 0.008, 0.20),
    "manganese": (380.0, 0.25, 0.018, 0.0),
    "mercury": (0.0383, 0.45, 0.006, 0.45),
    "nickel": (16.0, 0.30, 0.024, 0.0),
    "zinc": (41.0, 0.30, 0.018, 0.10),
}
# Mean copper of vineyards over that of all topsoil, 49.26 and 16.85 mg/kg, and mean balance of
# vineyards in kg/ha: Ballabio et al. 2018, doi 10.1016/j.scitotenv.2018.04.268.
_VINEYARD_COPPER = 49.26 / 16.85
_VINEYARD_GAIN, _VINEYARD_EXPORT = 24.8, 0.29
# Caesium of weapon tests grows with rain; plutonium is about 3 % of it: Meusburger et al. 2020,
# doi 10.1038/s41598-020-68736-2.
_CAESIUM_KBQ, _CAESIUM_RAIN = 2.0, 800.0
_PLUTONIUM_PER_CAESIUM = 0.03
# Inputs and losses of phosphorus (kg/ha and year) have the rough size of Panagos et al. 2022, doi
# 10.1016/j.scitotenv.2022.158706, whose mean balance is 0.8 and whose available stock is a
# seventeenth of the total.
_AVAILABLE_SHARE = 1.0 / 17.0


def stock(content: Array, density: Array, top: float, bottom: float, stones: Array) -> Array:
    """Mass by area (kg/ha) of what the fine earth of a layer holds.

    Stones are taken off the volume, as in Poeplau et al. 2017, doi 10.5194/soil-3-61-2017.

    Args:
        content: mg/kg of fine earth.
        density: Bulk density, g/cm**3.
        top: Upper depth, cm.
        bottom: Lower depth, cm.
        stones: Percent of the volume.
    """
    # One mg/kg in 1 g/cm3 over 1 cm is 0.1 kg/ha.
    return 0.1 * content * density * (bottom - top) * (1.0 - stones / 100.0)


def trace_elements(place: dict[str, Array], soil: dict[str, Array]) -> dict[str, Array]:
    """Content of topsoil (mg/kg) by name of the element, arsenic as in `soil`.

    Vineyards are not told apart; see `vineyard`.
    """
    clay, carbon = soil["clay"] - 20.0, np.log(soil["organic_carbon"] / 20.0)
    found = {
        name: median * np.exp(ore * place["ore"] + on_clay * clay + on_carbon * carbon)
        for name, (median, ore, on_clay, on_carbon) in _ELEMENTS.items()
    }
    return {**found, "arsenic": soil["arsenic"]}


def vineyard(place: dict[str, Array]) -> np.ndarray:
    """Is the cell a vineyard: warm, low, cultivated, and one of few?"""
    warm = (place["temperature"] > 9.0) & (place["elevation"] < 600.0)
    return warm & (place["cover"] == 0) & (place["local_2"] > 0.5)


def vineyard_copper(place: dict[str, Array], copper: Array) -> tuple[Array, Array, Array]:
    """Content (mg/kg), net accumulation and net export (kg/ha), NaN outside of vineyards."""
    inside = np.where(vineyard(place), 1.0, np.nan)
    gain = _VINEYARD_GAIN * np.exp(0.3 * place["local_1"])
    # Soil is lost with slope, which height stands for here.
    export = _VINEYARD_EXPORT * np.exp(0.002 * (place["elevation"] - 200.0))
    return inside * copper * _VINEYARD_COPPER, inside * gain, inside * export


def fallout(place: dict[str, Array]) -> dict[str, Array]:
    """Inventories of caesium-137 (kBq/m2) by origin, and of plutonium-239 and -240 (Bq/m2)."""
    weapons = _CAESIUM_KBQ * place["precipitation"] / _CAESIUM_RAIN
    # The cloud of 1986 rained out in patches and on mountains.
    chernobyl = 1.5 * np.exp(0.9 * place["wetness"] + 0.001 * place["elevation"])
    return {
        "weapons": weapons,
        "chernobyl": chernobyl,
        "caesium": weapons + chernobyl,
        "plutonium": 1000.0 * _PLUTONIUM_PER_CAESIUM * weapons,
    }


def phosphorus_budget(place: dict[str, Array]) -> dict[str, Array]:
    """Inputs, losses and balance of phosphorus of agricultural soils, kg/ha and year."""
    fertiliser = 6.5 * np.exp(0.35 * place["sandiness"])
    manure = 9.0 * np.exp(0.35 * place["wetness"])
    deposition = 0.3 + 0.0002 * place["precipitation"]
    weathering = 0.35 * np.exp(0.05 * (place["temperature"] - 9.0))
    erosion = 0.6 * np.exp(0.0006 * place["elevation"])
    # Crops take up most of what is given.
    uptake = 0.92 * (fertiliser + manure)
    return {
        "fertiliser": fertiliser,
        "manure": manure,
        "deposition": deposition,
        "weathering": weathering,
        "erosion": erosion,
        "balance": fertiliser + manure + deposition + weathering - uptake - erosion,
    }


def phosphorus_stocks(soil: dict[str, Array]) -> tuple[Array, Array]:
    """Total and available phosphorus from 0 to 20 cm, kg/ha."""
    total = stock(
        soil["total_phosphorus"], soil["bulk_density"], 0.0, 20.0, soil["coarse_fragments"]
    )
    return total, _AVAILABLE_SHARE * total * np.sqrt(soil["phosphorus"] / 30.0)


def carbon_stock(soil: dict[str, Array], top: float, bottom: float) -> Array:
    """Organic carbon of a layer, t/ha."""
    content = 1000.0 * soil["organic_carbon"]
    return stock(content, soil["bulk_density"], top, bottom, soil["coarse_fragments"]) / 1000.0


def carbon_saturation(soil: dict[str, Array]) -> Array:
    """Actual over potential organic carbon, below 1.

    The potential is the carbon that particles below 20 um protect, 4.09 + 0.37 times their
    percentage in g/kg (Hassink 1997, doi 10.1023/A:1004213929699), and as much again unprotected;
    half of the silt is taken for fine.
    """
    potential = 2.0 * (4.09 + 0.37 * (soil["clay"] + 0.5 * soil["silt"]))
    return np.clip(soil["organic_carbon"] / potential, 0.02, 0.98)
