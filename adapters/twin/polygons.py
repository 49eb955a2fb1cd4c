"""Patches of land: polygons without gap or overlap, and what they are like.

Belongs here: cutting the synthetic continent into polygons and giving them in a projection.
Never here: what a source says of them; file formats.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.soil import soil
from adapters.twin.world import EXTENT, World

GISCO = "+proj=laea +lat_0=48 +lon_0=9 +x_0=0 +y_0=0 +a=6378388 +b=6378388 +units=m +no_defs"
"""The projection of the European Soil Database: a sphere, without EPSG code."""
WIDTH_M = {"tiny": 150_000, "demo": 80_000, "full": 25_000}
"""Width of a patch."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Polygons on land; arrays are of shape (n,).

    Attributes:
        place: Of `Europe.place`, at the middle of each.
        corners: Outlines in EPSG:3035 metres, closed, (n, 5, 2).
    """

    place: dict[str, Array]
    corners: Array

    @cached_property
    def soil(self) -> dict[str, Array]:
        """Topsoil (0 to 20 cm) of the year 2000; see `adapters.twin.soil.soil`."""
        return soil(self.place, np.asarray(0.0), np.asarray(20.0), np.asarray(2000.0))

    def wkb(self, crs: str) -> np.ndarray:
        """Polygons in a CRS, as WKB of objects."""
        import pyproj
        import shapely

        way = pyproj.Transformer.from_crs("EPSG:3035", crs, always_xy=True)
        rings = np.stack(way.transform(self.corners[..., 0], self.corners[..., 1]), axis=-1)
        return np.asarray(shapely.to_wkb(shapely.polygons(rings), byte_order=1))


def patches(world: World, name: str) -> Patches:
    """Quadrangles whose shared corners are moved at random.

    Args:
        world: The continent and its size.
        name: Of the stream that moves the corners: sources of one name share their polygons.
    """
    cell, draw = WIDTH_M[world.size], world.stream(name)
    west, south, east, north = map(int, EXTENT)
    columns, rows = (east - west) // cell, (north - south) // cell
    x, y = np.meshgrid(west + cell * np.arange(columns + 1.0), south + cell * np.arange(rows + 1.0))
    # Corners are shared, so that moved corners leave neither gap nor overlap.
    inner = np.s_[1:-1, 1:-1]
    x[inner] += draw.uniform(-0.3, 0.3, x[inner].shape) * cell
    y[inner] += draw.uniform(-0.3, 0.3, y[inner].shape) * cell
    low, high = slice(None, -1), slice(1, None)
    around = ((low, low), (high, low), (high, high), (low, high), (low, low))
    corners = np.stack(
        [np.stack([g[part].ravel() for part in around], axis=1) for g in (x, y)], axis=-1
    )
    middle = (corners[:, 0] + corners[:, 2]) / 2
    place = world.europe.place(middle[:, 0], middle[:, 1])
    land = place["land"].astype(bool)
    return Patches({k: v[land] for k, v in place.items()}, corners[land])
