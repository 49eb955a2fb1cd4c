"""Properties of a horizon as a surveyor records them, from its symbol, its depth and its setting.

Belongs here: relations between a horizon's place in the soil and its texture, colour, carbonate,
humus, roots and stones, and the classes of the German soil survey manual (KA5).
Never here: which horizons there are (`horizons.py`), pictures, the layout of files.

Classes: Ad-hoc-AG Boden (2005), Bodenkundliche Kartieranleitung, 5th edition, Hannover. The
relations are stated beside the code; their numbers are a synthetic world's.
"""

from dataclasses import dataclass

import numpy as np

from adapters.twin.horizon_marks import Marks, marks
from adapters.twin.horizons import Setting

HUES = ("10R", "2.5YR", "5YR", "7.5YR", "10YR", "2.5Y", "5Y", "GLEY1")
"""Pages of the Munsell soil colour book, from red to green."""
VALUES = (2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 8.5, 9.0)
CHROMAS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
ORGANIC = 30.0
"""Organic matter, percent by mass, from which a horizon is peat: class h7."""
# Upper limits of organic matter, percent by mass: h1 below 1, then 2, 4, 8, 15, 30; h7 above.
_HUMUS = (0.05, 1.0, 2.0, 4.0, 8.0, 15.0, ORGANIC)
# Upper limits of carbonate, percent by mass: C1 below 0.5, then 2, 10, 25, 50, 75; C7 above.
_CARBONATE = (0.05, 0.5, 2.0, 10.0, 25.0, 50.0, 75.0)
# Upper limits of fine roots on a square decimetre: Wf1 to 2, then 5, 10, 20, 50; Wf6 above.
_ROOTS = (0.5, 2.5, 5.5, 10.5, 20.5, 50.5)
# Upper limit of clay, and silt below which each class holds; the last of a row has no limit.
_TEXTURE = (
    (5, ((10, "Ss"), (25, "Su2"), (40, "Su3"), (50, "Su4"), (80, "Us"), (101, "Uu"))),
    (8, ((10, "St2"), (25, "Sl2"), (40, "Su3"), (50, "Su4"), (80, "Us"), (101, "Uu"))),
    (12, ((10, "St2"), (40, "Sl3"), (50, "Slu"), (65, "Uls"), (101, "Ut2"))),
    (17, ((10, "St2"), (40, "Sl4"), (50, "Slu"), (65, "Uls"), (101, "Ut3"))),
    (25, ((15, "St3"), (30, "Ls4"), (40, "Ls3"), (50, "Ls2"), (65, "Lu"), (101, "Ut4"))),
    (30, ((15, "Ts4"), (30, "Lts"), (50, "Lt2"), (65, "Lu"), (101, "Tu4"))),
    (35, ((15, "Ts4"), (30, "Lts"), (50, "Lt2"), (65, "Tu3"), (101, "Tu4"))),
    (45, ((15, "Ts3"), (30, "Lts"), (50, "Lt3"), (101, "Tu3"))),
    (65, ((15, "Ts2"), (30, "Tl"), (101, "Tu2"))),
    (101, ((101, "Tt"),)),
)


@dataclass(frozen=True)
class Parent:
    """A parent material: sand, silt and clay in percent, stones in percent, and its colour.

    Attributes:
        fractions: Sand, silt, clay.
        stones: At 1 m.
        hue: Place in HUES.
        value: Munsell value.
        chroma: Munsell chroma.
        stone: Munsell colour of its stones.
    """

    fractions: tuple[float, float, float]
    stones: float
    hue: float
    value: float
    chroma: float
    stone: str


PARENTS = {
    "sand": Parent((88, 8, 4), 3, 4.0, 6.3, 4.0, "10YR 7/1"),
    "loess": Parent((8, 74, 18), 0, 4.1, 5.8, 4.2, "10YR 7/2"),
    "till": Parent((52, 31, 17), 6, 4.0, 5.6, 4.2, "10YR 6/1"),
    "clay": Parent((10, 40, 50), 2, 4.7, 5.2, 3.2, "2.5Y 7/2"),
    "limestone": Parent((14, 50, 36), 48, 4.1, 5.9, 3.8, "10YR 8/1"),
    "slate": Parent((32, 47, 21), 36, 4.3, 5.4, 3.4, "2.5Y 5/1"),
    "granite": Parent((58, 28, 14), 28, 4.0, 5.7, 4.0, "10YR 7/1"),
    "red sandstone": Parent((66, 22, 12), 26, 2.3, 4.9, 4.2, "2.5YR 5/3"),
    "alluvium": Parent((28, 48, 24), 1, 4.3, 5.3, 3.4, "10YR 6/1"),
    "mud": Parent((10, 55, 35), 0, 5.6, 5.2, 2.2, "5Y 6/1"),
}
"""Parent material -> what it brings."""


