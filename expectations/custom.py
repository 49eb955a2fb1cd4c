"""Expectations that Great Expectations lacks.

Belongs here: checks of the standard table that no core expectation can say, each on its own.
Never here: which check applies to which source (see `derive`), or how a suite is run (`engine`).

All of them look at the table as a whole and report the places of the first faults as `row_refs`.
They run on the pandas frame the engine hands in, whose columns are Arrow arrays, and take it back
into polars, which costs no copy.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation

from adapters.crs import same_crs
from adapters.rules import depth_order, texture_sum
from adapters.spec import DepthOrder, TextureSum
from expectations.baselines import extent, files, layer

SAMPLES = 5


class TableRule(BatchExpectation):
    """A check on the whole table: rows that `faults` returns break it."""

    @abstractmethod
    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Find what breaks the rule.

        Args:
            table: The columns named by `reads`, and `row_ref` where the table has it.

        Returns:
            Frame of the faulty rows (columns `row_ref` and `found`), and the value to show as
            observed.
        """

    @property
    def reads(self) -> list[str]:
        """Columns the rule needs; an absent one is a failed check, not a passed one."""
        return []

    def _validate(
        self,
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002
        execution_engine: PandasExecutionEngine | None = None,
    ) -> dict[str, Any]:
        frame = execution_engine.get_domain_records(domain_kwargs={})
        columns = dict.fromkeys([*self.reads, "row_ref"])
        table = pl.from_pandas(frame[list(columns)])
        faults, observed = self.faults(table)
        return {
            "success": faults.is_empty(),
            "result": {
                "observed_value": observed,
                "element_count": table.height,
                "unexpected_count": faults.height,
                "unexpected_percent": 100 * faults.height / max(1, table.height),
                "partial_unexpected_list": faults["found"].head(SAMPLES).cast(pl.String).to_list(),
                "details": {"row_refs": faults["row_ref"].head(SAMPLES).to_list()},
            },
        }


def _none_found(observed: object) -> tuple[pl.DataFrame, object]:
    return pl.DataFrame(schema={"row_ref": pl.String, "found": pl.String}), observed


class ExpectTableToHaveColumnTypes(BatchExpectation):
    """Every named column is there and has the named Arrow type; no others are there."""

    types: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("types",)

    def _validate(
        self,
        metrics: dict[str, Any],  # noqa: ARG002
        runtime_configuration: dict[str, Any] | None = None,  # noqa: ARG002
        execution_engine: PandasExecutionEngine | None = None,
    ) -> dict[str, Any]:
        frame = execution_engine.get_domain_records(domain_kwargs={})
        found = {
            name: str(getattr(dtype, "pyarrow_dtype", None) or pa.from_numpy_dtype(dtype))
            for name, dtype in frame.dtypes.items()
        }
        faults = [f"{name}: missing" for name in self.types if name not in found]
        faults += [f"{name}: not declared" for name in found if name not in self.types]
        faults += [
            f"{name}: {found[name]}, not {wanted}"
            for name, wanted in self.types.items()
            if name in found and found[name] != wanted
        ]
        return {
            "success": not faults,
            "result": {
                "observed_value": f"{len(found)} columns",
                "element_count": len(found),
                "unexpected_count": len(faults),
                "unexpected_percent": 100 * len(faults) / max(1, len(found)),
                "partial_unexpected_list": faults[: 4 * SAMPLES],
            },
        }


