"""Soil pits of a synthetic survey of German farmland: place, site and horizons of each.

Belongs here: places, what made their soil, codes of a site and their agreement with the soil.
Never here: sequences and properties of horizons (`horizons.py`, `morphology.py`), pictures, the
layout of files.

Pits stand on a grid of 8 km, as those of the agricultural soil inventory do (Jacobs et al. 2018,
Thuenen Report 64, doi 10.3220/REP1542818391000). What is recorded follows from what made the soil,
but not to the letter: water is measured on one day, and a soil type is at times taken for another.
"""

from dataclasses import dataclass

import numpy as np

from adapters.twin.europe import COUNTRIES, Array, degrees
from adapters.twin.horizons import CONFUSED, LandUse, Setting, sequence, soil_type, written
from adapters.twin.morphology import PARENTS, Horizon, horizon
from adapters.twin.soil import bulk_density
from adapters.twin.world import World

PITS = {"tiny": 24, "demo": 160, "full": 1_500}
PHOTOGRAPHS = {"tiny": 60, "demo": 400, "full": 3_347}
"""Of all pits together; as many as were published at `full`."""
DEEP = 999.0
"""cm; deeper than any pit."""
_GRID = 8_000.0
_BOUNDS = (5.9, 47.3, 15.0, 55.0)
_MISTAKEN = 0.15  # Share of pits whose soil type is taken for another.
_STATES = {
    "BB": (13.4, 52.3), "BW": (9.1, 48.5), "BY": (11.4, 48.9), "HE": (9.0, 50.6),
    "MV": (12.5, 53.8), "NI": (9.2, 52.8), "NW": (7.6, 51.5), "RP": (7.4, 49.9),
    "SH": (9.8, 54.2), "SL": (6.9, 49.4), "SN": (13.3, 51.0), "ST": (11.7, 51.9),
    "TH": (11.0, 50.9),
}  # fmt: skip
# Soil-climate regions and their rough middles; names after Rossberg et al. 2007, Nachrichtenblatt
# des Deutschen Pflanzenschutzdienstes 59, 155-161.
_REGIONS = {
    "mittlere diluviale Böden Mecklenburg-Vorpommern und Uckermark": (12.6, 53.8),
    "sandige diluviale Böden des nordostdeutschen Binnentieflandes": (12.4, 52.9),
    "trocken-warme diluviale Böden des ostdeutschen Tieflandes": (13.7, 51.9),
    "Oderbruch": (14.4, 52.7),
    "Lößböden in der Ackerebene (Ost)": (11.6, 51.7),
    "Lößböden in den Übergangslagen (Ost)": (13.2, 51.1),
    "Verwitterungsböden in den Übergangslagen (Ost)": (11.3, 50.7),
    "Hügelländer und Gäulandschaften": (9.4, 48.9),
    "Albflächen und Ostbayerisches Hügelland": (11.2, 49.3),
    "Tertiär-Hügelland Donau-Süd": (11.8, 48.5),
    "Moränen-Hügelland und Voralpenland": (10.6, 47.8),
    "Rheinebene und Nebentäler": (8.0, 48.6),
    "Mittellagen Rheinland-Pfalz und Saarland": (7.1, 49.6),
    "Zentralhessische Ackerbaugebiete": (9.0, 50.5),
    "Niederrhein, Köln-Aachener Bucht": (6.5, 51.1),
    "Münsterland": (7.6, 52.0),
    "Südhannover": (10.0, 52.0),
    "Lüneburger Heide - sandige Böden": (10.3, 53.0),
    "Nordwest-Weser-Ems - sandige Böden": (7.8, 52.8),
    "Geest Nord": (9.4, 54.2),
    "Marsch Nord": (8.6, 53.9),
}
# Upper limits of the inclination in percent: N1 below 3.5, then 9, 18, 27, 36; N6 above.
_SLOPES = (0.5, 3.5, 9.0, 18.0, 27.0, 36.0)
# Upper limits of the depth of groundwater in cm: class 1 below 20, then 40, 80, 130, 200.
_WATER = (20.0, 40.0, 80.0, 130.0, 200.0)
_ASPECTS = ("N", "NO", "O", "SO", "S", "SW", "W", "NW")
# Organic matter is 1.724 times its carbon: van Bemmelen's factor, as the manual has it.
_ORGANIC_TO_CARBON = 1.724


