"""Maps of metals, soil properties, carbon and phosphorus: what is read is what was written.

Every source goes from the twin's native files through ingestion and standardisation to its
expectations; each fault that its specification tells of has a test of its own.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
from pydantic import ValidationError
from twin_maps import Made, counts, edit, make, pixels_of, same

from adapters.errors import CodebookError, ReadError, SoilmeldError
from adapters.quantities import quantity
from adapters.spec import Column, SourceSpec, load_spec
from adapters.twin import making
from adapters.twin.europe import Array
from adapters.twin.grids import FLOAT_NODATA, write_ascii, write_idrisi
from expectations.engine import validate

SOURCES = (
    "cadmium_topsoils", "caesium_plutonium_topsoils", "compaction_susceptibility",
    "copper_topsoils", "global_soc_estimates", "heavy_metals_lucas2009_maps",
    "mercury_topsoils", "octop", "phosphorus_budget_stocks", "phosphorus_cycle_daycent",
    "predicted_soc_lucas_biosoil_czo", "saline_sodic_soils", "soc_changes_2009_18",
    "soc_saturation_capacity", "soil_bulk_density_europe", "soil_ph_europe",
    "topsoil_chemical_properties", "topsoil_physical_properties", "topsoil_soc_lucas_eu25",
    "zinc_topsoils",
)  # fmt: skip
GISCO = "+proj=laea +lat_0=48 +lon_0=9 +x_0=0 +y_0=0 +a=6378388 +b=6378388 +units=m +no_defs"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("soil"), SOURCES)


def _scaled(factor: float) -> Callable[[Array], Array]:
    """Another unit; undeclared nodata stays."""
    return lambda v: np.where(v > -1e30, v.astype(float) * factor, v)


def _raster_columns(source: str) -> list[str]:
    return [c.name for c in load_spec(source).pieces[0].columns]


# --- every source -----------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES)
def test_expectations_hold(made: Made, source: str) -> None:
    for piece in made.standards[source].pieces:
        report = validate(piece)
        assert report.success, report.readable()
        assert len(report.results) > 3


@pytest.mark.parametrize("source", SOURCES)
def test_values_are_those_of_the_field(made: Made, source: str) -> None:
    """Equal to the written field in canonical units; a pixel is lost where a flag counts it."""
    lattice, fields = made.layers(source)
    main = made.standards[source]
    assert sorted(main.table["column"]) == sorted(fields) == sorted(_raster_columns(source))
    for name, field in fields.items():
        column, pixels = main.spec.column(name), made.pixels(source, name)
        assert pixels.shape == (lattice.height, lattice.width)
        expected = field if column.clip_below is None else np.maximum(field, column.clip_below)
        if source == "soc_saturation_capacity":
            expected = np.where(expected == 1, np.nan, expected)
        known = np.isfinite(expected)
        assert known.any()
        assert not np.isfinite(pixels[~known]).any()
        lost = known & ~np.isfinite(pixels)
        flagged = sum(counts(main, name, flag) for flag in ("out_of_range", "texture_sum"))
        assert lost.sum() == flagged
        # Pixels are written with twelve significant bits, half a unit of which is 2.4e-4 at most.
        np.testing.assert_allclose(
            pixels[known & ~lost], expected[known & ~lost], rtol=2.5e-4, atol=1e-9
        )


@pytest.mark.parametrize("source", SOURCES)
def test_all_that_was_planted_is_flagged_and_nothing_else(made: Made, source: str) -> None:
    for piece in made.standards[source].pieces:
        planted: set[tuple[object, ...]] = set()
        faults = made.settings.truth_root / piece.spec.id / "faults.parquet"
        if faults.is_file():
            planted = set(pl.read_parquet(faults).select("key", "column", "flag").iter_rows())
        assert set(piece.flags.select("row_ref", "column", "flag").iter_rows()) == planted


@pytest.mark.parametrize("source", SOURCES)
def test_values_lie_within_the_bounds_of_their_quantity(made: Made, source: str) -> None:
    for piece in made.standards[source].pieces:
        checked = 0
        for column in piece.spec.columns:
            if column.kind != "numeric" or column.statistic != "value":
                continue
            said = quantity(str(column.quantity))
            if piece.spec.is_raster:
                row = piece.table.row(by_predicate=pl.col("column") == column.name, named=True)
                assert row["unit"] == said.unit
                low, high = row["minimum"], row["maximum"]
            else:
                low, high = piece.table[column.name].min(), piece.table[column.name].max()
            assert said.minimum is None or low >= said.minimum
            assert said.maximum is None or high <= said.maximum
            checked += 1
        assert checked or all(c.kind == "categorical" for c in piece.spec.columns)


@pytest.mark.parametrize("source", SOURCES)
def test_assumed_headers_and_units_say_so(source: str) -> None:
    """A quirk names what is assumed wherever a file name is not published."""
    spec = load_spec(source)
    assert spec.quirks
    assert any("assumed" in quirk for quirk in spec.quirks)
    for column in spec.columns:
        assert column.kind != "numeric" or column.unit_evidence


# --- what a specification may say ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"clip_below": 0.0}, "needs a `minimum` below it"),
        ({"background_is_nodata": True}, "needs `background`"),
    ],
)
def test_slight_undershoot_and_background_are_said_in_full(
    change: dict[str, object], told: str
) -> None:
    zinc = load_spec("zinc_topsoils").column("zinc").model_dump()
    assert Column.model_validate(zinc).minimum == 0
    with pytest.raises(ValidationError, match=told):
        Column.model_validate(zinc | change)


def test_only_layers_have_a_background() -> None:
    points = load_spec("predicted_soc_lucas_biosoil_czo__points")
    columns = [c.model_dump() | {"background": "0"} for c in points.columns]
    said = points.model_dump() | {"columns": columns, "folder": points.folder}
    with pytest.raises(ValidationError, match="are of layers"):
        SourceSpec.model_validate(said)


# --- nodata, CRS and formats ------------------------------------------------------------------


def test_undeclared_nodata_is_no_value(made: Made) -> None:
    raw = made.settings.raw / "cadmium_topsoils" / "cadmium.tif"
    with rasterio.open(raw) as source:
        assert source.nodata is None
        assert source.read(1).min() == np.float32(FLOAT_NODATA)
    lattice, _ = made.layers("cadmium_topsoils")
    row = made.standards["cadmium_topsoils"].table.row(0, named=True)
    assert row["valid_share"] == pytest.approx(lattice.land.mean())
    assert row["minimum"] > 0


@pytest.mark.parametrize("source", ["cadmium_topsoils", "soc_changes_2009_18"])
@pytest.mark.parametrize("crs", [None, "EPSG:4258"])
def test_a_map_of_undeclared_projection_must_state_its_own(user, source: str, crs: str) -> None:
    with pytest.raises(ReadError, match="no CRS" if crs is None else "middle lies outside"):
        user(source, lambda folder: edit(next(folder.glob("*.tif")), same, crs=crs))


@pytest.mark.parametrize("source", ["octop", "soil_ph_europe", "soc_saturation_capacity"])
def test_binary_grids_are_folders(made: Made, source: str) -> None:
    (row,) = made.standards[source].table.rows(named=True)
    assert (made.settings.raw / source / row["row_ref"] / "hdr.adf").is_file()


def test_a_binary_grid_needs_all_its_files(user) -> None:
    with pytest.raises(SoilmeldError) as told:
        user("copper_topsoils", lambda folder: (folder / "copper" / "w001001.adf").unlink())
    assert "copper" in str(told.value)


def _as_ascii(made: Made, folder: Path, crs: str, *, nodata: bool = True) -> None:
    """OCTOP as ASCII grid in a CRS, instead of the binary grid."""
    shutil.rmtree(folder / "octop")
    lattice = made.world.grid(crs, 1000.0)
    carbon = lattice.soil(0, 30, 2003)["organic_carbon"] / 10.0
    filled = np.where(lattice.land, np.round(carbon, 2), -9999)
    declared = -9999.0 if nodata else None
    write_ascii(folder / "octop.asc", filled, lattice.west, lattice.north, lattice.cell, declared)


def test_octop_is_read_as_ascii_grid_too(made: Made, user) -> None:
    settings, standard = user("octop", lambda folder: _as_ascii(made, folder, "EPSG:3035"))
    assert standard.table["row_ref"].to_list() == ["octop.asc"]
    assert "LAEA" in standard.table["crs"][0]
    lattice, _ = made.layers("octop")
    carbon = lattice.soil(0, 30, 2003)["organic_carbon"]
    pixels = pixels_of(settings, standard, "organic_carbon")
    # Percent by mass became g/kg.
    np.testing.assert_allclose(pixels[lattice.land], carbon[lattice.land], atol=0.051)


def test_octop_in_the_older_projection_is_refused(made: Made, user) -> None:
    with pytest.raises(ReadError, match="middle lies outside") as told:
        user("octop", lambda folder: _as_ascii(made, folder, GISCO))
    assert "crs" in str(told.value)


def test_octop_without_a_nodata_line_is_refused(made: Made, user) -> None:
    _, standard = user("octop", lambda folder: _as_ascii(made, folder, "EPSG:3035", nodata=False))
    lattice, _ = made.layers("octop")
    assert counts(standard, "organic_carbon", "out_of_range") == (~lattice.land).sum()
    assert not validate(standard).success


@pytest.mark.parametrize("source", ["octop", "soil_ph_europe"])
def test_two_formats_of_one_map_are_refused_together(made: Made, user, source: str) -> None:
    column = load_spec(source).columns[0]
    other = column.aliases[0]

    def add(folder: Path) -> None:
        (folder / other).write_bytes(b"of the other format")

    with pytest.raises(ReadError, match="editions"):
        user(source, add)


def test_ph_is_read_from_idrisi_too(made: Made, user) -> None:
    lattice, fields = made.layers("soil_ph_europe")

    def replace(folder: Path) -> None:
        shutil.rmtree(folder / "ph_cacl2")
        filled = np.where(np.isfinite(fields["ph_cacl2"]), fields["ph_cacl2"], -9999)
        write_idrisi(
            folder / "ph_cacl2.rst", filled.astype("float32"), lattice.crs,
            (lattice.west, lattice.north), lattice.cell, nodata=-9999,
        )  # fmt: skip
        assert "plane" in (folder / "ph_cacl2.rdc").read_text()

    settings, standard = user("soil_ph_europe", replace)
    pixels = pixels_of(settings, standard, "ph_cacl2")
    np.testing.assert_allclose(pixels, fields["ph_cacl2"], rtol=1e-6)


def test_an_idrisi_raster_without_its_description_is_refused(user) -> None:
    with pytest.raises(SoilmeldError) as told:
        user(
            "global_soc_estimates",
            lambda folder: (folder / "soc_0_30_30arcsec.rdc").unlink(),
        )
    assert "soc_0_30_30arcsec.rdc is not beside it" in str(told.value)


def test_of_two_grids_of_one_variable_the_finer_is_taken(made: Made, user) -> None:
    def add(folder: Path) -> None:
        for suffix in (".rst", ".rdc"):
            shutil.copy(folder / f"soc_0_30_30arcsec{suffix}", folder / f"soc_0_30_5arcmin{suffix}")

    _, standard = user("global_soc_estimates", add)
    refs = ["soc_0_30_30arcsec.rst", "soc_30_100_30arcsec.rst"]
    assert standard.table["row_ref"].to_list() == refs
    assert all("WGS 84" in crs for crs in standard.table["crs"])
    assert [standard.spec.column(c).depth for c in standard.table["column"]] == ["0-30", "30-100"]


# --- metals and fallout -----------------------------------------------------------------------


def test_copper_of_vineyards_is_missing_elsewhere_and_never_zero(made: Made) -> None:
    copper = made.pixels("copper_topsoils", "copper")
    vineyards = made.pixels("copper_topsoils", "copper_vineyards")
    assert 0 < np.isfinite(vineyards).sum() < 0.2 * np.isfinite(copper).sum()
    assert np.nanmin(vineyards) > 0
    lattice, _ = made.layers("copper_topsoils")
    assert (lattice.land & (lattice.country == "HR")).any()
    assert np.isnan(copper[lattice.country == "HR"]).all()


def test_the_vineyard_layers_may_be_absent(user) -> None:
    def remove(folder: Path) -> None:
        for path in folder.glob("copper_*.tif"):
            path.unlink()

    _, standard = user("copper_topsoils", remove)
    assert standard.table["column"].to_list() == ["copper"]
    assert validate(standard).success


def test_shifted_decimals_of_zinc_are_flagged(made: Made) -> None:
    zinc = made.standards["zinc_topsoils"]
    (flag,) = zinc.flags.filter(flag="out_of_range").rows(named=True)
    assert flag["value"] > 5000
    assert counts(zinc, "zinc", "out_of_range") >= 1
    # A covariate: modelled, and met as pixels, never a sample's own zinc.
    assert zinc.spec.column("zinc").method == "modelled"
    assert zinc.spec.fuse.join == "raster"


def test_mercury_comes_in_micrograms(made: Made) -> None:
    with rasterio.open(made.settings.raw / "mercury_topsoils" / "mercury.tif") as source:
        raw = source.read(1).astype(float)
    known = np.isfinite(made.pixels("mercury_topsoils", "mercury"))
    # The published median is 38.3 ug/kg.
    assert 10 < np.median(raw[known]) < 100
    pixels = made.pixels("mercury_topsoils", "mercury")
    np.testing.assert_allclose(pixels[known] * 1000, raw[known], rtol=1e-6)
    # Nodata that leaked into single pixels is refused, and no -9.999 mg/kg.
    assert counts(made.standards["mercury_topsoils"], "mercury", "out_of_range") >= 1
    assert np.nanmin(pixels) > 0


def test_mercury_in_milligrams_is_refused(user) -> None:
    _, standard = user("mercury_topsoils", lambda f: edit(f / "mercury.tif", _scaled(1e-3)))
    assert "mercury" in {r.column for r in validate(standard).refusals}


def test_a_map_named_zinc_is_no_manganese(user) -> None:
    with pytest.raises(ReadError, match=r"'Mn\.tif', and 'Zn\.tif' is no layer"):
        user(
            "heavy_metals_lucas2009_maps",
            lambda folder: (folder / "Mn.tif").rename(folder / "Zn.tif"),
        )


def test_error_variances_are_squares(made: Made) -> None:
    standard = made.standards["heavy_metals_lucas2009_maps"]
    variances = standard.table.filter(pl.col("column").str.ends_with("_error_variance"))
    assert variances.height == 10
    assert set(variances["unit"]) == {"(mg/kg)**2"}
    assert set(standard.table["unit"]) == {"(mg/kg)**2", "mg/kg"}
    for name in ("lead", "mercury"):
        value = made.pixels("heavy_metals_lucas2009_maps", f"hm_{name}")
        variance = made.pixels("heavy_metals_lucas2009_maps", f"hm_{name}_error_variance")
        np.testing.assert_allclose(
            np.sqrt(variance[np.isfinite(variance)]), 0.35 * value[np.isfinite(value)], rtol=2e-3
        )
        assert standard.spec.column(f"hm_{name}_error_variance").statistic == "variance"


def test_each_detection_limit_stands_with_its_element() -> None:
    limits = {
        c.native: c.detection_limit
        for c in load_spec("heavy_metals_lucas2009_maps").columns
        if c.statistic == "value"
    }
    assert limits == {
        "As.tif": 2.84, "Cd.tif": 0.07, "Cr.tif": 0.32, "Cu.tif": 0.26, "Hg.tif": 5e-05,
        "Pb.tif": 1.16, "Mn.tif": 2.12, "Sb.tif": 0.81, "Co.tif": 0.15, "Ni.tif": 0.27,
    }  # fmt: skip


def test_two_maps_of_one_element_are_two_features() -> None:
    """Aligned features carry their source's name, so that copper by two models stays two."""
    both = [load_spec(s) for s in ("copper_topsoils", "heavy_metals_lucas2009_maps")]
    columns = [both[0].column("copper"), both[1].column("hm_copper")]
    assert {c.quantity for c in columns} == {"total_copper"}
    assert all(spec.sample is None and spec.fuse.join == "raster" for spec in both)


