"""Where the LUCAS surveys go, and what their tables share.

Belongs here: the points of each survey, codes and properties that all LUCAS tables report.
Never here: the layout of one survey's files, soil relations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adapters.twin.europe import COUNTRIES, Array, Europe, degrees
from adapters.twin.planting import Rows, measure

LUCAS_BOUNDS = (-32.0, 27.0, 45.0, 72.0)
# Codes of one land cover each, in the order of LAND_COVERS; 2018 is finer than 2009 for woodland.
COVER_CODES = {
    2009: (("B11", "B13", "B16"), ("E20", "E10"), ("C10", "C20", "C30"), ("D20",), ("H11",)),
    2018: (("B11", "B13", "B16"), ("E20", "E10"), ("C10", "C22", "C32"), ("D20",), ("H11",)),
}
COVER_WORDS = {
    "B11": "Common wheat", "B13": "Barley", "B16": "Maize",
    "E10": "Grassland with sparse tree/shrub cover", "E20": "Grassland without tree/shrub cover",
    "C10": "Broadleaved woodland", "C20": "Coniferous woodland", "C30": "Mixed woodland",
    "C22": "Pine dominated coniferous woodland", "C32": "Pine dominated mixed woodland",
    "D20": "Shrubland without tree cover", "H11": "Inland marshes",
}  # fmt: skip
USE = (
    ("U111", "Agriculture (excluding fallow land and kitchen gardens)"),
    ("U111", "Agriculture (excluding fallow land and kitchen gardens)"),
    ("U120", "Forestry"),
    ("U420", "Semi-natural and natural areas not in use"),
    ("U420", "Semi-natural and natural areas not in use"),
)


@dataclass(frozen=True)
class Counts:
    """Rows of each survey at one size, those whose coordinates are swapped among them.

    Attributes:
        lucas_2009: Of 2009, the supplements of the islands among them.
        romania_bulgaria: Of 2012.
        lucas_2015: Of 2015.
        switzerland: Of 2015.
        lucas_2018: Of 2018.
        cyprus_malta: Of a supplement of its own, as is Iceland. The synthetic Europe has none of
            the three islands: rows from other places stand for theirs.
        iceland: Of its supplement.
    """

    lucas_2009: int
    romania_bulgaria: int
    lucas_2015: int
    switzerland: int
    lucas_2018: int
    cyprus_malta: int
    iceland: int

    @property
    def main_2009(self) -> int:
        """Rows of 2009 in the main file, which alone numbers them."""
        return self.lucas_2009 - self.cyprus_malta - self.iceland


COUNTS = {
    "tiny": Counts(90, 12, 90, 60, 90, 6, 6),
    "demo": Counts(700, 70, 650, 150, 600, 12, 10),
    # Without the rows whose position is spoilt: 22,003, 21,859, 150 and 18,984 as published.
    "full": Counts(20_191, 2_034, 22_080, 152, 19_176, 90, 65),
}


@dataclass(frozen=True)
class Surveys:
    """Points of all LUCAS surveys of one synthetic Europe."""

    europe: Europe
    counts: Counts

    @cached_property
    def nodes(self) -> tuple[Array, Array, np.ndarray]:
        """Easting, northing (km) and country of every 2-km grid node that some survey visits.

        Those of Romania and Bulgaria come last.
        """
        counts, draw = self.counts, self.europe.stream("nodes")
        wanted = {False: counts.lucas_2009 + counts.lucas_2015, True: counts.romania_bulgaria}
        parts: dict[bool, list[np.ndarray]] = {False: [], True: []}
        found, seen = {False: 0, True: 0}, set()
        late = [i for i, c in enumerate(COUNTRIES) if c[0] in ("BG", "RO")]
        outside = [i for i, c in enumerate(COUNTRIES) if c[0] == "CH"]
        while any(found[k] < wanted[k] for k in wanted):
            east, north = (
                draw.integers(1300, 3000, 20_000) * 2,
                draw.integers(750, 2600, 20_000) * 2,
            )
            code = np.unique(east * 10_000 + north)
            code = draw.permutation(code[~np.isin(code, list(seen))])
            seen.update(code.tolist())
            east, north = code // 10_000, code % 10_000
            region, land = self.europe.region(east * 1000.0, north * 1000.0)
            country = self.europe.regions.country[region]
            longitude, latitude = degrees(east * 1000.0, north * 1000.0)
            # Whole grid nodes keep well inside the bounds, so that GPS scatter cannot leave them.
            inside = (longitude > -31) & (longitude < 44) & (latitude > 28) & (latitude < 71)
            use = land & inside & ~np.isin(country, outside)
            for is_late in (False, True):
                rows = use & (np.isin(country, late) == is_late)
                parts[is_late].append(np.column_stack([east, north, country])[rows])
                found[is_late] += int(rows.sum())
        table = np.concatenate([np.concatenate(parts[k])[: wanted[k]] for k in (False, True)])
        return table[:, 0], table[:, 1], table[:, 2]

    def visited(self, year: int) -> np.ndarray:
        """Indices into the nodes; 2015 revisits four in five, 2018 visits points of either."""
        counts = self.counts
        first = np.arange(counts.lucas_2009)
        late = np.arange(len(self.nodes[0]) - counts.romania_bulgaria, len(self.nodes[0]))
        if year == 2009:
            return np.concatenate([first, late])
        draw = self.europe.stream(f"visited {year}")
        old = np.concatenate([first, late])
        again = min(len(old), round(0.8 * counts.lucas_2015))
        new = counts.lucas_2009 + np.arange(counts.lucas_2015 - again)
        visited = np.concatenate([draw.permutation(old)[:again], new])
        if year == 2015:
            return np.sort(visited)
        layered = round(0.04 * counts.lucas_2018)
        pool = np.union1d(visited, draw.permutation(old))
        return np.sort(draw.permutation(pool)[: counts.lucas_2018 - layered])

    def positions(self, index: np.ndarray, scatter_m: float, name: str) -> tuple[Array, Array]:
        """EPSG:3035 metres near the grid nodes."""
        draw = self.europe.stream(f"scatter {name}")
        east, north, _ = self.nodes
        away = draw.normal(0, scatter_m, (2, len(index)))
        return east[index] * 1000.0 + away[0], north[index] * 1000.0 + away[1]


def point_ids(surveys: Surveys, index: np.ndarray) -> list[str]:
    """Eight-digit LUCAS ids of nodes: easting and northing in km."""
    east, north, _ = surveys.nodes
    return [f"{e:04d}{n:04d}" for e, n in zip(east[index], north[index], strict=True)]


def rows_at(
    surveys: Surveys, keys: list[str], index: np.ndarray, scatter_m: float, name: str
) -> Rows:
    """Rows of a LUCAS survey at the positions that its table prints, to a millionth of a degree."""
    longitude, latitude = degrees(*surveys.positions(index, scatter_m, name))
    return Rows(keys, longitude.round(6), latitude.round(6))


def covers(draw: np.random.Generator, place: dict[str, Array], year: int) -> list[str]:
    """A LUCAS land cover code of each place, as fine as the year's."""
    return [
        str(draw.choice(COVER_CODES[2009 if year == 2009 else 2018][cover]))
        for cover in place["cover"]
    ]


