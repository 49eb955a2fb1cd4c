"""What the training split of a profile set looks like in numbers.

Belongs here: means, deviations and counts over training photographs.
Never here: anything of another split: what a model is told before it is asked would give it away.
"""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl


def statistics(index: pl.DataFrame, pictures: np.ndarray, soils: np.ndarray) -> dict[str, Any]:
    """Numbers of the training split.

    Args:
        index: Of a set (`fusion.profiles.store.INDEX`), n rows.
        pictures: (n, height, width, 3) uint8.
        soils: (n, height, width) bool.

    Returns:
        `channels`: mean and deviation of red, green and blue over pixels of soil, in 0..255.
        `site`: by name of a number its mean, deviation and count over profiles; of a code how often
        it stands. `labels`: symbol -> horizons, each of a profile counted once.
    """
    rows = np.flatnonzero(index["split"].to_numpy() == "train")
    profiles = index.filter(pl.col("split") == "train").unique(
        "profile", keep="first", maintain_order=True
    )
    horizons = profiles.explode("horizons")["horizons"].drop_nulls()
    symbols = [horizon["symbol"] for horizon in horizons if horizon["symbol"] is not None]
    return {
        "channels": _channels(rows, pictures, soils),
        "site": {
            name.removeprefix("site."): _site(profiles[name])
            for name in index.columns
            if name.startswith("site.")
        },
        "labels": _counted(symbols),
    }


def _channels(rows: np.ndarray, pictures: np.ndarray, soils: np.ndarray) -> dict[str, Any]:
    pixels = np.zeros(1, np.int64)
    total, squares = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for row in rows:
        seen = np.asarray(pictures[row])[np.asarray(soils[row])].astype(np.int64)
        pixels += len(seen)
        total += seen.sum(axis=0)
        squares += (seen**2).sum(axis=0)
    mean = total / pixels
    return {"mean": mean.tolist(), "std": np.sqrt(squares / pixels - mean**2).tolist()}


def _site(values: pl.Series) -> dict[str, Any]:
    known = values.drop_nulls()
    if values.dtype == pl.String:
        return {"codes": _counted(known.to_list())}
    return {"mean": known.mean(), "std": known.std(ddof=0), "count": len(known)}


def _counted(found: list[str]) -> dict[str, int]:
    """Most frequent first; equally frequent ones in the order of their names."""
    return dict(sorted(Counter(found).items(), key=lambda pair: (-pair[1], pair[0])))
