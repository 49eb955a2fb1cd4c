"""Fifth book of true sentences that the check of captions is measured by, made from facts.

Belongs here: captions as models that describe images, and people who work with them, write them;
by an author who had seen neither the check nor the other books. Never here: measuring, which is
`captions.py`, and words for the sake of the check, in either direction.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fusion.captions.measure import Cover, Element, Facts
from fusion.captions.vocabulary import TOLERANCES, label
from fusion.texture import texture_systems

_TILE_HA = 163.84
_MONTHS = ("January", "February", "March", "April", "May", "June", "July")
_MONTHS = (*_MONTHS, "August", "September", "October", "November", "December")
_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ONES = (
    *_ONES,
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_FRACTIONS = (
    (10.0, "a tenth"),
    (12.5, "an eighth"),
    (20.0, "a fifth"),
    (25.0, "a quarter"),
    (100 / 3, "a third"),
    (40.0, "two fifths"),
    (50.0, "half"),
    (60.0, "three fifths"),
    (200 / 3, "two thirds"),
    (75.0, "three quarters"),
    (80.0, "four fifths"),
    (90.0, "nine tenths"),
)
_TEXTURES = texture_systems()["usda"].labels
_LANDFORMS = {
    "flat": "flat ground",
    "peak": "peaks",
    "ridge": "ridges",
    "shoulder": "shoulders",
    "spur": "spurs",
    "slope": "slopes",
    "hollow": "hollows",
    "footslope": "footslopes",
    "valley": "valleys",
    "pit": "pits",
}
_INDICES = {
    "ndvi": "normalized difference vegetation index",
    "ndwi": "normalized difference water index",
    "ndbi": "normalized difference built-up index",
    "ndmi": "normalized difference moisture index",
    "mndwi": "modified normalized difference water index",
    "nbr": "normalized burn ratio",
}
_SOURCES = {"worldcover": "ESA WorldCover", "dynamic_world": "Dynamic World"}
_OPPOSITE = {
    "north": "south",
    "south": "north",
    "east": "west",
    "west": "east",
    "north-east": "south-west",
    "south-west": "north-east",
    "north-west": "south-east",
    "south-east": "north-west",
}
_UNITS = {"percent": "%", "degC": "°C", "g/cm**3": "g/cm³", "degree": "°", "deg": "°"}
_IRREGULAR = {"be": ("is", "are"), "have": ("has", "have"), "do": ("does", "do")}
_IRREGULAR["occupy"] = ("occupies", "occupy")
_IRREGULAR["reach"] = ("reaches", "reach")


@dataclass(frozen=True)
class _Noun:
    """A name of a class, and whether its verb stands in the plural."""

    text: str
    plural: bool = False

    def __str__(self) -> str:
        return self.text

    def verb(self, stem: str) -> str:
        """The name with a verb."""
        return f"{self.text} {_verb(stem, self.plural)}"


_NOUNS = {
    "tree": (
        _Noun("tree cover"),
        _Noun("forest"),
        _Noun("woodland"),
        _Noun("trees", True),
    ),
    "crop": (_Noun("cropland"), _Noun("farmland"), _Noun("cultivated land"), _Noun("crops", True)),
    "grass": (_Noun("grassland"), _Noun("grass"), _Noun("grassland")),
    "shrub": (_Noun("shrubland"), _Noun("shrubs", True), _Noun("shrub cover")),
    "built": (_Noun("built-up land"), _Noun("built-up areas", True), _Noun("built-up land")),
    "bare": (_Noun("bare land"), _Noun("bare ground"), _Noun("bare surfaces", True)),
    "water": (_Noun("open water"), _Noun("water"), _Noun("surface water")),
    "wetland": (_Noun("herbaceous wetland"), _Noun("wetland"), _Noun("wetlands", True)),
    "snow": (_Noun("snow and ice", True),),
    "moss": (_Noun("moss and lichen", True),),
}
_MISSING = {
    "tree": ("tree cover", "trees", "forest"),
    "crop": ("cropland", "farmland", "crops"),
    "built": ("built-up land", "built-up areas", "urban areas"),
    "water": ("open water", "water bodies", "water"),
    "snow": ("snow or ice", "snow", "snow and ice"),
    "wetland": ("wetland", "herbaceous wetland", "wetlands"),
}
_PLURAL_MISSING = {
    "trees",
    "crops",
    "built-up areas",
    "urban areas",
    "water bodies",
    "wetlands",
    "snow and ice",
}


def _verb(stem: str, plural: bool) -> str:
    one, many = _IRREGULAR.get(stem, (stem + "s", stem))
    return many if plural else one


def _cap(text: str) -> str:
    text = text.replace("cover covers", "cover takes up")
    return text[:1].upper() + text[1:]


def _words(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number >= 100:
        return str(number)
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 3:
        return " and ".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _margin(share: float) -> float:
    """Difference in percentage points from which shares are clearly apart."""
    granted = min(TOLERANCES.share, TOLERANCES.share_small + TOLERANCES.share_growth * share)
    return 2 * max(granted, TOLERANCES.larger) + 0.5


def _clear(more: float, less: float) -> bool:
    return more - less > _margin(more)


def _significant(value: float, digits: int) -> float:
    if not value:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def _number(value: float, decimals: int = 0) -> str:
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def _close(value: float) -> str:
    """The fewest digits that are within 2 % of a value."""
    for digits in (1, 2, 3, 4):
        rounded = _significant(value, digits)
        if abs(rounded - value) <= 0.02 * abs(value):
            break
    decimals = 0
    while decimals < 4 and abs(round(rounded, decimals) - rounded) > 1e-9:
        decimals += 1
    return _number(rounded, decimals)


def _clear_of(value: float, slack: float, step: float) -> tuple[float, float] | None:
    """Multiples of a step below and above a value, if it is further than the slack from both."""
    low = step * math.floor(value / step)
    if value - low <= slack or low + step - value <= slack:
        return None
    return low, low + step


@dataclass(frozen=True)
class _Voice:
    """Choices that depend on the tile alone."""

    tile: str

    def pick(self, key: str, options: Sequence):
        """One of the options, the same each time."""
        return options[zlib.crc32(f"{self.tile}/{key}".encode()) % len(options)]

    def say(self, key: str, *options: str | None) -> str:
        """One of the sentences that may be said."""
        return _cap(self.pick(key, [option for option in options if option]))

    def some(self, key: str, count: int, *options: str | None) -> Iterator[str]:
        """A few of the sentences that may be said."""
        left = [option for option in options if option]
        for turn in range(min(count, len(left))):
            chosen = self.pick(f"{key}/{turn}", left)
            left.remove(chosen)
            yield _cap(chosen)

    def noun(self, cover: str, key: str) -> _Noun:
        """A name of a class."""
        return self.pick(f"noun/{cover}/{key}", _NOUNS.get(cover) or (_Noun(label(cover)),))

    def frame(self, key: str) -> str:
        """What the picture is called."""
        names = ("the tile", "the image", "the scene", "the area", "the tile", "the frame")
        return self.pick(f"frame/{key}", names)

    def plain(self, share: float, key: str) -> str:
        """A share in digits."""
        digits = 1 if share < 3 or self.pick(f"digits/{key}", range(4)) == 0 else 0
        sign = self.pick(f"sign/{key}", ("%", "%", " %", " percent"))
        return f"{share:.{digits}f}{sign}"

    def amount(self, share: float, key: str) -> str:
        """A share in digits or words, with or without a hedge, that `of the tile` can follow."""
        sign = self.pick(f"amount-sign/{key}", ("%", "%", " %", " percent"))
        found = [self.plain(share, key)]
        if 4 <= share < 99:
            found.append(f"{_words(round(share))} percent")
            found.append(f"{self.pick(f'hedge/{key}', ('about', 'around'))} {round(share)}{sign}")
        if share >= 10:
            found += self._hedged(share, sign, key)
        if share < 0.9:
            found.append(f"less than 1{sign}")
        return self.pick(f"amount/{key}", found)

    def _hedged(self, share: float, sign: str, key: str) -> list[str]:
        about = self.pick(f"about/{key}", ("about", "roughly", "approximately", "around"))
        under = self.pick(f"under/{key}", ("nearly", "almost", "just under"))
        over = self.pick(f"over/{key}", ("just over", "slightly more than", "a little over"))
        found = []
        targets = [(value, name) for value, name in _FRACTIONS]
        targets += [(5.0 * k, f"{5 * k}{sign}") for k in range(2, 20)]
        for value, name in targets:
            off = share - value
            # each is put in twice: a model rounds more often than not
            if abs(off) <= 1.0:
                found += [f"{about} {name}"] * 2
            if -1.8 <= off <= -0.2:
                found += [f"{under} {name}"] * 2
            if 0.2 <= off <= 1.8:
                found += [f"{over} {name}"] * 2
        if bounds := _clear_of(share, 1.5, 10.0):
            low, high = bounds
            if share - low < 5:
                found.append(f"more than {low:.0f}{sign}")
            elif high < 100:
                found.append(f"less than {high:.0f}{sign}")
            if high < 100:
                found.append(f"between {low:.0f} and {high:.0f}{sign}")
        return found

    def side(self, side: str, key: str) -> str:
        """Where a side is, after a verb."""
        top = {"north": ("northern", "upper", "top"), "south": ("southern", "lower", "bottom")}
        flat = {"west": ("western", "left"), "east": ("eastern", "right")}
        if side == "centre":
            options = ("in the centre", "in the middle of the image", "around the center")
        elif "-" in side:
            north, west = side.split("-")
            joined = side.replace("-", "")
            upper, left = top[north][1], flat[west][1]
            options = (
                f"in the {side}",
                f"in the {joined}",
                f"in the {joined}ern part",
                f"in the {upper} {left} of the image",
                f"in the {upper}-{left} quadrant",
                f"in the {side}ern quarter",
            )
        elif side in top:
            long, upper, edge = top[side]
            options = (
                f"in the {side}",
                f"in the {long} half",
                f"in the {long} part",
                f"in the {upper} half of the image",
                f"in the {edge} half of the image",
            )
        else:
            long, left = flat[side]
            options = (
                f"in the {side}",
                f"in the {long} half",
                f"in the {long} part",
                f"in the {left} half of the image",
                f"on the {left} side of the image",
            )
        return self.pick(f"side/{side}/{key}", options)


def _water_agrees(facts: Facts) -> bool:
    """Do the shares of covers and of ranks hold the same water?"""
    own = next((cover.share for cover in facts.covers if cover.id == "water"), 0.0)
    return abs(dict(facts.order).get("water", 0.0) - own) < 0.3


def _ranked(facts: Facts) -> tuple[str, ...]:
    """Classes that are first, second, ... beyond doubt; ends at the first doubt."""
    shares = {cover.id: cover.share for cover in facts.covers}
    found = []
    for place, (name, share) in enumerate(facts.order):
        following = facts.order[place + 1][1] if place + 1 < len(facts.order) else 0.0
        agreed = abs(shares.get(name, -9.0) - share) < 0.3
        if not agreed or share < 2 or not _clear(share, following):
            break
        found.append(name)
    return tuple(found)


def _comparable(facts: Facts) -> list[Cover]:
    agrees = _water_agrees(facts)
    return [cover for cover in facts.covers if cover.id != "water" or agrees]


def _shares(facts: Facts, voice: _Voice) -> Iterator[str]:
    for place, cover in enumerate(facts.covers[:6]):
        for turn in range(2 if place < 3 else 1):
            yield _share(cover, voice, f"share/{cover.id}/{turn}", turn)
    covers = _comparable(facts)
    dry = [cover for cover in covers if cover.id != "water"]
    source = _SOURCES.get(facts.source or "")
    if source and dry:
        name, share = voice.noun(dry[0].id, "map"), voice.plain(dry[0].share, "map")
        yield voice.say(
            "map",
            f"According to {source}, {share} of the tile is {name}.",
            f"{source} maps {share} of the tile as {name}.",
            f"In the {source} land-cover map, {name.verb('account')} for {share} of the pixels.",
        )
    if len(covers) > 1:
        yield from _together(covers, voice)
    if covers:
        cover = voice.pick("hectares", covers[:3])
        if cover.share >= 3:
            name, hectares = voice.noun(cover.id, "ha"), _TILE_HA * cover.share / 100
            yield voice.say(
                "ha",
                f"{name.verb('extend')} over about {_close(hectares)} hectares.",
                f"about {_close(hectares)} ha of the tile is covered by {name}.",
                f"the area under {name} is approximately {_close(hectares / 100)} km².",
            )
    whole = dict(facts.order)
    above = [share for share in whole.values() if share > 1.6]
    small = any(0.5 < share <= 1.6 for share in whole.values())
    if len(above) > 1 and not small and _water_agrees(facts):
        yield voice.say(
            "count",
            f"{_words(len(above))} land-cover classes each cover more than 1% of the tile.",
            f"{_words(len(above))} land-cover classes exceed one percent of the area.",
        )
    over = [cover for cover in covers if _clear_of(cover.share, 2.5, 10.0)]
    if over:
        cover = voice.pick("bound", over)
        low, high = _clear_of(cover.share, 2.5, 10.0) or (0.0, 0.0)
        name = voice.noun(cover.id, "bound")
        yield from voice.some(
            "bound",
            1,
            f"{name.verb('do')} not cover more than {high:.0f}% of the tile."
            if high < 100
            else None,
            f"{name.verb('occupy')} less than {high:.0f} percent of the area."
            if high < 100
            else None,
            f"at least {low:.0f}% of the image is covered by {name}." if low else None,
            f"the share of {name} is below {high:.0f} %." if high < 100 else None,
        )


def _share(cover: Cover, voice: _Voice, key: str, turn: int) -> str:
    name, amount = voice.noun(cover.id, key), voice.amount(cover.share, key)
    frame, plain = voice.frame(key), voice.plain(cover.share, key)
    if turn:
        return voice.say(
            key,
            f"{amount} of {frame} is covered by {name}.",
            f"{frame} is {plain} {name}.",
            f"{amount} of the land cover consists of {name}.",
            f"the share of {name} in {frame} is {plain}.",
            f"the percentage of {name} is {plain}.",
        )
    few = cover.share < 4
    return voice.say(
        key,
        f"{name.verb('cover')} {amount} of {frame}.",
        f"{name.verb('make')} up {amount} of {frame}.",
        f"{name.verb('account')} for {amount} of {frame}.",
        f"{name.verb('occupy')} {amount} of {frame}.",
        f"{amount} of {frame} is occupied by {name}.",
        f"with a share of {plain}, {name.verb('be')} among the classes present in {frame}."
        if cover.share < 30
        else None,
        f"only {plain} of {frame} is {name}." if few else None,
        f"a small portion of {frame}, {plain}, is {name}." if few else None,
    )


def _together(covers: list[Cover], voice: _Voice) -> Iterator[str]:
    first, second = (voice.noun(cover.id, "sum") for cover in covers[:2])
    both = covers[0].share + covers[1].share
    amount = voice.amount(both, "sum") if both < 98 else voice.plain(both, "sum")
    yield voice.say(
        "sum",
        f"together, {first} and {second} cover {amount} of the tile.",
        f"{first} and {second} combined account for {amount} of the image.",
        f"taken together, {first} and {second} make up {amount} of the scene.",
        f"{amount} of the area is covered by either {first} or {second}.",
    )
    parts = [
        f"{voice.noun(cover.id, 'list')} ({cover.share:.{1 if cover.share < 3 else 0}f}%)"
        for cover in covers[:5]
    ]
    yield voice.say(
        "list",
        f"the image shows {_listed(parts)}.",
        f"the land cover consists of {_listed(parts)}."
        if sum(cover.share for cover in covers[:5]) > 98
        else None,
        f"land cover in this Sentinel-2 tile includes {_listed(parts)}.",
        f"visible classes include {_listed(parts)}.",
    )
    if len(covers) > 2 and covers[2].share >= 1.5:
        three = [voice.noun(cover.id, "three") for cover in covers[:3]]
        shares = [voice.amount(cover.share, f"three/{i}") for i, cover in enumerate(covers[:3])]
        yield voice.say(
            "three",
            f"{three[0].verb('cover')} {shares[0]} of the tile, {three[1]} {shares[1]}, and "
            f"{three[2]} {shares[2]}.",
            f"while {three[0].verb('occupy')} {shares[0]} of the scene, {three[1].verb('take')} up "
            f"{shares[1]} and {three[2].verb('contribute')} {shares[2]}.",
            f"the tile is composed of {shares[0]} {three[0]}, {shares[1]} {three[1]} and "
            f"{shares[2]} {three[2]}, among others."
            if len(covers) > 3 and all(share[0].isdigit() for share in shares)
            else None,
        )


def _ranks(facts: Facts, voice: _Voice) -> Iterator[str]:
    ranked = _ranked(facts)
    shares = {cover.id: cover.share for cover in facts.covers}
    if not ranked:
        return
    first, share = voice.noun(ranked[0], "rank"), shares[ranked[0]]
    plain = voice.plain(share, "rank")
    yield voice.say(
        "largest",
        f"{first.verb('be')} the most extensive land cover in the tile.",
        f"the largest land-cover class is {first}.",
        f"the most common land cover is {first}, at {plain}.",
        f"no other class covers as much of the scene as {first}.",
        f"{first.verb('rank')} first among the land-cover classes, with {plain}.",
    )
    if share > TOLERANCES.dominates + 8:
        yield voice.say(
            "dominant",
            f"the scene is dominated by {first}.",
            f"{first.verb('dominate')} the landscape.",
            f"the image is predominantly {first}." if share > 55 else None,
            f"the tile's dominant land cover is {first} ({plain}).",
            f"this satellite image shows a landscape dominated by {first}, which "
            f"{_verb('make', first.plural)} up {voice.amount(share, 'dominant')} of the area.",
        )
    if share > 57:
        yield voice.say(
            "majority",
            f"the majority of the tile is covered by {first}.",
            f"most of the image is covered by {first}.",
            f"more than half of the area is covered by {first}.",
            f"{first.verb('cover')} most of the scene.",
            f"well over half of the tile is occupied by {first}." if 65 < share < 85 else None,
        )
    elif share < 45:
        yield voice.say(
            "minority",
            f"{first.verb('be')} the largest class, yet {_verb('cover', first.plural)} less than "
            "half of the tile.",
            f"although {first.verb('be')} the most widespread class, "
            f"{'their' if first.plural else 'its'} share stays under 50%.",
        )
    if len(ranked) > 1:
        second = voice.noun(ranked[1], "rank")
        amount = voice.plain(shares[ranked[1]], "second")
        yield voice.say(
            "second",
            f"{first.verb('be')} followed by {second}.",
            f"the second most common class is {second}, with {amount}.",
            f"the second largest class is {second}.",
            f"after {first}, {second.verb('rank')} second with {amount} of the tile.",
            f"{second.verb('come')} second in extent, behind {first}.",
        )
    if len(ranked) > 2:
        second, third = (voice.noun(name, "third") for name in ranked[1:3])
        yield voice.say(
            "third",
            f"the third largest class is {third}.",
            f"in descending order of area, the main classes are {first}, {second} and {third}.",
            f"{third.verb('rank')} third, behind {first} and {second}.",
            f"the three most extensive classes are {first}, {second} and {third}.",
        )


def _comparisons(facts: Facts, voice: _Voice) -> Iterator[str]:
    covers = _comparable(facts)
    pairs = [(a, b) for i, a in enumerate(covers) for b in covers[i + 1 :]]
    apart = [(a, b) for a, b in pairs if _clear(a.share, b.share)]
    turns = 2 if len(apart) > 1 else len(apart)
    for turn in range(turns):
        large, small = apart.pop(zlib.crc32(f"{facts.tile}/apart/{turn}".encode()) % len(apart))
        key = f"more/{turn}"
        more, less = voice.noun(large.id, key), voice.noun(small.id, key)
        sure = small.share >= TOLERANCES.ratio_from and large.share > 2.2 * small.share
        yield voice.say(
            key,
            f"{more.verb('cover')} a larger area than {less}.",
            f"there is more {more} than {less}." if not more.plural else None,
            f"there are more {more} than {less} by area."
            if more.plural and large.id != "snow"
            else None,
            f"{less.verb('be')} less extensive than {more}.",
            f"the share of {more} ({large.share:.0f}%) exceeds that of {less} "
            f"({small.share:.{1 if small.share < 3 else 0}f}%).",
            f"{more.verb('take')} up considerably more of the tile than {less}." if sure else None,
            f"compared with {more}, {less.verb('occupy')} a smaller part of the scene.",
        )
    ratios = [(a, b) for a, b in pairs if b.share >= TOLERANCES.ratio_from]
    for times, word in ((2, "twice"), (3, "three times"), (4, "four times")):
        near = [(a, b) for a, b in ratios if abs(a.share / b.share / times - 1) <= 0.04]
        above = [
            (a, b)
            for a, b in ratios
            if times * (1 + 2 * TOLERANCES.ratio) < a.share / b.share < 2.5 * times
        ]
        if near:
            large, small = voice.pick(f"near/{times}", near)
            more, less = (voice.noun(c.id, f"near/{times}") for c in (large, small))
            yield voice.say(
                f"near/{times}",
                f"{more.verb('cover')} about {word} as much of the tile as {less}.",
                f"the area of {more} is roughly {word} that of {less}.",
            )
        if above:
            large, small = voice.pick(f"above/{times}", above)
            more, less = (voice.noun(c.id, f"above/{times}") for c in (large, small))
            yield voice.say(
                f"above/{times}",
                f"{more.verb('cover')} more than {word} as much area as {less}.",
                f"{more.verb('be')} more than {word} as extensive as {less}.",
                f"the area under {less} is less than half of that under {more}."
                if times == 2
                else None,
            )
    equal = [(a, b) for a, b in pairs if a.share - b.share <= 1.2 and b.share >= 8]
    if equal:
        one, other = (voice.noun(c.id, "equal") for c in voice.pick("equal", equal))
        yield voice.say(
            "equal",
            f"{one} and {other} cover similar shares of the tile.",
            f"the shares of {one} and {other} are nearly the same.",
            f"{one.verb('cover')} about as much of the area as {other}.",
        )


def _places(facts: Facts, voice: _Voice) -> Iterator[str]:
    placed = [cover for cover in facts.covers if cover.centre is not None and cover.share >= 0.8]
    sided = [cover for cover in placed if cover.sides]
    for cover in sided[:5]:
        key = f"place/{cover.id}"
        name, side = voice.noun(cover.id, key), voice.side(cover.sides[0], key)
        yield voice.say(
            key,
            f"the {name.verb('lie')} mainly {side}.",
            f"the {name.verb('be')} concentrated {side}.",
            f"{name.verb('be')} found mainly {side}.",
            f"the {name.verb('be')} located chiefly {side}.",
            f"{side}, there {_verb('be', name.plural)} {name}.",
            f"{name.verb('appear')} predominantly {side}.",
            f"the {name} in this image {_verb('lie', name.plural)} for the most part {side}.",
            f"{name}, which {_verb('cover', name.plural)} {voice.plain(cover.share, key)} of the "
            f"tile, can be seen mainly {side}.",
        )
        yield from _edge(cover, voice)
    apart = [
        (a, b)
        for i, a in enumerate(sided)
        for b in sided[i + 1 :]
        if b.sides[0] == _OPPOSITE.get(a.sides[0])
    ]
    if apart:
        one, other = voice.pick("contrast", apart)
        a, b = voice.noun(one.id, "contrast"), voice.noun(other.id, "contrast")
        here, there = voice.side(one.sides[0], "contrast"), voice.side(other.sides[0], "contrast")
        yield voice.say(
            "contrast",
            f"{a.verb('be')} found mainly {here}, whereas {b.verb('occur')} mainly {there}.",
            f"while the {a.verb('lie')} chiefly {here}, the {b.verb('be')} concentrated {there}.",
        )
    yield from _relative(placed, voice)


def _edge(cover: Cover, voice: _Voice) -> Iterator[str]:
    if cover.centre is None:
        return
    key = f"edge/{cover.id}"
    name, (east, north) = voice.noun(cover.id, key), cover.centre
    long = "north" if north > 0 else "south", "east" if east > 0 else "west"
    short = "upper" if north > 0 else "lower", "right" if east > 0 else "left"
    if min(abs(east), abs(north)) >= 0.7 and "-".join(long) in cover.sides:
        yield voice.say(
            key,
            f"the {name.verb('sit')} in the {short[0]} {short[1]} corner.",
            f"{name.verb('be')} confined mostly to the {'-'.join(long)}ern corner.",
            f"in the {'-'.join(long)} corner, {name} can be seen.",
        )
    elif max(abs(east), abs(north)) >= 0.85:
        way = long[0] if abs(north) > abs(east) else long[1]
        yield voice.say(
            key,
            f"{name.verb('lie')} along the {way}ern edge of the tile.",
            f"the {name.verb('be')} close to the {way}ern edge.",
        )


def _relative(placed: list[Cover], voice: _Voice) -> Iterator[str]:
    ways = ("east", "north-east", "north", "north-west", "west", "south-west", "south")
    ways = (*ways, "south-east")
    axis, full = [], []
    for i, one in enumerate(placed):
        for other in placed[i + 1 :]:
            (e1, n1), (e2, n2) = one.centre or (0, 0), other.centre or (0, 0)
            east, north = e1 - e2, n1 - n2
            angle = math.degrees(math.atan2(north, east))
            way = ways[round(angle / 45) % 8]
            off = abs((angle - 45 * round(angle / 45) + 180) % 360 - 180)
            if math.hypot(east, north) > 0.75 and off <= 18:
                full.append((one, other, way))
            if abs(east) > 0.4:
                axis.append((one, other, "east" if east > 0 else "west"))
            if abs(north) > 0.4:
                axis.append((one, other, "north" if north > 0 else "south"))
    if axis:
        one, other, way = voice.pick("axis", axis)
        a, b = voice.noun(one.id, "axis"), voice.noun(other.id, "axis")
        yield voice.say(
            "axis",
            f"on average, the {a.verb('lie')} further {way} than the {b}.",
            f"the {a.verb('be')} located farther {way} than the {b}.",
        )
    if full:
        one, other, way = voice.pick("full", full)
        a, b = voice.noun(one.id, "full"), voice.noun(other.id, "full")
        yield voice.say(
            "full",
            f"the {a.verb('lie')} to the {way} of the {b}.",
            f"relative to the {b}, the {a.verb('be')} to the {way}.",
        )


def _regions(facts: Facts, voice: _Voice) -> Iterator[str]:
    if not facts.regions:
        return
    places = list(facts.regions)
    for turn in range(min(3, len(places))):
        region = places.pop(zlib.crc32(f"{facts.tile}/region/{turn}".encode()) % len(places))
        key = f"region/{turn}"
        name, side = voice.noun(region.cover, key), voice.side(region.side, key)
        if region.side == "centre":
            part = "the central part of the tile"
        elif "-" in region.side:
            part = f"the {region.side}ern quarter"
        else:
            part = f"the {region.side}ern half"
        yield voice.say(
            key,
            f"{side}, {name.verb('prevail')}.",
            f"{part} is dominated by {name}.",
            f"{name.verb('dominate')} {part}.",
            f"{name.verb('be')} the prevailing land cover {side}.",
            f"in {part}, {name.verb('cover')} {voice.amount(region.share, key)} of the ground.",
            f"{part} consists mostly of {name}." if region.share > 60 else None,
            f"most of {part} is covered by {name}." if region.share > 60 else None,
            f"less than half of {part} is {name}, but no other class covers more there."
            if region.share < 47
            else None,
        )


def _length(metres: float, voice: _Voice, key: str) -> str:
    if metres < 1000:
        return voice.pick(key, (f"{metres:.0f} m", f"about {metres:.0f} metres"))
    km = metres / 1000
    options = [f"{km:.1f} km", f"about {km:.1f} kilometres", f"{metres:,.0f} m"]
    if abs(round(km) - km) <= 0.04 * km:
        options.append(f"about {round(km)} km")
    if bounds := _clear_of(km, 0.15, 1.0):
        options.append(f"more than {bounds[0]:.0f} km" if bounds[0] else f"{km:.1f} km")
    return voice.pick(key, options)


def _borders(facts: Facts, voice: _Voice) -> Iterator[str]:
    borders = list(facts.borders)
    for turn, border in enumerate(borders[:3]):
        key = f"border/{turn}"
        pair = (border.one, border.other)
        pair = pair if zlib.crc32(f"{facts.tile}/{key}".encode()) % 2 else pair[::-1]
        a, b = (voice.noun(name, key) for name in pair)
        length = _length(border.length, voice, key)
        yield voice.say(
            key,
            f"{a.verb('border')} {b}.",
            f"{a.verb('adjoin')} {b} along {length}.",
            f"{a} and {b} share a border of {length}.",
            f"the boundary between {a} and {b} is {length} long.",
            f"{a.verb('be')} next to {b}.",
            f"{a.verb('be')} bordered by {b}.",
            f"{a} and {b} meet along a boundary of {length}.",
        )
    if len(borders) > 1 and borders[0].length > 1.3 * borders[1].length + 200:
        a, b = voice.noun(borders[0].one, "longest"), voice.noun(borders[0].other, "longest")
        yield voice.say(
            "longest",
            f"the longest boundary between two classes runs between {a} and {b}.",
            f"no two classes share a longer border than {a} and {b}.",
        )
    names = sorted({name for border in borders for name in (border.one, border.other)})
    many = [
        (name, [b for b in borders if name in (b.one, b.other)])
        for name in names
        if sum(name in (b.one, b.other) for b in borders) > 1
    ]
    if many:
        name, touching = voice.pick("neighbours", many)
        others = [b.other if b.one == name else b.one for b in touching]
        noun = voice.noun(name, "neighbours")
        nouns = [str(voice.noun(other, "neighbours")) for other in others[:3]]
        yield voice.say(
            "neighbours",
            f"{noun.verb('share')} borders with {_listed(nouns)}.",
            f"the {noun.verb('be')} adjacent to {_listed(nouns)}.",
            f"neighbours of the {noun} include {_listed(nouns)}.",
        )
        if touching[0].length > 1.5 * touching[1].length + 300:
            yield voice.say(
                "longer",
                f"{noun.verb('border')} {nouns[0]} along a greater length than {nouns[1]}.",
                f"the border of {noun} with {nouns[0]} is longer than with {nouns[1]}.",
            )
    if _water_agrees(facts):
        yield from _encloses(facts, voice)


def _encloses(facts: Facts, voice: _Voice) -> Iterator[str]:
    """A class whose border is one other's in the main, whatever the unlisted borders are."""
    found = []
    for cover in facts.covers:
        lengths = {
            (b.other if b.one == cover.id else b.one): b.length
            for b in facts.borders
            if cover.id in (b.one, b.other)
        }
        if not lengths:
            continue
        unlisted = max(len(facts.order) - 1 - len(lengths), 0) * TOLERANCES.border_m
        first = max(lengths, key=lambda name: lengths[name])
        if lengths[first] > 0.7 * (sum(lengths.values()) + unlisted):
            found.append((cover.id, first))
    if found:
        inner, outer = voice.pick("encloses", found)
        a, b = voice.noun(inner, "encloses"), voice.noun(outer, "encloses")
        yield voice.say(
            "encloses",
            f"the main neighbour of the {a} is {b}.",
            f"{a.verb('border')} mainly on {b}.",
        )


