import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, example, given, settings

from adapters.errors import FusionError
from fusion.sphere import EARTH_RADIUS_M, unit_vectors
from fusion.tiles.splits import GUARD_M, SPLITS, tile_splits


def distances_m(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By the chord, from first principles: not by the trees that the splits use."""
    one, other = unit_vectors(*a.T), unit_vectors(*b.T)
    chord = np.linalg.norm(one[:, None] - other[None], axis=2)
    return 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(chord / 2, 1))


def places(seed: int, count: int, spread: float) -> np.ndarray:
    """Places about one corner, and a few of the other side of the date line and the pole."""
    draw = np.random.default_rng(seed)
    centre = draw.choice([[10.0, 50.0], [179.9, -16.0], [-60.0, 89.0], [0.0, 0.0]])
    made = centre + draw.uniform(-spread, spread, (count, 2))
    return np.column_stack([(made[:, 0] + 180) % 360 - 180, made[:, 1].clip(-90, 90)])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(20, 150),
    spread=st.sampled_from([0.3, 1.5, 6.0]),
    guard=st.sampled_from([5_000.0, 10_000.0, 60_000.0]),
    evaluated=st.integers(0, 5),
)
@example(seed=1, count=150, spread=1.5, guard=60_000.0, evaluated=3)
def test_tiles_of_different_splits_are_never_nearer_than_the_guard(
    seed: int, count: int, spread: float, guard: float, evaluated: int
) -> None:
    tiles, avoided = places(seed, count, spread), places(seed + 1, evaluated, spread)
    try:
        found = tile_splits(*tiles.T, evaluation=avoided, guard_m=guard)
    except FusionError:  # the guard took all; `assume` has hypothesis say so if it were the rule
        assume(False)
    split = found["split"].to_numpy()
    for side in SPLITS:
        mine, others = split == side, np.isin(split, SPLITS) & (split != side)
        if mine.any() and others.any():
            assert distances_m(tiles[mine], tiles[others]).min() > guard
        if mine.any() and evaluated:
            assert distances_m(tiles[mine], avoided).min() > guard
    assert (
        found.filter(split != "guard").group_by("block").agg(found["split"].unique().len()).height
    )
    blocks = found.filter(found["split"] != "guard").unique()
    assert not blocks["block"].is_duplicated().any(), "a block stands on one side"


def test_without_a_guard_neighbours_would_stand_on_both_sides() -> None:
    """The guard has work to do in the places above: the law is not true by luck."""
    tiles = places(1, 150, 1.5)
    found = tile_splits(*tiles.T, guard_m=60_000.0)
    assert (found["split"] == "guard").sum() > 0
    assert {"train", "test"} <= set(found["split"])


def test_only_tiles_near_something_are_set_aside() -> None:
    tiles = places(3, 120, 6.0)
    split = tile_splits(*tiles.T)["split"].to_numpy()
    for row in np.flatnonzero(split == "guard"):
        others = np.flatnonzero(np.isin(split, ("validation", "test")))
        assert distances_m(tiles[[row]], tiles[others]).min() <= GUARD_M


def test_revisits_of_a_place_stay_together_and_the_order_does_not_matter() -> None:
    tiles = np.repeat(places(5, 60, 6.0), 2, axis=0)
    found = tile_splits(*tiles.T)
    assert (found["split"].to_numpy()[::2] == found["split"].to_numpy()[1::2]).all()
    order = np.random.default_rng(0).permutation(len(tiles))
    again = tile_splits(*tiles[order].T)
    assert again.equals(found[order])


def test_a_guard_under_which_tiles_overlap_is_refused() -> None:
    with pytest.raises(FusionError, match="can overlap"):
        tile_splits(np.array([10.0]), np.array([50.0]), guard_m=1_500.0)


def test_a_place_without_a_number_is_refused() -> None:
    with pytest.raises(FusionError, match="not finite"):
        tile_splits(np.array([10.0, np.nan]), np.array([50.0, 51.0]))


def test_no_training_tile_left_is_refused() -> None:
    with pytest.raises(FusionError, match="no tile is left"):
        tile_splits(np.array([10.0]), np.array([50.0]), evaluation=np.array([[10.01, 50.0]]))
