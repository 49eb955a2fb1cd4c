"""Layers as publishers hand them out: binary grids, IDRISI, one file a country, legends beside."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from making import column, make_raw, make_spec
from rasterio.transform import from_origin

from adapters.archive import ingest
from adapters.crs import require_same_crs
from adapters.errors import ArchiveError, CodebookError, ReadError
from adapters.settings import Settings
from adapters.standardise import Standard, standardise
from adapters.twin.files import write_dbf
from adapters.twin.grids import write_ascii, write_binary_grid, write_idrisi

GISCO = "+proj=laea +lat_0=48 +lon_0=9 +a=6378388 +b=6378388 +units=m +no_defs"


def _spec(
    settings: Settings, columns: list[dict[str, object]], patterns: list[str], **read: object
):
    return make_spec(
        settings.data_root / "spec",
        columns,
        modality="raster",
        space={"support": "grid"},
        tables={"main": {"files": patterns, "read": {"reader": "raster"} | read}},
    )


def _tree(folder: Path) -> dict[str, Path]:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    return {p.relative_to(folder).as_posix(): p for p in files}


def _run(
    settings: Settings,
    columns: list[dict[str, object]],
    folder: Path,
    patterns: list[str],
    **read: object,
) -> Standard:
    spec = _spec(settings, columns, patterns, **read)
    return standardise(spec, make_raw(settings, _tree(folder)), settings)


def _pixels(settings: Settings, made: Standard, row: int = 0) -> np.ndarray:
    with rasterio.open(settings.data_root / made.table["path"][row]) as source:
        return source.read(1, masked=True).filled(np.nan)


def _tiff(path: Path, values: np.ndarray, west: float, north: float, **more: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"crs": "EPSG:3035", "cell": 25.0} | more
    cell = said.pop("cell")
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=values.shape[0], width=values.shape[1],
        dtype=values.dtype, transform=from_origin(west, north, cell, cell), **said,
    ) as target:  # fmt: skip
        target.write(values, 1)


def test_a_binary_grid_is_read_from_its_folder(settings: Settings, tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    values[1, 1] = np.nan
    # As it is unpacked: the grid in a folder of its own, the coverage's tables beside it.
    (tmp_path / "raw" / "OCTOP_v121" / "info").mkdir(parents=True)
    write_binary_grid(tmp_path / "raw" / "OCTOP_v121" / "octop", values, 4e6, 3e6, 1000)
    (tmp_path / "raw" / "OCTOP_v121" / "info" / "arc.dir").write_bytes(b"x")
    made = _run(
        settings, [column("a", native="octop/")], tmp_path / "raw", ["octop/*"], crs="EPSG:3035"
    )
    assert made.table["row_ref"].to_list() == ["OCTOP_v121/octop"]
    np.testing.assert_array_equal(_pixels(settings, made), values)
    assert made.table["transform"][0].to_list() == [1000, 0, 4e6, 0, -1000, 3e6]


def test_a_binary_grid_in_the_inbox_with_its_empty_log(settings: Settings) -> None:
    folder = settings.raw / "pits" / "Octop"
    folder.parent.mkdir(parents=True)
    write_binary_grid(folder, np.ones((2, 2), np.float32), 4e6, 3e6, 1000)
    (folder / "log").touch()
    spec = _spec(settings, [column("a", native="octop/")], ["octop/*"], crs="EPSG:3035")
    raw = ingest(spec, settings)
    assert raw is not None
    assert "Octop/hdr.adf" in {f.name for f in raw.files}
    assert standardise(spec, raw, settings).table["mean"][0] == 1
    (folder / "w001001.adf").write_bytes(b"")
    with pytest.raises(ArchiveError, match=r"w001001\.adf is empty"):
        ingest(spec, settings)


def test_a_binary_grid_cut_short_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    write_binary_grid(tmp_path / "raw" / "g", np.ones((600, 20), np.float32), 4e6, 3e6, 1000)
    cells = tmp_path / "raw" / "g" / "w001001.adf"
    cells.write_bytes(cells.read_bytes()[:5000])
    with pytest.raises(ReadError, match="cannot be read to its end"):
        _run(settings, [column("a", native="g/")], tmp_path / "raw", ["g/*"], crs="EPSG:3035")


def test_a_layer_whose_grid_is_absent_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    write_binary_grid(tmp_path / "raw" / "g", np.ones((2, 2), np.float32), 4e6, 3e6, 1000)
    with pytest.raises(ReadError, match="no files for layer 'other/'"):
        _run(settings, [column("a", native="other/")], tmp_path / "raw", ["g/*"])


@pytest.mark.parametrize("described", ["a.rdc", "a.RDC"])
def test_idrisi_takes_its_crs_from_the_specification_and_its_flag_value_as_nodata(
    settings: Settings, tmp_path: Path, described: str
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    values = np.array([[0, 15], [30, 45]], np.float32)
    write_idrisi(raw / "a.rst", values, "EPSG:3035", (4e6, 3e6), 1000, nodata=0)
    (raw / "a.rdc").rename(raw / described)
    made = _run(settings, [column("a", native="a.rst")], raw, ["*.rst", "*.rdc"], crs="EPSG:3035")
    np.testing.assert_array_equal(_pixels(settings, made), [[np.nan, 15], [30, 45]])
    assert "3035" in made.table["crs"][0]
    with pytest.raises(ReadError, match="no CRS: the file states none"):
        _run(settings, [column("a", native="a.rst")], raw, ["*.rst", "*.rdc"])


def test_idrisi_latlong_is_a_crs_that_must_agree(settings: Settings, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_idrisi(raw / "a.rst", np.ones((2, 2), np.float32), "EPSG:4326", (8, 50), 0.5)
    assert "WGS 84" in _run(settings, [column("a", native="a.rst")], raw, ["*"]).table["crs"][0]
    with pytest.raises(ReadError, match="the file's CRS and the declared one"):
        _run(settings, [column("a", native="a.rst")], raw, ["*"], crs="EPSG:3035")


@given(data=st.data())
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_map_cut_into_countries_is_that_map(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    height, width = data.draw(st.integers(4, 30)), data.draw(st.integers(4, 30))
    whole = np.arange(height * width, dtype=np.float32).reshape(height, width)
    seen = np.zeros(whole.shape, dtype=bool)
    folder = tmp_path_factory.mktemp("raw")
    for number in range(data.draw(st.integers(1, 4))):
        top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
        bottom = data.draw(st.integers(top + 1, height))
        right = data.draw(st.integers(left + 1, width))
        # Countries overlap at borders; beyond its border a file holds nodata.
        cut = whole[top:bottom, left:right].copy()
        hidden = np.zeros(cut.shape, dtype=bool)
        hidden[:, : data.draw(st.integers(0, cut.shape[1]))] = True
        cut[hidden] = -9999
        seen[top:bottom, left:right] |= ~hidden
        _tiff(folder / f"LS_25m_{number}.tif", cut, 4e6 + 25 * left, 3e6 - 25 * top, nodata=-9999)
    made = _run(settings, [column("ls", native="LS_25m_*.tif")], folder, ["LS_25m_*.tif"])
    row = made.table.row(0, named=True)
    west, north = row["transform"][2], row["transform"][5]
    found = np.full(whole.shape, np.nan, np.float32)
    x, y = round((west - 4e6) / 25), round((3e6 - north) / 25)
    found[y : y + row["height"], x : x + row["width"]] = _pixels(settings, made)
    np.testing.assert_array_equal(found, np.where(seen, whole, np.nan))


def test_a_mosaic_names_its_pattern_and_the_first_file_wins(
    settings: Settings, tmp_path: Path
) -> None:
    _tiff(tmp_path / "raw/LS_AT.tif", np.full((2, 2), 1, np.float32), 4e6, 3e6)
    _tiff(tmp_path / "raw/ls_DE.TIF", np.full((2, 2), 2, np.float32), 4e6 + 25, 3e6)
    made = _run(settings, [column("ls", native="LS_*.tif")], tmp_path / "raw", ["LS_*.tif"])
    assert made.table["row_ref"].to_list() == ["LS_*.tif"]
    np.testing.assert_array_equal(_pixels(settings, made), [[1, 1, 2], [1, 1, 2]])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"cell": 100.0}, "its cells have another size"),
        ({"west": 4e6 + 35}, "its cells lie between those of it"),
        ({"crs": "EPSG:3857"}, "the file's CRS and the declared one"),
        ({"crs": None}, "only one of the two states its CRS"),
    ],
)
def test_files_that_are_no_one_layer_are_refused(
    settings: Settings, tmp_path: Path, other: dict[str, object], said: str
) -> None:
    _tiff(tmp_path / "raw/LS_AT.tif", np.ones((2, 2), np.float32), 4e6, 3e6)
    more = {"west": 4e6 + 50} | other
    _tiff(tmp_path / "raw/LS_DE.tif", np.ones((2, 2), np.float32), north=3e6, **more)
    with pytest.raises(ReadError, match=said) as raised:
        _run(settings, [column("ls", native="LS_*.tif")], tmp_path / "raw", ["LS_*.tif"])
    assert raised.value.file == "LS_DE.tif"


def test_another_spelling_of_a_file_name_is_an_alias(settings: Settings, tmp_path: Path) -> None:
    _tiff(tmp_path / "raw/Rain_01.TIFF", np.ones((2, 2), np.float32), 4e6, 3e6)
    _tiff(tmp_path / "raw/rain_02.tif", np.ones((2, 2), np.float32), 4e6, 3e6)
    rain = column("rain", native="rain_{01..02}.tif", aliases=("rain_{01..02}.tiff",))
    made = _run(settings, [rain], tmp_path / "raw", ["rain_*"])
    assert made.table["row_ref"].to_list() == ["Rain_01.TIFF", "rain_02.tif"]
    _tiff(tmp_path / "raw/rain_01.tif", np.ones((2, 2), np.float32), 4e6, 3e6)
    with pytest.raises(ReadError, match="2 files for layer"):
        _run(settings, [rain], tmp_path / "raw", ["rain_*"])


def test_exact_values_mean_nodata_where_the_header_is_silent(
    settings: Settings, tmp_path: Path
) -> None:
    values = np.array([[0, 7, -9999.9, 0.1]], np.float32)
    _tiff(tmp_path / "raw/a.tif", values, 4e6, 3e6)
    depth = column("a", native="a.tif", missing=("0", "-9999.9"))
    made = _run(settings, [depth], tmp_path / "raw", ["a.tif"])
    np.testing.assert_allclose(_pixels(settings, made), [[np.nan, 7, np.nan, 0.1]], rtol=1e-6)


def test_a_value_that_the_attribute_table_lacks_is_an_unknown_code(
    settings: Settings, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    _tiff(raw / "zones.tif", np.array([[1, 2, 2, 9]], np.uint8), 4e6, 3e6)
    write_dbf(raw / "zones.dbf", {"VALUE": [1, 2], "COUNT": [1, 2], "LABEL": ["low", "high"]})
    (raw / "zones.dbf").rename(raw / "zones.tif.vat.dbf")
    zones = column("zone", native="zones.tif", kind="categorical", codebook="open")
    made = _run(settings, [zones | {"unknown_code": "flag"}], raw, ["zones.tif*"])
    np.testing.assert_array_equal(made.table["valid_share"], [0.75])
    assert made.flags.select("flag", "raw", "detail").row(0) == (
        "code_unknown", "9", "1 of 4 pixels not in the file's own table of values",
    )  # fmt: skip
    with pytest.raises(CodebookError, match="the file's own table of values lacks"):
        _run(settings, [zones], raw, ["zones.tif*"])


@pytest.mark.parametrize("said", ['PROJCS["x",garbage', "Lambert, as ever"])
def test_a_projection_file_that_says_nothing_known_is_refused(
    settings: Settings, tmp_path: Path, said: str
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    write_ascii(raw / "a.asc", np.ones((2, 2)), 4e6, 3e6, 1000, -9999)
    (raw / "a.PRJ").write_text(said)
    with pytest.raises(ReadError, match="holds no CRS that PROJ knows") as raised:
        _run(settings, [column("a", native="a.asc")], raw, ["a.*"], crs="EPSG:3035")
    assert raised.value.where == "a.PRJ"
    (raw / "a.PRJ").write_text("\n")
    made = _run(settings, [column("a", native="a.asc")], raw, ["a.*"], crs="EPSG:3035")
    assert made.table.height == 1


def test_the_projection_of_a_binary_grid_is_read_or_refused(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "raw").mkdir()
    write_binary_grid(tmp_path / "raw" / "g", np.ones((2, 2), np.float32), 0, 0, 1000)
    said = tmp_path / "raw" / "g" / "prj.adf"
    said.write_text(
        "Projection    LAMBERT_AZIMUTHAL\nUnits         METERS\nParameters\n"
        "6378388.0  /* radius of the sphere of reference\n9 0 0.0 /* longitude of center\n"
        "48 0 0.0 /* latitude of center\n0.0 /* false easting\n0.0 /* false northing\n"
    )
    grid = [column("a", native="g/")]
    made = _run(settings, grid, tmp_path / "raw", ["g/*"])
    bounds = (-1e5, -1e5, 1e5, 1e5)
    assert require_same_crs(
        _spec(settings, grid, ["g/*"]), "g", GISCO, made.table["crs"][0], bounds
    )
    said.write_text("Projection    NONE_THAT_IS\n")
    with pytest.raises(ReadError, match="holds no CRS that PROJ knows"):
        _run(settings, grid, tmp_path / "raw", ["g/*"], crs=GISCO)


def test_a_shapefile_with_an_unknown_projection_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    import shapely

    raw = tmp_path / "raw"
    raw.mkdir()
    points = shapely.to_wkb(shapely.points([8.0], [50.0]), byte_order=1)
    write_dbf(raw / "a.shp", {"ID": ["1"]}, points, "Point", "EPSG:4326")
    (raw / "a.prj").write_text("Lambert, as ever")
    spec = make_spec(
        settings.data_root / "spec",
        [column("id", native="ID", kind="text")],
        modality="vector",
        space={"support": "polygon", "crs": "EPSG:4326"},
        tables={"main": {"files": ["a.shp"], "read": {"reader": "vector"}}},
    )
    with pytest.raises(ReadError, match="holds no CRS that PROJ knows"):
        standardise(spec, make_raw(settings, _tree(raw)), settings)
