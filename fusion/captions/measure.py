"""The orchestrator: facts on a tile that a caption may state.

Belongs here: measuring what writers write from. Every number is over present pixels alone, and a
fact whose modality is too absent is not stated. Never here: words, or checking: the verifier
measures for itself (`evidence.py`), so that a fault here does not confirm itself there.
"""

import datetime
import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.modalities import modality
from fusion.captions.geomorphons import FORMS, geomorphons
from fusion.captions.vocabulary import (
    CANOPY_FROM,
    COVERAGE_PLACE,
    COVERAGE_SHARE,
    NDWI_WATER,
    TOLERANCES,
    VV_WATER,
    element,
    family,
    season,
    vocabulary,
)
from fusion.texture import texture_class
from fusion.tiles.tile import Tile

_NO_CODE = 255


@dataclass(frozen=True)
class Cover:
    """A land-cover class: share in %, its centre (east, north; the half side is 1), its sides.

    Sides are those of `vocabulary.yaml` that most of it lies on beyond doubt; the more exact name
    where there are two.
    """

    id: str
    share: float
    centre: tuple[float, float] | None
    sides: tuple[str, ...]


@dataclass(frozen=True)
class Border:
    """Two classes that share a border of that length in m."""

    one: str
    other: str
    length: float


@dataclass(frozen=True)
class Region:
    """Class that prevails on a side, and its share there in %."""

    side: str
    cover: str
    share: float


@dataclass(frozen=True)
class Relief:
    """Elevations in m, slope in degrees, landforms in %, and where the land rises to."""

    lowest: float
    highest: float
    mean: float
    median_slope: float | None
    landforms: dict[str, float]
    rises: str | None


@dataclass(frozen=True)
class Element:
    """A soil or climate property with its unit."""

    id: str
    value: float
    unit: str


@dataclass(frozen=True)
class Facts:
    """What was measured on a tile; None or empty where it cannot be said.

    Attributes:
        tile: Id.
        date: Of the scene.
        season: Meteorological; None between the tropics.
        latitude: Degrees.
        longitude: Degrees.
        source: Land-cover map that shares and places are from.
        covers: Largest first; water only as far as two sources agree.
        order: Classes and shares that ranks go by: water has its share of the map unless two
            sources see almost the whole tile.
        absent: Classes that no map shows anywhere.
        agreement: Share in % on which the two maps agree.
        borders: Longest first.
        regions: Where one class prevails.
        relief: Of the elevation model.
        indices: Spectral index -> median.
        canopy: Median and highest height in m.
        soil: Of the sample.
        texture: USDA class code of the sample.
        climate: Of the place.
        places: Names of places near it.
        lies_in: Names of places that it lies in.
        tags: `key=value`.
    """

    tile: str
    date: datetime.date
    season: str | None
    latitude: float
    longitude: float
    source: str | None
    covers: tuple[Cover, ...]
    order: tuple[tuple[str, float], ...]
    absent: tuple[str, ...]
    agreement: float | None
    borders: tuple[Border, ...]
    regions: tuple[Region, ...]
    relief: Relief | None
    indices: dict[str, float]
    canopy: dict[str, float]
    soil: tuple[Element, ...]
    texture: str | None
    climate: tuple[Element, ...]
    places: tuple[str, ...]
    lies_in: tuple[str, ...]
    tags: tuple[str, ...]


def measure(tile: Tile) -> Facts:
    """Facts of a tile."""
    source, classes = _map(tile)
    water = _water(tile, classes)
    covers, borders, regions = (), (), ()
    if classes is not None:
        labels = _labels(classes)
        covers = _covers(classes, water, labels)
        if (classes != _NO_CODE).mean() >= COVERAGE_PLACE:
            borders = _borders(labels, water)
            regions = _regions(labels)
    return Facts(
        tile=tile.id,
        date=tile.date,
        season=season(tile.date.month, tile.latitude),
        latitude=round(tile.latitude, 4),
        longitude=round(tile.longitude, 4),
        source=source,
        covers=covers,
        order=() if classes is None else _ordered(classes, water),
        absent=_absent(tile, classes, water),
        agreement=_agreement(tile),
        borders=borders,
        regions=regions,
        relief=_relief(tile),
        indices=_indices(tile),
        canopy=_canopy(tile),
        soil=_elements(tile, "soil"),
        texture=_texture(tile),
        climate=_elements(tile, "climate"),
        places=tuple(str(name) for name in tile.extra.get("place_names") or ()),
        lies_in=tuple(str(name) for name in tile.extra.get("lies_in") or ()),
        tags=_tags(tile),
    )


