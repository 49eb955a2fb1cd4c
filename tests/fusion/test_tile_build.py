"""Tiles are made of the right scenes, hold what stands there, and say where nothing is known."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
import shapely
from range_server import serving_folder

from adapters.errors import FusionError
from adapters.modalities import modality
from adapters.scenes.find import find
from adapters.scenes.scene import Layer, Scene
from adapters.settings import Settings
from adapters.twin import scenes as twin
from adapters.twin.europe import Europe
from adapters.twin.landscape import Landscape, landscape
from adapters.twin.world import World
from fusion.tiles import read
from fusion.tiles.build import Refused, Vector, build_tile, build_tiles
from fusion.tiles.choose import Nearby, around, choose
from fusion.tiles.grid import roi
from fusion.tiles.places import Place
from fusion.tiles.read import Files, horn
from fusion.tiles.tile import Tile

DAY = datetime.date(2021, 6, 1)
HERE = Place("here", 9.1, 50.5, DAY)
BOX = (9.0, 50.4, 9.2, 50.6)


def scene(
    id_: str, modality_: str = "sentinel2", *, days: float = 0, cloud: float | None = 0.0,
    box: tuple[float, float, float, float] = BOX, layers: Sequence[str] = ("B4",),
    within: int | None = 15, footprint: shapely.Geometry | None = None, hour: float = 10.5,
) -> Scene:  # fmt: skip
    moment = datetime.datetime.combine(DAY, datetime.time(), datetime.UTC)
    moment += datetime.timedelta(days=days, hours=hour)
    held = {name: Layer(f"{id_}.tif") for name in layers}
    return Scene(
        id_, "c", modality_, moment, box, held, "open", "l", within, cloud, None, footprint
    )


def chosen(scenes: Sequence[Scene], place: Place = HERE) -> dict[str, list[str]]:
    return {id_: [one.id for one in listed] for id_, listed in choose(place, scenes).items()}


# Which scenes.


def test_the_clearest_scene_within_15_days_is_taken() -> None:
    scenes = [
        scene("near", days=1, cloud=5.0),
        scene("clear", days=-15, cloud=1.0),
        scene("too far", days=16, cloud=0.0),
        scene("cloudy", days=0, cloud=10.0),
    ]
    assert chosen(scenes) == {"sentinel2": ["clear"]}
    assert chosen(scenes[:1] + scenes[2:]) == {"sentinel2": ["near"]}
    with pytest.raises(FusionError, match=r"(?s)under 10 % cloud.*cloudy: 10\.0 %"):
        choose(HERE, scenes[2:])
    assert choose(HERE, scenes[2:], max_cloud_percent=20.0)["sentinel2"][0].id == "cloudy"


def test_what_covers_more_of_the_square_is_taken_first() -> None:
    part = (9.0, 50.4, 9.1, 50.6)
    assert chosen([scene("part", box=part), scene("whole", cloud=9.0, days=4)]) == {
        "sentinel2": ["whole"]
    }
    # The edge of a swath: the box holds the square, and the footprint does not.
    edge = shapely.Polygon([(9.0, 50.4), (9.09, 50.4), (9.09, 50.6), (9.0, 50.6)])
    assert chosen([scene("edge", footprint=edge), scene("whole", cloud=9.0, days=4)]) == {
        "sentinel2": ["whole"]
    }
    off = shapely.box(9.0, 50.4, 9.05, 50.6)
    with pytest.raises(FusionError, match="no Sentinel-2 scene"):
        choose(HERE, [scene("off", footprint=off)])


def test_granules_of_one_overpass_fill_each_other_and_other_days_do_not() -> None:
    west, east = (9.0, 50.4, 9.1, 50.6), (9.095, 50.4, 9.2, 50.6)
    scenes = [
        scene("west", box=west),
        scene("east", box=east, hour=10.5 + 14 / 3600),
        scene("next day", days=1, box=east, cloud=9.0),
    ]
    found = chosen(scenes)["sentinel2"]
    assert sorted(found) == ["east", "west"]


def test_the_others_are_chosen_by_the_sentinel_2_scene() -> None:
    asc, desc = ("asc_VV", "asc_VH"), ("desc_VV", "desc_VH")
    scenes = [
        scene("optical", days=14),
        scene("asc near", "sentinel1", days=10, layers=asc, hour=17),
        scene("asc far", "sentinel1", days=-1, layers=asc, hour=17),
        scene("asc slice", "sentinel1", days=10, layers=asc, hour=17.01),
        scene("desc too far", "sentinel1", days=-2, layers=desc, hour=5),
        scene("map 2020", "worldcover", days=-400, within=None, layers=["class"]),
        scene("map 2021", "worldcover", days=-150, within=None, layers=["class"]),
        scene("relief", "relief", days=-2000, within=None, layers=["elevation"]),
        scene("elsewhere", "relief", within=None, layers=["elevation"], box=(1, 1, 2, 2)),
    ]
    assert chosen(scenes) == {
        "sentinel2": ["optical"],
        "sentinel1": ["asc slice", "asc near"],
        "worldcover": ["map 2021"],
        "relief": ["relief"],
    }


def test_a_square_over_the_antimeridian_finds_scenes_on_both_sides() -> None:
    place = Place("dateline", 179.999, -17.0, DAY)
    west, south, east, north = around(place)
    assert west > east
    scenes = [
        scene("over", box=(179.5, -17.5, -179.5, -16.5)),
        scene("west", box=(179.0, -17.5, 180.0, -16.5)),
        scene("east", box=(-180.0, -17.5, -179.0, -16.5)),
        scene("far", box=(-10.0, -17.5, 10.0, -16.5)),
    ]
    assert [one.id for one in Nearby(scenes)(place)] == ["over", "west", "east"]
    assert chosen(scenes, place)["sentinel2"][0] == "over"
    assert {*chosen(scenes, place)["sentinel2"]} == {"over", "west", "east"}


def test_scenes_nearby_are_those_that_all_would_give() -> None:
    draw = np.random.default_rng(0)
    corner = draw.uniform([5, 45], [15, 55], (400, 2))
    boxes = [(w, s, w + 0.8, s + 0.8) for w, s in corner.tolist()]
    scenes = [scene(f"s{n:03d}", box=box, cloud=n % 9) for n, box in enumerate(boxes)]
    near = Nearby(scenes)
    for longitude, latitude in draw.uniform([6, 46], [14, 54], (20, 2)):
        place = Place("p", longitude, latitude, DAY)
        assert len(near(place)) < 40
        if near(place):
            assert chosen(near(place), place) == chosen(scenes, place)
    assert Nearby([])(HERE) == []


# From small files.


def write(
    path: Path, pixels: np.ndarray, square: tuple[str, float, float], cell: float, **more: object
) -> Path:
    crs, west, north = square
    with rasterio.open(
        path, "w", driver="GTiff", count=len(pixels), height=pixels.shape[1],
        width=pixels.shape[2], dtype=pixels.dtype, crs=crs,
        transform=rasterio.Affine(cell, 0, west, 0, -cell, north), **more,
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


@pytest.fixture(scope="module")
def square() -> tuple[str, float, float]:
    """The corner of a scene of 200 pixels around the square of HERE."""
    tile = roi(HERE.longitude, HERE.latitude)
    return tile.crs, tile.west - 300.0, tile.north + 300.0


def optical(path: Path, square: tuple[str, float, float], **more: object) -> Scene:
    numbers = np.random.default_rng(1).integers(1100, 4000, (1, 200, 200)).astype(np.uint16)
    href = str(write(path, numbers, square, 10.0, nodata=0))
    return replace(scene("optical"), layers={"B4": Layer(href, scale=1e-4, offset=-0.1)}, **more)


def test_gaps_are_filled_by_the_next_granule_and_the_mask_says_what_stays_absent(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    whole = np.random.default_rng(1).integers(1, 9000, (1, 200, 200)).astype(np.uint16)
    west, east = whole.copy(), whole + 1
    west[:, :, 90:], east[:, :, :80] = 0, 0
    west[:, 100:110, 40:50], east[:, 100:110, 100:110] = 0, 0
    scenes = [
        replace(
            scene(name, cloud=cloud),
            layers={
                "B4": Layer(str(write(tmp_path / f"{name}.tif", numbers, square, 10.0)), nodata=0)
            },
        )
        for name, numbers, cloud in (("west", west, 0.0), ("east", east, 1.0))
    ]
    tile = build_tile(HERE, scenes)
    red = modality("sentinel2").band("B4")
    first, second = (v[0, 30:158, 30:158] for v in (west, east))
    wanted = np.where(first > 0, first, second)
    np.testing.assert_array_equal(tile.present["sentinel2"][red], wanted > 0)
    np.testing.assert_array_equal(tile.arrays["sentinel2"][red][wanted > 0], wanted[wanted > 0])
    assert np.isnan(tile.arrays["sentinel2"][red][wanted == 0]).all()
    assert tile.band_present("sentinel2").sum() == 1
    sources = tile.extra["sources"]
    assert isinstance(sources, dict)
    assert [one["id"] for one in sources["sentinel2"]] == ["west", "east"]


def test_cloud_shadow_and_missing_pixels_are_masked_by_the_classification(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    classes = np.arange(100 * 100).reshape(1, 100, 100).astype(np.uint8) % 12
    scl = write(tmp_path / "scl.tif", classes, square, 20.0)
    one = optical(tmp_path / "b4.tif", square, mask=(Layer(str(scl)), (0, 1, 3, 8, 9, 10)))
    tile = build_tile(HERE, [one])
    below = classes[0].repeat(2, 0).repeat(2, 1)[30:158, 30:158]
    present = tile.present["sentinel2"][modality("sentinel2").band("B4")]
    np.testing.assert_array_equal(present, ~np.isin(below, (0, 1, 3, 8, 9, 10)))
    assert 0.4 < present.mean() < 0.6


@pytest.mark.parametrize("how", ["declared", "layer", "mask", "nan"])
def test_absence_is_told_however_a_file_says_it(
    tmp_path: Path, square: tuple[str, float, float], how: str
) -> None:
    holes = np.random.default_rng(2).uniform(size=(1, 200, 200)) < 0.3
    height = np.random.default_rng(3).uniform(100, 200, holes.shape).astype(np.float32)
    fill = np.nan if how == "nan" else -9999.0
    path = write(
        tmp_path / "dem.tif", np.where(holes & (how != "mask"), fill, height).astype(np.float32),
        square, 10.0, nodata=fill if how == "declared" else None,
    )  # fmt: skip
    if how == "mask":
        with rasterio.open(path, "r+") as file:
            file.write_mask(~holes[0])
    layer = Layer(str(path), nodata=-9999.0 if how == "layer" else None)
    relief = replace(scene("dem", "relief", within=None), layers={"elevation": layer})
    tile = build_tile(HERE, [optical(tmp_path / "b4.tif", square), relief])
    below = holes[0, 30:158, 30:158]
    np.testing.assert_array_equal(tile.present["relief"][0], ~below)
    np.testing.assert_array_equal(
        tile.arrays["relief"][0][~below], height[0, 30:158, 30:158][~below]
    )
    # Slope is there where all nine pixels are.
    around_ = np.stack(
        [holes[0, 30 + i : 158 + i, 30 + j : 158 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    )
    np.testing.assert_array_equal(tile.present["relief"][1], ~around_.any(axis=0))


def test_slope_is_that_of_a_tilted_plane() -> None:
    down, across = np.mgrid[0:12, 0:12] * 10.0
    slope, there = horn(0.3 * down + 0.4 * across, np.ones((12, 12), bool), 10.0)
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.5)))
    assert there.all()


def test_power_becomes_decibels_and_no_power_is_absent(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    power = np.random.default_rng(4).uniform(-0.01, 1.0, (2, 200, 200)).astype(np.float32)
    path = str(write(tmp_path / "s1.tif", power, square, 10.0))
    layers = {"asc_VV": Layer(path, 1, power=True), "asc_VH": Layer(path, 2)}
    radar = replace(scene("radar", "sentinel1"), layers=layers)
    tile = build_tile(HERE, [optical(tmp_path / "b4.tif", square), radar])
    below = power[:, 30:158, 30:158]
    there = tile.present["sentinel1"]
    np.testing.assert_array_equal(there[0], below[0] > 0)
    got = tile.arrays["sentinel1"][0][there[0]]
    np.testing.assert_allclose(got, 10 * np.log10(below[0][there[0]]), atol=1e-4)
    np.testing.assert_array_equal(tile.arrays["sentinel1"][1], below[1])
    assert not there[2:].any()


def test_a_photograph_off_the_lattice_is_averaged_into_counts(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    crs, west, north = square
    counts = np.random.default_rng(5).integers(0, 256, (3, 2145, 2145)).astype(np.uint8)
    path = str(write(tmp_path / "rgb.tif", counts, (crs, west + 295.2, north - 295.2), 0.6))
    names = ("red", "green", "blue")
    photo = replace(
        scene("photo", "rgb", within=1096),
        layers={name: Layer(path, n + 1) for n, name in enumerate(names)},
    )
    tile = build_tile(HERE, [optical(tmp_path / "b4.tif", square), photo])
    assert tile.arrays["rgb"].dtype == np.uint8
    assert tile.present["rgb"].all()
    # A pixel of 1 m from 4.8 m inside: 1 2/3 pixels of 0.6 m along each side.
    weights = np.zeros((60, 120))
    for n in range(60):
        low, high = (n + 4.8) / 0.6, (n + 5.8) / 0.6
        cells = np.arange(int(low), int(np.ceil(high)))
        weights[n, cells] = np.minimum(high, cells + 1) - np.maximum(low, cells)
    weights *= 0.6
    wanted = weights[:40] @ counts[1, :120, :120].astype(float) @ weights.T
    assert np.abs(tile.arrays["rgb"][1][:40, :60] - wanted).max() <= 0.501


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "cannot be read"),
        (lambda path: path.write_bytes(b"<html>login</html>"), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, square: tuple[str, float, float], change: object, says: str
) -> None:
    one = optical(tmp_path / "b4.tif", square)
    change(tmp_path / "b4.tif")
    with pytest.raises(FusionError, match=rf"(?s)b4\.tif.*{says}"):
        build_tile(HERE, [one])


def test_a_file_without_crs_and_pixels_too_coarse_and_unknown_classes_are_refused(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    one = optical(tmp_path / "b4.tif", square)
    coarse = write(tmp_path / "coarse.tif", np.ones((1, 80, 80), np.uint16), square, 25.0)
    with pytest.raises(FusionError, match="pixels of 25 m are too coarse for B4 of sentinel2"):
        build_tile(HERE, [replace(one, layers={"B4": Layer(str(coarse))})])
    # A band of 20 m may be of 25.
    assert build_tile(
        HERE, [replace(one, layers={"B4": one.layers["B4"], "B5": Layer(str(coarse))})]
    )
    nowhere = write(tmp_path / "n.tif", np.ones((1, 9, 9), np.uint8), (None, 0.0, 0.0), 10.0)  # type: ignore[arg-type]
    with pytest.raises(FusionError, match="says no CRS"):
        build_tile(HERE, [replace(one, layers={"B4": Layer(str(nowhere))})])
    odd = write(tmp_path / "map.tif", np.full((1, 200, 200), 77, np.uint8), square, 10.0)
    cover = scene("cover", "worldcover", within=None)
    with pytest.raises(FusionError, match=r"(?s)no classes of worldcover.*77"):
        build_tile(HERE, [one, replace(cover, layers={"class": Layer(str(odd))})])


def test_a_square_without_a_clear_pixel_makes_no_tile_and_others_go_on(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    one = optical(tmp_path / "b4.tif", square)
    cloud = write(tmp_path / "scl.tif", np.full((1, 100, 100), 9, np.uint8), square, 20.0)
    covered = replace(one, mask=(Layer(str(cloud)), (9,)))
    with pytest.raises(FusionError, match="no pixel of the Sentinel-2 scene is clear"):
        build_tile(HERE, [covered])
    elsewhere = Place("elsewhere", 20.0, 40.0, DAY)
    refused: list[Refused] = []
    tiles = list(build_tiles([elsewhere, HERE], [one], refused=refused))
    assert [tile.id for tile in tiles] == ["here"]
    assert [(r.place.id, "no Sentinel-2 scene" in r.reason) for r in refused] == [
        ("elsewhere", True)
    ]
    with pytest.raises(FusionError, match="place elsewhere"):
        list(build_tiles([elsewhere, HERE], [one]))


def test_vectors_and_terms_and_places_go_into_the_tile(
    tmp_path: Path, square: tuple[str, float, float]
) -> None:
    one = optical(tmp_path / "b4.tif", square)
    place = replace(HERE, sample_id="s1", extra={"site": "a"})
    soil = Vector(("clay", "ph"), [12.5, np.nan], ("CC-BY-4.0",), "synthetic")
    tile = build_tile(place, [one], {"soil": soil})
    assert tile.vector_names == {"soil": ("clay", "ph")}
    assert tile.present["soil"].tolist() == [True, False]
    assert (tile.origin, tile.licences) == ("mixed", ("CC-BY-4.0", "l"))
    assert (tile.extra["site"], tile.extra["sample_id"]) == ("a", "s1")
    assert tile.date == DAY


def test_files_stay_open_from_tile_to_tile_and_are_closed_at_the_end(
    tmp_path: Path, square: tuple[str, float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = optical(tmp_path / "b4.tif", square)
    opened: list[str] = []
    plain = rasterio.io.DatasetReader

    def counted(href: str, *args: object, **more: object) -> object:
        opened.append(href)
        return plain(href, *args, **more)

    monkeypatch.setattr(rasterio.io, "DatasetReader", counted)
    shifted = [replace(HERE, id=str(n), longitude=HERE.longitude + n / 1e4) for n in range(4)]
    tiles = list(build_tiles(shifted, [one]))
    assert len(opened) == 1
    alone = [build_tile(place, [one]) for place in shifted]
    assert len(opened) == 5
    for tile, other in zip(tiles, alone, strict=True):
        np.testing.assert_array_equal(tile.arrays["sentinel2"], other.arrays["sentinel2"])
    monkeypatch.setattr(read, "KEPT_OPEN", 1)
    copy = str(write(tmp_path / "c.tif", np.ones((1, 9, 9), np.uint8), square, 10.0))
    with Files() as files:
        first, _ = files.open(copy)
        second, _ = files.open(one.layers["B4"].href)
        assert first.closed
        assert not second.closed
    assert second.closed


# The twin's scenes, of which the truth is known.


@pytest.fixture(scope="module")
def world() -> World:
    return World(Europe(0), "tiny")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pl.DataFrame]:
    """The catalogue of the tiny twin, of four places, and its truth."""
    root = tmp_path_factory.mktemp("twin")
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin_size="tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(twin.COUNTS, "tiny", 4)
        catalogue = twin.make(settings, seed=0)
    return catalogue, pl.read_parquet(settings.truth_root / "scenes/places.parquet")


@pytest.fixture(scope="module")
def tiles(made: tuple[Path, pl.DataFrame]) -> dict[str, Tile]:
    catalogue, truth = made
    places = [
        Place(row["place"], row["longitude"], row["latitude"], row["date"])
        for row in truth.to_dicts()
    ]
    return {tile.id: tile for tile in build_tiles(places, find(str(catalogue), "synthetic"))}


def below(values: np.ndarray, here: Landscape, tile: Tile) -> np.ndarray:
    """Pixels of a landscape that a tile on its lattice holds."""
    row, col = round((here.north - tile.north) / 10), round((tile.west - here.west) / 10)
    assert (here.crs, here.north - tile.north, tile.west - here.west) == (
        tile.crs,
        10.0 * row,
        10.0 * col,
    )
    return values[..., row : row + 128, col : col + 128]


def test_tiles_are_made_of_the_scenes_that_the_truth_names(
    tiles: dict[str, Tile], made: tuple[Path, pl.DataFrame]
) -> None:
    assert len(tiles) == 4
    for row in made[1].to_dicts():
        tile = tiles[row["place"]]
        sources = tile.extra["sources"]
        assert isinstance(sources, dict)
        used = {one["id"] for listed in sources.values() for one in listed}
        late = {f"S1_{name}" for name in row["late"]}
        wanted = {
            row[key]
            for key in ("sentinel2", "ascending", "descending", "dynamic_world", "canopy_height",
                        "photograph")
            if row[key] is not None and not any(row[key].startswith(name) for name in late)
        }  # fmt: skip
        assert used == wanted | {f"DEM_{row['place']}", f"WC_{row['place']}"}
        assert tile.date == row["date"]
        assert tile.origin == "synthetic"
        for name, first in (("asc", 0), ("desc", 4)):
            there = tile.band_present("sentinel1")[first : first + 4].tolist()
            gone = name in [*row["missing"], *row["late"]]
            assert there == [not gone, not gone, False, False]
        assert ("canopy_height" in tile.arrays) == ("canopy" not in row["missing"])
        assert ("dynamic_world" in tile.arrays) == ("dynamic_world" not in row["missing"])


def test_reflectance_is_the_truth_whatever_the_baseline(
    tiles: dict[str, Tile], made: tuple[Path, pl.DataFrame], world: World
) -> None:
    baselines = set()
    spec = modality("sentinel2")
    for row in made[1].to_dicts():
        tile = tiles[row["place"]]
        baselines.add(row["baseline"])
        here = landscape(world.europe, row["place"], row["longitude"], row["latitude"])
        true = below(here.reflectance(row["date"].timetuple().tm_yday), here, tile)
        cloud, shadow = twin.clouds(here, row["date"], row["cloud_percent"] / 100)
        for name in ("B2", "B3", "B4", "B8"):
            band = spec.band(name)
            there = tile.present["sentinel2"][band]
            sure = there & ~below(cloud | shadow, here, tile)
            assert sure.mean() > 0.4
            away = np.abs(tile.arrays["sentinel2"][band] - true[band])[sure]
            # Numbers are whole, and water has one at least.
            assert away.max() < 1.01e-4
        # Bands of 20 m are smoothed, and not shifted.
        band = spec.band("B11")
        away = (tile.arrays["sentinel2"][band] - true[band])[sure & tile.present["sentinel2"][band]]
        assert abs(away.mean()) < 0.002
    # With an offset and without.
    assert {float(baseline) >= 4.0 for baseline in baselines} == {True, False}


def test_clouds_are_absent_and_little_else_is(
    tiles: dict[str, Tile], made: tuple[Path, pl.DataFrame], world: World
) -> None:
    seen = 0
    for row in made[1].to_dicts():
        if not row["cloud_percent"]:
            continue
        tile = tiles[row["place"]]
        here = landscape(world.europe, row["place"], row["longitude"], row["latitude"])
        hidden = below(np.logical_or(*twin.clouds(here, row["date"], row["cloud_percent"] / 100)),
                       here, tile)  # fmt: skip
        absent = ~tile.present["sentinel2"][modality("sentinel2").band("B4")]
        # The classification has pixels of 20 m: borders differ.
        assert (absent == hidden).mean() > 0.97
        seen += int(hidden.sum())
    assert seen > 500


def test_land_cover_and_elevation_are_near_the_truth(
    tiles: dict[str, Tile], made: tuple[Path, pl.DataFrame], world: World
) -> None:
    for row in made[1].to_dicts():
        tile = tiles[row["place"]]
        here = landscape(world.europe, row["place"], row["longitude"], row["latitude"])
        true = below(here.cover, here, tile)
        got, there = tile.arrays["worldcover"][0], tile.present["worldcover"][0]
        assert there.all()
        right = [(got == np.roll(true, at, (0, 1))).mean() for at in
                 [(0, 0), (0, 3), (0, -3), (3, 0), (-3, 0)]]  # fmt: skip
        assert right[0] > 0.75
        # Not shifted: moved by three pixels either way it fits less.
        assert right[0] == max(right)
        away = tile.arrays["relief"][0] - below(here.elevation, here, tile)
        # Pixels of 30 m smooth it.
        assert np.abs(away).mean() < 3.0
        assert abs(away.mean()) < 0.3


def test_tiles_through_http_are_those_of_files(
    made: tuple[Path, pl.DataFrame], tiles: dict[str, Tile]
) -> None:
    catalogue, truth = made
    row = truth.row(2, named=True)
    place = Place(row["place"], row["longitude"], row["latitude"], row["date"])
    with serving_folder(catalogue.parent) as site:
        remote = build_tile(place, find(f"{site.address}/catalog.json", "synthetic"))
    assert len([path for path, _ in site.asked if path.endswith(".tif")]) >= 15
    for name, array in tiles[place.id].arrays.items():
        np.testing.assert_array_equal(remote.arrays[name], array)
        np.testing.assert_array_equal(remote.present[name], tiles[place.id].present[name])
