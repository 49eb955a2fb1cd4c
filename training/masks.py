"""Which entries are hidden in a draw, and in which order samples are drawn.

Belongs here: counter-based randomness, a pure function of seed and counters. Never here: state.

A generator with state would make a resumed run depend on how often it was called before, and a run
on two processes differ from a run on one. Here draw k is the same whoever asks for it and when.
"""

import functools
from collections.abc import Sequence

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64: Steele, Lea and Flood 2014, OOPSLA


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(seed: int, draws: np.ndarray, columns: int) -> np.ndarray:
    """Uniform numbers in [0, 1): one row a draw, one column a feature, (draws, columns)."""
    with np.errstate(over="ignore"):
        row = _mix((draws.astype(np.uint64) + np.uint64(1)) * _GOLDEN + np.uint64(seed))
        cell = row[:, None] + (np.arange(columns, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        return (_mix(_mix(cell)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hide(
    present: np.ndarray,
    ratios: np.ndarray,
    seed: int,
    draws: np.ndarray,
    together: Sequence[Sequence[int]] = (),
) -> np.ndarray:
    """Choose the entries to hide; a missing entry is never chosen.

    Args:
        present: (B, columns) bool.
        ratios: (columns,) share of present entries to hide.
        seed: Of the masks.
        draws: (B,) number of each draw.
        together: Columns that are hidden together or not at all: shares of a whole follow from the
            rest.

    Returns:
        (B, columns) bool, a subset of `present`.
    """
    chances = uniform(seed, draws, present.shape[1])
    for members in together:
        chances[:, members] = chances[:, members[:1]]
    return present & (chances < ratios)


def visible_patches(patches: int, keep: int, seed: int, draws: np.ndarray) -> np.ndarray:
    """Choose the patches of a tile that an encoder sees, as many in every draw.

    Args:
        patches: Patches of a tile.
        keep: How many are seen.
        seed: Of the masks.
        draws: (B,) number of each draw.

    Returns:
        (B, patches) bool.
    """
    chances = uniform(seed, draws, patches)
    return chances.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable") < keep


def order(samples: int, seed: int, draws: np.ndarray) -> np.ndarray:
    """The sample of each draw: every pass is a permutation of its own, passes follow each other.

    Args:
        samples: Number of samples of a pass.
        seed: Of the order.
        draws: (B,) ascending draw numbers.
    """
    passes, places = np.divmod(draws, samples)
    result = np.empty(len(draws), dtype=np.int64)
    for one in np.unique(passes):
        result[passes == one] = _permutation(samples, seed, int(one))[places[passes == one]]
    return result


@functools.lru_cache(maxsize=2)  # batches of a pass share it, and one may reach into the next
def _permutation(samples: int, seed: int, one: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox([seed, one])).permutation(samples)
