"""A fused matrix as standardised tensors.

Belongs here: reading one version folder of `data/fused/`, statistics and vocabularies of its
training split, standardising rows with them and back. Never here: masks' randomness, models.

The schema (statistics and vocabularies) is what inference needs of the data; it travels with the
exported model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import torch
from pydantic import BaseModel, ConfigDict

from adapters.errors import TrainingError
from models.soilformer import Batch
from training.masks import hide
from training.recipe import MatrixDataset
from training.runs import fingerprint

SPLITS = ("train", "validation", "test")
# A non-negative feature more skewed than an exponential distribution (skewness 2) is heavy-tailed:
# its squared error would be that of a few samples.
HEAVY_TAIL = 2.0


class NumericFeature(BaseModel):
    """How one numeric feature is standardised: z = (t(x) - mean) / std, t declared.

    The logarithm is odd about zero: values below zero, which the training split did not have, are
    read and not lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    unit: str | None
    width: int
    transform: Literal["identity", "log1p"]
    scale: float
    """log1p: t(x) = sign(x) log(1 + |x| / scale), scale the median positive training value."""
    mean: tuple[float, ...]
    std: tuple[float | None, ...]
    """None for an element that does not vary in the training split: it is never read nor scored."""
    minimum: float | None
    maximum: float | None
    """Plausible range of the quantity, in the unit: not what happened to be observed, which would
    cut predictions and intervals of other samples, and tell of the test split."""

    def standardise(self, x: np.ndarray) -> np.ndarray:
        """(n, L) in the unit -> (n, L) z-scores; NaN stays."""
        t = np.sign(x) * np.log1p(np.abs(x) / self.scale) if self.transform == "log1p" else x
        return (t - np.array(self.mean)) / np.array(self.std, dtype=float)

    def restore(self, z: np.ndarray) -> np.ndarray:
        """(n, L) z-scores -> (n, L) in the unit, within the plausible range."""
        std = np.array([s or 0.0 for s in self.std])
        t = z * std + np.array(self.mean)
        x = np.sign(t) * np.expm1(np.abs(t)) * self.scale if self.transform == "log1p" else t
        if self.minimum is None and self.maximum is None:
            return x
        return np.clip(x, self.minimum, self.maximum)


class CategoricalFeature(BaseModel):
    """Vocabulary of one categorical feature, from the training split, sorted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    codes: tuple[str, ...]


class Schema(BaseModel):
    """All features of a model, in token order, and those left out with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numeric: tuple[NumericFeature, ...]
    categorical: tuple[CategoricalFeature, ...]
    left_out: dict[str, str]
    wholes: tuple[tuple[str, ...], ...]
    """Features that add up to a whole, such as clay, silt and sand."""

    @property
    def features(self) -> list[str]:
        """Feature ids in token order."""
        return [f.id for f in self.numeric] + [f.id for f in self.categorical]


@dataclass(frozen=True)
class Encoded:
    """Standardised rows; one (n, V, L) array a bucket of numeric features of equal width L."""

    values: list[np.ndarray]
    """float32, 0 where missing."""
    observed: list[np.ndarray]
    """bool."""
    codes: np.ndarray
    """(n, C) int64, -1 where missing or unknown to the vocabulary."""

    @property
    def present(self) -> np.ndarray:
        """(n, features) bool in token order."""
        return np.concatenate([*(o.any(-1) for o in self.observed), self.codes >= 0], axis=1)

    def batch(self, rows: np.ndarray, hidden: np.ndarray) -> Batch:
        """Model input of some rows.

        Args:
            rows: (B,) row numbers.
            hidden: (B, features) bool in token order.
        """
        cuts = np.cumsum([o.shape[1] for o in self.observed])
        *numeric, categorical = np.split(hidden, cuts, axis=1)
        return {
            "values": [torch.from_numpy(v[rows]) for v in self.values],
            "observed": [torch.from_numpy(o[rows]) for o in self.observed],
            "hidden": [torch.from_numpy(np.ascontiguousarray(h)) for h in numeric],
            "codes": torch.from_numpy(self.codes[rows]),
            "codes_hidden": torch.from_numpy(np.ascontiguousarray(categorical)),
        }


