"""Real open data that packages ship: limesoda and dutchsoils, from package to standard table."""

import shutil

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression

from adapters.archive import ingest
from adapters.errors import ArchiveError, SoilmeldError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise
from fusion.spline import STANDARD_DEPTHS, mass_preserving_spline
from fusion.splits import splits

BANDS = ("02", "03", "04", "05", "06", "07", "08", "8a", "11", "12")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(data_root=tmp_path_factory.mktemp("open") / "data")


def made(source, settings):
    spec = load_spec(source)
    raw = ingest(spec, settings)
    assert raw.origin == raw.group == "open"
    return standardise(spec, raw, settings)


@pytest.fixture(scope="module")
def limesoda(settings):
    return made("limesoda", settings)


@pytest.fixture(scope="module")
def dutchsoils(settings):
    return made("dutchsoils", settings)


def test_limesoda_rows_positions_and_depths(limesoda):
    table = limesoda.table
    assert dict(table["dataset"].value_counts().iter_rows()) == {
        "BB.250": 250,
        "BB.72": 72,
        "BB.51": 51,
        "BB.30_1": 30,
        "BB.30_2": 30,
        "MWP.36": 36,
        "SM.40": 40,
    }
    assert table["longitude"].null_count() == 0
    assert table["site"].n_unique() == 509
    bottom = dict(table.group_by("dataset").agg(pl.col("depth_bottom").unique()).iter_rows())
    assert bottom.pop("MWP.36") == [15.0]
    assert all(depth == [30.0] for depth in bottom.values())
    moravia = table.filter(pl.col("dataset") == "SM.40")
    assert moravia["longitude"].is_between(16, 17.5).all()
    assert moravia["latitude"].is_between(48.5, 49.5).all()
    brandenburg = table.filter(pl.col("dataset").str.starts_with("BB"))
    assert brandenburg["latitude"].is_between(51.3, 53.6).all()
    assert moravia["date_start"].dt.year().unique().to_list() == [2004]


def test_limesoda_methods_are_not_merged(limesoda):
    table = limesoda.table
    wet = table["dataset"].is_in(["MWP.36", "SM.40"])
    assert (table["organic_carbon"].is_null() == wet).all()
    assert (table["organic_carbon_walkley_black"].is_not_null() == wet).all()
    moravia = table["dataset"] == "SM.40"
    assert (table["ph_kcl"].is_not_null() == moravia).all()
    assert (table["ph_cacl2"].is_null() == moravia).all()
    assert (table["clay_hydrometer"].is_not_null() == moravia).all()


@pytest.mark.parametrize(
    ("target", "per_native_unit", "r2", "rmse"),
    [
        # organic carbon stands in g/kg here and in percent in the published numbers
        ("organic_carbon", 10.0, 0.7507837, 0.2448791),
        ("ph_cacl2", 1.0, 0.6562089, 0.2940210),
        ("clay", 1.0, 0.6294113, 1.6867238),
    ],
)
def test_limesoda_published_benchmark_on_the_standard_table(
    limesoda, target, per_native_unit, r2, rmse
):
    """Linear regression with the shipped folds: equal to seven digits, so no value was altered."""
    rows = limesoda.table.filter(pl.col("dataset") == "BB.250")
    features = [
        "elevation",
        "slope",
        "apparent_electrical_resistivity",
        "gamma_total_counts",
        "ph_sensor",
        *(f"sentinel_2_b{b}" for b in BANDS),
        "ndvi",
        "gndvi",
    ]
    x = rows.select(features).to_numpy()
    y = rows[target].to_numpy() / per_native_unit
    fold = rows["fold"].cast(pl.Int64).to_numpy()
    predicted = np.empty(len(y))
    for k in range(1, 11):
        model = LinearRegression().fit(x[fold != k], y[fold != k])
        predicted[fold == k] = model.predict(x[fold == k])
    error = ((y - predicted) ** 2).mean()
    assert 1 - error / y.var() == pytest.approx(r2, abs=5e-8)
    assert np.sqrt(error) == pytest.approx(rmse, abs=5e-8)


