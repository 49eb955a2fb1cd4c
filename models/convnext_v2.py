"""ConvNeXt-V2 for small multispectral tiles, computed on the visible patches only.

Belongs here: the encoder, its sizes, and the layout of visible patches. Never here: decoders,
losses, masks' randomness, what a band means.

After Woo et al. 2023, "ConvNeXt V2" (arXiv 2301.00808): depthwise 7 x 7 convolution, norm,
pointwise MLP with Global Response Normalisation. Stem after MP-MAE (Nedungadi et al. 2024, arXiv
2405.02771): a 3 x 3 convolution at full resolution, then a depthwise one of stride patch / 8, so
that a patch of 16 pixels is one position of the last stage.

Masked-out pixels do not exist for the encoder. Its tokens are those of visible patches, and all
that works position by position (norms, MLPs, and the 2 x 2 steps down, which never cross a patch's
edge) is computed for them alone. The two operations that look across a patch's edge, the 3 x 3
stem and the depthwise 7 x 7, read zeros in the place of masked patches: that is masked dense
convolution, without a sparse library. GRN's statistics are those of a sample's visible positions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

Size = Literal["atto", "femto", "pico", "nano", "tiny", "base"]

SIZES: dict[Size, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
}
"""Blocks and channels of the four stages (arXiv 2301.00808, appendix A.1)."""
STEPS = 8
"""Three steps down by two after the stem."""
EPSILON = 1e-6
INITIAL_STD = 0.02


@dataclass(frozen=True)
class Patches:
    """Which patches are computed, and where their positions lie in the dense map.

    Tokens are (B, V, p, p, C): the V visible patches of each sample in row-major order, each with
    p x p positions, p halved from stage to stage.
    """

    index: Tensor
    """(B, V) int64, place of each visible patch among the rows x columns patches."""
    rows: int
    columns: int

    @classmethod
    def visible(cls, visible: Tensor, columns: int) -> "Patches":
        """Layout of a mask.

        Args:
            visible: (B, rows * columns) bool, the same count of True in every row.
            columns: Patches of a row of the tile.

        Raises:
            ValueError: The counts differ, or nothing is visible.
        """
        counts = visible.sum(1)
        seen = int(counts[0])
        if seen == 0 or bool((counts != seen).any()):
            raise ValueError(f"every sample must see the same patches > 0, got {counts.tolist()}")
        index = visible.nonzero()[:, 1].view(len(visible), seen)
        return cls(index, visible.shape[1] // columns, columns)

    def positions(self, p: int) -> Tensor:
        """(B * V * p * p,) places of all positions in a dense (B, rows * p, columns * p) map."""
        b, device = len(self.index), self.index.device
        inside = torch.arange(p, device=device)
        y = (self.index // self.columns * p)[:, :, None, None] + inside[:, None]
        x = (self.index % self.columns * p)[:, :, None, None] + inside
        sample = torch.arange(b, device=device)[:, None, None, None]
        return ((sample * self.rows * p + y) * self.columns * p + x).flatten()

    def spread(self, x: Tensor, positions: Tensor) -> Tensor:
        """Tokens (B, V, p, p, C) -> dense (B, C, rows * p, columns * p), zero where masked."""
        b, _, p, _, c = x.shape
        if self.complete:
            dense = x.view(b, self.rows, self.columns, p, p, c).transpose(2, 3)
        else:
            dense = x.new_zeros(b * self.rows * self.columns * p * p, c)
            dense = dense.index_copy(0, positions, x.reshape(-1, c))
        return dense.reshape(b, self.rows * p, self.columns * p, c).permute(0, 3, 1, 2)

    def collect(self, dense: Tensor, positions: Tensor) -> Tensor:
        """Dense (B, C, rows * p, columns * p) -> tokens (B, V, p, p, C)."""
        b, c, height, _ = dense.shape
        p = height // self.rows
        x = dense.permute(0, 2, 3, 1)
        if self.complete:
            x = x.reshape(b, self.rows, p, self.columns, p, c).transpose(2, 3)
        else:
            x = x.reshape(-1, c).index_select(0, positions)
        return x.reshape(b, self.index.shape[1], p, p, c)

    @property
    def complete(self) -> bool:
        """Whether every patch is visible."""
        return self.index.shape[1] == self.rows * self.columns

    def windows(self, pixels: Tensor, halo: int) -> Tensor:
        """Each visible patch with a margin of its neighbours; masked and outer pixels are zero.

        Args:
            pixels: (B, C, height, width); what masked pixels hold is never read.
            halo: Pixels of margin.

        Returns:
            (B * V, C, patch + 2 halo, patch + 2 halo).
        """
        b, c, height, width = pixels.shape
        patch = height // self.rows
        if not self.complete:
            seen = torch.zeros(b, self.rows * self.columns, 1, device=pixels.device)
            seen = seen.scatter(1, self.index.unsqueeze(-1), 1.0).bool()
            seen = seen.view(b, 1, self.rows, 1, self.columns, 1)
            blocks = pixels.view(b, c, self.rows, patch, self.columns, patch)
            pixels = torch.where(seen, blocks, 0).view(b, c, height, width)
        edge = patch + 2 * halo
        cut = F.pad(pixels, [halo] * 4).unfold(2, edge, patch).unfold(3, edge, patch)
        row, column = self.index // self.columns, self.index % self.columns
        sample = torch.arange(b, device=pixels.device)[:, None]
        return cut[sample, :, row, column].flatten(0, 1)


class GlobalResponseNorm(nn.Module):
    """x + gamma * (x * N(x)) + beta, N a channel's energy over the mean energy of all channels.

    Energy is the L2 norm over a sample's positions: those that are there, so that it does not
    matter how many are masked.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, p, p, C) -> the same."""
        precise = torch.promote_types(x.dtype, torch.float32)
        energy = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True, dtype=precise)
        share = (energy / (energy.mean(-1, keepdim=True) + EPSILON)).to(x.dtype)
        return torch.addcmul(self.beta, x, 1 + self.gamma * share)


class Convolution(nn.Conv2d):
    """Adds its bias after torch's convolution, which on CPUs takes long for a bias's gradient.

    Weights are read in the forward of the module that owns them, as ZeRO-3 wants it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C', h', w')."""
        y = F.conv2d(x, self.weight, None, self.stride, self.padding, self.dilation, self.groups)
        return y + self.bias[:, None, None]


