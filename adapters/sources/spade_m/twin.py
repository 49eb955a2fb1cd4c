"""SPADE/M of the twin; what its tables say stands in `adapters/twin/profiles.py`."""

from pathlib import Path

from adapters.twin.planting import Draft
from adapters.twin.profiles import spade_m
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return spade_m(world.europe, world.size, folder)
