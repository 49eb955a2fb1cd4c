"""Sums and means of a field over the invented NUTS 2 regions.

Belongs here: what a regional source needs of a lattice. Never here: outlines (`regions.py`), what
the values mean.
"""

import numpy as np

from adapters.twin.europe import COUNTRIES, Array, Europe
from adapters.twin.world import Lattice

_NOT_EU = "CH"


def union_regions(europe: Europe) -> np.ndarray:
    """Indexes of the regions of the Union (and of the United Kingdom)."""
    return np.flatnonzero([COUNTRIES[c][0] != _NOT_EU for c in europe.regions.country])


def region_sums(lattice: Lattice, values: Array) -> tuple[Array, Array]:
    """Sum of the values (h, w) in each region, and how many cells have one; (regions,) each."""
    known = lattice.land & np.isfinite(values)
    where = lattice.place["region"][known]
    count = len(lattice.world.europe.regions.code)
    sums = np.bincount(where, weights=values[known], minlength=count).astype(float)
    return sums, np.bincount(where, minlength=count).astype(float)


def region_means(lattice: Lattice, values: Array) -> dict[str, float]:
    """NUTS 2 code -> mean of the values; the regions of the Union that have any."""
    sums, cells = region_sums(lattice, values)
    europe = lattice.world.europe
    codes = europe.regions.code
    return {str(codes[i]): float(sums[i] / cells[i]) for i in union_regions(europe) if cells[i]}
