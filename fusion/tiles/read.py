"""Reading scenes onto the grid of a tile.

Belongs here: from files to arrays with masks in the unit of a modality.
Never here: which scenes (`choose.py`), how pixels move (`resample.py`).
"""

import functools
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from adapters.errors import FusionError
from adapters.modalities import ModalitySpec
from adapters.scenes.scene import Layer, Scene
from fusion.tiles.grid import Array, Geometry, Placement, Roi, place
from fusion.tiles.resample import Window, reach, resample

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

TOO_COARSE = 1.5
"""How much larger than the sensor's own a pixel may be on the ground."""
REMOTE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "1",
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "CPL_VSIL_CURL_USE_HEAD": "NO",
    "VSI_CACHE": "TRUE",
    "GDAL_NUM_THREADS": "1",
}
"""How GDAL reads: no listing of folders, no question before the first range (a signed address may
answer nothing else), and several attempts where a server is busy."""
KEPT_OPEN = 256
"""Files kept open for the next tile; a process may have 1,024 as a rule."""


class Files:
    """Files of scenes, kept open: tiles beside each other read the same ones."""

    def __init__(self) -> None:
        """No file is open yet."""
        self._open: OrderedDict[str, tuple[DatasetReader, Geometry]] = OrderedDict()

    def __enter__(self) -> Self:
        """Files may be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """All are closed."""
        while self._open:
            self._open.popitem()[1][0].close()

    def open(self, href: str) -> "tuple[DatasetReader, Geometry]":
        """A file, and where its pixels are.

        Args:
            href: Path or address.

        Raises:
            FusionError: It cannot be opened, or says no CRS.
        """
        if href in self._open:
            self._open.move_to_end(href)
            return self._open[href]
        from rasterio.env import env_ctx_if_needed
        from rasterio.errors import RasterioError
        from rasterio.io import DatasetReader

        try:
            # `rasterio.open` makes a GDAL environment for each file, a sixth of the time of opening
            # it; that of the tile is enough.
            with env_ctx_if_needed():
                file = DatasetReader(href)
        except RasterioError as error:
            raise _unreadable(href, error) from error
        self._open[href] = file, _geometry(file, href)
        if len(self._open) > KEPT_OPEN:
            self._open.popitem(last=False)[1][0].close()
        return self._open[href]


@dataclass(eq=False)
class Reader:
    """Reads files onto one square; lattices are placed once.

    Attributes:
        square: Of the tile.
        files: Files that are open.
    """

    square: Roi
    files: Files
    _placed: dict[tuple[Geometry, float, int], Placement] = field(default_factory=dict)

    def picture(
        self, spec: ModalitySpec, scenes: Sequence[Scene]
    ) -> tuple[np.ndarray, NDArray[np.bool_]]:
        """One modality from its scenes: what the first leaves absent, the next ones fill.

        Args:
            spec: The modality.
            scenes: The best first.

        Returns:
            (bands, h, w) of the modality's type, and whether each is present. Absent pixels hold
            NaN, or 255.

        Raises:
            FusionError: Pixels of a file are too coarse, or it cannot be read.
        """
        absent = 255 if spec.array_dtype == np.uint8 else np.nan
        array = np.full(spec.shape, absent, spec.array_dtype)
        present = np.zeros(spec.shape, bool)
        for scene in scenes:
            bands = [spec.band(name) for name in scene.layers]
            if not all(present[band].all() for band in bands):
                self._fill(spec, scene, array, present)
        return array, present

    def _fill(
        self, spec: ModalitySpec, scene: Scene, array: np.ndarray, present: NDArray[np.bool_]
    ) -> None:
        clear = self._clear(spec, scene)
        relief = spec.id == "relief" and "slope" not in scene.layers
        for where, names, layers in self._on_one_lattice(spec, scene, margin=int(relief)):
            values, there = self._layers(layers, where, str(spec.resampling))
            if relief:
                values, there = _with_slope(values[0], there[0], spec.gsd or 0.0)
                names = ["elevation", "slope"]
            if spec.array_dtype == np.uint8 and values.dtype != np.uint8:
                values = np.rint(values).astype(np.uint8)
            if clear is not None:
                there &= clear
            for value, mask, band in zip(values, there, map(spec.band, names), strict=True):
                new = mask > present[band]
                if spec.is_classes:
                    self._require_classes(spec, scene, value[new])
                if new.all():
                    array[band], present[band] = value, True
                else:
                    np.copyto(array[band], value, where=new, casting="same_kind")
                    present[band] |= new

    def _on_one_lattice(
        self, spec: ModalitySpec, scene: Scene, margin: int
    ) -> Iterator[tuple[Placement, list[str], list[Layer]]]:
        """Bands whose pixels lie in the same places, which are resampled at once."""
        found: dict[Geometry, dict[str, list[str]]] = {}
        for name, layer in scene.layers.items():
            geometry = self.files.open(layer.href)[1]
            found.setdefault(geometry, {}).setdefault(layer.href, []).append(name)
        gsd = spec.gsd or 0.0
        for geometry, files in found.items():
            where = self._place(geometry, gsd, margin)
            size = gsd / where.ratio
            names = [name for same in files.values() for name in same]
            for name in names:
                native = spec.bands[spec.band(name)].native_gsd
                if size > TOO_COARSE * native:
                    raise FusionError(
                        f"pixels of {size:.0f} m are too coarse for {name} of {spec.id}",
                        file=scene.layers[name].href,
                        remedy=f"use a file of at most {TOO_COARSE * native:g} m",
                    )
            yield where, names, [scene.layers[name] for name in names]

    def _clear(self, spec: ModalitySpec, scene: Scene) -> NDArray[np.bool_] | None:
        """(h, w) where nothing hides the ground; None where the scene has no mask."""
        if scene.mask is None:
            return None
        layer, refused = scene.mask
        where = self._place(self.files.open(layer.href)[1], spec.gsd or 0.0, 0)
        codes, there = self._layers([layer], where, "nearest")
        return there[0] & ~np.isin(codes[0], refused, kind="table")

    def _require_classes(self, spec: ModalitySpec, scene: Scene, codes: np.ndarray) -> None:
        if unknown := sorted(set(np.unique(codes).tolist()) - set(spec.codes)):
            raise FusionError(
                f"codes that are no classes of {spec.id}",
                file=scene.id,
                samples=unknown,
                remedy="add the class to adapters/modalities.yaml, or the nodata to the product",
            )

    def _layers(
        self, layers: Sequence[Layer], where: Placement, how: str
    ) -> tuple[np.ndarray, NDArray[np.bool_]]:
        """Layers of one lattice on the square, in the unit of their bands."""
        from rasterio.errors import RasterioError

        geometry = self.files.open(layers[0].href)[1]
        span = reach(where, geometry.height, geometry.width)
        if span is None:
            shape = (len(layers), *_shape(where))
            return np.zeros(shape, np.float32), np.zeros(shape, bool)
        parts: list[Read] = []
        for href, same in _by_file(layers).items():
            file, _ = self.files.open(href)
            try:
                parts.append(_read(file, same, span))
            except (RasterioError, IndexError) as error:
                raise _unreadable(href, error) from error
        window = Window(*_together(parts), *span[:2])
        values, present = resample(window, where, how)
        return _scaled(values, present, layers)

    def _place(self, geometry: Geometry, gsd: float, margin: int) -> Placement:
        key = (geometry, gsd, margin)
        if key not in self._placed:
            self._placed[key] = place(self.square, gsd, geometry, margin)
        return self._placed[key]


def _scaled(
    values: np.ndarray, present: NDArray[np.bool_], layers: Sequence[Layer]
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Numbers of files in the unit of their bands; after resampling, which is linear."""
    if any(layer.scale != 1.0 or layer.offset != 0.0 for layer in layers):
        exact = np.result_type(values.dtype, np.float32)
        scale, offset = (
            np.array(v, exact)[:, None, None]
            for v in zip(*((layer.scale, layer.offset) for layer in layers), strict=True)
        )
        values = values * scale
        values += offset
    for number, layer in enumerate(layers):
        if layer.power:
            present[number] &= values[number] > 0
            values[number] = 10.0 * np.log10(np.where(present[number], values[number], 1.0))
    return values, present


