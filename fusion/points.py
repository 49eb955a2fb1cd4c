"""A user's own points taken through every published source.

Belongs here: reading points, telling which are usable, and sampling each source at them.
Never here: samples, matrices, or changing anything in the store.

Sources of every origin are asked, and each feature says its origin and licence: what is synthetic
is labelled so. Nothing is dropped: a point that cannot be used keeps its row, says why in
`point_status`, and has no values.
"""

from pathlib import Path

import numpy as np
import polars as pl
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from rasterio.warp import transform_bounds

from adapters.errors import FusionError
from adapters.settings import Settings
from fusion.align import bring
from fusion.dictionary import Contribution, records
from fusion.inputs import Source, published, sources
from fusion.samples import NUTS_SOURCE, nuts_2

REACH_M = 1000.0
"""Reach of `nearest` for sources that state none: the survey samples themselves."""


def read_points(path: Path) -> pl.DataFrame:
    """Read a CSV of points; semicolons and decimal commas are understood.

    Raises:
        FusionError: The file is missing, empty or no CSV.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        semicolons = head.count(";") > head.count(",")
        points = pl.read_csv(
            path,
            separator=";" if semicolons else ",",
            decimal_comma=semicolons,
            infer_schema_length=None,
        )
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise FusionError(
            f"cannot be read as CSV: {error}",
            file=str(path),
            remedy="give a UTF-8 CSV file with a header and one point a row",
        ) from error
    if not semicolons:
        return points
    # One cell that is no number makes its column text; the others are numbers all the same.
    return points.with_columns(
        pl.col(pl.String).str.replace(r"^\s*([+-]?\d+),(\d+)\s*$", "${1}.${2}")
    )


def sample_points(
    settings: Settings,
    points: pl.DataFrame,
    x: str = "longitude",
    y: str = "latitude",
    crs: str = "EPSG:4326",
    depth: tuple[float, float] | None = None,
) -> tuple[pl.DataFrame, dict[str, dict]]:
    """Values of every published source at the points.

    Rasters are read at the point, polygons are those that hold it, point sources give their nearest
    row within `fuse.max_distance_m`, survey samples within `REACH_M`. Sources that are met by key
    alone, and those that are never aligned, are left out.

    Args:
        settings: Where the published store is.
        points: One row a point, any columns.
        x: Column of longitude or easting.
        y: Column of latitude or northing.
        crs: CRS of `x` and `y`, as anything PROJ understands.
        depth: Top and bottom in cm for which rows of several depths are wanted; without it the
            first row of the place is taken.

    Returns:
        The points with `longitude`, `latitude` (EPSG:4326), `point_status`, the features
        `<source>.<name>` and `<source>.distance_m` of point sources; and the feature dictionary,
        id -> record. Columns of the points that bear such a name get `_given` behind it.

    Raises:
        FusionError: A column is missing or holds no numbers, the CRS is unknown or has no
            horizontal axes, or the depth is none.
        StoreError: Nothing is published.
    """
    if depth is not None and not 0 <= depth[0] < depth[1]:
        raise FusionError(
            "the depth must begin at the surface or below it and end deeper",
            samples=depth,
            remedy="give top and bottom in cm, such as 0 and 20",
        )
    lon, lat = _degrees(points, x, y, crs)
    with published(settings) as tables:
        present = sources(tables)
        asked = {i: s for i, s in present.items() if s.spec.fuse.join not in ("none", "key")}
        status = _status(lon, lat, list(asked.values()))
        usable = np.array([s == "usable" or s.startswith("same place") for s in status], dtype=bool)
        at = pl.DataFrame(
            {
                "sample_id": np.flatnonzero(usable),
                "longitude": lon[usable],
                "latitude": lat[usable],
                "depth_top": pl.Series([depth and depth[0]] * int(usable.sum()), dtype=pl.Float64),
                "depth_bottom": pl.Series(
                    [depth and depth[1]] * int(usable.sum()), dtype=pl.Float64
                ),
            }
        ).with_columns(
            pl.col("sample_id").cast(pl.String), nuts_2=_regions(present, lon, lat, usable)
        )
        columns: dict[str, pl.Series] = {}
        contributions: dict[str, list[Contribution]] = {}
        distances: dict[str, pl.Series] = {}
        for id_, source in asked.items():
            found = bring(source, at, settings.data_root, settings.threads, REACH_M)
            features = [f"{id_}.{c.name}" for c in source.features]
            kept = [f for f in features if found[f].null_count() < found.height]
            if source.spec.fuse.join in ("nearest", "backbone") and kept:
                distances[id_] = found["distance_m"]
                columns[f"{id_}.distance_m"] = found["distance_m"]
            columns |= found.select(kept).to_dict()
            contributions |= {
                f"{id_}.{c.name}": [Contribution(source, c)]
                for c in source.features
                if f"{id_}.{c.name}" in kept
            }
        values = pl.DataFrame(columns)
        # Everything that needs the open store happens in here.
        made = records(values, contributions, pl.Series(["points"] * at.height), distances, "user")
        origins = {id_: source.origin for id_, source in asked.items()}
    dictionary = {r["id"]: {**r, "origin": origins[r["sources"][0]]} for r in made}
    return _assembled(points, lon, lat, status, usable, values), dictionary


def _degrees(points: pl.DataFrame, x: str, y: str, crs: str) -> tuple[np.ndarray, np.ndarray]:
    if x == y:
        raise FusionError(
            f"x and y are both {x!r}", remedy="name the column of each coordinate of its own"
        )
    for name in (x, y):
        if name not in points.columns:
            raise FusionError(
                f"the points have no column {name!r}",
                samples=points.columns,
                remedy="name the columns of the coordinates",
            )
        if points.schema[name].is_nested():
            raise FusionError(
                f"column {name!r} holds lists or structs",
                samples=points[name].head(3),
                remedy="give one number a point",
            )
    try:
        given_in = CRS.from_user_input(crs)
        if not (given_in.is_geographic or given_in.is_projected):
            raise FusionError(
                f"{crs} ({given_in.type_name}) has no longitude and latitude, easting and northing",
                remedy="give a geographic or projected CRS",
            )
        transformer = Transformer.from_crs(given_in, "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise FusionError(
            f"no such CRS: {crs}", remedy="give an EPSG code such as EPSG:25832"
        ) from error
    given = [
        points[name].cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False).to_numpy()
        for name in (x, y)
    ]
    known = np.isfinite(given[0]) & np.isfinite(given[1])
    lon, lat = transformer.transform(
        np.where(known, given[0], np.nan), np.where(known, given[1], np.nan)
    )
    return np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)


def _status(lon: np.ndarray, lat: np.ndarray, asked: list[Source]) -> list[str]:
    """`usable`, or why a point is not; numbers of points count from 1."""
    local = [box for box in map(_extent, asked) if box is not None and box[2] - box[0] < 180]
    seen: dict[tuple[float, float], int] = {}
    status = []
    for number, (east, north) in enumerate(zip(lon, lat, strict=True), start=1):
        first = seen.setdefault((east, north), number)
        if np.isnan(east) or np.isnan(north):
            status.append("no coordinates")
        elif not (abs(east) <= 180 and abs(north) <= 90):
            status.append("not on the globe: are crs, x and y right?")
        elif not _within(local, east, north) and _within(local, north, east):
            status.append("outside every regional source, and inside when x and y are swapped")
        elif first != number:
            status.append(f"same place as point {first}")
        else:
            status.append("usable")
    return status


def _within(boxes: list[tuple[float, float, float, float]], lon: float, lat: float) -> bool:
    return any(w <= lon <= e and s <= lat <= n for w, s, e, n in boxes)


def _extent(source: Source) -> tuple[float, float, float, float] | None:
    """West, south, east, north in degrees; None for sources without a place of their own."""
    table = source.table
    if source.spec.is_raster:
        crs, transform, width, height = table.select("crs", "transform", "width", "height").row(0)
        a, _, c, _, e, f = list(transform)[:6]
        left, right = sorted((c, c + a * width))
        bottom, top = sorted((f, f + e * height))
        return transform_bounds(crs, "EPSG:4326", left, bottom, right, top)
    if "geometry" in table.columns and source.crs is not None:
        box = shapely.total_bounds(shapely.from_wkb(table["geometry"].drop_nulls().to_numpy()))
        return transform_bounds(source.crs, "EPSG:4326", *box)
    placed = (
        table.select("longitude", "latitude").drop_nulls() if "longitude" in table.columns else None
    )
    if placed is None or not placed.height:
        return None
    low, high = placed.min().row(0), placed.max().row(0)
    return (*low, *high)


def _regions(
    present: dict[str, Source], lon: np.ndarray, lat: np.ndarray, usable: np.ndarray
) -> pl.Series:
    """NUTS 2 codes, where the polygons are published; NULL otherwise."""
    if NUTS_SOURCE not in present:
        return pl.Series([None] * int(usable.sum()), dtype=pl.String)
    return nuts_2(present[NUTS_SOURCE], lon[usable], lat[usable])


def _assembled(
    points: pl.DataFrame,
    lon: np.ndarray,
    lat: np.ndarray,
    status: list[str],
    usable: np.ndarray,
    values: pl.DataFrame,
) -> pl.DataFrame:
    ours = pl.DataFrame({"longitude": lon, "latitude": lat, "point_status": status}).with_columns(
        pl.col("longitude", "latitude").fill_nan(None)
    )
    row = pl.Series("_row", np.where(usable, np.cumsum(usable) - 1, -1)).replace(-1, None)
    spread = (
        row.to_frame()
        .join(
            values.with_row_index("_row").cast({"_row": pl.Int64}),
            on="_row",
            how="left",
            maintain_order="left",
        )
        .drop("_row")
        if values.width
        else pl.DataFrame()
    )
    taken = {*ours.columns, *spread.columns}
    names: list[str] = []
    for column in points.columns:
        # A table that was sampled before already has some of these names.
        while column in taken:
            column = f"{column}_given"  # noqa: PLW2901
        taken.add(column)
        names.append(column)
    given = points.rename(dict(zip(points.columns, names, strict=True)))
    return pl.concat([frame for frame in (given, ours, spread) if frame.width], how="horizontal")
