"""Soil profiles in standard layers: each profile source splined to the same depths.

Belongs here: which columns are splined, within which limits, and the table of layers.
Never here: the spline itself (`spline.py`), or bringing profiles to samples (`align.py`).
"""

from pathlib import Path

import numpy as np
import polars as pl

from adapters.errors import FusionError
from adapters.quantities import quantity
from adapters.settings import Settings
from adapters.spec import DepthOrder
from adapters.store import Store, new_file
from fusion.inputs import Source, sources
from fusion.spline import STANDARD_DEPTHS, mass_preserving_spline

_SPLINED = ("value", "mean", "median")  # a spread or a percentile of a horizon is no mass


def standard_layers(source: Source) -> pl.DataFrame:
    """Layer means of every numeric feature that each horizon of the source holds.

    Properties of the whole profile (its area, its depth to bedrock) are the same in all its
    horizons or join from another table; only columns of the table of horizons are splined.

    Args:
        source: A source whose specification has the rule `depth_order`.

    Returns:
        `profile, depth_top, depth_bottom` (cm) and a column a feature, in canonical units: one row
        a profile and standard layer that at least one feature reaches.
    """
    profile = next(r.profile for r in source.spec.rules if isinstance(r, DepthOrder))
    base = next(name for name, t in source.spec.tables.items() if t.compose == "rows")
    table = source.table.filter(pl.col(profile).is_not_null())
    names = table[profile].to_numpy()
    limits = np.array(STANDARD_DEPTHS)
    profiles = np.unique(names)
    layers = {
        "profile": np.repeat(profiles, len(limits) - 1),
        "depth_top": np.tile(limits[:-1], len(profiles)),
        "depth_bottom": np.tile(limits[1:], len(profiles)),
    }
    features = []
    for column in source.features:
        if column.kind != "numeric" or column.table != base or column.statistic not in _SPLINED:
            continue
        known = quantity(column.quantity) if column.quantity else None
        features.append(column.name)
        layers[column.name] = mass_preserving_spline(
            names,
            table["depth_top"].to_numpy(),
            table["depth_bottom"].to_numpy(),
            table[column.name].cast(pl.Float64).to_numpy(),
            low=-np.inf if known is None or known.minimum is None else known.minimum,
            high=np.inf if known is None or known.maximum is None else known.maximum,
            average="exact",
        ).ravel()
    frame = pl.DataFrame(layers).with_columns(pl.col(features).fill_nan(None))
    return frame.filter(~pl.all_horizontal(pl.col(features).is_null()))


def write_standard_layers(settings: Settings, source: str) -> Path:
    """Standard layers of one profile source, of whichever group it stands in.

    Returns:
        `data/layers/<source>.parquet`.

    Raises:
        FusionError: The source is not in the store.
    """
    with Store(settings).reading(f"layers of {source}") as tables:
        present = sources(tables)
        if source not in present:
            raise FusionError(
                "is not standardised yet",
                source=source,
                remedy="standardise it first: `soilmeld run`",
            )
        present[source].load()
    path = settings.data_root / "layers" / f"{source}.parquet"
    with new_file(path) as part:
        standard_layers(present[source]).write_parquet(part)
    return path
