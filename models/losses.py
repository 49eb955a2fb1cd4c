"""Loss functions, as sums and counts.

Belongs here: the loss of a prediction given a batch. Never here: averaging over processes.

A loss returns `{term: (sum, count)}`. The training loop divides each sum by the count over all
processes, so that the loss, and with it the gradient, does not depend on how many there are.

Heteroscedastic losses after Kendall and Gal 2017 (numeric) and Kendall, Gal and Cipolla 2018
(categorical); the equations of arXiv 2605.04323 were not published in text, these are their
natural reading. Only hidden entries that were observed count.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from models.soilformer import Batch, Prediction

Terms = dict[str, tuple[Tensor, Tensor]]


def gaussian(mean: Tensor, log_variance: Tensor, target: Tensor, observed: Tensor) -> Tensor:
    """1/2 exp(-s) MSE + 1/2 s for each column.

    Args:
        mean: (B, V, L).
        log_variance: (B, V), s.
        target: (B, V, L).
        observed: (B, V, L) bool; the MSE is over observed elements.

    Returns:
        (B, V); for a column without any observed element only 1/2 s is left, to be left out.
    """
    squared = (mean - target).square() * observed
    mse = squared.sum(-1) / observed.sum(-1).clamp(min=1)
    return 0.5 * torch.exp(-log_variance) * mse + 0.5 * log_variance


def tempered_cross_entropy(logits: Tensor, s: Tensor, code: Tensor) -> Tensor:
    """exp(-s) CE + 1/2 s for each categorical column.

    Args:
        logits: (B, C, codes), -inf where a column has no such code.
        s: (B, C).
        code: (B, C) int64; -1 (missing) is scored as code 0, to be left out by the caller.

    Returns:
        (B, C).
    """
    cross_entropy = F.cross_entropy(
        logits.flatten(0, 1), code.clamp(min=0).flatten(), reduction="none"
    )
    return torch.exp(-s) * cross_entropy.view_as(s) + 0.5 * s


def heteroscedastic(prediction: Prediction, batch: Batch) -> Terms:
    """Loss of masked reconstruction: terms `numeric` and `categorical`.

    Every output takes part in the sum, with weight zero where it is not a target: a parameter that
    had a gradient on one process only would stall the reduction.
    """
    terms: Terms = {}
    if prediction["mean"]:
        total, count = [], []
        for mean, s, values, observed, hidden in zip(
            prediction["mean"],
            prediction["log_variance"],
            batch["values"],
            batch["observed"],
            batch["hidden"],
            strict=True,
        ):
            target = hidden & observed.any(-1)
            total.append((gaussian(mean, s, values, observed) * target).sum())
            count.append(target.sum())
        terms["numeric"] = (torch.stack(total).sum(), torch.stack(count).sum())
    codes = batch["codes"]
    if codes.shape[1]:
        target = batch["codes_hidden"] & (codes >= 0)  # (B, C)
        loss = tempered_cross_entropy(prediction["logits"], prediction["log_temperature"], codes)
        terms["categorical"] = ((loss * target).sum(), target.sum())
    return terms
