"""Tables of Access databases, R data files and ArcView legends."""

import csv
import io
from pathlib import Path

import fastexcel
import pandas as pd
import polars as pl
import pyogrio
import pytest
import rdata
from access_writer import database
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from making import column, make_raw, make_spec, text

from adapters import twin
from adapters.archive import ingest
from adapters.errors import ArchiveError, ReadError
from adapters.readers import NativeTable, fits, read_table
from adapters.settings import Settings
from adapters.spec import SourceSpec, load_spec
from adapters.standardise import Standard, raw_cell, standardise

SMALL = Path(__file__).parent.parent / "data" / "pits.mdb"
PITS = {
    "Pits": (
        {
            "PIT_ID": "text", "LON": "double", "DEPTH": "int", "CLASS": "byte", "CLAY": "single",
            "SAMPLED": "bool", "NOTE": "text",
        },
        [
            ("AT-01", 8.25, 30, 200, 12.3, True, "Parabraunerde, Löss"),
            ("AT-02", None, None, None, None, False, None),
            ("AT-03", -1.5, 120, 7, 0.1, True, "  "),
        ],
    ),
    "Horizons": (
        {"PIT_ID": "text", "HORIZON": "int"},
        [(f"AT-{i // 5:02d}", i % 5) for i in range(1000)],
    ),
}  # fmt: skip


def _read(
    tmp_path: Path, content: bytes, reader: str, file: str, columns: tuple = (), **more: object
) -> NativeTable:
    (tmp_path / file).write_bytes(content)
    spec = make_spec(
        tmp_path / "spec",
        list(columns),
        tables={"main": {"files": ["*"], "read": {"reader": reader} | more}},
    )
    return read_table(spec, "main", tmp_path, file)


def test_the_database_that_is_kept_is_what_its_writer_writes() -> None:
    assert SMALL.read_bytes() == database(PITS)


def test_a_table_of_an_access_database_is_read_as_text(tmp_path: Path) -> None:
    native = _read(tmp_path, SMALL.read_bytes(), "mdb", "pits.mdb", object="pits")
    assert native.place == "pits.mdb!Pits"
    found = dict(zip(native.headers, native.cells.get_columns(), strict=True))
    assert found["PIT_ID"].to_list() == ["AT-01", "AT-02", "AT-03"]
    assert found["LON"].to_list() == ["8.25", None, "-1.5"]
    assert found["DEPTH"].to_list() == ["30", None, "120"]
    # Without sign, as Access means it, and with the digits of a single.
    assert found["CLASS"].to_list() == ["200", None, "7"]
    assert found["CLAY"].to_list() == ["12.3", None, "0.1"]
    assert found["SAMPLED"].to_list() == ["true", "false", "true"]
    assert found["NOTE"].to_list() == ["Parabraunerde, Löss", None, None]
    assert native.rows.to_list() == [1, 2, 3]
    many = _read(tmp_path, SMALL.read_bytes(), "mdb", "pits.mdb", object="Horizons")
    assert many.cells.height == 1000
    assert many.cells.row(999) == ("4", "AT-199") or many.cells.row(999) == ("AT-199", "4")


CELLS = {
    "text": st.none()
    | st.text(st.characters(codec="utf-16", exclude_categories=["C", "Z"]), min_size=1, max_size=9),
    "int": st.none() | st.integers(-(2**31), 2**31 - 1),
    "double": st.none() | st.floats(-1e12, 1e12),
    "bool": st.booleans(),
}


@given(data=st.data(), kinds=st.lists(st.sampled_from(list(CELLS)), min_size=1, max_size=9))
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_to_a_database_is_read(
    tmp_path: Path, data: st.DataObject, kinds: list[str]
) -> None:
    row = st.tuples(*(CELLS[kind] for kind in kinds))
    rows = data.draw(st.lists(row, min_size=1, max_size=40))
    named = {f"C{i}": kind for i, kind in enumerate(kinds)}
    native = _read(tmp_path, database({"T": (named, rows)}), "mdb", "t.mdb", object="T")
    assert native.cells.height == len(rows)
    for place, header in enumerate(native.headers):
        i = int(header[1:])
        for value, cell in zip((r[i] for r in rows), native.cells[str(place)], strict=True):
            if value is None:
                assert cell is None
            elif kinds[i] in ("int", "double"):
                assert float(cell) == value
            else:
                assert cell == (str(value).lower() if kinds[i] == "bool" else value)


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (b"\0\1\0\0Standard Jet DB\0" + bytes(5000), "Pits", "not a database that can be read"),
        (b"no database at all" * 300, "Pits", "not a database that can be read"),
        (database(PITS)[:9000], "Pits", "not a database that can be read"),
        (database(PITS), "Plots", "no table 'Plots'"),
        (database({"Pits": ({"A": "int"}, [])}), "Pits", "a header and no rows"),
    ],
)
def test_what_is_no_database_or_has_no_such_table_is_refused(
    tmp_path: Path, content: bytes, asked: str, said: str
) -> None:
    with pytest.raises(ReadError, match=said):
        _read(tmp_path, content, "mdb", "p.mdb", object=asked)


