"""What a model must beat: feature mean or majority, nearest neighbours, gradient-boosted trees.

Belongs here: baselines on the same rows and masks as the model. Never here: the model, statistics.

Each returns scores, (n, features): |error| in z-score for numeric features (mean over the observed
elements of a vector), 1 or 0 for a right or wrong code; NaN where an entry was not a target.
"""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from training.data import Encoded, Matrix, Schema

NEIGHBOURS = 10
_FITTED_AT_ONCE = 2
"""Trees: each fit holds a copy of the training rows."""
_COLUMNS_OF_CLASSES = 0.3
"""Share of the columns that a tree of a classifier sees. One tree a class is grown in each round:
with all columns it takes twice as long and is no better, while numbers are guessed worse from
fewer."""


def score(
    schema: Schema, encoded: Encoded, rows: np.ndarray, target: np.ndarray, column: int, guess
) -> np.ndarray:  # noqa: ANN001
    """Score a guess of one feature.

    Args:
        schema: Features.
        encoded: The data.
        rows: (n,) row numbers.
        target: (n,) bool, the rows that are scored.
        column: Place of the feature in token order.
        guess: (targets, L) z-scores or (targets,) codes.

    Returns:
        (n,) with NaN where not a target.
    """
    result = np.full(len(rows), np.nan)
    chosen = rows[target]
    if column < len(schema.numeric):
        values, observed = numeric_column(schema, encoded, column)
        seen = observed[chosen]
        result[target] = (np.abs(values[chosen] - guess) * seen).sum(1) / seen.sum(1)
    else:
        result[target] = encoded.codes[chosen, column - len(schema.numeric)] == guess
    return result


def numeric_column(schema: Schema, encoded: Encoded, column: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, L) z-scores and (n, L) bool of a numeric feature by its place in token order."""
    width = schema.numeric[column].width
    widths = [f.width for f in schema.numeric]
    bucket = sorted(set(widths)).index(width)
    place = column - widths.index(width)
    return encoded.values[bucket][:, place], encoded.observed[bucket][:, place]


def constants(matrix: Matrix, rows: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Training mean (z = 0) of numeric features, most frequent code of categorical ones."""
    schema, training = matrix.schema, matrix.rows("train")
    result = np.full(hidden.shape, np.nan)
    for column in range(hidden.shape[1]):
        guess: float | int = 0.0
        if column >= len(schema.numeric):
            codes = matrix.encoded.codes[training, column - len(schema.numeric)]
            guess = int(np.bincount(codes[codes >= 0]).argmax())
        result[:, column] = score(schema, matrix.encoded, rows, hidden[:, column], column, guess)
    return result


