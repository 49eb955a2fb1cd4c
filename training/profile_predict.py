"""Answers of a model of profiles, in the form that baselines answer in.

Belongs here: loading an exported run, and turning its predictions into chances.
Never here: scores, words, drawing; DeepSpeed, Dagster or anything of training.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from adapters.errors import TrainingError
from models.profile_losses import ordinal_probabilities
from training.profile_forms import Guess, Segments, Truth
from training.profile_schema import ProfileSchema

if TYPE_CHECKING:
    from models.soilnet import ProfileBatch, ProfilePrediction
    from training.profiles import ProfileDataset

_PHOTOGRAPHS = 32
"""Computed at once."""
NAME = "soilnet"


class ProfilePredictor:
    """An exported model of profiles.

    Attributes:
        origin: Origin of the photographs it was trained on; say it wherever its answers go.
        schema: What it knows of profiles.
        calibration: Of its chances, and what pictures it knows.
        model: The network, in evaluation mode.
    """

    def __init__(self, run: Path) -> None:
        """Load a run.

        Args:
            run: Folder of a finished run.

        Raises:
            TrainingError: The run has no exported model, one that does not read profiles, or one
                that was made by other code.
        """
        from training.parts import MODELS, load_weights
        from training.profile_calibrate import ProfileCalibration
        from training.recipe import SoilNetModel

        if not (run / "meta.json").is_file():
            raise TrainingError(
                "no finished model", file=str(run), remedy="run the training to its end"
            )
        described = json.loads((run / "model.json").read_text(encoding="utf-8"))
        if described["model"]["name"] != NAME:
            raise TrainingError(
                "this model does not read photographs of profiles",
                file=str(run / "model.json"),
                samples=[described["model"]["name"]],
                remedy=f"give the run of a {NAME} recipe",
            )
        self.origin: str = described["origin"]
        self.schema = ProfileSchema.model_validate(described["schema"])
        self.calibration = ProfileCalibration.model_validate(described["calibration"])
        part = SoilNetModel.model_validate(described["model"])
        self.model: nn.Module = MODELS[part.name](part, self.schema)
        load_weights(self.model, run)
        self.model.eval()

    @torch.no_grad()
    def guess(self, batch: "ProfileBatch") -> Guess:
        """Calibrated chances of photographs."""
        return self.calibration.chances.apply(guess_of(self.model(batch), self.schema))


def guess_of(prediction: "ProfilePrediction", schema: ProfileSchema) -> Guess:
    """A prediction as chances, before any calibration; what the model has no head for is absent."""
    symbol, stones = prediction["symbol"], prediction["stones"]
    ordinal = {feature.name: feature.ordinal for feature in schema.classes}
    classes = {
        name: _array(ordinal_probabilities(logits))
        if ordinal[name]
        else _array(torch.softmax(logits.double(), -1))
        for name, logits in prediction["classes"].items()
    }
    return Guess(
        Segments.of(_array(prediction["used"])),
        None if symbol is None else _array(torch.softmax(symbol.double(), -1)),
        None if stones is None else _array(stones),
        classes,
    )


def has_depths(model: nn.Module) -> bool:
    """Does the model cut profiles itself? Else it stands on the true segments."""
    return "depths" in model.config.tasks


def truth_of(batch: "ProfileBatch") -> Truth:
    """What a batch knows of its photographs."""
    stones = np.where(_array(batch["stones_known"]) > 0, _array(batch["stones"]), np.nan)
    there = batch["horizons"]
    classes = {
        name: torch.where(there, codes, -1).numpy() for name, codes in batch["classes"].items()
    }
    return Truth(
        Segments.of(_array(batch["bounds"])),
        torch.where(there, batch["symbol"], -1).numpy(),
        np.where(there.numpy(), stones, np.nan),
        classes,
    )


def truth_of_rows(dataset: "ProfileDataset", rows: np.ndarray) -> Truth:
    """What a data set knows of its rows."""
    return Truth.joined([truth_of(batch) for batch in batches(dataset, rows)])


@torch.no_grad()
def answers(
    model: nn.Module, dataset: "ProfileDataset", rows: np.ndarray, *, true_segments: bool
) -> Guess:
    """What a model says of rows of a data set, before any calibration.

    Args:
        model: In evaluation mode.
        dataset: Whose schema the model was made with.
        rows: Row numbers.
        true_segments: Of the true segments, or of those that it predicts.
    """
    parts = []
    for batch in batches(dataset, rows):
        if true_segments:
            batch["force_depths"] = torch.ones_like(batch["force_depths"])
        parts.append(guess_of(model(batch), dataset.schema))
    return Guess.joined(parts)


def batches(dataset: "ProfileDataset", rows: np.ndarray) -> "Iterator[ProfileBatch]":
    """Rows of a data set in parts of bounded size, nothing forced, nothing augmented."""
    for start in range(0, len(rows), _PHOTOGRAPHS):
        yield dataset.whole(rows[start : start + _PHOTOGRAPHS])


def _array(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy()
