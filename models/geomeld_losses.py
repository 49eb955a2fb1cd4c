"""Losses of GeoMeld-FM, as sums and counts.

Belongs here: the loss of a prediction given a batch, and the gathering of captions' negatives over
processes. Never here: averaging over processes, which the training loop does.

Only what was hidden from the encoder and is present counts, which is everything of a modality that
it does not read; a sum is divided by the number of what counted. A modality of which nothing
counted adds nothing: neither loss nor gradient, not even to its own weight.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.geomeld_fm import TileBatch, TilePrediction
from models.losses import Terms

_LEFT_OUT = -100
_NO_SENTENCE = -1
_LEAST_VARIANCE = 1e-6  # of a patch whose pixels are alike: He et al. 2022 (MAE), arXiv 2111.06377


def geomeld(
    prediction: TilePrediction,
    batch: TileBatch,
    patch_normalised: tuple[str, ...],
    jepa_weight: float,
    contrast_weight: float,
) -> Terms:
    """All parts of the loss that the model has outputs for.

    L = sum over targets of (exp(-s) L_target + s) + jepa_weight L_jepa + contrast_weight L_caption,
    the weighting after Kendall, Gal and Cipolla 2018 in the form of MP-MAE (arXiv 2405.02771).

    Args:
        prediction: See `TilePrediction`.
        batch: See `TileBatch`.
        patch_normalised: Maps whose target is standardised within each patch.
        jepa_weight: Weight of the term `jepa`.
        contrast_weight: Weight of the term `contrast`.

    Returns:
        One term for each target (with its weight), `jepa` and `contrast`.
    """
    terms: Terms = {}
    for name, (total, count) in reconstruction(prediction, batch, patch_normalised).items():
        s = prediction["log_variance"][name]
        terms[name] = (torch.exp(-s) * total + s * count, count)
    if prediction["forecast"] is not None:
        total, count = jepa(
            prediction["forecast"], prediction["teacher"], prediction["forecast_counts"]
        )
        terms["jepa"] = (jepa_weight * total, count)
    if prediction["image"] is not None:
        sentence = batch["sentence"]
        if "stand_in" in batch:
            sentence = torch.where(batch["stand_in"], _NO_SENTENCE, sentence)
        total, count = contrast(
            prediction["image"], prediction["text"], prediction["temperature"], sentence
        )
        terms["contrast"] = (contrast_weight * total, count)
    return terms


def reconstruction(
    prediction: TilePrediction, batch: TileBatch, patch_normalised: tuple[str, ...]
) -> Terms:
    """Squared error or cross-entropy of every target, summed over what counts, without weights."""
    terms: Terms = {}
    patches = batch["visible"].shape[1]
    columns = round(patches**0.5)
    for name, mean in prediction["maps"].items():
        wanted = prediction["restored"][name]
        target = pixels_of(batch["values"][name], columns, wanted)
        counts = pixels_of(batch["present"][name], columns, wanted)
        if name in patch_normalised:
            target = within_patch(target, counts)
        error = torch.where(counts, mean - torch.where(counts, target, 0), 0)
        terms[name] = (error.square().sum(), counts.sum())
    for name, logits in prediction["classes"].items():
        wanted = prediction["restored"][name]
        target = pixels_of(batch["values"][name].unsqueeze(1), columns, wanted)
        counts = pixels_of(batch["present"][name].unsqueeze(1), columns, wanted)
        codes = torch.where(counts, target, _LEFT_OUT).flatten()
        loss = F.cross_entropy(logits.flatten(0, 2), codes, ignore_index=_LEFT_OUT, reduction="sum")
        terms[name] = (loss, counts.sum())
    for name, mean in prediction["vectors"].items():
        counts = batch["present"][name]
        error = torch.where(counts, mean - torch.where(counts, batch["values"][name], 0), 0)
        terms[name] = (error.square().sum(), counts.sum())
    return terms


def pixels_of(x: Tensor, columns: int, wanted: Tensor) -> Tensor:
    """Pixels of patches.

    Args:
        x: (B, C, h, w).
        columns: Patches of an edge of the tile.
        wanted: (B, W) int64.

    Returns:
        (B, W, q * q, C), q = h / columns.
    """
    b, c, height, _ = x.shape
    q = height // columns
    x = x.view(b, c, columns, q, columns, q).permute(
        0, 2, 4, 3, 5, 1
    )  # (B, rows, columns, q, q, C)
    x = x.reshape(b, columns * columns, q * q, c)
    return x.gather(1, wanted[:, :, None, None].expand(-1, -1, q * q, c))


def within_patch(target: Tensor, counts: Tensor) -> Tensor:
    """Standardise each patch by the mean and variance of what is present in it (arXiv 2111.06377).

    Args:
        target: (B, W, pixels, C).
        counts: Bool, the same shape.

    Returns:
        The same shape; undefined where not present.
    """
    number = counts.sum((2, 3), keepdim=True).clamp(min=1)
    known = torch.where(counts, target, 0)
    mean = known.sum((2, 3), keepdim=True) / number
    variance = torch.where(counts, known - mean, 0).square().sum((2, 3), keepdim=True) / number
    return (known - mean) / (variance + _LEAST_VARIANCE).sqrt()


def jepa(forecast: Tensor, teacher: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth L1 between the forecast and the teacher's layer-normed tokens (arXiv 2301.08243).

    Args:
        forecast: (B, M, width).
        teacher: (B, M, width); no gradient goes there.
        counts: (B, M) bool.

    Returns:
        Sum and number of elements.
    """
    width = forecast.shape[-1]
    target = F.layer_norm(teacher.detach(), (width,))
    loss = F.smooth_l1_loss(forecast, target, reduction="none").sum(-1)
    return (loss * counts).sum(), counts.sum() * width


