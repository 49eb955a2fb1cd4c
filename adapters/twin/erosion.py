"""Erosion truth of a place: factors, soil losses by each process, and what follows from them.

Belongs here: relations between place, soil and erosion in canonical units, each with its source.
Never here: the grid, noise, rounding or files of a source.

Arrays have the shape of those in `place`. As in `soil.py`, the relations are a synthetic world's
laws, not a prediction of any real place; where none is published, the text says so.
"""

import numpy as np

from adapters.twin.classes import slope
from adapters.twin.europe import Array
from adapters.twin.soil import month_precipitation, month_temperature

CROPLAND, GRASSLAND, WOODLAND, SHRUBLAND = 0, 1, 2, 3
# MJ/ha/h: erosivity by mm of rain, in the order that Panagos et al. 2015 find for Europe
# (doi 10.1016/j.scitotenv.2015.01.008), at 9 degC.
_EROSIVITY_DENSITY = 0.92
# Intense rain by degree of warming, after Clausius and Clapeyron: Trenberth et al. 2003,
# doi 10.1175/BAMS-84-9-1205.
_INTENSITY_BY_DEGREE = 0.07
# C-factor by cover (cropland, grassland, woodland, shrubland, wetland), in the order and rough size
# of Panagos et al. 2015, doi 10.1016/j.landusepol.2015.05.021.
_COVER_FACTOR = np.array([0.233, 0.09, 0.0012, 0.035, 0.01])
# Cover crops lower the C-factor of arable land by a fifth: same paper.
_COVER_CROP_EFFECT = 0.2
_SLOPE_LENGTH_M = 50.0
# Share of the gross erosion that reaches rivers: Borrelli et al. 2018, as printed on the page of
# the source watem_sedem.
SEDIMENT_DELIVERY = 0.153
# Erosivity in 2050 by that of today, between the 15.7 and 25.5 % of Panagos et al. 2021
# (Environmental Science & Policy 124, 380-392).
EROSIVITY_2050 = {"rcp26": 1.157, "rcp45": 1.20, "rcp85": 1.255}
# Root crop yield (t/ha) and soil on a tonne of it (t/t), in the order of Ruysschaert et al. 2004,
# doi 10.1191/0309133304pp421ra.
_ROOT_YIELD, _SOIL_ON_ROOTS = 50.0, 0.06
# Loss by crop harvest in earlier periods by that of 2000-2016: the fall that Panagos et al. 2019
# (doi 10.1016/j.scitotenv.2019.02.009) trace to smaller areas of root crops; sizes are invented.
HARVEST_TREND = {"1975-1986": 1.55, "1987-1999": 1.25, "2000-2016": 1.0}
FIRST_YEAR, LAST_YEAR = 1860, 2018
_PEAK_YEAR = 1960


def gradient(place: dict[str, Array]) -> Array:
    """Slope gradient (m/m)."""
    return slope(place) / 100.0


def erodible(place: dict[str, Array]) -> np.ndarray:
    """Is there soil to lose? Not under artificial surfaces, bare rock or ice; an invented share."""
    return place["land"].astype(bool) & (place["local_3"] < 1.9) & (place["elevation"] < 2300.0)


def arable(place: dict[str, Array]) -> np.ndarray:
    """Is the place arable land with soil to lose?"""
    return erodible(place) & (place["cover"] == CROPLAND)


def agricultural(place: dict[str, Array]) -> np.ndarray:
    """Is the place cropland or grassland with soil to lose?"""
    return erodible(place) & np.isin(place["cover"], (CROPLAND, GRASSLAND))


def rainfall_erosivity(place: dict[str, Array]) -> Array:
    """R-factor (MJ mm/ha/h/a): rain by erosivity density."""
    warmer = place["temperature"] - 9.0
    density = _EROSIVITY_DENSITY * np.exp(_INTENSITY_BY_DEGREE * warmer)
    return density * place["precipitation"]


def monthly_shares(place: dict[str, Array]) -> Array:
    """Share of the year's erosivity in each month, (12, ...), adding up to 1.

    More in months with more and warmer rain, as in Panagos et al. 2016, doi 10.3390/w8040119.
    """
    weights = np.stack(
        [
            month_precipitation(place, month)
            * np.exp(_INTENSITY_BY_DEGREE * month_temperature(place, month))
            for month in range(1, 13)
        ]
    )
    return weights / weights.sum(axis=0)


