"""Is a caption true? Every sentence is read back into claims, every claim checked on the arrays.

Belongs here: verdicts, and what is kept of a caption. Never here: parsing (`grammar.py`),
measuring (`evidence.py`), or what a writer knew: the verifier sees the text and the tile alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from adapters.modalities import ROI_M
from fusion.captions.claims import Claim
from fusion.captions.evidence import Evidence
from fusion.captions.grammar import claims_of
from fusion.captions.lexer import Number, sentences
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

Status = Literal["supported", "contradicted", "unsupported"]
LEAST_CLAIMS = 2
"""Supported claims that a caption must keep."""


@dataclass(frozen=True)
class Verdict:
    """A claim, what became of it, and on what grounds."""

    claim: Claim
    status: Status
    evidence: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of a caption with its verdicts; `unknown` is what was not understood of it."""

    text: str
    verdicts: tuple[Verdict, ...]
    unknown: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Supported if every claim is; contradicted if any is."""
        found = {verdict.status for verdict in self.verdicts}
        if "contradicted" in found:
            return "contradicted"
        return "supported" if found == {"supported"} and not self.unknown else "unsupported"


@dataclass(frozen=True)
class Verified:
    """A caption after its check.

    Attributes:
        caption: As it was written.
        sentences: In order.
        text: The supported sentences; empty if the caption is refused.
        refused: Why nothing is kept; empty if something is.
    """

    caption: str
    sentences: tuple[Sentence, ...]
    text: str
    refused: str

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of all sentences."""
        return tuple(v for sentence in self.sentences for v in sentence.verdicts)

    @property
    def kept(self) -> tuple[Verdict, ...]:
        """Of the sentences that were kept."""
        return tuple(v for s in self.sentences if s.status == "supported" for v in s.verdicts)


def verify(caption: str, tile: Tile, evidence: Evidence | None = None) -> Verified:
    """Check a caption against a tile and keep what is supported.

    Args:
        caption: Any text.
        tile: Which it is said of.
        evidence: Of the same tile, where several captions of it are checked.
    """
    evidence = evidence or Evidence(tile)
    checked = tuple(_sentence(text, evidence) for text in sentences(caption))
    kept = [s for s in checked if s.status == "supported"]
    claims = sum(len(s.verdicts) for s in kept)
    refused = ""
    if claims < LEAST_CLAIMS:
        refused = f"{claims} supported claims are left of {len(checked)} sentences"
    return Verified(caption, checked, "" if refused else " ".join(s.text for s in kept), refused)


def place_names(tile: Tile) -> tuple[str, ...]:
    """Place names that the tile brings: of places near it, and of those that it lies in."""
    return (*_named(tile, "near"), *_named(tile, "in"))


def _named(tile: Tile, where: str) -> tuple[str, ...]:
    key = {"near": "place_names", "in": "lies_in"}[where]
    return tuple(str(name) for name in tile.extra.get(key) or ())


def map_tags(tile: Tile) -> tuple[str, ...]:
    """Map tags that the tile brings, as `key=value`."""
    tags = tile.extra.get("map_tags") or {}
    return tuple(
        f"{key}={value}"
        for key, values in tags.items()
        for value in (values if isinstance(values, list | tuple) else [values])
        if value is not None and str(value).strip()
    )


def _sentence(text: str, evidence: Evidence) -> Sentence:
    claims, unknown = claims_of(text, place_names(evidence.tile), map_tags(evidence.tile))
    return Sentence(text, tuple(check(claim, evidence) for claim in claims), tuple(unknown))


def check(claim: Claim, evidence: Evidence) -> Verdict:
    """Verdict on one claim."""
    status, found = (
        _narrower(claim, evidence) if claim.narrower else _CHECKS[claim.kind](claim, evidence)
    )
    if claim.negated and not claim.narrower:
        flipped: dict[Status, Status] = {"supported": "contradicted", "contradicted": "supported"}
        status = flipped.get(status, "unsupported")
    return Verdict(claim, status, found)


_Answer = tuple[Status, str]
_ABSENT: _Answer = ("unsupported", "too little of the modality is present, or it is not held")


def _decide(yes: bool, no: bool, found: str) -> _Answer:
    return ("supported" if yes else "contradicted" if no else "unsupported"), found


