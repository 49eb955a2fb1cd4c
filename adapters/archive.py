"""The raw archive: every version of a source's native files, content-addressed, never lost.

Belongs here: taking files in from the inbox, a download or a package, looking at what they are, the
lock file of a version, which version is next and which is in use.
Never here: reading what the files hold (`readers`), or deciding whether that is good
(`expectations`).

Order of writes: objects first, then the lock file, then a pointer, each by rename. A process killed
anywhere leaves at worst objects that nothing points to; the next `ingest` finds them made.

    objects/<sha256[:2]>/<sha256>     the bytes
    <source>/<version>.lock.json      one version
    <source>/NEXT                     version that the next standardisation reads
    <source>/ACTIVE                   version in use: it passed its checks
    <source>/ACCEPTED                 version that a person accepted last
    <source>/REPLACE_TWIN             a person asked for own files in the twin's place
    <source>/quarantine/<version>.json   refused version and the reasons (`quarantine.py`)
    <source>/POLLED                   what the source's server was last asked (`acquire.py`)
"""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from adapters.acquire import downloaded, expected, instructions
from adapters.atomic import write_text
from adapters.errors import ArchiveError
from adapters.quarantine import quarantine, release, settle, unlike
from adapters.readers import fits, is_web_page
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.truncation import truncated
from adapters.unpack import has_zips, lay_out, listing

ORIGIN_FILE = ".origin.json"
# Files that belong to another of the same stem: shapefile, IDRISI and GDAL side files.
_SIDE_FILES = (
    *(".shp", ".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix"),
    *(".rdc", ".ref", ".aux.xml", ".hdr", ".tfw", ".ovr", ".vat.dbf"),
)
# First bytes of formats, from their specifications.
_MAGIC: dict[str, tuple[bytes, ...]] = {
    ".tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ".tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ".xlsx": (b"PK\x03\x04",),
    ".zip": (b"PK\x03\x04",),
    ".npz": (b"PK\x03\x04",),
    ".xls": (b"\xd0\xcf\x11\xe0",),
    ".shp": (b"\x00\x00\x27\x0a",),
    ".nc": (b"CDF", b"\x89HDF"),
    ".gpkg": (b"SQLite format 3\0",),
    ".mdb": (b"\0\1\0\0Standard Jet DB", b"\0\1\0\0Standard ACE DB"),
    ".accdb": (b"\0\1\0\0Standard ACE DB",),
    ".dbf": tuple(bytes([b]) for b in (0x02, 0x03, 0x30, 0x31, 0x43, 0x63, 0x83, 0x8B, 0xCB, 0xF5)),
}
_TEXT = (".csv", ".txt", ".asc", ".tsv")


class _Declared(BaseModel):
    """What `.origin.json` says."""

    origin: Literal["synthetic", "open"]
    files: dict[str, str]
    edition: str | None = None


@dataclass(frozen=True)
class RawFile:
    """One native file of a version: its name in the inbox and its bytes in the archive."""

    name: str
    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class RawVersion:
    """One version of a source's native files."""

    source: str
    version: str
    origin: str
    group: str
    files: tuple[RawFile, ...]
    retrieved_at: str
    accepted: bool = False
    """Did a person accept it, although it is much unlike the version before?"""
    edition: str | None = None
    """What its maker calls it, if anything; only versions of one edition are compared."""

    def open(self, settings: Settings) -> Path:
        """Folder in which the files stand under their own names, as links into the archive.

        Readers need names: a shapefile is found by those of its siblings.

        Raises:
            ArchiveError: An object of the archive is missing, or is not as large as its lock says.
        """
        folder = settings.scratch / "raw" / self.source / self.version
        for file in self.files:
            if not file.path.is_file() or file.path.stat().st_size != file.size:
                raise ArchiveError(
                    "the archive lacks this file, or it was altered",
                    source=self.source,
                    file=file.name,
                    where=str(file.path),
                    remedy=f"put the original into data/raw/{self.source}/ and run again",
                )
        if not folder.is_dir():
            part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
            for file in self.files:
                link = part / file.name
                link.parent.mkdir(parents=True, exist_ok=True)
                # Relative, so that the data root can be moved as a whole.
                link.symlink_to(os.path.relpath(file.path.resolve(), link.parent.resolve()))
            try:
                part.rename(folder)
            except OSError:  # another process made it meanwhile
                shutil.rmtree(part)
                if not folder.is_dir():
                    raise
        return folder


