"""A small tile set whose truth is planted, and an exported network that nobody trained."""

import dataclasses
import datetime
import json
from pathlib import Path

import numpy as np
import torch
from good_tile import good_tile
from safetensors.torch import save_file

from fusion.tiles.tile import Tile
from fusion.tiles.writing import write
from training.parts import geomeld_fm
from training.recipe import GeoMeldModel, TilesDataset
from training.runs import fingerprint
from training.tiles import load

SPECTRA = {10: 0.3, 40: 0.9}
"""How much brighter than in `good_tile` a class is here."""


def planted_tile(number: int, longitude: float, latitude: float) -> Tile:
    """Trees or crops, whose bands say which; a stripe of water; soil that goes with the class."""
    made = good_tile(0)
    code = (10, 40)[number % 2]
    draw = np.random.default_rng(number)
    cover = np.full((1, 128, 128), code, np.uint8)
    cover[:, : 16 * (1 + number % 3)] = 80
    bright = np.where(cover == 80, 0.05, SPECTRA[code] * 0.5)
    bands = (bright + draw.normal(0, 0.01, (12, 128, 128))).astype(np.float32)
    zone = int((longitude + 180) // 6) + 1
    arrays = {
        "sentinel2": bands,
        "sentinel1": made.arrays["sentinel1"],
        "worldcover": cover,
        "soil": np.array([code + draw.normal(), 30.0, 40.0, 30.0], np.float32),
    }
    present = {
        "sentinel2": np.ones((12, 128, 128), bool),
        "sentinel1": made.present["sentinel1"],
        "worldcover": np.ones((1, 128, 128), bool),
        "soil": np.ones(4, bool),
    }
    return dataclasses.replace(
        made,
        id=f"planted-{number}",
        longitude=longitude,
        latitude=latitude,
        crs=f"EPSG:{32600 + zone}",
        date=datetime.date(2021, 6, 1),
        arrays=arrays,
        present=present,
        vector_names={"soil": ("ph_h2o", "sand", "silt", "clay")},
    )


def write_planted(folder: Path, count: int) -> Path:
    """Tiles far apart from each other."""
    across = int(np.ceil(count**0.5))
    places = [(-8.0 + 5.0 * (i % across), 38.0 + 4.0 * (i // across)) for i in range(count)]
    tiles = [planted_tile(i, *place) for i, place in enumerate(places)]
    kinds = {10: "Trees beside water.", 40: "Crops beside water."}
    captions = {tile.id: kinds[int(tile.arrays["worldcover"].min())] for tile in tiles}
    return write(tiles, folder, captions)


def export_untrained(run: Path, data: Path, **changes: object) -> Path:
    """The folder of a run that ended before its first step."""
    dataset = load(data, TilesDataset(patch=32, captions="none"))
    part = GeoMeldModel(
        size="atto",
        inputs=("sentinel2",),
        targets=("sentinel2", "worldcover"),
        **{"decoder_width": 16, "predictor_width": 0, "contrast_width": 0, **changes},
    )
    torch.manual_seed(0)
    model = geomeld_fm(part, dataset.schema)
    run.mkdir(parents=True)
    save_file(model.state_dict(), run / "model.safetensors")
    content = {
        "origin": "synthetic",
        "schema": dataset.schema.model_dump(mode="json"),
        "model": part.model_dump(mode="json"),
    }
    (run / "model.json").write_text(json.dumps(content))
    described = {
        "origin": "synthetic",
        "data": dataset.described | {"fingerprint": fingerprint(data, "tiles")},
        "recipe": {"name": "untrained"},
        "code_version": "none",
    }
    (run / "meta.json").write_text(json.dumps(described))
    return run
