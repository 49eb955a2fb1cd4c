"""Net flux as one map and country by country, and sediment by catchment; loss is negative."""

from pathlib import Path

import numpy as np
import shapely

from adapters.spec import load_spec
from adapters.twin import erosion
from adapters.twin.files import write_dbf
from adapters.twin.world import World, write_layers

CATCHMENT_CELLS = 6
"""Cells of the grid along the edge of a catchment, which is a square here."""


def write(world: World, folder: Path) -> None:
    """WATEM_Code_Mean_t_ha_yr_100m.tif, WaTEM_25m_<country>.tif and sediment_catchments.shp."""
    spec = load_spec("watem_sedem")
    main = spec.pieces[0]
    for column, cell in (("net_soil_flux_25m", 25), ("net_soil_flux", 100)):
        lattice = world.grid("EPSG:3035", cell)
        flux = erosion.net_soil_flux(lattice.place, lattice.soil())
        write_layers(main, folder, lattice, {column: flux})
    loss = erosion.soil_loss_water(lattice.place, lattice.soil())
    edge = CATCHMENT_CELLS * lattice.cell
    names, squares, yields = [], [], []
    for row in range(0, lattice.height, CATCHMENT_CELLS):
        for column in range(0, lattice.width, CATCHMENT_CELLS):
            inside = loss[row : row + CATCHMENT_CELLS, column : column + CATCHMENT_CELLS]
            if not np.isfinite(inside).any():
                continue
            west, north = lattice.west + column * lattice.cell, lattice.north - row * lattice.cell
            squares.append(shapely.box(west, north - edge, west + edge, north))
            names.append(f"{100_000 + len(names)}")
            yields.append(round(erosion.SEDIMENT_DELIVERY * float(np.nanmean(inside)), 4))
    write_dbf(
        folder / "sediment_catchments.shp",
        {"WSO1_ID": names, "SEDIMENT": yields},
        shapely.to_wkb(np.array(squares), byte_order=1),
        "Polygon",
        "EPSG:3035",
    )
