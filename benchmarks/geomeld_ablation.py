"""What each part of GeoMeld-FM's training is worth, on tiles of the synthetic Europe.

Trains, by the one training loop, recipes made from one: Sentinel-2 restored alone, with all targets
(+MP), with the teacher's forecast (+MP+JEPA), with captions (+MP+ITC), and with all (full); full
also with captions of other tiles, and with sentences of the same kind that state no fact. Each
with several seeds, of the weights as of the masks. Frozen features are probed as
`training.geomeld_evaluate` does, beside the same floors, on blocks that training never saw. Another
encoder, of three sensors, is asked about tiles whose sensors are changed.

    PYTHONPATH=. python benchmarks/geomeld_ablation.py OUT [--tiles 400] [--epochs 5] [--seeds 3]
        [--patch 16] [--only NAME ...]

Tiles are made of the twin's landscapes without the detour over scene files: no clouds, no absent
sensor, a land-cover map without errors. What is learnt here says nothing of real places.
"""

import argparse
import datetime
import functools
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
import torch
import yaml
from shares import train_shares

from adapters.modalities import modality
from adapters.twin.europe import Europe
from adapters.twin.landscape import Landscape, landscape
from adapters.twin.scenes import Place, places
from adapters.twin.soil import soil
from adapters.twin.world import World
from fusion.captions.caption import caption_tiles
from fusion.tiles.captioned import with_captions
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from fusion.tiles.writing import write
from training import geomeld_evaluate as protocol
from training import probes, retrieval
from training.bootstrap import Bootstrap
from training.floors import Pixels
from training.geomeld_report import sensors as sensor_lines
from training.recipe import RECIPES, load_recipe
from training.report import bracket
from training.runs import run_folder
from training.sensors import changes
from training.text import caption_embeddings
from training.tile_features import TileEncoder
from training.tiles import EMBEDDINGS

BASE = "geomeld_fm_atto"
TARGETS = ("sentinel2", "sentinel1", "relief", "canopy_height", "worldcover")
SENSORS = ("sentinel2", "sentinel1", "relief")
ASKED = ("dominant land cover", "texture class")
"""Targets of tiles."""
BATCH = 2
"""Of some thousand tiles, more steps are worth more than larger ones."""
PROCESSES = 2
"""That measure, with a thread each."""
MOMENTUM = 0.99
"""Of the teacher, for some hundreds to thousands of steps."""
VARIANTS: dict[str, dict[str, dict[str, object]]] = {
    "S2 alone": {"model": {"targets": ["sentinel2"], "predictor_width": 0, "contrast_width": 0}},
    "+MP": {"model": {"predictor_width": 0, "contrast_width": 0}},
    "+MP+JEPA": {"model": {"contrast_width": 0}},
    "+MP+ITC": {"model": {"predictor_width": 0}},
    "full": {},
    "full, captions of other tiles": {"dataset": {"captions": "shuffled"}},
    "full, captions without facts": {},
}
FLOORS = ("untrained network", "band statistics", "random kernels")
FACTLESS = "full, captions without facts"
MANY_SENSORS = "full, three sensors"
PAIRS = (
    ("+MP", "S2 alone"),
    ("+MP+JEPA", "+MP"),
    ("+MP+ITC", "+MP"),
    ("full", "+MP"),
    ("full", "full, captions of other tiles"),
    ("full", FACTLESS),
)
# Sentences of the writer's kind, with everything taken out that a tile could prove or disprove.
TEMPLATES = (
    "The square shows land as it is seen from above.",
    "Seen on a day of the year, the scene holds what such scenes hold.",
    "Land cover of some kind takes up the whole of the square.",
    "The relief is as it is, and the ground lies at its height.",
    "There is ground here, and something stands or grows on it.",
    "Parts of the square differ from other parts of it.",
    "A view of a place, with its cover, its relief and its soil.",
    "The soil of the place has its texture and its reaction.",
)
_KEPT_VECTORS = {
    "soil": ("clay", "sand", "silt", "organic_carbon", "ph_h2o"),
    "climate": ("temperature", "precipitation"),
}


