"""Unit slips: named where the evidence is strong, silence where it is weak."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from good_standard import commit, good_standard
from hypothesis import given
from hypothesis import strategies as st

from adapters.quantities import quantity as quantity_of
from adapters.settings import Settings
from adapters.spec import Depth, Space
from adapters.units import conversion
from expectations import slips
from expectations.baselines import baseline
from expectations.editions import against_last, exchanged, rescaled, unrelated
from expectations.engine import validate
from expectations.gate import RefusedError
from expectations.readings import readings
from expectations.slips import Distribution, likely_slip

RANDOM = np.random.default_rng(7)
CARBON = np.exp(RANDOM.normal(3, 0.6, 400))  # g/kg


def standard(tmp_path: Path, unit: str, basis: str | None, quantity: str):
    """A table with one column `value` of a quantity; only its record and specification matter."""
    made = good_standard(tmp_path)
    record = next(r for r in made.columns if r.name == "organic_carbon")
    said = quantity_of(quantity)
    by = conversion(unit, basis, str(said.unit), said.basis, said.analyte)
    column = made.spec.column("organic_carbon").model_copy(
        update={"unit": unit, "basis": basis, "quantity": quantity}
    )
    alone = {"rules": (), "keys": (), "depth": Depth(), "space": Space(support="none")}
    spec = made.spec.model_copy(update={"columns": (column,), **alone})
    record = dataclasses.replace(
        record,
        quantity=quantity,
        unit=said.unit,
        native_unit=unit,
        scale=by.scale,
        offset=by.offset,
        transform=by.transform,
    )
    return dataclasses.replace(made, spec=spec, columns=[record]), record


def distribution(values: np.ndarray, quantity: str, source: str = "other") -> Distribution:
    quantiles = tuple(np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist())
    return Distribution(source, "organic_carbon", quantity, None, "user", len(values), quantiles)


def found(tmp_path, values, others, quantity="organic_carbon", unit="g/kg", basis="mass"):
    made, record = standard(tmp_path, unit, basis, quantity)
    pool = [distribution(v, quantity, f"other_{i}") for i, v in enumerate(others)]
    return likely_slip(made, record, distribution(values, quantity, "pits"), pool)


def test_percent_read_as_g_per_kg_is_named(tmp_path):
    words, evidence = found(tmp_path, CARBON / 10, [CARBON, CARBON * 1.2])
    assert words.startswith("percent")
    assert "of 2 other columns" in evidence


def test_mg_read_as_g_is_named(tmp_path):
    words, _ = found(tmp_path, CARBON * 1000, [CARBON])
    assert "mg/kg" in words


def test_oxide_and_organic_matter_are_hypotheses_with_the_factor_of_their_chemistry(tmp_path):
    made, record = standard(tmp_path, "mg/kg", "mass", "total_phosphorus")
    known = {s.words: s.apply(np.array([100.0]))[0] for s in readings(made, record)}
    # Molar masses: 2 x 30.974 of 141.943 g/mol.
    assert known["mg/kg as P2O5"] == pytest.approx(43.64, abs=0.01)
    made, record = standard(tmp_path, "g/kg", "mass", "organic_carbon")
    known = {s.words: s.apply(np.array([172.4]))[0] for s in readings(made, record)}
    assert known["organic matter instead of organic carbon content"] == pytest.approx(100)


def test_divalent_potassium_is_a_hypothesis(tmp_path):
    made, record = standard(tmp_path, "cmol/kg", "charge", "exchangeable_potassium")
    known = {s.words: s.apply(np.array([2.0]))[0] for s in readings(made, record)}
    assert known["counted with 2 charges an ion of K"] == 1.0


@pytest.mark.parametrize("unit", ["degF", "K"])
def test_temperature_scales_are_named(tmp_path, unit):
    celsius = RANDOM.normal(9, 3, 300)
    read = celsius * 1.8 + 32 if unit == "degF" else celsius + 273.15
    words, _ = found(tmp_path, read, [celsius], "air_temperature", "degC", None)
    assert words == unit


def test_logarithms_are_named(tmp_path):
    words, _ = found(tmp_path, np.log10(CARBON * 30), [CARBON * 30])
    assert "log10 of the values" in words


def test_published_ranges_serve_where_no_other_source_is(tmp_path):
    zinc = np.exp(RANDOM.normal(4.1, 0.5, 300))
    assert found(tmp_path, zinc, [], "total_zinc", "mg/kg") is None
    words, evidence = found(tmp_path, zinc / 1000, [], "total_zinc", "mg/kg")
    assert "g/kg" in words
    assert "published soils" in evidence


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.724, 2.0])
def test_what_sources_commonly_differ_by_is_no_slip(tmp_path, factor):
    assert found(tmp_path, CARBON * factor, [CARBON, CARBON * 1.3, CARBON * 0.8]) is None


def test_a_wide_pool_says_nothing(tmp_path):
    wide = np.exp(RANDOM.normal(3, 3, 400))
    assert found(tmp_path, wide * 10, [wide]) is None


def test_few_values_say_nothing(tmp_path):
    made = good_standard(tmp_path)
    few = dataclasses.replace(made, table=made.table.head(20))
    assert slips.distributions(few, tmp_path) == []


@given(st.floats(0.1, 0.9) | st.floats(1.1, 1e4), st.floats(0, 0.004))
def test_a_fixed_multiple_is_found_whatever_it_is(factor, noise):
    new = CARBON * factor * (1 + noise * np.sin(np.arange(len(CARBON))))
    assert float(rescaled(new, CARBON).split()[0]) == pytest.approx(factor, rel=0.02)


@pytest.mark.parametrize(
    "new",
    [
        CARBON,
        CARBON + RANDOM.normal(0, 3, 400),
        RANDOM.permutation(CARBON),
        np.where(np.arange(400) % 2, CARBON, CARBON * 10),
        np.full(400, np.nan),
    ],
)
def test_the_same_noisy_or_mixed_is_no_multiple(new):
    assert rescaled(new, CARBON) is None


def test_another_thing_at_the_same_places_is_unlike_the_last_one():
    said = unrelated(RANDOM.permutation(CARBON), CARBON)
    assert said.startswith("unlike the last one")
    assert unrelated(CARBON + RANDOM.normal(0, 3, 400), CARBON) is None
    assert unrelated(RANDOM.permutation(CARBON)[:30], CARBON[:30]) is None


def test_other_keys_and_moved_geometries_are_found(tmp_path):
    import shapely

    good = good_standard(tmp_path)
    shapes = shapely.to_wkb(shapely.box(np.arange(200), 3.0, np.arange(200) + 1, 4.0))
    last = good.table.with_columns(geometry=pl.Series(shapes, dtype=pl.Binary))
    swapped = shapely.to_wkb(shapely.box(3.0, np.arange(200), 4.0, np.arange(200) + 1))
    turned = dataclasses.replace(
        good, table=good.table.with_columns(geometry=pl.Series(swapped, dtype=pl.Binary))
    )
    assert "geometry" in against_last(turned, last, tmp_path, tmp_path)
    same = dataclasses.replace(good, table=last)
    assert against_last(same, last, tmp_path, tmp_path) == {}
    renamed = dataclasses.replace(
        good, table=good.table.with_columns(pit=pl.format("new {}", "pit"))
    )
    told = against_last(renamed, good.table, tmp_path, tmp_path)
    assert told["pit"] == "0 of the 200 keys of before"


def test_half_of_one_of_two_files_is_refused(tmp_path):
    settings = Settings(data_root=tmp_path / "data")
    good = good_standard(tmp_path)
    file = pl.when(pl.int_range(pl.len()) < 20).then(pl.lit("b.csv#")).otherwise(pl.lit("a.csv#"))
    both = good.table.with_columns(row_ref=file + pl.int_range(pl.len()).cast(pl.String))
    whole = dataclasses.replace(good, table=both)
    commit(whole, settings)
    cut = dataclasses.replace(whole, version="later", table=both[10:])
    with pytest.raises(RefusedError) as caught:
        commit(cut, settings)
    (refusal,) = caught.value.reports[0].refusals
    assert refusal.expectation == "expect_files_to_keep_their_rows"
    assert refusal.samples == ("b.csv: 10 rows, and 20 before",)


def test_exchanged_columns_are_found():
    clay, sand = RANDOM.uniform(0, 100, (2, 50))
    kind = np.array(list("abcdefghij") * 5, dtype=object)
    before = {"clay": clay, "sand": sand, "kind": kind}
    now = {"clay": sand, "sand": clay, "kind": kind}
    assert exchanged(now, before) == {"clay": "sand", "sand": "clay"}
    assert exchanged(before, before) == {}


def test_a_version_times_1_724_is_refused_and_a_person_may_overrule(tmp_path):
    settings = Settings(data_root=tmp_path / "data")
    good = good_standard(tmp_path)
    commit(good, settings)
    matter = dataclasses.replace(
        good,
        version="later",
        table=good.table.with_columns(pl.col("organic_carbon") * 1.724),
    )
    with pytest.raises(RefusedError) as caught:
        commit(matter, settings)
    refusal = next(r for r in caught.value.reports[0].refusals if "declared_unit" in r.expectation)
    assert refusal.column == "organic_carbon"
    assert refusal.comparison
    assert refusal.observed.startswith("1.724 x the last one")
    commit(matter, settings, compare=False)


def test_a_warning_of_the_pool_does_not_refuse(tmp_path):
    settings = Settings(data_root=tmp_path / "data")
    good = good_standard(tmp_path)
    made, record = standard(tmp_path, "g/kg", "mass", "organic_carbon")
    others = dataclasses.replace(
        good,
        spec=made.spec.model_copy(update={"id": "other"}),
        columns=[record],
        table=good.table.with_columns(pl.col("organic_carbon") * 1000),
    )
    slips.remember(others, settings)
    here = dataclasses.replace(made, table=good.table.select("row_ref", "organic_carbon"))
    report = validate(here, baseline(here, settings), slips.slip_expectations(here, settings))
    told = next(w for w in report.warnings if "declared_unit" in w.expectation)
    assert told.column == "organic_carbon"
    assert not told.blocking
    assert "of 1 other columns" in told.observed
