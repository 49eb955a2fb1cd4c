"""What a tile can hold: the modalities, their bands, units, wavelengths, classes and storage.

Belongs here: reading and checking `modalities.yaml`, and the size of a tile.
Never here: pixels, or how a publisher writes its scenes (`adapters/scenes/`).
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.errors import SoilmeldError, SpecError
from adapters.units import parse

FILE = Path(__file__).parent / "modalities.yaml"
ROI_M = 1280
"""Side of a tile's square on the ground in m: 128 pixels of 10 m."""


class Band(BaseModel):
    """One band of a modality."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    unit: str | None = Field(None, description="In `units.csv`; None for classes.")
    wavelength_nm: float | None = Field(None, gt=0, description="Centre of the band.")
    native_gsd: float = Field(gt=0, description="Ground sample distance of the sensor in m.")
    minimum: float | None = Field(None, description="Storage holds values from here ...")
    maximum: float | None = Field(None, description="... to here, in the unit of the band.")


class ModalitySpec(BaseModel):
    """One modality of a tile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    description: str
    reference: str
    kind: Literal["reflectance", "backscatter", "continuous", "classes", "rgb", "vector"]
    gsd: float | None = Field(None, gt=0, description="Ground sample distance in a tile, in m.")
    resampling: Literal["nearest", "bilinear", "average", "mode"] | None = None
    dtype: Literal["uint8", "uint16", "int16", "float32"] = Field(description="Of stored pixels.")
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = Field(
        None, description="Of absent stored pixels; None where every number is a value."
    )
    input: bool = Field(description="May a model be given it?")
    target: bool = Field(description="May a model be asked for it?")
    bands: tuple[Band, ...] = Field((), description="None for vectors: the tile names elements.")
    codes: Mapping[int, str] = Field({}, description="Class code -> label.")
    colours: Mapping[int, str] = Field(
        {}, description="Class code -> colour of its publisher's legend, #rrggbb."
    )

    @property
    def is_vector(self) -> bool:
        """Is it a list of numbers of the place, and no picture?"""
        return self.kind == "vector"

    @property
    def is_classes(self) -> bool:
        """Are its pixels codes?"""
        return self.kind == "classes"

    @property
    def size(self) -> int:
        """Rows and columns of a tile; 0 for vectors."""
        return round(ROI_M / self.gsd) if self.gsd else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(bands, height, width) of a tile's array; () for vectors, whose length is the tile's."""
        return (len(self.bands), self.size, self.size) if self.bands else ()

    @property
    def array_dtype(self) -> np.dtype:
        """Of a tile in memory: uint8 for codes and counts of a camera, float32 otherwise."""
        return np.dtype("uint8" if self.kind in ("classes", "rgb") else "float32")

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the bands."""
        return tuple(band.name for band in self.bands)

    def band(self, name: str) -> int:
        """Index of a band.

        Raises:
            SpecError: There is none of that name.
        """
        if name not in self.names:
            raise SpecError(
                f"{self.id} has no band {name!r}",
                file=FILE.name,
                remedy=f"use one of: {', '.join(self.names)}",
            )
        return self.names.index(name)

    def stored(self, values: np.ndarray, present: np.ndarray) -> np.ndarray:
        """A tile's array as it is stored.

        Args:
            values: In the unit of the bands, or codes.
            present: Same shape; what is absent becomes `nodata`, or 0 where there is none.

        Raises:
            SpecError: A present value does not fit into the stored type, or would be nodata.
        """
        fill = 0.0 if self.nodata is None else self.nodata
        dtype = np.dtype(self.dtype)
        if dtype == self.array_dtype and self.scale == 1.0 and self.offset == 0.0:
            return np.where(present, values, dtype.type(fill)).astype(dtype, copy=False)
        scaled = np.rint(
            (np.where(present, values, 0.0).astype(np.float64) - self.offset) / self.scale
        )
        limits = np.iinfo(dtype)
        wrong = present & ((scaled < limits.min) | (scaled > limits.max) | (scaled == self.nodata))
        if wrong.any():
            raise SpecError(
                f"values of {self.id} cannot be stored as {dtype}",
                file=FILE.name,
                where=self.id,
                samples=np.asarray(values)[wrong][:5].tolist(),
                remedy="look at the scene they come from, or widen the storage of the modality",
            )
        return np.where(present, scaled, fill).astype(dtype)

    def restored(self, stored: np.ndarray) -> np.ndarray:
        """Stored pixels in the unit of the bands; what is absent stays undefined."""
        if np.dtype(self.dtype) == self.array_dtype and self.scale == 1.0 and self.offset == 0.0:
            return stored
        values = stored.astype(np.float64) * self.scale + self.offset
        return values.astype(self.array_dtype)

    @model_validator(mode="after")
    def _consistent(self) -> "ModalitySpec":
        if self.is_vector != (self.gsd is None) or self.is_vector != (not self.bands):
            raise ValueError("pictures have a gsd and bands, and vectors have none")
        if self.is_vector != (self.resampling is None):
            raise ValueError("pictures are resampled, and vectors are not")
        if self.is_classes != bool(self.codes):
            raise ValueError("classes have codes, and nothing else has")
        if self.is_classes and self.resampling not in ("nearest", "mode"):
            raise ValueError("classes are never interpolated: resampling is nearest or mode")
        if self.gsd and ROI_M % self.gsd:
            raise ValueError(f"{ROI_M} m are no whole number of pixels of {self.gsd} m")
        if len(set(self.names)) != len(self.names):
            raise ValueError("two bands have one name")
        if self.is_classes and self.nodata in self.codes:
            raise ValueError(f"{self.nodata:g} is both a class and nodata")
        for band in self.bands:
            self._require_storable(band)
        if self.colours.keys() != self.codes.keys():
            raise ValueError("each class has a colour, and nothing else has")
        return self

    def _require_storable(self, band: Band) -> None:
        if self.is_classes:
            if band.unit is not None:
                raise ValueError(f"{band.name}: codes have no unit")
            limits = np.iinfo(self.dtype)
            if min(self.codes) < limits.min or max(self.codes) > limits.max:
                raise ValueError(f"codes do not fit into {self.dtype}")
            return
        if band.unit is None or band.minimum is None or band.maximum is None:
            raise ValueError(f"{band.name}: a number has a unit, a minimum and a maximum")
        parse(band.unit, None)
        if self.dtype == "float32":
            return
        limits = np.iinfo(self.dtype)
        low, high = ((v - self.offset) / self.scale for v in (band.minimum, band.maximum))
        if round(low) < limits.min or round(high) > limits.max:
            raise ValueError(f"{band.name}: {self.dtype} does not hold its range")
        if self.nodata is not None and round(low) <= self.nodata <= round(high):
            raise ValueError(f"{band.name}: nodata {self.nodata:g} is a value of its range")


