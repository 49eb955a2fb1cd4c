"""The gate: good versions are committed and used, bad ones quarantined, the old table stays."""

import dataclasses

import polars as pl
import pytest
from good_standard import ROWS, commit, good_standard

from adapters import twin
from adapters.archive import ingest
from adapters.errors import ValidationError
from adapters.quarantine import quarantined
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise
from adapters.store import Store


@pytest.fixture
def settings(tmp_path):
    return Settings(data_root=tmp_path / "data", memory_limit="500MB")


@pytest.fixture
def good(tmp_path):
    return good_standard(tmp_path / "pits")


def in_use(settings):
    return (settings.archive / "pits" / "ACTIVE").read_text().strip()


def next_version(standard, table):
    raw = dataclasses.replace(standard.raw, version="raw2")
    return dataclasses.replace(standard, raw=raw, version="v2", table=table)


def test_good_version_is_committed_and_used(settings, good):
    (report,) = commit(good, settings)
    assert report.success
    assert in_use(settings) == "raw1"
    checks = Store(settings).meta("check_result", "pits")
    assert checks.height == len(report.results)
    assert checks["success"].all()


def test_bad_version_is_quarantined_and_the_old_table_stays(settings, good):
    commit(good, settings)
    bad = next_version(good, good.table.with_columns(pl.col("ph") * 10))
    with pytest.raises(ValidationError) as caught:
        commit(bad, settings)
    message = str(caught.value)
    assert "expect_column_values_to_be_between (ph)" in message
    assert "pits.csv#2" in message
    assert "columns.csv" in caught.value.remedy
    assert str(settings.archive / "pits" / "quarantine" / "raw2.json") in message
    assert Store(settings).table("pits").equals(good.table)
    assert in_use(settings) == "raw1"
    (entry,) = quarantined(good.spec, settings)
    assert entry.version == "raw2"
    assert any("ph" in reason for reason in entry.reasons)
    assert not entry.acceptable


def test_bad_first_version_leaves_no_table(settings, good):
    bad = dataclasses.replace(good, table=good.table.clear())
    with pytest.raises(ValidationError, match="expect_table_row_count_to_be_between"):
        commit(bad, settings)
    assert Store(settings).table("pits") is None


def test_version_unlike_the_last_one_needs_a_persons_word(settings, good):
    commit(good, settings)
    less = next_version(good, good.table.head(100))
    with pytest.raises(ValidationError, match=f"version v1 has {ROWS} rows"):
        commit(less, settings)
    commit(less, settings, compare=False)
    assert Store(settings).table("pits").height == 100
    assert in_use(settings) == "raw2"
    assert quarantined(good.spec, settings) == []


def test_an_accepted_version_is_not_compared(settings, good):
    commit(good, settings)
    less = next_version(good, good.table.head(100))
    accepted = dataclasses.replace(less.raw, accepted=True)
    commit(dataclasses.replace(less, raw=accepted), settings)
    assert Store(settings).table("pits").height == 100


def test_another_group_starts_anew(settings, good):
    commit(good, settings)
    other = next_version(good, good.table.head(20).with_columns(origin=pl.lit("open")))
    raw = dataclasses.replace(other.raw, origin="open", group="open")
    commit(dataclasses.replace(other, raw=raw), settings)
    assert Store(settings).table("pits").height == 20


def test_optional_files_that_are_not_there_refuse_nothing(settings):
    source = "lucas_2018_topsoil"
    twin.write(settings, sources=[source], size="tiny")
    inbox = settings.raw / source
    for name in [".origin.json", *(p.name for p in inbox.glob("*.csv") if "-SOIL-" not in p.name)]:
        (inbox / name).unlink()
    spec = load_spec(source)
    (report,) = commit(standardise(spec, ingest(spec, settings), settings), settings)
    assert report.success
    assert Store(settings).table(source)["bulk_density_0_10"].null_count() == 90


def test_an_optional_file_whose_rows_match_nothing_is_refused(settings):
    source = "lucas_2018_topsoil"
    twin.write(settings, sources=[source], size="tiny")
    file = settings.raw / source / "BulkDensity_2018_final-2.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *("9" + row for row in rows)]))
    (settings.raw / source / ".origin.json").unlink()
    spec = load_spec(source)
    standard = standardise(spec, ingest(spec, settings), settings)
    with pytest.raises(ValidationError, match="bulk_density_0_10"):
        commit(standard, settings)


def test_another_edition_of_its_maker_is_not_compared(settings, good):
    def of(edition, table, version):
        raw = dataclasses.replace(good.raw, version=version, edition=edition)
        return dataclasses.replace(good, raw=raw, version=version, table=table)

    commit(of("large", good.table, "raw1"), settings)
    with pytest.raises(ValidationError, match="rows"):
        commit(of("large", good.table.head(100), "raw2"), settings)
    commit(of("small", good.table.head(100), "raw3"), settings)
    assert Store(settings).table("pits").height == 100
