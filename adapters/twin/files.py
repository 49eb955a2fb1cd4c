"""Writing native files whose bytes depend on their content alone.

Belongs here: one function a file format, with every clock and random id in the format held fixed.
Never here: what the files say.
"""

import csv
import datetime
import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

Cells = dict[str, list[object]]
_WRITTEN = datetime.datetime(2020, 1, 1)  # noqa: DTZ001 - the formats hold no time zone


def write_csv(path: Path, cells: Cells, encoding: str = "utf-8") -> None:
    """Comma-separated, header first, empty text for None."""
    with path.open("w", newline="", encoding=encoding) as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(cells)
        writer.writerows(zip(*cells.values(), strict=True))


def write_xlsx(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> None:
    """A workbook; each sheet is its rows, headers among them. None leaves a cell empty."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    book.properties.created = _WRITTEN
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    raw = io.BytesIO()
    book.save(raw)
    # The library stamps the hour of saving on every part and into one of them.
    stamp = _WRITTEN.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(raw) as parts, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as fixed:
        for part in parts.infolist():
            content = parts.read(part)
            if part.filename == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, content)
            entry = zipfile.ZipInfo(part.filename, _WRITTEN.timetuple()[:6])
            fixed.writestr(entry, content, zipfile.ZIP_DEFLATED)


def write_xls(path: Path, name: str, cells: Cells) -> None:
    """A workbook of the old binary kind with one sheet."""
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet(name)
    for place, (header, values) in enumerate(cells.items()):
        sheet.write(0, place, header)
        for number, value in enumerate(values, start=1):
            if value is not None:
                sheet.write(number, place, value)
    book.save(str(path))


def _columns(cells: Cells) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Values and masks; numbers as float64, texts as objects."""
    data, mask = [], []
    for values in cells.values():
        missing = np.array([v is None for v in values])
        if any(isinstance(v, str) for v in values):
            data.append(np.array(["" if v is None else v for v in values], dtype=object))
        elif all(isinstance(v, int) for v in values if v is not None):
            data.append(np.array([0 if v is None else v for v in values], dtype=np.int32))
        else:
            data.append(np.array([0.0 if v is None else v for v in values], dtype=np.float64))
        mask.append(missing)
    return data, mask


def write_dbf(
    path: Path,
    cells: Cells,
    geometry: np.ndarray | None = None,
    kind: str | None = None,
    crs: str | None = None,
) -> None:
    """A dBase table in Latin-1, with the other parts of a shapefile where geometry is given.

    Args:
        path: `.dbf` without, `.shp` with geometry.
        cells: Columns; headers of at most ten characters.
        geometry: WKB of each row.
        kind: Geometry type (`Point`, `Polygon`).
        crs: Written to `.prj` where given.
    """
    from pyogrio.raw import write

    data, mask = _columns(cells)
    with warnings.catch_warnings():
        # Some native files lack their CRS, and so must these.
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        write(
            str(path),
            geometry=geometry,
            field_data=data,
            field_mask=mask,
            fields=np.array(list(cells)),
            geometry_type=kind,
            crs=crs,
            driver="ESRI Shapefile",
            encoding="ISO-8859-1",
            layer_options={"DBF_DATE_LAST_UPDATE": _WRITTEN.strftime("%Y-%m-%d")},
        )
