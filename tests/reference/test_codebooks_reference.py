"""The shared LUCAS codebooks against the code lists of the real land survey."""

import csv
from pathlib import Path

import polars as pl

from adapters.codebooks import codebook


def test_every_code_seen_in_the_land_survey_is_known(reference: Path) -> None:
    folder = reference / "lucas_eurostat" / "codes"
    with (folder / "LUCAS_unique_lc1_lu1_combinations_ALL.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for column, name, strange in (
        ("LC1", "lucas_land_cover", set()),
        ("LU1", "lucas_land_use", {"0", "8"}),
    ):
        texts = pl.Series([row[column] for row in rows])
        _, unknown = codebook(name).normalise(texts)
        assert set(texts.filter(unknown)) <= strange
