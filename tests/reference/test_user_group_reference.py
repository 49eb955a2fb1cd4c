"""A user's real files, from the inbox to the matrix of the group `user`."""

import json

import numpy as np
import polars as pl
import pytest

from adapters.store import Store
from expectations.gate import commit_if_valid
from fusion.build import matrix, samples

FILES = {
    "gemas": ["gemas_europe/gemas.csv"],
    "isis_profiles": ["isis_profiles/isis_horizons.csv", "isis_profiles/isis_sites.csv"],
    "lucas_land_survey": [
        f"lucas_eurostat/cz_2018/cz_lucas_points_l1_2018.{end}"
        for end in ("shp", "shx", "dbf", "prj")
    ],
    "worldclim_bio1": ["climate/worldclim21/wc2.1_10m_bio_1.tif"],
    "worldclim_precipitation": ["climate/worldclim21/wc2.1_10m_prec_01.tif"],
    "histalp_climate": ["climate/histalp_alps/histalp_avg_1961-1990.nc"],
    "luxembourg_elevation": ["luxembourg/elev.tif"],
    "luxembourg_sentinel2": ["luxembourg/sent2_L2A_2024-08-24.tif"],
    "natural_earth_countries": ["vectors/ne_50m_countries.gpkg"],
    "nuts_2016": ["vectors/nuts_2016_60m.gpkg"],
}


@pytest.fixture(scope="module")
def committed(standard, settings):
    """Every real source behind the gate, none refused."""
    return {
        source: commit_if_valid(standard(source, *files), settings)
        for source, files in FILES.items()
    }


@pytest.fixture(scope="module")
def fused(committed, settings):
    return matrix(settings, "user")


def test_every_real_source_passes_the_gate(committed, settings):
    assert all(report.success for reports in committed.values() for report in reports)
    meta = Store(settings).meta("source")
    assert meta["origin"].unique().to_list() == meta["group_name"].unique().to_list() == ["user"]
    rows = dict(meta.select("source", "rows").iter_rows())
    assert rows["gemas"] == 2108
    assert rows["isis_profiles"] == 5602
    assert rows["lucas_land_survey"] == 5037
    assert set(rows) == set(FILES)


def test_a_row_without_a_trusted_position_is_no_sample(committed, settings):
    table = pl.read_parquet(samples(settings, "user"))
    assert table.height == 2106
    assert table["survey"].unique().to_list() == ["gemas"]
    assert table["origin"].unique().to_list() == ["user"]
    assert table["depth_bottom"].unique().to_list() == [20.0]
    assert not {f"gemas.csv#{line}" for line in (1018, 1887)} & set(table["row_ref"])


def test_the_matrix_holds_the_climate_of_each_place(fused):
    table = pl.read_parquet(fused / "matrix.parquet")
    assert table.height == 2106
    worldclim = table["worldclim_bio1.annual_mean_temperature"].to_numpy()
    said = next(c for c in table.columns if c.startswith("air_temperature"))
    both = np.isfinite(worldclim) & np.isfinite(table[said].to_numpy())
    r = np.corrcoef(worldclim[both], table[said].to_numpy()[both])[0, 1]
    assert r == pytest.approx(0.978, abs=0.0005)
    assert np.mean(worldclim[both] - table[said].to_numpy()[both]) == pytest.approx(
        -0.23, abs=0.005
    )
    dictionary = json.loads((fused / "dictionary.json").read_text(encoding="utf-8"))
    features = {f["id"]: f for f in dictionary["features"]}
    assert features["worldclim_bio1.annual_mean_temperature"]["redistribute"] is False
    assert {f["origin"] for f in features.values()} == {"user"}
