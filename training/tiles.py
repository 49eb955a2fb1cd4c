"""A tile set as standardised tensors.

Belongs here: what a model is told of a tile set (bands, statistics, codes), and tiles read into
batches. Never here: files (`fusion.tiles.store`), masks' randomness, models.

Pixels become z-scores straight from their stored numbers, by statistics of the training split.
Absence is said by the masks alone: what a batch holds at an absent place is of no meaning, and NaN
where a whole modality is absent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import torch

from adapters.errors import TrainingError
from adapters.modalities import ROI_M, modality
from fusion.tiles.splits import SPLITS
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from models.geomeld_fm import TileBatch
from training.masks import order, uniform, visible_patches
from training.recipe import TilesDataset
from training.runs import fingerprint
from training.text import WIDTH, caption_embeddings
from training.tile_schema import TileModality, TileSchema

PIXELS = ROI_M // 10
"""Edge of a tile at 10 m, by which patches are counted."""
EMBEDDINGS = ".embeddings"
"""Folder beside the versions of a set, for its captions' vectors: a version itself never changes.
"""
_CONSTANT = 1e-9
"""A band whose deviation is a smaller share of its mean does not vary."""
_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class TileDataset:
    """A tile set with its schema: a dataset of the platform."""

    folder: Path
    fingerprint: str
    tiles: TileSet
    schema: TileSchema
    part: TilesDataset
    split: np.ndarray
    """(n,) train, validation, test or guard."""
    caption: np.ndarray
    """(n, schema.caption_width) float32."""
    sentence: np.ndarray
    """(n,) int64: captions that say the same have the same number; -1 where there is none."""
    left_out: dict[str, str]
    _layers: tuple["_Layer", ...] = field(repr=False)

    @property
    def group(self) -> str:
        """Origin group."""
        return self.tiles.described["origin"]

    @property
    def described(self) -> dict[str, Any]:
        """What a run records of its data: origin, version and licences.

        A set that does not tell the terms of a modality is not said to be redistributable.
        """
        used = [m.id for m in self.schema.modalities]
        terms = self.tiles.described.get("terms", {})
        return {
            "group": self.group,
            "origin": self.tiles.described["origin"],
            "version": self.folder.name,
            "fingerprint": self.fingerprint,
            "samples": {s: int((self.split == s).sum()) for s in SPLITS},
            "features": sum(len(m.bands) for m in self.schema.modalities),
            "left_out": self.left_out,
            "captions_checked": self._captions_checked,
            "licences": self.tiles.described["licences"],
            "redistribute": all(m in terms and terms[m]["redistribute"] for m in used),
            "share_alike": sorted(m for m in used if m in terms and terms[m]["share_alike"]),
        }

    @property
    def _captions_checked(self) -> bool | None:
        """Is each caption known to be true of the tile it is given to? None: there are none."""
        if not self.schema.caption_width:
            return None
        return self.part.captions == "own" and bool(self.tiles.captions_checked)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of a split, which are rows of the set's index."""
        return np.flatnonzero(self.split == split)

    def draw(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> TileBatch:
        """Tiles with the patches and bands hidden, and with the others' captions, of these draws.

        Args:
            rows: (B,) rows of the set.
            draws: (B,) number of each draw; all that is random depends on it and on `seed` alone.
            seed: Of the masks and of the others' captions.

        Raises:
            TrainingError: A class code is not in the table of modalities.
        """
        batch = self.whole(rows)
        patches = batch["visible"].shape[1]
        keep = min(max(round((1 - self.part.mask) * patches), 1), patches - 1)
        batch["visible"] = torch.from_numpy(visible_patches(patches, keep, seed, draws))
        maps = {name: hidden.shape[1] for name, hidden in batch["hidden_bands"].items()}
        # The first columns are those of the patches; bands have chances of their own after them,
        # and then come the others' captions.
        ends = np.cumsum([patches, *maps.values()])
        chances = uniform(seed, draws, ends[-1] + self.part.other_captions)
        *dropped, others = np.split(chances, ends, axis=1)[1:]
        for name, chance in zip(maps, dropped, strict=True):
            batch["hidden_bands"][name] = torch.from_numpy(chance < self.part.band_drop)
        if self.schema.caption_width:
            among = self._captioned_training
            self._put_captions(batch, rows, among[(others * len(among)).astype(np.int64)])
        return batch

    def whole(self, rows: np.ndarray) -> TileBatch:
        """Tiles with nothing hidden, and their captions alone.

        Args:
            rows: (B,) rows of the set.

        Raises:
            TrainingError: A class code is not in the table of modalities.
        """
        batch = _empty(self.schema, len(rows))
        wanted = [m.id for m in self.schema.modalities]
        to = _arrays(batch)
        for place, row in enumerate(rows.tolist()):
            found = self.tiles.stored(row, wanted)
            names = self.tiles.vector_names(row)
            _put(self._layers, to, place, found, names, f"{self.folder}, tile {row}")
        self._put_captions(batch, rows, np.zeros((len(rows), 0), np.int64))
        return batch

    @cached_property
    def _captioned_training(self) -> np.ndarray:
        """Rows of training tiles with a caption."""
        return np.flatnonzero((self.split == "train") & (self.sentence >= 0))

    def _put_captions(self, batch: TileBatch, rows: np.ndarray, others: np.ndarray) -> None:
        """Captions of these rows, and for each those of others, (B, K) rows."""
        given = np.concatenate([rows[:, None], others], axis=1)
        batch["caption"] = torch.from_numpy(self.caption[given])
        batch["sentence"] = torch.from_numpy(self.sentence[given])


def load(folder: Path, recipe: TilesDataset) -> TileDataset:
    """Open one version of a tile set.

    Args:
        folder: What `fusion.tiles.writing.write` returned.
        recipe: The dataset part of a recipe.

    Raises:
        TrainingError: Files are missing, the recipe names a modality that the set has not or a
            patch that does not cut tiles evenly, or a split is empty.
        FusionError: The set is broken.
    """
    digest = fingerprint(folder, "tiles")
    tiles = TileSet(folder)
    index = tiles.columns("split", "caption")
    split = index["split"].to_numpy()
    if empty := [s for s in ("train", "validation") if not (split == s).any()]:
        raise TrainingError(
            "a split has no tile",
            file=str(folder / "index.parquet"),
            samples=empty,
            remedy="tiles in more places, farther apart, are needed",
        )
    if PIXELS % recipe.patch:
        raise TrainingError(
            f"patches of {recipe.patch} pixels do not cut {PIXELS} pixels evenly",
            remedy="set dataset.patch of the recipe to 8, 16, 32 or 64",
        )
    described, left_out = _described(tiles, recipe, folder)
    given, captioned = _captions(index["caption"], recipe, split)
    in_training = captioned[split == "train"].any()
    schema = TileSchema(
        modalities=described, patch=recipe.patch, caption_width=WIDTH if in_training else 0
    )
    vectors = np.zeros((len(split), 0), np.float32)
    if schema.caption_width:
        own = caption_embeddings(index["caption"].to_list(), folder.parent / EMBEDDINGS)
        vectors = np.where(captioned[:, None], own[given], np.float32(0))
    numbers = index["caption"].rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
    return TileDataset(
        folder=folder,
        fingerprint=digest,
        tiles=tiles,
        schema=schema,
        part=recipe,
        split=split,
        caption=vectors,
        sentence=np.where(captioned, numbers[given], -1),
        left_out=left_out,
        _layers=tuple(_Layer.of(m, stored=True) for m in described),
    )


def encode(schema: TileSchema, tiles: Sequence[Tile]) -> TileBatch:
    """Tiles in memory as a model takes them: nothing hidden, no captions.

    Args:
        schema: Of the model; what a tile lacks of it is absent, what it has besides is left aside.
        tiles: At least one.

    Raises:
        TrainingError: A class code is not in the table of modalities.
    """
    batch = _empty(schema, len(tiles))
    layers = tuple(_Layer.of(m, stored=False) for m in schema.modalities)
    to = _arrays(batch)
    for place, tile in enumerate(tiles):
        found = {name: (tile.arrays[name], tile.present[name]) for name in tile.arrays}
        _put(layers, to, place, found, tile.vector_names, f"tile {tile.id}")
    return batch


# What is told of the set.


def _described(
    tiles: TileSet, recipe: TilesDataset, folder: Path
) -> tuple[tuple[TileModality, ...], dict[str, str]]:
    """Modalities with the bands that can be standardised; and what is left out, with the reason."""
    wanted = recipe.modalities
    if wanted is None:
        wanted = tuple(name for name in tiles.modalities if modality(name).kind != "rgb")
    if unknown := sorted(set(wanted) - set(tiles.modalities)):
        raise TrainingError(
            "the tiles lack modalities of the recipe",
            file=str(folder),
            samples=unknown,
            remedy=f"choose dataset.modalities among {', '.join(tiles.modalities)}",
        )
    left_out = {
        name: "not asked for by the recipe" for name in tiles.modalities if name not in wanted
    }
    found = []
    for name in (name for name in tiles.modalities if name in wanted):
        spec, bands = modality(name), tiles.statistics.modalities.get(name, ())
        known = {band.name: band for band in bands if band.count}
        if not known:
            left_out[name] = "no value in the training split"
            continue
        if spec.is_classes:
            codes, labels = tuple(spec.codes), tuple(spec.codes.values())
            classes: dict[str, Any] = {"codes": codes, "labels": labels}
            found.append(
                TileModality(id=name, kind="classes", bands=spec.names, size=spec.size, **classes)
            )
            continue
        for band in bands:
            if band.name not in known:
                left_out[f"{name}.{band.name}"] = "no value in the training split"
            elif band.std <= _CONSTANT * max(1.0, abs(band.mean)):
                left_out[f"{name}.{band.name}"] = "constant in the training split"
                del known[band.name]
        if not known:
            continue
        found.append(
            TileModality(
                id=name,
                kind="vector" if spec.is_vector else "map",
                bands=tuple(known),
                size=spec.size or None,
                mean=tuple(band.mean for band in known.values()),
                std=tuple(band.std for band in known.values()),
            )
        )
    if not found:
        raise TrainingError(
            "no modality has a value that varies in the training split",
            file=str(folder),
            samples=[f"{name}: {why}" for name, why in left_out.items()],
            remedy="more tiles are needed, or other modalities",
        )
    return tuple(found), left_out


def _captions(
    captions: pl.Series, recipe: TilesDataset, split: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) row whose caption each tile is given, and whether it is given one."""
    given = np.arange(len(split))
    captioned = captions.is_not_null().to_numpy()
    if recipe.captions == "none":
        return given, np.zeros_like(captioned)
    if recipe.captions == "shuffled":
        captioned = captioned.copy()
        for side in np.unique(split):
            held = np.flatnonzero((split == side) & captioned)
            # Each gives to the next of a random round: nobody keeps their own.
            round_ = held[order(len(held), _SHUFFLE_SEED, np.arange(len(held)))]
            given[round_] = np.roll(round_, 1)
            captioned[held] = len(held) > 1
    return given, captioned


# From arrays to tensors.


@dataclass(frozen=True)
class _Layer:
    """How the arrays of a modality go into a batch."""

    id: str
    kind: Literal["map", "classes", "vector"]
    names: tuple[str, ...]
    bands: np.ndarray | slice
    """Of the array, those of the schema."""
    shift: np.ndarray
    factor: np.ndarray
    """z = (number - shift) * factor, by band."""
    positions: np.ndarray
    """(256,) int64: of each code, its place among the schema's; -1 for what is no class."""

    @classmethod
    def of(cls, described: TileModality, *, stored: bool) -> "_Layer":
        """For stored numbers, or for numbers in the unit of the bands."""
        spec = modality(described.id)
        scale, offset = (spec.scale, spec.offset) if stored else (1.0, 0.0)
        bands: np.ndarray | slice = slice(None)
        if described.kind == "map" and described.bands != spec.names:
            bands = np.array([spec.band(name) for name in described.bands])
        positions = np.full(256, -1, np.int64)
        positions[list(described.codes)] = np.arange(len(described.codes))
        column = (-1, 1, 1) if described.kind == "map" else (-1,)
        mean, std = (
            np.array(v, np.float64).reshape(column) for v in (described.mean, described.std)
        )
        return cls(
            id=described.id,
            kind=described.kind,
            names=described.bands,
            bands=bands,
            shift=((mean - offset) / scale).astype(np.float32),
            factor=(scale / std).astype(np.float32),
            positions=positions,
        )

    def put(
        self,
        values: np.ndarray,
        present: np.ndarray,
        names: Sequence[str],
        to: np.ndarray,
        mask: np.ndarray,
        where: str,
    ) -> None:
        """Fill one row of a batch, `to` and `mask`; `names` are a vector's."""
        if self.kind == "map":
            np.subtract(values[self.bands], self.shift, out=to, dtype=np.float32)
            to *= self.factor
            mask[...] = present[self.bands]
        elif self.kind == "classes":
            np.take(self.positions, values[0], out=to, mode="clip")
            mask[...] = present[0]
            if (wrong := mask & (to < 0)).any():
                raise TrainingError(
                    f"{self.id} holds codes that are no classes",
                    file=where,
                    samples=np.unique(values[0][wrong]).tolist(),
                    remedy="see adapters/modalities.yaml for its classes, and write the set again",
                )
        else:
            to.fill(np.nan)
            mask.fill(False)
            places = {name: place for place, name in enumerate(names)}
            pairs = [(i, places[name]) for i, name in enumerate(self.names) if name in places]
            if pairs:
                here, there = map(list, zip(*pairs, strict=True))
                to[here] = (values[there] - self.shift[here]) * self.factor[here]
                mask[here] = present[there]


def _empty(schema: TileSchema, count: int) -> TileBatch:
    """A batch of nothing: no value is present, no band and no patch hidden."""
    values, present, hidden = {}, {}, {}
    for m in schema.modalities:
        edges = (m.size, m.size) if m.size else ()
        shape = (count, *edges) if m.kind == "classes" else (count, len(m.bands), *edges)
        dtype = torch.int64 if m.kind == "classes" else torch.float32
        values[m.id] = torch.empty(shape, dtype=dtype)
        present[m.id] = torch.empty(shape, dtype=torch.bool)
        if m.kind == "map":
            hidden[m.id] = torch.zeros(count, len(m.bands), dtype=torch.bool)
    return {
        "values": values,
        "present": present,
        "hidden_bands": hidden,
        "visible": torch.ones(count, (PIXELS // schema.patch) ** 2, dtype=torch.bool),
        "caption": torch.zeros(count, 1, schema.caption_width),
        "sentence": torch.full((count, 1), -1),
    }


def _arrays(batch: TileBatch) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and masks of a batch, in its own memory."""
    return {k: (v.numpy(), batch["present"][k].numpy()) for k, v in batch["values"].items()}


def _put(
    layers: Iterable[_Layer],
    to: Mapping[str, tuple[np.ndarray, np.ndarray]],
    place: int,
    found: Mapping[str, tuple[np.ndarray, np.ndarray]],
    names: Mapping[str, Sequence[str]],
    where: str,
) -> None:
    """Fill one row of a batch from the arrays and masks of a tile."""
    for layer in layers:
        values, mask = (array[place] for array in to[layer.id])
        if layer.id in found:
            layer.put(*found[layer.id], names.get(layer.id, ()), values, mask, where)
        else:
            values.fill(-1 if layer.kind == "classes" else np.nan)
            mask.fill(False)
