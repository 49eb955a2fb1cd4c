"""Sources of soil life and gases: twin to standard table, quirks, and what samples meet."""

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from twin_maps import standardised

from adapters import twin
from adapters.errors import FusionError, ReadError
from adapters.lucas_grid import grid_node
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard
from adapters.store import Store
from adapters.twin.biology import COUNTS, REPEATS
from adapters.twin.files import write_csv, write_dbf, write_xlsx
from adapters.units import conversion

POINTS = (
    "n2o_emissions_agricultural",
    "soil_ghg_daycent",
    "soil_biodiversity_dna_bacteria_fungi",
    "soil_biodiversity_dna_eukaryotes",
    "fame_biomass",
    "priming_effects",
)
SOURCES = (*POINTS, "microbial_biomass_respiration")
BACKBONE = ("lucas_2009_topsoil", "lucas_2018_topsoil")
BACTERIA = "soil_biodiversity_dna_bacteria_fungi"
EUKARYOTES = "soil_biodiversity_dna_eukaryotes"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("biology")
    settings = Settings(data_root=folder / "data", truth_root=folder / "truth")
    twin.write(settings, [*BACKBONE, *SOURCES], size="tiny", seed=7)
    return settings


@pytest.fixture(scope="module")
def standards(settings: Settings) -> dict[str, Standard]:
    return {source: standardised(source, settings) for source in (*BACKBONE, *SOURCES)}


def _inbox(source: str, settings: Settings) -> Path:
    folder = settings.raw / source
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _keyed(standard: Standard) -> pl.DataFrame:
    keys = [pl.col(k).cast(pl.String) for k in standard.spec.keys]
    return standard.table.with_columns(key=pl.concat_str(keys, separator="|"))


def _truth(settings: Settings, source: str, name: str) -> pl.DataFrame:
    return pl.read_parquet(settings.truth_root / source / f"{name}.parquet")


@pytest.mark.parametrize("source", SOURCES)
def test_what_the_twin_writes_passes_every_expectation(
    source: str, standards: dict[str, Standard]
) -> None:
    from expectations.engine import validate

    for piece in standards[source].pieces:
        report = validate(piece)
        assert report.success, report.refusals


@pytest.mark.parametrize("source", POINTS)
def test_planted_faults_are_flagged_and_nothing_else_is(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    standard = standards[source].pieces[0]
    faults = _truth(settings, source, "faults")
    planted = set(faults.select("key", "column", "flag").iter_rows())
    assert planted
    of_rows = standard.flags.filter(pl.col("flag") != "duplicate").join(
        _keyed(standard).select("row_ref", "key"), on="row_ref"
    )
    assert set(of_rows.select("key", "column", "flag").iter_rows()) == planted
    table = _keyed(standard)
    for fault in faults.drop_nulls("column").iter_rows(named=True):
        assert table.filter(key=fault["key"])[fault["column"]][0] is None


@pytest.mark.parametrize("source", POINTS)
def test_values_are_the_truth_where_no_fault_stands(
    source: str, settings: Settings, standards: dict[str, Standard]
) -> None:
    truth, table = _truth(settings, source, "samples"), _keyed(standards[source].pieces[0])
    assert table["key"].to_list() == truth["key"].to_list()
    compared = [c for c in truth.columns if c != "key"]
    assert set(compared) <= set(table.columns)
    for column in compared:
        pair = pl.DataFrame({"value": table[column], "truth": truth[column]}).drop_nulls()
        assert pair.height >= 0.9 * truth.height, column
        error = (pair["value"] - pair["truth"]).abs()
        # Laboratories are off by a few percent; another unit or column by far more.
        assert (error <= 0.3 * pair["truth"].abs() + 13.0).all(), column
        assert error.median() <= 0.1 * pair["truth"].abs().median(), column


def test_pixels_are_the_truth_where_no_fault_stands(
    settings: Settings, standards: dict[str, Standard]
) -> None:
    layers = standards["microbial_biomass_respiration"].table
    assert layers.group_by("column").len().sort("column").rows() == [
        ("basal_respiration", 12), ("basal_respiration_mean", 1), ("microbial_biomass_c", 12),
        ("microbial_biomass_c_mean", 1), ("respiratory_quotient", 1),
    ]  # fmt: skip
    flags = standards["microbial_biomass_respiration"].flags
    assert flags.select("column", "flag").rows() == [("microbial_biomass_c_mean", "out_of_range")]
    assert flags["detail"][0].startswith("1 of ")


# --- what samples meet ---


@pytest.fixture(scope="module")
def fused(settings: Settings, standards: dict[str, Standard]) -> tuple[pl.DataFrame, list[dict]]:
    """The matrix with survey and site of each sample, and the dictionary's records."""
    import json

    from fusion.build import matrix

    for source in (*BACKBONE, *POINTS):
        standard = standards[source]
        Store(settings).commit(standard, [[] for _ in standard.pieces])
    folder = matrix(settings, "synthetic")
    samples = pl.read_parquet(folder / "samples.parquet").select(
        "sample_id", "survey", "site", "row_ref"
    )
    table = pl.read_parquet(folder / "matrix.parquet").join(
        samples, on="sample_id", maintain_order="left"
    )
    features = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))["features"]
    return table, features


