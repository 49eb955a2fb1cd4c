"""Bulk density of three depths and packing density."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.soil import packing_density
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 100.0)
    values = {}
    for top, bottom in ((0, 10), (10, 20), (0, 20)):
        density = lattice.soil(top, bottom, 2018)["bulk_density"]
        mapped = predicted(lattice, "bulk density of 2018", density, relative=0.05)
        values[f"bulk_density_{top}_{bottom}"] = covered(lattice, mapped)
    values["packing_density"] = covered(lattice, packing_density(lattice.soil(0, 20, 2018)))
    return lattice, values


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(
        load_spec("soil_bulk_density_europe"), folder, lattice, values, nodata="undeclared"
    )