@dataclass(frozen=True)
class Incoming:
    """What lies in the inbox, was downloaded, or is shipped: not yet in the archive.

    Attributes:
        version: Name that it has in the archive.
        origin: Whose files these are: synthetic, open or user.
        group: Origin group that they stand in.
        base: Folder in which they lie.
        files: Name -> SHA-256.
        edition: What its maker calls it, if anything.
    """

    version: str
    origin: str
    group: str
    base: Path
    files: dict[str, str]
    edition: str | None

    @property
    def sizes(self) -> dict[str, int]:
        """Name -> bytes."""
        return {name: (self.base / name).stat().st_size for name in self.files}

    def accepted(self, spec: SourceSpec, settings: Settings) -> bool:
        """Did a person accept this version before?"""
        lock = settings.archive / spec.id / f"{self.version}.lock.json"
        return lock.is_file() and load(spec.id, self.version, settings).accepted

    def faults(self) -> list[str]:
        """Why files cannot be what their names say."""
        return [fault for name in self.files if (fault := suspicion(self.base / name))]

    def doubts(self, spec: SourceSpec, settings: Settings) -> list[str]:
        """What is suspicious beside the version in use, where the two are comparable."""
        last = active(spec, settings)
        if last is None or last.version == self.version or self.accepted(spec, settings):
            return []
        if not comparable(last, self):
            return []
        return unlike(spec, self.sizes, {file.name: file.size for file in last.files})


def comparable(last: RawVersion, new: RawVersion | Incoming) -> bool:
    """Does the difference of two versions tell anything of the newer one's faults?

    Other people's files differ, and so do those that their maker calls another edition, such as the
    twin at another size.
    """
    return (last.origin, last.group, last.edition) == (new.origin, new.group, new.edition)


def incoming(spec: SourceSpec, settings: Settings) -> Incoming | None:
    """What `ingest` would take in; None where there are no files, or where a user's wait.

    Raises:
        ArchiveError: A required file is missing.
    """
    lying = _lying(spec, settings)
    if not lying.names:
        return None
    chosen, origin, group = _choose(spec, settings, lying)
    if chosen is None:
        return None
    files = {name: lying.names[name] for name in chosen}
    edition = lying.edition if origin == lying.origin else None
    return Incoming(_version_id(files, origin, group), origin, group, lying.base, files, edition)


def ingest(spec: SourceSpec, settings: Settings) -> RawVersion | None:
    """Take in what lies in the source's inbox, was downloaded, or is shipped by a package.

    The same bytes make no new version. Files of a user are never mixed into the twin's version:
    where both lie in the inbox, the twin's stays next until `accept_user` is called.

    Returns:
        The version that is next to be standardised; None where there never were files.

    Raises:
        ArchiveError: A required file is missing (with the instructions to get it), a file is not
            what its name says, or the files are much unlike those in use: the version is
            quarantined, and the one in use stays.
    """
    new = incoming(spec, settings)
    if new is None:
        return candidate(spec, settings)
    if faults := new.faults():
        quarantine(spec, new.version, faults, settings)
        raise ArchiveError(
            faults[0],
            source=spec.id,
            samples=faults[1:],
            remedy="download the file again and look at it; the version in use stays as it is",
        )
    if not (settings.archive / spec.id / f"{new.version}.lock.json").is_file():
        _keep(spec, new, settings)
    if doubts := new.doubts(spec, settings):
        quarantine(spec, new.version, doubts, settings, acceptable=True)
        raise ArchiveError(
            "much unlike the version in use, which stays",
            source=spec.id,
            where=f"version {new.version}",
            samples=doubts,
            remedy=f"look at the files; `soilmeld accept {spec.id} --reason ...` takes them into "
            "use all the same",
        )
    write_text(settings.archive / spec.id / "NEXT", new.version)
    settle(spec, new.version, settings)
    return load(spec.id, new.version, settings)


