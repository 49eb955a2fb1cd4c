"""Classes of susceptibility to compaction; 9 where nothing can be said."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, stated
from adapters.twin.planting import Draft
from adapters.twin.soil import packing_density
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    place, soil = lattice.place, lattice.soil()
    # Loose soils with little clay give way first: Jones et al. 2003,
    # doi 10.1016/S0167-1987(03)00089-8.
    density = packing_density(soil)
    codes = np.select(
        [
            place["elevation"] > 1500.0,
            place["cover"] == 4,
            density > 1.75,
            density > 1.4,
            soil["clay"] > 18.0,
        ],
        [0.0, np.nan, 1.0, 2.0, 3.0],
        4.0,
    )
    return lattice, {"compaction_susceptibility": covered(lattice, codes, ["CH"])}


def write(world: World, folder: Path) -> Draft:
    """Write the native files; 9 stands for nodata and is not declared as such."""
    lattice, values = layers(world)
    spec = load_spec("compaction_susceptibility")
    draft = Draft(spec.id, ["compaction_susceptibility.tif"], {})
    unknown = int(np.isnan(values["compaction_susceptibility"]).sum())
    stated(draft, 0, "compaction_susceptibility", "no_evaluation", "missing", unknown)
    write_layers(spec, folder, lattice, values, nodata="undeclared", dtype="uint8")
    return draft
