"""Tables of Access databases (.mdb, .accdb) by access-parser, as text.

Belongs here: opening the database, finding the table, its values as a person would have written
them. Never here: other formats of tables; what a column means.
"""

import struct
from pathlib import Path

import numpy as np
import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable, as_text, plain_header
from adapters.spec import SourceSpec

# Types of columns by their numbers in the file.
_BYTE, _MONEY, _SINGLE, _DECIMAL = 2, 5, 6, 16
_UNREAD = {_MONEY: "currency", _DECIMAL: "decimal"}


def read_access(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read one table of a database.

    Raises:
        ReadError: Not a database that the library reads, no such table, rows that cannot be read,
            or a wanted column of a type whose numbers the library does not tell.
    """
    from access_parser import AccessParser
    from construct import ConstructError

    wanted = spec.tables[name].read.object or name
    try:
        database = AccessParser(str(path))
        tables = [t for t in database.catalog if not t.startswith("MSys")]
        found = next((t for t in tables if t.casefold() == wanted.casefold()), None)
        table = None if found is None else database.get_table(found)
        columns = {} if table is None else dict(table.parse())
    except (
        *(ValueError, KeyError, IndexError, TypeError, AttributeError),
        *(struct.error, ConstructError),
    ) as error:
        raise ReadError(
            f"not a database that can be read: {type(error).__name__} {error}",
            source=spec.id,
            file=file,
            remedy="fetch the file again; if it has a password, save it without one in Access, or "
            "export its tables as csv",
        ) from error
    if table is None:
        raise ReadError(
            f"no table {wanted!r}",
            source=spec.id,
            file=file,
            samples=tables,
            remedy=f"correct `object` of table {name} in source.yaml",
        )
    place = f"{file}!{found}"
    kinds = {c.col_name_str: c.type for c in table.columns.values()}
    sizes = {len(columns.get(header, ())) for header in kinds}
    if len(sizes) != 1:
        raise ReadError(
            "rows of the table cannot be read: its columns have different lengths",
            source=spec.id,
            file=place,
            samples=[f"{header}: {len(columns.get(header, ()))}" for header in kinds],
            remedy="compact the database in Access, or export the table as csv",
        )
    headers = tuple(kinds)
    asked = {plain_header(s) for c in spec.columns if c.table == name for s in c.spellings}
    for header in headers:
        if kinds[header] in _UNREAD and plain_header(header) in asked:
            raise ReadError(
                f"column {header!r} is of type {_UNREAD[kinds[header]]}, which is not read",
                source=spec.id,
                file=place,
                remedy="make it a double in Access, or export the table as csv",
            )
    frame = pl.DataFrame(
        {str(i): _values(columns[h], kinds[h]) for i, h in enumerate(headers)}
        if sizes != {0}
        else {}
    )
    rows = pl.Series("row", range(1, sizes.pop() + 1), dtype=pl.Int64)
    cells = as_text(frame).with_columns(pl.all().str.strip_chars().replace("", None))
    return NativeTable(place, headers, cells, rows)


def _values(cells: list[object], kind: int) -> pl.Series:
    """One column; a byte has no sign and a single no more digits than it holds."""
    if kind == _BYTE:
        return pl.Series([None if v is None else int(v) % 256 for v in cells], dtype=pl.Int64)
    if kind == _SINGLE:
        numbers = np.array([np.nan if v is None else v for v in cells], dtype=np.float32)
        return pl.Series(numbers).fill_nan(None)
    if any(isinstance(v, str | bytes) for v in cells):
        return pl.Series([v.hex() if isinstance(v, bytes) else v for v in cells], dtype=pl.String)
    return pl.Series(cells)
