"""Statistics of bands over the present pixels of some tiles.

Belongs here: counting as tiles stream by, merging counts, and what follows from them.
Never here: which tiles are counted (`writing.py` gives those of the training split alone).

Stored integers are counted one by one, so that mean, deviation and percentiles are those of all
pixels at once, in whatever order and in however many parts they came. Stored floats are counted in
65,536 bins between the limits of their band, which is how fine their percentiles are; their
moments are merged (Chan, Golub and LeVeque 1979, Stanford STAN-CS-79-773).
"""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from adapters.errors import FusionError
from adapters.modalities import ModalitySpec, modality

PERCENTILES = (1, 2, 5, 25, 50, 75, 95, 98, 99)
_BINS = 65_536


class BandStatistics(BaseModel):
    """One band, or one element of a vector, in its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    count: int
    """Present pixels."""
    mean: float | None = None
    """None, as are the others, without a present pixel; and for classes, always."""
    std: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    percentiles: Mapping[int, float] = {}
    """The least value that at least that many percent of the pixels do not exceed."""
    codes: Mapping[int, int] = {}
    """Of classes: pixels of each code that occurs."""


class TileStatistics(BaseModel):
    """Statistics of each modality of the tiles that were counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tiles: int
    modalities: Mapping[str, tuple[BandStatistics, ...]]

    def band(self, modality_id: str, name: str) -> BandStatistics:
        """Of one band.

        Raises:
            FusionError: It was not counted.
        """
        for band in self.modalities.get(modality_id, ()):
            if band.name == name:
                return band
        raise FusionError(
            "no statistics",
            where=f"{modality_id}, {name}",
            samples=self.modalities,
            remedy="no training tile has it: leave it out",
        )


