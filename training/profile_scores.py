"""How good described profiles are: boundaries, labels, properties.

Belongs here: scores of whole sets, from horizons that were found and horizons that are true, as
parts that add up over profiles. Never here: models, intervals, tables, calibration.

Every function that compares gives one row a profile (a photograph is one), which `Bootstrap` can
resample; a score is then a function of the rows' sum, never a mean of scores of batches. What a
score does where there is nothing to score (no boundary, a class that does not occur) stands at it;
NaN means that it says nothing, never 0.

Depths are in cm. A boundary lies between two horizons: neither the surface nor the lower end of
what is described is one. Codes are -1 where unknown.
"""

from dataclasses import dataclass

import numpy as np

DEPTH_CM = 100.0
_SLACK_CM = 1e-3
"""For depths that went through float32: 27 cm are 27.000001 cm there."""


@dataclass(frozen=True)
class Profiles:
    """Horizons of n profiles, at most S each.

    Attributes:
        lower: (n, S) float64, lower bounds in cm, ascending; `DEPTH_CM` from the last horizon on.
        count: (n,) int64, number of horizons, at least 1.
        symbol: (n, S) int64 codes of their labels; beyond `count` it is not looked at.
    """

    lower: np.ndarray
    count: np.ndarray
    symbol: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """(n, S) bool: is there a horizon?"""
        return np.arange(self.lower.shape[1]) < self.count[:, None]

    @property
    def upper(self) -> np.ndarray:
        """(n, S) upper bounds in cm."""
        return np.concatenate([np.zeros((len(self.lower), 1)), self.lower[:, :-1]], axis=1)

    @property
    def known(self) -> np.ndarray:
        """(n, S) codes of labels, -1 where there is no horizon."""
        return np.where(self.there, self.symbol, -1)

    @property
    def boundary(self) -> np.ndarray:
        """(n, S) bool: is the lower bound a boundary between two horizons?"""
        return np.arange(self.lower.shape[1]) < self.count[:, None] - 1


def profiles(bounds: np.ndarray, symbol: np.ndarray) -> Profiles:
    """Profiles from bounds as a batch or a prediction has them.

    Args:
        bounds: (n, S) lower bounds as share of 100 cm, ascending; the first that is 1 (within
            float32) is that of the last horizon, or else the last one is.
        symbol: (n, S) codes.
    """
    lower = np.clip(bounds.astype(np.float64), 0, 1) * DEPTH_CM
    ends = lower >= DEPTH_CM - _SLACK_CM
    ends[:, -1] = True
    count = ends.argmax(1) + 1
    last = np.arange(lower.shape[1]) >= count[:, None] - 1
    return Profiles(np.where(last, DEPTH_CM, lower), count, symbol)


# Which horizon is which.