class ExpectArrayValuesToBeBetween(TableRule):
    """Elements of an array column lie in a range, and all arrays have the declared length.

    `length` is None where each row has its own: curves, and arrays of all columns of a sheet.
    """

    column: str
    min_value: float | None = None
    max_value: float | None = None
    length: int | None = None
    success_keys: ClassVar[tuple[str, ...]] = ("column", "min_value", "max_value", "length")

    @property
    def reads(self) -> list[str]:
        """The array column."""
        return [self.column]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Rows whose array has another length, a NaN, or an element outside of the range."""
        array = pl.col(self.column)
        low, high = array.list.min(), array.list.max()
        broken = array.list.eval(pl.element().is_nan().fill_null(value=False)).list.any()
        if self.length is not None:
            broken |= array.list.len() != self.length
        if self.min_value is not None:
            broken |= (low < self.min_value).fill_null(value=False)
        if self.max_value is not None:
            broken |= (high > self.max_value).fill_null(value=False)
        faults = table.filter(broken.fill_null(value=False)).select(
            "row_ref",
            found=pl.format("{} elements, {} to {}", array.list.len(), low, high),
        )
        observed = (
            table.select(pl.format("{} to {}", low.min(), high.max())).item()
            if table.height
            else None
        )
        return faults, observed


class ExpectFractionsToSumTo100(TableRule):
    """Fractions add up to 100 % in rows that hold all of them.

    `percent` is what one unit of each column is in percent by mass.
    """

    column_list: list[str]
    percent: list[float]
    tolerance: float
    success_keys: ClassVar[tuple[str, ...]] = ("column_list", "percent", "tolerance")

    @property
    def reads(self) -> list[str]:
        """The fractions."""
        return list(self.column_list)

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Rows whose sum is farther from 100 % than the tolerance."""
        rule = TextureSum(
            kind="texture_sum", columns=tuple(self.column_list), tolerance=self.tolerance
        )
        shares = table.with_columns(
            pl.col(name) * percent
            for name, percent in zip(self.column_list, self.percent, strict=True)
        )
        wrong = texture_sum(shares, rule)
        return wrong.select("row_ref", found="detail"), f"{wrong.height} of {table.height} rows"


