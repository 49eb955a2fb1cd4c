"""Training, validation and test samples that do not know each other.

Belongs here: clusters, blocks and the split of samples.
Never here: features; the split depends on where samples are and on nothing that was measured.

Samples within 500 m of each other, or of the same site (revisits, depths), form one cluster.
Clusters in the same 100 km cell of the European equal-area grid form one block, and a cluster that
reaches over several cells joins them. Whole blocks go to one side: in the order of a hash of their
names, the first 80 % of the samples train, the next 10 % validate and the last 10 % test.
"""

import functools
import hashlib

import numpy as np
import polars as pl
from pyproj import Transformer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fusion.sphere import near_pairs

LINK_M = 500.0
CELL_M = 100_000.0
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def splits(samples: pl.DataFrame, link_m: float = LINK_M, cell_m: float = CELL_M) -> pl.DataFrame:
    """Assign every sample to a cluster, a block and a side.

    With two blocks or more, `train` and `test` both have samples; with three or more, so has
    `validation`. A single block is all `train`.

    Args:
        samples: `sample_id, site, longitude, latitude`, positions not null.
        link_m: Samples at most that far apart are in one cluster.
        cell_m: Edge of a block cell in EPSG:3035.

    Returns:
        `sample_id, cluster, block, split`, in the order of `samples`; `cluster` is the least sample
        id in it, `block` the least cell name in it.
    """
    ids = samples["sample_id"].to_numpy()
    lon, lat = samples["longitude"].to_numpy(), samples["latitude"].to_numpy()
    sites = samples["site"].rank("dense").to_numpy().astype(np.int64) - 1
    first_of_site = np.full(len(ids), -1)
    first_of_site[sites[::-1]] = np.arange(len(ids))[::-1]
    pairs = np.concatenate(
        [near_pairs(lon, lat, link_m), np.column_stack([np.arange(len(ids)), first_of_site[sites]])]
    )
    cluster = _components(pairs, len(ids))

    cells, cell = np.unique(_cell_names(lon, lat, cell_m), return_inverse=True)
    # A cell is joined to every other cell that one of its clusters reaches.
    linked = _components(np.column_stack([cell, len(cells) + cluster]), len(cells) + len(ids))
    block = linked[cell]

    frame = pl.DataFrame(
        {"sample_id": ids, "cluster": cluster, "block": block, "cell": cells[cell]}
    ).with_columns(
        cluster=pl.col("sample_id").min().over("cluster"), block=pl.col("cell").min().over("block")
    )
    sides = sides_of_blocks(frame["block"].value_counts().sort("block"))
    return frame.select(
        "sample_id",
        "cluster",
        "block",
        split=pl.col("block").replace_strict(sides, return_dtype=pl.String),
    )


def _components(pairs: np.ndarray, count: int) -> np.ndarray:
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1]


@functools.cache
def _equal_area() -> Transformer:
    return Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True)


def _cell_names(lon: np.ndarray, lat: np.ndarray, cell_m: float) -> np.ndarray:
    x, y = _equal_area().transform(lon, lat)
    return np.array(
        [f"E{int(e)}N{int(n)}" for e, n in zip(x // cell_m, y // cell_m, strict=True)], dtype=object
    )


def sides_of_blocks(blocks: pl.DataFrame) -> dict[str, str]:
    """Side of each block (`block`, `count`), and no side empty that can be helped.

    The order of a hash of their names decides, so that a block keeps its side as others grow, as
    far as the shares allow.
    """
    place = {name: hashlib.sha256(name.encode()).hexdigest() for name in blocks["block"]}
    size = dict(blocks.iter_rows())
    order = sorted(size, key=lambda name: place[name])
    total, before, sides = sum(size.values()), 0, {}
    for name in order:
        # A block counts where its middle lies, so that a large one is not cut off by a small share.
        middle = (before + size[name] / 2) / total
        before += size[name]
        sides[name] = (
            "train"
            if middle < SHARES["train"]
            else "validation"
            if middle < SHARES["train"] + SHARES["validation"]
            else "test"
        )
    # Few large blocks can miss a side. The largest trains; of the others, the last one that is not
    # alone on its side is moved.
    largest = max(order, key=lambda name: size[name])
    if "train" not in sides.values():
        sides[largest] = "train"
    for side, needed in (("test", 2), ("validation", 3)):
        if side in sides.values() or len(order) < needed:
            continue
        alone = {s for s in SHARES if sum(v == s for v in sides.values()) == 1}
        if len(order) == 2:
            alone -= {"validation"}  # of two blocks, the second tests
        movable = [name for name in order if name != largest and sides[name] not in alone]
        sides[movable[-1]] = side
    return sides
