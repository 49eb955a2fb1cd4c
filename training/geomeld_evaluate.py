"""What a trained encoder of tiles is worth, beside floors, on regions that it never saw.

Belongs here: the protocol: which tiles, which truth, which scores. Never here: probes, floors,
changes of sensors, words.

Probes learn from training tiles and are asked about tiles of the validation and the test split:
other H3 blocks, farther away than the guard of the set. Neither split moved a weight, and nothing
is chosen on them. Blocks are resampled for the intervals. The encoder and the floors get the same
tiles, the same bands and the same probes.
"""

import collections
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from adapters.errors import TrainingError
from adapters.modalities import modality
from fusion.captions import vocabulary
from fusion.sphere import nearest
from fusion.texture import texture_class, texture_systems
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from training import probes, retrieval
from training.bootstrap import LEAST_CLUSTERS, MODEL, RESAMPLES, Bootstrap, Score, ratio, some
from training.floors import BandStatistics, Encoder, Pixels, RandomKernels, Untrained
from training.geomeld_report import readable
from training.runs import fingerprint, write_atomically, write_json
from training.sensors import Change, few_changes
from training.text import caption_embeddings
from training.tile_features import TileEncoder
from training.tile_schema import TileSchema
from training.tiles import EMBEDDINGS

TRAINING_TILES = 400
HELD_TILES = 200
CHANGED_TILES = 64
"""Held tiles of which the table of changed sensors is made."""
HELD = ("validation", "test")
LAND_COVER = "worldcover"
LEAST_LABELLED = 0.5
"""Share of a tile's pixels with a class that it takes to have a dominant one."""
LEAST_OF_CLASS = 2
"""Training tiles of a class; rarer ones are not asked for."""
LEAST_TARGETED = 10
"""Training tiles with a target."""
MOST_ELEMENTS = 2
"""Elements of a vector that become targets."""
PIXELS = "single pixels"
FLOORS = ("commonest class", "untrained network", "band statistics", "random kernels")
_SEED = 17


@dataclass(frozen=True)
class Side:
    """Tiles of one side of the split, and what is known of them.

    Attributes:
        rows: (n,) of the index.
        blocks: (n,) their H3 blocks.
        cover: (n, h, w) codes of land cover, -1 where absent; None where no tile has it.
        vectors: Vector modality -> element -> (n,) values, NaN where absent.
    """

    rows: np.ndarray
    blocks: np.ndarray
    cover: np.ndarray | None
    vectors: dict[str, dict[str, np.ndarray]]


def evaluate(run: Path, data: Path) -> dict:
    """Measure a run; writes `evaluation.json` and `evaluation.md` into it.

    Args:
        run: Folder of a finished run.
        data: The version of the tile set that it was trained on.

    Returns:
        Content of `evaluation.json`.

    Raises:
        TrainingError: The run is not finished or was trained on other tiles, a region is on both
            sides, or no tile is held back.
    """
    encoder = TileEncoder(run)
    described = json.loads((run / "meta.json").read_text(encoding="utf-8"))
    if fingerprint(data, "tiles") != described["data"]["fingerprint"]:
        raise TrainingError(
            "the run was trained on other tiles: those held back here may be among them",
            file=str(data),
            remedy=f"use version {described['data']['version']}, or train again",
        )
    tiles = TileSet(data)
    try:
        report = measure(encoder, tiles, data.parent / EMBEDDINGS)
    finally:
        tiles.close()
    report = {
        "origin": described["origin"],
        "data": described["data"],
        "recipe": described["recipe"]["name"],
        "code_version": described["code_version"],
        **report,
    }
    write_json(run / "evaluation.json", report)
    write_atomically(run / "evaluation.md", readable(report))
    return report


