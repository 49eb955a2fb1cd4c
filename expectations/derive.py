"""Which expectations hold for a source: derived from its specification.

Belongs here: turning spec, codebooks, quantities, flags and the last version into expectations.
Never here: running them (see `engine`), or checks that the specification does not imply.

Each expectation carries `meta` with `blocking` (does its failure refuse the version?), `remedy`
(what a reader does about it) and `origin: derived`.
"""

import datetime
import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from adapters.quantities import quantity
from adapters.readers import matching
from adapters.spec import Column, DepthOrder, NamedFiles, RepeatedRows, SourceSpec, TextureSum
from adapters.units import Conversion, conversion
from expectations.baselines import Baseline
from expectations.drift import READ_REMEDY, compared, meta

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from adapters.standardise import ColumnRecord, Standard

# Flags that cast doubt on the reading of the file. Below detection and missing with a reason
# are statements of the publisher, of which any share is fine; repeated points change no value.
DOUBTS = (
    "out_of_range",
    "code_unknown",
    "unit_by_range",
    "position_suspect",
    "depth_fault",
    "depth_overlap",
    "depth_gap",
    "photograph_missing",
    "unreadable",
    "channels_swapped",
    "texture_sum",
    "replicates_differ",
)

_OFTEN = 3
"""Rows with one text from which it is told."""
_ARROW_TYPES = {
    "text": "large_string",
    "categorical": "large_string",
    "numeric": "double",
    "date": "date32[day]",
    "boolean": "bool",
}
_FIXED_TYPES = {
    "row_ref": "large_string",
    "origin": "large_string",
    "longitude": "double",
    "latitude": "double",
    "position_uncertainty_m": "double",
    "depth_top": "double",
    "depth_bottom": "double",
    "date_start": "date32[day]",
    "date_end": "date32[day]",
    "geometry": "large_binary",
}


def expectations_for(standard: "Standard", last: Baseline | None = None) -> list["Expectation"]:
    """Derive the expectations of one standard table.

    Args:
        standard: The table, its flags and its specification.
        last: The last committed version, if there is one to compare with.
    """
    derived = _raster(standard) if standard.spec.is_raster else _table(standard)
    derived.append(_size())
    return derived + (compared(standard, last) if last else [])


def canonical_range(column: Column, record: "ColumnRecord") -> tuple[float | None, float | None]:
    """Plausible range of a numeric column in its canonical unit.

    The column's own range, or that of its quantity where the column states none. It is widened by
    1e-9 of its size, so that a bound survives the rounding of the conversion.
    """
    low, high = column.minimum, column.maximum
    if (low is not None or high is not None) or column.quantity is None:
        by = Conversion(record.scale, record.offset, record.transform, "", "")
        low, high = (None if v is None else float(by.array(np.array(v))) for v in (low, high))
        if record.scale < 0:
            low, high = high, low
    else:
        general = quantity(column.quantity)
        low, high = general.minimum, general.maximum
    slack = 1e-9 * max(abs(low or 0.0), abs(high or 0.0))
    return None if low is None else low - slack, None if high is None else high + slack


def _table(standard: "Standard") -> list["Expectation"]:
    import great_expectations.expectations as gxe

    from expectations.custom import ExpectTableToHaveColumnTypes

    spec, table = standard.spec, standard.table
    derived: list[Expectation] = [
        ExpectTableToHaveColumnTypes(
            types=_types(standard), **meta("correct columns.csv, or the hook that made the column")
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="row_ref", **meta("a fault of the reader")),
        gxe.ExpectColumnValuesToBeUnique(column="row_ref", **meta("a fault of the reader")),
        gxe.ExpectColumnValuesToBeInSet(
            column="origin", value_set=[standard.raw.origin], **meta("a fault of the reader")
        ),
    ]
    derived += _keys(spec)
    derived += _position(spec) + _depth(standard) + _time(spec)
    for record in standard.columns:
        column = spec.column(record.name)
        if record.name in table.columns:
            derived += _values(standard, column, record)
    derived += _flagged(standard) + _malformed(standard)
    for rule in spec.rules:
        # Rows that repeat others, and files that are not there, are told when the table is made.
        if not isinstance(rule, RepeatedRows | NamedFiles):
            derived.append(_rule(rule, standard))
    return derived


