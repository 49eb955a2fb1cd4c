"""The orchestrator's facts against arrays made by hand."""

import datetime

import numpy as np
import pytest
from drawn_tiles import ABSENT, tile
from good_tile import good_tile

from fusion.captions.measure import Facts, measure
from fusion.captions.verifier import map_tags

TREE, GRASS, CROP, BUILT, WATER = 10, 30, 40, 50, 80
ROW, COLUMN = np.mgrid[0:128, 0:128]
DRY = {"B3": 0.08, "B8": 0.3}


def quarters(north_west: int, north_east: int, south_west: int, south_east: int) -> np.ndarray:
    cells = np.array([[north_west, north_east], [south_west, south_east]])
    return np.kron(cells, np.ones((64, 64), int))


def shares(facts: Facts) -> dict[str, float]:
    return {cover.id: cover.share for cover in facts.covers}


def test_shares_are_of_the_present_pixels_and_largest_first() -> None:
    cover = quarters(TREE, CROP, CROP, CROP)
    cover[:32] = ABSENT  # a quarter: half of the trees, and of the crops beside them
    facts = measure(tile({"worldcover": cover}))
    assert shares(facts) == pytest.approx({"crop": 83.333, "tree": 16.667}, abs=1e-3)
    assert [cover.id for cover in facts.covers] == ["crop", "tree"]
    assert facts.source == "worldcover"
    # Where a quarter is absent, it cannot be said where a class lies, or that one is absent.
    assert all(c.centre is None and c.sides == () for c in facts.covers)
    assert (facts.borders, facts.regions, facts.absent) == ((), (), ())


def test_the_map_that_covers_enough_is_asked() -> None:
    cover = np.full((128, 128), TREE)
    cover[:65] = ABSENT
    facts = measure(tile({"worldcover": cover, "dynamic_world": np.full((128, 128), 4)}))
    assert (facts.source, shares(facts)) == ("dynamic_world", {"crop": 100.0})
    assert measure(tile({"worldcover": cover})).source is None
    assert measure(tile({})).covers == ()


def test_a_class_below_the_share_that_is_there_is_neither_there_nor_absent() -> None:
    cover = np.full((128, 128), CROP)
    cover[0, :81] = BUILT  # 81 of 16,384 pixels: 0.494 %
    facts = measure(tile({"worldcover": cover}))
    assert shares(facts) == {"crop": pytest.approx(99.506, abs=1e-3)}
    assert "built" not in facts.absent
    assert set(facts.absent) == {"tree", "snow", "wetland"}  # water: no second source looked
    cover[0, 81] = BUILT
    assert shares(measure(tile({"worldcover": cover})))["built"] == pytest.approx(0.5, abs=1e-3)


def test_a_class_that_any_map_shows_is_not_absent() -> None:
    world = np.full((128, 128), 4)
    assert "tree" in measure(tile({"worldcover": CROP, "dynamic_world": world})).absent
    world[5, 5] = 1
    assert "tree" not in measure(tile({"worldcover": CROP, "dynamic_world": world})).absent


def test_water_needs_two_sources() -> None:
    lake = quarters(WATER, CROP, CROP, CROP)
    dry_half = {"B3": 0.08, "B8": np.where(COLUMN < 32, 0.02, 0.3)}
    facts = measure(tile({"worldcover": lake}, sentinel2=dry_half))
    assert shares(facts)["water"] == pytest.approx(12.5)  # the half of the lake that NDWI sees
    assert facts.order[0] == ("crop", 75.0)
    assert dict(facts.order)["water"] == 12.5
    assert "water" not in shares(measure(tile({"worldcover": lake}, sentinel2=DRY)))
    assert "water" not in measure(tile({"worldcover": lake}, sentinel2=DRY)).absent
    # Radar is a second source too; one that saw too little is none.
    radar = {"desc_VV": np.where(lake == WATER, -22.0, -10.0)}
    assert shares(measure(tile({"worldcover": lake}, sentinel1=radar)))["water"] == 25.0
    radar = {"desc_VV": np.where(ROW < 60, -22.0, np.nan)}
    unknown = measure(tile({"worldcover": lake}, sentinel1=radar))
    assert "water" not in shares(unknown)
    assert dict(unknown.order)["water"] == 25.0  # may be water: it must not make crops look larger


def test_no_water_is_said_only_where_both_kinds_of_source_looked() -> None:
    assert "water" in measure(tile({"worldcover": CROP}, sentinel2=DRY)).absent
    assert "water" not in measure(tile({"worldcover": CROP})).absent
    clouded = {"B3": np.where(ROW < 20, np.nan, 0.08), "B8": 0.3}
    assert "water" not in measure(tile({"worldcover": CROP}, sentinel2=clouded)).absent


