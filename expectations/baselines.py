"""What the last committed version of a source looked like.

Belongs here: the few numbers of the last version that a new one is compared with.
Never here: comparing them (see `derive`).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from adapters.settings import Settings
from adapters.store import Store

if TYPE_CHECKING:
    from adapters.standardise import Standard

MIN_VALUES = 30
# Of fewer values the loss of one would count for a shrunk column.
MIN_FILLED = 5


@dataclass(frozen=True)
class Layer:
    """Numbers of one layer of a raster source.

    Args:
        crs: Its CRS, as WKT.
        box: left, bottom, right, top in units of the CRS.
        covered: Area of the pixels that hold a value, in squared units of the CRS.
        minimum: Smallest value.
        maximum: Largest value.
        mean: Mean value.
    """

    crs: str
    box: tuple[float, float, float, float]
    covered: float
    minimum: float
    maximum: float
    mean: float


@dataclass(frozen=True)
class Baseline:
    """Numbers of the last committed version.

    Args:
        version: That version.
        rows: Its rows.
        middle: Numeric column -> its 10th and 90th percentile, in the canonical unit.
        filled: Column -> share of its rows that hold a value.
        box: west, south, east, north of the positions, in degrees; None where there are too few.
        layers: Raster column -> its layers, in the order of their elements.
        files: File (or `file!sheet`) -> rows that come from it.
    """

    version: str
    rows: int
    middle: dict[str, tuple[float, float]]
    filled: dict[str, float]
    box: list[float] | None = None
    layers: dict[str, list[Layer]] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


def baseline(standard: "Standard", settings: Settings) -> Baseline | None:
    """Read the last committed version of the same source and group.

    Returns:
        None where there is none: a source that changes group (the twin's file replaced by a
        user's) starts anew.

    Raises:
        StoreError: The store cannot be read.
    """
    last = last_table(standard, settings)
    if last is None:
        return None
    version, table = last
    if standard.spec.is_raster:
        return Baseline(version, table.height, {}, {}, layers=layers(table))
    return Baseline(
        version, table.height, middle(table), filled(table), box(table), files=files(table)
    )


def last_table(standard: "Standard", settings: Settings) -> tuple[str, pl.DataFrame] | None:
    """Version and table of the last commit of the same source and group; None where there is none.

    Raises:
        StoreError: The store cannot be read.
    """
    source = standard.spec.id
    with Store(settings).reading(f"last version of {source}") as tables:
        meta = tables.meta("source", source)
        if meta is None or meta.is_empty():
            return None
        last, table = meta.row(0, named=True), tables.table(source)
    if table is None or (last["group_name"], last["origin"]) != (
        standard.raw.group,
        standard.raw.origin,
    ):
        return None
    return last["version"], table


def middle(table: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """10th and 90th percentile of each numeric column with enough values that are not one value."""
    numeric = table.select(cs.numeric())
    found = {
        name: (numeric[name].quantile(0.1), numeric[name].quantile(0.9))
        for name in numeric.columns
        if numeric[name].count() >= MIN_VALUES
    }
    return {name: (low, high) for name, (low, high) in found.items() if low < high}


def filled(table: pl.DataFrame) -> dict[str, float]:
    """Share of the rows that hold a value, of each column with enough values."""
    return {c.name: c.count() / table.height for c in table if c.count() >= MIN_FILLED}


def box(table: pl.DataFrame) -> list[float] | None:
    """west, south, east, north of the positions, in degrees; None where there are too few.

    Of polygons it is the box in their own CRS.
    """
    if "geometry" in table.columns:
        return extent(table["geometry"])
    if not {"longitude", "latitude"} <= set(table.columns):
        return None
    placed = table.select("longitude", "latitude").drop_nulls()
    if placed.height < MIN_VALUES:
        return None
    west, south = placed.min().row(0)
    east, north = placed.max().row(0)
    return [west, south, east, north] if west < east and south < north else None


def files(table: pl.DataFrame) -> dict[str, int]:
    """Rows of the table by the file that they come from."""
    file = pl.col("row_ref").str.replace(r"#\d+$", "")
    return dict(table.group_by(file, maintain_order=True).len().iter_rows())


def extent(geometry: pl.Series) -> list[float] | None:
    """left, bottom, right, top of geometries (WKB) in their CRS; None where there are none."""
    import shapely

    shapes = shapely.from_wkb(geometry.drop_nulls().to_numpy())
    left, bottom, right, top = shapely.total_bounds(shapes).tolist()
    return [left, bottom, right, top] if left < right and bottom < top else None


def layers(table: pl.DataFrame) -> dict[str, list[Layer]]:
    """Layers of each raster column that hold a value, in the order of their elements."""
    found: dict[str, list[Layer]] = {}
    filled = table.drop_nulls(["crs", "mean"]).sort("column", "element")
    for row in filled.iter_rows(named=True):
        found.setdefault(row["column"], []).append(layer(row))
    return found


def layer(row: dict[str, Any]) -> Layer:
    """Numbers of the layer that one row of a raster source's table is about."""
    a, b, left, d, e, top = row["transform"]
    width, height = row["width"], row["height"]
    xs = [left, left + a * width + b * height]
    ys = [top, top + d * width + e * height]
    covered = row["valid_share"] * width * height * abs(a * e - b * d)
    box = (min(xs), min(ys), max(xs), max(ys))
    return Layer(row["crs"], box, covered, row["minimum"], row["maximum"], row["mean"])
