"""GeoMeld-FM: one encoder of Sentinel-2 tiles, taught by many other views of the same place.

Belongs here: the architecture and its configuration. Never here: losses, masks' randomness, data.

After GeoMeld-FM (arXiv 2604.10591; no code published) and MP-MAE (arXiv 2405.02771): the encoder
sees some patches of a tile; a light decoder for each modality restores the others; a predictor
guesses what a slowly following teacher makes of the hidden patches (I-JEPA, arXiv 2301.08243); and
the tile's pooled features are set beside a sentence about it (CLIP, arXiv 2103.00020).

* Decoders share no weights; heads alone are not decoders.
* An absent band is not read as zero. Where a value is missing, the stem reads a learned vector for
  that band in its place, by a channel of absence beside each band.
* A modality that the encoder does not read is hidden from it everywhere, and restored in all
  patches; one that it reads, in the hidden patches alone. Heads are computed for nothing else.
* In visible patches a linear map of what all stages know of a position is added to what such a
  modality's decoder restores, so that the early stages learn what tells it pixel by pixel: one
  token a patch is too little for that (supervision of early layers: Lee et al. 2015, arXiv
  1409.5185).
"""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.convnext_v2 import (
    EPSILON,
    INITIAL_STD,
    STEPS,
    Block,
    ConvNeXtV2,
    Patches,
    Size,
    initialise,
)

FIRST_TEMPERATURE, LEAST_TEMPERATURE = 0.07, 0.01
"""Temperature of the caption contrast: at the start, and its bound (arXiv 2103.00020, 2.5)."""


@dataclass(frozen=True)
class Modality:
    """What the model must know of one modality."""

    id: str
    kind: Literal["map", "classes", "vector"]
    channels: int
    """Bands of a map, codes of classes, elements of a vector."""
    size: int
    """Pixels an edge; 0 for a vector."""


@dataclass(frozen=True)
class GeoMeldConfig:
    """Everything that fixes the architecture."""

    size: Size
    patch: int
    """Pixels of a patch's edge in the input."""
    inputs: tuple[Modality, ...]
    """Maps of one size."""
    targets: tuple[Modality, ...]
    decoder_width: int
    decoder_blocks: int
    predictor_width: int
    """0: no JEPA."""
    predictor_blocks: int
    contrast_width: int
    """0: no captions."""
    caption_width: int
    """Length of a caption's embedding."""


class TileBatch(TypedDict):
    """Input of the model; what a tensor holds where it is not present is never read."""

    values: dict[str, Tensor]
    """By modality: maps (B, C, h, w) and vectors (B, n) standardised, classes (B, h, w) int64,
    the position in the modality's codes."""
    present: dict[str, Tensor]
    """Bool, of the shape of `values`."""
    hidden_bands: dict[str, Tensor]
    """By input modality (B, C) bool: bands kept from the encoder, though they may be targets."""
    visible: Tensor
    """(B, patches) bool, row-major: patches that the encoder sees, as many in every row."""
    caption: Tensor
    """(B, 1 + K, width) embeddings: of the tile's caption, then of K captions of other tiles that
    it is to be told apart from; what stands where there is none is never read."""
    sentence: Tensor
    """(B, 1 + K) int64: captions that say the same have the same number; -1 where there is none."""
    stand_in: NotRequired[Tensor]
    """() bool: the rows only keep a process busy that has none of its own; they count nowhere."""


class TilePrediction(TypedDict):
    """Output of the model; M patches are hidden, listed in row-major order.

    Of a target, W patches are restored: the hidden ones of an input, all of what is no input.
    """

    restored: dict[str, Tensor]
    """By map or classes (B, W) int64, which patches are restored."""
    maps: dict[str, Tensor]
    """(B, W, q * q, C): pixels of these patches, q to an edge in the modality's own size."""
    classes: dict[str, Tensor]
    """(B, W, q * q, codes) logits."""
    vectors: dict[str, Tensor]
    """(B, n)."""
    log_variance: dict[str, Tensor]
    """() by target: s of the uncertainty weighting."""
    pooled: Tensor
    """(B, width) features of the tile."""
    forecast: Tensor | None
    """(B, M, width): the predictor's guess of the teacher's tokens; None without JEPA."""
    teacher: Tensor | None
    """(B, M, width): the teacher's tokens; no gradient."""
    forecast_counts: Tensor
    """(B, M) bool: hidden patches in which anything was measured."""
    image: Tensor | None
    """(B, contrast width) unit vectors; None without captions."""
    text: Tensor | None
    """(B, 1 + K, contrast width) unit vectors, of the captions in the batch."""
    temperature: Tensor | None
    """()."""