def test_fallout_is_told_of_six_countries_with_its_date(made: Made) -> None:
    lattice, _ = made.layers("caesium_plutonium_topsoils")
    standard = made.standards["caesium_plutonium_topsoils"]
    for column in standard.spec.columns:
        pixels = made.pixels("caesium_plutonium_topsoils", column.name)
        countries = set(lattice.country[np.isfinite(pixels)])
        assert countries == {"FR", "DE", "IT", "BE", "CH"}  # the twin has no Luxembourg
        assert column.period
    units = dict(standard.table.select("column", "unit").iter_rows())
    assert units["plutonium_239_240"] == "Bq/m**2"
    assert units["caesium_137_inventory"] == "kBq/m**2"


@pytest.mark.parametrize(
    ("source", "column", "absent", "present"),
    [
        ("copper_topsoils", "copper", ["HR"], "DE"),
        ("heavy_metals_lucas2009_maps", "hm_arsenic", ["HR", "CH"], "DE"),
        ("topsoil_chemical_properties", "ph_h2o", ["HR"], "DE"),
        ("soil_ph_europe", "ph_cacl2", ["BG", "RO"], "HR"),
        ("topsoil_soc_lucas_eu25", "soil_organic_carbon", ["RO", "BG", "HR"], "DE"),
    ],
)
def test_countries_that_a_map_leaves_out_have_no_value(
    made: Made, source: str, column: str, absent: list[str], present: str
) -> None:
    lattice, _ = made.layers(source)
    known = np.isfinite(made.pixels(source, column))
    assert not known[np.isin(lattice.country, absent)].any()
    assert known[lattice.country == present].any()


