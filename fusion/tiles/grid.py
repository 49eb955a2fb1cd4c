"""The square of a tile: its UTM zone, its corner, its pixels.

Belongs here: where the pixels of a tile are, and where these lie in the pixels of a file.
Never here: pixel values.
"""

import functools
from dataclasses import dataclass

import numpy as np
import pyproj
from numpy.typing import NDArray

from adapters.errors import FusionError
from adapters.modalities import ROI_M

Array = NDArray[np.float64]
BASE_M = 10.0
"""Pixel of the grid that the corner of a tile lies on."""
_NODES = 9  # Along a side: between them a projection is straight to a ten-thousandth of a pixel.


@dataclass(frozen=True)
class Roi:
    """The square of a tile.

    Attributes:
        crs: UTM zone.
        west: Western edge in m.
        north: Northern edge.
    """

    crs: str
    west: float
    north: float

    def centres(self, gsd: float, margin: int = 0) -> tuple[Array, Array]:
        """Easting of each column and northing of each row of pixels, from the north-west.

        Args:
            gsd: Pixel in m.
            margin: Pixels around the square.
        """
        steps = np.arange(-margin, round(ROI_M / gsd) + margin) + 0.5
        return self.west + gsd * steps, self.north - gsd * steps


def utm_zone(longitude: float, latitude: float) -> str:
    """EPSG code of the UTM zone of a place, as Sentinel-2's tiling grid has it.

    Zone 32 reaches over south-western Norway, and zones 31 to 37 are wider around Svalbard: The
    Universal Grids, DMA TM 8358.2, 1989.

    Raises:
        FusionError: The place is nearer to a pole than UTM reaches (84 degrees north, 80 south).
    """
    if not -80.0 <= latitude <= 84.0:
        raise FusionError(
            "UTM does not reach this latitude",
            samples=[latitude],
            remedy="leave the place out: tiles stand in UTM",
        )
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    if 56.0 <= latitude < 64.0 and 3.0 <= longitude < 12.0:
        zone = 32
    if latitude >= 72.0 and 0.0 <= longitude < 42.0:
        zone = 31 + 2 * int(np.searchsorted([9.0, 21.0, 33.0], longitude, side="right"))
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def roi(
    longitude: float,
    latitude: float,
    crs: str | None = None,
    phase: tuple[float, float] = (0.0, 0.0),
) -> Roi:
    """The square around a place: the place lies in the pixel south-east of the middle.

    Args:
        longitude: EPSG:4326.
        latitude: EPSG:4326.
        crs: UTM zone; that of the place by default.
        phase: What the corners of the pixels of 10 m leave when divided by 10 m, easting and
            northing, so that scenes off the usual lattice need no resampling.
    """
    crs = crs or utm_zone(longitude, latitude)
    x, y = transformer("EPSG:4326", crs).transform(longitude, latitude)
    # The smallest part of a millimetre keeps a place on an edge from falling either way by chance.
    west = np.floor((x - phase[0]) / BASE_M + 1e-7) * BASE_M + phase[0] - ROI_M / 2
    north = np.ceil((y - phase[1]) / BASE_M - 1e-7) * BASE_M + phase[1] + ROI_M / 2
    return Roi(crs, float(west), float(north))


@functools.cache
def transformer(source: str, target: str) -> pyproj.Transformer:
    """From one CRS to another, east before north; made once, which takes longer than its use."""
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


@dataclass(frozen=True)
class Geometry:
    """The lattice of a file: as much of it as places pixels.

    Attributes:
        crs: EPSG code or WKT.
        transform: a, b, c, d, e, f of `x = a * column + b * row + c`, `y = d * column + e * row
            + f`, at the corners of pixels.
        height: Rows.
        width: Columns.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the pixels of a tile lie in the pixels of a file; 0 is the centre of the first.

    Attributes:
        rows: (h,) where rows and columns stay rows and columns, else (h, w).
        cols: (w,), else (h, w).
        down: Rows and columns of the file from one pixel of the tile to the one below.
        across: Rows and columns of the file from one pixel of the tile to the next.
        whole: Are all rows and columns those of the file, with no resampling?
    """

    rows: Array
    cols: Array
    down: tuple[float, float]
    across: tuple[float, float]
    whole: bool

    @property
    def ratio(self) -> float:
        """Pixels of the file along one pixel of the tile; of unequal sides, the root of both."""
        return abs(self.down[0] * self.across[1] - self.down[1] * self.across[0]) ** 0.5

    @property
    def straight(self) -> bool:
        """Do rows and columns stay rows and columns?"""
        return self.rows.ndim == 1


def place(square: Roi, gsd: float, geometry: Geometry, margin: int = 0) -> Placement:
    """Find the pixels of a tile in a file.

    Args:
        square: Of the tile.
        gsd: Pixel of the tile in m.
        geometry: Of the file.
        margin: Pixels around the square.
    """
    x, y = square.centres(gsd, margin)
    a, b, c, d, e, f = geometry.transform
    if geometry.crs == square.crs and b == 0.0 and d == 0.0:
        cols, rows = (x - c) / a - 0.5, (y - f) / e - 0.5
        same = abs(gsd / a - 1.0) < 1e-9 and abs(-gsd / e - 1.0) < 1e-9
        off = max(abs(v[0] - np.rint(v[0])) for v in (rows, cols))
        return Placement(rows, cols, (-gsd / e, 0.0), (0.0, gsd / a), bool(same and off < 1e-3))
    at = np.linspace(0, len(x) - 1, _NODES)
    middle = x[0] + (x[-1] - x[0]) * at / (len(x) - 1)
    up = y[0] + (y[-1] - y[0]) * at / (len(y) - 1)
    there = transformer(square.crs, geometry.crs).transform(*np.meshgrid(middle, up))
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    away = np.stack([there[0] - c, there[1] - f])
    cols, rows = np.einsum("ij,jhw->ihw", inverse, away) - 0.5
    step = at[1]
    down, across = (
        (
            float(np.diff(rows, axis=axis).mean() / step),
            float(np.diff(cols, axis=axis).mean() / step),
        )
        for axis in (0, 1)
    )
    weights = _between(len(x))
    rows, cols = (weights @ v @ weights.T for v in (rows, cols))
    return Placement(rows, cols, down, across, False)


@functools.cache
def _between(points: int) -> Array:
    """(points, nodes) weights of linear interpolation between nodes at even distances."""
    position = np.linspace(0, _NODES - 1, points)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(_NODES)))