def _types(standard: "Standard") -> dict[str, str]:
    wanted = {name: _FIXED_TYPES[name] for name in standard.table.columns if name in _FIXED_TYPES}
    for record in standard.columns:
        column = standard.spec.column(record.name)
        single = _ARROW_TYPES[column.kind]
        array = column.is_array or standard.spec.tables[column.table].compose == "curve"
        single = "float" if column.is_wide else single
        wanted[record.name] = f"large_list<item: {single}>" if array else single
    return wanted


def _keys(spec: SourceSpec) -> list["Expectation"]:
    import great_expectations.expectations as gxe

    remedy = "a row stands twice in the file, or `keys` in source.yaml lacks a column"
    derived: list[Expectation] = [
        gxe.ExpectColumnValuesToNotBeNull(column=key, **meta("every row needs its key"))
        for key in spec.keys
    ]
    if len(spec.keys) == 1:
        derived.append(gxe.ExpectColumnValuesToBeUnique(column=spec.keys[0], **meta(remedy)))
    elif spec.keys:
        derived.append(
            gxe.ExpectCompoundColumnsToBeUnique(column_list=list(spec.keys), **meta(remedy))
        )
    return derived


def _position(spec: SourceSpec) -> list["Expectation"]:
    import great_expectations.expectations as gxe

    if spec.space.support != "point":
        return []
    west, south, east, north = spec.space.bounds or (-180.0, -90.0, 180.0, 90.0)
    remedy = "longitude and latitude swapped, another CRS, or `bounds` in source.yaml too narrow"
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="longitude", min_value=west, max_value=east, **meta(remedy)
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="latitude", min_value=south, max_value=north, **meta(remedy)
        ),
        gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
            column="longitude", min_value=0, strict_min=True, **meta(remedy)
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="longitude",
            mostly=1 - spec.max_flagged_share,
            **meta("rows without a position are kept, and join nothing", blocking=False),
        ),
    ]


def _depth(standard: "Standard") -> list["Expectation"]:
    import great_expectations.expectations as gxe

    if not {"depth_top", "depth_bottom"} <= set(standard.table.columns):
        return []
    remedy = "top and bottom swapped, or depths in another unit than source.yaml says"
    return [
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="depth_bottom",
            column_B="depth_top",
            ignore_row_if="either_value_is_missing",
            **meta(remedy),
        ),
        gxe.ExpectColumnValuesToBeBetween(column="depth_top", min_value=0, **meta(remedy)),
    ]


def _time(spec: SourceSpec) -> list["Expectation"]:
    import great_expectations.expectations as gxe

    times = [spec.time, *(table.time for table in spec.tables.values() if table.time)]
    starts = [time.start for time in times if time.start]
    ends = [time.end for time in times if time.end]
    remedy = "another day and month order, or the period in source.yaml is too short"
    derived: list[Expectation] = []
    if starts:
        first = min(datetime.date.fromisoformat(start) for start in starts)
        derived.append(
            gxe.ExpectColumnValuesToBeBetween(column="date_start", min_value=first, **meta(remedy))
        )
    if ends:
        final = max(datetime.date.fromisoformat(end) for end in ends)
        derived.append(
            gxe.ExpectColumnValuesToBeBetween(column="date_end", max_value=final, **meta(remedy))
        )
    return derived


def _values(standard: "Standard", column: Column, record: "ColumnRecord") -> list["Expectation"]:
    import great_expectations.expectations as gxe

    from expectations.custom import ExpectArrayValuesToBeBetween

    spec, dtype = standard.spec, standard.table.schema[column.name]
    derived: list[Expectation] = []
    explained = standard.flags.filter(column=column.name, flag="below_detection")
    if column.required and explained.is_empty() and _was_handed_in(standard, column):
        derived.append(
            gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
                column=column.name,
                min_value=0,
                strict_min=True,
                **meta("a required column holds nothing: " + READ_REMEDY),
            )
        )
    if column.kind == "numeric":
        low, high = canonical_range(column, record)
        if isinstance(dtype, pl.List | pl.Array):
            known = column.is_array and column.native != "*"
            length = column.length if known else None
            derived.append(
                ExpectArrayValuesToBeBetween(
                    column=column.name,
                    min_value=low,
                    max_value=high,
                    length=length,
                    **meta(READ_REMEDY),
                )
            )
        elif low is not None or high is not None:
            derived.append(
                gxe.ExpectColumnValuesToBeBetween(
                    column=column.name, min_value=low, max_value=high, **meta(READ_REMEDY)
                )
            )
    elif column.kind == "categorical" and column.codebook != "open":
        from adapters.codebooks import codebook

        derived.append(
            gxe.ExpectColumnValuesToBeInSet(
                column=column.name,
                value_set=list(codebook(column.codebook, spec.folder).codes),
                **meta(f"add the code to codebook {column.codebook}, or correct the column"),
            )
        )
    return derived


