"""Applying known corrections of publishers' errors to native cells and layers.

Belongs here: finding what an entry of `corrections.yaml` is about, its guard, and the change, made
before anything is parsed so that everything after sees the corrected text.
Never here: what an entry may say (`corrections.py`).
"""

import dataclasses
import fnmatch
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from adapters.corrections import (
    CORRECTIONS_FILE,
    Correction,
    DropRow,
    LayerFacts,
    Reinterpret,
    RestateLayer,
    SetMissing,
    SetText,
    Swap,
)
from adapters.errors import ReadError, SpecError, refuse
from adapters.rules import FLAGS_SCHEMA, no_flags
from adapters.units import Conversion, conversion

if TYPE_CHECKING:
    from adapters.readers import NativeTable
    from adapters.readers.raster import Grid
    from adapters.spec import Column, SourceSpec

_SAMPLES = 5
_STRIP = 512


def correct_table(
    spec: "SourceSpec", name: str, native: "NativeTable"
) -> tuple["NativeTable", pl.DataFrame]:
    """Apply the entries of one native table to one of its files.

    Returns:
        The table as it should have been, and a flag `corrected` for each cell that changed: its
        `raw` is the text of the file. A dropped row and a unit are flags of the file.

    Raises:
        ReadError: What an entry expects does not stand in the file.
    """
    flags = [no_flags()]
    for entry in _entries(spec, name, native.place.partition("!")[0]):
        if isinstance(entry, RestateLayer):
            raise _guard(spec, entry, native.place, ["rows, not pixels"], "a raster file")
        try:
            native, flagged = _APPLY[entry.action](spec, entry, native)
            flags.append(flagged)
        except ReadError as error:
            refuse(error)
    return native, pl.concat(flags)


def correct_layer(
    spec: "SourceSpec", column: "Column", file: str, row_ref: str, grid: "Grid"
) -> tuple["Grid", list[tuple[object, ...]]]:
    """Apply the entries of a raster table to one of its layers.

    Returns:
        The layer as it should have been, and its flags as rows of the flags table.

    Raises:
        ReadError: What an entry expects is not what the file states.
    """
    flags: list[tuple[object, ...]] = []
    for entry in _entries(spec, column.table, file):
        if isinstance(entry, RestateLayer):
            grid, raw = _restated(spec, entry, row_ref, grid)
        elif isinstance(entry, Reinterpret):
            if entry.column != column.name:
                continue
            grid, raw = _reinterpreted_layer(spec, entry, column, row_ref, grid)
        else:
            raise _guard(spec, entry, row_ref, ["pixels, not rows"], f"a table to {entry.action}")
        flags.append((row_ref, column.name, "corrected", raw, None, _said(entry)))
    return grid, flags


def _entries(spec: "SourceSpec", table: str, file: str) -> list[Correction]:
    names = (file.casefold(), PurePosixPath(file.casefold()).name)
    return [
        entry
        for entry in spec.corrections
        if entry.table == table
        and any(fnmatch.fnmatchcase(n, p.casefold()) for n in names for p in entry.files)
    ]


def _said(entry: Correction) -> str:
    return f"{entry.id}: {entry.reason}"


def _guard(
    spec: "SourceSpec", entry: Correction, file: str, found: Sequence[object], expected: object
) -> ReadError:
    return ReadError(
        f"correction {entry.id!r} expects {expected}, which the file does not hold: the publisher "
        "seems to have changed it",
        source=spec.id,
        file=file,
        where=CORRECTIONS_FILE,
        samples=found,
        remedy=f"look at the file; where it is right now, remove {entry.id!r} from "
        f"{CORRECTIONS_FILE}",
        spec_key=("corrections", entry.id),
    )


def _at(spec: "SourceSpec", entry: Correction, native: "NativeTable", column: str) -> str:
    """Cell column of a canonical name or a header."""
    declared = [c for c in spec.columns if c.name == column and c.table == entry.table]
    wanted = {
        " ".join(s.split()).casefold()
        for s in [column, *(s for c in declared for s in (c.native, *c.aliases))]
    }
    for place, header in enumerate(native.headers):
        if " ".join(header.split()).casefold() not in wanted:
            continue
        if native.numbers is not None and str(place) in native.numbers.columns:
            raise SpecError(
                f"correction {entry.id!r}: an element of an array that is read as numbers",
                source=spec.id,
                file=CORRECTIONS_FILE,
                samples=[header],
                remedy="drop the row instead; single elements of such arrays are not corrected",
                spec_key=("corrections", entry.id),
            )
        return str(place)
    raise _guard(spec, entry, native.place, native.headers, f"a column {column!r}")


