"""The twin, from its raw files to a matrix, and that matrix against the twin's truth."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from adapters import twin
from adapters.archive import ingest
from adapters.errors import FusionError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise
from adapters.store import Store
from fusion import build
from fusion.audit import audit, compare
from fusion.points import sample_points

TEN = (
    "lucas_2009_topsoil", "lucas_2015_topsoil", "lucas_2015_topsoil_switzerland",
    "lucas_2018_topsoil", "eu_hydi", "spade_m", "arsenic_topsoils", "efsa_spatial_data",
    "esdb_v2_vector", "pesticides_residues_nuts2",
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    """Settings and matrix of a tiny twin, committed without the gate, which has its own tests."""
    root = tmp_path_factory.mktemp("twin")
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin_size="tiny")
    twin.write(settings, sources=TEN)
    for source in TEN:
        spec = load_spec(source)
        raw = ingest(spec, settings)
        assert raw is not None
        Store(settings).commit(standardise(spec, raw, settings), [[]])
    return settings, build.matrix(settings, "synthetic")


@pytest.fixture
def copy(made: tuple[Settings, Path], tmp_path: Path) -> Path:
    """The fused version, to be spoilt."""
    return shutil.copytree(made[1], tmp_path / "fused")


def test_every_source_reaches_the_matrix(made: tuple[Settings, Path]) -> None:
    matrix = pl.read_parquet(made[1] / "matrix.parquet")
    samples = pl.read_parquet(made[1] / "samples.parquet")
    assert samples["source"].n_unique() == 6
    assert matrix["sample_id"].equals(samples["sample_id"])
    aligned = {name.split(".")[0] for name in matrix.columns if "." in name}
    assert aligned == set(TEN) - set(samples["source"])
    for feature in ("arsenic_topsoils.arsenic", "efsa_spatial_data.ph"):
        assert matrix[feature].count() > 0.8 * matrix.height
    # LUCAS sites are visited again: fewer sites than samples, and each on one side.
    sides = samples.join(pl.read_parquet(made[1] / "splits.parquet"), on="sample_id")
    assert samples["site"].n_unique() < samples.height
    assert sides.group_by("site").agg(pl.col("split").n_unique())["split"].max() == 1


def test_texture_fractions_are_known_to_add_up(made: tuple[Settings, Path]) -> None:
    features = json.loads((made[1] / "dictionary.json").read_text())["features"]
    others = {f["id"]: f["adds_up_with"] for f in features if f["adds_up_with"]}
    assert others["clay__iso_11277"] == ["sand__iso_11277", "silt__iso_11277"]
    assert len(others["clay__compiled"]) == 3
    assert len(others) == 7


def test_the_matrix_recovers_the_truth(made: tuple[Settings, Path]) -> None:
    report = audit(made[1], made[0].truth_root)
    measured = [f for f in report["features"] if "." not in f["feature"]]
    assert len(measured) > 60
    assert min(f["recovered"] for f in measured) > 0.9
    assert np.median([f["recovered"] for f in measured]) == 1.0
    layers = [f for f in report["features"] if "." in f["feature"]]
    assert {f["feature"] for f in layers} >= {
        "arsenic_topsoils.arsenic", "efsa_spatial_data.capri_land_cover",
        "efsa_spatial_data.texture",
    }  # fmt: skip
    # Pixels are met where the rows say they are: nothing but rounding stands between.
    assert {f["recovered"] for f in layers} == {1.0}
    for source, position in report["positions"].items():
        degraded = load_spec(source).space.location == "degraded"
        assert position["max_m"] < (1500 if degraded else 1)
    assert {r["right"] for r in report["regions"].values()} <= {None, 1.0}


def test_planted_faults_are_flagged_and_nothing_else(made: tuple[Settings, Path]) -> None:
    report = audit(made[1], made[0].truth_root)
    assert report["summary"]["planted"] > 100
    missed = [f for f in report["faults"] if f["flagged"] < f["planted"] or f["false_flags"]]
    assert missed == []


def test_the_audit_sees_rows_that_were_mixed_up(made: tuple[Settings, Path], copy: Path) -> None:
    path = copy / "matrix.parquet"
    matrix = pl.read_parquet(path)
    feature = "organic_carbon__iso_10694"
    matrix.with_columns(pl.col(feature).shift(1)).write_parquet(path)
    report = audit(copy, made[0].truth_root)
    spoilt = [f for f in report["features"] if f["feature"] == feature]
    assert max(f["correlation"] for f in spoilt) < 0.9


def test_the_audit_sees_a_slip_of_unit_in_few_rows(made: tuple[Settings, Path], copy: Path) -> None:
    path = copy / "matrix.parquet"
    feature = "total_nitrogen__iso_11261"
    tenth = pl.when(pl.int_range(pl.len()) % 10 == 0).then(1000.0).otherwise(1.0)
    pl.read_parquet(path).with_columns(pl.col(feature) * tenth).write_parquet(path)
    report = audit(copy, made[0].truth_root)
    spoilt = [f["recovered"] for f in report["features"] if f["feature"] == feature]
    assert max(spoilt) < 0.97


def test_the_audit_sees_layers_that_were_mixed_up(made: tuple[Settings, Path], copy: Path) -> None:
    path = copy / "matrix.parquet"
    spoilt = {"efsa_spatial_data.texture": "recovered", "arsenic_topsoils.arsenic": "correlation"}
    matrix = pl.read_parquet(path).with_columns(pl.col(list(spoilt)).shift(1))
    matrix.write_parquet(path)
    report = audit(copy, made[0].truth_root)
    for feature, measure in spoilt.items():
        seen = [f[measure] for f in report["features"] if f["feature"] == feature]
        # Some surveys lie within few pixels.
        assert np.median(seen) < 0.95


def test_the_audit_sees_flags_that_are_gone_or_invented(
    made: tuple[Settings, Path], copy: Path
) -> None:
    path = copy / "flags.parquet"
    flags = pl.read_parquet(path)
    flags.with_columns(flag=pl.col("flag").replace("position_suspect", "corrected")).write_parquet(
        path
    )
    faults = audit(copy, made[0].truth_root)["faults"]
    lost = [f for f in faults if f["flag"] == "position_suspect"]
    assert {f["recall"] for f in lost} == {0.0}
    assert sum(f["false_flags"] for f in faults if f["flag"] == "corrected") > 0


def test_truth_of_another_twin_is_refused(
    made: tuple[Settings, Path], copy: Path, tmp_path: Path
) -> None:
    with pytest.raises(FusionError, match="no truth"):
        audit(copy, tmp_path / "nowhere")
    rows = pl.read_parquet(copy / "rows.parquet")
    rows.with_columns(key=pl.col("key") + "x").write_parquet(copy / "rows.parquet")
    with pytest.raises(FusionError, match="does not know"):
        audit(copy, made[0].truth_root)


def test_the_matrix_is_the_same_bytes_where_there_is_no_truth(
    made: tuple[Settings, Path], tmp_path: Path
) -> None:
    settings, fused = made
    data = tmp_path / "data"
    for place in ("store", "std"):
        shutil.copytree(settings.data_root / place, data / place)
    elsewhere = Settings(data_root=data, truth_root=tmp_path / "nowhere")
    again = build.matrix(elsewhere, "synthetic")
    assert again.name == fused.name
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in fused.iterdir()
    }


def test_points_at_the_samples_see_what_the_samples_see(made: tuple[Settings, Path]) -> None:
    settings, fused = made
    Store(settings).publish()
    samples = pl.read_parquet(fused / "samples.parquet").unique(["longitude", "latitude"])
    samples = samples.sort("sample_id")
    wanted = ["arsenic_topsoils.arsenic", "efsa_spatial_data.temperature_monthly"]
    matrix = samples.select("sample_id").join(
        pl.read_parquet(fused / "matrix.parquet"), on="sample_id", maintain_order="left"
    )
    found, _ = sample_points(settings, samples.select("sample_id", "longitude", "latitude"))
    assert set(found["point_status"]) == {"usable"}
    for feature in wanted:
        assert found[feature].equals(matrix[feature].alias(feature))


def test_noise_is_told_from_what_was_not_recovered() -> None:
    random = np.random.default_rng(0)
    truth = random.uniform(10, 100, 1000)
    noisy = truth * random.normal(1, 0.05, 1000)
    assert compare(truth, noisy)["recovered"] > 0.99
    assert compare(truth, truth)["recovered"] == 1.0
    slipped = np.where(np.arange(1000) < 100, noisy * 10, noisy)
    assert compare(truth, slipped)["recovered"] == pytest.approx(0.9, abs=0.01)
    zeros = np.concatenate([np.zeros(800), truth[:200]])
    measured = np.concatenate([np.zeros(800), noisy[:200]])
    assert compare(zeros, measured)["recovered"] > 0.99
