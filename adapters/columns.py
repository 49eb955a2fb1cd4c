"""Text cells to canonical values, column by column, with a flag for each one that is not ordinary.

Belongs here: matching headers, missing and below-detection texts, numbers, codes, dates, units,
plausible ranges. Never here: opening files; anything that needs a second column or table.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from adapters.blocks import Rules, as_lists, parse_block
from adapters.codebooks import codebook
from adapters.errors import (
    CodebookError,
    ReadError,
    SoilmeldError,
    UnitError,
    collecting,
    refuse,
)
from adapters.quantities import quantity
from adapters.readers import NativeTable, plain_header
from adapters.rules import FLAGS_SCHEMA
from adapters.spec import Column, SourceSpec, Table, expand_braces
from adapters.units import Conversion, conversion

# '< LOD', '<LOD', '< LOD>', '<LOQ', '<0.0', '< 10', '<5': as LUCAS 2018 and its add-ons write them.
BELOW_DETECTION = r"(?i)^<\s*(?:lod|loq|dl|([0-9]+(?:[.,][0-9]+)?))\s*>?$"
# '>200': beyond the reach of the survey.
ABOVE_LIMIT = r"^>\s*([0-9]+(?:[.,][0-9]+)?)$"
_CELLS_AT_ONCE = 2_000_000
# Rows in which headers are looked for that are not where they should be.
_LOOKED_AT = 20
# Between row number and header while the elements of an array stand one below the other.
_OF = " of "
_YES, _NO = ("1", "true", "t", "yes", "y"), ("0", "false", "f", "no", "n")
# Typed dates of workbooks and dbf tables arrive as this text, whatever date_format says.
_TYPED_DATE = r"^\d{4}-\d{2}-\d{2}(?:[ T].*)?$"
# Of a text column: as typed, or as a spreadsheet shows it in some country.
_ANY_DATE = r"^(\d{4}-\d{2}-\d{2}([ T]|$)|\d{1,2}[/.-](\d{1,2}|[A-Za-z]{3})[/.-]\d{2,4}$)"


Limits = Mapping[str, Mapping[str, float]]
"""Canonical column of limits -> header, as it is compared -> limit in the canonical unit."""


@dataclass(frozen=True)
class ColumnRecord:
    """What became of one column of columns.csv; a row of `meta.column`."""

    name: str
    kind: str
    quantity: str | None
    method: str | None
    unit: str | None
    native: str
    native_unit: str | None
    scale: float
    offset: float
    transform: str | None
    codebook: str | None
    evidence: str
    description: str


@dataclass(frozen=True)
class Parsed:
    """One native table with canonical columns.

    Attributes:
        table: `row_ref`, optionally `geometry`, and the canonical columns.
        flags: In the layout of docs/data_model.md.
        records: One for each column.
    """

    table: pl.DataFrame
    flags: pl.DataFrame
    records: list[ColumnRecord]


def canonical_unit(column: Column) -> tuple[str, str | None, str | None]:
    """Unit, basis and analyte that values of a numeric column are brought to."""
    if column.quantity is None:
        return str(column.unit), column.basis, None
    said = quantity(column.quantity)
    unit = said.unit or str(column.unit)
    # A variance is counted in the square of what it is the variance of.
    return f"({unit})**2" if column.statistic == "variance" else unit, said.basis, said.analyte


def convert(spec: SourceSpec, column: Column, unit: str | None = None) -> Conversion:
    """Native unit of a numeric column to its canonical unit.

    Raises:
        UnitError: The unit does not parse or measures something else; the message names the column.
    """
    try:
        return conversion(str(unit or column.unit), column.basis, *canonical_unit(column))
    except UnitError as error:
        raise UnitError(
            error.problem,
            source=spec.id,
            file="columns.csv",
            where=f"{_line(spec, column)} (column {column.name}, quantity {column.quantity})",
            samples=error.samples or [f"{unit or column.unit} ({column.basis})"],
            remedy=error.remedy,
        ) from error


def record(spec: SourceSpec, column: Column, by: Conversion | None) -> ColumnRecord:
    """Record of a column; `by` is None where the column has no unit."""
    return ColumnRecord(
        name=column.name,
        kind=column.kind,
        quantity=column.quantity,
        method=column.method,
        unit=canonical_unit(column)[0] if by else None,
        native=column.native,
        native_unit=column.unit,
        scale=by.scale if by else 1.0,
        offset=by.offset if by else 0.0,
        transform=by.transform if by else None,
        codebook=column.codebook,
        evidence=column.evidence,
        description=column.description,
    )


def parse_table(
    spec: SourceSpec, name: str, native: NativeTable, limits: Limits | None = None
) -> Parsed:
    """Bring one native table to canonical columns.

    Args:
        spec: The source.
        name: Id of the native table.
        native: Its cells.
        limits: Limits of quantification in canonical units, for columns that name them.

    Raises:
        ReadError: A header is missing, unknown or doubled, or a text is no number or date.
        CodebookError: A code is not in its codebook.
        UnitError: A unit does not parse or measures something else.
    """
    table = spec.tables[name]
    wanted = [c for c in spec.columns if c.table == name]
    places = match_headers(spec, name, native)
    columns, flags, records = [native.row_refs], [], []
    if native.geometry is not None:
        columns.append(native.geometry)
    for column in wanted:
        if column.is_wide and native.numbers is not None:
            try:
                by = convert(spec, column)
                block, found = _block(spec, column, native, places[column.name], by)
            except SoilmeldError as error:
                refuse(error, ("columns", column.name))
                by, found = None, []
                block = as_lists(np.full((len(native.rows), column.length), np.nan), column.name)
            columns.append(block)
            flags += found
            records.append(record(spec, column, by))
            continue
        elements = [
            pl.Series([None] * len(native.rows), dtype=pl.String)
            if place is None
            else native.text(place)
            for place in places[column.name]
        ]
        try:
            by = _conversion_of(spec, table, column, native, elements, flags)
            values = _parsed(spec, column, native, places[column.name], elements, by, flags)
            if column.limits:
                known = (limits or {}).get(column.limits, {})
                values = _quantified(column, native, places[column.name], values, known, flags)
        except SoilmeldError as error:
            refuse(error, ("columns", column.name))
            nothing = pl.Series([None] * len(native.rows), dtype=_DTYPES[column.kind])
            by, values = None, [nothing] * len(elements)
        columns.append(_packed(values, column))
        records.append(record(spec, column, by))
    stacked = pl.concat([f for f in flags if f.height] or [pl.DataFrame(schema=FLAGS_SCHEMA)])
    return Parsed(pl.DataFrame(columns), stacked, records)


def _parsed(
    spec: SourceSpec,
    column: Column,
    native: NativeTable,
    at: Sequence[str | None],
    elements: Sequence[pl.Series],
    by: Conversion | None,
    flags: list[pl.DataFrame],
) -> list[pl.Series]:
    """Values of the elements of one column; their flags are added to `flags`."""
    table, values = spec.tables[column.table], []
    # Elements of an array go through together: thousands of short columns would be slow.
    step = max(1, _CELLS_AT_ONCE // max(1, len(native.rows)))
    for start in range(0, len(elements), step):
        some = elements[start : start + step]
        below = native
        if len(elements) > 1:
            below = _one_below_the_other(native, at[start : start + step])
        # In one chunk: empty ones among several make some text functions of polars fail.
        text = pl.concat([e.rename("text") for e in some], rechunk=True)
        value, flagged = _PARSERS[column.kind](spec, table, column, below, text, by)
        values += [value.slice(i * len(native.rows), len(native.rows)) for i in range(len(some))]
        flags.append(_in_detail(flagged) if len(elements) > 1 else flagged)
    return values


def _quantified(
    column: Column,
    native: NativeTable,
    at: Sequence[str | None],
    values: Sequence[pl.Series],
    limits: Mapping[str, float],
    flags: list[pl.DataFrame],
) -> list[pl.Series]:
    """Values without the zeros that stand for less than a limit of quantification."""
    kept = []
    for place, value in zip(at, values, strict=True):
        header = None if place is None else native.headers[int(place)]
        limit = None if header is None else limits.get(plain_header(header))
        zero = (value == 0).fill_null(False)
        if limit is None or not zero.any():
            kept.append(value)
            continue
        count = int(zero.sum())
        flags.append(
            _flags(
                native.row_refs.filter(zero),
                column,
                "below_detection",
                native.text(str(place)).filter(zero),
                pl.Series([limit] * count, dtype=pl.Float64),
                f"{header}: a zero, and the limit of quantification is {limit:g}",
            )
        )
        kept.append(value.set(zero, None))
    return kept


def _block(
    spec: SourceSpec,
    column: Column,
    native: NativeTable,
    at: Sequence[str | None],
    by: Conversion,
) -> tuple[pl.Series, list[pl.DataFrame]]:
    """Values and flags of an array that was read as numbers."""
    table = spec.tables[column.table]
    tokens = np.array(_numeric_tokens(table, column), dtype=np.float32)
    low, high, _ = column_range(column)
    own = column.minimum is not None or column.maximum is not None

    def strange(stored: np.ndarray, converted: np.ndarray) -> np.ndarray:
        compared = stored if own else converted
        with np.errstate(invalid="ignore"):
            found = (compared < low) | (compared > high)
        found |= np.isfinite(stored) & ~np.isfinite(converted)
        return found | np.isin(stored, tokens) if len(tokens) else found

    def parse(cells: NativeTable, text: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
        values, flags = _parse_numeric(spec, table, column, cells, text, by)
        return values, _in_detail(flags)

    return parse_block(spec, column, native, at, Rules(by, strange, parse), _OF)


def match_headers(spec: SourceSpec, name: str, native: NativeTable) -> dict[str, list[str | None]]:
    """For each column of the table, the cell column of each element (None: optional and absent).

    Raises:
        ReadError: A header is missing, unknown, doubled or matched twice.
    """
    table = spec.tables[name]
    wanted = [c for c in spec.columns if c.table == name]
    by_header: dict[str, list[str]] = {}
    for place, header in enumerate(native.headers):
        by_header.setdefault(plain_header(header), []).append(str(place))
    found: dict[str, list[str | None]] = {}
    used: set[str] = set()
    missing: list[tuple[Column, str]] = []
    for column in wanted:
        if column.native == "*":
            keys = {*spec.keys, *table.on}
            taken = {found[c.name][0] for c in wanted if c.name in keys and c.name in found}
            found[column.name] = [str(i) for i in range(len(native.headers)) if str(i) not in taken]
            used.update(map(str, found[column.name]))
            continue
        is_array = column.is_array
        spellings = zip(column.natives, *map(expand_braces, column.aliases), strict=False)
        found[column.name] = []
        for spelling in spellings if is_array else [(column.native, *column.aliases)]:
            wanted_now = [p for s in spelling for p in by_header.get(plain_header(s), [])]
            at = list(dict.fromkeys(wanted_now))
            if len(at) > 1:
                refuse(
                    ReadError(
                        f"{len(at)} columns could be {column.name!r}",
                        source=spec.id,
                        file=native.place,
                        where="header",
                        samples=[native.headers[int(p)] for p in at],
                        remedy="remove one from the file, or correct native and aliases in "
                        f"{_line(spec, column)} of columns.csv",
                        spec_key=("columns", column.name),
                    )
                )
            if not at and column.required:
                missing.append((column, spelling[0]))
            found[column.name].append(at[0] if at else None)
            used.update(at)
    unknown = [h for i, h in enumerate(native.headers) if str(i) not in used]
    if missing or (unknown and table.extra_columns == "refuse"):
        _refuse_headers(spec, name, native, missing, unknown)
    return found


def _refuse_headers(
    spec: SourceSpec,
    name: str,
    native: NativeTable,
    missing: Sequence[tuple[Column, str]],
    unknown: Sequence[str],
) -> None:
    """One error for all headers; or one for each, where all errors are asked for."""
    wanted = sum(len(c.natives) for c in spec.columns if c.table == name and c.required)
    if len(missing) > wanted / 2:
        # Without most of its headers it is another file, of which no single header tells anything,
        # unless they stand further down.
        refuse(
            _without_blocks(spec, name, native)
            or _headers_below(spec, name, native)
            or _header_error(spec, name, native, missing, unknown, ("tables", name, "files"))
        )
        return
    if missing and not collecting():
        raise _header_error(spec, name, native, missing, unknown, ("columns", missing[0][0].name))
    for one in missing:
        error = _header_error(spec, name, native, [one], unknown)
        refuse(error, ("columns", one[0].name))
        unknown = [h for h in unknown if not (error.remedy or "").startswith(f"if {h!r} is ")]
    if spec.tables[name].extra_columns == "refuse" and unknown:
        refuse(_header_error(spec, name, native, [], unknown), ("tables", name, "extra_columns"))


def _without_blocks(spec: SourceSpec, name: str, native: NativeTable) -> ReadError | None:
    """An error that says so, if the row with the names of blocks of columns is not there."""
    read = spec.tables[name].read
    if read.block_row is None:
        return None
    wanted = [
        c.native
        for c in spec.columns
        if c.table == name and c.required and not c.is_array and c.native != "*"
    ]
    blocks = list(dict.fromkeys(b for b, _, _ in (n.rpartition(": ") for n in wanted) if b))

    def most(headers: Sequence[str], texts: set[str]) -> bool:
        return 2 * sum(plain_header(header) in texts for header in headers) > len(wanted)

    stems = [native.rpartition(": ")[2] for native in wanted]
    # Where the row is missing, the headers were taken for names of blocks, and cells for headers.
    above = [header.partition(": ")[0] for header in native.headers if ": " in header]
    number, shown = read.block_row + 1, above
    whole = [header.rpartition(": ")[0] for header in native.headers]
    if most(wanted, {plain_header(text) for text in whole}):
        problem = f"row {number} holds the headers, each with the name of its block"
        remedy = (
            f"set `header_row: {read.block_row}` and take `block_row` out, under `read` of table "
            f"{name} in source.yaml"
        )
        shown = whole
    else:
        if most(stems, {plain_header(text) for text in above}) and number <= read.header_row:
            problem = f"the row with the names of the blocks is missing: row {number} holds headers"
            where = f"put a row above the headers, as row {number}"
        elif most(stems, {plain_header(text) for text in native.headers}):
            problem = f"row {number}, with the names of the blocks, is empty"
            where = f"fill row {number}"
            shown = list(native.headers)
        else:
            return None
        remedy = (
            f"{where}, with {' and '.join(map(repr, blocks))} over the first column of each block, "
            "as the publisher's description orders them: the headers are the same in each"
        )
    return ReadError(
        problem,
        source=spec.id,
        file=native.place,
        where="header",
        samples=shown,
        remedy=remedy,
        spec_key=("tables", name, "read", "block_row"),
    )


def _headers_below(spec: SourceSpec, name: str, native: NativeTable) -> ReadError | None:
    """An error that says where the headers are, if one of the first rows holds most of them."""
    read = spec.tables[name].read
    spellings = [
        {plain_header(s) for s in (c.native, *c.aliases)}
        for c in spec.columns
        if c.table == name and c.required and not c.is_array and c.native != "*"
    ]
    if read.block_row is not None:  # `block: header`; the row itself holds the header alone
        spellings = [{s.rpartition(": ")[2] for s in some} for some in spellings]
    for number, texts in zip(native.rows[:_LOOKED_AT], native.cells.iter_rows(), strict=False):
        held = {plain_header(text) for text in texts if text}
        if 2 * sum(bool(some & held) for some in spellings) <= max(len(spellings), 2):
            continue
        change = f"`header_row: {number - 1}`"
        if read.block_row is not None:
            change += f" and `block_row: {number - 1 - read.header_row + read.block_row}`"
        return ReadError(
            f"its headers seem to stand in row {number}, not in row {read.header_row + 1}",
            source=spec.id,
            file=native.place,
            where="header",
            samples=[text for text in texts if text],
            remedy=f"set {change} under `read` of table {name} in source.yaml",
            spec_key=("tables", name, "read", "header_row"),
        )
    return None


def _line(spec: SourceSpec, column: Column) -> str:
    return f"line {column.line or spec.columns.index(column) + 2}"


def _header_error(
    spec: SourceSpec,
    name: str,
    native: NativeTable,
    missing: Sequence[tuple[Column, str]],
    unknown: Sequence[str],
    spec_key: tuple[str, ...] = (),
) -> ReadError:
    said, advice = [], []
    closest = {plain_header(h): h for h in unknown}
    for column, header in missing[:5]:
        near = difflib.get_close_matches(plain_header(header), closest, 1, 0.4)
        line = f"{_line(spec, column)} of columns.csv (column {column.name})"
        if near:
            said.append(f"no column {header!r}; the closest is {closest[near[0]]!r}")
            advice.append(f"if {closest[near[0]]!r} is {column.name}, add it to aliases in {line}")
        else:
            said.append(f"no column {header!r}")
            advice.append(f"correct native in {line}, or set required to false")
    if unknown:
        said.append(f"{len(unknown)} unknown columns: {', '.join(map(repr, unknown[:5]))}")
        if not missing:
            advice.append(
                "add them to columns.csv, or set `extra_columns: ignore` of table "
                f"{name} in source.yaml"
            )
    return ReadError(
        "; ".join(said) + (f" (and {len(missing) - 5} more missing)" if len(missing) > 5 else ""),
        source=spec.id,
        file=native.place,
        where="header",
        samples=unknown or native.headers,
        remedy="; ".join(advice),
        spec_key=spec_key,
    )


def _conversion_of(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    elements: Sequence[pl.Series],
    flags: list[pl.DataFrame],
) -> Conversion | None:
    """Conversion of a numeric column; decides between two units where publishers disagree."""
    if column.kind != "numeric":
        return None
    if column.other_unit is None or column.other_unit_below is None:
        return convert(spec, column)
    every = _numbers(pl.concat(elements), table)
    tokens = _numeric_tokens(table, column)
    middle = every.filter(every.is_finite() & ~every.is_in(tokens)).median()
    other = isinstance(middle, int | float) and middle < column.other_unit_below
    if middle is not None:
        unit = column.other_unit if other else column.unit
        sign = "below" if other else "not below"
        detail = f"read as {unit}: the median {middle:g} is {sign} {column.other_unit_below:g}"
        flags.append(_flags([native.place], column, "unit_by_range", [None], None, [detail]))
    return convert(spec, column, column.other_unit if other else None)


def _flags(
    refs: pl.Series | Sequence[str],
    column: Column,
    flag: str,
    raw: pl.Series | Sequence[str | None],
    value: pl.Series | None = None,
    detail: pl.Series | Sequence[str | None] | str | None = None,
) -> pl.DataFrame:
    size = len(refs)
    details = [detail] * size if detail is None or isinstance(detail, str) else detail
    return pl.DataFrame(
        {
            "row_ref": refs,
            "column": [column.name] * size,
            "flag": [flag] * size,
            "raw": raw,
            "value": [None] * size if value is None else value,
            "detail": details,
        },
        schema=FLAGS_SCHEMA,
    )


def _one_below_the_other(native: NativeTable, at: Sequence[str | None]) -> NativeTable:
    """The table with its rows once for each element, each row number followed by the header."""
    rows = native.rows.cast(pl.String)
    named = ["" if place is None else native.headers[int(place)] for place in at]
    return dataclasses.replace(native, rows=pl.concat([rows + _OF + name for name in named]))


def _in_detail(flags: pl.DataFrame) -> pl.DataFrame:
    """Flags of the elements of an array say which element they are of."""
    parts = pl.col("row_ref").str.split_exact(_OF, 1)
    header = parts.struct[1]
    said = pl.concat_str(header, "detail", separator=": ", ignore_nulls=True)
    return flags.with_columns(row_ref=parts.struct[0], detail=said)


def _packed(values: list[pl.Series], column: Column) -> pl.Series:
    if not column.is_array:
        return values[0].alias(column.name)
    if not values:  # `*` of an optional table that is not there
        return pl.Series(column.name, [], dtype=pl.List(pl.Float64))
    frame = pl.DataFrame([v.alias(str(i)) for i, v in enumerate(values)])
    if column.mean_of:
        groups = [
            frame.columns[i : i + column.mean_of] for i in range(0, frame.width, column.mean_of)
        ]
        frame = frame.select(
            pl.mean_horizontal(some, ignore_nulls=False).alias(some[0]) for some in groups
        )
    if column.is_wide:
        frame = frame.cast(pl.Float32)
    packed = pl.when(~pl.all_horizontal(pl.all().is_null())).then(pl.concat_list(pl.all()))
    return frame.select(packed.alias(column.name)).to_series()


def _numbers(text: pl.Series, table: Table) -> pl.Series:
    trimmed = text.str.strip_chars()
    if table.read.decimal == ",":
        # A point in such a text marks thousands, which nothing could tell from a fraction. In other
        # formats than text, numbers are typed and come with a point.
        if table.read.reader == "csv":
            trimmed = trimmed.set(trimmed.str.contains(".", literal=True).fill_null(False), None)
        trimmed = trimmed.str.replace(",", ".", literal=True)
    return trimmed.cast(pl.Float64, strict=False)


def _numeric_tokens(table: Table, column: Column) -> list[float]:
    tokens = pl.Series([*table.read.missing, *column.missing], dtype=pl.String)
    numbers = _numbers(tokens, table).drop_nulls()
    return numbers.filter(numbers.is_finite()).to_list()


def _without_missing(
    table: Table, column: Column, native: NativeTable, text: pl.Series
) -> tuple[pl.Series, pl.DataFrame]:
    """Trimmed text without missing tokens, and their flags; an empty cell needs none."""
    trimmed = text.str.strip_chars()
    trimmed = trimmed.set(trimmed == "", None)
    tokens = [t for t in (*table.read.missing, *column.missing) if t]
    absent = trimmed.is_in(tokens)
    if column.kind == "numeric" and (numeric := _numeric_tokens(table, column)):
        # '-999' also means '-999.00'.
        absent = absent | _numbers(trimmed, table).is_in(numeric)
    absent = absent.fill_null(False)
    if not absent.any():
        return trimmed, pl.DataFrame(schema=FLAGS_SCHEMA)
    said = trimmed.filter(absent)
    detail = "the file says " + said
    flags = _flags(
        native.row_refs.filter(absent), column, "missing", text.filter(absent), None, detail
    )
    return trimmed.set(absent, None), flags


def _refuse(
    spec: SourceSpec,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    wrong: pl.Series,
    what: str,
    remedy: str,
    error: type[ReadError] | type[CodebookError] = ReadError,
) -> ReadError | CodebookError:
    rows = native.rows.filter(wrong)
    samples = text.filter(wrong).unique(maintain_order=True)[:5]
    return error(
        f"column {column.name} ({column.native}): {what} in {len(rows)} of {len(text)} rows",
        source=spec.id,
        file=native.place,
        where=f"row {', '.join(map(str, rows[:5]))}",
        samples=samples,
        remedy=remedy.format(line=f"{_line(spec, column)} of columns.csv"),
        spec_key=("columns", column.name),
    )


def _parse_numeric(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    by: Conversion,
) -> tuple[pl.Series, pl.DataFrame]:
    trimmed, missing = _without_missing(table, column, native, text)
    flags, refs = [missing], native.row_refs
    below = trimmed.str.contains(BELOW_DETECTION).fill_null(False)
    if below.any():
        stated = trimmed.filter(below).str.extract(BELOW_DETECTION)
        limit = stated.str.replace(",", ".", literal=True).cast(pl.Float64)
        # '<0.0' states no limit: then the published one of the column holds.
        limit = limit.set(limit <= 0, None)
        if column.detection_limit is not None:
            limit = limit.fill_null(column.detection_limit)
        converted = pl.select(by.expr(pl.lit(limit))).to_series()
        flags.append(
            _flags(refs.filter(below), column, "below_detection", text.filter(below), converted)
        )
        trimmed = trimmed.set(below, None)
    above = trimmed.str.contains(ABOVE_LIMIT).fill_null(False)
    if above.any():
        stated = trimmed.filter(above).str.extract(ABOVE_LIMIT)
        limit = stated.str.replace(",", ".", literal=True).cast(pl.Float64)
        converted = pl.select(by.expr(pl.lit(limit))).to_series()
        flags.append(
            _flags(refs.filter(above), column, "above_limit", text.filter(above), converted)
        )
        trimmed = trimmed.set(above, None)
    numbers = _numbers(trimmed, table)
    wrong = trimmed.is_not_null() & ~numbers.is_finite().fill_null(False)
    if wrong.any():
        raise _refuse(
            spec,
            column,
            native,
            text,
            wrong,
            "no number",
            "if the text means missing, add it to `missing` in {line}; if the file writes decimal "
            "commas, set `decimal` of the table in source.yaml",
        )
    values = pl.select(by.expr(pl.lit(numbers))).to_series().cast(pl.Float64)
    outside = _outside(column, numbers, values)
    if outside.any():
        low, high, unit = column_range(column)
        detail = f"outside {low:g} to {high:g} {unit}"
        flags.append(
            _flags(
                refs.filter(outside),
                column,
                "out_of_range",
                text.filter(outside),
                values.filter(outside),
                detail,
            )
        )
        values = values.set(outside, None)
    return values, pl.concat(flags)


def column_range(column: Column) -> tuple[float, float, str]:
    """Plausible range and the unit it is said in, for messages."""
    said = quantity(column.quantity) if column.quantity else None
    if column.minimum is not None or column.maximum is not None or said is None:
        low, high, unit = column.minimum, column.maximum, column.unit
    else:
        low, high, unit = said.minimum, said.maximum, said.unit
    infinite = float("inf")
    return -infinite if low is None else low, infinite if high is None else high, str(unit)


def _outside(column: Column, native: pl.Series, canonical: pl.Series) -> pl.Series:
    """Is a number outside the column's range (native unit), or else the quantity's (canonical)?"""
    own = column.minimum is not None or column.maximum is not None
    low, high, _ = column_range(column)
    # A limit in pF is compared as written: conversion would only add rounding.
    values = native if own and column.other_unit is None else canonical
    lost = native.is_not_null() & canonical.is_null()
    if own and column.other_unit is not None:
        by = conversion(str(column.unit), column.basis, *canonical_unit(column))
        low, high = sorted(by.array([low, high]).tolist())
    return ((values < low) | (values > high) | ~values.is_finite() | lost).fill_null(False)


def _parse_categorical(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    by: None,
) -> tuple[pl.Series, pl.DataFrame]:
    trimmed, flags = _without_missing(table, column, native, text)
    trimmed = that_counts(column, trimmed)
    book = codebook(str(column.codebook), spec.folder)
    codes, unknown = book.normalise(trimmed)
    if not unknown.any():
        return codes, flags
    if column.unknown_code == "refuse":
        near = difflib.get_close_matches(str(trimmed.filter(unknown)[0]), book.codes, 1, 0)
        raise _refuse(
            spec,
            column,
            native,
            text,
            unknown,
            f"a code that codebook {column.codebook} lacks (closest: {near[0]!r})",
            f"add the code to codebooks/{column.codebook}.csv; or, in {{line}}, add it to "
            "`missing` or set unknown_code to flag",
            CodebookError,
        )
    found = _flags(
        native.row_refs.filter(unknown),
        column,
        "code_unknown",
        text.filter(unknown),
        None,
        f"not in codebook {column.codebook}",
    )
    return codes, pl.concat([flags, found])


def _parse_text(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    by: None,
) -> tuple[pl.Series, pl.DataFrame]:
    trimmed, flags = _without_missing(table, column, native, text)
    counted = that_counts(column, trimmed)
    if column.form is None:
        return counted, flags
    odd = ~counted.str.contains(f"^(?:{column.form})$").fill_null(True)
    if not odd.any():
        return counted, flags
    dates = text.filter(odd).str.contains(_ANY_DATE)
    found = _flags(
        native.row_refs.filter(odd),
        column,
        "malformed",
        text.filter(odd),
        None,
        f"not of the form {column.form}"
        + ("; a spreadsheet made dates of such texts" if dates.any() else ""),
    )
    return counted.set(odd, None), pl.concat([flags, found])


def that_counts(column: Column, text: pl.Series) -> pl.Series:
    """What a column's pattern takes of each text; the whole of one that it does not match."""
    if column.pattern is None:
        return text
    groups = text.str.extract_groups(column.pattern).struct.unnest()
    taken = groups.select(pl.concat_str(pl.all(), ignore_nulls=True)).to_series()
    matched = text.str.contains(column.pattern).fill_null(False)
    return taken.zip_with(matched, text).alias(text.name)


