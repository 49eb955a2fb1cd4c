"""Tiles of the published layouts of GeoMeld and MMEarth, so that who has them can train here.

Belongs here: how these publishers lay out their files, and what their numbers mean. Never here:
this project's own layout (`store.py`), downloading.

`writing.write(geomeld(...), folder)` makes a set of them, to which
`fusion.captions.of_others.add_captions` adds their captions, checked on the tiles. What a publisher
does not say is asked for (`GeoMeldTerms`), and what does not fit is refused, not guessed.
"""

import datetime
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.errors import FusionError
from adapters.modalities import modality
from fusion.tiles.grid import roi
from fusion.tiles.tile import Tile

_EDGE = 128
_WITHOUT_B2_TO_B4 = ("B2", "B3", "B4")
_GEOMELD = {
    "sentinel1": "sentinel1",
    "aster": "relief",
    "canopy_height": "canopy_height",
    "esa_worldcover": "worldcover",
    "dynamic_world": "dynamic_world",
}
"""Key of GeoMeld -> modality, of those that have the bands of the modality."""
_MMEARTH_SENTINEL2 = (
    *("B1", "B2", "B3", "B4", "B5", "B6", "B7"),
    *("B8A", "B8", "B9", "B10", "B11", "B12"),
)
_MMEARTH_REFLECTANCE = 1e-4
"""Of its harmonised collections, whose numbers carry no offset (Earth Engine, COPERNICUS/
S2_SR_HARMONIZED)."""
_MMEARTH_ERA5 = tuple(
    f"era5_{period}_{what}"
    for period in ("previous_month", "month", "year")
    for what in ("mean_temperature", "least_temperature", "greatest_temperature", "precipitation")
)
"""K and m (Earth Engine, ECMWF/ERA5_LAND/MONTHLY_AGGR)."""
_INT8_OF_255 = 127
"""Their canopy height is int8, in which the product's 255 for no data became the greatest."""


