"""Stocks of carbon of two depths as IDRISI rasters in degrees."""

from pathlib import Path

from adapters.spec import load_spec
from adapters.twin.elements import carbon_stock
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:4326", 1.0 / 120.0)
    values = {
        name: carbon_stock(lattice.soil(top, bottom, 2000), top, bottom)
        for name, top, bottom in (("soc_stock_topsoil", 0, 30), ("soc_stock_subsoil", 30, 100))
    }
    return lattice, {
        name: covered(lattice, predicted(lattice, "HWSD", stock, relative=0.3))
        for name, stock in values.items()
    }


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(load_spec("global_soc_estimates"), folder, lattice, values)
