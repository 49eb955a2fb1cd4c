"""Spectra: a block of numbers reads as its text would, and replicate scans are averaged."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from making import column, make_raw, make_spec, text

import adapters.readers.wide
import adapters.spec
from adapters.errors import ReadError, SpecError
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec
from adapters.standardise import Standard, raw_cell, standardise

WAVES = 6


def _spec(folder: Path, table: dict[str, object] | None = None, **more: object) -> SourceSpec:
    said = {
        "native": f"{{400..{400 + (WAVES - 1) / 2:g}..0.5}}",
        "quantity": "absorbance",
        "minimum": 0,
        "maximum": 5,
        "missing": ("-999",),
    } | more
    return make_spec(
        folder,
        [text("point", native="Point"), column("absorbance", **said)],
        keys=("point",),
        tables={"main": {"files": ["*.csv"], "read": {"reader": "csv"} | (table or {})}},
        max_flagged_share=1.0,
    )


def _header(delimiter: str = ",") -> str:
    return delimiter.join(["Point", *(f"{400 + i / 2:g}" for i in range(WAVES))])


def _both(
    monkeypatch: pytest.MonkeyPatch, spec: SourceSpec, data: bytes, settings: Settings
) -> tuple[Standard, Standard]:
    """The same bytes as text, and as a block read in pieces of a few rows."""
    raw = make_raw(settings, {"s.csv": data})
    as_text = standardise(spec, raw, settings)
    with monkeypatch.context() as patch:
        patch.setattr(adapters.spec, "WIDE", 2)
        patch.setattr(adapters.readers.wide, "_PIECE", 64)
        as_block = standardise(spec, raw, settings)
    return as_text, as_block


CELL = st.one_of(
    st.floats(0, 5).map(lambda v: f"{v:.4f}"),
    st.sampled_from(
        ["", " ", "-999", "-999.00", "<0.1", "< LOD", "7.5", "-3", " 0.5 ", "1e-3", "5"]
    ),
)


@given(
    rows=st.lists(st.lists(CELL, min_size=WAVES, max_size=WAVES), min_size=1, max_size=12),
    decimal=st.sampled_from([".", ","]),
)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_block_is_what_its_text_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, rows: list[list[str]], decimal: str
) -> None:
    delimiter = ";" if decimal == "," else ","
    lines = [_header(delimiter)]
    for number, cells in enumerate(rows):
        written = [c.replace(".", decimal) for c in cells]
        lines.append(delimiter.join([f'"P{number}"', *written]))
    spec = _spec(settings.data_root / "spec", {"delimiter": delimiter, "decimal": decimal})
    as_text, as_block = _both(monkeypatch, spec, "\n".join(lines).encode(), settings)
    assert as_block.table.schema["absorbance"] == pl.List(pl.Float32)
    assert as_block.table["row_ref"].to_list() == as_text.table["row_ref"].to_list()
    expected = as_text.table["absorbance"].cast(pl.List(pl.Float32))
    assert as_block.table["absorbance"].to_list() == expected.to_list()

    def said(made: Standard) -> list[tuple[object, ...]]:
        # A number of a block is told without the zeros that ended it.
        detail = pl.col("detail").str.replace(r"\.00$", "").str.replace(",00", "", literal=True)
        keys = made.flags.select("row_ref", "column", "flag", detail)
        return sorted(keys.rows(), key=str)

    assert said(as_block) == said(as_text)


def test_cells_of_a_block_are_shown_as_they_stand(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (_header() + "\nA,0.1,0.2,0.451,<0.1,,7.5\n").encode()
    monkeypatch.setattr(adapters.spec, "WIDE", 2)
    spec = _spec(settings.data_root / "spec")
    raw = make_raw(settings, {"s.csv": data})
    made = standardise(spec, raw, settings)
    assert raw_cell(raw, spec, "s.csv#2", "absorbance", settings) == "0.1; 0.2; 0.451; <0.1; 7.5"
    assert made.flags.select("flag", "raw", "value", "detail").sort("flag").rows() == [
        ("below_detection", "<0.1", 0.1, "401.5"),
        ("out_of_range", "7.5", 7.5, "402.5: outside 0 to 5 1"),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A,0.1,0.2,0.3,x,0.1,0.2", r"no number in 1 of 1 rows"),
        ("A,0.1,0.2,0.3,0.1", r"1 rows have another number of cells"),
        ("A,0.1,0.2,0.3,inf,0.1,0.2", r"no number in 1 of 1 rows"),
    ],
)
def test_what_is_no_number_is_refused_in_its_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, row: str, said: str
) -> None:
    good = "\n".join(f"G{i},0.1,0.2,0.3,0.1,0.1,0.2" for i in range(9))
    data = f"{_header()}\n{good}\n{row}\n".encode()
    monkeypatch.setattr(adapters.spec, "WIDE", 2)
    monkeypatch.setattr(adapters.readers.wide, "_PIECE", 64)
    with pytest.raises(ReadError, match=said) as raised:
        standardise(
            _spec(settings.data_root / "spec"), make_raw(settings, {"s.csv": data}), settings
        )
    assert "11" in str(raised.value.where)


def test_a_whole_block_out_of_range_is_refused_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (_header() + "\n" + "A,60,61,62,63,64,65\n").encode()
    monkeypatch.setattr(adapters.spec, "WIDE", 2)
    monkeypatch.setattr("adapters.blocks._STRANGE", 3)
    spec = _spec(settings.data_root / "spec").model_copy(update={"max_flagged_share": 0.05})
    with pytest.raises(ReadError, match="out of range or missing"):
        standardise(spec, make_raw(settings, {"s.csv": data}), settings)


@pytest.mark.parametrize("wide", [2, 1000])
def test_neighbours_are_averaged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    data = (_header() + "\nA,0.1,0.2,0.3,0.4,,0.2\n").encode()
    monkeypatch.setattr(adapters.spec, "WIDE", wide)
    spec = _spec(settings.data_root / "spec", mean_of=2)
    made = standardise(spec, make_raw(settings, {"s.csv": data}), settings)
    found = made.table["absorbance"][0].to_list()
    assert found[:2] == pytest.approx([0.15, 0.35])
    assert found[2] is None
    assert spec.column("absorbance").length == 3


@given(
    scans=st.lists(
        st.tuples(st.sampled_from("ABC"), st.lists(st.floats(0, 0.02), min_size=3, max_size=3)),
        min_size=1,
        max_size=9,
    )
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_scans_of_a_point_become_their_mean_or_are_flagged(
    settings: Settings, scans: list[tuple[str, list[float]]]
) -> None:
    rows = [f"{key},{','.join(f'{v:.6f}' for v in cells)},{key.lower()}" for key, cells in scans]
    data = {"s.csv": ("Point,w1,w2,w3,Note\n" + "\n".join(rows)).encode(), "p.csv": b"P\nA\nB\nC"}
    spec = make_spec(
        settings.data_root / "spec",
        [
            text("point", native="P"),
            text("point", native="Point", table="scans"),
            column("absorbance", native="w{1..3}", table="scans", max_difference=0.01),
            text("note", native="Note", table="scans"),
        ],
        keys=("point",),
        tables={
            "main": {"files": ["p.csv"], "read": {"reader": "csv"}},
            "scans": {
                "files": ["s.csv"], "read": {"reader": "csv"}, "compose": "mean", "on": ["point"],
            },
        },
    )  # fmt: skip
    made = standardise(spec, make_raw(settings, data), settings)
    flagged = made.flags.filter(flag="replicates_differ")
    for row in made.table.iter_rows(named=True):
        own = np.array([np.round(cells, 6) for key, cells in scans if key == row["point"]])
        if not len(own):
            assert row["absorbance"] is None
            assert row["note"] is None
            continue
        assert row["note"] == row["point"].lower()
        apart = (own.max(axis=0) - own.min(axis=0)).max()
        said = flagged.filter(pl.col("row_ref") == row["row_ref"])
        if apart > 0.01:
            assert row["absorbance"] is None
            assert said["value"][0] == pytest.approx(apart)
        else:
            np.testing.assert_allclose(row["absorbance"], own.mean(axis=0), atol=1e-9)
            assert said.is_empty()


def test_faulty_declarations_do_not_load(settings: Settings) -> None:
    said = {"name": "a", "table": "main", "kind": "numeric", "unit": "1", "evidence": "assumed"}
    said |= {"description": "a"}
    with pytest.raises(ValueError, match="as many elements"):
        Column.model_validate(said | {"native": "w{1..3}", "aliases": ("v{1..2}",)})
    with pytest.raises(ValueError, match="must divide"):
        Column.model_validate(said | {"native": "w{1..3}", "mean_of": 2})
    more = {"native": "w{1..2000}", "other_unit": "percent", "other_unit_below": 1}
    with pytest.raises(ValueError, match="with one unit"):
        Column.model_validate(said | more)


def test_an_absent_optional_block_holds_null(settings: Settings) -> None:
    spec = make_spec(
        settings.data_root / "spec",
        [
            text("point", native="P"),
            text("point", native="Point", table="scans"),
            column("absorbance", native="{400..2499.5..0.5}", table="scans"),
        ],
        keys=("point",),
        tables={
            "main": {"files": ["p.csv"], "read": {"reader": "csv"}},
            "scans": {
                "files": ["s.csv"],
                "required": False,
                "read": {"reader": "csv"},
                "compose": "mean",
                "on": ["point"],
            },
        },
    )
    made = standardise(spec, make_raw(settings, {"p.csv": b"P\nA\n"}), settings)
    assert made.table["absorbance"].to_list() == [None]
    assert made.table.schema["absorbance"] == pl.List(pl.Float32)


def _lucas_2009(
    settings: Settings, folder: Path, files: dict[str, bytes], iceland: float = 2500.0
) -> Standard:
    from adapters.twin.files import write_dbf, write_xlsx

    headers = ["sample_ID", "POINT_ID", "GPS_LAT", "GPS_LONG", "coarse", "clay", "silt", "sand"]
    headers += ["pH_in_H2O", "pH_in_CaCl2", "OC", "CaCO3", "N", "P", "K", "CEC"]
    soil = [5, 20, 40, 40, 6.5, 6.0, 20.0, 1.0, 2.0, 30.0, 150.0, 12.0]
    write_xlsx(folder / "m.xlsx", {"S": [headers, ["1", 26581768, 50.0, 8.0, *soil]]})
    short = [h[:10] for h in headers[1:]]
    for name, point, nitrogen in (("ICELAND", 30005000, iceland), ("CYP_MLT", 40005000, 2.5)):
        cells = [point, 64.5, -20.5, *soil]
        cells[short.index("N")] = nitrogen
        table = {h: [v] for h, v in zip(short, cells, strict=True)}
        write_dbf(folder / f"SoilAttr_{name}.dbf", table)
        files = files | {f"SoilAttr_{name}.dbf": (folder / f"SoilAttr_{name}.dbf").read_bytes()}
    spec = adapters.spec.load_spec("lucas_2009_topsoil")
    said = {"LUCAS_TOPSOIL_v1.xlsx": (folder / "m.xlsx").read_bytes()} | files
    return standardise(spec, make_raw(settings, said), settings)


# Issued first in mg/kg, then anew in the unit of the main file.
@pytest.mark.parametrize("iceland", [2500.0, 2.5])
def test_supplements_of_lucas_2009_bring_nitrogen_to_one_unit(
    settings: Settings, tmp_path: Path, iceland: float
) -> None:
    made = _lucas_2009(settings, tmp_path, {}, iceland)
    by_point = dict(made.table.select("point_id", "total_nitrogen").rows())
    assert by_point == pytest.approx({"26581768": 2.0, "30005000": 2.5, "40005000": 2.5})
    assert made.table["ph_cacl2"].to_list() == [6.0] * 3


def test_romania_and_bulgaria_come_in_two_workbooks(settings: Settings, tmp_path: Path) -> None:
    from adapters.twin.files import write_xlsx

    headers = ["POINT_ID", "GPS_LAT", "GPS_LONG", "coarse", "clay", "silt", "sand", "pH_in_H2O"]
    headers += ["pH_in_CaCl2", "OC", "CaCO3", "N", "P", "K", "CEC"]
    soil = [5, 20, 40, 40, 6.5, 6.0, 20.0, 1.0, 200.0, 30.0, 150.0, 12.0]
    files = {}
    for name, point, east in (("Romania", 54005000, 25.0), ("Bulgaria", 55005000, 26.0)):
        write_xlsx(tmp_path / "x.xlsx", {"S": [headers, [point, 44.0, east, *soil]]})
        files[f"LUCAS_Romania_Bulgaria_2012/{name}.xlsx"] = (tmp_path / "x.xlsx").read_bytes()
    made = _lucas_2009(settings, tmp_path, files)
    nitrogen = dict(made.table.select("point_id", "total_nitrogen").rows())
    assert (nitrogen["54005000"], nitrogen["55005000"]) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("head", ["{}", "spc.{}", "X{}"])
def test_spectra_of_lucas_2009_by_any_spelling_of_a_wavelength(
    settings: Settings, tmp_path: Path, head: str
) -> None:
    waves = [f"{400 + i / 2:g}" for i in range(4200)]
    header = ",".join(["PointID", *(head.format(w) for w in waves)])
    row = ",".join(["26581768", *(f"{i / 4200:.6f}" for i in range(4200))])
    data = f"{header}\n{row}\n".encode()
    made = _lucas_2009(settings, tmp_path, {"LUCAS_TOPSOIL_v1_spectral_DE.csv": data})
    spectra = dict(made.table.select("point_id", "absorbance").rows())
    assert len(spectra["26581768"]) == 4200
    assert spectra["30005000"] is None
    tens = made.table["absorbance_10nm"][0].to_list()
    np.testing.assert_allclose(tens, (np.arange(4200) / 4200).reshape(210, 20).mean(1), atol=1e-6)


def test_spectra_separated_by_tabs_name_the_line_to_change(
    settings: Settings, tmp_path: Path
) -> None:
    waves = "\t".join(f"{400 + i / 2:g}" for i in range(4200))
    data = f"PointID\t{waves}\n26581768{chr(9) + '0.5'}\n".encode()
    with pytest.raises(ReadError, match="not divided by ','") as raised:
        _lucas_2009(settings, tmp_path, {"LUCAS_TOPSOIL_v1_spectral.csv": data})
    assert "table spectra in source.yaml" in str(raised.value)


def _corrected(settings: Settings, monkeypatch: pytest.MonkeyPatch, entry: dict) -> Standard:
    monkeypatch.setattr(adapters.spec, "WIDE", 2)
    about = {"id": "scan", "table": "main", "reason": "r", "reported": "2020-01-01, letter"}
    spec = _spec(settings.data_root / "spec")
    told = {**spec.model_dump(), "corrections": [{**about, **entry}], "folder": spec.folder}
    data = (_header() + "\nA,0.1,0.2,0.3,0.1,0.1,0.2\nB,0.1,0.2,<0.1,0.1,0.1,0.2\n").encode()
    raw = make_raw(settings, {"s.csv": data})
    return standardise(SourceSpec.model_validate(told), raw, settings)


def test_a_row_of_a_block_is_dropped_as_any_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = {"action": "drop_row", "where": {"Point": "A"}, "expect": {"Point": "A"}}
    made = _corrected(settings, monkeypatch, drop)
    assert made.table["point"].to_list() == ["B"]
    assert made.table["absorbance"][0].to_list()[2] is None
    assert made.flags.filter(flag="below_detection")["row_ref"].to_list() == ["s.csv#3"]


def test_a_single_element_of_a_block_is_not_corrected(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix = {"action": "set", "where": {"Point": "A"}, "column": "400.5", "expect": "0.2"}
    with pytest.raises(SpecError, match="an element of an array that is read as numbers"):
        _corrected(settings, monkeypatch, {**fix, "value": "0.3"})
