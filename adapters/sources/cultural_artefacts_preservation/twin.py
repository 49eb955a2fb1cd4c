"""Preservation classes on the polygons of the European Soil Database, without .prj."""

from pathlib import Path

import numpy as np

from adapters.twin.classes import preservation
from adapters.twin.files import write_dbf
from adapters.twin.polygons import GISCO, patches
from adapters.twin.world import World

# Not of the Union: not considered.
_OUTSIDE = "CH"


def write(world: World, folder: Path) -> None:
    """Write preservation.shp; SoilID and all classes are 0 where a place was not considered."""
    found = patches(world, "esdb")
    country = world.europe.regions.code[found.place["region"]].astype("U2")
    considered = (country != _OUTSIDE) & (found.place["local_3"] > -1.9)
    number = 350_000 + np.arange(len(considered))
    cells = {"SoilID": np.where(considered, number, 0).tolist()}
    for name, codes in preservation(found.place, found.soil).items():
        cells[name] = np.where(considered, codes, 0).tolist()
    write_dbf(folder / "preservation.shp", cells, found.wkb(GISCO), "Polygon")
