"""What satellites and map makers publish of the synthetic Europe: COGs and a static catalogue.

Belongs here: which scenes there are of which place, what each gets wrong or leaves out, their
files, their STAC items, and the truth they were made from.
Never here: what stands where (`landscape.py`), or how scenes are read (`adapters/scenes/`).

Layouts are those of published collections: one file a band, Sentinel-2 as digital numbers with the
offset of its processing baseline and a scene classification, maps and relief in degrees.
"""

import datetime
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.modalities import ROI_M, modality
from adapters.scenes.catalogues import ORIGIN_FILE
from adapters.settings import Settings
from adapters.twin import landscape as land
from adapters.twin.europe import Array, Europe, degrees
from adapters.twin.landscape import Landscape, landscape
from adapters.twin.points import point_ids
from adapters.twin.world import World

CATALOGUE = "twin"
"""Folder of the catalogue below `Settings.scenes`, and of its truth below the truth root."""
COUNTS = {"tiny": 6, "demo": 32, "full": 400}
"""Places of a size."""
PHOTOGRAPHED = {"tiny": 1, "demo": 3, "full": 20}
"""Places that have an aerial photograph."""
OFFSET_SINCE = datetime.date(2022, 1, 25)
"""Processing baseline 04.00: digital numbers carry an offset of 1,000 from here on."""
_WRONG_PARCELS = 0.05
_DYNAMIC = {10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 80: 0, 90: 3, 100: 7}
_SWAPPED = {land.CROPS: land.GRASS, land.GRASS: land.CROPS, land.SHRUBS: land.GRASS}
_NATIVE = {band.name: round(band.native_gsd / 10) for band in modality("sentinel2").bands}
# Reflectance of cloud in the order of the bands.
_CLOUD = np.array([.55, .55, .54, .53, .54, .55, .56, .56, .56, .45, .40, .32])  # fmt: skip
_CLEAR_SCL, _SHADOW_SCL, _CLOUD_SCL, _NODATA_SCL, _WATER_SCL = 4, 3, 9, 0, 6
# Seconds of arc between columns of GLO-30 by latitude: Copernicus DEM Product Handbook, 2022.
_DEM_COLUMNS = ((50.0, 1.0), (60.0, 1.5), (70.0, 2.0), (75.0, 3.0))


@dataclass(frozen=True)
class Place:
    """One place, the scenes of it, and what is missing there.

    Attributes:
        id: LUCAS point id.
        longitude: EPSG:4326.
        latitude: EPSG:4326.
        date: Of the clear Sentinel-2 scene.
        cloud: Share of clouds in the clear scene.
        baseline: Its processing baseline.
        missing: Of `asc`, `desc`, `canopy`, `dynamic_world`, `clear` (then all scenes are cloudy).
        late: Passes that are there, but 25 days off.
        swath: Does the edge of the swath cut the scene?
        neighbour: Is the scene in the neighbouring UTM zone?
        photograph: Is there an aerial photograph?
    """

    id: str
    longitude: float
    latitude: float
    date: datetime.date
    cloud: float
    baseline: str
    missing: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    swath: bool = False
    neighbour: bool = False
    photograph: bool = False


@dataclass
class _Item:
    """One item to be: what its catalogue says and its files."""

    collection: str
    id: str
    bbox: tuple[float, float, float, float]
    moment: datetime.datetime
    properties: dict[str, object] = field(default_factory=dict)
    assets: dict[str, dict[str, object]] = field(default_factory=dict)


def places(world: World, count: int | None = None) -> list[Place]:
    """Places of the twin's scenes: LUCAS points of 2018, as many of each land cover as there are.

    Every eighth lacks, or bends, something of its own, so that tiles meet all of it.

    Args:
        world: The synthetic Europe.
        count: How many, the first the same for any number; by default those of its size.
    """
    count = COUNTS[world.size] if count is None else count
    surveys = world.surveys
    visited = surveys.visited(2018)
    east, north, _ = surveys.nodes
    x, y = east[visited] * 1000.0, north[visited] * 1000.0
    cover = world.europe.place(x, y)["cover"]
    draw = world.stream("places of scenes")
    queues = [draw.permutation(np.flatnonzero(cover == kind)).tolist() for kind in range(5)]
    order: list[int] = []
    while len(order) < count and any(queues):
        order += [queue.pop() for queue in queues if queue]
    chosen = visited[order[:count]]
    longitude, latitude = degrees(east[chosen] * 1000.0, north[chosen] * 1000.0)
    ids = point_ids(surveys, chosen)
    return [
        _place(world, number, ids[number], float(longitude[number]), float(latitude[number]))
        for number in range(len(chosen))
    ]


