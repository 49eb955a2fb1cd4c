"""One raw version to one standard table: the pipeline that every source goes through.

Belongs here: the order of the steps, composing native tables, keys, the version.
Never here: how a format is read (`readers`), what a cell means (`columns.py`), pixels
(`rasters.py`), checks that only report (room `expectations`).
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from adapters.archive import RawVersion
from adapters.blocks import averaged
from adapters.columns import ColumnRecord, Parsed, match_headers, parse_table, that_counts
from adapters.correcting import correct_table
from adapters.errors import ReadError, SoilmeldError, SpecError, refuse
from adapters.place import locate, sink, when
from adapters.readers import (
    NativeTable,
    as_read,
    matching,
    plain_header,
    read_table,
    table_files,
)
from adapters.readers.photographs import read_photographs
from adapters.rules import (
    FLAGS_SCHEMA,
    depth_order,
    named_files,
    no_flags,
    repeated_rows,
    texture_sum,
)
from adapters.settings import Settings
from adapters.spec import Read, SourceSpec, Table
from adapters.units import conversion

# Raised by hand whenever the same input would give another table.
STANDARD_VERSION = 2
_HERE = Path(__file__).parent
_SHARED = ("quantities.yaml", "units.csv", "soil_units.txt", "analytes.yaml")
_FIRST = (
    "row_ref",
    "origin",
    "longitude",
    "latitude",
    "position_uncertainty_m",
    "depth_top",
    "depth_bottom",
    "date_start",
    "date_end",
    "geometry",
)


@dataclass(frozen=True)
class Standard:
    """A source as one table, with its flags; not yet validated.

    Attributes:
        spec: The specification it was made by.
        raw: The raw version it was made from.
        version: Hash of all that it depends on.
        table: Layout of `std.<source>` in docs/data_model.md.
        flags: Layout of `std.<source>__flags`.
        columns: One record for each column of columns.csv.
        parts: The source's other parts (`SourceSpec.parts`) that have files.
    """

    spec: SourceSpec
    raw: RawVersion
    version: str
    table: pl.DataFrame
    flags: pl.DataFrame
    columns: list[ColumnRecord]
    parts: tuple["Standard", ...] = ()

    @property
    def pieces(self) -> tuple["Standard", ...]:
        """The main part, then the others."""
        return (self, *self.parts)

    @property
    def whole_version(self) -> str:
        """Version of all parts together."""
        if not self.parts:
            return self.version
        versions = "\0".join(piece.version for piece in self.pieces)
        return hashlib.sha256(versions.encode()).hexdigest()[:16]


def standardise(spec: SourceSpec, raw: RawVersion, settings: Settings) -> Standard:
    """Read, rename, decode, convert and place one raw version.

    The same raw version and specification give the same table, byte for byte.

    Raises:
        ReadError: A file is not what the specification says, or a key stands twice.
        CodebookError: A code is not in its codebook.
        UnitError: A unit does not parse or measures something else.
        SpecError: The specification contradicts itself.
    """
    main, *others = spec.pieces
    parts = [
        _standardise(piece, raw, settings)
        for piece in others
        if any(table_files(piece, table, raw.files) for table in piece.tables)
    ]
    return dataclasses.replace(_standardise(main, raw, settings), parts=tuple(parts))


def _standardise(spec: SourceSpec, raw: RawVersion, settings: Settings) -> Standard:
    version = standard_version(spec, raw)
    if spec.is_raster:
        from adapters.rasters import standardise_layers

        table, flags, columns = standardise_layers(spec, raw, version, settings)
        return Standard(spec, raw, version, table, flags, columns)
    folder = raw.open(settings)
    limits, of_limits = _limits(spec, raw, folder)
    parsed = {
        name: _parse(spec, name, raw, folder, limits)
        for name, table in spec.tables.items()
        if table.compose not in ("keep", "limits")
    }
    table, flags = _composed(spec, parsed)
    records = {c.name: c for name in reversed(parsed) for c in reversed(parsed[name].records)}
    records = {
        name: records[name]
        for name in dict.fromkeys(c.name for c in spec.columns)
        if name in records
    }
    native_table = table["__table"]
    placed, suspect = locate(spec, table, flags)
    sunk, depthless = sink(spec, table)
    dated = when(spec, table, native_table)
    origin = pl.Series("origin", [raw.origin], dtype=pl.String).new_from_index(0, table.height)
    extra = [c for frame in (placed, sunk, dated) for c in frame]
    columns = {c.name: c for c in [*table.drop("__table"), origin, *extra]}
    order = [n for n in _FIRST if n in columns] + [n for n in records if n not in _FIRST]
    table = pl.DataFrame([columns[n].alias(n) for n in order])
    table, broken = _ruled(spec, table, records, raw)
    _require_keys(spec, table)
    flags = pl.concat([flags, of_limits, suspect, depthless, broken])
    return Standard(spec, raw, version, table, flags, list(records.values()))


def standard_version(spec: SourceSpec, raw: RawVersion) -> str:
    """Hash of the raw version, the specification and the shared data that a table depends on."""
    digest = hashlib.sha256(f"{STANDARD_VERSION}\0{raw.version}\0{raw.origin}\0".encode())
    digest.update(spec.digest().encode())
    shared = [_HERE / name for name in _SHARED] + sorted((_HERE / "codebooks").glob("*.csv"))
    for path in shared:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def whole_version(spec: SourceSpec, raw: RawVersion) -> str:
    """Version of all parts of a source together, before it is standardised."""
    versions = [standard_version(piece, raw) for piece in spec.pieces]
    if len(versions) == 1:
        return versions[0]
    return hashlib.sha256("\0".join(versions).encode()).hexdigest()[:16]


def raw_cell(
    raw: RawVersion, spec: SourceSpec, row_ref: str, column: str, settings: Settings
) -> str | None:
    """Text of one cell as it stands in the archived file.

    Args:
        raw: The raw version.
        spec: Its source.
        row_ref: `file#row` or `file!sheet#row`. For a column of a joined table, either that
            table's own row or the row it was joined to.
        column: Canonical name. The elements of an array are joined by `; `.
        settings: Where the archive is.

    Returns:
        The text, None for an empty cell or where no row was joined.

    Raises:
        ReadError: The file has no such row.
        SpecError: The source has no such column.
    """
    spec.column(column)
    folder = raw.open(settings)
    place, _, row = row_ref.rpartition("#")
    natives = {
        name: _natives(spec, name, raw, folder, row_ref)
        for name, table in spec.tables.items()
        if table.compose != "keep"
    }
    home = next((n for n, parts in natives.items() for p in parts if p.place == place), None)
    if home is None:
        raise ReadError(
            f"no row {row_ref!r}",
            source=spec.id,
            samples=[p.place for parts in natives.values() for p in parts],
            remedy="take the row_ref from the source's table",
        )
    rows = [(home, place, row)]
    if not any(c.name == column and c.table == home for c in spec.columns):
        rows = _joined_rows(spec, natives, home, place, row, column)
    texts: list[str] = []
    for name, where, number in rows:
        native = next(p for p in natives[name] if p.place == where)
        at = match_headers(spec, name, native)[column]
        line = native.at(native.rows.cast(pl.String) == number)
        if line.rows.is_empty():
            raise ReadError(
                f"no row {number}",
                source=spec.id,
                file=where,
                remedy="take the row_ref from the source's table",
            )
        texts += [t for t in (line.text(p)[0] for p in at if p is not None) if t is not None]
    return "; ".join(texts) or None


def _natives(
    spec: SourceSpec, name: str, raw: RawVersion, folder: Path, row_ref: str
) -> list[NativeTable]:
    """Native tables of one id; of photographs, the one that a row is of."""
    files = table_files(spec, name, raw.files)
    if spec.tables[name].read.reader != "photographs":
        return [read_table(spec, name, folder, file) for file in files]
    place, _, row = row_ref.rpartition("#")
    if (file := row if place == "." else f"{place}/{row}") not in files:
        return []
    native, _ = read_photographs(folder, [file])
    return [dataclasses.replace(native, place=place, rows=pl.Series("row", [row]))]


def _joined_rows(
    spec: SourceSpec,
    natives: dict[str, list[NativeTable]],
    home: str,
    place: str,
    row: str,
    column: str,
) -> list[tuple[str, str, str]]:
    """Rows of the table that holds a column which were joined to a row of another table."""
    keys: dict[str, str | None] = {}
    for name in [home, *(n for n in natives if spec.tables[n].compose == "join")]:
        table = spec.tables[name]
        holds = any(c.name == column and c.table == name for c in spec.columns)
        for native in natives[name]:
            found = _texts(spec, name, native)
            if name == home:
                found = (
                    found.filter(native.rows.cast(pl.String) == row)
                    if native.place == place
                    else found[:0]
                )
            elif set(table.on) <= keys.keys():
                found = found.filter(pl.col(k).eq_missing(pl.lit(keys[k])) for k in table.on)
            else:
                continue
            if found.height:
                keys |= {k: v for k, v in found.row(0, named=True).items() if k not in keys}
            if holds and name != home and found.height:
                return [(name, native.place, r) for r in found["__row"].to_list()]
    for name, table in spec.tables.items():
        holds = any(c.name == column and c.table == name for c in spec.columns)
        if holds and table.compose in ("curve", "mean") and set(table.on) <= keys.keys():
            return [
                (name, native.place, r)
                for native in natives[name]
                for r in _texts(spec, name, native)
                .filter(pl.col(k).eq_missing(pl.lit(keys[k])) for k in table.on)["__row"]
                .to_list()
            ]
    return []


def _texts(spec: SourceSpec, name: str, native: NativeTable) -> pl.DataFrame:
    """What counts of the scalar columns of a native table, as text under canonical names."""
    places = match_headers(spec, name, native)
    columns = {c.name: c for c in spec.columns if c.table == name}
    return native.cells.select(
        that_counts(columns[column], native.cells[at[0]].str.strip_chars()).alias(column)
        for column, at in places.items()
        if len(at) == 1 and at[0] is not None
    ).with_columns(native.rows.cast(pl.String).alias("__row"))


def _limits(
    spec: SourceSpec, raw: RawVersion, folder: Path
) -> tuple[dict[str, dict[str, float]], pl.DataFrame]:
    """Limits of quantification by the header that they are of, for each column that lists some.

    With them flags of texts beside the limits that are malformed.
    """
    found: dict[str, dict[str, float]] = {}
    flags = [no_flags()]
    for name, table in spec.tables.items():
        if table.compose != "limits":
            continue
        part = _parse(spec, name, raw, folder, {})
        _require_single(spec, name, part.table, list(table.on))
        malformed = pl.col("flag") == "malformed"
        flags.append(part.flags.filter(malformed))
        doubted = part.flags.filter(pl.col("flag") != "missing", ~malformed)
        if doubted.height:
            refuse(
                ReadError(
                    "limits that are no plausible numbers",
                    source=spec.id,
                    file=str(doubted["row_ref"][0]),
                    samples=doubted["raw"].head(5),
                    remedy=f"correct the unit of the limits of table {name} in columns.csv",
                ),
                ("tables", name),
            )
        for column in (c for c in spec.columns if c.table == name and c.kind == "numeric"):
            rows = part.table.select(table.on[0], column.name).drop_nulls().rows()
            found[column.name] = {plain_header(header): limit for header, limit in rows}
    return found, pl.concat(flags)


def _parse(
    spec: SourceSpec,
    name: str,
    raw: RawVersion,
    folder: Path,
    limits: dict[str, dict[str, float]],
) -> Parsed:
    """All files of one native table, one below the other."""
    natives, flags = [], [no_flags()]
    try:
        files = table_files(spec, name, raw.files)
    except SoilmeldError as error:
        refuse(error)
        files = []
    if files and spec.tables[name].read.reader == "photographs":
        native, found = read_photographs(folder, files)
        natives.append(native)
        flags.append(found)
        files = []
    for file in files:
        try:
            native = read_table(spec, name, folder, file)
            _require_crs(as_read(spec, name, file), name, native)
            native, corrected = correct_table(spec, name, native)
            native, left_out = _data_rows(spec.tables[name], native)
            flags += [corrected, left_out]
            natives.append(native)
        except SoilmeldError as error:
            refuse(error, ("tables", name, "read"))
    if not natives:
        absent = spec.tables[name].model_copy(update={"read": Read(reader="csv")})
        natives = [_no_rows(spec, name, absent)]
    parts = [
        parse_table(as_read(spec, name, native.place.split("!")[0]), name, native, limits)
        for native in natives
    ]
    return Parsed(
        pl.concat([p.table for p in parts]),
        pl.concat([*flags, *(p.flags for p in parts)]),
        parts[0].records,
    )


def _data_rows(table: Table, native: NativeTable) -> tuple[NativeTable, pl.DataFrame]:
    """Rows of data, and a flag of the file for those that are none (`rows_match`)."""
    for header, pattern in table.rows_match.items():
        at = [i for i, h in enumerate(native.headers) if plain_header(h) == plain_header(header)]
        if not at:
            continue  # told with the other headers
        text = native.text(str(at[0])).str.strip_chars()
        fits = text.str.contains(pattern).fill_null(False)
        if fits.all():
            continue
        shown = zip(native.row_refs.filter(~fits), text.filter(~fits), strict=True)
        some = ", ".join(f"{said or 'nothing'} at {ref}" for ref, said in [*shown][:3])
        count = int((~fits).sum())
        detail = f"{count} rows are left out, whose {header} is none: {some}"
        flag = {"row_ref": native.place, "flag": "missing", "detail": detail}
        return native.at(fits), pl.DataFrame([flag], schema=FLAGS_SCHEMA)
    return native, no_flags()


def _no_rows(spec: SourceSpec, name: str, table: Table) -> NativeTable:
    """An optional table that is not there: its columns exist, and hold NULL."""
    headers = [n for c in spec.columns if c.table == name for n in c.natives if n != "*"]
    headers = list(dict.fromkeys(headers))
    cells = pl.DataFrame(schema={str(i): pl.String for i in range(len(headers))})
    return NativeTable(name, tuple(headers), cells, pl.Series("row", [], dtype=pl.Int64))


def _require_crs(spec: SourceSpec, name: str, native: NativeTable) -> None:
    """The CRS of a layer is declared or stated, and if both they are the same."""
    if native.geometry is None:
        return
    from adapters.crs import require_same_crs

    declared = spec.tables[name].read.crs or spec.space.crs
    require_same_crs(spec, native.place, declared, native.crs, _extent(native.geometry), name)


def _extent(geometry: pl.Series) -> tuple[float, float, float, float]:
    import shapely

    return tuple(shapely.total_bounds(shapely.from_wkb(geometry.to_numpy())).tolist())


def _composed(spec: SourceSpec, parsed: dict[str, Parsed]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Join the native tables to one, and bring the flags to its rows."""
    base = [n for n in parsed if spec.tables[n].compose == "rows"]
    base += [n for n in parsed if spec.tables[n].compose == "append"]
    table = pl.concat(
        [parsed[n].table.with_columns(pl.lit(n).alias("__table")) for n in base],
        how="diagonal",
    )
    flags = [parsed[n].flags for n in base]
    for name, part in parsed.items():
        compose = spec.tables[name].compose
        if compose in ("rows", "append"):
            continue
        on = list(spec.tables[name].on)
        shared = set(part.table.columns) & set(table.columns) - {*on, "row_ref"}
        if shared or set(on) - set(table.columns):
            raise SpecError(
                f"table {name}: columns {sorted(shared or set(on) - set(table.columns))} stand in "
                f"{'both tables' if shared else 'no earlier table'}",
                source=spec.id,
                file="columns.csv",
                remedy="give them other names" if shared else "correct `on`, or the tables' order",
            )
        if compose == "mean":
            right, differing = averaged(spec, name, spec.tables[name], part.table)
            part = dataclasses.replace(part, flags=pl.concat([part.flags, differing]))
        elif compose == "join":
            _require_single(spec, name, part.table, on)
            right = part.table.unique(on, keep="first", maintain_order=True)
        else:
            repeats = _repeats(spec.tables[name], part.table)
            part = dataclasses.replace(part, flags=pl.concat([part.flags, repeats]))
            right = _curves(spec.tables[name], part.table, repeats["row_ref"])
        refs = part.table.drop_nulls(on).select(*on, native_ref="row_ref")
        link = table.select("row_ref", *on).join(refs, on=on, how="inner", maintain_order="left")
        flags.append(_brought(part.flags, link.select("row_ref", "native_ref")))
        flags.append(_orphans(name, part.table, refs, table, on))
        right = right.drop("row_ref", strict=False)
        table = table.join(right, on=on, how="left", maintain_order="left")
    return table, pl.concat(flags)


