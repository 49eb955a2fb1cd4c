"""Pictures say where they are, when, and something of skewed values too."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from matplotlib.colors import LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from rasterio.transform import from_origin

from adapters import pictures

DRAW = np.random.default_rng(3)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    save = pictures.png
    monkeypatch.setattr(pictures, "png", lambda figure: figures.append(figure) or save(figure))
    return figures


def _layer(path: Path, crs: str, corner: tuple[float, float], cell: float) -> Path:
    values = DRAW.lognormal(0, 2, (40, 50)).astype("float32")
    where = {"crs": crs, "transform": from_origin(*corner, cell, cell)}
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=40, width=50, dtype="float32", **where
    ) as target:
        target.write(values, 1)
    return path


@pytest.mark.parametrize(
    ("values", "norm", "beyond"),
    [
        (np.linspace(5, 8, 1000), Normalize, "both"),
        (DRAW.lognormal(0, 2, 5000), LogNorm, "both"),
        # Three places in four lose nothing.
        (np.where(DRAW.random(5000) < 0.75, 0.0, DRAW.lognormal(0, 1, 5000)), LogNorm, "both"),
        (DRAW.normal(0, 1, 5000) ** 3, SymLogNorm, "both"),
        (np.full(10, 3.0), Normalize, "neither"),
        (np.zeros(10), Normalize, "neither"),
    ],
)
def test_colours_tell_most_values_apart(
    values: np.ndarray, norm: type[Normalize], beyond: str
) -> None:
    scale, ends = pictures.colour_scale(values)
    assert (type(scale), ends) == (norm, beyond)
    shown = np.asarray(scale(values[values != 0] if (values != 0).any() else values))
    assert ((shown >= 0) & (shown <= 1)).all()
    if len(np.unique(values)) > 1:
        # A linear scale to the greatest value would show the middle half as one colour.
        low, high = np.percentile(shown, (25, 75))
        assert high - low > 0.1


def test_a_layer_of_classes_keeps_one_colour_a_code(drawn: list[Figure], tmp_path: Path) -> None:
    path = _layer(tmp_path / "a.tif", "EPSG:3035", (4e6, 3e6), 1000)
    pictures.raster(path, "class", classes=True)
    (image,) = drawn[0].axes[0].images
    assert type(image.norm) is Normalize
    assert image.cmap.name == "tab20"


@pytest.mark.parametrize(
    ("crs", "corner", "cell", "names", "west"),
    [
        ("EPSG:3035", (4e6, 3e6), 1000, ("easting, km", "northing, km"), 4000),
        ("EPSG:4326", (5, 52), 0.1, ("longitude, degrees", "latitude, degrees"), 5),
    ],
)
def test_axes_of_a_layer_have_names_and_its_period_stands_above(
    drawn: list[Figure],
    tmp_path: Path,
    crs: str,
    corner: tuple[float, float],
    cell: float,
    names: tuple[str, str],
    west: float,
) -> None:
    pictures.raster(_layer(tmp_path / "a.tif", crs, corner, cell), "loss, t/ha", title="2010")
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == names
    assert axes.get_xlim()[0] == pytest.approx(west)
    assert axes.get_title() == "2010"


def test_axes_of_polygons_have_names(drawn: list[Figure]) -> None:
    square = [shapely.to_wkb(shapely.box(4e6, 3e6, 4.1e6, 3.1e6))]
    pictures.polygon_map(square, degrees=False)
    axes = drawn[0].axes[0]
    assert axes.axison
    assert axes.get_xlabel() == "easting, km"
    assert 3900 < axes.get_xlim()[0] < 4000