def compare(claimed: Number, measured: float, within: float) -> Status:
    """Verdict on a number.

    A single number holds within the tolerance, twice that if it says itself that it is rough, and a
    tenth if it says that it is exact. A bound or a range holds to a quarter of it; if it is so wide
    that it says nothing, it is neither supported nor contradicted.
    """
    wide = TOLERANCES.one_sided * within
    slack = within / 4
    if claimed.bound in ("above", "at least"):
        if measured < claimed.low - slack:
            return "contradicted"
        return "supported" if claimed.about or measured <= claimed.low + wide else "unsupported"
    if claimed.bound in ("below", "at most"):
        if measured > claimed.high + slack:
            return "contradicted"
        return "supported" if claimed.about or measured >= claimed.high - wide else "unsupported"
    if claimed.high < claimed.low:
        return "unsupported"
    if claimed.low != claimed.high:
        if not claimed.low - slack <= measured <= claimed.high + slack:
            return "contradicted"
        return "supported" if claimed.high - claimed.low <= 2 * wide else "unsupported"
    factor = TOLERANCES.about if claimed.about else 1.0
    factor = TOLERANCES.exactly if claimed.bound == "exactly" else factor
    # A hair more, so that a number that is off by just the tolerance does not depend on rounding.
    near = abs(measured - claimed.low) <= factor * within + 1e-9
    return "supported" if near else "contradicted"


def _percent(number: Number) -> Number | None:
    """A share or an area as a share in %."""
    if number.unit == "%":
        return number
    square_m = {"ha": 1e4, "km2": 1e6}.get(number.unit)
    if square_m is None:
        return None
    factor = 100.0 * square_m / ROI_M**2
    return Number(number.low * factor, number.high * factor, number.bound, number.about, "%")


def _word(word: str, kind: str, measured: float, margin: float | None = None) -> tuple[bool, bool]:
    """Does a word hold for a number, and does it certainly not?"""
    limits = words(kind)[word]
    low = margin if margin is not None else TOLERANCES.word * abs(limits.start)
    high = margin if margin is not None else TOLERANCES.word * abs(limits.end)
    yes = limits.start <= measured < limits.end
    return yes, not limits.start - low <= measured < limits.end + high


def _name(claim: Claim, evidence: Evidence) -> str:
    if "water" in claim.subject:
        return "land cover and a second source"
    return {"worldcover": "WorldCover", "dynamic_world": "Dynamic World"}.get(
        evidence.source(claim.source) or "", "land cover"
    )


def _narrower(claim: Claim, evidence: Evidence) -> _Answer:
    """A village is nowhere if nothing is built; where something is, it may be one."""
    shares = [evidence.share(cover, claim.source) for cover in claim.subject]
    if any(s is None for s in shares) or not all(
        evidence.complete(cover, claim.source) for cover in claim.subject
    ):
        return _ABSENT
    found = "; ".join(f"{c} {s:.1f} %" for c, s in zip(claim.subject, shares, strict=True))
    gone = any(_is_absent(cover, claim, evidence) for cover in claim.subject)
    if not gone:
        return "unsupported", f"{found}: no source tells more of the class"
    alone = claim.kind == "cover presence"
    return ("supported" if claim.negated and alone else "contradicted"), found


def _is_absent(cover: str, claim: Claim, evidence: Evidence) -> bool:
    share = evidence.share(cover, claim.source)
    if cover == "water":
        share = evidence.nobody_says_water()
    return share is not None and share <= TOLERANCES.absent


def _cover_share(claim: Claim, evidence: Evidence) -> _Answer:
    (cover,), number = claim.subject, claim.number
    share, wanted = evidence.share(cover, claim.source), _percent(number) if number else None
    if share is None:
        return _ABSENT
    if wanted is None:
        return "unsupported", "no share or area"
    if number.unit != "%" and not evidence.complete(cover, claim.source):
        return _ABSENT
    return (
        compare(wanted, share, tolerance(claim.kind, "", share)),
        f"{_name(claim, evidence)}: {cover} {share:.1f} %",
    )


