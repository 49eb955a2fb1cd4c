"""Sources of the twin, standardised; their pixels, and copies of their files to be altered.

Belongs here: what the tests of several themes of sources share. Never here: tests.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import rasterio

from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import SourceSpec, load_spec
from adapters.standardise import Standard, standardise
from adapters.twin import making
from adapters.twin.europe import Array, Europe
from adapters.twin.world import Lattice, World


@dataclass(frozen=True)
class Made:
    """The twin's files of some sources, and the standard tables of them by the id of the piece."""

    settings: Settings
    world: World
    standards: dict[str, Standard]

    def layers(self, source: str) -> tuple[Lattice, dict[str, Array]]:
        return making.writer(source).layers(self.world)

    def pixels(self, source: str, column: str) -> Array:
        return pixels_of(self.settings, self.standards[source], column)


def make(root: Path, sources: Iterable[str]) -> Made:
    """Write and standardise sources of the tiny twin."""
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin_size="tiny")
    making.write(settings, tuple(sources))
    made = [standardised(source, settings) for source in sources]
    pieces = {piece.spec.id: piece for standard in made for piece in standard.pieces}
    return Made(settings, World(Europe(settings.twin_seed), "tiny"), pieces)


def standardised(source: str, settings: Settings, spec: SourceSpec | None = None) -> Standard:
    """The files in the inbox of a source, standardised by its specification or another."""
    raw = ingest(load_spec(source), settings)
    assert raw is not None
    return standardise(spec or load_spec(source), raw, settings)


def copied(made: Settings, own: Settings, source: str, *without: str) -> Path:
    """A user's copy of the twin's files of a source, to be altered; some are left out."""
    folder = own.raw / source
    ignored = shutil.ignore_patterns(making.ORIGIN_FILE, *without)
    shutil.copytree(made.raw / source, folder, ignore=ignored)
    return folder


def layers_of(settings: Settings, standard: Standard, column: str) -> list[tuple[dict, Array]]:
    """Rows of a column's standard layers with their pixels, (h, w), NaN for nodata."""
    found = []
    for row in standard.table.filter(column=column).sort("element").iter_rows(named=True):
        with rasterio.open(settings.data_root / row["path"]) as source:
            found.append((row, source.read(1, masked=True).astype(float).filled(np.nan)))
    return found


def pixels_of(settings: Settings, standard: Standard, column: str) -> Array:
    """(h, w), or (elements, h, w) of an array; NaN for nodata."""
    found = [values for _, values in layers_of(settings, standard, column)]
    return found[0] if len(found) == 1 else np.stack(found)


def edit(path: Path, alter: Callable[[Array], Array], **profile: object) -> None:
    """Rewrite a raster with other pixels, (bands, h, w), or another profile; no scale is kept."""
    with rasterio.open(path) as source:
        values, said = source.read(), source.profile
    path.unlink()
    values = alter(values)
    shape = dict(zip(("count", "height", "width"), values.shape, strict=True))
    with rasterio.open(path, "w", **(said | shape | profile)) as target:
        target.write(values.astype(target.dtypes[0]))


def same(values: Array) -> Array:
    return values


def counts(standard: Standard, column: str, flag: str) -> int:
    """Pixels of a column that have a flag."""
    said = standard.flags.filter(column=column, flag=flag)["detail"]
    return int(said.str.extract(r"^(\d+) of ").cast(pl.Int64).sum())
