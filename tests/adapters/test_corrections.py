"""Corrections: what stood there is checked, changed, and on record."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import rasterio
from making import column, make_raw, make_spec, text
from rasterio.transform import from_origin

from adapters.errors import ReadError
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import standardise

ABOUT = {"table": "main", "reason": "known", "reported": "no"}


def entry(action: str, **more: object) -> dict[str, object]:
    return {"id": f"an_{action}", "action": action, **ABOUT, **more}


def pits(folder, *entries: dict[str, object]) -> SourceSpec:
    phosphorus = column("phosphorus", quantity="available_phosphorus", unit="mg/kg", basis="mass")
    phosphorus.pop("quantity")
    return make_spec(
        folder,
        [text("id"), column("easting"), column("northing"), phosphorus],
        keys=["id"],
        corrections=entries,
    )


DROP = entry("drop_row", where={"id": "b"}, expect={"phosphorus": "<5"})
SET = entry("set", where={"id": "c"}, column="phosphorus", expect="14", value="41")
SWAP = entry("swap", where={"id": "a"}, columns=["easting", "northing"], expect=["50.1", "9.9"])
MISSING = entry("missing", where={"id": "a"}, column="phosphorus", expect="11")
TWICE = b"id,easting,northing,phosphorus\na,50.1,9.9,11\nb,9.5,50.2,<5\nc,9.4,50.3,14\n"


def made(tmp_path, spec: SourceSpec, data: bytes = TWICE, origin: str = "user"):
    settings = Settings(data_root=tmp_path / "data")
    raw = dataclasses.replace(make_raw(settings, {"pits.csv": data}), origin=origin)
    return standardise(spec, raw, settings)


def test_texts_are_set_removed_and_swapped_with_their_raw_text_on_record(tmp_path):
    standard = made(tmp_path, pits(tmp_path / "spec", SET, SWAP, MISSING))
    table = standard.table
    assert table["phosphorus"].to_list() == [None, None, 41.0]
    assert table.select("easting", "northing").row(0) == (9.9, 50.1)
    flags = standard.flags.filter(pl.col("flag") == "corrected")
    assert set(flags.select("row_ref", "column", "raw").iter_rows()) == {
        ("pits.csv#4", "phosphorus", "14"),
        ("pits.csv#2", "easting", "50.1"),
        ("pits.csv#2", "northing", "9.9"),
        ("pits.csv#2", "phosphorus", "11"),
    }
    assert all(d.startswith("an_") and d.endswith(": known") for d in flags["detail"])


def test_a_dropped_row_is_told_for_its_file(tmp_path):
    spec = pits(tmp_path / "spec", {**DROP, "where": {"id": "c"}, "expect": {"northing": "50.3"}})
    standard = made(tmp_path, spec)
    assert standard.table["id"].to_list() == ["a", "b"]
    said = standard.flags.filter(pl.col("flag") == "corrected").row(0, named=True)
    assert said["row_ref"] == "pits.csv"
    assert said["raw"] == "row 4: c; 9.4; 50.3; 14"


@pytest.mark.parametrize(
    ("correction", "fixed"),
    [
        (SET, b"14"),
        (MISSING, b"11"),
        (SWAP, b"50.1,9.9"),
        ({**DROP, "where": {"id": "c"}, "expect": {"northing": "50.3"}}, b"50.3"),
    ],
)
def test_a_guard_that_no_longer_holds_fails_loudly(tmp_path, correction, fixed):
    spec = pits(tmp_path / "spec", correction)
    with pytest.raises(ReadError, match=f"'{correction['id']}' expects") as caught:
        made(tmp_path, spec, TWICE.replace(fixed, b"7" if b"," not in fixed else b"9.9,50.1"))
    assert "remove" in caught.value.remedy
    assert caught.value.samples


def test_a_row_that_is_gone_fails_loudly(tmp_path):
    with pytest.raises(ReadError, match="a row with {'id': 'c'}"):
        made(tmp_path, pits(tmp_path / "spec", SET), TWICE.replace(b"\nc,", b"\nd,"))


def test_numbers_in_another_unit_are_converted_and_the_rest_stays(tmp_path):
    unit = entry(
        "unit",
        column="phosphorus",
        unit="g/kg",
        basis="mass",
        expect={"unit": "mg/kg", "median": [5, 50]},
    )
    standard = made(tmp_path, pits(tmp_path / "spec", unit))
    assert standard.table["phosphorus"].to_list() == [11000.0, None, 14000.0]
    assert set(standard.flags["flag"]) == {"corrected", "below_detection"}
    with pytest.raises(ReadError, match="a median of 5 to 50"):
        made(
            tmp_path,
            pits(tmp_path / "spec", unit),
            TWICE.replace(b"11\n", b"11000\n").replace(b"14\n", b"14000\n"),
        )


def test_files_of_the_twin_are_read_as_the_publishers_are(tmp_path):
    spec = pits(tmp_path / "spec", {**SET, "expect": "not there"})
    with pytest.raises(ReadError, match="not there"):
        made(tmp_path, spec, origin="synthetic")


def test_the_digest_counts_corrections(tmp_path):
    assert pits(tmp_path / "spec", SET).digest() != pits(tmp_path / "spec").digest()


@pytest.mark.parametrize(
    "wrong",
    [
        {**SET, "table": "nowhere"},
        {**SET, "where": {}},
        {k: v for k, v in SET.items() if k != "expect"},
        entry("layer", expect={"crs": None}, value={"nodata": 0}),
    ],
)
def test_faulty_entries_do_not_load(tmp_path, wrong):
    with pytest.raises(ValueError, match="corrections"):
        pits(tmp_path / "spec", wrong)


def raster(tmp_path, *entries: dict[str, object]):
    spec = make_spec(
        tmp_path / "spec",
        [column("stock", native="stock.tif", unit="t/ha")],
        modality="raster",
        tables={"main": {"files": ["stock.tif"], "read": {"reader": "raster"}}},
        space={"support": "grid"},
        corrections=entries,
    )
    file = tmp_path / "stock.tif"
    with rasterio.open(
        file, "w", driver="GTiff", width=3, height=2, count=1, dtype="int16",
        transform=from_origin(2_600_000, 4_000_000, 1000, 1000), nodata=-1,
    ) as target:  # fmt: skip
        target.write(np.array([[10, 20, -1], [30, 0, 40]], dtype="int16"), 1)
    settings = Settings(data_root=tmp_path / "data")
    return standardise(spec, make_raw(settings, {"stock.tif": file}), settings)


STATE = entry(
    "layer",
    expect={"crs": None, "nodata": -1, "scale": 1},
    value={"crs": "EPSG:3035", "nodata": 0, "scale": 0.5},
)


def test_a_layer_is_restated(tmp_path):
    standard = raster(tmp_path, STATE)
    row = standard.table.row(0, named=True)
    assert (row["minimum"], row["maximum"]) == (5.0, 20.0)
    assert row["valid_share"] == pytest.approx(4 / 6)
    assert "3035" in row["crs"]
    assert standard.flags.row(0, named=True)["raw"] == "crs None; nodata -1.0; scale 1.0"


def test_the_guard_of_a_layer(tmp_path):
    with pytest.raises(ReadError, match="expects nodata -9999"):
        raster(tmp_path, {**STATE, "expect": {**STATE["expect"], "nodata": -9999}})


def test_a_layer_in_another_unit(tmp_path):
    unit = entry("unit", column="stock", unit="kg/m**2", expect={"unit": "t/ha", "median": [1, 50]})
    assert raster(tmp_path, STATE, unit).table["maximum"][0] == 200.0
    with pytest.raises(ReadError, match="a mean of 100 to 500"):
        raster(tmp_path, STATE, {**unit, "expect": {"unit": "t/ha", "median": [100, 500]}})
