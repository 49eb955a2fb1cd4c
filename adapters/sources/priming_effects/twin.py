"""Priming effects of the twin: one workbook of LUCAS 2018 points."""

from pathlib import Path

import numpy as np

from adapters.twin.biology import fatty_acids, priming, sites
from adapters.twin.files import Cells, write_xlsx
from adapters.twin.planting import Draft, measure
from adapters.twin.points import LUCAS_BOUNDS, point_ids, slip
from adapters.twin.soil import soil
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the workbook."""
    surveys, draw = world.surveys, world.stream("priming_effects")
    index = sites(world, "priming")
    place = world.europe.place(*surveys.positions(index, 0.0, "2018"))
    flat = np.zeros(len(index))
    layer = soil(place, flat, flat + 20.0, flat + 2018.0)
    effect, respired = priming(place, layer)
    acids = fatty_acids(place, layer)
    truth = {
        "priming_effect": effect,
        "basal_respiration_incubation": respired,
        **{name: acids[name] for name in ("fame_bacteria", "fame_fungi")},
        **{name: place[name] for name in ("longitude", "latitude")},
    }
    draft = Draft("priming_effects", point_ids(surveys, index), truth)
    cells: Cells = {
        "POINTID": [int(p) for p in draft.keys],
        "Latitude": [round(float(v), 6) for v in place["latitude"]],
        "Longitude": [round(float(v), 6) for v in place["longitude"]],
        "PE": measure(draw, effect, 1, absolute=3.0, low=None),
        "basal respiration": measure(draw, respired, 1, relative=0.05),
        "bacterial FAME": measure(draw, acids["fame_bacteria"], 2, relative=0.06, high=990),
        "fungal FAME": measure(draw, acids["fame_fungi"], 2, relative=0.06, high=990),
    }
    draft.swap_coordinates(draw, cells, "Longitude", "Latitude", LUCAS_BOUNDS)
    draft.plant(
        draw,
        cells["basal respiration"],
        "basal_respiration_incubation",
        "unit_slip",
        "out_of_range",
        slip(1000, 10_000),
    )
    write_xlsx(
        folder / "Priming_effects_LUCAS2018.xlsx",
        {"Data": [list(cells), *zip(*cells.values(), strict=True)]},
    )
    return draft
