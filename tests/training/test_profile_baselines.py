"""Baselines know what they may know, and find what is planted."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from training import profile_forests
from training.profile_baselines import TOLD, baselines
from training.profile_colours import changes, colours, cut_at, of_segments
from training.profile_constants import Baseline, Codes, Photographs
from training.profile_forms import Guess, Segments, Truth
from training.profile_scores import matched_iou

MOST = 5
CODES = Codes(symbols=4, classes={"humus": 3})
DARK, BROWN, PALE = (60, 50, 40), (140, 100, 60), (200, 180, 150)
PROFILES = 60
HEIGHT = 128


def planted(profiles: int = PROFILES, photographs: int = 1, seed: int = 0) -> Photographs:
    """Dry sites have two horizons, wet ones three; colours go with symbols."""
    draw = np.random.default_rng(seed)
    bounds, symbol, site, pictures = [], [], [], []
    for profile in range(profiles):
        wet = profile % 2
        cuts = [0.3, 0.7] if wet else [0.5]
        cuts = np.round(np.array(cuts) + draw.uniform(-0.1, 0.1, len(cuts)), 2)
        lower = np.ones(MOST)
        lower[: len(cuts)] = cuts
        names = np.full(MOST, -1)
        names[: len(cuts) + 1] = [0, 1, 3] if wet else [0, 2]
        for _ in range(photographs):
            bounds.append(lower)
            symbol.append(names)
            site.append([wet + draw.normal(0, 0.1), np.nan, wet])
            wall = np.zeros((HEIGHT, 16, 3))
            edges = [0, *np.round(cuts * HEIGHT).astype(int), HEIGHT]
            coloured = [DARK, BROWN, PALE] if wet else [DARK, PALE]
            for low, high, colour in zip(edges[:-1], edges[1:], coloured, strict=True):
                wall[low:high] = colour
            pictures.append((wall + draw.normal(0, 4, wall.shape)).clip(0, 255).astype(np.uint8))
    segments, symbol = Segments.of(np.stack(bounds)), np.stack(symbol)
    humus = np.where(symbol >= 0, np.minimum(symbol, 2), -1)
    truth = Truth(segments, symbol, np.where(symbol >= 0, 0.1 * symbol, np.nan), {"humus": humus})
    seen = np.stack(pictures)
    rows = colours(seen, np.ones(seen.shape[:3], bool))
    return Photographs(truth, np.array(site), rows, np.full(len(seen), 1 / photographs))


def agreement(truth: Segments, guess: Segments) -> np.ndarray:
    nothing = np.zeros(truth.bounds.shape, int)
    return matched_iou(truth.named(nothing), guess.named(nothing))


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_forests, "TREES", 6)
        yield


@pytest.fixture(scope="module")
def fitted() -> dict[str, Baseline]:
    return baselines(planted(), CODES, agreement, 0)


@pytest.fixture(scope="module")
def test() -> Photographs:
    return planted(20, seed=1)


def accuracy(guess: Guess, truth: Truth) -> float:
    known = truth.symbol >= 0
    return float((guess.symbol.argmax(-1) == truth.symbol)[known].mean())


def iou(guess: Guess, truth: Truth) -> float:
    return float(agreement(truth.segments, guess.segments).mean())


def test_all_answer_in_the_form_of_the_model(
    fitted: dict[str, Baseline], test: Photographs
) -> None:
    assert set(TOLD) < set(fitted)
    for baseline in fitted.values():
        for guess in (baseline(test), baseline(test, test.truth.segments)):
            assert (np.diff(guess.segments.bounds, axis=1) >= 0).all()
            assert (guess.segments.bounds[:, -1] == 1).all()
            for chances, codes in ((guess.symbol, 4), (guess.classes["humus"], 3)):
                assert chances.shape == (20, MOST, codes)
                assert np.allclose(chances.sum(-1), 1)
                # A code that was never seen is not impossible: else no temperature fits.
                assert (chances > 0).all()
            assert guess.stones.shape == (20, MOST)
            assert np.isfinite(guess.stones).all()
        assert (guess.segments.bounds == test.truth.segments.bounds).all()


def test_none_looks_at_the_truth_but_what_is_told_it(
    fitted: dict[str, Baseline], test: Photographs
) -> None:
    other = dataclasses.replace(test, truth=planted(20, seed=2).truth.take(np.arange(20)[::-1]))
    changed = {
        name
        for name, baseline in fitted.items()
        if not np.array_equal(baseline(test).segments.bounds, baseline(other).segments.bounds)
        or not np.array_equal(baseline(test).symbol, baseline(other).symbol)
    }
    assert changed == set(TOLD)


def test_what_is_planted_is_found_by_who_may_see_it(
    fitted: dict[str, Baseline], test: Photographs
) -> None:
    own = {name: baseline(test) for name, baseline in fitted.items()}
    given = {name: baseline(test, test.truth.segments) for name, baseline in fitted.items()}
    cut = {name: iou(guess, test.truth) for name, guess in own.items()}
    named = {name: accuracy(guess, test.truth) for name, guess in given.items()}
    assert cut["image alone"] > 0.95
    assert cut["constant profile"] < cut["site alone"] < cut["image alone"]
    assert cut["constant profile"] < cut["constant profile, count told"]
    assert cut["majority"] == cut["constant profile"]
    assert named["majority"] < named["constant profile"]
    assert named["site alone"] > 0.95
    assert named["image alone"] > 0.95
    stones = np.where(test.truth.symbol >= 0, 0.1 * test.truth.symbol, np.nan)
    assert np.nanmax(np.abs(given["image alone"].stones - stones)) < 0.1


def test_a_sequence_is_named_from_the_surface_down(
    fitted: dict[str, Baseline], test: Photographs
) -> None:
    sequence = fitted["most frequent sequence"](test).symbol.argmax(-1)[0].tolist()
    assert sequence in ([0, 1, 3, 3, 3], [0, 2, 2, 2, 2])


def test_a_profile_weighs_the_same_however_often_it_is_photographed() -> None:
    # Two thirds of the profiles are dry, and each wet one has five photographs.
    once = planted(60)
    wet = once.truth.segments.count == 3
    kept = np.r_[np.flatnonzero(~wet), np.flatnonzero(wet)[:15]]
    many = np.r_[np.flatnonzero(~wet), np.repeat(np.flatnonzero(wet)[:15], 5)]
    weight = np.where(wet[many], 0.2, 1.0)
    repeated = dataclasses.replace(once.take(many), weight=weight)
    found = [
        baselines(train, CODES, agreement, 0)["most frequent sequence"](once).symbol.argmax(-1)[0]
        for train in (once.take(kept), repeated)
    ]
    assert found[0].tolist() == found[1].tolist() == [0, 2, 2, 2, 2]


def test_boundaries_are_where_the_colour_changes() -> None:
    wall = np.zeros((2, 100, 10, 3), np.uint8)
    wall[0] = PALE
    wall[0, :40] = DARK
    wall[1] = BROWN
    soil = np.ones(wall.shape[:3], bool)
    found = cut_at(changes(colours(wall, soil)), 0.1, MOST)
    assert found.bounds[0, :2].tolist() == [0.4, 1.0]
    assert found.count.tolist() == [2, 1]


def test_colours_are_those_of_the_soil_alone() -> None:
    wall = np.full((1, 20, 10, 3), 255, np.uint8)
    soil = np.zeros((1, 20, 10), bool)
    wall[0, :, 5:] = DARK
    soil[0, :10, 5:] = True
    segments = Segments.of(np.array([[0.25, 0.5, 1.0]]))
    seen = of_segments(colours(wall, soil), segments)[0]
    assert seen[0, :3] * 255 == pytest.approx(DARK, abs=0.01)
    assert seen[1, :3] * 255 == pytest.approx(DARK, abs=0.01)
    assert np.isnan(seen[2, :3]).all()
    assert seen[0, 3:7] == pytest.approx(0, abs=1e-3)
