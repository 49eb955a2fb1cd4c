"""What a column has become since the last version, where it is no longer the same thing.

Belongs here: a version beside the last one, row by row or pixel by pixel: multiples, exchanged
columns, other places.
Never here: how much of a version may change (`drift`), other sources (`slips`).
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from adapters.crs import same_crs
from expectations.baselines import layer
from expectations.readings import Slip, readings

if TYPE_CHECKING:
    from adapters.standardise import Standard

# Pairs that are all moved alike tell more than as many values of two samples.
_MIN_PAIRS = 6
_MIN_DISTINCT = 5
_KEYS_KEPT = 0.5
_MIN_UNRELATED, _RELATED = 60, 0.8
"""Pairs, and the rank correlation that two editions of one thing have at least."""
_BLOCKS, _BLOCK = 16, 64
ARRAYS = 500
"""Rows of array columns that are looked at."""
_POINTS = 40


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
        known = (
            functools.partial(readings, standard, record) if record and record.quantity else tuple
        )
        said = rescaled(new[name], old[name], known) or unrelated(new[name], old[name])
        if said:
            found[name.partition("/")[0]] = said
    for name, other in exchanged(new, old).items():
        found[name.partition("/")[0]] = f"what {other} was before"
    if not standard.spec.is_raster:
        found |= _elsewhere(standard, last, new, old)
    return dict(sorted(found.items()))


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


def some_pixels(path: Path) -> np.ndarray:
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
        new, old = (part.filter(alike).head(ARRAYS).explode() for part in (new, old))
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
        if old is None:
            continue
        if row["crs"] != old["crs"] and not same_crs(row["crs"], old["crs"], layer(row).box):
            continue
        paths = [root / row["path"], last_root / old["path"]]
        if row["sha256"] == old["sha256"] or not paths[1].is_file():
            continue
        same = all(row[g] == old[g] for g in grid)
        points = None if same else _lattice(old)
        for part, path in zip(found, paths, strict=True):
            part[f"{key[0]}/{key[1]}"] = some_pixels(path) if same else _nearest(path, points)
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