def measure(
    encoder: TileEncoder,
    tiles: TileSet,
    cache: Path,
    changed: Callable[[Sequence[str]], list[Change]] = few_changes,
) -> dict:
    """All scores of an encoder on a set of tiles.

    Args:
        encoder: The encoder.
        tiles: The set.
        cache: Folder of the captions' vectors.
        changed: Names of the inputs -> changes of sensors to measure.

    Raises:
        TrainingError: A region is on both sides of the split, or no tile is held back.
    """
    inputs = [m.id for m in inputs_of(encoder).modalities]
    read = [name for name in dict.fromkeys((*inputs, LAND_COVER)) if name in tiles.modalities]
    train, held = sides(tiles)
    bootstrap = Bootstrap(held.blocks, _SEED, "tiles that were held back")
    mapped = _share_classes(train, held)
    seen: dict[str, Encoder] = {MODEL: encoder, **floors(encoder)}
    if mapped:
        seen[PIXELS] = Pixels(inputs_of(encoder))
    learnt, asked, guessed, segmenters = {}, {}, {}, {}
    for name, one in seen.items():
        learnt[name], segmenters[name] = learn(one, tiles, train, inputs, mapped=mapped)
        asked[name], guessed[name] = ask(one, tiles_of(tiles, held.rows, inputs), segmenters[name])
    report: dict = {"protocol": _protocol(encoder, tiles, train, held), "tiles": {}}
    features = {name: (learnt[name], asked[name]) for name in seen if name != PIXELS}
    for target, (labels, truth) in targets(train, held).items():
        report["tiles"][target] = {
            probe: _probed(fit, train, labels, truth, features, bootstrap)
            for probe, fit in PROBES.items()
        }
    if mapped:
        report["segmentation"] = _segmented(train, held, guessed, bootstrap)
    report["retrieval"] = _retrieved(encoder, tiles, train, held, features, cache)
    if mapped:
        few = some(np.arange(len(held.rows)), CHANGED_TILES, _SEED)
        there = list(tiles_of(tiles, held.rows[few], read))
        report["sensors"] = changed_sensors(
            encoder,
            train,
            there,
            held.blocks[few],
            learnt[MODEL],
            segmenters[MODEL],
            changed(inputs),
        )
    report["goals"] = _goals(report)
    return report


def learn(
    encoder: Encoder, tiles: TileSet, train: Side, inputs: Sequence[str], *, mapped: bool
) -> tuple[np.ndarray, probes.Segmenter | None]:
    """(n, e) features of training tiles, and a linear map from those of positions to land cover.

    Args:
        encoder: Makes the features.
        tiles: The set.
        train: Tiles to learn from.
        inputs: Modalities that the encoder reads.
        mapped: Is land cover known, so that there is a map to learn?
    """
    whole: list[np.ndarray] = []

    def maps() -> Iterator[np.ndarray]:
        for positions, of_tiles in encoder.features(tiles_of(tiles, train.rows, inputs)):
            whole.append(of_tiles)
            yield positions

    segment = probes.Segmenter(maps(), train.cover, train.blocks) if mapped else None
    if not mapped:
        collections.deque(maps(), maxlen=0)
    return np.concatenate(whole), segment


