"""What a map makes of a true field: its smooth error, its coverage, pixels that say less.

Belongs here: how layers of predictions differ from the truth.
Never here: soil relations, faults that no publisher means (`pixel_faults.py`), files.
"""

from collections.abc import Sequence

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice

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


def stated(draft: Draft, layer: int, column: str, fault: str, flag: str, count: int) -> None:
    """Put pixels on record that the publisher writes as they are, and that must be flagged."""
    if count:
        draft.record(layer, column, fault, f"{count} pixels", f"{count} pixels", flag)
