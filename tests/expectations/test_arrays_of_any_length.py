"""Curves and arrays of all columns of a sheet have the length that the file gives them."""

from pathlib import Path

import polars as pl
import pytest

from adapters import twin
from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise
from expectations.engine import validate


@pytest.mark.parametrize(
    ("source", "column"),
    [("eu_hydi", "retention_theta"), ("pesticides_residues_nuts2", "pesticide_concentrations")],
)
def test_length_is_free_and_the_range_is_not(source: str, column: str, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    twin.write(settings, sources=[source], size="tiny", seed=7)
    spec = load_spec(source)
    raw = ingest(spec, settings)
    assert raw is not None
    good = standardise(spec, raw, settings)
    assert validate(good).refusals == []
    spoiled = good.table.with_columns(pl.col(column).list.eval(pl.element() + 100))
    bad = Standard(good.spec, good.raw, good.version, spoiled, good.flags, good.columns)
    assert column in {refusal.column for refusal in validate(bad).refusals}
