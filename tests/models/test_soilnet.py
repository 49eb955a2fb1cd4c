"""What reaches what, what is never read, and parts computed by hand."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_profiles import (
    CLASSES,
    CONFIG,
    ENCODERS,
    HEIGHT,
    LABELS,
    MOST,
    PATCH_CNN,
    WIDTH,
    batch,
    model,
    some,
)
from torch import Tensor

from models.profile_losses import ordinal_probabilities, profile
from models.soilnet import ProfileBatch, ProfilePrediction, SoilNet
from models.soilnet_parts import (
    COLOURS,
    Along,
    BackboneConfig,
    ChannelNorm,
    FrozenBatchNorm,
    Pointer,
    Rows,
    crops,
    existing,
    picture_encoder,
    soft_masks,
    stopped,
    tops,
)

WEIGHTS = {
    "depth": 10.0,
    "pointing": 1.0,
    "stop": 1.0,
    "stones": 0.1,
    "classes": 1.0,
    "symbol": 10.0,
}
VARIANTS = [
    {"encoder": encoder, "depth_head": head, "segments": segments}
    for encoder, head, segments in (
        ("patch_cnn", "cross_attention", "soft_mask"),
        ("patch_cnn", "lstm", "soft_mask"),
        ("patch_cnn", "cross_attention", "crop"),
        ("resnet", "lstm", "crop"),
        ("resnet", "cross_attention", "soft_mask"),
        ("convnextv2", "cross_attention", "soft_mask"),
        ("dinov2", "lstm", "soft_mask"),
    )
]
TASKS = [
    ("depths",),
    ("properties",),
    ("symbols",),
    ("depths", "symbols"),
    ("properties", "symbols"),
]
EVERY_VARIANT = pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: "-".join(v.values()))


def made(variant: dict[str, str], **changes: object) -> SoilNet:
    return model(**{**variant, "encoder": ENCODERS[variant["encoder"]], **changes})


def terms_of(net: SoilNet, one: ProfileBatch) -> dict[str, tuple[Tensor, Tensor]]:
    labels = "embedding" if net.config.symbol_head == "embedding" else "cross_entropy"
    ordinal = [c.name for c in CLASSES if c.ordinal]
    return profile(net(one), one, label_loss=labels, ordinal=ordinal, levels=(), weights=WEIGHTS)


def loss(net: SoilNet, one: ProfileBatch) -> Tensor:
    terms = terms_of(net, one)
    return sum((total / count.clamp(min=1) for total, count in terms.values()), torch.zeros(()))


def tensors(found: ProfilePrediction) -> dict[str, Tensor]:
    flat = {k: v for k, v in found.items() if isinstance(v, Tensor)}
    return flat | found["classes"]


def same(a: ProfilePrediction, b: ProfilePrediction, where: Tensor | None = None) -> None:
    """Equal to rounding; `where` (B, S) says at which horizons."""
    left, right = tensors(a), tensors(b)
    assert left.keys() == right.keys()
    for name, values in left.items():
        chosen = [x if where is None else x[where] for x in (values, right[name])]
        torch.testing.assert_close(*chosen, atol=2e-5, rtol=1e-4, msg=lambda s, n=name: f"{n}: {s}")


@EVERY_VARIANT
def test_shapes(variant: dict[str, str]) -> None:
    found = made(variant)(batch(rows=3))
    for name in ("markers", "stop", "bounds", "used", "stones"):
        assert found[name].shape == (3, MOST)
    assert found["symbol"].shape == (3, MOST, LABELS)
    codes = {name: logits.shape for name, logits in found["classes"].items()}
    assert codes == {"texture": (3, MOST, 4), "roots": (3, MOST, 2), "carbonate": (3, MOST, 1)}
    assert not any(x.isnan().any() for x in tensors(found).values())
    assert {x.dtype for x in tensors(found).values()} == {torch.float32}
    assert ((found["stones"] > 0) & (found["stones"] < 1)).all()


@pytest.mark.parametrize("segments", ["soft_mask", "crop"])
@pytest.mark.parametrize("tasks", TASKS, ids="-".join)
@pytest.mark.parametrize("inputs", [("picture",), ("site",), ("picture", "site")], ids="-".join)
def test_tasks_and_inputs_that_are_left_out_have_no_weights(
    tasks: tuple[str, ...], inputs: tuple[str, ...], segments: str
) -> None:
    net, one = model(tasks=tasks, inputs=inputs, segments=segments), batch()
    found = net(one)
    assert (found["bounds"] is not None) == ("depths" in tasks) == hasattr(net, "pointer")
    assert bool(found["classes"]) == ("properties" in tasks) == hasattr(net, "property_along")
    assert (found["symbol"] is not None) == ("symbols" in tasks) == hasattr(net, "symbol_along")
    if "depths" not in tasks:
        assert torch.equal(found["used"], one["bounds"]), "the truth stands in"
    loss(net, one).backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@EVERY_VARIANT
def test_every_parameter_learns(variant: dict[str, str]) -> None:
    net = made(variant, symbol_head="embedding")
    loss(net, batch()).backward()
    still = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    # A token for hidden patches that its library makes for another purpose.
    assert still <= {"encoder.network.embeddings.mask_token"}


@EVERY_VARIANT
def test_what_is_masked_missing_or_padded_is_never_read(variant: dict[str, str]) -> None:
    """It holds NaN in the batch; whatever it holds, all is the same and finite."""
    net, one = made(variant), batch()
    other = batch()
    other["picture"] = torch.where(one["soil"].unsqueeze(1), one["picture"], 1e6)
    other["site_numbers"] = torch.where(one["site_known"], one["site_numbers"], -1e6)
    other["stones"] = torch.where(one["stones_known"], one["stones"], 1e6)
    for name, codes in (*one["classes"].items(), ("symbol", one["symbol"])):
        held = torch.where(one["horizons"], codes, 0)
        (other if name == "symbol" else other["classes"])[name] = held
    a, b = terms_of(net, one), terms_of(net, other)
    for name, (total, count) in a.items():
        assert torch.isfinite(total)
        assert torch.equal(total, b[name][0]), name
        assert torch.equal(count, b[name][1]), name
    sum(total for total, _ in a.values()).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@EVERY_VARIANT
def test_a_row_alone_is_a_row_among_many(variant: dict[str, str]) -> None:
    """In training, too: nothing is normalised over the batch, and one row is a batch."""
    net, one = made(variant).train(), batch(rows=5)
    whole = net(one)
    for row in range(5):
        alone = net(some(one, [row]))
        among = {
            k: {n: x[[row]] for n, x in v.items()} if isinstance(v, dict) else v[[row]]
            for k, v in whole.items()
        }
        same(alone, among, existing(alone["used"]))


def test_a_padded_horizon_changes_nothing() -> None:
    """Eight places for horizons or five: what is said of those that exist is the same."""
    five = model(tasks=("properties", "symbols"))
    eight = model(tasks=("properties", "symbols"), horizons=8)
    eight.load_state_dict(five.state_dict())
    short, long = batch(), batch()
    for name, filling in (("bounds", 1.0), ("horizons", False), ("stones", 9.0), ("symbol", 3)):
        more = torch.full((4, 3), filling, dtype=short[name].dtype)
        long[name] = torch.cat([short[name], more], 1)
    more = torch.zeros(4, 3, dtype=torch.int64)
    long["classes"] = {k: torch.cat([v, more], 1) for k, v in short["classes"].items()}
    long["stones_known"] = torch.cat([short["stones_known"], torch.ones(4, 3, dtype=bool)], 1)
    a, b = five(short), eight(long)
    for name, values in tensors(a).items():
        torch.testing.assert_close(
            values[short["horizons"]], tensors(b)[name][:, :MOST][short["horizons"]]
        )


def test_the_way_back_up_begins_at_the_last_horizon() -> None:
    torch.manual_seed(0)
    along, x = Along(4, 3), torch.randn(2, MOST, 4)
    exists = torch.arange(MOST) < torch.tensor([[2], [MOST]])
    read = along(x, exists)
    torch.testing.assert_close(read[:1, :2], along(x[:1, :2], exists[:1, :2]))
    assert not read[0, 2:].any()


# Depths.


def made_rows(total: Tensor) -> Rows:
    """Rows that are all soil."""
    return Rows(total, torch.ones(total.shape[:2]))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0.1, 30))
def test_markers_go_down_and_bounds_end_at_one(seed: int, spread: float) -> None:
    g = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    pointer = Pointer(4, 6, 8, 0.0)
    rows = made_rows(spread * torch.randn(3, 9, 4, generator=g))
    states = spread * torch.randn(3, MOST, 6, generator=g)
    (markers, stop, pointing), _ = pointer(rows, states, torch.full((3, MOST), torch.nan))
    steps = markers.diff(dim=1)
    ended = markers[:, 1:] == 1
    assert ((steps > 0) | ended).all()
    assert (markers > 0).all()
    torch.testing.assert_close(pointing.exp().sum(-1), torch.ones(3, MOST))
    bounds = stopped(markers, stop)
    assert (bounds.diff(dim=1) >= 0).all()
    assert (bounds[:, -1] == 1).all()
    inner = existing(bounds)[:, 1:]
    assert (bounds.diff(dim=1)[inner] > 0).all()


def test_the_first_stop_ends_a_profile() -> None:
    markers = torch.tensor([[0.2, 0.5, 0.6, 0.9]] * 3)
    stop = torch.tensor([[-1.0, 2, -1, -1], [-1, -1, -1, -1], [0.1, -1, -1, 5]])
    expected = [[0.2, 1, 1, 1], [0.2, 0.5, 0.6, 1], [1, 1, 1, 1]]
    torch.testing.assert_close(stopped(markers, stop), torch.tensor(expected))
    assert existing(torch.tensor(expected)).sum(1).tolist() == [2, 4, 1]


def test_an_edge_is_told_by_what_lies_above_and_below() -> None:
    through = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(through.weight)
    area = torch.tensor([[1.0, 1, 2, 0, 1]])
    above, below = Rows((torch.tensor([[1.0, 3, 5, 9, 7]]) * area)[..., None], area).sides(through)
    assert above.shape == below.shape == (1, 4, 4)
    assert above[0, 1].tolist() == pytest.approx([3, 2, 2, 2]), "1, 2, 4 and 8 rows"
    assert below[0, 1].tolist() == pytest.approx([5, 5, 17 / 3, 17 / 3])
    assert above[0, 3].tolist() == pytest.approx([0, 5, 3.5, 3.5]), "a row without soil"


def test_an_edge_is_as_strong_as_its_colours_differ() -> None:
    """3, 4 and 0 in the three channels between rows 2 and 3: a distance of 5."""
    total = torch.zeros(1, 4, 2 + COLOURS)
    total[0, 2:, 2], total[0, 2:, 3], total[0, :, :2] = 3, 4, torch.randn(4, 2)
    strength = made_rows(total).strength()[0]
    assert strength[1].tolist() == pytest.approx([5.0] * 4)
    assert strength[0].tolist() == pytest.approx([0.0, 2.5, 10 / 3, 10 / 3], abs=2e-3)


def test_a_marker_is_the_next_boundary() -> None:
    """Edges at 0.3 and 0.7 are boundaries beyond doubt, and nothing else is."""
    pointer = Pointer(COLOURS, 1, 8, 0.0)
    with torch.no_grad():
        for p in pointer.parameters():
            p.zero_()
        pointer.boundary.weight[0, 0] = 20
        pointer.boundary.bias.fill_(-20)
        pointer.apart.fill_(-20)
    edges = torch.zeros(1, 9, 8)
    edges[0, [2, 6], 0] = 2
    pointer.edges = lambda _: (edges, torch.arange(1, 10) / 10)
    after = torch.tensor([[0.0, 0.25, 0.32, 0.71]])
    rows = made_rows(torch.zeros(1, 10, COLOURS))
    (markers, stop, _), (below, ends, _) = pointer(rows, torch.zeros(1, 4, 1), after)
    assert markers[0, :2].tolist() == pytest.approx([0.3, 0.7], abs=1e-3)
    assert (stop[0] > 0).tolist() == [False, False, True, True]
    assert stopped(markers, stop)[0].tolist() == pytest.approx([0.3, 0.7, 1, 1], abs=1e-3)
    assert below[0, :3].tolist() == pytest.approx([0.3, 0.3, 0.7], abs=1e-3)
    assert (ends[0] > 0).tolist() == [False, False, False, True]


def test_forced_depths_are_used_and_known_ones_looked_below() -> None:
    net = model()
    free, forced, one = net(batch(forced=False)), net(batch(forced=True)), batch()
    assert torch.equal(forced["used"], one["bounds"])
    assert torch.equal(free["used"], free["bounds"])
    assert torch.equal(free["bounds"], forced["bounds"]), "its own, whatever is forced"
    inner = one["horizons"][:, 1:]
    assert (free["markers"][:, 1:][inner] > one["bounds"][:, :-1][inner]).all()
    asked = batch(forced=False) | {"horizons": torch.zeros_like(one["horizons"])}
    asked["bounds"] = torch.ones_like(one["bounds"])
    found = net(asked)
    assert torch.equal(found["bounds"], free["bounds"])
    assert (found["markers"].diff(dim=1) >= 0).all()


@pytest.mark.parametrize("segments", ["soft_mask", "crop"])
def test_symbols_teach_depths_where_depths_are_not_forced(segments: str) -> None:
    for forced in (False, True):
        net = model(segments=segments)
        with torch.no_grad():
            net.pointer.stop.bias.fill_(-5)  # several horizons
        net(batch(forced=forced))["symbol"].sum().backward()
        touched = any(p.grad is not None and p.grad.any() for p in net.pointer.edge.parameters())
        assert touched == (not forced)


# Segments.


def test_soft_masks_are_one_inside_and_fade_over_a_tenth() -> None:
    bounds = torch.tensor([[0.5, 1.0, 1.0]], dtype=torch.float64)
    weights = soft_masks(bounds, 1000)[0]
    depth = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    assert (weights[0, :500] == 1).all()
    outside = (depth[500:550] - 0.5) / 0.05
    expected = 0.5 * (1 + torch.cos(torch.pi * outside))
    torch.testing.assert_close(weights[0, 500:550], expected, atol=1e-5, rtol=0)
    assert not weights[0, 550:].any()
    assert (weights[1, 500:] == 1).all()
    assert not weights[1, :450].any()
    assert ((weights[1, 450:500] > 0) & (weights[1, 450:500] < 1)).all()
    thin = soft_masks(torch.tensor([[0.301, 0.302, 1.0]]), 16)
    assert (thin.amax(2) > 0.4).all(), "every segment reaches a row"


def test_soft_masks_can_be_differentiated_by_their_bounds() -> None:
    bounds = torch.tensor([[0.31, 0.62, 1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b: soft_masks(b, 12), bounds)
    soft_masks(bounds, 12)[0, 0].sum().backward()
    assert bounds.grad[0, 0] > 0


def test_means_under_masks_are_over_soil() -> None:
    features = torch.arange(8.0).view(1, 1, 4, 2)
    soil = torch.ones(1, 8, 4, dtype=torch.bool)
    soil[:, 2:4, 2:] = False  # the second row's right cell
    soil[:, 6:] = False
    picture = torch.full((1, 3, 8, 4), 3.0) * soil
    rows = Rows.of(features, picture, soil)
    weights = torch.tensor([[[1.0, 1, 0, 0], [0, 1, 0.5, 1], [0, 0, 0, 1]]])
    expected = [(0 + 1 + 2) / 3, (2 + 0.5 * 4 + 0.5 * 5) / 2, 0.0]
    assert rows.mean(weights)[0, :, 0].tolist() == pytest.approx(expected)
    assert rows.each()[0, :, 0].tolist() == pytest.approx([0.5, 2.0, 4.5, 0.0])
    colours = rows.each()[0, :3, 1:]
    torch.testing.assert_close(colours, torch.tensor([[3.0] * 3 + [9.0] * 3] * 3))


def test_crops_are_the_rows_between_the_bounds() -> None:
    picture = torch.randn(2, 3, 8, 4)
    soil = torch.ones(2, 8, 4, dtype=torch.bool)
    soil[1, :, 0] = False
    picture = torch.where(soil.unsqueeze(1), picture, 0)
    bounds = torch.tensor([[0.5, 1.0, 1.0], [0.25, 0.75, 1.0]], requires_grad=True)
    cut, whole = crops(picture, soil, bounds, 4)
    assert cut.shape == (5, 3, 4, 4)
    torch.testing.assert_close(cut[:2], torch.stack([picture[0, :, :4], picture[0, :, 4:]]))
    torch.testing.assert_close(cut[3], picture[1, :, 2:6])
    assert whole[:2].all()
    assert not whole[2:, :, 0].any()
    assert whole[2:, :, 1:].all()
    cut.square().sum().backward()
    assert bounds.grad[0, 0] != 0
    torch.testing.assert_close(tops(bounds.detach())[1], torch.tensor([0, 0.25, 0.75]))


# Properties as task 3 is told them.


def test_task_3_is_told_probabilities_and_true_ones_where_forced() -> None:
    net, one = model(), batch()
    told = net.properties(net(one), one)
    sizes = [1, *(c.codes for c in CLASSES)]
    stones, *classes = told.split(sizes, dim=-1)
    for c, share in zip(CLASSES, classes, strict=True):
        torch.testing.assert_close(share.sum(-1), torch.ones(4, MOST))
        code = one["classes"][c.name]
        true = one["force_properties"][:, None] & (code >= 0)
        assert torch.equal(share[true].argmax(-1), code[true])
        assert (share[true].amax(-1) == 1).all()
        assert (share[~true].amax(-1) < 1).all()
    true = one["force_properties"][:, None] & one["stones_known"]
    assert torch.equal(stones.squeeze(-1)[true], one["stones"][true])


def test_without_task_2_the_known_truth_is_told() -> None:
    net, one = model(tasks=("symbols",)), batch(forced=False)
    found = net(one)
    told = net.properties(found, one)
    code = one["classes"]["texture"]
    assert torch.equal(told[..., 1:5].sum(-1), (code >= 0).float()), "nothing where unknown"
    other = batch(forced=False)
    other["classes"]["texture"] = (code + 1) % 4
    assert not torch.allclose(net(other)["symbol"], found["symbol"])


def test_ordinal_heads_are_read_as_probabilities() -> None:
    found = model()(batch())["classes"]["roots"]
    share = ordinal_probabilities(found)
    assert share.shape == (4, MOST, 3)
    torch.testing.assert_close(share.sum(-1), torch.ones(4, MOST))


def test_scores_of_the_embedding_head_are_cosines() -> None:
    scores = model(symbol_head="embedding")(batch())["symbol"]
    assert scores.abs().max() <= 1 + 1e-6
    vectors = torch.tensor(CONFIG.embedding)
    nearest = torch.linalg.lstsq(vectors, scores[0, 0]).solution
    assert nearest.norm().item() == pytest.approx(1, abs=1e-4)


# Encoders.


def test_the_site_is_read_by_value_and_absence() -> None:
    net, one = model(inputs=("site",)), batch(forced=True)
    one["site_known"][:] = True
    one["site_numbers"] = torch.zeros_like(one["site_numbers"])
    base = net(one)["symbol"]
    for change in ("number", "absence", "code"):
        other = batch(forced=True) | {"site_known": one["site_known"].clone()}
        other["site_numbers"] = one["site_numbers"].clone()
        if change == "number":
            other["site_numbers"][:, 1] = 1.0
        elif change == "absence":
            other["site_known"][:, 1] = False
        else:
            other["site_codes"] = (one["site_codes"] + 1) % 2
        assert not torch.allclose(net(other)["symbol"], base, atol=1e-5), change


def test_no_batch_norm_is_left_in_a_new_backbone() -> None:
    net = model(encoder=ENCODERS["resnet"])
    kinds = {type(m) for m in net.modules()}
    assert ChannelNorm in kinds
    assert not any(issubclass(kind, torch.nn.modules.batchnorm._BatchNorm) for kind in kinds)


def test_a_backbone_starts_from_the_weights_of_a_folder(tmp_path: Path) -> None:
    from transformers import AutoConfig, ResNetBackbone

    described = AutoConfig.for_model(**ENCODERS["resnet"].configuration)
    torch.manual_seed(3)
    source = ResNetBackbone(described)
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    source.save_pretrained(tmp_path / "weights")
    encoder = picture_encoder(BackboneConfig(None, tmp_path / "weights", None)).train()
    picture, soil = torch.randn(2, 3, HEIGHT, WIDTH), torch.ones(2, HEIGHT, WIDTH, dtype=bool)
    features = encoder(picture, soil)
    torch.testing.assert_close(features, source.eval()(picture).feature_maps[-1])
    frozen = [m for m in encoder.modules() if isinstance(m, FrozenBatchNorm)]
    assert frozen
    assert all(m.weight.requires_grad for m in frozen)
    torch.testing.assert_close(encoder(picture[:1], soil[:1]), features[:1])


def test_features_of_an_earlier_stage() -> None:
    described = ENCODERS["resnet"].configuration
    early = picture_encoder(BackboneConfig(described, None, "stage1"))
    picture, soil = torch.randn(2, 3, HEIGHT, WIDTH), torch.ones(2, HEIGHT, WIDTH, dtype=bool)
    assert early(picture, soil).shape == (2, 8, HEIGHT // 4, WIDTH // 4)
    assert early.width == 8


def test_what_transformers_lacks_is_refused(tmp_path: Path) -> None:
    for wrong in (
        BackboneConfig({"model_type": "no_such"}, None, None),
        BackboneConfig({"model_type": "bert"}, None, None),
        BackboneConfig({**ENCODERS["resnet"].configuration}, None, "stage9"),
        BackboneConfig(None, tmp_path / "nowhere", None),
    ):
        with pytest.raises(ValueError, match="no such backbone"):
            picture_encoder(wrong)
    with pytest.raises(ValueError, match="no inputs or no tasks"):
        model(tasks=())
    assert PATCH_CNN.widths[-1] == picture_encoder(PATCH_CNN).width
