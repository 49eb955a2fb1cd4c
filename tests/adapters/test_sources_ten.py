"""The first ten of the 68: their folders are complete, and their native files read as they say."""

import csv
from fnmatch import fnmatch
from pathlib import Path

import polars as pl
import pytest

from adapters import twin
from adapters.quantities import method, quantity
from adapters.readers import read_table
from adapters.settings import Settings
from adapters.spec import SOURCES_DIR, load_spec, source_ids
from adapters.units import conversion

TEN = (
    "lucas_2009_topsoil", "lucas_2015_topsoil", "lucas_2015_topsoil_switzerland",
    "lucas_2018_topsoil", "eu_hydi", "spade_m", "arsenic_topsoils", "efsa_spatial_data",
    "esdb_v2_vector", "pesticides_residues_nuts2",
)  # fmt: skip
TABULAR = tuple(s for s in TEN if not load_spec(s).is_raster)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("ten")
    settings = Settings(data_root=folder / "data", truth_root=folder / "truth")
    twin.write(settings, TEN, size="tiny", seed=7)
    return settings


@pytest.mark.parametrize("source", TEN)
def test_every_quantity_method_and_unit_resolves(source: str) -> None:
    for column in load_spec(source).columns:
        known = quantity(column.quantity) if column.quantity else None
        if column.method:
            method(column.method)
        for unit in filter(None, (column.unit, column.other_unit)):
            change = conversion(
                unit,
                column.basis,
                known.unit if known else unit,
                known.basis if known else column.basis,
                known.analyte if known else None,
            )
            assert change.scale > 0, column.name


@pytest.mark.parametrize("source", source_ids())
def test_every_codebook_exists(source: str) -> None:
    shared = SOURCES_DIR.parent / "codebooks"
    for column in load_spec(source).columns:
        if column.codebook and column.codebook != "open":
            places = (load_spec(source).folder / "codebooks", shared)
            assert any((p / f"{column.codebook}.csv").is_file() for p in places), column.codebook


@pytest.mark.parametrize("source", TEN)
def test_terms_forbid_passing_on(source: str) -> None:
    licence = load_spec(source).origin.licence
    assert licence.id == "ESDAC"
    assert not licence.redistribute


@pytest.mark.parametrize("source", TABULAR)
def test_native_files_have_the_declared_headers(source: str, tiny: Settings) -> None:
    spec = load_spec(source)
    folder = tiny.raw / source
    for name, table in spec.tables.items():
        files = [
            p.name
            for p in folder.iterdir()
            if any(fnmatch(p.name.casefold(), pattern.casefold()) for pattern in table.files)
        ]
        assert files, name
        for file in files:
            native = read_table(spec, name, folder, file)
            present = {h.casefold() for h in native.headers}
            for column in spec.columns:
                if column.table == name and column.required and column.native != "*":
                    spelled = {h.casefold() for h in (*column.natives, *column.aliases)}
                    assert spelled & present, (name, column.name)


def test_the_two_blocks_of_the_swiss_sheet_are_told_apart(tiny: Settings) -> None:
    spec = load_spec("lucas_2015_topsoil_switzerland")
    folder = tiny.raw / spec.id
    native = read_table(spec, "main", folder, "LUCAS_2015_Switzerland.xlsx")
    assert {"Soil ID", "spade: OC", "auger: OC"} <= set(native.headers)
    assert len(set(native.headers)) == len(native.headers)


def test_cas_numbers_stay_text(tiny: Settings) -> None:
    spec = load_spec("pesticides_residues_nuts2")
    native = read_table(spec, "label", tiny.raw / spec.id, "pesticides_residues_NUTS2.xlsx")
    numbers = native.cells[str(native.headers.index("CAS Number"))]
    assert "50-29-3" in numbers.to_list()
    assert native.cells.height == 118


