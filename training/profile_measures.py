"""The scores of a report on described profiles: the authors' own, and better ones.

Belongs here: which scores there are, each as parts of profiles and a function of their sum.
Never here: how parts come about, intervals, words.

The SoilNet authors' scores (arXiv 2508.03785) are kept as they define them, over the whole set:
horizon k of the truth is compared with horizon k of what was found, and precision, recall and F1
are means over all labels, 0 for one that neither occurs nor is guessed. Beside them stand

* `matched`: the horizon that stands for a true one by the order-preserving match of intervals;
* `by depth`: cm by cm;
* means over the labels that occur in the truth: a label that does not occur is left out, one that
  occurs and is never guessed has precision 0, and a guess of one that does not occur costs recall
  of the label that was missed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from training import profile_scores as scores
from training.bootstrap import ratio
from training.profile_scores import Profiles

FIRST = 5
"""Labels among which the authors' scores at k look for the true one."""
TOLERANCES_CM = (2, 5)

Score = Callable[[np.ndarray], np.ndarray]


class Measure(NamedTuple):
    """A score of a set: what `Bootstrap.measure` takes, and which way is better.

    Attributes:
        parts: (n, ...) of each profile.
        counts: (n,) what of each profile is scored.
        score: (m, ...) sums -> (m,), NaN where there is nothing to score.
        better_low: Is less better?
    """

    parts: np.ndarray
    counts: np.ndarray
    score: Score
    better_low: bool = False

    @property
    def value(self) -> float:
        """Score of the whole set."""
        return float(self.score(self.parts.sum(0, keepdims=True))[0])


def original(
    truth: Profiles, guess: Profiles, scored: np.ndarray, main: np.ndarray
) -> dict[str, Measure]:
    """The scores of the authors' own table.

    Args:
        truth: True horizons, n profiles.
        guess: Found bounds; its symbols are not looked at.
        scored: (n, S, C) scores of labels; those of horizon k are compared with true horizon k.
        main: (C,) int64 code of each label's main symbol.

    Returns:
        Measures by the names of the table's columns.
    """
    labels = scored.shape[-1]
    known, found = truth.known, scores.best(scored)
    own = scores.tallies(known, found, labels)
    first = scores.tallies(known, scores.best_of_first(scored, known, FIRST), labels)
    mains = scores.tallies(scores.wider(known, main), scores.wider(found, main), main.max() + 1)
    horizons = own[:, :, 1].sum(1)
    return {
        "IoU": averaged(scores.same_index_iou(truth, guess)),
        "accuracy": Measure(own, horizons, accuracy),
        "F1": Measure(own, horizons, over_all(f1)),
        "precision": Measure(own, horizons, over_all(precision)),
        "recall": Measure(own, horizons, over_all(recall)),
        f"accuracy@{FIRST}": Measure(first, horizons, accuracy),
        f"precision@{FIRST}": Measure(first, horizons, over_all(precision)),
        f"recall@{FIRST}": Measure(first, horizons, over_all(recall)),
        "accuracy of main symbols": Measure(mains, horizons, accuracy),
    }


