"""What is said of parts of the tile: shares of halves and quarters, edges, corners, one side alone.

Belongs here: patterns over the typed tokens of a part of a sentence, and the claims that they
yield. Never here: words (`vocabulary.yaml`), or what is said of the tile as a whole
(`patterns_cover.py`).
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from fusion.captions.claims import Claim
from fusion.captions.lexer import Number, Token
from fusion.captions.parts import Carry, Pattern, negated, of, of_the_tile


def _region(what: Token, place: Token, said: str, number: Number | None = None) -> Claim:
    return Claim(
        "region",
        (what.value,),
        object=place.value,
        statistic=said,
        number=number,
        narrower=what.narrower,
    )


def _shares_of_part(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Shares of a half or a quarter: of other parts it is not known where they end."""
    things, numbers, (place,) = of(part, "C"), of(part, "N"), of(part, "D6")
    if not (place.narrower or place.tag == "6") or any(map(of_the_tile, numbers)):
        return []
    if any(_of_a_class(one, other) for one, other in itertools.pairwise(part)):
        return []
    shares = [
        _region(what, place, "share", number.value)
        for what, number in zip(things, numbers, strict=True)
    ]
    first = [_region(things[0], place, "largest")] if of(part, "qA") else []
    return first + shares


def _of_a_class(number: Token, what: Token) -> bool:
    """Is a number one of the class behind it ("half of the forest")?"""
    tags = number.tag + what.tag
    return tags == "NC" and re.search(r" of(?: the)?$", number.text.lower()) is not None


def _how_much_of_it(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """All of a class on one side, or most of it in a corner or at an edge."""
    (what,), (number,), (place,) = of(part, "C"), of(part, "N"), of(part, "D6")
    everything = number.value == _ALL and number.text.lower().startswith("all")
    if not everything and not (number.value == _MOST and place.tag == "6"):
        return []
    said = "all" if everything else None
    return [
        Claim("side", (what.value,), object=place.value, statistic=said, narrower=what.narrower)
    ]


_MOST = Number(50.0, 50.0, "at least", True, "%")
_ALL = Number(99.0, 99.0, "at least", True, "%")
"""What the lexer makes of `most of` and `all of`."""
_NEARLY_ALL = Number(90.0, 90.0, "at least", True, "%")


def _filled(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A class that covers a part of the tile, hence nearly all of it."""
    (what,), (place,) = of(part, "C"), of(part, "D6")
    return [_region(what, place, "share", _NEARLY_ALL)]


def _of_what_is_there(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """The share of a class that is said to be on a side: of the class, and of that part of it."""
    (what,), (number,), (place,) = of(part, "C"), of(part, "N"), of(part, "D6")
    if not of_the_tile(number):
        return []
    share = Claim("cover share", (what.value,), number=number.value, narrower=what.narrower)
    return [share, _region(what, place, "of tile", number.value)]


def _placed(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """The share of a class, and in passing where it lies."""
    (what,), (number,), (place,) = of(part, "C"), of(part, "N"), of(part, "D6")
    share = Claim("cover share", (what.value,), number=number.value, narrower=what.narrower)
    side = Claim("side", (what.value,), object=place.value, narrower=what.narrower)
    return [share, side]


def _at(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Most of a class is in a corner or at an edge, or follows the edge."""
    things, (place,) = of(part, "C"), of(part, "6")
    if of(part, "5") and not place.value.endswith("edge"):
        return []
    statistic = "along" if of(part, "5") else None
    return [
        Claim("side", (t.value,), object=place.value, statistic=statistic, narrower=t.narrower)
        for t in things
    ]


def _confined(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (place,), (only,) = of(part, "C"), of(part, "D6"), of(part, "1")
    if only.value:
        return []  # "the only class in the south" may be elsewhere too
    return [
        Claim("side", (what.value,), object=place.value, statistic="all", narrower=what.narrower)
    ]


def _present(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (place,) = of(part, "D6")
    found = [_region(what, place, "present") for what in of(part, "C")]
    return [replace(claim, negated=negated(part)) for claim in found]


def _largest(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (place,) = of(part, "C"), of(part, "6")
    return [_region(what, place, "largest")]


_SEP = r"(?:[,;&]+)"
_CLAUSE = r"(?=$|[,;&])"
_SHARED = rf"(?:N[be]+C|CvN|NC)(?:{_SEP}(?:N[be]*C|CvN|CN))*"

PLACE_PATTERNS: tuple[Pattern, ...] = (
    # shares of a part
    (rf"i[D6],?{_SHARED}|[D6][hbe]+N[e]?C(?:{_SEP}N[e]?C)*{_CLAUSE}", _shares_of_part, False),
    (r"CvNo?[D6]|No?[D6][be]+C", _shares_of_part, False),
    (r"[D6][bh]*q+e?C(?:[,;i]+N9?|\(N9?\))", _shares_of_part, False),
    (r"i[D6],?CA(?:[,;i]+N9?|\(N9?\))", _shares_of_part, False),
    (rf"Cv[D6]{_CLAUSE}|[D6]b*e+C{_CLAUSE}", _filled, False),
    (r"C[blX]*i[D6]vN", _of_what_is_there, False),
    (r"C,[lX]?q?i[D6],vN", _placed, False),
    # edges, corners, one side alone
    (r"h+C(?:[,&]+C)*X?56|C(?:[,&]+C)*(?:[blqXv]*5|[blqX]*[ir])6", _at, False),
    (r"C[blX]*1l*i?[D6]", _confined, False),
    (r"No?C[blX]+i?[D6]|[D6]hNo?C", _how_much_of_it, False),
    (r"h+C(?:[,&]+C)*X?[ir]6|[ir]6,?[bXhl]+C(?:[,&]+C)*|6[hX]+C(?:[,&]+C)*", _present, False),
    (r"[hb]*nC[bhXl]*i[D6]|i[D6],?[hbX]*nC[bX]*|[D6]h*nC", _present, False),
    (r"6[bh]*q+e?C|i6,?CA|CAi?6", _largest, False),
)
"""As those of `patterns_cover.py`."""
