"""Which polygon a point lies in.

Belongs here: points in polygons, in the polygons' own reference system.
Never here: attributes of the polygons.
"""

from collections.abc import Sequence

import numpy as np
import shapely

from adapters.crs import between


def locate(
    geometries: Sequence[bytes | None],
    geometry_crs: str,
    lon: np.ndarray,
    lat: np.ndarray,
    crs: str = "EPSG:4326",
) -> np.ndarray:
    """First polygon that each point lies in or on the edge of.

    The points are taken to the polygons' reference system, not the polygons to theirs: edges that
    are straight there stay straight.

    Args:
        geometries: WKB.
        geometry_crs: CRS of the geometries.
        lon: (n,) longitude or easting.
        lat: (n,) latitude or northing.
        crs: CRS of the points.

    Returns:
        (n,) index into `geometries`, -1 where there is none.
    """
    x, y = between(crs, geometry_crs).transform(lon, lat)
    # A point beyond the projection is infinite and lies in no polygon.
    usable = np.isfinite(x) & np.isfinite(y)
    points = shapely.points(np.where(usable, x, np.nan), np.where(usable, y, np.nan))
    tree = shapely.STRtree(shapely.from_wkb(np.array(geometries, dtype=object)))
    point, polygon = tree.query(points, predicate="intersects")
    found = np.full(len(points), len(geometries))
    np.minimum.at(found, point, polygon)
    return np.where(found == len(geometries), -1, found)
