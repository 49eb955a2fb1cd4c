import dataclasses
import math

import pytest
import torch
from torch import nn

from models.losses import gaussian, heteroscedastic, tempered_cross_entropy
from models.soilformer import Batch, ColumnHeads, SoilFormer, SoilFormerConfig

CONFIG = SoilFormerConfig(
    numeric_widths=(1, 1, 1, 3),
    categories=(2, 4),
    hidden=16,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=4,
    mlp_ratio=1.5,
    dropout=0.0,
    numeric_bound=4.0,
    categorical_bound=2.0,
    init_std=0.5,
)


def a_batch(rows: int = 5) -> Batch:
    torch.manual_seed(0)
    return {
        "values": [torch.randn(rows, 3, 1), torch.randn(rows, 1, 3)],
        "observed": [
            torch.ones(rows, 3, 1, dtype=torch.bool),
            torch.ones(rows, 1, 3, dtype=torch.bool),
        ],
        "hidden": [
            torch.zeros(rows, 3, dtype=torch.bool),
            torch.zeros(rows, 1, dtype=torch.bool),
        ],
        "codes": torch.randint(0, 2, (rows, 2)),
        "codes_hidden": torch.zeros(rows, 2, dtype=torch.bool),
    }


def a_model(**changes: object) -> SoilFormer:
    torch.manual_seed(1)
    return SoilFormer(dataclasses.replace(CONFIG, **changes)).eval()


def test_gaussian_loss_by_hand() -> None:
    mean = torch.tensor([[[1.0, 5.0]], [[0.0, 0.0]]])
    target = torch.tensor([[[3.0, 99.0]], [[1.0, 2.0]]])
    observed = torch.tensor([[[True, False]], [[True, True]]])
    s = torch.tensor([[math.log(4.0)], [0.0]])
    loss = gaussian(mean, s, target, observed)
    # 1/2 * 1/4 * 2^2 + 1/2 ln 4; 1/2 * (1 + 4) / 2 + 0
    assert loss.squeeze(1).tolist() == pytest.approx([0.5 + math.log(2.0), 1.25])


def test_categorical_loss_by_hand() -> None:
    # Two columns, the second with one code more.
    logits = torch.log(torch.tensor([[[0.25, 0.75, 0.0], [0.5, 0.3, 0.2]]]))
    s, code = torch.tensor([[math.log(2.0), 0.0]]), torch.tensor([[0, 2]])
    loss = tempered_cross_entropy(logits, s, code)
    expected = [0.5 * math.log(4.0) + 0.5 * math.log(2.0), math.log(5.0)]
    assert loss[0].tolist() == pytest.approx(expected)


def test_each_code_has_a_row_of_its_own_in_the_heads() -> None:
    heads = ColumnHeads((2, 3), 4)
    nn.init.normal_(heads.weight)
    nn.init.normal_(heads.bias)
    x = torch.randn(5, 2, 4)
    logits = heads(x)
    first = x[:, 0] @ heads.weight[:2].T + heads.bias[:2]
    second = x[:, 1] @ heads.weight[2:].T + heads.bias[2:]
    torch.testing.assert_close(logits[:, 0, :2], first)
    torch.testing.assert_close(logits[:, 1], second)
    assert torch.isinf(logits[:, 0, 2]).all()
    # A code that a column has not costs nothing and moves nothing.
    tempered_cross_entropy(logits, torch.zeros(5, 2), torch.ones(5, 2).long()).sum().backward()
    assert torch.isfinite(heads.weight.grad).all()


def test_only_hidden_observed_entries_count() -> None:
    batch = a_batch(2)
    batch["hidden"][0][0, 0] = batch["hidden"][0][1, 1] = True
    batch["observed"][0][1, 1] = False  # hidden, but there is no truth
    batch["codes_hidden"][0, 1] = batch["codes_hidden"][1, 0] = True
    batch["codes"][1, 0] = -1
    prediction = a_model()(batch)
    terms = heteroscedastic(prediction, batch)
    assert terms["numeric"][1].item() == 1
    assert terms["categorical"][1].item() == 1
    error = (prediction["mean"][0][0, 0, 0] - batch["values"][0][0, 0, 0]).item()
    s = prediction["log_variance"][0][0, 0].item()
    expected = 0.5 * math.exp(-s) * error**2 + 0.5 * s
    assert terms["numeric"][0].item() == pytest.approx(expected, rel=1e-5)


def test_every_parameter_has_a_gradient_whatever_is_hidden() -> None:
    model, batch = a_model(), a_batch()
    batch["hidden"][0][0, 0] = True
    total = sum(part for part, _ in heteroscedastic(model(batch), batch).values())
    total.backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_hidden_value_is_not_seen() -> None:
    model, batch = a_model(), a_batch()
    batch["hidden"][0][:, 1] = batch["hidden"][1][:, 0] = True
    batch["codes_hidden"][:, 0] = True
    before = model(batch)
    batch["values"][0][:, 1] += 10.0
    batch["values"][1] += 10.0
    batch["codes"][:, 0] = 1 - batch["codes"][:, 0]
    after = model(batch)
    torch.testing.assert_close(before["mean"], after["mean"])
    torch.testing.assert_close(before["logits"], after["logits"])
    batch["values"][0][:, 0] += 10.0  # a visible one is
    assert not torch.allclose(model(batch)["mean"][0], after["mean"][0])


def test_a_missing_entry_is_as_if_the_row_stood_alone() -> None:
    """Padding beside fuller rows must not change a row's prediction."""
    model, batch = a_model(), a_batch()
    batch["observed"][0][0, :2] = False
    batch["values"][0][0, :2] = 123.0
    batch["codes"][0, 0] = -1
    batch["hidden"][0][:, 2] = True
    together = model(batch)
    alone = {
        name: [one[:1] for one in part] if isinstance(part, list) else part[:1]
        for name, part in batch.items()
    }
    alone["values"][0][0, :2] = -7.0
    torch.testing.assert_close(model(alone)["mean"][0][:, 2], together["mean"][0][:1, 2])


def test_a_row_without_any_feature_is_finite() -> None:
    batch = a_batch(1)
    for observed in batch["observed"]:
        observed[:] = False
    batch["codes"][:] = -1
    assert torch.isfinite(a_model()(batch)["mean"][0]).all()


def test_uncertainty_stays_within_its_bounds() -> None:
    model, batch = a_model(init_std=20.0), a_batch(50)
    out = model(batch)
    assert out["log_variance"][0].abs().max() <= 4.0
    assert out["log_temperature"].abs().max() <= 2.0


def test_numeric_only_and_categorical_only() -> None:
    batch = a_batch()
    only_numbers = batch | {"codes": batch["codes"][:, :0]}
    only_numbers["codes_hidden"] = batch["codes_hidden"][:, :0]
    assert a_model(categories=())(only_numbers)["logits"].shape[1] == 0
    only_codes = batch | {"values": [], "observed": [], "hidden": []}
    assert a_model(numeric_widths=())(only_codes)["logits"].shape[1] == 2


def test_columns_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        a_model(numeric_widths=(3, 1))
