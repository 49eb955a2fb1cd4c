"""A set of tiles on disk: shards, an index, training statistics, and reading them back.

Belongs here: writing a version of a set, and `TileSet`, which reads one from a folder or from an
http(s) address. Never here: how tiles are made (`build.py`), the bytes of a shard (`shards.py`).

A version is a folder that never changes, named by what is in it::

    <folder>/<version>/shards/00000.tar ...   the tiles, 256 a shard
    <folder>/<version>/index.parquet          one row a tile (GeoParquet)
    <folder>/<version>/set.json               modalities, statistics, checksums
"""

import datetime
import functools
import hashlib
import io
import itertools
import json
import math
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from adapters.errors import FusionError
from adapters.modalities import ModalitySpec, modalities, modality
from fusion.tiles.grid import transformer
from fusion.tiles.shards import ShardWriter, broken_member, ending, frame, open_place, unframe
from fusion.tiles.splits import GUARD_M, RESOLUTION, tile_splits
from fusion.tiles.statistics import Tally, TileStatistics
from fusion.tiles.tile import Tile

SHARD_TILES = 256
FORMAT = 3
_GAP = 32_768
"""Members that lie this close to each other are read at once: a request costs more than the gap."""
_ORDER = sorted(modalities(), key=lambda spec: spec.id == "rgb")
"""The photograph is five times all else: last, so that nobody reads it in passing."""
_BASE = pa.schema(
    [
        ("id", pa.string()),
        ("longitude", pa.float64()),
        ("latitude", pa.float64()),
        ("geometry", pa.binary()),
        ("crs", pa.string()),
        ("west", pa.float64()),
        ("north", pa.float64()),
        ("date", pa.date32()),
        ("origin", pa.string()),
        ("licences", pa.list_(pa.string())),
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
        ("checksum", pa.string()),
        ("described.offset", pa.int64()),
        ("described.bytes", pa.int64()),
        ("described.crc", pa.int64()),
    ]
)
_DESCRIBED = ("described.offset", "described.bytes", "described.crc")
_SPANS = ("offset", "bytes", "mask_offset", "mask_bytes")
_PLACE = ("id", "longitude", "latitude", "crs", "west", "north", "origin")
_SUMMARIES = ("mean", "std", "minimum", "maximum")


def _columns(spec: ModalitySpec) -> list[tuple[str, pa.DataType]]:
    columns = [(f"{spec.id}.share", pa.list_(pa.float32()))]
    columns += [(f"{spec.id}.{name}", pa.int64()) for name in _SPANS]
    if spec.is_vector:
        return [*columns, (f"{spec.id}.names", pa.list_(pa.string()))]
    if spec.is_classes:
        return columns
    return columns + [(f"{spec.id}.{name}", pa.list_(pa.float32())) for name in _SUMMARIES]


_INDEX = pa.schema(
    [*_BASE, *(pa.field(*column) for spec in modalities() for column in _columns(spec))]
)


# Writing.