def _absences(facts: Facts, voice: _Voice) -> Iterator[str]:
    for name in facts.absent:
        if name not in _MISSING:
            continue
        key = f"absent/{name}"
        noun = voice.pick(key, _MISSING[name])
        both = noun == "snow and ice"
        be = _verb("be", noun in _PLURAL_MISSING)
        yield voice.say(
            key,
            f"no {noun} {be} visible." if not both else f"{noun} are absent.",
            f"there {be} no {noun} in the image." if not both else "there is no snow or ice.",
            f"the tile contains no {noun}."
            if not both
            else "the tile contains no snow and no ice.",
            f"no {noun} can be seen anywhere in the tile." if not both else None,
            f"{noun} {be} absent from the scene." if noun != "snow or ice" else None,
            f"the scene is free of {noun}." if name in ("snow", "water") else None,
        )
    known = [name for name in facts.absent if name in _MISSING]
    if len(known) > 1:
        one, other = (_MISSING[name][0] for name in known[:2])
        if "snow" in known[:2]:
            one, other = ("snow" if n == "snow or ice" else n for n in (one, other))
        yield voice.say(
            "neither",
            f"neither {one} nor {other} is present.",
            f"there is no {one} and no {other} in the scene.",
            f"the image contains neither {one} nor {other}.",
        )


