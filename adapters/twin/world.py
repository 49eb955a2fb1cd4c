"""One synthetic Europe at one size, as the writers of the sources meet it: places, grids, layers.

Belongs here: seeded streams, grids in any projection with place and soil on them, and writing
layers into the files, bands and formats that a specification names.
Never here: what a source says; soil relations; the bytes of a format (`grids.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from adapters.errors import SpecError
from adapters.spec import Column, SourceSpec
from adapters.twin import grids
from adapters.twin.europe import COUNTRIES, Array, Europe
from adapters.twin.planting import Rows
from adapters.twin.points import COUNTS, Surveys
from adapters.twin.soil import soil

EXTENT = (2_500_000.0, 1_412_000.0, 6_000_000.0, 5_510_000.0)
"""West, south, east, north of the continent in EPSG:3035 metres."""
PIXELS = {"tiny": 4_200, "demo": 24_000, "full": 900_000}
"""Pixels of a layer, at most: coarser cells than the native ones keep the whole in 10 GB."""
SIGNIFICANT_BITS = 12
"""Of a float pixel: a ten-thousandth is more than a map is good for, and zeros pack well."""
_STEPS = np.array([1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
_KEPT = 2  # Grids held at a time; at `full` each holds some hundred megabytes.


@dataclass(frozen=True, eq=False)
class Lattice:
    """Cell centres of a regular grid, and what is there; arrays have the shape (height, width).

    Attributes:
        world: Whose grid it is.
        crs: As PROJ understands it.
        west: Western edge in units of the CRS.
        north: Northern edge.
        cell: Width and height of a cell.
        width: Columns.
        height: Rows.
    """

    world: "World"
    crs: str
    west: float
    north: float
    cell: float
    width: int
    height: int
    _soils: dict[tuple[float, float, float], dict[str, Array]] = field(
        default_factory=dict, repr=False
    )
    _cells: dict[bool, tuple[np.ndarray, np.ndarray, Array]] = field(
        default_factory=dict, repr=False
    )

    @cached_property
    def _centres(self) -> tuple[Array, Array]:
        import pyproj

        along = self.west + self.cell * (np.arange(self.width) + 0.5)
        up = self.north - self.cell * (np.arange(self.height) + 0.5)
        x, y = np.meshgrid(along, up)
        if pyproj.CRS(self.crs) == pyproj.CRS("EPSG:3035"):
            return x, y
        return pyproj.Transformer.from_crs(self.crs, "EPSG:3035", always_xy=True).transform(x, y)

    @property
    def x(self) -> Array:
        """Easting in EPSG:3035 metres."""
        return self._centres[0]

    @property
    def y(self) -> Array:
        """Northing in EPSG:3035 metres."""
        return self._centres[1]

    @cached_property
    def place(self) -> dict[str, Array]:
        """What each cell is like; see `Europe.place`."""
        return self.world.europe.place(self.x, self.y)

    def cells(self, smooth: bool) -> tuple[np.ndarray, np.ndarray, Array]:
        """Cells at the rows of the backbone: the nearest, or the four around each if `smooth`.

        Returns:
            Row, column and weight, each (n, cells); the weight is zero off the grid.
        """
        if smooth not in self._cells:
            import pyproj

            rows = self.world.rows.values()
            way = pyproj.Transformer.from_crs("EPSG:4326", self.crs, always_xy=True)
            x, y = way.transform(
                np.concatenate([r.longitude for r in rows]),
                np.concatenate([r.latitude for r in rows]),
            )
            across, down = (x - self.west) / self.cell, (self.north - y) / self.cell
            off = ~((across >= 0) & (across < self.width) & (down >= 0) & (down < self.height))
            across, down = np.where(off, 0.0, across), np.where(off, 0.0, down)
            if smooth:
                left, top = np.floor(across - 0.5), np.floor(down - 0.5)
                right, low = across - 0.5 - left, down - 0.5 - top
                parts = (
                    (top, left, (1 - low) * (1 - right)), (top, left + 1, (1 - low) * right),
                    (top + 1, left, low * (1 - right)), (top + 1, left + 1, low * right),
                )  # fmt: skip
            else:
                parts = ((np.floor(down), np.floor(across), np.ones(len(across))),)
            row, col, weight = (np.stack(p, axis=-1) for p in zip(*parts, strict=True))
            beyond = (row < 0) | (row >= self.height) | (col < 0) | (col >= self.width)
            weight = np.where(beyond | off[:, None], 0.0, weight)
            row, col = row.clip(0, self.height - 1), col.clip(0, self.width - 1)
            self._cells[smooth] = row.astype(int), col.astype(int), weight
        return self._cells[smooth]

    @property
    def land(self) -> np.ndarray:
        """Is the cell on land?"""
        return self.place["land"].astype(bool)

    @cached_property
    def country(self) -> np.ndarray:
        """NUTS code of the country that the cell is in; at sea, of the nearest."""
        codes = np.array([country[0] for country in COUNTRIES])
        return codes[self.world.europe.regions.country[self.place["region"]]]

    def soil(self, top: float = 0, bottom: float = 20, year: float = 2009) -> dict[str, Array]:
        """Soil of one layer in canonical units; see `adapters.twin.soil.soil`."""
        key = (float(top), float(bottom), float(year))
        if key not in self._soils:
            while len(self._soils) >= _KEPT:
                del self._soils[next(iter(self._soils))]
            self._soils[key] = soil(self.place, *map(np.asarray, key))
        return self._soils[key]


@dataclass(frozen=True, eq=False)
class World:
    """One synthetic Europe at one size.

    Attributes:
        europe: The continent.
        size: `tiny`, `demo` or `full`.
        pixels: Source or piece -> canonical column -> what its pixels say at each row of
            `rows`: (n,) or (n, elements), in canonical units, as stored but for faults.
    """

    europe: Europe
    size: str
    pixels: dict[str, dict[str, Array]] = field(default_factory=dict, repr=False)
    _grids: dict[tuple[object, ...], Lattice] = field(default_factory=dict, repr=False)

    def stream(self, name: str) -> np.random.Generator:
        """Random numbers that depend on the seed and the name alone."""
        return self.europe.stream(name)

    @cached_property
    def surveys(self) -> Surveys:
        """The LUCAS-like sites."""
        return Surveys(self.europe, COUNTS[self.size])

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """Rows of each backbone source, by the `rows(world)` of its `twin.py`."""
        from adapters.twin.making import backbone, writer

        return {source: writer(source).rows(self) for source in backbone()}

    def remember(self, spec: SourceSpec, column: Column, lattice: "Lattice", values: Array) -> None:
        """Keep what pixels say at the rows of the backbone.

        Args:
            spec: The source, or a piece of one.
            column: The column.
            lattice: Where the pixels are.
            values: (elements, h, w) in canonical units.
        """
        if column.clip_below is not None:
            from adapters.columns import convert

            values = np.maximum(values, convert(spec, column).array(np.array(column.clip_below)))
        smooth = column.kind == "numeric" and spec.fuse.resampling == "bilinear"
        row, col, weight = lattice.cells(smooth)
        said = values[:, row, col]
        weight = np.where(np.isnan(said), 0.0, weight)
        total = weight.sum(axis=-1)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(said * weight, axis=-1) / np.where(total > 0, total, np.nan)
        found = self.pixels.setdefault(spec.id, {})
        found[column.name] = mean.T if column.is_array else mean[0]

    def grid(
        self, crs: str, cell: float, bounds: tuple[float, float, float, float] | None = None
    ) -> Lattice:
        """A grid whose cell is a multiple of the native one.

        Args:
            crs: As PROJ understands it.
            cell: Native cell in units of the CRS.
            bounds: West, south, east, north in units of the CRS; all Europe by default.
        """
        west, south, east, north = bounds or _extent(crs)
        wanted = np.sqrt((east - west) * (north - south) / PIXELS[self.size])
        power = 10.0 ** np.floor(np.log10(wanted))
        # One ladder of cell sizes, so that sources of several native cells share a grid.
        wanted = power * _STEPS[np.searchsorted(_STEPS, wanted / power - 1e-9)]
        cell *= max(1, int(np.ceil(wanted / cell - 1e-9)))
        width = max(2, int(np.ceil((east - west) / cell - 1e-9)))
        height = max(2, int(np.ceil((north - south) / cell - 1e-9)))
        key = (crs, west, north, cell, width, height)
        if key not in self._grids:
            while len(self._grids) >= _KEPT:
                del self._grids[next(iter(self._grids))]
            self._grids[key] = Lattice(self, *key)
        return self._grids[key]


def _extent(crs: str) -> tuple[float, float, float, float]:
    """Bounds of the continent in a CRS, rounded outwards to whole degrees or 10 km."""
    import pyproj

    system = pyproj.CRS(crs)
    if system == pyproj.CRS("EPSG:3035"):
        return EXTENT
    edges = pyproj.Transformer.from_crs("EPSG:3035", system, always_xy=True).transform_bounds(
        *EXTENT, densify_pts=41
    )
    unit = 1.0 if system.is_geographic else 10_000.0
    west, south = (float(np.floor(v / unit) * unit) for v in edges[:2])
    east, north = (float(np.ceil(v / unit) * unit) for v in edges[2:])
    return west, south, east, north


def write_layers(
    spec: SourceSpec,
    folder: Path,
    lattice: Lattice,
    values: Mapping[str, Array],
    *,
    nodata: Literal["declared", "undeclared", "none"] = "declared",
    dtype: DTypeLike = "float32",
    names: Sequence[str] | None = None,
    digits: int | None = None,
    truth: Mapping[str, Array] | None = None,
) -> None:
    """Write layers into the files, bands and formats that the specification names.

    Args:
        spec: The source, or a piece of one.
        folder: Where the native files go.
        lattice: The grid of all these layers.
        values: Canonical column -> (h, w), or (elements, h, w) for an array column, in the
            canonical unit of its quantity (codes for a categorical one), NaN where there is none.
            Layers of one file must come in one call.
        nodata: Is the value that stands for NaN declared in the file? `undeclared` takes the
            column's first numeric `missing`, the table's, or FLOAT_NODATA where the table has
            `nodata_below`; with `none` there must be no NaN in integers, and floats keep it.
        dtype: Of the pixels. ESRI ASCII prints whole numbers for an integer one.
        names: What the `*` of a native stands for, one file each: country codes cut the grid into
            countries (by default those on the grid), other names into strips from west to east.
        digits: Decimal places in the native unit; by default SIGNIFICANT_BITS bits of each value.
        truth: Layers without the faults that `values` hold, of columns that hold some.

    Raises:
        SpecError: The specification does not say how a layer is written, or bands of a file are
            missing.
    """
    files: dict[str, dict[str, tuple[Column, np.ndarray]]] = {}
    for name, given in values.items():
        column = spec.column(name)
        layers = np.asarray(given, np.float64)
        layers = layers if layers.ndim == 3 else layers[None]
        true = np.asarray((truth or {}).get(name, given), np.float64).reshape(layers.shape)
        true = _canonical(spec, column, _rounded(column, true, np.dtype(dtype), digits))
        lattice.world.remember(spec, column, lattice, true)
        stands = column.natives
        file, _, part = stands[0].partition("#")
        if len(stands) == 1 and file.lower().endswith(".nc"):
            files.setdefault(file, {})[part] = (column, layers if len(layers) > 1 else layers[0])
            continue
        if len(stands) != len(layers):
            raise _error(spec, column, f"{len(stands)} native layers and {len(layers)} are given")
        for stand, layer in zip(stands, layers, strict=True):
            file, _, part = stand.partition("#")
            files.setdefault(file, {})[part] = (column, layer)
    for file, parts in files.items():
        pieces = _pieces(lattice, file, names) if "*" in file.rstrip("/") else {file: None}
        prepared = {
            part: (column, *_native(spec, column, layer, nodata, np.dtype(dtype), digits))
            for part, (column, layer) in parts.items()
        }
        for name, mask in pieces.items():
            _write_file(spec, folder, name, lattice, prepared, nodata == "declared", mask)


def _native(
    spec: SourceSpec,
    column: Column,
    layer: Array,
    nodata: str,
    dtype: np.dtype,
    digits: int | None,
) -> tuple[np.ndarray, float | None]:
    """One layer as it is stored, and the value that stands for NaN."""
    values, whole = _rounded(column, layer, dtype, digits), dtype.kind in "iu"
    if whole:
        limits = np.iinfo(dtype)
        if ((values < limits.min) | (values > limits.max)).any():
            raise _error(spec, column, f"{np.nanmax(np.abs(values)):g} does not fit into {dtype}")
    fill = _fill(spec, column, nodata, dtype, str(column.native).partition("#")[0])
    if fill is None:
        if whole and np.isnan(values).any():
            raise _error(spec, column, f"NaN has no place in {dtype} pixels without nodata")
        return values.astype(dtype), None
    # Rounding, or another unit, must not turn a value into nodata.
    if (values == fill).any():
        raise _error(spec, column, f"{fill:g} stands for nodata, and a value is that number")
    return np.where(np.isnan(values), fill, values).astype(dtype), fill


def _rounded(column: Column, layer: Array, dtype: np.dtype, digits: int | None) -> Array:
    """Layers in the native unit, to as many digits as are stored."""
    from adapters.columns import canonical_unit
    from adapters.units import conversion

    if column.kind != "numeric":
        return np.round(layer)
    unit, basis, analyte = canonical_unit(column)
    values = conversion(unit, basis, str(column.unit), column.basis, analyte).array(layer)
    if dtype.kind in "iu":
        return np.round(values)
    if digits is not None:
        return np.round(values, digits)
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, SIGNIFICANT_BITS)), exponent - SIGNIFICANT_BITS)


def _canonical(spec: SourceSpec, column: Column, values: Array) -> Array:
    """Native values in the canonical unit."""
    from adapters.columns import convert

    return convert(spec, column).array(values) if column.kind == "numeric" else values


def _fill(
    spec: SourceSpec, column: Column, nodata: str, dtype: np.dtype, file: str
) -> float | None:
    if nodata == "none":
        return None
    if file.endswith("/"):
        return float(grids.INTEGER_NODATA if dtype.kind in "iu" else grids.FLOAT_NODATA)
    read = spec.tables[column.table].read
    said = [float(t) for t in (*column.missing, *read.missing) if t]
    if said:
        return said[0]
    if nodata == "undeclared":
        if read.nodata_below is None:
            raise _error(spec, column, "nodata is undeclared, and neither `missing` nor "
                         "`nodata_below` knows of it")  # fmt: skip
        return grids.FLOAT_NODATA if dtype.kind == "f" else np.floor(read.nodata_below)
    if dtype.kind == "f":
        return -9999.0
    return float(np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min)


def _pieces(
    lattice: Lattice, file: str, names: Sequence[str] | None
) -> dict[str, np.ndarray | None]:
    """File name -> mask of the cells that it holds."""
    country = lattice.world.europe.regions.country[lattice.place["region"]]
    codes = {c[0]: i for i, c in enumerate(COUNTRIES)}
    if names is None or set(names) <= set(codes):
        chosen = codes if names is None else {n: codes[n] for n in names}
        masks = {n: lattice.land & (country == i) for n, i in chosen.items()}
    else:
        cuts = np.linspace(0, lattice.width, len(names) + 1).astype(int)
        masks = {n: np.zeros((lattice.height, lattice.width), bool) for n in names}
        for mask, start, stop in zip(masks.values(), cuts[:-1], cuts[1:], strict=True):
            mask[:, start:stop] = True
    return {file.replace("*", name): mask for name, mask in masks.items() if mask.any()}


def _write_file(
    spec: SourceSpec,
    folder: Path,
    name: str,
    lattice: Lattice,
    parts: Mapping[str, tuple[Column, np.ndarray, float | None]],
    declared: bool,
    mask: np.ndarray | None,
) -> None:
    """One native file with all its bands."""
    window = np.s_[:, :]
    if mask is not None:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        parts = {
            part: (column, np.where(mask, layer, np.nan if fill is None else fill), fill)
            for part, (column, layer, fill) in parts.items()
        }
    west = lattice.west + lattice.cell * (window[1].start or 0)
    north = lattice.north - lattice.cell * (window[0].start or 0)
    corner, cell = (west, north), lattice.cell
    bands = [layer[(..., *window)] for _, layer, _ in parts.values()]
    column, _, fill = next(iter(parts.values()))
    nodata = fill if declared else None
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "/" if name.endswith("/") else path.suffix.lower()
    if kind in (".tif", ".tiff"):
        described = _bands(spec, column, parts)
        bands = [parts[p][1][window] for p in described]
        titles = [None if p.isdigit() or not p else p for p in described]
        grids.write_geotiff(path, bands, lattice.crs, corner, cell, nodata=nodata, names=titles)
    elif kind == ".nc":
        variables = {
            part: (band, str(own.unit or "1"), filled if declared else None)
            for (part, (own, _, filled)), band in zip(parts.items(), bands, strict=True)
        }
        axis = next((c.axis for c, _, _ in parts.values() if c.axis), "month")
        grids.write_netcdf(path, variables, lattice.crs, corner, cell, axis)
    elif len(bands) > 1 or kind not in ("/", ".asc", ".rst"):
        raise _error(spec, column, f"the twin writes no {len(bands)} layers into {path.name}")
    elif kind == "/":
        pixels = bands[0] if bands[0].dtype.kind in "iu" else _unfilled(bands[0], fill)
        grids.write_binary_grid(path, pixels, west, north, cell)
    elif kind == ".asc":
        grids.write_ascii(path, bands[0], west, north, cell, nodata)
    else:
        grids.write_idrisi(path, bands[0], lattice.crs, corner, cell, nodata=nodata)


def _unfilled(pixels: np.ndarray, fill: float | None) -> np.ndarray:
    return pixels if fill is None else np.where(pixels == np.float32(fill), np.nan, pixels)


def _bands(spec: SourceSpec, column: Column, parts: Mapping[str, object]) -> list[str]:
    """Parts of a GeoTIFF in the order of its bands: numbers, or descriptions as they come."""
    numbers = [int(p) for p in parts if p.isdigit()]
    if numbers and len(numbers) < len(parts):
        raise _error(spec, column, "bands are named by number or by description, not by both")
    if not numbers:
        return list(parts)
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        raise _error(spec, column, f"bands {sorted(numbers)} are given: some are missing")
    return [str(n) for n in sorted(numbers)]


def _error(spec: SourceSpec, column: Column, problem: str) -> SpecError:
    return SpecError(
        f"column {column.name}: {problem}",
        source=spec.id,
        file="twin.py",
        where=f"native {column.native}",
        remedy="correct native in columns.csv or the call of write_layers",
    )
