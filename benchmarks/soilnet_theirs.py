"""SoilNet as its authors compute it, re-enacted with plain modules for benchmarks.

After arXiv 2508.03785 and its code: photographs at their own size, padded to the largest of the
batch, a masked mean over an encoder's features of them, random crops of 224 x 224 pixels of each
segment through another encoder, a BiLSTM for depths, one for each of six properties and one for
symbols. Sizes and encoder are given, so that it can be measured as published and beside a model of
other sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CROP = 224
STOP = 0.99
"""A depth from here on is the end of the profile."""


@dataclass(frozen=True)
class Sizes:
    """Of the modules; the published ones by default.

    Attributes:
        features: Channels of the encoder.
        picture: What the mean over a photograph is projected to.
        site: Of place, date and site.
        depths: Of the depth predictor.
        properties: Of each property's predictor.
        told: Of properties, as symbols are told them.
        symbols: Of the symbol predictor.
    """

    features: int = 512
    picture: int = 512
    site: int = 256
    depths: int = 256
    properties: int = 1024
    told: int = 64
    symbols: int = 256


class Head(nn.Module):
    """Linear, BatchNorm, ReLU, a two-layer BiLSTM over the segments, Linear."""

    def __init__(self, n_in: int, width: int, out: int) -> None:
        super().__init__()
        self.enter, self.norm = nn.Linear(n_in, width), nn.BatchNorm1d(width)
        self.lstm = nn.LSTM(width, width, num_layers=2, bidirectional=True, batch_first=True)
        self.leave = nn.Linear(2 * width, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, n_in) -> (B, S, out)."""
        x = torch.relu(self.norm(self.enter(x).flatten(0, 1))).view(*x.shape[:2], -1)
        return self.leave(self.lstm(x)[0])


class TheirWay(nn.Module):
    """All three tasks."""

    def __init__(
        self,
        encoder: Callable[[], nn.Module],
        sizes: Sizes,
        site: int,
        outs: Mapping[str, int],
        symbols: int,
        horizons: int,
        crops: int,
    ) -> None:
        """Build it.

        Args:
            encoder: Makes a module (B, 3, h, w) -> (B, sizes.features, rows, columns).
            sizes: Of the modules.
            site: Columns of place, date and site.
            outs: By property, stones among them, codes or 1 for a number.
            symbols: Labels, or dimensions of their vectors.
            horizons: S, the most of a profile.
            crops: Of each segment.
        """
        super().__init__()
        self.crops, self.horizons = crops, horizons
        self.picture, self.segment = encoder(), encoder()
        self.project = nn.Linear(sizes.features, sizes.picture)
        self.site = nn.Sequential(
            nn.Linear(site, 2 * sizes.site), nn.BatchNorm1d(2 * sizes.site), nn.ReLU(),
            nn.Linear(2 * sizes.site, sizes.site), nn.BatchNorm1d(sizes.site), nn.ReLU(),
        )  # fmt: skip
        self.depths = Head(sizes.picture + sizes.site, sizes.depths, 1)
        seen = sizes.features + sizes.site
        self.properties = nn.ModuleDict(
            {name: Head(seen, sizes.properties, out) for name, out in outs.items()}
        )
        self.told = nn.Linear(sum(outs.values()), sizes.told)
        self.symbol = Head(seen + sizes.told, sizes.symbols, symbols)

    def find_depths(self, pictures: Sequence[Tensor], site: Tensor) -> Tensor:
        """Lower bounds (B, S) of (3, h, w) photographs, as shares of their height."""
        height, width = (max(p.shape[i] for p in pictures) for i in (1, 2))
        padded = torch.zeros(len(pictures), 3, height, width)
        mask = torch.zeros(len(pictures), 1, height, width)
        for row, one in enumerate(pictures):
            padded[row, :, : one.shape[1], : one.shape[2]] = one
            mask[row, :, : one.shape[1], : one.shape[2]] = 1
        features = self.picture(padded)
        seen = nn.functional.interpolate(mask, features.shape[2:], mode="nearest")
        whole = self.project((features * seen).sum((2, 3)) / seen.sum((2, 3)))
        steps = torch.cat([whole, self.site(site)], 1).unsqueeze(1).expand(-1, self.horizons, -1)
        return self.depths(steps).relu().cumsum(1).clamp(0, 1).squeeze(-1)

    def name_segments(
        self,
        pictures: Sequence[Tensor],
        site: Tensor,
        bounds: Tensor,
        forced: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Properties by name, (B, S, out), and symbols (B, S, symbols), of segments.

        Args:
            pictures: (3, h, w) photographs.
            site: (B, columns).
            bounds: (B, S) lower bounds; from the first that is nearly 1 on there is no segment, and
                what is said of it is of a segment of zeros.
            forced: (B, S, sum of outs) true properties, which symbols are told in place of
                predicted ones.
        """
        place = self.site(site)
        rows = torch.zeros(*bounds.shape, self.project.in_features)
        for row, (one, lower) in enumerate(zip(pictures, bounds.tolist(), strict=True)):
            top = 0.0
            for number, bottom in enumerate(lower):
                rows[row, number] = self.segment(self.cut(one, top, bottom)).mean((0, 2, 3))
                top = bottom
                if bottom >= STOP:
                    break
        x = torch.cat([rows, place.unsqueeze(1).expand(-1, bounds.shape[1], -1)], -1)
        found = {name: head(x) for name, head in self.properties.items()}
        known = torch.cat(list(found.values()), -1) if forced is None else forced
        told = torch.relu(self.told(known))
        return found, self.symbol(torch.cat([x, told], -1))

    def cut(self, picture: Tensor, top: float, bottom: float) -> Tensor:
        """Random crops of a segment, (crops, 3, CROP, CROP); one too small is enlarged."""
        height = picture.shape[1]
        first = min(int(top * height), height - 1)
        strip = picture[None, :, first : max(round(bottom * height), first + 1)]
        if strip.shape[2] < CROP or strip.shape[3] < CROP:
            size = [max(CROP, edge) for edge in strip.shape[2:]]
            strip = nn.functional.interpolate(strip, size, mode="bilinear")
        ys = torch.randint(strip.shape[2] - CROP + 1, (self.crops,)).tolist()
        xs = torch.randint(strip.shape[3] - CROP + 1, (self.crops,)).tolist()
        return torch.stack(
            [strip[0, :, y : y + CROP, x : x + CROP] for y, x in zip(ys, xs, strict=True)]
        )
