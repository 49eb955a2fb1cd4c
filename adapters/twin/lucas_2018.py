"""LUCAS 2018 as it writes itself: the main table and its four add-ons.

Belongs here: what the survey measures how well, its native files, values below detection.
Never here: which points it visits (`points.py`), soil relations.
"""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.europe import LAND_COVERS
from adapters.twin.files import Cells, write_csv
from adapters.twin.planting import Draft, Rows, measure, measure_texture, wanted
from adapters.twin.points import (
    COVER_WORDS,
    LUCAS_BOUNDS,
    USE,
    Surveys,
    chemistry,
    covers,
    point_ids,
    rows_at,
    slip,
    truth_of,
)
from adapters.twin.soil import soil

# Spellings of a value below detection in the published file; a fourth, <0.0, occurs once.
_BELOW = ("< LOD", "<LOD", "< LOD>")


def _visits(surveys: Surveys) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Index of the node, top and bottom (cm) of each row; some sites have two layers."""
    sites = surveys.visited(2018)
    layered = surveys.counts.lucas_2018 - len(sites)
    index = np.concatenate([sites, sites[:layered]])
    top, bottom = np.zeros(len(index)), np.full(len(index), 20.0)
    bottom[:layered] = 10.0
    top[len(sites) :] = 10.0
    return index, top, bottom


def _labels(top: np.ndarray, bottom: np.ndarray) -> list[str]:
    return [f"{int(a)}-{int(b)} cm" for a, b in zip(top, bottom, strict=True)]


def rows_2018(surveys: Surveys) -> Rows:
    """Rows of LUCAS 2018."""
    index, top, bottom = _visits(surveys)
    pairs = zip(point_ids(surveys, index), _labels(top, bottom), strict=True)
    return rows_at(surveys, [f"{p}|{d}" for p, d in pairs], index, 0.0, "2018")


def lucas_2018(surveys: Surveys, folder: Path) -> Draft:
    """LUCAS-SOIL-2018.csv and its four add-ons."""
    europe, draw = surveys.europe, surveys.europe.stream("lucas_2018")
    index, top, bottom = _visits(surveys)
    sites = surveys.visited(2018)
    n = len(index)
    place = europe.place(*surveys.positions(index, 0.0, "2018"))
    year = np.full(n, 2018.0)
    layer, deep = soil(place, top, bottom, year), soil(place, top * 0 + 20, top * 0 + 30, year)
    ids = point_ids(surveys, index)
    labels = _labels(top, bottom)
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
        chemistry(draw, layer),
        europe.regions.code[place["region"]],
        covers(draw, place, 2018),
    )
    country = [str(v)[:2] for v in region]
    deeper = draw.uniform(size=n) < np.where(np.array(country) == "ES", 0.0, 0.25)
    oxalate = draw.uniform(size=n) < 0.4

    def sparse(values: list[object], have: np.ndarray) -> list[object]:
        return [v if h else None for v, h in zip(values, have, strict=True)]

    deep_lab = chemistry(draw, deep)
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
        "LU": [USE[c][0] for c in place["cover"]],
        "LC0_Desc": [LAND_COVERS[c] for c in place["cover"]],
        "LC1_Desc": [COVER_WORDS[c] for c in cover],
        "LU1_Desc": [USE[c][1] for c in place["cover"]],
    }
    draft.swap_coordinates(draw, cells, "TH_LONG", "TH_LAT", LUCAS_BOUNDS)
    draft.plant(draw, cells["pH_H2O"], "ph_h2o", "shifted_decimal", "out_of_range", slip(10, 10))
    draft.plant(draw, cells["OC"], "organic_carbon", "unit_slip", "out_of_range", slip(1000, 600))
    _censor(draft, draw, cells)
    write_csv(folder / "LUCAS-SOIL-2018.csv", cells)
    _add_ons_2018(surveys, sites, folder, draft, index)
    return draft


_CENSORED = {
    "EC": "electrical_conductivity", "OC": "organic_carbon", "CaCO3": "calcium_carbonate",
    "P": "phosphorus", "N": "total_nitrogen", "K": "potassium",
    "OC (20-30 cm)": "organic_carbon_20_30", "CaCO3 (20-30 cm)": "calcium_carbonate_20_30",
}  # fmt: skip


def _censor(draft: Draft, draw: np.random.Generator, cells: Cells) -> None:
    """Write values below the published limits as text, in all spellings that occur.

    A few are written as half the limit, as many tables do: a number like any other.
    """
    count, spec = 0, load_spec(draft.source)
    for native, column in _CENSORED.items():
        limit = spec.column(column).detection_limit
        values = cells[native]
        below = [row for row, value in enumerate(values) if value is not None and value < limit]
        halved = set(draw.permutation(below)[: wanted(len(below))].tolist() if below[1:] else [])
        for row in below:
            value = values[row]
            if row in halved:
                draft.record(row, column, "half_detection", value, limit / 2, None)
                values[row] = limit / 2
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
    ids, year = np.array(point_ids(surveys, sites)), np.full(n, 2018.0)
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
