"""Building tiles from scenes.

Belongs here: one tile of one place, and many of many.
Never here: how scenes are found (`adapters/scenes/`), how tiles are stored (`store.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from adapters.errors import FusionError
from adapters.modalities import ModalitySpec, modalities
from adapters.scenes.scene import Scene
from fusion.tiles.choose import MAX_CLOUD_PERCENT, Choice, Nearby, choose
from fusion.tiles.grid import BASE_M, Roi, roi, utm_zone
from fusion.tiles.places import Place
from fusion.tiles.read import REMOTE, Files, Reader, licences
from fusion.tiles.tile import Tile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Vector:
    """Numbers of a place for a vector modality.

    Attributes:
        names: Of the elements.
        values: One each; NaN where there is none.
        licences: Of the numbers.
        origin: `synthetic`, `open`, `user` or `mixed`.
    """

    names: tuple[str, ...]
    values: "ArrayLike"
    licences: tuple[str, ...]
    origin: str


@dataclass(frozen=True)
class Refused:
    """A place without a tile, and why."""

    place: Place
    reason: str


def build_tile(
    place: Place,
    scenes: Sequence[Scene],
    vectors: Mapping[str, Vector] | None = None,
    max_cloud_percent: float = MAX_CLOUD_PERCENT,
    files: Files | None = None,
) -> Tile:
    """Build the tile of a place.

    The corner lies on the pixels of the Sentinel-2 scene where that is in the place's UTM zone, so
    that its bands of 10 m are taken as they are; and on whole multiples of 10 m otherwise.

    Args:
        place: The place.
        scenes: Candidates of any modality, anywhere; files are paths or addresses.
        vectors: Vector modality -> numbers of the place.
        max_cloud_percent: A Sentinel-2 scene must have less.
        files: Files that stay open from tile to tile; by default each is opened and closed.

    Raises:
        FusionError: No Sentinel-2 scene suits, none of its pixels in the square is clear, or a file
            cannot be read or is too coarse.
    """
    import rasterio

    # Around each tile anew: who takes the tiles may set GDAL up otherwise meanwhile.
    with rasterio.Env(**REMOTE):
        if files is not None:
            return _tile(place, scenes, files, vectors, max_cloud_percent)
        with Files() as own:
            return _tile(place, scenes, own, vectors, max_cloud_percent)


def _tile(
    place: Place,
    scenes: Sequence[Scene],
    files: Files,
    vectors: Mapping[str, Vector] | None,
    max_cloud_percent: float,
) -> Tile:
    chosen = choose(place, scenes, max_cloud_percent)
    reader = Reader(_square(place, chosen["sentinel2"][0], files), files)
    arrays: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}
    for spec in modalities():
        if spec.id not in chosen:
            continue
        array, mask = reader.picture(spec, chosen[spec.id])
        if mask.any():
            arrays[spec.id], present[spec.id] = array, mask
        elif spec.id == "sentinel2":
            raise FusionError(
                "no pixel of the Sentinel-2 scene is clear here",
                where=f"place {place.id}",
                samples=[scene.id for scene in chosen["sentinel2"]],
                remedy="ask for another day, or leave the place out",
            )
    names: dict[str, tuple[str, ...]] = {}
    for id_, vector in (vectors or {}).items():
        values = np.asarray(vector.values, np.float32)
        names[id_], arrays[id_], present[id_] = vector.names, values, np.isfinite(values)
    used = [scene for id_, listed in chosen.items() if id_ in arrays for scene in listed]
    given = list((vectors or {}).values())
    origins = {scene.origin for scene in used} | {vector.origin for vector in given}
    terms = {*licences(used), *(licence for vector in given for licence in vector.licences)}
    return Tile(
        id=place.id,
        longitude=place.longitude,
        latitude=place.latitude,
        crs=reader.square.crs,
        west=reader.square.west,
        north=reader.square.north,
        date=chosen["sentinel2"][0].moment.date(),
        origin=origins.pop() if len(origins) == 1 else "mixed",
        licences=tuple(sorted(terms)),
        arrays=arrays,
        present=present,
        vector_names=names,
        extra={
            **place.extra,
            **({"sample_id": place.sample_id} if place.sample_id else {}),
            "sources": _sources(chosen, arrays),
        },
    )


def build_tiles(
    places: Iterable[Place],
    scenes: Sequence[Scene],
    vectors: Mapping[str, Mapping[str, Vector]] | None = None,
    refused: list[Refused] | None = None,
) -> Iterator[Tile]:
    """Build the tiles of places, one after the other.

    Args:
        places: The places.
        scenes: Candidates.
        vectors: Place id -> vector modality -> numbers.
        refused: Places without a tile are put down here.

    Raises:
        FusionError: A place has no tile, and `refused` is not given.
    """
    near = Nearby(scenes)
    with Files() as files:
        for place in places:
            given = (vectors or {}).get(place.id)
            try:
                tile = build_tile(place, near(place), given, files=files)
            except FusionError as error:
                if refused is None:
                    raise
                refused.append(Refused(place, str(error)))
                continue
            yield tile


def _square(place: Place, first: Scene, files: Files) -> Roi:
    """The square of a tile, on the pixels of its Sentinel-2 scene if they are in the same zone."""
    geometry = files.open(_finest(first))[1]
    if geometry.crs != utm_zone(place.longitude, place.latitude):
        return roi(place.longitude, place.latitude)
    a, _, c, _, e, f = geometry.transform
    if abs(a - BASE_M) > 1e-6 or abs(e + BASE_M) > 1e-6:
        return roi(place.longitude, place.latitude)
    return roi(place.longitude, place.latitude, phase=(c % BASE_M, f % BASE_M))


def _finest(scene: Scene) -> str:
    """File of a band with the finest pixels."""
    spec: ModalitySpec = next(s for s in modalities() if s.id == scene.modality)
    name = min(scene.layers, key=lambda band: spec.bands[spec.band(band)].native_gsd)
    return scene.layers[name].href


def _sources(chosen: Choice, arrays: Mapping[str, np.ndarray]) -> dict[str, object]:
    return {
        id_: [
            {
                "id": scene.id,
                "collection": scene.collection,
                "date": scene.moment.date().isoformat(),
                "bands": sorted(scene.layers),
                "cloud_percent": scene.cloud_percent,
                "licence": scene.licence,
                "origin": scene.origin,
            }
            for scene in listed
        ]
        for id_, listed in chosen.items()
        if id_ in arrays
    }
