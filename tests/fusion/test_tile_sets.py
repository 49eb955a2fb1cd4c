"""The set of tiles of a group: from scenes and a matrix to a version in use."""

import datetime
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
from rasterio.transform import from_origin
from rasterio.warp import transform
from small_scenes import item_file, write_matrix, write_scenes

from adapters.errors import ArchiveError, FusionError
from adapters.scenes.catalogues import catalogues, evaluation, origin, version
from adapters.scenes.scene import Layer, Scene
from adapters.settings import Settings
from fusion.captions import of_set
from fusion.captions.verifier import verify
from fusion.tiles import sets
from fusion.tiles.captioned import with_captions
from fusion.tiles.examine import examine
from fusion.tiles.places import Place
from fusion.tiles.sets import current, report, tiles
from fusion.tiles.sites import dated, sites, squares
from fusion.tiles.store import TileSet


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, pl.DataFrame]:
    """Scenes, matrix, and the set made of them; nobody changes it."""
    root = tmp_path_factory.mktemp("tile_sets")
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin_size="tiny")
    truth = write_scenes(settings)
    write_matrix(settings, truth)
    tiles(settings, "synthetic")
    return settings, truth


@pytest.fixture
def own(world: tuple[Settings, pl.DataFrame], tmp_path: Path) -> Settings:
    """A copy to change."""
    settings = world[0].model_copy(update={"data_root": tmp_path / "data"})
    # Times of change are kept: they tell that a file is the same.
    shutil.copytree(world[0].data_root, settings.data_root, copy_function=shutil.copy2)
    return settings


def checksums(settings: Settings) -> dict[str, str]:
    index = TileSet(current(settings, "synthetic")).index
    return dict(index.select("id", "checksum").iter_rows())


def edit(path: Path, **properties: object) -> None:
    item = json.loads(path.read_text())
    item["properties"] |= properties
    path.write_text(json.dumps(item))


def test_samples_and_land_between_them_have_tiles(world: tuple[Settings, pl.DataFrame]) -> None:
    settings, truth = world
    held = TileSet(current(settings, "synthetic"))
    said = report(settings, "synthetic")
    assert said["places"] == {"samples": 2, "between": 1}
    assert said["refused"] == {}
    ids = [f"lucas:{place}:0-20" for place in truth["place"].head(2)]
    assert sorted(held.index["id"])[1:] == sorted(ids)
    assert held.described["group"] == "synthetic"
    sampled = held.read(held.index["id"].to_list().index(ids[0]))
    # The clear scene that the twin says, however long before or after the sampling.
    assert sampled.date == truth["date"][0]
    assert sampled.extra["sampled"] == "2018-06-10"
    assert sampled.vector_names == {
        "soil": ("ph_h2o__iso_10390", "clay"),
        "climate": ("map.temperature",),
    }
    assert sampled.arrays["soil"].tolist() == [6.5, 21.0]
    other = held.read(held.index["id"].to_list().index(ids[1]))
    assert other.present["soil"].tolist() == [True, False]
    between = held.read(held.index["id"].to_list().index(min(held.index["id"])))
    assert between.vector_names == {}
    assert between.longitude == pytest.approx(truth["longitude"][2], abs=0.02)


def test_terms_travel_with_the_set(world: tuple[Settings, pl.DataFrame]) -> None:
    described = TileSet(current(world[0], "synthetic")).described
    assert described["redistribute"] is False
    assert described["terms"]["soil"]["redistribute"] is False
    assert described["terms"]["climate"]["redistribute"] is True
    assert described["terms"]["sentinel2"]["licences"] == ["Copernicus-Sentinel"]
    assert [r["unit"] for r in described["dictionary"]["soil"]] == ["pH", "percent"]


