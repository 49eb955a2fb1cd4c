"""`soilmeld gc` removes what is old and keeps what is in use."""

import json
import os
from pathlib import Path

import duckdb
import pytest

from adapters.settings import Settings
from dagster_project.retention import collect


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth", keep_versions=2)


def write(path: Path, text: str, age: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for place in (path, path.parent):
        os.utime(place, (1_700_000_000 - age, 1_700_000_000 - age))


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Four versions of everything; the oldest of each is the one in use."""
    for age, name in enumerate(("v4", "v3", "v2", "v1")):
        write(settings.fused / "open" / name / "matrix.parquet", name, age)
        write(settings.runs / "soilformer-open" / name / "meta.json", name, age)
        write(settings.tiles / "user" / name / "set.json", name, age)
        write(settings.captions / "user" / name / "set.json", name, age)
        write(settings.profiles / "user" / name / "dictionary.json", name, age)
        write(settings.std / "relief" / name / "height.tif", name, age)
        digest = f"{name}{'0' * 62}"
        write(settings.archive / "objects" / digest[:2] / digest, name, age)
        lock = {"retrieved_at": f"2026-01-0{9 - age}", "files": [{"sha256": digest}]}
        write(settings.archive / "relief" / f"{name}.lock.json", json.dumps(lock), age)
    write(settings.fused / "open" / "CURRENT", "v1\n", 0)
    write(settings.runs / "soilformer-open" / "CURRENT", "v1\n", 0)
    write(settings.tiles / "user" / "CURRENT", "v1\n", 0)
    write(settings.captions / "user" / "CURRENT", "v1\n", 0)
    write(settings.profiles / "user" / "CURRENT", "v1\n", 0)
    # What an interrupted step goes on in, older than any version.
    write(settings.tiles / "user" / ".writing" / "plan.json", "{}", 9)
    write(settings.profiles / "user" / ".pictures" / "code" / "one.npy", "half", 9)
    write(settings.archive / "relief" / "ACTIVE", "v1\n", 0)
    settings.published.mkdir(parents=True)
    with duckdb.connect(str(settings.published / "soilmeld.duckdb")) as store:
        store.execute("create schema meta")
        store.execute(
            "create table meta.source as "
            "select 'relief' as source, 'v1' as version, 'v1' as raw_version"
        )
    return settings


def names(settings: Settings) -> dict[str, list[str]]:
    return {
        "fused": sorted(p.name for p in (settings.fused / "open").glob("v*")),
        "runs": sorted(p.name for p in (settings.runs / "soilformer-open").glob("v*")),
        "tiles": sorted(p.name for p in (settings.tiles / "user").glob("v*")),
        "captions": sorted(p.name for p in (settings.captions / "user").glob("v*")),
        "profiles": sorted(p.name for p in (settings.profiles / "user").glob("v*")),
        "pixels": sorted(p.name for p in (settings.std / "relief").glob("v*")),
        "locks": sorted(p.name[:2] for p in (settings.archive / "relief").glob("v*.lock.json")),
        "objects": sorted(p.name[:2] for p in settings.archive.glob("objects/*/*")),
    }


def test_what_a_published_table_was_made_from_stays(filled: Settings) -> None:
    with duckdb.connect(str(filled.published / "soilmeld.duckdb")) as store:
        store.execute("update meta.source set raw_version = 'v2'")
    collect(filled)
    assert names(filled)["locks"] == names(filled)["objects"] == ["v1", "v2", "v3", "v4"]


def test_newest_and_used_versions_stay(filled: Settings) -> None:
    told = {name: count for name, count, _ in collect(filled)}
    assert names(filled) == dict.fromkeys(names(filled), ["v1", "v3", "v4"])
    assert set(told.values()) == {0, 1}
    assert told["Dagster runs"] == 0
    assert (filled.tiles / "user" / ".writing").is_dir()
    assert (filled.profiles / "user" / ".pictures").is_dir()


def test_what_a_killed_step_left_goes(filled: Settings) -> None:
    write(filled.fused / "open" / ".new-x" / "v9" / "matrix.parquet", "half", 0)
    collect(filled)
    assert not list((filled.fused / "open").glob(".new-*"))


def test_a_dry_run_says_the_same_and_removes_nothing(filled: Settings) -> None:
    before = names(filled)
    told = collect(filled, dry_run=True)
    assert names(filled) == before
    assert told == collect(filled)
    assert all(size > 0 for name, count, size in told if count)


def test_an_empty_data_root_is_no_fault(settings: Settings) -> None:
    assert {count for _, count, _ in collect(settings)} == {0}


def test_refused_versions_drive_out_no_good_one(filled: Settings) -> None:
    """Five versions were refused since the last good one, and are all newer."""
    folder = filled.archive / "relief"
    for age in range(5):
        name, digest = f"q{age}", f"q{age}{'0' * 62}"
        write(filled.archive / "objects" / digest[:2] / digest, name, age)
        lock = {"retrieved_at": f"2026-02-0{9 - age}", "files": [{"sha256": digest}]}
        write(folder / f"{name}.lock.json", json.dumps(lock), age)
        write(folder / "quarantine" / f"{name}.json", "{}", age)
        write(folder / "quarantine" / f"broken{age}.json", "{}", age)
    told = {name: count for name, count, _ in collect(filled)}
    left = sorted(p.name.removesuffix(".lock.json") for p in folder.glob("*.lock.json"))
    assert left == ["q0", "q1", "v1", "v3", "v4"]
    entries = sorted(p.stem for p in (folder / "quarantine").glob("*.json"))
    assert entries == ["broken0", "broken1", "q0", "q1"]
    assert (told["raw versions"], told["quarantine entries"]) == (4, 6)
    assert (filled.archive / "objects" / "v1" / f"v1{'0' * 62}").is_file()
