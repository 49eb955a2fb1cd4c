"""Free prose: many words for one claim, and words near to them that make another, or none."""

import numpy as np
import pytest
from drawn_tiles import tile
from good_tile import good_tile

from fusion.captions.claims import Claim
from fusion.captions.grammar import claims_of
from fusion.captions.judge import holds
from fusion.captions.measure import measure
from fusion.captions.verifier import verify
from fusion.captions.vocabulary import vocabulary

TILE = good_tile(0)


def told(text: str) -> list[str]:
    """Claims of a sentence in short: kind, subject, object, statistic, number."""
    return [_short(claim) for claim in claims_of(text, ["Somewhere"])[0]]


def _short(claim: Claim) -> str:
    parts = ["not"] * claim.negated + [claim.kind, "+".join(claim.subject)]
    parts += [part for part in (claim.object, claim.statistic) if part]
    if claim.number:
        parts += ["about"] * claim.number.about + [claim.number.bound] * bool(claim.number.bound)
        parts.append(f"{claim.number.low:g}{claim.number.unit}")
    return " ".join(parts)


SHARE = "cover share tree 28%"
FIRST = "cover rank tree 1"
MORE = "cover relation crop+tree larger"
GONE = "not cover presence snow"
MEET = "border crop+tree borders"
RISES = "gradient rises north"
HEIGHT = "canopy canopy_height maximum"


