"""What stands on a few square kilometres of the synthetic Europe, pixel by pixel.

Belongs here: relief, water, fields, woods and settlements around a place, their vegetation on a
day, and what satellites would see of them; all of it follows from `Europe.place` and the seed.
Never here: files, catalogues, clouds, or what a land-cover map gets wrong (`scenes.py`).

Spectra, backscatter and calendars are a synthetic world's laws: rounded numbers that have the order
and rough size of published ones (spectra: Kokaly et al. 2017, USGS spectral library version 7, doi
10.3133/ds1035; soil, vegetation and water mixed linearly: Adams et al. 1986, doi
10.1029/JB091iB08p08098), and no measurement of any real surface.
"""

import functools
from dataclasses import dataclass

import numpy as np

from adapters.twin.europe import Array, Europe, metres
from adapters.twin.soil import soil

CELL = 10.0
SIZE = 192
"""Rows and columns of a landscape: 1,920 m, a multiple of 60 m."""
TREES, SHRUBS, GRASS, CROPS, BUILT, BARE = 10, 20, 30, 40, 50, 60
WATER, MARSH, MOSS = 80, 90, 100
"""Classes are those of ESA WorldCover."""
_DOMINANT = (CROPS, GRASS, TREES, SHRUBS, MARSH)
# Share of parcels by class, and share of woods, where each land cover of LAND_COVERS dominates.
_PARCELS = (
    {CROPS: 0.80, GRASS: 0.20},
    {GRASS: 0.75, CROPS: 0.20, SHRUBS: 0.05},
    {GRASS: 0.60, CROPS: 0.20, SHRUBS: 0.20},
    {SHRUBS: 0.65, GRASS: 0.25, BARE: 0.10},
    {MARSH: 0.65, GRASS: 0.35},
)
_WOODS = (0.12, 0.18, 0.68, 0.12, 0.15)
_PARCEL_M = 190.0

