"""Life and gases of the synthetic soil, in canonical units.

Belongs here: microbial biomass, respiration, fatty acids, diversity, priming and nitrous oxide as
functions of place and soil, each with its source; the points of the surveys of soil life.
Never here: carbon, acidity, texture (`soil.py`); what a laboratory or a map makes of these values;
native units.

As in `soil.py`, these are laws of a synthetic world: order and rough size follow the cited work.
"""

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.soil import month_temperature, retention
from adapters.twin.world import World
from adapters.units import conversion

CROPLAND, GRASSLAND, WOODLAND = 0, 1, 2
# Points of the biodiversity module of LUCAS 2018, and of the two studies on a part of its soils.
COUNTS = {
    "tiny": {"biodiversity": 50, "fame": 40, "priming": 24},
    "demo": {"biodiversity": 220, "fame": 128, "priming": 60},
    "full": {"biodiversity": 881, "fame": 513, "priming": 126},
}
REPEATS = {138: 59, 601: 102, 717: 113, 258: 116}
"""Samples that were taken and sequenced again, and those they repeat."""
SAMPLES = 885

# Microbial by organic carbon (mg/g) in the order cropland, grassland, woodland, shrubland, wetland:
# 23 in monoculture and 29 in rotations, Anderson and Domsch 1989, doi
# 10.1016/0038-0717(89)90117-X; less in acid forest floors.
_MICROBIAL_SHARE = np.array([23.0, 29.0, 19.0, 22.0, 16.0])
# Fungal by bacterial fatty acids: forests above croplands above grasslands (Siles et al. 2023, doi
# 10.1016/j.geoderma.2023.116474).
_FUNGI_BY_BACTERIA = np.array([0.30, 0.22, 0.52, 0.42, 0.34])
_BACTERIA_PER_CARBON = np.array([0.26, 0.30, 0.16, 0.22, 0.18])  # nmol/ug; same order, same source
# Diversity falls from cropland to woodland: Labouyrie et al. 2023, doi 10.1038/s41467-023-37937-4
# (bacteria), Koninger et al. 2023, doi 10.1111/gcb.16871 (eukaryotes).
_SHANNON = np.array([6.6, 6.5, 6.1, 6.3, 6.2])
_EUKARYOTES = np.array([1350.0, 1200.0, 850.0, 950.0, 900.0])
# kg N/ha and year from fertiliser and manure; invented, of the size that Europe's farms spread.
_NITROGEN = np.array([125.0, 80.0, 0.0, 0.0, 0.0])
# 100-year warming potential of N2O: IPCC 2007, AR4 WG1, table 2.14.
_WARMING_POTENTIAL = 298.0
_YEARS = 85.0  # 2016 to 2100


def sites(world: World, study: str) -> np.ndarray:
    """Nodes of LUCAS 2018 that a study of `COUNTS` took; a smaller one's are among a larger's."""
    visited = world.surveys.visited(2018)
    order = world.stream("soil life").permutation(len(visited))
    return np.sort(visited[order[: COUNTS[world.size][study]]])


def barcodes(world: World, index: np.ndarray) -> np.ndarray:
    """Number of the sample of each site, ascending; the numbers of repeats are left free."""
    special = np.array(sorted(REPEATS.values()))
    free = np.setdiff1d(np.arange(1, SAMPLES + 1), [*REPEATS, *special])
    rest = world.stream("barcodes").permutation(free)[: len(index) - len(special)]
    return np.sort(np.concatenate([special, rest]))


