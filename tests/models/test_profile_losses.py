"""Losses of SoilNet by hand, what they leave out, and that gradients reach every head."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fusion.profiles.taxonomy import taxonomy
from models import profile_losses as losses

LABELS = ("Ap", "Ah", "Bv", "Sw", "Sw-Bv")
WEIGHTS = {"depth": 2.0, "pointing": 4.0, "stop": 1.0, "stones": 0.5, "classes": 3.0, "symbol": 1.0}


NO_DEPTHS = {"markers": None, "pointing": None, "stop": None}


def levels() -> list[Tensor]:
    return [torch.from_numpy(level).float() for level in taxonomy(LABELS).levels()]


def batch() -> dict:
    """Two profiles, of three and of two horizons, in rooms for four."""
    return {
        "bounds": torch.tensor([[0.2, 0.5, 1, 1], [0.3, 1, 1, 1]]),
        "horizons": torch.tensor([[True, True, True, False], [True, True, False, False]]),
        "stones": torch.tensor([[0.1, 0.0, torch.nan, 0], [0.5, 0.2, 0, 0]]),
        "stones_known": torch.tensor([[True, True, False, False], [True, True, False, False]]),
        "classes": {
            "texture": torch.tensor([[0, 1, -1, -1], [2, 0, -1, -1]]),
            "humus": torch.tensor([[3, 1, 0, -1], [2, -1, -1, -1]]),
        },
        "symbol": torch.tensor([[0, 4, 2, -1], [1, 3, -1, -1]]),
    }


def prediction(seed: int = 0) -> dict:
    torch.manual_seed(seed)
    markers = torch.rand(2, 4).cumsum(1) / 4
    return {
        "markers": markers.requires_grad_(),
        "pointing": torch.randn(2, 4, 9).requires_grad_(),
        "bounds": markers.detach(),
        "used": batch()["bounds"],
        "stop": torch.randn(2, 4, requires_grad=True),
        "stones": torch.rand(2, 4).requires_grad_(),
        "classes": {
            "texture": torch.randn(2, 4, 3, requires_grad=True),
            "humus": torch.randn(2, 4, 3, requires_grad=True),
        },
        "symbol": torch.randn(2, 4, len(LABELS), requires_grad=True),
    }


def terms(found: dict, true: dict, label_loss: str = "cross_entropy") -> dict:
    return losses.profile(
        found, true, label_loss=label_loss, ordinal={"humus"}, levels=levels(), weights=WEIGHTS
    )


def mean(pair: tuple[Tensor, Tensor]) -> float:
    return (pair[0] / pair[1]).item()


@pytest.mark.parametrize("label_loss", ["cross_entropy", "embedding", "hierarchical"])
def test_every_head_gets_a_gradient(label_loss: str) -> None:
    found = prediction()
    made = terms(found, batch(), label_loss)
    assert set(made) == {"depth", "pointing", "stop", "stones", "texture", "humus", "symbol"}
    torch.stack([total for total, _ in made.values()]).sum().backward()
    heads = [found[name] for name in ("markers", "pointing", "stop", "stones", "symbol")]
    for head in heads + list(found["classes"].values()):
        assert torch.isfinite(head.grad).all()
        assert (head.grad[0, 0] != 0).any()
        assert (head.grad[1, 2:] == 0).all()  # beyond the second profile's horizons


def test_counts_and_weights() -> None:
    made = terms(prediction(), batch())
    counts = {name: int(count) for name, (_, count) in made.items()}
    assert counts == {
        "depth": 3,
        "pointing": 3,
        "stop": 5,
        "stones": 4,
        "texture": 4,
        "humus": 4,
        "symbol": 5,
    }
    plain = losses.profile(
        prediction(),
        batch(),
        label_loss="cross_entropy",
        ordinal={"humus"},
        levels=[],
        weights=dict.fromkeys(WEIGHTS, 1.0),
    )
    ratios = {name: (made[name][0] / plain[name][0]).item() for name in made}
    expected = {
        "depth": 2,
        "pointing": 4,
        "stop": 1,
        "stones": 0.5,
        "texture": 3,
        "humus": 3,
        "symbol": 1,
    }
    assert ratios == pytest.approx(expected)


def test_what_does_not_count_is_never_read() -> None:
    true, other = batch(), batch()
    other["bounds"][~true["horizons"]] = torch.tensor([7.0, -1.0, 2.0])
    other["stones"] = torch.where(true["stones_known"], true["stones"], 99.0)
    for codes in (other["symbol"], *other["classes"].values()):
        codes[~true["horizons"]] = 1
    found, again = prediction(), prediction()
    for one in (found, again):  # no segment is a true horizon
        one["used"] = torch.tensor([[0.3, 0.8, 1, 1], [0.5, 1, 1, 1]])
    with torch.no_grad():
        again["pointing"][~losses.inner_boundaries(true["horizons"])] = 3.0
        again["markers"][~losses.inner_boundaries(true["horizons"])] = -5.0
        again["symbol"][~true["horizons"]] = 50.0
    a, b = terms(found, true), terms(again, other)
    for name in a:
        assert torch.isfinite(a[name][0])
        assert torch.equal(a[name][0], b[name][0]), name
        assert torch.equal(a[name][1], b[name][1]), name


def test_heads_that_a_model_lacks_have_no_term() -> None:
    bare = prediction() | {"stones": None, "classes": {}, **NO_DEPTHS}
    assert set(terms(bare, batch())) == {"symbol"}
    only = prediction() | {"stones": None, "classes": {}, "symbol": None}
    assert set(terms(only, batch())) == {"depth", "pointing", "stop"}


def test_pointing_by_hand() -> None:
    """Least where markers point as the bell does, and never read where they cannot point."""
    true, closed = batch(), torch.zeros(2, 4, 99, dtype=torch.bool)
    closed[0, 1, :30] = True
    edge = torch.arange(1, 100) / 100
    away = (edge - true["bounds"].unsqueeze(-1)) / 0.015
    bell = (-0.5 * away.square()).masked_fill(closed, -torch.inf).log_softmax(-1)
    total, count = losses.pointing(bell, true["bounds"], true["horizons"])
    assert count == 3
    entropy = 0.5 * np.log(2 * np.pi * np.e) + np.log(1.5)  # of a normal distribution, in steps
    assert mean((total, count)) == pytest.approx(entropy, abs=1e-2)
    for shift in (-2, 2):
        moved = bell.roll(shift, -1).masked_fill(closed, -torch.inf).log_softmax(-1)
        assert losses.pointing(moved, true["bounds"], true["horizons"])[0] > total
    sharp = torch.full((2, 4, 99), -30.0)
    sharp[0, 0, 19] = sharp[0, 1, 49] = sharp[1, 0, 29] = 0
    assert losses.pointing(sharp, true["bounds"], true["horizons"])[0] > total, "too sure"


def test_depth_by_hand() -> None:
    """Off by 1 cm: half of 0.01^2 / 0.02; off by 10 cm: 0.1 less half of 0.02."""
    true = batch()
    markers = torch.tensor([[0.21, 0.6, 0.7, 0.8], [0.3, 0.1, 0.2, 0.3]])
    total, count = losses.depth(markers, true["bounds"], true["horizons"])
    assert total.item() == pytest.approx(0.5 * 0.01**2 / 0.02 + 0.1 - 0.01, rel=1e-4)
    assert count == 3


def test_padding_does_not_hide_a_wrong_boundary() -> None:
    """The same error weighs the same whether a profile has room for 2 or for 8 horizons."""
    for room in (2, 8):
        bounds = torch.ones(1, room)
        bounds[0, 0] = 0.5
        there = torch.arange(room).unsqueeze(0) < 2
        markers = bounds.clone()
        markers[0, 0] = 0.8
        assert mean(losses.depth(markers, bounds, there)) == pytest.approx(0.3 - 0.01)


def test_stop_is_the_likelihood_of_the_number_of_horizons() -> None:
    logits = torch.tensor([[0.3, -1.0, 0.7, 2.0]])
    hazard = torch.sigmoid(logits[0])
    there = torch.tensor([[True, True, True, False]])
    total, count = losses.stop(logits, there)
    likelihood = (1 - hazard[0]) * (1 - hazard[1]) * hazard[2]
    assert total.item() == pytest.approx(-math.log(likelihood))
    assert count == 3


def test_ordinal_entropy_is_the_likelihood_of_the_code() -> None:
    logits = torch.tensor([[[0.5, -0.3, 1.2]] * 5])
    codes = torch.tensor([[0, 1, 2, 3, -1]])
    probability = losses.ordinal_probabilities(logits[0, 0])
    assert probability.sum().item() == pytest.approx(1)
    assert (probability > 0).all()
    total, count = losses.ordinal_entropy(logits, codes)
    assert total.item() == pytest.approx(-probability.log().sum().item(), rel=1e-5)
    assert count == 4


def test_ordinal_probabilities_are_consistent_whatever_the_logits() -> None:
    torch.manual_seed(1)
    probability = losses.ordinal_probabilities(10 * torch.randn(1000, 6))
    assert (probability >= 0).all()
    assert torch.allclose(probability.sum(-1), torch.ones(1000), atol=1e-6)


def test_overlapped_by_hand() -> None:
    true = batch()
    assert losses.overlapped(true["bounds"], true["bounds"], true["horizons"]).tolist() == [
        [0, 1, 2, -1],
        [0, 1, -1, -1],
    ]
    # The first boundary was missed, the last horizon cut in two; an empty segment in between.
    used = torch.tensor([[0.5, 0.5, 0.7, 1], [0.25, 0.9, 1, 1]])
    assert losses.overlapped(used, true["bounds"], true["horizons"]).tolist() == [
        [1, -1, 2, 2],
        [0, 1, 1, -1],
    ]


def test_properties_are_those_of_the_horizon_that_a_segment_lies_in() -> None:
    found = prediction() | {"used": torch.tensor([[0.5, 1, 1, 1], [0.3, 1, 1, 1]])}
    with torch.no_grad():
        found["symbol"].fill_(-20.0)
        found["symbol"][0, 0, 4] = found["symbol"][0, 1, 2] = 20.0
        found["symbol"][1, 0, 1] = found["symbol"][1, 1, 3] = 20.0
    total, count = terms(found, batch())["symbol"]
    assert count == 4
    assert total.item() == pytest.approx(0, abs=1e-6)


def test_embedding_by_hand() -> None:
    vectors = torch.from_numpy(taxonomy(LABELS).embedding()).float()
    own = vectors[[4, 2]]
    codes = torch.tensor([[4, 3, -1]])
    cosines = torch.cat([own, vectors[[0]]]) @ vectors.T
    total, count = losses.embedding(cosines.unsqueeze(0), codes)
    assert total.item() == pytest.approx(0 + 1, abs=1e-6)  # Sw-Bv is itself; Bv is not Sw
    assert count == 2


def test_hierarchical_by_hand() -> None:
    """Label, and main symbol: nodes A, B, S; a mixture's target is 0.67 of B and 0.33 of S."""
    logits = torch.tensor([[[0.1, 0.7, -0.3, 0.4, 0.2]] * 2])
    p = torch.softmax(logits[0, 0], -1).tolist()
    node = {
        "A": p[0] + p[1],
        "B": p[2] + 0.67 * p[4],
        "S": p[3] + 0.33 * p[4],
    }
    total, count = losses.hierarchical(logits, torch.tensor([[0, 4]]), levels())
    mixed = 0.67 * math.log(0.67 / node["B"]) + 0.33 * math.log(0.33 / node["S"])
    expected = -math.log(p[0]) - math.log(node["A"]) - math.log(p[4]) + mixed
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert count == 2


