"""Words and definitions of captions: what a class, a side, a relief word or a tolerance means.

Belongs here: reading `vocabulary.yaml`, the definitions that writer and verifier share, and the
tolerances that the verifier checks with. Never here: measuring or parsing; those who write and
those who check share words, never measurements.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from adapters.quantities import quantity
from adapters.units import conversion

FILE = Path(__file__).with_name("vocabulary.yaml")


@dataclass(frozen=True)
class Tolerances:
    """How far a claim may be from what the arrays say; numbers without a unit are shares in %.

    A number within its tolerance is supported, one beyond it contradicted. Words without a number
    have two limits: what meets the first is supported, what fails the second is contradicted, and
    what lies between is not decided, hence not kept.
    """

    share: float = 2.0
    """Percentage points for a share of 15 % and above ..."""
    share_small: float = 0.5
    share_growth: float = 0.1
    """... and `share_small + share_growth * share` points for a smaller one."""
    about: float = 2.0
    """Factor for numbers that say so themselves ("about", "roughly", a fraction in words)."""
    present: float = 0.5
    """A class of this share is there ..."""
    absent: float = 0.1
    """... and one of at most this share is not."""
    larger: float = 1.0
    """Points by which a class must exceed another to be the larger one."""
    far: float = 1.5
    """Multiple of another class that is "far more" than it ..."""
    not_far: float = 1.25
    slightly: float = 5.0
    """Points by which a class that is "slightly" larger exceeds another at most, being less than
    `not_far` times as large; twice as many points, or `far` times as much, contradict it."""
    equal: float = 3.0
    equal_relative: float = 0.25
    """Points, and share of the larger class, within which two are equally large; twice the smaller
    of both contradicts it."""
    ratio: float = 0.15
    """Relative, for "twice as much"; both classes must have a share of `ratio_from`."""
    ratio_from: float = 5.0
    dominates: float = 40.0
    """Share of a class that dominates; it must also be the largest."""
    border_m: float = 200.0
    """Common border of two classes that border each other, in m ..."""
    no_border_m: float = 50.0
    """... and of two that do not."""
    surrounded: float = 60.0
    """Share of a class's border towards one other that surrounds it ..."""
    not_surrounded: float = 50.0
    side: float = 0.15
    """Offset of the centroid towards a side, the tile's half being 1 ..."""
    not_side: float = 0.05
    """... and offset that is not towards it."""
    inside: float = 50.0
    """Share of what lies on a side of the tile, or in its centre, that is in that half, quarter or
    inner half: without it, what lies all around would lie in the centre ..."""
    not_inside: float = 25.0
    """... and share below which it does not lie there."""
    centre: float = 0.2
    """Largest offset of the centroid of what lies in the centre ..."""
    not_centre: float = 0.3
    elevation_m: float = 3.0
    elevation_relative: float = 0.01
    relief_m: float = 4.0
    relief_relative: float = 0.05
    slope_degrees: float = 0.5
    slope_relative: float = 0.1
    canopy_m: float = 1.0
    canopy_relative: float = 0.05
    index: float = 0.03
    agreement: float = 2.0
    confined: float = 95.0
    """Share of what lies nowhere else that is on a side, no more than `present` of the tile being
    elsewhere ..."""
    not_confined: float = 75.0
    """... and share below which it lies elsewhere too."""
    along: float = 50.0
    """Share of an edge's length along which a class lies that follows it ..."""
    not_along: float = 25.0
    longest: float = 1.05
    """Multiple of every other common border that the longest is."""
    fraction: float = 1.5
    """Points by which the largest fraction of the soil exceeds the others."""
    exactly: float = 0.1
    """Share of a tolerance within which an "exact" number holds."""
    word: float = 0.1
    """Relative distance from a word's limits within which it is not decided."""
    gradient_m: float = 5.0
    """Rise of the fitted plane over the tile below which it rises nowhere."""
    gradient_r2: float = 0.3
    """Share of the variance of elevation that the plane explains."""
    degrees: float = 45.0
    """Angle between a named direction and the steepest one that still holds ..."""
    not_degrees: float = 67.5
    """... and from which it does not."""
    coordinates: float = 0.02
    """Degrees."""
    one_sided: float = 5.0
    """A bound further off than this many tolerances says nothing, and is not kept."""


TOLERANCES = Tolerances()

COVERAGE_SHARE, COVERAGE_PLACE = 0.5, 0.9
"""Share of a modality's pixels that must be present: for shares and medians; for where something
lies, for borders and for absence."""

NDWI_WATER, VV_WATER = 0.0, -17.0
"""Second source of water: NDWI above (McFeeters 1996, doi:10.1080/01431169608948714), or VV in dB
below; smooth water reflects the radar away (Twele et al. 2016, doi:10.1080/01431161.2016.1192304,
find scene thresholds around -15 to -20 dB)."""

CANOPY_FROM = 5.0
"""Height in m from which a canopy counts: trees by FAO's definition of forest (FRA 2020, p. 4)."""

