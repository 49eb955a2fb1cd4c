"""What is counted of captions."""

import json

import pytest
from good_tile import good_tile

from fusion.captions.caption import Captioned, caption_tile
from fusion.captions.grammar import claims_of
from fusion.captions.measure import measure
from fusion.captions.report import (
    _tells,
    caption_report,
    diversity,
    facts_by_kind,
    lie_report,
    tables,
    wilson,
)


class Says:
    name = "says"

    def __init__(self, *captions: str) -> None:
        self.captions = captions

    def __call__(self, facts: object, count: int) -> list[str]:
        return list(self.captions)


def test_claims_are_counted_by_kind() -> None:
    tiles = [good_tile(0), good_tile(1)]
    said = "Cropland covers 67.9 % of the tile. Forest covers 50 % of the tile. It is cosy. "
    said += "Water borders cropland. Forest lies in the north-east."
    captions = [caption_tile(tiles[0], Says(said)), caption_tile(tiles[1], Says("It is cosy."))]
    report = caption_report(tiles, captions, rounds=0)
    share = report["claims"]["cover share"]
    assert (share["claims"], share["right"], share["precision"]) == (1, 1, 1.0)
    assert share["precision_before"] == 0.5
    assert (share["facts"], share["told"]) == (6, 1)
    assert share["recall"] == pytest.approx(1 / 6)
    assert report["claims"]["border"]["recall"] == 0.25
    assert report["claims"]["side"]["told"] == 1
    assert report["claims"]["elevation"]["precision"] is None
    assert report["captions"]["refusal_rate"] == 0.5
    assert report["captions"]["reasons"] == {"# supported claims are left of # sentences": 1}
    assert report["sentences"] == {
        "kept, true": 3, "removed, false": 1, "removed, not understood": 2,
    }  # fmt: skip
    assert "lies" not in report
    json.dumps(report, allow_nan=False)


def test_a_wrong_claim_that_was_kept_lowers_precision() -> None:
    tile = good_tile(0)
    right = caption_tile(tile, Says("Cropland covers 67.9 % of the tile. Water borders cropland."))
    wrong = caption_tile(tile, Says("Forest covers 50 % of the tile."))
    kept = Captioned(tile.id, "x", None, right.sentences + wrong.removed, (), 1, "broken")
    report = caption_report([tile], [kept], rounds=0)
    assert report["claims"]["cover share"]["precision"] == 0.5
    assert report["sentences"] == {"kept, true": 2, "kept, false": 1}


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("Cropland covers 68 % of the tile.", {("cover share", "crop")}),
        ("Cropland does not cover 20 % of the tile.", set()),
        ("There is no snow.", {("cover presence", "snow")}),
        ("There is snow.", set()),
        ("Cropland is the largest class.", {("cover rank", "crop")}),
        ("Cropland is the second largest class.", set()),
        ("Water borders cropland.", {("border", frozenset({"crop", "water"}))}),
        ("The south is mostly cropland.", {("region", "south")}),
        ("Elevation ranges from 2 to 3 m.", {("elevation", "minimum"), ("elevation", "maximum")}),
        ("The relief is 127 m.", set()),
        ("The median canopy height is 20 m.", {("canopy", "median")}),
        ("The terrain rises towards the north.", {("gradient", "rises")}),
        ("The tile lies at 51.10° N, 10.40° E.", {("position", "lat"), ("position", "lon")}),
        ("The soil pH is 6.4.", {("soil", "ph_h2o")}),
        ("It is a spring scene.", {("season", "spring")}),
        ("WorldCover and Dynamic World agree on 98 % of the pixels.", {("agreement", "maps")}),
    ],
)
def test_what_a_claim_tells(sentence: str, told: set) -> None:
    claims, _ = claims_of(sentence)
    assert {(claim.kind, fact) for claim in claims for fact in _tells(claim)} == told


def test_facts_are_those_that_were_measured() -> None:
    known = facts_by_kind(measure(good_tile(0)))
    assert known["cover share"] == {"crop", "tree", "water"}
    assert known["cover rank"] == {"crop"}
    assert known["cover presence"] == {"built", "snow", "wetland"}
    assert known["soil"] == {"ph_h2o", "organic_carbon", "sand"}
    bare = facts_by_kind(measure(good_tile(0, without=("worldcover", "dynamic_world", "relief"))))
    assert not any(bare[kind] for kind in ("cover share", "border", "elevation", "slope"))


def test_wilson_interval() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) is None


def test_diversity() -> None:
    same = diversity(["Forest covers 40 %.", "Forest covers 12.5 %."], ["Forest covers 40 %."] * 2)
    # forest, covers, #: three words of six, numbers being one word.
    assert same["distinct_1"] == 0.5
    assert same["distinct_2"] == 0.5
    assert same["self_similarity"] == 1.0
    assert same["different"] == 2
    assert same["forms"] == 1
    said = ["Forest covers 40 %.", "Water covers 3 %.", "Forest is absent."]
    other = diversity(["Forest covers 40 %.", "Pixels agree."], said)
    assert other["self_similarity"] == 0.0
    assert other["forms"] == 2
    assert diversity([], [])["distinct_1"] is None


def test_true_sentences_that_are_lost_are_counted_and_false_ones_are_not() -> None:
    said = ["Forest covers 27.8 % of the tile.", "Forest is lovely.", "Forest covers 90 %."]
    report = lie_report([good_tile(0)], lambda facts, words: said)
    assert report["true"]["sentences"] == 2
    assert report["true"]["lost"] == 1
    assert report["true"]["examples"] == ["Forest is lovely."]
    assert not report["goals_met"]
    assert report["kinds"]["number"]["planted"] == 1


def test_a_report_is_read_as_tables() -> None:
    tile = good_tile(0)
    few = ["Forest covers 27.8 % of the tile.", "Water borders cropland."]
    lies = lie_report([tile], lambda facts, words: few)
    text = tables({**caption_report([tile], [caption_tile(tile)], rounds=0), "lies": lies})
    assert "1 tiles (synthetic), 0 captions refused (0.0 %)" in text
    assert "| kind of lie | planted | found | detection | with the reason |" in text
    assert "| class | 2 | 2 | 100.0 % [34.2, 100.0] | 2 |" in text
    assert "| kind of claim | kept | precision | before the check | facts told | recall |" in text
    assert "True sentences: 2, of these lost 0 (0.0 % [0.0, 65.8])" in text