def test_hierarchical_is_zero_for_what_is_certain_and_right() -> None:
    codes = torch.arange(len(LABELS)).unsqueeze(0)
    logits = 80 * torch.eye(len(LABELS)).unsqueeze(0)
    assert losses.hierarchical(logits, codes, levels())[0].item() == pytest.approx(0, abs=1e-5)


def test_a_wrong_label_of_the_right_main_symbol_costs_less() -> None:
    costs = []
    for guess in (0, 1, 2):  # Ap, Ah, Bv where Ap is true
        logits = torch.zeros(1, 1, len(LABELS))
        logits[0, 0, guess] = 5.0
        costs.append(losses.hierarchical(logits, torch.tensor([[0]]), levels())[0].item())
    assert costs == sorted(costs)
    assert costs[1] < costs[2] - 1


def test_the_hierarchy_passes_gradient_where_the_shortest_path_does_not() -> None:
    """Even where the guess is wrong by so much that its probability is 0 in float32."""
    logits = torch.zeros(1, 1, len(LABELS))
    logits[0, 0, 2] = 200.0
    logits.requires_grad_()
    total, _ = losses.hierarchical(logits, torch.tensor([[0]]), levels())
    total.backward()
    assert logits.grad[0, 0, 0] < -1  # towards Ap ...
    assert logits.grad[0, 0, 2] > 1  # ... away from Bv
    assert torch.isfinite(logits.grad).all()
    # The path through the best label, whatever is done with it afterwards, has none.
    distance = torch.from_numpy(1 - taxonomy(LABELS).similarity())
    assert not distance[0, logits.argmax(-1)].requires_grad


