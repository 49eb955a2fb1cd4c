"""What can be read from frozen features by simple means: neighbours, a linear map.

Belongs here: probes and their confusion matrices, as sums that add up over rows.
Never here: models, tiles, intervals.

Nothing of a probe is chosen on the rows it is tested on: penalties are chosen by cross-validation
over blocks of the training rows. All is deterministic.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

NEIGHBOURS = 5
STRENGTHS = (0.01, 0.1, 1.0)
"""Of the logistic probe: the inverse of its penalty."""
RIDGES = (100.0, 10.0, 1.0, 0.1, 0.01, 0.001)
"""Penalties of linear maps, beside standardised features' variance of 1."""
POSITIONS = 2**18
"""Positions that a map of classes is learnt from: some hundreds for each feature."""
FOLDS = 3
_ITERATIONS, _TOLERANCE = 1000, 1e-3
_SEED = 0

Guess = Callable[[np.ndarray], np.ndarray]
"""(n, d) features -> (n,) labels."""


class Scale:
    """Standardises features as the training rows are; what is constant there becomes 0."""

    def __init__(self, train: np.ndarray) -> None:
        self.mean = train.mean(0, dtype=np.float64)
        std = train.std(0, dtype=np.float64)
        varies = std > 1e-6 * np.maximum(np.abs(self.mean), 1e-6)
        self.factor = np.where(varies, 1.0 / np.where(varies, std, 1.0), 0.0)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> the same, standardised."""
        return (features - self.mean) * self.factor


def neighbours(train: np.ndarray, labels: np.ndarray) -> Guess:
    """The most frequent label of the nearest training rows, by the angle of standardised features.

    Of labels that are equally frequent, the one whose neighbours are nearer.

    Args:
        train: (n, d).
        labels: (n,).
    """
    scale = Scale(train)
    known = _unit(scale(train))
    names, codes = np.unique(labels, return_inverse=True)
    k = min(NEIGHBOURS, len(train))

    def guess(features: np.ndarray) -> np.ndarray:
        alike = _unit(scale(features)) @ known.T
        near = np.argsort(-alike, axis=1, kind="stable")[:, :k]
        votes = np.zeros((len(features), len(names)))
        rows = np.arange(len(features))[:, None]
        # A vote is 1 and a little more: the sum of all that little is less than one vote.
        little = 1.0 + np.take_along_axis(alike, near, 1) / (4 * k)
        np.add.at(votes, (rows, codes[near]), little)
        return names[votes.argmax(1)]

    return guess


def logistic(train: np.ndarray, labels: np.ndarray, blocks: np.ndarray) -> Guess:
    """Logistic regression on standardised features.

    Args:
        train: (n, d).
        labels: (n,).
        blocks: (n,) names; the penalty is chosen by leaving out whole blocks.
    """
    fold = folds(blocks)
    right = np.zeros(len(STRENGTHS))
    for held in range(fold.max() + 1):
        rest, out = fold != held, fold == held
        if rest.any():
            guesses = _logistic(train[rest], labels[rest], STRENGTHS)
            right += [(guess(train[out]) == labels[out]).sum() for guess in guesses]
    # The first of equals: the strongest penalty.
    return _logistic(train, labels, (STRENGTHS[int(right.argmax())],))[0]


def _logistic(train: np.ndarray, labels: np.ndarray, strengths: Sequence[float]) -> list[Guess]:
    """One guess a strength."""
    from sklearn.linear_model import LogisticRegression

    if len(found := np.unique(labels)) == 1:
        return [lambda features: np.repeat(found, len(features))] * len(strengths)
    scale = Scale(train)
    # Whatever the penalty, the solution lies in the span of the rows.
    axes = np.linalg.svd(scale(train), full_matrices=False)[2].T
    x = scale(train) @ axes

    def guess(model: LogisticRegression) -> Guess:
        return lambda features: model.predict(scale(features) @ axes)

    models = [LogisticRegression(C=c, max_iter=_ITERATIONS, tol=_TOLERANCE) for c in strengths]
    return [guess(model.fit(x, labels)) for model in models]


def folds(blocks: np.ndarray) -> np.ndarray:
    """(n,) number of the fold, at most `FOLDS`; whole blocks, the largest first, fill them evenly.

    One block is one fold.
    """
    names, place, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    filled = np.zeros(min(FOLDS, len(names)), int)
    of_block = np.zeros(len(names), int)
    for block in np.argsort(-sizes, kind="stable"):
        of_block[block] = filled.argmin()
        filled[of_block[block]] += sizes[block]
    return of_block[place]


class Segmenter:
    """A linear map from the features of a position to the class of each of its pixels.

    Ridge regression on classes as 0 and 1 (a linear probe in closed form); the class of a pixel is
    that of the largest output.
    """

    def __init__(self, maps: Iterable[np.ndarray], labels: np.ndarray, blocks: np.ndarray) -> None:
        """Fit the map.

        Args:
            maps: For some tiles at a time, in the order of the labels, (.., rows, columns, d)
                features of their positions.
            labels: (n, h, w) numbers of classes; negative where there is none. Only positions that
                are labelled whole are learnt from, some `POSITIONS` of them at most.
            blocks: (n,) names; the penalty is chosen by leaving out whole blocks.

        Raises:
            ValueError: No position is labelled whole.
        """
        self.classes = np.unique(labels[labels >= 0])
        fold = folds(blocks)
        parts: dict[int, _Sums] = {}
        draw, first = np.random.default_rng(_SEED), 0
        for some in maps:
            here = slice(first, first + len(some))
            first += len(some)
            self.edge = labels.shape[1] // some.shape[1]
            share = POSITIONS / (labels.size / self.edge**2)
            cut = cut_patches(labels[here], self.edge)
            learnt = (cut >= 0).all(1) & (draw.random(len(cut)) < share)
            x, y = some.reshape(len(cut), -1)[learnt], cut[learnt]
            place = np.repeat(fold[here], len(cut) // len(some))[learnt]
            for f in np.unique(place).tolist():
                more = self._sums(x[place == f], y[place == f])
                parts[f] = parts[f].plus(more) if f in parts else more
        if not parts:
            raise ValueError("no position is labelled whole")
        everything = functools.reduce(_Sums.plus, parts.values())
        self.learnt_from: int = everything.count
        error = np.zeros(len(RIDGES))
        for held in parts.values():
            rest = _Sums(*(a - b for a, b in zip(everything, held, strict=True)))
            if rest.count:
                error += _Ridge(rest).errors(held)
        ridge = RIDGES[int(error.argmin())]
        fitted = _Ridge(everything)
        self._weights = (fitted.weights(ridge)).astype(np.float32)
        self._offset = (fitted.y - fitted.x @ self._weights).astype(np.float32)

    def __call__(self, maps: np.ndarray) -> np.ndarray:
        """(n, rows, columns, d) -> (n, h, w) numbers of classes."""
        n, rows, columns, _ = maps.shape
        out = maps @ self._weights + self._offset
        best = out.reshape(n, rows, columns, self.edge, self.edge, -1).argmax(-1)
        whole = best.transpose(0, 1, 3, 2, 4).reshape(n, rows * self.edge, columns * self.edge)
        return self.classes[whole]

    def _sums(self, x: np.ndarray, labels: np.ndarray) -> "_Sums":
        x = x.astype(np.float64)
        y = (labels[:, :, None] == self.classes).astype(np.float64).reshape(len(x), -1)
        return _Sums(len(x), x.sum(0), x.T @ x, y.sum(0), x.T @ y)


class _Sums(NamedTuple):
    """Sums over rows of 1, x, x x', y and x y'."""

    count: int
    x: np.ndarray
    xx: np.ndarray
    y: np.ndarray
    xy: np.ndarray

    def plus(self, more: "_Sums") -> "_Sums":
        """Of the rows of both."""
        return _Sums(*(a + b for a, b in zip(self, more, strict=True)))

    def around(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums of x x' and x y' as if these points were the origins."""
        xx = self.xx - np.outer(self.x, x) - np.outer(x, self.x) + self.count * np.outer(x, x)
        xy = self.xy - np.outer(self.x, y) - np.outer(x, self.y) + self.count * np.outer(x, y)
        return xx, xy


