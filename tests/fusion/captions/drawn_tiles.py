"""Tiles for tests of captions: built from plain maps, or drawn at random with gaps as real ones."""

import datetime
from collections.abc import Mapping

import numpy as np

from adapters.modalities import modality
from fusion.tiles.tile import Tile

ABSENT = 254
"""Stands in maps of classes where nothing is known; no class has this code."""
_ALL = (128, 128)


def tile(
    maps: Mapping[str, np.ndarray] | None = None,
    *,
    sentinel2: Mapping[str, object] | None = None,
    sentinel1: Mapping[str, object] | None = None,
    elevation: np.ndarray | None = None,
    slope: object = None,
    canopy: np.ndarray | None = None,
    soil: Mapping[str, float] | None = None,
    climate: Mapping[str, float] | None = None,
    date: datetime.date = datetime.date(2021, 6, 15),
    place: tuple[float, float] = (10.0, 50.0),
    extra: dict[str, object] | None = None,
    name: str = "drawn",
) -> Tile:
    """A tile of what is given; NaN, or `ABSENT` in a map of classes, is absent."""
    arrays: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}

    def put(name: str, bands: list[object]) -> None:
        array = np.stack([np.broadcast_to(np.asarray(b, float), _ALL) for b in bands])
        arrays[name], present[name] = array.astype(np.float32), ~np.isnan(array)

    for name_, codes in (maps or {}).items():
        arrays[name_] = np.broadcast_to(np.asarray(codes, np.uint8), _ALL)[None].copy()
        present[name_] = arrays[name_] != ABSENT
    for name_, given in (("sentinel2", sentinel2), ("sentinel1", sentinel1)):
        if given is not None:
            put(name_, [given.get(band.name, np.nan) for band in modality(name_).bands])
    if elevation is not None:
        put("relief", [elevation, np.nan if slope is None else slope])
    if canopy is not None:
        put("canopy_height", [canopy, np.nan])
    vectors = {"soil": soil, "climate": climate}
    for name_, given in vectors.items():
        if given is not None:
            arrays[name_] = np.array(list(given.values()), np.float32)
            present[name_] = ~np.isnan(arrays[name_])
    zone = min(60, int((place[0] + 180) // 6) + 1)
    return Tile(
        id=name,
        longitude=place[0],
        latitude=place[1],
        crs=f"EPSG:32{'6' if place[1] >= 0 else '7'}{zone:02d}",
        west=500_000.0,
        north=5_000_000.0,
        date=date,
        origin="synthetic",
        licences=("CC-BY-4.0",),
        arrays=arrays,
        present=present,
        vector_names={v: tuple(given) for v, given in vectors.items() if given is not None},
        extra=extra or {},
    )


_PLACES = (
    (["Saint-Étienne", "L'Aquila"], (4.4, 45.4)),
    (["St. Moritz", "İzmir", "Αθήνα", "東京"], (23.7, 38.0)),
    (["Paris, Texas", "Bosnia and Herzegovina"], (-95.6, 33.7)),
    (["Villa Half of the North"], (-60.0, -34.6)),
    ([], (36.8, -1.3)),
)
_TAGS = (
    {"natural": ["water", "wood"], "building": "yes", "maxspeed": "50"},
    {"shop": "cash_and_carry", "landuse": ["Forest", "farmland"], "natural": "a=b"},
    {},
)


def random_tile(number: int) -> Tile:
    """A tile with patches of any classes, gaps, missing modalities, hard names and odd numbers."""
    draw = np.random.default_rng(number)
    codes = {n: list(modality(n).codes) for n in ("worldcover", "dynamic_world")}
    own = draw.choice(codes["worldcover"], int(draw.integers(1, 6)), replace=False)
    cells = int(draw.choice([2, 4, 8, 16]))
    small = draw.choice(own, (cells, cells), p=draw.dirichlet(np.ones(len(own))))
    cover = np.kron(small, np.ones((128 // cells,) * 2)).astype(np.uint8)
    world = np.full(_ALL, 7, np.uint8)
    alike = {10: 1, 20: 5, 30: 2, 40: 4, 50: 6, 60: 7, 70: 8, 80: 0, 90: 3}
    for code, other in alike.items():
        world[cover == code] = other
    noise = draw.random(_ALL) < draw.choice([0.0, 0.05, 0.4])
    world[noise] = draw.choice(codes["dynamic_world"], int(noise.sum()))
    maps = {"worldcover": cover, "dynamic_world": world}
    for codes_ in maps.values():
        # What is absent: nothing, some, or so much that a place or a share cannot be told.
        codes_[:, : int(128 * draw.choice([0.0, 0.05, 0.3, 0.6], p=[0.6, 0.2, 0.1, 0.1]))] = ABSENT
    wet = (cover == 80) & (draw.random(_ALL) < draw.choice([1.0, 0.7, 0.0]))
    green = draw.random() * 0.5
    bands = {
        band.name: np.where(
            wet, 0.06 - 0.004 * i, 0.05 + green * (i > 5) + 0.01 * draw.random(_ALL)
        )
        for i, band in enumerate(modality("sentinel2").bands)
    }
    cloud = int(128 * draw.choice([0.0, 0.2, 0.7], p=[0.6, 0.3, 0.1]))
    for values in bands.values():
        values[:cloud] = np.nan
    vv = np.where(wet, -21.0, -11.0) + draw.normal(0, 1.5, _ALL)
    row, column = np.mgrid[0:128, 0:128]
    way = draw.normal(0, draw.choice([0.0, 0.02, 0.5, 3.0]), 2)
    ground = draw.choice([-4.0, 0.0, 350.0, 2100.0]) + way[0] * row + way[1] * column
    ground = ground + draw.choice([0.0, 3.0, 60.0]) * np.sin(row / draw.uniform(5, 30))
    slope = np.degrees(np.arctan(np.hypot(*np.gradient(ground, 10.0))))
    canopy = np.where(cover == 10, draw.normal(draw.uniform(2, 30), 2.0, _ALL), 0.0).clip(0)
    clay, sand = draw.dirichlet([1, 1, 1])[:2] * 100
    soil = {
        "ph_h2o__iso_10390": draw.uniform(3.5, 9),
        "organic_carbon": draw.choice([0.0, 2.3, 480.0]),
        "clay__iso_11277": clay,
        "sand__iso_11277": sand,
        "coarse_fragments_mass": draw.uniform(0, 60),
        "bulk_density": draw.uniform(0.2, 1.8),
        "total_nitrogen": draw.uniform(0, 30),
        "cation_exchange_capacity": draw.uniform(0, 80),
        "calcium_carbonate": draw.uniform(0, 500),
        "something_else": 3.0,
        "map.ph_h2o": 11.0,
        "map.sand": 2.0,
        "map.silt": 20.0,
    }
    soil = {n: np.nan if draw.random() < 0.2 else v for n, v in soil.items()}
    climate = {
        "worldclim_bio1.annual_mean_temperature": draw.normal(5, 10),
        "precipitation": draw.choice([0.0, 37.0, 2950.0]),
    }
    names, place = _PLACES[number % len(_PLACES)]
    given = {
        "sentinel2": bands,
        "sentinel1": {"asc_VV": vv},
        "elevation": ground,
        "canopy": canopy,
        "soil": soil,
        "climate": climate,
    }
    kept = {key: value for key, value in given.items() if draw.random() < 0.85}
    return tile(
        {n: codes_ for n, codes_ in maps.items() if draw.random() < 0.85},
        **kept,
        slope=slope,
        date=datetime.date(2020, 1, 1) + datetime.timedelta(days=int(draw.integers(0, 800))),
        place=place,
        extra={
            "place_names": names[1:],
            "lies_in": names[:1],
            "map_tags": _TAGS[number % len(_TAGS)],
        },
        name=f"random-{number}",
    )
