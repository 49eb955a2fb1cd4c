"""Nineteen indicators and their sum as the 20 bands of one GeoTIFF, without names."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import degraded
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """The indicators, (19, h, w), and their sum."""
    grid = world.grid("EPSG:3035", 500)
    bands = np.where(grid.land, degraded(grid.place, grid.soil()), np.nan)
    return grid, {"degradation_indicator_bands": bands, "degradation_sum": bands.sum(axis=0)}


def write(world: World, folder: Path) -> None:
    """Write the file."""
    grid, values = layers(world)
    write_layers(load_spec("soil_degradation_indicators"), folder, grid, values, dtype="uint8")
