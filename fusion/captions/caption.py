"""The caption of a tile: measured, written several times, checked, and chosen or refused.

Belongs here: the one way from a tile to its caption, whoever writes. Never here: measuring
(`measure.py`), writing (`writer.py`, `chat.py`), checking (`verifier.py`) or ranking.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from fusion.captions.evidence import Evidence
from fusion.captions.measure import measure
from fusion.captions.ranking import KEPT_BEFORE, rank
from fusion.captions.verifier import Sentence, verify
from fusion.captions.writer import Writer, write_offline
from fusion.tiles.tile import Tile


@dataclass(frozen=True)
class Captioned:
    """What became of a tile's caption.

    Attributes:
        tile_id: Of the tile.
        text: The caption: supported sentences alone. None if it was refused.
        refused: Why there is none. None if there is one.
        sentences: That the caption is made of, each with its claims, verdicts and evidence.
        removed: Sentences of the chosen candidate that were not kept; of the one with most
            supported claims, if all were refused.
        candidates: How many captions the writer wrote.
        writer: Its name.
    """

    tile_id: str
    text: str | None
    refused: str | None
    sentences: tuple[Sentence, ...]
    removed: tuple[Sentence, ...]
    candidates: int
    writer: str


def caption_tile(
    tile: Tile,
    writer: Writer = write_offline,
    candidates: int = 4,
    before: Sequence[str] = (),
) -> Captioned:
    """Caption of one tile.

    A writer is never believed: each of its captions is read back into claims, each claim is checked
    on the arrays, and sentences that are not supported are removed. If no candidate keeps
    `verifier.LEAST_CLAIMS` claims, the tile has no caption.

    Args:
        tile: Any tile.
        writer: Offline by default: the same tile gets the same caption each time.
        candidates: Captions to ask the writer for.
        before: Captions chosen for other tiles, from which this one should differ.

    Raises:
        CaptionError: The writer cannot write, such as a chat model that is not reached.
    """
    evidence = Evidence(tile)
    checked = [verify(text, tile, evidence) for text in writer(measure(tile), candidates)]
    order = rank(checked, before)
    if order:
        best, refused = checked[order[0]], None
        text, kept = best.text, [s for s in best.sentences if s.status == "supported"]
        removed = [s for s in best.sentences if s.status != "supported"]
        return Captioned(
            tile.id, text, None, tuple(kept), tuple(removed), len(checked), writer.name
        )
    best = max(checked, key=lambda verified: len(verified.kept), default=None)
    refused = "the writer wrote nothing" if best is None else best.refused
    removed = () if best is None else best.sentences
    return Captioned(tile.id, None, refused, (), removed, len(checked), writer.name)


def caption_tiles(
    tiles: Iterable[Tile], writer: Writer = write_offline, candidates: int = 4
) -> Iterator[Captioned]:
    """Captions of tiles in their order, each told apart from those before it.

    Args:
        tiles: In an order that is the same each time, such as by id.
        writer: As for `caption_tile`.
        candidates: As for `caption_tile`.
    """
    before: list[str] = []
    for tile in tiles:
        captioned = caption_tile(tile, writer, candidates, before)
        before = [*before, *([captioned.text] if captioned.text else [])][-KEPT_BEFORE:]
        yield captioned
