"""Ten kriged elements and the variance of each prediction error."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import trace_elements
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers

# Standard deviation of the error as a share of the value; kriging of skewed data has such errors.
_ERROR = 0.35


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    values: dict[str, Array] = {}
    for name, content in trace_elements(lattice.place, lattice.soil()).items():
        if name == "zinc":
            continue
        kriged = predicted(lattice, f"kriged {name}", content, relative=_ERROR)
        values[f"hm_{name}"] = covered(lattice, kriged, ["HR", "CH"])
        values[f"hm_{name}_error_variance"] = (_ERROR * values[f"hm_{name}"]) ** 2
    return lattice, values


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(
        load_spec("heavy_metals_lucas2009_maps"), folder, lattice, values, nodata="undeclared"
    )
