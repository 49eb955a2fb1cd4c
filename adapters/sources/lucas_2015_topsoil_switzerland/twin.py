"""LUCAS 2015 Switzerland of the twin; its workbook stands in `adapters/twin/surveys.py`."""

from pathlib import Path

from adapters.twin.planting import Draft
from adapters.twin.surveys import switzerland
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return switzerland(world.surveys, folder)
