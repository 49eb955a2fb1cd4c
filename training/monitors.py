"""Whether a model's features still tell samples apart.

Belongs here: measures of collapse and their limits. Never here: the loop, losses.

A joint-embedding loss falls just as well when all features become one; so what is watched is the
features' spread and the number of directions they use, not the loss.
"""

import torch
from torch import Tensor

from models.geomeld_losses import gather_rows
from training.recipe import Limits


@torch.no_grad()
def spread(features: Tensor) -> dict[str, float]:
    """How varied features are.

    Args:
        features: (n, width).

    Returns:
        `deviation`: standard deviation of the unit vectors' elements, as a share of what evenly
        spread unit vectors have (0: all alike, 1: evenly spread). `effective_rank`: exp of the
        entropy of the singular values (RankMe, Garrido et al. 2023, arXiv 2210.02885), between 1
        and the smaller of n and width.
    """
    features = features.double()
    unit = torch.nn.functional.normalize(features, dim=-1)
    deviation = unit.var(0, correction=0).sum().sqrt()
    values = torch.linalg.svdvals(features)
    share = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    entropy = -torch.special.xlogy(share, share).sum()
    return {"deviation": deviation.item(), "effective_rank": entropy.exp().item()}


@torch.no_grad()
def spread_of_all(features: dict[str, Tensor]) -> dict[str, float]:
    """`spread` of the rows of all processes, by name; every process calls this.

    Args:
        features: By name (rows, width); processes may have different numbers of rows.
    """
    found = {}
    for name, own in features.items():
        rows, _ = gather_rows(own)
        real, _ = gather_rows(torch.ones(len(own), dtype=torch.bool, device=own.device))
        for measure, value in spread(rows[real]).items():
            found[f"{name}_{measure}"] = value
    return found


def below(values: dict[str, float], limits: Limits) -> list[str]:
    """What is below its limit, as sentences."""
    least = {"deviation": limits.least_deviation, "effective_rank": limits.least_rank}
    return [
        f"{name} is {value:.4g}, less than {limit}"
        for name, value in values.items()
        for measure, limit in least.items()
        if name.endswith(f"_{measure}") and value < limit
    ]