def write(
    tiles: Iterable[Tile] | Mapping[str, Callable[[], Tile | None]],
    folder: Path,
    captions: Mapping[str, str] | None = None,
    *,
    evaluation: np.ndarray | None = None,
    guard_m: float = GUARD_M,
    inputs: str = "",
    about: Mapping[str, Any] | None = None,
    shard_tiles: int = SHARD_TILES,
) -> Path:
    """Write tiles as a new version of a set.

    The same tiles, captions and evaluation places give the same bytes and the same version, however
    often writing was interrupted; a version that is there already is left as it is, unless its
    files are broken.

    Args:
        tiles: The tiles; or id -> what makes the tile, None where there is none, and then tiles of
            shards that an interrupted call has finished are not made again.
        folder: Of all versions.
        captions: Tile id -> caption.
        evaluation: (m, 2) longitude and latitude of places that models are evaluated on.
        guard_m: Least distance between tiles of different splits, and to `evaluation`.
        inputs: Digest of all that the tiles are made from, where `tiles` makes them: shards of an
            interrupted call are taken over only if it is the same.
        about: What `set.json` says besides, such as the group and the terms of its values.
        shard_tiles: Tiles a shard.

    Returns:
        Folder of the version.

    Raises:
        FusionError: No tile, ids repeat, origins differ, a caption has no tile, what a tile is
            described by is no JSON, or no tile is left to train on.
        SpecError: A value does not fit the storage of its modality.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        staging = folder / ".writing"
        plan = None
        if isinstance(tiles, Mapping):
            plan = {"inputs": inputs, "ids": [*tiles], "tiles": shard_tiles, "format": FORMAT}
        _prepare(staging, plan)
        tables = list(_write_shards(tiles, staging, shard_tiles))
        index = pa.concat_tables(tables) if tables else _INDEX.empty_table()
        if not index.num_rows:
            raise FusionError("no tile to write", file=str(folder), remedy="build tiles first")
        _require_sound(index, captions or {}, folder)
        split = tile_splits(
            index["longitude"].to_numpy(),
            index["latitude"].to_numpy(),
            evaluation=evaluation,
            guard_m=guard_m,
        )
        index = index.append_column("block", split["block"].to_arrow().cast(pa.string()))
        index = index.append_column("split", split["split"].to_arrow().cast(pa.string()))
        written = [(captions or {}).get(name) for name in index["id"].to_pylist()]
        index = index.append_column("caption", pa.array(written, pa.string()))
        pq.write_table(
            index.replace_schema_metadata({"geo": _geo(index)}),
            staging / "index.parquet",
            compression="zstd",
        )
        for sidecar in staging.glob("*.rows"):
            sidecar.unlink()
        (staging / "plan.json").unlink(missing_ok=True)
        described = _described(
            staging, index, guard_m, 0 if evaluation is None else len(evaluation)
        )
        described = {**(about or {}), **described}
        content = (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode()
        (staging / "set.json").write_bytes(content)
        version = folder / hashlib.sha256(content).hexdigest()[:16]
        put_in_place(staging, version, _is_whole(version, described))
    return version


def put_in_place(staging: Path, version: Path, whole: bool) -> None:
    """Make what was written the version, unless a whole one of the same content is there.

    Args:
        staging: What was written; it is gone afterwards.
        version: Named by its content.
        whole: Is what is there already, if anything, as it was written?
    """
    if version.exists() and whole:
        shutil.rmtree(staging)
        return
    broken = version.with_name(".broken")
    if broken.exists():
        shutil.rmtree(broken)
    if version.exists():
        version.rename(broken)
    staging.rename(version)
    if broken.exists():
        shutil.rmtree(broken)


def _is_whole(version: Path, described: Mapping[str, Any]) -> bool:
    """Are the files of a version that is there those that `set.json` tells of?"""
    wanted = {"index.parquet": described["index"]}
    wanted |= {f"shards/{name}": checksum for name, checksum in described["shards"].items()}
    return all(
        (version / name).is_file() and _checksum(version / name) == checksum
        for name, checksum in wanted.items()
    )


def _prepare(staging: Path, plan: dict[str, Any] | None) -> None:
    """An empty place to write in, or what an interrupted call with the same plan has left."""
    path = staging / "plan.json"
    if plan is not None and path.is_file() and json.loads(path.read_text("utf-8")) == plan:
        return
    if staging.exists():
        shutil.rmtree(staging)
    (staging / "shards").mkdir(parents=True)
    if plan is not None:
        path.with_suffix(".part").write_text(json.dumps(plan), encoding="utf-8")
        path.with_suffix(".part").rename(path)


def _write_shards(
    tiles: Iterable[Tile] | Mapping[str, Callable[[], Tile | None]], staging: Path, shard_tiles: int
) -> Iterator[pa.Table]:
    made = isinstance(tiles, Mapping)
    rows = iter(tiles.items() if made else tiles)
    for number in itertools.count():
        part = list(itertools.islice(rows, shard_tiles))
        if not part:
            return
        shard, sidecar = f"{number:05d}.tar", staging / f"{number:05d}.rows"
        # The sidecar comes last: a shard that has one is whole.
        if not sidecar.is_file():
            listed = _made(part) if made else part
            table = _write_shard(listed, staging / "shards" / shard, number * shard_tiles)
            pq.write_table(table, sidecar.with_suffix(".part"))
            sidecar.with_suffix(".part").rename(sidecar)
        yield pq.read_table(sidecar)


def _made(part: list[tuple[str, Callable[[], Tile | None]]]) -> Iterator[Tile]:
    for name, make in part:
        tile = make()
        if tile is not None and tile.id != name:
            raise FusionError(
                "a tile was made under another id than it was asked for",
                samples=[name, tile.id],
                remedy="name each tile by the id it has",
            )
        if tile is not None:
            yield tile


def _write_shard(tiles: Iterable[Tile], path: Path, first: int) -> pa.Table:
    part = path.with_suffix(".part")
    out = ShardWriter(part)
    try:
        rows = [_write_tile(tile, out, f"{first + i:08d}") for i, tile in enumerate(tiles)]
    finally:
        out.close()
    with part.open("rb") as file:
        for row in rows:
            file.seek(row["offset"])
            row["checksum"] = hashlib.sha256(file.read(row["bytes"])).hexdigest()
            row["shard"] = path.name
    part.rename(path)
    return pa.Table.from_pylist(rows, schema=_INDEX)


def _write_tile(tile: Tile, out: ShardWriter, key: str) -> dict[str, Any]:
    start = out.end
    names = [spec.id for spec in _ORDER if spec.id in tile.arrays]
    row: dict[str, Any] = {
        "id": tile.id,
        "longitude": tile.longitude,
        "latitude": tile.latitude,
        "geometry": _footprint(tile),
        "crs": tile.crs,
        "west": tile.west,
        "north": tile.north,
        "date": tile.date,
        "origin": tile.origin,
        "licences": list(tile.licences),
        "offset": start,
    }
    described = {
        **{k: row[k] for k in _PLACE},
        "date": tile.date.isoformat(),
        "licences": row["licences"],
        "vector_names": {k: list(v) for k, v in sorted(tile.vector_names.items())},
        "bands": {name: list(modality(name).names) for name in names},
        "extra": tile.extra,
    }
    try:
        data = json.dumps(described, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise FusionError(
            f"what describes a tile is no JSON: {error}",
            where=f"tile {tile.id}",
            remedy="put text, finite numbers, lists and mappings into Tile.extra",
        ) from error
    row["described.offset"], row["described.bytes"] = out.add(f"{key}.json", data)
    row["described.crc"] = zlib.crc32(data)
    for name in names:
        spec = modality(name)
        values, present = spec.stored(tile.arrays[name], tile.present[name]), tile.present[name]
        share = _share(present)
        row[f"{name}.share"] = share.tolist()
        span = out.add(f"{key}.{name}{ending(values.dtype)}", frame(values))
        row[f"{name}.offset"], row[f"{name}.bytes"] = span
        mixed = (share > 0) & (share < 1)
        span = (0, 0)
        if mixed.any():
            bits = np.packbits(present[mixed].reshape(int(mixed.sum()), -1), axis=1)
            span = out.add(f"{key}.{name}.present.npy.zst", frame(bits))
        row[f"{name}.mask_offset"], row[f"{name}.mask_bytes"] = span
        if spec.is_vector:
            row[f"{name}.names"] = list(tile.vector_names[name])
        elif not spec.is_classes:
            summaries = _summaries(spec.restored(values), present)
            row |= {f"{name}.{k}": v for k, v in zip(_SUMMARIES, summaries, strict=True)}
    row["bytes"] = out.end - start
    return row


def _share(present: np.ndarray) -> np.ndarray:
    """(bands,) float32; exactly 1 or 0 only where all or no pixels are present."""
    return present.reshape(len(present), -1).mean(axis=1).astype(np.float32)


def _summaries(values: np.ndarray, present: np.ndarray) -> list[list[float | None]]:
    """Mean, deviation, least and largest present value of each band."""
    found = [
        (float(v.mean()), float(v.std()), float(v.min()), float(v.max())) if len(v) else (None,) * 4
        for v in (band[mask].astype(np.float64) for band, mask in zip(values, present, strict=True))
    ]
    return [list(column) for column in zip(*found, strict=True)]


def _footprint(tile: Tile) -> bytes:
    """The tile's square as WKB in longitude and latitude."""
    import shapely

    west, south, east, north = tile.bounds
    to_degrees = transformer(tile.crs, "EPSG:4326")
    corners = to_degrees.transform([west, east, east, west], [north, north, south, south])
    return shapely.to_wkb(shapely.Polygon(np.column_stack(corners)), byte_order=1)


