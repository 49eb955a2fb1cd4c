"""What the symbol of a horizon says of it, by the German soil survey manual (KA5).

Belongs here: the marks of each symbol and of mixtures.
Never here: which horizons there are in a profile (`horizons.py`), codes of properties.

Symbols are those of the manual: Ad-hoc-AG Boden (2005), Bodenkundliche Kartieranleitung, 5th
edition, Hannover. The numbers are a synthetic world's: how much darker or richer in clay a horizon
is made than the material it formed from.
"""

import functools
from dataclasses import dataclass, fields

MIXTURE = (0.33, 0.67)
"""Weight of the first and of the last component of a mixture such as Sw-Bv, a Bv with traits of
Sw."""


@dataclass(frozen=True)
class Marks:
    """What a symbol says of its horizon, relative to the parent material.

    Attributes:
        humus: Organic matter, percent by mass.
        value: Added to the Munsell value before humus darkens it.
        chroma: Added to the Munsell chroma.
        hue: Steps on the Munsell pages, towards yellow where positive.
        clay: Percentage points added to clay.
        rust: Share of the face in rusty mottles.
        grey: Share of the face bleached or reduced.
        dark: Share in concretions of iron and manganese.
        white: Share in concretions of carbonate.
        cracks: How much it cracks when dry, 0 to 1.
        crumbs: How far it breaks into crumbs, 0 to 1.
        bands: Strength of bands of clay.
        stones: Factor of the stones of its depth.
        lime: Factor of the carbonate of its depth.
    """

    humus: float
    value: float
    chroma: float
    hue: float
    clay: float
    rust: float
    grey: float
    dark: float
    white: float
    cracks: float
    crumbs: float
    bands: float
    stones: float
    lime: float


