"""Text tables with thousands of number columns: spectra, piece by piece, numbers at once.

Belongs here: reading such a file without ever holding its text, and the few cells that are no
number. Never here: what those cells mean; tables of ordinary width (`table.py`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from adapters.errors import ReadError
from adapters.readers import ODD_SCHEMA, NativeTable, plain_header
from adapters.readers.table import decoded, filled, parsed, read_csv, records, require_delimiter
from adapters.spec import SourceSpec

# Text held at a time.
_PIECE = 32 * 2**20


def read_wide(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read a delimited text file, the elements of its wide arrays as float32.

    Raises:
        ReadError: As `read_csv` does.
    """
    read = spec.tables[name].read
    if read.encoding.casefold().replace("_", "-").startswith(("utf-16", "utf-32")):
        # A byte that looks like a line break may be half a character.
        return read_csv(spec, name, path, file)
    wide = {
        plain_header(header)
        for column in spec.columns
        if column.table == name and column.is_wide
        for header in column.spellings
    }
    headers: tuple[str, ...] = ()
    texts, numbers, odd, rows = [], [], [], []
    ahead, first_line, height = read.header_row, 1, 0
    with path.open("rb") as handle:
        for piece in _pieces(handle):
            data = decoded(spec, name, piece, file, first_line).encode()
            lines, delimiters = records(data, read.delimiter, read.comment)
            skipped = min(ahead, len(lines))
            ahead -= skipped
            if not headers and skipped < len(lines):
                header = data.splitlines()[lines[skipped] - 1]
                require_delimiter(spec, name, file, header.decode(), delimiters[skipped:])
                headers = _headers(header, read.delimiter)
                breaks = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))
                data = data[breaks[lines[skipped] - 1] + 1 :]
                skipped += 1
            _require_cells(
                spec, file, headers, lines[skipped:] + first_line - 1, delimiters[skipped:]
            )
            if len(lines) > skipped:
                block = [i for i, h in enumerate(headers) if plain_header(h) in wide]
                text, number, strange = _texts_and_numbers(
                    spec, name, file, data, len(headers), block
                )
                if text.height != len(lines) - skipped:
                    raise ReadError(
                        f"{text.height} rows were read where the file has {len(lines) - skipped}",
                        source=spec.id,
                        file=file,
                        where=f"lines from {first_line}",
                        remedy="look for a quote that stays open",
                    )
                texts.append(filled(text))
                numbers.append(number)
                odd.append(strange.with_columns(pl.col("row") + height))
                rows.append(pl.Series("row", lines[skipped:] + first_line - 1, dtype=pl.Int64))
                height += text.height
            first_line += piece.count(b"\n")
    if not headers:
        raise ReadError(
            "no header row", source=spec.id, file=file, remedy="correct header_row in source.yaml"
        )
    if not texts:
        return NativeTable(file, headers, pl.DataFrame(), pl.Series("row", [], dtype=pl.Int64))
    native = NativeTable(
        file,
        headers,
        pl.concat(texts),
        pl.concat(rows),
        numbers=pl.concat(numbers, rechunk=True),
        odd=pl.concat(odd),
    )
    return _without_blank_rows(native)


def _pieces(handle: BinaryIO) -> Iterator[bytes]:
    """The file cut behind line breaks that end a record."""
    rest = b""
    while piece := handle.read(_PIECE):
        data = rest + piece
        end = _last_end(data)
        if end:
            yield data[:end]
        rest = data[end:]
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def _last_end(data: bytes) -> int:
    """Byte after the last line break that does not stand inside a quoted cell."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    raw = np.frombuffer(data, dtype=np.uint8)
    breaks, quotes = np.flatnonzero(raw == ord("\n")), np.flatnonzero(raw == ord('"'))
    outside = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0


def _headers(line: bytes, delimiter: str) -> tuple[str, ...]:
    row = pl.read_csv(line + b"\n", has_header=False, infer_schema=False, separator=delimiter)
    return tuple((h or "").strip() for h in row.row(0))


def _require_cells(
    spec: SourceSpec, file: str, headers: tuple[str, ...], lines: np.ndarray, found: np.ndarray
) -> None:
    wrong = np.flatnonzero(found != len(headers) - 1)
    if len(wrong):
        raise ReadError(
            f"{len(wrong)} rows have another number of cells than the header's {len(headers)}: "
            "the file is cut off, or its delimiter is not that of the specification",
            source=spec.id,
            file=file,
            where=f"line {lines[wrong[0]]}",
            samples=[f"line {lines[i]}: {found[i] + 1} cells" for i in wrong],
            remedy="fetch the file again, or correct `delimiter` in source.yaml",
        )


def _texts_and_numbers(
    spec: SourceSpec, name: str, file: str, data: bytes, width: int, block: list[int]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Text columns, number columns, and the cells of the latter that are no number."""
    read, inside = spec.tables[name].read, set(block)
    as_number = [str(i) for i in block]
    as_text = [str(i) for i in range(width) if i not in inside]

    def parse(dtype: type[pl.DataType]) -> pl.DataFrame:
        schema = {str(i): dtype if i in inside else pl.String for i in range(width)}
        return parsed(spec, name, file, data, schema)

    nothing = pl.DataFrame(schema=ODD_SCHEMA)
    if read.decimal == ".":
        try:
            frame = parse(pl.Float32)
        except ReadError:
            pass  # a cell that is no number: the texts of this piece are looked at
        else:
            number = frame.select(as_number)
            if number.select(pl.all_horizontal(pl.all().is_finite().all())).item():
                return frame.select(as_text), number, nothing
    frame = parse(pl.String)
    numbers, odd = [], [nothing]
    for place in as_number:
        text = frame[place].str.strip_chars()
        text = text.set(text == "", None)
        plain = text
        if read.decimal == ",":
            # What holds a point is looked at as text: it may mark thousands.
            plain = text.set(text.str.contains(".", literal=True).fill_null(False), None)
            plain = plain.str.replace(",", ".", literal=True)
        number = plain.cast(pl.Float32, strict=False)
        number = number.set(~number.is_finite().fill_null(True), None)
        strange = (text.is_not_null() & number.is_null()).arg_true()
        if len(strange):
            told = {"row": strange, "place": [place] * len(strange), "text": text.gather(strange)}
            odd.append(pl.DataFrame(told, schema=ODD_SCHEMA))
        numbers.append(number)
    return frame.select(as_text), pl.DataFrame(numbers), pl.concat(odd)


def _without_blank_rows(native: NativeTable) -> NativeTable:
    """A row without any content is no row."""
    frames = [f for f in (native.cells, native.numbers) if f is not None and f.width]
    blank = pl.Series([True]).new_from_index(0, len(native.rows))
    for frame in frames:
        blank &= frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    blank = blank.scatter(native.odd["row"].unique().to_list(), False)
    return native.at(~blank) if blank.any() else native
