"""Planted faults: which kinds there are, and what becomes of those that are asked for."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from adapters import twin
from adapters.archive import ingest
from adapters.errors import ReadError, SoilmeldError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise

SURVEYS = ("lucas_2009_topsoil", "lucas_2015_topsoil", "lucas_2018_topsoil", "eu_hydi", "spade_m")


def _settings(folder: Path) -> Settings:
    return Settings(data_root=folder / "data", truth_root=folder / "truth")


def _write(settings: Settings, faults: Mapping[str, Mapping[str, str]]) -> list[Path]:
    return twin.write(settings, sources=list(faults), size="tiny", seed=7, faults=faults)


def _faults(settings: Settings, source: str) -> pl.DataFrame:
    return pl.read_parquet(settings.truth_root / source / "faults.parquet")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    settings = _settings(tmp_path_factory.mktemp("faults"))
    twin.write(settings, sources=SURVEYS, size="tiny", seed=7)
    return pl.concat(_faults(settings, source) for source in SURVEYS)


def test_every_kind_of_fault_is_planted_in_the_surveys(planted: pl.DataFrame) -> None:
    assert set(planted["fault"]) >= {
        "unit_slip", "swapped_coordinates", "shifted_decimal", "unknown_code", "misread_fraction",
        "duplicated_profile", "below_detection", "half_detection", "missing_code", "overlap",
        "inverted", "no_depth",
    }  # fmt: skip


def test_values_below_detection_are_spelled_in_all_ways(planted: pl.DataFrame) -> None:
    written = planted.filter(pl.col("fault") == "below_detection")["written"]
    assert set(written) == {"< LOD", "<LOD", "< LOD>", "<0.0"}


def test_what_no_check_of_a_row_can_see_says_so(planted: pl.DataFrame) -> None:
    unseen = planted.filter(pl.col("flag").is_null())
    assert set(unseen["fault"]) == {"half_detection", "duplicated_profile"}
    assert planted.filter(pl.col("flag").is_not_null()).height > 10 * unseen.height


def test_profiles_that_stand_twice_differ_in_their_ids_alone(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7)
    faults = _faults(settings, "eu_hydi").filter(pl.col("fault") == "duplicated_profile")
    basic = pl.read_csv(
        settings.raw / "eu_hydi" / "BASIC.csv", schema_overrides={"SAMPLE_ID": pl.String}
    )
    same = ["BD", "POR", "COARSE"]
    assert faults.height > 0
    for pair in faults.select("original", "written").iter_rows():
        one, two = (basic.filter(pl.col("SAMPLE_ID") == key).select(same).row(0) for key in pair)
        # A missing code may have been written over either of the two.
        assert any(a == b for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("source", "column", "fault", "factor"),
    [
        ("lucas_2015_topsoil", "organic_carbon", "percent", 0.1),
        ("lucas_2015_topsoil", "potassium", "mg/100g", 0.1),
        ("lucas_2018_topsoil", "phosphorus", "ug/kg", 1000.0),
        ("eu_hydi", "exchangeable_k", "divalent", 2.0),
    ],
)
def test_a_column_slips_to_another_unit_where_it_is_asked_for(
    tmp_path: Path, source: str, column: str, fault: str, factor: float
) -> None:
    good, slipped = _settings(tmp_path / "good"), _settings(tmp_path / "slipped")
    twin.write(good, sources=[source], size="tiny", seed=7)
    _write(slipped, {source: {column: fault}})
    native = load_spec(source).column(column).native
    for file in sorted((good.raw / source).glob("*.csv")):
        if native in file.read_text(encoding="latin-1").split("\n")[0].split(","):
            break
    spoilt = slipped.raw / source / file.name
    one, two = (
        pl.read_csv(path, infer_schema=False)[native].cast(pl.Float64, strict=False)
        for path in (file, spoilt)
    )
    known = one.is_not_null() & (one > 0)
    assert (two / one).filter(known).median() == pytest.approx(factor, rel=1e-3)
    told = _faults(slipped, source).filter(pl.col("key") == "*")
    assert told.select("column", "written", "flag").rows() == [(column, fault, None)]
    # Without the wish the files are good again.
    twin.write(slipped, sources=[source], size="tiny", seed=7)
    assert spoilt.read_bytes() == file.read_bytes()


def test_rows_that_stand_twice_make_a_source_refused(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    _write(settings, {"lucas_2018_topsoil": {"main": "repeated_rows"}})
    spec = load_spec("lucas_2018_topsoil")
    with pytest.raises(ReadError, match="key stands more than once"):
        standardise(spec, ingest(spec, settings), settings)


@pytest.mark.parametrize(
    ("source", "asked", "problem"),
    [
        ("eu_hydi", {"gold": "percent"}, "no such column"),
        ("eu_hydi", {"gold": "repeated_rows"}, "no such table"),
        ("eu_hydi", {"ph_h2o": "divalent"}, "no charges of an ion"),
        ("spade_m", {"cec": "percent"}, "does not convert|only tables of one csv"),
    ],
)
def test_faults_that_do_not_apply_are_refused(
    tmp_path: Path, source: str, asked: dict[str, str], problem: str
) -> None:
    with pytest.raises(SoilmeldError, match=problem):
        _write(_settings(tmp_path), {source: asked})
    assert not list((tmp_path / "data" / "raw" / source).glob("*.csv"))
