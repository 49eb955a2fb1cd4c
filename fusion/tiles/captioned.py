"""A set of tiles with captions: the same tiles under another version.

Belongs here: putting captions and what is known of them into a copy of a set.
Never here: writing or checking captions (`fusion.captions`).

The shards are the same files by hard links, so that a copy takes the room of its index.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from adapters.errors import FusionError
from fusion.tiles.writing import checksum, put_in_place

RECORDS = "captions.parquet"


def with_captions(
    folder: Path, base: Path, records: pl.DataFrame, about: Mapping[str, Any], *, checked: bool
) -> Path:
    """Write a version of a set whose tiles have captions.

    Args:
        folder: Of the version without.
        base: Of all versions with; on the same file system.
        records: One row a tile: `tile_id`, `caption` (null where it was refused), and whatever else
            is known of it; kept as `captions.parquet`.
        about: What `set.json` says of the captions besides.
        checked: Does every claim of every caption hold on the arrays of its tile?

    Returns:
        Folder of the version.

    Raises:
        FusionError: The records are not of the tiles of the set.
    """
    index = pq.read_table(folder / "index.parquet")
    ids = index["id"].to_pylist()
    if records["tile_id"].to_list() != ids:
        raise FusionError(
            "the captions are not those of the tiles of the set, in their order",
            file=str(folder),
            samples=sorted(set(records["tile_id"]) ^ set(ids)),
            remedy="caption each tile of the set",
        )
    base.mkdir(parents=True, exist_ok=True)
    with FileLock(base / ".lock"):
        staging = base / ".writing"
        if staging.exists():
            shutil.rmtree(staging)
        (staging / "shards").mkdir(parents=True)
        for shard in sorted((folder / "shards").iterdir()):
            os.link(shard, staging / "shards" / shard.name)
        place = index.schema.get_field_index("caption")
        texts = pa.array(records["caption"].to_list(), pa.string())
        pq.write_table(
            index.set_column(place, "caption", texts),
            staging / "index.parquet",
            compression="zstd",
        )
        records.write_parquet(staging / RECORDS)
        described = json.loads((folder / "set.json").read_text(encoding="utf-8"))
        described["index"] = checksum(staging / "index.parquet")
        described["captions"] = {
            **about,
            "checked": checked,
            "tiles": folder.name,
            "records": checksum(staging / RECORDS),
        }
        content = json.dumps(described, indent=1, ensure_ascii=False) + "\n"
        (staging / "set.json").write_text(content, encoding="utf-8")
        version = base / hashlib.sha256(content.encode()).hexdigest()[:16]
        put_in_place(staging, version, _is_of(version, folder))
    return version


def _is_of(version: Path, folder: Path) -> bool:
    """Does a version that is there hold the very files of the set without captions?"""
    kept = [(version / "shards" / path.name, path) for path in (folder / "shards").iterdir()]
    return all(mine.is_file() and mine.samefile(path) for mine, path in kept)
