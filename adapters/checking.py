"""Does a downloaded file meet its specification? All that differs, with the line to change.

Belongs here: taking a file, folder or zip as if it were handed in, running it through the same
steps as a committed version in a scratch folder, and naming the line of the specification that each
difference is about.
Never here: a second way to read or parse; expectations on the result (room `expectations`).
"""

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import yaml

from adapters.archive import ORIGIN_FILE, RawFile, RawVersion, of_tables, suspicion
from adapters.columns import match_headers
from adapters.corrections import CORRECTIONS_FILE
from adapters.errors import (
    ArchiveError,
    CodebookError,
    ReadError,
    SoilmeldError,
    UnitError,
    collected,
)
from adapters.readers import NativeTable, as_read, fits, matching, read_table
from adapters.settings import Settings
from adapters.spec import SourceSpec, Table, load_spec, source_ids
from adapters.unpack import has_zips, lay_out

if TYPE_CHECKING:
    from adapters.standardise import Standard

# Endings that files of a reader have; a reader that is not named takes any.
_ENDINGS = {
    "csv": (".csv", ".txt", ".tsv", ".dat"),
    "avl": (".avl",),
    "mdb": (".mdb", ".accdb"),
    "rdata": (".rdata", ".rda", ".rds"),
    "xlsx": (".xlsx", ".xlsm"),
    "xls": (".xls",),
    "dbf": (".dbf",),
    "vector": (".shp", ".gpkg", ".geojson", ".json", ".kml", ".gml", ".tab", ".fgb"),
    "raster": (".tif", ".tiff", ".asc", ".rst", ".img", ".bil", ".flt", ".adf", ".vrt", ".grd"),
    "netcdf": (".nc", ".nc4", ".cdf"),
    "photographs": (".jpg", ".jpeg", ".png", ".tif", ".tiff"),
}
_SAMPLES = 5
_FITS = 0.8
"""Share of a table's headers that a file must have to be taken for a file of it."""
_CLOSE = 0.6
"""Likeness of two file names (of difflib) from which one may be meant by the other."""


@dataclass(frozen=True)
class Finding:
    """One difference between what was handed in and the specification.

    Attributes:
        problem: What differs.
        where: File and row, header, layer or band.
        samples: What stands there.
        spec_line: Line of the specification that says otherwise, such as `columns.csv:17`.
        assumed: What the specification assumed without having seen it, or None.
        change: What to do: a change of that line, or of the file.
        refused: Would a run refuse the file for it?
    """

    problem: str
    where: str
    samples: tuple[str, ...]
    spec_line: str | None
    assumed: str | None
    change: str
    refused: bool

    def readable(self) -> str:
        """A paragraph: what differs, what stands there, the line, and what to do."""
        lines = [f"{'REFUSED' if self.refused else 'note'} {self.where}: {self.problem}"]
        if self.samples:
            lines.append("  found: " + ", ".join(repr(s) for s in self.samples))
        if self.assumed:
            lines.append(f"  {self.assumed}, and nobody had seen the file")
        if self.spec_line:
            lines.append(f"  spec: {self.spec_line}")
        return "\n".join([*lines, f"  remedy: {self.change}"])

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Examination:
    """What became of the files.

    Attributes:
        spec: The source.
        tables: Native table -> its files among those handed in.
        standards: What would be committed, with NULL for what was refused; the main part first.
        findings: What differs.
        unread: Tables of which a whole file was refused: their columns hold less, or nothing.
    """

    spec: SourceSpec
    tables: dict[str, list[str]]
    standards: tuple["Standard", ...]
    findings: tuple[Finding, ...]
    unread: frozenset[str] = frozenset()


