"""Loading tiles into batches: our sets beside the two published layouts, on the same tiles.

Ways, each as its own training code or documentation reads it, with two workers, all tiles in
batches of 16, the same six modalities:

* soilmeld: `training.tiles` (z-scores, codes as places, masks of presence, patches to hide) as the
  training loop has it, in two training processes that each read their share of every batch by
  threads of their own; and, to compare, by two processes that hand batches to a third.
* GeoMeld: tar shards of one HDF5 file a tile, float32, by the package webdataset as on the
  publisher's download page: every array of each member as a tensor, nothing standardised. Whether
  the published members are compressed is not said; both are measured. Random order is what
  webdataset has: shards in random order through a buffer of 1,000 samples. Two processes of a torch
  DataLoader, as for MMEarth.
* MMEarth: one HDF5 file of gzip chunks (1, bands, 128, 128), read by bands as its own dataset class
  does: z-scores in float64, codes remapped one by one, numbers for no data to NaN.

Then our set is read from the middle of a pass by a new process, which must give the bytes of a pass
that was never interrupted. The machine is shared: passes of the ways take turns, the ratios count,
and CPU milliseconds a tile, of all processes, are given beside the rates. Files are in the page
cache.

    pip install webdataset        # only this comparison needs it
    PYTHONPATH=. python benchmarks/loader.py --tiles 512
"""

import argparse
import datetime
import hashlib
import io
import json
import multiprocessing
import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from tile_formats import tile as stored_tile
from torch.utils.data import DataLoader, Dataset

from adapters.modalities import modality
from fusion.tiles.tile import Tile
from fusion.tiles.writing import write
from training.ahead import ahead
from training.masks import order
from training.recipe import TilesDataset
from training.tiles import load
from training.train import READERS

BATCH, WORKERS, SHARD = 16, 2, 64
SEED = 5
KEYS = {
    "sentinel2": "sentinel2",
    "sentinel1": "sentinel1",
    "aster": "relief",
    "canopy_height": "canopy_height",
    "esa_worldcover": "worldcover",
    "dynamic_world": "dynamic_world",
}
"""Key in both published layouts (MMEarth's canopy height has a suffix) -> our modality."""


def tile(number: int) -> Tile:
    """A synthetic tile with the noise of real sensors, 150 km from its neighbours."""
    found = stored_tile(number)
    row, column = divmod(number, 40)
    longitude, latitude = -40.0 + 2.0 * column, 55.0 - 1.5 * row
    zone = int((longitude + 180) // 6) + 1
    return Tile(
        id=f"tile-{number:06d}",
        longitude=longitude,
        latitude=latitude,
        crs=f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}",
        west=500_000.0,
        north=5_000_000.0,
        date=datetime.date(2020, 6, 1),
        origin="synthetic",
        licences=("CC0-1.0",),
        arrays={name: modality(name).restored(values) for name, (values, _) in found.items()},
        present={name: mask for name, (_, mask) in found.items()},
    )


# The ways: `write(tiles, folder)` and `loader(folder, random)`, whose every pass gives all batches.


class Draws(Dataset):
    """Batches of our dataset by number, or shares of them, as the training loop draws them."""

    def __init__(self, folder: Path, random: bool, rank: int = 0, ranks: int = 1) -> None:
        self.data = load(folder, TilesDataset(captions="none"))
        self.random, self.count = random, len(self.data.tiles)
        self.places = np.array_split(np.arange(BATCH), ranks)[rank]

    def __len__(self) -> int:
        return self.count // BATCH

    def __getitem__(self, number: int) -> dict:
        draws = number * BATCH + self.places
        rows = order(self.count, SEED, draws) if self.random else draws % self.count
        return self.data.draw(rows, draws, SEED)


def read_as_rank(folder: Path, random: bool, rank: int, pipe) -> None:  # noqa: ANN001
    """A training process that does nothing but read: one pass whenever it is told to."""
    torch.set_num_threads(1)
    draws = Draws(folder, random, rank, WORKERS)
    while pipe.recv():
        batches = ahead(draws.__getitem__, range(len(draws)), READERS)
        pipe.send(sum(len(batch["visible"]) for batch in batches))


