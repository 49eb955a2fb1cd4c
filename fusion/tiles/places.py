"""Which places tiles are made of.

Belongs here: places of soil samples, and a grid of places that holds each kind of land in equal
parts.
Never here: scenes.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from adapters.errors import FusionError

if TYPE_CHECKING:
    import polars as pl

    from adapters.scenes.scene import Scene

FIRST_YEAR = 2018
"""Sentinel-2's surface reflectance is there for all of Europe from here on."""


@dataclass(frozen=True)
class Place:
    """One place to make a tile of.

    Attributes:
        id: Becomes the tile's.
        longitude: EPSG:4326.
        latitude: EPSG:4326.
        date: Day that scenes are looked for around.
        sample_id: The soil sample it is the place of.
        extra: Handed on to the tile.
    """

    id: str
    longitude: float
    latitude: float
    date: datetime.date
    sample_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


def season_of(date: datetime.date) -> datetime.date:
    """The day itself, or the same day of FIRST_YEAR where it was before Sentinel-2."""
    if date.year >= FIRST_YEAR:
        return date
    # The 29th of February has no counterpart in every year.
    return datetime.date(FIRST_YEAR, 1, 1) + datetime.timedelta(
        days=min(date.timetuple().tm_yday, 365) - 1
    )


def of_samples(samples: "pl.DataFrame") -> list[Place]:
    """One place a site of soil samples: that of its latest visit, from its shallowest layer.

    Args:
        samples: `sample_id, site, longitude, latitude, depth_top, date_start`, such as
            `samples.parquet` of a fused group; rows without a date or position are left out.
    """
    import polars as pl

    latest = (
        samples.drop_nulls(["longitude", "latitude", "date_start"])
        .sort(
            ["site", "date_start", "depth_top", "sample_id"], descending=[False, True, False, False]
        )
        .unique("site", keep="first", maintain_order=True)
    )
    return [
        Place(
            id=row["sample_id"],
            longitude=row["longitude"],
            latitude=row["latitude"],
            date=season_of(row["date_start"]),
            sample_id=row["sample_id"],
            extra={"site": row["site"], "sampled": row["date_start"].isoformat()},
        )
        for row in latest.select(
            "sample_id", "site", "longitude", "latitude", pl.col("date_start").cast(pl.Date)
        ).iter_rows(named=True)
    ]


def balanced(
    longitude: ArrayLike,
    latitude: ArrayLike,
    kinds: Sequence[str],
    per_kind: int,
    apart_m: float = 2_560.0,
    seed: int = 0,
    within: Sequence[str] | None = None,
) -> np.ndarray:
    """Choose as many places of each kind (such as of land cover) as there are, up to a number.

    Kinds take turns, the rarest first, so that a place of a rare kind is not lost to a neighbour of
    a common one. No two chosen places are nearer than `apart_m`, so that squares do not overlap.
    With a second division, such as by climate, each turn goes to the part of it that has least.

    Args:
        longitude: (n,) of the candidates, EPSG:4326.
        latitude: (n,).
        kinds: (n,) kind of each.
        per_kind: How many of each kind at most.
        apart_m: Least distance on the sphere.
        seed: Of the order in which candidates of a kind are tried.
        within: (n,) part of the second division that each lies in.

    Returns:
        Indices of the chosen ones, ascending.
    """
    from fusion.sphere import chord, unit_vectors

    points = unit_vectors(np.asarray(longitude, float), np.asarray(latitude, float))
    named, parts = np.asarray(kinds), np.asarray(["all"] * len(kinds) if within is None else within)
    if not len(points) == len(named) == len(parts):
        raise FusionError(
            "places and kinds are not of one number",
            samples=[len(points), len(named), len(parts)],
            remedy="give each place its kind",
        )
    names, counts = np.unique(named, return_counts=True)
    draw = np.random.default_rng(seed)
    sizes = Counter(parts.tolist())
    queues: list[dict[str, list[int]]] = []
    for name in names[np.argsort(counts, kind="stable")]:
        order = draw.permutation(np.flatnonzero(named == name))
        queues.append({part: order[parts[order] == part].tolist() for part in sizes})
    nearest = chord(apart_m)
    chosen: list[int] = []
    held: Counter[str] = Counter()

    def next_of(queue: list[int]) -> int | None:
        while queue:
            one = queue.pop()
            away = np.linalg.norm(points[chosen] - points[one], axis=1) if chosen else [np.inf]
            if np.min(away) >= nearest:
                return one
        return None

    for _ in range(per_kind):
        for queue in queues:
            # The part that has least so far, then the rarest.
            for part in sorted(sizes, key=lambda part: (held[part], sizes[part], part)):
                one = next_of(queue[part])
                if one is not None:
                    chosen.append(one)
                    held[part] += 1
                    break
    return np.sort(np.array(chosen, dtype=int))


def world_grid(step_deg: float, box: tuple[float, float, float, float]) -> np.ndarray:
    """(n, 2) longitude and latitude of an even grid: columns are the wider, the nearer the pole.

    Args:
        step_deg: Distance of rows, and of columns at the equator.
        box: West, south, east, north in degrees; west is above east across the antimeridian.
    """
    west, south, east, north = box
    east += 360.0 * (west > east)
    rows = [np.empty((0, 2))]
    for latitude in np.arange(south + step_deg / 2, north, step_deg):
        step = step_deg / np.cos(np.radians(latitude))
        along = np.arange(west + step / 2, east, step)
        rows.append(np.column_stack([along, np.full(len(along), latitude)]))
    grid = np.concatenate(rows)
    grid[:, 0] -= 360.0 * (grid[:, 0] >= 180.0)
    return grid


def covered(places: Sequence[Place], scenes: "Sequence[Scene]") -> list[Place]:
    """Places that lie in a Sentinel-2 scene."""
    boxes = [scene.bbox for scene in scenes if scene.modality == "sentinel2"]
    return [place for place in places if holds(boxes, place.longitude, place.latitude).any()]


def holds(boxes: ArrayLike, longitude: float, latitude: float) -> np.ndarray:
    """(n,) bool: which boxes a point lies in.

    Args:
        boxes: (n, 4) west, south, east, north in degrees; west is above east where a box reaches
            across the antimeridian.
        longitude: EPSG:4326.
        latitude: EPSG:4326.
    """
    west, south, east, north = np.asarray(boxes, float).reshape(-1, 4).T
    left, right = longitude >= west, longitude <= east
    across = np.where(west <= east, left & right, left | right)
    return across & (south <= latitude) & (latitude <= north)
