"""Places of the tiles of a group: its soil samples, and between them land of every kind.

Belongs here: which places scenes cover, the day of each, and the balanced places between samples.
Never here: choosing the scenes of one tile (`choose.py`), pixels of a tile.

Soil changes over decades and leaves over weeks. So the year of a tile need not be that of the
sampling, and its season should be: of the clear Sentinel-2 scenes over a sample, the one whose
season is nearest gives the tile its day, and the tile keeps the day of sampling beside it.
"""

import datetime
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from adapters.scenes.scene import Scene
from fusion.sphere import nearest
from fusion.tiles.choose import MAX_CLOUD_PERCENT, Box, Nearby, around
from fusion.tiles.climates import Climates
from fusion.tiles.places import Place, balanced, covered, holds, of_samples, world_grid

APART_M = 2_560.0
"""Least distance between a sample and a place between samples: their squares cannot overlap."""
GRID_DEG = 0.05
"""Distance of the places among which those between samples are chosen."""
UNMAPPED = "unmapped"
"""Kind of a place whose land cover no map says."""


def sites(
    samples: pl.DataFrame | None,
    scenes: Sequence[Scene],
    per_kind: int,
    climates: Climates | None = None,
) -> list[Place]:
    """Places of the tiles of a group.

    Args:
        samples: Of the group (`samples.parquet`); None where it has none.
        scenes: Of the group.
        per_kind: Places between samples, of each land cover at most.
        climates: Of the samples: those of one land cover are spread over them.
    """
    known = covered(of_samples(samples), scenes) if samples is not None else []
    optical = [scene for scene in scenes if scene.modality == "sentinel2"]
    near = Nearby(optical)
    between = _between(known, scenes, per_kind, climates)
    return [dated(place, near(place)) for place in [*known, *between]]


def squares(samples: pl.DataFrame, box: Box | None = None) -> list[tuple[Box, datetime.date]]:
    """Box in degrees and day of the tile of each site of samples, to ask an API for scenes.

    Args:
        samples: As for `sites`.
        box: Only sites in it: west, south, east, north in degrees.
    """
    places = of_samples(samples)
    if box is not None:
        places = [p for p in places if holds(box, p.longitude, p.latitude).any()]
    return [(around(place), place.date) for place in places]


def dated(place: Place, optical: Sequence[Scene]) -> Place:
    """The place with the day of the scene that suits it best: clear before cloudy, then by season.

    Args:
        place: With the day of sampling, or any day of the season that is wanted.
        optical: Sentinel-2 scenes around the place.
    """
    if not optical:
        return place

    def worth(scene: Scene) -> tuple[object, ...]:
        clouds, day = scene.cloud_percent or 0.0, scene.moment.date()
        apart = abs(day.timetuple().tm_yday - place.date.timetuple().tm_yday)
        return (
            clouds >= MAX_CLOUD_PERCENT,
            min(apart, 365 - apart),
            abs(day.year - place.date.year),
            clouds,
            scene.id,
        )

    return replace(place, date=min(optical, key=worth).moment.date())


def _between(
    known: Sequence[Place], scenes: Sequence[Scene], per_kind: int, climates: Climates | None
) -> list[Place]:
    """Places away from samples, as many of each land cover as there are, up to a number."""
    optical = [scene for scene in scenes if scene.modality == "sentinel2"]
    boxes = sorted({tuple(round(edge, 4) for edge in scene.bbox) for scene in optical})
    if not boxes or not per_kind:
        return []
    # The middle of a small scene, since no point of an even grid may lie in it.
    # Where west is above east, the box reaches across the antimeridian.
    middles = np.array([((w + e + 360.0 * (w > e)) / 2, (s + n) / 2) for w, s, e, n in boxes])
    middles[:, 0] -= 360.0 * (middles[:, 0] >= 180.0)
    even = [world_grid(GRID_DEG, box) for box in boxes]
    points = np.unique(np.concatenate([middles, *even]).round(6), axis=0)
    taken = np.array([(place.longitude, place.latitude) for place in known]).reshape(-1, 2)
    near, _ = nearest(points[:, 0], points[:, 1], taken[:, 0], taken[:, 1], APART_M)
    points = points[near < 0]
    if not len(points):
        return []
    cover = _land_cover(points, scenes)
    zones = climates.at(*points.T) if climates else None
    chosen = balanced(points[:, 0], points[:, 1], cover, per_kind, APART_M, within=zones)
    # Summer shows most of the land.
    day = datetime.date(max(scene.moment.year for scene in optical), 7, 1)
    found = []
    for i in chosen.tolist():
        longitude, latitude = points[i].tolist()
        told = {"climate_class": zones[i]} if zones else {}
        name = f"grid:{latitude:.6f}:{longitude:.6f}"
        found.append(Place(name, longitude, latitude, day, extra=told))
    return found


def _land_cover(points: np.ndarray, scenes: Sequence[Scene]) -> list[str]:
    """WorldCover's class of each point, by the first map that has one."""
    import rasterio
    from rasterio.warp import transform

    kinds = [UNMAPPED] * len(points)
    for scene in scenes:
        if scene.modality != "worldcover":
            continue
        inside = [
            i
            for i, (longitude, latitude) in enumerate(points)
            if kinds[i] == UNMAPPED and holds(scene.bbox, longitude, latitude).any()
        ]
        if not inside:
            continue
        layer = scene.layers["class"]
        with rasterio.open(layer.href) as file:
            x, y = transform("EPSG:4326", file.crs, *points[inside].T.tolist())
            found = file.sample(zip(x, y, strict=True), layer.band, masked=True)
            for i, value in zip(inside, found, strict=True):
                if not value.mask.any() and value[0] != layer.nodata:
                    kinds[i] = str(value[0])
    return kinds