# --- physical and chemical properties ---------------------------------------------------------


def test_fractions_that_miss_100_are_withheld_and_none_is_scaled(made: Made) -> None:
    source = "topsoil_physical_properties"
    raw = {}
    for name, file in (("clay", "Clay"), ("silt", "Silt1"), ("sand", "Sand1")):
        with rasterio.open(made.settings.raw / source / f"{file}.tif") as read:
            raw[name] = read.read(1).astype(float)
    lattice, _ = made.layers(source)
    kept = {name: made.pixels(source, name) for name in raw}
    total = sum(raw.values())
    off = lattice.land & (np.abs(total - 100) > 5)
    assert 0 < off.sum() < 0.01 * lattice.land.sum()
    for name, pixels in kept.items():
        np.testing.assert_array_equal(np.isfinite(pixels), lattice.land & ~off)
        np.testing.assert_allclose(pixels[lattice.land & ~off], raw[name][lattice.land & ~off])
        assert counts(made.standards[source], name, "texture_sum") == off.sum()
    sums = sum(kept.values())[lattice.land & ~off]
    assert np.abs(sums - 100).max() > 0.5  # not renormalised


def test_maps_of_another_layer_break_the_sum_for_good(user) -> None:
    _, standard = user(
        "topsoil_physical_properties",
        lambda folder: shutil.copy(folder / "Clay.tif", folder / "Sand1.tif"),
    )
    assert not validate(standard).success


