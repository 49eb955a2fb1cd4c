"""One file over HTTP: asked for only if it changed, resumed where it broke off, kept only if whole.

Belongs here: conditional requests, ranges, retries, and telling data from a login page.
Never here: which files a source has, or when they are asked for (`acquire.py`).

A broken download stays as `<name>.part` beside `<name>.part.json`, which says of which edition its
bytes are. The next request goes on behind them by `Range` with `If-Range`: a server whose file
changed meanwhile answers with the whole new one (RFC 9110, section 13.1.5).
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from adapters.errors import ArchiveError
from adapters.readers import is_web_page

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""
ATTEMPTS = 5
BACKOFF_S = 1.0
"""Pause before the second attempt; doubled before each further one."""
_BUSY = (429, 500, 502, 503, 504)
_PATIENCE_S = 60
"""Longest pause that a server may ask for."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class Edition:
    """Which edition of a file a server handed out, in the server's own words."""

    url: str
    etag: str | None = None
    last_modified: str | None = None

    @property
    def range_validator(self) -> str | None:
        """What `If-Range` may carry: a weak entity tag may not stand there."""
        strong = self.etag if self.etag and not self.etag.startswith("W/") else None
        return strong or self.last_modified


def retries(connect: int = ATTEMPTS - 1) -> Retry:
    """Ask again, after growing pauses, where a server is busy or not reached.

    Args:
        connect: How often to try again where no answer begins.
    """
    return Retry(
        total=ATTEMPTS - 1,
        connect=connect,
        read=connect,
        backoff_factor=BACKOFF_S,
        status_forcelist=_BUSY,
        raise_on_status=False,
        retry_after_max=_PATIENCE_S,
    )


def session() -> requests.Session:
    """HTTP session that asks again where a server is busy; `download` does where it is silent."""
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(max_retries=retries(connect=0)))
    # A packed answer has another length than the file, and cannot be resumed.
    made.headers["Accept-Encoding"] = "identity"
    return made


def download(
    source: str,
    url: str,
    target: Path,
    known: Mapping[str, str],
    http: requests.Session,
) -> Edition | None:
    """Fetch one file to `target`, unless the server says that what is known is still so.

    Args:
        source: Source id, for messages.
        url: Address.
        target: Where the whole file is put, by rename; `<target>.part` is resumed and kept on
            failure.
        known: Headers of the conditional request (`If-None-Match` or `If-Modified-Since`).
        http: A `session()`.

    Returns:
        The edition that was fetched; None where the server answers 304 Not Modified.

    Raises:
        ArchiveError: The server is not reached, refuses, answers with a web page, or the file does
            not arrive whole.
    """
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            edition, whole = _attempt(source, url, part, known, http)
        except (requests.RequestException, HTTPError) as error:
            broken = str(error)
        else:
            if edition is None:
                return None
            if whole:
                part.replace(target)
                _beside(part).unlink()
                return edition
            broken = f"{part.stat().st_size} bytes arrived, and then the server stopped"
        if attempt < ATTEMPTS:
            time.sleep(BACKOFF_S * 2 ** (attempt - 1))
    raise ArchiveError(
        f"not downloaded in {ATTEMPTS} attempts: {broken}",
        source=source,
        file=target.name,
        where=url,
        remedy="look whether the address opens in a browser; the next run goes on where this one "
        "broke off",
    )


def _attempt(
    source: str, url: str, part: Path, known: Mapping[str, str], http: requests.Session
) -> tuple[Edition | None, bool]:
    """Ask once and write what arrives: the edition (None: not modified), and is it whole?"""
    begun = _begun(part, url)
    start = part.stat().st_size if begun else 0
    headers = dict(known)
    if begun and begun.range_validator and start:
        headers |= {"Range": f"bytes={start}-", "If-Range": begun.range_validator}
    with http.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            return None, True
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            return _edition(url, answer), False
        _require_data(source, part, url, answer)
        resumed = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        if resumed and not _continues(answer, start):
            part.unlink()
            return _edition(url, answer), False
        edition = begun if resumed and begun else _edition(url, answer)
        if not resumed:
            start = 0
            _beside(part).write_text(json.dumps(asdict(edition)), encoding="utf-8")
        packed = answer.headers.get("Content-Encoding", "identity") != "identity"
        stated = None if packed else answer.headers.get("Content-Length")
        with part.open("ab" if resumed else "wb") as handle:
            # What arrived before a connection broke is kept: not so by `iter_content`.
            while piece := answer.raw.read1(_PIECE, decode_content=True):
                # Not every server says what kind of thing it sends.
                if not handle.tell() and is_web_page(piece[:4096]) and not _wants_page(part):
                    raise _refused(*_PAGE, source, part, url, answer)
                handle.write(piece)
        return edition, stated is None or part.stat().st_size == start + int(stated)


def _begun(part: Path, url: str) -> Edition | None:
    """Edition that the bytes of a broken download belong to; None where there are none."""
    if not (part.is_file() and _beside(part).is_file()):
        return None
    edition = Edition(**json.loads(_beside(part).read_text(encoding="utf-8")))
    return edition if edition.url == url else None


def _beside(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _edition(url: str, answer: requests.Response) -> Edition:
    return Edition(url, answer.headers.get("ETag"), answer.headers.get("Last-Modified"))


def _continues(answer: requests.Response, start: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == start


def _require_data(source: str, part: Path, url: str, answer: requests.Response) -> None:
    """Refuse an answer whose head says that it is no data: an error, a login page."""
    status = answer.status_code
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        problem, remedy = (
            f"the server asks for a login ({status})",
            "download it by hand and put it into the inbox (`access: {kind: manual}`)",
        )
    elif status >= HTTPStatus.BAD_REQUEST:
        problem, remedy = (
            f"the server answers {status} {answer.reason}",
            "look for the new address on the source's page and correct it in source.yaml",
        )
    elif kind in ("text/html", "application/xhtml+xml") and not _wants_page(part):
        problem, remedy = _PAGE
    else:
        return
    raise _refused(problem, remedy, source, part, url, answer)


_PAGE = (
    "a web page (a login or error page?), not data",
    "open the address in a browser; where it wants a registration, download by hand",
)


def _wants_page(part: Path) -> bool:
    return PurePosixPath(part.name.removesuffix(".part")).suffix.lower() in (".html", ".htm")


def _refused(
    problem: str, remedy: str, source: str, part: Path, url: str, answer: requests.Response
) -> ArchiveError:
    return ArchiveError(
        problem,
        source=source,
        file=part.name.removesuffix(".part"),
        where=url,
        samples=[answer.url] if answer.url != url else [],
        remedy=remedy,
    )
