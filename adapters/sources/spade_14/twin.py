"""Estimated profiles of typological units: one workbook a country, each with its own headers."""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin import hydraulics
from adapters.twin.europe import COUNTRIES, Array
from adapters.twin.files import write_xlsx
from adapters.twin.planting import Draft, measure
from adapters.twin.soil import soil
from adapters.twin.world import World

SHAPE = {"tiny": (24, 5), "demo": (300, 26), "full": (1078, 26)}
"""Profiles and countries, each of which is a workbook."""
_LIMITS_CM = (0.0, 25.0, 50.0, 80.0, 120.0)
_HORIZONS = ("Ap", "Bw", "BC", "C")
# digits, noise relative to the value
_ROUNDED = {
    "bulk_density": (2, 0.05), "organic_matter": (1, 0.2), "c_n_ratio": (0, 0.1),
    "calcium_carbonate": (0, 0.2), "gypsum": (1, 0.2), "cec": (0, 0.15),
    "electrical_conductivity": (2, 0.2), "exchangeable_ca": (1, 0.15),
    "exchangeable_k": (2, 0.15), "exchangeable_mg": (1, 0.15), "exchangeable_na": (2, 0.15),
    "esp": (0, 0.1), "clay": (0, 0.1), "ph": (1, 0.03), "porosity": (0, 0.05),
    "water_retention": (0, 0.1),
}  # fmt: skip


def write(world: World, folder: Path) -> Draft:
    """Write the workbooks."""
    spec, draw = load_spec("spade_14"), world.stream("spade_14")
    (count, countries), each = SHAPE[world.size], len(_HORIZONS)
    place = _places(world, count, countries)
    profile = np.repeat(np.arange(count), each)
    number = np.tile(np.arange(each), count)
    top, bottom = np.array(_LIMITS_CM)[number], np.array(_LIMITS_CM)[number + 1]
    layer = soil({k: v[profile] for k, v in place.items()}, top, bottom, np.asarray(2000.0))
    said = _truth(layer)
    stu = [f"{33_000 + 7 * p}" for p in profile]
    keys = [f"{unit}|{upper:g}.0" for unit, upper in zip(stu, top, strict=True)]
    draft = Draft(spec.id, keys, dict(said))
    factor = {"calcium_carbonate": 0.1, "electrical_conductivity": 0.01}
    cells: dict[str, list[object]] = {
        "stu_id": list(stu),
        "horizon_name": [_HORIZONS[n] for n in number],
        "horizon_top": top.astype(int).tolist(),
        "horizon_bottom": bottom.astype(int).tolist(),
        "structure": [("granular", "blocky", "prismatic", "massive")[n] for n in number],
    }
    for name, (digits, noise) in _ROUNDED.items():
        native = said[name] * factor.get(name, 1.0)
        cells[name] = measure(draw, native, digits, relative=noise, high=_high(name))
    draft.plant(
        draw, cells["ph"], "ph", "shifted_decimal", "out_of_range", lambda v: round(v * 10, 1)
    )
    draft.plant(draw, cells["clay"], "clay", "missing_code", "missing", lambda v: "ND")
    country = np.array([c[0] for c in COUNTRIES])[
        world.europe.regions.country[place["region"]][profile]
    ]
    for index, code in enumerate(np.unique(country)):
        rows = np.flatnonzero(country == code)
        headers = [_header(c, index) for c in spec.columns]
        body = [[cells[c.name][row] for c in spec.columns] for row in rows]
        write_xlsx(folder / f"SPADE14_{code}.xlsx", {"SPADE14": [headers, *body]})
    return draft


def _places(world: World, count: int, countries: int) -> dict[str, Array]:
    """As many places on land, near the regions of so many countries."""
    draw, europe = world.stream("spade_14 places"), world.europe
    chosen = np.flatnonzero(europe.regions.country < countries)
    near = draw.choice(chosen, 20 * count)
    east = europe.regions.east[near] + draw.normal(0, 60_000, len(near))
    north = europe.regions.north[near] + draw.normal(0, 60_000, len(near))
    place = europe.place(east, north)
    inside = place["land"] & (europe.regions.country[place["region"]] < countries)
    kept = np.flatnonzero(inside)[:count]
    return {name: values[kept] for name, values in place.items()}


def _truth(layer: dict[str, Array]) -> dict[str, Array]:
    """Properties in canonical units, by the names of the columns."""
    parameters = hydraulics.hydraulics(layer)
    held = hydraulics.water_content(parameters, hydraulics.FIELD_CAPACITY_CM)
    direct = (
        "bulk_density", "calcium_carbonate", "cec", "electrical_conductivity", "exchangeable_ca",
        "exchangeable_k", "exchangeable_mg", "exchangeable_na", "clay", "porosity",
    )  # fmt: skip
    return {
        **{name: layer[name] for name in direct},
        # Half the organic matter is carbon, a little more: van Bemmelen's 1.724.
        "organic_matter": layer["organic_carbon"] / 10.0 * 1.724,
        "c_n_ratio": layer["organic_carbon"] / layer["total_nitrogen"],
        "gypsum": np.clip(0.02 * layer["calcium_carbonate"] - 4.0, 0.0, None),
        "esp": 100.0 * layer["exchangeable_na"] / layer["cec"],
        "ph": layer["ph_h2o"],
        "water_retention": 100.0 * held,
    }


def _high(name: str) -> float | None:
    shares = ("organic_matter", "calcium_carbonate", "esp", "clay", "porosity", "water_retention")
    return 100.0 if name in shares else None


def _header(column: object, country: int) -> str:
    """Countries spell a header in one of the ways that columns.csv lists."""
    spellings = (column.native, *column.aliases)
    return spellings[country % len(spellings)]