def test_fractions_on_different_grids_are_refused(user) -> None:
    def crop(folder: Path) -> None:
        edit(folder / "Sand1.tif", lambda v: v[:, :-1])

    with pytest.raises(ReadError, match="different grids"):
        user("topsoil_physical_properties", crop)


def _as_edition(folder: Path, suffix: str) -> None:
    for path in folder.glob("*.tif"):
        path.rename(folder / f"{path.stem.rstrip('1')}{suffix}.tif")


@pytest.mark.parametrize("suffix", ["_eu23", "_Extra"])
def test_each_edition_is_read(user, suffix: str) -> None:
    _, standard = user("topsoil_physical_properties", lambda folder: _as_edition(folder, suffix))
    assert all(suffix in ref for ref in standard.table["row_ref"])
    assert standard.table.height == 7


@pytest.mark.parametrize("file", ["Clay_eu23.tif", "AWC_Extra.tif"])
def test_editions_are_never_mixed(user, file: str) -> None:
    def mix(folder: Path) -> None:
        (folder / f"{file.partition('_')[0]}.tif").rename(folder / file)

    with pytest.raises(ReadError, match="editions") as told:
        user("topsoil_physical_properties", mix)
    assert file in str(told.value)


def test_the_first_issue_of_silt_is_not_taken(user) -> None:
    with pytest.raises(ReadError, match=r"Silt1\.tif"):
        user(
            "topsoil_physical_properties",
            lambda folder: (folder / "Silt1.tif").rename(folder / "Silt.tif"),
        )


