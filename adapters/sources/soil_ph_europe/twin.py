"""Coarse pH in calcium chloride as an ESRI binary grid, without Bulgaria and Romania."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 5000.0)
    acidity = predicted(lattice, "coarse pH", lattice.soil()["ph_cacl2"], absolute=0.5)
    return lattice, {"ph_cacl2": covered(lattice, acidity.clip(3.0, 9.0), ["BG", "RO"])}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("soil_ph_europe"), folder, lattice, values)