def test_limesoda_fields_that_hold_two_sets_are_one_cluster(limesoda):
    samples = limesoda.table.select("site", "dataset", "longitude", "latitude").with_columns(
        sample_id="limesoda:" + pl.col("site")
    )
    placed = samples.join(splits(samples.drop("dataset")), on="sample_id")
    clusters = dict(placed.group_by("dataset").agg(pl.col("cluster").unique()).iter_rows())
    assert len(clusters["BB.250"]) == len(clusters["BB.72"]) == 1
    assert clusters["BB.51"] == clusters["BB.250"]
    assert clusters["BB.30_1"] == clusters["BB.72"]
    assert clusters["BB.250"] != clusters["BB.72"]
    assert placed.group_by("cluster").agg(pl.col("split").n_unique())["split"].max() == 1


def test_limesoda_opens_none_but_the_file_of_the_package(settings, tmp_path):
    """A file with pickled names could run code: another one is refused before it is opened."""
    spec = load_spec("limesoda")
    folder = Settings(data_root=tmp_path / "data")
    inbox = folder.raw / "limesoda"
    inbox.mkdir(parents=True)
    for file in ingest(spec, settings).files:
        shutil.copy(file.path, inbox / file.name.rsplit("/", 1)[-1])
    forged = inbox / "SM.40.npz"
    forged.chmod(0o644)
    np.savez(forged, dataset_data=np.zeros(3))
    with pytest.raises(SoilmeldError, match="package"):
        standardise(spec, ingest(spec, folder), folder)


def test_package_file_that_is_not_the_pinned_one_is_refused(settings):
    spec = load_spec("limesoda")
    other = {name: "0" * 64 for name in spec.access.sha256}
    changed = spec.model_copy(update={"access": spec.access.model_copy(update={"sha256": other})})
    with pytest.raises(ArchiveError, match="is not the file"):
        ingest(changed, settings)


def test_dutchsoils_profiles(dutchsoils):
    table = dutchsoils.table
    assert table.height == 1568
    assert table["profile_id"].n_unique() == 368
    assert table["horizon_bottom"].max() == pytest.approx(120)  # native metres
    assert table["longitude"].null_count() == 1568
    assert table["soil_name_national"].null_count() == 0
    assert table["bofek_cluster_name"].null_count() == 0
    assert table["van_genuchten_alpha"].null_count() == 0
    assert "organic_carbon" not in table.columns
    unsorted = table.group_by("profile_id", maintain_order=True).agg(
        wrong=(pl.col("horizon_top").diff() < 0).any()
    )
    assert unsorted["wrong"].sum() == 11
    assert dutchsoils.flags.filter(pl.col("flag").str.starts_with("depth")).is_empty()


def test_dutchsoils_iron_oxide_is_told_as_iron(dutchsoils):
    first = dutchsoils.table.row(0, named=True)
    assert first["dithionite_iron"] == pytest.approx(0.1 * 2 * 55.845 / 159.687, rel=1e-4)


def test_dutchsoils_layers_preserve_the_mass_of_the_profile(dutchsoils):
    rows = dutchsoils.table
    args = [rows[c].to_numpy() for c in ("profile_id", "depth_top", "depth_bottom", "clay")]
    layers = mass_preserving_spline(*args, lam=0.0, low=-1e9, high=1e9, average="exact")
    bottom = rows.group_by("profile_id").agg(pl.col("depth_bottom").max()).sort("profile_id")
    edges = np.minimum(np.array(STANDARD_DEPTHS), bottom["depth_bottom"].to_numpy()[:, None])
    in_layers = np.nansum(layers * np.diff(edges, axis=1), axis=1)
    in_horizons = (
        rows.group_by("profile_id")
        .agg(mass=(pl.col("clay") * (pl.col("depth_bottom") - pl.col("depth_top"))).sum())
        .sort("profile_id")["mass"]
        .to_numpy()
    )
    assert len(layers) == 368
    np.testing.assert_allclose(in_layers, in_horizons, rtol=1e-9)


def test_dutchsoils_are_never_samples():
    spec = load_spec("dutchsoils")
    assert spec.sample is None
    assert spec.fuse.join == "none"
    assert spec.fuse.reason