class _Ridge:
    """Ridge regression by the eigenvectors of the features, which all penalties share."""

    def __init__(self, sums: _Sums) -> None:
        self.x, self.y = sums.x / sums.count, sums.y / sums.count
        xx, xy = (moment / sums.count for moment in sums.around(self.x, self.y))
        variance = np.diag(xx)
        varies = variance > 1e-12 * max(variance.max(), 1e-12)
        self.scale = np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
        self.values, vectors = np.linalg.eigh(xx * np.outer(self.scale, self.scale))
        self.axes = self.scale[:, None] * vectors
        self.along = self.axes.T @ xy

    def weights(self, ridge: float) -> np.ndarray:
        """(d, outputs)."""
        return self.axes @ (self.along / (self.values.clip(0) + ridge)[:, None])

    def errors(self, held: _Sums) -> np.ndarray:
        """Squared error of other rows for each of `RIDGES`, less what is the same for all."""
        xx, xy = held.around(self.x, self.y)
        square = (self.axes.T @ xx @ self.axes) * (self.along @ self.along.T)
        mixed = (self.along * (self.axes.T @ xy)).sum(1)
        shrunk = 1.0 / (self.values.clip(0) + np.array(RIDGES)[:, None])  # (ridges, d)
        return np.einsum("ri,ij,rj->r", shrunk, square, shrunk) - 2 * shrunk @ mixed


