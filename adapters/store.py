"""The DuckDB store: one validated table and one flags table a source, and the published copy.

Belongs here: opening the store with its limits, the one short write transaction, the read-only
copy that readers open, and the data package that describes it.
Never here: reading raw files, deciding whether data are good, or anything about features.

DuckDB has one writer, and a writer in one process locks out even readers in others. So a commit
holds a file lock only for the moment it writes, and readers never open the store: they open the
published copy, which is replaced by rename and therefore never locked.
"""

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import filelock
import polars as pl

from adapters.errors import LicenceError, StoreError
from adapters.settings import Settings

if TYPE_CHECKING:
    from adapters.standardise import Standard

SCHEMA_VERSION = 1

_META = """
create schema if not exists std;
create schema if not exists meta;
create table if not exists meta.schema_version (version integer primary key);
create table if not exists meta.source (
    source varchar, version varchar, raw_version varchar, origin varchar, group_name varchar,
    title varchar, licence varchar, redistribute boolean, share_alike boolean,
    attribution varchar, rows bigint, flags bigint, crs varchar, committed_at timestamptz,
    spec json);
create table if not exists meta."column" (
    source varchar, name varchar, kind varchar, quantity varchar, method varchar, unit varchar,
    native varchar, native_unit varchar, scale double, "offset" double, transform varchar,
    codebook varchar, evidence varchar, description varchar);
create table if not exists meta.check_result (
    source varchar, version varchar, expectation varchar, "column" varchar, success boolean,
    blocking boolean, observed varchar, detail varchar, checked_at timestamptz);
"""
# Columns of every standard table that no source declares: unit, description.
_FIXED_FIELDS = {
    "row_ref": (None, "Where the row stands in the raw files: file#row or file!sheet#row."),
    "origin": (None, "synthetic, open or user."),
    "longitude": ("degree", "EPSG:4326; empty where there is no trustworthy position."),
    "latitude": ("degree", "EPSG:4326; empty where there is no trustworthy position."),
    "position_uncertainty_m": ("m", "Positional uncertainty, 1 standard deviation."),
    "depth_top": ("cm", "Below the soil surface; empty where faulty."),
    "depth_bottom": ("cm", "Below the soil surface; empty where faulty."),
    "date_start": (None, "First day for which the row holds."),
    "date_end": (None, "Last day for which the row holds."),
    "geometry": (None, "WKB in the CRS of the source."),
}
_FRICTIONLESS_TYPES = {
    "VARCHAR": "string",
    "DOUBLE": "number",
    "FLOAT": "number",
    "DATE": "date",
    "BOOLEAN": "boolean",
    "BLOB": "string",
}
_COLUMN_FIELDS = (
    "name",
    "kind",
    "quantity",
    "method",
    "unit",
    "native",
    "native_unit",
    "scale",
    "offset",
    "transform",
    "codebook",
    "evidence",
    "description",
)


class Check(Protocol):
    """What the store keeps of one check; `expectations.engine.CheckResult` is one."""

    @property
    def expectation(self) -> str: ...  # noqa: D102
    @property
    def column(self) -> str | None: ...  # noqa: D102
    @property
    def success(self) -> bool: ...  # noqa: D102
    @property
    def blocking(self) -> bool: ...  # noqa: D102
    @property
    def observed(self) -> str: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Tables:
    """An open store or published copy; without a connection, one that was never written."""

    connection: duckdb.DuckDBPyConnection | None

    def table(self, name: str) -> pl.DataFrame | None:
        """One table of schema `std`; None where there is none.

        Args:
            name: A source id, or `<source id>__flags`.
        """
        if (
            self.connection is None
            or not self.connection.execute(
                "select 1 from duckdb_tables() where schema_name = 'std' and table_name = ?", [name]
            ).fetchone()
        ):
            return None
        return self.connection.execute(f'from std."{name}"').pl()

    def meta(self, name: str, source: str | None = None) -> pl.DataFrame | None:
        """Rows of one `meta` table, of one source or of all; None where there is no store."""
        if self.connection is None:
            return None
        if source is None:
            return self.connection.execute(f'from meta."{name}" order by source').pl()
        return self.connection.execute(f'from meta."{name}" where source = ?', [source]).pl()