@dataclass(frozen=True)
class GeoMeldTerms:
    """What GeoMeld does not publish of its numbers, and its reader must know.

    Attributes:
        sentinel2_bands: The twelve bands of Sentinel-2 in the order of the files; the nine-band
            rows, beside an aerial photograph, have the same order without B2, B3 and B4.
        reflectance_scale: Reflectance = number * scale + offset.
        reflectance_offset: See there.
        backscatter: Are the numbers of Sentinel-1 in dB, or powers?
        dynamic_world_water: Code of water, the first class: 0 as in the product, or 1 as in
            MMEarth.
        nodata: Key of the file -> numbers that stand for no data. NaN and infinities always do.
    """

    sentinel2_bands: tuple[str, ...]
    reflectance_scale: float
    reflectance_offset: float
    backscatter: Literal["dB", "power"]
    dynamic_world_water: Literal[0, 1]
    nodata: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what names other bands or keys than the files have.

        Raises:
            FusionError: See there.
        """
        if sorted(self.sentinel2_bands) != sorted(modality("sentinel2").names):
            raise FusionError(
                "these are not the twelve bands of Sentinel-2",
                samples=self.sentinel2_bands,
                remedy=f"name in the order of the files: {', '.join(modality('sentinel2').names)}",
            )
        if unknown := sorted(self.nodata.keys() - {"sentinel2", "naip", *_GEOMELD}):
            raise FusionError(
                "numbers for no data of keys that GeoMeld has not",
                samples=unknown,
                remedy=f"use some of: {', '.join(('sentinel2', 'naip', *_GEOMELD))}",
            )


class _GeoMeldMetadata(BaseModel):
    """Of one row; other fields are kept as they are."""

    model_config = ConfigDict(extra="allow")

    tile_id: int | str
    lat: float = Field(ge=-90, le=90)
    long: float = Field(ge=-180, le=180)
    acquisition_date: datetime.date
    caption: str | None = None


class _MMEarthInfo(BaseModel):
    """Of one tile in `*_tile_info.json`; other fields are not needed."""

    model_config = ConfigDict(extra="ignore")

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    S2_DATE: datetime.date
    S2_type: Literal["l1c", "l2a"]
    CRS: str
    biome: int | None = None
    eco_region: int | None = None


def geomeld(shards: Sequence[Path], terms: GeoMeldTerms) -> Iterator[Tile]:
    """Tiles of GeoMeld's shards: tar files of one HDF5 file a sample.

    A row gives its place, and not where its corner lies: its pixels are taken to stand around the
    place on the 10 m grid of the UTM zone, so its edges are known to a pixel or two.

    Args:
        shards: Of either subset; rows with an aerial photograph have nine bands of Sentinel-2.
        terms: What the publisher does not say.

    Yields:
        One tile a member, in the order of the files.

    Raises:
        FusionError: A member has not the keys, shapes or metadata of the published layout, or a
            number that cannot be what it should be.
    """
    for shard in shards:
        for where, member in _members(shard):
            with _opened(member, where) as file:
                yield _geomeld_tile(file, terms, where)


def geomeld_captions(shards: Sequence[Path]) -> dict[str, str]:
    """Captions of the tiles of the same shards as they were published: nobody has checked them.

    `fusion.captions.of_others.add_captions` checks them on the tiles.

    Raises:
        FusionError: A member has not the metadata of the published layout.
    """
    found = {}
    for shard in shards:
        for where, member in _members(shard):
            with _opened(member, where) as file:
                about = _geomeld_metadata(file, where)
            if about.caption:
                found[_geomeld_id(about)] = about.caption
    return found


def mmearth(folder: Path, l1c: Literal["skip", "without_sentinel2"] = "skip") -> Iterator[Tile]:
    """Tiles of a folder of MMEarth with images of 128 x 128 pixels.

    About half of its Sentinel-2 images are of level 1C: reflectance at the top of the atmosphere,
    which is another quantity than that of a tile here. Its Dynamic World is the commonest class of
    the year. Its land cover keeps tree cover. Edges are known to a pixel or two, as the files give
    the middle of a tile alone.

    Args:
        folder: With `data_*.h5` and `data_*_tile_info.json`.
        l1c: What becomes of tiles with an image of level 1C: left out, or given without it.

    Yields:
        One tile a row, in the order of the file.

    Raises:
        FusionError: Files are missing, or not of the published layout.
    """
    import h5py

    path, about = (_only(folder, pattern) for pattern in ("data_*.h5", "data_*_tile_info.json"))
    listed = json.loads(about.read_text(encoding="utf-8"))
    with h5py.File(path, "r") as file:
        ids = _mmearth_ids(file, path)
        for row, name in enumerate(ids):
            where = f"{path}, row {row}"
            if name not in listed:
                raise FusionError(
                    f"{about.name} says nothing of tile {name!r}",
                    file=where,
                    remedy="take the two files of one download",
                )
            info = _validated(_MMEarthInfo, listed[name], where)
            if info.S2_type == "l2a" or l1c == "without_sentinel2":
                yield _mmearth_tile(file, row, name, info, where)


# GeoMeld.


def _members(shard: Path) -> Iterator[tuple[str, bytes]]:
    """HDF5 files of a shard."""
    try:
        with tarfile.open(shard) as tar:
            for info in tar:
                where = f"{shard}, {info.name}"
                if not info.isfile():
                    continue
                if not info.name.endswith(".h5"):
                    raise FusionError(
                        "a member of the shard is no .h5 file",
                        file=where,
                        remedy="GeoMeld's shards hold one HDF5 file a sample",
                    )
                stream = tar.extractfile(info)
                assert stream is not None, "a file has content"
                yield where, stream.read()
    except (OSError, tarfile.TarError) as error:
        raise FusionError(
            f"the shard cannot be read: {error}", file=str(shard), remedy="download it again"
        ) from error


def _opened(member: bytes, where: str):  # noqa: ANN202
    import h5py

    try:
        return h5py.File(io.BytesIO(member), "r")
    except OSError as error:
        raise FusionError(
            f"this is no HDF5 file: {error}", file=where, remedy="download the shard again"
        ) from error


def _geomeld_metadata(file, where: str) -> _GeoMeldMetadata:  # noqa: ANN001
    if "metadata" not in file:
        raise FusionError(
            "no metadata", file=where, samples=file.keys(), remedy="take a shard of GeoMeld"
        )
    raw = file["metadata"][()]
    try:
        parsed = json.loads(raw)
    except (ValueError, TypeError) as error:
        raise FusionError(
            f"the metadata is no JSON: {error}", file=where, remedy="download the shard again"
        ) from error
    return _validated(_GeoMeldMetadata, parsed, where)


def _geomeld_id(about: _GeoMeldMetadata) -> str:
    return f"geomeld-{about.tile_id}"


def _geomeld_tile(file, terms: GeoMeldTerms, where: str) -> Tile:  # noqa: ANN001
    about = _geomeld_metadata(file, where)
    arrays: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}
    raw, there = _read(file, "sentinel2", None, terms, where)
    bands = terms.sentinel2_bands
    if len(raw) == len(bands) - len(_WITHOUT_B2_TO_B4):
        bands = tuple(name for name in bands if name not in _WITHOUT_B2_TO_B4)
    elif len(raw) != len(bands):
        raise FusionError(
            f"sentinel2 has {len(raw)} bands",
            file=where,
            remedy="rows of GeoMeld have 12 bands, or 9 beside an aerial photograph",
        )
    spec = modality("sentinel2")
    arrays["sentinel2"] = np.full(spec.shape, np.nan, np.float32)
    present["sentinel2"] = np.zeros(spec.shape, bool)
    places = [spec.band(name) for name in bands]
    reflectance = raw.astype(np.float64) * terms.reflectance_scale + terms.reflectance_offset
    arrays["sentinel2"][places], present["sentinel2"][places] = reflectance, there
    for key, name in _GEOMELD.items():
        raw, there = _read(file, key, modality(name).shape, terms, where)
        if key == "sentinel1" and terms.backscatter == "power":
            if (wrong := there & (raw <= 0)).any():
                raise FusionError(
                    "powers of backscatter that are not above zero",
                    file=where,
                    samples=np.unique(raw[wrong]),
                    remedy="say backscatter dB, or which of these numbers stand for no data",
                )
            raw = 10 * np.log10(np.where(there, raw, 1))
        if key == "dynamic_world":
            there &= raw >= terms.dynamic_world_water
            raw = np.where(there, raw, terms.dynamic_world_water) - terms.dynamic_world_water
        arrays[name], present[name] = raw.astype(modality(name).array_dtype), there
    if "naip" in file:
        raw, there = _read(file, "naip", modality("rgb").shape, terms, where)
        if (wrong := there & (raw > 255)).any():
            raise FusionError(
                "counts of the aerial photograph beyond 255",
                file=where,
                samples=np.unique(raw[wrong]),
                remedy="NAIP has 8 bits a band: scale them as they were scaled up, and write the "
                "shard again",
            )
        arrays["rgb"], present["rgb"] = raw.astype(np.uint8), there
    square = roi(about.long, about.lat)
    told = about.model_dump(mode="json", exclude={"tile_id", "lat", "long", "caption"})
    return Tile(
        id=_geomeld_id(about),
        longitude=about.long,
        latitude=about.lat,
        crs=square.crs,
        west=square.west,
        north=square.north,
        date=about.acquisition_date,
        origin="open",
        licences=("Apache-2.0",),
        arrays=arrays,
        present=present,
        extra={
            "published": "GeoMeld",
            "placed": "around the given place",
            "metadata": told,
            "map_tags": _map_tags(told.get("osm_tags")),
        },
    )


def _map_tags(osm_tags: object) -> dict[str, list[str]]:
    """Tags of OpenStreetMap: a text each on the download page, lists and null in its examples."""
    if not isinstance(osm_tags, dict):
        return {}
    listed = {k: v if isinstance(v, list) else [v] for k, v in osm_tags.items()}
    kept = {k: [s for s in v if isinstance(s, str) and s.strip()] for k, v in listed.items()}
    return {k: v for k, v in kept.items() if v}


def _read(
    file,  # noqa: ANN001
    key: str,
    shape: tuple[int, ...] | None,
    terms: GeoMeldTerms,
    where: str,
) -> tuple[np.ndarray, np.ndarray]:
    """An array of a member and where it has values."""
    raw = _array(file, key, where)
    if raw.shape != (shape or (len(raw), _EDGE, _EDGE)):
        raise FusionError(
            f"{key} has the shape {raw.shape}, not {shape or ('bands', _EDGE, _EDGE)}",
            file=where,
            remedy="take a shard of GeoMeld as it is published",
        )
    return raw, np.isfinite(raw) & ~np.isin(raw, terms.nodata.get(key, ()))


# MMEarth.


def _mmearth_ids(file, path: Path) -> list[str]:  # noqa: ANN001
    if "metadata" not in file or "tile_id" not in (file["metadata"].dtype.names or ()):
        raise FusionError(
            "the file has no metadata with tile_id",
            file=str(path),
            samples=file.keys(),
            remedy="take a file of MMEarth as it is published",
        )
    return [name.decode("utf-8") for name in file["metadata"]["tile_id"]]


def _mmearth_tile(file, row: int, name: str, info: _MMEarthInfo, where: str) -> Tile:  # noqa: ANN001
    def layer(key: str, bands: int) -> np.ndarray:
        raw = _array(file, key, where, row)
        if raw.shape != (bands, _EDGE, _EDGE):
            raise FusionError(
                f"{key} has the shape {raw.shape}, not {(bands, _EDGE, _EDGE)}",
                file=where,
                remedy="take MMEarth or MMEarth100k; tiles of 64 pixels are a quarter of one here",
            )
        return raw

    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if info.S2_type == "l2a":
        order = [_MMEARTH_SENTINEL2.index(band) for band in modality("sentinel2").names]
        raw = layer("sentinel2", len(_MMEARTH_SENTINEL2))[order]
        found["sentinel2"] = (raw * _MMEARTH_REFLECTANCE, raw != 0)
    raw = layer("sentinel1", 8)
    found["sentinel1"] = (raw, np.isfinite(raw))
    raw = layer("aster", 2)
    found["relief"] = (raw, raw != np.iinfo(np.int16).min)
    raw = layer("canopy_height_eth", 2)
    found["canopy_height"] = (raw, raw != _INT8_OF_255)
    raw = layer("esa_worldcover", 1)
    found["worldcover"] = (raw, (raw != 0) & (raw != 255))
    raw = layer("dynamic_world", 1)
    found["dynamic_world"] = (np.where(raw > 0, raw, 1) - 1, raw > 0)
    climate = _array(file, "era5", where, row).astype(np.float32)
    if climate.shape != (len(_MMEARTH_ERA5),):
        raise FusionError(
            f"era5 has {climate.size} numbers, not {len(_MMEARTH_ERA5)}",
            file=where,
            remedy="take a file of MMEarth as it is published",
        )
    found["climate"] = (climate, np.isfinite(climate))
    square = roi(info.lon, info.lat, info.CRS)
    return Tile(
        id=f"mmearth-{name}",
        longitude=info.lon,
        latitude=info.lat,
        crs=square.crs,
        west=square.west,
        north=square.north,
        date=info.S2_DATE,
        origin="open",
        licences=("CC-BY-4.0",),
        arrays={k: v.astype(modality(k).array_dtype) for k, (v, _) in found.items()},
        present={k: mask for k, (_, mask) in found.items()},
        vector_names={"climate": _MMEARTH_ERA5},
        extra={
            "published": "MMEarth",
            "placed": "around the given place",
            "sentinel2_level": info.S2_type,
            "dynamic_world": "the commonest class of the year",
            "biome": info.biome,
            "eco_region": info.eco_region,
        },
    )


# Both.


def _array(file, key: str, where: str, row: int | None = None) -> np.ndarray:  # noqa: ANN001
    if key not in file:
        raise FusionError(
            f"the file has no {key!r}",
            file=where,
            samples=file.keys(),
            remedy="take a file as it is published",
        )
    return np.asarray(file[key][() if row is None else row])


def _validated(kind: type[Any], content: object, where: str):  # noqa: ANN202
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise FusionError(
            f"the description of the tile is not as published: {first['msg']}",
            file=where,
            where=".".join(map(str, first["loc"])),
            samples=[first["input"]],
            remedy="take a file as it is published",
        ) from error


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise FusionError(
            f"{len(found)} files are named {pattern}, and one is needed",
            file=str(folder),
            samples=[path.name for path in found],
            remedy="give the folder of one download of MMEarth",
        )
    return found[0]
