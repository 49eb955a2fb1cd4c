"""Where to keep tiles: Zarr v3 shards, WebDataset tar, Parquet and Lance, on the same tiles.

Writes the same synthetic tiles (stored types, masks, smooth fields with sensor noise) in each
format, compressed by zstd level 3 in each, and reads them back: in random order, in order with two
processes, and two modalities only; from the disk and through a local HTTP server with range
requests. Every reader must give the bytes that were written. The machine is shared: the ratios
count, not the seconds.

    pip install zarr obstore pylance        # only this comparison needs them
    PYTHONPATH=. python benchmarks/tile_formats.py --tiles 300
"""

import argparse
import io
import json
import multiprocessing
import re
import resource
import tarfile
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3
from scipy.ndimage import gaussian_filter

from adapters.modalities import modality

IMAGES = ("sentinel2", "sentinel1", "relief", "canopy_height", "worldcover", "dynamic_world")
SUBSET = ("relief", "worldcover")
SHARD, GROUP = 64, 4
"""Tiles of a shard, and rows of a Parquet row group."""
ZSTD = pa.Codec("zstd", 3)


# The tiles.


def tile(number: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Stored array and mask of each modality: smooth fields with the noise of real sensors."""
    random = np.random.default_rng(number)

    def smooth(bands: int, sigma: float) -> np.ndarray:
        field = gaussian_filter(random.normal(size=(bands, 128, 128)), (0, sigma, sigma))
        return field / field.std()

    cloud = smooth(1, 12)[0] > 1.2 if number % 4 == 0 else np.zeros((128, 128), bool)
    ground, fine = smooth(1, 16), smooth(12, 2.2)
    level = np.array([0.04, 0.05, 0.07, 0.08, 0.13, 0.24, 0.29, 0.31, 0.32, 0.33, 0.22, 0.13])
    values = level[:, None, None] * (1 + 0.25 * ground + 0.12 * fine)
    values = values.clip(0.001) + random.normal(0, 0.0006, values.shape)
    radar = np.full((8, 128, 128), np.nan)
    for first in (0, 4) if number % 3 else (0,):
        radar[first : first + 2] = -13 + 2.5 * smooth(2, 3) + random.normal(0, 0.25, (2, 128, 128))
    height = 300 + 60 * smooth(1, 24)[0]
    slope = np.degrees(np.arctan(np.hypot(*np.gradient(height, 10.0))))
    classes = np.digitize(smooth(1, 5)[0], [-1.0, -0.3, 0.4, 1.2])
    canopy = np.where(classes == 0, 15 + 4 * smooth(1, 2)[0], 0).clip(0)
    made = {
        "sentinel2": (values, np.broadcast_to(~cloud, values.shape)),
        "sentinel1": (radar, ~np.isnan(radar)),
        "relief": (np.stack([height, slope]).astype(np.float32), np.ones((2, 128, 128), bool)),
        "canopy_height": (np.stack([canopy, 1 + 0.1 * canopy]), np.ones((2, 128, 128), bool)),
        "worldcover": (np.array([10, 20, 30, 40, 50])[classes][None], np.ones((1, 128, 128), bool)),
        "dynamic_world": (np.array([1, 5, 2, 4, 6])[classes][None], ~cloud[None]),
    }
    return {
        name: (modality(name).stored(v.astype(modality(name).array_dtype), p), np.array(p))
        for name, (v, p) in made.items()
    }


def packed(array: np.ndarray) -> bytes:
    """A zstd frame of the array's bytes; a mask's as bits."""
    raw = np.packbits(array) if array.dtype == bool else array
    return ZSTD.compress(np.ascontiguousarray(raw).tobytes(), asbytes=True)


def unpacked(frame: bytes | memoryview, name: str, mask: bool) -> np.ndarray:
    """The array of `packed`."""
    spec = modality(name)
    count = int(np.prod(spec.shape))
    if mask:
        bits = np.frombuffer(ZSTD.decompress(frame, count // 8), np.uint8)
        return np.unpackbits(bits).view(bool).reshape(spec.shape)
    dtype = np.dtype(spec.dtype)
    return np.frombuffer(ZSTD.decompress(frame, count * dtype.itemsize), dtype).reshape(spec.shape)


def columns(wanted: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """Column, modality and whether it is the mask, for what is wanted."""
    return [(n + e, n, bool(e)) for n in wanted for e in ("", "__present")]


Read = dict[str, tuple[np.ndarray, np.ndarray]]


def both(parts: dict[str, np.ndarray], wanted: tuple[str, ...]) -> Read:
    """Arrays with their masks."""
    return {name: (parts[name], parts[name + "__present"]) for name in wanted}


# The ways. Each has `write(tiles, folder)`, `read(i, wanted)` and `scan(first, last, wanted)`.


class Ranges:
    """Bytes of a file, or of an address by range requests; a file object for pyarrow."""

    def __init__(self, place: str) -> None:
        self.place, self.at, self.closed = place, 0, False
        self.remote = place.startswith("http")
        self.file = None if self.remote else Path(place).open("rb", buffering=0)  # noqa: SIM115
        self.pool = urllib3.PoolManager()

    def get(self, start: int, length: int) -> bytes:
        """Some bytes."""
        if self.file is not None:
            self.file.seek(start)
            return self.file.read(length)
        asked = {"Range": f"bytes={start}-{start + length - 1}"}
        return self.pool.request("GET", self.place, headers=asked).data

    def size(self) -> int:
        """Bytes in all."""
        if self.file is None:
            return int(self.pool.request("HEAD", self.place).headers["Content-Length"])
        return Path(self.place).stat().st_size

    def read(self, count: int = -1) -> bytes:
        """As files do."""
        count = self.size() - self.at if count < 0 else count
        found = self.get(self.at, count) if count else b""
        self.at += len(found)
        return found

    def seek(self, to: int, whence: int = 0) -> int:
        """As files do."""
        self.at = to + (0, self.at, self.size() if whence == 2 else 0)[whence]
        return self.at

    def tell(self) -> int:
        """As files do."""
        return self.at

    def readable(self) -> bool:
        """As files do."""
        return True

    seekable = readable

    def writable(self) -> bool:
        """As files do."""
        return False

    def flush(self) -> None:
        """As files do."""

    def close(self) -> None:
        """As files do."""
        self.closed = True


class Tar:
    """WebDataset: one member a modality; an index of offsets makes any member one range."""

    def __init__(self, place: str) -> None:
        with pq.ParquetFile(Ranges(f"{place}/index.parquet")) as file:
            self.index = file.read().to_pylist()
        self.place, self.files = place, {}

    @staticmethod
    def write(tiles: Iterator[Read], folder: Path) -> None:
        """Shards and index."""
        rows, out = [], None
        for i, made in enumerate(tiles):
            if i % SHARD == 0:
                if out is not None:
                    out.close()
                out = tarfile.open(folder / f"{i // SHARD:05d}.tar", "w")  # noqa: SIM115
            row = {"shard": f"{i // SHARD:05d}.tar"}
            for column, name, mask in columns(IMAGES):
                frame = packed(made[name][mask])
                info = tarfile.TarInfo(f"{i:06d}.{column}.zst")
                info.size = len(frame)
                row[column] = [out.offset + 512, len(frame)]
                out.addfile(info, io.BytesIO(frame))
            rows.append(row)
        out.close()
        pq.write_table(pa.Table.from_pylist(rows), folder / "index.parquet")

    def read(self, i: int, wanted: tuple[str, ...]) -> Read:
        """One tile: neighbouring members are one range."""
        row, parts = self.index[i], {}
        asked = columns(wanted)
        if row["shard"] not in self.files:
            self.files[row["shard"]] = Ranges(f"{self.place}/{row['shard']}")
        file = self.files[row["shard"]]
        runs: list[list] = []
        for column, name, mask in sorted(asked, key=lambda c: row[c[0]][0]):
            start, length = row[column]
            if runs and start - runs[-1][1] <= 4096:
                runs[-1][1] = start + length
            else:
                runs.append([start, start + length, []])
            runs[-1][2].append((column, name, mask))
        for first, last, members in runs:
            data = memoryview(file.get(first, last - first))
            for column, name, mask in members:
                start, length = row[column]
                frame = data[start - first : start - first + length]
                parts[column] = unpacked(frame, name, mask)
        return both(parts, wanted)

    def scan(self, first: int, last: int, wanted: tuple[str, ...]) -> Iterator[Read]:
        """In order."""
        return (self.read(i, wanted) for i in range(first, last))


class Parquet:
    """One row a tile, a column a modality, the frames as binary, uncompressed besides."""

    def __init__(self, place: str) -> None:
        self.shards = json.loads(Ranges(f"{place}/shards.json").read())
        self.place, self.files = place, {}

    @staticmethod
    def write(tiles: Iterator[Read], folder: Path) -> None:
        """Shards of row groups."""
        rows, names = [], []

        def flush() -> None:
            names.append(f"{len(names):05d}.parquet")
            pq.write_table(
                pa.Table.from_pylist(rows),
                folder / names[-1],
                row_group_size=GROUP,
                compression="none",
                use_dictionary=False,
                write_statistics=False,
            )
            rows.clear()

        for made in tiles:
            rows.append({c: packed(made[name][mask]) for c, name, mask in columns(IMAGES)})
            if len(rows) == SHARD:
                flush()
        if rows:
            flush()
        (folder / "shards.json").write_text(json.dumps(names))

    def group(self, i: int, wanted: tuple[str, ...]) -> pa.Table:
        """The row group of a tile."""
        name = self.shards[i // SHARD]
        if name not in self.files:
            self.files[name] = pq.ParquetFile(Ranges(f"{self.place}/{name}"), pre_buffer=True)
        asked = [column for column, _, _ in columns(wanted)]
        return self.files[name].read_row_group(i % SHARD // GROUP, columns=asked)

    @staticmethod
    def row(table: pa.Table, at: int, wanted: tuple[str, ...]) -> Read:
        """One row of it."""
        return both(
            {c: unpacked(table[c][at].as_buffer(), n, m) for c, n, m in columns(wanted)}, wanted
        )

    def read(self, i: int, wanted: tuple[str, ...]) -> Read:
        """One tile: its row group is read."""
        return self.row(self.group(i, wanted), i % GROUP, wanted)

    def scan(self, first: int, last: int, wanted: tuple[str, ...]) -> Iterator[Read]:
        """In order, each row group once."""
        table, held = None, -1
        for i in range(first, last):
            if i // GROUP != held:
                table, held = self.group(i, wanted), i // GROUP
            yield self.row(table, i % GROUP, wanted)


class Zarr:
    """One array a modality and one a mask, a chunk a tile, chunks in shards."""

    def __init__(self, place: str) -> None:
        import obstore
        import zarr

        if place.startswith("http"):
            http = obstore.store.HTTPStore(place, client_options={"allow_http": True})
            store = zarr.storage.ObjectStore(http, read_only=True)
        else:
            store = zarr.storage.LocalStore(place, read_only=True)
        self.arrays = {
            column: zarr.open_array(store, path=column, mode="r", zarr_format=3)
            for column, _, _ in columns(IMAGES)
        }

    @staticmethod
    def write(tiles: Iterator[Read], folder: Path) -> None:
        """A shard at a time."""
        import zarr

        tiles = list(tiles)
        group = zarr.create_group(zarr.storage.LocalStore(folder))
        for column, name, mask in columns(IMAGES):
            bands, high, wide = modality(name).shape
            # Bits, as in the other formats: zarr's own bool is a byte a pixel before compression.
            shape = (bands, high, wide // 8) if mask else (bands, high, wide)
            array = group.create_array(
                column,
                shape=(len(tiles), *shape),
                chunks=(1, *shape),
                shards=(SHARD, *shape),
                dtype="uint8" if mask else modality(name).dtype,
                compressors=zarr.codecs.ZstdCodec(level=3),
                fill_value=0,
            )
            for first in range(0, len(tiles), SHARD):
                part = np.stack([t[name][mask] for t in tiles[first : first + SHARD]])
                array[first : first + len(part)] = np.packbits(part, axis=-1) if mask else part

    def part(self, picked: slice, wanted: tuple[str, ...]) -> list[Read]:
        """Some neighbouring tiles."""
        found = {}
        for column, _, mask in columns(wanted):
            values = self.arrays[column][picked]
            found[column] = np.unpackbits(values, axis=-1).view(bool) if mask else values
        count = len(found[wanted[0]])
        return [both({c: v[i] for c, v in found.items()}, wanted) for i in range(count)]

    def read(self, i: int, wanted: tuple[str, ...]) -> Read:
        """One tile."""
        return self.part(slice(i, i + 1), wanted)[0]

    def scan(self, first: int, last: int, wanted: tuple[str, ...]) -> Iterator[Read]:
        """In order, sixteen at a time."""
        for start in range(first, last, 16):
            yield from self.part(slice(start, min(start + 16, last)), wanted)


class Lance:
    """One row a tile, the frames as binary."""

    def __init__(self, place: str) -> None:
        import lance

        self.data = lance.dataset(f"{place}/tiles.lance")

    @staticmethod
    def write(tiles: Iterator[Read], folder: Path) -> None:
        """One dataset."""
        import lance

        rows = [{c: packed(t[name][m]) for c, name, m in columns(IMAGES)} for t in tiles]
        lance.write_dataset(pa.Table.from_pylist(rows), str(folder / "tiles.lance"))

    def read(self, i: int, wanted: tuple[str, ...]) -> Read:
        """One tile."""
        asked = [column for column, _, _ in columns(wanted)]
        return Parquet.row(self.data.take([i], columns=asked), 0, wanted)

    def scan(self, first: int, last: int, wanted: tuple[str, ...]) -> Iterator[Read]:
        """In order."""
        asked = [column for column, _, _ in columns(wanted)]
        options = {"columns": asked, "offset": first, "limit": last - first, "batch_size": 16}
        for batch in self.data.to_batches(**options):
            table = pa.Table.from_batches([batch])
            for at in range(len(batch)):
                yield Parquet.row(table, at, wanted)


WAYS = {"WebDataset tar + index": Tar, "Zarr v3 shards": Zarr, "Parquet": Parquet, "Lance": Lance}


# The measurement.


def read_bytes() -> int:
    """Bytes that this process asked the system to read."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])


def serve(folder: str, port) -> None:  # noqa: ANN001
    """Files by range requests, in a process of its own; `/asked` says how much was sent."""
    sent, guard = [0, 0], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:  # noqa: N802
            if self.path == "/asked":
                return self.answer(200, json.dumps(sent).encode(), {})
            path = Path(folder) / self.path.lstrip("/")
            if not path.is_file():
                return self.answer(404, b"", {})
            size, wanted = path.stat().st_size, self.headers.get("Range")
            if self.command == "HEAD":
                return self.answer(200, b"", {"Content-Length": str(size)})
            with path.open("rb") as file:
                if wanted is None:
                    return self.answer(200, file.read(), {})
                first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted).groups()
                start = int(first) if first else size - int(last)
                stop = min(int(last) + 1 if first and last else size, size)
                file.seek(start)
                head = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
                return self.answer(206, file.read(stop - start), head)

        do_HEAD = do_GET  # noqa: N815

        def answer(self, status: int, body: bytes, head: dict[str, str]) -> None:
            if self.path != "/asked":
                with guard:
                    sent[0] += len(body)
                    sent[1] += 1
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **head}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