def _rows(
    spec: "SourceSpec", entry: Correction, native: "NativeTable", texts: dict[str, str]
) -> pl.Series:
    """Which rows hold these texts."""
    holds = pl.lit(value=True)
    for column, text in texts.items():
        place = _at(spec, entry, native, column)
        holds &= pl.col(place).str.strip_chars().eq_missing(pl.lit(text or None, pl.String))
    return native.cells.select(pl.repeat(value=True, n=pl.len()) & holds).to_series()


def _located(
    spec: "SourceSpec",
    entry: SetText | SetMissing | Swap | DropRow,
    native: "NativeTable",
    expected: dict[str, str],
) -> pl.Series:
    """The rows that `where` finds, all of which must hold what is expected."""
    found = _rows(spec, entry, native, entry.where)
    if not found.any():
        raise _guard(spec, entry, native.place, [], f"a row with {entry.where}")
    wrong = found & ~_rows(spec, entry, native, expected)
    if wrong.any():
        places = [_at(spec, entry, native, column) for column in expected]
        texts = native.cells.filter(wrong).select(places).rows()[:_SAMPLES]
        refs = native.row_refs.filter(wrong)[:_SAMPLES]
        found_texts = [f"{ref}: {row}" for ref, row in zip(refs, texts, strict=True)]
        raise _guard(spec, entry, native.place, found_texts, f"{expected} where {entry.where}")
    return found


def _canonical(spec: "SourceSpec", entry: Correction, column: str) -> str:
    """Canonical name of a column that was named by either name."""
    plain = " ".join(column.split()).casefold()
    for known in spec.columns:
        spellings = (known.name, known.native, *known.aliases)
        if known.table == entry.table and plain in (
            " ".join(s.split()).casefold() for s in spellings
        ):
            return known.name
    return column


def _flags(
    spec: "SourceSpec",
    entry: Correction,
    refs: Sequence[str],
    column: str | None,
    raw: Sequence[str | None],
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_ref": list(refs),
            "column": [column and _canonical(spec, entry, column)] * len(refs),
            "flag": ["corrected"] * len(refs),
            "raw": list(raw),
            "value": [None] * len(refs),
            "detail": [_said(entry)] * len(refs),
        },
        schema=FLAGS_SCHEMA,
    )


def _replaced(
    spec: "SourceSpec",
    entry: Correction,
    native: "NativeTable",
    rows: pl.Series,
    texts: dict[str, pl.Expr],
) -> tuple["NativeTable", pl.DataFrame]:
    """New texts in some columns of some rows."""
    places = {column: _at(spec, entry, native, column) for column in texts}
    flags = [
        _flags(
            spec,
            entry,
            native.row_refs.filter(rows).to_list(),
            column,
            native.cells[place].filter(rows).to_list(),
        )
        for column, place in places.items()
    ]
    cells = native.cells.with_columns(
        pl.when(rows).then(texts[column]).otherwise(pl.col(place)).alias(place)
        for column, place in places.items()
    )
    return dataclasses.replace(native, cells=cells), pl.concat(flags)


def _set(
    spec: "SourceSpec", entry: SetText | SetMissing, native: "NativeTable"
) -> tuple["NativeTable", pl.DataFrame]:
    rows = _located(spec, entry, native, {entry.column: entry.expect})
    text = entry.value if isinstance(entry, SetText) else None
    return _replaced(spec, entry, native, rows, {entry.column: pl.lit(text, pl.String)})


def _swap(
    spec: "SourceSpec", entry: Swap, native: "NativeTable"
) -> tuple["NativeTable", pl.DataFrame]:
    rows = _located(spec, entry, native, dict(zip(entry.columns, entry.expect, strict=True)))
    one, other = entry.columns
    texts = {
        one: pl.col(_at(spec, entry, native, other)),
        other: pl.col(_at(spec, entry, native, one)),
    }
    return _replaced(spec, entry, native, rows, texts)


def _drop(
    spec: "SourceSpec", entry: DropRow, native: "NativeTable"
) -> tuple["NativeTable", pl.DataFrame]:
    rows = _located(spec, entry, native, entry.expect)
    raw = ["; ".join(t or "" for t in row) for row in native.cells.filter(rows).rows()]
    numbers = native.rows.filter(rows)
    gone = [f"row {number}: {text}" for number, text in zip(numbers, raw, strict=True)]
    return native.at(~rows), _flags(spec, entry, [native.place] * len(gone), None, gone)