def _require_single(spec: SourceSpec, name: str, table: pl.DataFrame, on: list[str]) -> None:
    twice = table.drop_nulls(on).filter(pl.struct(on).is_duplicated())
    if twice.height:
        what = f"table {name} has a key more than once"
        refuse(_key_error(spec, what, twice, on), ("tables", name, "on"))


def _require_keys(spec: SourceSpec, table: pl.DataFrame) -> None:
    keys = list(spec.keys)
    if not keys:
        return
    without = table.filter(pl.all_horizontal(pl.col(keys).is_null()))
    if without.height:
        refuse(_key_error(spec, "rows without a key", without, keys), ("keys",))
    twice = table.filter(pl.struct(keys).is_duplicated())
    if twice.height:
        refuse(_key_error(spec, "a key stands more than once", twice, keys), ("keys",))


def _key_error(spec: SourceSpec, what: str, rows: pl.DataFrame, keys: list[str]) -> ReadError:
    shown = rows.sort(keys, maintain_order=True).head(5)
    files = dict.fromkeys(r.rsplit("#", 1)[0] for r in rows["row_ref"].to_list())
    samples = [
        f"{', '.join(str(v) for v in row[:-1])} at {row[-1]}"
        for row in shown.select(*keys, "row_ref").iter_rows()
    ]
    return ReadError(
        f"{what}: {rows.height} rows",
        source=spec.id,
        file=", ".join(list(files)[:3]),
        where=f"key {', '.join(keys)}",
        samples=samples,
        remedy="remove the repeated rows from the file, or correct `keys` and `on` in source.yaml",
    )


