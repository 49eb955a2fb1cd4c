"""The twin of this source; what it says stands in `adapters/twin/layers.py`."""

from pathlib import Path

from adapters.twin.layers import arsenic
from adapters.twin.world import World


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    arsenic(world, folder)