def soil_erodibility(layer: dict[str, Array]) -> Array:
    """K-factor (t ha h/(ha MJ mm)) by the nomograph of Wischmeier and Smith 1978.

    As Panagos et al. 2014 apply it (doi 10.1016/j.scitotenv.2014.02.010): organic matter up to
    4 %, very fine sand as a fifth of the sand, classes of structure and permeability (here from
    texture), and 0.1317 from US customary units.
    """
    clay, sand = layer["clay"], layer["sand"]
    organic = np.minimum(layer["organic_carbon"] / 10.0 * 1.724, 4.0)
    grains = (layer["silt"] + 0.2 * sand) * (100.0 - clay)
    structure = np.select([sand > 65, clay >= 40], [2.0, 4.0], 3.0)
    permeability = np.select([sand > 85, sand > 65, clay < 27, clay < 40], [1.0, 2.0, 3.0, 4.0], 5)
    nomograph = (
        2.1e-4 * grains**1.14 * (12.0 - organic)
        + 3.25 * (structure - 2.0)
        + 2.5 * (permeability - 3.0)
    )
    return np.clip(nomograph / 100.0 * 0.1317, 0.004, 0.09)


def stone_factor(layer: dict[str, Array]) -> Array:
    """What stones on the surface multiply K by: exp(-0.04 (cover - 10 %)) above 10 %.

    As Panagos et al. 2014 apply it, doi 10.1016/j.scitotenv.2014.02.010.
    """
    return np.exp(-0.04 * np.maximum(layer["coarse_fragments"] - 10.0, 0.0))


def slope_length_steepness(place: dict[str, Array]) -> Array:
    """LS-factor by McCool et al. 1987 (doi 10.13031/2013.30576) and 1989 (10.13031/2013.31192).

    The former gives steepness with its break at 9 %, the latter the exponent of the length, which
    is the same everywhere.
    """
    tangent = gradient(place)
    sine = np.sin(np.arctan(tangent))
    steepness = np.where(tangent < 0.09, 10.8 * sine + 0.03, 16.8 * sine - 0.5)
    rills = (sine / 0.0896) / (3.0 * sine**0.8 + 0.56)
    return steepness * (_SLOPE_LENGTH_M / 22.13) ** (rills / (1.0 + rills))


def cover_crop_share(place: dict[str, Array], deviations: float = 0.0) -> Array:
    """Area (%) under cover crops, NaN off arable land; logit-normal, as percentiles need it.

    Args:
        place: Of `Europe.place`.
        deviations: Standard deviations of the prediction above its median.
    """
    logit = -1.6 + 0.7 * place["local_2"] + 0.05 * (place["temperature"] - 9.0) + 0.5 * deviations
    return np.where(arable(place), 100.0 / (1.0 + np.exp(-logit)), np.nan)


def cover_crop_deviation(place: dict[str, Array]) -> Array:
    """Standard deviation (%) of the share under cover crops, by the delta method."""
    share = cover_crop_share(place)
    return 0.5 * share * (1.0 - share / 100.0)


def cover_management(place: dict[str, Array], year: int = 2010) -> Array:
    """C-factor, NaN where there is no soil to lose; less than 1 % lower in 2016 than in 2010.

    The change is that of Panagos et al. 2020, doi 10.3390/rs12091365.
    """
    factor = _COVER_FACTOR[place["cover"].astype(int)] * np.exp(0.15 * place["local_1"])
    crops = np.nan_to_num(cover_crop_share(place)) / 100.0
    since = (year - 2010) / 6.0
    factor = factor * (1.0 - _COVER_CROP_EFFECT * crops) * (1.0 - 0.008 * since)
    return np.where(erodible(place), np.minimum(factor, 1.0), np.nan)


def support_practice(place: dict[str, Array]) -> Array:
    """P-factor, NaN where there is no soil to lose: at most a tenth below 1, on cropland.

    Its mean is near the 0.97 of Panagos et al. 2015, doi 10.1016/j.envsci.2015.03.012.
    """
    most = np.where(place["cover"] == CROPLAND, 0.10, 0.02)
    factor = 1.0 - most / (1.0 + np.exp(-place["local_3"]))
    return np.where(erodible(place), factor, np.nan)


