"""Relief and landform classes as numbers, in degrees."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import landform, relief
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """Write both maps, of the part of the globe that this world has."""
    grid = world.grid("EPSG:4326", 1 / 120)
    layers = {
        "landform_meybeck": relief(grid.place),
        "landform_iwahashi_pike": landform(grid.place),
    }
    masked = {name: np.where(grid.land, codes, np.nan) for name, codes in layers.items()}
    write_layers(load_spec("global_landform_classification"), folder, grid, masked, dtype="uint8")
