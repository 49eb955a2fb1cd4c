"""Bringing pixels of a file onto the grid of a tile, by their kind.

Belongs here: nearest, mode, bilinear and average with masks. One rule says what is present: a pixel
of the tile is present where the pixel of the file that its centre lies in is. Absent pixels have no
weight, so nodata never bleeds into what is present, and classes are counted and never interpolated.
Never here: files, modalities.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fusion.tiles.grid import Array, Placement

_FINER = 1.6
"""From so many pixels of the file along one of the tile on, bilinear would skip some: they are
averaged instead."""


@dataclass(frozen=True, eq=False)
class Window:
    """Pixels that were read of a file.

    Attributes:
        pixels: (bands, h, w), values or codes; what is absent may hold anything finite.
        valid: (bands, h, w) bool.
        row: Of the file, that the first row is.
        col: Of the file, that the first column is.
    """

    pixels: np.ndarray
    valid: NDArray[np.bool_]
    row: int
    col: int


def reach(placement: Placement, height: int, width: int) -> tuple[int, int, int, int] | None:
    """First row, first column, rows and columns of a file that resampling touches; None: nothing.

    Args:
        placement: Of the tile in the file.
        height: Rows of the file.
        width: Columns of the file.
    """
    around = 0.0 if placement.whole else max(1.0, placement.ratio)
    spans = []
    for at, size in ((placement.rows, height), (placement.cols, width)):
        first = max(0, int(np.floor(at.min() + 0.5 - around)))
        last = min(size, int(np.floor(at.max() + 0.5 + around)) + 1)
        if last <= first:
            return None
        spans.append((first, last - first))
    (row, rows), (col, cols) = spans
    return row, col, rows, cols


def resample(
    window: Window, placement: Placement, how: str
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Pixels of a tile.

    Args:
        window: What was read, at least `reach`.
        placement: Of the tile in the file.
        how: `nearest`, `mode`, `bilinear` or `average`.

    Returns:
        (bands, h, w) pixels, of the type of the window's for `nearest` and `mode` and float64
        otherwise, and whether they are present.
    """
    rows, cols = placement.rows - window.row, placement.cols - window.col
    if not placement.whole:
        fine = placement.ratio > _FINER
        if how == "mode" and placement.ratio > 0.5:
            return _mode(window, rows, cols, placement)
        if how == "average" and placement.ratio > 0.5 or how == "bilinear" and fine:
            return _average(window, rows, cols, placement)
        if how in ("bilinear", "average"):
            return _bilinear(window, rows, cols)
    return _nearest(window, rows, cols)


def _nearest(window: Window, rows: Array, cols: Array) -> tuple[np.ndarray, NDArray[np.bool_]]:
    height, width = window.valid.shape[1:]
    row, in_row = _index(rows, height)
    col, in_col = _index(cols, width)
    if rows.ndim > 1:
        return window.pixels[:, row, col], window.valid[:, row, col] & (in_row & in_col)
    inside = in_row[:, None] & in_col
    # Rows first: whole rows are copied, and not pixel by pixel.
    pixels, valid = (np.take(np.take(v, row, axis=1), col, axis=2) for v in _both(window))
    return pixels, valid if inside.all() else valid & inside


def _both(window: Window) -> tuple[np.ndarray, np.ndarray]:
    return window.pixels, window.valid


def _index(at: Array, size: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Index of the pixel that each point lies in, kept within bounds, and whether there is one."""
    index = np.floor(at + 0.5).astype(np.intp)
    return index.clip(0, size - 1), (index >= 0) & (index < size)


def _present(window: Window, rows: Array, cols: Array) -> NDArray[np.bool_]:
    return _nearest(Window(window.valid, window.valid, 0, 0), rows, cols)[1]


def _bilinear(window: Window, rows: Array, cols: Array) -> tuple[np.ndarray, NDArray[np.bool_]]:
    present = _present(window, rows, cols)
    between = _straight if rows.ndim == 1 else _crooked
    if window.valid.all():
        return between(window.pixels, rows, cols), present
    weight = between(window.valid, rows, cols)
    total = between(np.where(window.valid, window.pixels, 0.0), rows, cols)
    return total / np.where(weight > 0, weight, 1.0), present


def _sides(at: Array, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Pixels before and behind each point, and the share of the one behind.

    Beyond the middle of the last pixel it is that pixel alone.
    """
    kept = at.clip(0, size - 1)
    first = np.floor(kept).astype(np.intp)
    return first, np.minimum(first + 1, size - 1), kept - first


def _straight(values: np.ndarray, rows: Array, cols: Array) -> Array:
    """Linear between rows and then between columns, where these stay rows and columns."""
    top, low, share = _sides(rows, values.shape[1])
    left, right, part = _sides(cols, values.shape[2])
    share = share[:, None]
    lines = values[:, top] * (1.0 - share) + values[:, low] * share
    return lines[..., left] * (1.0 - part) + lines[..., right] * part


def _crooked(values: np.ndarray, rows: Array, cols: Array) -> Array:
    """Linear between the four pixels around each point."""
    top, low, share = _sides(rows, values.shape[1])
    left, right, part = _sides(cols, values.shape[2])
    above = values[:, top, left] * (1.0 - part) + values[:, top, right] * part
    below = values[:, low, left] * (1.0 - part) + values[:, low, right] * part
    return above * (1.0 - share) + below * share


def _within(rows: Array, cols: Array, placement: Placement) -> list[tuple[Array, Array]]:
    """Points spread evenly over each pixel of the tile, an odd number along each side.

    At least two points meet each pixel of the file along a side; the middle one is the centre.
    """
    count = 2 * int(np.ceil(placement.ratio)) + 1
    steps = (np.arange(count) + 0.5) / count - 0.5
    if rows.ndim == 1:
        down, across = np.gradient(rows), np.gradient(cols)
        return [(rows + i * down, cols + j * across) for i in steps for j in steps]
    row_step, col_step = np.gradient(rows), np.gradient(cols)
    return [
        (rows + i * row_step[0] + j * row_step[1], cols + i * col_step[0] + j * col_step[1])
        for i in steps
        for j in steps
    ]


def _average(
    window: Window, rows: Array, cols: Array, placement: Placement
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    present = _present(window, rows, cols)
    weight, total = np.zeros((2, *present.shape))
    for r, c in _within(rows, cols, placement):
        values, valid = _nearest(window, r, c)
        weight += valid
        total += np.where(valid, values, 0.0)
    return total / np.where(weight > 0, weight, 1.0), present


def _mode(
    window: Window, rows: Array, cols: Array, placement: Placement
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """The commonest code in each pixel; of equally common ones, that of its centre, else the least.

    The centre's vote counts half more than another's.
    """
    centre, present = _nearest(window, rows, cols)
    seen = np.unique(window.pixels[window.valid])
    if len(seen) < 2:
        return centre, present
    votes = np.zeros((len(seen), *centre.shape), np.int32)
    for r, c in _within(rows, cols, placement):
        codes, valid = _nearest(window, r, c)
        for number, code in enumerate(seen):
            votes[number] += 2 * (valid & (codes == code))
    for number, code in enumerate(seen):
        votes[number] += present & (centre == code)
    most = seen[votes.argmax(axis=0)]
    return np.where(present, most, centre), present
