"""Which profiles train, validate, calibrate and test, and which do none of it.

Belongs here: the shares and the guard of profiles.
Never here: photographs: all of a profile are where the profile is.

Profiles are split as samples are (`fusion.splits`): neighbours within 500 m stay together, and
whole blocks of 100 km go to one side. Two profiles on both sides of a block's edge would still know
each other: of any two of different sides within 10 km, one is set aside as `guard`.
"""

import polars as pl

from fusion.splits import set_aside, splits

SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}
GUARD_M = 10_000.0
_RANKS = ("test", "calibration", "validation", "train")
"""The larger side gives way, so that evaluation keeps its few profiles."""


def profile_splits(profiles: pl.DataFrame) -> pl.DataFrame:
    """Assign every profile to a cluster, a block and a split.

    Args:
        profiles: `profile, longitude, latitude`, each profile once, positions not null.

    Returns:
        `profile, cluster, block, split`, in the order of `profiles`.
    """
    samples = profiles.select("longitude", "latitude", sample_id="profile", site="profile")
    found = splits(samples, shares=SHARES).rename({"sample_id": "profile"})
    split = set_aside(
        found["split"].to_numpy(),
        samples["longitude"].to_numpy(),
        samples["latitude"].to_numpy(),
        GUARD_M,
        _RANKS,
    )
    return found.with_columns(split=pl.Series(split, dtype=pl.String))
