"""Writing a version of a set of tiles: shards, an index, statistics of its training split.

Belongs here: `write`, which gives the same bytes however often it was interrupted, and putting a
finished version in its place.
Never here: how tiles are made (`build.py`), reading a set (`store.py`, where its layout is told),
the bytes of a shard (`shards.py`).
"""

import hashlib
import itertools
import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from fusion.tiles.shards import ShardWriter, ending, frame, open_place
from fusion.tiles.splits import GUARD_M, RESOLUTION, tile_splits
from fusion.tiles.statistics import Tally
from fusion.tiles.store import FORMAT, PLACE, SPANS, Rows, storage
from fusion.tiles.tile import Tile

SHARD_TILES = 256
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
_SUMMARIES = ("mean", "std", "minimum", "maximum")


def _columns(spec: ModalitySpec) -> list[tuple[str, pa.DataType]]:
    columns = [(f"{spec.id}.share", pa.list_(pa.float32()))]
    columns += [(f"{spec.id}.{name}", pa.int64()) for name in SPANS]
    if spec.is_vector:
        return [*columns, (f"{spec.id}.names", pa.list_(pa.string()))]
    if spec.is_classes:
        return columns
    return columns + [(f"{spec.id}.{name}", pa.list_(pa.float32())) for name in _SUMMARIES]


_INDEX = pa.schema(
    [*_BASE, *(pa.field(*column) for spec in modalities() for column in _columns(spec))]
)


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
        captions: Tile id -> caption. They are taken as they are: `set.json` says that nobody
            checked them (`fusion.captions.of_others.add_captions` checks).
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
        if captions:
            described["captions"] = {"captioned": len(captions), "checked": False}
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
    wanted |= {f"shards/{name}": told for name, told in described["shards"].items()}
    return all(
        (version / name).is_file() and checksum(version / name) == told
        for name, told in wanted.items()
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
        **{k: row[k] for k in PLACE},
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
        reader = Rows(place, frame, held)
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
        "modalities": {spec.id: storage(spec) for spec in held},
        "statistics": tally.result().model_dump(mode="json"),
        "index": checksum(staging / "index.parquet"),
        "shards": {shard.name: checksum(shard) for shard in shards},
    }


def checksum(path: Path) -> dict[str, Any]:
    """What `set.json` says of a file: `sha256` and `bytes`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}