@dataclass(frozen=True)
class Horizon:
    """One horizon: what is recorded of it, and what a camera sees.

    Attributes:
        top: cm.
        bottom: cm.
        symbol: KA5 symbol, a leaf or a mixture of two.
        raw: Symbol as the surveyor wrote it.
        texture: KA5 class of the fine earth, or kind of peat.
        colour: Munsell notation as in the soil colour book.
        stones: Percent by volume.
        carbonate: C0 to C7.
        humus: h0 to h7.
        roots: Wf0 to Wf6.
        hue: Place in HUES, with fractions.
        value: Munsell value before it was matched to a chip.
        chroma: Munsell chroma before.
        sand: Percent of the fine earth.
        clay: Percent of the fine earth.
        organic: Organic matter, percent by mass.
        lime: Carbonate, percent by mass.
        density: Roots on a square decimetre.
    """

    top: int
    bottom: int
    symbol: str
    raw: str
    texture: str
    colour: str
    stones: float
    carbonate: str
    humus: str
    roots: str
    hue: float
    value: float
    chroma: float
    sand: float
    clay: float
    organic: float
    lime: float
    density: float


def texture_class(sand: float, clay: float) -> str:
    """KA5 class of a fine earth.

    Args:
        sand: Percent by mass, 63 to 2000 um.
        clay: Percent by mass, below 2 um.
    """
    silt = 100.0 - sand - clay
    row = next(classes for limit, classes in _TEXTURE if clay < limit)
    return next(code for limit, code in row if silt < limit)


def class_of(value: float, limits: tuple[float, ...]) -> int:
    """Number of the class that a value is in: how many limits it reaches."""
    return int(np.searchsorted(limits, value, side="right"))


def horizon(
    symbol: str, raw: str, top: int, bottom: int, setting: Setting, draw: np.random.Generator
) -> Horizon:
    """Properties of one horizon.

    Args:
        symbol: KA5 symbol.
        raw: As it is written.
        top: Upper depth, cm.
        bottom: Lower depth, cm.
        setting: What made the soil.
        draw: Random numbers of this profile.
    """
    own, parent = marks(symbol), PARENTS[setting.parent]
    middle = min((top + bottom) / 2.0, 110.0)
    organic = own.humus
    if organic < ORGANIC:
        # Humus grows with clay and cool, moist climate, and is what land use leaves.
        organic *= setting.fertile * np.exp(draw.normal(0.0, 0.18))
    lime = _lime(symbol, own, middle, setting, draw)
    stones = _stones(own, symbol, middle, setting, draw)
    clay = float(np.clip(setting.clay + own.clay + draw.normal(0.0, 1.5), 1.0, 78.0))
    # Clay comes and goes at the cost of both other fractions.
    rest = (100.0 - clay) / max(100.0 - setting.clay, 1.0)
    sand = float(np.clip(setting.sand * rest + draw.normal(0.0, 1.5), 0.5, 99.0 - clay))
    density = _roots(symbol, organic, middle, stones, setting, draw)
    hue, value, chroma = _colour(own, parent, organic, lime, setting, draw)
    return Horizon(
        top, bottom, symbol, raw,
        _texture(symbol, organic, sand, clay, setting, draw),
        _chip(symbol, hue, value, chroma, draw), round(stones),
        f"C{class_of(lime, _CARBONATE)}", f"h{class_of(organic, _HUMUS)}",
        f"Wf{class_of(density, _ROOTS)}",
        hue, value, chroma, sand, clay, organic, lime, density,
    )  # fmt: skip


def _lime(
    symbol: str, own: Marks, middle: float, setting: Setting, draw: np.random.Generator
) -> float:
    """Carbonate in percent: washed out from above, and what its symbol must have (c, e) or not."""
    washed = 1.0 / (1.0 + np.exp(-(middle - setting.leached) / 6.0))
    lime = setting.lime * own.lime * washed * np.exp(draw.normal(0.0, 0.15))
    last = symbol.rpartition("-")[2]
    if last.startswith(("e", "c", "ae")) or last in ("Bcv", "Mc", "Acp", "Acxh"):
        lime = max(lime, 0.7)
    if last.startswith("i") or last in ("Al", "Ael", "Bt", "Bhs", "Bs", "Bh", "Sw"):
        return 0.0
    return float(min(lime, 95.0)) if lime > 0.1 else 0.0