def _with_slope(
    height: Array, here: NDArray[np.bool_], cell: float
) -> tuple[np.ndarray, NDArray[np.bool_]]:
    """Elevation and slope of a square, from elevation on one pixel more around it."""
    slope, sloping = horn(height, here, cell)
    return np.stack([height[1:-1, 1:-1], slope]), np.stack([here[1:-1, 1:-1], sloping])


def horn(
    elevation: Array, present: NDArray[np.bool_], cell: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Slope in degrees from the eight neighbours: Horn 1981, doi 10.1109/PROC.1981.11918.

    Args:
        elevation: (h + 2, w + 2) m.
        present: Same shape.
        cell: Pixel in m.

    Returns:
        (h, w) slope, and whether all nine pixels are present.
    """
    z = np.where(present, elevation, 0.0)
    east = z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:]
    west = z[:-2, :-2] + 2 * z[1:-1, :-2] + z[2:, :-2]
    south = z[2:, :-2] + 2 * z[2:, 1:-1] + z[2:, 2:]
    north = z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:]
    slope = np.degrees(np.arctan(np.hypot(east - west, south - north) / (8.0 * cell)))
    rows = present[:-2] & present[1:-1] & present[2:]
    return slope, rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]


def _unreadable(href: str, error: Exception) -> FusionError:
    return FusionError(
        f"cannot be read: {error}",
        file=href,
        remedy="fetch the file again; look whether the address still serves it",
    )


def _by_file(layers: Sequence[Layer]) -> dict[str, list[Layer]]:
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found.setdefault(layer.href, []).append(layer)
    return found


def _shape(where: Placement) -> tuple[int, ...]:
    return (len(where.rows), len(where.cols)) if where.straight else where.rows.shape


def _geometry(file: "DatasetReader", href: str) -> Geometry:
    crs = file.crs
    if crs is None:
        file.close()
        raise FusionError(
            "says no CRS", file=href, remedy="write the CRS into the file (gdal_edit -a_srs)"
        )
    to = file.transform
    return Geometry(_named(crs.wkt), (to.a, to.b, to.c, to.d, to.e, to.f), file.height, file.width)


@functools.cache
def _named(wkt: str) -> str:
    """EPSG code of a CRS if it has one: looking it up takes longer than reading a small file."""
    import pyproj

    code = pyproj.CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{code}" if code else wkt


Read = tuple[np.ndarray, NDArray[np.bool_] | None]
"""(bands, h, w) of a window and which are valid, None where all; what is not valid is finite."""


def _read(file: "DatasetReader", layers: Sequence[Layer], span: tuple[int, int, int, int]) -> Read:
    from rasterio.enums import MaskFlags

    row, col, rows, cols = span
    bands = [layer.band for layer in layers]
    window = ((row, row + rows), (col, col + cols))
    numbers = file.read(bands, window=window)
    floating = numbers.dtype.kind == "f"
    masks: list[tuple[int, NDArray[np.bool_]]] = []
    nodatavals, flags = file.nodatavals, file.mask_flag_enums
    for number, (layer, band) in enumerate(zip(layers, bands, strict=True)):
        if floating:
            masks.append((number, np.isfinite(numbers[number])))
        for nodata in {layer.nodata, nodatavals[band - 1]} - {None}:
            if not np.isnan(nodata):
                masks.append((number, numbers[number] != nodata))
        if MaskFlags.per_dataset in flags[band - 1]:
            masks.append((number, file.read_masks(band, window=window) > 0))
    gaps = [(number, mask) for number, mask in masks if not mask.all()]
    if not gaps:
        return numbers, None
    valid = np.ones(numbers.shape, bool)
    for number, mask in gaps:
        valid[number] &= mask
    return np.where(valid, numbers, 0) if floating else numbers, valid


def _together(parts: Sequence[Read]) -> Read:
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part[0] for part in parts])
    if all(part[1] is None for part in parts):
        return numbers, None
    masks = [np.ones(n.shape, bool) if valid is None else valid for n, valid in parts]
    return numbers, np.concatenate(masks)


def licences(scenes: Iterable[Scene]) -> tuple[str, ...]:
    """Licences of scenes, each once, in alphabetical order."""
    return tuple(sorted({scene.licence for scene in scenes}))