# Symbol, then the fields of Marks in their order.
_MARKS = """
Ap     2.3  0.0  0.0  0.0   0 .00 .00 .00 .00 .05 .80 0 0.8 0.5
Ah     4.6  0.0  0.0  0.0   0 .00 .00 .00 .00 .05 .95 0 0.7 0.5
Al     0.8  0.6 -0.6  0.1  -5 .00 .00 .01 .00 .00 .30 0 0.8 0.0
Axp    3.4 -0.9 -1.0  0.0   0 .00 .00 .00 .00 .10 .85 0 0.4 0.6
Axh    2.6 -0.8 -0.9  0.0   0 .00 .00 .00 .00 .05 .70 0 0.4 0.7
Acp    2.6  0.2 -0.2  0.0   0 .00 .00 .00 .02 .05 .80 0 1.0 1.0
Aep    3.0 -0.3 -1.4  0.2  -2 .00 .06 .00 .00 .00 .45 0 0.8 0.0
Aeh    4.4 -0.3 -1.6  0.3  -2 .00 .10 .00 .00 .00 .50 0 0.8 0.0
Ael    0.6  1.1 -1.0  0.3  -7 .01 .06 .01 .00 .00 .15 0 0.8 0.0
Acxh   2.2 -0.5 -0.7  0.0   0 .00 .00 .00 .05 .05 .70 0 0.5 1.0
Bv     0.5 -0.3  1.3 -0.5   3 .00 .00 .00 .00 .05 .35 0 1.0 0.1
Bt     0.4 -0.9  1.5 -0.9  10 .00 .00 .01 .00 .35 .15 0 0.8 0.0
Bhs    3.2 -1.2  1.8 -1.4   0 .10 .00 .00 .00 .00 .10 0 0.8 0.0
Bh     5.0 -1.6 -0.4 -1.0   0 .00 .00 .00 .00 .00 .10 0 0.8 0.0
Bs     0.8 -0.4  2.8 -1.2   0 .14 .00 .01 .00 .00 .10 0 0.9 0.0
Bhv    1.8 -0.6  0.6 -0.6   1 .00 .00 .00 .00 .00 .30 0 1.0 0.0
Btv    0.3 -0.5  1.1 -0.6   6 .00 .00 .00 .00 .15 .15 0 0.9 0.0
Bsh    4.2 -1.5  0.9 -1.5   0 .05 .00 .00 .00 .00 .10 0 0.8 0.0
Bcv    0.5  0.0  0.8 -0.3   3 .00 .00 .00 .04 .05 .35 0 1.0 1.0
Bsv    0.7 -0.4  2.0 -0.8   1 .06 .00 .00 .00 .00 .20 0 1.0 0.0
Bvt    0.4 -0.6  1.3 -0.7   7 .00 .00 .00 .00 .20 .25 0 0.9 0.0
C      0.1  0.2 -0.3  0.0   0 .00 .00 .00 .00 .00 .00 0 1.0 0.8
Cv     0.2  0.2  0.0  0.0   0 .00 .00 .00 .00 .00 .05 0 1.2 0.6
Cbtv   0.1  0.3 -0.2 -0.1   1 .00 .00 .00 .00 .00 .00 1 0.8 0.0
Cj     0.8 -0.3 -0.6  0.0   0 .01 .00 .02 .02 .00 .20 0 2.0 1.0
cC     0.2  1.0 -1.0  0.2   0 .00 .00 .00 .05 .00 .05 0 2.2 1.6
clC    0.2  0.9 -0.8  0.2   0 .00 .00 .00 .03 .00 .05 0 1.4 1.6
iC     0.1  0.1 -0.4  0.0   0 .00 .00 .00 .00 .00 .00 0 1.4 0.0
ilC    0.1  0.4 -0.2  0.1   0 .00 .00 .00 .00 .00 .05 0 1.2 0.0
lC     0.1  0.3 -0.2  0.1   0 .00 .00 .00 .00 .00 .05 0 1.2 0.4
ilCbtv 0.1  0.4 -0.2  0.0   1 .00 .00 .00 .00 .00 .00 1 0.9 0.0
elC    0.2  0.6 -0.3  0.4   0 .00 .00 .00 .01 .00 .05 0 1.1 1.0
emC    0.1  0.6 -0.7  0.5   0 .00 .00 .00 .00 .10 .00 0 3.0 1.1
imC    0.1 -0.1 -0.8  0.2   0 .01 .00 .00 .00 .00 .00 0 3.5 0.0
mCv    0.2  0.0 -0.3  0.1   0 .00 .00 .00 .00 .00 .00 0 2.8 0.3
imCv   0.2  0.0 -0.3  0.1   0 .01 .00 .00 .00 .00 .00 0 2.8 0.0
cmC    0.1  1.4 -1.3  0.3   0 .00 .00 .00 .00 .00 .00 0 3.5 1.8
elCc   0.3  0.8 -0.4  0.4   0 .00 .00 .00 .07 .00 .05 0 0.9 1.3
aelC   0.4  0.4 -0.6  0.4   0 .02 .02 .00 .00 .00 .05 0 0.8 1.0
E      2.6 -0.7 -1.4  0.2   0 .00 .00 .00 .00 .00 .55 0 0.4 0.0
bE     2.0 -0.4 -0.3  0.0   0 .00 .00 .00 .00 .00 .55 0 0.4 0.0
Gr     0.7 -0.2 -2.9  2.4   2 .01 .25 .00 .00 .00 .00 0 1.0 0.8
Gro    0.6  0.2 -1.2  1.0   2 .22 .22 .01 .00 .00 .05 0 1.0 0.7
Gor    0.6  0.1 -2.0  1.6   2 .12 .35 .01 .00 .00 .05 0 1.0 0.7
Go     0.7  0.2 -0.6  0.5   1 .30 .12 .02 .00 .05 .10 0 1.0 0.5
Gw     0.4  0.5 -1.4  0.8   0 .05 .18 .00 .00 .00 .00 0 1.0 0.6
tGo    1.0  0.1 -0.8  1.0   3 .26 .15 .01 .00 .20 .25 0 0.0 0.6
tGr    1.2 -0.4 -2.6  2.3   3 .01 .15 .00 .00 .00 .00 0 0.0 0.9
tGro   1.0  0.0 -1.6  1.6   3 .15 .28 .01 .00 .10 .10 0 0.0 0.7
Gkso   0.6 -0.8  2.2 -1.4   0 .45 .03 .12 .00 .00 .10 0 1.4 0.0
Hr    72.0  0.4  1.6 -1.1   0 .00 .00 .00 .00 .00 .10 0 0.0 0.0
Hw    62.0  0.1  0.7 -0.6   0 .02 .00 .00 .00 .10 .30 0 0.0 0.0
Hv    48.0 -0.3 -0.2  0.0   0 .00 .00 .00 .00 .20 .90 0 0.0 0.2
M      1.5 -0.2 -0.1  0.0   1 .00 .00 .00 .00 .05 .45 0 0.6 0.2
Mc     1.3  0.0 -0.2  0.1   1 .00 .00 .00 .02 .05 .45 0 0.6 1.0
P      0.8 -0.4 -0.2  0.2   8 .02 .02 .00 .00 .90 .20 0 0.6 0.4
R      1.4 -0.1  0.0  0.0   0 .00 .00 .00 .01 .10 .60 0 1.1 0.9
Sd     0.4  0.2 -0.4  0.2   9 .24 .30 .02 .00 .45 .10 0 0.9 0.1
Sw     0.7  0.9 -1.6  0.4  -3 .10 .25 .05 .00 .00 .15 0 0.9 0.0
Ssw    0.7  0.8 -1.3  0.3  -1 .12 .20 .06 .00 .05 .15 0 0.9 0.0
Sswd   0.4  0.4 -0.7  0.3   6 .20 .30 .03 .00 .35 .10 0 0.9 0.1
T      0.9 -0.9  1.6 -0.9  16 .00 .00 .00 .00 .60 .50 0 0.9 0.3
F     22.0 -0.4 -0.8  1.0   0 .00 .00 .00 .00 .00 .00 0 0.0 0.5
"""


@functools.cache
def _leaf_marks() -> dict[str, Marks]:
    rows = (line.split() for line in _MARKS.strip().splitlines())
    return {symbol: Marks(*map(float, numbers)) for symbol, *numbers in rows}


def leaves() -> tuple[str, ...]:
    """Symbols that are no mixture."""
    return tuple(_leaf_marks())


@functools.cache
def marks(symbol: str) -> Marks:
    """What a symbol, or a mixture of two such as Sw-Bv, says of its horizon.

    Args:
        symbol: A leaf of `leaves()`, or two of them joined by a hyphen.
    """
    first, _, last = symbol.partition("-")
    own = _leaf_marks()[first]
    if not last:
        return own
    other = _leaf_marks()[last]
    blend = (
        MIXTURE[0] * getattr(own, f.name) + MIXTURE[1] * getattr(other, f.name)
        for f in fields(Marks)
    )
    return Marks(*blend)
