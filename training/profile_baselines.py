"""What a model of profiles must beat: answers that need no network.

Belongs here: which baselines there are, fitted on the training split alone; they answer in the form
that the model answers in. Never here: how they answer (`training.profile_constants`,
`training.profile_forests`), the model, scores, intervals.
"""

import numpy as np

from training.profile_colours import changes, cut_at
from training.profile_constants import (
    Agreement,
    Baseline,
    Codes,
    CommonestSequence,
    CountTold,
    Frequencies,
    Majority,
    Photographs,
    constant,
    markers,
)
from training.profile_forests import ColourCut, Forest, SiteCut

LEVELS = 1 - np.geomspace(1, 0.01, 16)
"""Quantiles of changes of colour that are tried as the least one of a boundary: few peaks are."""
CHOSEN_ON = 300
"""Training photographs that constants and the least change of colour are chosen on."""


def baselines(
    train: Photographs, codes: Codes, agreement: Agreement, seed: int
) -> dict[str, Baseline]:
    """Fit all baselines.

    Args:
        train: Photographs of the training split.
        codes: Of the data.
        agreement: By which constants and the least change of colour are chosen.
        seed: Of the forests.

    Returns:
        By name. What stands in `TOLD` knows part of the answer.
    """
    some = np.linspace(0, len(train) - 1, min(CHOSEN_ON, len(train))).round().astype(int)
    few = train.take(some)
    frequencies = Frequencies.of(train, codes)
    change = _least_change(few, agreement)
    found: dict[str, Baseline] = {
        "constant profile": constant(train, few, frequencies, agreement),
        "majority": Majority(constant(train, few, frequencies, agreement), frequencies),
        "most frequent sequence": CommonestSequence.of(train, frequencies),
        "constant profile, count told": CountTold(markers(train, np.median), frequencies),
    }
    for name, uses in (
        ("site alone", ("site",)),
        ("image alone", ("colour",)),
        ("site and image", ("site", "colour")),
    ):
        cut = SiteCut.of(train, seed) if "colour" not in uses else ColourCut(change)
        found[name] = Forest.of(train, codes, uses, cut, frequencies, seed)
    return found


TOLD = ("constant profile, count told",)
"""Baselines that are told what no method can know; they stand in tables, and are no goal."""


def _least_change(few: Photographs, agreement: Agreement) -> float:
    """The least change of a boundary that agrees best with training profiles."""
    changed, most = changes(few.colour), few.truth.segments.bounds.shape[1]
    heights = changed[changed > 0]
    if not heights.size:
        return np.inf
    tried = np.quantile(heights, LEVELS)
    agreed = [
        np.average(agreement(few.truth.segments, cut_at(changed, least, most)), weights=few.weight)
        for least in tried
    ]
    return float(tried[int(np.argmax(agreed))])
