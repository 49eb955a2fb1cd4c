"""Where the pixels of a tile are, and how pixels of files come onto them."""

import datetime

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adapters.errors import FusionError
from fusion.tiles.grid import Geometry, Roi, place, roi, utm_zone
from fusion.tiles.places import Place, balanced, covered, of_samples, season_of, world_grid
from fusion.tiles.resample import Window, reach, resample

SQUARE = Roi("EPSG:32632", 500_000.0, 5_600_000.0)
X33, Y33 = pyproj.Transformer.from_crs("EPSG:32632", "EPSG:32633").transform(500_640, 5_599_360)
"""The middle of the square in the zone east of its own."""


@pytest.mark.parametrize(
    ("longitude", "latitude", "zone"),
    [
        (9.0, 50.0, 32632),
        (11.999, 50.0, 32632),
        (12.0, 50.0, 32633),
        (-180.0, 10.0, 32601),
        (179.999, 10.0, 32660),
        (180.0, 10.0, 32601),
        (-70.0, -33.0, 32719),
        (5.0, 60.0, 32632),  # South-western Norway.
        (2.9, 60.0, 32631),
        (8.0, 78.0, 32631),  # Svalbard.
        (10.0, 78.0, 32633),
        (30.0, 78.0, 32635),
        (40.0, 78.0, 32637),
    ],
)
def test_the_zone_is_that_of_the_tiling_grid(longitude: float, latitude: float, zone: int) -> None:
    assert utm_zone(longitude, latitude) == f"EPSG:{zone}"


@pytest.mark.parametrize("latitude", [84.1, -80.1])
def test_a_place_beyond_utm_is_refused(latitude: float) -> None:
    with pytest.raises(FusionError, match="UTM does not reach"):
        utm_zone(10.0, latitude)


@settings(max_examples=30)
@given(
    st.floats(-179.9, 179.9),
    st.floats(-79.0, 83.0),
    st.sampled_from([0.0, 5.0]),
    st.sampled_from([0.0, 3.0]),
)
def test_the_place_lies_in_the_pixel_south_east_of_the_middle(
    longitude: float, latitude: float, east: float, north: float
) -> None:
    square = roi(longitude, latitude, phase=(east, north))
    x, y = pyproj.Transformer.from_crs("EPSG:4326", square.crs, always_xy=True).transform(
        longitude, latitude
    )
    assert -1e-5 <= x - (square.west + 640) <= 10 + 1e-5
    assert -1e-5 <= (square.north - 640) - y <= 10 + 1e-5
    assert (square.west - east) % 10 == pytest.approx(0, abs=1e-6)
    assert (square.north - north) % 10 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", (10.0, 0.0, 60_000.0, 0.0, -10.0, 5_620_000.0)),
        ("EPSG:4326", (1 / 3600, 0.0, 8.9, 0.0, -1 / 3600, 50.6)),
        ("EPSG:3035", (8.0, 6.0, 4_300_000.0, 6.0, -8.0, 3_000_000.0)),
    ],
)
def test_places_in_another_projection_are_those_of_proj(
    crs: str, transform: tuple[float, float, float, float, float, float]
) -> None:
    found = place(SQUARE, 10.0, Geometry(crs, transform, 1000, 1000))
    x, y = np.meshgrid(*SQUARE.centres(10.0))
    there = pyproj.Transformer.from_crs(SQUARE.crs, crs, always_xy=True).transform(x, y)
    a, b, c, d, e, f = transform
    assert not found.straight
    # To a hundredth of a pixel: nodes are straight between.
    np.testing.assert_allclose(
        a * (found.cols + 0.5) + b * (found.rows + 0.5) + c,
        there[0],
        rtol=0,
        atol=0.002 * np.hypot(a, d),
    )
    np.testing.assert_allclose(
        d * (found.cols + 0.5) + e * (found.rows + 0.5) + f,
        there[1],
        rtol=0,
        atol=0.002 * np.hypot(b, e),
    )
    assert found.ratio == pytest.approx(10.0 / _metres(crs, transform), rel=0.01)


def _metres(crs: str, transform: tuple[float, ...]) -> float:
    """Root of the area of a pixel on the ground, at the square."""
    a, b, _, d, e, _ = transform
    if crs != "EPSG:4326":
        return float(np.sqrt(abs(a * e - b * d)))
    geod = pyproj.Geod(ellps="WGS84")
    at = pyproj.Transformer.from_crs(SQUARE.crs, crs, always_xy=True).transform(500_640, 5_599_360)
    across = geod.inv(*at, at[0] + a, at[1])[2]
    return float(np.sqrt(across * geod.inv(*at, at[0], at[1] + e)[2]))


