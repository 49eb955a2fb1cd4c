"""Photographed profiles in the published layout: good ones, and one photograph of each fault."""

import numpy as np
from good_photographs import SITE, horizons, soil

SOURCE = "soilnet_profiles"
PROFILES = 20
BANDS = ((70, 52, 40), (140, 104, 70), (196, 170, 130))
SYMBOLS = ("Ap", "Sw+Bv2", "ilCv")
"""Of the horizons of a good profile, as they are written."""


def wall(number: int) -> np.ndarray:
    """A photograph of three bands of 30, 30 and 40 cm."""
    found = np.concatenate(
        [soil(120, height, band) for height, band in zip((72, 72, 96), BANDS, strict=True)]
    )
    found[0, :, 0] = number
    return found


def site(point: int, east: int) -> dict[str, str]:
    return {**SITE, "PointID": str(point), "xcoord": str(330_000 + 28_000 * east)}


def good(point: int) -> list[dict[str, str]]:
    return [
        {**row, "Horizontsymbol": f"{k}; {symbol}"}
        for number in (1, 2)
        for k, (row, symbol) in enumerate(
            zip(horizons(f"RP_{point}_Y_{number}.JPG", 0, 30, 60, 100), SYMBOLS, strict=True), 1
        )
    ]


def layout() -> tuple[list[dict], list[dict], dict]:
    """Good profiles of two photographs each, and one photograph of each fault."""
    points = range(1, PROFILES + 1)
    rows = [row for point in points for row in good(point)]
    sites = [site(point, point) for point in points]
    pictures = {f"RP_{p}_Y_{n}.JPG": wall(10 * p + n) for p in points for n in (1, 2)}
    rows += horizons("RP_1_Y_3.JPG", 0, 40, 100)  # not there
    rows += horizons("RP_2_Y_3.JPG", 0, 60, 40)  # upside down
    rows += horizons("RP_3_Y_3.JPG", 0, 50, 100)  # cut short
    rows += horizons("RP_4_Y_3.JPG", 0, 50, 100)  # red and blue exchanged
    rows += horizons("RP_99_Y_1.JPG", 0, 50, 100)  # of no site
    rows += horizons("RP_6_Y_3.JPG", 0, 50, 100)  # same bytes as another
    rows += horizons("RP_7_Y_3.JPG", 0, 40, 90, 110, 130)  # deeper than 100 cm
    rows += horizons("RP_8_Y_3.JPG", 0, 50, 100)  # taken out but for a speck
    rows += [{**row, "Point": "10.0"} for row in horizons("RP_9_Y_4.JPG", 0, 50, 100)]
    pictures["RP_9_Y_4.JPG"] = wall(9)
    pictures["RP_2_Y_3.JPG"] = wall(3)
    pictures["RP_3_Y_3.JPG"] = b"\xff\xd8\xff\xe0 not a whole picture"
    pictures["RP_4_Y_3.JPG"] = wall(4)[..., ::-1]
    pictures["RP_5_Y_3.JPG"] = wall(5)  # no horizon
    pictures["RP_99_Y_1.JPG"] = wall(6)
    pictures["RP_6_Y_3.JPG"] = pictures["RP_6_Y_1.JPG"]
    pictures["RP_7_Y_3.JPG"] = wall(7)
    pictures["RP_8_Y_3.JPG"] = np.zeros((240, 120, 3), np.uint8)
    pictures["RP_8_Y_3.JPG"][100:106, 50:56] = BANDS[1]
    return rows, sites, pictures


LEFT_OUT = {
    "RP_9_Y_4.JPG": "its horizons are of another profile",
    "RP_1_Y_3.JPG": "the photograph is missing",
    "RP_2_Y_3.JPG": "the depths of a horizon are inverted or missing",
    "RP_3_Y_3.JPG": "it cannot be opened, or shows nothing",
    "RP_4_Y_3.JPG": "red and blue are swapped",
    "RP_5_Y_3.JPG": "no horizon is described",
    "RP_99_Y_1.JPG": "its profile has no position",
    "RP_6_Y_3.JPG": "the same file stands there twice",
    "RP_8_Y_3.JPG": "nothing of the photograph is soil",
}
