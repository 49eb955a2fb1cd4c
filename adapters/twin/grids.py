"""Writing native rasters: GeoTIFF, ESRI ASCII and binary grid, IDRISI, NetCDF.

Belongs here: one function a raster format, bands as they come, bytes that depend on content alone.
Never here: what a layer says, units, which file a layer stands in (`world.py`).
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

FLOAT_NODATA = float(np.finfo(np.float32).min)
"""Nodata of a float ESRI grid, and what is left undeclared in many published GeoTIFFs."""
INTEGER_NODATA = -(2**31) + 1
"""Nodata of an integer ESRI grid."""
_BLOCK = (256, 4)  # Columns and rows of a block of a binary grid.
_MAGIC = bytes.fromhex("0000270AFFFFFC14")


def write_geotiff(
    path: Path,
    bands: Sequence[np.ndarray],
    crs: str,
    corner: tuple[float, float],
    cell: float,
    *,
    nodata: float | None = None,
    names: Sequence[str | None] = (),
) -> None:
    """A deflated GeoTIFF.

    Args:
        path: `.tif`.
        bands: (h, w) each, of one dtype, nodata filled in.
        crs: As PROJ understands it.
        corner: West and north edge.
        cell: Width and height of a pixel.
        nodata: Declared value; None declares none.
        names: Descriptions of the bands.
    """
    import rasterio
    from rasterio.transform import from_origin

    height, width = bands[0].shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=len(bands),
        dtype=bands[0].dtype, crs=crs, transform=from_origin(*corner, cell, cell),
        compress="deflate", predictor=3 if bands[0].dtype.kind == "f" else 2, nodata=nodata,
        interleave="band",
    ) as target:  # fmt: skip
        for number, band in enumerate(bands, start=1):
            target.write(band, number)
        for number, name in enumerate(names, start=1):
            if name:
                target.set_band_description(number, name)


def write_idrisi(
    path: Path,
    pixels: np.ndarray,
    crs: str,
    corner: tuple[float, float],
    cell: float,
    *,
    nodata: float | None = None,
) -> None:
    """An IDRISI raster: `.rst` with its `.rdc`.

    Args:
        path: `.rst`.
        pixels: (h, w) of dtype uint8, int16 or float32.
        crs: As PROJ understands it; IDRISI names few of them.
        corner: West and north edge.
        cell: Width and height of a pixel.
        nodata: Declared as the flag value; None declares none.
    """
    import rasterio
    from pyproj import CRS
    from rasterio.transform import from_origin

    height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="RST", width=width, height=height, count=1, dtype=pixels.dtype,
        crs=crs, transform=from_origin(*corner, cell, cell), nodata=nodata,
    ) as target:  # fmt: skip
        target.write(pixels, 1)
    # The driver names a reference system file of its own making; published grids say `plane`.
    path.with_suffix(".ref").unlink(missing_ok=True)
    described = path.with_suffix(".rdc")
    lines = described.read_text(encoding="ascii").splitlines()
    system = "latlong" if CRS.from_user_input(crs).is_geographic else "plane"
    lines = [f"ref. system : {system}" if v.startswith("ref. system") else v for v in lines]
    described.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_binary_grid(
    folder: Path, pixels: np.ndarray, west: float, north: float, cell: float
) -> None:
    """An uncompressed ESRI binary grid: a folder of `.adf` files, all numbers big-endian.

    The layout is that which GDAL's AIG driver reads (its `gdal/frmts/aigrid/aigrid_format.html`,
    by F. Warmerdam and others): `hdr.adf` cell type, cell size and blocks; `dblbnd.adf` the bounds;
    `sta.adf` minimum, maximum, mean and standard deviation; `w001001x.adf` where each block begins
    and how long it is, in words of two bytes; `w001001.adf` the blocks, each after its length.

    Args:
        folder: Made if it is not there.
        pixels: (h, w); float32 with NaN, or integer with INTEGER_NODATA, where there is no value.
        west: Western edge.
        north: Northern edge.
        cell: Width and height of a pixel.
    """
    whole = pixels.dtype.kind in "iu"
    nodata = INTEGER_NODATA if whole else FLOAT_NODATA
    filled = pixels.astype(">i4") if whole else np.where(np.isnan(pixels), nodata, pixels)
    filled = filled.astype(">i4" if whole else ">f4")
    (height, width), (across, down) = filled.shape, _BLOCK
    blocks = (-(-width // across), -(-height // down))
    padded = np.full((blocks[1] * down, blocks[0] * across), nodata, filled.dtype)
    padded[:height, :width] = filled
    cut = padded.reshape(blocks[1], down, blocks[0], across).swapaxes(1, 2)
    cut = cut.reshape(blocks[0] * blocks[1], -1)
    words = cut.shape[1] * 2
    folder.mkdir(exist_ok=True)
    (folder / "hdr.adf").write_bytes(
        struct.pack(">8s8xii232x", b"GRID1.2\0", 1 if whole else 2, 1)
        + struct.pack(">4d", cell, cell, west, north)
        + struct.pack(">5i", *blocks, across, 1, down)
    )
    bounds = (west, north - height * cell, west + width * cell, north)
    (folder / "dblbnd.adf").write_bytes(struct.pack(">4d", *bounds))
    known = pixels[filled != np.asarray(nodata, filled.dtype)].astype(np.float64)
    known = known if known.size else np.zeros(1)
    statistics = (known.min(), known.max(), known.mean(), known.std())
    (folder / "sta.adf").write_bytes(struct.pack(">4d", *statistics))
    starts = 50 + np.arange(len(cut)) * (words + 1)
    index = np.column_stack([starts, np.full(len(cut), words)]).astype(">i4").tobytes()
    body = np.empty((len(cut), words + 1), ">u2")
    body[:, 0] = words
    body[:, 1:] = cut.view(">u2").reshape(len(cut), words)
    for name, content in (("w001001x.adf", index), ("w001001.adf", body.tobytes())):
        length = struct.pack(">i", (100 + len(content)) // 2)
        (folder / name).write_bytes(_MAGIC + bytes(16) + length + bytes(72) + content)


def write_netcdf(
    path: Path,
    variables: Mapping[str, tuple[np.ndarray, str, float | None]],
    crs: str,
    corner: tuple[float, float],
    cell: float,
    axis: str = "month",
) -> None:
    """A NetCDF 4 file of one grid, by the CF conventions.

    Args:
        path: `.nc`.
        variables: Name -> ((h, w) or (steps, h, w) with nodata filled in, unit, declared nodata).
        crs: As PROJ understands it.
        corner: West and north edge.
        cell: Width and height of a pixel.
        axis: Name of the dimension of the steps.
    """
    import xarray
    from pyproj import CRS

    system = CRS.from_user_input(crs)
    names = ("lat", "lon") if system.is_geographic else ("y", "x")
    height, width = next(iter(variables.values()))[0].shape[-2:]
    west, north = corner
    along, up = west + cell * (np.arange(width) + 0.5), north - cell * (np.arange(height) + 0.5)
    dataset = xarray.Dataset(
        coords={names[0]: up, names[1]: along}, attrs={"Conventions": "CF-1.8"}
    )
    described = (
        ({"units": "degrees_north", "standard_name": "latitude"},
         {"units": "degrees_east", "standard_name": "longitude"})
        if system.is_geographic
        else ({"units": "m", "standard_name": "projection_y_coordinate"},
              {"units": "m", "standard_name": "projection_x_coordinate"})
    )  # fmt: skip
    for name, attributes in zip(names, described, strict=True):
        dataset[name].attrs = attributes
    dataset["crs"] = ((), np.int32(0), system.to_cf())
    encoding: dict[str, dict[str, object]] = {}
    for name, (pixels, unit, nodata) in variables.items():
        dims = names if pixels.ndim == 2 else (axis, *names)
        dataset[name] = (dims, pixels, {"units": unit, "grid_mapping": "crs"})
        encoding[name] = {"zlib": True, "complevel": 4, "_FillValue": nodata}
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)


def write_ascii(
    path: Path, pixels: np.ndarray, west: float, north: float, cell: float, nodata: float | None
) -> None:
    """An ESRI ASCII grid without .prj, as many digits as a number has.

    GDAL's writer prints float32 with noise in the last places, which no producer's file has, and
    numpy's is slow.

    Args:
        path: `.asc`.
        pixels: (h, w), nodata filled in.
        west: Western edge.
        north: Northern edge.
        cell: Width and height of a pixel.
        nodata: Stands in the header; None leaves that line out.
    """
    import polars as pl

    # Whole numbers stand without a point, which also tells readers that they are.
    if (np.abs(pixels) < 2**31).all() and (pixels == np.round(pixels)).all():
        pixels = pixels.astype(np.int32)
    header = [
        f"ncols {pixels.shape[1]}",
        f"nrows {pixels.shape[0]}",
        f"xllcorner {west:.10g}",
        f"yllcorner {north - cell * pixels.shape[0]:.10g}",
        f"cellsize {cell:.12g}",
        *([] if nodata is None else [f"NODATA_value {nodata:.9g}"]),
    ]
    numbers = pl.DataFrame(pixels, schema=[str(place) for place in range(pixels.shape[1])])
    lines = numbers.write_csv(include_header=False, separator=" ")
    path.write_text("\n".join([*header, lines]), encoding="ascii")