def _water(facts: Facts, voice: _Voice) -> Iterator[str]:
    water = next((cover for cover in facts.covers if cover.id == "water"), None)
    if water is not None and water.share >= 1:
        plain = voice.plain(water.share, "water")
        yield voice.say(
            "water",
            "open water is visible in the scene.",
            f"the image contains open water, which covers {plain} of the tile.",
            "water is present in the tile.",
            f"water surfaces occupy {voice.amount(water.share, 'water')} of the tile.",
        )
    if "water" in facts.absent and facts.covers:
        name = voice.noun(facts.covers[0].id, "dry")
        yield voice.say(
            "dry",
            f"the scene includes {name}, but no open water.",
            f"{name.verb('be')} present, whereas open water is absent.",
        )


def _metres(value: float, voice: _Voice, key: str) -> str:
    unit = voice.pick(f"unit/{key}", ("m", "m", "metres", "meters"))
    return f"{_number(value)} {unit}"


def _relief(facts: Facts, voice: _Voice) -> Iterator[str]:
    relief = facts.relief
    if relief is None:
        return
    low, high, mean = relief.lowest, relief.highest, relief.mean
    least, most = _metres(low, voice, "low"), _metres(high, voice, "high")
    yield voice.say(
        "range",
        f"elevations range from {_number(low)} to {most}.",
        f"the terrain lies between {_number(low)} and {_number(high)} m above sea level."
        if low > 0
        else None,
        f"elevation varies from {least} at the lowest point to {most} at the highest.",
        f"the elevation ranges between {_number(low)} m and {_number(high)} m a.s.l.",
    )
    yield voice.say(
        "mean",
        f"the mean elevation is {_metres(mean, voice, 'mean')}.",
        f"the tile has an average elevation of {_number(mean)} m.",
        f"the average height above sea level is {_number(mean)} metres.",
        f"on average, the terrain lies {_number(mean)} m above sea level." if mean > 5 else None,
    )
    yield from voice.some(
        "ends",
        1,
        f"the highest point reaches {most}.",
        f"the lowest point is at {least}.",
        f"the land climbs to a maximum of {most} above sea level." if high > 5 else None,
        f"the minimum elevation is {least}.",
    )
    rise = high - low
    if rise >= 10:
        bounds = _clear_of(rise, max(5.0, 0.12 * rise), 50.0 if rise < 300 else 100.0)
        yield voice.say(
            "relief",
            f"the elevation difference within the tile is about {_close(rise)} m.",
            f"the relief amounts to {_number(rise)} m.",
            f"there is a height difference of {_metres(rise, voice, 'rise')} between the lowest "
            "and the highest point.",
            f"the local relief is {_number(rise)} metres.",
            f"the terrain spans more than {bounds[0]:.0f} m of elevation."
            if bounds and bounds[0]
            else None,
        )
    step = 100.0 if high > 150 else 50.0
    ceiling, floor = step * math.ceil((high + 5) / step), step * math.floor((low - 5) / step)
    if high > 0 and ceiling - high > 0.02 * high:
        yield voice.say(
            "ceiling",
            f"no part of the tile is higher than {_number(ceiling)} m.",
            f"all of the terrain lies below {_number(ceiling)} m above sea level.",
            f"the entire tile lies above {_number(floor)} m."
            if floor > 0 and low - floor > 0.02 * low
            else None,
        )
    yield from _slope(facts, voice)
    if relief.rises in _OPPOSITE:
        way, back = relief.rises, _OPPOSITE[relief.rises]
        yield voice.say(
            "rises",
            f"the land rises towards the {way}.",
            f"the terrain slopes down towards the {back}.",
            f"elevation increases from the {back} to the {way}.",
            f"the ground is generally higher in the {way} than in the {back}.",
            f"the terrain rises from {back} to {way}.",
            f"overall, the surface descends to the {back}.",
        )


