"""Five years after the fires of 2017, on the little land that burned."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """post_fire_year_1.tif to post_fire_year_5.tif."""
    spec, lattice = load_spec("post_fire_erosion"), world.grid("EPSG:3035", 25)
    loss = erosion.soil_loss_after_fire(lattice.place, lattice.soil())
    write_layers(spec, folder, lattice, {"post_fire_soil_loss": loss})
