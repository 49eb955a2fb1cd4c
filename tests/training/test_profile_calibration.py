"""Calibration, conformal sets and intervals: by hand, and that they cover what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import profile_calibration as calibration
from training.profile_scores import profiles


def drawn(seed: int, groups: int, classes: int = 5, heat: float = 1.0) -> tuple:
    """Scores (n, S, C), codes (n, S) drawn from their softmax, and names of profiles."""
    draw = np.random.default_rng(seed)
    # What one profile is hard at, its horizons are hard at together.
    logits = 2 * draw.normal(size=(groups, 4, classes)) * draw.gamma(1, 1, (groups, 1, 1))
    probability = calibration.probabilities(logits, 1.0)
    truth = (probability.cumsum(-1) > draw.random((groups, 4, 1))).argmax(-1)
    truth[draw.random(truth.shape) < 0.2] = -1
    return logits * heat, truth, np.arange(groups)


def test_temperature_is_found_again() -> None:
    for heat in (0.2, 1.0, 7.0):
        logits, truth, _ = drawn(1, 4000, heat=heat)
        asked = truth >= 0
        found = calibration.temperature(logits[asked], truth[asked])
        assert found == pytest.approx(heat, rel=0.05)


def test_temperature_is_the_best() -> None:
    logits, truth, _ = drawn(2, 50)
    rows, codes = logits[truth >= 0], truth[truth >= 0]

    def loss(heat: float) -> float:
        probability = calibration.probabilities(rows, heat)
        return -np.log(np.take_along_axis(probability, codes[:, None], 1)).mean()

    best = calibration.temperature(rows, codes)
    assert loss(best) <= min(loss(best * 1.01), loss(best / 1.01), loss(1.0))


def test_calibration_error_by_hand() -> None:
    """Three of confidence 0.9, two right; two of 0.4, one right; one not asked."""
    probability = np.array([[[0.9, 0.1, 0], [0.9, 0.1, 0], [0.9, 0.1, 0]], [[0.4, 0.3, 0.3]] * 3])
    truth = np.array([[0, 0, 1], [0, 1, -1]])
    sums = calibration.confidence(probability, truth).sum(0, keepdims=True)
    assert calibration.calibration_error(sums)[0] == pytest.approx((0.7 + 0.2) / 5)
    assert np.isnan(calibration.calibration_error(np.zeros((1, calibration.BINS, 3)))[0])


def test_certain_and_right_is_calibrated() -> None:
    probability, truth = np.eye(3)[None], np.array([[0, 1, 2]])
    sums = calibration.confidence(probability, truth)
    assert calibration.calibration_error(sums)[0] == 0


def test_calibrated_scores_have_a_small_error_and_sharpened_ones_a_large_one() -> None:
    logits, truth, _ = drawn(3, 4000)
    errors = []
    for heat in (1.0, 0.3):
        sums = calibration.confidence(calibration.probabilities(logits, heat), truth)
        errors.append(calibration.calibration_error(sums.sum(0, keepdims=True))[0])
    assert errors[0] < 0.03
    assert errors[1] > 0.1


def test_quantile_by_hand() -> None:
    """Four groups: with one more, each weighs a fifth; the first has two members."""
    values = np.array([1.0, 9.0, 2.0, 3.0, 4.0])
    groups = np.array(["a", "a", "b", "c", "d"])
    assert calibration.quantile(values, groups, 0.1) == 1
    assert calibration.quantile(values, groups, 0.3) == 2
    assert calibration.quantile(values, groups, 0.7) == 4
    assert calibration.quantile(values, groups, 0.8) == 9
    assert calibration.quantile(values, groups, 0.81) == math.inf


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_of_single_values_it_is_the_usual_quantile(count: int, level: float, seed: int) -> None:
    values = np.random.default_rng(seed).random(count)
    rank = math.ceil(level * (count + 1) - 1e-9)
    usual = np.sort(values)[rank - 1] if rank <= count else math.inf
    assert calibration.quantile(values, np.arange(count), level) == usual


def test_sets_cover_what_they_promise_though_horizons_depend_on_each_other() -> None:
    """Mean over many calibration sets, each of few profiles: the promise is for the mean."""
    covered = []
    for seed in range(150):
        logits, truth, names = drawn(seed, 60, heat=3.0)
        probability = calibration.probabilities(logits, 1.0)
        old, new = slice(0, 40), slice(40, 60)
        threshold = calibration.label_threshold(probability[old], truth[old], names[old], 0.8)
        parts = calibration.coverage(
            calibration.label_sets(probability[new], threshold), truth[new]
        )
        own = parts[parts[:, 2] > 0]
        covered.append((own[:, 0] / own[:, 2]).mean())
    assert 0.78 < np.mean(covered) < 0.88


def test_sets_by_hand() -> None:
    probability = np.array([[[0.6, 0.3, 0.1], [0.34, 0.33, 0.33]]])
    sets = calibration.label_sets(probability, 0.4)
    assert sets[0].tolist() == [[True, False, False], [True, False, False]]  # never empty
    assert calibration.label_sets(probability, -math.inf).all()
    parts = calibration.coverage(calibration.label_sets(probability, 0.3), np.array([[1, -1]]))
    assert parts[0].tolist() == [1, 2, 1]


def test_too_few_profiles_have_all_labels_in() -> None:
    logits, truth, names = drawn(4, 5)
    probability = calibration.probabilities(logits, 1.0)
    threshold = calibration.label_threshold(probability, truth, names, 0.9)
    assert calibration.label_sets(probability, threshold).all()


def test_more_coverage_never_makes_sets_smaller() -> None:
    logits, truth, names = drawn(5, 50)
    probability = calibration.probabilities(logits, 1.0)
    sizes = [
        calibration.label_sets(
            probability, calibration.label_threshold(probability, truth, names, level)
        ).sum()
        for level in (0.5, 0.7, 0.9, 0.99)
    ]
    assert sizes == sorted(sizes)


def test_depth_intervals_by_hand() -> None:
    symbol = np.zeros((3, 4), int)
    truth = profiles(np.array([[0.2, 0.5, 1, 1], [0.3, 1, 1, 1], [1, 1, 1, 1]]), symbol)
    guess = profiles(np.array([[0.21, 0.44, 0.8, 1], [1, 1, 1, 1], [1, 1, 1, 1]]), symbol)
    far = calibration.boundary_distance(truth, guess)
    assert far[0, :3].tolist() == pytest.approx([1, 6, 30])
    assert np.isnan(far[1:]).all()
    assert calibration.within(truth, guess, 6.001).tolist() == [[2, 3], [0, 0], [0, 0]]
    one = profiles(np.array([[0.5, 1, 1, 1]] * 3), symbol)
    assert calibration.boundary_distance(truth, one)[2, 0] == math.inf


def test_halfwidth_covers_new_profiles() -> None:
    draw = np.random.default_rng(6)

    def some(count: int) -> tuple:
        true = np.sort(draw.uniform(0.05, 0.95, (count, 3)), axis=1)
        found = np.sort(true + draw.normal(0, 0.03, true.shape), axis=1).clip(0.01, 0.99)
        end = np.ones((count, 1))
        symbol = np.zeros((count, 4), int)
        return tuple(profiles(np.hstack([x, end]), symbol) for x in (true, found))

    truth, guess = some(500)
    half = calibration.halfwidth(truth, guess, np.arange(500), 0.9)
    parts = calibration.within(*some(2000), half).sum(0)
    assert 0.87 < parts[0] / parts[1] < 0.93
