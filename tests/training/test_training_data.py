import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import TrainingError
from training.data import encode, load
from training.masks import hide, order, uniform
from training.recipe import MatrixDataset
from training.runs import fingerprint

DATASET = MatrixDataset(minimum_observed=30)


@given(seed=st.integers(0, 2**32), start=st.integers(0, 10**9), columns=st.integers(1, 20))
def test_masks_hide_only_what_is_there_and_depend_on_the_draw_alone(
    seed: int, start: int, columns: int
) -> None:
    draws = np.arange(start, start + 16)
    present = uniform(seed + 1, draws, columns) < 0.6
    hidden = hide(present, np.full(columns, 0.5), seed, draws)
    assert not (hidden & ~present).any()
    alone = hide(present[3:4], np.full(columns, 0.5), seed, draws[3:4])
    assert (hidden[3:4] == alone).all()


def test_masks_hide_their_share_independently() -> None:
    numbers = uniform(7, np.arange(20_000), 12)
    assert abs((numbers < 0.15).mean() - 0.15) < 0.003
    correlation = np.corrcoef(np.vstack([numbers.T, np.roll(numbers[:, 0], 1)]))
    assert np.abs(correlation - np.eye(13)).max() < 0.03


@given(samples=st.integers(1, 50), seed=st.integers(0, 99), cut=st.integers(1, 149))
def test_every_pass_is_a_permutation_however_it_is_cut(samples: int, seed: int, cut: int) -> None:
    whole = order(samples, seed, np.arange(3 * samples))
    for k in range(3):
        assert sorted(whole[k * samples : (k + 1) * samples]) == list(range(samples))
    cut = min(cut, 3 * samples)
    parts = [
        order(samples, seed, np.arange(cut)),
        order(samples, seed, np.arange(cut, 3 * samples)),
    ]
    assert (np.concatenate(parts) == whole).all()


def test_statistics_come_from_the_training_split_alone(matrix: Path, tmp_path: Path) -> None:
    other = shutil.copytree(matrix, tmp_path / "other")
    frame = pl.read_parquet(other / "matrix.parquet")
    split = pl.read_parquet(other / "splits.parquet")["split"]
    changed = frame.with_columns(
        pl.when(split != "train").then(pl.col("clay") * 50).otherwise("clay").alias("clay"),
        pl.when(split != "train").then(pl.lit("Z")).otherwise("label").alias("label"),
    )
    changed.write_parquet(other / "matrix.parquet")
    assert fingerprint(other) != fingerprint(matrix)
    assert load(other, DATASET).schema == load(matrix, DATASET).schema


def test_standardised_training_values(matrix: Path) -> None:
    data = load(matrix, DATASET)
    training = data.rows("train")
    for values, observed in zip(data.encoded.values, data.encoded.observed, strict=True):
        z = np.where(observed, values, np.nan)[training]
        assert np.abs(np.nanmean(z, axis=0)).max() < 1e-5
        assert np.abs(np.nanstd(z, axis=0) - 1).max() < 1e-4
    transforms = {f.id: f.transform for f in data.schema.numeric}
    assert transforms["organic_carbon"] == "log1p"
    assert transforms["clay"] == "identity"


def test_values_come_back(matrix: Path) -> None:
    schema = load(matrix, DATASET).schema
    for feature in schema.numeric:
        x = np.linspace(0.5, 60, 8)[:, None] * np.ones(feature.width)
        assert np.allclose(feature.restore(feature.standardise(x)), x)


def test_a_value_below_zero_of_a_heavy_tailed_feature_is_read(matrix: Path) -> None:
    schema = load(matrix, DATASET).schema
    rows = pl.DataFrame({"sample_id": ["a"], "organic_carbon": [-1e6]})
    place = schema.features.index("organic_carbon")
    assert schema.numeric[place].transform == "log1p"
    assert encode(schema, rows).present[0, place]
    free = schema.numeric[place].model_copy(update={"minimum": None})
    assert free.restore(free.standardise(np.array([[-1e6]]))) == pytest.approx(-1e6)