@functools.cache
def _table(path: Path = FILE) -> Mapping[str, ModalitySpec]:
    listed: dict[str, ModalitySpec] = {}
    for number, raw in enumerate(
        yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), start=1
    ):
        where = f"entry {number} ({raw.get('id') if isinstance(raw, dict) else raw})"
        try:
            spec = ModalitySpec.model_validate(raw)
        except (ValidationError, SoilmeldError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            raise SpecError(
                first["msg"] if first else str(error),
                file=path.name,
                where=".".join([where, *map(str, first["loc"])]) if first else where,
                remedy="correct the entry",
            ) from error
        if spec.id in listed:
            raise SpecError(
                f"{spec.id!r} stands twice",
                file=path.name,
                where=where,
                remedy="keep one of the two entries",
            )
        listed[spec.id] = spec
    return listed


def modalities(path: Path = FILE) -> tuple[ModalitySpec, ...]:
    """All modalities, in the order of the table.

    Raises:
        SpecError: An entry is faulty or an id stands twice.
    """
    return tuple(_table(path).values())


def modality(id_: str) -> ModalitySpec:
    """The modality of that id.

    Raises:
        SpecError: There is none; the message lists those available.
    """
    if id_ not in _table():
        raise SpecError(
            f"no modality {id_!r}",
            file=FILE.name,
            remedy=f"use one of: {', '.join(_table())}",
        )
    return _table()[id_]
