"""Bringing pixels of a file onto the grid of a tile, by their kind.

Belongs here: nearest, mode, bilinear and average with masks. One rule says what is present: a pixel
of the tile is present where the pixel of the file that its centre lies in is. Absent pixels have no
weight, so nodata never bleeds into what is present, and classes are counted and never interpolated.
Never here: files, modalities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fusion.tiles.grid import Array, Placement

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_FINER = 1.6
"""From so many pixels of the file along one of the tile on, bilinear would skip some: they are
averaged instead."""


@dataclass(frozen=True, eq=False)
class Window:
    """Pixels that were read of a file.

    Attributes:
        pixels: (bands, h, w), values or codes; what is absent may hold anything finite.
        valid: (bands, h, w) bool; None where all are.
        row: Of the file, that the first row is.
        col: Of the file, that the first column is.
    """

    pixels: np.ndarray
    valid: NDArray[np.bool_] | None
    row: int
    col: int


def reach(placement: Placement, height: int, width: int) -> tuple[int, int, int, int] | None:
    """First row, first column, rows and columns of a file that resampling touches; None: nothing.

    Args:
        placement: Of the tile in the file.
        height: Rows of the file.
        width: Columns of the file.
    """
    spans = []
    for axis, at, size in ((0, placement.rows, height), (1, placement.cols, width)):
        half = (abs(placement.down[axis]) + abs(placement.across[axis])) / 2
        around = 0.0 if placement.whole else max(1.0, half)
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
        (bands, h, w) pixels, of the type of the window's for `nearest` and `mode` and floating
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


def _floating(values: np.ndarray) -> np.ndarray:
    """Whole numbers of 16 bits are exact as float32."""
    return values.astype(np.result_type(values.dtype, np.float32), copy=False)


def _nearest(window: Window, rows: Array, cols: Array) -> tuple[np.ndarray, NDArray[np.bool_]]:
    taken = _Taken(window.pixels.shape, rows, cols)
    return taken.of(window.pixels), taken.present(window.valid)


class _Taken:
    """The pixels of a window that points lie in."""

    def __init__(self, shape: tuple[int, ...], rows: Array, cols: Array) -> None:
        self._bands = shape[0]
        self._row, in_row = _index(rows, shape[1])
        self._col, in_col = _index(cols, shape[2])
        self._straight = rows.ndim == 1
        self._inside = None
        if in_row is not None or in_col is not None:
            down = np.ones(self._row.shape, bool) if in_row is None else in_row
            along = np.ones(self._col.shape, bool) if in_col is None else in_col
            self._inside = down[:, None] & along if self._straight else down & along

    def of(self, values: np.ndarray) -> np.ndarray:
        """(bands, h, w) pixels; where a point lies beyond the window, those at its edge."""
        if not self._straight:
            bands, height, width = values.shape
            return values.reshape(bands, height * width).take(self._flat(width), axis=1)
        parts = [_part(index) for index in (self._row, self._col)]
        if None not in parts:
            return values[:, parts[0], parts[1]]
        # Rows first: whole rows are copied, and not pixel by pixel.
        return values.take(self._row, axis=1).take(self._col, axis=2)

    def within(self, values: np.ndarray) -> np.ndarray:
        """(bands, h, w) pixels; nothing where a point lies beyond the window."""
        found = self.of(values)
        return found if self._inside is None else found * self._inside

    def _flat(self, width: int) -> NDArray[np.intp]:
        return self._row * width + self._col

    def present(self, valid: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """(bands, h, w) bool: does a point lie in the window, and in a valid pixel?"""
        if valid is not None:
            there = self.of(valid)
            return there if self._inside is None else there & self._inside
        shape = (len(self._row), len(self._col)) if self._straight else self._row.shape
        if self._inside is None:
            return np.ones((self._bands, *shape), bool)
        return np.broadcast_to(self._inside, (self._bands, *shape)).copy()


def _part(index: NDArray[np.intp]) -> slice | None:
    """The slice that an index is, if it is one."""
    first, last = int(index[0]), int(index[-1])
    if last - first == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(first, last + 1)
    return None


def _index(at: Array, size: int) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None]:
    """Index of the pixel that each point lies in, and whether there is one; None where always."""
    up = at + 0.5
    if up.min() >= 0 and up.max() < size:
        return up.astype(np.intp), None
    index = np.floor(up).astype(np.intp)
    return index.clip(0, size - 1), (index >= 0) & (index < size)


def _bilinear(window: Window, rows: Array, cols: Array) -> tuple[np.ndarray, NDArray[np.bool_]]:
    present = _Taken(window.pixels.shape, rows, cols).present(window.valid)
    between = _straight if rows.ndim == 1 else _crooked
    values = _floating(window.pixels)
    if window.valid is None:
        return between(values, rows, cols), present
    weight = between(window.valid.astype(values.dtype), rows, cols)
    total = between(np.where(window.valid, values, 0), rows, cols)
    return total / np.where(weight > 0, weight, 1), present


def _sides(
    at: Array, size: int, dtype: np.dtype
) -> tuple[NDArray[np.intp], NDArray[np.intp], np.ndarray]:
    """Pixels before and behind each point, and the share of the one behind.

    Beyond the middle of the last pixel it is that pixel alone.
    """
    kept = at.clip(0, size - 1)
    first = np.floor(kept).astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (kept - first).astype(dtype)


def _straight(values: np.ndarray, rows: Array, cols: Array) -> np.ndarray:
    """Linear between rows and then between columns, where these stay rows and columns."""
    top, low, share = _sides(rows, values.shape[1], values.dtype)
    left, right, part = _sides(cols, values.shape[2], values.dtype)
    above = values.take(top, axis=1)
    lines = above + (values.take(low, axis=1) - above) * share[:, None]
    before = lines.take(left, axis=2)
    return before + (lines.take(right, axis=2) - before) * part


def _crooked(values: np.ndarray, rows: Array, cols: Array) -> np.ndarray:
    """Linear between the four pixels around each point."""
    height, width = values.shape[1:]
    top, low, share = _sides(rows, height, values.dtype)
    left, right, part = _sides(cols, width, values.dtype)
    flat = values.reshape(len(values), height * width)
    one, other = top * width, low * width
    above, below = flat.take(one + left, axis=1), flat.take(other + left, axis=1)
    above += (flat.take(one + right, axis=1) - above) * part
    below += (flat.take(other + right, axis=1) - below) * part
    return above + (below - above) * share


def _average(
    window: Window, rows: Array, cols: Array, placement: Placement
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Means over the pixel of the tile: by area, or of points spread evenly over it."""
    present = _Taken(window.pixels.shape, rows, cols).present(window.valid)
    values = _floating(window.pixels)

    def over(held: np.ndarray) -> np.ndarray:
        if placement.straight:
            return _over(held.astype(values.dtype, copy=False), rows, cols, placement)
        return sum(taken.within(held) for taken in _points(window, rows, cols, placement))

    if window.valid is None:
        # All bands of a window without gaps weigh the same.
        total, weight = over(values), over(np.ones((1, *values.shape[1:]), bool))
    else:
        total, weight = over(np.where(window.valid, values, 0)), over(window.valid)
    return total / np.where(weight > 0, weight, 1), present


