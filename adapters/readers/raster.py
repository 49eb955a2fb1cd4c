"""Grids that GDAL reads: GeoTIFF, ESRI ASCII and binary grid, IDRISI.

Belongs here: opening a band and reading it strip by strip, nodata and scaling as the file says.
Never here: units, plausible ranges, writing.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.transform import Affine

from adapters.errors import ReadError
from adapters.spec import Read, SourceSpec


@dataclass(frozen=True)
class Grid:
    """One layer of a file, not yet read.

    Attributes:
        crs: WKT that the file states, if any.
        transform: Pixel to CRS; north is up.
        height: Rows.
        width: Columns.
        rows: `rows(start, stop)` gives (stop - start, width) float64 with NaN for nodata.
        nodata: Stored value that the file says means nodata.
        scale: What the file says stored values are to be multiplied by; `rows` has done it.
        offset: What it says is added then.
    """

    crs: str | None
    transform: Affine
    height: int
    width: int
    rows: Callable[[int, int], np.ndarray]
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0


@contextlib.contextmanager
def open_band(spec: SourceSpec, read: Read, path: Path, file: str, band: str) -> Iterator[Grid]:
    """Open one band of a raster.

    Args:
        spec: The source.
        read: How its table is read.
        path: The file.
        file: Its name, for messages.
        band: Number of the band, from 1, or its description; empty for a file of one band.

    Raises:
        ReadError: GDAL cannot open or read it (cut off, as a rule), it has no such band, or it
            does not say where its pixels lie.
    """
    import rasterio
    from rasterio.enums import MaskFlags
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    try:
        source = rasterio.open(path)
    except RasterioError as error:
        raise _broken(spec, file, band, error) from error
    with source:
        if source.transform.is_identity:
            raise ReadError(
                "the raster does not say where its pixels lie",
                source=spec.id,
                file=file,
                remedy="fetch it again with its side files (.tfw, .aux.xml, .hdr), or as GeoTIFF",
            )
        number = _band_number(spec, source, file, band)
        scale, offset = source.scales[number - 1], source.offsets[number - 1]
        nodata = source.nodatavals[number - 1]
        # An internal mask, an .msk file or an alpha band says nodata too.
        masked = MaskFlags.per_dataset in source.mask_flag_enums[number - 1]

        def rows(start: int, stop: int) -> np.ndarray:
            window = Window(0, start, source.width, stop - start)
            try:
                stored = source.read(number, window=window)
                hidden = source.read_masks(number, window=window) == 0 if masked else None
            except RasterioError as error:
                raise _broken(spec, file, band, error) from error
            values = stored.astype(np.float64)
            if nodata is not None:
                values[stored == np.asarray(nodata).astype(stored.dtype)] = np.nan
            if hidden is not None:
                values[hidden] = np.nan
            if read.nodata_below is not None:
                values[values <= read.nodata_below] = np.nan
            return values * scale + offset

        yield Grid(
            source.crs.to_wkt() if source.crs else None,
            source.transform,
            source.height,
            source.width,
            rows,
            nodata,
            scale,
            offset,
        )


def _broken(spec: SourceSpec, file: str, band: str, error: Exception) -> ReadError:
    return ReadError(
        f"the raster cannot be read to its end: {error.__cause__ or error}",
        source=spec.id,
        file=file,
        where=f"band {band or 1}",
        remedy="the file is cut off or broken; fetch it again and compare its size with the "
        "publisher's",
    )


def _band_number(spec: SourceSpec, source: object, file: str, band: str) -> int:
    descriptions = [d or "" for d in source.descriptions]
    if not band and source.count == 1:
        return 1
    if band.isdigit() and 1 <= int(band) <= source.count:
        return int(band)
    if band and band in descriptions:
        return descriptions.index(band) + 1
    raise ReadError(
        f"no band {band!r}" if band else f"{source.count} bands, and none is named",
        source=spec.id,
        file=file,
        samples=[f"{i}: {d}" for i, d in enumerate(descriptions, start=1)],
        remedy="write `file#number` or `file#description` as native in columns.csv",
    )
