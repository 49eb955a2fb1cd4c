"""Polygons of map units in the GISCO projection, without .prj, and a table of their attributes."""

from pathlib import Path

import numpy as np

from adapters.twin.classes import texture_class
from adapters.twin.files import write_dbf
from adapters.twin.polygons import GISCO, patches
from adapters.twin.world import World

# By land cover: cropland, grassland, woodland, shrubland, wetland.
_WRB = ("LVha", "CMeu", "PZha", "CMdy", "HSfi")
_FAO = ("Lo", "Be", "Po", "Bd", "Od")
_PEAT = 4


def write(world: World, folder: Path) -> None:
    """Write sgdbe4_0.shp and SGDB_PTR.dbf.

    A map unit has one or more polygons; its attributes are those of its class.
    """
    found = patches(world, "esdb")
    cover, texture = found.place["cover"], texture_class(found.soil)
    unit = 350_000 + 100 * texture + 10 * cover + (found.place["ore"] > 0)
    write_dbf(
        folder / "sgdbe4_0.shp",
        {"SMU": [str(u) for u in unit]},
        found.wkb(GISCO),
        "Polygon",
    )
    units = np.unique(unit)
    kinds, textures = (units % 100 // 10).tolist(), (units // 100 % 10).tolist()
    water = {1: "L", 2: "M", 3: "H", 4: "H", 5: "VH"}
    ground = list(zip(kinds, textures, strict=True))
    write_dbf(
        folder / "SGDB_PTR.dbf",
        {
            "SMU": [str(u) for u in units],
            "WRBFU": [_WRB[k] for k in kinds],
            "FAO85FU": [_FAO[k] for k in kinds],
            "TXSRFDO": ["9" if k == _PEAT else str(t) for k, t in ground],
            "PARMADO": [("2110", "3100", "5100")[u % 3] for u in units],
            # Peat has no class of available water.
            "AWC_TOP": ["#" if k == _PEAT else water[t] for k, t in ground],
        },
    )
