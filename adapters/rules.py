"""Rules across the columns or rows of a table: texture sums, horizon depths, agreeing positions.

Belongs here: finding what breaks a rule, as flags. Never here: rules of one column (its range, its
codes), or what becomes of a flagged value.

Every function returns flags in the layout of docs/data_model.md.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np
import polars as pl
from pyproj import CRS, Transformer

from adapters.errors import ReadError, refuse
from adapters.spec import DepthOrder, NamedFiles, PositionCheck, RepeatedRows, TextureSum

FLAGS_SCHEMA = {
    "row_ref": pl.String,
    "column": pl.String,
    "flag": pl.String,
    "raw": pl.String,
    "value": pl.Float64,
    "detail": pl.String,
}
# Radius of the sphere that has the surface of WGS84 (m).
_EARTH_RADIUS = 6_371_007.2


def no_flags() -> pl.DataFrame:
    """An empty frame of flags."""
    return pl.DataFrame(schema=FLAGS_SCHEMA)


def texture_sum(table: pl.DataFrame, rule: TextureSum) -> pl.DataFrame:
    """Rows whose fractions are all there and do not add up to 100 %, within the tolerance.

    Args:
        table: With `row_ref` and the rule's columns in percent.
        rule: Columns and tolerance (percentage points).
    """
    total = pl.sum_horizontal(rule.columns, ignore_nulls=False)
    said = " + ".join(rule.columns)
    return (
        table.select("row_ref", total=total)
        .filter((pl.col("total") - 100).abs() > rule.tolerance)
        .select(
            "row_ref",
            column=pl.lit(None, pl.String),
            flag=pl.lit("texture_sum"),
            raw=pl.lit(None, pl.String),
            value="total",
            detail=pl.format(f"{said} = {{}} %", pl.col("total").round(3)),
        )
        .cast(FLAGS_SCHEMA)
    )


def depth_order(
    table: pl.DataFrame, rule: DepthOrder, top: str = "depth_top", bottom: str = "depth_bottom"
) -> pl.DataFrame:
    """Horizons without a depth, upside down or empty, or that begin above the bottom of another.

    The faults are told apart: `depth_missing`, `depth_fault` (top >= bottom, or above the surface),
    `depth_overlap` (within one profile; the deeper horizon is flagged) and, where the rule asks for
    it, `depth_gap` (the horizon below the gap is flagged; also a first one below the surface).

    Args:
        table: With `row_ref`, the profile, top and bottom (cm below the surface).
        rule: The column that identifies the profile.
        top: Column of the upper limit.
        bottom: Column of the lower limit.
    """
    depths = table.select("row_ref", profile=rule.profile, top=top, bottom=bottom)
    missing = depths.filter(pl.col("top").is_null() | pl.col("bottom").is_null())
    wrong = (pl.col("top") >= pl.col("bottom")) | (pl.col("top") < 0)
    fault = depths.filter(wrong)
    usable = depths.drop_nulls(["profile", "top", "bottom"]).filter(~wrong)
    reached = pl.col("bottom").cum_max().shift(1).over("profile")
    overlap = usable.sort("profile", "top", "bottom", maintain_order=True).filter(
        reached > pl.col("top")
    )
    gaps = usable.clear()
    if rule.contiguous:
        gaps = usable.sort("profile", "top", "bottom", maintain_order=True).filter(
            pl.col("top") > reached.fill_null(0)
        )
    limits = pl.format("{}-{} cm", pl.col("top"), pl.col("bottom"))
    return pl.concat(
        found.select(
            "row_ref",
            column=pl.lit(None, pl.String),
            flag=pl.lit(flag),
            raw=limits,
            value=pl.lit(None, pl.Float64),
            detail=pl.lit(detail),
        ).cast(FLAGS_SCHEMA)
        for found, flag, detail in (
            (missing, "depth_missing", "the horizon has no upper or lower limit"),
            (fault, "depth_fault", "the upper limit is not above the lower one"),
            (overlap, "depth_overlap", "begins above the bottom of a horizon over it"),
            (gaps, "depth_gap", "begins below the bottom of the horizon over it, or the surface"),
        )
    )


def repeated_rows(table: pl.DataFrame, rule: RepeatedRows, source: str) -> pl.DataFrame:
    """Rows that repeat another row, where both are there.

    Args:
        table: With `row_ref` and the rule's columns.
        rule: Which rows repeat which, and in what they must agree.
        source: Source id, for the message.

    Raises:
        ReadError: A row and the one that it is said to repeat disagree: they are two.
    """
    rows = table.select("row_ref", *rule.same, here=pl.col(rule.column).cast(pl.String))
    pairs = (
        rows.with_columns(counts=pl.col("here").replace_strict(rule.repeats, default=None))
        .drop_nulls("counts")
        .join(rows, left_on="counts", right_on="here", suffix="_first")
    )
    agree = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_first")) for c in rule.same)
    if (apart := pairs.filter(~agree)).height:
        error = ReadError(
            f"rows that are said to repeat others differ in {', '.join(rule.same)}",
            source=source,
            where=rule.column,
            samples=[
                f"{here} at {ref}, {counts} at {first}"
                for here, ref, counts, first in apart.select(
                    "here", "row_ref", "counts", "row_ref_first"
                ).iter_rows()
            ],
            remedy="correct `repeats` of the rule repeated_rows in source.yaml, or the file",
        )
        refuse(error, ("rules",))
    return (
        pairs.filter(agree)
        .select(
            "row_ref",
            column=pl.lit(None, pl.String),
            flag=pl.lit("duplicate"),
            raw="here",
            value=pl.lit(None, pl.Float64),
            detail=pl.format(f"repeats {rule.column} {{}} at {{}}", "counts", "row_ref_first"),
        )
        .cast(FLAGS_SCHEMA)
    )


def named_files(table: pl.DataFrame, rule: NamedFiles, names: Iterable[str]) -> pl.DataFrame:
    """Cells that name a file which is not there: flagged `photograph_missing`.

    Args:
        table: With `row_ref` and the rule's column.
        rule: Column and patterns of the files.
        names: Names of the files of the raw version that match the patterns.
    """
    there = [PurePosixPath(name).name for name in names]
    lost = table.filter(~pl.col(rule.column).is_in(there))
    return lost.select(
        "row_ref",
        column=pl.lit(rule.column),
        flag=pl.lit("photograph_missing"),
        raw=rule.column,
        value=pl.lit(None, pl.Float64),
        detail=pl.lit(f"no such file among the {len(there)} that are there"),
    ).cast(FLAGS_SCHEMA)


def position_disagreement(
    longitude: np.ndarray, latitude: np.ndarray, check: PositionCheck, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Distance between a position and the second one that the same row states.

    Args:
        longitude: (n,) degrees, EPSG:4326.
        latitude: (n,) degrees.
        check: CRS of the second position.
        x: (n,) of the second position.
        y: (n,).

    Returns:
        (n,) great-circle distance in m; NaN where either position is missing.
    """
    back = Transformer.from_crs(CRS(check.crs), CRS("EPSG:4326"), always_xy=True)
    other_lon, other_lat = back.transform(x, y)
    lon1, lat1, lon2, lat2 = map(np.radians, (longitude, latitude, other_lon, other_lat))
    half = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    with np.errstate(invalid="ignore"):
        return 2 * _EARTH_RADIUS * np.arcsin(np.sqrt(half))


def swapped(
    longitude: np.ndarray, latitude: np.ndarray, bounds: tuple[float, float, float, float]
) -> bool:
    """Do most positions lie outside the bounds, and inside once longitude and latitude are swapped?

    Args:
        longitude: (n,) degrees, NaN where missing.
        latitude: (n,) degrees.
        bounds: west, south, east, north in degrees.
    """
    here = inside(longitude, latitude, bounds)
    there = inside(latitude, longitude, bounds)
    known = np.isfinite(longitude) & np.isfinite(latitude)
    return bool(known.any()) and bool((~here & there)[known].mean() > 0.5)


def inside(
    longitude: np.ndarray, latitude: np.ndarray, bounds: tuple[float, float, float, float]
) -> np.ndarray:
    """(n,) Is each position inside the bounds (west, south, east, north in degrees)? NaN is not."""
    west, south, east, north = bounds
    with np.errstate(invalid="ignore"):
        return (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
