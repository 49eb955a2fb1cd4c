"""`soilmeld check`: all that differs in one go, each with the line to change."""

import json
import shutil
import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from typer.testing import CliRunner

from adapters.checking import with_evidence
from adapters.columns import parse_table
from adapters.errors import ReadError
from adapters.readers import NativeTable
from adapters.settings import Settings
from adapters.spec import SourceSpec, load_spec
from adapters.twin import write
from expectations.checking import Check, check, guess
from soilmeld.cli import app

SOURCE = """\
id: pits
title: Soil pits
description: Soil pits.
modality: table
origin:
  producer: P
  page: https://example.org
  citation: P (2020)
  licence: {id: CC0-1.0, redistribute: true, attribution: P}
access: {kind: manual, instructions: Ask for pits.csv.}
tables:
  main:
    files: [pits.csv]
    read: {reader: csv}
keys: [pit]
space: {support: point, crs: EPSG:4326, x: longitude, y: latitude, bounds: [-10, 35, 30, 70]}
depth: {top: 0, bottom: 20}
fuse: {join: none, reason: test}
"""
COLUMNS = """\
name,table,native,kind,quantity,unit,basis,codebook,date_format,evidence,unit_evidence,description
pit,main,Pit,text,,,,,,verified,,name
longitude,main,Lon,numeric,,degree,,,,verified,verified,east
latitude,main,Lat,numeric,,degree,,,,verified,verified,north
sampled,main,Day,date,,,,,%d/%m/%Y,verified,,day
cover,main,Cover,categorical,,,,cover,,verified,,cover
clay,main,Clay,numeric,clay,percent,mass,,,verified,assumed,clay
carbon,main,OC,numeric,organic_carbon,g/kg,mass,,,assumed,assumed,carbon
"""
HEADER = ["Pit", "Lon", "Lat", "Day", "Cover", "Clay", "OC"]


def rows(count: int = 40) -> list[list[str]]:
    return [
        [f"P{i}", f"{5 + i / 10:.2f}", f"{48 + i / 10:.2f}", f"{i % 28 + 1:02d}/06/2019",
         "AB"[i % 2], f"{10 + i}", f"{5 + i}"]
        for i in range(count)
    ]  # fmt: skip


def text(header: list[str], table: list[list[str]]) -> str:
    return "\n".join(",".join(row) for row in [header, *table]) + "\n"


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> SourceSpec:
    folder = tmp_path_factory.mktemp("sources") / "pits"
    (folder / "codebooks").mkdir(parents=True)
    (folder / "source.yaml").write_text(SOURCE)
    (folder / "columns.csv").write_text(COLUMNS)
    (folder / "codebooks" / "cover.csv").write_text("code,label\nA,arable\nB,forest\n")
    return load_spec("pits", folder.parent)


@pytest.fixture
def checked(spec: SourceSpec, tmp_path: Path):
    def run(data: str | bytes, name: str = "pits.csv") -> Check:
        path = tmp_path / "hand" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return check(spec, path, Settings(data_root=tmp_path / "data"))

    return run


def test_a_good_file_meets_its_specification(checked, tmp_path):
    result = checked(text(HEADER, rows()))
    assert result.meets
    assert result.findings == ()
    assert result.rows == {"pits": 40}
    assert not (tmp_path / "data").exists()  # nothing is archived or committed


def test_all_differences_are_told_at_once_each_with_its_line(checked):
    table = rows()
    for row in table[:10]:
        row[3], row[4] = "06/31/2019", "Z"
    for row in table:
        row[5] = f"{10 * float(row[5]):g}"
    table[7][0] = table[6][0]
    told = checked(text([*HEADER[:-1], "Org_C"], table))
    lines = {f.spec_line: f for f in told.findings if f.refused}
    assert not told.meets
    assert set(lines) == {
        "source.yaml:15",  # keys
        "columns.csv:5",  # the day
        "columns.csv:6",  # the cover
        "columns.csv:7",  # clay, in permille
        "columns.csv:8",  # the header of carbon
    }
    assert lines["columns.csv:5"].samples == ("06/31/2019",)
    assert "closest: " in lines["columns.csv:6"].problem
    assert lines["columns.csv:7"].assumed == "the spec assumed the unit percent (mass)"
    assert lines["columns.csv:8"].assumed == "the spec assumed the header or layer 'OC'"
    assert "the spec assumed" in told.readable()


def test_the_nearest_header_and_the_change_are_named(checked):
    told = checked(text([*HEADER[:5], "clay_pct", "OC"], rows()))
    (finding,) = told.findings
    assert (
        finding.change
        == "if 'clay_pct' is clay, add it to aliases in line 7 of columns.csv " + ("(column clay)")
    )


