"""Fatty acids of the twin: one workbook of LUCAS 2018 points."""

from pathlib import Path

import numpy as np

from adapters.twin.biology import CROPLAND, GRASSLAND, fatty_acids, sites
from adapters.twin.files import Cells, write_xlsx
from adapters.twin.planting import Draft, measure
from adapters.twin.points import LUCAS_BOUNDS, point_ids, slip
from adapters.twin.soil import soil
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the workbook."""
    surveys, draw = world.surveys, world.stream("fame_biomass")
    index = sites(world, "fame")
    place = world.europe.place(*surveys.positions(index, 0.0, "2018"))
    flat = np.zeros(len(index))
    truth = fatty_acids(place, soil(place, flat, flat + 20.0, flat + 2018.0))
    where = {name: place[name] for name in ("longitude", "latitude")}
    draft = Draft("fame_biomass", point_ids(surveys, index), truth | where)
    groups = {
        name: measure(draw, truth[f"fame_{name}"], 2, relative=0.06, high=480)
        for name in ("gram_positive", "gram_negative", "actinobacteria", "fungi")
    }
    parts = zip(
        groups["gram_positive"], groups["gram_negative"], groups["actinobacteria"], strict=True
    )
    bacteria = [round(sum(three), 2) for three in parts]
    cold, arid = place["temperature"] < 7.0, place["precipitation"] < 550.0
    cover = place["cover"]
    cells: Cells = {
        "POINTID": [int(p) for p in draft.keys],
        "Longitude": [round(float(v), 6) for v in place["longitude"]],
        "Latitude": [round(float(v), 6) for v in place["latitude"]],
        "climate": np.select([cold, arid], ["cold", "arid"], "temperate").tolist(),
        "land use": np.select(
            [cover == CROPLAND, cover == GRASSLAND], ["cropland", "grassland"], "forest"
        ).tolist(),
        "bacterial FAME": bacteria,
        "Gram-positive": groups["gram_positive"],
        "Gram-negative": groups["gram_negative"],
        "Actinobacteria": groups["actinobacteria"],
        "fungal FAME": groups["fungi"],
        "F/B": [round(f / b, 4) for f, b in zip(groups["fungi"], bacteria, strict=True)],
    }
    draft.swap_coordinates(draw, cells, "Longitude", "Latitude", LUCAS_BOUNDS)
    draft.plant(
        draw, cells["fungal FAME"], "fame_fungi", "unit_slip", "out_of_range", slip(1000, 1000)
    )
    write_xlsx(
        folder / "FAME_biomass_LUCAS2018.xlsx",
        {"Data": [list(cells), *zip(*cells.values(), strict=True)]},
    )
    return draft
