"""Soil loss by decade, year and month in longitude and latitude."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """16 decades and 159 years, a file each, and the months of ten years, twelve bands a file."""
    spec, lattice = load_spec("historical_erosion"), world.grid("EPSG:4326", 0.1)
    draw = world.stream("historical_erosion")
    yearly = erosion.soil_loss_history(lattice.place, lattice.soil(year=2000), draw)
    starts = range(erosion.FIRST_YEAR, erosion.LAST_YEAR, 10)
    decades = [yearly[s - erosion.FIRST_YEAR :][:10].mean(axis=0) for s in starts]
    shares = erosion.monthly_shares(lattice.place)
    monthly = (yearly[2009 - erosion.FIRST_YEAR :, None] * shares).reshape(-1, *shares.shape[1:])
    layers = {
        "erosion_decadal": np.stack(decades),
        "erosion_annual": yearly,
        "erosion_monthly": monthly,
    }
    write_layers(spec, folder, lattice, layers)
