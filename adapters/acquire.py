"""Getting a source's files from where they are published, and what a person has to do instead.

Belongs here: asking a server or STAC catalogue for news, keeping one whole set of files, and when
it is time to ask again.
Never here: one HTTP request (`download.py`), or whether the files are good (`archive.py`).

    download/<source>/<set>/...       the files in use, named by the digest of their contents
    download/<source>/.new/...        a set that is not whole yet, with downloads to be resumed
    archive/<source>/POLLED           when the server was asked, what it said, which set is in use

A set is put into use by writing POLLED: a process killed before leaves the old set whole. What
counts as news is the contents: a server that hands out the same bytes under another entity tag
changes nothing.
"""

import datetime
import hashlib
import json
import os
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import filelock
from pydantic import BaseModel

from adapters.atomic import write_text
from adapters.errors import ArchiveError
from adapters.settings import Settings
from adapters.spec import SourceSpec, Stac
from adapters.stac import items as stac_items

if TYPE_CHECKING:
    import requests

RETRY = datetime.timedelta(hours=1)
"""How long after a failed poll the next one is due."""


class Fetched(BaseModel):
    """One file of the set in use."""

    url: str
    sha256: str
    etag: str | None
    last_modified: str | None


class Polled(BaseModel):
    """What a source's server was last asked and what it said."""

    asked_at: datetime.datetime
    problem: str | None = None
    folder: str | None = None
    """Name of the set in use; None while nothing was ever fetched."""
    listing: str | None = None
    """Digest of the items of a STAC catalogue."""
    files: dict[str, Fetched] = {}


def is_fetched(spec: SourceSpec) -> bool:
    """Does soilmeld itself get the files of this source over the network?"""
    return spec.access.kind in ("http", "stac")


def polled(spec: SourceSpec, settings: Settings) -> Polled | None:
    """What the server was last asked and said; None where it was never asked."""
    path = settings.archive / spec.id / "POLLED"
    return Polled.model_validate_json(path.read_bytes()) if path.is_file() else None


def downloaded(spec: SourceSpec, settings: Settings) -> Path | None:
    """Folder of the downloaded set in use; None where there is none."""
    last = polled(spec, settings) if is_fetched(spec) else None
    return settings.downloads / spec.id / last.folder if last and last.folder else None


def due(
    spec: SourceSpec,
    settings: Settings,
    now: datetime.datetime,
    retry: datetime.timedelta = RETRY,
) -> bool:
    """Is it time to ask the source's server for news?

    Args:
        spec: The source.
        settings: Where the archive is.
        now: The present time, with its zone.
        retry: How long after a failure it is asked again.
    """
    if not is_fetched(spec):
        return False
    last = polled(spec, settings)
    if last is None:
        return True
    pause = retry if last.problem else datetime.timedelta(days=spec.poll.every_days)
    return now - last.asked_at >= pause


def instructions(spec: SourceSpec) -> str:
    """What a person does to get the files, in a few lines."""
    lines = [spec.title, spec.origin.page, " ".join(spec.access.instructions.split())]
    if spec.access.registration:
        lines.append("The download needs a registration there.")
    lines.append("Expected files: " + expected(spec))
    return "\n".join(lines)


def expected(spec: SourceSpec) -> str:
    """File names of all tables of a source: as they are matched, or those of the layers."""
    return "; ".join(
        (", ".join(_layer_files(spec, name)) or " or ".join(table.files))
        + ("" if table.required else " (optional)")
        for name, table in spec.tables.items()
    )


def _layer_files(spec: SourceSpec, name: str) -> list[str]:
    """Names of the files of a table of layers, each array as it stands in columns.csv."""
    if spec.tables[name].read.reader not in ("raster", "netcdf"):
        return []
    files = [c.native.partition("#")[0] for c in spec.columns if c.table == name]
    return list(dict.fromkeys(files))


def poll(spec: SourceSpec, settings: Settings, now: datetime.datetime) -> Polled:
    """Ask for news, fetch what changed, and put it into use once it is whole.

    Raises:
        ArchiveError: The server is not reached or hands out something else than the files. This is
            remembered with the time, and the set in use stays.
    """
    from adapters.download import session

    place = settings.downloads / spec.id
    place.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(place / ".lock"), session() as http:
        last = polled(spec, settings) or Polled(asked_at=now)
        try:
            answer = _ask(spec, place, last, http)
        except ArchiveError as error:
            _remember(spec, settings, last.model_copy(update=_said(now, error.problem)))
            raise
        answer = answer.model_copy(update=_said(now, None))
        _remember(spec, settings, answer)
        for old in place.iterdir():
            if old.is_dir() and old.name != answer.folder:
                shutil.rmtree(old)
    return answer


