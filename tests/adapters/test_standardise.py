"""From native files to the standard table: what is kept, converted, flagged and refused."""

import datetime
import time
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from making import column, make_raw, make_spec, text

from adapters.errors import CodebookError, ReadError, SpecError, UnitError
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import Standard, raw_cell, standardise


def _run(
    settings: Settings, columns: list[dict[str, object]], csv: str | dict[str, str], **more: object
) -> Standard:
    files = {"t.csv": csv} if isinstance(csv, str) else csv
    raw = make_raw(settings, {name: content.encode() for name, content in files.items()})
    return standardise(make_spec(settings.data_root / "spec", columns, **more), raw, settings)


def _flags(standard: Standard, flag: str) -> list[tuple]:
    found = standard.flags.filter(pl.col("flag") == flag)
    return found.select("row_ref", "column", "raw", "value").rows()


def _tables(**more: dict[str, object]) -> dict[str, object]:
    return {
        name: {"files": [f"{name}.csv"], "read": {"reader": "csv"}} | said
        for name, said in more.items()
    }


# --- values ---------------------------------------------------------------------------------------


def test_every_value_that_is_not_ordinary_is_null_and_flagged(settings: Settings) -> None:
    made = _run(
        settings,
        [
            text("id"),
            column("carbon", unit="g/kg", basis="mass", detection_limit=2, minimum=0, maximum=600),
        ],
        "id,carbon\n1, 12.5 \n2,< LOD\n3,<5\n4,-999\n5,\n6,700\n7,<0.0\n8,-999.00\n9,0\n",
        tables={"main": {"files": ["*.csv"], "read": {"reader": "csv", "missing": ["", "-999"]}}},
    )
    assert made.table["carbon"].to_list() == [12.5, *[None] * 7, 0.0]
    assert _flags(made, "below_detection") == [
        ("t.csv#3", "carbon", "< LOD", 2.0),
        ("t.csv#4", "carbon", "<5", 5.0),
        ("t.csv#8", "carbon", "<0.0", 2.0),
    ]
    assert _flags(made, "missing") == [
        ("t.csv#5", "carbon", "-999", None),
        ("t.csv#9", "carbon", "-999.00", None),
    ]
    assert _flags(made, "out_of_range") == [("t.csv#7", "carbon", "700", 700.0)]
    assert made.flags.height == 6


def test_units_are_converted_and_limits_with_them(settings: Settings) -> None:
    made = _run(
        settings,
        [
            column(
                "organic_carbon",
                quantity="organic_carbon",
                unit="percent",
                basis="mass",
                detection_limit=0.2,
                minimum=0,
                maximum=60,
            )
        ],
        "organic_carbon\n1.5\n<LOD\n61\n",
    )
    assert made.columns[0].scale == pytest.approx(10)
    assert made.columns[0].unit == "g/kg"
    assert made.table["organic_carbon"].to_list() == pytest.approx([15, None, None])
    assert _flags(made, "below_detection")[0][3] == pytest.approx(2)
    assert _flags(made, "out_of_range")[0][3] == pytest.approx(610)


def test_range_of_the_quantity_holds_where_the_column_has_none(settings: Settings) -> None:
    made = _run(settings, [column("ph", quantity="ph_h2o", unit="pH")], "ph\n6.5\n65\n")
    assert made.table["ph"].to_list() == [6.5, None]
    assert _flags(made, "out_of_range") == [("t.csv#3", "ph", "65", 65.0)]


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20))
def test_any_number_survives(tmp_path_factory: pytest.TempPathFactory, values: list) -> None:
    settings = Settings(data_root=tmp_path_factory.mktemp("data"))
    made = _run(settings, [column("a")], "a\n" + "\n".join(map(repr, values)) + "\n")
    assert made.table["a"].to_list() == values


