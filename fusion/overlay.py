"""Pixels of many raster layers at many points.

Belongs here: reading values at points, quickly and in bounded memory.
Never here: what a value means (units, codes) or which layers are asked for.

Points are taken to each coordinate reference system once and to each grid once; they are sorted by
the blocks in which the file is stored, so that each block is read once; threads work on their own
file handles.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from adapters.crs import between
from adapters.errors import FusionError

BLOCK_PIXELS = 1 << 18
"""Narrow blocks (such as single lines) are read together up to that many pixels."""


@dataclass(frozen=True)
class Layer:
    """One band of one file, and how it is read between cell centres."""

    path: Path
    band: int = 1
    resampling: Literal["nearest", "bilinear"] = "nearest"


@dataclass(frozen=True)
class _Grid:
    """Where the cells are and how they are stored; layers that share it share their pixel query."""

    crs: str
    transform: tuple[float, ...]
    width: int
    height: int
    block: tuple[int, int]


@dataclass(frozen=True)
class _Query:
    """Pixels sorted by block: `order[start:stop]` of each run lie in the same window."""

    rows: np.ndarray
    cols: np.ndarray
    order: np.ndarray
    runs: tuple[tuple[int, int], ...]


def sample_layers(
    layers: Sequence[Layer],
    lon: np.ndarray,
    lat: np.ndarray,
    crs: str = "EPSG:4326",
    threads: int = 1,
) -> np.ndarray:
    """Values of all layers at all points.

    Bilinear interpolation leaves nodata cells out and lets the weights of the others sum to one; a
    point is missing only where none of its four cells has data.

    Args:
        layers: What to read.
        lon: (n,) longitude or easting; NaN is allowed and gives NaN.
        lat: (n,) latitude or northing.
        crs: CRS of the points.
        threads: Files or blocks read at the same time.

    Returns:
        (n, len(layers)) float64, NaN outside the grid and where the file has no data.

    Raises:
        FusionError: A layer cannot be opened or read, or has no CRS.
    """
    lon, lat = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    values = np.full((len(lon), len(layers)), np.nan)
    by_grid: dict[_Grid, list[int]] = defaultdict(list)
    for index, layer in enumerate(layers):
        by_grid[_grid(layer)].append(index)
    projected: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for grid, members in by_grid.items():
            if grid.crs not in projected:
                projected[grid.crs] = between(crs, grid.crs).transform(lon, lat)
            a, b, c, d, e, f = tuple(~rasterio.Affine(*grid.transform))[:6]
            x, y = projected[grid.crs]
            with np.errstate(invalid="ignore"):  # points beyond the projection are infinite
                col, row = a * x + b * y + c, d * x + e * y + f
                inside = (col >= 0) & (col < grid.width) & (row >= 0) & (row < grid.height)
            points = np.flatnonzero(inside)
            for resampling in ("nearest", "bilinear"):
                chosen = [i for i in members if layers[i].resampling == resampling]
                if not chosen or not len(points):
                    continue
                if resampling == "nearest":
                    rows, cols, weights = _nearest_cells(row[points], col[points])
                else:
                    rows, cols, weights = _bilinear_cells(row[points], col[points], grid)
                query = _query(rows.ravel(), cols.ravel(), grid)
                parts = max(1, -(-threads // len(chosen)))
                jobs = {
                    i: [
                        pool.submit(_read, layers[i], grid, query, runs)
                        for runs in _shares(query.runs, parts)
                    ]
                    for i in chosen
                }
                for i, futures in jobs.items():
                    pixels = np.full(rows.size, np.nan)
                    for future in futures:
                        where, found = future.result()
                        pixels[where] = found
                    values[points, i] = _combine(pixels.reshape(rows.shape), weights)
    return values


def _grid(layer: Layer) -> _Grid:
    try:
        with rasterio.open(layer.path) as data:
            if data.crs is None:
                raise FusionError(
                    "the raster states no CRS",
                    file=str(layer.path),
                    remedy="standardise it again with `read.crs` in source.yaml",
                )
            height, width = data.block_shapes[layer.band - 1]
            if width >= data.width:
                height *= max(1, BLOCK_PIXELS // (height * width))
            return _Grid(
                data.crs.to_wkt(),
                tuple(data.transform)[:6],
                data.width,
                data.height,
                (min(height, data.height), width),
            )
    except RasterioError as error:
        raise _unreadable(layer, error) from error


def _unreadable(layer: Layer, error: Exception) -> FusionError:
    return FusionError(
        f"the raster cannot be read: {error}",
        file=str(layer.path),
        where=f"band {layer.band}",
        remedy="materialise the source again; the archive keeps its raw files",
    )


def _nearest_cells(row: np.ndarray, col: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cell each point lies in: (n, 1) rows, columns and weights."""
    rows, cols = np.floor(row).astype(np.int64), np.floor(col).astype(np.int64)
    return rows[:, None], cols[:, None], np.ones((len(row), 1))


