"""Hydraulic properties at seven depths; some files hold scaled integers."""

from pathlib import Path

import numpy as np
import rasterio

from adapters.spec import load_spec
from adapters.twin import hydraulics
from adapters.twin.classes import slope
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers

DEPTHS_CM = (0, 5, 15, 30, 60, 100, 200)
SCALED = "FC_sl*.tif"
"""Files that hold ten-thousandths, as the scale in their header says."""
_SCALE, _NODATA = 1e-4, -32768
_MAPPED = {
    "mrc_theta_r": "water_content_residual",
    "mrc_theta_s": "water_content_saturated",
    "mrc_alpha": "van_genuchten_alpha",
    "mrc_n": "van_genuchten_n",
    "hcc_theta_r": "water_content_residual",
    "hcc_theta_s": "water_content_saturated",
    "hcc_alpha": "van_genuchten_alpha",
    "hcc_n": "van_genuchten_n",
    "hcc_k0": "hydraulic_conductivity_matching_point",
    "hcc_l": "van_genuchten_lambda",
    "saturated_water_content": "water_content_saturated",
    "saturated_conductivity": "hydraulic_conductivity_saturated",
}


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """16 properties, (7, h, w) each, NaN at sea and below bedrock."""
    grid = world.grid("EPSG:4326", 1 / 120)
    bedrock = 260.0 - 6.0 * slope(grid.place)
    depths: dict[str, list[np.ndarray]] = {}
    for depth in DEPTHS_CM:
        # A value at a depth is that of the few centimetres around it.
        layer = grid.soil(max(depth - 2.5, 0.0), depth + 2.5, 2017)
        found = hydraulics.hydraulics(layer)
        properties = {name: found[quantity] for name, quantity in _MAPPED.items()}
        # Fitted where the soil is nearly saturated: it cannot conduct more than saturated soil.
        properties["hcc_k0"] = np.minimum(
            properties["hcc_k0"], properties["saturated_conductivity"]
        )
        for name, head in (
            ("field_capacity", hydraulics.FIELD_CAPACITY_CM),
            ("wilting_point", hydraulics.WILTING_POINT_CM),
        ):
            properties[name] = hydraulics.water_content(found, head)
        properties["mrc_m"] = properties["hcc_m"] = 1.0 - 1.0 / found["van_genuchten_n"]
        known = grid.land & (bedrock > depth)
        for name, values in properties.items():
            depths.setdefault(name, []).append(np.where(known, values, np.nan))
    return grid, {name: np.stack(values) for name, values in depths.items()}


def write(world: World, folder: Path) -> None:
    """Write 16 properties at 7 depths."""
    grid, values = layers(world)
    write_layers(load_spec("eu_soilhydrogrids"), folder, grid, values)
    for path in sorted(folder.glob(SCALED)):
        _scale(path)


def _scale(path: Path) -> None:
    """Rewrite a float file as integers with a declared scale."""
    with rasterio.open(path) as source:
        values, profile = source.read(1, masked=True), source.profile
    stored = np.round(values / _SCALE).filled(_NODATA).astype(np.int16)
    with rasterio.open(
        path, "w", **(profile | {"dtype": "int16", "nodata": _NODATA, "predictor": 2})
    ) as target:
        target.write(stored, 1)
        target.scales = (_SCALE,)
