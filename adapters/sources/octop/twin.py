"""Organic carbon in percent as an ESRI binary grid."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    carbon = lattice.soil(0, 30, 2003)["organic_carbon"]
    return lattice, {
        "organic_carbon": covered(lattice, predicted(lattice, "octop", carbon, relative=0.2))
    }


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("octop"), folder, lattice, values)
