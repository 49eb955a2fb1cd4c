"""Rasters whose pixels are row numbers of a table beside them, in which the codes stand.

Belongs here: from pixel values to places in a list of codes, by the value attribute table.
Never here: opening the table (`readers`), what becomes of unknown codes (`rasters.py`).
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import polars as pl

from adapters.codebooks import codebook
from adapters.errors import ReadError
from adapters.readers.raster import Coded, Grid
from adapters.spec import Column, SourceSpec


def decoded(spec: SourceSpec, column: Column, row_ref: str, grid: Grid) -> Grid:
    """The layer with pixels that are places in a list of codes.

    The list is that of the codebook, or of an open one the sorted codes of the table. A pixel whose
    value means missing is NaN; one whose value or code is unknown points behind the list.

    Args:
        spec: The source.
        column: Its column, categorical.
        row_ref: File and band, for messages.
        grid: As opened; `names` holds the table.

    Raises:
        ReadError: There is no value attribute table beside the file.
    """
    if grid.names is None:
        raise ReadError(
            "no value attribute table beside it, and its pixels are row numbers of one",
            source=spec.id,
            file=row_ref,
            remedy="put the .vat.dbf of the same name into the same folder, or set "
            "`value_table: false` of its table in source.yaml if the pixels are codes",
        )
    read = spec.tables[column.table].read
    absent = {token.casefold() for token in (*read.missing, *column.missing)} | {""}
    said = {value: (text or "").strip() for value, text in grid.names.items()}
    told = {value: text for value, text in said.items() if text.casefold() not in absent}
    book = codebook(str(column.codebook), spec.folder)
    codes, unknown = book.normalise(pl.Series(list(told.values()), dtype=pl.String))
    by_value = dict(zip(told, codes.to_list(), strict=True))
    listed = tuple(sorted(set(by_value.values()))) if book.is_open else tuple(book.codes)
    place = {code: number for number, code in enumerate(listed)}
    strange = [v for v, odd in zip(told, unknown.to_list(), strict=True) if odd]
    foreign = (*((v, told[v]) for v in strange), (None, "a value that the table lacks"))
    at = {
        value: float(place[by_value[value]]) if value not in strange else float("nan")
        for value in told
    }
    at |= {value: float(len(listed) + number) for number, value in enumerate(strange)}
    places = {value: at.get(value, np.nan) for value in said}
    rows = _looked_up(grid.rows, places, beyond=float(len(listed) + len(strange)))
    return dataclasses.replace(grid, rows=rows, codes=None, coded=Coded(listed, foreign))


def _looked_up(
    rows: Callable[[int, int], np.ndarray], places: dict[int, float], beyond: float
) -> Callable[[int, int], np.ndarray]:
    values = np.array(sorted(places), dtype=np.float64)
    targets = np.array([places[int(v)] for v in values])

    def looked_up(start: int, stop: int) -> np.ndarray:
        pixels = rows(start, stop)
        known = np.isfinite(pixels)
        at = np.searchsorted(values, pixels[known]).clip(0, len(values) - 1)
        found = np.where(values[at] == pixels[known], targets[at], beyond)
        result = np.full(pixels.shape, np.nan)
        result[known] = found
        return result

    return looked_up
