"""How many bytes the twin takes, told before it is written.

Belongs here: an estimate from what the specifications list, and the refusal of what does not fit.
Never here: how many rows or pixels a size has.

The sizes of a number are upper bounds of what was measured at `full`. Pixels of the sea, and those
that repeat, take next to nothing; the estimate is on the safe side.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.errors import SettingsError
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, load_spec
from adapters.twin.pits import PHOTOGRAPHS
from adapters.twin.spectra import SCANNED
from adapters.twin.world import PIXELS

LIMIT = 10_000_000_000
"""Bytes that raw files, their archive and the standardised data may take together."""
# Bytes of a pixel by native format, and as standardised.
_PIXEL = {".tif": 1.0, ".nc": 1.0, ".asc": 7.5, ".rst": 4.0, "/": 5.5}
_STANDARD_PIXEL = 1.0
# Rows of one table, by support, and bytes of one number as text, as stored and as published.
_ROWS = {
    "tiny": {"point": 200, "polygon": 500, "region": 150, "none": 500},
    "demo": {"point": 1_500, "polygon": 2_000, "region": 150, "none": 2_000},
    "full": {"point": 22_500, "polygon": 20_000, "region": 150, "none": 20_000},
}
_TEXT, _STORED = 8.0, 16.0
_OUTLINE = 250.0
# Of a photograph as it is packed, which is stored once.
_PHOTOGRAPH = {"tiny": 20_000.0, "demo": 30_000.0, "full": 90_000.0}


@dataclass(frozen=True)
class Bytes:
    """What one or more sources take, in bytes.

    Attributes:
        raw: Native files; their archive takes as much again.
        standard: Standardised pixels, and tables with their published copy.
    """

    raw: float
    standard: float

    @property
    def whole(self) -> float:
        """Raw, archive and standardised."""
        return 2 * self.raw + self.standard


def estimate(sources: Iterable[str], size: str) -> Bytes:
    """What sources of the twin take at a size.

    Args:
        sources: Source ids.
        size: `tiny`, `demo` or `full`.
    """
    raw = standard = 0.0
    for source in sources:
        for piece in load_spec(source).pieces:
            for column in piece.columns:
                one, other = _column(piece, column, size)
                raw, standard = raw + one, standard + other
            if any(table.read.reader == "photographs" for table in piece.tables.values()):
                raw += PHOTOGRAPHS[size] * _PHOTOGRAPH[size]
            if piece.space.support == "polygon":
                outlines = _ROWS[size]["polygon"] * _OUTLINE
                raw, standard = raw + outlines, standard + 2 * outlines
    return Bytes(raw, standard)


def _column(spec: SourceSpec, column: Column, size: str) -> tuple[float, float]:
    """Bytes of one column, native and standardised."""
    elements = len(column.natives)
    if spec.is_raster:
        file = column.natives[0].partition("#")[0]
        kind = "/" if file.endswith("/") else f".{file.rpartition('.')[2].lower()}"
        pixels = elements * PIXELS[size]
        return pixels * _PIXEL[kind], pixels * _STANDARD_PIXEL
    # Thousands of columns are a spectrum, of which there are fewer.
    rows = SCANNED[size] if elements > 1000 else _ROWS[size][spec.space.support]
    return elements * rows * _TEXT, elements * rows * _STORED


def require_room(sizes: Mapping[str, str], settings: Settings) -> None:
    """Refuse to begin what would not fit.

    Args:
        sizes: Source that is to be written -> `tiny`, `demo` or `full`.
        settings: Where the data go.

    Raises:
        SettingsError: The sources would take more than LIMIT, or more than the disk has.
    """
    needed = sum(estimate([source], size).whole for source, size in sizes.items())
    settings.data_root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_root).free
    most, why = min((LIMIT, "that the twin may take"), (free, "that the disk has"))
    if needed > most:
        raise SettingsError(
            f"the twin needs about {needed / 1e9:.2f} GB for raw files, archive and "
            f"standardised data, more than the {most / 1e9:.2f} GB {why}",
            file=str(settings.data_root),
            remedy="choose a smaller size (twin_size), fewer sources, or a data_root on a larger "
            "disk",
        )
