"""SoilNet: from a soil profile's photograph to its horizons, what they are made of and their names.

Belongs here: the architecture and its configuration. Never here: losses, forcing's chances, data;
the parts (`models.soilnet_parts`).

After SoilNet (arXiv 2508.03785, code at github.com/calgo-lab/BGR): (1) an encoder of the picture
and one of place, date and site give depth markers; (2) each segment between two markers gives six
morphological features; (3) segment, site and those features give the horizon's symbol. While it is
trained, true depths and true properties stand in for predicted ones in some draws (teacher
forcing). It departs from theirs in these stated ways:

* Markers point at rows of the picture. Theirs are read from one mean vector of all of it, which
  cannot say where anything is.
  Colours of rows stand beside the encoder's features.
* Segments are soft masks over one feature map of the picture ("soft_mask"): one pass of the encoder
  a picture, and depths get a gradient from what is said of the segments. "crop" encodes every
  segment by an encoder of its own, as they do.
* Properties enter task 3 as probabilities, in training as in inference; a true one is certain.
* The six properties are read by one BiLSTM with six heads, not by six; carbonate, humus and roots
  are ordered and have ordinal heads.
* A segment is told its depths. Nothing is normalised over a batch; padding is in no statistics.
"""

from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.profile_losses import ordinal_probabilities
from models.soilnet_parts import (
    COLOURS,
    DEPTH_NUMBERS,
    Along,
    BackboneConfig,
    CrossAttentionSteps,
    LSTMSteps,
    PatchCNNConfig,
    Pointer,
    Rows,
    SiteEncoder,
    crops,
    depth_numbers,
    entry,
    existing,
    picture_encoder,
    soft_masks,
    stopped,
    tops,
)

Input = Literal["picture", "site"]
Task = Literal["depths", "properties", "symbols"]


@dataclass(frozen=True)
class ProfileClass:
    """A property that is a code."""

    name: str
    codes: int
    ordinal: bool


@dataclass(frozen=True)
class SoilNetConfig:
    """Everything that fixes the architecture."""

    encoder: PatchCNNConfig | BackboneConfig
    inputs: tuple[Input, ...]
    """What is read; the other is left out."""
    tasks: tuple[Task, ...]
    """In place of what a task that is left out would say, the truth of the batch is read."""
    segments: Literal["soft_mask", "crop"]
    crop_height: int
    """Pixels of a crop, whatever the segment's thickness."""
    depth_head: Literal["lstm", "cross_attention"]
    symbol_head: Literal["logits", "embedding"]
    """Scores of labels: any numbers, or cosines with the labels' vectors."""
    horizons: int
    """S, the most of a profile."""
    site_numbers: int
    site_codes: tuple[int, ...]
    """Size of each vocabulary."""
    classes: tuple[ProfileClass, ...]
    labels: int
    embedding: tuple[tuple[float, ...], ...]
    """(labels, d) unit vectors."""
    site_width: int
    depth_width: int
    segment_width: int
    property_width: int
    told_width: int
    """Of the properties as task 3 is told them."""
    symbol_width: int
    attention_heads: int
    dropout: float


class ProfileBatch(TypedDict):
    """Input of the model; S horizons, depths as share of 100 cm."""

    picture: Tensor
    """(B, 3, h, w) standardised; what it holds where there is no soil is never read."""
    soil: Tensor
    """(B, h, w) bool."""
    site_numbers: Tensor
    """(B, n) z-scores; never read where not known."""
    site_known: Tensor
    """(B, n) bool."""
    site_codes: Tensor
    """(B, m) int64, position in the vocabulary, -1 missing."""
    bounds: Tensor
    """(B, S) lower bounds, ascending, 1 from the last horizon on."""
    horizons: Tensor
    """(B, S) bool: horizon k exists."""
    stones: Tensor
    """(B, S) share of volume."""
    stones_known: Tensor
    """(B, S) bool."""
    classes: dict[str, Tensor]
    """(B, S) int64, -1 unknown."""
    symbol: Tensor
    """(B, S) int64, -1 unknown."""
    force_depths: Tensor
    """(B,) bool: segments are cut at the true bounds."""
    force_properties: Tensor
    """(B,) bool: task 3 is told the true properties, as far as they are known."""
    stand_in: NotRequired[Tensor]
    """() bool: the rows only keep a process busy that has none of its own."""


