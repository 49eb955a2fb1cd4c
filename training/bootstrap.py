"""Intervals of scores, from samples that are not independent, and what they let be said.

Belongs here: choosing rows, and resampling clusters of them. Never here: scores, words of a report.

Rows of one cluster (a site with its revisits, a block of tiles) know each other, so clusters are
resampled and not rows. With fewer than `LEAST_CLUSTERS` clusters there is no interval: resampling
so few says nothing of places that are not among them.
"""

from collections.abc import Callable, Mapping

import numpy as np

from training.report import counted

RESAMPLES = 1000
LEAST_CLUSTERS = 5
MODEL = "model"
"""Name of the method that others are compared with."""
_INTERVAL = (2.5, 97.5)

Score = Callable[[np.ndarray], np.ndarray]
"""(n, ...) sums -> (n,) score, NaN where it is not defined."""


def some(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many rows, by a seeded choice, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


class Bootstrap:
    """Resampled clusters: how often each cluster counts in each resample.

    The same resamples serve every score, so that differences of scores are paired.
    """

    def __init__(self, cluster: np.ndarray, seed: int, named: str = "sites in the test split"):
        """Draw the resamples.

        Args:
            cluster: (rows,) name of each row's cluster.
            seed: Of the resamples.
            named: What the rows are of, for the reason where there is no interval.
        """
        names, self.place = np.unique(cluster, return_inverse=True)
        self.clusters, self.named = len(names), named
        self.weights = np.random.default_rng(seed).multinomial(
            self.clusters, np.full(self.clusters, 1 / self.clusters), size=RESAMPLES
        )

    def measure(
        self,
        parts: np.ndarray,
        counts: np.ndarray,
        score: Score,
    ) -> dict:
        """A score of sums over rows, with its interval if there can be one.

        Args:
            parts: (rows, ...) what adds up over rows, such as a confusion matrix.
            counts: (rows,) entries of each row; a row of none says nothing.
            score: (n, ...) sums -> (n,) score, NaN where it is not defined.

        Returns:
            `value`, `low`, `high`, `interval`, `entries` and `clusters`.
        """
        sums = np.zeros((self.clusters, *parts.shape[1:]))
        np.add.at(sums, self.place, parts)
        entries = np.bincount(self.place, counts, self.clusters)
        clusters = int((entries > 0).sum())
        low = high = None
        if clusters >= LEAST_CLUSTERS:
            resampled = score(np.tensordot(self.weights, sums, 1))
            low, high = np.nanpercentile(resampled, _INTERVAL).tolist()
        return {
            "value": float(score(sums.sum(0, keepdims=True))[0]),
            "low": low,
            "high": high,
            "interval": f"95 %, {RESAMPLES} resamples of clusters"
            if low is not None
            else f"none: {counted(clusters)} of {self.named}",
            "entries": int(entries.sum()),
            "clusters": clusters,
        }

    def mean(self, values: np.ndarray) -> dict:
        """Mean of (trials, rows, columns) without NaN, with its interval if there can be one."""
        known = np.isfinite(values)
        count = known.sum((0, 2))
        total = np.where(known, values, 0.0).sum((0, 2))
        return self.measure(np.stack([total, count], axis=1), count, ratio)

    def compare(
        self,
        found: Mapping[str, np.ndarray],
        counts: np.ndarray,
        score: Score,
        *,
        better_low: bool = False,
    ) -> dict:
        """Each method's score, and the model's minus it on the same resamples.

        Args:
            found: By method, one of them `model`, (rows, ...) what adds up over rows.
            counts: (rows,) entries of each row.
            score: As of `measure`.
            better_low: Is less better?

        Returns:
            `methods` and `model_minus`, by method; the latter with a `verdict`.
        """
        result: dict = {"methods": {}, "model_minus": {}}
        for name, parts in found.items():
            result["methods"][name] = self.measure(parts, counts, score)
            if name != MODEL and MODEL in found:
                pair = np.stack([found[MODEL], parts], axis=1)
                difference = self.measure(
                    pair, counts, lambda sums: score(sums[:, 0]) - score(sums[:, 1])
                )
                result["model_minus"][name] = difference | {
                    "verdict": verdict(difference, better_low)
                }
        return result


def ratio(sums: np.ndarray) -> np.ndarray:
    """First of (n, 2) by the second; NaN where that is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)


def verdict(difference: dict, better_low: bool) -> str | None:
    """What the interval of a difference, the model's score minus another, lets be said.

    None without an interval, or with one of a score that no resample defines.
    """
    if difference["low"] is None or not np.isfinite([difference["low"], difference["high"]]).all():
        return None
    if difference["low"] * difference["high"] <= 0:
        return "not distinguishable"
    return f"the model is {'better' if (difference['value'] < 0) == better_low else 'worse'}"
