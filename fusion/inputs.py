"""What fusion reads: the standardised sources of a group.

Belongs here: sources as the store or its published copy holds them, and the features that their
specifications declare.
Never here: raw files, or joining anything.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from adapters.errors import FusionError
from adapters.settings import Settings
from adapters.spec import SOURCES_DIR, Column, SourceSpec
from adapters.store import Tables, read_only


@dataclass(frozen=True)
class Source:
    """One standardised source as it was committed."""

    spec: SourceSpec
    version: str
    origin: str
    group: str
    crs: str | None
    units: dict[str, str | None]
    tables: Tables

    @property
    def id(self) -> str:
        """Source id."""
        return self.spec.id

    @cached_property
    def table(self) -> pl.DataFrame:
        """`std.<source>`.

        Raises:
            FusionError: The store describes the source but has no table of it.
        """
        table = self.tables.table(self.id)
        if table is None:
            raise FusionError(
                "described in the store, but its table is gone",
                source=self.id,
                remedy="materialise the source again",
            )
        return table

    @cached_property
    def flags(self) -> pl.DataFrame:
        """`std.<source>__flags`; empty where the source has none."""
        flags = self.tables.table(f"{self.id}__flags")
        return pl.DataFrame(schema=FLAG_SCHEMA) if flags is None else flags

    @cached_property
    def repeated(self) -> pl.Series:
        """`row_ref` of the rows that say again what another row says: they count once."""
        whole = (pl.col("flag") == "duplicate") & pl.col("column").is_null()
        return self.flags.filter(whole)["row_ref"]

    def load(self) -> None:
        """Read its table and flags now, while the store is open."""
        _ = self.table, self.flags

    @property
    def polygon_crs(self) -> str:
        """CRS of its polygons.

        Raises:
            FusionError: It states none.
        """
        if self.crs is None:
            raise FusionError(
                "its polygons have no CRS",
                source=self.id,
                remedy="set `space.crs` in source.yaml",
            )
        return self.crs

    @cached_property
    def features(self) -> list[Column]:
        """Columns that become features, in the order of `columns.csv`, each name once.

        The positions of a curve are features too, whatever `feature` says: values without the place
        on their axis mean nothing. Dates stand in the samples and are no features.
        """
        axes = {c.axis for c in self.spec.columns if c.feature}
        chosen: dict[str, Column] = {}
        for column in self.spec.columns:
            axis = column.name in axes and isinstance(self.table.schema.get(column.name), pl.List)
            if (column.feature or axis) and column.kind != "date":
                chosen.setdefault(column.name, column)
        present = set(self.table["column"].unique() if self.spec.is_raster else self.table.columns)
        return [column for name, column in chosen.items() if name in present]


FLAG_SCHEMA = {
    "row_ref": pl.String,
    "column": pl.String,
    "flag": pl.String,
    "raw": pl.String,
    "value": pl.Float64,
    "detail": pl.String,
}


def sources(tables: Tables, group: str | None = None) -> dict[str, Source]:
    """Standardised sources by id, in the order of their ids.

    Args:
        tables: The open store or published copy. What a source holds is read when it is asked for,
            so while it is open.
        group: Only sources of that origin group.
    """
    described, columns = tables.meta("source"), tables.meta("column")
    if described is None or columns is None:
        return {}
    if group is not None:
        described = described.filter(pl.col("group_name") == group)
    units: dict[str, dict[str, str | None]] = {}
    for source, name, unit in columns.select("source", "name", "unit").iter_rows():
        units.setdefault(source, {}).setdefault(name, unit)
    return {
        row["source"]: Source(
            _committed_spec(row["spec"], row["source"]),
            row["version"],
            row["origin"],
            row["group_name"],
            row["crs"],
            units.get(row["source"], {}),
            tables,
        )
        for row in described.sort("source").iter_rows(named=True)
    }


@functools.cache
def _committed_spec(text: str, source: str) -> SourceSpec:
    """The specification that a source was committed with. Each step of a run asks for all."""
    folder = SOURCES_DIR / source.partition("__")[0]
    return SourceSpec.model_validate({**json.loads(text), "folder": folder})


@contextmanager
def published(settings: Settings) -> Iterator[Tables]:
    """The published copy of the store, open for reading.

    Raises:
        StoreError: Nothing is published.
    """
    connection = read_only(settings)
    try:
        yield Tables(connection)
    finally:
        connection.close()
