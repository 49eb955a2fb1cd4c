"""What any encoder of tiles must beat: features that nobody trained.

Belongs here: per-band statistics, random convolutions, a network as it was initialised, and the
bands of single pixels. Never here: trained encoders, probes.

All read the same modalities and bands, standardised in the same way, as the encoder that they stand
beside. They know what is absent by the masks alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from fusion.tiles.tile import Tile
from models.geomeld_fm import GeoMeldConfig, GeoMeldFM, TileBatch
from training.tile_schema import TileSchema
from training.tiles import encode

KERNELS = 128
"""Random kernels; each gives two features (Rolf et al. 2021, doi 10.1038/s41467-021-24638-z)."""
KERNEL_EDGE = 3
BIAS = 1.0
_TILES = 16


class Encoder(Protocol):
    """Makes features of tiles."""

    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """(n, rows, columns, d) of patches and (n, e) of whole tiles."""
        ...


@dataclass(frozen=True)
class Untrained:
    """A network of the same size with its first random weights."""

    config: GeoMeldConfig
    schema: TileSchema
    """Of the modalities that the network reads."""
    seed: int

    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = GeoMeldFM(self.config).eval()
        return _features(tiles, self.schema, lambda batch: self._forward(model, batch))

    @torch.no_grad()
    def _forward(self, model: GeoMeldFM, batch: TileBatch) -> tuple[Tensor, Tensor]:
        tokens, pooled = model.features(batch)
        return tokens.unflatten(1, (-1, model.columns)), pooled


@dataclass(frozen=True)
class BandStatistics:
    """Mean, deviation and share of present pixels of each band, of patches and of tiles."""

    schema: TileSchema

    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder`."""

        def statistics(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, present = _maps(batch, self.schema)
            patch = self.schema.patch
            cut = [x.unflatten(2, (-1, patch)).unflatten(4, (-1, patch)) for x in (values, present)]
            patches = [x.permute(0, 2, 4, 1, 3, 5).flatten(4) for x in cut]
            return _summary(*patches), _summary(values.flatten(2), present.flatten(2))

        return _features(tiles, self.schema, statistics)


@dataclass(frozen=True)
class RandomKernels:
    """Means of what random kernels answer above and below their bias (MOSAIKS)."""

    schema: TileSchema
    seed: int

    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder`."""
        bands = sum(len(m.bands) for m in self.schema.modalities)
        generator = torch.Generator().manual_seed(self.seed)
        shape = (KERNELS, bands, KERNEL_EDGE, KERNEL_EDGE)
        kernels = torch.randn(shape, generator=generator) / (bands**0.5 * KERNEL_EDGE)

        def answers(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, _ = _maps(batch, self.schema)
            answer = F.conv2d(values, kernels, padding=KERNEL_EDGE // 2)
            means = torch.cat(
                [F.avg_pool2d(F.relu(sign * answer - BIAS), self.schema.patch) for sign in (1, -1)],
                dim=1,
            )
            return means.permute(0, 2, 3, 1), means.mean((2, 3))

        return _features(tiles, self.schema, answers)


@dataclass(frozen=True)
class Pixels:
    """The bands of each pixel alone, with a share of present ones: for maps of classes.

    As fine as the map itself, which no encoder of patches is.
    """

    schema: TileSchema

    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """See `Encoder`; the features of tiles are the means over pixels."""

        def bands(batch: TileBatch) -> tuple[Tensor, Tensor]:
            values, present = _maps(batch, self.schema)
            found = torch.cat([values, present.mean(1, keepdim=True)], 1)
            return found.permute(0, 2, 3, 1), found.mean((2, 3))

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


def _features(tiles: Iterable[Tile], schema: TileSchema, of_batch) -> tuple[np.ndarray, np.ndarray]:
    patches, whole = [], []
    for part in _parts(tiles):
        tokens, pooled = of_batch(encode(schema, part))
        patches.append(tokens.numpy())
        whole.append(pooled.numpy())
    return np.concatenate(patches), np.concatenate(whole)


def _parts(tiles: Iterable[Tile]) -> Iterator[list[Tile]]:
    rest = iter(tiles)
    while part := list(islice(rest, _TILES)):
        yield part
