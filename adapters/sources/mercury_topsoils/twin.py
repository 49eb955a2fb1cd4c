"""Mercury in microgram per kg and its stock; leaked nodata in single pixels."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import stock, trace_elements
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.pixels import covered, predicted
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 250.0)
    soil = lattice.soil()
    mercury = trace_elements(lattice.place, soil)["mercury"]
    mercury = covered(lattice, predicted(lattice, "mercury", mercury, relative=0.2), ["HR", "CH"])
    held = stock(mercury, soil["bulk_density"], 0.0, 20.0, soil["coarse_fragments"])
    return lattice, {"mercury": mercury, "mercury_stock": 1000.0 * held}


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    lattice, values = layers(world)
    spec = load_spec("mercury_topsoils")
    faults = {"mercury": "leaked_nodata"}
    return write_with_faults(spec, folder, lattice, values, faults, nodata="undeclared")
