"""Arrays of thousands of elements: a block of numbers at once, its few strange cells one by one.

Belongs here: finding the cells of a block that are not ordinary, averaging neighbours and repeated
rows, packing a block as a column of lists.
Never here: what a strange cell becomes (`columns.py`, which is asked), opening files.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable, as_text
from adapters.rules import FLAGS_SCHEMA
from adapters.spec import Column, SourceSpec, Table
from adapters.units import Conversion

# Numbers worked on at a time: 8 M float64 are 64 MB.
_AT_ONCE = 8_000_000
# Strange cells beyond this are no exceptions: each is a line of the flags.
_STRANGE = 1_000_000

Cells = tuple[NativeTable, pl.Series]
"""Rows `<row> of <header>` of single cells, and their text."""


class Rules(NamedTuple):
    """What columns.py says of the cells of a block.

    Attributes:
        conversion: To the canonical unit.
        strange: Which stored numbers are not ordinary, given them and the converted ones.
        parse: Values and flags of single cells.
    """

    conversion: Conversion
    strange: Callable[[np.ndarray, np.ndarray], np.ndarray]
    parse: Callable[[NativeTable, pl.Series], tuple[pl.Series, pl.DataFrame]]


def parse_block(
    spec: SourceSpec,
    column: Column,
    native: NativeTable,
    at: Sequence[str | None],
    rules: Rules,
    of: str,
) -> tuple[pl.Series, list[pl.DataFrame]]:
    """Values of a wide column, float32 lists in the canonical unit, and its flags.

    Args:
        spec: The source.
        column: The column.
        native: A table read with `numbers`.
        at: Place of each element; None where it is absent.
        rules: What its cells mean.
        of: What stands between row number and header of a single cell.

    Raises:
        ReadError: A text is no number, or so many cells are strange that the unit must be wrong.
    """
    numbers = native.numbers
    if numbers is None:
        raise TypeError("the table was read as text")
    known = [i for i, place in enumerate(at) if place is not None]
    places = [str(at[i]) for i in known]
    element_of = dict(zip(places, known, strict=True))
    height, group = len(native.rows), column.mean_of or 1
    values = np.empty((height, len(at) // group), np.float32)
    flags, total = [], 0
    step = max(1, _AT_ONCE // len(at))
    for start in range(0, height, step):
        stored = np.full((min(step, height - start), len(at)), np.nan)
        stored[:, known] = numbers.slice(start, step).select(places).to_numpy()
        converted = rules.conversion.array(stored)
        wrong = rules.strange(stored, converted)
        rows, elements = np.nonzero(wrong)
        said = as_text(pl.DataFrame({"text": stored[wrong].astype(np.float32)})).to_series()
        said = said.str.replace(".", spec.tables[column.table].read.decimal, literal=True)
        odd = native.odd.filter(
            pl.col("row").is_between(start, start + len(stored), closed="left"),
            pl.col("place").is_in(places),
        )
        rows = np.concatenate([rows, odd["row"].to_numpy().astype(np.int64) - start])
        found = [element_of[place] for place in odd["place"]]
        elements = np.concatenate([elements, np.array(found, dtype=np.int64)])
        total += len(rows)
        if total > max(_STRANGE, spec.max_flagged_share * height * len(at)):
            raise ReadError(
                f"column {column.name}: more than {total} cells are out of range or missing",
                source=spec.id,
                file=native.place,
                samples=said.head(5),
                remedy=f"correct unit, minimum, maximum or missing of {column.name} in columns.csv",
            )
        if len(rows):
            text = pl.concat([said, odd["text"].alias("text")], rechunk=True)
            value, flagged = rules.parse(_single(native, at, start + rows, elements, of), text)
            converted[rows, elements] = value.to_numpy()
            flags.append(flagged)
        some = converted.reshape(len(stored), -1, group)
        values[start : start + step] = some[..., 0] if group == 1 else some.mean(axis=2)
    return as_lists(values, column.name), flags


def _single(
    native: NativeTable, at: Sequence[str | None], rows: np.ndarray, elements: np.ndarray, of: str
) -> NativeTable:
    headers = [native.headers[int(str(at[i]))] for i in elements]
    numbers = native.rows.gather(rows).cast(pl.String)
    named = (numbers + of + pl.Series(headers, dtype=pl.String)).alias("row")
    return dataclasses.replace(native, cells=pl.DataFrame(), rows=named, numbers=None)


def as_lists(values: np.ndarray, name: str) -> pl.Series:
    """(rows, elements) as a column of lists; NaN is NULL, and so is a row of nothing else."""
    hidden = np.isnan(values)
    if not hidden.any():
        return pl.Series(name, values).arr.to_list()
    flat = pl.Series(name, values.ravel()).fill_nan(None)
    lists = flat.reshape(values.shape).arr.to_list()
    return lists.set(pl.Series(hidden.all(axis=1)), None)


def _as_block(lists: pl.Series, length: int) -> np.ndarray:
    """A column of lists as (rows, elements) float64; NaN for NULL."""
    block = np.full((len(lists), length), np.nan)
    there = lists.is_not_null()
    if there.any():
        flat = lists.filter(there).explode().cast(pl.Float64).to_numpy()
        block[there.to_numpy()] = flat.reshape(-1, length)
    return block


def averaged(
    spec: SourceSpec, name: str, table: Table, rows: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row for each key: numbers averaged, all else kept where the rows of the key agree.

    The row named is the first of the key. Rows without a whole key are left out.

    Args:
        spec: The source.
        name: Id of the native table.
        table: How it is composed (`mean`).
        rows: Its rows, `row_ref` and canonical columns.

    Returns:
        The rows, and a flag `replicates_differ` for each number whose rows are too far apart.
    """
    on = list(table.on)
    rows = rows.drop_nulls(on)
    keyed = rows.select(*on).with_row_index("at")
    groups = keyed.group_by(on, maintain_order=True).agg("at")
    members = groups["at"].to_list()
    first = rows["row_ref"].gather([m[0] for m in members]).to_list()
    columns, flags = (
        [pl.Series("row_ref", first, dtype=pl.String)],
        [pl.DataFrame(schema=FLAGS_SCHEMA)],
    )
    for series in rows.drop("row_ref"):
        if series.name in on:
            columns.append(groups[series.name])
            continue
        column = next(c for c in spec.columns if c.name == series.name and c.table == name)
        if column.kind != "numeric":
            columns.append(_agreed(series, members))
            continue
        length = column.length if isinstance(series.dtype, pl.List) else 1
        means = np.empty((len(members), length), np.float32 if column.is_wide else np.float64)
        apart = np.zeros(len(members))
        step = max(1, _AT_ONCE // (4 * length))
        for start in range(0, len(members), step):
            some = members[start : start + step]
            counts = np.array([len(m) for m in some])
            begins = np.concatenate([[0], np.cumsum(counts)[:-1]])
            taken = series.gather(np.concatenate(some))
            block = (
                _as_block(taken, length)
                if isinstance(series.dtype, pl.List)
                else taken.cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(-1, 1)
            )
            known = np.isfinite(block)
            total = np.add.reduceat(np.where(known, block, 0.0), begins)
            number = np.add.reduceat(known.astype(np.int32), begins)
            with np.errstate(invalid="ignore", divide="ignore"):
                means[start : start + step] = total / number
            high = np.maximum.reduceat(np.where(known, block, -np.inf), begins)
            low = np.minimum.reduceat(np.where(known, block, np.inf), begins)
            apart[start : start + step] = np.where(number > 1, high - low, 0.0).max(axis=1)
        if column.max_difference is not None:
            far = apart > column.max_difference
            means[far] = np.nan
            flags.append(_too_far(column, far, apart, first, members))
        columns.append(
            as_lists(means, series.name)
            if isinstance(series.dtype, pl.List)
            else pl.Series(series.name, means[:, 0]).fill_nan(None)
        )
    return pl.DataFrame(columns), pl.concat(flags)


def _agreed(series: pl.Series, members: Sequence[Sequence[int]]) -> pl.Series:
    """The value of each group whose rows all have it."""
    firsts = series.gather([m[0] for m in members])
    sizes = [len(m) for m in members]
    repeated = firsts.gather(np.repeat(np.arange(len(members)), sizes))
    same = series.gather(np.concatenate(members)).eq_missing(repeated).to_numpy()
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return firsts.set(pl.Series(~np.logical_and.reduceat(same, begins)), None)


def _too_far(
    column: Column,
    far: np.ndarray,
    apart: np.ndarray,
    refs: Sequence[str],
    members: Sequence[Sequence[int]],
) -> pl.DataFrame:
    places = np.flatnonzero(far)
    return pl.DataFrame(
        {
            "row_ref": [refs[i] for i in places],
            "column": [column.name] * len(places),
            "flag": ["replicates_differ"] * len(places),
            "raw": [None] * len(places),
            "value": apart[places],
            "detail": [
                f"{len(members[i])} rows differ by up to {apart[i]:.4g}, more than "
                f"{column.max_difference:g}"
                for i in places
            ],
        },
        schema=FLAGS_SCHEMA,
    )
