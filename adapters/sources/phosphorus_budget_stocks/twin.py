"""Stocks as rasters, budgets of regions and countries as polygons, points as csv."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.elements import phosphorus_budget, phosphorus_stocks
from adapters.twin.europe import COUNTRIES, Array
from adapters.twin.files import Cells, write_csv, write_dbf
from adapters.twin.pixels import covered, predicted
from adapters.twin.planting import measure
from adapters.twin.points import point_ids
from adapters.twin.soil import soil
from adapters.twin.world import Lattice, World, write_layers

_HEADERS = {
    "balance": "P_BUDGET", "fertiliser": "FERTILIZER", "manure": "MANURE",
    "deposition": "ATM_DEP", "weathering": "WEATHERING", "erosion": "EROSION",
}  # fmt: skip
_HALF_WIDTH_M = 30_000.0


def layers(world: World) -> tuple[Lattice, dict[str, Array]]:
    """Grid, and canonical column -> what the map says in canonical units."""
    lattice = world.grid("EPSG:3035", 500.0)
    layer = lattice.soil()
    total, available = phosphorus_stocks(layer)
    values = {
        "total_p_raster": layer["total_phosphorus"],
        "total_p_stock": total,
        "available_p_stock": available,
    }
    return lattice, {
        name: covered(lattice, predicted(lattice, "phosphorus stocks", pixels, relative=0.1))
        for name, pixels in values.items()
    }


def budgets(world: World) -> tuple[list[str], dict[str, Array]]:
    """NUTS 2 codes and the budget at the middle of each region, kg/ha and year."""
    regions = world.europe.regions
    found = phosphorus_budget(world.europe.place(regions.east, regions.north))
    inside = np.isin(regions.country, [i for i, c in enumerate(COUNTRIES) if c[0] != "CH"])
    return [str(c) for c in regions.code[inside]], {k: v[inside] for k, v in found.items()}


def write(world: World, folder: Path) -> None:
    """Write the native files."""
    lattice, values = layers(world)
    spec = load_spec("phosphorus_budget_stocks")
    write_layers(spec.pieces[0], folder, lattice, values, nodata="undeclared")
    codes, budget = budgets(world)
    middles = dict(zip(world.europe.regions.code.tolist(), _middles(world), strict=True))
    _polygons(folder / "p_budget_nuts2.shp", "NUTS_ID", codes, [middles[c] for c in codes], budget)
    countries = sorted({code[:2] for code in codes})
    of = np.array([code[:2] for code in codes])
    means = {k: np.array([v[of == c].mean() for c in countries]) for k, v in budget.items()}
    centres = [np.mean([middles[c] for c in codes if c[:2] == one], axis=0) for one in countries]
    _polygons(folder / "p_budget_countries.shp", "CNTR_CODE", countries, centres, means)
    _points(world, folder)


def _middles(world: World) -> Array:
    return np.column_stack([world.europe.regions.east, world.europe.regions.north])


def _polygons(
    path: Path, key: str, codes: list[str], centres: list[Array], budget: dict[str, Array]
) -> None:
    """Squares around the middles stand for outlines, which no table needs."""
    import shapely

    x, y = np.array(centres).T
    boxes = shapely.box(x - _HALF_WIDTH_M, y - _HALF_WIDTH_M, x + _HALF_WIDTH_M, y + _HALF_WIDTH_M)
    cells: Cells = {key: list(codes)}
    for name, header in _HEADERS.items():
        cells[header] = [float(v) for v in np.round(budget[name], 3)]
    write_dbf(path, cells, shapely.to_wkb(boxes, byte_order=1), "Polygon", "EPSG:3035")


def _points(world: World, folder: Path) -> None:
    """The table that is also an add-on of LUCAS 2009."""
    index = world.surveys.visited(2009)
    place = world.europe.place(*world.surveys.positions(index, 40.0, "2009"))
    total = soil(place, *map(np.asarray, (0.0, 20.0, 2009.0)))["total_phosphorus"]
    draw = world.stream("phosphorus_budget_stocks")
    cells: Cells = {
        "POINT_ID": list(point_ids(world.surveys, index)),
        "PTotal": measure(draw, total, 1, relative=0.05),
    }
    write_csv(folder / "total_p_points.csv", cells)
