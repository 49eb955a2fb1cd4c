"""Monthly erosivity on a grid in degrees, and rainfall stations with their records."""

from pathlib import Path

import numpy as np
import shapely

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.files import Cells, write_dbf, write_xlsx
from adapters.twin.planting import Draft
from adapters.twin.world import EXTENT, World, write_layers

STATIONS = {"tiny": 60, "demo": 400, "full": 3_939}
"""All of them in Europe, where the real ones are all over the world."""
WITHOUT_MONTHS = 0.06
RECORD_NOISE = 0.08
"""Standard deviation of the logarithm of a station's erosivity around that of its place."""
MONTHS = range(1, 13)


def write(world: World, folder: Path) -> Draft:
    """GloREDa_R_month_01.tif to _12.tif, GloREDa.xlsx and GloREDa_stations.shp."""
    main = load_spec("gloreda").pieces[0]
    lattice = world.grid("EPSG:4326", 1 / 120)
    monthly = erosion.rainfall_erosivity(lattice.place) * erosion.monthly_shares(lattice.place)
    monthly = np.where(lattice.land, monthly, np.nan)
    write_layers(main, folder, lattice, {"erosivity_monthly_raster": monthly})
    return _stations(world, folder)


def _stations(world: World, folder: Path) -> Draft:
    draw, count = world.stream("gloreda"), STATIONS[world.size]
    west, south, east, north = EXTENT
    x, y = draw.uniform(west, east, 5 * count), draw.uniform(south, north, 5 * count)
    place = world.europe.place(x, y)
    on_land = np.flatnonzero(place["land"])[:count]
    place = {name: values[on_land] for name, values in place.items()}
    count = len(on_land)
    truth = erosion.rainfall_erosivity(place)
    yearly = np.round(truth * np.exp(RECORD_NOISE * draw.normal(size=count)), 1)
    months = np.round(yearly * erosion.monthly_shares(place), 2).T
    ids = [f"ST{i:05d}" for i in range(1, count + 1)]
    latitude, longitude = (np.round(place[n], 4) for n in ("latitude", "longitude"))
    cells: Cells = {
        "LAT": latitude.tolist(),
        "LON": longitude.tolist(),
        "R_FACTOR": yearly.tolist(),
    }
    mapped: Cells = {
        "STATION_ID": list(ids),
        "LON": longitude.tolist(),
        "LAT": latitude.tolist(),
    }
    points = np.asarray(shapely.to_wkb(shapely.points(longitude, latitude), byte_order=1))
    write_dbf(folder / "GloREDa_stations.shp", mapped, points, "Point", "EPSG:4326")
    draft = Draft("gloreda__stations", ids, {"r_factor_station": truth})
    # The shapefile has them right: that is how a swap inside the bounds of the world is seen.
    draft.swap_coordinates(draw, cells, "LON", "LAT", (-180.0, 89.0, 180.0, 90.0))
    draft.plant(
        draw, cells["R_FACTOR"], "r_factor_station", "shifted_decimal", "out_of_range",
        _beyond_any_station,
    )  # fmt: skip
    known = np.sort(draw.permutation(count)[round(WITHOUT_MONTHS * count) :])
    write_xlsx(
        folder / "GloREDa.xlsx",
        {
            "Annual": [
                ["STATION_ID", *cells],
                *([i, *row] for i, row in zip(ids, zip(*cells.values(), strict=True), strict=True)),
            ],
            "Monthly": [
                ["STATION_ID", *(f"R_{m:02d}" for m in MONTHS)],
                *([ids[i], *months[i].tolist()] for i in known),
            ],
        },
    )
    return draft


def _beyond_any_station(value: object) -> float | None:
    """Kilo-units read as units, where that is more than the range of the column."""
    shifted = 1000.0 * float(str(value))
    return shifted if shifted > 30_000 else None
