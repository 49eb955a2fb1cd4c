"""Which scenes make the tile of a place.

Belongs here: time, clouds, cover and projection of candidates.
Never here: reading pixels (`read.py`).

The Sentinel-2 scene comes first, and all others are chosen by it: Sentinel-1 of each pass and land
cover of the day within 15 days, maps and relief of the nearest year.
"""

import datetime
from collections.abc import Mapping, Sequence

from adapters.errors import FusionError
from adapters.modalities import ROI_M
from adapters.scenes.scene import Scene
from fusion.tiles.grid import Roi, roi, transformer
from fusion.tiles.places import Place

MAX_CLOUD_PERCENT = 10.0
"""A Sentinel-2 scene must have less."""

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
    square = _box(roi(place.longitude, place.latitude))
    here = [scene for scene in scenes if _share(square, scene.bbox) > 0]
    noon = datetime.datetime.combine(place.date, datetime.time(12), datetime.UTC)
    optical = [s for s in here if s.modality == "sentinel2" and _near(s, noon)]
    clear = [s for s in optical if (s.cloud_percent or 0.0) < max_cloud_percent]
    if not clear:
        raise FusionError(
            f"no Sentinel-2 scene under {max_cloud_percent:g} % cloud within its days of "
            f"{place.date}",
            where=f"place {place.id}",
            samples=[f"{s.id}: {s.cloud_percent} %" for s in optical],
            remedy="ask for another day, or leave the place out",
        )

    def worth(scene: Scene) -> tuple[object, ...]:
        away = abs((scene.moment - noon).total_seconds())
        return (-round(_share(square, scene.bbox), 3), scene.cloud_percent or 0.0, away, scene.id)

    first = min(clear, key=worth)
    # The rest of the same overpass, where the square lies on the edge of two granules.
    rest = [s for s in clear if s is not first and s.moment == first.moment]
    chosen: dict[str, tuple[Scene, ...]] = {"sentinel2": (first, *sorted(rest, key=lambda s: s.id))}
    others: dict[tuple[str, ...], list[Scene]] = {}
    for scene in here:
        if scene.modality != "sentinel2" and _near(scene, first.moment):
            # Passes of Sentinel-1 hold bands of their own.
            others.setdefault((scene.modality, *sorted(scene.layers)), []).append(scene)
    for key, found in sorted(others.items()):
        nearest = min(abs(s.moment - first.moment) for s in found)
        taken = [s for s in found if abs(s.moment - first.moment) == nearest]
        taken.sort(key=lambda s: (-round(_share(square, s.bbox), 3), s.id))
        chosen[key[0]] = (*chosen.get(key[0], ()), *taken)
    return chosen


def _near(scene: Scene, moment: datetime.datetime) -> bool:
    """Is a scene near enough in time? Days are counted whole, as publishers count them."""
    return scene.days is None or abs((scene.moment.date() - moment.date()).days) <= scene.days


Box = tuple[float, float, float, float]


def _box(square: Roi) -> Box:
    return transformer("EPSG:4326", square.crs).transform_bounds(
        square.west,
        square.north - ROI_M,
        square.west + ROI_M,
        square.north,
        direction="INVERSE",
    )


def _share(square: Box, box: Box) -> float:
    """Share of the square that lies in a box, both in degrees and perhaps over the antimeridian."""
    west, east = box[0], box[2] + (360.0 if box[2] < box[0] else 0.0)
    left, right = square[0], square[2] + (360.0 if square[2] < square[0] else 0.0)
    across = max(min(right + turn, east) - max(left + turn, west) for turn in (-360.0, 0.0, 360.0))
    down = min(square[3], box[3]) - max(square[1], box[1])
    whole = (right - left) * (square[3] - square[1])
    return max(across, 0.0) * max(down, 0.0) / whole
