"""Faults of whole tables, written only where they are asked for.

Belongs here: what no check of a single row can see, or what makes a whole source refused: a column
in another unit than the specification says, rows that stand twice.
Never here: faults that every twin has (`planting.py`), formats other than csv.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

from adapters.errors import SettingsError
from adapters.spec import Column, SourceSpec, load_spec
from adapters.twin.planting import FAULT_RATE, Fault, wanted

REPEATED = "repeated_rows"
DIVALENT = "divalent"


def spoil(source: str, folder: Path, asked: Mapping[str, str]) -> list[Fault]:
    """Spoil the files of a source as asked.

    Args:
        source: Source id.
        folder: Its native files.
        asked: Canonical column, or the id of a table -> the fault. Of a column, the unit it is
            written in instead of its own (`percent`, `mg/100g`, `ug/kg`), with the basis of its
            own, or DIVALENT: charges counted as if the ion had two. Of a table, REPEATED: each
            hundredth row stands twice.

    Returns:
        The faults. Their key is `*`: they are of all rows. `flag` is None: no flag of a row comes
        of them.

    Raises:
        SettingsError: There is no such column or table, it is in no csv, or the fault does not
            apply.
    """
    spec, faults = load_spec(source), []
    for name, fault in asked.items():
        if fault == REPEATED:
            if name not in spec.tables:
                raise _error(source, name, "no such table", sorted(spec.tables))
            count = _repeat(_csv(spec, name, folder), spec, name)
            faults.append(Fault(source, "*", None, f"{fault} in {name}", "", f"{count} rows", None))
            continue
        names = [column.name for column in spec.columns]
        if name not in names:
            raise _error(source, name, "no such column", names)
        column = spec.column(name)
        factor = _factor(spec, column, fault)
        _multiply(_csv(spec, column.table, folder), spec, column, factor)
        said = f"{column.unit} ({column.basis})"
        faults.append(Fault(source, "*", name, f"whole column {fault}", said, fault, None))
    return faults


def _factor(spec: SourceSpec, column: Column, fault: str) -> float:
    """What the numbers of a column are multiplied by."""
    from adapters.columns import canonical_unit
    from adapters.units import conversion, other_valence

    _, _, analyte = canonical_unit(column)
    if fault != DIVALENT:
        return conversion(str(column.unit), column.basis, fault, column.basis, analyte).scale
    factor = other_valence(analyte, 2, column.basis)
    if factor is None:
        raise _error(spec.id, column.name, "it counts no charges of an ion that has one", [analyte])
    return 1.0 / factor


def _csv(spec: SourceSpec, table: str, folder: Path) -> Path:
    """The file of a table."""
    found = [path for pattern in spec.tables[table].files for path in folder.glob(pattern)]
    if spec.tables[table].read.reader != "csv" or len(found) != 1:
        raise _error(spec.id, table, "only tables of one csv are spoilt", [p.name for p in found])
    return found[0]


def _rows(path: Path, spec: SourceSpec, table: str) -> list[list[str]]:
    read = spec.tables[table].read
    with path.open(encoding=read.encoding, newline="") as handle:
        return list(csv.reader(handle, delimiter=read.delimiter))


def _write(path: Path, spec: SourceSpec, table: str, rows: list[list[str]]) -> None:
    read = spec.tables[table].read
    with path.open("w", encoding=read.encoding, newline="") as handle:
        csv.writer(handle, delimiter=read.delimiter, lineterminator="\n").writerows(rows)


def _multiply(path: Path, spec: SourceSpec, column: Column, factor: float) -> None:
    rows = _rows(path, spec, column.table)
    place = rows[spec.tables[column.table].read.header_row].index(column.native)
    missing = {*spec.tables[column.table].read.missing, *column.missing}
    for row in rows[spec.tables[column.table].read.header_row + 1 :]:
        text = row[place]
        # Texts such as '<LOD' have no unit.
        if text not in missing and not text.startswith("<"):
            row[place] = f"{float(text) * factor:.6g}"
    _write(path, spec, column.table, rows)


def _repeat(path: Path, spec: SourceSpec, table: str) -> int:
    """Append a share of the rows once more; how many."""
    rows = _rows(path, spec, table)
    body = rows[spec.tables[table].read.header_row + 1 :]
    count = wanted(len(body))
    _write(path, spec, table, rows + body[:: round(1 / FAULT_RATE)][:count])
    return count


def _error(source: str, name: str, problem: str, samples: list[object]) -> SettingsError:
    return SettingsError(
        f"no fault can be asked of {name!r}: {problem}",
        source=source,
        samples=samples,
        remedy="ask for a column or table of a csv, and a unit of what the column measures",
    )
