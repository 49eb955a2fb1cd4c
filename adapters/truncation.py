"""Files that end before their own header says they do.

Belongs here: comparing a file's size with what its format declares, without reading the data.
Never here: whether the values are good, or what becomes of a refused file (`archive`).
"""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rasterio import DatasetReader


def truncated(path: Path) -> str | None:
    """Why a file cannot be whole; None where it may be, or its format does not declare its size.

    Looked at: GeoTIFF (place of every block), zip and all that is one (xlsx, npz), shapefile and
    dbf (length in the header), HDF5 (end in the superblock), GeoPackage (number of pages). An xls
    workbook, classic NetCDF and text declare no size that could be compared.
    """
    check = _CHECKS.get(path.suffix.lower())
    return check(path) if check else None


def _cut(path: Path, declared: int) -> str | None:
    size = path.stat().st_size
    if declared <= size:
        return None
    return f"{path.name} is cut short: {size} bytes of {declared}"


def _geotiff(path: Path) -> str | None:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as layer:
            end = max(_block_end(layer, band) for band in layer.indexes)
    except RasterioError as error:
        return f"{path.name} does not open as GeoTIFF; it may be cut short ({error})"
    return _cut(path, end)


def _block_end(layer: "DatasetReader", band: int) -> int:
    """Byte after the last block of a band; a sparse file leaves blocks out."""
    rows, columns = layer.block_shapes[band - 1]
    end = 0
    for y in range(-(-layer.height // rows)):
        for x in range(-(-layer.width // columns)):
            offset = layer.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band)
            if offset is not None:
                size = layer.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band)
                end = max(end, int(offset) + int(size))
    return end


def _zip(path: Path) -> str | None:
    # The directory of a zip file stands at its end.
    return None if zipfile.is_zipfile(path) else f"{path.name} is cut short: no end of the archive"


def _head(path: Path, size: int) -> bytes | None:
    with path.open("rb") as handle:
        head = handle.read(size)
    return head if len(head) == size else None


def _shapefile(path: Path) -> str | None:
    # ESRI Shapefile Technical Description (1998), table 1: length in 16-bit words at byte 24.
    if (head := _head(path, 100)) is None:
        return f"{path.name} is cut short within its header"
    return _cut(path, 2 * struct.unpack(">i", head[24:28])[0])


def _dbf(path: Path) -> str | None:
    # dBASE III: number of records at byte 4, length of header and of a record at bytes 8 and 10.
    if (head := _head(path, 32)) is None:
        return f"{path.name} is cut short within its header"
    records, header, record = struct.unpack("<IHH", head[4:12])
    return _cut(path, header + records * record)


def _hdf5(path: Path) -> str | None:
    import h5py

    if not h5py.is_hdf5(path):
        return None
    try:
        h5py.File(path, "r").close()
    except OSError as error:
        return f"{path.name} does not open as HDF5; it may be cut short ({error})"
    return None


def _geopackage(path: Path) -> str | None:
    # SQLite file format, section 1.3: page size at byte 16 (1 means 65536), pages at byte 28.
    if (head := _head(path, 100)) is None:
        return f"{path.name} is cut short within its header"
    page, pages = struct.unpack(">H", head[16:18])[0], struct.unpack(">I", head[28:32])[0]
    return _cut(path, (65536 if page == 1 else page) * pages)


_CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".tif": _geotiff,
    ".tiff": _geotiff,
    ".zip": _zip,
    ".xlsx": _zip,
    ".npz": _zip,
    ".shp": _shapefile,
    ".dbf": _dbf,
    ".nc": _hdf5,
    ".gpkg": _geopackage,
}
