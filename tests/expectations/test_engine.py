"""The seam to Great Expectations: every kind of column, every kind of failure, and mutations."""

import dataclasses
import socket

import polars as pl
import pytest
from good_standard import good_standard

from adapters.settings import Settings
from expectations.baselines import Baseline, filled, middle
from expectations.custom import TableRule
from expectations.engine import run, validate
from expectations.site import data_docs, write_index


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_standard(tmp_path_factory.mktemp("pits"))


@pytest.fixture(scope="module")
def last(good):
    return Baseline("v0", good.table.height, middle(good.table), filled(good.table))


def changed(standard, *columns, **named):
    return dataclasses.replace(standard, table=standard.table.with_columns(*columns, **named))


def with_flags(standard, column, flag, rows):
    flags = pl.DataFrame({"row_ref": standard.table["row_ref"].head(rows)}).with_columns(
        column=pl.lit(column, pl.String),
        flag=pl.lit(flag),
        raw=pl.lit("9"),
        value=pl.lit(9.0),
        detail=pl.lit(None, pl.String),
    )
    return dataclasses.replace(standard, flags=flags)


def test_good_data_pass(good, last):
    report = validate(good, last)
    assert report.success, report.readable()
    assert not report.warnings, report.readable()
    assert len(report.results) > 30


