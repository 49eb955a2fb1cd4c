"""Keeping the data root bounded: old versions and old run history.

Belongs here: deciding what may go, and removing it.
Never here: anything that is in use: current versions, what they are made of, and what Dagster knows
of each asset's present state.
"""

import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from adapters.settings import Settings
from dagster_project.resources import open_instance
from dagster_project.run import alone


def collect(settings: Settings, *, dry_run: bool = False) -> list[tuple[str, int, int]]:
    """Remove what the settings `keep_versions` and `keep_event_days` do not keep.

    Args:
        settings: Whose data root is cleared.
        dry_run: Only say what would go.

    Returns:
        For each kind of thing: its name, how many go, and their size in bytes (0 for run history,
        which lies in one database).

    Raises:
        StoreError: A run works on the data root.
    """
    with alone(settings):
        locks = _old_locks(settings)
        places = {
            "raw versions": locks,
            "quarantine entries": _orphaned_entries(settings, set(locks)),
            "raw files": _unused_objects(settings, set(locks)),
            "standardised pixels": _old(settings.std.glob("*"), settings, _used_pixels(settings)),
            "feature matrices": _old(settings.fused.glob("*"), settings, _current(settings.fused)),
            "tile sets": _old(settings.tiles.glob("*"), settings, _current(settings.tiles)),
            "captioned tile sets": _old(
                settings.captions.glob("*"), settings, _current(settings.captions)
            ),
            "profile sets": _old(
                settings.profiles.glob("*"), settings, _current(settings.profiles)
            ),
            "training runs": _old(settings.runs.glob("*"), settings, _current(settings.runs)),
            # No step is underway: what lies here was left by killed ones, or is made again.
            "temporary files": [*settings.scratch.glob("*"), *settings.fused.glob("*/.new-*")],
        }
        found = [(name, len(paths), sum(map(_size, paths))) for name, paths in places.items()]
        if not dry_run:
            for path in (path for paths in places.values() for path in paths):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [*found, ("Dagster runs", _old_dagster_runs(settings, dry_run), 0)]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _old(parents: Iterable[Path], settings: Settings, used: set[Path]) -> list[Path]:
    """Version folders of each parent beyond the newest `keep_versions`, unless in use."""
    gone = []
    for parent in parents:
        found = [p for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
        # A hidden folder is no version: an interrupted step goes on in it, or begins it anew.
        versions = [path for path in found if not path.name.startswith(".")]
        newest_first = sorted(versions, key=lambda p: p.stat().st_mtime, reverse=True)
        gone += [p for p in newest_first[settings.keep_versions :] if p not in used]
    return gone


def _current(place: Path) -> set[Path]:
    return {p.parent / p.read_text(encoding="utf-8").strip() for p in place.glob("*/CURRENT")}


def _published(settings: Settings, what: str) -> set[tuple[str, str]] | None:
    """Source and `version` or `raw_version` of each published table; None where none is."""
    import duckdb

    published = settings.published / settings.store.name
    if not published.is_file():
        return None
    with duckdb.connect(str(published), read_only=True) as connection:
        return set(connection.execute(f"select source, {what} from meta.source").fetchall())


def _used_pixels(settings: Settings) -> set[Path]:
    """Folders of standardised pixels that the store's tables point to."""
    used = _published(settings, "version")
    if used is None:
        return set(settings.std.glob("*/*"))
    return {settings.std / source / version for source, version in used}


def _old_locks(settings: Settings) -> list[Path]:
    """Raw versions of each source beyond the newest `keep_versions`, unless in use or next.

    In use is also what a published table was made from: readers explain its values by it.

    Good and quarantined versions are counted apart: however many were refused, they drive out none
    that was good, and none in use that a person may want back.
    """
    gone, published = [], _published(settings, "raw_version") or set()
    for folder in sorted(p for p in settings.archive.glob("*") if p.name != "objects"):
        pointers = (folder / name for name in ("ACTIVE", "NEXT"))
        used = {p.read_text(encoding="utf-8").strip() for p in pointers if p.is_file()}
        used |= {version for source, version in published if source == folder.name}
        refused = {p.stem for p in folder.glob("quarantine/*.json")}
        locks = {path: json.loads(path.read_text()) for path in folder.glob("*.lock.json")}
        newest_first = sorted(locks, key=lambda p: locks[p]["retrieved_at"], reverse=True)
        good = [path for path in newest_first if _version(path) not in refused]
        bad = [path for path in newest_first if _version(path) in refused]
        old = good[settings.keep_versions :] + bad[settings.keep_versions :]
        gone += [path for path in old if _version(path) not in used]
    return gone


def _version(lock: Path) -> str:
    return lock.name.removesuffix(".lock.json")


def _orphaned_entries(settings: Settings, going: set[Path]) -> list[Path]:
    """Quarantine entries whose version goes; those of broken files, beyond the newest."""
    gone = []
    for folder in sorted(settings.archive.glob("*/quarantine")):
        entries = {path: folder.parent / f"{path.stem}.lock.json" for path in folder.glob("*.json")}
        gone += [path for path, lock in entries.items() if lock in going]
        broken = [path for path, lock in entries.items() if not lock.is_file()]
        newest_first = sorted(broken, key=lambda path: path.stat().st_mtime, reverse=True)
        gone += newest_first[settings.keep_versions :]
    return gone


def _unused_objects(settings: Settings, going: set[Path]) -> list[Path]:
    used = {
        file["sha256"]
        for path in settings.archive.glob("*/*.lock.json")
        if path not in going
        for file in json.loads(path.read_text())["files"]
    }
    objects = settings.archive.glob("objects/*/*")
    return sorted(path for path in objects if path.name not in used)


def _old_dagster_runs(settings: Settings, dry_run: bool) -> int:
    """Remove old runs, but none that holds what Dagster knows of an asset's present state."""
    before = datetime.now(UTC) - timedelta(days=settings.keep_event_days)
    with open_instance(settings) as instance:
        held = set()
        for record in instance.get_asset_records():
            entry = record.asset_entry
            held |= {entry.last_run_id}
            if entry.last_materialization_record:
                held.add(entry.last_materialization_record.run_id)
            if entry.last_observation_record:
                held.add(entry.last_observation_record.run_id)
        old = instance.get_run_records(dg.RunsFilter(created_before=before))
        gone = [
            record.dagster_run.run_id for record in old if record.dagster_run.run_id not in held
        ]
        if not dry_run:
            for run_id in gone:
                instance.delete_run(run_id)
    return len(gone)
