"""A synthetic Europe: smooth fields that can be asked anywhere, land, countries and regions.

Belongs here: what a place is like (climate, relief, parent material, land cover, region) as a
function of the seed and of its position in EPSG:3035.
Never here: soil properties, or anything about how a source reports them.

Outlines are invented: land is what lies near the invented regions of a country, whose rough centre
is its real one. No boundary data are used.
"""

import functools
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# NUTS country code, ISO 3166-1 code, longitude and latitude of the middle, radius (km), regions.
COUNTRIES = (
    ("AT", "AT", 14.1, 47.6, 180, 5), ("BE", "BE", 4.6, 50.6, 90, 3),
    ("BG", "BG", 25.2, 42.7, 190, 4), ("CH", "CH", 8.2, 46.8, 110, 3),
    ("CZ", "CZ", 15.3, 49.8, 170, 4), ("DE", "DE", 10.4, 51.1, 330, 9),
    ("DK", "DK", 9.6, 56.0, 120, 3), ("EE", "EE", 25.6, 58.7, 120, 2),
    ("EL", "GR", 22.3, 39.6, 190, 5), ("ES", "ES", -3.9, 40.2, 420, 9),
    ("FI", "FI", 26.2, 63.6, 400, 5), ("FR", "FR", 2.6, 46.6, 420, 9),
    ("HR", "HR", 16.2, 45.4, 120, 2), ("HU", "HU", 19.3, 47.1, 180, 4),
    ("IE", "IE", -7.9, 53.2, 140, 3), ("IT", "IT", 12.2, 43.2, 330, 7),
    ("LT", "LT", 23.9, 55.3, 140, 2), ("LV", "LV", 25.0, 56.9, 150, 2),
    ("NL", "NL", 5.6, 52.2, 110, 3), ("PL", "PL", 19.3, 52.1, 290, 8),
    ("PT", "PT", -8.0, 39.7, 180, 4), ("RO", "RO", 25.0, 45.9, 270, 5),
    ("SE", "SE", 15.6, 61.2, 480, 6), ("SI", "SI", 14.8, 46.1, 80, 2),
    ("SK", "SK", 19.4, 48.7, 140, 3), ("UK", "GB", -1.9, 53.2, 290, 6),
)  # fmt: skip
LAND_COVERS = ("Cropland", "Grassland", "Woodland", "Shrubland", "Wetlands")
_WAVES = 24


@functools.cache
def _to_degrees():  # noqa: ANN202
    import pyproj

    return pyproj.Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)


def degrees(east: Array, north: Array) -> tuple[Array, Array]:
    """Longitude and latitude (EPSG:4326) of EPSG:3035 metres."""
    return _to_degrees().transform(east, north)


def metres(longitude: Array, latitude: Array) -> tuple[Array, Array]:
    """EPSG:3035 metres of longitude and latitude (EPSG:4326)."""
    return _to_degrees().transform(longitude, latitude, direction="INVERSE")


@dataclass(frozen=True)
class Regions:
    """Invented NUTS 2 regions: middles in EPSG:3035 metres and codes, all of one length."""

    east: Array
    north: Array
    code: NDArray[np.str_]
    country: NDArray[np.int64]