def test_gradients_are_those_of_the_differences() -> None:
    torch.manual_seed(2)
    codes = torch.tensor([[0, 4, -1]])
    logits = torch.randn(1, 3, len(LABELS))
    given = logits.clone().requires_grad_()
    losses.hierarchical(given, codes, levels())[0].backward()
    step = 1e-2
    for place in np.ndindex(*logits.shape):
        up, down = logits.clone(), logits.clone()
        up[place] += step
        down[place] -= step
        slope = losses.hierarchical(up, codes, levels())[0]
        slope = (slope - losses.hierarchical(down, codes, levels())[0]) / (2 * step)
        assert given.grad[place].item() == pytest.approx(slope.item(), abs=2e-3)


@pytest.mark.parametrize("label_loss", ["cross_entropy", "embedding", "hierarchical"])
def test_each_label_loss_teaches_labels(label_loss: str) -> None:
    torch.manual_seed(3)
    vectors = torch.from_numpy(taxonomy(LABELS).embedding()).float()
    codes = torch.arange(len(LABELS)).repeat(20)
    features = torch.eye(len(LABELS))[codes] + 0.1 * torch.randn(len(codes), len(LABELS))
    width = vectors.shape[1] if label_loss == "embedding" else len(LABELS)
    head = torch.nn.Linear(len(LABELS), width)
    optimiser = torch.optim.Adam(head.parameters(), 0.1)

    def scored() -> Tensor:
        out = head(features)
        if label_loss == "embedding":
            out = torch.nn.functional.normalize(out, dim=-1) @ vectors.T
        return out.unsqueeze(0)

    found = prediction() | {"stones": None, "classes": {}, **NO_DEPTHS}
    rows = torch.linspace(0, 1, len(codes) + 1)[1:].unsqueeze(0)
    true = {
        "bounds": rows,
        "horizons": torch.ones_like(rows, dtype=torch.bool),
        "symbol": codes.unsqueeze(0),
    }
    for _ in range(60):
        total, count = terms(found | {"used": rows, "symbol": scored()}, true, label_loss)["symbol"]
        optimiser.zero_grad()
        (total / count).backward()
        optimiser.step()
    assert (scored().argmax(-1) == codes).float().mean() > 0.95
