"""A store to which small sources are committed."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small_sources import place

from adapters.archive import RawVersion
from adapters.columns import ColumnRecord
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import Standard
from adapters.store import Store
from fusion.inputs import FLAG_SCHEMA, Source, sources

Commit = Callable[..., None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth", threads=2)


@pytest.fixture
def commit(settings: Settings) -> Commit:
    """Commit a stand-in of a standardised source."""

    def _commit(
        spec: SourceSpec,
        table: pl.DataFrame,
        flags: list[dict] | None = None,
        group: str = "synthetic",
        origin: str | None = None,
        version: str = "v1",
    ) -> None:
        raw = RawVersion(spec.id, "r1", origin or group, group, (), "2026-01-01")
        columns = [
            ColumnRecord(
                c.name, c.kind, c.quantity, c.method, c.unit, c.native, c.unit, 1.0, 0.0, None,
                c.codebook, c.evidence, c.description,
            )
            for c in spec.columns
        ]  # fmt: skip
        frame = table if spec.is_raster else place(table, origin or group)
        marks = pl.DataFrame(flags or [], schema=FLAG_SCHEMA)
        Store(settings).commit(Standard(spec, raw, version, frame, marks, columns), [[]])

    return _commit


@pytest.fixture
def load(settings: Settings) -> Callable[[str], Source]:
    return lambda id_: sources(Store(settings))[id_]
