"""SPADE/M of the twin; what its tables say stands in `adapters/twin/profiles.py`."""

from pathlib import Path

from adapters.twin.planting import Draft, Rows
from adapters.twin.profiles import SPADE_M, profile_rows, spade_m
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return spade_m(world.europe, world.size, folder)


def rows(world: World) -> Rows:
    """Its rows and where its files say they are."""
    return profile_rows(world.europe, "spade_m", SPADE_M[world.size])
