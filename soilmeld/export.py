"""Writing samples to files that other programs read, with CRS, units and licences.

Belongs here: GeoParquet, GeoPackage and CSV export, and the licence gate of exports for others.
Never here: choosing which rows to export.
"""

import json
from pathlib import Path

import polars as pl

from adapters.errors import LicenceError, SoilmeldError

FORMATS = {".parquet": "GeoParquet", ".gpkg": "GeoPackage", ".csv": "CSV"}


class ExportError(SoilmeldError):
    """The export cannot be written."""


def export(
    frame: pl.DataFrame, dictionary: dict[str, dict], path: Path, *, redistributable: bool = False
) -> Path:
    """Write queried samples; the ending of `path` chooses the format.

    Units, CRS, licences and attributions travel along: in the Parquet schema's metadata, in a table
    `feature_dictionary` of the GeoPackage, in `<path>.metadata.json` beside a CSV.

    Args:
        frame: Result of `Dataset.query`, with `longitude` and `latitude` in EPSG:4326.
        dictionary: Feature dictionary of the group.
        path: `*.parquet`, `*.gpkg` or `*.csv`; written beside itself first and renamed.
        redistributable: Refuse values whose licence forbids passing them on.

    Raises:
        LicenceError: A feature may not be redistributed and `redistributable` is asked for.
        ExportError: The ending is unknown.
    """
    if path.suffix not in FORMATS:
        raise ExportError(
            f"no format for {path.name!r}",
            remedy="end the name in " + ", ".join(f"{e} ({n})" for e, n in FORMATS.items()),
        )
    records = {name: dictionary[name] for name in frame.columns if name in dictionary}
    if redistributable:
        forbidden = sorted(name for name, record in records.items() if not record["redistribute"])
        if forbidden:
            raise LicenceError(
                f"{len(forbidden)} features come from sources that forbid redistribution",
                samples=forbidden,
                remedy="leave them out, or export for your own use without --redistributable",
            )
    about = {
        "crs": "EPSG:4326",
        "units": {name: record["unit"] for name, record in records.items()},
        "features": records,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.stem}.part{path.suffix}")
    scratch.unlink(missing_ok=True)
    {".parquet": _geoparquet, ".gpkg": _geopackage, ".csv": _csv}[path.suffix](
        frame, about, scratch
    )
    if path.suffix == ".csv":
        scratch.with_name(scratch.name + ".metadata.json").replace(
            path.with_name(path.name + ".metadata.json")
        )
    return scratch.replace(path)


def _points(frame: pl.DataFrame):
    import geopandas as gpd

    return gpd.GeoDataFrame(
        frame.to_pandas(use_pyarrow_extension_array=True),
        geometry=gpd.points_from_xy(frame["longitude"], frame["latitude"]),
        crs="EPSG:4326",
    )


def _geoparquet(frame: pl.DataFrame, about: dict, path: Path) -> None:
    import pyarrow.parquet as pq

    _points(frame).to_parquet(path)
    table = pq.read_table(path)
    metadata = {**(table.schema.metadata or {}), b"soilmeld": json.dumps(about).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")


def _geopackage(frame: pl.DataFrame, about: dict, path: Path) -> None:
    import pandas as pd
    import pyogrio

    pyogrio.write_dataframe(_points(_arrays_as_json(frame)), path, layer="samples", driver="GPKG")
    rows = [
        {
            "id": name,
            "unit": record["unit"],
            "title": record["title"],
            "description": record["description"],
            "licences": ", ".join(record["licences"]),
            "origin": record["origin"],
        }
        for name, record in about["features"].items()
    ]
    pyogrio.write_dataframe(
        pd.DataFrame(rows), path, layer="feature_dictionary", driver="GPKG", append=True
    )


def _csv(frame: pl.DataFrame, about: dict, path: Path) -> None:
    _arrays_as_json(frame).write_csv(path)
    path.with_name(path.name + ".metadata.json").write_text(
        json.dumps(about, indent=2), encoding="utf-8"
    )


def _arrays_as_json(frame: pl.DataFrame) -> pl.DataFrame:
    arrays = [
        name
        for name, dtype in frame.schema.items()
        if dtype in (pl.List, pl.Array) or dtype.is_nested()
    ]
    return frame.with_columns(
        pl.col(name).map_elements(lambda value: json.dumps(value.to_list()), return_dtype=pl.String)
        for name in arrays
    )
