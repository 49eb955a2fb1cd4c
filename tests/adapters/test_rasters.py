"""Raster sources: pixels in canonical units, nodata told, broken files refused."""

import math
import os
import re
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
import rasterio
import xarray
from making import column, make_raw, make_spec
from rasterio.transform import from_origin

from adapters.errors import CodebookError, ReadError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise
from adapters.tally import Tally


def _tiff(path: Path, values: np.ndarray, crs: str | None = "EPSG:3035", **more: object) -> Path:
    bands = values[None] if values.ndim == 2 else values
    profile = {
        "driver": "GTiff",
        "count": len(bands),
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype,
        "crs": crs,
        "transform": from_origin(4e6, 3e6, 250, 250),
    }
    scale, offset = more.pop("scale", None), more.pop("offset", None)
    with rasterio.open(path, "w", **(profile | more)) as target:
        target.write(bands)
        if scale is not None:
            target.scales, target.offsets = [scale] * len(bands), [offset] * len(bands)
    return path


def _run(
    settings: Settings,
    columns: list[dict[str, object]],
    files: dict[str, Path | bytes],
    reader: str = "raster",
    **read: object,
) -> Standard:
    spec = make_spec(
        settings.data_root / "spec",
        columns,
        modality=reader,
        space={"support": "grid"},
        tables={"main": {"files": list(files), "read": {"reader": reader} | read}},
    )
    return standardise(spec, make_raw(settings, files), settings)


def _pixels(settings: Settings, made: Standard, row: int = 0) -> np.ndarray:
    with rasterio.open(settings.data_root / made.table["path"][row]) as source:
        assert source.profile["tiled"]
        # A side below 512 is one tile, whose sides are multiples of 16.
        sides = (min(512, math.ceil(side / 16) * 16) for side in source.shape)
        assert source.block_shapes == [tuple(sides)]
        return source.read(1, masked=True).filled(np.nan)


def test_numbers_are_converted_and_nodata_is_told(settings: Settings, tmp_path: Path) -> None:
    values = np.full((600, 700), 12.0, np.float32)
    values[0, 0], values[0, 1], values[0, 2], values[0, 3] = -3.4e38, np.nan, 2000, -9999
    made = _run(
        settings,
        [
            column(
                "carbon",
                native="a.tif",
                quantity="organic_carbon",
                unit="percent",
                basis="mass",
                minimum=0,
                maximum=60,
            )
        ],
        {"a.tif": _tiff(tmp_path / "a.tif", values, nodata=-9999)},
        nodata_below=-3e38,
    )
    row = made.table.row(0, named=True)
    assert row["unit"] == "g/kg"
    assert row["row_ref"] == "a.tif"
    assert (row["minimum"], row["maximum"]) == pytest.approx((120, 120))
    assert row["valid_share"] == pytest.approx(1 - 4 / values.size)
    assert row["path"] == f"std/pits/{made.version}/carbon.tif"
    pixels = _pixels(settings, made)
    assert np.isnan(pixels[0, :4]).all()
    np.testing.assert_allclose(pixels[1:], 120)
    flag = made.flags.row(0, named=True)
    assert (flag["row_ref"], flag["column"], flag["flag"]) == ("a.tif", "carbon", "out_of_range")
    assert flag["detail"] == "1 of 420000 pixels outside 0 to 60 percent"
    assert flag["value"] == pytest.approx(20000)


def test_the_farthest_of_the_refused_values_keeps_its_sign() -> None:
    tally = Tally()
    tally.refuse(np.array([70.0, -9999.0]))
    tally.refuse(np.array([500.0]))
    assert (tally.worst, tally.refused) == (-9999.0, 3)
    column = load_spec("zinc_topsoils").column("zinc")
    (flag,) = tally.flags("a.tif", column, 20, None, {})
    assert flag[4:] == (-9999.0, "3 of 20 pixels outside 0 to 5000 mg/kg")
    tally.refuse(np.array([-1.0, -1.0, -1.0, 6000.0]))
    tally.refuse(np.array([-1.0, -1.0]))
    (flag,) = tally.flags("a.tif", column, 20, None, {})
    assert flag[5] == "9 of 20 pixels outside 0 to 5000 mg/kg; 5 of them are -1"


def _of_one(share: float, value: float, others: np.ndarray) -> Tally:
    tally = Tally()
    for strip in np.array_split(others, 3):
        same = np.full(round(strip.size * share / (1 - share)), value)
        tally.add(np.random.default_rng(1).permutation(np.concatenate([strip, same])))
    return tally


