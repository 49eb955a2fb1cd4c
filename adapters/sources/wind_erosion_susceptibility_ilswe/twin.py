"""Classes of susceptibility as bytes, and the wind-erodible fraction."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """ILSWE.tif and EF.tif."""
    spec = load_spec("wind_erosion_susceptibility_ilswe")
    lattice = world.grid("EPSG:3035", 500)
    layer = lattice.soil()
    kind = erosion.wind_susceptibility(lattice.place, layer)
    fraction = np.where(lattice.land, erosion.wind_erodible_fraction(layer), np.nan)
    write_layers(spec, folder, lattice, {"ilswe_class": kind}, dtype="uint8")
    write_layers(spec, folder, lattice, {"wind_erodible_fraction": fraction})