def _bilinear_cells(
    row: np.ndarray, col: np.ndarray, grid: _Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The four cells whose centres surround each point: (n, 4) rows, columns and weights.

    A cell beyond the edge has weight zero.
    """
    top, left = np.floor(row - 0.5), np.floor(col - 0.5)
    down, right = row - 0.5 - top, col - 0.5 - left
    rows = np.stack([top, top, top + 1, top + 1], axis=1).astype(np.int64)
    cols = np.stack([left, left + 1, left, left + 1], axis=1).astype(np.int64)
    weights = np.stack(
        [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1
    )
    beyond = (rows < 0) | (rows >= grid.height) | (cols < 0) | (cols >= grid.width)
    weights[beyond] = 0.0
    return rows.clip(0, grid.height - 1), cols.clip(0, grid.width - 1), weights


def _combine(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the cells that have data; NaN where none has weight."""
    known = np.where(np.isnan(pixels), 0.0, weights)
    total = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(pixels == pixels, pixels * known, 0.0).sum(axis=1) / np.where(
            total > 0, total, np.nan
        )


def _query(rows: np.ndarray, cols: np.ndarray, grid: _Grid) -> _Query:
    height, width = grid.block
    across = -(-grid.width // width)
    block = (rows // height) * across + cols // width
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    return _Query(rows, cols, order, tuple(pairwise([0, *edges.tolist(), len(order)])))


def _shares(runs: tuple[tuple[int, int], ...], parts: int) -> Iterator[tuple[tuple[int, int], ...]]:
    size = max(1, -(-len(runs) // parts))
    for start in range(0, len(runs), size):
        yield runs[start : start + size]


def _read(
    layer: Layer, grid: _Grid, query: _Query, runs: tuple[tuple[int, int], ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Read the blocks of some runs: the positions in the query and their values."""
    height, width = grid.block
    where = query.order[runs[0][0] : runs[-1][1]]
    found, done = np.empty(len(where)), 0
    try:
        with rasterio.open(layer.path) as data:
            nodata = data.nodatavals[layer.band - 1]
            masked = MaskFlags.per_dataset in data.mask_flag_enums[layer.band - 1]
            for start, stop in runs:
                at = query.order[start:stop]
                top = int(query.rows[at[0]]) // height * height
                left = int(query.cols[at[0]]) // width * width
                window = Window(
                    left, top, min(width, grid.width - left), min(height, grid.height - top)
                )
                inner = query.rows[at] - top, query.cols[at] - left
                raw = data.read(layer.band, window=window)[inner]
                values = raw.astype(np.float64)
                if nodata is not None:
                    # Compared in the type of the file: -3.4e38 as float32 is not its float64.
                    values[raw == np.asarray(nodata).astype(raw.dtype)] = np.nan
                if masked:
                    values[data.read_masks(layer.band, window=window)[inner] == 0] = np.nan
                found[done : done + len(at)] = values
                done += len(at)
    except RasterioError as error:
        raise _unreadable(layer, error) from error
    found[~np.isfinite(found)] = np.nan
    return where, found
