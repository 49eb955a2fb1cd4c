"""A sheet on which people judge claims, and what their filled sheets come to.

Belongs here: the sheet as a page and as a table, its key, reading filled sheets, and the report of
agreement. Never here: the statistics themselves (`agreement.py`), or choosing tiles.

People see claims of kept and of removed sentences in one list, and not what the check said of them:
that is in the key, which stays with who hands the sheet out.
"""

import base64
import csv
import io
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters import pictures
from adapters.errors import CaptionError
from adapters.modalities import modality
from fusion.captions import agreement
from fusion.captions.caption import Captioned
from fusion.captions.claims import Claim
from fusion.captions.vocabulary import label, vocabulary
from fusion.tiles.tile import Tile

VERDICTS = ("right", "wrong", "unclear")
COLUMNS = ("claim_id", "tile", "sentence", "claim", "verdict", "note")
KEY_COLUMNS = ("claim_id", "tile", "sentence", "claim", "kind", "status", "evidence")
PAGE, SHEET, KEY = "review.html", "review.csv", "key.csv"
_FORMULA = r"^'*[=+\-@\t\r\n]"
"""A cell that a spreadsheet would compute: it gets an apostrophe in front, as one that looks like a
cell which has got its own does, so that reading takes off what writing put on."""


@dataclass(frozen=True)
class Item:
    """One claim to be judged.

    Attributes:
        id: Unique in a sheet.
        tile: Id.
        sentence: That it stands in.
        claim: In words.
        kind: Of `grammar.KINDS`, or `WHOLE`.
        status: The check's verdict.
        evidence: What the check measured.
    """

    id: str
    tile: str
    sentence: str
    claim: str
    kind: str
    status: str
    evidence: str


@dataclass(frozen=True)
class Filled:
    """A filled sheet: reviewer, and claim id -> verdict."""

    reviewer: str
    verdicts: Mapping[str, str]


WHOLE = "sentence"
"""Kind of an item that is a sentence of which the check understood nothing."""


def items_of(captions: Iterable[Captioned], seed: int = 0) -> list[Item]:
    """Claims of captions, each tile's sentences in an order that does not tell which were kept."""
    found: list[Item] = []
    for captioned in captions:
        draw = np.random.default_rng([seed, *captioned.tile_id.encode()])
        both = [*captioned.sentences, *captioned.removed]
        for sentence in (both[place] for place in draw.permutation(len(both))):
            asked = [
                (in_words(v.claim), v.claim.kind, v.status, v.evidence) for v in sentence.verdicts
            ] or [("the whole sentence", WHOLE, sentence.status, "not understood")]
            for claim in asked:
                id_ = f"c{len(found) + 1:04d}"
                found.append(Item(id_, captioned.tile_id, sentence.text, *claim))
    return found


def write_sheet(
    tiles: Iterable[Tile], captions: Sequence[Captioned], folder: Path, seed: int = 0
) -> Path:
    """Write the page, the table to fill in and the key.

    Args:
        tiles: Of the captions, in any order.
        captions: What is judged; a tile without claims is left out.
        folder: Gets `review.html`, which needs no other file, `review.csv` and `key.csv`.
        seed: Of the order of sentences.

    Returns:
        The page.

    Raises:
        CaptionError: A caption is of no tile given, or no claim is there to be judged.
    """
    items = items_of(captions, seed)
    known = {tile.id: tile for tile in tiles}
    if lacking := sorted({item.tile for item in items} - known.keys()):
        raise CaptionError(
            "captions are of tiles that are not given",
            samples=lacking,
            remedy="give the tiles that were captioned",
        )
    if not items:
        raise CaptionError("the captions make no claim", remedy="choose tiles that have captions")
    cards = [
        _card(tile, [item for item in items if item.tile == tile.id])
        for tile in known.values()
        if any(item.tile == tile.id for item in items)
    ]
    page = _template().render(tiles=cards, verdicts=VERDICTS, columns=COLUMNS, formula=_FORMULA)
    blank = [(i.id, i.tile, i.sentence, i.claim, "", "") for i in items]
    key = [(i.id, i.tile, i.sentence, i.claim, i.kind, i.status, i.evidence) for i in items]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".review-", dir=folder) as aside:
        for name, content in (
            (KEY, _csv(KEY_COLUMNS, key)),
            (SHEET, _csv(COLUMNS, blank)),
            (PAGE, page.encode()),
        ):
            (Path(aside) / name).write_bytes(content)
            (Path(aside) / name).replace(folder / name)
    return folder / PAGE


