"""Forms that chat models favour: understood, and not kept where a number or a side is off."""

import re

import numpy as np
import pytest
from drawn_tiles import tile

from fusion.captions.chat import FORMS
from fusion.captions.evidence import Evidence
from fusion.captions.grammar import claims_of
from fusion.captions.verifier import verify

ROW, COLUMN = np.mgrid[0:128, 0:128]
COVER = np.where(COLUMN < 64, 10, np.where(ROW < 64, 40, 30))  # trees west, crops and grass east
TILE = tile(
    {"worldcover": COVER},
    sentinel2={"B4": 0.1, "B8": 0.3, "B11": 0.2},
    elevation=100.0 + 0.5 * (127 - ROW),
    slope=np.full((128, 128), 2.86),
    canopy=np.where(COLUMN < 64, 20.0, 0.0),
)
EVIDENCE = Evidence(TILE)


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("Trees cover 50 % of the tile, mainly in the west.", ("50", "30")),
        ("Trees cover 50 % of the tile, mainly in the west.", ("west", "north")),
        ("Cropland covers about a quarter of the tile, at 25.0%.", ("25.0", "35.0")),
        ("Cropland covers about a quarter of the tile, at 25.0%.", ("quarter", "half")),
        ("Trees cover half of the tile (50%).", ("(50", "(40")),
        ("Cropland, with 25%, lies in the north-east.", ("25", "35")),
        ("Cropland, with 25%, lies in the north-east.", ("north", "south")),
        ("Cropland (25%) and grassland (25%) are concentrated in the east.", ("east", "west")),
        ("Cropland (25%) and grassland (25%) are concentrated in the east.", ("nd (25", "nd (35")),
        ("Tree cover prevails in the north-west and in the south-west.", ("south-west", "east")),
        ("Tree cover borders both cropland and grassland.", ("grassland", "water")),
        ("Tree cover is the largest class at 50%, followed by crops at 25%.", ("25", "35")),
        ("The terrain is gentle, with elevations ranging from 100 to 164 m.", ("164", "184")),
        ("The terrain is gentle, with elevations ranging from 100 to 164 m.", ("gentle", "steep")),
        ("The highest point is at 164 m and the lowest at 100 m.", ("100", "120")),
        ("The highest point is at 164 m and the lowest at 100 m.", ("164", "100")),
        (
            "The canopy has a median height of 20 m and a maximum of 20 m.",
            ("m of 20", "m of 9"),
        ),
        ("The canopy reaches a maximum height of 20 m.", ("20", "30")),
        ("The median NDVI of 0.5 indicates moderate vegetation.", ("moderate", "hardly any")),
        ("The median NDVI is 0.50, so the vegetation is moderate.", ("0.50", "0.70")),
        ("The moisture index NDMI has a median of 0.20.", ("0.20", "-0.20")),
    ],
)
def test_a_form_is_understood_and_its_lie_is_not_kept(true: str, false: tuple[str, str]) -> None:
    (read,) = verify(true, TILE, EVIDENCE).sentences
    assert (read.status, read.unknown) == ("supported", ()), read.verdicts
    assert false[0] in true
    (lie,) = verify(true.replace(*false), TILE, EVIDENCE).sentences
    assert lie.status != "supported"
    assert lie.unknown == ()


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_that_models_are_shown_are_understood(form: str) -> None:
    text = re.sub(r"\bB\b", "cropland", re.sub(r"\bA\b", "forest", form))
    claims, unknown = claims_of(text, tags=["natural=wood", "natural=water"])
    assert claims
    assert unknown == []


def test_each_number_of_a_form_is_a_claim() -> None:
    (read,) = verify("Cropland covers about a quarter of the tile, at 25.0%.", TILE).sentences
    assert [v.claim.number.low for v in read.verdicts] == [25.0, 25.0]
    (read,) = verify("Tree cover leads, followed by crops at 25%.", TILE).sentences
    assert read.status == "unsupported"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("The clay content rises towards the north.", "The terrain rises towards the north."),
        ("The slope is highest in the north.", "Elevation is highest in the north."),
        (
            "The median slope is 2.9 degrees and rises towards the north.",
            "Elevation ranges from 100 to 164 m and rises towards the north.",
        ),
        ("NDVI is highest in the north.", "Elevation is highest in the north."),
        (
            "The median NDVI is 0.50 and rises towards the north.",
            "The terrain is gentle and rises towards the north.",
        ),
        ("Cropland covers 25 % and is gentle.", "Cropland covers 25 % and the terrain is gentle."),
        (
            "Cropland covers 25 % and has a median NDVI of 0.50.",
            "Cropland covers 25 % and the median NDVI is 0.50.",
        ),
        (
            "Cropland covers 25 %, with a median NDVI of 0.50.",
            "Cropland covers 25 %, with elevations between 100 and 164 m.",
        ),
        (
            "Trees cover 50 % and are moderately vegetated.",
            "Trees cover 50 % and the vegetation is moderate.",
        ),
        ("There are extensive hillslopes.", "Hillslopes are present."),
        ("Large areas of hillslopes are visible.", "Hillslopes are visible."),
    ],
)
def test_what_was_measured_on_the_tile_is_not_said_of_something_else(text: str, kept: str) -> None:
    """Though the tile's own number is right; each beside a sentence that says it of the tile."""
    (read,) = verify(text, TILE, EVIDENCE).sentences
    assert (read.status, read.verdicts) == ("unsupported", ())
    assert verify(kept, TILE, EVIDENCE).sentences[0].status == "supported"


def test_a_range_has_no_mean() -> None:
    assert verify("The relief is 64 m.", TILE, EVIDENCE).sentences[0].status == "supported"
    for text in ("The mean relief is 64 m.", "The minimum height difference is 64 m."):
        assert verify(text, TILE, EVIDENCE).sentences[0].status == "unsupported"