@pytest.mark.parametrize(
    ("claim", "texts"),
    [
        (
            SHARE,
            [
                "Forest fills 28 % of the view.",
                "Forest has a share of 28 %.",
                "The proportion of forest is 28 %.",
                "The area under forest is 28 %.",
                "Forest coverage is 28 %.",
                "Of this region, 28 percent is wooded.",
                "28 % of the whole image is classified as forest.",
                "28 % of the pixels belong to forest.",
                "Forest comprises 28 % of the scene.",
                "Overall, forest blankets 28 % of the landscape.",
                "The image shows that forest is present on 28 % of the visible area.",
            ],
        ),
        (
            FIRST,
            [
                "Forest is the most prevalent class.",
                "The predominant land cover type is forest.",
                "Forest makes up the largest part of the tile.",
                "Forest is more common than any other class.",
                "No other land cover covers more of the tile than forest.",
                "The highest share belongs to forest.",
            ],
        ),
        (
            MORE,
            [
                "Cropland is more abundant than forest.",
                "The area of cropland is larger than that of forest.",
                "The proportion of cropland exceeds the proportion of forest.",
                "Cropland makes up a larger part of the tile than forest.",
                "Cropland takes up more space than forest.",
                "More of the tile is cropland than forest.",
                "Cropland ranks ahead of forest.",
            ],
        ),
        (
            GONE,
            [
                "There is not any snow.",
                "The image does not show any snow.",
                "There is no evidence of snow.",
                "Snow is entirely absent from the scene.",
                "Snow is nowhere to be seen.",
                "No snow was detected.",
                "No pixel is snow.",
            ],
        ),
        (
            MEET,
            [
                "Cropland lies directly beside forest.",
                "Cropland and forest are adjacent to each other.",
                "Cropland shares a boundary with forest.",
                "Cropland and forest touch.",
                "A border runs between cropland and forest.",
            ],
        ),
        (
            RISES,
            [
                "Elevation increases to the north.",
                "The terrain ascends towards the north.",
                "The land rises northwards.",
                "The ground rises from south to north.",
                "Towards the north, the terrain rises.",
                "The tile is highest in the north.",
                "The terrain is higher in the north than in the south.",
                "The north is higher than the south.",
            ],
        ),
        (
            f"{HEIGHT} 27m",
            [
                "The forest reaches 27 m.",
                "The canopy tops out at 27 m.",
                "The trees have a maximum height of 27 m.",
            ],
        ),
    ],
)
def test_many_words_make_one_claim(claim: str, texts: list[str]) -> None:
    assert {text: told(text) for text in texts} == {text: [claim] for text in texts}


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        # what a tile consists of fills it
        ("The tile consists of forest.", ["cover share tree about at least 90%"]),
        (
            "The scene is made up of forest and water.",
            [
                "cover presence tree",
                "cover presence water",
                "cover total tree+water about at least 90%",
            ],
        ),
        # an extent holds for all that are named with it
        (
            "Small areas of water and forest can be seen.",
            ["cover extent water a little", "cover extent tree a little"],
        ),
        # what "which" and an omitted subject stand for
        (
            "Forest borders cropland, which covers 68 %.",
            ["border tree+crop borders", "cover share crop 68%"],
        ),
        (
            "Forest, which covers 28 % of the tile, lies in the north-east.",
            [SHARE, "side tree north-east"],
        ),
        ("Forest covers 28 %, making it the largest class.", [SHARE, FIRST]),
        ("At 28 %, forest is the largest class.", [FIRST, SHARE]),
        # much more than another
        ("Cropland is far more common than forest.", ["cover relation crop+tree far larger"]),
        ("There is much less water than forest.", ["cover relation water+tree far smaller"]),
        ("Forest is not as extensive as cropland.", ["cover relation tree+crop smaller"]),
        ("Forest surrounds the water.", ["border water+tree surrounded"]),
        ("No forest borders the water.", ["not border tree+water borders"]),
        ("The smallest class is water.", ["cover rank water last"]),
        ("Cropland is by far the largest class.", ["cover rank crop by far"]),
        # regions
        (
            "The southern and western parts are dominated by cropland.",
            ["region crop south largest", "region crop west largest"],
        ),
        ("In the south, the dominant class is cropland.", ["region crop south largest"]),
        ("The western part contains water.", ["region water west present"]),
        ("North-east of the water there is forest.", ["side tree+water north-east"]),
        ("More than half of the forest lies in the west.", ["side tree west"]),
        ("Most of the south is cropland.", ["region crop south most"]),
        ("Cropland covers most of the south.", ["region crop south most"]),
        # the highest of many, and how far they differ
        ("Trees are up to 27 m tall.", [f"{HEIGHT} about 27m"]),
        ("Elevation varies by 127 m.", ["elevation relief value 127m"]),
        ("The terrain reaches 327 m.", ["elevation elevation maximum 327m"]),
        ("The land rises to 327 m.", ["elevation elevation maximum 327m"]),
        ("On average, the terrain lies at 261 m.", ["elevation elevation mean 261m"]),
        ("The trees are typically 20 m tall.", ["canopy canopy_height median 20m"]),
        # soil and climate
        ("31 % of the soil is sand.", ["soil sand value 31%"]),
        (
            "The soil is slightly acid (pH 6.4).",
            ["soil word slightly acid", "soil ph_h2o value 6.4"],
        ),
        ("The temperature averages 9.1 °C.", ["climate temperature value 9.1degC"]),
        ("Each year, 640 mm of rain fall.", ["climate precipitation value 640mm"]),
        ("The tile lacks snow and wetlands.", [GONE, "not cover presence wetland"]),
        # only, and what remains
        ("Only 4 % of the tile is water.", ["cover share water only 4%"]),
        ("Forest covers exactly a quarter.", ["cover share tree exactly 25%"]),
        (
            "The tile contains only forest and water.",
            ["cover presence tree", "cover presence water", "cover total tree+water all"],
        ),
        ("The only land cover is forest.", ["cover presence tree", "cover total tree all"]),
        (
            "Forest and water are the only classes.",
            ["cover presence tree", "cover presence water", "cover total tree+water all"],
        ),
        ("Forest only covers 28 %.", ["cover share tree only 28%"]),
        (
            "Cropland covers 68 %, and the rest is forest.",
            ["cover share crop 68%", "cover presence tree", "cover total crop+tree all"],
        ),
        (
            "Cropland covers 68 %, forest 28 %, and the remaining 4 % is water.",
            [
                "cover share crop 68%",
                SHARE,
                "cover share water 4%",
                "cover total crop+tree+water all",
            ],
        ),
        # shares of a part, edges and corners
        ("In the southern half, 28 % of the area is forest.", ["region tree south share 28%"]),
        ("Forest covers 28 % of the upper left quadrant.", ["region tree north-west share 28%"]),
        (
            "The northern half is dominated by forest, with 50 % of its area.",
            ["region tree north largest", "region tree north share 50%"],
        ),
        (
            "The forest in the east covers 28 % of the tile.",
            [SHARE, "region tree east of tile 28%"],
        ),
        ("Forest, in the east, covers 28 % of the tile.", [SHARE, "side tree east"]),
        ("Forest is confined to the left half.", ["side tree west all"]),
        ("Forest lies in the top right corner.", ["side tree north-east corner"]),
        ("There is forest in the bottom left corner.", ["region tree south-west corner present"]),
        ("Forest stretches along the eastern edge.", ["side tree east edge along"]),
        ("There is no forest in the south.", ["not region tree south present"]),
        ("None of the forest lies in the south.", ["not region tree south present"]),
        ("All of the forest lies in the north.", ["side tree north all"]),
        ("Most of the forest lies in the upper right corner.", ["side tree north-east corner"]),
        (
            "The upper right corner is covered by forest.",
            ["region tree north-east corner share about at least 90%"],
        ),
        # comparisons
        (
            "Cropland covers a larger area than forest (68 % vs. 28 %).",
            [MORE, "cover share crop 68%", SHARE],
        ),
        (
            "Cropland is more than twice as large as forest.",
            ["cover relation crop+tree ratio above 2"],
        ),
        ("Forest covers half as much as cropland.", ["cover relation tree+crop ratio 0.5"]),
        (
            "There is slightly more forest than water.",
            ["cover relation tree+water slightly larger"],
        ),
        (
            "Although cropland is the largest class, forest still covers 28 %.",
            ["cover rank crop 1", SHARE],
        ),
        ("Besides cropland, there is forest.", ["cover presence crop", "cover presence tree"]),
        ("The longest boundary runs between cropland and forest.", ["border crop+tree longest"]),
        # a bound without a statistic is of all that is measured
        ("The terrain lies above 190 m.", ["elevation elevation minimum above 190m"]),
        ("The entire tile lies below 330 m a.s.l.", ["elevation elevation maximum below 330m"]),
        ("Trees are taller than 10 m.", ["canopy canopy_height minimum above 10m"]),
        ("No tree is taller than 30 m.", [f"{HEIGHT} at most 30m"]),
        ("The canopy does not exceed 30 m.", [f"{HEIGHT} at most 30m"]),
        ("Half of the trees are taller than 20 m.", ["canopy canopy_height median 20m"]),
        ("Half of the slopes are below 6°.", ["slope slope median 6degree"]),
        (
            "From its lowest point at 200 m, the land rises to 327 m at its highest point.",
            ["elevation elevation minimum 200m", "elevation elevation maximum 327m"],
        ),
        # soil, climate, landforms, maps
        (
            "The soil is composed of 31 % sand, 40 % silt and 29 % clay.",
            ["soil sand value 31%", "soil silt value 40%", "soil clay value 29%"],
        ),
        (
            "Sand is the largest fraction of the soil (31 %).",
            ["soil word largest fraction sand", "soil sand value 31%"],
        ),
        (
            "The mean temperature is below freezing, at -4 °C.",
            [
                "climate temperature value about below 0degC",
                "climate temperature value -4degC",
            ],
        ),
        (
            "Landforms include slopes (86 %) and spurs.",
            ["landform share slope 86%", "landform presence spur"],
        ),
        (
            "The two maps disagree on 9 % of the tile.",
            ["agreement dynamic_world+worldcover differ 9%"],
        ),
    ],
)
def test_prose_is_read_exactly(text: str, claims: list[str]) -> None:
    assert told(text) == claims


