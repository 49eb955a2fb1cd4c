import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from adapters.errors import ReadError, collected
from adapters.lucas_grid import grid_node
from adapters.rules import (
    depth_order,
    inside,
    position_disagreement,
    repeated_rows,
    swapped,
    texture_sum,
)
from adapters.spec import DepthOrder, PositionCheck, RepeatedRows, TextureSum

ORDER = DepthOrder(kind="depth_order", profile="profile")
EUROPE = (-32.0, 27.0, 45.0, 72.0)
TO_LAEA = Transformer.from_crs(4326, 3035, always_xy=True)
FROM_LAEA = Transformer.from_crs(3035, 4326, always_xy=True)


def horizons(*rows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_ref": [f"f#{i}" for i in range(len(rows))],
            "profile": [r[0] for r in rows],
            "depth_top": [r[1] for r in rows],
            "depth_bottom": [r[2] for r in rows],
        },
        schema_overrides={"depth_top": pl.Float64, "depth_bottom": pl.Float64},
    )


def test_fractions_that_do_not_add_up_are_told_with_their_sum() -> None:
    table = pl.DataFrame(
        {
            "row_ref": ["f#1", "f#2", "f#3"],
            "clay": [20.0, 20.0, None],
            "silt": [30.0, 30.0, 10.0],
            "sand": [50.0, 80.0, 10.0],
        }
    )
    rule = TextureSum(kind="texture_sum", columns=("clay", "silt", "sand"), tolerance=5)
    flags = texture_sum(table, rule)
    assert flags["row_ref"].to_list() == ["f#2"]
    assert flags["value"].to_list() == [130.0]
    assert flags["detail"].to_list() == ["clay + silt + sand = 130.0 %"]


def test_each_depth_fault_has_its_own_flag() -> None:
    table = horizons(
        ("a", 0, 20), ("a", 20, 20), ("a", 40, 30), ("a", 15, 60), ("a", None, 5), ("b", 10, 30)
    )
    found = dict(depth_order(table, ORDER).select("row_ref", "flag").iter_rows())
    assert found == {
        "f#1": "depth_fault",
        "f#2": "depth_fault",
        "f#3": "depth_overlap",
        "f#4": "depth_missing",
    }


def test_a_horizon_above_the_surface_is_a_fault() -> None:
    assert depth_order(horizons(("a", -5, 0)), ORDER)["flag"].to_list() == ["depth_fault"]


@given(st.lists(st.floats(1, 50), min_size=1, max_size=8), st.randoms())
def test_contiguous_horizons_have_no_fault_in_any_order(thickness: list[float], random) -> None:
    edges = [0.0, *np.cumsum(thickness)]
    rows = [("p", float(a), float(b)) for a, b in zip(edges, edges[1:], strict=False)]
    random.shuffle(rows)
    assert depth_order(horizons(*rows), ORDER).is_empty()


@given(st.floats(-9, 30), st.floats(36, 70), st.floats(-40_000, 40_000))
def test_disagreement_is_the_distance_between_the_two_positions(
    lon: float, lat: float, shift: float
) -> None:
    check = PositionCheck(x="x", y="y", crs="EPSG:3035", max_distance_m=1)
    x, y = TO_LAEA.transform(lon, lat)
    found = position_disagreement(
        np.array([lon]), np.array([lat]), check, np.array([x + shift]), np.array([y])
    )
    back = FROM_LAEA.transform(x + shift, y)
    _, _, wanted = Geod(ellps="WGS84").inv(lon, lat, *back)
    assert found[0] == pytest.approx(wanted, rel=0.006, abs=0.01)


def test_a_missing_position_disagrees_with_nothing() -> None:
    check = PositionCheck(x="x", y="y", crs="EPSG:3035", max_distance_m=1)
    nan = np.array([np.nan])
    assert np.isnan(position_disagreement(nan, nan, check, nan, nan)).all()


def test_swapped_coordinates_are_noticed() -> None:
    lon, lat = np.array([10.0, 20.0, np.nan]), np.array([50.0, 60.0, np.nan])
    assert not swapped(lon, lat, EUROPE)
    assert swapped(lat, lon, EUROPE)
    assert inside(lon, lat, EUROPE).tolist() == [True, True, False]


def test_point_ids_name_their_grid_node() -> None:
    east, north = grid_node(pl.Series("POINT_ID", ["48262936", " 26541848 ", None]))
    assert east.to_list() == [4_826_000.0, 2_654_000.0, None]
    assert north.to_list() == [2_936_000.0, 1_848_000.0, None]


def test_a_point_id_that_lost_a_digit_is_refused() -> None:
    with pytest.raises(ReadError, match="eight digits"):
        grid_node(pl.Series("POINT_ID", ["4826293"]))


def test_rows_repeat_others_where_both_are_there_and_agree() -> None:
    rule = RepeatedRows(
        kind="repeated_rows",
        column="number",
        repeats={"9": "1", "8": "2", "7": "3"},
        same=("site",),
    )
    table = pl.DataFrame(
        {
            "row_ref": [f"f#{i}" for i in range(6)],
            "number": [9, 1, 8, 7, 3, None],
            "site": ["a", "a", "b", "c", "d", None],
        }
    )
    # 8 repeats a row that is not there, and counts; 7 is said to repeat a row of another site.
    with pytest.raises(ReadError, match="(?s)differ in site.*7 at f#3, 3 at f#4"):
        repeated_rows(table, rule, "pits")
    with collected() as errors:
        flags = repeated_rows(table, rule, "pits")
    assert [e.spec_key for e in errors] == [("rules",)]
    assert flags.select("row_ref", "flag", "detail").rows() == [
        ("f#0", "duplicate", "repeats number 1 at f#1")
    ]
    assert flags["column"].null_count() == 1


@given(
    st.lists(st.integers(1, 60), min_size=3, max_size=8),
    st.integers(0, 20),
    st.data(),
)
def test_a_gap_is_flagged_at_the_horizon_below_it_where_it_is_asked_for(
    thicknesses: list[int], start: int, data: st.DataObject
) -> None:
    bounds = list(itertools.accumulate(thicknesses, initial=start))
    left_out = data.draw(st.integers(1, len(thicknesses) - 2))
    rows = [
        {"row_ref": f"f#{k}", "profile": "p", "depth_top": float(a), "depth_bottom": float(b)}
        for k, (a, b) in enumerate(itertools.pairwise(bounds))
        if k != left_out
    ]
    table = pl.DataFrame(rows)
    asked = DepthOrder(kind="depth_order", profile="profile", contiguous=True)
    expected = (["f#0"] if start else []) + [f"f#{left_out + 1}"]
    found = depth_order(table, asked)
    assert found["flag"].unique().to_list() == ["depth_gap"]
    assert sorted(found["row_ref"]) == sorted(expected)
    assert depth_order(table, asked.model_copy(update={"contiguous": False})).is_empty()