def test_fluxes_are_met_by_the_laboratory_number_of_2009(
    fused: tuple[pl.DataFrame, list[dict]], settings: Settings, standards: dict[str, Standard]
) -> None:
    numbers = standards["lucas_2009_topsoil"].table.select("row_ref", key="sample_id")
    truth = _truth(settings, "n2o_emissions_agricultural", "samples").join(numbers, on="key")
    met = fused[0].drop_nulls("n2o_emissions_agricultural.n2o_sd")
    assert set(met["survey"]) == {"lucas_2009"}
    both = met.join(truth, on="row_ref")
    assert both.height == met.height > 30
    # Laboratory numbers and points are both in the file's order: a slip of one row would show.
    error = (both["n2o_emissions_agricultural.n2o_sd"] / both["n2o_sd"]).log().abs()
    assert error.max() < 0.3


@pytest.mark.parametrize(
    ("feature", "study"),
    [
        (f"{BACTERIA}.shannon_bacteria", "biodiversity"),
        (f"{EUKARYOTES}.richness_eukaryotes", "biodiversity"),
        ("fame_biomass.fame_bacteria", "fame"),
        ("priming_effects.priming_effect", "priming"),
    ],
)
def test_what_was_measured_in_2018_meets_no_sample_of_2009(
    fused: tuple[pl.DataFrame, list[dict]], feature: str, study: str
) -> None:
    table = fused[0]
    met = table.drop_nulls(feature)
    assert set(met["survey"]) == {"lucas_2018"}
    # Visits to the same points in 2009 are there, and stay without.
    earlier = table.filter(
        pl.col("survey") == "lucas_2009", pl.col("site").is_in(met["site"].implode())
    )
    assert earlier.height > 5
    assert earlier[feature].null_count() == earlier.height
    # Nearly every point of the study is a sample; those with a spoilt position are not.
    assert met["site"].n_unique() >= 0.9 * COUNTS["tiny"][study]


def test_all_bacteria_are_known_to_be_a_sum(fused: tuple[pl.DataFrame, list[dict]]) -> None:
    sums = {f["id"]: set(f["derived_from"]) for f in fused[1] if f["derived_from"]}
    groups = {
        f"fame_biomass.fame_{g}" for g in ("gram_positive", "gram_negative", "actinobacteria")
    }
    whole = groups | {"fame_biomass.fame_bacteria"}
    found = {name: terms for name, terms in sums.items() if name in whole}
    assert found == {"fame_biomass.fame_bacteria": groups}


# --- gases ---


def test_a_flux_counts_nitrogen_and_a_file_of_n2o_is_one_word_away() -> None:
    for name in ("n2o_mean", "n2o_sd", "n2o_mt1", "n2o_mt2"):
        column = load_spec("n2o_emissions_agricultural").column(name)
        assert column.unit == "kg/ha/year as N"
    counted = conversion("kg/ha/year as N", None, "kg/ha/year", None, "N")
    assert counted.is_identity
    other = conversion("kg/ha/year as N2O", None, "kg/ha/year", None, "N")
    assert other.scale == pytest.approx(28 / 44, rel=1e-3)


def test_headers_cut_to_ten_characters_are_known(own: Settings) -> None:
    folder = _inbox("n2o_emissions_agricultural", own)
    cells = {"SAMPLE_ID": [7, 8], "N2O-N mean": [1.5, 2.5], "N2O-N standard deviation": [0.5, 0.7]}
    write_dbf(folder / "points.dbf", {h[:10]: v for h, v in cells.items()})
    table = standardised("n2o_emissions_agricultural", own).table
    assert table.select("sample_id", "n2o_mean", "n2o_sd").rows() == [
        ("7", 1.5, 0.5),
        ("8", 2.5, 0.7),
    ]