def examine(spec: SourceSpec, path: Path, settings: Settings) -> Examination:
    """Run files through reading, parsing, placing and the rules, and collect all that is refused.

    Args:
        spec: The source.
        path: A file (those of the same stem beside it belong to it), a folder or a zip file.
        settings: Whose data root is a scratch folder: nothing is archived or committed.

    Raises:
        ReadError: There is no such file, or the folder is empty.
    """
    from adapters.standardise import standardise

    try:
        present = _present(spec, path, settings)
    except ArchiveError as error:  # A zip that does not open is told as any other fault of a file.
        nothing: dict[str, list[str]] = {name: [] for name in spec.tables}
        return Examination(spec, nothing, (), tuple(_from_errors(spec, [error], nothing)))
    whole = path.is_dir() or path.suffix.lower() == ".zip"
    findings: list[Finding] = []
    named = _named(spec, present, findings, rename=not whole)
    raw = _version(spec, named)
    tables = {name: matching(raw.files, t.files) for name, t in spec.tables.items()}
    if raw.files or not any(finding.refused for finding in findings):
        findings += _missing_tables(spec, tables, whole)
    standards: list[Standard] = []
    unread: set[str] = set()
    for piece in spec.pieces:
        here = [name for name in piece.tables if tables[name]]
        if not here:
            continue
        with collected() as errors:
            try:
                made = standardise(piece, raw, settings)
                standards.append(made)
            except SoilmeldError as error:
                errors.append(error)
        findings += _from_errors(piece, errors, tables)
        unread |= _unread_tables(errors)
    # Of a workbook none of whose sheets could be taken, that is what there is to say.
    whole_files = {f.where.partition(", ")[0] for f in findings if f.refused}
    left_out = _left_out_sheets(spec, named, tables)
    findings += [finding for finding in left_out if finding.where not in whole_files]
    told = tuple(dict.fromkeys(findings))
    return Examination(spec, tables, tuple(standards), told, frozenset(unread))


def better_fit(spec: SourceSpec | None, path: Path) -> list[tuple[str, float]]:
    """Sources whose tables have a file's headers, or whose patterns have its name; best first.

    Args:
        spec: A source that it should fit better than, or None.
        path: The file.

    Returns:
        Source id and the share of the table's headers that the file has (1 for a layer whose name
        fits), for all above `_FITS`.
    """
    read: dict[str, NativeTable | None] = {}
    own = _fit(spec, path, read) if spec else 0.0
    fits = [(s, _fit(load_spec(s), path, read)) for s in source_ids() if not spec or s != spec.id]
    found = [(s, share) for s, share in fits if share >= _FITS and share > own]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def spec_line(spec: SourceSpec, key: Sequence[str]) -> str | None:
    """`file:line` of a key of the specification; of the deepest part of it that stands there.

    Args:
        spec: The source.
        key: `("columns", <canonical name>)`, `("corrections", <id>)`, or keys of source.yaml.
    """
    if not key:
        return None
    if key[0] == "columns":
        lines = [c.line for c in spec.columns if c.name == key[1] and c.line]
        return f"columns.csv:{lines[0]}" if lines else None
    file = CORRECTIONS_FILE if key[0] == "corrections" else "source.yaml"
    path = spec.folder / file
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    if file == CORRECTIONS_FILE:
        starts = [i for i, line in enumerate(text.splitlines(), 1) if f"id: {key[1]}" in line]
        return f"{file}:{starts[0]}" if starts else None
    node, line = yaml.compose(text), 1
    for part in key:
        if not isinstance(node, yaml.MappingNode):
            break
        found = [(k, v) for k, v in node.value if k.value == part]
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return f"{file}:{line}"


def assumption(spec: SourceSpec, key: Sequence[str], header: bool) -> str | None:
    """What the specification assumed about a column or table, in words; None where it knew.

    Args:
        spec: The source.
        key: As of `spec_line`.
        header: Is the difference about the column's header or layer rather than its values?
    """
    if key[:1] == ("columns",):
        column = spec.column(key[1])
        if header:
            what, evidence = f"the header or layer {column.native!r}", column.evidence
        elif column.kind == "numeric":
            what = f"the unit {column.unit}" + (f" ({column.basis})" if column.basis else "")
            evidence = column.unit_evidence or column.evidence
        elif column.kind == "categorical":
            what, evidence = f"the codes of codebook {column.codebook}", column.evidence
        else:
            what, evidence = f"that {column.native!r} is a {column.kind}", column.evidence
        return f"the spec assumed {what}" if evidence == "assumed" else None
    table = key[1] if key[:1] == ("tables",) and len(key) > 1 else None
    told = {c.evidence for c in spec.columns if table in (None, c.table)}
    if key[-1:] == ("crs",):
        crs = spec.tables[table].read.crs if table else spec.space.crs
        said = spec.space.crs_evidence or ("assumed" if told == {"assumed"} else "verified")
        return f"the spec assumed the CRS {crs}" if crs and said == "assumed" else None
    if told != {"assumed"}:
        return None
    if table is None:
        return None
    return f"the spec assumed a file {' or '.join(spec.tables[table].files)} in this form"