def test_currency_is_refused_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.readers.database._UNREAD", {7: "currency"})
    with pytest.raises(ReadError, match="of type currency"):
        _read(
            tmp_path, database(PITS), "mdb", "p.mdb", (column("lon", native="LON"),), object="Pits"
        )


def _typed(headers: list[str], rows: list[list[object]]) -> tuple[dict[str, str], list[tuple]]:
    """Columns as a person would import them: numbers as doubles, else text."""
    kinds, columns = {}, []
    for place, header in enumerate(headers):
        cells = [row[place] if row[place] not in ("", None) else None for row in rows]
        numbers = pl.Series([None if c is None else str(c) for c in cells], dtype=pl.String)
        numbers = numbers.cast(pl.Float64, strict=False)
        numeric = numbers.null_count() == sum(c is None for c in cells) and "ID" not in header
        # Codes such as 05 stay what they are.
        numeric &= not any(str(c)[:1] == "0" and str(c)[1:2].isdigit() for c in cells)
        kinds[header] = "double" if numeric else "text"
        columns.append(numbers.to_list() if numeric else cells)
    return kinds, list(zip(*columns, strict=True))


def _of_csv(path: Path, encoding: str) -> tuple[dict[str, str], list[tuple]]:
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding=encoding)))
    return _typed(header, rows)


def _both(settings: Settings, spec: SourceSpec, packed: bytes) -> tuple[Standard, Standard]:
    made = ingest(spec, settings)
    assert made is not None
    first = standardise(spec, made, settings)
    return first, standardise(spec, make_raw(settings, {f"{spec.id}.mdb": packed}), settings)


def _differing(one: Standard, other: Standard) -> list[str]:
    """Columns whose values, and flags that, are not the same in both."""
    left, right = (s.table.drop("row_ref", "origin") for s in (one, other))
    assert left.columns == right.columns
    found = [name for name in left.columns if not left[name].equals(right[name])]
    kinds = [sorted(s.flags["flag"].to_list()) for s in (one, other)]
    return found + (["flags"] if kinds[0] != kinds[1] else [])


def test_eu_hydi_is_the_same_from_its_database(settings: Settings) -> None:
    twin.write(settings, sources=("eu_hydi",), size="tiny", seed=3)
    folder = settings.raw / "eu_hydi"
    latin = ("GENERAL", "METHOD")
    tables = {
        p.stem: _of_csv(p, "latin-1" if p.stem in latin else "utf-8")
        for p in sorted(folder.glob("*.csv"))
    }
    of_text, of_database = _both(settings, load_spec("eu_hydi"), database(tables))
    assert of_text.table.height == len(tables["BASIC"][1])
    assert _differing(of_text, of_database) == []


def test_spade_m_is_the_same_from_its_database(settings: Settings) -> None:
    twin.write(settings, sources=("spade_m",), size="tiny", seed=3)
    folder = settings.raw / "spade_m"
    tables = {}
    for name in ("HORIZON", "PLOT"):
        frame = pyogrio.read_dataframe(folder / f"{name}.dbf", encoding="ISO-8859-1")
        cells = frame.astype(object).where(frame.notna(), None)
        tables[name] = _typed(list(frame.columns), cells.values.tolist())
    sheet = pl.DataFrame(fastexcel.read_excel(folder / "PHYSICS.xls").load_sheet(0))
    tables["PHYSICS"] = _typed(sheet.columns, [list(r) for r in sheet.rows()])
    of_files, of_database = _both(settings, load_spec("spade_m"), database(tables))
    assert of_files.table.height == len(tables["HORIZON"][1])
    assert _differing(of_files, of_database) == []


def test_a_database_beside_the_tables_that_it_holds_is_refused(settings: Settings) -> None:
    twin.write(settings, sources=("eu_hydi",), size="tiny", seed=3)
    spec = load_spec("eu_hydi")
    csvs = {p.name: p for p in sorted((settings.raw / "eu_hydi").glob("*.csv"))}
    raw = make_raw(settings, csvs | {"EU-HYDI.mdb": SMALL})
    with pytest.raises(ReadError, match="files of 2 editions"):
        standardise(spec, raw, settings)


