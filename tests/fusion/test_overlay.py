"""Pixels at points: the right cell, nothing invented beyond the data."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from small_sources import write_raster

from adapters.errors import FusionError
from fusion.overlay import Layer, sample_layers

RANDOM = np.random.default_rng(0)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    block=st.sampled_from([None, 16, 32]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_nearest_reads_the_cell_a_point_lies_in(
    tmp_path: Path, height: int, width: int, block: int | None, threads: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-5, 100, (height, width)).astype(np.int16)
    path = write_raster(tmp_path / "a.tif", values, corner=(0, height), nodata=-5, block=block)
    x, y = random.uniform(-2, width + 2, 300), random.uniform(-2, height + 2, 300)
    found = sample_layers([Layer(path)], x, y, threads=threads)[:, 0]
    column, row = np.floor(x).astype(int), np.floor(height - y).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    expected = np.full(300, np.nan)
    expected[inside] = values[row[inside], column[inside]]
    expected[expected == -5] = np.nan
    np.testing.assert_array_equal(found, expected)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(a=st.floats(-5, 5), b=st.floats(-5, 5), block=st.sampled_from([None, 16]))
def test_bilinear_is_exact_on_a_plane(
    tmp_path: Path, a: float, b: float, block: int | None
) -> None:
    row, column = np.mgrid[0:40, 0:50]
    values = (a * (column + 0.5) + b * (40 - row - 0.5)).astype(np.float64)
    path = write_raster(tmp_path / "p.tif", values, corner=(0, 40), block=block)
    x, y = RANDOM.uniform(0.5, 49.5, 200), RANDOM.uniform(0.5, 39.5, 200)
    found = sample_layers([Layer(path, resampling="bilinear")], x, y)[:, 0]
    np.testing.assert_allclose(found, a * x + b * y, atol=1e-9)


def test_bilinear_leaves_nodata_out_and_stays_within_its_neighbours(tmp_path: Path) -> None:
    values = np.array([[1.0, -9999.0], [3.0, 5.0]])
    path = write_raster(tmp_path / "n.tif", values, corner=(0, 2))
    layer = [Layer(path, resampling="bilinear")]
    # In the middle of the four centres all weights are equal: the mean of the three that are known.
    assert sample_layers(layer, np.array([1.0]), np.array([1.0]))[0, 0] == pytest.approx(3.0)
    # On a centre only that cell counts, and it has no data.
    assert np.isnan(sample_layers(layer, np.array([1.5]), np.array([1.5]))[0, 0])
    # At the corner of the grid only one cell is there.
    assert sample_layers(layer, np.array([0.1]), np.array([1.9]))[0, 0] == 1.0


def test_float_nodata_is_compared_in_the_type_of_the_file(tmp_path: Path) -> None:
    nodata = -3.4e38
    values = np.array([[nodata, 2.0]], dtype=np.float32)
    path = write_raster(tmp_path / "f.tif", values, corner=(0, 1), nodata=nodata)
    found = sample_layers([Layer(path)], np.array([0.5, 1.5]), np.array([0.5, 0.5]))[:, 0]
    assert np.isnan(found[0])
    assert found[1] == 2.0


def test_layers_of_several_grids_and_systems_agree_with_rasterio(tmp_path: Path) -> None:
    lon, lat = RANDOM.uniform(9.0, 11.0, 500), RANDOM.uniform(47.0, 49.0, 500)
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(lon, lat)
    degrees = write_raster(
        tmp_path / "d.tif", RANDOM.normal(size=(60, 60)), corner=(8.5, 49.5), cell=0.05, block=16
    )
    metres = write_raster(
        tmp_path / "m.tif",
        RANDOM.normal(size=(300, 300)),
        crs="EPSG:3035",
        corner=(x.min() - 500, y.max() + 500),
        cell=1000.0,
        block=64,
    )
    other = write_raster(
        tmp_path / "d2.tif", RANDOM.normal(size=(60, 60)), corner=(8.5, 49.5), cell=0.05
    )
    found = sample_layers([Layer(metres), Layer(degrees), Layer(other)], lon, lat, threads=2)
    for column, (path, points) in enumerate(
        [(metres, (x, y)), (degrees, (lon, lat)), (other, (lon, lat))]
    ):
        with rasterio.open(path) as data:
            expected = np.array([v[0] for v in data.sample(zip(*points, strict=True))])
        np.testing.assert_array_equal(found[:, column], expected)


def test_a_point_without_coordinates_has_no_value(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((4, 4)), corner=(0, 4))
    found = sample_layers([Layer(path)], np.array([np.nan, 1.0, np.inf]), np.array([1.0, 1.0, 2.0]))
    assert np.isnan(found[[0, 2], 0]).all()
    assert found[1, 0] == 1.0
    assert sample_layers([Layer(path)], np.array([]), np.array([])).shape == (0, 1)


def test_a_layer_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match=r"gone\.tif"):
        sample_layers([Layer(tmp_path / "gone.tif")], np.array([0.0]), np.array([0.0]))


def test_a_layer_without_crs_is_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.ones((2, 2)), crs=None)
    with pytest.raises(FusionError, match="no CRS"):
        sample_layers([Layer(path)], np.array([0.0]), np.array([0.0]))
