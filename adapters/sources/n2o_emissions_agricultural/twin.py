"""The N2O source of the twin: a dbf keyed by the laboratory number of LUCAS 2009, and two maps."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.biology import GRASSLAND, nitrous_oxide
from adapters.twin.files import write_dbf
from adapters.twin.planting import Draft, measure
from adapters.twin.points import slip
from adapters.twin.soil import soil
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> Draft:
    """Write the table of the farmed points of LUCAS 2009, and MT1.tif and MT2.tif."""
    draft = _points(world, folder)
    lattice = world.grid("EPSG:3035", 1000)
    farmed = lattice.land & (lattice.place["cover"] <= GRASSLAND)
    flux = np.where(farmed, nitrous_oxide(lattice.place, lattice.soil(year=2012)), np.nan)
    # Meta-models smooth: their extremes are nearer to the mean, the second one's nearest.
    middle = np.nanmedian(flux)
    layers = {
        f"n2o_mt{i + 1}": middle * (flux / middle) ** power for i, power in enumerate((0.9, 0.7))
    }
    write_layers(
        load_spec("n2o_emissions_agricultural__maps"), folder, lattice, layers, nodata="undeclared"
    )
    return draft


def _points(world: World, folder: Path) -> Draft:
    surveys, draw = world.surveys, world.stream("n2o_emissions_agricultural")
    # The main file of LUCAS 2009 numbers its rows; those of its supplements have none.
    index = surveys.visited(2009)[: surveys.counts.main_2009]
    place = world.europe.place(*surveys.positions(index, 40.0, "2009"))
    number, flat = np.arange(1, len(index) + 1), np.zeros(len(index))
    farmed = place["cover"] <= GRASSLAND
    number = number[farmed]
    place = {name: values[farmed] for name, values in place.items()}
    flat = flat[farmed]
    flux = nitrous_oxide(place, soil(place, flat, flat + 20.0, flat + 2012.0))
    spread = 0.35 * flux
    keys = [str(n) for n in number]
    draft = Draft("n2o_emissions_agricultural", keys, {"n2o_mean": flux, "n2o_sd": spread})
    cells = {
        "sample_ID": [int(n) for n in number],
        "N2O_mean": measure(draw, flux, 3, relative=0.05),
        "N2O_sd": measure(draw, spread, 3, relative=0.05),
    }
    draft.plant(
        draw, cells["N2O_mean"], "n2o_mean", "shifted_decimal", "out_of_range", slip(1000, 100)
    )
    write_dbf(folder / "N2O_LUCAS_points.dbf", cells)
    return draft
