"""Text tables and workbooks, every cell as text.

Belongs here: csv by polars, xlsx and xls by calamine (fastexcel).
Never here: the meaning of a column; dbf, which GDAL reads (`vector.py`).
"""

import codecs
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable, plain_header
from adapters.spec import SourceSpec

if TYPE_CHECKING:
    from fastexcel import CellErrors, ExcelReader

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF8 = ("utf-8", "utf-8-sig", "ascii")
# Lines of title and remarks that may stand above a header.
_ABOVE = 20
# Office Open XML (ECMA-376), error values of a cell, by calamine's names.
_ERRORS = {
    "NA": "#N/A",
    "Div0": "#DIV/0!",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
}


def read_csv(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read a delimited text file.

    Raises:
        ReadError: Wrong encoding, a row with more or fewer cells than the header, an open quote.
    """
    read = spec.tables[name].read
    data = decoded(spec, name, path.read_bytes(), file).encode()
    if not data.strip():
        raise ReadError(
            "the file is empty", source=spec.id, file=file, remedy="fetch the file again"
        )
    if not data.endswith(b"\n"):
        data += b"\n"
    lines, delimiters = records(data, read.delimiter, read.comment)
    lines, delimiters = lines[read.header_row :], delimiters[read.header_row :]
    if len(lines) == 0:
        raise ReadError(
            "no header row", source=spec.id, file=file, remedy="correct header_row in source.yaml"
        )
    require_delimiter(spec, name, file, data.splitlines()[lines[0] - 1].decode(), delimiters)
    wrong = np.flatnonzero(delimiters != delimiters[0])
    if above := _lines_above(delimiters):
        raise ReadError(
            f"its headers seem to stand in line {lines[above]}, not in line {lines[0]}",
            source=spec.id,
            file=file,
            where="header",
            samples=[data.splitlines()[lines[i] - 1].decode()[:80] for i in (0, above)],
            remedy=f"set `header_row: {read.header_row + above}` under `read` of table {name} in "
            "source.yaml",
            spec_key=("tables", name, "read", "header_row"),
        )
    if len(wrong):
        raise ReadError(
            f"{len(wrong)} rows have another number of cells than the header's "
            f"{delimiters[0] + 1}: the file is cut off, its delimiter is not "
            f"{read.delimiter!r}, or a quote stays open",
            source=spec.id,
            file=file,
            where=f"line {lines[wrong[0]]}",
            samples=[f"line {lines[i]}: {delimiters[i] + 1} cells" for i in wrong],
            remedy="fetch the file again, or correct `delimiter` in source.yaml",
        )
    schema = {str(i): pl.String for i in range(int(delimiters[0]) + 1)}
    # What stands above the header may have any number of cells.
    below = data.split(b"\n", int(lines[0]) - 1)[-1]
    frame = parsed(spec, name, file, below, schema)
    if frame.height != len(lines):
        raise ReadError(
            f"{frame.height} rows were read where the file has {len(lines)}",
            source=spec.id,
            file=file,
            remedy="look for a quote that stays open",
        )
    headers = tuple((h or "").strip() for h in frame.row(0))
    cells = filled(frame[1:])
    blank = pl.all_horizontal(pl.all().is_null())
    rows = pl.Series("row", lines[1:], dtype=pl.Int64)
    keep = ~cells.select(blank).to_series()
    return _without_empty_columns(file, headers, cells.filter(keep), rows.filter(keep))


def _lines_above(delimiters: np.ndarray) -> int:
    """How many lines of fewer cells stand above a table whose other rows all have as many."""
    others = np.flatnonzero(delimiters != delimiters[-1])
    above = int(others[-1]) + 1 if len(others) else 0
    fewer = bool((delimiters[:above] < delimiters[-1]).all())
    return above if fewer and above <= _ABOVE and len(delimiters) - above > above else 0


def parsed(
    spec: SourceSpec, name: str, file: str, data: bytes, schema: dict[str, type[pl.DataType]]
) -> pl.DataFrame:
    """Cells of a delimited text, its header among them, in columns of given types.

    Raises:
        ReadError: It does not parse, or a cell is not of its column's type.
    """
    read = spec.tables[name].read
    try:
        return pl.read_csv(
            data,
            has_header=False,
            separator=read.delimiter,
            comment_prefix=read.comment,
            schema=schema,
        )
    except pl.exceptions.PolarsError as error:
        raise ReadError(
            f"not a readable table: {str(error).splitlines()[0]}",
            source=spec.id,
            file=file,
            remedy="fetch the file again, or correct delimiter and comment in source.yaml",
        ) from error


def require_delimiter(
    spec: SourceSpec, name: str, file: str, header: str, delimiters: np.ndarray
) -> None:
    """Refuse a header of one cell that another delimiter would split.

    Raises:
        ReadError: So it is.
    """
    declared = spec.tables[name].read.delimiter
    counts = {mark: header.count(mark) for mark in ";\t|," if mark != declared}
    likely = max(counts, key=counts.__getitem__)
    wanted = [c for c in spec.columns if c.table == name and c.required]
    if delimiters[0] or len(wanted) < 2 or not counts[likely]:
        return
    raise ReadError(
        f"its cells are not divided by {declared!r}, but by {likely!r}, it seems",
        source=spec.id,
        file=file,
        where="header",
        samples=[header[:80]],
        remedy=f"set `delimiter: {likely!r}` under `read` of table {name} in source.yaml, and "
        f"`decimal: ','` if the file writes decimal commas; or save the file with {declared!r}",
    )


def read_workbook(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read one sheet of a workbook.

    Raises:
        ReadError: Not a workbook, no such sheet, or the header is not in its row.
    """
    import fastexcel

    read = spec.tables[name].read
    try:
        book = fastexcel.read_excel(path.read_bytes())
    except fastexcel.FastExcelError as error:
        raise ReadError(
            f"not a readable workbook: {str(error).splitlines()[0]}",
            source=spec.id,
            file=file,
            remedy="fetch the file again; it may be cut off",
        ) from error
    if read.sheet is not None and read.sheet not in book.sheet_names:
        raise ReadError(
            f"no sheet {read.sheet!r}",
            source=spec.id,
            file=file,
            samples=book.sheet_names,
            remedy=f"correct `sheet` of table {name} in source.yaml",
        )
    sheet = read.sheet or book.sheet_names[0]
    place = f"{file}!{sheet}"
    if read.sheet is None and len(book.sheet_names) > 1:
        _require_first_sheet(spec, name, file, book)
    top = read.header_row if read.block_row is None else min(read.header_row, read.block_row)
    try:
        batch, errors = book.load_sheet(
            sheet, header_row=top, dtypes="string"
        ).to_arrow_with_errors()
        text = _with_errors(pl.DataFrame(pl.from_arrow(batch)), errors)
        number = pl.DataFrame(book.load_sheet(sheet, header_row=top, dtypes="float"))
        named = pl.DataFrame(
            book.load_sheet(sheet, header_row=None, skip_rows=top, n_rows=1, dtypes="string")
        )
        below = pl.DataFrame(book.load_sheet(sheet, header_row=top + 1, dtypes="string"))
    except fastexcel.FastExcelError as error:
        raise ReadError(
            f"the sheet cannot be read: {str(error).splitlines()[0]}",
            source=spec.id,
            file=place,
            remedy="correct header_row in source.yaml, or fetch the file again",
        ) from error
    if text.columns and below.columns == text.columns and below.height == text.height:
        # The library skips empty rows above the first filled one, which would shift row numbers.
        problem = "the header is not in its row: the rows above it are empty"
        remedy = f"set header_row of table {name} in source.yaml"
        if read.block_row is not None:
            problem = f"row {top + 1}, where the names of the blocks of columns belong, is empty"
            remedy = (
                "if the names are missing, write each over the first column of its block; if they "
                f"stand further down, set block_row and header_row of table {name} in source.yaml"
            )
        raise ReadError(problem, source=spec.id, file=place, where=f"row {top + 1}", remedy=remedy)
    # The library numbers headers that stand twice: the row itself says which do.
    written = named.row(0) if named.height else ()
    first = tuple(
        "" if h.startswith("__UNNAMED__") else (w if written.count(w) > 1 else h).strip()
        for h, w in itertools.zip_longest(text.columns, written)
    )
    names = [str(i) for i in range(text.width)]
    text.columns, number.columns = names, names
    cells = filled(_exact(text, number))
    skipped = read.header_row - top
    if cells.height < skipped:
        raise ReadError(
            "no header row",
            source=spec.id,
            file=place,
            where=f"row {read.header_row + 1}",
            remedy=f"correct header_row of table {name} in source.yaml",
        )
    headers = first if skipped == 0 else tuple(h or "" for h in cells.row(skipped - 1))
    if read.block_row is not None:
        headers = _with_blocks(first, headers)
    rows = pl.Series("row", range(top + 2, top + 2 + cells.height), dtype=pl.Int64)
    cells, rows = cells[skipped:], rows[skipped:]
    keep = ~cells.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return _without_empty_columns(place, headers, cells.filter(keep), rows.filter(keep))


def _require_first_sheet(spec: SourceSpec, name: str, file: str, book: "ExcelReader") -> None:
    """Refuse a workbook whose first sheet lacks the headers that another sheet has.

    Raises:
        ReadError: So it is; without a word the first sheet would be read and the table be missing.
    """
    row = spec.tables[name].read.header_row
    wanted = [
        {plain_header(s.rpartition(": ")[2]) for s in (c.native, *c.aliases)}
        for c in spec.columns
        if c.table == name and c.required and not c.is_array and c.native != "*"
    ]
    shares = []
    for sheet in book.sheet_names:
        cells = pl.DataFrame(book.load_sheet(sheet, header_row=None, n_rows=row + 1).to_arrow())
        held = {plain_header(str(cell)) for line in cells.rows() for cell in line if cell}
        shares.append(sum(bool(spellings & held) for spellings in wanted))
    best = max(range(len(shares)), key=shares.__getitem__)
    if 2 * shares[0] < len(wanted) < 2 * shares[best]:
        raise ReadError(
            f"its first sheet, {book.sheet_names[0]!r}, has not the headers that "
            f"{book.sheet_names[best]!r} has",
            source=spec.id,
            file=file,
            where="header",
            samples=book.sheet_names,
            remedy=f"set `sheet: {book.sheet_names[best]}` under `read` of table {name} in "
            "source.yaml, or put that sheet first",
            spec_key=("tables", name, "read", "sheet"),
        )


def sheets_left_out(path: Path, read: Iterable[str | None]) -> list[str]:
    """Sheets of a workbook that hold something and are not read.

    Args:
        path: The workbook; of one that does not open, nothing is said here.
        read: Sheets that are read; None is the first.
    """
    import fastexcel

    try:
        book = fastexcel.read_excel(path.read_bytes())
    except fastexcel.FastExcelError:
        return []
    taken = {book.sheet_names[0] if sheet is None else sheet for sheet in read}
    return [s for s in book.sheet_names if s not in taken and _holds_something(book, s)]


def _holds_something(book: "ExcelReader", sheet: str) -> bool:
    import fastexcel

    try:
        return book.load_sheet(sheet, header_row=None, n_rows=1).total_height > 0
    except fastexcel.FastExcelError:  # A sheet of a chart has no cells.
        return False


def decoded(spec: SourceSpec, name: str, data: bytes, file: str, first_line: int = 1) -> str:
    """Text of a file, or of a piece that begins at a line of it, in its declared encoding.

    Raises:
        ReadError: It is in another encoding, as far as can be told, or no text.
    """
    declared = codecs.lookup(spec.tables[name].read.encoding).name
    setting = f"`encoding` of table {name} in source.yaml"
    if declared in _UTF8:
        declared = "utf-8-sig"
    try:
        text = data.decode(declared)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start)
        raise ReadError(
            f"not {spec.tables[name].read.encoding} text: byte {data[error.start]:#04x} at "
            f"position {error.start}",
            source=spec.id,
            file=file,
            where=f"line {first_line + row}",
            samples=[data.splitlines()[row][:80].decode("latin-1")],
            remedy=f"set {setting}, for instance to "
            + ("utf-16" if data.startswith(_UTF16) else "latin-1 or cp1252"),
        ) from error
    if "\0" in text:
        raise ReadError(
            "not text: it holds NUL characters",
            source=spec.id,
            file=file,
            remedy=f"correct {setting}, or fetch the file again",
        )
    if declared != "utf-8-sig" and not data.isascii():
        # Bytes beyond ASCII that form valid UTF-8 are UTF-8: by chance they hardly ever do, and
        # a single-byte encoding would accept them and turn every accent into two characters.
        with_utf8 = _as_utf8(data)
        if with_utf8 is not None and with_utf8 != text:
            position = next(i for i, byte in enumerate(data) if byte > 127)
            line = first_line + data.count(b"\n", 0, position)
            raise ReadError(
                f"declared {spec.tables[name].read.encoding}, but the bytes are UTF-8",
                source=spec.id,
                file=file,
                where=f"line {line}",
                samples=[text[max(position - 20, 0) : position + 20]],
                remedy=f"set {setting} to utf-8",
            )
    return text