def _was_handed_in(standard: "Standard", column: Column) -> bool:
    """Is there a file for a table of this column? An optional table may be absent."""
    spec = standard.spec
    tables = [spec.tables[c.table] for c in spec.columns if c.name == column.name]
    return any(t.required or matching(standard.raw.files, t.files) for t in tables)


def _flagged(standard: "Standard") -> list["Expectation"]:
    from expectations.custom import SAMPLES, ExpectFlaggedShareToBeAtMost

    doubts = standard.flags.filter(pl.col("flag").is_in(DOUBTS))
    derived: list[Expectation] = []
    # A column without such a flag needs no check: its share is 0.
    for column in doubts["column"].unique(maintain_order=True):
        here = doubts.filter(pl.col("column").eq_missing(pl.lit(column, pl.String)))
        first = here.unique("row_ref", keep="first", maintain_order=True)
        rows = first["row_ref"]
        flagged = here.group_by("flag").agg(pl.col("row_ref").n_unique()).sort("flag")
        derived.append(
            ExpectFlaggedShareToBeAtMost(
                column=column,
                flagged=dict(flagged.iter_rows()),
                rows_flagged=rows.len(),
                row_refs=rows.head(SAMPLES).to_list(),
                found=[
                    flag if raw is None else f"{flag}, {raw}"
                    for flag, raw in first.select("flag", "raw").head(SAMPLES).iter_rows()
                ],
                max_share=standard.spec.max_flagged_share,
                **meta(
                    "so many values in doubt mean another unit, order or code: "
                    + READ_REMEDY
                    + _one_text(standard.spec, column, first["raw"])
                ),
            )
        )
    return derived


def _malformed(standard: "Standard") -> list["Expectation"]:
    """Warnings of texts that have not the form of their column: a single one is told."""
    from expectations.custom import SAMPLES, ExpectFlaggedShareToBeAtMost

    derived: list[Expectation] = []
    flags = standard.flags.filter(flag="malformed")
    for column in flags["column"].unique(maintain_order=True):
        here = flags.filter(column=column)
        line = standard.spec.column(column).line
        remedy = (
            f"{here['detail'][0]}: restore the text in the file (import the column as text), or "
            f"correct `form` in line {line} of columns.csv"
        )
        derived.append(
            ExpectFlaggedShareToBeAtMost(
                column=column,
                flagged={"malformed": here.height},
                rows_flagged=here.height,
                row_refs=here["row_ref"].head(SAMPLES).to_list(),
                found=[str(raw) for raw in here["raw"].head(SAMPLES)],
                max_share=0.0,
                **meta(remedy, blocking=False),
            )
        )
    return derived


def _one_text(spec: SourceSpec, column: str | None, raw: pl.Series) -> str:
    """What to do where most of the values in doubt are one text, as an undeclared nodata is."""
    counts = raw.drop_nulls().value_counts(sort=True, name="times")
    if column is None or counts.is_empty():
        return ""
    text, times = counts.row(0)
    if times < _OFTEN or 2 * times <= len(raw):
        return ""
    line = spec.column(column).line
    where = f" in line {line} of columns.csv" if line else " in columns.csv"
    return f"; if {text!r} means missing, add it to `missing`{where}"


def _rule(rule: TextureSum | DepthOrder, standard: "Standard") -> "Expectation":
    from expectations.custom import ExpectFractionsToSumTo100, ExpectHorizonsNotToOverlap

    said = meta("rows that break the rule must be flagged: a fault of the standardisation")
    if isinstance(rule, TextureSum):
        units = {record.name: str(record.unit) for record in standard.columns}
        return ExpectFractionsToSumTo100(
            column_list=list(rule.columns),
            percent=[conversion(units[c], "mass", "percent", "mass").scale for c in rule.columns],
            tolerance=rule.tolerance,
            **said,
        )
    return ExpectHorizonsNotToOverlap(
        profile=rule.profile,
        excused=standard.flags.filter(flag="depth_overlap")["row_ref"].unique().sort().to_list(),
        **said,
    )


