"""Organic carbon that is too low where soils are organic, and its standard error."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers

# Above this content (g/kg) soils are organic, and the model follows them no more.
_ORGANIC = 120.0
_WITHOUT = ("RO", "BG", "HR", "CH")


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    carbon = lattice.soil()["organic_carbon"]
    followed = np.where(carbon > _ORGANIC, _ORGANIC + 0.25 * (carbon - _ORGANIC), carbon)
    mapped = covered(
        lattice, predicted(lattice, "carbon of EU25", followed, relative=0.2), _WITHOUT
    )
    return lattice, {"soil_organic_carbon": mapped, "soil_organic_carbon_se": 0.2 * mapped}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("topsoil_soc_lucas_eu25"), folder, lattice, values, nodata="undeclared")
