"""Layers with faults in single pixels, each on record.

Belongs here: altering pixels so that the source's plausible range must refuse them, and keeping the
truth beside them. Never here: faults of tables (`planting.py`), what a layer says, file formats.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from adapters.columns import column_range, convert
from adapters.spec import Column, SourceSpec
from adapters.twin.europe import Array
from adapters.twin.planting import Draft, wanted
from adapters.twin.world import Lattice, write_layers

RATE = 0.001
"""Share of the known pixels of a layer that a fault is planted in (one at least)."""
LEAKED_NODATA = -9999.0
"""What a program wrote for nodata, and no header declares."""


def write_with_faults(
    spec: SourceSpec,
    folder: Path,
    lattice: Lattice,
    values: Mapping[str, Array],
    faults: Mapping[str, str],
    **how: Any,  # noqa: ANN401
) -> Draft:
    """Write layers as `write_layers` does, some with faulty pixels.

    Args:
        spec: The source, or a piece of one.
        folder: Where the native files go.
        lattice: The grid of all these layers.
        values: Canonical column -> (h, w) or (elements, h, w) in the canonical unit.
        faults: Column of one layer -> `shifted_decimal` or `leaked_nodata`, in some of its pixels.
        how: Of `write_layers`.

    Returns:
        The faults; its rows are the layers, under their row references.
    """
    draw = lattice.world.stream(f"faults of {spec.id}")
    dtype = np.dtype(how.get("dtype", "float32"))
    layers = [native for column in spec.columns for native in column.natives]
    draft = Draft(spec.id, layers, {})
    faulty = {
        name: _altered(draft, spec, draw, spec.column(name), fault, values[name], dtype)
        for name, fault in faults.items()
    }
    write_layers(spec, folder, lattice, {**values, **faulty}, truth=values, **how)
    return draft


def _altered(
    draft: Draft,
    spec: SourceSpec,
    draw: np.random.Generator,
    column: Column,
    fault: str,
    layer: Array,
    dtype: np.dtype,
) -> Array:
    """A copy of the layer with faults that the pixels have room for, which are put on record."""
    scale = convert(spec, column).scale
    high = column_range(column)[1]
    altered = layer.copy()
    known = np.flatnonzero(np.isfinite(layer) & (layer > 0))
    for pixel in draw.choice(known, wanted(len(known), RATE), replace=False):
        value = layer.flat[pixel] / scale
        # The fewest places that take the number out of the column's range.
        places = int(np.floor(np.log10(high / value))) + 1
        written = LEAKED_NODATA if fault == "leaked_nodata" else value * 10.0**places
        if dtype.kind in "iu" and not np.iinfo(dtype).min <= written <= np.iinfo(dtype).max:
            continue
        altered.flat[pixel] = written * scale
        row = draft.keys.index(column.native)
        draft.record(row, column.name, fault, f"{value:g}", f"{written:g}", "out_of_range")
    return altered
