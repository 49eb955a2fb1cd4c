"""A profile set as standardised tensors.

Belongs here: what a model is told of a profile set (statistics, codes, labels), and photographs
read into batches, with augmentation and teacher forcing. Never here: files (`fusion.profiles`),
models.

Statistics, vocabularies and labels are those of the training split alone. What a draw changes is a
function of its number: how a photograph is turned and lit, what of its site is withheld, and
whether truth is forced. All that is done to photographs of the training split only: others, and
those that `whole` gives, are read as they are, with nothing forced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from adapters.errors import TrainingError
from fusion.profiles.store import CLASSES, DEPTH_CM, SPLITS, ProfileSet
from fusion.profiles.symbols import common
from fusion.profiles.taxonomy import taxonomy
from models.soilnet import ProfileBatch
from training.masks import uniform
from training.profile_schema import (
    PLACE_CODES,
    PLACE_NUMBERS,
    ProfileSchema,
    PropertyClass,
    SiteCode,
    SiteNumber,
)
from training.recipe import Forcing, ProfilesDataset
from training.runs import fingerprint

_FARTHEST = 4.0
"""Largest |z| of a site's number: what lies farther out is told as lying there."""
_CONSTANT = 1e-9
"""A number whose deviation is a smaller share of its mean does not vary."""
_FLIP, _LIGHT, _WHITE, _WITHHELD, _DEPTHS, _PROPERTIES = 0, 1, slice(2, 5), slice(5, 7), 7, 8
_CHANCES = 9
"""Chances of a draw, by what they decide."""


