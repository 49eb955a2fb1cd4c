"""Features of tiles from an exported run, without the platform that trained it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from good_tile import good_tile
from safetensors.torch import load_file, save_file

from adapters.errors import TrainingError
from fusion.tiles.tile import Tile
from training import tile_features
from training.parts import geomeld_fm
from training.recipe import GeoMeldModel
from training.text import WIDTH
from training.tile_features import TileEncoder, embed
from training.tile_schema import TileModality, TileSchema
from training.tiles import encode

BANDS = ("B2", "B3", "B4", "B8")
SCHEMA = TileSchema(
    modalities=(
        TileModality(
            id="sentinel2", kind="map", bands=BANDS, size=128, mean=(0.1,) * 4, std=(0.1,) * 4
        ),
        TileModality(id="relief", kind="map", bands=("slope",), size=128, mean=(2.0,), std=(3.0,)),
    ),
    patch=32,
    caption_width=WIDTH,
)


@pytest.fixture(scope="module")
def tiles() -> list[Tile]:
    return [good_tile(0), good_tile(1, bands=9), good_tile(2, without=("relief",))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("run"), contrast_width=8)


def export(folder: Path, **changes: int) -> Path:
    """A run as the loop leaves it, of a network that nobody trained."""
    targets = ("sentinel2", "relief")
    part = GeoMeldModel(
        size="atto", targets=targets, **{"decoder_width": 8, "predictor_width": 8} | changes
    )
    torch.manual_seed(0)
    save_file(geomeld_fm(part, SCHEMA).state_dict(), folder / "model.safetensors")
    exported = {
        "origin": "synthetic",
        "model": part.model_dump(mode="json"),
        "schema": SCHEMA.model_dump(mode="json"),
    }
    (folder / "model.json").write_text(json.dumps(exported))
    (folder / "meta.json").write_text("{}")
    return folder


def test_features_are_those_of_the_model_in_the_order_of_the_tiles(
    run: Path, tiles: list[Tile], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TileEncoder(run)
    assert encoder.origin == "synthetic"
    with torch.no_grad():
        found, pooled = encoder.model.features(encode(SCHEMA, tiles))
    monkeypatch.setattr(tile_features, "_TILES", 2)
    parts = list(encoder.features(iter(tiles)))
    assert [len(maps) for maps, _ in parts] == [2, 1]
    maps, whole = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert maps.shape == (3, 32, 32, encoder.model.encoder.pyramid_width)
    assert maps.dtype == whole.dtype == np.float32
    assert np.allclose(maps, found.permute(0, 2, 3, 1).numpy(), atol=1e-4)
    assert np.allclose(whole, pooled.numpy(), atol=1e-4)
    assert np.allclose(embed(run, tiles), whole, atol=1e-6)
    assert np.abs(whole[0] - whole[1]).max() > 1e-3
    assert list(encoder.features([])) == []
    assert embed(run, []).shape == (0, maps.shape[-1])


def test_only_what_the_encoder_reads_and_what_is_present_counts(
    run: Path, tiles: list[Tile]
) -> None:
    first = tiles[0]
    arrays = {"sentinel2": np.where(first.present["sentinel2"], first.arrays["sentinel2"], 1e9)}
    bare = dataclasses.replace(
        first,
        arrays={"sentinel2": arrays["sentinel2"].astype(np.float32)},
        present={"sentinel2": first.present["sentinel2"]},
        vector_names={},
    )
    assert np.array_equal(embed(run, [first]), embed(run, [bare]))


def test_tiles_and_captions_meet_as_unit_vectors(
    run: Path, tiles: list[Tile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def embedded(captions: list[str], cache: Path) -> np.ndarray:
        asked.append((captions, cache))
        return np.random.default_rng(0).normal(size=(len(captions), WIDTH)).astype(np.float32)

    monkeypatch.setattr(tile_features, "caption_embeddings", embedded)
    encoder = TileEncoder(run)
    images = encoder.beside_captions(embed(run, tiles))
    texts = encoder.captions(["a lake", "a wood"], tmp_path)
    assert asked == [(["a lake", "a wood"], tmp_path)]
    assert (images.shape, texts.shape) == ((3, 8), (2, 8))
    for vectors in (images, texts):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_what_cannot_be_asked_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no finished model"):
        TileEncoder(tmp_path)
    without = TileEncoder(export(tmp_path, contrast_width=0))
    with pytest.raises(TrainingError, match="without captions"):
        without.captions(["a lake"], tmp_path)
    with pytest.raises(TrainingError, match="without captions"):
        without.beside_captions(np.zeros((1, 320), np.float32))
    exported = json.loads((tmp_path / "model.json").read_text())
    older = {
        k: v for k, v in load_file(tmp_path / "model.safetensors").items() if "down.0" not in k
    }
    save_file(older, tmp_path / "model.safetensors")
    with pytest.raises(TrainingError, match="another architecture"):
        TileEncoder(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(exported | {"model": {"name": "soilformer"}}))
    with pytest.raises(TrainingError, match="does not read tiles"):
        TileEncoder(tmp_path)
