"""Each way in which a source meets the samples, on sources of a few rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from conftest import Commit
from pyproj import Transformer
from small_sources import code, number, spec_of, survey_spec, text, write_raster

from adapters.errors import FusionError
from adapters.settings import Settings
from fusion.align import bring
from fusion.inputs import Source
from fusion.samples import backbone

Load = Callable[[str], Source]


def samples(**columns: list) -> pl.DataFrame:
    """Samples at given places, 0-20 cm unless said otherwise."""
    count = len(next(iter(columns.values())))
    given = {
        "sample_id": [f"s{i}" for i in range(count)],
        "site": [f"family:{i}" for i in range(count)],
        "longitude": [0.0] * count,
        "latitude": [0.0] * count,
        "depth_top": [0.0] * count,
        "depth_bottom": [20.0] * count,
        "nuts_2": [None] * count,
    } | columns
    return pl.DataFrame(given, schema_overrides={"nuts_2": pl.String})


def brought(source: Source, at: pl.DataFrame, root: Path = Path()) -> dict[str, list]:
    return bring(source, at, root, threads=2).to_dict(as_series=False)


def test_nearest_keeps_its_distance_and_its_reach(commit: Commit, load: Load) -> None:
    spec = spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")])
    commit(
        spec,
        pl.DataFrame(
            {
                "longitude": [10.0, 10.005, None],
                "latitude": [50.0, 50.0, None],
                "v": [1.0, 2.0, 9.0],
            }
        ),
    )
    found = brought(
        load("near"), samples(longitude=[10.001, 10.004, 11.0], latitude=[50.0, 50.0, 50.0])
    )
    assert found["near.v"] == [1.0, 2.0, None]
    assert found["row_ref"] == ["f#2", "f#3", None]
    # A thousandth of a degree of longitude at 50 degrees north: 111.19 m x cos(50 degrees).
    assert found["distance_m"][0] == pytest.approx(111.19 * np.cos(np.radians(50)), rel=1e-3)
    assert found["distance_m"][2] is None


def test_the_horizon_that_shares_most_depth_is_taken(commit: Commit, load: Load) -> None:
    spec = spec_of("near", {"join": "nearest", "max_distance_m": 10}, [number("v"), code("c")])
    commit(
        spec,
        pl.DataFrame(
            {
                "longitude": [10.0] * 3,
                "latitude": [50.0] * 3,
                "depth_top": [0.0, 10.0, 40.0],
                "depth_bottom": [10.0, 40.0, 90.0],
                "v": [1.0, 2.0, 3.0],
                "c": ["a", "b", "c"],
            }
        ),
    )
    at = samples(
        longitude=[10.0] * 4,
        latitude=[50.0] * 4,
        depth_top=[0.0, 0.0, 35.0, 200.0],
        depth_bottom=[20.0, 50.0, 60.0, 210.0],
    )
    # 0-20 cm shares 10 cm with each of two horizons, and the first in the file is taken; 200-210 cm
    # shares nothing, and the nearest is taken.
    assert brought(load("near"), at)["near.c"] == list("abcc")


def test_a_depth_that_is_not_known_shares_nothing(commit: Commit, load: Load) -> None:
    spec = spec_of("near", {"join": "nearest", "max_distance_m": 10}, [code("c")])
    commit(
        spec,
        pl.DataFrame(
            {
                "longitude": [10.0] * 3,
                "latitude": [50.0] * 3,
                "depth_top": [None, 0.0, 10.0],
                "depth_bottom": [None, 10.0, 90.0],
                "c": ["unknown", "shallow", "thick"],
            }
        ),
    )
    at = samples(
        longitude=[10.0] * 3,
        latitude=[50.0] * 3,
        depth_top=[0.0, 30.0, None],
        depth_bottom=[15.0, 60.0, None],
    )
    # The third has no depth: the first row in the file, not the thickest one.
    assert brought(load("near"), at)["near.c"] == ["shallow", "thick", "unknown"]


def test_a_profile_with_a_horizon_of_unknown_bottom_is_not_splined(
    commit: Commit, load: Load
) -> None:
    fuse = {"join": "nearest", "max_distance_m": 10, "depth": "spline"}
    rules = [{"kind": "depth_order", "profile": "profile"}]
    spec = spec_of("deep", fuse, [text("profile"), number("v")], rules=rules)
    commit(
        spec,
        pl.DataFrame(
            {
                "profile": ["p"] * 3,
                "longitude": [10.0] * 3,
                "latitude": [50.0] * 3,
                "depth_top": [0.0, 20.0, 60.0],
                "depth_bottom": [20.0, None, 90.0],
                "v": [10.0, 20.0, 50.0],
            }
        ),
    )
    at = samples(longitude=[10.0], latitude=[50.0], depth_top=[0.0], depth_bottom=[40.0])
    assert brought(load("deep"), at)["deep.v"] == [10.0]


def test_contiguous_horizons_are_splined_and_others_are_not(commit: Commit, load: Load) -> None:
    fuse = {"join": "nearest", "max_distance_m": 10, "depth": "spline"}
    spec = spec_of(
        "deep",
        fuse,
        [text("profile"), number("v")],
        rules=[{"kind": "depth_order", "profile": "profile"}],
    )
    commit(
        spec,
        pl.DataFrame(
            {
                "profile": ["whole"] * 2 + ["gap"] * 2,
                "longitude": [10.0, 10.0, 20.0, 20.0],
                "latitude": [50.0] * 4,
                "depth_top": [0.0, 20.0, 0.0, 30.0],
                "depth_bottom": [20.0, 40.0, 20.0, 50.0],
                "v": [10.0, 20.0, 10.0, 20.0],
            }
        ),
    )
    at = samples(
        longitude=[10.0, 10.0, 20.0],
        latitude=[50.0] * 3,
        depth_top=[0.0, 10.0, 0.0],
        depth_bottom=[40.0, 30.0, 40.0],
    )
    whole, middle, gap = brought(load("deep"), at)["deep.v"]
    # The mean over the whole profile is preserved, and by symmetry so is that of its middle.
    assert whole == pytest.approx(15.0, abs=1e-9)
    assert middle == pytest.approx(15.0, abs=1e-9)
    assert gap == 10.0


def test_a_key_meets_the_site_with_and_without_its_namespace(commit: Commit, load: Load) -> None:
    spec = spec_of("keyed", {"join": "key", "key": {"point": "site"}}, [text("point"), number("v")])
    for points in (["1", "2"], ["family:1", "family:2"]):
        commit(spec, pl.DataFrame({"point": points, "v": [1.0, 2.0]}))
        assert brought(load("keyed"), samples(site=["family:2", "family:3"]))["keyed.v"] == [
            2.0,
            None,
        ]
    commit(spec, pl.DataFrame({"point": ["1"], "v": [1.0]}))
    with pytest.raises(FusionError, match="several survey families"):
        brought(load("keyed"), samples(site=["family:1", "other:1"]))


def test_an_ambiguous_key_is_refused_unless_depth_tells(commit: Commit, load: Load) -> None:
    spec = spec_of("keyed", {"join": "key", "key": {"point": "site"}}, [text("point"), number("v")])
    twice = pl.DataFrame({"point": ["1", "1"], "v": [1.0, 2.0]})
    commit(spec, twice)
    with pytest.raises(FusionError, match="share key and depth"):
        brought(load("keyed"), samples(site=["family:1"]))
    commit(
        spec,
        twice.with_columns(depth_top=pl.Series([0.0, 20.0]), depth_bottom=pl.Series([20.0, 40.0])),
    )
    found = brought(
        load("keyed"),
        samples(site=["family:1"] * 2, depth_top=[0.0, 20.0], depth_bottom=[20.0, 40.0]),
    )
    assert found["keyed.v"] == [1.0, 2.0]


def test_a_key_that_samples_lack_is_named(commit: Commit, load: Load) -> None:
    spec = spec_of("keyed", {"join": "key", "key": {"point": "plot"}}, [text("point"), number("v")])
    commit(spec, pl.DataFrame({"point": ["1"], "v": [1.0]}))
    with pytest.raises(FusionError, match="'plot'"):
        brought(load("keyed"), samples(site=["family:1"]))


def _survey_with_numbers(commit: Commit, load: Load, numbers: list[str | None]) -> pl.DataFrame:
    """Samples of two surveys of the same sites; the first numbers what its laboratory got."""
    places = {"site": ["1", "2", "3"], "longitude": [10.0, 20.0, 30.0], "latitude": [50.0] * 3}
    first = survey_spec("first", [text("number"), number("v")])
    commit(first, pl.DataFrame({"number": numbers, "v": [1.0] * 3, **places}))
    commit(survey_spec("second", [number("v")]), pl.DataFrame({"v": [2.0] * 3, **places}))
    rows, _ = backbone([load("first"), load("second")], None)
    return rows


def test_a_laboratory_number_is_met_through_the_survey_that_gave_it(
    commit: Commit, load: Load
) -> None:
    at = _survey_with_numbers(commit, load, ["7", "8", None])
    spec = spec_of("lab", {"join": "key", "key": {"id": "first.number"}}, [text("id"), number("w")])
    commit(spec, pl.DataFrame({"id": ["8", "9", None], "w": [80.0, 90.0, 0.0]}))
    met = dict(zip(at["sample_id"], brought(load("lab"), at)["lab.w"], strict=True))
    # The second visit to site 2 is of another year: it has no laboratory number of the first.
    assert {s for s, w in met.items() if w is not None} == {"first:2:0-20"}
    assert met["first:2:0-20"] == 80.0


def test_without_its_survey_a_laboratory_number_meets_nothing(commit: Commit, load: Load) -> None:
    at = _survey_with_numbers(commit, load, ["7", "8", "9"]).filter(pl.col("source") == "second")
    spec = spec_of("lab", {"join": "key", "key": {"id": "first.number"}}, [text("id"), number("w")])
    commit(spec, pl.DataFrame({"id": ["8"], "w": [80.0]}))
    assert brought(load("lab"), at)["lab.w"] == [None, None, None]


def test_a_laboratory_number_of_two_sites_is_refused(commit: Commit, load: Load) -> None:
    at = _survey_with_numbers(commit, load, ["7", "7", "9"])
    spec = spec_of("lab", {"join": "key", "key": {"id": "first.number"}}, [text("id"), number("w")])
    commit(spec, pl.DataFrame({"id": ["8"], "w": [80.0]}))
    with pytest.raises(FusionError, match="(?s)at several sites.*7: family:1, family:2"):
        brought(load("lab"), at)


def test_a_column_that_the_survey_lacks_is_named(commit: Commit, load: Load) -> None:
    at = _survey_with_numbers(commit, load, ["7", "8", "9"])
    spec = spec_of("lab", {"join": "key", "key": {"id": "first.serial"}}, [text("id"), number("w")])
    commit(spec, pl.DataFrame({"id": ["8"], "w": [80.0]}))
    with pytest.raises(FusionError, match="'serial', which first does not have"):
        brought(load("lab"), at)


def test_what_was_measured_on_one_visit_meets_no_other(commit: Commit, load: Load) -> None:
    at = _survey_with_numbers(commit, load, ["7", "8", "9"])
    columns, row = [text("point"), number("w")], pl.DataFrame({"point": ["2"], "w": [5.0]})
    commit(spec_of("any", {"join": "key", "key": {"point": "site"}}, columns), row)
    later = {"join": "key", "key": {"point": "site"}, "survey": "second"}
    commit(spec_of("later", later, columns), row)
    every, one = (brought(load(s), at)[f"{s}.w"] for s in ("any", "later"))
    ids = at["sample_id"].to_list()
    assert [i for i, w in zip(ids, every, strict=True) if w] == ["first:2:0-20", "second:2:0-20"]
    assert [i for i, w in zip(ids, one, strict=True) if w] == ["second:2:0-20"]


def test_a_survey_goes_with_a_key_alone() -> None:
    with pytest.raises(ValueError, match="`survey` goes with join: key"):
        spec_of("near", {"join": "nearest", "max_distance_m": 10, "survey": "x"}, [number("v")])


def test_a_row_that_repeats_another_counts_once(commit: Commit, load: Load) -> None:
    flags = [{"row_ref": "f#3", "column": None, "flag": "duplicate"}]
    rows = pl.DataFrame(
        {"point": ["1", "1"], "v": [1.0, 2.0], "longitude": [10.0, 10.001], "latitude": [50.0] * 2}
    )
    keyed = spec_of(
        "keyed", {"join": "key", "key": {"point": "site"}}, [text("point"), number("v")]
    )
    commit(keyed, rows, flags)
    assert brought(load("keyed"), samples(site=["family:1"]))["keyed.v"] == [1.0]
    near = spec_of(
        "near", {"join": "nearest", "max_distance_m": 1000}, [text("point"), number("v")]
    )
    commit(near, rows, flags)
    # The repeat lies nearer, and yet it is the row that counts which is met.
    assert brought(load("near"), samples(longitude=[10.001], latitude=[50.0]))["near.v"] == [1.0]


def test_a_region_is_met_at_the_finest_level_there_is(commit: Commit, load: Load) -> None:
    spec = spec_of(
        "regions",
        {"join": "region"},
        [code("area", feature=False), number("v")],
        space={"support": "region", "region": "area", "region_system": "NUTS_2016"},
    )
    commit(spec, pl.DataFrame({"area": ["DE", "DE40", "FR"], "v": [1.0, 2.0, 3.0]}))
    at = samples(nuts_2=["DE40", "DE80", "FR10", "PL11", None])
    assert brought(load("regions"), at)["regions.v"] == [2.0, 1.0, 3.0, None, None]


def test_points_meet_polygons_in_the_system_of_the_polygons(commit: Commit, load: Load) -> None:
    sphere = "+proj=laea +lat_0=48 +lon_0=9 +a=6378388 +b=6378388 +units=m +no_defs"
    x, y = Transformer.from_crs(4326, sphere, always_xy=True).transform([9.0, 12.0], [48.0, 50.0])
    boxes = [shapely.box(a - 1000, b - 1000, a + 1000, b + 1000) for a, b in zip(x, y, strict=True)]
    spec = spec_of(
        "areas", {"join": "polygon"}, [code("soil")], space={"support": "polygon", "crs": sphere}
    )
    commit(spec, pl.DataFrame({"geometry": shapely.to_wkb(boxes), "soil": ["a", "b"]}))
    at = samples(longitude=[12.0, 9.0, 9.1, 10.0], latitude=[50.0, 48.0, 48.0, 49.0])
    assert brought(load("areas"), at)["areas.soil"] == ["b", "a", None, None]


@pytest.fixture
def pixels(commit: Commit, settings: Settings) -> None:
    """Layers of a source: a number, codes, and an array of two months."""
    values = {
        "n": [np.array([[1.5, 2.5], [-9999, 4.5]])],
        "c": [np.array([[1.0, 2.0], [-9999, 2.0]])],
        "m": [np.array([[1.0, -9999], [-9999, 4.0]]), np.array([[10.0, -9999], [30.0, 40.0]])],
    }
    rows = []
    for name, layers in values.items():
        for element, array in enumerate(layers):
            path = f"std/grid/{name}{element}.tif"
            write_raster(settings.data_root / path, array, corner=(0, 2))
            rows.append(
                {
                    "row_ref": path,
                    "origin": "synthetic",
                    "column": name,
                    "element": element,
                    "path": path,
                }
            )
    spec = spec_of(
        "grid",
        {"join": "raster", "resampling": "bilinear"},
        [number("n"), code("c"), number("m", native="m{0..1}")],
        modality="raster",
    )
    commit(spec, pl.DataFrame(rows))


@pytest.mark.usefixtures("pixels")
def test_pixels_become_numbers_codes_and_arrays(load: Load, settings: Settings) -> None:
    at = samples(longitude=[0.5, 1.5, 0.5, 5.0], latitude=[1.5, 0.5, 0.5, 0.5])
    found = brought(load("grid"), at, settings.data_root)
    assert found["grid.n"] == [1.5, 4.5, None, None]
    assert found["grid.c"] == ["1", "2", None, None]
    assert found["grid.m"] == [[1.0, 10.0], [4.0, 40.0], [None, 30.0], None]


@pytest.mark.usefixtures("pixels")
def test_codes_are_never_interpolated(load: Load, settings: Settings) -> None:
    at = samples(longitude=[1.0001, 0.5], latitude=[1.0001, 1.5])
    assert set(brought(load("grid"), at, settings.data_root)["grid.c"]) <= {"1", "2"}


def test_a_source_that_is_never_aligned_says_why(commit: Commit, load: Load) -> None:
    spec = spec_of("alone", {"join": "none", "reason": "no coordinates"}, [number("v")])
    commit(spec, pl.DataFrame({"v": [1.0]}))
    with pytest.raises(FusionError, match="no coordinates"):
        brought(load("alone"), samples(site=["family:1"]))


def test_rows_that_are_no_samples_are_counted_with_the_reason(commit: Commit, load: Load) -> None:
    spec = survey_spec("lab", [text("replicate"), number("v")], keys=["site", "replicate"])
    table = pl.DataFrame(
        {
            "site": ["1", "1", "1", "2", "3", None, "4", "5"],
            "replicate": ["a", "b", "b", "a", "a", "a", "a", "a"],
            "longitude": [10.0] * 3 + [None] + [10.0] * 4,
            "latitude": [50.0] * 8,
            "depth_top": [0.0] * 4 + [None] + [0.0, 2.5, 0.0],
            "depth_bottom": [20.0] * 8,
            "v": [1.0] * 8,
        }
    )
    flags = [{"row_ref": "f#9", "column": None, "flag": "duplicate"}]
    commit(spec, table, flags)
    rows, refused = backbone([load("lab")], None)
    assert rows["sample_id"].to_list() == ["lab:1:0-20:a", "lab:1:0-20:b", "lab:4:2.5-20:a"]
    assert rows["site"].to_list() == ["family:1", "family:1", "family:4"]
    assert refused == {
        "lab": {
            "duplicate row": 1,
            "no site": 1,
            "no trustworthy depth": 1,
            "no trustworthy position": 1,
            "same survey, site, depth and key as an earlier row": 1,
        }
    }


def test_revisits_share_site_and_region(commit: Commit, load: Load) -> None:
    here = {"longitude": [10.0], "latitude": [50.0]}
    commit(survey_spec("first", [number("v")]), pl.DataFrame({"site": ["1"], "v": [1.0], **here}))
    commit(
        survey_spec("second", [number("v"), code("nuts_2", feature=False)]),
        pl.DataFrame({"site": ["1"], "v": [2.0], "nuts_2": ["DE40"], **here}),
    )
    rows, _ = backbone([load("first"), load("second")], None)
    assert rows["site"].n_unique() == 1
    assert rows["nuts_2"].to_list() == ["DE40", "DE40"]


def test_regions_come_from_polygons_where_surveys_are_silent(commit: Commit, load: Load) -> None:
    commit(
        survey_spec("first", [number("v")]),
        pl.DataFrame(
            {
                "site": ["1", "2"],
                "v": [1.0, 2.0],
                "longitude": [10.0, 30.0],
                "latitude": [50.0, 50.0],
            }
        ),
    )
    boxes = [shapely.box(0, 40, 20, 60), shapely.box(9, 49, 11, 51)]
    commit(
        spec_of(
            "nuts_2016",
            {"join": "none", "reason": "looked up"},
            [text("region_code"), number("level", unit="1", basis=None, feature=False)],
            space={"support": "polygon", "crs": "EPSG:4326"},
        ),
        pl.DataFrame(
            {
                "geometry": shapely.to_wkb(boxes),
                "region_code": ["EL", "EL52"],
                "level": [0.0, 2.0],
            }
        ),
    )
    rows, _ = backbone([load("first")], load("nuts_2016"))
    assert rows["nuts_2"].to_list() == ["EL52", None]
    assert rows["country"].to_list() == ["GR", None]


def test_polygons_without_a_crs_are_refused(commit: Commit, load: Load) -> None:
    areas = spec_of("areas", {"join": "polygon"}, [code("soil")], space={"support": "polygon"})
    box = shapely.to_wkb([shapely.box(8, 48, 10, 52)])
    commit(areas, pl.DataFrame({"geometry": box, "soil": ["a"]}))
    with pytest.raises(FusionError, match="no CRS"):
        bring(load("areas"), samples(longitude=[9.0], latitude=[50.0]), Path(), threads=1)