def main() -> None:
    """Make tiles, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiles", type=int, default=400)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patch", type=int, default=16, help="edge of a patch in pixels")
    parser.add_argument(
        "--only", nargs="*", choices=(*VARIANTS, MANY_SENSORS), default=(*VARIANTS, MANY_SENSORS)
    )
    parser.add_argument("--train", type=Path, help="used by the script itself")
    arguments = parser.parse_args()
    if arguments.train:
        train_share(arguments.train)
        return
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    true, factless = tile_sets(out, arguments.tiles)
    made = time.monotonic()
    jobs = [job for job in recipes(out, arguments, true, factless) if job["name"] in arguments.only]
    train_shares(__file__, [str(out)], jobs, out)
    trained = time.monotonic()
    report = measured(jobs, true)
    hours = {
        "tiles and captions": made - began,
        "training": trained - made,
        "measuring": time.monotonic() - trained,
    }
    report["minutes"] = {name: seconds / 60 for name, seconds in hours.items()}
    (out / "ablation.json").write_text(json.dumps(report, indent=1))
    text = readable(report, arguments)
    (out / "ablation.md").write_text(text)
    sys.stdout.write(text)


# Tiles.


def tile_sets(out: Path, count: int) -> tuple[Path, Path]:
    """The tiles with captions that are true of them, and with captions without facts."""
    world = World(Europe(42), "full")
    folder = write(list(twin_tiles(world, count)), out / "tiles")
    tiles = TileSet(folder)
    ids = tiles.index["id"].to_list()
    captioned = list(caption_tiles(tiles.read(i) for i in range(len(tiles))))
    tiles.close()
    empty = [TEMPLATES[i % len(TEMPLATES)] for i in range(len(ids))]
    sets = []
    for name, captions in (("true", [c.text for c in captioned]), ("factless", empty)):
        records = pl.DataFrame({"tile_id": ids, "caption": captions})
        about, checked = {"captions": name}, name == "true"
        base = out / f"tiles-{name}"
        sets.append(with_captions(folder, base, records, about, checked=checked))
    return sets[0], sets[1]


def twin_tiles(world: World, count: int) -> Iterator[Tile]:
    """Tiles of the twin's first places, as many of each land cover as there are."""
    for place in places(world, count):
        yield twin_tile(landscape(world.europe, place.id, place.longitude, place.latitude), place)


def twin_tile(here: Landscape, place: Place) -> Tile:
    """The middle of a landscape as all sensors see it without clouds."""
    day = place.date.timetuple().tm_yday
    edge = modality("sentinel2").size
    first = (here.cover.shape[0] - edge) // 2
    inside = np.s_[..., first : first + edge, first : first + edge]
    radar = np.full((8, edge, edge), np.nan, np.float32)
    radar[0:2] = here.backscatter(day, True)[inside]
    radar[4:6] = here.backscatter(day, False)[inside]
    down, across = here.gradient
    slope = np.degrees(np.arctan(np.hypot(down, across)))
    deviation = 0.1 * here.canopy + 0.5
    top = soil(here.place, *(np.array([v]) for v in (0.0, 20.0, 2018.0)))
    values = {"soil": top, "climate": here.place}
    arrays = {
        "sentinel2": here.reflectance(day)[inside].astype(np.float32),
        "sentinel1": radar,
        "relief": np.stack([here.elevation, slope])[inside].astype(np.float32),
        "canopy_height": np.stack([here.canopy, deviation])[inside].astype(np.float32),
        "worldcover": here.cover[None][inside],
    }
    for name, listed in _KEPT_VECTORS.items():
        arrays[name] = np.array([values[name][e][0] for e in listed], np.float32)
    return Tile(
        id=place.id,
        longitude=place.longitude,
        latitude=place.latitude,
        crs=here.crs,
        west=here.west + 10.0 * first,
        north=here.north - 10.0 * first,
        date=datetime.date(2021, 1, 1) + datetime.timedelta(days=day - 1),
        origin="synthetic",
        licences=("CC0-1.0",),
        arrays=arrays,
        present={name: np.isfinite(array) for name, array in arrays.items()},
        vector_names=dict(_KEPT_VECTORS),
    )


