"""Readers: raw files to text cells, geometries or grids, and nothing more.

Belongs here: opening native formats through well-kept libraries, and refusing files that are not
what they claim to be. Never here: what a column means, units, codes, or joins.

Every cell is read as text, so that what stood in the file can be shown again.
"""

import dataclasses
import fnmatch
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from adapters.errors import ReadError
from adapters.spec import SourceSpec, Table

if TYPE_CHECKING:
    from adapters.archive import RawFile


# After a byte order mark, blanks, comments and an XML declaration.
_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml.*?\?>)*<(?:!doctype\s+html|html|head)\b",
    re.I | re.S,
)

# Files that say nothing without those of the same stem beside them.
_SIDES = {".rst": (".rdc",), ".shp": (".shx", ".dbf")}

ODD_SCHEMA = {"row": pl.UInt32, "place": pl.String, "text": pl.String}


@dataclass(frozen=True)
class NativeTable:
    """One native table as text.

    Attributes:
        place: `file` or `file!sheet`.
        headers: Header texts in file order, one for each column of `cells`.
        cells: Text columns named `0`, `1`, ...; an empty cell is NULL.
        rows: 1-based line or row in the file, header counted, one for each row of `cells`.
        geometry: WKB in `crs`, for vector files.
        crs: WKT of the CRS that the file states.
        numbers: Float32 columns named as those of `cells` would be, for the elements of arrays so
            wide that their text would not fit; NULL where the cell is empty or in `odd`.
        odd: The cells of `numbers` that are no number: index of the row, column, text.
    """

    place: str
    headers: tuple[str, ...]
    cells: pl.DataFrame
    rows: pl.Series
    geometry: pl.Series | None = None
    crs: str | None = None
    numbers: pl.DataFrame | None = None
    odd: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ODD_SCHEMA))

    def text(self, place: str) -> pl.Series:
        """Cells of one column as text."""
        if self.numbers is None or place in self.cells.columns:
            return self.cells[place]
        text = as_text(self.numbers.select(place)).to_series()
        odd = self.odd.filter(place=place)
        return text.scatter(odd["row"].to_list(), odd["text"].to_list())

    def at(self, rows: pl.Series) -> "NativeTable":
        """The rows for which a boolean series is true."""
        kept = pl.DataFrame({"row": rows.arg_true()}).with_row_index("new")
        odd = self.odd.join(kept, on="row", maintain_order="left").drop("row")
        return dataclasses.replace(
            self,
            cells=self.cells.filter(rows) if self.cells.width else self.cells,
            rows=self.rows.filter(rows),
            geometry=None if self.geometry is None else self.geometry.filter(rows),
            numbers=None if self.numbers is None else self.numbers.filter(rows),
            odd=odd.rename({"new": "row"}).select(list(ODD_SCHEMA)),
        )

    @property
    def row_refs(self) -> pl.Series:
        """`place#row` of every row."""
        return (self.place + "#" + self.rows.cast(pl.String)).alias("row_ref")


def fits(name: str, patterns: Iterable[str]) -> bool:
    """Does a file's name, or the end of its path, match any of the patterns, without case?"""
    wanted = [p.casefold() for p in patterns]
    return any(fnmatch.fnmatchcase(end, pattern) for end in _ends(name) for pattern in wanted)


# A source of a hundred layers asks for each of its files a hundred times.
@functools.lru_cache(10_000)
def _ends(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name.casefold()).parts
    return tuple("/".join(parts[i:]) for i in range(len(parts)))


def matching(files: Iterable["RawFile"], patterns: Iterable[str]) -> list[str]:
    """Names of the raw files that match any of the patterns, without case, sorted."""
    patterns = list(patterns)
    return sorted(f.name for f in files if fits(f.name, patterns))


def is_glob(native: str) -> bool:
    """Does the name of a layer stand for several files, one for each country or tile?"""
    return any(mark in native for mark in "*?[")


def layer_files(files: Iterable["RawFile"], natives: Iterable[str]) -> list[str]:
    """Names of the files, and of the folders of ESRI binary grids, that hold a layer, sorted.

    A native that ends with a slash names such a folder: the one that holds its `hdr.adf`.
    """
    natives = list(natives)
    names = [f.name for f in files]
    folders = {
        PurePosixPath(name).parent.as_posix()
        for native in natives
        if native.endswith("/")
        for name in names
        if fits(name, [f"{native}hdr.adf"])
    }
    plain = [native for native in natives if not native.endswith("/")]
    return sorted({*folders, *(name for name in names if fits(name, plain))})


