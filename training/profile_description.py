"""What is said of one photograph of a profile, as data.

Belongs here: the form of a description, as a dict for JSON and as a table. Never here: the model,
drawing; light to import.
"""

import datetime
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Candidate:
    """A code, and how sure the model is of it: a calibrated chance."""

    code: str
    confidence: float


@dataclass(frozen=True)
class Horizon:
    """A predicted horizon.

    Attributes:
        top_cm: Depth of its upper boundary.
        bottom_cm: Of its lower one.
        symbols: The likeliest, first.
        main: The likeliest main symbols: sums over the symbols below them.
        symbol_set: Symbols among which the true one is, at the level of the description; None where
            the model has seen too few profiles to say.
        stones_percent: By volume.
        properties: The likeliest code of each feature.
    """

    top_cm: float
    bottom_cm: float
    symbols: tuple[Candidate, ...]
    main: tuple[Candidate, ...]
    symbol_set: tuple[str, ...] | None
    stones_percent: float | None
    properties: dict[str, Candidate]


@dataclass(frozen=True)
class Description:
    """What a model says of a photograph.

    Attributes:
        photograph: Name of the file.
        longitude: In degrees; None where the place was not said.
        latitude: In degrees.
        date: Of the photograph.
        shown_cm: Depth that the photograph was taken to reach.
        horizons: From the surface down.
        boundary_within_cm: Distance to a true boundary, at the level; None where unknown.
        level: Of sets and distances.
        site_unknown: Facts of the site that the model asks for and was not told.
        unusual: Rarity among pictures of profiles: the share of those that no weight was fitted to
            which look at least as unlike the training pictures.
        unusual_of: How many such profiles there were.
        warnings: What speaks against believing the description.
        notes: What was done to the photograph, and what was not known.
        origin: Of the photographs that the model was trained on.
        model: Folder of its run.
    """

    photograph: str
    longitude: float | None
    latitude: float | None
    date: datetime.date | None
    shown_cm: float
    horizons: tuple[Horizon, ...]
    boundary_within_cm: float | None
    level: float
    site_unknown: tuple[str, ...]
    unusual: float
    unusual_of: int
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    origin: str
    model: str

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return json.loads(json.dumps(asdict(self), default=str))

    def table(self) -> pl.DataFrame:
        """One row a horizon: depths, the symbols with confidences, the properties."""
        rows = []
        for number, horizon in enumerate(self.horizons, start=1):
            row: dict[str, Any] = {
                "horizon": number,
                "top_cm": horizon.top_cm,
                "bottom_cm": horizon.bottom_cm,
            }
            for place, one in enumerate(horizon.symbols, start=1):
                row |= {f"symbol_{place}": one.code, f"confidence_{place}": one.confidence}
            if horizon.main:
                row |= {
                    "main_symbol": horizon.main[0].code,
                    "main_confidence": horizon.main[0].confidence,
                }
            if horizon.symbol_set is not None:
                row["symbol_set"] = " ".join(horizon.symbol_set)
            if horizon.stones_percent is not None:
                row["stones_percent"] = horizon.stones_percent
            for name, one in horizon.properties.items():
                row |= {name: one.code, f"{name}_confidence": one.confidence}
            rows.append(row | {"origin": self.origin})
        return pl.DataFrame(rows, infer_schema_length=None)


@dataclass(frozen=True, eq=False)
class Seen:
    """A photograph as it was described: what a drawing shows.

    Attributes:
        pixels: (h, w, 3) uint8, upright and cut: its rows reach from the surface to `shown_cm`.
        shown_cm: Depth of its lower edge.
    """

    pixels: np.ndarray
    shown_cm: float
