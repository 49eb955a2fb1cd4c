"""An HTTP server in this process that serves a folder by range requests, as object stores do."""

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class RangeSite:
    """A running server, how it behaves, and what it was asked."""

    address: str
    ranges: bool = True
    busy: int = 0
    """How many answers are 503 before the first good one."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of each good answer."""


@contextlib.contextmanager
def serving_folder(folder: Path) -> Iterator[RangeSite]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Or head and body of a small answer arrive 40 ms apart.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:  # noqa: N802
            if site.busy:
                site.busy -= 1
                return self.answer(503, b"")
            path = folder / self.path.lstrip("/")
            if not path.is_file():
                return self.answer(404, b"")
            data, wanted = path.read_bytes(), self.headers.get("Range")
            status = 200
            if wanted and site.ranges:
                first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", wanted).groups())
                data, status = data[first : last + 1], 206
            site.asked.append((self.path, len(data)))
            return self.answer(status, data)

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # A client that wanted a range hangs up when it is sent the whole.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = RangeSite(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
