"""Colours of a profile wall by depth: of segments, and where they change most.

Belongs here: simple colour statistics that baselines read. Never here: learners, the model.
"""

import numpy as np

from training.profile_forms import Segments

WINDOW_CM = 5.0
"""Depth above and below a place whose mean colours are compared."""


def colours(picture: np.ndarray, soil: np.ndarray) -> np.ndarray:
    """Sums over the soil of each row.

    Args:
        picture: (..., h, w, 3) uint8.
        soil: (..., h, w) bool.

    Returns:
        (..., h, 8) float32: pixels; red, green, blue (shares of 255); their squares; absolute
        difference of greys from pixel to pixel.
    """
    rgb = picture.astype(np.float32) / 255.0
    inside = soil[..., None]
    grey = rgb.mean(-1)
    rough = np.abs(np.diff(grey, axis=-1)) * (soil[..., 1:] & soil[..., :-1])
    parts = (
        soil.sum(-1, dtype=np.float32)[..., None],
        np.where(inside, rgb, 0).sum(-2),
        np.where(inside, rgb * rgb, 0).sum(-2),
        rough.sum(-1)[..., None],
    )
    return np.concatenate(parts, -1)


def of_segments(colour: np.ndarray, segments: Segments) -> np.ndarray:
    """(n, S, 13) colours of segments.

    Mean, deviation and roughness of each, its mean less that of the whole wall, and less that of
    the segment above; NaN where there is no soil.
    """
    sums, rows = _sums(colour), colour.shape[1]
    low = np.minimum((segments.tops * rows).round().astype(int), rows - 1)
    high = np.maximum((segments.bounds * rows).round().astype(int), low + 1)
    own = _of_rows(sums, low, high)
    zero = np.zeros((len(sums), 1), int)
    whole = _of_rows(sums, zero, zero + rows)[..., :3]
    above = np.concatenate([np.full_like(own[:, :1, :3], np.nan), own[:, :-1, :3]], 1)
    return np.concatenate([own, own[..., :3] - whole, own[..., :3] - above], -1)


def changes(colour: np.ndarray) -> np.ndarray:
    """(n, h) distance between the mean colours above and below each row; 0 where it is no peak."""
    rows = colour.shape[1]
    window = max(1, round(WINDOW_CM / 100 * rows))
    sums, place = _sums(colour), np.arange(rows)
    middle = np.broadcast_to(place, (len(colour), rows))
    above = _of_rows(sums, np.maximum(middle - window, 0), middle)[..., :3]
    below = _of_rows(sums, middle, np.minimum(middle + window, rows))[..., :3]
    change = np.nan_to_num(np.linalg.norm(below - above, axis=-1))
    change[:, :window] = change[:, rows - window :] = 0.0
    padded = np.pad(change, ((0, 0), (window, window)))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * window + 1, axis=1).max(-1)
    return np.where(change >= around, change, 0.0)


def cut_at(changed: np.ndarray, least: float, most: int) -> Segments:
    """Bounds at the largest changes of at least `least`, at most `most` horizons."""
    rows = changed.shape[1]
    largest = np.argsort(-changed, axis=1, kind="stable")[:, : most - 1]
    kept = np.take_along_axis(changed, largest, 1) >= max(least, 1e-12)
    bounds = np.where(kept, largest / rows, 1.0)
    return Segments.of(np.concatenate([np.sort(bounds, 1), np.ones((len(bounds), 1))], 1))


def _sums(colour: np.ndarray) -> np.ndarray:
    """(n, h + 1, 8) sums from the top."""
    whole = colour.astype(np.float64).cumsum(1)
    return np.concatenate([np.zeros_like(whole[:, :1]), whole], 1)


def _of_rows(sums: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, S, 7) means, deviations and roughness of rows low to high; NaN without soil."""
    row = np.arange(len(sums))[:, None]
    found = sums[row, high] - sums[row, low]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(found[..., :1] > 0, found[..., 1:] / found[..., :1], np.nan)
    mean, square, rough = found[..., :3], found[..., 3:6], found[..., 6:]
    return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0)), rough], -1)