@pytest.mark.parametrize("title", ["Soil pits of 2019\n\n", "Soil pits of 2019,,,,,,\n,,,,,,\n"])
def test_headers_further_down_are_found_and_nothing_else_is_told(checked, spec, tmp_path, title):
    told = checked(title + text(HEADER, rows()))
    (finding,) = told.findings
    assert "stand in" in finding.problem
    assert " 3, not in " in finding.problem
    assert "`header_row: 2`" in finding.change
    assert finding.spec_line == "source.yaml:14"
    mended = tmp_path / "sources" / "pits"
    shutil.copytree(spec.folder, mended)
    told_so = SOURCE.replace("{reader: csv}", "{reader: csv, header_row: 2}")
    (mended / "source.yaml").write_text(told_so)
    path, settings = tmp_path / "hand" / "pits.csv", Settings(data_root=tmp_path / "data")
    assert check(load_spec("pits", mended.parent), path, settings).meets


def test_two_rows_of_headers_further_down_a_sheet(tmp_path):
    source, name = load_spec("lucas_2015_topsoil_switzerland"), "switzerland.xlsx"
    book = openpyxl.Workbook()
    headers = [c.native.rpartition(": ") for c in source.columns]
    blocks = [block for block, _, _ in headers]
    firsts = [b if b not in blocks[:i] else "" for i, b in enumerate(blocks)]
    for row in (["LUCAS 2015"], firsts, [h for _, _, h in headers], [1] * len(headers)):
        book.active.append(row)
    book.save(tmp_path / name)
    told = check(source, tmp_path / name, Settings(data_root=tmp_path / "data"))
    (finding,) = told.findings
    assert "in row 3, not in row 2" in finding.problem
    assert "`header_row: 2` and `block_row: 1`" in finding.change


@pytest.mark.parametrize(
    ("above", "said", "change"),
    [
        ("missing", "blocks is missing: row 1 holds headers", "put a row above the headers"),
        ("void", "row 1, where the names of the blocks", "write each over the first column"),
        ("empty", "row 1, with the names of the blocks, is empty", "'spade' and 'auger' over"),
        ("joined", "each with the name of its block", "set `header_row: 0` and take `block_row`"),
    ],
)
def test_a_sheet_without_its_row_of_blocks(tmp_path, above, said, change):
    source, name = load_spec("lucas_2015_topsoil_switzerland"), "switzerland.xlsx"
    book = openpyxl.Workbook()
    natives = [c.native for c in source.columns]
    headers = [n.rpartition(": ")[2] for n in natives]
    cells = [f"v{i}" for i in range(len(headers))]
    made = {
        "missing": [headers],
        "void": [[None], headers],
        "empty": [[" "] * 9, headers],
        "joined": [natives],
    }
    for row in (*made[above], cells, cells):
        book.active.append(row)
    book.save(tmp_path / name)
    told = check(source, tmp_path / name, Settings(data_root=tmp_path / "data"))
    # Cells under headers without a block may be refused too: they hold nothing sensible here.
    (finding,) = [f for f in told.findings if f.where.endswith(("header", "row 1"))]
    assert said in finding.problem
    assert change in finding.change
    assert "aliases" not in finding.change
    assert finding.spec_line.startswith("source.yaml:")


def test_a_first_sheet_of_remarks_is_told_from_the_sheet_with_the_headers(spec, tmp_path):
    folder = tmp_path / "sources" / "pits"
    shutil.copytree(spec.folder, folder)
    for said in ("{reader: xlsx}", "{reader: xlsx, sheet: Data}"):
        about = SOURCE.replace("{reader: csv}", said).replace("[pits.csv]", "[pits.xlsx]")
        (folder / "source.yaml").write_text(about)
        book = openpyxl.Workbook()
        book.active.title = "Readme"
        book.create_sheet("Nothing")
        book.create_sheet("Data")
        for row in [HEADER, *rows()]:
            book["Data"].append(row)
        book.save(tmp_path / "pits.xlsx")
        load_spec.cache_clear()
        told = check(
            load_spec("pits", folder.parent), tmp_path / "pits.xlsx", Settings(data_root=tmp_path)
        )
        if "sheet" in said:
            assert told.meets
        else:
            (finding,) = told.findings
            assert finding.spec_line == "source.yaml:14"
            assert "set `sheet: Data`" in finding.change