@dataclass(frozen=True)
class ProfileDataset:
    """A profile set with its schema: a dataset of the platform."""

    folder: Path
    fingerprint: str
    profiles: ProfileSet
    schema: ProfileSchema
    part: ProfilesDataset
    split: np.ndarray
    """(n,) train, validation, calibration, test or guard."""
    left_out: dict[str, str]
    truth: dict[str, np.ndarray]
    """Of all photographs: `bounds`, `horizons`, `stones`, `stones_known`, `symbol` and the classes
    by name, each (n, S); see `ProfileBatch`."""
    _sites: "_Sites" = field(repr=False)

    @property
    def group(self) -> str:
        """Origin group."""
        return self.profiles.described["group"]

    @property
    def described(self) -> dict[str, Any]:
        """What a run records of its data: origin, version and licences."""
        said, schema = self.profiles.described, self.schema
        terms = ("licences", "redistribute", "share_alike", "attribution")
        return {
            "group": said["group"],
            "origin": said["origin"],
            "version": self.folder.name,
            "fingerprint": self.fingerprint,
            "samples": {s: int((self.split == s).sum()) for s in SPLITS},
            "features": len(schema.numbers) + len(schema.codes) + 3,
            "left_out": self.left_out,
            **{name: said[name] for name in terms},
        }

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, which are rows of the set's index."""
        return np.flatnonzero(self.split == split)

    def draw(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> ProfileBatch:
        """Photographs as these draws show them.

        Args:
            rows: (B,) rows of the set.
            draws: (B,) number of each draw; what is changed depends on it and on `seed` alone.
            seed: Of the changes.
        """
        taught = self.split[rows] == "train"
        chances = uniform(seed, draws, _CHANCES)
        gain = 1 + self.part.light * (2 * chances[:, [_LIGHT]] - 1)
        gain = gain * (1 + self.part.white * (2 * chances[:, _WHITE] - 1))
        batch = self._read(
            rows,
            flipped=taught & (chances[:, _FLIP] < self.part.flip),
            gain=np.where(taught[:, None], gain, 1.0),
            withheld=taught[:, None]
            & (chances[:, _WITHHELD] < [self.part.site_drop, self.part.place_drop]),
        )
        share = forced_share(self.part.forcing, draws / len(self.rows("train")))
        batch["force_depths"] = torch.from_numpy(taught & (chances[:, _DEPTHS] < share))
        batch["force_properties"] = torch.from_numpy(taught & (chances[:, _PROPERTIES] < share))
        return batch

    def whole(self, rows: np.ndarray) -> ProfileBatch:
        """Photographs as they are, with nothing forced.

        Args:
            rows: (B,) rows of the set.
        """
        count = len(rows)
        return self._read(
            rows,
            flipped=np.zeros(count, bool),
            gain=np.ones((count, 3)),
            withheld=np.zeros((count, 2), bool),
        )

    def _read(
        self, rows: np.ndarray, flipped: np.ndarray, gain: np.ndarray, withheld: np.ndarray
    ) -> ProfileBatch:
        numbers, codes = self._sites.of(rows, withheld)
        truth = {name: torch.from_numpy(values[rows]) for name, values in self.truth.items()}
        picture, soil = self.profiles.pictures[rows], self.profiles.soils[rows]
        picture = _turned(picture, flipped)
        return _batch(
            _standardised(self.schema, picture, gain),
            torch.from_numpy(_turned(soil, flipped)),
            numbers,
            codes,
            truth,
            [c.name for c in self.schema.classes],
        )


def forced_share(forcing: Forcing, passes: np.ndarray) -> np.ndarray:
    """Chance of truth being forced after so many passes: from `first` linearly to `last`.

    Args:
        forcing: The recipe's part.
        passes: (B,) passes done before each draw.
    """
    done = np.minimum(passes / forcing.passes, 1.0) if forcing.passes else np.ones_like(passes)
    return forcing.first + (forcing.last - forcing.first) * done


def load(folder: Path, recipe: ProfilesDataset) -> ProfileDataset:
    """Open one version of a profile set.

    Args:
        folder: What `fusion.profiles.store.write` returned.
        recipe: The dataset part of a recipe.

    Raises:
        TrainingError: Files are missing, a split is empty, or a profile has more horizons than the
            recipe allows.
        FusionError: The set is broken.
    """
    digest = fingerprint(folder, "profiles")
    profiles = ProfileSet(folder)
    index = profiles.index
    split = index["split"].to_numpy()
    if empty := [s for s in ("train", "validation") if not (split == s).any()]:
        raise TrainingError(
            "a split has no photograph",
            file=str(folder),
            samples=empty,
            remedy="profiles in more places, farther apart, are needed",
        )
    horizons = _horizons(index)
    most = horizons.group_by("row").len().sort("len")
    if most["len"][-1] > recipe.horizons:
        raise TrainingError(
            f"a profile has {most['len'][-1]} horizons, and the recipe allows {recipe.horizons}",
            file=str(folder),
            samples=index["photograph"].gather(most["row"][-3:]).to_list(),
            remedy="set dataset.horizons of the recipe",
        )
    training = index.filter(pl.col("split") == "train").unique(
        "profile", keep="first", maintain_order=True
    )
    seen = _horizons(training)
    numbers, codes, left_out = _site_columns(profiles, training)
    classes, without = _classes(profiles, seen)
    left_out |= without
    labels, stands_for, given = _labels(seen, horizons["symbol"], recipe.least_seen, folder)
    vectors = taxonomy(labels).embedding()
    channels = profiles.described["statistics"]["channels"]
    schema = ProfileSchema(
        height=profiles.pictures.shape[1],
        width=profiles.pictures.shape[2],
        depth_cm=DEPTH_CM,
        channel_mean=tuple(channels["mean"]),
        channel_std=tuple(channels["std"]),
        numbers=numbers,
        codes=codes,
        classes=classes,
        labels=labels,
        embedding=tuple(map(tuple, vectors.tolist())),
        stands_for=stands_for,
        horizons=recipe.horizons,
    )
    return ProfileDataset(
        folder=folder,
        fingerprint=digest,
        profiles=profiles,
        schema=schema,
        part=recipe,
        split=split,
        left_out=left_out,
        truth=_truth(schema, given, horizons, len(index)),
        _sites=_Sites.of_columns(
            schema, {name: index[_column(index, name)] for name in _names(schema)}
        ),
    )


def encode(
    schema: ProfileSchema,
    pictures: np.ndarray,
    soil: np.ndarray,
    sites: Sequence[Mapping[str, Any]],
) -> ProfileBatch:
    """Photographs in memory as a model takes them; nothing of their truth is known or forced.

    Args:
        schema: Of the model.
        pictures: (B, schema.height, schema.width, 3) uint8, red, green, blue.
        soil: (B, schema.height, schema.width) bool.
        sites: Of each, what is known by the names of the schema (`longitude`, `latitude`, `year`,
            `month`, ...); what is absent or None is missing, other names are left aside.

    Raises:
        TrainingError: The pictures have another size than the model's, or a number is none.
    """
    if pictures.shape[1:] != (schema.height, schema.width, 3) or soil.shape != pictures.shape[:3]:
        raise TrainingError(
            f"pictures {pictures.shape} and soil {soil.shape} are not of the model's size",
            samples=[f"height {schema.height}, width {schema.width}"],
            remedy="make them with fusion.profiles.pictures.picture",
        )
    columns = {}
    for names, kind in ((schema.numbers, pl.Float64), (schema.codes, pl.String)):
        for name in (column.name for column in names):
            values = [site.get(name) for site in sites]
            try:
                columns[name] = pl.Series(name, values, strict=False).cast(kind)
            except pl.exceptions.PolarsError as error:
                raise TrainingError(
                    f"{name} of a site is no {kind}: {error}", samples=values, remedy="correct it"
                ) from error
    count, most = len(pictures), schema.horizons
    every = np.arange(count)
    numbers, codes = _Sites.of_columns(schema, columns).of(every, np.zeros((count, 2), bool))
    unknown = torch.full((count, most), -1)
    truth = {
        "bounds": torch.ones(count, most),
        "horizons": torch.zeros(count, most, dtype=torch.bool),
        "stones": torch.zeros(count, most),
        "stones_known": torch.zeros(count, most, dtype=torch.bool),
        "symbol": unknown,
        **{c.name: unknown for c in schema.classes},
    }
    return _batch(
        _standardised(schema, pictures, np.ones((count, 3))),
        torch.from_numpy(soil),
        numbers,
        codes,
        truth,
        [c.name for c in schema.classes],
    )


# What is told of the set.


def _names(schema: ProfileSchema) -> list[str]:
    return [column.name for column in (*schema.numbers, *schema.codes)]


def _column(index: pl.DataFrame, name: str) -> str:
    return name if name in (*PLACE_NUMBERS, *PLACE_CODES) else f"site.{name}"


def _horizons(index: pl.DataFrame) -> pl.DataFrame:
    """`row, place` and the fields of a horizon, one row a horizon."""
    return (
        index.select(pl.int_range(pl.len()).alias("row"), "horizons")
        .explode("horizons")
        .with_columns(pl.int_range(pl.len()).over("row").alias("place"))
        .unnest("horizons")
    )


def _site_columns(
    profiles: ProfileSet, training: pl.DataFrame
) -> tuple[tuple[SiteNumber, ...], tuple[SiteCode, ...], dict[str, str]]:
    """Numbers and codes that tell profiles of the training split apart; what does not, and why."""
    told = profiles.described["site"]
    wanted = [(name, "numeric") for name in PLACE_NUMBERS]
    wanted += [(name, "code") for name in PLACE_CODES]
    wanted += [(name, told[name]["kind"]) for name in told if name not in dict(wanted)]
    numbers, codes, left_out = [], [], {}
    for name, kind in wanted:
        values = training[_column(training, name)].drop_nulls()
        if values.n_unique() < 2:
            left_out[name] = "no two values in the training split"
        elif kind == "code":
            codes.append(SiteCode(name=name, codes=tuple(sorted(values.cast(pl.String).unique()))))
        else:
            mean, std = values.mean(), values.std(ddof=0)
            if std <= _CONSTANT * max(1.0, abs(mean)):
                left_out[name] = "constant in the training split"
            else:
                numbers.append(SiteNumber(name=name, mean=mean, std=std))
    return tuple(numbers), tuple(codes), left_out


def _classes(
    profiles: ProfileSet, seen: pl.DataFrame
) -> tuple[tuple[PropertyClass, ...], dict[str, str]]:
    """Classes with the codes that the training split has, in the order of their codebook."""
    found, left_out = [], {}
    for name in CLASSES:
        said, known = profiles.described["classes"][name], set(seen[name].drop_nulls())
        codes = tuple(code for code in said["codes"] if code in known)
        if len(codes) < 2:
            left_out[name] = "fewer than two codes in the training split"
        else:
            found.append(PropertyClass(name=name, codes=codes, ordinal=said["ordinal"]))
    return tuple(found), left_out


def _labels(
    seen: pl.DataFrame, every: pl.Series, least: int, folder: Path
) -> tuple[tuple[str, ...], dict[str, str], dict[str, str]]:
    """Labels, the label that each rarer symbol stands for, and the label of every symbol.

    A symbol that the training split has not stands for the label that its rare ones would, so that
    no horizon of another split goes unasked.
    """
    counts = dict(seen["symbol"].drop_nulls().value_counts().iter_rows())
    given = common(counts, least)
    labels = tuple(sorted(set(given.values())))
    if len(labels) < 2:
        raise TrainingError(
            f"only {len(labels)} symbol is seen {least} times in the training split",
            file=str(folder),
            samples=sorted(counts, key=lambda symbol: -counts[symbol]),
            remedy="set dataset.least_seen of the recipe to less",
        )
    stands_for = {symbol: label for symbol, label in sorted(given.items()) if symbol != label}
    unseen = dict.fromkeys(sorted(set(every.drop_nulls()) - set(counts)), 0)
    return labels, stands_for, common(counts | unseen, least)


# From tables to arrays.


def _truth(
    schema: ProfileSchema, given: Mapping[str, str], horizons: pl.DataFrame, count: int
) -> dict[str, np.ndarray]:
    """See `ProfileDataset.truth`."""
    row, place = horizons["row"].to_numpy(), horizons["place"].to_numpy()
    shape = (count, schema.horizons)

    def spread(values: np.ndarray, filling: float | bool) -> np.ndarray:
        made = np.full(shape, filling, values.dtype)
        made[row, place] = values
        return made

    exists = spread(np.ones(len(row), bool), False)
    bounds = spread((horizons["bottom"] / schema.depth_cm).cast(pl.Float32).to_numpy(), 1.0)
    # The lowest horizon reaches the end of what is looked at, as published.
    bounds[np.arange(count), np.maximum(exists.sum(1) - 1, 0)] = 1.0
    stones = (horizons["stones"] / 100).cast(pl.Float32)
    symbols = horizons["symbol"].replace(given)
    return {
        "bounds": bounds,
        "horizons": exists,
        "stones": spread(stones.fill_null(0.0).to_numpy(), 0.0),
        "stones_known": spread(stones.is_not_null().to_numpy(), False),
        "symbol": spread(_positions(symbols, schema.labels), -1),
        **{c.name: spread(_positions(horizons[c.name], c.codes), -1) for c in schema.classes},
    }


def _positions(values: pl.Series, codes: Sequence[str]) -> np.ndarray:
    """(n,) int64 place of each value among the codes, -1 where it is none of them or missing."""
    places = {code: place for place, code in enumerate(codes)}
    return values.replace_strict(places, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()


@dataclass(frozen=True)
class _Sites:
    """What is known of sites."""

    numbers: np.ndarray
    """(n, numbers) float32 z-scores, NaN where missing."""
    codes: np.ndarray
    """(n, codes) int64, -1 where missing."""
    of_place: tuple[np.ndarray, np.ndarray]
    """Of numbers and of codes, 1 for place and date, 0 for what else is known of the site."""

    @classmethod
    def of_columns(cls, schema: ProfileSchema, columns: Mapping[str, pl.Series]) -> "_Sites":
        """From one value a site."""
        count = len(next(iter(columns.values())))
        numbers = np.empty((count, len(schema.numbers)), np.float32)
        for place, told in enumerate(schema.numbers):
            values = columns[told.name].cast(pl.Float64).to_numpy()
            numbers[:, place] = ((values - told.mean) / told.std).clip(-_FARTHEST, _FARTHEST)
        codes = np.empty((count, len(schema.codes)), np.int64)
        for place, told in enumerate(schema.codes):
            codes[:, place] = _positions(columns[told.name].cast(pl.String), told.codes)
        return cls(
            numbers,
            codes,
            (
                np.array([told.name in PLACE_NUMBERS for told in schema.numbers], np.int64),
                np.array([told.name in PLACE_CODES for told in schema.codes], np.int64),
            ),
        )

    def of(self, rows: np.ndarray, withheld: np.ndarray) -> tuple[Tensor, Tensor]:
        """Numbers, NaN where missing, and codes of some rows.

        Args:
            rows: (B,).
            withheld: (B, 2) bool: is the site, and are place and date, to be missing?
        """
        numbers = np.where(withheld[:, self.of_place[0]], np.float32(np.nan), self.numbers[rows])
        codes = np.where(withheld[:, self.of_place[1]], -1, self.codes[rows])
        return torch.from_numpy(numbers), torch.from_numpy(codes)


# From arrays to tensors.


def _turned(array: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """(B, h, w, ...), some rows with left and right exchanged."""
    made = np.array(array)
    made[flipped] = made[flipped][:, :, ::-1]
    return made


def _standardised(schema: ProfileSchema, pictures: np.ndarray, gain: np.ndarray) -> Tensor:
    """(B, h, w, 3) uint8 and (B, 3) factors of its channels -> (B, 3, h, w) float32 z-scores."""
    mean, std = np.array(schema.channel_mean), np.array(schema.channel_std)
    factor = torch.from_numpy((gain / std).astype(np.float32))[:, None, None]
    shift = torch.from_numpy((mean / std).astype(np.float32))
    return (torch.from_numpy(pictures) * factor - shift).permute(0, 3, 1, 2)


def _batch(
    picture: Tensor,
    soil: Tensor,
    numbers: Tensor,
    codes: Tensor,
    truth: Mapping[str, Tensor],
    classes: Sequence[str],
) -> ProfileBatch:
    known = ~numbers.isnan()
    never = torch.zeros(len(picture), dtype=torch.bool)
    return {
        "picture": picture,
        "soil": soil,
        "site_numbers": torch.where(known, numbers, 0),
        "site_known": known,
        "site_codes": codes,
        "bounds": truth["bounds"],
        "horizons": truth["horizons"],
        "stones": truth["stones"],
        "stones_known": truth["stones_known"],
        "classes": {name: truth[name] for name in classes},
        "symbol": truth["symbol"],
        "force_depths": never,
        "force_properties": never,
    }