def test_a_second_call_takes_all_over_and_changes_nothing(own: Settings) -> None:
    before = checksums(own)
    # The copy lies elsewhere, and what lies elsewhere is read anew.
    first, again = tiles(own, "synthetic"), tiles(own, "synthetic")
    assert (again.built, again.taken_over) == (0, 3)
    assert again.folder == first.folder
    assert checksums(own) == before
    assert len(list((own.tiles / "synthetic").glob("[!.]*/set.json"))) == 1


def test_a_changed_scene_remakes_its_tile_and_no_other(
    own: Settings, world: tuple[Settings, pl.DataFrame]
) -> None:
    first, place = tiles(own, "synthetic"), world[1]["place"][0]
    before = checksums(own)
    path = item_file(own, "esa-worldcover", place).parent / "map.tif"
    with rasterio.open(path) as file:
        pixels, profile = file.read(), file.profile
    pixels[:, :20] = 80
    profile |= {"driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
    made = tiles(own, "synthetic")
    assert (made.built, made.taken_over) == (1, 2)
    assert made.folder != first.folder
    changed = {name for name, digest in checksums(own).items() if before[name] != digest}
    assert changed == {f"lucas:{place}:0-20"}
    assert current(own, "synthetic") == made.folder


def test_a_tile_that_is_broken_in_the_last_version_is_built_anew(own: Settings) -> None:
    folder = tiles(own, "synthetic").folder
    captioned = of_set.captions(own, "synthetic")
    index = pl.read_parquet(folder / "index.parquet")
    shard = folder / "shards" / "00000.tar"
    whole = shard.read_bytes()
    data = bytearray(whole)
    data[index["sentinel2.offset"][1] + 5_000] ^= 1
    shard.write_bytes(data)
    with pytest.raises(FusionError, match="shards are broken"):
        TileSet(captioned).verify()
    made = tiles(own, "synthetic")
    assert (made.built, made.taken_over, made.folder) == (1, 2, folder)
    assert shard.read_bytes() == whole
    assert of_set.captions(own, "synthetic") == captioned
    TileSet(captioned).verify()
    assert not list(own.tiles.rglob(".broken"))


def test_a_changed_value_of_the_matrix_remakes_its_tile(own: Settings) -> None:
    tiles(own, "synthetic")
    path = own.fused / "synthetic" / "made" / "matrix.parquet"
    pl.read_parquet(path).with_columns(clay=pl.Series([21.5, None])).write_parquet(path)
    made = tiles(own, "synthetic")
    assert (made.built, made.taken_over) == (1, 2)


def test_a_place_without_a_clear_scene_is_refused_with_the_reason(
    own: Settings, world: tuple[Settings, pl.DataFrame]
) -> None:
    place = world[1]["place"][1]
    folder = own.scenes / "twin" / "sentinel-2-l2a"
    for path in folder.glob(f"S2_{place}_*/*.json"):
        edit(path, **{"eo:cloud_cover": 55.0})
    made = tiles(own, "synthetic")
    said = report(own, "synthetic")
    assert list(said["refused"]) == [f"lucas:{place}:0-20"]
    assert "55.0 %" in said["refused"][f"lucas:{place}:0-20"]
    (reason, count), *others = said["refused_by_reason"].items()
    assert ("cloud" in reason, count, others) == (True, 1, [])
    assert len(TileSet(made.folder)) == 2


def test_a_file_that_is_gone_refuses_its_place_alone(
    own: Settings, world: tuple[Settings, pl.DataFrame]
) -> None:
    place = world[1]["place"][0]
    (item_file(own, "esa-worldcover", place).parent / "map.tif").unlink()
    made = tiles(own, "synthetic")
    assert list(report(own, "synthetic")["refused"]) == [f"lucas:{place}:0-20"]
    assert len(TileSet(made.folder)) == 2


def test_a_value_that_storage_does_not_hold_refuses_its_place_alone(
    own: Settings, world: tuple[Settings, pl.DataFrame]
) -> None:
    """Such as a nodata of a scene that its catalogue does not tell of."""
    place = world[1]["place"][0]
    path = next((own.scenes / "twin" / "sentinel-2-l2a").glob(f"S2_{place}_*/B04.tif"))
    with rasterio.open(path) as file:
        pixels, profile = file.read(), file.profile
    pixels[:, 64, 64] = 65_535
    profile |= {"driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
    edit(path.parent / f"{path.parent.name}.json", **{"s2:processing_baseline": "02.14"})
    made = tiles(own, "synthetic")
    ((refused, why),) = report(own, "synthetic")["refused"].items()
    assert refused == f"lucas:{place}:0-20"
    assert "cannot be stored" in why
    assert len(TileSet(made.folder)) == 2


def test_tiles_near_places_of_evaluation_are_set_aside(own: Settings) -> None:
    """10 km are some 0.09 degrees of latitude."""
    first, before = tiles(own, "synthetic"), version(own, "synthetic")
    index = TileSet(first.folder).index
    row = index.row(by_predicate=pl.col("split") == "test", named=True)
    listed = own.scenes / "evaluation.csv"
    listed.write_text(f"name,longitude,latitude\na,{row['longitude']},{row['latitude'] + 0.085}\n")
    assert version(own, "synthetic") != before
    made = TileSet(tiles(own, "synthetic").folder)
    assert made.described["splits"]["evaluation_places"] == 1
    split = dict(made.index.select("id", "split").iter_rows())
    assert split[row["id"]] == "guard"
    assert "train" in split.values()
    listed.write_text(f"longitude,latitude\n{row['longitude']},{row['latitude'] + 0.095}\n")
    made = TileSet(tiles(own, "synthetic").folder)
    assert made.index["split"].to_list() == index["split"].to_list()
    listed.unlink()
    assert version(own, "synthetic") == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x,y\n1,2\n", "no list of places"),
        ("longitude,latitude\neast,2\n", "no list of places"),
        ("longitude,latitude\n50\n", "no list of places"),
        ("longitude,latitude\n50,100\n", "not on the Earth"),
        ("longitude,latitude\nnan,10\n", "not on the Earth"),
    ],
)
def test_a_list_of_evaluation_that_cannot_be_read_is_refused(
    text: str, problem: str, tmp_path: Path
) -> None:
    settings = Settings(data_root=tmp_path)
    settings.scenes.mkdir()
    (settings.scenes / "evaluation.csv").write_text(text)
    with pytest.raises(ArchiveError, match=problem):
        evaluation(settings)


