"""A file that was cut anywhere near its end is told; the whole file is not."""

from collections.abc import Callable
from pathlib import Path

import geopandas
import h5py
import numpy as np
import openpyxl
import pytest
import rasterio
from shapely import Point

from adapters.truncation import truncated


def _tif(folder: Path) -> Path:
    path = folder / "a.tif"
    values = np.random.default_rng(1).normal(size=(2, 300, 200)).astype("float32")
    with rasterio.open(
        path, "w", driver="GTiff", width=200, height=300, count=2, dtype="float32", tiled=True,
        blockxsize=64, blockysize=64, compress="deflate",
        crs="EPSG:3035", transform=rasterio.Affine(100, 0, 4e6, 0, -100, 3e6),
    ) as layer:  # fmt: skip
        layer.write(values)
    return path


def _strips(folder: Path) -> Path:
    path = folder / "b.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=50, height=40, count=1, dtype="uint8",
        crs="EPSG:3035", transform=rasterio.Affine(100, 0, 4e6, 0, -100, 3e6),
    ) as layer:  # fmt: skip
        layer.write(np.arange(2000, dtype="uint8").reshape(1, 40, 50))
    return path


def _points(folder: Path, name: str) -> Path:
    frame = geopandas.GeoDataFrame(
        {"code": list("abcdefgh")}, geometry=[Point(i, i) for i in range(8)], crs="EPSG:4326"
    )
    frame.to_file(folder / name)
    return folder / name


def _xlsx(folder: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["a", 1])
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def _nc(folder: Path) -> Path:
    with h5py.File(folder / "a.nc", "w") as file:
        file["x"] = np.arange(5000.0)
    return folder / "a.nc"


MAKERS: dict[str, Callable[[Path], Path]] = {
    "tif": _tif,
    "tif in strips": _strips,
    "xlsx": _xlsx,
    "shp": lambda folder: _points(folder, "a.shp"),
    "dbf": lambda folder: _points(folder, "a.shp").with_suffix(".dbf"),
    "gpkg": lambda folder: _points(folder, "a.gpkg"),
    "nc": _nc,
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("left", [0.03, 0.3, 0.6, 0.97])
def test_a_cut_file_is_told_and_the_whole_one_is_not(
    tmp_path: Path, kind: str, left: float
) -> None:
    path = MAKERS[kind](tmp_path)
    assert truncated(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content))])
    assert "cut short" in str(truncated(path))


def test_text_declares_no_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,")
    assert truncated(tmp_path / "a.csv") is None
