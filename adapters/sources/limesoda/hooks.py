"""Reads the sets of LimeSoDa through the package that ships them.

Belongs here: opening one set, and what the package documents but does not ship as data (sampling
depth, country). Never here: units, methods, CRS transformation.
"""

import hashlib
from pathlib import Path

import polars as pl

from adapters.errors import ReadError

# Sampling depth in cm and country, from docs/source/datasets/<set>.rst of the package's repository.
DOCUMENTED = {
    "BB.250": (0.0, 30.0, "DE"),
    "BB.72": (0.0, 30.0, "DE"),
    "BB.51": (0.0, 30.0, "DE"),
    "BB.30_1": (0.0, 30.0, "DE"),
    "BB.30_2": (0.0, 30.0, "DE"),
    "MWP.36": (0.0, 15.0, "DE"),
    "SM.40": (0.0, 30.0, "CZ"),
}


def read_set(path: Path) -> pl.DataFrame:
    """One set: the package's columns, and site, set, fold, coordinates, CRS, depth, country.

    The file holds pickled names, so none but the package's own copy is ever opened.

    Raises:
        ReadError: The file is not the one that the installed package ships, or its coordinates do
            not name their CRS.
    """
    import LimeSoDa

    name = path.stem
    shipped = Path(LimeSoDa.__file__).parent / "data" / path.name
    if name not in DOCUMENTED or _sha256(shipped) != _sha256(path):
        raise ReadError(
            "is not the file of the installed package, and a file with pickled names is not opened",
            source="limesoda",
            file=path.name,
            remedy="remove it from the inbox: the package's own files are used",
        )
    loaded = LimeSoDa.load_dataset(name)
    coordinates = loaded["Coordinates"]
    x, y = coordinates.columns
    epsg = x.removeprefix("x_")
    if y != f"y_{epsg}" or not epsg.isdigit():
        raise ReadError(
            "coordinate columns do not name their CRS",
            source="limesoda",
            file=path.name,
            samples=[x, y],
            remedy="expected x_<EPSG code> and y_<EPSG code>",
        )
    frame = pl.DataFrame({c: loaded["Dataset"][c].to_numpy() for c in loaded["Dataset"].columns})
    top, bottom, country = DOCUMENTED[name]
    return frame.with_columns(
        pl.Series("x", coordinates[x].to_numpy()),
        pl.Series("y", coordinates[y].to_numpy()),
        pl.Series("fold", loaded["Folds"]),
        pl.Series("site", [f"{name}/{row}" for row in loaded["Dataset"].index]),
        pl.lit(name).alias("dataset"),
        pl.lit(f"EPSG:{epsg}").alias("crs"),
        pl.lit(top).alias("depth_top"),
        pl.lit(bottom).alias("depth_bottom"),
        pl.lit(country).alias("country"),
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
