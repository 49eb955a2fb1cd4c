"""From a tile to its caption: written, checked, ranked, chosen or refused."""

from dataclasses import dataclass, field

import pytest
from drawn_tiles import random_tile, tile
from good_tile import good_tile

from fusion.captions.caption import Captioned, caption_tile, caption_tiles
from fusion.captions.measure import Facts
from fusion.captions.ranking import KEPT_BEFORE, rank, worth
from fusion.captions.verifier import LEAST_CLAIMS, verify

SHARES = "Cropland covers 68 % of the tile. Forest covers 27.8 % of the tile."
WATER = "Open water covers 4.3 % of the tile."
RISE = "The terrain rises towards the north."
LIE = "Forest covers 68 % of the tile."


@dataclass
class Parrot:
    """A writer that says what it was given, and keeps what it was asked."""

    captions: list[str]
    name: str = "parrot"
    asked: list[tuple[Facts, int]] = field(default_factory=list)

    def __call__(self, facts: Facts, count: int) -> list[str]:
        self.asked.append((facts, count))
        return self.captions


def checked(*captions: str) -> list:
    return [verify(caption, good_tile(0)) for caption in captions]


def test_a_caption_is_made_of_supported_sentences_with_their_evidence() -> None:
    captioned = caption_tile(good_tile(0))
    assert captioned.text == " ".join(s.text for s in captioned.sentences)
    assert {v.status for s in captioned.sentences for v in s.verdicts} == {"supported"}
    assert all(v.evidence for s in captioned.sentences for v in s.verdicts)
    assert (captioned.refused, captioned.removed) == (None, ())
    assert (captioned.tile_id, captioned.candidates, captioned.writer) == ("good-0", 4, "offline")
    assert captioned == caption_tile(good_tile(0))


def test_a_lying_sentence_is_removed_with_the_reason() -> None:
    captioned = caption_tile(good_tile(0), Parrot([f"{LIE} {SHARES} It is beautiful."]))
    assert captioned.text == SHARES
    assert [s.text for s in captioned.removed] == [LIE, "It is beautiful."]
    assert captioned.removed[0].verdicts[0].evidence == "WorldCover: tree 27.8 %"
    assert captioned.removed[1].unknown == ("beautiful",)


@pytest.mark.parametrize(
    ("captions", "refused", "removed"),
    [
        ([], "the writer wrote nothing", []),
        (["", ""], "0 supported claims are left of 0 sentences", []),
        ([LIE, f"{LIE} {WATER}"], "1 supported claims are left of 2 sentences", [LIE, WATER]),
    ],
)
def test_a_tile_of_which_too_little_is_supported_has_no_caption(
    captions: list[str], refused: str, removed: list[str]
) -> None:
    captioned = caption_tile(good_tile(0), Parrot(captions))
    assert captioned == Captioned(
        "good-0", None, refused, (), captioned.removed, len(captions), "parrot"
    )
    assert [s.text for s in captioned.removed] == removed


def test_the_writer_is_asked_for_candidates_with_the_measured_facts() -> None:
    parrot = Parrot([LIE, f"{SHARES} {RISE}", SHARES])
    captioned = caption_tile(good_tile(0), parrot, candidates=7)
    assert (parrot.asked[0][0].tile, parrot.asked[0][1]) == ("good-0", 7)
    assert captioned.text == f"{SHARES} {RISE}"
    assert captioned.candidates == 3


def test_an_empty_tile_is_captioned_by_time_and_place_or_not_at_all() -> None:
    captioned = caption_tile(tile({}))
    kinds = {v.claim.kind for s in captioned.sentences for v in s.verdicts}
    assert kinds <= {"date", "season", "position"}
    assert (captioned.text is None) == (captioned.refused is not None)


def test_offline_captions_of_any_tile_lose_nothing() -> None:
    for number in range(20, 26):
        captioned = caption_tile(random_tile(number))
        assert captioned.text
        assert captioned.removed == ()
        assert sum(len(s.verdicts) for s in captioned.sentences) >= LEAST_CLAIMS


def test_more_kinds_of_claims_rank_before_more_claims() -> None:
    many = f"{SHARES} {WATER}"
    two = f"Cropland covers 68 % of the tile. {RISE}"
    assert rank(checked(many, two)) == [1, 0]
    assert rank(checked(SHARES, many)) == [1, 0]
    assert worth(checked(many)[0]) == 1.75
    assert worth(checked(two)[0]) == 2.0


def test_what_is_said_twice_counts_once() -> None:
    (once, twice) = checked(SHARES, f"{SHARES} Woodland occupies 28 % of the scene.")
    assert len(twice.kept) == len(once.kept) + 1
    assert worth(twice) == worth(once)
    assert rank([twice, once]) == [0, 1]


def test_refused_captions_have_no_rank_and_removed_sentences_break_ties() -> None:
    assert rank(checked(LIE, f"{LIE} {SHARES}", "", SHARES)) == [3, 1]


def test_what_reads_like_earlier_captions_is_worth_less() -> None:
    told, other = (
        f"Cropland covers 68 % of the tile. {RISE}",
        "Farmland accounts for 68 % of the scene. The topography climbs towards the north.",
    )
    # Other numbers do not make other words.
    before = ["Cropland covers 12 % of the tile. The terrain rises towards the north."]
    assert rank(checked(told, other)) == [0, 1]
    assert rank(checked(told, other), before) == [1, 0]
    assert worth(checked(told)[0]) == 2.0
    # Only as far back as `KEPT_BEFORE`.
    assert rank(checked(told, other), before + ["Something else."] * KEPT_BEFORE) == [0, 1]


def test_captions_of_a_set_are_told_apart() -> None:
    told = f"Cropland covers 68 % of the tile. {RISE}"
    other = "Farmland accounts for 68 % of the scene. The topography climbs towards the north."
    chosen = [c.text for c in caption_tiles([good_tile(0)] * 3, Parrot([told, other]))]
    assert chosen == [told, other, told]
