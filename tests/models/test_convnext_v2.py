"""What is masked does not exist for the encoder; sizes; the same numbers as a plain ConvNeXt-V2."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.convnext_v2 import SIZES, ConvNeXtV2, GlobalResponseNorm, Patches

PATCH = 16
# Parameters of the published encoders with their own stem on RGB, in millions (arXiv 2301.00808).
PUBLISHED = {"atto": 3.7, "femto": 5.2, "pico": 9.1, "nano": 15.6, "tiny": 28.6, "base": 89.0}
CLASSIFIER = 1000  # classes of the head that those numbers include


def encoder(channels: int = 3, seed: int = 0) -> ConvNeXtV2:
    torch.manual_seed(seed)
    made = ConvNeXtV2("atto", channels, PATCH)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "response" in name:
                weight.normal_(std=0.5)
            elif weight.ndim > 1:
                weight.mul_(5)
    return made.eval()


def mask(rows: int, patches: int, visible: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(rows, patches, generator=generator)
    return scores.argsort(1).argsort(1) < visible


def blown_up(visible: Tensor, columns: int, edge: int) -> Tensor:
    """(B, patches) -> (B, 1, rows * edge, columns * edge)."""
    b = len(visible)
    grid = visible.view(b, 1, -1, columns)
    return grid.repeat_interleave(edge, 2).repeat_interleave(edge, 3)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_the_published_number_of_parameters(size: str) -> None:
    with torch.device("meta"):
        made = ConvNeXtV2(size, 24, PATCH)
    assert made.width == SIZES[size][1][-1]
    stem = sum(p.numel() for p in made.stem.parameters())
    first = SIZES[size][1][0]
    published_stem = 3 * 16 * first + 3 * first  # 4 x 4 convolution and norm
    count = sum(p.numel() for p in made.parameters()) - stem + published_stem
    count += (made.width + 1) * CLASSIFIER
    assert count / 1e6 == pytest.approx(PUBLISHED[size], abs=0.06 if size != "base" else 0.4)


@pytest.mark.parametrize("size", SIZES)
def test_shapes_of_every_size(size: str) -> None:
    with torch.device("meta"):
        made = ConvNeXtV2(size, 5, PATCH)
        x = made.stem(torch.empty(2, 5, 32, 48), patches := Patches(torch.empty(2, 6).long(), 2, 3))
        for stage, blocks in enumerate(made.stages):
            x = x if not stage else made.down[stage - 1](x)
            assert x.shape == (2, 6, 8 >> stage, 8 >> stage, SIZES[size][1][stage])
            for block in blocks:
                x = block(x, patches, torch.empty(0))


@pytest.mark.parametrize("content", [torch.nan, torch.inf, 1e30, "noise"])
def test_masked_pixels_cannot_influence_visible_tokens(content: float | str) -> None:
    made, visible = encoder(), mask(2, 16, 7)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 64, 64, generator=generator)
    pixels = blown_up(visible, 4, PATCH)
    filling = torch.randn(x.shape, generator=generator) * 100 if content == "noise" else content
    other = torch.where(pixels, x, filling)
    with torch.no_grad():
        assert torch.equal(made(x, visible), made(other, visible))
        fine = made.pyramid(x, visible)
        assert fine.shape == (2, 7, 8, 8, made.pyramid_width)
        assert torch.equal(fine, made.pyramid(other, visible))
        assert torch.equal(fine[:, :, 5, 2, -made.width :], made(x, visible))
        # The test can fail: a visible pixel does change them.
        place = pixels[0, 0].nonzero()[0]
        other[0, 0, place[0], place[1]] += 1
        assert not torch.equal(made(x, visible)[0], made(other, visible)[0])
        assert torch.equal(made(x, visible)[1], made(other, visible)[1])


def test_no_gradient_reaches_masked_pixels() -> None:
    made, visible = encoder(), mask(1, 16, 5)
    x = torch.randn(1, 3, 64, 64).requires_grad_()
    made(x, visible).square().sum().backward()
    pixels = blown_up(visible, 4, PATCH).expand_as(x)
    assert (x.grad[~pixels] == 0).all()
    assert (x.grad[pixels] != 0).float().mean() > 0.99


def visible_only(made: ConvNeXtV2, pixels: Tensor, visible: Tensor) -> Tensor:
    """The encoder on one tile, position by position, from a table of what is visible alone."""
    columns = pixels.shape[2] // PATCH
    patches = [divmod(int(i), columns) for i in visible.nonzero()]

    def places(edge: int) -> list[tuple[int, int]]:
        inside = list(itertools.product(range(edge), repeat=2))
        return [(r * edge + i, c * edge + j) for r, c in patches for i, j in inside]

    def norm(layer: torch.nn.LayerNorm, found: dict) -> dict:
        return {at: layer(x) for at, x in found.items()}

    def taps(found: dict, weight: Tensor, bias: Tensor, reach: int, grouped: bool) -> dict:
        out = {}
        for y, x in found:
            total = bias.clone()
            for dy, dx in itertools.product(range(-reach, reach + 1), repeat=2):
                if (near := found.get((y + dy, x + dx))) is not None:
                    w = weight[:, :, dy + reach, dx + reach]
                    total = total + (w[:, 0] * near if grouped else w @ near)
            out[y, x] = total
        return out

    stem = made.stem
    found = {(y, x): pixels[:, y, x] for y, x in places(PATCH)}
    found = taps(found, stem.pixel.weight, stem.pixel.bias, 1, grouped=False)
    found = {at: F.gelu(x) for at, x in norm(stem.pixel_norm, found).items()}
    found = {
        (y, x): stem.depthwise.bias
        + sum(
            stem.depthwise.weight[:, 0, i, j] * found[2 * y + i, 2 * x + j]
            for i, j in itertools.product(range(2), repeat=2)
        )
        for y, x in places(8)
    }
    found = norm(stem.norm, found)
    for stage, blocks in enumerate(made.stages):
        if stage:
            down = made.down[stage - 1]
            found = norm(down.norm, found)
            found = {
                (y, x): down.reduce(
                    torch.cat([found[2 * y + i, 2 * x + j] for i in (0, 1) for j in (0, 1)])
                )
                for y, x in places(8 >> stage)
            }
        for block in blocks:
            depthwise = block.depthwise
            mixed = taps(found, depthwise.weight, depthwise.bias, 3, grouped=True)
            wide = {at: F.gelu(block.expand(x)) for at, x in norm(block.norm, mixed).items()}
            energy = torch.stack(list(wide.values())).square().sum(0).sqrt()
            share = energy / (energy.mean() + 1e-6)
            grn = block.response
            found = {
                at: found[at] + block.reduce(grn.gamma * (x * share) + grn.beta + x)
                for at, x in wide.items()
            }
    return torch.stack([made.norm(found[at]) for at in patches])


@torch.no_grad()
def test_it_equals_a_computation_on_visible_pixels_alone() -> None:
    made, visible = encoder().double(), mask(2, 6, 2, seed=3)
    x = torch.randn(2, 3, 32, 48, dtype=torch.float64)
    out = made(x, visible)
    for row in range(2):
        expected = visible_only(made, x[row], visible[row])
        assert torch.allclose(out[row], expected, rtol=1e-9, atol=1e-9)


def dense_masked(made: ConvNeXtV2, x: Tensor, visible: Tensor) -> Tensor:
    """A plain dense ConvNeXt-V2 that zeroes the masked positions after every spatial mixing."""
    columns = x.shape[3] // PATCH

    def cut(y: Tensor) -> Tensor:
        return y * blown_up(visible, columns, y.shape[3] // columns)

    def norm(layer: torch.nn.LayerNorm, y: Tensor) -> Tensor:
        return layer(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    stem = made.stem
    y = F.conv2d(cut(x), stem.pixel.weight, stem.pixel.bias, padding=1)
    y = norm(stem.norm, stem.depthwise(F.gelu(norm(stem.pixel_norm, y))))
    for stage, blocks in enumerate(made.stages):
        if stage:
            down = made.down[stage - 1]
            c = y.shape[1]
            weight = down.reduce.weight.view(-1, 2, 2, c).permute(0, 3, 1, 2)
            y = F.conv2d(norm(down.norm, y), weight, down.reduce.bias, stride=2)
        for block in blocks:
            z = norm(block.norm, block.depthwise(cut(y))).permute(0, 2, 3, 1)
            z = F.gelu(block.expand(z))
            seen = blown_up(visible, columns, y.shape[3] // columns).permute(0, 2, 3, 1)
            energy = (z * seen).square().sum((1, 2), keepdim=True).sqrt()
            share = energy / (energy.mean(-1, keepdim=True) + 1e-6)
            grn = block.response
            y = cut(y + block.reduce(grn.gamma * (z * share) + grn.beta + z).permute(0, 3, 1, 2))
    return made.norm(y.flatten(2).transpose(1, 2))


@pytest.mark.parametrize("visible", [5, 16])
def test_visible_patches_alone_give_what_masked_dense_convolution_gives(visible: int) -> None:
    """Values and gradients; with nothing masked it is the plain dense network."""
    made, shown = encoder().double(), mask(2, 16, visible)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    out = made(x, shown)
    out.square().sum().backward()
    ours = [p.grad.clone() for p in made.parameters()]
    made.zero_grad()
    dense = dense_masked(made, x, shown)[shown].view_as(out)
    dense.square().sum().backward()
    assert torch.allclose(out, dense, rtol=1e-9, atol=1e-9)
    for own, weight in zip(ours, made.parameters(), strict=True):
        assert torch.allclose(own, weight.grad, rtol=1e-6, atol=1e-6)


def test_a_tile_does_not_depend_on_the_others_of_its_batch() -> None:
    made, visible = encoder().double(), mask(3, 16, 6)
    x = torch.randn(3, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        alone = torch.cat([made(x[i : i + 1], visible[i : i + 1]) for i in range(3)])
        assert torch.allclose(made(x, visible), alone, rtol=1e-10, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 4]), st.data()
)
def test_spreading_and_collecting_are_inverse(
    rows: int, high: int, wide: int, p: int, data: st.DataObject
) -> None:
    seen = data.draw(st.integers(1, high * wide))
    visible = mask(rows, high * wide, seen, seed=data.draw(st.integers(0, 99)))
    patches = Patches.visible(visible, wide)
    x = torch.randn(rows, seen, p, p, 3)
    positions = patches.positions(p)
    dense = patches.spread(x, positions)
    assert torch.equal(patches.collect(dense, positions), x)
    assert (dense * ~blown_up(visible, wide, p) == 0).all()


def test_response_norm_does_not_depend_on_how_many_positions_there_are() -> None:
    norm = GlobalResponseNorm(6)
    torch.nn.init.normal_(norm.gamma)
    x = torch.randn(1, 2, 2, 2, 6)
    twice = torch.cat([x, x], dim=1)
    assert torch.allclose(norm(twice)[:, :2], norm(x), atol=1e-5)
    assert torch.isfinite(norm(torch.zeros_like(x))).all()


def test_what_does_not_fit_is_refused() -> None:
    made = encoder()
    with pytest.raises(ValueError, match="same patches"):
        made(torch.zeros(2, 3, 32, 32), torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0]]).bool())
    with pytest.raises(ValueError, match="same patches"):
        made(torch.zeros(1, 3, 32, 32), torch.zeros(1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="whole patches"):
        made(torch.zeros(1, 3, 30, 32), torch.ones(1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="do not fit"):
        made(torch.zeros(1, 3, 32, 32), torch.ones(1, 9, dtype=torch.bool))
    with pytest.raises(ValueError, match="multiple of 8"):
        ConvNeXtV2("atto", 3, 12)
