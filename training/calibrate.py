"""From predicted uncertainty to intervals that hold what they say.

Belongs here: split-conformal calibration on the validation split. Never here: training.

Scores are |error| / sigma of numbers and 1 - p(true code) of codes, both on hidden entries. The
interval of level a is as wide as the score that a share a of validation scores stays below (Lei et
al. 2018, "Distribution-free predictive inference for regression"). Where a feature has too few
validation rows for a level, the scores of all features together stand in, and hold their share over
all features; where those are too few as well, there is no interval.

That holds for rows exchangeable with the validation rows. Rows of one site are alike, so with few
clusters of sites the share is nominal: evaluation measures what intervals hold on the test split.
"""

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from training.data import Matrix

DRAWS = 8
"""Masks drawn of each validation row."""
GRID = 400
"""Quantiles kept of each distribution of scores."""


class Scores(BaseModel):
    """Distribution of scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    """Validation rows it comes from: repeated masks of a row are not new evidence."""
    quantiles: tuple[float, ...]
    """At 0, 1/GRID, ..., 1."""

    def reaches(self, level: float) -> bool:
        """Whether there are rows enough for a level."""
        return (self.rows + 1) * level <= self.rows

    def at(self, level: float) -> float:
        """Score that holds a share `level`, with the finite-sample correction."""
        share = min(1.0, np.ceil((self.rows + 1) * level) / self.rows)
        return float(np.interp(share, np.linspace(0, 1, GRID + 1), self.quantiles))


class Calibration(BaseModel):
    """Scores of each numeric feature, of all numeric and of all categorical ones together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numeric: dict[str, Scores]
    all_numeric: Scores | None
    all_categorical: Scores | None

    def factor(self, feature: str, level: float) -> float:
        """Half width of a numeric feature's interval in units of its sigma; NaN where unknown."""
        for scores in (self.numeric.get(feature), self.all_numeric):
            if scores is not None and scores.reaches(level):
                return scores.at(level)
        return float("nan")

    def least_chance(self, level: float) -> float:
        """Codes at least as likely as that make the set of a level; 0, all codes, where unknown."""
        scores = self.all_categorical
        known = scores is not None and scores.reaches(level)
        return 1.0 - scores.at(level) if known else 0.0


def _scores(values: list[np.ndarray], rows: list[np.ndarray]) -> Scores | None:
    if not values or not sum(len(v) for v in values):
        return None
    quantiles = np.quantile(np.concatenate(values), np.linspace(0, 1, GRID + 1))
    return Scores(
        rows=len(np.unique(np.concatenate(rows))), quantiles=tuple(quantiles.round(6).tolist())
    )


@torch.no_grad()
def calibrate_intervals(model: nn.Module, matrix: Matrix, seed: int) -> Calibration:
    """Collect scores on the validation split.

    Args:
        model: SoilFormer in evaluation mode.
        matrix: The data it was trained on.
        seed: Of the masks.
    """
    schema, rows = matrix.schema, matrix.rows("validation")
    features = [f.id for f in schema.numeric]
    scores: dict[str, list[np.ndarray]] = {name: [] for name in features}
    places: dict[str, list[np.ndarray]] = {name: [] for name in features}
    code_scores, code_places = [], []
    for draw in range(DRAWS):
        draws = draw * len(rows) + np.arange(len(rows))
        hidden = matrix.hidden(rows, draws, seed)
        for start in range(0, len(rows), 256):
            part = slice(start, start + 256)
            batch = matrix.encoded.batch(rows[part], hidden[part])
            out = model(batch)
            column = 0
            for mean, s, values, observed, masked in zip(
                out["mean"],
                out["log_variance"],
                batch["values"],
                batch["observed"],
                batch["hidden"],
                strict=True,
            ):
                score = ((mean - values).abs() / torch.exp(s / 2).unsqueeze(-1)).numpy()
                target = (observed & masked.unsqueeze(-1)).numpy()
                for v in range(score.shape[1]):
                    scores[features[column]].append(score[:, v][target[:, v]])
                    places[features[column]].append(rows[part][target[:, v].any(-1)])
                    column += 1
            for c in range(out["logits"].shape[1]):
                target = batch["codes_hidden"][:, c]
                chance = torch.softmax(out["logits"][target, c], -1)
                true = chance.gather(1, batch["codes"][target, c].unsqueeze(1)).squeeze(1)
                code_scores.append(1 - true.numpy())
                code_places.append(rows[part][target.numpy()])
    numeric = {name: _scores(scores[name], places[name]) for name in features}
    return Calibration(
        numeric={name: found for name, found in numeric.items() if found is not None},
        all_numeric=_scores(
            [s for one in scores.values() for s in one], [p for one in places.values() for p in one]
        ),
        all_categorical=_scores(code_scores, code_places),
    )