def _geo(index: pa.Table) -> str:
    """Metadata of GeoParquet 1.1.0; without `crs` it is longitude and latitude."""
    import shapely

    bounds = shapely.total_bounds(shapely.from_wkb(index["geometry"].to_pylist()))
    column = {"encoding": "WKB", "geometry_types": ["Polygon"], "bbox": bounds.tolist()}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    return json.dumps(geo)


def _require_sound(index: pa.Table, captions: Mapping[str, str], folder: Path) -> None:
    ids = pl.Series(index["id"].to_pylist())
    if ids.is_duplicated().any():
        raise FusionError(
            "ids of tiles repeat",
            file=str(folder),
            samples=ids.filter(ids.is_duplicated()).unique(maintain_order=True),
            remedy="name every tile by place and date",
        )
    if len(origins := sorted(set(index["origin"].to_pylist()))) > 1:
        raise FusionError(
            "tiles of different origin are never in one set",
            file=str(folder),
            samples=origins,
            remedy="write a set for each origin",
        )
    if unknown := sorted(captions.keys() - set(ids)):
        raise FusionError(
            "captions of tiles that are not in the set",
            file=str(folder),
            samples=unknown,
            remedy="write captions of these tiles only",
        )


def _described(staging: Path, index: pa.Table, guard_m: float, evaluated: int) -> dict[str, Any]:
    """Content of `set.json`."""
    place = open_place(staging)
    held = [s for s in modalities() if index[f"{s.id}.share"].null_count < index.num_rows]
    try:
        frame = pl.from_arrow(index.drop_columns(["geometry"]))
        reader = _Rows(place, frame, held)
        tally = Tally()
        for i in np.flatnonzero(frame["split"].to_numpy() == "train"):
            tally.add(reader.stored(i, None), reader.vector_names(i))
    finally:
        place.close()
    counts = frame["split"].value_counts().sort("split")
    shards = sorted((staging / "shards").iterdir())
    return {
        "format": FORMAT,
        "origin": frame["origin"][0],
        "tiles": index.num_rows,
        "licences": sorted(set(frame["licences"].explode())),
        "splits": {
            "tiles": dict(counts.iter_rows()),
            "guard_m": guard_m,
            "h3_resolution": RESOLUTION,
            "evaluation_places": evaluated,
        },
        "modalities": {spec.id: _storage(spec) for spec in held},
        "statistics": tally.result().model_dump(mode="json"),
        "index": _checksum(staging / "index.parquet"),
        "shards": {shard.name: _checksum(shard) for shard in shards},
    }