def _stones(
    own: Marks, symbol: str, middle: float, setting: Setting, draw: np.random.Generator
) -> float:
    """Percent by volume: rock breaks up from below, and massive horizons are nothing else."""
    share = setting.stones * (0.35 + 0.65 * min(middle / 100.0, 1.0)) * own.stones
    share *= np.exp(draw.normal(0.0, 0.25))
    if "mC" in symbol:
        share = max(share, draw.uniform(65.0, 90.0))
    return float(np.clip(share, 0.0, 95.0))


def _roots(
    symbol: str,
    organic: float,
    middle: float,
    stones: float,
    setting: Setting,
    draw: np.random.Generator,
) -> float:
    """Fine roots on a square decimetre: grass has more than crops, and they fall off with depth.

    They shun what is wet or dense (r, d), and stones leave them no room.
    """
    most, fold = (70.0, 20.0) if setting.use == "G" else (28.0, 28.0)
    shut = 0.12 if symbol.endswith("r") else 0.5 if symbol.endswith("d") else 1.0
    room = (1.0 - stones / 100.0) * shut * np.exp(draw.normal(0.0, 0.3))
    return float(most * np.exp(-middle / fold) * room)


def _colour(
    own: Marks,
    parent: Parent,
    organic: float,
    lime: float,
    setting: Setting,
    draw: np.random.Generator,
) -> tuple[float, float, float]:
    """Hue (place in HUES), value and chroma: the parent's, changed by the symbol's marks.

    Humus darkens by the logarithm of its amount and takes colour away; carbonate lightens; iron
    that was set free (B) reddens, and iron that is gone or reduced (e, w, r) leaves grey.
    """
    if organic >= ORGANIC:
        # Peat has no colour of a parent material: black where it is earthified, brown where raw.
        hue = 4.0 + own.hue
        return hue, 2.3 + own.value + draw.normal(0, 0.25), max(1.4 + own.chroma, 1.0)
    value = parent.value + own.value - 1.15 * np.log1p(organic) + 0.012 * lime
    value -= 0.012 * (setting.clay - 20.0)
    chroma = parent.chroma + own.chroma - 0.45 * np.log1p(organic) - 0.01 * lime
    hue = parent.hue + own.hue
    noise = draw.normal(0.0, (0.12, 0.36, 0.32))
    return (
        float(np.clip(hue + noise[0], 0.0, 7.0)),
        float(np.clip(value + noise[1], 2.2, 9.0)),
        float(np.clip(chroma + noise[2], 0.7, 8.0)),
    )


def _chip(symbol: str, hue: float, value: float, chroma: float, draw: np.random.Generator) -> str:
    """The nearest chip of the book; one surveyor in six takes its neighbour in value."""
    if draw.uniform() < 0.16:
        value += draw.choice([-0.6, 0.6])
    chip = min(VALUES, key=lambda v: abs(v - value))
    if hue > 6.4 or (chroma < 1.05 and hue > 5.4):
        page = "10Y" if chroma > 0.9 or hue < 6.8 else "N" if not symbol.startswith("t") else "5GY"
        return f"GLEY1 {min(max(chip, 3.0), 8.0):g}/{page}"
    page = HUES[min(round(hue), 6)]
    mark = "WHITE " if chip > 8 else ""
    return f"{mark}{page} {chip:g}/{min(CHROMAS, key=lambda c: abs(c - chroma)):g}"


def _texture(
    symbol: str,
    organic: float,
    sand: float,
    clay: float,
    setting: Setting,
    draw: np.random.Generator,
) -> str:
    """Class of the fine earth; peat by its origin (Hh raised bog, Hn fen) and mud (F) instead."""
    if organic >= ORGANIC:
        kind = "Hh" if setting.rain > 850 and setting.parent == "sand" else "Hn"
        chance = draw.uniform()
        return "Ha" if chance < 0.10 else "Hu" if chance < 0.13 else kind
    if symbol == "F":
        return "Fm" if draw.uniform() < 0.75 else "Fh"
    code = texture_class(sand, clay)
    if code == "Ss" and draw.uniform() < 0.6:
        # Pure sand is written by the size of its grains.
        return str(draw.choice(["fS", "fSms", "mSfs", "mS", "mSgs", "gS"]))
    return code
