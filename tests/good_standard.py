"""A small good standard table, built by hand, for tests of the store and of the expectations."""

import datetime
import json
from pathlib import Path

import numpy as np
import polars as pl

from adapters.archive import RawVersion
from adapters.columns import ColumnRecord
from adapters.rules import no_flags
from adapters.spec import SourceSpec
from adapters.standardise import Standard

ROWS = 200


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
                _column("clay", unit="percent", basis="mass", minimum=0, maximum=100),
                _column("silt", unit="percent", basis="mass", minimum=0, maximum=100),
                _column("sand", unit="percent", basis="mass", minimum=0, maximum=100),
                _column("land_cover", kind="categorical", codebook="land_cover"),
                _column("note", kind="text", required=False),
                _column("spectrum", native="S{1..3}", minimum=0, maximum=3),
            ],
            "folder": folder,
        }
    )


def good_standard(folder: Path, source: str = "pits", redistribute: bool = True) -> Standard:
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
    return Standard(
        spec=spec,
        raw=RawVersion(source, "raw1", "user", "user", (), "2020-01-01T00:00:00+00:00"),
        version="v1",
        table=table,
        flags=no_flags(),
        columns=[
            ColumnRecord(
                name=c.name,
                kind=c.kind,
                quantity=c.quantity,
                method=c.method,
                unit=c.unit,
                native=c.native,
                native_unit=c.unit,
                scale=1.0,
                offset=0.0,
                transform=None,
                codebook=c.codebook,
                evidence=c.evidence,
                description=c.description,
            )
            for c in names.values()
        ],
    )


def commit(standard, settings, **more):
    """Behind the gate, as a version that stands in the archive."""
    from expectations.gate import commit_if_valid

    raw = standard.raw
    lock = settings.archive / raw.source / f"{raw.version}.lock.json"
    if not lock.is_file():
        lock.parent.mkdir(parents=True, exist_ok=True)
        said = {"origin": raw.origin, "group": raw.group, "edition": raw.edition, "files": []}
        lock.write_text(json.dumps({**said, "retrieved_at": raw.retrieved_at}))
    return commit_if_valid(standard, settings, **more)
