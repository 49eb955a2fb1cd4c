"""Soil loss of agricultural land under three scenarios."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """Three maps of soil loss, one of erosivity (that of RCP4.5) and one of the C-factor."""
    spec, lattice = load_spec("water_erosion_2050"), world.grid("EPSG:3035", 100)
    here = erosion.agricultural(lattice.place)
    # Less arable land lowers the loss by 3 %: Panagos et al. 2021, as the page of the source says.
    cover = np.where(here, 0.97 * erosion.cover_management(lattice.place, 2016), np.nan)
    today = np.where(here, erosion.soil_loss_water(lattice.place, lattice.soil(), 2016), np.nan)
    rain = np.where(here, erosion.rainfall_erosivity(lattice.place), np.nan)
    layers = {
        f"soil_loss_2050_{scenario}": 0.97 * factor * today
        for scenario, factor in erosion.EROSIVITY_2050.items()
    }
    layers["rainfall_erosivity_2050"] = erosion.EROSIVITY_2050["rcp45"] * rain
    layers["c_factor_2050"] = cover
    write_layers(spec, folder, lattice, layers)