def test_a_database_is_looked_at_at_the_door(settings: Settings) -> None:
    folder = settings.raw / "pits"
    folder.mkdir(parents=True)
    (folder / "pits.mdb").write_bytes(b"<html>")
    spec = make_spec(
        settings.data_root / "spec",
        [text("pit", native="PIT_ID")],
        tables={
            "main": {
                "files": ["*.mdb"],
                "extra_columns": "ignore",
                "read": {"reader": "mdb", "object": "Pits"},
            }
        },
    )
    with pytest.raises(ArchiveError, match="web page|not a .mdb file"):
        ingest(spec, settings)
    (folder / "pits.mdb").write_bytes(SMALL.read_bytes())
    raw = ingest(spec, settings)
    assert raw is not None
    assert raw_cell(raw, spec, "pits.mdb!Pits#2", "pit", settings) == "AT-02"


def _rdata(tmp_path: Path, **objects: object) -> bytes:
    rdata.write_rda(tmp_path / "x.rda", objects)
    return (tmp_path / "x.rda").read_bytes()


def test_a_data_frame_of_r_is_read_as_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "site": pd.Series(["a", "", "é"], dtype=object),
            "loss": [1.5, float("nan"), 3.0],
            "year": pd.Series([2017, 2018, 2019], dtype="int32"),
            "burnt": [True, False, True],
        }
    )
    content = _rdata(tmp_path, loss=frame, note=pd.DataFrame({"a": [1.0]}))
    native = _read(tmp_path, content, "rdata", "post_fire.RData", object="loss")
    assert native.place == "post_fire.RData!loss"
    assert native.headers == ("site", "loss", "year", "burnt")
    assert native.cells.rows() == [
        ("a", "1.5", "2017", "true"),
        (None, None, "2018", "false"),
        ("é", "3", "2019", "true"),
    ]
    with pytest.raises(ReadError, match="2 data frames, none is named"):
        _read(tmp_path, content, "rdata", "post_fire.RData")
    with pytest.raises(ReadError, match="no data frame 'gain'") as raised:
        _read(tmp_path, content, "rdata", "post_fire.RData", object="gain")
    assert "loss (DataFrame)" in raised.value.samples


def test_the_one_data_frame_needs_no_name(tmp_path: Path) -> None:
    content = _rdata(tmp_path, loss=pd.DataFrame({"v": [1.0, 2.0]}))
    assert _read(tmp_path, content, "rdata", "a.rda").cells["0"].to_list() == ["1", "2"]
    rdata.write_rds(tmp_path / "b.rds", pd.DataFrame({"v": [1.0, 2.5]}))
    single = _read(tmp_path, (tmp_path / "b.rds").read_bytes(), "rdata", "b.rds")
    assert single.cells["0"].to_list() == ["1", "2.5"]


@pytest.mark.parametrize("content", [b"no R data", b"\x1f\x8b and cut", b"RDX3\nX\n\0\0"])
def test_what_is_no_r_data_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ReadError, match="not R data that can be read"):
        _read(tmp_path, content, "rdata", "a.RData")


LEGEND = """/3.2
(ODB.1
\tFirstRootClassName:\t"Legend"
\tRoots:\t2
)

(Legend.2
\tSymbols:\t3
\tClasses:\t4
)

(LClass.4
\tLabel:\t"Highly productive \\"porous\\" aquifer"
\tMinStr:\t"1"
\tMaxStr:\t"1"
)

(LClass.5
\tLabel:\t"Locally productive"
\tMinNum:\t2.000000
\tMaxNum:\t2.000000
)

(LClass.6
\tLabel:\t"0 to 50 m"
\tMinNum:\t0
\tMaxNum:\t50.5
)

(TClr.7
\tRed:\t0xffff
)
"""


def test_a_legend_says_which_value_has_which_label(tmp_path: Path) -> None:
    content = LEGEND.replace("\n", "\r\n").encode()
    native = _read(tmp_path, content, "avl", "Theme1.avl")
    assert native.headers == ("value", "label")
    assert native.cells.rows() == [
        ("1", 'Highly productive "porous" aquifer'),
        ("2", "Locally productive"),
        ("0-50.5", "0 to 50 m"),
    ]
    assert native.rows.to_list() == [12, 18, 24]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"value,label\n1,a\n", "not a legend of ArcView 3"),
        (LEGEND.split("(LClass")[0].encode(), "no class with a value"),
        (LEGEND.replace("Highly", "H\xf6chst").encode("latin-1"), "not utf-8 text"),
    ],
)
def test_what_is_no_legend_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ReadError, match=said):
        _read(tmp_path, content, "avl", "a.avl")


def test_the_legends_of_the_groundwater_maps_hold_their_codes(settings: Settings) -> None:
    twin.write(settings, sources=("groundwater_resources",), size="tiny", seed=3)
    spec = load_spec("groundwater_resources")
    folder = settings.raw / spec.id
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    legends = [name for name, table in spec.tables.items() if table.read.reader == "avl"]
    assert legends
    for name in legends:
        found = [f for f in files if fits(f, spec.tables[name].files)]
        assert found
        for file in found:
            native = read_table(spec, name, folder, file)
            assert native.cells.null_count().row(0) == (0, 0)
