"""Photographs of profiles in the published layout: from the files to the tables, with flags."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from good_photographs import HORIZON, PICTURES, SITE, SYMBOLS, horizons, soil, write_layout
from PIL import Image
from typer.testing import CliRunner

from adapters.archive import ingest
from adapters.checking import examine
from adapters.codebooks import codebook
from adapters.errors import ArchiveError, ReadError, SpecError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, raw_cell, standardise
from expectations.derive import expectations_for
from expectations.engine import run

SOURCE = "soilnet_profiles"
SPEC = load_spec(SOURCE)
ROWS = horizons("RP_7_Y_1.JPG", 0, 30, 55, 120)
PICTURE = soil()
Make = Callable[..., Standard]


@pytest.fixture
def make(own: Settings) -> Make:
    """Write a folder in the published layout into the inbox, and standardise it."""

    def made(rows=ROWS, sites=(SITE,), pictures=None, symbols=None, size=None) -> Standard:
        pictures = {"RP_7_Y_1.JPG": PICTURE} if pictures is None else pictures
        write_layout(own.raw / SOURCE, rows, sites, pictures, symbols)
        return standardise(SPEC, ingest(SPEC, own), own)

    return made


def _flags(standard: Standard) -> list[tuple]:
    return standard.flags.select("row_ref", "column", "flag", "raw").rows()


def _doubted(standard: Standard) -> list[str | None]:
    """Columns of which so much is in doubt that the version would be refused; None: whole rows."""
    limits = expectations_for(standard)
    limits = [e for e in limits if type(e).__name__ == "ExpectFlaggedShareToBeAtMost"]
    return [refusal.column for refusal in run(standard, limits).refusals] if limits else []


def test_horizons_sites_and_photographs_become_three_tables(make: Make) -> None:
    standard = make(symbols={"Bv": "Bv", "Ap": "Ap"})
    main, sites, photographs = standard.pieces
    assert main.table.select(
        "row_ref", "horizon_id", "photograph", "profile", "depth_top", "depth_bottom", "symbol"
    ).rows() == [
        ("data_horizons.csv#2", "RP_7_Y_1.JPG|1", "RP_7_Y_1.JPG", "7", 0.0, 30.0, "Bv"),
        ("data_horizons.csv#3", "RP_7_Y_1.JPG|2", "RP_7_Y_1.JPG", "7", 30.0, 55.0, "Bv"),
        ("data_horizons.csv#4", "RP_7_Y_1.JPG|3", "RP_7_Y_1.JPG", "7", 55.0, 120.0, "Bv"),
    ]
    assert main.table.row(0, named=True).items() >= {
        "stones": 2.0, "texture_ka5": "Ut3", "texture": "lu", "colour_munsell": "10YR 3/3",
        "colour": "10YR <=3/3-4", "carbonate": "C0", "humus": "h3", "roots": "W4",
        "symbol_relevant": "Bv",
    }.items()  # fmt: skip
    site = sites.table.row(0, named=True)
    assert (site["profile"], site["sampling_month"], site["soil_type"]) == ("7", 5.0, "LL")
    assert (site["longitude"], site["latitude"]) == pytest.approx((7.585, 50.184), abs=1e-3)
    assert [str(site[d]) for d in ("date_start", "date_end")] == ["2012-05-01", "2012-05-31"]
    photograph = photographs.table.row(0, named=True)
    assert photograph["row_ref"] == f"{PICTURES}#RP_7_Y_1.JPG"
    assert (photograph["profile"], photograph["state"]) == ("7", "RP")
    assert (photograph["width"], photograph["height"]) == (96.0, 192.0)
    archived = next(f for f in standard.raw.files if f.name.startswith(PICTURES))
    assert photograph["sha256"] == archived.sha256 == archived.path.name
    assert photograph["mean_red"] > photograph["mean_blue"] > 0
    assert pl.concat(p.flags for p in standard.pieces)["flag"].to_list() == ["missing"]  # Ap unmet


def test_without_a_column_of_photographs_rows_are_repeated_for_each(
    make: Make, own: Settings
) -> None:
    rows = [{k: v for k, v in row.items() if k != "file"} for row in ROWS]
    unseen = {k: v for k, v in {**HORIZON, "Point": "8.0"}.items() if k != "file"}
    pictures = {"RP_7_Y_1.JPG": PICTURE, "RP_7_Y_2.png": PICTURE, "NI_77_Y_1.JPG": PICTURE}
    standard = make([*rows, unseen], pictures=pictures)
    table = standard.table
    assert table["horizon_id"].to_list() == [
        *("RP_7_Y_1.JPG|1", "RP_7_Y_2.png|1", "RP_7_Y_1.JPG|2", "RP_7_Y_2.png|2"),
        *("RP_7_Y_1.JPG|3", "RP_7_Y_2.png|3", "8|1"),
    ]
    assert table["row_ref"].to_list()[:3] == [
        "data_horizons.csv#2@RP_7_Y_1.JPG",
        "data_horizons.csv#2@RP_7_Y_2.png",
        "data_horizons.csv#3@RP_7_Y_1.JPG",
    ]
    assert table["photograph"].null_count() == 1  # that of profile 8, which has none
    assert _flags(standard) == []
    ref = "data_horizons.csv#3@RP_7_Y_2.png"
    main = SPEC.pieces[0]
    assert raw_cell(standard.raw, main, ref, "horizon_top", own) == "30"
    assert raw_cell(standard.raw, main, "data_horizons.csv#5", "profile", own) == "8.0"


def test_raw_cells_of_photographs_and_joined_rows(make: Make, own: Settings) -> None:
    standard = make(symbols={"Bv": "Bvx"})
    photographs = SPEC.pieces[2]
    ref = f"{PICTURES}#RP_7_Y_1.JPG"
    assert raw_cell(standard.raw, photographs, ref, "width", own) == "96"
    with pytest.raises(ReadError, match="no row"):
        raw_cell(standard.raw, photographs, f"{PICTURES}#RP_8_Y_1.JPG", "width", own)
    main = SPEC.pieces[0]
    assert raw_cell(standard.raw, main, "data_horizons.csv#3", "symbol_relevant", own) == "Bvx"
    assert raw_cell(standard.raw, main, "data_horizons.csv#3", "symbol", own) == "2; Bv"


@pytest.mark.parametrize(
    ("header", "written", "column", "code"),
    [
        ("Point", "7", "profile", "7"),
        ("file", "Profilbilder/x/RP_7_Y_1.JPG", "photograph", "RP_7_Y_1.JPG"),
        ("Horizontsymbol", "3; II Bt+Ael", "symbol", "II Bt+Ael"),
        ("Horizontsymbol", "Ap", "symbol", "Ap"),
        ("Bodenart", "mSgs", "texture", "ss"),
        ("Bodenart", "us", "texture", "us"),
        ("Bodenart", "Us", "texture", "su"),
        ("Bodenart", "Lu", "texture", "tu"),
        ("Bodenart", "Hhsy", "texture", "Hh"),
        ("Bodenart", "v", "texture", "tl"),
        ("Bodenart", "---", "texture", None),
        ("Bodenfarbe", "WHITE 10YR 9/1", "colour", "10YR >=8/1-2"),
        ("Bodenfarbe", "2.5Y 2.5/1", "colour", "2.5Y <=3/1-2"),
        ("Bodenfarbe", "GLEY1 4/10Y_/1", "colour", "GLEY1 4-5/N-10Y"),
        ("Bodenfarbe", "GLEY1 5/N", "colour", "GLEY1 4-5/N-10Y"),
        ("Bodenfarbe", "GLEY2 6/5PB", "colour", "GLEY2 6-7/10B-5PB"),
        ("Bodenfarbe", "5YR 4-5/3-4", "colour", "5YR 4-5/3-4"),
        ("Karbonat", "---", "carbonate", "C0"),
        ("Karbonat", "C3.4", "carbonate", "C3"),
        ("Karbonat", "", "carbonate", None),
        ("Durchwurzelung", "Wf3,Wg1", "roots", "W3"),
        ("Durchwurzelung", "Wg2", "roots", "W2"),
        ("Durchwurzelung", "W0", "roots", "W0"),
        ("Durchwurzelung", "", "roots", None),
        ("Steine", "", "stones", None),
    ],
)
def test_cells_of_horizons(
    make: Make, header: str, written: str, column: str, code: str | None
) -> None:
    standard = make([{**row, header: written} for row in ROWS])
    assert standard.table[column].to_list() == [code] * 3
    assert standard.flags.filter(flag="code_unknown").is_empty()


@pytest.mark.parametrize(
    ("header", "written", "column", "code"),
    [
        ("Exposition", "0", "aspect", "KE"),
        ("Exposition", "---", "aspect", "KE"),
        ("Woelbung", "---", "curvature", "GG"),
        ("Reliefformtyp", "0", "relief_form", "H"),
        ("Reliefformtyp", "---", "relief_form", "H"),
        ("Reliefformtyp", "HS", "relief_form", "H"),
        ("LageImRelief", "0", "relief_position", "Z"),
        ("GrundwaStufe", "---", "groundwater_class", "0"),
        ("GrundwaStufe", "3.1", "groundwater_class", "3"),
        ("Neigung", "N2.1", "slope", "N2"),
        ("Hauptbodentyp", "SSn", "soil_type", "SS"),
        ("PointID", " 7.0 ", "profile", "7"),
        ("Bodenklimaraum_Name", "Mähren", "soil_climate_region", "Mähren"),
        ("Bodenklimaraum_Name", r"M\xe4hren", "soil_climate_region", "Mähren"),
    ],
)
def test_cells_of_sites(make: Make, header: str, written: str, column: str, code: str) -> None:
    sites = make(sites=[{**SITE, header: written}]).parts[0]
    assert sites.table[column].to_list() == [code]
    assert sites.flags.is_empty()


@pytest.mark.parametrize(
    ("header", "written", "column", "part"),
    [
        ("Bodenart", "Sl9", "texture", 0),
        ("Bodenfarbe", "10YR 5/5", "colour", 0),
        ("Bodenfarbe", "brown", "colour", 0),
        ("Karbonat", "C9", "carbonate", 0),
        ("Humusgehaltsklasse", "h8", "humus", 0),
        ("Durchwurzelung", "Wf7", "roots", 0),
        ("Hauptbodentyp", "QQ", "soil_type", 1),
        ("GrundwaStufe", "9", "groundwater_class", 1),
        ("Neigung", "N9", "slope", 1),
        ("Exposition", "X", "aspect", 1),
        ("Woelbung", "G", "curvature", 1),
        ("Reliefformtyp", "Q", "relief_form", 1),
        ("LageImRelief", "Y", "relief_position", 1),
    ],
)
def test_unknown_codes_are_flagged_and_too_many_refused(
    make: Make, header: str, written: str, column: str, part: int
) -> None:
    rows = [{**ROWS[0], header: written}, *ROWS[1:]] if part == 0 else ROWS
    site = {**SITE, header: written} if part else SITE
    piece = make(rows, [site]).pieces[part]
    assert piece.table[column][0] is None
    (flag,) = piece.flags.filter(column=column).rows(named=True)
    assert (flag["flag"], flag["raw"]) == ("code_unknown", written)
    assert _doubted(piece) == [column]


def test_depth_faults_of_horizons_are_told_apart(make: Make) -> None:
    pictures = {f"RP_{n}_Y_1.JPG": PICTURE for n in range(1, 6)}
    good = horizons("RP_1_Y_1.JPG", 0, 30, 100)
    inverted = [*horizons("RP_2_Y_1.JPG", 0, 30), *horizons("RP_2_Y_1.JPG", 100, 30)]
    overlap = [*horizons("RP_3_Y_1.JPG", 0, 30), *horizons("RP_3_Y_1.JPG", 20, 100)]
    gap = [*horizons("RP_4_Y_1.JPG", 0, 30), *horizons("RP_4_Y_1.JPG", 40, 100)]
    late = horizons("RP_5_Y_1.JPG", 10, 100)
    sites = [{**SITE, "PointID": str(n)} for n in range(1, 6)]
    standard = make([*good, *inverted, *overlap, *gap, *late], sites, pictures)
    said = standard.flags.join(standard.table, on="row_ref").select("horizon_id", "flag").rows()
    assert sorted(said) == [
        ("RP_2_Y_1.JPG|2", "depth_fault"),
        ("RP_3_Y_1.JPG|2", "depth_overlap"),
        ("RP_4_Y_1.JPG|2", "depth_gap"),
        ("RP_5_Y_1.JPG|1", "depth_gap"),
    ]
    faulty = standard.table.filter(horizon_id="RP_2_Y_1.JPG|2")
    assert faulty.select("depth_top", "depth_bottom", "horizon_top").row(0) == (None, None, 100.0)
    assert _doubted(standard) == [None]


def test_a_photograph_that_is_not_there_is_flagged(make: Make) -> None:
    standard = make([*ROWS, {**HORIZON, "file": "RP_7_Y_9.JPG"}])
    assert _flags(standard) == [
        ("data_horizons.csv#5", "photograph", "photograph_missing", "RP_7_Y_9.JPG")
    ]
    assert standard.table["photograph"].to_list() == ["RP_7_Y_1.JPG"] * 3 + [None]
    assert _doubted(standard) == ["photograph"]


def _jpeg(pixels: np.ndarray = PICTURE) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_photographs_that_do_not_open_or_have_exchanged_channels_are_flagged(make: Make) -> None:
    pictures = {
        "RP_7_Y_1.JPG": PICTURE,
        "RP_7_Y_2.JPG": _jpeg()[:2000],
        "RP_7_Y_3.JPG": _jpeg(PICTURE[..., ::-1]),
    }
    photographs = make(pictures=pictures).parts[1]
    assert _flags(photographs) == [
        (f"{PICTURES}#RP_7_Y_2.JPG", None, "unreadable", "RP_7_Y_2.JPG"),
        (f"{PICTURES}#RP_7_Y_3.JPG", None, "channels_swapped", "RP_7_Y_3.JPG"),
    ]
    assert photographs.table["mean_red"].is_null().to_list() == [False, True, True]
    assert photographs.table["width"].to_list() == [96.0, None, 96.0]
    assert photographs.table["sha256"].null_count() == 0
    assert _doubted(photographs) == [None]


def test_names_of_photographs_that_name_no_state_and_profile_are_told(make: Make) -> None:
    pictures = {"RP_7_Y_1.JPG": PICTURE, "Profil.JPG": PICTURE, "XX_7_Y_1.JPG": PICTURE}
    photographs = make(pictures=pictures).parts[1]
    assert photographs.flags.select("column", "flag", "raw").rows() == [
        ("state", "code_unknown", "Profil.JPG"),
        ("state", "code_unknown", "XX_7_Y_1.JPG"),
    ]


def test_an_empty_photograph_is_refused_at_the_inbox(make: Make) -> None:
    with pytest.raises(ArchiveError, match=r"RP_7_Y_2\.JPG is empty"):
        make(pictures={"RP_7_Y_1.JPG": PICTURE, "RP_7_Y_2.JPG": b""})


def test_rows_of_sites_that_are_no_data_are_left_out_and_counted(make: Make) -> None:
    total = {**dict.fromkeys(SITE, ""), "PointID": "Summe"}
    sites = make(sites=[SITE, total]).parts[0]
    assert sites.table["profile"].to_list() == ["7"]
    (flag,) = sites.flags.rows(named=True)
    assert (flag["row_ref"], flag["flag"]) == ("STANDORT.csv", "missing")
    assert flag["detail"] == ("1 rows are left out, whose PointID is none: Summe at STANDORT.csv#3")


def test_groundwater_below_reach_is_no_number(make: Make) -> None:
    sites = make(sites=[{**SITE, "GrundwaStand": ">200"}]).parts[0]
    assert sites.table["groundwater_depth"].to_list() == [None]
    (flag,) = sites.flags.rows(named=True)
    assert (flag["flag"], flag["raw"], flag["value"]) == ("above_limit", ">200", 200.0)


def test_a_site_outside_germany_has_no_position(make: Make) -> None:
    sites = make(sites=[{**SITE, "ycoord": "3560000"}]).parts[0]
    assert sites.table["longitude"].to_list() == [None]
    assert sites.flags["flag"].to_list() == ["position_suspect"]


@pytest.mark.parametrize("header", ["Obergrenze", "Horizontsymbol", "Point"])
def test_a_missing_column_is_told(make: Make, header: str) -> None:
    rows = [{k: v for k, v in row.items() if k != header} for row in ROWS]
    with pytest.raises(ReadError, match=f"no column '{header}'"):
        make(rows)


def test_german_numbers_and_delimiters_are_refused_in_words(make: Make, own: Settings) -> None:
    with pytest.raises(ReadError, match="no number") as error:
        make(sites=[{**SITE, "KV_0_30": "60,5"}])
    assert "decimal" in error.value.remedy
    tables = own.raw / SOURCE / "data_horizons.csv"
    tables.write_text(tables.read_text("utf-8").replace(",", ";"), "utf-8")
    with pytest.raises(ReadError, match="but by ';'"):
        standardise(SPEC.pieces[0], ingest(SPEC, own), own)


def test_sites_saved_in_another_encoding_are_refused(make: Make, own: Settings) -> None:
    make()
    sites = own.raw / SOURCE / "STANDORT.csv"
    sites.write_text(sites.read_text("latin-1").replace("Rheinebene", "Rhön"), "utf-8")
    with pytest.raises(ReadError, match="the bytes are UTF-8"):
        standardise(SPEC, ingest(SPEC, own), own)


def test_what_was_not_described_may_be_absent(make: Make) -> None:
    bare = {"Point", "file", "Obergrenze", "Untergrenze", "Horizontsymbol"}
    rows = [{k: v for k, v in row.items() if k in bare} for row in ROWS]
    site = {k: v for k, v in SITE.items() if k in ("PointID", "xcoord", "ycoord")}
    main, sites, _ = make(rows, [site]).pieces
    assert main.table.select("texture", "colour", "stones", "roots").null_count().row(0) == (3,) * 4
    assert sites.table.select("sampling_date", "date_start", "aspect").row(0) == (None,) * 3
    assert sites.table["longitude"].null_count() == 0


def test_a_profile_twice_in_the_sites_is_refused(make: Make) -> None:
    with pytest.raises(ReadError, match="a key stands more than once"):
        make(sites=[SITE, SITE])


def test_every_class_of_texture_and_colour_that_was_counted_has_its_code() -> None:
    texture = codebook("bodenart", SPEC.folder)
    assert set(texture.codes) == {
        "ss", "ls", "ll", "ut", "lu", "tu", "sl", "lt", "us", "tl", "Hn", "su", "Hh", "Fm", "Ha",
        "Fh", "Hu",
    }  # fmt: skip
    colour = codebook("munsell_bins", SPEC.folder)
    for page in ("10YR", "7.5R", "5GY", "2.5Y"):
        assert {
            f"{page} {v}/{c}" for v in ("<=3", "4-5", "6-7", ">=8") for c in ("1-2", "3-4", "6-8")
        } <= set(colour.codes)
    assert sum(code.startswith("GLEY") for code in colour.codes) == 24


def test_the_folder_is_checked_from_the_command_line(tmp_path: Path) -> None:
    from soilmeld.cli import app

    folder = write_layout(tmp_path / "own", ROWS, [SITE], {"RP_7_Y_1.JPG": PICTURE}, {"Bv": "Bv"})
    good = CliRunner().invoke(app, ["check", SOURCE, str(folder), "--json"])
    assert good.exit_code == 0, good.output
    said = json.loads(good.output[good.output.index("{") :])
    assert said["meets"]
    assert said["rows"] == {SOURCE: 3, f"{SOURCE}__sites": 1, f"{SOURCE}__photographs": 1}
    (folder / PICTURES / "RP_7_Y_1.JPG").write_bytes(_jpeg(PICTURE[..., ::-1]))
    (folder / SYMBOLS).unlink()
    bad = CliRunner().invoke(app, ["check", SOURCE, str(folder)])
    assert bad.exit_code == 1
    assert "channels_swapped" in bad.output


def test_a_folder_without_photographs_is_refused(tmp_path: Path, own: Settings) -> None:
    folder = write_layout(tmp_path / "own", ROWS, [SITE], {})
    found = examine(SPEC, folder, own)
    assert [f.problem for f in found.findings if f.refused][0] == "no file of table 'photographs'"


def test_a_pattern_is_of_texts_and_has_a_group() -> None:
    column = SPEC.column("roots")
    for change in ({"pattern": "W[0-9]"}, {"pattern": "(W"}, {"kind": "numeric", "unit": "1"}):
        with pytest.raises(ValueError, match="pattern|expression"):
            type(column).model_validate({**column.model_dump(), **change})
    with pytest.raises(ValueError, match="expression"):
        type(SPEC.tables["sites"]).model_validate(
            {**SPEC.tables["sites"].model_dump(), "rows_match": {"PointID": "["}}
        )


def test_files_are_named_by_a_column_that_there_is() -> None:
    main = SPEC.pieces[0].model_dump()
    rules = [{"kind": "named_files", "column": "picture", "files": ["*"]}]
    with pytest.raises(ValueError, match="rules names columns"):
        type(SPEC).model_validate({**main, "rules": rules, "folder": SPEC.folder})
    with pytest.raises(SpecError):
        SPEC.column("picture")
