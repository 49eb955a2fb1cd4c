"""Classes of salt-affected soils: 0 on land without salt, nodata at sea."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    place, soil = lattice.place, lattice.soil()
    # Salt gathers where evaporation exceeds rain, sodium where the soil is alkaline: Toth et al.
    # 2008, doi 10.2788/8647.
    dryness = place["temperature"] - place["precipitation"] / 120.0 + place["wetness"]
    sodic = soil["ph_h2o"] > 7.4
    severe, some, potential = dryness > 10.0, dryness > 8.5, dryness > 7.5
    codes = np.select(
        [severe & ~sodic, severe, some & ~sodic, some, potential],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        0.0,
    )
    return lattice, {"salt_affected_class": covered(lattice, codes, ["CH"])}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("saline_sodic_soils"), folder, lattice, values, dtype="uint8")