def _place(world: World, number: int, id_: str, longitude: float, latitude: float) -> Place:
    draw = world.stream(f"scenes {id_}")
    year, day = int(draw.integers(2017, 2023)), int(draw.integers(100, 290))
    date = datetime.date(year, 1, 1) + datetime.timedelta(days=day)
    # Collection 1 was made anew: old days, and the offset nevertheless.
    anew = number % 5 == 1
    baseline = "05.00" if anew else "04.00" if date >= OFFSET_SINCE else "02.12"
    case = number % 8
    missing = {1: ("desc",), 2: ("asc",), 4: ("dynamic_world",), 7: ("canopy",)}.get(case, ())
    if number % 16 == 12:
        missing = (*missing, "clear")
    return Place(
        id=id_,
        longitude=longitude,
        latitude=latitude,
        date=date,
        cloud=float(draw.uniform(0.0, 0.085)) if number % 3 else 0.0,
        baseline=baseline,
        missing=missing,
        late=("asc",) if case == 3 else (),
        swath=case == 6,
        neighbour=case == 5,
        photograph=number < PHOTOGRAPHED[world.size],
    )


def make(settings: Settings, size: str | None = None, seed: int | None = None) -> Path:
    """Write the twin's scenes, unless they are there already.

    The folder appears whole: files are made aside and renamed.

    Args:
        settings: Where scenes and truth are.
        size: By default as the settings say.
        seed: By default as the settings say.

    Returns:
        The catalogue, `<scenes>/twin/catalog.json`.
    """
    size, seed = size or settings.twin_size, settings.twin_seed if seed is None else seed
    recipe = _recipe(size, seed)
    folder, truth = settings.scenes / CATALOGUE, settings.truth_root / "scenes"
    if _written(settings) == recipe:
        return folder / "catalog.json"
    if folder.is_dir():
        shutil.rmtree(folder)
    settings.scenes.mkdir(parents=True, exist_ok=True)
    settings.truth_root.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".twin-", dir=settings.scenes))
    known = Path(tempfile.mkdtemp(prefix=".scenes-", dir=settings.truth_root))
    try:
        write(World(Europe(seed), size), aside, known)
        content = {"origin": "synthetic", "twin": recipe}
        (aside / ORIGIN_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        if truth.is_dir():
            shutil.rmtree(truth)
        known.rename(truth)
        aside.rename(folder)
    finally:
        for left in (aside, known):
            if left.is_dir():
                shutil.rmtree(left)
    return folder / "catalog.json"


def stale(settings: Settings) -> bool:
    """Would `make` write scenes by these settings?"""
    return _written(settings) != _recipe(settings.twin_size, settings.twin_seed)


def _recipe(size: str, seed: int) -> dict[str, object]:
    from adapters.twin.making import code_of_the_twin

    return {"size": size, "seed": seed, "code": code_of_the_twin()}


def _written(settings: Settings) -> dict[str, object] | None:
    """What the scenes that are there were made by; None where they or their truth are not there."""
    record = settings.scenes / CATALOGUE / ORIGIN_FILE
    if not record.is_file() or not (settings.truth_root / "scenes").is_dir():
        return None
    return json.loads(record.read_text(encoding="utf-8"))["twin"]


def write(world: World, folder: Path, truth: Path) -> None:
    """Write all scenes with their catalogue, and their truth.

    The truth: `places.parquet` (one row a place: which scenes a tile must be made of, what is
    missing, shares of land cover) and for each place `<id>_cover.tif` (classes of WorldCover) and
    `<id>_heights.tif` (elevation and canopy height in m) on 192 x 192 pixels of 10 m.

    Args:
        world: The synthetic Europe.
        folder: Of the catalogue.
        truth: Folder of the truth.
    """
    import polars as pl
    import rasterio

    items: list[_Item] = []
    rows: list[dict[str, object]] = []
    with rasterio.Env(GDAL_NUM_THREADS="1"):
        for place in places(world):
            here = landscape(world.europe, place.id, place.longitude, place.latitude)
            mine = list(_items(place, here, folder))
            items += mine
            rows.append(_truth(place, here, mine, truth))
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(truth / "places.parquet")
    _catalogue(folder, items)


def _truth(place: Place, here: Landscape, items: list[_Item], folder: Path) -> dict[str, object]:
    corner = (here.west, here.north)
    cog(folder / f"{place.id}_cover.tif", here.cover[None], here.crs, corner, (10.0, 10.0), 0)
    heights = np.stack([here.elevation, here.canopy]).astype(np.float32)
    cog(folder / f"{place.id}_heights.tif", heights, here.crs, corner, (10.0, 10.0), None)
    wanted = {item.id for item in items if item.properties.get("wanted")}
    named = {
        "sentinel2": "S2", "ascending": "S1_asc", "descending": "S1_desc", "dynamic_world": "DW",
        "canopy_height": "CH", "photograph": "RGB",
    }  # fmt: skip
    found = {
        name: next((i for i in sorted(wanted) if i.startswith(f"{begins}_")), None)
        for name, begins in named.items()
    }
    classes, counts = np.unique(here.cover, return_counts=True)
    shares = dict(zip(classes.tolist(), (counts / here.cover.size).tolist(), strict=True))
    cloudy = next(i for i in items if i.id == (found["sentinel2"] or i.id))
    return {
        "place": place.id,
        "longitude": place.longitude,
        "latitude": place.latitude,
        "date": place.date,
        **found,
        "cloud_percent": cloudy.properties.get("eo:cloud_cover"),
        "baseline": place.baseline,
        "missing": list(place.missing),
        "late": list(place.late),
        "swath": place.swath,
        "neighbour": place.neighbour,
        **{f"share_{code}": shares.get(code, 0.0) for code in modality("worldcover").codes},
    }


def _items(place: Place, here: Landscape, folder: Path) -> Iterator[_Item]:
    """All items of a place; those that a tile must be made of have the property `wanted`."""
    clear = "clear" not in place.missing
    day = datetime.timedelta(days=1)
    yield _sentinel2(place, here, folder, place.date, place.cloud if clear else 0.35, clear)
    # Another day, under clouds: never to be chosen.
    yield _sentinel2(place, here, folder, place.date - 5 * day, 0.18 + 4 * place.cloud, False)
    for name in ("asc", "desc"):
        if name not in place.missing:
            late = name in place.late
            when = place.date + (25 if late else 3 if name == "asc" else -6) * day
            yield _sentinel1(place, here, folder, when, name, clear and not late)
    yield _relief(place, here, folder)
    if "canopy" not in place.missing:
        yield _canopy(place, here, folder, clear)
    yield _worldcover(place, here, folder)
    if "dynamic_world" not in place.missing:
        yield _dynamic_world(place, here, folder, clear)
    if place.photograph:
        yield _photograph(place, here, folder, clear)


def clouds(here: Landscape, day: datetime.date, share: float) -> tuple[np.ndarray, np.ndarray]:
    """(192, 192) bool: where clouds stand on a day, and where their shadows fall."""
    none = np.zeros(here.cover.shape, bool)
    if share <= 0:
        return none, none
    thick = here.noise(f"clouds {day}", 2.8)
    cloud = thick > np.quantile(thick, 1.0 - share)
    shadow = np.roll(cloud, (-6, -9), axis=(0, 1)) & ~cloud
    return cloud, shadow


def _sentinel2(
    place: Place, here: Landscape, folder: Path, date: datetime.date, share: float, wanted: bool
) -> _Item:
    cloud, shadow = clouds(here, date, share)
    seen = here.reflectance(date.timetuple().tm_yday)
    seen = np.where(cloud, _CLOUD[:, None, None], np.where(shadow, 0.4 * seen, seen))
    seen_at, x, y = _lattice(place, here)
    classes = np.select(
        [cloud, shadow, here.cover == land.WATER],
        [_CLOUD_SCL, _SHADOW_SCL, _WATER_SCL],
        _CLEAR_SCL,
    )
    if seen_at != here.crs:
        seen = np.stack([here.nearest(band, x, y) for band in seen])
        classes = here.nearest(classes, x, y)
    # The middle of the scene is at its 96th pixel; the swath ends 400 m east of it.
    beyond = np.zeros(classes.shape, bool)
    if place.swath:
        rows, cols = np.mgrid[0 : land.SIZE, 0 : land.SIZE]
        beyond = cols > 96 + 40 + (rows - 96) // 6
    classes = np.where(beyond, _NODATA_SCL, classes)
    offset = 1000 if float(place.baseline) >= 4.0 else 0
    west, north = _corner(place, here)
    item = _Item(
        "sentinel-2-l2a",
        f"S2_{place.id}_{date:%Y%m%d}",
        _bbox(seen_at, west, north),
        _moment(date, 10, 30),
        {
            "eo:cloud_cover": round(100 * float((classes == _CLOUD_SCL).mean()), 2),
            "s2:processing_baseline": place.baseline,
            "platform": "sentinel-2a",
            "wanted": wanted,
        },
    )
    for name, band in zip(modality("sentinel2").names, seen, strict=True):
        step = _NATIVE[name]
        # Nothing is left of a coarse pixel that the edge of the swath cuts.
        numbers = np.rint(_mean(band, step) * 10_000).clip(1) + offset
        numbers = np.where(_mean(beyond.astype(float), step) > 0, 0, numbers).astype(np.uint16)
        key = f"B{int(name[1:]):02d}" if name != "B8A" else name
        _add(item, folder, key, numbers[None], seen_at, (west, north), 10.0 * step, 0)
    coarse = classes[::2, ::2].astype(np.uint8)
    _add(item, folder, "SCL", coarse[None], seen_at, (west, north), 20.0, 0)
    return item


def _sentinel1(
    place: Place, here: Landscape, folder: Path, date: datetime.date, name: str, wanted: bool
) -> _Item:
    ascending = name == "asc"
    seen = here.backscatter(date.timetuple().tm_yday, ascending).astype(np.float32)
    item = _Item(
        "sentinel-1-rtc",
        f"S1_{name}_{place.id}_{date:%Y%m%d}",
        _bbox(here.crs, here.west, here.north),
        _moment(date, 17 if ascending else 5, 10),
        {"sat:orbit_state": f"{name}ending", "platform": "sentinel-1a", "wanted": wanted},
    )
    # 0.01 dB is more than a radar is good for, and packs well.
    for key, band in zip(("vv", "vh"), np.round(seen, 2), strict=True):
        corner = (here.west, here.north)
        _add(item, folder, key, band[None], here.crs, corner, 10.0, -32768.0, unit="dB")
    return item


def _relief(place: Place, here: Landscape, folder: Path) -> _Item:
    columns = next(step for limit, step in _DEM_COLUMNS if abs(place.latitude) < limit)
    step, corner, x, y = _degrees(place, here, columns / 3600.0, 1.0 / 3600.0)
    smooth = here.between(_smooth(here.elevation, 1.2), x, y)
    error = here.stream("relief").normal(0.0, 0.3, smooth.shape)
    item = _static("cop-dem-glo-30", f"DEM_{place.id}", corner, step, x.shape, 2015)
    heights = (smooth + np.where(_nearest_is(here, x, y, land.WATER), 0, error)).astype(np.float32)
    _add(item, folder, "data", np.round(heights, 2)[None], "EPSG:4326", corner, step, -32767.0)
    return item


def _canopy(place: Place, here: Landscape, folder: Path, wanted: bool) -> _Item:
    step, corner, x, y = _degrees(place, here, 1 / 12000, 1 / 12000)
    true = here.nearest(here.canopy, x, y)
    deviation = 1.0 + 0.14 * true
    error = here.nearest(here.noise("canopy error", 1.2), x, y)
    height = np.where(true > 0, np.maximum(true + 0.5 * deviation * error, 0.0), 0.0)
    item = _static("eth-canopy-height", f"CH_{place.id}", corner, step, x.shape, 2020)
    item.properties["wanted"] = wanted
    for key, band in (("height", height), ("std", deviation)):
        numbers = np.rint(band).clip(0, 254).astype(np.uint8)
        _add(item, folder, key, numbers[None], "EPSG:4326", corner, step, 255)
    return item


def mapped(here: Landscape, name: str) -> np.ndarray:
    """(192, 192) land cover as a map says it: borders wander by a pixel, some parcels are wrong."""
    rows, cols = np.mgrid[0 : land.SIZE, 0 : land.SIZE]
    away = [np.rint(0.7 * here.noise(f"{name} {way}", 1.0)).astype(int) for way in ("down", "on")]
    moved = here.cover[
        (rows + away[0]).clip(0, land.SIZE - 1), (cols + away[1]).clip(0, land.SIZE - 1)
    ]
    draw = here.stream(f"{name} parcels")
    wrong = (draw.uniform(size=here.parcel.max() + 1) < _WRONG_PARCELS)[here.parcel]
    for right, other in _SWAPPED.items():
        moved = np.where(wrong & (moved == right) & (here.cover == right), other, moved)
    return moved.astype(np.uint8)


def _worldcover(place: Place, here: Landscape, folder: Path) -> _Item:
    step, corner, x, y = _degrees(place, here, 1 / 12000, 1 / 12000)
    item = _static("esa-worldcover", f"WC_{place.id}", corner, step, x.shape, 2021)
    classes = here.nearest(mapped(here, "worldcover"), x, y)
    _add(item, folder, "map", classes[None], "EPSG:4326", corner, step, 0)
    return item


def _dynamic_world(place: Place, here: Landscape, folder: Path, wanted: bool) -> _Item:
    cloud, shadow = clouds(here, place.date, place.cloud if wanted else 0.35)
    told = np.zeros(101, np.uint8)
    told[list(_DYNAMIC)] = list(_DYNAMIC.values())
    classes = np.where(cloud | shadow, 255, told[mapped(here, "dynamic world")]).astype(np.uint8)
    item = _Item(
        "dynamic-world",
        f"DW_{place.id}_{place.date:%Y%m%d}",
        _bbox(here.crs, here.west, here.north),
        _moment(place.date, 10, 30),
        {"wanted": wanted},
    )
    _add(item, folder, "label", classes[None], here.crs, (here.west, here.north), 10.0, 255)
    return item


def _photograph(place: Place, here: Landscape, folder: Path, wanted: bool) -> _Item:
    """Red, green and blue at 1 m, of the ROI and 60 m around it; a summer earlier, no clouds."""
    margin = 6
    first = (land.SIZE - ROI_M // 10) // 2 - margin
    part = slice(first, land.SIZE - first)
    seen = here.reflectance(200)[[3, 2, 1], part, part]
    fine = seen.repeat(10, axis=1).repeat(10, axis=2)
    rows, cols = np.mgrid[0 : fine.shape[1], 0 : fine.shape[2]]
    wood = (here.cover[part, part] == land.TREES).repeat(10, 0).repeat(10, 1)
    crowns = 1.0 + 0.3 * np.sin(rows / 1.1) * np.sin(cols / 1.3) * wood
    counts = np.rint(fine * crowns * 900).clip(0, 255).astype(np.uint8)
    date = place.date.replace(month=7, day=19, year=place.date.year - 1)
    corner = (here.west + 10.0 * first, here.north - 10.0 * first)
    size = fine.shape[1] / 10
    item = _Item(
        "aerial-rgb",
        f"RGB_{place.id}",
        _bbox(here.crs, *corner, size),
        _moment(date, 9, 0),
        {"wanted": wanted},
    )
    _add(item, folder, "image", counts, here.crs, corner, 1.0, None)
    return item


def _lattice(place: Place, here: Landscape) -> tuple[str, Array, Array]:
    """CRS of a place's Sentinel-2 scene, and its pixel centres in m of the landscape's CRS."""
    import pyproj

    crs = _zone(place, here)
    west, north = _corner(place, here)
    along = west + 10.0 * (np.arange(land.SIZE) + 0.5)
    up = north - 10.0 * (np.arange(land.SIZE) + 0.5)
    x, y = np.meshgrid(along, up)
    if crs == here.crs:
        return crs, x, y
    return crs, *pyproj.Transformer.from_crs(crs, here.crs, always_xy=True).transform(x, y)


def _zone(place: Place, here: Landscape) -> str:
    zone = int(here.crs[-2:])
    middle = 6 * zone - 183
    away = 1 if place.longitude > middle else -1
    return f"EPSG:{32600 + zone + away}" if place.neighbour else here.crs


def _corner(place: Place, here: Landscape) -> tuple[float, float]:
    """North-western corner of a place's Sentinel-2 scene."""
    import pyproj

    crs = _zone(place, here)
    if crs == here.crs:
        return here.west, here.north
    half = land.CELL * land.SIZE / 2
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        place.longitude, place.latitude
    )
    return float(np.floor((x - half) / 60) * 60), float(np.floor((y + half) / 60) * 60)


def _degrees(
    place: Place, here: Landscape, across: float, down: float
) -> tuple[tuple[float, float], tuple[float, float], Array, Array]:
    """Cell, corner, and pixel centres in m of the landscape, of a crop on a lattice of degrees."""
    import pyproj

    transformer = pyproj.Transformer.from_crs("EPSG:4326", here.crs, always_xy=True)
    reach = ROI_M / 2 + 150.0
    middle = transformer.transform(place.longitude, place.latitude)
    west, south, east, north = transformer.transform_bounds(
        middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach,
        direction="INVERSE",
    )  # fmt: skip
    first, top = np.floor(west / across), np.ceil(north / down)
    columns, rows = int(np.ceil(east / across) - first), int(top - np.floor(south / down))
    longitude = (first + np.arange(columns) + 0.5) * across
    latitude = (top - np.arange(rows) - 0.5) * down
    x, y = transformer.transform(*np.meshgrid(longitude, latitude))
    return (across, down), (float(first * across), float(top * down)), x, y


def _nearest_is(here: Landscape, x: Array, y: Array, code: int) -> np.ndarray:
    return here.nearest(here.cover, x, y) == code


def _smooth(values: Array, pixels: float) -> Array:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(values, pixels, mode="nearest")


def _mean(band: Array, step: int) -> Array:
    """Means of blocks of pixels: what a coarser detector sees."""
    size = band.shape[0] // step
    return band.reshape(size, step, size, step).mean(axis=(1, 3))


def _moment(date: datetime.date, hour: int, minute: int) -> datetime.datetime:
    return datetime.datetime(date.year, date.month, date.day, hour, minute, tzinfo=datetime.UTC)


def _bbox(
    crs: str, west: float, north: float, size: float = land.SIZE
) -> tuple[float, float, float, float]:
    import pyproj

    side = size * land.CELL
    return pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform_bounds(
        west, north - side, west + side, north
    )


def _static(
    collection: str,
    id_: str,
    corner: tuple[float, float],
    step: tuple[float, float],
    shape: tuple[int, ...],
    year: int,
) -> _Item:
    """An item of a map of one year in degrees."""
    west, north = corner
    bbox = (west, north - shape[0] * step[1], west + shape[1] * step[0], north)
    return _Item(collection, id_, bbox, _moment(datetime.date(year, 1, 1), 0, 0), {"wanted": True})


def _add(
    item: _Item,
    folder: Path,
    key: str,
    pixels: np.ndarray,
    crs: str,
    corner: tuple[float, float],
    cell: float | tuple[float, float],
    nodata: float | None,
    unit: str | None = None,
) -> None:
    """Write one file of an item and put it down in the item."""
    step = cell if isinstance(cell, tuple) else (cell, cell)
    path = Path(item.collection) / item.id / f"{key}.tif"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    cog(folder / path, pixels, crs, corner, step, nodata)
    about: dict[str, object] = {"data_type": str(pixels.dtype)}
    about |= {} if nodata is None else {"nodata": nodata}
    about |= {} if unit is None else {"unit": unit}
    item.assets[key] = {
        "href": f"./{key}.tif",
        "proj:code": crs,
        "proj:shape": list(pixels.shape[1:]),
        "proj:transform": [step[0], 0.0, corner[0], 0.0, -step[1], corner[1]],
        "raster:bands": [about] * len(pixels),
    }


def cog(
    path: Path,
    pixels: np.ndarray,
    crs: str,
    corner: tuple[float, float],
    cell: tuple[float, float],
    nodata: float | None,
) -> None:
    """Write a cloud-optimised GeoTIFF.

    Args:
        path: `.tif`.
        pixels: (bands, h, w).
        crs: As PROJ understands it.
        corner: West and north edge.
        cell: Width and height of a pixel.
        nodata: Declared value; None declares none.
    """
    import rasterio
    from rasterio.transform import from_origin

    with rasterio.open(
        path, "w", driver="COG", count=len(pixels), height=pixels.shape[1], width=pixels.shape[2],
        dtype=pixels.dtype, crs=_crs(crs), transform=from_origin(*corner, *cell), nodata=nodata,
        compress="deflate", predictor="yes", blocksize=256, overviews="none",
    ) as target:  # fmt: skip
        target.write(pixels)


_known_crs: dict[str, object] = {}


def _crs(crs: str) -> object:
    """Looked up once: PROJ takes longer for it than for a small file."""
    from rasterio.crs import CRS

    if crs not in _known_crs:
        _known_crs[crs] = CRS.from_string(crs)
    return _known_crs[crs]


_TITLES: Mapping[str, str] = {
    "sentinel-2-l2a": "Sentinel-2 Level-2A",
    "sentinel-1-rtc": "Sentinel-1, radiometrically terrain-corrected",
    "cop-dem-glo-30": "Copernicus DEM GLO-30",
    "eth-canopy-height": "ETH Global Canopy Height 2020",
    "esa-worldcover": "ESA WorldCover 2021",
    "dynamic-world": "Dynamic World",
    "aerial-rgb": "Aerial photographs",
}


def _catalogue(folder: Path, items: list[_Item]) -> None:
    """Write the static catalogue: one collection a product, one folder an item."""
    import pystac

    root = pystac.Catalog("twin", "Scenes of a synthetic Europe; no place on Earth looks so.")
    for name, title in _TITLES.items():
        mine = [item for item in items if item.collection == name]
        if not mine:
            continue
        boxes = np.array([item.bbox for item in mine])
        extent = pystac.Extent(
            pystac.SpatialExtent(
                [[*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]]
            ),
            pystac.TemporalExtent(
                [[min(item.moment for item in mine), max(item.moment for item in mine)]]
            ),
        )
        collection = pystac.Collection(name, f"{title}, synthetic.", extent, title=title)
        root.add_child(collection)
        for item in mine:
            collection.add_item(_stac_item(item))
    root.normalize_hrefs(str(folder))
    root.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)


def _stac_item(item: _Item) -> object:
    import pystac

    west, south, east, north = (round(v, 7) for v in item.bbox)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    # What a tile must be made of is truth, and no publisher says it.
    said = {key: value for key, value in item.properties.items() if key != "wanted"}
    made = pystac.Item(
        item.id,
        {"type": "Polygon", "coordinates": [ring]},
        [west, south, east, north],
        item.moment,
        said,
        stac_extensions=[
            "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
            "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ],
    )
    for key, about in item.assets.items():
        more = {name: value for name, value in about.items() if name != "href"}
        made.add_asset(
            key,
            pystac.Asset(
                str(about["href"]),
                media_type=pystac.MediaType.COG,
                roles=["data"],
                extra_fields=more,
            ),
        )
    return made
