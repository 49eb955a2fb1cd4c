"""Properties of topsoil and subsoil as IDRISI rasters in which 0 is no soil."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import slope
from adapters.twin.europe import Array
from adapters.twin.hydraulics import available_water
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World, write_layers

# X 1500000 to 7400000, Y 900000 to 5500000: 5900 columns and 4600 rows of 1 km.
_BOUNDS = (1_500_000.0, 900_000.0, 7_400_000.0, 5_500_000.0)
_TOPSOIL_CM = 30
_WHOLE = ("depth_to_roots", "clay", "sand", "silt", "gravel", "tawc", "stu_allocation")


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """All layers as they are written: NaN at sea, and where the number would be 0."""
    grid = world.grid("EPSG:3035", 1000, _BOUNDS)
    roots = np.clip(np.round(130.0 - 4.0 * slope(grid.place), -1), 10, 150)
    soils = {"topsoil": (0, _TOPSOIL_CM), "subsoil": (_TOPSOIL_CM, 100)}
    said = {
        "depth_to_roots": roots,
        "stu_allocation": grid.place["region"] + 1.0,
    }
    for name, (top, bottom) in soils.items():
        layer = grid.soil(top, bottom, 2000)
        thickness = np.clip(roots - top, 0, bottom - top)
        water = available_water(layer, thickness)
        said |= {
            f"clay_{name}": layer["clay"],
            f"sand_{name}": layer["sand"],
            f"silt_{name}": 100.0 - np.round(layer["clay"]) - np.round(layer["sand"]),
            f"organic_carbon_{name}": layer["organic_carbon"],
            f"bulk_density_{name}": layer["bulk_density"],
            f"gravel_{name}": layer["coarse_fragments"],
            # The rule knows classes of water, the function its amount.
            f"tawc_ptr_{name}": np.round(water / 25.0) * 25.0,
            f"tawc_ptf_{name}": water,
        }
    return grid, {n: _known(grid.land, v, n.startswith(_WHOLE)) for n, v in said.items()}


def write(world: World, folder: Path) -> Draft:
    """Write all layers, whole numbers and others."""
    spec, (grid, values) = load_spec("esdb_derived_data"), layers(world)
    whole = {n: v for n, v in values.items() if n.startswith(_WHOLE)}
    other = {n: v for n, v in values.items() if n not in whole}
    write_layers(spec, folder, grid, whole, nodata="undeclared", dtype="int16")
    faults = {"bulk_density_topsoil": "shifted_decimal"}
    draft = write_with_faults(spec, folder, grid, other, faults, nodata="undeclared")
    # The CRS stands in a side file of GDAL, which the publisher's files do not have.
    for side in folder.glob("*.aux.xml"):
        side.unlink()
    return draft


def _known(land: np.ndarray, values: np.ndarray, whole: bool) -> np.ndarray:
    """NaN at sea, and where a number would be written as the 0 that means no soil."""
    written = np.round(values) if whole else values
    return np.where(land & (written > 0), written, np.nan)
