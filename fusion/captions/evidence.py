"""What the arrays of a tile say on a question that a claim raises.

Belongs here: the verifier's own measurements; they share definitions (`vocabulary.py`) with those
of `measure.py`, and no code or result besides the geomorphons. Never here: words, tolerances or
verdicts. Every method answers None where too little is present to say it.
"""

import functools
import itertools
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from adapters.modalities import modality
from fusion.captions.geomorphons import FORMS, geomorphons
from fusion.captions.vocabulary import (
    CANOPY_FROM,
    CORNER,
    COVERAGE_PLACE,
    COVERAGE_SHARE,
    EDGE,
    NDWI_WATER,
    VV_WATER,
    element,
    family,
    vocabulary,
)
from fusion.texture import texture_class
from fusion.tiles.tile import Tile

_CELL = 10.0


class Evidence:
    """Measurements on one tile, each made when first asked for."""

    def __init__(self, tile: Tile) -> None:
        self.tile = tile
        self._masks: dict[tuple[str, str | None], NDArray[np.bool_] | None] = {}

    def band(self, name: str, band: str) -> tuple[NDArray, NDArray[np.bool_]] | None:
        """A band and where it is present; None if the tile has no such modality."""
        if name not in self.tile.arrays:
            return None
        index = modality(name).band(band)
        return self.tile.arrays[name][index], self.tile.present[name][index]

    def map_coverage(self, source: str) -> float:
        """Share of a land-cover map that is present."""
        held = self.band(source, "class")
        return 0.0 if held is None else float(np.mean(held[1]))

    def source(self, named: str | None = None) -> str | None:
        """Land-cover map that is asked: the named one, else the first that covers enough."""
        for source in (named,) if named else ("worldcover", "dynamic_world"):
            if self.map_coverage(source) >= COVERAGE_SHARE:
                return source
        return None

    @functools.cached_property
    def water(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Water by two sources, water by any map, and where both kinds of source can tell."""
        source = self.source()
        if source is None:
            return None
        anywhere = np.zeros((128, 128), bool)
        for name in ("worldcover", "dynamic_world"):
            held = self.band(name, "class")
            if held is not None:
                codes = vocabulary()["covers"]["water"][name]
                anywhere |= held[1] & np.isin(held[0], codes)
        classes, mapped = self.band(source, "class")
        said = mapped & np.isin(classes, vocabulary()["covers"]["water"][source])
        wet = np.zeros((128, 128), bool)
        sensed = np.zeros((128, 128), bool)
        ndwi = self.index_pixels("ndwi")
        if ndwi is not None:
            values, valid = ndwi
            wet |= valid & (values > NDWI_WATER)
            sensed |= valid
        radar = [self.band("sentinel1", name) for name in ("asc_VV", "desc_VV")]
        held_radar = [pair for pair in radar if pair is not None]
        if held_radar:
            count = sum(mask.astype(float) for _, mask in held_radar)
            total = sum(np.where(mask, values, 0.0) for values, mask in held_radar)
            with np.errstate(invalid="ignore", divide="ignore"):
                wet |= (count > 0) & (total / count < VV_WATER)
            sensed |= count > 0
        decided = mapped & sensed
        if decided.mean() < COVERAGE_SHARE:
            return None
        return said & wet & decided, anywhere, decided

    def mask(self, cover: str, named: str | None = None) -> NDArray[np.bool_] | None:
        """Pixels of a class; those of water where two sources agree."""
        key = (cover, named)
        if key not in self._masks:
            self._masks[key] = self._mask(cover, named)
        return self._masks[key]

    def _mask(self, cover: str, named: str | None) -> NDArray[np.bool_] | None:
        if cover == "water":
            return None if self.water is None else self.water[0]
        source = self.source(named)
        if source is None:
            return None
        codes = vocabulary()["covers"][cover][source]
        held = self.band(source, "class")
        return held[1] & np.isin(held[0], codes) if codes and held is not None else None

    def _seen(self, cover: str, named: str | None) -> NDArray[np.bool_] | None:
        """Pixels on which it is known whether they are of the class."""
        if cover == "water":
            return None if self.water is None else self.water[2]
        source = self.source(named)
        held = self.band(source, "class") if source else None
        return None if held is None else held[1]

    def share(self, cover: str, named: str | None = None) -> float | None:
        """Share of a class in % of the pixels on which it is known."""
        mask, seen = self.mask(cover, named), self._seen(cover, named)
        return None if mask is None or seen is None else 100.0 * mask.sum() / seen.sum()

    def complete(self, cover: str, named: str | None = None) -> bool:
        """Is enough present to say where the class lies, or that it is absent?"""
        seen = self._seen(cover, named)
        return seen is not None and float(seen.mean()) >= COVERAGE_PLACE

    def nobody_says_water(self) -> float | None:
        """Share of the tile in % on which any map says water."""
        return None if self.water is None else 100.0 * float(self.water[1].mean())

    def shares(self, named: str | None = None) -> dict[str, float]:
        """All classes that the map knows, largest first.

        Water has the share on which two sources agree where both see almost the whole tile, and
        else that of the map, since what may be water must not hide behind the second source.
        """
        source = self.source(named)
        if source is None:
            return {}
        held, mask = self.band(source, "class")
        found = {}
        for cover, entry in vocabulary()["covers"].items():
            agreed = cover == "water" and self.complete(cover)
            share = 100.0 * float((mask & np.isin(held, entry[source])).sum() / mask.sum())
            found[cover] = self.share(cover) if agreed else share
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def centroid(self, cover: str, named: str | None = None) -> tuple[float, float] | None:
        """Centre of a class, east and north of the tile's centre, its half side being 1."""
        mask = self.mask(cover, named)
        if mask is None or not mask.any() or not self.complete(cover, named):
            return None
        row, column = np.nonzero(mask)
        half = mask.shape[0] / 2
        return float((column + 0.5 - half).mean() / half), float((half - row - 0.5).mean() / half)

    def regional(self, part: str, named: str | None = None) -> dict[str, float] | None:
        """Shares of the classes in % of a part of the tile, as `part_of` knows them."""
        source = self.source(named)
        if source is None or self.map_coverage(source) < COVERAGE_PLACE:
            return None
        held, mask = self.band(source, "class")
        seen = mask & part_of(part)
        if seen.sum() < COVERAGE_PLACE * part_of(part).sum():
            return None
        found = {}
        for cover, entry in vocabulary()["covers"].items():
            own = seen & np.isin(held, entry[source])
            if cover == "water" and self.complete(cover):
                own &= self.water[0]
            found[cover] = 100.0 * float(own.sum() / seen.sum())
        return found

    def inside(self, cover: str, part: str, named: str | None = None) -> float | None:
        """Share in % of a class that lies in a part of the tile, as `part_of` knows them."""
        mask = self.mask(cover, named)
        if mask is None or not mask.any() or not self.complete(cover, named):
            return None
        return 100.0 * float((mask & part_of(part)).sum() / mask.sum())

    def along(self, cover: str, edge: str, named: str | None = None) -> float | None:
        """Share in % of the length of an edge beside which a class lies."""
        mask = self.mask(cover, named)
        if mask is None or not self.complete(cover, named):
            return None
        across = 1 if edge.startswith(("east", "west")) else 0
        return 100.0 * float((mask & part_of(edge)).any(axis=across).mean())

    def longest_border(self, but: Collection[str], named: str | None = None) -> float | None:
        """Longest border in m that any two classes but those have in common."""
        present = [cover for cover, share in self.shares(named).items() if share]
        pairs = [pair for pair in itertools.combinations(present, 2) if set(pair) != set(but)]
        lengths = [self.border(*pair, named) for pair in pairs]
        return None if None in lengths else max(lengths, default=0.0)

    def border(self, one: str, other: str, named: str | None = None) -> float | None:
        """Common border of two classes in m."""
        a, b = self.mask(one, named), self.mask(other, named)
        if (
            a is None
            or b is None
            or not (self.complete(one, named) and self.complete(other, named))
        ):
            return None
        return _CELL * _edges(a, b)

    def surrounding(self, one: str, other: str, named: str | None = None) -> float | None:
        """Share in % of the border of a class, inside the tile, that is towards the other."""
        a, b, seen = self.mask(one, named), self.mask(other, named), self._seen(one, named)
        if a is None or b is None or seen is None or not self.complete(one, named):
            return None
        around = _edges(a, seen & ~a)
        return 100.0 * _edges(a, b & ~a) / around if around else None

    def agreement(self) -> float | None:
        """Share in % of the pixels that both maps hold on which they give the same class."""
        first, second = self.band("worldcover", "class"), self.band("dynamic_world", "class")
        if first is None or second is None:
            return None
        both = first[1] & second[1]
        if both.mean() < COVERAGE_SHARE:
            return None
        same = np.zeros_like(both)
        for entry in vocabulary()["covers"].values():
            same |= np.isin(first[0], entry["worldcover"]) & np.isin(
                second[0], entry["dynamic_world"]
            )
        return 100.0 * float((same & both).sum()) / float(both.sum())

    def _values(self, name: str, band: str) -> NDArray | None:
        held = self.band(name, band)
        if held is None or held[1].mean() < COVERAGE_SHARE:
            return None
        return held[0][held[1]].astype(np.float64)

    def number(self, name: str, statistic: str) -> float | None:
        """Statistic of elevation (m), relief (m), slope (degrees) or canopy height (m)."""
        if name == "relief":
            values = self._values("relief", "elevation")
            return None if values is None else float(np.ptp(values))
        where = {"elevation": ("relief", "elevation"), "slope": ("relief", "slope")}
        values = self._values(*where.get(name, ("canopy_height", "height")))
        if values is not None and name == "canopy_height" and statistic != "maximum":
            tall = values >= CANOPY_FROM
            values = values[tall] if tall.mean() >= 0.005 else None
        return None if values is None else _STATISTICS[statistic](values)

    @functools.cached_property
    def landforms(self) -> dict[str, float] | None:
        """Shares of the landforms in % of the pixels that have one."""
        held = self.band("relief", "elevation")
        if held is None or held[1].mean() < COVERAGE_SHARE:
            return None
        codes = geomorphons(held[0], held[1], _CELL)
        known = np.count_nonzero(codes)
        if known < COVERAGE_SHARE * codes.size:
            return None
        return {
            form: 100.0 * np.count_nonzero(codes == code) / known
            for code, form in enumerate(FORMS, start=1)
        }

    @functools.cached_property
    def gradient(self) -> tuple[float, float, float, float] | None:
        """East and north part of the way uphill, rise over the tile in m, explained variance."""
        held = self.band("relief", "elevation")
        if held is None or held[1].mean() < COVERAGE_PLACE:
            return None
        row, column = np.nonzero(held[1])
        values = held[0][held[1]].astype(np.float64)
        x = np.column_stack([column * _CELL, -row * _CELL, np.ones(len(row))])
        (east, north, offset), *_ = np.linalg.lstsq(x, values, rcond=None)
        slope = float(np.hypot(east, north))
        spread = values.var()
        explained = 1.0 - np.var(values - x @ [east, north, offset]) / spread if spread else 0.0
        if slope == 0.0:
            return 0.0, 0.0, 0.0, float(explained)
        return float(east / slope), float(north / slope), slope * 128 * _CELL, float(explained)

    def index_pixels(self, name: str) -> tuple[NDArray, NDArray[np.bool_]] | None:
        """Pixels of a spectral index and where it is known."""
        one, other = vocabulary()["indices"][name]["bands"]
        first, second = self.band("sentinel2", one), self.band("sentinel2", other)
        if first is None or second is None:
            return None
        valid = first[1] & second[1]
        a = np.where(valid, first[0], 0.0).astype(np.float64)
        b = np.where(valid, second[0], 0.0).astype(np.float64)
        valid &= a + b > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.clip(np.where(valid, (a - b) / (a + b), np.nan), -1.0, 1.0), valid

    def index(self, name: str, statistic: str) -> float | None:
        """Statistic of a spectral index."""
        held = self.index_pixels(name)
        if held is None or held[1].mean() < COVERAGE_SHARE:
            return None
        return _STATISTICS[statistic](held[0][held[1]])

    def element(self, vector: str, name: str) -> tuple[float, str] | None:
        """A soil or climate property of the place and its unit."""
        if vector not in self.tile.arrays:
            return None
        for i, listed in enumerate(self.tile.vector_names[vector]):
            found = element(vector, listed)
            if found is not None and found[0] == name and self.tile.present[vector][i]:
                return float(self.tile.arrays[vector][i]), found[1]
        return None

    def texture(self) -> str | None:
        """USDA class of the first source and method that tell two fractions, as all three do."""
        told: dict[tuple[str, str], dict[str, float]] = {}
        for i, listed in enumerate(self.tile.vector_names.get("soil", ())):
            known = element("soil", listed)
            if known and known[0] in _FRACTIONS and self.tile.present["soil"][i]:
                value = float(self.tile.arrays["soil"][i])
                told.setdefault(family(listed), {}).setdefault(known[0], value)
        for parts in told.values():
            missing = [name for name in _FRACTIONS if name not in parts]
            if len(missing) < 2:
                parts |= {name: 100.0 - sum(parts.values()) for name in missing}
                shares = ([parts[name]] for name in _FRACTIONS)
                return texture_class(*shares, "usda")[0]
        return None


_FRACTIONS = ("sand", "silt", "clay")
_STATISTICS = {
    "median": lambda values: float(np.median(values)),
    "mean": lambda values: float(np.mean(values)),
    "minimum": lambda values: float(np.min(values)),
    "maximum": lambda values: float(np.max(values)),
}


def part_of(name: str) -> NDArray[np.bool_]:
    """The half, quarter, edge or corner on a side; for the centre, the inner half of its edges.

    Args:
        name: A side, or one and what of it: `north`, `north edge`, `north-east corner`.
    """
    side, _, kind = name.partition(" ")
    ways = vocabulary()["sides"][side]
    row, column = np.mgrid[0:128, 0:128]
    east, north = (column + 0.5 - 64) / 64, (63.5 - row) / 64
    if side == "centre":
        return (abs(east) < 0.5) & (abs(north) < 0.5)
    least = {"": 0.0, "edge": EDGE, "corner": CORNER}[kind]
    inside = np.ones((128, 128), bool)
    for offset, way in ((east, ways["x"]), (north, ways["y"])):
        inside &= (offset * way >= least) | (way == 0)
    return inside


def _edges(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> int:
    """Pairs of neighbouring pixels, one of each mask."""
    return int(
        (a[1:] & b[:-1]).sum()
        + (b[1:] & a[:-1]).sum()
        + (a[:, 1:] & b[:, :-1]).sum()
        + (b[:, 1:] & a[:, :-1]).sum()
    )