def test_a_file_on_the_grid_is_taken_whole() -> None:
    on = place(SQUARE, 10.0, Geometry(SQUARE.crs, (10, 0, 499_000, 0, -10, 5_601_000), 500, 500))
    assert on.whole
    assert reach(on, 500, 500) == (100, 100, 128, 128)
    # A shift of a fourteenth digit is none, and one of a millimetre is no pixel.
    for shift, whole in ((1e-9, True), (1e-3, True), (1.0, False)):
        near = (10, 0, 499_000 + shift, 0, -10, 5_601_000)
        assert place(SQUARE, 10.0, Geometry(SQUARE.crs, near, 500, 500)).whole == whole


# Resampling, against the plainest way there is.


def window(pixels: np.ndarray, valid: NDArray[np.bool_] | None = None) -> Window:
    return Window(pixels, np.ones(pixels.shape, bool) if valid is None else valid, 0, 0)


def lattice(cell: float, west: float, north: float, size: int = 200) -> Geometry:
    return Geometry(SQUARE.crs, (cell, 0.0, west, 0.0, -cell, north), size, size)


def test_bilinear_is_that_of_scipy() -> None:
    from scipy.ndimage import map_coordinates

    pixels = np.random.default_rng(0).normal(size=(2, 200, 200))
    for geometry in (
        lattice(20.0, 499_003.0, 5_601_007.0),
        Geometry("EPSG:32633", (20.0, 0.0, X33 - 1_300.0, 0.0, -20.0, Y33 + 1_400.0), 200, 200),
    ):
        where = place(SQUARE, 10.0, geometry)
        got, present = resample(window(pixels), where, "bilinear")
        rows, cols = (
            np.meshgrid(where.rows, where.cols, indexing="ij")
            if where.straight
            else (where.rows, where.cols)
        )
        inside = (rows > 0) & (rows < 199) & (cols > 0) & (cols < 199)
        assert inside.mean() > 0.9
        for band, values in zip(got, pixels, strict=True):
            wanted = map_coordinates(values, [rows, cols], order=1, mode="nearest")
            np.testing.assert_allclose(band[inside], wanted[inside], atol=1e-12)
        assert present[:, inside].all()


@pytest.mark.parametrize("how", ["average", "bilinear"])
@pytest.mark.parametrize("ratio", [2, 5])
def test_finer_pixels_are_averaged(how: str, ratio: int) -> None:
    size = 128 * ratio
    pixels = np.random.default_rng(1).normal(size=(1, size, size))
    where = place(SQUARE, 10.0, lattice(10.0 / ratio, SQUARE.west, SQUARE.north, size))
    got, present = resample(window(pixels), where, how)
    blocks = pixels.reshape(1, 128, ratio, 128, ratio).mean(axis=(2, 4))
    assert present.all()
    np.testing.assert_allclose(got, blocks, atol=1e-12)


def test_an_average_weighs_by_area() -> None:
    pixels = np.random.default_rng(1).normal(size=(1, 640, 640))
    valid = np.random.default_rng(2).uniform(size=pixels.shape) < 0.7
    where = place(SQUARE, 10.0, lattice(3.0, 499_998.0, 5_600_001.0, 640))
    got, present = resample(window(pixels, valid), where, "average")
    # Thirds of the pixels, of which 10 lie along each pixel of the tile.
    fine, there = (np.kron(v[0], np.ones((3, 3)))[1:1281, 2:1282] for v in (pixels * valid, valid))
    total, weight = (v.reshape(128, 10, 128, 10).sum(axis=(1, 3)) for v in (fine, there))
    np.testing.assert_allclose(got[0][present[0]], (total / weight)[present[0]], atol=1e-12)
    assert 0.6 < present.mean() < 0.8


def test_crooked_pixels_are_averaged_nearly_by_area() -> None:
    x, y = np.mgrid[0:700, 0:700]
    smooth = (np.sin(x / 9.0) + np.cos(y / 11.0))[None]
    geometry = Geometry("EPSG:32633", (4.0, 0.0, X33 - 1_300, 0.0, -4.0, Y33 + 1_300), 700, 700)
    where = place(SQUARE, 10.0, geometry)
    got, present = resample(window(smooth), where, "average")
    assert present.all()
    at = np.sin(where.rows / 9.0) + np.cos(where.cols / 11.0)
    # The mean of a sine over 2.5 pixels is lower than its middle by (2.5 / 9)^2 / 24 of it.
    np.testing.assert_allclose(got[0], at, atol=0.02)