def test_latin_1_letters_survive(tiny: Settings) -> None:
    spec = load_spec("eu_hydi")
    native = read_table(spec, "general", tiny.raw / spec.id, "GENERAL.csv")
    texts = native.cells[str(native.headers.index("NAT_CLAS"))].to_list()
    assert texts[0] == "Parabraunerde, Höhenlage"


def test_ascii_grids_state_the_published_origin_and_no_crs(tiny: Settings) -> None:
    import rasterio

    folder = tiny.raw / "efsa_spatial_data"
    assert len(list(folder.glob("*.asc"))) == 56
    with rasterio.open(folder / "T1.asc") as grid:
        assert (grid.bounds.left, grid.bounds.bottom) == (2_500_000, 1_412_000)
        assert grid.crs is None
        assert grid.nodata == -9999
    assert list(folder.glob("*.prj")) == []


def test_arsenic_hides_its_nodata(tiny: Settings) -> None:
    import rasterio

    with rasterio.open(tiny.raw / "arsenic_topsoils" / "arsenic.tif") as grid:
        pixels = grid.read(1)
        assert grid.nodata is None
        assert grid.crs.to_epsg() == 3035
    assert pixels.min() < -3e38
    assert (pixels[pixels > -3e38] > 0).all()


def test_soil_polygons_are_in_the_sphere_projection(tiny: Settings) -> None:
    import pyogrio
    import pyproj
    import shapely

    folder = tiny.raw / "esdb_v2_vector"
    spec = load_spec("esdb_v2_vector")
    frame = pyogrio.raw.read(folder / "sgdbe4_0.shp")
    assert frame[0]["crs"] is None
    shapes = shapely.from_wkb(frame[2])
    assert shapely.is_valid(shapes).all()
    overlap = shapely.area(shapes).sum() - shapely.area(shapely.union_all(shapes))
    assert abs(overlap) < 1e-6 * shapely.area(shapes).sum()
    assert not (folder / "sgdbe4_0.prj").exists()
    back = pyproj.Transformer.from_crs(spec.space.crs, "EPSG:4326", always_xy=True)
    middle = shapely.get_coordinates(shapely.centroid(shapes))
    longitude, latitude = back.transform(middle[:, 0], middle[:, 1])
    assert longitude.min() > -32
    assert longitude.max() < 60
    assert latitude.min() > 27
    assert latitude.max() < 72


def _cells(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as handle:
        return list(csv.DictReader(handle))


def test_lucas_2018_spells_below_detection_in_every_way(tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    twin.write(settings, sources=["lucas_2018_topsoil"], size="demo", seed=7)
    rows = _cells(settings.raw / "lucas_2018_topsoil" / "LUCAS-SOIL-2018.csv")
    texts = {v for row in rows for v in row.values() if v.startswith("<")}
    assert texts == {"< LOD", "<LOD", "< LOD>", "<0.0"}
    assert sum(v == "<0.0" for row in rows for v in row.values()) == 1
    keys = [(r["POINTID"], r["Depth"]) for r in rows]
    assert len(set(keys)) == len(keys)
    assert len({k[0] for k in keys}) < len(keys)


def test_every_fault_is_in_the_file_as_the_record_says(tiny: Settings) -> None:
    """The record of planted faults is itself checked against what was written."""
    faults = pl.read_parquet(tiny.truth_root / "lucas_2018_topsoil" / "faults.parquet")
    native = {
        c.name: c.native for c in load_spec("lucas_2018_topsoil").columns if c.table == "main"
    }
    rows = {
        f"{r['POINTID']}|{r['Depth']}": r
        for r in _cells(tiny.raw / "lucas_2018_topsoil" / "LUCAS-SOIL-2018.csv")
    }
    of_cells = faults.drop_nulls("column")
    assert of_cells.height > 20
    for fault in of_cells.iter_rows(named=True):
        assert rows[fault["key"]][native[fault["column"]]] == fault["written"]
        assert fault["written"] != fault["original"]
