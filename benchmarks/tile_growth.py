"""What grows with the number of tiles of a set: bytes, shards, index, time to write, open and read.

Three measurements, each in a process of its own, and a sum toward 2.5 million tiles:

* full tiles (the six pictures of `tile_formats.py`, 24 different ones over and over, at places of
  their own): how many bytes a tile has, and how long it takes to write;
* tiles of land cover alone: as many as is asked for, written, opened and read in earnest;
* the index of full tiles, its rows repeated under other ids: how long opening takes and how much
  memory an open set holds, since its columns are more than those of land cover alone.

    PYTHONPATH=. python benchmarks/tile_growth.py --full 1000 --small 1000 10000 100000
"""

import argparse
import dataclasses
import hashlib
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from loader import tile as made_tile

from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from fusion.tiles.writing import SHARD_TILES, write

DIFFERENT = 24
AIM = 2_500_000


def placed(number: int, count: int) -> tuple[float, float]:
    """A place on a sunflower's spiral over the land-like half of the Earth: evenly spread."""
    turn = number * (1 + 5**0.5) / 2 % 1
    latitude = np.degrees(np.arcsin(-0.7 + 1.6 * (number + 0.5) / count))
    return 360.0 * turn - 180.0, float(latitude)


def tiles(count: int, small: bool) -> Iterator[Tile]:
    """Tiles at places of their own."""
    drawn = [made_tile(i) for i in range(min(DIFFERENT, count))]
    for number in range(count):
        base = drawn[number % len(drawn)]
        longitude, latitude = placed(number, count)
        zone = int((longitude + 180) // 6) % 60 + 1
        names = ["worldcover"] if small else [*base.arrays]
        yield dataclasses.replace(
            base,
            id=f"tile-{number:08d}",
            longitude=longitude,
            latitude=latitude,
            crs=f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}",
            arrays={name: base.arrays[name] for name in names},
            present={name: base.present[name] for name in names},
        )


def memory() -> float:
    """MB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def written(folder: Path, count: int, small: bool, out) -> None:  # noqa: ANN001
    """Write a set."""
    # Drawing tiles is no part of a set's growth.
    listed = list(tiles(count, small)) if count <= 1000 else tiles(count, small)
    cpu, start = time.process_time(), time.perf_counter()
    version = write(listed, folder)
    took = time.perf_counter() - start
    shards = [p.stat().st_size for p in (version / "shards").iterdir()]
    out.put(
        {
            "folder": str(version),
            "write_s": took,
            "write_cpu_s": time.process_time() - cpu,
            "shards": len(shards),
            "shard_kB_a_tile": sum(shards) / count / 1000,
            "index_B_a_tile": (version / "index.parquet").stat().st_size / count,
            "set_json_kB": (version / "set.json").stat().st_size / 1000,
            "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        }
    )


def opened(folder: Path, reads: int, out) -> None:  # noqa: ANN001
    """Open a set and read some tiles of it."""
    before, cpu, start = memory(), time.process_time(), time.perf_counter()
    found = TileSet(folder)
    answer = {
        "open_s": time.perf_counter() - start,
        "open_cpu_s": time.process_time() - cpu,
        "held_MB": memory() - before,
    }
    if reads:
        rows = np.random.default_rng(0).integers(0, len(found), reads)
        cpu = time.process_time()
        for row in rows.tolist():
            found.stored(row)
        answer["read_cpu_ms"] = 1000 * (time.process_time() - cpu) / reads
    out.put(answer)


def repeated(version: Path, times: int, folder: Path) -> Path:
    """A set with an index of so many times the rows, and no shards."""
    folder.mkdir()
    index = pl.read_parquet(version / "index.parquet")
    grown = pl.concat([index.with_columns(pl.col("id") + f"-{k}") for k in range(times)])
    # Numbers that repeat would compress as real ones do not.
    noise = np.random.default_rng(1)
    for name in [n for n, t in grown.schema.items() if t == pl.List(pl.Float32)]:
        factor = pl.Series(noise.uniform(0.5, 1, grown.height).astype(np.float32))
        if not name.endswith(".share"):
            grown = grown.with_columns((pl.col(name) * factor).alias(name))
    hashes = pl.Series([hashlib.sha256(i.encode()).hexdigest() for i in grown["id"]])
    grown.with_columns(checksum=hashes).write_parquet(folder / "index.parquet")
    described = json.loads((version / "set.json").read_text())
    content = (folder / "index.parquet").read_bytes()
    described["index"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "set.json").write_text(json.dumps(described))
    return folder


def apart(job, *arguments: object) -> dict:  # noqa: ANN001
    """What a job tells, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    process = context.Process(target=job, args=(*arguments, out))
    process.start()
    answer = out.get(timeout=3600)
    process.join()
    return answer


def told(label: str, numbers: dict) -> None:
    """One line."""
    text = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if not isinstance(v, str))
    print(f"{label}: {text}", flush=True)


def main() -> None:
    """Measure and sum up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", type=int, default=1000)
    parser.add_argument("--small", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--index", type=int, nargs="*", default=[10, 100])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        full = apart(written, root / "full", arguments.full, False)
        version = Path(full["folder"])
        told(f"{arguments.full} full tiles", full | apart(opened, version, 200))
        for count in arguments.small:
            small = apart(written, root / f"small{count}", count, True)
            told(f"{count} of land cover alone", small | apart(opened, Path(small["folder"]), 200))
        grown: dict = {}
        for times in arguments.index:
            folder = repeated(version, times, root / f"index{times}")
            rows = times * arguments.full
            size = (folder / "index.parquet").stat().st_size / rows
            grown = {"rows": rows, "index_B_a_tile": size} | apart(opened, folder, 0)
            told(f"index of {rows} full tiles", grown)
        if grown:
            factor = AIM / grown["rows"]
            print(
                f"on paper, {AIM} full tiles: {full['shard_kB_a_tile'] * AIM / 1e9:.2f} TB in"
                f" {-(-AIM // SHARD_TILES)} shards, index {grown['index_B_a_tile'] * AIM / 1e9:.2f}"
                f" GB, opened in {grown['open_s'] * factor:.0f} s holding"
                f" {grown['held_MB'] * factor / 1000:.1f} GB, written in"
                f" {full['write_cpu_s'] / arguments.full * AIM / 3600:.0f} CPU hours"
            )


if __name__ == "__main__":
    main()
