"""Which scenes make the tile of a place.

Belongs here: time, clouds, cover and projection of candidates.
Never here: reading pixels (`read.py`).

The Sentinel-2 scene comes first, and all others are chosen by it: Sentinel-1 of each pass and land
cover of the day within 15 days, maps and relief of the nearest year; of each, what covers most of
the square before what is nearer in time.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from adapters.errors import FusionError
from adapters.modalities import ROI_M
from adapters.scenes.scene import Scene
from fusion.tiles.grid import roi, transformer
from fusion.tiles.places import Place

if TYPE_CHECKING:
    import shapely

MAX_CLOUD_PERCENT = 10.0
"""A Sentinel-2 scene must have less."""

OVERPASS = datetime.timedelta(minutes=30)
"""Granules of one overpass follow each other by seconds, and the next orbit by 99 minutes."""

Choice = Mapping[str, tuple[Scene, ...]]
"""Modality -> scenes, the best first; those behind it fill what it leaves absent."""


def choose(
    place: Place, scenes: Sequence[Scene], max_cloud_percent: float = MAX_CLOUD_PERCENT
) -> Choice:
    """Choose the scenes of a tile.

    Of Sentinel-2 the scene is taken that covers most of the square, then that of the least cloud,
    then the nearest in time, then the first by id.

    Args:
        place: The place.
        scenes: Candidates of any modality, anywhere.
        max_cloud_percent: A Sentinel-2 scene must have less.

    Raises:
        FusionError: No Sentinel-2 scene is near enough in time, or all are too cloudy.
    """
    import shapely

    square = around(place)
    outline = shapely.box(*square)
    shares = {id(scene): _share(square, outline, scene) for scene in scenes}
    here = [scene for scene in scenes if shares[id(scene)] > 0]
    noon = datetime.datetime.combine(place.date, datetime.time(12), datetime.UTC)
    optical = [s for s in here if s.modality == "sentinel2" and _near(s, noon)]
    clear = [s for s in optical if (s.cloud_percent or 0.0) < max_cloud_percent]
    if not clear:
        raise FusionError(
            f"no Sentinel-2 scene under {max_cloud_percent:g} % cloud near enough in time",
            where=f"place {place.id}, {place.date}",
            samples=[f"{s.id}: {s.cloud_percent} %" for s in optical],
            remedy="ask for another day, or leave the place out",
        )

    def worth(scene: Scene) -> tuple[object, ...]:
        away = abs((scene.moment - noon).total_seconds())
        return (-round(shares[id(scene)], 3), scene.cloud_percent or 0.0, away, scene.id)

    first = min(clear, key=worth)
    # The rest of the same overpass, where the square lies on the edge of two granules.
    rest = [s for s in clear if s is not first and abs(s.moment - first.moment) <= OVERPASS]
    chosen: dict[str, tuple[Scene, ...]] = {"sentinel2": (first, *sorted(rest, key=worth))}
    others: dict[tuple[str, ...], list[Scene]] = {}
    for scene in here:
        if scene.modality != "sentinel2" and _near(scene, first.moment):
            # Passes of Sentinel-1 hold bands of their own.
            others.setdefault((scene.modality, *sorted(scene.layers)), []).append(scene)
    for key, found in sorted(others.items()):

        def fit(scene: Scene) -> tuple[object, ...]:
            away = abs(scene.moment - first.moment)
            return (-round(shares[id(scene)], 3), away, scene.id)

        best = min(found, key=fit)
        taken = [s for s in found if abs(s.moment - best.moment) <= OVERPASS]
        chosen[key[0]] = (*chosen.get(key[0], ()), *sorted(taken, key=fit))
    return chosen


def _near(scene: Scene, moment: datetime.datetime) -> bool:
    """Is a scene near enough in time? Days are counted whole, as publishers count them."""
    return scene.days is None or abs((scene.moment.date() - moment.date()).days) <= scene.days


Box = tuple[float, float, float, float]


def around(place: Place) -> Box:
    """The square of a place in degrees; west is above east across the antimeridian."""
    square = roi(place.longitude, place.latitude)
    return transformer("EPSG:4326", square.crs).transform_bounds(
        square.west,
        square.north - ROI_M,
        square.west + ROI_M,
        square.north,
        direction="INVERSE",
    )


class Nearby:
    """Scenes by where they are, so that not all of many are looked at for each of many places."""

    def __init__(self, scenes: Sequence[Scene]) -> None:
        """Put scenes in order.

        Args:
            scenes: Of any modality, anywhere.
        """
        import shapely

        boxes = np.array([scene.bbox for scene in scenes], float).reshape(-1, 4)
        west, south, east, north = boxes.T
        # What reaches across the antimeridian lies on either side of it.
        east = np.where(east < west, east + 360.0, east)
        self._scenes = tuple(scenes)
        self._tree = shapely.STRtree(
            np.concatenate([shapely.box(west + turn, south, east + turn, north) for turn in _TURNS])
        )

    def __call__(self, place: Place) -> list[Scene]:
        """Scenes whose box meets the square of a place, in their order."""
        import shapely

        west, south, east, north = around(place)
        found = self._tree.query(
            shapely.box(west, south, east + (360.0 if east < west else 0.0), north)
        )
        return [self._scenes[i] for i in np.unique(found % max(len(self._scenes), 1)).tolist()]


_TURNS = (-360.0, 0.0, 360.0)


def _share(square: Box, outline: "shapely.Polygon", scene: Scene) -> float:
    """Share of a square that a scene covers, in degrees and perhaps over the antimeridian.

    Its outline is made once for all scenes, and cut only where it lies on the edge of one: most of
    the time of choosing went into that.
    """
    box = scene.bbox
    west, east = box[0], box[2] + (360.0 if box[2] < box[0] else 0.0)
    left, right = square[0], square[2] + (360.0 if square[2] < square[0] else 0.0)
    across = max(min(right + turn, east) - max(left + turn, west) for turn in _TURNS)
    down = min(square[3], box[3]) - max(square[1], box[1])
    if across <= 0 or down <= 0:
        return 0.0
    whole = (right - left) * (square[3] - square[1])
    if scene.footprint is None or east > 180.0 or right > 180.0:
        return across * down / whole
    import shapely

    if shapely.covers(scene.footprint, outline):
        return 1.0
    return shapely.intersection(outline, scene.footprint).area / whole