def soil_loss_water(place: dict[str, Array], layer: dict[str, Array], year: int = 2010) -> Array:
    """Soil loss (t/ha/a), NaN where there is no soil to lose: R x K x stones x LS x C x P.

    The product of RUSLE2015, whose K is that under stones: Panagos et al. 2015,
    doi 10.1016/j.envsci.2015.08.012.
    """
    return (
        rainfall_erosivity(place)
        * soil_erodibility(layer)
        * stone_factor(layer)
        * slope_length_steepness(place)
        * cover_management(place, year)
        * support_practice(place)
    )


def wind_erodible_fraction(layer: dict[str, Array]) -> Array:
    """EF (% by mass): Fryrear et al. 1994 (J. Soil Water Conserv. 49, 183-188), inside its domain.

    As Borrelli et al. 2014 apply it to LUCAS, doi 10.1016/j.geoderma.2014.06.006.
    """
    sand, silt = np.clip(layer["sand"], 5.5, 93.6), np.clip(layer["silt"], 0.5, 69.5)
    ratio = np.clip(layer["sand"] / layer["clay"], 1.2, 53.0)
    organic = np.clip(layer["organic_carbon"] / 10.0 * 1.724, 0.18, 4.79)
    lime = np.clip(layer["calcium_carbonate"] / 10.0, 0.0, 25.2)
    fraction = 29.09 + 0.31 * sand + 0.17 * silt + 0.33 * ratio - 2.59 * organic - 0.95 * lime
    return np.clip(fraction, 0.0, 100.0)


