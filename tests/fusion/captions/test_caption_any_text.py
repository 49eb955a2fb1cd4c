"""Whatever a writer writes, the verifier answers: it does not break on text that nobody foresaw."""

from collections import defaultdict

import pytest
from drawn_tiles import random_tile
from good_tile import good_tile
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.captions.evidence import Evidence
from fusion.captions.lexer import _lexicon
from fusion.captions.verifier import verify

TILES = [(tile, Evidence(tile)) for tile in (good_tile(0), random_tile(3), random_tile(16))]
NUMBERS = ["17 %", "about a third", "12 m", "3 to 5 %", "more than 40 %", "half", "0.5", "most of"]
NUMBERS += ["at least 4 ha", "-3 m", "5 to 2 m", "0 %", "between 3 and 9 m", "6.4", "100 %"]


def phrases() -> dict[str, list[str]]:
    """Tag -> phrases that are read as it."""
    found = defaultdict(list)
    for words, token in _lexicon().items():
        found[token.tag].append(" ".join(words))
    found |= {mark: [mark] for mark in ",:()"} | {"N": NUMBERS, "d": ["3 May 2021", "June"]}
    return found | {"J": ["50.3° N", "10.4° E"], "p": ["Somewhere"], ";": ["while", ";"]}


PHRASES = phrases()
# What sentences begin with and go on with; most of what is drawn means something.
STARTS = ["CvN", "GvN", "CliD", "sPvN", "CBC", "kbC", "iDlC", "C,CvNH", "TRiD", "nC", "hKC", "Gbk"]
NEXTS = [
    "^liD",
    "^BC",
    "^>C",
    "fC",
    "vN",
    "&C(N)",
    "^bk",
    "[;]^vN",
    ",qiD",
    ";sPvN",
    "bX",
    "!b",
    "^OC",
]


@st.composite
def sentence(draw: st.DrawFn) -> str:
    tags = draw(st.sampled_from(STARTS))
    for _ in range(draw(st.integers(0, 3))):
        tags += draw(st.sampled_from(["", ",", ";", "&"])) + draw(st.sampled_from(NEXTS))
    tags += draw(st.text(st.sampled_from(sorted(t for t in PHRASES if t)), max_size=2))
    return " ".join(draw(st.sampled_from(PHRASES[t])) for t in tags if PHRASES.get(t))


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(sentence(), st.sampled_from(range(len(TILES))))
def test_every_sequence_of_known_phrases_gets_a_verdict(text: str, number: int) -> None:
    tile, evidence = TILES[number]
    for read in verify(text, tile, evidence).sentences:
        assert read.status in ("supported", "contradicted", "unsupported")
        assert read.verdicts or read.unknown


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=80))
def test_every_text_gets_a_verdict(text: str) -> None:
    tile, evidence = TILES[0]
    verified = verify(text, tile, evidence)
    assert bool(verified.text) != bool(verified.refused)


@pytest.mark.parametrize(
    "text",
    [
        "Ridges make up 8 % of the terrain, and they lie in the north.",
        "Hollows are present, followed by forest.",
        "Hillslopes are the most common landform and border cropland.",
        "Hillslopes are the most common landform and are larger than cropland.",
    ],
)
def test_a_landform_has_neither_side_nor_border(text: str) -> None:
    (read,) = verify(text, *TILES[0]).sentences
    assert read.status == "unsupported"
    assert read.unknown == (text,)
