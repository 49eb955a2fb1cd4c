"""Zip files in an inbox, taken as the files in them.

Belongs here: what a zip holds and may not hold, and laying out an inbox with its zips unpacked.
Never here: which files a source wants (`archive.py`), what they hold (`readers`).

A publisher's zip is dropped as it was downloaded. Its members stand under their paths in it, beside
the files that lie in the inbox by themselves; a zip inside it is unpacked too, one inside that is
not. What is archived are the members, never the zip besides.
"""

import hashlib
import os
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from adapters.errors import ArchiveError
from adapters.readers import fits, is_web_page
from adapters.settings import Settings
from adapters.spec import SourceSpec

# A source of the size of Europe by 25 m is tens of GB; more than this is a mistake or an attack.
MOST_BYTES = 200 * 2**30
# Deflate reaches 1032 to 1 on one repeated byte; rasters of mere nodata come near 500.
MOST_RATIO = 500
# Below this a high ratio does no harm.
_RATIO_FROM = 2**30
_OF_A_MAC = ("__MACOSX", ".DS_Store")


@dataclass(frozen=True)
class Member:
    """One file in a zip.

    Attributes:
        archive: The zip that lies in the inbox.
        through: The zip inside it that holds the member, if any.
        info: Its entry.
    """

    archive: Path
    through: zipfile.ZipInfo | None
    info: zipfile.ZipInfo


def has_zips(spec: SourceSpec, names: Sequence[str]) -> bool:
    """Are there zips among the names, other than those that a table of the source reads as such?"""
    return any(_is_zip(name) and not _read_as_zip(spec, name) for name in names)


def listing(spec: SourceSpec, inbox: Path, names: Sequence[str]) -> dict[str, Path | Member]:
    """Files of an inbox and of its zips, by name.

    Raises:
        ArchiveError: A zip is broken, encrypted, too large, holds a name that climbs out of its
            folder or a link; or one name stands for two contents.
    """
    found: dict[str, Path | Member] = {}
    for name in names:
        path = inbox / name
        if not _is_zip(name) or _read_as_zip(spec, name):
            _add(spec, found, name, path)
            continue
        folder = PurePosixPath(name).parent
        for inner, member in _members(spec, path):
            _add(spec, found, (folder / inner).as_posix(), member)
    return found


def lay_out(
    spec: SourceSpec,
    inbox: Path,
    names: Sequence[str],
    wanted: Callable[[list[str]], list[str]],
    settings: Settings,
) -> Path:
    """Folder in which the wanted files of an inbox stand by name, those of its zips unpacked.

    Args:
        spec: The source.
        inbox: Its inbox.
        names: Its files.
        wanted: Which of all names the source wants.
        settings: Where temporary files go.

    Raises:
        ArchiveError: As `listing` does, or a member does not unpack, or the disk is too small.
    """
    found = listing(spec, inbox, names)
    chosen = wanted(list(found))
    stats = [(name, (inbox / name).stat()) for name in names]
    key = "\n".join([*(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in stats), "", *chosen])
    folder = settings.scratch / "unpacked" / spec.id
    final = folder / hashlib.sha256(key.encode()).hexdigest()[:20]
    if final.is_dir():
        return final
    members = [m for name in chosen if isinstance(m := found[name], Member)]
    folder.mkdir(parents=True, exist_ok=True)
    _require_room(spec, members, folder)
    part = folder / f".{uuid.uuid4().hex}"
    try:
        for name in chosen:
            target, content = part / name, found[name]
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Member):
                _unpack(spec, content, target)
            else:
                target.symlink_to(os.path.relpath(content.resolve(), target.parent.resolve()))
        part.mkdir(exist_ok=True)
        for old in [p for p in folder.iterdir() if not p.name.startswith(".")]:
            shutil.rmtree(old)
        part.rename(final)
    except OSError:
        # Another process may have made it meanwhile.
        if not final.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return final


def _is_zip(name: str) -> bool:
    return name.casefold().endswith(".zip")


def _read_as_zip(spec: SourceSpec, name: str) -> bool:
    return any(
        _is_zip(pattern) and fits(name, [pattern])
        for table in spec.tables.values()
        for pattern in table.files
    )


def _add(
    spec: SourceSpec, found: dict[str, Path | Member], name: str, content: Path | Member
) -> None:
    other = found.setdefault(name, content)
    if other is content or _mark(other) == _mark(content):
        return
    places = [str(c.archive.name if isinstance(c, Member) else c.parent) for c in (other, content)]
    raise ArchiveError(
        "stands twice, with different contents",
        source=spec.id,
        file=name,
        samples=places,
        remedy="take one of the two away, for instance the zip of the older edition",
    )