def test_predictions_are_cut_at_the_plausible_range_and_not_at_the_observed_one(
    matrix: Path,
) -> None:
    numeric = {f.id: f for f in load(matrix, DATASET).schema.numeric}
    largest = pl.read_parquet(matrix / "matrix.parquet").select("clay", "organic_carbon").max()
    far = np.array([[50.0]])
    assert numeric["clay"].restore(far).item() > largest["clay"].item()
    assert numeric["organic_carbon"].restore(far).item() > largest["organic_carbon"].item()
    assert numeric["organic_carbon"].restore(-far).item() == 0.0


def test_left_out_features_say_why(matrix: Path) -> None:
    left_out = load(matrix, DATASET).schema.left_out
    assert set(left_out) == {"sum", "rare", "remark"}
    assert "exact sum" in left_out["sum"]


def test_missing_and_unknown_entries_are_missing(matrix: Path) -> None:
    schema = load(matrix, DATASET).schema
    rows = pl.DataFrame(
        {"sample_id": ["a", "b"], "clay": [30.0, None], "label": ["A", "not a code"]}
    )
    encoded = encode(schema, rows)
    present = dict(zip(schema.features, encoded.present.T.tolist(), strict=True))
    assert present["clay"] == [True, False]
    assert present["label"] == [True, False]
    assert present["spectrum"] == [False, False]


@pytest.mark.parametrize("fault", ["torn", "no_split", "no_file", "no_feature"])
def test_faulty_matrix_is_refused(matrix: Path, tmp_path: Path, fault: str) -> None:
    other = shutil.copytree(matrix, tmp_path / "other")
    splits = pl.read_parquet(other / "splits.parquet")
    if fault == "torn":
        splits = splits.with_columns(pl.lit(1).alias("cluster"))
    if fault == "no_split":
        splits = splits.head(100)
    splits.write_parquet(other / "splits.parquet")
    if fault == "no_file":
        (other / "matrix.parquet").unlink()
    if fault == "no_feature":
        dictionary = json.loads((other / "dictionary.json").read_text())
        dictionary["features"][0]["id"] = "clya"
        (other / "dictionary.json").write_text(json.dumps(dictionary))
    with pytest.raises(TrainingError, match="remedy"):
        load(other, DATASET)


def test_a_vector_of_another_length_is_refused(matrix: Path) -> None:
    schema = load(matrix, DATASET).schema
    rows = pl.DataFrame({"sample_id": ["a"], "spectrum": [[1.0, 2.0]]})
    with pytest.raises(TrainingError, match="spectrum"):
        encode(schema, rows)


def test_what_does_not_vary_is_neither_read_nor_scored(matrix: Path, tmp_path: Path) -> None:
    other = shutil.copytree(matrix, tmp_path / "other")
    frame = pl.read_parquet(other / "matrix.parquet")
    frame = frame.with_columns(
        pl.lit(5.0).alias("clay"),
        pl.col("spectrum")
        .arr.to_list()
        .list.eval(pl.when(pl.int_range(pl.len()) == 2).then(7.0).otherwise(pl.element()))
        .cast(pl.Array(pl.Float32, 4)),
        pl.Series("sand", [[1.0] * (1 + i % 3) for i in range(frame.height)]),
    )
    frame.write_parquet(other / "matrix.parquet")
    data = load(other, DATASET)
    assert data.schema.left_out["clay"] == "constant in the training split"
    assert data.schema.left_out["sand"] == "vectors of varying length"
    spectrum = next(f for f in data.schema.numeric if f.id == "spectrum")
    assert spectrum.std[2] is None
    assert data.encoded.observed[-1][:, 0].any(0).tolist() == [True, True, False, True]
    assert spectrum.restore(np.zeros((1, 4)))[0, 2] == 7.0


def test_shares_of_a_whole_are_hidden_together_and_as_often_as_others() -> None:
    present = np.ones((4000, 5), dtype=bool)
    present[:2000, 3] = False
    hidden = hide(present, np.full(5, 0.15), 7, np.arange(4000), together=[[1, 3, 4]])
    assert (hidden[:, 1] == hidden[:, 4]).all()
    assert not hidden[:2000, 3].any()
    assert (hidden[2000:, 3] == hidden[2000:, 1]).all()
    assert abs(hidden[:, 1].mean() - 0.15) < 0.02
    assert (hidden[:, 0] != hidden[:, 1]).any()