class ExpectHorizonsNotToOverlap(TableRule):
    """Within a profile no horizon begins above the end of another, but in rows flagged as such."""

    profile: str
    excused: list[str]
    success_keys: ClassVar[tuple[str, ...]] = ("profile", "excused")

    @property
    def reads(self) -> list[str]:
        """Profile and depths."""
        return [self.profile, "depth_top", "depth_bottom"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """The deeper horizon of each overlap."""
        wrong = depth_order(table, DepthOrder(kind="depth_order", profile=self.profile)).filter(
            flag="depth_overlap"
        )
        silent = wrong.filter(~pl.col("row_ref").is_in(self.excused))
        return silent.select("row_ref", found="detail"), f"{wrong.height} of {table.height} rows"


class ExpectFlaggedShareToBeAtMost(TableRule):
    """No more than a share of the rows carries flags of doubt in one column.

    Values that are not ordinary were taken out of the table and stand in its flags table. A slip of
    the unit of a whole column therefore shows as a large share here, not as values out of range.

    `flagged` is counted from the flags table when the suite is derived, and `found` says what
    stands in the first of its rows; `column` None: flags of the whole row.
    """

    column: str | None = None
    flagged: dict[str, int]
    rows_flagged: int
    row_refs: list[str]
    found: list[str]
    max_share: float
    success_keys: ClassVar[tuple[str, ...]] = (
        "column",
        "flagged",
        "rows_flagged",
        "row_refs",
        "found",
        "max_share",
    )

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """The first flagged rows, if there are too many of them."""
        share = self.rows_flagged / table.height if table.height else 0.0
        observed = f"{share:.2%} of rows" + "".join(
            f", {flag}: {count}" for flag, count in sorted(self.flagged.items())
        )
        if share <= self.max_share:
            return _none_found(observed)
        return pl.DataFrame({"row_ref": self.row_refs, "found": self.found}), observed


class ExpectLayerValuesToBeBetween(TableRule):
    """Pixels of all layers of one column lie in a range."""

    column: str
    min_value: float | None = None
    max_value: float | None = None
    success_keys: ClassVar[tuple[str, ...]] = ("column", "min_value", "max_value")

    @property
    def reads(self) -> list[str]:
        """Statistics of the layers."""
        return ["column", "minimum", "maximum"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Layers with a pixel outside of the range."""
        layers = table.filter(column=self.column)
        broken = pl.lit(value=False)
        if self.min_value is not None:
            broken |= pl.col("minimum") < self.min_value
        if self.max_value is not None:
            broken |= pl.col("maximum") > self.max_value
        return layers.filter(broken.fill_null(value=False)).select(
            "row_ref", found=pl.format("{} to {}", "minimum", "maximum")
        ), f"{layers['minimum'].min()} to {layers['maximum'].max()}"


class ExpectRefusedPixelsToBeAtMost(TableRule):
    """No layer of a column lost more than a share of its filled pixels to flags of doubt.

    `refused` is the number of such pixels of each layer, from the flags table, and `shown` says
    which value most of them hold, or one of them.
    """

    column: str
    refused: dict[str, int]
    shown: dict[str, str]
    max_share: float
    success_keys: ClassVar[tuple[str, ...]] = ("column", "refused", "shown", "max_share")

    @property
    def reads(self) -> list[str]:
        """Size and filled share of the layers."""
        return ["column", "width", "height", "valid_share"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Layers with too many refused pixels."""
        lost = pl.col("row_ref").replace_strict(self.refused, default=0, return_dtype=pl.Float64)
        kept = pl.col("valid_share") * pl.col("width") * pl.col("height")
        layers = table.filter(pl.col("column") == self.column, lost > 0).select(
            "row_ref", share=lost / (lost + kept)
        )
        one = pl.col("row_ref").replace_strict(self.shown, default="", return_dtype=pl.String)
        found = pl.format("{} % of the filled pixels{}", (100 * pl.col("share")).round(2), one)
        return layers.filter(pl.col("share") > self.max_share).select("row_ref", found=found), (
            f"at most {layers['share'].max():.2%} of the filled pixels of a layer"
        )


class ExpectNoValueToTakeLayerOver(TableRule):
    """No layer of continuous numbers holds one exact value all over, as of nodata left undeclared.

    `taken` says of each layer that does which value it is and how much it takes, from the flags
    table.
    """

    column: str
    taken: dict[str, str]
    success_keys: ClassVar[tuple[str, ...]] = ("column", "taken")

    @property
    def reads(self) -> list[str]:
        """Layers of the column."""
        return ["column"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """The layers that are named in `taken`."""
        named = pl.col("row_ref").is_in(list(self.taken))
        layers = table.filter(pl.col("column") == self.column, named)
        found = pl.col("row_ref").replace_strict(self.taken, return_dtype=pl.String)
        return layers.select("row_ref", found=found), next(iter(self.taken.values()))


class ExpectLayersToShareGrid(TableRule):
    """All layers of one array column are there and lie on one grid."""

    column: str
    length: int
    success_keys: ClassVar[tuple[str, ...]] = ("column", "length")

    @property
    def reads(self) -> list[str]:
        """What makes a grid."""
        return ["column", "element", "crs", "transform", "width", "height"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Layers on another grid than the first one, or the column itself if layers are missing."""
        layers = table.filter(column=self.column)
        observed = f"{layers.height} layers"
        if layers["element"].to_list() != list(range(self.length)):
            return pl.DataFrame(
                {"row_ref": [self.column], "found": [f"{observed}, not {self.length}"]}
            ), observed
        grid = pl.struct("crs", "transform", "width", "height")
        return layers.filter(grid != grid.first()).select(
            "row_ref", found=pl.format("{} x {} pixels", "width", "height")
        ), observed


class ExpectLayersToBeLike(TableRule):
    """The layers of one column are much like those of another version.

    Lists run over the layers of the column, by element. `ranges` holds bounds of `minimum`,
    `maximum` and `mean`, or None where values are not compared.
    """

    column: str
    crs: str
    boxes: list[list[float]]
    covered: list[float]
    ranges: list[dict[str, list[float]] | None]
    min_share: float
    success_keys: ClassVar[tuple[str, ...]] = (
        "column",
        "crs",
        "boxes",
        "covered",
        "ranges",
        "min_share",
    )

    @property
    def reads(self) -> list[str]:
        """Grid and statistics of the layers."""
        numbers = ["width", "height", "valid_share", "minimum", "maximum", "mean"]
        return ["column", "element", "crs", "transform", *numbers]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """What each layer lost, and what it became."""
        found: dict[str, list[str]] = {"row_ref": [], "found": []}
        rows = table.filter(column=self.column).drop_nulls(["crs", "mean"]).sort("element")
        expected = zip(self.boxes, self.covered, self.ranges, strict=True)
        for row, (box, covered, ranges) in zip(rows.iter_rows(named=True), expected, strict=False):
            for fault in self._of_layer(row, box, covered, ranges):
                found["row_ref"].append(row["row_ref"])
                found["found"].append(fault)
        if rows.height < len(self.boxes):
            found["row_ref"].append(self.column)
            found["found"].append(f"{rows.height} layers, and {len(self.boxes)} before")
        schema = {"row_ref": pl.String, "found": pl.String}
        return pl.DataFrame(found, schema=schema), f"{rows.height} layers"

    def _of_layer(
        self,
        row: dict[str, Any],
        box: list[float],
        covered: float,
        ranges: dict[str, list[float]] | None,
    ) -> list[str]:
        faults = []
        for name, (low, high) in (ranges or {}).items():
            if not low <= row[name] <= high:
                faults.append(f"{name} {row[name]:.6g}, not {low:.6g} to {high:.6g}")
        now = layer(row)
        if not same_crs(row["crs"], self.crs, now.box):
            return [*faults, "another CRS"]
        if now.covered < covered:
            faults.append(f"values on {now.covered:.4g}, not {covered:.4g}, squared units of CRS")
        if (share := shared(tuple(box), now.box)) < self.min_share:
            faults.append(f"lies on {share:.0%} of the box of before")
        return faults


class ExpectFilesToKeepTheirRows(TableRule):
    """A file that gave rows to another version gives about as many now; another name is no file."""

    files: dict[str, int]
    min_share: float
    success_keys: ClassVar[tuple[str, ...]] = ("files", "min_share")

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """Files of which fewer rows came."""
        now = files(table)
        fewer = {
            name: f"{now[name]} rows, and {count} before"
            for name, count in self.files.items()
            if 0 < now.get(name, 0) < self.min_share * count
        }
        found = {"row_ref": list(fewer), "found": list(fewer.values())}
        observed = f"{len(now)} files"
        return pl.DataFrame(found, schema={"row_ref": pl.String, "found": pl.String}), observed


class ExpectPositionsToCoverBox(TableRule):
    """The box around all positions covers at least a share of a given one, in degrees.

    With `of_geometry`, it is the box around all geometries in their own CRS.
    """

    box: list[float]
    min_share: float
    of_geometry: bool = False
    success_keys: ClassVar[tuple[str, ...]] = ("box", "min_share", "of_geometry")

    @property
    def reads(self) -> list[str]:
        """The positions."""
        return ["geometry"] if self.of_geometry else ["longitude", "latitude"]

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """The box, if it is too small."""
        placed = table.select(self.reads).drop_nulls()
        if placed.is_empty():
            return pl.DataFrame({"row_ref": ["table"], "found": ["no position"]}), "no position"
        if self.of_geometry:
            now = tuple(extent(placed["geometry"]) or (0.0, 0.0, 0.0, 0.0))
        else:
            now = (*placed.min().row(0), *placed.max().row(0))
        share = shared(tuple(self.box), now)
        observed = f"{share:.0%} of the box of before"
        if share >= self.min_share:
            return _none_found(observed)
        corners = ", ".join(f"{value:.4g}" for value in now)
        return pl.DataFrame({"row_ref": ["table"], "found": [f"box {corners}"]}), observed


def shared(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Share of the area of a box (left, bottom, right, top) that another one covers."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))


class ExpectColumnToBeInDeclaredUnit(TableRule):
    """Nothing suggests that a column is in another unit than the declared one.

    `likely` is what it seems to be in, found by `expectations.slips` when the suite is derived;
    `column` None: no column of the table seems to be in another unit.
    """

    column: str | None = None
    likely: str | None = None
    evidence: str
    success_keys: ClassVar[tuple[str, ...]] = ("column", "likely", "evidence")

    def faults(self, table: pl.DataFrame) -> tuple[pl.DataFrame, object]:
        """The column, if it seems to be in another unit."""
        if self.likely is None:
            return _none_found(self.evidence)
        shown = table["row_ref"].head(1)
        found = pl.DataFrame({"row_ref": shown, "found": [self.likely] * len(shown)})
        return found, f"{self.likely}: {self.evidence}"
