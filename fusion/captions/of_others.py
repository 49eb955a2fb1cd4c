"""Captions that others published beside tiles: checked like any writer's, or marked unchecked.

Belongs here: putting such captions into a set of tiles. Never here: reading a publisher's files
(`fusion.tiles.published`), or how a caption is checked (`verifier.py`).
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from adapters.errors import FusionError
from fusion.captions.caption import Captioned
from fusion.captions.of_set import SCHEMA, counted, record
from fusion.captions.verifier import verify
from fusion.tiles.captioned import with_captions
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile


def add_captions(
    folder: Path,
    base: Path,
    captions: Mapping[str, str],
    *,
    writer: str,
    as_published: bool = False,
) -> Path:
    """Write a version of a set with the captions that somebody else wrote of its tiles.

    Each caption is read back into claims that are checked on the tile's arrays. Sentences that are
    not supported are removed, and captions of which too little is left are refused; how many of
    each stands in `captions` of `set.json`, and each claim with its evidence in `captions.parquet`.

    Args:
        folder: Of the set without captions, as `fusion.tiles.writing.write` returned it.
        base: Of all versions with; on the same file system.
        captions: Tile id -> caption, such as of `fusion.tiles.published.geomeld_captions`.
        writer: Who wrote them, such as GeoMeld.
        as_published: Take every caption whole and check none. `set.json` then says
            `"checked": false`, and `TileSet.captions_checked` and the record of each run that is
            trained on them say so too.

    Returns:
        Folder of the version.

    Raises:
        FusionError: A caption is of no tile of the set, or the set is broken.
    """
    tiles = TileSet(folder)
    try:
        ids = tiles.index["id"].to_list()
        if unknown := sorted(captions.keys() - set(ids)):
            raise FusionError(
                "captions of tiles that are not in the set",
                file=str(folder),
                samples=unknown,
                remedy="give captions of these tiles only",
            )
        if as_published:
            found = [_whole(name, captions.get(name), writer) for name in ids]
        else:
            found = [
                _checked(tiles.read(row), captions[name], writer)
                if name in captions
                else _whole(name, None, writer)
                for row, name in enumerate(ids)
            ]
    finally:
        tiles.close()
    records = pl.DataFrame([record(one) for one in found], schema=SCHEMA)
    return with_captions(folder, base, records, counted(records), checked=not as_published)


def _checked(tile: Tile, text: str, writer: str) -> Captioned:
    found = verify(text, tile)
    if found.refused:
        return Captioned(tile.id, None, found.refused, (), found.sentences, 1, writer)
    kept = tuple(s for s in found.sentences if s.status == "supported")
    removed = tuple(s for s in found.sentences if s.status != "supported")
    return Captioned(tile.id, found.text, None, kept, removed, 1, writer)


def _whole(name: str, text: str | None, writer: str) -> Captioned:
    refused = "none was published" if text is None else None
    return Captioned(name, text, refused, (), (), int(text is not None), writer)