class Decoder(nn.Module):
    """Puts visible tokens on the map among mask tokens, mixes them, reads the wanted places."""

    def __init__(self, width_in: int, width: int, blocks: int, out: int) -> None:
        super().__init__()
        self.enter = nn.Linear(width_in, width)
        self.mask = nn.Parameter(torch.empty(width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.leave = nn.Linear(width, out)
        self.apply(initialise)
        nn.init.normal_(self.mask, std=INITIAL_STD)

    def forward(self, tokens: Tensor, seen: Tensor, wanted: Tensor, whole: Patches) -> Tensor:
        """Restore patches.

        Args:
            tokens: (B, V, width_in) of the visible patches.
            seen: (B, V) int64, their places.
            wanted: (B, W) int64, the places to restore.
            whole: All patches.

        Returns:
            (B, W, out).
        """
        entered = self.enter(tokens)
        b, _, width = entered.shape
        x = self.mask.expand(b, whole.rows * whole.columns, width).to(entered.dtype)
        x = x.scatter(1, seen.unsqueeze(-1).expand_as(entered), entered)[:, :, None, None]
        positions = whole.positions(1)
        *first, last = self.blocks
        for block in first:
            x = block(x, whole, positions)
        return self.leave(self.norm(last(x, whole, positions, wanted=wanted)[:, :, 0, 0]))


class Teacher(nn.Module):
    """An encoder that follows another one slowly and is never trained itself.

    Its weights are buffers: no optimiser, no gradient and no ZeRO partition knows them, and they
    are kept with the model in every checkpoint. They stay float32 when the model is cast: at a
    momentum of 0.996 an update is smaller than what bfloat16 can tell apart.
    """

    def __init__(self, encoder: ConvNeXtV2) -> None:
        super().__init__()
        self.encoder = deepcopy(encoder)
        for module in self.encoder.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, weight.detach().clone())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Teacher":
        def keep_float32(x: Tensor) -> Tensor:
            y = fn(x)
            return x.to(y.device) if y.is_floating_point() and y.dtype != torch.float32 else y

        return super()._apply(keep_float32, recurse)

    @torch.no_grad()
    def follow(self, encoder: ConvNeXtV2, momentum: float) -> None:
        """Move to momentum * own + (1 - momentum) * other.

        Args:
            encoder: The trained encoder; its weights must be whole on this process.
            momentum: In [0, 1].
        """
        weights = dict(encoder.named_parameters())
        for name, own in self.encoder.named_buffers():
            own.lerp_(weights[name].to(own.dtype), 1.0 - momentum)

    @torch.no_grad()
    def forward(self, pixels: Tensor, visible: Tensor) -> Tensor:
        """As the encoder; computed in the precision of the pixels."""
        half = pixels.dtype == torch.bfloat16
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=half):
            return self.encoder(pixels, visible)


