"""Biomass productivity under three land uses: maps that do not overlap."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import productivity
from adapters.twin.world import World, write_layers

_COVER = {"cropland": 0, "grassland": 1, "forest": 2}


def write(world: World, folder: Path) -> None:
    """Write the three maps."""
    grid = world.grid("EPSG:3035", 1000)
    score = productivity(grid.place, grid.soil(0, 30))
    layers = {
        f"biomass_productivity_{name}": np.where(
            grid.land & (grid.place["cover"] == cover), score, np.nan
        )
        for name, cover in _COVER.items()
    }
    write_layers(load_spec("biomass_productivity"), folder, grid, layers)