@pytest.mark.parametrize("wrong", ["twelve", "nan", "inf", "1,5", "12 mg"])
def test_a_text_that_is_no_number_is_refused(settings: Settings, wrong: str) -> None:
    with pytest.raises(ReadError, match="no number in 1 of 2 rows") as caught:
        _run(settings, [column("a")], f'a\n1\n"{wrong}"\n')
    told = str(caught.value)
    assert "source pits, file t.csv, at row 3" in told
    assert repr(wrong) in told
    assert "`missing` in line 2 of columns.csv" in told


def test_decimal_comma(settings: Settings) -> None:
    read = {"reader": "csv", "delimiter": ";", "decimal": ","}
    made = _run(
        settings,
        [column("a", detection_limit=1)],
        "a;\n1,5;\n<0,5;\n".replace(";\n", "\n"),
        tables={"main": {"files": ["*.csv"], "read": read}},
    )
    assert made.table["a"].to_list() == [1.5, None]
    assert _flags(made, "below_detection")[0][3] == 0.5


def test_point_among_decimal_commas_is_refused(settings: Settings) -> None:
    read = {"reader": "csv", "delimiter": ";", "decimal": ","}
    with pytest.raises(ReadError, match="no number in 1 of 2 rows") as caught:
        _run(
            settings,
            [column("a")],
            "a\n1,5\n1.234\n",
            tables={"main": {"files": ["*.csv"], "read": read}},
        )
    assert "'1.234'" in str(caught.value)


def test_unit_decided_by_the_median(settings: Settings) -> None:
    said = column("iron", unit="mg/kg", basis="mass", other_unit="g/kg", other_unit_below=60)
    low = _run(settings, [said], "iron\n1\n2\n3\n")
    assert low.table["iron"].to_list() == pytest.approx([1000, 2000, 3000])
    assert low.flags.filter(pl.col("flag") == "unit_by_range")["detail"][0].startswith(
        "read as g/kg: the median 2 is below 60"
    )
    high = _run(settings, [said], "iron\n1000\n2000\n3000\n")
    assert high.table["iron"].to_list() == [1000, 2000, 3000]


def test_codes_dates_and_booleans(settings: Settings) -> None:
    folder = settings.data_root / "spec"
    (folder / "codebooks").mkdir(parents=True)
    (folder / "codebooks" / "cover.csv").write_text("code,label\nA,arable\nB,forest\n")
    made = _run(
        settings,
        [
            column("cover", kind="categorical", codebook="cover", unknown_code="flag"),
            column("free", kind="categorical", codebook="open"),
            column("day", kind="date", date_format="%d/%m/%y"),
            column("wet", kind="boolean"),
        ],
        "cover,free,day,wet\nA,x,01/05/09,yes\nZ,,2009-06-02,0\n",
        time={"date": "day"},
    )
    assert made.table["cover"].to_list() == ["A", None]
    assert _flags(made, "code_unknown") == [("t.csv#3", "cover", "Z", None)]
    assert made.table["free"].to_list() == ["x", None]
    days = [datetime.date(2009, 5, 1), datetime.date(2009, 6, 2)]
    assert made.table["day"].to_list() == days
    assert made.table["date_start"].to_list() == made.table["date_end"].to_list() == days
    assert made.table["wet"].to_list() == [True, False]


def test_unknown_code_is_refused(settings: Settings) -> None:
    folder = settings.data_root / "spec"
    (folder / "codebooks").mkdir(parents=True)
    (folder / "codebooks" / "cover.csv").write_text("code,label\nA10,arable\nB10,forest\n")
    said = [text("id"), column("cover", kind="categorical", codebook="cover")]
    with pytest.raises(CodebookError, match="codebook cover lacks") as caught:
        _run(settings, said, "id,cover\n1,A10\n2,A1O\n")
    told = str(caught.value)
    assert "source pits, file t.csv, at row 3" in told
    assert "closest: 'A10'" in told
    assert "'A1O'" in told
    assert "line 3 of columns.csv" in told


