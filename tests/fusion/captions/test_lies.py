"""Lies planted into true sentences: they are lies, say what was altered, and are found."""

from pathlib import Path

import numpy as np
import pytest
from drawn_tiles import random_tile, tile
from good_tile import good_tile

from fusion.captions.caption import caption_tile
from fusion.captions.claims import Claim
from fusion.captions.grammar import claims_of
from fusion.captions.judge import holds, share_of_part
from fusion.captions.lexer import Number
from fusion.captions.lies import KINDS, Careless, Lie, bury, lies_of, plant, planted
from fusion.captions.measure import measure
from fusion.captions.report import lie_report
from fusion.captions.verifier import verify
from fusion.captions.writer import all_sentences

TILE = good_tile(0)
FACTS = measure(TILE)


def lies(sentence: str, kind: str | None = None) -> list[str]:
    found = lies_of(sentence, TILE, FACTS, np.random.default_rng(0))
    return [lie.text for lie in found if kind in (None, lie.kind)]


def truth(sentence: str) -> list[bool | None]:
    claims, unknown = claims_of(sentence, ["Somewhere"], ["natural=water"])
    assert claims, unknown
    return [holds(claim, FACTS, TILE) for claim in claims]


# The tile has 67.9 % cropland in its south and all around, 27.8 % trees in the north-east and a
# lake of 4.3 % in the west that touches cropland alone; it rises from 200 to 327 m to the north.
TRUE = [
    "Cropland covers 67.9 % of the tile.",
    "Cropland covers about two thirds of the tile.",
    "Cropland covers more than 60 % of the tile.",
    "Forest is not the largest class.",
    "The tile is dominated by cropland, followed by forest.",
    "There is more forest than water.",
    "Water borders cropland.",
    "Water does not border forest.",
    "Forest lies in the north-east.",
    "The south is mostly cropland.",
    "There is no snow.",
    "The terrain falls towards the south.",
    "Elevation ranges from 200 to 327 m.",
    "The median slope is 5.7 degrees.",
    "The soil pH is 6.4.",
    "The scene was taken in May 2021.",
    "The tile lies at 51.10° N, 10.40° E.",
    "The tile lies near Somewhere.",
]
FALSE = [
    "Cropland covers 64.9 % of the tile.",
    "Cropland covers about a third of the tile.",
    "Cropland covers less than 60 % of the tile.",
    "Forest is the largest class.",
    "The tile is dominated by cropland, followed by water.",
    "There is more water than forest.",
    "Water borders forest.",
    "Water is surrounded by forest.",
    "Forest lies in the south-west.",
    "The south is mostly forest.",
    "There is no forest.",
    "The terrain falls towards the north.",
    "Elevation ranges from 200 to 427 m.",
    "The median slope is 15.7 degrees.",
    "The soil pH is 4.6.",
    "The scene was taken in May 2020.",
    "The tile lies at 51.10° S, 10.40° E.",
    "The village lies in the north-east.",
]


@pytest.mark.parametrize("sentence", TRUE)
def test_facts_tell_true_sentences(sentence: str) -> None:
    assert set(truth(sentence)) == {True}


@pytest.mark.parametrize("sentence", FALSE)
def test_facts_tell_false_sentences(sentence: str) -> None:
    assert False in truth(sentence)


@pytest.mark.parametrize(
    "claim",
    [
        Claim("elevation", ("elevation",), number=Number(260, 260, unit="m"), statistic="median"),
        Claim("cover share", ("crop",), number=Number(68, 68, unit="%"), source="dynamic_world"),
        Claim("cover share", ("crop",), number=Number(68, 68, unit="m")),
        Claim("index", ("ndvi",), number=Number(0.1, 0.1), statistic="mean"),
        Claim("side", ("crop",), object="west"),
        Claim("cover presence", ("crop",), narrower=True),
        Claim("region", ("water",), object="west", statistic="present"),
    ],
)
def test_what_facts_do_not_say_is_neither_true_nor_false(claim: Claim) -> None:
    assert holds(claim, FACTS, TILE) is None


