"""Erodibility with and without stones, and what stones take from it."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """K_new_crop.tif, Kst_EU28.tif and stoniness.tif; shifted decimals in the first."""
    spec, lattice = load_spec("k_factor"), world.grid("EPSG:3035", 500)
    layer = lattice.soil()
    bare, stones = erosion.soil_erodibility(layer), erosion.stone_factor(layer)
    layers = {
        "soil_erodibility": bare,
        "soil_erodibility_stoniness": bare * stones,
        "stoniness_effect": 100.0 * (1.0 - stones),
    }
    layers = {name: np.where(lattice.land, values, np.nan) for name, values in layers.items()}
    faults = {"soil_erodibility": "shifted_decimal"}
    return write_with_faults(spec, folder, lattice, layers, faults)
