"""The feature dictionary: what every column of the matrix means and where it comes from.

Belongs here: feature ids, and one record a feature (docs/data_model.md, "Fused").
Never here: making values.

Ids of backbone features are `<quantity>[__<method>]`: the same quantity by the same method is one
column, whichever survey measured it; another method is another column, and nothing is harmonised
between methods. A column whose depth or statistic is not that of the sample keeps its own name. A
categorical column without method adds its codebook, unless that is the quantity's own; codes that
no codebook explains (`open`) are the survey family's own vocabulary and add its name. Every other
source's features are `<source>.<name>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from adapters.codebooks import codebook
from adapters.errors import FusionError
from adapters.quantities import method, quantity
from adapters.spec import Column, TextureSum
from fusion.inputs import Source

SCHEMA_VERSION = 1
MISSING = "NULL; flags.parquet says why where the reason is known"
_IN_RANGE = ("value", "mean", "median", "p05", "p10", "p90", "p95", "p99")
"""Statistics that lie within the plausible range of what they are a statistic of."""


@dataclass(frozen=True)
class Contribution:
    """One source's column behind a feature."""

    source: Source
    column: Column


def feature_class(column: Column) -> str:
    """`numeric`, `categorical` or `text`; a boolean is categorical."""
    return {"numeric": "numeric", "text": "text"}.get(column.kind, "categorical")


def backbone_ids(source: Source) -> dict[str, str]:
    """Canonical column -> feature id, for a backbone source."""
    ids: dict[str, str] = {}
    # A column named as its quantity goes before others of that quantity, which keep their names.
    columns = sorted(source.features, key=lambda c: c.name != c.quantity)
    for column in columns:
        own = column.quantity is None or column.depth is not None or column.statistic != "value"
        unified = _with_suffix(column.name if own else column.quantity, column, source)
        taken = unified in ids.values()
        ids[column.name] = _with_suffix(column.name, column, source) if taken else unified
    return {column.name: ids[column.name] for column in source.features}


def _with_suffix(base: str, column: Column, source: Source) -> str:
    if column.method:
        return f"{base}__{column.method}"
    if column.codebook == "open" and source.spec.sample is not None:
        return f"{base}__{source.spec.sample.site_prefix}"
    if column.codebook and column.codebook != base and not column.codebook.endswith(f"_{base}"):
        return f"{base}__{column.codebook}"
    return base


def check_agreement(feature: str, contributions: Sequence[Contribution]) -> None:
    """Do all sources mean the same by a feature?

    Raises:
        FusionError: Class, unit, codebook, statistic or depth differ.
    """
    meanings = {
        (
            feature_class(c.column),
            c.source.units.get(c.column.name),
            c.column.codebook,
            c.column.statistic,
            c.column.depth,
        )
        for c in contributions
    }
    if len(meanings) > 1:
        raise FusionError(
            "sources disagree on class, unit, codebook, statistic or depth of one feature",
            where=feature,
            samples=sorted(map(str, meanings)),
            remedy="give the columns different quantities, methods or names: "
            + ", ".join(f"{c.source.id}.{c.column.name}" for c in contributions),
        )


def records(
    matrix: pl.DataFrame,
    contributions: dict[str, list[Contribution]],
    surveys: pl.Series,
    distances: dict[str, pl.Series],
    group: str,
) -> list[dict]:
    """One record a feature, in the order of the matrix.

    Args:
        matrix: Feature columns, with or without `sample_id`.
        contributions: Feature id -> the columns behind it.
        surveys: (n,) survey of each sample.
        distances: Source id -> (n,) distance in m to the row met, for nearest joins.
        group: Origin group.
    """
    made = [
        _record(matrix[feature], feature, behind, surveys, distances, group)
        for feature, behind in contributions.items()
    ]
    sums, shares = exact_sums(matrix, contributions), shares_of_a_whole(contributions)
    return [
        {
            **record,
            "derived_from": sums.get(record["id"], []),
            "adds_up_with": shares.get(record["id"], []),
        }
        for record in made
    ]