@pytest.mark.parametrize(
    ("wrong", "kind", "what"),
    [
        ("31.02.2009", {"kind": "date", "date_format": "%d.%m.%Y"}, "no date of the form %d.%m.%Y"),
        ("perhaps", {"kind": "boolean"}, "neither yes nor no"),
    ],
)
def test_what_is_no_date_or_truth_is_refused(
    settings: Settings, wrong: str, kind: dict[str, str], what: str
) -> None:
    with pytest.raises(ReadError, match=what) as caught:
        _run(settings, [text("id"), column("a", **kind)], f"id,a\n1,\n2,{wrong}\n")
    assert "row 3" in str(caught.value)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(("unit", "what"), [("furlong", "furlong"), ("cm", "not measure the same")])
def test_wrong_unit_is_refused(settings: Settings, unit: str, what: str) -> None:
    said = [column("organic_carbon", quantity="organic_carbon", unit=unit)]
    with pytest.raises(UnitError, match=what) as caught:
        _run(settings, said, "organic_carbon\n1\n")
    told = str(caught.value)
    assert "source pits, file columns.csv, at line 2 (column organic_carbon" in told
    assert "remedy" in told


# --- headers --------------------------------------------------------------------------------------


def test_headers_match_without_case_and_by_alias(settings: Settings) -> None:
    made = _run(
        settings,
        [
            text("id", native="POINT_ID", aliases=["Point.ID"]),
            column("b{1..2}".replace("{1..2}", ""), native="B{1..2}"),
            column("gone", required=False),
        ],
        " point.id ,b1,B2\nx,1,\ny,,\n",
    )
    assert made.table["id"].to_list() == ["x", "y"]
    assert made.table["b"].to_list() == [[1.0, None], None]
    assert made.table["gone"].to_list() == [None, None]
    assert made.table.schema["gone"] == pl.Float64


def test_renamed_column_is_refused_naming_both(settings: Settings) -> None:
    with pytest.raises(ReadError) as caught:
        _run(settings, [text("id"), column("ph", native="pH_in_H2O")], "id,pH.H2O\n1,6\n")
    told = str(caught.value)
    assert "source pits, file t.csv, at header" in told
    assert "no column 'pH_in_H2O'; the closest is 'pH.H2O'" in told
    assert "add it to aliases in line 3 of columns.csv (column ph)" in told


def test_unknown_column_is_refused_unless_ignored(settings: Settings) -> None:
    with pytest.raises(ReadError, match="1 unknown columns: 'more'"):
        _run(settings, [text("id")], "id,more\n1,2\n")
    tables = {"main": {"files": ["*.csv"], "read": {"reader": "csv"}, "extra_columns": "ignore"}}
    made = _run(settings, [text("id")], "id,more\n1,2\n", tables=tables)
    assert "more" not in made.table.columns


def test_doubled_header_is_refused(settings: Settings) -> None:
    with pytest.raises(ReadError, match="2 columns could be 'a'"):
        _run(settings, [column("a")], "a,A\n1,2\n")


def test_star_takes_all_columns_but_the_keys(settings: Settings) -> None:
    made = _run(
        settings,
        [text("id"), column("first", native="x"), column("all", native="*")],
        "id,x,y\na,1,2\nb,,\n",
        keys=["id"],
    )
    assert made.table["all"].to_list() == [[1.0, 2.0], None]
    assert made.table["first"].to_list() == [1.0, None]


# --- composing ------------------------------------------------------------------------------------


def _composed(settings: Settings, lab: str, curve: str) -> tuple[SourceSpec, Standard, object]:
    spec = make_spec(
        settings.data_root / "spec",
        [
            text("id"),
            column("ph"),
            text("id", table="more"),
            column("ph", table="more"),
            text("id", table="lab"),
            column("clay", table="lab", maximum=100),
            text("id", table="curve"),
            column("head", table="curve"),
            column("theta", table="curve", maximum=1),
        ],
        keys=["id"],
        time={"start": "2009-01-01", "end": "2009-12-31"},
        tables=_tables(
            main={},
            more={"compose": "append", "time": {"start": "2012-01-01", "end": "2012-12-31"}},
            lab={"compose": "join", "on": ["id"]},
            curve={"compose": "curve", "on": ["id"], "order_by": "head"},
        ),
    )
    files = {
        "main.csv": "id,ph\na,6\nb,7\n",
        "more.csv": "id,ph\nc,5\n",
        "lab.csv": lab,
        "curve.csv": curve,
    }
    raw = make_raw(settings, {name: said.encode() for name, said in files.items()})
    return spec, standardise(spec, raw, settings), raw