def _flat(matrix: Matrix, rows: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Visible entries as coordinates, 0 where there is none, and which coordinates count.

    Each feature weighs the same: a vector's elements share its weight; two unlike codes
    are at distance 1.
    """
    schema, encoded = matrix.schema, matrix.encoded
    coordinates, counts = [], []
    for column, feature in enumerate(schema.numeric):
        values, observed = numeric_column(schema, encoded, column)
        seen = observed[rows] & visible[:, column, None]
        weight = np.sqrt(1 / feature.width)
        coordinates.append(values[rows] * seen * weight)
        counts.append(seen)
    for c, feature in enumerate(schema.categorical):
        codes = encoded.codes[rows, c]
        seen = visible[:, len(schema.numeric) + c] & (codes >= 0)
        one_hot = (codes[:, None] == np.arange(len(feature.codes))) & seen[:, None]
        coordinates.append(one_hot / np.sqrt(2))
        counts.append(np.repeat(seen[:, None], len(feature.codes), 1))
    return (
        np.concatenate(coordinates, 1).astype(np.float32),
        np.concatenate(counts, 1).astype(np.float32),
    )


def neighbours(
    matrix: Matrix, rows: np.ndarray, hidden: np.ndarray, training: np.ndarray
) -> np.ndarray:
    """Mean, or most frequent code, of the nearest training rows that have the feature.

    The distance is over the features visible in both rows, scaled up by their share, as in
    scikit-learn's KNNImputer. A feature that no row of `training` has stays NaN.

    Args:
        matrix: The data.
        rows: (n,) row numbers to predict for.
        hidden: (n, features) bool.
        training: Row numbers of the neighbours to choose from.
    """
    schema, encoded = matrix.schema, matrix.encoded
    visible, known = encoded.present[rows] & ~hidden, encoded.present[training]
    q, q_counts = _flat(matrix, rows, visible)
    t, t_counts = _flat(matrix, training, known)
    squared = (q * q) @ t_counts.T + q_counts @ (t * t).T - 2 * q @ t.T
    shared = visible.astype(np.float32) @ known.astype(np.float32).T
    distance = np.where(shared > 0, squared / np.maximum(shared, 1), np.inf)
    result = np.full(hidden.shape, np.nan)
    for column in np.flatnonzero(hidden.any(0)):
        target, having = hidden[:, column], np.flatnonzero(known[:, column])
        if not len(having):
            continue
        k = min(NEIGHBOURS, len(having))
        near = np.argpartition(distance[np.ix_(target, having)], k - 1, axis=1)[:, :k]
        near = training[having[near]]  # (targets, k)
        if column < len(schema.numeric):
            values, observed = numeric_column(schema, encoded, column)
            seen = observed[near]
            guess = (values[near] * seen).sum(1) / np.maximum(seen.sum(1), 1)
        else:
            c = column - len(schema.numeric)
            votes = encoded.codes[near, c][:, :, None] == np.arange(
                len(schema.categorical[c].codes)
            )
            guess = votes.sum(1).argmax(1)
        result[:, column] = score(schema, encoded, rows, target, column, guess)
    return result


def _table(matrix: Matrix, rows: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """All features as trees take them: z-scores and codes, NaN where not visible."""
    columns = []
    for column in range(len(matrix.schema.numeric)):
        values, observed = numeric_column(matrix.schema, matrix.encoded, column)
        seen = observed[rows] & visible[:, column, None]
        columns.append(np.where(seen, values[rows], np.nan))
    codes = matrix.encoded.codes[rows].astype(np.float32)
    seen = visible[:, len(matrix.schema.numeric) :] & (codes >= 0)
    return np.concatenate([*columns, np.where(seen, codes, np.nan)], axis=1)


def trees(
    matrix: Matrix,
    rows: np.ndarray,
    trials: list[np.ndarray],
    training: np.ndarray,
    columns: list[int],
    seed: int,
) -> list[np.ndarray]:
    """LightGBM, one model a feature, on all other features; trained under masks of the same ratio.

    Args:
        matrix: The data.
        rows: (n,) row numbers to predict for.
        trials: Of each trial (n, features) bool, the hidden entries.
        training: Row numbers to learn from.
        columns: Places of the features that get a model; the rest stays NaN, as does a feature that
            fewer than two rows of `training` have.
        seed: Of the training masks.
    """
    import lightgbm

    schema, encoded = matrix.schema, matrix.encoded
    results = [np.full(hidden.shape, np.nan) for hidden in trials]
    known = encoded.present[training]
    table = _table(matrix, training, known & ~matrix.hidden(training, training, seed))
    tests = [_table(matrix, rows, encoded.present[rows] & ~hidden) for hidden in trials]
    widths = [f.width for f in schema.numeric] + [1] * len(schema.categorical)
    cuts = np.cumsum([0, *widths])
    codes = list(range(cuts[len(schema.numeric)], cuts[-1]))
    parameters = {
        "n_estimators": 100,
        "num_leaves": 15,
        "max_bin": 63,
        "random_state": 0,
        "deterministic": True,
        "force_col_wise": True,  # few rows of more than a thousand numbers
        "n_jobs": 1,
        "verbose": -1,
    }

    def fit(column: int) -> None:
        own = known[:, column]
        if own.sum() < 2:
            return  # LightGBM refuses to learn from a single row
        x = table[own].copy()
        x[:, cuts[column] : cuts[column + 1]] = np.nan
        numeric = column < len(schema.numeric)
        kind = lightgbm.LGBMRegressor if numeric else lightgbm.LGBMClassifier
        if numeric:
            y = numeric_column(schema, encoded, column)[0][training[own], 0]
        else:
            y = encoded.codes[training[own], column - len(schema.numeric)]
        columns_seen = 1.0 if numeric else _COLUMNS_OF_CLASSES
        model = kind(**parameters, colsample_bytree=columns_seen).fit(
            x, y, categorical_feature=codes
        )
        for hidden, test, result in zip(trials, tests, results, strict=True):
            target = hidden[:, column]
            if target.any():
                guess = model.predict(test[target])
                guess = guess[:, None] if numeric else guess
                result[:, column] = score(schema, encoded, rows, target, column, guess)

    with warnings.catch_warnings(), ThreadPoolExecutor(_FITTED_AT_ONCE) as fitting:
        # LightGBM names columns of an array by itself and then warns that arrays lack names.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        # Threads of one model wait for each other at each split, and for all who use the machine.
        list(fitting.map(fit, columns))
    return results