def _slope(facts: Facts, voice: _Voice) -> Iterator[str]:
    slope = facts.relief.median_slope if facts.relief else None
    if slope is None:
        return
    text = f"{slope:.1f}"
    words = f"{_words(round(slope))} degrees" if round(slope) != 1 else "one degree"
    yield voice.say(
        "slope",
        f"the median slope is {text}°.",
        f"slopes have a median of {text} degrees.",
        f"half of the terrain is steeper than {text}°.",
        f"the typical slope is about {text}°.",
        f"the median slope is about {words}."
        if slope > 2 and abs(round(slope) - slope) <= 0.05 * slope
        else None,
        f"the terrain is steep, with a median slope of {text}°." if slope > 22 else None,
        f"the terrain is nearly flat, with a median slope of {text}°." if slope < 0.7 else None,
    )
    if bounds := _clear_of(slope, max(1.0, 0.25 * slope), 5.0):
        yield from voice.some(
            "slope-bound",
            1,
            f"the median slope stays below {bounds[1]:.0f}°.",
            f"the median slope exceeds {bounds[0]:.0f}°." if bounds[0] else None,
        )


def _landforms(facts: Facts, voice: _Voice) -> Iterator[str]:
    forms = facts.relief.landforms if facts.relief else {}
    ranked = sorted(
        ((share, _LANDFORMS[form]) for form, share in forms.items() if form in _LANDFORMS),
        reverse=True,
    )
    if len(ranked) < 2:
        return
    (share, first), (second_share, second) = ranked[:2]
    is_, make = ("is", "makes") if first == "flat ground" else ("are", "make")
    if _clear(share, second_share):
        yield voice.say(
            "form",
            f"the most common landform is {first}." if first == "flat ground" else None,
            f"{first} {is_} the most common landform, at {voice.plain(share, 'form')}.",
            f"among the landforms, {first} {make} up the largest share.",
            f"the terrain consists mostly of {first}." if share > 60 else None,
        )
    others = [(part, name) for part, name in ranked if part >= 3]
    for turn in range(min(2, len(others))):
        part, name = others.pop(zlib.crc32(f"{facts.tile}/form/{turn}".encode()) % len(others))
        key, flat = f"form/{turn}", name == "flat ground"
        amount = voice.amount(part, key)
        yield voice.say(
            key,
            f"{name} {'occupies' if flat else 'occupy'} {amount} of the terrain.",
            f"{amount} of the tile is classified as {name}.",
            f"{name} {'accounts' if flat else 'account'} for {amount} of the landforms.",
            f"as for landforms, {name} {'covers' if flat else 'cover'} {amount} of the tile.",
        )
    pairs = [
        (more, less)
        for i, more in enumerate(ranked)
        for less in ranked[i + 1 :]
        if less[0] >= 1 and _clear(more[0], less[0])
    ]
    if pairs:
        more, less = voice.pick("forms", pairs)
        yield voice.say(
            "forms",
            f"{more[1]} {'covers' if more[1] == 'flat ground' else 'cover'} more of the terrain "
            f"than {less[1]}.",
            f"among the landforms, {less[1]} {'is' if less[1] == 'flat ground' else 'are'} less "
            f"common than {more[1]}.",
        )


