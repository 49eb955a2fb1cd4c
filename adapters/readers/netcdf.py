"""Variables of NetCDF files by xarray, as grids with north up and longitudes from -180 to 180.

Belongs here: finding the two axes of the grid, their order, CF packing, steps along a third axis.
Never here: units, plausible ranges, writing.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rasterio.transform import Affine

from adapters.errors import ReadError
from adapters.readers.raster import Grid
from adapters.spec import Read, SourceSpec

_X = ("longitude", "lon", "x", "easting")
_Y = ("latitude", "lat", "y", "northing")


@contextlib.contextmanager
def open_variable(
    spec: SourceSpec, read: Read, path: Path, file: str, variable: str, as_array: bool
) -> Iterator[list[Grid]]:
    """Open a variable: one grid, or one for each step of its third axis.

    Args:
        spec: The source.
        read: How its table is read.
        path: The file.
        file: Its name, for messages.
        variable: Name of the variable.
        as_array: Is a third axis wanted (the column names its `axis`)?

    Raises:
        ReadError: Not NetCDF, no such variable, no regular grid, or an axis that is not wanted.
    """
    import xarray

    try:
        dataset = xarray.open_dataset(path, decode_times=False)
    except (OSError, ValueError) as error:
        raise ReadError(
            f"not a readable NetCDF file: {error}",
            source=spec.id,
            file=file,
            remedy="fetch the file again; it may be cut off",
        ) from error
    with dataset:
        if variable not in dataset.data_vars:
            raise ReadError(
                f"no variable {variable!r}",
                source=spec.id,
                file=file,
                samples=dataset.data_vars,
                remedy="write `file#variable` as native in columns.csv",
            )
        array = dataset[variable].squeeze()
        x, y = _axis(array, _X), _axis(array, _Y)
        where = f"variable {variable}"
        if x is None or y is None:
            raise ReadError(
                f"no grid of one x and one y axis: its dimensions are {dict(array.sizes)}",
                source=spec.id,
                file=file,
                where=where,
                remedy="only grids with coordinates along both axes are read; rotated or "
                "curvilinear ones must be warped by the publisher's tool first",
            )
        others = [d for d in array.dims if d not in (x, y)]
        if len(others) > 1 or (others and not as_array):
            sizes = ", ".join(f"{d} ({array.sizes[d]})" for d in others)
            raise ReadError(
                f"more axes than a layer has: {sizes}",
                source=spec.id,
                file=file,
                where=where,
                remedy="name the one axis that becomes an array in `axis` of the column",
            )
        array = array.transpose(*others, y, x)
        crs = _stated_crs(dataset, array, x)
        transform, x_order, flip = _regular(
            spec, file, where, array[x].values, array[y].values, crs
        )
        height, width = array.sizes[y], array.sizes[x]
        steps = (
            [array.isel({others[0]: i}) for i in range(array.sizes[others[0]])]
            if others
            else [array]
        )

        def reader(step: xarray.DataArray):  # noqa: ANN202
            def rows(start: int, stop: int) -> np.ndarray:
                span = slice(height - stop, height - start) if flip else slice(start, stop)
                try:
                    values = step.isel({y: span}).values.astype(np.float64)
                except (OSError, RuntimeError) as error:
                    raise ReadError(
                        f"the variable cannot be read to its end: {error}",
                        source=spec.id,
                        file=file,
                        where=where,
                        remedy="the file is cut off or broken; fetch it again",
                    ) from error
                if read.nodata_below is not None:
                    values[values <= read.nodata_below] = np.nan
                return (values[::-1] if flip else values)[:, x_order]

            return rows

        # xarray has applied what the variable says of itself.
        said = array.encoding
        scale, offset = float(said.get("scale_factor", 1)), float(said.get("add_offset", 0))
        yield [
            Grid(crs, transform, height, width, reader(step), scale=scale, offset=offset)
            for step in steps
        ]


def _axis(array: object, names: tuple[str, ...]) -> str | None:
    standard = (
        {"longitude", "projection_x_coordinate"}
        if names is _X
        else {"latitude", "projection_y_coordinate"}
    )
    for dim in array.dims:
        said = array.coords[dim].attrs.get("standard_name") if dim in array.coords else None
        if dim in array.coords and (str(dim).lower() in names or said in standard):
            return str(dim)
    return None


def _stated_crs(dataset: object, array: object, x: str) -> str | None:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    name = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    if name in dataset.variables:
        attributes = dataset[name].attrs
        try:
            return CRS.from_cf(dict(attributes)).to_wkt()
        except (CRSError, KeyError):
            if text := attributes.get("crs_wkt") or attributes.get("spatial_ref"):
                return CRS.from_user_input(text).to_wkt()
    degrees = str(array[x].attrs.get("units", "")).startswith("degree")
    return CRS("EPSG:4326").to_wkt() if degrees else None


def _regular(
    spec: SourceSpec, file: str, where: str, x: np.ndarray, y: np.ndarray, crs: str | None
) -> tuple[Affine, np.ndarray, bool]:
    """Transform with north up, order of the columns, and whether the rows are turned round."""
    from pyproj import CRS

    x, y = x.astype(np.float64), y.astype(np.float64)
    if crs is not None and CRS(crs).is_geographic and x.max() > 180:
        x = (x + 180) % 360 - 180
    order = np.argsort(x, kind="stable")
    x, flip = x[order], bool(len(y) > 1 and y[0] < y[-1])
    y = y[::-1] if flip else y
    steps = [np.diff(x), -np.diff(y)]
    if any(len(s) == 0 or not np.allclose(s, s.mean(), rtol=1e-2) or s.mean() <= 0 for s in steps):
        raise ReadError(
            "the coordinates are not evenly spaced",
            source=spec.id,
            file=file,
            where=where,
            samples=[*x[:3], *y[:2]],
            remedy="the grid must be regular; warp it with the publisher's tool first",
        )
    # The mean step, from the ends, is not spoilt by coordinates rounded to a few digits.
    dx, dy = steps[0].mean(), steps[1].mean()
    return Affine(dx, 0, x[0] - dx / 2, 0, -dy, y[0] + dy / 2), order, flip