def test_tables_are_appended_joined_and_packed(settings: Settings) -> None:
    spec, made, raw = _composed(
        settings,
        "id,clay\nb,20\na,200\nz,1\n",
        "id,head,theta\na,100,0.2\na,10,0.4\nc,10,3\n",
    )
    assert made.table["id"].to_list() == ["a", "b", "c"]
    assert made.table["clay"].to_list() == [None, 20.0, None]
    assert made.table["head"].to_list() == [[10.0, 100.0], None, [10.0]]
    assert made.table["theta"].to_list() == [[0.4, 0.2], None, [None]]
    assert [d.year for d in made.table["date_start"]] == [2009, 2009, 2012]
    assert _flags(made, "out_of_range") == [
        ("main.csv#2", "clay", "200", 200.0),
        ("more.csv#2", "theta", "3", 3.0),
    ]
    out = made.flags.filter(pl.col("column") == "clay")["detail"][0]
    assert out.endswith("at lab.csv#3")
    orphan = made.flags.filter(pl.col("flag") == "missing").row(0, named=True)
    assert orphan["row_ref"] == "lab.csv"
    assert orphan["detail"] == "1 rows of table lab match no row, such as lab.csv#4"
    assert raw_cell(raw, spec, "main.csv#2", "clay", settings) == "200"
    assert raw_cell(raw, spec, "lab.csv#2", "clay", settings) == "20"
    assert raw_cell(raw, spec, "more.csv#2", "ph", settings) == "5"
    assert raw_cell(raw, spec, "more.csv#2", "clay", settings) is None
    assert raw_cell(raw, spec, "main.csv#2", "theta", settings) == "0.2; 0.4"
    with pytest.raises(ReadError, match="no row 9"):
        raw_cell(raw, spec, "main.csv#9", "ph", settings)


def test_point_of_a_curve_that_stands_twice_counts_once(settings: Settings) -> None:
    curve = "id,head,theta\na,10,0.4\na,10,0.4\na,10,0.5\nb,10,0.4\n"
    _, made, _ = _composed(settings, "id,clay\na,1\n", curve)
    assert made.table["theta"].to_list() == [[0.4, 0.5], [0.4], None]
    flag = made.flags.filter(pl.col("flag") == "duplicate").row(0, named=True)
    assert (flag["row_ref"], flag["column"]) == ("main.csv#2", "head")
    assert flag["detail"] == "the same point twice, at curve.csv#3"


def test_doubled_key_of_a_joined_table_is_refused(settings: Settings) -> None:
    with pytest.raises(ReadError, match="table lab has a key more than once: 2 rows") as caught:
        _composed(settings, "id,clay\na,1\nb,1\na,2\n", "id,head,theta\na,1,1\n")
    assert "file lab.csv, at key id" in str(caught.value)
    assert "'a at lab.csv#2', 'a at lab.csv#4'" in str(caught.value)


def test_doubled_key_is_refused(settings: Settings) -> None:
    with pytest.raises(ReadError, match="a key stands more than once: 2 rows") as caught:
        _run(settings, [text("id"), column("a")], "id,a\nx,1\ny,2\nx,3\n", keys=["id"])
    told = str(caught.value)
    assert "source pits, file t.csv, at key id" in told
    assert "'x at t.csv#2', 'x at t.csv#4'" in told
    assert "remove the repeated rows" in told


