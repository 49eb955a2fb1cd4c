"""Small files in the layouts of GeoMeld and MMEarth, read as tiles and written as a set."""

import dataclasses
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from adapters.errors import FusionError
from adapters.modalities import modality
from fusion.captions.of_others import add_captions
from fusion.captions.of_set import records
from fusion.captions.verifier import verify
from fusion.tiles.grid import transformer
from fusion.tiles.published import GeoMeldTerms, geomeld, geomeld_captions, mmearth
from fusion.tiles.store import TileSet
from fusion.tiles.writing import write

BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
TERMS = GeoMeldTerms(
    sentinel2_bands=BANDS,
    reflectance_scale=1e-4,
    reflectance_offset=0.0,
    backscatter="dB",
    dynamic_world_water=0,
    nodata={"esa_worldcover": (0,), "dynamic_world": (255,), "sentinel2": (0,)},
)
EDGE = 128


def about(number: int, **changes: object) -> dict:
    return {
        "tile_id": 1000 + number,
        "lat": 44.0 + number,
        "long": 2.0 + number,
        "acquisition_date": "2020-09-24",
        "terrain_class": "Flat",
        "file_type_naip": number == 1,
        "osm_tags": {"building": "yes"},
        "water_analysis": {"detected": True, "percentage": 4.98},
        "caption": f"Tile {number}." if number != 2 else None,
    } | changes


def row(number: int, bands: int = 12, naip: bool = False) -> dict[str, np.ndarray]:
    """Band b of Sentinel-2 holds 1000 * (b + 1), by its place in the twelve."""
    places = [i for i in range(12) if bands == 12 or i not in (1, 2, 3)]
    level = np.array([1000.0 * (i + 1) + number for i in places], np.float32)
    made = {
        "sentinel2": np.broadcast_to(level[:, None, None], (bands, EDGE, EDGE)).copy(),
        "sentinel1": np.full((8, EDGE, EDGE), -np.inf, np.float32),
        "aster": np.full((2, EDGE, EDGE), 120.0 + number, np.float32),
        "canopy_height": np.full((2, EDGE, EDGE), 12.5, np.float32),
        "esa_worldcover": np.full((1, EDGE, EDGE), 10, np.uint8),
        "dynamic_world": np.zeros((1, EDGE, EDGE), np.uint8),
    }
    made["sentinel2"][0, :10] = 0
    made["sentinel1"][:2] = -12.5
    made["aster"][1] = 3.0
    made["esa_worldcover"][0, 0] = 0
    made["dynamic_world"][0, 5] = 255
    if naip:
        made["naip"] = np.full((3, 1280, 1280), 200, np.uint16)
    return made


