"""Geomorphons: the landform of every pixel of a small elevation model.

Belongs here: the classification of Jasiewicz & Stepinski (2013), Geomorphons - a pattern
recognition approach to classification and mapping of landforms, Geomorphology 182, 147-156,
doi:10.1016/j.geomorph.2012.11.005. Never here: what is said about landforms.
"""

import numpy as np
from numpy.typing import NDArray

FORMS = (
    "flat",
    "peak",
    "ridge",
    "shoulder",
    "spur",
    "slope",
    "hollow",
    "footslope",
    "valley",
    "pit",
)
"""Landform of code 1 to 10; code 0 is unknown."""

SEARCH_CELLS, SKIP_CELLS, FLATNESS_DEGREES = 30, 1, 1.0
"""Radius in which lines of sight end (300 m at 10 m), what lies too near to count (the paper's
elevation models are smoother than their grid, as are these of 30 m on a grid of 10 m), and the
flatness threshold (the paper's 1 degree)."""

_DIRECTIONS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))

# Figure 4 of the paper: rows are how many of the eight directions lie lower (0 to 8), columns how
# many lie higher.
_TABLE = np.zeros((9, 9), np.uint8)
for _lower, _codes in enumerate(
    (
        (1, 1, 1, 8, 8, 9, 9, 9, 10),
        (1, 1, 8, 8, 8, 9, 9, 9),
        (1, 4, 6, 6, 7, 7, 9),
        (4, 4, 6, 6, 6, 7),
        (4, 4, 5, 6, 6),
        (3, 3, 5, 5),
        (3, 3, 3),
        (3, 3),
        (2,),
    )
):
    _TABLE[_lower, : len(_codes)] = _codes


def geomorphons(
    elevation: NDArray[np.floating],
    present: NDArray[np.bool_],
    cell: float,
    *,
    search: int = SEARCH_CELLS,
    skip: int = SKIP_CELLS,
    flatness: float = FLATNESS_DEGREES,
) -> NDArray[np.uint8]:
    """Landform code of every pixel.

    In each of eight directions the steepest line of sight up and the steepest one down are
    compared: their difference is a ternary digit, higher, level or lower within `flatness`, and
    how many digits are higher and lower gives the form. A line of sight ends at the search radius
    or at the edge, and looks past absent pixels.

    Args:
        elevation: (h, w) in m.
        present: (h, w); absent pixels are neither classified nor seen.
        cell: Size of a pixel in m.
        search: Radius in cells along a direction; diagonal steps count by their length.
        skip: Cells that are too near to count.
        flatness: Degrees.

    Returns:
        (h, w) codes of `FORMS`; 0 where the pixel is absent or a direction shows no pixel.
    """
    height, width = elevation.shape
    filled = np.where(present, elevation, np.nan).astype(np.float64)
    padded = np.full((height + 2 * search, width + 2 * search), np.nan)
    padded[search : search + height, search : search + width] = filled
    higher = np.zeros((height, width), np.intp)
    lower = np.zeros((height, width), np.intp)
    blind = ~present
    for down, right in _DIRECTIONS:
        length = float(np.hypot(down, right))
        up = np.full((height, width), -np.inf)
        fall = np.full((height, width), np.inf)
        for step in range(1, int(search / length) + 1):
            if step * length <= skip:
                continue
            row, column = search + step * down, search + step * right
            rise = padded[row : row + height, column : column + width] - filled
            tangent = rise / (step * length * cell)
            np.fmax(up, tangent, out=up)
            np.fmin(fall, tangent, out=fall)
        seen = np.isfinite(up)
        blind |= ~seen
        # Zenith and nadir angles are 90 degrees less the elevation and the depression angle.
        with np.errstate(invalid="ignore"):
            tilt = np.degrees(np.arctan(np.where(seen, up, 0.0)))
            tilt += np.degrees(np.arctan(np.where(seen, fall, 0.0)))
        higher += tilt > flatness
        lower += tilt < -flatness
    return np.where(blind, 0, _TABLE[lower, higher]).astype(np.uint8)