@functools.cache
def _recode(source: str) -> NDArray[np.uint8]:
    """Code of a land-cover map -> number of the class in the vocabulary."""
    table = np.full(256, _NO_CODE, np.uint8)
    for number, entry in enumerate(vocabulary()["covers"].values()):
        table[entry[source]] = number
    return table


def _classes(tile: Tile, source: str) -> NDArray[np.uint8] | None:
    if source not in tile.arrays:
        return None
    return np.where(
        tile.present[source][0], _recode(source)[tile.arrays[source][0]], np.uint8(_NO_CODE)
    )


def _map(tile: Tile) -> tuple[str | None, NDArray[np.uint8] | None]:
    for source in ("worldcover", "dynamic_world"):
        classes = _classes(tile, source)
        if classes is not None and (classes != _NO_CODE).mean() >= COVERAGE_SHARE:
            return source, classes
    return None, None


@functools.cache
def _order() -> tuple[str, ...]:
    return tuple(vocabulary()["covers"])


@dataclass(frozen=True)
class _Water:
    """Per pixel: two sources agree on water; both kinds of source can tell."""

    agreed: NDArray[np.bool_]
    decided: NDArray[np.bool_]

    @property
    def placed(self) -> bool:
        """Is enough decided to say where water lies, or that there is none?"""
        return bool(self.decided.mean() >= COVERAGE_PLACE)


def _water(tile: Tile, own: NDArray[np.uint8] | None) -> _Water | None:
    if own is None:
        return None
    wet, sensed = np.zeros(own.shape, bool), np.zeros(own.shape, bool)
    if "sentinel2" in tile.arrays:
        ndwi = _index(tile, "ndwi")
        wet |= ndwi > NDWI_WATER
        sensed |= ~np.isnan(ndwi)
    if "sentinel1" in tile.arrays:
        bands = [modality("sentinel1").band(name) for name in ("asc_VV", "desc_VV")]
        held = tile.present["sentinel1"][bands]
        total = np.where(held, tile.arrays["sentinel1"][bands], 0.0).sum(axis=0)
        count = held.sum(axis=0)
        wet |= (count > 0) & (total < VV_WATER * count)
        sensed |= count > 0
    decided = (own != _NO_CODE) & sensed
    if decided.mean() < COVERAGE_SHARE:
        return None
    return _Water((own == _order().index("water")) & wet & decided, decided)