@dataclass(frozen=True)
class Europe:
    """The synthetic continent of one seed."""

    seed: int

    def stream(self, name: str) -> np.random.Generator:
        """Random numbers that depend on the seed and the name alone."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def field(self, name: str, scale_km: float, east: Array, north: Array) -> Array:
        """Smooth field of mean 0 and variance 1 with a Gaussian covariance of that range.

        A sum of random cosines (Rahimi and Recht 2007, Random features for large-scale kernel
        machines, NIPS 20), so that any place can be asked in any order.
        """
        draw = self.stream(name)
        waves = draw.normal(0.0, 1.0 / (scale_km * 1000.0), (_WAVES, 2))
        phases = draw.uniform(0.0, 2.0 * np.pi, _WAVES)
        total = np.zeros(np.shape(east))
        for (along, up), phase in zip(waves, phases, strict=True):
            total += np.cos(along * east + up * north + phase)
        return total * np.sqrt(2.0 / _WAVES)

    @functools.cached_property
    def regions(self) -> Regions:
        """Middles and codes of the regions."""
        draw, east, north, code, country = self.stream("regions"), [], [], [], []
        for number, (nuts, _, longitude, latitude, radius, count) in enumerate(COUNTRIES):
            x, y = metres(np.array([longitude]), np.array([latitude]))
            angle = 2 * np.pi * (np.arange(count) + draw.uniform()) / count
            reach = radius * 1000 * 0.55 * draw.uniform(0.7, 1.0, count)
            east.append(x + reach * np.cos(angle))
            north.append(y + reach * np.sin(angle))
            code += [f"{nuts}{1 + i // 4}{1 + i % 4}" for i in range(count)]
            country += [number] * count
        return Regions(
            np.concatenate(east), np.concatenate(north), np.array(code), np.array(country)
        )

    def region(self, east: Array, north: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Index of the nearest region, and whether the place is land."""
        from scipy.spatial import cKDTree

        distance, index = cKDTree(np.column_stack([self.regions.east, self.regions.north])).query(
            np.column_stack([np.ravel(east), np.ravel(north)])
        )
        distance, index = distance.reshape(np.shape(east)), index.reshape(np.shape(east))
        radius = np.array([c[4] for c in COUNTRIES])[self.regions.country[index]] * 1000.0
        coast = 1.0 + 0.25 * self.field("coast", 120, east, north)
        return index, distance < 0.75 * radius * coast

    def place(self, east: Array, north: Array) -> dict[str, Array]:
        """What a place is like.

        Returns:
            Arrays of the shape of `east`: latitude (degree), elevation (m), temperature (degC,
            yearly mean), precipitation (mm a year), cover (index into LAND_COVERS), region (index),
            and unit fields of parent material (`sandiness`, `clayiness`, `lime`, `ore`, `wetness`,
            `local_1` to `local_3`).
        """
        east, north = np.asarray(east, float), np.asarray(north, float)
        longitude, latitude = degrees(east, north)
        relief = self.field("relief", 160, east, north) + 0.4 * self.field("hills", 35, east, north)
        elevation = 30.0 + 320.0 * np.exp(0.75 * relief) - 60.0
        elevation = np.clip(elevation, 1.0, 2800.0)
        # 6.5 K per km: ISO 2533:1975, Standard atmosphere.
        temperature = (
            16.5
            - 0.55 * (latitude - 40.0)
            - 0.0065 * elevation
            + 0.6 * self.field("warmth", 300, east, north)
        )
        rain = np.exp(6.5 + 0.28 * self.field("rain", 250, east, north) + 0.00025 * elevation)
        fields = {
            name: self.field(name, scale, east, north)
            for name, scale in (
                ("sandiness", 140), ("clayiness", 110), ("lime", 180), ("ore", 200),
                ("wetness", 60), ("local_1", 5), ("local_2", 5), ("local_3", 5),
            )
        }  # fmt: skip
        scores = np.stack(
            [
                0.9 + 0.08 * (temperature - 8.0) - 0.0012 * elevation,
                0.5 + 0.0008 * (rain - 700.0),
                0.6 - 0.07 * (temperature - 8.0) + 0.0006 * elevation,
                -0.9 + 0.08 * (temperature - 10.0),
                -1.6 + 0.8 * fields["wetness"],
            ]
        )
        chance = self.stream("cover")
        for row in scores:
            row += 0.9 * self.field(f"cover{chance.integers(1 << 30)}", 25, east, north)
        region, land = self.region(east, north)
        return {
            "longitude": longitude, "latitude": latitude, "elevation": elevation,
            "temperature": temperature, "precipitation": rain,
            "cover": scores.argmax(axis=0), "region": region, "land": land, **fields,
        }  # fmt: skip
