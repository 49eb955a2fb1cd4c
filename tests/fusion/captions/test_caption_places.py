"""Edges, corners, halves and quarters: what is said of them is checked on their own pixels."""

import numpy as np
import pytest
from drawn_tiles import ABSENT, tile

from fusion.captions.evidence import Evidence
from fusion.captions.judge import holds
from fusion.captions.lexer import tokens
from fusion.captions.measure import measure
from fusion.captions.verifier import verify

ROW, COLUMN = np.mgrid[0:128, 0:128]
TREES, TOWN, CROPS = (COLUMN < 20), (ROW < 36) & (COLUMN >= 92), (ROW >= 112) & (COLUMN > 90)
COVER = np.where(TREES, 10, np.where(TOWN, 50, np.where(CROPS, 40, 30)))  # grass elsewhere
TILE = tile({"worldcover": COVER})
EVIDENCE, FACTS = Evidence(TILE), measure(TILE)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Trees stretch along the western edge of the tile.", "supported"),
        ("Trees run along the western edge of the tile.", "supported"),
        ("Trees lie along the western edge of the tile.", "supported"),
        ("Trees lie along the left edge of the image.", "supported"),
        ("Trees lie along the eastern edge of the tile.", "contradicted"),
        ("Trees lie at the northern edge of the tile.", "contradicted"),
        ("Crops lie near the southern edge of the tile.", "supported"),
        ("Crops lie along the southern edge of the tile.", "unsupported"),
        ("Built-up land lies in the upper right corner of the image.", "supported"),
        ("Built-up land lies in the north-eastern corner.", "supported"),
        ("Built-up land lies in the lower right corner.", "contradicted"),
        ("There is cropland in the south-eastern corner.", "supported"),
        ("There is cropland in the south-western corner.", "contradicted"),
        ("There is no cropland in the south-western corner.", "supported"),
        ("There is no cropland in the south-eastern corner.", "contradicted"),
        ("The lower left corner contains trees.", "supported"),
        ("The lower left corner contains cropland.", "contradicted"),
        ("The bottom left corner is dominated by trees.", "contradicted"),
        ("The top right corner is dominated by built-up land.", "supported"),
        ("The top right corner is dominated by grassland.", "contradicted"),
        ("Trees fill the western edge.", "contradicted"),  # 77 %
        ("Built-up land is found only in the upper half.", "supported"),
        ("Built-up land is confined to the northern half.", "supported"),
        ("Built-up land is confined to the southern half.", "contradicted"),
        ("Grassland is confined to the eastern half.", "contradicted"),
        ("In the western half, 31 % of the area is trees.", "supported"),
        ("In the eastern half, 31 % of the area is trees.", "contradicted"),
        ("In the western half, 16 % of the area is trees.", "contradicted"),
        ("Built-up land covers 32 % of the north-eastern quarter.", "supported"),
        ("Built-up land covers 32 % of the upper right quadrant.", "supported"),
        ("Built-up land covers 16 % of the north-eastern quarter.", "contradicted"),
        ("The built-up land in the north-east covers 7.9 % of the tile.", "supported"),
        ("The built-up land in the south-east covers 7.9 % of the tile.", "contradicted"),
        ("The trees in the north-west cover 16 % of the tile.", "contradicted"),
        ("There are no trees in the east.", "supported"),
        ("There is no grassland in the east.", "contradicted"),
        ("Grassland covers the centre.", "supported"),
        ("Grassland covers the western half.", "contradicted"),
    ],
)
def test_a_place_is_judged_by_its_own_pixels(text: str, status: str) -> None:
    (read,) = verify(text, TILE, EVIDENCE).sentences
    assert (read.status, read.unknown) == (status, ())
    judged = {holds(verdict.claim, FACTS, TILE) for verdict in read.verdicts}
    assert (False in judged) is (status == "contradicted")


def test_a_side_with_a_part_of_it_is_one_token() -> None:
    told = {
        "northern half": ("D", "north", True),
        "north-eastern quarter": ("D", "north-east", True),
        "north": ("D", "north", False),
        "upper left part": ("D", "north-west", False),
        "left-hand side": ("D", "west", False),
        "bottom right corner": ("6", "south-east corner", False),
        "left edge": ("6", "west edge", False),
    }
    for text, wanted in told.items():
        (token,) = tokens(text)
        assert (token.tag, token.value, token.narrower) == wanted
    for text in ("northern third", "eastern quarter", "north-eastern half", "northern corner"):
        assert "?" in {token.tag for token in tokens(text)}


def test_of_a_part_that_is_hardly_mapped_no_share_is_told() -> None:
    hidden = np.where((ROW < 64) & (COLUMN < 64) & (ROW % 4 == 0), ABSENT, COVER)
    made = tile({"worldcover": hidden})
    (read,) = verify("In the north-western quarter, 31 % of the area is trees.", made).sentences
    assert read.status == "unsupported"
