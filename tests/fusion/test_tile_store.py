import dataclasses
import functools
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from good_tile import good_tile
from range_server import serving_folder

from adapters.errors import FusionError
from adapters.modalities import modality
from fusion.tiles import shards, writing
from fusion.tiles.statistics import Tally
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from fusion.tiles.writing import write

COUNT = 12


@functools.cache
def tile(number: int) -> Tile:
    """Tiles that lack this and that, 100 km and more apart."""
    made = good_tile(
        number,
        bands=9 if number % 3 == 0 else 12,
        rgb=number == 4,
        without=("canopy_height", "soil") if number % 2 else (),
    )
    return dataclasses.replace(made, longitude=2.0 + number, latitude=44.0 + number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    captions = {"good-1": "A lake among fields.", "good-2": "Fields."}
    made = (tile(i) for i in range(COUNT))
    return write(made, tmp_path_factory.mktemp("tiles"), captions, shard_tiles=5)


def same(found: Tile, truth: Tile, exact: bool = False) -> None:
    for field in dataclasses.fields(Tile):
        if field.name not in ("arrays", "present"):
            assert getattr(found, field.name) == getattr(truth, field.name)
    assert found.arrays.keys() == truth.arrays.keys()
    for name, mask in truth.present.items():
        spec = modality(name)
        np.testing.assert_array_equal(found.present[name], mask)
        assert found.arrays[name].dtype == truth.arrays[name].dtype
        half = 0 if exact or spec.dtype in ("float32", "uint8") else 0.5001 * spec.scale
        apart = np.abs(found.arrays[name].astype(float) - truth.arrays[name])[mask]
        assert apart.max(initial=0) <= half + 1e-6


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_tiles_come_back_as_they_were_written(folder: Path) -> None:
    tiles = TileSet(folder)
    assert len(tiles) == COUNT
    for i in range(COUNT):
        same(tiles.read(i), tile(i))
    tiles.verify()


def test_what_is_read_can_be_written_again_without_loss(folder: Path, tmp_path: Path) -> None:
    tiles = TileSet(folder)
    again = write((tiles.read(i) for i in range(COUNT)), tmp_path, shard_tiles=5)
    for i in range(COUNT):
        same(TileSet(again).read(i), tiles.read(i), exact=True)


def test_the_index_says_what_each_tile_has(folder: Path) -> None:
    index = TileSet(folder).index
    assert index["id"].to_list() == [f"good-{i}" for i in range(COUNT)]
    share = index["sentinel2.share"].to_list()
    assert share[0][1] == 0, "a band that a sensor did not deliver"
    assert share[1][1] == pytest.approx(1 - 28 * 20 / 128**2)
    assert index["canopy_height.share"].is_null().to_list() == [i % 2 == 1 for i in range(COUNT)]
    water = tile(1).arrays["relief"][0]
    assert index["relief.mean"][1][0] == pytest.approx(water.mean(), rel=1e-6)
    assert index["sentinel1.mean"][1][2] is None
    assert index["caption"].to_list()[:3] == [None, "A lake among fields.", "Fields."]
    assert set(index["split"]) <= {"train", "validation", "test", "guard"}


def test_the_index_opens_as_geoparquet_around_the_places(folder: Path) -> None:
    frame = geopandas.read_parquet(folder / "index.parquet")
    assert frame.crs == "OGC:CRS84"  # longitude first
    bounds = frame.to_crs(tile(0).crs).geometry.iloc[[0]].total_bounds
    np.testing.assert_allclose(bounds, tile(0).bounds, atol=0.01)


def test_shards_are_read_by_what_reads_tar_zstd_and_npy(folder: Path) -> None:
    with tarfile.open(folder / "shards" / "00000.tar") as tar:
        names = tar.getnames()
        described = json.loads(tar.extractfile("00000001.json").read())
        read = {
            name: tar.extractfile(f"00000001.{name}.npy.zst").read()
            for name in ("worldcover", "sentinel2.planes", "relief.planes")
        }
    assert described["id"] == "good-1"
    assert {name.split(".")[0] for name in names} == {f"{i:08d}" for i in range(5)}
    raw = {
        k: pa.input_stream(pa.BufferReader(v), compression="zstd").read() for k, v in read.items()
    }
    found = {k: np.lib.format.read_array(pa.BufferReader(v)) for k, v in raw.items()}
    np.testing.assert_array_equal(found["worldcover"], tile(1).arrays["worldcover"])
    low, high = found["sentinel2.planes"].astype(int)
    counts = low + 256 * high
    spec, mask = modality("sentinel2"), tile(1).present["sentinel2"]
    assert (counts[~mask] == spec.nodata).all()
    near = counts[mask] * spec.scale + spec.offset
    np.testing.assert_allclose(near, tile(1).arrays["sentinel2"][mask], atol=0.51 * spec.scale)
    relief = np.moveaxis(found["relief.planes"], 0, -1).copy().view("<f4")[..., 0]
    np.testing.assert_array_equal(relief, tile(1).arrays["relief"])
    assert "00000001.worldcover.present.npy.zst" not in names, "all is present: no mask is needed"


def test_only_what_is_wanted_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles, asked = TileSet(folder), []
    part = shards.LocalPlace.part
    monkeypatch.setattr(
        shards.LocalPlace, "part", lambda s, n, a, b: asked.append(b) or part(s, n, a, b)
    )
    found = tiles.stored(4, ["worldcover"])
    assert list(found) == ["worldcover"]
    assert asked == [tiles.index["worldcover.bytes"][4]]
    asked.clear()
    tiles.stored(4, [n for n in tiles.modalities if n != "rgb"])
    assert sum(asked) < tiles.index["bytes"][4] - tiles.index["rgb.bytes"][4]


def test_absent_modalities_are_left_out_and_unknown_ones_refused(folder: Path) -> None:
    tiles = TileSet(folder)
    assert list(tiles.stored(1, ["canopy_height", "relief"])) == ["relief"]
    with pytest.raises(FusionError, match="no such modality"):
        tiles.stored(1, ["elevation"])
    with pytest.raises(FusionError, match="there is no tile"):
        tiles.read(COUNT)


def test_the_same_tiles_give_the_same_version(folder: Path, tmp_path: Path) -> None:
    captions = {"good-1": "A lake among fields.", "good-2": "Fields."}
    again = write([tile(i) for i in range(COUNT)], tmp_path, captions, shard_tiles=5)
    assert again.name == folder.name
    assert contents(again) == contents(folder)
    before = contents(tmp_path)
    assert write([tile(i) for i in range(COUNT)], tmp_path, captions, shard_tiles=5) == again
    assert contents(tmp_path) == before
    captions["good-2"] = "Woods."
    assert write([tile(i) for i in range(COUNT)], tmp_path, captions, shard_tiles=5) != again


class KilledError(Exception):
    pass


@pytest.mark.parametrize("killed_at", [0, 3, 5, 7, 11])
def test_killed_anywhere_and_run_again_the_bytes_are_the_same(
    folder: Path, tmp_path: Path, killed_at: int
) -> None:
    captions = {"good-1": "A lake among fields.", "good-2": "Fields."}
    made: list[int] = []

    def maker(number: int, dies: bool) -> Callable[[], Tile]:
        def make() -> Tile:
            if dies and number == killed_at:
                raise KilledError
            made.append(number)
            return tile(number)

        return make

    def run(dies: bool) -> Path:
        makers = {f"good-{i}": maker(i, dies) for i in range(COUNT)}
        return write(makers, tmp_path, captions, inputs="scenes of today", shard_tiles=5)

    with pytest.raises(KilledError):
        run(dies=True)
    made.clear()
    assert contents(run(dies=False)) == contents(folder)
    assert min(made) == killed_at // 5 * 5, "shards that were finished are not made again"


def test_killed_while_the_index_is_written_nothing_is_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions = {"good-1": "A lake among fields.", "good-2": "Fields."}
    makers = {f"good-{i}": functools.partial(tile, i) for i in range(COUNT)}

    def dies(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_described", dies)
        with pytest.raises(KilledError):
            write(makers, tmp_path, captions, shard_tiles=5)
    assert contents(write(makers, tmp_path, captions, shard_tiles=5)) == contents(folder)


def test_shards_made_from_other_inputs_are_not_taken_over(tmp_path: Path) -> None:
    def maker(number: int, tenth: float) -> Callable[[], Tile]:
        def make() -> Tile:
            if number == 8 and not tenth:
                raise KilledError
            arrays = {**tile(number).arrays}
            arrays["relief"] = arrays["relief"] + np.float32(tenth)
            return dataclasses.replace(tile(number), arrays=arrays)

        return make

    with pytest.raises(KilledError):
        write({f"good-{i}": maker(i, 0.0) for i in range(9)}, tmp_path, inputs="a", shard_tiles=4)
    found = TileSet(
        write({f"good-{i}": maker(i, 5.0) for i in range(9)}, tmp_path, inputs="b", shard_tiles=4)
    )
    truth = tile(0).arrays["relief"] + np.float32(5)
    np.testing.assert_array_equal(found.read(0).arrays["relief"], truth)


def test_a_broken_shard_is_named_with_its_tiles(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    index = TileSet(copy).index
    path = copy / "shards" / "00001.tar"
    data = bytearray(path.read_bytes())
    data[index["sentinel2.offset"][6] + 5_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(FusionError, match=r"00001\.tar: 1 tiles differ: good-6") as found:
        TileSet(copy).verify()
    assert "00000" not in str(found.value)
    path.unlink()
    with pytest.raises(FusionError, match=r"00001\.tar"):
        TileSet(copy).verify()
    with pytest.raises(FusionError, match=r"00001\.tar"):
        TileSet(copy).read(6)


def test_a_flipped_bit_is_refused_when_its_tile_is_read(folder: Path, tmp_path: Path) -> None:
    """Wherever it is in a member: zstd alone decodes nearly all of them into other numbers."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    row = TileSet(copy).index.row(6, named=True)
    path = copy / "shards" / row["shard"]
    whole = path.read_bytes()
    spans = {
        name: (row[f"{name}offset"], row[f"{name}bytes"])
        for name in [k[:-6] for k in row if k.endswith("offset") and k != "offset"]
        if row[f"{name}bytes"]
    }
    assert {"described.", "sentinel2.", "sentinel2.mask_", "worldcover.", "relief."} <= spans.keys()
    for name, (start, length) in spans.items():
        for place in (start, start + length // 3, start + length // 2, start + length - 1):
            data = bytearray(whole)
            data[place] ^= 1 << place % 8
            path.write_bytes(data)
            tiles = TileSet(copy)
            with pytest.raises(FusionError, match="a member of a shard is broken"):
                tiles.read(6, None if name == "described." else [name.split(".")[0]])
            tiles.close()


def test_a_cut_shard_and_another_index_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "shards" / "00002.tar"
    path.write_bytes(path.read_bytes()[:4_000])
    with pytest.raises(FusionError, match="the file ends before byte"):
        TileSet(copy).read(11)
    index = copy / "index.parquet"
    pl.read_parquet(index).with_columns(split=pl.lit("train")).write_parquet(index)
    with pytest.raises(FusionError, match="not the one that was written"):
        TileSet(copy)
    with pytest.raises(FusionError, match=r"set\.json"):
        TileSet(tmp_path)


def test_a_set_of_another_meaning_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    described = json.loads((copy / "set.json").read_text())
    described["modalities"]["sentinel2"]["offset"] = 0.0
    (copy / "set.json").write_text(json.dumps(described))
    with pytest.raises(FusionError, match="meant something else"):
        TileSet(copy)


def test_what_cannot_be_one_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match="no tile to write"):
        write([], tmp_path)
    with pytest.raises(FusionError, match="ids of tiles repeat"):
        write([tile(1), tile(2), tile(1)], tmp_path)
    with pytest.raises(FusionError, match="different origin"):
        write([tile(1), dataclasses.replace(tile(2), origin="open")], tmp_path)
    with pytest.raises(FusionError, match="captions of tiles that are not"):
        write([tile(1)], tmp_path, {"good-9": "A lake."})
    with pytest.raises(FusionError, match="no JSON"):
        write([dataclasses.replace(tile(1), extra={"cloud": float("nan")})], tmp_path)
    with pytest.raises(FusionError, match="another id"):
        write({"good-2": lambda: tile(1)}, tmp_path)
    with pytest.raises(FusionError, match="no tile to write"):
        write({"good-2": lambda: None}, tmp_path)


def test_a_place_without_a_tile_leaves_no_row(tmp_path: Path) -> None:
    makers = {"good-0": lambda: tile(0), "nowhere": lambda: None, "good-1": lambda: tile(1)}
    folder = write(makers, tmp_path, about={"group": "synthetic"}, shard_tiles=2)
    assert TileSet(folder).index["id"].to_list() == ["good-0", "good-1"]
    assert TileSet(folder).described["group"] == "synthetic"


def test_through_http_only_the_bytes_of_what_is_wanted_come(folder: Path) -> None:
    with serving_folder(folder) as site:
        tiles = TileSet(site.address)
        site.asked.clear()
        same(tiles.read(4), tile(4))
        tiles.stored(7, ["worldcover"])
        ranges = [(path, length) for path, length in site.asked]
        assert ranges[-1] == ("/shards/00001.tar", tiles.index["worldcover.bytes"][7])
        assert len(ranges) <= 3, "a tile is one range or two"
        tiles.verify()
        tiles.close()


def test_a_server_without_ranges_and_one_that_fails_are_told(folder: Path) -> None:
    with serving_folder(folder) as site:
        tiles = TileSet(site.address)
        site.busy = 2
        same(tiles.read(2), tile(2))
        site.ranges = False
        with pytest.raises(FusionError, match="answered 200, not 206"):
            tiles.read(3)
        with pytest.raises(FusionError, match="answered 404"):
            TileSet(f"{site.address}/elsewhere")


def counted(rows: range | list[int]) -> Tally:
    tally = Tally()
    for i in rows:
        made = {
            name: (modality(name).stored(array, tile(i).present[name]), tile(i).present[name])
            for name, array in tile(i).arrays.items()
        }
        tally.add(made, tile(i).vector_names)
    return tally


def test_statistics_are_those_of_all_pixels_at_once(folder: Path) -> None:
    tiles = TileSet(folder)
    training = np.flatnonzero(tiles.index["split"].to_numpy() == "train")
    for name in ("sentinel2", "sentinel1", "relief"):
        for band, found in enumerate(tiles.statistics.modalities[name]):
            read = [tiles.read(i, [name]) for i in training]
            pixels = np.concatenate([t.arrays[name][band][t.present[name][band]] for t in read])
            assert found.count == len(pixels)
            if not len(pixels):
                assert found.mean is None
                continue
            exact = pixels.astype(np.float64)
            assert found.mean == pytest.approx(exact.mean(), rel=1e-6)
            assert found.std == pytest.approx(exact.std(), rel=1e-5)
            assert found.minimum == pytest.approx(exact.min(), rel=1e-6)
            limits = modality(name).bands[band]
            fine = 1e-6 if name != "relief" else (limits.maximum - limits.minimum) / 65_536
            for percent, value in found.percentiles.items():
                truth = np.percentile(exact, percent, method="inverted_cdf")
                assert value == pytest.approx(truth, abs=fine)


def test_parts_merge_to_the_whole_in_any_order() -> None:
    whole = counted(range(6)).result()
    one, other = counted([5, 1, 3]), counted([4, 0, 2])
    one.merge(other)
    merged = one.result()
    for name, bands in whole.modalities.items():
        for band, again in zip(bands, merged.modalities[name], strict=True):
            if modality(name).dtype != "float32" or modality(name).is_vector:
                assert again == band
            else:
                assert again.percentiles == band.percentiles
                assert again.mean == pytest.approx(band.mean, rel=1e-12)
                assert again.std == pytest.approx(band.std, rel=1e-12)
    assert merged.tiles == 6


def test_evaluation_tiles_do_not_change_the_statistics(folder: Path, tmp_path: Path) -> None:
    """Every tile that does not train is replaced by one that is absurd; the statistics stay."""
    tiles = TileSet(folder)
    training = tiles.index["split"].to_numpy() == "train"
    assert 0 < training.sum() < COUNT

    def other(i: int) -> Tile:
        arrays = {
            name: array + np.float32(3) if array.dtype == np.float32 else array
            for name, array in tile(i).arrays.items()
        }
        return tile(i) if training[i] else dataclasses.replace(tile(i), arrays=arrays)

    changed = TileSet(write([other(i) for i in range(COUNT)], tmp_path))
    assert changed.index["relief.mean"].to_list() != tiles.index["relief.mean"].to_list()
    assert changed.statistics == tiles.statistics

    def spoiled(i: int) -> Tile:
        arrays = {**tile(i).arrays, "relief": tile(i).arrays["relief"] + np.float32(3)}
        return dataclasses.replace(tile(i), arrays=arrays) if training[i] else tile(i)

    trained = TileSet(write([spoiled(i) for i in range(COUNT)], tmp_path))
    assert trained.statistics != tiles.statistics


def test_absent_pixels_do_not_count_whatever_they_hold() -> None:
    made = tile(1)
    arrays = {
        name: np.where(made.present[name], array, modality(name).array_dtype.type(77))
        for name, array in made.arrays.items()
    }
    stored = {
        n: (modality(n).stored(a, made.present[n]), made.present[n]) for n, a in arrays.items()
    }
    tally = Tally()
    tally.add(stored, made.vector_names)
    assert tally.result() == counted([1]).result()


def test_evaluation_places_keep_their_distance(tmp_path: Path) -> None:
    near = np.array([[2.03, 44.0]])
    assert TileSet(write(map(tile, range(4)), tmp_path)).index["split"][0] != "guard"
    index = TileSet(write(map(tile, range(4)), tmp_path, evaluation=near)).index
    assert index["split"][0] == "guard"