def _mark(content: Path | Member) -> tuple[int, int]:
    """Size and checksum."""
    if isinstance(content, Member):
        return content.info.file_size, content.info.CRC
    checksum = 0
    with content.open("rb") as handle:
        while piece := handle.read(2**20):
            checksum = zlib.crc32(piece, checksum)
    return content.stat().st_size, checksum


def _members(spec: SourceSpec, path: Path) -> Iterator[tuple[str, Member]]:
    """Names and members of a zip, and of the zips in it."""
    with _opened(spec, path, None) as archive:
        _require_small(spec, path.name, archive.infolist(), path.stat().st_size)
        for info in _files(spec, path.name, archive):
            name = _name(spec, path.name, info)
            if not _is_zip(name):
                yield name, Member(path, None, info)
                continue
            with _opened(spec, path, info) as inner:
                where = f"{path.name}/{name}"
                _require_small(spec, where, inner.infolist(), info.file_size)
                folder = PurePosixPath(name).parent
                for entry in _files(spec, where, inner):
                    deeper = (folder / _name(spec, where, entry)).as_posix()
                    yield deeper, Member(path, info, entry)


@contextmanager
def _opened(
    spec: SourceSpec, path: Path, through: zipfile.ZipInfo | None
) -> Iterator[zipfile.ZipFile]:
    """The zip, or one inside it."""
    where = path.name if through is None else f"{path.name}/{through.filename}"
    if through is None and is_web_page(_start(path)):
        raise ArchiveError(
            "a web page (a login or error page?), not a zip",
            source=spec.id,
            file=where,
            remedy="log in at the landing page of the source, and download the file itself",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            if through is None:
                yield archive
            else:
                with archive.open(through) as handle, zipfile.ZipFile(handle) as inner:
                    yield inner
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ArchiveError(
            f"the zip cannot be read: {error}",
            source=spec.id,
            file=where,
            remedy="it is cut short or damaged; download it again",
        ) from error
    except NotImplementedError as error:  # zipfile's word for a method of packing it lacks
        raise ArchiveError(
            f"the zip is packed in a way that is not known here: {error}",
            source=spec.id,
            file=where,
            remedy="unpack it with the tool that your system offers, and put its files here",
        ) from error


def _start(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(4096)


def _files(spec: SourceSpec, where: str, archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if info.is_dir() or set(path.parts[:1] + path.parts[-1:]) & set(_OF_A_MAC):
            continue
        if info.flag_bits & 1:
            raise ArchiveError(
                "the zip is encrypted",
                source=spec.id,
                file=where,
                samples=[info.filename],
                remedy="unpack it with its password, and put its files here",
            )
        yield info


def _name(spec: SourceSpec, where: str, info: zipfile.ZipInfo) -> str:
    """Name of a member, which stays inside its folder."""
    path = PurePosixPath(info.filename.replace("\\", "/"))
    climbs = path.is_absolute() or ".." in path.parts or ":" in path.parts[0]
    if climbs or stat.S_ISLNK(info.external_attr >> 16):
        raise ArchiveError(
            "the zip holds a name that leads out of its folder, or a link",
            source=spec.id,
            file=where,
            samples=[info.filename],
            remedy="such a zip does not come from a publisher of data: look where it is from",
        )
    return path.as_posix()


def _require_small(
    spec: SourceSpec, where: str, entries: Sequence[zipfile.ZipInfo], packed: int
) -> None:
    total = sum(info.file_size for info in entries)
    if total <= MOST_BYTES and (total < _RATIO_FROM or total <= MOST_RATIO * packed):
        return
    raise ArchiveError(
        "the zip would unpack to more than any data set",
        source=spec.id,
        file=where,
        samples=[f"{total} bytes out of {packed}"],
        remedy="it is damaged or made to do harm: download it again; if it is right, unpack it "
        "yourself and put its files here",
    )


def _require_room(spec: SourceSpec, members: Sequence[Member], folder: Path) -> None:
    needed = sum(member.info.file_size for member in members)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ArchiveError(
            "no room to unpack its zips",
            source=spec.id,
            where=str(folder),
            samples=[f"{needed} bytes needed, {free} free"],
            remedy="free some room, or move the data root to a larger disk",
        )


def _unpack(spec: SourceSpec, member: Member, target: Path) -> None:
    with (
        _opened(spec, member.archive, member.through) as archive,
        archive.open(member.info) as source,
        target.open("wb") as handle,
    ):
        shutil.copyfileobj(source, handle, 2**20)
