"""Where, how deep and when each row holds.

Belongs here: positions in EPSG:4326, depths in cm, dates, and the rows whose are not trustworthy.
Never here: aligning sources with each other.
"""

import datetime
from collections.abc import Sequence

import numpy as np
import polars as pl

from adapters.columns import canonical_unit
from adapters.errors import ReadError, SpecError, refuse
from adapters.rules import FLAGS_SCHEMA, inside, no_flags, position_disagreement, swapped
from adapters.spec import SourceSpec, Time
from adapters.units import conversion

_WORLD = (-180.0, -90.0, 180.0, 90.0)


def locate(
    spec: SourceSpec, table: pl.DataFrame, flags: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Positions of the rows.

    Args:
        spec: The source.
        table: Canonical columns; `geometry` for point layers without coordinate columns.
        flags: Those found so far; refused coordinates stand there.

    Returns:
        `longitude, latitude, position_uncertainty_m` (n rows), and new flags.

    Raises:
        ReadError: Longitude and latitude are swapped, or a row names no CRS that PROJ knows.
    """
    x, y = _coordinates(spec, table, flags)
    longitude, latitude = _transformed(spec, table, x, y)
    bounds = spec.space.bounds or _WORLD
    if len(x) and spec.space.x and swapped(longitude, latitude, bounds):
        wrong = np.flatnonzero(~inside(longitude, latitude, bounds))[:5]
        # Rows are named by the base table; the coordinates may stand in a table joined to it.
        home = spec.tables[spec.column(spec.space.x).table]
        base = str(table["row_ref"][0]).rsplit("#", 1)[0]
        refuse(
            ReadError(
                f"longitude and latitude are swapped: most rows lie outside {bounds}, and inside "
                "once the two are exchanged",
                source=spec.id,
                file=" or ".join(home.files) if home.compose == "join" else base,
                where=f"columns {spec.space.x}, {spec.space.y}",
                samples=[f"{table['row_ref'][int(i)]}: {x[i]:g}, {y[i]:g}" for i in wrong],
                remedy="exchange the two headers in the file, or `native` of the two in "
                "columns.csv",
                spec_key=("columns", spec.space.x),
            )
        )
    known = np.isfinite(longitude) & np.isfinite(latitude)
    outside = known & ~inside(longitude, latitude, bounds)
    found = [_suspect(table, x, y, outside, [f"outside {bounds}"] * int(outside.sum()))]
    bad = outside
    if check := spec.space.check:
        other = [_array(table, name, flags) for name in (check.x, check.y)]
        distance = position_disagreement(longitude, latitude, check, *other)
        with np.errstate(invalid="ignore"):
            far = known & ~outside & (distance > check.max_distance_m)
        said = [f"{d:.0f} m from {check.x}, {check.y}" for d in distance[far]]
        found.append(_suspect(table, x, y, far, said))
        bad = bad | far
    usable = known & ~bad
    uncertainty = np.nan if spec.space.uncertainty_m is None else spec.space.uncertainty_m
    placed = pl.DataFrame(
        {
            "longitude": np.where(usable, longitude, np.nan),
            "latitude": np.where(usable, latitude, np.nan),
            "position_uncertainty_m": np.where(usable, uncertainty, np.nan),
        }
    ).fill_nan(None)
    return placed, pl.concat(found)


def _array(table: pl.DataFrame, name: str, flags: pl.DataFrame) -> np.ndarray:
    """A numeric column with the numbers that the range check refused put back."""
    refused = flags.filter(pl.col("column") == name, pl.col("flag") == "out_of_range")
    joined = table.select("row_ref", name).join(
        refused.unique("row_ref").select("row_ref", "value"),
        on="row_ref",
        how="left",
        maintain_order="left",
    )
    return joined.select(pl.coalesce(name, "value")).to_series().cast(pl.Float64).to_numpy()


def _coordinates(
    spec: SourceSpec, table: pl.DataFrame, flags: pl.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    if spec.space.x and spec.space.y:
        return _array(table, spec.space.x, flags), _array(table, spec.space.y, flags)
    nowhere = np.full(table.height, np.nan)
    if spec.space.support != "point" or "geometry" not in table.columns:
        return nowhere, nowhere
    import shapely

    points = shapely.from_wkb(table["geometry"].to_numpy())
    return shapely.get_x(points), shapely.get_y(points)


def _transformed(
    spec: SourceSpec, table: pl.DataFrame, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from pyproj import Transformer
    from pyproj.exceptions import CRSError

    longitude, latitude = np.full(len(x), np.nan), np.full(len(x), np.nan)
    if not np.isfinite(x).any():
        return longitude, latitude
    if spec.space.crs_column:
        names = table[spec.space.crs_column].cast(pl.String)
        each = names.fill_null(spec.space.crs or "").to_numpy()
    else:
        each = np.full(len(x), spec.space.crs or "", dtype=object)
    for crs in sorted(set(each)):
        here = (each == crs) & np.isfinite(x) & np.isfinite(y)
        if not here.any():
            continue
        try:
            bring = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        except CRSError as error:
            rows = table["row_ref"].filter(pl.Series(here))
            raise ReadError(
                f"no CRS {crs!r}: {error}",
                source=spec.id,
                where=str(rows[0]),
                samples=[crs],
                remedy="correct space.crs or crs_column in source.yaml",
            ) from error
        lon, lat = bring.transform(x[here], y[here])
        longitude[here], latitude[here] = lon, lat
    return np.where(np.isfinite(longitude), longitude, np.nan), np.where(
        np.isfinite(latitude), latitude, np.nan
    )


def _suspect(
    table: pl.DataFrame, x: np.ndarray, y: np.ndarray, rows: np.ndarray, detail: Sequence[str]
) -> pl.DataFrame:
    if not rows.any():
        return no_flags()
    size = int(rows.sum())
    return pl.DataFrame(
        {
            "row_ref": table["row_ref"].filter(pl.Series(rows)),
            "column": [None] * size,
            "flag": ["position_suspect"] * size,
            "raw": [
                f"{a!r}, {b!r}" for a, b in zip(x[rows].tolist(), y[rows].tolist(), strict=True)
            ],
            "value": [None] * size,
            "detail": list(detail),
        },
        schema=FLAGS_SCHEMA,
    )


def sink(spec: SourceSpec, table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Depth interval of the rows in cm: `depth_top, depth_bottom` (n rows), and flags.

    Rows whose label is not among the declared ones have no depth and are flagged.
    """
    depth = spec.depth
    if depth.label:
        label = table[depth.label]
        limits = [
            label.replace_strict(
                {k: v[i] for k, v in depth.labels.items()}, default=None, return_dtype=pl.Float64
            )
            for i in (0, 1)
        ]
        lost = limits[0].is_null()
        flags = _depth_missing(table.filter(lost), label.filter(lost), list(depth.labels))
    else:
        limits, flags = [_limit(spec, table, d) for d in (depth.top, depth.bottom)], no_flags()
        checked = any(rule.kind == "depth_order" for rule in spec.rules)
        if isinstance(depth.top, str) and not checked:
            lost = limits[0].is_null() | limits[1].is_null()
            flags = _depth_missing(
                table.filter(lost), pl.Series([None] * int(lost.sum()), dtype=pl.String), []
            )
    return pl.DataFrame([limits[0].alias("depth_top"), limits[1].alias("depth_bottom")]), flags


def _limit(spec: SourceSpec, table: pl.DataFrame, said: str | float | None) -> pl.Series:
    if isinstance(said, str):
        unit, basis, _ = canonical_unit(spec.column(said))
        by = conversion(unit, basis, "cm", None)
        return table.select(by.expr(pl.col(said).cast(pl.Float64))).to_series()
    return pl.Series([said], dtype=pl.Float64).new_from_index(0, table.height)


def _depth_missing(rows: pl.DataFrame, raw: pl.Series, labels: list[str]) -> pl.DataFrame:
    detail = f"not one of {', '.join(labels)}" if labels else "no upper or lower limit"
    return pl.DataFrame(
        {
            "row_ref": rows["row_ref"],
            "column": [None] * rows.height,
            "flag": ["depth_missing"] * rows.height,
            "raw": raw,
            "value": [None] * rows.height,
            "detail": [detail] * rows.height,
        },
        schema=FLAGS_SCHEMA,
    )


def when(spec: SourceSpec, table: pl.DataFrame, native_table: pl.Series) -> pl.DataFrame:
    """`date_start, date_end` of the rows: their own date, else their table's, else the source's.

    Args:
        spec: The source.
        table: Canonical columns.
        native_table: (n,) id of the native table that each row comes from.
    """
    starts, ends = [], []
    for name in spec.tables:
        time = spec.tables[name].time or spec.time
        starts.append(_day(spec, time, time.start))
        ends.append(_day(spec, time, time.end))
    dates = [
        native_table.replace_strict(dict(zip(spec.tables, days, strict=True)), return_dtype=pl.Date)
        for days in (starts, ends)
    ]
    frame = pl.DataFrame([dates[0].alias("date_start"), dates[1].alias("date_end")])
    if spec.time.date is None:
        return frame
    form = str(spec.column(spec.time.date).date_format)
    own = table[spec.time.date]
    last = pl.col("own")
    if "%j" not in form and "%d" not in form:
        last = last.dt.offset_by("1mo" if "%m" in form else "1y").dt.offset_by("-1d")
    return frame.with_columns(own=own).select(
        date_start=pl.coalesce("own", "date_start"), date_end=pl.coalesce(last, "date_end")
    )


def _day(spec: SourceSpec, time: Time, text: str | None) -> datetime.date | None:
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise SpecError(
            f"{text!r} is no ISO date",
            source=spec.id,
            file="source.yaml",
            where="time",
            remedy="write it as 2009-05-31",
        ) from error
