"""Which unit a column is likely in, if not in the declared one.

Belongs here: the distribution of each numeric column, the pool of those of other sources, and the
slips that would explain why a column is unlike the pool, or a fixed multiple of its last version.
Never here: conversion factors (they follow from units and analytes), impossible values (`derive`).

Nothing is said where evidence is weak: fewer than `MIN_VALUES` values, a difference that sources of
the same quantity commonly have, or no slip that brings the column back among the others.
"""

import functools
import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import yaml

from adapters.errors import UnitError
from adapters.quantities import Quantity, quantity
from adapters.settings import Settings
from adapters.units import Conversion, conversion, other_forms, other_valence, units
from expectations.baselines import last_table
from expectations.drift import meta

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from adapters.columns import ColumnRecord
    from adapters.standardise import Standard

MIN_VALUES = 30
_MIN_DISTINCT = 5
# Pairs that are all moved alike tell more than as many values of two samples.
_MIN_PAIRS = 6
_KEYS_KEPT = 0.5
_MIN_UNRELATED, _RELATED = 60, 0.8
"""Pairs, and the rank correlation that two editions of one thing have at least."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_NORMAL_QUARTILES = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""
_NORMAL_5_95 = 3.290
UNLIKE, LIKE = 4.0, 1.5
"""Distances from the pool in its standard deviations: beyond the first a column is unlike it, and
within the second a slip brings it back. docs/unit_slips.md tells how often they are wrong."""
_STATISTICS = ("value", "mean", "median")
# Not on a ratio scale: their differences tell, not their ratios.
_LINEAR_UNITS = ("pH", "pF", "degC", "K", "degF")
_BLOCKS, _BLOCK = 16, 64
_ARRAYS = 500
_POINTS = 40


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


@dataclass(frozen=True)
class Slip:
    """A reading of the numbers that would explain them.

    Attributes:
        words: What they seem to be.
        apply: Values as standardised -> values if the numbers are that.
        spread: How many times the spread of the pool, or less, the values must have then.
    """

    words: str
    apply: Callable[[np.ndarray], np.ndarray]
    spread: float = 2.5


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
    scale = _scale(said)
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
    for slip in slips(standard, record):
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


def slips(standard: "Standard", record: "ColumnRecord") -> list[Slip]:
    """Readings of a column that laboratories and exports confuse with the declared one."""
    said, listed = quantity(str(record.quantity)), _listed()
    by = Conversion(record.scale, record.offset, record.transform, "", "")
    found: list[Slip] = []
    basis = standard.spec.column(record.name).basis
    declared = (str(record.native_unit), basis)
    seen = {(by.scale, by.offset, by.transform)}
    for name in listed["units"]:
        for unit_basis in (key[1] for key in units() if key[0] == name):
            found += _as_unit(by, name, unit_basis, said, seen)
    for form in other_forms(said.analyte):
        for name, unit_basis in (declared, (str(said.unit), said.basis)):
            bare = name.partition(" as ")[0]
            found += _as_unit(by, f"{bare} as {form}", unit_basis, said, seen)
    for valence in listed["valences"]:
        if factor := other_valence(said.analyte, valence, said.basis):
            words = f"counted with {valence} charges an ion of {said.analyte}"
            found.append(Slip(words, functools.partial(_times, factor=factor)))
    for entry in listed["matter"]:
        if entry["quantity"] == said.id:
            apply = functools.partial(_times, factor=1 / entry["times"])
            found.append(Slip(f"{entry['words']} instead of {said.title.lower()}", apply))
    for factor in listed["stored_times"]:
        found.append(Slip(f"values times {factor}", functools.partial(_times, factor=1 / factor)))
    if record.transform is None and _scale(said) == "log":
        for name in listed["logarithms"]:
            # A power can bring any median anywhere: only a spread like that of the pool tells.
            apply = functools.partial(_power, by=by, of=name)
            found.append(Slip(f"{name} of the values", apply, spread=1.25))
    return found


def rescaled(
    new: np.ndarray, old: np.ndarray, known: Callable[[], Sequence[Slip]] = tuple
) -> str | None:
    """Is one series a fixed multiple (or a linear function) of another, other than itself?

    Args:
        new: (n,) values, NaN where there is none.
        old: (n,) values of the same things before.
        known: Gives slips that may explain it.

    Returns:
        The relation in words, with the slip that it is; None where there is none.
    """
    # Zeros stay zeros in any unit.
    both = np.isfinite(new) & np.isfinite(old) & ~((new == 0) & (old == 0))
    new, old = new[both], old[both]
    if len(new) < _MIN_PAIRS or len(np.unique(old)) < _MIN_PAIRS // 2:
        return None
    slope, offset = _line(old, new)
    fit, size = slope * old + offset, float(np.subtract(*np.quantile(new, (0.75, 0.25))))
    close = np.abs(new - fit) <= 0.02 * np.maximum(np.abs(fit), size)
    moved = abs(slope - 1) > 0.02 or abs(offset) > 0.02 * size
    if slope <= 0 or close.mean() < 0.9 or not moved:
        return None
    shift = f" {'+' if offset > 0 else '-'} {abs(offset):.4g}"
    said = f"{slope:.4g} x the last one" + (shift if abs(offset) > 0.02 * size else "")
    for slip in known():
        if np.allclose(slip.apply(new), old, rtol=0.02, atol=0.02 * np.std(old)):
            return f"{said} ({slip.words})"
    return said


def unrelated(new: np.ndarray, old: np.ndarray) -> str | None:
    """Have two series of the same things nothing in common? Then one is of something else.

    Args:
        new: (n,) values, NaN where there is none.
        old: (n,) values of the same things before.
    """
    both = np.isfinite(new) & np.isfinite(old)
    new, old = new[both], old[both]
    if len(new) < _MIN_UNRELATED or min(len(np.unique(v)) for v in (new, old)) < _MIN_DISTINCT:
        return None
    from scipy.stats import spearmanr

    correlation = float(spearmanr(new, old).statistic)
    if correlation >= _RELATED:
        return None
    return f"unlike the last one at the same places (rank correlation {correlation:.2f})"


def exchanged(new: dict[str, np.ndarray], old: dict[str, np.ndarray]) -> dict[str, str]:
    """Columns that hold what another one held before.

    Args:
        new: Column -> (n,) numbers or texts.
        old: The same of the same rows before.

    Returns:
        Column -> the one whose values it has now.
    """
    found = {}
    for name, values in new.items():
        if name not in old or _same(values, old[name]) > 0.5:
            continue
        for other, before in old.items():
            alike = (before.dtype.kind, before.shape) == (values.dtype.kind, values.shape)
            if other == name or not alike or len(set(before.tolist())) < _MIN_DISTINCT:
                continue
            if _same(values, before) >= 0.95:
                found[name] = other
                break
    return found


def against_last(
    standard: "Standard", last: pl.DataFrame, root: Path, last_root: Path
) -> dict[str, str]:
    """Columns that are a multiple of their last version, or hold what another one held.

    Rows are met by the source's keys, or by their order where it has none and as many rows; layers
    pixel by pixel on one grid.

    Args:
        standard: The new table.
        last: The committed one.
        root: Data root that the paths of its layers start from.
        last_root: The same of the committed one.

    Returns:
        Column -> what it seems to be, in words.
    """
    if standard.spec.is_raster:
        new, old = _layers(standard, last, root, last_root)
    else:
        new, old = _rows(standard, last)
    records = {record.name: record for record in standard.columns}
    found = {}
    for name in new.keys() & old.keys():
        record = records.get(name.partition("/")[0])
        if new[name].dtype.kind != "f" or (record is not None and record.kind != "numeric"):
            continue
        known = functools.partial(slips, standard, record) if record and record.quantity else tuple
        said = rescaled(new[name], old[name], known) or unrelated(new[name], old[name])
        if said:
            found[name.partition("/")[0]] = said
    for name, other in exchanged(new, old).items():
        found[name.partition("/")[0]] = f"what {other} was before"
    if not standard.spec.is_raster:
        found |= _elsewhere(standard, last, new, old)
    return dict(sorted(found.items()))


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


def _elsewhere(
    standard: "Standard",
    last: pl.DataFrame,
    new: dict[str, np.ndarray],
    old: dict[str, np.ndarray],
) -> dict[str, str]:
    """Rows that are not those of before: other keys, or geometries in another place."""
    found, keys = {}, [k for k in standard.spec.keys if k in last.columns]
    if keys and last.height >= _MIN_PAIRS:
        met = last.join(standard.table, on=keys, how="semi", nulls_equal=True).height
        if met < _KEYS_KEPT * last.height:
            found[keys[0]] = f"{met} of the {last.height} keys of before"
    if "geometry/x" in new and len(old["geometry/x"]) >= _MIN_PAIRS:
        size = max(np.nanmax(old[f"geometry/{a}"]) - np.nanmin(old[f"geometry/{a}"]) for a in "xy")
        away = np.hypot(*(new[f"geometry/{a}"] - old[f"geometry/{a}"] for a in "xy")) > size / 20
        if away.mean() > 0.1:
            found["geometry"] = f"{away.mean():.0%} of the geometries lie elsewhere"
    return found


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
        parts = [_pixels(root / path) for path in rows["path"].to_list()]
        values = np.concatenate(parts) if parts else np.empty(0)
        return values[np.isfinite(values)]
    column = standard.table[name]
    if isinstance(column.dtype, pl.List | pl.Array):
        column = column.head(_ARRAYS).explode()
    return column.drop_nulls().drop_nans().cast(pl.Float64).to_numpy()


def _pixels(path: Path) -> np.ndarray:
    """Pixels of blocks that lie evenly over a layer; of a small one all."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.open(path) as layer:
        if layer.width * layer.height <= _BLOCKS * _BLOCK**2:
            values = layer.read(1, masked=True)
            return values.astype(np.float64).filled(np.nan).ravel()
        side = round(math.sqrt(_BLOCKS))
        parts = []
        for row, col in itertools.product(range(side), range(side)):
            top = int((row + 0.5) / side * (layer.height - _BLOCK))
            left = int((col + 0.5) / side * (layer.width - _BLOCK))
            part = layer.read(1, masked=True, window=Window(left, top, _BLOCK, _BLOCK))
            parts.append(part.astype(np.float64).filled(np.nan).ravel())
        return np.concatenate(parts)