def better(
    truth: Profiles, guess: Profiles, similarity: np.ndarray, main: np.ndarray
) -> dict[str, Measure]:
    """Scores in which each error costs once, and none is free.

    Args:
        truth: True horizons, n profiles.
        guess: Found horizons with their labels.
        similarity: (C, C) of labels.
        main: (C,) int64 code of each label's main symbol.
    """
    labels, mains = len(similarity), int(main.max()) + 1
    known, given = truth.known, scores.label_of_partner(truth, guess)
    found: dict[str, Measure] = {"matched IoU": averaged(scores.matched_iou(truth, guess))}
    for tolerance in TOLERANCES_CM:
        parts = scores.boundaries(truth, guess, tolerance)
        for name, score in BOUNDARY.items():
            key = f"boundary {name} within {tolerance} cm"
            found[key] = Measure(parts, parts[:, 1] + parts[:, 2], score)
    number = scores.counts(truth, guess)
    found["error of the number of horizons"] = part(number, 0, 3, better_low=True)
    found["surplus horizons"] = part(number, 1, 3, better_low=True)
    found["right number of horizons"] = part(number, 2, 3)
    own = scores.tallies(known, given, labels)
    wide = scores.tallies(scores.wider(known, main), scores.wider(given, main), mains)
    horizons = own[:, :, 1].sum(1)
    for name, tally in (("labels", own), ("main symbols", wide)):
        found[f"matched accuracy of {name}"] = Measure(tally, horizons, accuracy)
        for kind, score in (("F1", f1), ("precision", precision), ("recall", recall)):
            found[f"matched {kind} of {name}"] = Measure(tally, horizons, over_occurring(score))
    whole = scores.panoptic(truth, guess, labels)
    wider = scores.panoptic(
        Profiles(truth.lower, truth.count, scores.wider(truth.symbol, main)),
        Profiles(guess.lower, guess.count, scores.wider(guess.symbol, main)),
        mains,
    )
    for name, parts in (("labels", whole), ("main symbols", wider)):
        found[f"panoptic quality of {name}"] = Measure(parts, horizons, panoptic_quality)
    far = scores.distances(known, given, similarity)
    found["hierarchical distance"] = part(far, 0, 1, better_low=True)
    found["hierarchical distance of wrong labels"] = part(far, 0, 2, better_low=True)
    for name, worth in (("accuracy", np.eye(labels)), ("similarity", similarity)):
        found[f"{name} by depth"] = part(scores.by_depth(truth, guess, worth), 0, 1)
    return found


def averaged(values: np.ndarray) -> Measure:
    """Mean of (n,) values, one a profile."""
    one = np.ones_like(values)
    return Measure(np.stack([values, one], axis=1), one, ratio)


def part(parts: np.ndarray, above: int, below: int, *, better_low: bool = False) -> Measure:
    """One column of (n, columns) sums by another."""
    chosen = parts[:, [above, below]]
    return Measure(chosen, chosen[:, 1], ratio, better_low)


# Scores of summed tallies, (m, C, 3): right ones, true ones, guessed ones of each class.


def accuracy(sums: np.ndarray) -> np.ndarray:
    """Share of right ones."""
    return ratio(sums[:, :, :2].sum(1))


def precision(sums: np.ndarray) -> np.ndarray:
    """(m, C) right ones by guessed ones, 0 where none is guessed."""
    return _by(sums[..., 0], sums[..., 2])


def recall(sums: np.ndarray) -> np.ndarray:
    """(m, C) right ones by true ones, 0 where none occurs."""
    return _by(sums[..., 0], sums[..., 1])


def f1(sums: np.ndarray) -> np.ndarray:
    """(m, C) harmonic mean of precision and recall, 0 where none occurs nor is guessed."""
    return _by(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def over_all(score: Score) -> Score:
    """Mean over all classes, those too that do not occur: as the SoilNet authors have it."""
    return lambda sums: score(sums).mean(1)


def over_occurring(score: Score, of: np.ndarray | None = None) -> Score:
    """Mean over the classes that occur in the truth; NaN if none does.

    Args:
        score: (m, C, 3) -> (m, C).
        of: (C,) bool, classes to look at, such as rare ones; else all.
    """

    def mean(sums: np.ndarray) -> np.ndarray:
        there = sums[..., 1] > 0
        if of is not None:
            there = there & of
        return ratio(np.stack([(score(sums) * there).sum(1), there.sum(1)], axis=1))

    return mean


def panoptic_quality(sums: np.ndarray) -> np.ndarray:
    """Sum of IoU by right ones and half of the others, as mean over classes that are in the truth.

    Args:
        sums: (m, C, 4): sum of IoU, right ones, other found ones, other true ones.
    """
    quality = _by(sums[..., 0], sums[..., 1] + 0.5 * sums[..., 2] + 0.5 * sums[..., 3])
    there = sums[..., 1] + sums[..., 3] > 0
    return ratio(np.stack([(quality * there).sum(1), there.sum(1)], axis=1))


BOUNDARY: dict[str, Score] = {
    "precision": lambda sums: ratio(sums[:, [0, 1]]),
    "recall": lambda sums: ratio(sums[:, [0, 2]]),
    "F1": lambda sums: ratio(np.stack([2 * sums[:, 0], sums[:, 1] + sums[:, 2]], axis=1)),
}
"""(m, 3) matched, found and true boundaries -> (m,); NaN where there is none to score."""


def _by(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above, dtype=float), where=below > 0)
