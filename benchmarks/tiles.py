"""Tiles built from COGs: against a plain way with rioxarray, and against decoding alone.

The scenes are the twin's, one folder of files a place; read from the disk, and through a local HTTP
server with range requests. All ways are given the same choice of scenes and the same squares:

- `build`: `fusion.tiles.build.build_tiles`, which chooses the scenes itself.
- `plain`: each file opened with rioxarray, clipped to the square and a margin, and brought onto the
  tile's grid by `rio.reproject_match`; then scaled, masked and stacked.
- `decode`: each file opened and the blocks that the square touches read once, and nothing else.

What `build` and `plain` give is compared before anything is timed. The ways take turns, the best of
several rounds counts, in CPU seconds and seconds. The machine is shared: the ratios count.

    pip install rioxarray        # only this comparison needs it
    PYTHONPATH=. python benchmarks/tiles.py
"""

import argparse
import contextlib
import json
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import polars as pl
import rasterio
import rioxarray
import xarray as xr
from rasterio.enums import Resampling

from adapters.modalities import ModalitySpec, modality
from adapters.scenes.find import find
from adapters.scenes.scene import Layer, Scene
from adapters.settings import Settings
from adapters.twin.scenes import make
from fusion.tiles.build import build_tiles
from fusion.tiles.choose import Choice, Nearby, choose
from fusion.tiles.grid import Roi
from fusion.tiles.places import Place
from fusion.tiles.read import REMOTE, horn
from fusion.tiles.tile import Tile

MARGIN_M = 120.0
"""Beyond the square, so that interpolation has all it needs."""

Pictures = dict[str, tuple[np.ndarray, np.ndarray]]


# The plain way.


def grid(square: Roi, spec: ModalitySpec, margin: int = 0) -> xr.DataArray:
    """An empty picture on the grid of a tile."""
    x, y = square.centres(spec.gsd or 0.0, margin)
    empty = xr.DataArray(np.zeros((len(y), len(x)), np.uint8), {"y": y, "x": x}, ("y", "x"))
    return empty.rio.write_crs(square.crs)


def plain_layer(
    layer: Layer, spec: ModalitySpec, square: Roi, how: Resampling, margin: int = 0
) -> np.ndarray:
    """One band on the grid of a tile, NaN where it is absent."""
    edges = (square.west, square.north - 1280, square.west + 1280, square.north)
    west, south, east, north = edges
    with rioxarray.open_rasterio(layer.href) as file:
        assert isinstance(file, xr.DataArray)
        nodata = file.rio.nodata if layer.nodata is None else layer.nodata
        part = file.sel(band=[layer.band]).rio.clip_box(
            west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M, crs=square.crs
        )
        if nodata is not None and not np.isnan(nodata):
            part = part.where(part != nodata)
        part = part.astype(np.float32).rio.write_nodata(np.nan)
        made = part.rio.reproject_match(grid(square, spec, margin), resampling=how)
    return made.values[0] * layer.scale + layer.offset


def plain(chosen: Choice, square: Roi) -> Pictures:
    """The pictures of a tile."""
    made: Pictures = {}
    for id_, scenes in chosen.items():
        spec = modality(id_)
        array = np.full(spec.shape, np.nan, np.float32)
        how = Resampling[str(spec.resampling)]
        for scene in scenes:
            got = np.full(spec.shape, np.nan, np.float32)
            for name, layer in scene.layers.items():
                margin = int(id_ == "relief")
                band = plain_layer(layer, spec, square, how, margin)
                if margin:
                    slope, there = horn(band, np.isfinite(band), spec.gsd or 0.0)
                    got[spec.band("slope")] = np.where(there, slope, np.nan)
                    band = band[1:-1, 1:-1]
                got[spec.band(name)] = band
            if scene.mask is not None:
                layer, refused = scene.mask
                codes = plain_layer(layer, spec, square, Resampling.nearest)
                got[:, ~np.isfinite(codes) | np.isin(codes, refused)] = np.nan
            array = np.where(np.isfinite(array), array, got)
        present = np.isfinite(array)
        made[id_] = np.where(present, array, 0).astype(spec.array_dtype), present
    return made