def contrast(
    image: Tensor, text: Tensor, temperature: Tensor, sentence: Tensor
) -> tuple[Tensor, Tensor]:
    """InfoNCE both ways over the tiles of all processes (arXiv 2103.00020).

    A tile is told apart from all captions of the step, also those that describe no tile of it; a
    caption from all tiles. A tile without caption is neither scored nor anyone's negative, and who
    says the same is no negative either.

    Args:
        image: (B, width) unit vectors of this process.
        text: (B, 1 + K, width) unit vectors: of each tile's caption, then of captions of others.
        temperature: ().
        sentence: (B, 1 + K) int64; see `TileBatch`.

    Returns:
        Sum over this process's captioned tiles of the mean of both ways, and their number.
    """
    all_images, first = gather_rows(image)
    all_texts = gather_rows(text)[0].flatten(0, 1)
    # Rows that only fill up are 0 and must become those of no sentence.
    all_said = gather_rows(sentence - _NO_SENTENCE)[0] + _NO_SENTENCE
    own = torch.arange(first, first + len(image), device=image.device)
    mine, captioned = sentence[:, :1], sentence[:, 0] != _NO_SENTENCE
    total = image.new_zeros(())
    for here, there, said, place in (
        (image, all_texts, all_said.flatten(), own * text.shape[1]),
        (text[:, 0], all_images, all_said[:, 0], own),
    ):
        left_out = (said == mine) | (said == _NO_SENTENCE)
        left_out = left_out.scatter(1, place[:, None], ~captioned[:, None])
        # Finite, so that a row without any caption has a loss (left out) and not NaN.
        logits = (here @ there.T / temperature).masked_fill(left_out, torch.finfo(here.dtype).min)
        codes = torch.where(captioned, place, _LEFT_OUT)
        total = total + 0.5 * F.cross_entropy(
            logits, codes, ignore_index=_LEFT_OUT, reduction="sum"
        )
    return total, captioned.sum()


def gather_rows(x: Tensor) -> tuple[Tensor, int]:
    """Rows of all processes, with gradient, and the place of this process's first one.

    Args:
        x: (rows, ...); processes may have different numbers of rows, which zeros fill up.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x, 0
    most = torch.tensor(len(x), device=x.device)
    dist.all_reduce(most, dist.ReduceOp.MAX)
    padding = x.new_zeros(int(most) - len(x), *x.shape[1:])
    return _Gather.apply(torch.cat([x, padding])), dist.get_rank() * int(most)


class _Gather(torch.autograd.Function):
    """All-gather whose gradient is summed over the processes that used the rows."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # noqa: ANN001
        ctx.rows = len(x)
        # Gloo does not gather bool.
        wire = x.to(torch.uint8) if x.dtype == torch.bool else x.contiguous()
        parts = [torch.empty_like(wire) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, wire)
        return torch.cat(parts).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # noqa: ANN001
        grad = grad.contiguous()
        dist.all_reduce(grad)
        first = dist.get_rank() * ctx.rows
        return grad[first : first + ctx.rows]
