"""Change of organic carbon of low croplands and grasslands."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    earlier, later = (lattice.soil(0, 20, year)["organic_carbon"] for year in (2009, 2018))
    change = predicted(lattice, "carbon change", later - earlier, absolute=0.4)
    farmed = (lattice.place["cover"] <= 1) & (lattice.place["elevation"] < 1000.0)
    return lattice, {"soc_change": covered(lattice, np.where(farmed, change, np.nan))}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("soc_changes_2009_18"), folder, lattice, values, nodata="undeclared")
