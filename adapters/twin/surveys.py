"""LUCAS 2009, 2015 and 2015 Switzerland as they write themselves.

Belongs here: what a survey measures how well, and its native files.
Never here: which points it visits (`points.py`), soil relations.
"""

from pathlib import Path

import numpy as np

from adapters.twin.europe import COUNTRIES, metres
from adapters.twin.files import Cells, write_csv, write_dbf, write_xlsx
from adapters.twin.planting import Draft, Rows, measure, measure_texture, wanted
from adapters.twin.points import (
    COMMON,
    COVER_WORDS,
    LUCAS_BOUNDS,
    USE,
    Surveys,
    chemistry,
    covers,
    point_ids,
    rows_at,
    slip,
    spoil_sum,
    truth_of,
)
from adapters.twin.soil import soil
from adapters.twin.spectra import SCANNED, write_spectra

# WRB names of the soil map by cover.
_WRB = (
    ("CMeu", "LVha", "CHha"),
    ("CMdy", "GLeu", "FLeu"),
    ("PZha", "CMdy", "LPdy"),
    ("LPrz", "CMca"),
    ("HSfi",),
)

# Absorbance between two scans of one point of which one went wrong.
_APART = 0.6


def _in_files_2009(surveys: Surveys) -> np.ndarray:
    """Nodes of 2009 and 2012 in the order of the files: those of the islands last."""
    counts, index = surveys.counts, surveys.visited(2009)
    main, islands, late = np.split(index, [counts.main_2009, counts.lucas_2009])
    return np.concatenate([main, late, islands])


def rows_2009(surveys: Surveys) -> Rows:
    """Rows of LUCAS 2009 and 2012."""
    index = _in_files_2009(surveys)
    return rows_at(surveys, point_ids(surveys, index), index, 40.0, "2009")


def lucas_2009(surveys: Surveys, folder: Path, size: str) -> Draft:
    """Two workbooks, two shapefiles of islands, PTotal2009.csv, LUCAS.SOIL_corr.csv and spectra."""
    europe, draw = surveys.europe, surveys.europe.stream("lucas_2009")
    index, counts = _in_files_2009(surveys), surveys.counts
    numbered, late = counts.main_2009, counts.main_2009 + counts.romania_bulgaria
    place = europe.place(*surveys.positions(index, 40.0, "2009"))
    n = len(index)
    of_2012 = (np.arange(n) >= numbered) & (np.arange(n) < late)
    year = np.where(of_2012, 2012.0, 2009.0)
    layer = soil(place, np.zeros(n), np.full(n, 20.0), year)
    ids = point_ids(surveys, index)
    truth = truth_of(europe, place, layer, (*COMMON, "cec", "total_phosphorus"))
    draft = Draft("lucas_2009_topsoil", ids, truth)
    clay, silt, sand = measure_texture(draw, layer, 0)
    lab = chemistry(draw, layer)
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
    main = range(numbered)
    draft.plant(
        draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", slip(1000, 600), main
    )
    draft.plant(
        draw, cells["pH_in_H2O"], "ph_h2o", "shifted_decimal", "out_of_range", slip(10, 10), main
    )
    draft.plant(draw, cells["sand"], None, "misread_fraction", "texture_sum", spoil_sum, main)
    # mg/100 g in the file of Romania and Bulgaria alone.
    nitrogen = [
        round(v * 100.0, 1) if there else v for v, there in zip(cells["N"], of_2012, strict=True)
    ]
    cells["N"] = nitrogen
    headers = list(cells)
    rows = list(zip(*cells.values(), strict=True))
    write_xlsx(folder / "LUCAS_TOPSOIL_v1.xlsx", {"LUCAS_TOPSOIL_v1": [headers, *rows[:numbered]]})
    islands = np.split(np.arange(late, n), [counts.cyprus_malta])
    _island(folder / "SoilAttr_CYP_MLT.shp", cells, islands[0], nitrogen_in=1.0)
    _island(folder / "SoilAttr_ICELAND.shp", cells, islands[1], nitrogen_in=1000.0)
    supplement = [row[1:] for row in rows[numbered:late]]
    write_xlsx(folder / "LUCAS_Romania_Bulgaria_2012.xlsx", {"Sheet1": [headers[1:], *supplement]})
    phosphorus = measure(draw, layer["total_phosphorus"], 1, relative=0.05)
    have = np.flatnonzero(draw.uniform(size=n) < 0.97)
    write_csv(
        folder / "PTotal2009.csv",
        {"POINT_ID": [ids[r] for r in have], "PTotal": [phosphorus[r] for r in have]},
    )
    day = draw.integers(1, 29, n)[:numbered]
    month = draw.integers(5, 11, n)[:numbered]
    wrb: list[object] = [str(draw.choice(_WRB[c])) for c in place["cover"][:numbered]]
    draft.plant(draw, wrb, "wrb_full", "unknown_code", "code_unknown", lambda _: "QQzz")
    country = [COUNTRIES[c][1] for c in surveys.nodes[2][index]]
    write_csv(
        folder / "LUCAS.SOIL_corr.csv",
        {
            "sample.ID": cells["sample_ID"][:numbered],
            "POINT_ID": ids[:numbered],
            "iso.country": country[:numbered],
            "SURV_DATE": [f"{d:02d}/{m:02d}/09" for d, m in zip(day, month, strict=True)],
            "LC1": covers(draw, place, 2009)[:numbered],
            "LU1": [USE[c][0] for c in place["cover"]][:numbered],
            "WRBFU": wrb,
        },
    )
    scans = surveys.europe.stream("lucas_2009 spectra")
    scanned = np.sort(scans.choice(numbered, min(SCANNED[size], numbered), replace=False))
    write_spectra(
        folder / "LUCAS_TOPSOIL_v1_spectral.csv",
        {"POINT_ID": [ids[row] for row in scanned]},
        {name: values[scanned] for name, values in layer.items()},
        scans,
    )
    return draft


