"""The form of a profile set on disk, writing one, and reading it back.

Belongs here: which files a version consists of and what stands in them.
Never here: which photographs are in a set and what is known of them (`sets.py`), or how a
photograph becomes a picture of that form (`pictures.py`).

A version is a folder that never changes, named by what is in it::

    <folder>/<version>/index.parquet     one row a photograph
    <folder>/<version>/photographs.npy   (n, HEIGHT, WIDTH, 3) uint8, red, green, blue
    <folder>/<version>/soil.npy          (n, HEIGHT, WIDTH) bool: is it soil?
    <folder>/<version>/dictionary.json   origin, terms, splits, what the columns mean, checksums

Pictures lie in one array that is mapped into memory: a batch is read by its rows, without a file
being opened or a photograph being decoded.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from filelock import FileLock
from numpy.lib.format import open_memmap

from adapters.errors import FusionError
from fusion.profiles.statistics import statistics
from fusion.splits import ASIDE

HEIGHT, WIDTH = 256, 128
"""Pixels of a picture: 100 cm of depth, so 0.39 cm a row, a fifth of the narrowest tolerance
that boundaries are judged by (2 cm); published boundaries are whole centimetres, so that finer
rows would tell no boundary better. At the same scale the width is 50 cm of wall."""
DEPTH_CM = 100.0
"""Depth that a picture and its horizons reach."""
FORMAT = 1
HORIZON = {
    "top": pl.Float64,
    "bottom": pl.Float64,
    "symbol": pl.String,
    "symbol_raw": pl.String,
    "stones": pl.Float64,
    "texture": pl.String,
    "colour": pl.String,
    "carbonate": pl.String,
    "humus": pl.String,
    "roots": pl.String,
}
"""Fields of a horizon: depths in cm, `stones` in %, codes; null where unknown."""
CLASSES = ("texture", "colour", "carbonate", "humus", "roots")
"""Fields of a horizon that are codes."""
INDEX = {
    "photograph": pl.String,
    "profile": pl.String,
    "longitude": pl.Float64,
    "latitude": pl.Float64,
    "year": pl.Int64,
    "month": pl.Int64,
    "split": pl.String,
    "block": pl.String,
    "cluster": pl.String,
}
"""Columns of the index beside `site.<name>` (Float64 or String) and `horizons`."""
SPLITS = ("train", "validation", "calibration", "test")
_ARRAYS = {
    "photographs.npy": ((HEIGHT, WIDTH, 3), np.dtype(np.uint8)),
    "soil.npy": ((HEIGHT, WIDTH), np.dtype(bool)),
}
_INDEX_FILE, _SAYS = "index.parquet", "dictionary.json"


def write(
    index: pl.DataFrame,
    pictures: Iterable[tuple[np.ndarray, np.ndarray]],
    folder: Path,
    about: Mapping[str, Any],
) -> Path:
    """Write a version of a set; the same content gives the same bytes and the same version.

    Args:
        index: One row a photograph, as `INDEX` says, with `site.<name>` columns and `horizons`.
        pictures: Of each row its picture (HEIGHT, WIDTH, 3) uint8 and where it is soil
            (HEIGHT, WIDTH) bool, in the order of the index.
        folder: Of all versions.
        about: What `dictionary.json` says besides what is counted here: group, origin, terms.

    Returns:
        Folder of the version.

    Raises:
        FusionError: The index or a picture has not the form of a set.
    """
    index = _sound(index, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        staging = folder / ".writing"
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir()
        index.write_parquet(staging / _INDEX_FILE, compression="zstd", statistics=False)
        arrays = _write_pictures(index["photograph"], pictures, staging)
        described = {
            **about,
            "format": FORMAT,
            "photographs": index.height,
            "profiles": index["profile"].n_unique(),
            "height": HEIGHT,
            "width": WIDTH,
            "depth_cm": DEPTH_CM,
            "splits": _counts(index),
            "statistics": statistics(index, *arrays),
            "checksums": {name: _sha256(staging / name) for name in (_INDEX_FILE, *_ARRAYS)},
        }
        content = (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
        (staging / _SAYS).write_bytes(content)
        version = folder / hashlib.sha256(content).hexdigest()[:16]
        if version.exists():
            shutil.rmtree(staging)
        else:
            staging.rename(version)
    return version


def _sound(index: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """The index with its columns in order.

    Raises:
        FusionError: A column is missing or of another type, a photograph stands there twice, or
            none is there to train on.
    """
    sites = sorted(name for name in index.columns if name.startswith("site."))
    wanted = {**INDEX, **{name: index.schema[name] for name in sites}}
    wanted["horizons"] = pl.List(pl.Struct(HORIZON))
    wrong = [
        f"{name}: {index.schema.get(name, 'missing')}, not {kind}"
        for name, kind in wanted.items()
        if index.schema.get(name) != kind
    ]
    wrong += [f"{name}: no such column" for name in index.columns if name not in wanted]
    kinds = (pl.Float64, pl.String)
    wrong += [f"{n}: {wanted[n]}, no number or code" for n in sites if wanted[n] not in kinds]
    if wrong:
        raise FusionError(
            "this is no index of a profile set",
            file=str(folder),
            samples=wrong,
            remedy="build the set with `fusion.profiles.sets.profiles`",
        )
    twice = index.filter(pl.col("photograph").is_duplicated())["photograph"]
    if len(twice):
        raise FusionError(
            "a photograph stands in the set twice",
            file=str(folder),
            samples=twice.unique(maintain_order=True),
            remedy="give every photograph one row",
        )
    if "train" not in index["split"]:
        raise FusionError(
            "no photograph is left to train on",
            file=str(folder),
            samples=[f"{split}: {n}" for split, n in index["split"].value_counts().iter_rows()],
            remedy="more profiles farther apart are needed, or a smaller guard",
        )
    return index.select(*wanted)


def _write_pictures(
    names: pl.Series, pictures: Iterable[tuple[np.ndarray, np.ndarray]], staging: Path
) -> list[np.ndarray]:
    arrays = [
        open_memmap(staging / name, mode="w+", dtype=kind, shape=(len(names), *shape))
        for name, (shape, kind) in _ARRAYS.items()
    ]
    for row, (name, parts) in enumerate(zip(names, pictures, strict=True)):
        for array, part in zip(arrays, parts, strict=True):
            if part.shape != array.shape[1:] or part.dtype != array.dtype:
                raise FusionError(
                    "a picture has not the form of a set",
                    where=f"photograph {name}",
                    samples=[f"{part.dtype} {part.shape}, not {array.dtype} {array.shape[1:]}"],
                    remedy="make it with `fusion.profiles.pictures.picture`",
                )
            array[row] = part
    for array in arrays:
        array.flush()
    return arrays


def _counts(index: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Photographs, profiles and blocks of each split."""
    return {
        split: {
            "photographs": (mine := index.filter(pl.col("split") == split)).height,
            "profiles": mine["profile"].n_unique(),
            "blocks": mine["block"].n_unique(),
        }
        for split in (*SPLITS, ASIDE)
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ProfileSet:
    """A version of a profile set.

    Attributes:
        folder: Of the version.
        described: Content of `dictionary.json`.
        fingerprint: sha256 of all that the set holds.
    """

    def __init__(self, folder: Path) -> None:
        """Open the version in a folder.

        Raises:
            FusionError: The folder holds none, or one of another format or size.
        """
        self.folder = Path(folder)
        path = self.folder / _SAYS
        if not path.is_file():
            raise FusionError(
                "no profile set lies here",
                file=str(self.folder),
                remedy="name the folder of a version: data/profiles/<group>/<version>",
            )
        content = path.read_bytes()
        self.described: dict[str, Any] = json.loads(content)
        self.fingerprint = hashlib.sha256(content).hexdigest()
        if (found := self.described.get("format")) != FORMAT:
            raise FusionError(
                f"a profile set of format {found}, and this reads format {FORMAT}",
                file=str(path),
                remedy="build the set again: `soilmeld run`",
            )
        self._photographs, self._soil = (
            np.load(self.folder / name, mmap_mode="r") for name in _ARRAYS
        )

    def __len__(self) -> int:
        """Number of photographs."""
        return self.described["photographs"]

    @cached_property
    def index(self) -> pl.DataFrame:
        """One row a photograph; see `INDEX`."""
        return pl.read_parquet(self.folder / _INDEX_FILE)

    @property
    def pictures(self) -> np.ndarray:
        """All pictures, (n, HEIGHT, WIDTH, 3) uint8, mapped into memory."""
        return self._photographs

    @property
    def soils(self) -> np.ndarray:
        """Where all pictures are soil, (n, HEIGHT, WIDTH) bool, mapped into memory."""
        return self._soil

    def picture(self, i: int) -> np.ndarray:
        """Picture of a row, (HEIGHT, WIDTH, 3) uint8."""
        return np.array(self._photographs[i])

    def soil(self, i: int) -> np.ndarray:
        """Where the picture of a row is soil, (HEIGHT, WIDTH) bool."""
        return np.array(self._soil[i])

    def verify(self) -> None:
        """Compare every byte with what was written.

        Raises:
            FusionError: A file is not what it was.
        """
        held = self.described["checksums"]
        if wrong := [name for name in held if _sha256(self.folder / name) != held[name]]:
            raise FusionError(
                "files of the profile set are not what was written",
                file=str(self.folder),
                samples=wrong,
                remedy="delete the folder of this version and build the set again",
            )
