"""An HTTP server in this process that serves bytes as publishers do, and fails as they do."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One address: what it hands out, and how it behaves."""

    content: bytes
    etag: str | None = None
    last_modified: str | None = None
    content_type: str = "application/octet-stream"
    busy: int = 0
    """How many answers are 503 before the first good one."""
    cut: list[int] = field(default_factory=list)
    """After how many bytes the next answers break off."""
    redirect: str | None = None
    ranges: bool = True
    status: int = 200


@dataclass
class Site:
    """What a running server serves, and what it was asked."""

    address: str
    pages: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], int]] = field(default_factory=list)
    """Path, headers of the request, status of the answer."""
    queries: list[str] = field(default_factory=list)
    """What stood behind the `?` of the addresses that were asked for."""

    def url(self, path: str) -> str:
        return f"{self.address}{path}"

    def answers(self, path: str) -> list[int]:
        return [status for asked, _, status in self.asked if asked == path]


@contextlib.contextmanager
def serving() -> Iterator[Site]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Or head and body of a small answer arrive 40 ms apart.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:  # noqa: N802
            path, _, query = self.path.partition("?")
            if query:
                site.queries.append(query)
            page = site.pages.get(path)
            if page is None:
                return self.answer(path, 404, b"", {})
            if page.busy:
                page.busy -= 1
                return self.answer(path, 503, b"busy", {})
            if page.redirect:
                return self.answer(path, 302, b"", {"Location": page.redirect})
            head = {"Content-Type": page.content_type}
            if page.etag:
                head["ETag"] = page.etag
            if page.last_modified:
                head["Last-Modified"] = page.last_modified
            if page.etag and self.headers.get("If-None-Match") == page.etag:
                return self.answer(path, 304, b"", head)
            known = self.headers.get("If-Modified-Since")
            if page.last_modified and known == page.last_modified:
                return self.answer(path, 304, b"", head)
            start = self.wanted(page)
            if start:
                whole = len(page.content)
                head["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
                return self.answer(path, 206, page.content[start:], head, page)
            return self.answer(path, page.status, page.content, head, page)

        def wanted(self, page: Served) -> int:
            """First byte asked for, where the edition is still the one that was begun."""
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (page.etag, page.last_modified)
            return int(asked[6:-1]) if asked and page.ranges and same else 0

        def answer(
            self,
            path: str,
            status: int,
            body: bytes,
            head: dict[str, str],
            page: Served | None = None,
        ) -> None:
            site.asked.append((path, dict(self.headers), status))
            self.send_response(status)
            for name, value in head.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status == 304:
                return
            if page and page.cut:
                self.wfile.write(body[: page.cut.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
