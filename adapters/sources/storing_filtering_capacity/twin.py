"""Ranks of storing and filtering on the polygons of the European Soil Database, without .prj."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import storing_filtering, tenths
from adapters.twin.files import write_dbf
from adapters.twin.planting import Draft
from adapters.twin.polygons import GISCO, patches
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write storing_filtering.shp; 0 where there is no soil, one rank out of its scale."""
    found, draw = patches(world, "esdb"), world.stream("storing_filtering")
    ranks = {name: tenths(values) for name, values in storing_filtering(found.soil).items()}
    soilless = found.place["local_3"] < -1.9
    names = {c.native: c.name for c in load_spec("storing_filtering_capacity").columns}
    cells = {name: np.where(soilless, 0, values).tolist() for name, values in ranks.items()}
    truth = {names[name]: np.where(soilless, np.nan, v) for name, v in ranks.items()}
    draft = Draft("storing_filtering_capacity", [str(i) for i in range(len(soilless))], truth)
    draft.plant(
        draw,
        cells["STOR_CAPCA"],
        "cation_storing_capacity",
        "shifted_decimal",
        "out_of_range",
        lambda v: v * 10 if v > 1 else None,
    )
    cells["SMU"] = [350_000 + i for i in range(len(soilless))]
    write_dbf(folder / "storing_filtering.shp", cells, found.wkb(GISCO), "Polygon")
    return draft
