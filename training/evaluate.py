"""How well a run restores hidden features of samples it never saw, beside baselines.

Belongs here: the protocol, its measures and their intervals. Never here: training, or words.

Entries of the test split are hidden at random (the recipe's ratios, several trials); the model and
each baseline restore the same entries from the same visible ones. Clusters (a site with its
revisits and near neighbours) are resampled for the intervals, since rows of one cluster are not
independent. Nothing is claimed without an interval (`training.bootstrap`).
"""

import json
from pathlib import Path

import numpy as np

from adapters.errors import TrainingError
from training import baselines
from training.bootstrap import LEAST_CLUSTERS, RESAMPLES, Bootstrap, some, verdict
from training.data import Matrix, load
from training.predict import Predictor
from training.recipe import Recipe
from training.report import readable
from training.runs import fingerprint, write_atomically, write_json

TRIALS = 5
TEST_ROWS = 800
TRAINING_ROWS = 4000
TREE_FEATURES = 8
LEVEL = 0.9

Scores = dict[str, np.ndarray]
"""By method, (trials, rows, features)."""


def evaluate(run: Path, data: Path) -> dict:
    """Measure a run; writes `evaluation.json` and `evaluation.md` into it.

    Args:
        run: Folder of a finished run.
        data: The fused version it was trained on.

    Returns:
        Content of `evaluation.json`.

    Raises:
        TrainingError: The run is not finished, or was trained on other data or by other code.
    """
    predictor = Predictor(run)
    described = json.loads((run / "meta.json").read_text(encoding="utf-8"))
    if fingerprint(data) != described["data"]["fingerprint"]:
        raise TrainingError(
            "the run was trained on other data: its test split may be among them",
            file=str(data),
            remedy=f"use version {described['data']['version']}, or train again",
        )
    recipe = Recipe.model_validate(described["recipe"])
    matrix = load(data, recipe.dataset)
    if matrix.schema != predictor.schema:
        raise TrainingError(
            "the run standardised its features otherwise than this code does",
            file=str(run),
            remedy="train again",
        )
    seed = recipe.mask_seed + 3
    rows = some(matrix.rows("test"), TEST_ROWS, seed)
    training = some(matrix.rows("train"), TRAINING_ROWS, seed)
    trials = [
        matrix.hidden(rows, trial * len(rows) + np.arange(len(rows)), seed)
        for trial in range(TRIALS)
    ]
    chosen = _tree_columns(matrix)
    model = [_model(predictor, matrix, rows, hidden) for hidden in trials]
    is_numeric = np.arange(len(matrix.schema.features)) < len(matrix.schema.numeric)
    constant = np.stack([baselines.constants(matrix, rows, hidden) for hidden in trials])
    scores: Scores = {
        "model": np.stack([errors for errors, _ in model]),
        "mean": np.where(is_numeric, constant, np.nan),
        "majority": np.where(is_numeric, np.nan, constant),
        "neighbours": np.stack(
            [baselines.neighbours(matrix, rows, hidden, training) for hidden in trials]
        ),
        "lightgbm": np.stack(baselines.trees(matrix, rows, trials, training, chosen, seed)),
    }
    covered = np.stack([inside for _, inside in model])
    report = _report(matrix, rows, scores, covered, chosen, described, len(training))
    write_json(run / "evaluation.json", report)
    write_atomically(run / "evaluation.md", readable(report))
    return report


def _tree_columns(matrix: Matrix) -> list[int]:
    """Scalar features that LightGBM is fitted for: evenly spread over all of them."""
    scalar = [i for i, f in enumerate(matrix.schema.numeric) if f.width == 1]
    first = len(matrix.schema.numeric)
    columns = np.array([*scalar, *range(first, first + len(matrix.schema.categorical))])
    if len(columns) > TREE_FEATURES:
        columns = columns[np.linspace(0, len(columns) - 1, TREE_FEATURES).round().astype(int)]
    return columns.tolist()