def test_missing_table_is_refused_and_an_optional_one_is_null(settings: Settings) -> None:
    columns = [text("id"), text("id", table="lab"), column("clay", table="lab")]
    lab = {"compose": "join", "on": ["id"]}
    with pytest.raises(ReadError, match="no file of table 'lab'"):
        _run(settings, columns, {"main.csv": "id\na\n"}, tables=_tables(main={}, lab=lab))
    made = _run(
        settings,
        columns,
        {"main.csv": "id\na\n"},
        tables=_tables(main={}, lab=lab | {"required": False}),
    )
    assert made.table["clay"].to_list() == [None]


# --- place ----------------------------------------------------------------------------------------

XY = [
    column("longitude", native="x", unit="degree"),
    column("latitude", native="y", unit="degree"),
]
SPACE = {
    "support": "point",
    "crs": "EPSG:4326",
    "x": "longitude",
    "y": "latitude",
    "uncertainty_m": 10,
    "bounds": [-32, 27, 45, 72],
}


def test_positions_outside_the_bounds_are_suspect(settings: Settings) -> None:
    made = _run(settings, [text("id"), *XY], "id,x,y\na,10,50\nb,100,50\nc,,\n", space=SPACE)
    assert made.table["longitude"].to_list() == [10, None, None]
    assert made.table["position_uncertainty_m"].to_list() == [10, None, None]
    assert _flags(made, "position_suspect") == [("t.csv#3", None, "100.0, 50.0", None)]


def test_swapped_coordinates_are_refused(settings: Settings) -> None:
    with pytest.raises(ReadError, match="longitude and latitude are swapped") as caught:
        _run(settings, XY, "x,y\n50,10\n52,11\n48,9\n", space=SPACE)
    told = str(caught.value)
    assert "source pits, file t.csv, at columns longitude, latitude" in told
    assert "t.csv#2: 50, 10" in told
    assert "exchange the two headers" in told


def test_swapped_coordinates_of_a_joined_table_name_its_file(settings: Settings) -> None:
    sites = [column(c["name"], native=c["native"], unit="degree", table="sites") for c in XY]
    with pytest.raises(ReadError, match="file sites.csv, at columns longitude, latitude"):
        _run(
            settings,
            [text("id"), text("id", table="sites"), *sites],
            {"main.csv": "id\na\nb\n", "sites.csv": "id,x,y\na,50,10\nb,52,11\n"},
            tables=_tables(main={}, sites={"compose": "join", "on": ["id"]}),
            space=SPACE,
        )


def test_swap_is_seen_even_where_ranges_refuse_the_numbers(settings: Settings) -> None:
    narrow = [XY[0] | {"minimum": -32, "maximum": 45}, XY[1] | {"minimum": 27, "maximum": 72}]
    with pytest.raises(ReadError, match="longitude and latitude are swapped"):
        _run(settings, narrow, "x,y\n50,10\n52,11\n48,9\n", space=SPACE)


def test_projected_positions_by_row(settings: Settings) -> None:
    made = _run(
        settings,
        [column("easting", unit="m"), column("northing", unit="m"), text("system")],
        "easting,northing,system\n4321000,3210000,EPSG:3035\n500000,5538630.7,EPSG:32632\n",
        space={
            "support": "point",
            "x": "easting",
            "y": "northing",
            "crs_column": "system",
        },
    )
    assert made.table["longitude"].to_list() == pytest.approx([10, 9])
    assert made.table["latitude"].to_list() == pytest.approx([52, 50], abs=1e-4)


def test_disagreeing_second_position_is_never_used(settings: Settings) -> None:
    check = {"x": "easting", "y": "northing", "crs": "EPSG:3035", "max_distance_m": 1000}
    made = _run(
        settings,
        [*XY, column("easting", unit="m"), column("northing", unit="m")],
        "x,y,easting,northing\n10,52,4321000,3210000\n10,52,4331000,3210000\n",
        space=SPACE | {"check": check},
    )
    assert made.table["longitude"].to_list() == [10, None]
    found = made.flags.row(0, named=True)
    assert (found["row_ref"], found["flag"]) == ("t.csv#3", "position_suspect")
    assert found["detail"].startswith("99") or found["detail"].startswith("100")