def overlap(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, S, T) cm that each true horizon shares with each found one."""
    low = np.maximum(truth.upper[:, :, None], guess.upper[:, None])
    high = np.minimum(truth.lower[:, :, None], guess.lower[:, None])
    both = truth.there[:, :, None] & guess.there[:, None]
    return np.where(both, np.maximum(high - low, 0), 0)


def iou(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, S, T) intersection over union; 0 where either is not there, or both are empty."""
    shared = overlap(truth, guess)
    thick = [np.where(one.there, one.lower - one.upper, 0) for one in (truth, guess)]
    union = thick[0][:, :, None] + thick[1][:, None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def in_order(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best one-to-one match that keeps the order, by dynamic programming.

    Args:
        gain: (n, S, T), not negative, of matching true s with found t.

    Returns:
        (n,) the greatest sum of gains, and (n, S) int64 the found partner of each true one, -1
        without any. What gains nothing is not matched; of equally good matches a true one gets the
        lowest partner.
    """
    n, height, width = gain.shape
    best = np.zeros((n, height + 1, width + 1))
    for s in range(1, height + 1):
        for t in range(1, width + 1):
            matched = best[:, s - 1, t - 1] + gain[:, s - 1, t - 1]
            skipped = np.maximum(best[:, s - 1, t], best[:, s, t - 1])
            best[:, s, t] = np.maximum(matched, skipped)
    partner = np.full((n, height), -1)
    t = np.full(n, width)
    rows = np.arange(n)
    for s in range(height, 0, -1):
        for _ in range(width):  # as long as the found one adds nothing, go back
            t = t - ((t > 0) & (best[rows, s, t] == best[rows, s, np.maximum(t - 1, 0)]))
        pair = (t > 0) & (best[rows, s, t] > best[rows, s - 1, t])
        partner[:, s - 1] = np.where(pair, t - 1, -1)
        t = t - pair
    return best[:, -1, -1], partner


def partners(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, S) the found horizon that stands for each true one, -1 without any.

    The match that keeps the order and has the greatest sum of intersections over unions.
    """
    return in_order(iou(truth, guess))[1]


def label_of_partner(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, S) label that each true horizon was given; -1 where none stands for it."""
    place = partners(truth, guess)
    found = np.take_along_axis(guess.known, place.clip(0), 1)
    return np.where(place >= 0, found, -1)


# Boundaries and horizons.


def same_index_iou(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n,) mean over true horizons of the IoU with the found one of the same number.

    The score of the SoilNet authors: what is found beyond the number of true horizons is not
    looked at, and one missed boundary spoils all horizons below it.
    """
    own = np.diagonal(iou(truth, guess), axis1=1, axis2=2)
    return own.sum(1) / truth.count


def matched_iou(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n,) greatest sum of IoU of a one-to-one match that keeps the order, by the larger number.

    1 for equal profiles alone. Of N horizons found for M true ones at most min / max is reached,
    so neither one too many nor one too few is free. It is symmetric.
    """
    return in_order(iou(truth, guess))[0] / np.maximum(truth.count, guess.count)


def boundaries(truth: Profiles, guess: Profiles, tolerance: float) -> np.ndarray:
    """Boundaries that were found, each true one by one found one at most.

    Args:
        truth: True horizons.
        guess: Found horizons.
        tolerance: Distance in cm up to which a boundary is found.

    Returns:
        (n, 3): matched, found, true ones.
    """
    distance = np.abs(truth.lower[:, :, None] - guess.lower[:, None])
    near = distance <= tolerance + _SLACK_CM
    near &= truth.boundary[:, :, None] & guess.boundary[:, None]
    matched, _ = in_order(near.astype(float))
    return np.stack([matched, guess.boundary.sum(1), truth.boundary.sum(1)], axis=1)


def counts(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, 4) of the number of horizons: |error|, error, is it right, 1."""
    error = (guess.count - truth.count).astype(float)
    return np.stack([np.abs(error), error, error == 0, np.ones_like(error)], axis=1)


def panoptic(truth: Profiles, guess: Profiles, classes: int) -> np.ndarray:
    """Parts of panoptic quality (Kirillov et al. 2019, arXiv 1801.00868) over depth x label.

    A found horizon is right if it has the label of a true one and more than half of IoU with it.
    One that lies for more than half in true horizons without known label is not counted.

    Returns:
        (n, C, 4): sum of IoU of right ones, right ones, other found ones, other true ones.
    """
    alike = truth.known[:, :, None] == guess.known[:, None]
    alike &= (truth.known >= 0)[:, :, None]
    ious = iou(truth, guess)
    right = alike & (ious > 0.5)  # at most one partner each, as more than half is shared
    unknown = truth.there & (truth.known < 0)
    unlabelled = (overlap(truth, guess) * unknown[:, :, None]).sum(1)
    counted = (guess.known >= 0) & (unlabelled <= 0.5 * (guess.lower - guess.upper))
    found = (counted & ~right.any(1), guess.known)
    missed = ((truth.known >= 0) & ~right.any(2), truth.known)
    hit = (right.any(2), truth.known)
    columns = [per_class((ious * right).sum(2), truth.known, classes)]
    columns += [
        per_class(given.astype(float), codes, classes) for given, codes in (hit, found, missed)
    ]
    return np.stack(columns, axis=2)


def per_class(values: np.ndarray, codes: np.ndarray, classes: int) -> np.ndarray:
    """(n, S) values summed by code: (n, C); of unknown codes they are left out."""
    known = codes >= 0
    rows = np.broadcast_to(np.arange(len(codes))[:, None], codes.shape)[known]
    return np.bincount(rows * classes + codes[known], values[known], len(codes) * classes).reshape(
        len(codes), classes
    )


# Labels and codes.


def tallies(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """What accuracy, precision, recall and F1 are made of.

    Args:
        truth: (n, S) codes; -1 is not asked.
        guess: (n, S) codes; -1 is no answer, and wrong.
        classes: Number of codes.

    Returns:
        (n, C, 3): right ones of each class, true ones, guessed ones.
    """
    asked = truth >= 0
    right = (truth == guess) & asked
    return np.stack(
        [
            per_class(right.astype(float), truth, classes),
            per_class(asked.astype(float), truth, classes),
            per_class(asked.astype(float), guess, classes),
        ],
        axis=2,
    )


def best(scores: np.ndarray) -> np.ndarray:
    """(n, S, C) scores -> (n, S) code of the greatest; the lowest code of equal ones."""
    return scores.argmax(-1)


def best_of_first(scores: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """(n, S) the true code where it is among the k greatest scores, else the best.

    How the SoilNet authors make precision and recall at k.
    """
    first = np.argsort(-scores, axis=-1, kind="stable")[..., :k]
    return np.where((first == truth[..., None]).any(-1), truth, best(scores))


def wider(codes: np.ndarray, main: np.ndarray) -> np.ndarray:
    """Codes of labels as codes of their main symbols.

    Args:
        codes: (...) int64, -1 unknown.
        main: (C,) int64 code of each label's main symbol.
    """
    return np.where(codes >= 0, main[codes.clip(0)], -1)


def distances(truth: np.ndarray, guess: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Distance in the taxonomy, 1 - similarity; no answer is as far as can be.

    Args:
        truth: (n, S) codes; -1 is not asked.
        guess: (n, S) codes.
        similarity: (C, C).

    Returns:
        (n, 3): sum of distances, asked ones, wrong ones.
    """
    asked = truth >= 0
    alike = np.where(guess >= 0, similarity[truth.clip(0), guess.clip(0)], 0)
    far = np.where(asked, 1 - alike, 0)
    wrong = asked & (truth != guess)
    return np.stack([far.sum(1), asked.sum(1), wrong.sum(1)], axis=1).astype(float)


def by_depth(truth: Profiles, guess: Profiles, worth: np.ndarray) -> np.ndarray:
    """What found labels are worth, cm by cm, however the horizons are cut.

    Args:
        truth: True horizons; cm without known label are not asked.
        guess: Found horizons.
        worth: (C, C) of a found label where another is true: identity, or similarity.

    Returns:
        (n, 2): sum over cm, and cm asked.
    """
    shared = overlap(truth, guess)
    asked = (truth.known >= 0)[:, :, None] & np.ones_like(shared, bool)
    given = worth[truth.known.clip(0)[:, :, None], guess.known.clip(0)[:, None]]
    given = np.where((guess.known >= 0)[:, None], given, 0)
    return np.stack([(shared * given * asked).sum((1, 2)), (shared * asked).sum((1, 2))], axis=1)


def steps(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Errors of ordered codes.

    Args:
        truth: (n, S) codes; -1 is not asked.
        guess: (n, S) codes, known.

    Returns:
        (n, 4): sum of |error| in steps, right ones, within one step, asked ones.
    """
    asked = truth >= 0
    far = np.where(asked, np.abs(guess - truth), 0)
    parts = [far, asked & (far == 0), asked & (far <= 1), asked]
    return np.stack([part.sum(1) for part in parts], axis=1).astype(float)
