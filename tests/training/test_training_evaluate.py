"""What may be claimed of an evaluation, and baselines where there is little to learn from."""

from pathlib import Path

import numpy as np
import pytest
from small_matrix import write_recipe

from training import baselines
from training.bootstrap import LEAST_CLUSTERS, Bootstrap
from training.data import Matrix, load
from training.evaluate import _compare
from training.recipe import load_recipe
from training.report import bracket


@pytest.fixture(scope="module")
def dataset(matrix: Path, tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    recipe = write_recipe(tmp_path_factory.mktemp("recipe") / "small.yaml")
    return load(matrix, load_recipe(recipe).dataset)


def _scores(clusters: int) -> tuple[Bootstrap, dict[str, np.ndarray]]:
    cluster = np.repeat(np.arange(clusters), 10)
    base = np.random.default_rng(0).random((1, len(cluster), 1))
    return Bootstrap(cluster, 1), {"model": base, "mean": base + 1.0, "majority": base * np.nan}


@pytest.mark.parametrize("clusters", [1, LEAST_CLUSTERS - 1])
def test_few_clusters_give_no_interval_and_no_verdict(clusters: int) -> None:
    bootstrap, scores = _scores(clusters)
    found = _compare(bootstrap, scores, [0], better_low=True)
    assert "majority" not in found["methods"]
    for one in (found["methods"]["model"], found["model_minus"]["mean"]):
        assert one["low"] is None
        assert one["high"] is None
        assert one["interval"].startswith(f"none: {clusters} cluster")
        assert f"(no interval: {clusters} cluster" in bracket(one)
    assert found["model_minus"]["mean"]["verdict"] is None
    assert found["model_minus"]["mean"]["value"] == pytest.approx(-1.0)


def test_a_feature_seen_in_few_clusters_has_no_interval_whatever_the_others_have() -> None:
    bootstrap, scores = _scores(20)
    scores["model"][:, 10:] = np.nan
    assert bootstrap.mean(scores["model"])["interval"] == (
        "none: 1 cluster of sites in the test split"
    )
    assert bootstrap.mean(scores["mean"])["low"] is not None


@pytest.mark.parametrize(
    ("better_low", "verdict"), [(True, "the model is better"), (False, "the model is worse")]
)
def test_enough_clusters_give_an_interval_and_a_verdict(better_low: bool, verdict: str) -> None:
    bootstrap, scores = _scores(LEAST_CLUSTERS)
    found = _compare(bootstrap, scores, [0], better_low)
    value = found["methods"]["model"]
    assert value["low"] < value["value"] < value["high"]
    assert bracket(value).endswith("]")
    assert found["model_minus"]["mean"]["verdict"] == verdict


def test_equal_scores_are_not_distinguishable() -> None:
    bootstrap, scores = _scores(LEAST_CLUSTERS)
    scores["mean"] = scores["model"]
    found = _compare(bootstrap, scores, [0], better_low=True)
    assert found["model_minus"]["mean"]["verdict"] == "not distinguishable"


def test_baselines_leave_out_what_none_of_their_rows_has(dataset: Matrix) -> None:
    """Baselines learn from some of the training rows; a rare feature may be in none of them."""
    rows = dataset.rows("test")
    hidden = dataset.encoded.present[rows]
    columns = [dataset.schema.features.index(name) for name in ("clay", "label")]
    known = dataset.encoded.present[:, columns].any(1)
    without = np.array([r for r in dataset.rows("train") if not known[r]])
    assert len(without) > 1
    near = baselines.neighbours(dataset, rows, hidden, without)
    trees = baselines.trees(dataset, rows, [hidden], without, columns, seed=1)[0]
    for column in columns:
        assert np.isnan(near[:, column]).all()
        assert np.isnan(trees[:, column]).all()

    having = next(r for r in dataset.rows("train") if dataset.encoded.present[r, columns].all())
    with_one = np.append(without, having)
    near = baselines.neighbours(dataset, rows, hidden, with_one)
    trees = baselines.trees(dataset, rows, [hidden], with_one, columns, seed=1)[0]
    for column in columns:
        assert (np.isfinite(near[:, column]) == hidden[:, column]).all()
        assert np.isnan(trees[:, column]).all()
