"""How things look in the Dagster UI: tables, maps and curves as asset metadata.

Belongs here: turning small tables and arrays into metadata values.
Never here: computing what is shown.
"""

import base64
import io
import resource
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_TABLE_ROWS = 200
_BLUE, _ORANGE, _GREY = "#2b6c99", "#c9651b", "#8a8a8a"


def table(rows: Sequence[Mapping[str, object]]) -> dg.MetadataValue:
    """Small table as markdown: the first `MAX_TABLE_ROWS` rows, and how many were left off."""
    if not rows:
        return dg.MetadataValue.md("none")
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows[:MAX_TABLE_ROWS]:
        cells = (_cell(row[name]) for name in names)
        lines.append("| " + " | ".join(cells) + " |")
    if len(rows) > MAX_TABLE_ROWS:
        lines.append(f"\n{len(rows) - MAX_TABLE_ROWS:,} rows more")
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    # Linux counts ru_maxrss in KiB.
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def point_map(longitude: Sequence[float], latitude: Sequence[float]) -> dg.MetadataValue:
    """Map of points in degrees (EPSG:4326), as an inline picture."""
    figure, axes = _figure()
    axes.scatter(longitude, latitude, s=4, color=_BLUE, alpha=0.5, linewidths=0)
    axes.set(xlabel="longitude, degrees", ylabel="latitude, degrees")
    axes.set_aspect(1.6)
    return _picture(figure, "map")


def raster_preview(path: Path, title: str) -> dg.MetadataValue:
    """One raster layer, read at about 300 pixels across, as an inline picture."""
    import rasterio

    with rasterio.open(path) as layer:
        step = max(1, max(layer.width, layer.height) // 300)
        shape = (max(1, layer.height // step), max(1, layer.width // step))
        pixels = layer.read(1, out_shape=shape, masked=True)
        bounds = layer.bounds
    figure, axes = _figure()
    shown = axes.imshow(
        pixels, extent=(bounds.left, bounds.right, bounds.bottom, bounds.top), cmap="viridis"
    )
    figure.colorbar(shown, shrink=0.8, label=title)
    return _picture(figure, title)


def histogram(values: Sequence[float], label: str) -> dg.MetadataValue:
    """Distribution of one column, as an inline picture."""
    figure, axes = _figure()
    axes.hist(values, bins=40, color=_BLUE)
    axes.set(xlabel=label, ylabel="rows")
    return _picture(figure, label)


def curves(points: Iterable[Mapping[str, float]], x: str) -> dg.MetadataValue:
    """Every other number of the points over `x`, as an inline picture."""
    points = list(points)
    figure, axes = _figure()
    names = sorted({name for point in points for name in point if name != x})
    for name, color in zip(names, (_BLUE, _ORANGE, _GREY), strict=False):
        mine = [point for point in points if name in point]
        axes.plot([p[x] for p in mine], [p[name] for p in mine], label=name, color=color)
    axes.set(xlabel=x)
    axes.legend(frameon=False)
    return _picture(figure, "curves")


def layer_profiles(path: Path) -> dg.MetadataValue:
    """Median and quartiles over depth of the best-known feature of splined profiles."""
    import polars as pl

    layers = pl.read_parquet(path)
    features = layers.columns[3:]
    name = max(features, key=lambda feature: layers.height - layers[feature].null_count())
    by_layer = (
        layers.group_by("depth_top", "depth_bottom")
        .agg(*(pl.col(name).quantile(q).alias(str(q)) for q in (0.25, 0.5, 0.75)))
        .sort("depth_top")
    )
    middle = ((by_layer["depth_top"] + by_layer["depth_bottom"]) / 2).to_list()
    figure, axes = _figure()
    axes.fill_betweenx(middle, by_layer["0.25"], by_layer["0.75"], color=_BLUE, alpha=0.25)
    axes.plot(by_layer["0.5"].to_list(), middle, color=_BLUE, marker="o", markersize=3)
    axes.invert_yaxis()
    axes.set(xlabel=f"{name}: median and quartiles", ylabel="depth, cm")
    return _picture(figure, name)


def _figure():  # noqa: ANN202 - matplotlib's types are imported only where it is used
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), dpi=80, layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _picture(figure: "Figure", title: str) -> dg.MetadataValue:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