def test_the_maps_of_fluxes_may_be_absent_and_leave_land_without_farms_empty(
    own: Settings, standards: dict[str, Standard]
) -> None:
    write_dbf(
        _inbox("n2o_emissions_agricultural", own) / "points.dbf",
        {"sample_ID": [7], "N2O_mean": [1.5], "N2O_sd": [0.5]},
    )
    assert standardised("n2o_emissions_agricultural", own).parts == ()
    (maps,) = standards["n2o_emissions_agricultural"].parts
    assert maps.table["minimum"].min() > 0
    assert maps.table["valid_share"].max() < 0.3


def test_flux_changes_keep_either_sign_and_end_in_2100(standards: dict[str, Standard]) -> None:
    standard = standards["soil_ghg_daycent"]
    assert standard.table["co2_flux_cc"].max() < 0 < standard.table["n2o_flux_cc"].min()
    assert {str(d) for d in standard.table["date_end"]} == {"2100-12-31"}
    assert "RCP4.5" in standard.spec.description
    quantities = {c.quantity for c in standard.spec.columns if c.feature}
    emissions = {c.quantity for c in load_spec("n2o_emissions_agricultural").columns}
    assert not quantities & emissions


# --- DNA ---


def _sheet(source: str, settings: Settings, numbers: list[int], points: list[int]) -> Path:
    """The sample sheet with just these rows; its inbox."""
    folder, n = _inbox(source, settings), len(numbers)
    cells = {"BARCODE_ID": numbers, "POINTID": points, "sampling month": ["June"] * n}
    if source == BACTERIA:
        name = "METADATA_LUCAS18_BIODIVERSITY_885ID_COMPLETED.xlsx"
        cells |= {"temperature": [9.5] * n, "precipitation": [700] * n}
        cells |= {"soil moisture (SMAP)": [200.5] * n}
    else:
        name = "Sample_data_LUCAS_18S.xlsx"
        cells |= {"soil moisture": [200.5] * n}
    write_xlsx(folder / name, {"Sheet1": [list(cells), *zip(*cells.values(), strict=True)]})
    return folder


def test_repeats_stay_in_the_table_and_meet_no_sample(standards: dict[str, Standard]) -> None:
    standard = standards[BACTERIA]
    marked = standard.flags.filter(pl.col("flag") == "duplicate")
    assert dict(marked.select(pl.col("raw").cast(pl.Int64), "column").iter_rows()) == dict.fromkeys(
        REPEATS
    )
    points = dict(standard.table.select("barcode_id", "point_id").iter_rows())
    assert all(points[str(again)] == points[str(first)] for again, first in REPEATS.items())
    kept = standard.table.filter(~pl.col("row_ref").is_in(marked["row_ref"].implode()))
    assert kept["point_id"].is_unique().all()


def test_a_repeat_at_another_point_is_refused(own: Settings) -> None:
    _sheet(BACTERIA, own, [59, 138], [40001000, 40021000])
    with pytest.raises(
        ReadError, match=r"(?s)said to repeat others differ in point_id.*138 at .*#3"
    ):
        standardised(BACTERIA, own)


def test_a_repeat_alone_counts(own: Settings) -> None:
    _sheet(BACTERIA, own, [60, 138], [40001000, 40021000])
    assert standardised(BACTERIA, own).flags.is_empty()


def test_reads_in_the_inbox_are_not_read(own: Settings) -> None:
    folder = _sheet(BACTERIA, own, [1, 2], [40001000, 40021000])
    before = standardised(BACTERIA, own)
    (folder / "16S_1_R1.fastq.gz").write_bytes(b"\x1f\x8b no reads")
    (folder / "16S_1_R1.fastq").write_text("@read\nACGT\n+\nIIII\n")
    after = standardised(BACTERIA, own)
    assert after.table.equals(before.table)


def test_runs_stand_beside_their_sample(settings: Settings, standards: dict[str, Standard]) -> None:
    with (settings.raw / BACTERIA / "SraRunTable.csv").open(newline="") as handle:
        said = {(r["Library Name"]): (r["Run"], float(r["Bases"])) for r in csv.DictReader(handle)}
    rows = standards[BACTERIA].table.select(
        "barcode_id", "run_16s", "bases_16s", "run_its", "bases_its"
    )
    for barcode, *runs in rows.iter_rows():
        assert (*said[f"16S_{barcode}"], *said[f"ITS_{barcode}"]) == tuple(runs)


@pytest.mark.parametrize(
    ("libraries", "problem"),
    [
        (["16S_1", "18S_2"], "name no 16S or ITS and sample.*18S_2"),
        (["16S_1", "16S_001"], "several runs of one marker and sample.*SRR0.*SRR1"),
    ],
)
def test_runs_that_name_no_one_sample_are_refused(
    own: Settings, libraries: list[str], problem: str
) -> None:
    folder = _sheet(BACTERIA, own, [1, 2], [40001000, 40021000])
    write_csv(
        folder / "SraRunTable.csv",
        {"Run": ["SRR0", "SRR1"], "Bases": [1, 2], "Library Name": libraries},
    )
    with pytest.raises(ReadError, match=f"(?s){problem}"):
        standardised(BACTERIA, own)


