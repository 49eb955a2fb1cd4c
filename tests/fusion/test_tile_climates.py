"""Classes of climate, and places between samples that are spread over them."""

import datetime
import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
from rasterio.transform import from_origin

from adapters.scenes.scene import Layer, Scene
from fusion.tiles.climates import UNKNOWN, Climates, koppen_geiger, of_samples
from fusion.tiles.places import balanced
from fusion.tiles.sites import sites

OCEANIC = [4, 4, 6, 9, 13, 16, 18, 18, 15, 11, 7, 5]
TROPICAL = [26] * 12
MONTHS = {
    "Af": (TROPICAL, [200] * 12),
    "Am": (TROPICAL, [30, 90, 200, 250, 300, 300, 300, 300, 300, 250, 200, 90]),
    "Aw": (TROPICAL, [10, 10, 30, 80, 150, 200, 250, 250, 200, 100, 30, 10]),
    "BWh": ([14, 15, 18, 21, 25, 27, 28, 28, 26, 24, 19, 15], [5, 4, 4, 1, 1, 0, 0, 0, 0, 1, 4, 6]),
    "BSk": ([0, 2, 6, 11, 16, 20, 24, 23, 18, 12, 5, 1], [25] * 12),
    "Csa": (
        [8, 9, 11, 14, 18, 22, 25, 25, 22, 17, 12, 9],
        [67, 73, 58, 81, 53, 34, 19, 37, 73, 113, 115, 81],
    ),
    "Cwa": (
        [10, 12, 16, 21, 25, 28, 29, 28, 26, 22, 17, 12],
        [10, 15, 20, 40, 150, 300, 350, 300, 150, 40, 15, 10],
    ),
    "Cfb": (OCEANIC, [50] * 12),
    "Cfc": ([1, 1, 2, 4, 7, 10, 11, 11, 8, 5, 3, 1], [80] * 12),
    "Dfb": (
        [-9, -8, -2, 6, 13, 17, 19, 17, 11, 5, -2, -7],
        [45, 40, 35, 40, 50, 75, 90, 80, 65, 65, 55, 50],
    ),
    "Dfc": ([-15, -13, -8, -1, 6, 12, 15, 13, 7, 0, -8, -13], [45] * 12),
    "Dfd": ([-45, -40, -25, -5, 6, 13, 16, 12, 4, -10, -30, -42], [20] * 12),
    "ET": ([-10, -10, -8, -4, 1, 5, 8, 7, 3, -2, -6, -9], [5] * 12),
    "EF": ([-40] * 12, [5] * 12),
}


@pytest.mark.parametrize("name", MONTHS)
def test_classes_follow_the_published_criteria_in_either_hemisphere(name: str) -> None:
    temperature, precipitation = (np.array(months, float) for months in MONTHS[name])
    assert koppen_geiger(temperature, precipitation) == name
    assert koppen_geiger(np.roll(temperature, 6), np.roll(precipitation, 6)) == name


def matrix(folder: Path, **changes: object) -> tuple[Path, pl.DataFrame]:
    """Three samples: oceanic, Mediterranean, and one that lacks a month."""
    rows = [MONTHS["Cfb"], MONTHS["Csa"], ([None, *OCEANIC[1:]], [50] * 12)]
    kind = pl.Array(pl.Float64, 12)
    table = {"sample_id": ["a", "b", "c"]}
    for place, name in enumerate(("efsa.t", "efsa.p")):
        table[name] = pl.Series([[m and float(m) for m in row[place]] for row in rows], dtype=kind)
    pl.DataFrame(table).write_parquet(folder / "matrix.parquet")
    shared = {"axis": "month", "array_length": 12, "sources": ["efsa"]}
    features = [
        {"id": "efsa.t", "title": "Air temperature (modelled)", "unit": "degC", **shared},
        {"id": "efsa.p", "title": "Precipitation (modelled)", "unit": "mm", **shared, **changes},
        {"id": "other", "title": "Precipitation", "unit": "mm", "axis": None, "array_length": None},
    ]
    (folder / "dictionary.json").write_text(json.dumps({"features": features}))
    where = {"longitude": [10.0, 11.0, 12.0], "latitude": [50.0, 50.0, 50.0]}
    return folder, pl.DataFrame({"sample_id": ["a", "b", "c"], **where})


def test_places_have_the_class_of_a_sample_near_by(tmp_path: Path) -> None:
    found = of_samples(*matrix(tmp_path))
    assert found is not None
    assert found.classes == ("Cfb", "Csa")
    at = found.at(np.array([10.01, 11.2, 12.0, 10.5]), np.array([50.0, 50.0, 50.0, 50.0]))
    assert at == ["Cfb", "Csa", UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(
    "changes", [{"unit": "m"}, {"axis": None}, {"array_length": 1}, {"sources": ["another"]}]
)
def test_months_of_both_in_their_units_and_of_one_source_are_wanted(
    changes: dict, tmp_path: Path
) -> None:
    assert of_samples(*matrix(tmp_path, **changes)) is None


def test_each_kind_is_spread_over_the_second_division() -> None:
    draw = np.random.default_rng(1)
    longitude, latitude = draw.uniform(5, 9, 4000), draw.uniform(50, 53, 4000)
    kinds = draw.choice(["forest", "field"], 4000).tolist()
    climates = draw.choice(["Cfb", "Dfb", "ET"], 4000, p=[0.9, 0.09, 0.01]).tolist()
    chosen = balanced(longitude, latitude, kinds, 15, within=climates)
    assert Counter(kinds[i] for i in chosen) == {"forest": 15, "field": 15}
    assert Counter(climates[i] for i in chosen) == {"Cfb": 10, "Dfb": 10, "ET": 10}
    alone = balanced(longitude, latitude, kinds, 15)
    assert Counter(climates[i] for i in alone)["Cfb"] > 20, "the second division makes it so"


def test_places_between_samples_are_spread_over_climates(tmp_path: Path) -> None:
    """One land cover, one fifth of which has another climate."""
    path = tmp_path / "cover.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=40, width=200, dtype="uint8",
        crs="EPSG:4326", transform=from_origin(10.0, 50.2, 0.01, 0.01), nodata=0,
    ) as file:  # fmt: skip
        file.write(np.full((1, 40, 200), 40, np.uint8))
    moment = datetime.datetime(2021, 6, 1, 10, tzinfo=datetime.UTC)
    box = (10.0, 49.8, 12.0, 50.2)
    scenes = [
        Scene("s", "c", "sentinel2", moment, box, {"B2": Layer("x.tif")}, "user", "x"),
        Scene("w", "c", "worldcover", moment, box, {"class": Layer(str(path))}, "user", "x"),
    ]
    where = np.linspace(10.0, 12.0, 11)
    classes = ("Dfb",) * 2 + ("Cfb",) * 9
    climates = Climates(where, np.full(11, 50.0), classes)
    found = sites(None, scenes, 6, climates)
    said = Counter(place.extra["climate_class"] for place in found)
    assert said["Cfb"] == said["Dfb"] >= 2
    assert all(place.longitude < 10.5 for place in found if place.extra["climate_class"] == "Dfb")
    assert all(place.extra == {} for place in sites(None, scenes, 6))
