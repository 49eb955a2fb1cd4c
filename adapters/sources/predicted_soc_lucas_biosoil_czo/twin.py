"""Three predictions of carbon, better with each set of samples, and the samples."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import Array
from adapters.twin.files import write_dbf
from adapters.twin.pixels import covered, predicted
from adapters.twin.planting import measure
from adapters.twin.soil import soil
from adapters.twin.world import Lattice, World, write_layers


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 1000.0)
    carbon = lattice.soil(0, 20, 2009)["organic_carbon"]
    errors = {"soc_lucas": 0.30, "soc_lucas_czo": 0.28, "soc_lucas_czo_biosoil": 0.22}
    return lattice, {
        name: covered(lattice, predicted(lattice, "carbon of all sets", carbon, relative=error))
        for name, error in errors.items()
    }


def points(world: World) -> tuple[Array, Array, Array]:
    """Easting, northing (EPSG:3035 metres) and organic carbon (g/kg) of the samples.

    They are those of LUCAS 2009, of which a twelfth stands for the forest plots of BioSoil.
    """
    index = world.surveys.visited(2009)
    east, north = world.surveys.positions(index, 40.0, "2009")
    place = world.europe.place(east, north)
    return (
        east,
        north,
        soil(place, np.asarray(0.0), np.asarray(20.0), np.asarray(2009.0))["organic_carbon"],
    )


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    import shapely

    lattice, values = layers(world)
    spec = load_spec("predicted_soc_lucas_biosoil_czo")
    write_layers(spec.pieces[0], folder, lattice, values, nodata="undeclared")
    east, north, carbon = points(world)
    draw = world.stream("predicted_soc_lucas_biosoil_czo")
    percent = measure(draw, carbon / 10.0, 2, relative=0.05, high=58.0)
    write_dbf(
        folder / "soc_points.shp",
        {"ID": [str(number) for number in range(1, len(east) + 1)], "SOC": percent},
        shapely.to_wkb(shapely.points(east, north), byte_order=1),
        "Point",
        "EPSG:3035",
    )