def test_available_water_in_percent_breaks_the_range(user) -> None:
    _, standard = user(
        "topsoil_physical_properties",
        lambda folder: edit(folder / "AWC.tif", _scaled(100)),
    )
    assert "available_water_capacity" in {r.column for r in validate(standard).refusals}


def test_slightly_negative_predictions_are_clipped_with_a_flag(made: Made) -> None:
    source = "topsoil_chemical_properties"
    _, fields = made.layers(source)
    lime = fields["calcium_carbonate"]
    assert np.nanmin(lime) < 0
    assert np.nanmin(made.pixels(source, "calcium_carbonate")) == 0
    standard = made.standards[source]
    assert counts(standard, "calcium_carbonate", "clipped") == (lime < 0).sum()
    (flag,) = standard.flags.filter(column="calcium_carbonate").rows(named=True)
    assert flag["value"] == pytest.approx(np.nanmin(lime), rel=1e-3)
    assert counts(standard, "ph_h2o", "clipped") == 0


def test_predictions_far_below_zero_are_refused(user) -> None:
    _, standard = user(
        "topsoil_chemical_properties",
        lambda folder: edit(folder / "CaCO3.tif", lambda v: np.where(v > -1e30, v - 100, v)),
    )
    assert counts(standard, "calcium_carbonate", "out_of_range") > 0
    assert "calcium_carbonate" in {r.column for r in validate(standard).refusals}