def _as_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def records(data: bytes, delimiter: str, comment: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Line number (1-based) and number of delimiters of every record, comments left out."""
    raw = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(raw == ord('"'))
    breaks = np.flatnonzero(raw == ord("\n"))
    marks = np.flatnonzero(raw == ord(delimiter))
    # A line break or delimiter after an odd number of quotes stands inside a quoted cell.
    outside = np.searchsorted(quotes, breaks) % 2 == 0
    ends = breaks[outside]
    marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else np.array([], dtype=np.int64)
    lines = np.searchsorted(breaks, starts) + 1
    counts = np.searchsorted(marks, ends) - np.searchsorted(marks, starts)
    if comment:
        prefix = comment.encode()
        kept = np.array([not data.startswith(prefix, int(s)) for s in starts], dtype=bool)
        starts, ends, lines, counts = starts[kept], ends[kept], lines[kept], counts[kept]
    lengths = ends - starts - (raw[np.maximum(ends - 1, 0)] == ord("\r"))
    # A blank line is no row of cells; polars gives it as a row of NULLs, which is dropped later.
    counts = np.where((lengths <= 0) & (np.arange(len(counts)) > 0), counts[:1], counts)
    return lines, counts


def _with_errors(text: pl.DataFrame, errors: "CellErrors | None") -> pl.DataFrame:
    """Cells whose formula failed, as a spreadsheet shows them: they are not empty ones."""
    shown: dict[int, dict[int, str]] = {}
    for error in errors.errors if errors else ():
        row, place = error.offset_position
        if kind := re.search(r"'Error\((\w+)\)'", error.detail):
            shown.setdefault(place, {})[row] = _ERRORS.get(kind[1], "#" + kind[1].upper())
    return text.with_columns(
        text.to_series(place).scatter(list(cells), list(cells.values()))
        for place, cells in shown.items()
    )


def _exact(text: pl.DataFrame, number: pl.DataFrame) -> pl.DataFrame:
    """Text cells, numbers in full: the library's text keeps nine decimals alone."""
    exact = []
    for name in text.columns:
        shown = text[name].cast(pl.Float64, strict=False)
        differs = (shown != number[name]).fill_null(False)
        exact.append(
            pl.select(pl.when(differs).then(number[name].cast(pl.String)).otherwise(text[name]))
            .to_series()
            .alias(name)
        )
    return pl.DataFrame(exact)


def _with_blocks(blocks: tuple[str, ...], headers: tuple[str, ...]) -> tuple[str, ...]:
    named, block = [], ""
    for above, header in zip(blocks, headers, strict=True):
        block = above or block
        named.append(f"{block}: {header}" if block else header)
    return tuple(named)


def filled(cells: pl.DataFrame) -> pl.DataFrame:
    """An empty cell is NULL."""
    return cells.with_columns(
        pl.when(pl.col(c).str.strip_chars() != "").then(pl.col(c)) for c in cells.columns
    )


def _without_empty_columns(
    place: str, headers: tuple[str, ...], cells: pl.DataFrame, rows: pl.Series
) -> NativeTable:
    """Drop columns without header and without content; spreadsheets are full of them."""
    kept = [i for i, c in enumerate(cells) if headers[i] or c.null_count() < cells.height]
    frame = cells.select(pl.nth(kept)).rename({str(k): str(i) for i, k in enumerate(kept)})
    return NativeTable(place, tuple(headers[k] for k in kept), frame, rows)
