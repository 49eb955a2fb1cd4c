"""Grids that GDAL reads: GeoTIFF, ESRI ASCII and binary grid, IDRISI.

Belongs here: opening a band and reading it strip by strip, nodata and scaling as the file says,
and several files as one layer.
Never here: units, plausible ranges, writing.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.transform import Affine

from adapters.crs import refuse_unread_projection, require_same_crs, without_place
from adapters.errors import ReadError
from adapters.readers import require_sides
from adapters.spec import Read, SourceSpec

# Corners of aligned grids differ by what is lost in printing them, cells of other grids by more.
_ALIGNED = 0.01
_SAME_CELL = 1e-6


@dataclass(frozen=True)
class Coded:
    """What pixels stand for that are places in a list.

    Attributes:
        codes: The list.
        foreign: Value and text of each unknown code; pixels point at them behind the list.
    """

    codes: tuple[str, ...]
    foreign: tuple[tuple[int | None, str], ...]


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
        scale: What the file says stored values are to be multiplied by; `rows` has done it. NaN
            where files of one layer say different things.
        offset: What it says is added then; NaN likewise.
        codes: Values that the value attribute table beside the file lists, if there is one.
        names: What its column of the file's name says of each value; the value where it has none.
        coded: The list that pixels are places in, where they are.
    """

    crs: str | None
    transform: Affine
    height: int
    width: int
    rows: Callable[[int, int], np.ndarray]
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    codes: frozenset[int] | None = None
    names: Mapping[int, str | None] | None = None
    coded: Coded | None = None


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

    require_sides(spec, path, file)
    try:
        source = rasterio.open(path)
    except RasterioError as error:
        raise _broken(spec, path, file, band, error) from error
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
                raise _broken(spec, path, file, band, error) from error
            values = stored.astype(np.float64)
            if nodata is not None:
                values[stored == np.asarray(nodata).astype(stored.dtype)] = np.nan
            if hidden is not None:
                values[hidden] = np.nan
            if read.nodata_below is not None:
                values[values <= read.nodata_below] = np.nan
            return values * scale + offset

        names = _value_names(spec, path, file)
        yield Grid(
            _stated_crs(spec, path, file, source),
            source.transform,
            source.height,
            source.width,
            rows,
            nodata,
            scale,
            offset,
            None if names is None else frozenset(names),
            names,
        )


@contextlib.contextmanager
def open_mosaic(
    spec: SourceSpec, read: Read, files: Sequence[tuple[str, Path]], band: str
) -> Iterator[Grid]:
    """Open several files as one layer; where they overlap, the first by name that knows a value.

    Args:
        spec: The source.
        read: How its table is read.
        files: Name and path of each.
        band: As for `open_band`.

    Raises:
        ReadError: A file is broken, or is in another CRS, has other cells or lies between the
            cells of the first.
    """
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(open_band(spec, read, path, f, band)) for f, path in files]
        names = [file for file, _ in files]
        first = parts[0]
        for name, part in zip(names, parts, strict=True):
            _require_aligned(spec, (names[0], first), (name, part))
        across, down = first.transform.a, first.transform.e
        west = min(part.transform.c for part in parts)
        north = max(part.transform.f for part in parts)
        # Column and row of the whole where each part begins.
        begins = [
            (round((part.transform.c - west) / across), round((part.transform.f - north) / down))
            for part in parts
        ]
        width = max(x + part.width for (x, _), part in zip(begins, parts, strict=True))
        height = max(y + part.height for (_, y), part in zip(begins, parts, strict=True))

        def rows(start: int, stop: int) -> np.ndarray:
            whole = np.full((stop - start, width), np.nan)
            for (x, y), part in zip(begins, parts, strict=True):
                top, bottom = max(start, y), min(stop, y + part.height)
                if top >= bottom:
                    continue
                under = whole[top - start : bottom - start, x : x + part.width]
                np.copyto(under, part.rows(top - y, bottom - y), where=np.isnan(under))
            return whole

        transform = Affine(across, 0, west, 0, down, north)
        listed = [part.codes for part in parts if part.codes is not None]
        codes = frozenset().union(*listed) if len(listed) == len(parts) else None
        scale, offset = _common(p.scale for p in parts), _common(p.offset for p in parts)
        yield Grid(
            first.crs, transform, height, width, rows, scale=scale, offset=offset, codes=codes
        )


