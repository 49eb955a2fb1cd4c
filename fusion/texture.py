"""Texture classes from sand, silt and clay.

Belongs here: applying the class definitions in `texture_classes.yaml`. Never here: a class limit
(they are data, with their citation), or converting between particle-size limits.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from adapters.errors import FusionError

_DEFINITIONS = Path(__file__).with_name("texture_classes.yaml")
_FRACTIONS = ("sand", "silt", "clay")
_COMPARE = {
    "from": np.greater_equal,
    "above": np.greater,
    "to": np.less_equal,
    "below": np.less,
}


@dataclass(frozen=True)
class TextureSystem:
    """A classification: where it comes from, and its classes in the order of their definition."""

    id: str
    title: str
    limits: str
    citation: str
    labels: dict[str, str]
    conditions: dict[str, list[list[dict[str, float]]]]


@functools.cache
def texture_systems() -> dict[str, TextureSystem]:
    """All systems by id."""
    raw = yaml.safe_load(_DEFINITIONS.read_text(encoding="utf-8"))
    return {
        name: TextureSystem(
            name,
            system["title"],
            system["limits"],
            system["citation"],
            {code: entry["label"] for code, entry in system["classes"].items()},
            {code: entry["any"] for code, entry in system["classes"].items()},
        )
        for name, system in raw.items()
    }


def texture_class(
    sand: ArrayLike, silt: ArrayLike, clay: ArrayLike, system: str, tolerance: float = 5.0
) -> NDArray[np.object_]:
    """Class code of each soil.

    The fractions are scaled to a sum of 100 first. A limit belongs to the class that its
    definition says.

    Args:
        sand: Mass share of the fine earth in %, (n,); particle-size limits of the system.
        silt: As sand.
        clay: As sand.
        system: `hypres` or `usda`, see `texture_systems`.
        tolerance: Largest distance of the sum from 100, in percentage points.

    Returns:
        Codes, (n,), None where a fraction is missing or negative or the sum is too far from 100.

    Raises:
        FusionError: No such system.
    """
    if system not in texture_systems():
        raise FusionError(
            f"no texture system {system!r}",
            remedy=f"available: {', '.join(texture_systems())}",
        )
    shares = np.stack([np.asarray(a, dtype=np.float64) for a in (sand, silt, clay)])
    total = shares.sum(axis=0)
    usable = (np.abs(total - 100.0) <= tolerance) & (shares >= 0).all(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        fractions = dict(zip(_FRACTIONS, shares / total * 100.0, strict=True))

    codes = np.full(total.shape, None, dtype=object)
    for code, alternatives in texture_systems()[system].conditions.items():
        within = np.zeros(total.shape, dtype=bool)
        for conditions in alternatives:
            within |= np.all([_holds(condition, fractions) for condition in conditions], axis=0)
        codes[within & usable] = code
    return codes


def _holds(condition: dict[str, float], fractions: dict[str, NDArray[np.float64]]) -> NDArray:
    weighted = sum(condition[f] * fractions[f] for f in _FRACTIONS if f in condition)
    # scaling to 100 moves a number such as 35.0 by its last bit; a limit is meant to nine digits
    weighted = np.round(weighted, 9)
    limits = [(compare, condition[k]) for k, compare in _COMPARE.items() if k in condition]
    return np.all([compare(weighted, limit) for compare, limit in limits], axis=0)
