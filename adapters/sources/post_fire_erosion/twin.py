"""Five years after the fires of 2017, on the little land that burned: as maps and in R."""

import gzip
from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.europe import Array
from adapters.twin.world import Lattice, World, write_layers


def write(world: World, folder: Path) -> None:
    """post_fire_year_1.tif to post_fire_year_5.tif, and post_fire.RData."""
    main, lattice = load_spec("post_fire_erosion").pieces[0], world.grid("EPSG:3035", 25)
    loss = erosion.soil_loss_after_fire(lattice.place, lattice.soil())
    write_layers(main, folder, lattice, {"post_fire_soil_loss": loss})
    _write_frame(folder / "post_fire.RData", lattice, loss)


def _write_frame(path: Path, lattice: Lattice, loss: Array) -> None:
    """One row a burned cell: its middle and the loss of each year."""
    import pandas as pd
    import rdata

    burned = np.isfinite(loss[0])
    frame = pd.DataFrame({"x": lattice.x[burned], "y": lattice.y[burned]})
    for year, values in enumerate(loss, start=1):
        frame[f"A_{year}"] = np.round(values[burned], 4)
    rdata.write_rda(path, {"post_fire": frame}, compression=None)
    # R compresses by default; the library would write the hour into the file.
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
