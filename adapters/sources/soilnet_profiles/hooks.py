"""Which photograph each row of horizons is of, and the month of sampling as a date.

Never here: codes and units, which columns.csv declares; opening photographs.
"""

import dataclasses
from pathlib import Path

import polars as pl

from adapters.readers import NativeTable, plain_header

_FOLDER = "Profilbilder_no_ruler_no_sky"
_NUMBER = r"^\s*([0-9]+)(?:\.0*)?\s*$"


def each_photograph(native: NativeTable, folder: Path) -> NativeTable:
    """Horizons with their photograph, numbered from the top of it.

    Without a column `file`, the row of a horizon is repeated for each photograph of its profile,
    which the names of the photographs tell; a profile without any keeps its rows, without one.

    Args:
        native: data_horizons.csv as it was read.
        folder: Where the folder of the photographs stands, or the folder that holds both.

    Raises:
        ValueError: There is no column `Point`.
    """
    if (place := _place(native, "Point")) is None:
        raise ValueError(f"no column 'Point' among {', '.join(native.headers[:12])}")
    point = native.text(place).str.extract(_NUMBER)
    if _place(native, "file") is None:
        native, point = _repeated(native, point, folder)
    names = native.text(str(_place(native, "file")))
    file = names.str.strip_chars().str.extract(r"([^/\\]+)$")
    made = pl.DataFrame({"described": file.fill_null(point)}).select(
        "described",
        horizon_id=pl.col("described")
        + "|"
        + pl.int_range(1, pl.len() + 1).over("described").cast(pl.String),
    )
    return _with(native, made)


def with_month(native: NativeTable, folder: Path) -> NativeTable:
    """Sites with the month of sampling as one text, such as 2012-05, if year and month are told."""
    at = [_place(native, header) for header in ("Probenahme_Jahr", "Probenahme_Monat")]
    if None in at:
        return native
    year, month = (native.text(str(place)).str.extract(_NUMBER) for place in at)
    return _with(native, pl.DataFrame({"sampling_date": year + "-" + month.str.zfill(2)}))


def _place(native: NativeTable, header: str) -> str | None:
    """Cell column of a header; None where the table has none."""
    headers = [plain_header(written) for written in native.headers]
    return str(headers.index(plain_header(header))) if plain_header(header) in headers else None


def _repeated(native: NativeTable, point: pl.Series, folder: Path) -> tuple[NativeTable, pl.Series]:
    names = sorted({p.name for at in (_FOLDER, f"*/{_FOLDER}") for p in folder.glob(f"{at}/*")})
    pictures = pl.DataFrame({"file": names}, schema={"file": pl.String}).with_columns(
        point=pl.col("file").str.extract(r"^[^_]+_([0-9]+)_")
    )
    rows = pl.DataFrame({"point": point, "line": native.rows.cast(pl.String)}).with_row_index("at")
    each = rows.join(pictures.drop_nulls(), on="point", how="left", maintain_order="left_right")
    named = pl.concat_str("line", "file", separator="@", ignore_nulls=True)
    made = dataclasses.replace(
        native,
        cells=native.cells[each["at"].to_list()],
        rows=each.select(named.alias("row")).to_series(),
    )
    return _with(made, each.select("file")), each["point"]


def _with(native: NativeTable, made: pl.DataFrame) -> NativeTable:
    """The table with further columns behind its own."""
    width = len(native.headers)
    cells = made.select(pl.nth(i).alias(str(width + i)) for i in range(made.width))
    return dataclasses.replace(
        native,
        headers=(*native.headers, *made.columns),
        cells=native.cells.hstack(cells),
    )
