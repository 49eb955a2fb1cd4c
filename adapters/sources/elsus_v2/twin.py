"""Five classes in an ASCII grid; 0 stands for the sea and for plains."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> None:
    """elsus_v2.asc."""
    spec, lattice = load_spec("elsus_v2"), world.grid("EPSG:3035", 200)
    kind = erosion.landslide_susceptibility(lattice.place)
    layers = {"landslide_susceptibility": kind}
    write_layers(spec, folder, lattice, layers, dtype="uint8", nodata="undeclared")
