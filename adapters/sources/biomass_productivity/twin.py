"""Biomass productivity under three land uses: maps that do not overlap."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import productivity
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World

_COVER = {"cropland": 0, "grassland": 1, "forest": 2}


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """The three maps, each NaN where another land use is."""
    grid = world.grid("EPSG:3035", 1000)
    score = productivity(grid.place, grid.soil(0, 30))
    return grid, {
        f"biomass_productivity_{name}": np.where(
            grid.land & (grid.place["cover"] == cover), score, np.nan
        )
        for name, cover in _COVER.items()
    }


def write(world: World, folder: Path) -> Draft:
    """Write the three maps."""
    grid, values = layers(world)
    faults = {"biomass_productivity_cropland": "shifted_decimal"}
    return write_with_faults(load_spec("biomass_productivity"), folder, grid, values, faults)
