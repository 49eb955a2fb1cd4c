"""A small good profile set, built by hand, for tests of what reads profile sets.

Bands of a picture follow its horizons' symbols, so that a model can learn them. Some values are
missing, one symbol is a mixture, profiles have one to three photographs, and what is no soil holds
rubbish, so that who reads it is found out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fusion.profiles.store import DEPTH_CM, HEIGHT, HORIZON, SPLITS, WIDTH, write

PROFILES = 24
ABOUT = {
    "group": "synthetic",
    "origin": "synthetic",
    "licences": ["CC0-1.0"],
    "redistribute": True,
    "share_alike": False,
    "attribution": "made by hand",
    "site": {
        "groundwater_depth": {"kind": "numeric", "unit": "cm", "description": "of the water table"},
        "slope": {"kind": "numeric", "unit": "deg", "description": "of the surface"},
        "land_use": {"kind": "code", "unit": None, "description": "of the field"},
        "month": {"kind": "code", "unit": None, "description": "of sampling"},
    },
    "classes": {
        "texture": {"codes": ["ss", "sl", "ll", "tu"], "ordinal": False},
        "colour": {"codes": ["10YR 3 1", "10YR 5 3", "5YR 4 6", "5Y 6 1"], "ordinal": False},
        "carbonate": {"codes": ["C0", "C1", "C2", "C3"], "ordinal": True},
        "humus": {"codes": ["h0", "h1", "h2", "h3", "h4"], "ordinal": True},
        "roots": {"codes": ["Wf0", "Wf1", "Wf2", "Wf3"], "ordinal": True},
    },
}
SEQUENCES = (
    ("Ap", "Bv", "C"),
    ("Ah", "Sw-Bv", "Sd"),
    ("Ap", "Go", "Gr"),
    ("Ap", "Al", "Bt", "elC"),
    ("H", "C"),
)
"""From the surface down."""
COLOURS = {
    "A": (78, 62, 50),
    "B": (140, 100, 66),
    "C": (186, 168, 134),
    "G": (128, 136, 132),
    "S": (160, 140, 112),
    "H": (38, 30, 26),
}
"""Red, green and blue of the main symbols."""
_COLOUR_CODES = {"A": 0, "H": 0, "B": 1, "S": 2, "C": 1, "G": 3}


def a_set(folder: Path, *, profiles: int = PROFILES, seed: int = 0) -> Path:
    """Write a set: two of three profiles train, the others are shared out.

    Args:
        folder: Of all versions.
        profiles: How many; at least 12, so that every split has one.
        seed: Of depths, properties and grain.

    Returns:
        Folder of the version.
    """
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    pictures: list[tuple[np.ndarray, np.ndarray]] = []
    for number in range(profiles):
        held = number % 6
        split = {3: SPLITS[1 + (number // 6) % 3], 5: "test"}.get(held, "train")
        sequence = SEQUENCES[number % len(SEQUENCES)]
        horizons = _horizons(sequence, draw)
        for photograph in range(1 + number % 3):
            rows.append(_row(number, photograph, split, horizons))
            pictures.append(_picture(horizons, draw))
    horizon = pl.List(pl.Struct(HORIZON))
    index = pl.DataFrame(
        rows,
        schema_overrides={"horizons": horizon, "site.slope": pl.Float64},
        infer_schema_length=None,
    )
    return write(index, pictures, folder, ABOUT)


def _row(
    number: int, photograph: int, split: str, horizons: list[dict[str, Any]]
) -> dict[str, Any]:
    profile = f"{3300 + number}"
    return {
        "photograph": f"NI_{profile}_Y_{photograph + 1}.JPG",
        "profile": profile,
        "longitude": 8.0 + 0.9 * (number % 6),
        "latitude": 48.5 + 0.9 * (number // 6),
        "year": 2012 + number % 5,
        "month": 4 + number % 7,
        "split": split,
        "block": f"E{4000 + number % 6}N{2800 + number // 6}",
        "cluster": profile,
        # Wet soils are grey: the site tells something of the horizons.
        "site.groundwater_depth": 60.0 if "Gr" in [h["symbol"] for h in horizons] else 300.0,
        "site.slope": None if number % 4 == 0 else float(number % 9),
        "site.land_use": None if number % 7 == 3 else ("A", "G", "S")[number % 3],
        "site.month": str(4 + number % 7),
        "horizons": horizons,
    }


def _horizons(sequence: tuple[str, ...], draw: np.random.Generator) -> list[dict[str, Any]]:
    cuts = np.linspace(0, DEPTH_CM, len(sequence) + 1)[1:-1] + draw.integers(
        -8, 9, len(sequence) - 1
    )
    bounds = [0.0, *np.round(cuts), DEPTH_CM]
    found = []
    for k, symbol in enumerate(sequence):
        main = [letter for letter in symbol if letter.isupper()][-1]
        codes = ABOUT["classes"]
        found.append(
            {
                "top": float(bounds[k]),
                "bottom": float(bounds[k + 1]),
                "symbol": symbol,
                "symbol_raw": f"{symbol}{k}" if k else symbol,
                "stones": None if k == 1 else float(draw.integers(0, 30)),
                "texture": codes["texture"]["codes"][int(draw.integers(0, 4))],
                "colour": codes["colour"]["codes"][_COLOUR_CODES[main]],
                "carbonate": "C3" if symbol == "elC" else "C0",
                "humus": ("h3" if main in "AH" else "h1") if k != 2 else None,
                "roots": f"Wf{max(3 - k, 0)}",
            }
        )
    return found


def _picture(
    horizons: list[dict[str, Any]], draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    soil = np.ones((HEIGHT, WIDTH), bool)
    soil[:, : int(draw.integers(0, 20))] = False
    depth = (np.arange(HEIGHT) + 0.5) / HEIGHT * DEPTH_CM
    picture = np.zeros((HEIGHT, WIDTH, 3))
    for horizon in horizons:
        main = [letter for letter in horizon["symbol"] if letter.isupper()][-1]
        inside = (depth >= horizon["top"]) & (depth < horizon["bottom"])
        picture[inside] = COLOURS[main]
    picture = picture * draw.uniform(0.85, 1.15) + draw.normal(0, 6, picture.shape)
    picture[~soil] = draw.uniform(0, 255, (int((~soil).sum()), 3))
    return picture.clip(0, 255).astype(np.uint8), soil
