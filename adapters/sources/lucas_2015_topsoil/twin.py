"""LUCAS 2015 of the twin; what its tables say stands in `adapters/twin/surveys.py`."""

from pathlib import Path

from adapters.twin.planting import Draft, Rows
from adapters.twin.surveys import lucas_2015, rows_2015
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return lucas_2015(world.surveys, folder, world.size)


def rows(world: World) -> Rows:
    """Its rows and where its files say they are."""
    return rows_2015(world.surveys)
