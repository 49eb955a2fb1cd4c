"""Patterns that a soil face is painted with: blotches, grain, streaks, aggregates and stones.

Belongs here: tiles of noise that repeat without a seam, and cuts of them.
Never here: what a pattern means in a soil.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating]

TILES = {"tiny": 288, "demo": 384, "full": 640}
"""px along each side of a tile; pictures of a size are about as high."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells around random points: aggregates, stones, prisms.

    Attributes:
        share: Each pixel's cell as a number from 0 to 1, even over the cells.
        edge: Distance to the nearest edge of the cell in px.
        bevel: Light from above left on a face that is rounded towards its edges, -1 to 1.
    """

    share: Pixels
    edge: Pixels
    bevel: Pixels


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Tiles (side, side) of float32; noise has mean 0 and standard deviation 1.

    Attributes:
        soft: Blotches of all sizes.
        rough: Blotches of a few pixels.
        grain: Pixels.
        across: Streaks that a trowel leaves.
        down: Streaks along roots and fissures.
        crumbs: Small cells.
        blocks: Large cells.
    """

    soft: Pixels
    rough: Pixels
    grain: Pixels
    across: Pixels
    down: Pixels
    crumbs: Cells
    blocks: Cells


def surfaces(draw: np.random.Generator, side: int) -> Surfaces:
    """All tiles.

    Args:
        draw: Random numbers.
        side: px along each side.
    """
    return Surfaces(
        soft=_noise(draw, side, 1.3, 1.0, 1.0),
        rough=_noise(draw, side, 0.9, 1.0, 1.0),
        grain=_noise(draw, side, 0.25, 1.0, 1.0),
        across=_noise(draw, side, 1.0, 7.0, 1.0),
        down=_noise(draw, side, 1.2, 1.0, 5.0),
        crumbs=_cells(draw, side, 9.0),
        blocks=_cells(draw, side, 30.0),
    )


def _noise(draw: np.random.Generator, side: int, slope: float, along: float, up: float) -> Pixels:
    """Noise whose amplitude falls with frequency to the power of `slope`, stretched by factors."""
    y = np.fft.fftfreq(side)[:, None] * up
    x = np.fft.rfftfreq(side)[None, :] * along
    frequency = np.hypot(x, y)
    # Waves longer than a third of the tile would tint a whole picture.
    amplitude = np.where(frequency > 3.0 / side, frequency, np.inf) ** -slope
    found = np.fft.irfft2(np.fft.rfft2(draw.normal(size=(side, side))) * amplitude, (side, side))
    return ((found - found.mean()) / found.std()).astype(np.float32)


def _cells(draw: np.random.Generator, side: int, size: float) -> Cells:
    """Cells of Voronoi around random points of a torus; `size` is their mean width in px."""
    from scipy.spatial import cKDTree

    count = round((side / size) ** 2)
    points = draw.uniform(0, side, (count, 2))
    pixels = np.indices((side, side)).reshape(2, -1).T
    distance, index = cKDTree(points, boxsize=side).query(pixels, k=2)
    away = (pixels - points[index[:, 0]] + side / 2) % side - side / 2
    edge = (distance[:, 1] - distance[:, 0]) / 2.0
    lit = -(0.8 * away[:, 0] + 0.6 * away[:, 1]) / np.maximum(distance[:, 0] + edge, 1e-6)
    share = draw.permutation(count)[index[:, 0]] / count
    return Cells(*(v.reshape(side, side).astype(np.float32) for v in (share, edge, lit)))


def cut(
    tile: Pixels, draw: np.random.Generator, height: int, width: int, stretch: float = 1.0
) -> Pixels:
    """A piece of a tile at a random place, mirrored or not.

    Args:
        tile: (side, side).
        draw: Random numbers.
        height: px.
        width: px.
        stretch: How much taller the pattern gets.
    """
    return cuts((tile,), draw, height, width, stretch)[0]


def cuts(
    tiles: tuple[Pixels, ...],
    draw: np.random.Generator,
    height: int,
    width: int,
    stretch: float = 1.0,
) -> tuple[Pixels, ...]:
    """Pieces of several tiles at one random place; see `cut`."""
    side = len(tiles[0])
    down, right = draw.integers(0, side, 2)
    rows = (down + np.arange(height) / stretch).astype(int) % side
    columns = (right + np.arange(width)) % side
    if draw.uniform() < 0.5:
        columns = columns[::-1]
    return tuple(tile.take(rows, axis=0).take(columns, axis=1) for tile in tiles)
