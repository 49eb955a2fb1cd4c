"""Small sources made in the test: specifications, tables and rasters."""

from pathlib import Path

import numpy as np
import polars as pl
import rasterio
from rasterio.transform import from_origin

from adapters.spec import SourceSpec

LICENCE = {"id": "CC-BY-4.0", "redistribute": True, "attribution": "nobody"}


def spec_of(id_: str, fuse: dict, columns: list[dict], **more: object) -> SourceSpec:
    """A specification with what fusion reads; everything else is filler."""
    raster = more.get("modality") == "raster"
    return SourceSpec.model_validate(
        {
            "id": id_,
            "title": id_,
            "description": id_,
            "modality": "table",
            "origin": {"producer": "p", "page": "p", "citation": "c", "licence": LICENCE},
            "access": {"kind": "manual", "instructions": "none"},
            "tables": {"main": {"files": ["x"], "read": {"reader": "raster" if raster else "csv"}}},
            "space": {"support": "point", "crs": "EPSG:4326"},
            "fuse": fuse,
            "columns": [
                {"table": "main", "native": c["name"], "evidence": "verified", "description": "d"}
                | c
                for c in columns
            ],
            "folder": Path("none"),
            **more,
        }
    )


def number(name: str, **more: object) -> dict:
    return {"name": name, "kind": "numeric", "unit": "percent", "basis": "mass", **more}


def text(name: str, **more: object) -> dict:
    return {"name": name, "kind": "text", "feature": False, **more}


def code(name: str, codebook: str = "open", **more: object) -> dict:
    return {"name": name, "kind": "categorical", "codebook": codebook, **more}


def survey_spec(id_: str, columns: list[dict], **more: object) -> SourceSpec:
    """A backbone source."""
    given = {"sample": {"survey": id_, "site": "site", "site_prefix": "family"}, "keys": ["site"]}
    return spec_of(id_, {"join": "backbone"}, [text("site"), *columns], **(given | more))


def place(frame: pl.DataFrame, origin: str = "synthetic") -> pl.DataFrame:
    """Add the columns that every standard table has."""
    wanted = {
        "row_ref": pl.format("f#{}", pl.int_range(2, pl.len() + 2)),
        "origin": pl.lit(origin),
        "longitude": pl.lit(None, pl.Float64),
        "latitude": pl.lit(None, pl.Float64),
        "position_uncertainty_m": pl.lit(10.0),
        "depth_top": pl.lit(0.0),
        "depth_bottom": pl.lit(20.0),
        "date_start": pl.lit(None, pl.Date),
        "date_end": pl.lit(None, pl.Date),
    }
    return frame.with_columns(e.alias(n) for n, e in wanted.items() if n not in frame.columns)


def write_raster(
    path: Path,
    values: np.ndarray,
    crs: str = "EPSG:4326",
    corner: tuple[float, float] = (0.0, 10.0),
    cell: float = 1.0,
    nodata: float | None = -9999.0,
    block: int | None = None,
) -> Path:
    """One band, cells of `cell` from the upper left `corner`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tiles = {"tiled": True, "blockxsize": block, "blockysize": block} if block else {}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype,
        crs=crs,
        transform=from_origin(*corner, cell, cell),
        nodata=nodata,
        **tiles,
    ) as data:
        data.write(values, 1)
    return path
