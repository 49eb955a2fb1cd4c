"""The soil truth of a place: properties by published relations, in canonical units.

Belongs here: relations between place, depth, year and soil properties, each with its source.
Never here: noise of a laboratory, rounding, detection limits, native units.

The relations are a synthetic world's laws: they make data whose relations are known, not a
prediction of any real soil.
"""

import numpy as np

from adapters.twin.europe import Array

# Carbon of topsoil under grassland, woodland, shrubland and wetland against cropland (ln g/kg), in
# the order and rough size that de Brogniez et al. 2015 find (doi 10.1111/ejss.12193).
_COVER_CARBON = np.array([0.0, 0.45, 0.75, 0.30, 1.9])
# C:N of topsoil by cover: about 10 to 12 on farmland, wider under forest and in peat, as in Batjes
# 1996, doi 10.1111/j.1365-2389.1996.tb01386.x.
_COVER_CN = np.array([10.5, 11.5, 16.0, 13.0, 19.0])
# Olsen P (ln mg/kg) falls from cropland to woodland: Ballabio et al. 2019,
# doi 10.1016/j.geoderma.2019.113912.
_COVER_P = np.log(np.array([34.0, 26.0, 13.0, 15.0, 20.0]))
# e-folding depth of carbon (cm): shallower under forest and grass than under crops, as in Jobbagy
# and Jackson 2000, doi 10.1890/1051-0761(2000)010[0423:TVDOSO]2.0.CO;2
_COVER_FOLD = np.array([45.0, 32.0, 26.0, 35.0, 60.0])
# Calcite buffers soil at pH 8.2 where it stands in equilibrium with the CO2 of open air, and lower
# where the air of the soil holds more, by its charge balance 2/3 for each decade: 7.3 at 22 times
# as much. Slessarev et al. 2016, doi 10.1038/nature20139.
CALCITE_PH = (7.3, 8.2)
# Carbonate (g/kg) of a soil at the upper end; what lies between is invented.
_MOST_CARBONATE = 700.0
# Organic carbon (percent) of organic layers, which Hollis et al. 2012 treat apart.
_ORGANIC = 12.0
HEADS_CM = (0.0, 10.0, 31.6, 100.0, 330.0, 1000.0, 3160.0, 15850.0)


def soil(place: dict[str, Array], top: Array, bottom: Array, year: Array) -> dict[str, Array]:
    """Soil of one layer at each place.

    Args:
        place: Of `Europe.place`, arrays of shape (n,).
        top: Upper depth in cm, (n,).
        bottom: Lower depth in cm, (n,).
        year: Calendar year, (n,).

    Returns:
        Canonical property name -> (n,) in canonical units (percent by mass, g/kg, mg/kg, cmol/kg,
        mS/m, g/cm**3, pH).
    """
    cover = place["cover"]
    middle = (top + bottom) / 2.0
    # Composition by softmax, so that the fractions add up; clay moves down (argic horizons).
    logits = np.stack(
        [
            -0.25
            + 0.65 * place["clayiness"]
            + 0.004 * np.minimum(middle, 80)
            + 0.15 * place["local_1"],
            0.40 + 0.40 * place["local_2"] * 0.4,
            0.45 + 0.75 * place["sandiness"],
        ]
    )
    parts = np.exp(logits)
    clay, silt, sand = 100.0 * parts / parts.sum(axis=0)
    # Climate, cover and texture govern carbon: de Brogniez et al. 2015, doi 10.1111/ejss.12193.
    log_carbon = (
        2.75
        - 0.055 * (place["temperature"] - 9.0)
        + 0.0004 * (place["precipitation"] - 700.0)
        + 0.010 * (clay - 22.0)
        + _COVER_CARBON[cover]
        + 0.25 * place["wetness"]
        + 0.22 * place["local_3"]
        - 0.003 * (year - 2009.0) * (cover == 0)
    )
    fold = _COVER_FOLD[cover]
    mean = fold * (np.exp(-top / fold) - np.exp(-bottom / fold)) / (bottom - top)
    reference = fold * (1 - np.exp(-20.0 / fold)) / 20.0
    carbon = np.clip(np.exp(log_carbon) * mean / reference, 0.4, 520.0)
    parent = np.clip(place["lime"] - 0.35, 0.0, None) * (1 + 0.006 * middle)
    low, high = CALCITE_PH
    # Off calcite, pH falls with rain and stands well below its buffer: Slessarev et al. 2016.
    ph = np.where(
        parent > 0,
        low + (high - low) * -np.expm1(-parent),
        6.4
        - 0.0012 * (place["precipitation"] - 700.0)
        - 0.55 * np.isin(cover, (2, 3, 4))
        + 0.35 * place["lime"]
        + 0.004 * np.minimum(middle, 100),
    )
    # An acid soil does not reach the range in which calcite stands.
    ph = np.where(parent > 0, ph, np.clip(ph, 3.3, low))
    # Danish soils, CEC (cmol(+)/kg) = 0.95 + 2.90 C% + 0.53 clay%: Krogh et al. 2000,
    # doi 10.1080/090647100750014358.
    cec = 0.95 + 2.90 * np.minimum(carbon / 10.0, 40.0) + 0.53 * clay
    density = bulk_density(carbon, clay, sand, (cover == 0) & (middle < 30.0))
    nitrogen = carbon / (_COVER_CN[cover] * (1 + 0.05 * place["local_1"]))
    saturation = np.clip(18.0 + 22.0 * (ph - 4.2), 8.0, 100.0)
    bases = cec * saturation / 100.0
    oxalate = np.exp(6.9 + 0.3 * place["local_2"] + 0.012 * (clay - 20.0))
    return {
        "clay": clay,
        "silt": silt,
        "sand": sand,
        "coarse_fragments": np.clip(8 + 7 * place["local_1"] + 0.008 * place["elevation"], 0, 70),
        "organic_carbon": carbon,
        "total_nitrogen": nitrogen,
        "calcium_carbonate": carbonate(ph),
        "ph_h2o": ph,
        # Water reads 0.2 to 0.9 above CaCl2: Minasny et al. 2011, 10.1111/j.1365-2389.2011.01386.x.
        "ph_cacl2": ph - 0.9 + 0.06 * ph,
        "ph_kcl": ph - 1.0 + 0.03 * ph,
        "electrical_conductivity": np.exp(2.2 + 0.12 * np.sqrt(carbon / 10) + 0.05 * ph),
        "phosphorus": np.exp(_COVER_P[cover] + 0.35 * place["local_2"] - 0.012 * middle + 0.12),
        "potassium": np.exp(4.5 + 0.025 * clay + 0.25 * place["local_3"]),
        "total_phosphorus": 350.0 + 9.0 * np.minimum(carbon, 60) + 6.0 * clay,
        "cec": cec,
        "base_saturation": saturation,
        "exchangeable_ca": 0.76 * bases,
        "exchangeable_mg": 0.16 * bases,
        "exchangeable_k": 0.05 * bases,
        "exchangeable_na": 0.03 * bases,
        "bulk_density": density,
        # Particle density 2.65 g/cm3 less what organic matter takes from it.
        "porosity": 100.0 * (1 - density / (2.65 - 0.012 * np.minimum(carbon / 10.0, 50.0))),
        "oxalate_al": oxalate,
        "oxalate_fe": 1.9 * oxalate,
        "elevation": place["elevation"],
        "arsenic": np.exp(1.7 + 0.45 * place["ore"] + 0.012 * (clay - 20.0)),
    }


