"""What a model must know of the tiles it was trained on.

Belongs here: modalities with their bands, statistics and codes; it travels with the exported model.
Never here: reading tiles, torch.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class TileModality(BaseModel):
    """One modality of a tile as the model takes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["map", "classes", "vector"]
    bands: tuple[str, ...]
    """Bands of a map, elements of a vector, the one layer of classes."""
    size: int | None
    """Pixels an edge; None for a vector."""
    mean: tuple[float, ...] = ()
    """By band, of the training split; none for classes."""
    std: tuple[float, ...] = ()
    codes: tuple[int, ...] = ()
    """Classes: code of each position."""
    labels: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Numbers a pixel (codes for classes), or of the whole vector."""
        return len(self.codes) if self.kind == "classes" else len(self.bands)


class TileSchema(BaseModel):
    """All modalities of a tile set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modalities: tuple[TileModality, ...]
    patch: int
    """Edge of a patch in pixels of the input."""
    caption_width: int
    """Length of a caption's embedding; 0: no captions."""

    def modality(self, name: str) -> TileModality:
        """The modality of this name.

        Raises:
            KeyError: There is none.
        """
        found = {modality.id: modality for modality in self.modalities}
        if name not in found:
            raise KeyError(f"no modality {name!r}; available={list(found)}")
        return found[name]
