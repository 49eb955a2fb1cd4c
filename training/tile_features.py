"""Features of tiles, from an exported run.

Belongs here: inference. Never here: DeepSpeed, Dagster, anything of training; how good the features
are.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from adapters.errors import TrainingError
from fusion.tiles.tile import Tile
from models.geomeld_fm import GeoMeldFM
from training.parts import geomeld_fm, load_weights
from training.recipe import GeoMeldModel
from training.text import caption_embeddings
from training.tile_schema import TileSchema

_TILES = 4
"""Tiles computed at once: more are no faster on CPUs, and their maps are large."""


class TileEncoder:
    """An exported GeoMeld-FM.

    Attributes:
        origin: Origin of the tiles it was trained on; say it wherever its features go.
        schema: What it knows of tiles.
        model: The network, in evaluation mode.
    """

    def __init__(self, run: Path) -> None:
        """Load a run.

        Args:
            run: Folder of a finished run.

        Raises:
            TrainingError: The run has no exported model, or one that is not of tiles or of an older
                architecture.
        """
        if not (run / "meta.json").is_file():
            raise TrainingError(
                "no finished model", file=str(run), remedy="run the training to its end"
            )
        described = json.loads((run / "model.json").read_text(encoding="utf-8"))
        if described["model"]["name"] != "geomeld_fm":
            raise TrainingError(
                "this model does not read tiles",
                file=str(run / "model.json"),
                samples=[described["model"]["name"]],
                remedy="give the run of a geomeld_fm recipe",
            )
        self.origin: str = described["origin"]
        self.schema = TileSchema.model_validate(described["schema"])
        part = GeoMeldModel.model_validate(described["model"])
        self.model: GeoMeldFM = geomeld_fm(part, self.schema)
        load_weights(self.model, run)
        self.model.eval()
        inputs = tuple(self.schema.modality(name) for name in part.inputs)
        self._read = self.schema.model_copy(update={"modalities": inputs})

    @torch.no_grad()
    def features(self, tiles: Iterable[Tile]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features of positions and of tiles, some tiles at a time.

        Args:
            tiles: Any number; only the modalities that the encoder reads are looked at.

        Yields:
            For the next n tiles (n, rows, columns, d) float32 of positions of patch / 8 pixels,
            the northern row first, and (n, d) of the tiles; see `GeoMeldFM.features`.
        """
        from training.tiles import encode

        for part in in_parts(tiles):
            maps, whole = self.model.features(encode(self._read, part))
            yield maps.permute(0, 2, 3, 1).numpy(), whole.numpy()

    @torch.no_grad()
    def beside_captions(self, pooled: np.ndarray) -> np.ndarray:
        """Unit vectors of tiles, to compare with those of captions.

        Args:
            pooled: (n, d) as `features` returns.

        Returns:
            (n, contrast width) float32.

        Raises:
            TrainingError: The model was trained without captions.
        """
        self._require_captions()
        return self.model.image_vectors(torch.from_numpy(pooled)).numpy()

    @torch.no_grad()
    def captions(self, captions: Sequence[str], cache: Path) -> np.ndarray:
        """Unit vectors of captions; their products with those of tiles say how well they agree.

        Args:
            captions: The sentences.
            cache: Folder where the sentence encoder's vectors are kept.

        Returns:
            (n, contrast width) float32.

        Raises:
            TrainingError: The model was trained without captions.
        """
        self._require_captions()
        embedded = torch.from_numpy(caption_embeddings(captions, cache))
        return self.model.text_vectors(embedded).numpy()

    def _require_captions(self) -> None:
        if not self.model.config.contrast_width:
            raise TrainingError(
                "the model was trained without captions",
                remedy="train a recipe whose model.contrast_width is not 0",
            )


def embed(run: Path, tiles: Iterable[Tile]) -> np.ndarray:
    """Features of tiles by a finished run.

    Args:
        run: Folder of a finished run.
        tiles: Any number.

    Returns:
        (n, d) float32, in the order of the tiles; see `GeoMeldFM.features`.

    Raises:
        TrainingError: The run has no exported model, or one that is not of tiles.
    """
    encoder = TileEncoder(run)
    found = [whole for _, whole in encoder.features(tiles)]
    return np.concatenate([np.zeros((0, encoder.model.encoder.pyramid_width), np.float32), *found])


def in_parts(tiles: Iterable[Tile]) -> Iterator[list[Tile]]:
    """As many tiles as are computed at once."""
    rest = iter(tiles)
    while part := list(islice(rest, _TILES)):
        yield part
