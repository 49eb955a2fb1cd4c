"""What a training recipe says.

Belongs here: the validated contents of `training/recipes/*.yaml` and loading them.
Never here: anything done with them.

A later dataset, model or loss is one more class here, told apart by its `name`, and one more line
in `training/parts.py`.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.errors import TrainingError

RECIPES = Path(__file__).parent / "recipes"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MatrixDataset(_Part):
    """The fused feature matrix of one origin group."""

    name: Literal["matrix"] = "matrix"
    minimum_observed: int = Field(
        30, ge=2, description="A feature with fewer values in the training split is left out."
    )
    numeric_mask: float = Field(0.15, gt=0, lt=1, description="Share of numeric entries hidden.")
    categorical_mask: float = Field(
        0.15, gt=0, lt=1, description="Share of categorical entries hidden."
    )


class TilesDataset(_Part):
    """A tile set."""

    name: Literal["tiles"] = "tiles"
    modalities: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Those that are read; by default all that the set has but the aerial "
        "photograph, which has five times the bytes of all others.",
    )
    patch: int = Field(16, ge=8, multiple_of=8, description="Edge of a patch in pixels at 10 m.")
    mask: float = Field(0.6, gt=0, lt=1, description="Share of patches hidden from the encoder.")
    band_drop: float = Field(
        0.0, ge=0, lt=1, description="Chance of each input band to be kept from the encoder."
    )
    captions: Literal["own", "shuffled", "none"] = Field(
        "own", description="Each tile's own caption, another tile's (a control), or no captions."
    )
    other_captions: int = Field(
        64,
        ge=0,
        description="Captions of other training tiles that each tile brings along, from which all "
        "tiles of a step are to be told apart: a step has few tiles, and captions cost little.",
    )


class Forcing(_Part):
    """How often truth stands in for predictions while a model is trained (teacher forcing).

    The chance goes from `first` to `last` linearly over the first passes, for depths and for
    properties alike, which are drawn apart. It is a function of the number of a draw.
    """

    first: float = Field(1.0, ge=0, le=1)
    last: float = Field(0.2, ge=0, le=1)
    passes: float = Field(5.0, ge=0, description="Over the training split.")


class ProfilesDataset(_Part):
    """A set of photographed soil profiles."""

    name: Literal["profiles"] = "profiles"
    horizons: int = Field(8, ge=2, description="The most that a profile can have.")
    least_seen: int = Field(
        2, ge=1, description="Profiles' horizons of a symbol, in the training split, for a label."
    )
    flip: float = Field(0.5, ge=0, le=1, description="Chance of left and right being exchanged.")
    light: float = Field(0.0, ge=0, lt=1, description="Largest change of brightness, as a share.")
    white: float = Field(0.0, ge=0, lt=1, description="Largest change of a channel, as a share.")
    site_drop: float = Field(
        0.0, ge=0, le=1, description="Chance of all but place and date to be withheld."
    )
    place_drop: float = Field(0.0, ge=0, le=1, description="Chance of place and date likewise.")
    forcing: Forcing = Forcing()


class SoilFormerModel(_Part):
    """Size of a `models.soilformer.SoilFormer`; its columns come from the data."""

    name: Literal["soilformer"] = "soilformer"
    hidden: int = Field(ge=8)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    head_dim: int = Field(ge=4)
    mlp_ratio: float = Field(gt=0)
    dropout: float = Field(ge=0, lt=1)
    numeric_bound: float = Field(4.0, gt=0, description="Largest |s| of a numeric feature.")
    categorical_bound: float = Field(2.0, gt=0, description="Largest |s| of a categorical one.")
    init_std: float = Field(0.02, gt=0)


class GeoMeldModel(_Part):
    """A `models.geomeld_fm.GeoMeldFM`; bands and codes come from the data.

    The published ablation is made with its switches: one target (S2 alone), all targets (+MP),
    `predictor_width` (+JEPA) and `contrast_width` (+ITC) above zero.
    """

    name: Literal["geomeld_fm"] = "geomeld_fm"
    size: Literal["atto", "femto", "pico", "nano", "tiny", "base"]
    inputs: tuple[str, ...] = Field(("sentinel2",), min_length=1)
    targets: tuple[str, ...] = Field(min_length=1)
    decoder_width: int = Field(512, ge=8)
    decoder_blocks: int = Field(1, ge=1)
    predictor_width: int = Field(256, ge=0, description="0: no JEPA, and no teacher.")
    predictor_blocks: int = Field(2, ge=1)
    contrast_width: int = Field(256, ge=0, description="0: captions are not used.")
    teacher_momentum: float = Field(
        0.996, ge=0, le=1, description="At the start; it rises to 1 linearly (arXiv 2301.08243)."
    )


class PatchCNNEncoder(_Part):
    """A plain convolutional encoder: a stage a width."""

    name: Literal["patch_cnn"] = "patch_cnn"
    patch: int = Field(4, ge=1, description="Edge in pixels of what is read at once.")
    widths: tuple[int, ...] = Field((32, 64, 128, 256, 512), min_length=1)
    pools: tuple[tuple[int, int], ...] = Field(
        description="Rows and columns that become one after each stage."
    )

    @model_validator(mode="after")
    def _as_many(self) -> "PatchCNNEncoder":
        if len(self.pools) != len(self.widths):
            raise ValueError("pools and widths must be as many")
        return self


class ResNetEncoder(_Part):
    """A new ResNet, with as many stages as it has depths."""

    name: Literal["resnet"] = "resnet"
    layer: Literal["basic", "bottleneck"] = "basic"
    stem: int = Field(64, ge=1, description="Channels before the first stage.")
    widths: tuple[int, ...] = Field((64, 128, 256, 512), min_length=1)
    depths: tuple[int, ...] = Field((2, 2, 2, 2), min_length=1, description="ResNet-18.")


class TransformersEncoder(_Part):
    """Any backbone of the library transformers; nothing is downloaded."""

    name: Literal["transformers"] = "transformers"
    configuration: dict[str, Any] | None = Field(
        None, description="Of a new one: `model_type` and what its configuration takes."
    )
    folder: Path | None = Field(
        None, description="Local folder of config.json and weights to start from."
    )
    stage: str | None = Field(None, description="Whose features are read; by default the last's.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "TransformersEncoder":
        if (self.configuration is None) == (self.folder is None):
            raise ValueError("give either a configuration or a folder")
        return self


class SoilNetModel(_Part):
    """A `models.soilnet.SoilNet`; codes, labels and sizes of pictures come from the data."""

    name: Literal["soilnet"] = "soilnet"
    encoder: Annotated[
        PatchCNNEncoder | ResNetEncoder | TransformersEncoder, Field(discriminator="name")
    ]
    inputs: tuple[Literal["picture", "site"], ...] = Field(("picture", "site"), min_length=1)
    tasks: tuple[Literal["depths", "properties", "symbols"], ...] = Field(
        ("depths", "properties", "symbols"),
        min_length=1,
        description="In place of one that is left out the truth is read, wherever there is one.",
    )
    segments: Literal["soft_mask", "crop"] = "soft_mask"
    crop_height: int = Field(64, ge=8)
    depth_head: Literal["lstm", "cross_attention"] = "cross_attention"
    symbol_head: Literal["logits", "embedding"] = "logits"
    site_width: int = Field(256, ge=1)
    depth_width: int = Field(256, ge=1)
    segment_width: int = Field(512, ge=1)
    property_width: int = Field(1024, ge=1)
    told_width: int = Field(64, ge=1, description="Of the properties, as symbols are told them.")
    symbol_width: int = Field(256, ge=1)
    attention_heads: int = Field(8, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)


class HeteroscedasticLoss(_Part):
    """Masked reconstruction weighted by the predicted uncertainty."""

    name: Literal["heteroscedastic"] = "heteroscedastic"


class GeoMeldLoss(_Part):
    """Masked reconstruction of all targets, forecast of the teacher, and caption contrast."""

    name: Literal["geomeld"] = "geomeld"
    patch_normalised: tuple[str, ...] = Field(
        ("sentinel2",), description="Maps whose target is standardised within each patch."
    )
    jepa_weight: float = Field(1.0, gt=0)
    contrast_weight: float = Field(1.0, gt=0)


class ProfileLoss(_Part):
    """Depths, stops, properties and symbols of horizons; weights of the terms."""

    name: Literal["profile"] = "profile"
    labels: Literal["cross_entropy", "embedding", "hierarchical"] = "cross_entropy"
    depth: float = Field(10.0, gt=0)
    pointing: float = Field(1.0, gt=0)
    stop: float = Field(1.0, gt=0)
    stones: float = Field(0.1, gt=0)
    classes: float = Field(1.0, gt=0, description="Of each class.")
    symbol: float = Field(10.0, gt=0)


class Limits(_Part):
    """Below which features have collapsed; judged at each validation."""

    least_deviation: float = Field(
        ge=0, le=1, description="Of unit features: 0 all alike, 1 evenly spread."
    )
    least_rank: float = Field(ge=0, description="Effective rank of the features (RankMe).")
    from_epoch: float = Field(ge=0, description="Passes before the first judgement.")
    action: Literal["warn", "stop"]


class Optimiser(_Part):
    """AdamW, linear warm-up, cosine decay."""

    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(gt=0)
    warmup_epochs: float = Field(ge=0)
    warmup_start: float = Field(0.1, gt=0, le=1, description="Share of the rate to start from.")
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.02, ge=0)
    decay_vectors: bool = Field(True, description="Do biases, norms and single numbers decay too?")
    gradient_clip: float = Field(1.0, gt=0)


class DeepSpeed(_Part):
    """How the optimiser's state is spread and in which precision the model computes."""

    zero_stage: Literal[1, 2, 3]
    precision: Literal["fp32", "bf16"]