def test_places_are_centres_and_where_most_of_a_class_lies() -> None:
    facts = measure(tile({"worldcover": quarters(CROP, TREE, CROP, CROP)}))
    centres = {cover.id: cover.centre for cover in facts.covers}
    assert centres["tree"] == pytest.approx((0.5, 0.5))
    assert centres["crop"] == pytest.approx((-1 / 6, -1 / 6), abs=1e-4)
    sides = {cover.id: cover.sides for cover in facts.covers}
    assert sides["tree"] == ("north-east",)
    assert sides["crop"] == ()  # south and west by a sixth: 33 % of it in that quarter


def test_what_lies_all_around_is_not_in_the_centre() -> None:
    inner = (abs(ROW - 63.5) < 32) & (abs(COLUMN - 63.5) < 32)
    sides = {
        cover.id: (cover.centre, cover.sides)
        for cover in measure(tile({"worldcover": np.where(inner, BUILT, CROP)})).covers
    }
    assert sides == {"built": ((0.0, 0.0), ("centre",)), "crop": ((0.0, 0.0), ())}


def test_borders_are_lengths_of_common_edges() -> None:
    lake = np.where(COLUMN < 64, np.where(ROW < 100, TREE, WATER), CROP)
    wet = {"B3": 0.08, "B8": np.where(lake == WATER, 0.02, 0.3)}
    facts = measure(tile({"worldcover": lake}, sentinel2=wet))
    lengths = {frozenset((b.one, b.other)): b.length for b in facts.borders}
    assert lengths == {
        frozenset(("tree", "crop")): 1000.0,
        frozenset(("tree", "water")): 640.0,
        frozenset(("crop", "water")): 280.0,
    }
    assert [b.length for b in facts.borders] == [1000.0, 640.0, 280.0]
    # A border of 190 m is too short to speak of.
    short = np.where((ROW < 19) & (COLUMN < 64), TREE, CROP)
    short[19] = np.where(COLUMN[19] < 64, BUILT, CROP)
    named = {frozenset((b.one, b.other)) for b in measure(tile({"worldcover": short})).borders}
    assert frozenset(("tree", "crop")) not in named
    assert frozenset(("tree", "built")) in named


def test_a_side_prevails_only_clearly() -> None:
    facts = measure(tile({"worldcover": quarters(TREE, TREE, CROP, GRASS)}))
    found = {region.side: (region.cover, region.share) for region in facts.regions}
    assert found["north"] == ("tree", 100.0)
    assert found["south-east"] == ("grass", 100.0)
    assert "south" not in found  # half and half
    assert "west" not in found
    assert found["centre"] == ("tree", 50.0)


def test_maps_agree_where_they_give_the_same_class() -> None:
    cover, world = quarters(TREE, CROP, WATER, 95), quarters(1, 4, 4, 1)
    world[:16] = ABSENT  # an eighth, all of it agreeing
    facts = measure(tile({"worldcover": cover, "dynamic_world": world}))
    assert facts.agreement == pytest.approx(100 * 48 / 112, abs=1e-3)
    assert measure(tile({"worldcover": cover})).agreement is None


def test_relief_is_measured_where_it_is_present() -> None:
    height = 100.0 + 0.5 * (127 - ROW) + np.where((ROW == 64) & (COLUMN == 64), 50.0, 0.0)
    height[:, 120:] = np.nan
    relief = measure(tile({}, elevation=height, slope=np.where(COLUMN < 80, 2.0, 9.0))).relief
    assert (relief.lowest, relief.highest) == (100.0, 181.5)
    assert relief.mean == pytest.approx(131.75, abs=0.01)
    assert relief.median_slope == 2.0
    assert relief.rises == "north"
    assert sum(relief.landforms.values()) == pytest.approx(100.0, abs=0.01)
    assert relief.landforms["slope"] > 60


@pytest.mark.parametrize(
    ("east", "north", "side"),
    [
        (1, 0, "east"),
        (1, 1, "north-east"),
        (-1, 1, "north-west"),
        (0, -1, "south"),
        (-2, -2, "south-west"),
    ],
)
def test_the_land_rises_to_a_side(east: int, north: int, side: str) -> None:
    plane = 10.0 + 0.1 * (east * COLUMN - north * ROW)
    assert measure(tile({}, elevation=plane)).relief.rises == side


def test_rough_or_level_land_rises_nowhere() -> None:
    waves = 50 * np.sin(COLUMN / 5.0) + 0.1 * COLUMN
    for height in (np.full((128, 128), 3.0), waves, 0.01 * COLUMN):
        assert measure(tile({}, elevation=height)).relief.rises is None


