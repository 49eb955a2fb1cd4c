"""Four processes on arable land and their sum; tillage is signed."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """all_processes.tif, water.tif, wind.tif, tillage.tif and harvest.tif."""
    spec, lattice = load_spec("multiple_concurrent_erosion"), world.grid("EPSG:3035", 100)
    found = erosion.processes(lattice.place, lattice.soil())
    # Rounded first: the sum in the files is that of the numbers in the files.
    parts = {n: np.round(found[n], 4) for n in ("water", "wind", "tillage", "harvest")}
    layers = {
        "soil_displacement_total": sum(parts.values()),
        "soil_loss_water_arable": parts["water"],
        "soil_loss_wind_arable": parts["wind"],
        "soil_loss_tillage": parts["tillage"],
        "soil_loss_crop_harvest": parts["harvest"],
    }
    write_layers(spec, folder, lattice, layers, digits=4)
