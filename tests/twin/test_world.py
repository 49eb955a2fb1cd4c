"""Layers come back from their native files as they were given, by the readers of the real ones."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from adapters.errors import SpecError
from adapters.spec import SourceSpec, load_spec
from adapters.twin import grids
from adapters.twin.europe import Europe
from adapters.twin.world import Lattice, World, write_layers

CORNER = (2_500_000.0, 5_500_000.0)


def _spec(native: str, **said: object) -> SourceSpec:
    """A raster source of one column."""
    whole = load_spec("arsenic_topsoils").model_dump()
    column = whole["columns"][0] | {"native": native, **said}
    read = {"reader": "netcdf" if ".nc" in native else "raster", "crs": "EPSG:3035"}
    tables = {"layers": {"files": ["*"], "read": read | said.pop("read", {})}}
    column.pop("read", None)
    return SourceSpec.model_validate(
        whole | {"columns": [column], "tables": tables, "folder": Path()}
    )


@pytest.fixture(scope="module")
def world() -> World:
    return World(Europe(7), "tiny")


@pytest.fixture(scope="module")
def lattice(world: World) -> Lattice:
    return world.grid("EPSG:3035", 1000.0)


@pytest.fixture(scope="module")
def values(lattice: Lattice) -> np.ndarray:
    return np.where(lattice.land, lattice.soil()["arsenic"], np.nan)


@pytest.mark.parametrize("shape", [(1, 1), (4, 256), (5, 7), (70, 60), (131, 517)])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_gdal_reads_the_binary_grid_bit_by_bit(
    tmp_path: Path, shape: tuple[int, int], dtype: str
) -> None:
    draw = np.random.default_rng(0)
    if dtype == "float32":
        # Every kind of float: tiny, huge, negative, with all bits of the mantissa in use.
        pixels = (draw.normal(size=shape) * 10.0 ** draw.integers(-30, 30, shape)).astype(dtype)
        pixels.flat[1 :: shape[1]] = np.nan
    else:
        pixels = draw.integers(-(2**31) + 2, 2**31 - 1, shape, dtype=dtype)
        pixels.flat[1 :: shape[1]] = grids.INTEGER_NODATA
    grids.write_binary_grid(tmp_path / "grid", pixels, *CORNER, 250.0)
    with rasterio.open(tmp_path / "grid") as source:
        assert source.driver == "AIG"
        assert source.transform[:6] == (250.0, 0.0, CORNER[0], 0.0, -250.0, CORNER[1])
        read, known = source.read(1), source.read_masks(1) > 0
    filled = np.where(np.isnan(pixels), grids.FLOAT_NODATA, pixels).astype(dtype)
    assert read.shape == shape
    assert read.astype(dtype)[known].tobytes() == pixels[known].tobytes()
    assert (known == (filled != (grids.FLOAT_NODATA if dtype == "float32" else -(2**31) + 1))).all()


def test_statistics_of_a_binary_grid_without_any_value(tmp_path: Path) -> None:
    grids.write_binary_grid(tmp_path / "grid", np.full((3, 3), np.nan, "float32"), *CORNER, 250.0)
    with rasterio.open(tmp_path / "grid") as source:
        assert not source.read_masks(1).any()


@pytest.mark.parametrize(
    "native", ["a.tif", "a.asc", "a.rst", "a/", "folder/a.tif", "folder/a/", "a.nc#as", "a.tif#as"]
)
def test_every_format_holds_the_values(
    tmp_path: Path, lattice: Lattice, values: np.ndarray, native: str
) -> None:
    write_layers(_spec(native), tmp_path, lattice, {"arsenic": values})
    file, _, part = native.partition("#")
    path = f"netcdf:{tmp_path / file}:{part}" if file.endswith(".nc") else tmp_path / file
    with rasterio.open(path) as source:
        read, known = source.read(1), source.read_masks(1) > 0
        assert source.bounds.left == lattice.west
        assert source.bounds.top == lattice.north
        assert source.descriptions[0] == (part if file.endswith(".tif") and part else None)
    assert (known == lattice.land).all()
    assert read[known] == pytest.approx(values[known], rel=2.5e-4)


def test_the_reader_of_sources_reads_them(
    tmp_path: Path, lattice: Lattice, values: np.ndarray
) -> None:
    from adapters.readers.netcdf import open_variable
    from adapters.readers.raster import open_band

    for native in ("a.tif", "a.asc", "a.rst", "a/"):
        spec = _spec(native)
        write_layers(spec, tmp_path, lattice, {"arsenic": values})
        read = spec.tables["layers"].read
        with open_band(spec, read, tmp_path / native, native, "") as grid:
            said = grid.rows(0, grid.height)
        assert said == pytest.approx(values, rel=2.5e-4, nan_ok=True), native
    spec = _spec("a.nc#as", axis="month")
    write_layers(spec, tmp_path, lattice, {"arsenic": np.stack([values] * 3)})
    read = spec.tables["layers"].read
    with open_variable(spec, read, tmp_path / "a.nc", "a.nc", "as", as_array=True) as steps:
        assert len(steps) == 3
        assert steps[2].rows(0, lattice.height) == pytest.approx(values, rel=2.5e-4, nan_ok=True)


@pytest.mark.parametrize("native", ["a.tif", "a.asc", "a.rst", "a/", "a.nc#as"])
def test_bytes_depend_on_the_content_alone(
    tmp_path: Path, lattice: Lattice, values: np.ndarray, native: str
) -> None:
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        write_layers(_spec(native), tmp_path / run, lattice, {"arsenic": values})
    first, second = (
        {p.name: p.read_bytes() for p in (tmp_path / run).rglob("*") if p.is_file()}
        for run in ("one", "two")
    )
    assert first == second != {}


def test_values_are_written_in_the_native_unit(
    tmp_path: Path, lattice: Lattice, values: np.ndarray
) -> None:
    spec = _spec("a.tif", unit="ug/kg")
    write_layers(spec, tmp_path, lattice, {"arsenic": values}, dtype="int32")
    with rasterio.open(tmp_path / "a.tif") as source:
        read = source.read(1)
        assert source.nodata == -(2**31)
    assert read[lattice.land] == pytest.approx(1000 * values[lattice.land], abs=0.5)


def test_bands_of_several_columns_make_one_file(
    tmp_path: Path, lattice: Lattice, values: np.ndarray
) -> None:
    whole = load_spec("arsenic_topsoils")
    columns = [
        whole.columns[0].model_copy(update={"native": "a.tif#{2..3}"}),
        whole.columns[1].model_copy(update={"native": "a.tif#1"}),
    ]
    spec = whole.model_copy(update={"columns": tuple(columns)})
    layers = {"arsenic": np.stack([values, 2 * values])}
    with pytest.raises(SpecError, match=r"bands \[2, 3\] are given: some are missing"):
        write_layers(spec, tmp_path, lattice, layers)
    layers["arsenic_exceedance_probability"] = values / 2
    write_layers(spec, tmp_path, lattice, layers)
    with rasterio.open(tmp_path / "a.tif") as source:
        means = [np.mean(source.read(b)[lattice.land]) for b in (1, 2, 3)]
    assert means == pytest.approx(np.nanmean(values) * np.array([0.5, 1, 2]), rel=1e-3)


def test_a_glob_is_one_file_a_country(tmp_path: Path, lattice: Lattice, values: np.ndarray) -> None:
    write_layers(_spec("as_*.tif"), tmp_path, lattice, {"arsenic": values})
    files = sorted(p.name for p in tmp_path.iterdir())
    assert "as_DE.tif" in files
    seen = np.zeros(values.shape, int)
    for file in files:
        with rasterio.open(tmp_path / file) as source:
            row, col = source.index(source.bounds.left + 1, source.bounds.top - 1)
            row = round((lattice.north - source.bounds.top) / lattice.cell)
            col = round((source.bounds.left - lattice.west) / lattice.cell)
            known = source.read_masks(1) > 0
            assert not known.all() or known.size < 10
            seen[row : row + source.height, col : col + source.width] += known
    assert (seen == lattice.land).all()


def test_a_glob_may_be_cut_into_strips(
    tmp_path: Path, lattice: Lattice, values: np.ndarray
) -> None:
    spec = _spec("as_*.tif")
    write_layers(spec, tmp_path, lattice, {"arsenic": values}, names=["west", "east"])
    with rasterio.open(tmp_path / "as_west.tif") as a, rasterio.open(tmp_path / "as_east.tif") as b:
        assert a.bounds.right == b.bounds.left
        assert a.width + b.width == lattice.width


def test_undeclared_nodata_is_written_and_not_said(
    tmp_path: Path, lattice: Lattice, values: np.ndarray
) -> None:
    spec = _spec("a.tif", read={"nodata_below": -3e38})
    write_layers(spec, tmp_path, lattice, {"arsenic": values}, nodata="undeclared")
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.nodata is None
        assert (source.read(1)[~lattice.land] == np.float32(grids.FLOAT_NODATA)).all()
    with pytest.raises(SpecError, match="neither `missing` nor `nodata_below`"):
        write_layers(_spec("a.tif"), tmp_path, lattice, {"arsenic": values}, nodata="undeclared")


@pytest.mark.parametrize(
    ("said", "layers", "options", "problem"),
    [
        ({}, 2, {}, "1 native layers and 2 are given"),
        ({"native": "a.png"}, 1, {}, "writes no 1 layers into a.png"),
        ({}, 1, {"dtype": "uint8", "nodata": "none"}, "NaN has no place"),
        ({"unit": "ug/kg"}, 1, {"dtype": "int8"}, "does not fit into int8"),
        ({"missing": ("0",)}, 0, {}, "stands for nodata, and a value is that number"),
    ],
)
def test_what_the_specification_does_not_allow_is_refused(
    tmp_path: Path, lattice: Lattice, values: np.ndarray,
    said: dict, layers: int, options: dict, problem: str,
) -> None:  # fmt: skip
    spec = _spec(**{"native": "a.tif#1", **said})
    given = {0: 0 * values, 1: values, 2: np.stack([values, values])}[layers]
    with pytest.raises(SpecError, match=problem):
        write_layers(spec, tmp_path, lattice, {"arsenic": given}, **options)


def test_grids_keep_to_the_pixels_of_their_size() -> None:
    from adapters.twin.world import PIXELS

    for size, most in PIXELS.items():
        world = World(Europe(7), size)
        whole = world.grid("EPSG:3035", 250.0)
        assert 0.5 * most < whole.width * whole.height < 1.2 * most
        assert whole.cell % 250 == 0
        # Sources of other native cells share the grid.
        assert world.grid("EPSG:3035", 1000.0) is whole
        assert world.grid("EPSG:3035", 500_000.0).cell == 500_000.0
        few = world.grid("EPSG:4326", 1 / 120, (5.7, 49.4, 6.6, 50.2))
        assert few.cell == pytest.approx(few.cell // (1 / 120) * (1 / 120), rel=0.2)
        assert few.width * few.height < 1.5 * most


def test_cells_are_where_the_grid_says(world: World, lattice: Lattice) -> None:
    assert lattice.x[0, 0] == lattice.west + lattice.cell / 2
    assert lattice.y[0, 0] == lattice.north - lattice.cell / 2
    degrees = world.grid("EPSG:4326", 0.5)
    place = degrees.place
    along = degrees.west + degrees.cell * (np.arange(degrees.width) + 0.5)
    assert place["longitude"][3] == pytest.approx(along, abs=1e-6)
    assert 0.1 < lattice.land.mean() < 0.6