def _canopy(facts: Facts, voice: _Voice) -> Iterator[str]:
    top, median = facts.canopy.get("maximum"), facts.canopy.get("median")
    if top is not None and top >= 6:
        yield voice.say(
            "top",
            f"the tallest trees reach {top:.0f} m.",
            f"the canopy reaches a maximum height of {_metres(top, voice, 'top')}.",
            f"maximum canopy height is about {_close(top)} m.",
            f"trees in the scene grow up to {top:.0f} metres tall.",
            f"the tallest vegetation is approximately {top:.0f} m high.",
        )
        ceiling = 10.0 * math.ceil((top + 2.5) / 10)
        yield voice.say(
            "top-bound",
            f"no tree is taller than {ceiling:.0f} m.",
            f"canopy height stays below {ceiling:.0f} metres throughout the tile.",
        )
    elif top is not None and top < 3.5:
        yield voice.say(
            "top",
            "the tile has no tall trees: the vegetation stays below five metres.",
            "vegetation height does not exceed 5 m.",
        )
    if median is not None:
        yield voice.say(
            "median",
            f"the median canopy height is {median:.0f} m.",
            f"the trees have a median height of {median:.1f} m.",
            f"where there are trees, their median height is about {median:.0f} metres.",
            f"half of the tree canopy is taller than {median:.0f} m."
            if abs(round(median) - median) < 0.3
            else None,
        )
        if top is not None and top >= 6:
            yield voice.say(
                "canopy",
                f"the canopy has a median height of {median:.0f} m and a maximum of {top:.0f} m.",
                f"tree heights peak at {top:.0f} m, with a median of {median:.0f} m.",
            )