def test_indices_are_medians_of_the_known_pixels() -> None:
    red, infrared = np.where(ROW < 40, 0.1, 0.05), np.where(ROW < 40, 0.1, 0.35)
    infrared[:, :8] = np.nan
    red[:, 100:] = infrared[:, 100:] = -0.01  # no ratio of reflectances below zero
    facts = measure(tile({}, sentinel2={"B4": red, "B8": infrared, "B3": np.nan}))
    assert facts.indices == {"ndvi": pytest.approx(0.75)}
    few = np.where(ROW < 70, np.nan, 0.3)
    assert measure(tile({}, sentinel2={"B4": 0.1, "B8": few})).indices == {}


def test_the_canopy_is_that_of_trees() -> None:
    height = np.where(ROW < 64, 1.0, 20.0)
    height[0, 0] = 31.0
    assert measure(tile({}, canopy=height)).canopy == {"maximum": 31.0, "median": 20.0}
    assert measure(tile({}, canopy=np.full((128, 128), 2.0))).canopy == {"maximum": 2.0}


def test_the_sample_is_told_with_units_and_its_texture() -> None:
    soil = {"lucas.ph_h2o": 6.25, "unheard_of": 1.0, "clay": 30.0, "silt": np.nan, "sand": 10.0}
    facts = measure(tile({}, soil=soil, climate={"temperature": -3.5, "precipitation": np.nan}))
    assert [(e.id, e.value, e.unit) for e in facts.soil] == [
        ("ph_h2o", 6.25, "pH"),
        ("clay", 30.0, "percent"),
        ("sand", 10.0, "percent"),
    ]
    assert facts.texture == "SiClLo"  # the rest, 60 %, is silt
    assert [(e.id, e.value, e.unit) for e in facts.climate] == [("temperature", -3.5, "degC")]
    assert measure(tile({}, soil={"clay": 30.0})).texture is None
    assert measure(tile({}, soil={"clay": 80.0, "sand": 40.0})).texture is None


def test_elements_are_known_by_the_names_of_features_and_the_samples_own_come_first() -> None:
    soil = {
        "ph_h2o__iso_10390": 6.0,
        "organic_carbon_20_30__iso_10694": 5.0,  # another depth
        "coarse_fragments_mass": 12.0,
        "topsoil_chemical_properties.ph_h2o": 8.0,
        "topsoil_soc_lucas_eu25.soil_organic_carbon": 25.0,
        "topsoil_soc_lucas_eu25.soil_organic_carbon_se": 3.0,
    }
    climate = {
        "climate_change_indicators.max_temperature": 15.0,
        "worldclim_bio1.annual_mean_temperature": 9.0,
        "climate_change_indicators.total_precipitation": 700.0,
    }
    facts = measure(tile({}, soil=soil, climate=climate))
    assert [(e.id, e.value) for e in facts.soil] == [
        ("ph_h2o", 6.0),
        ("coarse_fragments_mass", 12.0),
        ("organic_carbon", 25.0),
    ]
    assert [(e.id, e.value) for e in facts.climate] == [
        ("temperature", 9.0),
        ("precipitation", 700.0),
    ]


def test_texture_is_of_one_source() -> None:
    own = {"clay__iso_11277": 60.0, "map.clay": 10.0, "map.sand": 80.0}
    assert measure(tile({}, soil=own)).texture == "SaLo"
    both = {**own, "silt__iso_11277": 30.0}
    assert measure(tile({}, soil=both)).texture == "Cl"


def test_time_place_and_map_are_the_tiles_own() -> None:
    given = {"place_names": ["Aarhus"], "lies_in": ["Jutland"]}
    given |= {"map_tags": {"natural": ["wood", "water"], "amenity": "x"}}
    facts = measure(tile({}, extra=given, date=datetime.date(2020, 1, 2), place=(18.4, -33.9)))
    assert (facts.season, facts.latitude, facts.longitude) == ("summer", -33.9, 18.4)
    assert (facts.places, facts.lies_in) == (("Aarhus",), ("Jutland",))
    assert facts.tags == ("natural=wood", "natural=water", "amenity=x")
    assert measure(tile({}, place=(18.4, -3.9))).season is None
    tags = {"natural": None, "lanes": 2, "landuse": ("forest", None, " "), "name": ""}
    odd = tile({}, extra={"map_tags": tags})
    assert measure(odd).tags == map_tags(odd) == ("lanes=2", "landuse=forest")


def test_what_is_absent_is_never_read() -> None:
    """Other rubbish behind the masks gives the same facts."""
    made = good_tile(1)
    facts = measure(made)
    for name, array in made.arrays.items():
        array[~made.present[name]] = 17 if array.dtype == np.uint8 else 1e9
    assert measure(made) == facts
