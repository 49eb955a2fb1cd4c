"""What any encoder of tiles must beat: features that nobody trained.

Belongs here: per-band statistics, random convolutions, a network as it was initialised, and the
bands of single pixels. Never here: trained encoders, probes.

All read the same modalities and bands, standardised in the same way, as the encoder that they stand
beside. They know what is absent by the masks alone. Those that look at patches know as much of each
position, an eighth of a patch's edge, as the encoder: what is in it, and what is in its patch.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from fusion.tiles.tile import Tile
from models.convnext_v2 import STEPS
from models.geomeld_fm import GeoMeldConfig, GeoMeldFM, TileBatch
from training.tile_features import in_parts
from training.tile_schema import TileSchema
from training.tiles import encode

KERNELS = 128
"""Random kernels; each gives two features (Rolf et al. 2021, doi 10.1038/s41467-021-24638-z)."""
KERNEL_EDGE = 3
BIAS = 1.0


Features = Iterator[tuple[np.ndarray, np.ndarray]]
"""(n, rows, columns, d) of positions and (n, e) of tiles, for some tiles at a time."""


class Encoder(Protocol):
    """Makes features of tiles."""

    def features(self, tiles: Iterable[Tile]) -> Features:
        """Of the tiles in their order."""
        ...


@dataclass(frozen=True)
class Untrained:
    """A network of the same size with its first random weights."""

    config: GeoMeldConfig
    schema: TileSchema
    """Of the modalities that the network reads."""
    seed: int

    def features(self, tiles: Iterable[Tile]) -> Features:
        """See `Encoder`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = GeoMeldFM(self.config).eval()
        return _features(tiles, self.schema, model.features)


@dataclass(frozen=True)
class BandStatistics:
    """Mean, deviation and share of present pixels of each band."""

    schema: TileSchema

    def features(self, tiles: Iterable[Tile]) -> Features:
        """See `Encoder`."""

        def statistics(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, present = _maps(batch, self.schema)

            def within(edge: int) -> Tensor:
                cut = [
                    x.unflatten(2, (-1, edge)).unflatten(4, (-1, edge)) for x in (values, present)
                ]
                found = _summary(*(x.permute(0, 2, 4, 1, 3, 5).flatten(4) for x in cut))
                return found.permute(0, 3, 1, 2)

            return _fine(within, self.schema.patch), _summary(values.flatten(2), present.flatten(2))

        return _features(tiles, self.schema, statistics)


@dataclass(frozen=True)
class RandomKernels:
    """Means of what random kernels answer above and below their bias (MOSAIKS)."""

    schema: TileSchema
    seed: int

    def features(self, tiles: Iterable[Tile]) -> Features:
        """See `Encoder`."""
        bands = sum(len(m.bands) for m in self.schema.modalities)
        generator = torch.Generator().manual_seed(self.seed)
        shape = (KERNELS, bands, KERNEL_EDGE, KERNEL_EDGE)
        kernels = torch.randn(shape, generator=generator) / (bands**0.5 * KERNEL_EDGE)

        def answers(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, _ = _maps(batch, self.schema)
            answer = F.conv2d(values, kernels, padding=KERNEL_EDGE // 2)
            above = torch.cat([F.relu(sign * answer - BIAS) for sign in (1, -1)], dim=1)
            fine = _fine(lambda edge: F.avg_pool2d(above, edge), self.schema.patch)
            return fine, above.mean((2, 3))

        return _features(tiles, self.schema, answers)


@dataclass(frozen=True)
class Pixels:
    """The bands of each pixel alone, with a share of present ones: for maps of classes."""

    schema: TileSchema

    def features(self, tiles: Iterable[Tile]) -> Features:
        """See `Encoder`; the features of tiles are the means over pixels."""

        def bands(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, present = _maps(batch, self.schema)
            found = torch.cat([values, present.mean(1, keepdim=True)], 1)
            return found, found.mean((2, 3))

        return _features(tiles, self.schema, bands)


def _maps(batch: TileBatch, schema: TileSchema) -> tuple[Tensor, Tensor]:
    """(B, bands, h, w) z-scores, 0 where absent, and 1 where present, as float32."""
    present = torch.cat([batch["present"][m.id] for m in schema.modalities], 1)
    values = torch.cat([batch["values"][m.id] for m in schema.modalities], 1)
    return torch.where(present, values, 0.0), present.float()


def _summary(values: Tensor, present: Tensor) -> Tensor:
    """(..., bands, pixels) -> (..., 3 bands); where nothing is present, mean and deviation are 0.

    The values are 0 where they are absent.
    """
    count = present.sum(-1)
    mean = values.sum(-1) / count.clamp(min=1)
    square = (values - mean.unsqueeze(-1)).square() * present
    deviation = (square.sum(-1) / count.clamp(min=1)).sqrt()
    return torch.cat([mean, deviation, present.mean(-1)], -1)


def _fine(within: Callable[[int], Tensor], patch: int) -> Tensor:
    """Features of positions of patch / 8 pixels, and beside them those of their patch.

    Args:
        within: Edge of cells in pixels -> (B, C, rows, columns) of them.
        patch: Edge of a patch.
    """
    fine = within(patch // STEPS)
    return torch.cat([fine, F.interpolate(within(patch), size=fine.shape[2:])], 1)


@torch.no_grad()
def _features(
    tiles: Iterable[Tile],
    schema: TileSchema,
    of_batch: Callable[[TileBatch], tuple[Tensor, Tensor]],
) -> Features:
    for part in in_parts(tiles):
        maps, whole = of_batch(encode(schema, part))
        yield maps.permute(0, 2, 3, 1).numpy(), whole.numpy()
