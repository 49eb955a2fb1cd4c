"""Nineteen indicators and their sum as the 20 bands of one GeoTIFF, without names."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import degraded
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """Write the file."""
    grid = world.grid("EPSG:3035", 500)
    bands = np.where(grid.land, degraded(grid.place, grid.soil()), np.nan)
    layers = {"degradation_indicator_bands": bands, "degradation_sum": bands.sum(axis=0)}
    write_layers(load_spec("soil_degradation_indicators"), folder, grid, layers, dtype="uint8")
