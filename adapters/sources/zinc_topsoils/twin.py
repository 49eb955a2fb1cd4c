"""Zinc as its map has it, with shifted decimals in single pixels."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import trace_elements
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.pixels import covered, predicted
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 250.0)
    zinc = trace_elements(lattice.place, lattice.soil())["zinc"]
    return lattice, {"zinc": covered(lattice, predicted(lattice, "zinc", zinc, relative=0.4))}


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    lattice, values = layers(world)
    spec = load_spec("zinc_topsoils")
    faults = {"zinc": "shifted_decimal"}
    return write_with_faults(spec, folder, lattice, values, faults, nodata="undeclared")