def test_nothing_leaves_the_machine(good, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert validate(good).success


def first(column):
    return pl.when(pl.int_range(pl.len()) == 0).then


# Each mutation, the expectation that must refuse it, and the column it must name.
MUTATIONS = {
    "a column times ten": (
        lambda s: changed(s, pl.col("ph") * 10),
        "expect_column_values_to_be_between",
        "ph",
    ),
    "a column times ten, inside its range": (
        lambda s: changed(s, pl.col("organic_carbon") * 10),
        "expect_column_median_to_be_between",
        "organic_carbon",
    ),
    "a column times a thousand": (
        lambda s: changed(s, pl.col("organic_carbon") * 1000),
        "expect_column_values_to_be_between",
        "organic_carbon",
    ),
    "columns swapped": (
        lambda s: changed(s, ph=pl.col("clay"), clay=pl.col("ph")),
        "expect_column_values_to_be_between",
        "ph",
    ),
    "texture columns mistaken": (
        lambda s: changed(s, clay=pl.col("silt")),
        "expect_fractions_to_sum_to100",
        "clay, silt, sand",
    ),
    "nodata leaked": (
        lambda s: changed(s, ph=first("ph")(-9999.0).otherwise("ph")),
        "expect_column_values_to_be_between",
        "ph",
    ),
    "NaN leaked": (
        lambda s: changed(s, ph=first("ph")(float("nan")).otherwise("ph")),
        "expect_column_values_to_be_between",
        "ph",
    ),
    "nodata in an array": (
        lambda s: changed(
            s, spectrum=first("x")(pl.lit([1.0, -9999.0, 1.0])).otherwise("spectrum")
        ),
        "expect_array_values_to_be_between",
        "spectrum",
    ),
    "NaN in an array": (
        lambda s: changed(
            s, spectrum=first("x")(pl.lit([1.0, float("nan")] * 1 + [1.0])).otherwise("spectrum")
        ),
        "expect_array_values_to_be_between",
        "spectrum",
    ),
    "a short array": (
        lambda s: changed(s, spectrum=first("x")(pl.lit([1.0, 1.0])).otherwise("spectrum")),
        "expect_array_values_to_be_between",
        "spectrum",
    ),
    "depth inverted": (
        lambda s: changed(s, depth_top=pl.col("depth_bottom"), depth_bottom=pl.col("depth_top")),
        "expect_column_pair_values_a_to_be_greater_than_b",
        None,
    ),
    "horizons overlap": (
        lambda s: changed(s, depth_bottom=pl.col("depth_bottom") + 10),
        "expect_horizons_not_to_overlap",
        None,
    ),
    "duplicate keys": (
        lambda s: changed(s, horizon=pl.lit("A")),
        "expect_compound_columns_to_be_unique",
        "pit, horizon",
    ),
    "a row twice": (
        lambda s: changed(s, row_ref=pl.lit("pits.csv#2")),
        "expect_column_values_to_be_unique",
        "row_ref",
    ),
    "a key missing": (
        lambda s: changed(s, pit=first("pit")(pl.lit(None, pl.String)).otherwise("pit")),
        "expect_column_values_to_not_be_null",
        "pit",
    ),
    "an unknown code": (
        lambda s: changed(s, land_cover=first("x")(pl.lit("Z")).otherwise("land_cover")),
        "expect_column_values_to_be_in_set",
        "land_cover",
    ),
    "rows truncated": (
        lambda s: dataclasses.replace(s, table=s.table.head(120)),
        "expect_table_row_count_to_be_between",
        None,
    ),
    "a joined table truncated": (
        lambda s: changed(s, land_cover=pl.when(pl.int_range(pl.len()) < 150).then("land_cover")),
        "expect_column_proportion_of_non_null_values_to_be_between",
        "land_cover",
    ),
    "no rows": (
        lambda s: dataclasses.replace(s, table=s.table.clear()),
        "expect_table_row_count_to_be_between",
        None,
    ),
    "coordinates swapped": (
        lambda s: changed(s, longitude=pl.col("latitude"), latitude=pl.col("longitude")),
        "expect_column_values_to_be_between",
        "latitude",
    ),
    "no position at all": (
        lambda s: changed(s, longitude=pl.lit(None, pl.Float64)),
        "expect_column_proportion_of_non_null_values_to_be_between",
        "longitude",
    ),
    "another year": (
        lambda s: changed(s, pl.col("date_start").dt.offset_by("-30y")),
        "expect_column_values_to_be_between",
        "date_start",
    ),
    "a column as text": (
        lambda s: changed(s, pl.col("ph").cast(pl.String)),
        "expect_table_to_have_column_types",
        None,
    ),
    "a column lost": (
        lambda s: dataclasses.replace(s, table=s.table.drop("ph")),
        "expect_table_to_have_column_types",
        None,
    ),
    "another origin": (
        lambda s: changed(s, origin=pl.lit("synthetic")),
        "expect_column_values_to_be_in_set",
        "origin",
    ),
    "a unit slip that standardisation took out": (
        lambda s: with_flags(s, "ph", "out_of_range", 11),
        "expect_flagged_share_to_be_at_most",
        "ph",
    ),
    "positions in doubt": (
        lambda s: with_flags(s, None, "position_suspect", 11),
        "expect_flagged_share_to_be_at_most",
        None,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_is_refused_by_name(good, last, name):
    mutate, expectation, column = MUTATIONS[name]
    report = validate(mutate(good), last)
    assert not report.success
    named = {(r.expectation, r.column) for r in report.refusals}
    assert (expectation, column) in named, report.readable()
    found = next(r for r in report.refusals if (r.expectation, r.column) == (expectation, column))
    assert found.remedy
    assert not found.detail.startswith("the check itself failed"), found


def test_samples_name_their_rows(good):
    report = validate(changed(good, ph=first("ph")(-9999.0).otherwise("ph")))
    (refusal,) = report.refusals
    assert refusal.samples == ("pits.csv#2: -9999.0",)
    assert "pits.csv#2: -9999.0" in report.readable()


def test_a_few_values_fewer_pass(good, last):
    fewer = changed(good, land_cover=pl.when(pl.int_range(pl.len()) < 185).then("land_cover"))
    assert validate(fewer, last).success


def test_few_flags_and_flags_without_doubt_pass(good):
    assert validate(with_flags(good, "ph", "out_of_range", 10)).success
    assert validate(with_flags(good, "ph", "below_detection", 200)).success


def test_missing_positions_warn(good):
    half = changed(good, longitude=pl.when(pl.int_range(pl.len()) > 99).then("longitude"))
    report = validate(half)
    assert report.success
    assert [(w.expectation, w.column) for w in report.warnings] == [
        ("expect_column_values_to_not_be_null", "longitude")
    ]


def test_an_overlap_that_is_flagged_passes(good):
    deep = first("x")(pl.lit(30.0)).otherwise("depth_bottom")
    overlapping = changed(good, depth_bottom=deep)
    assert [r.expectation for r in validate(overlapping).refusals] == [
        "expect_horizons_not_to_overlap"
    ]
    flags = with_flags(good, None, "depth_overlap", 2).flags
    assert validate(dataclasses.replace(overlapping, flags=flags)).success


class ExpectTrouble(TableRule):
    """Raises."""

    def faults(self, table):
        raise ZeroDivisionError("of the check itself")


def test_an_exception_in_a_check_is_a_failure_with_its_reason(good):
    import great_expectations.expectations as gxe

    meta = {"meta": {"blocking": True, "remedy": "mend it"}}
    report = run(
        good,
        [
            ExpectTrouble(**meta),
            gxe.ExpectColumnValuesToBeBetween(column="no_such", min_value=0, **meta),
            gxe.ExpectColumnValuesToBeBetween(column="pit", min_value=0, **meta),
            gxe.ExpectColumnValuesToNotBeNull(column="pit", **meta),
        ],
    )
    assert [r.success for r in report.results] == [False, False, False, True]
    assert all(r.detail.startswith("the check itself failed") for r in report.results[:3])
    assert "of the check itself" in report.results[0].detail
    assert "no_such" in report.results[1].detail


def test_blobs_arrays_and_empty_columns(good):
    blob = changed(good, geometry=pl.lit(b"\x00\x01"))
    assert blob.table["note"].is_null().all()
    report = validate(blob)
    assert report.success, report.readable()
    empty = changed(blob, ph=pl.lit(None, pl.Float64))
    assert [(r.expectation, r.column) for r in validate(empty).refusals] == [
        ("expect_column_proportion_of_non_null_values_to_be_between", "ph")
    ]
    assert validate(with_flags(empty, "ph", "below_detection", 200)).success


def test_data_docs_show_what_each_failed_check_found(good, tmp_path, caplog):
    far = changed(good, longitude=first("longitude")(170.0).otherwise("longitude"))
    untyped = dataclasses.replace(good, table=good.table.with_columns(pl.lit(1).alias("more")))
    for bad in (far, untyped):
        report = validate(bad)
        failed = [r for r in report.results if not r.success]
        text = data_docs(report, Settings(data_root=tmp_path)).read_text()
        assert failed
        assert text.count("unexpected values found") == len(failed)
    assert "data docs rendering" not in caplog.text


def test_data_docs_are_one_page_a_source(good, tmp_path):
    settings = Settings(data_root=tmp_path)
    bad = changed(good, ph=first("ph")(-9999.0).otherwise("ph"))
    old = data_docs(validate(bad), settings)
    page = data_docs(validate(good), settings)
    assert not old.exists() or old == page
    text = page.read_text()
    assert "organic_carbon" in text
    assert page.name in write_index(settings).read_text()
    other = dataclasses.replace(good, spec=good.spec.model_copy(update={"id": "other"}))
    data_docs(validate(other), settings)
    assert page.exists()
    index = write_index(settings).read_text()
    assert "validations/pits" in index
    assert "validations/other" in index
