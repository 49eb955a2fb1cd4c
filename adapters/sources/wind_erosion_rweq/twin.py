"""Soil loss of arable land by wind."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """soil_loss_wind.tif."""
    spec, lattice = load_spec("wind_erosion_rweq"), world.grid("EPSG:3035", 1000)
    loss = erosion.soil_loss_wind(lattice.place, lattice.soil())
    loss = np.where(erosion.arable(lattice.place), loss, np.nan)
    write_layers(spec, folder, lattice, {"soil_loss_wind": loss})