def _labels(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Number of the class per pixel, water nowhere: it has a mask of its own."""
    return np.where(classes == _order().index("water"), np.uint8(_NO_CODE - 1), classes)


def _centre(mask: NDArray[np.bool_]) -> tuple[float, float]:
    height, width = mask.shape
    ways = np.linspace(-1, 1, 2 * width + 1)[1::2], np.linspace(1, -1, 2 * height + 1)[1::2]
    total = mask.sum()
    east, north = mask.sum(axis=0) @ ways[0] / total, mask.sum(axis=1) @ ways[1] / total
    return round(float(east), 4), round(float(north), 4)


def towards(offset: tuple[float, float]) -> tuple[str, ...]:
    """Sides but the centre that an offset (east, north) points to beyond doubt."""
    clear = TOLERANCES.side + 0.02
    return tuple(
        side
        for side, entry in vocabulary()["sides"].items()
        if (entry["x"] or entry["y"])
        and all(
            part * sign >= clear
            for part, sign in zip(offset, (entry["x"], entry["y"]), strict=True)
            if sign
        )
    )


def _sides(mask: NDArray[np.bool_], centre: tuple[float, float]) -> tuple[str, ...]:
    """Sides that most of a class lies on beyond doubt."""
    near = ("centre",) if np.hypot(*centre) <= TOLERANCES.centre - 0.02 else ()
    found = [
        side
        for side in towards(centre) + near
        if 100.0 * mask[_PARTS[side]].sum() >= (TOLERANCES.inside + 2) * mask.sum()
    ]
    return tuple(side for side in found if "-" in side) or tuple(found)


def _covers(
    classes: NDArray[np.uint8], water: _Water | None, labels: NDArray[np.uint8]
) -> tuple[Cover, ...]:
    """Classes that are there, largest first."""
    held = classes != _NO_CODE
    found = []
    for number, name in enumerate(_order()):
        mask, seen, placed = labels == number, held, bool(held.mean() >= COVERAGE_PLACE)
        if name == "water":
            if water is None:
                continue
            mask, seen, placed = water.agreed, water.decided, water.placed
        share = 100.0 * int(mask.sum()) / int(seen.sum())
        if share < TOLERANCES.present:
            continue
        centre = _centre(mask) if placed else None
        sides = () if centre is None else _sides(mask, centre)
        found.append(Cover(name, round(share, 3), centre, sides))
    return tuple(sorted(found, key=lambda cover: -cover.share))


def _ordered(classes: NDArray[np.uint8], water: _Water | None) -> tuple[tuple[str, float], ...]:
    counts = np.bincount(classes[classes != _NO_CODE], minlength=256)[: len(_order())]
    shares = dict(zip(_order(), (100.0 * counts / counts.sum()).tolist(), strict=True))
    if water is not None and water.placed:
        shares["water"] = 100.0 * float(water.agreed.sum() / water.decided.sum())
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return tuple((name, round(share, 3)) for name, share in ranked if share > 0)


def _absent(tile: Tile, classes: NDArray[np.uint8] | None, water: _Water | None) -> tuple[str, ...]:
    """Classes that no map shows anywhere, where the map that is asked has almost no gaps."""
    if classes is None or (classes != _NO_CODE).mean() < COVERAGE_PLACE:
        return ()
    maps = [m for s in ("worldcover", "dynamic_world") if (m := _classes(tile, s)) is not None]
    shown = set(np.unique(np.stack(maps)).tolist())
    dry = water is not None and water.placed
    return tuple(
        name
        for name in ("tree", "crop", "built", "water", "snow", "wetland")
        if _order().index(name) not in shown and (name != "water" or dry)
    )


def _borders(labels: NDArray[np.uint8], water: _Water | None) -> tuple[Border, ...]:
    own = labels.copy()
    if water is not None and water.placed:
        own[water.agreed] = _order().index("water")
    known = len(_order())
    pairs = np.zeros((256, 256), np.int64)
    for a, b in ((own[1:], own[:-1]), (own[:, 1:], own[:, :-1])):
        codes = 256 * a.astype(np.int64) + b
        pairs += np.bincount(codes.ravel(), minlength=256 * 256).reshape(256, 256)
    both = pairs + pairs.T
    found = [
        Border(_order()[i], _order()[j], 10.0 * float(both[i, j]))
        for i in range(known)
        for j in range(i + 1, known)
        if both[i, j] * 10.0 >= TOLERANCES.border_m
    ]
    return tuple(sorted(found, key=lambda border: -border.length))


_PARTS = {
    "north": (slice(0, 64), slice(None)),
    "south": (slice(64, None), slice(None)),
    "west": (slice(None), slice(0, 64)),
    "east": (slice(None), slice(64, None)),
    "north-west": (slice(0, 64), slice(0, 64)),
    "north-east": (slice(0, 64), slice(64, None)),
    "south-west": (slice(64, None), slice(0, 64)),
    "south-east": (slice(64, None), slice(64, None)),
    "centre": (slice(32, 96), slice(32, 96)),
}


def _regions(labels: NDArray[np.uint8]) -> tuple[Region, ...]:
    found = []
    for side, part in _PARTS.items():
        inside = labels[part]
        counts = np.bincount(inside[inside != _NO_CODE], minlength=256)
        share = 100.0 * counts / max(counts.sum(), 1)
        first, second = np.argsort(-share)[:2]
        clear = share[first] >= TOLERANCES.dominates + 2 and share[first] >= share[second] + 5
        if first < len(_order()) and clear:
            found.append(Region(side, _order()[first], round(float(share[first]), 3)))
    return tuple(found)


def _agreement(tile: Tile) -> float | None:
    first, second = _classes(tile, "worldcover"), _classes(tile, "dynamic_world")
    if first is None or second is None:
        return None
    both = (first != _NO_CODE) & (second != _NO_CODE)
    if both.mean() < COVERAGE_SHARE:
        return None
    return round(100.0 * float((first == second)[both].mean()), 3)


def _band(tile: Tile, name: str, band: str) -> NDArray[np.float64] | None:
    """A band with NaN where it is absent; None where too much is."""
    if name not in tile.arrays:
        return None
    index = modality(name).band(band)
    mask = tile.present[name][index]
    if mask.mean() < COVERAGE_SHARE:
        return None
    return np.where(mask, tile.arrays[name][index].astype(np.float64), np.nan)


def _relief(tile: Tile) -> Relief | None:
    height = _band(tile, "relief", "elevation")
    if height is None:
        return None
    slope = _band(tile, "relief", "slope")
    forms = geomorphons(tile.arrays["relief"][0], tile.present["relief"][0], 10.0)
    counts = np.bincount(forms.ravel(), minlength=11)
    shares = {}
    if counts[1:].sum() >= COVERAGE_SHARE * forms.size:
        shares = {
            form: round(100.0 * int(counts[code]) / int(counts[1:].sum()), 3)
            for code, form in enumerate(FORMS, start=1)
        }
    return Relief(
        lowest=round(float(np.nanmin(height)), 2),
        highest=round(float(np.nanmax(height)), 2),
        mean=round(float(np.nanmean(height)), 2),
        median_slope=None if slope is None else round(float(np.nanmedian(slope)), 3),
        landforms=shares,
        rises=_rises(height),
    )


def _rises(height: NDArray[np.float64]) -> str | None:
    """Side that a plane through the elevations rises to, where it is clear enough to say."""
    held = ~np.isnan(height)
    if held.mean() < COVERAGE_PLACE:
        return None
    row, column = np.nonzero(held)
    east, north = 10.0 * (column - column.mean()), -10.0 * (row - row.mean())
    z = height[held] - height[held].mean()
    normal = np.array([[east @ east, east @ north], [east @ north, north @ north]])
    plane = np.linalg.solve(normal, [east @ z, north @ z])
    rise = float(np.hypot(*plane)) * 1280.0
    explained = float(plane @ [east @ z, north @ z]) / float(z @ z) if z.any() else 0.0
    if rise < 2 * TOLERANCES.gradient_m or explained < TOLERANCES.gradient_r2 + 0.1:
        return None
    ways = ("east", "north-east", "north", "north-west", "west", "south-west", "south")
    angle = np.degrees(np.arctan2(plane[1], plane[0]))
    return (*ways, "south-east")[round(angle / 45.0) % 8]


def _index(tile: Tile, name: str) -> NDArray[np.float64]:
    """Pixels of a spectral index, NaN where it is not known."""
    bands = [modality("sentinel2").band(b) for b in vocabulary()["indices"][name]["bands"]]
    pair = np.where(tile.present["sentinel2"][bands], tile.arrays["sentinel2"][bands], np.nan)
    pair = pair.astype(np.float64)
    total = pair.sum(axis=0)
    # Reflectances about zero, as of deep shadow, have no ratio.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(total > 0, -np.diff(pair, axis=0)[0] / total, np.nan), -1, 1)


def _indices(tile: Tile) -> dict[str, float]:
    if "sentinel2" not in tile.arrays:
        return {}
    found = {}
    for name in vocabulary()["indices"]:
        values = _index(tile, name)
        known = ~np.isnan(values)
        if known.mean() >= COVERAGE_SHARE:
            found[name] = round(float(np.median(values[known])), 4)
    return found


def _canopy(tile: Tile) -> dict[str, float]:
    height = _band(tile, "canopy_height", "height")
    if height is None:
        return {}
    known = height[~np.isnan(height)]
    found = {"maximum": round(float(known.max()), 2)}
    tall = known[known >= CANOPY_FROM]
    if len(tall) >= 0.005 * len(known):
        found["median"] = round(float(np.median(tall)), 2)
    return found


def _present(tile: Tile, vector: str) -> list[tuple[str, float]]:
    """Names and numbers of a vector, in its order."""
    if vector not in tile.arrays:
        return []
    numbers, held = tile.arrays[vector].tolist(), tile.present[vector].tolist()
    listed = zip(tile.vector_names[vector], numbers, held, strict=True)
    return [(name, number) for name, number, present in listed if present]


def _elements(tile: Tile, vector: str) -> tuple[Element, ...]:
    """Of each property the number that stands first: the sample's own precede those of maps."""
    found: dict[str, Element] = {}
    for name, value in _present(tile, vector):
        known = element(vector, name)
        if known is not None and known[0] not in found:
            found[known[0]] = Element(known[0], value, known[1])
    return tuple(found.values())


def _texture(tile: Tile) -> str | None:
    """USDA class from one source and method; one of three fractions may be missing."""
    families: dict[tuple[str, str], dict[str, float]] = {}
    for name, value in _present(tile, "soil"):
        known = element("soil", name)
        if known is not None and known[0] in ("sand", "silt", "clay"):
            families.setdefault(family(name), {})[known[0]] = value
    parts = next((parts for parts in families.values() if len(parts) > 1), None)
    if parts is None:
        return None
    rest = 100.0 - sum(parts.values())
    sand, silt, clay = (parts.get(name, rest) for name in ("sand", "silt", "clay"))
    return texture_class([sand], [silt], [clay], "usda")[0]


def _tags(tile: Tile) -> tuple[str, ...]:
    tags = tile.extra.get("map_tags") or {}
    return tuple(
        f"{key}={value}"
        for key, values in tags.items()
        for value in (values if isinstance(values, list | tuple) else [values])
        if value is not None and str(value).strip()
    )