def test_shares_of_parts_are_of_the_part() -> None:
    row, column = np.mgrid[0:128, 0:128]
    world = np.where((row < 64) & (column < 64), 10, np.where(row < 64, 40, 30))
    world[96:] = 80
    made = tile({"worldcover": world})
    facts = measure(made)
    assert share_of_part("tree", "north-west", facts, made) == 100.0
    assert share_of_part("tree", "north", facts, made) == 50.0
    assert share_of_part("tree", "east", facts, made) == 0.0
    assert share_of_part("tree", "land", facts, made) == pytest.approx(100 / 3)
    assert share_of_part("water", "north", facts, made) is None


def test_a_lie_is_false_and_says_what_was_altered() -> None:
    drawn = lies_of("Cropland covers 67.9 % of the tile.", TILE, FACTS, np.random.default_rng(0))
    by_kind = {lie.kind for lie in drawn}
    assert by_kind == {"number", "bound", "unit", "part", "class", "negation"}
    assert by_kind <= KINDS.keys()
    for lie in drawn:
        assert lie.true == "Cropland covers 67.9 % of the tile."
        assert lie.text != lie.true
        assert " -> " in lie.altered
    assert "Cropland does not cover 67.9 % of the tile." in lies(
        "Cropland covers 67.9 % of the tile."
    )


@pytest.mark.parametrize(
    ("sentence", "kind", "one"),
    [
        ("Cropland is more extensive than water.", "relation", "Cropland is smaller than water."),
        ("Cropland exceeds water.", "class", "Water exceeds cropland."),
        ("Water borders cropland.", "class", None),
        ("Cropland is the largest class.", "relation", None),
        ("Forest lies in the north-east.", "side", "Forest lies in the south-west."),
        ("The terrain rises towards the north.", "side", "The terrain falls towards the north."),
        ("The highest point is at 327 m.", "statistic", "The lowest point is at 327 m."),
        ("It is a spring scene.", "season", "It is a winter scene."),
        ("The scene was taken on 3 May 2021.", "date", None),
        ("The scene was taken on 2021-05-03.", "date", "The scene was taken on 2021-05-04."),
        ("It lies at 51.10° N, 10.40° E.", "position", "It lies at 51.10° S, 10.40° E."),
        ("The median slope is 5.7 degrees.", "number", "The median slope is 2.9 degrees."),
        ("The terrain is hilly.", "word", None),
        ("The tile shows some open water.", "word", None),
        ("The soil is acid.", "soil", "The soil is alkaline."),
        ("The soil pH is 6.4.", "soil", "The soil pH is 64.0."),
        ("The tile lies near Somewhere.", "place", "The tile lies near Nowhereton."),
        ("OpenStreetMap marks water.", "place", "OpenStreetMap marks golf course."),
        ("There is no snow.", "negation", "There is snow."),
        ("No snow is present.", "negation", "Snow is present."),
    ],
)  # fmt: skip
def test_each_kind_is_planted(sentence: str, kind: str, one: str | None) -> None:
    found = lies(sentence, kind)
    assert found
    assert one is None or one in found
    for text in found:
        assert all(s.status != "supported" for s in verify(text, TILE).sentences)


@pytest.mark.parametrize(
    "sentence",
    [
        "Forest covers 67.9 % of the tile.",  # false already
        "Cropland lies in the west.",  # not decided
        "Cropland is beautiful.",  # not understood
    ],
)
def test_nothing_is_made_of_what_is_not_true(sentence: str) -> None:
    assert lies(sentence) == []
    assert plant(sentence, TILE, np.random.default_rng(0)) is None


