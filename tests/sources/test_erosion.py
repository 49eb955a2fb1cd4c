"""Sources of soil erosion: twin to standard table, laws of the truth, quirks, and the matrix."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
from rasterio.transform import from_origin
from twin_maps import copied, edit, layers_of, pixels_of, standardised

from adapters import twin
from adapters.checking import examine
from adapters.columns import canonical_unit, column_range, convert
from adapters.errors import CodebookError, ReadError, SoilmeldError, UnitError
from adapters.readers.raster import open_mosaic
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, load_spec
from adapters.standardise import Standard
from adapters.store import Store
from adapters.twin import erosion
from adapters.twin.europe import LAND_COVERS, Europe
from adapters.twin.grids import write_binary_grid, write_geotiff
from adapters.twin.world import Lattice, World
from adapters.units import conversion

SOURCES = (
    "rusle2015_soil_loss", "r_factor", "k_factor", "ls_factor", "c_factor", "p_factor",
    "water_erosion_2050", "wind_erosion_rweq", "wind_erosion_susceptibility_ilswe",
    "multiple_concurrent_erosion", "slch_crop_harvesting", "watem_sedem", "post_fire_erosion",
    "historical_erosion", "biodiversity_erosion_factor", "gloreda", "elsus_v2", "cover_crops",
)  # fmt: skip
RASTERS = tuple(s for s in SOURCES if load_spec(s).pieces[0].is_raster)
# Numbers, codes, arrays, stations, polygons and regions: one of each way to the samples and more.
FUSED = ("multiple_concurrent_erosion", "slch_crop_harvesting", "watem_sedem", "gloreda",
         "p_factor", "elsus_v2", "cover_crops")  # fmt: skip
BACKBONE = "lucas_2018_topsoil"
SEED = 7
# Twelve significant bits of a pixel, and the unit conversion after them.
ROUNDING = 3e-4


@dataclass(frozen=True)
class Made:
    """What the twin wrote, and the fields it wrote it from."""

    settings: Settings
    fields: dict[tuple[str, str], tuple[Lattice, np.ndarray]]
    standards: dict[str, Standard]

    def field(self, source: str, column: str) -> np.ndarray:
        layers = self.fields[source, column][1]
        return layers[0] if len(layers) == 1 else layers

    def pixels(self, source: str, column: str) -> np.ndarray:
        return pixels_of(self.settings, self.standards[source], column)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("erosion")
    settings = Settings(data_root=folder / "data", truth_root=folder / "truth")
    fields: dict[tuple[str, str], tuple[Lattice, np.ndarray]] = {}
    keep = World.remember

    def remember(
        world: World, spec: SourceSpec, column: Column, lattice: Lattice, values: np.ndarray
    ) -> None:
        fields[spec.id, column.name] = (lattice, values.copy())
        keep(world, spec, column, lattice, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "remember", remember)
        twin.write(settings, [BACKBONE, *SOURCES], size="tiny", seed=SEED)
    standards = {source: standardised(source, settings) for source in (BACKBONE, *SOURCES)}
    return Made(settings, fields, standards)


# --- all of them ---


@pytest.mark.parametrize("source", SOURCES)
def test_what_the_twin_writes_passes_every_expectation(source: str, made: Made) -> None:
    from expectations.engine import validate

    for piece in made.standards[source].pieces:
        report = validate(piece)
        assert report.success, [str(r) for r in report.refusals]
        assert piece.table.height


@pytest.mark.parametrize("source", RASTERS)
def test_layers_hold_the_field_wherever_no_fault_stands(source: str, made: Made) -> None:
    main = made.standards[source]
    for column in main.spec.columns:
        lattice, field = made.fields[source, column.name]
        layers = layers_of(made.settings, made.standards[source], column.name)
        assert len(layers) == len(field) == max(1, len(column.natives))
        refused = main.flags.filter(pl.col("flag") == "out_of_range")["row_ref"].to_list()
        for (row, pixels), whole in zip(layers, field, strict=True):
            # A mosaic of countries ends where these do.
            cell, _, west, _, _, north = row["transform"]
            top, left = round((lattice.north - north) / cell), round((west - lattice.west) / cell)
            true = whole[top : top + row["height"], left : left + row["width"]]
            assert np.isfinite(true).sum() == np.isfinite(whole).sum()
            lost = np.isfinite(true) & np.isnan(pixels)
            assert lost.sum() == refused.count(row["row_ref"]) <= 1
            assert np.isnan(pixels[np.isnan(true)]).all()
            known = np.isfinite(pixels)
            # Half of the smallest step that whole numbers of the native unit make.
            step = 0.51 * convert(main.spec, column).scale if source == "cover_crops" else 1e-4
            np.testing.assert_allclose(pixels[known], true[known], rtol=ROUNDING, atol=step)


@pytest.mark.parametrize("source", RASTERS)
def test_values_lie_within_the_bounds_of_their_quantity(source: str, made: Made) -> None:
    from adapters.quantities import quantity

    main = made.standards[source]
    for column in main.spec.columns:
        if column.kind != "numeric":
            continue
        said, rows = quantity(str(column.quantity)), main.table.filter(column=column.name)
        by = convert(main.spec, column).scale
        low, high, _ = column_range(column)
        assert said.minimum <= low * by <= rows["minimum"].min()
        assert rows["maximum"].max() <= high * by <= said.maximum
        assert rows["unit"].unique().to_list() == [canonical_unit(column)[0]]


def test_every_planted_fault_of_a_pixel_or_station_is_flagged(made: Made) -> None:
    planted = 0
    for source in SOURCES:
        for piece in made.standards[source].pieces:
            path = made.settings.truth_root / piece.spec.id / "faults.parquet"
            for fault in pl.read_parquet(path).iter_rows(named=True) if path.is_file() else ():
                found = piece.flags.filter(pl.col("flag") == fault["flag"])
                if piece.spec.is_raster:
                    found = found.filter(row_ref=fault["key"], column=fault["column"])
                assert found.height == 1, fault
                planted += 1
    assert planted == 9


@pytest.mark.parametrize("source", SOURCES)
def test_the_files_declare_what_the_folder_says(source: str, made: Made) -> None:
    for piece in made.standards[source].pieces:
        assert {c.evidence for c in piece.columns} <= {"verified", "assumed"}
        if any(c.evidence == "assumed" for c in piece.columns):
            assert "assumed" in " ".join(piece.spec.quirks)


# --- water: the factors and their product ---


def test_the_factors_multiply_to_the_soil_loss(made: Made) -> None:
    factors = (
        ("r_factor", "rainfall_erosivity"), ("k_factor", "soil_erodibility_stoniness"),
        ("ls_factor", "ls_factor"), ("c_factor", "c_factor"), ("p_factor", "p_factor"),
    )  # fmt: skip
    true = np.prod([made.field(*f) for f in factors], axis=0)
    loss = made.field("rusle2015_soil_loss", "soil_loss_water_2010")
    np.testing.assert_allclose(true, loss, rtol=6 * ROUNDING)
    said = np.prod([made.pixels(*f) for f in factors], axis=0)
    written = made.pixels("rusle2015_soil_loss", "soil_loss_water_2010")
    both = np.isfinite(said) & np.isfinite(written)
    assert both.sum() > 0.98 * np.isfinite(loss).sum()
    np.testing.assert_allclose(said[both], written[both], rtol=6 * ROUNDING)
    # The units multiply to the loss's own as well.
    units = [canonical_unit(load_spec(s).column(c))[0] for s, c in factors]
    assert units == ["MJ*mm/ha/hour/year", "t*ha*hour/(ha*MJ*mm)", "1", "1", "1"]


def test_stones_lower_the_erodibility_by_their_effect(made: Made) -> None:
    bare, stony, effect = (
        made.pixels("k_factor", c)
        for c in ("soil_erodibility", "soil_erodibility_stoniness", "stoniness_effect")
    )
    known = np.isfinite(bare)
    expected = bare * (1.0 - effect / 100.0)
    np.testing.assert_allclose(stony[known], expected[known], rtol=5 * ROUNDING, atol=1e-6)


def test_the_truth_has_the_means_that_are_published() -> None:
    # EU means: R 722, K 0.032, P 0.9702, C 0.1043, loss 2.46; LS is that of this world's relief.
    lattice = World(Europe(SEED), "demo").grid("EPSG:3035", 100)
    place, layer, land = lattice.place, lattice.soil(), lattice.land
    assert 500 < erosion.rainfall_erosivity(place)[land].mean() < 1000
    assert 0.025 < erosion.soil_erodibility(layer)[land].mean() < 0.04
    assert 0.95 < np.nanmean(erosion.support_practice(place)) < 0.99
    assert 0.05 < np.nanmean(erosion.cover_management(place)) < 0.16
    assert 1.0 < np.nanmean(erosion.soil_loss_water(place, layer)) < 5.0
    before, after = (np.nanmean(erosion.soil_loss_water(place, layer, y)) for y in (2010, 2016))
    assert 0 < 1 - after / before < 0.01


def test_surfaces_without_soil_have_no_value_and_are_not_zero(made: Made) -> None:
    lattice, _ = made.fields["rusle2015_soil_loss", "soil_loss_water_2010"]
    sealed = lattice.land & ~erosion.erodible(lattice.place)
    assert sealed.any()
    for source, column in (("rusle2015_soil_loss", "soil_loss_water_2016"), ("c_factor",) * 2):
        pixels = made.pixels(source, column)
        assert np.isnan(pixels[sealed]).all()
        assert np.isfinite(pixels[erosion.erodible(lattice.place)]).sum() > 1000


def test_a_zero_is_a_value_and_undeclared_nodata_is_none(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "rusle2015_soil_loss")
    with rasterio.open(folder / "soil_loss_2010.tif") as layer:
        assert layer.nodata is None
        assert layer.read(1).min() < -3e38
    edit(folder / "soil_loss_2010.tif", lambda b: np.where(b > 0, 0.0, b))
    table = standardised("rusle2015_soil_loss", own).table
    assert table["minimum"][0] == table["maximum"][0] == 0.0
    assert table["valid_share"][0] == pytest.approx(table["valid_share"][1], abs=1e-3)


def test_both_years_of_the_loss_are_kept_under_their_period(made: Made) -> None:
    columns = load_spec("rusle2015_soil_loss").columns
    assert [c.period for c in columns] == ["2010", "2016"]
    ratio = made.pixels("rusle2015_soil_loss", "soil_loss_water_2016") / made.pixels(
        "rusle2015_soil_loss", "soil_loss_water_2010"
    )
    assert 0.98 < np.nanmin(ratio) <= np.nanmax(ratio) < 1.0


def test_months_of_erosivity_add_up_to_the_year_and_never_convert_to_it(made: Made) -> None:
    assert (made.settings.raw / "r_factor" / "R-factor December.tif").is_file()
    months = made.pixels("r_factor", "rainfall_erosivity_monthly")
    assert months.shape[0] == 12
    year = made.pixels("r_factor", "rainfall_erosivity")
    known = np.isfinite(year)
    np.testing.assert_allclose(months.sum(axis=0)[known], year[known], rtol=2 * ROUNDING)
    month, yearly = "MJ*mm/ha/hour", "MJ*mm/ha/hour/year"
    for one, other in ((month, yearly), (yearly, month)):
        with pytest.raises(UnitError, match="do not measure the same"):
            conversion(one, None, other, None)
    spec = load_spec("r_factor")
    wrong = spec.column("rainfall_erosivity_monthly").model_copy(update={"unit": yearly})
    with pytest.raises(UnitError, match="rainfall_erosivity_monthly"):
        convert(spec, wrong)


def test_months_are_in_the_order_of_the_year_under_either_name(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "r_factor")
    names = load_spec("r_factor").column("rainfall_erosivity_monthly").natives
    for month, name in enumerate(names, start=1):
        (folder / name).rename(folder / f"Rf_month_{month:02d}.tif")
    said = [
        standard.table.filter(column="rainfall_erosivity_monthly")["mean"].to_list()
        for standard in (made.standards["r_factor"], standardised("r_factor", own))
    ]
    assert said[0] == said[1]
    # More erosive rain in summer.
    assert min(said[0][5:8]) > max(said[0][:2])


def test_erodibility_in_another_unit_is_refused_as_a_whole(made: Made, own: Settings) -> None:
    from expectations.engine import validate

    folder = copied(made.settings, own, "k_factor")
    # US customary units: 7.59 times the SI value.
    edit(folder / "K_new_crop.tif", lambda b: np.where(b > 0, 7.59 * b, b))
    standard = standardised("k_factor", own)
    flagged = standard.flags.filter(column="soil_erodibility", flag="out_of_range")
    assert int(flagged["detail"][0].split()[0]) > 1000
    report = validate(standard)
    assert not report.success
    assert {r.column for r in report.refusals} == {"soil_erodibility"}


def test_the_extrapolated_erodibility_is_not_taken_for_the_union(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "k_factor")
    (folder / "K_new_crop.tif").rename(folder / "K_extrapolated.tif")
    with pytest.raises(ReadError, match=r"K_new_crop\.tif") as refused:
        standardised("k_factor", own)
    assert "K_extrapolated.tif" in str(refused.value)


def test_countries_that_overlap_at_the_border_are_one_mosaic(made: Made, own: Settings) -> None:
    folder = own.raw / "ls_factor"
    folder.mkdir(parents=True)
    shutil.copy(made.settings.raw / "ls_factor" / "EU_LS_Mosaic_100m.tif", folder)
    whole = np.arange(1.0, 21.0, dtype=np.float32).reshape(4, 5)
    for name, window in (("FR", np.s_[:, :3]), ("DE", np.s_[:, 2:])):
        corner = (4e6 + 25.0 * (window[1].start or 0), 3e6)
        write_geotiff(
            folder / f"LS_25m_{name}.tif", [whole[window]], "EPSG:3035", corner, 25.0, nodata=-9999
        )
    standard = standardised("ls_factor", own)
    row = standard.table.filter(column="ls_factor_25m").row(0, named=True)
    with rasterio.open(own.data_root / row["path"]) as layer:
        np.testing.assert_array_equal(layer.read(1), whole)
        assert layer.transform == from_origin(4e6, 3e6, 25.0, 25.0)


def test_the_sea_has_no_slope(made: Made) -> None:
    lattice, _ = made.fields["ls_factor", "ls_factor"]
    for column in ("ls_factor", "ls_factor_25m"):
        assert np.isfinite(made.pixels("ls_factor", column)).sum() >= lattice.land.sum() - 1
    assert np.isnan(made.pixels("ls_factor", "ls_factor")[~lattice.land]).all()


def test_the_mosaic_may_come_alone(made: Made, own: Settings) -> None:
    copied(made.settings, own, "ls_factor", "LS_25m_*")
    assert standardised("ls_factor", own).table["column"].to_list() == ["ls_factor"]


def test_high_cover_factors_are_rare(made: Made) -> None:
    pixels = made.pixels("c_factor", "c_factor")
    assert (pixels > 0.5).sum() < 0.01 * np.isfinite(pixels).sum()


def test_means_of_the_practice_factor_are_those_of_the_regions(made: Made) -> None:
    (part,) = made.standards["p_factor"].parts
    assert part.spec.id == "p_factor__regions"
    assert part.spec.fuse.join == "region"
    lattice, _ = made.fields["p_factor", "p_factor"]
    codes = lattice.world.europe.regions.code[lattice.place["region"]]
    field = made.field("p_factor", "p_factor")
    for code, mean in part.table.select("nuts2", "p_factor_nuts2").iter_rows():
        assert mean == pytest.approx(np.nanmean(field[(codes == code) & lattice.land]), abs=3e-4)
    assert part.table["p_factor_nuts2"].std() < 0.03


# --- scenarios, history, fire ---


def test_projections_name_their_scenario_and_their_year(made: Made) -> None:
    spec = load_spec("water_erosion_2050")
    assert {c.period for c in spec.columns} == {"2050"}
    assert (spec.time.start or "")[:4] == (spec.time.end or "")[:4] == "2050"
    methods = {c.name: str(c.method) for c in spec.columns}
    for scenario in ("rcp26", "rcp45", "rcp85"):
        assert methods[f"soil_loss_2050_{scenario}"].endswith(scenario)
    assert not any("ssp" in m for m in methods.values())
    low, high = (made.pixels("water_erosion_2050", f"soil_loss_2050_rcp{n}") for n in (26, 85))
    known = np.isfinite(low)
    assert (high[known] > low[known]).all()


@pytest.mark.parametrize(
    ("source", "here"),
    [
        ("water_erosion_2050", erosion.agricultural),
        ("wind_erosion_rweq", erosion.arable),
        ("multiple_concurrent_erosion", erosion.arable),
        ("cover_crops", erosion.arable),
        ("post_fire_erosion", erosion.burned),
    ],
)
def test_other_land_has_no_value(source: str, here, made: Made) -> None:  # noqa: ANN001
    for column in load_spec(source).pieces[0].columns:
        lattice, _ = made.fields[source, column.name]
        pixels = made.pixels(source, column.name)
        assert np.isnan(pixels[..., ~here(lattice.place)]).all()
        assert np.isfinite(pixels[..., here(lattice.place)]).mean() > 0.99


def test_little_burned(made: Made) -> None:
    table = made.standards["post_fire_erosion"].table
    assert table["element"].to_list() == [0, 1, 2, 3, 4]
    assert 0 < table["valid_share"].max() < 0.02
    loss = made.pixels("post_fire_erosion", "post_fire_soil_loss")
    assert (np.nanmean(loss, axis=(1, 2))[:-1] > np.nanmean(loss, axis=(1, 2))[1:]).all()


def test_the_frame_of_r_says_what_the_maps_say(made: Made) -> None:
    (cells,) = made.standards["post_fire_erosion"].parts
    assert cells.spec.fuse.join == "none"
    layers = layers_of(made.settings, made.standards["post_fire_erosion"], "post_fire_soil_loss")
    _, _, west, _, _, north = layers[0][0]["transform"]
    size = layers[0][0]["transform"][0]
    row = np.floor((north - cells.table["northing"].to_numpy()) / size).astype(int)
    column = np.floor((cells.table["easting"].to_numpy() - west) / size).astype(int)
    said = np.array(cells.table["post_fire_soil_loss_cell"].to_list())
    assert len(said) == np.isfinite(layers[0][1]).sum() > 0
    for year, (_, pixels) in enumerate(layers):
        np.testing.assert_allclose(said[:, year], pixels[row, column], rtol=ROUNDING, atol=1e-4)
    assert cells.table["longitude"].null_count() == 0


def test_a_frame_of_r_that_is_cut_off_is_refused(made: Made, own: Settings) -> None:
    path = copied(made.settings, own, "post_fire_erosion") / "post_fire.RData"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SoilmeldError, match=r"(?s)post_fire\.RData|cut"):
        standardised("post_fire_erosion", own)


def test_the_maps_of_burned_land_may_come_without_the_frame(made: Made, own: Settings) -> None:
    copied(made.settings, own, "post_fire_erosion", "*.RData")
    standard = standardised("post_fire_erosion", own)
    assert standard.table.height == 5
    assert standard.parts == ()


def test_history_is_in_degrees_and_adds_up(made: Made) -> None:
    main = made.standards["historical_erosion"]
    assert {rasterio.crs.CRS.from_wkt(c).to_epsg() for c in main.table["crs"]} == {4326}
    decades, years, months = (
        made.pixels("historical_erosion", f"erosion_{n}") for n in ("decadal", "annual", "monthly")
    )
    assert (len(decades), len(years), len(months)) == (16, 159, 120)
    known = np.isfinite(years[0])
    sums = months.reshape(10, 12, *months.shape[1:]).sum(axis=1)
    np.testing.assert_allclose(sums[:, known], years[-10:, known], rtol=2 * ROUNDING)
    means = np.stack([years[s : s + 10].mean(axis=0) for s in range(0, 159, 10)])
    np.testing.assert_allclose(decades[:, known], means[:, known], rtol=2 * ROUNDING)
    # It rises to 1960 and falls since.
    mean = decades[:, known].mean(axis=1)
    assert mean[0] < mean[10] > mean[15]


def test_a_month_of_loss_is_no_year(made: Made) -> None:
    columns = {c.name: c for c in load_spec("historical_erosion").columns}
    assert canonical_unit(columns["erosion_monthly"])[0] == "t/ha/month"
    assert canonical_unit(columns["erosion_annual"])[0] == "t/ha/year"
    assert columns["erosion_monthly"].quantity != columns["erosion_annual"].quantity


def test_a_file_of_eleven_months_is_refused(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "historical_erosion", "erosion_1*", "erosion_2*")
    edit(folder / "erosion_months_2013.tif", lambda b: b[:11], count=11)
    with pytest.raises(ReadError, match="no band '12'") as refused:
        standardised("historical_erosion", own)
    assert "erosion_months_2013.tif" in str(refused.value)


def test_history_on_the_grid_of_the_other_layers_is_refused(made: Made, own: Settings) -> None:
    folder = copied(
        made.settings, own, "historical_erosion", "erosion_1*", "erosion_2*", "*months*"
    )
    shutil.copy(
        made.settings.raw / "c_factor" / "EU_CFactor_final_V7.tif",
        folder / "erosion_decade_1860.tif",
    )
    with pytest.raises(ReadError, match="CRS"):
        standardised("historical_erosion", own)


# --- wind, harvest, tillage ---


def test_a_megagram_is_a_tonne() -> None:
    assert conversion("t/ha/year", None, "t/ha/year", None).is_identity
    assert conversion("kg/ha/year", None, "t/ha/year", None).scale == pytest.approx(1e-3)


def test_classes_of_wind_erosion_beyond_the_four_are_refused(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "wind_erosion_susceptibility_ilswe")
    edit(folder / "ILSWE.tif", lambda b: np.where(b == 1, 5, b))
    with pytest.raises(CodebookError, match="ilswe_class") as refused:
        standardised("wind_erosion_susceptibility_ilswe", own)
    assert "5" in str(refused.value)


def test_erodible_fractions_beyond_a_whole_are_refused(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "wind_erosion_susceptibility_ilswe")

    def beyond(bands: np.ndarray) -> np.ndarray:
        bands[0][tuple(np.argwhere(bands[0] > 0)[0])] = 104.0
        return bands

    edit(folder / "EF.tif", beyond)
    standard = standardised("wind_erosion_susceptibility_ilswe", own)
    flag = standard.flags.row(0, named=True)
    assert (flag["flag"], flag["column"], flag["value"]) == (
        "out_of_range", "wind_erodible_fraction", 104.0,
    )  # fmt: skip


def test_the_four_processes_add_up_and_tillage_keeps_its_sign(made: Made) -> None:
    total, *parts = (
        made.pixels("multiple_concurrent_erosion", c.name)
        for c in load_spec("multiple_concurrent_erosion").columns
    )
    # What the matrix takes for an exact sum: it holds to a millionth of the largest value.
    assert np.nanmax(np.abs(total - sum(parts))) <= 1e-6 * np.nanmax(total)
    tillage = made.pixels("multiple_concurrent_erosion", "soil_loss_tillage")
    assert np.nanmin(tillage) < 0 < np.nanmax(tillage)


def test_totals_of_harvest_are_tonnes_and_losses_by_area_are_not(made: Made) -> None:
    main = made.standards["slch_crop_harvesting"]
    records = {c.name: c for c in main.columns}
    assert (records["slch_total"].unit, records["slch_total"].scale) == ("t/year", 1000.0)
    assert (records["slch_rate"].unit, records["slch_rate"].scale) == ("t/ha", 1.0)
    for unit in ("t/ha", "t/ha/year"):
        with pytest.raises(UnitError, match="do not measure the same"):
            conversion("kilotonne/year", None, unit, None)
    with pytest.raises(UnitError, match="do not measure the same"):
        conversion("t/ha", None, "t/ha/year", None)
    table = main.table
    area = table["slch_total"] / table["slch_rate"]
    assert area.min() > 1e5  # hectares of arable land in a cell of 60 km and more
    native = load_spec("slch_crop_harvesting").column("slch_total")
    assert table["slch_total"].max() < native.maximum * 1000


def test_periods_of_harvest_are_columns_of_their_own(made: Made) -> None:
    table = made.standards["slch_crop_harvesting"].table
    first, middle, last = (
        table[f"slch_total_{p}"] for p in ("1975_1986", "1987_1999", "2000_2016")
    )
    assert (first > middle).all()
    assert (middle > last).all()
    assert last.to_list() == table["slch_total"].to_list()
    decrease = 100 * (1 - last / first)
    np.testing.assert_allclose(table["slch_decrease"], decrease, atol=0.02)
    assert table["geometry"].null_count() == table["texture_index"].null_count() == 0


def test_losses_of_countries_are_a_part_and_add_up(made: Made) -> None:
    main = made.standards["slch_crop_harvesting"]
    (countries,) = main.parts
    sums = main.table.group_by(country=pl.col("nuts2").str.slice(0, 2)).agg(
        pl.col("slch_total").sum()
    )
    both = countries.table.join(sums, on="country", how="full", coalesce=True)
    whole = both["slch_sugar_beet"] + both["slch_potato"]
    np.testing.assert_allclose(whole, both["slch_total"], rtol=1e-3)


def test_harvest_in_another_projection_is_refused(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "slch_crop_harvesting")
    prj = folder / "SLCH_NUTS2.prj"
    assert "EPSG" not in prj.read_text()
    # The GISCO projection is a Lambert azimuthal equal-area one as well.
    said = prj.read_text().replace("4321000.0", "0.0").replace("3210000.0", "0.0")
    prj.write_text(said.replace('"Latitude_Of_Origin",52.0', '"Latitude_Of_Origin",48.0'))
    with pytest.raises(ReadError, match="CRS"):
        standardised("slch_crop_harvesting", own)


# --- sediment ---


def test_loss_is_negative_and_deposition_positive_in_the_flux_alone(made: Made) -> None:
    flux = made.pixels("watem_sedem", "net_soil_flux")
    loss = made.pixels("rusle2015_soil_loss", "soil_loss_water_2010")
    assert np.nanmin(flux) < 0 < np.nanmax(flux)
    both = np.isfinite(flux) & np.isfinite(loss)
    losing = both & (flux < 0)
    np.testing.assert_allclose(-flux[losing], loss[losing], rtol=2 * ROUNDING)
    spec = load_spec("watem_sedem")
    assert spec.column("net_soil_flux").quantity == "net_soil_flux"
    assert spec.column("net_soil_flux").minimum < 0
    others = (c for s in SOURCES if s != "watem_sedem" for c in load_spec(s).columns)
    assert "net_soil_flux" not in {c.quantity for c in others}


def test_the_finer_flux_is_a_layer_of_its_own(made: Made) -> None:
    coarse, fine = (made.pixels("watem_sedem", f"net_soil_flux{n}") for n in ("", "_25m"))
    assert np.nansum(coarse) == pytest.approx(np.nansum(fine), rel=1e-3)


def test_the_flux_may_come_as_a_binary_grid(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "watem_sedem", "WaTEM_25m_*", "sediment_*")
    path = folder / "WATEM_Code_Mean_t_ha_yr_100m.tif"
    with rasterio.open(path) as layer:
        pixels, place = layer.read(1, masked=True).filled(np.nan), layer.transform
    path.unlink()
    write_binary_grid(folder / "watem_100m", pixels, place.c, place.f, place.a)
    standard = standardised("watem_sedem", own)
    row = standard.table.row(0, named=True)
    assert "watem_100m" in row["row_ref"]
    with rasterio.open(own.data_root / row["path"]) as layer:
        np.testing.assert_array_equal(layer.read(1), pixels)
    assert standard.parts == ()


def test_sediment_stands_on_catchments_of_its_own(made: Made) -> None:
    (part,) = made.standards["watem_sedem"].parts
    assert part.spec.fuse.join == "polygon"
    assert part.table["geometry"].null_count() == 0
    assert part.table["sediment_yield_catchment"].min() >= 0


# --- earthworms, stations, landslides, cover crops ---


def test_earthworms_of_eleven_countries_in_a_named_crs(made: Made) -> None:
    path = made.settings.raw / "biodiversity_erosion_factor" / "Et_Factor_Abundance.tif"
    with rasterio.open(path) as layer:
        assert layer.crs.to_epsg(confidence_threshold=100) is None
        assert "GRS_1980_IUGG_1980" in layer.crs.to_wkt()
    lattice, _ = made.fields["biodiversity_erosion_factor", "et_factor_a"]
    pixels = made.pixels("biodiversity_erosion_factor", "et_factor_a")
    mapped = set(np.unique(lattice.country[np.isfinite(pixels)]))
    assert {"DE", "FR", "ES"} < mapped
    assert not mapped & {"IT", "PL", "SE", "RO", "PT"}
    spain = lattice.land & (lattice.country == "ES")
    assert 0 < np.isfinite(pixels[spain]).mean() < 1


def test_earthworms_multiply_the_erodibility(made: Made) -> None:
    for kind in ("ar", "a"):
        factor, product = (
            made.pixels("biodiversity_erosion_factor", f"{n}_{kind}")
            for n in ("et_factor", "k_factor_et")
        )
        lattice, _ = made.fields["biodiversity_erosion_factor", f"et_factor_{kind}"]
        bare = erosion.soil_erodibility(lattice.soil())
        known = np.isfinite(factor)
        np.testing.assert_allclose(product[known], (bare * factor)[known], rtol=3 * ROUNDING)


def test_some_stations_have_no_months(made: Made) -> None:
    (stations,) = made.standards["gloreda"].parts
    months = stations.table["r_factor_station_monthly"]
    assert 0.03 < months.null_count() / len(months) < 0.1
    assert set(months.drop_nulls().list.len()) == {12}
    both = stations.table.drop_nulls(["r_factor_station", "r_factor_station_monthly"])
    sums = both["r_factor_station_monthly"].list.sum()
    np.testing.assert_allclose(sums, both["r_factor_station"], rtol=2e-3)


def test_a_station_whose_coordinates_are_swapped_keeps_no_position(made: Made) -> None:
    (stations,) = made.standards["gloreda"].parts
    suspect = stations.flags.filter(flag="position_suspect")
    assert suspect.height == 1
    row = stations.table.filter(row_ref=suspect["row_ref"][0])
    assert row["longitude"][0] is None
    assert row["r_factor_station"][0] is not None
    assert stations.table["longitude"].null_count() == 1


def test_no_data_of_landslides_is_no_class(made: Made, own: Settings) -> None:
    kinds = made.pixels("elsus_v2", "landslide_susceptibility")
    assert set(np.unique(kinds[np.isfinite(kinds)])) == {1, 2, 3, 4, 5}
    path = copied(made.settings, own, "elsus_v2") / "elsus_v2.asc"
    text = path.read_text()
    assert "NODATA" not in text.upper()
    assert " 0 " in text
    header, pixels = text.split("\n", 5)[:5], text.split("\n", 5)[5]
    path.write_text("\n".join([*header, pixels.replace("5", "6")]))
    with pytest.raises(CodebookError, match="elsus_class"):
        standardised("elsus_v2", own)


def test_landslides_in_another_projection_are_refused(made: Made, own: Settings) -> None:
    folder = copied(made.settings, own, "elsus_v2")
    (folder / "elsus_v2.prj").write_text(rasterio.crs.CRS.from_epsg(3034).to_wkt())
    with pytest.raises(ReadError, match="CRS"):
        standardised("elsus_v2", own)


def test_cover_crops_are_hundredths_of_a_percent(made: Made, own: Settings) -> None:
    assert conversion("permyriad", "area", "percent", "area").array(
        np.array([1234.0])
    ) == pytest.approx([12.34])
    folder = copied(made.settings, own, "cover_crops")
    with rasterio.open(folder / "CC_Median.tif") as layer:
        assert layer.dtypes == ("uint16",)

    def one(bands: np.ndarray) -> np.ndarray:
        return np.where(bands < 10_001, 1234, bands)

    edit(folder / "CC_Median.tif", one)
    row = standardised("cover_crops", own).table.row(0, named=True)
    assert row["mean"] == pytest.approx(12.34)
    assert row["unit"] == "percent"


@pytest.mark.parametrize(("scale", "offset"), [(0.01, 0.0), (1.0, 0.5)])
def test_cover_crops_that_declare_a_scale_are_not_scaled_twice(
    made: Made, own: Settings, scale: float, offset: float
) -> None:
    path = copied(made.settings, own, "cover_crops") / "CC_SD.tif"
    with rasterio.open(path, "r+") as layer:
        layer.scales, layer.offsets = [scale], [offset]
    found = examine(load_spec("cover_crops"), path.parent, own).findings
    (finding,) = [f for f in found if "CC_SD.tif" in f.where]
    assert finding.refused
    assert f"a scale of {scale:g}" in finding.problem
    assert "set unit to percent, minimum to 0, maximum to 100 in line 3" in finding.change
    assert (finding.spec_line, finding.assumed) == ("columns.csv:3", None)


def test_a_mosaic_of_cover_crops_states_the_scale_of_its_files(tmp_path: Path) -> None:
    spec = load_spec("cover_crops")
    for name, scale in (("a", 0.01), ("b", 0.01), ("c", 1.0)):
        profile = {"driver": "GTiff", "count": 1, "height": 2, "width": 2, "dtype": "uint16"}
        place = {"crs": "EPSG:3035", "transform": from_origin(4e6, 3e6, 100, 100)}
        with rasterio.open(tmp_path / f"{name}.tif", "w", **profile, **place) as layer:
            layer.write(np.full((1, 2, 2), 1234, np.uint16))
            layer.scales = [scale]
    for names, stated in (("ab", 0.01), ("abc", np.nan)):
        files = [(f"{n}.tif", tmp_path / f"{n}.tif") for n in names]
        with open_mosaic(spec, spec.tables["layers"].read, files, "") as grid:
            np.testing.assert_equal(grid.scale, stated)


def test_percentiles_of_cover_crops_are_in_order(made: Made) -> None:
    low, middle, high = (
        made.pixels("cover_crops", f"cover_crop_fraction{n}") for n in ("_p05", "", "_p95")
    )
    known = np.isfinite(middle)
    assert (low[known] < middle[known]).all()
    assert (middle[known] < high[known]).all()
    statistics = {c.name: c.statistic for c in load_spec("cover_crops").columns}
    assert set(statistics.values()) == {"median", "sd", "p05", "p95"}


# --- the matrix ---


@pytest.fixture(scope="module")
def fused(made: Made) -> Path:
    from fusion.build import matrix

    for source in (BACKBONE, *FUSED):
        standard = made.standards[source]
        Store(made.settings).commit(standard, [[] for _ in standard.pieces])
    return matrix(made.settings, "synthetic")


def test_the_matrix_says_what_the_layers_say(made: Made, fused: Path) -> None:
    from fusion.audit import audit

    report = audit(fused, made.settings.truth_root)
    layers = [f for f in report["features"] if "." in f["feature"]]
    met = {f["feature"] for f in layers}
    for source in {*FUSED} & {*RASTERS}:
        columns = load_spec(source).pieces[0].columns
        assert {f"{source}.{c.name}" for c in columns} <= met
    for feature in layers:
        # Codes are the true ones, and numbers but for their rounding.
        assert feature.get("correlation", feature["recovered"]) > 0.9999, feature


def test_the_distance_to_the_nearest_station_is_kept(fused: Path) -> None:
    distances = pl.read_parquet(fused / "distances.parquet")
    column = next(c for c in distances.columns if "gloreda__stations" in c)
    said = distances[column].drop_nulls()
    matrix = pl.read_parquet(fused / "matrix.parquet")
    assert 100_000 < said.max() <= 300_000
    assert matrix["gloreda__stations.r_factor_station"].count() > 0.9 * len(said)


def test_regions_and_catchments_reach_the_samples(fused: Path) -> None:
    matrix = pl.read_parquet(fused / "matrix.parquet")
    for feature in (
        "p_factor__regions.p_factor_nuts2",
        "slch_crop_harvesting.slch_rate",
        "slch_crop_harvesting__countries.slch_potato",
        "watem_sedem__catchments.sediment_yield_catchment",
    ):
        assert matrix[feature].count() > 0.5 * matrix.height, feature


def test_the_covers_are_those_that_the_relations_are_for() -> None:
    assert LAND_COVERS[:4] == ("Cropland", "Grassland", "Woodland", "Shrubland")