# Training.


def recipes(out: Path, arguments: argparse.Namespace, true: Path, factless: Path) -> list[dict]:
    """Write a recipe for each variant and seed; what is trained on what."""
    base = yaml.safe_load((RECIPES / f"{BASE}.yaml").read_text(encoding="utf-8"))
    base["model"] |= {"targets": list(TARGETS), "teacher_momentum": MOMENTUM}
    base["dataset"] |= {"patch": arguments.patch}
    epochs = arguments.epochs
    base |= {"epochs": epochs, "checkpoint_epochs": epochs, "keep": 1, "batch": BATCH}
    base["limits"] = None
    folder = out / "recipes"
    folder.mkdir(exist_ok=True)
    jobs = []
    listed = [
        (name, change, seed) for seed in range(arguments.seeds) for name, change in VARIANTS.items()
    ]
    listed.insert(len(VARIANTS), (MANY_SENSORS, {"model": {"inputs": list(SENSORS)}}, 0))
    for number, (name, change, seed) in enumerate(listed):
        made = {**base, "name": f"ablation_{number}", "seed": seed, "mask_seed": 1000 + seed}
        for part, changed in change.items():
            made[part] = made[part] | changed
        path = folder / f"ablation_{number}.yaml"
        path.write_text(yaml.safe_dump(made))
        data = factless if name == FACTLESS else true
        runs = run_folder(load_recipe(path), data, out / "runs").parent
        jobs.append({"name": name, "recipe": str(path), "data": str(data), "runs": str(runs)})
    return jobs


def train_share(share: Path) -> None:
    """Of a process that torchrun starts: train its jobs in turn."""
    from training.train import end_process, start_process, train

    start_process()
    for job in json.loads(share.read_text()):
        train(load_recipe(job["recipe"]), Path(job["data"]), Path(job["runs"]).parent)
    end_process()


# Measuring.


def measured(jobs: list[dict], data: Path) -> dict:
    """Scores of all variants, seeds together, beside floors."""
    tiles, train, held, targets = _asked_tiles(data)
    bootstrap = Bootstrap(held.blocks, 0, "tiles that were held back")
    found: dict[str, dict[str, np.ndarray]] = {}
    by_seed: dict[str, dict[str, list[float]]] = {}
    hits: dict[str, dict[str, list[np.ndarray]]] = {}
    sensor_table: list[dict] = []
    listed = [(name, jobs[0], data) for name in (*FLOORS, protocol.PIXELS)]
    listed += [(job["name"], job, data) for job in jobs]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        measures = list(pool.map(_measured_one, *zip(*listed, strict=True)))
    for (name, _, _), (scores, hit, sensors) in zip(listed, measures, strict=True):
        sensor_table += sensors
        for score, parts in scores.items():
            so_far = found.setdefault(score, {})
            so_far[name] = so_far.get(name, 0) + parts
            value = float(_score(score)(parts.sum(0, keepdims=True))[0])
            by_seed.setdefault(score, {}).setdefault(name, []).append(value)
        for way, of_way in hit.items():
            hits.setdefault(way, {}).setdefault(name, []).append(of_way)
    for score, parts in _commonest(train, held, targets).items():
        for probe in list(found):
            if probe.startswith(score):
                found[probe]["commonest class"] = parts
                by_seed[probe]["commonest class"] = []
    return {
        "training_tiles": int((tiles.index["split"] == "train").sum()),
        "probed_tiles": len(train.rows),
        "held_tiles": len(held.rows),
        "held_blocks": bootstrap.clusters,
        "scores": {
            score: {
                "methods": {
                    name: bootstrap.measure(parts, parts.sum((1, 2)), _score(score))
                    for name, parts in by_name.items()
                },
                "seeds": by_seed[score],
                "differences": [
                    {"of": one, "and": other}
                    | protocol.compared(
                        bootstrap,
                        {protocol.MODEL: by_name[one], other: by_name[other]},
                        _score(score),
                    )["model_minus"][other]
                    for one, other in _asked_pairs(by_name)
                ],
            }
            for score, by_name in found.items()
        },
        "sensors": sensor_table,
        "retrieval": _recalls(hits, tiles, held),
    }