def _keep(spec: SourceSpec, new: Incoming, settings: Settings) -> None:
    """Put the bytes of a version into the archive, then its lock file."""
    for name, sha256 in new.files.items():
        _store(new.base / name, sha256, settings)
    sizes = new.sizes
    content = {
        "source": spec.id,
        "version": new.version,
        "origin": new.origin,
        "group": new.group,
        "edition": new.edition,
        "retrieved_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "licence": spec.origin.licence.model_dump(),
        "access": spec.access.model_dump(mode="json"),
        "files": [{"name": n, "sha256": s, "size": sizes[n]} for n, s in new.files.items()],
    }
    lock = settings.archive / spec.id / f"{new.version}.lock.json"
    write_text(lock, json.dumps(content, indent=1))


def candidate(spec: SourceSpec, settings: Settings) -> RawVersion | None:
    """Version that is next to be standardised; the one in use where nothing newer came in."""
    return _pointed(spec, settings, "NEXT")


def active(spec: SourceSpec, settings: Settings) -> RawVersion | None:
    """Version in use: the last that passed its checks."""
    return _pointed(spec, settings, "ACTIVE")


def activate(raw: RawVersion, settings: Settings) -> None:
    """Put a version into use, after its table was committed."""
    write_text(settings.archive / raw.source / "ACTIVE", raw.version)
    release(raw.source, raw.version, settings)


def accept_user(spec: SourceSpec, settings: Settings) -> RawVersion:
    """Let a user's files stand in the twin's place for this source, from the next run on.

    Raises:
        ArchiveError: No file of a user waits in the inbox.
    """
    if not _lying(spec, settings).yours:
        raise ArchiveError(
            "no file of yours waits",
            source=spec.id,
            remedy=f"put it into {settings.raw / spec.id}; expected: {expected(spec)}",
        )
    write_text(settings.archive / spec.id / "REPLACE_TWIN", "yes")
    version = ingest(spec, settings)
    if version is None:
        raise ArchiveError("the inbox is empty", source=spec.id, remedy="put the files back")
    return version


def waiting(spec: SourceSpec, settings: Settings) -> list[str]:
    """Names of a user's files that lie in the inbox while the twin's version stays in use."""
    lying = _lying(spec, settings)
    return lying.yours if lying.listed and not replaces_twin(spec, settings) else []


def replaces_twin(spec: SourceSpec, settings: Settings) -> bool:
    """Did a person ask for own files in the twin's place?"""
    return (settings.archive / spec.id / "REPLACE_TWIN").is_file()


def unused(spec: SourceSpec, settings: Settings) -> list[str]:
    """Names of files in the inbox that no table of the source expects."""
    inbox = settings.raw / spec.id
    present = [
        p.relative_to(inbox).as_posix()
        for p in sorted(inbox.rglob("*"))
        if p.is_file() and p.name != ORIGIN_FILE
    ]
    # A zip that cannot be opened is refused by `ingest`, which says why: here no table reads it.
    with contextlib.suppress(ArchiveError):
        present = list(listing(spec, inbox, present))
    return sorted(set(present) - set(of_tables(spec, present)))


@dataclass(frozen=True)
class _Lying:
    """What there is to take in.

    Attributes:
        base: Folder in which the files lie.
        names: Files that the specification wants -> SHA-256.
        listed: Files that are not the user's -> SHA-256.
        origin: Of those.
        edition: Of those.
    """

    base: Path
    names: dict[str, str]
    listed: dict[str, str]
    origin: str
    edition: str | None = None

    @property
    def yours(self) -> list[str]:
        """Names of the user's files."""
        return [n for n, sha256 in self.names.items() if sha256 not in self.listed.values()]


