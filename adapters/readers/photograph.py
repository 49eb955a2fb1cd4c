"""One photograph of a soil profile: its pixels as upright 8-bit RGB, and whether they can be soil.

Belongs here: opening a picture by Pillow, what is converted on the way, what is refused; which
pixels were removed from it; whether its red and blue are exchanged.
Never here: which profile it is of, scaling to depth, anything a model learns.
"""

import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adapters.errors import ReadError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")
LARGEST = 80_000_000
"""Pixels of the largest picture that is opened: 240 MB in memory, and below Pillow's own limit."""
SMALLEST = 64
"""Pixels of the shortest side: over 100 cm of soil, one pixel for a centimetre and a half."""
_REMOVED_BELOW = 16
"""All channels below this are black: JPEG leaves a black area beside an edge not wholly black."""
_OPAQUE = 128
# A pixel has a colour if red and blue differ by this share of its brightness (sum of the three).
_COLOURED = 0.03
# Brightness (mean of the three, of 255) between which a colour can be told.
_DARK, _BRIGHT = 20, 245
# Coloured pixels, as a share of all that can be told, without which nothing is said; and the share
# of them that must be bluer than red for the channels to be called exchanged.
_ENOUGH, _BLUER = 0.1, 0.8
# So many pixels of each side are looked at.
_LOOKED_AT = 128
# Orientation tag of EXIF.
_ORIENTATION = 0x0112
# What Pillow raises on files with some of their bytes changed.
_DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError),
    *(struct.error, zlib.error),
)


@dataclass(frozen=True, eq=False)
class Photograph:
    """A picture as it can be shown and measured.

    Attributes:
        pixels: (h, w, 3) uint8, RGB, upright.
        kept: (h, w) bool: False where somebody removed what is no soil (black up to the edge of
            the picture, or transparent).
        format: Of the file, such as JPEG.
        mode: Of the stored pixels, by Pillow's names (RGB, CMYK, I;16 ...).
        width: Of the upright picture at its full size, px.
        height: Of the upright picture at its full size, px.
        converted: What was done to the stored pixels, one sentence each; empty where nothing was.
    """

    pixels: np.ndarray
    kept: np.ndarray
    format: str
    mode: str
    width: int
    height: int
    converted: tuple[str, ...]


@dataclass(frozen=True)
class ChannelEvidence:
    """What the colours of a picture say about the order of its channels.

    Attributes:
        coloured: Share of the pixels, neither dark nor bright, whose red and blue differ.
        bluer: Share of those that are bluer than red; NaN where there are none.
        swapped: Are red and blue exchanged?
    """

    coloured: float
    bluer: float
    swapped: bool

    def readable(self) -> str:
        """The evidence in words."""
        return (
            f"{self.bluer:.0%} of the coloured pixels ({self.coloured:.0%} of all) are bluer than "
            "they are red, which soil seldom is"
        )