def test_without_any_tile_the_last_version_stays(own: Settings) -> None:
    last = current(own, "synthetic")
    for path in (own.scenes / "twin" / "sentinel-2-l2a").glob("*/*.json"):
        edit(path, **{"eo:cloud_cover": 99.0})
    with pytest.raises(FusionError, match="(?s)no place has a tile.*3 times: .*cloud"):
        tiles(own, "synthetic")
    assert current(own, "synthetic") == last


def test_a_broken_catalogue_is_named_and_the_last_version_stays(
    own: Settings, world: tuple[Settings, pl.DataFrame]
) -> None:
    last = current(own, "synthetic")
    path = item_file(own, "sentinel-2-l2a", world[1]["place"][0])
    edit(path, **{"eo:cloud_cover": None})
    with pytest.raises(ArchiveError, match="cloud_cover"):
        tiles(own, "synthetic")
    assert current(own, "synthetic") == last


def test_interrupted_and_run_again_gives_the_same(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checksums(own)
    whole = tiles(own, "synthetic").folder.name
    shutil.rmtree(own.tiles)
    build, built = sets.build_tile, []

    def interrupted(place: Place, *others: object, **more: object) -> object:
        if len(built) == 2:
            raise KeyboardInterrupt
        built.append(place.id)
        return build(place, *others, **more)

    monkeypatch.setattr(sets, "build_tile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiles(own, "synthetic")
    assert current(own, "synthetic") is None
    monkeypatch.undo()
    assert tiles(own, "synthetic").folder.name == whole
    assert checksums(own) == before


def test_a_group_without_scenes_has_no_tiles(own: Settings) -> None:
    assert tiles(own, "open") is None
    assert tiles(own, "user") is None


def test_a_users_catalogue_stands_in_the_users_group(own: Settings) -> None:
    (own.scenes / "twin").rename(own.scenes / "mine")
    (own.scenes / "mine" / ".origin.json").unlink()
    assert catalogues(own, "synthetic") == []
    assert version(own, "synthetic") is None
    made = tiles(own, "user")
    assert set(TileSet(made.folder).index["origin"]) == {"user"}
    assert report(own, "user")["places"] == {"samples": 0, "between": 3}
    record = own.scenes / "mine" / ".origin.json"
    for wrong in ("no json", '{"origin": "mine"}'):
        record.write_text(wrong)
        assert catalogues(own, "user") == [own.scenes / "mine"]
        with pytest.raises(ArchiveError, match="origin|whose"):
            origin(own.scenes / "mine")
        with pytest.raises(ArchiveError, match="origin|whose"):
            tiles(own, "user")


def test_places_between_samples_lie_on_both_sides_of_the_antimeridian(tmp_path: Path) -> None:
    """Forest west of it and grass east of it: one place of each, though the scene spans both."""
    path, width = tmp_path / "cover.tif", 3_000
    codes = np.full((1, 300, width), 10, np.uint8)
    grid = from_origin(645_000, 5_600_000, 100, 100)
    x, _ = transform("EPSG:4326", "EPSG:32660", [180.0], [50.4])
    codes[:, :, int((x[0] - 645_000) / 100) :] = 30
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=300, width=width, dtype="uint8",
        crs="EPSG:32660", transform=grid, nodata=0,
    ) as file:  # fmt: skip
        file.write(codes)
    moment = datetime.datetime(2021, 6, 1, 10, tzinfo=datetime.UTC)
    box = (179.5, 50.35, -179.5, 50.45)
    scenes = [
        Scene("s", "c", "sentinel2", moment, box, {"B2": Layer("x.tif")}, "user", "x"),
        Scene("w", "c", "worldcover", moment, box, {"class": Layer(str(path))}, "user", "x"),
    ]
    found = sorted(place.longitude for place in sites(None, scenes, per_kind=1))
    assert len(found) == 2
    assert -180 <= found[0] < -179.4
    assert 179.4 < found[1] < 180
    samples = pl.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "site": ["a", "b", "c"],
            "longitude": [179.7, -179.7, 0.0],
            "latitude": [50.4] * 3,
            "depth_top": [0.0] * 3,
            "date_start": [datetime.date(2019, 6, 1)] * 3,
        }
    )
    assert len(squares(samples, box)) == 2


