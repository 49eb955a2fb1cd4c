"""Tiles for people: opening the set in use, and writing a tile to files that other programs read.

Belongs here: `open_tiles`, GeoTIFF export with CRS, units, classes and licences, and the licence
gate of exports for others.
Never here: anything that changes a set of tiles.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.errors import LicenceError
from adapters.modalities import ModalitySpec, modality
from adapters.settings import Settings
from soilmeld.in_use import folder_in_use, groups_in_use
from soilmeld.reader import NotFoundError

if TYPE_CHECKING:
    from fusion.tiles.store import TileSet
    from fusion.tiles.tile import Tile


def groups_with_tiles(settings: Settings) -> list[str]:
    """Groups that have a set of tiles."""
    return groups_in_use(_places(settings))


def _places(settings: Settings) -> tuple[Path, Path]:
    return settings.captions, settings.tiles


def open_tiles(settings: Settings, group: str | None = None) -> "TileSet":
    """Open the set of tiles of a group that is in use: with captions where there are any.

    Args:
        settings: Whose data root is read.
        group: `synthetic`, `open` or `user`; may be left out where only one group has tiles.

    Raises:
        NotFoundError: The group has no tiles, or several have some and none is named.
        FusionError: The set is broken.
    """
    from fusion.tiles.store import TileSet

    return TileSet(folder_in_use(_places(settings), group, "tiles"))


def row_of(tiles: "TileSet", tile_id: str) -> int:
    """Row of a tile.

    Raises:
        NotFoundError: The set has no such tile; ids that contain the text are shown.
    """
    ids = tiles.index["id"].to_list()
    if tile_id not in ids:
        raise NotFoundError(
            f"no tile {tile_id!r}",
            samples=[name for name in ids if tile_id in name] or ids,
            remedy="`soilmeld tiles list` shows all",
        )
    return ids.index(tile_id)


def describe(tiles: "TileSet", tile_id: str) -> dict[str, Any]:
    """What is known of one tile: place, date, scenes, presence, vectors, caption with evidence.

    Raises:
        NotFoundError: The set has no such tile.
    """
    row = row_of(tiles, tile_id)
    tile, index = tiles.read(row), tiles.index.row(row, named=True)
    return {
        "id": tile.id,
        "longitude": tile.longitude,
        "latitude": tile.latitude,
        "crs": tile.crs,
        "bounds": list(tile.bounds),
        "date": tile.date.isoformat(),
        "origin": tile.origin,
        "split": index["split"],
        "block": index["block"],
        "licences": list(tile.licences),
        "present": {name: round(share, 4) for name, share in tile.availability().items()},
        "vectors": {name: _vector(tiles, tile, name) for name in tile.vector_names},
        "caption": index["caption"],
        "caption_checked": None if index["caption"] is None else tiles.captions_checked,
        **tile.extra,
    }


def _vector(tiles: "TileSet", tile: "Tile", name: str) -> dict[str, dict[str, Any]]:
    records = {r["id"]: r for r in tiles.described.get("dictionary", {}).get(name, ())}
    return {
        element: {"value": float(str(value)), "unit": records.get(element, {}).get("unit")}
        for element, value, there in zip(
            tile.vector_names[name], tile.arrays[name], tile.present[name], strict=True
        )
        if there
    }


def export_tile(
    tiles: "TileSet",
    tile_id: str,
    folder: Path,
    modalities: Sequence[str] = (),
    *,
    redistributable: bool = False,
) -> list[Path]:
    """Write a tile: a GeoTIFF for each modality with pixels, and a JSON file with all else.

    Numbers are in the unit of their band, absent ones NaN; classes are codes with their colours,
    absent ones the declared nodata; an aerial photograph has a mask.

    Args:
        tiles: The set.
        tile_id: The tile.
        folder: Written to; each file appears whole.
        modalities: To write; all that the tile has when empty.
        redistributable: Refuse modalities whose licence forbids passing them on.

    Returns:
        The files, the JSON file last.

    Raises:
        NotFoundError: The set has no such tile, or the tile no such modality.
        LicenceError: Something may not be passed on, and `redistributable` is asked for.
    """
    row = row_of(tiles, tile_id)
    tile = tiles.read(row)
    if unknown := sorted(set(modalities) - set(tile.arrays)):
        raise NotFoundError(
            f"tile {tile_id} has not all of these", samples=unknown, remedy=", ".join(tile.arrays)
        )
    wanted = list(modalities) or sorted(tile.arrays)
    terms = tiles.described.get("terms", {})
    if redistributable:
        _require_passed_on(wanted, terms)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", tile.id)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for modality_id in wanted:
        if modality(modality_id).is_vector:
            continue
        path = folder / f"{name}_{modality_id}.tif"
        part = path.with_name(f".{path.name}")
        _geotiff(tile, modality(modality_id), terms.get(modality_id, {}), part)
        written.append(part.replace(path))
    about = describe(tiles, tile_id)
    about["vectors"] = {key: v for key, v in about["vectors"].items() if key in wanted}
    about["terms"] = {key: v for key, v in terms.items() if key in wanted}
    path = folder / f"{name}.json"
    part = path.with_name(f".{path.name}")
    part.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*written, part.replace(path)]


def _require_passed_on(wanted: Sequence[str], terms: dict[str, Any]) -> None:
    forbidden = [name for name in wanted if not terms.get(name, {}).get("redistribute", False)]
    if forbidden:
        raise LicenceError(
            "these modalities may not be passed on, or it is not known that they may",
            samples=[
                f"{name} ({', '.join(terms.get(name, {}).get('licences', ['unknown']))})"
                for name in forbidden
            ],
            remedy="export the others with --modality, or for your own use without "
            "--redistributable",
        )


def _geotiff(tile: "Tile", spec: ModalitySpec, terms: dict[str, Any], path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    values, present = tile.arrays[spec.id], tile.present[spec.id]
    nodata: float | None = None
    if spec.is_classes:
        nodata = spec.nodata
        values = np.where(present, values, np.uint8(nodata))
    elif values.dtype.kind == "f":
        nodata = float("nan")
        values = np.where(present, values, np.float32(nodata))
    with rasterio.open(
        path, "w", driver="GTiff", count=len(values), height=spec.size, width=spec.size,
        dtype=values.dtype, crs=tile.crs, transform=from_origin(tile.west, tile.north, spec.gsd,
        spec.gsd), nodata=nodata, compress="deflate",
    ) as target:  # fmt: skip
        target.write(values)
        target.descriptions = spec.names
        target.units = tuple(band.unit or "" for band in spec.bands)
        if nodata is None:
            target.write_mask(present.all(axis=0))
        if spec.is_classes:
            colours = {code: _rgba(colour) for code, colour in spec.colours.items()}
            target.write_colormap(1, colours)
            target.update_tags(1, **{f"class_{code}": name for code, name in spec.codes.items()})
        target.update_tags(
            tile=tile.id,
            modality=spec.id,
            origin=tile.origin,
            TIFFTAG_DATETIME=tile.date.strftime("%Y:%m:%d 00:00:00"),
            licences=", ".join(terms.get("licences", tile.licences)),
            attributions="; ".join(terms.get("attributions", [])),
        )
        for number, band in enumerate(spec.bands, start=1):
            if band.wavelength_nm is not None:
                target.update_tags(number, wavelength_nm=band.wavelength_nm)


def _rgba(colour: str) -> tuple[int, int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue, 255
