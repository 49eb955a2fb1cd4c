"""The mass-preserving spline: horizon means of a soil profile to means of standard depth layers.

Belongs here: the equal-area quadratic smoothing spline of Bishop et al. (1999), for many profiles
at once. Never here: reading profiles, units, or what is wrong with a depth (`adapters` flags that).

The curve f has a continuous derivative, is quadratic inside a horizon and straight across a gap,
and minimises 1/n * sum (y_i - m_i)^2 + lambda * integral f'^2, where m_i is its mean over horizon
i. With thickness d_i, gap g_i below it and slopes b_i = f'(top_i), b_1 = b_(n+1) = 0, continuity
alone gives R b = 6 Q m, line by line

    d_i b_i + (2 d_i + 2 d_(i+1) + 6 g_i) b_(i+1) + d_(i+1) b_(i+2) = 6 (m_(i+1) - m_i)

and the penalty is b' R b / 6 = 6 m' Q' R^-1 Q m. Its minimum m = y - n lambda Q' b, put into
R b = 6 Q m, leaves one symmetric, diagonally dominant tridiagonal system a profile,

    (R + 6 n lambda Q Q') b = 6 Q y,

which is eliminated for all profiles of equal length at the same time: no matrix is ever built.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.errors import FusionError

Floats = NDArray[np.float64]

STANDARD_DEPTHS = (0.0, 5.0, 15.0, 30.0, 60.0, 100.0, 200.0)
"""Layer limits of GlobalSoilMap in cm: Arrouays et al. 2014,
doi:10.1016/B978-0-12-800137-0.00003-0."""

_BLOCK = 512  # profiles at a time: their centimetres stay within the processor's cache


def mass_preserving_spline(
    profile: ArrayLike,
    top: ArrayLike,
    bottom: ArrayLike,
    value: ArrayLike,
    depths: Sequence[float] = STANDARD_DEPTHS,
    lam: float = 0.1,
    low: float = 0.0,
    high: float = 1000.0,
    average: Literal["centimetre", "exact"] = "centimetre",
) -> Floats:
    """Layer means of many profiles, from a mass-preserving spline through their horizons.

    Bishop, T.F.A., McBratney, A.B., Laslett, G.M. (1999), Modelling soil attribute depth functions
    with equal-area quadratic smoothing splines, Geoderma 91, 27-45,
    doi:10.1016/S0016-7061(99)00003-8.

    A horizon enters where its depths and value are numbers and 0 <= top < bottom: organic horizons
    recorded above the mineral surface and inverted ones do not. A profile whose horizons overlap
    has no single answer and gets NaN. Nothing is extrapolated: a layer is the mean over the part of
    it that lies between the first top and the last bottom, NaN where there is no such part. Gaps
    between horizons are bridged. A single horizon gives its own value.

    Args:
        profile: Profile of each horizon, (n_horizons,), any sortable type, in any order.
        top: Upper limit of each horizon in cm.
        bottom: Lower limit in cm.
        value: Mean of the property over the horizon, in any unit.
        depths: Limits of the output layers in cm, increasing.
        lam: Smoothing; 0 returns every horizon's mean exactly.
        low: Smallest value that the property can take.
        high: Largest.
        average: `centimetre` is the convention of the field's published tools and reference values:
            the curve is limited to [low, high] at each whole centimetre and the layer is the plain
            mean of its centimetres, each taken at its upper limit. `exact` integrates the curve,
            which preserves mass, and limits the layer mean.

    Returns:
        Layer means, (n_profiles, len(depths) - 1); row i belongs to `np.unique(profile)[i]`.

    Raises:
        FusionError: Lengths differ, or depths, smoothing or limits make no sense.
    """
    names = np.asarray(profile)
    tops, bottoms, values = (np.asarray(a, dtype=np.float64) for a in (top, bottom, value))
    limits = np.asarray(depths, dtype=np.float64)
    _refuse(names, (tops, bottoms, values), limits, lam, low, high, average)

    ids, index = np.unique(names, return_inverse=True)
    result = np.full((len(ids), len(limits) - 1), np.nan)
    usable = np.isfinite(tops) & np.isfinite(bottoms) & np.isfinite(values)
    usable[usable] = (tops[usable] >= 0) & (tops[usable] < bottoms[usable])
    rows = np.flatnonzero(usable)
    rows = rows[np.lexsort((bottoms[rows], tops[rows], index[rows]))]

    count = np.bincount(index[rows], minlength=len(ids))
    first = np.cumsum(count) - count
    same = index[rows][1:] == index[rows][:-1]
    overlap = same & (tops[rows][1:] < bottoms[rows][:-1])
    count[index[rows][1:][overlap]] = 0

    layer_means = _centimetre_means if average == "centimetre" else _exact_means
    for n in np.unique(count[count > 0]):
        members = np.flatnonzero(count == n)
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            horizon = rows[first[block] + np.arange(n)[:, None]]  # (n, profiles)
            curve = _fit(tops[horizon], bottoms[horizon], values[horizon], lam)
            result[block] = layer_means(*curve, limits, low, high).T
    return result


def _refuse(
    names: NDArray[np.generic],
    numbers: tuple[Floats, ...],
    limits: Floats,
    lam: float,
    low: float,
    high: float,
    average: str,
) -> None:
    shapes = [names.shape, *(a.shape for a in numbers)]
    if names.ndim != 1 or len(set(shapes)) != 1:
        raise FusionError(
            "profile, top, bottom and value must be vectors of one length",
            samples=shapes,
            remedy="pass one entry a horizon in each",
        )
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all() or limits[0] < 0:
        raise FusionError(
            "layer limits must increase from 0 cm or below the surface",
            samples=limits.ravel(),
            remedy="give at least two depths in cm, the smallest first",
        )
    if average not in ("centimetre", "exact"):
        raise FusionError(f"no such average: {average!r}", remedy="choose 'centimetre' or 'exact'")
    if average == "centimetre" and (limits % 1 != 0).any():
        raise FusionError(
            "averaging by the centimetre needs layer limits in whole centimetres",
            samples=limits[limits % 1 != 0],
            remedy="give whole numbers, or average='exact'",
        )
    if not lam >= 0 or not low < high:
        raise FusionError(
            "smoothing must be 0 or more, and low less than high",
            samples=(lam, low, high),
            remedy="the reference values of the field use lam=0.1",
        )


def _fit(top: Floats, bottom: Floats, value: Floats, lam: float) -> tuple[Floats, ...]:
    """Pieces of the curves of profiles with n horizons each, arrays (n, profiles).

    Returns start, length, and c0, c1, c2 of f(t) = c0 + c1 t + c2 t^2 with t measured from the
    start, arrays (pieces, profiles): horizons and the gaps below them alternate, 2n - 1 pieces.
    """
    n, profiles = top.shape
    thickness = bottom - top
    gap = top[1:] - bottom[:-1]
    weight = 6.0 * n * lam

    slope = np.zeros((n + 1, profiles))  # b at the tops, and at the last bottom
    diagonal = 2 * (thickness[:-1] + thickness[1:]) + 6 * gap + 2 * weight
    beside = thickness[1:-1] - weight
    right = 6 * np.diff(value, axis=0)
    for i in range(1, n - 1):
        factor = beside[i - 1] / diagonal[i - 1]
        diagonal[i] -= factor * beside[i - 1]
        right[i] -= factor * right[i - 1]
    for i in range(n - 2, -1, -1):
        below = beside[i] * slope[i + 2] if i < n - 2 else 0.0
        slope[i + 1] = (right[i] - below) / diagonal[i]

    mean = value + n * lam * np.diff(slope, axis=0)  # -Q' b is the difference of the slopes
    pieces = np.zeros((5, 2 * n - 1, profiles))
    start, length, c0, c1, c2 = pieces
    start[::2], length[::2] = top, thickness
    c1[::2] = slope[:-1]
    c2[::2] = np.diff(slope, axis=0) / (2 * thickness)
    c0[::2] = mean - thickness * (slope[:-1] / 3 + slope[1:] / 6)
    start[1::2], length[1::2], c1[1::2] = bottom[:-1], gap, slope[1:-1]
    c0[1::2] = (c0 + length * (c1 + length * c2))[:-1:2]
    return start, length, c0, c1, c2


def _centimetre_means(
    start: Floats,
    length: Floats,
    c0: Floats,
    c1: Floats,
    c2: Floats,
    limits: Floats,
    low: float,
    high: float,
) -> Floats:
    """Means (layers, profiles) of the curve at each whole centimetre, limited there."""
    end = start[-1] + length[-1]
    deepest = min(limits[-1], np.ceil(end.max()))
    x = np.arange(limits[0], max(deepest, limits[0] + 1))[:, None]  # (points, 1)
    t, a, b, c = (np.repeat(part[:1], len(x), axis=0) for part in (start, c0, c1, c2))
    for k in range(1, len(start)):
        if not length[k].any():
            continue  # no profile has a gap here: the next horizon starts at the same depth
        reached = x >= start[k]
        for current, part in ((t, start), (a, c0), (b, c1), (c, c2)):
            np.copyto(current, part[k], where=reached)
    np.subtract(x, t, out=t)
    curve = np.clip(a + t * (b + t * c), low, high)
    inside = (x >= start[0]) & (x < end)
    curve[~inside] = 0.0
    first = np.searchsorted(x[:, 0], limits)
    total, covered = (
        np.concatenate([np.zeros((1, start.shape[1])), np.cumsum(a, axis=0)])[first]
        for a in (curve, inside)
    )
    with np.errstate(invalid="ignore"):
        return np.diff(total, axis=0) / np.diff(covered, axis=0)


def _exact_means(
    start: Floats,
    length: Floats,
    c0: Floats,
    c1: Floats,
    c2: Floats,
    limits: Floats,
    low: float,
    high: float,
) -> Floats:
    """Means (layers, profiles) by integration, the mean limited."""
    edges = np.clip(limits[:, None], start[0], start[-1] + length[-1])  # (limits, profiles)
    integral = np.zeros_like(edges)
    for k in range(len(start)):
        t = np.clip(edges - start[k], 0.0, length[k])
        integral += t * (c0[k] + t * (c1[k] / 2 + t * c2[k] / 3))
    with np.errstate(invalid="ignore"):
        return np.clip(np.diff(integral, axis=0) / np.diff(edges, axis=0), low, high)