@functools.cache
def _asked_tiles(data: Path) -> tuple[TileSet, protocol.Side, protocol.Side, dict]:
    """The set, its two sides, and the targets of tiles."""
    tiles = TileSet(data)
    train, held = protocol.sides(tiles)
    targets = {name: both for name, both in protocol.targets(train, held).items() if name in ASKED}
    return tiles, train, held, targets


def _measured_one(
    name: str, job: dict, data: Path
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[dict]]:
    """Confusions and hits of one trained encoder, or of the floor of this name beside it.

    Of the encoder of many sensors the table of changed sensors, too.
    """
    tiles, train, held, targets = _asked_tiles(data)
    trained = _encoder(job)
    several = {
        **protocol.floors(trained),
        protocol.PIXELS: Pixels(protocol.inputs_of(trained)),
    }
    encoder = several.get(name, trained)
    read = [m.id for m in protocol.inputs_of(trained).modalities]
    learnt, segment = protocol.learn(encoder, tiles, train, read, mapped=True)
    asked, cover = protocol.ask(encoder, protocol.tiles_of(tiles, held.rows, read), segment)
    classes = np.unique(train.cover[train.cover >= 0])
    scores = {"land cover of pixels, mean IoU": probes.confusion(held.cover, cover, classes)}
    if name != protocol.PIXELS:
        scores = _confusions(train, targets, learnt, asked) | scores
    hits = {}
    if encoder is trained and trained.model.config.contrast_width:
        hits = _hits(trained, tiles, held, asked, data.parent / EMBEDDINGS)
    sensor_table: list[dict] = []
    if name == MANY_SENSORS:
        there = list(protocol.tiles_of(tiles, held.rows, (*read, protocol.LAND_COVER)))
        sensor_table = protocol.changed_sensors(
            encoder, train, there, held.blocks, learnt, segment, changes(SENSORS)
        )
    return scores, hits, sensor_table


def _encoder(job: dict) -> TileEncoder:
    runs = Path(job["runs"])
    return TileEncoder(runs / (runs / "CURRENT").read_text(encoding="utf-8").strip())