def worker(way: str, place: str, job: str, part: range, wanted: tuple, ready, out) -> None:  # noqa: ANN001
    """Read some tiles; tells wall seconds, processor seconds and bytes."""
    reader = WAYS[way](place)
    reader.read(part[0], wanted)
    ready.wait()
    before, start = read_bytes(), time.perf_counter()
    spent = time.process_time()
    if job == "random":
        for i in np.random.default_rng(1).permutation(part):
            reader.read(int(i), wanted)
    else:
        for _ in reader.scan(part[0], part[-1] + 1, wanted):
            pass
    took = time.perf_counter() - start
    out.put((took, time.process_time() - spent, read_bytes() - before))


def measure(way: str, place: str, job: str, count: int, wanted: tuple, processes: int) -> dict:
    """Tiles per second, processor milliseconds and kilobytes a tile."""
    asked = f"{place.rsplit('/', 1)[0]}/asked" if place.startswith("http") else None
    context = multiprocessing.get_context("spawn")
    ready, out = context.Barrier(processes + 1), context.Queue()
    cuts = np.linspace(0, count, processes + 1).astype(int)
    started = [
        context.Process(target=worker, args=(way, place, job, range(a, b), wanted, ready, out))
        for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    ]
    for process in started:
        process.start()
    ready.wait(120)
    sent = json.load(urllib.request.urlopen(asked)) if asked else [0, 0]
    answers = [out.get(timeout=600) for _ in started]
    for process in started:
        process.join()
    after = json.load(urllib.request.urlopen(asked)) if asked else [0, 0]
    volume = after[0] - sent[0] if asked else sum(a[2] for a in answers)
    return {
        "rate": count / max(a[0] for a in answers),
        "cpu": 1000 * sum(a[1] for a in answers) / count,
        "kilobytes": volume / count / 1000,
        "requests": (after[1] - sent[1]) / count,
    }