def read_photograph(path: Path, longest: int | None = None) -> Photograph:
    """Open a picture as upright 8-bit RGB.

    The turn that EXIF asks for is made; grey, palette, CMYK (without its colour profile), 16-bit
    and transparent pictures are converted, and `converted` says so.

    Args:
        path: JPEG, PNG, TIFF, WebP or BMP.
        longest: Where a smaller picture will do, the least length of its longer side, px: a JPEG
            is then decoded at half, a quarter or an eighth of its size.

    Raises:
        ReadError: The file is missing, empty, no picture, of another format, cut short or damaged,
            has more than `LARGEST` pixels or a side below `SMALLEST`.
    """
    from PIL import Image, ImageOps

    if not path.is_file():
        raise ReadError("there is no such file", file=path.name, remedy="check the path")
    if path.stat().st_size == 0:
        raise ReadError("the file is empty", file=path.name, remedy="fetch the file again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path, str(error)) from error
    except _DAMAGED as error:
        raise _no_picture(path, error) from error
    with opened as image:
        _require_size(path, image)
        form, mode, rawmode = str(image.format), image.mode, _rawmode(image)
        size = image.size
        if longest is not None:
            scale = max(1, max(size) // longest)
            image.draft(None, (size[0] // scale, size[1] // scale))
        try:
            frames = getattr(image, "n_frames", 1)
            orientation = int(image.getexif().get(_ORIENTATION, 1))
            upright = ImageOps.exif_transpose(image)
        except _DAMAGED as error:
            raise ReadError(
                f"the picture is cut short or damaged: {error}",
                file=path.name,
                samples=[f"{form} {size[0]} x {size[1]}"],
                remedy="copy the file again from the camera or the publisher",
            ) from error
    said = []
    if orientation in range(2, 9):
        said.append(f"turned as EXIF orientation {orientation} asks")
    width, height = size[::-1] if orientation in range(5, 9) else size
    if frames > 1 and form != "MPO":
        said.append(f"the first of {frames} pictures in the file")
    pixels, opaque = _rgb(path, upright, rawmode, said)
    kept = ~removed(pixels)
    if opaque is not None:
        pixels = np.where(opaque[..., None], pixels, 0).astype(np.uint8)
        kept &= opaque
    return Photograph(pixels, kept, form, mode, width, height, tuple(said))


def removed(pixels: np.ndarray) -> np.ndarray:
    """Where something was taken out of a picture and painted black.

    Args:
        pixels: (h, w, 3) uint8.

    Returns:
        (h, w) bool: areas in which all channels are below 16, at least three pixels wide, that
        touch the edge of the picture. Dark soil inside of a picture is none.
    """
    from scipy import ndimage

    # Channel by channel: many times faster than over the last axis.
    red, green, blue = (pixels[..., i] < _REMOVED_BELOW for i in range(3))
    black = red & green & blue
    if not black.any():
        return black
    wide = ndimage.binary_opening(np.pad(black, 1, mode="edge"), np.ones((3, 3)))[1:-1, 1:-1]
    areas = np.zeros(wide.shape, dtype=np.int32)
    ndimage.label(wide, output=areas)
    at_edge = np.zeros(int(areas.max()) + 1, dtype=bool)
    for side in (areas[0], areas[-1], areas[:, 0], areas[:, -1]):
        at_edge[side] = True
    at_edge[0] = False
    return at_edge[areas]


def channels_swapped(pixels: np.ndarray, kept: np.ndarray | None = None) -> ChannelEvidence:
    """Were red and blue exchanged when the picture was saved?

    Soil colours are hues from red to yellow (Munsell 10R to 5Y), which have more red than blue, and
    so have roots and grass; the bluish greys of the GLEY pages have little colour, and stand below
    a brown topsoil. The rule: of the pixels that are neither dark nor bright, those are coloured
    whose red and blue differ by more than 3 % of the sum of their channels; the channels are
    exchanged if at least 10 % of the pixels are coloured and at least 80 % of those are bluer than
    they are red. A grey picture gives no evidence and is not called so.

    Args:
        pixels: (h, w, 3) uint8, RGB.
        kept: (h, w) bool: pixels to look at; all by default.
    """
    step = max(1, max(pixels.shape[:2]) // _LOOKED_AT)
    seen = pixels[::step, ::step].astype(np.int32).reshape(-1, 3)
    total = seen[:, 0] + seen[:, 1] + seen[:, 2]
    told = (total >= 3 * _DARK) & (total <= 3 * _BRIGHT)
    if kept is not None:
        told &= kept[::step, ::step].ravel()
    seen, total = seen[told], total[told]
    bluer_by = (seen[:, 2] - seen[:, 0]) / total
    coloured = np.abs(bluer_by) > _COLOURED
    share = float(coloured.mean()) if len(coloured) else 0.0
    bluer = float((bluer_by[coloured] > 0).mean()) if coloured.any() else float("nan")
    return ChannelEvidence(share, bluer, share >= _ENOUGH and bluer >= _BLUER)


def _rawmode(image: "ImageFile") -> str:
    """How the file packs its pixels: Pillow opens 16-bit colours as 8-bit ones without a word."""
    said = image.tile[0][3] if image.tile else ""
    return str(said[0] if isinstance(said, tuple) and said else said)


def _require_size(path: Path, image: "Image") -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise _too_large(path, f"{width} x {height} pixels")
    if min(width, height) < SMALLEST:
        raise ReadError(
            f"the picture is too small to show horizons: {width} x {height} pixels",
            file=path.name,
            remedy=f"hand in one whose sides have at least {SMALLEST} pixels",
        )


def _rgb(
    path: Path, image: "Image", rawmode: str, said: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """(h, w, 3) uint8 of an upright picture, and (h, w) where it is opaque, if it may not be."""
    if image.mode.startswith("I;16") or (image.mode == "I" and "16" in rawmode):
        said.append("16-bit grey brought to 8 bits, the same in all channels")
        grey = (np.asarray(image).astype(np.uint32) // 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2), None
    if image.mode in ("I", "F"):
        raise ReadError(
            f"the picture holds numbers (mode {image.mode}), not colours",
            file=path.name,
            remedy="save it as 8-bit RGB",
        )
    if "16" in rawmode:
        said.append("16 bits a channel brought to 8")
    opaque = None
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = rgba[..., 3] >= _OPAQUE
        if not opaque.all():
            said.append(f"{1 - opaque.mean():.1%} of the pixels are transparent and left out")
    names = {"CMYK": "CMYK to RGB, without its colour profile", "YCbCr": "YCbCr to RGB"}
    if image.mode in ("1", "L", "LA", "La"):
        said.append("grey, the same in all channels")
    elif image.mode in ("P", "PA"):
        said.append("colours of a palette to RGB")
    elif image.mode in names:
        said.append(names[image.mode])
    try:
        pixels = np.array(image.convert("RGB"))
    except ValueError as error:
        raise ReadError(
            f"pixels of mode {image.mode} have no known colours: {error}",
            file=path.name,
            remedy="save it as 8-bit RGB",
        ) from error
    return pixels, opaque


def _too_large(path: Path, size: str) -> ReadError:
    return ReadError(
        f"the picture is too large to be opened: {size}",
        file=path.name,
        where=f"limit {LARGEST:,} pixels",
        remedy="scale it down; a photograph of a profile needs no more than 4,000 pixels a side",
    )


def _no_picture(path: Path, error: Exception) -> ReadError:
    with path.open("rb") as handle:
        head = handle.read(12)
    if head[4:8] == b"ftyp":
        problem = "a HEIC or AVIF picture (or a film), which is not read"
    elif isinstance(error, OSError) and "identify" not in str(error):
        problem = f"the picture is cut short or damaged: {error}"
    else:
        problem = "no picture"
    return ReadError(
        problem,
        file=path.name,
        samples=[f"begins with {head!r}"],
        remedy=f"hand in one of {', '.join(FORMATS)}",
    )