def _cover_total(claim: Claim, evidence: Evidence) -> _Answer:
    shares = [evidence.share(cover, claim.source) for cover in claim.subject]
    wanted = _percent(claim.number) if claim.number else None
    if any(s is None for s in shares) or len(set(claim.subject)) < len(claim.subject):
        return _ABSENT
    if wanted is None and claim.object != "all":
        return "unsupported", "no share or area"
    total = sum(shares)
    if claim.object == "all":
        found = f"{_name(claim, evidence)}: together {total:.1f} %"
        rest = 100.0 - total
        return _decide(rest <= TOLERANCES.present, rest > TOLERANCES.larger, found)
    status = compare(wanted, total, tolerance(claim.kind, "", total))
    if min(shares) <= TOLERANCES.absent and status == "supported":
        return "unsupported", "one of them is absent"
    return status, f"{_name(claim, evidence)}: together {total:.1f} %"


def _ranked(shares: dict[str, float], subject: str, wanted: str, label: str) -> _Answer:
    if subject not in shares:
        return _ABSENT
    own = shares[subject]
    others = [share for name, share in shares.items() if name != subject]
    surely = sum(share > own + TOLERANCES.larger for share in others)
    maybe = sum(share > own - TOLERANCES.larger for share in others)
    found = f"{label}: {subject} {own:.1f} %, {surely} larger"
    if wanted == "dominates":
        enough = own >= TOLERANCES.dominates
        return _decide(
            maybe == 0 and enough,
            surely > 0 or own < (1 - TOLERANCES.word) * TOLERANCES.dominates,
            found,
        )
    there = own >= TOLERANCES.present
    if wanted == "last":
        rarer = [s for s in others if TOLERANCES.present <= s < own - TOLERANCES.larger]
        alike = [s for s in others if TOLERANCES.absent < s < own + TOLERANCES.larger]
        return _decide(there and not alike, bool(rarer) or own <= TOLERANCES.absent, found)
    if wanted == "by far":
        next_ = max(others, default=0.0)
        yes = there and own >= TOLERANCES.far * next_
        return _decide(yes, surely > 0 or own < TOLERANCES.not_far * next_, found)
    before = int(wanted) - 1
    return _decide(surely == maybe == before and there, not surely <= before <= maybe, found)


def _cover_rank(claim: Claim, evidence: Evidence) -> _Answer:
    if evidence.share(claim.subject[0], claim.source) is None:
        return _ABSENT
    shares = evidence.shares(claim.source)
    return _ranked(shares, claim.subject[0], claim.object or "", _name(claim, evidence))


def _cover_presence(claim: Claim, evidence: Evidence) -> _Answer:
    (cover,) = claim.subject
    share = evidence.share(cover, claim.source)
    if share is None:
        return _ABSENT
    there = share >= TOLERANCES.present
    if not there and not evidence.complete(cover, claim.source):
        return _ABSENT
    gone = _is_absent(cover, claim, evidence)
    return _decide(there, gone, f"{_name(claim, evidence)}: {cover} {share:.2f} %")


def _cover_extent(claim: Claim, evidence: Evidence) -> _Answer:
    (cover,) = claim.subject
    share = evidence.share(cover, claim.source)
    if share is None or not evidence.complete(cover, claim.source):
        return _ABSENT
    yes, no = _word(claim.object or "", "extents", share, TOLERANCES.larger)
    gone = _is_absent(cover, claim, evidence) and words("extents")[claim.object or ""].start > 0
    return _decide(yes, no or gone, f"{_name(claim, evidence)}: {cover} {share:.1f} %")


