"""Thirteen pressures on soil life and three weighted sums of them."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import pressures
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers

_OUTSIDE = ("HR", "CH")


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """All maps, in the states of the Union without Croatia."""
    grid = world.grid("EPSG:3035", 500)
    covered = grid.land & ~np.isin(grid.country, _OUTSIDE)
    scores = pressures(grid.place, grid.soil())
    # The experts' weights are not published; these are any that add up to one.
    weights = world.stream("soil_biodiversity_threats").dirichlet(np.ones(len(scores)), 3)
    sums = np.tensordot(weights, np.stack(list(scores.values())), 1)
    said = {f"threat_layer_{name}": values for name, values in scores.items()}
    whole = ("microorganisms", "fauna", "biological_functions")
    said |= {f"threat_{name}": values for name, values in zip(whole, sums, strict=True)}
    return grid, {name: np.where(covered, values, np.nan) for name, values in said.items()}


def write(world: World, folder: Path) -> None:
    """Write the 16 files."""
    grid, values = layers(world)
    write_layers(load_spec("soil_biodiversity_threats"), folder, grid, values)
