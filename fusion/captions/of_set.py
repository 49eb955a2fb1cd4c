"""Captions of the set of tiles of a group.

Belongs here: captioning the set in use, keeping each claim with its verdict and evidence, and what
is counted of them.
Never here: how a tile is captioned (`caption.py`), or the files of a set (`fusion.tiles`).

    <captions>/<group>/<version>/    the set with captions (`fusion.tiles.captioned`)
    <captions>/<group>/CURRENT       version in use
"""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from adapters.atomic import write_text
from adapters.errors import FusionError
from adapters.settings import Settings
from fusion.captions.caption import Captioned, caption_tiles
from fusion.captions.verifier import Sentence, verify
from fusion.captions.writer import Writer, write_offline
from fusion.tiles.captioned import RECORDS, with_captions
from fusion.tiles.sets import current
from fusion.tiles.store import TileSet

_CLAIM = pl.Struct({"kind": pl.String, "status": pl.String, "evidence": pl.String})
_SENTENCE = pl.Struct({"text": pl.String, "claims": pl.List(_CLAIM)})
SCHEMA = {
    "tile_id": pl.String,
    "caption": pl.String,
    "refused": pl.String,
    "writer": pl.String,
    "candidates": pl.Int64,
    "sentences": pl.List(_SENTENCE),
    "removed": pl.List(_SENTENCE),
}
"""Of `captions.parquet`."""


def captions(settings: Settings, group: str, writer: Writer = write_offline) -> Path:
    """Caption the set of tiles in use, which `CURRENT` of the captions names then.

    Returns:
        Folder of the version.

    Raises:
        FusionError: The group has no tiles, or the set is broken.
        CaptionError: The writer cannot write.
    """
    folder = current(settings, group)
    if folder is None:
        raise FusionError(
            f"group {group} has no tiles", remedy="make the tiles first, with `soilmeld run`"
        )
    tiles = TileSet(folder)
    try:
        found = list(caption_tiles((tiles.read(i) for i in range(len(tiles))), writer))
    finally:
        tiles.close()
    base = settings.captions / group
    records = pl.DataFrame([record(one) for one in found], schema=SCHEMA)
    version = with_captions(folder, base, records, counted(records), checked=True)
    write_text(base / "CURRENT", version.name + "\n")
    return version


def captioned(settings: Settings, group: str) -> Path | None:
    """Folder of the captioned set in use; None where the group has none."""
    pointer = settings.captions / group / "CURRENT"
    return pointer.parent / pointer.read_text("utf-8").strip() if pointer.is_file() else None


def records(folder: Path) -> pl.DataFrame:
    """One row a tile of a captioned set: caption, sentences, claims, verdicts, evidence."""
    return pl.read_parquet(folder / RECORDS)


def unsupported(tiles: TileSet) -> list[str]:
    """Claims that do not hold when each caption of a set is read and checked again.

    Args:
        tiles: With captions.
    """
    wrong = []
    for row, text in enumerate(tiles.index["caption"]):
        if text is None:
            continue
        for sentence in verify(text, tiles.read(row)).sentences:
            if sentence.status != "supported":
                wrong.append(f"{tiles.index['id'][row]}: {sentence.text}")
    return wrong


def counted(records: pl.DataFrame) -> dict[str, Any]:
    """Captions, refusals by reason, sentences and claims by verdict, of all tiles together."""
    kept = [claim for row in records["sentences"].to_list() for s in row for claim in s["claims"]]
    return {
        "writers": sorted(set(records["writer"])),
        "captioned": records["caption"].count(),
        "refused": dict(Counter(records["refused"].drop_nulls().to_list()).most_common()),
        "sentences": {"kept": _lines(records["sentences"]), "removed": _lines(records["removed"])},
        "claims": dict(Counter(claim["status"] for claim in kept).most_common()),
        "kinds": dict(sorted(Counter(claim["kind"] for claim in kept).items())),
    }


def _lines(column: pl.Series) -> int:
    return int(column.list.len().sum() or 0)


def record(found: Captioned) -> dict[str, Any]:
    """Row of `captions.parquet`."""
    return {
        "tile_id": found.tile_id,
        "caption": found.text,
        "refused": found.refused,
        "writer": found.writer,
        "candidates": found.candidates,
        "sentences": [_sentence(s) for s in found.sentences],
        "removed": [_sentence(s) for s in found.removed],
    }


def _sentence(sentence: Sentence) -> dict[str, Any]:
    return {
        "text": sentence.text,
        "claims": [
            {"kind": v.claim.kind, "status": v.status, "evidence": v.evidence}
            for v in sentence.verdicts
        ],
    }
