"""Running Great Expectations on the data of this project: the one seam that knows how.

Belongs here: turning a standard table into what Great Expectations reads, and its answers into a
report.
Never here: which expectations hold (see `derive`), or the pages made of a report (see `site`).

Great Expectations 1.24 has no DuckDB engine: tables go to it as pandas frames on Arrow columns,
which keep DuckDB's types and hold arrays and BLOBs. The rows of failures are looked up here
afterwards: its own index lists take seconds for each column of which half of 70,000 values fail.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from expectations.baselines import Baseline
from expectations.derive import expectations_for

if TYPE_CHECKING:
    from adapters.standardise import Standard

_SAMPLES = 5


@dataclass(frozen=True)
class CheckResult:
    """The answer to one expectation.

    Attributes:
        expectation: Its name in Great Expectations.
        column: Column it is about; None for the table.
        success: Does it hold?
        blocking: Does its failure refuse the version?
        observed: What was found, in words.
        detail: What was expected, or why the check itself failed.
        samples: A few unexpected values with the row they stand in.
        remedy: What to do about it.
        comparison: Is it about the difference to the last version? A person may overrule these.
    """

    expectation: str
    column: str | None
    success: bool
    blocking: bool
    observed: str
    detail: str
    samples: tuple[str, ...]
    remedy: str
    comparison: bool = False

    def __str__(self) -> str:
        """One readable paragraph."""
        lines = [f"{self.expectation} ({self.column or 'table'}): {self.detail}"]
        if self.observed:
            lines.append(f"  observed: {self.observed}")
        if self.samples:
            lines.append("  found: " + "; ".join(self.samples))
        return "\n".join([*lines, f"  remedy: {self.remedy}"])


@dataclass(frozen=True)
class Report:
    """The answers to all expectations of one version of one source."""

    source: str
    version: str
    results: tuple[CheckResult, ...]
    validation: Any = field(repr=False, compare=False)
    """Great Expectations' own result, which Data Docs are made from."""

    @property
    def success(self) -> bool:
        """Does everything that blocks hold?"""
        return not self.refusals

    @property
    def refusals(self) -> list[CheckResult]:
        """Blocking expectations that failed."""
        return [r for r in self.results if r.blocking and not r.success]

    @property
    def warnings(self) -> list[CheckResult]:
        """Other expectations that failed."""
        return [r for r in self.results if not r.blocking and not r.success]

    def readable(self) -> str:
        """The outcome in words, refusals first."""
        held = sum(r.success for r in self.results)
        head = f"{self.source} {self.version}: {held} of {len(self.results)} expectations hold"
        parts = [head, *(f"REFUSED {r}" for r in self.refusals)]
        return "\n".join([*parts, *(f"warning {r}" for r in self.warnings)])


def validate(
    standard: "Standard", last: Baseline | None = None, beside: Sequence[Any] = ()
) -> Report:
    """Check a standard table against the expectations of its specification.

    Args:
        standard: What would be committed.
        last: The last committed version, to compare with.
        beside: Expectations that need other sources, such as those of unit slips.
    """
    return run(standard, [*expectations_for(standard, last), *beside])


def run(standard: "Standard", expectations: list[Any]) -> Report:
    """Run given expectations on a standard table.

    An expectation that raises is a failed check with the reason, never a passed one.
    """
    import great_expectations as gx

    source = standard.spec.id
    context = _context()
    suite = gx.ExpectationSuite(source)
    # Not add_expectation(), which searches the suite for a duplicate of each.
    suite.expectations = [
        e.copy(update={"meta": {**e.meta, "number": i}}) for i, e in enumerate(expectations)
    ]
    sources = context.data_sources
    asset = sources.pandas_default.add_dataframe_asset(source)
    try:
        batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(
            {"dataframe": _frame(standard.table)}
        )
        validation = batch.validate(
            suite, result_format={"result_format": "BASIC", "partial_unexpected_count": _SAMPLES}
        )
    finally:
        sources.pandas_default.delete_asset(source)
    # Answers come grouped by metric domain, not in the order asked.
    validation.results.sort(key=lambda r: r.expectation_config.meta["number"])
    results = tuple(_answer(result, standard.table) for result in validation.results)
    return Report(source, standard.version, results, validation)


def _frame(table: pl.DataFrame) -> Any:
    frame = table.to_pandas(use_pyarrow_extension_array=True)
    for name, dtype in table.schema.items():
        # Range checks are vectorised on numpy columns alone, and call Python for each value of
        # others. A column with a NaN stays on Arrow, where NaN is a value and not a missing one.
        if dtype == pl.Float64 and not table[name].is_nan().any():
            frame[name] = table[name].to_numpy()
    return frame


@functools.cache
def _context() -> Any:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def _answer(result: Any, table: pl.DataFrame) -> CheckResult:
    config, found = result.expectation_config, result.result
    asked, meta = config.kwargs, config.meta
    problem = _exception(result.exception_info)
    column = asked.get("column")
    # In raster tables `column` names a column of statistics, or is the name of the layers checked.
    observed = found.get("observed_value")
    if observed is None and "unexpected_count" in found:
        observed = f"{found['unexpected_count']} of {found['element_count']} values unexpected"
    expected = ", ".join(
        f"{key} {value}"
        for key, value in asked.items()
        if key in ("min_value", "max_value", "length", "tolerance", "max_share", "mostly")
        and value is not None
    )
    return CheckResult(
        expectation=config.type,
        column=column or ", ".join(asked.get("column_list", ())) or None,
        success=bool(result.success) and problem is None,
        blocking=meta["blocking"],
        observed="" if observed is None else str(observed),
        detail=f"the check itself failed: {problem}" if problem else expected,
        samples=() if result.success or problem else _samples(asked, found, config.type, table),
        remedy=meta["remedy"],
        comparison=meta.get("comparison", False) and problem is None,
    )


def _exception(info: dict[str, Any]) -> str | None:
    """First reason in GX's exception info, which is flat or keyed by metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    messages = [e["exception_message"] for e in entries if e.get("raised_exception")]
    return str(messages[0]) if messages else None


def _samples(
    asked: dict[str, Any], found: dict[str, Any], name: str, table: pl.DataFrame
) -> tuple[str, ...]:
    """Unexpected values and the rows they stand in."""
    values = found.get("partial_unexpected_list") or []
    if refs := found.get("details", {}).get("row_refs"):
        return tuple(f"{ref}: {value}" for ref, value in zip(refs, values, strict=True))
    if name == "expect_compound_columns_to_be_unique":
        names = asked["column_list"]
        rows = table.filter(pl.struct(names).is_duplicated())
    elif name == "expect_column_pair_values_a_to_be_greater_than_b":
        names = [asked["column_A"], asked["column_B"]]
        rows = table.filter(pl.col(names[0]) <= pl.col(names[1]))
    elif name == "expect_column_values_to_not_be_null":
        names = [asked["column"]]
        rows = table.filter(pl.col(names[0]).is_null())
    elif values and name.startswith("expect_column_values_"):
        names = [asked["column"]]
        rows = table.filter(pl.col(names[0]).is_in(values))
    else:
        return tuple(str(value) for value in values)
    shown = rows.select(pl.col("row_ref").alias("# row"), *names).head(_SAMPLES)
    return tuple(f"{row[0]}: {', '.join(str(v) for v in row[1:])}" for row in shown.iter_rows())