def test_numbers_beyond_881_are_ordinary_and_gaps_are_no_missing_rows(own: Settings) -> None:
    _sheet(EUKARYOTES, own, [59, 881, 885], [40001000, 40021000, 40041000])
    standard = standardised(EUKARYOTES, own)
    assert standard.table["barcode_id"].to_list() == ["59", "881", "885"]
    assert standard.flags.is_empty()


def test_runs_of_repeats_match_no_row_of_the_eukaryotes(standards: dict[str, Standard]) -> None:
    flags = standards[EUKARYOTES].flags.filter(pl.col("flag") == "missing")
    assert flags["row_ref"].to_list() == ["SraRunTable.csv"]
    assert flags["detail"][0].startswith("4 rows of table runs match no row")
    assert not set(standards[EUKARYOTES].table["barcode_id"]) & {str(r) for r in REPEATS}


def test_two_rows_of_one_point_are_refused_at_the_samples(own: Settings) -> None:
    from fusion.align import bring
    from fusion.inputs import sources

    _sheet(EUKARYOTES, own, [59, 138], [40001000, 40001000])
    Store(own).commit(standardised(EUKARYOTES, own), [[]])
    samples = pl.DataFrame(
        {"sample_id": ["a"], "survey": ["lucas_2018"], "site": ["lucas:40001000"]}
        | {"depth_top": [0.0], "depth_bottom": [20.0]}
    )
    with pytest.raises(FusionError, match="share key and depth"):
        bring(sources(Store(own))[EUKARYOTES], samples, own.data_root, threads=1)


def test_months_are_one_code_however_they_are_written(standards: dict[str, Standard]) -> None:
    # Names in one sheet, numbers in the other.
    for source in (BACTERIA, EUKARYOTES):
        assert set(standards[source].table["sampling_month"].drop_nulls()) <= set("5678")


# --- maps, fatty acids, priming ---


def test_maps_without_land_cover_are_archived_and_never_read(
    settings: Settings, standards: dict[str, Standard]
) -> None:
    standard = standards["microbial_biomass_respiration"]
    assert any("gen" in f.name for f in standard.raw.files)
    assert not any("gen" in ref for ref in standard.table["row_ref"])


def test_the_quotient_is_the_ratio_of_the_two_means(
    settings: Settings, standards: dict[str, Standard]
) -> None:
    import rasterio

    paths = dict(
        standards["microbial_biomass_respiration"].table.select("column", "path").iter_rows()
    )

    def pixels(column: str) -> np.ndarray:
        with rasterio.open(settings.data_root / paths[column]) as layer:
            return layer.read(1)

    ratio = pixels("basal_respiration_mean") / pixels("microbial_biomass_c_mean")
    known = np.isfinite(ratio)
    # Each of the three is printed with four digits.
    assert np.allclose(pixels("respiratory_quotient")[known], ratio[known], rtol=3e-3)


def test_fungi_lead_in_forests_and_bacteria_in_grassland(standards: dict[str, Standard]) -> None:
    table = standards["fame_biomass"].table
    ratio = dict(
        table.group_by("land_use").agg(pl.col("fungi_bacteria_ratio").median()).iter_rows()
    )
    assert ratio["forest"] > ratio["cropland"] > ratio["grassland"]


def test_priming_is_mostly_negative_and_no_number_is_lost_for_it(
    standards: dict[str, Standard],
) -> None:
    effect = standards["priming_effects"].table["priming_effect"]
    assert effect.null_count() == 0
    assert (effect < 0).mean() > 0.5


@pytest.mark.parametrize("source", ["fame_biomass", "priming_effects"])
def test_coordinates_are_those_of_the_grid_and_say_how_far_off_they_may_be(
    source: str, standards: dict[str, Standard]
) -> None:
    from pyproj import Transformer

    table = standards[source].table.drop_nulls("longitude")
    assert standards[source].spec.space.location == "theoretical"
    assert set(table["position_uncertainty_m"]) == {500.0}
    east, north = Transformer.from_crs(4326, 3035, always_xy=True).transform(
        table["longitude"].to_numpy(), table["latitude"].to_numpy()
    )
    node = [n.to_numpy() for n in grid_node(table["point_id"])]
    assert np.hypot(east - node[0], north - node[1]).max() < 1.0
