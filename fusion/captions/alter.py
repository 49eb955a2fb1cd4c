"""Altered texts, and finding and replacing words in them.

Belongs here: what an alteration is, and where phrases stand in a text; the lexer is not asked, so
that what it overlooks is not overlooked here too. Never here: which alterations there are
(`alter_numbers.py`, `alter_words.py`), or whether one makes a lie (`lies.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusion.captions.claims import Claim


@dataclass(frozen=True)
class Alteration:
    """A text with other words in it.

    Attributes:
        kind: Of `lies.KINDS`.
        altered: What was put for what.
        text: As altered.
        claims: What it says now, of the claims that were altered; it is a lie if one is false.
        false: Is it a lie in any case?
    """

    kind: str
    altered: str
    text: str
    claims: tuple[Claim, ...] = ()
    false: bool = False


@dataclass(frozen=True)
class Spot:
    """Where a phrase stands in a text, and what it means."""

    start: int
    end: int
    id: Any


def spots_of(text: str, names: Mapping[str, Any]) -> list[Spot]:
    """Where phrases stand in a text, the longest first; a hyphen is as good as a space."""
    known = {name.lower().replace("-", " "): id_ for name, id_ in names.items()}
    listed = sorted(known, key=len, reverse=True)
    pattern = "|".join(re.escape(name).replace(r"\ ", "[ -]") for name in listed)
    return [
        Spot(match.start(), match.end(), known[match.group().lower().replace("-", " ")])
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.IGNORECASE)
    ]


def only(spots: Sequence[Spot], id_: object) -> Spot | None:
    """The one spot of an id; None if there are more, or none."""
    own = [spot for spot in spots if spot.id == id_]
    return own[0] if len(own) == 1 else None


def put(text: str, spot: Spot, said: str) -> str:
    """Put words for others, with a capital where one was."""
    if text[spot.start].isupper() and spot.start == 0:
        said = said[0].upper() + said[1:]
    return text[: spot.start] + said + text[spot.end :]


def replaced(text: str, spot: Spot, said: str) -> str:
    """What was put for what, in words."""
    return f"{text[spot.start : spot.end]} -> {said}"


def pick(draw: np.random.Generator, choices: Sequence[Any]) -> Any:
    """One of the choices."""
    return choices[int(draw.integers(len(choices)))]