def cut_patches(labels: np.ndarray, edge: int) -> np.ndarray:
    """(n, h, w) -> (n * patches, edge * edge), row-major."""
    n, h, w = labels.shape
    cut = labels.reshape(n, h // edge, edge, w // edge, edge).transpose(0, 1, 3, 2, 4)
    return cut.reshape(-1, edge * edge)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


# Scores of sums of confusion matrices.


def confusion(truth: np.ndarray, guess: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Confusion of each row: true class by guessed class.

    Args:
        truth: (rows, ...) classes; what is not among `classes` is left out.
        guess: (rows, ...).
        classes: (C,) sorted; guesses are among them.

    Returns:
        (rows, C, C) counts.
    """
    rows, many = len(truth), len(classes)
    known = np.isin(truth, classes)
    row = np.broadcast_to(np.arange(rows).reshape(-1, *(1,) * (truth.ndim - 1)), truth.shape)
    place = row[known] * many + np.searchsorted(classes, truth[known])
    place = place * many + np.searchsorted(classes, guess[known])
    return np.bincount(place, minlength=rows * many * many).reshape(rows, many, many)


def accuracy(sums: np.ndarray) -> np.ndarray:
    """(n, C, C) -> (n,) share of right guesses."""
    return _share(np.trace(sums, axis1=1, axis2=2), sums.sum((1, 2)))


def mean_recall(sums: np.ndarray) -> np.ndarray:
    """(n, C, C) -> (n,) mean over the classes that occur of the share of each that was found."""
    return _over_classes(np.diagonal(sums, axis1=1, axis2=2), sums.sum(2), sums.sum(2))


def mean_iou(sums: np.ndarray) -> np.ndarray:
    """(n, C, C) -> (n,) mean over the classes that occur of intersection over union."""
    right = np.diagonal(sums, axis1=1, axis2=2)
    return _over_classes(right, sums.sum(2) + sums.sum(1) - right, sums.sum(2))


def _over_classes(part: np.ndarray, whole: np.ndarray, there: np.ndarray) -> np.ndarray:
    shares = np.where(there > 0, _share(part, whole), 0.0)
    return _share(shares.sum(1), (there > 0).sum(1))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
