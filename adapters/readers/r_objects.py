"""Data frames of R data files (.RData, .rda, .rds) by the library rdata, as text.

Belongs here: opening the file and finding the object. Never here: what a column means; R objects
that are no tables.
"""

import zlib
from pathlib import Path

import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable, as_text
from adapters.spec import SourceSpec

# R writes a missing integer as the least 32-bit one.
_MISSING_INTEGER = -(2**31)


def read_r(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read one data frame.

    Raises:
        ReadError: Not R data, no such object, or it is no data frame.
    """
    import pandas as pd
    import rdata

    wanted = spec.tables[name].read.object
    try:
        if path.suffix.casefold() == ".rds":
            objects = {wanted or path.stem: rdata.read_rds(path)}
        else:
            objects = rdata.read_rda(path)
    # NotImplementedError: rdata's word for a type of R object or a compression that it lacks.
    except (ValueError, NotImplementedError, EOFError, OSError, IndexError, zlib.error) as error:
        raise ReadError(
            f"not R data that can be read: {error}",
            source=spec.id,
            file=file,
            remedy="fetch the file again; it may be cut off, or save the table in R by write.csv",
        ) from error
    tables = {key: value for key, value in objects.items() if isinstance(value, pd.DataFrame)}
    chosen = wanted if wanted is not None else next(iter(tables), None)
    if chosen not in tables or (wanted is None and len(tables) > 1):
        raise ReadError(
            f"no data frame {wanted!r}" if wanted else f"{len(tables)} data frames, none is named",
            source=spec.id,
            file=file,
            samples=[f"{key} ({type(value).__name__})" for key, value in objects.items()],
            remedy=f"set `object` of table {name} in source.yaml",
        )
    frame = tables[chosen]
    headers = tuple(str(column) for column in frame.columns)
    columns = []
    for place in range(len(headers)):
        values = frame.iloc[:, place].tolist()
        kept = [None if pd.isna(v) or v == _MISSING_INTEGER else v for v in values]
        columns.append(pl.Series(str(place), kept, strict=False))
    cells = as_text(pl.DataFrame(columns)).with_columns(
        pl.all().str.strip_chars().replace("", None)
    )
    rows = pl.Series("row", range(1, len(frame) + 1), dtype=pl.Int64)
    return NativeTable(f"{file}!{chosen}", headers, cells, rows)
