"""Does a tile find its own caption among all, and a caption its own tile?

Belongs here: ranks and recalls of a table of similarities, and a linear map into the captions'
space for features that have none. Never here: models, intervals.

Only a tile's own caption counts as right. Where others are exactly as similar (two tiles with the
same caption), their order is chance, and what counts is the chance that the own one is among the
first k.
"""

import numpy as np

from training.probes import RIDGES, Scale, folds

FIRST = (1, 5, 10)
DIGITS = 6
"""Of a similarity. Products of equal vectors in float32 differ beyond them."""


def found(similarity: np.ndarray, first: tuple[int, ...] = FIRST) -> np.ndarray:
    """Chance that the right one, which is in the same place, is among the first k.

    Args:
        similarity: (n, n) of queries (rows) with candidates (columns).
        first: The k.

    Returns:
        (n, len(first)) in [0, 1].

    Raises:
        ValueError: The table is not square, or holds what is no number.
    """
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"queries and candidates must be the same, got {similarity.shape}")
    if np.isnan(similarity).any():
        raise ValueError("a similarity is not a number")
    similarity = np.round(similarity, DIGITS)
    own = np.diagonal(similarity)[:, None]
    better = (similarity > own).sum(1)[:, None]
    equal = (similarity == own).sum(1)[:, None]
    return np.clip((np.array(first) - better) / equal, 0.0, 1.0)


def chance(candidates: int, first: tuple[int, ...] = FIRST) -> list[float]:
    """What a blind choice finds among so many candidates."""
    return [min(k / candidates, 1.0) for k in first]


def linear_map(
    train: np.ndarray, captions: np.ndarray, blocks: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """Where a linear map of features says the captions lie.

    Args:
        train: (n, d) features of training tiles.
        captions: (n, w) unit vectors of their captions.
        blocks: (n,) names; the penalty of the ridge regression is chosen by leaving out whole
            blocks.
        features: (m, d) of other tiles.

    Returns:
        (m, w) unit vectors.
    """

    def fitted(rows: np.ndarray, ridge: float, asked: np.ndarray) -> np.ndarray:
        scale = Scale(train[rows])
        x, mean = scale(train[rows]), captions[rows].mean(0)
        # As many equations as rows: the dual is the smaller one where features are many.
        kernel = x @ x.T / len(x) + ridge * np.eye(len(x))
        weights = x.T @ np.linalg.solve(kernel, captions[rows] - mean) / len(x)
        guess = mean + scale(asked) @ weights
        return guess / np.maximum(np.linalg.norm(guess, axis=1, keepdims=True), 1e-12)

    fold = folds(blocks)
    agreement = np.zeros(len(RIDGES))
    for held in range(fold.max() + 1):
        rest, out = fold != held, fold == held
        if not rest.any():
            continue
        for place, ridge in enumerate(RIDGES):
            agreement[place] += (fitted(rest, ridge, train[out]) * captions[out]).sum()
    return fitted(np.ones(len(train), bool), RIDGES[int(agreement.argmax())], features)