def test_what_happens_to_be_true_is_no_lie() -> None:
    # Nothing is built either: "no built-up land" is no lie, and "no cropland" is one.
    said = lies("There is no snow.", "class")
    assert "There is no cropland." in said
    assert not [text for text in said if "built" in text or "urban" in text or "wetland" in text]
    halves = np.full((128, 128), 40)
    halves[:, :64] = 10
    made = tile({"worldcover": halves})
    found = lies_of(
        "Forest covers 50 % of the tile.", made, measure(made), np.random.default_rng(0)
    )
    said = {lie.text for lie in found}
    assert not said & {"Cropland covers 50 % of the tile.", "Farmland covers 50 % of the tile."}
    assert "Forest covers 50 % of the northern half." not in said
    assert "Forest covers 50 % of the western half." in said
    said = lies("Cropland is more than twice as large as forest.", "relation")
    assert "Cropland is more than three times as large as forest." in said
    said = lies("Forest is more than twice as large as water.", "relation")
    assert "Forest is more than three times as large as water." not in said, "it is six times"


def test_planting_is_by_kind_and_repeatable() -> None:
    one = plant("Cropland covers 67.9 % of the tile.", TILE, np.random.default_rng(3), FACTS)
    assert one == plant("Cropland covers 67.9 % of the tile.", TILE, np.random.default_rng(3))
    kinds = {plant(TRUE[0], TILE, np.random.default_rng(seed), FACTS).kind for seed in range(40)}
    assert len(kinds) == 6


def test_a_buried_lie_stands_behind_a_true_sentence() -> None:
    lie = Lie("NDVI has a median of 0.10.", "number", "0.62 -> 0.10", "NDVI has a median of 0.62.")
    buried = bury("There is no snow.", lie, np.random.default_rng(0))
    assert buried.kind == "buried"
    assert buried.text.startswith("There is no snow")
    assert buried.text.endswith("NDVI has a median of 0.10.")
    assert [s.status for s in verify(buried.text, TILE).sentences] == ["contradicted"]


def test_a_careless_writer_is_corrected() -> None:
    said = Careless(TILE, rate=1.0, seed=1)(FACTS, 4)
    checked = [verify(text, TILE) for text in said]
    assert sum(s.status != "supported" for v in checked for s in v.sentences) > 10
    captioned = caption_tile(TILE, Careless(TILE, rate=0.5, seed=1))
    assert captioned.writer == "careless"
    assert all(holds(v.claim, FACTS, TILE) for s in captioned.sentences for v in s.verdicts)
    assert Careless(TILE, rate=0.0)(FACTS, 2) == Careless(TILE, rate=0.0, seed=5)(FACTS, 2)


def test_no_unsupported_sentence_is_kept() -> None:
    """Written by hand: false, or more than was measured, in words close to true ones."""
    listed = Path(__file__).with_name("unsupported_sentences.txt").read_text("utf-8").splitlines()
    assert len(listed) > 1100
    kept = [
        text
        for text in listed
        if all(s.status == "supported" for s in verify(text, TILE).sentences)
    ]
    assert kept == []


def test_lies_are_found_and_truths_kept_on_tiles_with_gaps() -> None:
    made = [random_tile(number) for number in (100, 103)]
    report = lie_report(made, lambda facts, words: all_sentences(facts, words)[::3], most=12)
    assert report["all"]["planted"] > 50
    assert report["missed"] == []
    assert report["true"]["examples"] == []
    assert report["goals_met"]


def test_lies_that_a_blind_check_would_keep_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is no foregone conclusion: with a check that believes all, it says so."""
    from fusion.captions import verifier

    kinds = dict.fromkeys(verifier._CHECKS, lambda claim, evidence: ("supported", "believed"))
    monkeypatch.setattr(verifier, "_CHECKS", kinds)
    report = lie_report([TILE], most=10)
    assert report["all"]["rate"] < 0.7
    assert not report["goals_met"]
    assert report["missed"][0].keys() == {"tile", "kind", "lie", "altered", "true"}


def test_planted_lies_hold_one_of_each_kind_of_a_sentence() -> None:
    found = planted(all_sentences(FACTS)[:6], TILE, FACTS, np.random.default_rng(0))
    plain = [(lie.true, lie.kind) for lie in found if lie.kind != "buried"]
    assert len(plain) == len(set(plain)) > 10
