"""What the strips of a layer add up to: statistics, and flags of pixels that are not ordinary.

Belongs here: counting, and the words of a layer's flags.
Never here: deciding which pixels are not ordinary, reading, writing.
"""

from dataclasses import dataclass, field

import numpy as np

from adapters.columns import column_range
from adapters.quantities import quantity
from adapters.spec import Column, TextureSum

Flag = tuple[str, str, str, str | None, float | None, str]
"""A line of flags in the layout of docs/data_model.md."""


_OFTEN = 3
"""Pixels of one value from which it is told: it may be an undeclared nodata."""


_LOOKED_AT = 5_000
"""Values of a strip of which the commonest is sought."""
_DOMINANT, _TIMES, _DISTINCT = 0.2, 10, 20
"""One value takes a layer over where it has this share of the values, stands so many times as often
as the next, and there are so many others: classes and rounded numbers have common values too. Of
the twin's layers with so many values, but those that may be 0 in many places, none has a value of
half that share."""


@dataclass
class Tally:
    """Counts of one layer; the caller raises them strip by strip."""

    valid: int = 0
    total: float = 0.0
    low: float = np.inf
    high: float = -np.inf
    refused: int = 0
    worst: float = np.nan
    repeated: dict[float, int] = field(default_factory=dict)
    unknown: int = 0
    code: float = np.nan
    lacking: str = ""
    clipped: int = 0
    lowest: float = np.nan
    off: int = 0
    off_value: float = np.nan
    off_sum: float = 100.0
    background: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    some: list[tuple[float, np.ndarray]] = field(default_factory=list)

    def add(self, values: np.ndarray) -> None:
        """Count the values that are handed on."""
        known = values[np.isfinite(values)]
        if known.size:
            self.valid += known.size
            self.total += float(known.sum())
            self.low = min(self.low, float(known.min()))
            self.high = max(self.high, float(known.max()))
            some = known[:: max(1, known.size // _LOOKED_AT)].copy()
            self.some.append((known.size / some.size, some))

    def dominant(self) -> tuple[float, float, float] | None:
        """The one value that a continuous layer holds all over, its share and that of the next.

        Both are of the values that were looked at; None where no value stands out.
        """
        if not self.some:
            return None
        values, places = np.unique(np.concatenate([s for _, s in self.some]), return_inverse=True)
        if len(values) <= _DISTINCT:
            return None
        weights = np.concatenate([np.full(s.size, weight) for weight, s in self.some])
        times = np.bincount(places, weights) / self.valid
        often = int(np.argmax(times))
        share, following = float(times[often]), float(np.delete(times, often).max())
        if share < _DOMINANT or share < _TIMES * following:
            return None
        return float(values[often]), share, following

    def refuse(self, values: np.ndarray) -> None:
        """Count values outside of the plausible range, in the canonical unit."""
        self.refused += values.size
        farthest = float(values[np.argmax(np.abs(values))])
        if not abs(self.worst) >= abs(farthest):
            self.worst = farthest
        same, times = np.unique(values, return_counts=True)
        often = int(np.argmax(times))
        value = float(same[often])
        self.repeated[value] = self.repeated.get(value, 0) + int(times[often])

    def clip(self, values: np.ndarray) -> None:
        """Count values that fell slightly too low, in the native unit."""
        self.clipped += values.size
        self.lowest = float(np.nanmin([self.lowest, np.min(values)]))

    def miss_sum(self, values: np.ndarray, sums: np.ndarray) -> None:
        """Count values of a fraction that does not add up with the others; sums in percent."""
        self.off += values.size
        self.off_value = float(np.nanmax([self.off_value, np.max(values)]))
        self.off_sum = float(max([self.off_sum, *sums], key=lambda total: abs(total - 100.0)))

    def flags(
        self,
        row_ref: str,
        column: Column,
        cells: int,
        rule: TextureSum | None,
        labels: dict[str, str],
    ) -> list[Flag]:
        """The flags of the layer.

        Args:
            row_ref: Of the layer.
            column: What it holds.
            cells: Its pixels.
            rule: That its fractions add up by, where there is one.
            labels: Words of its codes.
        """
        found: list[Flag] = []

        def flag(name: str, raw: str | None, value: float | None, count: int, said: str) -> None:
            found.append((row_ref, column.name, name, raw, value, f"{count} of {cells} {said}"))

        for token, count in self.missing.items():
            words = f" ({labels[token]})" if token in labels else ""
            flag("missing", token, None, count, f"pixels hold {token}{words}, which means missing")
        if self.clipped:
            said = f"pixels below {column.clip_below:g} {column.unit} became that"
            flag("clipped", None, self.lowest, self.clipped, f"{said}; the lowest {self.lowest:g}")
        if self.refused:
            low, high, unit = column_range(column)
            said = f"pixels outside {low:g} to {high:g} {unit}"
            value, times = max(self.repeated.items(), key=lambda pair: pair[1])
            if times >= _OFTEN and 2 * times > self.refused:
                said += f"; {times} of them are {value:g}"
            flag("out_of_range", None, self.worst, self.refused, said)
        one = self.dominant() if column.kind == "numeric" else None
        usual = column.quantity is not None and quantity(column.quantity).zero_is_common
        if one is not None and not (one[0] == 0 and usual):
            value, share, following = one
            said = (
                f"pixels are exactly {value:g}, {share:.0%} of those with a value; the next "
                f"commonest value is {following:.1%}"
            )
            flag("one_value", None, value, round(share * self.valid), said)
        if self.off and rule is not None:
            said = (
                f"pixels where {' + '.join(rule.columns)} misses 100 % by more than "
                f"{rule.tolerance:g}; at worst {self.off_sum:.4g} %"
            )
            flag("texture_sum", None, self.off_value, self.off, said)
        if self.unknown:
            said = f"pixels not in {self.lacking}"
            flag("code_unknown", f"{self.code:g}", None, self.unknown, said)
        return found