def _asked_pairs(by_name: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    floors = [("full", floor) for floor in (*protocol.FLOORS, protocol.PIXELS) if floor in by_name]
    pairs = [pair for pair in PAIRS if by_name.keys() >= set(pair)]
    return [*pairs, *(floors if "full" in by_name else [])]


def _score(name: str) -> protocol.Score:
    return probes.mean_iou if name.endswith("mean IoU") else probes.accuracy


def _confusions(
    train: protocol.Side,
    targets: dict[str, tuple[np.ndarray, np.ndarray]],
    learnt: np.ndarray,
    asked: np.ndarray,
) -> dict[str, np.ndarray]:
    """Confusions of each target and probe of tiles."""
    found = {}
    for target, (labels, truth) in targets.items():
        rows, classes = labels != "", np.unique(labels[labels != ""])
        for probe, fit in protocol.PROBES.items():
            guess = fit(learnt[rows], labels[rows], train.blocks[rows])(asked)
            found[f"{target}, {probe}"] = probes.confusion(truth, guess, classes)
    return found


def _commonest(
    train: protocol.Side, held: protocol.Side, targets: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Confusions of always saying what is commonest among training tiles, by target."""
    pixels = {"land cover of pixels": (train.cover, held.cover)}
    found = {}
    for target, (labels, truth) in {**targets, **pixels}.items():
        known = labels[labels != ""] if labels.dtype.kind == "U" else labels[labels >= 0]
        classes, counts = np.unique(known, return_counts=True)
        guess = np.full(truth.shape, classes[counts.argmax()])
        found[target] = probes.confusion(truth, guess, classes)
    return found


def _hits(
    encoder: TileEncoder, tiles: TileSet, held: protocol.Side, pooled: np.ndarray, cache: Path
) -> dict[str, np.ndarray]:
    """(n, 3) hits of true captions, whatever captions the encoder was taught by."""
    captions = tiles.index["caption"].to_list()
    there = np.array([captions[row] is not None for row in held.rows])
    text = caption_embeddings(captions, cache)[held.rows[there]]
    with torch.no_grad():
        own = encoder.model.text_vectors(torch.from_numpy(text)).numpy()
    table = encoder.beside_captions(pooled[there]) @ own.T
    return {
        "tile to caption": retrieval.found(table),
        "caption to tile": retrieval.found(table.T),
    }


def _recalls(hits: dict, tiles: TileSet, held: protocol.Side) -> dict:
    captions = tiles.index["caption"].to_list()
    there = np.array([captions[row] is not None for row in held.rows])
    bootstrap = Bootstrap(held.blocks[there], 0, "tiles that were held back")
    return {
        "candidates": int(there.sum()),
        "different_captions": len({captions[row] for row in held.rows[there]}),
        "chance": retrieval.chance(int(there.sum())),
        **{
            way: {
                name: {
                    f"R@{k}": bootstrap.mean(np.stack(of_seeds)[:, :, place, None])
                    for place, k in enumerate(retrieval.FIRST)
                }
                for name, of_seeds in by_name.items()
            }
            for way, by_name in hits.items()
        },
    }


# In words.


def readable(report: dict, arguments: argparse.Namespace) -> str:
    """The report as Markdown."""
    minutes = ", ".join(f"{name} {m:.1f}" for name, m in report["minutes"].items())
    lines = [
        f"{arguments.tiles} tiles: {report['training_tiles']} to train, of which probes learn from "
        f"{report['probed_tiles']}, and {report['held_tiles']} held back in "
        f"{report['held_blocks']} blocks that are asked for; atto, patches of {arguments.patch} "
        f"pixels, {arguments.epochs:g} passes, batches of {BATCH}, {arguments.seeds} seeds. "
        f"Minutes: {minutes}. Brackets: 95 % by resampling blocks, seeds together; in parentheses "
        "the least and the largest of the seeds.",
    ]
    scores = report["scores"]
    names = list(dict.fromkeys(name for found in scores.values() for name in found["methods"]))
    lines += ["", f"| | {' | '.join(scores)} |", "|---" * (len(scores) + 1) + "|"]
    for name in names:
        cells = []
        for found in scores.values():
            if name not in found["methods"]:
                cells.append("")
                continue
            seeds = found["seeds"][name]
            spread = f" ({min(seeds):.3f} to {max(seeds):.3f})" if len(seeds) > 1 else ""
            cells.append(bracket(found["methods"][name]) + spread)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| score | of | minus | difference | |", "|---|---|---|---|---|"]
    for score, found in scores.items():
        for row in found["differences"]:
            said = (row["verdict"] or "no interval").replace("the model", row["of"])
            lines.append(f"| {score} | {row['of']} | {row['and']} | {bracket(row)} | {said} |")
    recalls = report["retrieval"]
    lines += ["", f"{recalls['candidates']} candidates, {recalls['different_captions']} captions:"]
    for way in ("tile to caption", "caption to tile"):
        lines += ["", f"| {way} | R@1 | R@5 | R@10 |", "|---|---|---|---|"]
        for name, row in recalls[way].items():
            lines.append(f"| {name} | {' | '.join(bracket(v) for v in row.values())} |")
        lines.append(f"| chance | {' | '.join(f'{c:.3f}' for c in recalls['chance'])} |")
    if report["sensors"]:
        lines += ["", *sensor_lines(report["sensors"])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