def test_the_season_of_sampling_chooses_the_scene() -> None:
    def scene(day: str, clouds: float) -> Scene:
        moment = datetime.datetime.fromisoformat(f"{day}T10:30:00+00:00")
        layers = {"B2": Layer("x.tif")}
        return Scene(
            f"S2-{day}", "c", "sentinel2", moment, (9.0, 50.0, 11.0, 52.0), layers, "user", "x",
            15, clouds,
        )  # fmt: skip

    place = Place("p", 10.0, 51.0, datetime.date(2018, 6, 10))

    def chosen(*scenes: Scene) -> str:
        return dated(place, scenes).date.isoformat()

    assert chosen(scene("2018-09-10", 0.0), scene("2022-06-12", 3.0)) == "2022-06-12"
    assert chosen(scene("2018-09-10", 0.0), scene("2022-06-12", 30.0)) == "2018-09-10"
    assert chosen(scene("2017-06-10", 5.0), scene("2022-06-10", 0.0)) == "2017-06-10"
    january = Place("p", 10.0, 51.0, datetime.date(2018, 1, 3))
    december = dated(january, [scene("2019-12-30", 0.0), scene("2018-02-10", 0.0)])
    assert december.date.isoformat() == "2019-12-30"
    assert dated(place, []) == place


def test_faults_of_a_written_set_are_found(own: Settings) -> None:
    def wrong(folder: Path) -> dict[str, tuple[str, ...]]:
        return {f.name: f.problems for f in examine(TileSet(folder)) if f.problems}

    folder = current(own, "synthetic")
    assert wrong(folder) == {}
    shard = folder / "shards" / "00000.tar"
    whole = bytearray(shard.read_bytes())
    index = pl.read_parquet(folder / "index.parquet")
    # The first byte of the tile's description, which no mask and no pixel depends on.
    spoiled = whole.copy()
    spoiled[index["described.offset"][0]] ^= 1
    shard.write_bytes(spoiled)
    assert list(wrong(folder)) == ["checksums"]
    spoiled = whole.copy()
    spoiled[index["sentinel2.offset"][1] + 5_000] ^= 1
    shard.write_bytes(spoiled)
    found = wrong(folder)
    assert list(found) == ["presence", "checksums"]
    assert found["presence"] == (f"{index['id'][1]}: a member of a shard is broken",)
    shard.write_bytes(whole)

    held = TileSet(folder)
    held.index = held.index.with_columns(
        split=pl.Series(["train", "test", "test"]),
        longitude=pl.lit(10.0),
        latitude=pl.lit(50.0),
        block=pl.lit("one"),
    )
    held.index = held.index.with_columns(
        pl.Series("sentinel2.share", [[0.5] * 12] * 3, dtype=held.index.schema["sentinel2.share"])
    )
    found = {finding.name: finding.problems for finding in examine(held)}
    assert len(found["presence"]) == 3
    assert any("is near" in problem for problem in found["splits"])
    assert any("several sides" in problem for problem in found["splits"])
    assert found["classes"] == ()