def _common(stated: Iterable[float]) -> float:
    """What all files of a layer state; NaN where they differ."""
    values = set(stated)
    return values.pop() if len(values) == 1 else float("nan")


def _require_aligned(spec: SourceSpec, first: tuple[str, Grid], other: tuple[str, Grid]) -> None:
    from rasterio.transform import array_bounds

    (name, grid), (file, part) = first, other
    said = f"is one layer with {name}, but"
    if (grid.crs is None) != (part.crs is None):
        raise ReadError(
            f"{said} only one of the two states its CRS",
            source=spec.id,
            file=file,
            remedy="fetch the side files (.prj, .tfw) of both again",
        )
    if grid.crs and part.crs != grid.crs:
        bounds = array_bounds(part.height, part.width, part.transform)
        require_same_crs(spec, file, grid.crs, part.crs, bounds)
    cells = [(g.transform.a, g.transform.e) for g in (grid, part)]
    if not np.allclose(*cells, rtol=_SAME_CELL, atol=0):
        raise ReadError(
            f"{said} its cells have another size",
            source=spec.id,
            file=file,
            samples=[f"{abs(x):g} x {abs(y):g}" for x, y in cells],
            remedy="files of one layer must have one resolution: take the other files away, or "
            "give each resolution its own column in columns.csv",
        )
    steps = (
        (part.transform.c - grid.transform.c) / grid.transform.a,
        (part.transform.f - grid.transform.f) / grid.transform.e,
    )
    if max(abs(step - round(step)) for step in steps) > _ALIGNED:
        raise ReadError(
            f"{said} its cells lie between those of it",
            source=spec.id,
            file=file,
            samples=[f"{step:.3f} cells away" for step in steps],
            remedy="files of one layer must share a grid: warp them to one with the publisher's "
            "tool first",
        )


def _stated_crs(spec: SourceSpec, path: Path, file: str, source: object) -> str | None:
    """WKT of the CRS that a raster or its side file states."""
    wkt = source.crs.to_wkt() if source.crs else None
    # IDRISI's `plane` and its like name units and axes, and no place on Earth.
    if wkt is None or without_place(wkt):
        refuse_unread_projection(spec, path, file)
        return None
    return wkt


def _value_names(spec: SourceSpec, path: Path, file: str) -> dict[int, str | None] | None:
    """Columns VALUE and that of the file's name of the `.vat.dbf` beside a raster of classes."""
    import pyogrio.raw
    from pyogrio.errors import DataLayerError, DataSourceError

    wanted = {f"{path.name}.vat.dbf".casefold(), f"{path.stem}.vat.dbf".casefold()}
    for side in path.parent.iterdir():
        if side.name.casefold() not in wanted:
            continue
        try:
            _, table = pyogrio.raw.read_arrow(side, read_geometry=False)
            column = next(n for n in table.column_names if n.casefold() == "value")
        except (DataSourceError, DataLayerError, StopIteration) as error:
            raise ReadError(
                "its value attribute table cannot be read, or has no column VALUE",
                source=spec.id,
                file=file,
                where=side.name,
                samples=[error] if str(error) else table.column_names,
                remedy=f"fetch {side.name} again, or take it away",
            ) from error
        # Headers of dbf tables end after ten characters.
        stem = path.stem.casefold()[:10]
        own = next((n for n in table.column_names if n.casefold() == stem), column)
        return {
            int(value): None if text is None else str(text)
            for value, text in zip(table[column].to_pylist(), table[own].to_pylist(), strict=True)
            if value is not None
        }
    return None


def _broken(spec: SourceSpec, path: Path, file: str, band: str, error: Exception) -> ReadError:
    said = str(error.__cause__ or error).replace(str(path), file)
    return ReadError(
        f"the raster cannot be read to its end: {said}",
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
