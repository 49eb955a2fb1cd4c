"""A part of a sentence: the typed tokens that one pattern covers, and what precedes it.

Belongs here: what the modules of patterns share. Never here: patterns (`patterns_cover.py`,
`patterns_measured.py`), or how parts make a sentence (`grammar.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fusion.captions.claims import Claim
from fusion.captions.lexer import Token


@dataclass(frozen=True)
class Carry:
    """What the words `it` and an omitted subject stand for.

    Attributes:
        subject: Class or landform that the part before is about.
        which: What the word `which` stands for: the class or landform directly before it.
        last: The last one that was named.
        acts: Is a class or landform what the part before says something of?
        ground: Is the part before about the lie of the land?
        bound: Is the part tied to the one before by "with"?
        timed: Does the part before say when what follows was so ("In May, ...")?
        soil: Is the part before about the soil?
        yearly: Is the part before about the climate, which is of no season?
        inside: How a part before opens with a side of the tile, of which what follows may be: "i"
            if it tells what is in it, "D" if it is about it.
    """

    subject: Token | None = None
    which: Token | None = None
    last: Token | None = None
    acts: bool = False
    ground: bool = False
    bound: bool = False
    timed: bool = False
    soil: bool = False
    yearly: bool = False
    inside: str = ""


Build = Callable[[Sequence[Token], Carry], list[Claim]]
"""Claims of a part; none if it says nothing that is understood."""

Pattern = tuple[str, Build, bool]
"""Tags of a part, how its claims are built, and may it follow without a separator?"""


def is_of_a_class(part: Sequence[Token], carry: Carry) -> bool:
    """Is a part said of the class before it ("... and is flat"), which nobody measured?"""
    said = part[0].tag in "hb^liv" and part[0].value != "there"
    return carry.last is not None and (said or carry.bound)


def is_inside_a_class(part: Sequence[Token], carry: Carry) -> bool:
    """Is a class said to be in the one before it ("... and contains water")?"""
    return carry.acts and part[0].tag in "hbeq" and part[0].value != "there"


def of(part: Sequence[Token], tags: str) -> list[Token]:
    """Tokens of a part that have one of the tags."""
    return [token for token in part if token.tag in tags]


def negated(part: Sequence[Token]) -> bool:
    """Does a part deny what it says?"""
    return any(token.tag in "!nZ" for token in part)


def of_the_ground(part: Sequence[Token]) -> bool:
    """Is a part about the lie of the land?"""
    return any(t.tag in "TWRF" or (t.tag == "P" and t.value[0] == "elevation") for t in part)


_OF_THE_TILE = re.compile(r"\b(?:tile|scene|image|picture|frame|view)\b", re.IGNORECASE)


def of_the_tile(number: Token) -> bool:
    """Is a share said to be one of the whole tile?"""
    return _OF_THE_TILE.search(number.text) is not None


def nothing(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Of a part that only says where the rest is from."""
    return []