def test_depths(settings: Settings) -> None:
    label = _run(
        settings,
        [text("label")],
        "label\n0-20 cm\nmineral\n",
        depth={"label": "label", "labels": {"0-20 cm": [0, 20]}},
    )
    assert label.table["depth_bottom"].to_list() == [20, None]
    assert _flags(label, "depth_missing") == [("t.csv#3", None, "mineral", None)]
    metres = [column("top", unit="m"), column("bottom", unit="m"), text("id")]
    rows = "id,top,bottom\na,0,0.2\na,0.5,0.3\na,,\nb,0,0.1\n"
    said = {"depth": {"top": "top", "bottom": "bottom"}}
    rule = {"rules": [{"kind": "depth_order", "profile": "id"}]}
    made = _run(settings, metres, rows, **said, **rule)
    assert made.table["depth_bottom"].to_list() == pytest.approx([20, None, None, 10])
    assert [f[0] for f in _flags(made, "depth_fault")] == ["t.csv#3"]
    assert [f[0] for f in _flags(made, "depth_missing")] == ["t.csv#4"]
    without = _run(settings, metres, rows, **said)
    assert [f[0] for f in _flags(without, "depth_missing")] == ["t.csv#4"]
    assert (
        _run(settings, metres, rows, depth={"top": 0, "bottom": 20}).table["depth_bottom"][0] == 20
    )


def test_texture_that_does_not_add_up_is_flagged_by_fraction(settings: Settings) -> None:
    fractions = [column(n, unit="g/kg", basis="mass") for n in ("clay", "silt", "sand")]
    made = _run(
        settings,
        fractions,
        "clay,silt,sand\n200,300,500\n200,300,100\n200,,100\n",
        rules=[{"kind": "texture_sum", "columns": ["clay", "silt", "sand"]}],
    )
    assert made.table["clay"].to_list() == [200, None, 200]
    assert [f[1:] for f in _flags(made, "texture_sum")] == [
        ("clay", None, 200.0),
        ("silt", None, 300.0),
        ("sand", None, 100.0),
    ]


def test_year_alone_holds_for_the_year(settings: Settings) -> None:
    made = _run(
        settings,
        [column("year", kind="date", date_format="%Y")],
        "year\n1964\n\n1965\n",
        time={"date": "year", "start": "1950-01-01"},
    )
    assert made.table["date_end"].to_list() == [
        datetime.date(1964, 12, 31),
        datetime.date(1965, 12, 31),
    ]


# --- the whole ------------------------------------------------------------------------------------


def test_layout_and_repetition(settings: Settings) -> None:
    columns = [text("id"), *XY]
    first = _run(settings, columns, "id,x,y\na,10,50\n", space=SPACE)
    assert first.table.columns == [
        "row_ref",
        "origin",
        "longitude",
        "latitude",
        "position_uncertainty_m",
        "depth_top",
        "depth_bottom",
        "date_start",
        "date_end",
        "id",
    ]
    assert first.table["origin"].to_list() == ["user"]
    again = _run(settings, columns, "id,x,y\na,10,50\n", space=SPACE)
    assert first.table.equals(again.table)
    assert first.version == again.version
    other = _run(settings, columns, "id,x,y\na,11,50\n", space=SPACE)
    assert other.version != first.version
    wider = _run(settings, columns, "id,x,y\na,10,50\n", space=SPACE | {"uncertainty_m": 11})
    assert wider.version != first.version


def test_columns_of_two_tables_must_not_clash(settings: Settings) -> None:
    columns = [text("id"), column("a"), text("id", table="lab"), column("a", table="lab")]
    tables = _tables(main={}, lab={"compose": "join", "on": ["id"]})
    with pytest.raises(SpecError, match="stand in both tables"):
        _run(
            settings, columns, {"main.csv": "id,a\n1,1\n", "lab.csv": "id,a\n1,1\n"}, tables=tables
        )