def _lying(spec: SourceSpec, settings: Settings) -> _Lying:
    inbox = settings.raw / spec.id
    if present := [p for p in sorted(inbox.rglob("*")) if p.is_file() and p.name != ORIGIN_FILE]:
        base, hashes = _unpacked(spec, inbox, present, settings)
        said = _declared(spec, inbox / ORIGIN_FILE)
        if said is None:
            return _Lying(base, hashes, {}, "user")
        return _Lying(base, hashes, said.files, said.origin, said.edition)
    if folder := downloaded(spec, settings):
        present = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        base, hashes = _unpacked(spec, folder, present, settings)
        return _Lying(base, hashes, hashes, "open")
    if spec.access.package:
        base, hashes = _packaged(spec)
        return _Lying(base, hashes, hashes, "open")
    return _Lying(inbox, {}, {}, "user")


def _declared(spec: SourceSpec, path: Path) -> _Declared | None:
    """Whose files these are, as `.origin.json` says; without one all are the user's."""
    if not path.is_file():
        return None
    try:
        return _Declared.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise ArchiveError(
            f"does not say whose files these are: {first['msg']}",
            source=spec.id,
            file=ORIGIN_FILE,
            where=".".join(str(part) for part in first["loc"]),
            samples=[str(first["input"])[:80]],
            remedy="remove the file: the data are then yours",
        ) from error


def _unpacked(
    spec: SourceSpec, place: Path, present: Sequence[Path], settings: Settings
) -> tuple[Path, dict[str, str]]:
    """Folder and hashes of the files that the specification wants, out of zips where they are."""
    lying, base = [p.relative_to(place).as_posix() for p in present], place
    if has_zips(spec, lying):
        base = lay_out(spec, place, lying, functools.partial(of_tables, spec), settings)
        lying = list(listing(spec, place, lying))
    names = of_tables(spec, lying)
    hashes = _hashes(spec, base, names, settings)
    _require(spec, names, present)
    return base, hashes


def _packaged(spec: SourceSpec) -> tuple[Path, dict[str, str]]:
    package = str(spec.access.package)
    try:
        shipped = distribution(package)
    except PackageNotFoundError as error:
        raise ArchiveError(
            f"the package {package} that ships it is not installed",
            source=spec.id,
            remedy=f"pip install {package}",
        ) from error
    base = Path(str(shipped.locate_file("")))
    names = of_tables(spec, sorted(str(f) for f in shipped.files or ()))
    _require(spec, names, [])
    hashes = {name: _sha256(base / name) for name in names}
    for name, pinned in spec.access.sha256.items():
        if hashes.get(name) != pinned:
            raise ArchiveError(
                f"is not the file that this source was written for ({package} {shipped.version})",
                source=spec.id,
                file=name,
                samples=[hashes.get(name)],
                remedy=f"install the pinned {package}, or check the new file and pin its hash",
            )
    return base, hashes


def of_tables(spec: SourceSpec, names: Iterable[str]) -> list[str]:
    """Names of the files that some table expects, and of the files that belong to these."""
    names = list(names)
    patterns = [p for table in spec.tables.values() for p in table.files]
    main = [n for n in names if fits(n, patterns)]
    stems = {n.lower().rsplit(".", 1)[0] for n in main}
    stems |= {n.lower() for n in main}
    sides = {stem + side for stem in stems for side in _SIDE_FILES}
    return sorted({*main, *(n for n in names if n.lower() in sides)})


def _require(spec: SourceSpec, names: Sequence[str], present: Sequence[Path]) -> None:
    for table_id, table in spec.tables.items():
        if table.required and not any(fits(n, table.files) for n in names):
            raise ArchiveError(
                f"no file for table {table_id!r}",
                source=spec.id,
                where=" or ".join(table.files),
                samples=[p.name for p in present],
                remedy=instructions(spec),
            )


def _choose(
    spec: SourceSpec, settings: Settings, lying: _Lying
) -> tuple[list[str] | None, str, str]:
    """Which of the lying files make the next version, with its origin and group."""
    yours, known = lying.yours, lying.origin
    theirs = [name for name in lying.names if name not in yours]
    if not lying.listed:
        return yours, "user", "user"
    replacing = replaces_twin(spec, settings)
    if yours and replacing:
        return yours + [n for n in theirs if not _covered(spec, n, yours)], "user", known
    if not yours or _complete(spec, theirs):
        return theirs, known, known
    return None, known, known