def test_names_of_chemical_maps_are_compared_without_case(user) -> None:
    def rename(folder: Path) -> None:
        (folder / "CaCO3.tif").rename(folder / "Caco3.tif")
        (folder / "pH_H2O_ratio_Cacl.tif").rename(folder / "PH_H2O_RATIO_CACL.tif")

    _, standard = user("topsoil_chemical_properties", rename)
    assert "Caco3.tif" in standard.table["row_ref"].to_list()


def test_megagrams_per_cubic_metre_are_grams_per_cubic_centimetre(made: Made) -> None:
    from adapters.units import conversion

    assert conversion("t/m**3", None, "g/cm**3", None).scale == 1.0
    table = made.standards["soil_bulk_density_europe"].table
    assert set(table["unit"]) == {"g/cm**3"}
    depths = {c.name: c.depth for c in made.standards["soil_bulk_density_europe"].spec.columns}
    assert depths["bulk_density_10_20"] == "10-20"


def test_ph_is_that_in_calcium_chloride(made: Made) -> None:
    column = load_spec("soil_ph_europe").column("ph_cacl2")
    assert column.quantity == "ph_cacl2"
    lattice, _ = made.layers("soil_ph_europe")
    pixels = made.pixels("soil_ph_europe", "ph_cacl2")
    assert np.isnan(pixels[np.isin(lattice.country, ["BG", "RO"])]).all()
    assert {"CH", "HR"} <= set(lattice.country[np.isfinite(pixels)])


