"""How tables and layers look: small pictures, as PNG bytes.

Belongs here: drawing what is handed in.
Never here: computing what is drawn, or where a picture is shown.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2b6c99", "#c9651b", "#8a8a8a"
_PIXELS = 300
_SKEWED = 4.0
"""A 98th percentile so many times the median is drawn by logarithms."""


def point_map(longitude: Sequence[float], latitude: Sequence[float]) -> bytes:
    """Map of points in degrees (EPSG:4326)."""
    figure, axes = canvas()
    axes.scatter(longitude, latitude, s=4, color=BLUE, alpha=0.5, linewidths=0)
    _name_axes(axes, degrees=True)
    return png(figure)


def polygon_map(geometry: Sequence[bytes], *, degrees: bool) -> bytes:
    """Map of polygons given as WKB, in degrees or, of a projection, in metres."""
    import shapely
    from matplotlib.collections import LineCollection

    shapes = shapely.from_wkb(list(geometry))
    rings = shapely.get_parts(shapely.boundary(shapes[~shapely.is_missing(shapes)]))
    figure, axes = canvas()
    axes.add_collection(
        LineCollection(
            [shapely.get_coordinates(r) / _per_tick(degrees) for r in rings],
            linewidths=0.4,
            colors=BLUE,
        )
    )
    axes.autoscale_view()
    _name_axes(axes, degrees)
    return png(figure)


def raster(path: Path, label: str, *, title: str = "", classes: bool = False) -> bytes:
    """One raster layer with its axes and colour bar, read at about 300 pixels across.

    Colours go from the 2nd to the 98th percentile; by logarithms where few values are far above
    the others, as those of soil loss are.

    Args:
        path: A raster of one band.
        label: What its values are, with their unit.
        title: What else there is to say, such as the period.
        classes: Are the values codes, which have no order?
    """
    pixels, bounds, degrees = _overview(path)
    left, bottom, right, top = (edge / _per_tick(degrees) for edge in bounds)
    figure, axes = canvas()
    known = pixels.compressed()
    norm, beyond = (None, "neither") if classes or not known.size else colour_scale(known)
    shown = axes.imshow(
        pixels,
        extent=(left, right, bottom, top),
        cmap="tab20" if classes else "viridis",
        norm=norm,
        interpolation="nearest",
    )
    figure.colorbar(shown, shrink=0.8, label=label, extend=beyond)
    axes.set_title(title, fontsize=9)
    _name_axes(axes, degrees)
    return png(figure)


def colour_scale(known: "np.ndarray") -> tuple["Normalize", str]:
    """How values become colours, and at which ends of the bar some lie beyond it.

    Args:
        known: (n,) at least one value.

    Returns:
        The norm; `neither`, `min`, `max` or `both`.
    """
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize, SymLogNorm

    low, high = (float(v) for v in np.percentile(known, (2, 98)))
    size = float(np.percentile(np.abs(known), 50))
    norm: Normalize
    if low == high:
        low, high = float(known.min()), float(known.max())
    farthest = max(abs(low), abs(high))
    skewed = farthest > _SKEWED * size
    if skewed and low >= 0:
        # Where most places have none at all, three powers of ten below the greatest are shown.
        positive = float(np.percentile(known[known > 0], 2))
        low = max(positive, high / 1000)
        norm = LogNorm(low, high, clip=True)
    elif skewed and size > 0:
        norm = SymLogNorm(max(size, farthest / 30), vmin=low, vmax=high, clip=True)
    else:
        norm = Normalize(low, high, clip=True)
    below, above = bool(known.min() < low), bool(known.max() > high)
    beyond = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    return norm, beyond.get((below, above), "both")


def _per_tick(degrees: bool) -> float:
    """Units of the CRS in one of its axes as drawn: metres are drawn as kilometres."""
    return 1.0 if degrees else 1000.0


def _name_axes(axes: "Axes", degrees: bool) -> None:
    if degrees:
        axes.set(xlabel="longitude, degrees", ylabel="latitude, degrees")
        axes.set_aspect(1.6)
    else:
        axes.set(xlabel="easting, km", ylabel="northing, km")
        axes.set_aspect("equal")


def thumbnail(path: Path) -> tuple[bytes, tuple[float, float] | None]:
    """One raster layer as bare pixels, many times faster than with axes.

    Args:
        path: A raster of one band.

    Returns:
        PNG of about 300 pixels across, transparent where there is no value; its least (dark) and
        greatest (light) value, None where there is none.
    """
    from matplotlib.image import imsave

    pixels, *_ = _overview(path)
    buffer = io.BytesIO()
    imsave(buffer, pixels, cmap="viridis", format="png", metadata={"Software": None})
    known = pixels.compressed()
    return buffer.getvalue(), (float(known.min()), float(known.max())) if known.size else None


def _overview(path: Path) -> tuple["np.ma.MaskedArray", tuple[float, ...], bool]:
    """Pixels, bounds in the units of the CRS, and whether these are degrees."""
    import numpy as np
    import rasterio

    with rasterio.open(path) as layer:
        step = max(1, max(layer.width, layer.height) // _PIXELS)
        shape = (max(1, layer.height // step), max(1, layer.width // step))
        pixels = np.ma.masked_invalid(layer.read(1, out_shape=shape, masked=True))
        return pixels, tuple(layer.bounds), bool(layer.crs and layer.crs.is_geographic)


def photograph(bands: "np.ndarray", present: "np.ndarray") -> bytes:
    """Red, green and blue as bare pixels, from the 2nd to the 98th percentile of all three.

    Args:
        bands: (3, h, w).
        present: (3, h, w) bool; a pixel without one of them is transparent.
    """
    import numpy as np
    from matplotlib.image import imsave

    whole = present.all(axis=0)
    picture = np.zeros((*whole.shape, 4))
    if whole.any():
        low, high = np.percentile(bands[:, whole], (2, 98))
        stretched = (np.where(whole, bands, low) - low) / max(high - low, 1e-6)
        picture[..., :3] = np.moveaxis(stretched.clip(0.0, 1.0), 0, -1)
        picture[..., 3] = whole
    buffer = io.BytesIO()
    imsave(buffer, picture, format="png", metadata={"Software": None})
    return buffer.getvalue()


def class_map(codes: "np.ndarray", present: "np.ndarray", colours: Mapping[int, str]) -> bytes:
    """Classes as bare pixels in the colours of their legend.

    Args:
        codes: (h, w).
        present: (h, w) bool; where False, transparent.
        colours: Code -> #rrggbb.
    """
    import numpy as np
    from matplotlib.colors import to_rgba
    from matplotlib.image import imsave

    table = np.zeros((256, 4))
    table[list(colours)] = [to_rgba(colour) for colour in colours.values()]
    picture = np.where(present[..., None], table[codes], 0.0)
    buffer = io.BytesIO()
    imsave(buffer, picture, format="png", metadata={"Software": None})
    return buffer.getvalue()


def profile(
    picture: "np.ndarray", soil: "np.ndarray", horizons: Sequence[Mapping[str, Any]]
) -> bytes:
    """A photograph of a soil profile with its horizons: boundaries over it, symbols beside it.

    Args:
        picture: (h, w, 3) uint8, from the surface down to 100 cm.
        soil: (h, w) bool; what is none is transparent.
        horizons: With `top` and `bottom` in cm and `symbol`, which may be None.
    """
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4, 4.2), dpi=80)
    axes = figure.add_axes((0.16, 0.04, 0.56, 0.92))
    wide = 100.0 * picture.shape[1] / picture.shape[0]
    shown = np.dstack([picture, np.where(soil, 255, 0).astype(np.uint8)])
    axes.imshow(shown, extent=(0, wide, 100, 0))
    for horizon in horizons:
        axes.hlines(horizon["bottom"], 0, wide, color="white", linewidth=1.2)
        axes.hlines(horizon["bottom"], 0, wide, color=ORANGE, linewidth=0.8, linestyle="--")
        middle = (horizon["top"] + horizon["bottom"]) / 2
        axes.text(1.04 * wide, middle, horizon["symbol"] or "?", va="center", fontsize=9)
    axes.set(ylabel="depth, cm", xticks=[], xlim=(0, wide), ylim=(100, 0))
    axes.spines[:].set_visible(False)
    return png(figure)


def histogram(values: Sequence[float], label: str) -> bytes:
    """Distribution of one column."""
    figure, axes = canvas()
    axes.hist(values, bins=40, color=BLUE)
    axes.set(xlabel=label, ylabel="rows")
    return png(figure)


def bars(counts: Mapping[str, int], label: str) -> bytes:
    """Rows of each class, in the order given, the first on top."""
    figure, axes = canvas()
    axes.barh(list(counts), list(counts.values()), color=BLUE)
    axes.invert_yaxis()
    axes.set(xlabel=f"rows by {label}")
    return png(figure)


def canvas() -> tuple["Figure", "Axes"]:
    """A small figure with one pair of axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
