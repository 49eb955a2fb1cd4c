"""The share under cover crops and its uncertainty, as whole numbers of 0.01 %."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.pixel_faults import write_with_faults
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """CC_Median.tif, CC_SD.tif, CC_P05.tif and CC_P95.tif; shifted decimals in the first."""
    spec, lattice = load_spec("cover_crops"), world.grid("EPSG:3035", 100)
    # 5 % and 95 % of a normal distribution lie 1.645 standard deviations off.
    layers = {
        "cover_crop_fraction": erosion.cover_crop_share(lattice.place),
        "cover_crop_fraction_sd": erosion.cover_crop_deviation(lattice.place),
        "cover_crop_fraction_p05": erosion.cover_crop_share(lattice.place, -1.645),
        "cover_crop_fraction_p95": erosion.cover_crop_share(lattice.place, 1.645),
    }
    faults = {"cover_crop_fraction": "shifted_decimal"}
    return write_with_faults(spec, folder, lattice, layers, faults, dtype="uint16", digits=0)
