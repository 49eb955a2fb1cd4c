"""What a map makes of a true field: its smooth error, its coverage, faults in single pixels.

Belongs here: how layers of predictions differ from the truth. Never here: soil relations, files.
"""

from collections.abc import Callable, Sequence

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.world import Lattice

FAULTY_SHARE = 0.001
"""Share of the pixels of a layer that a fault is planted in (one at least)."""
_ERROR_KM = 60


def predicted(
    lattice: Lattice, name: str, truth: Array, relative: float = 0.0, absolute: float = 0.0
) -> Array:
    """The truth with the error of a prediction, which is alike nearby.

    Args:
        lattice: The grid.
        name: Of the error; layers of one name err alike.
        truth: (h, w).
        relative: Standard deviation of the logarithm.
        absolute: Standard deviation, in the unit of the truth.
    """
    error = lattice.world.europe.field(f"map of {name}", _ERROR_KM, lattice.x, lattice.y)
    return truth * np.exp(relative * error) + absolute * error


def covered(lattice: Lattice, values: Array, without: Sequence[str] = ()) -> Array:
    """Values on land, NaN elsewhere and in the countries that a map leaves out."""
    return np.where(lattice.land & ~np.isin(lattice.country, without), values, np.nan)


def misread(
    draw: np.random.Generator, values: Array, alter: Callable[[Array], Array | float]
) -> Array:
    """A copy in which `alter` changed a few known pixels."""
    known = np.flatnonzero(np.isfinite(values))
    chosen = draw.choice(known, max(1, round(FAULTY_SHARE * len(known))), replace=False)
    faulty = values.copy()
    faulty.flat[chosen] = alter(values.flat[chosen])
    return faulty