@dataclass(frozen=True)
class Store:
    """The DuckDB file that steps commit to."""

    settings: Settings

    def commit(self, standard: "Standard", checks: Sequence[Iterable[Check]]) -> None:
        """Replace the tables and the description of one source, all its parts or nothing.

        Args:
            standard: The source.
            checks: What was checked of each of its pieces.

        Raises:
            StoreError: The lock is not free in time, or the store cannot be opened.
        """
        source = standard.spec.id
        now = datetime.now(UTC)
        tables = [_list_columns(piece.table) for piece in standard.pieces]
        self.settings.store.parent.mkdir(parents=True, exist_ok=True)
        with self._lock(f"commit of {source}"), self._open() as connection:
            connection.execute("begin")
            # Parts of the last version that this one lacks go with it.
            _drop(connection, source)
            for piece, table, found in zip(standard.pieces, tables, checks, strict=True):
                _insert_piece(connection, piece, table, found, now)
            connection.execute("commit")

    def publish(self) -> Path:
        """Make the read-only copy anew and swap it in; open readers keep the one they have.

        Returns:
            The published file.

        Raises:
            StoreError: There is no store yet, or its lock is not free in time.
        """
        if not self.settings.store.is_file():
            raise StoreError(
                "nothing to publish: there is no store",
                file=str(self.settings.store),
                remedy="materialise a source first, for instance with `soilmeld run`",
            )
        published = self.settings.published / self.settings.store.name
        with new_file(published) as copy, self._lock("publish"):
            # Opening replays what a killed writer left in the log and closing checkpoints it, so
            # that the file alone is the whole store.
            with self._open() as connection:
                connection.execute("checkpoint")
            shutil.copyfile(self.settings.store, copy)
        return published

    @contextlib.contextmanager
    def reading(self, step: str) -> Iterator["Tables"]:
        """Hold the store open to read several tables: opening it takes longer than reading one.

        Other writers wait meanwhile, so compute outside of it.

        Args:
            step: What is done, for the message to those who wait.

        Raises:
            StoreError: The lock is not free in time, or the store cannot be opened.
        """
        if not self.settings.store.is_file():
            yield Tables(None)
            return
        with self._lock(step), self._open() as connection:
            yield Tables(connection)

    def table(self, name: str) -> pl.DataFrame | None:
        """One table of schema `std` as it was last committed; see `Tables.table`.

        Raises:
            StoreError: The lock is not free in time, or the store cannot be opened.
        """
        with self.reading(f"reading {name}") as tables:
            return tables.table(name)

    def meta(self, name: str, source: str | None = None) -> pl.DataFrame | None:
        """Rows of one `meta` table; see `Tables.meta`.

        Raises:
            StoreError: The lock is not free in time, or the store cannot be opened.
        """
        with self.reading(f"reading meta of {source or 'all sources'}") as tables:
            return tables.meta(name, source)

    @contextlib.contextmanager
    def _open(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = _connect(self.settings.store, self.settings, read_only=False)
        try:
            # Empty also where a first writer was killed before it laid the tables.
            if not connection.execute("select 1 from duckdb_tables()").fetchone():
                connection.execute("begin")
                connection.execute(_META)
                connection.execute("insert into meta.schema_version values (?)", [SCHEMA_VERSION])
                connection.execute("commit")
            _check_schema_version(connection, self.settings.store)
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def _lock(self, step: str) -> Iterator[None]:
        lock = filelock.FileLock(f"{self.settings.store}.lock", self.settings.lock_timeout_s)
        holder = Path(f"{self.settings.store}.holder.json")
        try:
            lock.acquire(poll_interval=0.02)
        except filelock.Timeout as error:
            raise StoreError(
                f"the store stayed locked for {self.settings.lock_timeout_s:g} s by "
                f"{_read_holder(holder)}",
                file=str(self.settings.store),
                where=step,
                remedy="wait for that process or end it, or raise lock_timeout_s in soilmeld.toml",
            ) from error
        try:
            _write_holder(holder, step)
            yield
        finally:
            lock.release()


def _drop(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Remove the tables and the description of a source and its parts."""
    own = "(source = $1 or starts_with(source, $1 || '__'))"
    last = connection.execute(f"select source from meta.source where {own}", [source]).fetchall()
    for (piece,) in last:
        for name in (piece, f"{piece}__flags"):
            connection.execute(f'drop table if exists std."{name}"')
    for meta in ("source", "column", "check_result"):
        connection.execute(f'delete from meta."{meta}" where {own}', [source])


def _insert_piece(
    connection: duckdb.DuckDBPyConnection,
    piece: "Standard",
    table: pl.DataFrame,
    checks: Iterable[Check],
    now: datetime,
) -> None:
    source = piece.spec.id
    for name, frame in ((source, table), (f"{source}__flags", piece.flags)):
        connection.register("incoming", frame.to_arrow())
        connection.execute(f'create table std."{name}" as from incoming')
        connection.unregister("incoming")
    _insert(connection, "source", [_source_row(piece, now)])
    _insert(connection, "column", [_column_row(source, c) for c in piece.columns])
    _insert(
        connection,
        "check_result",
        [
            (
                source,
                piece.version,
                check.expectation,
                check.column,
                check.success,
                check.blocking,
                check.observed,
                check.detail,
                now,
            )
            for check in checks
        ],
    )


def read_only(settings: Settings) -> duckdb.DuckDBPyConnection:
    """Open the published copy for reading; close it when done.

    Raises:
        StoreError: Nothing is published, or it was written with another schema version.
    """
    file = settings.published / settings.store.name
    if not file.is_file():
        raise StoreError(
            "nothing is published yet",
            file=str(file),
            remedy="run `soilmeld run`, which publishes at its end",
        )
    connection = _connect(file, settings, read_only=True)
    try:
        _check_schema_version(connection, file)
    except StoreError:
        connection.close()
        raise
    return connection


def datapackage(settings: Settings, redistributable: bool) -> Path:
    """Describe the published store in `datapackage.json` beside it.

    The vocabulary is Data Package 2.0 (datapackage.org); each field carries its unit, licence and
    sources besides, and the package carries the definitions of the units.

    Args:
        settings: Whose published store is described.
        redistributable: Is the package to be passed on to others?

    Returns:
        The written file.

    Raises:
        LicenceError: It is to be passed on, and holds values of sources that forbid it.
        StoreError: Nothing is published.
    """
    from adapters.units import registry_definitions

    with contextlib.closing(read_only(settings)) as connection:
        sources = connection.execute("from meta.source order by source").pl().to_dicts()
        columns = connection.execute('from meta."column" order by source, name').pl()
        if redistributable:
            _refuse_forbidden(sources, columns)
        resources = [
            _resource(connection, settings.store.name, source, suffix, columns)
            for source in sources
            for suffix in ("", "__flags")
        ]
    package = {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "soilmeld",
        "title": "Standardised soil and Earth-observation sources",
        "version": str(SCHEMA_VERSION),
        "redistributable": all(source["redistribute"] for source in sources),
        "unit_registry": registry_definitions(),
        "resources": resources,
    }
    with new_file(settings.published / "datapackage.json") as file:
        file.write_text(json.dumps(package, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return settings.published / "datapackage.json"


def _refuse_forbidden(sources: list[dict[str, Any]], columns: pl.DataFrame) -> None:
    forbidden = [source for source in sources if not source["redistribute"]]
    if not forbidden:
        return
    named = []
    for source in forbidden:
        names = columns.filter(pl.col("source") == source["source"])["name"].to_list()
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        named.append(f"{source['source']} ({source['licence']}): {shown}")
    raise LicenceError(
        "these sources may not be passed on, and the store holds their values: " + "; ".join(named),
        source=", ".join(source["source"] for source in forbidden),
        remedy="publish a store without these sources, or keep the package to yourself",
    )


def _resource(
    connection: duckdb.DuckDBPyConnection,
    path: str,
    source: dict[str, Any],
    suffix: str,
    columns: pl.DataFrame,
) -> dict[str, object]:
    name = source["source"] + suffix
    known = {
        row["name"]: row for row in columns.filter(source=source["source"]).iter_rows(named=True)
    }
    types = connection.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = 'std' "
        "and table_name = ? order by column_index",
        [name],
    ).fetchall()
    licence = {"name": source["licence"], "title": source["attribution"]}
    fields = []
    for column, data_type in types:
        declared = known.get(column) if not suffix else None
        unit, text = _FIXED_FIELDS.get(column, (None, None))
        field = {
            "name": column,
            "type": _FRICTIONLESS_TYPES.get(data_type, "list" if "[" in data_type else "any"),
            "description": declared["description"] if declared else text,
            "unit": declared["unit"] if declared else unit,
            "method": declared["method"] if declared else None,
            "codebook": declared["codebook"] if declared else None,
            "licence": source["licence"],
            "sources": [source["source"]],
        }
        fields.append({key: value for key, value in field.items() if value is not None})
    return {
        "name": name.replace("_", "-"),
        "title": source["title"] + (": flags" if suffix else ""),
        "path": path,
        "format": "duckdb",
        "dialect": {"table": f"std.{name}"},
        "licenses": [licence],
        "sources": [{"title": source["title"], "version": source["raw_version"]}],
        "origin": source["origin"],
        "share_alike": source["share_alike"],
        "schema": {"fields": fields},
    }


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` and rename it over `target` on success."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as folder:
        made = Path(folder) / target.name
        yield made
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        made.replace(target)


def _connect(file: Path, settings: Settings, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    settings.scratch.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(
            str(file),
            read_only=read_only,
            config={
                "memory_limit": settings.memory_limit,
                "threads": settings.threads,
                "temp_directory": str(settings.scratch),
            },
        )
    except duckdb.Error as error:
        raise StoreError(
            f"DuckDB cannot open it: {error}",
            file=str(file),
            remedy="end the program that holds it open; readers should open the published copy",
        ) from error
    # A bar on the standard output would stand in what `--json` and pipes read.
    connection.execute("set enable_progress_bar = false")
    return connection


def _check_schema_version(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    try:
        found = connection.execute("select max(version) from meta.schema_version").fetchone()
    except duckdb.CatalogException as error:
        raise StoreError(
            "a DuckDB file, but not a soilmeld store",
            file=str(file),
            remedy="move it away; the store is made again from data/archive",
        ) from error
    version = found[0] if found else None
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"its schema version is {version}, this soilmeld reads {SCHEMA_VERSION}",
            file=str(file),
            remedy="move the file away and run `soilmeld run`: it is made again from the archive; "
            "or use the soilmeld release that wrote it",
        )


def _write_holder(holder: Path, step: str) -> None:
    with new_file(holder) as file:
        file.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "step": step,
                    "since": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            ),
            encoding="utf-8",
        )


def _read_holder(holder: Path) -> str:
    if not holder.is_file():
        return "a process that left no name"
    known = json.loads(holder.read_text(encoding="utf-8"))
    return (
        f"process {known['pid']} on {known['host']} ({known['step']}, since {known['since']} UTC)"
    )


def _list_columns(table: pl.DataFrame) -> pl.DataFrame:
    # Fixed-size arrays would become DOUBLE[n]; the contract is DOUBLE[].
    return table.with_columns(
        pl.col(name).arr.to_list()
        for name, dtype in table.schema.items()
        if isinstance(dtype, pl.Array)
    )


def _source_row(standard: "Standard", now: datetime) -> tuple[object, ...]:
    spec, licence = standard.spec, standard.spec.origin.licence
    return (
        spec.id,
        standard.version,
        standard.raw.version,
        standard.raw.origin,
        standard.raw.group,
        spec.title,
        licence.id,
        licence.redistribute,
        licence.share_alike,
        licence.attribution,
        standard.table.height,
        standard.flags.height,
        spec.space.crs,
        now,
        spec.model_dump_json(exclude={"folder"}),
    )


def _column_row(source: str, column: object) -> tuple[object, ...]:
    return (source, *(getattr(column, field) for field in _COLUMN_FIELDS))


def _insert(
    connection: duckdb.DuckDBPyConnection, meta: str, rows: list[tuple[object, ...]]
) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f'insert into meta."{meta}" values ({marks})', rows)