# --- carbon -----------------------------------------------------------------------------------


def test_the_standard_error_is_told_as_one(made: Made) -> None:
    source = "topsoil_soc_lucas_eu25"
    assert made.standards[source].spec.column("soil_organic_carbon_se").statistic == "sd"
    lattice, _ = made.layers(source)
    pixels = made.pixels(source, "soil_organic_carbon")
    assert np.isnan(pixels[np.isin(lattice.country, ["BG", "RO", "HR"])]).all()
    # Organic soils are predicted too low.
    truth = lattice.soil()["organic_carbon"]
    organic = np.isfinite(pixels) & (truth > 160)
    assert organic.any()
    assert (pixels[organic] < truth[organic]).all()


def test_points_behind_a_map_join_no_sample(made: Made) -> None:
    (points,) = made.standards["predicted_soc_lucas_biosoil_czo"].parts
    assert points.spec.fuse.join == "none"
    assert "LUCAS 2009" in str(points.spec.fuse.reason)
    assert points.table["longitude"].null_count() == 0
    _, _, carbon = making.writer("predicted_soc_lucas_biosoil_czo").points(made.world)
    # Percent became g/kg; the laboratory errs by a twentieth.
    ratio = points.table["soc_point"].to_numpy() / carbon
    assert abs(np.median(ratio) - 1) < 0.05


def test_the_points_behind_a_map_may_be_absent(user) -> None:
    def remove(folder: Path) -> None:
        for path in folder.glob("soc_points.*"):
            path.unlink()

    _, standard = user("predicted_soc_lucas_biosoil_czo", remove)
    assert not standard.parts


def test_a_change_may_be_negative_and_is_no_content(made: Made, user) -> None:
    pixels = made.pixels("soc_changes_2009_18", "soc_change")
    assert np.nanmin(pixels) < 0 < np.nanmax(pixels)
    column = load_spec("soc_changes_2009_18").column("soc_change")
    assert (column.quantity, column.unit) == ("organic_carbon_change", "g/kg")
    _, standard = user(
        "soc_changes_2009_18",
        lambda folder: edit(folder / "soc_change_2009_2018.tif", _scaled(1000)),
    )
    assert not validate(standard).success


def test_forest_that_is_1_by_decree_is_missing(made: Made) -> None:
    source = "soc_saturation_capacity"
    _, fields = made.layers(source)
    forest = fields["soc_saturation_ratio"] == 1
    assert forest.any()
    assert np.isnan(made.pixels(source, "soc_saturation_ratio")[forest]).all()
    standard = made.standards[source]
    assert counts(standard, "soc_saturation_ratio", "missing") == forest.sum()
    assert standard.table["maximum"][0] < 1


# --- phosphorus -------------------------------------------------------------------------------


def test_phosphorus_has_three_supports(made: Made) -> None:
    standard = made.standards["phosphorus_budget_stocks"]
    ids = [piece.spec.id for piece in standard.pieces]
    assert ids == [
        "phosphorus_budget_stocks",
        "phosphorus_budget_stocks__regions",
        "phosphorus_budget_stocks__points",
    ]
    joins = [piece.spec.fuse.join for piece in standard.pieces]
    assert joins == ["raster", "region", "none"]
    _, regions, points = standard.pieces
    assert {len(code) for code in regions.table["nuts"]} == {2, 4}
    codes, budget = making.writer("phosphorus_budget_stocks").budgets(made.world)
    found = dict(regions.table.select("nuts", "p_budget").iter_rows())
    assert [found[c] for c in codes] == pytest.approx(budget["balance"].tolist(), abs=6e-4)
    # The same table comes with LUCAS 2009, where it is joined.
    assert "lucas_2009_topsoil" in str(points.spec.fuse.reason)
    assert load_spec("lucas_2009_topsoil").column("total_phosphorus").quantity == (
        points.spec.column("total_p_point").quantity
    )