# Reflectance in the order of Sentinel-2's bands B1 to B8, B8A, B9, B11, B12.
SPECTRA = {
    "leaves": (.020, .030, .060, .030, .090, .300, .380, .400, .420, .420, .200, .090),
    "needles": (.015, .020, .035, .020, .050, .160, .200, .210, .220, .220, .090, .040),
    "straw": (.060, .080, .110, .150, .180, .210, .240, .260, .280, .290, .360, .260),
    "soil": (.080, .100, .140, .180, .200, .220, .240, .250, .260, .280, .340, .300),
    "water": (.060, .055, .045, .030, .025, .018, .016, .013, .012, .010, .006, .004),
    "roofs": (.120, .130, .150, .170, .180, .190, .200, .210, .220, .220, .240, .220),
}  # fmt: skip
_ENDS = tuple(SPECTRA)
# VV and VH in dB of water, trees, roofs, bare ground and low plants.
_RADAR = {
    "water": (-21.0, -27.0), "trees": (-8.5, -13.8), "roofs": (-3.5, -10.5),
    "ground": (-12.0, -20.5), "plants": (-10.5, -16.5),
}  # fmt: skip
_LOOKS = 12.0
"""Of a terrain-corrected scene at 10 m: speckle of some 1.2 dB."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Truth on a lattice of 10 m; arrays (192, 192) from north-west.

    Attributes:
        europe: Where it lies.
        name: Of the place, which seeds everything.
        crs: UTM zone.
        west: Western edge in m, a multiple of 60.
        north: Northern edge.
        place: Of `Europe.place`, for the one place, arrays of shape (1,).
        cover: Land cover, classes of WorldCover.
        parcel: Number of the parcel.
        elevation: m; level over water.
        canopy: Height of the top of trees and shrubs in m.
    """

    europe: Europe
    name: str
    crs: str
    west: float
    north: float
    place: dict[str, Array]
    cover: np.ndarray
    parcel: np.ndarray
    elevation: Array
    canopy: Array

    def stream(self, name: str) -> np.random.Generator:
        """Random numbers of this landscape by name."""
        return self.europe.stream(f"landscape {self.name} {name}")

    def noise(self, name: str, exponent: float) -> Array:
        """Field of mean 0 and variance 1; the larger the exponent, the smoother."""
        return _noise(self.stream(name), exponent)

    @functools.cached_property
    def gradient(self) -> tuple[Array, Array]:
        """Rise to the south and to the east, m per m."""
        down, across = np.gradient(self.elevation, CELL)
        return down, across

    def at(self, x: Array, y: Array) -> tuple[np.ndarray, np.ndarray]:
        """Row and column, as fractions from the centre of the first pixel, of m of the CRS."""
        return (self.north - y) / CELL - 0.5, (x - self.west) / CELL - 0.5

    def nearest(self, values: np.ndarray, x: Array, y: Array) -> np.ndarray:
        """Values of the pixels that points lie in; those beyond the edge, of the nearest pixel."""
        row, col = self.at(x, y)
        return values[
            np.rint(row).astype(int).clip(0, SIZE - 1), np.rint(col).astype(int).clip(0, SIZE - 1)
        ]

    def between(self, values: Array, x: Array, y: Array) -> Array:
        """Values interpolated between the centres of pixels."""
        from scipy.ndimage import map_coordinates

        return map_coordinates(values, self.at(x, y), order=1, mode="nearest")

    def green(self, day: int) -> tuple[Array, Array]:
        """Shares of the ground under green plants and under straw on a day of the year."""
        warm = float(self.place["temperature"][0])
        shift = 4.0 * (10.0 - warm)
        crop = self.stream("crops").integers(0, 3, self.parcel.max() + 1)[self.parcel]
        vigour = self.stream("vigour").uniform(0.8, 1.0, self.parcel.max() + 1)[self.parcel]
        winter = _rise(day, 85 + shift, 12) * _fall(day, 180 + shift, 8)
        summer = _rise(day, 160 + shift, 12) * _fall(day, 265 + shift, 8)
        straw = _rise(day, 185 + shift, 6) * _fall(day, 255 + shift, 8)
        year = np.exp(-(((day - 175 - shift / 2) / 85.0) ** 2))
        needles = self.needles
        trees = np.where(
            needles, 0.88, 0.12 + 0.80 * _rise(day, 115 + shift, 8) * _fall(day, 295, 10)
        )
        green = np.select(
            [self.cover == c for c in (TREES, SHRUBS, GRASS, CROPS, BUILT, BARE, MARSH, MOSS)],
            [
                trees, 0.40 + 0.25 * year, (0.40 + 0.45 * year) * vigour,
                np.where(crop == 2, 0.06 + 0.88 * summer, 0.10 + 0.85 * winter) * vigour,
                0.10 + 0.10 * year, 0.04 + 0.04 * year, 0.45 + 0.40 * year, 0.30 + 0.15 * year,
            ],
            0.0,
        )  # fmt: skip
        dry = np.where((self.cover == CROPS) & (crop != 2), 0.65 * straw, 0.0)
        dry = np.where(np.isin(self.cover, (GRASS, SHRUBS)), 0.25 * (1 - green), dry)
        texture = 1.0 + 0.10 * self.noise("vigour", 1.6)
        return (green * texture).clip(0.0, 0.97), np.minimum(dry, 0.97 - green.clip(0, 0.97))

    @functools.cached_property
    def needles(self) -> np.ndarray:
        """Are the trees evergreen? More so where it is cold."""
        return self.noise("needles", 2.4) > 0.35 * (float(self.place["temperature"][0]) - 8.5)

    def reflectance(self, day: int) -> Array:
        """(12, 192, 192) surface reflectance without clouds, of the bands in their order."""
        green, straw = self.green(day)
        water, built = self.cover == WATER, self.cover == BUILT
        rest = 1.0 - green - straw
        shares = {
            "leaves": np.where((self.cover == TREES) & self.needles, 0.0, green),
            "needles": np.where((self.cover == TREES) & self.needles, green, 0.0),
            "straw": straw,
            "soil": np.where(water | built, 0.0, rest),
            "water": water.astype(float),
            "roofs": np.where(built, rest, 0.0),
        }
        # Soils darken with organic matter, as Baumgardner et al. 1970 found (Proceedings of the
        # Indiana Academy of Science 79); the rate is invented.
        top = soil(self.place, *(np.array([v]) for v in (0.0, 10.0, 2018.0)))
        dark = np.exp(-0.012 * np.minimum(top["organic_carbon"], 70.0))
        wet = np.where(self.cover == MARSH, 0.6, 1.0) * (1.0 + 0.08 * self.noise("soil", 1.8))
        shares["soil"] = shares["soil"] * dark * wet
        whole = np.stack([shares[end] for end in _ENDS])
        spectra = np.array([SPECTRA[end] for end in _ENDS])
        seen = np.einsum("eb,ehw->bhw", spectra, whole)
        down, across = self.gradient
        # Sun in the south-east at mid-morning; half of the shading is left after correction.
        light = (1.0 + 0.5 * (down * 0.6 + across * -0.45)).clip(0.5, 1.4)
        grain = 1.0 + 0.015 * self.stream(f"grain {day}").normal(size=seen.shape)
        return np.maximum(seen * light * grain, 0.001)

    def backscatter(self, day: int, ascending: bool) -> Array:
        """(2, 192, 192) VV and VH in dB."""
        green, _ = self.green(day)
        power = {name: 10.0 ** (np.array(v) / 10.0) for name, v in _RADAR.items()}
        share = np.where(self.cover == TREES, 0.0, green)
        surfaces = {
            "water": self.cover == WATER,
            "trees": np.where(self.cover == TREES, 1.0, 0.0),
            "roofs": np.where(self.cover == BUILT, 0.7, 0.0),
        }
        surfaces["ground"] = np.where(
            np.isin(self.cover, (WATER, TREES)), 0.0, 1.0 - share - surfaces["roofs"]
        ).clip(0)
        surfaces["plants"] = np.where(self.cover == WATER, 0.0, share)
        whole = sum(power[n][:, None, None] * np.asarray(s, float) for n, s in surfaces.items())
        # Slopes that face the sensor, in the west on ascending and in the east on descending
        # passes, are brighter; roughly what is left after terrain correction.
        facing = self.gradient[1] * (1.0 if ascending else -1.0)
        draw = self.stream(f"speckle {day} {ascending}")
        speckle = draw.gamma(_LOOKS, 1.0 / _LOOKS, whole.shape)
        return 10.0 * np.log10(whole * np.exp(0.8 * facing.clip(-0.8, 0.8)) * speckle)