TROPIC = 23.44
"""Latitude in degrees within which no season is named."""

DAYS = {"early": range(1, 11), "mid": range(11, 21), "late": range(21, 32)}
"""Days of a part of a month."""

EDGE, CORNER = 0.6, 1 / 3
"""How far from the centre an edge of the tile begins, its half side being 1, and how far to both
sides a corner does."""

_MASS_SHARES = {"%": "percent", "g/kg": "g/kg", "mg/kg": "mg/kg"}
"""Units of a share of mass, as captions and as pint write them."""


@dataclass(frozen=True)
class Word:
    """A word with limits on a measured number: `start` <= number < `end`."""

    id: str
    start: float
    end: float


@functools.cache
def vocabulary() -> dict[str, Any]:
    """Contents of `vocabulary.yaml`; a phrase with slots is all that their words make of it."""
    read = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    slots = read.pop("slots")
    return _filled(read, slots)


_SLOT = re.compile(r"\{(\w+)\}")


def _filled(node: Any, slots: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, slots) for key, value in node.items()}
    if not isinstance(node, list):
        return node
    phrases = (p for item in node for p in (_phrases(item, slots) if _slotted(item) else [item]))
    return list(dict.fromkeys(phrases))


def _slotted(item: object) -> bool:
    return isinstance(item, str) and _SLOT.search(item) is not None


def _phrases(phrase: str, slots: Mapping[str, Sequence[str]]) -> list[str]:
    """Every phrase that the slots of one make."""
    slot = _SLOT.search(phrase)
    if slot is None:
        return [" ".join(phrase.split())]
    return [
        made
        for word in slots[slot[1]]
        for made in _phrases(phrase.replace(slot[0], word, 1), slots)
    ]


@functools.cache
def words(kind: str) -> dict[str, Word]:
    """Words of `relief`, `vigour`, `reaction` or `extents` with their limits."""
    return {
        name: Word(name, float(entry["from"]), float(entry.get("below", entry.get("to"))))
        for name, entry in vocabulary()[kind].items()
    }


@functools.cache
def label(cover: str) -> str:
    """What a land-cover class is called."""
    return vocabulary()["covers"][cover]["label"]


@functools.cache
def element(vector: str, name: str) -> tuple[str, str] | None:
    """Property and unit that an element of the soil or climate vector holds; None if unknown.

    Args:
        vector: `soil` or `climate`.
        name: As in the tile's list; what precedes a dot is the source, and what follows two
            underscores the method.
    """
    known = vocabulary()[vector]
    plain = _parts(name)[1]
    found = next(
        (p for p, e in known.items() if plain in (p, e.get("quantity"), *e.get("elements", ()))),
        None,
    )
    if found is None:
        return None
    return found, str(quantity(known[found].get("quantity", found)).unit)


def mass_factor(unit: str, to: str) -> float | None:
    """What makes a share of mass in one unit one in another; None if one of them is no such unit.

    Args:
        unit: As captions write it.
        to: The same.
    """
    if not {unit, to} <= _MASS_SHARES.keys():
        return None
    return conversion(_MASS_SHARES[unit], "mass", _MASS_SHARES[to], "mass").scale


def family(name: str) -> tuple[str, str]:
    """Source and method of an element: what is of one family was measured on the same soil.

    Args:
        name: As for `element`.
    """
    source, _, method = _parts(name)
    return source, method


def _parts(name: str) -> tuple[str, str, str]:
    source, _, last = name.rpartition(".")
    plain, _, method = last.partition("__")
    return source, plain, method


def season(month: int, latitude: float) -> str | None:
    """Meteorological season; None between the tropics."""
    if abs(latitude) < TROPIC:
        return None
    order = ("winter", "spring", "summer", "autumn")
    return order[(month % 12 // 3 + (2 if latitude < 0 else 0)) % 4]


_MEASURED = {
    "elevation": (TOLERANCES.elevation_m, TOLERANCES.elevation_relative),
    "relief": (TOLERANCES.relief_m, TOLERANCES.relief_relative),
    "slope": (TOLERANCES.slope_degrees, TOLERANCES.slope_relative),
    "canopy_height": (TOLERANCES.canopy_m, TOLERANCES.canopy_relative),
}


def tolerance(kind: str, name: str, value: float) -> float:
    """How far a claimed number may be from a measured one, in the unit of both.

    Args:
        kind: Of the claim, as `claims.KINDS`.
        name: Property that is claimed; of no meaning for shares.
        value: As measured.
    """
    if kind in ("soil", "climate"):
        entry = vocabulary()[kind][name]
        return max(float(entry["tolerance"]), float(entry.get("relative", 0.0)) * abs(value))
    if name in _MEASURED:
        fixed, relative = _MEASURED[name]
        return max(fixed, relative * abs(value))
    if kind == "index":
        return TOLERANCES.index
    if kind == "agreement":
        return TOLERANCES.agreement
    return min(TOLERANCES.share, TOLERANCES.share_small + TOLERANCES.share_growth * value)
