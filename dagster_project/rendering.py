"""How things look in the Dagster UI: tables, maps and curves as asset metadata.

Belongs here: turning small tables and arrays into metadata values.
Never here: computing what is shown.
"""

import base64
import re
import resource
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from adapters import pictures
from adapters.modalities import ModalitySpec, modality

if TYPE_CHECKING:
    from fusion.tiles.tile import Tile

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
    return plain(text)


def plain(text: str) -> str:
    """Text that markdown shows as it is: names and tags of maps may hold pictures and links."""
    return re.sub(r"([\\\[\]<>`|])", r"\\\1", text).replace("\n", " ")


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


def tiles(shown: Sequence["Tile"], records: Sequence[Mapping[str, Any]] = ()) -> dg.MetadataValue:
    """Tiles as pictures: natural colours, land cover with its legend, caption with its evidence.

    Args:
        shown: The tiles.
        records: What is known of the caption of each; none where tiles have no captions yet.
    """
    cards = [_card(tile, records[i] if records else None) for i, tile in enumerate(shown)]
    return dg.MetadataValue.md("\n\n".join(cards))


def profiles(
    shown: Sequence[tuple[str, np.ndarray, np.ndarray, Sequence[Mapping[str, Any]]]],
) -> dg.MetadataValue:
    """Pictures of soil profiles with their described horizons drawn over them.

    Args:
        shown: Name, picture (h, w, 3) uint8 of 100 cm, where it is soil (h, w), horizons with
            `top`, `bottom` (cm) and `symbol`.
    """
    cards = [
        f"**{name}**\n\n{_inline(pictures.profile(picture, soil, horizons), name).value}"
        for name, picture, soil, horizons in shown
    ]
    return dg.MetadataValue.md("\n\n".join(cards))


def picture(drawn: bytes, title: str) -> dg.MetadataValue:
    """A PNG that was drawn elsewhere."""
    return _inline(drawn, title)


def _card(tile: "Tile", record: Mapping[str, Any] | None) -> str:
    optical = modality("sentinel2")
    bands = [optical.band(name) for name in ("B4", "B3", "B2")]
    seen = tile.arrays["sentinel2"][bands], tile.present["sentinel2"][bands]
    pictures_ = [_inline(pictures.photograph(*seen), "red, green, blue").value]
    legend = ""
    source = next((name for name in ("worldcover", "dynamic_world") if name in tile.arrays), None)
    if source:
        spec, codes = modality(source), tile.arrays[source][0]
        present = tile.present[source][0]
        picture = pictures.class_map(codes, present, spec.colours)
        pictures_.append(_inline(picture, spec.title).value)
        found, counts = np.unique(codes[present], return_counts=True)
        legend = f"{spec.title}: " + ", ".join(
            f"{_swatch(int(code), spec)} {spec.codes[int(code)]} {count / present.sum():.1%}"
            for code, count in sorted(zip(found, counts, strict=True), key=lambda pair: -pair[1])
        )
    lines = [f"**{plain(tile.id)}**, {tile.date}, {tile.origin}", " ".join(pictures_), legend]
    if record is not None:
        caption = record["caption"] or f"no caption: {record['refused']}"
        lines += [f"> {plain(caption)}", _evidence(record)]
    return "\n\n".join(line for line in lines if line)


def _swatch(code: int, spec: ModalitySpec) -> str:
    """A small square in the colour of a class."""
    square = np.full((10, 10), code, np.uint8)
    return _inline(pictures.class_map(square, square == code, spec.colours), "").value


def _evidence(record: Mapping[str, Any]) -> str:
    rows = [
        {"sentence": sentence["text"], **claim}
        for sentence in [*record["sentences"], *record["removed"]]
        for claim in sentence["claims"]
    ]
    return str(table(rows).value) if rows else ""


def _inline(picture: bytes, title: str) -> dg.MetadataValue:
    encoded = base64.b64encode(picture).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")