def test_sheets_that_no_table_names_are_told_as_a_note(spec, tmp_path):
    folder = tmp_path / "sources" / "pits"
    shutil.copytree(spec.folder, folder)
    about = SOURCE.replace("{reader: csv}", "{reader: xlsx}").replace("[pits.csv]", "[pits.xlsx]")
    (folder / "source.yaml").write_text(about)
    book = openpyxl.Workbook()
    for row in [HEADER, *rows()]:
        book.active.append(row)
    book.create_sheet("Nothing")
    book.create_sheet("Readme").append(["what the columns mean"])
    path = tmp_path / "pits.xlsx"
    book.save(path)
    load_spec.cache_clear()
    told = check(load_spec("pits", folder.parent), path, Settings(data_root=tmp_path / "data"))
    assert told.meets
    (finding,) = told.findings
    assert (finding.refused, finding.where) == (False, "pits.xlsx")
    assert finding.samples == ("Readme",)
    assert finding.spec_line == "source.yaml:14"
    book["Nothing"].append(["more"])
    book.save(path)
    told = check(load_spec("pits", folder.parent), path, Settings(data_root=tmp_path / "data"))
    assert told.findings[0].samples == ("Nothing", "Readme")


def test_a_file_without_the_headers_is_told_once(checked):
    told = checked(text([f"V{i}" for i in range(7)], rows()))
    (finding,) = told.findings
    assert "and 2 more missing" in finding.problem


def test_a_web_page_is_told(checked):
    told = checked("<!DOCTYPE html><html><body>log in</body></html>")
    assert not told.meets
    assert "web page" in told.findings[0].problem
    assert len(told.findings) == 1


def test_a_web_page_is_told_whatever_its_name(checked):
    told = checked("<!DOCTYPE html><html><body>Please log in</body></html>", "download.xlsx")
    (finding,) = told.findings
    assert "web page" in finding.problem


def test_a_run_says_what_was_assumed_too(spec, tmp_path):
    table = rows()
    table[2][6] = "much"
    for header, said in (
        ([*HEADER[:6], "Corg"], "the spec assumed the header or layer 'OC'"),
        (HEADER, "no number"),
    ):
        native = NativeTable(
            "pits.csv",
            tuple(header),
            pl.DataFrame(table, schema=[str(i) for i in range(7)], orient="row"),
            pl.Series("row", range(2, 2 + len(table))),
        )
        with pytest.raises(ReadError) as raised:
            parse_table(spec, "main", native)
        told = with_evidence(spec, raised.value)
        assert said in told
        assert "the spec assumed" in told
        assert "pits/columns.csv:8" in told


def test_a_refused_column_of_the_key_makes_no_double_keys(spec, tmp_path):
    path = tmp_path / "pits.csv"
    table = rows(20)
    table[3][3] = "some day"
    path.write_text(text(HEADER, table))
    dated = spec.model_copy(update={"keys": ("sampled",)})
    told = check(dated, path, Settings(data_root=tmp_path / "data"))
    assert [f.spec_line for f in told.findings if f.refused] == ["columns.csv:5"]


def test_an_undeclared_nodata_is_shown_with_the_line_that_declares_it(checked):
    table = rows()
    for row in table[:6]:
        row[5] = "-999"
    (finding,) = checked(text(HEADER, table)).findings
    assert finding.samples[0] == "pits.csv#2: out_of_range, -999"
    assert "if '-999' means missing, add it to `missing` in line 7 of columns.csv" in finding.change
    for i, row in enumerate(table[:6]):
        row[5] = f"{900 + i}"
    (finding,) = checked(text(HEADER, table)).findings
    assert finding.samples[1] == "pits.csv#3: out_of_range, 901"
    assert "missing" not in finding.change


def test_a_workbook_for_a_csv_file(checked, tmp_path):
    book = openpyxl.Workbook()
    for row in [HEADER, *rows()]:
        book.active.append(row)
    book.save(tmp_path / "pits.xlsx")
    told = checked((tmp_path / "pits.xlsx").read_bytes(), "pits.xlsx")
    assert [f.spec_line for f in told.findings] == ["source.yaml:14"]
    assert ".xlsx" in told.findings[0].problem


def test_a_file_of_another_name_is_read_and_told(checked):
    told = checked(text(HEADER, rows()), "download(1).csv")
    (finding,) = told.findings
    assert finding.spec_line == "source.yaml:13"
    assert told.rows == {"pits": 40}
    assert "name it pits.csv" in finding.change


def test_swapped_coordinates_are_told_among_the_rest(checked):
    told = checked(text(["Pit", "Lat", "Lon", *HEADER[3:6], "Corg"], rows()))
    problems = " ".join(f.problem for f in told.findings)
    assert "swapped" in problems
    assert "'Corg'" in problems


