"""Reading scenes onto the grid of a tile.

Belongs here: from files to arrays with masks in the unit of a modality.
Never here: which scenes (`choose.py`), how pixels move (`resample.py`).
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    "VSI_CACHE": "TRUE",
    "GDAL_NUM_THREADS": "1",
}
"""How GDAL reads: no listing of folders, and several attempts where a server is busy."""


@dataclass(eq=False)
class Reader:
    """Reads files onto one square; lattices are placed once.

    Attributes:
        square: Of the tile.
    """

    square: Roi
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
        array = np.full(spec.shape, 255 if spec.array_dtype == np.uint8 else np.nan)
        array = array.astype(spec.array_dtype)
        present = np.zeros(spec.shape, bool)
        for scene in scenes:
            wanted = [
                spec.band(name) for name in scene.layers if not self._full(present, name, spec)
            ]
            if not wanted:
                continue
            got, there = self._scene(spec, scene)
            new = there & ~present
            np.copyto(array, got, where=new)
            present |= new
        return array, present

    @staticmethod
    def _full(present: NDArray[np.bool_], name: str, spec: ModalitySpec) -> bool:
        return bool(present[spec.band(name)].all())

    def _scene(self, spec: ModalitySpec, scene: Scene) -> tuple[np.ndarray, NDArray[np.bool_]]:
        array = np.zeros(spec.shape, spec.array_dtype)
        present = np.zeros(spec.shape, bool)
        margin = 1 if spec.id == "relief" and "slope" not in scene.layers else 0
        for href, names in _by_file(scene).items():
            layers = [scene.layers[name] for name in names]
            finest = min(spec.bands[spec.band(name)].native_gsd for name in names)
            values, there = self._layers(
                href, layers, spec.gsd or 0.0, str(spec.resampling), finest, spec.id, margin
            )
            if margin:
                height, here = values[0], there[0]
                slope, sloping = horn(height, here, spec.gsd or 0.0)
                values = np.stack([height[1:-1, 1:-1], slope])
                there = np.stack([here[1:-1, 1:-1], sloping])
                names = ["elevation", "slope"]
            for value, mask, name in zip(values, there, names, strict=True):
                band = spec.band(name)
                np.copyto(array[band], value, where=mask, casting="same_kind")
                present[band] = mask
        if scene.mask is not None:
            layer, refused = scene.mask
            codes, there = self._layers(
                layer.href, [layer], spec.gsd or 0.0, "nearest", np.inf, spec.id, 0
            )
            present &= there[0] & ~np.isin(codes[0], refused)
        if spec.is_classes:
            self._require_classes(spec, scene, array[present])
        return array, present

    def _require_classes(self, spec: ModalitySpec, scene: Scene, codes: np.ndarray) -> None:
        if unknown := sorted(set(np.unique(codes).tolist()) - set(spec.codes)):
            raise FusionError(
                f"codes that are no classes of {spec.id}",
                file=scene.id,
                samples=unknown,
                remedy="add the class to adapters/modalities.yaml, or the nodata to the product",
            )

    def _layers(
        self,
        href: str,
        layers: Sequence[Layer],
        gsd: float,
        how: str,
        native_gsd: float,
        wanted: str,
        margin: int,
    ) -> tuple[np.ndarray, NDArray[np.bool_]]:
        """Layers of one file on the square."""
        import rasterio
        from rasterio.errors import RasterioError

        try:
            with rasterio.open(href) as file:
                geometry = _geometry(file, href)
                where = self._place(geometry, gsd, margin)
                size = gsd / where.ratio
                if size > TOO_COARSE * native_gsd:
                    raise FusionError(
                        f"pixels of {size:.0f} m are too coarse for {wanted} at {gsd:g} m",
                        file=href,
                        remedy=f"use a file of at most {TOO_COARSE * native_gsd:g} m",
                    )
                span = reach(where, geometry.height, geometry.width)
                if span is None:
                    shape = (len(layers), *_shape(where))
                    return np.zeros(shape), np.zeros(shape, bool)
                window = _read(file, layers, span)
        except (RasterioError, IndexError) as error:
            raise FusionError(
                f"cannot be read: {error}",
                file=href,
                remedy="fetch the file again; look whether the address still serves it",
            ) from error
        values, present = resample(window, where, how)
        if layers[0].power:
            present = present & (values > 0)
            values = 10.0 * np.log10(np.where(present, values, 1.0))
        return values, present

    def _place(self, geometry: Geometry, gsd: float, margin: int) -> Placement:
        key = (geometry, gsd, margin)
        if key not in self._placed:
            self._placed[key] = place(self.square, gsd, geometry, margin)
        return self._placed[key]


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


def lattice(href: str) -> Geometry:
    """Where the pixels of a file are.

    Raises:
        FusionError: It cannot be opened, or says no CRS.
    """
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(href) as file:
            return _geometry(file, href)
    except RasterioError as error:
        raise FusionError(
            f"cannot be read: {error}", file=href, remedy="fetch the file again"
        ) from error


def _by_file(scene: Scene) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, layer in scene.layers.items():
        found.setdefault(layer.href, []).append(name)
    return found


def _shape(where: Placement) -> tuple[int, ...]:
    return (len(where.rows), len(where.cols)) if where.straight else where.rows.shape


def _geometry(file: "DatasetReader", href: str) -> Geometry:
    crs = file.crs
    if crs is None:
        raise FusionError(
            "says no CRS", file=href, remedy="write the CRS into the file (gdal_edit -a_srs)"
        )
    a, b, c, d, e, f = tuple(file.transform)[:6]
    return Geometry(_named(crs.wkt), (a, b, c, d, e, f), file.height, file.width)


@functools.cache
def _named(wkt: str) -> str:
    """EPSG code of a CRS if it has one: looking it up takes longer than reading a small file."""
    import pyproj

    code = pyproj.CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{code}" if code else wkt


def _read(
    file: "DatasetReader", layers: Sequence[Layer], span: tuple[int, int, int, int]
) -> Window:
    """Values of a window; what stands for absence is not valid, and finite."""
    from rasterio.enums import MaskFlags

    row, col, rows, cols = span
    bands = [layer.band for layer in layers]
    window = ((row, row + rows), (col, col + cols))
    numbers = file.read(bands, window=window)
    valid = np.ones(numbers.shape, bool)
    for number, (layer, band) in enumerate(zip(layers, bands, strict=True)):
        for nodata in {layer.nodata, file.nodatavals[band - 1]} - {None}:
            if not np.isnan(nodata):
                valid[number] &= numbers[number] != nodata
        if numbers.dtype.kind == "f":
            valid[number] &= np.isfinite(numbers[number])
        if MaskFlags.per_dataset in file.mask_flag_enums[band - 1]:
            valid[number] &= file.read_masks(band, window=window) > 0
    if any(layer.scale != 1.0 or layer.offset != 0.0 for layer in layers):
        scale = np.array([layer.scale for layer in layers])[:, None, None]
        numbers = numbers * scale + np.array([layer.offset for layer in layers])[:, None, None]
    if numbers.dtype.kind == "f":
        numbers = np.where(valid, numbers, 0.0)
    return Window(numbers, valid, row, col)


def licences(scenes: Iterable[Scene]) -> tuple[str, ...]:
    """Licences of scenes, each once, in alphabetical order."""
    return tuple(sorted({scene.licence for scene in scenes}))
