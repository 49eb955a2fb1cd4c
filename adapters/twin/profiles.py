"""EU-HYDI and SPADE/M as they write themselves: profiles, horizons, curves.

Belongs here: profiles and their layers, what is measured in them how well, and the native tables.
Never here: soil relations.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.twin.europe import COUNTRIES, Array, Europe, degrees
from adapters.twin.files import Cells, write_csv, write_dbf, write_xls
from adapters.twin.planting import Draft, Rows, measure, measure_texture, wanted
from adapters.twin.points import truth_of
from adapters.twin.soil import HEADS_CM, conductivity_saturated, retention, soil


@dataclass(frozen=True)
class Counts:
    """Profiles of one source at one size; the files tell the place of some of them alone."""

    profiles: int
    located: int


EU_HYDI = {
    "tiny": Counts(32, 30),
    "demo": Counts(200, 160),
    # Three samples each, 18,699 in all.
    "full": Counts(6233, 2354),
}
SPADE_M = {"tiny": Counts(26, 25), "demo": Counts(76, 70), "full": Counts(700, 664)}
"""Plots of four horizons. At `full`, 9,556 rows of both sources keep a trustworthy place and depth:
those of located profiles whose coordinates are not swapped, less two rows of spoilt depth for each
`wanted` profile."""
_EACH = {"eu_hydi": 3, "spade_m": 4}
_BOUNDS = (-32.0, 27.0, 60.0, 72.0)
_RSG = ("LV", "CM", "PZ", "CM", "HS")


@dataclass(frozen=True)
class Layers:
    """Layers of profiles, one element a layer; `profile` counts from 0."""

    profile: np.ndarray
    number: np.ndarray
    top: Array
    bottom: Array
    place: dict[str, Array]
    country: np.ndarray


def _spots(europe: Europe, name: str, count: int) -> tuple[Array, Array]:
    """EPSG:3035 metres of profiles at random places on land, (count,) each."""
    draw = europe.stream(f"{name} places")
    found: list[np.ndarray] = []
    while sum(len(f) for f in found) < count:
        east = np.round(draw.uniform(2.6e6, 6.0e6, 4 * count + 200))
        north = np.round(draw.uniform(1.5e6, 5.2e6, 4 * count + 200))
        region, land = europe.region(east, north)
        longitude, latitude = degrees(east, north)
        inside = (latitude > 28) & (latitude < 71) & (longitude > -31)
        swiss = np.array([c[0] == "CH" for c in COUNTRIES])[europe.regions.country[region]]
        use = land & inside & ((name == "eu_hydi") | ~swiss)
        found.append(np.column_stack([east, north])[use])
    spots = np.concatenate(found)[:count]
    return spots[:, 0], spots[:, 1]


def _again(count: int, located: int) -> np.ndarray:
    """Which profile each EU-HYDI profile is: some located ones were handed in twice."""
    which, twice = np.arange(count), wanted(located)
    which[located - twice : located] = np.arange(twice)
    return which


def _places(europe: Europe, name: str, counts: Counts) -> tuple[Array, Array]:
    """EPSG:3035 metres of the profiles, those handed in twice included."""
    east, north = _spots(europe, name, counts.profiles)
    if name == "eu_hydi":
        which = _again(counts.profiles, counts.located)
        east, north = east[which], north[which]
    return east, north


def _stated(name: str, longitude: Array, latitude: Array) -> tuple[Array, Array]:
    """Degrees as they are printed: EU-HYDI degrades them to a hundredth of a degree."""
    digits = {"eu_hydi": 2, "spade_m": 4}[name]
    return longitude.round(digits), latitude.round(digits)


def _layers(europe: Europe, name: str, counts: Counts) -> Layers:
    """Profiles cut into layers of random thickness."""
    draw, each, count = europe.stream(f"{name} layers"), _EACH[name], counts.profiles
    east, north = _places(europe, name, counts)
    profile, number = np.repeat(np.arange(count), each), np.tile(np.arange(each), count)
    thickness = draw.integers(12, 36, (count, each))
    if name == "eu_hydi":
        thickness = thickness[_again(count, counts.located)]
    bottom = thickness.cumsum(axis=1)
    place = europe.place(east[profile], north[profile])
    return Layers(
        profile, number, (bottom - thickness).ravel().astype(float), bottom.ravel().astype(float),
        place, europe.regions.country[place["region"]],
    )  # fmt: skip


def _profile_ids(europe: Europe, name: str, counts: Counts) -> list[str]:
    """Key of each profile: country and running number."""
    region, _ = europe.region(*_places(europe, name, counts))
    country = europe.regions.country[region]
    if name == "eu_hydi":
        return [str((40 + int(c)) * 100_000 + p) for p, c in enumerate(country, start=1)]
    return [f"{COUNTRIES[c][1]}{p:04d}" for p, c in enumerate(country, start=1)]


def _keys(name: str, profile_ids: list[str]) -> list[str]:
    """Key of each layer."""
    layers = [(p, k) for p in profile_ids for k in range(1, _EACH[name] + 1)]
    return [f"{p}{k:02d}" if name == "eu_hydi" else f"{p}|{k}|1|A" for p, k in layers]


def profile_rows(europe: Europe, name: str, counts: Counts) -> Rows:
    """Rows of EU-HYDI or SPADE/M."""
    longitude, latitude = _stated(name, *degrees(*_places(europe, name, counts)))
    for values in (longitude, latitude):
        values[counts.located :] = np.nan
    keys = _keys(name, _profile_ids(europe, name, counts))
    return Rows(keys, *(np.repeat(v, _EACH[name]) for v in (longitude, latitude)))


def _depth_faults(
    draft: Draft,
    draw: np.random.Generator,
    located: int,
    each: int,
    top: list[object],
    bottom: list[object],
    missing: object,
    names: tuple[str, str],
) -> None:
    """Overlapping, inverted and missing depths, in located profiles that hold no other fault."""
    chosen = iter(draw.permutation(located))

    def rows() -> range | None:
        for profile in chosen:
            own = range(profile * each, (profile + 1) * each)
            if not draft.touched.intersection(own):
                draft.touched.update(own)
                return own
        return None

    for _ in range(wanted(located)):
        for fault, flag in (
            ("overlap", "depth_overlap"),
            ("inverted", "depth_fault"),
            ("no_depth", "depth_missing"),
        ):
            own = rows()
            if own is None:
                return
            if fault == "overlap":
                # The deeper horizon is the one that begins too high.
                before = bottom[own[0]]
                bottom[own[0]] = before + 6
                draft.record(own[1], None, fault, before, bottom[own[0]], flag)
            elif fault == "inverted":
                row = own[-1]
                draft.record(
                    row, None, fault, (top[row], bottom[row]), (bottom[row], top[row]), flag
                )
                top[row], bottom[row] = bottom[row], top[row]
            else:
                row = own[-1]
                draft.record(row, None, fault, (top[row], bottom[row]), (missing, missing), flag)
                for column, values in zip(names, (top, bottom), strict=True):
                    draft.record(row, column, "missing_code", values[row], missing, "missing")
                    values[row] = missing


def _sentinels(
    draft: Draft,
    draw: np.random.Generator,
    columns: dict[str, tuple[str, list[object]]],
    share: float,
    codes: tuple[object, ...],
) -> None:
    """Write missing codes over values; native header -> (canonical column, values)."""
    for column, values in columns.values():
        for row in np.flatnonzero(draw.uniform(size=len(values)) < share):
            code = codes[int(draw.integers(len(codes)))]
            if int(row) in draft.touched or values[row] is None:
                continue
            draft.record(int(row), column, "missing_code", values[row], code, "missing")
            values[row] = code


_CHEMICAL = {
    "OC": ("organic_carbon", 0.1, 2, 0.06), "CACO3": ("calcium_carbonate", 0.1, 1, 0.05),
    "PH_H2O": ("ph_h2o", 1, 2, 0.01), "PH_KCL": ("ph_kcl", 1, 2, 0.01),
    "EC": ("electrical_conductivity", 0.01, 3, 0.06), "CEC": ("cec", 1, 1, 0.06),
    "EX_NA": ("exchangeable_na", 1, 2, 0.06), "EX_MG": ("exchangeable_mg", 1, 2, 0.06),
    "EX_K": ("exchangeable_k", 1, 2, 0.06), "EX_CA": ("exchangeable_ca", 1, 1, 0.06),
}  # fmt: skip
"""Native header -> canonical column, native unit in canonical units inverted, digits, noise."""


def eu_hydi(europe: Europe, size: str, folder: Path) -> Draft:
    """GENERAL, BASIC, CHEMICAL, PSIZE, RET, COND and METHOD as csv."""
    each, counts = _EACH["eu_hydi"], EU_HYDI[size]
    count, located = counts.profiles, counts.located
    draw = europe.stream("eu_hydi")
    layers = _layers(europe, "eu_hydi", counts)
    n = len(layers.profile)
    layer = soil(layers.place, layers.top, layers.bottom, np.full(n, 1990.0))
    profiles = _profile_ids(europe, "eu_hydi", counts)
    profile_id = [profiles[p] for p in layers.profile]
    sample_id = _keys("eu_hydi", profiles)
    truth = truth_of(
        europe, layers.place, layer,
        ("bulk_density", "porosity", "coarse_fragments", "elevation",
         *(c[0] for c in _CHEMICAL.values())),
    )  # fmt: skip
    draft = Draft("eu_hydi", sample_id, truth)
    top = [int(v) for v in layers.top]
    bottom = [int(v) for v in layers.bottom]
    names = ("Ap", "Bw", "C")
    basic: Cells = {
        "PROFILE_ID": profile_id,
        "SAMPLE_ID": sample_id,
        "SAMPLE_POS": [int(k) + 1 for k in layers.number],
        "SAMPLE_DEP_TOP": top,
        "SAMPLE_DEP_BOT": bottom,
        "HOR1_NAME": [names[int(k)] for k in layers.number],
        "STRUCTURE1": [("MOFISB", "WECOSB", "MAMA")[int(k)] for k in layers.number],
        "POR": measure(draw, layer["porosity"], 1, absolute=0.8, high=95),
        "POR_M": ["510"] * n,
        "BD": measure(draw, layer["bulk_density"], 2, relative=0.03, low=0.08, high=2.2),
        "BD_M": ["110"] * n,
        "COARSE": measure(draw, layer["coarse_fragments"], 0, absolute=1.0, high=95),
        "COARSE_M": ["130"] * n,
    }
    chemical: Cells = {"PROFILE_ID": list(profile_id), "SAMPLE_ID": list(sample_id)}
    for native, (column, scale, digits, noise) in _CHEMICAL.items():
        chemical[native] = measure(draw, layer[column] * scale, digits, relative=noise)
        chemical[f"{native}_M"] = ["300"] * n
    chemical["SALT"] = measure(draw, 0.003 * layer["electrical_conductivity"], 2, relative=0.1)
    chemical["SALT_M"] = ["300"] * n
    sums = zip(*(chemical[f"EX_{a}"] for a in ("NA", "MG", "K", "CA")), strict=True)
    chemical["BASE_CATIONS"] = [round(sum(s), 2) for s in sums]
    # One row a profile.
    first = np.flatnonzero(layers.number == 0)
    places = _printed("eu_hydi", layers.place, first, located)
    general: Cells = {
        "PROFILE_ID": [profile_id[r] for r in first],
        "X_WGS84": places[0],
        "Y_WGS84": places[1],
        "ELEV": [round(float(v)) for v in layers.place["elevation"][first]],
        "ISO_COUNTRY": [COUNTRIES[c][1] for c in layers.country[first]],
        "LC_L1": [("B00", "E00", "C00", "D00", "H00")[c] for c in layers.place["cover"][first]],
        "LC_L2": [("B10", "E20", "C10", "D20", "H10")[c] for c in layers.place["cover"][first]],
        "LC_L3": [("B11", "E20", "C10", "D20", "H11")[c] for c in layers.place["cover"][first]],
        "LU_L1": [
            ("U110", "U110", "U120", "U420", "U420")[c] for c in layers.place["cover"][first]
        ],
        "LU_L2": [
            ("U111", "U111", "U120", "U420", "U420")[c] for c in layers.place["cover"][first]
        ],
        "SITE_SLOP_GRAD": [f"{v:02d}" for v in draw.integers(1, 8, count)],
        "SRF_ROCK_COV": ["N"] * count,
        "PAR_MAT": [str(v) for v in draw.choice([1100, 2110, 3000, 4100, 5100], count)],
        "WRB2006_RSG": [_RSG[c] for c in layers.place["cover"][first]],
        "WRB1998_RSG": [_RSG[c] for c in layers.place["cover"][first]],
        "NAT_CLAS": ["Parabraunerde, Höhenlage"] * count,
        "YEAR": [str(v) for v in draw.integers(1960, 2010, count)],
        "MONTH": [int(v) for v in draw.integers(1, 13, count)],
        "DAY": ["-999"] * count,
    }
    _hand_in_twice(draft, (basic, chemical), _again(count, located), each)
    _swap_profiles(draft, draw, general, each)
    _depth_faults(draft, draw, located, each, top, bottom, -999, ("sample_top", "sample_bottom"))
    draft.plant(
        draw, basic["BD"], "bulk_density", "unit_slip", "out_of_range", lambda v: round(v * 1000, 1)
    )
    draft.plant(
        draw,
        chemical["PH_H2O"],
        "ph_h2o",
        "shifted_decimal",
        "out_of_range",
        lambda v: round(v * 10, 1),
    )
    _sentinels(
        draft, draw,
        {"POR": ("porosity", basic["POR"]), "BD": ("bulk_density", basic["BD"])}
        | {native: (column[0], chemical[native]) for native, column in _CHEMICAL.items()},
        0.06, ("-999",),
    )  # fmt: skip
    _sentinels(draft, draw, {"STRUCTURE1": ("structure", basic["STRUCTURE1"])}, 0.1, ("ND", "-999"))
    write_csv(folder / "GENERAL.csv", general, "latin-1")
    write_csv(folder / "BASIC.csv", basic)
    write_csv(folder / "CHEMICAL.csv", chemical)
    _curves(draw, layer, profile_id, sample_id, folder)
    write_csv(
        folder / "METHOD.csv",
        {
            "CODE_M": ["110", "130", "300", "510", "700"],
            "METHOD": [
                "core, 100 cm³",
                "sieving",
                "laboratory manual",
                "calculated",
                "Würfel, sand box",
            ],
            "METH_REF": ["ISO 11272", "ISO 11464", "national", "ND", "ISO 11274"],
            "METH_PAR": ["BD_M", "COARSE_M", "OC_M", "POR_M", "TH_M"],
        },
        "latin-1",
    )
    return draft


def _hand_in_twice(draft: Draft, tables: tuple[Cells, ...], which: np.ndarray, each: int) -> None:
    """Give profiles that are others under a new id their measured values too."""
    for profile in np.flatnonzero(which != np.arange(len(which))):
        for layer in range(each):
            row, first = profile * each + layer, int(which[profile]) * each + layer
            for name, values in ((n, v) for cells in tables for n, v in cells.items()):
                if name not in ("PROFILE_ID", "SAMPLE_ID"):
                    values[row] = values[first]
            # Two ids for one profile: only who compares all rows with all others sees it.
            key = draft.keys[first]
            draft.record(row, None, "duplicated_profile", key, draft.keys[row], None)


def _printed(
    name: str, place: dict[str, Array], first: np.ndarray, located: int
) -> tuple[list[object], list[object]]:
    """Longitude and latitude of each profile, None where the files tell no place."""
    stated = _stated(name, place["longitude"][first], place["latitude"][first])
    hidden = [None] * (len(first) - located)
    return tuple([*values[:located].tolist(), *hidden] for values in stated)


def _swap_profiles(draft: Draft, draw: np.random.Generator, plots: Cells, each: int) -> None:
    """Swap the coordinates of whole profiles; every layer of it must be flagged."""
    x, y = (name for name in plots if name in ("X_WGS84", "Y_WGS84", "LON", "LAT"))
    west, south, _, _ = _BOUNDS
    known = [r for r, lon in enumerate(plots[x]) if lon is not None]
    rows = [r for r in known if plots[x][r] < south and plots[y][r] > west]
    for row in draw.choice(rows, wanted(len(known)), replace=False):
        before = (plots[x][row], plots[y][row])
        plots[x][row], plots[y][row] = plots[y][row], plots[x][row]
        for own in range(row * each, (row + 1) * each):
            draft.record(own, None, "swapped_coordinates", before, before[::-1], "position_suspect")
            draft.touched.add(int(own))


def _curves(
    draw: np.random.Generator,
    layer: dict[str, Array],
    profile_id: list[str],
    sample_id: list[str],
    folder: Path,
) -> None:
    """Particle sizes, retention and conductivity: several rows a sample, in no order."""
    n = len(sample_id)
    clay, silt, sand = measure_texture(draw, layer, 1)
    sizes = (2, 20, 50, 2000)
    parts = np.column_stack([clay, np.array(silt) * 0.4, np.array(silt) * 0.6, sand]).round(2)
    shuffled = draw.permutation(n * len(sizes))
    write_csv(
        folder / "PSIZE.csv",
        {
            "PROFILE_ID": [profile_id[i // 4] for i in shuffled],
            "SAMPLE_ID": [sample_id[i // 4] for i in shuffled],
            "P_SIZE": [sizes[i % 4] for i in shuffled],
            "P_PERCENT": [float(parts[i // 4, i % 4]) for i in shuffled],
            "P_M": ["700"] * len(shuffled),
        },
    )
    heads = np.array(HEADS_CM)
    theta = retention(layer, heads) + draw.normal(0, 0.004, (n, len(heads)))
    # Points may be missing from a curve.
    have = np.flatnonzero(draw.uniform(size=theta.size) < 0.9)
    write_csv(
        folder / "RET.csv",
        {
            "PROFILE_ID": [profile_id[i // len(heads)] for i in have],
            "SAMPLE_ID": [sample_id[i // len(heads)] for i in have],
            "HEAD": [float(heads[i % len(heads)]) for i in have],
            "THETA": [round(float(np.clip(theta.flat[i], 0.005, 0.95)), 3) for i in have],
        },
    )
    some = np.flatnonzero(draw.uniform(size=n) < 0.5)
    saturated = conductivity_saturated(layer)[some] * np.exp(draw.normal(0, 0.2, len(some)))
    write_csv(
        folder / "COND.csv",
        {
            "PROFILE_ID": [profile_id[r] for r in some],
            "SAMPLE_ID": [sample_id[r] for r in some],
            "IND_VALUE": [1] * len(some),
            "VALUE": [0] * len(some),
            "COND": [round(float(v), 3) for v in saturated],
            "COND_M": ["700"] * len(some),
        },
    )


def spade_m(europe: Europe, size: str, folder: Path) -> Draft:
    """PLOT.dbf, HORIZON.dbf and PHYSICS.xls."""
    each, counts = _EACH["spade_m"], SPADE_M[size]
    count, located = counts.profiles, counts.located
    draw = europe.stream("spade_m")
    layers = _layers(europe, "spade_m", counts)
    n = len(layers.profile)
    layer = soil(layers.place, layers.top, layers.bottom, np.full(n, 1995.0))
    profiles = _profile_ids(europe, "spade_m", counts)
    plot = [profiles[p] for p in layers.profile]
    number = [str(int(k) + 1) for k in layers.number]
    keys = _keys("spade_m", profiles)
    matter = layer["organic_carbon"] / 10.0 * 1.724
    truth = truth_of(
        europe, layers.place, layer,
        ("clay", "sand", "calcium_carbonate", "cec", "base_saturation", "exchangeable_ca",
         "exchangeable_mg", "exchangeable_k", "exchangeable_na", "bulk_density", "porosity",
         "electrical_conductivity"),
    )  # fmt: skip
    fine = 0.45 * layer["silt"]
    # Half the organic matter is carbon, a little more: van Bemmelen's 1.724.
    truth |= {
        "silt_fine": fine, "silt_coarse": layer["silt"] - fine, "organic_matter": matter,
        "gravel": layer["coarse_fragments"], "ph": layer["ph_h2o"],
        "c_n_ratio": layer["organic_carbon"] / layer["total_nitrogen"],
    }  # fmt: skip
    draft = Draft("spade_m", keys, truth)
    clay, silt, sand = measure_texture(draw, layer, 0)
    silt_fine = [round(0.45 * v) for v in silt]
    top, bottom = [int(v) for v in layers.top], [int(v) for v in layers.bottom]
    horizon: Cells = {
        "PLOT_ID": plot,
        "HOR_NUM": number,
        "SAMPLE": ["1"] * n,
        "LAB": ["A"] * n,
        "HOR_NAME": [("Ap", "Bt", "BC", "C")[int(k)] for k in layers.number],
        "DEP_TOP": top,
        "DEP_BOT": bottom,
        "TEXT_2": clay,
        "TEXT_20": silt_fine,
        "TEXT_50": [a - b for a, b in zip(silt, silt_fine, strict=True)],
        "TEXT_2000": sand,
        "GRAVEL": measure(draw, layer["coarse_fragments"], 0, absolute=1.0, high=95),
        "OM": measure(draw, matter, 2, relative=0.05, high=98),
        "C_N": measure(draw, truth["c_n_ratio"], 1, relative=0.04, low=3, high=90),
        "CACO3_TOT": measure(draw, layer["calcium_carbonate"] / 10, 1, relative=0.05),
        "CASO4": measure(draw, np.zeros(n), 1),
        "PH": measure(draw, layer["ph_h2o"], 1, absolute=0.08, low=2.5),
        "EC": measure(draw, layer["electrical_conductivity"] / 100, 3, relative=0.06),
        "SAR": measure(draw, 0.8 + 0 * matter, 1, relative=0.2),
        "ESP": measure(draw, 100 * layer["exchangeable_na"] / layer["cec"], 1, relative=0.06),
        "CEC": measure(draw, layer["cec"], 1, relative=0.06),
        "BS": measure(draw, layer["base_saturation"], 0, absolute=1.5, high=100),
        **{
            f"EXCH_{a.upper()}": measure(draw, layer[f"exchangeable_{a}"], 2, relative=0.06)
            for a in ("ca", "mg", "k", "na")
        },
    }
    first = np.flatnonzero(layers.number == 0)
    cover = layers.place["cover"][first]
    places = _printed("spade_m", layers.place, first, located)
    plots: Cells = {
        "PLOT_ID": [plot[r] for r in first],
        "COUNTRY": [COUNTRIES[c][1] for c in layers.country[first]],
        "LON": places[0],
        "LAT": places[1],
        "SOIL": [("LVh", "CMe", "PZh", "CMd", "HSf")[c] for c in cover],
        "USE": [("A", "G", "F", "H", "H")[c] for c in cover],
        "PM": [str(v) for v in draw.choice([110, 210, 310, 410], count)],
        "GWL_H": [int(v) for v in draw.integers(40, 300, count)],
        "ROOT_DEP": [int(v) for v in draw.integers(30, 150, count)],
    }
    _swap_profiles(draft, draw, plots, each)
    _depth_faults(draft, draw, located, each, top, bottom, -9, ("horizon_top", "horizon_bottom"))
    draft.plant(
        draw, horizon["TEXT_2000"], None, "misread_fraction", "texture_sum",
        lambda v: v + 21 if v <= 70 else None,
    )  # fmt: skip
    draft.plant(
        draw, horizon["PH"], "ph", "shifted_decimal", "out_of_range", lambda v: round(v * 10, 1)
    )
    _sentinels(
        draft, draw,
        {"CACO3_TOT": ("calcium_carbonate", horizon["CACO3_TOT"]), "CEC": ("cec", horizon["CEC"]),
         "C_N": ("c_n_ratio", horizon["C_N"]), "EC": ("electrical_conductivity", horizon["EC"])},
        0.05, (-9, -99),
    )  # fmt: skip
    write_dbf(folder / "HORIZON.dbf", horizon)
    write_dbf(folder / "PLOT.dbf", plots)
    density = measure(draw, layer["bulk_density"], 2, relative=0.03, low=0.08, high=2.2)
    capacity = retention(layer, np.array([330.0]))[:, 0]
    draft.truth["water_content_fc"] = capacity
    write_xls(
        folder / "PHYSICS.xls",
        "PHYSICS",
        {
            "PLOT_ID": plot, "HOR_NUM": number,
            "WC_FC": measure(draw, 100 * capacity, 1, absolute=0.5, high=95),
            "POR": measure(draw, layer["porosity"], 1, absolute=0.8, high=95), "BD": density,
        },
    )  # fmt: skip
    return draft
