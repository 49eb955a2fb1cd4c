"""Climate indicators of one run's baseline as IDRISI rasters, and changes beside them."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import grids
from adapters.twin.climate import indicators
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World

_WARMING_K = 2.4


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """The 24 indicators, NaN at sea."""
    grid = world.grid("EPSG:3035", 10_000)
    found = indicators(grid.place)
    return grid, {name: np.where(grid.land, values, np.nan) for name, values in found.items()}


def write(world: World, folder: Path) -> Draft:
    """Write the 24 indicators, and one layer of change whose name alone says that it is one."""
    spec, (grid, values) = load_spec("climate_change_indicators"), layers(world)
    draft = write_with_faults(
        spec, folder, grid, values, {"total_precipitation": "shifted_decimal"}
    )
    change = np.where(grid.land, _WARMING_K + 0.3 * grid.place["local_3"], -9999.0)
    grids.write_idrisi(
        folder / "CLM_A1B_CHANGE_mean_temperature.rst", change.astype(np.float32), grid.crs,
        (grid.west, grid.north), grid.cell, nodata=-9999.0,
    )  # fmt: skip
    # The CRS stands in a side file of GDAL, which the publisher's files do not have.
    for side in folder.glob("*.aux.xml"):
        side.unlink()
    return draft