class Ranks:
    """Training processes that each read their share of every batch."""

    def __init__(self, folder: Path, random: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for rank in range(WORKERS):
            here, there = context.Pipe()
            arguments = (folder, random, rank, there)
            self.processes.append(context.Process(target=read_as_rank, args=arguments, daemon=True))
            self.processes[-1].start()
            self.pipes.append(here)

    def one_pass(self) -> int:
        """Tiles of a pass."""
        for pipe in self.pipes:
            pipe.send(True)
        return sum(pipe.recv() for pipe in self.pipes)

    def close(self) -> None:
        """End the processes."""
        for pipe, process in zip(self.pipes, self.processes, strict=True):
            pipe.send(False)
            process.join()


class Handed:
    """Batches that worker processes hand over, by torch."""

    def __init__(self, data: Dataset, **options: object) -> None:
        self.loader = DataLoader(
            data, num_workers=WORKERS, persistent_workers=True, **{"batch_size": None, **options}
        )

    @property
    def processes(self) -> list:
        """The workers, once a pass was begun."""
        return self.loader._iterator._workers  # noqa: SLF001 - torch does not tell otherwise

    def one_pass(self) -> int:
        """Tiles of a pass."""
        return sum(len(batch.get("values", batch)["sentinel2"]) for batch in self.loader)

    def close(self) -> None:
        """End the processes."""
        self.loader._iterator._shutdown_workers()  # noqa: SLF001


class Ours:
    """Our tile sets."""

    files = "set"

    @staticmethod
    def write(tiles: Iterator[Tile], folder: Path) -> None:
        """A version of a set."""
        write(tiles, folder)

    @staticmethod
    def version(folder: Path) -> Path:
        """The one that was written."""
        return next(p for p in folder.iterdir() if (p / "set.json").is_file())

    @staticmethod
    def loader(folder: Path, random: bool) -> Ranks | Handed:
        """As the training loop reads."""
        return Ranks(Ours.version(folder), random)


class OursHanded(Ours):
    """The same, handed over."""

    @staticmethod
    def loader(folder: Path, random: bool) -> Handed:
        """Whole batches from each worker."""
        return Handed(Draws(Ours.version(folder), random))


class GeoMeld:
    """Tar shards of one HDF5 file a tile."""

    files = "tar"
    options: dict = {}

    @classmethod
    def write(cls, tiles: Iterator[Tile], folder: Path) -> None:
        """Shards."""
        out = None
        for i, made in enumerate(tiles):
            if i % SHARD == 0:
                if out is not None:
                    out.close()
                out = tarfile.open(folder / f"geomeld-{i // SHARD:05d}.tar", "w")  # noqa: SIM115
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as file:
                for key, name in KEYS.items():
                    dtype = np.uint8 if modality(name).is_classes else np.float32
                    data = np.where(made.present[name], made.arrays[name], 0).astype(dtype)
                    file.create_dataset(key, data=data, **cls.options)
                file["metadata"] = json.dumps({"tile_id": i, "lat": made.latitude})
            info = tarfile.TarInfo(f"{i:08d}.h5")
            info.size = len(buffer.getbuffer())
            out.addfile(info, io.BytesIO(buffer.getvalue()))
        out.close()

    @staticmethod
    def decoded(sample: dict) -> dict[str, torch.Tensor]:
        """Every array of a member."""
        with h5py.File(io.BytesIO(sample["h5"]), "r") as file:
            json.loads(file["metadata"][()])
            return {key: torch.from_numpy(file[key][()]) for key in KEYS}

    @classmethod
    def loader(cls, folder: Path, random: bool) -> Handed:
        """As on the download page."""
        import webdataset

        shards = sorted(str(p) for p in folder.glob("*.tar"))
        data = webdataset.WebDataset(shards, shardshuffle=100 if random else False)
        if random:
            data = data.shuffle(1000)
        return Handed(data.map(cls.decoded).batched(BATCH))


class GeoMeldGzip(GeoMeld):
    """With gzip-compressed arrays, h5py's level."""

    files = "tar-gzip"
    options = {"compression": "gzip"}


class MMEarth:
    """One HDF5 file, gzip, a chunk a tile."""

    files = "hdf5"
    dtypes = {
        "sentinel2": "uint16",
        "sentinel1": "float32",
        "aster": "int16",
        "canopy_height_eth": "int8",
        "esa_worldcover": "uint8",
        "dynamic_world": "uint8",
    }

    @classmethod
    def write(cls, tiles: Iterator[Tile], folder: Path) -> None:
        """The file and what stands beside it."""
        tiles, names = list(tiles), []
        with h5py.File(folder / "data_1M_v001.h5", "w") as file:
            for key, dtype in cls.dtypes.items():
                bands = 13 if key == "sentinel2" else len(modality(cls.ours(key)).bands)
                shape = (bands, 128, 128)
                file.create_dataset(
                    key, (len(tiles), *shape), dtype, chunks=(1, *shape), compression="gzip"
                )
            kind = np.dtype([("tile_id", "S100"), ("S2_type", "S10")])
            about = file.create_dataset("metadata", (len(tiles),), kind, chunks=(1,))
            for i, made in enumerate(tiles):
                names.append(made.id)
                about[i] = (made.id.encode(), b"l2a")
                for key in cls.dtypes:
                    name = cls.ours(key)
                    gone = -np.inf if key == "sentinel1" else 0
                    values = np.where(made.present[name], made.arrays[name], gone)
                    if key == "sentinel2":
                        values = np.insert(np.rint(values * 10_000), 10, 0, axis=0)
                    if key == "dynamic_world":
                        values = values + made.present[name]
                    file[key][i] = values.astype(cls.dtypes[key])
        stats = {
            key: {"mean": [1.0] * 13, "std": [2.0] * 13} for key in ("sentinel2_l2a", *cls.dtypes)
        }
        (folder / "stats.json").write_text(json.dumps(stats))
        (folder / "info.json").write_text(json.dumps({n: {"S2_type": "l2a"} for n in names}))

    @staticmethod
    def ours(key: str) -> str:
        """Our modality."""
        return KEYS[key.removesuffix("_eth")]

    @staticmethod
    def loader(folder: Path, random: bool) -> Handed:
        """A sample at a time, batched by torch."""
        return Handed(MMEarthSamples(folder), batch_size=BATCH, shuffle=random)


class MMEarthSamples(Dataset):
    """Does what MMEarth's own dataset class does to these modalities, band by band."""

    nodata = {
        "sentinel2": 0,
        "sentinel1": -np.inf,
        "aster": -np.inf,
        "canopy_height_eth": 255,
        "dynamic_world": 0,
        "esa_worldcover": 0,
    }

    def __init__(self, folder: Path) -> None:
        self.path, self.file = folder / "data_1M_v001.h5", None
        self.stats = json.loads((folder / "stats.json").read_text())
        self.info = json.loads((folder / "info.json").read_text())

    def __len__(self) -> int:
        return len(self.info)

    def __getitem__(self, i: int) -> dict:
        self.file = self.file or h5py.File(self.path, "r")
        name = self.file["metadata"][i][0].decode()
        sample: dict = {"id": name}
        for key, nodata in self.nodata.items():
            bands = [b for b in range(13) if b != 10] if key == "sentinel2" else None
            bands = bands or list(range(self.file[key].shape[1]))
            data = np.array(self.file[key][i, bands, ...])
            if key in ("dynamic_world", "esa_worldcover"):
                data = self.remapped(key, data)
            else:
                known = self.stats[
                    f"{key}_{self.info[name]['S2_type']}" if key == "sentinel2" else key
                ]
                mean, std = (np.array(known[k])[bands] for k in ("mean", "std"))
                data = (data - mean[:, None, None]) / std[:, None, None]
            if key != "dynamic_world":
                data = np.where(data == nodata, np.nan, data)
            if key in ("dynamic_world", "esa_worldcover"):
                sample[key] = np.where(np.isnan(data), -1, data).astype("int64")
            else:
                sample[key] = data.astype("float32")
        return sample

    @staticmethod
    def remapped(key: str, data: np.ndarray) -> np.ndarray:
        """Codes to positions, one code after the other."""
        if key == "dynamic_world":
            data = np.where(data == 0, np.nan, data)
            olds, news, last = [*range(1, 10), np.nan], [*range(9), np.nan], 8
        else:
            olds, news, last = [*modality("worldcover").codes, 255], [*range(11), 255], 10
        for old, new in zip(olds, news, strict=True):
            data = np.where(data == old, new, data)
        return np.where(data > last, np.nan, data)


WAYS = {
    "soilmeld": Ours,
    "soilmeld, handed over": OursHanded,
    "GeoMeld tar of h5": GeoMeld,
    "GeoMeld tar of h5, gzip": GeoMeldGzip,
    "MMEarth HDF5": MMEarth,
}


# The measurement.


def spent(loader: Ranks | Handed) -> tuple[float, int]:
    """CPU seconds of this process and the workers so far, and bytes that they asked to read."""
    seconds, read = 0.0, 0
    for number in (os.getpid(), *(process.pid for process in loader.processes)):
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        text = Path(f"/proc/{number}/io").read_text()
        read += int(re.search(r"rchar: (\d+)", text)[1])
    return seconds, read


def measure(loader: Ranks | Handed) -> dict[str, float]:
    """Of one pass; the workers are running."""
    (cpu, read), start = spent(loader), time.perf_counter()
    tiles = loader.one_pass()
    wall = time.perf_counter() - start
    after = spent(loader)
    return {
        "rate": tiles / wall,
        "cpu": 1000 * (after[0] - cpu) / tiles,
        "kilobytes": (after[1] - read) / tiles / 1000,
    }


def digests(folder: Path, numbers: range, out) -> None:  # noqa: ANN001
    """sha256 of the present values and all masks of some batches."""
    draws, found = Draws(folder, random=True), []
    for number in numbers:
        batch, digest = draws[number], hashlib.sha256()
        for name, mask in batch["present"].items():
            digest.update(mask.numpy().tobytes() + batch["values"][name][mask].numpy().tobytes())
        digest.update(batch["visible"].numpy().tobytes())
        found.append(digest.hexdigest())
    out.put(found)


def resumed(folder: Path, batches: int) -> bool:
    """Does a new process that begins in the middle of a pass draw what is left of it?"""
    context = multiprocessing.get_context("spawn")
    answers = []
    for first in (0, batches // 2):
        out = context.Queue()
        process = context.Process(target=digests, args=(folder, range(first, batches), out))
        process.start()
        answers.append(out.get(timeout=300))
        process.join()
    return answers[0][batches // 2 :] == answers[1]


def main() -> None:
    """Write, measure in turns, print rates and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=int, default=512)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--folder", type=Path, help="where to write, and to find what is written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.folder or Path(temporary)
        folders = {}
        for way in arguments.ways:
            folders[way] = root / f"{WAYS[way].files}-{arguments.tiles}"
            if not (folders[way] / "done").is_file():
                folders[way].mkdir(parents=True, exist_ok=True)
                WAYS[way].write((tile(i) for i in range(arguments.tiles)), folders[way])
                (folders[way] / "done").touch()
            size = sum(p.stat().st_size for p in folders[way].rglob("*") if p.is_file())
            print(f"{way}: {size / arguments.tiles / 1000:.0f} kB a tile", flush=True)
        for kind in ("random", "sequential"):
            loaders = {way: WAYS[way].loader(f, kind == "random") for way, f in folders.items()}
            found: dict[str, list[dict]] = {way: [] for way in folders}
            for loader in loaders.values():
                loader.one_pass()
            for _ in range(arguments.passes):
                for way, loader in loaders.items():
                    found[way].append(measure(loader))
            print(f"\n{kind}, {WORKERS} workers, {arguments.tiles} tiles, median of passes")
            medians = {
                way: {k: float(np.median([r[k] for r in runs])) for k in runs[0]}
                for way, runs in found.items()
            }
            base = medians.get("soilmeld")
            for way, result in medians.items():
                line = (
                    f"  {way:26s} {result['rate']:7.0f} samples/s {result['cpu']:6.2f} ms CPU"
                    f" {result['kilobytes']:7.0f} kB read a sample"
                )
                if base and not way.startswith("soilmeld"):
                    line += (
                        f"; soilmeld {base['rate'] / result['rate']:.2f} x samples/s,"
                        f" {result['cpu'] / base['cpu']:.2f} x less CPU,"
                        f" {result['kilobytes'] / base['kilobytes']:.2f} x fewer bytes"
                    )
                print(line, flush=True)
            for loader in loaders.values():
                loader.close()
        if "soilmeld" in folders:
            same = resumed(Ours.version(folders["soilmeld"]), arguments.tiles // BATCH)
            print(f"\nresumed in the middle of a pass: {'the same bytes' if same else 'DIFFERS'}")


if __name__ == "__main__":
    main()