def _index_text(value: float, voice: _Voice, key: str) -> str:
    text = f"{value:.2f}"
    if text == "-0.00":
        text = "0.00"
    if text.startswith("-"):
        return voice.pick(key, (text, text, f"minus {text[1:]}", f"−{text[1:]}"))
    return text


def _indices(facts: Facts, voice: _Voice) -> Iterator[str]:
    order = [name for name in ("ndvi", "ndwi", "ndmi", "ndbi", "mndwi", "nbr")]
    known = [name for name in order if name in facts.indices]
    chosen = known[:2] + [voice.pick("index", known[2:])] if len(known) > 2 else known
    for name in chosen:
        value, short, long = facts.indices[name], name.upper(), _INDICES[name]
        text = _index_text(value, voice, f"text/{name}")
        yield voice.say(
            f"index/{name}",
            f"the median {short} is {text}.",
            f"the scene has a median {short} of about {text}.",
            f"the median {long} ({short}) is {text}.",
            f"{short} values have a median of {text}.",
            f"with a median of {text}, the {short} is positive." if value > 0.1 else None,
            f"the median {short} is negative, at {text}." if value < -0.1 else None,
        )
    bounded = [(n, b) for n in known if (b := _clear_of(facts.indices[n], 0.07, 0.2))]
    if bounded:
        name, (low, high) = voice.pick("index-bound", bounded)
        yield voice.say(
            "index-bound",
            f"the median {name.upper()} lies between {_number(low, 1)} and {_number(high, 1)}.",
            f"the median {name.upper()} is below {_number(high, 1)}.",
            f"the median {name.upper()} is above {_number(low, 1)}.",
        )
    if {"ndvi", "ndwi"} <= set(known) and facts.indices["ndvi"] - facts.indices["ndwi"] > 0.2:
        ndvi, ndwi = (_index_text(facts.indices[n], voice, f"two/{n}") for n in ("ndvi", "ndwi"))
        yield voice.say(
            "index-two",
            f"the median NDVI ({ndvi}) is higher than the median NDWI ({ndwi}).",
            f"median NDVI is {ndvi}, while median NDWI is {ndwi}.",
            f"spectrally, the scene shows a median NDVI of {ndvi} and a median NDWI of {ndwi}.",
        )


def _time(facts: Facts, voice: _Voice) -> Iterator[str]:
    day = facts.date
    month = _MONTHS[day.month - 1]
    part = "early" if day.day <= 10 else "mid" if day.day <= 20 else "late"
    part = f"mid-{month}" if part == "mid" else f"{part} {month}"
    yield voice.say(
        "date",
        f"the image was acquired on {day.day} {month} {day.year}.",
        f"the scene was captured on {month} {day.day}, {day.year}.",
        f"acquisition date: {day.isoformat()}.",
        f"this Sentinel-2 image dates from {day.day} {month} {day.year}.",
    )
    yield voice.say(
        "month",
        f"the picture was taken in {month} {day.year}.",
        f"the image was recorded in {part}.",
        f"this is a scene from {month}.",
        f"Sentinel-2 recorded this tile in {day.year}, in {part}.",
    )
    if facts.season:
        season = facts.season
        others = [s for s in ("winter", "spring", "summer", "autumn") if s != season]
        yield voice.say(
            "season",
            f"the image shows the area in {season}.",
            f"this is {'an' if season[0] == 'a' else 'a'} {season} scene.",
            f"the acquisition falls in meteorological {season}.",
            f"the scene was captured during {season}, in {month}.",
            f"the image was taken in {season} {day.year}." if season != "winter" else None,
        )
        yield voice.say(
            "not-season",
            f"the image was not taken in {voice.pick('other', others)}.",
            f"the scene dates from {season}, not from {voice.pick('other', others)}.",
        )


def _degrees(value: float, ways: str, decimals: int, gap: str) -> str:
    return f"{abs(value):.{decimals}f}°{gap}{ways[0] if value >= 0 else ways[1]}"


def _minutes(value: float, ways: str) -> str:
    degrees, minutes = divmod(round(abs(value) * 60), 60)
    return f"{degrees}°{minutes:02d}' {ways[0] if value >= 0 else ways[1]}"


def _position(facts: Facts, voice: _Voice) -> Iterator[str]:
    lat, lon = facts.latitude, facts.longitude
    gap = voice.pick("gap", ("", " "))
    both = f"{_degrees(lat, 'NS', 2, gap)}, {_degrees(lon, 'EW', 2, gap)}"
    half = "northern" if lat > 0 else "southern"
    yield voice.say(
        "position",
        f"the tile is centred at {both}.",
        f"coordinates of the center: {_degrees(lat, 'NS', 4, gap)}, {_degrees(lon, 'EW', 4, gap)}.",
        f"the site is located at {both}.",
        f"the image is centred on {_minutes(lat, 'NS')}, {_minutes(lon, 'EW')}.",
        f"the tile lies at latitude {lat:.2f} and longitude {lon:.2f}.",
    )
    near = round(abs(lat))
    about = near and abs(near - abs(lat)) <= min(0.3, 0.05 * abs(lat))
    way = "north" if lat > 0 else "south"
    yield voice.say(
        "latitude",
        f"the latitude is {_degrees(lat, 'NS', 2, ' ')}.",
        f"the area lies about {near} degrees {way} of the equator." if about else None,
        f"the tile lies in the {half} hemisphere." if abs(lat) > 0.5 else None,
        f"at a latitude of about {abs(lat):.1f}° {way}, the site is in the {half} hemisphere."
        if abs(lat) > 1.5
        else None,
        f"the scene lies north of the {near - 2 if near % 2 else near - 3}th parallel."
        if lat > 23 and (near - 2 if near % 2 else near - 3) % 10 > 3
        else None,
        "the tile lies north of the Arctic Circle." if lat > 67 else None,
        "the tile lies south of the Arctic Circle." if 50 < lat < 66 else None,
        "the area lies within the tropics." if abs(lat) < 23 else None,
    )
    yield voice.say(
        "longitude",
        f"the longitude of the tile is {_degrees(lon, 'EW', 2, ' ')}.",
        f"the tile lies {'east' if lon > 0 else 'west'} of the Greenwich meridian."
        if 0.1 < abs(lon) < 179
        else None,
        f"the longitude is approximately {abs(lon):.1f} degrees {'east' if lon > 0 else 'west'}."
        if abs(lon) > 1.5
        else None,
    )


