"""Lies planted into true sentences, to measure what the check of captions lets through.

Belongs here: alterations of a sentence's text, each with what it now says, and the decision that it
is a lie. That decision is the facts' (`judge.py`), never the verifier's; an altered sentence that
happens to be true, or that the facts cannot decide, is no lie. Never here: verdicts, or statistics
(`report.py`).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fusion.captions.alter_numbers import alterations_of_numbers
from fusion.captions.alter_words import alterations_of_words
from fusion.captions.grammar import claims_of
from fusion.captions.judge import holds
from fusion.captions.lexer import sentences
from fusion.captions.measure import Facts, measure
from fusion.captions.verifier import map_tags, place_names
from fusion.captions.writer import Writer, write_offline
from fusion.tiles.tile import Tile

KINDS = {
    "number": "a number off by more than its tolerance, by a factor, or with digits exchanged",
    "bound": "'more than' or 'less than' a number on the wrong side",
    "unit": "a share told as an area",
    "part": "the share of the tile told as that of a half, a quarter, or the land without water",
    "class": "another land-cover class, or a narrower word of a class that is absent",
    "relation": "larger for smaller, another rank, a multiple, surrounded for bordering",
    "statistic": "another statistic or property of the same number",
    "side": "another side of the tile, or uphill for downhill",
    "season": "another season, or another part of it",
    "date": "another day, month or year",
    "position": "other coordinates, or the other hemisphere",
    "landform": "another landform",
    "word": "another word for relief, vegetation or extent",
    "soil": "another value, property, reaction or texture of the soil",
    "negation": "'not' put in or taken out",
    "place": "a place name or map tag of somewhere else",
    "buried": "a lie of another kind behind a true sentence",
}
"""Kind of lie -> what is altered."""


@dataclass(frozen=True)
class Lie:
    """A sentence that is false of its tile.

    Attributes:
        text: What is said.
        kind: Of `KINDS`.
        altered: What was put for what.
        true: The sentence that it was made of.
    """

    text: str
    kind: str
    altered: str
    true: str


def lies_of(sentence: str, tile: Tile, facts: Facts, draw: np.random.Generator) -> list[Lie]:
    """Every lie that one alteration of a true sentence makes; none if it is not known to be true.

    Args:
        sentence: Any sentence about the tile.
        tile: Which it is said of.
        facts: Measured on it.
        draw: Chooses the words of what is put in.
    """
    claims, _ = claims_of(sentence, place_names(tile), map_tags(tile))
    if not claims or any(holds(claim, facts, tile) is not True for claim in claims):
        return []
    found: dict[str, Lie] = {}
    for altered in (
        *alterations_of_numbers(sentence, claims, facts, tile, draw),
        *alterations_of_words(sentence, claims, draw),
    ):
        false = altered.false or any(holds(claim, facts, tile) is False for claim in altered.claims)
        if false and altered.text != sentence:
            lie = Lie(altered.text, altered.kind, altered.altered, sentence)
            found.setdefault(altered.text, lie)
    return list(found.values())


def plant(
    sentence: str, tile: Tile, draw: np.random.Generator, facts: Facts | None = None
) -> Lie | None:
    """Turn a true sentence into a lie, each kind of alteration being as likely as another.

    Args:
        sentence: About the tile.
        tile: Which it is said of.
        draw: Chooses the lie.
        facts: Of the tile, where they are measured already.

    Returns:
        None if the facts do not say that the sentence is true, or nothing in it can be altered so
        that it is certainly false.
    """
    one_each = _one_of_each(lies_of(sentence, tile, facts or measure(tile), draw), draw)
    return one_each[int(draw.integers(len(one_each)))] if one_each else None


def _one_of_each(found: Sequence[Lie], draw: np.random.Generator) -> list[Lie]:
    """One lie of each kind, in the order of the kinds."""
    by_kind: dict[str, list[Lie]] = defaultdict(list)
    for lie in found:
        by_kind[lie.kind].append(lie)
    return [by_kind[k][int(draw.integers(len(by_kind[k])))] for k in KINDS if k in by_kind]


_BURIED_EVERY = 8
"""One of so many lies is told again behind a true sentence."""


def planted(true: Sequence[str], tile: Tile, facts: Facts, draw: np.random.Generator) -> list[Lie]:
    """Lies about one tile: of each true sentence one of every kind that it admits, some buried.

    Args:
        true: Sentences about the tile; of those that the facts do not support nothing is made.
        tile: Which they are said of.
        facts: Of the tile.
        draw: Chooses lies.
    """
    found = [lie for s in true for lie in _one_of_each(lies_of(s, tile, facts, draw), draw)]
    buried = [
        bury(true[int(draw.integers(len(true)))], lie, draw)
        for lie in found
        if draw.random() < 1 / _BURIED_EVERY
    ]
    return found + buried


_JOINTS = (", and {}", ", while {}", "; {}", " and {}", ", but {}")


def bury(true: str, lie: Lie, draw: np.random.Generator) -> Lie:
    """Put a lie behind a true sentence of the same tile, in one sentence."""
    joint = _JOINTS[int(draw.integers(len(_JOINTS)))]
    # Names keep their capital.
    keep = re.match(r"[A-Z][A-Z]|OpenStreetMap|WorldCover|Dynamic World", lie.text)
    said = lie.text.rstrip(".") if keep else lie.text[0].lower() + lie.text[1:].rstrip(".")
    text = true.rstrip(".") + joint.format(said) + "."
    return Lie(text, "buried", f"{lie.kind}: {lie.altered}", true)


@dataclass(frozen=True)
class Careless:
    """A writer that is wrong on purpose: another's captions with lies in some of their sentences.

    Attributes:
        tile: Which it writes of.
        rate: Share of the sentences that it turns into lies, where they can be.
        seed: Of the lies.
        writer: Whose captions they are planted into.
        name: Of this one.
    """

    tile: Tile
    rate: float
    seed: int = 0
    writer: Writer = write_offline
    name: str = "careless"

    def __call__(self, facts: Facts, count: int) -> list[str]:
        """Write that many captions."""
        draw = np.random.default_rng(self.seed)
        return [
            " ".join(self._said(sentence, facts, draw) for sentence in sentences(caption))
            for caption in self.writer(facts, count)
        ]

    def _said(self, sentence: str, facts: Facts, draw: np.random.Generator) -> str:
        lie = plant(sentence, self.tile, draw, facts) if draw.random() < self.rate else None
        return lie.text if lie else sentence
