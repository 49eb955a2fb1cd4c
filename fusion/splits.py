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
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from pyproj import Transformer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fusion.sphere import near_pairs, nearest

LINK_M = 500.0
CELL_M = 100_000.0
SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
ASIDE = "guard"
"""Side of those that are set aside, and do nothing."""
_NEEDED = ("train", "test", "validation", "calibration")
"""Sides that few blocks are dealt to, most needed first."""


def splits(
    samples: pl.DataFrame,
    link_m: float = LINK_M,
    cell_m: float = CELL_M,
    shares: Mapping[str, float] = SHARES,
) -> pl.DataFrame:
    """Assign every sample to a cluster, a block and a side.

    With two blocks or more, `train` and `test` both have samples; with three or more, so has
    `validation`. A single block is all `train`.

    Args:
        samples: `sample_id, site, longitude, latitude`, positions not null.
        link_m: Samples at most that far apart are in one cluster.
        cell_m: Edge of a block cell in EPSG:3035.
        shares: Side -> its share of the samples.

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
    sides = sides_of_blocks(frame["block"].value_counts().sort("block"), shares)
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


def sides_of_blocks(blocks: pl.DataFrame, shares: Mapping[str, float] = SHARES) -> dict[str, str]:
    """Side of each block (`block`, `count`), and no side empty that can be helped.

    The order of a hash of their names decides, so that a block keeps its side as others grow, as
    far as the shares allow.

    Args:
        blocks: The blocks, and how many samples each has.
        shares: Side -> its share of the samples, in the order in which blocks are dealt out.
    """
    place = {name: hashlib.sha256(name.encode()).hexdigest() for name in blocks["block"]}
    size = dict(blocks.iter_rows())
    order = sorted(size, key=lambda name: place[name])
    names, ends = [*shares], np.cumsum([*shares.values()])[:-1]
    total, before, sides = sum(size.values()), 0, {}
    for name in order:
        # A block counts where its middle lies, so that a large one is not cut off by a small share.
        middle = (before + size[name] / 2) / total
        before += size[name]
        sides[name] = names[int(np.searchsorted(ends, middle, side="right"))]
    # Few large blocks can miss a side. The largest trains; of the others, the last one that is not
    # alone on its side is moved. Fewer blocks than sides fill those that are needed most.
    needed = [side for side in _NEEDED if side in shares][: len(order)]
    largest = max(order, key=lambda name: size[name])
    if "train" not in sides.values():
        sides[largest] = "train"
    for side in needed[1:]:
        if side in sides.values():
            continue
        alone = {s for s in needed if sum(v == s for v in sides.values()) == 1}
        movable = [name for name in order if name != largest and sides[name] not in alone]
        sides[movable[-1]] = side
    return sides


def set_aside(
    split: np.ndarray,
    longitude: np.ndarray,
    latitude: np.ndarray,
    distance_m: float,
    ranks: Sequence[str],
) -> np.ndarray:
    """Set those aside that are too near to another side: on both sides of an edge of a block.

    Args:
        split: (n,) sides.
        longitude: (n,) degrees.
        latitude: (n,) degrees.
        distance_m: Samples of different sides are farther apart than that.
        ranks: Sides; of two that are too near, the one that is named later gives way.

    Returns:
        (n,) sides, `guard` for those set aside.
    """
    found = split.astype(object)
    for rank, side in enumerate(ranks):
        rows, kept = np.flatnonzero(found == side), np.flatnonzero(np.isin(found, ranks[:rank]))
        near, _ = nearest(
            longitude[rows], latitude[rows], longitude[kept], latitude[kept], distance_m
        )
        found[rows[near >= 0]] = ASIDE
    return found.astype(str)