def truth_of(
    europe: Europe, place: dict[str, Array], layer: dict[str, Array], names: tuple[str, ...]
) -> dict[str, object]:
    """Truth of each row: its place, its region and the properties that are asked for."""
    return {
        "longitude": place["longitude"],
        "latitude": place["latitude"],
        "nuts_2": [str(v) for v in europe.regions.code[place["region"]]],
        **{name: layer[name] for name in names},
    }


def chemistry(draw: np.random.Generator, layer: dict[str, Array]) -> dict[str, list[object]]:
    """The properties of all surveys, in LUCAS units."""
    return {
        "ph_h2o": measure(draw, layer["ph_h2o"], 2, absolute=0.05, low=2.5),
        "ph_cacl2": measure(draw, layer["ph_cacl2"], 2, absolute=0.05, low=2.5),
        "organic_carbon": measure(draw, layer["organic_carbon"], 1, relative=0.04, high=580),
        "calcium_carbonate": measure(draw, layer["calcium_carbonate"], 0, relative=0.04, high=900),
        "total_nitrogen": measure(draw, layer["total_nitrogen"], 1, relative=0.05, high=50),
        "phosphorus": measure(draw, layer["phosphorus"], 1, relative=0.06),
        "potassium": measure(draw, layer["potassium"], 1, relative=0.05),
    }


COMMON = (
    "clay", "silt", "sand", "coarse_fragments", "ph_h2o", "ph_cacl2", "organic_carbon",
    "calcium_carbonate", "total_nitrogen", "phosphorus", "potassium",
)  # fmt: skip


def slip(factor: float, limit: float) -> Callable[[object], object | None]:
    """Alter by a factor, where that leaves the plausible range."""

    def alter(value: object) -> object | None:
        changed = round(value * factor, 3)
        return changed if changed > limit else None

    return alter


def spoil_sum(value: object) -> object | None:
    """A fraction misread so that the sum misses 100 by far, yet each fraction stays possible."""
    return value + 21 if value <= 70 else None
