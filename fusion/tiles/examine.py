"""What must be true of a written set of tiles, asked of its bytes.

Belongs here: reading a set back, and saying what is wrong with it.
Never here: what tiles are made from: nothing that made the set is asked.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from adapters.errors import FusionError
from adapters.modalities import modality
from fusion.findings import Finding
from fusion.sphere import near_pairs
from fusion.tiles.store import TileSet

_SHOWN = 20


def examine(tiles: TileSet) -> list[Finding]:
    """Look at every tile.

    Returns:
        `presence`: each tile has a present Sentinel-2 pixel, the shares of the index are those of
        the masks, present numbers are finite. `classes`: present codes are classes. `splits`: tiles
        of different splits are the guard distance apart, a block is on one side. `checksums`: the
        shards are what was written.
    """
    wrong: dict[str, list[str]] = {"presence": [], "classes": [], "splits": [], "checksums": []}
    codes: Counter[str] = Counter()
    for row, name in enumerate(tiles.index["id"]):
        try:
            stored = tiles.stored(row)
        except FusionError as error:
            wrong["presence"].append(f"{name}: {error.problem}")
            continue
        for id_, (values, present) in stored.items():
            told = _faults(tiles, row, id_, values, present)
            wrong["presence"] += [f"{name}, {id_}: {fault}" for fault in told]
            if modality(id_).is_classes:
                found, counts = np.unique(values[present], return_counts=True)
                codes.update(dict(zip((f"{id_} {c}" for c in found), counts.tolist(), strict=True)))
                unknown = sorted(set(found.tolist()) - set(modality(id_).codes))
                wrong["classes"] += [f"{name}, {id_}: code {code}" for code in unknown]
        if "sentinel2" not in stored or not stored["sentinel2"][1].any():
            wrong["presence"].append(f"{name}: no Sentinel-2 pixel is present")
    wrong["splits"] = list(_split_faults(tiles))
    try:
        tiles.verify()
    except FusionError as error:
        wrong["checksums"] = [error.problem, *error.samples]
    counts = tiles.described["splits"]["tiles"]
    observed = {
        "presence": f"{len(tiles)} tiles, {len(tiles.modalities)} modalities",
        "classes": f"{len(codes)} classes, {sum(codes.values()):,} pixels",
        "splits": ", ".join(f"{count} {split}" for split, count in counts.items()),
        "checksums": f"{len(tiles.described['shards'])} shards",
    }
    return [Finding(name, tuple(wrong[name][:_SHOWN]), observed[name]) for name in wrong]


def _faults(
    tiles: TileSet, row: int, id_: str, values: np.ndarray, present: np.ndarray
) -> Iterable[str]:
    told = np.asarray(tiles.index[f"{id_}.share"][row], np.float32)
    counted = present.reshape(len(present), -1).mean(axis=1).astype(np.float32)
    if not np.array_equal(told, counted):
        yield f"shares are {counted.tolist()}, and the index says {told.tolist()}"
    if values.dtype.kind == "f" and not np.isfinite(values[present]).all():
        yield "a present number is not finite"


def _split_faults(tiles: TileSet) -> Iterable[str]:
    index, guard_m = tiles.index, tiles.described["splits"]["guard_m"]
    split = index["split"].to_numpy()
    kept = np.flatnonzero(split != "guard")
    longitude, latitude = index["longitude"].to_numpy()[kept], index["latitude"].to_numpy()[kept]
    for one, other in near_pairs(longitude, latitude, guard_m):
        i, j = int(kept[one]), int(kept[other])
        if split[i] != split[j]:
            yield f"{index['id'][i]} ({split[i]}) is near {index['id'][j]} ({split[j]})"
    sides: dict[str, set[str]] = {}
    for block, side in zip(index["block"], split, strict=True):
        sides.setdefault(block, set()).add(str(side))
    for block, found in sorted(sides.items()):
        if len(found - {"guard"}) > 1:
            yield f"block {block} is on several sides: {', '.join(sorted(found))}"
