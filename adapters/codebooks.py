"""Codebooks: what the codes of a categorical column mean.

Belongs here: reading and checking `codebooks/*.csv` (of a source folder, else the shared ones) and
bringing native spellings to their code.
Never here: decisions on what an unknown code does to a source (the specification says that).

A codebook is a CSV file, never YAML, which reads the country NO as false. Its columns are `code`
and `label`, and where needed `parent` (the wider class), `alias_of` (the code that the row is
another spelling of) and `evidence` (`verified`, or `assumed` where no publication of the source
has shown the code yet). A text is normalised by these rules, in this order:

1. blanks at both ends go: `"E20 "` is `E20`;
2. an equal code or alias is taken;
3. else one that differs in case alone: `Bx1` is `BX1`;
4. else a whole number written with decimals, as spreadsheets and dbf do: `1.0` is `1`;
5. else the code is unknown.
"""

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from adapters.errors import CodebookError

_SHARED = Path(__file__).parent / "codebooks"
_COLUMNS = {"code", "label", "parent", "alias_of", "evidence"}
_EVIDENCE = ("", "verified", "assumed")
OPEN = "open"


@dataclass(frozen=True)
class Codebook:
    """Codes of one classification.

    Attributes:
        name: File name without suffix; `open` has no published list and takes every code.
        codes: Label of each code, in file order.
        parents: Wider class of a code, where it has one.
        aliases: Other spellings, and the code each stands for.
        assumed: Codes that no publication of the source has shown yet.
    """

    name: str
    codes: Mapping[str, str]
    parents: Mapping[str, str]
    aliases: Mapping[str, str]
    assumed: frozenset[str] = frozenset()

    @property
    def is_open(self) -> bool:
        """Is there no published list, so that every code is allowed?"""
        return self.name == OPEN

    def label(self, code: str) -> str:
        """What a code means; of an open codebook, the code itself.

        Raises:
            CodebookError: The codebook has no such code.
        """
        if self.is_open:
            return code
        if code not in self.codes:
            raise CodebookError(
                f"codebook {self.name} has no code {code!r}",
                remedy=f"use one of: {', '.join(self.codes)}",
            )
        return self.codes[code]

    def ancestors(self, code: str) -> list[str]:
        """Wider classes of a code, nearest first."""
        found = []
        while code := self.parents.get(code, ""):
            found.append(code)
        return found

    @functools.cached_property
    def _exact(self) -> dict[str, str]:
        return {code: code for code in self.codes} | dict(self.aliases)

    @functools.cached_property
    def _folded(self) -> dict[str, str]:
        """Codes by spelling without case, save where two codes differ in case alone."""
        meant: dict[str, set[str]] = {}
        for text, code in self._exact.items():
            meant.setdefault(text.casefold(), set()).add(code)
        return {text: codes.pop() for text, codes in meant.items() if len(codes) == 1}

    def _find(self, text: str) -> str | None:
        whole = re.fullmatch(r"([+-]?\d+)\.0*", text)
        for spelling in (text, whole[1] if whole else None):
            if spelling is not None:
                code = self._exact.get(spelling) or self._folded.get(spelling.casefold())
                if code is not None:
                    return code
        return None

    def normalise(self, values: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Bring native texts to their codes.

        Args:
            values: Native texts (or whole numbers); null where the cell is empty.

        Returns:
            Codes (String, null where empty or unknown), and whether each text is unknown (Boolean).
        """
        texts = values.cast(pl.String).str.strip_chars().replace("", None)
        if self.is_open:
            return texts, pl.Series(values.name, [False] * len(values), dtype=pl.Boolean)
        distinct = texts.drop_nulls().unique().to_list()
        codes = texts.replace_strict(
            distinct, [self._find(t) for t in distinct], default=None, return_dtype=pl.String
        )
        return codes, codes.is_null() & texts.is_not_null()


def _fault(path: Path, line: int, problem: str, remedy: str) -> CodebookError:
    return CodebookError(problem, file=path.name, where=f"line {line}", remedy=remedy)


def _read(path: Path) -> Codebook:
    codes: dict[str, str] = {}
    parents: dict[str, str] = {}
    aliases: dict[str, str] = {}
    assumed: set[str] = set()
    lines: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        header = set(reader.fieldnames or ())
        if not {"code", "label"} <= header <= _COLUMNS:
            raise CodebookError(
                f"the header is {sorted(header)}",
                file=path.name,
                remedy="write code,label and, where needed, parent, alias_of and evidence",
            )
        for number, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise _fault(path, number, "cells do not match the header", "quote commas")
            code = row["code"]
            if not code or code != code.strip() or not row["label"].strip():
                raise _fault(
                    path, number, f"faulty code {code!r} or label", "fill both, without blanks"
                )
            if code in lines:
                raise _fault(
                    path, number, f"{code!r} stands in line {lines[code]} too", "keep one of them"
                )
            lines[code] = number
            if row.get("evidence", "") not in _EVIDENCE:
                raise _fault(
                    path, number, f"evidence {row['evidence']!r}", "write verified or assumed"
                )
            if row.get("evidence") == "assumed":
                assumed.add(code)
            if target := row.get("alias_of"):
                aliases[code] = target
                continue
            codes[code] = row["label"]
            if parent := row.get("parent"):
                parents[code] = parent
    for what, links in (("alias_of", aliases), ("parent", parents)):
        for code, target in links.items():
            if target not in codes:
                raise _fault(
                    path,
                    lines[code],
                    f"{what} {target!r} is no code here",
                    "name a code of the file",
                )
    for code in parents:
        seen = [code]
        while seen[-1] in parents:
            if parents[seen[-1]] in seen:
                raise _fault(path, lines[code], f"{code!r} is its own ancestor", "break the circle")
            seen.append(parents[seen[-1]])
    if not codes:
        raise CodebookError("holds no code", file=path.name, remedy="add codes, or use `open`")
    return Codebook(path.stem, codes, parents, aliases, frozenset(assumed))


@functools.cache
def codebook(name: str, folder: Path | None = None) -> Codebook:
    """Read and check a codebook.

    Args:
        name: File name without suffix; `open` is the codebook without a published list.
        folder: Source folder, whose `codebooks/` goes before the shared ones.

    Raises:
        CodebookError: There is no such codebook, or a row of it is faulty or stands twice.
    """
    if name == OPEN:
        return Codebook(OPEN, {}, {}, {})
    places = [_SHARED] if folder is None else [folder / "codebooks", _SHARED]
    for place in places:
        if (place / f"{name}.csv").is_file():
            return _read(place / f"{name}.csv")
    available = sorted({path.stem for place in places for path in place.glob("*.csv")} | {OPEN})
    raise CodebookError(f"no codebook {name!r}", remedy=f"available: {', '.join(available)}")
