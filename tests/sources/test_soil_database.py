"""Soil database, hydraulics, classes, climate: what is read is what was written.

Every source goes from the twin's native files through ingestion and standardisation to its
expectations; each fault that its specification tells of has a test of its own.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyogrio
import pytest
import rasterio
import shapely
from twin_maps import Made, counts, edit, make, pixels_of, same

from adapters.archive import unused
from adapters.checking import with_evidence
from adapters.columns import canonical_unit, column_range, convert
from adapters.errors import ArchiveError, CodebookError, ReadError, SoilmeldError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard
from adapters.twin import classes
from adapters.twin.europe import Array
from adapters.twin.files import write_dbf
from adapters.twin.polygons import GISCO, patches
from expectations.engine import validate
from fusion.align import bring
from fusion.inputs import Source

RASTERS = (
    "biomass_productivity", "climate_change_indicators", "esdb_derived_data", "eu_soilhydrogrids",
    "global_landform_classification", "land_degradation_europe", "soil_biodiversity_threats",
    "soil_degradation_indicators",
)  # fmt: skip
OTHERS = (
    "cultural_artefacts_preservation", "esdb_v2_raster_library", "groundwater_resources",
    "spade_14", "storing_filtering_capacity",
)  # fmt: skip
SOURCES = (*RASTERS, *OTHERS)
PIECES = tuple(piece.id for source in SOURCES for piece in load_spec(source).pieces)
# Written with 12 bits; scaled integers and classes in whole numbers.
ROUNDING = 2.0**-12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("soil-database"), SOURCES)


def _planted(made: Made, source: str) -> pl.DataFrame:
    path = made.settings.truth_root / source / "faults.parquet"
    if not path.is_file():  # Nothing was planted.
        return pl.DataFrame(schema={"column": pl.String, "flag": pl.String, "key": pl.String})
    return pl.read_parquet(path)


# --- all sources -------------------------------------------------------------


@pytest.mark.parametrize("piece", PIECES)
def test_good_files_pass_their_expectations(made: Made, piece: str) -> None:
    report = validate(made.standards[piece])
    assert report.success, report.refusals


@pytest.mark.parametrize("source", RASTERS)
def test_pixels_are_the_field_of_the_twin_in_canonical_units(made: Made, source: str) -> None:
    _, truth = made.layers(source)
    spec = load_spec(source)
    assert set(truth) == {c.name for c in spec.columns}
    faulty = dict(_planted(made, source)["column"].value_counts().rows())
    for column in spec.columns:
        found, said = made.pixels(source, column.name), truth[column.name]
        said = said.reshape(found.shape)
        # 0 stands for no soil in one source, and is no value there.
        lost = np.isfinite(said) & np.isnan(found)
        assert lost.sum() == faulty.get(column.name, 0)
        assert not (np.isnan(said) & np.isfinite(found)).any()
        step = 1e-4 if column.name == "field_capacity" else 0.0
        known = np.isfinite(found)
        np.testing.assert_allclose(
            found[known], said[known], rtol=ROUNDING, atol=step / 2 + 1e-12, err_msg=column.name
        )
        if column.kind == "numeric":
            by = convert(spec, column)
            low, high, _ = column_range(column)
            if column.minimum is not None or column.maximum is not None:
                low, high = by.array(np.array([low, high]))
            assert (found[known] >= low - 1e-9).all()
            assert (found[known] <= high + 1e-9).all()


@pytest.mark.parametrize("source", SOURCES)
def test_planted_faults_are_flagged_and_nothing_else_is(made: Made, source: str) -> None:
    planted = _planted(made, source).filter(pl.col("flag") != "missing")
    flags = made.standards[source].flags.filter(pl.col("flag") != "missing")
    if source in (*RASTERS, "esdb_v2_raster_library"):
        standard = made.standards[source]
        found = {(c, f): counts(standard, c, f) for c, f in flags.select("column", "flag").rows()}
    else:
        found = {(c, f): n for c, f, n in flags.group_by("column", "flag").len().rows()}
    wanted = {(c, f): n for c, f, n in planted.group_by("column", "flag").len().rows()}
    assert found == wanted


def test_units_of_quantities_and_columns_agree() -> None:
    for source in SOURCES:
        spec = load_spec(source)
        for column in spec.columns:
            if column.kind == "numeric":
                assert convert(spec, column).scale > 0
                assert canonical_unit(column)[0]


# --- hydraulics --------------------------------------------------------------


def test_a_declared_scale_is_applied_and_an_undeclared_one_refused(
    made: Made, user: Callable[..., tuple[Settings, Standard]]
) -> None:
    name = "FC_sl1.tif"
    with rasterio.open(made.settings.raw / "eu_soilhydrogrids" / name) as source:
        assert source.dtypes == ("int16",)
        assert source.read(1).max() > 1000
    assert np.nanmax(made.pixels("eu_soilhydrogrids", "field_capacity")) < 1

    _, standard = user("eu_soilhydrogrids", lambda folder: edit(folder / name, same))
    report = validate(standard)
    assert not report.success
    assert any("field_capacity" in str(r.column) for r in report.refusals)


def test_profiles_end_at_bedrock(made: Made) -> None:
    water = made.pixels("eu_soilhydrogrids", "saturated_water_content")
    assert len(water) == 7
    known = np.isfinite(water)
    assert known[0].sum() > known[-1].sum() > 0
    assert (known[:-1] >= known[1:]).all()
    retained = [made.pixels("eu_soilhydrogrids", c) for c in ("field_capacity", "wilting_point")]
    assert (np.nan_to_num(water - retained[0]) >= 0).all()
    assert (np.nan_to_num(retained[0] - retained[1]) >= 0).all()


def test_tiles_of_the_other_resolution_are_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    def tile(folder: Path) -> None:
        (folder / "T1").mkdir()
        shutil.copy(folder / "KS_sl3.tif", folder / "T1" / "KS_sl3.tif")

    with pytest.raises(ReadError, match="2 files for layer 'KS_sl3.tif'"):
        user("eu_soilhydrogrids", tile)


def test_the_projection_of_the_other_resolution_is_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(ReadError, match="CRS"):
        user("eu_soilhydrogrids", lambda f: edit(f / "KS_sl1.tif", same, crs="EPSG:27704"))


# --- European Soil Database --------------------------------------------------


def test_codes_come_from_the_value_attribute_table(made: Made) -> None:
    standard = made.standards["esdb_v2_raster_library"]
    grid = made.world.grid("EPSG:3035", 1000)
    truth = classes.esdb(grid.place, grid.soil(0, 30, 2000), grid.soil(30, 100, 2000))
    for column in standard.spec.columns:
        attribute = Path(column.native).stem
        places = made.pixels("esdb_v2_raster_library", column.name)
        (codes,) = standard.table.filter(column=column.name)["codes"].to_list()
        known = np.isfinite(places)
        found = np.array(codes)[places[known].astype(int)]
        said = truth[attribute].astype(str)
        assert (found == said[known]).all(), attribute
        # Missing: at sea, '#', no information, and a code that the legend lacks.
        valued = grid.land & ~np.isin(said, ["#", ""])
        lost = valued & ~known
        assert lost.sum() == counts(standard, column.name, "code_unknown")
    assert counts(standard, "esdb_erodi", "code_unknown") > 0


def test_pixels_are_not_the_codes(made: Made) -> None:
    folder = made.settings.raw / "esdb_v2_raster_library" / "TXSRFDO"
    table = pl.from_pandas(pyogrio.read_dataframe(folder / "TXSRFDO.vat.dbf"))
    assert set(table["TXSRFDO"]) <= {"1", "2", "3", "4", "5", "9"}
    assert (table["VALUE"].cast(pl.String) != table["TXSRFDO"]).any()


def test_samples_get_codes_and_not_places(made: Made) -> None:
    standard = made.standards["esdb_v2_raster_library"]
    grid = made.world.grid("EPSG:3035", 1000)
    truth = classes.esdb(grid.place, grid.soil(0, 30, 2000), grid.soil(30, 100, 2000))["WRBFU"]
    rows = np.argwhere(grid.land)[::40]
    lon, lat = (grid.place[name][tuple(rows.T)] for name in ("longitude", "latitude"))
    samples = pl.DataFrame(
        {"sample_id": [str(i) for i in range(len(rows))], "longitude": lon, "latitude": lat}
    ).with_columns(depth_top=0.0, depth_bottom=20.0)

    class Tables:
        def table(self, name: str) -> pl.DataFrame:
            return standard.table

        def meta(self, name: str, source: str | None = None) -> None:
            return None

    source = Source(standard.spec, standard.version, "synthetic", "synthetic", None, {}, Tables())
    met = bring(source, samples, made.settings.data_root, 1)
    assert met["esdb_v2_raster_library.esdb_wrbfu"].to_list() == truth[tuple(rows.T)].tolist()


def test_a_raster_without_its_table_is_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(ReadError, match="no value attribute table beside it"):
        user("esdb_v2_raster_library", lambda f: (f / "IL" / "IL.vat.dbf").unlink())


def test_a_value_that_the_table_lacks_is_not_defined(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    def number(values: Array) -> Array:
        values[0, 0, :7] = 200
        return values

    _, standard = user(
        "esdb_v2_raster_library", lambda f: edit(f / "SLOPEDO" / "SLOPEDO.tif", number)
    )
    assert counts(standard, "esdb_slopedo", "code_unknown") == 7


def test_attributes_have_several_names(
    made: Made, user: Callable[..., tuple[Settings, Standard]]
) -> None:
    def rename(folder: Path) -> None:
        old, new = folder / "ERODI", folder / "ERODIBILITY"
        table = pyogrio.read_dataframe(old / "ERODI.vat.dbf")
        new.mkdir()
        (old / "ERODI.tif").rename(new / "ERODIBILITY.tif")
        shutil.rmtree(old)
        # A header of a dbf table ends after ten characters.
        table = table.rename(columns={"ERODI": "ERODIBILIT"})
        write_dbf(new / "ERODIBILITY.vat.dbf", {c: table[c].tolist() for c in table.columns})

    settings, standard = user("esdb_v2_raster_library", rename)
    found = pixels_of(settings, standard, "esdb_erodi")
    np.testing.assert_array_equal(found, made.pixels("esdb_v2_raster_library", "esdb_erodi"))


def test_two_variants_of_an_attribute_are_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(ReadError, match="2 files for layer 'TXSRFDO.tif'"):
        user(
            "esdb_v2_raster_library",
            lambda f: shutil.copytree(f / "TXSRFDO", f / "dominant_stu" / "TXSRFDO"),
        )


def test_zero_is_no_soil(made: Made) -> None:
    folder = made.settings.raw / "esdb_derived_data"
    with rasterio.open(folder / "STU_EU_T_CLAY.rst") as source:
        assert source.nodata is None
        stored = source.read(1)
    assert (stored == 0).sum() > stored.size / 2
    clay = made.pixels("esdb_derived_data", "clay_topsoil")
    np.testing.assert_array_equal(np.isnan(clay), stored == 0)
    standard = made.standards["esdb_derived_data"]
    assert (standard.table["minimum"] > 0).all()


def test_carbon_in_percent_becomes_grams(made: Made) -> None:
    with rasterio.open(made.settings.raw / "esdb_derived_data" / "STU_EU_T_OC.rst") as source:
        percent = source.read(1).astype(float)
    carbon = made.pixels("esdb_derived_data", "organic_carbon_topsoil")
    known = np.isfinite(carbon)
    np.testing.assert_allclose(carbon[known], 10 * percent[known], rtol=1e-6)


def test_idrisi_files_name_no_place_and_the_declared_one_holds(made: Made) -> None:
    for source, layer in (
        ("esdb_derived_data", "STU_EU_T_CLAY"), ("climate_change_indicators", "CLM_BASE_wet_days"),
    ):  # fmt: skip
        folder = made.settings.raw / source
        assert "ref. system : plane" in (folder / f"{layer}.rdc").read_text()
        assert not list(folder.glob("*.aux.xml"))
        assert made.standards[source].table["crs"].str.contains("ETRS89").all()
    derived = made.standards["esdb_derived_data"].table.row(0, named=True)
    # 5900 columns and 4600 rows, whatever the text says.
    assert derived["width"] / derived["height"] == pytest.approx(5900 / 4600, rel=0.03)
    assert derived["transform"][2] == 1_500_000
    assert derived["transform"][5] <= 5_500_000


def test_fractions_are_a_whole(made: Made) -> None:
    for layer in ("topsoil", "subsoil"):
        parts = [made.pixels("esdb_derived_data", f"{f}_{layer}") for f in ("clay", "silt", "sand")]
        whole = sum(parts)
        np.testing.assert_allclose(whole[np.isfinite(whole)], 100)


def test_fractions_that_are_no_whole_are_flagged(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    """The clay of another layer in place of the sand."""
    _, standard = user(
        "esdb_derived_data",
        lambda f: shutil.copy(f / "STU_EU_T_CLAY.rst", f / "STU_EU_T_SAND.rst"),
    )
    assert counts(standard, "sand_topsoil", "texture_sum") > 0
    assert not validate(standard).success


# --- polygons ----------------------------------------------------------------


def test_ranks_are_ordinal_and_zero_is_no_soil(made: Made) -> None:
    standard = made.standards["storing_filtering_capacity"]
    table = standard.table
    names = [c.name for c in standard.spec.columns]
    assert {c.native for c in standard.spec.columns} >= {"STOR_NAPL", "FILT_NAPL"}
    assert {c.statistic for c in standard.spec.columns} == {"class"}
    for name in names:
        assert set(table[name].drop_nulls().unique()) == set(range(1, 11))
    truth = pl.read_parquet(
        made.settings.truth_root / "storing_filtering_capacity" / "samples.parquet"
    )
    faulty = [int(k) for k in _planted(made, "storing_filtering_capacity")["key"]]
    for name in names:
        said = truth[name].fill_nan(None).to_list()
        for row in faulty if name == "cation_storing_capacity" else []:
            said[row] = None
        assert table[name].to_list() == said
    shapes = shapely.from_wkb(table["geometry"].to_numpy())
    assert shapely.is_valid(shapes).all()


def test_steps_of_the_calculation_are_passed_over(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    def more(folder: Path) -> None:
        path = folder / "storing_filtering.shp"
        frame = pyogrio.read_dataframe(path)
        frame["CEC_CLASS"] = 3
        pyogrio.write_dataframe(frame, path)

    _, standard = user("storing_filtering_capacity", more)
    assert "cec_class" not in standard.table.columns


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("storing_filtering_capacity", "storing_filtering.shp"),
        ("cultural_artefacts_preservation", "preservation.shp"),
    ],
)
def test_polygons_of_another_projection_are_refused(
    made: Made, user: Callable[..., tuple[Settings, Standard]], source: str, file: str
) -> None:
    def move(folder: Path) -> None:
        frame = pyogrio.read_dataframe(folder / file).set_crs(GISCO, allow_override=True)
        pyogrio.write_dataframe(frame.to_crs("EPSG:3035"), folder / file)

    with pytest.raises(ReadError, match="the file's CRS and the declared one") as told:
        user(source, move)
    # The fields were seen in public material, the projection was not.
    assert f"the spec assumed the CRS {GISCO}" in with_evidence(load_spec(source), told.value)
    assert f"'declared: {GISCO}'" in str(told.value)


def test_places_that_were_not_considered_have_no_class(made: Made) -> None:
    table = made.standards["cultural_artefacts_preservation"].table
    none = table["soil_id"].is_null()
    assert 0 < none.sum() < len(none)
    for name in ("bones", "organics", "metals", "strati"):
        codes = table[f"preservation_{name}"]
        assert codes.filter(none).null_count() == none.sum()
        assert codes.filter(~none).is_in(["1", "2", "3"]).all()
    found = patches(made.world, "esdb")
    said = classes.preservation(found.place, found.soil)["bones"].astype(str)
    assert (table["preservation_bones"].filter(~none).to_numpy() == said[~none.to_numpy()]).all()


def test_a_fourth_class_is_refused(user: Callable[..., tuple[Settings, Standard]]) -> None:
    def recode(folder: Path) -> None:
        path = folder / "preservation.shp"
        frame = pyogrio.read_dataframe(path)
        frame["bones"] = frame["bones"].replace(3, 4)
        pyogrio.write_dataframe(frame, path)

    with pytest.raises(CodebookError, match="preservation_bones"):
        user("cultural_artefacts_preservation", recode)


def test_one_copy_of_the_groundwater_maps_is_read(made: Made) -> None:
    spec = load_spec("groundwater_resources")
    for piece in spec.pieces:
        table = made.standards[piece.id].table
        assert table.height
        assert table["row_ref"].str.starts_with("ETRS_LAEA/").all()
        kinds = set(shapely.get_type_id(shapely.from_wkb(table["geometry"].to_numpy())).tolist())
        wanted = {"contours": {1}, "springs": {0}}.get(piece.id.partition("__")[2], {3})
        assert kinds == wanted, piece.id
    assert (made.settings.raw / spec.id / "GISCO" / "Theme1.shp").is_file()
    assert unused(spec, made.settings) == []


def test_legends_say_what_codes_mean(
    made: Made, user: Callable[..., tuple[Settings, Standard]]
) -> None:
    table = made.standards["groundwater_resources"].table
    said = dict(table.select("aquifer_type", "aquifer_type_label").unique().rows())
    assert said["1"] == "Porous aquifer"
    assert None not in said.values()
    saline = made.standards["groundwater_resources__saline"].table
    assert saline["saline_intrusion_label"].unique().to_list() == [
        "Intrusion of sea water (Étendue salée)"
    ]

    _, without = user("groundwater_resources", lambda f: (f / "Theme1.avl").unlink())
    assert without.table["aquifer_type"].to_list() == table["aquifer_type"].to_list()
    assert without.table["aquifer_type_label"].null_count() == table.height


def test_springs_and_contours_join_no_sample() -> None:
    joins = {
        p.id.partition("__")[2]: p.fuse.join for p in load_spec("groundwater_resources").pieces
    }
    assert joins == {
        "": "polygon", "hydrology": "polygon", "contours": "none", "springs": "none",
        "saline": "polygon", "abstraction": "polygon",
    }  # fmt: skip


def test_countries_outside_of_the_maps_have_no_polygon(made: Made) -> None:
    table = made.standards["groundwater_resources"].table
    corners = shapely.get_coordinates(shapely.from_wkb(table["geometry"].to_numpy()))
    middles = corners.reshape(-1, 5, 2)[:, [0, 2]].mean(axis=1)
    region, _ = made.world.europe.region(middles[:, 0], middles[:, 1])
    codes = made.world.europe.regions.code[region]
    assert {c[:2] for c in codes} <= {"BE", "DE", "DK", "FR", "IE", "IT", "LU", "NL", "UK"}


def test_without_the_copy_in_etrs_the_maps_are_missing(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(ArchiveError, match="no file for table 'aquifers'"):
        user("groundwater_resources", lambda f: shutil.rmtree(f / "ETRS_LAEA"))


def test_attributes_are_latin_1(user: Callable[..., tuple[Settings, Standard]]) -> None:
    def name(folder: Path) -> None:
        path = folder / "ETRS_LAEA" / "Theme1.shp"
        frame = pyogrio.read_dataframe(path)
        frame["AQUIFER"] = "karstifié"
        pyogrio.write_dataframe(frame, path, encoding="ISO-8859-1")
        path.with_suffix(".cpg").unlink(missing_ok=True)

    _, standard = user("groundwater_resources", name)
    assert standard.table["aquifer_type"].unique().to_list() == ["karstifié"]


# --- estimated profiles ------------------------------------------------------


def test_headers_of_countries_differ_and_columns_do_not(made: Made) -> None:
    import fastexcel

    heads = set()
    for path in sorted((made.settings.raw / "spade_14").glob("*.xlsx")):
        heads.add(tuple(fastexcel.read_excel(path).load_sheet(0).to_polars().columns))
    assert len(heads) > 1
    standard = made.standards["spade_14"]
    for column in standard.spec.columns:
        if column.name not in ("gypsum",):
            assert standard.table[column.name].null_count() <= 1, column.name


def test_estimated_values_are_the_truth_with_noise_and_called_modelled(made: Made) -> None:
    standard = made.standards["spade_14"]
    truth = pl.read_parquet(made.settings.truth_root / "spade_14" / "samples.parquet")
    key = pl.format("{}|{}", "stu_id", pl.col("horizon_top"))
    both = standard.table.with_columns(key=key).join(truth, on="key", suffix="_true")
    assert both.height == standard.table.height
    for name in ("clay", "cec", "organic_matter", "electrical_conductivity"):
        pair = both.select(name, f"{name}_true").drop_nulls().to_numpy()
        assert np.median(pair[:, 0]) == pytest.approx(np.median(pair[:, 1]), rel=0.25)
        if name != "electrical_conductivity":  # It varies less than it is estimated well.
            assert np.corrcoef(pair.T)[0, 1] > 0.8
    methods = {c.method for c in standard.spec.columns if c.kind == "numeric" and c.feature}
    assert methods == {"modelled"}
    assert standard.spec.fuse.join == "none"
    assert standard.table["longitude"].is_null().all()


def test_an_unknown_header_is_named(user: Callable[..., tuple[Settings, Standard]]) -> None:
    import openpyxl

    def rename(folder: Path) -> None:
        path = sorted(folder.glob("*.xlsx"))[0]
        book = openpyxl.load_workbook(path)
        for cell in book.active[1]:
            if cell.value in ("clay", "texture: clay", "texture clay"):
                cell.value = "argile"
        book.save(path)

    with pytest.raises(SoilmeldError, match="texture: clay"):
        user("spade_14", rename)


# --- landform, climate, degradation ------------------------------------------


def test_a_class_that_the_legend_lacks_is_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(CodebookError, match="landform_iwahashi_pike"):
        user(
            "global_landform_classification",
            lambda f: edit(f / "iwahashi_pike.tif", lambda v: np.where(v == 16, 17, v)),
        )


def test_productivity_maps_do_not_overlap(made: Made) -> None:
    spec = load_spec("biomass_productivity")
    known = sum(np.isfinite(made.pixels(spec.id, c.name)).astype(int) for c in spec.columns)
    assert known.max() == 1
    assert (known == 0).sum() > 0


def test_a_change_is_no_climate(made: Made) -> None:
    spec = load_spec("climate_change_indicators")
    standard = made.standards[spec.id]
    lying = unused(spec, made.settings)
    assert "CLM_A1B_CHANGE_mean_temperature.rst" in lying
    assert not standard.table["row_ref"].str.contains("CHANGE").any()
    assert standard.table.height == 24


def test_a_range_of_temperatures_is_no_temperature() -> None:
    spec = load_spec("climate_change_indicators")
    by = convert(spec, spec.column("diurnal_range"))
    assert (by.scale, by.offset) == (1.0, 0.0)
    assert canonical_unit(spec.column("diurnal_range"))[0] == "delta_degC"
    assert canonical_unit(spec.column("mean_temperature"))[0] == "degC"


def test_a_file_without_all_indicators_is_refused(
    user: Callable[..., tuple[Settings, Standard]],
) -> None:
    with pytest.raises(ReadError, match="no band '20'"):
        user(
            "soil_degradation_indicators",
            lambda f: edit(f / "soil_degradation_indicators.tif", lambda v: v[:19]),
        )


def test_the_same_crs_under_another_name_is_the_same(
    made: Made, user: Callable[..., tuple[Settings, Standard]]
) -> None:
    settings, standard = user(
        "soil_degradation_indicators",
        lambda f: edit(f / "soil_degradation_indicators.tif", same, crs="IGNF:ETRS89LAEA"),
    )
    np.testing.assert_array_equal(
        pixels_of(settings, standard, "degradation_sum"),
        made.pixels("soil_degradation_indicators", "degradation_sum"),
    )


@pytest.mark.parametrize(
    ("source", "whole"),
    [("soil_degradation_indicators", "degradation_sum"), ("land_degradation_europe", "lmi")],
)
def test_the_index_is_the_sum_of_its_layers(made: Made, source: str, whole: str) -> None:
    parts = [c.name for c in load_spec(source).columns if c.name != whole]
    total = sum(np.atleast_3d(made.pixels(source, name).T).T.sum(axis=0) for name in parts)
    index = made.pixels(source, whole)
    np.testing.assert_array_equal(total, index)
    assert 0 < np.nanmax(index) < 19


def test_results_are_weighted_sums_and_croatia_is_left_out(made: Made) -> None:
    source = "soil_biodiversity_threats"
    names = [c.name for c in load_spec(source).columns]
    layers = np.stack([made.pixels(source, n) for n in names if "layer" in n])
    known = np.isfinite(layers).all(axis=0)
    for name in (n for n in names if "layer" not in n):
        index = made.pixels(source, name)[known]
        weights, *_ = np.linalg.lstsq(layers[:, known].T, index, rcond=None)
        np.testing.assert_allclose(weights @ layers[:, known], index, atol=2e-3)
    grid, _ = made.layers(source)
    assert not known[np.isin(grid.country, ["HR", "CH"])].any()
    assert known[grid.land & (grid.country == "DE")].all()
