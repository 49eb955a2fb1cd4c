"""How a photograph of a profile becomes a picture of one size, in which a row is a depth.

Belongs here: what of a photograph is soil, scale, cut and padding: the same for a set and for one
photograph that is to be described.
Never here: decoding files (`adapters.readers.photographs`), what a model does with pictures.

Published photographs had sky and ruler taken out, which left black at their edges, and say nothing
of their scale. The rows in which soil is left reach from the surface to `shown_cm`; the published
targets rest on 100 cm. Pixels stay square, and the middle of the wall is kept.
"""

import numpy as np

from adapters.errors import FusionError
from fusion.profiles.store import DEPTH_CM, HEIGHT, WIDTH

BLACK = 16
"""Below that in all channels a pixel at the edge was taken out: JPEG leaves no exact black, and
soil is lighter (10YR 2/1, of the darkest peats, has about 45 in each channel)."""
LEAST_SHARE = 0.1
"""A row or column with less soil than this share of it is left out, as a few pixels that were
missed when the ruler was taken out do not make the profile longer."""


def kept(pixels: np.ndarray) -> np.ndarray:
    """Where a photograph still shows something: all but black that touches its edge.

    Args:
        pixels: (h, w, 3) uint8.

    Returns:
        (h, w) bool.
    """
    from scipy.ndimage import binary_opening, label

    black = (pixels < BLACK).all(axis=2)
    edge = np.zeros_like(black)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    # Padded, so that an opening does not eat the black along the edge itself.
    padded = np.pad(black, 1, mode="edge")
    opened = binary_opening(padded, np.ones((3, 3), bool), border_value=1)[1:-1, 1:-1]
    parts, _ = label(opened)
    touching = np.unique(parts[edge & opened])
    return ~np.isin(parts, touching[touching > 0])


def frame(keep: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a photograph that a picture is made of: from the surface down.

    Args:
        keep: (h, w) bool, where it shows soil.

    Raises:
        FusionError: Nothing of the photograph is soil.
    """
    rows = np.flatnonzero(keep.mean(axis=1) >= LEAST_SHARE)
    columns = np.flatnonzero(keep.mean(axis=0) >= LEAST_SHARE)
    if not len(rows) or not len(columns):
        raise FusionError(
            "nothing of the photograph is soil",
            where=f"{keep.shape[1]} x {keep.shape[0]} pixels",
            remedy="use a photograph in which more than black edges is left",
        )
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def picture(
    pixels: np.ndarray, keep: np.ndarray | None = None, shown_cm: float = DEPTH_CM
) -> tuple[np.ndarray, np.ndarray]:
    """Scale, cut and pad a photograph to the form of a set.

    Args:
        pixels: (h, w, 3) uint8, red, green, blue.
        keep: (h, w) bool, where it shows soil; by default what `kept` finds.
        shown_cm: Depth that the photograph reaches, from the surface.

    Returns:
        Picture (HEIGHT, WIDTH, 3) uint8 and where it is soil (HEIGHT, WIDTH) bool; HEIGHT rows are
        100 cm.

    Raises:
        FusionError: Nothing of the photograph is soil.
    """
    from PIL import Image

    keep = kept(pixels) if keep is None else keep
    cut = frame(keep)
    alpha = np.where(keep[cut], np.uint8(255), np.uint8(0))
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