def _unit(unit: str) -> str:
    return _UNITS.get(unit, unit)


def _of(elements: Sequence[Element], name: str) -> float | None:
    """Value of a property, in the unit that the sentences use."""
    expected = {
        "ph_h2o": ("pH",),
        "organic_carbon": ("g/kg",),
        "total_nitrogen": ("g/kg",),
        "bulk_density": ("g/cm**3", "g/cm3", "g/cm³"),
        "sand": ("percent", "%"),
        "silt": ("percent", "%"),
        "clay": ("percent", "%"),
        "temperature": ("degC", "°C"),
        "precipitation": ("mm", "mm/year"),
    }
    for element in elements:
        if element.id == name and element.unit in expected.get(name, ()):
            return float(element.value)
    return None


_TOLD = {
    "ph_h2o",
    "organic_carbon",
    "total_nitrogen",
    "bulk_density",
    "sand",
    "silt",
    "clay",
    "temperature",
    "precipitation",
}


def _chemistry(facts: Facts, voice: _Voice) -> Iterator[str]:
    ph, carbon = _of(facts.soil, "ph_h2o"), _of(facts.soil, "organic_carbon")
    nitrogen = _of(facts.soil, "total_nitrogen")
    if ph is not None:
        yield voice.say(
            "ph",
            f"the soil pH is {ph:.1f}.",
            f"soil pH, measured in water, is {ph:.1f}.",
            f"the soil has a pH of about {ph:.1f}.",
            f"with a pH of {ph:.1f}, the soil is acidic." if ph < 6 else None,
            f"the soil is alkaline, with a pH of {ph:.1f}." if ph > 7.9 else None,
            f"the soil is close to neutral (pH {ph:.1f})." if 6.8 <= ph <= 7.2 else None,
        )
        if bounds := _clear_of(ph, 0.3, 1.0):
            yield voice.say(
                "ph-bound",
                f"the soil's pH is below {bounds[1]:.0f}.",
                f"soil pH lies between {bounds[0]:.0f} and {bounds[1]:.0f}.",
                f"the pH of the soil is above {bounds[0]:.0f}.",
            )
    if carbon is not None and carbon > 0:
        text = f"{carbon:.0f}" if carbon >= 20 else f"{carbon:.1f}"
        percent = f"{_significant(carbon / 10, 2):g}"
        yield voice.say(
            "carbon",
            f"the soil contains {text} g/kg of organic carbon.",
            f"soil organic carbon amounts to {text} g/kg.",
            f"the organic carbon content of the soil is about {_close(carbon)} g/kg.",
            f"the soil holds {text} grams of organic carbon per kilogram.",
            f"the soil is about {percent}% organic carbon by weight.",
        )
    if nitrogen is not None and nitrogen > 0:
        text = f"{_significant(nitrogen, 2):g}"
        yield voice.say(
            "nitrogen",
            f"total nitrogen in the soil is {text} g/kg.",
            f"the soil's total nitrogen content is {text} g/kg.",
            f"the soil contains about {text} grams of nitrogen per kilogram.",
        )
        if carbon is not None and carbon > 8 * nitrogen:
            yield voice.say(
                "carbon-nitrogen",
                "the soil holds more organic carbon than nitrogen.",
                f"in the soil, organic carbon stands at {_close(carbon)} g/kg and total nitrogen "
                f"at {text} g/kg.",
                f"the soil's carbon-to-nitrogen ratio is about {_close(carbon / nitrogen)}.",
            )


def _physics(facts: Facts, voice: _Voice) -> Iterator[str]:
    density = _of(facts.soil, "bulk_density")
    if density is not None:
        yield voice.say(
            "density",
            f"the bulk density of the soil is {density:.2f} g/cm³.",
            f"soil bulk density is about {density:.2f} g/cm3.",
            f"the soil has a bulk density of {density:.2f} grams per cubic centimetre.",
        )
    found = [
        (value, n) for n in ("sand", "silt", "clay") if (value := _of(facts.soil, n)) is not None
    ]
    texture = _TEXTURES.get(facts.texture or "")
    found.sort(reverse=True)
    if found:
        value, name = voice.pick("fraction", found)
        yield voice.say(
            "fraction",
            f"the soil's {name} content is {voice.plain(value, 'fraction')}.",
            f"{name} makes up {voice.amount(value, 'fraction')} of the soil.",
            f"{voice.amount(value, 'fraction')} of the fine earth is {name}.",
        )
    if len(found) == 3:
        parts = _listed([f"{value:.0f}% {name}" for value, name in found])
        yield voice.say(
            "fractions",
            f"the soil is made up of {parts}.",
            f"the soil consists of {parts}.",
            f"the soil's particle-size distribution is {parts}.",
            f"the fine earth contains {parts}.",
        )
        if found[0][0] - found[1][0] > 10:
            yield voice.say(
                "fraction-first",
                f"{found[0][1]} is the largest fraction of the soil.",
                f"the soil contains more {found[0][1]} than {found[1][1]} or {found[2][1]}.",
                f"{found[0][1]} dominates the soil's particle sizes." if found[0][0] > 55 else None,
            )
        if found[0][0] - found[2][0] > 12:
            yield voice.say(
                "fraction-two",
                f"there is more {found[0][1]} than {found[2][1]} in the soil.",
                f"the soil has less {found[2][1]} ({found[2][0]:.0f}%) than {found[0][1]} "
                f"({found[0][0]:.0f}%).",
            )
    if texture:
        article = "an" if texture[0] in "aeiou" else "a"
        whole = texture.split()[-1] in ("loam",)
        yield voice.say(
            "texture",
            f"the soil texture is {texture}.",
            f"the soil is classified as {texture} in the USDA system.",
            f"the USDA texture class is {texture}.",
            f"the soil is {article} {texture}." if whole else None,
            f"by texture, the soil is {article} {texture}." if whole else None,
        )


def _climate(facts: Facts, voice: _Voice) -> Iterator[str]:
    warmth, rain = _of(facts.climate, "temperature"), _of(facts.climate, "precipitation")
    if warmth is not None:
        text = _number(warmth, 1)
        whole = round(warmth)
        close = whole and abs(whole - warmth) <= min(0.4, 0.05 * abs(warmth))
        yield voice.say(
            "warmth",
            f"the mean annual temperature is {text} °C.",
            f"the annual mean temperature is about {whole} °C." if close else None,
            f"temperatures average {text}°C over the year.",
            f"the climate has a mean annual temperature of {text} degrees Celsius.",
        )
        if bounds := _clear_of(warmth, 1.5, 5.0):
            yield voice.say(
                "warmth-bound",
                f"the mean annual temperature lies between {_number(bounds[0])} and "
                f"{_number(bounds[1])} °C.",
                f"the annual mean temperature is below {_number(bounds[1])} °C.",
                "the mean annual temperature is below freezing." if warmth < -1.5 else None,
            )
    if rain is not None and rain > 0:
        yield voice.say(
            "rain",
            f"annual precipitation is {_number(rain)} mm.",
            f"the area receives about {_close(rain)} mm of precipitation per year.",
            f"yearly precipitation amounts to approximately {_close(rain)} millimetres.",
            f"mean annual precipitation is {_number(rain)} mm.",
        )
        if bounds := _clear_of(rain, 0.1 * rain, 500.0):
            low, high = bounds
            yield voice.say(
                "rain-bound",
                f"precipitation stays below {_number(high)} mm a year.",
                f"the site receives more than {_number(low)} mm of precipitation annually."
                if low
                else None,
                f"less than {_number(high)} mm of precipitation falls per year.",
            )
    if warmth is not None and rain is not None and rain > 0:
        yield voice.say(
            "climate",
            f"the climate is characterised by a mean annual temperature of {_number(warmth, 1)} °C "
            f"and {_number(rain)} mm of annual precipitation.",
            f"with {_number(rain)} mm of precipitation a year, the mean annual temperature is "
            f"{_number(warmth, 1)} °C.",
        )


