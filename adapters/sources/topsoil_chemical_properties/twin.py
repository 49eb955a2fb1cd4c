"""Chemical properties by Gaussian process: carbonates fall slightly below zero."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixels import covered, predicted, stated
from adapters.twin.planting import Draft
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    soil = lattice.soil()
    water = predicted(lattice, "pH", soil["ph_h2o"], absolute=0.15)
    chloride = predicted(lattice, "pH", soil["ph_cacl2"], absolute=0.15)
    lime = predicted(lattice, "carbonates", soil["calcium_carbonate"], absolute=3.0)
    values = {
        "ph_h2o": water,
        "ph_cacl2": chloride,
        "ph_ratio": water / chloride,
        "cec": predicted(lattice, "CEC", soil["cec"], relative=0.2),
        # Far from the sampled range the process returns to its mean, not further below.
        "calcium_carbonate": np.maximum(lime, -12.0),
        "c_n_ratio": predicted(
            lattice, "C:N", soil["organic_carbon"] / soil["total_nitrogen"], relative=0.05
        ),
        "nitrogen": predicted(lattice, "nitrogen", soil["total_nitrogen"], relative=0.1),
        "phosphorus": predicted(lattice, "phosphorus", soil["phosphorus"] - 6.0, absolute=3.0),
        "potassium": predicted(lattice, "potassium", soil["potassium"], relative=0.15),
    }
    return lattice, {name: covered(lattice, pixels, ["HR"]) for name, pixels in values.items()}


def write(world: World, folder: Path) -> Draft:
    """Write the native files."""
    lattice, values = layers(world)
    spec = load_spec("topsoil_chemical_properties")
    draft = Draft(spec.id, ["CaCO3.tif", "P.tif"], {})
    for layer, name in enumerate(("calcium_carbonate", "phosphorus")):
        below = int((values[name] < 0).sum())
        stated(draft, layer, name, "slight_undershoot", "clipped", below)
    write_layers(spec, folder, lattice, values, nodata="undeclared")
    return draft
