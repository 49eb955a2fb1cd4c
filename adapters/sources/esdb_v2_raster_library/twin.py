"""Attributes of the European Soil Database: rasters of numbers, their tables and legends."""

from pathlib import Path

import numpy as np

from adapters.codebooks import codebook
from adapters.spec import load_spec
from adapters.twin import grids
from adapters.twin.classes import esdb
from adapters.twin.files import write_dbf
from adapters.twin.planting import Draft, wanted
from adapters.twin.world import World

_NODATA = 255
_UNDEFINED = "9"
_UNDEFINED_IN = "ERODI"
"""The attribute in which some pixels hold a code that no legend explains."""


def write(world: World, folder: Path) -> Draft:
    """Write a folder with raster, value attribute table and legend for each attribute."""
    spec, grid = load_spec("esdb_v2_raster_library"), world.grid("EPSG:3035", 1000)
    draw = world.stream(spec.id)
    stems = [Path(column.native).stem for column in spec.columns]
    draft = Draft(spec.id, [f"{stem}/{stem}.tif" for stem in stems], {})
    attributes = esdb(grid.place, grid.soil(0, 30, 2000), grid.soil(30, 100, 2000))
    for layer, column in enumerate(spec.columns):
        name = Path(column.native).stem
        codes = attributes[name][grid.land]
        if name == _UNDEFINED_IN:
            for at in draw.choice(len(codes), wanted(len(codes)), replace=False):
                draft.record(
                    layer, column.name, "undefined_code", codes[at], _UNDEFINED, "code_unknown"
                )
                codes[at] = _UNDEFINED
        # Numbers of the raster are those of no list: they come as the software met the codes.
        listed, place = np.unique(codes, return_inverse=True)
        number = draw.permutation(len(listed)) + 1
        pixels = np.full(grid.land.shape, _NODATA, np.uint8)
        pixels[grid.land] = number[place]
        own = folder / name
        own.mkdir()
        grids.write_geotiff(
            own / f"{name}.tif", [pixels], grid.crs, (grid.west, grid.north), grid.cell,
            nodata=_NODATA,
        )  # fmt: skip
        write_dbf(
            own / f"{name}.vat.dbf",
            {
                "VALUE": number.tolist(),
                "COUNT": np.bincount(place).tolist(),
                name: [code or "no information" for code in listed.tolist()],
            },
        )
        (own / f"{name}.vat.cpg").unlink()
        known = codebook(str(column.codebook), spec.folder)
        legend = {} if known.is_open else known.codes
        lines = [name, "-" * 16, *(f"{code}   {label}" for code, label in legend.items())]
        (own / f"{name}.txt").write_text("\r\n".join(lines) + "\r\n", encoding="latin-1")
    return draft