def _said(now: datetime.datetime, problem: str | None) -> dict[str, object]:
    return {"asked_at": now, "problem": problem}


def _remember(spec: SourceSpec, settings: Settings, answer: Polled) -> None:
    write_text(settings.archive / spec.id / "POLLED", answer.model_dump_json(indent=1))


def _ask(spec: SourceSpec, place: Path, last: Polled, http: "requests.Session") -> Polled:
    """Fetch the set that is published now; the last answer where nothing changed."""
    urls, listing = spec.access.urls, None
    if spec.access.stac:
        urls, listing = _listed(spec, spec.access.stac)
    in_use = place / last.folder if last.folder else None
    if listing and listing == last.listing and in_use and in_use.is_dir():
        return last
    new = place / ".new"
    files = {name: _fetched(spec, name, url, new, in_use, last, http) for name, url in urls.items()}
    contents = json.dumps(sorted((name, file.sha256) for name, file in files.items()))
    folder = hashlib.sha256(contents.encode()).hexdigest()[:20]
    if not (place / folder).is_dir():
        # Broken downloads of files that are not published any more.
        for left in [p for p in new.rglob("*") if p.is_file()]:
            if left.relative_to(new).as_posix() not in files:
                left.unlink()
        new.rename(place / folder)
    return last.model_copy(update={"folder": folder, "listing": listing, "files": files})


def _fetched(
    spec: SourceSpec,
    name: str,
    url: str,
    new: Path,
    in_use: Path | None,
    last: Polled,
    http: "requests.Session",
) -> Fetched:
    """One file of the new set, linked from the set in use where the server says it is the same."""
    from adapters.download import download

    known, target = last.files.get(name), new / name
    old = in_use / name if in_use else None
    same = known is not None and known.url == url and old is not None and old.is_file()
    edition = download(spec.id, url, target, _condition(spec, known) if same else {}, http)
    if edition is None and known and old:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(old, target)
        return known
    with target.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    pinned = spec.access.sha256.get(name, sha256)
    if sha256 != pinned:
        target.unlink()
        raise ArchiveError(
            "is not the file that this source was written for",
            source=spec.id,
            file=name,
            where=url,
            samples=[sha256],
            remedy="look at the new file, and pin its hash under `access: {sha256: ...}`",
        )
    return Fetched(
        url=url,
        sha256=sha256,
        etag=edition.etag if edition else None,
        last_modified=edition.last_modified if edition else None,
    )


def _condition(spec: SourceSpec, known: Fetched | None) -> dict[str, str]:
    """Headers that ask for a file only if it changed, by the header that the source names."""
    if known and known.last_modified and spec.poll.by == "last_modified":
        return {"If-Modified-Since": known.last_modified}
    if known and known.etag and spec.poll.by != "last_modified":
        return {"If-None-Match": known.etag}
    return {}


def _listed(spec: SourceSpec, stac: Stac) -> tuple[dict[str, str], str]:
    """File name -> address of the wanted assets, and a digest of what is listed.

    The query of an address is left out of the digest: signed addresses change all the time.
    """
    items = stac_items(
        stac.catalogue, stac.collection, stac.bbox, stac.start, stac.end, source=spec.id
    )
    urls: dict[str, str] = {}
    listed: list[list[object]] = []
    for item in items:
        for key in stac.assets:
            asset = item.assets.get(key)
            address = asset and asset.get_absolute_href()
            if asset is None or address is None:
                raise ArchiveError(
                    f"item {item.id} has no asset {key!r}",
                    source=spec.id,
                    where=stac.catalogue,
                    samples=sorted(item.assets),
                    remedy="name the assets as the catalogue does",
                )
            path = urlsplit(address).path
            name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', item.id)}/{PurePosixPath(path).name}"
            urls[name] = address
            said = (item.properties.get("updated"), *map(asset.extra_fields.get, _CONTENT))
            listed.append([name, path, *said])
    if not urls:
        raise ArchiveError(
            "the catalogue lists no item",
            source=spec.id,
            where=f"{stac.catalogue}, collection {stac.collection}",
            remedy="widen `bbox`, `start` and `end` under `access: {stac: ...}` in source.yaml",
        )
    return urls, hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:20]


# What the file extension of STAC says of an asset's contents.
_CONTENT = ("updated", "file:checksum", "file:size")
