"""Captions from facts, without any model: many phrasings, orders and selections.

Belongs here: what a writer is, and the offline one. Never here: measuring, checking (no writer is
believed, this one included), or talking to a model (`chat.py`).
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from fusion.captions.measure import Cover, Facts, Relief, towards
from fusion.captions.vocabulary import TOLERANCES, vocabulary, words
from fusion.texture import texture_systems


class Writer(Protocol):
    """Whatever writes candidate captions from facts; an OpenAI-compatible one is in `chat.py`."""

    @property
    def name(self) -> str:
        """What stands beside its captions."""
        ...

    def __call__(self, facts: Facts, count: int) -> list[str]:
        """Write that many captions."""
        ...


_Draw = np.random.Generator


class OfflineWriter:
    """Captions by the tile's id and the candidate's number: the same each time, on any machine."""

    name = "offline"

    def __call__(self, facts: Facts, count: int) -> list[str]:
        """Write that many captions; each is written on its own.

        Args:
            facts: Measured on the tile.
            count: How many.
        """
        return [_caption(facts, number) for number in range(count)]


write_offline = OfflineWriter()


def _caption(facts: Facts, number: int) -> str:
    seed = hashlib.sha256(f"{facts.tile}/{number}".encode()).digest()
    draw = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    possible = [topic for topic in (_dominance, *_TOPICS) if topic(facts, draw)]
    first = [topic for topic in (_covers, _dominance) if topic in possible]
    chosen = [_pick(draw, first)] if first else []
    others = [topic for topic in possible if topic not in first]
    size = min(len(others), int(draw.integers(3, 7)))
    chosen += [others[i] for i in draw.permutation(len(others))[:size]]
    if len(chosen) > 2 and draw.random() < 0.25:
        chosen[0], chosen[1] = chosen[1], chosen[0]
    return " ".join(_sentence(_pick(draw, topic(facts, draw))) for topic in chosen)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _pick(draw: _Draw, choices: Sequence[Any]) -> Any:
    return choices[int(draw.integers(len(choices)))]


def _named(draw: _Draw, cover: str) -> str:
    return _pick(draw, vocabulary()["covers"][cover]["written"])


_FRACTIONS = {
    "half": 50.0,
    "a third": 100 / 3,
    "two thirds": 200 / 3,
    "a quarter": 25.0,
    "three quarters": 75.0,
    "a fifth": 20.0,
    "a tenth": 10.0,
}


def _share(draw: _Draw, share: float, fraction: bool = False) -> str:
    """A share in words or digits, well within the tolerance that it will be held to."""
    near = [n for n, value in _FRACTIONS.items() if abs(value - share) <= min(0.06 * value, 3.0)]
    if fraction and near and draw.random() < 0.5:
        return f"{_pick(draw, ('about', 'roughly', 'around'))} {near[0]}"
    percent = _pick(draw, (" %", "%", " percent"))
    if share >= 20 and draw.random() < 0.3:
        return f"{_pick(draw, ('about', 'around', 'some'))} {5 * round(share / 5)}{percent}"
    digits = f"{share:.0f}" if share >= 10 and draw.random() < 0.7 else f"{share:.1f}"
    return f"{digits}{percent}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _tile(draw: _Draw) -> str:
    return _pick(draw, ("the tile", "the scene", "the area", "the image"))


def _covers(facts: Facts, draw: _Draw) -> list[str]:
    known = [cover for cover in facts.covers if cover.id != "water"][: int(draw.integers(1, 5))]
    if not known:
        return []
    tile = _tile(draw)
    one, share = _named(draw, known[0].id), _share(draw, known[0].share)
    pairs = [(_named(draw, cover.id), _share(draw, cover.share)) for cover in known]
    said = _joined([f"{share} {name}" for name, share in pairs])
    verb = _pick(draw, ("covers", "occupies", "takes up", "makes up", "accounts for"))
    fraction = _share(draw, known[0].share, fraction=True)
    texts = [
        f"{tile} is {said}",
        f"{tile} consists of {said}",
        f"{tile} holds {said}",
        f"{one} {verb} {share} of {tile}",
        f"{fraction} of {tile} is {one}",
        _joined([f"{name} ({share})" for name, share in pairs])
        + f" {'covers' if len(pairs) == 1 else 'cover'} {tile}",
        _joined([f"{name} {verb} {share} of {tile}" for name, share in pairs[:1]]
                + [f"{name} {share}" for name, share in pairs[1:]]),
        f"according to {_SOURCES[facts.source or '']}, {one} {verb} {share} of {tile}",
    ]  # fmt: skip
    if len(known) > 1:
        total = _share(draw, known[0].share + known[1].share)
        texts.append(f"{one} and {pairs[1][0]} together cover {total} of {tile}")
    return texts


_SOURCES = {"worldcover": "ESA WorldCover", "dynamic_world": "Dynamic World", "": ""}


def _first(facts: Facts) -> Cover | None:
    """The largest class, where that is beyond doubt."""
    if len(facts.order) > 1 and facts.order[0][1] - facts.order[1][1] < 2 * TOLERANCES.larger:
        return None
    return next((c for c in facts.covers if c.id == facts.order[0][0]), None)


def _dominance(facts: Facts, draw: _Draw) -> list[str]:
    first, tile = _first(facts), _tile(draw)
    if first is None:
        return []
    one, share = _named(draw, first.id), _share(draw, first.share)
    texts = [
        f"{one} is the largest class ({share})",
        f"the most extensive land cover is {one}",
        f"{one} is the most widespread class",
        f"the main land cover is {one}, with {share}",
    ]
    if min(first.share, facts.order[0][1]) >= TOLERANCES.dominates:
        texts += [
            f"{tile} is dominated by {one}",
            f"{tile} is mostly {one} ({share})",
            f"{one} dominates",
            f"{tile} is dominated by {one} ({share})",
        ]
        texts += [
            f"{tile} is dominated by {one}, followed by {_named(draw, later.id)}"
            for later in facts.covers
            if facts.order[1:2]
            and later.id == facts.order[1][0]
            and first.share - later.share >= 2 * TOLERANCES.larger
        ]
    return texts


def _places(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for cover in facts.covers[:5]:
        if not cover.sides:
            continue
        side, one = _pick(draw, cover.sides), _named(draw, cover.id)
        adjective = side if side == "centre" else f"{side}ern"
        texts += [
            f"{one} lies in the {side}",
            f"{one} is found in the {side} of {_tile(draw)}",
            f"in the {side} lies {one}",
            f"{one} is concentrated in the {side}",
        ]
        if side != "centre":
            texts.append(f"{one} is located mainly in the {adjective} part of {_tile(draw)}")
    return texts


def _beside(facts: Facts, draw: _Draw) -> list[str]:
    placed = [cover for cover in facts.covers[:4] if cover.centre is not None]
    texts = []
    for one in placed:
        for other in placed:
            if one is other:
                continue
            away = (one.centre[0] - other.centre[0], one.centre[1] - other.centre[1])
            texts += [
                f"{_named(draw, one.id)} lies {side} of {_named(draw, other.id)}"
                for side in towards(away)
            ]
    return texts


def _regions(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for region in facts.regions:
        one = _named(draw, region.cover)
        if region.side == "centre":
            texts.append(f"the centre is mostly {one}")
        else:
            part = "quarter" if "-" in region.side else "half"
            texts.append(f"the {region.side}ern {part} of {_tile(draw)} is mainly {one}")
            texts.append(f"the {region.side} is dominated by {one}")
    return texts


def _relations(facts: Facts, draw: _Draw) -> list[str]:
    known = [c for c in facts.covers if c.share >= 1.0][:5]
    texts = []
    for i, one in enumerate(known):
        for other in known[i + 1 :]:
            a, b = _named(draw, one.id), _named(draw, other.id)
            if one.share - other.share >= 2 * TOLERANCES.larger:
                texts += [
                    f"{a} is more extensive than {b}",
                    f"{a} covers more ground than {b}",
                    f"there is more {a} than {b}",
                    f"{b} is less extensive than {a}",
                    f"{b} covers a smaller area than {a}",
                ]
            near = min(TOLERANCES.equal - 0.5, 0.8 * TOLERANCES.equal_relative * one.share)
            if one.share - other.share <= near:
                texts.append(f"{a} and {b} have similar shares")
            ratio = one.share / other.share
            if other.share >= TOLERANCES.ratio_from + 0.5 and 1.8 <= ratio <= 2.2:
                texts.append(f"there is about twice as much {a} as {b}")
    return texts


def _borders(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for border in facts.borders[:4]:
        one, other = _named(draw, border.one), _named(draw, border.other)
        if draw.random() < 0.5:
            one, other = other, one
        texts += [
            f"{one} borders {other}",
            f"{one} is adjacent to {other}",
            f"{one} and {other} share a border",
            f"{one} meets {other}",
        ]
    return texts


def _water(facts: Facts, draw: _Draw) -> list[str]:
    found = next((c for c in facts.covers if c.id == "water"), None)
    if "water" in facts.absent:
        return ["no open water is present", "there is no water", "open water is absent"]
    if found is None:
        return []
    share = _share(draw, found.share)
    return [
        f"open water covers {share} of {_tile(draw)}",
        f"{share} of {_tile(draw)} is water",
        f"water takes up {share}",
        f"{_tile(draw)} contains open water",
    ]


def _absent(facts: Facts, draw: _Draw) -> list[str]:
    gone = [name for name in facts.absent if name != "water"]
    texts = [f"{_named(draw, name)} is absent" for name in gone]
    texts += [f"there is no {_named(draw, name)}" for name in gone]
    if len(gone) > 1:
        a, b = (_named(draw, gone[int(i)]) for i in draw.permutation(len(gone))[:2])
        texts += [f"neither {a} nor {b} occurs", f"{_tile(draw)} is without {a} or {b}"]
    return texts


def _extents(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for cover in facts.covers:
        for extent in ("a little", "some", "much"):
            limits = words("extents")[extent]
            if cover.centre and limits.start + 1 <= cover.share <= limits.end - 1:
                said = _pick(draw, vocabulary()["extents"][extent]["written"])
                texts.append(f"{_tile(draw)} shows {said} {_named(draw, cover.id)}")
    return texts


def _agreement(facts: Facts, draw: _Draw) -> list[str]:
    if facts.agreement is None:
        return []
    share = f"{facts.agreement:.0f}{_pick(draw, (' %', '%'))}"
    return [
        f"WorldCover and Dynamic World agree on {share} of the pixels",
        f"Dynamic World and WorldCover give the same class for {share} of {_tile(draw)}",
    ]


def _relief(facts: Facts, draw: _Draw) -> list[str]:
    relief = facts.relief
    if relief is None:
        return []
    low, high, mean = round(relief.lowest), round(relief.highest), round(relief.mean)
    texts = [
        f"elevation ranges from {low} to {high} m",
        f"the mean elevation is {mean} m",
        f"the highest point is at {high} m",
        f"the lowest point lies at {low} m",
        f"the relief is {round(relief.highest - relief.lowest)} m",
        f"elevations lie between {low} and {high} m, with a mean of {mean} m",
    ]
    if relief.rises:
        fall = {"north": "south", "south": "north", "east": "west", "west": "east"}
        down = "-".join(fall[part] for part in relief.rises.split("-"))
        texts += [
            f"the terrain rises towards the {relief.rises}",
            f"the terrain falls towards the {down}",
        ]
    return texts + _slope(relief, draw)


def _slope(relief: Relief, draw: _Draw) -> list[str]:
    if relief.median_slope is None:
        return []
    percent = 100.0 * float(np.tan(np.radians(relief.median_slope)))
    word = next(
        (w for w in words("relief").values() if w.start * 1.02 <= percent < w.end * 0.98), None
    )
    texts = [
        f"the median slope is {relief.median_slope:.1f}°",
        f"slopes have a median of {relief.median_slope:.1f} degrees",
    ]
    if word:
        said = _pick(draw, vocabulary()["relief"][word.id]["names"])
        texts += [f"the terrain is {said}", f"the topography is {said}"]
    return texts


def _landforms(facts: Facts, draw: _Draw) -> list[str]:
    shares = facts.relief.landforms if facts.relief else {}
    known = sorted(((s, f) for f, s in shares.items() if s >= 1.0), reverse=True)
    if not known:
        return []
    (share, form), *others = known
    texts = [f"{LANDFORMS[f]} make up {_share(draw, s)} of the terrain" for s, f in known[:4]]
    if not others or share - others[0][0] >= 2 * TOLERANCES.larger:
        texts.append(f"{LANDFORMS[form]} are the most common landform")
    if others:
        some = [LANDFORMS[known[int(i)][1]] for i in draw.permutation(len(known))[:3]]
        texts.append(f"{_joined(some)} are present")
    return texts


LANDFORMS = {
    "flat": "flats",
    "peak": "peaks",
    "ridge": "ridges",
    "shoulder": "shoulders",
    "spur": "spurs",
    "slope": "hillslopes",
    "hollow": "hollows",
    "footslope": "footslopes",
    "valley": "valleys",
    "pit": "depressions",
}
"""What many of a landform are called."""


def _vegetation(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for index, value in facts.indices.items():
        title = vocabulary()["indices"][index]["title"]
        said = _number(value, TOLERANCES.index)
        texts += [
            f"the median {title} is {said}",
            f"{title} has a median of {said}",
        ]
    ndvi = facts.indices.get("ndvi")
    if ndvi is not None:
        texts += [
            _VIGOUR[word.id]
            for word in words("vigour").values()
            if word.start + 0.01 <= ndvi < word.end - 0.01
        ]
    return texts


_VIGOUR = {
    "dense": "the vegetation is dense",
    "moderate": "the vegetation is moderately dense",
    "sparse": "the vegetation is sparse",
    "barren": "there is hardly any vegetation",
}


def _canopy(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    if facts.canopy.get("maximum", 0.0) >= 5.0:
        texts.append(f"the tallest trees reach {facts.canopy['maximum']:.0f} m")
        texts.append(f"the maximum canopy height is {facts.canopy['maximum']:.1f} m")
    if "median" in facts.canopy:
        texts.append(f"the canopy has a median of {facts.canopy['median']:.0f} m")
        texts.append(f"the median canopy height is {facts.canopy['median']:.1f} m")
    return texts


def _time(facts: Facts, draw: _Draw) -> list[str]:
    date, month = facts.date, vocabulary()["months"][facts.date.month - 1].capitalize()
    texts = [
        f"the scene was taken on {date.day} {month} {date.year}",
        f"the scene was acquired in {month} {date.year}",
        f"the image is from {month}",
        f"it was captured on {date.isoformat()}",
    ]
    if facts.season:
        part = ("early", "mid", "late")[date.month % 3]
        texts += [
            f"it is {'an' if facts.season == 'autumn' else 'a'} {facts.season} scene",
            f"the scene was acquired in {facts.season}",
            f"the scene was recorded in {part} {facts.season} {date.year}",
        ]
    return texts


_UNITS = {"percent": " %", "pH": "", "1": "", "degC": " °C", "g/cm**3": " g/cm3"}


def _soil(facts: Facts, draw: _Draw) -> list[str]:
    texts, said = [], []
    for element in facts.soil:
        entry = vocabulary()["soil"][element.id]
        value = _number(element.value, float(entry["tolerance"])) + unit_text(element.unit)
        texts.append(f"the {entry['title']} is {value}")
        said.append(f"{entry['title']} of {value}")
        if element.id == "ph_h2o":
            texts += [
                f"the soil is {word.id}"
                for word in words("reaction").values()
                if word.start + 0.05 <= element.value < word.end - 0.05
            ]
    if said:
        some = [said[int(i)] for i in draw.permutation(len(said))[:3]]
        texts.append(f"the soil has {_joined(some)}")
    if facts.texture:
        texture = texture_systems()["usda"].labels[facts.texture]
        texts += [f"the topsoil texture is {texture}", f"the soil is a {texture}"]
    return texts


def unit_text(unit: str) -> str:
    """What stands behind a number in that unit."""
    return _UNITS.get(unit, f" {unit}")


def _number(value: float, tolerance: float) -> str:
    """Digits enough that rounding takes a tenth of the tolerance or less."""
    digits = max(0, int(np.ceil(-np.log10(tolerance / 5))))
    # Adding zero takes the sign off a zero.
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _climate(facts: Facts, draw: _Draw) -> list[str]:
    texts = []
    for element in facts.climate:
        entry = vocabulary()["climate"][element.id]
        value = _number(element.value, float(entry["tolerance"])) + unit_text(element.unit)
        texts.append(f"the {_pick(draw, entry['names'][:3])} is {value}")
    return texts


def _where(facts: Facts, draw: _Draw) -> list[str]:
    north = "N" if facts.latitude >= 0 else "S"
    east = "E" if facts.longitude >= 0 else "W"
    at = f"{abs(facts.latitude):.2f}° {north}, {abs(facts.longitude):.2f}° {east}"
    texts = [f"the tile lies at {at}", f"{_tile(draw)} is located at {at}"]
    for name in [name for name in facts.places if _can_be_said(name)][:3]:
        texts += [f"{_tile(draw)} lies near {name}", f"{_tile(draw)} is located near {name}"]
    for name in [name for name in facts.lies_in if _can_be_said(name)][:3]:
        texts += [f"{_tile(draw)} lies in {name}", f"{_tile(draw)} is located in {name}"]
    values = [match[1].replace("_", " ") for tag in facts.tags if (match := _TAG.match(tag))]
    if values:
        texts.append(f"OpenStreetMap marks {_joined(sorted(set(values))[:3])}")
    return texts


def _can_be_said(name: str) -> bool:
    """Can a place name be told from the words around it, and does it end no sentence?"""
    return name[:1].isupper() and not set(name) & set(".!?:;()\n")


# A map's value that is a word: not `yes`, a number, or an enumeration.
_TAG = re.compile(r"^[^=]+=(?!(?:yes|no)$)(?!.*_and_)([a-z_]+)$")


_Topic = Callable[[Facts, _Draw], list[str]]
_TOPICS: tuple[_Topic, ...] = (
    _covers,
    _places,
    _beside,
    _regions,
    _relations,
    _borders,
    _water,
    _absent,
    _extents,
    _agreement,
    _relief,
    _landforms,
    _vegetation,
    _canopy,
    _time,
    _soil,
    _climate,
    _where,
)


def all_sentences(facts: Facts, number: int = 0) -> list[str]:
    """Every sentence that the offline writer could draw with one set of words."""
    draw = np.random.default_rng(number)
    return [_sentence(text) for topic in (_dominance, *_TOPICS) for text in topic(facts, draw)]
