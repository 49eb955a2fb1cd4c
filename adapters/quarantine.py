"""Versions that were refused: why, and how a person takes one into use all the same.

Belongs here: the entries of the quarantine, accepting one, and comparing the files of a new version
with those of the version in use.
Never here: looking into files (`archive.py`), or comparing what they hold (`expectations`).

Two kinds of reasons. A file that is broken or breaks its specification is refused whoever asks. A
version that is only much unlike the one in use may be right: its bytes are kept, and a person who
has looked at it accepts it (`soilmeld accept`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from adapters.atomic import write_text
from adapters.errors import ArchiveError
from adapters.readers import fits
from adapters.settings import Settings
from adapters.spec import SourceSpec


class Acceptance(BaseModel):
    """A person's word for a version."""

    by: str
    at: datetime
    reason: str
    in_spite_of: list[str]


class Entry(BaseModel):
    """One refused version.

    Attributes:
        acceptable: Are all reasons comparisons with the version in use? A person may overrule them.
        in_use: Version in use when it was refused.
        accepted: Set once a person accepted it, until it is in use.
        settled: Version that came in its place since; nobody is asked about it any more.
    """

    source: str
    version: str
    refused_at: datetime
    in_use: str | None
    reasons: list[str]
    acceptable: bool = False
    accepted: Acceptance | None = None
    settled: str | None = None


def quarantine(
    spec: SourceSpec,
    version: str,
    reasons: Sequence[str],
    settings: Settings,
    *,
    acceptable: bool = False,
) -> Path:
    """Write down that a version was refused, and why; the version in use stays.

    Returns:
        The entry, a readable JSON file.
    """
    pointer = settings.archive / spec.id / "ACTIVE"
    entry = Entry(
        source=spec.id,
        version=version,
        refused_at=datetime.now(UTC),
        in_use=pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else None,
        reasons=list(reasons),
        acceptable=acceptable,
    )
    return _write(entry, settings)


def quarantined(spec: SourceSpec, settings: Settings) -> list[Entry]:
    """Refused versions of a source that wait for a word or better files, the oldest first."""
    entries = (settings.archive / spec.id / "quarantine").glob("*.json")
    found = [Entry.model_validate_json(path.read_bytes()) for path in entries]
    waiting = [entry for entry in found if entry.settled is None]
    return sorted(waiting, key=lambda entry: entry.refused_at)


def release(source: str, version: str, settings: Settings) -> None:
    """Strike out the entry of a version that came into use."""
    _path(source, version, settings).unlink(missing_ok=True)


def settle(spec: SourceSpec, version: str, settings: Settings) -> None:
    """Ask nobody any more about what was refused before good files came in its place.

    The entries stay: the bytes of a refused version count as such (`soilmeld gc`).
    """
    for entry in quarantined(spec, settings):
        if entry.version != version:
            _write(entry.model_copy(update={"settled": version}), settings)


def accept(
    spec: SourceSpec, settings: Settings, *, by: str, reason: str, version: str | None = None
) -> Entry:
    """Take a person's word for the version that was refused last: the next run standardises it.

    The word is written into the lock file of the version, where it stays.

    Args:
        spec: The source.
        settings: Where the archive is.
        by: Who accepts.
        reason: Why.
        version: The version that is meant, or the first characters of its name; by default the
            last refused.

    Raises:
        ArchiveError: No version waits, another one is the last, or it was refused for more than
            being unlike the version in use.
    """
    waiting = quarantined(spec, settings)
    if not waiting:
        raise ArchiveError(
            "no version waits in quarantine",
            source=spec.id,
            remedy="`soilmeld plan` shows what waits, and what would run",
        )
    last = waiting[-1]
    if version and not last.version.startswith(version):
        raise ArchiveError(
            f"version {version} is not the last that was refused",
            source=spec.id,
            samples=[entry.version for entry in reversed(waiting)],
            remedy="put its files into the inbox again, run, and accept it then",
        )
    lock = settings.archive / spec.id / f"{last.version}.lock.json"
    if not last.acceptable or not lock.is_file():
        raise ArchiveError(
            "cannot be accepted: it is faulty, not only unlike the version in use",
            source=spec.id,
            where=f"version {last.version}",
            samples=[reason.splitlines()[0] for reason in last.reasons],
            remedy="get the files again, or correct source.yaml and columns.csv",
        )
    word = Acceptance(by=by, at=datetime.now(UTC), reason=reason, in_spite_of=last.reasons)
    content = json.loads(lock.read_text(encoding="utf-8"))
    content["accepted"] = word.model_dump(mode="json")
    write_text(lock, json.dumps(content, indent=1, ensure_ascii=False))
    write_text(settings.archive / spec.id / "NEXT", last.version)
    write_text(settings.archive / spec.id / "ACCEPTED", last.version)
    entry = last.model_copy(update={"accepted": word})
    _write(entry, settings)
    return entry


def last_accepted(spec: SourceSpec, settings: Settings) -> str | None:
    """Version that a person accepted last; None where none was."""
    pointer = settings.archive / spec.id / "ACCEPTED"
    return pointer.read_text(encoding="utf-8") if pointer.is_file() else None


def unlike(spec: SourceSpec, sizes: Mapping[str, int], last: Mapping[str, int]) -> list[str]:
    """What makes the files of a new version suspicious beside those of the version in use.

    Args:
        spec: The source; its `access.max_size_change` is the largest change that is ordinary.
        sizes: File name -> bytes, of the new version.
        last: The same of the version in use.

    Returns:
        Sentences: a table that has fewer files, a file or the whole that is much larger or smaller.
    """
    found = []
    for table_id, table in spec.tables.items():
        before = [name for name in last if fits(name, table.files)]
        now = [name for name in sizes if fits(name, table.files)]
        if len(now) < len(before):
            gone = sorted(set(before) - set(now))
            found.append(f"table {table_id!r} lacks files of the version in use: {', '.join(gone)}")
    whole = ("all files together", sum(sizes.values()), sum(last.values()))
    each = [(name, sizes[name], last[name]) for name in sizes if name in last]
    for what, now, before in [*each, whole] if len(last) > 1 or not each else each:
        change = now / before - 1 if before else 0.0
        if abs(change) > spec.access.max_size_change:
            found.append(f"{what}: {now:,} bytes, {change:+.0%} against the version in use")
    return found


def _path(source: str, version: str, settings: Settings) -> Path:
    return settings.archive / source / "quarantine" / f"{version}.json"


def _write(entry: Entry, settings: Settings) -> Path:
    path = _path(entry.source, entry.version, settings)
    write_text(path, json.dumps(entry.model_dump(mode="json"), indent=1, ensure_ascii=False))
    return path
