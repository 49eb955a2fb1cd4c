"""Tiles of real chips, found in an API, read through HTTP, and compared pixel by pixel."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.warp import Resampling, reproject, transform_bounds
from stac_server import Api, item, serving_stac

from adapters.errors import FusionError
from adapters.modalities import modality
from adapters.scenes.find import fetch, find, find_around
from adapters.scenes.scene import Layer, Scene
from fusion.tiles.build import build_tile
from fusion.tiles.choose import around
from fusion.tiles.grid import Geometry, Roi, roi
from fusion.tiles.grid import place as placed
from fusion.tiles.places import Place
from fusion.tiles.read import Files, Reader
from fusion.tiles.resample import Window, resample
from fusion.tiles.tile import Tile

CHIPS = ("282D_485L_3_3", "38D_378R_2_3", "433D_629L_3_1", "609U_541L_3_0")
ON_GRID = CHIPS[:3]
"""Chips in the zone of their place; the fourth was cut in the zone west of it."""
BELGIUM = "worldcereal_belgium/worldcereal_preprocessed_inputs.nc"
MONTH, MISSING = "2021-06-01", "2020-12-01"
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
NDVI_ROUNDING = 2.0**-12
"""Of the NDVI chips: half the distance of numbers of 16 bits between 0.5 and 1, which is 2.4e-4."""

# As a user describes a layout of his own.
S2 = {f"B{n}": f"[S2L2A#{n}]" for n in range(1, 9)} | {
    "B8A": "[S2L2A#9]", "B9": "[S2L2A#10]", "B11": "[S2L2A#11]", "B12": "[S2L2A#12]",
}  # fmt: skip
TABLE = f"""
- id: chips_optical
  modality: sentinel2
  collections: [chips-s2]
  values: sentinel2_l2a
  nodata: 0
  days: 15
  clouds: true
  layers: {{{", ".join(f"{band}: {key}" for band, key in S2.items())}}}
  licence: Copernicus-Sentinel
  attribution: Contains modified Copernicus Sentinel data
- id: monthly_optical
  modality: sentinel2
  collections: [monthly-s2]
  values: sentinel2_l2a
  nodata: 65535
  days: 15
  clouds: true
  layers: {{{", ".join(f"B{int(b[1:])}: [{b}]" for b in BANDS)}}}
  licence: Copernicus-Sentinel
  attribution: Contains modified Copernicus Sentinel data
