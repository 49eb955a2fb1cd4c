"""Measuring the truth and planting faults, both on record.

Belongs here: noise and rounding of a laboratory, the native table as cells, and the faults that are
put into it with what was there before.
Never here: soil relations, file formats.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.files import Cells

FAULT_RATE = 0.01
"""Share of the rows of a table that each kind of fault is planted in (one row at least)."""


def wanted(rows: int, rate: float = FAULT_RATE) -> int:
    """How many of so many rows get a fault of one kind."""
    return max(1, round(rate * rows))


@dataclass(frozen=True)
class Fault:
    """One planted fault.

    Attributes:
        source: Source id.
        key: Values of the source's key columns, joined by `|`; `*` for all rows.
        column: Canonical column; None for a fault of the whole row.
        fault: What was done.
        original: What would have been written.
        written: What was written.
        flag: The flag that must come of it; None where no check of a row can see it.
    """

    source: str
    key: str
    column: str | None
    fault: str
    original: str
    written: str
    flag: str | None


@dataclass(frozen=True)
class Rows:
    """Rows of a backbone source and where its files say they are, faults aside.

    Attributes:
        keys: Row keys as in `Draft`, (n,).
        longitude: Degrees, (n,); NaN where the files tell no place.
        latitude: Degrees, (n,).
    """

    keys: list[str]
    longitude: Array
    latitude: Array


@dataclass
class Draft:
    """What one source is about to say, and the truth behind it.

    Attributes:
        source: Source id.
        keys: Row keys, (n,).
        truth: Canonical column -> (n,), canonical units, without noise or rounding.
        faults: What was planted.
        touched: Rows that hold a fault already; each row gets one at most, so that a fault's flag
            cannot hide another's.
    """

    source: str
    keys: list[str]
    truth: dict[str, object]
    faults: list[Fault] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)

    def record(
        self,
        row: int,
        column: str | None,
        fault: str,
        original: object,
        written: object,
        flag: str | None,
    ) -> None:
        """Put one fault on record."""
        self.faults.append(
            Fault(self.source, self.keys[row], column, fault, str(original), str(written), flag)
        )

    def plant(
        self,
        draw: np.random.Generator,
        values: list[object],
        column: str | None,
        fault: str,
        flag: str | None,
        alter: Callable[[object], object | None],
        rows: Iterable[int] | None = None,
    ) -> None:
        """Alter a cell in `FAULT_RATE` of the rows, where `alter` gives a new value."""
        rows = list(range(len(values))) if rows is None else list(rows)
        left = wanted(len(rows))
        for row in draw.permutation(rows):
            if left == 0:
                return
            if row in self.touched or values[row] is None:
                continue
            written = alter(values[row])
            if written is None:
                continue
            self.record(row, column, fault, values[row], written, flag)
            values[row] = written
            self.touched.add(int(row))
            left -= 1

    def swap_coordinates(
        self,
        draw: np.random.Generator,
        cells: Cells,
        x: str,
        y: str,
        bounds: tuple[float, float, float, float],
    ) -> None:
        """Swap longitude and latitude where the result lies outside the source's bounds."""
        west, south, east, north = bounds
        rows = [
            row
            for row, (lon, lat) in enumerate(zip(cells[x], cells[y], strict=True))
            if not (west <= lat <= east and south <= lon <= north) and row not in self.touched
        ]
        count = min(len(rows), wanted(len(self.keys)))
        for row in draw.choice(rows, count, replace=False):
            before = (cells[x][row], cells[y][row])
            cells[x][row], cells[y][row] = cells[y][row], cells[x][row]
            self.record(
                int(row), None, "swapped_coordinates", before, before[::-1], "position_suspect"
            )
            self.touched.add(int(row))


def measure(
    draw: np.random.Generator,
    truth: Array,
    digits: int,
    *,
    relative: float = 0.0,
    absolute: float = 0.0,
    low: float | None = 0.0,
    high: float | None = None,
) -> list[object]:
    """Values as a laboratory reports them: noise, limits, rounding.

    Args:
        draw: Random numbers.
        truth: (n,) in the native unit.
        digits: Decimal places that are written.
        relative: Standard deviation of the noise that grows with the value.
        absolute: Standard deviation of the noise that does not, in the native unit.
        low: Smallest value that is reported.
        high: Largest value that is reported.
    """
    noisy = truth * np.exp(relative * draw.normal(size=truth.shape)) + absolute * draw.normal(
        size=truth.shape
    )
    rounded = np.round(np.clip(noisy, low, high), digits)
    return [int(v) for v in rounded] if digits == 0 else [float(v) for v in rounded]


def measure_texture(
    draw: np.random.Generator, layer: dict[str, Array], digits: int
) -> tuple[list[object], list[object], list[object]]:
    """Clay, silt and sand that add up to 100 after rounding."""
    clay = np.round(
        np.clip(layer["clay"] + draw.normal(0, 0.8, layer["clay"].shape), 0, 100), digits
    )
    silt = np.clip(layer["silt"] + draw.normal(0, 0.8, layer["silt"].shape), 0, 100)
    silt = np.round(np.minimum(silt, 100 - clay), digits)
    sand = np.round(100 - clay - silt, digits)
    kind = int if digits == 0 else float
    return tuple([kind(v) for v in part] for part in (clay, silt, sand))
