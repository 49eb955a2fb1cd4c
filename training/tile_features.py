"""Features of tiles, from an exported run.

Belongs here: inference. Never here: DeepSpeed, Dagster, anything of training; how good the features
are.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from adapters.errors import TrainingError
from fusion.tiles.tile import Tile
from models.geomeld_fm import GeoMeldFM
from training.parts import geomeld_fm
from training.recipe import GeoMeldModel
from training.text import caption_embeddings
from training.tile_schema import TileSchema

_TILES = 32
"""Tiles computed at once."""


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
            TrainingError: The run has no exported model, or one that is not of tiles.
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
        self.model.load_state_dict(load_file(run / "model.safetensors"))
        self.model.eval()
        inputs = tuple(self.schema.modality(name) for name in part.inputs)
        self._read = self.schema.model_copy(update={"modalities": inputs})

    @torch.no_grad()
    def features(self, tiles: Iterable[Tile]) -> tuple[np.ndarray, np.ndarray]:
        """Features of patches and of tiles.

        Args:
            tiles: Any number; only the modalities that the encoder reads are looked at.

        Returns:
            (n, rows, columns, width) float32 of the patches, the northern row first, and
            (n, width) of the tiles: the mean over patches with any value.
        """
        from training.tiles import encode

        rest, patches, pooled = iter(tiles), [], []
        columns, width = self.model.columns, self.model.encoder.width
        while part := list(islice(rest, _TILES)):
            tokens, whole = self.model.features(encode(self._read, part))
            patches.append(tokens.numpy().reshape(len(part), -1, columns, width))
            pooled.append(whole.numpy())
        if not patches:
            return np.zeros((0, columns, columns, width), np.float32), np.zeros(
                (0, width), np.float32
            )
        return np.concatenate(patches), np.concatenate(pooled)

    @torch.no_grad()
    def beside_captions(self, pooled: np.ndarray) -> np.ndarray:
        """Unit vectors of tiles, to compare with those of captions.

        Args:
            pooled: (n, width) as `features` returns.

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
        (n, width) float32, in the order of the tiles.

    Raises:
        TrainingError: The run has no exported model, or one that is not of tiles.
    """
    return TileEncoder(run).features(tiles)[1]
