"""A small STAC API in this process: item search page by page, files by range, and their faults."""

import contextlib
import datetime
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFORMS = [
    f"https://api.stacspec.org/v1.0.0/{name}"
    for name in ("core", "collections", "ogcapi-features", "item-search")
]


@dataclass
class Api:
    """A running API, how it behaves, and what it was asked."""

    address: str
    items: list[dict] = field(default_factory=list)
    files: dict[str, bytes | Path] = field(default_factory=dict)
    """Path below `/files` -> content."""
    etags: dict[str, str] = field(default_factory=dict)
    methods: tuple[str, ...] = ("GET", "POST")
    """Ways of searching that the root offers."""
    limit: int = 2
    """Items of a page."""
    failures: dict[str, list[int]] = field(default_factory=dict)
    """Path -> what it answers before the first good answer."""
    pages: dict[int, bytes | int] = field(default_factory=dict)
    """What is sent in place of a page of a search: bytes, or an error; the first page is 0."""
    circle: bool = False
    """Does the last page lead to the second again?"""
    cuts: dict[str, list[int]] = field(default_factory=dict)
    """Path of a file -> after how many bytes its next answers break off."""
    asked: list[tuple[str, str, dict]] = field(default_factory=list)
    """Method, path and parameters of each search, headers of each request for a file."""

    def searches(self) -> list[tuple[str, dict]]:
        """Method and parameters of the searches."""
        return [(method, said) for method, path, said in self.asked if path == "/search"]

    def requests(self, path: str) -> list[dict]:
        """Headers of the requests for a file."""
        return [said for _, asked, said in self.asked if asked == path]

    def root(self) -> dict:
        """Landing page."""
        links = [
            {"rel": "self", "href": f"{self.address}/"},
            {"rel": "root", "href": f"{self.address}/"},
            {"rel": "data", "href": f"{self.address}/collections"},
        ]
        links += [
            {
                "rel": "search",
                "href": f"{self.address}/search",
                "type": "application/geo+json",
                "method": method,
            }
            for method in self.methods
        ]
        return {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "local",
            "description": "For tests.",
            "conformsTo": CONFORMS,
            "links": links,
        }

    def collections(self) -> list[dict]:
        """One for each that an item names."""
        return [
            {
                "type": "Collection",
                "stac_version": "1.0.0",
                "id": name,
                "description": name,
                "license": "other",
                "extent": {
                    "spatial": {"bbox": [[-180, -90, 180, 90]]},
                    "temporal": {"interval": [[None, None]]},
                },
                "links": [{"rel": "root", "href": f"{self.address}/"}],
            }
            for name in sorted({item["collection"] for item in self.items})
        ]

    def search(self, method: str, said: dict) -> bytes | int:
        """One page of a search."""
        page = int(said.get("token", 0))
        if page in self.pages:
            return self.pages[page]
        found = [item for item in self.items if meets(item, said)]
        here = found[page * self.limit : (page + 1) * self.limit]
        links = []
        last = (page + 1) * self.limit >= len(found)
        if not last or self.circle:
            token = {"token": "1" if last else str(page + 1)}
            href = f"{self.address}/search"
            if method == "POST":
                links = [{"rel": "next", "href": href, "method": "POST", "body": {**said, **token}}]
            else:
                query = urllib.parse.urlencode({**said, **token})
                links = [{"rel": "next", "href": f"{href}?{query}"}]
        return json.dumps({"type": "FeatureCollection", "features": here, "links": links}).encode()


def meets(item: dict, said: dict) -> bool:
    """Is an item of the collection, box and period that a search wants?"""
    wanted = said.get("collections", [])
    if item["collection"] not in (wanted.split(",") if isinstance(wanted, str) else wanted):
        return False
    if box := said.get("bbox"):
        west, south, east, north = map(float, box.split(",") if isinstance(box, str) else box)
        mine = item["bbox"]
        if mine[0] > east or mine[2] < west or mine[1] > north or mine[3] < south:
            return False
    if period := said.get("datetime"):
        first, _, last = period.partition("/")
        when = datetime.datetime.fromisoformat(item["properties"]["datetime"])
        if first != ".." and when < datetime.datetime.fromisoformat(first):
            return False
        if last != ".." and when > datetime.datetime.fromisoformat(last):
            return False
    return True


@contextlib.contextmanager
def serving_stac() -> Iterator[Api]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Or head and body of a small answer arrive 40 ms apart.
        disable_nagle_algorithm = True

        def handle(self) -> None:
            # GDAL closes connections without a word.
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:  # noqa: N802
            path, _, query = self.path.partition("?")
            self.handle_one(path, dict(urllib.parse.parse_qsl(query)))

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.handle_one(self.path, json.loads(body))

        def handle_one(self, path: str, said: dict) -> None:
            if api.failures.get(path):
                return self.answer(api.failures[path].pop(0), b"out of order")
            if path == "/":
                return self.send(api.root())
            if path == "/search" and self.command in api.methods:
                api.asked.append((self.command, path, said))
                page = api.search(self.command, said)
                return self.answer(page, b"") if isinstance(page, int) else self.answer(200, page)
            if path == "/collections":
                return self.send({"collections": api.collections(), "links": []})
            if path.removeprefix("/files/") in api.files:
                return self.file(path.removeprefix("/files/"))
            return self.answer(404, b"there is none")

        def file(self, name: str) -> None:
            api.asked.append((self.command, name, dict(self.headers)))
            held = api.files[name]
            data = held.read_bytes() if isinstance(held, Path) else held
            etag = api.etags.get(name, f'"{len(data)}"')
            head = {"ETag": etag, "Content-Type": "image/tiff"}
            status, wanted = 200, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted and self.headers.get("If-Range", etag) == etag:
                first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
                head["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
                status, data = 206, data[first : last + 1]
            self.answer(status, data, head, api.cuts.get(name))

        def send(self, content: dict) -> None:
            self.answer(200, json.dumps(content).encode())

        def answer(
            self,
            status: int,
            body: bytes,
            head: dict[str, str] | None = None,
            cuts: list[int] | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in (head or {"Content-Type": "application/json"}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if cuts:
                self.wfile.write(body[: cuts.pop(0)])
                self.wfile.flush()
                self.close_connection = True
                self.connection.close()
                return
            # A client that wanted a range hangs up when it is sent the whole.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = Api(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def item(
    id_: str,
    collection: str,
    bbox: tuple[float, float, float, float],
    moment: str,
    assets: dict[str, dict],
    **properties: object,
) -> dict:
    """An item as an API lists it."""
    west, south, east, north = bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": id_,
        "collection": collection,
        "bbox": list(bbox),
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"datetime": moment, **properties},
        "links": [],
        "assets": assets,
    }