def _cover_relation(claim: Claim, evidence: Evidence) -> _Answer:
    one, other = (evidence.share(cover, claim.source) for cover in claim.subject)
    if one is None or other is None or claim.subject[0] == claim.subject[1]:
        return _ABSENT
    found = f"{_name(claim, evidence)}: {claim.subject[0]} {one:.1f} %, "
    found += f"{claim.subject[1]} {other:.1f} %"
    ahead = one - other
    how, _, way = (claim.object or "").rpartition(" ")
    if way in ("larger", "smaller"):
        ahead = ahead if way == "larger" else -ahead
        if min(one, other) < TOLERANCES.present and ahead > 0:
            return "unsupported", f"{found}: one is hardly there"
        times = 0.5 * (one + other + ahead) / (0.5 * (one + other - ahead) or 1e-9)
        yes = how != "far" or times >= TOLERANCES.far
        no = how == "far" and times < TOLERANCES.not_far
        if how == "slightly":
            yes = ahead <= TOLERANCES.slightly and times <= TOLERANCES.not_far
            no = ahead > 2 * TOLERANCES.slightly or times >= TOLERANCES.far
        return _decide(ahead >= TOLERANCES.larger and yes, ahead <= -TOLERANCES.larger or no, found)
    if claim.object == "next":
        between = [
            cover
            for cover, share in evidence.shares(claim.source).items()
            if cover not in claim.subject
            and other + TOLERANCES.larger < share < one - TOLERANCES.larger
        ]
        found += f", {len(between)} between"
        yes = ahead >= TOLERANCES.larger and min(one, other) >= TOLERANCES.present
        return _decide(yes and not between, ahead <= -TOLERANCES.larger or bool(between), found)
    if claim.object == "equal":
        limit = min(TOLERANCES.equal, TOLERANCES.equal_relative * max(one, other))
        near = abs(ahead) <= limit and min(one, other) >= TOLERANCES.present
        return _decide(near, abs(ahead) > 2 * limit, found)
    return _ratio(claim.number or Number(1.0, 1.0), one, other, found)


def _ratio(wanted: Number, one: float, other: float, found: str) -> _Answer:
    """Is a class so many times another?"""
    if min(one, other) < TOLERANCES.ratio_from:
        return _decide(False, (one <= other) is (wanted.low >= 1), found)
    times = one / other / wanted.low
    slack = TOLERANCES.ratio / 4
    if wanted.bound in ("above", "at least"):
        return _decide(times >= 1.0, times < 1.0 - slack, found)
    if wanted.bound in ("below", "at most"):
        return _decide(times <= 1.0, times > 1.0 + slack, found)
    off = abs(times - 1)
    return _decide(off <= TOLERANCES.ratio, off > 2 * TOLERANCES.ratio, found)


def _border(claim: Claim, evidence: Evidence) -> _Answer:
    one, other = claim.subject
    if one == other:
        return _ABSENT
    length = evidence.border(one, other, claim.source)
    if length is None:
        return _ABSENT
    found = f"{_name(claim, evidence)}: {one} and {other} share {length:.0f} m of border"
    if claim.object == "longest":
        next_ = evidence.longest_border((one, other), claim.source)
        if next_ is None:
            return _ABSENT
        found = f"{found}, the next {next_:.0f} m"
        yes = length >= max(TOLERANCES.border_m, TOLERANCES.longest * next_)
        return _decide(yes, next_ >= TOLERANCES.longest * length, found)
    if claim.object == "surrounded":
        share = evidence.surrounding(one, other, claim.source)
        if share is None:
            return _decide(False, length <= TOLERANCES.no_border_m, found)
        found = f"{_name(claim, evidence)}: {share:.0f} % of the border of {one} is towards {other}"
        yes = share >= TOLERANCES.surrounded and length >= TOLERANCES.border_m
        return _decide(yes, share < TOLERANCES.not_surrounded, found)
    return _decide(length >= TOLERANCES.border_m, length <= TOLERANCES.no_border_m, found)


def _towards(x: float, y: float, side: str, found: str) -> _Answer:
    """Is an offset towards a side?"""
    entry = vocabulary()["sides"][side]
    parts = [x * entry["x"]] * bool(entry["x"]) + [y * entry["y"]] * bool(entry["y"])
    if not parts:
        away = float(np.hypot(x, y))
        return _decide(away <= TOLERANCES.centre, away > TOLERANCES.not_centre, found)
    least = min(parts)
    return _decide(least >= TOLERANCES.side, least <= TOLERANCES.not_side, found)


