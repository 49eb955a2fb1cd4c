"""Answers about profiles by random forests of the site, of colours, or of both.

Belongs here: learners of baselines and how they cut profiles. Never here: constants, the model,
scores.

Random forests: Breiman 2001, doi 10.1023/A:1010933404324. Each profile weighs the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.profile_colours import changes, cut_at, of_segments
from training.profile_constants import Codes, Frequencies, Photographs
from training.profile_forms import Guess, Segments

TREES = 40
LEAST_IN_LEAF = 2

Cut = Callable[[Photographs], Segments]


@dataclass(frozen=True)
class ColourCut:
    """Boundaries where the colour changes most."""

    least: float

    def __call__(self, photographs: Photographs) -> Segments:
        """Cut photographs."""
        most = photographs.truth.segments.bounds.shape[1]
        return cut_at(changes(photographs.colour), self.least, most)


@dataclass(frozen=True)
class SiteCut:
    """The number of horizons, and then their bounds, by what is known of the site."""

    count: Callable[[np.ndarray], np.ndarray]
    bound: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def of(cls, train: Photographs, seed: int) -> "SiteCut":
        """Learn both."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        segments = train.truth.segments
        counts = RandomForestClassifier(**_forest(seed)).fit(
            train.site, segments.count, sample_weight=train.weight
        )
        row, place = np.nonzero(segments.there[:, 1:])
        if not row.size:
            return cls(counts.predict, lambda rows: np.ones(len(rows)))
        features = np.column_stack([train.site[row], segments.count[row], place])
        bounds = RandomForestRegressor(**_forest(seed)).fit(
            features, segments.bounds[row, place], sample_weight=train.weight[row]
        )
        return cls(counts.predict, bounds.predict)

    def __call__(self, photographs: Photographs) -> Segments:
        """Cut photographs."""
        most = photographs.truth.segments.bounds.shape[1]
        count = self.count(photographs.site)
        place = np.arange(most - 1)
        row = np.repeat(np.arange(len(photographs)), most - 1)
        features = np.column_stack(
            [photographs.site[row], count[row], np.tile(place, len(photographs))]
        )
        bounds = self.bound(features).reshape(-1, most - 1)
        bounds = np.where(place < count[:, None] - 1, bounds, 1.0)
        return Segments.of(np.concatenate([np.sort(bounds, 1), np.ones((len(bounds), 1))], 1))


def _forest(seed: int) -> dict[str, object]:
    return {
        "n_estimators": TREES,
        "min_samples_leaf": LEAST_IN_LEAF,
        "random_state": seed,
        "n_jobs": 1,
    }


Learnt = Callable[[np.ndarray], dict[str, np.ndarray]]
"""(rows, features) of segments -> by what is learnt, chances of codes, or shares of stones."""


@dataclass(frozen=True)
class Forest:
    """Symbols and properties of segments by random forests."""

    uses: tuple[str, ...]
    cut: Cut
    frequencies: Frequencies
    learnt: tuple[Learnt, ...]

    @classmethod
    def of(
        cls,
        train: Photographs,
        codes: Codes,
        uses: tuple[str, ...],
        cut: Cut,
        frequencies: Frequencies,
        seed: int,
    ) -> "Forest":
        """Learn what is known of training segments.

        Args:
            train: Photographs of the training split.
            codes: Of the data.
            uses: `site`, `colour` or both.
            cut: How profiles are cut where no segments are given.
            frequencies: What is said of what no training segment knows.
            seed: Of the forests.
        """
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        truth = train.truth
        x = _segment_features(train, truth.segments, uses)
        weight = np.broadcast_to(train.weight[:, None], truth.symbol.shape)
        learnt: list[Learnt] = []
        there = truth.segments.there
        # One forest for all properties. An unknown code counts as one of its own, which is left
        # out where the forest is asked.
        for names, known, targets in (
            (["symbol"], there & (truth.symbol >= 0), [truth.symbol]),
            ([*truth.classes], there, [*truth.classes.values()]),
        ):
            if names and known.any():
                y = np.stack([target[known] for target in targets], 1)
                forest = RandomForestClassifier(**_forest(seed)).fit(
                    x[known], y if len(names) > 1 else y[:, 0], sample_weight=weight[known]
                )
                learnt.append(_chances(forest, names, codes))
        known = there & np.isfinite(truth.stones)
        if known.any():
            forest = RandomForestRegressor(**_forest(seed), max_features="sqrt").fit(
                x[known], truth.stones[known], sample_weight=weight[known]
            )
            learnt.append(lambda rows: {"stones": forest.predict(rows)})
        return cls(uses, cut, frequencies, tuple(learnt))

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """See `Baseline`."""
        segments = segments or self.cut(photographs)
        known = self.frequencies.at(segments)
        x = _segment_features(photographs, segments, self.uses)
        said: dict[str, np.ndarray] = {}
        for learnt in self.learnt:
            said |= learnt(x.reshape(-1, x.shape[-1]))

        def smoothed(name: str, frequent: np.ndarray) -> np.ndarray:
            """Chances with what is frequent at the depth as one tree more: none is 0."""
            if name not in said:
                return frequent
            found = said[name].reshape(frequent.shape)
            found = np.where(np.isfinite(found), found, frequent)
            return (TREES * found + frequent) / (TREES + 1)

        stones = said["stones"].reshape(known.stones.shape) if "stones" in said else known.stones
        classes = {name: smoothed(name, table) for name, table in known.classes.items()}
        return Guess(segments, smoothed("symbol", known.symbol), stones, classes)


def _chances(forest, names: list[str], codes: Codes) -> Learnt:  # noqa: ANN001
    """Chances of all known codes; NaN where a forest thinks that none of them is known."""

    def chances(rows: np.ndarray) -> dict[str, np.ndarray]:
        said, seen = forest.predict_proba(rows), forest.classes_
        if len(names) == 1:
            said, seen = [said], [seen]
        made = {}
        for name, table, known in zip(names, said, seen, strict=True):
            many = codes.symbols if name == "symbol" else codes.classes[name]
            found = np.zeros((len(rows), many))
            found[:, known[known >= 0]] = table[:, known >= 0]
            total = found.sum(1, keepdims=True)
            made[name] = np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0)
        return made

    return chances


def _segment_features(
    photographs: Photographs, segments: Segments, uses: tuple[str, ...]
) -> np.ndarray:
    """(n, S, f) what a forest may know of each segment: its place, and what it uses."""
    shape = segments.bounds.shape
    count = np.broadcast_to(segments.count[:, None], shape)
    place = np.broadcast_to(np.arange(shape[1]), shape)
    parts = [np.stack([segments.tops, segments.bounds, place, count - place], -1)]
    if "site" in uses:
        parts.append(
            np.broadcast_to(photographs.site[:, None], (*shape, photographs.site.shape[1]))
        )
    if "colour" in uses:
        parts.append(of_segments(photographs.colour, segments))
    return np.concatenate(parts, -1)
