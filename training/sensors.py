"""Tiles as they are when a sensor fails, is another one, is calibrated otherwise, or is coarser.

Belongs here: changes of a tile's arrays and masks. Never here: encoders, scores.

A change leaves alone what is not there, and says by the masks alone what it takes away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adapters.modalities import modality
from fusion.tiles.tile import Tile

LANDSAT_8 = ("B1", "B2", "B3", "B4", "B8A", "B11", "B12")
"""Bands of Sentinel-2 near one of OLI: Claverie et al. 2018, doi 10.1016/j.rse.2018.09.002."""
CAMERA = ("B2", "B3", "B4")
STEPS = (2, 4, 8)
"""Pixels that become one."""


@dataclass(frozen=True)
class Change:
    """One change of all tiles.

    Attributes:
        sensor: The modality that is changed, or ALL.
        what: In words.
        apply: (tile, another tile of the same set) -> the changed tile.
    """

    sensor: str
    what: str
    apply: Callable[[Tile, Tile], Tile]


ALL = "all inputs"
ABSENT, OF_ANOTHER = "absent", "that of another place"


def changes(inputs: Sequence[str]) -> list[Change]:
    """All changes that concern an encoder of these modalities."""
    found: list[Change] = []
    for name in inputs:
        found += _of_sensor(name)
    for step in STEPS:
        found.append(Change(ALL, f"{10 * step} m, not 10 m", _each(inputs, coarser, step=step)))
    found.append(Change(ALL, "5 m, not 10 m: the middle quarter, stretched", _nearer))
    return found


def few_changes(inputs: Sequence[str]) -> list[Change]:
    """Those of `changes` that tell most: each sensor absent, and all inputs at half resolution."""
    every = changes(inputs)
    return [change for change in every if change.what == ABSENT] + [
        change for change in every if change.sensor == ALL
    ][:1]


def _of_sensor(name: str) -> list[Change]:
    found = [
        Change(name, ABSENT, lambda tile, _: without(tile, name)),
        Change(name, OF_ANOTHER, lambda tile, other: taken(tile, other, name)),
    ]
    kind = modality(name).kind
    if kind == "reflectance":
        others = [band for band in modality(name).names if band not in LANDSAT_8]
        rest = [band for band in modality(name).names if band not in CAMERA]
        found += [
            Change(name, "bands of Landsat 8 alone", lambda t, _: without(t, name, others)),
            Change(name, "red, green and blue alone", lambda t, _: without(t, name, rest)),
        ]
        shifts = [(0.9, 0.0), (1.1, 0.0), (1.0, -0.02), (1.0, 0.02), (1.0, 0.1)]
    elif kind == "backscatter":
        found.append(Change(name, "the passes exchanged", lambda t, _: exchanged(t, name)))
        shifts = [(1.0, -1.0), (1.0, 1.0), (1.0, 3.0)]
    else:
        shifts = [(0.9, 0.0), (1.1, 0.0)]
    for gain, offset in shifts:
        unit = "of reflectance" if kind == "reflectance" else modality(name).bands[0].unit
        what = f"times {gain:g}" if gain != 1.0 else f"{offset:+g} {unit}"
        found.append(Change(name, what, _each((name,), calibrated, gain=gain, offset=offset)))
    return found


def _each(names: Sequence[str], function: Callable, **arguments: float) -> Callable:
    def apply(tile: Tile, _: Tile) -> Tile:
        for name in names:
            if name in tile.arrays:
                tile = _with(tile, {name: function(tile, name, **arguments)})
        return tile

    return apply


def _with(tile: Tile, changed: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Tile:
    return replace(
        tile,
        arrays={**tile.arrays, **{name: array for name, (array, _) in changed.items()}},
        present={**tile.present, **{name: mask for name, (_, mask) in changed.items()}},
    )


def without(tile: Tile, name: str, bands: Sequence[str] | None = None) -> Tile:
    """The tile without a modality, or without some of its bands: absent, and never zero."""
    if name not in tile.arrays:
        return tile
    mask = tile.present[name].copy()
    places = slice(None) if bands is None else [modality(name).band(band) for band in bands]
    mask[places] = False
    return _with(tile, {name: (tile.arrays[name], mask)})


def taken(tile: Tile, other: Tile, name: str) -> Tile:
    """The tile with a modality of another one; without it where the other has none."""
    if name not in other.arrays:
        return without(tile, name)
    return _with(tile, {name: (other.arrays[name], other.present[name])})


def exchanged(tile: Tile, name: str) -> Tile:
    """Bands of the ascending pass given as those of the descending one, and the reverse."""
    if name not in tile.arrays:
        return tile
    names = modality(name).names
    turned = {"asc": "desc", "desc": "asc"}
    order = [names.index("_".join([turned[b.split("_")[0]], b.split("_")[1]])) for b in names]
    return _with(tile, {name: (tile.arrays[name][order], tile.present[name][order])})


def calibrated(tile: Tile, name: str, gain: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Values times a gain and plus an offset, in the unit of the bands."""
    mask = tile.present[name]
    values = np.where(mask, tile.arrays[name], 0) * np.float32(gain) + np.float32(offset)
    if tile.arrays[name].dtype == np.uint8:
        values = np.rint(values).clip(0, 255)
    return values.astype(tile.arrays[name].dtype), mask


def coarser(tile: Tile, name: str, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of blocks of present pixels, each block as large as `step` x `step` pixels.

    A block without a present pixel is absent.
    """
    values, mask = tile.arrays[name], tile.present[name]
    size = values.shape[1] // step
    blocks = (len(values), size, step, size, step)
    count = mask.reshape(blocks).sum((2, 4))
    total = np.where(mask, values, 0.0).reshape(blocks).sum((2, 4), dtype=np.float64)
    mean = (total / np.maximum(count, 1)).astype(values.dtype)
    return mean.repeat(step, 1).repeat(step, 2), (count > 0).repeat(step, 1).repeat(step, 2)


def _nearer(tile: Tile, _: Tile) -> Tile:
    """The middle quarter of every map at twice the size, land cover with it."""
    stretched = {
        name: tuple(_stretched(x) for x in (array, tile.present[name]))
        for name, array in tile.arrays.items()
        if array.ndim == 3
    }
    return _with(tile, stretched)


def _stretched(x: np.ndarray) -> np.ndarray:
    """Pixels repeated: nothing is invented between them."""
    quarter = x.shape[1] // 4
    middle = x[:, quarter : 3 * quarter, quarter : 3 * quarter]
    return middle.repeat(2, 1).repeat(2, 2)
