"""Is a claim true by what the orchestrator measured? A second opinion beside the verifier's.

Belongs here: what a claim comes to by the facts of `measure.py`, so that lies can be planted and
captions counted without asking the verifier: it measures for itself (`evidence.py`) and has its own
rules of decision, and neither is used here. Both share the tolerances, which say what is claimed.
Never here: text.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from adapters.modalities import ROI_M
from fusion.captions.claims import Claim
from fusion.captions.lexer import Number
from fusion.captions.measure import Facts
from fusion.captions.vocabulary import (
    DAYS,
    TOLERANCES,
    mass_factor,
    season,
    tolerance,
    vocabulary,
    words,
)
from fusion.tiles.tile import Tile

_SURE = 0.02
"""Share of a tolerance around its end within which facts, which are rounded, decide nothing."""
_RING_FALSE, _RING_TRUE = 35.0, 75.0
"""Share in % of the pixels around a class that are of another, below which it is certainly not
surrounded by it, and above which it certainly is; the definition counts edges and lies between."""


def holds(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    """Is a claim true, false, or neither said nor excluded by the facts (None)?

    Args:
        claim: Of any caption.
        facts: Of the tile.
        tile: Read where facts are silent: may two classes touch?
    """
    if claim.narrower:
        return _narrower(claim, facts)
    found = _JUDGES[claim.kind](claim, facts, tile)
    return found if found is None or not claim.negated else not found


def _narrower(claim: Claim, facts: Facts) -> bool | None:
    gone = any((_share(facts, cover, claim.source) or 0.0) <= TOLERANCES.absent
               and _share(facts, cover, claim.source) is not None
               for cover in claim.subject)  # fmt: skip
    if not gone or (claim.negated and claim.kind != "cover presence"):
        return None
    return claim.negated


def _either(yes: bool, no: bool) -> bool | None:
    return True if yes else False if no else None


def number_holds(said: Number, value: float, within: float) -> bool | None:
    """Is a claimed number right?

    Args:
        said: Claimed.
        value: Measured.
        within: Tolerance.
    """
    slack = within / 4 + _SURE * within
    if said.bound in ("above", "at least"):
        return _either(value >= said.low, value < said.low - slack)
    if said.bound in ("below", "at most"):
        return _either(value <= said.high, value > said.high + slack)
    if said.low != said.high:
        inside = said.low <= value <= said.high
        return _either(inside, not said.low - slack <= value <= said.high + slack)
    room = within * (TOLERANCES.about if said.about else 1.0)
    room *= TOLERANCES.exactly if said.bound == "exactly" else 1.0
    off = abs(value - said.low)
    return _either(off <= (1 - _SURE) * room, off > (1 + _SURE) * room)


def _percent(number: Number | None) -> Number | None:
    if number is None or number.unit == "%":
        return number
    per_unit = {"ha": 1e4, "km2": 1e6}.get(number.unit)
    if per_unit is None:
        return None
    to_percent = 100.0 * per_unit / ROI_M**2
    return Number(
        number.low * to_percent, number.high * to_percent, number.bound, number.about, "%"
    )


def _share(facts: Facts, cover: str, source: str | None = None) -> float | None:
    """Share of a class in %; None where the facts do not have it."""
    if facts.source is None or source not in (None, facts.source):
        return None
    if not vocabulary()["covers"][cover][facts.source]:
        return None
    if cover in facts.absent:
        return 0.0
    for known in facts.covers:
        if known.id == cover:
            return known.share
    # What two sources call water is known from `covers` and `absent` alone.
    return None if cover == "water" else dict(facts.order).get(cover, 0.0)


def _cover_share(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    share, said = _share(facts, claim.subject[0], claim.source), _percent(claim.number)
    if share is None or said is None:
        return None
    return number_holds(said, share, tolerance(claim.kind, "", share))


def _cover_total(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    shares = [_share(facts, cover, claim.source) for cover in claim.subject]
    said = _percent(claim.number)
    total = sum(share for share in shares if share is not None)
    if claim.object == "all" and None not in shares:
        rest = 100.0 - total
        return _either(rest < TOLERANCES.present, rest > TOLERANCES.larger)
    if None in shares or said is None:
        return None
    return number_holds(said, total, tolerance(claim.kind, "", total))


def _ranked(shares: Mapping[str, float], subject: str, wanted: str | None) -> bool | None:
    own = shares.get(subject, 0.0)
    before = [s for name, s in shares.items() if name != subject and s > own - TOLERANCES.larger]
    surely = [s for s in before if s > own + TOLERANCES.larger]
    if wanted == "dominates":
        low = (1 - TOLERANCES.word) * TOLERANCES.dominates
        return _either(not before and own >= TOLERANCES.dominates, bool(surely) or own < low)
    there = own >= TOLERANCES.present
    if wanted == "last":
        rest = [s for name, s in shares.items() if name != subject and s > TOLERANCES.absent]
        least = min(rest, default=100.0)
        rarer = any(TOLERANCES.present <= s < own - TOLERANCES.larger for s in rest)
        return _either(there and least > own + TOLERANCES.larger, rarer)
    if wanted == "by far":
        most = max((s for name, s in shares.items() if name != subject), default=0.0)
        return _either(there and own >= TOLERANCES.far * most, own < TOLERANCES.not_far * most)
    place = int(wanted or 1) - 1
    return _either(
        len(surely) == len(before) == place and there, not len(surely) <= place <= len(before)
    )


def _cover_rank(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if _share(facts, claim.subject[0], claim.source) is None:
        return None
    return _ranked(dict(facts.order), claim.subject[0], claim.object)


def _cover_presence(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    share = _share(facts, claim.subject[0], claim.source)
    if share is None:
        return None
    return _either(share >= TOLERANCES.present, share <= TOLERANCES.absent)


def _within(kind: str, word: str, value: float, margin: float | None = None) -> bool | None:
    """Does a word hold for a number, with the given margin around its limits or a relative one?"""
    limits = words(kind)[word]
    low, high = (
        TOLERANCES.word * abs(limit) if margin is None else margin
        for limit in (limits.start, limits.end)
    )
    return _either(
        limits.start <= value < limits.end,
        value < limits.start - low or value >= limits.end + high,
    )


def _cover_extent(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    share = _share(facts, claim.subject[0], claim.source)
    if share is None or claim.object is None:
        return None
    if share <= TOLERANCES.absent and words("extents")[claim.object].start > 0:
        return False
    return _within("extents", claim.object, share, TOLERANCES.larger)


def _cover_relation(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    one, other = (_share(facts, cover, claim.source) for cover in claim.subject)
    if one is None or other is None or claim.subject[0] == claim.subject[1]:
        return None
    how, _, way = (claim.object or "").rpartition(" ")
    if way in ("larger", "smaller"):
        more, less = (one, other) if way == "larger" else (other, one)
        both = min(one, other) >= TOLERANCES.present
        if how == "slightly":
            return _slightly(more, less) if both else None
        enough = how != "far" or more >= TOLERANCES.far * less
        not_enough = how == "far" and more < TOLERANCES.not_far * less
        return _either(
            more - less >= TOLERANCES.larger and both and enough,
            more - less <= -TOLERANCES.larger or not_enough,
        )
    if claim.object == "next":
        ranked = [share for _, share in facts.order]
        between = any(other + TOLERANCES.larger < s < one - TOLERANCES.larger for s in ranked)
        ahead = one - other >= TOLERANCES.larger and other >= TOLERANCES.present
        return _either(ahead and not between, between or other - one >= TOLERANCES.larger)
    if claim.object == "equal":
        limit = min(TOLERANCES.equal, TOLERANCES.equal_relative * max(one, other))
        near = abs(one - other) <= limit and min(one, other) >= TOLERANCES.present
        return _either(near, abs(one - other) > 2 * limit)
    if claim.number is None:
        return None
    if min(one, other) < TOLERANCES.ratio_from:
        return False if one <= other and claim.number.low >= 1 else None
    times, slack = one / other / claim.number.low, TOLERANCES.ratio / 4
    if claim.number.bound:
        under = claim.number.bound in ("below", "at most")
        return (
            _either(times <= 1, times > 1 + slack)
            if under
            else _either(times >= 1, times < 1 - slack)
        )
    off = abs(times - 1.0)
    return _either(off <= TOLERANCES.ratio, off > 2 * TOLERANCES.ratio)


def _slightly(more: float, less: float) -> bool | None:
    points, times = more - less, more / less
    near = TOLERANCES.larger <= points <= TOLERANCES.slightly and times <= TOLERANCES.not_far
    off = points <= -TOLERANCES.larger or points > 2 * TOLERANCES.slightly
    return _either(near, off or times >= TOLERANCES.far)


def _border(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    pair = set(claim.subject)
    if len(pair) < 2 or any(_share(facts, c, claim.source) is None for c in pair):
        return None
    masks = {cover: _may_be(cover, facts, tile) for cover in claim.subject}
    one, other = (masks[cover] for cover in claim.subject)
    around = _grown(one) & ~one
    meet = bool((around & other).any())
    if claim.object == "longest":
        return _longest(claim, facts)
    if claim.object == "borders":
        listed = any({border.one, border.other} == pair for border in facts.borders)
        return _either(listed, not meet)
    if not meet:
        return False
    if "water" in pair or not around.any():
        return None
    share = 100.0 * (around & other).sum() / around.sum()
    return _either(share > _RING_TRUE, share < _RING_FALSE)


def _longest(claim: Claim, facts: Facts) -> bool | None:
    listed = {frozenset((border.one, border.other)): border.length for border in facts.borders}
    own = listed.pop(frozenset(claim.subject), 0.0)
    next_ = max(listed.values(), default=TOLERANCES.border_m)
    return _either(own >= TOLERANCES.longest * next_, next_ >= TOLERANCES.longest * own)


def _may_be(cover: str, facts: Facts, tile: Tile) -> NDArray[np.bool_]:
    """Pixels that the map gives a class; for water more than those on which two sources agree."""
    source = facts.source or ""
    codes = vocabulary()["covers"][cover][source]
    return tile.present[source][0] & np.isin(tile.arrays[source][0], codes)


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask)


def _towards(east: float, north: float, side: str) -> bool | None:
    way = vocabulary()["sides"][side]
    if not (way["x"] or way["y"]):
        away = math.hypot(east, north)
        return _either(away <= TOLERANCES.centre, away > TOLERANCES.not_centre)
    along = [offset * sign for offset, sign in ((east, way["x"]), (north, way["y"])) if sign]
    return _either(min(along) >= TOLERANCES.side, min(along) <= TOLERANCES.not_side)


def _side(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    known = {cover.id: cover for cover in facts.covers}
    for cover in claim.subject:
        share = _share(facts, cover, claim.source)
        if share is not None and share <= TOLERANCES.absent:
            return None if claim.negated else False
        if share is None or cover not in known or known[cover].centre is None:
            return None
    if claim.statistic == "all" or " " in (claim.object or ""):
        return _lies_there(claim, facts, tile)
    (east, north), *others = (known[cover].centre for cover in claim.subject)
    if others:
        if claim.object == "centre" or claim.subject[0] == claim.subject[1]:
            return None
        return _towards(east - others[0][0], north - others[0][1], claim.object or "")
    found = _towards(east, north, claim.object or "")
    # Is most of it there? That alone is not known from the facts where they do not name the side.
    named = claim.object in known[claim.subject[0]].sides
    return found if found is False or named else None


_THIRD, _FIFTH = slice(None, 43), slice(None, 26)
"""Rows or columns of a corner and of an edge, counted from outside."""


def _part(name: str, source: str, tile: Tile) -> NDArray[np.bool_]:
    """Which pixels of a part of the tile are known."""
    side, _, kind = name.partition(" ")
    room = {"": slice(None, 64), "corner": _THIRD, "edge": _FIFTH}[kind]
    known = tile.present[source][0]
    inside = np.zeros_like(known)
    # Turned so that the part begins in the first row, and in the first column.
    turned = inside[::-1] if "south" in side else inside
    turned = turned[:, ::-1] if "east" in side else turned
    rows = room if side.startswith(("north", "south")) else slice(None)
    turned[rows, room if side.endswith(("east", "west")) else slice(None)] = True
    return inside & known


def _lies_there(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    """Does a class lie at an edge, in a corner, or on one side alone?"""
    (cover,), place = claim.subject, claim.object or ""
    if cover == "water" or place == "centre" or facts.source is None:
        return None
    mask = _may_be(cover, facts, tile)
    there = mask & _part(place, facts.source, tile)
    inside, elsewhere = 100.0 * there.sum() / mask.sum(), 100.0 * (mask & ~there).mean()
    if claim.statistic == "all":
        yes = inside >= TOLERANCES.confined and elsewhere < TOLERANCES.present
        return _either(yes, inside < TOLERANCES.not_confined)
    yes, no = inside >= TOLERANCES.inside, inside < TOLERANCES.not_inside
    if claim.statistic == "along":
        length = 100.0 * there.any(axis=0 if place.startswith(("north", "south")) else 1).mean()
        yes, no = yes and length >= TOLERANCES.along, no or length < TOLERANCES.not_along
    return _either(yes, no)


def _region(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    share = _share(facts, claim.subject[0], claim.source)
    if claim.number is not None:
        return _number_of_part(claim, facts, tile)
    if claim.statistic == "present" or " " in (claim.object or ""):
        gone = share is not None and share <= TOLERANCES.absent
        return False if gone else _there(claim, facts, tile)
    first = next((r.cover for r in facts.regions if r.side == claim.object), None)
    if first is None or share is None:
        return None
    largest = first == claim.subject[0]
    # How much of the side the largest class covers is not known from the facts.
    return None if claim.statistic == "most" and largest else largest


def _there(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    """Is a class in a part of the tile, or the largest of it?"""
    shares = {
        cover: _share_there(cover, claim.object or "", facts, tile)
        for cover, entry in vocabulary()["covers"].items()
        if cover != "water" and entry[facts.source or "worldcover"]
    }
    own = shares.get(claim.subject[0])
    if own is None:
        return None
    if claim.statistic == "present":
        return _either(own >= TOLERANCES.present, own <= TOLERANCES.absent)
    ahead = own - max(s for c, s in shares.items() if s is not None and c != claim.subject[0])
    # What two sources call water is not counted here, and may be more.
    dry = own > 50.0 and own >= TOLERANCES.dominates
    return _either(dry and ahead >= TOLERANCES.larger, ahead <= -TOLERANCES.larger)


def _share_there(cover: str, place: str, facts: Facts, tile: Tile) -> float | None:
    """Share in % of a class in a part of the tile; None of water, and of the centre."""
    if cover == "water" or place == "centre" or facts.source is None:
        return None
    known = _part(place, facts.source, tile)
    return 100.0 * float((_may_be(cover, facts, tile) & known).sum() / (known.sum() or 1))


def _number_of_part(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    (cover,), place, said = claim.subject, claim.object or "", claim.number
    value = _share_there(cover, place, facts, tile)
    if (
        value is None
        or said is None
        or said.unit != "%"
        or claim.source not in (None, facts.source)
    ):
        return None
    if claim.statistic == "of tile":
        known = tile.present[facts.source or ""][0]
        value *= float(_part(place, facts.source or "", tile).sum() / known.sum())
    return number_holds(said, value, tolerance("cover share", "", value))


def _agreement(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if facts.agreement is None or claim.number is None:
        return None
    share = 100.0 - facts.agreement if claim.object == "differ" else facts.agreement
    return number_holds(claim.number, share, tolerance(claim.kind, "", share))


def _landforms(facts: Facts) -> Mapping[str, float] | None:
    return facts.relief.landforms if facts.relief and facts.relief.landforms else None


def _landform(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    shares = _landforms(facts)
    if shares is None:
        return None
    share = shares[claim.subject[0]]
    if claim.kind == "landform rank":
        return _ranked(shares, claim.subject[0], claim.object)
    if claim.kind == "landform presence":
        return _either(share >= TOLERANCES.present, share <= TOLERANCES.absent)
    if claim.number is None or claim.number.unit != "%":
        return None
    return number_holds(claim.number, share, tolerance(claim.kind, "", share))


def _measured(facts: Facts, name: str, statistic: str | None) -> float | None:
    """Elevation, relief, slope or height of the canopy, as far as the facts have it."""
    if name == "canopy_height":
        return facts.canopy.get(statistic or "")
    relief = facts.relief
    if relief is None:
        return None
    known = {
        ("elevation", "minimum"): relief.lowest,
        ("elevation", "maximum"): relief.highest,
        ("elevation", "mean"): relief.mean,
        ("relief", "value"): relief.highest - relief.lowest,
        ("slope", "median"): relief.median_slope,
    }
    return known.get((name, statistic))


def _number_of(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    (name,), said = claim.subject, claim.number
    if said is None or said.unit != vocabulary()["properties"][name]["unit"]:
        return None
    if name == "elevation" and said.low != said.high and not said.bound:
        ends = []
        for limit, statistic in ((said.low, "minimum"), (said.high, "maximum")):
            value = _measured(facts, name, statistic)
            if value is None:
                return None
            one = Number(limit, limit, about=said.about)
            ends.append(number_holds(one, value, tolerance(claim.kind, name, value)))
        return _all(ends)
    value = _measured(facts, name, claim.statistic)
    if value is None:
        return None
    return number_holds(said, value, tolerance(claim.kind, name, value))


def _all(found: Sequence[bool | None]) -> bool | None:
    return False if False in found else None if None in found else True


def _relief_word(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if facts.relief is None or facts.relief.median_slope is None:
        return None
    percent = 100.0 * math.tan(math.radians(facts.relief.median_slope))
    return _within("relief", claim.subject[0], percent)


_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south")
_COMPASS += ("south-east",)


def _gradient(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if facts.relief is None or facts.relief.rises is None or claim.object not in _COMPASS:
        return None
    turn = _COMPASS.index(claim.object) - _COMPASS.index(facts.relief.rises)
    eighths = abs((turn + (4 if claim.subject[0] == "falls" else 0) + 4) % 8 - 4)
    # The way uphill is known to an eighth of the circle: 22.5 degrees to either side.
    return _either(
        eighths * 45 + 22.5 <= TOLERANCES.degrees, eighths * 45 - 22.5 >= TOLERANCES.not_degrees
    )


def _index(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    value = facts.indices.get(claim.subject[0])
    if value is None or claim.number is None or claim.statistic != "median" or claim.number.unit:
        return None
    return number_holds(claim.number, value, tolerance(claim.kind, claim.subject[0], value))


def _vigour(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    ndvi = facts.indices.get("ndvi")
    return None if ndvi is None else _within("vigour", claim.subject[0], ndvi)


_UNITS = {"percent": "%", "pH": "", "1": ""}


def _vector(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    known = facts.soil if claim.kind == "soil" else facts.climate
    found = next((element for element in known if element.id == claim.subject[0]), None)
    said = claim.number
    if found is None or said is None:
        return None
    unit = _UNITS.get(found.unit, found.unit)
    value, within = found.value, tolerance(claim.kind, found.id, found.value)
    factor = 1.0 if said.unit == unit else mass_factor(unit, said.unit)
    return None if factor is None else number_holds(said, factor * value, factor * within)


_REACTION_MARGIN = 0.1
"""pH within which a word of the reaction is not decided."""


def _soil_word(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if claim.subject[0] == "largest fraction":
        parts = {e.id: e.value for e in facts.soil if e.id in ("sand", "silt", "clay")}
        own = parts.pop(claim.object or "", 0.0)
        ahead = own - max(parts.values(), default=own)
        decided = len(parts) == 2 and abs(ahead) >= TOLERANCES.fraction
        return ahead > 0 if decided else None
    if claim.subject[0] == "texture":
        return None if facts.texture is None else facts.texture == claim.object
    ph = next((element.value for element in facts.soil if element.id == "ph_h2o"), None)
    return None if ph is None else _within("reaction", claim.subject[0], ph, _REACTION_MARGIN)


def _season(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    now = season(facts.date.month, facts.latitude)
    if now is None:
        return None
    return now == claim.subject[0] and claim.value in (None, facts.date.month % 3)


def _date(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    said: Sequence[int | str | None] = claim.value  # type: ignore[assignment]
    own = [facts.date.year, facts.date.month, facts.date.day]
    part = next(name for name, days in DAYS.items() if facts.date.day in days)
    right = all(a in (None, b) for a, b in zip(said[:2], own[:2], strict=True))
    return right and said[2] in (None, own[2], part)


def _position(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    if claim.subject[0] == "hemisphere":
        return claim.value == ("north" if facts.latitude >= 0 else "south")
    own = facts.latitude if claim.subject[0] == "lat" else facts.longitude
    off = abs(own - float(claim.value))  # type: ignore[arg-type]
    room = TOLERANCES.coordinates
    return _either(off <= (1 - _SURE) * room, off > (1 + _SURE) * room)


def _listed(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    return claim.subject[0].lower() in {name.lower() for name in facts.tags}


def _place(claim: Claim, facts: Facts, tile: Tile) -> bool | None:
    said, other = facts.places, facts.lies_in
    if claim.object == "in":
        said, other = other, said
    # A place that is only known to be near may be the one that the tile lies in.
    return _either(claim.subject[0] in said, claim.subject[0] not in other)


_JUDGES: dict[str, Callable[[Claim, Facts, Tile], bool | None]] = {
    "cover share": _cover_share,
    "cover total": _cover_total,
    "cover rank": _cover_rank,
    "cover presence": _cover_presence,
    "cover extent": _cover_extent,
    "cover relation": _cover_relation,
    "border": _border,
    "side": _side,
    "region": _region,
    "agreement": _agreement,
    "landform share": _landform,
    "landform rank": _landform,
    "landform presence": _landform,
    "elevation": _number_of,
    "slope": _number_of,
    "relief": _relief_word,
    "gradient": _gradient,
    "canopy": _number_of,
    "index": _index,
    "vigour": _vigour,
    "soil": _vector,
    "soil word": _soil_word,
    "climate": _vector,
    "season": _season,
    "date": _date,
    "position": _position,
    "place": _place,
    "map tag": _listed,
}


def share_of_part(cover: str, part: str, facts: Facts, tile: Tile) -> float | None:
    """Share in % of a class in a part of the tile, by the map that the facts are from.

    Args:
        cover: A class; of water nothing is known here.
        part: A side other than the centre, for its half or quarter; `land` for what is not water.
        facts: Of the tile.
        tile: The tile.
    """
    if cover == "water" or _share(facts, cover) is None:
        return None
    inside = tile.present[facts.source or ""][0].copy()
    if part == "land":
        inside &= ~_may_be("water", facts, tile)
    if "north" in part:
        inside[64:] = False
    if "south" in part:
        inside[:64] = False
    if "west" in part:
        inside[:, 64:] = False
    if "east" in part:
        inside[:, :64] = False
    if not inside.any():
        return None
    return 100.0 * float((_may_be(cover, facts, tile) & inside).sum() / inside.sum())
