"""Which tiles train, validate and test, and which do none of it.

Belongs here: blocks of tiles and the guard between splits and around evaluation sets.
Never here: what is in a tile: the split depends on where tiles are, not on what was measured.

A block is a cell of the H3 grid (hexagons of about 12,400 km2 at resolution 3), and a whole block
goes to one side, as in `fusion.splits`. Two tiles on both sides of a block's edge would still know
each other: of any two tiles of different splits nearer than the guard, one is set aside as `guard`,
as is every tile that near to a place of an evaluation set.
"""

import functools

import numpy as np
import polars as pl

from adapters.errors import FusionError
from adapters.modalities import ROI_M
from fusion.sphere import nearest
from fusion.splits import ASIDE, set_aside, sides_of_blocks

RESOLUTION = 3
GUARD_M = 10_000.0
SPLITS = ("train", "validation", "test")
_LEAST_GUARD_M = 2 * ROI_M * 2**0.5
"""A place may lie anywhere in its tile: nearer than that, two tiles can overlap."""


def tile_splits(
    longitude: np.ndarray,
    latitude: np.ndarray,
    *,
    evaluation: np.ndarray | None = None,
    guard_m: float = GUARD_M,
    resolution: int = RESOLUTION,
) -> pl.DataFrame:
    """Assign every tile to a block and a split.

    Args:
        longitude: (n,) degrees.
        latitude: (n,) degrees.
        evaluation: (m, 2) longitude and latitude of tiles that a model will be evaluated on.
        guard_m: Least distance between tiles of different splits, and to `evaluation`.
        resolution: Of the H3 cells that are blocks.

    Returns:
        `block, split` in the order given; `split` is train, validation, test or guard.

    Raises:
        FusionError: The guard is so small that tiles of different splits could overlap, a place is
            not finite, or no tile is left to train on.
    """
    import h3

    if guard_m < _LEAST_GUARD_M:
        raise FusionError(
            f"tiles of {ROI_M} m that are {guard_m:g} m apart can overlap",
            remedy=f"a guard is at least {_LEAST_GUARD_M:.0f} m",
        )
    avoided = np.empty((0, 2)) if evaluation is None else np.asarray(evaluation, float)
    for places in (np.column_stack([longitude, latitude]), avoided):
        if not np.isfinite(places).all():
            raise FusionError(
                "a place is not finite",
                samples=np.flatnonzero(~np.isfinite(places).all(axis=1)),
                remedy="give every tile and evaluation place a longitude and a latitude",
            )
    if not len(longitude):
        return pl.DataFrame(schema={"block": pl.String, "split": pl.String})
    cell = functools.partial(h3.latlng_to_cell, res=resolution)
    block = pl.Series("block", [cell(y, x) for x, y in zip(longitude, latitude, strict=True)])
    sides = sides_of_blocks(block.value_counts().sort("block"))
    split = block.replace_strict(sides, return_dtype=pl.String).to_numpy().astype("<U10")
    split[nearest(longitude, latitude, avoided[:, 0], avoided[:, 1], guard_m)[0] >= 0] = ASIDE
    # The larger side gives way, so that evaluation keeps its few tiles.
    split = set_aside(split, longitude, latitude, guard_m, ("test", "validation", "train"))
    if not (split == "train").any():
        raise FusionError(
            "no tile is left to train on",
            samples=[f"{name}: {(split == name).sum()}" for name in (*SPLITS, ASIDE)],
            remedy="more tiles farther apart are needed, or a smaller guard",
        )
    return pl.DataFrame({"block": block, "split": split})
