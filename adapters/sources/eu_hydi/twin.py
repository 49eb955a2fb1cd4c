"""EU-HYDI of the twin; what its tables say stands in `adapters/twin/profiles.py`."""

from pathlib import Path

from adapters.twin.planting import Draft, Rows
from adapters.twin.profiles import EU_HYDI, eu_hydi, profile_rows
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return eu_hydi(world.europe, world.size, folder)


def rows(world: World) -> Rows:
    """Its rows and where its files say they are."""
    return profile_rows(world.europe, "eu_hydi", EU_HYDI[world.size])
