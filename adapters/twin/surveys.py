"""The four LUCAS surveys as they write themselves.

Belongs here: which points a survey visits, what it measures how well, and its native files.
Never here: soil relations.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from adapters.twin.europe import COUNTRIES, LAND_COVERS, Array, Europe, degrees, metres
from adapters.twin.files import Cells, write_csv, write_dbf, write_xlsx
from adapters.twin.planting import Draft, measure, measure_texture
from adapters.twin.soil import soil

LUCAS_BOUNDS = (-32.0, 27.0, 45.0, 72.0)
# Codes of one land cover each, in the order of LAND_COVERS; 2018 is finer than 2009 for woodland.
_COVER_CODES = {
    2009: (("B11", "B13", "B16"), ("E20", "E10"), ("C10", "C20", "C30"), ("D20",), ("H11",)),
    2018: (("B11", "B13", "B16"), ("E20", "E10"), ("C10", "C22", "C32"), ("D20",), ("H11",)),
}
_COVER_WORDS = {
    "B11": "Common wheat", "B13": "Barley", "B16": "Maize",
    "E10": "Grassland with sparse tree/shrub cover", "E20": "Grassland without tree/shrub cover",
    "C10": "Broadleaved woodland", "C20": "Coniferous woodland", "C30": "Mixed woodland",
    "C22": "Pine dominated coniferous woodland", "C32": "Pine dominated mixed woodland",
    "D20": "Shrubland without tree cover", "H11": "Inland marshes",
}  # fmt: skip
_USE = (
    ("U111", "Agriculture (excluding fallow land and kitchen gardens)"),
    ("U111", "Agriculture (excluding fallow land and kitchen gardens)"),
    ("U120", "Forestry"),
    ("U420", "Semi-natural and natural areas not in use"),
    ("U420", "Semi-natural and natural areas not in use"),
)
# WRB names of the soil map by cover.
_WRB = (
    ("CMeu", "LVha", "CHha"),
    ("CMdy", "GLeu", "FLeu"),
    ("PZha", "CMdy", "LPdy"),
    ("LPrz", "CMca"),
    ("HSfi",),
)
# Spellings of a value below detection in the published file; the last occurs once.
_BELOW = ("< LOD", "<LOD", "< LOD>")
LIMITS_2018 = {"EC": 0.1, "OC": 2.0, "CaCO3": 1.0, "P": 10.0, "N": 0.2, "K": 10.0}


@dataclass(frozen=True)
class Counts:
    """Rows of each survey at one size."""

    lucas_2009: int
    romania_bulgaria: int
    lucas_2015: int
    switzerland: int
    lucas_2018: int


COUNTS = {
    "tiny": Counts(90, 12, 90, 60, 90),
    "demo": Counts(1100, 110, 1000, 150, 900),
    "full": Counts(19_969, 2_034, 21_859, 150, 18_984),
}


@dataclass(frozen=True)
class Surveys:
    """Points of all LUCAS surveys of one synthetic Europe."""

    europe: Europe
    counts: Counts

    @cached_property
    def nodes(self) -> tuple[Array, Array, np.ndarray]:
        """Easting, northing (km) and country of every 2-km grid node that some survey visits.

        Those of Romania and Bulgaria come last.
        """
        counts, draw = self.counts, self.europe.stream("nodes")
        wanted = {False: counts.lucas_2009 + counts.lucas_2015, True: counts.romania_bulgaria}
        parts: dict[bool, list[np.ndarray]] = {False: [], True: []}
        found, seen = {False: 0, True: 0}, set()
        late = [i for i, c in enumerate(COUNTRIES) if c[0] in ("BG", "RO")]
        outside = [i for i, c in enumerate(COUNTRIES) if c[0] == "CH"]
        while any(found[k] < wanted[k] for k in wanted):
            east, north = (
                draw.integers(1300, 3000, 20_000) * 2,
                draw.integers(750, 2600, 20_000) * 2,
            )
            code = np.unique(east * 10_000 + north)
            code = draw.permutation(code[~np.isin(code, list(seen))])
            seen.update(code.tolist())
            east, north = code // 10_000, code % 10_000
            region, land = self.europe.region(east * 1000.0, north * 1000.0)
            country = self.europe.regions.country[region]
            longitude, latitude = degrees(east * 1000.0, north * 1000.0)
            # Whole grid nodes keep well inside the bounds, so that GPS scatter cannot leave them.
            inside = (longitude > -31) & (longitude < 44) & (latitude > 28) & (latitude < 71)
            use = land & inside & ~np.isin(country, outside)
            for is_late in (False, True):
                rows = use & (np.isin(country, late) == is_late)
                parts[is_late].append(np.column_stack([east, north, country])[rows])
                found[is_late] += int(rows.sum())
        table = np.concatenate([np.concatenate(parts[k])[: wanted[k]] for k in (False, True)])
        return table[:, 0], table[:, 1], table[:, 2]

    def visited(self, year: int) -> np.ndarray:
        """Indices into the nodes; 2015 revisits four in five, 2018 visits points of either."""
        counts = self.counts
        first = np.arange(counts.lucas_2009)
        late = np.arange(len(self.nodes[0]) - counts.romania_bulgaria, len(self.nodes[0]))
        if year == 2009:
            return np.concatenate([first, late])
        draw = self.europe.stream(f"visited {year}")
        old = np.concatenate([first, late])
        again = min(len(old), round(0.8 * counts.lucas_2015))
        new = counts.lucas_2009 + np.arange(counts.lucas_2015 - again)
        visited = np.concatenate([draw.permutation(old)[:again], new])
        if year == 2015:
            return np.sort(visited)
        layered = round(0.04 * counts.lucas_2018)
        pool = np.union1d(visited, draw.permutation(old))
        return np.sort(draw.permutation(pool)[: counts.lucas_2018 - layered])

    def positions(self, index: np.ndarray, scatter_m: float, name: str) -> tuple[Array, Array]:
        """EPSG:3035 metres near the grid nodes."""
        draw = self.europe.stream(f"scatter {name}")
        east, north, _ = self.nodes
        away = draw.normal(0, scatter_m, (2, len(index)))
        return east[index] * 1000.0 + away[0], north[index] * 1000.0 + away[1]


def _point_ids(surveys: Surveys, index: np.ndarray) -> list[str]:
    east, north, _ = surveys.nodes
    return [f"{e:04d}{n:04d}" for e, n in zip(east[index], north[index], strict=True)]


def _covers(draw: np.random.Generator, place: dict[str, Array], year: int) -> list[str]:
    return [
        str(draw.choice(_COVER_CODES[2009 if year == 2009 else 2018][cover]))
        for cover in place["cover"]
    ]


def truth_of(
    europe: Europe, place: dict[str, Array], layer: dict[str, Array], names: tuple[str, ...]
) -> dict[str, object]:
    """Truth of the row and of what the aligned sources say of its place."""
    top = soil(
        place, np.zeros(len(place["cover"])), np.full(len(place["cover"]), 20.0),
        np.full(len(place["cover"]), 2009.0),
    )  # fmt: skip
    return {
        "longitude": place["longitude"],
        "latitude": place["latitude"],
        "nuts_2": [str(v) for v in europe.regions.code[place["region"]]],
        **{name: layer[name] for name in names},
        "arsenic_topsoils.arsenic": top["arsenic"],
        "efsa_spatial_data.bulk_density": top["bulk_density"],
        "efsa_spatial_data.ph": top["ph_h2o"],
    }


def _chemistry(draw: np.random.Generator, layer: dict[str, Array]) -> dict[str, list[object]]:
    """The properties of all surveys, in LUCAS units."""
    return {
        "ph_h2o": measure(draw, layer["ph_h2o"], 2, absolute=0.05, low=2.5),
        "ph_cacl2": measure(draw, layer["ph_cacl2"], 2, absolute=0.05, low=2.5),
        "organic_carbon": measure(draw, layer["organic_carbon"], 1, relative=0.04, high=580),
        "calcium_carbonate": measure(draw, layer["calcium_carbonate"], 0, relative=0.04, high=900),
        "total_nitrogen": measure(draw, layer["total_nitrogen"], 1, relative=0.05, high=50),
        "phosphorus": measure(draw, layer["phosphorus"], 1, relative=0.06),
        "potassium": measure(draw, layer["potassium"], 1, relative=0.05),
    }


_COMMON = (
    "clay", "silt", "sand", "coarse_fragments", "ph_h2o", "ph_cacl2", "organic_carbon",
    "calcium_carbonate", "total_nitrogen", "phosphorus", "potassium",
)  # fmt: skip


def _slip(factor: float, limit: float):  # noqa: ANN202
    """Alter by a factor, where that leaves the plausible range."""

    def alter(value: object) -> object | None:
        changed = round(value * factor, 3)
        return changed if changed > limit else None

    return alter


def _spoil_sum(value: object) -> object | None:
    """A fraction misread so that the sum misses 100 by far, yet each fraction stays possible."""
    return value + 21 if value <= 70 else None


def lucas_2009(surveys: Surveys, folder: Path) -> Draft:
    """Two workbooks, PTotal2009.csv and LUCAS.SOIL_corr.csv."""
    europe, draw = surveys.europe, surveys.europe.stream("lucas_2009")
    index = surveys.visited(2009)
    first = surveys.counts.lucas_2009
    place = europe.place(*surveys.positions(index, 40.0, "2009"))
    n = len(index)
    year = np.where(np.arange(n) < first, 2009.0, 2012.0)
    layer = soil(place, np.zeros(n), np.full(n, 20.0), year)
    ids = _point_ids(surveys, index)
    truth = truth_of(europe, place, layer, (*_COMMON, "cec", "total_phosphorus"))
    draft = Draft("lucas_2009_topsoil", ids, truth)
    clay, silt, sand = measure_texture(draw, layer, 0)
    lab = _chemistry(draw, layer)
    cells: Cells = {
        "sample_ID": [f"{row + 1}" for row in range(n)],
        "POINT_ID": [int(v) for v in ids],
        "GPS_LAT": [round(float(v), 6) for v in place["latitude"]],
        "GPS_LONG": [round(float(v), 6) for v in place["longitude"]],
        "coarse": measure(draw, layer["coarse_fragments"], 0, absolute=1.0, high=100),
        "clay": clay,
        "silt": silt,
        "sand": sand,
        "pH_in_H2O": lab["ph_h2o"],
        "pH_in_CaCl2": lab["ph_cacl2"],
        "OC": lab["organic_carbon"],
        "CaCO3": lab["calcium_carbonate"],
        "N": lab["total_nitrogen"],
        "P": lab["phosphorus"],
        "K": lab["potassium"],
        "CEC": measure(draw, layer["cec"], 1, relative=0.05),
    }
    draft.swap_coordinates(draw, cells, "GPS_LONG", "GPS_LAT", LUCAS_BOUNDS)
    main = range(first)
    draft.plant(
        draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", _slip(1000, 600), main
    )
    draft.plant(
        draw, cells["pH_in_H2O"], "ph_h2o", "shifted_decimal", "out_of_range", _slip(10, 10), main
    )
    draft.plant(draw, cells["sand"], None, "misread_fraction", "texture_sum", _spoil_sum, main)
    # mg/100 g in the file of Romania and Bulgaria alone.
    nitrogen = [v if row < first else round(v * 100.0, 1) for row, v in enumerate(cells["N"])]
    cells["N"] = nitrogen
    headers = list(cells)
    rows = list(zip(*cells.values(), strict=True))
    write_xlsx(folder / "LUCAS_TOPSOIL_v1.xlsx", {"LUCAS_TOPSOIL_v1": [headers, *rows[:first]]})
    supplement = [row[1:] for row in rows[first:]]
    write_xlsx(folder / "LUCAS_Romania_Bulgaria_2012.xlsx", {"Sheet1": [headers[1:], *supplement]})
    phosphorus = measure(draw, layer["total_phosphorus"], 1, relative=0.05)
    have = np.flatnonzero(draw.uniform(size=n) < 0.97)
    write_csv(
        folder / "PTotal2009.csv",
        {"POINT_ID": [ids[r] for r in have], "PTotal": [phosphorus[r] for r in have]},
    )
    day = draw.integers(1, 29, n)
    month = draw.integers(5, 11, n)
    wrb: list[object] = [str(draw.choice(_WRB[c])) for c in place["cover"][:first]]
    draft.plant(draw, wrb, "wrb_full", "unknown_code", "code_unknown", lambda _: "QQzz")
    country = [COUNTRIES[c][1] for c in surveys.nodes[2][index]]
    write_csv(
        folder / "LUCAS.SOIL_corr.csv",
        {
            "sample.ID": cells["sample_ID"][:first],
            "POINT_ID": ids[:first],
            "iso.country": country[:first],
            "SURV_DATE": [f"{d:02d}/{m:02d}/09" for d, m in zip(day, month, strict=True)][:first],
            "LC1": _covers(draw, place, 2009)[:first],
            "LU1": [_USE[c][0] for c in place["cover"]][:first],
            "WRBFU": wrb,
        },
    )
    return draft


def lucas_2015(surveys: Surveys, folder: Path) -> Draft:
    """LUCAS_Topsoil_2015_20200323.csv without, its shapefile with coordinates."""
    import shapely

    europe, draw = surveys.europe, surveys.europe.stream("lucas_2015")
    index = surveys.visited(2015)
    n = len(index)
    place = europe.place(*surveys.positions(index, 40.0, "2015"))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2015.0))
    ids = _point_ids(surveys, index)
    revisit = np.isin(index, surveys.visited(2009))
    truth = truth_of(europe, place, layer, (*_COMMON, "electrical_conductivity", "elevation"))
    draft = Draft("lucas_2015_topsoil", ids, truth)
    clay, silt, sand = measure_texture(draw, layer, 0)
    # Texture was not measured again at most revisited points.
    bare = revisit & (draw.uniform(size=n) < 0.7)
    lab = _chemistry(draw, layer)
    region = europe.regions.code[place["region"]]
    cover = _covers(draw, place, 2015)
    texture = {
        name: [None if b else v for v, b in zip(values, bare, strict=True)]
        for name, values in (("Clay", clay), ("Sand", sand), ("Silt", silt))
    }
    cells: Cells = {
        "Point_ID": ids,
        "Coarse": measure(draw, layer["coarse_fragments"], 0, absolute=1.0, high=100),
        **texture,
        "pH(CaCl2)": lab["ph_cacl2"],
        "pH(H2O)": lab["ph_h2o"],
        "EC": measure(draw, layer["electrical_conductivity"], 2, relative=0.05),
        "OC": lab["organic_carbon"],
        "CaCO3": lab["calcium_carbonate"],
        "P": lab["phosphorus"],
        "N": lab["total_nitrogen"],
        "K": lab["potassium"],
        "Elevation": measure(draw, layer["elevation"], 0, absolute=5.0),
        "NUTS_0": [str(v)[:2] for v in region],
        "NUTS_1": [str(v)[:3] for v in region],
        "NUTS_2": [str(v) for v in region],
        "NUTS_3": [f"{v}1" for v in region],
        "LC1": cover,
        "LU1": [_USE[c][0] for c in place["cover"]],
        "LC1_Desc": [_COVER_WORDS[c] for c in cover],
        "LU1_Desc": [_USE[c][1] for c in place["cover"]],
        "Revisited_point": ["Yes" if r else "No" for r in revisit],
        "Soil_Stones": [str(v) for v in draw.integers(1, 5, n)],
        "Soil_Group": ["Organic" if v > 120 else "Mineral" for v in layer["organic_carbon"]],
    }
    draft.plant(draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", _slip(1000, 600))
    draft.plant(
        draw, cells["pH(CaCl2)"], "ph_cacl2", "shifted_decimal", "out_of_range", _slip(10, 10)
    )
    draft.plant(draw, cells["Sand"], None, "misread_fraction", "texture_sum", _spoil_sum)
    positions: Cells = {
        "Point_ID": [int(v) for v in ids],
        "Long": [round(float(v), 6) for v in place["longitude"]],
        "Lat": [round(float(v), 6) for v in place["latitude"]],
        "pH_CaCl2": cells["pH(CaCl2)"],
        "pH_H20": cells["pH(H2O)"],
        "OC": cells["OC"],
        # A place name with a letter outside ASCII, so that the encoding matters.
        "LC1_Desc": [
            f"{_COVER_WORDS[c]} (forêt)" if c[0] == "C" else _COVER_WORDS[c] for c in cover
        ],
    }
    draft.swap_coordinates(draw, positions, "Long", "Lat", LUCAS_BOUNDS)
    write_csv(folder / "LUCAS_Topsoil_2015_20200323.csv", cells)
    points = shapely.points(positions["Long"], positions["Lat"])
    write_dbf(
        folder / "LUCAS_Topsoil_2015_20200323.shp",
        positions,
        shapely.to_wkb(points, byte_order=1),
        "Point",
        "EPSG:4326",
    )
    return draft


def switzerland(surveys: Surveys, folder: Path) -> Draft:
    """One workbook: two blocks of columns of the same names, spade and gouge auger."""
    europe, draw = surveys.europe, surveys.europe.stream("switzerland")
    n = surveys.counts.switzerland
    longitude, latitude = draw.uniform(6.4, 10.1, n), draw.uniform(46.1, 47.6, n)
    place = europe.place(*metres(longitude, latitude))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2015.0))
    keys = [f"CH{row + 1:04d}" for row in range(n)]
    names = (*[c for c in _COMMON if c != "coarse_fragments"], "electrical_conductivity")
    truth = truth_of(europe, place, layer, names)
    # The auger takes the same soil; its values scatter more.
    truth |= {f"{name}_auger": layer[name] for name in names}
    draft = Draft("lucas_2015_topsoil_switzerland", keys, truth)
    classes = {0: "arable", 1: "grassland"}
    common: Cells = {
        "Soil ID": keys,
        "sampling location": [f"Standort {row + 1} Zürich" for row in range(n)],
        "land cover class": [classes.get(int(c), "woodland") for c in place["cover"]],
        "GPS_LONG": [round(float(v), 6) for v in longitude],
        "GPS_LAT": [round(float(v), 6) for v in latitude],
    }
    draft.swap_coordinates(draw, common, "GPS_LONG", "GPS_LAT", (5.9, 45.8, 10.6, 47.9))
    blocks: dict[str, Cells] = {}
    for block in ("spade", "auger"):
        clay, silt, sand = measure_texture(draw, layer, 1)
        lab = _chemistry(draw, layer)
        blocks[block] = {
            "clay": clay, "silt": silt, "sand": sand, "OC": lab["organic_carbon"],
            "N": lab["total_nitrogen"], "K": lab["potassium"], "P": lab["phosphorus"],
            "CaCO3": lab["calcium_carbonate"], "pH(H2O)": lab["ph_h2o"],
            "pH(CaCl2)": lab["ph_cacl2"],
            "EC": measure(draw, layer["electrical_conductivity"], 2, relative=0.05),
        }  # fmt: skip
    draft.plant(
        draw, blocks["spade"]["OC"], "organic_carbon", "unit_slip", "out_of_range", _slip(1000, 600)
    )
    draft.plant(
        draw,
        blocks["auger"]["pH(H2O)"],
        "ph_h2o_auger",
        "shifted_decimal",
        "out_of_range",
        _slip(10, 10),
    )
    above = [None] * len(common)
    for block, cells in blocks.items():
        above += [block] + [None] * (len(cells) - 1)
    headers = [*common, *(h for cells in blocks.values() for h in cells)]
    columns = [*common.values(), *(v for cells in blocks.values() for v in cells.values())]
    write_xlsx(
        folder / "LUCAS_2015_Switzerland.xlsx",
        {"Data": [above, headers, *zip(*columns, strict=True)]},
    )
    return draft


def lucas_2018(surveys: Surveys, folder: Path) -> Draft:
    """LUCAS-SOIL-2018.csv and its four add-ons."""
    europe, draw = surveys.europe, surveys.europe.stream("lucas_2018")
    sites = surveys.visited(2018)
    layered = surveys.counts.lucas_2018 - len(sites)
    index = np.concatenate([sites, sites[:layered]])
    top, bottom = np.zeros(len(index)), np.full(len(index), 20.0)
    bottom[:layered] = 10.0
    top[len(sites) :] = 10.0
    n = len(index)
    place = europe.place(*surveys.positions(index, 0.0, "2018"))
    year = np.full(n, 2018.0)
    layer, deep = soil(place, top, bottom, year), soil(place, top * 0 + 20, top * 0 + 30, year)
    ids = _point_ids(surveys, index)
    labels = [f"{int(a)}-{int(b)} cm" for a, b in zip(top, bottom, strict=True)]
    names = (
        "ph_h2o", "ph_cacl2", "organic_carbon", "calcium_carbonate", "total_nitrogen",
        "phosphorus", "potassium", "electrical_conductivity", "elevation", "oxalate_al",
        "oxalate_fe",
    )  # fmt: skip
    truth = truth_of(europe, place, layer, names)
    truth |= {
        "organic_carbon_20_30": deep["organic_carbon"],
        "calcium_carbonate_20_30": deep["calcium_carbonate"],
    }
    draft = Draft(
        "lucas_2018_topsoil", [f"{p}|{d}" for p, d in zip(ids, labels, strict=True)], truth
    )
    lab, region, cover = (
        _chemistry(draw, layer),
        europe.regions.code[place["region"]],
        _covers(draw, place, 2018),
    )
    country = [str(v)[:2] for v in region]
    deeper = draw.uniform(size=n) < np.where(np.array(country) == "ES", 0.0, 0.25)
    oxalate = draw.uniform(size=n) < 0.4

    def sparse(values: list[object], have: np.ndarray) -> list[object]:
        return [v if h else None for v, h in zip(values, have, strict=True)]

    deep_lab = _chemistry(draw, deep)
    cells: Cells = {
        "Depth": labels,
        "POINTID": ids,
        "pH_CaCl2": lab["ph_cacl2"],
        "pH_H2O": lab["ph_h2o"],
        "EC": measure(draw, layer["electrical_conductivity"], 2, relative=0.05),
        "OC": lab["organic_carbon"],
        "CaCO3": lab["calcium_carbonate"],
        "P": lab["phosphorus"],
        "N": lab["total_nitrogen"],
        "K": lab["potassium"],
        "OC (20-30 cm)": sparse(deep_lab["organic_carbon"], deeper),
        "CaCO3 (20-30 cm)": sparse(deep_lab["calcium_carbonate"], deeper),
        # Written in g/kg: the unit that readers dispute.
        "Ox_Al": sparse(measure(draw, layer["oxalate_al"] / 1000, 2, relative=0.05), oxalate),
        "Ox_Fe": sparse(measure(draw, layer["oxalate_fe"] / 1000, 2, relative=0.05), oxalate),
        "NUTS_0": country,
        "NUTS_1": [str(v)[:3] for v in region],
        "NUTS_2": [str(v) for v in region],
        "NUTS_3": [f"{v}1" for v in region],
        "TH_LAT": [round(float(v), 6) for v in place["latitude"]],
        "TH_LONG": [round(float(v), 6) for v in place["longitude"]],
        "SURVEY_DATE": [
            f"{d:02d}-{m:02d}-18"
            for d, m in zip(draw.integers(1, 29, n), draw.integers(4, 11, n), strict=True)
        ],
        "Elev": measure(draw, layer["elevation"], 0, absolute=5.0),
        "LC": cover,
        "LU": [_USE[c][0] for c in place["cover"]],
        "LC0_Desc": [LAND_COVERS[c] for c in place["cover"]],
        "LC1_Desc": [_COVER_WORDS[c] for c in cover],
        "LU1_Desc": [_USE[c][1] for c in place["cover"]],
    }
    draft.swap_coordinates(draw, cells, "TH_LONG", "TH_LAT", LUCAS_BOUNDS)
    draft.plant(draw, cells["pH_H2O"], "ph_h2o", "shifted_decimal", "out_of_range", _slip(10, 10))
    draft.plant(draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", _slip(1000, 600))
    _censor(draft, cells)
    write_csv(folder / "LUCAS-SOIL-2018.csv", cells)
    _add_ons_2018(surveys, sites, folder, draft, index)
    return draft


_CENSORED = {
    "EC": "electrical_conductivity", "OC": "organic_carbon", "CaCO3": "calcium_carbonate",
    "P": "phosphorus", "N": "total_nitrogen", "K": "potassium",
    "OC (20-30 cm)": "organic_carbon_20_30", "CaCO3 (20-30 cm)": "calcium_carbonate_20_30",
}  # fmt: skip


def _censor(draft: Draft, cells: Cells) -> None:
    """Write values below the published limits as text, in all spellings that occur."""
    count = 0
    for native, column in _CENSORED.items():
        limit = LIMITS_2018[native.split(" (")[0]]
        for row, value in enumerate(cells[native]):
            if value is None or value >= limit:
                continue
            written = "<0.0" if native == "P" and "<0.0" not in cells["P"] else _BELOW[count % 3]
            draft.record(row, column, "below_detection", value, written, "below_detection")
            cells[native][row], count = written, count + 1


def _add_ons_2018(
    surveys: Surveys, sites: np.ndarray, folder: Path, draft: Draft, index: np.ndarray
) -> None:
    """Bulk density, erosion, organic horizons and the texture of all campaigns, one row a point."""
    europe, draw = surveys.europe, surveys.europe.stream("lucas_2018 add-ons")
    n = len(sites)
    place = europe.place(*surveys.positions(sites, 0.0, "2018"))
    ids, year = np.array(_point_ids(surveys, sites)), np.full(n, 2018.0)
    row_of_site = np.searchsorted(sites, index)
    cells: Cells = {"POINT_ID": ids.tolist()}
    for top, bottom in ((0, 10), (10, 20), (20, 30), (0, 20)):
        layer = soil(place, np.full(n, float(top)), np.full(n, float(bottom)), year)
        density = layer["bulk_density"]
        cells[f"BD {top}-{bottom}"] = measure(draw, density, 3, relative=0.04, low=0.06, high=2.4)
        draft.truth[f"bulk_density_{top}_{bottom}"] = density[row_of_site]
    have = np.flatnonzero(draw.uniform(size=n) < 0.33)
    write_csv(
        folder / "BulkDensity_2018_final-2.csv", {k: [v[r] for r in have] for k, v in cells.items()}
    )
    signs = draw.uniform(size=n) < 0.12
    erosion: Cells = {"POINT_ID": ids.tolist(), "SURVEY_EROSION_SIGNS": [int(s) for s in signs]}
    for family in ("SHEET", "RILL", "GULLY", "MASS", "DEP", "WIND"):
        for side in "PNESW":
            erosion[f"SURVEY_EROSION_{family}_{side}"] = [
                int(v) for v in signs & (draw.uniform(size=n) < 0.2)
            ]
    for side in "NESW":
        rills = draw.integers(1, 8, n)
        seen = signs & (draw.uniform(size=n) < 0.3)
        erosion[f"SURVEY_EROSION_RILLGULLY_{side}"] = [
            int(v) if s else None for v, s in zip(rills, seen, strict=True)
        ]
    write_csv(folder / "LUCAS2018_EROSION.csv", erosion)
    wet = np.flatnonzero(place["cover"] == 4)
    wet = wet if len(wet) else np.arange(1)
    organic: Cells = {"POINT_ID": ids[wet].tolist()}
    for side in "PNESW":
        depth = draw.integers(5, 60, len(wet))
        organic[f"SURVEY_SOIL_ORG_DEPTH_{side}_CM"] = [int(v) for v in np.minimum(depth, 40)]
        organic[f"SURVEY_SOIL_ORG_DEPTH_{side}_40_CM"] = [int(v) for v in depth >= 40]
    organic["SURVEY_SOIL_ORG_CULTIVATED"] = [int(v) for v in draw.uniform(size=len(wet)) < 0.1]
    organic["SURVEY_SOIL_ORG_TAKEN"] = [1] * len(wet)
    write_csv(folder / "LUCAS2018_ORG.csv", organic)
    layer = soil(place, np.zeros(n), np.full(n, 20.0), year)
    clay, silt, sand = measure_texture(draw, layer, 0)
    bare = draw.uniform(size=n) < 0.06
    classes = [usda_class(a, b, c) for a, b, c in zip(clay, silt, sand, strict=True)]
    visited_2009 = np.isin(sites, surveys.visited(2009))

    def known(values: list[object]) -> list[object]:
        return [None if b else v for v, b in zip(values, bare, strict=True)]

    write_csv(
        folder / "LUCAS_Text_All_10032025.csv",
        {
            "POINTID": ids.tolist(),
            "Coarse": known(measure(draw, layer["coarse_fragments"], 0, absolute=1.0, high=100)),
            "Clay": known(clay),
            "Sand": known(sand),
            "Silt": known(silt),
            "PSDAvailable": [int(not b) for b in bare],
            "From": known(["2009" if v else "2015" for v in visited_2009]),
            "USDA": known(classes),
            "ISSS": known([isss_class(a, c) for a, c in zip(clay, sand, strict=True)]),
        },
    )
    for name in ("clay", "silt", "sand", "coarse_fragments"):
        draft.truth[name] = layer[name][row_of_site]


def usda_class(clay: float, silt: float, sand: float) -> str:
    """USDA texture class (Soil survey manual, Agriculture Handbook 18, 2017, chapter 3)."""
    if silt + 1.5 * clay < 15:
        return "sand"
    if silt + 2 * clay < 30:
        return "loamy sand"
    if clay >= 40:
        return "sandy clay" if sand > 45 else "silty clay" if silt >= 40 else "clay"
    if clay >= 35 and sand > 45:
        return "sandy clay"
    if clay >= 27:
        return "silty clay loam" if sand <= 20 else "clay loam" if sand <= 45 else "sandy clay loam"
    if clay >= 20 and silt < 28 and sand > 45:
        return "sandy clay loam"
    if silt >= 80 and clay < 12:
        return "silt"
    if silt >= 50:
        return "silt loam"
    if clay >= 7 and sand <= 52:
        return "loam"
    return "sandy loam"


def isss_class(clay: float, sand: float) -> str:
    """ISSS texture class, roughly: enough for a code that goes with the texture."""
    if clay >= 45:
        return "heavy clay"
    if clay >= 25:
        return "light clay" if sand < 55 else "sandy clay"
    return "clay loam" if clay >= 15 else "sandy loam" if sand >= 65 else "loam"
