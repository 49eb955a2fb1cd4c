"""The markers that were sequenced. Never here: how the table of runs is read."""

from pathlib import Path

import polars as pl

from adapters.readers.sequence_runs import runs_of_samples


def runs(path: Path) -> pl.DataFrame:
    """Runs of eukaryotes (18S), one row a sample."""
    return runs_of_samples(path, ("18S",))
