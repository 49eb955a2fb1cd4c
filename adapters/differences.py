"""What differs between two versions of a source.

Belongs here: rows added, removed and changed by key, how columns and layers shifted, what became of
the specification.
Never here: whether a difference is acceptable (room `expectations`), printing.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from adapters.archive import RawVersion, active, candidate, load
from adapters.crs import same_crs
from adapters.errors import ArchiveError
from adapters.quarantine import quarantined
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import Standard, standardise
from adapters.store import Store

_EXAMPLES = 5
_SPEC_FIELDS = (
    "native",
    "aliases",
    "kind",
    "quantity",
    "method",
    "unit",
    "basis",
    "codebook",
    "missing",
    "detection_limit",
    "minimum",
    "maximum",
)


@dataclass(frozen=True)
class ColumnShift:
    """How the values of one column, or the pixels of one layer, differ.

    Attributes:
        column: Canonical name; of a layer with its element.
        unit: Canonical unit before and after.
        missing: Share of rows (pixels) without a value, before and after.
        quantiles: 5th, 50th and 95th percentile before and after; None where not numeric.
        changed: Rows (pixels) of both versions in which it differs.
        ks: Largest distance of the two cumulative distributions (Kolmogorov-Smirnov).
        note: Another grid or extent, another unit, or that one version lacks it.
    """

    column: str
    unit: tuple[str | None, str | None]
    missing: tuple[float | None, float | None]
    quantiles: tuple[tuple[float, ...] | None, tuple[float, ...] | None]
    changed: int | None
    ks: float | None
    note: str | None


@dataclass(frozen=True)
class Difference:
    """Two versions side by side.

    Attributes:
        source: Source or part.
        before: Raw version A.
        after: Raw version B.
        files: File -> added, removed or changed.
        rows: Number of rows added, removed and changed, and of each version.
        examples: added, removed, changed -> a few keys; a changed one with what changed.
        columns: Columns or layers that differ in anything.
        spec: Column, field, before and after, where the specification changed between the two.
    """

    source: str
    before: str
    after: str
    files: dict[str, str]
    rows: dict[str, int]
    examples: dict[str, list[str]]
    columns: tuple[ColumnShift, ...]
    spec: tuple[tuple[str, str, Any, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def readable(self) -> str:
        """The difference in words."""
        rows = ", ".join(f"{count:,} {what}" for what, count in self.rows.items())
        lines = [f"{self.source}: {self.before} -> {self.after}: {rows or 'layers'}"]
        lines += [f"  file {name}: {what}" for name, what in self.files.items()]
        for what, keys in self.examples.items():
            lines += [f"  {what}: {key}" for key in keys]
        for column, field, old, new in self.spec:
            lines.append(f"  spec of {column}: {field} {old!r} -> {new!r}")
        for shift in self.columns:
            told = [shift.note] if shift.note else []
            if shift.unit[0] != shift.unit[1]:
                told.append(f"unit {shift.unit[0]} -> {shift.unit[1]}")
            if shift.changed:
                told.append(f"{shift.changed:,} values differ")
            if all(q is not None for q in shift.quantiles):
                old, new = ([f"{v:.4g}" for v in q] for q in shift.quantiles)
                told.append(f"median {old[1]} -> {new[1]} (5-95 %: {old[0]} to {old[2]} -> "
                            f"{new[0]} to {new[2]})")  # fmt: skip
            if shift.missing[0] != shift.missing[1] and None not in shift.missing:
                told.append(f"missing {shift.missing[0]:.1%} -> {shift.missing[1]:.1%}")
            if shift.ks:
                told.append(f"KS {shift.ks:.3f}")
            lines.append(f"  {shift.column}: " + "; ".join(told))
        return "\n".join(lines)


def difference(spec: SourceSpec, a: str, b: str, settings: Settings) -> list[Difference]:
    """Compare two archived versions of a source.

    Args:
        spec: The source.
        a: `active`, `next`, `quarantined` (the last refused one), or the beginning of a version id.
        b: The same.
        settings: Where archive and store are; nothing is written there.

    Returns:
        One for each part that both versions have, the main one first.

    Raises:
        ArchiveError: There is no such version.
        SoilmeldError: A version that is not in the store cannot be standardised.
    """
    raws = [resolve(spec, name, settings) for name in (a, b)]
    with tempfile.TemporaryDirectory(prefix="soilmeld-diff-") as folder:
        made = [_standards(spec, raw, settings, Path(folder)) for raw in raws]
        pieces = [name for name in made[0] if name in made[1]]
        return [_of_piece(raws, made[0][name], made[1][name]) for name in pieces]


def resolve(spec: SourceSpec, name: str, settings: Settings) -> RawVersion:
    """Archived version by pointer or by the beginning of its id.

    Raises:
        ArchiveError: There is no such version, or several.
    """
    pointed = {"active": active, "next": candidate}
    known = sorted(
        p.name.removesuffix(".lock.json")
        for p in (settings.archive / spec.source).glob("*.lock.json")
    )
    found = [v for v in known if v.startswith(name)]
    if name in pointed:
        version = pointed[name](spec, settings)
        found = [version.version] if version else []
    elif name == "quarantined":
        refused = [entry.version for entry in quarantined(spec, settings)]
        found = [v for v in refused if v in known][-1:]
    if len(found) != 1:
        raise ArchiveError(
            f"{'no' if not found else 'more than one'} version {name!r}",
            source=spec.id,
            samples=found or known,
            remedy="give active, next, quarantined, or more letters of a version id"
            + (f": {', '.join(known)}" if known else "; there is none yet"),
        )
    return load(spec.source, found[0], settings)


@dataclass(frozen=True)
class _Made:
    """A standard table and where it comes from: the store, or made anew."""

    spec: SourceSpec
    table: pl.DataFrame
    units: dict[str, str | None]
    root: Path
    said: dict[str, dict[str, Any]]


def _standards(
    spec: SourceSpec, raw: RawVersion, settings: Settings, folder: Path
) -> dict[str, _Made]:
    """Part -> its table: as committed where it is this raw version's, else standardised aside."""
    store, found = Store(settings), {}
    for piece in spec.pieces:
        meta = store.meta("source", piece.id)
        if meta is None or meta.is_empty() or meta["raw_version"][0] != raw.version:
            break
        table, columns = store.table(piece.id), store.meta("column", piece.id)
        if table is None or columns is None:
            break
        units = dict(columns.select("name", "unit").iter_rows())
        said = _spec_columns(json.loads(meta["spec"][0])["columns"])
        found[piece.id] = _Made(piece, table, units, settings.data_root, said)
    else:
        return found
    root = folder / raw.version
    aside = settings.model_copy(update={"data_root": root})
    standard = standardise(spec, raw, aside)
    return {part.spec.id: _made(part, root) for part in standard.pieces}


