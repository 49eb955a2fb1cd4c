"""A tile that contradicts the table of modalities is refused."""

import dataclasses

import numpy as np
import pytest
from good_tile import good_tile

from adapters.errors import FusionError, SpecError
from adapters.modalities import modality
from fusion.tiles.tile import Tile


def changed(tile: Tile, **more: object) -> Tile:
    return dataclasses.replace(tile, **more)


@pytest.mark.parametrize(("bands", "rgb"), [(12, False), (9, True)])
def test_the_good_tile_is_good(bands: int, rgb: bool) -> None:
    tile = good_tile(1, bands=bands, rgb=rgb)
    assert tile.arrays["sentinel2"].shape == (12, 128, 128)
    assert tile.band_present("sentinel2").sum() == bands
    assert tile.band_present("sentinel1").tolist() == [True, True] + 6 * [False]
    assert ("rgb" in tile.arrays) == rgb
    assert tile.bounds == (tile.west, tile.north - 1280, tile.west + 1280, tile.north)
    assert tile.availability()["soil"] == 0.75


def test_the_good_tile_is_the_same_every_time() -> None:
    one, other = good_tile(3), good_tile(3)
    for name in one.arrays:
        np.testing.assert_array_equal(one.arrays[name], other.arrays[name])
    assert not np.array_equal(
        one.arrays["sentinel1"], good_tile(4).arrays["sentinel1"], equal_nan=True
    )


def _arrays(name: str, array: np.ndarray) -> dict[str, object]:
    return {"arrays": good_tile().arrays | {name: array}}


def _masks(name: str, array: np.ndarray) -> dict[str, object]:
    return {"present": good_tile().present | {name: array}}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"crs": "EPSG:4326"}, "no UTM zone"),
        ({"crs": "EPSG:32661"}, "no UTM zone"),
        ({"latitude": 91.0}, "not on the Earth"),
        ({"west": float("nan")}, "not finite"),
        ({"present": {}}, "not of the same modalities"),
        ({"vector_names": {}}, "wrong shape"),
        ({"vector_names": good_tile().vector_names | {"relief": ()}}, "names and vectors"),
        (_arrays("sentinel2", np.zeros((9, 128, 128), np.float32)), "wrong shape"),
        (_arrays("relief", np.zeros((2, 128, 128))), "is not float32"),
        (_arrays("worldcover", np.full((1, 128, 128), 11, np.uint8)), "no classes"),
        (_arrays("relief", np.full((2, 128, 128), np.nan, np.float32)), "not finite"),
        (_masks("relief", np.ones((1, 128, 128), bool)), "mask of relief has the wrong shape"),
        (_masks("relief", np.ones((2, 128, 128), np.uint8)), "not bool"),
        (_masks("sentinel2", np.ones((12, 128, 128), bool)), "not finite"),
    ],
)
def test_an_inconsistent_tile_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(FusionError, match=says):
        changed(good_tile(), **wrong)


def test_a_modality_that_is_not_in_the_table_is_refused() -> None:
    tile = good_tile()
    with pytest.raises(SpecError, match="no modality 'landsat'"):
        changed(
            tile,
            arrays=tile.arrays | {"landsat": tile.arrays["relief"]},
            present=tile.present | {"landsat": tile.present["relief"]},
        )


def test_what_is_absent_may_hold_anything() -> None:
    tile = good_tile()
    absent = ~tile.present["sentinel2"]
    assert absent.any()
    assert np.isnan(tile.arrays["sentinel2"][absent]).all()
    world = tile.arrays["dynamic_world"][~tile.present["dynamic_world"]]
    assert set(world.tolist()).isdisjoint(modality("dynamic_world").codes)
