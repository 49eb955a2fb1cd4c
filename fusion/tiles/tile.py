"""One tile in memory.

Belongs here: what a tile is, and the refusal of one that is inconsistent.
Never here: how tiles are built (`build.py`) or stored (`store.py`).
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from adapters.errors import FusionError
from adapters.modalities import ROI_M, ModalitySpec, modality

_UTM = re.compile(r"^EPSG:32[67](0[1-9]|[1-5][0-9]|60)$")


@dataclass(frozen=True, eq=False)
class Tile:
    """Everything known of one square of 1,280 m, on one grid.

    Where `present` is False, the content of `arrays` is undefined and must never be read. A band
    that a sensor did not deliver is absent in `present`, and never left out of `arrays`.

    Attributes:
        id: Unique among the tiles of a set.
        longitude: Of the place that the tile was made for (EPSG:4326).
        latitude: Of that place.
        crs: UTM zone of the place, such as `EPSG:32632`.
        west: Western edge in m of the CRS.
        north: Northern edge.
        date: Of the Sentinel-2 scene; without one, the day that was asked for.
        origin: `synthetic`, `open`, `user` or `mixed`.
        licences: Of all that the tile holds.
        arrays: Modality -> (bands, h, w) float32 in the unit of its bands, uint8 for codes and
            camera counts; (n,) float32 for vectors.
        present: Modality -> bool of the same shape.
        vector_names: Modality -> names of the elements of a vector.
        extra: Place names, map tags; under `sources`, what each modality comes from.
    """

    id: str
    longitude: float
    latitude: float
    crs: str
    west: float
    north: float
    date: datetime.date
    origin: str
    licences: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    vector_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extra: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is inconsistent.

        Raises:
            FusionError: Shapes, types, names, codes or the place are not what the table of
                modalities says, or a present value is not finite.
            SpecError: A modality is not in the table.
        """
        if not _UTM.match(self.crs):
            raise self._error("the CRS is no UTM zone", [self.crs])
        if not (-180 <= self.longitude <= 180 and -90 <= self.latitude <= 90):
            raise self._error("the place is not on the Earth", [self.longitude, self.latitude])
        if not np.isfinite([self.west, self.north]).all():
            raise self._error("the corner is not finite", [self.west, self.north])
        if self.arrays.keys() != self.present.keys():
            different = sorted(self.arrays.keys() ^ self.present.keys())
            raise self._error("arrays and masks are not of the same modalities", different)
        for name in self.arrays:
            self._require_sound(modality(name))
        vectors = {name for name in self.arrays if modality(name).is_vector}
        if self.vector_names.keys() != vectors:
            different = sorted(self.vector_names.keys() ^ vectors)
            raise self._error("names and vectors are not of the same modalities", different)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in m of the CRS."""
        return self.west, self.north - ROI_M, self.west + ROI_M, self.north

    def availability(self) -> Mapping[str, float]:
        """Modality -> share of its numbers that are present."""
        return {name: float(mask.mean()) for name, mask in self.present.items()}

    def band_present(self, name: str) -> np.ndarray:
        """(bands,) bool: has the band any present pixel?"""
        mask = self.present[name]
        return mask if mask.ndim == 1 else mask.any(axis=(1, 2))

    def _require_sound(self, spec: ModalitySpec) -> None:
        array, mask = self.arrays[spec.id], self.present[spec.id]
        shape = (len(self.vector_names.get(spec.id, ())),) if spec.is_vector else spec.shape
        if array.shape != shape:
            raise self._error(f"{spec.id} has the wrong shape, not {shape}", [array.shape])
        if mask.shape != shape:
            raise self._error(
                f"the mask of {spec.id} has the wrong shape, not {shape}", [mask.shape]
            )
        if array.dtype != spec.array_dtype:
            raise self._error(f"{spec.id} is not {spec.array_dtype}", [array.dtype])
        if mask.dtype != np.bool_:
            raise self._error(f"the mask of {spec.id} is not bool", [mask.dtype])
        if spec.is_classes:
            known = np.zeros(256, bool)
            known[list(spec.codes)] = True
            if (wrong := mask & ~known[array]).any():
                codes = np.unique(array[wrong]).tolist()
                raise self._error(f"{spec.id} holds codes that are no classes", codes)
        elif array.dtype.kind == "f" and (wrong := mask & ~np.isfinite(array)).any():
            bands = np.unique(np.nonzero(wrong)[0]).tolist()
            raise self._error(f"present values of {spec.id} are not finite", bands)

    def _error(self, problem: str, samples: list[object]) -> FusionError:
        return FusionError(
            problem,
            where=f"tile {self.id}",
            samples=samples,
            remedy="see adapters/modalities.yaml for what a tile holds; absence is said by the "
            "mask alone",
        )