def _side(claim: Claim, evidence: Evidence) -> _Answer:
    places = []
    for cover in claim.subject:
        share = evidence.share(cover, claim.source)
        if share is not None and share < TOLERANCES.present:
            gone = _is_absent(cover, claim, evidence) and evidence.complete(cover, claim.source)
            return _decide(False, gone and not claim.negated, f"{cover} {share:.2f} %")
        places.append(evidence.centroid(cover, claim.source))
    if any(place is None for place in places):
        return _ABSENT
    if " " in (claim.object or ""):
        return _edge_or_corner(claim, evidence)
    x, y = places[0]
    if len(places) == 2:
        if claim.object == "centre" or claim.subject[0] == claim.subject[1]:
            return _ABSENT
        x, y = x - places[1][0], y - places[1][1]
    found = (
        f"{_name(claim, evidence)}: centre of {claim.subject[0]} at {x:+.2f} east, {y:+.2f} north"
    )
    status, found = _towards(x, y, claim.object or "", found)
    if len(places) == 2 or status == "contradicted":
        return status, found
    share = evidence.inside(claim.subject[0], claim.object or "", claim.source)
    if share is None:
        return _ABSENT
    found = f"{found}, {share:.0f} % of it there"
    if claim.statistic == "all":
        elsewhere = (1.0 - share / 100.0) * (evidence.share(claim.subject[0], claim.source) or 0.0)
        yes = share >= TOLERANCES.confined and elsewhere <= TOLERANCES.present
        return _decide(yes, share < TOLERANCES.not_confined, found)
    yes = status == "supported" and share >= TOLERANCES.inside
    return _decide(yes, share < TOLERANCES.not_inside, found)


def _edge_or_corner(claim: Claim, evidence: Evidence) -> _Answer:
    """Does most of a class lie there, and where it is said to follow an edge, along much of it?"""
    (cover,), place = claim.subject, claim.object or ""
    share = evidence.inside(cover, place, claim.source)
    length = evidence.along(cover, place, claim.source)
    if share is None or length is None:
        return _ABSENT
    found = f"{_name(claim, evidence)}: {share:.0f} % of {cover} at the {place}"
    yes, no = share >= TOLERANCES.inside, share < TOLERANCES.not_inside
    if claim.statistic == "along":
        found = f"{found}, along {length:.0f} % of it"
        yes, no = yes and length >= TOLERANCES.along, no or length < TOLERANCES.not_along
    return _decide(yes, no, found)


def _region(claim: Claim, evidence: Evidence) -> _Answer:
    (cover,) = claim.subject
    shares = evidence.regional(claim.object or "", claim.source)
    if shares is None or not evidence.complete(cover, claim.source):
        return _ABSENT
    own = shares[cover]
    found = f"{_name(claim, evidence)}: {cover} {own:.1f} % of the {claim.object}"
    if claim.statistic == "present":
        return _decide(own >= TOLERANCES.present, own <= TOLERANCES.absent, found)
    if claim.statistic in ("share", "of tile") and claim.number:
        return _share_of_part(claim, own, evidence)
    if claim.statistic == "most":
        return _decide(own >= 50.0, own < 50.0 - TOLERANCES.share, found)
    next_ = max(share for name, share in shares.items() if name != cover)
    ahead = own - next_
    enough = own >= TOLERANCES.dominates
    return _decide(ahead >= TOLERANCES.larger and enough, ahead <= -TOLERANCES.larger, found)


def _share_of_part(claim: Claim, own: float, evidence: Evidence) -> _Answer:
    """Share of a class in % of a part of the tile, or of what is there in % of the tile."""
    (cover,), number, place = claim.subject, claim.number, claim.object or ""
    if number is None or number.unit != "%":
        return "unsupported", "no share"
    found = f"{_name(claim, evidence)}: {cover} {own:.1f} % of the {place}"
    if claim.statistic == "of tile":
        inside = evidence.inside(cover, place, claim.source)
        if inside is None:
            return _ABSENT
        own = inside / 100.0 * (evidence.share(cover, claim.source) or 0.0)
        found = f"{_name(claim, evidence)}: {cover} of the {place} {own:.1f} % of the tile"
    return compare(number, own, tolerance("cover share", "", own)), found


def _agreement(claim: Claim, evidence: Evidence) -> _Answer:
    share, wanted = evidence.agreement(), claim.number
    if share is None or wanted is None or wanted.unit != "%":
        return _ABSENT
    found = f"the maps agree on {share:.1f} %"
    share = 100.0 - share if claim.object == "differ" else share
    return compare(wanted, share, tolerance(claim.kind, "", share)), found


