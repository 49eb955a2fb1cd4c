"""Classes of climate, by which places between samples are balanced as land is by its biomes.

Belongs here: the class of twelve months, and the classes around a group's samples.
Never here: choosing places (`places.py`, `sites.py`), climate as a feature (`vectors.py`).

A map of biomes is in none of the sources. Köppen drew his classes where vegetation changes, and
they follow from temperature and precipitation by published thresholds; so they stand for biomes
here, and are called what they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from adapters.quantities import quantity
from fusion.sphere import nearest

UNKNOWN = "unknown"
"""Class of a place without a sample near it whose climate is known."""
NEAR_M = 25_000.0
"""How far a sample's climate holds: LUCAS sites lie some 15 km apart."""
_QUANTITIES = {"air_temperature": "degC", "precipitation": "mm"}
_WARM = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0], bool)
"""April to September, the summer half north of the equator."""


@dataclass(frozen=True)
class Climates:
    """Classes at samples: (n,) longitude and latitude in degrees, and n classes."""

    longitude: np.ndarray
    latitude: np.ndarray
    classes: tuple[str, ...]

    def at(self, longitude: np.ndarray, latitude: np.ndarray) -> list[str]:
        """Class of the nearest sample of each place; `UNKNOWN` beyond `NEAR_M`.

        Args:
            longitude: (m,) degrees.
            latitude: (m,) degrees.
        """
        found, _ = nearest(longitude, latitude, self.longitude, self.latitude, NEAR_M)
        return [self.classes[i] if i >= 0 else UNKNOWN for i in found.tolist()]


def of_samples(matrix: Path, samples: pl.DataFrame) -> Climates | None:
    """Classes of the samples whose row of the matrix has temperature and precipitation by month.

    Args:
        matrix: Folder of a version of a matrix.
        samples: Its `samples.parquet`: `sample_id, longitude, latitude`.

    Returns:
        None where no source tells the months of both.
    """
    described = json.loads((matrix / "dictionary.json").read_text(encoding="utf-8"))
    pair = _monthly(described["features"])
    if pair is None:
        return None
    rows = (
        pl.read_parquet(matrix / "matrix.parquet", columns=["sample_id", *pair])
        .join(samples.select("sample_id", "longitude", "latitude"), on="sample_id")
        .drop_nulls()
        .sort("sample_id")
    )
    months = [np.array(rows[name].to_list(), float).reshape(-1, 12) for name in pair]
    whole = ~np.isnan(np.hstack(months)).any(axis=1)
    if not whole.any():
        return None
    classes = [koppen_geiger(t, p) for t, p in zip(*(m[whole] for m in months), strict=True)]
    longitude, latitude = (rows[name].to_numpy()[whole] for name in ("longitude", "latitude"))
    return Climates(longitude, latitude, tuple(classes))


def _monthly(features: list[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Features with twelve months of temperature and precipitation, of one source."""
    found: dict[str, dict[str, str]] = {name: {} for name in _QUANTITIES}
    for record in features:
        if record.get("axis") != "month" or record.get("array_length") != 12:
            continue
        for name, unit in _QUANTITIES.items():
            # A title is that of the quantity, with the method in brackets.
            if (record["title"].partition(" (")[0], record["unit"]) == (quantity(name).title, unit):
                found[name].setdefault(",".join(record["sources"]), record["id"])
    warmth, rain = found.values()
    return next(((warmth[source], rain[source]) for source in warmth if source in rain), None)


def koppen_geiger(temperature: np.ndarray, precipitation: np.ndarray) -> str:
    """Class of Köppen and Geiger, such as Cfb.

    Criteria: Peel et al. 2007, doi 10.5194/hess-11-1633-2007, table 1. Polar before arid climates,
    and these before all others: Kottek et al. 2006, doi 10.1127/0941-2948/2006/0130.

    Args:
        temperature: (12,) mean of each month from January on, degC.
        precipitation: (12,) sum of each month, mm.
    """
    hot, cold, mean = temperature.max(), temperature.min(), temperature.mean()
    if hot <= 10.0:
        return "ET" if hot > 0.0 else "EF"
    summer = _WARM if temperature[_WARM].mean() >= temperature[~_WARM].mean() else ~_WARM
    in_summer, in_winter, total = precipitation[summer], precipitation[~summer], precipitation.sum()
    added = 14.0
    if in_winter.sum() >= 0.7 * total:
        added = 0.0
    elif in_summer.sum() >= 0.7 * total:
        added = 28.0
    threshold = 2.0 * mean + added
    if total < 10.0 * threshold:
        return ("BW" if total < 5.0 * threshold else "BS") + ("h" if mean >= 18.0 else "k")
    if cold >= 18.0:
        driest = precipitation.min()
        return "Af" if driest >= 60.0 else "Am" if driest >= 100.0 - total / 25.0 else "Aw"
    course = "f"
    if in_summer.min() < 40.0 and in_summer.min() < in_winter.max() / 3.0:
        course = "s"
    elif in_winter.min() < in_summer.max() / 10.0:
        course = "w"
    if hot >= 22.0:
        warmth = "a"
    elif (temperature > 10.0).sum() >= 4:
        warmth = "b"
    else:
        warmth = "d" if cold < -38.0 else "c"
    return ("C" if cold > 0.0 else "D") + course + warmth
