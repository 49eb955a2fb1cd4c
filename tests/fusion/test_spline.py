"""The mass-preserving spline obeys its own definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import FusionError
from fusion.spline import mass_preserving_spline


@st.composite
def profiles(draw, gaps=True):
    """One profile: tops and bottoms in whole cm, and values."""
    n = draw(st.integers(1, 8))
    thickness = draw(st.lists(st.integers(1, 60), min_size=n, max_size=n))
    gap = draw(st.lists(st.integers(0, 30 if gaps else 0), min_size=n, max_size=n))
    value = draw(st.lists(st.floats(1, 900), min_size=n, max_size=n))
    bottom = np.cumsum(np.add(thickness, gap))
    return bottom - thickness, bottom, np.array(value)


def layers_of(top, bottom):
    return sorted({0.0, *top.astype(float), *bottom.astype(float)})


@given(profiles())
@settings(max_examples=60, deadline=None)
def test_without_smoothing_every_horizon_keeps_its_mass(drawn):
    top, bottom, value = drawn
    limits = layers_of(top, bottom)
    means = mass_preserving_spline(
        np.zeros(len(top)), top, bottom, value, limits, 0.0, -1e12, 1e12, "exact"
    )[0]
    found = [means[limits.index(t)] for t in top]
    np.testing.assert_allclose(found, value, rtol=1e-9, atol=1e-9 * np.abs(value).max())


@given(profiles(), st.floats(0.01, 10))
@settings(max_examples=60, deadline=None)
def test_smoothing_moves_mass_between_horizons_and_loses_none(drawn, lam):
    """The normal equations sum to zero: sum of residuals is zero over the horizons."""
    top, bottom, value = drawn
    limits = layers_of(top, bottom)
    means = mass_preserving_spline(
        np.zeros(len(top)), top, bottom, value, limits, lam, -1e12, 1e12, "exact"
    )[0]
    found = np.array([means[limits.index(t)] for t in top])
    np.testing.assert_allclose((found - value).sum(), 0, atol=1e-8 * np.abs(value).sum())


@given(profiles(gaps=False), st.floats(1, 900), st.sampled_from(["centimetre", "exact"]))
@settings(max_examples=40, deadline=None)
def test_a_constant_is_reproduced(drawn, constant, average):
    top, bottom, value = drawn
    means = mass_preserving_spline(
        np.zeros(len(top)), top, bottom, np.full_like(value, constant), average=average
    )[0]
    limits = np.array([0, 5, 15, 30, 60, 100])
    reached = limits < bottom[-1]
    np.testing.assert_allclose(means[reached], constant, rtol=1e-9)
    assert np.isnan(means[~reached]).all()


@given(st.lists(profiles(), min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_horizons_and_company_of_other_profiles_change_nothing(drawn, random):
    name = np.concatenate([np.full(len(p[0]), f"P{i}") for i, p in enumerate(drawn)])
    top, bottom, value = (np.concatenate([p[k] for p in drawn]) for k in range(3))
    order = list(range(len(name)))
    random.shuffle(order)
    together = mass_preserving_spline(name[order], top[order], bottom[order], value[order])
    for i, (t, b, v) in enumerate(drawn):
        alone = mass_preserving_spline(np.zeros(len(t)), t, b, v)[0]
        np.testing.assert_array_equal(together[i], alone)


def bending(curve, top, bottom, value, lam):
    """The functional of Bishop et al. (1999), for a curve given on a fine grid."""
    x, y = curve
    means = [y[(x > t) & (x < b)].mean() for t, b in zip(top, bottom, strict=True)]
    slope = np.diff(y) / np.diff(x)
    return np.mean((value - means) ** 2) + lam * np.sum(slope**2 * np.diff(x))


def test_no_other_curve_has_a_smaller_functional():
    top, bottom = np.array([0.0, 10, 40]), np.array([10.0, 30, 80])
    value, lam = np.array([30.0, 12, 20]), 0.5
    limits = np.linspace(0, 80, 801)
    best = mass_preserving_spline(np.zeros(3), top, bottom, value, limits, lam, -1e9, 1e9, "exact")[
        0
    ]
    x = (limits[:-1] + limits[1:]) / 2
    least = bending((x, best), top, bottom, value, lam)
    rng = np.random.default_rng(1)
    for scale in (0.01, 0.1, 1.0):
        for _ in range(20):
            wave = rng.normal() * np.cos(np.pi * rng.integers(0, 6) * x / 80)
            assert bending((x, best + scale * wave), top, bottom, value, lam) >= least * (1 - 1e-6)


def test_a_layer_is_the_mean_of_the_part_that_was_observed():
    means = mass_preserving_spline([7], [10], [20], [3.5])[0]
    np.testing.assert_array_equal(means, [np.nan, 3.5, 3.5, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("top", "bottom", "value"),
    [
        ([0, 10, 20], [10, 20, 20], [1, 2, 3]),  # no thickness
        ([0, 10, 30], [10, 20, 25], [1, 2, 3]),  # inverted
        ([0, 10, -5], [10, 20, 0], [1, 2, 3]),  # above the surface
        ([0, 10, np.nan], [10, 20, 30], [1, 2, 3]),
        ([0, 10, 20], [10, 20, 30], [1, 2, np.nan]),
    ],
)
def test_a_horizon_with_a_fault_does_not_enter(top, bottom, value):
    with_fault = mass_preserving_spline([1, 1, 1], top, bottom, value)
    without = mass_preserving_spline([1, 1], top[:2], bottom[:2], value[:2])
    np.testing.assert_array_equal(with_fault, without)


def test_overlap_and_absence_are_nan_and_keep_their_row():
    means = mass_preserving_spline(
        ["a", "a", "b", "c"], [0, 5, 0, 0], [10, 20, 10, 10], [1, 2, np.nan, 4]
    )
    assert np.isnan(means[:2]).all()
    np.testing.assert_array_equal(means[2, :2], [4, 4])


def test_values_stay_within_their_limits():
    top, bottom, value = [0, 5, 10], [5, 10, 60], [100, 0.5, 0]
    free = mass_preserving_spline([0] * 3, top, bottom, value, lam=0.0, low=-1e9, high=1e9)
    limited = mass_preserving_spline([0] * 3, top, bottom, value, lam=0.0, high=100.0)
    assert np.nanmin(free) < 0
    assert np.nanmin(limited) >= 0
    assert np.nanmax(limited) <= 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"bottom": [10, 20]},
        {"depths": (0, 30, 20)},
        {"depths": (-5, 10)},
        {"depths": (0, 2.5, 10)},
        {"lam": -1.0},
        {"low": 5.0, "high": 1.0},
        {"average": "median"},
    ],
)
def test_nonsense_is_refused(wrong):
    right = {"profile": [1], "top": [0], "bottom": [10], "value": [2.0]}
    with pytest.raises(FusionError):
        mass_preserving_spline(**{**right, **wrong})
