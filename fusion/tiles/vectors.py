"""Vectors of tiles: the soil and climate features of the sample that a tile is made around.

Belongs here: which features of a matrix become elements, and their terms.
Never here: making features, or pixels.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fusion.tiles.build import Vector

KEPT = (
    *("id", "title", "unit", "method", "depth", "period", "statistic", "sources", "licences"),
    *("redistribute", "share_alike", "attributions", "origin"),
)
"""What a set of tiles says of each element."""
_NO_FEATURES = ("position", "provenance")
"""Groups of quantities that tell where a sample is or who wrote it down."""


@dataclass(frozen=True)
class Features:
    """Vectors of samples.

    Attributes:
        origin: Of the matrix.
        vectors: Sample id -> `soil` and `climate` -> numbers; every sample has the same elements.
        dictionary: Modality -> records of its elements, in their order.
    """

    origin: str
    vectors: Mapping[str, Mapping[str, Vector]]
    dictionary: Mapping[str, tuple[dict[str, Any], ...]]


def of_matrix(folder: Path, samples: Collection[str]) -> Features:
    """Numeric features of some samples: one number each, known of at least one of them.

    Args:
        folder: Of a version of a matrix.
        samples: Sample ids.
    """
    described = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    matrix = pl.scan_parquet(folder / "matrix.parquet")
    schema = matrix.collect_schema()
    records = [
        record
        for record in described["features"]
        if schema[record["id"]] == pl.Float64 and record["group"] not in _NO_FEATURES
    ]
    rows = (
        matrix.select("sample_id", *(record["id"] for record in records))
        .filter(pl.col("sample_id").is_in(list(samples)))
        .collect()
    )
    known = [record for record in records if rows[record["id"]].count()]
    parts = {
        "soil": [record for record in known if record["group"] != "climate"],
        "climate": [record for record in known if record["group"] == "climate"],
    }
    parts = {modality: listed for modality, listed in parts.items() if listed}
    vectors: dict[str, dict[str, Vector]] = {sample: {} for sample in rows["sample_id"]}
    for modality, listed in parts.items():
        names = tuple(record["id"] for record in listed)
        licences = tuple(sorted({name for record in listed for name in record["licences"]}))
        numbers = rows.select(names).to_numpy()
        for sample, values in zip(rows["sample_id"], numbers, strict=True):
            vectors[sample][modality] = Vector(names, values, licences, described["origin"])
    dictionary = {
        modality: tuple({key: record[key] for key in KEPT} for record in listed)
        for modality, listed in parts.items()
    }
    return Features(described["origin"], vectors, dictionary)
