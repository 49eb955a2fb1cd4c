"""The DayCent source of the twin: a dbf of scenario fluxes at the arable points of LUCAS 2009."""

from pathlib import Path

import numpy as np

from adapters.twin.biology import CROPLAND, flux_changes
from adapters.twin.files import write_dbf
from adapters.twin.planting import Draft, measure
from adapters.twin.points import slip
from adapters.twin.soil import soil
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write the table of the arable points."""
    surveys, draw = world.surveys, world.stream("soil_ghg_daycent")
    index = surveys.visited(2009)[: surveys.counts.main_2009]
    place = world.europe.place(*surveys.positions(index, 40.0, "2009"))
    arable = np.flatnonzero(place["cover"] == CROPLAND)
    place = {name: values[arable] for name, values in place.items()}
    flat = np.zeros(len(arable))
    truth = flux_changes(place, soil(place, flat, flat + 20.0, flat + 2009.0))
    draft = Draft("soil_ghg_daycent", [str(n + 1) for n in arable], truth)
    # A difference has either sign: nothing is cut off at zero.
    fluxes = {name: measure(draw, v, 2, absolute=0.4, low=None) for name, v in truth.items()}
    cells = {
        "sample_ID": [int(n + 1) for n in arable],
        "IRS_CO2": fluxes["co2_flux_irs"],
        "IRS_N2O": fluxes["n2o_flux_irs"],
        "CC_CO2": fluxes["co2_flux_cc"],
        "CC_N2O": fluxes["n2o_flux_cc"],
    }
    draft.plant(
        draw, cells["CC_N2O"], "n2o_flux_cc", "shifted_decimal", "out_of_range", slip(100, 200)
    )
    write_dbf(folder / "LUCAS_DayCent_GHG.dbf", cells)
    return draft
