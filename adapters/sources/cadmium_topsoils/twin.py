"""Cadmium as its map has it: float32 at native 100 m, nodata undeclared."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import trace_elements
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 100.0)
    cadmium = trace_elements(lattice.place, lattice.soil())["cadmium"]
    return lattice, {
        "cadmium": covered(lattice, predicted(lattice, "cadmium", cadmium, relative=0.1))
    }


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("cadmium_topsoils"), folder, lattice, values, nodata="undeclared")
