"""The cover-management factor of 2010."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """EU_CFactor_final_V7.tif, with shifted decimals."""
    spec, lattice = load_spec("c_factor"), world.grid("EPSG:3035", 100)
    factor = erosion.cover_management(lattice.place)
    faults = {"c_factor": "shifted_decimal"}
    return write_with_faults(spec, folder, lattice, {"c_factor": factor}, faults)
