"""A tile set in memory with known relations, and a recipe small enough for tests."""

import json
from pathlib import Path

import numpy as np
import torch
import yaml

from models.geomeld_fm import TileBatch
from training.masks import uniform, visible_patches
from training.recipe import TilesDataset
from training.runs import fingerprint
from training.tile_schema import TileModality, TileSchema

EDGE, PATCH, PATCHES, WIDTH = 32, 8, 16, 6
SEED = 5
SCHEMA = TileSchema(
    modalities=(
        TileModality(id="sentinel2", kind="map", bands=("B2", "B3", "B4", "B8"), size=EDGE),
        TileModality(id="relief", kind="map", bands=("elevation",), size=EDGE // 2),
        TileModality(
            id="worldcover", kind="classes", bands=("class",), size=EDGE, codes=(10, 40, 80)
        ),
        TileModality(id="soil", kind="vector", bands=("clay", "ph_h2o"), size=None),
    ),
    patch=PATCH,
    caption_width=WIDTH,
)


class MadeTiles:
    """Two fields a tile: all modalities and the caption follow them."""

    def __init__(self, folder: Path, part: TilesDataset) -> None:
        self.part, self.schema = part, SCHEMA
        self.fingerprint = fingerprint(folder, "tiles")
        n = json.loads((folder / "set.json").read_text())["tiles"]
        rng = np.random.default_rng(SEED)
        kind = rng.integers(0, 3, n)
        fine = rng.normal(size=(n, 1, EDGE, EDGE))
        ramp = np.linspace(-1, 1, EDGE)[None, None, :] * rng.normal(size=(n, 1, 1))
        ramp = np.repeat(ramp[:, :, None], EDGE, 2).reshape(n, 1, EDGE, EDGE)
        gain = np.array([[1, 0.5, -1], [0, 1, 0.5], [1, 1, 0], [-1, 0, 1.5]])
        s2 = gain[:, kind].T[:, :, None, None] + ramp * gain[:, :1, None] + 0.2 * fine
        self.values = {
            "sentinel2": s2.astype(np.float32),
            "relief": ramp[:, :, ::2, ::2].astype(np.float32),
            "worldcover": np.where(ramp[:, 0] > 0.5, 2, kind[:, None, None] % 2),
            "soil": np.stack([kind - 1.0, ramp.max((1, 2, 3))], 1).astype(np.float32),
        }
        self.present = {
            name: rng.random(v.shape) < (0.98 if v.ndim > 2 else 0.8)
            for name, v in self.values.items()
        }
        for name, value in self.values.items():
            filling = 255 if value.dtype.kind == "i" else np.nan
            self.values[name] = np.where(self.present[name], value, filling).astype(value.dtype)
        sentences = rng.normal(size=(3, WIDTH))
        self.caption = (sentences[kind] + 0.3 * rng.normal(size=(n, WIDTH))).astype(np.float32)
        self.sentence = np.where(rng.random(n) < 0.9, np.arange(n), -1)
        self.split = np.array(["train"] * 6 + ["validation"] + ["test"])[np.arange(n) % 8]
        self.described = {
            "group": "synthetic",
            "origin": "synthetic",
            "version": folder.name,
            "fingerprint": self.fingerprint,
            "samples": {s: int((self.split == s).sum()) for s in np.unique(self.split).tolist()},
            "features": 7,
        }

    def rows(self, split: str) -> np.ndarray:
        return np.flatnonzero(self.split == split)

    def draw(self, rows: np.ndarray, draws: np.ndarray, seed: int) -> TileBatch:
        keep = round((1 - self.part.mask) * PATCHES)
        dropped = uniform(seed + 1, draws, 4) < self.part.band_drop
        others = (uniform(seed + 2, draws, 5) * len(self.split)).astype(int)
        given = np.concatenate([rows[:, None], others], 1)
        return {
            "values": {k: torch.from_numpy(v[rows]) for k, v in self.values.items()},
            "present": {k: torch.from_numpy(v[rows]) for k, v in self.present.items()},
            "hidden_bands": {"sentinel2": torch.from_numpy(dropped)},
            "visible": torch.from_numpy(visible_patches(PATCHES, keep, seed, draws)),
            "caption": torch.from_numpy(self.caption[given]),
            "sentence": torch.from_numpy(self.sentence[given]),
        }


def write_tiles(folder: Path, tiles: int = 64) -> Path:
    """The files that identify a tile set; their content is made by `MadeTiles`."""
    folder.mkdir(parents=True)
    (folder / "index.parquet").write_bytes(b"stands for an index")
    (folder / "set.json").write_text(json.dumps({"origin": "synthetic", "tiles": tiles}))
    return folder


def write_tile_recipe(path: Path, **changes: object) -> Path:
    """A recipe of a few seconds; keys with two underscores reach into parts."""
    recipe = {
        "name": path.stem,
        "description": "test",
        "dataset": {"name": "tiles", "patch": PATCH, "band_drop": 0.1},
        "model": {
            "name": "geomeld_fm",
            "size": "atto",
            "targets": ["sentinel2", "relief", "worldcover", "soil"],
            "decoder_width": 16,
            "predictor_width": 16,
            "predictor_blocks": 1,
            "contrast_width": 8,
            "teacher_momentum": 0.9,
        },
        "loss": {"name": "geomeld"},
        "optimiser": {
            "learning_rate": 0.002,
            "final_learning_rate": 0.0001,
            "warmup_epochs": 0.2,
            "decay_vectors": False,
        },
        "deepspeed": {"zero_stage": 2, "precision": "fp32"},
        "epochs": 1.5,
        "batch": 12,
        "checkpoint_epochs": 0.5,
        "keep": 3,
        "seed": 1,
        "mask_seed": 2,
    }
    for key, value in changes.items():
        part, _, leaf = key.rpartition("__")
        (recipe[part] if part else recipe)[leaf] = value
    path.write_text(yaml.safe_dump(recipe))
    return path
