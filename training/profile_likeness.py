"""Is a picture like those that a model of profiles was trained on?

Belongs here: a distance by colours and contrasts, and the test for swapped channels.
Never here: the model, files, words for people.

The distance is Mahalanobis', with the covariance shrunk as Ledoit and Wolf (2004, doi
10.1016/S0047-259X(03)00096-4) do, from the mean of training pictures. What is usual is what
pictures of profiles show that no weight was fitted to (validation and calibration split): of n such
profiles, a picture of the same kind is farther than all of them in 1 of n + 1 cases.

It sees colours, their order in depth and their roughness, and nothing else. A sky, a lawn, a page
of print or another light is told; a brown wall, a heap of earth or a profile of other soils than
the training pictures' own may not be, and an unusual profile may be told wrongly.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

_SLICES = 4
"""Depth slices whose mean colour counts."""
_SHARES = (5, 50, 95)
"""Percentiles of the two chromaticities."""
_RARE = 0.01
"""Share of usual pictures that may be called unusual, where there are profiles enough."""
LEAST_PROFILES = 9
"""Below that one usual picture in ten would be called unusual, and nothing is said."""


class Likeness(BaseModel):
    """What training pictures look like, and how far other pictures of profiles are from them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    usual: tuple[float, ...]
    """Ascending distances, one a profile that no weight was fitted to: of its farthest picture."""

    def distance(self, looks: np.ndarray) -> np.ndarray:
        """(n, d) of `looks` -> (n,)."""
        centred = looks - np.array(self.mean)
        return np.sqrt(np.einsum("nd,de,ne->n", centred, np.array(self.precision), centred))

    def rarity(self, distance: float) -> float:
        """Share of usual pictures that are at least so far, counting this one; 1 is usual."""
        farther = len(self.usual) - int(np.searchsorted(self.usual, distance, side="left"))
        return (1 + farther) / (len(self.usual) + 1)

    @property
    def limit(self) -> float | None:
        """Rarity up to which a picture is called unusual; None with too few profiles to tell."""
        count = len(self.usual)
        return max(_RARE, 1 / (count + 1)) if count >= LEAST_PROFILES else None


def likeness(train: np.ndarray, held: Sequence[np.ndarray], profiles: np.ndarray) -> Likeness:
    """Learn what pictures look like.

    Args:
        train: (n, d) `looks` of training pictures.
        held: m times (d,) of pictures that no weight was fitted to.
        profiles: (m,) their profiles.
    """
    from sklearn.covariance import LedoitWolf

    mean, spread = train.mean(0), train.std(0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    shrunk = LedoitWolf(assume_centered=True).fit((train - mean) / scale)
    precision = shrunk.precision_ / np.outer(scale, scale)
    found = Likeness(mean=tuple(mean), precision=tuple(map(tuple, precision)), usual=())
    distance = found.distance(np.stack(held)) if held else np.zeros(0)
    farthest = [distance[profiles == name].max() for name in np.unique(profiles)]
    return found.model_copy(update={"usual": tuple(sorted(float(d) for d in farthest))})


def looks(picture: np.ndarray, soil: np.ndarray) -> np.ndarray:
    """(d,) what a picture looks like: colours by depth, their spread, roughness.

    Args:
        picture: (h, w, 3) uint8.
        soil: (h, w) bool, with any soil.
    """
    rgb = picture.astype(np.float64) / 255.0
    inside = rgb[soil]  # (pixels, 3)
    depth = np.nonzero(soil)[0]
    top, bottom = depth.min(), depth.max() + 1
    slices = np.minimum((depth - top) * _SLICES // (bottom - top), _SLICES - 1)
    share = np.bincount(slices, minlength=_SLICES)
    by_depth = np.stack([np.bincount(slices, c, _SLICES) for c in inside.T], 1)
    by_depth = np.where(
        share[:, None] > 0, by_depth / np.maximum(share, 1)[:, None], inside.mean(0)
    )
    total = inside.sum(1) + 1e-3
    red_blue = (inside[:, 0] - inside[:, 2]) / total
    green = (2 * inside[:, 1] - inside[:, 0] - inside[:, 2]) / total
    grey = rgb.mean(2)
    across = np.abs(np.diff(grey, axis=1))[soil[:, 1:] & soil[:, :-1]]
    down = np.abs(np.diff(grey, axis=0))[soil[1:] & soil[:-1]]
    return np.concatenate(
        [
            by_depth.ravel(),
            inside.std(0),
            np.percentile(red_blue, _SHARES),
            np.percentile(green, _SHARES),
            [across.mean() if across.size else 0.0, down.mean() if down.size else 0.0],
        ]
    )
