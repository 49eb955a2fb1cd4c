"""Scores of described profiles, by hand and by law."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from training import profile_measures as measures
from training import profile_scores as scores
from training.profile_measures import Measure, better, original
from training.profile_scores import Profiles, profiles

S = 8
SIMILARITY = np.array(
    [[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0.442], [0, 0, 0.442, 1]]
)  # Ap, Ah, Bv, Sw-Bv of main symbols A, A, B, B
MAIN = np.array([0, 0, 1, 1])


def made(*rows: list[tuple[float, int]]) -> Profiles:
    """One profile a row: (lower bound in cm, code) of each horizon."""
    bounds, symbol = np.ones((len(rows), S)), np.full((len(rows), S), -1)
    for n, row in enumerate(rows):
        for k, (lower, code) in enumerate(row):
            bounds[n, k], symbol[n, k] = lower / 100, code
    return profiles(bounds, symbol)


@st.composite
def one_profile(draw: st.DrawFn, labels: bool = True) -> list[tuple[float, int]]:
    cuts = draw(st.lists(st.integers(1, 99), max_size=S - 1, unique=True))
    code = st.integers(0, 3) if labels else st.integers(-1, 3)
    return [(cut, draw(code)) for cut in [*sorted(cuts), 100]]


PAIRS = st.lists(st.tuples(one_profile(), one_profile(False)), min_size=1, max_size=4)
fast = settings(max_examples=30, deadline=None)


def values(found: dict[str, Measure]) -> dict[str, float]:
    return {name: measure.value for name, measure in found.items()}


# What a profile is.


def test_profiles_end_at_the_first_full_depth() -> None:
    bounds = np.array([[0.2, 0.9999999, 0.5, 1], [0.1, 0.2, 0.3, 0.4]], np.float32)
    found = profiles(bounds, np.zeros((2, 4), int))
    assert found.count.tolist() == [2, 4]
    assert found.lower[0].tolist() == pytest.approx([20, 100, 100, 100])
    assert found.lower[1, -1] == 100  # an end that was not found is the end
    assert found.there.sum(1).tolist() == [2, 4]
    assert found.boundary.sum(1).tolist() == [1, 3]


# Bounds.


def test_same_index_iou_by_hand() -> None:
    """True 20/50/100; found 20/60/80/100: 1, 30/40, 20/50 over the first three."""
    truth = made([(20, 0), (50, 1), (100, 2)])
    guess = made([(20, 0), (60, 1), (80, 1), (100, 2)])
    assert scores.same_index_iou(truth, guess)[0] == pytest.approx((1 + 30 / 40 + 20 / 50) / 3)


def test_same_index_iou_lets_too_many_horizons_be_free() -> None:
    truth = made([(20, 0), (100, 2)])
    cut = made([(20, 0), (100, 2)], [(20, 0), (99.9, 2), (99.95, 2), (100, 2)])
    own = scores.same_index_iou(made(*[[(20, 0), (100, 2)]] * 2), cut)
    assert own.tolist() == pytest.approx([1, 1], abs=2e-3)
    matched = scores.matched_iou(made(*[[(20, 0), (100, 2)]] * 2), cut)
    assert matched.tolist() == pytest.approx([1, 0.5], abs=2e-3)
    assert scores.matched_iou(truth, truth)[0] == 1


def test_one_missed_boundary_spoils_the_rest_only_by_number() -> None:
    truth = made([(10, 0), (40, 1), (70, 2), (100, 3)])
    guess = made([(40, 1), (70, 2), (100, 3)])
    assert scores.same_index_iou(truth, guess)[0] == pytest.approx((10 / 40 + 0 + 0 + 0) / 4)
    assert scores.matched_iou(truth, guess)[0] == pytest.approx((30 / 40 + 1 + 1) / 4)
    assert scores.partners(truth, guess)[0].tolist() == [-1, 0, 1, 2, -1, -1, -1, -1]


def test_boundaries_by_hand() -> None:
    truth = made([(20, 0), (50, 1), (100, 2)])
    guess = made([(19, 0), (21.5, 0), (46, 1), (100, 2)])
    # 19 and 21.5 are both near 20, which only one of them may find.
    assert scores.boundaries(truth, guess, 2)[0].tolist() == [1, 3, 2]
    assert scores.boundaries(truth, guess, 5)[0].tolist() == [2, 3, 2]
    found = values(better(truth, guess, SIMILARITY, MAIN))
    assert found["boundary precision within 5 cm"] == pytest.approx(2 / 3)
    assert found["boundary recall within 5 cm"] == 1
    assert found["boundary F1 within 5 cm"] == pytest.approx(0.8)


def test_a_boundary_at_the_tolerance_is_found_in_float32_too() -> None:
    bounds = np.array([[0.27, 1.0]], np.float32)
    near = profiles(bounds, np.zeros((1, 2), int))
    assert scores.boundaries(made([(25, 0), (100, 0)]), near, 2)[0, 0] == 1
    assert scores.boundaries(made([(24.99, 0), (100, 0)]), near, 2)[0, 0] == 0


def test_where_there_is_no_boundary_nothing_is_said() -> None:
    whole = made([(100, 0)])
    found = values(better(whole, whole, SIMILARITY, MAIN))
    for kind in ("precision", "recall", "F1"):
        assert np.isnan(found[f"boundary {kind} within 2 cm"])
    cut = values(better(whole, made([(50, 0), (100, 0)]), SIMILARITY, MAIN))
    assert cut["boundary F1 within 2 cm"] == 0
    assert np.isnan(cut["boundary recall within 2 cm"])


def test_counts_by_hand() -> None:
    truth = made([(20, 0), (100, 1)], [(100, 0)], [(10, 0), (100, 1)])
    guess = made([(100, 0)], [(30, 0), (60, 0), (100, 0)], [(20, 0), (100, 1)])
    found = values(better(truth, guess, SIMILARITY, MAIN))
    assert found["error of the number of horizons"] == pytest.approx(1)
    assert found["surplus horizons"] == pytest.approx(1 / 3)
    assert found["right number of horizons"] == pytest.approx(1 / 3)


# Matching.


@fast
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_the_match_is_the_best_of_all(seed: int, height: int, width: int) -> None:
    gain = np.random.default_rng(seed).integers(0, 4, (3, height, width)).astype(float)
    best, partner = scores.in_order(gain)
    for row in range(3):
        most = 0.0
        for size in range(min(height, width) + 1):
            for rows in itertools.combinations(range(height), size):
                for columns in itertools.combinations(range(width), size):
                    most = max(
                        most, sum(gain[row, s, t] for s, t in zip(rows, columns, strict=True))
                    )
        assert best[row] == most
        chosen = partner[row][partner[row] >= 0]
        assert (np.diff(chosen) > 0).all()  # one to one, in order
        pairs = [(s, t) for s, t in enumerate(partner[row]) if t >= 0]
        assert sum(gain[row, s, t] for s, t in pairs) == most
        assert all(gain[row, s, t] > 0 for s, t in pairs)


# Laws.


@fast
@given(PAIRS)
def test_laws_of_intervals(pairs: list) -> None:
    truth, guess = made(*[a for a, _ in pairs]), made(*[b for _, b in pairs])
    forth, back = scores.matched_iou(truth, guess), scores.matched_iou(guess, truth)
    assert np.allclose(forth, back)
    low = np.minimum(truth.count, guess.count) / np.maximum(truth.count, guess.count)
    assert (forth <= low + 1e-12).all()
    assert (forth > 0).all()
    assert np.allclose(scores.matched_iou(truth, truth), 1)
    assert np.allclose(scores.same_index_iou(truth, truth), 1)
    same = (truth.count == guess.count) & (truth.lower == guess.lower).all(1)
    assert ((forth > 1 - 1e-9) == same).all()
    for tolerance in (2, 5):
        parts = scores.boundaries(truth, guess, tolerance)
        assert np.array_equal(parts[:, [0, 2, 1]], scores.boundaries(guess, truth, tolerance))
        assert (parts[:, 0] <= parts[:, 1:].min(1)).all()
        own = scores.boundaries(truth, truth, tolerance)
        assert (own == own[:, :1]).all()
    assert (
        scores.boundaries(truth, guess, 2)[:, 0] <= scores.boundaries(truth, guess, 5)[:, 0]
    ).all()


@fast
@given(one_profile(), one_profile(), st.integers(1, 99))
def test_over_segmentation_never_helps(true: list, found: list, cut: int) -> None:
    """A cut where no true boundary is near costs precision and gains nothing.

    A profile that is cut where the truth is whole loses, however good it was.
    """
    if len(found) >= S or cut in [lower for lower, _ in found]:
        return
    place = sum(lower < cut for lower, _ in found)
    more = [*found[:place], (cut, found[place][1]), *found[place:]]
    truth, before, after = made(true), made(found), made(more)
    if all(abs(cut - lower) > 5 for lower, _ in true[:-1]):
        old, new = scores.boundaries(truth, before, 5)[0], scores.boundaries(truth, after, 5)[0]
        assert new.tolist() == [old[0], old[1] + 1, old[2]]
        for score in measures.BOUNDARY.values():
            first, then = score(old[None])[0], score(new[None])[0]
            assert np.isnan(first) or then <= first
    whole = made(found)
    assert scores.matched_iou(whole, after)[0] < scores.matched_iou(whole, whole)[0]
    assert scores.matched_iou(whole, after)[0] <= len(found) / (len(found) + 1)
    own = better(whole, after, SIMILARITY, MAIN)
    for name in ("panoptic quality of labels", "right number of horizons"):
        assert own[name].value < 1
    assert own["accuracy by depth"].value == pytest.approx(1)  # the labels are those of before


@fast
@given(PAIRS)
def test_a_perfect_description_has_perfect_scores(pairs: list) -> None:
    truth = made(*[a for a, _ in pairs])
    perfect = np.eye(4)[truth.symbol.clip(0)]
    found = original(truth, truth, perfect, MAIN)
    occurring = np.unique(truth.known[truth.known >= 0])
    for name, value in values(found).items():
        over_all = name.split("@")[0] in ("F1", "precision", "recall")
        assert value == pytest.approx(len(occurring) / 4 if over_all else 1), name
    for name, measure in better(truth, truth, SIMILARITY, MAIN).items():
        if not np.isnan(measure.value):
            right = "error" not in name and "surplus" not in name and "distance" not in name
            assert measure.value == pytest.approx(float(right)), name


@fast
@given(PAIRS, st.permutations(range(4)), st.randoms(use_true_random=False))
def test_scores_know_neither_the_order_of_profiles_nor_of_labels(
    pairs: list, turn: list[int], random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    turned = np.array(turn)

    def scored(given_pairs: list, codes: np.ndarray) -> dict[str, float]:
        def renamed(rows: list) -> Profiles:
            one = made(*rows)
            return Profiles(one.lower, one.count, scores.wider(one.symbol, codes))

        truth, guess = renamed([a for a, _ in given_pairs]), renamed([b for _, b in given_pairs])
        similarity, main = np.empty((4, 4)), np.empty(4, int)
        similarity[np.ix_(codes, codes)] = SIMILARITY
        main[codes] = MAIN
        return values(better(truth, guess, similarity, main))

    assert scored(pairs, np.arange(4)) == pytest.approx(scored(shuffled, turned), nan_ok=True)


@fast
@given(PAIRS)
def test_bounds_of_all_scores(pairs: list) -> None:
    truth, guess = made(*[a for a, _ in pairs]), made(*[b for _, b in pairs])
    made_up = np.random.default_rng(len(pairs)).random((len(pairs), S, 4))
    found = original(truth, guess, made_up, MAIN) | better(truth, guess, SIMILARITY, MAIN)
    for name, measure in found.items():
        if "horizons" not in name and not np.isnan(measure.value):
            assert -1e-12 <= measure.value <= 1 + 1e-12, name
        assert len(measure.parts) == len(measure.counts) == len(pairs)
    assert (
        found["matched accuracy of labels"].value <= found["matched accuracy of main symbols"].value
    )
    assert found["accuracy"].value <= found["accuracy@5"].value


# Labels.


@fast
@given(st.integers(0, 2**32 - 1))
def test_the_authors_scores_are_those_of_the_library_they_used(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = made(*[[(10, a), (40, b), (100, c)] for a, b, c in draw.integers(0, 4, (5, 3))])
    scored = draw.random((5, S, 6))
    found = values(original(truth, truth, scored, np.array([0, 0, 1, 1, 2, 2])))
    asked = truth.there
    true, guess = truth.known[asked], scored.argmax(-1)[asked]
    options = {"labels": range(6), "average": "macro", "zero_division": 0}
    assert found["F1"] == pytest.approx(f1_score(true, guess, **options))
    assert found["precision"] == pytest.approx(precision_score(true, guess, **options))
    assert found["recall"] == pytest.approx(recall_score(true, guess, **options))
    assert found["accuracy"] == pytest.approx((true == guess).mean())
    first = np.argsort(-scored, axis=-1)[..., :5][asked]
    at5 = np.where((first == true[:, None]).any(1), true, guess)
    assert found["precision@5"] == pytest.approx(precision_score(true, at5, **options))
    assert found["recall@5"] == pytest.approx(recall_score(true, at5, **options))
    assert found["accuracy of main symbols"] == pytest.approx((true // 2 == guess // 2).mean())


def test_means_over_classes_that_occur() -> None:
    """Class 0: 2 of 3 found; class 1: none of 1; class 2 never occurs and is guessed once."""
    truth = np.array([[0, 0, 0, 1, -1]])
    guess = np.array([[0, 0, 2, 0, 3]])
    sums = scores.tallies(truth, guess, 4)
    assert sums[0].tolist() == [[2, 3, 3], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    over = measures.over_occurring
    assert over(measures.recall)(sums)[0] == pytest.approx((2 / 3 + 0) / 2)
    assert over(measures.precision)(sums)[0] == pytest.approx((2 / 3 + 0) / 2)
    assert over(measures.f1)(sums)[0] == pytest.approx((4 / 6 + 0) / 2)
    assert measures.over_all(measures.recall)(sums)[0] == pytest.approx((2 / 3) / 4)
    rare = np.array([False, True, True, True])
    assert over(measures.recall, rare)(sums)[0] == 0
    assert np.isnan(over(measures.recall, np.array([False, False, True, True]))(sums)[0])


def test_a_horizon_without_partner_has_a_wrong_label() -> None:
    truth, guess = made([(30, 2), (60, 1), (100, 2)]), made([(100, 2)])
    assert scores.label_of_partner(truth, guess)[0, :3].tolist() == [-1, -1, 2]
    found = better(truth, guess, SIMILARITY, MAIN)
    assert found["matched accuracy of labels"].value == pytest.approx(1 / 3)
    assert found["hierarchical distance"].value == pytest.approx(2 / 3)
    assert found["accuracy by depth"].value == pytest.approx(0.7)
    assert found["similarity by depth"].value == pytest.approx(0.7)


def test_hierarchical_distance_by_hand() -> None:
    truth = np.array([[0, 0, 2, 3, -1]])
    guess = np.array([[0, 1, 3, -1, 0]])
    far = scores.distances(truth, guess, SIMILARITY)
    assert far[0].tolist() == pytest.approx([0 + 0.5 + (1 - 0.442) + 1, 4, 3])


def test_unknown_labels_are_not_asked() -> None:
    truth = made([(40, -1), (100, 2)])
    guess = made([(40, 0), (100, 2)])
    found = values(better(truth, guess, SIMILARITY, MAIN))
    assert found["matched accuracy of labels"] == 1
    assert found["accuracy by depth"] == 1
    assert found["panoptic quality of labels"] == 1
    assert found["matched IoU"] == 1


# Panoptic quality.


def test_panoptic_quality_by_hand() -> None:
    """Label 0: right, IoU 20/25. Label 1: one missed. Label 2: right, IoU 50/55, one too many."""
    truth = made([(20, 0), (50, 1), (100, 2)])
    guess = made([(25, 0), (45, 2), (100, 2)])
    parts = scores.panoptic(truth, guess, 4)[0]
    assert parts[0].tolist() == pytest.approx([0.8, 1, 0, 0])
    assert parts[1].tolist() == pytest.approx([0, 0, 0, 1])
    assert parts[2].tolist() == pytest.approx([50 / 55, 1, 1, 0])
    assert parts[3].tolist() == [0, 0, 0, 0]
    quality = (0.8 + 0 + (50 / 55) / 1.5) / 3
    assert better(truth, guess, SIMILARITY, MAIN)["panoptic quality of labels"].value == (
        pytest.approx(quality)
    )


def test_half_an_overlap_is_no_panoptic_match() -> None:
    truth, guess = made([(50, 0), (100, 1)]), made([(100, 0)])
    assert scores.panoptic(truth, guess, 2)[0].tolist() == [[0, 0, 1, 1], [0, 0, 0, 1]]


# Ordered codes.


def test_steps_by_hand() -> None:
    truth, guess = np.array([[0, 3, 2, -1]]), np.array([[0, 1, 3, 5]])
    assert scores.steps(truth, guess)[0].tolist() == [3, 1, 2, 3]


def test_scores_are_of_the_set_and_not_means_of_batches() -> None:
    """A class that occurs in one profile alone makes the mean of their F1 another number."""
    truth = made([(50, 0), (100, 1)], [(100, 0)])
    guess = made([(50, 0), (100, 0)], [(100, 0)])
    whole = better(truth, guess, SIMILARITY, MAIN)["matched F1 of labels"]
    singles = [float(whole.score(part[None])[0]) for part in whole.parts]
    assert whole.value == pytest.approx((4 / 5 + 0) / 2)
    assert whole.value != pytest.approx(np.mean(singles))
