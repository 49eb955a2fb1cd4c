"""How far people agree on claims, with each other and with the check.

Belongs here: agreement statistics of verdicts on the same claims, with intervals. Never here: the
sheets that the verdicts stand on (`review.py`).
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEAST_TILES = 5
"""Tiles from which there are intervals: resampling fewer says nothing of other tiles."""

_Verdicts = NDArray[np.intp]
"""(claims, reviewers) number of the verdict; -1 where there is none."""


def krippendorff_alpha(verdicts: _Verdicts, weight: NDArray[np.floating] | None = None) -> float:
    """Krippendorff's alpha for nominal data; NaN where only one verdict was ever given.

    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability,
    https://repository.upenn.edu/asc_papers/43.

    Args:
        verdicts: (claims, reviewers) numbers from 0; -1 where a reviewer gave none.
        weight: (claims,) how often each claim counts; once by default.
    """
    counts = np.stack([(verdicts == v).sum(axis=1) for v in range(verdicts.max() + 1)], axis=1)
    judged = counts.sum(axis=1)
    paired = judged >= 2
    counts, judged = counts[paired], judged[paired]
    times = np.ones(len(counts)) if weight is None else weight[paired]
    differing = (judged**2 - (counts**2).sum(axis=1)) / (judged - 1)
    totals = times @ counts
    every = totals.sum()
    expected = every**2 - (totals**2).sum()
    if expected <= 0:
        return float("nan")
    return float(1.0 - (every - 1) * (times @ differing) / expected)


def raw_agreement(verdicts: _Verdicts, weight: NDArray[np.floating] | None = None) -> float:
    """Share of the pairs of verdicts on one claim that are the same; NaN where there are none."""
    times = np.ones(len(verdicts)) if weight is None else weight
    same = pairs = 0.0
    for a, b in itertools.combinations(verdicts.T, 2):
        both = (a >= 0) & (b >= 0)
        pairs += float(times[both].sum())
        same += float(times[both & (a == b)].sum())
    return same / pairs if pairs else float("nan")


def cohen_kappa(verdicts: _Verdicts, weight: NDArray[np.floating] | None = None) -> float:
    """Cohen's kappa of two reviewers; NaN where both gave one and the same verdict throughout.

    Cohen (1960), doi:10.1177/001316446002000104. As scikit-learn's, which takes too long for a
    thousand resamples.

    Args:
        verdicts: (claims, 2), as above; claims that only one of them judged do not count.
        weight: (claims,).
    """
    one, other = verdicts.T
    both = (one >= 0) & (other >= 0)
    times = np.ones(len(verdicts)) if weight is None else weight
    size = int(verdicts.max()) + 1
    table = np.zeros((size, size))
    np.add.at(table, (one[both], other[both]), times[both])
    every = table.sum()
    if not every:
        return float("nan")
    same = np.trace(table) / every
    chance = float(table.sum(axis=0) @ table.sum(axis=1)) / every**2
    return float("nan") if chance == 1.0 else float((same - chance) / (1.0 - chance))


def with_check(
    verdicts: _Verdicts, supported: NDArray[np.bool_], weight: NDArray[np.floating] | None = None
) -> float:
    """Share of the verdicts right (0) and wrong (1) that the check shares; NaN where none is.

    Args:
        verdicts: As above, numbers above 1 saying neither.
        supported: (claims,) did the check keep the claim?
        weight: (claims,).
    """
    times = np.ones(len(verdicts)) if weight is None else weight
    decided = (verdicts == 0) | (verdicts == 1)
    same = decided & ((verdicts == 0) == supported[:, None])
    every = float(times @ decided.sum(axis=1))
    return float(times @ same.sum(axis=1)) / every if every else float("nan")


def with_interval(
    score: Callable[[NDArray[np.floating]], float],
    tile: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Any]:
    """A score and its 95 % interval by resampling tiles, whose claims know each other.

    Args:
        score: (claims,) weights -> score; NaN where it is not defined.
        tile: Of each claim.
        seed: Of the resamples.
        resamples: How many; those in which the score is not defined are left out.

    Returns:
        `value`, None where it is not defined; `interval`, None also with fewer than `LEAST_TILES`
        tiles.
    """
    names, place = np.unique(np.asarray(tile), return_inverse=True)
    value = score(np.ones(len(place)))
    interval = None
    if len(names) >= LEAST_TILES and not np.isnan(value):
        chance = np.full(len(names), 1 / len(names))
        times = np.random.default_rng(seed).multinomial(len(names), chance, size=resamples)
        drawn = np.array([score(row[place].astype(float)) for row in times])
        low, high = np.percentile(drawn[~np.isnan(drawn)], (2.5, 97.5))
        interval = (float(low), float(high))
    return {"value": None if np.isnan(value) else value, "interval": interval}
