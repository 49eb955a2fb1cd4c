"""What is said of relief, canopy, indices, soil, climate, time and place.

Belongs here: patterns over the typed tokens of a part of a sentence, and the claims that they
yield. Never here: words (`vocabulary.yaml`), or land cover (`patterns_cover.py`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from fusion.captions.claims import Claim
from fusion.captions.lexer import Number, Token
from fusion.captions.parts import Build, Carry, Pattern, is_of_a_class, negated, of, of_the_ground
from fusion.captions.vocabulary import vocabulary
from fusion.texture import texture_systems

_PROPERTY_KIND = {"elevation": "elevation", "relief": "elevation", "canopy_height": "canopy"}

_OF_MANY = ("mean", "median")
"""Statistics that are meant by default of what has many values, of which one is the highest."""

_NOT_OF_TERRAIN = ("soil", "climate", "index", "canopy_height")


def _property(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what, *more), (number,), said = of(part, "P"), of(part, "N"), of(part, "s")
    group, name, default, own = what.value
    if any((token.value[1], token.value[3]) != (name, None) for token in more):
        return []  # "the highest point is at an elevation of": of the same
    tied = replace(carry, bound=carry.bound and group == "index")
    if is_of_a_class(part, tied) or (part[0].tag == "(" and carry.last is not None):
        return []
    of_soil = of(part, "S") or (carry.soil and part[0].tag in "hve")
    if group == "soil" and number.value.unit == "%" and not of_soil:
        of_tile = {"of", "in", "within"} & set(number.text.split())
        if of_tile or part.index(number) < part.index(what):
            return []  # sand may also be what is seen of the ground
    if (of(part, "S") and group != "soil") or (part[0].tag == "T" and group in _NOT_OF_TERRAIN):
        return []  # it rains on the place, not on its soil or its slopes
    statistics = {token.value for token in said} | ({own} if own else set())
    if len(statistics) > 1:
        return []
    if group == "climate":
        if carry.timed:
            return []
        # Its words speak of nothing but means, save for those that might be of a moment.
        statistics = {"value"} if statistics == {"mean"} else statistics
    if not statistics and default in _OF_MANY:
        statistics |= {token.value for token in of(part, "v") if token.value}
        statistics |= {"maximum"} if number.text.lower().startswith("up to") else set()
        statistics |= set() if statistics else _of_all(name, number.value)
    if any(token.text.lower() == "by" for token in of(part, "i")):
        if (name, statistics) != ("elevation", set()):
            return []
        name, default = "relief", "value"  # "elevation varies by"
    statistic = statistics.pop() if statistics else default
    kind = _PROPERTY_KIND.get(group, group)
    return [
        Claim(
            kind,
            (name,),
            number=number.value,
            statistic=statistic,
            negated=negated(part),
        )
    ]


_MEASURED = ("elevation", "slope", "canopy_height")
"""Properties of which "above 300 m" is said of all their values, if of no statistic."""


def _of_all(name: str, number: Number) -> set[str]:
    """Statistic that a bound is of, where none is said: what lies above is so at its lowest."""
    if name not in _MEASURED or not number.bound or number.about:
        return set()
    return {"above": {"minimum"}, "at least": {"minimum"}, "below": {"maximum"},
            "at most": {"maximum"}}.get(number.bound, set())  # fmt: skip


_ELEVATION = Token("P", "", ("elevation", "elevation", "mean", None))
_HEIGHT = Token("P", "", ("canopy_height", "canopy_height", "median", None))


def _lie(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """How high the land lies: from where to where, at its highest, or on average."""
    (number,), ways, said = of(part, "N"), of(part, "RF"), of(part, "vs")
    if any(token.value != _ELEVATION.value for token in of(part, "P")):
        return []
    if not of(part, "T") and not carry.ground:
        return []
    rest = [token for token in part if token.tag in "svbiN"]
    if number.value.low != number.value.high:
        if ways and ways[0].tag == "F":
            return []  # it falls from the higher end
    elif ways and ways[0].text.endswith(" to"):
        rest.append(Token("s", "", {"R": "maximum", "F": "minimum"}[ways[0].tag]))
    elif ways or len(part) == 1 or (said and not any(token.value for token in said)):
        return []  # by so much, or to there?
    return _property([_ELEVATION, *rest], Carry())


def _height(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """How tall the trees are."""
    (what,), numbers = of(part, "C"), of(part, "N")
    if what.value != "tree" or what.narrower or numbers[0].value.unit != "m":
        return []
    if any(token.value is None for token in of(part, "v")):
        return []  # to reach a height is not to cover it
    if any(token.value[1:] != _HEIGHT.value[1:] for token in of(part, "P")):
        return []
    said = [_HEIGHT, *(token for token in part if token.tag not in "CP")]
    return _two_statistics(said, Carry()) if len(numbers) == 2 else _property(said, Carry())


def _half_of_them(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A median: half of the slopes or trees are above it, or below."""
    half, number = of(part, "N")
    (what,) = of(part, "PC")
    known = {"slope": _SLOPE, "tree": _HEIGHT}.get(what.value[1] if what.tag == "P" else what.value)
    said = number.value
    whole = Number(50.0, 50.0, "", True, "%")
    if known is None or what.narrower or half.value != whole or said.bound not in _ONE_SIDED:
        return []
    middle = replace(number, value=replace(said, bound=""))
    return _property([known, Token("s", "", "median"), middle], Carry())


