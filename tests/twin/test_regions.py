"""Outlines of the regions hold the land of the regions, and nothing twice."""

import numpy as np
import pytest
import shapely

from adapters.twin.europe import Europe
from adapters.twin.regions import outlines

EUROPE = Europe(7)


@pytest.fixture(scope="module")
def land() -> tuple[np.ndarray, np.ndarray]:
    """Points on land, and the code of their region."""
    draw = np.random.default_rng(0)
    east, north = draw.uniform(2.6e6, 5.9e6, 4000), draw.uniform(1.5e6, 5.4e6, 4000)
    region, is_land = EUROPE.region(east, north)
    return shapely.points(east, north)[is_land], EUROPE.regions.code[region[is_land]]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_land_lies_in_the_outline_of_its_region(
    level: int, land: tuple[np.ndarray, np.ndarray]
) -> None:
    points, codes = land
    shapes = outlines(EUROPE, level)
    names = list(shapes)
    point, shape = shapely.STRtree(list(shapes.values())).query(points, predicate="within")
    assert len(np.unique(point)) == len(point)
    assert len(point) > 0.99 * len(points)
    wanted = [f"{c}1" if level == 3 else c[: 2 + level] for c in codes[point]]
    assert np.mean([names[s] == w for s, w in zip(shape, wanted, strict=True)]) > 0.999


def test_outlines_do_not_overlap_and_are_valid() -> None:
    shapes = list(outlines(EUROPE).values())
    assert all(s.is_valid and s.area > 0 for s in shapes)
    assert shapely.union_all(shapes).area == pytest.approx(sum(s.area for s in shapes), rel=1e-9)


def test_outlines_come_in_any_projection() -> None:
    degrees = outlines(EUROPE, 0, "EPSG:4326")
    west, south, east, north = shapely.total_bounds(list(degrees.values()))
    assert -20 < west < 0 < 20 < east < 45
    assert 33 < south < 45 < 60 < north < 73