def test_a_value_that_takes_a_layer_over_is_told() -> None:
    spec, others = load_spec("zinc_topsoils"), np.linspace(5, 90, 30_000)
    for value in (0.0, 255.0):
        (flag,) = _of_one(0.64, value, others).flags("a.tif", spec.column("zinc"), 99_000, None, {})
        assert flag[:5] == ("a.tif", "zinc", "one_value", None, value)
        # Of a part of the pixels, which lie evenly among them.
        assert re.search(rf" of 99000 pixels are exactly {value:g}, 6[345]% of those with", flag[5])
    few = _of_one(0.1, 0.0, others)
    assert few.flags("a.tif", spec.column("zinc"), 99_000, None, {}) == []
    # Of twenty classes one may well be on most places.
    assert _of_one(0.64, 0.0, np.repeat(np.arange(1.0, 20), 90)).dominant() is None
    # Where nothing grows on most places, nothing is lost there.
    loss = load_spec("rusle2015_soil_loss").columns[0]
    assert _of_one(0.64, 0.0, others).flags("a.tif", loss, 99_000, None, {}) == []


def test_scale_and_bands_and_arrays(settings: Settings, tmp_path: Path) -> None:
    stored = np.array([[[10, 20]], [[30, -1]]], np.int16)
    path = _tiff(tmp_path / "a.tif", stored, nodata=-1, scale=0.1, offset=5.0)
    made = _run(settings, [column("t", native="a.tif#{1..2}")], {"a.tif": path})
    assert made.table.select("row_ref", "element").rows() == [("a.tif#1", 0), ("a.tif#2", 1)]
    np.testing.assert_allclose(_pixels(settings, made, 0), [[6, 7]])
    np.testing.assert_allclose(_pixels(settings, made, 1), [[8, np.nan]])
    assert made.table["path"][1].endswith("/t_1.tif")


