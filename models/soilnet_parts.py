"""What SoilNet is put together from: encoders of pictures and sites, cuts of segments, heads.

Belongs here: parts that know nothing of each other, with their configuration.
Never here: how they are joined (`models.soilnet`), losses, data.

No part normalises over other positions, other horizons or other rows of a batch: what is padded,
hidden or absent is in nobody's statistics, and a picture alone is read as one among many.
"""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

OVERLAP = 0.1
"""Share of a segment's thickness over which its soft mask fades on either side (the newer
experiments of SoilNet, arXiv 2508.03785 v2)."""
_OCTAVES = 5
"""Wavelengths by which a depth is told: 200 cm halved down to 12.5 cm."""
NEAR = (1, 2, 4, 8)
"""Rows above and below an edge that it is told by."""
_THIN = 0.03  # Share of 100 cm over which a boundary keeps others away, and is told from others.
_SELDOM = -2.7  # Logit of an edge being a boundary: 4 of 64.
_LONGEST = 300  # characters of another's message
DEPTH_NUMBERS = 1 + 2 * _OCTAVES


@dataclass(frozen=True)
class PatchCNNConfig:
    """A plain convolutional encoder, a stage a width."""

    patch: int
    """Edge in pixels of what the first convolution reads at once."""
    widths: tuple[int, ...]
    pools: tuple[tuple[int, int], ...]
    """Rows and columns that become one after each stage."""


@dataclass(frozen=True)
class BackboneConfig:
    """A backbone of the library transformers."""

    configuration: Mapping[str, Any] | None
    """Of a new one, with its `model_type`; None: as in the folder."""
    folder: Path | None
    """Where `config.json` and the weights to start from lie; None: none to start from."""
    stage: str | None
    """Whose features are read; None: the last's."""


class ChannelNorm(nn.LayerNorm):
    """LayerNorm of each position over its channels, (B, C, h, w) -> (B, C, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each position by itself."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class FrozenBatchNorm(nn.BatchNorm2d):
    """BatchNorm with the statistics that its weights came with; scale and shift are trained."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm":
        """Stay as in evaluation, whatever the mode of the whole."""
        return super().train(False)


class PatchCNN(nn.Module):
    """Stages of convolution, norm, ReLU and max-pooling; what is no soil is zero at every stage."""

    def __init__(self, config: PatchCNNConfig) -> None:
        super().__init__()
        widths, patch = config.widths, config.patch
        self.patch, self.pools, self.width = patch, config.pools, widths[-1]
        self.stem = nn.Conv2d(3, widths[0], patch, stride=patch)
        entering = (widths[0], *widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, 3, padding=1) for i, o in zip(entering, widths, strict=True)
        )
        self.norms = nn.ModuleList(ChannelNorm(width) for width in widths)

    def forward(self, picture: Tensor, soil: Tensor) -> Tensor:
        """Features of a picture.

        Args:
            picture: (B, 3, h, w), zero where there is no soil.
            soil: (B, h, w) bool.

        Returns:
            (B, width, rows, columns), zero where there is no soil.
        """
        seen = F.max_pool2d(soil.unsqueeze(1).to(picture.dtype), self.patch)
        x = self.stem(picture.contiguous(memory_format=torch.channels_last)) * seen
        for convolution, norm, pool in zip(self.convolutions, self.norms, self.pools, strict=True):
            x = F.max_pool2d(F.relu(norm(convolution(x))) * seen, pool)
            seen = F.max_pool2d(seen, pool)
        return x


class Backbone(nn.Module):
    """A backbone of transformers, without anything that normalises over the batch.

    Of a new one, each BatchNorm is a `ChannelNorm` instead; of one with weights, it is frozen.
    """

    def __init__(self, config: BackboneConfig) -> None:
        """Build it, from a configuration or with the weights of a folder; nothing is downloaded.

        Raises:
            ValueError: Transformers knows no such backbone or stage, or the folder lacks files.
        """
        super().__init__()
        # Takes seconds to import, and most models need none of it.
        from transformers import MODEL_FOR_BACKBONE_MAPPING, AutoConfig

        try:
            settings: dict[str, Any] = {"out_features": [config.stage]} if config.stage else {}
            if config.configuration is None:
                described = AutoConfig.from_pretrained(
                    str(config.folder), local_files_only=True, **settings
                )
            else:
                described = AutoConfig.for_model(**config.configuration, **settings)
            kind = MODEL_FOR_BACKBONE_MAPPING[type(described)]
            if config.folder is None:
                self.network = kind(described)
            else:
                self.network = kind.from_pretrained(
                    str(config.folder),
                    config=described,
                    local_files_only=True,
                    dtype=torch.float32,
                )
        except (KeyError, OSError, TypeError, ValueError) as error:
            # It may go on to list all that there is.
            said = textwrap.shorten(str(error), _LONGEST)
            raise ValueError(f"transformers has no such backbone: {said}") from error
        _without_batch_norm(self.network, frozen=config.folder is not None)
        self.width = self.network.channels[-1]

    def forward(self, picture: Tensor, soil: Tensor) -> Tensor:
        """As `PatchCNN.forward`; what is no soil is zero in the picture alone."""
        return self.network(picture).feature_maps[-1]


