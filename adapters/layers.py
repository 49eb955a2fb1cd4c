"""Files of the layers of a raster source.

Belongs here: which file of a version holds which layer, and what the names of the others mean.
Never here: opening a file (`readers`), or anything about pixels (`rasters`).
"""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from adapters.errors import ReadError
from adapters.readers import fits, layer_files, matching
from adapters.spec import Column, SourceSpec, expand_braces

if TYPE_CHECKING:
    from adapters.archive import RawFile


def element_files(column: Column, files: Sequence["RawFile"]) -> list[tuple[str, list[str]]]:
    """(native name, names of its files) of every element of a column, in their order."""
    spellings = zip(column.natives, *map(expand_braces, column.aliases), strict=False)
    return [
        (names[0], layer_files(files, [n.partition("#")[0] for n in names])) for names in spellings
    ]


def refuse_misnamed(spec: SourceSpec, files: Sequence["RawFile"]) -> None:
    """Refuse a version of which no layer is there, or in which one may bear another name.

    A layer that may be absent, and a raster of its table that no column reads, are likely the same
    thing: passing over both would lose the layer without a word.

    Raises:
        ReadError: No layer is there, or one is absent beside a raster that no column reads.
    """
    found = {
        c.name: [name for _, names in element_files(c, files) for name in names]
        for c in spec.columns
    }
    read = {name for names in found.values() for name in names}
    if not read and not any(c.required for c in spec.columns):
        raise ReadError(
            "none of its layers is there",
            source=spec.id,
            samples=[f.name for f in files],
            remedy=f"put a file named {' or '.join(c.native for c in spec.columns)} into "
            f"data/raw/{spec.source}/, or correct native in columns.csv",
        )
    kept = [p for t in spec.tables.values() if t.compose == "keep" for p in t.files]
    for name, table in spec.tables.items():
        own = [c for c in spec.columns if c.table == name]
        absent = [c.native for c in own if not (c.required or found[c.name])]
        endings = {_ending(n) for c in own for n in (*c.natives, *c.aliases)} - {""}
        strange = [
            file
            for file in matching(files, table.files)
            if file not in read and _ending(file) in endings and not fits(file, kept)
        ]
        if absent and strange:
            raise ReadError(
                f"no file for layer {absent[0]!r}, and {strange[0]!r} is no layer",
                source=spec.id,
                file=strange[0],
                samples=strange,
                remedy="name the file as the layer if it is that one, add it to columns.csv if it "
                "is another, or take it away",
            )


def _ending(native: str) -> str:
    return PurePosixPath(native.partition("#")[0]).suffix.casefold()