class Block(nn.Module):
    """Depthwise 7 x 7, norm, pointwise MLP with GRN, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = Convolution(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.expand = nn.Linear(width, 4 * width)
        self.response = GlobalResponseNorm(4 * width)
        self.reduce = nn.Linear(4 * width, width)

    def forward(
        self, x: Tensor, patches: Patches, positions: Tensor, wanted: Tensor | None = None
    ) -> Tensor:
        """Only the depthwise convolution is computed densely.

        Args:
            x: (B, V, p, p, C).
            patches: Of the V patches.
            positions: Of `x` in the dense map.
            wanted: (B, W) int64, patches whose output is wanted; by default all.

        Returns:
            (B, W, p, p, C).
        """
        wide = self.wide(x, patches, positions)
        if wanted is not None:
            x, wide = take(x, wanted), take(wide, wanted)
        return x + self.reduce(wide)

    def wide(self, x: Tensor, patches: Patches, positions: Tensor) -> Tensor:
        """The layer of the MLP between its two maps.

        Args:
            x: (B, V, p, p, C).
            patches: Of the V patches.
            positions: Of `x` in the dense map.

        Returns:
            (B, V, p, p, 4 C).
        """
        mixed = patches.collect(self.depthwise(patches.spread(x, positions)), positions)
        return self.response(F.gelu(self.expand(self.norm(mixed))))


def take(x: Tensor, index: Tensor) -> Tensor:
    """(B, V, ...) and (B, W) int64 -> (B, W, ...), of each sample its entries at `index`."""
    first = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    return x.flatten(0, 1).index_select(0, (first + index).flatten()).unflatten(0, index.shape)


class Down(nn.Module):
    """Norm, then a convolution of 2 x 2 and stride 2, which stays inside a patch."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.reduce = nn.Linear(4 * width, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, p, p, C) -> (B, V, p / 2, p / 2, C')."""
        b, v, p, _, c = x.shape
        quads = self.norm(x).view(b, v, p // 2, 2, p // 2, 2, c).transpose(3, 4)
        return self.reduce(quads.reshape(b, v, p // 2, p // 2, 4 * c))


class Stem(nn.Module):
    """3 x 3 convolution + norm + GELU, then a depthwise step of stride patch / 8 + norm."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.pixel = Convolution(channels, width, 3)
        self.pixel_norm = nn.LayerNorm(width, eps=EPSILON)
        self.depthwise = nn.Conv2d(width, width, stride, stride=stride, groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, pixels: Tensor, patches: Patches) -> Tensor:
        """(B, channels, height, width) -> tokens (B, V, 8, 8, width)."""
        x = self.pixel(patches.windows(pixels, halo=1))
        x = F.gelu(self.pixel_norm(x.permute(0, 2, 3, 1)))
        x = self.norm(self.depthwise(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return x.unflatten(0, patches.index.shape)


class ConvNeXtV2(nn.Module):
    """Encoder of tiles: one token of the last stage for each visible patch."""

    def __init__(self, size: Size, channels: int, patch: int) -> None:
        """Build the encoder.

        Args:
            size: One of `SIZES`.
            channels: Channels of the pixels.
            patch: Edge of a patch in pixels, a multiple of 8.

        Raises:
            ValueError: The patch is no multiple of 8.
        """
        super().__init__()
        if patch % STEPS:
            raise ValueError(f"patch must be a multiple of {STEPS}, got {patch}")
        blocks, widths = SIZES[size]
        self.patch, self.width = patch, widths[-1]
        self.pyramid_width = 4 * widths[0] * blocks[0] + sum(widths)
        self.stem = Stem(channels, widths[0], patch // STEPS)
        self.down = nn.ModuleList(
            Down(width, out) for width, out in zip(widths[:-1], widths[1:], strict=True)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(Block(width) for _ in range(count))
            for count, width in zip(blocks, widths, strict=True)
        )
        self.norm = nn.LayerNorm(self.width, eps=EPSILON)
        self.apply(initialise)

    def forward(self, pixels: Tensor, visible: Tensor) -> Tensor:
        """Tokens of the visible patches.

        Args:
            pixels: (B, channels, height, width); may hold anything, NaN too, where masked.
            visible: (B, patches) bool in row-major order, the same count of True in every row.

        Returns:
            (B, V, width), in the order of the patches.

        Raises:
            ValueError: The tile is not made of whole patches, or counts differ.
        """
        *_, (last, _) = self._stages(pixels, self._patches(pixels, visible))
        return self.norm(last[:, :, 0, 0])

    def pyramid(self, pixels: Tensor, visible: Tensor) -> Tensor:
        """What all stages know of each position of the first one.

        Args:
            pixels: As for `forward`.
            visible: As for `forward`.

        Returns:
            (B, V, 8, 8, pyramid width): positions of patch / 8 pixels. First the wide layers of
            the first stage's blocks: with its few channels alone, little would be known of a
            single position. Then the channels of all stages; the last ones, alike in a whole
            patch, are its token. Each layer and stage is standardised by itself.
        """
        (first, wide), *middle, (last, _) = self._stages(pixels, self._patches(pixels, visible))
        fine = [*wide, first, *(x for x, _ in middle)]
        normed = [F.layer_norm(x, x.shape[-1:], eps=EPSILON) for x in fine]
        parts = []
        for x in (*normed, self.norm(last)):
            b, v, p, _, c = x.shape
            times = STEPS // p
            wide = x[:, :, :, None, :, None].expand(b, v, p, times, p, times, c)
            parts.append(wide.reshape(b, v, STEPS, STEPS, c))
        return torch.cat(parts, -1)

    def _patches(self, pixels: Tensor, visible: Tensor) -> Patches:
        height, width = pixels.shape[2:]
        columns = width // self.patch
        if height % self.patch or width % self.patch:
            raise ValueError(f"{height} x {width} pixels are not whole patches of {self.patch}")
        if visible.shape[1] != height // self.patch * columns:
            raise ValueError(f"{visible.shape[1]} patches do not fit {height} x {width} pixels")
        return Patches.visible(visible, columns)

    def _stages(self, pixels: Tensor, patches: Patches) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Output of each stage, (B, V, p, p, C), and the wide layers of its blocks."""
        x = self.stem(pixels, patches)
        for stage, blocks in enumerate(self.stages):
            if stage:
                x = self.down[stage - 1](x)
            positions, wide = patches.positions(x.shape[2]), []
            for block in blocks:
                wide.append(block.wide(x, patches, positions))
                x = x + block.reduce(wide[-1])
            yield x, wide


def initialise(module: nn.Module) -> None:
    """Truncated normal weights, zero biases (arXiv 2301.00808)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INITIAL_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