def ask(
    encoder: Encoder, tiles: Iterable[Tile], segment: probes.Segmenter | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """(n, e) features of tiles; and their land cover (n, h, w), if there is a map to find it."""
    whole, cover = [], []
    for positions, of_tiles in encoder.features(tiles):
        whole.append(of_tiles)
        if segment is not None:
            cover.append(segment(positions))
    return np.concatenate(whole), np.concatenate(cover) if cover else None


def sides(tiles: TileSet) -> tuple[Side, Side]:
    """Training tiles and those held back, at most so many of each, with their truth.

    Raises:
        TrainingError: No tile is held back, or one lies in a block, or within the guard distance,
            of a training tile.
    """
    split, block = (tiles.index[name].to_numpy() for name in ("split", "block"))
    everything = [np.flatnonzero(split == "train"), np.flatnonzero(np.isin(split, HELD))]
    place = f"{len(tiles)} tiles"
    if not len(everything[1]):
        raise TrainingError(
            "no tile is held back", where=place, remedy="tiles in more places are needed"
        )
    longitude, latitude = (tiles.index[name].to_numpy() for name in ("longitude", "latitude"))
    train, held = everything
    guard = tiles.described["splits"]["guard_m"]
    near, _ = nearest(longitude[held], latitude[held], longitude[train], latitude[train], guard)
    if (wrong := (near >= 0) | np.isin(block[held], block[train])).any():
        raise TrainingError(
            f"tiles that were held back lie beside training tiles: in their blocks, or within "
            f"{guard:g} m",
            where=place,
            samples=tiles.index["id"].to_numpy()[held[wrong]],
            remedy="write the set again, so that its splits are made anew",
        )
    chosen = some(train, TRAINING_TILES, _SEED), some(held, HELD_TILES, _SEED)
    return tuple(_side(tiles, rows, block[rows]) for rows in chosen)


def _side(tiles: TileSet, rows: np.ndarray, blocks: np.ndarray) -> Side:
    wanted = [name for name in tiles.modalities if modality(name).is_vector or name == LAND_COVER]
    size = modality(LAND_COVER).size
    cover = np.full((len(rows), size, size), -1, np.int16)
    vectors: dict[str, dict[str, np.ndarray]] = {}
    for place, tile in enumerate(tiles_of(tiles, rows, wanted)):
        cover[place] = codes(tile)
        for name, elements in tile.vector_names.items():
            there = tile.present[name]
            for element, value, known in zip(elements, tile.arrays[name], there, strict=True):
                row = vectors.setdefault(name, {}).setdefault(element, np.full(len(rows), np.nan))
                row[place] = value if known else np.nan
    return Side(rows, blocks, cover if (cover >= 0).any() else None, vectors)


def codes(tile: Tile) -> np.ndarray:
    """(h, w) codes of the land cover of a tile, -1 where absent."""
    size = modality(LAND_COVER).size
    if LAND_COVER not in tile.arrays:
        return np.full((size, size), -1, np.int16)
    found = tile.arrays[LAND_COVER][0].astype(np.int16)
    return np.where(tile.present[LAND_COVER][0], found, np.int16(-1))


def tiles_of(tiles: TileSet, rows: np.ndarray, names: Sequence[str]) -> Iterator[Tile]:
    """Tiles of these rows of the index, with these modalities."""
    for row in rows.tolist():
        yield tiles.read(row, names)


def inputs_of(encoder: TileEncoder) -> TileSchema:
    """The schema of what the encoder reads."""
    names = [modality.id for modality in encoder.model.config.inputs]
    found = tuple(encoder.schema.modality(name) for name in names)
    return encoder.schema.model_copy(update={"modalities": found})


def floors(encoder: TileEncoder) -> dict[str, Encoder]:
    """What the encoder must beat."""
    inputs = inputs_of(encoder)
    return {
        "untrained network": Untrained(encoder.model.config, inputs, _SEED),
        "band statistics": BandStatistics(inputs),
        "random kernels": RandomKernels(inputs, _SEED),
    }


# Truth of tiles.


def targets(train: Side, held: Side) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels of training tiles and of those held back, by target; an empty label is none.

    Dominant land cover; texture class where the soil vector has the fractions; and of elements of
    vectors, whether they are above the median of the training tiles. Only classes that at least
    `LEAST_OF_CLASS` training tiles have are kept.
    """
    found = {"dominant land cover": tuple(_dominant(side) for side in (train, held))}
    found["texture class"] = tuple(_texture(side) for side in (train, held))
    for name, elements in sorted(train.vectors.items()):
        known = [element for element, values in sorted(elements.items()) if _asks(values)]
        spread = np.linspace(0, len(known) - 1, min(MOST_ELEMENTS, len(known))).round().astype(int)
        for element in (known[i] for i in spread):
            median = np.nanmedian(elements[element])
            found[f"{name}: {element} above the median"] = tuple(
                _above(side.vectors.get(name, {}).get(element), len(side.rows), median)
                for side in (train, held)
            )
    kept = {}
    for target, (labels, truth) in found.items():
        names, counts = np.unique(labels[labels != ""], return_counts=True)
        names = names[counts >= LEAST_OF_CLASS]
        labels, truth = (np.where(np.isin(x, names), x, "") for x in (labels, truth))
        enough = (labels != "").sum() >= LEAST_TARGETED and len(names) > 1
        if enough and (truth != "").any():
            kept[target] = labels, truth
    return kept


def _dominant(side: Side) -> np.ndarray:
    labels = np.full(len(side.rows), "", "<U40")
    if side.cover is not None:
        for place, cover in enumerate(side.cover):
            labels[place] = dominant(cover)
    return labels


def dominant(cover: np.ndarray) -> str:
    """Label of the commonest class of a tile; "" where too few pixels have one."""
    there = cover[cover >= 0]
    if len(there) < LEAST_LABELLED * cover.size:
        return ""
    names, counts = np.unique(there, return_counts=True)
    return modality(LAND_COVER).codes[int(names[counts.argmax()])]


def _texture(side: Side) -> np.ndarray:
    """USDA class by the three fractions of one source and method."""
    families: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for name, values in side.vectors.get("soil", {}).items():
        known = vocabulary.element("soil", name)
        if known is not None and known[0] in ("sand", "silt", "clay"):
            families.setdefault(vocabulary.family(name), {})[known[0]] = values
    labels = np.full(len(side.rows), "", "<U40")
    names = texture_systems()["usda"].labels
    for parts in families.values():
        if len(parts) == 3:
            classes = texture_class(parts["sand"], parts["silt"], parts["clay"], "usda")
            found = np.array([names.get(code, "") for code in classes], "<U40")
            labels = np.where(labels == "", found, labels)
    return labels


def _asks(values: np.ndarray) -> bool:
    """Have enough training tiles a value, and do values differ?"""
    there = values[np.isfinite(values)]
    return len(there) >= LEAST_TARGETED and bool(np.ptp(there) > 0)


def _above(values: np.ndarray | None, count: int, median: float) -> np.ndarray:
    if values is None:
        return np.full(count, "", "<U40")
    return np.where(np.isfinite(values), np.where(values > median, "yes", "no"), "").astype("<U40")


# Scores.

Features = dict[str, tuple[np.ndarray, np.ndarray]]
"""By method, features of training tiles and of those held back."""


PROBES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], probes.Guess]] = {
    "neighbours": lambda train, labels, _: probes.neighbours(train, labels),
    "logistic": probes.logistic,
}
"""(features, labels, blocks) of training tiles -> what guesses labels."""


def _probed(
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], probes.Guess],
    train: Side,
    labels: np.ndarray,
    truth: np.ndarray,
    features: Features,
    bootstrap: Bootstrap,
) -> dict:
    rows, classes = labels != "", np.unique(labels[labels != ""])
    found = {
        name: probes.confusion(
            truth, fit(learnt[rows], labels[rows], train.blocks[rows])(asked), classes
        )
        for name, (learnt, asked) in features.items()
    }
    names, counts = np.unique(labels[rows], return_counts=True)
    commonest = np.full(len(truth), names[counts.argmax()])
    found["commonest class"] = probes.confusion(truth, commonest, classes)
    scores = {"accuracy": probes.accuracy, "mean recall": probes.mean_recall}
    return {
        "classes": classes.tolist(),
        **{name: compared(bootstrap, found, score) for name, score in scores.items()},
    }


def _segmented(
    train: Side, held: Side, guessed: dict[str, np.ndarray], bootstrap: Bootstrap
) -> dict:
    classes = np.unique(_known(train.cover))
    found = {name: probes.confusion(held.cover, g, classes) for name, g in guessed.items()}
    commonest = classes[np.bincount(np.searchsorted(classes, _known(train.cover))).argmax()]
    found["commonest class"] = probes.confusion(
        held.cover, np.full(held.cover.shape, commonest), classes
    )
    scores = {"accuracy": probes.accuracy, "mean IoU": probes.mean_iou}
    labels = modality(LAND_COVER).codes
    return {
        "classes": [labels[int(code)] for code in classes],
        **{name: compared(bootstrap, found, score) for name, score in scores.items()},
    }


def _share_classes(train: Side, held: Side) -> bool:
    """Is there any pixel to ask for?"""
    if train.cover is None or held.cover is None:
        return False
    return bool(np.isin(held.cover, np.unique(_known(train.cover))).any())


def _known(cover: np.ndarray) -> np.ndarray:
    return cover[cover >= 0]


def compared(bootstrap: Bootstrap, found: dict[str, np.ndarray], score: Score) -> dict:
    """Each method's score, and the model's minus it on the same resamples.

    Args:
        bootstrap: Of the rows.
        found: By method, (rows, C, C) confusions.
        score: Of summed confusions; more is better.
    """
    # All methods are asked about the same entries.
    counts = next(iter(found.values())).sum((1, 2))
    return bootstrap.compare(found, counts, score)


def _retrieved(
    encoder: TileEncoder,
    tiles: TileSet,
    train: Side,
    held: Side,
    features: Features,
    cache: Path,
) -> dict | None:
    """Recalls by each encoder's features through a linear map, and by the model's own two sides."""
    captions = np.array(tiles.index["caption"].to_list(), object)
    of_train, of_held = (
        np.array([caption is not None for caption in captions[side.rows]]) for side in (train, held)
    )
    if of_held.sum() < 2 or of_train.sum() < LEAST_TARGETED:
        return None
    # Of the whole set, as training asked for them: they are there already.
    vectors = caption_embeddings(captions.tolist(), cache)
    known, wanted = vectors[train.rows[of_train]], vectors[held.rows[of_held]]
    bootstrap = Bootstrap(held.blocks[of_held], _SEED, "tiles that were held back")
    similarity = {}
    for name, (learnt, asked) in features.items():
        mapped = retrieval.linear_map(
            learnt[of_train], known, train.blocks[of_train], asked[of_held]
        )
        similarity[name] = mapped @ wanted.T
    if encoder.model.config.contrast_width:
        own = encoder.beside_captions(features[MODEL][1][of_held])
        with torch.no_grad():
            text = encoder.model.text_vectors(torch.from_numpy(wanted)).numpy()
        similarity["model, its own map"] = own @ text.T
    count = int(of_held.sum())
    report: dict = {
        "candidates": count,
        "different_captions": len(set(captions[held.rows[of_held]])),
        "first": list(retrieval.FIRST),
        "chance": retrieval.chance(count),
    }
    for way, turned in (("tile to caption", False), ("caption to tile", True)):
        hits = {
            name: retrieval.found(table.T if turned else table)
            for name, table in similarity.items()
        }
        report[way] = {
            f"R@{k}": {name: _mean(bootstrap, hit[:, place]) for name, hit in hits.items()}
            for place, k in enumerate(retrieval.FIRST)
        }
    return report


def _mean(bootstrap: Bootstrap, values: np.ndarray) -> dict:
    return bootstrap.mean(values[None, :, None])


def changed_sensors(
    encoder: TileEncoder,
    train: Side,
    tiles: list[Tile],
    blocks: np.ndarray,
    learnt: np.ndarray,
    segment: probes.Segmenter,
    listed: list[Change],
) -> list[dict]:
    """What is left of the accuracy when sensors change.

    Args:
        encoder: Gets the changed tiles.
        train: Training tiles; probes learn from whole ones alone.
        tiles: Held back.
        blocks: (n,) their blocks.
        learnt: Features of the tiles of `train`.
        segment: The map that was learnt from their positions.
        listed: The changes.

    Returns:
        One row a change, the first for whole tiles: `sensor`, `change`, and for `tiles` (dominant
        land cover) and `pixels` (land cover) the `accuracy` and the share of it that is `kept`.
    """
    bootstrap = Bootstrap(blocks, _SEED, "tiles that were held back")
    labels = _dominant(train)
    rows = labels != ""
    few = len(np.unique(labels[rows])) < 2
    classify = None if few else probes.logistic(learnt[rows], labels[rows], train.blocks[rows])

    def scored(seen: list[Tile]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Right ones and asked ones of each tile."""
        pooled, guess = ask(encoder, seen, segment)
        cover = np.stack([codes(tile) for tile in seen])
        known = np.isin(cover, segment.classes)
        right = (guess == cover) & known
        found = {"pixels": (right.sum((1, 2)), known.sum((1, 2)))}
        if classify is not None:
            truth = np.array([dominant(one) for one in cover])
            there = np.isin(truth, labels[rows])
            found["tiles"] = ((classify(pooled) == truth) & there, there)
        return found

    whole = scored(tiles)
    changed = [(change.sensor, change.what, scored(applied(change, tiles))) for change in listed]
    return [_row(*row, whole, bootstrap) for row in [("-", "whole", whole), *changed]]


def applied(change: Change, tiles: list[Tile]) -> list[Tile]:
    """All tiles changed; the other tile of each is the next one, in a ring."""
    return [change.apply(tile, tiles[(i + 1) % len(tiles)]) for i, tile in enumerate(tiles)]


def _row(
    sensor: str,
    what: str,
    found: dict[str, tuple[np.ndarray, np.ndarray]],
    whole: dict[str, tuple[np.ndarray, np.ndarray]],
    bootstrap: Bootstrap,
) -> dict:
    row: dict = {"sensor": sensor, "change": what}
    for name, (right, asked) in found.items():
        if not asked.any() or not whole[name][0].any():
            continue
        parts = np.stack([right, asked, *whole[name]], axis=1).astype(float)
        row[name] = {
            "accuracy": bootstrap.measure(parts[:, :2], asked, ratio),
            "kept": bootstrap.measure(parts, asked, _kept),
        }
    return row


def _kept(sums: np.ndarray) -> np.ndarray:
    """(n, 4) right, asked, and both of whole tiles -> (n,) share of the accuracy that is left."""
    return ratio(np.stack([ratio(sums[:, :2]), ratio(sums[:, 2:])], axis=1))


# Protocol and goals.


def _protocol(encoder: TileEncoder, tiles: TileSet, train: Side, held: Side) -> dict:
    split = tiles.index["split"].to_numpy()
    return {
        "training_tiles": len(train.rows),
        "training_tiles_of": int((split == "train").sum()),
        "held_tiles": len(held.rows),
        "held_tiles_of": int(np.isin(split, HELD).sum()),
        "held_blocks": len(np.unique(held.blocks)),
        "held_splits": list(HELD),
        "guard_m": tiles.described["splits"]["guard_m"],
        "inputs": {m.id: list(m.bands) for m in inputs_of(encoder).modalities},
        "pretraining_targets": [t.id for t in encoder.model.config.targets],
        "neighbours": probes.NEIGHBOURS,
        "interval": f"95 %, {RESAMPLES} resamples of blocks; none of fewer than "
        f"{LEAST_CLUSTERS} blocks",
    }


def _goals(report: dict) -> list[dict]:
    """Each floor against the model, in each table: is the model above it?"""
    asked = [
        (f"{target}, {probe}: accuracy", found["accuracy"], floor)
        for target, by_probe in report["tiles"].items()
        for probe, found in by_probe.items()
        for floor in FLOORS
    ]
    if "segmentation" in report:
        pixels = report["segmentation"]["mean IoU"]
        asked += [("land cover of pixels: mean IoU", pixels, f) for f in (*FLOORS, PIXELS)]
    goals = []
    for score, table, floor in asked:
        difference = table["model_minus"][floor]
        reached = {"the model is better": "reached", "the model is worse": "missed"}
        outcome = reached.get(difference["verdict"] or "", "missed: not distinguishable")
        if difference["verdict"] is None:
            outcome = "not measured: no interval"
        goals.append({"score": score, "above": floor, "outcome": outcome})
    return goals