@dataclass(frozen=True)
class Pit:
    """One profile.

    Attributes:
        number: Of the point, unique.
        state: Two letters of the federal state.
        east: EPSG:3035 metres.
        north: EPSG:3035 metres.
        longitude: Degrees.
        latitude: Degrees.
        setting: What made the soil.
        soil_type: Two letters; the true one.
        site: What is recorded of the site, raw codes by the names of `site_names`.
        horizons: From top to bottom.
    """

    number: int
    state: str
    east: float
    north: float
    longitude: float
    latitude: float
    setting: Setting
    soil_type: str
    site: dict[str, object]
    horizons: tuple[Horizon, ...]


def pits(world: World) -> list[Pit]:
    """All pits of the world's size, in the order of their numbers.

    Args:
        world: Whose Germany it is.
    """
    count = PITS[world.size]
    east, north = _spots(world, count)
    longitude, latitude = degrees(east, north)
    place = world.europe.place(east, north)
    numbers = np.sort(
        world.stream("pit numbers").choice(np.arange(11, 9_000), count, replace=False)
    )
    return [
        _pit(
            world, int(numbers[k]), float(east[k]), float(north[k]),
            float(longitude[k]), float(latitude[k]), {n: float(v[k]) for n, v in place.items()},
        )
        for k in range(count)
    ]  # fmt: skip


def _spots(world: World, count: int) -> tuple[Array, Array]:
    """EPSG:3035 metres of nodes of the grid in Germany, in random order."""
    east, north = np.meshgrid(
        np.arange(4_032_000.0, 4_680_000.0, _GRID), np.arange(2_688_000.0, 3_560_000.0, _GRID)
    )
    east, north = east.ravel(), north.ravel()
    region, land = world.europe.region(east, north)
    germany = [code for code, *_ in COUNTRIES].index("DE")
    longitude, latitude = degrees(east, north)
    west, south, right, top = _BOUNDS
    inside = (longitude > west) & (longitude < right) & (latitude > south) & (latitude < top)
    use = land & inside & (world.europe.regions.country[region] == germany)
    chosen = world.stream("pits").permutation(np.flatnonzero(use))[:count]
    return east[chosen], north[chosen]


def _pit(
    world: World,
    number: int,
    east: float,
    north: float,
    longitude: float,
    latitude: float,
    place: dict[str, float],
) -> Pit:
    draw = world.stream(f"pit {number}")
    setting = _setting(place, longitude, latitude, draw)
    kind = soil_type(setting, draw)
    layers = sequence(kind, setting, draw)
    raw = written([symbol for symbol, _, _ in layers], setting, draw)
    horizons = tuple(
        horizon(symbol, name, top, bottom, setting, draw)
        for (symbol, top, bottom), name in zip(layers, raw, strict=True)
    )
    site = _site(kind, setting, horizons, longitude, latitude, draw)
    state = _nearest(_STATES, longitude, latitude)
    return Pit(
        number, state, east, north, longitude, latitude, setting, kind, site, horizons
    )  # fmt: skip


def _nearest(middles: dict[str, tuple[float, float]], longitude: float, latitude: float) -> str:
    """Name of the nearest middle; a degree of longitude is two thirds of one of latitude here."""
    return min(
        middles,
        key=lambda name: (
            ((middles[name][0] - longitude) / 1.5) ** 2 + (middles[name][1] - latitude) ** 2
        ),
    )


def _setting(
    place: dict[str, float], longitude: float, latitude: float, draw: np.random.Generator
) -> Setting:
    """What made the soil of a place: relief, then parent material, then water and land use."""
    flat = float(np.clip(0.25 * (latitude - 50.0), 0.0, 1.0))
    form = str(
        draw.choice(list("KHVT"), p=_shares(0.12, 0.48 - 0.3 * flat, 0.22 + 0.3 * flat, 0.2))
    )
    marsh = longitude < 9.2 and latitude > 53.2 and form in "VT" and draw.uniform() < 0.7
    parent = "mud" if marsh else _material(place, latitude, form, draw)
    lime, leached = _carbonate(place, parent, form, draw)
    sand, silt, clay = _fractions(place, parent, draw)
    massive = parent in ("limestone", "slate", "granite", "red sandstone")
    thin = {"K": 0.6, "H": 1.0, "V": 1.3, "T": 2.2}[form]
    rock = 80.0 * thin * np.exp(draw.normal(0.0, 0.45)) if massive else DEEP
    wet = place["wetness"] + 0.4 * draw.normal()
    water = {"K": DEEP, "H": 600.0, "V": 230.0, "T": 95.0}[form] * np.exp(-0.55 * wet)
    if marsh:
        water = 110.0 * np.exp(0.25 * draw.normal())
    boggy = form in "VT" and not marsh and lime < 30 and wet + 0.5 * draw.normal() > 1.35
    peat = float(np.clip(60.0 * np.exp(0.6 * draw.normal()), 12.0, 250.0)) if boggy else 0.0
    slope = {"K": 4.0, "H": 7.0, "V": 0.9, "T": 0.8}[form] * np.exp(0.6 * draw.normal())
    slope *= 1.0 if form in "VT" else 1.0 + place["elevation"] / 900.0
    use = _use(place, slope, min(water, 150.0) if not peat else 30.0, draw)
    dense = 1.0 / (1.0 + np.exp(-(0.09 * (clay - 24.0) + 0.5 * wet + 0.6 * draw.normal())))
    return Setting(
        parent=parent, lime=lime, leached=leached, sand=sand, silt=silt, clay=clay,
        stones=float(PARENTS[parent].stones * np.exp(0.4 * draw.normal())), rock=float(rock),
        water=float(min(water, DEEP)), dense=float(dense), peat=peat, slope=float(slope), form=form,
        use=use, rain=place["precipitation"], warmth=place["temperature"], marsh=marsh,
        fertile=float(np.exp(0.012 * (clay - 20.0) - 0.02 * (place["temperature"] - 9.0)
                             + 0.15 * draw.normal())),
    )  # fmt: skip


