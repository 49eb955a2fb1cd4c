"""LUCAS 2018 of the twin; what its tables say stands in `adapters/twin/lucas_2018.py`."""

from pathlib import Path

from adapters.twin.lucas_2018 import lucas_2018, rows_2018
from adapters.twin.planting import Draft, Rows
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return lucas_2018(world.surveys, folder)


def rows(world: World) -> Rows:
    """Its rows and where its files say they are."""
    return rows_2018(world.surveys)
