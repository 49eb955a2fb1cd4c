"""Hydraulic truth of a soil: van Genuchten parameters by Rosetta, water held, water available.

Belongs here: published pedotransfer functions and curves of water, in canonical units.
Never here: other soil relations (`soil.py`), classes, native units.
"""

import functools

import numpy as np

from adapters.twin.europe import Array

FIELD_CAPACITY_CM = 330.0
"""Suction of field capacity (pF 2.5), as in Toth et al. 2015, doi 10.1111/ejss.12192."""
WILTING_POINT_CM = 15_850.0
"""Suction of the wilting point (pF 4.2)."""
_CLAY = np.linspace(0.0, 100.0, 7)
_SAND_OF_REST = np.linspace(0.0, 1.0, 5)
_DENSITY = np.array([0.5, 0.9, 1.2, 1.5, 1.9])
_PARAMETERS = (
    "water_content_residual",
    "water_content_saturated",
    "van_genuchten_alpha",
    "van_genuchten_n",
    "hydraulic_conductivity_saturated",
    "hydraulic_conductivity_matching_point",
    "van_genuchten_lambda",
)
# Rosetta fits these on a logarithmic scale, on which they are smooth.
_LOGARITHMIC = [2, 3, 4, 5]


@functools.cache
def _table() -> Array:
    """Rosetta 3 on a grid of clay, sand in the rest and density: (7, 5, 5, parameters).

    One call of the library takes a millisecond and a layer has up to a million pixels; its response
    is smooth, and a linear table of 175 nodes stands for it.
    """
    from rosetta import SoilData, rosetta

    clay, share, density = np.meshgrid(_CLAY, _SAND_OF_REST, _DENSITY, indexing="ij")
    sand = (100.0 - clay) * share
    rows = np.stack([sand, 100.0 - clay - sand, clay, density], axis=-1).reshape(-1, 4)
    mean, _, _ = rosetta(3, SoilData.from_iter(rows.tolist()))
    mean[:, _LOGARITHMIC] = np.log10(mean[:, _LOGARITHMIC])
    return mean.reshape(*clay.shape, len(_PARAMETERS))


def hydraulics(layer: dict[str, Array]) -> dict[str, Array]:
    """Mualem-van Genuchten parameters by Rosetta 3 (Zhang and Schaap 2017).

    The network of texture and bulk density, doi 10.1016/j.jhydrol.2017.01.004, linear between the
    nodes of a table.

    Args:
        layer: Of `soil`, arrays of any one shape.

    Returns:
        Quantity id -> array of that shape: theta (cm3/cm3), alpha (1/cm), n, Ks and K0 (cm/day),
        lambda.
    """
    from scipy.interpolate import RegularGridInterpolator

    clay = np.clip(layer["clay"], 0.0, 100.0)
    rest = np.maximum(layer["sand"] + layer["silt"], 1e-9)
    share = np.clip(layer["sand"] / rest, 0.0, 1.0)
    density = np.clip(layer["bulk_density"], _DENSITY[0], _DENSITY[-1])
    at = np.stack(np.broadcast_arrays(clay, share, density), axis=-1)
    found = RegularGridInterpolator((_CLAY, _SAND_OF_REST, _DENSITY), _table())(at)
    found[..., _LOGARITHMIC] = 10.0 ** found[..., _LOGARITHMIC]
    return {name: found[..., i] for i, name in enumerate(_PARAMETERS)}


def water_content(parameters: dict[str, Array], head: float) -> Array:
    """Water content (cm3/cm3) at a suction head (cm).

    van Genuchten 1980, m = 1 - 1/n, doi 10.2136/sssaj1980.03615995004400050002x.
    """
    dry, wet = parameters["water_content_residual"], parameters["water_content_saturated"]
    n = parameters["van_genuchten_n"]
    wetness = (1.0 + (parameters["van_genuchten_alpha"] * head) ** n) ** (1.0 / n - 1.0)
    return dry + (wet - dry) * wetness


def available_water(layer: dict[str, Array], thickness_cm: Array | float) -> Array:
    """Water (mm) between field capacity and wilting point in the fine earth of a layer."""
    parameters = hydraulics(layer)
    held = water_content(parameters, FIELD_CAPACITY_CM) - water_content(
        parameters, WILTING_POINT_CM
    )
    return held * thickness_cm * 10.0 * (1.0 - layer["coarse_fragments"] / 100.0)