def test_a_folder_and_a_zip(spec, tmp_path):
    folder = tmp_path / "hand"
    folder.mkdir()
    (folder / "pits.csv").write_text(text(HEADER, rows()))
    (folder / "readme.txt").write_text("hello")
    settings = Settings(data_root=tmp_path / "data")
    told = check(spec, folder, settings)
    assert told.meets
    assert [f.samples for f in told.findings] == [("readme.txt",)]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.write(folder / "pits.csv", "deep/pits.csv")
    assert check(spec, tmp_path / "all.zip", settings).meets
    (folder / "pits.csv").unlink()
    told = check(spec, folder, settings)
    assert not told.meets


def test_zips_in_a_folder_are_taken_as_in_an_inbox(spec, tmp_path):
    folder, settings = tmp_path / "hand", Settings(data_root=tmp_path / "data")
    folder.mkdir()
    (folder / "readme.txt").write_text("hello")
    with zipfile.ZipFile(folder / "all.zip", "w") as packed:
        packed.writestr("deep/pits.csv", text(HEADER, rows()))
    told = check(spec, folder, settings)
    assert told.meets
    assert told.tables == {"main": ["deep/pits.csv"]}
    (folder / "all.zip").write_bytes((folder / "all.zip").read_bytes()[:200])
    told = check(spec, folder, settings)
    assert not told.meets
    assert "the zip cannot be read" in told.findings[0].problem


def test_a_broken_layer_that_several_columns_need_is_told_once(tmp_path):
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    write(settings, ["esdb_derived_data"], "tiny")
    folder = tmp_path / "hand"
    shutil.copytree(settings.raw / "esdb_derived_data", folder)
    (folder / "STU_EU_T_CLAY.rdc").unlink()
    told = check(load_spec("esdb_derived_data"), folder, settings)
    (finding,) = (f for f in told.findings if f.refused)
    assert finding.problem == "STU_EU_T_CLAY.rdc is not beside it"
    assert finding.where == "STU_EU_T_CLAY.rst"


def test_nothing_there(spec, tmp_path):
    with pytest.raises(ReadError, match="no file"):
        check(spec, tmp_path / "none.csv", Settings(data_root=tmp_path))


GEMAS = (
    "COUNTRY,longitude,latitude,Xcoord,Ycoord,MeanTemp,AnnPrec,soilclass,sand,silt,clay,Al,Ba,Ca,"
    "Cr,Fe,K,Mg,Mn,Na,Nb,P,Si,Sr,Ti,V,Y,Zn,Zr,LOI\n"
)


def test_a_file_of_another_source_is_named(checked, tmp_path):
    told = checked(GEMAS + ",".join(["1"] * 30) + "\n")
    assert told.fits_better == ("gemas",)
    assert "another file" not in told.readable()
    path = tmp_path / "hand" / "pits.csv"
    assert guess(path)[0] == ("gemas", 1.0)


def test_a_file_of_another_source_under_its_own_name_is_not_read_as_this_one(checked):
    told = checked(GEMAS + ",".join(["1"] * 30) + "\n", "gemas.csv")
    (finding,) = told.findings
    assert "'gemas'" in finding.problem
    assert told.rows == {}


def test_a_folder_with_a_misnamed_layer_or_files_of_another_source(tmp_path):
    settings = Settings(data_root=tmp_path / "data")
    folder = tmp_path / "copper_topsoils"
    folder.mkdir()
    (folder / "cu_vineyards.tif").write_bytes(b"")
    (folder / "mercury.tif").write_bytes(b"")
    told = check(load_spec("copper_topsoils"), folder, settings)
    note = next(f for f in told.findings if not f.refused)
    assert "if 'cu_vineyards.tif' is layer copper_vineyards, name it copper" in note.change
    assert "mercury_topsoils" in note.change


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("gemas.csv", b"<html>", "web page"),
        ("gemas.zip", b"PK\x03\x04 cut short", "the zip cannot be read"),
        ("gemas.zip", b"<!DOCTYPE html><html>", "web page"),
    ],
)
def test_the_command_line_ends_with_code_1_and_prints_json(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "soilmeld.toml").write_text(f'data_root = "{tmp_path / "data"}"\n')
    about = ["--settings", str(tmp_path / "soilmeld.toml")]
    done = CliRunner().invoke(app, ["check", "gemas", str(tmp_path / name), "--json", *about])
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["meets"] is False
    (finding,) = said["findings"]
    assert problem in finding["problem"]
    assert finding["where"] == name
    assert finding["change"]
    assert finding["refused"] is True


def test_a_file_of_no_source_is_said_to_be_none(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    done = CliRunner().invoke(app, ["check", "?", str(tmp_path / "x.csv")])
    assert done.exit_code == 1
    assert "no source has" in done.stdout
