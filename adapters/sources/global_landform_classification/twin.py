"""Relief and landform classes as numbers, in degrees."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import landform, relief
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Both maps, of the part of the globe that this world has."""
    grid = world.grid("EPSG:4326", 1 / 120)
    said = {
        "landform_meybeck": relief(grid.place),
        "landform_iwahashi_pike": landform(grid.place),
    }
    return grid, {name: np.where(grid.land, codes, np.nan) for name, codes in said.items()}


def write(world: World, folder: Path) -> None:
    """Write both maps."""
    grid, values = layers(world)
    write_layers(load_spec("global_landform_classification"), folder, grid, values, dtype="uint8")
