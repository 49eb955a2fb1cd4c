"""Munsell colours of soil as light: linear sRGB of a hue, value and chroma.

Belongs here: the table of colours that colour-science works out, and what lies between its entries.
Never here: which colour a horizon has.

`munsell.csv` is what `convert` gives for every hue, value and chroma of the soil colour book
(Munsell renotation under illuminant C, Newhall et al. 1943, doi 10.1364/JOSA.33.000385, through the
package colour-science). It is kept because that package takes seconds to import; to make it anew,
run `python -m adapters.twin.munsell`.
"""

import contextlib
import csv
import functools
from pathlib import Path

import numpy as np

from adapters.twin.europe import Array

TABLE = Path(__file__).with_name("munsell.csv")
HUES = ("10R", "2.5YR", "5YR", "7.5YR", "10YR", "2.5Y", "5Y", "10Y")
"""From red to green; 10Y stands for the pages of gley."""
VALUES = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
CHROMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


def convert(notation: str) -> Array:
    """Linear sRGB of a Munsell colour, clipped to what a screen shows.

    Args:
        notation: Such as `10YR 4/3`, or `N4` for grey.

    Returns:
        (3,) red, green, blue from 0 to 1.
    """
    import colour

    white = colour.CCS_ILLUMINANTS["CIE 1931 2 Degree Standard Observer"]["C"]
    light = colour.xyY_to_XYZ(colour.munsell_colour_to_xyY(notation))
    seen = np.asarray(colour.XYZ_to_sRGB(light, white, apply_cctf_encoding=False), np.float64)
    return np.clip(seen, 0.0, 1.0)


def write_table(path: Path) -> None:
    """Write the table of `convert`.

    A colour that no surface has (dark and saturated) gets the light of the strongest chroma that
    there is.
    """
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("hue", "value", "chroma", "red", "green", "blue"))
        for hue in HUES:
            for value in VALUES:
                found = convert(f"N{value:g}")
                for chroma in CHROMAS:
                    if chroma:
                        with contextlib.suppress(ValueError):
                            found = convert(f"{hue} {value:g}/{chroma:g}")
                    parts = (f"{part:.5f}" for part in found)
                    writer.writerow((hue, f"{value:g}", f"{chroma:g}", *parts))


@functools.cache
def _table() -> Array:
    """Shape (hues, values, chromas, 3)."""
    with TABLE.open(encoding="utf-8", newline="") as handle:
        rows = [tuple(map(float, row[3:])) for row in list(csv.reader(handle))[1:]]
    return np.array(rows).reshape(len(HUES), len(VALUES), len(CHROMAS), 3)


def light(hue: float, value: float, chroma: float) -> Array:
    """Linear sRGB (3,) of a colour, between the entries of the table by linear interpolation.

    Args:
        hue: Place in HUES, with fractions.
        value: Munsell value, 2 to 9.
        chroma: Munsell chroma, 0 to 8.
    """
    found = _table()
    for place in (hue, _place(VALUES, value), _place(CHROMAS, chroma)):
        low = min(int(place), len(found) - 2)
        found = found[low] + (place - low) * (found[low + 1] - found[low])
    return found


def _place(steps: tuple[float, ...], value: float) -> float:
    return float(np.interp(value, steps, np.arange(len(steps))))


def chip(notation: str) -> Array:
    """Linear sRGB (3,) of a chip such as `10YR 4/3`."""
    hue, _, rest = notation.partition(" ")
    value, _, chroma = rest.partition("/")
    return light(HUES.index(hue), float(value), float(chroma))


if __name__ == "__main__":
    write_table(TABLE)