def with_evidence(spec: SourceSpec, error: SoilmeldError) -> str:
    """Message of an error, with the line of the specification and what was only assumed there."""
    lines = [str(error)]
    if assumed := assumption(spec, error.spec_key, header=_of_header(spec, error)):
        lines.append(f"  {assumed}, and nobody had seen the file")
    if line := spec_line(spec, error.spec_key):
        lines.append(f"  spec: {spec.folder.name}/{line}")
    return "\n".join(lines)


def _of_header(spec: SourceSpec, error: SoilmeldError) -> bool:
    """Is an error about a header or the name of a layer, and not about values?"""
    layer = error.spec_key[:1] == ("columns",) and spec.tables[
        spec.column(error.spec_key[1]).table
    ].read.reader in ("raster", "netcdf")
    return error.where == "header" or (layer and not isinstance(error, CodebookError | UnitError))


def _present(spec: SourceSpec, path: Path, settings: Settings) -> dict[str, Path]:
    """Files that were handed in, by the name that they have in the folder."""
    if path.is_file() and has_zips(spec, [path.name]):
        path = lay_out(spec, path.parent, [path.name], list, settings)
    if path.is_dir():
        found = _files(path)
        if has_zips(spec, list(found)):
            found = _files(lay_out(spec, path, list(found), list, settings))
    elif path.is_file():
        stem = path.name.split(".")[0].casefold()
        sides = [p for p in sorted(path.parent.iterdir()) if p.is_file() and p != path]
        found = {path.name: path}
        found |= {p.name: p for p in sides if p.name.split(".")[0].casefold() == stem}
    else:
        found = {}
    if not found:
        raise ReadError("there is no file", source=spec.id, file=str(path), remedy="check the path")
    return found


