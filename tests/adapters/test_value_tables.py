"""Rasters whose pixels are row numbers of a value attribute table."""

import numpy as np
import pytest
import rasterio
from making import column, make_raw, make_spec
from rasterio.transform import from_origin

from adapters.errors import CodebookError, ReadError
from adapters.settings import Settings
from adapters.standardise import Standard, standardise
from adapters.twin.files import write_dbf


def _run(
    settings: Settings,
    pixels: list[list[int]],
    names: dict[int, str | None] | None,
    book: str = "structure",
    header: str = "STR",
    **more: object,
) -> Standard:
    folder = settings.data_root / "files"
    folder.mkdir(parents=True)
    with rasterio.open(
        folder / "STR.tif", "w", driver="GTiff", width=len(pixels[0]), height=len(pixels), count=1,
        dtype="uint8", crs="EPSG:3035", transform=from_origin(4e6, 3e6, 1000, 1000), nodata=255,
    ) as target:  # fmt: skip
        target.write(np.array(pixels, np.uint8), 1)
    files = {"STR.tif": folder / "STR.tif"}
    if names is not None:
        cells = {"VALUE": list(names), "COUNT": [1] * len(names), header: list(names.values())}
        write_dbf(folder / "STR.vat.dbf", cells)
        files["STR.vat.dbf"] = folder / "STR.vat.dbf"
    codebooks = settings.data_root / "spec" / "codebooks"
    codebooks.mkdir(parents=True)
    (codebooks / "structure.csv").write_text("code,label\nP,poor\nG,good\nN,normal\n")
    spec = make_spec(
        settings.data_root / "spec",
        [column("structure", native="STR.tif", kind="categorical", codebook=book, **more)],
        modality="raster",
        space={"support": "grid"},
        tables={
            "main": {
                "files": ["*.tif"],
                "read": {
                    "reader": "raster", "value_table": True,
                    "missing": ["", "#", "no information"],
                },
            }
        },
    )  # fmt: skip
    return standardise(spec, make_raw(settings, files), settings)


def _codes(settings: Settings, made: Standard) -> list[str | None]:
    """Code of each pixel."""
    (codes,) = made.table["codes"].to_list()
    with rasterio.open(settings.data_root / made.table["path"][0]) as source:
        places = source.read(1, masked=True)
    return [None if place is np.ma.masked else codes[place] for place in places.ravel()]


def test_a_pixel_is_the_code_of_its_row(settings: Settings) -> None:
    made = _run(settings, [[7, 3, 9], [4, 255, 3]], {7: "G", 3: "P", 9: "#", 4: "No information"})
    assert made.table["codes"].to_list() == [["P", "G", "N"]]
    assert _codes(settings, made) == ["G", "P", None, None, None, "P"]
    assert made.flags.is_empty()


def test_an_open_codebook_takes_the_codes_of_the_table(settings: Settings) -> None:
    made = _run(settings, [[7, 3]], {7: "LVha", 3: "CMeu", 5: None}, book="open")
    assert made.table["codes"].to_list() == [["CMeu", "LVha"]]
    assert _codes(settings, made) == ["LVha", "CMeu"]


def test_a_table_without_names_has_its_values_as_codes(settings: Settings) -> None:
    made = _run(settings, [[7, 3]], {7: "a", 3: "b"}, book="open", header="OTHER")
    assert _codes(settings, made) == ["7", "3"]


def test_a_code_that_the_codebook_lacks_is_refused_or_flagged(settings: Settings) -> None:
    names = {7: "G", 3: "Q"}
    with pytest.raises(CodebookError, match="1 pixels hold codes") as error:
        _run(settings, [[7, 3]], names)
    assert list(error.value.samples) == ["Q"]

    other = settings.model_copy(update={"data_root": settings.data_root / "other"})
    made = _run(other, [[7, 3, 3]], names, unknown_code="flag")
    assert _codes(other, made) == ["G", None, None]
    flag = made.flags.row(0, named=True)
    assert (flag["flag"], flag["raw"]) == ("code_unknown", "3")
    assert flag["detail"].startswith("2 of 3 pixels")


def test_a_value_that_the_table_lacks_is_refused(settings: Settings) -> None:
    with pytest.raises(CodebookError) as error:
        _run(settings, [[7, 8]], {7: "G"})
    assert list(error.value.samples) == ["a value that the table lacks"]


def test_without_a_table_the_file_is_refused(settings: Settings) -> None:
    with pytest.raises(ReadError, match="no value attribute table beside it"):
        _run(settings, [[7, 8]], None)
