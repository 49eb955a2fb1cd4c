"""Which unit a column is likely in, if not in the declared one.

Belongs here: the distribution of each numeric column, the pool of those of other sources, and which
slip would explain why a column is unlike the pool.
Never here: the slips themselves (`readings`), the last version (`editions`), impossible values
(`derive`).

Nothing is said where evidence is weak: fewer than `MIN_VALUES` values, a difference that sources of
the same quantity commonly have, or no slip that brings the column back among the others.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from adapters.quantities import Quantity, quantity
from adapters.settings import Settings
from expectations.baselines import last_table
from expectations.drift import meta
from expectations.editions import ARRAYS, against_last, some_pixels
from expectations.readings import readings, scale_of

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from adapters.columns import ColumnRecord
    from adapters.standardise import Standard

MIN_VALUES = 30
_MIN_DISTINCT = 5
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_NORMAL_QUARTILES = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""
_NORMAL_5_95 = 3.290
UNLIKE, LIKE = 4.0, 1.5
"""Distances from the pool in its standard deviations: beyond the first a column is unlike it, and
within the second a slip brings it back. docs/unit_slips.md tells how often they are wrong."""
_STATISTICS = ("value", "mean", "median")


@dataclass(frozen=True)
class Distribution:
    """What the values of one column of one source are like, in the canonical unit.

    Attributes:
        source: Source id.
        column: Canonical column.
        quantity: Observed property.
        axis: What the positions of an array mean; monthly sums are not annual ones.
        origin: Origin of the source.
        count: Values it was taken from.
        quantiles: 5th, 25th, 50th, 75th and 95th percentile.
    """

    source: str
    column: str
    quantity: str
    axis: str | None
    origin: str
    count: int
    quantiles: tuple[float, ...]


def distributions(standard: "Standard", root: Path) -> list[Distribution]:
    """One for each numeric column with a quantity and enough values.

    Args:
        standard: The table.
        root: Data root that the paths of its layers start from.
    """
    found = []
    for record, said in _measured(standard):
        values = _values(standard, record.name, root)
        if len(values) < MIN_VALUES or len(np.unique(values)) < _MIN_DISTINCT:
            continue
        quantiles = tuple(np.quantile(values, _QUANTILES).tolist())
        found.append(
            Distribution(
                standard.spec.id,
                record.name,
                said.id,
                standard.spec.column(record.name).axis,
                standard.raw.origin,
                len(values),
                quantiles,
            )
        )
    return found


def remember(standard: "Standard", settings: Settings) -> None:
    """Put the distributions of a committed table into the pool, in place of its last ones."""
    folder = settings.store.parent / "distributions"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{standard.spec.id}.json"
    part = path.with_suffix(".part")
    part.write_text(
        json.dumps([asdict(d) for d in distributions(standard, settings.data_root)], indent=1)
    )
    part.replace(path)


def pool(settings: Settings, synthetic: bool) -> list[Distribution]:
    """Distributions of all committed sources that are synthetic, or of all that are not."""
    found = []
    for path in sorted((settings.store.parent / "distributions").glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8")):
            found.append(Distribution(**{**entry, "quantiles": tuple(entry["quantiles"])}))
    return [d for d in found if (d.origin == "synthetic") == synthetic]


def likely_slip(
    standard: "Standard", record: "ColumnRecord", own: Distribution, others: Iterable[Distribution]
) -> tuple[str, str] | None:
    """What a column seems to be in, if it is unlike the same quantity elsewhere.

    Args:
        standard: The table.
        record: The column.
        own: Its distribution.
        others: The pool; distributions of the same source are left out.

    Returns:
        The likely slip and the evidence, in words; None where there is nothing to say.
    """
    said = quantity(own.quantity)
    scale = scale_of(said)
    here = _place(own.quantiles, scale)
    away = [
        d
        for d in others
        if (d.quantity, d.axis) == (own.quantity, own.axis) and d.source != own.source
    ]
    places = [p for p in (_place(d.quantiles, scale) for d in away) if p]
    if not places and said.typical and own.axis is None:
        places = [_typical(said.typical, scale)]
    if here is None or not places:
        return None
    centre, sigma, spread = _pooled(places)
    if sigma <= 0 or abs(here[0] - centre) < UNLIKE * sigma:
        return None
    explained = []
    for slip in readings(standard, record):
        there = _place(slip.apply(np.asarray(own.quantiles)).tolist(), scale)
        if there is None or not 1 / slip.spread <= there[1] / spread <= slip.spread:
            continue
        if (distance := abs(there[0] - centre)) <= LIKE * sigma:
            explained.append((distance, slip.words))
    if not explained:
        return None
    explained.sort()
    words = list(dict.fromkeys(w for _, w in explained))[:2]
    whose = f"{len(away)} other columns" if away else "published soils"
    middle = 10**centre if scale == "log" else centre
    evidence = (
        f"median {own.quantiles[2]:.4g} {said.unit} of {own.count} values, where that of {whose} "
        f"is {middle:.4g}"
    )
    return " or ".join(words), evidence


def slip_expectations(
    standard: "Standard", settings: Settings, *, compare: bool = True, root: Path | None = None
) -> list["Expectation"]:
    """Expectations that columns are in their declared units.

    The pool of other sources warns, the last version refuses.

    Args:
        standard: The table.
        settings: Where the pool and the last version are.
        compare: Is it compared with its last version?
        root: Data root that the paths of its layers start from, where it is another one.
    """
    from expectations.custom import ExpectColumnToBeInDeclaredUnit

    spec = standard.spec
    others = pool(settings, standard.raw.origin == "synthetic")
    records = {record.name: record for record in standard.columns}
    root = root or settings.data_root
    own = distributions(standard, root)
    found = {d.column: likely_slip(standard, records[d.column], d, others) for d in own}
    told = {column: slip for column, slip in found.items() if slip}
    remedy = "if the file is in that unit, say so under `unit` in line {} of columns.csv"
    derived = [
        ExpectColumnToBeInDeclaredUnit(
            column=name,
            likely=likely,
            evidence=evidence,
            **meta(remedy.format(spec.column(name).line), blocking=False),
        )
        for name, (likely, evidence) in told.items()
    ]
    if not told:
        evidence = f"{len(own)} columns compared with other sources"
        derived.append(
            ExpectColumnToBeInDeclaredUnit(
                column=None, likely=None, evidence=evidence, **meta("none", blocking=False)
            )
        )
    last = last_table(standard, settings) if compare else None
    if last is not None:
        version, table = last
        derived += [
            ExpectColumnToBeInDeclaredUnit(
                column=name,
                likely=likely,
                evidence=f"compared with version {version}",
                **meta(
                    "look at what was before: the file has another unit, order or content",
                    comparison=True,
                ),
            )
            for name, likely in against_last(standard, table, root, settings.data_root).items()
        ]
    return derived


def _measured(standard: "Standard") -> list[tuple["ColumnRecord", Quantity]]:
    """Numeric columns whose values are of a quantity, places and keys aside."""
    spec = standard.spec
    aside = {*spec.keys, spec.space.x, spec.space.y, spec.depth.top, spec.depth.bottom}
    found = []
    for record in standard.columns:
        column = spec.column(record.name)
        if record.kind != "numeric" or not record.quantity or record.name in aside:
            continue
        said = quantity(record.quantity)
        if column.statistic in _STATISTICS and said.group != "place" and said.unit != "degree":
            found.append((record, said))
    return found


def _values(standard: "Standard", name: str, root: Path) -> np.ndarray:
    if standard.spec.is_raster:
        rows = standard.table.filter(column=name)
        parts = [some_pixels(root / path) for path in rows["path"].to_list()]
        values = np.concatenate(parts) if parts else np.empty(0)
        return values[np.isfinite(values)]
    column = standard.table[name]
    if isinstance(column.dtype, pl.List | pl.Array):
        column = column.head(ARRAYS).explode()
    return column.drop_nulls().drop_nans().cast(pl.Float64).to_numpy()


def _place(quantiles: Sequence[float], scale: str) -> tuple[float, float] | None:
    """Centre and standard deviation by median and quartiles; None where there is no spread."""
    low, middle, high = quantiles[1:4]
    if not all(map(math.isfinite, (low, middle, high))):
        return None
    if scale == "log":
        if low <= 0:
            return None
        low, middle, high = (math.log10(v) for v in (low, middle, high))
    spread = (high - low) / _NORMAL_QUARTILES
    return (middle, spread) if spread > 0 else None


def _typical(limits: tuple[float, float], scale: str) -> tuple[float, float]:
    low, high = (math.log10(v) for v in limits) if scale == "log" else limits
    return (low + high) / 2, (high - low) / _NORMAL_5_95


def _pooled(places: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Centre of the pool, how far sources lie from it, and the spread within one.

    Sources of one quantity differ in region, land use and method: by half the spread within one,
    and by what those at hand differ by, where there are three or more.
    """
    centres, spreads = (np.array(part) for part in zip(*places, strict=True))
    centre, spread = float(np.median(centres)), float(np.median(spreads))
    between = 1.4826 * float(np.median(np.abs(centres - centre))) if len(centres) > 2 else 0.0
    return centre, math.hypot(between, spread / 2), spread