def _landform_share(claim: Claim, evidence: Evidence) -> _Answer:
    shares, wanted = evidence.landforms, claim.number
    if shares is None or wanted is None or wanted.unit != "%":
        return _ABSENT
    share = shares[claim.subject[0]]
    return (
        compare(wanted, share, tolerance(claim.kind, "", share)),
        f"geomorphons: {claim.subject[0]} {share:.1f} %",
    )


def _landform_rank(claim: Claim, evidence: Evidence) -> _Answer:
    if evidence.landforms is None:
        return _ABSENT
    return _ranked(evidence.landforms, claim.subject[0], claim.object or "", "geomorphons")


def _landform_presence(claim: Claim, evidence: Evidence) -> _Answer:
    if evidence.landforms is None:
        return _ABSENT
    share = evidence.landforms[claim.subject[0]]
    found = f"geomorphons: {claim.subject[0]} {share:.2f} %"
    return _decide(share >= TOLERANCES.present, share <= TOLERANCES.absent, found)


def _measured(claim: Claim, evidence: Evidence) -> _Answer:
    """Elevation, relief, slope and canopy."""
    (name,), number = claim.subject, claim.number
    if number is None or number.unit != vocabulary()["properties"][name]["unit"]:
        return "unsupported", "no number with the unit of the property"
    if name == "relief" and claim.statistic != "value":
        return "unsupported", "a range has no other statistic"

    def one(wanted: Number, statistic: str) -> _Answer:
        value = evidence.number(name, statistic)
        if value is None:
            return _ABSENT
        unit = vocabulary()["properties"][name]["unit"]
        within = tolerance(claim.kind, name, value)
        return compare(wanted, value, within), f"{statistic} {name} {value:.1f} {unit}"

    if name == "elevation" and number.low != number.high and not number.bound:
        low = one(Number(number.low, number.low, about=number.about), "minimum")
        high = one(Number(number.high, number.high, about=number.about), "maximum")
        found = f"{low[1]}, {high[1]}"
        both = {low[0], high[0]}
        return _decide(both == {"supported"}, "contradicted" in both, found)
    return one(number, claim.statistic or "")


def _relief_word(claim: Claim, evidence: Evidence) -> _Answer:
    slope = evidence.number("slope", "median")
    if slope is None:
        return _ABSENT
    percent = 100.0 * float(np.tan(np.radians(slope)))
    return _decide(*_word(claim.subject[0], "relief", percent), f"median slope {percent:.1f} %")


def _gradient(claim: Claim, evidence: Evidence) -> _Answer:
    if evidence.gradient is None:
        return _ABSENT
    east, north, rise, explained = evidence.gradient
    side = vocabulary()["sides"][claim.object]
    x, y = np.array([side["x"], side["y"]]) / np.hypot(side["x"], side["y"])
    sign = 1.0 if claim.subject[0] == "rises" else -1.0
    angle = float(np.degrees(np.arccos(np.clip(sign * (east * x + north * y), -1.0, 1.0))))
    found = f"the fitted plane rises {rise:.1f} m, {angle:.0f} degrees off, R2 {explained:.2f}"
    if rise < TOLERANCES.gradient_m or explained < TOLERANCES.gradient_r2:
        return "unsupported", found
    return _decide(angle <= TOLERANCES.degrees, angle >= TOLERANCES.not_degrees, found)


def _index(claim: Claim, evidence: Evidence) -> _Answer:
    (name,), number = claim.subject, claim.number
    if number is None or number.unit or claim.statistic not in ("median", "mean"):
        return "unsupported", "no number, or not of the median or mean"
    value = evidence.index(name, claim.statistic)
    if value is None:
        return _ABSENT
    return compare(
        number, value, tolerance(claim.kind, name, value)
    ), f"{claim.statistic} {name} {value:.3f}"


def _vigour(claim: Claim, evidence: Evidence) -> _Answer:
    value = evidence.index("ndvi", "median")
    if value is None:
        return _ABSENT
    return _decide(*_word(claim.subject[0], "vigour", value), f"median ndvi {value:.3f}")