def _size() -> "Expectation":
    import great_expectations.expectations as gxe

    return gxe.ExpectTableRowCountToBeBetween(min_value=1, **meta("an empty or truncated file"))


def _raster(standard: "Standard") -> list["Expectation"]:
    import great_expectations.expectations as gxe

    from expectations.custom import (
        ExpectLayersToShareGrid,
        ExpectLayerValuesToBeBetween,
        ExpectNoValueToTakeLayerOver,
        ExpectRefusedPixelsToBeAtMost,
    )

    present = standard.table["column"].unique().to_list()
    derived: list[Expectation] = [
        gxe.ExpectColumnValuesToNotBeNull(
            column="crs", **meta("state the CRS under `read` in source.yaml")
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="valid_share",
            min_value=0,
            strict_min=True,
            max_value=1,
            **meta("a layer without a single value: nodata misread, or an empty file"),
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["column", "element"], **meta("two files stand for one layer")
        ),
    ]
    for record in standard.columns:
        column = standard.spec.column(record.name)
        if record.name not in present:
            if column.required:
                derived.append(
                    gxe.ExpectColumnDistinctValuesToContainSet(
                        column="column", value_set=[record.name], **meta("its layer is missing")
                    )
                )
            continue
        if refused := _refused_pixels(standard, record.name):
            derived.append(
                ExpectRefusedPixelsToBeAtMost(
                    column=record.name,
                    refused={ref: pixels for ref, (pixels, _) in refused.items()},
                    shown={ref: said for ref, (_, said) in refused.items()},
                    max_share=standard.spec.max_flagged_share,
                    **meta(
                        "so many pixels in doubt mean undeclared nodata (then write it into "
                        "`missing` of the column), or another unit or code: " + READ_REMEDY
                    ),
                )
            )
        taken = standard.flags.filter(column=record.name, flag="one_value")
        if taken.height:
            derived.append(
                ExpectNoValueToTakeLayerOver(
                    column=record.name,
                    taken=dict(taken.select("row_ref", "detail").iter_rows()),
                    **meta(_means_missing(column, record, taken["value"][0]), blocking=False),
                )
            )
        if column.is_array:
            derived.append(
                ExpectLayersToShareGrid(
                    column=record.name,
                    length=len(column.natives),
                    **meta("hand in all layers of the column, from one edition"),
                )
            )
        if column.kind == "numeric":
            low, high = canonical_range(column, record)
            if low is not None or high is not None:
                derived.append(
                    ExpectLayerValuesToBeBetween(
                        column=record.name,
                        min_value=low,
                        max_value=high,
                        **meta("undeclared nodata or another unit: " + READ_REMEDY),
                    )
                )
    return derived


def _means_missing(column: Column, record: "ColumnRecord", value: float) -> str:
    """What to do about one value, in the canonical unit, that may be an undeclared nodata."""
    stored = "that value"
    if record.transform is None:
        stored = f"{(value - record.offset) / record.scale:.7g}"
    return (
        f"if {stored} means missing, add it to `missing` of column {column.name} in line "
        f"{column.line} of columns.csv; nothing, if so many places do have that value"
    )


def _refused_pixels(standard: "Standard", column: str) -> dict[str, tuple[int, str]]:
    """Pixels in doubt of each layer of a column, and in words the commonest or farthest of them.

    The detail of its flags begins with the count, and may end with the commonest value.
    """
    shown: dict[str, tuple[int, str]] = {}
    doubts = standard.flags.filter(pl.col("flag").is_in(DOUBTS), column=column)
    for row in doubts.iter_rows(named=True):
        counted = re.match(r"(\d+) of ", row["detail"] or "")
        if not counted:
            continue
        count, said = shown.get(row["row_ref"], (0, ""))
        often = re.search(r"; (\d+) of them are (\S+)$", row["detail"])
        one = row["raw"] if row["value"] is None else f"{row['value']:g}"
        if often:
            said = said or f", {often[1]} times {often[2]}"
        elif one:
            said = said or f", such as {one}"
        shown[row["row_ref"]] = (count + int(counted[1]), said)
    return shown
