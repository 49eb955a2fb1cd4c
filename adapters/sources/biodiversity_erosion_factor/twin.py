"""Earthworm factors in eleven countries, in a CRS that bears a name and no code."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.world import World, write_layers

COUNTRIES_MAPPED = ("BE", "DE", "DK", "ES", "FR", "HU", "IE", "NL", "SI", "UK")
"""Those of the eleven that the synthetic Europe has; Spain in part."""
CRS = (
    'PROJCS["GRS_1980_IUGG_1980_Lambert_Azimuthal_Equal_Area",GEOGCS["GRS 1980(IUGG, 1980)",'
    'DATUM["European_Terrestrial_Reference_System_1989",SPHEROID["GRS_1980",6378137,298.257222101]]'
    ',PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Lambert_Azimuthal_Equal_Area"],PARAMETER["latitude_of_center",52],'
    'PARAMETER["longitude_of_center",10],PARAMETER["false_easting",4321000],'
    'PARAMETER["false_northing",3210000],UNIT["metre",1]]'
)


def write(world: World, folder: Path) -> None:
    """Four maps under the names that the page prints."""
    spec, lattice = load_spec("biodiversity_erosion_factor"), world.grid(CRS, 500)
    place, layer = lattice.place, lattice.soil()
    codes = lattice.country
    # Northern Spain alone.
    mapped = lattice.land & np.isin(codes, COUNTRIES_MAPPED)
    mapped &= (codes != "ES") | (place["latitude"] > 40.0)
    both, abundance = erosion.earthworm_factors(place, layer)
    bare = erosion.soil_erodibility(layer)
    layers = {
        "et_factor_ar": both,
        "k_factor_et_ar": bare * both,
        "et_factor_a": abundance,
        "k_factor_et_a": bare * abundance,
    }
    layers = {name: np.where(mapped, values, np.nan) for name, values in layers.items()}
    write_layers(spec, folder, lattice, layers)
