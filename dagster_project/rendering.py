"""How things look in the Dagster UI: tables, maps and curves as asset metadata.

Belongs here: turning small tables and arrays into metadata values.
Never here: computing what is shown.
"""

import base64
import resource
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import dagster as dg

from adapters import pictures

MAX_TABLE_ROWS = 200


def table(rows: Sequence[Mapping[str, object]]) -> dg.MetadataValue:
    """Small table as markdown: the first `MAX_TABLE_ROWS` rows, and how many were left off.

    Its columns are those of any row; a row without one has an empty cell there.
    """
    if not rows:
        return dg.MetadataValue.md("none")
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows[:MAX_TABLE_ROWS]:
        cells = (_cell(row.get(name)) for name in names)
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
    return _inline(pictures.point_map(longitude, latitude), "map")


def raster_preview(path: Path, title: str) -> dg.MetadataValue:
    """One raster layer as an inline picture, with its range in words."""
    picture, limits = pictures.thumbnail(path)
    shown = "no value" if limits is None else f"{limits[0]:.6g} (dark) to {limits[1]:.6g} (light)"
    return dg.MetadataValue.md(f"{_inline(picture, title).value}\n\n{title}: {shown}")


def histogram(values: Sequence[float], label: str) -> dg.MetadataValue:
    """Distribution of one column, as an inline picture."""
    return _inline(pictures.histogram(values, label), label)


def curves(points: Iterable[Mapping[str, float]], x: str) -> dg.MetadataValue:
    """Every other number of the points over `x`, as an inline picture."""
    points = list(points)
    figure, axes = pictures.canvas()
    names = sorted({name for point in points for name in point if name != x})
    colors = (pictures.BLUE, pictures.ORANGE, pictures.GREY)
    for name, color in zip(names, colors, strict=False):
        mine = [point for point in points if name in point]
        axes.plot([p[x] for p in mine], [p[name] for p in mine], label=name, color=color)
    axes.set(xlabel=x)
    axes.legend(frameon=False)
    return _inline(pictures.png(figure), "curves")


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
    figure, axes = pictures.canvas()
    axes.fill_betweenx(middle, by_layer["0.25"], by_layer["0.75"], color=pictures.BLUE, alpha=0.25)
    axes.plot(by_layer["0.5"].to_list(), middle, color=pictures.BLUE, marker="o", markersize=3)
    axes.invert_yaxis()
    axes.set(xlabel=f"{name}: median and quartiles", ylabel="depth, cm")
    return _inline(pictures.png(figure), name)


def _inline(picture: bytes, title: str) -> dg.MetadataValue:
    encoded = base64.b64encode(picture).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
