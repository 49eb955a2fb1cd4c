"""Simulated balances and pools of phosphorus of agricultural soils."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.elements import phosphorus_budget, phosphorus_stocks
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    balance = phosphorus_budget(lattice.place)["balance"]
    total, available = phosphorus_stocks(lattice.soil())
    values = {
        # Less fertiliser is projected, so that the balance falls.
        "p_balance_2010_2019": predicted(lattice, "DayCent", balance, absolute=0.5),
        "p_balance_2020_2029": predicted(lattice, "DayCent", balance - 0.5, absolute=0.7),
        "p_balance_2040_2049": predicted(lattice, "DayCent", balance - 1.0, absolute=0.9),
        "p_total_pool": predicted(lattice, "DayCent", total, relative=0.2),
        "p_available_pool": predicted(lattice, "DayCent", available, relative=0.2),
    }
    farmed = np.where(lattice.place["cover"] <= 1, 1.0, np.nan)
    return lattice, {name: covered(lattice, farmed * pixels) for name, pixels in values.items()}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    write_layers(
        load_spec("phosphorus_cycle_daycent"), folder, lattice, values, nodata="undeclared"
    )