def _files(folder: Path) -> dict[str, Path]:
    """Files of a folder by their name in it."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ORIGIN_FILE]
    return {p.relative_to(folder).as_posix(): p for p in files}


def _named(
    spec: SourceSpec, present: dict[str, Path], findings: list[Finding], rename: bool
) -> dict[str, Path]:
    """The files under the names that the specification expects, where it is clear which is meant.

    Files that are not what their name says are told and left out.
    """
    expected = of_tables(spec, present)
    first = next(iter(present))
    if rename and first not in expected:
        if fault := suspicion(present[first]):
            findings.append(_broken(fault, first, present[first]))
            return {}
        name = _meant(spec, first, present[first], findings)
        if name is None:
            return {}
        stem, new = first.rsplit(".", 1)[0], name.rsplit(".", 1)[0]
        renamed = {new + n[len(stem) :] if n.startswith(stem) else n: p for n, p in present.items()}
        present, expected = renamed, of_tables(spec, renamed)
    elif not rename and (unread := sorted(set(present) - set(expected))):
        findings.append(_unread(spec, unread, present))
    kept = {}
    for name in expected:
        if fault := suspicion(present[name]):
            findings.append(_broken(fault, name, present[name]))
        else:
            kept[name] = present[name]
    return kept


def _broken(fault: str, name: str, path: Path) -> Finding:
    """A file that is not what its name says."""
    return Finding(
        fault.replace(path.name, "the file", 1),
        name,
        (),
        None,
        None,
        "download the file again: log in at the landing page of the source first",
        refused=True,
    )


def _unread(spec: SourceSpec, unread: Sequence[str], present: dict[str, Path]) -> Finding:
    """Files of a folder that no table expects, and what they may be."""
    names = {name: PurePosixPath(name).name for name in present}
    absent = [
        (c, file)
        for c in spec.columns
        for file in dict.fromkeys(n.partition("#")[0] for n in c.natives)
        if PurePosixPath(file).suffix and not any(fits(n, [file]) for n in present)
    ]
    advice = []
    for column, file in absent if spec.is_raster else []:
        near = difflib.get_close_matches(file, [names[n] for n in unread], 1, _CLOSE)
        if near:
            advice.append(
                f"if {near[0]!r} is layer {column.name}, name it {file}, or correct native in line "
                f"{column.line} of columns.csv"
            )
    others = {s for name in unread[:_SAMPLES] for s, _ in better_fit(spec, present[name])[:1]}
    if others:
        named = " or ".join(sorted(others))
        advice.append(f"files of source {named}: check them as that")
    return Finding(
        f"{len(unread)} files are not read: no table of the source expects them",
        "the folder",
        tuple(unread[:_SAMPLES]),
        spec_line(spec, ("tables",)),
        None,
        "; ".join(advice[:_SAMPLES]) or "nothing, if the tables have all that you need",
        refused=False,
    )


def _left_out_sheets(
    spec: SourceSpec, named: dict[str, Path], tables: dict[str, list[str]]
) -> Iterator[Finding]:
    """Sheets of workbooks that no table reads: whether they matter, a person has to say."""
    from adapters.readers.table import sheets_left_out

    reads: dict[str, list[tuple[str, str | None]]] = {}
    for table, files in tables.items():
        for file in files:
            read = as_read(spec, table, file).tables[table].read
            if read.reader in ("xlsx", "xls"):
                reads.setdefault(file, []).append((table, read.sheet))
    for file, sheets in reads.items():
        left = sheets_left_out(named[file], [sheet for _, sheet in sheets])
        if not left:
            continue
        table = sheets[0][0]
        yield Finding(
            f"{len(left)} sheets of the workbook are not read: no table names them",
            file,
            tuple(left[:_SAMPLES]),
            spec_line(spec, ("tables", table, "read")),
            None,
            "nothing, if the other sheets have all that you need; else name the sheet as `sheet` "
            f"under `read` of table {table} in source.yaml, or of a table of its own",
            refused=False,
        )


def _meant(spec: SourceSpec, name: str, path: Path, findings: list[Finding]) -> str | None:
    """Name that the specification has for a file which is named otherwise."""
    suffix = PurePosixPath(name).suffix.lower()
    able = [
        table
        for table, t in spec.tables.items()
        if t.compose != "keep" and suffix in _endings(t, suffix)
    ]
    patterns = [p for t in spec.tables.values() for p in t.files]
    others = better_fit(spec, path)
    hint = f"; it fits source {others[0][0]!r} better" if others else ""
    if not able:
        table = next(iter(spec.tables))
        findings.append(
            Finding(
                f"no table of the source is read from {suffix or 'such'} files{hint}",
                name,
                tuple(patterns[:5]),
                spec_line(spec, ("tables", table, "read", "reader")),
                assumption(spec, ("tables", table), header=True),
                f"hand in {' or '.join(patterns[:3])}; if the publisher has changed the format, "
                f"correct `files` and `reader` of table {table} in source.yaml",
                refused=True,
            )
        )
        return None
    read: dict[str, NativeTable | None] = {}
    shares = {table: _table_fit(spec, table, path, read) for table in able}
    if others and max(shares.values()) < _FITS:
        findings.append(
            Finding(
                f"it is no file of this source: its headers or name are those of {others[0][0]!r}",
                name,
                tuple(patterns[:5]),
                None,
                None,
                f"check it as {others[0][0]}; if it is one of this source all the same, name it as "
                "this source does and check again",
                refused=True,
            )
        )
        return None
    likeness = difflib.SequenceMatcher(b=name.casefold())

    def alike(pair: tuple[str, str]) -> tuple[float, float]:
        likeness.set_seq1(pair[1].casefold())
        return shares[pair[0]], likeness.ratio()

    table, meant = max(((t, file) for t in able for file in _files_of(spec, t)), key=alike)
    key = ("tables", table, "files")
    findings.append(
        Finding(
            f"no table expects a file of this name; it was read as {meant}, table {table!r}{hint}",
            name,
            tuple(spec.tables[table].files),
            spec_line(spec, key),
            assumption(spec, key, header=True),
            f"name it {meant}, or add {name} to `files` of table {table} in source.yaml"
            + (" and correct native of its layers in columns.csv" if spec.is_raster else ""),
            refused=True,
        )
    )
    return meant.replace("*", PurePosixPath(name).stem)


def _files_of(spec: SourceSpec, table: str) -> list[str]:
    """Names that files of a table have: those of its layers, or the patterns of the table."""
    layers = [n.partition("#")[0] for c in spec.columns if c.table == table for n in c.natives]
    files = [file for file in dict.fromkeys(layers) if PurePosixPath(file).suffix]
    return files if spec.is_raster and files else list(spec.tables[table].files)


def _version(spec: SourceSpec, files: dict[str, Path]) -> RawVersion:
    listed = []
    for name, path in files.items():
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        listed.append(RawFile(name, path.resolve(), sha256, path.stat().st_size))
    content = "\0".join(f.name + f.sha256 for f in listed)
    version = "check-" + hashlib.sha256(content.encode()).hexdigest()[:16]
    return RawVersion(spec.source, version, "user", "user", tuple(listed), "")


def _missing_tables(
    spec: SourceSpec, tables: dict[str, list[str]], whole: bool
) -> Iterator[Finding]:
    """Tables without a file: refused where everything was handed in, else still to come."""
    for name, table in spec.tables.items():
        if tables[name] or not table.required:
            continue
        key = ("tables", name, "files")
        yield Finding(
            f"no file of table {name!r}" + ("" if whole else " was given with it"),
            " or ".join(table.files),
            (),
            spec_line(spec, key),
            assumption(spec, key, header=True),
            f"hand it in too: {spec.access.instructions.strip().rstrip('.')}; if it is named "
            f"otherwise, correct `files` of table {name} in source.yaml",
            whole,
        )


def _from_errors(
    spec: SourceSpec, errors: Sequence[SoilmeldError], tables: dict[str, list[str]]
) -> Iterator[Finding]:
    refused = {error.spec_key[1] for error in errors if error.spec_key[:1] == ("columns",)}
    refused |= {c.name for c in spec.columns if c.table in _unread_tables(errors)}
    told: set[tuple[str | None, ...]] = set()
    for error in errors:
        key = error.spec_key
        about = (error.problem, error.file, error.where, *error.samples)
        if about in told:
            continue  # of a layer that several columns need
        told.add(about)
        if key == ("keys",) and refused & set(spec.keys):
            continue  # keys without a column that was refused are told by that
        if key[:1] == ("tables",) and not tables.get(key[1]):
            continue  # told as a missing table
        if key[:1] == ("columns",) and not tables.get(spec.column(key[1]).table):
            continue
        yield Finding(
            error.problem,
            ", ".join(part for part in (error.file, error.where) if part),
            tuple(error.samples),
            spec_line(spec, key),
            assumption(spec, key, header=_of_header(spec, error)),
            error.remedy or "",
            True,
        )


def _unread_tables(errors: Sequence[SoilmeldError]) -> set[str]:
    """Tables of which a whole file was refused."""
    keys = [error.spec_key for error in errors]
    return {
        key[1] for key in keys if key[:1] == ("tables",) and key[2:3] in (("files",), ("read",))
    }


def _endings(table: Table, unknown: str = "") -> tuple[str, ...]:
    """Endings of the files that a table is read from; `unknown` for a reader of any."""
    reads = [table.read, *table.alternatives.values()]
    return tuple(e for read in reads for e in _ENDINGS.get(read.reader, (unknown,)))


def _fit(spec: SourceSpec, path: Path, read: dict[str, NativeTable | None]) -> float:
    """Share of the headers of the best fitting table of a source that a file has."""
    return max((_table_fit(spec, table, path, read) for table in spec.tables), default=0.0)


def _table_fit(
    spec: SourceSpec, name: str, path: Path, read: dict[str, NativeTable | None]
) -> float:
    table = spec.tables[name]
    if path.suffix.lower() not in _endings(table) or table.compose == "keep":
        return 0.0
    if table.read.reader in ("raster", "netcdf"):
        natives = [n for c in spec.columns if c.table == name for n in c.natives]
        own = (path.name.casefold(), f"{path.parent.name}/".casefold())
        return float(any(n.partition("#")[0].casefold() in own for n in natives))
    key = table.read.model_dump_json()
    if key not in read:
        try:
            read[key] = read_table(spec, name, path.parent, path.name)
        except SoilmeldError:
            read[key] = None  # It cannot be read that way: it is no file of such a table.
    native = read[key]
    wanted = [c for c in spec.columns if c.table == name and c.required and c.native != "*"]
    if native is None or len(wanted) < 3:
        return 0.0
    with collected():
        places = match_headers(spec, name, native)
    found = [place is not None for column in wanted for place in places[column.name]]
    return sum(found) / len(found)
