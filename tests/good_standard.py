"""A small good standard table, built by hand, for tests of the store and of the expectations."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl

from adapters.spec import SourceSpec

ROWS = 200
FLAGS_SCHEMA = {
    "row_ref": pl.String,
    "column": pl.String,
    "flag": pl.String,
    "raw": pl.String,
    "value": pl.Float64,
    "detail": pl.String,
}


@dataclass(frozen=True)
class ColumnStandIn:
    name: str
    kind: str = "numeric"
    quantity: str | None = None
    method: str | None = None
    unit: str | None = None
    native: str = "X"
    native_unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    transform: str = "linear"
    codebook: str | None = None
    evidence: str = "verified"
    description: str = "a column"


@dataclass(frozen=True)
class StandardStandIn:
    spec: SourceSpec
    raw: SimpleNamespace
    version: str
    table: pl.DataFrame
    flags: pl.DataFrame
    columns: list[ColumnStandIn]


def _column(name: str, **more: object) -> dict[str, object]:
    numeric = {"kind": "numeric", "unit": "1"} if "kind" not in more else {}
    return {
        "name": name,
        "table": "horizons",
        "native": name.upper(),
        "evidence": "verified",
        "description": f"{name} of the horizon",
        **numeric,
        **more,
    }


def good_spec(folder: Path, source: str = "pits", redistribute: bool = True) -> SourceSpec:
    (folder / "codebooks").mkdir(parents=True, exist_ok=True)
    (folder / "codebooks" / "land_cover.csv").write_text("code,label\nA,arable\nB,forest\n")
    return SourceSpec.model_validate(
        {
            "id": source,
            "title": "Soil pits",
            "description": "Horizons of soil pits.",
            "modality": "profile",
            "origin": {
                "producer": "P",
                "page": "https://example.org",
                "citation": "P (2020)",
                "licence": {
                    "id": "CC-BY-4.0",
                    "redistribute": redistribute,
                    "attribution": "P, 2020",
                },
            },
            "access": {"kind": "manual", "instructions": "ask"},
            "tables": {"horizons": {"files": ["*.csv"], "read": {"reader": "csv"}}},
            "keys": ["pit", "horizon"],
            "space": {
                "support": "point",
                "crs": "EPSG:4326",
                "x": "easting",
                "y": "northing",
                "bounds": [-10, 35, 30, 70],
            },
            "depth": {"top": "top", "bottom": "bottom"},
            "time": {"start": "2009-01-01", "end": "2009-12-31"},
            "rules": [
                {"kind": "texture_sum", "columns": ["clay", "silt", "sand"], "tolerance": 2},
                {"kind": "depth_order", "profile": "pit"},
            ],
            "fuse": {"join": "none", "reason": "test"},
            "columns": [
                _column("pit", kind="text"),
                _column("horizon", kind="text"),
                _column("easting", unit="degree"),
                _column("northing", unit="degree"),
                _column("top", unit="cm"),
                _column("bottom", unit="cm"),
                _column("ph", minimum=2, maximum=11),
                _column("organic_carbon", minimum=0, maximum=600),
                _column("clay", minimum=0, maximum=100),
                _column("silt", minimum=0, maximum=100),
                _column("sand", minimum=0, maximum=100),
                _column("land_cover", kind="categorical", codebook="land_cover"),
                _column("note", kind="text", required=False),
                _column("spectrum", native="S{1..3}", minimum=0, maximum=3),
            ],
            "folder": folder,
        }
    )


def good_standard(folder: Path, source: str = "pits", redistribute: bool = True) -> StandardStandIn:
    """100 pits of two horizons, every value in order; deterministic."""
    rng = np.random.default_rng(1)
    spec = good_spec(folder, source, redistribute)
    clay, silt = rng.uniform(5, 45, ROWS).round(1), rng.uniform(5, 45, ROWS).round(1)
    lower = np.tile([False, True], ROWS // 2)
    longitude = np.repeat(rng.uniform(-5, 25, ROWS // 2), 2)
    latitude = np.repeat(rng.uniform(40, 65, ROWS // 2), 2)
    top, bottom = np.where(lower, 20.0, 0.0), np.where(lower, 50.0, 20.0)
    table = pl.DataFrame(
        {
            "row_ref": [f"pits.csv#{i + 2}" for i in range(ROWS)],
            "origin": ["user"] * ROWS,
            "longitude": longitude,
            "latitude": latitude,
            "position_uncertainty_m": [10.0] * ROWS,
            "depth_top": top,
            "depth_bottom": bottom,
            "date_start": [datetime.date(2009, 1, 1)] * ROWS,
            "date_end": [datetime.date(2009, 12, 31)] * ROWS,
            "pit": [f"P{i // 2}" for i in range(ROWS)],
            "horizon": np.where(lower, "B", "A"),
            "easting": longitude,
            "northing": latitude,
            "top": top,
            "bottom": bottom,
            "ph": rng.uniform(4, 8, ROWS).round(2),
            "organic_carbon": rng.uniform(5, 40, ROWS).round(1),
            "clay": clay,
            "silt": silt,
            "sand": (100 - clay - silt).round(1),
            "land_cover": np.where(np.arange(ROWS) % 3, "A", "B"),
            "note": pl.Series([None] * ROWS, dtype=pl.String),
            "spectrum": rng.uniform(0, 2, (ROWS, 3)),
        }
    ).with_columns(pl.col("spectrum").arr.to_list())
    names = {c.name: c for c in spec.columns}
    return StandardStandIn(
        spec=spec,
        raw=SimpleNamespace(source=source, version="raw1", origin="user", group="user", files=()),
        version="v1",
        table=table,
        flags=pl.DataFrame(schema=FLAGS_SCHEMA),
        columns=[
            ColumnStandIn(
                name=c.name,
                kind=c.kind,
                unit=c.unit,
                native=c.native,
                native_unit=c.unit,
                codebook=c.codebook,
                description=c.description,
            )
            for c in names.values()
        ],
    )
