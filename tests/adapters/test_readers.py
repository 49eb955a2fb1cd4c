"""Formats arrive as the text that stood in them, and files that are not what they claim do not."""

import datetime
import io
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import openpyxl
import polars as pl
import pytest
import xlwt
from hypothesis import given
from making import make_spec, text

from adapters.errors import ReadError
from adapters.readers import NativeTable, read_table


def _read(folder: Path, name: str, data: bytes, **read: object) -> NativeTable:
    read = {"reader": "csv"} | read
    spec = make_spec(folder, [text("a")], tables={"main": {"files": [name], "read": read}})
    (folder / name).write_bytes(data)
    return read_table(spec, "main", folder, name)


def _workbook(rows: list[list[object]], title: str = "Data") -> bytes:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_csv_keeps_texts_and_line_numbers(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf# made by hand\r\n"a","b"\r\n007,"x, y"\r\n\r\n'
    data += b'# note\r\n1.50,"p\r\nq"\r\n,z\r\n'
    native = _read(tmp_path, "t.csv", data, comment="#")
    assert native.headers == ("a", "b")
    assert native.cells["0"].to_list() == ["007", "1.50", None]
    assert native.cells["1"].to_list() == ["x, y", "p\r\nq", "z"]
    assert native.row_refs.to_list() == ["t.csv#3", "t.csv#6", "t.csv#8"]


@given(
    st.lists(
        st.tuples(
            *[st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)] * 2
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_survives_csv(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    lines = ["k,a,b"]
    for number, row in enumerate(rows):
        lines.append(",".join([str(number), *('"' + c.replace('"', '""') + '"' for c in row)]))
    native = _read(tmp_path_factory.mktemp("csv"), "t.csv", "\n".join(lines).encode())
    for at, name in enumerate(("a", "b")):
        found = native.cells[str(native.headers.index(name))].to_list()
        assert found == [row[at] if row[at].strip() else None for row in rows]
    assert native.rows.to_list() == list(range(2, len(rows) + 2))


@pytest.mark.parametrize(
    "start",
    [
        b"\n<!DOCTYPE html><html>",
        b"\xef\xbb\xbf<HTML lang='en'>",
        b"<?xml version='1.0'?>\n<!-- saved\nfrom -->\n<html>",
        b"<head>",
    ],
)
def test_web_page_is_refused(tmp_path: Path, start: bytes) -> None:
    with pytest.raises(ReadError, match="a web page, not data") as caught:
        _read(tmp_path, "t.csv", start + b"<title>Log in</title></html>")
    assert "source pits" in str(caught.value)
    assert "file t.csv" in str(caught.value)
    assert "log in at the landing page" in str(caught.value)


@pytest.mark.parametrize("reader", ["csv", "xlsx", "dbf"])
def test_empty_file_is_refused(tmp_path: Path, reader: str) -> None:
    with pytest.raises(ReadError, match="t.x: the file is empty"):
        _read(tmp_path, "t.x", b"", reader=reader)


def test_header_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="a header and no rows"):
        _read(tmp_path, "t.csv", b"a,b\n")


def test_wrong_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="not utf-8 text: byte 0xe9") as caught:
        _read(tmp_path, "t.csv", b"a\nx\ncaf\xe9\n")
    assert "at line 3" in str(caught.value)
    assert "set `encoding` of table main in source.yaml" in str(caught.value)
    assert "café" in str(caught.value)


def test_utf8_declared_as_latin1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="declared latin-1, but the bytes are UTF-8") as caught:
        _read(tmp_path, "t.csv", "a\nx\ncafé\n".encode(), encoding="latin-1")
    assert "line 3" in str(caught.value)
    native = _read(tmp_path, "t.csv", "a\nx\ncafé\n".encode("latin-1"), encoding="latin-1")
    assert native.cells["0"][1] == "café"


@pytest.mark.parametrize(
    ("data", "line"),
    [(b"a,b\n1,2\n3\n", 3), (b"a,b\n1,2,3\n", 2), (b'a,b\n1,"2\n3,4\n', 2)],
)
def test_ragged_rows_are_refused(tmp_path: Path, data: bytes, line: int) -> None:
    with pytest.raises(
        ReadError, match="(number of cells|not a readable table|rows were read)"
    ) as e:
        _read(tmp_path, "t.csv", data)
    if "number of cells" in str(e.value):
        assert f"line {line}" in str(e.value)


def test_workbook_keeps_texts(tmp_path: Path) -> None:
    rows = [
        ["a", "b", None],
        [40283224, "50-29-3", None],
        [1.23456789012e-7, datetime.date(2009, 4, 1), None],
        [None, None, None],
        [2, "< 10", None],
    ]
    native = _read(tmp_path, "t.xlsx", _workbook(rows), reader="xlsx", sheet="Data")
    assert native.headers == ("a", "b")
    assert native.cells["0"].to_list() == ["40283224", "1.23456789012e-7", "2"]
    assert native.cells["1"].to_list() == ["50-29-3", "2009-04-01 00:00:00", "< 10"]
    assert native.row_refs.to_list() == ["t.xlsx!Data#2", "t.xlsx!Data#3", "t.xlsx!Data#5"]


def test_block_names_stand_before_headers(tmp_path: Path) -> None:
    rows = [[None, "0-10", None, "10-20", None], ["id", "N", "P", "N", "P"], [1, 2, 3, 4, 5]]
    native = _read(tmp_path, "t.xlsx", _workbook(rows), reader="xlsx", header_row=1, block_row=0)
    assert native.headers == ("id", "0-10: N", "0-10: P", "10-20: N", "10-20: P")
    assert native.row_refs.to_list() == ["t.xlsx!Data#3"]


def test_old_workbook_with_rows_above_the_header(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("A")
    for row, cells in ((1, ["id", "t"]), (2, [1, "é"]), (4, [2, "<LOD"])):
        for at, cell in enumerate(cells):
            sheet.write(row, at, cell)
    buffer = io.BytesIO()
    book.save(buffer)
    native = _read(tmp_path, "t.xls", buffer.getvalue(), reader="xls", header_row=1)
    assert native.row_refs.to_list() == ["t.xls!A#3", "t.xls!A#5"]
    assert native.cells["1"].to_list() == ["é", "<LOD"]
    with pytest.raises(ReadError, match="the header is not in its row") as caught:
        _read(tmp_path, "t.xls", buffer.getvalue(), reader="xls")
    assert "set header_row of table main" in str(caught.value)


def test_workbook_faults_are_told(tmp_path: Path) -> None:
    data = _workbook([["a"], [1]])
    with pytest.raises(ReadError, match="no sheet 'Other'") as caught:
        _read(tmp_path, "t.xlsx", data, reader="xlsx", sheet="Other")
    assert "'Data'" in str(caught.value)
    with pytest.raises(ReadError, match="not a readable workbook"):
        _read(tmp_path, "t.xlsx", data[: len(data) // 2], reader="xlsx")


def _write_layer(folder: Path, encoding: str) -> None:
    import geopandas
    import shapely

    frame = geopandas.GeoDataFrame(
        {"name": ["café", None], "code": [1, 2], "share": [1.5, 2.0]},
        geometry=shapely.points([[1.0, 2.0], [3.0, 4.0]]),
        crs="EPSG:3035",
    )
    frame.to_file(folder / "p.shp", encoding=encoding)
    (folder / "p.cpg").unlink()


def test_shapefile_and_dbf(tmp_path: Path) -> None:
    import shapely

    _write_layer(tmp_path, "ISO-8859-1")
    for name, reader in (("p.shp", "vector"), ("p.dbf", "dbf")):
        data = (tmp_path / name).read_bytes()
        native = _read(tmp_path, name, data, reader=reader, encoding="latin-1")
        assert native.headers == ("name", "code", "share")
        assert native.cells["0"].to_list() == ["café", None]
        assert native.cells["1"].to_list() == ["1", "2"]
        assert native.cells["2"].to_list() == ["1.5", "2"]
        assert native.row_refs.to_list() == [f"{name}#1", f"{name}#2"]
        if reader == "vector":
            assert native.geometry is not None
            assert shapely.from_wkb(native.geometry.to_list())[1] == shapely.Point(3, 4)
        else:
            assert native.geometry is None


def test_dbf_of_another_encoding_is_refused(tmp_path: Path) -> None:
    _write_layer(tmp_path, "ISO-8859-1")
    with pytest.raises(ReadError, match="not utf-8 text") as caught:
        _read(tmp_path, "p.dbf", (tmp_path / "p.dbf").read_bytes(), reader="dbf")
    assert "set `encoding` of table main" in str(caught.value)


def test_broken_layer_is_refused(tmp_path: Path) -> None:
    _write_layer(tmp_path, "UTF-8")
    with pytest.raises(ReadError, match="GDAL cannot read it"):
        _read(tmp_path, "p.shp", b"not a shapefile", reader="vector")


def test_package_reader_calls_the_hook(tmp_path: Path) -> None:
    (tmp_path / "hooks.py").write_text(
        "import polars as pl\ndef read(path):\n"
        "    return pl.DataFrame({'a': path.read_bytes().decode().split(), 'b': [1.0, None]})\n"
    )
    native = _read(tmp_path, "t.bin", b"x y", reader="package", callable="read")
    assert native.cells.rows() == [("x", "1"), ("y", None)]
    with pytest.raises(Exception, match="hooks.py has no function 'other'"):
        _read(tmp_path, "t.bin", b"x y", reader="package", callable="other")


def test_numbers_as_text_read_back(tmp_path: Path) -> None:
    values = np.random.default_rng(1).lognormal(0, 8, 500)
    rows = [["a"], *[[float(v)] for v in values]]
    native = _read(tmp_path, "t.xlsx", _workbook(rows), reader="xlsx")
    # openpyxl writes sixteen digits.
    found = native.cells["0"].cast(pl.Float64).to_numpy()
    np.testing.assert_allclose(found, values, rtol=1e-15)


def test_cells_of_failed_formulas_are_not_empty(tmp_path: Path) -> None:
    rows = [[None, "a", "b"], [None, "#N/A", 1], [None, None, "#DIV/0!"], [None, 3, "t"]]
    native = _read(tmp_path, "t.xlsx", _workbook(rows), reader="xlsx")
    assert native.headers == ("a", "b")
    assert native.cells.rows() == [("#N/A", "1"), (None, "#DIV/0!"), ("3", "t")]


def test_header_that_stands_twice_in_a_workbook_stays_as_it_is(tmp_path: Path) -> None:
    rows = [["id", "N ", "N ", "P", "P_1"], [1, 2, 3, 4, 5]]
    native = _read(tmp_path, "t.xlsx", _workbook(rows), reader="xlsx")
    assert native.headers == ("id", "N", "N", "P", "P_1")


def test_utf16_is_named(tmp_path: Path) -> None:
    data = "a\nx\ncafé\n".encode("utf-16")
    with pytest.raises(ReadError, match="for instance to utf-16"):
        _read(tmp_path, "t.csv", data)
    assert _read(tmp_path, "t.csv", data, encoding="utf-16").cells["0"].to_list() == ["x", "café"]


def test_another_delimiter_is_named(tmp_path: Path) -> None:
    spec = make_spec(tmp_path, [text("a"), text("b")])
    (tmp_path / "t.csv").write_text("a;b\n1,5;2\n")
    with pytest.raises(ReadError, match="not divided by ',', but by ';'") as caught:
        read_table(spec, "main", tmp_path, "t.csv")
    assert "'a;b'" in str(caught.value)
    assert "set `delimiter: " in str(caught.value)
