"""One source: its good tiny sample, and what becomes of each mutation of it.

A verdict is `refused` (an error, or a blocking expectation), `flagged` (values are NULL and
flagged, and pass), `warned` (an expectation that does not block), `unseen`, or `-` where the
mutation does not apply. The good sample is the last version that mutated ones are compared with.
"""

import contextlib
import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import polars as pl
from mutations import MUTATIONS, Mutation, NotApplicableError

import adapters.columns
import adapters.rasters
import adapters.standardise
from adapters import twin
from adapters.archive import RawVersion, ingest
from adapters.columns import Parsed
from adapters.errors import SoilmeldError
from adapters.quantities import quantity
from adapters.readers import NativeTable, matching
from adapters.readers.raster import Grid
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, load_spec
from adapters.standardise import Standard, standardise
from adapters.units import Conversion
from expectations import baselines, slips
from expectations.derive import DOUBTS, expectations_for
from expectations.drift import compared
from expectations.editions import against_last
from expectations.engine import run

WIDE = 200
"""Optional tables of arrays as wide as this are left out: spectra, read as the others."""
RANK = ("refused", "flagged", "warned", "unseen")
_READ, _PARSED = adapters.standardise.read_table, adapters.columns._parsed
Texts = tuple[pl.Series, list[str | None], list[pl.Series], Conversion | None]


