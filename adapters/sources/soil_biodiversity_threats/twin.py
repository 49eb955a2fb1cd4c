"""Thirteen pressures on soil life and three weighted sums of them."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import pressures
from adapters.twin.world import World, write_layers

_OUTSIDE = ("HR", "CH")


def write(world: World, folder: Path) -> None:
    """Write all maps, in the states of the Union without Croatia."""
    spec, grid = load_spec("soil_biodiversity_threats"), world.grid("EPSG:3035", 500)
    covered = grid.land & ~np.isin(grid.country, _OUTSIDE)
    scores = pressures(grid.place, grid.soil())
    # The experts' weights are not published; these are any that add up to one.
    weights = world.stream(spec.id).dirichlet(np.ones(len(scores)), 3)
    sums = np.tensordot(weights, np.stack(list(scores.values())), 1)
    layers = {f"threat_layer_{name}": values for name, values in scores.items()}
    whole = ("microorganisms", "fauna", "biological_functions")
    layers |= {f"threat_{name}": values for name, values in zip(whole, sums, strict=True)}
    masked = {name: np.where(covered, values, np.nan) for name, values in layers.items()}
    write_layers(spec, folder, grid, masked)
