"""Which horizons follow each other in which soil, by the German soil survey manual (KA5).

Belongs here: soil types of a setting, their sequences of horizons, how a surveyor writes a symbol.
Never here: what a symbol says of its horizon (`horizon_marks.py`), codes of a horizon's properties
(`morphology.py`), pictures.

Symbols, soil types and their order are those of the manual: Ad-hoc-AG Boden (2005), Bodenkundliche
Kartieranleitung, 5th edition, Hannover. Thicknesses and shares are a synthetic world's.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np

LandUse = Literal["A", "G", "S"]
"""Cropland, grassland, special crops (orchards and vineyards)."""
MOST_HORIZONS = 8


@dataclass(frozen=True)
class Setting:
    """What made the soil of one place.

    Attributes:
        parent: Parent material, a key of `morphology.PARENTS`.
        lime: Carbonate of the parent material, percent by mass.
        leached: Depth in cm above which carbonate has been washed out.
        sand: Percent of the fine earth of the parent material.
        silt: Percent.
        clay: Percent.
        stones: Percent by volume at 1 m.
        rock: Depth of hard rock, cm.
        water: Depth of the groundwater, cm.
        dense: How easily water stagnates on the subsoil, 0 to 1.
        peat: Thickness of peat, cm.
        slope: Inclination in percent.
        form: Relief form: K crest, H slope, V plain, T hollow or valley floor.
        use: Land use.
        rain: mm a year.
        warmth: Mean air temperature, degC.
        marsh: Is it a young sea marsh?
        fertile: Factor of organic matter.
    """

    parent: str
    lime: float
    leached: float
    sand: float
    silt: float
    clay: float
    stones: float
    rock: float
    water: float
    dense: float
    peat: float
    slope: float
    form: str
    use: LandUse
    rain: float
    warmth: float
    marsh: bool
    fertile: float


# Soil type -> sequences: weight, then horizons with their mean thickness in cm. `A` is the topsoil
# of the land use and `C` the parent material of the depth; a horizon with `?` is there in six
# profiles of ten, and the last one reaches below the picture.
_SEQUENCES = """
BB 5 A:27 Bv:28 Bv-C:16? C:25 C
BB 2 A:26 Bv:18 Bv:18 C
BB 1 A:14 Ah-Bv:14 Bv:26 C:22 C
BB 2 A:27 Bv:22 Sw-Bv:22 Sd-C:25? C
BB 1 A:27 Bv:20 Sd-Bv:30 Sd-C
BB 1 A:26 Bhv:18 Bv:22 C
BB 1 A:26 Bsv:20 Bv:20? C:25 C
BC 3 A:26 Bcv:22 C:28 C
BC 2 A:27 Bv:20 Bv-C:16 C
LL 5 A:28 Al:16 Bt:38 Btv:18? C
LL 2 A:28 Al-Bt:16 Bt:30 Bvt:20? C
LL 2 A:27 Al:12 Al-Bt:12 Bt:30 C
LL 1 A:28 Al-Bv:15 Bt:35 C
LL 3 A:28 Al-Sw:18 Sw-Bt:22 Bt-Sd:26? C
LF 3 A:28 Ael:18 Ael-Bt:18 Bt:28 C
LF 2 A:22 A:15 Bt-Ael:35 Bt
LF 2 A:28 Bv-Ael:20 Bt:25 Cbtv
LF 2 A:28 Bv:16 Bv-Ael:18? ilCbtv:30 C
PP 3 Ae:25 Bh:8 Bhs:14 Bs:18 C
PP 2 Ae:28 Bsh:12 Bs:18? Bv-C:16? C
PP 2 Ae:26 Bhs:16 Bsv:18 C:20 C
SS 4 A:25 Sw:22 Sd:34 Sd-C
SS 2 A:25 Sw-Bv:20 Sw:16? Sd-Btv:30 C
SS 1 A:12 Sw-Ah:12 Sw:22 Sd
SS 1 A:18 Sw-Ap:12 Sw:18 Sd:30 Sd-C
SS 1 A:26 Ssw:22 Sswd:34 C
SS 1 A:25 Sw:20 Sw-C:18? Sd-C
GG 3 A:24 Go:28 Gr
GG 3 A:22 Go:20 Gro:18 Gor:16? Gr
GG 1 A:24 Sw-Go:20 Go:20 Gr
GG 1 A:26 Go-C:25 Gw:18? Gr
GG 1 A:22 Gkso:12 Gro:25 Gr
GG 2 A:24 M-Go:20 Gro:24 Gr
MN 4 A:22 tGo:26 tGro:22 tGr
MN 1 A:20 Sw-Go:18 tGo:24 tGr
HN 3 Hv:25 Hw:22 Hr:30 Hr
HN 2 Hv:28 Hw:18 F:16? Gr
HN 2 Hv:26 Hr:22 Gr
HH 3 Hv:22 Hw:20 Hr:28 Hr
HH 1 Hv:30 Hr:30 Gr
RQ 4 A:25 C:30 C
RQ 2 A:22 Ah-Bv:10? C:20 C:20 C
RQ 1 A:28 Cj:35 C
RZ 4 A:26 C:28 C
RZ 1 Acp:26 elCc:25 C
RR 3 A:22 cC:28 C
RR 1 A:20 T:18 C
TT 3 Axp:30 Axh:26 elCc:22 C
TT 2 Axp:32 Acxh:22 Bv-elC:14? elCc:20 C
TT 1 Axp:30 Axh:22 Bv:18 elCc
DD 3 A:20 P:28 elC-P:20 C
DD 2 A:22 P:24 P-Sd:24 Sd-C
YK 3 A:26 M:40 Bv:20? C
YK 2 A:26 M:24 M:22 Sw-M:22
YK 1 A:25 Mc:40 C
AB 3 A:25 M:35 M-Go:22 Gro
AB 2 A:26 M:28 M-Gro:20 Gr
AB 1 A:25 Mc:28 aelC:25 Gr
YE 3 A:28 E:35 Bv:20? C
YE 1 A:28 bE:30 Bsv:18? C
YY 1 A:20 R:40 C
"""
CONFUSED = {
    "BB": "RQ", "BC": "RZ", "LL": "BB", "LF": "LL", "PP": "BB", "SS": "LL", "GG": "SS", "MN": "GG",
    "HN": "GG", "HH": "HN", "RQ": "BB", "RZ": "RQ", "RR": "RZ", "TT": "RZ", "DD": "SS", "YK": "BB",
    "AB": "YK", "YE": "PP", "YY": "RZ",
}  # fmt: skip
"""Soil type -> the one that it is taken for most easily."""
# Symbols that say carbonate.
_LIMY = ("elC", "Bcv", "Mc", "Acp", "Acxh", "cC")


@functools.cache
def _sequences() -> dict[str, list[tuple[float, tuple[str, ...]]]]:
    known: dict[str, list[tuple[float, tuple[str, ...]]]] = {}
    for line in _SEQUENCES.strip().splitlines():
        kind, weight, *steps = line.split()
        known.setdefault(kind, []).append((float(weight), tuple(steps)))
    return known


def soil_type(setting: Setting, draw: np.random.Generator) -> str:
    """Two letters of the soil type that forms in a setting, as a key of `_sequences`.

    Water comes first (peat, marsh, gley), then what was laid down (colluvium, floodplain), then
    the parent material and how far it has weathered.
    """
    s, chance = setting, draw.uniform()
    if s.peat >= 30:
        return "HH" if s.rain > 850 and s.parent == "sand" else "HN"
    if s.marsh:
        return "MN"
    if s.form == "T" and s.parent == "alluvium" and chance < 0.55:
        return "AB"
    if s.water < 95 + 25 * draw.normal():
        return "GG"
    if s.form == "T" and s.parent != "alluvium" and chance < 0.6:
        return "YK"
    if s.use == "S" and chance < 0.5:
        return "YY"
    if s.rock < 45:
        return "RR" if s.lime > 30 else "RQ"
    if s.dense > 0.66 and s.slope < 9 and s.clay > 14:
        return "DD" if s.clay > 38 else "SS"
    if s.clay > 42:
        return "DD"
    if s.parent == "loess" and s.rain < 600 and s.lime > 5 and chance < 0.75:
        return "TT"
    if s.lime > 4 and s.leached < 24:
        return "BC" if chance < 0.35 else "RZ"
    if s.parent in ("sand", "red sandstone") and s.clay < 9:
        if s.rain > 560 and s.warmth < 12 and chance < 0.45:
            return "PP"
        if s.parent == "sand" and chance > 0.92:
            return "YE"
        return "LF" if chance > 0.72 else "BB" if chance > 0.12 else "RQ"
    if s.parent in ("loess", "till") and s.slope < 12:
        return "LF" if s.sand > 45 and chance < 0.6 else "LL" if chance < 0.8 else "BB"
    return "RQ" if s.form == "K" and chance < 0.3 else "BB"


def _topsoil(setting: Setting, draw: np.random.Generator, podzolic: bool) -> str:
    ploughed = setting.use != "G" or draw.uniform() < 0.25
    if podzolic:
        return "Aep" if ploughed else "Aeh"
    return "Ap" if ploughed else "Ah"


def _parent(setting: Setting, depth: float, draw: np.random.Generator) -> str:
    """Symbol of the parent material: loose (l) or massive (m), and what it is made of.

    c for limestone, e for marl and other calcareous material, i for silicates; what only carbonate
    or stones tell apart has one colour.
    """
    s, plain = setting, draw.uniform()
    lime = s.lime if depth > s.leached else 0.0
    if depth >= s.rock:
        if s.lime > 30:
            return "cmC" if plain < 0.8 else "emC"
        if lime > 2:
            return "emC"
        return "imC" if plain < 0.45 else "imCv" if plain < 0.8 else "mCv"
    if lime > 30:
        return "cC" if s.stones > 45 else "clC"
    if lime > 0.5:
        return "aelC" if s.parent == "alluvium" else "elC" if plain < 0.88 else "lC"
    return "ilC" if plain < 0.80 else "lC" if plain < 0.88 else "Cv" if plain < 0.94 else "iC"


def sequence(kind: str, setting: Setting, draw: np.random.Generator) -> list[tuple[str, int, int]]:
    """Horizons of one profile: symbol, upper and lower depth in cm, at most MOST_HORIZONS.

    The first begins at 0 and the last ends at 100 or below.

    Args:
        kind: Of `soil_type`.
        setting: What made the soil.
        draw: Random numbers of this profile.
    """
    options = [
        (weight, steps)
        for weight, steps in _sequences()[kind]
        if setting.lime > 2 or not any(symbol in step for step in steps for symbol in _LIMY)
    ]
    weights = np.array([weight for weight, _ in options])
    _, steps = options[draw.choice(len(options), p=weights / weights.sum())]
    steps = [step for step in steps if not step.endswith("?") or draw.uniform() < 0.6]
    found: list[tuple[str, int, int]] = []
    top = 0
    for number, step in enumerate(steps):
        pattern, _, thickness = step.rstrip("?").partition(":")
        symbol = _resolved(pattern, setting, top, draw)
        if number == len(steps) - 1:
            found += _last(symbol, top, setting, draw)
            break
        mean = float(thickness)
        # A plough levels what lies above it; what formed by itself varies more.
        spread = 0.10 if symbol == "Ap" else 0.28
        bottom = top + max(4, round(mean * np.exp(draw.normal(0.0, spread))))
        if bottom - top >= 28 and symbol != "Ap" and draw.uniform() < 0.4:
            # One that is thick is told apart by shades, as Bv1 and Bv2.
            cut = top + round((bottom - top) * draw.uniform(0.4, 0.6))
            found.append((symbol, top, cut))
            top = cut
        found.append((symbol, top, bottom))
        top = bottom
        if top >= 96:
            break
    found = found[:MOST_HORIZONS]
    symbol, top, bottom = found[-1]
    found[-1] = (symbol, top, max(bottom, 100))
    return found


def _resolved(pattern: str, setting: Setting, depth: float, draw: np.random.Generator) -> str:
    """A symbol for `A`, `Ae` and `C`, alone or in a mixture."""
    if pattern in ("A", "Ae"):
        return _topsoil(setting, draw, pattern == "Ae")
    first, _, last = pattern.partition("-")
    if "C" not in (first, last):
        return pattern
    parent = _parent(setting, depth, draw)
    if first == pattern:
        return parent
    # No mixture with rock: where it begins, the horizon above it ends.
    loose = parent if parent in ("elC", "ilC", "lC") else "Cv" if first == "Bv" else "ilC"
    return f"{first}-{loose}"


def _last(
    symbol: str, top: int, setting: Setting, draw: np.random.Generator
) -> list[tuple[str, int, int]]:
    """The deepest horizon, in two parts where it is thick and changes."""
    end = int(draw.choice([100, 100, 100, 105, 110, 120]))
    parts = [(symbol, top, max(end, top + 10))]
    room = end - top
    if room > 30 and draw.uniform() < 0.75:
        cut = top + round(room * draw.uniform(0.4, 0.6))
        deeper = _resolved("C", setting, cut, draw) if "C" in symbol else symbol
        parts = [(symbol, top, cut), (deeper, cut, end)]
    elif end > 100 and top < 90 and draw.uniform() < 0.4:
        # What begins at 100 cm is described but not in the picture.
        parts = [(symbol, top, 100), (symbol, 100, end)]
    return parts


def written(symbols: list[str], setting: Setting, draw: np.random.Generator) -> list[str]:
    """Symbols as a surveyor writes them.

    Mixtures by tongues with `+`; weathered loose parent material with a v; what was ploughed in
    former times with an r; peat by its origin; a second layer of rock with II; and numbers where a
    symbol comes twice.

    Args:
        symbols: From top to bottom.
        setting: What made the soil.
        draw: Random numbers of this profile.
    """
    found = [_dressed(symbol, setting, draw) for symbol in symbols]
    ploughed = [k for k, symbol in enumerate(symbols) if symbol == "Ap"]
    for k in ploughed[1:]:
        found[k] = "rAp"
    twice = {symbol for symbol in found if found.count(symbol) > 1}
    seen: dict[str, int] = {}
    for k, symbol in enumerate(found):
        if symbol in twice:
            seen[symbol] = seen.get(symbol, 0) + 1
            found[k] = f"{symbol}{seen[symbol]}"
    if len(found) > 2 and setting.parent in ("loess", "alluvium") and draw.uniform() < 0.25:
        found[-1] = f"II {found[-1]}"
    return found


def _dressed(symbol: str, setting: Setting, draw: np.random.Generator) -> str:
    chance = draw.uniform()
    if symbol in ("ilC", "elC") and chance < 0.75:
        return symbol + "v"
    if symbol == "Ap" and setting.lime > 4 and setting.leached < 10 and chance < 0.4:
        return "eAp"
    if symbol in ("Hv", "Hw", "Hr") and chance < 0.8:
        return ("n" if setting.rain <= 850 or setting.parent != "sand" else "h") + symbol
    if symbol in ("M", "Go", "Gr", "Gro") and setting.parent == "alluvium" and chance < 0.6:
        return "a" + symbol
    if symbol in ("Ael-Bt", "Bt-Ael", "Al-Bt") and chance < 0.6:
        return symbol.replace("-", "+")
    if "-" in symbol and chance > 0.985:
        return symbol.replace("-", "°")
    return symbol
