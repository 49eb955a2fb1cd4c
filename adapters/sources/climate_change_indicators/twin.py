"""Climate indicators of one run's baseline as IDRISI rasters, and changes beside them."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import grids
from adapters.twin.climate import indicators
from adapters.twin.world import World, write_layers

_WARMING_K = 2.4


def write(world: World, folder: Path) -> None:
    """Write the 24 indicators, and one layer of change whose name alone says that it is one."""
    spec, grid = load_spec("climate_change_indicators"), world.grid("EPSG:3035", 10_000)
    found = indicators(grid.place)
    masked = {name: np.where(grid.land, values, np.nan) for name, values in found.items()}
    write_layers(spec, folder, grid, masked)
    change = np.where(grid.land, _WARMING_K + 0.3 * grid.place["local_3"], -9999.0)
    grids.write_idrisi(
        folder / "CLM_A1B_CHANGE_mean_temperature.rst", change.astype(np.float32), grid.crs,
        (grid.west, grid.north), grid.cell, nodata=-9999.0,
    )  # fmt: skip
    # The CRS stands in a side file of GDAL, which the publisher's files do not have.
    for side in folder.glob("*.aux.xml"):
        side.unlink()
