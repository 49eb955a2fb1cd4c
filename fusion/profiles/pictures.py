"""How a photograph of a profile becomes a picture of one size, in which a row is a depth.

Belongs here: what of a photograph is soil, scale, cut and padding: the same for a set and for one
photograph that is to be described.
Never here: decoding files and finding what was taken out (`adapters.readers.photograph`), models.

Published photographs had sky and ruler taken out, which left black at their edges, and say nothing
of their scale. The rows in which soil is left reach from the surface to `shown_cm`; the published
targets rest on 100 cm. Pixels stay square, and the middle of the wall is kept.
"""

import numpy as np

from adapters.errors import FusionError
from fusion.profiles.store import DEPTH_CM, HEIGHT, WIDTH

LONGEST = 4 * HEIGHT
"""Length at which a photograph for a set is decoded at least, px: a large JPEG is opened at half, a
quarter or an eighth of its size, which still has several pixels for one of the picture."""
LEAST_SHARE = 0.1
"""A row or column with less soil than this share of it is left out, as a few pixels that were
missed when the ruler was taken out do not make the profile longer."""


def frame(kept: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a photograph that a picture is made of: from the surface down.

    Args:
        kept: (h, w) bool, where nothing was taken out.

    Raises:
        FusionError: Nothing of the photograph is soil.
    """
    rows = np.flatnonzero(kept.mean(axis=1) >= LEAST_SHARE)
    columns = np.flatnonzero(kept.mean(axis=0) >= LEAST_SHARE)
    if not len(rows) or not len(columns):
        raise FusionError(
            "nothing of the photograph is soil",
            where=f"{kept.shape[1]} x {kept.shape[0]} pixels",
            remedy="use a photograph in which more than black edges is left",
        )
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def picture(
    pixels: np.ndarray, kept: np.ndarray, shown_cm: float = DEPTH_CM
) -> tuple[np.ndarray, np.ndarray]:
    """Scale, cut and pad a photograph to the form of a set.

    Args:
        pixels: (h, w, 3) uint8, red, green, blue.
        kept: (h, w) bool, where nothing was taken out.
        shown_cm: Depth that the photograph reaches, from the surface.

    Returns:
        Picture (HEIGHT, WIDTH, 3) uint8 and where it is soil (HEIGHT, WIDTH) bool; HEIGHT rows are
        100 cm.

    Raises:
        FusionError: Nothing of the photograph is soil.
    """
    from PIL import Image

    cut = frame(kept)
    alpha = np.where(kept[cut], np.uint8(255), np.uint8(0))
    image = Image.fromarray(np.dstack([pixels[cut], alpha]), "RGBA")
    height = max(round(HEIGHT * shown_cm / DEPTH_CM), 1)
    width = max(round(image.width * height / image.height), 1)
    # Pillow weighs colours by alpha, so what was taken out does not darken its neighbours.
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    found = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    middle = scaled[:HEIGHT, max((width - WIDTH) // 2, 0) :][:, :WIDTH]
    left = (WIDTH - middle.shape[1]) // 2
    found[: len(middle), left : left + middle.shape[1]] = middle
    soil = found[..., 3] >= 128
    return np.where(soil[..., None], found[..., :3], np.uint8(0)), soil