def _parse_date(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    by: None,
) -> tuple[pl.Series, pl.DataFrame]:
    trimmed, flags = _without_missing(table, column, native, text)
    form = str(column.date_format)
    # A year or month alone is kept as its first day; `place.py` gives it its last one.
    padded = trimmed
    for part, first in (("%m", "-01"), ("%d", "-01")):
        if part not in form and "%j" not in form:
            padded, form = padded + first, form + f"-{part}"
    dates = padded.str.strptime(pl.Date, form, strict=False)
    typed = trimmed.set(~trimmed.str.contains(_TYPED_DATE).fill_null(False), None).str.slice(0, 10)
    dates = dates.zip_with(
        dates.is_not_null(), typed.str.strptime(pl.Date, "%Y-%m-%d", strict=False)
    )
    wrong = trimmed.is_not_null() & dates.is_null()
    if wrong.any():
        raise _refuse(
            spec,
            column,
            native,
            text,
            wrong,
            f"no date of the form {column.date_format}",
            "correct date_format in {line}, or add the text to `missing` there",
        )
    return dates, flags


def _parse_boolean(
    spec: SourceSpec,
    table: Table,
    column: Column,
    native: NativeTable,
    text: pl.Series,
    by: None,
) -> tuple[pl.Series, pl.DataFrame]:
    trimmed, flags = _without_missing(table, column, native, text)
    lower = trimmed.str.to_lowercase()
    wrong = trimmed.is_not_null() & ~lower.is_in([*_YES, *_NO])
    if wrong.any():
        raise _refuse(
            spec,
            column,
            native,
            text,
            wrong,
            "neither yes nor no",
            "make the column categorical with a codebook, or add the text to `missing`, in {line}",
        )
    return lower.is_in(_YES), flags


_DTYPES = {
    "numeric": pl.Float64,
    "categorical": pl.String,
    "text": pl.String,
    "date": pl.Date,
    "boolean": pl.Boolean,
}
_PARSERS = {
    "numeric": _parse_numeric,
    "categorical": _parse_categorical,
    "text": _parse_text,
    "date": _parse_date,
    "boolean": _parse_boolean,
}
