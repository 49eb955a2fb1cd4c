"""What a sentence claims, if all of it is understood.

Belongs here: how parts make a sentence. A sentence is understood only if patterns cover every token
of it; there is no skipping, so that a word which changes the meaning cannot be overlooked. Never
here: words (`vocabulary.yaml`), patterns (`patterns_cover.py`, `patterns_measured.py`), or whether
a claim is true (`verifier.py`).
"""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fusion.captions.claims import KINDS, Claim
from fusion.captions.lexer import Token, tokens
from fusion.captions.parts import (
    Build,
    Carry,
    Pattern,
    nothing,
    of,
    of_the_ground,
    of_the_tile,
)
from fusion.captions.patterns_cover import COVER_PATTERNS, ONE_SUBJECT
from fusion.captions.patterns_measured import MEASURED_PATTERNS
from fusion.captions.patterns_place import PLACE_PATTERNS
from fusion.captions.patterns_whole import WHOLE_PATTERNS, resolved
from fusion.captions.vocabulary import vocabulary


@dataclass(frozen=True)
class _Understood:
    claims: list[Claim]
    carry: Carry
    providers: tuple[str, ...] = ()


_PATTERNS: tuple[Pattern, ...] = (
    *MEASURED_PATTERNS,
    *WHOLE_PATTERNS,
    *PLACE_PATTERNS,
    *COVER_PATTERNS,
    (r"Y?i?LY?[:,]?|Yi?L", nothing, True),
)


@functools.cache
def _compiled() -> tuple[tuple[re.Pattern[str], Build, bool], ...]:
    return tuple((re.compile(f"(?:{p})"), build, free) for p, build, free in _PATTERNS)


_BREAK = re.compile(r"[,;&.:]+")
_ENDS = re.compile(r"[CG](?:\(N\))?$")
_TILE = re.compile(r"(the|this) (tile|scene|image|area|landscape|region|site|view) ", re.I)


def _opens_with_a_side(part: Sequence[Token]) -> str:
    """How a part opens with a side of the tile, so that what follows may be said of the side."""
    opening = "".join(token.tag for token in part[:2])
    return opening[0] if re.match(r"i?[D6]", opening) else ""


def _may_be_of_a_side(part: Sequence[Token], claims: Iterable[Claim], inside: str) -> bool:
    """Is something said that differs from place to place, and neither of the tile nor of a side?"""
    kinds = _FROM_MAPS | _OF_PIXELS if inside == "i" else _FROM_MAPS
    varies = any(claim.kind in kinds for claim in claims)
    return varies and not of(part, "D6") and not any(map(of_the_tile, of(part, "N")))


def _parse(found: list[Token], of_tile: bool) -> _Understood | None:
    """Cover all tokens with patterns; None where none do.

    Args:
        found: Tokens of a sentence.
        of_tile: Does it open with the tile, of which all the words say nothing?
    """
    tags = "".join(token.tag for token in found)
    failed: set[tuple[int, Carry]] = set()

    def run(start: int, carry: Carry, close: bool) -> _Understood | None:
        if start == len(found):
            return _Understood([], carry)
        if (start, carry) in failed:
            return None
        for pattern, build, free in _compiled():
            match = pattern.match(tags, start)
            if match is None or match.end() == start:
                continue
            if close and (not free or "!" in match.group()):
                continue
            part = found[start : match.end()]
            claims = build(part, carry)
            if not claims and build is not nothing:
                continue
            if carry.inside and _may_be_of_a_side(part, claims, carry.inside):
                continue
            subjects = of(part, "CG")
            gap = _BREAK.match(tags, match.end())
            end = gap.end() if gap else match.end()
            one = len(subjects) == 1 or build in ONE_SUBJECT
            after = Carry(
                (subjects[0] if one else None) if subjects else carry.subject,
                subjects[-1] if subjects and one and _ENDS.search(tags[: match.end()]) else None,
                subjects[-1] if subjects else carry.last,
                part[0].tag in "CGNK" if subjects else carry.acts,
                of_the_ground(part),
                any(token.text.lower().endswith("with") for token in found[match.end() : end]),
                bool(of(part, "zd")) and part[0].tag in "ioz",
                bool(of(part, "SQ")),
                any(claim.kind == "climate" for claim in claims),
                carry.inside or _opens_with_a_side(part),
            )
            if gap and end == len(found) and gap.group() != ",":
                continue
            # A part that stands free binds to what follows as well as to what precedes.
            rest = run(end, after, close=not gap and not free)
            if rest is not None:
                maps = tuple(t.value for t in of(part, "L")) if build is nothing else ()
                return _Understood(claims + rest.claims, rest.carry, maps + rest.providers)
        failed.add((start, carry))
        return None

    return run(0, Carry(ground=of_tile), close=False)


def claims_of(
    sentence: str, names: Iterable[str] = (), tags: Iterable[str] = ()
) -> tuple[list[Claim], list[str]]:
    """Claims of a sentence, and what of it is not understood.

    Args:
        sentence: One sentence.
        names: Place names of the tile.
        tags: Map tags of the tile, as `key=value`.

    Returns:
        The claims; if any part is not understood, no claims, and the words that are unknown (or
        the whole sentence where each word is known but not what they say together).
    """
    listed = _map_tags(sentence, tags)
    if listed is not None:
        return [replace(claim, text=sentence) for claim in listed], []
    found = tokens(sentence, names)
    while found and found[0].tag in ",;:":
        found = found[1:]
    if unknown := [token.text for token in found if token.tag == "?"]:
        return [], unknown
    understood = _parse(found, _TILE.match(sentence) is not None)
    if understood is None or not understood.claims:
        return [], [sentence]
    providers = set(understood.providers)
    claims = resolved(understood.claims) or []
    of_maps = [c for c in claims if c.kind in _FROM_MAPS]
    if len(providers) > 1 or (providers and not of_maps):
        return [], [sentence]
    if any(c.negated and c.number and c.number.bound in ("only", "exactly") for c in claims):
        return [], [sentence]  # "not only 5 %" is more, and "not exactly" hardly another number
    source = providers.pop() if providers else None
    return [
        replace(c, text=sentence, source=source if c.kind in _FROM_MAPS else None) for c in claims
    ], [] if claims else [sentence]


_OF_PIXELS = {"landform share", "landform rank", "landform presence", "elevation", "slope"}
_OF_PIXELS |= {"relief", "canopy", "index", "vigour"}
_FROM_MAPS = {kind for kind in KINDS if kind.startswith("cover")} | {"border", "side", "region"}


def _map_tags(sentence: str, tags: Iterable[str]) -> list[Claim] | None:
    """Claims of a sentence that lists what the map shows; None if it is no such sentence."""
    says = vocabulary()["words"]["map says"]
    lower = sentence.strip().rstrip(".!").lower()
    opening = next((s for s in sorted(says, key=len, reverse=True) if lower.startswith(s)), None)
    if opening is None or lower[len(opening) :].startswith(" that "):
        return None
    known = tuple(tags)
    items = re.split(r",\s*and\s+|,\s*|\s+and\s+", lower[len(opening) :].strip(" :"))
    claims = []
    for item in items:
        words = re.sub(r"^(a|an|the|some)\s+", "", item.strip())
        if not words:
            return None
        value = next((tag for tag in known if words in _spoken(tag.lower())), words)
        claims.append(Claim("map tag", (value,)))
    return claims


def _spoken(tag: str) -> set[str]:
    """How a map tag may be said: `highway=primary`, `primary highway`."""
    key, _, value = tag.partition("=")
    plain = value.replace("_", " ")
    return {tag, plain, f"{plain} {key.replace('_', ' ')}"}
