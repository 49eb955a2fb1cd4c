"""What validation by Great Expectations costs beside the same checks in plain polars.

python benchmarks/validate.py [--rows 70000] [--columns 30]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from good_standard import good_standard  # noqa: E402

from adapters.settings import Settings  # noqa: E402
from adapters.standardise import Standard  # noqa: E402


def large(rows: int, columns: int, folder: Path) -> Standard:
    """The tests' good table, repeated to `rows` rows, its pH repeated to `columns` columns more."""
    small = good_standard(folder)
    times = rows // small.table.height
    table = (
        pl.concat([small.table.with_columns(pl.col("pit") + f"-{i}") for i in range(times)])
        .with_columns(pl.format("pits.csv#{}", pl.int_range(pl.len()) + 2).alias("row_ref"))
        .with_columns(pl.col("ph").alias(f"ph_{i}") for i in range(columns))
    )
    like = small.spec.column("ph")
    more = [like.model_copy(update={"name": f"ph_{i}"}) for i in range(columns)]
    record = next(c for c in small.columns if c.name == "ph")
    return Standard(
        small.spec.model_copy(update={"columns": (*small.spec.columns, *more)}),
        small.raw,
        small.version,
        table,
        small.flags,
        small.columns + [type(record)(**{**vars(record), "name": c.name}) for c in more],
    )


def plain(standard: Standard) -> bool:
    """The same range, code, key, depth, texture and period checks as one polars query."""
    table, spec = standard.table, standard.spec
    ranged = [
        c
        for c in spec.columns
        if c.minimum is not None and not isinstance(table.schema[c.name], pl.List)
    ]
    rules = [pl.col(c.name).is_between(c.minimum, c.maximum).all().alias(c.name) for c in ranged]
    rules += [pl.col(c.name).is_not_null().any().alias(f"{c.name} held") for c in spec.columns]
    rules += [
        pl.struct(spec.keys).is_unique().all().alias("keys"),
        pl.col("row_ref").is_unique().all().alias("row_ref unique"),
        pl.col("land_cover").is_in(["A", "B"]).all().alias("codes"),
        (pl.col("depth_bottom") > pl.col("depth_top")).all().alias("depths"),
        ((pl.sum_horizontal("clay", "silt", "sand") - 100).abs() <= 2).all().alias("texture"),
        pl.col("longitude").is_between(-10, 30).all().alias("west to east"),
        pl.col("latitude").is_between(35, 70).all().alias("south to north"),
        pl.col("spectrum").list.min().ge(0).all().alias("spectrum from"),
        pl.col("spectrum").list.max().le(3).all().alias("spectrum to"),
    ]
    optional = {f"{c.name} held" for c in spec.columns if not c.required}
    answers = table.select(rules).row(0, named=True)
    return all(value for name, value in answers.items() if name not in optional)


def timed(work: Callable[[], object], repeats: int = 5) -> float:
    """Best of some repeats, in CPU seconds: what else the machine does matters less."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--columns", type=int, default=30)
    said = parser.parse_args()
    start = time.process_time()
    import great_expectations  # noqa: F401

    imported = time.process_time() - start
    from expectations.engine import data_docs, validate

    with tempfile.TemporaryDirectory() as folder:
        standard = large(said.rows, said.columns, Path(folder) / "pits")
        settings = Settings(data_root=Path(folder) / "data")
        start = time.process_time()
        report = validate(standard)
        first = time.process_time() - start
        if not (report.success and plain(standard)):
            raise SystemExit(report.readable())
        ours, theirs = timed(lambda: validate(standard)), timed(lambda: plain(standard))
        docs = timed(lambda: data_docs(report, settings))
    height, width = standard.table.shape
    sys.stdout.write(
        f"{height} rows x {width} columns, {len(report.results)} expectations; CPU seconds\n"
        f"import of great_expectations  {imported:6.2f} s\n"
        f"first validate                {first:6.2f} s\n"
        f"validate                      {ours:6.2f} s\n"
        f"the same checks in polars     {theirs:6.3f} s\n"
        f"ratio                         {ours / theirs:6.0f}\n"
        f"data docs of one source       {docs:6.2f} s\n"
    )


if __name__ == "__main__":
    main()
