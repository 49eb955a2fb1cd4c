"""What must be true of a written profile set, asked of its bytes.

Belongs here: reading a set back, and saying what is wrong with it.
Never here: what sets are made from: nothing that made the set is asked.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from adapters.errors import FusionError
from fusion.findings import Finding
from fusion.profiles.splits import GUARD_M
from fusion.profiles.store import DEPTH_CM, ProfileSet
from fusion.sphere import near_pairs
from fusion.splits import ASIDE

LEAST_SOIL = 0.05
"""Share of a picture that shows soil."""
_SHOWN = 20


def examine(held: ProfileSet) -> list[Finding]:
    """Look at every photograph.

    Returns:
        `splits`: no profile, cluster or block is on two sides, and profiles of different sides are
        the guard distance apart. `horizons`: each photograph has some, from the surface down to at
        most 100 cm. `pictures`: each shows soil. `checksums`: the files are what was written.
    """
    shares = np.array([soil.mean() for soil in held.soils])
    dark = np.flatnonzero(shares < LEAST_SOIL)
    names = held.index["photograph"]
    wrong = {
        "splits": list(_split_faults(held.index)),
        "horizons": list(_horizon_faults(held.index)),
        "pictures": [f"{names[int(i)]}: {shares[i]:.1%} of it is soil" for i in dark],
        "checksums": [],
    }
    try:
        held.verify()
    except FusionError as error:
        wrong["checksums"] = [error.problem, *error.samples]
    counts = held.described["splits"]
    observed = {
        "splits": ", ".join(f"{n['profiles']} {split}" for split, n in counts.items()),
        "horizons": f"{held.index['horizons'].list.len().sum():,} horizons",
        "pictures": f"{len(held)} pictures, {shares.mean():.1%} of them soil",
        "checksums": f"{len(held.described['checksums'])} files",
    }
    return [Finding(name, tuple(wrong[name][:_SHOWN]), observed[name]) for name in wrong]


def _split_faults(index: pl.DataFrame) -> Iterator[str]:
    kept = index.filter(pl.col("split") != ASIDE)
    for what in ("profile", "cluster", "block"):
        sides = kept.group_by(what).agg(pl.col("split").unique().sort()).sort(what)
        for name, found in sides.filter(pl.col("split").list.len() > 1).iter_rows():
            yield f"{what} {name} is on several sides: {', '.join(found)}"
    longitude, latitude = kept["longitude"].to_numpy(), kept["latitude"].to_numpy()
    for one, other in near_pairs(longitude, latitude, GUARD_M):
        if kept["split"][int(one)] != kept["split"][int(other)]:
            yield (
                f"{kept['profile'][int(one)]} ({kept['split'][int(one)]}) is near "
                f"{kept['profile'][int(other)]} ({kept['split'][int(other)]})"
            )


def _horizon_faults(index: pl.DataFrame) -> Iterator[str]:
    for name, horizons in index.select("photograph", "horizons").iter_rows():
        if not horizons:
            yield f"{name}: no horizon"
            continue
        tops, bottoms = ([h[end] for h in horizons] for end in ("top", "bottom"))
        inside = tops[0] >= 0 and bottoms[-1] <= DEPTH_CM
        if (
            not inside
            or bottoms != sorted(set(bottoms))
            or any(top >= bottom for top, bottom in zip(tops, bottoms, strict=True))
        ):
            yield f"{name}: horizons at {list(zip(tops, bottoms, strict=True))} cm"
