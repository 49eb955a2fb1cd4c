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

Index = NDArray[np.integer]
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
        # Floating numbers become whole ones of 32 bits four times as quickly as of 64.
        whole = np.int32 if shape[1] * shape[2] < 2**31 else np.int64
        self._row, in_row = _index(rows, shape[1], whole)
        self._col, in_col = _index(cols, shape[2], whole)
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

    def _flat(self, width: int) -> Index:
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


def _part(index: Index) -> slice | None:
    """The slice that an index is, if it is one."""
    first, last = int(index[0]), int(index[-1])
    if last - first == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(first, last + 1)
    return None


def _index(at: Array, size: int, whole: type[np.integer]) -> tuple[Index, NDArray[np.bool_] | None]:
    """Index of the pixel that each point lies in, and whether there is one; None where always."""
    up = at + 0.5
    if up.min() >= 0 and up.max() < size:
        return up.astype(whole), None
    index = np.floor(up).astype(whole)
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


def _before(at: Array, size: int, dtype: np.dtype) -> tuple[Array, np.ndarray]:
    """The pixel before each point, and the share of the one behind it.

    From the middle of the last pixel on it is that pixel alone: whichever finite number is taken
    as the one behind has no share then.
    """
    kept = at.clip(0, size - 1)
    first = np.floor(kept)
    return first, (kept - first).astype(dtype)


def _straight(values: np.ndarray, rows: Array, cols: Array) -> np.ndarray:
    """Linear between rows and then between columns, where these stay rows and columns."""
    row, share = _before(rows, values.shape[1], values.dtype)
    col, part = _before(cols, values.shape[2], values.dtype)
    top, left = row.astype(np.intp), col.astype(np.intp)
    below = values.take(top + 1, axis=1, mode="clip")
    lines = _mixed(values.take(top, axis=1), below, share[:, None])
    return _mixed(lines.take(left, axis=2), lines.take(left + 1, axis=2, mode="clip"), part)


def _crooked(values: np.ndarray, rows: Array, cols: Array) -> np.ndarray:
    """Linear between the four pixels around each point."""
    bands, height, width = values.shape
    row, share = _before(rows, height, values.dtype)
    col, part = _before(cols, width, values.dtype)
    flat = values.reshape(bands, height * width)
    first = (row * width + col).astype(np.intp)
    here, right, below, beside = (
        flat.take(first + step, axis=1, mode="clip") for step in (0, 1, width, width + 1)
    )
    return _mixed(_mixed(here, right, part), _mixed(below, beside, part), share)


def _mixed(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Between two numbers, by the share of the other, in whose place it is written."""
    other -= one
    other *= share
    other += one
    return other


def _average(
    window: Window, rows: Array, cols: Array, placement: Placement
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Means over the pixel of the tile: by area, or of points spread evenly over it."""
    present = _Taken(window.pixels.shape, rows, cols).present(window.valid)
    values = _floating(window.pixels)
    # All bands of a window without gaps weigh the same.
    valid = np.ones((1, *values.shape[1:]), bool) if window.valid is None else window.valid
    kept = values if window.valid is None else np.where(valid, values, 0)
    if placement.straight:
        total = _over(kept, rows, cols, placement)
        weight = _over(valid.astype(values.dtype), rows, cols, placement)
    else:
        total, weight = np.zeros(present.shape, values.dtype), np.zeros(present.shape, int)
        for taken in _points(window, rows, cols, placement):
            total += taken.within(kept)
            weight += taken.present(window.valid)
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
        places = np.arange(1, len(seen) + 1, dtype=np.uint16)[:, None, None, None]
        votes = np.zeros((len(seen), *centre.shape), np.uint16)
        for taken in _points(window, rows, cols, placement):
            votes += taken.within(place) == places
    most, best = centre, np.zeros(centre.shape, np.float32)
    for code, given in zip(seen, votes, strict=True):
        worth = given + np.float32(5e-5) * (centre == code)
        most = np.where(worth > best, code, most)
        np.maximum(worth, best, out=best)
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