def _shares(*parts: float) -> Array:
    return np.array(parts) / sum(parts)


def _material(
    place: dict[str, float], latitude: float, form: str, draw: np.random.Generator
) -> str:
    """Parent material: ice and wind left the north, rock stands in the uplands."""
    if form == "T" and draw.uniform() < 0.55:
        return "alluvium"
    high = (place["elevation"] - 350.0) / 450.0
    north = float(np.clip((latitude - 51.5) / 1.5, -1.0, 1.0))
    scores = {
        "sand": 0.7 + 0.8 * place["sandiness"] + 0.9 * north,
        "loess": 1.0 - 1.0 * max(high, 0.0) - 0.5 * max(north, 0.0),
        "till": 1.1 * north,
        "clay": -0.2 + 0.8 * place["clayiness"] - 0.5 * north,
        "limestone": -0.8 + 1.0 * place["lime"] - 0.8 * north,
        "slate": -0.3 + high - 1.2 * north,
        "granite": -0.8 + high - 1.2 * north,
        "red sandstone": -0.8 + 0.5 * high + 0.5 * place["ore"] - 0.8 * north,
    }
    noisy = {name: score + draw.gumbel(0.0, 0.45) for name, score in scores.items()}
    return max(noisy, key=noisy.__getitem__)


def _carbonate(
    place: dict[str, float], parent: str, form: str, draw: np.random.Generator
) -> tuple[float, float]:
    """Carbonate of the parent material in percent, and the depth in cm it is washed out to.

    Rain washes it out, most where there is little; slopes and crests lose what was washed out.
    """
    most, least = {
        "limestone": (72.0, -9.0), "loess": (15.0, -0.8), "till": (11.0, -0.5),
        "clay": (16.0, 0.1), "alluvium": (9.0, 0.0), "mud": (6.0, -9.0),
    }.get(parent, (0.0, 9.0))  # fmt: skip
    if place["lime"] + 0.3 * draw.normal() < least:
        return 0.0, DEEP
    lime = float(min(most * np.exp(0.25 * draw.normal()), 90.0)) if most else 0.0
    if not lime:
        return 0.0, DEEP
    leached = 0.22 * (place["precipitation"] - 480.0) - 0.6 * (lime - 10.0) + 18.0 * draw.normal()
    return lime, float(np.clip(leached * {"K": 0.4, "H": 0.8}.get(form, 1.0), 0.0, 150.0))


def _fractions(
    place: dict[str, float], parent: str, draw: np.random.Generator
) -> tuple[float, float, float]:
    """Sand, silt and clay in percent: those of the parent material, shifted."""
    shift = (0.30 * draw.normal(), 0.22 * draw.normal(),
             0.25 * place["clayiness"] * 0.6 + 0.28 * draw.normal())  # fmt: skip
    parts = np.array(PARENTS[parent].fractions) * np.exp(shift)
    sand, silt, clay = 100.0 * parts / parts.sum()
    return float(sand), float(silt), float(clay)


def _use(place: dict[str, float], slope: float, water: float, draw: np.random.Generator) -> LandUse:
    """Land use: grass where it is steep or wet, vines and orchards on a few warm slopes."""
    if place["temperature"] > 9.0 and slope > 6 and draw.uniform() < 0.2:
        return "S"
    grass = -1.2 + 0.09 * slope + 0.02 * max(90.0 - water, 0.0) + 0.8 * (place["cover"] == 1)
    return "G" if draw.uniform() < 1.0 / (1.0 + np.exp(-grass)) else "A"


