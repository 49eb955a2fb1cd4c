"""Twelve processes of land degradation and their number, as 8-bit GeoTIFF."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import critical
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """Write the index and its twelve layers."""
    grid = world.grid("EPSG:3035", 500)
    found = critical(grid.place, grid.soil())
    layers = {"lmi": sum(found.values())} | {f"critical_{k}": v for k, v in found.items()}
    masked = {name: np.where(grid.land, values, np.nan) for name, values in layers.items()}
    write_layers(load_spec("land_degradation_europe"), folder, grid, masked, dtype="uint8")
