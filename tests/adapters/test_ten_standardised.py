"""The first ten of the 68 through the real pipeline, against the truth they were written from.

Each planted fault must come out as its flag, nothing else may be flagged, and what is not flagged
must be the truth within the laboratory's noise.
"""

import datetime

import numpy as np
import polars as pl
import pytest

from adapters import twin
from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise
from adapters.twin.points import COUNTS

TEN = (
    "lucas_2009_topsoil", "lucas_2015_topsoil", "lucas_2015_topsoil_switzerland",
    "lucas_2018_topsoil", "eu_hydi", "spade_m", "arsenic_topsoils", "efsa_spatial_data",
    "esdb_v2_vector", "pesticides_residues_nuts2",
)  # fmt: skip
BACKBONE = tuple(s for s in TEN if load_spec(s).sample)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("ten")
    settings = Settings(data_root=folder / "data", truth_root=folder / "truth")
    twin.write(settings, sources=TEN, size="tiny", seed=7)
    return settings


@pytest.fixture(scope="module")
def standards(settings: Settings) -> dict[str, Standard]:
    found = {}
    for source in TEN:
        spec = load_spec(source)
        raw = ingest(spec, settings)
        assert raw is not None
        assert raw.origin == "synthetic"
        found[source] = standardise(spec, raw, settings)
    return found


def _keyed(standard: Standard) -> pl.DataFrame:
    keys = [pl.col(k).cast(pl.String) for k in standard.spec.keys]
    return standard.table.with_columns(pl.concat_str(keys, separator="|").alias("key"))


def _truth(settings: Settings, source: str, name: str) -> pl.DataFrame:
    return pl.read_parquet(settings.truth_root / source / f"{name}.parquet")


def _flagged(standard: Standard) -> set[tuple[str, str | None, str]]:
    """Key, column, flag; a broken sum is one fault of its row, told at each fraction."""
    flags = standard.flags.filter(pl.col("flag") != "unit_by_range").join(
        _keyed(standard).select("row_ref", "key"), on="row_ref", how="left"
    )
    return {
        (key, None if flag == "texture_sum" else column, flag)
        for key, column, flag in flags.select("key", "column", "flag").iter_rows()
    }


