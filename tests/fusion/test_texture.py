"""Texture classes partition the triangle and follow their definitions at the limits."""

import numpy as np
import pytest

from adapters.errors import FusionError
from fusion.texture import _FRACTIONS, _holds, texture_class, texture_systems


@pytest.mark.parametrize("system", ["hypres", "usda"])
def test_every_soil_has_exactly_one_class(system):
    grid = np.arange(0, 201)
    sand, silt = (a.ravel() / 2 for a in np.meshgrid(grid, grid))
    keep = sand + silt <= 100
    sand, silt = sand[keep], silt[keep]
    fractions = dict(zip(_FRACTIONS, (sand, silt, 100 - sand - silt), strict=True))
    classes = np.zeros(len(sand), dtype=int)
    for alternatives in texture_systems()[system].conditions.values():
        classes += np.any(
            [np.all([_holds(c, fractions) for c in a], axis=0) for a in alternatives], axis=0
        )
    assert (classes == 1).all()


@pytest.mark.parametrize(
    ("sand", "silt", "clay", "hypres", "usda"),
    [
        (92, 5, 3, "C", "Sa"),
        (82, 12, 6, "C", "LoSa"),
        (65, 25, 10, "M", "SaLo"),
        (65.1, 24.9, 10, "C", "SaLo"),
        (40, 40, 20, "M", "Lo"),
        (20, 65, 15, "M", "SiLo"),
        (7, 88, 5, "MF", "Si"),
        (60, 13, 27, "M", "SaClLo"),
        (52.4, 29.9, 17.7, "M", "Lo"),
        (29.9, 42.8, 27.3, "M", "Lo"),
        (33, 33, 34, "M", "ClLo"),
        (10, 56, 34, "MF", "SiClLo"),
        (52, 6, 42, "F", "SaCl"),
        (7, 47, 46, "F", "SiCl"),
        (20, 20, 60, "VF", "Cl"),
    ],
)
def test_known_soils(sand, silt, clay, hypres, usda):
    assert texture_class([sand], [silt], [clay], "hypres")[0] == hypres
    assert texture_class([sand], [silt], [clay], "usda")[0] == usda


def test_what_is_not_a_soil_has_no_class():
    sand, silt, clay = [50, np.nan, 50, -1], [30, 50, 30, 61], [30, 10, 10, 40]
    assert texture_class(sand, silt, clay, "usda").tolist() == [None] * 4


def test_unknown_system():
    with pytest.raises(FusionError, match="usda"):
        texture_class([1], [1], [98], "atterberg")