def _mode(
    window: Window, rows: Array, cols: Array, placement: Placement
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """The commonest code in each pixel; of equally common ones, that of its centre, else the least.

    Codes are weighed by area, or counted at points spread evenly over the pixel; the centre has a
    little more, less than any point.
    """
    centre, present = _nearest(window, rows, cols)
    codes = window.pixels if window.valid is None else window.pixels[window.valid]
    seen = np.unique(codes)
    if len(seen) < 2:
        return centre, present
    if placement.straight:
        # (codes, bands, h, w) as one stack of bands.
        each = window.pixels == seen[:, None, None, None]
        each = each if window.valid is None else each & window.valid
        stack = each.reshape(-1, *each.shape[2:]).astype(np.float32)
        votes = _over(stack, rows, cols, placement).reshape(len(seen), *centre.shape)
        votes = np.round(votes, 4)
    else:
        # One more than the place of each code among those seen; 0 where nothing is present.
        place = np.searchsorted(seen, window.pixels).astype(np.uint16) + np.uint16(1)
        place = place if window.valid is None else place * window.valid
        votes = np.zeros((len(seen), *centre.shape), np.float32)
        for taken in _points(window, rows, cols, placement):
            here = taken.within(place)
            for number in range(len(seen)):
                votes[number] += here == number + 1
    for number, code in enumerate(seen):
        votes[number] += 5e-5 * (present & (centre == code))
    most = seen[votes.argmax(axis=0)]
    return np.where(present, most, centre), present


def _points(window: Window, rows: Array, cols: Array, placement: Placement) -> Iterator[_Taken]:
    """Points spread evenly over each pixel of the tile, where rows and columns are crooked.

    At least two along each pixel of the file, so that one lies in the pixel of the centre.
    """
    steps = [
        (np.arange(count) + 0.5) / count - 0.5
        for way in (placement.down, placement.across)
        for count in (2 * int(np.ceil(np.hypot(*way))),)
    ]
    for i in steps[0]:
        for j in steps[1]:
            down = i * placement.down[0] + j * placement.across[0]
            across = i * placement.down[1] + j * placement.across[1]
            yield _Taken(window.pixels.shape, rows + down, cols + across)


def _over(values: np.ndarray, rows: Array, cols: Array, placement: Placement) -> np.ndarray:
    """(bands, h, w) sums over the pixels of a tile, by the share of each that a pixel covers."""
    bands, height, width = values.shape
    down = _areas(rows, abs(placement.down[0]), height, values.dtype)
    across = _areas(cols, abs(placement.across[1]), width, values.dtype)
    lines = down @ values.transpose(1, 0, 2).reshape(height, bands * width)
    lines = lines.reshape(len(rows), bands, width).transpose(2, 1, 0).reshape(width, -1)
    return (across @ lines).reshape(len(cols), bands, len(rows)).transpose(1, 2, 0)


def _areas(at: Array, step: float, size: int, dtype: np.dtype) -> "csr_array":
    """(points, size) share of the stretch around each point that each pixel covers."""
    from scipy.sparse import csr_array

    low, high = at - step / 2 + 0.5, at + step / 2 + 0.5
    pixel = np.floor(low).astype(np.intp)[:, None] + np.arange(int(np.ceil(step)) + 1)
    share = np.minimum(high[:, None], pixel + 1) - np.maximum(low[:, None], pixel)
    kept = (share > 1e-9) & (pixel >= 0) & (pixel < size)
    point = np.broadcast_to(np.arange(len(at))[:, None], pixel.shape)
    found = (share[kept] / step).astype(dtype)
    return csr_array((found, (point[kept], pixel[kept])), shape=(len(at), size))