def check(way: str, place: str, count: int) -> None:
    """Every way must give what was written."""
    reader = WAYS[way](place)
    for i in (0, count // 2, count - 1):
        for name, (values, mask) in reader.read(i, IMAGES).items():
            truth = tile(i)[name]
            # Bytes, since absent pixels of relief are NaN.
            if values.tobytes() != truth[0].tobytes() or not np.array_equal(mask, truth[1]):
                raise SystemExit(f"{way} gives another {name} of tile {i}")


JOBS = {
    "random": ("random", IMAGES, 1),
    "random, 2 modalities": ("random", SUBSET, 1),
    "in order, 2 processes": ("scan", IMAGES, 2),
    "in order, 2 modalities, 2 processes": ("scan", SUBSET, 2),
}


def main() -> None:
    """Write, check and read each way; print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=300)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder by default")
    arguments = parser.parse_args()
    count, context = arguments.tiles, multiprocessing.get_context("spawn")
    raw = sum(a.nbytes for name in IMAGES for a in tile(1)[name][:1])
    print(f"{count} tiles of {raw / 1000:.0f} kB uncompressed, {SHARD} a shard")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        port = context.Value("i", 0)
        server = context.Process(target=serve, args=(temporary, port), daemon=True)
        server.start()
        for number, way in enumerate(arguments.ways):
            folder = Path(temporary) / f"way{number}"
            folder.mkdir()
            start = time.perf_counter()
            WAYS[way].write((tile(i) for i in range(count)), folder)
            took = time.perf_counter() - start
            files = [f for f in folder.rglob("*") if f.is_file()]
            size = sum(f.stat().st_size for f in files) / count / 1000
            print(f"\n{way}: {size:.1f} kB a tile, {len(files)} files, written in {took:.0f} s")
            for where, place in (
                ("disk", str(folder)),
                ("http", f"http://127.0.0.1:{port.value}/{folder.name}"),
            ):
                try:
                    check(way, place, count)
                except Exception as error:  # noqa: BLE001 - what a library cannot do is a result
                    print(f"  {where}: cannot be read: {str(error)[:120]}")
                    continue
                for job, (kind, wanted, processes) in JOBS.items():
                    runs = [measure(way, place, kind, count, wanted, processes) for _ in range(2)]
                    best = max(runs, key=lambda r: r["rate"])
                    print(
                        f"  {where} {job:36s} {best['rate']:7.0f} tiles/s {best['cpu']:6.2f} ms CPU"
                        f" {best['kilobytes']:8.1f} kB {best['requests']:5.1f} requests a tile"
                    )
        server.terminate()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\npeak memory of the parent {peak:.1f} GB")


if __name__ == "__main__":
    main()
