"""The slope factor as one mosaic, and country by country."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World, write_layers


def write(world: World, folder: Path) -> Draft:
    """EU_LS_Mosaic_100m.tif with shifted decimals, and LS_25m_<country>.tif."""
    spec, coarse = load_spec("ls_factor"), world.grid("EPSG:3035", 100)
    draft = write_with_faults(
        spec, folder, coarse, {"ls_factor": _factor(coarse)}, {"ls_factor": "shifted_decimal"}
    )
    fine = world.grid("EPSG:3035", 25)
    write_layers(spec, folder, fine, {"ls_factor_25m": _factor(fine)})
    return draft


def _factor(lattice: Lattice) -> Array:
    factor = erosion.slope_length_steepness(lattice.place)
    return np.where(lattice.land, factor, np.nan)
