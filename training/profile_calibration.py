"""How far confidence can be trusted: calibration, sets of labels, intervals of depths.

Belongs here: what is fitted on the calibration split, and how it is scored on others.
Never here: models, splits.

Sets and intervals are split conformal (Vovk et al. 2005; sets after Sadinle, Lei and Wasserman
2019, with the best label always in). Horizons of a profile, and photographs of one, are not
independent: the quantile is that of Lee, Barber and Willett 2023 (Distribution-free inference with
hierarchical data), in which each profile weighs the same and one more, unseen, may be anything.
It promises coverage for profiles that are exchangeable with those of the calibration split. Held
back regions are not quite, so coverage is measured and not taken for granted.
"""

import numpy as np

from training.profile_scores import Profiles

BINS = 15
"""Of confidence, equally wide (Guo et al. 2017, arXiv 1706.04599)."""
_STEPS = 60


def temperature(scores: np.ndarray, truth: np.ndarray, evidence: int | None = None) -> float:
    """What scores are divided by so that their softmax is calibrated (Guo et al. 2017).

    The likelihood is concave in the inverse of the temperature, whose derivative is halved to its
    zero between 0.001 and 1000.

    Args:
        scores: (m, C) logits or cosines.
        truth: (m,) codes, all known.
        evidence: Independent observations k that they are, fewer than m where they come in groups.
            The true code is then sure to (k + 1) / (k + 2) (Platt 1999), so that a few that are all
            right do not make every confidence 1.
    """
    own = np.take_along_axis(scores, truth[:, None], 1)[:, 0]
    if evidence is not None:
        others = (scores.sum(1) - own) / (scores.shape[1] - 1)
        own = (own * (evidence + 1) + others) / (evidence + 2)
    low, high = -np.log(1000), np.log(1000)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        expected = (probabilities(scores, np.exp(-middle)) * scores).sum(1)
        low, high = (low, middle) if expected.mean() > own.mean() else (middle, high)
    return float(np.exp(-(low + high) / 2))


def probabilities(scores: np.ndarray, heat: float) -> np.ndarray:
    """(..., C) scores -> their softmax at a temperature."""
    scaled = scores.astype(np.float64) / heat
    scaled = np.exp(scaled - scaled.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)


def confidence(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What the expected calibration error is made of.

    Args:
        probability: (n, S, C).
        truth: (n, S) codes; -1 is not asked.

    Returns:
        (n, bins, 3): number, sum of confidence in the best label, right ones.
    """
    sure = probability.max(-1)
    right = probability.argmax(-1) == truth
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    within = (place[..., None] == np.arange(BINS)) & (truth >= 0)[..., None]
    parts = [within, within * sure[..., None], within & right[..., None]]
    return np.stack([one.sum(1) for one in parts], axis=2).astype(float)


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """(m, bins, 3) sums -> (m,) |confidence - accuracy|, weighted by number; NaN of none."""
    number = sums[..., 0].sum(1)
    gap = np.abs(sums[..., 1] - sums[..., 2]).sum(1)
    return np.divide(gap, number, out=np.full(len(sums), np.nan), where=number > 0)


def quantile(values: np.ndarray, profile: np.ndarray, level: float) -> float:
    """Conformal quantile of values that come in groups.

    Args:
        values: (m,).
        profile: (m,) name of each value's group.
        level: Coverage wanted, below 1.

    Returns:
        The least value that, with one more group at infinity, a share `level` of the weight does
        not exceed; infinity where there are too few groups for it.
    """
    _, place, members = np.unique(profile, return_inverse=True, return_counts=True)
    order = np.argsort(values, kind="stable")
    weight = 1 / (members[place] * (len(members) + 1))
    reached = np.cumsum(weight[order])
    # The weights are sums of fractions: what is equal on paper differs by rounding.
    enough = np.flatnonzero(reached >= level - 1e-12)
    return float(values[order[enough[0]]]) if len(enough) else np.inf


def label_threshold(
    probability: np.ndarray, truth: np.ndarray, profile: np.ndarray, level: float
) -> float:
    """Least probability of a label that is in the set.

    Args:
        probability: (n, S, C) of the calibration split.
        truth: (n, S) codes; -1 is not asked.
        profile: (n,) name of each photograph's profile.
        level: Coverage wanted.

    Returns:
        0 or less where there are too few profiles: all labels are in.
    """
    asked = truth >= 0
    own = np.take_along_axis(probability, truth.clip(0)[..., None], -1)[..., 0]
    names = np.broadcast_to(np.asarray(profile)[:, None], truth.shape)
    return 1 - quantile(1 - own[asked], names[asked], level)


def label_sets(probability: np.ndarray, threshold: float) -> np.ndarray:
    """(..., C) bool: labels that are likely enough, and always the likeliest."""
    best = np.arange(probability.shape[-1]) == probability.argmax(-1)[..., None]
    return (probability >= threshold) | best


def coverage(sets: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """What coverage and size of sets are made of.

    Args:
        sets: (n, S, C) bool.
        truth: (n, S) codes; -1 is not asked.

    Returns:
        (n, 3): sets with the true label, labels in sets, sets asked.
    """
    asked = truth >= 0
    covered = np.take_along_axis(sets, truth.clip(0)[..., None], -1)[..., 0] & asked
    size = sets.sum(-1) * asked
    return np.stack([covered.sum(1), size.sum(1), asked.sum(1)], axis=1).astype(float)


def boundary_distance(truth: Profiles, guess: Profiles) -> np.ndarray:
    """(n, S) cm from each found boundary to the nearest true one; NaN where none was found.

    Infinite in a profile that has no boundary.
    """
    far = np.abs(guess.lower[:, :, None] - truth.lower[:, None])
    nearest = np.where(truth.boundary[:, None], far, np.inf).min(2)
    return np.where(guess.boundary, nearest, np.nan)


def halfwidth(truth: Profiles, guess: Profiles, profile: np.ndarray, level: float) -> float:
    """Cm up and down from a found boundary within which a true one lies.

    Args:
        truth: True horizons of the calibration split.
        guess: Found ones.
        profile: (n,) name of each photograph's profile.
        level: Coverage wanted.
    """
    far = boundary_distance(truth, guess)
    found = ~np.isnan(far)
    names = np.broadcast_to(np.asarray(profile)[:, None], far.shape)
    return quantile(far[found], names[found], level)


def within(truth: Profiles, guess: Profiles, half: float) -> np.ndarray:
    """(n, 2): found boundaries with a true one within the interval, and found ones."""
    far = boundary_distance(truth, guess)
    return np.stack([(far <= half).sum(1), (~np.isnan(far)).sum(1)], axis=1).astype(float)