def test_the_commonest_class_wins_and_none_is_invented() -> None:
    draw = np.random.default_rng(2)
    codes = draw.choice([10, 40, 80], (1, 640, 640), p=[0.5, 0.3, 0.2]).astype(np.uint8)
    where = place(SQUARE, 10.0, lattice(2.0, SQUARE.west, SQUARE.north, 640))
    got, present = resample(window(codes), where, "mode")
    assert present.all()
    assert got.dtype == np.uint8
    assert np.isin(got, codes).all()
    parts = codes.reshape(128, 5, 128, 5).transpose(0, 2, 1, 3).reshape(128, 128, 25)
    counts = np.stack([(parts == code).sum(axis=2) for code in (10, 40, 80)])
    most = counts.max(axis=0)
    first = np.array([10, 40, 80])[counts.argmax(axis=0)]
    # Of equally common ones that of the centre, else the least.
    centre = parts[:, :, 12]
    ties = (np.array([10, 40, 80])[:, None, None] == centre) & (counts == most)
    wanted = np.where(ties.any(axis=0), centre, first)
    assert ((counts == most).sum(axis=0) > 1).sum() > 100
    np.testing.assert_array_equal(got[0], wanted)


def test_the_commonest_class_wins_in_crooked_pixels_too() -> None:
    codes = np.random.default_rng(3).choice([1, 5, 7], (1, 90, 90)).astype(np.uint8)
    codes = np.kron(codes, np.ones((8, 8), np.uint8))
    geometry = Geometry("EPSG:32633", (4.0, 0.0, X33 - 1_300, 0.0, -4.0, Y33 + 1_300), 720, 720)
    where = place(SQUARE, 10.0, geometry)
    got, present = resample(window(codes), where, "mode")
    assert present.all()
    # Far from borders the class is that of the centre.
    row, col = np.rint(where.rows).astype(int), np.rint(where.cols).astype(int)
    deep = ((row % 8 >= 2) & (row % 8 <= 5)) & ((col % 8 >= 2) & (col % 8 <= 5))
    assert deep.sum() > 1000
    np.testing.assert_array_equal(got[0][deep], codes[0, row, col][deep])
    assert (got[0] == codes[0, row, col]).mean() > 0.9


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["nearest", "mode", "bilinear", "average"]),
    st.sampled_from(["on", "shifted", "coarse", "fine", "turned"]),
)
def test_what_is_absent_has_no_weight_and_presence_is_that_of_the_pixel_below(
    seed: int, how: str, where_: str
) -> None:
    geometry = {
        "on": lattice(10.0, 499_800.0, 5_600_200.0, 100),
        "shifted": lattice(10.0, 499_803.0, 5_600_203.0, 100),
        "coarse": lattice(60.0, 499_800.0, 5_600_200.0, 20),
        "fine": lattice(4.0, 500_100.0, 5_599_900.0, 200),
        "turned": Geometry("EPSG:4326", (1e-4, 0.0, 8.998, 0.0, -1e-4, 50.551), 100, 100),
    }[where_]
    draw = np.random.default_rng(seed)
    shape = (2, geometry.height, geometry.width)
    pixels = draw.integers(1, 5, shape).astype(draw.choice([np.float32, np.float64]))
    valid = draw.uniform(size=shape) < 0.8
    where = place(SQUARE, 10.0, geometry)
    got, present = resample(window(pixels, valid), where, how)
    other, also = resample(window(np.where(valid, pixels, 1e9), valid), where, how)
    np.testing.assert_array_equal(present, also)
    # The same to the bit: not even a weight of nothing times a lot.
    np.testing.assert_array_equal(got[present], other[present])
    assert got[present].min() >= 1 - 1e-6
    assert got[present].max() <= 4 + 1e-6
    if how in ("nearest", "mode"):
        assert set(np.unique(got[present])) <= {1.0, 2.0, 3.0, 4.0}
    rows, cols = (
        np.meshgrid(where.rows, where.cols, indexing="ij")
        if where.straight
        else (where.rows, where.cols)
    )
    row, col = np.floor(rows + 0.5).astype(int), np.floor(cols + 0.5).astype(int)
    inside = (row >= 0) & (row < shape[1]) & (col >= 0) & (col < shape[2])
    below = valid[:, row.clip(0, shape[1] - 1), col.clip(0, shape[2] - 1)] & inside
    np.testing.assert_array_equal(present, below)


def test_only_the_pixels_that_are_needed_are_read() -> None:
    far = lattice(10.0, 900_000.0, 5_600_000.0)
    assert reach(place(SQUARE, 10.0, far), 200, 200) is None
    for geometry in (lattice(20.0, 499_003.0, 5_601_007.0), lattice(3.0, 500_100.0, 5_599_900.0)):
        where = place(SQUARE, 10.0, geometry)
        row, col, rows, cols = reach(where, 200, 200) or (0, 0, 0, 0)
        assert rows < 200 or cols < 200 or geometry.transform[0] == 3.0
        pixels = np.random.default_rng(3).normal(size=(1, 200, 200))
        part = pixels[:, row : row + rows, col : col + cols]
        for how in ("nearest", "bilinear", "average"):
            whole = resample(window(pixels), where, how)
            cut = resample(Window(part, None, row, col), where, how)
            np.testing.assert_array_equal(whole[1], cut[1])
            np.testing.assert_allclose(whole[0][whole[1]], cut[0][whole[1]], atol=1e-12)