_CODES = {"BC": "BBc", "RR": "RRn", "RZ": "RZn"}
_AT_TOP = {"K": "K", "H": "OMU", "V": "ZR", "T": "ZRU"}


def _site(
    kind: str,
    setting: Setting,
    horizons: tuple[Horizon, ...],
    longitude: float,
    latitude: float,
    draw: np.random.Generator,
) -> dict[str, object]:
    """What is recorded of a site, in raw codes; None where nothing is written."""
    said = CONFUSED[kind] if draw.uniform() < _MISTAKEN else kind
    # One measurement in a year that was drier or wetter than the mean.
    measured = setting.water + 15.0 * draw.normal()
    water = max(5, round(measured)) if measured < 200 else None
    steep = int(np.searchsorted(_SLOPES, setting.slope, side="right"))
    sampled = int(draw.integers(2011, 2019))
    top, below = _stock(horizons, 0, 30), _stock(horizons, 30, 100)
    return {
        "sampling_month": int(draw.choice(np.arange(1, 13), p=_shares(*_MONTHS))),
        "sampling_year": sampled,
        "soil_climate_region": _nearest(_REGIONS, longitude, latitude),
        "land_use": setting.use,
        "peatland": "ja" if setting.peat >= 30 else "nein",
        "soil_type": _CODES.get(said, f"{said}n"),
        "groundwater_class": _water_class(setting, draw),
        "groundwater_depth": ">200" if water is None else str(water),
        "peatland_thickness": round(setting.peat + 20 * draw.uniform()) if setting.peat else None,
        "peat_thickness": round(setting.peat) if setting.peat else None,
        "slope": f"N{steep}" + (f".{draw.integers(1, 3)}" if 1 < steep < 5 else ""),
        "aspect": _aspect(steep, draw),
        "curvature": _curvature(setting.form, draw),
        "relief_form": f"{setting.form}{draw.choice(list('FLSE'))}"
        if draw.uniform() > 0.03 else "---",
        "relief_position": str(draw.choice(list(_AT_TOP[setting.form])))
        if draw.uniform() > 0.03 else "0",
        "carbon_stock_0_30": round(top * np.exp(0.05 * draw.normal()), 1),
        "carbon_stock_30_100": round(below * np.exp(0.08 * draw.normal()), 1),
    }  # fmt: skip


_MONTHS = (2, 3, 9, 10, 7, 5, 5, 8, 12, 14, 12, 4)


def _water_class(setting: Setting, draw: np.random.Generator) -> str:
    """Class of the mean depth of groundwater, one off in a tenth of the pits."""
    if setting.water >= DEEP:
        return "---"
    number = int(np.searchsorted(_WATER, setting.water, side="right")) + 1
    number = int(np.clip(number + draw.choice([-1, 0, 1], p=[0.05, 0.9, 0.05]), 1, 6))
    return f"{number}.{draw.integers(1, 3)}" if draw.uniform() < 0.15 else str(number)


def _aspect(steep: int, draw: np.random.Generator) -> str:
    if steep == 0:
        return str(draw.choice(["KE", "0", "---"], p=[0.7, 0.2, 0.1]))
    return str(draw.choice(_ASPECTS))


def _curvature(form: str, draw: np.random.Generator) -> str:
    """Along and across the slope: X convex, G straight, V concave."""
    usual = {"K": "X", "H": "G", "V": "G", "T": "V"}[form]
    if form == "V" and draw.uniform() < 0.1:
        return str(draw.choice(["0", "---"]))
    return "".join(usual if draw.uniform() < 0.7 else str(draw.choice(list("XGV"))) for _ in "12")


def _stock(horizons: tuple[Horizon, ...], top: float, bottom: float) -> float:
    """Organic carbon in t/ha between two depths in cm."""
    carbon = 10.0 * np.array([h.organic for h in horizons]) / _ORGANIC_TO_CARBON
    clay, sand = np.array([h.clay for h in horizons]), np.array([h.sand for h in horizons])
    ploughed = np.array([h.symbol.endswith("p") for h in horizons])
    density = bulk_density(np.maximum(carbon, 0.3), clay, sand, ploughed)
    inside = np.array([max(0.0, min(h.bottom, bottom) - max(h.top, top)) for h in horizons])
    fine = 1.0 - np.array([h.stones for h in horizons]) / 100.0
    # g/kg times g/cm3 times cm is 10 g/m2, a tenth of a t/ha.
    return float((carbon * density * inside * fine).sum() / 10.0)
