"""Legends of ArcView 3 (.avl): which value has which label.

Belongs here: the text of objects that ArcView writes, as far as classes of a legend go.
Never here: symbols and colours; what a class means.

No library reads the format and no description of it is published. A file is a list of objects
`(Class.number`, lines `Key: value`, `)`; a class of a legend is an `LClass` with its `Label` and
either `MinStr` (a text value) or `MinNum` and `MaxNum` (numbers).
"""

import re
from pathlib import Path

import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable
from adapters.spec import SourceSpec

_OBJECT = re.compile(r"^\((\w+)\.(\d+)\s*$")
_LINE = re.compile(r'^\s*(\w+):\s*(?:"((?:[^"\\]|\\.)*)"|(\S.*?))\s*$')
_HEADERS = ("value", "label")


def read_legend(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read the classes of a legend as columns `value` and `label`.

    A class of one number has that number as value, one of a range `least-greatest`.

    Raises:
        ReadError: Not a legend of ArcView, or one without classes.
    """
    read = spec.tables[name].read
    try:
        text = path.read_text(encoding=read.encoding)
    except UnicodeDecodeError as error:
        raise ReadError(
            f"not {read.encoding} text",
            source=spec.id,
            file=file,
            remedy=f"set `encoding` of table {name} in source.yaml, for instance to latin-1",
        ) from error
    if not re.match(r"\s*/\d", text) or "(ODB." not in text:
        raise ReadError(
            "not a legend of ArcView 3",
            source=spec.id,
            file=file,
            samples=[text[:40]],
            remedy="fetch the file again",
        )
    classes, lines = [], []
    said: dict[str, str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if opened := _OBJECT.match(line.strip()):
            said = {} if opened[1] == "LClass" else None
            if said is not None:
                classes.append(said)
                lines.append(number)
        elif said is not None and (found := _LINE.match(line)):
            said[found[1]] = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
    told = [
        (line, (_value(c), c.get("Label")))
        for line, c in zip(lines, classes, strict=True)
        if _value(c)
    ]
    if not told:
        raise ReadError(
            "the legend has no class with a value",
            source=spec.id,
            file=file,
            remedy="it may draw one symbol for all; read the codes from the attribute table",
        )
    cells = pl.DataFrame(
        [row for _, row in told], schema={"0": pl.String, "1": pl.String}, orient="row"
    )
    rows = pl.Series("row", [line for line, _ in told], dtype=pl.Int64)
    return NativeTable(file, _HEADERS, cells, rows)


def _value(said: dict[str, str]) -> str | None:
    if text := said.get("MinStr", "").strip():
        return text
    if "MinNum" not in said:
        return None
    least, greatest = (f"{float(said.get(key, said['MinNum'])):g}" for key in ("MinNum", "MaxNum"))
    return least if least == greatest else f"{least}-{greatest}"