def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("review.html.j2")


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *([_as_text(cell) for cell in row] for row in rows)])
    return text.getvalue().encode()


def _as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if re.match(_FORMULA, cell) else cell


def _as_written(cell: str) -> str:
    """The cell that `_as_text` was given."""
    return cell[1:] if cell.startswith("'") and re.match(_FORMULA, cell) else cell


def _card(tile: Tile, items: Sequence[Item]) -> dict[str, Any]:
    shown, legend = [], []
    if "sentinel2" in tile.arrays:
        bands = [modality("sentinel2").band(name) for name in ("B4", "B3", "B2")]
        seen = pictures.photograph(
            tile.arrays["sentinel2"][bands], tile.present["sentinel2"][bands]
        )
        shown.append(("red, green, blue", seen))
    for source in ("worldcover", "dynamic_world"):
        if source in tile.arrays:
            spec, codes, present = modality(source), tile.arrays[source][0], tile.present[source][0]
            shown.append((spec.title, pictures.class_map(codes, present, spec.colours)))
            found = np.unique(codes[present]).tolist()
            legend.append((spec.title, [(spec.colours[c], spec.codes[c]) for c in found]))
    return {
        "id": tile.id,
        "date": tile.date.isoformat(),
        "where": f"{tile.latitude:.3f}, {tile.longitude:.3f}",
        "origin": tile.origin,
        "pictures": [(title, base64.b64encode(picture).decode()) for title, picture in shown],
        "legend": legend,
        "claims": items,
    }


_RANKS = {"1": "the largest", "2": "the second largest", "3": "the third largest"}


def in_words(claim: Claim) -> str:
    """A claim as a reader is asked of it."""
    covers = vocabulary()["covers"]
    named = [label(s) if s in covers else s.replace("_", " ") for s in claim.subject]
    number = claim.number
    ranged = number is not None and number.low != number.high
    said = [_RANKS.get(claim.object or "", claim.object)]
    if claim.statistic != "value" and not ranged:
        said.append(claim.statistic)
    if number is not None:
        span = f"{number.low:g} to {number.high:g}" if ranged else f"{number.low:g}"
        rough = "about " if number.about else ""
        said.append(f"{number.bound} {rough}{span} {number.unit}".strip())
    if claim.value is not None:
        parts = claim.value if isinstance(claim.value, tuple) else (claim.value,)
        said.append("-".join(str(part) for part in parts if part is not None))
    told = ", ".join(str(part) for part in said if part)
    denied = "not: " if claim.negated else ""
    return f"{claim.kind}: {denied}{' and '.join(named)}" + (f" ({told})" if told else "")


# Filled sheets.


def read_key(path: Path) -> list[Item]:
    """Items of a key.

    Raises:
        CaptionError: It is no key.
    """
    return [Item(*(row[name] for name in KEY_COLUMNS)) for _, row in _rows(path, KEY_COLUMNS)]