def _further(facts: Facts, voice: _Voice) -> Iterator[str]:
    """Properties that no sentence of its own is written for."""
    for elements, of in ((facts.soil, "soil"), (facts.climate, "climate")):
        for element in elements:
            if element.id in _TOLD:
                continue
            name, unit = element.id.replace("_", " "), _unit(element.unit)
            value = f"{_significant(float(element.value), 3):g}"
            value = f"{value}{unit}" if unit == "%" else f"{value} {unit}".strip()
            yield voice.say(
                f"further/{element.id}",
                f"for the {of}, the {name} is {value}.",
                f"the {name} is about {value}.",
            )


def _names(facts: Facts, voice: _Voice) -> Iterator[str]:
    if facts.places:
        place = voice.pick("place", facts.places)
        yield voice.say(
            "near",
            f"the tile lies near {place}.",
            f"the scene is located in the vicinity of {place}.",
            f"{place} is nearby.",
            f"this image shows an area close to {place}.",
        )
    if len(facts.places) > 1:
        yield f"Places nearby include {_listed(facts.places[:3])}."
    if facts.lies_in:
        place = voice.pick("in", facts.lies_in)
        yield voice.say(
            "in",
            f"the tile lies in {place}.",
            f"the area is located in {place}.",
            f"this Sentinel-2 tile shows a part of {place}.",
        )
    tags = [tag for tag in facts.tags if "=" in tag]
    if tags:
        tag = voice.pick("tag", tags)
        key, value = tag.split("=", 1)
        yield voice.say(
            "tag",
            f"the map tags include {tag}.",
            f"a feature in the tile is tagged {tag}.",
            f'on the map, the key "{key}" has the value "{value}" here.',
        )
        if len(tags) > 1:
            yield voice.say(
                "tags",
                f"map features are tagged {_listed(tags[:3])}.",
                f"among the map tags of this tile are {_listed(tags[:3])}.",
            )
    if facts.agreement is not None:
        share = facts.agreement
        plain = voice.plain(share, "agreement")
        yield voice.say(
            "agreement",
            f"the two land-cover maps agree on {plain} of the tile.",
            f"WorldCover and Dynamic World agree on {voice.amount(share, 'agree')} of the pixels.",
            f"agreement between the two land-cover maps is {plain}.",
            f"the two land-cover maps disagree on {voice.plain(100 - share, 'dis')} of the tile.",
        )


def _compound(facts: Facts, voice: _Voice) -> Iterator[str]:
    ranked, covers = _ranked(facts), _comparable(facts)
    shares = {cover.id: cover.share for cover in facts.covers}
    month = _MONTHS[facts.date.month - 1]
    leads = bool(ranked) and shares[ranked[0]] > TOLERANCES.dominates + 8
    if leads:
        first = voice.noun(ranked[0], "compound")
        share = voice.plain(shares[ranked[0]], "compound")
        rest = [voice.noun(c.id, "compound") for c in covers if c.id != ranked[0] and c.share >= 2]
        if rest:
            names = _listed([str(noun) for noun in rest[:3]])
            yield voice.say(
                "also",
                f"dominated by {first}, the scene also contains {names}.",
                f"in addition to the dominant {first}, the tile also includes {names}.",
                f"the image shows mainly {first} ({share}), alongside {names}."
                if shares[ranked[0]] > 55
                else None,
            )
        yield voice.say(
            "when",
            f"captured in {month} {facts.date.year}, the image is dominated by {first}, which "
            f"{_verb('cover', first.plural)} {share} of the tile.",
            f"this Sentinel-2 scene from {month} {facts.date.year} shows a landscape dominated by "
            f"{first}.",
        )
    if covers and facts.relief:
        cover, relief = voice.pick("relief-cover", covers[:3]), facts.relief
        noun = voice.noun(cover.id, "relief-cover")
        share = voice.plain(cover.share, "relief-cover")
        yield voice.say(
            "relief-cover",
            f"{noun.verb('cover')} {share} of the tile, and elevations range from "
            f"{_number(relief.lowest)} to {_number(relief.highest)} m.",
            f"at a mean elevation of {_number(relief.mean)} m, the tile is {share} {noun}.",
            f"the terrain reaches {_number(relief.highest)} m at its highest point, and "
            f"{noun.verb('account')} for {share} of the land cover.",
        )
    tree = shares.get("tree")
    top = facts.canopy.get("maximum")
    if tree and top is not None and top >= 6:
        yield voice.say(
            "tree-canopy",
            f"trees cover {voice.amount(tree, 'tree-canopy')} of the tile and reach heights of up "
            f"to {top:.0f} m.",
            f"tree cover amounts to {voice.plain(tree, 'tree-canopy')}, with a maximum canopy "
            f"height of {top:.0f} m.",
        )
    sided = [c for c in facts.covers if c.sides and c.share >= 1]
    if len(sided) > 1:
        one, other = sided[:2]
        a, b = voice.noun(one.id, "two-sides"), voice.noun(other.id, "two-sides")
        here, there = voice.side(one.sides[0], "two-a"), voice.side(other.sides[0], "two-b")
        yield voice.say(
            "two-sides",
            f"the {a.verb('lie')} mainly {here} and the {b} mainly {there}.",
            f"{a.verb('cover')} {voice.plain(one.share, 'two-a')} of the tile, chiefly {here}, and "
            f"{b} {voice.plain(other.share, 'two-b')}, chiefly {there}.",
        )
    ph, texture = _of(facts.soil, "ph_h2o"), _TEXTURES.get(facts.texture or "")
    carbon, rain = _of(facts.soil, "organic_carbon"), _of(facts.climate, "precipitation")
    if ph is not None and texture:
        yield voice.say(
            "soil",
            f"the soil has a {texture} texture and a pH of {ph:.1f}.",
            f"soil texture is {texture}, with a pH of {ph:.1f}"
            + (f" and {_close(carbon)} g/kg of organic carbon." if carbon else "."),
        )
    if ph is not None and rain is not None:
        yield (
            f"Annual precipitation totals {_number(rain)} mm, and the soil at the site has a pH "
            f"of {ph:.1f}."
        )
    ndvi = facts.indices.get("ndvi")
    if ndvi is not None:
        text = _index_text(ndvi, voice, "ndvi-month")
        yield voice.say(
            "ndvi-month",
            f"in {month} {facts.date.year}, the median NDVI was {text}.",
            f"the {month} image has a median NDVI of {text}.",
        )
    if facts.relief and facts.relief.rises in _OPPOSITE and facts.relief.median_slope is not None:
        yield (
            f"The terrain rises towards the {facts.relief.rises}, with a median slope of "
            f"{facts.relief.median_slope:.1f}° and a highest elevation of "
            f"{_number(facts.relief.highest)} m."
        )
    if "built" in facts.absent and covers:
        noun = voice.noun(covers[0].id, "no-built")
        yield f"The area comprises {noun} but no built-up land."


def fifth_book(facts: Facts) -> Iterator[str]:
    """English sentences that are true of a tile, each once; the same for the same facts."""
    voice, seen = _Voice(facts.tile), set()
    for chapter in (
        _shares,
        _ranks,
        _comparisons,
        _places,
        _regions,
        _borders,
        _absences,
        _water,
        _relief,
        _landforms,
        _canopy,
        _indices,
        _time,
        _position,
        _chemistry,
        _physics,
        _climate,
        _further,
        _names,
        _compound,
    ):
        for sentence in chapter(facts, voice):
            if sentence not in seen:
                seen.add(sentence)
                yield sentence