class Recipe(_Part):
    """One way to train one model."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    dataset: Annotated[MatrixDataset | TilesDataset | ProfilesDataset, Field(discriminator="name")]
    model: Annotated[SoilFormerModel | GeoMeldModel | SoilNetModel, Field(discriminator="name")]
    loss: Annotated[HeteroscedasticLoss | GeoMeldLoss | ProfileLoss, Field(discriminator="name")]
    optimiser: Optimiser
    deepspeed: DeepSpeed
    epochs: float = Field(gt=0, description="Passes over the training split.")
    batch: int = Field(ge=1, description="Samples of one step over all processes.")
    checkpoint_epochs: float = Field(
        gt=0, description="Passes between checkpoints; the validation loss is measured at each."
    )
    keep: int = Field(ge=1, description="Checkpoints kept.")
    limits: Limits | None = Field(None, description="When a model's features count as collapsed.")
    seed: int = Field(ge=0, description="Of initial weights, order of samples and dropout.")
    mask_seed: int = Field(ge=0, description="Of the masks.")

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if isinstance(self.model, SoilNetModel) and isinstance(self.loss, ProfileLoss):
            cosines = self.model.symbol_head == "embedding"
            if "symbols" in self.model.tasks and cosines != (self.loss.labels == "embedding"):
                raise ValueError(
                    "the loss of labels 'embedding' and a symbol head 'embedding' go together"
                )
        return self

    @property
    def digest(self) -> str:
        """sha256 over all that the recipe says but its description."""
        return hashlib.sha256(self.model_dump_json(exclude={"description"}).encode()).hexdigest()


def load_recipe(recipe: str | Path) -> Recipe:
    """Read a recipe by name (`training/recipes/<name>.yaml`) or by path.

    Raises:
        TrainingError: No such recipe, or it does not say what a recipe must.
    """
    path = Path(recipe)
    if path.suffix != ".yaml":
        path = RECIPES / f"{recipe}.yaml"
    if not path.is_file():
        raise TrainingError(
            "no such recipe",
            file=str(path),
            samples=sorted(file.stem for file in RECIPES.glob("*.yaml")),
            remedy="name one of these, or the path of a .yaml file",
        )
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError) as error:
        raise TrainingError(
            f"not a valid recipe: {error}", file=str(path), remedy="correct the named field"
        ) from error