@dataclass(frozen=True)
class Matrix:
    """A fused matrix with its schema and splits: a dataset of the platform."""

    folder: Path
    fingerprint: str
    dictionary: dict
    schema: Schema
    encoded: Encoded
    sample_id: np.ndarray
    split: np.ndarray
    cluster: np.ndarray
    ratios: np.ndarray
    """(features,) share of entries that a draw hides."""

    @property
    def group(self) -> str:
        """Origin group."""
        return self.dictionary["group"]

    @property
    def described(self) -> dict:
        """What a run records of its data: origin, version and licences."""
        used = set(self.schema.features)
        features = [f for f in self.dictionary["features"] if f["id"] in used]
        return {
            "group": self.group,
            "origin": self.dictionary["origin"],
            "version": self.folder.name,
            "fingerprint": self.fingerprint,
            "samples": {s: int((self.split == s).sum()) for s in SPLITS},
            "features": len(used),
            "left_out": self.schema.left_out,
            "licences": sorted({licence for f in features for licence in f["licences"]}),
            "redistribute": all(f["redistribute"] for f in features),
            "share_alike": sorted(f["id"] for f in features if f["share_alike"]),
        }

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split."""
        return np.flatnonzero(self.split == split)

    def draw(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> Batch:
        """Model input with the entries hidden that belong to these draws."""
        return self.encoded.batch(rows, self.hidden(rows, draws, seed))

    def hidden(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> np.ndarray:
        """(B, features) bool, the entries of these rows that are hidden in these draws."""
        places = {name: i for i, name in enumerate(self.schema.features)}
        together = [[places[name] for name in whole] for whole in self.schema.wholes]
        return hide(self.encoded.present[rows], self.ratios, seed, draws, together)


def load(folder: Path, recipe: MatrixDataset) -> Matrix:
    """Read and standardise one fused version.

    Args:
        folder: `data/fused/<group>/<version>/`.
        recipe: The dataset part of a recipe.

    Raises:
        TrainingError: Files are missing or do not fit each other, a split is empty, or a cluster is
            on both sides of a split.
    """
    digest = fingerprint(folder)
    dictionary = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    table = pl.read_parquet(folder / "matrix.parquet")
    splits = pl.read_parquet(folder / "splits.parquet")
    frame = table.join(splits, on="sample_id", how="left", maintain_order="left", validate="1:1")
    _check(frame, dictionary, folder)
    split = frame["split"].to_numpy()
    schema = _schema(frame, dictionary, split == "train", recipe.minimum_observed)
    if not schema.features:
        raise TrainingError(
            "no feature has enough values in the training split",
            file=str(folder),
            remedy="lower dataset.minimum_observed in the recipe, or add data",
        )
    ratios = [recipe.numeric_mask] * len(schema.numeric)
    ratios += [recipe.categorical_mask] * len(schema.categorical)
    return Matrix(
        folder=folder,
        fingerprint=digest,
        dictionary=dictionary,
        schema=schema,
        encoded=encode(schema, frame),
        sample_id=frame["sample_id"].to_numpy(),
        split=split,
        cluster=frame["cluster"].cast(pl.String).to_numpy(),
        ratios=np.array(ratios),
    )


def _check(frame: pl.DataFrame, dictionary: dict, folder: Path) -> None:
    listed = [f["id"] for f in dictionary["features"]]
    if absent := [name for name in listed if name not in frame.columns]:
        raise TrainingError(
            "the dictionary names features that the matrix has not",
            file=str(folder),
            samples=absent,
            remedy="build the matrix again",
        )
    unknown = frame.filter(~pl.col("split").is_in(SPLITS) | pl.col("split").is_null())
    if unknown.height:
        raise TrainingError(
            f"{unknown.height} samples are in no split",
            file=str(folder / "splits.parquet"),
            samples=unknown["sample_id"].head(5),
            remedy="build the matrix again",
        )
    if empty := [s for s in SPLITS if frame.filter(pl.col("split") == s).is_empty()]:
        raise TrainingError(
            "a split has no sample",
            file=str(folder / "splits.parquet"),
            samples=empty,
            remedy="more samples are needed",
        )
    torn = frame.group_by("cluster").agg(pl.col("split").n_unique()).filter(pl.col("split") > 1)
    if torn.height:
        raise TrainingError(
            f"{torn.height} clusters are on both sides of a split",
            file=str(folder / "splits.parquet"),
            samples=torn["cluster"].head(5),
            remedy="a cluster (site, revisits, near neighbours) must lie in one split",
        )


def _schema(frame: pl.DataFrame, dictionary: dict, training: np.ndarray, minimum: int) -> Schema:
    numeric, categorical, left_out = [], [], {}
    for feature in dictionary["features"]:
        name = feature["id"]
        if feature["class"] == "text":
            left_out[name] = "text"
            continue
        if feature.get("derived_from"):
            left_out[name] = "an exact sum of other features"
            continue
        column = frame[name].filter(pl.Series(training))
        if feature["class"] == "categorical":
            known = column.drop_nulls()
            codes = known.unique().sort().to_list()
            if known.len() < minimum:
                left_out[name] = f"{known.len()} values in the training split"
            elif len(codes) < 2:
                left_out[name] = "constant in the training split"
            else:
                categorical.append(CategoricalFeature(id=name, codes=tuple(codes)))
            continue
        if column.dtype == pl.List:
            left_out[name] = "vectors of varying length"
            continue
        values = _numbers(column, feature.get("array_length") or 1)
        count = int(np.isfinite(values).any(1).sum())
        if count < minimum:
            left_out[name] = f"{count} values in the training split"
            continue
        described = _numeric(feature, values)
        if described is None:
            left_out[name] = "constant in the training split"
        else:
            numeric.append(described)
    used = {f.id for f in numeric} | {f.id for f in categorical}
    wholes = {
        tuple(sorted(used & {feature["id"], *feature["adds_up_with"]}))
        for feature in dictionary["features"]
        if feature["id"] in used
    }
    return Schema(
        numeric=tuple(sorted(numeric, key=lambda f: (f.width, f.id))),
        categorical=tuple(sorted(categorical, key=lambda f: f.id)),
        left_out=left_out,
        wholes=tuple(sorted(whole for whole in wholes if len(whole) > 1)),
    )


def _numeric(feature: dict, values: np.ndarray) -> NumericFeature | None:
    """Statistics of one feature; None where it does not vary."""
    known = values[np.isfinite(values)]
    heavy = known.min() >= 0 and known.max() > known.min() and pl.Series(known).skew() > HEAVY_TAIL
    scale = float(np.median(known[known > 0])) if heavy else 1.0
    transformed = np.log1p(values / scale) if heavy else values
    counts = np.isfinite(transformed).sum(0)
    mean = np.nansum(transformed, axis=0) / np.maximum(counts, 1)
    std = np.sqrt(np.nansum((transformed - mean) ** 2, axis=0) / np.maximum(counts, 1))
    varies = std > 1e-9 * np.maximum(1.0, np.abs(mean))
    if not varies.any():
        return None
    return NumericFeature(
        id=feature["id"],
        unit=feature.get("unit"),
        width=values.shape[1],
        transform="log1p" if heavy else "identity",
        scale=scale,
        mean=tuple(mean.tolist()),
        std=tuple(float(s) if v else None for s, v in zip(std, varies, strict=True)),
        minimum=feature["plausible_minimum"],
        maximum=feature["plausible_maximum"],
    )


def _numbers(column: pl.Series, width: int) -> np.ndarray:
    """(n, width) float64 with NaN for missing."""
    try:
        if width == 1 and column.dtype not in (pl.List, pl.Array):
            return column.cast(pl.Float64).to_numpy().astype(np.float64).reshape(-1, 1)
        column = column.cast(pl.Array(pl.Float64, width))
    except pl.exceptions.PolarsError as error:
        raise TrainingError(
            f"not {width} numbers in each row: {error}",
            where=column.name,
            samples=column.drop_nulls().head(3),
            remedy="give this feature as the matrix has it",
        ) from error
    blank = pl.Series([[None] * width], dtype=column.dtype).new_from_index(0, len(column))
    column = column.zip_with(column.is_not_null(), blank)
    return column.explode().to_numpy().astype(np.float64).reshape(-1, width)


def encode(schema: Schema, frame: pl.DataFrame) -> Encoded:
    """Standardise rows; a feature that the frame lacks is missing in every row.

    Raises:
        TrainingError: A vector has not the length that the model was trained on.
    """
    n = frame.height
    values, observed = [], []
    for width in sorted({f.width for f in schema.numeric}):
        features = [f for f in schema.numeric if f.width == width]
        z = np.full((n, len(features), width), np.nan)
        for v, feature in enumerate(features):
            if feature.id in frame.columns:
                native = _numbers(frame[feature.id], width)
                z[:, v] = feature.standardise(native)
        seen = np.isfinite(z)
        values.append(np.where(seen, z, 0.0).astype(np.float32))
        observed.append(seen)
    codes = np.full((n, len(schema.categorical)), -1, dtype=np.int64)
    for c, feature in enumerate(schema.categorical):
        if feature.id in frame.columns:
            places = {code: place for place, code in enumerate(feature.codes)}
            known = frame[feature.id].cast(pl.String)
            codes[:, c] = known.replace_strict(places, default=-1, return_dtype=pl.Int64).fill_null(
                -1
            )
    return Encoded(values=values, observed=observed, codes=codes)
