"""The table of modalities is complete, and a faulty entry does not load."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from adapters.errors import SpecError
from adapters.modalities import FILE, ModalitySpec, modalities, modality
from adapters.units import parse

PICTURES = [spec.id for spec in modalities() if not spec.is_vector]


def test_the_table_holds_what_a_tile_is_made_of() -> None:
    assert [(spec.id, len(spec.bands), spec.size) for spec in modalities()] == [
        ("sentinel2", 12, 128),
        ("sentinel1", 8, 128),
        ("relief", 2, 128),
        ("canopy_height", 2, 128),
        ("worldcover", 1, 128),
        ("dynamic_world", 1, 128),
        ("rgb", 3, 1280),
        ("climate", 0, 0),
        ("soil", 0, 0),
    ]


def test_bands_stand_in_the_published_order() -> None:
    assert modality("sentinel2").names == (
        *("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"),
    )
    assert modality("sentinel1").names == tuple(
        f"{way}_{band}" for way in ("asc", "desc") for band in ("VV", "VH", "HH", "HV")
    )


@pytest.mark.parametrize("id_", [spec.id for spec in modalities()])
def test_every_entry_is_complete(id_: str) -> None:
    spec = modality(id_)
    assert spec.title
    assert spec.reference
    assert spec.description
    for band in spec.bands:
        assert band.title
        assert spec.gsd is not None
        assert spec.gsd <= band.native_gsd
        if spec.is_classes:
            assert band.unit is None
        else:
            assert band.unit is not None
            parse(band.unit, None)
    sees = spec.kind in ("reflectance", "backscatter", "rgb")
    assert all((band.wavelength_nm is not None) == sees for band in spec.bands)


def test_wavelengths_of_sentinel_2_grow_and_the_radar_has_that_of_5405_megahertz() -> None:
    waves = [band.wavelength_nm for band in modality("sentinel2").bands]
    assert waves == sorted(waves)
    assert 442 < waves[0] < waves[-1] < 2203
    light = 299_792_458.0
    for band in modality("sentinel1").bands:
        assert band.wavelength_nm == pytest.approx(light / 5.405e9 * 1e9, abs=1)


def test_no_class_is_lost() -> None:
    # A loader that maps class 10 to 0 and then 0 to nothing never sees a tree.
    cover = modality("worldcover")
    assert cover.codes[10] == "tree cover"
    assert list(cover.codes) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100]
    world = modality("dynamic_world")
    assert list(world.codes) == list(range(9))
    assert world.codes[0] == "water"
    for spec in (cover, world):
        assert spec.nodata not in spec.codes


@given(st.data())
def test_storage_gives_back_what_was_there(data: st.DataObject) -> None:
    spec = modality(data.draw(st.sampled_from(PICTURES)))
    if spec.is_classes:
        values = data.draw(arrays(np.uint8, (3, 4), elements=st.sampled_from(sorted(spec.codes))))
        tolerance = 0.0
    else:
        low, high = spec.bands[0].minimum, spec.bands[0].maximum
        assert low is not None
        assert high is not None
        if spec.array_dtype == np.uint8:
            values = data.draw(arrays(np.uint8, (3, 4)))
        else:
            values = data.draw(arrays(np.float64, (3, 4), elements=st.floats(low, high))).astype(
                np.float32
            )
        tolerance = 0.51 * spec.scale if spec.dtype != spec.array_dtype else 0.0
    present = data.draw(arrays(bool, (3, 4)))
    stored = spec.stored(values, present)
    assert stored.dtype == spec.dtype
    error = np.abs(spec.restored(stored).astype(float) - values.astype(float))[present]
    assert (error <= tolerance).all()
    if spec.nodata is not None and not np.isnan(spec.nodata):
        assert (stored[~present] == spec.nodata).all()
        assert (stored[present] != spec.nodata).all()


def test_a_value_that_storage_does_not_hold_is_refused() -> None:
    spec = modality("sentinel2")
    with pytest.raises(SpecError, match="cannot be stored"):
        spec.stored(np.full((1, 2), 7.0, np.float32), np.ones((1, 2), bool))
    # The value that would be nodata.
    with pytest.raises(SpecError, match="cannot be stored"):
        spec.stored(np.full((1, 2), -0.1, np.float32), np.ones((1, 2), bool))


def _entry(id_: str) -> dict[str, object]:
    return next(e for e in yaml.safe_load(FILE.read_text(encoding="utf-8")) if e["id"] == id_)


@pytest.mark.parametrize(
    ("id_", "wrong", "says"),
    [
        ("worldcover", {"resampling": "bilinear"}, "never interpolated"),
        ("worldcover", {"nodata": 10}, "both a class and nodata"),
        ("worldcover", {"codes": {}}, "have codes"),
        ("worldcover", {"codes": {300: "moon"}}, "do not fit"),
        ("worldcover", {"colours": {10: "#006400"}}, "has a colour"),
        ("canopy_height", {"dtype": "uint8", "nodata": 255}, "does not hold"),
        ("canopy_height", {"nodata": 50}, "is a value"),
        ("sentinel2", {"gsd": 30}, "no whole number"),
        ("relief", {"gsd": None}, "have a gsd"),
        ("soil", {"resampling": "mode"}, "are not"),
        ("relief", {"colour": "red"}, "Extra inputs"),
    ],
)
def test_a_faulty_entry_does_not_load(
    tmp_path: Path, id_: str, wrong: dict[str, object], says: str
) -> None:
    path = tmp_path / "modalities.yaml"
    path.write_text(yaml.safe_dump([_entry(id_)]), encoding="utf-8")
    assert isinstance(modalities(path)[0], ModalitySpec)
    other = tmp_path / "wrong.yaml"
    other.write_text(yaml.safe_dump([_entry(id_) | wrong]), encoding="utf-8")
    with pytest.raises(SpecError, match=says):
        modalities(other)


def test_an_unknown_unit_does_not_load(tmp_path: Path) -> None:
    entry = _entry("relief")
    bands = entry["bands"]
    assert isinstance(bands, list)
    bands[0]["unit"] = "furlong"
    (tmp_path / "m.yaml").write_text(yaml.safe_dump([entry]), encoding="utf-8")
    with pytest.raises(SpecError, match="furlong"):
        modalities(tmp_path / "m.yaml")


def test_an_id_stands_once(tmp_path: Path) -> None:
    entry = _entry("soil")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump([entry, entry]), encoding="utf-8")
    with pytest.raises(SpecError, match="twice"):
        modalities(tmp_path / "m.yaml")


def test_what_is_not_in_the_table_is_named() -> None:
    with pytest.raises(SpecError, match="sentinel2, sentinel1"):
        modality("landsat")
    with pytest.raises(SpecError, match="B11, B12"):
        modality("sentinel2").band("B10")
