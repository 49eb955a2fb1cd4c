"""The product of the factors, in two years; nodata is not declared."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """soil_loss_2010.tif and soil_loss_2016.tif; shifted decimals and leaked nodata."""
    spec, lattice = load_spec("rusle2015_soil_loss"), world.grid("EPSG:3035", 100)
    loss = {
        f"soil_loss_water_{year}": erosion.soil_loss_water(lattice.place, lattice.soil(), year)
        for year in (2010, 2016)
    }
    faults = {"soil_loss_water_2010": "shifted_decimal", "soil_loss_water_2016": "leaked_nodata"}
    return write_with_faults(spec, folder, lattice, loss, faults, nodata="undeclared")
