"""A user's own points: every one kept, the unusable told, values as the sources have them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from conftest import Commit
from pyproj import Transformer
from small_sources import code, number, spec_of, survey_spec, write_raster

from adapters.errors import FusionError, StoreError
from adapters.settings import Settings
from adapters.store import Store
from fusion.points import read_points, sample_points


@pytest.fixture
def store(settings: Settings, commit: Commit) -> Settings:
    """A raster, polygons and a survey around 10 degrees east, 50 degrees north, published."""
    path = "std/grid/n.tif"
    write_raster(settings.data_root / path, np.arange(16.0).reshape(4, 4), corner=(8, 52))
    grid = spec_of("grid", {"join": "raster"}, [number("n")], modality="raster")
    layer = {
        "row_ref": "n.tif",
        "origin": "open",
        "column": "n",
        "element": 0,
        "path": path,
        "crs": "EPSG:4326",
        "transform": [1.0, 0.0, 8.0, 0.0, -1.0, 52.0],
        "width": 4,
        "height": 4,
    }
    commit(grid, pl.DataFrame([layer]), group="open")
    areas = spec_of(
        "areas",
        {"join": "polygon"},
        [code("soil")],
        space={"support": "polygon", "crs": "EPSG:4326"},
    )
    boxes = shapely.to_wkb([shapely.box(8, 48, 10, 52), shapely.box(10, 48, 12, 52)])
    commit(areas, pl.DataFrame({"geometry": boxes, "soil": ["a", "b"]}), group="user")
    survey = pl.DataFrame({"site": ["1"], "longitude": [9.5], "latitude": [50.5], "v": [7.0]})
    commit(survey_spec("survey", [number("v")]), survey)
    Store(settings).publish()
    return settings


def test_every_source_is_asked_and_labelled(store: Settings) -> None:
    points = pl.DataFrame(
        {"name": ["p", "q"], "longitude": [9.501, 11.5], "latitude": [50.5, 48.5]}
    )
    frame, dictionary = sample_points(store, points)
    assert frame["grid.n"].to_list() == [5.0, 15.0]
    assert frame["areas.soil"].to_list() == ["a", "b"]
    assert frame["survey.v"].to_list() == [7.0, None]
    assert frame["survey.distance_m"][0] == pytest.approx(70.7, abs=0.2)
    assert {f: r["origin"] for f, r in dictionary.items()} == {
        "areas.soil": "user",
        "grid.n": "open",
        "survey.v": "synthetic",
    }
    assert all(r["licences"] == ["CC-BY-4.0"] for r in dictionary.values())
    assert set(dictionary) <= set(frame.columns)


def test_points_that_cannot_be_used_are_kept_and_told(store: Settings) -> None:
    points = pl.DataFrame(
        {
            "longitude": ["9.5", "", "50.5", "200", "9.5", "x", "100"],
            "latitude": ["50.5", "50", "9.5", "95", "50.5", "50", "20"],
        }
    )
    frame, _ = sample_points(store, points)
    assert frame["point_status"].to_list() == [
        "usable",
        "no coordinates",
        "outside every regional source, and inside when x and y are swapped",
        "not on the globe: are crs, x and y right?",
        "same place as point 1",
        "no coordinates",
        "usable",
    ]
    assert frame["grid.n"].to_list() == [5.0, None, None, None, 5.0, None, None]
    assert frame["longitude_given"].to_list() == points["longitude"].to_list()


def test_points_in_another_system_meet_the_same_cells(store: Settings) -> None:
    lon, lat = np.array([8.5, 9.5, 11.2]), np.array([51.5, 50.5, 48.2])
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(lon, lat)
    degrees, _ = sample_points(store, pl.DataFrame({"longitude": lon, "latitude": lat}))
    metres, _ = sample_points(store, pl.DataFrame({"e": x, "n": y}), x="e", y="n", crs="EPSG:3035")
    for name in ("grid.n", "areas.soil", "survey.v"):
        assert metres[name].to_list() == degrees[name].to_list()
    assert metres["longitude"].to_list() == pytest.approx(lon.tolist())


def test_wrong_requests_are_explained(store: Settings, tmp_path: Path) -> None:
    points = pl.DataFrame({"longitude": [9.5], "latitude": [50.5]})
    with pytest.raises(FusionError, match="no column 'lon'"):
        sample_points(store, points, x="lon")
    with pytest.raises(FusionError, match="no such CRS"):
        sample_points(store, points, crs="EPSG:1")
    with pytest.raises(FusionError, match=r"gone\.csv"):
        read_points(tmp_path / "gone.csv")
    with pytest.raises(FusionError, match="both 'latitude'"):
        sample_points(store, points, x="latitude")
    for without_a_place in ("EPSG:5773", "EPSG:4978"):
        with pytest.raises(FusionError, match="has no longitude and latitude"):
            sample_points(store, points, crs=without_a_place)
    for depth in ((20.0, 0.0), (-5.0, 10.0), (float("nan"), 10.0), (10.0, 10.0)):
        with pytest.raises(FusionError, match="depth must begin"):
            sample_points(store, points, depth=depth)
    lists = pl.DataFrame({"longitude": [[9.5]], "latitude": [50.5]})
    with pytest.raises(FusionError, match="holds lists"):
        sample_points(store, lists)


def test_what_was_sampled_can_be_sampled_again(store: Settings) -> None:
    points = pl.DataFrame({"longitude": [9.5], "latitude": [50.5], "longitude_given": ["mine"]})
    once, _ = sample_points(store, points)
    twice, _ = sample_points(store, once)
    assert len(set(twice.columns)) == twice.width == once.width + 7
    assert twice["grid.n"].to_list() == once["grid.n"].to_list() == [5.0]
    assert "mine" in twice.row(0)


def test_no_point_gives_no_row(store: Settings) -> None:
    points = pl.DataFrame({"longitude": [], "latitude": []})
    frame, dictionary = sample_points(store, points)
    assert (frame.height, dictionary) == (0, {})


def test_nothing_published_is_said(settings: Settings) -> None:
    with pytest.raises(StoreError, match="nothing is published"):
        sample_points(settings, pl.DataFrame({"longitude": [9.5], "latitude": [50.5]}))


def test_continental_csv_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("\ufeffname;longitude;latitude\na;9,5;50,5\n", encoding="utf-8")
    points = read_points(path)
    assert points.columns == ["name", "longitude", "latitude"]
    assert points.row(0) == ("a", 9.5, 50.5)


def test_one_cell_that_is_no_number_does_not_cost_the_others(
    tmp_path: Path, store: Settings
) -> None:
    path = tmp_path / "p.csv"
    path.write_text("longitude;latitude\n9,5;50,5\nn/a;50,5\n", encoding="utf-8")
    frame, _ = sample_points(store, read_points(path))
    assert frame["point_status"].to_list() == ["usable", "no coordinates"]