def _rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows with their line numbers."""
    if not path.is_file():
        raise CaptionError("there is no such file", file=str(path), remedy="name a saved sheet")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CaptionError(
            "the sheet is not UTF-8", file=path.name, samples=[error.reason],
            remedy="save it as CSV UTF-8",
        ) from error  # fmt: skip
    # Spreadsheets save semicolons where the comma is a decimal sign.
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise CaptionError(
            "the sheet lacks columns",
            file=path.name,
            where="line 1",
            samples=lacking,
            remedy=f"keep the columns of {SHEET}",
        )
    found = []
    for row in reader:
        if None in row or None in row.values():
            raise CaptionError(
                "a row has more or fewer cells than there are columns",
                file=path.name,
                where=f"line {reader.line_num}",
                samples=[value for value in row.values() if isinstance(value, str)],
                remedy="put cells that hold the delimiter into quotes",
            )
        cells = {name: _as_written(cell) for name, cell in row.items()}
        found.append((reader.line_num, cells))
    return found


def read_sheet(path: Path, items: Sequence[Item]) -> Filled:
    """A filled sheet; the reviewer is the name of its file.

    Args:
        path: CSV, as the page saves it or `review.csv` filled in.
        items: Of the key.

    Raises:
        CaptionError: A claim is unknown, twice, missing, not the one that was asked, or its verdict
            is none of `VERDICTS`.
    """
    known = {item.id: item for item in items}
    found: dict[str, str] = {}
    for line, row in _rows(path, COLUMNS):
        id_, verdict = row["claim_id"].strip(), row["verdict"].strip().lower()
        refuse = _refusal(path, f"line {line}")
        if id_ not in known:
            raise refuse("a claim is not of this sheet", [id_], "take the ids of the key")
        if id_ in found:
            raise refuse("a claim is judged twice", [id_], "keep one of the rows")
        asked = (known[id_].claim.strip(), known[id_].tile.strip())
        if (row["claim"].strip(), row["tile"].strip()) != asked:
            raise refuse(
                "a claim is another than the key's",
                [row["claim"], known[id_].claim],
                "use the key of the sheet that was handed out",
            )
        if verdict not in VERDICTS:
            raise refuse(
                "a verdict is missing" if not verdict else "a verdict is unknown",
                [id_, row["verdict"]],
                f"say one of: {', '.join(VERDICTS)}",
            )
        found[id_] = verdict
    if missing := [item.id for item in items if item.id not in found]:
        raise _refusal(path, None)(
            f"{len(missing)} claims are missing", missing, "fill in every row of the sheet"
        )
    return Filled(path.stem, found)


def _refusal(path: Path, where: str | None) -> Callable[[str, Iterable[object], str], CaptionError]:
    def refuse(problem: str, samples: Iterable[object], remedy: str) -> CaptionError:
        return CaptionError(problem, file=path.name, where=where, samples=samples, remedy=remedy)

    return refuse


def review_report(
    sheets: Sequence[Filled],
    items: Sequence[Item],
    seed: int = 0,
    resamples: int = agreement.RESAMPLES,
) -> dict[str, Any]:
    """What filled sheets come to.

    Args:
        sheets: One or more.
        items: Of the key.
        seed: Of the resamples of tiles.
        resamples: For the intervals.

    Returns:
        `reviewers`, `claims`, `verdicts` (counts of each reviewer); `raw_agreement`, `cohen_kappa`
        (of two) and `krippendorff_alpha` (of two or more) over all three verdicts; `with_check`,
        agreement of verdicts right and wrong with the check; `kept_right`, share right of verdicts
        on kept claims, and `removed_wrong`, share wrong of those on others. Each score has `value`
        and `interval`.

    Raises:
        CaptionError: There is no sheet, or two of one reviewer.
    """
    names = [sheet.reviewer for sheet in sheets]
    if not sheets or len(set(names)) < len(names):
        raise CaptionError(
            "two sheets are of one reviewer" if sheets else "there is no filled sheet",
            samples=names,
            remedy="give one sheet of each reviewer, named after them",
        )
    table = np.array(
        [[VERDICTS.index(sheet.verdicts[item.id]) for sheet in sheets] for item in items]
    )
    kept = np.array([item.status == "supported" for item in items])
    tile = [item.tile for item in items]

    def measured(score: Callable[[Any], float]) -> dict[str, Any]:
        return agreement.with_interval(score, tile, seed, resamples)

    report: dict[str, Any] = {
        "reviewers": names,
        "claims": len(items),
        "kept_claims": int(kept.sum()),
        "tiles": len(set(tile)),
        "verdicts": {sheet.reviewer: dict(Counter(sheet.verdicts.values())) for sheet in sheets},
        "with_check": measured(lambda times: agreement.with_check(table, kept, times)),
        "kept_right": measured(lambda times: agreement.with_check(table, kept, times * kept)),
        "removed_wrong": measured(lambda times: agreement.with_check(table, kept, times * ~kept)),
    }
    if len(sheets) > 1:
        report["raw_agreement"] = measured(lambda times: agreement.raw_agreement(table, times))
        report["krippendorff_alpha"] = measured(
            lambda times: agreement.krippendorff_alpha(table, times)
        )
    if len(sheets) == 2:
        report["cohen_kappa"] = measured(lambda times: agreement.cohen_kappa(table, times))
    return report
