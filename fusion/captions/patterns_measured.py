"""What is said of relief, canopy, indices, soil, climate, time and place.

Belongs here: patterns over the typed tokens of a part of a sentence, and the claims that they
yield. Never here: words (`vocabulary.yaml`), or land cover (`patterns_cover.py`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from fusion.captions.claims import Claim
from fusion.captions.lexer import Token
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
    if is_of_a_class(part, tied):
        return []
    if group == "soil" and " of " in number.text:
        return []  # a share of the tile is none of the soil
    if (of(part, "S") and group != "soil") or (part[0].tag == "T" and group in _NOT_OF_TERRAIN):
        return []  # it rains on the place, not on its soil or its slopes
    statistics = {token.value for token in said} | ({own} if own else set())
    if len(statistics) > 1:
        return []
    if group == "climate":
        statistics -= {"mean"}  # its words speak of nothing but means
    if not statistics and default in _OF_MANY:
        statistics |= {token.value for token in of(part, "v") if token.value}
        statistics |= {"maximum"} if number.text.lower().startswith("up to") else set()
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


_ELEVATION = Token("P", "", ("elevation", "elevation", "mean", None))
_HEIGHT = Token("P", "", ("canopy_height", "canopy_height", "median", None))


def _lie(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """How high the land lies."""
    rest = [token for token in part if token.tag not in "TP"]
    named = of(part, "P")
    (number,) = of(part, "N")
    if any(token.value != _ELEVATION.value for token in named):
        return []
    if not of(part, "T") and not carry.ground:
        return []
    if of(part, "R") and number.value.low == number.value.high:
        return []  # by so much, or to there?
    return _property([_ELEVATION, *rest], Carry())


def _height(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """How tall the trees are."""
    (what,), (number,) = of(part, "C"), of(part, "N")
    if what.value != "tree" or what.narrower or number.value.unit != "m":
        return []
    if any(token.value is None for token in of(part, "v")):
        return []  # to reach a height is not to cover it
    return _property([_HEIGHT, *(token for token in part if token.tag != "C")], Carry())


def _two_statistics(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A property, and behind it another statistic of the same."""
    at = next(i for i, token in enumerate(part) if token.tag == "N")
    first = _property(part[: at + 1], carry)
    (what,), (statistic,) = of(part, "P"), of(part[at:], "s")
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
    lie = of_the_ground(part[:1]) if part[0].tag in "TP" else carry.ground
    if side.value == "centre" or not lie:
        return []  # the terrain rises; what rises besides is not measured
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
    dates = [_dated(token) for token in of(part, "d")]
    claim = Claim("season", (word.value[0],), value=word.value[1], negated=negated(part))
    return [claim, *dates]


def _dated(token: Token, negated: bool = False) -> Claim:
    return Claim("date", ("date",), value=token.value, negated=negated)


def _date(part: Sequence[Token], carry: Carry) -> list[Claim]:
    return [_dated(token, negated(part)) for token in of(part, "d")]


def _position(part: Sequence[Token], carry: Carry) -> list[Claim]:
    for word, place in itertools.pairwise(of(part, "jJ")):
        if word.tag == "j" and word.value != place.value[0]:
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
    (r"[hb^]*s?P[bvohi:l]*s?[bvoi]*N[,;&]+s[oib]*N", _two_statistics, False),
    (
        r"(?:Sh?|Th|[hbli^])*(?:so?)?P(?:[oi]S)?s?[bvohi:l]*s?[bvoi]*P?o?N(?:is|X|oS)?",
        _property,
        False,
    ),
    (r"NoS[bhe]P", _property, False),
    (r"(?:S[he]?|Th|[hb^])*(?:s?P\(N\)|(?:s,?)?No?s?P)", _property, False),
    (r"(?:s,)?(?:T[vbliR]*|v)N(?:iP|is)?", _lie, False),
    (r"C[bvho]*s?[bvoi]*N", _height, False),
    # words
    (r"[hb^]*T?b?!?WT?|WTb?X?", _word("relief", "W"), False),
    (r"[hb^]*!?y[vbX]?", _word("vigour", "y"), False),
    (r"[hb]*Sb!?c|[hb]*cS", _word("soil word", "c"), False),
    (r"[hb]*(?:Q[b:oi]?!?[uP]|uQ|uS|Sb!?(?:uQ?|P)|QoSb!?[uP])", _texture, False),
    (r"[TP]?!?[RF](?:ID)?i?D", _gradient, False),
    # when and where
    (r"[a^bh]*!?[iol]*[ia]*z(?:[o,i]?d)?[aX]?", _season, True),
    (r"[a^bh:]*!?[iol]*[ia]*d(?:a)?", _date, True),
    (r"[bl^a]*[ir]?(?:j?[b:]*J(?:[,&]*j?[b:]*J)?|V)", _position, True),
    (r"[bl^a]*[irB]p(?:[,&]+p)*", _place, True),
)
"""As those of `patterns_cover.py`."""
