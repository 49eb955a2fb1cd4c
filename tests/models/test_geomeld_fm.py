"""What reaches what, what is never read, and losses computed by hand."""

import math

import pytest
import torch
from small_tiles import (
    CONFIG,
    EDGE,
    PATCH,
    RELIEF,
    SENTINEL1,
    SENTINEL2,
    SOIL,
    TARGETS,
    batch,
    model,
)
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.convnext_v2 import SIZES
from models.geomeld_fm import (
    GeoMeldConfig,
    GeoMeldFM,
    Modality,
    TileBatch,
    pool,
    rows_of_pixels,
)
from models.geomeld_losses import (
    contrast,
    geomeld,
    jepa,
    pixels_of,
    reconstruction,
    within_patch,
)

WEIGHTS = {"patch_normalised": ("sentinel2",), "jepa_weight": 0.5, "contrast_weight": 0.25}
PATCHES = (SENTINEL2.size // PATCH) ** 2


def loss(made: GeoMeldFM, given: TileBatch) -> Tensor:
    terms = geomeld(made(given), given, **WEIGHTS)
    return sum((total / count.clamp(min=1) for total, count in terms.values()), torch.zeros(()))


def test_shapes() -> None:
    out = model()(batch(rows=3, visible=7))
    hidden = PATCHES - 7
    assert out["maps"]["sentinel2"].shape == (3, hidden, 16 * 16, 4)
    assert out["maps"]["relief"].shape == (3, PATCHES, 8 * 8, 1)
    assert out["classes"]["worldcover"].shape == (3, PATCHES, 16 * 16, 3)
    assert out["vectors"]["soil"].shape == (3, 5)
    assert out["forecast"].shape == out["teacher"].shape == (3, hidden, 320)
    assert out["image"].shape == (3, 8)
    assert out["text"].shape == (3, 3, 8)
    assert out["temperature"].item() == pytest.approx(0.07, rel=1e-5)
    maps, pooled = model().features(batch(rows=3))
    edge = 8 * round(PATCHES**0.5)
    assert maps.shape == (3, 2 * 160 + 40 + 80 + 160 + 320, edge, edge)
    assert pooled.shape == (3, 2 * 160 + 40 + 80 + 160 + 320)


def test_each_position_has_the_features_of_what_it_lies_in() -> None:
    made, given = model(), batch(rows=2)
    maps, pooled = made.features(given)
    tokens = made.encoder(made.pixels(given), torch.ones_like(given["visible"]))
    last = maps[:, -320:].unflatten(2, (-1, 8)).unflatten(4, (-1, 8))
    assert torch.equal(last, last[:, :, :, :1, :, :1].expand_as(last))
    assert torch.equal(last[:, :, :, 0, :, 0].flatten(2).transpose(1, 2), tokens)
    assert torch.allclose(pooled, maps.mean((2, 3)), atol=1e-5)
    assert torch.allclose(made.image_vectors(pooled), made.image_vectors(tokens.mean(1)), atol=1e-5)
    # The wide layers of the first stage's two blocks, and its channels.
    for first in maps[:, :360].split((160, 160, 40), 1):
        assert first.mean(1).abs().max() < 1e-5
        assert not torch.allclose(first[..., 0], first[..., 1], atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_builds(size: str) -> None:
    with torch.device("meta"):
        made = GeoMeldFM(GeoMeldConfig(**{**CONFIG.__dict__, "size": size}))
    assert made.predictor.leave.out_features == SIZES[size][1][-1]


def test_every_decoder_has_parameters_of_its_own() -> None:
    made = model()
    names = [m.id for m in TARGETS if m.kind != "vector"]
    parts = [made.decoders[name] for name in names] + [made.predictor, made.encoder]
    owned = [{p.data_ptr() for p in part.parameters()} for part in parts]
    assert all(owned)
    assert len(set.union(*owned)) == sum(len(one) for one in owned)
    given = batch()
    prediction = made(given)
    reconstruction(prediction, given, ())["relief"][0].backward()
    touched = {
        name.split(".")[0] for name, p in made.decoders.named_parameters() if p.grad is not None
    }
    assert touched == {"relief"}


def test_what_is_absent_is_never_read() -> None:
    """Absent values hold NaN in the batch; whatever they hold, all is the same and finite."""
    made, given = model(), batch()
    other = batch()
    for name, values in other["values"].items():
        filling = 1 if name == "worldcover" else 1e6
        other["values"][name] = values.masked_fill(~given["present"][name], filling)
    a, b = loss(made, given), loss(made, other)
    assert torch.isfinite(a)
    assert torch.equal(a, b)
    a.backward()
    assert all(torch.isfinite(p.grad).all() for p in made.parameters() if p.grad is not None)


def test_an_absent_band_is_not_zero() -> None:
    """The mean of a band and its absence are two things for the encoder."""
    made, given = model(), batch()
    given["values"]["sentinel2"] = torch.zeros_like(given["values"]["sentinel2"])
    given["present"]["sentinel2"][:] = True
    at_mean = made.features(given)[1]
    given["present"]["sentinel2"][:, 1] = False
    assert not torch.allclose(at_mean, made.features(given)[1], atol=1e-3)


def test_a_hidden_band_is_kept_from_the_encoder_and_stays_a_target() -> None:
    made, given = model(), batch()
    given["present"]["sentinel2"][:] = True
    given["values"]["sentinel2"] = torch.randn_like(given["values"]["sentinel2"])
    given["hidden_bands"]["sentinel2"][:, 2] = True
    changed = {**given, "values": dict(given["values"])}
    changed["values"]["sentinel2"] = given["values"]["sentinel2"].clone()
    changed["values"]["sentinel2"][:, 2] += 3
    a, b = made(given), made(changed)
    assert torch.equal(a["pooled"], b["pooled"])
    assert not torch.equal(a["teacher"], b["teacher"])
    losses = [reconstruction(p, x, ())["sentinel2"] for p, x in ((a, given), (b, changed))]
    assert losses[0][0] != losses[1][0]
    assert losses[0][1] == losses[1][1]


def test_hidden_pixels_do_not_reach_the_visible_side() -> None:
    made, given = model(), batch()
    changed = {**given, "values": dict(given["values"])}
    seen = (
        given["visible"].view(-1, 1, 4, 4).repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
    )
    changed["values"]["sentinel2"] = torch.where(seen, given["values"]["sentinel2"], torch.nan)
    a, b = made(given), made(changed)
    for name in ("pooled", "forecast", "image"):
        assert torch.equal(a[name], b[name])
    for name in a["maps"]:
        assert torch.equal(a["maps"][name], b["maps"][name])


def test_the_teacher_sees_the_complement_alone() -> None:
    made, given = model(), batch()
    changed = {**given, "values": dict(given["values"])}
    seen = (
        given["visible"].view(-1, 1, 4, 4).repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
    )
    changed["values"]["sentinel2"] = torch.where(seen, 7.0, given["values"]["sentinel2"])
    a, b = made(given), made(changed)
    assert torch.equal(a["teacher"], b["teacher"])
    assert not torch.equal(a["forecast"], b["forecast"])


def test_sentinel1_as_an_input() -> None:
    made, given = model(inputs=(SENTINEL2, SENTINEL1)), batch()
    pooled = made.features(given)[1]
    given["present"]["sentinel1"][:] = False
    without = made.features(given)[1]
    assert torch.isfinite(without).all()
    assert not torch.allclose(pooled, without)
    given["present"]["sentinel2"][:] = False  # nothing is left: still finite
    assert torch.isfinite(loss(made, given))


def test_the_teacher_has_no_gradient_and_follows() -> None:
    made, given = model(), batch()
    assert not list(made.teacher.parameters())
    assert not made(given)["teacher"].requires_grad
    before = {k: v.clone() for k, v in made.teacher.state_dict().items()}
    loss(made, given).backward()
    with torch.no_grad():
        for p in made.encoder.parameters():
            p.add_(1.0)
    made.follow(1.0)
    assert all(torch.equal(before[k], v) for k, v in made.teacher.state_dict().items())
    made.follow(0.75)
    own, other = made.teacher.encoder.state_dict(), made.encoder.state_dict()
    for name, value in own.items():
        expected = 0.75 * before[f"encoder.{name}"] + 0.25 * other[name]
        assert torch.allclose(value, expected, atol=1e-6)
    made.follow(0.0)
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_the_teacher_stays_float32_when_the_model_is_cast() -> None:
    made = model().bfloat16()
    assert {b.dtype for b in made.teacher.buffers()} == {torch.float32}
    assert {p.dtype for p in made.parameters()} == {torch.bfloat16}
    given = batch()
    assert torch.isfinite(loss(made, given))


def test_jepa_learns_in_the_encoder_and_the_predictor_alone() -> None:
    made, given = model(), batch()
    out = made(given)
    jepa(out["forecast"], out["teacher"], out["forecast_counts"])[0].backward()
    touched = {name.split(".")[0] for name, p in made.named_parameters() if p.grad is not None}
    assert touched == {"encoder", "predictor"}


def test_every_parameter_learns() -> None:
    made, given = model(), batch()
    loss(made, given).backward()
    still = [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_a_target_without_any_value_moves_nothing() -> None:
    made, given = model(), batch()
    for name in ("relief", "worldcover", "soil"):
        given["present"][name][:] = False
    terms = geomeld(made(given), given, **WEIGHTS)
    for name in ("relief", "worldcover", "soil"):
        assert terms[name][0] == 0
        assert terms[name][1] == 0
    total = loss(made, given)
    assert torch.isfinite(total)
    total.backward()
    names = [m.id for m in TARGETS]
    moved = {names[i] for i in made.log_variance.grad.nonzero().flatten().tolist()}
    assert moved == {"sentinel2", "sentinel1"}
    assert not any(p.grad.any() for p in made.decoders["relief"].parameters())


def test_ablations_leave_parts_out() -> None:
    bare = model(targets=(SENTINEL2,), predictor_width=0, contrast_width=0)
    terms = geomeld(bare(batch()), batch(), **WEIGHTS)
    assert list(terms) == ["sentinel2"]
    assert {name.split(".")[0] for name, _ in bare.named_parameters()} == {
        "encoder",
        "decoders",
        "log_variance",
    }
    bare.follow(0.5)


def test_uncertainty_weighting_by_hand() -> None:
    made, given = model(), batch()
    with torch.no_grad():
        made.log_variance.copy_(torch.tensor([0.5, -1.0, 0.0, 2.0, 0.25]))
    out = made(given)
    raw = reconstruction(out, given, ("sentinel2",))
    terms = geomeld(out, given, **WEIGHTS)
    for s, m in zip(made.log_variance.tolist(), TARGETS, strict=True):
        (plain, count), (weighted, same) = raw[m.id], terms[m.id]
        assert count == same > 0
        mean = (plain / count).item()
        assert (weighted / count).item() == pytest.approx(math.exp(-s) * mean + s, rel=1e-5)


def test_only_hidden_and_present_pixels_count() -> None:
    """A prediction that is off by 2 everywhere has loss 4, however many pixels count."""
    given = batch()
    out = model()(given)
    for m in (SENTINEL2, RELIEF):
        target = pixels_of(given["values"][m.id], 4, out["restored"][m.id])
        out["maps"][m.id] = target.nan_to_num(1e3) + 2
        total, count = reconstruction(out, given, ())[m.id]
        present = pixels_of(given["present"][m.id], 4, out["restored"][m.id])
        assert count == present.sum()
        assert (total / count).item() == pytest.approx(4.0, rel=1e-5)
    out["vectors"]["soil"] = given["values"]["soil"].nan_to_num(-5) - 3
    total, count = reconstruction(out, given, ())["soil"]
    assert count == given["present"]["soil"].sum()
    assert (total / count).item() == pytest.approx(9.0, rel=1e-5)
    out["classes"]["worldcover"] = torch.zeros_like(out["classes"]["worldcover"])
    total, count = reconstruction(out, given, ())["worldcover"]
    assert (total / count).item() == pytest.approx(math.log(3), rel=1e-5)


def test_of_an_input_the_hidden_patches_count_and_all_of_what_is_never_read() -> None:
    made, given = model(inputs=(SENTINEL2, SENTINEL1)), batch()
    restored = made(given)["restored"]
    for place, visible in enumerate(given["visible"]):
        hidden = (~visible).nonzero().flatten().tolist()
        assert restored["sentinel2"][place].tolist() == hidden
        assert restored["sentinel1"][place].tolist() == hidden
        assert restored["relief"][place].tolist() == list(range(PATCHES))
    # What is seen of an input is no target; what is seen beside it of another modality is one.
    shown = given["visible"].view(-1, 1, 4, 4)
    seen = shown.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)
    before = reconstruction(made(given), given, ())
    given["values"]["sentinel1"] = torch.where(seen, 7.0, given["values"]["sentinel1"])
    given["values"]["worldcover"] = torch.where(seen[:, 0], 0, given["values"]["worldcover"])
    changed = {**given, "present": dict(given["present"])}
    changed["present"]["sentinel1"] = given["present"]["sentinel1"] & ~seen
    after = reconstruction(made(changed), changed, ())
    assert after["sentinel1"][1] == before["sentinel1"][1]
    assert after["worldcover"][0] != before["worldcover"][0]


def test_visible_patches_are_told_pixel_by_pixel_what_is_not_read() -> None:
    made, given = model(), batch()
    assert set(made.fine) == {"sentinel1", "relief", "worldcover"}
    before = made(given)
    with torch.no_grad():
        # Of the map of 16 x 16 pixels a patch, the second of the four pixels of each position.
        made.fine["worldcover"].bias.view(2, 2, 3)[0, 1, 2] += 5
    after = made(given)
    change = (after["classes"]["worldcover"] - before["classes"]["worldcover"]).view(
        3, -1, 16, 16, 3
    )
    shown = given["visible"].view(3, -1, 1, 1, 1).float()
    expected = torch.zeros(16, 16, 3)
    expected[::2, 1::2, 2] = 5
    assert torch.allclose(change, shown * expected, atol=1e-5)
    # What is read and what is coarser than positions has decoders alone.
    coarse = Modality("relief", "map", 1, EDGE // 4)
    assert set(model(inputs=(SENTINEL2, SENTINEL1), targets=(*TARGETS[:2], coarse)).fine) == set()


def test_rows_of_pixels_by_hand() -> None:
    x = torch.arange(16).view(1, 1, 2, 2, 4)
    found = rows_of_pixels(x, 1).view(4, 4)
    assert found.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    two = rows_of_pixels(torch.arange(8).view(1, 1, 2, 2, 2), 2)
    assert two.view(2, 2, 2).tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_pixels_are_those_of_the_patches() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    found = pixels_of(x, 2, torch.tensor([[1, 2]]))
    assert found[0, :, :, 0].tolist() == [[2, 3, 6, 7], [8, 9, 12, 13]]


def test_a_patch_is_standardised_by_what_is_present_in_it() -> None:
    target = torch.tensor([1.0, 3.0, torch.nan, 5.0]).view(1, 1, 4, 1)
    counts = torch.tensor([True, True, False, True]).view(1, 1, 4, 1)
    z = within_patch(target, counts)[counts]
    assert torch.allclose(z, torch.tensor([-2.0, 0.0, 2.0]) / math.sqrt(8 / 3), atol=1e-4)
    assert torch.isfinite(within_patch(target, torch.zeros_like(counts))[counts]).all()


def test_jepa_by_hand() -> None:
    teacher = torch.tensor([[[1.0, 3.0], [0.0, 10.0]]])
    forecast = torch.tensor([[[-1.0, 1.0], [50.0, 50.0]]])
    # Layer-normed the target is (-1, 1); the second patch has nothing measured.
    total, count = jepa(forecast, teacher, torch.tensor([[True, False]]))
    assert count == 2
    assert total.item() == pytest.approx(0.0, abs=1e-6)
    total, _ = jepa(forecast + 0.5, teacher, torch.tensor([[True, False]]))
    assert total.item() == pytest.approx(2 * 0.125, rel=1e-4)
    total, _ = jepa(forecast + 2.0, teacher, torch.tensor([[True, False]]))
    assert total.item() == pytest.approx(2 * 1.5, rel=1e-4)


def test_contrast_by_hand_and_without_the_uncaptioned() -> None:
    image = F.normalize(torch.randn(4, 8), dim=-1)
    text = F.normalize(torch.randn(4, 2, 8), dim=-1)
    sentence = torch.tensor([[0, 5], [-1, 6], [2, -1], [3, 7]])
    total, count = contrast(image, text, torch.tensor(0.2), sentence)
    kept, own = torch.tensor([0, 2, 3]), torch.arange(3)
    # The others' captions are of no tile: the second of the first, second and fourth tile.
    texts = torch.cat([text[kept, 0], text[[0, 1, 3], 1]])
    expected = F.cross_entropy(image[kept] @ texts.T / 0.2, own)
    expected = (expected + F.cross_entropy(text[kept, 0] @ image[kept].T / 0.2, own)) / 2
    assert count == 3
    assert (total / count).item() == pytest.approx(expected.item(), rel=1e-5)
    nothing = torch.full_like(sentence, -1)
    total, count = contrast(image, text, torch.tensor(0.2), nothing)
    assert total == 0
    assert count == 0


def test_who_says_the_same_is_no_negative() -> None:
    image = F.normalize(torch.randn(3, 8), dim=-1)
    text = F.normalize(torch.randn(3, 2, 8), dim=-1)
    # Each tile's own caption, or another with the same words, is all that there is.
    total, count = contrast(image, text, torch.tensor(0.2), torch.full((3, 2), 4))
    assert count == 3
    assert total == 0
    apart = contrast(image, text, torch.tensor(0.2), torch.arange(6).view(3, 2))
    alike = contrast(image, text, torch.tensor(0.2), torch.tensor([[0, 1], [2, 0], [4, 5]]))
    assert alike[0] < apart[0]


def test_the_temperature_is_bounded_and_comes_back() -> None:
    made, given = model(), batch()
    with torch.no_grad():
        made.log_sharpness.fill_(30.0)
    out = made(given)
    assert out["temperature"].item() == pytest.approx(0.01, rel=1e-3)
    with torch.no_grad():
        made.log_sharpness.fill_(6.0)
    made(given)["temperature"].backward()
    assert made.log_sharpness.grad < 0


def test_patches_without_any_value_are_left_out_of_the_mean() -> None:
    tokens = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [2.0], [3.0]]])
    counts = torch.tensor([[True, True, False], [False, False, False]])
    assert pool(tokens, counts).flatten().tolist() == [2.0, 2.0]
    made, given = model(), batch()
    given["present"]["sentinel2"][:, :, :16] = False
    given["present"]["sentinel2"][:, :, 16:] = True
    assert made.measured(given).tolist() == [[False] * 4 + [True] * 12] * 3


def test_stand_in_rows_are_nobodys_negatives() -> None:
    made, given = model(), batch()
    out = made(given)
    given["stand_in"] = torch.tensor(True)
    total, count = geomeld(out, given, **WEIGHTS)["contrast"]
    assert total == 0
    assert count == 0


def test_what_the_model_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="maps of one size"):
        model(inputs=(SENTINEL2, RELIEF))
    with pytest.raises(ValueError, match="maps of one size"):
        model(inputs=(SOIL,))
    with pytest.raises(ValueError, match="cannot be cut"):
        model(targets=(Modality("odd", "map", 1, 50),))