def _record(
    values: pl.Series,
    feature: str,
    behind: list[Contribution],
    surveys: pl.Series,
    distances: dict[str, pl.Series],
    group: str,
) -> dict:
    first = behind[0].column
    licences = [c.source.spec.origin.licence for c in behind]
    is_list = isinstance(values.dtype, pl.List | pl.Array)
    numeric = feature_class(first) == "numeric"
    present = pl.DataFrame({"survey": surveys, "there": values.is_not_null()})
    met = next((distances[c.source.id] for c in behind if c.source.id in distances), None)
    flat = values.drop_nulls().explode().drop_nulls() if is_list else values.drop_nulls()
    known = quantity(first.quantity) if first.quantity else None
    unit = behind[0].source.units.get(first.name) if numeric else None
    # The range of a quantity is that of its values in its unit, not of their spread or count.
    in_range = known is not None and unit == known.unit and first.statistic in _IN_RANGE
    plausible = known if in_range else None
    return {
        "id": feature,
        "title": _title(first, known.title if known else None),
        "description": first.description,
        "class": feature_class(first),
        "unit": unit,
        "codebook": first.codebook,
        "codes": _codes(behind, values) if feature_class(first) == "categorical" else None,
        "array_length": values.dtype.size if isinstance(values.dtype, pl.Array) else None,
        "axis": first.axis if is_list else None,
        "group": first.group or (known.group if known else None),
        "sources": [c.source.id for c in behind],
        "columns": {c.source.id: c.column.name for c in behind},
        "method": first.method,
        "licences": sorted({licence.id for licence in licences}),
        "redistribute": all(licence.redistribute for licence in licences),
        "share_alike": any(licence.share_alike for licence in licences),
        "attributions": sorted({licence.attribution for licence in licences}),
        "origin": group if all(c.source.origin == group for c in behind) else "mixed",
        "missing": MISSING,
        "minimum": _finite(flat.min()) if numeric else None,
        "maximum": _finite(flat.max()) if numeric else None,
        "plausible_minimum": plausible and plausible.minimum,
        "plausible_maximum": plausible and plausible.maximum,
        "depth": first.depth or _source_depth(behind),
        "period": first.period or _source_period(behind),
        "statistic": first.statistic,
        "availability": {
            survey: float(share)
            for survey, share in present.group_by("survey")
            .agg(pl.col("there").mean())
            .sort("survey")
            .iter_rows()
        },
        "distance_m": _five_numbers(met.filter(values.is_not_null())) if met is not None else None,
    }


def _title(column: Column, quantity_title: str | None) -> str:
    title = quantity_title or column.name.replace("_", " ").capitalize()
    return f"{title} ({method(column.method).title})" if column.method else title


def _finite(value: object) -> float | None:
    return None if value is None else float(value)


def _codes(behind: list[Contribution], values: pl.Series) -> dict[str, str]:
    name = behind[0].column.codebook
    if name is None or name == "open":
        return {code: code for code in values.drop_nulls().unique().sort()}
    return {
        code: label
        for c in behind
        for code, label in codebook(name, c.source.spec.folder).codes.items()
    }


def _source_depth(behind: list[Contribution]) -> str | None:
    """Depth of all rows in cm where it is one; NULL for backbone features: the sample's depth."""
    spec = behind[0].source.spec
    if spec.sample is not None:
        return None
    top, bottom = spec.depth.top, spec.depth.bottom
    return f"{top:g}-{bottom:g}" if isinstance(top, float) and isinstance(bottom, float) else None


def _source_period(behind: list[Contribution]) -> str | None:
    spec = behind[0].source.spec
    if spec.sample is not None or spec.time.start is None:
        return None
    return f"{spec.time.start}/{spec.time.end}" if spec.time.end else spec.time.start


def _five_numbers(distance: pl.Series) -> dict[str, float] | None:
    if not len(distance):
        return None
    values = distance.to_numpy()
    low, q1, median, q3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    names = ("min", "q1", "median", "q3", "max", "mean")
    return dict(zip(names, map(float, (low, q1, median, q3, high, values.mean())), strict=True))


