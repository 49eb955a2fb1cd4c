"""Fallout of six countries, which is what its maps cover."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.elements import fallout
from adapters.twin.europe import Array
from adapters.twin.pixels import predicted
from adapters.twin.world import Lattice, World, write_layers

_COUNTRIES = ("FR", "DE", "IT", "BE", "LU", "CH")


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    inside = lattice.land & np.isin(lattice.country, _COUNTRIES)
    found = fallout(lattice.place)
    # Few samples, so a wide error; the parts and the sum err alike, as they come of one model.
    mapped = {k: predicted(lattice, "fallout", v, relative=0.3) for k, v in found.items()}
    mapped = {k: np.where(inside, v, np.nan) for k, v in mapped.items()}
    return lattice, {
        "caesium_137_inventory": mapped["caesium"],
        "caesium_137_weapons": mapped["weapons"],
        "caesium_137_chernobyl": mapped["chernobyl"],
        "plutonium_239_240": mapped["plutonium"],
    }


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(
        load_spec("caesium_plutonium_topsoils"), folder, lattice, values, nodata="undeclared"
    )