def landscape(europe: Europe, name: str, longitude: float, latitude: float) -> Landscape:
    """The landscape around a place.

    Args:
        europe: The synthetic continent.
        name: Of the place; seeds what `Europe.place` does not say.
        longitude: EPSG:4326.
        latitude: EPSG:4326.
    """
    import pyproj

    crs = f"EPSG:{32600 + int((longitude + 180) // 6) + 1}"
    x, y = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(
        longitude, latitude
    )
    half = CELL * SIZE / 2
    west, north = (float(np.floor(v / 60.0) * 60.0) for v in (x - half, y + half))
    place = europe.place(*metres(np.array([longitude]), np.array([latitude])))
    draw = europe.stream(f"landscape {name} plan")
    elevation = _relief(europe, name, place, draw)
    kind = int(place["cover"][0])
    level, wet = _water(europe, name, place, draw, elevation)
    parcel = _parcels(draw)
    listed = _PARCELS[kind]
    chosen = draw.choice(list(listed), size=parcel.max() + 1, p=list(listed.values()))
    cover = chosen[parcel].astype(np.uint8)
    woods = _noise(europe.stream(f"landscape {name} woods"), 2.6)
    share = np.clip(_WOODS[kind] + draw.normal(0, 0.05), 0.02, 0.85)
    cover[woods > np.quantile(woods, 1.0 - share)] = TREES
    cover[_settlement(draw, elevation)] = BUILT
    if elevation.mean() > 1700:
        cover[(elevation > np.quantile(elevation, 0.6)) & (cover != BUILT)] = BARE
    if latitude > 64:
        cover[(cover == SHRUBS) | (cover == BARE)] = MOSS
    shore = wet | (_noise(europe.stream(f"landscape {name} shore"), 2.0) > 1.8)
    cover[shore & ~wet & (elevation < level + 2.0) & (cover != BUILT)] = MARSH
    cover[wet] = WATER
    # What the survey saw at the place is there.
    row, col = int((north - y) // CELL), int((x - west) // CELL)
    rows, cols = np.mgrid[0:SIZE, 0:SIZE]
    cover[np.hypot(rows - row, cols - col) < 5] = _DOMINANT[kind]
    elevation = np.where(cover == WATER, level, elevation)
    canopy = _canopy(europe, name, place, cover)
    return Landscape(europe, name, crs, west, north, place, cover, parcel, elevation, canopy)


def _noise(draw: np.random.Generator, exponent: float) -> Array:
    """Noise whose power falls with frequency by that exponent: fractal relief near 2 to 3."""
    spectrum = np.fft.rfft2(draw.normal(size=(SIZE, SIZE)))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(spectrum * frequency ** (-exponent / 2.0 - 0.5), s=(SIZE, SIZE))
    return (field - field.mean()) / field.std()


def _relief(europe: Europe, name: str, place: dict[str, Array], draw: np.random.Generator) -> Array:
    """Elevation in m: hills are the higher, the higher the country."""
    height = float(place["elevation"][0])
    steep = 4.0 + 0.06 * height * float(np.exp(0.5 * place["local_1"][0]))
    hills = _noise(europe.stream(f"landscape {name} hills"), 3.4)
    rows, cols = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    tilt = draw.normal(0, 0.6, 2)
    return np.maximum(height + steep * (hills + tilt[0] * rows + tilt[1] * cols), 0.5)


def _water(
    europe: Europe,
    name: str,
    place: dict[str, Array],
    draw: np.random.Generator,
    elevation: Array,
) -> tuple[float, np.ndarray]:
    """Level of the lake in m, and where it is: in two places of five, and more where it is wet."""
    share = 0.06 + 0.05 * float(place["wetness"][0]) + draw.normal(0, 0.06)
    if share < 0.04 or elevation.mean() > 1700:
        return float(elevation.min()) - 1.0, np.zeros(elevation.shape, bool)
    level = float(np.quantile(elevation, min(share, 0.3)))
    return level, elevation <= level


def _parcels(draw: np.random.Generator) -> np.ndarray:
    """Number of the parcel of each pixel: cells of Voronoi, longer in one direction."""
    from scipy.spatial import cKDTree

    count = round((CELL * SIZE / _PARCEL_M) ** 2)
    along = draw.uniform(0, np.pi)
    turn = np.array([[np.cos(along), -np.sin(along)], [np.sin(along), np.cos(along)]])
    stretch = np.diag([1.0, 1.8]) @ turn
    middles = draw.uniform(0, SIZE, (count, 2)) @ stretch.T
    pixels = np.stack(np.mgrid[0:SIZE, 0:SIZE], axis=-1).reshape(-1, 2) @ stretch.T
    return cKDTree(middles).query(pixels)[1].reshape(SIZE, SIZE)


def _settlement(draw: np.random.Generator, elevation: Array) -> np.ndarray:
    """Where houses stand: in half of the places, dense in the middle, along blocks of 40 m."""
    middle, reach = draw.uniform(0.2, 0.8, 2) * SIZE, draw.uniform(8, 32)
    blocks = draw.uniform(size=(SIZE // 4, SIZE // 4)).repeat(4, 0).repeat(4, 1)
    rows, cols = np.mgrid[0:SIZE, 0:SIZE]
    away = np.hypot(rows - middle[0], cols - middle[1])
    here = draw.uniform() < 0.5 and elevation.mean() < 1500
    return (blocks < 1.3 * np.exp(-((away / reach) ** 2))) & here


def _canopy(europe: Europe, name: str, place: dict[str, Array], cover: np.ndarray) -> Array:
    """Height in m of trees (tallest where it is warm and moist) and shrubs, zero elsewhere."""
    warm = np.exp(-(((float(place["temperature"][0]) - 11.0) / 9.0) ** 2))
    moist = min(1.0, float(place["precipitation"][0]) / 700.0)
    tall = 8.0 + 20.0 * warm * moist
    stand = _noise(europe.stream(f"landscape {name} stands"), 2.2)
    trees = np.clip(tall + 0.22 * tall * stand, 4.0, 48.0)
    shrubs = np.clip(1.4 + 0.5 * stand, 0.3, 3.0)
    return np.select([cover == TREES, cover == SHRUBS], [trees, shrubs], 0.0)


def _rise(day: float, middle: float, width: float) -> float:
    return float(1.0 / (1.0 + np.exp(-(day - middle) / width)))


def _fall(day: float, middle: float, width: float) -> float:
    return 1.0 - _rise(day, middle, width)