class Tally:
    """What was counted so far."""

    def __init__(self) -> None:
        self.tiles = 0
        self._counts: dict[str, np.ndarray] = {}  # (bands, bins)
        self._moments: dict[str, np.ndarray] = {}  # (bands, 5): n, mean, M2, min, max
        self._elements: dict[str, dict[str, list[float]]] = {}

    def add(
        self,
        stored: Mapping[str, tuple[np.ndarray, np.ndarray]],
        vector_names: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Count one tile.

        Args:
            stored: Modality -> stored array and mask; absent pixels are not looked at.
            vector_names: Names of the elements of its vectors.
        """
        self.tiles += 1
        for name, (values, present) in stored.items():
            spec = modality(name)
            if spec.is_vector:
                self._add_vector(name, vector_names[name], values, present)
            elif np.dtype(spec.dtype).kind == "f":
                self._add_floats(spec, values, present)
            else:
                self._add_integers(spec, values, present)

    def merge(self, other: "Tally") -> None:
        """Take in what another has counted."""
        self.tiles += other.tiles
        for name, counts in other._counts.items():
            self._counts[name] = self._counts[name] + counts if name in self._counts else counts
        for name, moments in other._moments.items():
            mine = self._moments.get(name)
            self._moments[name] = moments if mine is None else _joined(mine, moments)
        for name, elements in other._elements.items():
            for element, values in elements.items():
                self._elements.setdefault(name, {}).setdefault(element, []).extend(values)

    def result(self) -> TileStatistics:
        """Statistics of all that was counted."""
        found = {name: self._bands(modality(name)) for name in self._counts}
        for name, elements in self._elements.items():
            found[name] = tuple(_of_values(e, np.array(elements[e])) for e in sorted(elements))
        return TileStatistics(tiles=self.tiles, modalities=dict(sorted(found.items())))

    def _add_integers(self, spec: ModalitySpec, values: np.ndarray, present: np.ndarray) -> None:
        lowest, bins = _range(spec)
        if spec.id not in self._counts:
            self._counts[spec.id] = np.zeros((len(spec.bands), bins), np.int64)
        for band, counts in enumerate(self._counts[spec.id]):
            mask = present[band]
            pixels = values[band].ravel() if mask.all() else values[band][mask]
            counts += np.bincount(pixels.astype(np.int64) - lowest, minlength=bins)

    def _add_floats(self, spec: ModalitySpec, values: np.ndarray, present: np.ndarray) -> None:
        moments = np.zeros((len(spec.bands), 5))
        moments[:, 3], moments[:, 4] = np.inf, -np.inf
        counts = np.zeros((len(spec.bands), _BINS), np.int64)
        for index, band in enumerate(spec.bands):
            pixels = values[index][present[index]].astype(np.float64)
            if not len(pixels):
                continue
            width = (band.maximum - band.minimum) / _BINS
            bins = ((pixels - band.minimum) / width).astype(np.int64).clip(0, _BINS - 1)
            counts[index] = np.bincount(bins, minlength=_BINS)
            squares = ((pixels - pixels.mean()) ** 2).sum()
            moments[index] = len(pixels), pixels.mean(), squares, pixels.min(), pixels.max()
        one = Tally()
        one._counts[spec.id], one._moments[spec.id] = counts, moments
        self.merge(one)

    def _add_vector(
        self, name: str, names: tuple[str, ...], values: np.ndarray, present: np.ndarray
    ) -> None:
        elements = self._elements.setdefault(name, {})
        for element, value, there in zip(names, values.tolist(), present, strict=True):
            elements.setdefault(element, [])
            if there:
                elements[element].append(value)

    def _bands(self, spec: ModalitySpec) -> tuple[BandStatistics, ...]:
        counts = self._counts[spec.id]
        if spec.is_classes:
            return tuple(
                BandStatistics(
                    name=name,
                    count=int(one.sum()),
                    codes={code: int(one[code]) for code in spec.codes if one[code]},
                )
                for name, one in zip(spec.names, counts, strict=True)
            )
        if spec.id in self._moments:
            return tuple(
                _of_bins(band, one, moments)
                for band, one, moments in zip(
                    spec.bands, counts, self._moments[spec.id], strict=True
                )
            )
        lowest, bins = _range(spec)
        values = (np.arange(bins) + lowest) * spec.scale + spec.offset
        return tuple(
            _of_counts(name, values, one) for name, one in zip(spec.names, counts, strict=True)
        )


def _range(spec: ModalitySpec) -> tuple[int, int]:
    limits = np.iinfo(spec.dtype)
    return int(limits.min), int(limits.max) - int(limits.min) + 1


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Moments of two parts together: (bands, 5)."""
    count = one[:, 0] + other[:, 0]
    share = other[:, 0] / np.maximum(count, 1)
    apart = other[:, 1] - one[:, 1]
    mean = one[:, 1] + apart * share
    squares = one[:, 2] + other[:, 2] + apart**2 * one[:, 0] * share
    least = np.minimum(one[:, 3], other[:, 3])
    return np.column_stack([count, mean, squares, least, np.maximum(one[:, 4], other[:, 4])])


def _percentiles(values: np.ndarray, counts: np.ndarray) -> dict[int, float]:
    upto = np.cumsum(counts)
    # Whole numbers, since 0.95 * n can round to beyond the pixel that is meant.
    places = [np.searchsorted(upto, -(-p * int(upto[-1]) // 100)) for p in PERCENTILES]
    return {p: float(values[place]) for p, place in zip(PERCENTILES, places, strict=True)}


def _of_counts(name: str, values: np.ndarray, counts: np.ndarray) -> BandStatistics:
    """Of values that occur so many times each."""
    total = int(counts.sum())
    if not total:
        return BandStatistics(name=name, count=0)
    there = np.flatnonzero(counts)
    values, counts = values[there], counts[there]
    mean = float((values * counts).sum() / total)
    return BandStatistics(
        name=name,
        count=total,
        mean=mean,
        std=float(np.sqrt((counts * (values - mean) ** 2).sum() / total)),
        minimum=float(values[0]),
        maximum=float(values[-1]),
        percentiles=_percentiles(values, counts),
    )


def _of_bins(band, counts: np.ndarray, moments: np.ndarray) -> BandStatistics:  # noqa: ANN001
    """Of values that fell into bins, whose middles stand for them in the percentiles."""
    total, mean, squares, least, most = moments.tolist()
    if not total:
        return BandStatistics(name=band.name, count=0)
    width = (band.maximum - band.minimum) / _BINS
    middles = (band.minimum + width * (np.arange(_BINS) + 0.5)).clip(least, most)
    return BandStatistics(
        name=band.name,
        count=int(total),
        mean=mean,
        std=float(np.sqrt(squares / total)),
        minimum=least,
        maximum=most,
        percentiles=_percentiles(middles, counts),
    )


def _of_values(name: str, values: np.ndarray) -> BandStatistics:
    """Of single values; sorted, so that their order does not show in the last digit."""
    return _of_counts(name, *np.unique(values, return_counts=True))
