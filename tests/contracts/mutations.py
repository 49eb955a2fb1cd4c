"""What may be wrong with a file, done to the cells and pixels that a reader yields.

A mutation is applied behind the reader, so that one of each serves every format; what a cut raster
or a file of another source does is tried on bytes. A mutation says why it does not apply, where it
does not.
"""

import dataclasses
from collections.abc import Callable
from datetime import datetime

import numpy as np
import polars as pl

from adapters.columns import match_headers
from adapters.errors import collected
from adapters.quantities import quantity
from adapters.readers import NativeTable
from adapters.readers.raster import Grid
from adapters.spec import Column, SourceSpec

SENTINEL = -9999.0
ALTERNATIVE = 1e20
"""Where -9999 means missing already, or everything below some value does."""
FOREIGN_CODE = "ZZ9"
FOREIGN_PIXEL = 32_123.0
SHARE = 5
"""One row in so many is altered by a mutation of single cells."""
SEA = 0.25
"""Share of its pixels without a value from which a layer is tried with 0 in their place."""


class NotApplicableError(Exception):
    """Why a mutation says nothing about a source."""


@dataclasses.dataclass(frozen=True)
class Mutation:
    """One way in which a file may be wrong.

    Attributes:
        name: As in the table.
        about: What is done, for the legend.
        table: Changes one native table, or raises NotApplicableError; None: of layers alone.
        layer: The same for the layers of one raster column.
        columns: Columns that must each be refused or flagged; None: the file as a whole.
    """

    name: str
    about: str
    table: Callable[[SourceSpec, str, NativeTable], NativeTable] | None
    layer: Callable[[SourceSpec, Column, list[Grid]], list[Grid]] | None
    each: Callable[[SourceSpec, Column], bool] | None = None


def measured(spec: SourceSpec, column: Column) -> bool:
    """Is a column a number with a unit, rather than a place, a depth, a key or a count?"""
    aside = {
        *spec.keys,
        spec.space.x,
        spec.space.y,
        spec.depth.top,
        spec.depth.bottom,
        *(name for t in spec.tables.values() for name in (*t.on, t.order_by)),
    }
    if spec.space.check:
        aside |= {spec.space.check.x, spec.space.check.y}
    if column.quantity in ("longitude", "latitude", "easting", "northing", "year"):
        return False
    return column.kind == "numeric" and column.name not in aside


def coded(spec: SourceSpec, column: Column) -> bool:
    """Has a column a published list of codes?"""
    del spec
    return column.kind == "categorical" and column.codebook != "open"


def of_table(spec: SourceSpec, name: str, wanted: Callable[[SourceSpec, Column], bool]) -> list:
    """Columns of a table that a mutation is about."""
    found = [c for c in spec.columns if c.table == name and wanted(spec, c)]
    if not found:
        raise NotApplicableError("no such column")
    return found


def places(spec: SourceSpec, name: str, native: NativeTable) -> dict[str, list[str]]:
    """Cell columns of each canonical column."""
    with collected():
        found = match_headers(spec, name, native)
    return {c: [p for p in at if p is not None] for c, at in found.items()}


def numbers(spec: SourceSpec, name: str, column: Column) -> tuple[pl.Expr, list[float]]:
    """The number in a text cell, and the numbers that mean missing."""
    read = spec.tables[name].read
    comma = read.decimal == ","

    def number(text: pl.Expr) -> pl.Expr:
        text = text.str.strip_chars()
        return (text.str.replace(",", ".") if comma else text).cast(pl.Float64, strict=False)

    tokens = [t for t in (*read.missing, *column.missing) if t]
    known = pl.Series(tokens, dtype=pl.String).cast(pl.Float64, strict=False).drop_nulls()
    return number, known.to_list()


