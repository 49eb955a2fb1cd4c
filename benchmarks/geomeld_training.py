"""How many tiles a second GeoMeld-FM is trained on, beside a dense masked autoencoder of its size.

`PYTHONPATH=. python benchmarks/geomeld_training.py [size] [batch] [rounds]`: Sentinel-2 tiles of 12
bands and 128 x 128 pixels, 26 of 64 patches seen. The comparison is a ConvNeXt-V2 masked
autoencoder as it is computed without a sparse library (Woo et al. 2023, arXiv 2301.00808): every
operation over all positions, what is masked set to zero before whatever looks beyond a position, a
prediction for every patch, and the loss over the hidden ones. It reads 12 channels, having no
notion of absence; here nothing is absent. It is written for speed: channels last, fused norms,
biases outside of convolutions.

All have the same weights, batch, optimiser and process, and take turns. What is counted are CPU
seconds of one thread, which other work on the machine disturbs less. Losses and gradients at equal
weights are compared first.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from models.convnext_v2 import Block, ConvNeXtV2
from models.geomeld_fm import Decoder, GeoMeldConfig, GeoMeldFM, Modality, TileBatch
from models.geomeld_losses import geomeld
from training.masks import visible_patches

EDGE, PATCH, COLUMNS, SEEN = 128, 16, 8, 26
SENTINEL2 = Modality("sentinel2", "map", 12, EDGE)
OTHERS = (
    Modality("sentinel1", "map", 8, EDGE),
    Modality("relief", "map", 2, EDGE),
    Modality("canopy_height", "map", 2, EDGE),
    Modality("worldcover", "classes", 11, EDGE),
    Modality("dynamic_world", "classes", 9, EDGE),
)
WEIGHTS = {"patch_normalised": ("sentinel2",), "jepa_weight": 1.0, "contrast_weight": 1.0}


def model(size: str, whole: bool) -> GeoMeldFM:
    """The autoencoder of Sentinel-2 alone, or GeoMeld-FM with all its parts."""
    torch.manual_seed(0)
    return GeoMeldFM(
        GeoMeldConfig(
            size=size,
            patch=PATCH,
            inputs=(SENTINEL2,),
            targets=(SENTINEL2, *OTHERS) if whole else (SENTINEL2,),
            decoder_width=512,
            decoder_blocks=1,
            predictor_width=256 if whole else 0,
            predictor_blocks=2,
            contrast_width=256 if whole else 0,
            caption_width=384,
        )
    )


def made_batch(rows: int, draw: int) -> TileBatch:
    """Random pixels, all present: time does not depend on what they hold."""
    generator = torch.Generator().manual_seed(draw)
    values = {}
    for m in (SENTINEL2, *OTHERS):
        if m.kind == "classes":
            values[m.id] = torch.randint(m.channels, (rows, EDGE, EDGE), generator=generator)
        else:
            values[m.id] = torch.randn(rows, m.channels, EDGE, EDGE, generator=generator)
    draws = np.arange(draw * rows, (draw + 1) * rows)
    return {
        "values": values,
        "present": {name: torch.ones(v.shape, dtype=torch.bool) for name, v in values.items()},
        "hidden_bands": {"sentinel2": torch.zeros(rows, 12, dtype=torch.bool)},
        "visible": torch.from_numpy(visible_patches(COLUMNS**2, SEEN, 1, draws)),
        "caption": F.normalize(torch.randn(rows, 65, 384, generator=generator), dim=-1),
        "sentence": torch.arange(rows * 65).view(rows, 65),
    }


# The dense way, with the weights of a `GeoMeldFM`.


def cut(x: Tensor, kept: Tensor) -> Tensor:
    """(B, C, h, w) with zero where masked."""
    edge = x.shape[2] // COLUMNS
    grid = kept.view(-1, 1, COLUMNS, COLUMNS).to(x.dtype)
    return x * grid.repeat_interleave(edge, 2).repeat_interleave(edge, 3)


def norm(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """Layer norm of channels."""
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def dense_block(block: Block, x: Tensor, kept: Tensor | None) -> Tensor:
    """A block over all positions; only those kept are seen by neighbours and counted by GRN."""
    kernel, known = block.depthwise.weight, x if kept is None else cut(x, kept)
    y = F.conv2d(known, kernel, padding=3, groups=len(kernel)).permute(0, 2, 3, 1)
    y = y + block.depthwise.bias
    y = F.gelu(block.expand(block.norm(y)))
    seen = y if kept is None else cut(y.permute(0, 3, 1, 2), kept).permute(0, 2, 3, 1)
    energy = torch.linalg.vector_norm(seen, dim=(1, 2), keepdim=True)
    share = energy / (energy.mean(-1, keepdim=True) + 1e-6)
    y = torch.addcmul(block.response.beta, y, 1 + block.response.gamma * share)
    return x + block.reduce(y).permute(0, 3, 1, 2)


def dense_encoder(made: ConvNeXtV2, pixels: Tensor, kept: Tensor, inside: bool) -> Tensor:
    """(B, width, rows, columns), undefined where masked."""
    stem, channels = made.stem, pixels.shape[1]
    x = cut(pixels, kept).contiguous(memory_format=torch.channels_last)
    x = F.conv2d(x, stem.pixel.weight[:, :channels], padding=1)
    x = x + stem.pixel.bias[:, None, None]
    x = norm(stem.norm, stem.depthwise(F.gelu(norm(stem.pixel_norm, x))))
    for stage, blocks in enumerate(made.stages):
        if stage:
            down = made.down[stage - 1]
            weight = down.reduce.weight.unflatten(1, (2, 2, -1)).permute(0, 3, 1, 2)
            x = F.conv2d(norm(down.norm, x), weight, down.reduce.bias, stride=2)
        for block in blocks:
            x = dense_block(block, x, kept if inside else None)
    return norm(made.norm, x)


def dense_decoder(made: Decoder, tokens: Tensor, kept: Tensor) -> Tensor:
    """(B, patches, out) of all patches."""
    x = made.enter(tokens.permute(0, 2, 3, 1))
    x = torch.where(kept.view(-1, COLUMNS, COLUMNS, 1), x, made.mask).permute(0, 3, 1, 2)
    for block in made.blocks:
        x = dense_block(block, x, None)
    return made.leave(norm(made.norm, x).permute(0, 2, 3, 1)).flatten(1, 2)


def dense_autoencoder(made: GeoMeldFM, batch: TileBatch, inside: bool = True) -> Tensor:
    """Mean squared error of hidden patches, each standardised, as Woo et al. compute it.

    Args:
        made: Whose weights are used.
        batch: Nothing of it absent.
        inside: Mask between the blocks, too; otherwise what is masked comes to hold what leaks
            into it, which costs less and is another network.
    """
    pixels, kept = batch["values"]["sentinel2"], batch["visible"]
    tokens = dense_encoder(made.encoder, pixels, kept, inside)
    mean = dense_decoder(made.decoders["sentinel2"], tokens, kept)
    blocks = pixels.unflatten(2, (COLUMNS, PATCH)).unflatten(4, (COLUMNS, PATCH))
    target = blocks.permute(0, 2, 4, 3, 5, 1).flatten(1, 2).flatten(2)
    variance = target.var(-1, keepdim=True, correction=0)
    target = (target - target.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt()
    error = (mean - target).square().mean(-1)
    return (error * ~kept).sum() / (~kept).sum()


def visible_alone(made: GeoMeldFM, batch: TileBatch) -> Tensor:
    """The loss of the training loop."""
    terms = geomeld(made(batch), batch, **WEIGHTS)
    return sum((total / count for total, count in terms.values()), torch.zeros(()))


Loss = Callable[[GeoMeldFM, TileBatch], Tensor]


def compare(size: str) -> tuple[float, float]:
    """Largest relative differences of losses and of gradients at equal weights, in float64."""
    made = model(size, whole=False).double()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "response" in name:
                weight.normal_(std=0.5)
    batch = made_batch(2, 99)
    batch["values"]["sentinel2"] = batch["values"]["sentinel2"].double()
    losses, gradients = [], []
    for loss_of in (visible_alone, dense_autoencoder):
        made.zero_grad()
        loss = loss_of(made, batch)
        loss.backward()
        losses.append(loss.item())
        weights = [p for n, p in made.named_parameters() if n != "log_variance"]
        gradients.append(torch.cat([p.grad.flatten() for p in weights]))
    apart = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    return abs(losses[0] / losses[1] - 1), apart.item()


def step_of(size: str, whole: bool, loss_of: Loss) -> Callable[[TileBatch], float]:
    """A step of training; it returns its CPU seconds."""
    made = model(size, whole).train()
    optimiser = torch.optim.AdamW(made.parameters(), lr=1e-4, weight_decay=0.05)

    def step(batch: TileBatch) -> float:
        started = time.process_time()
        loss_of(made, batch).backward()
        optimiser.step()
        optimiser.zero_grad()
        made.follow(0.996)
        return time.process_time() - started

    return step


def main() -> None:
    """Compare, time, print."""
    size = sys.argv[1] if len(sys.argv) > 1 else "atto"
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    torch.set_num_threads(1)
    loss_apart, gradient_apart = compare(size)
    print(f"{size}, batch of {rows}, torch {torch.__version__}")
    print(f"relative difference of losses {loss_apart:.1e}, of gradients {gradient_apart:.1e}")
    ways = {
        "dense masked autoencoder": step_of(size, False, dense_autoencoder),
        "the same, visible patches only": step_of(size, False, visible_alone),
        "dense, masked at its input alone": step_of(
            size, False, partial(dense_autoencoder, inside=False)
        ),
        "GeoMeld-FM, all parts": step_of(size, True, visible_alone),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        batch = made_batch(rows, turn)
        for name, step in ways.items():
            taken = step(batch)
            if turn:  # The first of each allocates.
                seconds[name].append(taken)
    dense = seconds["dense masked autoencoder"]
    for name, found in seconds.items():
        gains = [a / b for a, b in zip(dense, found, strict=True)]
        print(
            f"{name}: {rows / statistics.median(found):.2f} tiles a CPU second "
            f"({rows / max(found):.2f} to {rows / min(found):.2f}), "
            f"{statistics.median(gains):.2f} x dense ({min(gains):.2f} to {max(gains):.2f})"
        )


if __name__ == "__main__":
    main()