_SLOPE = Token("P", "", ("slope", "slope", "median", None))
_ONE_SIDED = ("above", "below")


def _no_taller(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A height that no tree exceeds, or reaches."""
    (what,), (number,), ways = of(part, "C"), of(part, "N"), of(part, "v")
    said = number.value
    if what.value != "tree" or what.narrower or said.unit != "m" or said.about:
        return []
    reached = said.bound == "" and said.low == said.high and ways and ways[0].value == "maximum"
    if said.bound not in ("above", "at least") and not reached:
        return []
    bound = "at most" if said.bound == "above" else "below"
    return [
        Claim("canopy", ("canopy_height",), number=replace(said, bound=bound), statistic="maximum")
    ]


def _all_of_the_land(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A height above or below which the whole tile lies."""
    whole, number = of(part, "N")
    everything = (whole.value.low, whole.value.about, whole.value.unit) == (99.0, True, "%")
    statistic = _of_all("elevation", number.value)
    if not everything or not statistic or number.value.unit != "m":
        return []
    said = Token("s", "", statistic.pop())
    return _property([_ELEVATION, said, number], Carry())


def _lowest_to_highest(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """From the lowest point to the highest, each with its height."""
    ends = [token for token in part if token.tag in "Ps" and token is not part[0]]
    low, high = of(part, "N")
    first, ways = part[0], of(part, "R")
    if first.tag == "I" and not ways[0].text.lower().endswith(" to"):
        return []  # it rises by so much
    if not (first.tag in "TI" or (first.tag == "P" and first.value == _ELEVATION.value)):
        return []
    if any(token.tag == "P" and token.value[1] != "elevation" for token in ends):
        return []
    if [t.value[3] if t.tag == "P" else t.value for t in ends] != ["minimum", "maximum"]:
        return []
    return [
        claim
        for statistic, number in (("minimum", low), ("maximum", high))
        for claim in _property([_ELEVATION, Token("s", "", statistic), number], Carry())
    ]


def _told_twice(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A property with two numbers: "below freezing, at -4 °C"."""
    *before, second = [token for token in part if token.tag != ")"]
    while before[-1].tag in ",;i(":
        before.pop()
    return [claim for said in (before, [*before[:-1], second]) for claim in _property(said, carry)]


def _composition(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Several fractions of the soil."""
    if not of(part, "SQ") and not carry.soil:
        return []
    soil = Token("S", "soil")
    pairs = zip(of(part, "P"), of(part, "N"), strict=True)
    told = [_property([soil, number, what], Carry()) for what, number in pairs]
    fractions = all(what.value[1] in _FRACTIONS for what in of(part, "P"))
    return [claim for claims in told for claim in claims] if fractions and all(told) else []


_FRACTIONS = ("sand", "silt", "clay", "coarse_fragments_mass")


def _largest_fraction(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (rank,), numbers = of(part, "P"), of(part, "7"), of(part, "N")
    of_soil = of(part, "S") or carry.soil or "soil" in rank.text.lower()
    if what.value[1] not in _FRACTIONS[:3] or not of_soil:
        return []
    claim = Claim("soil word", ("largest fraction",), object=what.value[1])
    shares = [_property([Token("S", "soil"), what, number], Carry()) for number in numbers]
    return [claim, *shares[0]] if numbers and shares[0] else [] if numbers else [claim]


def _two_statistics(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A property, and behind it another statistic of the same."""
    at = next(i for i, token in enumerate(part) if token.tag in ",;&")
    first = _property(part[:at], carry)
    (what,), (*_, statistic) = of(part, "P"), of(part[at:], "s")
    if not first:
        return []
    # "the highest point" is of elevation, and so is the lowest that follows it.
    group, name, default, _ = what.value
    other = replace(what, value=(group, name, default, None))
    return first + _property([other, statistic, part[-1]], Carry())


def _word(kind: str, tag: str) -> Build:
    def build(part: Sequence[Token], carry: Carry) -> list[Claim]:
        (word,) = of(part, tag)
        if not of(part, "TS") and is_of_a_class(part, carry):
            return []
        return [Claim(kind, (word.value,), negated=negated(part))]

    return build


def _texture(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (word,) = of(part, "uP")
    # Clay, silt and sand are fractions of the soil, and texture classes too.
    labels = {label.lower(): code for code, label in texture_systems()["usda"].labels.items()}
    code = word.value if word.tag == "u" else labels.get(word.text.lower())
    if code is None:
        return []
    return [Claim("soil word", ("texture",), object=code, negated=negated(part))]


def _gradient(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (way,), (*start, side) = of(part, "RF"), of(part, "D")
    if start and (of(part, "t") or part[0] is start[0]):
        start, side = [side], start[0]  # "is higher in the north than", "the north is higher than"
    named = of(part, "TP")
    lie = of_the_ground(named) if named else carry.ground or part[0].tag == "D"
    if side.value == "centre" or not lie:
        return []  # the terrain rises; what rises besides is not measured
    if way.value == "amount" and not of(part, "P"):
        return []  # the tile rises; what increases over it is not said
    if start and start[0].value != _opposite(side.value):
        return []
    subject = "rises" if way.tag == "R" else "falls"
    return [Claim("gradient", (subject,), object=side.value, negated=negated(part))]


def _opposite(side: str) -> str:
    sides = vocabulary()["sides"]
    ahead = sides[side]
    return next(n for n, s in sides.items() if (s["x"], s["y"]) == (-ahead["x"], -ahead["y"]))


def _season(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (word,) = of(part, "z")
    if carry.yearly and part[0].tag != "a":
        return []
    dates = [_dated(token) for token in of(part, "d")]
    claim = Claim("season", (word.value[0],), value=word.value[1], negated=negated(part))
    return [claim, *dates]


def _dated(token: Token, negated: bool = False) -> Claim:
    return Claim("date", ("date",), value=token.value, negated=negated)


def _date(part: Sequence[Token], carry: Carry) -> list[Claim]:
    if carry.yearly and part[0].tag != "a":
        return []
    return [_dated(token, negated(part)) for token in of(part, "d")]


def _position(part: Sequence[Token], carry: Carry) -> list[Claim]:
    for word, place in itertools.pairwise(of(part, "jJ")):
        if word.tag == "j" and word.value != place.value[0]:
            return []
    if any(token.value != "centre" for token in of(part, "D")):
        return []
    claims = [Claim("position", (t.value[0],), value=t.value[1]) for t in of(part, "J")]
    return claims + [Claim("position", ("hemisphere",), value=t.value) for t in of(part, "V")]


def _place(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (word,) = of(part, "irB")
    where = "in" if word.tag == "i" else "near"
    if where == "in" and word.text.lower() not in ("in", "within"):
        return []  # "at" and "by" do not say which
    return [Claim("place", (token.value,), object=where) for token in of(part, "p")]


MEASURED_PATTERNS: tuple[Pattern, ...] = (
    # numbers of relief, canopy, indices, soil and climate
    (r"[hb^]*s?P[bvohi:l]*s?[bvoi]*N(?:is)?[,;&]+s[oib]*N", _two_statistics, False),
    (
        r"(?:iS,?)?(?:Sh?|Th?|[hbliv^])*(?:so?|s,)?P(?:\(P\))?(?:[oi]S)?s?[bvohi:l]*s?[bvoi]*P?o?N(?:[ib]?s|XiS|X|[oi]S|l)?",
        _property,
        False,
    ),
    (r"NoS[bhe]P", _property, False),
    (r"(?:(?:Sh?|Th?|[hb^])*(?:so?|s,)?P[bvohi:l]*N)(?:,?iN|\(N\))", _told_twice, False),
    (r"(?:[SQ][hbe]+|h*)No?P(?:[,&]+No?P)+", _composition, False),
    (r"Pb7(?:o?S)?(?:\(N\)|[,;i]*N)?|S?7(?:o?S)?bP(?:\(N\)|[,;i]*N)?", _largest_fraction, False),
    (r"nC[bv]*N", _no_taller, False),
    (r"N[CP][bl]+N", _half_of_them, False),
    (r"NT?[lb]+N", _all_of_the_land, False),
    (
        r"IP[bil]*N,?TRN[bil]*P|[TP][vRl]*[I_][Ps][ilbo]*N[iR&_]+[Ps][ilbo]*N",
        _lowest_to_highest,
        False,
    ),
    (r"\(s?P[bo]?N\)", _property, True),
    (r"(?:S[he]?|Th|[hb^])*(?:s?P\(N\)|(?:s,?)?No?s?P(?:iS)?)", _property, False),
    (r"(?:s,)?(?:T[vblioRFs]*|[vl]+i?|b(?=Ni?s)|(?=N$))N(?:iP|is|s)?", _lie, False),
    (r"s?C[bvho]*s?P?[bvoi]*N(?:is)?(?:[,;&]+s[oib]*N)?", _height, False),
    # words
    (r"[hb^]*T?b?!?WT?|WTb?X?", _word("relief", "W"), False),
    (r"[hb^]*!?y[vbX]?", _word("vigour", "y"), False),
    (r"[hb]*Sb!?c|[hb]*cS", _word("soil word", "c"), False),
    (r"[hb]*(?:Q[b:oi]?!?[uP]|uQ|uS|Sb!?(?:uQ?|P)|QoSb!?[uP])", _texture, False),
    (r"[TP][RF]Dti?D|D[RF]D|iD,?[TP][RF]|[TP]?!?[RF](?:ID)?i?D", _gradient, False),
    # when and where
    (r"[a^bh]*!?[iol]*[ia]*z(?:[o,i]?d)?[aX]?", _season, True),
    (r"[a^bh:]*!?[iol]*[ia]*d(?:a)?", _date, True),
    (r"(?:D(?=[bl]))?[bl^a]*[ir]?(?:j?[bo:]*J(?:[,&]*j?[bo:]*J)?|V)", _position, True),
    (r"[bl^a]*[irB]p(?:[,&]+p)*", _place, True),
)
"""As those of `patterns_cover.py`."""