def _to_declared(spec: "SourceSpec", entry: Reinterpret) -> Conversion:
    """Conversion from the unit that the numbers are in to the one that columns.csv declares."""
    from adapters.columns import canonical_unit

    column = spec.column(entry.column)
    if column.unit != entry.expect.unit:
        raise _guard(spec, entry, "columns.csv", [column.unit], f"unit {entry.expect.unit!r}")
    analyte = canonical_unit(column)[2]
    return conversion(entry.unit, entry.basis, str(column.unit), column.basis, analyte)


def _reinterpreted(
    spec: "SourceSpec", entry: Reinterpret, native: "NativeTable"
) -> tuple["NativeTable", pl.DataFrame]:
    by = _to_declared(spec, entry)
    rows = _rows(spec, entry, native, entry.where)
    place = _at(spec, entry, native, entry.column)
    comma = spec.tables[entry.table].read.decimal == ","
    text = pl.col(place).str.strip_chars()
    number = (text.str.replace(",", ".", literal=True) if comma else text).cast(
        pl.Float64, strict=False
    )
    written = native.cells.filter(rows).select(number).to_series().drop_nulls()
    low, high = entry.expect.median
    if written.is_empty() or not low <= written.median() <= high:
        found = [] if written.is_empty() else [f"median {written.median():g}"]
        raise _guard(spec, entry, native.place, found, f"a median of {low:g} to {high:g}")
    converted = by.expr(number).cast(pl.String)
    if comma:
        converted = converted.str.replace(".", ",", literal=True)
    # What is no number (empty, below detection, missing) has no unit.
    texts = pl.when(number.is_not_null()).then(converted).otherwise(pl.col(place))
    corrected, _ = _replaced(spec, entry, native, rows, {entry.column: texts})
    raw = f"{len(written)} numbers, median {written.median():g}"
    return corrected, _flags(spec, entry, [native.place], entry.column, [raw])


def _restated(
    spec: "SourceSpec", entry: RestateLayer, row_ref: str, grid: "Grid"
) -> tuple["Grid", str]:
    import numpy as np
    from pyproj import CRS

    stated = LayerFacts(crs=grid.crs, nodata=grid.nodata, scale=grid.scale, offset=grid.offset)
    for key in sorted(entry.expect.model_fields_set):
        found, expected = getattr(stated, key), getattr(entry.expect, key)
        if key == "crs" and found and expected:
            same = CRS.from_user_input(found).equals(CRS.from_user_input(expected))
        else:
            same = found == expected
        if not same:
            raise _guard(spec, entry, row_ref, [f"{key} {found}"], f"{key} {expected}")
    true = stated.model_copy(
        update={key: getattr(entry.value, key) for key in entry.value.model_fields_set}
    )

    def rows(start: int, stop: int) -> np.ndarray:
        stored = (grid.rows(start, stop) - grid.offset) / grid.scale
        if true.nodata is not None:
            stored[stored == true.nodata] = np.nan
        return stored * (1.0 if true.scale is None else true.scale) + (true.offset or 0.0)

    said = "; ".join(
        f"{key} {getattr(stated, key)}" for key in sorted(entry.value.model_fields_set)
    )
    corrected = dataclasses.replace(
        grid,
        crs=true.crs,
        nodata=true.nodata,
        scale=1.0 if true.scale is None else true.scale,
        offset=true.offset or 0.0,
        rows=rows,
    )
    return corrected, said


def _reinterpreted_layer(
    spec: "SourceSpec", entry: Reinterpret, column: "Column", row_ref: str, grid: "Grid"
) -> tuple["Grid", str]:
    import numpy as np

    by = _to_declared(spec, entry)
    total, count = 0.0, 0
    for start in range(0, grid.height, _STRIP):
        values = grid.rows(start, min(start + _STRIP, grid.height))
        known = values[np.isfinite(values)]
        total, count = total + float(known.sum()), count + known.size
    low, high = entry.expect.median
    if not count or not low <= total / count <= high:
        found = [f"mean {total / count:g}"] if count else []
        raise _guard(spec, entry, row_ref, found, f"a mean of {low:g} to {high:g}")
    rows = grid.rows
    corrected = dataclasses.replace(grid, rows=lambda start, stop: by.array(rows(start, stop)))
    return corrected, f"mean {total / count:g}"


_APPLY = {
    "set": _set,
    "missing": _set,
    "swap": _swap,
    "drop_row": _drop,
    "unit": _reinterpreted,
}
