"""The store: atomic commits, one writer, readers that are never blocked."""

import dataclasses
import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import polars as pl
import pytest
from good_standard import ROWS, good_standard

from adapters.errors import LicenceError, StoreError
from adapters.settings import Settings
from adapters.store import SCHEMA_VERSION, Store, datapackage, read_only

CHECK = SimpleNamespace(
    expectation="expect_rows",
    column=None,
    success=True,
    blocking=True,
    observed="200",
    detail="rows",
)
spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def settings(tmp_path):
    return Settings(data_root=tmp_path / "data", lock_timeout_s=0.3, memory_limit="500MB")


def doubled(standard):
    """The next version of the same source: other values, fewer rows."""
    table = standard.table.head(50).with_columns(pl.col("ph") + 1)
    return dataclasses.replace(standard, version="v2", table=table)


def test_commit_holds_table_flags_and_meta(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    Store(settings).commit(standard, [[CHECK]])
    kept = Store(settings).table("pits")
    assert kept.equals(standard.table)
    assert Store(settings).table("pits__flags").schema == standard.flags.schema
    source = Store(settings).meta("source", "pits").to_dicts()[0]
    assert (source["rows"], source["version"], source["licence"]) == (ROWS, "v1", "CC-BY-4.0")
    assert json.loads(source["spec"])["id"] == "pits"
    assert Store(settings).meta("column", "pits")["name"].to_list() == [
        c.name for c in standard.columns
    ]
    assert Store(settings).meta("check_result", "pits")["expectation"].to_list() == ["expect_rows"]


def test_commit_again_replaces_everything(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    store = Store(settings)
    store.commit(good_standard(tmp_path / "other", "other"), [[CHECK]])
    store.commit(standard, [[CHECK, CHECK]])
    store.commit(doubled(standard), [[CHECK]])
    assert store.table("pits").height == 50
    assert store.table("other").height == ROWS
    assert store.meta("source", "pits")["version"].to_list() == ["v2"]
    assert store.meta("check_result", "pits").height == 1


def test_failed_commit_leaves_the_old_one(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    store = Store(settings)
    store.commit(standard, [[CHECK]])
    broken = SimpleNamespace(**{**vars(CHECK), "success": "not a truth value"})
    with pytest.raises(duckdb.Error):
        store.commit(doubled(standard), [[broken]])
    assert store.table("pits").equals(standard.table)
    assert store.meta("source", "pits")["version"].to_list() == ["v1"]


def test_fixed_size_arrays_are_kept_as_lists(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    fixed = standard.table.with_columns(pl.col("spectrum").list.to_array(3))
    Store(settings).commit(dataclasses.replace(standard, table=fixed), [[]])
    assert Store(settings).table("pits").schema["spectrum"] == pl.List(pl.Float64)


def test_reading_what_is_not_there(settings, tmp_path):
    assert Store(settings).table("pits") is None
    assert Store(settings).meta("source", "pits") is None
    Store(settings).commit(good_standard(tmp_path / "pits"), [[]])
    assert Store(settings).table("other") is None
    with pytest.raises(StoreError, match="nothing is published"):
        read_only(settings)


def test_publish_without_a_store(settings):
    with pytest.raises(StoreError, match="nothing to publish"):
        Store(settings).publish()
    assert not list(settings.published.glob("*"))


def hold_lock(settings, held, release):
    with Store(settings)._lock("commit of lucas_2009"):
        held.set()
        release.wait(30)


def test_writer_waits_for_writer_and_the_time_out_names_the_holder(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    held, release = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold_lock, args=(settings, held, release))
    other.start()
    assert held.wait(30)
    with pytest.raises(StoreError) as caught:
        Store(settings).commit(standard, [[]])
    assert f"process {other.pid} on" in str(caught.value)
    assert "commit of lucas_2009" in str(caught.value)
    assert "lock_timeout_s" in caught.value.remedy
    patient = Store(settings.model_copy(update={"lock_timeout_s": 30.0}))
    threading.Timer(0.3, release.set).start()
    started = time.monotonic()
    patient.commit(standard, [[]])
    assert time.monotonic() - started > 0.2
    other.join(30)
    assert patient.table("pits").height == ROWS


def read_until_told(settings, ready, stop, answers):
    with read_only(settings) as connection:
        ready.set()
        counts = set()
        while not stop.is_set():
            counts.add(connection.execute("select count(*) from std.pits").fetchone()[0])
        answers.put(counts)


def test_reader_keeps_reading_while_the_copy_is_swapped(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    store = Store(settings)
    store.commit(standard, [[]])
    store.publish()
    ready, stop, answers = spawn.Event(), spawn.Event(), spawn.Queue()
    reader = spawn.Process(target=read_until_told, args=(settings, ready, stop, answers))
    reader.start()
    assert ready.wait(30)
    store.commit(doubled(standard), [[]])
    store.publish()
    with read_only(settings) as connection:
        assert connection.execute("select count(*) from std.pits").fetchone() == (50,)
    stop.set()
    assert answers.get(timeout=30) == {ROWS}
    reader.join(30)
    assert reader.exitcode == 0
    assert [p.name for p in settings.published.iterdir()] == ["soilmeld.duckdb"]


def test_published_copy_cannot_be_written(settings, tmp_path):
    Store(settings).commit(good_standard(tmp_path / "pits"), [[]])
    Store(settings).publish()
    with read_only(settings) as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("drop table std.pits")


def commit_and_die_within(settings, folder):
    """Be killed inside the transaction, after the new table was written."""

    class Deadly:
        def __iter__(self):
            yield CHECK
            os.kill(os.getpid(), signal.SIGKILL)

    Store(settings).commit(doubled(good_standard(Path(folder))), [Deadly()])


def test_sigkill_during_commit_leaves_the_old_table_and_no_lock(settings, tmp_path):
    standard = good_standard(tmp_path / "pits")
    store = Store(settings)
    store.commit(standard, [[CHECK]])
    victim = spawn.Process(target=commit_and_die_within, args=(settings, str(tmp_path / "pits")))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    assert store.table("pits").equals(standard.table)
    assert store.meta("source", "pits")["version"].to_list() == ["v1"]
    store.commit(doubled(standard), [[CHECK]])
    assert store.table("pits").height == 50


def test_first_writer_killed_before_it_laid_the_tables(settings, tmp_path):
    settings.store.parent.mkdir(parents=True)
    duckdb.connect(str(settings.store)).close()
    Store(settings).commit(good_standard(tmp_path / "pits"), [[]])
    assert Store(settings).table("pits").height == ROWS


def test_another_schema_version_is_refused(settings, tmp_path):
    store = Store(settings)
    store.commit(good_standard(tmp_path / "pits"), [[]])
    store.publish()
    for file in (settings.store, settings.published / "soilmeld.duckdb"):
        with duckdb.connect(str(file)) as connection:
            connection.execute("update meta.schema_version set version = 99")
    for use in (lambda: store.table("pits"), store.publish, lambda: read_only(settings)):
        with pytest.raises(
            StoreError, match=f"version is 99, this soilmeld reads {SCHEMA_VERSION}"
        ):
            use()


def test_a_foreign_file_is_refused(settings, tmp_path):
    settings.store.parent.mkdir(parents=True)
    settings.store.write_text("<html>no database</html>")
    with pytest.raises(StoreError, match="DuckDB cannot open it"):
        Store(settings).commit(good_standard(tmp_path / "pits"), [[]])
    settings.store.unlink()
    with duckdb.connect(str(settings.store)) as connection:
        connection.execute("create table mine (x integer)")
    with pytest.raises(StoreError, match="not a soilmeld store"):
        Store(settings).commit(good_standard(tmp_path / "pits"), [[]])


def test_datapackage_describes_fields(settings, tmp_path):
    store = Store(settings)
    store.commit(good_standard(tmp_path / "pits"), [[]])
    store.publish()
    package = json.loads(datapackage(settings, redistributable=True).read_text())
    assert package["redistributable"] is True
    assert package["unit_registry"]
    table, flags = package["resources"]
    assert (table["path"], table["dialect"]) == ("soilmeld.duckdb", {"table": "std.pits"})
    fields = {field["name"]: field for field in table["schema"]["fields"]}
    assert fields["top"]["unit"] == "cm"
    assert fields["spectrum"]["type"] == "list"
    assert fields["date_start"]["type"] == "date"
    assert fields["clay"]["sources"] == ["pits"]
    assert fields["clay"]["licence"] == "CC-BY-4.0"
    assert set(fields) == set(store.table("pits").columns)
    assert [field["name"] for field in flags["schema"]["fields"]][:2] == ["row_ref", "column"]


def test_datapackage_refuses_to_pass_on_what_a_licence_forbids(settings, tmp_path):
    store = Store(settings)
    store.commit(good_standard(tmp_path / "pits"), [[]])
    store.commit(good_standard(tmp_path / "secret", "secret", redistribute=False), [[]])
    store.publish()
    with pytest.raises(LicenceError) as caught:
        datapackage(settings, redistributable=True)
    assert caught.value.source == "secret"
    assert "clay" in str(caught.value)
    assert not (settings.published / "datapackage.json").exists()
    package = json.loads(datapackage(settings, redistributable=False).read_text())
    assert package["redistributable"] is False