def test_masked_pixels_hold_no_value(settings: Settings, tmp_path: Path) -> None:
    path = _tiff(tmp_path / "a.tif", np.array([[0, 7], [8, 9]], np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(np.array([[0, 255], [255, 255]], np.uint8))
    made = _run(settings, [column("a", native="a.tif")], {"a.tif": path})
    assert made.table["minimum"][0] == 7
    np.testing.assert_allclose(_pixels(settings, made), [[np.nan, 7], [8, 9]])


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_raster_without_a_place_is_refused(settings: Settings, tmp_path: Path) -> None:
    nowhere = _tiff(tmp_path / "a.tif", np.ones((2, 2), np.uint8), crs=None, transform=None)
    with pytest.raises(ReadError, match="does not say where its pixels lie") as caught:
        _run(settings, [column("a", native="a.tif")], {"a.tif": nowhere}, crs="EPSG:3035")
    assert "source pits, file a.tif" in str(caught.value)


def test_codes_are_whole_and_known(settings: Settings, tmp_path: Path) -> None:
    folder = settings.data_root / "spec" / "codebooks"
    folder.mkdir(parents=True)
    (folder / "zone.csv").write_text("code,label\n1,north\n2,south\n")
    files = {"z.tif": _tiff(tmp_path / "z.tif", np.array([[1, 2], [7, 255]], np.uint8), nodata=255)}
    said = column("zone", native="z.tif", kind="categorical", codebook="zone")
    with pytest.raises(
        CodebookError, match="1 pixels hold codes that codebook zone lacks"
    ) as caught:
        _run(settings, [said], files)
    assert "file z.tif" in str(caught.value)
    assert "'7'" in str(caught.value)
    made = _run(settings, [said | {"unknown_code": "flag"}], files)
    assert made.table["dtype"].to_list() == ["int32"]
    with rasterio.open(settings.data_root / made.table["path"][0]) as source:
        assert source.read(1, masked=True).mask.tolist() == [[False, False], [True, True]]
    assert made.flags["flag"].to_list() == ["code_unknown"]


def test_truncated_geotiff_is_refused_and_nothing_is_lost(
    settings: Settings, tmp_path: Path
) -> None:
    values = np.random.default_rng(1).normal(size=(700, 700)).astype(np.float32)
    whole = _tiff(tmp_path / "a.tif", values, tiled=True, compress="deflate")
    said = [column("a", native="a.tif")]
    good = _run(settings, said, {"a.tif": whole})
    cut = whole.read_bytes()[: whole.stat().st_size * 3 // 4]
    with pytest.raises(ReadError, match="the raster cannot be read") as caught:
        _run(settings, said, {"a.tif": cut})
    told = str(caught.value)
    assert "source pits, file a.tif" in told
    assert "fetch it again" in told
    kept = settings.std / "pits"
    assert [p.name for p in kept.iterdir()] == [good.version]
    assert not list(settings.scratch.glob("std-*"))
    np.testing.assert_array_equal(_pixels(settings, good), values)


def test_of_several_layers_the_broken_one_is_named(settings: Settings, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(300, 300)).astype(np.float32)
    data = _tiff(tmp_path / "t.tif", values, tiled=True, compress="deflate").read_bytes()
    files = {"t1.tif": data, "t2.tif": data[: len(data) // 2], "t3.tif": data}
    with pytest.raises(ReadError, match="the raster cannot be read") as caught:
        _run(settings, [column("t", native="t{1..3}.tif")], files)
    assert caught.value.file == "t2.tif"


@pytest.mark.parametrize("data", [b"", b"<html>Log in</html>", b"II*\0 no raster"])
def test_what_is_no_raster_is_refused(settings: Settings, data: bytes) -> None:
    with pytest.raises(ReadError) as caught:
        _run(settings, [column("a", native="a.tif")], {"a.tif": data})
    assert "file a.tif" in str(caught.value)
    assert "remedy" in str(caught.value)


def test_crs_is_declared_or_stated_and_the_same(settings: Settings, tmp_path: Path) -> None:
    values = np.ones((3, 3), np.float32)
    said = [column("a", native="a.tif")]
    bare = {"a.tif": _tiff(tmp_path / "bare.tif", values, crs=None)}
    with pytest.raises(ReadError, match="no CRS"):
        _run(settings, said, bare)
    assert "ETRS89" in _run(settings, said, bare, crs="EPSG:3035").table["crs"][0]
    stated = {"a.tif": _tiff(tmp_path / "a.tif", values)}
    with pytest.raises(ReadError, match="differ by"):
        _run(settings, said, stated, crs="EPSG:3034")
    with pytest.raises(ReadError, match="are of different regions"):
        _run(settings, said, stated, crs="EPSG:4326")


def test_missing_layer_and_missing_band(settings: Settings, tmp_path: Path) -> None:
    files = {"a.tif": _tiff(tmp_path / "a.tif", np.ones((2, 3, 3), np.float32))}
    with pytest.raises(ReadError, match="no files for layer 'b.tif'"):
        _run(settings, [column("b", native="b.tif")], files)
    with pytest.raises(ReadError, match="2 bands, and none is named"):
        _run(settings, [column("a", native="a.tif")], files)
    with pytest.raises(ReadError, match="no band '3'"):
        _run(settings, [column("a", native="a.tif#3")], files)
    made = _run(
        settings,
        [column("a", native="a.tif#1"), column("b", native="b.tif", required=False)],
        files,
    )
    assert made.table["column"].to_list() == ["a"]


def test_layers_that_may_be_absent(settings: Settings, tmp_path: Path) -> None:
    def lying(*names: str) -> dict[str, Path]:
        return {n: _tiff(tmp_path / n, np.ones((2, 3), np.float32)) for n in names}

    columns = [
        column("a", native="a.tif", required=False),
        column("b", native="b_{1..2}.tif", required=False),
    ]
    assert _run(settings, columns, lying("a.tif")).table["column"].to_list() == ["a"]
    assert _run(settings, columns, lying("b_1.tif", "b_2.tif")).table.height == 2
    with pytest.raises(ReadError, match="no files for layer 'b_2.tif'"):
        _run(settings, columns, lying("b_1.tif"))
    with pytest.raises(ReadError, match="none of its layers is there"):
        _run(settings, columns, lying("c.tif"))
    with pytest.raises(ReadError, match="and 'c.tif' is no layer"):
        _run(settings, columns, lying("a.tif", "c.tif"))
    # Where all layers are there, another raster is none of them.
    assert _run(settings, columns, lying("a.tif", "b_1.tif", "b_2.tif", "c.tif")).table.height == 3


def test_same_input_gives_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(40, 50)).astype(np.float32)
    files = {"a.tif": _tiff(tmp_path / "a.tif", values)}
    first = _run(settings, [column("a", native="a.tif")], files)
    again = _run(settings, [column("a", native="a.tif")], files)
    assert first.table.equals(again.table)


def _netcdf(path: Path, lon: list[float], **more: object) -> Path:
    lat = [40.0, 41.0, 42.0]
    values = np.arange(2 * 3 * len(lon), dtype=np.float64).reshape(2, 3, len(lon))
    data = xarray.Dataset(
        {"t": (("time", "lat", "lon"), values), "h": (("lat", "lon"), values[0])},
        coords={
            "time": [0, 1],
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(path, encoding=more)
    return path


def test_netcdf_has_north_up_and_longitudes_of_the_west(settings: Settings, tmp_path: Path) -> None:
    packed = {"h": {"dtype": "int16", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": 0}}
    path = _netcdf(tmp_path / "n.nc", [0.0, 1.0, 358.0, 359.0], **packed)
    made = _run(settings, [column("h", native="n.nc#h")], {"n.nc": path}, reader="netcdf")
    np.testing.assert_allclose(
        _pixels(settings, made), [[10, 11, 8, 9], [6, 7, 4, 5], [2, 3, 0, np.nan]]
    )
    assert made.table["transform"][0].to_list() == pytest.approx([1, 0, -2.5, 0, -1, 42.5])
    assert made.table["row_ref"].to_list() == ["n.nc#h"]


def test_third_axis_becomes_an_array_or_is_refused(settings: Settings, tmp_path: Path) -> None:
    files = {"n.nc": _netcdf(tmp_path / "n.nc", [0.0, 1.0])}
    with pytest.raises(ReadError, match=r"more axes than a layer has: time \(2\)") as caught:
        _run(settings, [column("t", native="n.nc#t")], files, reader="netcdf")
    assert "variable t" in str(caught.value)
    made = _run(settings, [column("t", native="n.nc#t", axis="year")], files, reader="netcdf")
    assert made.table["element"].to_list() == [0, 1]
    np.testing.assert_allclose(_pixels(settings, made, 1), [[10, 11], [8, 9], [6, 7]])
    with pytest.raises(ReadError, match="no variable 'x'"):
        _run(settings, [column("t", native="n.nc#x")], files, reader="netcdf")
    cut = files["n.nc"].read_bytes()[:2000]
    with pytest.raises(ReadError, match="n.nc: not a readable NetCDF file"):
        _run(settings, [column("t", native="n.nc#t")], {"n.nc": cut}, reader="netcdf")


def test_unsigned_netcdf_of_a_publisher(settings: Settings) -> None:
    if not (folder := os.environ.get("SOILMELD_REFERENCE_DATA")):
        pytest.skip("SOILMELD_REFERENCE_DATA is not set")
    path = Path(folder) / "worldcereal_belgium" / "worldcereal_preprocessed_inputs.nc"
    # 65535, the publisher's nodata, stands as -1 in the file: stored signed, said to be unsigned.
    bands = column("bands", native="in.nc#S2-L2A-B02", axis="time", missing=["65535"])
    made = _run(settings, [bands], {"in.nc": path}, reader="netcdf")
    with h5py.File(path) as file:
        stored = file["S2-L2A-B02"][:].view(np.uint16)
    assert (stored == 65535).any()
    assert made.table.height == len(stored)
    for row, layer in enumerate(stored):
        layer = np.where(layer == 65535, np.nan, layer)
        np.testing.assert_array_equal(_pixels(settings, made, row), layer)


def test_uneven_coordinates_are_refused(settings: Settings, tmp_path: Path) -> None:
    files = {"n.nc": _netcdf(tmp_path / "n.nc", [0.0, 1.0, 3.0])}
    with pytest.raises(ReadError, match="not evenly spaced"):
        _run(settings, [column("h", native="n.nc#h")], files, reader="netcdf")


def test_strips_add_up(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.rasters._STRIP_CELLS", 1)
    values = np.random.default_rng(1).normal(size=(1300, 20)).astype(np.float32)
    path = _tiff(tmp_path / "a.tif", values)
    made = _run(settings, [column("a", native="a.tif")], {"a.tif": path})
    np.testing.assert_array_equal(_pixels(settings, made), values)
    assert made.table["mean"][0] == pytest.approx(values.mean(dtype=np.float64))
    assert made.table.schema["transform"] == pl.List(pl.Float64)
