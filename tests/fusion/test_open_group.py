"""The real open data of packages, from package to the matrix of the group `open`."""

import json

import polars as pl
import pytest

from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise
from adapters.store import Store
from expectations.gate import commit_if_valid
from fusion.build import matrix
from fusion.inputs import sources
from fusion.standard_layers import write_standard_layers


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(data_root=tmp_path_factory.mktemp("open") / "data")


@pytest.fixture(scope="module")
def fused(settings):
    for source in ("limesoda", "dutchsoils"):
        spec = load_spec(source)
        commit_if_valid(standardise(spec, ingest(spec, settings), settings), settings)
    return matrix(settings, "open")


def test_both_packages_pass_the_gate(fused, settings):
    meta = Store(settings).meta("source")
    assert dict(meta.select("source", "rows").iter_rows()) == {"limesoda": 509, "dutchsoils": 1568}
    assert meta["origin"].unique().to_list() == ["open"]


def test_samples_are_the_fields_of_limesoda_alone(fused):
    samples = pl.read_parquet(fused / "samples.parquet")
    assert samples.height == 509
    assert samples["survey"].unique().to_list() == ["limesoda"]
    assert samples["sample_id"].n_unique() == 509
    assert dict(samples["country"].value_counts().iter_rows()) == {"DE": 469, "CZ": 40}
    assert samples["source"].unique().to_list() == ["limesoda"]


def test_share_alike_is_told_of_every_feature(fused):
    features = json.loads((fused / "dictionary.json").read_text(encoding="utf-8"))["features"]
    assert features
    assert all(f["share_alike"] and f["redistribute"] for f in features)
    assert {f["origin"] for f in features} == {"open"}
    ids = {f["id"] for f in features}
    assert {"organic_carbon__iso_10694", "organic_carbon__walkley_black"} <= ids
    assert {"clay__iso_11277", "clay__hydrometer"} <= ids
    assert {"ndvi__sentinel_2_l2a", "gndvi__sentinel_2_l2a"} <= ids


def test_fields_that_hold_two_sets_are_one_cluster_of_the_matrix(fused):
    samples = pl.read_parquet(fused / "samples.parquet")
    placed = samples.join(pl.read_parquet(fused / "splits.parquet"), on="sample_id").with_columns(
        field=pl.col("site").str.extract(r"limesoda:([^/]+)/")
    )
    cluster = dict(placed.group_by("field").agg(pl.col("cluster").unique()).iter_rows())
    assert len(cluster["BB.250"]) == 1
    assert cluster["BB.51"] == cluster["BB.250"]
    assert cluster["BB.30_1"] == cluster["BB.72"]
    assert placed.group_by("cluster").agg(pl.col("split").n_unique())["split"].max() == 1


def test_standard_profiles_in_standard_layers(fused, settings):
    written = {"dutchsoils": write_standard_layers(settings, "dutchsoils")}
    assert list(written) == ["dutchsoils"]
    layers = pl.read_parquet(written["dutchsoils"])
    assert layers["profile"].n_unique() == 368
    assert layers.filter(depth_top=0.0).height == 368
    assert layers["depth_bottom"].max() == 200  # the deepest profile ends at 120 cm
    assert {"organic_matter", "clay", "bulk_density"} <= set(layers.columns)
    assert not {"organic_matter_p10", "profile_area", "organic_carbon"} & set(layers.columns)
    assert layers["clay"].is_between(0, 100).all()
    table = sources(Store(settings), "open")["dutchsoils"].table
    top = table.sort("profile_id", "depth_top").unique(
        "profile_id", keep="first", maintain_order=True
    )
    surface = layers.filter(depth_top=0.0).join(
        top.select(profile="profile_id", clay_there="clay"), on="profile"
    )
    assert pl.DataFrame(surface).select(pl.corr("clay", "clay_there")).item() > 0.98
