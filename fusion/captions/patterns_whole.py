"""What fills the tile: classes beside which there is no other, and what remains of it.

Belongs here: patterns over the typed tokens of a part of a sentence, and the claims that they
yield. Never here: words (`vocabulary.yaml`).
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from fusion.captions.claims import Claim
from fusion.captions.lexer import Token
from fusion.captions.parts import Carry, Pattern, is_inside_a_class, of

REST = "rest"
"""Object of a claim that lacks the classes named before, of which something remains."""


def _total(things: Sequence[Token], object_: str) -> Claim:
    narrower = any(what.narrower for what in things)
    return Claim("cover total", tuple(t.value for t in things), object=object_, narrower=narrower)


def _present(what: Token) -> Claim:
    return Claim("cover presence", (what.value,), narrower=what.narrower)


def _alone(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Classes beside which there is no other."""
    things, (only,) = of(part, "C"), of(part, "1")
    said = of(part, "hbeX") or only.text.lower().endswith(" of")
    if not said or is_inside_a_class(part, carry):
        return []
    several = re.search(r"\b(?:classes|types)\b", only.text.lower()) is not None
    if only.value and (several is (len(things) == 1) or not of(part, "b")):
        return []  # of several, none is the only one
    return [*map(_present, things), _total(things, "all")]


def _hardly(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Only a little of a class."""
    (extent,), (what,) = of(part, "K"), of(part, "C")
    if extent.value in ("some", "much"):
        return []
    return [
        Claim("cover extent", (what.value,), object=extent.value, narrower=what.narrower),
        *([_present(what)] if extent.value == "a little" else []),
    ]


def _only_covers(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (number,) = of(part, "C"), of(part, "N")
    said = number.value
    if of(part, "1")[0].value or said.bound or said.low != said.high:
        return []
    only = said if said.about else replace(said, bound="only")
    return [Claim("cover share", (what.value,), number=only, narrower=what.narrower)]


def _remaining(part: Sequence[Token], carry: Carry) -> list[Claim]:
    things, numbers = of(part, "C"), of(part, "N")
    if numbers and len(things) > 1:
        return []
    shares = [
        Claim("cover share", (things[0].value,), number=number.value, narrower=things[0].narrower)
        for number in numbers
    ]
    return [*(shares or map(_present, things)), _total(things, REST)]


def resolved(claims: Sequence[Claim]) -> list[Claim] | None:
    """Claims of a sentence, with the classes named before put into what remains.

    Args:
        claims: In the order in which they are said.

    Returns:
        None if nothing was named of which something could remain.
    """
    named: list[str] = []
    found = []
    for claim in claims:
        if claim.object == REST:
            before = [cover for cover in named if cover not in claim.subject]
            if not before or any(c.kind == "region" or c.negated for c in claims):
                return None
            claim = replace(claim, subject=(*before, *claim.subject), object="all")
        elif claim.kind in ("cover share", "cover total"):
            named += [cover for cover in claim.subject if cover not in named]
        found.append(claim)
    return found


_SEP = r"[,&]+"
_CLAUSE = r"(?=$|[,;&])"

WHOLE_PATTERNS: tuple[Pattern, ...] = (
    (rf"[hbe]*1[hbe]*C(?:{_SEP}C)*[bX]*{_CLAUSE}|C(?:{_SEP}C)*b1{_CLAUSE}", _alone, False),
    (rf"[hb]+1KC{_CLAUSE}|1KC[bX]+{_CLAUSE}", _hardly, False),
    (r"C1[vh]N", _only_covers, False),
    (rf"3N?[vbhe]+C{_CLAUSE}|3[vbhe]+C(?:{_SEP}C)+(?=$)|C[vbh]*3N?{_CLAUSE}", _remaining, False),
)
"""As those of `patterns_cover.py`."""
