"""The table of sequence runs that the SRA Run Selector hands out, one row a sample.

Belongs here: telling marker and sample number from the name of a library.
Never here: reads; any index derived from them; which markers a source has (its `hooks.py`).
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl


def runs_of_samples(path: Path, markers: Sequence[str]) -> pl.DataFrame:
    """Runs of a metadata table, side by side for each sample.

    Args:
        path: Comma-separated, with `Run`, `Bases` and `Library Name` (`<marker>_<number>`).
        markers: The sequenced genes or regions.

    Returns:
        `BARCODE_ID`, then `<marker>: Run` and `<marker>: Bases` of each marker.

    Raises:
        ValueError: A library is named otherwise, or a sample has two runs of one marker.
    """
    table = pl.read_csv(path, infer_schema=False).select("Run", "Bases", "Library Name")
    named = pl.col("Library Name").str.strip_chars().str.to_uppercase()
    parts = named.str.extract_groups(rf"^({'|'.join(markers)})[_-]0*(\d+)$")
    table = table.with_columns(marker=parts.struct[0], BARCODE_ID=parts.struct[1])
    odd = table.filter(pl.col("marker").is_null())["Library Name"].head(3).to_list()
    if odd:
        raise ValueError(f"libraries that name no {' or '.join(markers)} and sample: {odd}")
    twice = table.filter(pl.struct("marker", "BARCODE_ID").is_duplicated())["Run"].head(4)
    if len(twice):
        raise ValueError(f"several runs of one marker and sample: {twice.to_list()}")
    samples = table.select("BARCODE_ID").unique(maintain_order=True)
    for marker in markers:
        own = table.filter(marker=marker).select(
            "BARCODE_ID", pl.col("Run", "Bases").name.prefix(f"{marker}: ")
        )
        samples = samples.join(own, on="BARCODE_ID", how="left", maintain_order="left")
    return samples