def _without_batch_norm(module: nn.Module, frozen: bool) -> None:
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            _without_batch_norm(child, frozen)
        elif frozen:
            made = FrozenBatchNorm(child.num_features, eps=child.eps)
            made.load_state_dict(child.state_dict())
            setattr(module, name, made)
        else:
            setattr(module, name, ChannelNorm(child.num_features))


class NoPicture(nn.Module):
    """Stands where no picture is read: a column of rows that are all the same."""

    width, rows = 1, 64

    def forward(self, picture: Tensor, soil: Tensor) -> Tensor:
        """(B, 1, rows, 1) of ones."""
        return picture.new_ones(len(picture), 1, self.rows, 1)


def picture_encoder(config: PatchCNNConfig | BackboneConfig | None) -> nn.Module:
    """The encoder of a configuration; None: no picture is read."""
    if config is None:
        return NoPicture()
    return PatchCNN(config) if isinstance(config, PatchCNNConfig) else Backbone(config)


class SiteEncoder(nn.Module):
    """Place, date and what is known of the site; what is missing adds nothing."""

    def __init__(self, numbers: int, codes: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.number = nn.Linear(2 * numbers, 2 * width)
        # Rows of one table: a linear map of one-hot vectors, written without them.
        self.code = nn.Embedding(max(sum(codes), 1), 2 * width)
        nn.init.normal_(self.code.weight, std=(2 * width) ** -0.5)
        starts = torch.tensor([0, *codes]).cumsum(0)[:-1]
        self.register_buffer("start", starts, persistent=False)  # (m,) of each vocabulary
        self.leave = nn.Sequential(
            nn.LayerNorm(2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
            nn.LayerNorm(width),
            nn.ReLU(),
        )

    def forward(self, numbers: Tensor, known: Tensor, codes: Tensor) -> Tensor:
        """(B, n) z-scores, (B, n) bool, (B, m) int64 with -1 where missing -> (B, width)."""
        dtype = self.number.weight.dtype
        x = torch.cat([torch.where(known, numbers, 0), known], dim=1).to(dtype)
        told = self.code(codes.clamp(min=0) + self.start) * (codes >= 0).unsqueeze(-1)
        return self.leave(self.number(x) + told.sum(1))


def depth_numbers(depth: Tensor) -> Tensor:
    """A depth told by waves.

    Args:
        depth: (...) share of 100 cm.

    Returns:
        (..., DEPTH_NUMBERS).
    """
    angles = depth.unsqueeze(-1) * math.pi * 2.0 ** torch.arange(_OCTAVES, device=depth.device)
    return torch.cat([depth.unsqueeze(-1), angles.sin(), angles.cos()], dim=-1)


def entry(n_in: int, width: int, dropout: float) -> nn.Sequential:
    """Linear map, norm, ReLU and dropout, with which each head begins."""
    return nn.Sequential(
        nn.Linear(n_in, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout)
    )


class Along(nn.Module):
    """A two-layer BiLSTM along the horizons of a profile: (B, S, n_in) -> (B, S, 2 * width)."""

    def __init__(self, n_in: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_in, width, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, exists: Tensor) -> Tensor:
        """Read the horizons that exist, (B, S) bool, the first ones of each row."""
        # Packed, so that the way back up begins at a profile's last horizon and not in padding.
        lengths = exists.sum(1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        read, _ = self.lstm(packed)
        return pad_packed_sequence(read, batch_first=True, total_length=x.shape[1])[0]


# Rows of a picture, and segments cut from it.


COLOURS = 6
"""Numbers of colour that every row has beside what an encoder makes of it."""


@dataclass(frozen=True)
class Rows:
    """A picture row by row: what an encoder makes of it, and its colours, summed over columns."""

    total: Tensor
    """(B, R, C + COLOURS) features of soil, then channels and their squares, weighted by area."""
    area: Tensor
    """(B, R) share of soil, summed over columns."""

    @classmethod
    def of(cls, features: Tensor, picture: Tensor, soil: Tensor) -> "Rows":
        """From features (B, C, R, columns), picture (B, 3, h, w) and soil (B, h, w) bool."""
        size = features.shape[2:]
        share = F.adaptive_avg_pool2d(soil.unsqueeze(1).to(features.dtype), size)
        colours = F.adaptive_avg_pool2d(torch.cat([picture, picture.square()], 1), size)
        total = torch.cat([features * share, colours], dim=1).sum(3).transpose(1, 2)
        return cls(total, share.sum(3).squeeze(1))

    def mean(self, weights: Tensor) -> Tensor:
        """Mean under (B, S, R) weights of rows, (B, S, C + COLOURS); 0 where there is no soil."""
        weights = weights.to(self.total.dtype)
        return weights @ self.total / _area(weights @ self.area.unsqueeze(-1))

    def each(self) -> Tensor:
        """Mean of each row, (B, R, C + COLOURS)."""
        return self.total / _area(self.area.unsqueeze(-1))

    def sides(self, through: nn.Linear) -> tuple[Tensor, Tensor]:
        """What lies above and what lies below each edge between rows, within so many rows of it.

        Args:
            through: A linear map without bias, by which features are read.

        Returns:
            Two of (B, R - 1, len(NEAR) * width), 0 where there is no soil.
        """
        above, below = self._sides(through(self.total))
        return above.flatten(2), below.flatten(2)

    def strength(self) -> Tensor:
        """How much colours differ above and below each edge, (B, R - 1, len(NEAR))."""
        above, below = self._sides(self.total[..., -COLOURS : -COLOURS // 2])
        return (below - above).float().square().sum(-1).add(1e-6).sqrt()

    def _sides(self, total: Tensor) -> tuple[Tensor, Tensor]:
        """(B, R, width) weighted by area -> means above and below, (B, R - 1, len(NEAR), width)."""
        both = torch.cat([total, self.area.unsqueeze(-1)], dim=-1).float()
        whole = F.pad(both.cumsum(1), (0, 0, 1, 0))  # (B, R + 1, width + 1), down to each edge
        count = self.area.shape[1]
        edge = torch.arange(1, count, device=both.device)
        found: tuple[list[Tensor], list[Tensor]] = ([], [])
        for rows in NEAR:
            first, last = (edge - rows).clamp(min=0), (edge + rows).clamp(max=count)
            for side, part in zip(
                found,
                (whole[:, edge] - whole[:, first], whole[:, last] - whole[:, edge]),
                strict=True,
            ):
                side.append((part[..., :-1] / _area(part[..., -1:])).to(total.dtype))
        return torch.stack(found[0], dim=2), torch.stack(found[1], dim=2)


def _area(area: Tensor) -> Tensor:
    """Of what may be empty, to divide by; smaller than any pixel's."""
    return area.clamp(min=1e-4)


def tops(bounds: Tensor) -> Tensor:
    """Upper bounds of the segments with these lower bounds, (B, S)."""
    return F.pad(bounds[:, :-1], (1, 0))


def existing(bounds: Tensor) -> Tensor:
    """Which segments there are, (B, S) bool: those that begin above the end of the profile."""
    return tops(bounds) < 1


def soft_masks(bounds: Tensor, rows: int) -> Tensor:
    """Weight of each row in each segment: 1 inside, and a half cosine down to 0 beyond its bounds.

    Args:
        bounds: (B, S) lower bounds as share of 100 cm; the weights can be differentiated by them.
        rows: R, rows of 100 cm.

    Returns:
        (B, S, R). The least margin is a row, so that every segment reaches some row's centre.
    """
    top, bottom = tops(bounds).unsqueeze(-1), bounds.unsqueeze(-1)
    centre = (torch.arange(rows, device=bounds.device) + 0.5) / rows
    margin = (OVERLAP * (bottom - top)).clamp(min=1 / rows)
    outside = torch.maximum(top - centre, centre - bottom).clamp(min=0)
    return 0.5 * (1 + torch.cos(math.pi * (outside / margin).clamp(max=1)))


def crops(picture: Tensor, soil: Tensor, bounds: Tensor, height: int) -> tuple[Tensor, Tensor]:
    """Cut the segments that exist out of their pictures and bring them to one height.

    Args:
        picture: (B, 3, h, w), zero where there is no soil.
        soil: (B, h, w) bool.
        bounds: (B, S) lower bounds; the crops can be differentiated by them.
        height: Rows of a crop; its width is the picture's.

    Returns:
        (N, 3, height, w) and (N, height, w) bool, N segments row by row.
    """
    row, place = existing(bounds).nonzero(as_tuple=True)
    top, bottom = tops(bounds)[row, place], bounds[row, place]
    inside = (torch.arange(height, device=bounds.device) + 0.5) / height
    y = 2 * (top[:, None] + inside * (bottom - top)[:, None]) - 1  # (N, height) in -1..1
    width = picture.shape[3]
    x = (2 * torch.arange(width, device=bounds.device) + 1) / width - 1
    grid = torch.stack(
        [x.expand(len(y), height, width), y.unsqueeze(-1).expand(-1, -1, width)], dim=-1
    )
    both = torch.cat([picture.float(), soil.unsqueeze(1).float()], dim=1)[row]
    cut = F.grid_sample(both, grid, align_corners=False)
    whole = cut[:, 3] > 0.5
    return (cut[:, :3] * whole.unsqueeze(1)).to(picture.dtype), whole


# Heads.


class LSTMSteps(nn.Module):
    """States of the depth markers: a BiLSTM that reads picture and site anew at every step."""

    def __init__(self, picture: int, site: int, width: int, steps: int, dropout: float) -> None:
        super().__init__()
        self.enter = entry(picture + site, width, dropout)
        self.step = nn.Parameter(torch.randn(steps, width) * width**-0.5)
        self.lstm = nn.LSTM(width, width, num_layers=2, bidirectional=True, batch_first=True)
        self.width = 2 * width

    def forward(self, rows: Tensor, seen: Tensor, site: Tensor) -> Tensor:
        """States of all steps.

        Args:
            rows: (B, R, picture) features of rows.
            seen: (B, R) share of soil in each row.
            site: (B, site).

        Returns:
            (B, steps, self.width).
        """
        weight = seen / seen.sum(1, keepdim=True).clamp(min=1e-6)
        picture = (weight.unsqueeze(1) @ rows).squeeze(1)
        entered = self.enter(torch.cat([picture, site], dim=-1))
        return self.lstm(entered.unsqueeze(1) + self.step)[0]


class CrossAttentionSteps(nn.Module):
    """States of the depth markers: learned queries that attend to the rows and to the site."""

    def __init__(
        self, picture: int, site: int, width: int, steps: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.row = nn.Linear(picture, width)
        # Attended to besides the rows, of which there may be none.
        self.place = nn.Parameter(torch.randn(width) * width**-0.5)
        self.site = nn.Linear(site, width, bias=False) if site else None
        self.query = nn.Parameter(torch.randn(steps, width) * width**-0.5)
        layer = nn.TransformerDecoderLayer(
            width, heads, 2 * width, dropout, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, num_layers=2, norm=nn.LayerNorm(width))
        self.width = width

    def forward(self, rows: Tensor, seen: Tensor, site: Tensor) -> Tensor:
        """As `LSTMSteps.forward`; rows without soil are not attended to."""
        told = self.place.expand(len(rows), 1, -1)
        if self.site is not None:
            told = told + self.site(site).unsqueeze(1)
        memory = torch.cat([told, self.row(rows)], dim=1)
        absent = F.pad(seen <= 0, (1, 0), value=False)
        queries = self.query.expand(len(rows), -1, -1) + told
        return self.layers(queries, memory, memory_key_padding_mask=absent)


class Pointer(nn.Module):
    """Depth markers, each pointing at the edges between rows that lie below the one before.

    Going down from the marker before, each edge is or is not the next boundary, if none above it
    was: a discrete hazard. A marker is the mean depth of the next boundary, should there be one;
    the last horizon is reached where there is none (a pointer network, Vinyals et al. 2015, arXiv
    1506.03134, that reads in the order of depth). So a marker moves with the picture, always
    downwards; and what makes an edge a boundary is learned once for all markers, which add to it
    what is particular to the first, the second and so on. An edge is told by its depth and by what
    lies above and below it, near and farther away.
    """

    def __init__(self, picture: int, state: int, width: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(state, width)
        self.side = nn.Linear(picture, width // 2, bias=False)
        told = 2 * len(NEAR) * (width // 2) + len(NEAR) + DEPTH_NUMBERS
        self.edge = entry(told, width, dropout)
        self.along = nn.Conv1d(
            width, width, 5, padding=2
        )  # is an edge sharper than its neighbours?
        self.boundary = nn.Linear(width, 1)
        nn.init.constant_(self.boundary.bias, _SELDOM)
        self.apart = nn.Parameter(torch.ones(1))
        self.stop = nn.Linear(state + width, 1)

    def forward(
        self, rows: Rows, states: Tensor, after: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
        """Markers and stops, by themselves and below given depths.

        Args:
            rows: Of the picture, R.
            states: (B, S, state).
            after: (B, S) depths below which each marker is looked for, NaN: below the one before.

        Returns:
            Twice, each marker below the one before, and below `after`: (B, S) float32 depths as
            share of 100 cm, 1 where no edge is left; (B, S) logits that a horizon is the last; and
            (B, S, R - 1) log-probabilities of the edges. The first depths are means around the
            likeliest edge, for between two boundaries there is none; the second are means of all
            edges, from which more is learned.
        """
        edges, depth = self.edges(rows)
        query = self.query(states)
        scores = (query @ edges.transpose(1, 2)).float() * edges.shape[-1] ** -0.5  # (B, S, R - 1)
        scores = scores + self.boundary(edges).float().transpose(1, 2)
        apart = 4 * F.softplus(self.apart.float())
        with torch.no_grad():  # A marker's place says only where the next is looked for.
            marker, freely = scores.new_zeros(len(scores)), []
            for step in range(scores.shape[1]):
                freely.append(marker)
                least = marker.unsqueeze(1)
                pointing = _next(scores[:, [step]], depth, apart, least)[2]
                marker = _around_likeliest(pointing, depth, least).squeeze(1)
            own = torch.stack(freely, dim=1)

        def read(least: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            markers, none, pointing = _next(scores, depth, apart, least)
            context = pointing.exp().to(edges.dtype) @ edges
            stop = self.stop(torch.cat([states, context], dim=-1)).squeeze(-1).float()
            return markers, stop + none, pointing

        _, stop, pointing = read(own)
        found = _around_likeliest(pointing, depth, own), stop, pointing
        return found, read(torch.where(after.isnan(), own, after))

    def edges(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What is told of each edge, (B, R - 1, width), and its depth, (R - 1,)."""
        above, below = rows.sides(self.side)
        strength = rows.strength().to(above.dtype)
        count = rows.area.shape[1]
        depth = torch.arange(1, count, device=above.device) / count
        waves = depth_numbers(depth).to(above.dtype).expand(len(above), -1, -1)
        told = self.edge(torch.cat([below - above, below + above, strength, waves], dim=-1))
        return told + F.relu(self.along(told.transpose(1, 2)).transpose(1, 2)), depth


def _next(
    scores: Tensor, depth: Tensor, apart: Tensor, least: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The next boundary below each of some depths.

    Args:
        scores: (B, S, E) logits of the edges.
        depth: (E,) of the edges.
        apart: (1,) how much a boundary keeps others away.
        least: (B, S).

    Returns:
        (B, S) mean depth, should there be one; (B, S) logits that there is none; (B, S, E)
        log-probabilities, should there be one.
    """
    below = depth - least.unsqueeze(-1)
    # Just below a boundary the next one is seldom.
    scores = scores - apart * (-below.clamp(min=0) / _THIN).exp()
    passed = F.logsigmoid(-scores).masked_fill(below <= 0, 0)
    none = passed.sum(-1).clamp(max=-1e-4)
    left = (below > 0).any(-1)
    # Where no edge is left all are, only for the sake of finite numbers.
    closed = (below <= 0) & left.unsqueeze(-1)
    first = F.logsigmoid(scores) + passed.cumsum(-1) - passed
    pointing = first.masked_fill(closed, -torch.inf).log_softmax(-1)
    marker = torch.where(left, pointing.exp() @ depth, 1.0)
    return marker, none - (-none.expm1()).log(), pointing


def _around_likeliest(pointing: Tensor, depth: Tensor, least: Tensor) -> Tensor:
    """Mean depth of the edges near the likeliest, (B, S); 1 where none is left below `least`."""
    reach = depth[0].mul(1.5).clamp(min=_THIN)  # at least the edges next to it
    near = (depth - depth[pointing.argmax(-1)].unsqueeze(-1)).abs() <= reach
    marker = pointing.masked_fill(~near, -torch.inf).softmax(-1) @ depth
    return torch.where(least < depth[-1], marker, 1.0)


def stopped(markers: Tensor, stop: Tensor) -> Tensor:
    """Lower bounds of horizons: the markers up to the first stop, 1 from there on, (B, S)."""
    last = (stop > 0) | (torch.arange(stop.shape[1], device=stop.device) == stop.shape[1] - 1)
    return torch.where(last.cumsum(1) > 0, 1.0, markers)
