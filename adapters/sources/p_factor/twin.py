"""The support practice factor, and its mean by region."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.files import write_xlsx
from adapters.twin.world import World, write_layers
from adapters.twin.zones import region_means


def write(world: World, folder: Path) -> None:
    """EU_PFactor_V2.tif and P_factor_NUTS2.xlsx."""
    spec, lattice = load_spec("p_factor"), world.grid("EPSG:3035", 1000)
    factor = erosion.support_practice(lattice.place)
    write_layers(spec.pieces[0], folder, lattice, {"p_factor": factor})
    rows = [[code, round(mean, 4)] for code, mean in region_means(lattice, factor).items()]
    write_xlsx(folder / "P_factor_NUTS2.xlsx", {"Sheet1": [["NUTS_ID", "P_mean"], *rows]})