def rescaled(factor: float) -> Callable[[SourceSpec, str, NativeTable], NativeTable]:
    def table(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
        at, cells, wide = places(spec, name, native), native.cells, native.numbers
        comma = spec.tables[name].read.decimal == ","
        done: set[str] = set()
        changed: list[pl.Expr] = []
        for column in of_table(spec, name, measured):
            number, tokens = numbers(spec, name, column)
            # An array of all columns holds some that stand for themselves too.
            for place in [p for p in at[column.name] if p not in done]:
                done.add(place)
                if place not in cells.columns:
                    wide = wide.with_columns(pl.col(place) * factor)
                    continue
                value = number(pl.col(place))
                text = (value * factor).cast(pl.String)
                text = text.str.replace(".", ",", literal=True) if comma else text
                ordinary = value.is_finite() & ~value.is_in(tokens)
                new = pl.when(ordinary.fill_null(value=False)).then(text).otherwise(pl.col(place))
                changed.append(new.alias(place))
        return dataclasses.replace(native, cells=cells.with_columns(changed), numbers=wide)

    return table


def rescaled_layer(
    factor: float,
) -> Callable[[SourceSpec, Column, list[Grid]], list[Grid]]:
    def layers(spec: SourceSpec, column: Column, grids: list[Grid]) -> list[Grid]:
        if not measured(spec, column):
            raise NotApplicableError("no numeric layer")
        read = spec.tables[column.table].read
        tokens = [float(t) for t in (*read.missing, *column.missing) if t]

        def alter(values: np.ndarray) -> np.ndarray:
            return np.where(np.isin(values, tokens), values, values * factor)

        return [altered(grid, alter) for grid in grids]

    return layers


def altered(grid: Grid, alter: Callable[[np.ndarray], np.ndarray]) -> Grid:
    rows = grid.rows
    return dataclasses.replace(grid, rows=lambda start, stop: alter(rows(start, stop)))


def headers_moved(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at = places(spec, name, native)
    found = of_table(spec, name, measured)
    used = [at[c.name][0] for c in found if len(at[c.name]) == 1 and not c.is_array]
    if len(used) < 2:
        raise NotApplicableError("fewer than two numeric columns")
    headers = list(native.headers)
    for place, taken in zip(used, [*used[1:], used[0]], strict=True):
        headers[int(place)] = native.headers[int(taken)]
    return dataclasses.replace(native, headers=tuple(headers))


def sentinel(spec: SourceSpec, name: str, column: Column) -> float:
    """A nodata value that the specification does not know."""
    _, tokens = numbers(spec, name, column)
    below = spec.tables[name].read.nodata_below
    return ALTERNATIVE if SENTINEL in tokens or below is not None else SENTINEL


def nodata_leaked(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at, cells, wide = places(spec, name, native), native.cells, native.numbers
    rows = pl.int_range(pl.len()) % SHARE == 0
    changed: dict[str, pl.Expr] = {}
    for column in of_table(spec, name, measured):
        said = sentinel(spec, name, column)
        for place in at[column.name]:
            if place not in cells.columns:
                wide = wide.with_columns(
                    pl.when(rows).then(pl.lit(said)).otherwise(pl.col(place)).alias(place)
                )
                continue
            text = pl.when(rows).then(pl.lit(f"{said:.0f}")).otherwise(pl.col(place))
            changed[place] = text.alias(place)
    cells = cells.with_columns(changed.values())
    return dataclasses.replace(native, cells=cells, numbers=wide)


def nodata_leaked_layer(spec: SourceSpec, column: Column, grids: list[Grid]) -> list[Grid]:
    if column.kind == "categorical" and column.codebook == "open":
        raise NotApplicableError("no list of codes")
    said = FOREIGN_PIXEL if column.kind == "categorical" else sentinel(spec, column.table, column)
    _, tokens = numbers(spec, column.table, column)

    def alter(values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values) | np.isin(values, tokens), said, values)

    return [with_foreign_code(grid, alter) for grid in grids]


def zeros_leaked_layer(spec: SourceSpec, column: Column, grids: list[Grid]) -> list[Grid]:
    if not measured(spec, column):
        raise NotApplicableError("no numeric layer")
    if column.quantity and quantity(column.quantity).zero_is_common:
        raise NotApplicableError("0 is a value that many places have")
    _, tokens = numbers(spec, column.table, column)
    if 0.0 in tokens:
        raise NotApplicableError("0 means missing already")
    unknown = [
        np.isnan(values) | np.isin(values, tokens)
        for values in (grid.rows(0, grid.height) for grid in grids)
    ]
    if min(map(np.mean, unknown)) < SEA:
        raise NotApplicableError("hardly a pixel without a value")

    def alter(values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values) | np.isin(values, tokens), 0.0, values)

    return [altered(grid, alter) for grid in grids]


def swapped(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at = places(spec, name, native)
    x, y = (at.get(c or "", []) for c in (spec.space.x, spec.space.y))
    if x and y:
        cells = native.cells.with_columns(pl.col(x[0]).alias(y[0]), pl.col(y[0]).alias(x[0]))
        return dataclasses.replace(native, cells=cells)
    if native.geometry is None:
        raise NotApplicableError("no coordinates")
    return dataclasses.replace(native, geometry=moved(native.geometry, lambda p: p[:, ::-1]))


def moved(geometry: pl.Series, by: Callable[[np.ndarray], np.ndarray]) -> pl.Series:
    import shapely

    shapes = shapely.force_2d(shapely.from_wkb(geometry.to_numpy()))
    return pl.Series("geometry", shapely.to_wkb(shapely.transform(shapes, by)), dtype=pl.Binary)


def projected(spec: SourceSpec, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in another CRS than that of the source."""
    from pyproj import CRS, Transformer

    crs = CRS(spec.space.crs)
    other = "EPSG:3035" if crs.is_geographic else "EPSG:4326"
    return Transformer.from_crs(crs, other, always_xy=True).transform(x, y)


def other_crs(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at = places(spec, name, native)
    x, y = (at.get(c or "", []) for c in (spec.space.x, spec.space.y))
    if native.geometry is not None and not (x and y):
        return dataclasses.replace(native, crs=wrong_crs(native.crs))
    if not x or not y:
        raise NotApplicableError("no coordinates")
    if spec.space.crs_column:
        raise NotApplicableError("each row names its CRS")
    number, _ = numbers(spec, name, spec.column(str(spec.space.x)))
    values = native.cells.select(number(pl.col(x[0])).alias("x"), number(pl.col(y[0])).alias("y"))
    new = projected(spec, values["x"].to_numpy(), values["y"].to_numpy())
    text = [pl.Series(v, nan_to_null=True).replace([np.inf], [None]).cast(pl.String) for v in new]
    cells = native.cells.with_columns(text[0].alias(x[0]), text[1].alias(y[0]))
    return dataclasses.replace(native, cells=cells)


def wrong_crs(stated: str | None) -> str:
    """Another CRS of the same kind of units, so that the numbers stay possible."""
    from pyproj import CRS

    geographic = stated is not None and CRS(stated).is_geographic
    return CRS("EPSG:4617" if geographic else "EPSG:3034").to_wkt()


def other_crs_layer(spec: SourceSpec, column: Column, grids: list[Grid]) -> list[Grid]:
    del spec, column
    from pyproj import CRS

    def other(grid: Grid) -> Grid:
        geographic = grid.crs is not None and CRS(grid.crs).is_geographic
        crs = CRS("EPSG:3035" if geographic else "EPSG:3034").to_wkt()
        return dataclasses.replace(grid, crs=crs)

    return [other(grid) for grid in grids]


def depth_inverted(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at, depth = places(spec, name, native), spec.depth
    if depth.label and at.get(depth.label):
        (place,) = at[depth.label]
        text = pl.col(place).str.replace(r"(\d+)\s*-\s*(\d+)", "$2-$1")
        return dataclasses.replace(native, cells=native.cells.with_columns(text.alias(place)))
    ends = [at.get(d, []) if isinstance(d, str) else [] for d in (depth.top, depth.bottom)]
    if not all(ends):
        raise NotApplicableError("one depth for all rows" if depth.top is not None else "no depth")
    (top,), (bottom,) = ends
    cells = native.cells.with_columns(pl.col(top).alias(bottom), pl.col(bottom).alias(top))
    return dataclasses.replace(native, cells=cells)


def codes_unknown(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at, cells = places(spec, name, native), native.cells
    rows = pl.int_range(pl.len()) % SHARE == 0
    for column in of_table(spec, name, coded):
        for place in at[column.name]:
            code = pl.when(rows).then(pl.lit(FOREIGN_CODE)).otherwise(pl.col(place))
            cells = cells.with_columns(code.alias(place))
    return dataclasses.replace(native, cells=cells)


def codes_unknown_layer(spec: SourceSpec, column: Column, grids: list[Grid]) -> list[Grid]:
    if not coded(spec, column):
        raise NotApplicableError("no coded layer")

    def alter(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        known = np.flatnonzero(np.isfinite(values))
        values.flat[known[::SHARE]] = FOREIGN_PIXEL
        return values

    return [with_foreign_code(grid, alter) for grid in grids]


def with_foreign_code(grid: Grid, alter: Callable[[np.ndarray], np.ndarray]) -> Grid:
    """Pixels of an unknown code; where pixels are places in a list of codes, a place behind it."""
    if grid.coded is None:
        return altered(grid, alter)
    behind = len(grid.coded.codes) + len(grid.coded.foreign)
    coded = dataclasses.replace(
        grid.coded, foreign=(*grid.coded.foreign, (int(FOREIGN_PIXEL), FOREIGN_CODE))
    )

    def place(values: np.ndarray) -> np.ndarray:
        changed = alter(values)
        return np.where(changed == FOREIGN_PIXEL, behind, changed)

    return dataclasses.replace(altered(grid, place), coded=coded)


def truncated(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    del spec, name
    kept = pl.int_range(len(native.rows), eager=True) < len(native.rows) // 2
    if len(native.rows) < 4:
        raise NotApplicableError("fewer than four rows")
    return native.at(kept)


def duplicated(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    keys = spec.keys or spec.tables[name].on
    if not spec.keys:
        raise NotApplicableError("rows have no key")
    if spec.tables[name].compose not in ("rows", "append"):
        raise NotApplicableError("not the table of the rows")
    del keys
    again = pl.Series(range(min(3, len(native.rows))), dtype=pl.UInt32)
    return dataclasses.replace(
        native,
        cells=pl.concat([native.cells, native.cells[again]]),
        rows=pl.concat([native.rows, native.rows[again] + len(native.rows) + 1]),
        geometry=None
        if native.geometry is None
        else pl.concat([native.geometry, native.geometry[again]]),
        numbers=None
        if native.numbers is None
        else pl.concat([native.numbers, native.numbers[again]]),
    )


def has_days(spec: SourceSpec, column: Column) -> bool:
    del spec
    form = column.date_format or ""
    return column.kind == "date" and "%d" in form and "%m" in form


def dates_reordered(spec: SourceSpec, name: str, native: NativeTable) -> NativeTable:
    at, cells = places(spec, name, native), native.cells
    for column in of_table(spec, name, has_days):
        form = str(column.date_format)
        other = form.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")

        def write(text: str | None, form: str = form, other: str = other) -> str | None:
            for known in (form, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
                try:
                    return datetime.strptime(text, known).strftime(other) if text else text
                except ValueError:
                    continue
            return text

        for place in at[column.name]:
            text = [write(t) for t in cells[place].to_list()]
            cells = cells.with_columns(pl.Series(place, text, dtype=pl.String))
    return dataclasses.replace(native, cells=cells)


MUTATIONS = (
    Mutation("x10", "all numbers times 10", rescaled(10), rescaled_layer(10), measured),
    Mutation("x1000", "all numbers times 1000", rescaled(1000), rescaled_layer(1000), measured),
    Mutation(
        "x1.724",
        "all numbers times 1.724, organic matter for organic carbon",
        rescaled(1.724),
        rescaled_layer(1.724),
        measured,
    ),
    Mutation("shuffled", "each numeric column under the header of the next", headers_moved, None),
    Mutation(
        "nodata",
        "a nodata value that nobody declared, in every fifth cell or wherever there is no value",
        nodata_leaked,
        nodata_leaked_layer,
        measured,
    ),
    Mutation(
        "zero",
        "0, undeclared, wherever there is no value",
        None,
        zeros_leaked_layer,
        measured,
    ),
    Mutation("swapped", "x and y exchanged", swapped, None),
    Mutation("CRS", "coordinates of, or a file stating, another CRS", other_crs, other_crs_layer),
    Mutation("depth", "top and bottom exchanged", depth_inverted, None),
    Mutation(
        "codes", "an unknown code in every fifth cell", codes_unknown, codes_unknown_layer, coded
    ),
    Mutation("truncated", "the second half of the rows, or of the bytes, is gone", truncated, None),
    Mutation("duplicate", "three rows stand twice", duplicated, None),
    Mutation("dates", "day and month exchanged", dates_reordered, None),
    Mutation("foreign", "a file of another source under this one's name", None, None),
)