def shard(path: Path, rows: list[tuple[dict, dict[str, np.ndarray]]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for number, (told, arrays) in enumerate(rows):
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as file:
                for key, array in arrays.items():
                    file[key] = array
                file["metadata"] = json.dumps(told)
            info = tarfile.TarInfo(f"{number:06d}.h5")
            info.size = len(buffer.getvalue())
            tar.addfile(info, io.BytesIO(buffer.getvalue()))
    return path


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("geomeld")
    plain = [(about(i), row(i)) for i in (0, 2)]
    return [
        shard(folder / "geomeld-00000.tar", plain),
        shard(folder / "geomeld-00000_n.tar", [(about(1), row(1, bands=9, naip=True))]),
    ]


def test_rows_of_twelve_and_of_nine_bands_become_a_set(shards: list[Path], tmp_path: Path) -> None:
    captions = geomeld_captions(shards)
    assert captions == {"geomeld-1000": "Tile 0.", "geomeld-1001": "Tile 1."}
    found = TileSet(write(geomeld(shards, TERMS), tmp_path, captions))
    assert found.index["id"].to_list() == ["geomeld-1000", "geomeld-1002", "geomeld-1001"]
    assert found.index["origin"].unique().to_list() == ["open"]
    plain, photographed = found.read(0), found.read(2)
    for band, name in enumerate(BANDS):
        place = modality("sentinel2").band(name)
        truth = 0.1 * (band + 1)
        assert plain.arrays["sentinel2"][place, 50, 0] == pytest.approx(truth, abs=1e-6)
        if name in ("B2", "B3", "B4"):
            assert not photographed.present["sentinel2"][place].any(), "absent, and not zero"
        else:
            there = photographed.arrays["sentinel2"][place, 50, 0]
            assert there == pytest.approx(truth + 1e-4, abs=1e-6)
    assert not plain.present["sentinel2"][0, :10].any()
    assert plain.present["sentinel2"][0, 10:].all()
    assert plain.present["sentinel1"].any((1, 2)).tolist() == [True] * 2 + [False] * 6
    assert plain.arrays["sentinel1"][0, 0, 0] == pytest.approx(-12.5)
    assert plain.arrays["relief"][:, 0, 0].tolist() == [120.0, 3.0]
    worldcover = plain.arrays["worldcover"][plain.present["worldcover"]]
    assert set(worldcover.tolist()) == {10}, "tree cover is a class"
    assert not plain.present["worldcover"][0, 0].any()
    held = plain.arrays["dynamic_world"][plain.present["dynamic_world"]]
    assert (len(held), set(held.tolist())) == (EDGE * (EDGE - 1), {0}), "water is a class"
    assert not plain.present["dynamic_world"][0, 5].any()
    assert "rgb" not in plain.arrays
    assert (photographed.arrays["rgb"] == 200).all()
    assert plain.extra["metadata"]["terrain_class"] == "Flat"
    middle = (plain.west + 640, plain.north - 640)
    x, y = transformer("EPSG:4326", plain.crs).transform(2.0, 44.0)
    assert abs(x - middle[0]) <= 10
    assert abs(y - middle[1]) <= 10


TRUE = "Tree cover dominates. The mean elevation is 120 m."
MADE_UP = "A dragon lives here."
"""Of a tile that is all trees on a plane at 120 m."""


@pytest.fixture
def captioned(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A set without captions, and captions: mostly true, false, and of one tile none."""
    path = tmp_path / "a.tar"
    rows = [(about(i, caption=None), row(0)) for i in range(3)]
    folder = write(geomeld([shard(path, rows)], TERMS), tmp_path / "plain")
    lie = "The tile is entirely open water. The mean elevation is 3000 m."
    return folder, {"geomeld-1000": f"{TRUE} {MADE_UP}", "geomeld-1001": lie}


def test_published_captions_keep_only_what_the_tiles_support(
    captioned: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, captions = captioned
    assert TileSet(folder).captions_checked is None
    made = add_captions(folder, tmp_path / "checked", captions, writer="GeoMeld")
    found = TileSet(made)
    assert found.index["caption"].to_list() == [TRUE, None, None]
    assert found.captions_checked is True
    said = found.described["captions"]
    assert (said["captioned"], said["writers"]) == (1, ["GeoMeld"])
    assert said["sentences"] == {"kept": 2, "removed": 3}
    assert said["claims"] == {"supported": 2}
    assert said["refused"] == {
        "0 supported claims are left of 2 sentences": 1,
        "none was published": 1,
    }
    first = records(made).row(0, named=True)
    assert [s["text"] for s in first["removed"]] == [MADE_UP]
    with pytest.raises(FusionError, match="not in the set"):
        add_captions(folder, tmp_path / "checked", {"other": TRUE}, writer="GeoMeld")


def test_captions_taken_as_published_are_marked_as_unchecked(
    captioned: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    folder, captions = captioned
    made = add_captions(folder, tmp_path / "all", captions, writer="GeoMeld", as_published=True)
    found = TileSet(made)
    assert found.index["caption"].to_list() == [*captions.values(), None]
    assert found.captions_checked is False
    assert found.described["captions"]["claims"] == {}
    # Whoever hands captions to the set itself checks none either.
    written = TileSet(write([found.read(i) for i in range(3)], tmp_path / "whole", captions))
    assert written.described["captions"] == {"captioned": 2, "checked": False}
    assert written.captions_checked is False


def test_what_the_publisher_does_not_say_is_taken_from_the_reader(shards: list[Path]) -> None:
    shifted = dataclasses.replace(
        TERMS, reflectance_offset=-0.1, dynamic_world_water=1, sentinel2_bands=BANDS[::-1]
    )
    made = next(geomeld(shards, shifted))
    assert made.arrays["sentinel2"][-1, 50, 0] == pytest.approx(0.0, abs=1e-6)
    assert not made.present["dynamic_world"][0, 0].any()
    with pytest.raises(FusionError, match="holds codes that are no classes"):
        next(geomeld(shards, dataclasses.replace(TERMS, nodata={})))
    with pytest.raises(FusionError, match="not above zero"):
        next(geomeld(shards, dataclasses.replace(TERMS, backscatter="power")))
    with pytest.raises(FusionError, match="not the twelve bands"):
        dataclasses.replace(TERMS, sentinel2_bands=BANDS[:9])
    with pytest.raises(FusionError, match="GeoMeld has not"):
        dataclasses.replace(TERMS, nodata={"era5": (0,)})


@pytest.mark.parametrize(
    ("told", "tags"),
    [
        ({"natural": "wood", "building": "yes"}, {"natural": ["wood"], "building": ["yes"]}),
        ({"natural": ["wood", "water"], "landuse": None}, {"natural": ["wood", "water"]}),
        ({"500 m": {"natural": "wood"}, "lanes": 2}, {}),
        ({"natural": ["", "wood"], "landuse": " "}, {"natural": ["wood"]}),
        (None, {}),
    ],
)
def test_tags_of_the_map_are_what_captions_are_checked_by(
    told: object, tags: dict, tmp_path: Path
) -> None:
    path = shard(tmp_path / "geomeld-00000.tar", [(about(0, osm_tags=told), row(0))])
    (tile,) = geomeld([path], TERMS)
    assert tile.extra["map_tags"] == tags
    (read,) = verify("OpenStreetMap marks wood.", tile).sentences
    assert read.status == ("supported" if "natural" in tags else "unsupported")


def test_powers_of_backscatter_become_db(tmp_path: Path) -> None:
    arrays = row(0)
    arrays["sentinel1"][:2] = 0.01
    path = shard(tmp_path / "a.tar", [(about(0), arrays)])
    made = next(geomeld([path], dataclasses.replace(TERMS, backscatter="power")))
    assert made.arrays["sentinel1"][0, 3, 3] == pytest.approx(-20.0)


def without(key: str) -> Callable[[dict, dict], None]:
    return lambda _, arrays: arrays.pop(key)


def put(key: str, array: np.ndarray) -> Callable[[dict, dict], None]:
    return lambda _, arrays: arrays.update({key: array})


def tell(**changes: object) -> Callable[[dict, dict], None]:
    return lambda told, _: told.update(changes)


WRONG = {
    "no such key": (without("aster"), "has no 'aster'"),
    "ten bands": (put("sentinel2", np.ones((10, EDGE, EDGE), np.float32)), "has 10 bands"),
    "64 pixels": (put("sentinel1", np.ones((8, 64, 64), np.float32)), r"shape \(8, 64, 64\)"),
    "16-bit photograph": (put("naip", np.full((3, 1280, 1280), 900, np.uint16)), "beyond 255"),
    "no date": (tell(acquisition_date="some day"), "not as published"),
    "no latitude": (tell(lat=144.0), "not as published"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_layout_is_refused_and_the_member_named(name: str, tmp_path: Path) -> None:
    change, problem = WRONG[name]
    told, arrays = about(0), row(0)
    change(told, arrays)
    path = shard(tmp_path / "a.tar", [(told, arrays)])
    with pytest.raises(FusionError, match=rf"000000\.h5.*{problem}"):
        next(geomeld([path], TERMS))


def test_what_is_no_shard_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"no tar at all")
    with pytest.raises(FusionError, match="cannot be read"):
        next(geomeld([path], TERMS))
    for name, content, problem in (
        ("0.json", b"{}", "no .h5 file"),
        ("0.h5", b"no HDF5", "no HDF5 file"),
    ):
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        with pytest.raises(FusionError, match=problem):
            next(geomeld([path], TERMS))


# MMEarth.

THEIRS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8A", "B8", "B9", "B10", "B11", "B12")


def write_mmearth(folder: Path, edge: int = EDGE, **info: object) -> Path:
    """Three tiles; the second is of level 1C."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "sentinel2": (13, "uint16"),
        "sentinel1": (8, "float32"),
        "aster": (2, "int16"),
        "canopy_height_eth": (2, "int8"),
        "esa_worldcover": (1, "uint8"),
        "dynamic_world": (1, "uint8"),
    }
    levels = ("l2a", "l1c", "l2a")
    made = {k: np.ones((3, bands, edge, edge), dtype) for k, (bands, dtype) in shapes.items()}
    made["sentinel2"][:] = 100 * np.arange(1, 14)[:, None, None]
    made["sentinel2"][0, 10] = 0
    made["sentinel2"][0, :, 3] = 0
    made["sentinel1"][0, 4:] = -np.inf
    made["canopy_height_eth"][0, 0, 7] = 127
    made["esa_worldcover"][:] = 10
    made["esa_worldcover"][0, 0, 9] = 0
    made["dynamic_world"][0, 0, 9] = 0
    made["dynamic_world"][0, 0, 11] = 9
    with h5py.File(folder / "data_1M_v001.h5", "w") as file:
        for key, array in made.items():
            chunks = (1, *array.shape[1:])
            file.create_dataset(key, data=array, chunks=chunks, compression="gzip")
        era5 = np.arange(36, dtype=np.float32).reshape(3, 12)
        era5[0, 3] = np.inf
        file["era5"] = era5
        kind = np.dtype([("tile_id", "S100"), ("S2_type", "S10")])
        named = [(f"t{i}".encode(), level.encode()) for i, level in enumerate(levels)]
        file["metadata"] = np.array(named, kind)
    told = {
        f"t{i}": {
            "lat": 48.0 + i,
            "lon": 11.0 + i,
            "S2_DATE": "2019-07-04",
            "S2_type": level,
            "CRS": "EPSG:32632" if i == 0 else "EPSG:32633",
            "BANDS": {},
            "biome": 4,
        }
        | info
        for i, level in enumerate(levels)
    }
    (folder / "data_1M_v001_tile_info.json").write_text(json.dumps(told))
    return folder


def test_mmearth_is_read_with_its_tree_cover_and_no_sentinels(tmp_path: Path) -> None:
    made = TileSet(write(mmearth(write_mmearth(tmp_path / "in")), tmp_path / "out"))
    assert made.index["id"].to_list() == ["mmearth-t0", "mmearth-t2"]
    tile = made.read(0)
    for place, name in enumerate(modality("sentinel2").names):
        truth = 0.01 * (THEIRS.index(name) + 1)
        assert tile.arrays["sentinel2"][place, 50, 50] == pytest.approx(truth, abs=1e-6), name
    assert not tile.present["sentinel2"][:, 3].any()
    assert tile.present["sentinel1"].any((1, 2)).tolist() == [True] * 4 + [False] * 4
    assert not tile.present["canopy_height"][0, 7].any()
    assert tile.present["canopy_height"][1].all()
    held = tile.arrays["worldcover"][tile.present["worldcover"]]
    assert (len(held), set(held.tolist())) == (EDGE * (EDGE - 1), {10}), "tree cover is a class"
    assert not tile.present["worldcover"][0, 9].any()
    assert tile.present["dynamic_world"].sum() == EDGE * (EDGE - 1)
    assert not tile.present["dynamic_world"][0, 9].any()
    assert tile.arrays["dynamic_world"][0, 11, 0] == 8, "snow and ice"
    assert tile.arrays["dynamic_world"][0, 0, 0] == 0, "water"
    assert tile.vector_names["climate"][3] == "era5_previous_month_precipitation"
    assert tile.present["climate"].tolist() == [True] * 3 + [False] + [True] * 8
    assert tile.crs == "EPSG:32632"
    assert tile.extra["biome"] == 4


def test_images_of_level_1c_are_no_surface_reflectance(tmp_path: Path) -> None:
    listed = list(mmearth(write_mmearth(tmp_path), l1c="without_sentinel2"))
    assert [tile.id for tile in listed] == ["mmearth-t0", "mmearth-t1", "mmearth-t2"]
    assert "sentinel2" not in listed[1].arrays
    assert "sentinel2" in listed[2].arrays


def test_other_downloads_than_mmearth_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match="0 files are named"):
        next(mmearth(tmp_path))
    with pytest.raises(FusionError, match=r"row 0.*shape \(13, 64, 64\)"):
        next(mmearth(write_mmearth(tmp_path / "small", edge=64)))
    with pytest.raises(FusionError, match=r"S2_DATE.*not as published"):
        next(mmearth(write_mmearth(tmp_path / "dates", S2_DATE=None)))
    folder = write_mmearth(tmp_path / "other")
    (folder / "data_1M_v001_tile_info.json").write_text("{}")
    with pytest.raises(FusionError, match="says nothing of tile 't0'"):
        next(mmearth(folder))
    with h5py.File(folder / "data_1M_v001.h5", "a") as file:
        del file["metadata"]
    with pytest.raises(FusionError, match="no metadata"):
        next(mmearth(folder))