def soil_loss_wind(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Soil loss (t/ha/a) by RWEQ, 100 m from the edge of a field with a seedbed.

    Transport and field length by Fryrear et al. 2000 (J. Soil Water Conserv. 55, 183-189), on a
    grid as in Borrelli et al. 2017, doi 10.1002/ldr.2588. The weather factor falls with rain and
    height by an invented relation; roughness (0.6) and cover (0.2) are the same everywhere.
    """
    clay = np.clip(layer["clay"], 5.0, 39.3)
    organic = np.clip(layer["organic_carbon"] / 10.0 * 1.724, 0.32, 4.74)
    crust = 1.0 / (1.0 + 0.0066 * clay**2 + 0.021 * organic**2)
    weather = 14.0 * np.exp(
        -0.0015 * (place["precipitation"] - 600.0) - place["elevation"] / 1000.0
    )
    product = weather * wind_erodible_fraction(layer) / 100.0 * crust * 0.6 * 0.2
    transport, field = 109.8 * product, 150.71 * np.maximum(product, 1e-9) ** -0.3711
    away = 100.0
    kilograms_by_m2 = 2.0 * away / field**2 * transport * np.exp(-((away / field) ** 2))
    return 10.0 * kilograms_by_m2


def wind_susceptibility(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """ILSWE class (1 low to 4 very high), NaN off land.

    Climate, erodibility, cover and roughness together, as in Borrelli et al. 2016
    (doi 10.1002/ldr.2318); here the loss by RWEQ, a tenth of it off arable land, cut at invented
    limits.
    """
    loss = soil_loss_wind(place, layer) * np.where(place["cover"] == CROPLAND, 1.0, 0.1)
    return np.where(place["land"], 1.0 + np.digitize(loss, (0.02, 0.1, 0.4)), np.nan)


def harvest_texture_index(layer: dict[str, Array]) -> Array:
    """Textural index of the soil on roots: more sticks of finer soil; the slope is invented.

    As in Ruysschaert et al. 2004, doi 10.1191/0309133304pp421ra.
    """
    return 0.4 + 0.025 * layer["clay"]


def soil_loss_harvest(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Soil loss (t/ha/a) of arable land with root crops in 2000-2016.

    Yield by soil on it by texture (Ruysschaert et al. 2004, doi 10.1191/0309133304pp421ra), by the
    share of arable land under root crops, which is invented.
    """
    share = 0.12 / (1.0 + np.exp(-place["local_1"] - 0.08 * (9.0 - place["temperature"])))
    return share * _ROOT_YIELD * _SOIL_ON_ROOTS * harvest_texture_index(layer)


def processes(place: dict[str, Array], layer: dict[str, Array]) -> dict[str, Array]:
    """Loss (t/ha/a) by water, wind, tillage and harvest, and their sum; NaN off arable land.

    Tillage moves soil off convex and onto concave places in proportion to slope (Govers et al.
    1994, doi 10.1111/j.1365-2389.1994.tb00532.x), and it never brings more than the other three
    take away.
    """
    here = arable(place)
    water, wind = soil_loss_water(place, layer, 2016), soil_loss_wind(place, layer)
    harvest = soil_loss_harvest(place, layer)
    curved = 0.4 + place["local_1"]
    tillage = np.maximum(12.0 * gradient(place) * curved, -0.9 * (water + wind + harvest))
    found = {"water": water, "wind": wind, "tillage": tillage, "harvest": harvest}
    found["total"] = water + wind + tillage + harvest
    return {name: np.where(here, values, np.nan) for name, values in found.items()}


def net_soil_flux(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Deposition less erosion (t/ha/a): NEGATIVE is loss, positive is gain.

    Soil goes on until the transport capacity is passed and is laid down there (Van Rompaey et al.
    2001, doi 10.1002/esp.275): here in the lowest places of their neighbourhood, by an invented
    share.
    """
    loss = soil_loss_water(place, layer)
    return np.where(place["local_2"] < -0.8, 2.5 * loss, -loss)


def burned(place: dict[str, Array]) -> np.ndarray:
    """Did the place burn in 2017? A small, invented part of warm wood- and shrubland."""
    wild = np.isin(place["cover"], (WOODLAND, SHRUBLAND))
    return erodible(place) & wild & (place["temperature"] > 8.0) & (place["local_1"] > 0.9)


def soil_loss_after_fire(place: dict[str, Array], layer: dict[str, Array]) -> Array:
    """Soil loss (t/ha/a) in years 1 to 5 after the fire, (5, ...), NaN where nothing burned.

    High in the first year and back at the background by the fourth, as Vieira et al. 2023 find
    (doi 10.1016/j.envres.2022.114936); the size of the peak is invented.
    """
    before = np.where(burned(place), soil_loss_water(place, layer), np.nan)
    return np.stack([before * (1.0 + 40.0 * np.exp(-1.1 * year)) for year in range(5)])


def soil_loss_history(
    place: dict[str, Array], layer: dict[str, Array], draw: np.random.Generator
) -> Array:
    """Soil loss (t/ha/a) of each year from 1860 to 2018, (159, ...).

    It rises to 1960 and falls since, as in Fendrich et al. 2022 (doi 10.5194/gmd-15-7835-2022);
    years differ by their rain, by the same share everywhere.
    """
    years = np.arange(FIRST_YEAR, LAST_YEAR + 1)
    rise = 0.7 + 0.5 * np.minimum(years - FIRST_YEAR, _PEAK_YEAR - FIRST_YEAR) / 100.0
    trend = rise - 0.2 * np.maximum(years - _PEAK_YEAR, 0) / (LAST_YEAR - _PEAK_YEAR)
    rain = np.exp(0.08 * draw.normal(size=len(years)))
    return (trend * rain)[:, None, None] * soil_loss_water(place, layer)


def earthworm_factors(place: dict[str, Array], layer: dict[str, Array]) -> tuple[Array, Array]:
    """Et-factors by abundance and richness, and by abundance alone.

    More earthworms, less erodible soil: Orgiazzi and Panagos 2018 (Global Ecology and Biogeography
    27, 1155-1167). They are many under grass and few in acid soil, as Rutgers et al. 2016 map them
    (doi 10.1016/j.apsoil.2015.08.015); the sizes are invented.
    """
    many = 1.0 / (1.0 + np.exp(-1.2 * (layer["ph_h2o"] - 5.5) - (place["cover"] == GRASSLAND)))
    rich = 1.0 / (1.0 + np.exp(-0.5 * place["local_3"]))
    return 1.0 - 0.2 * many - 0.1 * rich, 1.0 - 0.2 * many


def landslide_susceptibility(place: dict[str, Array]) -> Array:
    """Class from 1 (very low) to 5 (very high), NaN in plains and off land.

    Slope, shallow material and cover weighted together, as in Guenther et al. 2013
    (doi 10.1007/s10346-012-0349-1); weights and limits are invented.
    """
    bare = np.isin(place["cover"], (CROPLAND, SHRUBLAND))
    index = np.log(gradient(place)) + 0.35 * place["clayiness"] + 0.3 * bare
    kind = 1.0 + np.digitize(index, (-2.8, -2.3, -1.8, -1.3))
    return np.where(place["land"].astype(bool) & (gradient(place) > 0.02), kind, np.nan)
