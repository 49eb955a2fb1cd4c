"""Points on a raster: `fusion.overlay.sample_layers` beside `rasterio.DatasetReader.sample`.

Both read the same random points of one tiled, compressed int16 layer in one run, and must give the
same values; the ratio of their times is what counts, since machines differ.

    python benchmarks/overlay.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from fusion.overlay import Layer, sample_layers

SIDE, POINTS, THREADS, REPEATS = 10_000, 70_000, 2, 3


def write_layer(path: Path, random: np.random.Generator) -> None:
    """A layer that compresses like relief: smooth hills with noise."""
    step = np.linspace(0, 40, SIDE, dtype=np.float32)
    hills = 1000 + 500 * np.sin(step)[:, None] * np.cos(1.3 * step)[None, :]
    values = (hills + random.integers(0, 8, (SIDE, SIDE))).astype(np.int16)
    profile = {
        "driver": "GTiff",
        "width": SIDE,
        "height": SIDE,
        "count": 1,
        "dtype": "int16",
        "crs": "EPSG:3035",
        "transform": from_origin(2_500_000, 5_500_000, 250, 250),
        "nodata": -32768,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
    }
    with rasterio.open(path, "w", **profile) as data:
        data.write(values, 1)


def main() -> None:
    """Write the layer, time both ways, print times and ratio."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.tif"
        write_layer(path, random)
        x = 2_500_000 + random.uniform(0, SIDE * 250, POINTS)
        y = 5_500_000 - random.uniform(0, SIDE * 250, POINTS)
        ours, theirs = [], []
        for _ in range(REPEATS):
            start = time.perf_counter()
            mine = sample_layers([Layer(path)], x, y, crs="EPSG:3035", threads=THREADS)[:, 0]
            ours.append(time.perf_counter() - start)
            start = time.perf_counter()
            with rasterio.open(path) as data:
                other = np.fromiter(
                    (v[0] for v in data.sample(zip(x, y, strict=True))), dtype=np.float64
                )
            theirs.append(time.perf_counter() - start)
            if not np.array_equal(mine, other):
                raise SystemExit("the two ways disagree")
    best, base = min(ours), min(theirs)
    print(f"{POINTS:,} points, {SIDE:,} x {SIDE:,} int16, 512 x 512 deflate, best of {REPEATS}")
    print(f"fusion.overlay.sample_layers ({THREADS} threads)  {best:6.2f} s")
    print(f"rasterio DatasetReader.sample            {base:6.2f} s")
    print(f"ratio                                    {base / best:6.1f}")


if __name__ == "__main__":
    main()