def _island(path: Path, cells: Cells, rows: np.ndarray, nitrogen_in: float) -> None:
    """A supplement of LUCAS 2009 as a shapefile, its headers cut; N is in g/kg times a factor."""
    import shapely

    some = {
        header[:10]: [values[row] for row in rows]
        for header, values in cells.items()
        if header != "sample_ID"
    }
    numbers = {h: np.array(some[h], dtype=np.float64) for h in ("N", "GPS_LONG", "GPS_LAT")}
    some["N"] = (numbers["N"] * nitrogen_in).round(1).tolist()
    points = shapely.points(numbers["GPS_LONG"], numbers["GPS_LAT"])
    write_dbf(path, some, shapely.to_wkb(points, byte_order=1), "Point", "EPSG:4326")


def rows_2015(surveys: Surveys) -> Rows:
    """Rows of LUCAS 2015."""
    index = surveys.visited(2015)
    return rows_at(surveys, point_ids(surveys, index), index, 40.0, "2015")


def lucas_2015(surveys: Surveys, folder: Path, size: str) -> Draft:
    """LUCAS_Topsoil_2015_20200323.csv without, its shapefile with coordinates; spectra."""
    import shapely

    europe, draw = surveys.europe, surveys.europe.stream("lucas_2015")
    index = surveys.visited(2015)
    n = len(index)
    place = europe.place(*surveys.positions(index, 40.0, "2015"))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2015.0))
    ids = point_ids(surveys, index)
    revisit = np.isin(index, surveys.visited(2009))
    truth = truth_of(europe, place, layer, (*COMMON, "electrical_conductivity", "elevation"))
    draft = Draft("lucas_2015_topsoil", ids, truth)
    clay, silt, sand = measure_texture(draw, layer, 0)
    # Texture was not measured again at most revisited points.
    bare = revisit & (draw.uniform(size=n) < 0.7)
    lab = chemistry(draw, layer)
    region = europe.regions.code[place["region"]]
    cover = covers(draw, place, 2015)
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
        "LU1": [USE[c][0] for c in place["cover"]],
        "LC1_Desc": [COVER_WORDS[c] for c in cover],
        "LU1_Desc": [USE[c][1] for c in place["cover"]],
        "Revisited_point": ["Yes" if r else "No" for r in revisit],
        "Soil_Stones": [str(v) for v in draw.integers(1, 5, n)],
        "Soil_Group": ["Organic" if v > 120 else "Mineral" for v in layer["organic_carbon"]],
    }
    draft.plant(draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", slip(1000, 600))
    draft.plant(
        draw, cells["pH(CaCl2)"], "ph_cacl2", "shifted_decimal", "out_of_range", slip(10, 10)
    )
    draft.plant(draw, cells["Sand"], None, "misread_fraction", "texture_sum", spoil_sum)
    positions: Cells = {
        "Point_ID": [int(v) for v in ids],
        "Long": [round(float(v), 6) for v in place["longitude"]],
        "Lat": [round(float(v), 6) for v in place["latitude"]],
        "pH_CaCl2": cells["pH(CaCl2)"],
        "pH_H20": cells["pH(H2O)"],
        "OC": cells["OC"],
        # A place name with a letter outside ASCII, so that the encoding matters.
        "LC1_Desc": [f"{COVER_WORDS[c]} (forêt)" if c[0] == "C" else COVER_WORDS[c] for c in cover],
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
    _spectra_2015(draft, surveys, folder, size, region, layer)
    return draft


def _spectra_2015(
    draft: Draft,
    surveys: Surveys,
    folder: Path,
    size: str,
    region: np.ndarray,
    layer: dict[str, np.ndarray],
) -> None:
    """One csv a country, blanks in its name; two scans a point, now and then far apart."""
    draw = surveys.europe.stream("lucas_2015 spectra")
    code = np.array([str(v)[:2] for v in region])
    # A small twin has few files, of the countries with most points.
    names, counts = np.unique(code, return_counts=True)
    some = names[np.argsort(-counts, kind="stable")][: SCANNED[size] // 4]
    clean = [row not in draft.touched for row in range(len(draft.keys))]
    points = np.flatnonzero(clean & np.isin(code, some))
    points = np.sort(draw.choice(points, min(SCANNED[size], len(points)), replace=False))
    far = set(draw.choice(points, wanted(len(points)), replace=False).tolist())
    for row in far:
        for column in ("absorbance", "absorbance_10nm"):
            draft.record(
                row, column, "scans_apart", "", f"{_APART} between scans", "replicates_differ"
            )
        draft.touched.add(row)
    for country in np.unique(code[points]):
        rows = np.repeat(points[code[points] == country], 2)
        second = np.tile([False, True], len(rows) // 2)
        write_spectra(
            folder / f"spectra_ {country} .csv",
            {
                "source": [f"spectra_{country}"] * len(rows),
                "SampleID": [f"{row + 1}" for row in rows],
                "NUTS_0": [country] * len(rows),
                "SampleN": [
                    f"{row + 1}_{2 if s else 1}" for row, s in zip(rows, second, strict=True)
                ],
                "PointID": [draft.keys[row] for row in rows],
            },
            {name: values[rows] for name, values in layer.items()},
            draw,
            np.where(second & np.isin(rows, list(far)), _APART, 0.0),
        )


def rows_switzerland(surveys: Surveys) -> Rows:
    """Rows of LUCAS 2015 Switzerland."""
    draw, n = surveys.europe.stream("switzerland places"), surveys.counts.switzerland
    keys = [f"CH{row + 1:04d}" for row in range(n)]
    return Rows(keys, draw.uniform(6.4, 10.1, n).round(6), draw.uniform(46.1, 47.6, n).round(6))


def switzerland(surveys: Surveys, folder: Path) -> Draft:
    """One workbook: two blocks of columns of the same names, spade and gouge auger."""
    europe, draw = surveys.europe, surveys.europe.stream("switzerland")
    rows = rows_switzerland(surveys)
    n, keys, longitude, latitude = len(rows.keys), rows.keys, rows.longitude, rows.latitude
    place = europe.place(*metres(longitude, latitude))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2015.0))
    names = (*[c for c in COMMON if c != "coarse_fragments"], "electrical_conductivity")
    truth = truth_of(europe, place, layer, names)
    # The auger takes the same soil; its values scatter more.
    truth |= {f"{name}_auger": layer[name] for name in names}
    draft = Draft("lucas_2015_topsoil_switzerland", keys, truth)
    classes = {0: "arable", 1: "grassland"}
    common: Cells = {
        "Soil ID": keys,
        "sampling location": [f"Standort {row + 1} Zürich" for row in range(n)],
        "land cover class": [classes.get(int(c), "woodland") for c in place["cover"]],
        "GPS_LONG": longitude.tolist(),
        "GPS_LAT": latitude.tolist(),
    }
    draft.swap_coordinates(draw, common, "GPS_LONG", "GPS_LAT", (5.9, 45.8, 10.6, 47.9))
    blocks: dict[str, Cells] = {}
    for block in ("spade", "auger"):
        clay, silt, sand = measure_texture(draw, layer, 1)
        lab = chemistry(draw, layer)
        blocks[block] = {
            "clay": clay, "silt": silt, "sand": sand, "OC": lab["organic_carbon"],
            "N": lab["total_nitrogen"], "K": lab["potassium"], "P": lab["phosphorus"],
            "CaCO3": lab["calcium_carbonate"], "pH(H2O)": lab["ph_h2o"],
            "pH(CaCl2)": lab["ph_cacl2"],
            "EC": measure(draw, layer["electrical_conductivity"], 2, relative=0.05),
        }  # fmt: skip
    draft.plant(
        draw, blocks["spade"]["OC"], "organic_carbon", "unit_slip", "out_of_range", slip(1000, 600)
    )
    draft.plant(
        draw,
        blocks["auger"]["pH(H2O)"],
        "ph_h2o_auger",
        "shifted_decimal",
        "out_of_range",
        slip(10, 10),
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