def _scale(said: Quantity) -> str:
    return "linear" if str(said.unit) in _LINEAR_UNITS else "log"


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


@functools.cache
def _listed() -> dict[str, Any]:
    path = Path(__file__).parent / "slips.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _as_unit(
    by: Conversion,
    name: str,
    basis: str | None,
    said: Quantity,
    seen: set[tuple[float, float, str | None]],
) -> list[Slip]:
    """The numbers of the file read in another unit; none where it measures something else.

    A unit that converts as one of those `seen` tells nothing new.
    """
    other = _read_in(name, basis, said)
    if other is None:
        return []
    way = (other.scale, other.offset, other.transform)
    if way in seen:
        return []
    seen.add(way)
    return [Slip(name, functools.partial(_reread, by=by, other=other))]


@functools.cache
def _read_in(name: str, basis: str | None, said: Quantity) -> Conversion | None:
    """From a unit to that of a quantity; kept, for most units measure something else."""
    try:
        return conversion(name, basis, str(said.unit), said.basis, said.analyte)
    except UnitError:
        return None


def _reread(values: np.ndarray, by: Conversion, other: Conversion) -> np.ndarray:
    return other.array(_native(values, by))


def _native(values: np.ndarray, by: Conversion) -> np.ndarray:
    """The numbers that a conversion has made these values of."""
    native = (values - by.offset) / by.scale
    if by.transform == "power_of_ten":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(native)
    return np.power(10.0, native) if by.transform == "log10" else native


