"""What the names in a recipe stand for.

Belongs here: one line for each dataset, model and loss, and a model's exported weights. Never here:
their code.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from adapters.errors import TrainingError
from models.geomeld_fm import GeoMeldConfig, GeoMeldFM, Modality, TileBatch, TilePrediction
from models.geomeld_losses import geomeld, reconstruction
from models.losses import Terms, heteroscedastic
from models.profile_losses import profile
from models.soilformer import SoilFormer, SoilFormerConfig
from models.soilnet import ProfileClass, SoilNet, SoilNetConfig
from models.soilnet_parts import BackboneConfig, PatchCNNConfig
from training.calibrate import calibrate_intervals
from training.data import Schema, load
from training.profile_schema import ProfileSchema
from training.recipe import (
    GeoMeldLoss,
    GeoMeldModel,
    HeteroscedasticLoss,
    PatchCNNEncoder,
    ProfileLoss,
    ProfilesDataset,
    ResNetEncoder,
    SoilFormerModel,
    SoilNetModel,
    TilesDataset,
    TransformersEncoder,
)
from training.tile_schema import TileSchema

if TYPE_CHECKING:
    from training.profile_calibrate import ProfileCalibration


class Dataset(Protocol):
    """What the loop asks of a dataset."""

    @property
    def described(self) -> dict[str, Any]:
        """What a run records of its data: origin, version, licences."""
        ...

    @property
    def schema(self) -> Any:  # noqa: ANN401 (its model's part reads it)
        """What inference needs to know of the data; a pydantic model."""
        ...

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split."""
        ...

    def draw(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> Any:  # noqa: ANN401
        """The batch of these rows with the masks of these draws: tensors in dicts and lists."""
        ...


def tiles(folder: Path, part: TilesDataset) -> Dataset:
    """A tile set; what reads tiles is not loaded for a matrix."""
    from training.tiles import load

    return load(folder, part)


def profiles(folder: Path, part: ProfilesDataset) -> Dataset:
    """A profile set; what reads it is not loaded for others."""
    from training.profiles import load

    return load(folder, part)


def soilformer(part: SoilFormerModel, schema: Schema) -> nn.Module:
    """SoilFormer of the recipe's size with the columns of the data."""
    return SoilFormer(
        SoilFormerConfig(
            numeric_widths=tuple(f.width for f in schema.numeric),
            categories=tuple(len(f.codes) for f in schema.categorical),
            **part.model_dump(exclude={"name"}),
        )
    )


def geomeld_fm(part: GeoMeldModel, schema: TileSchema) -> nn.Module:
    """GeoMeld-FM of the recipe's size with the bands and codes of the data.

    Raises:
        TrainingError: The tiles lack a modality that the recipe names, or captions.
    """
    known = [modality.id for modality in schema.modalities]
    if absent := [name for name in (*part.inputs, *part.targets) if name not in known]:
        raise TrainingError(
            "the tiles lack modalities of the recipe",
            samples=absent,
            remedy=f"choose among {', '.join(known)}",
        )
    if part.contrast_width and not schema.caption_width:
        raise TrainingError(
            "the recipe contrasts captions and the tiles have none",
            remedy="caption the tiles, or set model.contrast_width to 0",
        )

    def modalities(names: tuple[str, ...]) -> tuple[Modality, ...]:
        found = (schema.modality(name) for name in names)
        return tuple(Modality(m.id, m.kind, m.channels, m.size or 0) for m in found)

    return GeoMeldFM(
        GeoMeldConfig(
            patch=schema.patch,
            inputs=modalities(part.inputs),
            targets=modalities(part.targets),
            caption_width=schema.caption_width,
            **part.model_dump(exclude={"name", "inputs", "targets", "teacher_momentum"}),
        )
    )


def soilnet(part: SoilNetModel, schema: ProfileSchema) -> nn.Module:
    """SoilNet of the recipe's size with the codes and labels of the data.

    Raises:
        TrainingError: Transformers has no such backbone.
    """
    config = SoilNetConfig(
        encoder=_encoder(part.encoder),
        horizons=schema.horizons,
        site_numbers=len(schema.numbers),
        site_codes=tuple(len(column.codes) for column in schema.codes),
        classes=tuple(ProfileClass(c.name, len(c.codes), c.ordinal) for c in schema.classes),
        labels=len(schema.labels),
        embedding=schema.embedding,
        **part.model_dump(exclude={"name", "encoder"}),
    )
    try:
        return SoilNet(config)
    except ValueError as error:
        raise TrainingError(
            f"the recipe's model cannot be made: {error}",
            remedy="correct model.encoder of the recipe; a folder of weights must stay where it is",
        ) from error


def _encoder(
    part: PatchCNNEncoder | ResNetEncoder | TransformersEncoder,
) -> PatchCNNConfig | BackboneConfig:
    if isinstance(part, PatchCNNEncoder):
        return PatchCNNConfig(part.patch, part.widths, part.pools)
    if isinstance(part, TransformersEncoder):
        return BackboneConfig(part.configuration, part.folder, part.stage)
    described = {"embedding_size": part.stem, "hidden_sizes": [*part.widths]}
    described |= {"depths": [*part.depths], "layer_type": part.layer}
    return BackboneConfig({"model_type": "resnet", **described}, None, None)


def teach(model: GeoMeldFM, part: GeoMeldModel, done: float) -> None:
    """Let the teacher follow, the slower the more of the run is done."""
    model.follow(part.teacher_momentum + (1 - part.teacher_momentum) * done)


def heteroscedastic_loss(_: HeteroscedasticLoss, __: Schema) -> Callable[..., Terms]:
    """The loss; neither the recipe nor the data have anything to say of it."""
    return heteroscedastic


def geomeld_loss(part: GeoMeldLoss, _: TileSchema) -> Callable[..., Terms]:
    """The loss with the recipe's weights."""
    return partial(geomeld, **part.model_dump(exclude={"name"}))


def profile_loss(part: ProfileLoss, schema: ProfileSchema) -> Callable[..., Terms]:
    """The loss with the recipe's weights, and the tree of the data's labels."""
    from fusion.profiles.taxonomy import taxonomy

    levels = taxonomy(schema.labels).levels() if part.labels == "hierarchical" else ()
    return partial(
        profile,
        label_loss=part.labels,
        ordinal=[c.name for c in schema.classes if c.ordinal],
        levels=[torch.from_numpy(level) for level in levels],
        weights=part.model_dump(exclude={"name", "labels"}),
    )


def calibrate_profiles(model: nn.Module, dataset: Dataset, seed: int) -> "ProfileCalibration":
    """Chances, sets and usual pictures; what fits them is loaded when a run ends."""
    from training.profile_calibrate import calibrate_profiles as calibrate

    return calibrate(model, dataset, seed)


def watch_geomeld(
    part: GeoMeldLoss, prediction: TilePrediction, batch: TileBatch
) -> tuple[Terms, dict[str, Tensor]]:
    """Losses without their weights, the weights, and the features of encoder and teacher."""
    raw = reconstruction(prediction, batch, part.patch_normalised)
    notes = {f"{name}_unweighted": pair for name, pair in raw.items()}
    one = prediction["pooled"].new_ones(())
    for name, s in prediction["log_variance"].items():
        notes[f"{name}_weight"] = ((-s).exp(), one)
    features = {"features": prediction["pooled"]}
    if prediction["teacher"] is not None:
        features["teacher"] = prediction["teacher"].mean(1)
    if prediction["temperature"] is not None:
        notes["temperature"] = (prediction["temperature"], one)
    return notes, features


DATASETS: dict[str, Callable[..., Dataset]] = {
    "matrix": load,
    "tiles": tiles,
    "profiles": profiles,
}
"""(folder, dataset part) -> dataset."""
MODELS: dict[str, Callable[..., nn.Module]] = {
    "soilformer": soilformer,
    "geomeld_fm": geomeld_fm,
    "soilnet": soilnet,
}
"""(model part, schema) -> module that maps a batch to a prediction."""
AFTER_STEP: dict[str, Callable[..., None]] = {"geomeld_fm": teach}
"""(model, model part, share of the run done): what a model does after a step of the optimiser."""
LOSSES: dict[str, Callable[..., Callable[..., Terms]]] = {
    "heteroscedastic": heteroscedastic_loss,
    "geomeld": geomeld_loss,
    "profile": profile_loss,
}
"""(loss part, schema) -> (prediction, batch) -> {term: (sum, count)}."""
WATCHES: dict[str, Callable[..., tuple[Terms, dict[str, Tensor]]]] = {"geomeld": watch_geomeld}
"""(loss part, prediction, batch) -> what is reported besides the loss: sums and counts by name,
and (rows, width) features by name, whose spread is measured and may be limited."""
CALIBRATIONS: dict[str, Callable[..., Any]] = {
    "heteroscedastic": calibrate_intervals,
    "profile": calibrate_profiles,
}
"""(model, dataset, seed) -> what turns predicted uncertainty into intervals; kept in the export."""


def load_weights(model: nn.Module, run: Path) -> None:
    """Give a model the weights that a run exported.

    Args:
        model: Of the architecture that `model.json` of the run tells.
        run: Folder of a finished run.

    Raises:
        TrainingError: The weights are of another architecture.
    """
    try:
        model.load_state_dict(load_file(run / "model.safetensors"))
    except RuntimeError as error:
        raise TrainingError(
            "the weights are of another architecture than this code has",
            file=str(run / "model.safetensors"),
            remedy="train again: `soilmeld run`",
        ) from error
