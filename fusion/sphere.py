"""Distances between points on the sphere.

Belongs here: nearest neighbours and near pairs of longitude/latitude points.
Never here: projections or polygons.
"""

import numpy as np
from scipy.spatial import cKDTree

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius R1 of the GRS80 ellipsoid (Moritz 2000, Geodetic Reference System 1980)."""


def unit_vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Points on the unit sphere.

    Args:
        lon: (n,) degrees.
        lat: (n,) degrees.

    Returns:
        (n, 3) unit vectors.
    """
    lam, phi = np.radians(lon), np.radians(lat)
    return np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def chord(distance_m: float) -> float:
    """Length of the chord of the unit sphere under an arc of `distance_m`."""
    return 2.0 * np.sin(min(distance_m / EARTH_RADIUS_M, np.pi) / 2.0)


def nearest(
    lon: np.ndarray,
    lat: np.ndarray,
    to_lon: np.ndarray,
    to_lat: np.ndarray,
    max_distance_m: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest of the points `to` for each point.

    Args:
        lon: (n,) degrees, finite.
        lat: (n,) degrees, finite.
        to_lon: (m,) degrees, finite.
        to_lat: (m,) degrees, finite.
        max_distance_m: Points farther away than that are no neighbours.

    Returns:
        (n,) index into `to`, -1 where none is near enough, and (n,) distance in m, NaN there. Of
        points at the same place the first in order is taken.
    """
    index, distance = np.full(len(lon), -1), np.full(len(lon), np.nan)
    if not len(lon) or not len(to_lon):
        return index, distance
    # One tree entry a place, so that which of several rows there is meant is never left to chance.
    places, first = np.unique(np.column_stack([to_lon, to_lat]), axis=0, return_index=True)
    tree = cKDTree(unit_vectors(places[:, 0], places[:, 1]))
    length, found = tree.query(
        unit_vectors(lon, lat), distance_upper_bound=chord(max_distance_m) * (1 + 1e-12)
    )
    hit = np.isfinite(length)
    index[hit] = first[found[hit]]
    distance[hit] = 2.0 * EARTH_RADIUS_M * np.arcsin(np.minimum(length[hit] / 2.0, 1.0))
    return index, distance


def near_pairs(lon: np.ndarray, lat: np.ndarray, distance_m: float) -> np.ndarray:
    """All pairs of points at most `distance_m` apart.

    Returns:
        (k, 2) indices, each pair once.
    """
    if len(lon) < 2:
        return np.empty((0, 2), dtype=np.intp)
    tree = cKDTree(unit_vectors(lon, lat))
    return tree.query_pairs(chord(distance_m) * (1 + 1e-12), output_type="ndarray")