# Decoding alone.


def files_of(chosen: Choice) -> list[str]:
    """Files that a tile needs."""
    scenes = [scene for listed in chosen.values() for scene in listed]
    layers = [layer.href for scene in scenes for layer in scene.layers.values()]
    return list(dict.fromkeys([*layers, *(s.mask[0].href for s in scenes if s.mask)]))


def touched(href: str, square: Roi) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns of the blocks of a file that the square touches."""
    with rasterio.open(href) as file:
        edges = (square.west, square.north - 1280, square.west + 1280, square.north)
        bounds = rasterio.warp.transform_bounds(square.crs, file.crs, *edges)
        (left, top), (right, low) = (~file.transform @ at for at in (bounds[0::3], bounds[2:0:-1]))
        spans = []
        pairs = ((top, low, file.height), (left, right, file.width))
        for (low_, high, size), step in zip(pairs, file.block_shapes[0], strict=True):
            first = max(0, int(low_ // step) * step)
            last = min(size, (int(high // step) + 1) * step)
            if last <= first:
                return None
            spans.append((first, last))
    return spans[0], spans[1]


def decode(windows: Sequence[tuple[str, tuple[tuple[int, int], tuple[int, int]]]]) -> None:
    """Read blocks, each once."""
    with rasterio.Env(**REMOTE):
        for href, window in windows:
            with rasterio.open(href) as file:
                file.read(window=window)


# Comparing.


def compare(tiles: Sequence[Tile], others: Sequence[Pictures]) -> dict[str, dict[str, float]]:
    """How two ways agree on the worst tile of each modality.

    Returns:
        Modality -> share of numbers of which both say the same presence; of those present in both,
        the share that is equal to half of what storage resolves (or the same class), and the root
        of the mean square of differences against the deviation of the picture.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for tile, other in zip(tiles, others, strict=True):
        assert tile.arrays.keys() == {id_ for id_, held in other.items() if held[1].any()}
        for id_, array in tile.arrays.items():
            spec, (theirs, there) = modality(id_), other[id_]
            both = tile.present[id_] & there
            said = found.setdefault(id_, {"presence": [], "equal": [], "rms": []})
            said["presence"].append(float((tile.present[id_] == there).mean()))
            away = np.abs(array.astype(np.float64) - theirs)[both]
            half = spec.scale / 2 if spec.dtype != "float32" else 1e-3
            said["equal"].append(float((away <= half).mean()))
            if not spec.is_classes:
                spread = np.std(array[both].astype(np.float64)) or 1.0
                said["rms"].append(float(np.sqrt(np.mean(away**2)) / spread))
    return {
        id_: {
            "presence": min(said["presence"]),
            "equal": min(said["equal"]),
            **({"rms": max(said["rms"])} if said["rms"] else {}),
        }
        for id_, said in found.items()
    }


# Serving.