def _covered(spec: SourceSpec, name: str, yours: Sequence[str]) -> bool:
    """Does a table that this file belongs to have a file of the user's already?"""
    tables = [t for t in spec.tables.values() if name in _matching_table(t.files, [name])]
    return any(_matching_table(t.files, yours) for t in tables)


def _matching_table(files: Sequence[str], names: Sequence[str]) -> list[str]:
    stems = {n.lower().rsplit(".", 1)[0] for n in names if fits(n, files)}
    return [n for n in names if fits(n, files) or n.lower().rsplit(".", 1)[0] in stems]


def _complete(spec: SourceSpec, names: Sequence[str]) -> bool:
    return all(any(fits(n, t.files) for n in names) for t in spec.tables.values() if t.required)


def suspicion(path: Path) -> str | None:
    """Why a file cannot be what its name says; None where nothing speaks against it."""
    with path.open("rb") as handle:
        head = handle.read(4096)
    if not head:
        # ArcInfo leaves an empty log beside the files of a binary grid.
        in_grid = path.suffix != ".adf" and path.with_name("hdr.adf").is_file()
        return None if in_grid else f"{path.name} is empty"
    suffix = path.suffix.lower()
    if suffix not in (".html", ".htm") and is_web_page(head):
        return f"{path.name} is a web page (a login or error page?), not {suffix} data"
    if suffix in _MAGIC and not head.startswith(_MAGIC[suffix]):
        return f"{path.name} is not a {suffix} file: it begins with {head[:8]!r}"
    if suffix in _TEXT and b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{path.name} holds binary data, not text"
    return truncated(path)


def _hashes(
    spec: SourceSpec, inbox: Path, names: Iterable[str], settings: Settings
) -> dict[str, str]:
    """SHA-256 by name; a file of unchanged size and modification time is not read again."""
    memory = settings.archive / spec.id / "inbox.json"
    known = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    fresh = {}
    for name in names:
        stat = (inbox / name).stat()
        mark = [stat.st_size, stat.st_mtime_ns]
        old = known.get(name)
        fresh[name] = old if old and old[:2] == mark else [*mark, _sha256(inbox / name)]
    if fresh != known:
        write_text(memory, json.dumps(fresh))
    return {name: mark[2] for name, mark in fresh.items()}


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _version_id(files: dict[str, str], origin: str, group: str) -> str:
    content = json.dumps([sorted(files.items()), origin, group])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def object_path(sha256: str, settings: Settings) -> Path:
    """Where the archive keeps, or would keep, the bytes of this sha256."""
    return settings.archive / "objects" / sha256[:2] / sha256


def _store(path: Path, sha256: str, settings: Settings) -> None:
    target = object_path(sha256, settings)
    if target.is_file():
        return
    part = settings.scratch / f"object.{uuid.uuid4().hex}"
    part.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, part)
    if (found := _sha256(part)) != sha256:
        part.unlink()
        raise ArchiveError(
            "changed while it was being archived",
            file=path.name,
            samples=[found],
            remedy="wait until the file is written whole, then run again",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def load(source: str, version: str, settings: Settings) -> RawVersion:
    """One archived version.

    Raises:
        ArchiveError: Its lock file is missing or damaged.
    """
    path = settings.archive / source / f"{version}.lock.json"
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise ArchiveError(
            "the lock file of this version is missing or damaged",
            source=source,
            file=str(path),
            remedy="put the native files into the inbox and run again",
        ) from error
    files = tuple(
        RawFile(f["name"], object_path(f["sha256"], settings), f["sha256"], f["size"])
        for f in lock["files"]
    )
    return RawVersion(
        source,
        version,
        lock["origin"],
        lock["group"],
        files,
        lock["retrieved_at"],
        "accepted" in lock,
        lock.get("edition"),
    )


def _pointed(spec: SourceSpec, settings: Settings, pointer: str) -> RawVersion | None:
    version = _read_pointer(settings.archive / spec.id / pointer)
    return load(spec.id, version, settings) if version else None


def _read_pointer(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
