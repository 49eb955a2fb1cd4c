"""Erosivity of the year and of its months, which add up to it."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Rf_gp1.tif and twelve monthly maps, named by month; shifted decimals in the former."""
    spec, lattice = load_spec("r_factor"), world.grid("EPSG:3035", 500)
    yearly = np.where(lattice.land, erosion.rainfall_erosivity(lattice.place), np.nan)
    monthly = yearly * erosion.monthly_shares(lattice.place)
    layers = {"rainfall_erosivity": yearly, "rainfall_erosivity_monthly": monthly}
    faults = {"rainfall_erosivity": "shifted_decimal"}
    return write_with_faults(spec, folder, lattice, layers, faults)