@pytest.mark.parametrize(
    "text",
    [
        "Water covers not only 4 % of the tile.",
        "Only water covers 4 % of the tile.",
        "Cropland covers 68 % of the land surface.",
        "Cropland covers 68 % of the forested area.",
        "In the south there is 68 % cropland.",
        "In the southern third, 68 % of the area is cropland.",
        "In the southern half, 68 % of the tile is cropland.",
        "In the southern half, cropland dominates, and forest covers 28 %.",
        "In the south, cropland dominates, and the median slope is 6 degrees.",
        "The forest in the north covers 28 % of the area.",
        "The remaining 4 % is water.",
        "In the southern half, cropland covers 90 %, and the rest is water.",
        "Water is the only class in the west.",
        "Only cropland and forest border water.",
        "Forest still covers 28 % of the tile.",
        "From its lowest point at 200 m, the land rises 327 m at its highest point.",
        "Half of the tile lies above 200 m.",
        "Cropland is not slightly larger than forest.",
        "Cropland is exactly twice as large as forest.",
        "Forest is not exactly 28 % of the tile.",
        "Landforms include forest (28 %).",
        "The southern half contains half of the forest.",
        "A quarter of the slopes are steeper than 6°.",
        "Cropland and forest are the only class.",
        "The tile is forest.",
        "There is primary forest.",
        "Forest covers 28 % of the tile and contains water.",
        "Forest covers 28 % of the tile and is mostly cropland.",
        "The tile contains forest and water, which cover 4 % of the tile.",
        "Trees dominate the north-east, which covers 25 % of the tile.",
        "The terrain rises 127 m.",
        "The terrain falls from 200 m to 327 m.",
        "The area increases towards the north.",
        "Forest increases towards the north.",
        "Sand makes up 31 % of the tile.",
        "There is 31 % sand in the tile.",
        "Forest is present (NDVI 0.62).",
        "640 mm of rain falls in spring.",
        "In May 2021, the mean temperature was 9 °C.",
        "The tile does not contain snow and water.",
        "About 640 mm of rain does not fall each year.",
    ],
)
def test_a_word_that_changes_the_meaning_is_not_passed_over(text: str) -> None:
    assert told(text) == []


