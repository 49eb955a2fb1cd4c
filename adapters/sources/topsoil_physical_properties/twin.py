"""Physical properties as their maps have them: fractions that sum to about 100."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.pixel_faults import RATE
from adapters.twin.pixels import covered, predicted, stated
from adapters.twin.planting import Draft, wanted
from adapters.twin.soil import retention
from adapters.twin.world import Lattice, World, write_layers


def _usda(clay: Array, silt: Array, sand: Array) -> Array:
    """Number of the USDA class, 1 to 12, of fractions in percent (Soil Survey Manual 2017)."""
    return np.select(
        [
            (silt + 1.5 * clay < 15),
            (silt + 2 * clay < 30),
            (clay >= 40) & (silt >= 40),
            (clay >= 40) & (sand <= 45),
            (clay >= 35) & (sand > 45),
            (clay >= 27) & (sand <= 20),
            (clay >= 27) & (sand <= 45),
            (clay >= 20) & (silt < 28) & (sand > 45),
            (silt >= 80) & (clay < 12),
            (silt >= 50),
            (clay >= 7) & (silt >= 28) & (sand <= 52),
        ],
        [10, 11, 2, 1, 4, 3, 6, 5, 7, 8, 9],
        12,
    ).astype(float)


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    soil = lattice.soil()
    # Each fraction is predicted by itself, so that the three miss 100 by a little.
    clay, silt, sand = (
        np.clip(predicted(lattice, name, soil[name], absolute=0.8), 0.1, 99.8)
        for name in ("clay", "silt", "sand")
    )
    flat = {name: values.ravel() for name, values in soil.items()}
    held = retention(flat, np.array([330.0, 15_850.0]))
    capacity = (held[:, 0] - held[:, 1]).reshape(clay.shape)
    density = predicted(lattice, "bulk density", soil["bulk_density"], relative=0.05)
    values = {
        "clay": clay,
        "silt": silt,
        "sand": sand,
        "coarse_fragments": soil["coarse_fragments"],
        "bulk_density": density,
        "texture_usda": _usda(clay, silt, sand),
        "available_water_capacity": np.clip(capacity, 0.0, 1.0),
    }
    return lattice, {name: covered(lattice, pixels) for name, pixels in values.items()}


def write(world: World, folder: Path) -> Draft:
    """Write the native files; a few pixels of sand break the sum."""
    lattice, values = layers(world)
    spec = load_spec("topsoil_physical_properties")
    draft = Draft(spec.id, ["Clay.tif", "Silt1.tif", "Sand1.tif"], {})
    sand = values["sand"] = values["sand"].copy()
    known = np.flatnonzero(np.isfinite(sand))
    chosen = world.stream(spec.id).choice(known, wanted(len(known), RATE), replace=False)
    sand.flat[chosen] += np.where(sand.flat[chosen] < 50, 40.0, -40.0)
    # The sum does not say which of the three is wrong.
    for layer, name in enumerate(("clay", "silt", "sand")):
        stated(draft, layer, name, "misread_fraction", "texture_sum", len(chosen))
    write_layers(spec, folder, lattice, values, nodata="undeclared")
    return draft
