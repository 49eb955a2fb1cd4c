"""LUCAS 2015 Switzerland of the twin; its workbook stands in `adapters/twin/surveys.py`."""

from pathlib import Path

from adapters.twin.planting import Draft, Rows
from adapters.twin.surveys import rows_switzerland, switzerland
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    return switzerland(world.surveys, folder)


def rows(world: World) -> Rows:
    """Its rows and where its files say they are."""
    return rows_switzerland(world.surveys)