# Places.


def test_a_day_before_the_satellites_becomes_the_same_season_after() -> None:
    assert season_of(datetime.date(2020, 2, 29)) == datetime.date(2020, 2, 29)
    assert season_of(datetime.date(2009, 5, 1)) == datetime.date(2018, 5, 1)
    assert season_of(datetime.date(2008, 12, 31)) == datetime.date(2018, 12, 31)


def test_one_place_a_site_of_its_latest_visit_and_shallowest_layer() -> None:
    import polars as pl

    day = datetime.date
    rows = [
        ("a0", "a", 1.0, 50.0, 0.0, day(2009, 6, 1)),
        ("a1", "a", 1.1, 50.0, 20.0, day(2018, 6, 1)),
        ("a2", "a", 1.1, 50.0, 0.0, day(2018, 6, 1)),
        ("b0", "b", None, 50.0, 0.0, day(2018, 6, 1)),
        ("c0", "c", 2.0, 50.0, 0.0, None),
        ("d0", "d", 3.0, 51.0, 0.0, day(2009, 7, 1)),
    ]
    names = ["sample_id", "site", "longitude", "latitude", "depth_top", "date_start"]
    found = of_samples(pl.DataFrame(rows, schema=names, orient="row"))
    assert [one.id for one in found] == ["a2", "d0"]
    assert found[0].longitude == 1.1
    assert found[1].date == day(2018, 7, 1)
    assert found[1].extra == {"site": "d", "sampled": "2009-07-01"}


def test_a_balanced_choice_holds_equal_numbers_that_lie_apart() -> None:
    draw = np.random.default_rng(4)
    longitude, latitude = draw.uniform(5, 6, 3000), draw.uniform(50, 51, 3000)
    kinds = draw.choice(["forest", "field", "bog"], 3000, p=[0.6, 0.38, 0.02]).tolist()
    chosen = balanced(longitude, latitude, kinds, 30)
    counts = {kind: [kinds[i] for i in chosen].count(kind) for kind in set(kinds)}
    assert counts["forest"] == counts["field"] == 30
    assert 20 <= counts["bog"] <= 30
    geod = pyproj.Geod(ellps="WGS84")
    here = [(longitude[i], latitude[i]) for i in chosen]
    pairs = [(a, b) for n, a in enumerate(here) for b in here[:n]]
    first, second = np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])
    assert geod.inv(*first.T, *second.T)[2].min() > 2_540
    np.testing.assert_array_equal(chosen, balanced(longitude, latitude, kinds, 30))
    assert list(chosen) != list(balanced(longitude, latitude, kinds, 30, seed=1))
    with pytest.raises(FusionError, match="not of one number"):
        balanced(longitude, latitude, kinds[:4], 1)


def test_the_columns_of_a_world_grid_widen_towards_the_pole() -> None:
    grid = world_grid(1.0, (0.0, 0.0, 60.0, 80.0))
    south, north = grid[grid[:, 1] == 0.5], grid[grid[:, 1] == 79.5]
    assert len(south) == 60
    assert len(north) == round(60 * np.cos(np.radians(79.5)))
    assert len(np.unique(grid[:, 1])) == 80


def test_a_world_grid_goes_on_beyond_the_antimeridian() -> None:
    across = world_grid(1.0, (177.0, 0.0, -178.0, 1.0))
    assert across[:, 0].tolist() == pytest.approx([177.5, 178.5, 179.5, -179.5, -178.5], abs=0.01)


def test_places_without_a_scene_are_left_out() -> None:
    from adapters.scenes.scene import Scene

    moment = datetime.datetime(2021, 6, 1, tzinfo=datetime.UTC)
    boxes = [("sentinel2", (10.0, 50.0, 11.0, 51.0)), ("sentinel2", (179.0, 0.0, -179.0, 1.0)),
             ("relief", (20.0, 50.0, 21.0, 51.0))]  # fmt: skip
    scenes = [Scene("s", "c", m, moment, box, {}, "open", "l") for m, box in boxes]
    at = [(10.5, 50.5), (20.5, 50.5), (179.5, 0.5), (-179.5, 0.5), (0.0, 0.5)]
    places = [Place(str(n), *xy, moment.date()) for n, xy in enumerate(at)]
    assert [one.id for one in covered(places, scenes)] == ["0", "2", "3"]
