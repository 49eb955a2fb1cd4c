"""What a model must know of the profiles it was trained on.

Belongs here: inputs with their statistics and codes, classes, labels with their vectors; it travels
with the exported model. Never here: reading profile sets, torch.
"""

from pydantic import BaseModel, ConfigDict

PLACE_NUMBERS = ("longitude", "latitude", "year")
"""Numbers that every photograph can have."""
PLACE_CODES = ("month",)
"""Codes that every photograph can have."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SiteNumber(_Part):
    """A number of the site, with its statistics over the profiles of the training split."""

    name: str
    mean: float
    std: float


class SiteCode(_Part):
    """A code of the site, with those that the training split has."""

    name: str
    codes: tuple[str, ...]


class PropertyClass(_Part):
    """A property of horizons that is a code, in the order of its codebook."""

    name: str
    codes: tuple[str, ...]
    ordinal: bool


class ProfileSchema(_Part):
    """All that goes into the model and comes out of it."""

    height: int
    """Pixels of a picture, which reaches `depth_cm` down."""
    width: int
    depth_cm: float
    channel_mean: tuple[float, float, float]
    """Red, green, blue in 0..255, over soil of the training split."""
    channel_std: tuple[float, float, float]
    numbers: tuple[SiteNumber, ...]
    codes: tuple[SiteCode, ...]
    classes: tuple[PropertyClass, ...]
    labels: tuple[str, ...]
    embedding: tuple[tuple[float, ...], ...]
    """(labels, d) unit vectors: inner products are similarities in the tree of symbols."""
    stands_for: dict[str, str]
    """Symbols of the training split too rare to be labels -> the label they count as."""
    horizons: int
    """The most that a profile can have."""