def carbonate(ph: Array) -> Array:
    """Calcium carbonate (g/kg) by pH in water: none below the range of pH that calcite buffers.

    The range is that of Slessarev et al. 2016, doi 10.1038/nature20139: a soil with more calcite is
    nearer to equilibrium with open air. Its growth over the range, by factors, is invented.
    """
    low, high = CALCITE_PH
    return np.where(ph > low, (1.0 + _MOST_CARBONATE) ** ((ph - low) / (high - low)) - 1.0, 0.0)


def bulk_density(carbon: Array, clay: Array, sand: Array, cultivated: Array) -> Array:
    """Bulk density (g/cm3) by clay and carbon: Hollis et al. 2012.

    Functions of European soils, doi 10.1111/j.1365-2389.2011.01412.x: cultivated topsoils, other
    mineral horizons and organic ones.

    Args:
        carbon: Organic carbon, g/kg.
        clay: Percent by mass.
        sand: Percent by mass.
        cultivated: Is it a cultivated topsoil?
    """
    percent = carbon / 10.0
    return np.select(
        [percent > _ORGANIC, cultivated],
        [
            1.4903 - 0.33293 * np.log(percent),
            0.80806 + 0.823844 * np.exp(-0.27993 * percent) + 0.0014065 * sand - 0.0010299 * clay,
        ],
        0.69794 + 0.750636 * np.exp(-0.230355 * percent) + 0.0008687 * sand - 0.0005164 * clay,
    )


def packing_density(layer: dict[str, Array]) -> Array:
    """Bulk density and 0.009 times clay, g/cm3: Jones et al. 2003.

    doi 10.1016/S0167-1987(03)00089-8.
    """
    return layer["bulk_density"] + 0.009 * layer["clay"]


def retention(layer: dict[str, Array], head: Array) -> Array:
    """Water content (cm3/cm3), shape (n, heads): van Genuchten with m = 1.

    Parameters by Vereecken et al. 1989, doi 10.1097/00010694-198912000-00001, whose carbon and bulk
    density end at 6 percent and 1.0 g/cm3; both are clipped there.
    """
    carbon = np.minimum(layer["organic_carbon"] / 10.0, 6.0)[:, None]
    density = np.clip(layer["bulk_density"], 1.0, 1.8)[:, None]
    clay, sand = layer["clay"][:, None], layer["sand"][:, None]
    wet = 0.81 - 0.283 * density + 0.001 * clay
    dry = np.minimum(0.015 + 0.005 * clay + 0.014 * carbon, 0.8 * wet)
    alpha = np.exp(-2.486 + 0.025 * sand - 0.351 * carbon - 2.617 * density - 0.023 * clay)
    n = np.exp(0.053 - 0.009 * sand - 0.013 * clay + 0.00015 * sand**2)
    return dry + (wet - dry) / (1.0 + (alpha * head[None, :]) ** n)


def conductivity_saturated(layer: dict[str, Array]) -> Array:
    """Saturated conductivity (cm/day), (n,): Cosby et al. 1984, doi 10.1029/WR020i006p00682."""
    inches_per_hour = 10 ** (-0.6 + 0.0126 * layer["sand"] - 0.0064 * layer["clay"])
    return inches_per_hour * 2.54 * 24.0


def month_temperature(place: dict[str, Array], month: int) -> Array:
    """Mean air temperature (degC) of a month (1 to 12)."""
    swing = 7.5 + 0.12 * (place["latitude"] - 45.0)
    return place["temperature"] - swing * np.cos(2 * np.pi * (month - 1) / 12.0)


def month_precipitation(place: dict[str, Array], month: int) -> Array:
    """Precipitation (mm) of a month (1 to 12)."""
    return place["precipitation"] / 12.0 * (1 + 0.25 * np.cos(2 * np.pi * (month - 7) / 12.0))
