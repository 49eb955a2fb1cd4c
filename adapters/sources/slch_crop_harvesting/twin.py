"""Loss with root crops by region and country: four shapefiles and a workbook."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely

from adapters.twin import erosion
from adapters.twin.europe import COUNTRIES, Array
from adapters.twin.files import write_dbf, write_xlsx
from adapters.twin.regions import outlines
from adapters.twin.world import Lattice, World
from adapters.twin.zones import region_sums, union_regions

PRJ = (
    'PROJCS["Lambert_Azimuthal_Equal_Area",GEOGCS["GCS_ETRS_1989",DATUM["D_ETRS_1989",'
    'SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Azimuthal_Equal_Area"],'
    'PARAMETER["False_Easting",4321000.0],PARAMETER["False_Northing",3210000.0],'
    'PARAMETER["Central_Meridian",10.0],PARAMETER["Latitude_Of_Origin",52.0],UNIT["Meter",1.0]]'
)
BEET_SHARE = 0.6
"""Share of the loss that sugar beet has, the rest being that of potatoes; invented."""


def losses(lattice: Lattice) -> dict[str, Array]:
    """Of each region: total (t/a), arable land (ha) and mean textural index; (regions,) each."""
    place, layer = lattice.place, lattice.soil()
    loss = np.where(erosion.arable(place), erosion.soil_loss_harvest(place, layer), np.nan)
    hectares = lattice.cell**2 / 1e4
    sums, cells = region_sums(lattice, loss)
    index, land = region_sums(lattice, erosion.harvest_texture_index(layer))
    with np.errstate(invalid="ignore"):
        return {"total": sums * hectares, "area": cells * hectares, "index": index / land}


def write(world: World, folder: Path) -> None:
    """SLCH_NUTS2, _texture, _decrease and _countries as shapefiles, SLCH_periods.xlsx."""
    found = losses(world.grid("EPSG:3035", 1000))
    shapes, regions = outlines(world.europe), world.europe.regions
    chosen = np.array(
        [
            i
            for i in union_regions(world.europe)
            if found["area"][i] > 0 and regions.code[i] in shapes
        ]
    )
    codes = [str(c) for c in regions.code[chosen]]
    total, area = found["total"][chosen], found["area"][chosen]
    first = erosion.HARVEST_TREND["1975-1986"] * (1 + 0.1 * np.tanh(found["index"][chosen] - 1))
    tables = {
        "NUTS2": {"SLCH_KT": np.round(total / 1e3, 4), "SLCH_HA": np.round(total / area, 4)},
        "texture": {"TEXT_INDEX": np.round(found["index"][chosen], 3)},
        "decrease": {"DECREASE": np.round(100 * (1 - 1 / first), 2)},
    }
    polygons = [shapes[code] for code in codes]
    for name, columns in tables.items():
        cells = {"NUTS_ID": codes, **{c: v.tolist() for c, v in columns.items()}}
        _write(folder / f"SLCH_{name}.shp", cells, polygons)
    middle = erosion.HARVEST_TREND["1987-1999"]
    periods = np.round(np.column_stack([total * first, total * middle, total]) / 1e3, 4)
    header = ["NUTS_ID", *(f"SLCH {period}" for period in erosion.HARVEST_TREND)]
    rows = [[code, *values] for code, values in zip(codes, periods.tolist(), strict=True)]
    write_xlsx(folder / "SLCH_periods.xlsx", {"SLCH": [header, *rows]})
    country = np.array([COUNTRIES[c][0] for c in regions.country[chosen]])
    names = np.unique(country)
    sums = np.array([total[country == name].sum() / 1e3 for name in names])
    cells = {
        "CNTR_ID": names.tolist(),
        "SLCH_BEET": np.round(BEET_SHARE * sums, 4).tolist(),
        "SLCH_POT": np.round((1 - BEET_SHARE) * sums, 4).tolist(),
    }
    whole = outlines(world.europe, level=0)
    _write(folder / "SLCH_countries.shp", cells, [whole[name] for name in cells["CNTR_ID"]])


def _write(path: Path, cells: dict[str, list[object]], polygons: Sequence[object]) -> None:
    wkb = shapely.to_wkb(np.array(polygons, dtype=object), byte_order=1)
    write_dbf(path, cells, wkb, "Polygon", PRJ)