def test_an_unknown_code_in_a_written_set_is_found(own: Settings) -> None:
    held = TileSet(current(own, "synthetic"))
    read = held.stored

    def spoiled(row: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        found = read(row)
        values, present = found["worldcover"]
        return found | {"worldcover": (np.where(present, np.uint8(77), values), present)}

    held.stored = spoiled
    found = {finding.name: finding.problems for finding in examine(held)}
    assert all("code 77" in problem for problem in found["classes"])
    assert len(found["classes"]) == 3


def test_captions_stand_beside_the_tiles(own: Settings) -> None:
    folder = of_set.captions(own, "synthetic")
    held, records = TileSet(folder), of_set.records(folder)
    assert of_set.captioned(own, "synthetic") == folder
    assert held.described["captions"]["tiles"] == current(own, "synthetic").name
    assert held.index["caption"].to_list() == records["caption"].to_list()
    assert held.index["caption"].count() >= 2
    held.verify()
    # The shards take no room of their own.
    shard = folder / "shards" / "00000.tar"
    assert shard.samefile(current(own, "synthetic") / "shards" / "00000.tar")
    numbers = of_set.counted(records)
    assert set(numbers["claims"]) == {"supported"}
    assert held.described["captions"]["captioned"] == numbers["captioned"]
    assert held.captions_checked is True
    assert of_set.unsupported(held) == []
    assert of_set.captions(own, "synthetic") == folder

    lie = "The tile is entirely covered by open water."
    assert not verify(lie, held.read(0)).text
    held.index = held.index.with_columns(caption=pl.lit(lie))
    assert len(of_set.unsupported(held)) == 3
    with pytest.raises(FusionError, match="not those of the tiles"):
        with_captions(
            current(own, "synthetic"), own.captions / "x", records.head(1), {}, checked=True
        )
    with pytest.raises(FusionError, match="has no tiles"):
        of_set.captions(own, "open")