@dataclasses.dataclass(frozen=True)
class Cell:
    """What became of one mutation of one source.

    Attributes:
        verdict: As above.
        why: The first thing that was said, or why the mutation does not apply.
        first: What a first download, that no last version is there for, lets see: `seen` (all that
            the mutation is about), `partly` (some columns or tables) or `unseen`.
    """

    verdict: str
    why: str
    first: str = ""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What was read of the good sample: a mutation of one table leaves the others as they are.

    Attributes:
        natives: (table, file) -> its cells.
        tables: (part, table) -> canonical columns of all its files.
        columns: (part, table, column, file) -> texts, and the values that they are.
        layers: (part, column) -> its layers, in memory.
    """

    natives: dict[tuple[str, str], NativeTable]
    tables: dict[tuple[str, str], Parsed]
    columns: dict[tuple[str, ...], tuple[Texts, list[pl.Series], list[pl.DataFrame]]]
    layers: dict[tuple[str, str], list[tuple[str, Grid]]]


@dataclasses.dataclass(frozen=True)
class Good:
    """The good sample of a source, standardised, by part."""

    spec: SourceSpec
    raw: RawVersion
    settings: Settings
    standards: dict[str, Standard]
    kept: "Kept"

    def last(self, piece: str) -> baselines.Baseline:
        standard = self.standards[piece]
        table = standard.table
        if standard.spec.is_raster:
            return baselines.Baseline("good", table.height, {}, {}, layers=baselines.layers(table))
        return baselines.Baseline(
            "good",
            table.height,
            baselines.middle(table),
            baselines.filled(table),
            baselines.box(table),
            files=baselines.files(table),
        )


def good(source: str, settings: Settings) -> Good:
    """Write, archive and standardise the tiny sample of a source.

    Args:
        source: Its id.
        settings: Where to; sources may share one place.
    """
    twin.write(settings, sources=[source], size="tiny")
    raw = ingest(load_spec(source), settings)
    spec, kept = sampled(load_spec(source)), Kept({}, {}, {}, {})
    with _kept(kept):
        standard = standardise(spec, raw, settings)
    return Good(spec, raw, settings, {p.spec.id: p for p in standard.pieces}, kept)


@contextlib.contextmanager
def _kept(kept: Kept) -> Iterator[None]:
    """Put down what is read of a sample."""
    read, parse, layers = _READ, adapters.standardise._parse, adapters.rasters._layers

    def read_table(spec: SourceSpec, name: str, folder: Path, file: str) -> NativeTable:
        kept.natives[name, file] = read(spec, name, folder, file)
        return kept.natives[name, file]

    def parse_files(spec: SourceSpec, name: str, *rest: object) -> Parsed:
        kept.tables[spec.id, name] = parse(spec, name, *rest)
        return kept.tables[spec.id, name]

    def parsed(spec: SourceSpec, column: Column, native: NativeTable, *rest: object) -> list:
        flags = rest[-1]
        before = len(flags)
        values = _PARSED(spec, column, native, *rest)
        kept.columns[_place(spec, column, native)] = (
            _texts(native, *rest[:-1]),
            values,
            flags[before:],
        )
        return values

    def of_column(spec: SourceSpec, column: Column, *rest: object) -> list[tuple[str, Grid]]:
        found = [(ref, _in_memory(grid)) for ref, grid in layers(spec, column, *rest)]
        kept.layers[spec.id, column.name] = found
        return list(found)

    with (
        mock.patch.object(adapters.standardise, "read_table", read_table),
        mock.patch.object(adapters.standardise, "_parse", parse_files),
        mock.patch.object(adapters.columns, "_parsed", parsed),
        mock.patch.object(adapters.rasters, "_layers", of_column),
    ):
        yield


def _in_memory(grid: Grid) -> Grid:
    pixels = grid.rows(0, grid.height)
    return dataclasses.replace(grid, rows=lambda start, stop: pixels[start:stop].copy())


def _place(spec: SourceSpec, column: Column, native: NativeTable) -> tuple[str, ...]:
    return spec.id, column.table, column.name, native.place


def _texts(
    native: NativeTable,
    at: Sequence[str | None],
    elements: Sequence[pl.Series],
    by: Conversion | None,
) -> Texts:
    """All that the values of a column depend on, its specification aside."""
    headers = [None if place is None else native.headers[int(place)] for place in at]
    return native.rows, headers, list(elements), by


def _same(new: Texts, old: Texts) -> bool:
    return (
        new[1:4:2] == old[1:4:2]
        and new[0].equals(old[0])
        and all(a.equals(b, check_names=False) for a, b in zip(new[2], old[2], strict=True))
    )


def sampled(spec: SourceSpec) -> SourceSpec:
    """The specification of a sample: the first layers of an array, and no spectra."""
    wide = {c.table for c in spec.columns if len(c.natives) > WIDE or c.native == "*"}
    wide = {t for t in wide if not spec.tables[t].required}
    raster = {t for piece in spec.pieces if piece.is_raster for t in piece.tables}
    columns = []
    for column in spec.columns:
        if column.table in wide:
            continue
        if column.table in raster and len(column.natives) > 1:
            column = column.model_copy(update={"native": column.natives[0], "aliases": ()})
        columns.append(column)
    tables = {name: table for name, table in spec.tables.items() if name not in wide}
    sample = spec.model_copy(update={"columns": tuple(columns), "tables": tables})
    sample.__dict__.pop("pieces", None)  # of the whole specification
    return sample


def tried(sample: Good, foreign: Good | None) -> dict[str, Cell]:
    """All mutations of one source."""
    return {m.name: _cell(sample, m, foreign) for m in MUTATIONS}


def _cell(sample: Good, mutation: Mutation, foreign: Good | None) -> Cell:
    if mutation.name == "foreign":
        return _of_bytes(sample, foreign)
    found = []
    for piece in sample.spec.pieces:
        if piece.id not in sample.standards:
            continue
        if piece.is_raster and mutation.name == "truncated":
            found.append(_cut(sample, piece))
        elif piece.is_raster and mutation.name == "shuffled":
            found.append(_exchanged_layers(sample, piece))
        else:
            found.append(_of_piece(sample, piece, mutation))
    return _least(found)


def _least(cells: list[Cell]) -> Cell:
    """The cell that says least, of those that a mutation applies to."""
    applied = [cell for cell in cells if cell.verdict != "-"]
    if not applied:
        return cells[0]
    least = max(applied, key=lambda cell: RANK.index(cell.verdict))
    first = {cell.first for cell in applied}
    return dataclasses.replace(least, first=first.pop() if len(first) == 1 else "partly")


def _of_piece(sample: Good, piece: SourceSpec, mutation: Mutation) -> Cell:
    """One part; each of its tables is mutated in turn, its layers all at once."""
    if piece.is_raster:
        if mutation.layer is None:
            return Cell("-", "pixels, not rows")
        return _judged(sample, piece, mutation, None)
    if mutation.table is None:
        return Cell("-", "rows, not pixels")
    columns = set(sample.standards[piece.id].table.columns)
    # Tables that people alone read, or that only say limits, are not in the standard table.
    here = [
        name
        for name, table in piece.tables.items()
        if matching(sample.raw.files, table.files) and columns & _of(piece, name)
    ]
    if not here:
        return Cell("-", "no table")
    # Where each column must be told, all tables are mutated at once; else one after the other.
    sets = [here] if mutation.each else [[name] for name in here]
    return _least([_judged(sample, piece, mutation, names) for names in sets])


def _of(piece: SourceSpec, table: str) -> set[str]:
    return {c.name for c in piece.columns if c.table == table}


def _judged(sample: Good, piece: SourceSpec, mutation: Mutation, tables: list[str] | None) -> Cell:
    """Standardise a mutated part and say what came of it."""
    touched: list[str] = []
    with _mutated(sample, mutation, tables or [], touched):
        try:
            raw = _anew(sample.raw, mutation.name, *(tables or []))
            standard = standardise(piece, raw, sample.settings)
        except SoilmeldError as error:
            return Cell("refused", error.problem, "seen")
        except NotApplicableError as reason:
            return Cell("-", str(reason))
    if not touched:
        return Cell("-", "no such column or layer")
    each = None
    if mutation.each is not None:
        each = {c.name for c in piece.columns if c.name in touched and _filled(sample, piece, c)}
        if not each:
            return Cell("-", "no column with enough values")
    about = {c.name for c in piece.columns if tables is None or c.table in tables}
    cell = _verdict(sample, standard, each, about)
    return dataclasses.replace(cell, why=f"{', '.join(tables)}: {cell.why}") if tables else cell


def _filled(sample: Good, piece: SourceSpec, column: Column) -> bool:
    """Are there values to tell anything by? Not in a column that is empty or all zero."""
    table = sample.standards[piece.id].table
    if piece.is_raster:
        rows = table.filter(column=column.name)
        return bool(rows.height) and any(
            r["maximum"] is not None and r["maximum"] != r["minimum"]
            for r in rows.iter_rows(named=True)
        )
    if column.name not in table.columns:
        return False
    values = table[column.name]
    if isinstance(values.dtype, pl.List):
        values = values.explode()
    values = values.drop_nulls()
    if values.dtype.is_numeric():
        values = values.filter(values != 0)
    return len(values) >= 6 and values.n_unique() >= 3


def _anew(raw: RawVersion, *marks: str | None) -> RawVersion:
    return dataclasses.replace(raw, version="-".join(str(m) for m in (raw.version, *marks)))


@contextlib.contextmanager
def _mutated(
    sample: Good, mutation: Mutation, tables: list[str], touched: list[str]
) -> Iterator[None]:
    """Readers yield mutated cells and pixels; what no mutation touches is not read again."""
    kept, parse = sample.kept, adapters.standardise._parse

    def read_table(spec: SourceSpec, name: str, folder: Path, file: str) -> NativeTable:
        del folder
        native = kept.natives[name, file]
        try:
            changed = mutation.table(spec, name, native)
        except NotApplicableError:
            if len(tables) == 1:
                raise
            return native
        touched.extend(
            c.name for c in spec.columns if c.table == name and _about(mutation, spec, c)
        )
        return changed

    def parse_files(spec: SourceSpec, name: str, *rest: object) -> Parsed:
        return parse(spec, name, *rest) if name in tables else kept.tables[spec.id, name]

    def parsed(spec: SourceSpec, column: Column, native: NativeTable, *rest: object) -> list:
        known = kept.columns.get(_place(spec, column, native))
        if known is None or not _same(_texts(native, *rest[:-1]), known[0]):
            return _PARSED(spec, column, native, *rest)
        rest[-1].extend(known[2])
        return known[1]

    def of_column(spec: SourceSpec, column: Column, *rest: object) -> list[tuple[str, Grid]]:
        del rest
        found = list(kept.layers[spec.id, column.name])
        try:
            grids = mutation.layer(spec, column, [grid for _, grid in found])
        except NotApplicableError:
            return found
        touched.append(column.name)
        return [(ref, grid) for (ref, _), grid in zip(found, grids, strict=True)]

    with (
        mock.patch.object(adapters.standardise, "read_table", read_table),
        mock.patch.object(adapters.standardise, "_parse", parse_files),
        mock.patch.object(adapters.columns, "_parsed", parsed),
        mock.patch.object(adapters.rasters, "_layers", of_column),
        _of_one_place(sample),
    ):
        yield


@contextlib.contextmanager
def _of_one_place(sample: Good) -> Iterator[None]:
    """Mutated versions are laid out where the good one is, and are called by their own names."""
    folder = sample.raw.open(sample.settings)
    with (
        mock.patch.object(RawVersion, "open", return_value=folder),
        mock.patch.object(adapters.standardise, "standard_version", lambda _, raw: raw.version),
    ):
        yield


def _about(mutation: Mutation, spec: SourceSpec, column: Column) -> bool:
    return mutation.each is None or mutation.each(spec, column)


def _verdict(
    sample: Good, standard: Standard, each: set[str] | None, about: set[str] | None = None
) -> Cell:
    """What is said of a mutated table.

    Args:
        sample: The good one.
        standard: The mutated one.
        each: Columns of which each must be told; None: one finding is enough.
        about: Columns that may tell it.
    """
    flagged = _flagged(sample, standard)
    first = _at_first(sample, standard, each, set(flagged))
    told = _told(sample, standard, flagged)
    wanted = each if each is not None else set(told) or {""}
    if wanted - told.keys():
        told = {
            **_by_expectations(sample, standard, (wanted - told.keys()) if each else about),
            **told,
        }
        wanted = each if each is not None else set(told) or {""}
    missed = sorted(wanted - told.keys())
    if missed and None not in told:
        return Cell("unseen", ", ".join(missed[:8]), first)
    cells = [told.get(name) or told[None] for name in wanted]
    choose = min if each is None else max
    cell = choose(cells, key=lambda cell: RANK.index(cell.verdict))
    return dataclasses.replace(cell, first=first)


def _at_first(
    sample: Good, standard: Standard, each: set[str] | None, flagged: set[str | None]
) -> str:
    """What is seen where there is neither a last version nor another source.

    That is what is flagged, and what is unlike published soils; making all expectations for each
    case would take most of the time.
    """
    seen = flagged | _unlike_soils(sample, standard, flagged)
    if each is not None:
        found = each if None in seen else each & seen
        return "seen" if found == each else "partly" if found else "unseen"
    return "seen" if seen else "unseen"


def _unlike_soils(sample: Good, standard: Standard, told: set[str | None]) -> set[str | None]:
    """Columns that seem to be in another unit, by published values of their quantities."""
    records = {
        record.name: record
        for record in standard.columns
        if record.quantity and quantity(record.quantity).typical and record.name not in told
    }

    def found(made: Standard) -> set[str | None]:
        some = dataclasses.replace(made, columns=list(records.values()))
        return {
            said.column
            for said in slips.distributions(some, sample.settings.data_root)
            if slips.likely_slip(made, records[said.column], said, ())
        }

    unlike = found(standard) if records else set()
    return unlike - found(sample.standards[standard.spec.id]) if unlike else unlike


def _flagged(sample: Good, standard: Standard) -> dict[str | None, Cell]:
    """Column (None: the whole table) -> what flags say of it that the good sample has not."""
    piece, was = standard.spec, sample.standards[standard.spec.id]
    told: dict[str | None, Cell] = {}
    counts = [
        Counter(s.flags.filter(pl.col("flag").is_in(DOUBTS)).select("column", "flag").iter_rows())
        for s in (was, standard)
    ]
    # A flag that is of the layer counts pixels in its detail.
    before = set(was.flags.filter(pl.col("flag").is_in(DOUBTS)).rows())
    units = {_unit_read(row) for row in before}
    for row in standard.flags.filter(pl.col("flag").is_in(DOUBTS)).rows():
        _, column, flag, _, _, detail = row
        more = piece.is_raster or counts[1][column, flag] > counts[0][column, flag]
        if flag == "unit_by_range":
            more = _unit_read(row) not in units
        if more and row not in before:
            told.setdefault(column, Cell("flagged", f"{flag}: {detail}"))
    for column, detail in set(_of_one_value(standard)) - set(_of_one_value(was)):
        told.setdefault(column, Cell("warned", f"one_value: {detail}"))
    if not piece.is_raster:
        for column in list(told):
            marked = standard.flags.filter(
                pl.col("flag").is_in(DOUBTS), pl.col("column").eq_missing(pl.lit(column, pl.String))
            )
            share = marked["row_ref"].n_unique() / max(standard.table.height, 1)
            if share > piece.max_flagged_share:
                told[column] = Cell("refused", f"{share:.0%} of the rows {told[column].why}")
    return told


def _of_one_value(standard: Standard) -> list[tuple[str, str]]:
    """Layers that one value takes over: their pixels are kept, and an expectation warns."""
    return standard.flags.filter(flag="one_value").select("column", "detail").rows()


def _told(
    sample: Good, standard: Standard, flagged: dict[str | None, Cell]
) -> dict[str | None, Cell]:
    """Column (None: the whole table) -> what flags and the last version say of it."""
    told, was = dict(flagged), sample.standards[standard.spec.id]
    root = sample.settings.data_root
    for column, said in against_last(standard, was.table, root, root).items():
        if column not in told or told[column].verdict != "refused":
            told[column] = Cell("refused", said)
    return told


def _unit_read(row: tuple[object, ...]) -> tuple[object, ...]:
    """Of a decision between two units: the column and the unit."""
    return row[1], str(row[5]).partition(":")[0]


def _by_expectations(
    sample: Good, standard: Standard, about: set[str] | None
) -> dict[str | None, Cell]:
    """Column -> what the expectations of the table and of these columns say."""
    told: dict[str | None, Cell] = {}
    last = sample.last(standard.spec.id)
    if standard.spec.is_raster:
        report = run(standard, expectations_for(standard, last))
    else:
        # What a table must be by itself is refused or flagged before; making hundreds of
        # expectations for each case would take most of the time.
        if about is not None:
            parts = {
                field: {n: v for n, v in getattr(last, field).items() if n in about}
                for field in ("middle", "filled")
            }
            last = dataclasses.replace(last, **parts)
        report = run(standard, compared(standard, last))
    for result in (*report.refusals, *report.warnings):
        verdict = "refused" if result.blocking else "warned"
        known = any(c.name == result.column for c in standard.spec.columns)
        cell = Cell(verdict, f"{result.expectation} {result.observed}")
        told.setdefault(result.column if known else None, cell)
    return told


def _exchanged_layers(sample: Good, piece: SourceSpec) -> Cell:
    """Each numeric layer under the name of the next."""
    numeric = [c for c in piece.columns if c.kind == "numeric" and not c.is_array]
    numeric = [c for c in numeric if sample.standards[piece.id].table.filter(column=c.name).height]
    # Two editions or resolutions of one quantity say the same.
    numeric = list({c.quantity or c.name: c for c in numeric}.values())
    if len(numeric) < 2:
        return Cell("-", "fewer than two quantities")
    source = dict(zip((c.name for c in numeric), [*numeric[1:], numeric[0]], strict=True))

    def of_column(spec: SourceSpec, column: Column, *_: object) -> list[tuple[str, Grid]]:
        return list(sample.kept.layers[spec.id, source.get(column.name, column).name])

    with (
        mock.patch.object(adapters.rasters, "_layers", of_column),
        _of_one_place(sample),
    ):
        try:
            standard = standardise(piece, _anew(sample.raw, "exchanged"), sample.settings)
        except SoilmeldError as error:
            return Cell("refused", error.problem, "seen")
    return _verdict(sample, standard, None)


def _cut(sample: Good, piece: SourceSpec) -> Cell:
    """The largest file of a raster part, cut in half."""
    names = {n for t in piece.tables.values() for n in matching(sample.raw.files, t.files)}
    largest = max((f for f in sample.raw.files if f.name in names), key=lambda f: f.size)
    data = largest.path.read_bytes()
    return _handed_in(sample, piece, {largest.name: data[: len(data) // 2]})


def _of_bytes(sample: Good, foreign: Good | None) -> Cell:
    """A file of another source under the name of the first file of this one."""
    if foreign is None:
        return Cell("-", "no other source has files of this format")
    piece = sample.spec.pieces[0]
    name, other = first_file(sample), first_file(foreign, Path(first_file(sample)).suffix)
    if other is None:
        return Cell("-", "no other source has files of this format")
    files = {f.name: f.path for f in foreign.raw.files}
    if other in files:
        # With those that belong to it: the other files of a shapefile.
        stem, new = Path(other).with_suffix(""), Path(name).with_suffix("")
        siblings = [f for f in files if Path(f).with_suffix("") == stem]
        named = {f"{new}{Path(f).suffix}": files[f].read_bytes() for f in siblings}
    else:
        inside = [f for f in files if f.startswith(f"{other}/")]
        named = {f"{name}{f.removeprefix(other)}": files[f].read_bytes() for f in inside}
    return _handed_in(sample, piece, named)


def first_file(made: Good, suffix: str | None = None) -> str | None:
    """File, or folder of a binary grid, that the first rows or the first layer come from."""
    for standard in made.standards.values():
        for ref in standard.table["row_ref"].to_list():
            file = ref.partition("#")[0].partition("!")[0]
            if suffix is None or Path(file).suffix.lower() == suffix.lower():
                return file
    # Files of joined tables give no rows of their own.
    names = [f.name for f in made.raw.files if "/" not in f.name]
    return next((n for n in names if Path(n).suffix.lower() == suffix), None)


def _handed_in(sample: Good, piece: SourceSpec, named: dict[str, bytes]) -> Cell:
    """Put bytes into the inbox in place of a file, and take them in as a run would."""
    settings = sample.settings
    folder = settings.raw / sample.spec.id
    aside = settings.model_copy(update={"data_root": settings.data_root.parent / "handed"})
    inbox = aside.raw / sample.spec.id
    shutil.rmtree(aside.data_root, ignore_errors=True)
    shutil.copytree(folder, inbox)
    (inbox / ".origin.json").unlink()
    for name, data in named.items():
        (inbox / name).write_bytes(data)
    try:
        raw = ingest(load_spec(sample.spec.id), aside)
        standard = standardise(piece, dataclasses.replace(raw, origin="synthetic"), aside)
    except SoilmeldError as error:
        return Cell("refused", error.problem, "seen")
    if standard.spec.is_raster:
        # Pixels are compared in one place.
        shutil.copytree(aside.std, settings.std, dirs_exist_ok=True)
    return _verdict(sample, standard, None)