def _storage(spec: ModalitySpec) -> dict[str, Any]:
    """What must still be true of a modality for its stored pixels to mean the same."""
    fields = ("kind", "gsd", "dtype", "scale", "offset", "bands", "codes")
    dumped = spec.model_dump(mode="json", include={*fields})
    bands = [{k: band[k] for k in ("name", "unit", "wavelength_nm")} for band in dumped["bands"]]
    return {**dumped, "bands": bands}


def _checksum(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


# Reading.


class _Rows:
    """Tiles by row number; any thread may ask."""

    def __init__(self, place, frame: pl.DataFrame, held: Sequence[ModalitySpec]) -> None:  # noqa: ANN001
        self.place, self.count = place, frame.height
        self._shards, self._shard = _numbered(frame["shard"])
        self._described = frame.select(_DESCRIBED).to_numpy()
        self._spans: dict[str, np.ndarray] = {}  # (n, 4)
        self._shares: dict[str, np.ndarray | pl.Series] = {}
        self.names = tuple(spec.id for spec in held)
        # Looked up for every member that is read.
        self._kinds = {spec.id: (np.dtype(spec.dtype), spec.shape) for spec in held}
        for spec in held:
            columns = [pl.col(f"{spec.id}.{part}").fill_null(-1) for part in _SPANS]
            self._spans[spec.id] = frame.select(columns).to_numpy()
            shares = frame[f"{spec.id}.share"]
            if not spec.is_vector:
                absent = [0.0] * len(spec.bands)
                shares = shares.fill_null(pl.Series([absent], dtype=shares.dtype))
                shares = shares.list.to_array(len(spec.bands)).to_numpy()
            self._shares[spec.id] = shares
        # Most tiles have the same names: each list is kept once.
        self._names: dict[str, tuple[list[tuple[str, ...]], np.ndarray]] = {}
        for spec in (spec for spec in held if spec.is_vector):
            listed, which = _numbered(frame[f"{spec.id}.names"].list.join("\0"))
            self._names[spec.id] = [tuple(names.split("\0")) for names in listed], which

    @staticmethod
    def columns(held: Sequence[ModalitySpec]) -> list[str]:
        """Columns of the index that tiles are found by."""
        parts = {spec.id: (*_SPANS, "share", *(["names"] * spec.is_vector)) for spec in held}
        found = [f"{name}.{part}" for name, listed in parts.items() for part in listed]
        return ["shard", *_DESCRIBED, *found]

    def vector_names(self, i: int) -> dict[str, tuple[str, ...]]:
        """Names of the elements of the vectors that a tile has."""
        found = {name: (listed, which[i]) for name, (listed, which) in self._names.items()}
        return {name: listed[place] for name, (listed, place) in found.items() if place >= 0}

    def shard(self, i: int) -> str:
        """File that a tile is in."""
        return f"shards/{self._shards[self._shard[i]]}"

    def stored(
        self, i: int, wanted: Sequence[str] | None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Stored arrays and masks of a tile; modalities that it has not are left out."""
        spans = self._wanted(i, wanted)
        members = [(int(s[0]), int(s[1])) for s in spans.values()]
        members += [(int(s[2]), int(s[3])) for s in spans.values() if s[3] > 0]
        data = self.members(i, members)
        return {name: self._decoded(i, name, span, data) for name, span in spans.items()}

    def described(self, i: int) -> dict[str, Any]:
        """What describes a tile."""
        start, length, crc = self._described[i].tolist()
        data = bytes(self.members(i, [(start, length)])[start])
        if zlib.crc32(data) != crc:
            raise broken_member(f"{self.place.name}/{self.shard(i)}, byte {start}")
        return json.loads(data)

    def members(self, i: int, spans: list[tuple[int, int]]) -> dict[int, memoryview]:
        """Contents of members by where they begin, neighbours read at once."""
        runs: list[list] = []
        for start, length in sorted(spans):
            if runs and start - runs[-1][1] <= _GAP:
                runs[-1][1] = start + length
                runs[-1][2].append((start, length))
            else:
                runs.append([start, start + length, [(start, length)]])
        found = {}
        for first, last, inside in runs:
            data = memoryview(self.place.part(self.shard(i), first, last - first))
            found |= {s: data[s - first : s - first + length] for s, length in inside}
        return found

    def _wanted(self, i: int, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
        names = self.names if wanted is None else wanted
        if unknown := sorted(set(names) - set(self.names)):
            raise FusionError(
                "the set has no such modality",
                file=self.place.name,
                samples=unknown,
                remedy=f"use some of: {', '.join(self.names)}",
            )
        return {name: span for name in names if (span := self._spans[name][i])[1] >= 0}

    def _decoded(
        self, i: int, name: str, span: np.ndarray, data: dict[int, memoryview]
    ) -> tuple[np.ndarray, np.ndarray]:
        share = np.asarray(self._shares[name][int(i)])
        dtype, shape = self._kinds[name]
        shape = shape or (len(share),)
        where = f"{self.place.name}/{self.shard(i)}, byte {span[0]}"
        values = unframe(data[int(span[0])], dtype, shape, where)
        present = np.empty(shape, bool)
        present[...] = (share == 1).reshape(-1, *(1,) * (len(shape) - 1))
        if span[3] > 0:
            mixed = np.flatnonzero((share > 0) & (share < 1))
            pixels = math.prod(shape[1:])
            packed = (len(mixed), -(-pixels // 8))
            bits = unframe(data[int(span[2])], np.dtype(np.uint8), packed, where)
            masks = np.unpackbits(bits, axis=1, count=pixels).view(bool)
            present[mixed] = masks.reshape(len(mixed), *shape[1:])
        return values, present


def _numbered(series: pl.Series) -> tuple[list[str], np.ndarray]:
    """The different texts of a series, and which one each row has; -1 for none."""
    different = series.drop_nulls().unique(maintain_order=True)
    which = series.replace_strict(
        different, pl.int_range(len(different), eager=True), default=-1, return_dtype=pl.Int32
    )
    return different.to_list(), which.to_numpy()


class TileSet:
    """A version of a set of tiles, in a folder or behind an http(s) address.

    Attributes:
        modalities: Ids of the modalities that any tile has.
        statistics: Of the training split.
        described: Content of `set.json`.
        fingerprint: sha256 of all that the set holds.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open a version.

        Args:
            folder: What `write` returned, or the address that it is served at.

        Raises:
            FusionError: It is no set of tiles, the index is not what it was, or the set was written
                under other definitions of its modalities.
        """
        self._place = open_place(folder)
        content = self._place.whole("set.json")
        self.described: dict[str, Any] = json.loads(content)
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self._require_same_meaning()
        held = [modality(name) for name in self.described["modalities"]]
        self.modalities = tuple(spec.id for spec in held)
        self.statistics = TileStatistics.model_validate(self.described["statistics"])
        # A set of millions of tiles is read by these columns alone.
        self._rows = _Rows(self._place, self.columns(*_Rows.columns(held)), held)

    def __len__(self) -> int:
        return self._rows.count

    @functools.cached_property
    def index(self) -> pl.DataFrame:
        """One row a tile.

        Columns: id, place, geometry, date, origin, licences, split, block, caption, checksum; of
        each modality `<modality>.share` (present pixels of each band), `.mean`, `.std`,
        `.minimum`, `.maximum`, `.names` (vectors) and where its bytes are.
        """
        return self.columns()

    def columns(self, *names: str) -> pl.DataFrame:
        """Some columns of the index, without keeping the others; all columns if none is named.

        Raises:
            FusionError: The index is not what it was.
        """
        content = self._place.whole("index.parquet")
        if hashlib.sha256(content).hexdigest() != self.described["index"]["sha256"]:
            raise FusionError(
                "the index is not the one that was written",
                file=f"{self._place.name}/index.parquet",
                remedy="write the set again or copy it again",
            )
        return pl.read_parquet(io.BytesIO(content), columns=[*names] or None)

    def read(self, i: int, modalities: Sequence[str] | None = None) -> Tile:
        """One tile, as exact as its storage.

        Args:
            i: Row of the index.
            modalities: To read; by default all that the tile has. Those that it has not are left
                out.

        Raises:
            FusionError: There is no such row or modality, or what is read is not what was written.
        """
        if not 0 <= i < len(self):
            raise FusionError(
                f"there is no tile {i}", file=self._place.name, remedy=f"0 to {len(self) - 1}"
            )
        found = self._rows.stored(i, modalities)
        described = self._rows.described(i)
        return Tile(
            **{name: described[name] for name in _PLACE},
            date=datetime.date.fromisoformat(described["date"]),
            licences=tuple(described["licences"]),
            arrays={name: modality(name).restored(v) for name, (v, _) in found.items()},
            present={name: mask for name, (_, mask) in found.items()},
            vector_names={
                name: tuple(listed)
                for name, listed in described["vector_names"].items()
                if name in found
            },
            extra=described["extra"],
        )

    def stored(
        self, i: int, modalities: Sequence[str] | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Stored pixels and masks of a tile: what `read` makes the tile of, for loaders.

        Raises:
            FusionError: There is no such modality, or what is read is not what was written.
        """
        return self._rows.stored(i, modalities)

    def vector_names(self, i: int) -> dict[str, tuple[str, ...]]:
        """Names of the elements of a tile's vectors."""
        return self._rows.vector_names(i)

    def verify(self) -> None:
        """Compare every shard with its checksum.

        Raises:
            FusionError: Shards are missing or broken; it names them and the tiles in them that are.
        """
        broken = {}
        for name, expected in self.described["shards"].items():
            try:
                data = self._place.whole(f"shards/{name}")
            except FusionError as error:
                broken[name] = error.problem
                continue
            if hashlib.sha256(data).hexdigest() != expected["sha256"]:
                rows = self.index.filter(pl.col("shard") == name)
                wrong = [
                    row["id"]
                    for row in rows.iter_rows(named=True)
                    if hashlib.sha256(
                        data[row["offset"] : row["offset"] + row["bytes"]]
                    ).hexdigest()
                    != row["checksum"]
                ]
                broken[name] = f"{len(wrong)} tiles differ: {', '.join(wrong[:5])}"
        if broken:
            raise FusionError(
                f"{len(broken)} of {len(self.described['shards'])} shards are broken",
                file=self._place.name,
                samples=[f"{name}: {what}" for name, what in broken.items()],
                remedy="write the set again or copy these shards again",
            )

    def close(self) -> None:
        """Close what is open."""
        self._place.close()

    def _require_same_meaning(self) -> None:
        if self.described["format"] != FORMAT:
            raise FusionError(
                f"the set has format {self.described['format']}, not {FORMAT}",
                file=self._place.name,
                remedy="write the set again",
            )
        for name, written in self.described["modalities"].items():
            now = json.loads(json.dumps(_storage(modality(name))))
            if different := sorted(k for k in now if now[k] != written.get(k)):
                raise FusionError(
                    f"{name} meant something else when the set was written",
                    file=self._place.name,
                    samples=[f"{k}: {written.get(k)} and now {now[k]}" for k in different],
                    remedy="write the set again",
                )