- id: radar
  modality: sentinel1
  collections: [radar]
  values: power
  nodata: -32768
  days: 15
  pass: {{property: "sat:orbit_state", ascending: asc, descending: desc}}
  layers: {{"{{pass}}_VV": [vv, S1RTC#1], "{{pass}}_VH": [vh, S1RTC#2]}}
  licence: Copernicus-Sentinel
  attribution: Contains modified Copernicus Sentinel data
- id: relief
  modality: relief
  collections: [dem]
  values: unit
  nodata: 65535
  layers: {{elevation: [DEM]}}
  licence: Copernicus-DEM-GLO-30
  attribution: produced using Copernicus WorldDEM-30
- id: pictures
  modality: rgb
  collections: [rgb]
  values: unit
  days: 15
  layers: {{red: ["S2RGB#1"], green: ["S2RGB#2"], blue: ["S2RGB#3"]}}
  licence: Copernicus-Sentinel
  attribution: Contains modified Copernicus Sentinel data
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "products.yaml"
    path.write_text(TABLE)
    return path


@pytest.fixture(scope="module")
def api(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The chips behind an API; each of its items says as much as the chip's own file does."""
    with serving_stac() as running:
        for name in CHIPS:
            offer_chip(running, reference / "terramesh_chips", name)
        offer_belgium(running, reference / BELGIUM, tmp_path_factory.mktemp("belgium"))
        lux = reference / "luxembourg/sent2_L2A_2024-08-24.tif"
        running.files["lux.tif"] = lux
        running.items.append(
            item(
                "lux", "chips-s2", box(lux), "2024-08-24T10:30:00Z",
                {"S2L2A": {"href": running.address + "/files/lux.tif"}},
                **{"eo:cloud_cover": 0.0, "s2:processing_baseline": "02.00"},
            )
        )  # fmt: skip
        yield running


def box(path: Path) -> tuple[float, float, float, float]:
    with rasterio.open(path) as file:
        return transform_bounds(file.crs, "EPSG:4326", *file.bounds)


def offer_chip(api: Api, folder: Path, name: str) -> None:
    def asset(kind: str, **about: object) -> dict[str, dict]:
        api.files[f"{name}/{kind}.tif"] = folder / kind / f"{name}.tif"
        return {kind: {"href": f"{api.address}/files/{name}/{kind}.tif", **about}}

    bounds = box(folder / "S2RGB" / f"{name}.tif")
    day, radar = taken(folder / "S2RGB" / f"{name}.tif"), taken(folder / "S1RTC" / f"{name}.tif")
    # Numbers of these chips have no offset, whatever the year: NDVI says so.
    said = {"s2:processing_baseline": "05.00", "earthsearch:boa_offset_applied": True}
    api.items += [
        item(f"s2-{name}", "chips-s2", bounds, day, asset("S2L2A"),
             **said, **{"eo:cloud_cover": 1.0}),
        item(f"cloudy-{name}", "chips-s2", bounds, day, asset("S2L2A"),
             **said, **{"eo:cloud_cover": 40.0}),
        item(f"s1-{name}", "radar", bounds, radar, asset("S1RTC", unit="dB"),
             **{"sat:orbit_state": "descending"}),
        item(f"dem-{name}", "dem", bounds, "2021-04-22T00:00:00Z", asset("DEM")),
        item(f"rgb-{name}", "rgb", bounds, day, asset("S2RGB")),
    ]  # fmt: skip


def taken(path: Path) -> str:
    with rasterio.open(path) as file:
        return file.tags()["datetime"][:19] + "Z"


def offer_belgium(api: Api, path: Path, folder: Path) -> None:
    """Two months as scenes: one file a band, as its publisher cuts them; one month is missing."""
    with xr.open_dataset(path) as cube:
        west, north = float(cube.x[0]) - 5, float(cube.y[0]) + 5
        crs = cube["crs"].attrs["crs_wkt"]

        def write(name: str, values: np.ndarray, nodata: float | None = None) -> dict:
            target = folder / f"{name}.tif"
            with rasterio.open(
                target, "w", driver="GTiff", count=1, height=100, width=100, dtype=values.dtype,
                crs=crs, transform=rasterio.Affine(10, 0, west, 0, -10, north), nodata=nodata,
            ) as file:  # fmt: skip
                file.write(values, 1)
            api.files[f"belgium/{name}.tif"] = target
            return {"href": f"{api.address}/files/belgium/{name}.tif"}

        said = {"s2:processing_baseline": "02.00", "eo:cloud_cover": 2.0}
        for month in (MONTH, MISSING):
            here = cube.sel(t=month)
            # 65535 stands for absence, and no file says so.
            assets = {b: write(f"{month}-{b}", here[f"S2-L2A-{b}"].values) for b in BANDS}
            bounds = box(folder / f"{month}-B02.tif")
            moment = f"{month}T10:30:00Z"
            api.items.append(item(f"month-{month}", "monthly-s2", bounds, moment, assets, **said))
            power = {
                key.lower(): 10.0 ** (decibels(here[f"S1-SIGMA0-{key}"].values) / 10)
                for key in ("VV", "VH")
            }
            assets = {key: write(f"{month}-{key}", v) for key, v in power.items()}
            orbit = {"sat:orbit_state": "ascending"}
            api.items.append(item(f"radar-{month}", "radar", bounds, moment, assets, **orbit))
        height = cube["elevation"].sel(t=MONTH).values
        dem = {"DEM": write("dem", height, 65535)}
        api.items.append(item("dem-belgium", "dem", bounds, "2021-04-22T00:00:00Z", dem))


def decibels(numbers: np.ndarray) -> np.ndarray:
    return 20.0 * np.log10(numbers.astype(np.float64)) - 83.0


def place(name: str, reference: Path, days: int = 10) -> Place:
    """The middle of a chip, some days after it was taken."""
    path = reference / "terramesh_chips/S2RGB" / f"{name}.tif"
    west, south, east, north = box(path)
    day = datetime.date.fromisoformat(taken(path)[:10]) + datetime.timedelta(days=days)
    return Place(name, (west + east) / 2, (south + north) / 2, day)


def scenes(api: Api, table: Path, at: Place, *collections: str) -> list[Scene]:
    only = collections or ("chips-s2", "radar", "dem")
    return find_around(api.address, "open", [(around(at), at.date)], only=only, table=table)


@pytest.fixture(scope="module")
def tiles(api: Api, table: Path, reference: Path) -> dict[str, Tile]:
    at = {name: place(name, reference) for name in CHIPS}
    return {name: build_tile(one, scenes(api, table, one)) for name, one in at.items()}


def chip(reference: Path, kind: str, tile: Tile) -> np.ndarray:
    """Pixels of a chip below a tile, which must lie on them."""
    with rasterio.open(reference / "terramesh_chips" / kind / f"{tile.id}.tif") as file:
        assert file.crs.to_string() == tile.crs
        col, row = ~file.transform @ (tile.west, tile.north)
        assert abs(col - round(col)) < 1e-6
        assert abs(row - round(row)) < 1e-6
        numbers = file.read()
    numbers = numbers[:, round(row) : round(row) + 128, round(col) : round(col) + 128]
    assert numbers.shape[1:] == (128, 128)
    return numbers


@pytest.mark.parametrize("name", ON_GRID)
def test_the_pixels_of_a_chip_are_taken_as_they_are(
    name: str, tiles: dict[str, Tile], reference: Path
) -> None:
    tile = tiles[name]
    numbers = chip(reference, "S2L2A", tile)
    np.testing.assert_array_equal(np.rint(tile.arrays["sentinel2"] * 10_000), numbers)
    np.testing.assert_allclose(tile.arrays["sentinel2"], numbers / 10_000, atol=1e-6)
    np.testing.assert_allclose(
        tile.arrays["sentinel1"][4:6], chip(reference, "S1RTC", tile), atol=1e-5
    )
    np.testing.assert_array_equal(tile.arrays["relief"][0], chip(reference, "DEM", tile)[0])
    assert tile.present["sentinel2"].all()
    # The descending pass is there, and neither the other one nor the other polarisations.
    assert tile.band_present("sentinel1").tolist() == 4 * [False] + [True, True, False, False]
    assert set(tile.arrays) == {"sentinel2", "sentinel1", "relief"}
    # The middle of the chip lies in the pixel south-east of the middle of the tile.
    x, y = rasterio.warp.transform("EPSG:4326", tile.crs, [tile.longitude], [tile.latitude])
    assert 0 <= x[0] - tile.west - 640 < 10
    assert 0 <= tile.north - 640 - y[0] < 10


@pytest.mark.parametrize("name", ON_GRID)
def test_ndvi_is_that_of_the_chip(name: str, tiles: dict[str, Tile], reference: Path) -> None:
    bands = tiles[name].arrays["sentinel2"].astype(np.float64)
    red, near = bands[modality("sentinel2").band("B4")], bands[modality("sentinel2").band("B8")]
    ndvi = (near - red) / (near + red)
    said = chip(reference, "NDVI", tiles[name])[0]
    # The chip holds 16 bits: that rounding is all there is between the two.
    assert np.abs(ndvi - said).max() < 1.001 * NDVI_ROUNDING
    assert (ndvi.astype(np.float16) == said).mean() > 0.999


def test_an_offset_that_is_taken_off_twice_shows_in_ndvi(
    api: Api, table: Path, reference: Path
) -> None:
    at = place("38D_378R_2_3", reference)
    found = scenes(api, table, at)
    twice = [
        replace(s, layers={k: replace(v, offset=-0.1) for k, v in s.layers.items()})
        if s.modality == "sentinel2"
        else s
        for s in found
    ]
    good, wrong = (build_tile(at, some).arrays["sentinel2"] for some in (found, twice))
    np.testing.assert_allclose(good - wrong, 0.1, atol=1e-6)
    red, near = wrong[3].astype(float), wrong[7].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ndvi = (near - red) / (near + red)
    assert np.nanmedian(np.abs(ndvi - chip(reference, "NDVI", build_tile(at, found))[0])) > 0.05


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        ({"s2:processing_baseline": "03.01", "earthsearch:boa_offset_applied": None}, 0.0),
        ({"s2:processing_baseline": "05.00", "earthsearch:boa_offset_applied": None}, -0.1),
    ],
)
def test_the_baseline_of_the_item_says_the_offset(
    table: Path, reference: Path, said: dict, offset: float
) -> None:
    with serving_stac() as api:
        offer_chip(api, reference / "terramesh_chips", CHIPS[0])
        for one in api.items:
            one["properties"] |= said
        at = place(CHIPS[0], reference)
        tile = build_tile(at, scenes(api, table, at))
    numbers = chip(reference, "S2L2A", tile)
    np.testing.assert_allclose(tile.arrays["sentinel2"], numbers / 10_000 + offset, atol=1e-6)


def test_a_tile_of_fetched_files_is_that_of_remote_ones(
    api: Api, table: Path, reference: Path, tiles: dict[str, Tile], tmp_path: Path
) -> None:
    at = place(CHIPS[2], reference)
    local = build_tile(at, fetch(scenes(api, table, at), tmp_path))
    for name, array in tiles[at.id].arrays.items():
        np.testing.assert_array_equal(local.arrays[name], array)
        np.testing.assert_array_equal(local.present[name], tiles[at.id].present[name])
    assert local.extra == tiles[at.id].extra


def test_what_is_cloudy_or_too_far_off_is_not_taken(
    api: Api, table: Path, reference: Path, tiles: dict[str, Tile]
) -> None:
    for name, tile in tiles.items():
        sources = tile.extra["sources"]
        assert isinstance(sources, dict)
        assert [one["id"] for one in sources["sentinel2"]] == [f"s2-{name}"]
        assert [one["id"] for one in sources["sentinel1"]] == [f"s1-{name}"]
    for days, found in ((15, True), (-15, True), (16, False), (-16, False)):
        at = place(CHIPS[0], reference, days)
        assert any(s.modality == "sentinel2" for s in scenes(api, table, at)) == found
    late = place(CHIPS[0], reference, 16)
    with pytest.raises(FusionError, match="no Sentinel-2 scene under 10 % cloud"):
        build_tile(late, find(api.address, "open", only=["chips-s2"], table=table))
    clouded = [s for s in scenes(api, table, place(CHIPS[0], reference)) if "s2-" not in s.id]
    with pytest.raises(FusionError, match=r"(?s)no Sentinel-2 scene under 10 % cloud.*40\.0 %"):
        build_tile(place(CHIPS[0], reference), clouded)


def test_slope_is_that_of_the_elevation(tiles: dict[str, Tile], reference: Path) -> None:
    for tile in map(tiles.get, ON_GRID):
        assert tile is not None
        with rasterio.open(reference / "terramesh_chips/DEM" / f"{tile.id}.tif") as file:
            col, row = (round(v) for v in ~file.transform @ (tile.west, tile.north))
            z = file.read(1).astype(float)[row - 1 : row + 129, col - 1 : col + 129]
        east = (z[:, 2:] - z[:, :-2])[:-2] + 2 * (z[:, 2:] - z[:, :-2])[1:-1]
        east += (z[:, 2:] - z[:, :-2])[2:]
        south = (z[2:] - z[:-2])[:, :-2] + 2 * (z[2:] - z[:-2])[:, 1:-1] + (z[2:] - z[:-2])[:, 2:]
        slope = np.degrees(np.arctan(np.hypot(east / 80, south / 80)))
        np.testing.assert_allclose(tile.arrays["relief"][1], slope, atol=1e-4)
        assert tile.present["relief"].all()


def test_a_picture_of_10_m_is_no_aerial_photograph(api: Api, table: Path, reference: Path) -> None:
    at = place(CHIPS[0], reference)
    with pytest.raises(FusionError, match="pixels of 10 m are too coarse for red of rgb"):
        build_tile(at, scenes(api, table, at, "chips-s2", "rgb"))


# A cube that is smaller than a tile.


def belgium(api: Api, month: str) -> Place:
    """The middle of the cube."""
    west, south, east, north = next(i["bbox"] for i in api.items if i["id"] == "dem-belgium")
    day = datetime.date.fromisoformat(month)
    return Place("belgium", (west + east) / 2, (south + north) / 2, day)


@pytest.fixture(scope="module")
def partial(api: Api, table: Path) -> Tile:
    at = belgium(api, MONTH)
    only = ("monthly-s2", "radar", "dem")
    return build_tile(at, scenes(api, table, at, *only))


def test_what_lies_beyond_a_cube_is_absent_and_the_rest_is_the_cube(
    partial: Tile, reference: Path
) -> None:
    with xr.open_dataset(reference / BELGIUM) as cube:
        here = cube.sel(t=MONTH)
        row = round((partial.north - float(cube.y[0]) - 5) / 10)
        col = round((float(cube.x[0]) - 5 - partial.west) / 10)
        inside = np.zeros((128, 128), bool)
        inside[row : row + 100, col : col + 100] = True
        assert inside.sum() == 10_000
        spec = modality("sentinel2")
        assert partial.band_present("sentinel2").sum() == len(BANDS)
        for band in BANDS:
            n = spec.band(f"B{int(band[1:])}")
            numbers = here[f"S2-L2A-{band}"].values
            wanted = inside.copy()
            wanted[inside] = (numbers != 65535).ravel()
            np.testing.assert_array_equal(partial.present["sentinel2"][n], wanted)
            got = partial.arrays["sentinel2"][n][inside].reshape(100, 100)
            np.testing.assert_allclose(got, numbers / 10_000, atol=1e-6)
        for n, key in enumerate(("VV", "VH")):
            np.testing.assert_array_equal(partial.present["sentinel1"][n], inside)
            got = partial.arrays["sentinel1"][n][inside].reshape(100, 100)
            np.testing.assert_allclose(got, decibels(here[f"S1-SIGMA0-{key}"].values), atol=1e-4)
        height = partial.arrays["relief"][0][inside].reshape(100, 100)
        np.testing.assert_array_equal(height, here["elevation"].values)
    # Slope needs all neighbours: a pixel less on each side.
    assert partial.present["relief"][1].sum() == 98 * 98
    assert not (partial.present["relief"][1] & ~inside).any()
    assert partial.availability()["relief"] == (10_000 + 98 * 98) / (2 * 128 * 128)


def test_a_month_without_any_pixel_makes_no_tile(api: Api, table: Path) -> None:
    at = belgium(api, MISSING)
    with pytest.raises(FusionError, match=r"no pixel of the Sentinel-2 scene is clear"):
        build_tile(at, scenes(api, table, at, "monthly-s2"))


# Pixels of 30 seconds of arc.


def test_pixels_of_900_m_are_refused_for_10_m(api: Api, table: Path, reference: Path) -> None:
    at = Place("lux", 6.13, 49.61, datetime.date(2024, 8, 24))
    with pytest.raises(FusionError, match=r"pixels of 7\d\d m are too coarse for B1 of sentinel2"):
        build_tile(at, scenes(api, table, at, "chips-s2"))
    moment = datetime.datetime(2024, 8, 24, tzinfo=datetime.UTC)
    height = Scene(
        "lux", "dem", "relief", moment, box(reference / "luxembourg/elev.tif"),
        {"elevation": Layer(str(reference / "luxembourg/elev.tif"))}, "open", "GPL",
    )  # fmt: skip
    with Files() as files, pytest.raises(FusionError, match="too coarse for elevation of relief"):
        Reader(Roi("EPSG:32632", 292_000.0, 5_500_000.0), files).picture(
            modality("relief"), [height]
        )


def compared_to_gdal(ours: np.ndarray, present: np.ndarray, how: str, theirs: np.ndarray) -> None:
    both = present & np.isfinite(theirs)
    assert both.sum() > 8_000
    # They agree which pixels there are, but for those whose centre meets an edge.
    assert (present != np.isfinite(theirs)).mean() < 0.01
    if how == "nearest":
        assert (ours[both] == theirs[both]).mean() > 0.999
    else:
        # Not at the edge, where GDAL and we go on differently.
        within = both.copy()
        within[1:-1, 1:-1] &= both[:-2, 1:-1] & both[2:, 1:-1] & both[1:-1, :-2] & both[1:-1, 2:]
        away = np.abs(ours - theirs)[within]
        assert away.max() < 3e-4 * np.ptp(theirs[within])


def by_gdal(file: rasterio.DatasetReader, band: int, square: Roi, how: str) -> np.ndarray:
    """GDAL's warp; for turned pixels its kernel is wider than bilinear, unless told not to."""
    theirs = np.full((128, 128), np.nan)
    reproject(
        file.read(band).astype(np.float64), theirs, src_transform=file.transform,
        src_crs=file.crs, dst_nodata=np.nan, dst_crs=square.crs, resampling=Resampling[how],
        dst_transform=rasterio.Affine(10, 0, square.west, 0, -10, square.north), XSCALE=1, YSCALE=1,
    )  # fmt: skip
    return theirs


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
@pytest.mark.parametrize(
    ("path", "crs"),
    [
        ("luxembourg/elev.tif", "EPSG:32632"),
        ("luxembourg/elev.tif", "EPSG:32631"),
        ("terramesh_chips/DEM/282D_485L_3_3.tif", "EPSG:32723"),
        ("terramesh_chips/DEM/433D_629L_3_1.tif", "EPSG:32719"),
    ],
)
def test_reprojection_is_that_of_gdal(path: str, crs: str, how: str, reference: Path) -> None:
    with rasterio.open(reference / path) as file:
        west, south, east, north = box(reference / path)
        at = Place("middle", (west + east) / 2, (south + north) / 2, datetime.date(2024, 8, 24))
        square = roi(at.longitude, at.latitude, crs)
        geometry = Geometry(
            file.crs.to_string(), tuple(file.transform)[:6], file.height, file.width
        )
        window = Window(file.read().astype(np.float64), None, 0, 0)
        ours, present = resample(window, placed(square, 10.0, geometry), how)
        compared_to_gdal(ours[0], present[0], how, by_gdal(file, 1, square, how))


def test_a_chip_of_the_neighbouring_zone_is_reprojected(
    tiles: dict[str, Tile], reference: Path
) -> None:
    tile = tiles[CHIPS[3]]
    square = Roi(tile.crs, tile.west, tile.north)
    assert tile.crs == "EPSG:32617"
    with rasterio.open(reference / "terramesh_chips/S2L2A" / f"{tile.id}.tif") as file:
        assert file.crs.to_string() == "EPSG:32616"
        for number in range(12):
            theirs = by_gdal(file, number + 1, square, "bilinear") / 10_000
            ours, there = (held["sentinel2"][number] for held in (tile.arrays, tile.present))
            compared_to_gdal(ours, there, "bilinear", theirs)