def _repeats(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Flags of the points of curves that say again, in every column, what an earlier row says."""
    by = str(table.order_by)
    points = rows.drop_nulls([*table.on, by])
    again = points.filter(~pl.struct(pl.exclude("row_ref")).is_first_distinct())
    said = {"column": by, "flag": "duplicate", "detail": "the same point twice"}
    return again.select(
        pl.col(c) if c == "row_ref" else pl.lit(said.get(c), t).alias(c)
        for c, t in FLAGS_SCHEMA.items()
    )


def _curves(table: Table, rows: pl.DataFrame, repeated: pl.Series) -> pl.DataFrame:
    """Several rows of a key to one row of lists, ordered by the curve's axis."""
    on, by = list(table.on), str(table.order_by)
    return (
        rows.drop_nulls(on)
        .filter(~pl.col("row_ref").is_in(repeated.implode()))
        .drop("row_ref")
        .sort(by, nulls_last=True, maintain_order=True)
        .group_by(on, maintain_order=True)
        .agg(pl.all())
    )


def _brought(flags: pl.DataFrame, link: pl.DataFrame) -> pl.DataFrame:
    """Flags of a joined table, at the rows it was joined to; `detail` says where they stood."""
    at = pl.format("at {}", "native_ref")
    brought = flags.rename({"row_ref": "native_ref"}).join(
        link, on="native_ref", how="inner", maintain_order="left"
    )
    of_file = flags.filter(~pl.col("row_ref").str.contains("#", literal=True))
    here = brought.with_columns(
        detail=pl.concat_str("detail", at, separator=", ", ignore_nulls=True)
    ).select(list(FLAGS_SCHEMA))
    return pl.concat([of_file, here])


def _orphans(
    name: str, rows: pl.DataFrame, refs: pl.DataFrame, table: pl.DataFrame, on: list[str]
) -> pl.DataFrame:
    """One flag for a table some of whose rows belong to no row of the standard table."""
    lost = refs.join(table.drop_nulls(on), on=on, how="anti", maintain_order="left")
    without = rows.height - refs.height
    if lost.is_empty() and not without:
        return no_flags()
    some = ", ".join(lost["native_ref"].head(3).to_list())
    detail = f"{lost.height + without} rows of table {name} match no row, such as {some}"
    place = rows["row_ref"][0].rsplit("#", 1)[0]
    return pl.DataFrame({"row_ref": [place], "flag": ["missing"], "detail": [detail]}).select(
        pl.col(c).cast(t) if c in ("row_ref", "flag", "detail") else pl.lit(None, t).alias(c)
        for c, t in FLAGS_SCHEMA.items()
    )


def _ruled(
    spec: SourceSpec, table: pl.DataFrame, records: dict[str, ColumnRecord], raw: RawVersion
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply the rules across columns; what breaks one is NULL and flagged."""
    flags = [no_flags()]
    for rule in spec.rules:
        if rule.kind == "repeated_rows":
            flags.append(repeated_rows(table, rule, spec.id))
            continue
        if rule.kind == "named_files":
            found = named_files(table, rule, matching(raw.files, rule.files))
            flags.append(found)
            there = ~pl.col("row_ref").is_in(found["row_ref"].implode())
            table = table.with_columns(pl.when(there).then(pl.col(rule.column)))
            continue
        if rule.kind == "depth_order":
            found = depth_order(table, rule)
            flags.append(found)
            faulty = found.filter(pl.col("flag") == "depth_fault")["row_ref"].implode()
            depth = pl.when(~pl.col("row_ref").is_in(faulty)).then(
                pl.col("depth_top", "depth_bottom")
            )
            table = table.with_columns(depth)
            continue
        in_percent = table.with_columns(
            conversion(str(records[c].unit), spec.column(c).basis and "mass", "percent", "mass")
            .expr(pl.col(c))
            .alias(c)
            for c in rule.columns
        )
        found = texture_sum(in_percent, rule)
        for column in rule.columns:
            flags.append(
                found.drop("value", "column")
                .join(table.select("row_ref", value=column), on="row_ref", maintain_order="left")
                .with_columns(pl.lit(column).alias("column"))
                .select(list(FLAGS_SCHEMA))
            )
        kept = ~pl.col("row_ref").is_in(found["row_ref"].implode())
        table = table.with_columns(pl.when(kept).then(pl.col(rule.columns)))
    return table, pl.concat(flags)
