"""Losses of SoilNet, as sums and counts.

Belongs here: the loss of a prediction given a batch, and how ordinal logits become probabilities.
Never here: averaging over processes, trees of symbols (their matrices come in as tensors).

Only what exists counts: no term is taken over padding, and a horizon whose property or symbol is
unknown adds nothing to it. A head that a model lacks (None in its prediction) has no term.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.losses import Terms

if TYPE_CHECKING:
    from models.soilnet import ProfileBatch, ProfilePrediction

_NEAR = 0.02
"""Share of 100 cm within which a depth is as good as described: from there on errors count
linearly, so that one missed boundary does not outweigh many that are nearly right."""
_NEAR_STONES = 0.05
_BELL = 0.015
"""Standard deviation of the bell around a boundary, as a share of 100 cm: it waves, and is told in
whole centimetres."""
_LEFT_OUT = -100


def profile(
    prediction: "ProfilePrediction",
    batch: "ProfileBatch",
    *,
    label_loss: str,
    ordinal: Collection[str],
    levels: Sequence[Tensor],
    weights: Mapping[str, float],
) -> Terms:
    """All parts of the loss that the model has heads for.

    Args:
        prediction: See `ProfilePrediction`.
        batch: See `ProfileBatch`.
        label_loss: `cross_entropy`, `embedding` (the prediction's scores are cosines), or
            `hierarchical`.
        ordinal: Names of the classes that have ordinal heads.
        levels: For the hierarchical loss: `fusion.profiles.taxonomy.Taxonomy.levels`.
        weights: Of the terms `depth`, `pointing`, `stop`, `stones`, `classes` (each of them) and
            `symbol`.

    Returns:
        Weighted `depth`, `pointing`, `stop`, `stones`, one term for each class, and `symbol`.
    """
    terms: Terms = {}
    if prediction["markers"] is not None and prediction["stop"] is not None:
        terms["depth"] = depth(prediction["markers"], batch["bounds"], batch["horizons"])
        terms["stop"] = stop(prediction["stop"], batch["horizons"])
    if prediction["pointing"] is not None:
        terms["pointing"] = pointing(prediction["pointing"], batch["bounds"], batch["horizons"])
    place = overlapped(prediction["used"], batch["bounds"], batch["horizons"])
    if prediction["stones"] is not None:
        known = (place >= 0) & batch["stones_known"].gather(1, place.clamp(min=0))
        target = batch["stones"].gather(1, place.clamp(min=0))
        terms["stones"] = stones(prediction["stones"], target, known)
    for name, logits in prediction["classes"].items():
        one = ordinal_entropy if name in ordinal else cross_entropy
        terms[name] = one(logits, codes_of(batch["classes"][name], place))
    if (scores := prediction["symbol"]) is not None:
        codes = codes_of(batch["symbol"], place)
        if label_loss == "hierarchical":
            terms["symbol"] = hierarchical(scores, codes, levels)
        else:
            terms["symbol"] = {"cross_entropy": cross_entropy, "embedding": embedding}[label_loss](
                scores, codes
            )
    return {
        name: (total * weights["classes" if name in prediction["classes"] else name], count)
        for name, (total, count) in terms.items()
    }


def overlapped(used: Tensor, bounds: Tensor, horizons: Tensor) -> Tensor:
    """The true horizon that each segment shares most depth with, whose properties it should have.

    Where segments are cut at true bounds, segment k has horizon k. Where they are cut at predicted
    ones, taking horizon k would teach all segments below a missed boundary their neighbour's name.

    Args:
        used: (B, S) lower bounds of segments, ascending; after the first that is 1 there is none.
        bounds: (B, S) true lower bounds.
        horizons: (B, S) bool.

    Returns:
        (B, S) int64, -1 where there is no segment or it has no thickness.
    """
    low = torch.maximum(_upper(used).unsqueeze(2), _upper(bounds).unsqueeze(1))
    high = torch.minimum(used.unsqueeze(2), bounds.unsqueeze(1))
    shared = (high - low).masked_fill(~horizons.unsqueeze(1), 0)  # (B, segments, horizons)
    most, place = shared.max(-1)
    return torch.where(most > 0, place, -1)


def _upper(lower: Tensor) -> Tensor:
    return F.pad(lower[:, :-1], (1, 0), value=0.0)


def codes_of(codes: Tensor, place: Tensor) -> Tensor:
    """(B, S) codes of the horizons at `place`, (B, S); -1 where that is -1."""
    return torch.where(place >= 0, codes.gather(1, place.clamp(min=0)), -1)


def depth(markers: Tensor, target: Tensor, horizons: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth L1 of the boundaries between horizons.

    The lower end of the last horizon is 1 by definition: neither it nor the padding says anything
    of a profile, and a loss over them rewards what is always the same.

    Args:
        markers: (B, S) lower bounds as share of 100 cm, before any stop is applied to them.
        target: (B, S) true lower bounds.
        horizons: (B, S) bool.

    Returns:
        Sum, and number of boundaries.
    """
    inner = inner_boundaries(horizons)
    loss = F.smooth_l1_loss(markers.float(), target, beta=_NEAR, reduction="none")
    return (loss * inner).sum(), inner.sum()


def pointing(edges: Tensor, target: Tensor, horizons: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of where markers point, against a bell around the true boundary.

    Beside the error of the mean depth, since the mean of many wrong edges can be right, and tells
    none of them apart (as heat maps are taught beside their means: arXiv 1801.07372).

    Args:
        edges: (B, S, E) log-probabilities of edges at 1 / (E + 1), 2 / (E + 1), ...; -inf where a
            marker cannot point, which the bell leaves out, too.
        target: (B, S) lower bounds as share of 100 cm.
        horizons: (B, S) bool.

    Returns:
        Sum, and number of boundaries.
    """
    inner, closed = inner_boundaries(horizons), edges.isinf()
    count = edges.shape[-1]
    depth = torch.arange(1, count + 1, device=edges.device) / (count + 1)
    away = (depth - target.unsqueeze(-1)) / _BELL
    bell = (-0.5 * away.square()).masked_fill(closed, -torch.inf).softmax(-1)
    loss = -(bell * edges.masked_fill(closed, 0)).sum(-1)
    return torch.where(inner, loss, 0).sum(), inner.sum()


def inner_boundaries(horizons: Tensor) -> Tensor:
    """Does another horizon follow? (B, S) bool, from `horizons`, (B, S) bool."""
    return F.pad(horizons[:, 1:], (0, 1), value=False)


def stop(logits: Tensor, horizons: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of where the sequence of horizons ends.

    Logit k is that of horizon k being the last one if none before it was (a discrete hazard), so
    that the sum over the horizons of a profile is minus the log of the probability of their number.

    Args:
        logits: (B, S).
        horizons: (B, S) bool.

    Returns:
        Sum, and number of horizons.
    """
    last = horizons & ~inner_boundaries(horizons)
    loss = F.binary_cross_entropy_with_logits(logits.float(), last.float(), reduction="none")
    return (loss * horizons).sum(), horizons.sum()


def stones(share: Tensor, target: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Smooth L1 of the share of stones, whose distribution has a long tail.

    Args:
        share: (B, S).
        target: (B, S), any value where unknown.
        known: (B, S) bool.

    Returns:
        Sum, and number of known shares.
    """
    target = torch.where(known, target, 0)
    loss = F.smooth_l1_loss(share.float(), target, beta=_NEAR_STONES, reduction="none")
    return (loss * known).sum(), known.sum()


def cross_entropy(logits: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of known codes.

    Args:
        logits: (B, S, C).
        codes: (B, S) int64, -1 unknown.

    Returns:
        Sum, and number of known codes.
    """
    target = torch.where(codes < 0, _LEFT_OUT, codes)
    loss = F.cross_entropy(
        logits.float().flatten(0, 1), target.flatten(), ignore_index=_LEFT_OUT, reduction="sum"
    )
    return loss, (codes >= 0).sum()


def ordinal_entropy(logits: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of ordered codes by conditional logits: CORN (Shi, Cao, Raschka 2021).

    Logit k is that of the code being greater than k if it is not less (arXiv 2111.08851). Unlike
    cumulative logits (Niu et al. 2016) they are consistent in rank whatever their values, without
    the shared weights of CORAL (arXiv 1901.07884); the sum over k is minus the log of the
    probability of the code, so it weighs as much as the cross-entropy of classes without order.

    Args:
        logits: (B, S, C - 1).
        codes: (B, S) int64, -1 unknown.

    Returns:
        Sum, and number of known codes.
    """
    step = torch.arange(logits.shape[-1], device=logits.device)
    asked = codes.unsqueeze(-1) >= step  # unknown codes are asked nothing
    greater = (codes.unsqueeze(-1) > step).float()
    loss = F.binary_cross_entropy_with_logits(logits.float(), greater, reduction="none")
    return (loss * asked).sum(), (codes >= 0).sum()


def ordinal_probabilities(logits: Tensor) -> Tensor:
    """Probabilities of ordered codes from conditional logits.

    Args:
        logits: (..., C - 1).

    Returns:
        (..., C), summing to 1.
    """
    greater = torch.cumsum(F.logsigmoid(logits.float()), -1).exp()
    edge = torch.ones_like(greater[..., :1])
    return torch.cat([edge, greater], -1) - torch.cat([greater, torch.zeros_like(edge)], -1)


def embedding(cosines: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """1 - cosine between the predicted vector and the vector of the true label (arXiv 1809.09875).

    Args:
        cosines: (B, S, labels) with the vectors of all labels.
        codes: (B, S) int64, -1 unknown.

    Returns:
        Sum, and number of known codes.
    """
    known = codes >= 0
    own = cosines.float().gather(-1, codes.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return ((1 - own) * known).sum(), known.sum()


def hierarchical(logits: Tensor, codes: Tensor, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the label, and at each level above of the node that it lies in.

    The probability of a node is the sum over its labels, so the loss is smooth in all logits: a
    shortest path between the true and the best label goes through an argmax, which passes no
    gradient at all. Summed over levels it is the hierarchical cross-entropy of Bertinetto et al.
    2020 (arXiv 1912.09393) with weights that grow towards the root. That one is for trees; a
    mixture lies in several nodes, so here a level's target is the share of each node in it, and
    the loss is the divergence from that, which is 0 for a certain and right prediction.

    Args:
        logits: (B, S, labels).
        codes: (B, S) int64, -1 unknown.
        levels: (labels, nodes) share of each node in each label, by level above the labels.

    Returns:
        Sum, and number of known codes.
    """
    total, count = cross_entropy(logits, codes)
    known = codes >= 0
    log_label = F.log_softmax(logits.float(), -1).unsqueeze(-1)  # (B, S, labels, 1)
    for level in levels:
        share = level.to(log_label)
        # In logarithms: a probability that underflows would lose its gradient.
        log_node = torch.logsumexp(log_label + share.log(), -2)  # (B, S, nodes)
        target = share[codes.clamp(min=0)]
        total = total + (F.kl_div(log_node, target, reduction="none").sum(-1) * known).sum()
    return total, count
