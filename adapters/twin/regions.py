"""Outlines of the invented regions and countries, for sources that publish polygons.

Belongs here: polygons of every level of region. Never here: what a region is like, file formats.
"""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from adapters.twin.europe import COUNTRIES, Array, Europe

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_CORNERS = 72
_STEPS = 12  # The coast bends by a quarter over 120 km: a dozen steps find it within metres.


def coast(europe: Europe) -> Array:
    """Where the land around the middle of each region ends, (regions, corners, 2), EPSG:3035 m."""
    regions = europe.regions
    reach = 0.75 * 1000.0 * np.array([c[4] for c in COUNTRIES])[regions.country][:, None]
    angle = 2 * np.pi * np.arange(_CORNERS) / _CORNERS
    east, north = regions.east[:, None], regions.north[:, None]
    away = np.broadcast_to(reach, (len(regions.code), _CORNERS))
    for _ in range(_STEPS):
        x, y = east + away * np.cos(angle), north + away * np.sin(angle)
        away = reach * (1.0 + 0.25 * europe.field("coast", 120, x, y))
    return np.stack([east + away * np.cos(angle), north + away * np.sin(angle)], axis=-1)


@functools.cache
def _regions(europe: Europe) -> Mapping[str, "BaseGeometry"]:
    """NUTS 2 code -> the land that is nearer to its middle than to any other, EPSG:3035."""
    import shapely

    middles = shapely.points(europe.regions.east, europe.regions.north)
    land = shapely.make_valid(shapely.polygons(coast(europe)))
    everywhere = shapely.box(*shapely.total_bounds(land)).buffer(1e5)
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(middles), extend_to=everywhere)
    )
    which, cell = shapely.STRtree(cells).query(middles, predicate="within")
    own = cells[cell[np.argsort(which)]]
    shapes = shapely.normalize(shapely.intersection(land, own))
    return dict(zip(map(str, europe.regions.code), shapes, strict=True))


def outlines(europe: Europe, level: int = 2, crs: str = "EPSG:3035") -> dict[str, "BaseGeometry"]:
    """Polygons of the regions of one level.

    Args:
        europe: The continent.
        level: 0 countries, 1 and 2 regions as NUTS numbers them, 3 the one region in each of
            level 2.
        crs: As PROJ understands it.

    Returns:
        NUTS code -> polygon or several, sorted by code; a region without land has none.
    """
    import pyproj
    import shapely

    parts: dict[str, list[BaseGeometry]] = {}
    for code, shape in _regions(europe).items():
        name = f"{code}1" if level == 3 else code[: 2 + level]
        if not shape.is_empty:
            parts.setdefault(name, []).append(shape)
    joined = {name: shapely.normalize(shapely.union_all(parts[name])) for name in sorted(parts)}
    if pyproj.CRS(crs) == pyproj.CRS("EPSG:3035"):
        return joined
    way = pyproj.Transformer.from_crs("EPSG:3035", crs, always_xy=True)
    return {
        name: shapely.transform(shape, lambda xy: np.column_stack(way.transform(*xy.T)))
        for name, shape in joined.items()
    }
