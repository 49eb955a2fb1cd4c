"""A small good tile, built by hand, for tests of what reads tiles.

What is absent holds rubbish (NaN, or a code that is no class), so that who reads it is found out.
"""

import datetime

import numpy as np

from adapters.modalities import modality
from fusion.tiles.tile import Tile

NAIP_LIKE_ABSENT = ("B2", "B3", "B4")
"""Bands that the nine-band rows of GeoMeld leave out."""
PLACES = ((10.4, 51.1), (2.6, 46.6), (25.0, 45.9), (-3.9, 40.2))


def good_tile(
    number: int = 0,
    *,
    bands: int = 12,
    rgb: bool = False,
    without: tuple[str, ...] = (),
    origin: str = "synthetic",
) -> Tile:
    """A deterministic tile: a lake in the west, a forest in the north-east, fields elsewhere.

    HH and HV and the whole descending pass are absent, as is a cloud's corner of Sentinel-2.

    Args:
        number: Which one: place, date and texture differ.
        bands: 12, or 9 as beside a photograph: without B2, B3 and B4.
        rgb: With a photograph of 1,280 x 1,280 pixels?
        without: Modalities to leave out.
        origin: Of the tile.
    """
    if bands not in (9, 12):
        raise ValueError(bands)
    draw = np.random.default_rng(number)
    row, col = np.mgrid[0:128, 0:128]
    lake = (row - 64) ** 2 + (col - 20 - number % 7) ** 2 < 15**2
    forest = (col + (128 - row) > 160) & ~lake
    field = ~lake & ~forest
    arrays: dict[str, np.ndarray] = {}
    present: dict[str, np.ndarray] = {}

    def put(name: str, array: np.ndarray, mask: np.ndarray | None = None) -> None:
        spec = modality(name)
        mask = np.ones(array.shape, bool) if mask is None else mask
        rubbish = 254 if spec.array_dtype == np.uint8 else np.nan
        arrays[name] = np.where(mask, array, rubbish).astype(spec.array_dtype)
        present[name] = mask

    # Rough spectra of water, leaves and young crops in the order of the bands.
    water = [0.05, 0.05, 0.045, 0.03, 0.025, 0.02, 0.018, 0.015, 0.013, 0.01, 0.008, 0.005]
    leaves = [0.02, 0.025, 0.05, 0.03, 0.08, 0.24, 0.30, 0.32, 0.34, 0.34, 0.16, 0.07]
    crops = [0.05, 0.06, 0.09, 0.08, 0.13, 0.26, 0.31, 0.33, 0.35, 0.36, 0.24, 0.15]
    spectra = np.array([water, leaves, crops])
    kind = np.where(lake, 0, np.where(forest, 1, 2))
    reflectance = np.moveaxis(spectra[kind], -1, 0) * draw.normal(1.0, 0.03, (12, 128, 128))
    mask = np.ones((12, 128, 128), bool)
    mask[:, 100:, :20] = False
    if bands == 9:
        mask[[modality("sentinel2").band(name) for name in NAIP_LIKE_ABSENT]] = False
    put("sentinel2", reflectance, mask)

    level = np.array([[-22.0, -28.0], [-9.0, -14.5], [-11.5, -18.0]])[kind]
    radar = np.full((8, 128, 128), np.nan)
    radar[:2] = np.moveaxis(level, -1, 0) + draw.normal(0.0, 1.0, (2, 128, 128))
    put("sentinel1", radar, ~np.isnan(radar))

    height = 200.0 + 40.0 * number % 300 + 0.1 * (127 - row) * 10.0
    height = np.where(lake, 200.0 + 40.0 * number % 300, height)
    down, across = np.gradient(height, 10.0)
    slope = np.degrees(np.arctan(np.hypot(down, across)))
    put("relief", np.stack([height, slope]))
    canopy = np.where(forest, draw.normal(20.0, 2.0, (128, 128)), 0.0).clip(0)
    put("canopy_height", np.stack([canopy, np.where(forest, 3.0, 0.5)]))
    put("worldcover", np.where(lake, 80, np.where(forest, 10, 40))[None])
    world = np.where(lake, 0, np.where(forest, 1, np.where(field, 4, 2)))[None]
    put("dynamic_world", world, mask[-1:])
    put("climate", np.array([9.1, 640.0]), np.array([True, True]))
    put("soil", np.array([6.4, 18.0, 0.0, 31.0]), np.array([True, True, False, True]))
    if rgb:
        photograph = np.repeat(np.repeat(reflectance[[3, 2, 1]], 10, axis=1), 10, axis=2)
        put("rgb", (photograph * 800).clip(0, 250).astype(np.uint8))
    longitude, latitude = PLACES[number % len(PLACES)]
    kept = [name for name in arrays if name not in without]
    names = {
        "climate": ("temperature", "precipitation"),
        "soil": ("ph_h2o", "organic_carbon", "clay", "sand"),
    }
    zone = int((longitude + 180) // 6) + 1
    return Tile(
        id=f"good-{number}",
        longitude=longitude,
        latitude=latitude,
        crs=f"EPSG:{32600 + zone}",
        west=500_000.0 + 12_800 * number,
        north=5_600_000.0,
        date=datetime.date(2021, 5, 3) + datetime.timedelta(days=40 * number),
        origin=origin,
        licences=("CC-BY-4.0",),
        arrays={name: arrays[name] for name in kept},
        present={name: present[name] for name in kept},
        vector_names={name: listed for name, listed in names.items() if name in kept},
        extra={
            "sources": {"sentinel2": {"id": f"S2-{number}", "cloud_percent": 4.0}},
            "place_names": ["Somewhere"],
            "map_tags": {"natural": ["water", "wood"]},
        },
    )
