"""Microbial maps of the twin: months, mean and quotient, with land cover and without."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.biology import respiration
from adapters.twin.planting import Draft
from adapters.twin.world import World, write_layers


def write(world: World, folder: Path) -> Draft:
    """Write the maps with LC in their names, and one with gen beside them."""
    spec, draw = load_spec("microbial_biomass_respiration"), world.stream("microbial maps")
    lattice = world.grid("EPSG:3035", 1000)
    place, layer = lattice.place, lattice.soil(year=2018)
    months = [respiration(place, layer, month) for month in range(1, 13)]
    sea = np.where(lattice.land, 0.0, np.nan)
    respired, biomass = (np.stack([pair[i] for pair in months]) + sea for i in (0, 1))
    layers = {
        "basal_respiration": respired,
        "basal_respiration_mean": respired.mean(axis=0),
        "microbial_biomass_c": biomass,
        "microbial_biomass_c_mean": biomass.mean(axis=0),
    }
    layers["respiratory_quotient"] = (
        layers["basal_respiration_mean"] / layers["microbial_biomass_c_mean"]
    )
    draft = Draft(spec.id, ["Cmic_LC_mean.tif"], {})
    _shift_decimal(draft, draw, layers["microbial_biomass_c_mean"])
    write_layers(spec, folder, lattice, layers, nodata="undeclared")
    # The prediction without land cover is another number for the same thing.
    (folder / "bas_gen_mean.tif").write_bytes((folder / "bas_LC_01.tif").read_bytes())
    return draft


def _shift_decimal(draft: Draft, draw: np.random.Generator, biomass: np.ndarray) -> None:
    """Multiply one pixel by a thousand, in place: no soil holds so many microbes."""
    at = tuple(draw.choice(np.argwhere(np.isfinite(biomass))))
    original, biomass[at] = biomass[at], biomass[at] * 1000.0
    draft.record(
        0, "microbial_biomass_c_mean", "shifted_decimal", original, biomass[at], "out_of_range"
    )
