"""Quirks of the surveys that no other test is about; and which test each of the catalogue is for.

`tests/data/catalogue_68_quirks.csv` has one row for each quirk that the catalogue lists of a
source: the test that exercises it, or why none can (a remark that no file can contradict).
"""

import ast
import csv
import functools
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from test_catalogue import CATALOGUE
from twin_maps import Made, copied, make, standardised

from adapters.codebooks import codebook
from adapters.errors import ReadError
from adapters.readers import plain_header
from adapters.settings import Settings
from adapters.spec import load_spec

_ROOT = Path(__file__).parents[2]
_LIST = _ROOT / "tests" / "data" / "catalogue_68_quirks.csv"
with _LIST.open(encoding="utf-8", newline="") as _handle:
    QUIRKS = list(csv.DictReader(_handle))


@functools.cache
def _tests(file: str) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse((_ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_quirk_of_the_catalogue_is_listed_once() -> None:
    for source, said in CATALOGUE.items():
        numbers = [int(row["number"]) for row in QUIRKS if row["source"] == source]
        assert numbers == list(range(1, int(said["quirks"]) + 1)), source
    known = {source for source, said in CATALOGUE.items() if int(said["quirks"])}
    assert {row["source"] for row in QUIRKS} == known


@pytest.mark.parametrize("row", QUIRKS, ids=lambda row: f"{row['source']}-{row['number']}")
def test_every_quirk_has_a_test_or_a_reason(row: dict[str, str]) -> None:
    assert bool(row["test"]) != bool(row["why"])
    for node in row["test"].split():
        file, _, name = node.partition("::")
        assert (_ROOT / file).is_file(), node
        assert name in _tests(file), node


def test_most_quirks_are_exercised() -> None:
    remarks = [row for row in QUIRKS if row["why"]]
    assert len(remarks) <= 0.15 * len(QUIRKS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    sources = (
        "lucas_2015_topsoil", "lucas_2015_topsoil_switzerland", "lucas_2018_topsoil", "eu_hydi",
        "spade_m",
    )  # fmt: skip
    return make(tmp_path_factory.mktemp("surveys"), sources)


@pytest.mark.parametrize(
    ("source", "column", "spellings"),
    [
        ("lucas_2009_topsoil", "ph_h2o", {"pH_in_H2O", "pH.in.H2O", "pH_H2O"}),
        ("lucas_2015_topsoil", "ph_h2o", {"pH(H2O)", "pH_H20", "ph_h2o"}),
        ("lucas_2015_topsoil", "ph_cacl2", {"pH_CaCl2"}),
        ("lucas_2015_topsoil", "clay", {"clay", "Clay"}),
        ("eu_hydi", "coarse_fragments", {"COARSE", "COURSE"}),
        ("eu_hydi", "slope_gradient", {"SITE_SLOP_GRAD", "SITE_SLOPE_GRAD"}),
        ("eu_hydi", "particle_size_limit", {"P_SIZE", "PSIZE"}),
        ("storing_filtering_capacity", "napl_storing_capacity", {"STOR_NAPL"}),
    ],
)
def test_headers_are_known_by_every_spelling(source: str, column: str, spellings: set[str]) -> None:
    column = load_spec(source).column(column)
    known = {plain_header(header) for header in (column.native, *column.aliases)}
    assert {plain_header(header) for header in spellings} <= known


def test_what_lucas_2015_lacks_comes_from_its_other_files_or_is_null(made: Made) -> None:
    spec, table = load_spec("lucas_2015_topsoil"), made.standards["lucas_2015_topsoil"].table
    readers = {c.name: spec.tables[c.table].read for c in spec.columns}
    assert readers["longitude"].reader == "dbf"
    assert readers["longitude"].encoding == "latin-1"
    assert table["longitude"].null_count() < len(table) / 2
    # The csv and the shapefile disagree on land cover: the csv is read.
    assert readers["land_cover_label"].reader == "csv"
    revisited = table.filter(revisited="yes")["clay"]
    assert revisited.is_null().any()
    assert "cec" not in table.columns
    assert table["electrical_conductivity"].count() > 0
    days = table.select("date_start", "date_end").unique().rows()
    assert [tuple(map(str, row)) for row in days] == [("2015-05-01", "2015-10-31")]


def test_spectra_of_2015_come_from_files_with_blanks_in_their_names(made: Made) -> None:
    files = [p.name for p in (made.settings.raw / "lucas_2015_topsoil").glob("spectra_*")]
    assert files
    assert all(name.startswith("spectra_ ") and name.endswith(" .csv") for name in files)
    absorbance = made.standards["lucas_2015_topsoil"].table["absorbance"].drop_nulls()
    assert set(absorbance.list.len()) == {4200}


def test_keys_of_lucas_2018_and_their_two_spellings(made: Made) -> None:
    spec, table = load_spec("lucas_2018_topsoil"), made.standards["lucas_2018_topsoil"].table
    natives = {c.table: c.native for c in spec.columns if c.name == "point_id"}
    assert natives["main"] == natives["texture"] == "POINTID"
    assert {natives[t] for t in ("bulk_density", "erosion", "organic")} == {"POINT_ID"}
    assert table["point_id"].is_duplicated().any()
    assert not table.select("point_id", "depth_label").is_duplicated().any()
    # Neither texture nor a position stands in the add-ons' or the main file's place.
    homes = {c.name: c.table for c in spec.columns}
    assert homes["clay"] == homes["texture_from"] == "texture"
    assert {t for c in spec.columns for t in [c.table] if c.name == spec.space.x} == {"main"}
    assert table["clay"].count() > 0


def test_lucas_2018_is_theoretical_in_place_finer_in_cover_and_sparse_below_20_cm(
    made: Made,
) -> None:
    spec, table = load_spec("lucas_2018_topsoil"), made.standards["lucas_2018_topsoil"].table
    assert spec.space.location == "theoretical"
    assert table["position_uncertainty_m"].min() >= 100
    deep = [c.name for c in spec.columns if "20-30 cm)" in c.native and "(" in c.native]
    assert len(deep) == 2
    for name in deep:
        assert 0 < table[name].count() < table["organic_carbon"].count() / 2
        assert table.filter(country="ES")[name].count() == 0
    parents = codebook("lucas_land_cover", spec.folder).parents
    assert {parents[c] for c in ("C21", "C22", "C23")} == {"C20"}


def test_missing_values_latin_letters_and_places_of_eu_hydi(made: Made) -> None:
    spec, table = load_spec("eu_hydi"), made.standards["eu_hydi"].table
    for name, piece in spec.tables.items():
        if name != "method":
            assert {"-999", "ND"} <= set(piece.read.missing)
    numeric = table.select(pl.col(pl.Float64))
    assert not (numeric == -999).select(pl.any_horizontal(pl.all().any())).item()
    latin = {name for name, piece in spec.tables.items() if piece.read.encoding == "latin-1"}
    assert latin == {"general", "method"}
    assert (spec.space.location, spec.space.uncertainty_m) == ("degraded", 1000)
    assert (table["position_uncertainty_m"].drop_nulls() >= 1000).all()


def test_a_negative_retention_head_is_flagged(made: Made, own: Settings) -> None:
    path = copied(made.settings, own, "eu_hydi") / "RET.csv"
    header, first, second, *rest = path.read_text(encoding="utf-8").splitlines()
    profile, sample, _, theta = second.split(",")
    changed = ",".join([profile, sample, "-10.0", theta])
    path.write_text("\n".join([header, first, changed, *rest]) + "\n", encoding="utf-8")
    standard = standardised("eu_hydi", own)
    flags = standard.flags.filter(column="retention_head", flag="out_of_range")
    assert flags.select("raw", "value").rows() == [("-10.0", -10.0)]
    assert standard.table["retention_head"].explode().drop_nulls().min() >= 0


def test_samples_of_spade_m_have_a_key_of_four_and_codes_for_missing(made: Made) -> None:
    spec, table = load_spec("spade_m"), made.standards["spade_m"].table
    assert spec.keys == ("plot_id", "horizon_number", "sample_number", "laboratory")
    assert not table.select(spec.keys).is_duplicated().any()
    assert all({"-9", "-99"} <= set(piece.read.missing) for piece in spec.tables.values())
    # Methods are coded by value, and the codes are not read.
    assert "compiled" in {c.method for c in spec.columns}


def test_a_swiss_workbook_without_coordinates_is_refused(made: Made, own: Settings) -> None:
    source = "lucas_2015_topsoil_switzerland"
    (path,) = copied(made.settings, own, source).glob("*.xlsx")
    book = openpyxl.load_workbook(path)
    (sheet,) = [s for s in book if any(c.value == "GPS_LONG" for r in s["1:3"] for c in r)]
    for header in ("GPS_LONG", "GPS_LAT"):
        (at,) = {c.column for row in sheet["1:3"] for c in row if c.value == header}
        sheet.delete_cols(at)
    book.save(path)
    with pytest.raises(ReadError, match=r"GPS_L|longitude"):
        standardised(source, own)


def test_a_map_that_no_better_than_guesses_is_called_modelled() -> None:
    # Its error is as large as its mean: never merged with a measured value.
    assert load_spec("zinc_topsoils").column("zinc").method == "modelled"
    measured = {c.method for c in load_spec("gemas").columns if c.quantity == "total_zinc"}
    assert "modelled" not in measured
