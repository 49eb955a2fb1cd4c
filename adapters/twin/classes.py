"""Classes of a place and its soil: those of the European Soil Database, landform, degradation.

Belongs here: published class limits and rules, from the truth of a place and its soil to codes and
scores. Never here: how a source writes its codes; soil properties themselves (`soil.py`).
"""

import numpy as np

from adapters.twin.climate import indicators
from adapters.twin.europe import Array
from adapters.twin.hydraulics import available_water
from adapters.twin.soil import packing_density

Codes = np.ndarray
"""Texts, of the shape of what they classify."""

# Soil group, WRB 1998 and FAO 1985 names by what dominates: peat, wet, podzol, sand, steep, vertic,
# calcareous, argic, acid, base-rich. Rules after the keys of both systems, much abridged.
_NAMES = (
    ("HSfi", "Od"), ("GLeu", "Ge"), ("PZha", "Po"), ("ARha", "Qc"), ("LPeu", "Ie"),
    ("VReu", "Vp"), ("CMca", "Bk"), ("LVha", "Lo"), ("CMdy", "Bd"), ("CMeu", "Be"),
)  # fmt: skip
# ESDB land use by the order of LAND_COVERS: arable, pasture, forest, shrub, moor.
_USE = np.array(["3", "1", "5", "4", "10"])


def texture_class(layer: dict[str, Array]) -> np.ndarray:
    """Textural class of the European Soil Database, 1 coarse to 5 very fine."""
    clay, sand = layer["clay"], layer["sand"]
    return np.select(
        [(clay < 18) & (sand > 65), clay >= 60, clay >= 35, (clay < 35) & (sand < 15)],
        [1, 5, 4, 3],
        2,
    )


def slope(place: dict[str, Array]) -> Array:
    """Slope (%): lognormal about a median that grows with the elevation."""
    return np.clip(np.exp(1.0 + 0.0016 * place["elevation"] + 0.7 * place["local_1"]), 0.1, 120.0)


def soil_names(place: dict[str, Array], layer: dict[str, Array]) -> tuple[Codes, Codes]:
    """Full soil names: WRB 1998 and FAO 1985."""
    kind = _soil_kind(place, layer)
    wrb, fao = (np.array(names) for names in zip(*_NAMES, strict=True))
    return wrb[kind], fao[kind]


def _soil_kind(place: dict[str, Array], layer: dict[str, Array]) -> np.ndarray:
    return np.select(
        [
            layer["organic_carbon"] > 180,
            place["wetness"] > 1.2,
            (layer["ph_h2o"] < 5.2) & (layer["sand"] > 45) & (place["cover"] == 2),
            (layer["sand"] > 70) & (layer["clay"] < 12),
            slope(place) > 25,
            layer["clay"] > 45,
            layer["calcium_carbonate"] > 0,
            layer["clay"] > 22,
            layer["base_saturation"] < 50,
        ],
        np.arange(9),
        9,
    )


def graded(values: Array, limits: tuple[float, ...], codes: tuple[str, ...]) -> Codes:
    """Code of each value by limits that rise: the first code below the first limit, and so on."""
    return np.array(codes)[np.digitize(values, limits)]