def _times(values: np.ndarray, factor: float) -> np.ndarray:
    return values * factor


def _power(values: np.ndarray, by: Conversion, of: str) -> np.ndarray:
    native = _native(values, by)
    with np.errstate(over="ignore"):
        return by.array(np.power(10.0, native) if of == "log10" else np.exp(native))


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and offset through the quartiles: a few odd values do not move them."""
    x_low, x_mid, x_high = np.quantile(x, (0.25, 0.5, 0.75))
    y_low, y_mid, y_high = np.quantile(y, (0.25, 0.5, 0.75))
    if x_high == x_low:
        return 0.0, 0.0
    slope = (y_high - y_low) / (x_high - x_low)
    return float(slope), float(y_mid - slope * x_mid)


def _same(values: np.ndarray, other: np.ndarray) -> float:
    """Share of the places where two series hold the same, of those where one holds anything."""
    if values.dtype.kind == "f" and other.dtype.kind == "f":
        filled = np.isfinite(values) | np.isfinite(other)
        equal = np.isclose(values, other, rtol=1e-6, atol=0)
    else:
        filled = (values != None) | (other != None)  # noqa: E711 - elementwise
        equal = values == other
    return float(equal[filled].mean()) if filled.any() else 1.0


def _rows(
    standard: "Standard", last: pl.DataFrame
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    new, keys = standard.table, list(standard.spec.keys)
    names = [
        r.name
        for r in standard.columns
        if r.name in last.columns and r.name not in keys and r.kind in ("numeric", "categorical")
    ]
    if "geometry" in new.columns and "geometry" in last.columns:
        new, last = (_with_centroids(part) for part in (new, last))
        names += ["geometry/x", "geometry/y"]
    kinds = (pl.Float64, pl.String, pl.List)
    names = [n for n in names if new[n].dtype == last[n].dtype and new[n].dtype in kinds]
    if keys and set(keys) <= set(last.columns):
        met = new.select(*keys, *names).join(
            last.select(*keys, *names).unique(keys), on=keys, suffix="\0"
        )
        new, old = met.select(names), met.select(pl.col(f"{n}\0").alias(n) for n in names)
    elif new.height == last.height:
        new, old = new.select(names), last.select(names)
    else:
        return {}, {}
    pairs = {n: _pair(new[n], old[n]) for n in names}
    return {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}


def _with_centroids(table: pl.DataFrame) -> pl.DataFrame:
    import shapely

    middle = shapely.centroid(shapely.from_wkb(table["geometry"].to_numpy()))
    place = {"geometry/x": shapely.get_x(middle), "geometry/y": shapely.get_y(middle)}
    return table.with_columns(pl.Series(name, values) for name, values in place.items())


def _pair(new: pl.Series, old: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(new.dtype, pl.List):
        alike = (new.list.len() == old.list.len()).fill_null(value=False)
        new, old = (part.filter(alike).head(_ARRAYS).explode() for part in (new, old))
    return _series(new), _series(old)


def _series(column: pl.Series) -> np.ndarray:
    if column.dtype == pl.String:
        return np.array(column.to_list(), dtype=object)
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _layers(
    standard: "Standard", last: pl.DataFrame, root: Path, last_root: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Pixels at the same places of layers in one CRS, by `column/element`.

    Of one grid they are the same pixels, of two the nearest ones to evenly laid points.
    """
    found: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    grid = ("transform", "width", "height")
    before = {(r["column"], r["element"]): r for r in last.iter_rows(named=True)}
    for row in standard.table.iter_rows(named=True):
        key = (row["column"], row["element"])
        old = before.get(key)
        if old is None or row["crs"] != old["crs"]:
            continue
        paths = [root / row["path"], last_root / old["path"]]
        if row["sha256"] == old["sha256"] or not paths[1].is_file():
            continue
        same = all(row[g] == old[g] for g in grid)
        points = None if same else _lattice(old)
        for part, path in zip(found, paths, strict=True):
            part[f"{key[0]}/{key[1]}"] = _pixels(path) if same else _nearest(path, points)
    return found


def _lattice(layer: dict[str, Any]) -> np.ndarray:
    """(n, 2) x and y of evenly laid points on a layer."""
    a, _, left, _, e, top = layer["transform"]
    columns = (np.arange(_POINTS) + 0.5) / _POINTS * layer["width"]
    rows = (np.arange(_POINTS) + 0.5) / _POINTS * layer["height"]
    x, y = np.meshgrid(left + a * columns, top + e * rows)
    return np.column_stack([x.ravel(), y.ravel()])


def _nearest(path: Path, points: np.ndarray) -> np.ndarray:
    import rasterio

    with rasterio.open(path) as layer:
        values = np.ma.concatenate(list(layer.sample(points, masked=True)))
    return values.astype(np.float64).filled(np.nan)
