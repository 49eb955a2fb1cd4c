"""What the last committed version of a source looked like.

Belongs here: the few numbers of the last version that a new one is compared with.
Never here: comparing them (see `derive`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs

from adapters.settings import Settings
from adapters.store import Store

if TYPE_CHECKING:
    from adapters.standardise import Standard

MIN_VALUES = 30


@dataclass(frozen=True)
class Baseline:
    """Numbers of the last committed version.

    Args:
        version: That version.
        rows: Its rows.
        middle: Numeric column -> its 10th and 90th percentile, in the canonical unit.
        filled: Column -> share of its rows that hold a value.
    """

    version: str
    rows: int
    middle: dict[str, tuple[float, float]]
    filled: dict[str, float]


def baseline(standard: "Standard", settings: Settings) -> Baseline | None:
    """Read the last committed version of the same source and group.

    Returns:
        None where there is none: a source that changes group (the twin's file replaced by a
        user's) starts anew.

    Raises:
        StoreError: The store cannot be read.
    """
    store, source = Store(settings), standard.spec.id
    meta = store.meta("source", source)
    if meta is None or meta.is_empty():
        return None
    last = meta.row(0, named=True)
    table = store.table(source)
    if table is None or (last["group_name"], last["origin"]) != (
        standard.raw.group,
        standard.raw.origin,
    ):
        return None
    return Baseline(last["version"], table.height, middle(table), filled(table))


def middle(table: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """10th and 90th percentile of each numeric column with enough values that are not one value."""
    numeric = table.select(cs.numeric())
    found = {
        name: (numeric[name].quantile(0.1), numeric[name].quantile(0.9))
        for name in numeric.columns
        if numeric[name].count() >= MIN_VALUES
    }
    return {name: (low, high) for name, (low, high) in found.items() if low < high}


def filled(table: pl.DataFrame) -> dict[str, float]:
    """Share of the rows that hold a value, of each column with enough values."""
    return {c.name: c.count() / table.height for c in table if c.count() >= MIN_VALUES}