def esdb(place: dict[str, Array], top: dict[str, Array], sub: dict[str, Array]) -> dict[str, Codes]:
    """Attributes of the European Soil Database at a place.

    Codes and limits as the legends of the database print them (EUR 19945 EN). `#` is said where an
    attribute does not apply; the empty text where the database knows nothing.

    Args:
        place: Of `Europe.place`.
        top: Of `soil`, topsoil.
        sub: Of `soil`, subsoil.

    Returns:
        Attribute -> codes, of the shape of `place`.
    """
    wrb, fao = soil_names(place, top)
    kind, steep = _soil_kind(place, top), slope(place)
    peat = kind == 0
    surface = np.where(peat, "9", texture_class(top).astype(str))
    below = np.where(peat, "9", texture_class(sub).astype(str))
    wet = graded(place["wetness"], (0.8, 1.3, 1.9), ("1", "2", "3", "4"))
    shallow = graded(steep, (8.0, 15.0, 30.0), ("V", "D", "M", "S"))
    gley = graded(-place["wetness"], (-1.9, -1.3, -0.8), ("S", "M", "D", "V"))
    barrier = graded(-sub["clay"], (-55.0, -45.0, -38.0), ("4", "3", "2", "1"))
    parent = np.select(
        [peat, place["lime"] > 0.8, place["sandiness"] > 0.6, place["ore"] > 0.8, steep > 20],
        ["8100", "2110", "5100", "3110", "4240"],
        "6110",
    )
    limited = np.select(
        [steep > 30, top["coarse_fragments"] > 25, place["wetness"] > 1.9, top["sand"] > 80],
        ["4", "3", "31", "21"],
        "1",
    )
    # The second texture of a unit is that of a soil nearby.
    second = np.where(place["local_2"] > 0.6, np.roll(surface, 1, axis=-1), "0")
    # Peat has no class of density, minerals or available water.
    mineral = {
        **_water_classes(top, sub),
        "PD_TOP": _packing(top),
        "PD_SUB": _packing(sub),
        "MIN_TOP": graded(top["clay"], (12.0, 35.0, 50.0), ("KQ", "M", "MK", "MS")),
        "MIN_SUB": graded(sub["clay"], (12.0, 35.0, 50.0), ("KQ", "M", "MK", "MS")),
        "ERODI": graded(top["silt"], (22.0, 30.0, 38.0, 46.0), ("1", "2", "3", "4", "5")),
    }
    return {
        "WRBFU": wrb,
        "FAO85FU": fao,
        "TXSRFDO": surface,
        "TXSRFSE": second,
        "TXSUBDO": below,
        "TXDEPCHG": np.where(surface == below, "5", graded(steep, (4, 9), ("3", "2", "1"))),
        "SLOPEDO": graded(steep, (8.0, 15.0, 25.0), ("1", "2", "3", "4")),
        "USEDO": _USE[place["cover"]],
        "IL": barrier,
        "WR": wet,
        "AGLI1NNI": limited,
        "AGLI2NNI": np.where(limited == "1", "#", "1"),
        "PARMADO": parent,
        "PARMASE": np.where(place["local_3"] > 0.7, "5200", ""),
        "PMH": np.where(peat, "#", graded(place["clayiness"], (-0.4, 0.6), ("R", "M", "C"))),
        "ZMIN": (place["elevation"] // 100 * 100).astype(int).astype(str),
        "ZMAX": (place["elevation"] // 100 * 100 + 200).astype(int).astype(str),
        **{name: np.where(peat, "#", codes) for name, codes in mineral.items()},
        "BS_TOP": graded(top["base_saturation"], (50.0, 75.0), ("L", "M", "H")),
        "BS_SUB": graded(sub["base_saturation"], (50.0, 75.0), ("L", "M", "H")),
        "CEC_TOP": graded(top["cec"], (15.0, 40.0), ("L", "M", "H")),
        "CEC_SUB": graded(sub["cec"], (15.0, 40.0), ("L", "M", "H")),
        "OC_TOP": graded(top["organic_carbon"], (10.0, 20.0, 60.0), ("V", "L", "M", "H")),
        "STR_TOP": np.where(peat, "H", graded(top["clay"], (15.0, 40.0), ("G", "N", "P"))),
        "STR_SUB": np.where(peat, "O", graded(sub["clay"], (15.0, 40.0), ("G", "N", "P"))),
        "DR": shallow,
        "DGH": gley,
        "DIMP": np.where(np.isin(barrier, ("3", "4")), "S", "D"),
        "HG": graded(place["wetness"], (-0.6, 0.6, 1.3), ("1", "2", "3", "4")),
        "VS": graded(top["coarse_fragments"], (10.0, 15.0, 20.0), ("00", "10", "15", "20")),
        "ATC": graded(place["temperature"], (6.0, 11.0), ("L", "M", "H")),
    }


def _water_classes(top: dict[str, Array], sub: dict[str, Array]) -> dict[str, Codes]:
    """Classes of available water in mm per metre of soil."""
    limits, codes = (100.0, 140.0, 190.0), ("L", "M", "H", "VH")
    held, below = (available_water(layer, 100.0) for layer in (top, sub))
    easily = graded(0.6 * held, (25.0, *limits), ("VL", *codes))
    return {
        "AWC_TOP": graded(held, limits, codes),
        "AWC_SUB": graded(below, limits, codes),
        "EAWC_TOP": easily,
    }


def _packing(layer: dict[str, Array]) -> Codes:
    return graded(packing_density(layer), (1.40, 1.75), ("L", "M", "H"))


def tenths(values: Array) -> np.ndarray:
    """Ranks from 1 to 10 by equal frequency."""
    return np.searchsorted(np.quantile(values, np.arange(0.1, 0.95, 0.1)), values) + 1


def storing_filtering(layer: dict[str, Array]) -> dict[str, Array]:
    """What stores and filters substances: unit-free scores that rise with the capacity.

    Cations by exchange capacity, anions by oxides and acidity, solids by pore size, substances that
    are not polar by organic carbon; filtering falls with coarse pores (Makó et al. 2017,
    doi 10.2788/49218).
    """
    fine = 1.0 + layer["clay"] / 50.0
    stores = {
        "CAPCA": layer["cec"],
        "CAPAN": layer["oxalate_fe"] * np.exp(-0.4 * (layer["ph_h2o"] - 5.0)),
        "CAPSO": layer["porosity"],
        "CAPNP": layer["organic_carbon"],
        "NAPL": layer["porosity"] * np.sqrt(layer["organic_carbon"]),
    }
    stored = {f"STOR_{name}": values for name, values in stores.items()}
    return stored | {f"FILT_{name}": values * fine for name, values in stores.items()}


def preservation(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, np.ndarray]:
    """Classes 1 to 3 of how well a soil preserves buried material, 3 being the best.

    Bones by acidity, organic material by wetness, metals by acidity and salts, layers by what
    disturbs them (Kibblewhite et al. 2015, doi 10.1016/j.scitotenv.2015.04.036).
    """
    return {
        "bones": np.digitize(layer["ph_h2o"], (5.5, 7.0)) + 1,
        "organics": np.digitize(place["wetness"], (0.4, 1.3)) + 1,
        "metals": np.digitize(layer["ph_h2o"] - 0.02 * layer["electrical_conductivity"], (5.0, 6.5))
        + 1,
        "strati": np.where(place["cover"] == 0, 1, np.where(layer["clay"] > 40, 2, 3)),
    }


def productivity(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Biomass productivity score, 0 to 10: water, warmth and nutrients limit, after Liebig."""
    water = np.clip(available_water(layer, 100.0) / 20.0, 0, 10)
    warmth = np.clip(10.0 - np.abs(place["temperature"] - 13.0) * 0.7, 0, 10)
    nutrients = np.clip(layer["cec"] / 3.0, 0, 10)
    lowest = np.minimum(np.minimum(water, warmth), nutrients)
    return 0.7 * lowest + 0.1 * (water + warmth + nutrients)


def relief(place: dict[str, Array]) -> np.ndarray:
    """Relief class 1 to 15: Meybeck et al. 2001.

    Roughness by classes of elevation, doi 10.1659/0276-4741(2001)021[0034:ANTFMA]2.0.CO;2; its
    limits are abridged to the classes that Europe has.
    """
    height, rough = place["elevation"], slope(place)
    flat = np.digitize(height, (200.0, 500.0))
    rolling = np.digitize(height, (200.0, 500.0, 1000.0))
    steep = np.digitize(height, (500.0, 1000.0, 2000.0))
    return np.select(
        [rough < 2.0, rough < 4.0, rough < 8.0],
        [flat + 1, np.array([4, 5, 6, 7])[rolling], np.array([5, 7, 8, 9])[rolling]],
        np.array([11, 12, 13, 14])[steep],
    )


def landform(place: dict[str, Array]) -> np.ndarray:
    """Landform class 1 to 16: nested means of slope, convexity and texture.

    Iwahashi and Pike 2007, doi 10.1016/j.geomorph.2006.09.012.
    """
    rough = slope(place)
    parts, left = np.full(rough.shape, 3), rough
    for rank in range(3):
        middle = left.mean()
        parts = np.where((rough > middle) & (parts == 3), rank, parts)
        left = left[left <= middle]
    convex, fine = place["local_2"] > 0, place["local_3"] > 0
    return 4 * parts + 2 * ~convex + ~fine + 1


def pressures(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, Array]:
    """Thirteen pressures on soil life, scores from 0 to 10.

    The pressures of Orgiazzi et al. 2016, doi 10.1016/j.scitotenv.2015.12.092; their sizes here are
    those of this world's land cover, climate and soil.
    """
    crops = (place["cover"] == 0).astype(float)
    people = 1.0 / (1.0 + np.exp(0.004 * (place["elevation"] - 400.0) - place["local_1"]))
    dense = packing_density(layer)
    scores = {
        "habitat_fragmentation": 8.0 * people,
        "use_of_gmos": 3.0 * crops * people,
        "invasive_species": 4.0 + 0.2 * place["temperature"],
        "climate_change": 3.0 + 0.25 * place["temperature"],
        "soil_compaction": 8.0 * (dense - 1.0),
        "soil_sealing": 7.0 * people**2,
        "soil_erosion": 1.5 * np.log1p(slope(place)) * (0.4 + crops),
        "soil_salinization": 0.05 * layer["electrical_conductivity"],
        "land_use_change": 2.0 + 2.0 * people + place["local_2"],
        "nuclear_pollution": 1.0 + place["ore"],
        "industrial_pollution": 5.0 * people + place["ore"],
        "organic_matter_decline": 5.0 * crops * np.exp(-layer["organic_carbon"] / 40.0),
        "intensive_human_exploitation": 6.0 * crops * people,
    }
    return {name: np.clip(values, 0.0, 10.0) for name, values in scores.items()}


def critical(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, np.ndarray]:
    """Twelve processes of land degradation beyond their threshold, 0 or 1.

    The processes of Prăvălie et al. 2024, doi 10.1038/s41467-024-48252-x.
    """
    press, crops = pressures(place, layer), place["cover"] == 0
    climate = indicators(place)
    beyond = {
        "water_erosion": press["soil_erosion"] > 3.5,
        "wind_erosion": (layer["sand"] > 60) & crops,
        "soil_organic_carbon_loss": press["organic_matter_decline"] > 3.0,
        "soil_salinization": layer["electrical_conductivity"] > 25.0,
        "soil_acidification": layer["ph_h2o"] < 5.0,
        "soil_compaction": packing_density(layer) > 1.75,
        "soil_nutrient_imbalances": layer["phosphorus"] > 50.0,
        "pesticide_pollution": crops & (place["local_2"] > 0.2),
        "heavy_metal_pollution": layer["arsenic"] > 12.0,
        "vegetation_degradation": place["local_3"] < -1.0,
        "groundwater_decline": crops & (place["wetness"] < -0.8),
        "aridity": climate["aridity_index"] < 0.65,
    }
    return {name: found.astype(int) for name, found in beyond.items()}


def degraded(place: dict[str, Array], layer: dict[str, Array]) -> np.ndarray:
    """Nineteen indicators of soil degradation, 0 or 1, in the first axis.

    As many as the dashboard of Panagos et al. 2024 (doi 10.1111/ejss.13507) counts: erosion in five
    kinds, five elements, nutrients in three, carbon, peat, compaction, salt, life and sealing.
    """
    press, limits = pressures(place, layer), critical(place, layer)
    crops = place["cover"] == 0
    beyond = [
        limits["water_erosion"], limits["wind_erosion"], crops & (slope(place) > 8),
        crops & (layer["clay"] > 30), (place["cover"] == 3) & (place["temperature"] > 14),
        place["ore"] > 1.2, place["ore"] > 1.6, place["ore"] > 1.4, place["ore"] > 1.8,
        layer["arsenic"] > 20.0, crops & (place["local_1"] > 0.3), layer["phosphorus"] < 12.0,
        layer["phosphorus"] > 50.0, limits["soil_organic_carbon_loss"],
        (place["cover"] == 4) & (place["local_3"] > 0), limits["soil_compaction"],
        limits["soil_salinization"], press["land_use_change"] > 4.0, press["soil_sealing"] > 5.0,
    ]  # fmt: skip
    return np.stack([np.asarray(found, int) for found in beyond])


def groundwater(place: dict[str, Array]) -> dict[str, np.ndarray]:
    """Classes of the groundwater maps 1:500,000 and the elevation of the water table (m)."""
    porous = place["sandiness"] > 0.2
    fissured = place["lime"] > 0.4
    depth = np.clip(6.0 - 4.0 * place["wetness"], 0.5, 40.0)
    return {
        "aquifer": np.select([porous, fissured], [1, 2], 3),
        "hydrology": np.where(place["clayiness"] > 0.3, 2, 1) + 2 * (place["wetness"] > 0.4),
        "water_table": place["elevation"] - depth,
        "spring": np.digitize(place["precipitation"], (600.0, 900.0)) + 1,
        "saline": (place["elevation"] < 40.0).astype(int),
        "abstraction": np.digitize(place["local_1"], (-0.7, 0.7)) + 1,
    }