def _model(
    predictor: Predictor, matrix: Matrix, rows: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the model, and the share of each entry's elements inside its interval.

    The share is NaN where calibration had too little evidence for an interval.
    """
    schema, encoded = matrix.schema, matrix.encoded
    out = predictor.forward(encoded, rows, hidden)
    errors, inside = np.full(hidden.shape, np.nan), np.full(hidden.shape, np.nan)
    column = 0
    for mean, s in zip(out["mean"], out["log_variance"], strict=True):
        for v in range(mean.shape[1]):
            target = hidden[:, column]
            guess = mean[target, v].numpy()
            errors[:, column] = baselines.score(schema, encoded, rows, target, column, guess)
            values, observed = baselines.numeric_column(schema, encoded, column)
            factor = predictor.calibration.factor(schema.numeric[column].id, LEVEL)
            half = np.exp(s[target, v].numpy() / 2)[:, None] * factor
            seen = observed[rows[target]]
            within = (np.abs(values[rows[target]] - guess) <= half) & seen
            if np.isfinite(factor):
                inside[target, column] = within.sum(1) / seen.sum(1)
            column += 1
    for c in range(out["logits"].shape[1]):
        target = hidden[:, column + c]
        guess = out["logits"][target, c].argmax(-1).numpy()
        errors[:, column + c] = baselines.score(schema, encoded, rows, target, column + c, guess)
    return errors, inside


def _compare(bootstrap: Bootstrap, scores: Scores, columns: list[int], better_low: bool) -> dict:
    """Each method's mean, and the model's difference from it on the entries both have."""
    result: dict = {"methods": {}, "model_minus": {}}
    for method, values in scores.items():
        part = values[:, :, columns]
        if not np.isfinite(part).any():
            continue
        result["methods"][method] = bootstrap.mean(part)
        if method != "model":
            difference = bootstrap.mean(scores["model"][:, :, columns] - part)
            result["model_minus"][method] = difference | {
                "verdict": verdict(difference, better_low)
            }
    return result


def _report(
    matrix: Matrix,
    rows: np.ndarray,
    scores: Scores,
    covered: np.ndarray,
    chosen: list[int],
    described: dict,
    training_rows: int,
) -> dict:
    schema = matrix.schema
    bootstrap = Bootstrap(matrix.cluster[rows], described["recipe"]["mask_seed"] + 4)
    without_trees = {m: v for m, v in scores.items() if m != "lightgbm"}
    numeric = list(range(len(schema.numeric)))
    categorical = list(range(len(numeric), len(schema.features)))
    kinds = {"numeric": (numeric, True), "categorical": (categorical, False)}
    report: dict = {
        "origin": described["origin"],
        "data": described["data"],
        "recipe": described["recipe"]["name"],
        "code_version": described["code_version"],
        "protocol": {
            "measure": {
                "numeric": "mean absolute error in z-scores of the training split",
                "categorical": "share of right codes",
            },
            "trials": TRIALS,
            "hidden_share": {
                "numeric": described["recipe"]["dataset"]["numeric_mask"],
                "categorical": described["recipe"]["dataset"]["categorical_mask"],
            },
            "test_rows": len(rows),
            "test_rows_of": len(matrix.rows("test")),
            "test_clusters": bootstrap.clusters,
            "training_rows_of_baselines": training_rows,
            "neighbours": baselines.NEIGHBOURS,
            "lightgbm_features": [schema.features[c] for c in chosen],
            "interval": f"95 %, {RESAMPLES} resamples of clusters; none of fewer than "
            f"{LEAST_CLUSTERS} clusters",
        },
        "all_features": {},
        "lightgbm_features": {},
        "features": {},
    }
    for kind, (columns, better_low) in kinds.items():
        if columns:
            report["all_features"][kind] = _compare(bootstrap, without_trees, columns, better_low)
        if fitted := [c for c in columns if c in chosen]:
            report["lightgbm_features"][kind] = _compare(bootstrap, scores, fitted, better_low)
        for c in columns:
            if np.isfinite(scores["model"][:, :, c]).any():
                report["features"][schema.features[c]] = {"class": kind} | _compare(
                    bootstrap, scores, [c], better_low
                )
    if np.isfinite(covered).any():
        report["interval_coverage"] = {"level": LEVEL} | bootstrap.mean(covered)
    return report