@pytest.mark.parametrize("source", BACKBONE)
def test_planted_faults_are_flagged_and_nothing_else_is(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    faults = _truth(settings, source, "faults").drop_nulls("flag")
    planted = set(faults.select("key", "column", "flag").iter_rows())
    flagged = _flagged(standards[source])
    for kind, part in faults.group_by("fault"):
        missed = set(part.select("key", "column", "flag").iter_rows()) - flagged
        assert missed == set(), kind
    assert flagged - planted == set()


@pytest.mark.parametrize("source", BACKBONE)
def test_flagged_cells_are_null(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    table = _keyed(standards[source])
    for fault in _truth(settings, source, "faults").drop_nulls("flag").iter_rows(named=True):
        row = table.filter(pl.col("key") == fault["key"])
        assert row.height == 1
        gone = {
            "position_suspect": ["longitude", "latitude"],
            "depth_fault": ["depth_top", "depth_bottom"],
            "depth_missing": ["depth_top", "depth_bottom"],
            "texture_sum": ["clay", "sand"],
            "depth_overlap": [],
        }.get(fault["flag"], [fault["column"]])
        for column in gone:
            assert row[column][0] is None, (fault, column)


@pytest.mark.parametrize("source", BACKBONE)
def test_values_recover_the_truth_within_noise(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    truth = _truth(settings, source, "samples")
    table = _keyed(standards[source])
    assert table["key"].to_list() == truth["key"].to_list()
    compared = 0
    for column in truth.columns:
        if column not in table.columns or not table[column].dtype.is_float():
            continue
        pair = pl.DataFrame({"value": table[column], "truth": truth[column]}).drop_nulls()
        assert pair.height > 0, column
        error = (pair["value"] - pair["truth"]).abs().median()
        spread, size = pair["truth"].std(), pair["truth"].abs().median()
        # A wrong unit is off by a factor of ten or more; a wrong column by the spread.
        assert error < max(0.2 * (spread or 0), 0.1 * size), (column, error, spread, size)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("source", BACKBONE)
def test_positions_are_those_of_the_truth(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    truth, table = _truth(settings, source, "samples"), standards[source].table
    # EU-HYDI degrades its coordinates to a hundredth of a degree.
    tolerance = 0.0051 if source == "eu_hydi" else 0.0001
    for column in ("longitude", "latitude"):
        away = (table[column] - truth[column]).abs().drop_nulls()
        assert away.len() > 0.9 * table.height
        assert away.max() < tolerance


def test_romania_and_bulgaria_are_of_2012_and_in_the_same_unit(
    settings: Settings, standards: dict[str, Standard]
) -> None:
    table = standards["lucas_2009_topsoil"].table
    late = table.filter(pl.col("row_ref").str.contains("Romania"))
    early = table.filter(~pl.col("row_ref").str.contains("Romania"))
    assert late.height == 12
    assert set(late["date_start"].dt.year()) == {2012}
    assert set(early["date_start"].dt.year()) == {2009}
    # mg/100 g unconverted would be a hundred times as much.
    assert late["total_nitrogen"].median() < 3 * early["total_nitrogen"].median()


def test_supplements_of_the_islands_are_rows_without_number_date_or_cover(
    standards: dict[str, Standard], settings: Settings
) -> None:
    files = {p.name for p in (settings.raw / "lucas_2009_topsoil").glob("SoilAttr_*")}
    assert {f"SoilAttr_{n}.{e}" for n in ("CYP_MLT", "ICELAND") for e in ("shp", "dbf")} <= files
    table = standards["lucas_2009_topsoil"].table
    islands = table.filter(pl.col("row_ref").str.starts_with("SoilAttr_"))
    assert islands.height == COUNTS["tiny"].cyprus_malta + COUNTS["tiny"].iceland
    for absent in ("sample_id", "land_cover", "land_use", "wrb_full"):
        assert islands[absent].null_count() == islands.height
    assert set(islands["date_start"].dt.year()) == {2009}
    assert islands["ph_cacl2"].null_count() == 0
    # Of Iceland in mg/kg, of the others in g/kg.
    nitrogen = islands.group_by(pl.col("row_ref").str.slice(0, 16)).agg(
        pl.col("total_nitrogen").median()
    )
    assert nitrogen["total_nitrogen"].is_between(0.3, 15).all()
    decided = standards["lucas_2009_topsoil"].flags.filter(flag="unit_by_range")
    assert decided["column"].to_list() == ["total_nitrogen"]


def test_disputed_unit_is_decided_by_range_and_flagged(
    settings: Settings, standards: dict[str, Standard]
) -> None:
    standard = standards["lucas_2018_topsoil"]
    decided = standard.flags.filter(pl.col("flag") == "unit_by_range")
    assert sorted(decided["column"].to_list()) == ["oxalate_al", "oxalate_fe"]
    # Written in g/kg, standardised in mg/kg.
    assert 300 < standard.table["oxalate_al"].median() < 5000


def test_below_detection_keeps_its_limit(standards: dict[str, Standard]) -> None:
    flags = standards["lucas_2018_topsoil"].flags
    low = flags.filter(pl.col("flag") == "below_detection", pl.col("column") == "phosphorus")
    # '<0.0' states a limit of its own that says nothing; every other text means the declared one.
    assert set(low.filter(pl.col("raw") != "<0.0")["value"]) == {10.0}


def test_depths_and_days_of_2018(standards: dict[str, Standard]) -> None:
    table = standards["lucas_2018_topsoil"].table
    depths = set(table.select("depth_top", "depth_bottom").iter_rows())
    assert depths == {(0.0, 20.0), (0.0, 10.0), (10.0, 20.0)}
    assert table["date_start"].min() >= datetime.date(2018, 4, 1)
    assert table["date_start"].max() <= datetime.date(2018, 10, 31)


def test_curves_are_packed_in_order(standards: dict[str, Standard]) -> None:
    table = standards["eu_hydi"].table
    heads = table["retention_head"].drop_nulls()
    assert all(np.all(np.diff(h.to_numpy()) > 0) for h in heads)
    water = table["retention_theta"].drop_nulls()
    assert [len(h) for h in heads] == [len(w) for w in water]
    sizes = table["particle_size_limit"].drop_nulls()
    assert {tuple(s) for s in sizes} == {(2.0, 20.0, 50.0, 2000.0)}
    shares = table["particle_size_share"].list.sum().drop_nulls()
    assert (shares - 100).abs().max() < 0.2


def test_pesticides_come_as_one_vector_a_region(standards: dict[str, Standard]) -> None:
    table = standards["pesticides_residues_nuts2"].table
    means = table["pesticide_concentrations"].drop_nulls()
    assert set(means.list.len()) == {118}
    assert set(table["pesticide_sample_counts"].list.len()) == {118}
    first = table.drop_nulls("pesticide_ampa")
    assert (first["pesticide_ampa"] == first["pesticide_concentrations"].list.get(0)).all()
    assert "chemical_name" not in table.columns


def test_rasters_hide_no_nodata(standards: dict[str, Standard]) -> None:
    arsenic = standards["arsenic_topsoils"].table
    assert set(arsenic["column"]) == {"arsenic", "arsenic_exceedance_probability"}
    assert arsenic["minimum"].min() >= 0
    assert arsenic["valid_share"].max() < 1
    efsa = standards["efsa_spatial_data"].table
    assert efsa.height == 56
    months = efsa.filter(pl.col("column") == "temperature_monthly").sort("element")
    assert months["element"].to_list() == list(range(12))
    assert months["mean"].arg_max() == 6
    assert efsa.filter(pl.col("column") == "capri_land_cover").height == 24
    assert efsa["minimum"].min() > -9999


def test_soil_polygons_carry_attributes(standards: dict[str, Standard]) -> None:
    standard = standards["esdb_v2_vector"]
    table = standard.table
    assert table["geometry"].null_count() == 0
    assert table["wrb_full"].null_count() == 0
    assert set(table["texture_surface"]) <= {"1", "2", "3", "4", "5", "9"}
    peat = table.filter(pl.col("texture_surface") == "9")
    flagged = standard.flags.filter(pl.col("column") == "awc_topsoil_class")
    assert set(flagged["row_ref"]) == set(peat["row_ref"])
    assert set(flagged["raw"]) == {"#"}
    assert standard.flags.height == flagged.height