def _vector(claim: Claim, evidence: Evidence) -> _Answer:
    (name,), number = claim.subject, claim.number
    held = evidence.element(claim.kind, name)
    if held is None:
        return _ABSENT
    value, unit = held
    unit = {"percent": "%", "pH": "", "1": ""}.get(unit, unit)
    number = _in_unit(number, unit) if number else None
    if number is None or claim.statistic != "value":
        # The climate's own words say what the mean is of.
        return "unsupported", f"no number in {unit}"
    return compare(number, value, tolerance(claim.kind, name, value)), f"{name} {value:g} {unit}"


def _in_unit(number: Number, unit: str) -> Number | None:
    """A number in another unit, if both are shares of mass; None if the units do not fit."""
    if number.unit == unit:
        return number
    factor = mass_factor(number.unit, unit)
    if factor is None:
        return None
    return replace(number, low=number.low * factor, high=number.high * factor, unit=unit)


def _largest_fraction(claim: Claim, evidence: Evidence) -> _Answer:
    held = {name: evidence.element("soil", name) for name in ("sand", "silt", "clay")}
    if claim.object not in held or None in held.values():
        return _ABSENT
    shares = {name: found[0] for name, found in held.items() if found}
    ahead = shares[claim.object] - max(s for n, s in shares.items() if n != claim.object)
    found = ", ".join(f"{name} {share:.1f} %" for name, share in shares.items())
    return _decide(ahead >= TOLERANCES.fraction, ahead <= -TOLERANCES.fraction, found)


def _soil_word(claim: Claim, evidence: Evidence) -> _Answer:
    if claim.subject[0] == "largest fraction":
        return _largest_fraction(claim, evidence)
    if claim.subject[0] != "texture":
        held = evidence.element("soil", "ph_h2o")
        if held is None:
            return _ABSENT
        margin = 0.1
        return _decide(*_word(claim.subject[0], "reaction", held[0], margin), f"pH {held[0]:.2f}")
    code = evidence.texture()
    if code is None:
        return _ABSENT
    return _decide(code == claim.object, code != claim.object, f"texture class {code} (USDA)")


def _season(claim: Claim, evidence: Evidence) -> _Answer:
    tile = evidence.tile
    now = season(tile.date.month, tile.latitude)
    if now is None:
        return "unsupported", "between the tropics no season is named"
    part = tile.date.month % 3
    right = now == claim.subject[0] and claim.value in (None, part)
    return _decide(right, not right, f"{tile.date}, latitude {tile.latitude:.2f}: {now}")


def _date(claim: Claim, evidence: Evidence) -> _Answer:
    date = evidence.tile.date
    year, month, day = claim.value  # type: ignore[misc]
    right = year in (None, date.year) and month in (None, date.month)
    right &= date.day in DAYS[day] if isinstance(day, str) else day in (None, date.day)
    return _decide(right, not right, str(date))


def _position(claim: Claim, evidence: Evidence) -> _Answer:
    tile = evidence.tile
    found = f"latitude {tile.latitude:.3f}, longitude {tile.longitude:.3f}"
    if claim.subject[0] == "hemisphere":
        right = (tile.latitude >= 0) == (claim.value == "north")
    else:
        own = tile.latitude if claim.subject[0] == "lat" else tile.longitude
        right = abs(own - float(claim.value)) <= TOLERANCES.coordinates  # type: ignore[arg-type]
    return _decide(right, not right, found)


def _place(claim: Claim, evidence: Evidence) -> _Answer:
    where = claim.object or ""
    known = _named(evidence.tile, where)
    found = f"places that the tile is said to lie {where}: {', '.join(known) or 'none'}"
    return _decide(claim.subject[0] in known, False, found)


def _map_tag(claim: Claim, evidence: Evidence) -> _Answer:
    known = map_tags(evidence.tile)
    return _decide(claim.subject[0] in known, False, f"map tags: {', '.join(known) or 'none'}")


_CHECKS: dict[str, Callable[[Claim, Evidence], _Answer]] = {
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
    "landform share": _landform_share,
    "landform rank": _landform_rank,
    "landform presence": _landform_presence,
    "elevation": _measured,
    "slope": _measured,
    "relief": _relief_word,
    "gradient": _gradient,
    "canopy": _measured,
    "index": _index,
    "vigour": _vigour,
    "soil": _vector,
    "soil word": _soil_word,
    "climate": _vector,
    "season": _season,
    "date": _date,
    "position": _position,
    "place": _place,
    "map tag": _map_tag,
}
