"""Native tables that a function in the source's `hooks.py` yields, or changes.

Belongs here: calling that function, for files that only a package of their publisher can open, or
rows that no declaration can make of what was read.
Never here: anything about a particular source.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import polars as pl

from adapters.errors import ReadError, SpecError
from adapters.readers import NativeTable, as_text
from adapters.spec import SourceSpec


def read_package(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Call `hooks.<callable>(path) -> polars.DataFrame`, one native table of the file.

    Raises:
        SpecError: There is no such function.
        ReadError: It fails, or yields no table.
    """
    wanted, function = _hook(spec, name)
    try:
        frame = function(path)
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(
            f"hooks.{wanted} cannot read it: {error}",
            source=spec.id,
            file=file,
            remedy="fetch the file again, or install the version of the package that fits it",
        ) from error
    if not isinstance(frame, pl.DataFrame):
        raise SpecError(
            f"hooks.{wanted} yields {type(frame).__name__}, not a polars.DataFrame",
            source=spec.id,
            file="hooks.py",
            remedy="return a polars.DataFrame",
        )
    cells = as_text(frame).rename({h: str(i) for i, h in enumerate(frame.columns)})
    rows = pl.Series("row", range(1, frame.height + 1), dtype=pl.Int64)
    return NativeTable(file, tuple(frame.columns), cells, rows)


def prepared(spec: SourceSpec, name: str, native: NativeTable, folder: Path) -> NativeTable:
    """Call `hooks.<callable>(native, folder) -> NativeTable`, for a table that was read already.

    Raises:
        SpecError: There is no such function.
        ReadError: It fails.
    """
    wanted, function = _hook(spec, name)
    try:
        return function(native, folder)
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(
            f"hooks.{wanted} cannot prepare it: {error}",
            source=spec.id,
            file=native.place,
            remedy="fetch the file again",
        ) from error


def _hook(spec: SourceSpec, name: str) -> tuple[str, Callable]:
    wanted = spec.tables[name].read.callable
    module_path = spec.folder / "hooks.py"
    found = importlib.util.spec_from_file_location(f"soilmeld_hooks_{spec.id}", module_path)
    if wanted is None or found is None or found.loader is None or not module_path.is_file():
        raise SpecError(
            f"reader: {spec.tables[name].read.reader} needs hooks.py with the function that "
            f"`callable` names ({wanted})",
            source=spec.id,
            file="source.yaml",
            where=f"tables.{name}.read",
            remedy="add both",
        )
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    function = getattr(module, wanted, None)
    if function is None:
        raise SpecError(
            f"hooks.py has no function {wanted!r}",
            source=spec.id,
            file="hooks.py",
            remedy=f"correct `callable` of table {name} in source.yaml",
        )
    return wanted, function