def shares_of_a_whole(contributions: dict[str, list[Contribution]]) -> dict[str, list[str]]:
    """Features that add up to 100 % with others, by the rules of their sources.

    Returns:
        Feature -> the others: each follows from the rest, so they must be hidden together.
    """
    ids = {(c.source.id, c.column.name): f for f, behind in contributions.items() for c in behind}
    sources = {c.source.id: c.source for behind in contributions.values() for c in behind}
    found: dict[str, set[str]] = {}
    for source in sources.values():
        for rule in source.spec.rules:
            if isinstance(rule, TextureSum):
                members = {ids[key] for name in rule.columns if (key := (source.id, name)) in ids}
                for member in members:
                    found.setdefault(member, set()).update(members - {member})
    return {feature: sorted(others) for feature, others in found.items() if others}


def exact_sums(
    matrix: pl.DataFrame,
    contributions: dict[str, list[Contribution]],
    least_rows: int = 30,
    tolerance: float = 1e-6,
) -> dict[str, list[str]]:
    """Features that are exactly the sum of others of the same sources and unit.

    Least squares of each feature on the others must give weights 0 and 1 and leave nothing over.
    Rows that have the same features are searched together, since surveys and fields differ in what
    they measured and few rows have everything; what is found must hold in every row that has it.
    Features whose values are rounded are not found: only sums that hold to `tolerance`, relative to
    the largest value, are exact.

    Returns:
        Feature -> its terms, two or more.
    """
    families: dict[tuple, list[str]] = {}
    for feature, behind in contributions.items():
        if matrix.schema[feature] == pl.Float64:
            key = (
                tuple(c.source.id for c in behind),
                behind[0].source.units.get(behind[0].column.name),
            )
            families.setdefault(key, []).append(feature)
    sums: dict[str, list[str]] = {}
    for features in families.values():
        if len(features) < 3:
            continue
        values = matrix.select(features).to_numpy()
        patterns, pattern, counts = np.unique(
            np.isfinite(values), axis=0, return_inverse=True, return_counts=True
        )
        for k in np.flatnonzero(counts >= np.maximum(least_rows, 2 * patterns.sum(axis=1))):
            # A sum that was found in other rows would be found again, and cost as much.
            columns = np.array([c for c in np.flatnonzero(patterns[k]) if features[c] not in sums])
            if len(columns) < 3:
                continue
            some = values[pattern == k][: 4 * len(columns) + least_rows][:, columns]
            # Few rows hold a sum at all: without a linear dependence there is nothing to look for.
            size = np.abs(some).max(axis=0)
            varied = size > 0
            if np.linalg.matrix_rank(some[:, varied] / size[varied], tol=1e-6) == varied.sum():
                continue
            for i, column in enumerate(columns):
                chosen = _terms(some, i)
                if len(chosen) and _holds(values, column, columns[chosen], tolerance):
                    sums[features[column]] = [features[j] for j in columns[chosen]]
    return sums


def _terms(some: np.ndarray, i: int) -> np.ndarray:
    """Columns that column `i` seems to be the sum of, two or more; empty where there are none."""
    others = np.delete(np.arange(some.shape[1]), i)
    weights = np.linalg.lstsq(some[:, others], some[:, i])[0]
    chosen = np.isclose(weights, 1.0, atol=1e-4)
    found = chosen.sum() >= 2 and (chosen | np.isclose(weights, 0.0, atol=1e-4)).all()
    return others[chosen & found]


def _holds(values: np.ndarray, column: int, terms: np.ndarray, tolerance: float) -> bool:
    """Is the column the sum of the terms wherever all of them are known?"""
    known = values[np.isfinite(values[:, [column, *terms]]).all(axis=1)]
    rest = np.abs(known[:, terms].sum(axis=1) - known[:, column]).max()
    return bool(rest <= tolerance * np.abs(known[:, column]).max())