class ProfilePrediction(TypedDict):
    """Output of the model, float32; None, or no entry in `classes`, where a task is left out."""

    markers: Tensor | None
    """(B, S) depths, each the next below the true boundary before it: what a loss compares. 1 where
    nothing is left below. Where no truth is known, each is below the one before."""
    pointing: Tensor | None
    """(B, S, E) log-probabilities of the E edges between rows, at depths 1 / (E + 1), 2 / (E + 1),
    ..., that each marker is the mean of; -inf where an edge is not below the one before."""
    stop: Tensor | None
    """(B, S) logits that horizon k is the last, given the boundaries before it as for `markers`."""
    bounds: Tensor | None
    """(B, S) lower bounds that the model finds by itself, 1 from the first stop on."""
    used: Tensor
    """(B, S) the lower bounds that segments are cut at; a segment that begins at 1 is none."""
    stones: Tensor | None
    """(B, S) share of volume."""
    classes: dict[str, Tensor]
    """(B, S, codes) logits; ordinal ones (B, S, codes - 1), of P(code > j | code >= j)."""
    symbol: Tensor | None
    """(B, S, labels) scores; cosines where the head is "embedding"."""


class SoilNet(nn.Module):
    """Depths, properties and symbols of a profile's horizons."""

    def __init__(self, config: SoilNetConfig) -> None:
        """Build the model.

        Args:
            config: The architecture.

        Raises:
            ValueError: Transformers has no such backbone, or nothing is to be read or told.
        """
        super().__init__()
        if not config.inputs or not config.tasks:
            raise ValueError(f"no inputs or no tasks: {config.inputs}, {config.tasks}")
        self.config = config
        told = config.encoder if "picture" in config.inputs else None
        site = config.site_width if "site" in config.inputs else 0
        dropout = config.dropout
        if site:
            self.site = SiteEncoder(config.site_numbers, config.site_codes, site)
        self.cuts = config.tasks != ("depths",)
        self.crops = config.segments == "crop" and self.cuts
        if "depths" in config.tasks or not self.crops:
            self.encoder = picture_encoder(told)
        if "depths" in config.tasks:
            picture = self.encoder.width + COLOURS
            if config.depth_head == "lstm":
                self.steps = LSTMSteps(picture, site, config.depth_width, config.horizons, dropout)
            else:
                self.steps = CrossAttentionSteps(
                    picture,
                    site,
                    config.depth_width,
                    config.horizons,
                    config.attention_heads,
                    dropout,
                )
            self.pointer = Pointer(picture, self.steps.width, config.depth_width, dropout)
        if not self.cuts:
            return
        if self.crops:
            self.crop_encoder = picture_encoder(told)
        picture = (self.crop_encoder if self.crops else self.encoder).width + COLOURS
        self.segment = entry(picture + 2 * DEPTH_NUMBERS, config.segment_width, dropout)
        if "properties" in config.tasks:
            width = config.property_width
            self.property_entry = entry(config.segment_width + site, width, dropout)
            self.property_along = Along(width, width)
            self.stones = nn.Linear(2 * width, 1)
            self.classes = nn.ModuleDict(
                {c.name: nn.Linear(2 * width, c.codes - c.ordinal) for c in config.classes}
            )
        if "symbols" in config.tasks:
            width = config.symbol_width
            self.told = entry(1 + sum(c.codes for c in config.classes), config.told_width, 0.0)
            entering = config.segment_width + site + config.told_width
            self.symbol_entry = entry(entering, width, dropout)
            self.symbol_along = Along(width, width)
            vectors = torch.tensor(config.embedding)
            self.register_buffer("embedding", vectors, persistent=False)  # (labels, d)
            out = config.labels if config.symbol_head == "logits" else vectors.shape[1]
            self.symbol = nn.Linear(2 * width, out)

    def forward(self, batch: ProfileBatch) -> ProfilePrediction:
        """Describe profiles.

        Args:
            batch: See `ProfileBatch`; its truth is read where it is forced or its task left out.
        """
        config = self.config
        soil = batch["soil"]
        picture = torch.where(soil.unsqueeze(1), batch["picture"], 0).to(self.dtype)
        if "picture" not in config.inputs:
            picture, soil = torch.zeros_like(picture), torch.ones_like(soil)  # nor its outline
        site = self.site_features(batch)
        rows = None
        if hasattr(self, "encoder"):
            rows = Rows.of(self.encoder(picture, soil), picture, soil)
        found: ProfilePrediction = {
            "markers": None,
            "pointing": None,
            "stop": None,
            "bounds": None,
            "used": batch["bounds"],
            "stones": None,
            "classes": {},
            "symbol": None,
        }
        if "depths" in config.tasks:
            self.find_depths(found, batch, rows, site)
        if not self.cuts:
            return found
        used, exists = found["used"], existing(found["used"])
        if self.crops:
            seen = self.crop_features(picture, soil, used)
        else:
            seen = rows.mean(soft_masks(used, rows.area.shape[1]))
        depths = torch.cat([depth_numbers(tops(used)), depth_numbers(used)], dim=-1)
        segments = self.segment(torch.cat([seen, depths.to(seen.dtype)], dim=-1))
        x = torch.cat([segments, site.unsqueeze(1).expand(-1, config.horizons, -1)], dim=-1)
        if "properties" in config.tasks:
            read = self.property_along(self.property_entry(x), exists)
            found["stones"] = self.stones(read).squeeze(-1).float().sigmoid()
            found["classes"] = {name: head(read).float() for name, head in self.classes.items()}
        if "symbols" in config.tasks:
            told = self.told(self.properties(found, batch).to(x.dtype))
            read = self.symbol_along(self.symbol_entry(torch.cat([x, told], dim=-1)), exists)
            scores = self.symbol(read).float()
            if config.symbol_head == "embedding":
                scores = F.normalize(scores, dim=-1) @ self.embedding.float().T
            found["symbol"] = scores
        return found

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, in which features are computed."""
        return next(self.parameters()).dtype

    def site_features(self, batch: ProfileBatch) -> Tensor:
        """(B, site width); no columns where the site is not read."""
        if "site" not in self.config.inputs:
            return batch["bounds"].new_zeros(len(batch["bounds"]), 0, dtype=self.dtype)
        return self.site(batch["site_numbers"], batch["site_known"], batch["site_codes"])

    def find_depths(
        self, found: ProfilePrediction, batch: ProfileBatch, rows: Rows, site: Tensor
    ) -> None:
        """Task 1: fill in markers, pointing, stops and bounds, and the bounds that are used."""
        each, forced = rows.each(), batch["force_depths"].unsqueeze(1)
        states = self.steps(each, rows.area, site)
        known = batch["horizons"].any(1, keepdim=True)
        after = tops(batch["bounds"]).masked_fill(~known, torch.nan)
        (markers, stop, _), told = self.pointer(rows, states, after)
        found["markers"], found["stop"], found["pointing"] = told
        found["bounds"] = stopped(markers, stop)
        found["used"] = torch.where(forced, batch["bounds"], found["bounds"])

    def crop_features(self, picture: Tensor, soil: Tensor, used: Tensor) -> Tensor:
        """(B, S, width) of segments that are encoded one by one; 0 where there is none."""
        cut, whole = crops(picture, soil, used, self.config.crop_height)
        rows = Rows.of(self.crop_encoder(cut, whole), cut, whole)
        everything = rows.area.new_ones(len(cut), 1, rows.area.shape[1])
        mean = rows.mean(everything).squeeze(1)  # (N, width)
        seen = mean.new_zeros(*used.shape, mean.shape[1])
        return seen.index_put(existing(used).nonzero(as_tuple=True), mean)

    def properties(self, found: ProfilePrediction, batch: ProfileBatch) -> Tensor:
        """What task 3 is told of the properties, (B, S, 1 + codes): stones, then probabilities."""
        forced = batch["force_properties"].unsqueeze(1)
        if "properties" not in self.config.tasks:
            forced = torch.ones_like(forced)
        known = forced & batch["stones_known"]
        other = torch.zeros_like(batch["stones"]) if found["stones"] is None else found["stones"]
        parts = [torch.where(known, batch["stones"], other).unsqueeze(-1)]
        for c in self.config.classes:
            code = batch["classes"][c.name]
            certain = F.one_hot(code.clamp(min=0), c.codes).float()
            if c.name in found["classes"]:
                logits = found["classes"][c.name]
                other = ordinal_probabilities(logits) if c.ordinal else logits.softmax(-1)
            else:
                other = torch.zeros_like(certain)
            known = (forced & (code >= 0)).unsqueeze(-1)
            parts.append(torch.where(known, certain, other))
        return torch.cat(parts, dim=-1)