def serve(folder: str, port) -> None:  # noqa: ANN001
    """Serve a folder by ranges; what stands before the first slash of a path is left out."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle(self) -> None:
            # GDAL closes connections without a word.
            with contextlib.suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:  # noqa: N802
            path = Path(folder) / self.path.lstrip("/").partition("/")[2]
            if not path.is_file():
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            size = path.stat().st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            first, last = (int(asked[1]), min(int(asked[2]), size - 1)) if asked else (0, size - 1)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            if self.command == "GET":
                with path.open("rb") as file:
                    file.seek(first)
                    self.wfile.write(file.read(last - first + 1))

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_port
    server.serve_forever()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Address of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=serve, args=(str(folder), port), daemon=True)
    process.start()
    while not port.value:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port.value}"
    finally:
        process.terminate()
        process.join()


def moved(scenes: Sequence[Scene], to: Callable[[str], str]) -> list[Scene]:
    """Scenes whose files lie elsewhere."""

    def layer(one: Layer) -> Layer:
        return replace(one, href=to(one.href))

    return [
        replace(
            one,
            layers={name: layer(held) for name, held in one.layers.items()},
            mask=one.mask and (layer(one.mask[0]), one.mask[1]),
        )
        for one in scenes
    ]


# Measuring.


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds and seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def measure(
    places: Sequence[Place], scenes: Sequence[Scene], squares: Mapping[str, Roi], rounds: int,
    addresses: Callable[[int], Callable[[str], str]],
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Best CPU seconds and seconds a tile of each way; each round has addresses of its own."""
    near = Nearby(scenes)
    known = [(squares[place.id], choose(place, near(place))) for place in places]
    blocks = [
        [(href, span) for href in files_of(chosen) if (span := touched(href, square))]
        for square, chosen in known
    ]
    taken: dict[str, list[tuple[float, float]]] = {"decode": [], "build": [], "plain": []}
    for number in range(rounds):
        at = {way: addresses(len(taken) * number + n) for n, way in enumerate(taken)}
        windows = [(at["decode"](href), span) for listed in blocks for href, span in listed]
        taken["decode"].append(timed(lambda windows=windows: decode(windows)))
        here = moved(scenes, at["build"])
        taken["build"].append(timed(lambda here=here: list(build_tiles(places, here))))
        there = [
            (square, {id_: moved(listed, at["plain"]) for id_, listed in chosen.items()})
            for square, chosen in known
        ]

        def all_plain(there: list = there) -> None:
            with rasterio.Env(**REMOTE):
                for square, chosen in there:
                    plain(chosen, square)

        taken["plain"].append(timed(all_plain))
    best = {
        way: {
            "cpu_ms": 1e3 * min(cpu for cpu, _ in times) / len(places),
            "ms": 1e3 * min(wall for _, wall in times) / len(places),
        }
        for way, times in taken.items()
    }
    return {
        **best,
        "tiles_per_second": {way: 1e3 / said["ms"] for way, said in best.items()},
        "plain_by_build": {k: best["plain"][k] / best["build"][k] for k in ("cpu_ms", "ms")},
        "build_by_decode": {k: best["build"][k] / best["decode"][k] for k in ("cpu_ms", "ms")},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="demo", choices=("tiny", "demo", "full"))
    parser.add_argument("--places", type=int, default=12, help="how many, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--root", type=Path, help="where the twin's scenes are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        root = given.root or Path(aside)
        settings = Settings(
            data_root=root / "data", truth_root=root / "truth", twin_size=given.size
        )
        catalogue = make(settings)
        scenes = find(str(catalogue), "synthetic")
        truth = pl.read_parquet(settings.truth_root / "scenes/places.parquet")
        rows = truth.filter(~pl.col("missing").list.contains("clear")).to_dicts()
        # Evenly over all, so that there are as many photographs among them as among all.
        rows = rows[:: -(-len(rows) // given.places)]
        places = [Place(r["place"], r["longitude"], r["latitude"], r["date"]) for r in rows]
        tiles = list(build_tiles(places, scenes))
        squares = {tile.id: Roi(tile.crs, tile.west, tile.north) for tile in tiles}
        near = Nearby(scenes)
        others = [plain(choose(place, near(place)), squares[place.id]) for place in places]
        report: dict[str, object] = {
            "tiles": len(tiles),
            "files_per_tile": sum(
                len(files_of(choose(place, near(place)))) for place in places
            ) / len(places),
            "compared": compare(tiles, others),
        }  # fmt: skip
        report["local"] = measure(places, scenes, squares, given.rounds, lambda _: str)
        folder = catalogue.parent
        with serving(folder) as address:

            def addresses(number: int) -> Callable[[str], str]:
                return lambda href: f"{address}/{number}/{Path(href).relative_to(folder)}"

            report["http"] = measure(places, scenes, squares, given.rounds, addresses)
    print(json.dumps(rounded(report), indent=1))


def rounded(content: object) -> object:
    """Four digits are more than a measurement is good for."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    return float(f"{content:.4g}") if isinstance(content, float) else content


if __name__ == "__main__":
    main()
