"""A folder of photographs as a table: one row a picture.

Belongs here: what can be told of each file (its size, its mean colour), and which pictures do not
open or have red and blue exchanged.
Never here: opening a single picture (`photograph.py`), what a file's name means.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from adapters.errors import ReadError
from adapters.readers import NativeTable
from adapters.readers.photograph import channels_swapped, read_photograph
from adapters.rules import FLAGS_SCHEMA

HEADERS = (
    *("file", "path", "sha256", "format", "width", "height", "mode", "converted"),
    *("kept", "red", "green", "blue"),
)
"""`file` is the name without its folder; `kept` the share of pixels that nobody removed; `red`,
`green` and `blue` are means of those, 0 to 255."""
# Colours are looked at in pictures of about this length, px.
_LOOKED_AT = 256


def read_photographs(folder: Path, files: Sequence[str]) -> tuple[NativeTable, pl.DataFrame]:
    """All photographs of a native table, and flags of those that are not ordinary.

    A picture that cannot be read has its name and hash alone and is flagged `unreadable`, as is one
    of which nothing is left; one whose red and blue are exchanged is flagged `channels_swapped`.
    Neither has a mean colour.

    Args:
        folder: Where the files stand under their own names.
        files: Their names below it, at least one.

    Returns:
        Headers as `HEADERS`; a row is named by its file below the folder that all have in common.
    """
    place = _common(files)
    rows, flags = [], []
    for file in files:
        below = file.removeprefix(f"{place}/")
        row, flag = _one(folder, file)
        rows.append(row)
        if flag:
            flags.append({"row_ref": f"{place}#{below}", **flag})
    cells = pl.DataFrame(
        rows, schema={str(i): pl.String for i in range(len(HEADERS))}, orient="row"
    )
    names = pl.Series("row", [file.removeprefix(f"{place}/") for file in files], dtype=pl.String)
    return NativeTable(place, HEADERS, cells, names), pl.DataFrame(flags, schema=FLAGS_SCHEMA)


def _common(files: Sequence[str]) -> str:
    """Folder that all files stand in; `.` where they stand in none."""
    parents = [PurePosixPath(file).parents for file in files]
    shared = set(parents[0]).intersection(*parents[1:])
    return max(shared, key=lambda path: len(path.parts)).as_posix()


def _one(folder: Path, file: str) -> tuple[list[str | None], dict[str, str] | None]:
    """Cells of one picture, and what is not ordinary of it."""
    path, name = folder / file, PurePosixPath(file).name
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    known: list[str | None] = [name, file, sha256]
    try:
        seen = read_photograph(path, longest=_LOOKED_AT)
    except ReadError as error:
        said = f"{error.problem} ({error.samples[0]})" if error.samples else error.problem
        flag = {"flag": "unreadable", "raw": name, "detail": said}
        return [*known, *[None] * (len(HEADERS) - len(known))], flag
    known += [seen.format, str(seen.width), str(seen.height), seen.mode]
    known += ["; ".join(seen.converted) or None, f"{seen.kept.mean():.4f}"]
    evidence = channels_swapped(seen.pixels, seen.kept)
    if evidence.swapped:
        flag = {"flag": "channels_swapped", "raw": name, "detail": evidence.readable()}
        return [*known, None, None, None], flag
    if not seen.kept.any():
        said = "nothing is left of it: black or transparent throughout"
        return [*known, None, None, None], {"flag": "unreadable", "raw": name, "detail": said}
    means = [seen.pixels[..., i][seen.kept].mean(dtype=np.float64) for i in range(3)]
    return [*known, *(f"{mean:.3f}" for mean in means)], None
