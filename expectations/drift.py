"""What a new version of a source has to have in common with the last one.

Belongs here: expectations that compare with the last committed version, and how much may change.
Never here: what holds of a version by itself (see `derive`), or reading the last version (see
`baselines`).

All of them carry `comparison` in their `meta`: a person who has looked at the difference may accept
the version all the same.
"""

import math
from typing import TYPE_CHECKING, Any

from expectations.baselines import Baseline, Layer

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

    from adapters.standardise import Standard

# A new edition may lose some rows, or a column's value in some rows; one that loses it in more than
# a fifth of them is taken for truncated, or for lacking an optional file that the last one had.
MAX_SHRINKAGE = 0.2
# Rows that stayed have less reason to lose values: half of a joined table is missing, say.
MAX_LOSS = 0.1
# A layer's mean may move by a quarter of its range, and where no value is negative neither halve
# nor double: a unit slip moves it by a factor of 10 or more, another year by a few percent.
MAX_SHIFT = 0.25
MAX_FACTOR = 2.0

READ_REMEDY = "compare the file with columns.csv: unit, decimal sign, delimiter, column order"


def meta(remedy: str, *, blocking: bool = True, comparison: bool = False) -> dict[str, Any]:
    """What an expectation carries beside its arguments.

    Args:
        remedy: What a reader does about its failure.
        blocking: Does its failure refuse the version?
        comparison: Is it about the difference to the last version?
    """
    return {
        "meta": {
            "blocking": blocking,
            "remedy": remedy,
            "origin": "derived",
            "comparison": comparison,
        },
        "severity": "critical" if blocking else "warning",
    }


def compared(standard: "Standard", last: Baseline) -> list["Expectation"]:
    """Expectations on a standard table that follow from the last version."""
    import great_expectations.expectations as gxe

    rows: list[Expectation] = [
        gxe.ExpectTableRowCountToBeBetween(
            min_value=math.ceil(last.rows * (1 - MAX_SHRINKAGE)),
            **meta(
                f"an empty or truncated file (version {last.version} has {last.rows} rows)",
                comparison=True,
            ),
        )
    ]
    if standard.spec.is_raster:
        return rows + _layers(standard, last)
    return rows + _coverage(standard, last) + _columns(standard, last)


def _coverage(standard: "Standard", last: Baseline) -> list["Expectation"]:
    from expectations.custom import ExpectFilesToKeepTheirRows, ExpectPositionsToCoverBox

    kept: list[Expectation] = [
        ExpectFilesToKeepTheirRows(
            files=last.files,
            min_share=1 - MAX_SHRINKAGE,
            **meta(f"version {last.version} had more: a truncated file", comparison=True),
        )
    ]
    if last.box is None:
        return kept
    return [
        *kept,
        ExpectPositionsToCoverBox(
            box=last.box,
            of_geometry="geometry" in standard.table.columns,
            min_share=1 - MAX_SHRINKAGE,
            **meta(
                f"version {last.version} reached farther: a truncated file, or other coordinates",
                comparison=True,
            ),
        ),
    ]


def _columns(standard: "Standard", last: Baseline) -> list["Expectation"]:
    """What a column lost, and what it became, since the last version.

    A median outside of the middle 80 % of the last version is another unit, not another year.
    """
    import great_expectations.expectations as gxe

    emptier: list[Expectation] = [
        gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
            column=name,
            min_value=share * (1 - MAX_LOSS),
            **meta(
                f"far fewer values than in version {last.version} ({share:.0%} of its rows): an "
                "optional file is missing, or a joined one is cut short or has other keys",
                comparison=True,
            ),
        )
        for name, share in last.filled.items()
        if name in standard.table.columns
    ]
    return emptier + [
        gxe.ExpectColumnMedianToBeBetween(
            column=record.name,
            min_value=last.middle[record.name][0],
            max_value=last.middle[record.name][1],
            **meta(f"much unlike version {last.version}: " + READ_REMEDY, comparison=True),
        )
        for record in standard.columns
        if record.name in last.middle
        and record.name in standard.table.columns
        and standard.table[record.name].count()
    ]


def _layers(standard: "Standard", last: Baseline) -> list["Expectation"]:
    from expectations.custom import ExpectLayersToBeLike

    numeric = {column.name for column in standard.spec.columns if column.kind == "numeric"}
    present = set(standard.table["column"].unique())
    return [
        ExpectLayersToBeLike(
            column=name,
            crs=layers[0].crs,
            boxes=[list(layer.box) for layer in layers],
            covered=[layer.covered * (1 - MAX_SHRINKAGE) for layer in layers],
            ranges=[_ranges(layer) if name in numeric else None for layer in layers],
            min_share=1 - MAX_SHRINKAGE,
            **meta(
                f"much unlike version {last.version}: another unit, nodata misread, another region "
                "or grid",
                comparison=True,
            ),
        )
        for name, layers in last.layers.items()
        if name in present
    ]


def _ranges(layer: Layer) -> dict[str, list[float]] | None:
    """Bounds of the statistics of a layer; None where it has one value alone."""
    width = layer.maximum - layer.minimum
    if width <= 0:
        return None
    low, high = layer.mean - MAX_SHIFT * width, layer.mean + MAX_SHIFT * width
    if layer.minimum >= 0:
        low, high = max(low, layer.mean / MAX_FACTOR), min(high, layer.mean * MAX_FACTOR)
    return {
        "mean": [low, high],
        "minimum": [layer.minimum - width, layer.maximum],
        "maximum": [layer.minimum, layer.maximum + width],
    }
