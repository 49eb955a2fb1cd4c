"""What a run of a profile model keeps beside its weights: calibration, and what pictures it knows.

Belongs here: fitting these on the calibration split, which moved no weight, and their form in
`model.json`. Never here: the statistics themselves (`training.profile_calibration`), training,
scores of the test split.

Chances are sharpened or flattened by one temperature a head. A set of a level holds the true symbol
of a segment that was found, that of the horizon which most of the segment lies in.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict
from torch import nn

from training import profile_calibration as conformal
from training.bootstrap import some
from training.profile_forms import Guess, Truth
from training.profile_likeness import Likeness, likeness, looks
from training.profile_predict import answers, has_depths, truth_of_rows

if TYPE_CHECKING:
    from training.profiles import ProfileDataset

LEVELS = (0.8, 0.9)
LOOKED_AT = 500
"""Training pictures whose looks are learnt, at most."""
_LEAST_CHANCE = 1e-12
_SLACK = 1e-9
"""The symbol that sets a threshold is in its own set, whatever its chance was rounded to."""


class AtLevel(BaseModel):
    """Sets and intervals of one level; None where there are too few profiles for it.

    Attributes:
        level: Share of segments, or of boundaries, that they should hold.
        least_chance: Symbols at least as likely as that are in the set.
        boundary_cm: Distance from a found boundary within which a true one lies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float
    least_chance: float | None
    boundary_cm: float | None


class Chances(BaseModel):
    """Calibration of what a method says.

    Attributes:
        profiles: Profiles of the calibration split.
        temperature: By head: `symbol` and the features; a head without any truth has none.
        levels: Ascending.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profiles: int
    temperature: dict[str, float]
    levels: tuple[AtLevel, ...]

    def apply(self, guess: Guess) -> Guess:
        """The same with calibrated chances."""

        def tempered(name: str, chances: np.ndarray) -> np.ndarray:
            return conformal.probabilities(_logits(chances), self.temperature.get(name, 1.0))

        symbol = None if guess.symbol is None else tempered("symbol", guess.symbol)
        classes = {name: tempered(name, chances) for name, chances in guess.classes.items()}
        return replace(guess, symbol=symbol, classes=classes)

    def at(self, level: float) -> AtLevel:
        """Sets and intervals of one of `LEVELS`."""
        return next(found for found in self.levels if found.level == level)


class ProfileCalibration(BaseModel):
    """What is exported with a run.

    Attributes:
        chances: Of answers on found segments, or on true ones where the model finds none.
        pictures: What pictures the model knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chances: Chances
    pictures: Likeness


def calibrate_profiles(
    model: nn.Module, dataset: "ProfileDataset", seed: int
) -> ProfileCalibration:
    """Calibrate a model on the calibration split of its data.

    Args:
        model: In evaluation mode.
        dataset: What it was trained on.
        seed: Of the choice of training pictures whose looks are learnt.
    """
    held = dataset.rows("calibration")
    names = dataset.profiles.index["profile"].to_numpy()
    train = some(dataset.rows("train"), LOOKED_AT, seed)
    if len(held):
        guess = answers(model, dataset, held, true_segments=False)
        truth = truth_of_rows(dataset, held)
        chances = calibrate_chances(guess, truth, names[held], finds=has_depths(model))
    else:
        chances = uncalibrated()

    # Validation moves no weight either, and what pictures look like is not chosen on it.
    apart = np.concatenate([dataset.rows("validation"), held])

    def seen(rows: np.ndarray) -> list[np.ndarray]:
        return [looks(dataset.profiles.picture(i), dataset.profiles.soil(i)) for i in rows.tolist()]

    return ProfileCalibration(
        chances=chances, pictures=likeness(np.stack(seen(train)), seen(apart), names[apart])
    )


def calibrate_chances(
    guess: Guess, truth: Truth, profiles: Sequence[str], *, finds: bool = True
) -> Chances:
    """Calibrate a method on photographs that it did not learn from.

    Args:
        guess: What it says, of segments that it found where it finds some.
        truth: Of the same photographs, at least one.
        profiles: (n,) their profiles.
        finds: Did it find the segments? Of true ones no boundary is in doubt.
    """
    names = np.asarray(profiles)
    found, there = truth.at(guess.segments), guess.segments.there
    heads = {name: (chances, found.classes[name]) for name, chances in guess.classes.items()}
    if guess.symbol is not None:
        heads["symbol"] = (guess.symbol, found.symbol)
    temperature, evidence = {}, len(np.unique(names))
    for name, (chances, codes) in heads.items():
        if (known := there & (codes >= 0)).any():
            temperature[name] = conformal.temperature(
                _logits(chances[known]), codes[known], evidence
            )
    chances = Chances(profiles=evidence, temperature=temperature, levels=())
    levels = []
    for level in LEVELS:
        least = np.inf
        if "symbol" in temperature:
            asked = np.where(there, found.symbol, -1)
            least = conformal.label_threshold(chances.apply(guess).symbol, asked, names, level)
        half = np.inf
        if finds:
            half = conformal.halfwidth(truth.profiles(), guess.profiles(), names, level)
        levels.append(
            AtLevel(
                level=level,
                # Nothing or less is the least chance where profiles were too few.
                least_chance=least - _SLACK if 0 < least < np.inf else None,
                boundary_cm=half if half < np.inf else None,
            )
        )
    return chances.model_copy(update={"levels": tuple(levels)})


def uncalibrated() -> Chances:
    """Chances as a method says them; no sets and no intervals."""
    none = [AtLevel(level=level, least_chance=None, boundary_cm=None) for level in LEVELS]
    return Chances(profiles=0, temperature={}, levels=tuple(none))


def _logits(chances: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(chances, _LEAST_CHANCE))