def read_table(spec: SourceSpec, name: str, folder: Path, file: str) -> NativeTable:
    """Read one file of a native table as text.

    Args:
        spec: The source.
        name: Id of the native table in the specification.
        folder: Where the file stands under its own name.
        file: Its name.

    Raises:
        ReadError: The file is empty, broken, of another format or encoding, or has no such sheet.
    """
    from adapters.readers import database, legend, package, r_objects, table, vector, wide

    spec = as_read(spec, name, file)
    path, read = folder / file, spec.tables[name].read
    if path.stat().st_size == 0:
        raise ReadError(
            "the file is empty", source=spec.id, file=file, remedy="fetch the file again"
        )
    refuse_web_page(spec.id, file, path)
    is_wide = any(c.table == name and c.is_wide for c in spec.columns)
    readers = {
        "csv": wide.read_wide if is_wide else table.read_csv,
        "xlsx": table.read_workbook,
        "xls": table.read_workbook,
        "dbf": vector.read_vector,
        "mdb": database.read_access,
        "rdata": r_objects.read_r,
        "avl": legend.read_legend,
        "vector": vector.read_vector,
        "package": package.read_package,
    }
    if read.reader not in readers:
        raise ReadError(
            "a folder of photographs is one table, whose rows are not in any file"
            if read.reader == "photographs"
            else f"reader {read.reader!r} yields layers, not rows",
            source=spec.id,
            file=file,
            remedy=f"set modality raster or netcdf, or one of the readers {sorted(readers)}",
        )
    native = readers[read.reader](spec, name, path, file)
    if read.callable and read.reader != "package":
        native = package.prepared(spec, name, native, folder)
    if native.rows.is_empty():
        raise ReadError(
            "a header and no rows", source=spec.id, file=native.place, remedy="fetch the file again"
        )
    return native


def as_read(spec: SourceSpec, name: str, file: str) -> SourceSpec:
    """The specification as it is for one file of a table, which may have a format of its own."""
    table = spec.tables[name]
    for pattern, read in table.alternatives.items():
        if fits(file, [pattern]):
            own = table.model_copy(update={"read": read, "alternatives": {}})
            return spec.model_copy(update={"tables": {**spec.tables, name: own}})
    return spec


@functools.lru_cache(maxsize=65_536)
def plain_header(header: str) -> str:
    """A header as it is compared with others: without case, its blanks made one."""
    return " ".join(header.split()).casefold()


def is_web_page(start: bytes) -> bool:
    """Does a file that starts with these bytes start as an HTML page does?"""
    return _WEB_PAGE.match(start) is not None


def refuse_web_page(source: str, file: str, path: Path) -> None:
    """Refuse a web page (a login form, as a rule) that was saved under a data file's name.

    Raises:
        ReadError: The file starts as an HTML page does.
    """
    with path.open("rb") as handle:
        start = handle.read(512)
    if is_web_page(start):
        raise ReadError(
            "a web page, not data",
            source=source,
            file=file,
            where="line 1",
            samples=[start.decode("utf-8", "replace").strip()[:80]],
            remedy="log in at the landing page of the source, download the file itself, and put "
            "it in place of this one",
        )


def require_sides(spec: SourceSpec, path: Path, file: str) -> None:
    """Refuse a file without those beside it that it is one with.

    Raises:
        ReadError: One of them is absent.
    """
    wanted = _SIDES.get(path.suffix.lower(), ())
    there = {p.name.casefold() for p in path.parent.iterdir()} if wanted else set()
    absent = [side for side in wanted if f"{path.stem}{side}".casefold() not in there]
    if absent:
        names = " and ".join(f"{PurePosixPath(file).stem}{suffix}" for suffix in absent)
        raise ReadError(
            f"{names} is not beside it",
            source=spec.id,
            file=file,
            remedy=f"put {names} of the same download into the same folder",
        )


def table_files(spec: SourceSpec, name: str, files: Iterable["RawFile"]) -> list[str]:
    """Names of the files of one native table.

    Raises:
        ReadError: A required table has no file, or its files are of two editions.
    """
    files = list(files)
    table: Table = spec.tables[name]
    found = matching(files, table.files)
    if not found and table.required:
        raise ReadError(
            f"no file of table {name!r}",
            source=spec.id,
            where=" or ".join(table.files),
            samples=[f.name for f in files],
            remedy=f"put a file named {' or '.join(table.files)} into data/raw/{spec.source}/",
            spec_key=("tables", name, "files"),
        )
    editions = {name: matching(files, own) for name, own in table.editions.items()}
    present = {name: own for name, own in editions.items() if own}
    if len(present) > 1:
        raise ReadError(
            f"files of {len(present)} editions, which are never mixed",
            source=spec.id,
            samples=[f"{name}: {', '.join(own[:3])}" for name, own in present.items()],
            remedy=f"keep the files of one edition in data/raw/{spec.source}/",
        )
    return found


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Typed columns as the text a person would have written.

    A whole number loses the `.0` that its storage as a float would print, so that codes and
    identifiers read the same from every format.
    """
    expressions = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype.is_float():
            # Not by way of Float64, which would print what Float32 does not hold.
            column = column.fill_nan(None)
            whole = (column == column.round()) & (column.abs() < 1e15)
            text = pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String))
            column = text.otherwise(column.cast(pl.String))
        elif isinstance(dtype, pl.Datetime):
            column = column.dt.strftime("%Y-%m-%d %H:%M:%S")
        elif dtype == pl.Binary:
            column = column.bin.encode("hex")
        expressions.append(column.cast(pl.String))
    return frame.select(expressions)
