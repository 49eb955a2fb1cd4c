"""Copper as a binary grid, and the sparse layers of vineyards as GeoTIFF."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import trace_elements, vineyard_copper
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    copper = trace_elements(lattice.place, lattice.soil())["copper"]
    copper = covered(lattice, predicted(lattice, "copper", copper, relative=0.15), ["HR"])
    inside, gain, export = vineyard_copper(lattice.place, copper)
    return lattice, {
        "copper": copper,
        "copper_vineyards": inside,
        "copper_net_accumulation_vineyards": covered(lattice, gain, ["HR"]),
        "copper_net_export_vineyards": covered(lattice, export, ["HR"]),
    }


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("copper_topsoils"), folder, lattice, values, nodata="undeclared")
