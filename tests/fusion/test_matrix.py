"""The matrix of small groups: what unifies, what stays apart, what is refused, what is repeated."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import Commit
from small_sources import code, number, spec_of, survey_spec, text

from adapters.errors import FusionError
from adapters.settings import Settings
from fusion import build
from fusion.dictionary import Contribution, exact_sums
from fusion.inputs import Source
from fusion.matrix import sentinels

CLAY = {"quantity": "clay"}
Load = Callable[[str], Source]


def rows(sites: list[str], west: float = 10.0, **columns: list) -> pl.DataFrame:
    """Sites 1 degree apart."""
    at = [west + i for i in range(len(sites))]
    return pl.DataFrame(
        {"site": sites, "longitude": at, "latitude": [50.0] * len(sites), **columns}
    )


def fused(folder: Path) -> tuple[pl.DataFrame, dict[str, dict], dict]:
    dictionary = json.loads((folder / "dictionary.json").read_text())
    report = json.loads((folder / "report.json").read_text())
    return (
        pl.read_parquet(folder / "matrix.parquet"),
        {record["id"]: record for record in dictionary["features"]},
        report,
    )


@pytest.fixture
def group(commit: Commit) -> None:
    """Two surveys and a point source."""
    commit(
        survey_spec("one", [number("clay_content", **CLAY, method="iso_11277"), code("horizon")]),
        rows(["1", "2"], clay_content=[10.0, 20.0], horizon=["A", "B"]),
        [
            {
                "row_ref": "f#3",
                "column": "clay_content",
                "flag": "corrected",
                "raw": "200",
                "value": 200.0,
            }
        ],
    )
    iso, field = {"method": "iso_11277"}, {"method": "compiled"}
    commit(
        survey_spec("two", [number("clay", **CLAY, **iso), number("clay_field", **CLAY, **field)]),
        rows(["1", "3"], 20.0, clay=[30.0, None], clay_field=[33.0, 44.0]),
    )
    commit(
        spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")]),
        pl.DataFrame({"longitude": [10.001], "latitude": [50.0], "v": [7.0]}),
    )


@pytest.mark.usefixtures("group")
def test_one_quantity_by_one_method_is_one_column_and_methods_stay_apart(
    settings: Settings,
) -> None:
    matrix, dictionary, report = fused(build.matrix(settings, "synthetic"))
    assert matrix["sample_id"].to_list() == ["one:1:0-20", "one:2:0-20", "two:1:0-20", "two:3:0-20"]
    assert matrix["clay__iso_11277"].to_list() == [10.0, 20.0, 30.0, None]
    assert matrix["clay__compiled"].to_list() == [None, None, 33.0, 44.0]
    assert matrix["horizon__family"].to_list() == ["A", "B", None, None]
    assert matrix["near.v"].to_list() == [7.0, None, None, None]
    clay = dictionary["clay__iso_11277"]
    assert clay["sources"] == ["one", "two"]
    assert clay["availability"] == {"one": 1.0, "two": 0.5}
    assert (clay["minimum"], clay["maximum"], clay["unit"]) == (10.0, 30.0, "percent")
    assert dictionary["near.v"]["distance_m"]["median"] == pytest.approx(71.5, abs=0.1)
    assert report["samples"]["by_survey"] == {"one": 2, "two": 2}
    assert report["features"]["count"] == 4
    assert report["sources"]["near"]["samples_met"] == 1
    assert "lucas_2009_topsoil" in report["missing_sources"]
    assert (clay["plausible_minimum"], clay["plausible_maximum"]) == (0.0, 100.0)
    assert dictionary["near.v"]["plausible_maximum"] is None, "it names no quantity"


@pytest.mark.usefixtures("group")
def test_flags_follow_the_value(settings: Settings) -> None:
    flags = pl.read_parquet(build.matrix(settings, "synthetic") / "flags.parquet")
    assert flags.select("sample_id", "feature", "flag", "raw", "value").rows() == [
        ("one:2:0-20", "clay__iso_11277", "corrected", "200", 200.0)
    ]


@pytest.mark.usefixtures("group")
def test_flags_of_whole_files_and_of_whole_rows_that_were_met_are_not_lost(
    settings: Settings, commit: Commit
) -> None:
    flag = {"raw": None, "value": None, "detail": "d"}
    commit(
        survey_spec("two", [number("clay", **CLAY, method="iso_11277")]),
        rows(["1"], 20.0, clay=[30.0]),
        [{"row_ref": "f", "column": "clay", "flag": "unit_by_range", **flag}],
    )
    near = pl.DataFrame({"longitude": [10.001, 0.0], "latitude": [50.0, 0.0], "v": [7.0, 8.0]})
    commit(
        spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")]),
        near,
        [
            {"row_ref": "f#2", "column": None, "flag": "depth_overlap", **flag},
            {"row_ref": "f#3", "column": None, "flag": "depth_fault", **flag},
            {"row_ref": "f", "column": "v", "flag": "unit_by_range", **flag},
        ],
    )
    flags = pl.read_parquet(build.matrix(settings, "synthetic") / "flags.parquet")
    found = flags.filter(pl.col("flag") != "corrected")
    assert found.select("source", "row_ref", "sample_id", "feature", "flag").rows() == [
        ("near", "f", None, "near.v", "unit_by_range"),
        ("near", "f#2", "one:1:0-20", None, "depth_overlap"),
        ("two", "f", None, "clay__iso_11277", "unit_by_range"),
    ]


@pytest.mark.usefixtures("group")
def test_distances_of_each_sample_are_kept(settings: Settings) -> None:
    distances = pl.read_parquet(build.matrix(settings, "synthetic") / "distances.parquet")
    assert distances["near"].is_not_null().to_list() == [True, False, False, False]


@pytest.mark.usefixtures("group")
def test_groups_never_meet(settings: Settings, commit: Commit) -> None:
    near = spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")])
    commit(near, pl.DataFrame({"longitude": [10.0], "latitude": [50.0], "v": [7.0]}), group="open")
    matrix, _, report = fused(build.matrix(settings, "synthetic"))
    assert "near.v" not in matrix.columns
    assert "near" not in report["sources"]
    assert build.samples(settings, "open") is None
    assert build.align(settings, "open", "near") == []
    assert build.align(settings, "synthetic", "near") == []
    with pytest.raises(FusionError, match="no backbone source"):
        build.matrix(settings, "open")


@pytest.mark.usefixtures("group")
def test_a_user_source_in_the_twins_place_makes_its_columns_mixed(
    settings: Settings, commit: Commit
) -> None:
    commit(
        survey_spec("two", [number("clay", **CLAY, method="iso_11277")]),
        rows(["1"], 20.0, clay=[30.0]),
        group="synthetic",
        origin="user",
    )
    folder = build.matrix(settings, "synthetic")
    _, dictionary, _ = fused(folder)
    assert dictionary["clay__iso_11277"]["origin"] == "mixed"
    assert dictionary["near.v"]["origin"] == "synthetic"
    assert json.loads((folder / "dictionary.json").read_text())["origin"] == "mixed"
    assert set(pl.read_parquet(folder / "samples.parquet")["origin"]) == {"synthetic", "user"}


@pytest.mark.usefixtures("group")
def test_disagreement_on_a_unit_is_refused(settings: Settings, commit: Commit) -> None:
    wrong = number("clay", **CLAY, method="iso_11277", unit="g/kg")
    commit(survey_spec("two", [wrong]), rows(["1"], 20.0, clay=[300.0]))
    with pytest.raises(FusionError, match="disagree"):
        build.matrix(settings, "synthetic")


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("other", [{"statistic": "p90"}, {"depth": "0-10 cm"}])
def test_another_statistic_or_depth_under_one_name_is_refused(
    settings: Settings, commit: Commit, other: dict
) -> None:
    """A column of its own statistic or depth keeps its name, which another survey may use too."""
    first = {"statistic": "p10"} if "statistic" in other else {"depth": "10-20 cm"}
    for survey, said in (("one", first), ("two", other)):
        spec = survey_spec(survey, [number("clay_top", **CLAY, **said)])
        commit(spec, rows(["1"], 20.0, clay_top=[30.0]))
    with pytest.raises(FusionError, match="statistic or depth"):
        build.matrix(settings, "synthetic")


@pytest.mark.parametrize(
    ("group", "could", "could_not"),
    [
        ("synthetic", {"lucas_2018_topsoil"}, {"gemas", "dutchsoils", "nuts_2016"}),
        ("open", {"dutchsoils", "limesoda"}, {"lucas_2018_topsoil", "nuts_2016"}),
        ("user", {"gemas", "dutchsoils", "lucas_2018_topsoil", "nuts_2016"}, set()),
    ],
)
def test_only_sources_that_could_stand_in_the_group_are_missed(
    settings: Settings, commit: Commit, group: str, could: set[str], could_not: set[str]
) -> None:
    commit(survey_spec("one", [number("v")]), rows(["1", "2"], 10.0, v=[1.0, 2.0]), group=group)
    missing = set(fused(build.matrix(settings, group))[2]["missing_sources"])
    assert could <= missing
    assert not could_not & missing


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("value", [-999.0, -3.4e38, float("inf")])
def test_a_missing_code_is_refused_and_the_last_matrix_stays(
    settings: Settings, commit: Commit, value: float
) -> None:
    good = build.matrix(settings, "synthetic")
    commit(
        spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")]),
        pl.DataFrame({"longitude": [10.0], "latitude": [50.0], "v": [value]}),
        version="v2",
    )
    with pytest.raises(FusionError, match="stand for missing"):
        build.matrix(settings, "synthetic")
    base = settings.fused / "synthetic"
    assert (base / "CURRENT").read_text().strip() == good.name
    assert [p.name for p in base.iterdir() if p.is_dir()] == [good.name]


def test_sentinels_are_found_in_arrays_too() -> None:
    assert sentinels(pl.Series([[1.0, -9999.0]], dtype=pl.Array(pl.Float32, 2))) == [-9999.0]
    assert sentinels(pl.Series([1.0, None, -9.0])) == []


def test_a_number_among_its_like_is_no_sentinel() -> None:
    assert sentinels(pl.Series([8500.0, 8888.0, 9000.0])) == []
    assert sentinels(pl.Series([85.0, 8888.0, 9000.0])) == [8888.0]
    assert sentinels(pl.Series([float("inf"), 8500.0, 8888.0, 9000.0])) == [float("inf")]


@pytest.mark.usefixtures("group")
def test_a_feature_without_values_is_left_out_with_its_reason(
    settings: Settings, commit: Commit
) -> None:
    near = spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v"), number("w")])
    far = {"longitude": [0.0], "latitude": [0.0], "v": [7.0]}
    commit(near, pl.DataFrame({**far, "w": pl.Series([None], dtype=pl.Float64)}))
    matrix, dictionary, report = fused(build.matrix(settings, "synthetic"))
    assert not {"near.v", "near.w"} & ({*matrix.columns} | {*dictionary})
    assert report["features"]["left_out_without_values"] == {
        "near.v": "no sample meets a row that has it",
        "near.w": "no row of the source has it",
    }


@pytest.mark.usefixtures("group")
def test_the_same_inputs_give_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    first = build.matrix(settings, "synthetic")
    before = {p.name: p.read_bytes() for p in first.iterdir()}
    for path in (first, settings.data_root / "aligned" / "synthetic"):
        path.rename(tmp_path / path.name)
    second = build.matrix(settings, "synthetic")
    assert second.name == first.name
    assert {p.name: p.read_bytes() for p in second.iterdir()} == before


@pytest.mark.usefixtures("group")
def test_what_is_up_to_date_is_left_alone(settings: Settings, commit: Commit) -> None:
    def times() -> dict[str, int]:
        base = settings.data_root / "aligned" / "synthetic"
        return {p.name: p.stat().st_mtime_ns for p in base.iterdir()}

    first = build.matrix(settings, "synthetic")
    made = times()
    assert build.matrix(settings, "synthetic") == first
    assert times() == made
    commit(
        spec_of("near", {"join": "nearest", "max_distance_m": 1000}, [number("v")]),
        pl.DataFrame({"longitude": [10.001], "latitude": [50.0], "v": [8.0]}),
        version="v2",
    )
    second = build.matrix(settings, "synthetic")
    assert second != first
    changed = {name for name, time in times().items() if time != made[name]}
    assert changed == {"near.parquet"}


def test_two_sources_with_the_same_ids_are_refused(settings: Settings, commit: Commit) -> None:
    same = {"survey": "lab", "site": "site", "site_prefix": "lab"}
    for name in ("one", "two"):
        commit(survey_spec(name, [number("v")], sample=same), rows(["1"], v=[1.0]))
    with pytest.raises(FusionError, match="several sources"):
        build.matrix(settings, "synthetic")


def test_a_group_whose_rows_are_all_refused_says_why(settings: Settings, commit: Commit) -> None:
    lost = pl.DataFrame({"site": ["1"], "v": [1.0]})
    commit(survey_spec("one", [number("v")]), lost)
    with pytest.raises(FusionError, match="no trustworthy position"):
        build.matrix(settings, "synthetic")


def test_curves_stay_lists_and_their_positions_come_along(
    settings: Settings, commit: Commit
) -> None:
    tables = {
        "main": {"files": ["x"], "read": {"reader": "csv"}},
        "curve": {
            "files": ["y"],
            "read": {"reader": "csv"},
            "compose": "curve",
            "on": ["site"],
            "order_by": "head",
        },
    }
    columns = [
        number("head", table="curve", unit="cm", basis=None, feature=False),
        number("water", table="curve", axis="head"),
    ]
    commit(
        survey_spec("one", columns, tables=tables),
        rows(["1", "2"], head=[[1.0, 2.0], [1.0]], water=[[0.4, 0.3], [0.5]]),
    )
    matrix, dictionary, report = fused(build.matrix(settings, "synthetic"))
    assert matrix["water"].to_list() == [pytest.approx([0.4, 0.3]), [0.5]]
    assert matrix["head"].to_list() == [[1.0, 2.0], [1.0]]
    assert dictionary["water"]["array_length"] is None
    assert dictionary["water"]["axis"] == "head"
    assert report["features"]["of_varying_length"] == ["head", "water"]


def test_exact_sums_are_told_from_near_ones(commit: Commit, load: Load) -> None:
    names = ["a", "b", "c", "total", "nearly"]
    random = np.random.default_rng(0)
    parts = random.uniform(1, 10, (60, 3))
    total = parts.sum(axis=1)
    values = np.column_stack([parts, total, total + random.normal(0, 0.01, 60)])
    commit(survey_spec("one", [number(n) for n in names]), rows(["1"], **{n: [1.0] for n in names}))
    source = load("one")
    behind = {n: [Contribution(source, source.spec.column(n))] for n in names}
    matrix = pl.DataFrame({n: values[:, i] for i, n in enumerate(names)})
    assert exact_sums(matrix, behind) == {"total": ["a", "b", "c"]}

    # Half of the rows lack `nearly`, the other half `a`: none has everything.
    half = pl.int_range(pl.len()) < 30
    torn = matrix.with_columns(
        pl.when(~half).then("nearly").alias("nearly"), pl.when(half).then("a").alias("a")
    )
    assert exact_sums(torn, behind) == {"total": ["a", "b", "c"]}
    # What holds in the rows of one pattern and not in those of another is no sum.
    again = pl.concat(
        [matrix.drop("nearly"), matrix.with_columns(pl.col("total") + 1)], how="diagonal"
    )
    assert exact_sums(again, behind) == {}


def test_text_of_a_key_is_no_feature(settings: Settings, commit: Commit) -> None:
    commit(survey_spec("one", [text("note"), number("v")]), rows(["1"], note=["x"], v=[1.0]))
    matrix, _, _ = fused(build.matrix(settings, "synthetic"))
    assert matrix.columns == ["sample_id", "v"]