def microbial_biomass(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Microbial biomass carbon (ug/g).

    Its share of organic carbon falls as carbon rises, as over biomes in Xu et al. 2013, doi
    10.1111/geb.12029.
    """
    carbon = np.minimum(layer["organic_carbon"], 300.0)
    return _MICROBIAL_SHARE[place["cover"]] * carbon * (carbon / 20.0) ** -0.25


def respiration(
    place: dict[str, Array], layer: dict[str, Array], month: int | None = None
) -> tuple[Array, Array]:
    """Potential basal respiration (uL/g/hour) and microbial biomass carbon (ug/g).

    Respiration per biomass at 20 degC is lower where microbes are used to warmth: Bradford et al.
    2008, doi 10.1111/j.1461-0248.2008.01251.x. Biomass follows the season weakly.

    Args:
        place: Of `Europe.place`.
        layer: Of `soil`.
        month: 1 to 12; without it the mean of the year's months.
    """
    if month is None:
        each = [respiration(place, layer, m) for m in range(1, 13)]
        return np.mean([b for b, _ in each], axis=0), np.mean([c for _, c in each], axis=0)
    warm = month_temperature(place, month) - 10.0
    biomass = microbial_biomass(place, layer) * np.exp(0.004 * warm)
    return biomass * 0.0045 * np.exp(-0.015 * warm), biomass


def fatty_acids(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, Array]:
    """Fatty acid methyl esters of microbial groups (nmol/g), and fungi by bacteria.

    Fungi gain on bacteria in cold (Siles et al. 2023) and in acid soil (Rousk et al. 2009, doi
    10.1128/AEM.02775-08).
    """
    cover = place["cover"]
    bacteria = np.minimum(_BACTERIA_PER_CARBON[cover] * microbial_biomass(place, layer), 900.0)
    ratio = (
        _FUNGI_BY_BACTERIA[cover]
        * np.exp(-0.03 * (place["temperature"] - 9.0))
        * np.exp(-0.08 * (layer["ph_h2o"] - 6.5))
    )
    actinobacteria = bacteria * np.clip(0.14 + 0.002 * (layer["clay"] - 20.0), 0.05, 0.3)
    negative = 0.47 * (bacteria - actinobacteria)
    return {
        "fame_bacteria": bacteria,
        "fame_gram_positive": bacteria - actinobacteria - negative,
        "fame_gram_negative": negative,
        "fame_actinobacteria": actinobacteria,
        "fame_fungi": ratio * bacteria,
        "fungi_bacteria_ratio": ratio,
    }


def priming(place: dict[str, Array], layer: dict[str, Array]) -> tuple[Array, Array]:
    """Priming effect and carbon respired in 35 days (ug/g).

    Negative on average, less so under crops, and driven by respiration: Siles et al. 2022, doi
    10.1111/gcb.16062.
    """
    respired = 0.6 * microbial_biomass(place, layer) * np.exp(0.25 * place["local_1"])
    share = np.where(place["cover"] == CROPLAND, 0.16, 0.30) + 0.06 * place["local_2"]
    return 12.0 - share * respired, respired


def diversity(place: dict[str, Array], layer: dict[str, Array]) -> tuple[Array, Array]:
    """Shannon diversity of bacteria, and number of eukaryotic taxa.

    Bacteria are most diverse in neutral soil: Fierer and Jackson 2006, doi 10.1073/pnas.0507535103.
    """
    cover, acidity = place["cover"], (layer["ph_h2o"] - 6.9) ** 2
    bacteria = _SHANNON[cover] - 0.09 * acidity + 0.06 * place["local_1"]
    return bacteria, _EUKARYOTES[cover] * np.exp(-0.03 * acidity + 0.12 * place["local_2"])


def soil_moisture(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Water (mm) in the upper 75 cm: between the wilting point and field capacity, by rain."""
    dry, wet = np.moveaxis(retention(layer, np.array([15850.0, 330.0])), -1, 0)
    rain = place["precipitation"] / (place["precipitation"] + 600.0)
    return 750.0 * (dry + (wet - dry) * rain)


def nitrous_oxide(place: dict[str, Array], layer: dict[str, Array], more: float = 0.0) -> Array:
    """Nitrous oxide emission of farmed soil (kg N2O-N/ha and year).

    The summary model of Stehfest and Bouwman 2006, doi 10.1007/s10705-006-9000-7: classes of
    carbon, acidity, texture, climate and crop, and the logarithm linear in nitrogen.

    Args:
        place: Of `Europe.place`.
        layer: Of `soil`.
        more: Nitrogen added to what the land gets (kg/ha and year).
    """
    carbon, ph = layer["organic_carbon"] / 10.0, layer["ph_h2o"]
    fine, coarse = layer["clay"] >= 35.0, layer["sand"] > 65.0
    nitrogen = _NITROGEN[place["cover"]] * np.exp(0.25 * place["local_3"]) + more
    return np.exp(
        -1.516
        + 0.0038 * nitrogen
        + np.select([carbon < 1.0, carbon <= 3.0], [0.0, 0.0526], 0.6334)
        + np.select([ph < 5.5, ph <= 7.3], [0.0, -0.0693], -0.4836)
        + np.select([coarse, fine], [0.0, 0.4312], -0.1528)
        + np.where(place["temperature"] > 14.0, 0.6117, 0.0226)
        + np.where(place["cover"] == GRASSLAND, -0.3502, 0.0)
        + 1.9910
    )


def flux_changes(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, Array]:
    """Change of soil fluxes to 2100 under two practices, less the present one (t CO2/ha).

    Carbon of residues (0.12 t/ha and year that stay) and of cover crops (0.32: Poeplau and Don
    2015, doi 10.1016/j.agee.2014.10.024) fills a pool that decays at first order (Olson 1963, doi
    10.2307/1932179), twice as fast for each 10 degC. Nitrous oxide follows the nitrogen that comes
    with them (12 and 55 kg/ha and year).
    """
    decay = 0.02 * 2.0 ** ((place["temperature"] - 10.0) / 10.0)
    filled = (1.0 - np.exp(-decay * _YEARS)) / decay * (1.0 + 0.01 * (layer["clay"] - 20.0))
    as_dioxide = conversion("t/ha as C", None, "t/ha", None, "CO2").scale
    as_oxide = conversion("kg/ha as N", None, "kg/ha as N2O", None, "N").scale
    in_tonnes = conversion("kg/ha", None, "t/ha", None).scale
    before = nitrous_oxide(place, layer)
    changes = {}
    for name, carbon, nitrogen in (("irs", 0.12, 12.0), ("cc", 0.32, 55.0)):
        changes[f"co2_flux_{name}"] = -carbon * filled * as_dioxide
        more = (nitrous_oxide(place, layer, nitrogen) - before) * _YEARS
        changes[f"n2o_flux_{name}"] = more * as_oxide * _WARMING_POTENTIAL * in_tonnes
    return changes