def test_a_large_table_is_quick(settings: Settings) -> None:
    rng = np.random.default_rng(1)
    names = [f"c{i}" for i in range(30)]
    frame = pl.DataFrame({n: rng.normal(size=22_000).round(4) for n in names})
    columns = [column(n, minimum=-3) for n in names]
    csv = frame.write_csv()
    start = time.perf_counter()
    made = _run(settings, columns, csv)
    took = time.perf_counter() - start
    assert made.table.height == 22_000
    # Measured at 0.3 s on two cores; the bound leaves room for a busy machine.
    assert took < 3


# --- vector layers --------------------------------------------------------------------------------


def _layer(folder: Path, crs: str | None) -> dict[str, Path]:
    import geopandas
    import shapely

    folder.mkdir(parents=True, exist_ok=True)
    boxes = [shapely.box(4e6 + i * 1000, 3e6, 4e6 + (i + 1) * 1000, 3.001e6) for i in range(3)]
    frame = geopandas.GeoDataFrame({"SMU": ["1", "2", "3"]}, geometry=boxes, crs=crs)
    frame.to_file(folder / "map.shp")
    return {p.name: p for p in sorted(folder.iterdir())}


def _map(settings: Settings, files: dict[str, Path], crs: str | None) -> Standard:
    tables = {
        "main": {"files": ["map.shp"], "read": {"reader": "vector", "crs": crs}},
        "attributes": {
            "files": ["a.csv"],
            "read": {"reader": "csv"},
            "compose": "join",
            "on": ["smu"],
        },
    }
    columns = [
        text("smu", native="SMU"),
        text("smu", table="attributes"),
        column("share", table="attributes"),
    ]
    spec = make_spec(
        settings.data_root / "spec",
        columns,
        tables=tables,
        space={"support": "polygon"},
        modality="vector",
    )
    raw = make_raw(settings, files | {"a.csv": b"smu,share\n3,0.5\n1,0.1\n"})
    return standardise(spec, raw, settings)


def test_polygons_and_their_attributes(settings: Settings, tmp_path: Path) -> None:
    import shapely

    made = _map(settings, _layer(tmp_path / "in", "EPSG:3035"), None)
    assert made.table.columns[9] == "geometry"
    assert made.table["share"].to_list() == [0.1, None, 0.5]
    assert shapely.from_wkb(made.table["geometry"][1]).bounds == (4001000, 3e6, 4002000, 3001000)
    assert made.table["longitude"].null_count() == 3


def test_crs_is_compared_by_place(settings: Settings, tmp_path: Path) -> None:
    files = _layer(tmp_path / "in", "EPSG:3035")
    same = "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m"
    assert _map(settings, files, same).table.height == 3
    with pytest.raises(ReadError, match="the file's CRS and the declared one differ by") as caught:
        _map(settings, files, "+proj=laea +lat_0=48 +lon_0=9 +a=6378388 +b=6378388")
    assert "file map.shp" in str(caught.value)
    with pytest.raises(ReadError, match="no CRS: the file states none"):
        _map(settings, _layer(tmp_path / "bare", None), None)


def test_elements_of_an_array_are_told_apart(settings: Settings) -> None:
    said = [text("id"), column("b", native="B {1..2}", maximum=9)]
    made = _run(settings, said, "id,B 1,B 2\nx,1,10\ny,20,2\n")
    assert made.table["b"].to_list() == [[1, None], [None, 2]]
    found = made.flags.sort("row_ref").select("row_ref", "column", "value", "detail").rows()
    assert found == [
        ("t.csv#2", "b", 10.0, "B 2: outside -inf to 9 1"),
        ("t.csv#3", "b", 20.0, "B 1: outside -inf to 9 1"),
    ]
    with pytest.raises(ReadError, match="no number in 1 of 4 rows") as caught:
        _run(settings, said, "id,B 1,B 2\nx,1,10\ny,z,2\n")
    assert "row 3 of B 1" in str(caught.value)