def _made(standard: Standard, root: Path) -> _Made:
    units = {record.name: record.unit for record in standard.columns}
    said = _spec_columns([c.model_dump(mode="json") for c in standard.spec.columns])
    return _Made(standard.spec, standard.table, units, root, said)


def _spec_columns(columns: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {c["name"]: {field: c.get(field) for field in _SPEC_FIELDS} for c in columns}


def _of_piece(raws: Sequence[RawVersion], old: _Made, new: _Made) -> Difference:
    files = [{f.name: f.sha256 for f in raw.files} for raw in raws]
    changed = {
        name: "added" if name not in files[0] else "removed" if name not in files[1] else "changed"
        for name in sorted(files[0].keys() | files[1].keys())
        if files[0].get(name) != files[1].get(name)
    }
    spec = tuple(
        (name, field, old.said.get(name, {}).get(field), new.said.get(name, {}).get(field))
        for name in sorted(old.said.keys() | new.said.keys())
        for field in _SPEC_FIELDS
        if old.said.get(name, {}).get(field) != new.said.get(name, {}).get(field)
    )
    if new.spec.is_raster:
        rows, examples, shifts = {}, {}, _layer_shifts(old, new)
    else:
        rows, examples, shifts = _table_shifts(old, new)
    ids = [raw.version[:12] for raw in raws]
    return Difference(new.spec.id, *ids, changed, rows, examples, tuple(shifts), spec)


def _table_shifts(
    old: _Made, new: _Made
) -> tuple[dict[str, int], dict[str, list[str]], list[ColumnShift]]:
    keys = [k for k in new.spec.keys if k in old.table.columns] or ["row_ref"]
    names = [n for n in new.table.columns if n not in (*keys, "row_ref", "origin")]
    both = [n for n in names if n in old.table.columns]
    before, after = (
        made.table.unique(keys, keep="first", maintain_order=True) for made in (old, new)
    )
    met = after.select(*keys, *both).join(
        before.select(*keys, *both), on=keys, suffix="\0", nulls_equal=True, maintain_order="left"
    )
    differs = met.select(_differs(n, met.schema[n]).alias(n) for n in both)
    touched = differs.select(pl.any_horizontal(pl.all())).to_series() if both else pl.Series([])
    added = after.join(before, on=keys, how="anti", nulls_equal=True)
    removed = before.join(after, on=keys, how="anti", nulls_equal=True)
    rows = {
        "rows before": old.table.height,
        "after": new.table.height,
        "added": added.height,
        "removed": removed.height,
        "changed": int(touched.sum() or 0),
    }
    examples = {
        what: [_key(row) for row in frame.select(keys).head(_EXAMPLES).iter_rows()]
        for what, frame in (("added", added), ("removed", removed))
        if frame.height
    }
    changed = met.with_row_index("__row").filter(touched) if rows["changed"] else met.head(0)
    told = []
    for row in changed.head(_EXAMPLES).iter_rows(named=True):
        values = [
            f"{n} {_short(row[n + chr(0)])} -> {_short(row[n])}"
            for n in both
            if differs[n][row["__row"]]
        ]
        told.append(f"{_key(row[k] for k in keys)}: " + ", ".join(values[:_EXAMPLES]))
    if told:
        examples["changed"] = told
    shifts = [
        _shift(n, old, new, int(differs[n].sum())) for n in both if _has_shift(n, old, new, differs)
    ]
    for name in sorted({*new.table.columns} ^ {*old.table.columns}):
        which = "added" if name in new.table.columns else "removed"
        units = (old.units.get(name), new.units.get(name))
        shifts.append(
            ColumnShift(name, units, (None, None), (None, None), None, None, f"column {which}")
        )
    return rows, examples, shifts


def _differs(name: str, dtype: pl.DataType) -> pl.Expr:
    now, before = pl.col(name), pl.col(f"{name}\0")
    if dtype.is_float():
        close = (now - before).abs() <= 1e-9 * pl.max_horizontal(now.abs(), before.abs())
        return ~(close.fill_null(value=False) | now.eq_missing(before))
    return now.ne_missing(before)


def _has_shift(name: str, old: _Made, new: _Made, differs: pl.DataFrame) -> bool:
    return bool(
        differs[name].any()
        or old.units.get(name) != new.units.get(name)
        or old.table[name].null_count() / max(old.table.height, 1)
        != new.table[name].null_count() / max(new.table.height, 1)
    )


def _shift(name: str, old: _Made, new: _Made, changed: int) -> ColumnShift:
    columns = (old.table[name], new.table[name])
    missing = tuple(round(c.null_count() / max(len(c), 1), 6) for c in columns)
    units = (old.units.get(name), new.units.get(name))
    numbers = [
        c.drop_nulls().cast(pl.Float64).to_numpy() if c.dtype.is_numeric() else None
        for c in columns
    ]
    return ColumnShift(name, units, missing, _quantiles(*numbers), changed, _ks(*numbers), None)


def _quantiles(*series: np.ndarray | None) -> tuple[tuple[float, ...] | None, ...]:
    return tuple(
        None if v is None or not len(v) else tuple(np.quantile(v, (0.05, 0.5, 0.95)).tolist())
        for v in series
    )


def _ks(old: np.ndarray | None, new: np.ndarray | None) -> float | None:
    """Kolmogorov-Smirnov distance of two samples."""
    if old is None or new is None or not len(old) or not len(new):
        return None
    old, new = np.sort(old), np.sort(new)
    at = np.concatenate([old, new])
    shares = [np.searchsorted(v, at, side="right") / len(v) for v in (old, new)]
    return round(float(np.abs(shares[0] - shares[1]).max()), 6)


def _layer_shifts(old: _Made, new: _Made) -> list[ColumnShift]:
    from rasterio.transform import Affine, array_bounds

    shifts = []
    before, after = (
        {(r["column"], r["element"]): r for r in made.table.iter_rows(named=True)}
        for made in (old, new)
    )
    for key in sorted(before.keys() | after.keys()):
        name = key[0] if (key[0], 1) not in before.keys() | after.keys() else f"{key[0]}[{key[1]}]"
        one, other = before.get(key), after.get(key)
        units = tuple(row and row["unit"] for row in (one, other))
        missing = tuple(row and round(1 - row["valid_share"], 6) for row in (one, other))
        if one is None or other is None:
            note = f"layer {'added' if one is None else 'removed'}"
            shifts.append(ColumnShift(name, units, missing, (None, None), None, None, note))
            continue
        if one["sha256"] == other["sha256"]:
            continue
        pixels = [_pixels(made.root / row["path"]) for made, row in ((old, one), (new, other))]
        grid = [g for g in ("transform", "width", "height") if one[g] != other[g]]
        box = array_bounds(one["height"], one["width"], Affine(*one["transform"]))
        if not same_crs(one["crs"], other["crs"], box):
            grid.insert(0, "crs")
        changed = None
        if not grid:
            same = np.isclose(*pixels, rtol=1e-6, atol=0, equal_nan=True)
            changed = int((~same).sum())
        known = [p[np.isfinite(p)] for p in pixels]
        note = f"another grid: {', '.join(grid)}" if grid else None
        shifts.append(
            ColumnShift(name, units, missing, _quantiles(*known), changed, _ks(*known), note)
        )
    return shifts


def _pixels(path: Path) -> np.ndarray:
    import rasterio

    with rasterio.open(path) as layer:
        return layer.read(1, masked=True).astype(np.float64).filled(np.nan)


def _key(values: Any) -> str:
    return ", ".join(str(v) for v in values)


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
