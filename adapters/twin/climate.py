"""Climate truth of a place: indicators of its mean and of its extremes.

Belongs here: published relations from the monthly climate of a place to indicators of a year.
Never here: the monthly climate itself (`soil.py`, `europe.py`), native units.
"""

import numpy as np

from adapters.twin.europe import Array
from adapters.twin.soil import month_precipitation, month_temperature

_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=float)
# Standard deviation (K) of a day about the mean of its month: of the size that Wilks 2011,
# Statistical Methods in the Atmospheric Sciences (ISBN 9780123850225), shows for daily records.
_DAILY_SD = 4.0
# Base temperatures (degC) of heating and cooling degree days: Spinoni et al. 2015,
# doi 10.1002/joc.3959.
_HEATING, _COOLING = 15.5, 22.0


def _exceeding(mean: Array, sd: float, threshold: float) -> Array:
    """Share of the days of a normal distribution above a threshold."""
    from scipy.special import ndtr

    return ndtr((mean - threshold) / sd)


def _excess(mean: Array, sd: float, threshold: float) -> Array:
    """Mean excess over a threshold of normally distributed days.

    Thom 1954, doi 10.1175/1520-0493(1954)082<0001:TRRBHD>2.0.CO;2.
    """
    from scipy.special import ndtr

    z = (mean - threshold) / sd
    return sd * (np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi) + z * ndtr(z))


def potential_evapotranspiration(place: dict[str, Array]) -> Array:
    """Potential evapotranspiration (mm a year): Thornthwaite 1948, doi 10.2307/210739.

    Without the correction for the length of the day.
    """
    warm = np.stack([np.maximum(month_temperature(place, m), 0.0) for m in range(1, 13)])
    heat = np.maximum(((warm / 5.0) ** 1.514).sum(axis=0), 1e-6)
    power = 6.75e-7 * heat**3 - 7.71e-5 * heat**2 + 1.792e-2 * heat + 0.49239
    return (16.0 * (10.0 * warm / heat) ** power).sum(axis=0)


def indicators(place: dict[str, Array]) -> dict[str, Array]:
    """Indicators of the climate of a year.

    Days scatter normally about the mean of their month and wet days are exponentially distributed.

    Args:
        place: Of `Europe.place`.

    Returns:
        Name of the indicator -> array of the shape of `place`, in degC, K, mm, mm/day, %, days and
        degree days.
    """
    months = np.stack([month_temperature(place, m) for m in range(1, 13)])
    days = _DAYS.reshape(-1, *[1] * place["temperature"].ndim)
    rain = np.sum([month_precipitation(place, m) for m in range(1, 13)], axis=0)
    # Wider in a dry, continental climate.
    daily = np.clip(11.0 - 0.003 * (rain - 700.0) + 0.8 * place["lime"], 4.0, 18.0)
    high, low = months + daily / 2, months - daily / 2
    wet = 365.0 * (1.0 - np.exp(-rain / 1500.0))
    intensity = rain / wet
    dry = 1.0 - wet / 365.0
    humidity = np.clip(76.0 - 1.2 * (place["temperature"] - 9.0) + 4.0 * place["wetness"], 30, 98)
    # Magnus: Alduchov and Eskridge 1996, doi 10.1175/1520-0450(1996)035<0601:IMFAOS>2.0.CO;2;
    # humidex after Masterton and Richardson 1979 (Environment Canada, CLI 1-79).
    vapour = humidity / 100 * 6.1094 * np.exp(17.625 * high / (high + 243.04))
    felt = high + 5.0 / 9.0 * (vapour - 10.0)

    def count(mean: Array, threshold: float) -> Array:
        return (days * _exceeding(mean, _DAILY_SD, threshold)).sum(axis=0)

    def mean(values: Array) -> Array:
        return (values * days).sum(axis=0) / 365.0

    hottest, coldest = high.max(axis=0), high.min(axis=0)
    return {
        "mean_temperature": mean(months),
        "max_temperature": mean(high),
        "min_temperature": mean(low),
        "diurnal_range": daily,
        "total_precipitation": rain,
        "precipitation_intensity_wet_days": intensity,
        # Expected longest run of a year of independent days: Schilling 1990, The longest run of
        # heads, The College Mathematics Journal 21, 196-207.
        "longest_dry_spell": np.clip(np.log(365.0 * (1 - dry)) / -np.log(dry), 1.0, 365.0),
        "max_5day_precipitation": intensity * (np.log(wet) + 2.0),
        "relative_humidity": humidity,
        "aridity_index": rain / np.maximum(potential_evapotranspiration(place), 50.0),
        "tmax_p05": coldest - 0.7 * _DAILY_SD,
        "tmax_p99": hottest + 1.5 * _DAILY_SD,
        "wet_day_precipitation_p99": intensity * np.log(100.0),
        "summer_days_tmax25": count(high, 25.0),
        "days_tmax35": count(high, 35.0),
        "tropical_nights_tmin20": count(low, 20.0),
        "days_tmin25": count(low, 25.0),
        "wet_days": wet,
        "heating_degree_days": (days * _excess(-months, _DAILY_SD, -_HEATING)).sum(axis=0),
        "cooling_degree_days": (days * _excess(months, _DAILY_SD, _COOLING)).sum(axis=0),
        "humidex": mean(felt),
        "humidex_over_25": count(felt, 25.0),
        "humidex_over_35": count(felt, 35.0),
        "heat_wave": 0.4 * count(high, 30.0),
    }