def test_available_phosphorus_is_a_seventeenth_of_the_total(made: Made) -> None:
    means = dict(
        made.standards["phosphorus_budget_stocks"].table.select("column", "mean").iter_rows()
    )
    assert 12 < means["total_p_stock"] / means["available_p_stock"] < 25
    # Published mean: 1,412 kg/ha.
    assert 1000 < means["total_p_stock"] < 2000


def test_projections_are_told_from_simulations_of_the_past() -> None:
    columns = {c.name: c for c in load_spec("phosphorus_cycle_daycent").columns}
    told = {n: (c.method, c.period) for n, c in columns.items() if n.startswith("p_balance")}
    assert told == {
        "p_balance_2010_2019": ("modelled", "2010-2019"),
        "p_balance_2020_2029": ("projected", "2020-2029"),
        "p_balance_2040_2049": ("projected", "2040-2049"),
    }
    # Units are bound to each file.
    assert {c.unit for c in columns.values()} == {"kg/ha/year", "kg/ha"}


# --- classes ----------------------------------------------------------------------------------


def test_no_salt_is_a_class_and_the_sea_is_none(made: Made) -> None:
    lattice, _ = made.layers("saline_sodic_soils")
    pixels = made.pixels("saline_sodic_soils", "salt_affected_class")
    assert (pixels == 0).any()
    assert {1.0, 2.0, 3.0, 4.0, 5.0} & set(np.unique(pixels))
    assert np.isnan(pixels[~lattice.land]).all()


def _without_background(folder: Path) -> None:
    edit(folder / "saline_sodic.tif", lambda v: np.where(v == 0, 255, v))


def test_a_map_without_background_is_refused_with_the_line_to_change(user) -> None:
    with pytest.raises(CodebookError, match="not salt-affected") as told:
        user("saline_sodic_soils", _without_background)
    assert "background_is_nodata to true in line 2 of columns.csv" in str(told.value)


def test_nodata_becomes_the_background_where_the_line_says_so(user) -> None:
    spec = load_spec("saline_sodic_soils")
    column = spec.columns[0].model_dump() | {"background_is_nodata": True}
    said = spec.model_dump() | {"columns": [column], "folder": spec.folder}
    changed = SourceSpec.model_validate(said)
    settings, standard = user("saline_sodic_soils", _without_background, changed)
    pixels = pixels_of(settings, standard, "salt_affected_class")
    assert np.isfinite(pixels).all()
    assert (pixels == 0).any()


def test_special_codes_of_compaction_are_no_degrees(made: Made) -> None:
    source = "compaction_susceptibility"
    pixels = made.pixels(source, "compaction_susceptibility")
    known = set(np.unique(pixels[np.isfinite(pixels)]))
    assert 0.0 in known
    assert 9.0 not in known
    (flag,) = made.standards[source].flags.rows(named=True)
    assert (flag["flag"], flag["raw"]) == ("missing", "9")
    assert "no evaluation possible" in flag["detail"]
    assert load_spec(source).columns[0].kind == "categorical"


def test_a_class_that_the_codebook_lacks_is_refused(user) -> None:
    with pytest.raises(CodebookError, match="codebook compaction"):
        user(
            "compaction_susceptibility",
            lambda folder: edit(
                folder / "compaction_susceptibility.tif", lambda v: np.where(v == 4, 7, v)
            ),
        )