def test_a_phrase_with_slots_is_all_that_their_words_make() -> None:
    larger = vocabulary()["words"]["larger"]
    assert {"is larger than", "are more common than that of", "exceeds the share of"} <= set(larger)
    assert not [name for name in larger if "{" in name or "  " in name]
    assert "slots" not in vocabulary()


@pytest.mark.parametrize(
    "text", ["It dates from the 3rd of May 2021.", "It dates from May 3rd, 2021."]
)
def test_a_day_may_be_an_ordinal(text: str) -> None:
    assert [claim.value for claim in claims_of(text)[0]] == [(2021, 5, 3)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("It was taken in early May 2021.", (2021, 5, "early")),
        ("It was taken in late May.", (None, 5, "late")),
    ],
)
def test_a_month_has_parts(text: str, value: tuple[object, ...]) -> None:
    (claim,) = claims_of(text)[0]
    assert claim.value == value
    facts = measure(TILE)
    assert holds(claim, facts, TILE) is (value[2] == "early")
    assert (verify(text, TILE).sentences[0].status == "supported") is (value[2] == "early")


def test_a_short_form_ends_no_sentence() -> None:
    text = "There is more cropland than forest (68 % vs. 28 %). Water covers approx. 4 %."
    assert [read.status for read in verify(text, TILE).sentences] == ["supported", "supported"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Most of the south is cropland.", "supported"),
        ("Most of the north-east is forest.", "supported"),
        ("Most of the south is forest.", "contradicted"),
        ("Most of the north is forest.", "unsupported"),  # 49.6 %
    ],
)
def test_most_of_a_side_is_half_of_it(text: str, status: str) -> None:
    (read,) = verify(text, TILE).sentences
    assert read.status == status


# The tile has 67.9 % cropland, 27.8 % trees and 4.3 % water.
@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Cropland is far more extensive than forest.", "supported"),
        ("Forest is far more extensive than cropland.", "contradicted"),
        ("There is much less water than forest.", "supported"),
        ("The smallest class is water.", "supported"),
        ("Cropland is by far the largest class.", "supported"),
        ("Forest is by far the largest class.", "contradicted"),
        ("Water is not the smallest class.", "contradicted"),
        ("The least common class is forest.", "contradicted"),
        ("Snow is the smallest class.", "contradicted"),
        ("The tile consists of cropland, forest and water.", "supported"),
        ("The tile consists of forest and water.", "contradicted"),
        ("Forest covers only 27.8 % of the tile.", "supported"),
        ("Forest covers exactly 27.8 % of the tile.", "supported"),
        ("Forest covers exactly 28.5 % of the tile.", "contradicted"),
        ("The tile contains only cropland, forest and water.", "supported"),
        ("The tile contains only cropland and forest.", "contradicted"),
        ("Cropland covers 68 %, forest 28 %, and the rest is water.", "supported"),
        ("Cropland covers 68 %, and the rest is forest.", "contradicted"),
        ("Cropland is more than twice as large as forest.", "supported"),
        ("Cropland is more than three times as large as forest.", "contradicted"),
        ("Cropland is less than three times as large as forest.", "supported"),
        ("Forest is slightly smaller than cropland.", "contradicted"),
        ("The longest boundary runs between cropland and forest.", "supported"),
    ],
)
def test_much_more_the_least_and_the_whole_are_checked(text: str, status: str) -> None:
    (read,) = verify(text, TILE).sentences
    assert read.status == status
    facts = measure(TILE)
    assert all(holds(v.claim, facts, TILE) for v in read.verdicts) is (status == "supported")


def test_where_there_is_one_class_it_is_the_largest_by_far() -> None:
    made = tile({"worldcover": np.full((128, 128), 10)})
    (read,) = verify("Forest is by far the largest class.", made).sentences
    assert read.status == "supported"
    assert holds(read.verdicts[0].claim, measure(made), made)
