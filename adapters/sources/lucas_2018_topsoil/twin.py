"""LUCAS 2018 of the twin; what its tables say stands in `adapters/twin/lucas_2018.py`."""

from pathlib import Path

from adapters.twin.lucas_2018 import lucas_2018
from adapters.twin.planting import Draft
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return lucas_2018(world.surveys, folder)
