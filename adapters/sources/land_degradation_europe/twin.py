"""Twelve processes of land degradation and their number, as 8-bit GeoTIFF."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import critical
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """The index and its twelve layers, 0 or 1, NaN at sea."""
    grid = world.grid("EPSG:3035", 500)
    found = critical(grid.place, grid.soil())
    said = {"lmi": sum(found.values())} | {f"critical_{k}": v for k, v in found.items()}
    return grid, {name: np.where(grid.land, values, np.nan) for name, values in said.items()}


def write(world: World, folder: Path) -> None:
    """Write the index and its twelve layers."""
    grid, values = layers(world)
    write_layers(load_spec("land_degradation_europe"), folder, grid, values, dtype="uint8")
