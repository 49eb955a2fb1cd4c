"""Saturation of agricultural soils; forest is 1 by decree."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.elements import carbon_saturation
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, stated
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 250.0)
    ratio, cover = carbon_saturation(lattice.soil(0, 30)), lattice.place["cover"]
    forest, farmed = cover == 2, cover <= 1
    written = np.select([forest, farmed], [1.0, ratio], np.nan)
    return lattice, {"soc_saturation_ratio": covered(lattice, written)}


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    lattice, values = layers(world)
    spec = load_spec("soc_saturation_capacity")
    draft = Draft(spec.id, ["soc_saturation"], {})
    forest = int((values["soc_saturation_ratio"] == 1).sum())
    stated(draft, 0, "soc_saturation_ratio", "forest_set_to_1", "missing", forest)
    write_layers(spec, folder, lattice, values)
    return draft