class GeoMeldFM(nn.Module):
    """Encoder, decoders, predictor with teacher, and the two sides of the caption contrast."""

    def __init__(self, config: GeoMeldConfig) -> None:
        """Build the model.

        Args:
            config: The architecture.

        Raises:
            ValueError: An input is no map, inputs differ in size, or a target cannot be cut into
                the patches.
        """
        super().__init__()
        self.config = config
        sizes = {modality.size for modality in config.inputs}
        if len(sizes) != 1 or any(modality.kind != "map" for modality in config.inputs):
            raise ValueError(f"inputs must be maps of one size, got {config.inputs}")
        self.columns = sizes.pop() // config.patch
        bands = sum(modality.channels for modality in config.inputs)
        self.encoder = ConvNeXtV2(config.size, 2 * bands, config.patch)
        width = self.encoder.width
        decoders, fine, heads = {}, {}, {}
        read = {modality.id for modality in config.inputs}
        for target in config.targets:
            if target.kind == "vector":
                heads[target.id] = nn.Sequential(
                    nn.LayerNorm(width, eps=EPSILON), nn.Linear(width, target.channels)
                )
                continue
            if target.size % self.columns:
                raise ValueError(
                    f"{target.id}: {target.size} pixels cannot be cut into {self.columns} patches"
                )
            edge = target.size // self.columns
            out = edge**2 * target.channels
            decoders[target.id] = Decoder(width, config.decoder_width, config.decoder_blocks, out)
            if target.id not in read and edge % STEPS == 0:
                fine[target.id] = nn.Linear(self.encoder.pyramid_width, out // STEPS**2)
        self.decoders, self.heads = nn.ModuleDict(decoders), nn.ModuleDict(heads)
        self.fine = nn.ModuleDict(fine)
        self.heads.apply(initialise)
        self.fine.apply(initialise)
        self.log_variance = nn.Parameter(torch.zeros(len(config.targets)))
        if config.predictor_width:
            self.predictor = Decoder(width, config.predictor_width, config.predictor_blocks, width)
            self.teacher = Teacher(self.encoder)
        if config.contrast_width:
            self.image = nn.Linear(width, config.contrast_width, bias=False)
            self.text = nn.Linear(config.caption_width, config.contrast_width, bias=False)
            # One element and not a scalar, which DeepSpeed cannot send to other processes.
            self.log_sharpness = nn.Parameter(torch.tensor([_unbounded(1 / FIRST_TEMPERATURE)]))
            self.image.apply(initialise)
            self.text.apply(initialise)

    def forward(self, batch: TileBatch) -> TilePrediction:
        """Predict what the encoder was not shown.

        Args:
            batch: See `TileBatch`.
        """
        config, visible = self.config, batch["visible"]
        hidden = (~visible).nonzero()[:, 1].view(len(visible), -1)
        seen = visible.nonzero()[:, 1].view(len(visible), -1)
        measured = self.measured(batch)
        if self.fine:
            fine = self.encoder.pyramid(self.pixels(batch), visible)
            tokens = fine[:, :, 0, 0, -self.encoder.width :]
        else:
            tokens = self.encoder(self.pixels(batch), visible)
        pooled = pool(tokens, measured.gather(1, seen))
        whole = Patches.visible(torch.ones_like(visible), self.columns)
        read, everywhere = {m.id for m in config.inputs}, whole.index
        restored, maps, classes = {}, {}, {}
        for target in config.targets:
            if target.kind != "vector":
                wanted = restored[target.id] = hidden if target.id in read else everywhere
                pixels = self.decoders[target.id](tokens, seen, wanted, whole)
                if target.id in self.fine:
                    more = rows_of_pixels(self.fine[target.id](fine), target.channels)
                    pixels = pixels.scatter_add(1, seen[:, :, None].expand_as(more), more)
                found = maps if target.kind == "map" else classes
                found[target.id] = pixels.float().unflatten(-1, (-1, target.channels))
        # A new tensor: ZeRO-3 takes a parameter itself back as soon as forward ends.
        spread = (self.log_variance.float() * 1.0).unbind()
        forecast = teacher = image = text = temperature = None
        if config.predictor_width:
            forecast = self.predictor(tokens, seen, hidden, whole).float()
            teacher = self.teacher(self.pixels(batch, all_bands=True), ~visible).float()
        if config.contrast_width:
            image = self.image_vectors(pooled)
            said = (batch["sentence"] >= 0).unsqueeze(-1)
            text = self.text_vectors(torch.where(said, batch["caption"], 0))
            temperature = 1 / _bounded(self.log_sharpness.float()).squeeze()
        return {
            "restored": restored,
            "maps": maps,
            "classes": classes,
            "vectors": {name: head(pooled).float() for name, head in self.heads.items()},
            "log_variance": {t.id: s for t, s in zip(config.targets, spread, strict=True)},
            "pooled": pooled.float(),
            "forecast": forecast,
            "teacher": teacher,
            "forecast_counts": measured.gather(1, hidden),
            "image": image,
            "text": text,
            "temperature": temperature,
        }

    def pixels(self, batch: TileBatch, all_bands: bool = False) -> Tensor:
        """(B, 2 bands, h, w): values, zero where absent, then 1 where a band is absent, else 0.

        Args:
            batch: See `TileBatch`.
            all_bands: Read the bands that the batch hides, too.
        """
        values, absent = [], []
        for modality in self.config.inputs:
            read = batch["present"][modality.id]
            if not all_bands:
                read = read & ~batch["hidden_bands"][modality.id][:, :, None, None]
            values.append(torch.where(read, batch["values"][modality.id], 0))
            absent.append(~read)
        x = torch.cat([*values, *absent], dim=1)
        return x.to(self.log_variance.dtype)

    def measured(self, batch: TileBatch) -> Tensor:
        """(B, patches) bool: whether any input has any value there."""
        patch = self.config.patch
        maps = [batch["present"][modality.id].any(1) for modality in self.config.inputs]
        found = torch.stack(maps).any(0)
        return found.unflatten(1, (-1, patch)).unflatten(3, (-1, patch)).any(4).any(2).flatten(1)

    def features(self, batch: TileBatch) -> tuple[Tensor, Tensor]:
        """Features of whole tiles, as used after training.

        Args:
            batch: See `TileBatch`; its `visible` is not looked at.

        Returns:
            (B, d, h, w) of positions of patch / 8 pixels, see `ConvNeXtV2.pyramid`; and (B, d),
            their mean over patches with any value, of which the last are what stands beside
            captions.
        """
        fine = self.encoder.pyramid(self.pixels(batch), torch.ones_like(batch["visible"])).float()
        rows = fine.unflatten(1, (-1, self.columns)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return rows.permute(0, 3, 1, 2), pool(fine.mean((2, 3)), self.measured(batch))

    def image_vectors(self, pooled: Tensor) -> Tensor:
        """(B, width) or (B, d) features of tiles -> (B, contrast width) unit vectors."""
        tokens = pooled[:, -self.encoder.width :].to(self.log_variance.dtype)
        return F.normalize(self.image(tokens).float(), dim=-1)

    def text_vectors(self, caption: Tensor) -> Tensor:
        """(..., caption width) embeddings -> (..., contrast width) unit vectors beside tiles."""
        return F.normalize(self.text(caption.to(self.log_variance.dtype)).float(), dim=-1)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Let the teacher follow the encoder; see `Teacher.follow`."""
        if self.config.predictor_width:
            self.teacher.follow(self.encoder, momentum)


def rows_of_pixels(x: Tensor, channels: int) -> Tensor:
    """(B, V, p, p, r * r * channels) of positions of r * r pixels -> (B, V, pixels * channels)."""
    b, v, p, _, out = x.shape
    r = math.isqrt(out // channels)
    return x.view(b, v, p, p, r, r, channels).transpose(3, 4).reshape(b, v, -1)


def pool(tokens: Tensor, counts: Tensor) -> Tensor:
    """Mean token of the patches that count; of all of them where none does.

    Args:
        tokens: (B, V, width).
        counts: (B, V) bool.

    Returns:
        (B, width).
    """
    weight = (counts | ~counts.any(1, keepdim=True)).to(tokens.dtype).unsqueeze(-1)
    return (tokens * weight).sum(1) / weight.sum(1)


_LARGEST = math.log(1 / LEAST_TEMPERATURE)


def _bounded(raw: Tensor) -> Tensor:
    """Sharpness in (LEAST_TEMPERATURE, 1 / LEAST_TEMPERATURE); smooth, so that it can come back."""
    return torch.exp(_LARGEST * torch.tanh(raw / _LARGEST))


def _unbounded(sharpness: float) -> float:
    """What `_bounded` makes this sharpness of."""
    return _LARGEST * math.atanh(math.log(sharpness) / _LARGEST)
